/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/rows_sort.c -- effects of a batch of steps by table, of each thing its last state; contract in store_priv.h. */
#include "store_priv.h"

#include <string.h>

static bool same_thing(const struct fl_fx *a, const struct fl_fx *b)
{
    switch (a->kind) {
    case FL_FX_ALERT:
        return a->alert.fingerprint == b->alert.fingerprint && a->alert.starts_at == b->alert.starts_at;
    case FL_FX_INCIDENT: return fl_streq(a->incident.id, b->incident.id);
    case FL_FX_RUN: return fl_streq(a->run.id, b->run.id);
    case FL_FX_SILENCE: return fl_streq(a->silence.id, b->silence.id);
    case FL_FX_MAINTENANCE: return fl_streq(a->maintenance.id, b->maintenance.id);
    case FL_FX_VERDICT: return fl_streq(a->verdict.incident, b->verdict.incident);
    case FL_FX_CALL: return a->call.n == b->call.n && fl_streq(a->call.run, b->call.run);
    default: return false;
    }
}

static uint64_t thing_hash(const struct fl_fx *f)
{
    uint64_t h = fl_fnv1a(FL_FNV1A_INIT, &f->kind, sizeof f->kind);
    switch (f->kind) {
    case FL_FX_ALERT:
        h = fl_fnv1a(h, &f->alert.fingerprint, sizeof f->alert.fingerprint);
        return fl_fnv1a(h, &f->alert.starts_at, sizeof f->alert.starts_at);
    case FL_FX_INCIDENT: return fl_fnv1a(h, f->incident.id, strlen(f->incident.id));
    case FL_FX_RUN: return fl_fnv1a(h, f->run.id, strlen(f->run.id));
    case FL_FX_SILENCE: return fl_fnv1a(h, f->silence.id, strlen(f->silence.id));
    case FL_FX_MAINTENANCE: return fl_fnv1a(h, f->maintenance.id, strlen(f->maintenance.id));
    case FL_FX_VERDICT: return fl_fnv1a(h, f->verdict.incident, strlen(f->verdict.incident));
    case FL_FX_CALL:
        h = fl_fnv1a(h, &f->call.n, sizeof f->call.n);
        return fl_fnv1a(h, f->call.run, strlen(f->call.run));
    default: return h;
    }
}

static bool is_upsert(fl_fx_kind k)
{
    return k == FL_FX_ALERT || k == FL_FX_INCIDENT || k == FL_FX_RUN || k == FL_FX_CALL ||
           k == FL_FX_SILENCE || k == FL_FX_MAINTENANCE || k == FL_FX_VERDICT;
}

/* The later state of an alert counts; what only the earlier one says of its row still holds. */
static void adopt(struct fl_alert_row *later, const struct fl_alert_row *earlier)
{
    later->is_new |= earlier->is_new;
    if (later->only_state && !earlier->only_state) {
        later->why = earlier->why;
        later->only_state = false;
    }
    if (!later->same_texts || earlier->same_texts)
        return;
    later->labels = earlier->labels;
    later->annotations = earlier->annotations;
    later->generator_url = earlier->generator_url;
    later->same_texts = false;
}

/* Open addressing; false when a later state of the thing is in the table already. */
static bool first_seen(struct fl_fx **table, size_t mask, struct fl_fx *f)
{
    size_t i = (size_t)thing_hash(f) & mask;
    for (; table[i]; i = (i + 1) & mask)
        if (table[i]->kind == f->kind && same_thing(table[i], f)) {
            if (f->kind == FL_FX_ALERT)
                adopt(&table[i]->alert, &f->alert);
            return false;
        }
    table[i] = f;
    return true;
}

struct fl_rows *fl_rows_free(struct fl_rows *r)
{
    if (r)
        fl_arena_free(r->arena);
    return NULL;
}

static bool alloc_kinds(struct fl_rows *r, struct fl_step *const *steps, size_t n, size_t *ret_total)
{
    size_t count[FL_ROW_KINDS] = {0}, total = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < steps[i]->fx->n; j++)
            if (steps[i]->fx->v[j].kind < FL_ROW_KINDS)
                count[steps[i]->fx->v[j].kind]++;
    for (size_t k = 0; k < FL_ROW_TABLES; k++) {
        size_t room = count[k < FL_ROW_KINDS ? k : FL_FX_ALERT];
        total += k < FL_ROW_KINDS ? room : 0;
        r->kind[k].v = fl_arena_alloc(r->arena, (room + 1) * sizeof *r->kind[k].v);
        if (!r->kind[k].v)
            return false;
    }
    *ret_total = total;
    return true;
}

static void reverse(const struct fl_fx **v, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const struct fl_fx *t = v[i];
        v[i] = v[n - 1 - i];
        v[n - 1 - i] = t;
    }
}

/* Rows of alerts by how they are written: as new ones, only their state, or whatever is there. */
static void split_alerts(struct fl_rows *r)
{
    size_t n = r->kind[FL_FX_ALERT].n;
    const struct fl_fx **v = r->kind[FL_FX_ALERT].v;
    r->kind[FL_FX_ALERT].n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct fl_alert_row *a = &v[i]->alert;
        size_t k = a->is_new        ? FL_ROWS_ALERT_NEW
                   : !a->same_texts ? (size_t)FL_FX_ALERT
                   : a->only_state  ? FL_ROWS_ALERT_TIMES
                                    : FL_ROWS_ALERT_STATE;
        r->kind[k].v[r->kind[k].n++] = v[i];
    }
}

struct fl_rows *fl_rows_new(struct fl_step *const *steps, size_t n)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_rows *r = a ? fl_arena_calloc(a, 1, sizeof *r) : NULL;
    size_t total = 0, size = 16;
    if (r)
        r->arena = a;
    if (!r || !alloc_kinds(r, steps, n, &total)) {
        fl_arena_free(a);
        return NULL;
    }
    while (size < total * 2)
        size *= 2;
    struct fl_fx **table = fl_arena_calloc(a, size, sizeof *table);
    if (!table)
        return fl_rows_free(r);
    /* Backwards, so that the last state is seen first. */
    for (size_t i = n; i-- > 0;)
        for (size_t j = steps[i]->fx->n; j-- > 0;) {
            struct fl_fx *f = &steps[i]->fx->v[j];
            if (f->kind < FL_ROW_KINDS && (!is_upsert(f->kind) || first_seen(table, size - 1, f)))
                r->kind[f->kind].v[r->kind[f->kind].n++] = f;
        }
    for (size_t k = 0; k < FL_ROW_KINDS; k++) {
        reverse(r->kind[k].v, r->kind[k].n);
        r->n += r->kind[k].n;
    }
    split_alerts(r);
    return r;
}
