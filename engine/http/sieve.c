/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/sieve.c -- filters on many alerts, of which most have the same values; contract in filters.h (layer 5). */
#include "filters.h"

#include <faultline/pool.h>

#include <stdlib.h>
#include <string.h>

/* More different values than this are forgotten between turns: they are of a kind that does not come back. */
enum { VALUES_KEPT = 65536, VALUES_FIRST = 256 };

void sieve_add(struct sieve *s, const struct fl_matcher *m)
{
    size_t i = s->n++;
    if (m->op == '=' || m->op == '!') {
        i = s->n_plain++;
        memmove(s->m + i + 1, s->m + i, (s->n - 1 - i) * sizeof *s->m);
    }
    s->m[i] = *m;
}

static void values_done(struct values *x)
{
    fl_arena_free(x->texts);
    free(x->table);
    free(x->v);
    *x = (struct values){0};
}

void sieve_done(struct sieve *s)
{
    for (size_t i = 0; i < s->n; i++)
        values_done(&s->values[i]);
}

void sieve_turn(struct sieve *s)
{
    memset(s->last, 0, sizeof s->last);
    for (size_t i = s->n_plain; i < s->n; i++)
        if (s->values[i].n > VALUES_KEPT)
            values_done(&s->values[i]);
}

/* ---- the values of one pattern ---- */

static void put(struct values *x, uint32_t index)
{
    size_t mask = x->table_cap - 1, k = x->v[index].hash & mask;
    while (x->table[k])
        k = (k + 1) & mask;
    x->table[k] = index + 1;
}

/* The table is twice as long as the list: never more than half full. */
static bool grow(struct values *x)
{
    size_t cap = x->cap ? 2 * x->cap : VALUES_FIRST;
    struct value *v = reallocarray(x->v, cap, sizeof *v);
    if (v)
        x->v = v;
    uint32_t *table = v ? calloc(2 * cap, sizeof *table) : NULL;
    x->texts = x->texts ? x->texts : fl_arena_new(0);
    if (!table || !x->texts) {
        free(table);
        return false;
    }
    free(x->table);
    x->table = table;
    x->table_cap = 2 * cap;
    x->cap = cap;
    for (size_t i = 0; i < x->n; i++)
        put(x, (uint32_t)i);
    return true;
}

/* Where the value is, from now on; UINT32_MAX: out of memory. */
static uint32_t find(struct values *x, const char *text, uint32_t hash)
{
    size_t mask = x->table_cap - 1;
    for (size_t k = hash & mask; x->cap && x->table[k]; k = (k + 1) & mask) {
        const struct value *v = &x->v[x->table[k] - 1];
        if (v->hash == hash && strcmp(v->text, text) == 0)
            return x->table[k] - 1;
    }
    if (x->n == x->cap && !grow(x))
        return UINT32_MAX;
    const char *copy = fl_arena_strdup(x->texts, text);
    if (!copy)
        return UINT32_MAX;
    x->v[x->n] = (struct value){.text = copy, .hash = hash};
    put(x, (uint32_t)x->n);
    return (uint32_t)x->n++;
}

static enum verdict try(const struct fl_matcher *m, const char *value)
{
    struct fl_label one = {m->name, value};
    return fl_match_all(m, 1, &(struct fl_labels){&one, 1}) ? VERDICT_YES : VERDICT_NO;
}

void sieve_decide(struct sieve *s)
{
    for (size_t i = s->n_plain; i < s->n; i++) {
        struct values *x = &s->values[i];
        for (; x->decided < x->n; x->decided++)
            x->v[x->decided].verdict = try(&s->m[i], x->v[x->decided].text);
    }
}

bool sieve_holds(const struct sieve *s, const uint32_t *at)
{
    for (size_t i = s->n_plain; i < s->n; i++)
        if (s->values[i].v[at[i]].verdict != VERDICT_YES)
            return false;
    return true;
}

bool sieve_value(struct sieve *s, size_t i, const char *value)
{
    if (i < s->n_plain)
        return try(&s->m[i], value) == VERDICT_YES;
    uint32_t at = find(&s->values[i], value, fl_pool_hash(value));
    s->no_memory |= at == UINT32_MAX;
    if (s->no_memory)
        return false;
    if (s->values[i].v[at].verdict == VERDICT_LATER)
        sieve_decide(s);
    return s->values[i].v[at].verdict == VERDICT_YES;
}

/* ---- one alert ---- */

/* Most alerts have the label where the one before had it. */
static const char *value_of(struct sieve *s, size_t i, const struct fl_labels *l)
{
    size_t k = s->last[i].at;
    if (k < l->n && l->v[k].name == s->last[i].name)
        return l->v[k].value;
    for (k = 0; k < l->n; k++)
        if (strcmp(l->v[k].name, s->m[i].name) == 0) {
            s->last[i].name = l->v[k].name;
            s->last[i].at = k;
            return l->v[k].value;
        }
    return "";
}

static void look_at(struct sieve *s, size_t i, const char *value)
{
    s->last[i].value = value;
    if (i < s->n_plain) {
        s->last[i].verdict = try(&s->m[i], value);
        return;
    }
    uint32_t hash = *value ? fl_pool_kept_hash(value) : 0; /* that of an absent label is nobody's */
    uint32_t at = find(&s->values[i], value, hash);
    s->no_memory |= at == UINT32_MAX;
    s->last[i].value_at = at;
    s->last[i].verdict = s->no_memory ? VERDICT_NO : s->values[i].v[at].verdict;
}

enum verdict sieve_look(struct sieve *s, const struct fl_labels *l, uint32_t *at)
{
    enum verdict all = VERDICT_YES;
    for (size_t i = 0; i < s->n; i++) {
        const char *value = value_of(s, i, l);
        if (value != s->last[i].value)
            look_at(s, i, value);
        if (s->last[i].verdict == VERDICT_NO)
            return VERDICT_NO;
        if (s->last[i].verdict == VERDICT_LATER)
            all = VERDICT_LATER;
        at[i] = s->last[i].value_at;
    }
    return all;
}
