/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/graph.c -- what needs a component and what falls with it, from the projected graph, on a read thread (layer 5). igraph belongs to
 * the core thread, and two breadth-first searches need no library: cost O(V log V + E). */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

struct graph {
    struct fl_arena *arena;
    const char **ids; /* sorted: a vertex is its place, so order of vertices is order of names */
    size_t n, n_edges;
    size_t *from, *to;                   /* edges: from needs to */
    size_t *up_at, *up, *down_at, *down; /* who needs v: up[up_at[v]] …; what v needs: down */
    const struct fl_json **nodes;        /* NULL: only edges name it */
};

static int by_id(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static size_t vertex(const struct graph *g, const char *id)
{
    const char **at = id ? bsearch(&id, g->ids, g->n, sizeof *g->ids, by_id) : NULL;
    return at ? (size_t)(at - g->ids) : g->n;
}

/* Lists of neighbours from pairs; `at` has n + 1 places. */
static void fill(const struct graph *g, const size_t *key, const size_t *value, size_t *at, size_t *list)
{
    for (size_t e = 0; e < g->n_edges; e++)
        at[key[e] + 1]++;
    for (size_t v = 0; v < g->n; v++)
        at[v + 1] += at[v];
    for (size_t e = g->n_edges; e-- > 0;) {
        size_t *place = &at[key[e] + 1];
        list[--*place] = value[e];
    }
    /* Each end was moved down to its beginning: one to the left, and it is a beginning again. */
    for (size_t v = 0; v < g->n; v++)
        at[v] = at[v + 1];
    at[g->n] = g->n_edges;
}

static void collect_ids(struct graph *g, const struct fl_json *nodes, const struct fl_json *edges)
{
    size_t n = 0, unique = 0;
    for (size_t i = 0; i < fl_json_len(nodes); i++)
        g->ids[n++] = fl_json_str(fl_json_at(nodes, i), "id", "");
    for (size_t i = 0; i < fl_json_len(edges); i++) {
        g->ids[n++] = fl_json_str(fl_json_at(edges, i), "from", "");
        g->ids[n++] = fl_json_str(fl_json_at(edges, i), "to", "");
    }
    qsort(g->ids, n, sizeof *g->ids, by_id);
    for (size_t i = 0; i < n; i++)
        if (!unique || strcmp(g->ids[unique - 1], g->ids[i]) != 0)
            g->ids[unique++] = g->ids[i];
    g->n = unique;
}

static bool build(struct graph *g, const struct fl_json *doc)
{
    const struct fl_json *nodes = fl_json_get(doc, "nodes"), *edges = fl_json_get(doc, "edges");
    size_t e = fl_json_len(edges), most = fl_json_len(nodes) + 2 * e;
    g->ids = fl_arena_calloc(g->arena, most + 1, sizeof *g->ids);
    if (!g->ids)
        return false;
    collect_ids(g, nodes, edges);
    size_t **arrays[] = {&g->from, &g->to, &g->up, &g->down, &g->up_at, &g->down_at};
    for (size_t i = 0; i < FL_ARRAY_LEN(arrays); i++)
        if (!(*arrays[i] = fl_arena_calloc(g->arena, i < 4 ? e + 1 : g->n + 2, sizeof(size_t))))
            return false;
    g->nodes = fl_arena_calloc(g->arena, g->n + 1, sizeof *g->nodes);
    if (!g->nodes)
        return false;
    for (size_t i = 0; i < fl_json_len(nodes); i++)
        g->nodes[vertex(g, fl_json_str(fl_json_at(nodes, i), "id", ""))] = fl_json_at(nodes, i);
    for (size_t i = 0; i < e; i++) {
        size_t a = vertex(g, fl_json_str(fl_json_at(edges, i), "from", "")),
               b = vertex(g, fl_json_str(fl_json_at(edges, i), "to", ""));
        if (a != b) {
            g->from[g->n_edges] = a;
            g->to[g->n_edges++] = b;
        }
    }
    fill(g, g->to, g->from, g->up_at, g->up);
    fill(g, g->from, g->to, g->down_at, g->down);
    return true;
}

struct search {
    size_t *queue, n;
    unsigned *hops; /* 0 = not reached */
};

static void reach(struct search *s, size_t v, unsigned hops)
{
    if (s->hops[v])
        return;
    s->hops[v] = hops;
    s->queue[s->n++] = v;
}

static bool search_new(const struct graph *g, struct search *s)
{
    *s = (struct search){.queue = fl_arena_calloc(g->arena, g->n + 1, sizeof *s->queue),
                         .hops = fl_arena_calloc(g->arena, g->n + 1, sizeof *s->hops)};
    return s->queue && s->hops;
}

static int by_vertex(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return x < y ? -1 : x > y;
}

/* Everything that needs v; hops is one more than the distance. Nearest first, then by name. */
static void dependants(const struct graph *g, size_t v, struct search *s)
{
    reach(s, v, 1);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = g->up_at[s->queue[i]]; k < g->up_at[s->queue[i] + 1]; k++)
            reach(s, g->up[k], s->hops[s->queue[i]] + 1);
    for (size_t i = 0, j; i < s->n; i = j) {
        for (j = i; j < s->n && s->hops[s->queue[j]] == s->hops[s->queue[i]]; j++)
            continue;
        qsort(s->queue + i, j - i, sizeof *s->queue, by_vertex);
    }
}

/* Without v, do its neighbours still hang together? */
static bool is_articulation(const struct graph *g, size_t v, struct search *s)
{
    s->hops[v] = UINT32_MAX; /* gone */
    const size_t *at[] = {g->up_at, g->down_at}, *list[] = {g->up, g->down};
    for (int side = 0; side < 2 && !s->n; side++)
        if (at[side][v] < at[side][v + 1])
            reach(s, list[side][at[side][v]], 1);
    for (size_t i = 0; i < s->n; i++)
        for (int side = 0; side < 2; side++)
            for (size_t k = at[side][s->queue[i]]; k < at[side][s->queue[i] + 1]; k++)
                reach(s, list[side][k], 1);
    for (int side = 0; side < 2; side++)
        for (size_t k = at[side][v]; k < at[side][v + 1]; k++)
            if (!s->hops[list[side][k]])
                return true;
    return false;
}

/* What the entries reach going down; an entry is what nothing needs. `gone` takes no part (n: all do). */
static void reach_from_entries(const struct graph *g, size_t gone, struct search *s)
{
    if (gone < g->n)
        s->hops[gone] = UINT32_MAX;
    for (size_t v = 0; v < g->n; v++)
        if (v != gone && g->up_at[v] == g->up_at[v + 1])
            reach(s, v, 1);
    for (size_t i = 0; i < s->n; i++)
        for (size_t k = g->down_at[s->queue[i]]; k < g->down_at[s->queue[i] + 1]; k++)
            reach(s, g->down[k], 1);
}

static void write_node(const struct graph *g, struct fl_jw *w, size_t v, int64_t hops)
{
    const struct fl_json *node = g->nodes[v];
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "node", g->ids[v]);
    if (hops > 0)
        fl_jw_int(w, "hops", hops);
    fl_jw_str(w, "type", node ? fl_json_str(node, "type", NULL) : NULL);
    fl_jw_str(w, "owner", node ? fl_json_str(node, "owner", NULL) : NULL);
    fl_jw_obj_end(w);
}

/* How many dependants there are of each type. */
static void write_types(const struct graph *g, const struct search *s, struct fl_jw *w)
{
    const char **types = fl_arena_alloc(g->arena, (s->n + 1) * sizeof *types);
    size_t n = 0;
    fl_jw_obj(w, "types");
    for (size_t i = 1; types && i < s->n; i++) {
        const struct fl_json *node = g->nodes[s->queue[i]];
        types[n++] = node ? fl_json_str(node, "type", "unknown") : "unknown";
    }
    if (n)
        qsort(types, n, sizeof *types, by_id);
    for (size_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && strcmp(types[i], types[j]) == 0; j++)
            continue;
        fl_jw_int(w, types[i], (int64_t)(j - i));
    }
    fl_jw_obj_end(w);
}

/* Components that every way from an entry leads to over v: without it nobody reaches them. */
static void write_dominated(const struct graph *g, size_t v, const struct search *with,
                            const struct search *without, struct fl_jw *w)
{
    fl_jw_arr(w, "dominated");
    for (size_t i = 0; i < g->n; i++)
        if (i != v && with->hops[i] && !without->hops[i])
            write_node(g, w, i, 0);
    fl_jw_arr_end(w);
}

struct impact {
    size_t v;
    struct search needing, around, with, without;
    bool articulation;
    const char *followed; /* JSON: what alerted after it in the past */
};

static void write_impact(const struct graph *g, const struct impact *m, struct fl_buf *out)
{
    const struct search *s = &m->needing;
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "node", g->ids[m->v]);
    fl_jw_bool(&w, "articulation", m->articulation);
    fl_jw_int(&w, "count", (int64_t)s->n - 1);
    fl_jw_arr(&w, "dependants");
    for (size_t i = 1; i < s->n; i++)
        write_node(g, &w, s->queue[i], (int64_t)s->hops[s->queue[i]] - 1);
    fl_jw_arr_end(&w);
    write_types(g, s, &w);
    write_dominated(g, m->v, &m->with, &m->without, &w);
    fl_jw_raw(&w, "followed", m->followed);
    fl_jw_obj_end(&w);
}

static bool impact_new(const struct graph *g, struct impact *m)
{
    return search_new(g, &m->needing) && search_new(g, &m->around) && search_new(g, &m->with) &&
           search_new(g, &m->without);
}

void read_impact(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a = {.realm = r->http->o.config->realm};
    const char *id = request_arg(r, "node");
    FL_AUTO_BUF row = fl_buf_init(REPLY_MAX);
    FL_AUTO_BUF followed = fl_buf_init(REPLY_MAX);
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct graph g = {.arena = arena};
    struct impact m = {.v = 0};
    if (!id || !*id) {
        reply_error(r, 400, "shape", "node", NULL, "node is needed: the component to look at");
        return;
    }
    if (!request_arg_time(r, "at", &a.until))
        return;
    FL_AUTO_JSON doc = fl_read_json(db, FL_READ_TOPOLOGY, &a, &row, &err) == FL_OK
                           ? fl_json_parse(row.p, row.n, &err)
                           : NULL;
    if (!doc) {
        if (err.status == FL_E_NOTFOUND)
            reply_error(r, 404, "notfound", NULL, "faultline topology import FILE",
                        "there is no topology yet");
        else
            read_failed(r, &err);
        return;
    }
    if (!arena || !build(&g, doc) || !impact_new(&g, &m)) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return;
    }
    m.v = vertex(&g, id);
    if (m.v == g.n) {
        reply_error(r, 404, "notfound", "node", "faultline topology show",
                    "the topology has no component \"%.200s\"", id);
        return;
    }
    a.id = id;
    if (fl_read_json(db, FL_READ_FOLLOWED, &a, &followed, &err) != FL_OK) {
        read_failed(r, &err);
        return;
    }
    m.followed = followed.p;
    dependants(&g, m.v, &m.needing);
    m.articulation = is_articulation(&g, m.v, &m.around);
    reach_from_entries(&g, g.n, &m.with);
    reach_from_entries(&g, m.v, &m.without);
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    write_impact(&g, &m, &b);
    reply_buf(r, 200, TYPE_JSON, &b);
}
