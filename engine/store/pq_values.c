/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/pq_values.c -- binary parameters, arrays and results; contract in pq_priv.h. */
#include "pq_priv.h"

#include <endian.h>
#include <string.h>

#define PG_EPOCH INT64_C(946684800000000) /* 2000-01-01 in microseconds since 1970 */
#define PARAM_MAX ((size_t)1 << 29)       /* a message of the protocol ends at 1 GiB */

/* Element types by fl_pq_elem and the types of their arrays (catalog pg_type, fixed for ever). */
static const Oid scalar_oid[] = {25, 20, 1184, 17, 701, 16};
static const Oid array_oid[] = {1009, 1016, 1185, 1001, 1022, 1000};

void fl_pq_params_init(struct fl_pq_params *p, struct fl_arena *arena)
{
    *p = (struct fl_pq_params){.arena = arena};
}

void fl_pq_params_done(struct fl_pq_params *p)
{
    for (int i = 0; i < p->n; i++)
        fl_buf_done(&p->bufs[i]);
    p->n = 0;
}

static void put(struct fl_pq_params *p, fl_pq_elem elem, const void *b, size_t n)
{
    FL_REQUIRE(p->n < FL_PQ_PARAMS_MAX);
    int i = p->n++;
    p->types[i] = scalar_oid[elem];
    p->formats[i] = 1;
    p->bufs[i] = fl_buf_init(0);
    p->values[i] = NULL;
    p->lengths[i] = 0;
    if (!b)
        return;
    if (n > PARAM_MAX) {
        p->failed = true;
        return;
    }
    p->values[i] = b;
    p->lengths[i] = (int)n;
}

void fl_pq_text(struct fl_pq_params *p, const char *s)
{
    put(p, FL_PQ_TEXT, s, s ? strlen(s) : 0);
}

static void put_i64(struct fl_pq_params *p, fl_pq_elem elem, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);
    void *copy = fl_arena_dup(p->arena, &be, sizeof be);
    p->failed |= !copy;
    put(p, elem, copy, sizeof be);
}

void fl_pq_i64(struct fl_pq_params *p, int64_t v)
{
    put_i64(p, FL_PQ_I64, v);
}

int64_t fl_pq_instant(fl_usec t)
{
    return t - PG_EPOCH;
}

void fl_pq_time(struct fl_pq_params *p, fl_usec t)
{
    if (t)
        put_i64(p, FL_PQ_TIME, fl_pq_instant(t));
    else
        put(p, FL_PQ_TIME, NULL, 0);
}

void fl_pq_bytes(struct fl_pq_params *p, const void *b, size_t n)
{
    put(p, FL_PQ_BYTES, b ? b : "", b ? n : 0);
}

/* ---- arrays: ndim, has nulls, element type, length, lower bound; then length and bytes of each -------------- */

static void put32(struct fl_buf *b, uint32_t v)
{
    uint32_t be = htobe32(v);
    fl_buf_add(b, &be, sizeof be);
}

struct fl_pq_array fl_pq_array(struct fl_pq_params *p, fl_pq_elem elem)
{
    put(p, elem, NULL, 0);
    int i = p->n - 1;
    p->types[i] = array_oid[elem];
    p->bufs[i] = fl_buf_init(PARAM_MAX);
    struct fl_buf *b = &p->bufs[i];
    put32(b, 1);
    put32(b, 1);
    put32(b, scalar_oid[elem]);
    put32(b, 0); /* the length, set at the end */
    put32(b, 1);
    return (struct fl_pq_array){.p = p, .b = b, .elem = elem};
}

void fl_pq_array_end(struct fl_pq_array *a)
{
    int i = (int)(a->b - a->p->bufs);
    if (a->b->failed) {
        a->p->failed = true;
        return;
    }
    uint32_t be = htobe32((uint32_t)a->n);
    memcpy(a->b->p + 12, &be, sizeof be);
    a->p->values[i] = a->b->p;
    a->p->lengths[i] = (int)a->b->n;
}

static void add(struct fl_pq_array *a, const void *b, size_t n)
{
    a->n++;
    put32(a->b, b ? (uint32_t)n : UINT32_MAX);
    if (b && n)
        fl_buf_add(a->b, b, n);
}

void fl_pq_add_text(struct fl_pq_array *a, const char *s)
{
    add(a, s, s ? strlen(s) : 0);
}

void fl_pq_add_opt(struct fl_pq_array *a, const char *s)
{
    fl_pq_add_text(a, s && *s ? s : NULL);
}

void fl_pq_add_i64(struct fl_pq_array *a, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);
    add(a, &be, sizeof be);
}

void fl_pq_add_time(struct fl_pq_array *a, fl_usec t)
{
    if (t)
        fl_pq_add_i64(a, fl_pq_instant(t));
    else
        add(a, NULL, 0);
}

void fl_pq_add_bytes(struct fl_pq_array *a, const void *b, size_t n)
{
    add(a, b ? b : "", b ? n : 0);
}

void fl_pq_add_real(struct fl_pq_array *a, double v)
{
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    fl_pq_add_i64(a, bits);
}

void fl_pq_add_bool(struct fl_pq_array *a, bool v)
{
    add(a, v ? "\1" : "\0", 1);
}

/* ---- results --------------------------------------------------------------------------------------------- */

int64_t fl_pq_get_i64(const PGresult *r, int row, int col)
{
    const char *p = PQgetvalue(r, row, col);
    switch (PQgetlength(r, row, col)) {
    case 8: {
        uint64_t be;
        memcpy(&be, p, sizeof be);
        return (int64_t)be64toh(be);
    }
    case 4: {
        uint32_t be;
        memcpy(&be, p, sizeof be);
        return (int32_t)be32toh(be);
    }
    case 1: return *p != 0;
    default: return 0;
    }
}

fl_usec fl_pq_get_time(const PGresult *r, int row, int col)
{
    if (PQgetisnull(r, row, col))
        return 0;
    int64_t t = fl_pq_get_i64(r, row, col);
    return t == INT64_MAX || t == INT64_MIN ? 0 : t + PG_EPOCH; /* infinities have no such thing here */
}

const char *fl_pq_get_text(const PGresult *r, int row, int col)
{
    return PQgetvalue(r, row, col);
}

void fl_pq_get_hash(const PGresult *r, int row, int col, struct fl_sha256 *ret)
{
    *ret = (struct fl_sha256){0};
    if (PQgetlength(r, row, col) == (int)sizeof ret->b)
        memcpy(ret->b, PQgetvalue(r, row, col), sizeof ret->b);
}
