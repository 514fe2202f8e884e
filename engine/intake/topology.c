/* SPDX-License-Identifier: GPL-3.0-or-later */
/* topology.c -- topology JSON → document, in one pass: a million edges need no tree of a million objects. Equal texts
 * are kept once, so an edge costs its struct. The canonical text: topology_text.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/intake.h>

#include "pull_priv.h"

enum { SCRATCH_MAX = 1 << 20 }; /* texts of the elements at hand, before they are known */

/* A text that is kept, and the node that has it as its id. */
struct word {
    const char *s;
    uint32_t node; /* + 1; 0: none */
};
struct reader {
    struct fl_pull p;
    struct fl_arena *arena, *scratch;
    struct fl_err *err;
    struct fl_node *nodes; /* both grow by malloc, and move into the arena when all are there */
    struct fl_edge *edges;
    size_t n, m, cap_n, cap_m;
    struct word *words;
    size_t n_words, mask; /* mask + 1 places, at most half of them used */
    bool listed;          /* nodes or edges are given */
};

/* ---- errors ---- */

/* A value as the message of an error shows it: cut, so that no document of a stranger fills a log. */
struct shown {
    char text[48];
};

static struct shown shown(const char *p, const char *end)
{
    struct shown s;
    bool whole = end - p < (ptrdiff_t)sizeof s.text;
    snprintf(s.text, sizeof s.text, whole ? "%.*s" : "%.*s…", whole ? (int)(end - p) : 44, p);
    fl_utf8_repair(s.text, strlen(s.text));
    return s;
}

static fl_status no_memory(struct reader *r)
{
    return fl_fail(r->err, FL_E_NOMEM, NULL, "out of memory while reading the topology");
}

static fl_status broken(struct reader *r)
{
    char where[64];
    if (r->p.st == FL_E_NOMEM)
        return no_memory(r);
    return fl_fail(r->err, r->p.st, fl_pull_place(&r->p, where), "could not parse JSON: %s", r->p.why);
}

static fl_status not_text(struct reader *r, const char *where)
{
    return fl_fail(r->err, FL_E_SYNTAX, where, "a text holds a NUL, or bytes that are no UTF-8");
}

/* The value at hand is of the wrong kind; `must` is what it has to be. */
static fl_status wrong_kind(struct reader *r, const char *where, const char *must, const char *hint)
{
    const char *start = r->p.at;
    fl_pull_skip(&r->p);
    if (r->p.st)
        return broken(r);
    fl_fail(r->err, FL_E_SHAPE, where, "must be %s, not %s", must, shown(start, r->p.at).text);
    if (hint)
        fl_hint(r->err, "%s", hint);
    return FL_E_SHAPE;
}

/* ---- texts ---- */

static bool words_grow(struct reader *r)
{
    size_t old = r->words ? r->mask + 1 : 0, size = old ? 2 * old : 1024;
    struct word *v = calloc(size, sizeof *v);
    if (!v)
        return false;
    for (size_t i = 0; i < old; i++)
        if (r->words[i].s) {
            size_t at = (size_t)fl_fnv1a(FL_FNV1A_INIT, r->words[i].s, strlen(r->words[i].s)) & (size - 1);
            while (v[at].s)
                at = (at + 1) & (size - 1);
            v[at] = r->words[i];
        }
    free(r->words);
    r->words = v;
    r->mask = size - 1;
    return true;
}

/* The one copy of `s` in the arena; NULL: out of memory. Good until the next call. */
static struct word *word_of(struct reader *r, const char *s, size_t n)
{
    if (2 * (r->n_words + 1) > (r->words ? r->mask + 1 : 0) && !words_grow(r))
        return NULL;
    size_t at = (size_t)fl_fnv1a(FL_FNV1A_INIT, s, n) & r->mask;
    for (; r->words[at].s; at = (at + 1) & r->mask)
        if (strcmp(r->words[at].s, s) == 0)
            return &r->words[at];
    if (!(r->words[at].s = fl_arena_strndup(r->arena, s, n)))
        return NULL;
    r->n_words++;
    return &r->words[at];
}

/* An optional string: null is absent. */
static fl_status read_text(struct reader *r, const char *where, const char **ret)
{
    char c = fl_pull_peek(&r->p);
    if (c != '"') {
        if (c != 'n')
            return c ? wrong_kind(r, where, "a string", "put it into quotes, or leave the member out")
                     : broken(r);
        fl_pull_skip(&r->p);
        return r->p.st ? broken(r) : FL_OK;
    }
    struct fl_text t = fl_pull_text(&r->p, r->scratch, FL_NODE_ID_MAX);
    if (r->p.st)
        return broken(r);
    if (r->p.bad_text)
        return not_text(r, where);
    if (t.n > FL_NODE_ID_MAX) {
        fl_fail(r->err, FL_E_LIMIT, where, "\"%.40s…\" is %zu bytes long, at most %u are allowed", t.p, t.n,
                FL_NODE_ID_MAX);
        fl_hint(r->err, "use a shorter name; long text can be a label of the node");
        return FL_E_LIMIT;
    }
    struct word *w = word_of(r, t.p, t.n);
    if (!w)
        return no_memory(r);
    *ret = w->s;
    return FL_OK;
}

/* ---- one element ---- */

struct member {
    const char *key;
    const char **to;
};

/* @param seen  a bit for each member met so far. */
static fl_status read_member(struct reader *r, const char *element, const struct member *v, size_t n,
                             struct fl_text key, unsigned *seen, bool *ret_known)
{
    char where[96];
    *ret_known = false;
    for (size_t k = 0; k < n; k++) {
        if (!fl_text_is(key, v[k].key))
            continue;
        snprintf(where, sizeof where, "%s.%s", element, v[k].key);
        *ret_known = true;
        if (*seen & 1u << k)
            return fl_fail(r->err, FL_E_SHAPE, where, "is given twice");
        *seen |= 1u << k;
        return read_text(r, where, v[k].to);
    }
    return FL_OK;
}

static fl_status labels_done(struct reader *r, struct fl_label *v, size_t n, struct fl_labels *ret)
{
    ret->n = fl_labels_normalise(v, n);
    ret->v = fl_arena_dup(r->arena, v, (ret->n + 1) * sizeof *v);
    return ret->v ? FL_OK : no_memory(r);
}

static bool is_among(const struct fl_label *v, size_t n, struct fl_text name)
{
    for (size_t i = 0; i < n; i++)
        if (fl_text_is(name, v[i].name))
            return true;
    return false;
}

static fl_status read_labels(struct reader *r, const char *element, struct fl_labels *ret)
{
    struct fl_label v[FL_LABELS_MAX + 1] = {{NULL, NULL}};
    char where[96];
    size_t n = 0;
    bool first = true;
    snprintf(where, sizeof where, "%s.labels", element);
    if (fl_pull_peek(&r->p) != '{')
        return wrong_kind(r, where, "an object of strings", NULL);
    fl_pull_enter(&r->p);
    while (fl_pull_more(&r->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&r->p, r->scratch);
        char label[160];
        snprintf(label, sizeof label, "%s.%.*s", where, (int)(key.n < 60 ? key.n : 60), key.p);
        if (n == FL_LABELS_MAX)
            return fl_fail(r->err, FL_E_LIMIT, where, "more than %u labels", FL_LABELS_MAX);
        if (is_among(v, n, key))
            return fl_fail(r->err, FL_E_SHAPE, label, "is given twice");
        char c = fl_pull_peek(&r->p);
        if (c && c != '"')
            return wrong_kind(r, label, "a string", "put its value into quotes");
        struct fl_text value = c ? fl_pull_text(&r->p, r->scratch, SCRATCH_MAX) : (struct fl_text){"", 0};
        if (r->p.st)
            return broken(r);
        if (r->p.bad_text)
            return not_text(r, label);
        v[n].name = fl_arena_strndup(r->arena, key.p, key.n);
        v[n].value = fl_arena_strndup(r->arena, value.p, value.n);
        if (!v[n].name || !v[n].value)
            return no_memory(r);
        n++;
    }
    return r->p.st ? broken(r) : labels_done(r, v, n, ret);
}

/* Two nodes of one id would be two truths about one thing. */
static fl_status know_node(struct reader *r, const char *element, const char *id)
{
    struct word *w = word_of(r, id, strlen(id));
    char where[96];
    if (!w)
        return no_memory(r);
    if (w->node) {
        snprintf(where, sizeof where, "%s.id", element);
        fl_fail(r->err, FL_E_SHAPE, where, "node id \"%.200s\" is given twice", id);
        fl_hint(r->err, "nodes[%u] has it, too: keep one of them, or tell them apart", w->node - 1);
        return FL_E_SHAPE;
    }
    w->node = (uint32_t)r->n + 1;
    return FL_OK;
}

static fl_status read_node(struct reader *r, const char *element)
{
    struct fl_node *node = &r->nodes[r->n];
    const struct member members[] = {{"id", &node->id},           {"type", &node->type},
                                     {"service", &node->service}, {"host", &node->host},
                                     {"tier", &node->tier},       {"owner", &node->owner}};
    const char *start = r->p.at;
    unsigned seen = 0;
    bool first = true;
    *node = (struct fl_node){.id = NULL};
    if (fl_pull_peek(&r->p) != '{')
        return wrong_kind(r, element, "an object", "a node is {\"id\": …, \"type\": …}");
    fl_pull_enter(&r->p);
    while (fl_pull_more(&r->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&r->p, r->scratch);
        bool known;
        fl_status st = read_member(r, element, members, FL_ARRAY_LEN(members), key, &seen, &known);
        if (!known && fl_text_is(key, "labels") && fl_pull_peek(&r->p) != 'n')
            st = read_labels(r, element, &node->labels);
        else if (!known)
            fl_pull_skip(&r->p);
        if (st)
            return st;
    }
    if (r->p.st)
        return broken(r);
    if (!node->id || !node->id[0]) {
        fl_fail(r->err, FL_E_SHAPE, element, "has no id: %s", shown(start, r->p.at).text);
        fl_hint(r->err, "give it an id: the name that edges and alerts call it by");
        return FL_E_SHAPE;
    }
    if (!node->type || !node->type[0])
        node->type = "service";
    fl_status st = know_node(r, element, node->id);
    r->n += st == FL_OK;
    return st;
}

/* A weight that is no number above 0 is told with its edge, so it is kept as text until both ends are known. */
struct weight {
    const char *p, *end;
};

static double weight_value(struct weight w)
{
    char text[64];
    if (!w.p)
        return 1.0;
    if (w.end - w.p >= (ptrdiff_t)sizeof text || (*w.p != '-' && (*w.p < '0' || *w.p > '9')))
        return NAN;
    memcpy(text, w.p, (size_t)(w.end - w.p));
    text[w.end - w.p] = '\0';
    return strtod(text, NULL);
}

static fl_status check_edge(struct reader *r, const char *element, struct fl_edge *e, struct weight w,
                            const char *start)
{
    if (!e->from || !e->from[0] || !e->to || !e->to[0]) {
        fl_fail(r->err, FL_E_SHAPE, element, "needs from and to: %s", shown(start, r->p.at).text);
        fl_hint(r->err, "from is who needs, to is who is needed: both are ids of nodes");
        return FL_E_SHAPE;
    }
    if (!e->type || !e->type[0])
        e->type = "calls";
    e->weight = weight_value(w);
    if (!(e->weight > 0) || !isfinite(e->weight)) {
        fl_fail(r->err, FL_E_SHAPE, element,
                "weight of \"%.60s\" -> \"%.60s\" must be a number above 0, not %s", e->from, e->to,
                shown(w.p, w.end).text);
        fl_hint(r->err, "leave weight out for 1; leave the edge out when there is no dependency");
        return FL_E_SHAPE;
    }
    r->m++;
    return FL_OK;
}

static fl_status read_edge(struct reader *r, const char *element)
{
    struct fl_edge *e = &r->edges[r->m];
    const struct member members[] = {{"from", &e->from}, {"to", &e->to}, {"type", &e->type}};
    const char *start = r->p.at;
    struct weight w = {NULL, NULL};
    unsigned seen = 0;
    bool first = true;
    *e = (struct fl_edge){.from = NULL};
    if (fl_pull_peek(&r->p) != '{')
        return wrong_kind(r, element, "an object",
                          "an edge is {\"from\": caller, \"to\": callee, \"type\": …}");
    fl_pull_enter(&r->p);
    while (fl_pull_more(&r->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&r->p, r->scratch);
        bool known;
        fl_status st = read_member(r, element, members, FL_ARRAY_LEN(members), key, &seen, &known);
        if (st)
            return st;
        if (known)
            continue;
        bool weight = fl_text_is(key, "weight") && fl_pull_peek(&r->p) != 'n';
        const char *value = r->p.at;
        fl_pull_skip(&r->p);
        if (weight)
            w = (struct weight){value, r->p.at};
    }
    return r->p.st ? broken(r) : check_edge(r, element, e, w, start);
}

/* ---- the document ---- */

static fl_status too_many(struct reader *r, const char *list, size_t max)
{
    fl_fail(r->err, FL_E_LIMIT, list, "more than %zu entries", max);
    fl_hint(r->err, "import services instead of single pods or requests, or part the landscape into realms");
    return FL_E_LIMIT;
}

/* Room for one more. */
static fl_status grow(struct reader *r, const char *list, void *v, size_t size, size_t n, size_t *cap,
                      size_t max)
{
    void **p = v;
    if (n == max)
        return too_many(r, list, max);
    if (n < *cap)
        return FL_OK;
    size_t more = *cap ? 2 * *cap : 256;
    void *grown = realloc(*p, more * size);
    if (!grown)
        return no_memory(r);
    *p = grown;
    *cap = more;
    return FL_OK;
}

static fl_status read_list(struct reader *r, bool nodes)
{
    const char *list = nodes ? "nodes" : "edges";
    char element[64], c = fl_pull_peek(&r->p);
    fl_status st = FL_OK;
    bool first = true;
    if (c == 'n') {
        fl_pull_skip(&r->p);
        return r->p.st ? broken(r) : FL_OK;
    }
    if (c != '[')
        return c ? wrong_kind(r, list, "a list", NULL) : broken(r);
    r->listed = true;
    fl_pull_enter(&r->p);
    for (size_t i = 0; !st && fl_pull_more(&r->p, ']', &first); i++) {
        snprintf(element, sizeof element, "%s[%zu]", list, i);
        fl_pull_peek(&r->p); /* to its first byte: what is shown of it begins there */
        st = nodes ? grow(r, list, &r->nodes, sizeof *r->nodes, r->n, &r->cap_n, FL_NODES_MAX)
                   : grow(r, list, &r->edges, sizeof *r->edges, r->m, &r->cap_m, FL_EDGES_MAX);
        if (!st)
            st = nodes ? read_node(r, element) : read_edge(r, element);
        if (i % 256 == 0)
            fl_arena_reset(r->scratch);
    }
    return st ? st : r->p.st ? broken(r) : FL_OK;
}

static fl_status read_root(struct reader *r)
{
    bool first = true, had[2] = {false, false};
    if (fl_pull_peek(&r->p) != '{')
        return r->p.st ? broken(r)
                       : fl_fail(r->err, FL_E_SHAPE, NULL, "a topology is an object with nodes and edges");
    fl_pull_enter(&r->p);
    while (fl_pull_more(&r->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&r->p, r->scratch);
        bool nodes = fl_text_is(key, "nodes");
        if (!nodes && !fl_text_is(key, "edges")) {
            fl_pull_skip(&r->p);
            continue;
        }
        if (had[nodes])
            return fl_fail(r->err, FL_E_SHAPE, nodes ? "nodes" : "edges", "is given twice");
        had[nodes] = true;
        fl_status st = read_list(r, nodes);
        if (st)
            return st;
    }
    fl_pull_end(&r->p);
    if (r->p.st)
        return broken(r);
    if (r->p.bad_text) /* in a part that is ignored: still no JSON */
        return not_text(r, NULL);
    if (!r->listed) {
        fl_fail(r->err, FL_E_SHAPE, NULL, "neither nodes nor edges are given");
        fl_hint(r->err, "an empty graph is {\"nodes\": []}");
        return FL_E_SHAPE;
    }
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

static fl_status take(struct reader *r, struct fl_topology_doc *ret)
{
    ret->n_nodes = r->n;
    ret->n_edges = r->m;
    ret->nodes = r->n ? fl_arena_dup(r->arena, r->nodes, r->n * sizeof *r->nodes) : NULL;
    ret->edges = r->m ? fl_arena_dup(r->arena, r->edges, r->m * sizeof *r->edges) : NULL;
    if ((r->n && !ret->nodes) || (r->m && !ret->edges))
        return no_memory(r);
    return FL_OK;
}

fl_status fl_intake_topology(struct fl_arena *arena, const char *body, size_t len,
                             struct fl_topology_doc *ret, struct fl_err *err)
{
    FL_AUTO_ARENA scratch = fl_arena_new(0);
    struct reader r = {.p = fl_pull_init(body, len), .arena = arena, .scratch = scratch, .err = err};
    struct fl_topology_doc doc = {.n_nodes = 0};
    fl_status st = scratch ? read_root(&r) : no_memory(&r);
    if (!st)
        st = take(&r, &doc);
    free(r.words);
    free(r.nodes);
    free(r.edges);
    if (!st)
        st = hash_document(&doc, err);
    if (!st)
        *ret = doc;
    return st;
}
