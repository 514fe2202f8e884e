/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/topology_rows.c -- a new version of the graph as bitemporal rows.
 *
 * What did not change keeps its row. What changed or went is closed: the old row gets known_until (we no longer
 * believe it holds for ever), a copy says it held until now, and, if it only changed, a new row says what holds. */
#include "store_priv.h"

#include <faultline/json.h>

#include <stdio.h>
#include <string.h>

#define CHUNK 20000

/* A million rows on a busy machine take minutes. Cut short they would be begun again, for ever: the time grows with them. */
static struct fl_pq_wait patience_for(const struct fl_topology_doc *d)
{
    return (struct fl_pq_wait){.patience = 120 * FL_USEC_PER_SEC +
                                           (fl_usec)(d->n_nodes + d->n_edges) * (FL_USEC_PER_SEC / 2000)};
}

/* In the projector's transaction: the limit of the next one is the old one. */
static const char stage_sql[] =
    "SET LOCAL statement_timeout = %lld;"
    "CREATE TEMP TABLE IF NOT EXISTS new_node (id_hash bytea, hash bytea, id text, type text, service text, host text,"
    " tier text, owner text, labels jsonb) ON COMMIT DELETE ROWS;"
    "CREATE TEMP TABLE IF NOT EXISTS new_edge (id_hash bytea, hash bytea, from_id text, to_id text, type text,"
    " weight double precision) ON COMMIT DELETE ROWS;"
    "TRUNCATE new_node, new_edge";

/* Length-prefixed, so that no two different rows read the same. */
static void mix(struct fl_buf *b, const char *s)
{
    fl_buf_printf(b, "%zu:", s ? strlen(s) : (size_t)0);
    fl_buf_str(b, s ? s : "");
}

static void labels_text(const struct fl_labels *l, struct fl_buf *b)
{
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < l->n; i++)
        fl_jw_str(&w, l->v[i].name, l->v[i].value);
    fl_jw_obj_end(&w);
}

static fl_pq_fault stage_nodes(PGconn *c, const struct fl_node *v, size_t n,
                               const struct fl_pq_wait *patience, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_BUF b = fl_buf_init((size_t)64 << 20), l = fl_buf_init((size_t)64 << 20);
    fl_pq_params_init(&p, a);
    struct fl_pq_array idh = fl_pq_array(&p, FL_PQ_BYTES), h = fl_pq_array(&p, FL_PQ_BYTES);
    struct fl_pq_array id = fl_pq_array(&p, FL_PQ_TEXT), type = fl_pq_array(&p, FL_PQ_TEXT);
    struct fl_pq_array service = fl_pq_array(&p, FL_PQ_TEXT), host = fl_pq_array(&p, FL_PQ_TEXT);
    struct fl_pq_array tier = fl_pq_array(&p, FL_PQ_TEXT), owner = fl_pq_array(&p, FL_PQ_TEXT);
    struct fl_pq_array labels = fl_pq_array(&p, FL_PQ_TEXT);
    for (size_t i = 0; i < n; i++) {
        struct fl_sha256 x;
        fl_buf_reset(&l);
        fl_buf_reset(&b);
        labels_text(&v[i].labels, &l);
        const char *parts[] = {v[i].id, v[i].type, v[i].service, v[i].host, v[i].tier, v[i].owner, l.p};
        for (size_t k = 0; k < FL_ARRAY_LEN(parts); k++)
            mix(&b, parts[k]);
        p.failed |= b.failed || l.failed;
        fl_sha256(v[i].id, strlen(v[i].id), &x);
        fl_pq_add_bytes(&idh, x.b, sizeof x.b);
        fl_sha256(b.p, b.n, &x);
        fl_pq_add_bytes(&h, x.b, sizeof x.b);
        fl_pq_add_text(&id, v[i].id);
        fl_pq_add_text(&type, v[i].type ? v[i].type : "");
        fl_pq_add_opt(&service, v[i].service);
        fl_pq_add_opt(&host, v[i].host);
        fl_pq_add_opt(&tier, v[i].tier);
        fl_pq_add_opt(&owner, v[i].owner);
        fl_pq_add_text(&labels, l.failed ? "{}" : l.p);
    }
    struct fl_pq_array *all[] = {&idh, &h, &id, &type, &service, &host, &tier, &owner, &labels};
    for (size_t k = 0; k < FL_ARRAY_LEN(all); k++)
        fl_pq_array_end(all[k]);
    return fl_pq_exec(c,
                      "INSERT INTO new_node SELECT a, b, c, d, e, f, g, h, i::jsonb FROM unnest($1::bytea[],"
                      " $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],"
                      " $9::text[]) u(a, b, c, d, e, f, g, h, i)",
                      &p, patience, NULL, err);
}

static fl_pq_fault stage_edges(PGconn *c, const struct fl_edge *v, size_t n,
                               const struct fl_pq_wait *patience, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_BUF b = fl_buf_init((size_t)1 << 20);
    fl_pq_params_init(&p, a);
    struct fl_pq_array idh = fl_pq_array(&p, FL_PQ_BYTES), h = fl_pq_array(&p, FL_PQ_BYTES);
    struct fl_pq_array from = fl_pq_array(&p, FL_PQ_TEXT), to = fl_pq_array(&p, FL_PQ_TEXT);
    struct fl_pq_array type = fl_pq_array(&p, FL_PQ_TEXT), weight = fl_pq_array(&p, FL_PQ_REAL);
    for (size_t i = 0; i < n; i++) {
        struct fl_sha256 x;
        fl_buf_reset(&b);
        mix(&b, v[i].from);
        mix(&b, v[i].to);
        mix(&b, v[i].type);
        fl_sha256(b.p, b.n, &x);
        fl_pq_add_bytes(&idh, x.b, sizeof x.b);
        fl_buf_printf(&b, "%.17g", v[i].weight);
        p.failed |= b.failed;
        fl_sha256(b.p, b.n, &x);
        fl_pq_add_bytes(&h, x.b, sizeof x.b);
        fl_pq_add_text(&from, v[i].from);
        fl_pq_add_text(&to, v[i].to);
        fl_pq_add_text(&type, v[i].type ? v[i].type : "");
        fl_pq_add_real(&weight, v[i].weight);
    }
    struct fl_pq_array *all[] = {&idh, &h, &from, &to, &type, &weight};
    for (size_t k = 0; k < FL_ARRAY_LEN(all); k++)
        fl_pq_array_end(all[k]);
    return fl_pq_exec(
        c,
        "INSERT INTO new_edge SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::text[], $4::text[],"
        " $5::text[], $6::float8[])",
        &p, patience, NULL, err);
}

#define CURRENT "true_until = 'infinity' AND known_until = 'infinity'"

/* $1 realm, $2 time. Duplicates within one document: the last would win, so any one may. */
static const char *const diff_sql[] = {
    "WITH gone AS (UPDATE node t SET known_until = $2 WHERE realm = $1 AND " CURRENT
    " AND NOT EXISTS (SELECT FROM new_node n WHERE n.id_hash = t.id_hash AND n.hash = t.hash) RETURNING t.*)"
    " INSERT INTO node (realm, id_hash, hash, id, type, service, host, tier, owner, labels, true_from, true_until, known_from)"
    " SELECT realm, id_hash, hash, id, type, service, host, tier, owner, labels, true_from, $2, $2 FROM gone WHERE true_from < $2",
    "INSERT INTO node (realm, id_hash, hash, id, type, service, host, tier, owner, labels, true_from, known_from)"
    " SELECT DISTINCT ON (n.id_hash) $1, n.id_hash, n.hash, n.id, n.type, n.service, n.host, n.tier, n.owner, n.labels, $2, $2"
    " FROM new_node n WHERE NOT EXISTS (SELECT FROM node t WHERE t.realm = $1 AND t.id_hash = n.id_hash AND " CURRENT
    ")",
    "WITH gone AS (UPDATE edge t SET known_until = $2 WHERE realm = $1 AND " CURRENT
    " AND NOT EXISTS (SELECT FROM new_edge n WHERE n.id_hash = t.id_hash AND n.hash = t.hash) RETURNING t.*)"
    " INSERT INTO edge (realm, id_hash, hash, from_id, to_id, type, weight, true_from, true_until, known_from)"
    " SELECT realm, id_hash, hash, from_id, to_id, type, weight, true_from, $2, $2 FROM gone WHERE true_from < $2",
    "INSERT INTO edge (realm, id_hash, hash, from_id, to_id, type, weight, true_from, known_from)"
    " SELECT DISTINCT ON (n.id_hash) $1, n.id_hash, n.hash, n.from_id, n.to_id, n.type, n.weight, $2, $2"
    " FROM new_edge n WHERE NOT EXISTS (SELECT FROM edge t WHERE t.realm = $1 AND t.id_hash = n.id_hash AND " CURRENT
    ")"};

static fl_pq_fault apply(PGconn *c, const char *realm, const struct fl_topology_row *t,
                         const struct fl_pq_wait *patience, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p, q;
    fl_pq_params_init(&p, a);
    fl_pq_params_init(&q, a);
    fl_pq_text(&p, realm);
    fl_pq_time(&p, t->at);
    fl_pq_text(&q, realm);
    fl_pq_i64(&q, (int64_t)t->event_seq);
    fl_pq_time(&q, t->at);
    fl_pq_bytes(&q, t->doc->hash.b, sizeof t->doc->hash.b);
    fl_pq_i64(&q, (int64_t)t->doc->n_nodes);
    fl_pq_i64(&q, (int64_t)t->doc->n_edges);
    fl_pq_fault f = FL_PQ_NONE;
    for (size_t i = 0; !f && i < FL_ARRAY_LEN(diff_sql); i++)
        f = fl_pq_exec(c, diff_sql[i], &p, patience, NULL, err);
    return f ? f
             : fl_pq_exec(c,
                          "INSERT INTO topology (realm, event_seq, at, hash, nodes, edges)"
                          " VALUES ($1, $2, $3, $4, $5, $6)",
                          &q, patience, NULL, err);
}

fl_pq_fault fl_topology_write(PGconn *c, const char *realm, const struct fl_topology_row *t,
                              struct fl_err *err)
{
    const struct fl_topology_doc *d = t->doc;
    const struct fl_pq_wait patience = patience_for(d);
    char sql[sizeof stage_sql + 32];
    snprintf(sql, sizeof sql, stage_sql, (long long)(patience.patience / 1000));
    fl_pq_fault f = fl_pq_script(c, sql, &patience, err);
    for (size_t i = 0; !f && i < d->n_nodes; i += CHUNK)
        f = stage_nodes(c, d->nodes + i, d->n_nodes - i < CHUNK ? d->n_nodes - i : CHUNK, &patience, err);
    for (size_t i = 0; !f && i < d->n_edges; i += CHUNK)
        f = stage_edges(c, d->edges + i, d->n_edges - i < CHUNK ? d->n_edges - i : CHUNK, &patience, err);
    return f ? f : apply(c, realm, t, &patience, err);
}
