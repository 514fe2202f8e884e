/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/journal_rows.c -- submissions as rows of the journal, and pages of it read back. */
#include "store_priv.h"

#include <faultline/json.h>

#include <inttypes.h>
#include <string.h>

/* ---- writing ---------------------------------------------------------------------------------------- */

/* First in each transaction. */
static const char fence_sql[] = "SELECT fence($1, $2)";
static const char one_sql[] =
    "INSERT INTO journal (realm, seq, at, kind, actor, source, run, body_hash, body)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
static const char many_sql[] =
    "INSERT INTO journal (realm, seq, at, kind, actor, source, run, body_hash, body)"
    " SELECT $1, u.* FROM"
    " unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[], $9::bytea[]) u";

/* run.* events say which run they belong to; a body that does not parse belongs to none. */
static const char *run_of(const struct fl_submission *sub, struct fl_arena *a)
{
    if (sub->kind != FL_EV_RUN_CALL && sub->kind != FL_EV_RUN_OUTCOME && sub->kind != FL_EV_RUN_ENDED)
        return NULL;
    FL_AUTO_JSON root = fl_json_parse(sub->body, sub->body_len, NULL);
    const char *run = root ? fl_json_str(root, "run", NULL) : NULL;
    return run && strlen(run) < 256 ? fl_arena_strdup(a, run) : NULL;
}

/* An array is copied several times on its way into rows: worth it for many short bodies, not for long ones. */
enum { ALONE = 4096 };

#define FL_COMMA ,
#define COLUMN(elem, add, expr)                        \
    do {                                               \
        struct fl_pq_array col = fl_pq_array(p, elem); \
        for (size_t i = 0; i < n; i++) {               \
            const struct fl_submission *x = v[i];      \
            add(&col, expr);                           \
        }                                              \
        fl_pq_array_end(&col);                         \
    } while (0)

static void fill_many(struct fl_pq_params *p, struct fl_submission *const *v, size_t n)
{
    COLUMN(FL_PQ_I64, fl_pq_add_i64, (int64_t)x->event.seq);
    COLUMN(FL_PQ_TIME, fl_pq_add_time, x->event.at);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, fl_event_kind_name(x->kind));
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, x->event.actor);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, x->event.source);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, run_of(x, p->arena));
    COLUMN(FL_PQ_BYTES, fl_pq_add_bytes, x->body_hash.b FL_COMMA sizeof x->body_hash.b);
    COLUMN(FL_PQ_BYTES, fl_pq_add_bytes, x->body FL_COMMA x->body_len);
}

static void fill_one(struct fl_pq_params *p, const struct fl_submission *x)
{
    fl_pq_i64(p, (int64_t)x->event.seq);
    fl_pq_time(p, x->event.at);
    fl_pq_text(p, fl_event_kind_name(x->kind));
    fl_pq_text(p, x->event.actor);
    fl_pq_text(p, x->event.source);
    fl_pq_text(p, run_of(x, p->arena));
    fl_pq_bytes(p, x->body_hash.b, sizeof x->body_hash.b);
    fl_pq_bytes(p, x->body, x->body_len);
}

fl_status fl_journal_connect(struct fl_store *s, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS fence, one, many;
    struct fl_submission none = {.kind = FL_EV_TICK};
    fl_pq_params_init(&fence, a);
    fl_pq_params_init(&one, a);
    fl_pq_params_init(&many, a);
    fl_pq_text(&fence, s->realm);
    fl_pq_i64(&fence, 0);
    fl_pq_text(&one, s->realm);
    fill_one(&one, &none);
    fl_pq_text(&many, s->realm);
    fill_many(&many, NULL, 0);
    fl_status st = fl_store_session(s, "journal", &s->journal_c, err);
    fl_pq_fault f = st ? FL_PQ_NONE : fl_pq_prepare(s->journal_c, "journal_fence", fence_sql, &fence, err);
    if (!st && !f)
        f = fl_pq_prepare(s->journal_c, "journal_one", one_sql, &one, err);
    if (!st && !f)
        f = fl_pq_prepare(s->journal_c, "journal_many", many_sql, &many, err);
    if (st || !f)
        return st;
    s->journal_c = fl_pq_close(s->journal_c);
    return fl_pq_status(f);
}

/* How many of these go into one statement: a long body, or the short ones up to the next long one. */
static size_t together(struct fl_submission *const *v, size_t n)
{
    size_t k = 0;
    while (k < n && v[k]->body_len < ALONE)
        k++;
    return k ? k : 1;
}

size_t fl_journal_statements(struct fl_store *s, struct fl_submission *const *sub, size_t n_sub,
                             struct fl_arena *a, struct fl_pq_stmt **ret)
{
    struct fl_pq_stmt *v = fl_arena_calloc(a, n_sub + 1, sizeof *v);
    struct fl_pq_params *p = fl_arena_calloc(a, n_sub + 1, sizeof *p);
    if (!v || !p)
        return 0;
    size_t n = 0;
    fl_pq_params_init(&p[n], a);
    fl_pq_text(&p[n], s->realm);
    fl_pq_i64(&p[n], (int64_t)s->epoch);
    v[n] = (struct fl_pq_stmt){.prepared = "journal_fence", .p = &p[n]};
    for (size_t at = 0, k; at < n_sub; at += k) {
        k = together(sub + at, n_sub - at);
        n++;
        fl_pq_params_init(&p[n], a);
        fl_pq_text(&p[n], s->realm);
        if (k > 1)
            fill_many(&p[n], sub + at, k);
        else
            fill_one(&p[n], sub[at]);
        v[n] = (struct fl_pq_stmt){.prepared = k > 1 ? "journal_many" : "journal_one", .p = &p[n]};
    }
    *ret = v;
    return n + 1;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

/* Bounded by rows and by bytes: bodies are up to megabytes each. Lengths are known without reading the bodies. */
static const char page_sql[] =
    "SELECT seq, at, kind, actor, source, body_hash, body FROM ("
    " SELECT *, sum(octet_length(body)) OVER (ORDER BY seq) - octet_length(body) AS before FROM ("
    "  SELECT * FROM journal WHERE realm = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT 2000) j) k"
    " WHERE before < 33554432 ORDER BY seq";

fl_status fl_journal_page(PGconn *c, const char *realm, uint64_t *after, uint64_t until, bool *ret_more,
                          fl_status (*visit)(void *ctx, const struct fl_event *ev), void *ctx,
                          struct fl_err *err)
{
    static const struct fl_pq_wait w = {.patience = 60 * FL_USEC_PER_SEC};
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    fl_pq_i64(&p, (int64_t)*after);
    fl_pq_i64(&p, until ? (int64_t)until : INT64_MAX);
    fl_pq_fault f = fl_pq_exec(c, page_sql, &p, &w, &r, err);
    if (f)
        return fl_pq_status(f);
    *ret_more = PQntuples(r) > 0;
    for (int i = 0; i < PQntuples(r); i++) {
        struct fl_event ev = {.seq = (uint64_t)fl_pq_get_i64(r, i, 0),
                              .at = fl_pq_get_time(r, i, 1),
                              .realm = realm,
                              .actor = fl_pq_get_text(r, i, 3),
                              .source = fl_pq_get_text(r, i, 4),
                              .body = PQgetvalue(r, i, 6),
                              .body_len = (size_t)PQgetlength(r, i, 6)};
        if (*after && ev.seq != *after + 1)
            return fl_fail(err, FL_E_CORRUPT, realm, "the journal jumps from %" PRIu64 " to %" PRIu64, *after,
                           ev.seq);
        if (!fl_event_kind_parse(fl_pq_get_text(r, i, 2), &ev.kind))
            return fl_fail(err, FL_E_CORRUPT, realm, "journal row %" PRIu64 " is of unknown kind \"%s\"",
                           ev.seq, fl_pq_get_text(r, i, 2));
        fl_pq_get_hash(r, i, 5, &ev.body_hash);
        fl_status st = visit(ctx, &ev);
        if (st)
            return st;
        *after = ev.seq;
    }
    return FL_OK;
}
