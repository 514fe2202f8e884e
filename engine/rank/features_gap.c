/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features_gap.c -- calls that their caller finds slow or failed while the one that is called sees nothing wrong:
 * the time is lost between the two. Their common end is sought. */
#include <stdlib.h>

#include "features.h"

struct seen {
    uint32_t caller, callee;
    bool served; /* told by the one that is called */
    double rarity;
};

static int by_ends(const void *pa, const void *pb)
{
    const struct seen *a = pa, *b = pb;
    if (a->caller != b->caller)
        return a->caller < b->caller ? -1 : 1;
    if (a->callee != b->callee)
        return a->callee < b->callee ? -1 : 1;
    if (a->served != b->served)
        return a->served ? -1 : 1;
    return a->rarity > b->rarity ? -1 : a->rarity < b->rarity;
}

/* A span or error inside the caller that names another group is the caller's side of a call. */
static size_t collect(const struct fl_evidence *ev, struct seen *v)
{
    size_t n = 0;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        const struct fl_rank_alert *a = &ev->in->alerts[it->alert];
        if (it->kind == FL_K_NAMED_SPAN || it->kind == FL_K_NAMED_ERR) {
            int caller = fl_evidence_group(ev, a->node);
            if (caller >= 0 && (uint32_t)caller != it->group)
                v[n++] = (struct seen){(uint32_t)caller, it->group, false, it->rarity};
        } else if (it->kind == FL_K_SPAN || it->kind == FL_K_ERR_EDGE) {
            int caller = fl_evidence_group(ev, a->peer);
            if (caller >= 0 && (uint32_t)caller != it->group)
                v[n++] = (struct seen){(uint32_t)caller, it->group, true, it->rarity};
        }
    }
    if (n > 1)
        qsort(v, n, sizeof *v, by_ends);
    return n;
}

struct ends {
    double in, out, in_mass, out_mass; /* how many; their rarity */
};

static void add_gap(const struct seen *g, struct ends *e)
{
    e[g->caller].out++;
    e[g->caller].out_mass += g->rarity;
    e[g->callee].in++;
    e[g->callee].in_mass += g->rarity;
}

static double of(double n, uint32_t known)
{
    return n > 0 ? n / (n > known ? n : known) : 0;
}

fl_status fl_gap_features(const struct fl_evidence *ev, double *x, struct fl_err *err)
{
    struct seen *v = fl_arena_alloc(ev->arena, (ev->n_items + 1) * sizeof *v);
    struct ends *e = fl_arena_calloc(ev->arena, ev->n_groups + 1, sizeof *e);
    double total = 0;
    if (!v || !e)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t n = collect(ev, v);
    for (size_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && v[end].caller == v[i].caller && v[end].callee == v[i].callee;)
            end++;
        if (v[i].served) /* sorted first */
            continue;
        add_gap(&v[i], e);
        total += v[i].rarity;
    }
    for (size_t i = 0; i < ev->n_groups; i++) {
        const struct fl_group *g = &ev->groups[i];
        double *row = x + i * F_N;
        row[F_GAP_IN] = fl_share(e[i].in_mass, total);
        row[F_GAP_OUT] = fl_share(e[i].out_mass, total);
        row[F_GAP_ALL_IN] = of(e[i].in, g->n_needed_by);
        row[F_GAP_BAD] = of(e[i].in + e[i].out, g->n_needed_by + g->n_needs);
    }
    return FL_OK;
}
