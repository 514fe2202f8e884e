/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/alert_live.c -- the keys of firing or stale alerts, from the core's memory (layer 5). The table of alerts has no
 * index that knows the status: an update of a row that such an index covers could not stay beside the row (HOT). */
#include "filters.h"

#include <faultline/flow.h>

#include <stdlib.h>
#include <string.h>

/* Alerts in one turn of the core, which is to be below a millisecond; fewer where new values are kept. */
enum { LOOKED_AT = 4000, LOOKED_AT_VALUES = 2000 };

struct live {
    struct request *r;
    fl_alert_status status;
    struct sieve sieve;
    struct fl_label having[HAVING_MAX];
    size_t n_having;
    uint64_t cursor; /* 0: not opened yet */
    bool more, lost, no_memory;
    struct live_keys keys;
    size_t cap;
    struct fl_alert_key undecided[LOOKED_AT];
    uint32_t *values; /* sieve.n of each of them */
    size_t n_undecided;
};

static void keep(struct live *l, struct fl_alert_key key)
{
    if (l->keys.n == l->cap) {
        size_t cap = l->cap ? l->cap + l->cap / 2 : 256;
        struct fl_alert_key *v = reallocarray(l->keys.v, cap, sizeof *v);
        l->no_memory |= !v;
        if (!v)
            return;
        l->keys.v = v;
        l->cap = cap;
    }
    l->keys.v[l->keys.n++] = key;
}

/* ---- core thread ---- */

static void look(void *ctx, const struct fl_listed *a)
{
    struct live *l = ctx;
    struct fl_alert_key key = {a->alert->fingerprint, a->alert->starts_at};
    enum verdict v = sieve_look(&l->sieve, &a->alert->labels, l->values + l->n_undecided * l->sieve.n);
    if (v == VERDICT_YES)
        keep(l, key);
    else if (v == VERDICT_LATER)
        l->undecided[l->n_undecided++] = key;
}

static void look_on(void *ctx, struct fl_flow *f)
{
    struct live *l = ctx;
    if (!l->cursor)
        l->cursor = fl_flow_cursor_open(f, l->having, l->n_having);
    size_t max = l->sieve.n > l->sieve.n_plain ? LOOKED_AT_VALUES : LOOKED_AT;
    enum fl_cursor_state st = fl_flow_cursor_next(f, l->cursor, max, l->status, look, l);
    l->lost |= st == FL_CURSOR_LOST;
    l->more = st == FL_CURSOR_MORE;
}

/* ---- here ---- */

static bool ask(struct live *l)
{
    struct fl_err err = {0};
    struct fl_http *h = l->r->http;
    sieve_turn(&l->sieve);
    if (!h->o.ask || h->o.ask(h->o.ctx, look_on, l, &err) != FL_OK)
        return false;
    sieve_decide(&l->sieve);
    l->no_memory |= l->sieve.no_memory;
    for (size_t i = 0; i < l->n_undecided && !l->no_memory; i++)
        if (sieve_holds(&l->sieve, l->values + i * l->sieve.n))
            keep(l, l->undecided[i]);
    l->n_undecided = 0;
    return !l->lost && !l->no_memory && atomic_load(&l->r->phase) == PHASE_WAITING;
}

static int newest_first(const void *a, const void *b)
{
    const struct fl_alert_key *x = a, *y = b;
    int64_t p = (int64_t)x->fingerprint, q = (int64_t)y->fingerprint; /* the column is signed */
    if (x->starts_at != y->starts_at)
        return x->starts_at > y->starts_at ? -1 : 1;
    return p < q ? -1 : p > q;
}

/* An episode that is made again between two turns is visited twice. */
static void sort(struct live_keys *k)
{
    size_t n = 0;
    if (k->n)
        qsort(k->v, k->n, sizeof *k->v, newest_first);
    for (size_t i = 0; i < k->n; i++)
        if (!n || newest_first(&k->v[n - 1], &k->v[i]) != 0)
            k->v[n++] = k->v[i];
    k->n = n;
}

bool live_keys_find(struct request *r, fl_alert_status status, const struct filters *f,
                    const struct live_keys *known, struct live_keys *ret)
{
    struct live *l = calloc(1, sizeof *l);
    if (!l)
        return false;
    *l = (struct live){.r = r, .status = status, .more = true};
    for (size_t i = 0; i < f->n; i++)
        sieve_add(&l->sieve, &f->m[i]);
    l->n_having = filters_having(r, f, l->having);
    l->values = calloc(LOOKED_AT + 1, (f->n + 1) * sizeof *l->values);
    for (size_t i = 0; i < known->n; i++)
        keep(l, known->v[i]);
    bool good = l->values && !l->no_memory;
    while (good && l->more)
        good = ask(l);
    sort(&l->keys);
    if (good)
        *ret = l->keys;
    else
        free(l->keys.v);
    sieve_done(&l->sieve);
    free(l->values);
    free(l);
    return good;
}
