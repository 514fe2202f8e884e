/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph_igraph.c -- the only file that includes igraph.h (its parameter orders change in 1.0). */
#include <dlfcn.h>
#include <igraph/igraph.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "topo_internal.h"

struct fl_graph {
    igraph_t g;
};

static void quiet_warning(const char *reason, const char *file, int line)
{
    (void)reason;
    (void)file;
    (void)line;
}

void fl_topo_init(void)
{
    /* igraph's own handler aborts the process on any error, a vertex id from a request included. */
    igraph_set_error_handler(igraph_error_handler_ignore);
    igraph_set_warning_handler(quiet_warning);
    /* PageRank sums in thread order from about 1,000 vertices: other last bits in each run. */
    omp_set_num_threads(1);
}

/* igraph lays out by GLPK, which keeps an environment for each thread and has no word for a thread that ends. It comes
 * with igraph, so it is asked by name. */
void fl_topo_done(void)
{
    union {
        void *p;
        int (*f)(void);
    } free_env = {.p = dlsym(RTLD_DEFAULT, "glp_free_env")};
    if (free_env.p)
        free_env.f();
}

static fl_status graph_fail(struct fl_err *err, const char *what, igraph_error_t rc)
{
    return fl_fail(err, rc == IGRAPH_ENOMEM ? FL_E_NOMEM : FL_E_INTERNAL, NULL, "%s: igraph says: %s", what,
                   igraph_strerror(rc));
}

fl_status fl_graph_new(size_t n, const fl_vertex *ends, size_t m, struct fl_graph **ret, struct fl_err *err)
{
    struct fl_graph *g = malloc(sizeof *g);
    igraph_vector_int_t edges;
    if (!g)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    igraph_error_t rc = igraph_vector_int_init(&edges, (igraph_integer_t)(2 * m));
    if (rc) {
        free(g);
        return graph_fail(err, "cannot hold the edges", rc);
    }
    for (size_t i = 0; i < 2 * m; i++)
        VECTOR(edges)[i] = ends[i];
    rc = igraph_create(&g->g, &edges, (igraph_integer_t)n, IGRAPH_DIRECTED);
    igraph_vector_int_destroy(&edges);
    if (rc) {
        free(g);
        return graph_fail(err, "cannot build the graph", rc);
    }
    *ret = g;
    return FL_OK;
}

struct fl_graph *fl_graph_free(struct fl_graph *g)
{
    if (g)
        igraph_destroy(&g->g);
    free(g);
    return NULL;
}

fl_status fl_graph_articulation(const struct fl_graph *g, uint8_t *mark, struct fl_err *err)
{
    igraph_vector_int_t points;
    igraph_error_t rc = igraph_vector_int_init(&points, 0);
    if (rc)
        return graph_fail(err, "cannot look for articulation points", rc);
    rc = igraph_articulation_points(&g->g, &points);
    for (igraph_integer_t i = 0; !rc && i < igraph_vector_int_size(&points); i++)
        mark[VECTOR(points)[i]] = 1;
    igraph_vector_int_destroy(&points);
    return rc ? graph_fail(err, "cannot look for articulation points", rc) : FL_OK;
}

fl_status fl_graph_degree(const struct fl_graph *g, int64_t v, int64_t *ret, struct fl_err *err)
{
    igraph_vector_int_t res;
    igraph_error_t rc = igraph_vector_int_init(&res, 0);
    if (rc)
        return graph_fail(err, "cannot count edges", rc);
    rc = igraph_degree(&g->g, &res, igraph_vss_1((igraph_integer_t)v), IGRAPH_ALL, IGRAPH_LOOPS);
    if (!rc)
        *ret = VECTOR(res)[0];
    igraph_vector_int_destroy(&res);
    return rc ? graph_fail(err, "cannot count edges", rc) : FL_OK;
}

/* The extended graph has a chain of dummy vertices for each edge that crosses layers: `link` holds its n edges.
 * The chain may be directed either way (igraph turns edges of a cycle), so ends are matched, not heads. */
static size_t follow(const igraph_t *ext, const igraph_integer_t *link, size_t n, igraph_integer_t from,
                     igraph_integer_t to, size_t *bend)
{
    igraph_integer_t at = from, came = -1;
    size_t bends = 0;
    for (size_t i = 0; i < n && at != to; i++) {
        igraph_integer_t a = IGRAPH_FROM(ext, link[i]), b = IGRAPH_TO(ext, link[i]);
        if (link[i] == came || (a != at && b != at))
            continue;
        at = a == at ? b : a;
        came = link[i];
        if (at != to)
            bend[bends++] = (size_t)at;
        i = SIZE_MAX; /* the next link may stand before this one */
    }
    return bends;
}

/* Edges of the extended graph by the edge that they are a part of: link[off[e]] … link[off[e + 1] - 1]. */
static void sort_links(const igraph_vector_int_t *of, size_t m, size_t *off, igraph_integer_t *link)
{
    size_t n = (size_t)igraph_vector_int_size(of);
    for (size_t i = 0; i < n; i++)
        off[VECTOR(*of)[i] + 1]++;
    for (size_t e = 0; e < m; e++)
        off[e + 1] += off[e];
    for (size_t i = n; i--;) /* off[e + 1] is the end of e; filled from the back it becomes its start */
        link[--off[VECTOR(*of)[i] + 1]] = (igraph_integer_t)i;
    memmove(off, off + 1, m * sizeof *off);
    off[m] = n;
}

static fl_status read_layout(struct fl_arena *arena, const struct fl_graph *g, const igraph_matrix_t *at,
                             const igraph_t *ext, const igraph_vector_int_t *of, struct fl_sugiyama *ret,
                             struct fl_err *err)
{
    size_t rows = (size_t)igraph_matrix_nrow(at), m = (size_t)igraph_ecount(&g->g);
    size_t *off = fl_arena_calloc(arena, m + 2, sizeof *off);
    igraph_integer_t *link = fl_arena_calloc(arena, (size_t)igraph_vector_int_size(of) + 1, sizeof *link);
    ret->spot = fl_arena_calloc(arena, rows + 1, sizeof *ret->spot);
    ret->bend = fl_arena_calloc(arena, rows + 1, sizeof *ret->bend);
    ret->bend_off = fl_arena_calloc(arena, m + 1, sizeof *ret->bend_off);
    if (!off || !link || !ret->spot || !ret->bend || !ret->bend_off)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < rows; i++)
        ret->spot[i] = (struct fl_spot){MATRIX(*at, (igraph_integer_t)i, 0),
                                        MATRIX(*at, (igraph_integer_t)i, 1)};
    sort_links(of, m, off, link);
    for (size_t e = 0; e < m; e++)
        ret->bend_off[e + 1] = ret->bend_off[e] + follow(ext, link + off[e], off[e + 1] - off[e],
                                                         IGRAPH_FROM(&g->g, (igraph_integer_t)e),
                                                         IGRAPH_TO(&g->g, (igraph_integer_t)e),
                                                         ret->bend + ret->bend_off[e]);
    return FL_OK;
}

fl_status fl_graph_sugiyama(struct fl_arena *arena, size_t n, const fl_vertex *ends, size_t m,
                            struct fl_sugiyama *ret, struct fl_err *err)
{
    static const char what[] = "cannot lay out the graph";
    struct fl_graph *g = NULL;
    igraph_matrix_t at;
    igraph_vector_int_t of;
    igraph_t ext;
    fl_status st = fl_graph_new(n, ends, m, &g, err);
    if (st)
        return st;
    igraph_error_t rc = igraph_matrix_init(&at, 0, 0);
    if (rc) {
        fl_graph_free(g);
        return graph_fail(err, what, rc);
    }
    rc = igraph_vector_int_init(&of, 0);
    if (rc) {
        igraph_matrix_destroy(&at);
        fl_graph_free(g);
        return graph_fail(err, what, rc);
    }
    rc = igraph_layout_sugiyama(&g->g, &at, &ext, &of, NULL, 1, 1, 100, NULL);
    if (rc) {
        st = graph_fail(err, what, rc);
    } else {
        st = read_layout(arena, g, &at, &ext, &of, ret, err);
        igraph_destroy(&ext);
    }
    igraph_vector_int_destroy(&of);
    igraph_matrix_destroy(&at);
    fl_graph_free(g);
    return st;
}
