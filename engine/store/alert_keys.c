/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/alert_keys.c -- episodes by their labels, page by page of the index of starts; contract in <faultline/store.h>.
 * No index knows the labels: it would be written for each alert of a storm and read for a question of a person. So a look
 * is bounded by the rows it passes, and `=` is decided beside them. */
#include "reader_priv.h"

#include <faultline/json.h>

#include <string.h>

/* $1 realm, $2 incident, $3 since, $4 until, $5 and $6 key to go on below, $7 rows, $8 state, $9 labels, $10 a value among them; then names.
 * A plain comparison with the realm looks to the planner, until it has seen the table once, like few rows to be found by the
 * key: it would read and sort all of them for the first page. */
static const char rows[] =
    "WITH b AS MATERIALIZED (SELECT a.fingerprint, a.starts_at, a.labels, a.text_seq, a.text_n, a.text_at, a.text_len,"
    " ($8::text IS NULL OR a.status = $8 OR ($8 = 'unmapped' AND a.node IS NULL)) AS fits"
    " FROM alert a WHERE CASE WHEN a.realm = $1 THEN true ELSE false END AND ($2::text IS NULL OR a.incident = $2)"
    " AND ($3::timestamptz IS NULL OR a.starts_at >= $3)"
    " AND ($4::timestamptz IS NULL OR a.starts_at < $4)"
    " AND ($5::timestamptz IS NULL OR (a.starts_at <= $5 AND"
    " (a.starts_at < $5 OR a.fingerprint > $6::bigint)))"
    " ORDER BY a.starts_at DESC, a.fingerprint LIMIT $7::bigint)";
/* Labels lie packed with those of other alerts: each pack is unpacked once (substr), not once an alert, and what does not
 * hold the bytes of the value is not read as JSON. */
static const char texts[] =
    ", t AS MATERIALIZED (SELECT x.seq, x.n, substr(x.body, 1) AS body FROM"
    " (SELECT DISTINCT b.text_seq, b.text_n FROM b WHERE b.fits AND b.labels IS NULL) k"
    " JOIN alert_text x ON x.seq = k.text_seq AND x.n = k.text_n AND x.realm = $1)"
    ", s AS (SELECT b.fingerprint, b.starts_at, b.fits, b.labels, substr(t.body, b.text_at, b.text_len) AS text"
    " FROM b LEFT JOIN t ON t.seq = b.text_seq AND t.n = b.text_n AND b.fits OFFSET 0)"
    ", l AS (SELECT s.fingerprint, s.starts_at, s.fits, s.labels, CASE WHEN s.labels IS NULL AND"
    " position($10::bytea IN s.text) > 0 THEN convert_from(s.text, 'UTF8')::json -> 'labels' END AS packed FROM s OFFSET 0)";
#define HAS "($9::text IS NULL OR coalesce(l.labels, l.packed::jsonb) @> $9::jsonb)"
#define ORDER " ORDER BY 2 DESC, 1"
_Static_assert(10 + FL_ALERT_LOOK_NAMES <= FL_PQ_PARAMS_MAX, "a parameter for each name");

static const char *some(const char *s)
{
    return s && *s ? s : NULL;
}

/* What `=` asks for as an object; NULL: nothing. */
static const char *wanted_labels(struct fl_arena *arena, const struct fl_alert_look *look)
{
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < look->n_having; i++)
        fl_jw_str(&w, look->having[i].name, look->having[i].value);
    fl_jw_obj_end(&w);
    return look->n_having && !b.failed ? fl_arena_strdup(arena, b.p) : NULL;
}

/* The longest value that JSON writes as it is, so that its bytes are in every text that has it; "" is in all. */
static const char *plain_value(const struct fl_alert_look *look)
{
    const char *longest = "";
    for (size_t i = 0; i < look->n_having; i++) {
        const char *v = look->having[i].value;
        bool plain = true;
        for (const char *c = v; *c; c++)
            plain &= *c >= ' ' && *c <= '~' && !strchr("\"\\/<>&'", *c);
        if (plain && strlen(v) > strlen(longest))
            longest = v;
    }
    return longest;
}

static void parameters(struct fl_pq_params *p, const struct fl_alert_look *look, const char *labels)
{
    fl_pq_text(p, look->realm);
    fl_pq_text(p, some(look->incident));
    fl_pq_time(p, look->since);
    fl_pq_time(p, look->until);
    fl_pq_time(p, look->after.starts_at);
    fl_pq_i64(p, (int64_t)look->after.fingerprint);
    fl_pq_i64(p, (int64_t)look->most);
    fl_pq_text(p, some(look->state));
    fl_pq_text(p, labels);
    const char *value = plain_value(look);
    fl_pq_bytes(p, value, strlen(value));
    for (size_t i = 0; i < look->n_names; i++)
        fl_pq_text(p, look->names[i]);
}

/* Nothing is unpacked where nobody asks for labels. */
static void statement(struct fl_buf *sql, const struct fl_alert_look *look)
{
    fl_buf_str(sql, rows);
    if (!look->n_having && !look->n_names) {
        fl_buf_str(
            sql,
            " SELECT b.fingerprint, b.starts_at, b.fits AND $9::text IS NULL AND $10::bytea IS NOT NULL FROM b" ORDER);
        return;
    }
    fl_buf_printf(sql, "%s SELECT l.fingerprint, l.starts_at, l.fits AND " HAS, texts);
    for (size_t i = 0; i < look->n_names; i++)
        fl_buf_printf(sql,
                      ", CASE WHEN l.fits AND " HAS
                      " THEN coalesce(l.labels ->> $%zu::text, l.packed ->> $%zu::text) END",
                      11 + i, 11 + i);
    fl_buf_str(sql, " FROM l" ORDER);
}

static struct fl_alert_key key_of(const PGresult *res, int row)
{
    return (struct fl_alert_key){(uint64_t)fl_pq_get_i64(res, row, 0), fl_pq_get_time(res, row, 1)};
}

fl_status fl_read_alert_keys(struct fl_reader *r, const struct fl_alert_look *look,
                             bool (*visit)(void *ctx, struct fl_alert_key key, const char *const *values),
                             void *ctx, size_t *ret_looked, struct fl_alert_key *ret_last, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_AUTO_BUF sql = fl_buf_init(1 << 16);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    const char *values[FL_ALERT_LOOK_NAMES], *labels = arena ? wanted_labels(arena, look) : NULL;
    FL_REQUIRE(look->n_names <= FL_ALERT_LOOK_NAMES);
    fl_pq_params_init(&p, arena);
    statement(&sql, look);
    if (!arena || sql.failed || (look->n_having && !labels))
        return fl_fail(err, FL_E_NOMEM, "alerts", "out of memory");
    parameters(&p, look, labels);
    fl_pq_fault f = fl_reader_query(r, sql.p, &p, &res, err);
    if (f)
        return fl_pq_status(f);
    int n = PQntuples(res);
    bool more = true;
    for (int i = 0; i < n && more; i++) {
        for (size_t k = 0; k < look->n_names; k++)
            values[k] = fl_pq_get_text(res, i, 3 + (int)k);
        if (fl_pq_get_i64(res, i, 2))
            more = visit(ctx, key_of(res, i), values);
    }
    if (n)
        *ret_last = key_of(res, n - 1);
    *ret_looked = (size_t)n;
    return FL_OK;
}
