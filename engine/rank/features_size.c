/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features_size.c -- how far values are from usual, compared within one class of evidence. */
#include <math.h>
#include <stdlib.h>

#include "features.h"

enum size_class { S_RES, S_LAT, S_NET, S_ERR, S_N };

static int class_of(enum fl_kind k)
{
    switch (k) {
    case FL_K_CPU:
    case FL_K_MEM:
    case FL_K_IO:
    case FL_K_POOL: return S_RES;
    case FL_K_LAT:
    case FL_K_SPAN:
    case FL_K_SPAN_SELF: return S_LAT;
    case FL_K_NET_EDGE:
    case FL_K_OUT_NET: return S_NET;
    case FL_K_ERR:
    case FL_K_ERR_EDGE:
    case FL_K_ERR_SELF:
    case FL_K_AVAIL: return S_ERR;
    default: return -1;
    }
}

static int page_class(const struct fl_evidence *ev)
{
    const char *page = ev->in->data ? ev->in->data->entry_metric : NULL;
    return page && page[0] == 'a' ? S_ERR : S_LAT;
}

void fl_size_features(const struct fl_evidence *ev, double *x)
{
    static const int column[S_N] = {F_MAG_RES, F_MAG_LAT, F_MAG_NET, F_MAG_ERR};
    double total[S_N] = {0}, all = 0;
    int page = page_class(ev);
    FL_AUTO_FREE double *most = calloc(ev->n_groups * S_N + 1, sizeof *most);
    FL_AUTO_FREE double *sorted = calloc(ev->n_groups + 1, sizeof *sorted);
    if (!most || !sorted)
        return;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        int c = class_of(it->kind);
        if (c < 0)
            continue;
        double w = it->size * it->size;
        double *row = x + it->group * F_N;
        row[column[c]] += w;
        total[c] += w;
        if (it->size > most[it->group * S_N + (size_t)c])
            most[it->group * S_N + (size_t)c] = it->size;
        if (it->kind < FL_K_OWN_N) {
            row[F_MAG_SHARE] += w * it->rarity;
            all += w * it->rarity;
        }
    }
    for (size_t i = 0; i < ev->n_groups; i++)
        sorted[i] = most[i * S_N + (size_t)page];
    fl_sort_down(sorted, ev->n_groups);
    for (size_t i = 0; i < ev->n_groups; i++) {
        const struct fl_group *g = &ev->groups[i];
        double *row = x + i * F_N, own = most[i * S_N + (size_t)page], below = 0;
        for (int c = 0; c < S_N; c++)
            row[column[c]] = fl_share(row[column[c]], total[c]);
        row[F_MAG_SHARE] = fl_share(row[F_MAG_SHARE], all);
        for (uint32_t k = 0; k < g->n_needs; k++)
            if (most[g->needs[k] * S_N + (size_t)page] > below)
                below = most[g->needs[k] * S_N + (size_t)page];
        row[F_MAG_PAGE] = own;
        row[F_MAG_PAGE_REST] = own - below;
        row[F_MAG_PAGE_RANK] = own > 0 ? 1 / (1 + (double)fl_count_above(sorted, ev->n_groups, own)) : 0;
    }
}
