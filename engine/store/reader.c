/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/reader.c -- the pool of reading connections, audit and journal reads; contract in <faultline/store.h>. */
#include "reader_priv.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POOL 4
#define AUDIT_MAX 10000

struct fl_reader {
    char *conninfo;
    pthread_mutex_t lock;
    pthread_cond_t free_one;
    struct {
        PGconn *c;
        bool busy;
    } pool[POOL];
    pthread_mutex_t token_lock;
    PGconn *tokens; /* engine's role: readers cannot see token hashes */
};

fl_status fl_reader_open(const char *conninfo, struct fl_reader **ret, struct fl_err *err)
{
    struct fl_reader *r = calloc(1, sizeof *r);
    if (!r || !(r->conninfo = strdup(conninfo))) {
        free(r);
        return fl_fail(err, FL_E_NOMEM, "reader", "out of memory");
    }
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&r->free_one, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&r->lock, NULL);
    pthread_mutex_init(&r->token_lock, NULL);
    struct lease l;
    /* One at once, so that a wrong conninfo shows here and not at the first question. */
    fl_status st = fl_reader_borrow(r, &l, err);
    if (st) {
        fl_reader_close(r);
        return st;
    }
    fl_reader_return(r, &l);
    *ret = r;
    return FL_OK;
}

struct fl_reader *fl_reader_close(struct fl_reader *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < POOL; i++)
        fl_pq_close(r->pool[i].c);
    fl_pq_close(r->tokens);
    pthread_mutex_destroy(&r->lock);
    pthread_mutex_destroy(&r->token_lock);
    pthread_cond_destroy(&r->free_one);
    free(r->conninfo);
    free(r);
    return NULL;
}

static bool claim(struct fl_reader *r, size_t *ret)
{
    for (int connected = 1; connected >= 0; connected--)
        for (size_t i = 0; i < POOL; i++)
            if (!r->pool[i].busy && (!connected || r->pool[i].c)) {
                r->pool[i].busy = true;
                *ret = i;
                return true;
            }
    return false;
}

fl_status fl_reader_borrow(struct fl_reader *r, struct lease *ret, struct fl_err *err)
{
    fl_usec until = fl_pq_deadline(fl_mono(), 5 * FL_USEC_PER_SEC);
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    size_t i;
    pthread_mutex_lock(&r->lock);
    bool got = claim(r, &i);
    while (!got && pthread_cond_timedwait(&r->free_one, &r->lock, &ts) == 0)
        got = claim(r, &i);
    pthread_mutex_unlock(&r->lock);
    if (!got)
        return fl_fail(err, FL_E_FULL, "reader", "all %d reading connections are busy", POOL);
    *ret = (struct lease){.i = i};
    if (!fl_pq_alive(r->pool[i].c)) {
        struct fl_pq_options o = {.role = "faultline_reader",
                                  .name = "faultline reader",
                                  .read_only = true,
                                  .patience = FL_USEC_PER_SEC};
        r->pool[i].c = fl_pq_close(r->pool[i].c);
        fl_status st = fl_pq_connect(r->conninfo, &o, &r->pool[i].c, err);
        if (st) {
            fl_reader_return(r, ret);
            return st;
        }
    }
    ret->c = r->pool[i].c;
    return FL_OK;
}

void fl_reader_return(struct fl_reader *r, struct lease *l)
{
    pthread_mutex_lock(&r->lock);
    if (l->c && !fl_pq_alive(l->c))
        r->pool[l->i].c = fl_pq_close(l->c);
    r->pool[l->i].busy = false;
    pthread_cond_signal(&r->free_one);
    pthread_mutex_unlock(&r->lock);
    l->c = NULL;
}

fl_status fl_reader_tokens(struct fl_reader *r, PGconn **ret, struct fl_err *err)
{
    pthread_mutex_lock(&r->token_lock);
    if (!fl_pq_alive(r->tokens)) {
        struct fl_pq_options o = {
            .role = "faultline_engine", .name = "faultline tokens", .patience = FL_USEC_PER_SEC};
        r->tokens = fl_pq_close(r->tokens);
        fl_status st = fl_pq_connect(r->conninfo, &o, &r->tokens, err);
        if (st) {
            pthread_mutex_unlock(&r->token_lock);
            return st;
        }
    }
    *ret = r->tokens;
    return FL_OK;
}

void fl_reader_tokens_done(struct fl_reader *r)
{
    pthread_mutex_unlock(&r->token_lock);
}

fl_pq_fault fl_reader_query(struct fl_reader *r, const char *sql, const struct fl_pq_params *p,
                            PGresult **ret, struct fl_err *err)
{
    static const struct fl_pq_wait w = {.patience = 30 * FL_USEC_PER_SEC};
    fl_pq_fault f = FL_PQ_LOST;
    /* A connection may have died since its last use: reading twice is harmless. */
    for (int n = 0; n < 2 && f == FL_PQ_LOST; n++) {
        struct lease l;
        fl_err_clear(err);
        fl_usec began = fl_mono();
        if (fl_reader_borrow(r, &l, err) != FL_OK)
            return FL_PQ_AWAY;
        f = fl_pq_exec(l.c, sql, p, &w, ret, err);
        fl_reader_return(r, &l);
        if (fl_mono() - began > 5 * FL_USEC_PER_SEC)
            break;
    }
    return f;
}

/* ---- audit ------------------------------------------------------------------------------------------------- */

static const char audit_sql[] =
    "SELECT seq, at, event_seq, actor, action, subject, incident, reason, detail, prev, hash FROM audit WHERE realm = $1"
    " AND ($2::text IS NULL OR incident = $2) AND ($3::text IS NULL OR actor = $3)"
    " AND ($4::text IS NULL OR action = $4) AND ($5::text IS NULL OR starts_with(action, $5))"
    " AND ($6::timestamptz IS NULL OR at >= $6) AND ($7::timestamptz IS NULL OR at < $7) AND seq > $8"
    " ORDER BY seq LIMIT $9";

static const char *some(const char *s)
{
    return s && *s ? s : NULL;
}

fl_status fl_read_audit(struct fl_reader *r, const char *realm, const struct fl_audit_query *q,
                        fl_status (*visit)(void *ctx, const struct fl_audit_entry *e), void *ctx,
                        struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    size_t n = q->action ? strlen(q->action) : 0;
    bool prefix = n && q->action[n - 1] == '*';
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    fl_pq_text(&p, some(q->incident));
    fl_pq_text(&p, some(q->actor));
    fl_pq_text(&p, prefix ? NULL : some(q->action));
    fl_pq_text(&p, prefix ? fl_arena_strndup(a, q->action, n - 1) : NULL);
    fl_pq_time(&p, q->since);
    fl_pq_time(&p, q->until);
    fl_pq_i64(&p, (int64_t)q->after_seq);
    fl_pq_i64(&p, (int64_t)(!q->limit ? 100 : q->limit > AUDIT_MAX ? AUDIT_MAX : q->limit));
    fl_pq_fault f = fl_reader_query(r, audit_sql, &p, &res, err);
    if (f)
        return fl_pq_status(f);
    for (int i = 0; i < PQntuples(res); i++) {
        struct fl_audit_entry e = {.realm = realm,
                                   .seq = (uint64_t)fl_pq_get_i64(res, i, 0),
                                   .at = fl_pq_get_time(res, i, 1),
                                   .event_seq = (uint64_t)fl_pq_get_i64(res, i, 2),
                                   .actor = fl_pq_get_text(res, i, 3),
                                   .action = fl_pq_get_text(res, i, 4),
                                   .subject = fl_pq_get_text(res, i, 5),
                                   .incident = fl_pq_get_text(res, i, 6),
                                   .reason = fl_pq_get_text(res, i, 7),
                                   .detail = fl_pq_get_text(res, i, 8)};
        fl_pq_get_hash(res, i, 9, &e.prev);
        fl_pq_get_hash(res, i, 10, &e.hash);
        fl_status st = visit(ctx, &e);
        if (st)
            return st;
    }
    return FL_OK;
}

fl_status fl_read_journal(struct fl_reader *r, const char *realm, uint64_t after, uint64_t until,
                          fl_status (*visit)(void *ctx, const struct fl_event *ev), void *ctx,
                          struct fl_err *err)
{
    bool more = true;
    struct lease l;
    fl_status st = fl_reader_borrow(r, &l, err);
    if (st)
        return st;
    while (!st && more)
        st = fl_journal_page(l.c, realm, &after, until, &more, visit, ctx, err);
    fl_reader_return(r, &l);
    return st;
}
