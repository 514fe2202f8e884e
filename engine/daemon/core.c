/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/core.c -- the core thread: events in order, one step each, effects to the projector (layer 6).
 * The only thread that touches the flow state and, through it, igraph. */
#include "daemon_priv.h"

#include <faultline/topology.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

void core_fail(struct engine *e, const struct fl_err *err)
{
    pthread_mutex_lock(&e->lock);
    e->state = CORE_FAILED;
    e->failure = *err;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    eventfd_write(e->wake_fd, 1);
}

static void publish_hash(struct fl_sha256 *to, const struct fl_sha256 *from)
{
    if (from)
        *to = *from;
    else
        memset(to, 0, sizeof *to);
}

void core_publish(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    fl_flow_stats(e->flow, &e->flow_stats);
    fl_flow_model_stats(e->flow, &e->model_stats);
    publish_hash(&e->config_hash, fl_flow_config_hash(e->flow));
    publish_hash(&e->topology_hash, fl_flow_topology_hash(e->flow));
    pthread_mutex_unlock(&e->lock);
}

/* @return false: the core has failed and the process ends. */
static bool step(struct engine *e, const struct fl_event *ev, struct fl_submission *sub)
{
    struct fl_err err = {0};
    asks_serve(e);
    fl_usec began = fl_mono();
    struct fl_effects *fx = fl_effects_new();
    fl_status st = fx ? fl_flow_step(e->flow, ev, fx, &err)
                      : fl_fail(&err, FL_E_NOMEM, "core", "out of memory");
    if (st != FL_OK) {
        fl_effects_free(fx);
        core_fail(e, &err);
        return false;
    }
    if (ev->kind == FL_EV_TICK)
        atomic_store(&e->tick_out, false);
    uint64_t seq = ev->seq;
    fl_usec took = fl_mono() - began;
    e->stepped += took;
    fl_store_project(e->store, fx, sub); /* the event lies in the submission: gone from here on */
    atomic_store(&e->core_seq, seq);
    fl_store_rest(e->store, took);
    return true;
}

/* ---- deadlines ---- */

static void post_tick(struct engine *e)
{
    if (atomic_exchange(&e->tick_out, true))
        return;
    if (engine_post(e, FL_EV_TICK, "", 0) != FL_OK)
        atomic_store(&e->tick_out, false); /* the database is away: the next turn tries again */
}

/* When to wake up, monotonic. */
static fl_usec next_wake(struct engine *e)
{
    fl_usec now = fl_mono(), due = fl_flow_deadline(e->flow), longest = now + FL_USEC_PER_SEC;
    if (!due || atomic_load(&e->tick_out))
        return longest;
    fl_usec left = due - fl_now();
    if (left <= 0) {
        post_tick(e);
        return now + FL_USEC_PER_SEC / 5;
    }
    return left < longest - now ? now + left : longest;
}

/* ---- what had to stay in the journal ---- */

enum {
    STRETCH_PIECE = 64
}; /* events read at once: deadlines and snapshots do not wait for all of a long one */

static fl_status step_again(void *ctx, const struct fl_event *ev)
{
    return step(ctx, ev, NULL) ? FL_OK : FL_E_INTERNAL;
}

static bool failed(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    bool yes = e->state == CORE_FAILED;
    pthread_mutex_unlock(&e->lock);
    return yes;
}

/* The database is away: until it is back, or nobody waits any more. */
static bool wait_a_little(struct engine *e)
{
    fl_usec until = fl_mono() + FL_USEC_PER_SEC / 5;
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    pthread_mutex_lock(&e->lock);
    while (!atomic_load(&e->core_ending) && fl_mono() < until)
        pthread_cond_timedwait(&e->changed, &e->lock, &ts);
    pthread_mutex_unlock(&e->lock);
    return !atomic_load(&e->core_ending);
}

static bool step_stretch(struct engine *e, struct delivery *d)
{
    uint64_t until = inbox_close_stretch(e, d);
    bool told = false;
    inbox_drop(e, d);
    while (fl_flow_seq(e->flow) < until) {
        if (atomic_load(&e->core_ending))
            return false;
        struct fl_err err = {0};
        uint64_t at = fl_flow_seq(e->flow), piece = until - at < STRETCH_PIECE ? until - at : STRETCH_PIECE;
        fl_status st = fl_store_read_journal(e->store, at, at + piece, step_again, e, &err);
        if (st == FL_OK) {
            told = false;
            snapshot_turn(e);
            (void)next_wake(e); /* a deadline that has passed gets its tick */
            continue;
        }
        if (failed(e))
            return false;
        if (!told)
            fl_log_err(FL_LOG_WARN, "core", "events that wait in the journal cannot be read now", &err);
        told = true;
        if (!wait_a_little(e))
            return false;
    }
    return true;
}

/* ---- the thread ---- */

/* In order, up to the first that could not be stepped: it is in the journal, and the next start reads it. */
static bool take(struct engine *e, void *const *items, size_t n)
{
    bool ok = true;
    for (size_t i = 0; i < n; i++) {
        struct delivery *d = items[i];
        if (!ok)
            inbox_drop(e, d);
        else if (d->picture)
            picture_take(e, d->picture);
        else
            ok = d->sub ? step(e, &d->ev, d->sub) : step_stretch(e, d);
    }
    return ok;
}

static void run(struct engine *e)
{
    void *items[64];
    fl_usec published = 0;
    while (!fl_queue_closed_and_empty(e->inbox)) {
        size_t n = fl_queue_pop(e->inbox, items, FL_ARRAY_LEN(items),
                                atomic_load(&e->asks.n) ? fl_mono() : next_wake(e));
        asks_serve(e);
        if (!take(e, items, n))
            break;
        snapshot_turn(e);
        if (fl_mono() - published > FL_USEC_PER_SEC / 2) {
            core_publish(e);
            published = fl_mono();
        }
    }
    if (atomic_load(&e->want_snapshot))
        snapshot_last(e);
    pthread_mutex_lock(&e->lock);
    if (e->state != CORE_FAILED)
        e->state = CORE_STOPPED;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
}

static void *core_thread(void *ctx)
{
    struct engine *e = ctx;
    struct fl_err err = {0};
    fl_topo_init();
    if (recover(e, &err) != FL_OK) {
        core_fail(e, &err);
        return NULL;
    }
    core_publish(e);
    pthread_mutex_lock(&e->lock);
    e->state = CORE_RUNNING;
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    run(e);
    asks_close(e);
    fl_topo_done();
    return NULL;
}

/* SIGTERM or SIGINT while the journal is read. Caller holds the lock. */
static void watch_for_signal(struct engine *e)
{
    struct pollfd p = {.fd = e->sig_fd, .events = POLLIN};
    struct signalfd_siginfo si;
    if (atomic_load(&e->interrupted) || e->sig_fd < 0 || poll(&p, 1, 0) <= 0 ||
        read(e->sig_fd, &si, sizeof si) != sizeof si)
        return;
    if (si.ssi_signo == SIGHUP)
        return; /* what it asks for is being read right now */
    fl_log(FL_LOG_INFO, "daemon", "signal %u while recovering: stopping", si.ssi_signo);
    atomic_store(&e->interrupted, true);
}

fl_status core_start(struct engine *e, struct fl_err *err)
{
    int rc = pthread_create(&e->core, NULL, core_thread, e);
    if (rc)
        return fl_fail(err, FL_E_IO, "core", "could not start a thread: %s", strerror(rc));
    e->has_core = true;
    pthread_mutex_lock(&e->lock);
    while (e->state == CORE_RECOVERING) {
        fl_usec until = fl_mono() + FL_USEC_PER_SEC / 20;
        struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                              .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
        pthread_cond_timedwait(&e->changed, &e->lock, &ts);
        watch_for_signal(e);
    }
    bool ok = e->state == CORE_RUNNING && !atomic_load(&e->interrupted);
    if (!ok && err)
        *err = e->failure;
    pthread_mutex_unlock(&e->lock);
    return ok ? FL_OK : err->status ? err->status : FL_E_TIMEOUT;
}

void core_stop(struct engine *e)
{
    fl_queue_close(e->inbox);
    pthread_mutex_lock(&e->lock);
    atomic_store(&e->core_ending, true);
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (e->has_core)
        pthread_join(e->core, NULL);
    e->has_core = false;
    void *item;
    while (fl_queue_pop(e->inbox, &item, 1, fl_mono())) /* after a failure; they are in the journal */
        inbox_drop(e, item);
    e->flow = fl_flow_free(e->flow);
}
