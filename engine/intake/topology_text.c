/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topology_text.c -- document → its canonical text, which the topology's version is the hash of. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/intake.h>
#include <faultline/json.h>

static int node_order(const void *a, const void *b)
{
    return strcmp((*(const struct fl_node *const *)a)->id, (*(const struct fl_node *const *)b)->id);
}

/* A reader keeps equal texts once: most comparisons end at the pointer. */
static int text_order(const char *a, const char *b)
{
    return a == b ? 0 : strcmp(a, b);
}

static int edge_order(const void *pa, const void *pb)
{
    const struct fl_edge *a = *(const struct fl_edge *const *)pa, *b = *(const struct fl_edge *const *)pb;
    int c = text_order(a->from, b->from);
    if (!c)
        c = text_order(a->to, b->to);
    if (!c)
        c = text_order(a->type, b->type);
    if (!c)
        c = (a->weight > b->weight) - (a->weight < b->weight);
    return c;
}

static void write_node(struct fl_jw *w, const struct fl_node *node)
{
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", node->id);
    fl_jw_str(w, "type", node->type);
    if (node->service)
        fl_jw_str(w, "service", node->service);
    if (node->host)
        fl_jw_str(w, "host", node->host);
    if (node->tier)
        fl_jw_str(w, "tier", node->tier);
    if (node->owner)
        fl_jw_str(w, "owner", node->owner);
    if (node->labels.n)
        fl_labels_json(w, "labels", &node->labels);
    fl_jw_obj_end(w);
}

static void write_edge(struct fl_jw *w, const struct fl_edge *edge)
{
    char weight[32];
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "from", edge->from);
    fl_jw_str(w, "to", edge->to);
    fl_jw_str(w, "type", edge->type);
    if (edge->weight != 1.0) {
        snprintf(weight, sizeof weight, "%.17g", edge->weight);
        fl_jw_raw(w, "weight", weight);
    }
    fl_jw_obj_end(w);
}

fl_status fl_topology_text(const struct fl_topology_doc *doc, struct fl_buf *out)
{
    FL_AUTO_FREE const struct fl_node **nodes = malloc((doc->n_nodes + 1) * sizeof *nodes);
    FL_AUTO_FREE const struct fl_edge **edges = malloc((doc->n_edges + 1) * sizeof *edges);
    if (!nodes || !edges)
        return FL_E_NOMEM;
    for (size_t i = 0; i < doc->n_nodes; i++)
        nodes[i] = &doc->nodes[i];
    for (size_t i = 0; i < doc->n_edges; i++)
        edges[i] = &doc->edges[i];
    if (doc->n_nodes > 1)
        qsort(nodes, doc->n_nodes, sizeof *nodes, node_order);
    if (doc->n_edges > 1)
        qsort(edges, doc->n_edges, sizeof *edges, edge_order);
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "nodes");
    for (size_t i = 0; i < doc->n_nodes; i++)
        write_node(&w, nodes[i]);
    fl_jw_arr_end(&w);
    fl_jw_arr(&w, "edges");
    for (size_t i = 0; i < doc->n_edges; i++)
        write_edge(&w, edges[i]);
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    return out->failed ? FL_E_NOMEM : FL_OK;
}
