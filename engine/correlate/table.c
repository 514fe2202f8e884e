/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/table.c -- where an item is, by its key: 9 bytes an item and some room, against 56 of a handle of
 * uthash. Order is kept elsewhere (lists): nothing iterates over a table, so that the keyed hash decides nothing. A byte of
 * the hash stands beside each place: who looks for a key passes the others without a look at the items, each of which would
 * be a line of memory fetched for nothing. */
#include "correlate_priv.h"

/* The hash is scaled to the table, whose size need not be a power of two: it grows by half, not by doubling. */
static size_t home(const struct table *t, uint64_t hash)
{
    return (size_t)(((hash >> 32) * t->cap) >> 32);
}

static size_t after(const struct table *t, size_t i)
{
    return i + 1 == t->cap ? 0 : i + 1;
}

/* 0: nothing is there. The place comes from the upper half of the hash, so that neighbours differ in these. */
static uint8_t tag_of(uint64_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return tag ? tag : 1;
}

static void resize(struct table *t, size_t cap)
{
    struct table bigger = {.kind = t->kind, .n = t->n, .cap = cap};
    FL_REQUIRE(bigger.cap < UINT32_MAX);
    bigger.v = fl_core_alloc(bigger.cap, sizeof(void *));
    bigger.tag = fl_core_alloc(bigger.cap, sizeof *bigger.tag);
    for (size_t i = 0; i < t->cap; i++) {
        if (!t->v[i])
            continue;
        size_t k = home(&bigger, t->kind->hash(t->kind->key(t->v[i])));
        while (bigger.tag[k])
            k = after(&bigger, k);
        bigger.v[k] = t->v[i];
        bigger.tag[k] = t->tag[i];
    }
    free(t->v);
    free(t->tag);
    *t = bigger;
}

void table_expect(struct table *t, size_t n)
{
    if (n * 5 > t->cap * 4)
        resize(t, n + n / 4 + 64);
}

static size_t place(const struct table *t, const void *key, uint64_t hash)
{
    uint8_t tag = tag_of(hash);
    size_t i = home(t, hash);
    while (t->tag[i] && (t->tag[i] != tag || !t->kind->same(t->kind->key(t->v[i]), key)))
        i = after(t, i);
    return i;
}

void *table_find(const struct table *t, const void *key)
{
    return t->cap ? t->v[place(t, key, t->kind->hash(key))] : NULL;
}

void table_put(struct table *t, void *item)
{
    if ((t->n + 1) * 5 > t->cap * 4)
        resize(t, t->cap ? t->cap + t->cap / 2 : 64);
    uint64_t hash = t->kind->hash(t->kind->key(item));
    size_t at = place(t, t->kind->key(item), hash);
    t->n += !t->v[at];
    t->v[at] = item;
    t->tag[at] = tag_of(hash);
}

void table_drop(struct table *t, const void *key)
{
    size_t hole = t->cap ? place(t, key, t->kind->hash(key)) : 0;
    if (!t->cap || !t->v[hole])
        return;
    t->v[hole] = NULL;
    t->tag[hole] = 0;
    t->n--;
    for (size_t i = after(t, hole); t->v[i]; i = after(t, i)) {
        size_t from = home(t, t->kind->hash(t->kind->key(t->v[i])));
        /* May it move back to the hole? Not past its home. */
        bool stays = hole <= i ? hole < from && from <= i : hole < from || from <= i;
        if (stays)
            continue;
        t->v[hole] = t->v[i];
        t->tag[hole] = t->tag[i];
        t->v[i] = NULL;
        t->tag[i] = 0;
        hole = i;
    }
}

void table_done(struct table *t)
{
    free(t->v);
    free(t->tag);
    t->v = NULL;
    t->tag = NULL;
    t->n = t->cap = 0;
}
