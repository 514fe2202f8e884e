/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/check.c -- for tests: what the stage keeps as it goes, found out again by visiting every run. */
#include "respond_priv.h"

static bool in_heap(const struct fl_heap *h, const void *item, size_t place)
{
    return place && place <= h->n && h->v[place - 1] == item;
}

static bool in_order(const struct fl_heap *h)
{
    for (size_t k = 1; k < h->n; k++)
        if (!h->kind->before(h->v[(k - 1) / 2], h->v[k]))
            return false;
    return true;
}

struct recount {
    size_t active, waiting, due, over;
    fl_usec deadline;
};

static const char *check_run(const struct fl_resp *r, const struct run *run, fl_usec at, struct recount *n)
{
    bool over = fl_run_is_over(run->pub.state), waits = run->pub.state == FL_RUN_VERIFYING;
    fl_usec due = 0;
    if (run->pub.state == FL_RUN_PROPOSED)
        due = run->approve_by;
    else if (waits)
        due = run->verify_by;
    else if (run->pub.state == FL_RUN_RUNNING) {
        due = run->deadline;
        for (const struct call *c = run->calls; c; c = c->next)
            if (call_sleeps(c) && c->wake_at < due)
                due = c->wake_at;
    }
    n->active += !over && run->pub.state != FL_RUN_PROPOSED;
    n->waiting += run->pub.state == FL_RUN_PROPOSED || run->pub.state == FL_RUN_IN_DOUBT;
    n->due += due != 0;
    n->over += over;
    if (due && (!n->deadline || due < n->deadline))
        n->deadline = due;
    if (due && due <= at)
        return "its time has come, and no step looked at it";
    if (run->due != due || in_heap(&r->due, run, run->due_at) != (due != 0))
        return "its deadline is another one than the heap has";
    if (in_heap(&r->over, run, run->over_at) != over)
        return "it is over and not among those that may leave, or the other way round";
    if ((run->watch != NULL) != waits || (waits && !fl_streq(run->watch->incident, run->pub.incident)))
        return "it waits for its alerts, and nobody would look, or the other way round";
    return NULL;
}

fl_status fl_resp_check(const struct fl_resp *r, fl_usec at,
                        size_t (*firing_on)(void *ctx, const char *incident, const char *node), void *ctx,
                        struct fl_err *err)
{
    struct recount n = {0};
    for (const struct run *run = r->first; run; run = run->next) {
        const char *wrong = check_run(r, run, at, &n);
        if (!wrong && run->watch &&
            !firing_on(ctx, run->pub.incident, *run->pub.target ? run->pub.target : NULL))
            wrong = "its alerts are clear, and no step looked at it";
        if (wrong)
            return fl_fail(err, FL_E_INTERNAL, run->pub.id, "%s", wrong);
    }
    const char *wrong = r->n_look                 ? "something is left of the last step"
                        : n.active != r->active   ? "active runs were miscounted"
                        : n.waiting != r->waiting ? "waiting runs were miscounted"
                        : n.due != r->due.n       ? "the heap holds others than those with a deadline"
                        : n.over != r->over.n     ? "the heap holds others than those that are over"
                        : n.deadline != fl_resp_deadline(r) ? "the next deadline is another one"
                        : !in_order(&r->due)                ? "the heap of deadlines is out of order"
                        : !in_order(&r->over) ? "the heap of those that are over is out of order"
                                              : NULL;
    return wrong ? fl_fail(err, FL_E_INTERNAL, "runs", "%s", wrong) : FL_OK;
}
