/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rank.c -- features × weights → ordered candidates; contract in <faultline/rank.h>. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank_internal.h"

struct scored {
    size_t group;
    double score, probability;
};

fl_status fl_rank_features(struct fl_arena *arena, const struct fl_rank_input *in, struct fl_features *ret,
                           struct fl_err *err)
{
    struct fl_evidence ev;
    double *x = NULL;
    fl_status st = fl_evidence_build(arena, in, &ev, err);
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
    const struct scored *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->group < b->group ? -1 : a->group > b->group; /* group order is id order */
}

/* Quantised, so that the last bits of a sum never decide an order. */
static double quantise(double s)
{
    return isfinite(s) ? round(s * 1e9) / 1e9 : 0;
}

/* One pod when nearly all rarity sits on it and it has siblings; else the service. */
static fl_vertex choose_node(const struct fl_evidence *ev, size_t group)
{
    const struct fl_group *g = &ev->groups[group];
    fl_vertex best = g->vertex;
    double most = 0;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *a = &ev->items[i];
        double mass = 0;
        if (a->group != group || a->kind >= FL_K_OWN_N || a->node == g->vertex)
            continue;
        for (size_t k = 0; k < ev->n_items; k++)
            if (ev->items[k].group == group && ev->items[k].kind < FL_K_OWN_N && ev->items[k].node == a->node)
                mass += ev->items[k].rarity;
        if (mass > most || (mass == most && a->node < best)) {
            most = mass;
            best = a->node;
        }
    }
    const fl_vertex *next;
    size_t n = fl_topo_neighbours(ev->in->topo, g->vertex, FL_DIR_NEEDS, &next), instances = 0;
    for (size_t i = 0; i < n; i++)
        instances += fl_topo_service_of(ev->in->topo, next[i]) == g->vertex;
    return instances > 1 && most > 0.75 * g->mass ? best : g->vertex;
}

static fl_status fill_candidates(const struct fl_evidence *ev, const struct fl_model *model, const double *x,
                                 const struct scored *order, size_t n, struct fl_ranking *r, struct fl_err *err)
{
    size_t keep = ev->in->max_candidates ? ev->in->max_candidates : 20;
    if (keep > n)
        keep = n;
    struct fl_candidate *c = fl_arena_calloc(ev->arena, keep + 1, sizeof *c);
    if (!c)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < keep; i++) {
        const struct fl_group *g = &ev->groups[order[i].group];
        const struct fl_node *node = fl_topo_node(ev->in->topo, choose_node(ev, order[i].group));
        c[i] = (struct fl_candidate){.node = node->id,
                                     .service = fl_topo_node(ev->in->topo, g->vertex)->id,
                                     .type = node->type,
                                     .score = order[i].score,
                                     .confidence = order[i].probability};
    }
    (void)model;
    (void)x;
    r->candidates = c;
    r->n_candidates = keep;
    return FL_OK;
}

fl_status fl_rank(struct fl_arena *arena, const struct fl_model *model, const struct fl_rank_input *in,
                  struct fl_ranking **ret, struct fl_err *err)
{
    struct fl_evidence ev;
    double *x = NULL, all = 0;
    size_t n = 0, f = fl_feature_count();
    fl_status st = fl_evidence_build(arena, in, &ev, err);
    if (!st)
        st = fl_features_build(&ev, &x, err);
    if (st)
        return st;
    struct fl_ranking *r = fl_arena_calloc(arena, 1, sizeof *r);
    struct scored *order = fl_arena_alloc(arena, (ev.n_groups + 1) * sizeof *order);
    if (!r || !order)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev.n_groups; i++) {
        double s = 0;
        if (!ev.groups[i].eligible)
            continue;
        for (size_t j = 0; j < f; j++)
            s += model->weight[j] * x[i * f + j];
        order[n++] = (struct scored){i, quantise(s), 0};
    }
    if (n > 1)
        qsort(order, n, sizeof *order, by_score);
    for (size_t i = 0; i < n; i++)
        all += exp(model->scale * (order[i].score - order[0].score));
    for (size_t i = 0; i < n; i++)
        order[i].probability = quantise(exp(model->scale * (order[i].score - order[0].score)) / all);
    r->model = model->id;
    st = fill_candidates(&ev, model, x, order, n, r, err);
    if (st)
        return st;
    r->confidence = n && ev.n_own ? order[0].probability : 0;
    r->convincing = n && ev.n_own && r->confidence >= model->threshold;
    *ret = r;
    return FL_OK;
}
