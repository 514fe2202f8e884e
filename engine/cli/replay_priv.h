/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/replay_priv.h -- what is kept of a replay to compare it, shared by replay_diff.c and replay_alerts.c only. */
#pragma once

#include "replay_diff.h"

struct episode;
struct incident {
    const char *id, *title, *cause;
    double confidence;
    fl_incident_state state;
    fl_usec opened_at, updated_at;
    struct episode *alerts; /* of comparing: those that are in it at last */
    size_t n_alerts;
    bool paired;
};
/* An alert from firing to resolved. */
struct episode {
    uint64_t fingerprint;
    fl_usec starts_at, first_at, in_at; /* first_at: its first row; in_at: it was in an incident first */
    const char *key, *name, *node;
    struct incident *incident; /* the last one it was in; NULL = none */
    struct episode *next;      /* in it */
    bool opened;               /* it was the first of its first incident */
    bool flapped;
    const char *out_by, *out_why;   /* what kept it out of incidents, last; NULL: nothing did */
    const char *mute_by, *mute_why; /* what hid it in its incident, last */
};
struct run {
    const char *id, *playbook;
    fl_run_state state;
    struct incident *incident;
};
/* Things by a text key: open addressing. */
struct table {
    struct slot {
        const char *key;
        void *value;
    } * v;
    size_t n, cap;
};
struct decisions {
    struct fl_arena *arena;
    struct table incidents, episodes, runs;
    size_t reminders;
};

/* The slot of a key, or where it would be. */
struct slot *decisions_slot(const struct table *t, const char *key);
/* The value of a key, made (zeroed) when it is new. NULL: out of memory. */
void *decisions_get(struct decisions *d, struct table *t, const char *key, size_t size);
bool decisions_table(struct table *t); /* an empty one */

#define EACH(t, type, x)                    \
    for (size_t i_ = 0; i_ < (t).cap; i_++) \
        for (type *x = (t).v[i_].value; x; x = NULL)

/* replay_alerts.c: what became of each alert, before and after; as text, or as members of an object.
 * @return how many alerts fare otherwise, or -1: out of memory. */
long alerts_diff(struct decisions *before, struct decisions *after, const struct diff_scope *scope,
                 struct fl_jw *json, size_t *ret_compared);
