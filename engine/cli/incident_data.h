/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/incident_data.h -- one incident and the graph it happened in, fetched from the engine (layer 6):
 * for what is worked out in this process. */
#pragma once

#include "cli.h"

#include <faultline/topology.h>

/** A part of one incident: `tail` is "", "/timeline?limit=10000", … @return 0, or the exit code (said). */
int incident_fetch(struct args *a, const char *id, const char *tail, struct reply *ret);

struct incident_graph {
    struct fl_arena *arena;
    struct reply reply; /* the document as served */
    struct fl_topology_doc doc;
    struct fl_topo *topo;
};
/** The graph as it was at `at` (NULL: now). @return 0, or the exit code (said); incident_graph_done() either way. */
int incident_graph(struct args *a, const char *at, struct incident_graph *ret);
/** The graph that the incident's last ranking stood on. The same answers. */
int incident_graph_of(struct args *a, const char *id, struct incident_graph *ret);
void incident_graph_done(struct incident_graph *g);
#define AUTO_GRAPH __attribute__((cleanup(incident_graph_done))) struct incident_graph

/** The picture of an answer of /api/v1/incidents/ID. @return 0, or the exit code (said). */
int incident_picture(struct args *a, const char *id, const struct fl_json *incident, const char *file);
