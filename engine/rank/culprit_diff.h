/* SPDX-License-Identifier: GPL-3.0-or-later */
/* culprit_diff.h -- what the text of a change says it does. */
#pragma once

#include <faultline/model.h>

enum fl_diff_effect {
    FL_DIFF_UNKNOWN, /* no diff, or one that says nothing in particular */
    FL_DIFF_INERT,   /* nothing that runs: documents, tests, pipelines, style */
    FL_DIFF_LOGS,    /* only lines that log */
    FL_DIFF_MOVED,   /* the same values and names in another place */
    FL_DIFF_VALUES   /* another limit, timeout, version or name; or a check that is gone */
};

/** Reads kind, title and detail. Pure; cost: the length of the detail times the number of its values. */
enum fl_diff_effect fl_diff_effect(const struct fl_change *c);

/** Hashes in order, each once. @return how many are left. */
size_t fl_hashes_unique(uint64_t *v, size_t n);
int fl_hash_order(const void *a, const void *b); /* for bsearch */

/** The next line of a diff that was taken out or put in, without its sign; NULL at the end. `*at` moves on. */
const char *fl_diff_line(const char **at, char *sign, size_t *n);
