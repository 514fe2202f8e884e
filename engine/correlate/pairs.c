/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/pairs.c -- one alert, several senders: a pair of Prometheus servers starts the same alert at
 * slightly different times, an Alertmanager behind them moves the start to the earlier one, and one interface writes
 * milliseconds where another writes nanoseconds. All of it is one episode, with a *half* for each start.
 *
 * A half exists only when a second start is heard; an episode with one start costs nothing here. */
#include "correlate_priv.h"

#include <string.h>

/* Prometheus posts for itself. Every other sender is an alert manager of some kind: it has merged what it heard
 * about a fingerprint, so that its resolve speaks for all of that. */
static bool speaks_for_all(const char *source)
{
    return !fl_streq(source, "alertmanager-v2");
}

struct pair *pair_of(const struct fl_corr *c, const struct episode *e)
{
    struct pair *p = NULL;
    if (c->pairs)
        HASH_FIND(hh, c->pairs, &e->key.fingerprint, sizeof e->key.fingerprint, p);
    return p && p->episode == e->key.starts_at ? p : NULL;
}

static struct half *half_of(struct pair *p, fl_usec starts_at)
{
    for (unsigned i = 0; p && i < p->n; i++)
        if (fl_same_start(p->v[i].starts_at, starts_at))
            return &p->v[i];
    return NULL;
}

bool pair_has(const struct fl_corr *c, const struct episode *e, fl_usec starts_at)
{
    return fl_same_start(e->key.starts_at, starts_at) || half_of(pair_of(c, e), starts_at);
}

bool pair_settled(const struct fl_corr *c, const struct episode *e, const struct fl_alert *a)
{
    const struct half *h = a->starts_guessed ? NULL : half_of(pair_of(c, e), a->starts_at);
    if (!h)
        return false;
    return h->status == FL_ALERT_RESOLVED ||
           (a->status == FL_ALERT_RESOLVED && h->ends_at && a->ends_at <= h->ends_at);
}

void pair_drop(struct fl_corr *c, const struct episode *e)
{
    struct pair *p = pair_of(c, e);
    if (!p)
        return;
    HASH_DEL(c->pairs, p);
    free(p);
}

struct pair *pair_new(struct fl_corr *c, const struct episode *e)
{
    struct pair *p = NULL;
    HASH_FIND(hh, c->pairs, &e->key.fingerprint, sizeof e->key.fingerprint, p);
    if (p) { /* of an episode that a person closed by hand */
        HASH_DEL(c->pairs, p);
        free(p);
    }
    p = fl_core_alloc(1, sizeof *p);
    p->fingerprint = e->key.fingerprint;
    p->episode = e->key.starts_at;
    HASH_ADD(hh, c->pairs, fingerprint, sizeof p->fingerprint, p);
    return p;
}

/* Room for one more start; a sender with ever new starts loses the half that matters least. */
static struct half *add_half(struct pair *p)
{
    if (p->n < HALVES_MAX)
        return &p->v[p->n++];
    static const fl_alert_status least[] = {FL_ALERT_RESOLVED, FL_ALERT_STALE, FL_ALERT_FIRING};
    for (size_t k = 0; k < FL_ARRAY_LEN(least); k++)
        for (unsigned i = 1; i < p->n; i++)
            if (p->v[i].status == least[k])
                return &p->v[i];
    return &p->v[p->n - 1];
}

static fl_usec last_end(const struct pair *p)
{
    fl_usec end = 0;
    for (unsigned i = 0; i < p->n; i++)
        if (p->v[i].status == FL_ALERT_RESOLVED && p->v[i].ends_at > end)
            end = p->v[i].ends_at;
    return end;
}

/* Firing while anybody says so. A half whose sender fell silent is settled by another's resolve of the same time,
 * but not by one that ended before it began. */
static fl_alert_status together(const struct pair *p)
{
    fl_usec end = last_end(p);
    bool stale = false;
    for (unsigned i = 0; i < p->n; i++) {
        if (p->v[i].status == FL_ALERT_FIRING)
            return FL_ALERT_FIRING;
        stale |= p->v[i].status == FL_ALERT_STALE && p->v[i].starts_at > end;
    }
    return stale ? FL_ALERT_STALE : FL_ALERT_RESOLVED;
}

static void resolve_halves(struct fl_corr *c, struct pair *p, struct half *h, const struct fl_alert *a,
                           bool for_all, fl_usec at)
{
    for (unsigned i = 0; i < p->n; i++) {
        struct half *other = &p->v[i];
        bool covered = for_all && other->for_all && other->starts_at <= a->ends_at &&
                       other->ends_at < a->ends_at;
        if (other != h && (!covered || other->status == FL_ALERT_RESOLVED))
            continue;
        other->status = FL_ALERT_RESOLVED;
        other->ends_at = a->ends_at;
        tomb_now(c, p->fingerprint, other->starts_at, at);
    }
}

static struct pair *pair_with(struct fl_corr *c, const struct episode *e)
{
    struct pair *p = pair_of(c, e);
    if (p)
        return p;
    p = pair_new(c, e);
    fl_usec ended = e->status == FL_ALERT_RESOLVED ? e->alert->ends_at : 0;
    p->v[p->n++] = (struct half){e->key.starts_at, ended, e->status, speaks_for_all(e->source)};
    return p;
}

fl_alert_status pair_report(struct fl_corr *c, const struct episode *e, const char *source,
                            const struct fl_alert *a, fl_usec at)
{
    struct pair *p = pair_of(c, e);
    if (a->starts_guessed || (!p && fl_same_start(e->key.starts_at, a->starts_at))) {
        if (a->status == FL_ALERT_RESOLVED)
            return FL_ALERT_RESOLVED; /* one start, or the sender means whatever is open */
        if (p && p->v[0].status != FL_ALERT_RESOLVED)
            p->v[0].status = FL_ALERT_FIRING;
        return p ? together(p) : FL_ALERT_FIRING;
    }
    bool for_all = speaks_for_all(source);
    p = pair_with(c, e);
    struct half *h = half_of(p, a->starts_at);
    bool known = h != NULL;
    if (!known) {
        h = add_half(p);
        *h = (struct half){a->starts_at, 0, FL_ALERT_FIRING, for_all};
    }
    h->for_all |= for_all;
    if (a->status == FL_ALERT_RESOLVED && h->status != FL_ALERT_RESOLVED)
        resolve_halves(c, p, h, a, for_all, at);
    else if (a->status == FL_ALERT_FIRING && h->status == FL_ALERT_STALE)
        h->status = FL_ALERT_FIRING;
    return together(p);
}

void pair_goes_on(struct fl_corr *c, const struct episode *e, const char *source, const struct fl_alert *a,
                  fl_usec at)
{
    struct pair *p = pair_with(c, e);
    struct half *h = half_of(p, a->starts_at);
    if (!h) {
        h = add_half(p);
        *h = (struct half){.starts_at = a->starts_at};
    }
    h->status = FL_ALERT_FIRING;
    h->for_all |= speaks_for_all(source);
    if (!h->ends_at)
        h->ends_at = at - FL_LATE_FOR; /* its end was heard before that */
}

fl_alert_status pair_silent(struct fl_corr *c, const struct episode *e, fl_usec starts_at, fl_usec *ret_end)
{
    struct pair *p = pair_of(c, e);
    if (!p)
        return FL_ALERT_STALE;
    struct half *h = half_of(p, starts_at);
    if (h && h->status == FL_ALERT_FIRING)
        h->status = FL_ALERT_STALE;
    *ret_end = last_end(p);
    return together(p);
}

bool pair_overlaps(const struct fl_corr *c, const struct episode *e, const struct fl_alert *a)
{
    fl_usec first = e->key.starts_at;
    const struct pair *p = pair_of(c, e);
    for (unsigned i = 0; p && i < p->n; i++)
        if (p->v[i].starts_at < first)
            first = p->v[i].starts_at;
    return a->ends_at > first && (is_live(e) || a->starts_at < e->alert->ends_at);
}

/* ---- episodes that are over ---- */

static struct ep_key tomb_key(uint64_t fingerprint, fl_usec starts_at)
{
    return (struct ep_key){fingerprint, starts_at - starts_at % 1000};
}

static const void *key_of(const void *item)
{
    return &((const struct tomb *)item)->key;
}

const struct table_kind tombs_by_key = {key_of, ep_key_hash, ep_key_same};

static void take_off(struct fl_corr *c, struct tomb *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else
        c->tombs = t->next;
    if (t->next)
        t->next->prev = t->prev;
    else
        c->last_tomb = t->prev;
}

static struct tomb *tomb_of(const struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at)
{
    struct ep_key key = tomb_key(fingerprint, starts_at);
    return table_find(&c->tombs_by_key, &key);
}

void tomb_add(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_usec until, bool open)
{
    struct ep_key key = tomb_key(fingerprint, starts_at);
    struct tomb *t = table_find(&c->tombs_by_key, &key);
    if (t) {
        take_off(c, t);
    } else {
        t = fl_core_alloc(1, sizeof *t);
        t->key = key;
        table_put(&c->tombs_by_key, t);
    }
    t->until = until;
    t->open = open;
    t->next = NULL;
    t->prev = c->last_tomb;
    if (c->last_tomb)
        c->last_tomb->next = t;
    else
        c->tombs = t;
    c->last_tomb = t;
}

void tomb_now(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_usec at)
{
    tomb_add(c, fingerprint, starts_at, at + TOMB_TIME, false);
}

bool tomb_has(const struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at)
{
    return tomb_of(c, fingerprint, starts_at) != NULL;
}

bool told_on(const struct fl_corr *c, fl_usec at, const struct fl_alert *a)
{
    if (a->status != FL_ALERT_FIRING || a->starts_guessed)
        return false;
    const struct tomb *t = tomb_of(c, a->fingerprint, a->starts_at);
    return !t || t->open || at - (t->until - TOMB_TIME) >= FL_LATE_FOR; /* no tomb: too long ago for one */
}

/* A start whose end was heard before all was over keeps the time of that. */
static void bury_start(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_alert_status status,
                       fl_usec at)
{
    if (status != FL_ALERT_RESOLVED || !tomb_has(c, fingerprint, starts_at))
        tomb_add(c, fingerprint, starts_at, at + TOMB_TIME, status == FL_ALERT_STALE);
}

void bury(struct fl_corr *c, const struct fl_step *s, const struct episode *e)
{
    const struct pair *p = pair_of(c, e);
    for (unsigned i = 0; p && i < p->n; i++)
        bury_start(c, e->key.fingerprint, p->v[i].starts_at, p->v[i].status, s->at);
    if (!p)
        bury_start(c, e->key.fingerprint, e->key.starts_at, FL_ALERT_RESOLVED, s->at);
    pair_drop(c, e);
}

void fl_corr_each_over(const struct fl_corr *c, fl_usec since,
                       void (*visit)(void *ctx, uint64_t fingerprint, fl_usec starts_at, fl_usec at),
                       void *ctx)
{
    for (const struct tomb *t = c->last_tomb; t && t->until - TOMB_TIME >= since; t = t->prev)
        visit(ctx, t->key.fingerprint, t->key.starts_at, t->until - TOMB_TIME);
}

/* An episode that leaves memory at once: the other half of its pair may tell of it too. */
void passed_add(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at, fl_usec ends_at, fl_usec until)
{
    struct passed *x;
    HASH_FIND(hh, c->passed, &fingerprint, sizeof fingerprint, x);
    if (x)
        HASH_DEL(c->passed, x);
    else
        x = fl_core_alloc(1, sizeof *x);
    *x = (struct passed){
        .fingerprint = fingerprint, .starts_at = starts_at, .ends_at = ends_at, .until = until};
    HASH_ADD(hh, c->passed, fingerprint, sizeof x->fingerprint, x);
}

bool passed_holds(const struct fl_corr *c, const struct fl_alert *a)
{
    struct passed *x;
    HASH_FIND(hh, c->passed, &a->fingerprint, sizeof a->fingerprint, x);
    return x && a->status == FL_ALERT_FIRING && !a->starts_guessed && a->starts_at < x->ends_at;
}

/* One half's resolve was all that was heard of it, and it left memory: the other half still fires. It is the episode
 * that was told of already. */
bool passed_returns(struct fl_corr *c, const struct fl_alert *a, struct half *ret)
{
    struct passed *x;
    if (!passed_holds(c, a))
        return false;
    HASH_FIND(hh, c->passed, &a->fingerprint, sizeof a->fingerprint, x);
    *ret = (struct half){x->starts_at, x->ends_at, FL_ALERT_RESOLVED, false};
    HASH_DEL(c->passed, x);
    free(x);
    return true;
}

void pair_again(struct fl_corr *c, const struct episode *e, const struct half *over, fl_usec starts_at)
{
    struct pair *p = pair_new(c, e);
    p->v[p->n++] = *over;
    if (fl_same_start(over->starts_at, starts_at))
        p->v[0].status = FL_ALERT_FIRING;
    else
        p->v[p->n++] = (struct half){starts_at, 0, FL_ALERT_FIRING, speaks_for_all(e->source)};
}

bool passed_overlaps(const struct fl_corr *c, const struct fl_alert *a)
{
    struct passed *x;
    HASH_FIND(hh, c->passed, &a->fingerprint, sizeof a->fingerprint, x);
    return x && a->ends_at > x->starts_at && a->starts_at < x->ends_at;
}

void tombs_expire(struct fl_corr *c, fl_usec now)
{
    while (c->tombs && (c->tombs->until <= now || c->tombs_by_key.n > TOMBS_MAX)) {
        struct tomb *t = c->tombs;
        take_off(c, t);
        table_drop(&c->tombs_by_key, &t->key);
        free(t);
    }
    while (c->passed && (c->passed->until <= now || HASH_COUNT(c->passed) > PASSED_MAX)) {
        struct passed *x = c->passed;
        HASH_DEL(c->passed, x);
        free(x);
    }
}

void pairs_free(struct fl_corr *c)
{
    tombs_expire(c, INT64_MAX);
    table_done(&c->tombs_by_key);
    struct pair *p, *tmp;
    HASH_ITER (hh, c->pairs, p, tmp) {
        HASH_DEL(c->pairs, p);
        free(p);
    }
}
