/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/recover.c -- time and restarts: deadlines, sleeps, verification, runs that resume. */
#include "respond_priv.h"

static bool is_sleeping(const struct call *c)
{
    return c->state == FL_CALL_INTENT && c->wake_at;
}

static void wake(struct fl_step *s, struct run *run)
{
    for (struct call *c = run->calls; c; c = c->next)
        if (is_sleeping(c) && c->wake_at <= s->at)
            call_finish(s, run, c, FL_CALL_DONE, NULL, NULL);
}

static void tick_run(struct fl_resp *r, struct fl_step *s, struct run *run)
{
    switch (run->pub.state) {
    case FL_RUN_PROPOSED:
        if (run->approve_by <= s->at)
            run_event(r, s, run, RE_EXPIRED, NULL);
        break;
    case FL_RUN_RUNNING:
        if (run->deadline <= s->at) {
            run_stop(s, run, "time limit");
            run_event(r, s, run, RE_TIMEOUT, NULL);
        } else {
            wake(s, run);
        }
        break;
    case FL_RUN_VERIFYING:
        if (run->verify_by <= s->at)
            run_event(r, s, run, RE_UNVERIFIED, NULL);
        break;
    default: break;
    }
}

void fl_resp_tick(struct fl_resp *r, struct fl_step *s)
{
    for (struct run *run = r->first; run; run = run->next)
        tick_run(r, s, run);
}

static fl_usec sooner(fl_usec a, fl_usec b)
{
    return !a || (b && b < a) ? b : a;
}

fl_usec fl_resp_deadline(const struct fl_resp *r)
{
    fl_usec least = 0;
    for (const struct run *run = r->first; run; run = run->next) {
        if (run->pub.state == FL_RUN_PROPOSED)
            least = sooner(least, run->approve_by);
        else if (run->pub.state == FL_RUN_VERIFYING)
            least = sooner(least, run->verify_by);
        else if (run->pub.state == FL_RUN_RUNNING) {
            least = sooner(least, run->deadline);
            if (run->last_call && is_sleeping(run->last_call))
                least = sooner(least, run->last_call->wake_at);
        }
    }
    return least;
}

void fl_resp_verify(struct fl_resp *r, struct fl_step *s,
                    size_t (*firing_on)(void *ctx, const char *incident, const char *node), void *ctx)
{
    for (struct run *run = r->first; run; run = run->next)
        if (run->pub.state == FL_RUN_VERIFYING &&
            !firing_on(ctx, run->pub.incident, *run->pub.target ? run->pub.target : NULL))
            run_event(r, s, run, RE_VERIFIED,
                      *run->pub.target ? fl_fx_printf(s->fx, "nothing fires on %s", run->pub.target) : NULL);
}

/*
 * An act whose order was released by a committed step may have happened: unless it is safe to repeat it is in
 * doubt. One whose step was never committed was never released (audit before act), so it is ordered now.
 */
static bool must_act_again(struct fl_step *s, struct run *run, struct call *c, uint64_t projected_seq)
{
    if (!c || c->state != FL_CALL_INTENT || !call_acts(c))
        return false;
    bool released = c->intent_seq <= projected_seq;
    if (!released || c->idempotent)
        return true;
    c->state = FL_CALL_IN_DOUBT;
    c->outcome_at = s->at;
    set_text(
        &c->result,
        "{\"error\":\"the engine stopped while this call was under way: it may or may not have acted\"}");
    set_text(&c->reason, "the engine stopped while this call was under way");
    call_row(s, run, c);
    s->note(s, &(struct fl_note){
                   .to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                   .action = "call.in_doubt",
                   .incident = run->pub.incident,
                   .subject = fl_fx_printf(s->fx, "%s/%u", run->pub.id, c->n),
                   .text = "the engine stopped while this call was under way: it may or may not have acted"});
    return false;
}

void fl_resp_engine_started(struct fl_resp *r, struct fl_step *s, uint64_t projected_seq)
{
    for (struct run *run = r->first; run; run = run->next) {
        if (run->pub.state != FL_RUN_RUNNING && run->pub.state != FL_RUN_IN_DOUBT)
            continue;
        /* Who waits for a person or for a time makes no progress and does no harm: only the others are counted. */
        bool waits = run->pub.state == FL_RUN_IN_DOUBT || (run->last_call && is_sleeping(run->last_call));
        if (!waits && ++run->recoveries > FL_RECOVERIES_MAX) {
            run_event(
                r, s, run, RE_ERROR,
                fl_fx_printf(s->fx, "restarted %u times without a new call: given up", FL_RECOVERIES_MAX));
            continue;
        }
        bool act = must_act_again(s, run, run->last_call, projected_seq);
        run_say(
            s, run, "run.resumed", NULL,
            fl_fx_printf(s->fx, "%s resumes by replaying its %u recorded calls", run->pub.id, run->n_calls),
            NULL);
        run_order_worker(r, s, run);
        if (act && run->pub.state == FL_RUN_RUNNING)
            call_act(r, s, run, run->last_call);
        run_row(s, run);
    }
}
