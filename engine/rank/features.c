/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features.c -- one row of numbers per candidate. A feature never holds a name, only what the evidence, the
 * graph and the history say; docs/accuracy.md lists what each is for. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rank_internal.h"

enum {
    F_MASS_SHARE, F_RAREST_SHARE, F_MAX_RARITY, F_COUNT_SHARE, F_ALERTING, F_RANK1, F_KINDS,
    F_ENTRY, F_REACHED, F_UP1, F_UP3, F_DOWN1, F_SYMPTOM_BELOW, F_PAGE_CLASS, F_PAGE_LEAF, F_EARLY,
    F_SURPRISE, F_SURPRISE_MAX, F_HOST, F_HOST_BELOW, F_HOST_SHARED, F_STORE,
    F_SINGLE_N,
    F_SHARE0 = F_SINGLE_N,
    F_LOGN0 = F_SHARE0 + FL_K_N,
    F_N = F_LOGN0 + FL_K_N
};
_Static_assert((int)F_N <= (int)FL_FEATURES_MAX, "raise FL_FEATURES_MAX");

static const char *const single_names[F_SINGLE_N] = {
    "rarity_share", "rarest_share", "rarest", "count_share", "alerting", "most_rarity", "kinds",
    "entry", "reached_from_entry", "explains_upstream_1", "explains_upstream_3", "explained_below_1",
    "symptom_below", "page_class", "page_class_leaf", "early",
    "surprise", "surprise_max", "host", "host_below", "host_shared", "store"};

size_t fl_feature_count(void)
{
    return F_N;
}

const char *fl_feature_name(size_t i)
{
    static char names[F_N][40];
    if (i < F_SINGLE_N)
        return single_names[i];
    if (i >= F_N)
        return "?";
    if (!names[i][0])
        snprintf(names[i], sizeof names[i], "%s_%s", i < F_LOGN0 ? "share" : "count",
                 fl_kind_name((enum fl_kind)((i - F_SINGLE_N) % FL_K_N)));
    return names[i];
}

static double share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

static double symptom_mass(const struct fl_group *g)
{
    static const enum fl_kind kinds[] = {FL_K_ERR, FL_K_ERR_EDGE, FL_K_LAT, FL_K_SPAN, FL_K_SPAN_SELF, FL_K_AVAIL,
                                         FL_K_NET_EDGE};
    double m = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(kinds); i++)
        m += g->kind_mass[kinds[i]];
    return m;
}

static void own_features(const struct fl_evidence *ev, const struct fl_group *g, double cubes, double *x)
{
    double own3 = 0, kinds = 0, best = 0;
    for (size_t i = 0; i < ev->n_items; i++)
        if (&ev->groups[ev->items[i].group] == g && ev->items[i].kind < FL_K_OWN_N)
            own3 += pow(ev->items[i].rarity, 3);
    for (size_t i = 0; i < ev->n_groups; i++)
        if (ev->groups[i].mass > best)
            best = ev->groups[i].mass;
    for (int k = 0; k < FL_K_N; k++) {
        x[F_SHARE0 + k] = share(g->kind_mass[k], ev->kind_mass[k]);
        x[F_LOGN0 + k] = log1p(g->kind_mass[k]);
        kinds += k < FL_K_OWN_N && g->kind_n[k];
    }
    x[F_MASS_SHARE] = share(g->mass, ev->mass);
    x[F_RAREST_SHARE] = share(own3, cubes);
    x[F_MAX_RARITY] = g->max_rarity;
    x[F_COUNT_SHARE] = share(g->n, ev->n_own);
    x[F_ALERTING] = g->alerting;
    x[F_RANK1] = best > 0 && g->mass >= best;
    x[F_KINDS] = log1p(kinds);
}

static void history_features(const struct fl_evidence *ev, const struct fl_group *g, double *x)
{
    const char *id = fl_topo_node(ev->in->topo, g->vertex)->id;
    double sum = 0, most = 0;
    for (int k = 0; k < FL_K_OWN_N; k++) {
        double z = fl_history_surprise(ev->in->history, id, (enum fl_kind)k, g->kind_n[k]);
        if (g->kind_n[k]) {
            sum += z > 0 ? z : 0;
            most = z > most ? z : most;
        }
    }
    x[F_SURPRISE] = log1p(sum);
    x[F_SURPRISE_MAX] = most;
}

/* Rarity on the groups that need this one, over up to `hops` calls. */
static double mass_around(const struct fl_evidence *ev, size_t start, unsigned hops, bool up, uint32_t *seen,
                          uint32_t mark, uint32_t *queue)
{
    size_t head = 0, tail = 1, level_end = 1;
    double mass = 0;
    unsigned depth = 0;
    queue[0] = (uint32_t)start;
    seen[start] = mark;
    while (head < tail && depth < hops) {
        const struct fl_group *g = &ev->groups[queue[head++]];
        const uint32_t *next = up ? g->needed_by : g->needs;
        uint32_t n = up ? g->n_needed_by : g->n_needs;
        for (uint32_t i = 0; i < n; i++)
            if (seen[next[i]] != mark) {
                seen[next[i]] = mark;
                mass += symptom_mass(&ev->groups[next[i]]);
                queue[tail++] = next[i];
            }
        if (head == level_end) {
            level_end = tail;
            depth++;
        }
    }
    return mass;
}

static void graph_features(const struct fl_evidence *ev, size_t at, double symptoms, uint32_t *seen,
                           uint32_t *mark, uint32_t *queue, double *x)
{
    const struct fl_group *g = &ev->groups[at];
    double own = symptom_mass(g), below;
    x[F_UP1] = share(mass_around(ev, at, 1, true, seen, ++*mark, queue) + own, symptoms);
    x[F_UP3] = share(mass_around(ev, at, 3, true, seen, ++*mark, queue) + own, symptoms);
    below = mass_around(ev, at, 1, false, seen, ++*mark, queue);
    x[F_DOWN1] = share(below, symptoms);
    x[F_SYMPTOM_BELOW] = own > 0 ? below / (below + own) : 0;
}

static bool has_page_class(const struct fl_evidence *ev, const struct fl_group *g)
{
    const char *page = ev->in->data ? ev->in->data->entry_metric : NULL;
    if (!page)
        return symptom_mass(g) > 0;
    if (strcmp(page, "latency") == 0)
        return g->kind_n[FL_K_LAT] || g->kind_n[FL_K_SPAN] || g->kind_n[FL_K_SPAN_SELF];
    return g->kind_n[FL_K_AVAIL] || g->kind_n[FL_K_ERR] || g->kind_n[FL_K_ERR_EDGE];
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
            if (!has_page_class(ev, &ev->groups[next]))
                continue;
            below = true;
            if (!seen[next]) {
                seen[next] = 1;
                queue[tail++] = (uint32_t)next;
            }
        }
        x[at * F_N + F_REACHED] = 1;
        x[at * F_N + F_PAGE_LEAF] = !below && has_page_class(ev, g);
    }
    for (size_t i = 0; i < ev->n_groups; i++)
        x[i * F_N + F_PAGE_CLASS] = has_page_class(ev, &ev->groups[i]);
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

/* Hosts: what share of the resource rarity sits on them, on what runs there, and on how many units. */
static void host_features(const struct fl_evidence *ev, double *x)
{
    double total = 0;
    FL_AUTO_FREE double *below = calloc(ev->n_groups + 1, sizeof *below);
    FL_AUTO_FREE uint32_t *units = calloc(ev->n_groups + 1, sizeof *units);
    FL_AUTO_FREE int *last = calloc(ev->n_groups + 1, sizeof *last);
    if (!below || !units || !last)
        return;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        const fl_vertex *next;
        if (it->kind >= FL_K_NET_EDGE)
            continue;
        total += it->rarity;
        size_t n = fl_topo_neighbours(ev->in->topo, it->node, FL_DIR_NEEDS, &next);
        for (size_t k = 0; k < n; k++) {
            int h = fl_evidence_group(ev, next[k]);
            if (h < 0 || !ev->groups[h].host)
                continue;
            below[h] += it->rarity;
            if (last[h] != (int)it->group + 1)
                units[h]++;
            last[h] = (int)it->group + 1;
        }
    }
    for (size_t i = 0; i < ev->n_groups; i++) {
        x[i * F_N + F_HOST] = ev->groups[i].host;
        x[i * F_N + F_HOST_BELOW] = share(below[i], total);
        x[i * F_N + F_HOST_SHARED] = log1p(units[i]);
    }
}

static bool is_store(const char *type)
{
    static const char *const words[] = {"store", "database", "cache", "queue", "coordinator"};
    for (size_t i = 0; i < FL_ARRAY_LEN(words); i++)
        if (strcmp(type, words[i]) == 0)
            return true;
    return false;
}

fl_status fl_features_build(struct fl_evidence *ev, double **ret, struct fl_err *err)
{
    size_t n = ev->n_groups;
    double *x = fl_arena_calloc(ev->arena, n * F_N + 1, sizeof *x);
    uint32_t *seen = fl_arena_calloc(ev->arena, n + 1, sizeof *seen);
    uint32_t *queue = fl_arena_alloc(ev->arena, (n + 1) * sizeof *queue), mark = 0;
    double cubes = 0, symptoms = 0;
    if (!x || !seen || !queue)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev->n_items; i++)
        if (ev->items[i].kind < FL_K_OWN_N)
            cubes += pow(ev->items[i].rarity, 3);
    for (size_t i = 0; i < n; i++)
        symptoms += symptom_mass(&ev->groups[i]);
    for (size_t i = 0; i < n; i++) {
        own_features(ev, &ev->groups[i], cubes, x + i * F_N);
        history_features(ev, &ev->groups[i], x + i * F_N);
        graph_features(ev, i, symptoms, seen, &mark, queue, x + i * F_N);
        x[i * F_N + F_STORE] = is_store(fl_topo_node(ev->in->topo, ev->groups[i].vertex)->type);
    }
    page_features(ev, queue, x);
    time_features(ev, x);
    host_features(ev, x);
    *ret = x;
    return FL_OK;
}
