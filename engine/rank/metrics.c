/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.c -- the metric table of a case: what each column measures and where, and how far it is from usual.
 * Contract in metrics.h. */
#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- columns ---- */

struct found {
    const struct fl_topo *topo;
    fl_vertex node;
};

static bool take(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    struct found *f = ctx;
    (void)rule;
    (void)peer;
    f->node = fl_topo_find(f->topo, node);
    return f->node >= 0;
}

/* Node and kinds of a column by the rules that an alert about it would go by. */
static void read_column(const struct fl_rules *rules, const struct fl_topo *topo, const char *component,
                        const char *metric, struct fl_metric_column *ret)
{
    static const char *const directions[] = {"down", "up"};
    struct found f = {topo, -1};
    for (size_t up = 0; up < 2; up++) {
        const struct fl_label labels[] = {
            {"component", component}, {"direction", directions[up]}, {"metric", metric}};
        struct fl_alert a = {.labels = {labels, FL_ARRAY_LEN(labels)}};
        struct fl_rank_alert r = {.alert = &a, .peer = -1};
        if (!up)
            fl_rules_map(rules, &a, take, &f);
        if (f.node < 0)
            break;
        r.node = f.node;
        r.cls = fl_rules_class(rules, &a);
        *(up ? &ret->up : &ret->down) = fl_kind_of(topo, &r);
    }
    ret->node = f.node;
}

struct keyed {
    const char *component, *metric;
    uint32_t column;
};

static int by_key(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;
    int o = strcmp(a->component, b->component);
    if (!o)
        o = strcmp(a->metric, b->metric);
    return o;
}

static int by_key_and_place(const void *pa, const void *pb)
{
    const struct keyed *a = pa, *b = pb;
    int o = by_key(pa, pb);
    return o ? o : a->column < b->column ? -1 : a->column > b->column;
}

enum { USUAL_MIN = 5 }; /* values that a usual range takes */

/* Quartiles of the rows before `rows`. false: too few values. */
static bool usual_of(const struct fl_table *t, size_t column, size_t rows, double *sorted,
                     struct fl_usual *ret)
{
    const double *v = t->v + column * t->n_rows;
    const uint32_t *order = t->order + column * t->n_rows;
    size_t n = 0;
    for (size_t i = 0; i < t->n_rows; i++) {
        if (order[i] >= rows)
            continue;
        if (isnan(v[order[i]]))
            break;
        sorted[n++] = v[order[i]];
    }
    if (n < USUAL_MIN)
        return false;
    *ret = (struct fl_usual){sorted[n / 4], sorted[(n - 1) / 2] / 2 + sorted[n / 2] / 2,
                             sorted[n - 1 - n / 4], true};
    return true;
}

static fl_status read_baseline(const struct fl_case_data *d, struct fl_metric_column *c, struct fl_err *err)
{
    const struct fl_table *b = &d->baseline, *m = &d->metrics;
    FL_AUTO_FREE struct keyed *keys = malloc((b->n_cols + 1) * sizeof *keys);
    FL_AUTO_FREE double *sorted = malloc((b->n_rows + 1) * sizeof *sorted);
    if (!keys || !sorted)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < b->n_cols; i++)
        keys[i] = (struct keyed){b->component[i], b->metric[i], (uint32_t)i};
    if (b->n_cols > 1)
        qsort(keys, b->n_cols, sizeof *keys, by_key_and_place);
    size_t n = 0;
    for (size_t i = 0; i < b->n_cols; i++) /* of columns of one name the first counts */
        if (i == 0 || by_key(&keys[i], &keys[n - 1]) != 0)
            keys[n++] = keys[i];
    for (size_t i = 0; i < m->n_cols; i++) {
        struct keyed key = {m->component[i], m->metric[i], 0};
        const struct keyed *k = !n ? NULL : bsearch(&key, keys, n, sizeof *keys, by_key);
        if (k)
            usual_of(b, k->column, b->n_rows, sorted, &c[i].usual);
    }
    return FL_OK;
}

fl_status fl_rank_metrics_new(struct fl_arena *arena, const struct fl_rules *rules,
                              const struct fl_topo *topo, const struct fl_case_data *data,
                              const struct fl_rank_metrics **ret, struct fl_err *err)
{
    const struct fl_table *t = &data->metrics;
    *ret = NULL;
    if (!t->n_rows || !t->n_cols)
        return FL_OK;
    struct fl_rank_metrics *m = fl_arena_calloc(arena, 1, sizeof *m);
    struct fl_metric_column *c = fl_arena_calloc(arena, t->n_cols, sizeof *c);
    if (!m || !c)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < t->n_cols; i++)
        read_column(rules, topo, t->component[i], t->metric[i], &c[i]);
    *m = (struct fl_rank_metrics){t, c};
    fl_status st = read_baseline(data, c, err);
    *ret = st ? NULL : m;
    return st;
}

/* ---- deviations ---- */

/* When it began: the earliest alert that is rare, else the page. 0 = not known. */
static fl_usec onset(const struct fl_evidence *ev)
{
    const struct fl_case_data *d = ev->in->data;
    fl_usec first = 0;
    for (size_t i = 0; i < ev->n_groups && !d->untimed; i++)
        if (ev->groups[i].first && (!first || ev->groups[i].first < first))
            first = ev->groups[i].first;
    return first ? first : d->page_time;
}

static size_t rows_before(const struct fl_table *t, fl_usec at)
{
    double limit = (double)at / (double)FL_USEC_PER_SEC;
    size_t lo = 0, hi = t->n_rows;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t->time[mid] < limit)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* The middle of what was measured from `from` on. */
static bool middle(const struct fl_table *t, size_t column, size_t from, double *room, double *ret)
{
    const double *v = t->v + column * t->n_rows;
    const uint32_t *order = t->order + column * t->n_rows;
    size_t n = 0;
    for (size_t i = 0; i < t->n_rows; i++)
        if (order[i] >= from && !isnan(v[order[i]]))
            room[n++] = v[order[i]];
    if (!n)
        return false;
    *ret = room[(n - 1) / 2] / 2 + room[n / 2] / 2;
    return true;
}

/* In widths of the usual range. A range of nothing, as of a rate of errors that was always 0, is given some width:
 * a twentieth of its middle, and a hundredth of what is now: no deviation is beyond 100. */
static double from_usual(double v, const struct fl_usual *u)
{
    double width = u->high - u->low, least = 0.05 * fabs(u->middle), of_now = 0.01 * fabs(v - u->middle);
    width = width > least ? width : least;
    width = width > of_now ? width : of_now;
    double z = width > 0 ? (v - u->middle) / width : 0;
    return isfinite(z) ? z : 0;
}

fl_status fl_metric_deviations(const struct fl_evidence *ev, struct fl_deviation **ret, size_t *ret_n,
                               struct fl_err *err)
{
    const struct fl_rank_metrics *m = ev->in->metrics;
    *ret = NULL;
    *ret_n = 0;
    if (!m || !ev->in->data)
        return FL_OK;
    const struct fl_table *t = m->table;
    fl_usec at = onset(ev);
    size_t from = at ? rows_before(t, at) : 0;
    struct fl_deviation *d = fl_arena_alloc(ev->arena, (t->n_cols + 1) * sizeof *d);
    double *room = fl_arena_alloc(ev->arena, (t->n_rows + 1) * sizeof *room);
    if (!d || !room)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (from == t->n_rows)
        from = 0; /* the table ends before it began: clocks apart; only a baseline of its own helps */
    for (size_t i = 0; i < t->n_cols; i++) {
        const struct fl_metric_column *c = &m->column[i];
        int g = fl_evidence_group(ev, c->node);
        struct fl_usual u = c->usual;
        double v;
        if (g < 0 || (!u.known && (!at || !usual_of(t, i, from, room, &u))) || !middle(t, i, from, room, &v))
            continue;
        double z = from_usual(v, &u);
        d[(*ret_n)++] = (struct fl_deviation){(uint32_t)g, (uint32_t)i, z < 0 ? c->down : c->up, z, v, u};
    }
    *ret = d;
    return FL_OK;
}
