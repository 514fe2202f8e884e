/* SPDX-License-Identifier: GPL-3.0-or-later */
/* build.c -- topology document → snapshot: sorted nodes, two adjacency arrays, id hash, igraph_t. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "topo_internal.h"

/* An edge while it is being merged: vertices instead of names. */
struct raw_edge {
    fl_vertex from, to;
    uint8_t type;
    double weight;
};

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct fl_node *)a)->id, ((const struct fl_node *)b)->id);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_ends(const void *pa, const void *pb)
{
    const struct raw_edge *a = pa, *b = pb;
    if (a->from != b->from)
        return a->from < b->from ? -1 : 1;
    if (a->to != b->to)
        return a->to < b->to ? -1 : 1;
    return (int)a->type - (int)b->type;
}

static uint32_t slot_of(const struct fl_topo *t, const char *id, bool *found)
{
    uint32_t i = (uint32_t)fl_fnv1a(FL_FNV1A_INIT, id, strlen(id)) & t->slot_mask;
    for (; t->slot[i]; i = (i + 1) & t->slot_mask)
        if (strcmp(t->nodes[t->slot[i] - 1].id, id) == 0) {
            *found = true;
            return i;
        }
    *found = false;
    return i;
}

fl_vertex fl_topo_find(const struct fl_topo *t, const char *id)
{
    bool found;
    if (!t || !id || !t->n)
        return -1;
    uint32_t i = slot_of(t, id, &found);
    return found ? (fl_vertex)(t->slot[i] - 1) : -1;
}

static fl_status no_memory(struct fl_err *err)
{
    return fl_fail(err, FL_E_NOMEM, NULL, "out of memory while building the topology");
}

static bool copy_labels(struct fl_arena *a, struct fl_labels *l)
{
    if (!l->n)
        return true;
    struct fl_label *v = fl_arena_alloc(a, l->n * sizeof *v);
    for (size_t i = 0; v && i < l->n; i++) {
        v[i].name = fl_arena_strdup(a, l->v[i].name);
        v[i].value = fl_arena_strdup(a, l->v[i].value);
        if (!v[i].name || !v[i].value)
            return false;
    }
    l->v = v;
    return v != NULL;
}

static bool copy_text(struct fl_arena *a, const char **s)
{
    if (!*s)
        return true;
    *s = fl_arena_strdup(a, *s);
    return *s != NULL;
}

static bool copy_node(struct fl_arena *a, struct fl_node *to, const struct fl_node *from)
{
    *to = *from;
    if (!to->type)
        to->type = "unknown";
    return copy_text(a, &to->id) && copy_text(a, &to->type) && copy_text(a, &to->service) &&
           copy_text(a, &to->host) && copy_text(a, &to->tier) && copy_text(a, &to->owner) &&
           copy_labels(a, &to->labels);
}

/* Named by an edge but by no node: they exist, so they become nodes of type "unknown". */
static fl_status add_dangling(struct fl_topo *t, const struct fl_topology_doc *doc, struct fl_err *err)
{
    const char **ids = malloc((2 * doc->n_edges + 1) * sizeof *ids);
    size_t n = 0, kept = 0;
    if (!ids)
        return no_memory(err);
    for (size_t i = 0; i < 2 * doc->n_edges; i++) {
        const struct fl_edge *e = &doc->edges[i / 2];
        const char *id = i % 2 ? e->to : e->from;
        struct fl_node key = {.id = id};
        if (!t->n || !bsearch(&key, t->nodes, t->n, sizeof *t->nodes, by_id))
            ids[n++] = id;
    }
    if (n > 1)
        qsort(ids, n, sizeof *ids, by_text);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || strcmp(ids[i], ids[i - 1]) != 0)
            ids[kept++] = ids[i];
    fl_status st = FL_OK;
    if (t->n + kept > FL_NODES_MAX) {
        st = fl_fail(err, FL_E_LIMIT, "edges",
                     "%zu nodes with those that only edges name, at most %u are allowed", t->n + kept,
                     FL_NODES_MAX);
        fl_hint(err, "import services instead of single pods or requests, or part the landscape into realms");
    }
    for (size_t i = 0; st == FL_OK && i < kept; i++) {
        const struct fl_node made = {.id = ids[i], .type = "unknown"};
        if (!copy_node(t->arena, &t->nodes[t->n + i], &made))
            st = no_memory(err);
    }
    if (st == FL_OK && kept) {
        t->n += kept;
        t->n_unknown = kept;
        qsort(t->nodes, t->n, sizeof *t->nodes, by_id);
    }
    free(ids);
    return st;
}

static fl_status build_nodes(struct fl_topo *t, const struct fl_topology_doc *doc, struct fl_err *err)
{
    if (doc->n_nodes > FL_NODES_MAX || doc->n_edges > FL_EDGES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "%zu nodes and %zu edges, at most %u and %u are allowed",
                       doc->n_nodes, doc->n_edges, FL_NODES_MAX, FL_EDGES_MAX);
    size_t most = doc->n_nodes + 2 * doc->n_edges;
    t->nodes = malloc((most + 1) * sizeof *t->nodes);
    if (!t->nodes)
        return no_memory(err);
    for (size_t i = 0; i < doc->n_nodes; i++) {
        if (!doc->nodes[i].id || !doc->nodes[i].id[0])
            return fl_fail(err, FL_E_SHAPE, "nodes", "node %zu has no id", i);
        if (!copy_node(t->arena, &t->nodes[i], &doc->nodes[i]))
            return no_memory(err);
    }
    t->n = doc->n_nodes;
    if (t->n > 1)
        qsort(t->nodes, t->n, sizeof *t->nodes, by_id);
    for (size_t i = 1; i < t->n; i++)
        if (strcmp(t->nodes[i].id, t->nodes[i - 1].id) == 0)
            return fl_fail(err, FL_E_SHAPE, "nodes", "node id \"%s\" is given twice", t->nodes[i].id);
    for (size_t i = 0; i < doc->n_edges; i++)
        if (!doc->edges[i].from || !doc->edges[i].to || !doc->edges[i].from[0] || !doc->edges[i].to[0])
            return fl_fail(err, FL_E_SHAPE, "edges", "edge %zu lacks one end", i);
    return add_dangling(t, doc, err);
}

static fl_status build_hash(struct fl_topo *t, struct fl_err *err)
{
    uint32_t size = 16;
    while (size < 2 * t->n)
        size *= 2;
    t->slot_mask = size - 1;
    t->slot = calloc(size, sizeof *t->slot);
    if (!t->slot)
        return no_memory(err);
    for (size_t v = 0; v < t->n; v++) {
        bool found;
        t->slot[slot_of(t, t->nodes[v].id, &found)] = (uint32_t)v + 1;
    }
    return FL_OK;
}

static fl_status build_types(struct fl_topo *t, const struct fl_topology_doc *doc, struct fl_err *err)
{
    const char *seen[FL_TOPO_TYPES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < doc->n_edges; i++) {
        const char *type = doc->edges[i].type ? doc->edges[i].type : "";
        size_t k = 0;
        while (k < n && strcmp(seen[k], type) != 0)
            k++;
        if (k < n)
            continue;
        if (n == FL_TOPO_TYPES_MAX) {
            fl_fail(err, FL_E_LIMIT, "edges", "more than %u edge types, the last \"%.60s\"",
                    FL_TOPO_TYPES_MAX, type);
            fl_hint(err, "a type says how one needs the other, such as calls or runs_on, not what it needs");
            return FL_E_LIMIT;
        }
        seen[n++] = type;
    }
    if (n > 1)
        qsort(seen, n, sizeof *seen, by_text);
    t->types = fl_arena_alloc(t->arena, (n + 1) * sizeof *t->types);
    if (!t->types)
        return no_memory(err);
    for (size_t k = 0; k < n; k++)
        if (!(t->types[k] = fl_arena_strdup(t->arena, seen[k])))
            return no_memory(err);
    t->n_types = n;
    return FL_OK;
}

static fl_status resolve_edges(struct fl_topo *t, const struct fl_topology_doc *doc, struct raw_edge *e,
                               struct fl_err *err)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < doc->n_edges; i++) {
        const struct fl_edge *d = &doc->edges[i];
        const char *type = d->type ? d->type : "";
        if (!(d->weight > 0) || !isfinite(d->weight))
            return fl_fail(err, FL_E_SHAPE, "edges",
                           "weight of edge \"%s\" -> \"%s\" is not a positive number", d->from, d->to);
        struct raw_edge r = {fl_topo_find(t, d->from), fl_topo_find(t, d->to), 0, d->weight};
        while (strcmp(t->types[r.type], type) != 0)
            r.type++;
        if (r.from != r.to)
            e[n++] = r;
    }
    if (n > 1)
        qsort(e, n, sizeof *e, by_ends);
    for (size_t i = 0; i < n; i++) {
        if (kept && by_ends(&e[kept - 1], &e[i]) == 0)
            e[kept - 1].weight += e[i].weight;
        else
            e[kept++] = e[i];
    }
    t->m = kept;
    return FL_OK;
}

static bool adj_alloc(struct fl_adj *a, size_t n, size_t m)
{
    a->off = calloc(n + 2, sizeof *a->off);
    a->to = malloc((m + 1) * sizeof *a->to);
    a->type = malloc((m + 1) * sizeof *a->type);
    a->weight = malloc((m + 1) * sizeof *a->weight);
    return a->off && a->to && a->type && a->weight;
}

/* Counting sort; `e` is sorted by (from, to, type), so each list comes out sorted too. */
static void adj_fill(struct fl_adj *a, size_t n, const struct raw_edge *e, size_t m, bool reverse)
{
    for (size_t i = 0; i < m; i++)
        a->off[(reverse ? e[i].to : e[i].from) + 2]++;
    for (size_t v = 1; v < n + 1; v++)
        a->off[v + 1] += a->off[v];
    for (size_t i = 0; i < m; i++) {
        uint32_t at = a->off[(reverse ? e[i].to : e[i].from) + 1]++;
        a->to[at] = reverse ? e[i].from : e[i].to;
        a->type[at] = e[i].type;
        a->weight[at] = e[i].weight;
    }
}

static fl_status build_edges(struct fl_topo *t, const struct fl_topology_doc *doc, struct fl_err *err)
{
    FL_AUTO_FREE struct raw_edge *e = malloc((doc->n_edges + 1) * sizeof *e);
    if (!e)
        return no_memory(err);
    fl_status st = resolve_edges(t, doc, e, err);
    if (st)
        return st;
    FL_AUTO_FREE fl_vertex *ends = malloc((2 * t->m + 1) * sizeof *ends);
    if (!ends || !adj_alloc(&t->out, t->n, t->m) || !adj_alloc(&t->in, t->n, t->m))
        return no_memory(err);
    adj_fill(&t->out, t->n, e, t->m, false);
    adj_fill(&t->in, t->n, e, t->m, true);
    for (size_t i = 0; i < t->m; i++) {
        ends[2 * i] = e[i].from;
        ends[2 * i + 1] = e[i].to;
    }
    return fl_graph_new(t->n, ends, t->m, &t->graph, err);
}

/* The node's own word first, then the service that says it has this instance. */
static fl_vertex service_of(const struct fl_topo *t, fl_vertex v)
{
    const struct fl_node *node = &t->nodes[v];
    if (strcmp(node->type, "service") == 0)
        return v;
    fl_vertex s = fl_topo_find(t, node->service);
    if (s >= 0)
        return s;
    for (uint32_t i = t->in.off[v]; i < t->in.off[v + 1]; i++)
        if (strcmp(t->types[t->in.type[i]], "has_instance") == 0)
            return t->in.to[i];
    return -1;
}

static fl_status build_scratch(struct fl_topo *t, struct fl_err *err)
{
    t->service_of = malloc((t->n + 1) * sizeof *t->service_of);
    t->stamp = calloc(t->n + 1, sizeof *t->stamp);
    t->queue = malloc((t->n + 1) * sizeof *t->queue);
    t->parent = malloc((t->n + 1) * sizeof *t->parent);
    t->hops = malloc((t->n + 1) * sizeof *t->hops);
    if (!t->service_of || !t->stamp || !t->queue || !t->parent || !t->hops)
        return no_memory(err);
    for (size_t v = 0; v < t->n; v++)
        t->service_of[v] = service_of(t, (fl_vertex)v);
    return FL_OK;
}

fl_status fl_topo_new(const struct fl_topology_doc *doc, struct fl_topo **ret, struct fl_err *err)
{
    struct fl_topo *t = calloc(1, sizeof *t);
    if (!t || !(t->arena = fl_arena_new(0))) {
        free(t);
        return no_memory(err);
    }
    t->hash = doc->hash;
    fl_status st = build_nodes(t, doc, err);
    if (!st)
        st = build_hash(t, err);
    if (!st)
        st = build_types(t, doc, err);
    if (!st)
        st = build_edges(t, doc, err);
    if (!st)
        st = build_scratch(t, err);
    if (st) {
        fl_topo_free(t);
        return st;
    }
    *ret = t;
    return FL_OK;
}

static void adj_done(struct fl_adj *a)
{
    free(a->off);
    free(a->to);
    free(a->type);
    free(a->weight);
}

struct fl_topo *fl_topo_free(struct fl_topo *t)
{
    if (!t)
        return NULL;
    fl_graph_free(t->graph);
    adj_done(&t->out);
    adj_done(&t->in);
    free(t->nodes);
    free(t->slot);
    free(t->service_of);
    free(t->articulation);
    free(t->stamp);
    free(t->queue);
    free(t->parent);
    free(t->hops);
    fl_arena_free(t->arena);
    free(t);
    return NULL;
}
