/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topology.c -- topology JSON ↔ document; the canonical text that its version is the hash of. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/intake.h>
#include <faultline/json.h>

/* An optional string member: absent and null are NULL, another type is an error that names the place. */
static fl_status text_member(struct fl_arena *arena, const struct fl_json *obj, const char *list, size_t i,
                             const char *key, size_t max, const char **ret, struct fl_err *err)
{
    const struct fl_json *v = fl_json_get(obj, key);
    char where[96];
    *ret = NULL;
    if (!v)
        return FL_OK;
    snprintf(where, sizeof where, "%s[%zu].%s", list, i, key);
    const char *s = fl_json_string(v);
    if (!s)
        return fl_fail(err, FL_E_SHAPE, where, "must be a string");
    if (strlen(s) > max)
        return fl_fail(err, FL_E_LIMIT, where, "is %zu bytes long, at most %zu are allowed", strlen(s), max);
    *ret = fl_arena_strdup(arena, s);
    return *ret ? FL_OK : fl_fail(err, FL_E_NOMEM, where, "out of memory");
}

static fl_status node_labels(struct fl_arena *arena, const struct fl_json *obj, size_t i,
                             struct fl_labels *ret, struct fl_err *err)
{
    const struct fl_json *labels = fl_json_get(obj, "labels");
    char where[64];
    size_t n = 0, cap = 0;
    if (!labels)
        return FL_OK;
    snprintf(where, sizeof where, "nodes[%zu].labels", i);
    if (!fl_json_is_object(labels))
        return fl_fail(err, FL_E_SHAPE, where, "must be an object of strings");
    for (void *it = fl_json_first(labels); it; it = fl_json_next(labels, it))
        cap++;
    if (cap > FL_LABELS_MAX)
        return fl_fail(err, FL_E_LIMIT, where, "%zu labels, at most %u are allowed", cap, FL_LABELS_MAX);
    struct fl_label *v = fl_arena_alloc(arena, (cap + 1) * sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, where, "out of memory");
    for (void *it = fl_json_first(labels); it; it = fl_json_next(labels, it)) {
        const char *value = fl_json_string(fl_json_value(it));
        if (!value)
            return fl_fail(err, FL_E_SHAPE, where, "label \"%.60s\" must be a string", fl_json_key(it));
        v[n].name = fl_arena_strdup(arena, fl_json_key(it));
        v[n].value = fl_arena_strdup(arena, value);
        if (!v[n].name || !v[n].value)
            return fl_fail(err, FL_E_NOMEM, where, "out of memory");
        n++;
    }
    ret->n = fl_labels_normalise(v, n);
    ret->v = v;
    return FL_OK;
}

static fl_status read_node(struct fl_arena *arena, const struct fl_json *obj, size_t i, struct fl_node *ret,
                           struct fl_err *err)
{
    struct {
        const char *key;
        const char **to;
    } members[] = {{"id", &ret->id},     {"type", &ret->type}, {"service", &ret->service},
                   {"host", &ret->host}, {"tier", &ret->tier}, {"owner", &ret->owner}};
    char where[64];
    snprintf(where, sizeof where, "nodes[%zu]", i);
    if (!fl_json_is_object(obj))
        return fl_fail(err, FL_E_SHAPE, where, "must be an object");
    *ret = (struct fl_node){.id = NULL};
    for (size_t k = 0; k < FL_ARRAY_LEN(members); k++) {
        fl_status st = text_member(arena, obj, "nodes", i, members[k].key, FL_NODE_ID_MAX, members[k].to,
                                   err);
        if (st)
            return st;
    }
    if (!ret->id || !ret->id[0])
        return fl_fail(err, FL_E_SHAPE, where, "has no id");
    if (!ret->type || !ret->type[0])
        ret->type = "service";
    return node_labels(arena, obj, i, &ret->labels, err);
}

static fl_status read_edge(struct fl_arena *arena, const struct fl_json *obj, size_t i, struct fl_edge *ret,
                           struct fl_err *err)
{
    struct {
        const char *key;
        const char **to;
    } members[] = {{"from", &ret->from}, {"to", &ret->to}, {"type", &ret->type}};
    char where[64];
    snprintf(where, sizeof where, "edges[%zu]", i);
    if (!fl_json_is_object(obj))
        return fl_fail(err, FL_E_SHAPE, where, "must be an object");
    for (size_t k = 0; k < FL_ARRAY_LEN(members); k++) {
        fl_status st = text_member(arena, obj, "edges", i, members[k].key, FL_NODE_ID_MAX, members[k].to,
                                   err);
        if (st)
            return st;
    }
    if (!ret->from || !ret->from[0] || !ret->to || !ret->to[0])
        return fl_fail(err, FL_E_SHAPE, where, "needs from and to");
    if (!ret->type || !ret->type[0])
        ret->type = "calls";
    ret->weight = fl_json_get(obj, "weight") ? fl_json_number(fl_json_get(obj, "weight"), NAN) : 1.0;
    if (!(ret->weight > 0) || !isfinite(ret->weight))
        return fl_fail(err, FL_E_SHAPE, where, "weight must be a number above 0");
    return FL_OK;
}

/* An array member of the document; absent counts as empty. */
static fl_status list_member(const struct fl_json *doc, const char *key, size_t max,
                             const struct fl_json **ret, size_t *ret_n, struct fl_err *err)
{
    *ret = fl_json_get(doc, key);
    *ret_n = *ret ? fl_json_len(*ret) : 0;
    if (*ret && !fl_json_is_array(*ret))
        return fl_fail(err, FL_E_SHAPE, key, "must be a list");
    if (*ret_n > max)
        return fl_fail(err, FL_E_LIMIT, key, "%zu entries, at most %zu are allowed", *ret_n, max);
    return FL_OK;
}

static fl_status hash_document(struct fl_topology_doc *doc, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    fl_status st = fl_topology_text(doc, &text);
    if (st)
        return fl_fail(err, st, NULL, "out of memory while writing the topology");
    fl_sha256(text.p, text.n, &doc->hash);
    return FL_OK;
}

fl_status fl_intake_topology(struct fl_arena *arena, const char *body, size_t len,
                             struct fl_topology_doc *ret, struct fl_err *err)
{
    FL_AUTO_JSON root = fl_json_parse(body, len, err);
    const struct fl_json *list_n, *list_e;
    size_t n, m;
    if (!root)
        return err ? err->status : FL_E_SYNTAX;
    if (!fl_json_is_object(root))
        return fl_fail(err, FL_E_SHAPE, NULL, "a topology is an object with nodes and edges");
    if (!fl_json_get(root, "nodes") && !fl_json_get(root, "edges"))
        return fl_fail(err, FL_E_SHAPE, NULL, "neither nodes nor edges are given");
    fl_status st = list_member(root, "nodes", FL_NODES_MAX, &list_n, &n, err);
    if (!st)
        st = list_member(root, "edges", FL_EDGES_MAX, &list_e, &m, err);
    if (st)
        return st;
    struct fl_node *nodes = fl_arena_calloc(arena, n + 1, sizeof *nodes);
    struct fl_edge *edges = fl_arena_calloc(arena, m + 1, sizeof *edges);
    if (!nodes || !edges)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; !st && i < n; i++)
        st = read_node(arena, fl_json_at(list_n, i), i, &nodes[i], err);
    for (size_t i = 0; !st && i < m; i++)
        st = read_edge(arena, fl_json_at(list_e, i), i, &edges[i], err);
    if (st)
        return st;
    *ret = (struct fl_topology_doc){.nodes = nodes, .n_nodes = n, .edges = edges, .n_edges = m};
    return hash_document(ret, err);
}

static int node_order(const void *a, const void *b)
{
    return strcmp((*(const struct fl_node *const *)a)->id, (*(const struct fl_node *const *)b)->id);
}

static int edge_order(const void *pa, const void *pb)
{
    const struct fl_edge *a = *(const struct fl_edge *const *)pa, *b = *(const struct fl_edge *const *)pb;
    int c = strcmp(a->from, b->from);
    if (!c)
        c = strcmp(a->to, b->to);
    if (!c)
        c = strcmp(a->type, b->type);
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
