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

/* ---- timers ---- */

static bool before(const void *a, const void *b)
{
    const struct hold *x = ((const struct episode *)a)->hold, *y = ((const struct episode *)b)->hold;
    return x->until != y->until ? x->until < y->until : x->n < y->n;
}

static size_t *place(void *item)
{
    return &((struct episode *)item)->hold->at;
}

const struct fl_heap_kind holds_by_end = {before, place};

/* Its key may have changed while it is in there: leaving does not look at it. */
static void timer_set(struct fl_corr *c, struct episode *e)
{
    fl_heap_drop(&c->timers, e);
    if (e->hold->until)
        fl_heap_put(&c->timers, e);
}

void holds_on_time(struct fl_corr *c, fl_usec at)
{
    for (struct episode *e; (e = fl_heap_first(&c->timers)) && e->hold->until <= at;) {
        fl_heap_drop(&c->timers, e);
        settle_later(c, e);
    }
}

fl_usec holds_due(const struct fl_corr *c)
{
    const struct episode *e = fl_heap_first(&c->timers);
    return e ? e->hold->until : 0;
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
    fl_heap_drop(&c->timers, e);
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
