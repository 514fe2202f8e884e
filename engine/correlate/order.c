/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/order.c -- the order of arrival: episodes in blocks, each with a filter of the labels in it, so that
 * who looks for a label goes past whole blocks that cannot have it. 8 bytes an alert for the order and 4 for the filter,
 * however many labels it has (posting lists: 8 and more for each label of each alert). The filter (Bloom) forgets nothing
 * until its block is filled anew: it may say "perhaps" of what has left, never "no" of what is there. It is keyed,
 * because strangers choose the labels, and decides nothing but what a reader skips. */
#include "correlate_priv.h"

enum {
    PROBES = 4,      /* each of PROBE_BITS of the hash */
    PROBE_BITS = 13, /* a filter of 8,192 bits */
    MERGED_MAX = BLOCK_EPISODES / 4 *
                 3, /* neighbours become one when that leaves room: blocks stay well filled */
};
_Static_assert(BLOCK_FILTER_WORDS * 64 == 1 << PROBE_BITS, "a probe reaches every bit");

/* ---- the filter ---- */

static uint64_t mix(uint32_t name, uint32_t value)
{
    uint64_t h = ((uint64_t)name << 32 | value) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

uint64_t label_hash(const char *name, const char *value)
{
    return mix(fl_pool_hash(name), fl_pool_hash(value));
}

static size_t probe(uint64_t hash, unsigned k)
{
    return hash >> (PROBE_BITS * k) & ((1 << PROBE_BITS) - 1);
}

static bool may_have(const struct block *b, uint64_t label)
{
    for (unsigned k = 0; k < PROBES; k++) {
        size_t at = probe(label, k);
        if (!(b->filter[at / 64] >> at % 64 & 1))
            return false;
    }
    return true;
}

bool block_may_have(const struct block *b, const uint64_t *labels, const bool *or_next, size_t n)
{
    bool one = false; /* of the alternatives so far */
    for (size_t i = 0; i < n; i++) {
        one = one || may_have(b, labels[i]);
        if (or_next[i])
            continue;
        if (!one)
            return false;
        one = false;
    }
    return true;
}

void order_labels(struct episode *e)
{
    const struct fl_labels *l = &e->alert->labels;
    for (size_t i = 0; i < l->n; i++) {
        uint64_t h = mix(fl_pool_kept_hash(l->v[i].name), fl_pool_kept_hash(l->v[i].value));
        for (unsigned k = 0; k < PROBES; k++) {
            size_t at = probe(h, k);
            e->block->filter[at / 64] |= UINT64_C(1) << at % 64;
        }
    }
}

/* ---- the order ---- */

static struct episode *first_in(const struct block *b, size_t from)
{
    for (size_t i = from < b->first ? b->first : from; i < b->n; i++)
        if (b->v[i])
            return b->v[i];
    return NULL;
}

/* No block is empty. */
struct episode *order_first(const struct fl_corr *c)
{
    return c->blocks ? first_in(c->blocks, 0) : NULL;
}

struct episode *block_after(const struct block *b)
{
    return b->next ? first_in(b->next, 0) : NULL;
}

struct episode *order_later(const struct episode *e)
{
    struct episode *next = first_in(e->block, e->slot + 1u);
    return next ? next : block_after(e->block);
}

static void put(struct block *b, struct episode *e)
{
    b->v[b->n] = e;
    e->block = b;
    e->slot = (uint8_t)b->n;
    b->n++;
    b->live++;
    order_labels(e);
}

void order_append(struct fl_corr *c, struct episode *e)
{
    struct block *b = c->last_block;
    if (!b || b->n == BLOCK_EPISODES) {
        b = fl_core_alloc(1, sizeof *b);
        b->prev = c->last_block;
        if (b->prev)
            b->prev->next = b;
        else
            c->blocks = b;
        c->last_block = b;
    }
    put(b, e);
}

static void drop_block(struct fl_corr *c, struct block *b)
{
    if (b->prev)
        b->prev->next = b->next;
    else
        c->blocks = b->next;
    if (b->next)
        b->next->prev = b->prev;
    else
        c->last_block = b->prev;
    free(b);
}

/* What is left of two neighbours, in a block filled anew, in the place of the first. */
static void merge(struct fl_corr *c, struct block *b)
{
    struct block *gone = b->next;
    struct block old = *b;
    memset(b->filter, 0, sizeof b->filter);
    memset(b->v, 0, sizeof b->v);
    b->n = b->live = b->first = 0;
    for (size_t i = old.first; i < old.n; i++)
        if (old.v[i])
            put(b, old.v[i]);
    for (size_t i = gone->first; i < gone->n; i++)
        if (gone->v[i])
            put(b, gone->v[i]);
    drop_block(c, gone);
}

static bool fit(const struct block *a, const struct block *b)
{
    return a && b && a->live + b->live <= MERGED_MAX;
}

void order_remove(struct fl_corr *c, struct episode *e)
{
    struct block *b = e->block;
    b->v[e->slot] = NULL;
    b->live--;
    while (b->first < b->n && !b->v[b->first])
        b->first++;
    e->block = NULL;
    if (!b->live)
        drop_block(c, b);
    else if (fit(b, b->next))
        merge(c, b);
    else if (fit(b->prev, b))
        merge(c, b->prev);
}
