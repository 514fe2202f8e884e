/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_topology.c -- topology import, export, show, impact, path, history (layer 6). What the engine
 * does not serve is answered in this process, from the exported graph: its core thread has better things to do. */
#include "cli.h"

#include <faultline/daemon.h>
#include <faultline/intake.h>
#include <faultline/script.h>
#include <faultline/topology.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TOPOLOGY_MAX = 512 << 20 };

static const char forms[] = "json, jaeger, csv, graphml or lua";

enum { LUA_BUDGET_S = 10 };

static fl_status read_lua(struct fl_arena *arena, const char *name, const char *text, size_t n,
                          struct fl_topology_doc *doc, struct fl_err *err)
{
    FL_AUTO_FREE char *data = NULL;
    FL_AUTO_BUF own = fl_buf_init(TOPOLOGY_MAX);
    fl_status st = fl_script_eval(FL_SCRIPT_CONFIG, name, text, n, LUA_BUDGET_S * FL_USEC_PER_SEC, &data,
                                  err);
    if (!st)
        st = fl_intake_topology_lua(data, strlen(data), &own, err);
    return st ? st : fl_intake_topology(arena, own.p, own.n, doc, err);
}

static fl_status read_form(struct fl_arena *arena, const char *name, fl_topology_form form, const char *text,
                           size_t n, struct fl_topology_doc *doc, struct fl_err *err)
{
    switch (form) {
    case FL_TF_CSV: return fl_intake_topology_csv(arena, name, text, n, doc, err);
    case FL_TF_JAEGER: return fl_intake_topology_jaeger(arena, text, n, doc, err);
    case FL_TF_GRAPHML: return fl_topo_read_graphml(arena, text, n, doc, err);
    case FL_TF_LUA: return read_lua(arena, name, text, n, doc, err);
    case FL_TF_JSON: break;
    }
    return fl_intake_topology(arena, text, n, doc, err);
}

/* The graph in our form, after what the engine would ask of it too. */
static fl_status own_form(const char *name, fl_topology_form form, const char *text, size_t n,
                          struct fl_buf *out, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_topology_doc doc;
    struct fl_topo *topo = NULL;
    if (!arena)
        return fl_fail(err, FL_E_NOMEM, name, "out of memory");
    fl_status st = read_form(arena, name, form, text, n, &doc, err);
    if (!st)
        st = fl_topo_new(&doc, &topo, err);
    fl_topo_free(topo);
    if (!st)
        st = fl_topology_text(&doc, out);
    else if (strncmp(err->where, name, strlen(name)) != 0) {
        char inner[sizeof err->where];
        memcpy(inner, err->where, sizeof inner);
        snprintf(err->where, sizeof err->where, inner[0] ? "%.90s, %.90s" : "%.90s%s", name, inner);
    }
    return st;
}

/* Reads FILE into `out` as our JSON, or as it is when it is that already and only goes to the engine.
 * @return -1 to go on, else the exit code. */
static int read_graph(struct args *a, struct fl_buf *out)
{
    struct fl_err err = {0};
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    const char *path = !strcmp(a->pos[0], "-") ? "/dev/stdin" : a->pos[0], *said = arg(a, "format");
    if (fl_read_file(path, TOPOLOGY_MAX, &text, &n, &err) != FL_OK)
        return fail_with("topology import", &err);
    fl_topology_form form = fl_topology_form_guess(path, text, n);
    if (said && !fl_topology_form_parse(said, &form))
        return usage_error("--format %s: no such form; one of %s", said, forms);
    if (form == FL_TF_JSON && !arg_set(a, "dry-run")) {
        fl_buf_add(out, text, n); /* the engine says what is wrong with it */
        return -1;
    }
    if (own_form(path, form, text, n, out, &err) == FL_OK)
        return -1;
    if (!said && form != FL_TF_LUA) /* told from the ending, not guessed */
        fl_hint(&err, "it was read as %s; --format says otherwise: %s", fl_topology_form_name(form), forms);
    return fail_with("topology import", &err);
}

int cmd_topology_import(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF graph = fl_buf_init(TOPOLOGY_MAX);
    fl_topo_init();
    int code = read_graph(a, &graph);
    if (code >= 0)
        return code;
    if (arg_set(a, "dry-run")) {
        print_json(&graph);
        return EXIT_FINE;
    }
    code = call_server(a, "PUT", "/api/v1/topology", graph.n ? graph.p : "", graph.n, &r);
    if (code)
        return code;
    if (a->json || !r.json)
        print_json(&r.body);
    else
        fprintf(stderr, "%lld components, %lld dependencies\n", (long long)fl_json_int(r.json, "nodes", 0),
                (long long)fl_json_int(r.json, "edges", 0));
    return EXIT_FINE;
}

static int fetch(struct args *a, const char *at, struct reply *r)
{
    FL_AUTO_BUF path = fl_buf_init(4096);
    const char *const pairs[] = {"at", at, NULL};
    fl_buf_str(&path, "/api/v1/topology");
    url_query(&path, pairs);
    return call_server(a, "GET", path.p, NULL, 0, r);
}

int cmd_topology_export(struct args *a)
{
    AUTO_REPLY r = {0};
    const char *out = arg(a, "out");
    int code = fetch(a, arg(a, "at"), &r);
    if (code)
        return code;
    if (!out) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    FILE *f = fopen(out, "we");
    bool ok = f && fwrite(r.body.p, 1, r.body.n, f) == r.body.n;
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? EXIT_FINE : usage_error("--out: %s: %s", out, strerror(errno));
}

/* ---- the graph in this process ---- */

struct graph {
    struct fl_arena *arena;
    struct fl_topology_doc doc;
    struct fl_topo *topo;
};

static void graph_done(struct graph *g)
{
    fl_topo_free(g->topo);
    fl_arena_free(g->arena);
}

static int graph_load(struct args *a, struct graph *g)
{
    struct fl_err err = {0};
    AUTO_REPLY r = {0};
    int code = fetch(a, NULL, &r);
    if (code)
        return code;
    g->arena = fl_arena_new(0);
    char *copy = g->arena ? fl_arena_strndup(g->arena, r.body.p ? r.body.p : "", r.body.n) : NULL;
    fl_topo_init();
    if (!copy || fl_intake_topology(g->arena, copy, r.body.n, &g->doc, &err) != FL_OK ||
        fl_topo_new(&g->doc, &g->topo, &err) != FL_OK)
        return fail_with("topology", &err);
    return 0;
}

static int find(const struct graph *g, const char *id, fl_vertex *ret)
{
    *ret = fl_topo_find(g->topo, id);
    if (*ret >= 0)
        return 0;
    fprintf(stderr, "faultline: \"%s\": the topology has no such component; faultline topology show\n", id);
    return EXIT_FINDING;
}

static void print_node(const struct fl_node *n)
{
    put_padded(stdout, n->id, 40);
    fputs("  ", stdout);
    put_padded(stdout, n->type, 12);
    if (n->owner) {
        fputs("  ", stdout);
        put_text(stdout, n->owner, 0);
    }
    putchar('\n');
}

struct neighbours {
    const struct graph *g;
    const char *title;
    fl_vertex self;
};

static bool print_neighbour(void *ctx, fl_vertex v, unsigned hops)
{
    struct neighbours *w = ctx;
    if (hops != 1 || v == w->self)
        return false;
    printf("  %-9s ", w->title);
    print_node(fl_topo_node(w->g->topo, v));
    return false;
}

static void show_figures(const struct graph *g)
{
    const char *types[64];
    size_t counts[64] = {0}, n = 0;
    printf("%zu components, %zu dependencies\n", fl_topo_n_nodes(g->topo), fl_topo_n_edges(g->topo));
    for (size_t i = 0; i < g->doc.n_nodes; i++) {
        size_t k = 0;
        while (k < n && strcmp(types[k], g->doc.nodes[i].type) != 0)
            k++;
        if (k == n && n < FL_ARRAY_LEN(types))
            types[n++] = g->doc.nodes[i].type;
        if (k < n)
            counts[k]++;
    }
    for (size_t k = 0; k < n; k++) {
        printf("  %8zu  ", counts[k]);
        put_text(stdout, types[k], 0);
        putchar('\n');
    }
}

int cmd_topology_show(struct args *a)
{
    struct graph g = {0};
    struct fl_err err = {0};
    int code = graph_load(a, &g);
    fl_vertex v = -1;
    if (!code && a->n_pos)
        code = find(&g, a->pos[0], &v);
    if (!code && !a->n_pos) {
        show_figures(&g);
    } else if (!code) {
        struct neighbours needs = {&g, "needs", v}, needed = {&g, "needed by", v};
        print_node(fl_topo_node(g.topo, v));
        fl_status st = fl_topo_walk(g.topo, v, FL_DIR_NEEDS, 1, NULL, 0, print_neighbour, &needs, &err);
        if (st == FL_OK)
            st = fl_topo_walk(g.topo, v, FL_DIR_NEEDED_BY, 1, NULL, 0, print_neighbour, &needed, &err);
        if (st != FL_OK)
            code = fail_with("topology", &err);
    }
    graph_done(&g);
    return code;
}

static void print_impact_node(const struct fl_json *d)
{
    struct fl_node n = {.id = fl_json_str(d, "node", ""),
                        .type = fl_json_str(d, "type", "unknown"),
                        .owner = fl_json_str(d, "owner", NULL)};
    print_node(&n);
}

/* Past incidents that it led: what alerted after it, and how long after. */
static void print_followed(const struct fl_json *f)
{
    const struct fl_json *list = fl_json_get(f, "alerts");
    long long incidents = (long long)fl_json_int(f, "incidents", 0);
    if (!incidents) {
        puts("in no past incident it was the cause or alerted first");
        return;
    }
    printf(
        "past incidents that it caused (%lld confirmed) or in which it alerted first: %lld; after it alerted\n",
        (long long)fl_json_int(f, "confirmed", 0), incidents);
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *d = fl_json_at(list, k);
        printf("  in %lld  ", (long long)fl_json_int(d, "incidents", 0));
        put_padded(stdout, fl_json_str(d, "alertname", "?"), 30);
        fputs("  ", stdout);
        put_padded(stdout, fl_json_str(d, "node", "?"), 30);
        printf("  %.0f s later\n", fl_json_real(d, "after_s", 0));
    }
}

/* Answered by the engine, from its projection. */
int cmd_topology_impact(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"node", a->pos[0], "at", arg(a, "at"), NULL};
    fl_buf_str(&path, "/api/v1/topology/impact");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json || !r.json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *list = fl_json_get(r.json, "dependants");
    printf("%zu components need ", fl_json_len(list));
    put_text(stdout, a->pos[0], 0);
    printf(", directly or not%s\n",
           fl_json_bool(r.json, "articulation", false) ? "; without it the graph falls apart" : "");
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *d = fl_json_at(list, k);
        printf("  %2lld  ", (long long)fl_json_int(d, "hops", 0));
        print_impact_node(d);
    }
    const struct fl_json *only = fl_json_get(r.json, "dominated");
    if (fl_json_len(only))
        printf("%zu components are reached through it alone\n", fl_json_len(only));
    for (size_t k = 0; k < fl_json_len(only); k++) {
        fputs("      ", stdout);
        print_impact_node(fl_json_at(only, k));
    }
    print_followed(fl_json_get(r.json, "followed"));
    return EXIT_FINE;
}

/* ---- path, history ---- */

static void path_json(const struct graph *g, const struct args *a, const fl_vertex *v, size_t n)
{
    FL_AUTO_BUF b = fl_buf_init(64 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "from", a->pos[0]);
    fl_jw_str(&w, "to", a->pos[1]);
    fl_jw_arr(&w, "path");
    for (size_t i = 0; i < n; i++)
        fl_jw_str(&w, NULL, fl_topo_node(g->topo, v[i])->id);
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    print_json(&b);
}

static int print_path(const struct graph *g, const struct args *a, const fl_vertex *v, size_t n)
{
    if (a->json)
        path_json(g, a, v, n);
    else if (!n)
        fprintf(stderr, "\"%s\" does not need \"%s\", directly or not\n", a->pos[0], a->pos[1]);
    for (size_t i = 0; !a->json && i < n; i++) {
        fputs(i ? "  needs " : "        ", stdout);
        print_node(fl_topo_node(g->topo, v[i]));
    }
    return n ? EXIT_FINE : EXIT_FINDING;
}

int cmd_topology_path(struct args *a)
{
    struct graph g = {0};
    struct fl_err err = {0};
    fl_vertex from = -1, to = -1, *path = NULL;
    size_t n = 0;
    int code = graph_load(a, &g);
    if (!code)
        code = find(&g, a->pos[0], &from);
    if (!code)
        code = find(&g, a->pos[1], &to);
    if (!code && fl_topo_path(g.topo, g.arena, from, to, FL_DIR_NEEDS, &path, &n, &err) != FL_OK)
        code = fail_with("topology path", &err);
    if (!code)
        code = print_path(&g, a, path, n);
    graph_done(&g);
    return code;
}

int cmd_topology_history(struct args *a)
{
    static const struct column columns[] = {
        {"TIME", "at", 0, 't'},         {"COMPONENTS", "nodes", 0, 'n'},   {"NEW", "nodes_new", 0, 'n'},
        {"GONE", "nodes_gone", 0, 'n'}, {"DEPENDENCIES", "edges", 0, 'n'}, {"NEW", "edges_new", 0, 'n'},
        {"GONE", "edges_gone", 0, 'n'}, {"EVENT", "event_seq", 0, 'n'},    {"SHA-256", "hash", 0, 's'},
    };
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    const char *const pairs[] = {"limit", arg(a, "limit"), NULL};
    fl_buf_str(&path, "/api/v1/topology/history");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        print_table(list_of(r.json, "versions"), columns, FL_ARRAY_LEN(columns));
    return EXIT_FINE;
}
