/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/replay_diff.h -- what a replay decided, incident by incident, and how two replays differ (layer 6). */
#pragma once

#include "cli.h"

#include <faultline/effects.h>

struct decisions; /* of one replay */
struct decisions *decisions_new(void);
struct decisions *decisions_free(struct decisions *d);
/* Take the rows of one step; everything needed is copied. */
bool decisions_take(struct decisions *d, const struct fl_effects *fx);

struct diff_scope {       /* which incidents count; NULL and 0: all */
    const char *incident; /* as it is called before */
    fl_usec since, until; /* those that were open then */
};
struct diff_counts { /* compared, and of them otherwise */
    size_t incidents, incidents_changed, alerts, alerts_changed;
    bool reminders_changed; /* their number, when nothing limits the scope */
};
/* Print how `after` differs from `before`: incidents, then alerts. An incident after is the one that shares most alerts with
 * one before. Once for a pair. @return false: out of memory. */
bool decisions_diff(struct decisions *before, struct decisions *after, const struct diff_scope *scope,
                    bool json, struct diff_counts *ret);
