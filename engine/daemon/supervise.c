/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/supervise.c -- once a second: leases, the private cluster, the store's health, memory (layer 6). */
#include "daemon_priv.h"

#include <faultline/json.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

/* ---- lapsed leases ---- */

struct lapse {
    struct engine *e;
    struct fl_lapsed v[LAPSE_BATCH];
    size_t n;
};

static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct lapse *l = ctx;
    (void)seq;
    (void)at;
    if (st != FL_OK)
        fl_leases_unlapse(l->e->leases, l->v, l->n);
}

static void lapse_body(const struct lapse *l, struct fl_buf *b)
{
    char hex[17];
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "alerts");
    for (size_t i = 0; i < l->n; i++) {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "fingerprint", fl_fingerprint_hex(l->v[i].fingerprint, hex));
        fl_jw_int(&w, "starts_at", l->v[i].starts_at);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
}

/* @return false: nothing lapsed, or the journal does not take it now. */
static bool sweep(struct engine *e)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct lapse *l = arena ? fl_arena_alloc(arena, sizeof *l) : NULL;
    struct fl_submission *sub = l ? fl_arena_calloc(arena, 1, sizeof *sub) : NULL;
    if (!sub) {
        fl_arena_free(arena);
        return false;
    }
    l->e = e;
    l->n = fl_leases_lapse(e->leases, fl_now(), l->v, LAPSE_BATCH);
    if (!l->n) {
        fl_arena_free(arena);
        return false;
    }
    FL_AUTO_BUF b = fl_buf_init(LAPSE_BATCH * 128);
    lapse_body(l, &b);
    *sub = (struct fl_submission){.kind = FL_EV_ALERT_EXPIRED,
                                  .actor = "engine",
                                  .source = "",
                                  .reserved = true,
                                  .body = b.failed ? NULL : fl_arena_dup(arena, b.p, b.n),
                                  .body_len = b.n,
                                  .arena = arena,
                                  .committed = on_committed,
                                  .ctx = l};
    bool more = l->n == LAPSE_BATCH;
    if (sub->body) {
        fl_sha256(sub->body, sub->body_len, &sub->body_hash);
        if (fl_store_submit(e->store, sub) == FL_OK)
            return more;
    }
    fl_leases_unlapse(e->leases, l->v, l->n);
    fl_arena_free(arena);
    return false;
}

/* ---- senders that fall silent, or come back ---- */

struct news {
    struct engine *e;
    struct fl_heartbeat_news v[NEWS_BATCH];
    size_t n;
};

static void news_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct news *k = ctx;
    (void)seq;
    (void)at;
    if (st != FL_OK)
        fl_heartbeats_unlook(k->e->heartbeats, k->v, k->n);
}

static void news_body(const struct news *k, struct fl_buf *b)
{
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "heartbeats");
    for (size_t i = 0; i < k->n; i++) {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "name", k->v[i].name);
        fl_jw_str(&w, "state", k->v[i].missed ? "missed" : "back");
        fl_jw_int(&w, "silent_us", k->v[i].silent);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
}

static void listen_for_beats(struct engine *e)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct news *k = arena ? fl_arena_alloc(arena, sizeof *k) : NULL;
    struct fl_submission *sub = k ? fl_arena_calloc(arena, 1, sizeof *sub) : NULL;
    char why[64];
    if (!sub) {
        fl_arena_free(arena);
        return;
    }
    k->e = e;
    k->n = fl_heartbeats_look(e->heartbeats, fl_mono(), engine_ready(e, why, sizeof why), k->v, NEWS_BATCH);
    if (!k->n) {
        fl_arena_free(arena);
        return;
    }
    FL_AUTO_BUF b = fl_buf_init(NEWS_BATCH * 512);
    news_body(k, &b);
    *sub = (struct fl_submission){.kind = FL_EV_HEARTBEAT,
                                  .actor = "engine",
                                  .source = "",
                                  .reserved = true,
                                  .body = b.failed ? NULL : fl_arena_dup(arena, b.p, b.n),
                                  .body_len = b.n,
                                  .arena = arena,
                                  .committed = news_committed,
                                  .ctx = k};
    if (sub->body) {
        fl_sha256(sub->body, sub->body_len, &sub->body_hash);
        if (fl_store_submit(e->store, sub) == FL_OK)
            return;
    }
    fl_heartbeats_unlook(e->heartbeats, k->v, k->n);
    fl_arena_free(arena);
}

/* ---- health ---- */

static void watch_store(struct engine *e, enum fl_store_health *last)
{
    static const char *const words[] = {"ok", "degraded", "down", "fenced"};
    enum fl_store_health now = fl_store_health(e->store);
    if (now != *last)
        fl_log(now == FL_STORE_OK ? FL_LOG_INFO : FL_LOG_WARN, "daemon", "the database was %s, now it is %s",
               words[*last], words[now]);
    *last = now;
    if (now == FL_STORE_FENCED)
        eventfd_write(e->wake_fd, 1);
}

static void *supervisor_thread(void *ctx)
{
    struct engine *e = ctx;
    enum fl_store_health health = FL_STORE_OK;
    bool cluster_ok = true;
    struct memory_watch memory = {0};
    struct timespec second = {.tv_sec = 1};
    while (!atomic_load(&e->stopping)) {
        while (sweep(e))
            continue;
        listen_for_beats(e);
        if (e->cluster) {
            struct fl_err err = {0};
            bool ok = fl_cluster_check(e->cluster, &err) == FL_OK;
            if (!ok && cluster_ok)
                fl_log_err(FL_LOG_ERROR, "daemon", "the private database is away", &err);
            else if (ok && !cluster_ok)
                fl_log(FL_LOG_INFO, "daemon", "the private database is back");
            cluster_ok = ok;
        }
        watch_store(e, &health);
        memory_turn(&memory, atomic_load(&e->core_seq));
        nanosleep(&second, NULL);
    }
    return NULL;
}

fl_status supervise_start(struct engine *e, struct fl_err *err)
{
    int rc = pthread_create(&e->supervisor, NULL, supervisor_thread, e);
    e->has_supervisor = !rc;
    return rc ? fl_fail(err, FL_E_IO, "daemon", "could not start a thread: %s", strerror(rc)) : FL_OK;
}

void supervise_stop(struct engine *e)
{
    atomic_store(&e->stopping, true);
    if (e->has_supervisor)
        pthread_join(e->supervisor, NULL);
    e->has_supervisor = false;
}
