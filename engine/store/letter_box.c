/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/letter_box.c -- dead letters that are there: read to be tried again, removed, or kept with a new reason;
 * contract in <faultline/store.h>. How they come: letters.c. */
#include "reader_priv.h"

#include <string.h>

static const char page_sql[] =
    "SELECT n, source, place, reason, whole, cut, raw FROM deadletter WHERE realm = $1 AND n > $2"
    " AND ($3 = 0 OR n = $3) AND ($4::text IS NULL OR source = $4) ORDER BY n LIMIT $5";

static fl_status take_row(struct fl_arena *arena, const PGresult *res, int row, struct fl_letter *ret)
{
    *ret = (struct fl_letter){.n = (uint64_t)fl_pq_get_i64(res, row, 0),
                              .source = fl_arena_strdup(arena, fl_pq_get_text(res, row, 1)),
                              .where = fl_arena_strdup(arena, fl_pq_get_text(res, row, 2)),
                              .reason = fl_arena_strdup(arena, fl_pq_get_text(res, row, 3)),
                              .whole = fl_pq_get_i64(res, row, 4) != 0,
                              .cut = fl_pq_get_i64(res, row, 5) != 0,
                              .raw_n = (size_t)PQgetlength(res, row, 6)};
    ret->raw = fl_arena_strndup(arena, PQgetvalue(res, row, 6), ret->raw_n);
    return ret->source && ret->where && ret->reason && ret->raw ? FL_OK : FL_E_NOMEM;
}

fl_status fl_letters_read(struct fl_reader *r, const char *realm, struct fl_arena *arena, uint64_t only,
                          uint64_t after, const char *source, size_t max, struct fl_letter **ret,
                          size_t *ret_n, struct fl_err *err)
{
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    fl_pq_params_init(&p, arena);
    fl_pq_text(&p, realm);
    fl_pq_i64(&p, (int64_t)(only ? only - 1 : after));
    fl_pq_i64(&p, (int64_t)only);
    fl_pq_text(&p, source && *source ? source : NULL);
    fl_pq_i64(&p, (int64_t)(max < FL_LETTERS_PAGE ? max : FL_LETTERS_PAGE));
    fl_pq_fault f = fl_reader_query(r, page_sql, &p, &res, err);
    if (f)
        return fl_pq_status(f);
    size_t n = (size_t)PQntuples(res);
    struct fl_letter *v = fl_arena_calloc(arena, n ? n : 1, sizeof *v);
    fl_status st = v ? FL_OK : FL_E_NOMEM;
    for (size_t i = 0; i < n && st == FL_OK; i++)
        st = take_row(arena, res, (int)i, &v[i]);
    if (st != FL_OK)
        return fl_fail(err, st, "deadletters", "out of memory");
    *ret = v;
    *ret_n = n;
    return FL_OK;
}

/* One statement on the connection that may write. */
static fl_status write_one(struct fl_reader *r, const char *sql, const struct fl_pq_params *p,
                           struct fl_err *err)
{
    PGconn *c;
    fl_status st = fl_reader_tokens(r, &c, err);
    if (st != FL_OK)
        return st;
    fl_pq_fault f = fl_pq_exec(c, sql, p, NULL, NULL, err);
    fl_reader_tokens_done(r);
    return f ? fl_pq_status(f) : FL_OK;
}

fl_status fl_letters_remove(struct fl_reader *r, const char *realm, const uint64_t *v, size_t n,
                            struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    struct fl_pq_array col = fl_pq_array(&p, FL_PQ_I64);
    for (size_t i = 0; i < n; i++)
        fl_pq_add_i64(&col, (int64_t)v[i]);
    fl_pq_array_end(&col);
    return write_one(r, "DELETE FROM deadletter WHERE realm = $1 AND n = ANY ($2::bigint[])", &p, err);
}

/* Text of the engine's own parsers, but a place may quote the sender. */
static const char *short_text(struct fl_arena *a, const char *s, size_t max)
{
    size_t n = strlen(s ? s : "");
    char *copy = fl_arena_strndup(a, s ? s : "", n < max ? n : max);
    if (copy)
        fl_utf8_repair(copy, strlen(copy));
    return copy ? copy : "";
}

fl_status fl_letter_failed(struct fl_reader *r, const char *realm, uint64_t n, const char *where,
                           const char *reason, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    fl_pq_i64(&p, (int64_t)n);
    fl_pq_text(&p, short_text(a, where, 512));
    fl_pq_text(&p, short_text(a, reason, 1024));
    return write_one(r,
                     "UPDATE deadletter SET place = $3, reason = $4, tries = tries + 1, tried_at = now()"
                     " WHERE realm = $1 AND n = $2",
                     &p, err);
}
