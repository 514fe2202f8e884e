/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/snapshot.c -- the stage's state as records; restore.c reads them. Orders are kept: a restored state must
 * decide exactly as the one it was taken from. The core stands still meanwhile, so nothing here looks anything up by text. */
#include "correlate_priv.h"
#include "snapshot_priv.h"

#include <faultline/json.h>
#include <string.h>

/* Which number a text that several alerts share has got. Open addressing by address: a text of the pool has one. */
struct numbers {
    struct numbered {
        const char *text;
        uint64_t number;
    } * v;
    size_t n, cap;
};

struct writer {
    struct fl_pack *out;
    struct numbers numbers;
    fl_usec base; /* starts are written as distances from the one before */
};

static size_t home(const struct numbers *t, const char *text)
{
    return (size_t)(((uint64_t)(uintptr_t)text >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (t->cap - 1);
}

static struct numbered *place(const struct numbers *t, const char *text)
{
    size_t i = home(t, text);
    while (t->v[i].text && t->v[i].text != text)
        i = (i + 1) & (t->cap - 1);
    return &t->v[i];
}

static void grow(struct numbers *t)
{
    struct numbers bigger = {.n = t->n, .cap = t->cap ? t->cap * 2 : 1024};
    bigger.v = fl_core_alloc(bigger.cap, sizeof *bigger.v);
    for (size_t i = 0; i < t->cap; i++)
        if (t->v[i].text)
            *place(&bigger, t->v[i].text) = t->v[i];
    free(t->v);
    *t = bigger;
}

/* A text of the pool: itself, or the number it got when it was written the first time. */
static void put_text(struct writer *w, const char *text)
{
    if (!text) {
        fl_pack_u64(w->out, TEXT_NONE);
        return;
    }
    if (!fl_pool_shared(text)) {
        fl_pack_u64(w->out, TEXT_ONCE);
        fl_pack_text(w->out, text);
        return;
    }
    if (w->numbers.n * 2 >= w->numbers.cap)
        grow(&w->numbers);
    struct numbered *k = place(&w->numbers, text);
    if (k->text) {
        fl_pack_u64(w->out, TEXT_NUMBERED + k->number);
        return;
    }
    *k = (struct numbered){text, w->numbers.n++};
    fl_pack_u64(w->out, TEXT_FIRST);
    fl_pack_text(w->out, text);
}

static void put_time(struct writer *w, fl_usec from, fl_usec t)
{
    fl_pack_u64(w->out, t != 0);
    if (t)
        fl_pack_after(w->out, from, t);
}

static void put_start(struct writer *w, uint64_t fingerprint, fl_usec starts_at)
{
    fl_pack_hash(w->out, fingerprint);
    fl_pack_after(w->out, w->base, starts_at);
    w->base = starts_at;
}

static void put_labels(struct writer *w, const struct fl_labels *l)
{
    fl_pack_u64(w->out, l->n);
    for (size_t i = 0; i < l->n; i++) {
        put_text(w, l->v[i].name);
        put_text(w, l->v[i].value);
    }
}

static void put_hold(struct writer *w, const struct hold *h, fl_usec starts_at)
{
    fl_pack_u64(w->out, h != NULL);
    if (!h)
        return;
    fl_pack_u64(w->out, h->kind);
    put_time(w, starts_at, h->since);
    put_time(w, starts_at, h->until);
    fl_pack_u64(w->out, h->n);
    fl_pack_u64(w->out, h->through);
    fl_pack_u64(w->out, h->waited);
    fl_pack_text(w->out, h->flap);
    fl_pack_text(w->out, h->window);
}

/* Of its incident it is the next member in most cases: then the order of arrival tells the order of joining. */
static uint64_t membership(const struct episode *e)
{
    struct incident *i = e->incident;
    if (!i)
        return 0;
    if (i->shot.next == e)
        i->shot.next = e->next;
    else
        i->shot.out_of_order = true;
    return i->shot.ordinal;
}

static void put_episode(struct writer *w, const struct episode *e)
{
    const struct fl_alert *a = e->alert;
    fl_usec t0 = e->key.starts_at;
    fl_pack_begin(w->out, REC_EPISODE);
    put_start(w, e->key.fingerprint, t0);
    fl_pack_u64(w->out, e->status);
    fl_pack_u64(w->out, e->cls);
    fl_pack_u64(w->out, e->severity);
    fl_pack_u64(w->out, membership(e));
    put_time(w, t0, a->ends_at);
    put_time(w, t0, a->lease_until);
    put_time(w, t0, a->received_at);
    put_time(w, a->received_at, e->updated_at);
    const char *const texts[] = {e->node_id, e->peer_id,     e->map_rule, e->source,
                                 e->joined,  e->silenced_by, e->quiet,    a->generator_url};
    for (size_t k = 0; k < FL_ARRAY_LEN(texts); k++)
        put_text(w, texts[k]);
    fl_pack_u64(w->out, e->inhibited_by != 0);
    if (e->inhibited_by)
        fl_pack_hash(w->out, e->inhibited_by);
    put_labels(w, &a->labels);
    put_labels(w, &a->annotations);
    put_hold(w, e->hold, t0);
    put_text(w, e->kept_by); /* last: older records end before it */
    fl_pack_end(w->out);
}

static void put_incident(struct writer *w, const struct incident *i)
{
    const struct fl_incident *p = &i->pub;
    const fl_usec times[] = {p->updated_at,  p->last_alert_at, p->recovering_at,
                             p->resolved_at, p->rank_due,      p->ranked_at};
    const char *const texts[] = {p->title,    p->reason,   p->cause,       p->no_playbook,
                                 p->acked_by, p->assignee, p->merged_into, i->group};
    uint64_t confidence;
    memcpy(&confidence, &p->confidence, sizeof confidence);
    fl_pack_begin(w->out, REC_INCIDENT);
    fl_pack_u64(w->out, p->number);
    fl_pack_text(w->out, p->id);
    fl_pack_u64(w->out, p->state);
    fl_pack_u64(w->out, p->severity);
    fl_pack_i64(w->out, p->opened_at);
    for (size_t k = 0; k < FL_ARRAY_LEN(times); k++)
        put_time(w, p->opened_at, times[k]);
    fl_pack_u64(w->out, p->mapped);
    fl_pack_u64(w->out, p->closed_out);
    fl_pack_u64(w->out, p->rankings);
    fl_pack_hash(w->out, confidence);
    for (size_t k = 0; k < FL_ARRAY_LEN(texts); k++)
        fl_pack_text(w->out, texts[k]);
    fl_pack_u64(w->out, i->by_hand); /* these two last: older records end before them */
    fl_pack_u64(w->out, p->reopened);
    fl_pack_end(w->out);
}

/* Members that did not join in the order in which they came. */
static void put_order(struct writer *w, const struct incident *i)
{
    if (!i->shot.out_of_order)
        return;
    const struct episode *e = i->head;
    for (bool first = true; e; first = false) {
        fl_pack_begin(w->out, REC_ORDER);
        fl_pack_u64(w->out, i->shot.ordinal);
        fl_pack_u64(w->out, first);
        for (unsigned n = 0; e && n < ORDER_IN_A_RECORD; n++, e = e->next)
            put_start(w, e->key.fingerprint, e->key.starts_at);
        fl_pack_end(w->out);
    }
}

static void put_places(struct writer *w, const struct fl_corr *c)
{
    for (size_t v = 0; v < c->n_vertices; v++) {
        if (!c->at[v].i)
            continue;
        fl_pack_begin(w->out, REC_PLACE);
        fl_pack_u64(w->out, v);
        fl_pack_u64(w->out, c->at[v].i->shot.ordinal);
        fl_pack_end(w->out);
    }
}

static void put_pairs(struct writer *w, const struct fl_corr *c)
{
    for (const struct pair *p = c->pairs; p; p = p->hh.next) {
        fl_pack_begin(w->out, REC_PAIR);
        put_start(w, p->fingerprint, p->episode);
        for (unsigned i = 0; i < p->n; i++) {
            const struct half *h = &p->v[i];
            fl_pack_after(w->out, p->episode, h->starts_at);
            put_time(w, p->episode, h->ends_at);
            fl_pack_u64(w->out, h->status);
            fl_pack_u64(w->out, h->for_all);
        }
        fl_pack_end(w->out);
    }
}

static void put_gone(struct writer *w, const struct fl_corr *c)
{
    for (const struct passed *x = c->passed; x; x = x->hh.next) {
        fl_pack_begin(w->out, REC_PASSED);
        put_start(w, x->fingerprint, x->starts_at);
        put_time(w, x->starts_at, x->ends_at);
        put_time(w, x->starts_at, x->until);
        fl_pack_end(w->out);
    }
    for (const struct tomb *t = c->tombs; t; t = t->next) {
        fl_pack_begin(w->out, REC_TOMB);
        put_start(w, t->key.fingerprint, t->key.starts_at);
        put_time(w, t->key.starts_at, t->until);
        fl_pack_u64(w->out, t->open); /* last: older records end before it */
        fl_pack_end(w->out);
    }
}

/* What is little: as JSON. */
static void put_head(struct writer *w, const struct fl_corr *c)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw j = fl_jw_init(&b);
    const struct fl_corr_stats *st = &c->stats;
    const uint64_t counters[] = {st->episodes, st->repeats,  st->late,       st->unmapped, st->opened,
                                 st->merged,   st->resolved, st->suppressed, st->flaps};
    fl_jw_obj(&j, NULL);
    fl_jw_int(&j, "next", (int64_t)c->next_number);
    fl_jw_int(&j, "holds", (int64_t)c->holds);
    fl_jw_int(&j, "episodes", (int64_t)c->by_key.n);
    fl_jw_int(&j, "texts", (int64_t)fl_pool_count(c->pool));
    fl_jw_arr(&j, "stats");
    for (size_t k = 0; k < FL_ARRAY_LEN(counters); k++)
        fl_jw_int(&j, NULL, (int64_t)counters[k]);
    fl_jw_arr_end(&j);
    silences_write(c, &j);
    windows_write(c, &j);
    reminders_write(c, &j);
    teams_write(c, &j);
    fl_jw_obj_end(&j);
    FL_REQUIRE(!b.failed);
    fl_pack_begin(w->out, REC_CORRELATION);
    fl_pack_textn(w->out, b.p, b.n);
    fl_pack_end(w->out);
}

void fl_corr_write(const struct fl_corr *c, struct fl_pack *out)
{
    struct writer w = {.out = out};
    put_head(&w, c);
    uint64_t ordinal = 0;
    for (struct incident *i = c->first; i; i = i->next) {
        i->shot = (struct shot){.ordinal = ++ordinal, .next = i->head};
        put_incident(&w, i);
    }
    for (const struct episode *e = order_first(c); e; e = order_later(e))
        put_episode(&w, e);
    for (const struct incident *i = c->first; i; i = i->next)
        put_order(&w, i);
    put_places(&w, c);
    put_pairs(&w, c);
    put_gone(&w, c);
    flaps_write(c, out);
    free(w.numbers.v);
}
