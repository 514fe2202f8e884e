/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_topology_graph.c -- the snapshot: odd input, bounded walks, and igraph errors as statuses. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "topo_internal.h"

static const struct fl_node shop_nodes[] = {
    {.id = "web", .type = "service"},     {.id = "cart", .type = "service"},
    {.id = "cart-0", .type = "instance"}, {.id = "cart-1", .type = "instance", .service = "cart"},
    {.id = "store", .type = "store"},     {.id = "host1", .type = "host"},
};
static const struct fl_edge shop_edges[] = {
    {"web", "cart", "calls", 1},           {"cart", "store", "data", 1},
    {"cart", "cart-0", "has_instance", 1}, {"cart", "cart-1", "has_instance", 1},
    {"cart-0", "host1", "runs_on", 1},     {"store", "host1", "runs_on", 1},
};
static const struct fl_topology_doc shop = {.nodes = shop_nodes,
                                            .n_nodes = FL_ARRAY_LEN(shop_nodes),
                                            .edges = shop_edges,
                                            .n_edges = FL_ARRAY_LEN(shop_edges)};

static struct fl_topo *make(const struct fl_topology_doc *doc)
{
    struct fl_err err = {.status = FL_OK};
    struct fl_topo *t = NULL;
    fl_status st = fl_topo_new(doc, &t, &err);
    if (st)
        fail_msg("fl_topo_new: %s", err.text);
    return t;
}

/* First of all tests: Debian's igraph aborts the process on any error until it is told not to. */
static void igraph_error_is_a_status(void **state)
{
    (void)state;
    struct fl_topo *t = make(&shop);
    struct fl_err err = {.status = FL_OK};
    int64_t degree = -1;
    assert_int_equal(fl_graph_degree(t->graph, 1000000, &degree, &err), FL_E_INTERNAL);
    assert_non_null(strstr(err.text, "igraph says"));
    assert_int_equal(degree, -1);
    assert_int_equal(fl_graph_degree(t->graph, fl_topo_find(t, "cart"), &degree, NULL), FL_OK);
    assert_int_equal(degree, 4);
    fl_topo_free(t);
}

struct seen {
    const struct fl_topo *t;
    char text[512];
};

static bool note(void *ctx, fl_vertex v, unsigned hops)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    snprintf(s->text + n, sizeof s->text - n, "%s%s:%u", n ? " " : "", fl_topo_node(s->t, v)->id, hops);
    return false;
}

static void walk_is(struct fl_topo *t, const char *from, enum fl_dir dir, unsigned hops, const char *type,
                    const char *want)
{
    struct seen s = {.t = t};
    assert_int_equal(fl_topo_walk(t, fl_topo_find(t, from), dir, hops, &type, type ? 1 : 0, note, &s, NULL),
                     FL_OK);
    assert_string_equal(s.text, want);
}

static void walks_by_level_and_id(void **state)
{
    (void)state;
    struct fl_topo *t = make(&shop);
    assert_int_equal(fl_topo_n_nodes(t), 6);
    assert_int_equal(fl_topo_n_edges(t), 6);
    walk_is(t, "web", FL_DIR_NEEDS, 1, NULL, "web:0 cart:1");
    walk_is(t, "web", FL_DIR_NEEDS, 9, NULL, "web:0 cart:1 cart-0:2 cart-1:2 store:2 host1:3");
    walk_is(t, "web", FL_DIR_NEEDS, 9, "calls", "web:0 cart:1");
    walk_is(t, "store", FL_DIR_NEEDED_BY, 9, NULL, "store:0 cart:1 web:2");
    walk_is(t, "store", FL_DIR_BOTH, 1, NULL, "store:0 cart:1 host1:1");
    walk_is(t, "web", FL_DIR_NEEDS, 0, NULL, "web:0");
    walk_is(t, "web", FL_DIR_NEEDS, 9, "no such type", "web:0");
    fl_topo_free(t);
}

static bool nested(void *ctx, fl_vertex v, unsigned hops)
{
    struct seen s = {.t = ctx};
    struct fl_err err = {.status = FL_OK};
    (void)hops;
    assert_int_equal(fl_topo_walk(ctx, v, FL_DIR_BOTH, 1, NULL, 0, note, &s, &err), FL_E_INTERNAL);
    return true;
}

static void bad_vertices_and_nesting_are_refused(void **state)
{
    (void)state;
    struct fl_topo *t = make(&shop);
    struct fl_err err = {.status = FL_OK};
    struct seen s = {.t = t};
    assert_int_equal(fl_topo_walk(t, -1, FL_DIR_BOTH, 1, NULL, 0, note, &s, &err), FL_E_NOTFOUND);
    assert_int_equal(fl_topo_walk(t, 6, FL_DIR_BOTH, 1, NULL, 0, note, &s, NULL), FL_E_NOTFOUND);
    assert_int_equal(fl_topo_walk(t, 0, FL_DIR_BOTH, 1, NULL, 0, nested, t, NULL), FL_OK);
    assert_int_equal(fl_topo_find(t, "nobody"), -1);
    assert_int_equal(fl_topo_find(t, ""), -1);
    assert_int_equal(fl_topo_find(t, NULL), -1);
    fl_topo_free(t);
}

static void services_paths_impact(void **state)
{
    (void)state;
    struct fl_topo *t = make(&shop);
    FL_AUTO_ARENA a = fl_arena_new(0);
    fl_vertex *path;
    size_t n;
    struct fl_impact im;
    fl_vertex cart = fl_topo_find(t, "cart");
    assert_int_equal(fl_topo_service_of(t, fl_topo_find(t, "cart-0")), cart); /* by has_instance */
    assert_int_equal(fl_topo_service_of(t, fl_topo_find(t, "cart-1")), cart); /* by its own word */
    assert_int_equal(fl_topo_service_of(t, cart), cart);
    assert_int_equal(fl_topo_service_of(t, fl_topo_find(t, "host1")), -1);
    assert_int_equal(
        fl_topo_path(t, a, fl_topo_find(t, "web"), fl_topo_find(t, "host1"), FL_DIR_NEEDS, &path, &n, NULL),
        FL_OK);
    assert_int_equal(n, 4);
    assert_string_equal(fl_topo_node(t, path[2])->id, "cart-0"); /* of two equally short the lower id */
    assert_int_equal(
        fl_topo_path(t, a, fl_topo_find(t, "host1"), fl_topo_find(t, "web"), FL_DIR_NEEDS, &path, &n, NULL),
        FL_OK);
    assert_int_equal(n, 0);
    assert_int_equal(fl_topo_impact(t, a, fl_topo_find(t, "host1"), &im, NULL), FL_OK);
    assert_int_equal(im.n, 4);
    assert_string_equal(fl_topo_node(t, im.dependants[0])->id, "cart-0");
    assert_int_equal(im.hops[3], 3);
    assert_false(im.articulation);
    assert_int_equal(fl_topo_impact(t, a, cart, &im, NULL), FL_OK);
    assert_int_equal(im.n, 1);
    assert_true(im.articulation); /* without it web hangs alone */
    fl_topo_free(t);
}

static void odd_edges(void **state)
{
    (void)state;
    static const struct fl_node nodes[] = {{.id = "a", .type = "service"}, {.id = "b", .type = "martian"}};
    static const struct fl_edge edges[] = {
        {"a", "b", "calls", 1}, {"a", "b", "calls", 2.5},  {"b", "a", "calls", 1},
        {"a", "a", "calls", 1}, {"b", "ghost", "data", 1}, {"ghost", "spirit", "data", 1},
        {"a", "b", "data", 1},
    };
    const struct fl_topology_doc doc = {nodes, 2, edges, FL_ARRAY_LEN(edges), {{0}}};
    struct fl_topo *t = make(&doc);
    assert_int_equal(fl_topo_n_nodes(t), 4);
    assert_int_equal(fl_topo_n_unknown(t), 2);
    assert_int_equal(fl_topo_n_edges(t), 5); /* self-loop dropped, duplicate merged, other type kept */
    assert_string_equal(fl_topo_node(t, fl_topo_find(t, "ghost"))->type, "unknown");
    walk_is(t, "a", FL_DIR_NEEDS, 9, NULL, "a:0 b:1 ghost:2 spirit:3"); /* the cycle a → b → a ends */
    const fl_vertex *next;
    assert_int_equal(fl_topo_neighbours(t, fl_topo_find(t, "a"), FL_DIR_NEEDS, &next), 2);
    assert_string_equal(fl_topo_edge_type(t, fl_topo_find(t, "a"), FL_DIR_NEEDS, 1), "data");
    fl_topo_free(t);
}

static void refused(const struct fl_topology_doc *doc, fl_status want, const char *text)
{
    struct fl_err err = {.status = FL_OK};
    struct fl_topo *t = NULL;
    assert_int_equal(fl_topo_new(doc, &t, &err), want);
    assert_null(t);
    if (!strstr(err.text, text))
        fail_msg("\"%s\" does not say \"%s\"", err.text, text);
}

static void bad_documents_are_refused(void **state)
{
    (void)state;
    static const struct fl_node twice[] = {{.id = "a", .type = "service"}, {.id = "a", .type = "host"}};
    refused(&(struct fl_topology_doc){.nodes = twice, .n_nodes = 2}, FL_E_SHAPE, "\"a\" is given twice");
    double bad[] = {0, -1, NAN, INFINITY};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        struct fl_edge e = {"a", "b", "calls", bad[i]};
        refused(&(struct fl_topology_doc){.edges = &e, .n_edges = 1}, FL_E_SHAPE, "not a positive number");
    }
    struct fl_edge *many = calloc(300, sizeof *many);
    char names[300][16];
    for (int i = 0; i < 300; i++) {
        snprintf(names[i], sizeof names[i], "type%d", i);
        many[i] = (struct fl_edge){"a", "b", names[i], 1};
    }
    refused(&(struct fl_topology_doc){.edges = many, .n_edges = 300}, FL_E_LIMIT, "more than 256 edge types");
    free(many);
    struct fl_node none = {.id = ""};
    refused(&(struct fl_topology_doc){.nodes = &none, .n_nodes = 1}, FL_E_SHAPE, "has no id");
}

static void empty_is_fine(void **state)
{
    (void)state;
    struct fl_topo *t = make(&(struct fl_topology_doc){.n_nodes = 0});
    assert_int_equal(fl_topo_n_nodes(t), 0);
    assert_int_equal(fl_topo_find(t, "a"), -1);
    fl_topo_free(t);
}

static bool count(void *ctx, fl_vertex v, unsigned hops)
{
    (void)v;
    (void)hops;
    ++*(size_t *)ctx;
    return false;
}

/* A chain of 100,000 with a star on each thousandth node: depth does not recurse, walks stay local. */
static void large_graph(void **state)
{
    (void)state;
    enum { N = 100000 };
    struct fl_node *nodes = calloc(N, sizeof *nodes);
    struct fl_edge *edges = calloc(N, sizeof *edges);
    char(*ids)[16] = calloc(N, sizeof *ids);
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "n%06d", i);
        nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
        edges[i] = (struct fl_edge){ids[i ? i - 1 : 0], ids[i], "calls", 1};
    }
    struct fl_topo *t = make(&(struct fl_topology_doc){nodes, N, edges, N, {{0}}});
    FL_AUTO_ARENA a = fl_arena_new(0);
    size_t seen = 0;
    assert_int_equal(fl_topo_walk(t, 0, FL_DIR_NEEDS, UINT32_MAX, NULL, 0, count, &seen, NULL), FL_OK);
    assert_int_equal(seen, N);
    for (int i = 0; i < 20000; i++) { /* would take minutes if a walk cleared the graph's marks */
        seen = 0;
        assert_int_equal(fl_topo_walk(t, i * 3, FL_DIR_BOTH, 2, NULL, 0, count, &seen, NULL), FL_OK);
    }
    assert_int_equal(seen, 5);
    struct fl_impact im;
    assert_int_equal(fl_topo_impact(t, a, N / 2, &im, NULL), FL_OK);
    assert_int_equal(im.n, N / 2);
    assert_true(im.articulation);
    fl_topo_free(t);
    free(nodes);
    free(edges);
    free(ids);
}

int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(igraph_error_is_a_status),
                                       cmocka_unit_test(walks_by_level_and_id),
                                       cmocka_unit_test(bad_vertices_and_nesting_are_refused),
                                       cmocka_unit_test(services_paths_impact),
                                       cmocka_unit_test(odd_edges),
                                       cmocka_unit_test(bad_documents_are_refused),
                                       cmocka_unit_test(empty_is_fine),
                                       cmocka_unit_test(large_graph)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
