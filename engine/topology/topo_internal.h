/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topo_internal.h -- the inside of a snapshot: arrays beside the graph, scratch of the queries. */
#pragma once

#include <faultline/topology.h>

#define FL_TOPO_TYPES_MAX 256u /* distinct edge types of one topology */

/** One direction of the adjacency: the edges of v are at[off[v] … off[v + 1] - 1], sorted by (to, type). */
struct fl_adj {
    uint32_t *off;
    fl_vertex *to;
    uint8_t *type;
    double *weight;
};

struct fl_graph; /* the igraph_t, in graph_igraph.c only */

struct fl_topo {
    struct fl_arena *arena; /* nodes and their strings */
    struct fl_node *nodes;  /* sorted by id: vertex order is id order */
    size_t n, m;
    struct fl_adj out, in; /* out: what v needs; in: what needs v */
    const char **types;    /* edge types, sorted */
    size_t n_types;
    uint32_t *slot; /* open addressing: vertex + 1, 0 = empty */
    uint32_t slot_mask;
    fl_vertex *service_of;
    struct fl_sha256 hash;
    size_t n_unknown;
    struct fl_graph *graph;
    uint8_t *articulation; /* NULL until first asked */

    /* Scratch of one query at a time. A vertex counts as seen when stamp[v] == epoch, so that starting a
     * walk costs nothing, however large the graph. */
    uint32_t epoch;
    uint32_t *stamp;
    fl_vertex *queue, *parent;
    unsigned *hops;
    bool busy;
};

/** The same edges as an igraph_t: `ends` holds from, to, from, to, … */
FL_MUST_CHECK fl_status fl_graph_new(size_t n, const fl_vertex *ends, size_t m, struct fl_graph **ret,
                                     struct fl_err *err);
struct fl_graph *fl_graph_free(struct fl_graph *g);
/** mark[v] = 1 for articulation points, edges taken both ways. Cost O(V + E). */
FL_MUST_CHECK fl_status fl_graph_articulation(const struct fl_graph *g, uint8_t *mark, struct fl_err *err);
/** Degree of one vertex; an id out of range is an error status, never an abort. */
FL_MUST_CHECK fl_status fl_graph_degree(const struct fl_graph *g, int64_t v, int64_t *ret,
                                        struct fl_err *err);

/** Where a vertex, or the bend of an edge, stands: column across, layer down. */
struct fl_spot {
    double x, y;
};
struct fl_sugiyama {
    struct fl_spot *spot; /* of each vertex, then of each bend */
    size_t *bend;     /* bends of edge e, from its start: bend[bend_off[e]] … bend[bend_off[e + 1] - 1] */
    size_t *bend_off; /* as indices of spot */
};
/** Layered drawing of a small graph (m edges: from, to, from, to, …). Deterministic. All of it in `arena`. */
FL_MUST_CHECK fl_status fl_graph_sugiyama(struct fl_arena *arena, size_t n, const fl_vertex *ends, size_t m,
                                          struct fl_sugiyama *ret, struct fl_err *err);
