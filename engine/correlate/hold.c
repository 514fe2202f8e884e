/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/hold.c -- alerts that are kept out of incidents for a while although nothing hides them: what
 * holds each, since when, and the timers that end it. */
#include "correlate_priv.h"

#include <faultline/json.h>
#include <stdlib.h>
#include <string.h>

static const char *const words[HOLD_N] = {NULL, "upstream", "threshold", "grouping", "heartbeat"};

struct hold *hold_of(struct episode *e)
{
    if (!e->hold)
        e->hold = fl_core_alloc(1, sizeof *e->hold);
    return e->hold;
}

const char *hold_word(const struct episode *e)
{
    const struct hold *h = e->hold;
    if (!h)
        return NULL;
    return h->window ? "maintenance" : !h->kind && h->flap ? "flapping" : words[h->kind];
}

/* ---- timers: a heap, so that a storm of holds costs what it must ---- */

static bool before(const struct episode *a, const struct episode *b)
{
    return a->hold->until != b->hold->until ? a->hold->until < b->hold->until : a->hold->n < b->hold->n;
}

static void put(struct fl_corr *c, size_t at, struct episode *e)
{
    c->timers.v[at] = e;
    e->hold->at = at + 1;
}

static void sift_up(struct fl_corr *c, size_t at, struct episode *e)
{
    for (; at && before(e, c->timers.v[(at - 1) / 2]); at = (at - 1) / 2)
        put(c, at, c->timers.v[(at - 1) / 2]);
    put(c, at, e);
}

static void sift_down(struct fl_corr *c, size_t at, struct episode *e)
{
    for (size_t kid; (kid = 2 * at + 1) < c->timers.n; at = kid) {
        if (kid + 1 < c->timers.n && before(c->timers.v[kid + 1], c->timers.v[kid]))
            kid++;
        if (!before(c->timers.v[kid], e))
            break;
        put(c, at, c->timers.v[kid]);
    }
    put(c, at, e);
}

static void timer_drop(struct fl_corr *c, struct episode *e)
{
    if (!e->hold->at)
        return;
    size_t at = e->hold->at - 1;
    e->hold->at = 0;
    struct episode *last = c->timers.v[--c->timers.n];
    if (last == e)
        return;
    sift_up(c, at, last);
    sift_down(c, last->hold->at - 1, last);
}

static void timer_set(struct fl_corr *c, struct episode *e)
{
    timer_drop(c, e);
    if (!e->hold->until)
        return;
    if (c->timers.n == c->timers.cap) {
        size_t cap = c->timers.cap ? c->timers.cap * 2 : 64;
        struct episode **v = realloc(c->timers.v, cap * sizeof *v);
        FL_REQUIRE(v != NULL);
        c->timers.v = v;
        c->timers.cap = cap;
    }
    sift_up(c, c->timers.n++, e);
}

void holds_on_time(struct fl_corr *c, fl_usec at)
{
    while (c->timers.n && c->timers.v[0]->hold->until <= at) {
        struct episode *e = c->timers.v[0];
        timer_drop(c, e);
        settle_later(c, e);
    }
}

fl_usec holds_due(const struct fl_corr *c)
{
    return c->timers.n ? c->timers.v[0]->hold->until : 0;
}

/* ---- one episode ---- */

bool hold_set(struct fl_corr *c, const struct fl_rules *rules, fl_usec at, struct episode *e,
              enum hold_kind kind, fl_usec until)
{
    struct hold *h = e->hold;
    if (!h && !kind)
        return false;
    h = hold_of(e);
    bool changed = h->kind != kind || h->until != until;
    h->until = until;
    if (h->kind != kind) {
        gate_unlist(c, e);
        h->kind = kind;
        h->since = at;
    }
    /* Not in a list: a new hold, or other rules than those it began under. */
    if (kind && !h->in) {
        h->n = ++c->holds;
        gate_list(c, rules, e);
    }
    timer_set(c, e);
    return changed;
}

void hold_free(struct fl_corr *c, struct episode *e)
{
    if (!e->hold)
        return;
    gate_unlist(c, e);
    timer_drop(c, e);
    free(e->hold->flap);
    free(e->hold->window);
    free(e->hold);
    e->hold = NULL;
}

/* ---- snapshot ---- */

static int by_n(const void *a, const void *b)
{
    const struct episode *const *x = a, *const *y = b;
    return (*x)->hold->n < (*y)->hold->n ? -1 : (*x)->hold->n > (*y)->hold->n;
}

void holds_restored(struct fl_corr *c, const struct fl_rules *rules)
{
    size_t n = 0, count = c->by_key.n;
    struct episode **v = fl_core_alloc(count, sizeof *v);
    for (struct episode *e = order_first(c); e; e = order_later(e))
        if (e->hold && e->hold->kind && is_live(e))
            v[n++] = e;
    if (n)
        qsort(v, n, sizeof *v, by_n);
    for (size_t k = 0; k < n; k++) {
        gate_list(c, rules, v[k]);
        timer_set(c, v[k]);
    }
    free(v);
}
