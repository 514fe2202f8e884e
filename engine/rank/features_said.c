/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features_said.c -- what alerts say, without who says it: only one group says it in this incident, or none ever
 * did in past ones. A framework's error line is new on each component that prints it, and still tells nothing. */
#include <math.h>
#include <stdlib.h>

#include "features.h"

struct said {
    uint64_t what;
    uint32_t group, item;
};

static int by_saying(const void *pa, const void *pb)
{
    const struct said *a = pa, *b = pb;
    if (a->what != b->what)
        return a->what < b->what ? -1 : 1;
    if (a->group != b->group)
        return a->group < b->group ? -1 : 1;
    return a->item < b->item ? -1 : a->item > b->item;
}

/* An alert that only one group has says more than one that all have. */
static fl_status alone_features(const struct fl_evidence *ev, double *x, struct fl_err *err)
{
    struct said *v = fl_arena_alloc(ev->arena, (ev->n_items + 1) * sizeof *v);
    size_t n = 0;
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev->n_items; i++)
        if (ev->items[i].kind < FL_K_OWN_N)
            v[n++] = (struct said){fl_history_saying(ev->in->alerts[ev->items[i].alert].alert),
                                   ev->items[i].group, (uint32_t)i};
    if (n > 1)
        qsort(v, n, sizeof *v, by_saying);
    for (size_t i = 0, end; i < n; i = end) {
        double groups = 0;
        for (end = i; end < n && v[end].what == v[i].what; end++)
            groups += end == i || v[end].group != v[end - 1].group;
        for (size_t k = i; k < end; k++) {
            double r = ev->items[v[k].item].rarity / groups;
            double *row = x + v[k].group * F_N;
            row[F_ALONE] += r;
            row[F_ALONE_MAX] = r > row[F_ALONE_MAX] ? r : row[F_ALONE_MAX];
        }
    }
    for (size_t i = 0; i < ev->n_groups; i++)
        x[i * F_N + F_ALONE] = log1p(x[i * F_N + F_ALONE]);
    return FL_OK;
}

/* How rare what it says is over all components. */
static void unseen_features(const struct fl_evidence *ev, double *x)
{
    double all = 0;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        if (it->kind >= FL_K_OWN_N)
            continue;
        double r = fl_history_unsaid(ev->in->history, ev->in->alerts[it->alert].alert);
        double *row = x + it->group * F_N, both = r * it->rarity;
        all += r;
        row[F_SAID_SHARE] += r;
        row[F_SAID_MOST] = r > row[F_SAID_MOST] ? r : row[F_SAID_MOST];
        row[F_SAID_RARE] = both > row[F_SAID_RARE] ? both : row[F_SAID_RARE];
    }
    for (size_t i = 0; i < ev->n_groups; i++)
        x[i * F_N + F_SAID_SHARE] = fl_share(x[i * F_N + F_SAID_SHARE], all);
}

fl_status fl_said_features(const struct fl_evidence *ev, double *x, struct fl_err *err)
{
    unseen_features(ev, x);
    return alone_features(ev, x, err);
}
