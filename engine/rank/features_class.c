/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features_class.c -- explaining away within one class of symptom: an error is explained by errors of what it
 * calls, slowness by slowness, network time by network time; and bad calls as edges, whose common end is sought. */
#include <stdlib.h>

#include "features.h"

enum { CLASSES = 3, AROUND_MAX = 128, HOPS = 3 };

static int symptom_class(int kind)
{
    switch (kind) {
    case FL_K_ERR:
    case FL_K_ERR_EDGE:
    case FL_K_ERR_SELF:
    case FL_K_AVAIL: return 0;
    case FL_K_LAT:
    case FL_K_SPAN:
    case FL_K_SPAN_SELF: return 1;
    case FL_K_NET_EDGE:
    case FL_K_NET_UP:
    case FL_K_NET_DOWN: return 2;
    default: return -1;
    }
}

struct symptoms {
    double mass[CLASSES];
    bool any[CLASSES];
};

static void add_up(const struct fl_evidence *ev, struct symptoms *s, double *total)
{
    for (size_t g = 0; g < ev->n_groups; g++)
        for (int k = 0; k < FL_K_OWN_N; k++) {
            int c = symptom_class(k);
            if (c < 0 || !ev->groups[g].kind_n[k])
                continue;
            s[g].mass[c] += ev->groups[g].kind_mass[k];
            s[g].any[c] = true;
            total[c] += ev->groups[g].kind_mass[k];
        }
}

/* What those that need it show, over up to three calls. */
static void look_up(const struct fl_evidence *ev, const struct symptoms *s, size_t start, uint32_t *seen,
                    uint32_t mark, uint32_t *queue, double *above)
{
    size_t head = 0, tail = 1, level_end = 1;
    unsigned depth = 0;
    queue[0] = (uint32_t)start;
    seen[start] = mark;
    while (head < tail && depth < HOPS && tail < AROUND_MAX) {
        const struct fl_group *g = &ev->groups[queue[head++]];
        for (uint32_t i = 0; i < g->n_needed_by; i++) {
            uint32_t next = g->needed_by[i];
            if (seen[next] == mark)
                continue;
            seen[next] = mark;
            queue[tail++] = next;
            for (int c = 0; c < CLASSES; c++)
                above[c] += s[next].mass[c];
        }
        if (head == level_end) {
            level_end = tail;
            depth++;
        }
    }
}

void fl_class_features(const struct fl_evidence *ev, uint32_t *seen, uint32_t *mark, uint32_t *queue,
                       double *x)
{
    double total[CLASSES] = {0};
    struct symptoms *s = fl_arena_calloc(ev->arena, ev->n_groups + 1, sizeof *s);
    if (!s)
        return;
    add_up(ev, s, total);
    for (size_t i = 0; i < ev->n_groups; i++) {
        const struct fl_group *g = &ev->groups[i];
        double above[CLASSES] = {0}, *row = x + i * F_N;
        if (!s[i].any[0] && !s[i].any[1] && !s[i].any[2])
            continue;
        look_up(ev, s, i, seen, ++*mark, queue, above);
        for (int c = 0; c < CLASSES; c++) {
            double own = s[i].mass[c], below = 0;
            bool any = false;
            for (uint32_t k = 0; k < g->n_needs; k++) {
                const struct symptoms *n = &s[g->needs[k]];
                below = n->mass[c] > below ? n->mass[c] : below;
                any |= n->any[c];
            }
            double rest = fl_share(own, own + below);
            row[F_OWN_ERR + c] = fl_share(own, total[c]) * rest;
            row[F_REST_ERR + c] = rest;
            row[F_ABOVE_ERR + c] = fl_share(own + above[c], total[c]) * rest;
            row[F_END_ERR + c] = s[i].any[c] && !any;
        }
    }
}

/* ---- bad calls ---- */

struct bad_call {
    uint32_t caller, callee;
    double rarity;
};

static int by_ends(const void *pa, const void *pb)
{
    const struct bad_call *a = pa, *b = pb;
    if (a->caller != b->caller)
        return a->caller < b->caller ? -1 : 1;
    if (a->callee != b->callee)
        return a->callee < b->callee ? -1 : 1;
    return a->rarity > b->rarity ? -1 : a->rarity < b->rarity;
}

/* One entry for each caller and callee, with the rarest alert that tells of it. */
static size_t collect_calls(const struct fl_evidence *ev, struct bad_call *v)
{
    size_t n = 0, kept = 0;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        if (it->kind != FL_K_SPAN && it->kind != FL_K_NET_EDGE && it->kind != FL_K_ERR_EDGE)
            continue;
        int caller = fl_evidence_group(ev, ev->in->alerts[it->alert].peer);
        if (caller >= 0 && (uint32_t)caller != it->group)
            v[n++] = (struct bad_call){(uint32_t)caller, it->group, it->rarity};
    }
    if (n > 1)
        qsort(v, n, sizeof *v, by_ends);
    for (size_t i = 0; i < n; i++)
        if (!kept || v[i].caller != v[kept - 1].caller || v[i].callee != v[kept - 1].callee)
            v[kept++] = v[i];
    return kept;
}

static double at_least(double n, uint32_t known)
{
    return n > known ? n : known;
}

fl_status fl_call_features(const struct fl_evidence *ev, double *x, struct fl_err *err)
{
    struct bad_call *v = fl_arena_alloc(ev->arena, (ev->n_items + 1) * sizeof *v);
    double *in = fl_arena_calloc(ev->arena, 2 * ev->n_groups + 1, sizeof *in), total = 0;
    if (!v || !in)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    double *out = in + ev->n_groups; /* bad calls to it, from it */
    size_t n = collect_calls(ev, v);
    for (size_t i = 0; i < n; i++) {
        double *caller = x + v[i].caller * F_N, *callee = x + v[i].callee * F_N, r = v[i].rarity;
        out[v[i].caller]++;
        in[v[i].callee]++;
        total += r;
        callee[F_CALLS_IN] += r;
        callee[F_CALLS_WORST] = r > callee[F_CALLS_WORST] ? r : callee[F_CALLS_WORST];
        caller[F_CALLS_WORST] = r > caller[F_CALLS_WORST] ? r : caller[F_CALLS_WORST];
    }
    for (size_t i = 0; i < ev->n_groups; i++) {
        const struct fl_group *g = &ev->groups[i];
        double *row = x + i * F_N;
        row[F_CALLS_MEAN] = fl_share(row[F_CALLS_IN], in[i]);
        row[F_CALLS_IN] = fl_share(row[F_CALLS_IN], total);
        row[F_CALLS_ALL_IN] = fl_share(in[i], at_least(in[i], g->n_needed_by));
        row[F_CALLS_ALL_OUT] = fl_share(out[i], at_least(out[i], g->n_needs));
        row[F_CALLS_BAD] = fl_share(in[i] + out[i], at_least(in[i] + out[i], g->n_needs + g->n_needed_by));
    }
    return FL_OK;
}
