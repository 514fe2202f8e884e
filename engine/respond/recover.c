/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/recover.c -- restarts: runs that resume. */
#include "respond_priv.h"

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
        bool waits = run->pub.state == FL_RUN_IN_DOUBT || (run->last_call && call_sleeps(run->last_call));
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
