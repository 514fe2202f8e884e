/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features.c -- one row of numbers per candidate. A feature never holds a name, only what the evidence, the
 * graph and the history say; docs/accuracy.md lists what each is for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"

_Static_assert((int)F_ALL <= (int)FL_FEATURES_MAX, "raise FL_FEATURES_MAX");

static const char *const single_names[F_SINGLE_N] = {"rarity_share",
                                                     "rarest_share",
                                                     "rarest",
                                                     "count_share",
                                                     "alerting",
                                                     "most_rarity",
                                                     "kinds",
                                                     "entry",
                                                     "reached_from_entry",
                                                     "explains_upstream_1",
                                                     "explains_upstream_3",
                                                     "explained_below_1",
                                                     "symptom_below",
                                                     "resource_below",
                                                     "page_class",
                                                     "page_class_leaf",
                                                     "early",
                                                     "surprise",
                                                     "surprise_max",
                                                     "silence",
                                                     "early_share",
                                                     "early_resource",
                                                     "alone",
                                                     "alone_most",
                                                     "rarest_rank",
                                                     "top5",
                                                     "diverse",
                                                     "edges",
                                                     "edges_both",
                                                     "host",
                                                     "host_below",
                                                     "host_shared",
                                                     "store",
                                                     "leaf",
                                                     "external",
                                                     "size_resource",
                                                     "size_latency",
                                                     "size_network",
                                                     "size_error",
                                                     "size_share",
                                                     "size_page",
                                                     "size_page_unexplained",
                                                     "size_page_rank",
                                                     "trace_self",
                                                     "trace_self_ratio",
                                                     "trace_net_in",
                                                     "trace_net_out",
                                                     "trace_net_ratio",
                                                     "trace_lost",
                                                     "trace_lost_share",
                                                     "trace_fewer",
                                                     "own_error",
                                                     "own_latency",
                                                     "own_network",
                                                     "unexplained_error",
                                                     "unexplained_latency",
                                                     "unexplained_network",
                                                     "above_error",
                                                     "above_latency",
                                                     "above_network",
                                                     "end_of_error",
                                                     "end_of_latency",
                                                     "end_of_network",
                                                     "calls_bad_in",
                                                     "calls_all_in",
                                                     "calls_all_out",
                                                     "calls_bad",
                                                     "calls_worst",
                                                     "calls_mean",
                                                     "gap_in",
                                                     "gap_all_in",
                                                     "gap_out",
                                                     "gap_bad",
                                                     "said_share",
                                                     "said_rarest",
                                                     "said_and_rare",
                                                     "metric_resource",
                                                     "metric_resource_down",
                                                     "metric_latency",
                                                     "metric_latency_out",
                                                     "metric_network",
                                                     "metric_network_down",
                                                     "metric_error",
                                                     "metric_traffic_up",
                                                     "metric_traffic_down",
                                                     "metric_share",
                                                     "metric_unexplained"};

/* What kind of monitoring an incident comes from: the same evidence weighs otherwise in each. */
static const char *const context_names[C_N] = {"untimed"};

size_t fl_feature_count(void)
{
    return F_ALL;
}

const char *fl_feature_name(size_t i)
{
    static char names[F_ALL][64];
    if (i < F_SINGLE_N)
        return single_names[i];
    if (i >= F_ALL)
        return "?";
    if (i >= F_N && !names[i][0])
        snprintf(names[i], sizeof names[i], "%s@%s", fl_feature_name(i % F_N), context_names[i / F_N - 1]);
    if (!names[i][0])
        snprintf(names[i], sizeof names[i], "%s_%s", i < F_LOGN0 ? "share" : "count",
                 fl_kind_name((enum fl_kind)((i - F_SINGLE_N) % FL_K_N)));
    return names[i];
}

double fl_symptom_mass(const struct fl_group *g)
{
    static const enum fl_kind kinds[] = {FL_K_ERR,  FL_K_ERR_EDGE,  FL_K_ERR_SELF, FL_K_LAT,
                                         FL_K_SPAN, FL_K_SPAN_SELF, FL_K_AVAIL,    FL_K_NET_EDGE};
    double m = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(kinds); i++)
        m += g->kind_mass[kinds[i]];
    return m;
}

static void own_features(const struct fl_evidence *ev, const struct fl_group *g, double cubes, double best,
                         double *x)
{
    double kinds = 0;
    for (int k = 0; k < FL_K_N; k++) {
        x[F_SHARE0 + k] = fl_share(g->kind_mass[k], ev->kind_mass[k]);
        x[F_LOGN0 + k] = log1p(g->kind_mass[k]);
        kinds += k < FL_K_OWN_N && g->kind_n[k];
        if (k < FL_K_OWN_N)
            x[F_DIVERSE] += log1p(g->kind_mass[k]);
    }
    x[F_MASS_SHARE] = fl_share(g->mass, ev->mass);
    x[F_RAREST_SHARE] = fl_share(x[F_RAREST_SHARE], cubes);
    x[F_MAX_RARITY] = g->max_rarity;
    x[F_COUNT_SHARE] = fl_share(g->n, ev->n_own);
    x[F_ALERTING] = g->alerting;
    x[F_RANK1] = best > 0 && g->mass >= best;
    x[F_KINDS] = log1p(kinds);
}

static void history_features(const struct fl_evidence *ev, const struct fl_group *g, double *x)
{
    const char *id = fl_topo_node(ev->in->topo, g->vertex)->id;
    double sum = 0, most = 0, silence = 0;
    for (int k = 0; k < FL_K_OWN_N; k++) {
        double z = fl_history_surprise(ev->in->history, id, (enum fl_kind)k, g->kind_n[k]);
        if (g->kind_n[k]) {
            sum += z > 0 ? z : 0;
            most = z > most ? z : most;
        } else {
            silence += z < 0 ? -z : 0;
        }
    }
    x[F_SILENCE] = log1p(silence);
    x[F_SURPRISE] = log1p(sum);
    x[F_SURPRISE_MAX] = most;
}

/* Groups looked at around one candidate; beyond it an incident is everywhere and more says nothing new. */
enum { AROUND_MAX = 128 };

/* Rarity on the groups that need this one, over up to `hops` calls. */
static double mass_around(const struct fl_evidence *ev, size_t start, unsigned hops, bool up, uint32_t *seen,
                          uint32_t mark, uint32_t *queue)
{
    size_t head = 0, tail = 1, level_end = 1;
    double mass = 0;
    unsigned depth = 0;
    queue[0] = (uint32_t)start;
    seen[start] = mark;
    while (head < tail && depth < hops && tail < AROUND_MAX) {
        const struct fl_group *g = &ev->groups[queue[head++]];
        const uint32_t *next = up ? g->needed_by : g->needs;
        uint32_t n = up ? g->n_needed_by : g->n_needs;
        for (uint32_t i = 0; i < n; i++)
            if (seen[next[i]] != mark) {
                seen[next[i]] = mark;
                mass += fl_symptom_mass(&ev->groups[next[i]]);
                queue[tail++] = next[i];
            }
        if (head == level_end) {
            level_end = tail;
            depth++;
        }
    }
    return mass;
}

/* Rarity of what is intrinsic: no dependency makes a pool run out or a disk fill up. */
static double resource_mass(const struct fl_group *g)
{
    return g->kind_mass[FL_K_CPU] + g->kind_mass[FL_K_MEM] + g->kind_mass[FL_K_IO] + g->kind_mass[FL_K_POOL];
}

static void graph_features(const struct fl_evidence *ev, size_t at, double symptoms, uint32_t *seen,
                           uint32_t *mark, uint32_t *queue, double *x)
{
    const struct fl_group *g = &ev->groups[at];
    double own = fl_symptom_mass(g), below;
    x[F_UP1] = fl_share(mass_around(ev, at, 1, true, seen, ++*mark, queue) + own, symptoms);
    x[F_UP3] = fl_share(mass_around(ev, at, 3, true, seen, ++*mark, queue) + own, symptoms);
    below = mass_around(ev, at, 1, false, seen, ++*mark, queue);
    x[F_DOWN1] = fl_share(below, symptoms);
    x[F_SYMPTOM_BELOW] = own > 0 ? below / (below + own) : 0;
    below = 0;
    for (uint32_t i = 0; i < g->n_needs; i++) {
        double m = resource_mass(&ev->groups[g->needs[i]]);
        below = m > below ? m : below;
    }
    x[F_RESOURCE_BELOW] = own > 0 && below > 0 ? below / (below + resource_mass(g)) : 0;
}

/* Rarity of alerts that began with the incident, and of bad calls by endpoint. */
static void share_features(const struct fl_evidence *ev, double *x)
{
    fl_usec t0 = 0;
    bool timed = !(ev->in->data && ev->in->data->untimed);
    double early = 0, early_res = 0, edges = 0;
    for (size_t i = 0; i < ev->n_items; i++) {
        fl_usec t = ev->in->alerts[ev->items[i].alert].alert->starts_at;
        if (t > 0 && (!t0 || t < t0))
            t0 = t;
    }
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        fl_usec t = ev->in->alerts[it->alert].alert->starts_at;
        double e = timed && t > t0 ? exp(-(double)(t - t0) / (60.0 * FL_USEC_PER_SEC)) : 1;
        double *row = x + it->group * F_N;
        if (it->kind < FL_K_OWN_N) {
            early += it->rarity * e;
            row[F_EARLY_SHARE] += it->rarity * e;
        }
        if (it->kind <= FL_K_RES_DOWN) {
            early_res += it->rarity * e;
            row[F_EARLY_RES] += it->rarity * e;
        }
        if (it->kind == FL_K_SPAN || it->kind == FL_K_NET_EDGE || it->kind == FL_K_ERR_EDGE ||
            (it->kind >= FL_K_OWN_N && it->kind <= FL_K_OUT_MISSING)) {
            edges += it->kind < FL_K_OWN_N ? it->rarity : 0;
            row[it->kind < FL_K_OWN_N ? F_EDGES : F_EDGES_BOTH] += it->rarity;
        }
    }
    for (size_t i = 0; i < ev->n_groups; i++) {
        double *row = x + i * F_N, in = fl_share(row[F_EDGES], edges),
               out = fl_share(row[F_EDGES_BOTH], edges);
        row[F_EDGES] = in + out;
        row[F_EDGES_BOTH] = in < out ? in : out;
        row[F_EARLY_SHARE] = fl_share(row[F_EARLY_SHARE], early);
        row[F_EARLY_RES] = fl_share(row[F_EARLY_RES], early_res);
    }
}

static int largest_first(const void *pa, const void *pb)
{
    double a = *(const double *)pa, b = *(const double *)pb;
    return a > b ? -1 : a < b;
}

void fl_sort_down(double *v, size_t n)
{
    if (n > 1)
        qsort(v, n, sizeof *v, largest_first);
}

/* Places before the first value for which it holds no more; `v` goes down. */
static size_t count_down(const double *v, size_t n, double than, bool equal_too)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (v[mid] > than || (equal_too && v[mid] == than))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

size_t fl_count_above(const double *v, size_t n, double than)
{
    return count_down(v, n, than, false);
}

size_t fl_count_from(const double *v, size_t n, double than)
{
    return count_down(v, n, than, true);
}

/* Place of a group's rarest alert among all, and its part of the rarest five. */
static fl_status rank_features(const struct fl_evidence *ev, double *x, struct fl_err *err)
{
    double *r = fl_arena_alloc(ev->arena, (ev->n_items + ev->n_groups + 1) * sizeof *r);
    size_t n = 0;
    if (!r)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev->n_items; i++)
        if (ev->items[i].kind < FL_K_OWN_N)
            r[n++] = ev->items[i].rarity;
    fl_sort_down(r, n);
    double limit = n ? r[n < 5 ? n - 1 : 4] : 1, at_limit = 0;
    for (size_t i = 0; i < n; i++)
        at_limit += r[i] >= limit;
    for (size_t i = 0; i < ev->n_items; i++)
        if (ev->items[i].kind < FL_K_OWN_N && ev->items[i].rarity >= limit)
            x[ev->items[i].group * F_N + F_TOP5] += 1 / at_limit;
    n = ev->n_groups; /* `r` has room for them too */
    for (size_t i = 0; i < n; i++)
        r[i] = ev->groups[i].max_rarity;
    fl_sort_down(r, n);
    for (size_t i = 0; i < n; i++) {
        double above = (double)fl_count_above(r, n, ev->groups[i].max_rarity),
               same = (double)fl_count_from(r, n, ev->groups[i].max_rarity) - above;
        x[i * F_N + F_RAREST_RANK] = ev->groups[i].alerting ? 1 / (above + (same + 1) / 2) : 0;
    }
    return FL_OK;
}

bool fl_has_page_class(const struct fl_evidence *ev, const struct fl_group *g)
{
    const char *page = ev->in->data ? ev->in->data->entry_metric : NULL;
    if (!page)
        return fl_symptom_mass(g) > 0;
    if (strcmp(page, "latency") == 0)
        return g->kind_n[FL_K_LAT] || g->kind_n[FL_K_SPAN] || g->kind_n[FL_K_SPAN_SELF];
    return g->kind_n[FL_K_AVAIL] || g->kind_n[FL_K_ERR] || g->kind_n[FL_K_ERR_EDGE] ||
           g->kind_n[FL_K_ERR_SELF];
}

/* Follow the page's symptom down from the paged group; mark what it reaches. */
static void page_features(const struct fl_evidence *ev, uint32_t *queue, double *x)
{
    FL_AUTO_FREE uint8_t *seen = calloc(ev->n_groups + 1, 1);
    size_t head = 0, tail = 0;
    if (ev->entry < 0 || !seen)
        return;
    queue[tail++] = (uint32_t)ev->entry;
    seen[ev->entry] = 1;
    x[(size_t)ev->entry * F_N + F_ENTRY] = 1;
    while (head < tail) {
        size_t at = queue[head++];
        const struct fl_group *g = &ev->groups[at];
        bool below = false;
        for (uint32_t i = 0; i < g->n_needs; i++) {
            size_t next = g->needs[i];
            if (!fl_has_page_class(ev, &ev->groups[next]))
                continue;
            below = true;
            if (!seen[next]) {
                seen[next] = 1;
                queue[tail++] = (uint32_t)next;
            }
        }
        x[at * F_N + F_REACHED] = 1;
        x[at * F_N + F_PAGE_LEAF] = !below && fl_has_page_class(ev, g);
    }
    for (size_t i = 0; i < ev->n_groups; i++)
        x[i * F_N + F_PAGE_CLASS] = fl_has_page_class(ev, &ev->groups[i]);
}

static void time_features(const struct fl_evidence *ev, double *x)
{
    fl_usec first = 0;
    if (ev->in->data && ev->in->data->untimed)
        return;
    for (size_t i = 0; i < ev->n_groups; i++)
        if (ev->groups[i].first && (!first || ev->groups[i].first < first))
            first = ev->groups[i].first;
    for (size_t i = 0; i < ev->n_groups; i++)
        if (ev->groups[i].first)
            x[i * F_N + F_EARLY] = exp(-(double)(ev->groups[i].first - first) / (60.0 * FL_USEC_PER_SEC));
}

struct on_host {
    uint32_t host, group;
};

static int by_host(const void *pa, const void *pb)
{
    const struct on_host *a = pa, *b = pb;
    if (a->host != b->host)
        return a->host < b->host ? -1 : 1;
    return a->group < b->group ? -1 : a->group > b->group;
}

enum { HOSTS_EACH = 4 }; /* hosts that one alerting node is looked for on */

/* Hosts: what share of the resource rarity sits on them, on what runs there, and on how many units. */
static fl_status host_features(const struct fl_evidence *ev, double *x, struct fl_err *err)
{
    double total = 0;
    size_t n_on = 0;
    struct on_host *on = fl_arena_alloc(ev->arena, (HOSTS_EACH * ev->n_items + 1) * sizeof *on);
    if (!on)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        const fl_vertex *next;
        if (it->kind >= FL_K_NET_EDGE)
            continue;
        total += it->rarity;
        size_t n = fl_topo_neighbours(ev->in->topo, it->node, FL_DIR_NEEDS, &next);
        for (size_t k = 0, hosts = 0; k < n && hosts < HOSTS_EACH; k++) {
            int h = fl_evidence_group(ev, next[k]);
            if (h < 0 || !ev->groups[h].host)
                continue;
            hosts++;
            x[(size_t)h * F_N + F_HOST_BELOW] += it->rarity;
            on[n_on++] = (struct on_host){(uint32_t)h, it->group};
        }
    }
    if (n_on > 1)
        qsort(on, n_on, sizeof *on, by_host);
    for (size_t i = 0; i < n_on; i++)
        if (i == 0 || by_host(&on[i - 1], &on[i]) != 0)
            x[on[i].host * F_N + F_HOST_SHARED]++;
    for (size_t i = 0; i < ev->n_groups; i++) {
        double *row = x + i * F_N;
        row[F_HOST] = ev->groups[i].host;
        row[F_HOST_BELOW] = fl_share(row[F_HOST_BELOW], total);
        row[F_HOST_SHARED] = log1p(row[F_HOST_SHARED]);
    }
    return FL_OK;
}

static bool is_store(const char *type)
{
    static const char *const words[] = {"store", "database", "cache", "queue", "coordinator"};
    for (size_t i = 0; i < FL_ARRAY_LEN(words); i++)
        if (strcmp(type, words[i]) == 0)
            return true;
    return false;
}

static bool ends_with(const char *s, const char *tail)
{
    size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

/* An endpoint that only its callers see: nobody's component. X-Ray marks these by a suffix. */
static bool is_external(const struct fl_node *node)
{
    return strcmp(node->type, "external") == 0 || strcmp(node->type, "unknown") == 0 ||
           ends_with(node->id, "_remote") || ends_with(node->id, "_client");
}

static fl_status add_contexts(const struct fl_evidence *ev, const double *x, double **ret, struct fl_err *err)
{
    double context[C_N] = {0};
    double *all = fl_arena_alloc(ev->arena, (ev->n_groups * F_ALL + 1) * sizeof *all);
    if (!all)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    context[C_UNTIMED] = ev->in->data && ev->in->data->untimed;
    for (size_t i = 0; i < ev->n_groups; i++) {
        double *row = all + i * F_ALL;
        memcpy(row, x + i * F_N, F_N * sizeof *row);
        for (size_t c = 0; c < C_N; c++)
            for (size_t j = 0; j < F_N; j++)
                row[(c + 1) * F_N + j] = context[c] * row[j];
    }
    *ret = all;
    return FL_OK;
}

fl_status fl_features_build(struct fl_evidence *ev, double **ret, struct fl_err *err)
{
    size_t n = ev->n_groups;
    double *x = fl_arena_calloc(ev->arena, n * F_N + 1, sizeof *x);
    uint32_t *seen = fl_arena_calloc(ev->arena, n + 1, sizeof *seen);
    uint32_t *queue = fl_arena_alloc(ev->arena, (n + 1) * sizeof *queue), mark = 0;
    double cubes = 0, symptoms = 0, best = 0;
    if (!x || !seen || !queue)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev->n_items; i++)
        if (ev->items[i].kind < FL_K_OWN_N) {
            double r = ev->items[i].rarity, cube = r * r * r;
            cubes += cube;
            x[ev->items[i].group * F_N + F_RAREST_SHARE] += cube;
        }
    for (size_t i = 0; i < n; i++)
        best = ev->groups[i].mass > best ? ev->groups[i].mass : best;
    for (size_t i = 0; i < n; i++)
        symptoms += fl_symptom_mass(&ev->groups[i]);
    for (size_t i = 0; i < n; i++) {
        own_features(ev, &ev->groups[i], cubes, best, x + i * F_N);
        history_features(ev, &ev->groups[i], x + i * F_N);
        graph_features(ev, i, symptoms, seen, &mark, queue, x + i * F_N);
        x[i * F_N + F_LEAF] = ev->groups[i].n_needs == 0;
        x[i * F_N + F_EXTERNAL] = is_external(fl_topo_node(ev->in->topo, ev->groups[i].vertex));
        x[i * F_N + F_STORE] = is_store(fl_topo_node(ev->in->topo, ev->groups[i].vertex)->type);
    }
    page_features(ev, queue, x);
    time_features(ev, x);
    share_features(ev, x);
    fl_size_features(ev, x);
    fl_trace_features(ev, x);
    fl_class_features(ev, seen, &mark, queue, x);
    fl_status st = host_features(ev, x, err);
    if (!st)
        st = fl_said_features(ev, x, err);
    if (!st)
        st = fl_call_features(ev, x, err);
    if (!st)
        st = fl_gap_features(ev, x, err);
    if (!st)
        st = rank_features(ev, x, err);
    if (!st)
        st = fl_metric_features(ev, x, err);
    if (!st)
        st = add_contexts(ev, x, ret, err);
    return st;
}
