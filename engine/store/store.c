/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/store.c -- open, close, submit, project, health, snapshots; contract in <faultline/store.h>. */
#include "store_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

bool fl_store_nap(struct fl_store *s, fl_usec d)
{
    fl_usec until = fl_mono() + d;
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    pthread_mutex_lock(&s->stop_lock);
    while (!s->abandon && fl_mono() < until)
        if (pthread_cond_timedwait(&s->stop_cond, &s->stop_lock, &ts) != 0)
            break;
    pthread_mutex_unlock(&s->stop_lock);
    return !s->abandon;
}

static void wake(struct fl_store *s)
{
    pthread_mutex_lock(&s->stop_lock);
    pthread_cond_broadcast(&s->stop_cond);
    pthread_mutex_unlock(&s->stop_lock);
}

fl_status fl_store_session(struct fl_store *s, const char *what, PGconn **ret, struct fl_err *err)
{
    char name[64];
    snprintf(name, sizeof name, "faultline %s %s", what, s->tag);
    struct fl_pq_options o = {.role = "faultline_engine", .name = name, .patience = FL_USEC_PER_SEC};
    FL_AUTO_PGCONN *c = NULL;
    fl_status st = fl_pq_connect(s->conninfo, &o, &c, err);
    if (st)
        return st;
    /* A former session of ours that lost its client may still be inside a transaction and hold locks. */
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, name);
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_fault f = fl_pq_exec(c,
                               "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                               " WHERE application_name = $1 AND pid <> pg_backend_pid()"
                               " AND usename = session_user",
                               &p, NULL, &r, NULL);
    if (f == FL_PQ_LOST)
        return fl_fail(err, FL_E_UNAVAILABLE, "database", "connection lost");
    *ret = c;
    c = NULL;
    return FL_OK;
}

void fl_store_fence(struct fl_store *s, const char *why)
{
    if (!atomic_exchange(&s->fenced, true))
        fl_log(FL_LOG_ERROR, "store", "realm %s belongs to another process now (%s): nothing more is written",
               s->realm, why);
}

void fl_submission_drop(struct fl_submission *sub, fl_status answer)
{
    if (!sub)
        return;
    if (answer && sub->answered)
        sub->answered(sub->ctx, answer, "{}");
    fl_arena_free(sub->arena);
}

/* ---- open ------------------------------------------------------------------------------------------------ */

/* What is not projected yet; 512 is FL_EVENT_LEAST_BYTES. Lengths are known without reading the bodies. */
static const char weight_sql[] =
    "SELECT coalesce(sum(greatest(octet_length(body), 512)), 0)::bigint FROM journal WHERE realm = $1"
    " AND seq > coalesce((SELECT projected_seq FROM projection WHERE realm = $1), 0)";

static fl_status read_position(struct fl_store *s, PGconn *c, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    FL_AUTO_PGRESULT *r = NULL, *q = NULL, *w = NULL;
    fl_pq_fault f = fl_pq_exec(c, "SELECT seq, at FROM journal WHERE realm = $1 ORDER BY seq DESC LIMIT 1",
                               &p, NULL, &r, err);
    if (!f)
        f = fl_pq_exec(c, "SELECT projected_seq FROM projection WHERE realm = $1", &p, NULL, &q, err);
    if (!f)
        f = fl_pq_exec(c, weight_sql, &p, &(struct fl_pq_wait){.patience = 120 * FL_USEC_PER_SEC}, &w, err);
    if (f)
        return fl_pq_status(f);
    if (PQntuples(r)) {
        s->last_seq = (uint64_t)fl_pq_get_i64(r, 0, 0);
        s->last_at = fl_pq_get_time(r, 0, 1);
    }
    s->projected_seq = PQntuples(q) ? (uint64_t)fl_pq_get_i64(q, 0, 0) : 0;
    s->last_weight = (uint64_t)fl_pq_get_i64(w, 0, 0);
    if (s->projected_seq > s->last_seq)
        return fl_fail(err, FL_E_CORRUPT, s->realm,
                       "rows are projected up to %" PRIu64 " but the journal ends at %" PRIu64,
                       (uint64_t)s->projected_seq, (uint64_t)s->last_seq);
    return FL_OK;
}

/* "A 2xx means durable" holds only with these. A private cluster has them; a given one is asked. */
static fl_status check_durable(PGconn *c, struct fl_err *err)
{
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_fault f = fl_pq_exec(c,
                               "SELECT current_setting('fsync'), current_setting('full_page_writes'),"
                               " pg_is_in_recovery()",
                               NULL, NULL, &r, err);
    if (f)
        return fl_pq_status(f);
    if (fl_pq_get_i64(r, 0, 2))
        return fl_fail(err, FL_E_UNAVAILABLE, "database", "the database is a standby: it takes no writes");
    if (strcmp(fl_pq_get_text(r, 0, 0), "on") != 0 || strcmp(fl_pq_get_text(r, 0, 1), "on") != 0)
        fl_log(FL_LOG_WARN, "store",
               "the database runs with fsync=%s full_page_writes=%s: a power cut loses what was acknowledged",
               fl_pq_get_text(r, 0, 0), fl_pq_get_text(r, 0, 1));
    return FL_OK;
}

static void *free_store(struct fl_store *s)
{
    fl_pq_close(s->aux);
    fl_pq_close(s->journal_c);
    fl_pq_close(s->project_c);
    fl_pq_close(s->keeper_c);
    fl_letters_free(s);
    fl_queue_free(s->journal_q);
    fl_queue_free(s->project_q);
    fl_queue_free(s->letter_q);
    pthread_mutex_destroy(&s->aux_lock);
    pthread_mutex_destroy(&s->stop_lock);
    pthread_cond_destroy(&s->stop_cond);
    free(s->conninfo);
    free(s->realm);
    free(s->owner);
    free(s);
    return NULL;
}

static struct fl_store *alloc_store(const struct fl_store_options *o)
{
    struct fl_store *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stop_cond, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&s->stop_lock, NULL);
    pthread_mutex_init(&s->aux_lock, NULL);
    s->o = *o;
    s->lease = o->lease ? o->lease : FL_LEASE;
    s->conninfo = strdup(o->conninfo);
    s->realm = strdup(o->realm);
    s->owner = strdup(o->owner);
    uint64_t tag;
    fl_random(&tag, sizeof tag);
    fl_fingerprint_hex(tag, s->tag);
    s->journal_q = fl_queue_new(0, o->queue_bytes ? o->queue_bytes : (size_t)64 << 20);
    s->project_q = fl_queue_new(fl_store_lag_allowed(s), (size_t)128 << 20);
    s->letter_q = fl_queue_new(10000, (size_t)32 << 20);
    if (!s->conninfo || !s->realm || !s->owner || !s->journal_q || !s->project_q || !s->letter_q)
        return free_store(s);
    return s;
}

static fl_status start_threads(struct fl_store *s, struct fl_err *err)
{
    s->journal_on = pthread_create(&s->journal_t, NULL, fl_journal_thread, s) == 0;
    s->project_on = s->journal_on && pthread_create(&s->project_t, NULL, fl_projector_thread, s) == 0;
    s->keeper_on = s->project_on && pthread_create(&s->keeper_t, NULL, fl_keeper_thread, s) == 0;
    return s->keeper_on ? FL_OK : fl_fail(err, FL_E_NOMEM, "store", "could not start a thread");
}

fl_status fl_store_open(const struct fl_store_options *o, struct fl_store **ret, struct fl_err *err)
{
    size_t n = strlen(o->realm);
    if (n < 1 || n > 63 || !fl_utf8_valid(o->realm, n))
        return fl_fail(err, FL_E_USAGE, "realm", "\"%.80s\" is no realm: 1 to 63 bytes of text", o->realm);
    struct fl_store *s = alloc_store(o);
    if (!s)
        return fl_fail(err, FL_E_NOMEM, "store", "out of memory");
    fl_status st = fl_store_session(s, "aux", &s->aux, err);
    if (!st)
        st = check_durable(s->aux, err);
    if (!st)
        st = fl_lease_take(s, s->aux, err);
    if (!st)
        st = read_position(s, s->aux, err);
    if (!st)
        st = fl_journal_connect(s, err);
    if (!st)
        st = fl_projector_connect(s, err);
    if (!st)
        st = fl_store_session(s, "keeper", &s->keeper_c, err);
    if (!st)
        st = start_threads(s, err);
    if (st) {
        fl_store_close(s, 0);
        return st;
    }
    *ret = s;
    return FL_OK;
}

/* ---- close ------------------------------------------------------------------------------------------------ */

void fl_store_drain(struct fl_store *s, fl_usec patience)
{
    fl_usec until = fl_mono() + patience;
    s->closing = true;
    fl_queue_close(s->journal_q);
    if (s->journal_on) {
        struct timespec ts;
        clock_gettime(CLOCK_REALTIME, &ts);
        ts.tv_sec += (time_t)(patience / FL_USEC_PER_SEC);
        ts.tv_nsec += (long)(patience % FL_USEC_PER_SEC) * 1000;
        ts.tv_sec += ts.tv_nsec / 1000000000;
        ts.tv_nsec %= 1000000000;
        if (pthread_timedjoin_np(s->journal_t, NULL, &ts) != 0) {
            s->abandon = true;
            wake(s);
            pthread_join(s->journal_t, NULL);
        }
        s->journal_on = false;
    }
    /* The core works off what it was given; its steps come in until the last event is projected. */
    while (s->project_on && !s->abandon && !s->fenced && s->projected_seq < s->last_seq &&
           fl_mono() < until) {
        pthread_mutex_lock(&s->stop_lock);
        fl_usec next = fl_mono() + 20000;
        struct timespec ts = {.tv_sec = (time_t)(next / FL_USEC_PER_SEC),
                              .tv_nsec = (long)(next % FL_USEC_PER_SEC) * 1000};
        pthread_cond_timedwait(&s->stop_cond, &s->stop_lock, &ts);
        pthread_mutex_unlock(&s->stop_lock);
    }
}

/* After a statement that nobody waited for to the end, what comes is the answer to that one. */
static bool in_step(PGconn *c)
{
    return PQpipelineStatus(c) == PQ_PIPELINE_OFF && PQtransactionStatus(c) == PQTRANS_IDLE;
}

/* The aux connection, made again when it is gone. Caller holds aux_lock. */
fl_status fl_store_aux(struct fl_store *s, PGconn **ret, struct fl_err *err)
{
    if (!fl_pq_alive(s->aux) || !in_step(s->aux)) {
        s->aux = fl_pq_close(s->aux);
        fl_status st = fl_store_session(s, "aux", &s->aux, err);
        if (st)
            return st;
    }
    *ret = s->aux;
    return FL_OK;
}

struct fl_store *fl_store_close(struct fl_store *s, fl_usec patience)
{
    if (!s)
        return NULL;
    fl_store_drain(s, patience);
    fl_queue_close(s->project_q);
    s->abandon = true;
    wake(s);
    if (s->project_on)
        pthread_join(s->project_t, NULL);
    if (s->keeper_on)
        pthread_join(s->keeper_t, NULL);
    PGconn *c;
    if (s->epoch && !s->fenced && !s->journal_down && fl_store_aux(s, &c, NULL) == FL_OK)
        fl_lease_release(s, c);
    return free_store(s);
}

uint64_t fl_store_lag(const struct fl_store *s)
{
    /* Read in this order: what is projected meanwhile was journalled before. */
    uint64_t projected = s->projected_weight, last = s->last_weight;
    return last > projected ? (last - projected) / FL_EVENT_BYTES : 0;
}

bool fl_store_is_behind(const struct fl_store *s)
{
    return fl_store_lag(s) > fl_store_lag_allowed(s);
}

size_t fl_store_lag_allowed(const struct fl_store *s)
{
    return s->o.lag_events ? s->o.lag_events : 10000;
}

/* ---- in ----------------------------------------------------------------------------------------------------- */

fl_status fl_store_submit(struct fl_store *s, struct fl_submission *sub)
{
    if (s->closing || s->fenced || s->journal_down || s->stalled) {
        s->refused_down++;
        return FL_E_UNAVAILABLE;
    }
    fl_status st = FL_E_FULL;
    if (sub->reserved || !fl_store_is_behind(s))
        st = fl_queue_push(s->journal_q, sub, fl_arena_held(sub->arena), sub->reserved);
    if (st == FL_E_FULL)
        s->refused_full++;
    else if (st)
        s->refused_down++;
    return st;
}

void fl_store_project(struct fl_store *s, struct fl_effects *fx, struct fl_submission *sub)
{
    fl_crash_point("core.stepped");
    struct fl_step *step = malloc(sizeof *step);
    size_t bytes = fl_arena_held(fx->arena) + 256 + (sub ? fl_arena_held(sub->arena) : 0);
    /* Without these few bytes the step would be lost and the realm would stop: nothing sensible is left to do. */
    FL_REQUIRE(step);
    *step = (struct fl_step){fx, sub};
    if (fl_queue_push_wait(s->project_q, step, bytes) == FL_OK)
        return;
    free(step);
    fl_effects_free(fx);
    fl_submission_drop(sub, FL_E_UNAVAILABLE);
}

/* ---- questions ------------------------------------------------------------------------------------------------ */

uint64_t fl_store_projected_seq(struct fl_store *s)
{
    return s->projected_seq;
}

uint64_t fl_store_epoch(struct fl_store *s)
{
    return s->epoch;
}

enum fl_store_health fl_store_health(struct fl_store *s)
{
    return s->fenced                       ? FL_STORE_FENCED
           : s->journal_down               ? FL_STORE_DOWN
           : s->project_down || s->stalled ? FL_STORE_DEGRADED
                                           : FL_STORE_OK;
}

void fl_store_stats(struct fl_store *s, struct fl_store_stats *ret)
{
    *ret = (struct fl_store_stats){.journal_bodies = s->journal_bodies,
                                   .journal_rows = s->journal_rows,
                                   .journal_commits = s->journal_commits,
                                   .journal_bytes = s->journal_bytes,
                                   .projected_steps = s->projected_steps,
                                   .projected_rows = s->projected_rows,
                                   .projector_commits = s->projector_commits,
                                   .errors = s->errors,
                                   .reconnects = s->reconnects,
                                   .refused_full = s->refused_full,
                                   .refused_down = s->refused_down,
                                   .skipped_rows = s->skipped_rows,
                                   .deadletters_dropped = s->letters_dropped,
                                   .deadletters = s->letters_held,
                                   .deadletter_bytes = s->letters_bytes,
                                   .last_seq = s->last_seq,
                                   .projected_seq = s->projected_seq,
                                   .queue_items = fl_queue_items(s->journal_q),
                                   .queue_bytes = fl_queue_bytes(s->journal_q)};
}

/* ---- recovery ------------------------------------------------------------------------------------ */

fl_status fl_store_read_journal(struct fl_store *s, uint64_t after, uint64_t until,
                                fl_status (*visit)(void *ctx, const struct fl_event *ev), void *ctx,
                                struct fl_err *err)
{
    PGconn *c;
    bool more = true;
    pthread_mutex_lock(&s->aux_lock);
    fl_status st = fl_store_aux(s, &c, err);
    while (!st && more)
        st = fl_journal_page(c, s->realm, &after, until, &more, visit, ctx, err);
    pthread_mutex_unlock(&s->aux_lock);
    return st;
}
