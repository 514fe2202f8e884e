/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/playbook_offline.h -- one rehearsal of a playbook with answers from a table (layer 6). */
#pragma once

#include <faultline/json.h>
#include <faultline/script.h>

struct rehearsal_case {
    const char *file, *source;
    size_t n;
    const char *ctx;               /* JSON */
    const struct fl_json *replies; /* list of {call, reply|error|denied|in_doubt}; NULL: all goes well */
    bool print;                    /* each action as it comes */
};
struct rehearsal_outcome {
    struct fl_rehearsal r;
    struct fl_buf acts; /* one line an action: "http POST http://…" */
    size_t n_acts;
    char *unexpected; /* an action the replies do not know, or NULL */
    size_t unused;    /* replies left over */
};
FL_MUST_CHECK fl_status rehearse_case(const struct rehearsal_case *c, struct rehearsal_outcome *ret,
                                      struct fl_err *err);
void rehearsal_outcome_done(struct rehearsal_outcome *o);
void rehearsal_json(const struct rehearsal_outcome *o);

/** The table a fixture file returns, as JSON. */
FL_MUST_CHECK fl_status offline_fixture(const char *path, char **ret_json, struct fl_err *err);
/** Run every case of one *_test.lua, print one line each, count. */
FL_MUST_CHECK fl_status offline_test_file(const char *path, size_t *passed, size_t *failed,
                                          struct fl_err *err);
FL_MUST_CHECK fl_status offline_read(const char *path, struct fl_buf *out, struct fl_err *err);
