/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/operator.c -- what people do to runs: request, approve, deny, abort, settle, halt. */
#include "respond_priv.h"

#include <stdio.h>
#include <string.h>

static fl_status need(const struct fl_resp *r, const char *id, struct run **ret, struct fl_err *err)
{
    *ret = run_find(r, id);
    if (*ret)
        return FL_OK;
    fl_fail(err, FL_E_NOTFOUND, "run", "there is no run \"%.60s\" that is open or recent", id ? id : "");
    fl_hint(err, "faultline playbook runs");
    return FL_E_NOTFOUND;
}

static fl_status refused(const struct run *run, enum run_event e, struct fl_err *err)
{
    const struct fl_fsm_row *row = fl_fsm_find(fl_run_fsm(), (int)run->pub.state, (int)e);
    return fl_fail(err, FL_E_CONFLICT, "run", "%s is %s: %s", run->pub.id, fl_run_state_name(run->pub.state),
                   row->reason);
}

fl_status fl_resp_request(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *v,
                          const char *playbook, const char *params_json, char ret[FL_ID_LEN],
                          struct fl_err *err)
{
    const struct book *b = book_find(r, playbook);
    if (!b) {
        fl_fail(err, FL_E_NOTFOUND, "playbook", "there is no playbook \"%.100s\"", playbook ? playbook : "");
        fl_hint(err, "faultline playbook list");
        return FL_E_NOTFOUND;
    }
    struct run *run = run_create(r, s, v, b, params_json, s->actor, "required");
    r->stats.proposed++;
    run_say(s, run, "run.requested", s->actor,
            fl_fx_printf(s->fx, "%s asked for %s on %s (%s): waits for an approval", s->actor, b->name,
                         *v->cause ? v->cause : "no target", run->pub.id),
            run->params);
    run_row(s, run);
    memcpy(ret, run->pub.id, FL_ID_LEN);
    return FL_OK;
}

fl_status fl_resp_approve(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *v, const char *id,
                          bool override, struct fl_err *err)
{
    struct run *run;
    fl_status st = need(r, id, &run, err);
    if (st != FL_OK)
        return st;
    if (run->pub.state != FL_RUN_PROPOSED)
        return refused(run, RE_APPROVED, err);
    if (fl_streq(run->requested_by, s->actor))
        return fl_fail(err, FL_E_DENIED, "approval",
                       "%s asked for this run and cannot approve it: another person must", s->actor);
    const char *no = guards_run(r, s, run, v, true, override);
    if (no) {
        r->stats.denied_by_guard++;
        run_say(s, run, "guard.refused", s->actor,
                fl_fx_printf(s->fx, "approval of %s refused: %s", run->pub.id, no), NULL);
        fl_fail(err, FL_E_CONFLICT, "guard", "%s", no);
        if (!override)
            fl_hint(
                err,
                "cooldown, rate limits, flapping and maintenance can be overridden: faultline playbook approve %s --override",
                run->pub.id);
        return FL_E_CONFLICT;
    }
    set_text(&run->approved_by, s->actor);
    run_event(
        r, s, run, RE_APPROVED,
        fl_fx_printf(s->fx, "by %s%s", s->actor,
                     override ? ", who overrides cooldown, rate limits, flapping and maintenance" : ""));
    run_start(r, s, run);
    return FL_OK;
}

fl_status fl_resp_deny(struct fl_resp *r, struct fl_step *s, const char *id, const char *why,
                       struct fl_err *err)
{
    struct run *run;
    fl_status st = need(r, id, &run, err);
    if (st == FL_OK &&
        !run_event(r, s, run, RE_DENIED,
                   fl_fx_printf(s->fx, "by %s%s%s", s->actor, why ? ": " : "", why ? why : "")))
        st = refused(run, RE_DENIED, err);
    return st;
}

fl_status fl_resp_abort(struct fl_resp *r, struct fl_step *s, const char *id, const char *why,
                        struct fl_err *err)
{
    struct run *run;
    fl_status st = need(r, id, &run, err);
    if (st != FL_OK)
        return st;
    if (fl_run_is_over(run->pub.state))
        return refused(run, RE_ABORT, err);
    run_stop(s, run, "aborted");
    run_event(r, s, run, RE_ABORT,
              fl_fx_printf(s->fx, "by %s%s%s", s->actor, why ? ": " : "", why ? why : ""));
    return FL_OK;
}

fl_status fl_resp_settle(struct fl_resp *r, struct fl_step *s, const char *id, const char *verdict,
                         const char *result_json, struct fl_err *err)
{
    struct run *run;
    fl_status st = need(r, id, &run, err);
    if (st != FL_OK)
        return st;
    if (run->pub.state != FL_RUN_IN_DOUBT)
        return refused(run, RE_SETTLED, err);
    if (!fl_streq(verdict, "done") && !fl_streq(verdict, "retry"))
        return fl_fail(err, FL_E_SHAPE, "verdict", "the verdict is \"done\" or \"retry\", not \"%.40s\"",
                       verdict ? verdict : "");
    struct call *c = run->calls;
    while (c && !(fl_streq(c->fn, "settle") && c->state == FL_CALL_INTENT))
        c = c->next;
    FL_REQUIRE(c != NULL); /* only such a call brings a run into doubt */
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "verdict", verdict);
    fl_jw_raw(&w, "result", result_json);
    fl_jw_obj_end(&w);
    run->deadline += s->at - run->doubt_since;
    run_event(r, s, run, RE_SETTLED, fl_fx_printf(s->fx, "%s says \"%s\"", s->actor, verdict));
    call_finish(s, run, c, FL_CALL_DONE, b.p, NULL);
    return FL_OK;
}

fl_status fl_resp_halt(struct fl_resp *r, struct fl_step *s, bool halt, const char *playbook, const char *why,
                       struct fl_err *err)
{
    const char *text;
    if (playbook && *playbook) {
        struct breaker *b;
        HASH_FIND_STR(r->breakers, playbook, b);
        if (!b || halt)
            return fl_fail(err, FL_E_CONFLICT, "playbook", "\"%.100s\" has no open circuit breaker",
                           playbook);
        b->failures = 0;
        text = fl_fx_printf(s->fx, "%s is allowed again by %s", playbook, s->actor);
    } else {
        if (r->halted == halt)
            return fl_fail(err, FL_E_CONFLICT, "automation", "automation is %s already",
                           halt ? "halted" : "running");
        r->halted = halt;
        text = fl_fx_printf(s->fx, "automation %s by %s%s%s", halt ? "halted" : "resumed", s->actor,
                            why ? ": " : "", why ? why : "");
    }
    s->note(s, &(struct fl_note){.to = FL_NOTE_AUDIT,
                                 .action = halt ? "automation.halted" : "automation.resumed",
                                 .incident = "",
                                 .subject = playbook ? playbook : "automation",
                                 .actor = s->actor,
                                 .text = text});
    return FL_OK;
}
