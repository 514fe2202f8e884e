/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/incident_fsm.c -- the incident's life as a table; the reason is written here and nowhere else. */
#include "correlate_priv.h"

#include <stdio.h>

static const struct fl_fsm_row rows[] = {
    {FL_INC_OPEN, IE_ALERT, FL_INC_OPEN, "a new alert joined"},
    {FL_INC_OPEN, IE_QUIET, FL_INC_QUIET, "no new alert for a while; its alerts still fire"},
    {FL_INC_OPEN, IE_CLEAR, FL_INC_RECOVERING, "all its alerts are resolved"},
    {FL_INC_OPEN, IE_SETTLED, -1, "it still has alerts that are not resolved"},
    {FL_INC_OPEN, IE_CLOSED, FL_INC_RESOLVED, "resolved by an operator"},
    {FL_INC_OPEN, IE_MERGED, FL_INC_MERGED, "it is part of another incident"},
    {FL_INC_OPEN, IE_TOLD_ON, FL_INC_OPEN, "it is open"},

    {FL_INC_QUIET, IE_ALERT, FL_INC_OPEN, "a new alert joined after a quiet time"},
    {FL_INC_QUIET, IE_QUIET, FL_INC_QUIET, "still quiet"},
    {FL_INC_QUIET, IE_CLEAR, FL_INC_RECOVERING, "all its alerts are resolved"},
    {FL_INC_QUIET, IE_SETTLED, -1, "it still has alerts that are not resolved"},
    {FL_INC_QUIET, IE_CLOSED, FL_INC_RESOLVED, "resolved by an operator"},
    {FL_INC_QUIET, IE_MERGED, FL_INC_MERGED, "it is part of another incident"},
    {FL_INC_QUIET, IE_TOLD_ON, FL_INC_QUIET, "it is open"},

    {FL_INC_RECOVERING, IE_ALERT, FL_INC_OPEN, "an alert fired while it was recovering"},
    {FL_INC_RECOVERING, IE_QUIET, FL_INC_RECOVERING, "still recovering"},
    {FL_INC_RECOVERING, IE_CLEAR, FL_INC_RECOVERING, "all its alerts are resolved"},
    {FL_INC_RECOVERING, IE_SETTLED, FL_INC_RESOLVED, "all its alerts stayed resolved"},
    {FL_INC_RECOVERING, IE_CLOSED, FL_INC_RESOLVED, "resolved by an operator"},
    {FL_INC_RECOVERING, IE_MERGED, FL_INC_MERGED, "it is part of another incident"},
    {FL_INC_RECOVERING, IE_TOLD_ON, FL_INC_RECOVERING, "it is open"},

    {FL_INC_RESOLVED, IE_ALERT, -1, "it is over: an alert that returns opens a new incident"},
    {FL_INC_RESOLVED, IE_QUIET, FL_INC_RESOLVED, "it is over"},
    {FL_INC_RESOLVED, IE_CLEAR, FL_INC_RESOLVED, "it is over"},
    {FL_INC_RESOLVED, IE_SETTLED, FL_INC_RESOLVED, "it is over"},
    {FL_INC_RESOLVED, IE_CLOSED, -1, "it is resolved already"},
    {FL_INC_RESOLVED, IE_MERGED, -1, "it is resolved already"},
    {FL_INC_RESOLVED, IE_TOLD_ON, FL_INC_OPEN, "an alert of it never stopped"},

    {FL_INC_MERGED, IE_ALERT, -1, "it was merged into another incident"},
    {FL_INC_MERGED, IE_QUIET, FL_INC_MERGED, "it was merged"},
    {FL_INC_MERGED, IE_CLEAR, FL_INC_MERGED, "it was merged"},
    {FL_INC_MERGED, IE_SETTLED, FL_INC_MERGED, "it was merged"},
    {FL_INC_MERGED, IE_CLOSED, -1, "it was merged into another incident"},
    {FL_INC_MERGED, IE_MERGED, -1, "it was merged already"},
    {FL_INC_MERGED, IE_TOLD_ON, -1, "it was merged into another incident"},
};

static const char *state_name(int s)
{
    return fl_incident_state_name((fl_incident_state)s);
}

static const char *event_name(int e)
{
    static const char *const names[IE_N] = {"alert",  "quiet",  "clear",  "settled",
                                            "closed", "merged", "told on"};
    return e >= 0 && e < IE_N ? names[e] : "?";
}

static const struct fl_fsm machine = {"incident", rows,       FL_ARRAY_LEN(rows), FL_INC_N,
                                      IE_N,       state_name, event_name};

const struct fl_fsm *fl_incident_fsm(void)
{
    return &machine;
}

bool incident_event(struct fl_corr *c, struct fl_step *s, struct incident *i, enum incident_event e,
                    const char *detail)
{
    const struct fl_fsm_row *row = fl_fsm_find(&machine, (int)i->pub.state, (int)e);
    FL_REQUIRE(row != NULL);
    if (row->to < 0)
        return false;
    fl_incident_state before = i->pub.state;
    if (row->to == (int)before)
        return true;
    i->pub.state = (fl_incident_state)row->to;
    i->pub.updated_at = s->at;
    incident_dirty(c, i);
    set_text(&i->pub.reason, row->reason);
    if (i->pub.state == FL_INC_RECOVERING)
        i->pub.recovering_at = s->at;
    if (before > FL_INC_RECOVERING) {
        i->pub.resolved_at = 0;
        i->pub.last_alert_at = s->at;
        incident_back(c, i);
    }
    if (!is_active(i)) {
        i->pub.resolved_at = s->at;
        i->pub.rank_due = 0;
        i->by_hand = e == IE_CLOSED;
        if (i->pub.state == FL_INC_RESOLVED)
            c->stats.resolved++;
        incident_left(c, i);
    }
    char action[64];
    snprintf(action, sizeof action, "incident.%s", state_name(row->to));
    const char *text = detail && *detail ? fl_fx_printf(s->fx, "%s -> %s: %s (%s)", state_name((int)before),
                                                        state_name(row->to), row->reason, detail)
                                         : fl_fx_printf(s->fx, "%s -> %s: %s", state_name((int)before),
                                                        state_name(row->to), row->reason);
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = i->pub.id,
                                 .subject = i->pub.id,
                                 .actor = e == IE_CLOSED ? s->actor : NULL,
                                 .text = text});
    return true;
}
