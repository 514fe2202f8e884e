/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/topology.h -- the service-dependency graph as one immutable igraph snapshot (layer 2).
 * Everything here runs on the core thread only: Debian's igraph is not thread-safe. */
#pragma once

#include <faultline/model.h>

struct fl_topo;                /* immutable once built */
typedef int32_t fl_vertex;     /* 0 … n-1; -1 = none */

/** Once per process, before the first graph: error and warning handlers, one OpenMP thread. */
void fl_topo_init(void);
/** Before a thread ends that has drawn pictures: what the layout keeps for it. */
void fl_topo_done(void);
/**
 * Build a snapshot. Accepts cycles, self-loops (dropped), duplicate edges (merged, weights added),
 * unknown types; edges to unknown ids make nodes of type "unknown" (counted).
 * Cost O(V + E). @param doc borrowed during the call only.
 * @return FL_OK, FL_E_SHAPE (duplicate node id, weight not > 0 or not finite), FL_E_LIMIT, FL_E_NOMEM, FL_E_INTERNAL.
 */
FL_MUST_CHECK fl_status fl_topo_new(const struct fl_topology_doc *doc, struct fl_topo **ret, struct fl_err *err);
struct fl_topo *fl_topo_free(struct fl_topo *t);

size_t fl_topo_n_nodes(const struct fl_topo *t);
size_t fl_topo_n_edges(const struct fl_topo *t);
size_t fl_topo_n_unknown(const struct fl_topo *t); /* nodes that only edges name */
const struct fl_sha256 *fl_topo_hash(const struct fl_topo *t);
fl_vertex fl_topo_find(const struct fl_topo *t, const char *id); /* -1 when unknown; O(1) */
const struct fl_node *fl_topo_node(const struct fl_topo *t, fl_vertex v); /* borrowed */
/** The service a vertex counts as: its own when it is one, else by `service` or has_instance; -1 when none. */
fl_vertex fl_topo_service_of(const struct fl_topo *t, fl_vertex v);

enum fl_dir { FL_DIR_NEEDS = 1, FL_DIR_NEEDED_BY = 2, FL_DIR_BOTH = 3 };
/** Direct neighbours over all edges (dir: NEEDS or NEEDED_BY), sorted by vertex; one per edge type, so a
 *  vertex may repeat. Borrowed. @return how many. */
size_t fl_topo_neighbours(const struct fl_topo *t, fl_vertex v, enum fl_dir dir, const fl_vertex **ret);
/** Type of the i-th of those edges. */
const char *fl_topo_edge_type(const struct fl_topo *t, fl_vertex v, enum fl_dir dir, size_t i);
/** Neighbours over edges whose type is in `types` (n_types 0: all). Cost O(neighbourhood).
 *  Visits (vertex, hops) breadth first, ties by vertex id; `visit` returns true to stop. */
FL_MUST_CHECK fl_status fl_topo_walk(struct fl_topo *t, fl_vertex from, enum fl_dir dir, unsigned max_hops,
                                     const char *const *types, size_t n_types,
                                     bool (*visit)(void *ctx, fl_vertex v, unsigned hops), void *ctx,
                                     struct fl_err *err);
/** Shortest dependency path from → to (vertices, both ends), fewest hops; n = 0 when there is none. */
FL_MUST_CHECK fl_status fl_topo_path(struct fl_topo *t, struct fl_arena *arena, fl_vertex from, fl_vertex to,
                                     enum fl_dir dir, fl_vertex **ret, size_t *ret_n, struct fl_err *err);
struct fl_impact {
    fl_vertex *dependants; /* everything that needs the node, nearest first */
    unsigned *hops;
    size_t n;
    bool articulation; /* removing it disconnects its component */
};
FL_MUST_CHECK fl_status fl_topo_impact(struct fl_topo *t, struct fl_arena *arena, fl_vertex v,
                                       struct fl_impact *ret, struct fl_err *err);

#define FL_DRAW_NODES_MAX 150u
#define FL_DRAW_EDGES_MAX 600u

/** What one incident shows of the graph. All borrowed during the call; vertices of -1 are passed over. */
struct fl_draw {
    const char *title;           /* NULL: none */
    const fl_vertex *path;       /* how the first candidate reaches the alerts, cause first */
    size_t n_path;
    const fl_vertex *candidates; /* best first */
    const double *confidence;    /* of each, 0 … 1 */
    size_t n_candidates;
    const fl_vertex *alerts;     /* the component of each alert: one that repeats has several */
    size_t n_alerts;
    bool convincing;             /* false: the first candidate is not called the cause */
    const char *ranked_on;       /* hash of the topology that was ranked on, in hex; NULL: not known */
};
/**
 * The picture of an incident's neighbourhood as one self-contained SVG (no script, nothing fetched): what needs
 * stands above what is needed. Cause, candidates, alerts and path are told by shape and words, not by colour.
 * Path, candidates and alerting components are drawn, in that order, up to FL_DRAW_NODES_MAX, with the edges
 * among them up to FL_DRAW_EDGES_MAX, those of the path first; the picture says what was left out. It is no wider than 12 boxes:
 * components of a wide layer become one that says how many they are, but for path, candidates and who has most alerts. The same
 * input gives the same bytes.
 * @return FL_OK, FL_E_NOMEM, FL_E_INTERNAL (igraph), FL_E_LIMIT (`out` is full).
 */
FL_MUST_CHECK fl_status fl_topo_svg(const struct fl_topo *t, const struct fl_draw *what, struct fl_buf *out,
                                    struct fl_err *err);

/**
 * GraphML, as graph editors and libraries write it. A node is called by its attribute `name`, else by `label`, when
 * that tells all nodes apart, else by the id of its element; type, service, host, tier and owner are read from
 * attributes of these names, other texts become labels. Edges: type, weight. The graph must be directed: from needs to.
 * Swaps igraph's handlers meanwhile, so for a process with one thread: the command line, not the engine.
 * @param text borrowed during the call. `ret->hash` is not set. @return FL_OK, FL_E_SYNTAX (with what the reader said),
 * FL_E_SHAPE, FL_E_LIMIT, FL_E_NOMEM.
 */
FL_MUST_CHECK fl_status fl_topo_read_graphml(struct fl_arena *arena, const char *text, size_t len,
                                             struct fl_topology_doc *ret, struct fl_err *err);
