/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/pictures.c -- pictures of incidents: asked for on a read thread, drawn on the core thread between two
 * events, because igraph is the core's (layer 6). Drawing changes no state. One at a time, and afterwards nine times as
 * long as it took no other one: whoever asks in a loop gets a tenth of the core at most. */
#include "daemon_priv.h"

#include <faultline/topology.h>

#include <string.h>
#include <time.h>

static const fl_usec PATIENCE = 5 * FL_USEC_PER_SEC;
enum { SHARE = 9, PICTURE_MAX = 4 << 20, PARTS_MAX = 20000 };

/* Shared by the one who asks and the core; the last one frees it. */
struct picture {
    struct delivery d; /* what lies in the inbox */
    struct fl_arena *arena;
    struct fl_picture what; /* deep copy */
    int refs;
    bool done;
    fl_status st;
    struct fl_err err;
    struct fl_buf svg;
};

static void unref(struct engine *e, struct picture *p)
{
    pthread_mutex_lock(&e->lock);
    bool last = --p->refs == 0;
    pthread_mutex_unlock(&e->lock);
    if (!last)
        return;
    fl_buf_done(&p->svg);
    fl_arena_free(p->arena);
}

/* ---- core thread ---- */

static fl_vertex *find_all(const struct fl_topo *t, struct fl_arena *a, const char *const *ids, size_t n)
{
    fl_vertex *v = fl_arena_calloc(a, n + 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        v[i] = ids[i] ? fl_topo_find(t, ids[i]) : -1;
    return v;
}

static fl_status draw(const struct fl_topo *t, struct picture *p)
{
    const struct fl_picture *w = &p->what;
    struct fl_draw d = {.title = w->title,
                        .path = find_all(t, p->arena, w->path, w->n_path),
                        .n_path = w->n_path,
                        .candidates = find_all(t, p->arena, w->candidates, w->n_candidates),
                        .confidence = w->confidence,
                        .n_candidates = w->n_candidates,
                        .alerts = find_all(t, p->arena, w->alerts, w->n_alerts),
                        .n_alerts = w->n_alerts,
                        .convincing = w->convincing,
                        .ranked_on = w->ranked_on};
    if (!d.path || !d.candidates || !d.alerts)
        return fl_fail(&p->err, FL_E_NOMEM, "picture", "out of memory");
    return fl_topo_svg(t, &d, &p->svg, &p->err);
}

static void finish(struct engine *e, struct picture *p, fl_status st, fl_usec took)
{
    pthread_mutex_lock(&e->lock);
    p->st = st;
    p->done = true;
    e->picture_out = false; /* even when nobody waits any more: until here it was the core's work */
    e->picture_free_at = fl_mono() + SHARE * took;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    unref(e, p);
}

void picture_take(struct engine *e, struct picture *p)
{
    fl_usec began = fl_mono();
    fl_status st = draw(fl_flow_topology(e->flow), p);
    finish(e, p, st, fl_mono() - began);
}

void picture_refuse(struct engine *e, struct picture *p)
{
    finish(e, p, fl_fail(&p->err, FL_E_UNAVAILABLE, "picture", "the engine is stopping"), 0);
}

/* ---- read threads ---- */

static const char *const *copy_all(struct fl_arena *a, const char *const *from, size_t n)
{
    const char **v = fl_arena_calloc(a, n + 1, sizeof *v);
    for (size_t i = 0; v && i < n; i++)
        if (from[i] && !(v[i] = fl_arena_strdup(a, from[i])))
            return NULL;
    return v;
}

static struct picture *picture_new(const struct fl_picture *w)
{
    struct fl_arena *a = fl_arena_new(0);
    struct picture *p = a ? fl_arena_calloc(a, 1, sizeof *p) : NULL;
    if (!p) {
        fl_arena_free(a);
        return NULL;
    }
    p->arena = a;
    p->refs = 2;
    p->svg = fl_buf_init(PICTURE_MAX);
    p->d.picture = p;
    p->what = *w;
    p->what.n_alerts = w->n_alerts < PARTS_MAX ? w->n_alerts : PARTS_MAX;
    p->what.title = fl_arena_strdup(a, w->title);
    p->what.ranked_on = fl_arena_strdup(a, w->ranked_on ? w->ranked_on : "");
    p->what.path = copy_all(a, w->path, w->n_path);
    p->what.candidates = copy_all(a, w->candidates, w->n_candidates);
    p->what.alerts = copy_all(a, w->alerts, p->what.n_alerts);
    double *confidence = fl_arena_calloc(a, w->n_candidates + 1, sizeof *confidence);
    for (size_t i = 0; confidence && i < w->n_candidates; i++)
        confidence[i] = w->confidence[i];
    p->what.confidence = confidence;
    if (p->what.title && p->what.ranked_on && p->what.path && p->what.candidates && p->what.alerts &&
        confidence)
        return p;
    fl_arena_free(a);
    return NULL;
}

/* Under the lock; the condition is on the monotonic clock. */
static void wait_at_most(struct engine *e, fl_usec until)
{
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    pthread_cond_timedwait(&e->changed, &e->lock, &ts);
}

static bool wait_until(struct engine *e, const bool *ready, fl_usec until)
{
    while (!*ready && fl_mono() < until && e->state == CORE_RUNNING)
        wait_at_most(e, until);
    return *ready;
}

/* Its turn: nobody else draws, and the core had its pause. Under the lock. */
static bool wait_turn(struct engine *e, fl_usec until)
{
    while (e->state == CORE_RUNNING && fl_mono() < until) {
        fl_usec free_at = e->picture_out ? until : e->picture_free_at;
        if (!e->picture_out && free_at <= fl_mono())
            return true;
        wait_at_most(e, free_at < until ? free_at : until);
    }
    return false;
}

static fl_status take_over(struct picture *p, bool done, struct fl_buf *out, struct fl_err *err)
{
    if (!done)
        return fl_fail(err, FL_E_TIMEOUT, "picture", "the core is too busy to draw: try again");
    if (p->st != FL_OK) {
        *err = p->err;
        return p->st;
    }
    fl_buf_add(out, p->svg.p, p->svg.n);
    return out->failed ? fl_fail(err, FL_E_LIMIT, "picture", "it is too large") : FL_OK;
}

fl_status engine_picture(void *ctx, const struct fl_picture *w, struct fl_buf *out, struct fl_err *err)
{
    struct engine *e = ctx;
    fl_usec until = fl_mono() + PATIENCE;
    struct picture *p = picture_new(w);
    if (!p)
        return fl_fail(err, FL_E_NOMEM, "picture", "out of memory");
    pthread_mutex_lock(&e->lock);
    bool turn = wait_turn(e, until);
    e->picture_out |= turn;
    pthread_mutex_unlock(&e->lock);
    bool asked = turn && fl_queue_push(e->inbox, &p->d, 1, false) == FL_OK;
    if (!asked)
        unref(e, p); /* the core's share: it never sees it */
    pthread_mutex_lock(&e->lock);
    bool done = asked && wait_until(e, &p->done, until);
    if (turn && !asked) {
        e->picture_out = false;
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    fl_status st = take_over(p, done, out, err);
    unref(e, p);
    return st;
}
