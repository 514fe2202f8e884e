/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/snapshots.c -- snapshots of the core's state in parts, and back; contract in <faultline/store.h>. A part is
 * compressed, written and forgotten before the next one; the row in `snapshot`, which is written last, makes it valid. */
#include "store_priv.h"

#include <faultline/log.h>
#include <faultline/pack.h>

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    FORMAT = 2,
    PARTS_MAX = 1 << 16,
    PART_MAX = 1 << 30 /* bytes, uncompressed: what this program would never write is not unpacked */
};

/* ---- saving ---- */

/* The session is shared with the core, which may have to read the journal: it is held for one transaction at a time. */
static fl_status put(struct fl_store *s, const struct fl_pq_stmt *v, size_t n, struct fl_err *err)
{
    const struct fl_pq_wait w = {.patience = 120 * FL_USEC_PER_SEC, .hurry = &s->closing};
    PGconn *c;
    size_t bad;
    pthread_mutex_lock(&s->aux_lock);
    fl_status st = fl_store_aux(s, &c, err);
    fl_pq_fault f = st ? FL_PQ_NONE : fl_pq_batch(c, v, n, &w, &bad, err);
    pthread_mutex_unlock(&s->aux_lock);
    if (f == FL_PQ_FENCED)
        fl_store_fence(s, "snapshot");
    return st ? st : fl_pq_status(f);
}

static fl_status put_part(struct fl_store *s, uint64_t seq, size_t n, const struct fl_piece *k,
                          struct fl_sha256 *ret, size_t *ret_stored, struct fl_err *err)
{
    uLongf size = compressBound(k->n);
    FL_AUTO_FREE unsigned char *body = malloc(size);
    FL_AUTO_ARENA a = fl_arena_new(0);
    if (!body || !a || compress2(body, &size, k->p, k->n, Z_BEST_SPEED) != Z_OK)
        return fl_fail(err, FL_E_NOMEM, "snapshot", "out of memory for a part of %zu bytes", k->n);
    fl_sha256(body, size, ret);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)s->epoch);
    fl_pq_i64(&p, (int64_t)seq);
    fl_pq_i64(&p, (int64_t)n);
    fl_pq_i64(&p, (int64_t)k->n);
    fl_pq_bytes(&p, ret->b, sizeof ret->b);
    fl_pq_bytes(&p, body, size);
    *ret_stored += size;
    const struct fl_pq_stmt v = {.sql = "INSERT INTO snapshot_part (realm, seq, n, bytes, hash, body)"
                                        " SELECT $1, $3, $4, $5, $6, $7 FROM fence($1, $2)",
                                 .p = &p};
    return put(s, &v, 1, err);
}

/* What an earlier attempt left: its snapshot never became valid. */
static fl_status drop_leftovers(struct fl_store *s, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)s->epoch);
    const struct fl_pq_stmt v = {
        .sql = "DELETE FROM snapshot_part d USING fence($1, $2) WHERE d.realm = $1"
               " AND NOT EXISTS (SELECT FROM snapshot s WHERE s.realm = d.realm AND s.seq = d.seq)",
        .p = &p};
    return put(s, &v, 1, err);
}

/* Two snapshots are kept, and always one that the projections have reached. */
static fl_status finish(struct fl_store *s, uint64_t seq, const struct fl_buf *hashes, uint64_t bytes,
                        struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p, q;
    struct fl_sha256 h;
    fl_sha256(hashes->p, hashes->n, &h);
    fl_pq_params_init(&p, a);
    fl_pq_params_init(&q, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)s->epoch);
    fl_pq_i64(&p, (int64_t)seq);
    fl_pq_bytes(&p, h.b, sizeof h.b);
    fl_pq_i64(&p, FORMAT);
    fl_pq_i64(&p, (int64_t)(hashes->n / sizeof h.b));
    fl_pq_i64(&p, (int64_t)bytes);
    fl_pq_text(&q, s->realm);
    const struct fl_pq_stmt v[] = {
        {.sql = "INSERT INTO snapshot (realm, seq, hash, format, parts, bytes)"
                " SELECT $1, $3, $4, $5::bigint, $6, $7 FROM fence($1, $2)",
         .p = &p},
        {.sql = "DELETE FROM snapshot WHERE realm = $1 AND seq < least("
                " (SELECT seq FROM snapshot WHERE realm = $1 ORDER BY seq DESC OFFSET 1 LIMIT 1),"
                " (SELECT coalesce(max(s.seq), 0) FROM snapshot s JOIN projection p USING (realm)"
                "   WHERE s.realm = $1 AND s.seq <= p.projected_seq))",
         .p = &q}};
    return put(s, v, FL_ARRAY_LEN(v), err);
}

fl_status fl_store_save_snapshot(struct fl_store *s, uint64_t seq, struct fl_pack *pack, size_t *ret_stored,
                                 struct fl_err *err)
{
    FL_AUTO_BUF hashes = fl_buf_init(0);
    uint64_t bytes = pack->bytes;
    *ret_stored = 0;
    fl_status st = drop_leftovers(s, err);
    for (size_t n = 0; st == FL_OK && pack->first; n++) {
        if (fl_pq_hurried()) { /* hundreds of parts, each within its own patience, would outlast the stop's */
            st = fl_fail(err, FL_E_TIMEOUT, "snapshot", "given up at part %zu: the stop must end", n);
            break;
        }
        FL_AUTO_FREE struct fl_piece *k = fl_pack_take(pack);
        struct fl_sha256 h;
        st = n < PARTS_MAX ? put_part(s, seq, n, k, &h, ret_stored, err)
                           : fl_fail(err, FL_E_LIMIT, "snapshot", "more than %d parts", PARTS_MAX);
        fl_buf_add(&hashes, h.b, sizeof h.b);
    }
    if (st == FL_OK && hashes.failed)
        st = fl_fail(err, FL_E_NOMEM, "snapshot", "out of memory");
    if (st == FL_OK)
        st = finish(s, seq, &hashes, bytes, err);
    if (st == FL_OK)
        st = drop_leftovers(s, err); /* those of the snapshots that have just gone */
    fl_pack_done(pack);
    return st;
}

/* ---- loading ---- */

static const struct fl_pq_wait patient = {.patience = 120 * FL_USEC_PER_SEC};

struct head {
    struct fl_sha256 hash;
    int64_t format, parts;
};

/* The newest that the projections have reached: one ahead of them would skip rows that were never written. */
static fl_status find(struct fl_store *s, PGconn *c, uint64_t below, uint64_t *ret_seq, struct head *ret,
                      struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)s->projected_seq);
    fl_pq_i64(&p, below > INT64_MAX ? INT64_MAX : (int64_t)below);
    fl_pq_fault f = fl_pq_exec(c,
                               "SELECT seq, hash, format::bigint, parts FROM snapshot"
                               " WHERE realm = $1 AND seq <= $2 AND seq < $3 ORDER BY seq DESC LIMIT 1",
                               &p, &patient, &r, err);
    if (f)
        return fl_pq_status(f);
    if (!PQntuples(r))
        return fl_fail(err, FL_E_NOTFOUND, s->realm, "no snapshot");
    *ret_seq = (uint64_t)fl_pq_get_i64(r, 0, 0);
    fl_pq_get_hash(r, 0, 1, &ret->hash);
    ret->format = fl_pq_get_i64(r, 0, 2);
    ret->parts = fl_pq_get_i64(r, 0, 3);
    return FL_OK;
}

/* The hashes of all parts, which the hash of the whole vouches for: each part is then checked before it is used. */
static fl_status read_hashes(struct fl_store *s, PGconn *c, uint64_t seq, const struct head *h,
                             struct fl_buf *ret, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)seq);
    fl_pq_fault f = fl_pq_exec(c, "SELECT hash FROM snapshot_part WHERE realm = $1 AND seq = $2 ORDER BY n",
                               &p, &patient, &r, err);
    if (f)
        return fl_pq_status(f);
    struct fl_sha256 one, all;
    for (int i = 0; i < PQntuples(r); i++) {
        fl_pq_get_hash(r, i, 0, &one);
        fl_buf_add(ret, one.b, sizeof one.b);
    }
    fl_sha256(ret->p, ret->n, &all);
    if (PQntuples(r) != h->parts)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "it has %d parts, of %lld", PQntuples(r),
                       (long long)h->parts);
    if (ret->failed || memcmp(&all, &h->hash, sizeof all) != 0)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "its parts are not those it was saved with");
    return FL_OK;
}

static fl_status read_part(struct fl_store *s, PGconn *c, uint64_t seq, size_t n, const void *hash,
                           fl_status (*visit)(void *ctx, const void *piece, size_t len), void *ctx,
                           struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)seq);
    fl_pq_i64(&p, (int64_t)n);
    fl_pq_fault f = fl_pq_exec(
        c, "SELECT bytes, body FROM snapshot_part WHERE realm = $1 AND seq = $2 AND n = $3", &p, &patient, &r,
        err);
    if (f)
        return fl_pq_status(f);
    int64_t bytes = PQntuples(r) == 1 ? fl_pq_get_i64(r, 0, 0) : -1;
    struct fl_sha256 have = {{0}};
    if (bytes >= 0)
        fl_sha256(PQgetvalue(r, 0, 1), (size_t)PQgetlength(r, 0, 1), &have);
    if (bytes < 0 || bytes > PART_MAX || memcmp(&have, hash, sizeof have) != 0)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "its part %zu is damaged", n);
    uLongf size = (uLongf)bytes;
    FL_AUTO_FREE unsigned char *piece = malloc(size ? size : 1);
    if (!piece)
        return fl_fail(err, FL_E_NOMEM, "snapshot", "out of memory for %zu bytes", (size_t)size);
    if (uncompress(piece, &size, (const Bytef *)PQgetvalue(r, 0, 1), (uLong)PQgetlength(r, 0, 1)) != Z_OK ||
        size != (uLongf)bytes)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "its part %zu does not unpack to %lld bytes", n,
                       (long long)bytes);
    return visit(ctx, piece, size);
}

static fl_status load(struct fl_store *s, PGconn *c, uint64_t seq, const struct head *h,
                      fl_status (*visit)(void *ctx, const void *piece, size_t n), void *ctx,
                      struct fl_err *err)
{
    if (h->format != FORMAT)
        return fl_fail(err, FL_E_CORRUPT, "snapshot",
                       "it has form %lld of another program, this one reads %d", (long long)h->format,
                       FORMAT);
    FL_AUTO_BUF hashes = fl_buf_init(0);
    fl_status st = read_hashes(s, c, seq, h, &hashes, err);
    for (size_t n = 0; st == FL_OK && n < (size_t)h->parts; n++)
        st = read_part(s, c, seq, n, hashes.p + n * sizeof h->hash, visit, ctx, err);
    return st;
}

fl_status fl_store_load_snapshot(struct fl_store *s, uint64_t below, uint64_t *ret_seq,
                                 fl_status (*visit)(void *ctx, const void *piece, size_t n), void *ctx,
                                 struct fl_err *err)
{
    PGconn *c;
    struct head h;
    *ret_seq = 0;
    pthread_mutex_lock(&s->aux_lock);
    fl_status st = fl_store_aux(s, &c, err);
    if (!st)
        st = find(s, c, below, ret_seq, &h, err);
    if (!st)
        st = load(s, c, *ret_seq, &h, visit, ctx, err);
    pthread_mutex_unlock(&s->aux_lock);
    return st;
}
