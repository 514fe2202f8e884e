/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph_igraph.c -- the only file that includes igraph.h (its parameter orders change in 1.0). */
#include <igraph/igraph.h>
#include <omp.h>
#include <stdlib.h>

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
