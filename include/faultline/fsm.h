/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/fsm.h -- state machines as tables: the reason in a row is the log line, the timeline
 * entry and the label of the diagram (layer 0). */
#pragma once

#include <faultline/base.h>

struct fl_fsm_row {
    int from, event, to;  /* to = from: allowed, nothing changes; to = -1: refused, and `reason` says why */
    const char *reason;
};
struct fl_fsm {
    const char *name;
    const struct fl_fsm_row *rows;
    size_t n_rows;
    int n_states, n_events;
    const char *(*state_name)(int);
    const char *(*event_name)(int);
};
/** The row of a pair; every (state, event) pair has exactly one (fl_fsm_check proves it in a test). */
const struct fl_fsm_row *fl_fsm_find(const struct fl_fsm *m, int from, int event);
/** First pair with no row or two, or true. */
FL_MUST_CHECK bool fl_fsm_check(const struct fl_fsm *m, int *ret_state, int *ret_event);
/** Graphviz text. */
void fl_fsm_dot(const struct fl_fsm *m, struct fl_buf *out);
