/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/due.c -- which runs a step looks at: those whose time has come, and those that wait for the alerts of an incident
 * that changed; in order of number. What merely waits costs a step nothing. */
#include "respond_priv.h"

#include <string.h>

static bool sooner(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return x->due != y->due ? x->due < y->due : x->pub.number < y->pub.number;
}

static bool older(const void *a, const void *b)
{
    const struct run *x = a, *y = b;
    return x->pub.number < y->pub.number;
}

static size_t *place_by_due(void *item)
{
    return &((struct run *)item)->due_at;
}

static size_t *place_by_number(void *item)
{
    return &((struct run *)item)->over_at;
}

const struct fl_heap_kind runs_by_due = {sooner, place_by_due};
const struct fl_heap_kind runs_by_number = {older, place_by_number};

fl_usec run_due(const struct run *run)
{
    switch (run->pub.state) {
    case FL_RUN_PROPOSED: return run->approve_by;
    case FL_RUN_VERIFYING: return run->verify_by;
    case FL_RUN_RUNNING: return run->wake_at && run->wake_at < run->deadline ? run->wake_at : run->deadline;
    default: return 0;
    }
}

/* ---- who waits for alerts to clear ---- */

static void look_at(struct fl_resp *r, struct run *run)
{
    if (run->look_at)
        return;
    if (r->n_look == r->look_cap) {
        r->look_cap = r->look_cap ? r->look_cap * 2 : 64;
        r->look = reallocarray(r->look, r->look_cap, sizeof(struct run *));
        FL_REQUIRE(r->look != NULL);
    }
    r->look[r->n_look++] = run;
    run->look_at = r->n_look;
}

static void watch_enter(struct fl_resp *r, struct run *run)
{
    struct watch *w;
    HASH_FIND_STR(r->watches, run->pub.incident, w);
    if (!w) {
        w = fl_core_alloc(1, sizeof *w);
        w->incident = fl_core_strdup(run->pub.incident);
        HASH_ADD_KEYPTR(hh, r->watches, w->incident, strlen(w->incident), w);
    }
    run->watch = w;
    run->prev_watch = NULL;
    run->next_watch = w->first;
    if (w->first)
        w->first->prev_watch = run;
    w->first = run;
    look_at(r, run);
}

static void watch_leave(struct fl_resp *r, struct run *run)
{
    struct watch *w = run->watch;
    if (run->look_at)
        r->look[run->look_at - 1] = NULL;
    run->look_at = 0;
    run->watch = NULL;
    if (run->prev_watch)
        run->prev_watch->next_watch = run->next_watch;
    else
        w->first = run->next_watch;
    if (run->next_watch)
        run->next_watch->prev_watch = run->prev_watch;
    run->next_watch = run->prev_watch = NULL;
    if (w->first)
        return;
    HASH_DEL(r->watches, w);
    free(w->incident);
    free(w);
}

void fl_resp_incident_changed(struct fl_resp *r, const char *incident)
{
    struct watch *w = NULL;
    if (r->watches)
        HASH_FIND_STR(r->watches, incident, w);
    for (struct run *run = w ? w->first : NULL; run; run = run->next_watch)
        look_at(r, run);
}

/* ---- what follows from a change ---- */

static void count(struct fl_resp *r, int state, size_t by)
{
    if (state == FL_RUN_N)
        return;
    if (!fl_run_is_over((fl_run_state)state) && state != FL_RUN_PROPOSED)
        r->active += by;
    if (state == FL_RUN_PROPOSED || state == FL_RUN_IN_DOUBT)
        r->waiting += by;
}

void run_changed(struct fl_resp *r, struct run *run)
{
    count(r, run->counted, (size_t)-1);
    run->counted = (int)run->pub.state;
    count(r, run->counted, 1);
    fl_heap_drop(&r->due, run);
    run->due = run_due(run);
    if (run->due)
        fl_heap_put(&r->due, run);
    if (fl_run_is_over(run->pub.state) && !run->over_at)
        fl_heap_put(&r->over, run);
    bool waits = run->pub.state == FL_RUN_VERIFYING;
    if (run->watch && (!waits || !fl_streq(run->watch->incident, run->pub.incident)))
        watch_leave(r, run);
    if (waits && !run->watch)
        watch_enter(r, run);
}

void run_gone(struct fl_resp *r, struct run *run)
{
    count(r, run->counted, (size_t)-1);
    fl_heap_drop(&r->due, run);
    fl_heap_drop(&r->over, run);
    if (run->watch)
        watch_leave(r, run);
}

void due_done(struct fl_resp *r)
{
    fl_heap_done(&r->due);
    fl_heap_done(&r->over);
    free(r->look);
}

/* ---- a step ---- */

static int by_number(const void *a, const void *b)
{
    const struct run *const *x = a, *const *y = b;
    return ((*x)->pub.number > (*y)->pub.number) - ((*x)->pub.number < (*y)->pub.number);
}

static void wake(struct fl_step *s, struct run *run)
{
    for (struct call *c = run->calls; c; c = c->next)
        if (call_sleeps(c) && c->wake_at <= s->at)
            call_finish(s, run, c, FL_CALL_DONE, NULL, NULL);
    run->wake_at = calls_wake_at(run);
}

static void on_time(struct fl_resp *r, struct fl_step *s, struct run *run)
{
    switch (run->pub.state) {
    case FL_RUN_PROPOSED: run_event(r, s, run, RE_EXPIRED, NULL); break;
    case FL_RUN_RUNNING:
        if (run->deadline <= s->at) {
            run_stop(s, run, "time limit");
            run_event(r, s, run, RE_TIMEOUT, NULL);
            break;
        }
        wake(s, run);
        run_changed(r, run);
        break;
    case FL_RUN_VERIFYING: run_event(r, s, run, RE_UNVERIFIED, NULL); break;
    default: break;
    }
}

/* A run that is due is not over, so that none of them leaves memory before its turn. */
void fl_resp_tick(struct fl_resp *r, struct fl_step *s)
{
    struct run **v = NULL, *run;
    size_t n = 0, cap = 0;
    while ((run = fl_heap_first(&r->due)) && run->due <= s->at) {
        if (n == cap) {
            cap = cap ? cap * 2 : 16;
            v = reallocarray(v, cap, sizeof(struct run *));
            FL_REQUIRE(v != NULL);
        }
        fl_heap_drop(&r->due, run);
        v[n++] = run;
    }
    if (n)
        qsort(v, n, sizeof(struct run *), by_number);
    for (size_t k = 0; k < n; k++)
        on_time(r, s, v[k]);
    free(v);
}

fl_usec fl_resp_deadline(const struct fl_resp *r)
{
    const struct run *first = fl_heap_first(&r->due);
    return first ? first->due : 0;
}

void fl_resp_verify(struct fl_resp *r, struct fl_step *s,
                    size_t (*firing_on)(void *ctx, const char *incident, const char *node), void *ctx)
{
    size_t n = 0;
    for (size_t k = 0; k < r->n_look; k++)
        if (r->look[k]) {
            r->look[n++] = r->look[k];
            r->look[n - 1]->look_at = 0;
        }
    r->n_look = 0;
    if (n)
        qsort(r->look, n, sizeof(struct run *), by_number);
    for (size_t k = 0; k < n; k++) {
        struct run *run = r->look[k];
        if (!firing_on(ctx, run->pub.incident, *run->pub.target ? run->pub.target : NULL))
            run_event(r, s, run, RE_VERIFIED,
                      *run->pub.target ? fl_fx_printf(s->fx, "nothing fires on %s", run->pub.target) : NULL);
    }
}
