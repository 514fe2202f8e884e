/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rank.c -- features × weights → ordered candidates; contract in <faultline/rank.h>. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cold.h"
#include "rank_parts.h"

fl_status fl_rank_features(struct fl_arena *arena, const struct fl_rank_input *in, struct fl_features *ret,
                           struct fl_err *err)
{
    struct fl_evidence ev;
    double *x = NULL;
    fl_status st = fl_evidence_build(arena, in, SIZE_MAX, NULL, &ev, err);
    if (!st)
        st = fl_features_build(&ev, &x, err);
    if (st)
        return st;
    fl_vertex *vertex = fl_arena_alloc(arena, (ev.n_groups + 1) * sizeof *vertex);
    if (!vertex)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t f = fl_feature_count(), n = 0;
    for (size_t i = 0; i < ev.n_groups; i++) {
        if (!ev.groups[i].eligible)
            continue;
        memmove(x + n * f, x + i * f, f * sizeof *x);
        vertex[n++] = ev.groups[i].vertex;
    }
    *ret = (struct fl_features){n, x, vertex};
    return FL_OK;
}

static int by_score(const void *pa, const void *pb)
{
    const struct fl_scored *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->group < b->group ? -1 : a->group > b->group; /* group order is id order */
}

/* Quantised, so that the last bits of a sum never decide an order. */
static double quantise(double s)
{
    return isfinite(s) ? round(s * 1e9) / 1e9 : 0;
}

struct on_node {
    fl_vertex node;
    double rarity;
};

static int by_node(const void *pa, const void *pb)
{
    const struct on_node *a = pa, *b = pb;
    if (a->node != b->node)
        return a->node < b->node ? -1 : 1;
    return a->rarity > b->rarity ? -1 : a->rarity < b->rarity;
}

/* One pod when nearly all rarity sits on it and it has siblings; else the service. `v` has room for all items. */
static fl_vertex choose_node(const struct fl_evidence *ev, size_t group, struct on_node *v)
{
    const struct fl_group *g = &ev->groups[group];
    fl_vertex best = g->vertex;
    double most = 0;
    size_t m = 0;
    for (size_t i = 0; i < ev->n_items; i++)
        if (ev->items[i].group == group && ev->items[i].kind < FL_K_OWN_N && ev->items[i].node != g->vertex)
            v[m++] = (struct on_node){ev->items[i].node, ev->items[i].rarity};
    if (m > 1)
        qsort(v, m, sizeof *v, by_node);
    for (size_t i = 0, end; i < m; i = end) {
        double mass = 0;
        for (end = i; end < m && v[end].node == v[i].node; end++)
            mass += v[end].rarity;
        if (mass > most) {
            most = mass;
            best = v[i].node;
        }
    }
    const fl_vertex *next;
    size_t n = fl_topo_neighbours(ev->in->topo, g->vertex, FL_DIR_NEEDS, &next), instances = 0;
    for (size_t i = 0; i < n; i++)
        instances += fl_topo_service_of(ev->in->topo, next[i]) == g->vertex;
    return instances > 1 && most > 0.75 * g->mass ? best : g->vertex;
}

/* The mean candidate: contributions are told against it. */
static void mean_features(const struct fl_scores *s, double *mean)
{
    size_t f = fl_feature_count();
    for (size_t i = 0; i < s->n; i++)
        for (size_t j = 0; j < f; j++)
            mean[j] += s->x[s->order[i].group * f + j] / (double)s->n;
}

fl_status fl_score(struct fl_arena *arena, const struct fl_model *model, const struct fl_rank_input *in,
                   size_t skip_alert, const fl_vertex *skip_edge, struct fl_scores *ret, struct fl_err *err)
{
    size_t f = fl_feature_count(), n = 0;
    double all = 0;
    fl_status st = fl_evidence_build(arena, in, skip_alert, skip_edge, &ret->ev, err);
    if (!st)
        st = fl_features_build(&ret->ev, &ret->x, err);
    if (st)
        return st;
    struct fl_scored *order = fl_arena_alloc(arena, (ret->ev.n_groups + 1) * sizeof *order);
    if (!order)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ret->ev.n_groups; i++) {
        double s = 0;
        if (!ret->ev.groups[i].eligible)
            continue;
        for (size_t j = 0; j < f; j++)
            s += model->weight[j] * ret->x[i * f + j];
        order[n++] = (struct fl_scored){i, quantise(s), 0};
    }
    if (n > 1)
        qsort(order, n, sizeof *order, by_score);
    for (size_t i = 0; i < n; i++)
        all += exp(model->scale * (order[i].score - order[0].score));
    for (size_t i = 0; i < n; i++)
        order[i].probability = quantise(exp(model->scale * (order[i].score - order[0].score)) / all);
    ret->order = order;
    ret->n = n;
    return FL_OK;
}

enum { WHAT_IF_CANDIDATES = 3 };

static fl_status explain(const struct fl_scores *s, const struct fl_model *model, struct fl_candidate *c,
                         size_t n, struct fl_err *err)
{
    double mean[FL_FEATURES_MAX] = {0};
    fl_status st = FL_OK;
    mean_features(s, mean);
    for (size_t i = 0; !st && i < n; i++) {
        st = fl_explain_terms(&s->ev, model, s->x, mean, s->order[i].group, &c[i], err);
        if (!st && i < WHAT_IF_CANDIDATES)
            st = fl_explain_what_if(&s->ev, model, s->order[i].group, i + 1, &c[i], err);
    }
    return st;
}

static fl_status fill_candidates(const struct fl_scores *s, const struct fl_model *model,
                                 struct fl_ranking *r, struct fl_err *err)
{
    const struct fl_evidence *ev = &s->ev;
    size_t keep = ev->in->max_candidates ? ev->in->max_candidates : 20;
    if (keep > s->n)
        keep = s->n;
    struct fl_candidate *c = fl_arena_calloc(ev->arena, keep + 1, sizeof *c);
    struct on_node *room = fl_arena_alloc(ev->arena, (ev->n_items + 1) * sizeof *room);
    if (!c || !room)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < keep; i++) {
        const struct fl_group *g = &ev->groups[s->order[i].group];
        const struct fl_node *node = fl_topo_node(ev->in->topo, choose_node(ev, s->order[i].group, room));
        c[i] = (struct fl_candidate){.node = node->id,
                                     .service = fl_topo_node(ev->in->topo, g->vertex)->id,
                                     .type = node->type,
                                     .score = s->order[i].score,
                                     .confidence = s->order[i].probability};
    }
    r->candidates = c;
    r->n_candidates = keep;
    return ev->in->explain ? explain(s, model, c, keep, err) : FL_OK;
}

fl_status fl_rank(struct fl_arena *arena, const struct fl_model *model, const struct fl_rank_input *in,
                  struct fl_ranking **ret, struct fl_err *err)
{
    struct fl_scores s;
    model = fl_model_for(model, in);
    fl_status st = fl_score(arena, model, in, SIZE_MAX, NULL, &s, err);
    if (st)
        return st;
    fl_cold_doubt(model, &s);
    struct fl_ranking *r = fl_arena_calloc(arena, 1, sizeof *r);
    if (!r)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    r->model = model->id;
    if (!s.ev.n_items) { /* nothing speaks for anything: no order to give */
        *ret = r;
        return FL_OK;
    }
    st = fill_candidates(&s, model, r, err);
    if (!st && s.n)
        st = fl_culprit_find(&s.ev, s.order[0].group, r, err);
    if (st)
        return st;
    r->confidence = s.n ? s.order[0].probability : 0;
    r->convincing = s.n && r->confidence >= model->threshold;
    *ret = r;
    return FL_OK;
}
