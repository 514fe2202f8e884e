/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graphml.c -- GraphML → topology document, by igraph's reader (the second file that includes igraph.h). For the command
 * line, on a file its user names: igraph 0.10.2 leaks on repeated attributes and takes wrong types, so nothing that
 * a stranger sends to the engine comes here. */
#include <igraph/igraph.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/topology.h>

/* The last reason igraph gave: it names the line of the file; the status alone says "Parse error". One thread. */
static char reason_heard[240];

static void hear_reason(const char *reason, const char *file, int line, igraph_error_t rc)
{
    if (!reason_heard[0])
        snprintf(reason_heard, sizeof reason_heard, "%s", reason);
    igraph_error_handler_ignore(reason, file, line, rc);
}

struct gml {
    igraph_t g;
    struct fl_arena *arena;
    igraph_strvector_t names[3]; /* attributes of the graph, of vertices, of edges */
    igraph_vector_int_t types[3];
};

static igraph_attribute_type_t type_of(const struct gml *r, int kind, const char *name)
{
    for (igraph_integer_t i = 0; i < igraph_strvector_size(&r->names[kind]); i++)
        if (!strcmp(igraph_strvector_get(&r->names[kind], i), name))
            return (igraph_attribute_type_t)VECTOR(r->types[kind])[i];
    return IGRAPH_ATTRIBUTE_UNSPECIFIED;
}

/* A vertex attribute as text, NULL when it has none; numbers and truths are not names. */
static const char *vertex_text(const struct gml *r, const char *name, igraph_integer_t v)
{
    if (type_of(r, 1, name) != IGRAPH_ATTRIBUTE_STRING)
        return NULL;
    const char *s = igraph_cattribute_VAS(&r->g, name, v);
    return s && s[0] ? s : NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What a vertex is called by this attribute; the element's id when it has none of it (an edge may name a node that the
 * file does not declare). */
static const char *vertex_name(const struct gml *r, const char *key, igraph_integer_t v)
{
    const char *s = vertex_text(r, key, v);
    return s ? s : vertex_text(r, "id", v);
}

/* Do the vertices get names from this attribute, each its own? */
static bool names_apart(const struct gml *r, const char *key, bool *ret, struct fl_err *err)
{
    igraph_integer_t n = igraph_vcount(&r->g), named = 0;
    *ret = false;
    FL_AUTO_FREE const char **v = malloc(((size_t)n + 1) * sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory"), false;
    for (igraph_integer_t i = 0; i < n; i++) {
        named += vertex_text(r, key, i) != NULL;
        if (!(v[i] = vertex_name(r, key, i)))
            return true;
    }
    if (n)
        qsort(v, (size_t)n, sizeof *v, by_text);
    for (igraph_integer_t i = 1; i < n; i++)
        if (!strcmp(v[i - 1], v[i]))
            return true;
    *ret = named > 0;
    return true;
}

/* What the other members of a node are called; "label" and "name" say what the id may already say. */
static const char *const members[] = {"id", "name", "label", "type", "service", "host", "tier", "owner"};

static bool is_member(const char *name)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(members); i++)
        if (!strcmp(members[i], name))
            return true;
    return false;
}

static fl_status copy_text(struct gml *r, const char *s, const char **ret, struct fl_err *err)
{
    if (!s)
        return FL_OK;
    if (strlen(s) > FL_NODE_ID_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "\"%.60s…\" is %zu bytes long, at most %u are allowed", s,
                       strlen(s), FL_NODE_ID_MAX);
    *ret = fl_arena_strdup(r->arena, s);
    return *ret ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

static fl_status read_labels(struct gml *r, igraph_integer_t v, struct fl_labels *ret, struct fl_err *err)
{
    struct fl_label l[FL_LABELS_MAX];
    size_t n = 0;
    for (igraph_integer_t i = 0; i < igraph_strvector_size(&r->names[1]); i++) {
        const char *name = igraph_strvector_get(&r->names[1], i), *value;
        if (is_member(name) || !(value = vertex_text(r, name, v)))
            continue;
        if (n == FL_LABELS_MAX)
            return fl_fail(err, FL_E_LIMIT, NULL, "more than %u attributes besides the known ones",
                           FL_LABELS_MAX);
        l[n] = (struct fl_label){fl_arena_strdup(r->arena, name), fl_arena_strdup(r->arena, value)};
        if (!l[n].name || !l[n].value)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        n++;
    }
    struct fl_label *kept = fl_arena_alloc(r->arena, (n + 1) * sizeof *kept);
    if (!kept)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    memcpy(kept, l, n * sizeof *kept);
    ret->n = fl_labels_normalise(kept, n);
    ret->v = kept;
    return FL_OK;
}

static fl_status read_nodes(struct gml *r, struct fl_topology_doc *doc, struct fl_err *err)
{
    size_t n = (size_t)igraph_vcount(&r->g);
    bool by_name, by_label;
    fl_status st = FL_OK;
    if (n > FL_NODES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "%zu nodes, at most %u are allowed", n, FL_NODES_MAX);
    if (!names_apart(r, "name", &by_name, err) || !names_apart(r, "label", &by_label, err))
        return FL_E_NOMEM;
    struct fl_node *nodes = fl_arena_calloc(r->arena, n + 1, sizeof *nodes);
    if (!nodes)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    const char *key = by_name ? "name" : by_label ? "label" : "id";
    for (size_t i = 0; !st && i < n; i++) {
        igraph_integer_t v = (igraph_integer_t)i;
        struct fl_node *d = &nodes[i];
        struct {
            const char *name, **to;
        } take[] = {{"type", &d->type},
                    {"service", &d->service},
                    {"host", &d->host},
                    {"tier", &d->tier},
                    {"owner", &d->owner}};
        for (size_t k = 0; !st && k < FL_ARRAY_LEN(take); k++)
            st = copy_text(r, vertex_text(r, take[k].name, v), take[k].to, err);
        if (!st)
            st = copy_text(r, vertex_name(r, key, v), &d->id, err);
        if (!st && !d->id)
            st = fl_fail(err, FL_E_SHAPE, NULL, "has no id");
        if (!st && !d->type)
            d->type = "service";
        if (!st)
            st = read_labels(r, v, &d->labels, err);
        if (st)
            fl_err_within(err, "node %zu", i);
    }
    doc->nodes = nodes;
    doc->n_nodes = n;
    return st;
}

static fl_status edge_weight(const struct gml *r, igraph_integer_t e, double *ret, struct fl_err *err)
{
    *ret = 1;
    if (type_of(r, 2, "weight") != IGRAPH_ATTRIBUTE_NUMERIC)
        return FL_OK;
    double w = igraph_cattribute_EAN(&r->g, "weight", e);
    if (isnan(w)) /* this edge has none */
        return FL_OK;
    if (!(w > 0) || !isfinite(w))
        return fl_fail(err, FL_E_SHAPE, NULL, "weight %g is not a number above 0", w);
    *ret = w;
    return FL_OK;
}

static fl_status read_edges(struct gml *r, struct fl_topology_doc *doc, struct fl_err *err)
{
    size_t m = (size_t)igraph_ecount(&r->g);
    fl_status st = FL_OK;
    if (m > FL_EDGES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "%zu edges, at most %u are allowed", m, FL_EDGES_MAX);
    struct fl_edge *edges = fl_arena_calloc(r->arena, m + 1, sizeof *edges);
    if (!edges)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    bool typed = type_of(r, 2, "type") == IGRAPH_ATTRIBUTE_STRING;
    for (size_t i = 0; !st && i < m; i++) {
        igraph_integer_t e = (igraph_integer_t)i;
        const char *type = typed ? igraph_cattribute_EAS(&r->g, "type", e) : NULL;
        edges[i] = (struct fl_edge){.from = doc->nodes[IGRAPH_FROM(&r->g, e)].id,
                                    .to = doc->nodes[IGRAPH_TO(&r->g, e)].id,
                                    .type = "calls"};
        st = copy_text(r, type && type[0] ? type : NULL, &edges[i].type, err);
        if (!st)
            st = edge_weight(r, e, &edges[i].weight, err);
        if (st)
            fl_err_within(err, "edge %zu (%.60s -> %.60s)", i, edges[i].from, edges[i].to);
    }
    doc->edges = edges;
    doc->n_edges = m;
    return st;
}

static fl_status read_lists(struct gml *r, struct fl_topology_doc *ret, struct fl_err *err)
{
    size_t made = 0;
    fl_status st = FL_OK;
    for (; made < 3 && igraph_strvector_init(&r->names[made], 0) == IGRAPH_SUCCESS; made++)
        if (igraph_vector_int_init(&r->types[made], 0) != IGRAPH_SUCCESS) {
            igraph_strvector_destroy(&r->names[made]);
            break;
        }
    if (made < 3 || igraph_cattribute_list(&r->g, &r->names[0], &r->types[0], &r->names[1], &r->types[1],
                                           &r->names[2], &r->types[2]))
        st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (!st && !igraph_is_directed(&r->g))
        st = fl_fail(
            err, FL_E_SHAPE, NULL,
            "the graph is undirected, so it does not say which end needs the other: write edgedefault=\"directed\", "
            "each edge from the caller to the callee");
    if (!st)
        st = read_nodes(r, ret, err);
    if (!st)
        st = read_edges(r, ret, err);
    while (made--) {
        igraph_strvector_destroy(&r->names[made]);
        igraph_vector_int_destroy(&r->types[made]);
    }
    return st;
}

fl_status fl_topo_read_graphml(struct fl_arena *arena, const char *text, size_t len,
                               struct fl_topology_doc *ret, struct fl_err *err)
{
    struct gml r = {.arena = arena};
    fl_status st;
    *ret = (struct fl_topology_doc){.nodes = NULL};
    if (!len)
        return fl_fail(err, FL_E_SYNTAX, NULL, "is empty");
    FILE *f = fmemopen((void *)text, len, "r");
    if (!f)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    /* igraph keeps names only with a table of attribute handlers; every other graph of ours does without. */
    const igraph_attribute_table_t *table = igraph_set_attribute_table(&igraph_cattribute_table);
    igraph_error_handler_t *handler = igraph_set_error_handler(hear_reason);
    reason_heard[0] = '\0';
    igraph_error_t rc = igraph_read_graph_graphml(&r.g, f, 0);
    if (rc == IGRAPH_SUCCESS) {
        st = read_lists(&r, ret, err);
        igraph_destroy(&r.g);
    } else if (rc == IGRAPH_ENOMEM) {
        st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    } else {
        st = fl_fail(err, FL_E_SYNTAX, NULL, "is not readable GraphML: %s",
                     reason_heard[0] ? reason_heard : igraph_strerror(rc));
    }
    igraph_set_error_handler(handler);
    igraph_set_attribute_table(table);
    fclose(f);
    return st;
}
