/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topology_lua.c -- the graph as people write it (Lua data, evaluated elsewhere), turned into the topology JSON that
 * topology.c reads and checks. Types are sections, dependencies are lists; what only a dependency names gets its type
 * from that dependency. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/intake.h>
#include <faultline/json.h>

/* A component that a dependency names; borrowed texts. */
struct named {
    const char *id, *type, *service;
    size_t order; /* the first that names it decides */
};

struct people {
    struct fl_jw nodes, edges;
    struct named *v;    /* malloc */
    const char **known; /* ids with a table of their own; malloc */
    size_t n, cap, n_known, cap_known;
    struct fl_err *err;
};

static const char *const texts[] = {"service", "host", "tier", "owner"};

static bool is_text_member(const char *key)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(texts); i++)
        if (!strcmp(key, texts[i]))
            return true;
    return false;
}

static fl_status no_memory(struct people *p)
{
    return fl_fail(p->err, FL_E_NOMEM, NULL, "out of memory while reading the topology");
}

/* Numbers and booleans are written as people mean them: tier = 1. @return NULL: neither. */
static const char *text_of(const struct fl_json *v, char buf[32])
{
    if (fl_json_is_bool(v))
        return fl_json_truth(v) ? "true" : "false";
    if (!fl_json_is_number(v))
        return fl_json_string(v);
    snprintf(buf, 32, "%.15g", fl_json_number(v, 0));
    return buf;
}

static fl_status write_texts(struct people *p, const struct fl_json *c)
{
    char buf[32];
    for (void *it = fl_json_first(c); it; it = fl_json_next(c, it)) {
        const char *key = fl_json_key(it), *text = text_of(fl_json_value(it), buf);
        if (!is_text_member(key))
            continue;
        if (!text) {
            fl_fail(p->err, FL_E_SHAPE, key, "must be a text or a number");
            if (!strcmp(key, "service") || !strcmp(key, "host"))
                fl_hint(p->err, "a section is named by a type and stands outermost: %s = { name = { … } }",
                        key);
            return FL_E_SHAPE;
        }
        fl_jw_str(&p->nodes, key, text);
    }
    return FL_OK;
}

static fl_status write_labels(struct people *p, const struct fl_json *labels)
{
    char buf[32];
    if (!labels || (fl_json_is_array(labels) && !fl_json_len(labels))) /* {} */
        return FL_OK;
    if (!fl_json_is_object(labels))
        return fl_fail(p->err, FL_E_SHAPE, "labels", "must be a table: { name = \"text\" }");
    fl_jw_obj(&p->nodes, "labels");
    for (void *it = fl_json_first(labels); it; it = fl_json_next(labels, it)) {
        const char *text = text_of(fl_json_value(it), buf);
        if (!text) {
            fl_fail(p->err, FL_E_SHAPE, fl_json_key(it), "must be a text or a number");
            fl_err_within(p->err, "labels");
            return FL_E_SHAPE;
        }
        fl_jw_str(&p->nodes, fl_json_key(it), text);
    }
    fl_jw_obj_end(&p->nodes);
    return FL_OK;
}

/* ---- dependencies ---- */

static fl_status remember(struct people *p, const char *from, const char *to, const char *edge)
{
    if (p->n == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 256;
        struct named *v = realloc(p->v, cap * sizeof *v);
        if (!v)
            return no_memory(p);
        p->v = v;
        p->cap = cap;
    }
    bool instance = !strcmp(edge, "has_instance");
    const char *type = instance                   ? "instance"
                       : !strcmp(edge, "runs_on") ? "host"
                       : !strcmp(edge, "data")    ? "store"
                                                  : "service";
    p->v[p->n] = (struct named){to, type, instance ? from : NULL, p->n};
    p->n++;
    return FL_OK;
}

static fl_status write_edge(struct people *p, const char *from, const char *to, const char *type,
                            const struct fl_json *weight)
{
    double w = fl_json_number(weight, 1);
    if (weight && (!fl_json_is_number(weight) || !isfinite(w)))
        return fl_fail(p->err, FL_E_SHAPE, to, "its weight must be a number above 0");
    fl_jw_obj(&p->edges, NULL);
    fl_jw_str(&p->edges, "from", from);
    fl_jw_str(&p->edges, "to", to);
    fl_jw_str(&p->edges, "type", type);
    if (weight) {
        char text[32];
        snprintf(text, sizeof text, "%.17g", w);
        fl_jw_raw(&p->edges, "weight", text);
    }
    fl_jw_obj_end(&p->edges);
    return remember(p, from, to, type);
}

static fl_status not_names(struct people *p, const char *key)
{
    fl_fail(p->err, FL_E_SHAPE, key, "must be names, like { \"cart\", \"payment\" }, or names with weights");
    fl_hint(
        p->err,
        "a component has service, host, tier, owner and labels; any other member lists what it depends on");
    return FL_E_SHAPE;
}

/* "cart", or { "cart", "payment" }, or { cart = 120, payment = 3 }. */
static fl_status write_edges(struct people *p, const char *from, const char *type, const struct fl_json *to)
{
    fl_status st = FL_OK;
    if (fl_json_is_string(to))
        return write_edge(p, from, fl_json_string(to), type, NULL);
    if (!fl_json_is_array(to) && !fl_json_is_object(to))
        return not_names(p, type);
    for (size_t i = 0; !st && fl_json_is_array(to) && i < fl_json_len(to); i++) {
        const char *name = fl_json_string(fl_json_at(to, i));
        st = name ? write_edge(p, from, name, type, NULL) : not_names(p, type);
    }
    for (void *it = fl_json_is_object(to) ? fl_json_first(to) : NULL; !st && it; it = fl_json_next(to, it)) {
        st = write_edge(p, from, fl_json_key(it), type, fl_json_value(it));
        if (st)
            fl_err_within(p->err, "%s", type);
    }
    return st;
}

/* ---- components ---- */

static fl_status component(struct people *p, const char *type, const char *id, const struct fl_json *c)
{
    if (p->n_known == p->cap_known) {
        size_t cap = p->cap_known ? 2 * p->cap_known : 256;
        const char **v = realloc(p->known, cap * sizeof *v);
        if (!v)
            return no_memory(p);
        p->known = v;
        p->cap_known = cap;
    }
    p->known[p->n_known++] = id;
    fl_jw_obj(&p->nodes, NULL);
    fl_jw_str(&p->nodes, "id", id);
    fl_jw_str(&p->nodes, "type", type);
    bool plain = !c || (fl_json_is_array(c) && !fl_json_len(c)); /* a name alone, or {} */
    if (!plain && !fl_json_is_object(c))
        return fl_fail(p->err, FL_E_SHAPE, NULL, "must be a table: { calls = { … }, owner = \"…\" }");
    fl_status st = plain ? FL_OK : write_texts(p, c);
    if (!st && !plain)
        st = write_labels(p, fl_json_get(c, "labels"));
    fl_jw_obj_end(&p->nodes);
    for (void *it = plain ? NULL : fl_json_first(c); !st && it; it = fl_json_next(c, it))
        if (!is_text_member(fl_json_key(it)) && strcmp(fl_json_key(it), "labels") != 0)
            st = write_edges(p, id, fl_json_key(it), fl_json_value(it));
    return st;
}

/* service = { cart = { … }, … } or service = { "cart", "payment" }. */
static fl_status section(struct people *p, const char *type, const struct fl_json *v)
{
    fl_status st = FL_OK;
    if (!fl_json_is_array(v) && !fl_json_is_object(v)) {
        fl_fail(p->err, FL_E_SHAPE, type, "must be a table of the components of this type");
        fl_hint(p->err, "%s = { name = { calls = { … } } }; docs/how-to/bring-your-graph.md has an example",
                type);
        return FL_E_SHAPE;
    }
    for (size_t i = 0; !st && fl_json_is_array(v) && i < fl_json_len(v); i++) {
        const char *id = fl_json_string(fl_json_at(v, i));
        st = id ? component(p, type, id, NULL)
                : fl_fail(p->err, FL_E_SHAPE, NULL, "must be the name of a component");
        if (st)
            fl_err_within(p->err, "%s[%zu]", type, i);
    }
    for (void *it = fl_json_is_object(v) ? fl_json_first(v) : NULL; !st && it; it = fl_json_next(v, it)) {
        st = component(p, type, fl_json_key(it), fl_json_value(it));
        if (st)
            fl_err_within(p->err, "%s.%.60s", type, fl_json_key(it));
    }
    return st;
}

/* ---- what only a dependency names ---- */

static int by_name(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int c = strcmp(x->id, y->id);
    return c ? c : x->order < y->order ? -1 : x->order > y->order;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void name_the_rest(struct people *p)
{
    if (p->n)
        qsort(p->v, p->n, sizeof *p->v, by_name);
    if (p->n_known)
        qsort(p->known, p->n_known, sizeof *p->known, by_text);
    for (size_t i = 0; i < p->n; i++) {
        const struct named *x = &p->v[i];
        bool again = i && !strcmp(x->id, p->v[i - 1].id);
        if (again || (p->n_known && bsearch(&x->id, p->known, p->n_known, sizeof *p->known, by_text)))
            continue;
        fl_jw_obj(&p->nodes, NULL);
        fl_jw_str(&p->nodes, "id", x->id);
        fl_jw_str(&p->nodes, "type", x->type);
        if (x->service)
            fl_jw_str(&p->nodes, "service", x->service);
        fl_jw_obj_end(&p->nodes);
    }
}

static fl_status sections(struct people *p, const struct fl_json *root, struct fl_buf *nodes,
                          struct fl_buf *edges, struct fl_buf *out)
{
    fl_status st = FL_OK;
    p->nodes = fl_jw_init(nodes);
    p->edges = fl_jw_init(edges);
    fl_jw_arr(&p->nodes, NULL);
    fl_jw_arr(&p->edges, NULL);
    for (void *it = fl_json_first(root); !st && it; it = fl_json_next(root, it))
        st = section(p, fl_json_key(it), fl_json_value(it));
    if (st)
        return st;
    name_the_rest(p);
    fl_jw_arr_end(&p->nodes);
    fl_jw_arr_end(&p->edges);
    if (nodes->failed || edges->failed)
        return no_memory(p);
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "nodes", nodes->p);
    fl_jw_raw(&w, "edges", edges->p);
    fl_jw_obj_end(&w);
    return out->failed ? no_memory(p) : FL_OK;
}

/* The JSON form, computed. An empty table of Lua is a list here. */
static fl_status as_it_is(const struct fl_json *root, struct fl_buf *out, struct fl_err *err)
{
    struct fl_jw w = fl_jw_init(out);
    bool ok = true;
    fl_jw_obj(&w, NULL);
    for (void *it = fl_json_first(root); it; it = fl_json_next(root, it)) {
        const struct fl_json *v = fl_json_value(it);
        FL_AUTO_FREE char *text = fl_json_text(v, true);
        ok = ok && text;
        fl_jw_raw(&w, fl_json_key(it), !text || (fl_json_is_object(v) && !fl_json_first(v)) ? "[]" : text);
    }
    fl_jw_obj_end(&w);
    return ok && !out->failed ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

fl_status fl_intake_topology_lua(const char *data, size_t len, struct fl_buf *out, struct fl_err *err)
{
    FL_AUTO_JSON root = fl_json_parse(data, len, err);
    if (!root)
        return err ? err->status : FL_E_SYNTAX;
    if (!fl_json_is_object(root) || !fl_json_first(root))
        return fl_fail(err, FL_E_SHAPE, NULL,
                       "has no components: return { service = { web = { calls = { \"cart\" } } } }");
    if (fl_json_get(root, "nodes") || fl_json_get(root, "edges"))
        return as_it_is(root, out, err);
    FL_AUTO_BUF nodes = fl_buf_init(0), edges = fl_buf_init(0);
    struct people p = {.err = err};
    fl_status st = sections(&p, root, &nodes, &edges, out);
    free(p.v);
    free(p.known);
    return st;
}
