/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/pool.c -- texts kept once; contract in <faultline/pool.h>. Open addressing with linear probing and
 * backward-shift deletion. The hash is keyed, because strangers choose the texts; nothing iterates, so that the key
 * decides nothing. */
#include <faultline/pool.h>
#include <faultline/step.h>

#include <stdlib.h>
#include <string.h>

/* Alerts that come together have most of their texts in common, at the same places: one comparison instead of a hash. */
enum { RECENT = 64, RECENT_NOTES = 40, RECENT_LINK = RECENT - 1 };

struct kept {
    uint32_t refs, hash;
    char text[];
};
struct fl_pool {
    struct kept **v;
    uint8_t *
        tag; /* a byte of the hash of the text at the same place, 0: none: who looks for another passes without a look at it */
    size_t n, cap;
    struct kept *recent[RECENT]; /* by their place in the last alerts; not counted as references */
};

struct fl_pool *fl_pool_new(void)
{
    return fl_core_alloc(1, sizeof(struct fl_pool));
}

struct fl_pool *fl_pool_free(struct fl_pool *p)
{
    for (size_t i = 0; p && i < p->cap; i++)
        free(p->v[i]);
    if (p) {
        free(p->v);
        free(p->tag);
    }
    free(p);
    return NULL;
}

size_t fl_pool_count(const struct fl_pool *p)
{
    return p->n;
}

/* The hash is scaled to the table, whose size need not be a power of two: it grows by half, not by doubling. */
static size_t home(const struct fl_pool *p, uint32_t hash)
{
    return (size_t)(((uint64_t)hash * p->cap) >> 32);
}

static size_t after(const struct fl_pool *p, size_t i)
{
    return i + 1 == p->cap ? 0 : i + 1;
}

/* The place comes from the upper bits of the hash, so that neighbours differ in these. */
static uint8_t tag_of(uint32_t hash)
{
    uint8_t tag = (uint8_t)hash;
    return tag ? tag : 1;
}

static void resize(struct fl_pool *p, size_t cap)
{
    struct fl_pool bigger = {.n = p->n, .cap = cap};
    FL_REQUIRE(bigger.cap < UINT32_MAX);
    bigger.v = fl_core_alloc(bigger.cap, sizeof(struct kept *));
    bigger.tag = fl_core_alloc(bigger.cap, sizeof *bigger.tag);
    for (size_t i = 0; i < p->cap; i++) {
        if (!p->v[i])
            continue;
        size_t k = home(&bigger, p->v[i]->hash);
        while (bigger.tag[k])
            k = after(&bigger, k);
        bigger.v[k] = p->v[i];
        bigger.tag[k] = p->tag[i];
    }
    free(p->v);
    free(p->tag);
    *p = bigger;
}

void fl_pool_expect(struct fl_pool *p, size_t n)
{
    if (n * 5 > p->cap * 4)
        resize(p, n + n / 4 + 64);
}

/* Where the text is or would be; the table has a free place. */
static size_t place(const struct fl_pool *p, const char *text, uint32_t hash)
{
    uint8_t tag = tag_of(hash);
    size_t i = home(p, hash);
    while (p->tag[i] && (p->tag[i] != tag || p->v[i]->hash != hash || strcmp(p->v[i]->text, text) != 0))
        i = after(p, i);
    return i;
}

static uint32_t hash_of(const char *text, size_t n)
{
    return (uint32_t)fl_keyed_hash(text, n);
}

const char *fl_pool_find(const struct fl_pool *p, const char *text)
{
    const struct kept *k = text && p->cap ? p->v[place(p, text, hash_of(text, strlen(text)))] : NULL;
    return k ? k->text : NULL;
}

const char *fl_pool_keep(struct fl_pool *p, const char *text)
{
    if (!text)
        return NULL;
    if ((p->n + 1) * 5 > p->cap * 4)
        resize(p, p->cap ? p->cap + p->cap / 2 : 64);
    size_t n = strlen(text);
    uint32_t hash = hash_of(text, n);
    size_t at = place(p, text, hash);
    struct kept *k = p->v[at];
    if (!k) {
        k = malloc(sizeof *k + n + 1);
        FL_REQUIRE(k != NULL);
        k->refs = 0;
        k->hash = hash;
        memcpy(k->text, text, n + 1);
        p->v[at] = k;
        p->tag[at] = tag_of(hash);
        p->n++;
    }
    FL_REQUIRE(k->refs < UINT32_MAX);
    k->refs++;
    return k->text;
}

static struct kept *of_text(const char *text)
{
    return (struct kept *)((uintptr_t)text - offsetof(struct kept, text));
}

void fl_pool_again(const char *kept)
{
    struct kept *k = of_text(kept);
    FL_REQUIRE(k->refs < UINT32_MAX);
    k->refs++;
}

bool fl_pool_shared(const char *kept)
{
    return of_text(kept)->refs > 1;
}

static void take_out(struct fl_pool *p, const struct kept *k)
{
    size_t hole = home(p, k->hash);
    while (p->v[hole] != k)
        hole = after(p, hole);
    p->v[hole] = NULL;
    p->tag[hole] = 0;
    p->n--;
    for (size_t i = after(p, hole); p->v[i]; i = after(p, i)) {
        size_t from = home(p, p->v[i]->hash);
        /* May it move back to the hole? Not past its home. */
        bool stays = hole <= i ? hole < from && from <= i : hole < from || from <= i;
        if (stays)
            continue;
        p->v[hole] = p->v[i];
        p->tag[hole] = p->tag[i];
        p->v[i] = NULL;
        p->tag[i] = 0;
        hole = i;
    }
}

void fl_pool_drop(struct fl_pool *p, const char *kept)
{
    if (!kept)
        return;
    struct kept *k = of_text(kept);
    if (--k->refs)
        return;
    for (size_t i = 0; i < RECENT; i++)
        if (p->recent[i] == k)
            p->recent[i] = NULL;
    take_out(p, k);
    free(k);
}

void fl_pool_set(struct fl_pool *p, const char **slot, const char *text)
{
    const char *old = *slot;
    *slot = fl_pool_keep(p, text);
    fl_pool_drop(p, old);
}

uint32_t fl_pool_hash(const char *text)
{
    return hash_of(text, strlen(text));
}

uint32_t fl_pool_kept_hash(const char *kept)
{
    return of_text(kept)->hash;
}

/* ---- alerts ---- */

static const char *keep_at(struct fl_pool *p, size_t at, const char *text)
{
    struct kept *k = p->recent[at];
    if (k && text && strcmp(k->text, text) == 0) {
        fl_pool_again(k->text);
        return k->text;
    }
    const char *kept = fl_pool_keep(p, text);
    p->recent[at] = kept ? of_text(kept) : NULL;
    return kept;
}

/* Places from `at`; what does not fit goes without. */
static struct fl_labels keep_labels(struct fl_pool *p, struct fl_label *v, const struct fl_labels *from,
                                    size_t at, size_t end)
{
    for (size_t i = 0; i < from->n; i++, at += 2)
        v[i] = at + 1 < end
                   ? (struct fl_label){keep_at(p, at, from->v[i].name), keep_at(p, at + 1, from->v[i].value)}
                   : (struct fl_label){fl_pool_keep(p, from->v[i].name), fl_pool_keep(p, from->v[i].value)};
    return (struct fl_labels){v, from->n};
}

static void drop_labels(struct fl_pool *p, const struct fl_labels *l)
{
    for (size_t i = 0; i < l->n; i++) {
        fl_pool_drop(p, l->v[i].name);
        fl_pool_drop(p, l->v[i].value);
    }
}

struct fl_alert *fl_pool_alert(struct fl_pool *p, const struct fl_alert *a)
{
    struct fl_alert *copy = malloc(sizeof *copy + (a->labels.n + a->annotations.n) * sizeof(struct fl_label));
    FL_REQUIRE(copy != NULL);
    struct fl_label *v = (struct fl_label *)(copy + 1);
    *copy = *a;
    copy->labels = keep_labels(p, v, &a->labels, 0, RECENT_NOTES);
    copy->annotations = keep_labels(p, v + a->labels.n, &a->annotations, RECENT_NOTES, RECENT_LINK);
    copy->generator_url = keep_at(p, RECENT_LINK, a->generator_url ? a->generator_url : "");
    return copy;
}

struct fl_alert *fl_pool_adopt_alert(const struct fl_alert *a)
{
    size_t n = a->labels.n, m = a->annotations.n;
    struct fl_alert *copy = malloc(sizeof *copy + (n + m) * sizeof(struct fl_label));
    FL_REQUIRE(copy != NULL);
    struct fl_label *v = (struct fl_label *)(copy + 1);
    *copy = *a;
    if (n)
        memcpy(v, a->labels.v, n * sizeof *v);
    if (m)
        memcpy(v + n, a->annotations.v, m * sizeof *v);
    copy->labels = (struct fl_labels){v, n};
    copy->annotations = (struct fl_labels){v + n, m};
    return copy;
}

void fl_pool_drop_alert(struct fl_pool *p, struct fl_alert *kept)
{
    drop_labels(p, &kept->labels);
    drop_labels(p, &kept->annotations);
    fl_pool_drop(p, kept->generator_url);
    free(kept);
}
