/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/run_fsm.c -- a run's life as a table; the reason is written here and nowhere else. */
#include "respond_priv.h"

#include <stdio.h>

#define OVER(state)                                                                                  \
    {state, RE_APPROVED, -1, "the run is over"}, {state, RE_DENIED, -1, "the run is over"},          \
        {state, RE_EXPIRED, state, "the run is over"}, {state, RE_OK, state, "the run is over"},     \
        {state, RE_ERROR, state, "the run is over"}, {state, RE_DIVERGED, state, "the run is over"}, \
        {state, RE_TIMEOUT, state, "the run is over"}, {state, RE_ABORT, -1, "the run is over"},     \
        {state, RE_DOUBT, state, "the run is over"}, {state, RE_SETTLED, -1, "the run is over"},     \
        {state, RE_VERIFIED, state, "the run is over"},                                              \
    {                                                                                                \
        state, RE_UNVERIFIED, state, "the run is over"                                               \
    }

static const struct fl_fsm_row rows[] = {
    {FL_RUN_PROPOSED, RE_APPROVED, FL_RUN_RUNNING, "approved"},
    {FL_RUN_PROPOSED, RE_DENIED, FL_RUN_DENIED, "denied"},
    {FL_RUN_PROPOSED, RE_EXPIRED, FL_RUN_EXPIRED, "nobody decided in time"},
    {FL_RUN_PROPOSED, RE_OK, -1, "it has not started"},
    {FL_RUN_PROPOSED, RE_ERROR, -1, "it has not started"},
    {FL_RUN_PROPOSED, RE_DIVERGED, -1, "it has not started"},
    {FL_RUN_PROPOSED, RE_TIMEOUT, -1, "it has not started"},
    {FL_RUN_PROPOSED, RE_ABORT, FL_RUN_ABORTED, "aborted before it started"},
    {FL_RUN_PROPOSED, RE_DOUBT, -1, "it has not started"},
    {FL_RUN_PROPOSED, RE_SETTLED, -1, "it is not in doubt"},
    {FL_RUN_PROPOSED, RE_VERIFIED, -1, "it has not started"},
    {FL_RUN_PROPOSED, RE_UNVERIFIED, -1, "it has not started"},

    {FL_RUN_RUNNING, RE_APPROVED, -1, "it is running already"},
    {FL_RUN_RUNNING, RE_DENIED, -1, "it is running already: abort it instead"},
    {FL_RUN_RUNNING, RE_EXPIRED, FL_RUN_RUNNING, "it is running"},
    {FL_RUN_RUNNING, RE_OK, FL_RUN_VERIFYING, "all its steps are done; waiting for its alerts to clear"},
    {FL_RUN_RUNNING, RE_ERROR, FL_RUN_FAILED, "the playbook failed"},
    {FL_RUN_RUNNING, RE_DIVERGED, FL_RUN_DIVERGED, "the replay met another call than the record"},
    {FL_RUN_RUNNING, RE_TIMEOUT, FL_RUN_TIMED_OUT, "its time limit passed"},
    {FL_RUN_RUNNING, RE_ABORT, FL_RUN_ABORTED, "aborted"},
    {FL_RUN_RUNNING, RE_DOUBT, FL_RUN_IN_DOUBT, "a call may or may not have acted: a person must settle it"},
    {FL_RUN_RUNNING, RE_SETTLED, -1, "it is not in doubt"},
    {FL_RUN_RUNNING, RE_VERIFIED, FL_RUN_SUCCEEDED, "done"},
    {FL_RUN_RUNNING, RE_UNVERIFIED, -1, "it is still running"},

    {FL_RUN_IN_DOUBT, RE_APPROVED, -1, "it was approved already"},
    {FL_RUN_IN_DOUBT, RE_DENIED, -1, "it is in doubt: settle or abort it"},
    {FL_RUN_IN_DOUBT, RE_EXPIRED, FL_RUN_IN_DOUBT, "it waits for a person"},
    {FL_RUN_IN_DOUBT, RE_OK, -1, "it is in doubt"},
    {FL_RUN_IN_DOUBT, RE_ERROR, FL_RUN_FAILED, "the playbook failed"},
    {FL_RUN_IN_DOUBT, RE_DIVERGED, FL_RUN_DIVERGED, "the replay met another call than the record"},
    {FL_RUN_IN_DOUBT, RE_TIMEOUT, FL_RUN_IN_DOUBT, "the clock stands while a person decides"},
    {FL_RUN_IN_DOUBT, RE_ABORT, FL_RUN_ABORTED, "aborted"},
    {FL_RUN_IN_DOUBT, RE_DOUBT, FL_RUN_IN_DOUBT, "it is in doubt"},
    {FL_RUN_IN_DOUBT, RE_SETTLED, FL_RUN_RUNNING, "settled by a person"},
    {FL_RUN_IN_DOUBT, RE_VERIFIED, -1, "it is in doubt"},
    {FL_RUN_IN_DOUBT, RE_UNVERIFIED, -1, "it is in doubt"},

    {FL_RUN_VERIFYING, RE_APPROVED, -1, "its steps are done already"},
    {FL_RUN_VERIFYING, RE_DENIED, -1, "its steps are done already"},
    {FL_RUN_VERIFYING, RE_EXPIRED, FL_RUN_VERIFYING, "it is verifying"},
    {FL_RUN_VERIFYING, RE_OK, FL_RUN_VERIFYING, "it is verifying"},
    {FL_RUN_VERIFYING, RE_ERROR, FL_RUN_VERIFYING, "its steps are done already"},
    {FL_RUN_VERIFYING, RE_DIVERGED, FL_RUN_VERIFYING, "its steps are done already"},
    {FL_RUN_VERIFYING, RE_TIMEOUT, FL_RUN_VERIFYING, "verification has its own limit"},
    {FL_RUN_VERIFYING, RE_ABORT, FL_RUN_ABORTED, "aborted while verifying"},
    {FL_RUN_VERIFYING, RE_DOUBT, FL_RUN_VERIFYING, "its steps are done already"},
    {FL_RUN_VERIFYING, RE_SETTLED, -1, "it is not in doubt"},
    {FL_RUN_VERIFYING, RE_VERIFIED, FL_RUN_SUCCEEDED, "verified: its alerts cleared"},
    {FL_RUN_VERIFYING, RE_UNVERIFIED, FL_RUN_FAILED, "not verified: its alerts did not clear in time"},

    OVER(FL_RUN_SUCCEEDED),
    OVER(FL_RUN_FAILED),
    OVER(FL_RUN_DENIED),
    OVER(FL_RUN_EXPIRED),
    OVER(FL_RUN_ABORTED),
    OVER(FL_RUN_DIVERGED),
    OVER(FL_RUN_TIMED_OUT),
};

static const char *state_name(int s)
{
    return fl_run_state_name((fl_run_state)s);
}

static const char *event_name(int e)
{
    static const char *const names[RE_N] = {"approved", "denied",   "expired",  "ok",
                                            "error",    "diverged", "timeout",  "abort",
                                            "doubt",    "settled",  "verified", "unverified"};
    return e >= 0 && e < RE_N ? names[e] : "?";
}

static const struct fl_fsm machine = {"run", rows,       FL_ARRAY_LEN(rows), FL_RUN_N,
                                      RE_N,  state_name, event_name};

const struct fl_fsm *fl_run_fsm(void)
{
    return &machine;
}

bool run_event(struct fl_resp *r, struct fl_step *s, struct run *run, enum run_event e, const char *detail)
{
    const struct fl_fsm_row *row = fl_fsm_find(&machine, (int)run->pub.state, (int)e);
    FL_REQUIRE(row != NULL);
    if (row->to < 0)
        return false;
    fl_run_state before = run->pub.state;
    if (row->to == (int)before)
        return true;
    run->pub.state = (fl_run_state)row->to;
    run_changed(r, run);
    const char *text = detail && *detail ? fl_fx_printf(s->fx, "%s: %s", row->reason, detail) : row->reason;
    set_text(&run->reason, text);
    char action[64];
    snprintf(action, sizeof action, "run.%s", state_name(row->to));
    bool by_person = e == RE_APPROVED || e == RE_DENIED || e == RE_ABORT || e == RE_SETTLED;
    run_say(s, run, action, by_person ? s->actor : NULL,
            fl_fx_printf(s->fx, "%s (%s): %s", run->pub.playbook, run->pub.id, text), NULL);
    if (fl_run_is_over(run->pub.state))
        run_over(r, s, run);
    run_row(s, run);
    return true;
}
