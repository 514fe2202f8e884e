/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/snapshots.c -- when the core's state is written down, and the thread that saves it (layer 6). The core stands
 * still only while the state becomes records in memory; compressing and saving them is the saver's. */
#include "daemon_priv.h"

#include <faultline/pack.h>

#include <string.h>

/* ---- core thread ---- */

/* By events, by the time it would take to repeat them, or by age; the dearer they are, the rarer. Caller holds the lock. */
static bool snapshot_due(const struct engine *e, uint64_t since)
{
    if (!since || e->has_snapshot)
        return false;
    if (atomic_load(&e->want_snapshot))
        return true;
    fl_usec age = fl_mono() - e->last_snapshot_at;
    bool due = since >= (uint64_t)e->config->snapshot_events || e->stepped >= SNAPSHOT_STEPPED ||
               age >= SNAPSHOT_IDLE;
    return due && age >= e->snapshot_cost * SNAPSHOT_SHARE;
}

void snapshot_turn(struct engine *e)
{
    uint64_t seq = fl_flow_seq(e->flow);
    pthread_mutex_lock(&e->lock);
    bool due = snapshot_due(e, seq - e->last_snapshot_seq);
    pthread_mutex_unlock(&e->lock);
    if (!due)
        return;
    struct fl_pack pack = fl_pack_init(SNAPSHOT_MAX);
    fl_usec began = fl_mono();
    bool ok = fl_flow_snapshot(e->flow, &pack) == FL_OK;
    fl_usec pause = fl_mono() - began;
    if (!ok) {
        fl_log(FL_LOG_WARN, "core", "no snapshot at %llu: the state is too large", (unsigned long long)seq);
        fl_pack_done(&pack);
    }
    pthread_mutex_lock(&e->lock);
    e->snapshot_pause = e->snapshot_cost = pause;
    if (ok) {
        e->snapshot = pack;
        e->has_snapshot = true;
        e->snapshot_seq = seq;
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    e->last_snapshot_seq = seq;
    e->last_snapshot_at = fl_mono();
    e->stepped = 0;
}

/* The stop: what the saver has in hand first, then the state as it is now. */
void snapshot_last(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (e->has_saver && e->has_snapshot)
        pthread_cond_wait(&e->changed, &e->lock);
    pthread_mutex_unlock(&e->lock);
    snapshot_turn(e);
}

/* ---- the thread that saves them ---- */

static void *saver_thread(void *ctx)
{
    struct engine *e = ctx;
    pthread_mutex_lock(&e->lock);
    for (;;) {
        while (!e->has_snapshot && e->state != CORE_STOPPED && e->state != CORE_FAILED)
            pthread_cond_wait(&e->changed, &e->lock);
        if (!e->has_snapshot)
            break;
        uint64_t seq = e->snapshot_seq;
        pthread_mutex_unlock(&e->lock);
        struct fl_err err = {0};
        size_t stored;
        fl_usec began = fl_mono();
        bool ok = fl_store_save_snapshot(e->store, seq, &e->snapshot, &stored, &err) == FL_OK;
        if (!ok)
            fl_log_err(FL_LOG_WARN, "daemon", "the snapshot was not saved", &err);
        pthread_mutex_lock(&e->lock);
        e->has_snapshot = false;
        e->snapshot_cost += fl_mono() - began;
        if (ok) {
            e->saved_seq = seq;
            e->snapshots_saved++;
            e->snapshot_stored = stored;
        }
        pthread_cond_broadcast(&e->changed);
    }
    pthread_mutex_unlock(&e->lock);
    return NULL;
}

fl_status snapshots_start(struct engine *e, struct fl_err *err)
{
    int rc = pthread_create(&e->saver, NULL, saver_thread, e);
    e->has_saver = !rc;
    return rc ? fl_fail(err, FL_E_IO, "daemon", "could not start a thread: %s", strerror(rc)) : FL_OK;
}

void snapshots_stop(struct engine *e)
{
    if (e->has_saver) {
        pthread_mutex_lock(&e->lock);
        if (e->state != CORE_FAILED)
            e->state = CORE_STOPPED;
        pthread_cond_broadcast(&e->changed);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->saver, NULL);
    }
    e->has_saver = false;
    fl_pack_done(&e->snapshot);
}

void snapshot_metrics(struct engine *e, struct fl_buf *b)
{
    pthread_mutex_lock(&e->lock);
    unsigned long long saved = e->snapshots_saved, stored = e->snapshot_stored;
    fl_usec pause = e->snapshot_pause;
    pthread_mutex_unlock(&e->lock);
    fl_buf_printf(b,
                  "# HELP faultline_snapshots_total Snapshots of the state saved.\n"
                  "# TYPE faultline_snapshots_total counter\nfaultline_snapshots_total %llu\n"
                  "# HELP faultline_snapshot_bytes Size of the last one as it is stored.\n"
                  "# TYPE faultline_snapshot_bytes gauge\nfaultline_snapshot_bytes %llu\n"
                  "# HELP faultline_snapshot_pause_seconds How long the core stood still for the last one.\n"
                  "# TYPE faultline_snapshot_pause_seconds gauge\nfaultline_snapshot_pause_seconds %.6f\n",
                  saved, stored, (double)pause / 1e6);
}
