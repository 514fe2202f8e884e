/* SPDX-License-Identifier: GPL-3.0-or-later */
/* query.c -- bounded questions to a snapshot. Cost follows the neighbourhood, never the graph. */
#include <stdlib.h>
#include <string.h>

#include "topo_internal.h"

size_t fl_topo_n_nodes(const struct fl_topo *t)
{
    return t->n;
}

size_t fl_topo_n_edges(const struct fl_topo *t)
{
    return t->m;
}

size_t fl_topo_n_unknown(const struct fl_topo *t)
{
    return t->n_unknown;
}

const struct fl_sha256 *fl_topo_hash(const struct fl_topo *t)
{
    return &t->hash;
}

const struct fl_node *fl_topo_node(const struct fl_topo *t, fl_vertex v)
{
    FL_REQUIRE(v >= 0 && (size_t)v < t->n);
    return &t->nodes[v];
}

fl_vertex fl_topo_service_of(const struct fl_topo *t, fl_vertex v)
{
    return v >= 0 && (size_t)v < t->n ? t->service_of[v] : -1;
}

size_t fl_topo_neighbours(const struct fl_topo *t, fl_vertex v, enum fl_dir dir, const fl_vertex **ret)
{
    FL_REQUIRE(v >= 0 && (size_t)v < t->n && dir != FL_DIR_BOTH);
    const struct fl_adj *a = dir == FL_DIR_NEEDS ? &t->out : &t->in;
    *ret = a->to + a->off[v];
    return a->off[v + 1] - a->off[v];
}

const char *fl_topo_edge_type(const struct fl_topo *t, fl_vertex v, enum fl_dir dir, size_t i)
{
    const struct fl_adj *a = dir == FL_DIR_NEEDS ? &t->out : &t->in;
    FL_REQUIRE(v >= 0 && (size_t)v < t->n && a->off[v] + i < a->off[v + 1]);
    return t->types[a->type[a->off[v] + i]];
}

/* The edge types of one question as a bit set over the snapshot's type table. */
struct type_set {
    uint64_t bits[FL_TOPO_TYPES_MAX / 64];
};

static void type_set_make(const struct fl_topo *t, const char *const *types, size_t n, struct type_set *ret)
{
    memset(ret, n ? 0 : 0xff, sizeof *ret);
    for (size_t k = 0; n && k < t->n_types; k++)
        for (size_t i = 0; i < n; i++)
            if (strcmp(t->types[k], types[i]) == 0)
                ret->bits[k / 64] |= UINT64_C(1) << (k % 64);
}

static bool type_set_has(const struct type_set *s, uint8_t type)
{
    return s->bits[type / 64] >> (type % 64) & 1;
}

static fl_status begin(struct fl_topo *t, fl_vertex from, struct fl_err *err)
{
    if (from < 0 || (size_t)from >= t->n)
        return fl_fail(err, FL_E_NOTFOUND, NULL, "vertex %d is not in a topology of %zu nodes", (int)from,
                       t->n);
    if (t->busy)
        return fl_fail(err, FL_E_INTERNAL, NULL, "a walk was started inside the visit of another");
    t->busy = true;
    if (++t->epoch == 0) { /* after 2^32 walks: the one time that everything is cleared */
        memset(t->stamp, 0, (t->n + 1) * sizeof *t->stamp);
        t->epoch = 1;
    }
    t->stamp[from] = t->epoch;
    t->parent[from] = -1;
    t->hops[from] = 0;
    t->queue[0] = from;
    return FL_OK;
}

/* Append the unseen neighbours of v; returns the new tail. */
static size_t expand(struct fl_topo *t, const struct fl_adj *a, fl_vertex v, const struct type_set *set,
                     size_t tail)
{
    for (uint32_t i = a->off[v]; i < a->off[v + 1]; i++) {
        fl_vertex w = a->to[i];
        if (t->stamp[w] == t->epoch || !type_set_has(set, a->type[i]))
            continue;
        t->stamp[w] = t->epoch;
        t->parent[w] = v;
        t->hops[w] = t->hops[v] + 1;
        t->queue[tail++] = w;
    }
    return tail;
}

static int by_vertex(const void *a, const void *b)
{
    fl_vertex x = *(const fl_vertex *)a, y = *(const fl_vertex *)b;
    return x < y ? -1 : x > y;
}

/* Breadth first in whole levels; a level is sorted by vertex before it is visited. */
static void walk_levels(struct fl_topo *t, enum fl_dir dir, unsigned max_hops, const struct type_set *set,
                        bool (*visit)(void *, fl_vertex, unsigned), void *ctx)
{
    size_t begin_level = 0, tail = 1;
    for (unsigned hops = 0; begin_level < tail; hops++) {
        size_t end_level = tail;
        if (end_level - begin_level > 1)
            qsort(t->queue + begin_level, end_level - begin_level, sizeof *t->queue, by_vertex);
        for (size_t i = begin_level; i < end_level; i++)
            if (visit(ctx, t->queue[i], hops))
                return;
        for (size_t i = begin_level; hops < max_hops && i < end_level; i++) {
            if (dir & FL_DIR_NEEDS)
                tail = expand(t, &t->out, t->queue[i], set, tail);
            if (dir & FL_DIR_NEEDED_BY)
                tail = expand(t, &t->in, t->queue[i], set, tail);
        }
        begin_level = end_level;
    }
}

fl_status fl_topo_walk(struct fl_topo *t, fl_vertex from, enum fl_dir dir, unsigned max_hops,
                       const char *const *types, size_t n_types,
                       bool (*visit)(void *ctx, fl_vertex v, unsigned hops), void *ctx, struct fl_err *err)
{
    struct type_set set;
    fl_status st = begin(t, from, err);
    if (st)
        return st;
    type_set_make(t, types, n_types, &set);
    walk_levels(t, dir, max_hops, &set, visit, ctx);
    t->busy = false;
    return FL_OK;
}

struct goal {
    fl_vertex to;
    bool found;
};

static bool at_goal(void *ctx, fl_vertex v, unsigned hops)
{
    struct goal *g = ctx;
    (void)hops;
    g->found = v == g->to;
    return g->found;
}

fl_status fl_topo_path(struct fl_topo *t, struct fl_arena *arena, fl_vertex from, fl_vertex to,
                       enum fl_dir dir, fl_vertex **ret, size_t *ret_n, struct fl_err *err)
{
    struct goal g = {.to = to};
    if (to < 0 || (size_t)to >= t->n)
        return fl_fail(err, FL_E_NOTFOUND, NULL, "vertex %d is not in a topology of %zu nodes", (int)to,
                       t->n);
    fl_status st = fl_topo_walk(t, from, dir, UINT32_MAX, NULL, 0, at_goal, &g, err);
    if (st)
        return st;
    *ret = NULL;
    *ret_n = 0;
    if (!g.found)
        return FL_OK;
    size_t n = t->hops[to] + 1;
    fl_vertex *path = fl_arena_alloc(arena, n * sizeof *path);
    if (!path)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_vertex v = to;
    for (size_t i = n; i-- > 0; v = t->parent[v])
        path[i] = v;
    *ret = path;
    *ret_n = n;
    return FL_OK;
}

static fl_status articulation(struct fl_topo *t, struct fl_err *err)
{
    if (t->articulation)
        return FL_OK;
    uint8_t *mark = calloc(t->n + 1, 1);
    if (!mark)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_graph_articulation(t->graph, mark, err);
    if (st)
        free(mark);
    else
        t->articulation = mark;
    return st;
}

struct gather {
    struct fl_topo *t;
    size_t n;
};

static bool count_visit(void *ctx, fl_vertex v, unsigned hops)
{
    struct gather *g = ctx;
    (void)v;
    (void)hops;
    g->n++;
    return false;
}

fl_status fl_topo_impact(struct fl_topo *t, struct fl_arena *arena, fl_vertex v, struct fl_impact *ret,
                         struct fl_err *err)
{
    struct gather g = {.t = t};
    fl_status st = fl_topo_walk(t, v, FL_DIR_NEEDED_BY, UINT32_MAX, NULL, 0, count_visit, &g, err);
    if (!st)
        st = articulation(t, err);
    if (st)
        return st;
    /* The queue still holds the walk: the node itself, then its dependants in the order visited. */
    size_t n = g.n - 1;
    fl_vertex *dependants = fl_arena_alloc(arena, (n + 1) * sizeof *dependants);
    unsigned *hops = fl_arena_alloc(arena, (n + 1) * sizeof *hops);
    if (!dependants || !hops)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        dependants[i] = t->queue[i + 1];
        hops[i] = t->hops[dependants[i]];
    }
    *ret = (struct fl_impact){dependants, hops, n, t->articulation[v] != 0};
    return FL_OK;
}
