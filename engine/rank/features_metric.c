/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features_metric.c -- how far from usual what was measured is: compared within one class of quantity and direction,
 * as milliseconds cannot be held against per cent. Only cases with a metric table have these; where there is none they
 * are 0 for every candidate, and what is the same for all decides nothing. */
#include <math.h>

#include "features.h"
#include "metrics.h"

/* Column of a kind among F_METRIC0…; -1: a direction that nobody would call trouble. */
static int class_of(enum fl_kind k)
{
    switch (k) {
    case FL_K_CPU:
    case FL_K_MEM:
    case FL_K_IO:
    case FL_K_POOL: return 0;
    case FL_K_RES_DOWN: return 1;
    case FL_K_LAT: return 2;
    case FL_K_LAT_OUT: return 3;
    case FL_K_NET_UP: return 4;
    case FL_K_NET_DOWN: return 5;
    case FL_K_ERR:
    case FL_K_AVAIL: return 6;
    case FL_K_TRAF_UP: return 7;
    case FL_K_TRAF_DOWN:
    case FL_K_TRAF_OUT_DOWN: return 8;
    default: return -1;
    }
}

/* Of one group and class: the largest deviation, its part of the class, the part that nothing below explains. */
struct measured {
    double most, share, rest;
};

/* Within the usual range nothing is said; beyond it a tenfold distance is not ten times as bad. */
static double size_of(double z)
{
    return fabs(z) > 1 ? log1p(fabs(z)) - log1p(1) : 0;
}

static void collect(const struct fl_evidence *ev, struct measured *m)
{
    for (size_t i = 0; i < ev->n_deviations; i++) {
        const struct fl_deviation *d = &ev->deviations[i];
        struct measured *row = m + (size_t)d->group * F_METRIC_CLASSES;
        int c = class_of(d->kind);
        if (c >= 0 && size_of(d->z) > row[c].most)
            row[c].most = size_of(d->z);
    }
}

/* @return whether anything of this class is far from usual. */
static bool compare(const struct fl_evidence *ev, struct measured *m, int c)
{
    double total = 0;
    for (size_t g = 0; g < ev->n_groups; g++) {
        double most = m[g * F_METRIC_CLASSES + (size_t)c].most;
        total += most * most;
    }
    if (total <= 0)
        return false;
    for (size_t g = 0; g < ev->n_groups; g++) {
        struct measured *own = &m[g * F_METRIC_CLASSES + (size_t)c];
        const struct fl_group *group = &ev->groups[g];
        double below = 0;
        for (uint32_t k = 0; k < group->n_needs; k++) {
            double most = m[group->needs[k] * F_METRIC_CLASSES + (size_t)c].most;
            below = most > below ? most : below;
        }
        own->share = own->most * own->most / total;
        own->rest = own->share * fl_share(own->most, own->most + below);
    }
    return true;
}

fl_status fl_metric_features(struct fl_evidence *ev, double *x, struct fl_err *err)
{
    fl_status st = fl_metric_deviations(ev, &ev->deviations, &ev->n_deviations, err);
    if (st || !ev->n_deviations)
        return st;
    struct measured *m = fl_arena_calloc(ev->arena, ev->n_groups * F_METRIC_CLASSES + 1, sizeof *m);
    bool says[F_METRIC_CLASSES];
    double classes = 0;
    if (!m)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    collect(ev, m);
    for (int c = 0; c < F_METRIC_CLASSES; c++)
        classes += says[c] = compare(ev, m, c);
    for (size_t g = 0; g < ev->n_groups; g++)
        for (int c = 0; c < F_METRIC_CLASSES; c++) {
            const struct measured *own = &m[g * F_METRIC_CLASSES + (size_t)c];
            double *row = x + g * F_N;
            if (!says[c])
                continue;
            row[F_METRIC0 + c] = own->share;
            row[F_METRIC_SHARE] += own->share / classes;
            row[F_METRIC_REST] += own->rest / classes;
        }
    return FL_OK;
}
