/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/snapshot_priv.h -- the records of this stage in a snapshot: snapshot.c and flap.c write, restore.c reads. */
#pragma once

#include <faultline/pack.h>

/* In this order. Letters in small are left to the stage's caller. */
enum record {
    REC_CORRELATION = 'C', /* JSON: counters, silences, windows, teams */
    REC_INCIDENT = 'I',    /* in order of opening; its ordinal counts from 1 */
    REC_EPISODE = 'E',     /* in order of arrival */
    REC_ORDER = 'O',       /* members of an incident in order of joining, where that is another */
    REC_PLACE = 'A',       /* the incident a vertex belongs to */
    REC_PAIR = 'P',
    REC_PASSED = 'Q',
    REC_TOMB = 'T',
    REC_FLAP = 'F',
};
enum { ORDER_IN_A_RECORD = 4096 };

/* How a text of the pool is written. */
enum {
    TEXT_NONE,
    TEXT_ONCE,     /* the text: nobody else has it */
    TEXT_FIRST,    /* the text: it has the next number from now on, from 0 */
    TEXT_NUMBERED, /* TEXT_NUMBERED + its number */
};
