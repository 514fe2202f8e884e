/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/cycles.c -- strongly connected components of the graph over edges of some types. What needs each
 * other may not inhibit each other: in a circle in which everything alerts, nobody would be told. */
#include "correlate_priv.h"

#include <string.h>

struct frame {
    fl_vertex v;
    size_t edge; /* next one to look at */
};
struct tarjan {
    struct fl_topo *topo;
    const char *const *types;
    size_t n_types;
    fl_vertex *number, *low, *ret; /* number: order of discovery from 1, 0 = not seen; ret: -1 = not closed */
    fl_vertex *open;               /* vertices seen whose component is not closed */
    struct frame *calls;           /* our own stack: a chain of a million must not be recursion */
    size_t n_open, n_calls;
    fl_vertex seen;
};

static bool counts(const struct tarjan *t, fl_vertex v, size_t edge)
{
    const char *type = fl_topo_edge_type(t->topo, v, FL_DIR_NEEDS, edge);
    for (size_t k = 0; k < t->n_types; k++)
        if (fl_streq(type, t->types[k]))
            return true;
    return false;
}

static void enter(struct tarjan *t, fl_vertex v)
{
    t->number[v] = t->low[v] = ++t->seen;
    t->open[t->n_open++] = v;
    t->calls[t->n_calls++] = (struct frame){v, 0};
}

static void leave(struct tarjan *t, fl_vertex v)
{
    t->n_calls--;
    if (t->n_calls) {
        fl_vertex up = t->calls[t->n_calls - 1].v;
        if (t->low[v] < t->low[up])
            t->low[up] = t->low[v];
    }
    if (t->low[v] != t->number[v])
        return;
    fl_vertex w;
    do {
        w = t->open[--t->n_open];
        t->ret[w] = v;
    } while (w != v);
}

static void visit(struct tarjan *t, fl_vertex from)
{
    enter(t, from);
    while (t->n_calls) {
        struct frame *f = &t->calls[t->n_calls - 1];
        const fl_vertex *to;
        size_t n = fl_topo_neighbours(t->topo, f->v, FL_DIR_NEEDS, &to);
        if (f->edge == n) {
            leave(t, f->v);
            continue;
        }
        size_t edge = f->edge++;
        if (!counts(t, f->v, edge))
            continue;
        fl_vertex w = to[edge];
        if (!t->number[w])
            enter(t, w);
        else if (t->ret[w] < 0 && t->number[w] < t->low[f->v])
            t->low[f->v] = t->number[w];
    }
}

fl_vertex *cycles_of(struct fl_topo *topo, const char *const *types, size_t n_types)
{
    size_t n = fl_topo_n_nodes(topo);
    struct tarjan t = {.topo = topo, .types = types, .n_types = n_types};
    t.number = fl_core_alloc(n, sizeof *t.number);
    t.low = fl_core_alloc(n, sizeof *t.low);
    t.ret = fl_core_alloc(n, sizeof *t.ret);
    t.open = fl_core_alloc(n, sizeof *t.open);
    t.calls = fl_core_alloc(n, sizeof *t.calls);
    memset(t.ret, 0xff, n * sizeof *t.ret);
    for (size_t v = 0; v < n; v++)
        if (!t.number[v])
            visit(&t, (fl_vertex)v);
    free(t.number);
    free(t.low);
    free(t.open);
    free(t.calls);
    return t.ret;
}
