/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topology_foreign.c -- dependency graphs as others write them: Jaeger's dependencies and CSV tables of edges. Both name
 * edges only, so each name becomes a component of type service. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <faultline/intake.h>

#include "case_priv.h"

static const char *const form_names[] = {[FL_TF_JSON] = "json",
                                         [FL_TF_JAEGER] = "jaeger",
                                         [FL_TF_CSV] = "csv",
                                         [FL_TF_GRAPHML] = "graphml",
                                         [FL_TF_LUA] = "lua"};

const char *fl_topology_form_name(fl_topology_form f)
{
    return form_names[f];
}

bool fl_topology_form_parse(const char *s, fl_topology_form *ret)
{
    for (unsigned i = 0; i < FL_ARRAY_LEN(form_names); i++)
        if (!strcmp(s, form_names[i])) {
            *ret = (fl_topology_form)i;
            return true;
        }
    return false;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && !strcasecmp(s + n - m, end);
}

fl_topology_form fl_topology_form_guess(const char *name, const char *text, size_t len)
{
    size_t i = 0;
    if (ends_in(name, ".csv"))
        return FL_TF_CSV;
    if (ends_in(name, ".graphml"))
        return FL_TF_GRAPHML;
    if (ends_in(name, ".lua"))
        return FL_TF_LUA;
    if (len >= 3 && !memcmp(text, "\xef\xbb\xbf", 3))
        i = 3;
    while (i < len && strchr(" \t\r\n", text[i]))
        i++;
    if (i == len || text[i] == '[')
        return i == len ? FL_TF_JSON : FL_TF_JAEGER;
    if (text[i] == '<')
        return FL_TF_GRAPHML;
    if (text[i] != '{')
        return FL_TF_CSV;
    /* Jaeger's envelope begins with data; ours has nodes or edges. A file of ours with a member of that name
     * before them is not worth a second parse: --format says which. */
    for (i++; i < len && strchr(" \t\r\n", text[i]);)
        i++;
    return len - i >= 6 && !memcmp(text + i, "\"data\"", 6) ? FL_TF_JAEGER : FL_TF_JSON;
}

/* ---- edges that grow, and the components they name -------------------------------------------------------------- */

struct edge_list {
    struct fl_arena *arena;
    struct fl_edge *v; /* malloc */
    size_t n, cap;
};

static fl_status add_edge(struct edge_list *l, const char *from, const char *to, const char *type,
                          double weight, struct fl_err *err)
{
    if (!from[0] || !to[0])
        return fl_fail(err, FL_E_SHAPE, NULL, "an edge needs both ends, \"%.80s\" -> \"%.80s\" has not", from,
                       to);
    if (strlen(from) > FL_NODE_ID_MAX || strlen(to) > FL_NODE_ID_MAX || strlen(type) > FL_NODE_ID_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL,
                       "the edge \"%.40s…\" -> \"%.40s…\" has a name of more than %u bytes", from, to,
                       FL_NODE_ID_MAX);
    if (!fl_utf8_valid(from, strlen(from)) || !fl_utf8_valid(to, strlen(to)) ||
        !fl_utf8_valid(type, strlen(type)))
        return fl_fail(err, FL_E_SHAPE, NULL, "a name is not valid UTF-8");
    if (l->n == FL_EDGES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %u edges", FL_EDGES_MAX);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 256;
        struct fl_edge *v = realloc(l->v, cap * sizeof *v);
        if (!v)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        l->v = v;
        l->cap = cap;
    }
    struct fl_edge e = {.from = fl_arena_strdup(l->arena, from),
                        .to = fl_arena_strdup(l->arena, to),
                        .type = fl_arena_strdup(l->arena, type),
                        .weight = weight};
    if (!e.from || !e.to || !e.type)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    l->v[l->n++] = e;
    return FL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every name once, in order, as a service. */
static fl_status name_nodes(struct edge_list *l, struct fl_topology_doc *doc, struct fl_err *err)
{
    FL_AUTO_FREE const char **names = malloc((2 * l->n + 1) * sizeof *names);
    size_t n = 0;
    if (!names)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < l->n; i++) {
        names[2 * i] = l->v[i].from;
        names[2 * i + 1] = l->v[i].to;
    }
    if (l->n)
        qsort(names, 2 * l->n, sizeof *names, by_name);
    for (size_t i = 0; i < 2 * l->n; i++)
        if (!i || strcmp(names[i], names[n - 1]) != 0)
            names[n++] = names[i];
    if (n > FL_NODES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "%zu components, at most %u are allowed", n, FL_NODES_MAX);
    struct fl_node *nodes = fl_arena_calloc(l->arena, n + 1, sizeof *nodes);
    if (!nodes)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < n; i++)
        nodes[i] = (struct fl_node){.id = names[i], .type = "service"};
    doc->nodes = nodes;
    doc->n_nodes = n;
    return FL_OK;
}

static fl_status finish(struct edge_list *l, struct fl_topology_doc *ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    struct fl_edge *edges = fl_arena_calloc(l->arena, l->n + 1, sizeof *edges);
    if (!edges)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (l->n)
        memcpy(edges, l->v, l->n * sizeof *edges);
    *ret = (struct fl_topology_doc){.edges = edges, .n_edges = l->n};
    fl_status st = name_nodes(l, ret, err);
    if (!st && fl_topology_text(ret, &text) != FL_OK)
        st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory while writing the topology");
    if (!st)
        fl_sha256(text.p, text.n, &ret->hash);
    return st;
}

/* ---- Jaeger ----------------------------------------------------------------------------------------------------- */

static fl_status jaeger_edge(struct edge_list *l, const struct fl_json *o, struct fl_err *err)
{
    const char *parent = fl_json_string(fl_json_get(o, "parent")),
               *child = fl_json_string(fl_json_get(o, "child"));
    double calls = fl_json_number(fl_json_get(o, "callCount"), 1);
    if (!parent || !child)
        return fl_fail(err, FL_E_SHAPE, NULL, "needs the strings parent and child");
    if (!strcmp(parent, child)) /* spans of one service that call each other: it does not depend on itself */
        return FL_OK;
    return add_edge(l, parent, child, "calls", calls > 0 && isfinite(calls) ? calls : 1, err);
}

fl_status fl_intake_topology_jaeger(struct fl_arena *arena, const char *body, size_t len,
                                    struct fl_topology_doc *ret, struct fl_err *err)
{
    FL_AUTO_JSON root = fl_json_parse(body, len, err);
    if (!root)
        return err ? err->status : FL_E_SYNTAX;
    const struct fl_json *list = fl_json_is_object(root) ? fl_json_get(root, "data") : root;
    if (!fl_json_is_array(list))
        return fl_fail(
            err, FL_E_SHAPE, NULL,
            "is not what GET /api/dependencies answers: {\"data\":[{\"parent\",\"child\",\"callCount\"}]}");
    if (!fl_json_len(list))
        return fl_fail(
            err, FL_E_SHAPE, NULL,
            "has no dependencies: ask Jaeger for a longer time (lookback=, in ms) or look at its dependency job");
    struct edge_list l = {.arena = arena};
    fl_status st = FL_OK;
    for (size_t i = 0; !st && i < fl_json_len(list); i++) {
        st = jaeger_edge(&l, fl_json_at(list, i), err);
        if (st)
            fl_err_within(err, "data[%zu]", i);
    }
    if (!st)
        st = finish(&l, ret, err);
    free(l.v);
    return st;
}

/* ---- CSV -------------------------------------------------------------------------------------------------------- */

enum { CSV_FROM, CSV_TO, CSV_TYPE, CSV_WEIGHT, CSV_KNOWN, CSV_COLUMNS_MAX = 64 };

static const char *const csv_names[][CSV_KNOWN] = {
    {"from", "to", "type", "weight"},
    {"source", "target", "kind", "calls"},
    {"caller", "callee", "relation", "callcount"},
    {"client", "server", NULL, "count"},
    {"parent", "child", NULL, NULL},
};

struct csv_reader {
    struct edge_list l;
    int column[CSV_COLUMNS_MAX]; /* what the i-th column is, -1: something else */
    size_t n_columns;
};

static int csv_column(const char *name)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(csv_names); i++)
        for (int c = 0; c < CSV_KNOWN; c++)
            if (csv_names[i][c] && !strcasecmp(name, csv_names[i][c]))
                return c;
    return -1;
}

static fl_status csv_head(struct csv_reader *r, char *line, struct fl_err *err)
{
    unsigned seen = 0;
    if (!strncmp(line, "\xef\xbb\xbf", 3))
        line += 3;
    for (char *p = line; p;) {
        const char *name = fl_csv_field(&p);
        if (r->n_columns == CSV_COLUMNS_MAX)
            return fl_fail(err, FL_E_LIMIT, NULL, "more than %d columns", CSV_COLUMNS_MAX);
        int c = csv_column(name);
        if (c >= 0 && seen & 1u << c)
            return fl_fail(err, FL_E_SHAPE, NULL, "two columns say the same: \"%.40s\" is the second", name);
        if (c >= 0)
            seen |= 1u << c;
        r->column[r->n_columns++] = c;
    }
    if ((seen & 3u) != 3u)
        return fl_fail(
            err, FL_E_SHAPE, NULL,
            "the first line must name the columns: from,to and if you like type,weight (also source,target; "
            "caller,callee; client,server; parent,child), separated by commas");
    return FL_OK;
}

static fl_status csv_row(void *ctx, const char *line, size_t n, struct fl_err *err)
{
    struct csv_reader *r = ctx;
    const char *value[CSV_KNOWN] = {"", "", "", ""};
    double weight = 1;
    (void)n;
    if (!r->n_columns)
        return csv_head(r, (char *)line, err);
    size_t i = 0;
    for (char *p = (char *)line; p; i++) {
        const char *field = fl_csv_field(&p);
        if (i < r->n_columns && r->column[i] >= 0)
            value[r->column[i]] = field;
    }
    if (i != r->n_columns)
        return fl_fail(err, FL_E_SHAPE, NULL, "%zu fields, the first line has %zu", i, r->n_columns);
    if (value[CSV_WEIGHT][0]) {
        char *end;
        weight = strtod(value[CSV_WEIGHT], &end);
        if (*end || !(weight > 0) || !isfinite(weight))
            return fl_fail(err, FL_E_SHAPE, NULL, "weight \"%.40s\" is not a number above 0",
                           value[CSV_WEIGHT]);
    }
    return add_edge(&r->l, value[CSV_FROM], value[CSV_TO], value[CSV_TYPE][0] ? value[CSV_TYPE] : "calls",
                    weight, err);
}

fl_status fl_intake_topology_csv(struct fl_arena *arena, const char *name, const char *body, size_t len,
                                 struct fl_topology_doc *ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    struct csv_reader r = {.l.arena = arena};
    if (memchr(body, '\0', len))
        return fl_fail(err, FL_E_SYNTAX, name, "has a NUL byte: not a text in UTF-8");
    fl_buf_add(&text, body, len);
    if (text.failed)
        return fl_fail(err, FL_E_NOMEM, name, "out of memory");
    fl_status st = text.n ? fl_case_lines(name, text.p, text.n, csv_row, &r, err) : FL_OK;
    if (!st && !r.n_columns)
        st = fl_fail(err, FL_E_SHAPE, name, "is empty: a first line from,to is needed");
    if (!st)
        st = finish(&r.l, ret, err);
    free(r.l.v);
    return st;
}
