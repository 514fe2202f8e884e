/* SPDX-License-Identifier: GPL-3.0-or-later */
/* evidence.c -- alerts of an incident → groups (service with its instances, host, store) and who is credited. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "rank_internal.h"

static const char *const kind_names[FL_K_N] = {"cpu",          "memory",        "io",
                                               "pool",         "resource_down", "net_up",
                                               "net_down",     "net_edge",      "error",
                                               "error_edge",   "error_self",    "log_error",
                                               "log",          "latency",       "latency_out",
                                               "latency_down", "span",          "span_self",
                                               "traffic_up",   "traffic_down",  "traffic_out_down",
                                               "availability", "missing",       "good",
                                               "other",        "out_span",      "out_net",
                                               "out_error",    "out_missing",   "named_span",
                                               "named_error",  "named_log"};

const char *fl_kind_name(enum fl_kind k)
{
    return kind_names[k];
}

static bool has(const char *s, const char *word)
{
    return strcasestr(s, word) != NULL;
}

static bool has_any(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (has(s, *words))
            return true;
    return false;
}

/* Watched from the side of the one who calls. */
static bool is_client_metric(const char *m)
{
    return strncmp(m, "src_", 4) == 0 || has(m, "client") || has(m, "outbound") || has(m, "upstream");
}

static bool is_success_metric(const char *m)
{
    size_t n = strlen(m);
    return has(m, "success") || (n > 3 && strcmp(m + n - 3, "-sr") == 0);
}

/* An error line that says itself that the fault is another's. */
static bool blames_another(const struct fl_alert *a)
{
    static const char *const words[] = {"downstream", "upstream", "remote service", NULL};
    return has_any(fl_label_get(&a->annotations, "summary"), words);
}

static enum fl_kind resource_kind(const char *text)
{
    static const char *const mem[] = {"mem", "rss", "heap", "swap", "pgmaj", "oom", "gc_", NULL};
    static const char *const io[] = {"disk",  "fs",   "io.",   "iowait", "file",
                                     "inode", "read", "write", "space",  NULL};
    static const char *const pool[] = {"thread", "pool",    "conn", "socket", "fd", "queue",
                                       "depth",  "backlog", "lag",  "buffer", NULL};
    if (has_any(text, io))
        return FL_K_IO;
    if (has_any(text, mem))
        return FL_K_MEM;
    if (has_any(text, pool))
        return FL_K_POOL;
    return FL_K_CPU;
}

static bool is_type(const struct fl_topo *t, fl_vertex v, const char *type)
{
    return strcmp(fl_topo_node(t, v)->type, type) == 0;
}

enum fl_kind fl_kind_of(const struct fl_topo *t, const struct fl_rank_alert *a)
{
    const char *metric = fl_label_get(&a->alert->labels, "metric");
    const char *text = metric[0] ? metric : fl_label_get(&a->alert->labels, "alertname");
    const char *direction = fl_label_get(&a->alert->labels, "direction");
    bool has_direction = direction[0] != '\0', down = strcmp(direction, "down") == 0;
    bool edge = a->peer >= 0 || fl_label_get(&a->alert->labels, "operation")[0];
    bool self = a->peer >= 0 && fl_topo_service_of(t, a->peer) == fl_topo_service_of(t, a->node);
    switch (a->cls) {
    case FL_EC_RESOURCE: return down ? FL_K_RES_DOWN : resource_kind(text);
    case FL_EC_ERROR:
        if (is_success_metric(text) ? !down && has_direction : down)
            return FL_K_GOOD;
        return self ? FL_K_ERR_SELF : edge ? FL_K_ERR_EDGE : FL_K_ERR;
    case FL_EC_LATENCY:
        if (edge)
            return self ? FL_K_SPAN_SELF : FL_K_SPAN;
        return down ? FL_K_LAT_DOWN : is_client_metric(text) ? FL_K_LAT_OUT : FL_K_LAT;
    case FL_EC_NETWORK: return edge ? FL_K_NET_EDGE : down ? FL_K_NET_DOWN : FL_K_NET_UP;
    case FL_EC_TRAFFIC:
        if (!down)
            return FL_K_TRAF_UP;
        return is_client_metric(text) ? FL_K_TRAF_OUT_DOWN : FL_K_TRAF_DOWN;
    case FL_EC_LOG: return a->severity >= FL_SEV_ERROR && !blames_another(a->alert) ? FL_K_LOG_BAD : FL_K_LOG;
    case FL_EC_MISSING: return FL_K_MISSING;
    case FL_EC_AVAILABILITY: return has_direction && !down && !has(text, "restart") ? FL_K_GOOD : FL_K_AVAIL;
    default: return FL_K_OTHER;
    }
}

/* What the caller of a bad call is credited with; FL_K_N = nothing. */
static enum fl_kind caller_kind(enum fl_kind k)
{
    switch (k) {
    case FL_K_SPAN: return FL_K_OUT_SPAN;
    case FL_K_NET_EDGE: return FL_K_OUT_NET;
    case FL_K_ERR_EDGE: return FL_K_OUT_ERR;
    default: return FL_K_N;
    }
}

/* ---- names in texts ---- */

enum { NAME_MAX = 64 };

/* Lower case letters and digits only: "CartService" and "cart-service" are one name. */
static size_t squeeze(const char *s, size_t n, char *out)
{
    size_t m = 0;
    for (size_t i = 0; i < n && m < NAME_MAX - 1; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 'A' && c <= 'Z')
            out[m++] = (char)(c + 32);
        else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            out[m++] = (char)c;
    }
    out[m] = '\0';
    return m;
}

static uint64_t name_hash(const char *s, size_t n)
{
    char word[NAME_MAX];
    size_t m = squeeze(s, n, word);
    return m >= 3 ? fl_fnv1a(FL_FNV1A_INIT, word, m) : 0;
}

/* ---- groups ------------------------------------------------------------------------------------- */

static fl_vertex unit_of(const struct fl_topo *t, fl_vertex v)
{
    fl_vertex s = fl_topo_service_of(t, v);
    return s >= 0 ? s : v;
}

static int by_vertex(const void *a, const void *b)
{
    fl_vertex x = *(const fl_vertex *)a, y = *(const fl_vertex *)b;
    return x < y ? -1 : x > y;
}

static size_t sort_unique(fl_vertex *v, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, by_vertex);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || v[i] != v[i - 1])
            v[kept++] = v[i];
    return kept;
}

static int by_name(const void *pa, const void *pb)
{
    const struct fl_name *a = pa, *b = pb;
    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    return a->group < b->group ? -1 : a->group > b->group;
}

/* The first group of this name. */
static size_t first_named(const struct fl_evidence *ev, uint64_t hash)
{
    size_t lo = 0, hi = ev->n_groups;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ev->names[mid].hash < hash)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static bool sorted_has(const fl_vertex *v, size_t n, fl_vertex key)
{
    return n && bsearch(&key, v, n, sizeof *v, by_vertex);
}

int fl_evidence_group(const struct fl_evidence *ev, fl_vertex v)
{
    if (v < 0)
        return -1;
    fl_vertex key = unit_of(ev->in->topo, v);
    size_t lo = 0, hi = ev->n_groups;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (ev->groups[mid].vertex < key)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < ev->n_groups && ev->groups[lo].vertex == key ? (int)lo : -1;
}

static bool is_call(const char *type)
{
    return strcmp(type, "has_instance") != 0 && strcmp(type, "runs_on") != 0 &&
           strcmp(type, "registers_with") != 0;
}

/* Units next to v, in one direction, over its own edges and those of its instances. */
static size_t unit_neighbours(const struct fl_topo *t, fl_vertex unit, enum fl_dir dir, bool calls_only,
                              fl_vertex *out, size_t cap)
{
    size_t n = 0;
    const fl_vertex *next;
    size_t count = fl_topo_neighbours(t, unit, dir, &next);
    for (size_t i = 0; i < count && n < cap; i++) {
        fl_vertex u = unit_of(t, next[i]);
        const char *type = fl_topo_edge_type(t, unit, dir, i);
        if (u != unit && (!calls_only || is_call(type)))
            out[n++] = u;
        if (strcmp(type, "has_instance") != 0 || u != unit)
            continue;
        const fl_vertex *far;
        size_t m = fl_topo_neighbours(t, next[i], dir, &far);
        for (size_t k = 0; k < m && n < cap; k++) {
            fl_vertex w = unit_of(t, far[k]);
            if (w != unit && (!calls_only || is_call(fl_topo_edge_type(t, next[i], dir, k))))
                out[n++] = w;
        }
    }
    return sort_unique(out, n);
}

enum {
    NEIGHBOURS_MAX = 2048,
    CREDITS = 6 /* an alert's own, its caller's or callee's, and up to four that its text names */
};

/* Alerting units, what they call, and hosts under them; or the candidates that the caller gives. */
static fl_status collect_units(struct fl_evidence *ev, struct fl_err *err)
{
    const struct fl_rank_input *in = ev->in;
    size_t cap = 2 * in->n_alerts + in->n_candidates + 2, n = 0, n_alerting;
    fl_vertex *alerting = fl_arena_alloc(ev->arena, cap * sizeof *alerting);
    fl_vertex *units = fl_arena_alloc(ev->arena, (cap + FL_GROUPS_MAX) * sizeof *units);
    fl_vertex *eligible = fl_arena_alloc(ev->arena, (in->n_candidates + 1) * sizeof *eligible);
    fl_vertex near[NEIGHBOURS_MAX];
    size_t n_eligible = 0;
    if (!alerting || !units || !eligible)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < in->n_alerts; i++) {
        if (in->alerts[i].node >= 0)
            alerting[n++] = unit_of(in->topo, in->alerts[i].node);
        if (in->alerts[i].peer >= 0)
            alerting[n++] = unit_of(in->topo, in->alerts[i].peer);
    }
    n_alerting = n = sort_unique(alerting, n);
    if (n > FL_GROUPS_MAX)
        n_alerting = n = FL_GROUPS_MAX;
    memcpy(units, alerting, n * sizeof *units);
    for (size_t i = 0; i < in->n_candidates; i++)
        if (in->candidates[i] >= 0)
            eligible[n_eligible++] = units[n++] = unit_of(in->topo, in->candidates[i]);
    n_eligible = sort_unique(eligible, n_eligible);
    for (size_t i = 0; !in->n_candidates && i < n_alerting && n < FL_GROUPS_MAX; i++) {
        size_t room = FL_GROUPS_MAX - n < NEIGHBOURS_MAX ? FL_GROUPS_MAX - n : NEIGHBOURS_MAX;
        size_t m = unit_neighbours(in->topo, alerting[i], FL_DIR_NEEDS, false, near, room);
        memcpy(units + n, near, m * sizeof *near);
        n += m;
    }
    if (in->entry >= 0)
        units[n++] = unit_of(in->topo, in->entry);
    n = sort_unique(units, n);
    ev->groups = fl_arena_calloc(ev->arena, n + 1, sizeof *ev->groups);
    ev->names = fl_arena_alloc(ev->arena, (n + 1) * sizeof *ev->names);
    if (!ev->groups || !ev->names)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *id = fl_topo_node(in->topo, units[i])->id;
        ev->groups[i].vertex = units[i];
        ev->names[i] = (struct fl_name){name_hash(id, strlen(id)), (uint32_t)i};
        ev->groups[i].host = is_type(in->topo, units[i], "host");
        ev->groups[i].eligible = in->n_candidates ? sorted_has(eligible, n_eligible, units[i]) : true;
    }
    ev->n_groups = n;
    if (n > 1)
        qsort(ev->names, n, sizeof *ev->names, by_name);
    return FL_OK;
}

/* What each group needs, from the graph; who needs it, by turning that round: exact, and a hub with a hundred
 * thousand dependants costs only those that are part of the incident. */
static fl_status link_groups(struct fl_evidence *ev, struct fl_err *err)
{
    fl_vertex near[NEIGHBOURS_MAX];
    for (size_t i = 0; i < ev->n_groups; i++) {
        struct fl_group *g = &ev->groups[i];
        size_t n = unit_neighbours(ev->in->topo, g->vertex, FL_DIR_NEEDS, true, near, NEIGHBOURS_MAX);
        g->needs = fl_arena_alloc(ev->arena, (n + 1) * sizeof *g->needs);
        if (!g->needs)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        for (size_t k = 0; k < n; k++) {
            int to = fl_evidence_group(ev, near[k]);
            if (to < 0)
                continue;
            g->needs[g->n_needs++] = (uint32_t)to;
            ev->groups[to].n_needed_by++;
        }
    }
    for (size_t i = 0; i < ev->n_groups; i++) {
        struct fl_group *g = &ev->groups[i];
        g->needed_by = fl_arena_alloc(ev->arena, (g->n_needed_by + 1) * sizeof *g->needed_by);
        if (!g->needed_by)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        g->n_needed_by = 0;
    }
    for (size_t i = 0; i < ev->n_groups; i++)
        for (uint32_t k = 0; k < ev->groups[i].n_needs; k++) {
            struct fl_group *to = &ev->groups[ev->groups[i].needs[k]];
            to->needed_by[to->n_needed_by++] = (uint32_t)i;
        }
    return FL_OK;
}

static void drop(uint32_t *list, uint32_t *n, int what)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < *n; i++)
        if ((int)list[i] != what)
            list[kept++] = list[i];
    *n = kept;
}

static void cut_edge(struct fl_evidence *ev, int from, int to)
{
    if (from < 0 || to < 0)
        return;
    drop(ev->groups[from].needs, &ev->groups[from].n_needs, to);
    drop(ev->groups[to].needed_by, &ev->groups[to].n_needed_by, from);
}

/* ---- credit ---------------------------------------------------------------------------------------- */

/* |log(value / usual value)| as the sender's annotations tell them. */
static double size_of(const struct fl_alert *a)
{
    const char *value = fl_label_get(&a->annotations, "value"),
               *usual = fl_label_get(&a->annotations, "baseline");
    char *end_v, *end_u;
    if (!value[0] || !usual[0])
        return 0;
    double v = strtod(value, &end_v), u = strtod(usual, &end_u);
    if (*end_v || *end_u || !isfinite(v) || !isfinite(u))
        return 0;
    v = fabs(v) + 1e-6;
    u = fabs(u) + 1e-6;
    double size = fabs(log(v / u));
    return size > 6 ? 6 : size;
}

static void credit(struct fl_evidence *ev, size_t alert, fl_vertex node, enum fl_kind kind, double rarity)
{
    int at = fl_evidence_group(ev, node);
    if (at < 0)
        return;
    struct fl_group *g = &ev->groups[at];
    ev->items[ev->n_items++] = (struct fl_item){
        (uint32_t)at, node, kind, rarity, size_of(ev->in->alerts[alert].alert), (uint32_t)alert};
    g->kind_mass[kind] += rarity;
    g->kind_n[kind]++;
    ev->kind_mass[kind] += rarity;
    if (kind >= FL_K_OWN_N)
        return;
    fl_usec start = ev->in->alerts[alert].alert->starts_at;
    g->alerting = true;
    g->n++;
    g->mass += rarity;
    if (rarity > g->max_rarity)
        g->max_rarity = rarity;
    if (rarity >= 0.5 && start > 0 && (!g->first || start < g->first))
        g->first = start;
    ev->mass += rarity;
    ev->n_own++;
}

/* The groups that the words of `text` name, at most a few; the rarity goes to each. */
static void credit_named(struct fl_evidence *ev, size_t alert, int self, const char *text, enum fl_kind kind,
                         double rarity)
{
    static const char separators[] = " \t/.:,;()[]{}\"'=?&<>#|";
    uint32_t given[4], n = 0;
    for (size_t len; *text && n < FL_ARRAY_LEN(given); text += len) {
        text += strspn(text, separators);
        len = strcspn(text, separators);
        uint64_t h = name_hash(text, len);
        for (size_t at = h ? first_named(ev, h) : ev->n_groups;
             at < ev->n_groups && ev->names[at].hash == h && n < FL_ARRAY_LEN(given); at++) {
            uint32_t g = ev->names[at].group;
            bool again = (int)g == self;
            for (uint32_t i = 0; i < n; i++)
                again |= given[i] == g;
            if (again)
                continue;
            given[n++] = g;
            credit(ev, alert, ev->groups[g].vertex, kind, rarity);
        }
    }
}

static void credit_texts(struct fl_evidence *ev, size_t alert, enum fl_kind kind, double rarity)
{
    const struct fl_rank_alert *a = &ev->in->alerts[alert];
    int self = fl_evidence_group(ev, a->node);
    if (kind == FL_K_SPAN_SELF || kind == FL_K_ERR_SELF)
        credit_named(ev, alert, self, fl_label_get(&a->alert->labels, "operation"),
                     kind == FL_K_SPAN_SELF ? FL_K_NAMED_SPAN : FL_K_NAMED_ERR, rarity);
    else if (kind == FL_K_LOG || kind == FL_K_LOG_BAD)
        credit_named(ev, alert, self, fl_label_get(&a->alert->annotations, "summary"), FL_K_NAMED_LOG,
                     rarity);
}

/* ---- order ----------------------------------------------------------------------------------------- */

static int by_text_of(const struct fl_labels *a, const struct fl_labels *b)
{
    for (size_t i = 0; i < a->n && i < b->n; i++) {
        int o = strcmp(a->v[i].name, b->v[i].name);
        if (!o)
            o = strcmp(a->v[i].value, b->v[i].value);
        if (o)
            return o;
    }
    return a->n < b->n ? -1 : a->n > b->n;
}

struct listed {
    uint64_t fingerprint;
    const struct fl_rank_alert *a;
};

/* A total order over what alerts say: sums come out the same to the last bit, and of equals the same one is
 * shown, in whatever order the alerts came. */
static int alert_order(const void *pa, const void *pb)
{
    const struct listed *la = pa, *lb = pb;
    if (la->fingerprint != lb->fingerprint)
        return la->fingerprint < lb->fingerprint ? -1 : 1;
    const struct fl_alert *a = la->a->alert, *b = lb->a->alert;
    if (a->starts_at != b->starts_at)
        return a->starts_at < b->starts_at ? -1 : 1;
    return by_text_of(&a->annotations, &b->annotations);
}

static const struct listed *in_order(struct fl_arena *arena, const struct fl_rank_input *in)
{
    struct listed *v = fl_arena_alloc(arena, (in->n_alerts + 1) * sizeof *v);
    bool sorted = true;
    for (size_t i = 0; v && i < in->n_alerts; i++) {
        v[i] = (struct listed){in->alerts[i].alert->fingerprint, &in->alerts[i]};
        sorted = sorted && (i == 0 || alert_order(&v[i - 1], &v[i]) <= 0);
    }
    if (v && !sorted)
        qsort(v, in->n_alerts, sizeof *v, alert_order);
    return v;
}

fl_status fl_evidence_build(struct fl_arena *arena, const struct fl_rank_input *in, size_t skip_alert,
                            const fl_vertex *skip_edge, struct fl_evidence *ret, struct fl_err *err)
{
    *ret = (struct fl_evidence){.arena = arena, .in = in, .entry = -1};
    fl_status st = collect_units(ret, err);
    if (!st)
        st = link_groups(ret, err);
    if (st)
        return st;
    if (skip_edge)
        cut_edge(ret, fl_evidence_group(ret, skip_edge[0]), fl_evidence_group(ret, skip_edge[1]));
    ret->entry = fl_evidence_group(ret, in->entry);
    ret->items = fl_arena_alloc(arena, (CREDITS * in->n_alerts + 1) * sizeof *ret->items);
    const struct listed *order = in_order(arena, in);
    if (!ret->items || !order)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t k = 0; k < in->n_alerts; k++) {
        const struct fl_rank_alert *a = order[k].a;
        size_t i = (size_t)(a - in->alerts);
        if (a->node < 0 || i == skip_alert)
            continue;
        enum fl_kind kind = fl_kind_of(in->topo, a), out = caller_kind(kind);
        double rarity = fl_history_rarity(in->history, fl_history_identity(a->alert));
        credit(ret, i, a->node, kind, rarity);
        if (a->peer >= 0 && out != FL_K_N && unit_of(in->topo, a->peer) != unit_of(in->topo, a->node))
            credit(ret, i, a->peer, out, rarity);
        if (kind == FL_K_MISSING) {
            fl_vertex callee = fl_topo_find(in->topo, fl_label_get(&a->alert->labels, "callee"));
            if (callee >= 0 && unit_of(in->topo, callee) != unit_of(in->topo, a->node) &&
                ret->n_items < CREDITS * in->n_alerts)
                credit(ret, i, callee, FL_K_OUT_MISSING, rarity);
        }
        credit_texts(ret, i, kind, rarity);
    }
    return FL_OK;
}
