/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/leases.c -- which episodes the journal knows already, and until when their sender vouches for
 * them; contract in <faultline/intake.h>. In memory only: after a restart it is rebuilt from the state.
 *
 * 64 tables under a lock each; open addressing with linear probing and backward-shift deletion, 32 bytes an
 * entry, growing by half. All episodes of a fingerprint share a probe chain, so that an alert without startsAt finds its open
 * episode; FL_EPISODES_MAX bounds the chain a stranger can build with one fingerprint, and the keyed hash what he
 * can build with many. */
#include <faultline/intake.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARDS = 64,
    EPISODES_MAX = 8, /* of one fingerprint; which one makes room: limit_episodes() */
    ENTRIES_MAX = 4000000 /
                  SHARDS, /* of one shard: 4 million alerts in all; more are simply not deduplicated */
};
#define KEEP_OVER \
    (30 * 60 * FL_USEC_PER_SEC) /* resolved and stale ones: Prometheus re-sends resolves for 15 min */

typedef enum lease_state { FREE, FIRING, RESOLVED, STALE } lease_state;

struct entry {
    uint64_t fingerprint, content;
    fl_usec starts_at;
    int64_t when; /* the time times four, plus the lease_state */
};
#define CONTENT_UNKNOWN 0 /* nothing is a repeat of it */
#define LONG_AGO (-(INT64_C(1) << 60))

static lease_state state(const struct entry *e)
{
    return (lease_state)(e->when & 3);
}

static fl_usec until(const struct entry *e)
{
    return e->when >> 2;
}

static void set(struct entry *e, fl_usec end, lease_state st)
{
    e->when = end * 4 + (int64_t)st;
}
struct shard {
    pthread_mutex_t lock;
    struct entry *v;
    size_t n, cap;
    fl_usec earliest; /* no entry lapses before this: saves the scan */
};
struct fl_leases {
    fl_usec default_lease, moved_on;
    struct shard shard[SHARDS];
};

struct fl_leases *fl_leases_new(fl_usec default_lease, fl_usec moved_on)
{
    struct fl_leases *l = calloc(1, sizeof *l);
    if (!l)
        return NULL;
    l->default_lease = default_lease;
    l->moved_on = moved_on;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_init(&l->shard[i].lock, NULL);
        l->shard[i].earliest = INT64_MAX;
    }
    return l;
}

struct fl_leases *fl_leases_free(struct fl_leases *l)
{
    for (size_t i = 0; l && i < SHARDS; i++) {
        pthread_mutex_destroy(&l->shard[i].lock);
        free(l->shard[i].v);
    }
    free(l);
    return NULL;
}

/* ---- content ---- */

/* Texts, each with its NUL, gathered so that few calls hash many of them. */
struct digest {
    uint64_t h;
    size_t n;
    char part[2048];
};

static void mix(struct digest *d, const void *p, size_t n)
{
    uint64_t h = d->h ^ fl_keyed_hash(p, n);
    d->h = ((h << 29) | (h >> 35)) * UINT64_C(0x9e3779b97f4a7c15) + 1;
}

static void take(struct digest *d, const char *s)
{
    size_t n = strlen(s) + 1;
    if (n > sizeof d->part - d->n) {
        mix(d, d->part, d->n);
        d->n = 0;
    }
    if (n > sizeof d->part) {
        mix(d, s, n);
        return;
    }
    memcpy(d->part + d->n, s, n);
    d->n += n;
}

static void take_labels(struct digest *d, const struct fl_labels *l)
{
    for (size_t i = 0; i < l->n; i++) {
        take(d, l->v[i].name);
        take(d, l->v[i].value);
    }
    take(d, ""); /* no name is empty: here they end */
}

/* Everything but the times a repeat moves. The labels too: 64 bits of fingerprint can collide. */
static uint64_t content_of(const struct fl_alert *a)
{
    struct digest d;
    d.h = (uint64_t)a->status;
    d.n = 0;
    take_labels(&d, &a->labels);
    take_labels(&d, &a->annotations);
    take(&d, a->generator_url ? a->generator_url : "");
    mix(&d, d.part, d.n);
    uint64_t h = a->status == FL_ALERT_RESOLVED ? d.h ^ (uint64_t)a->ends_at : d.h;
    return h == CONTENT_UNKNOWN ? 1 : h;
}

static lease_state state_of(const struct fl_alert *a)
{
    return a->status == FL_ALERT_FIRING ? FIRING : a->status == FL_ALERT_RESOLVED ? RESOLVED : STALE;
}

/* ---- one table ---- */

static uint64_t place(uint64_t fingerprint)
{
    return fl_keyed_hash(&fingerprint, sizeof fingerprint);
}

static size_t home(const struct shard *s, uint64_t fingerprint)
{
    /* Scaled to the table: bits above those that chose the shard. */
    return (size_t)(((place(fingerprint) >> 32) * s->cap) >> 32);
}

static size_t after(const struct shard *s, size_t i)
{
    return i + 1 == s->cap ? 0 : i + 1;
}

static size_t distance(const struct shard *s, size_t from, size_t to)
{
    return to >= from ? to - from : to + s->cap - from;
}

static struct shard *shard_of(struct fl_leases *l, uint64_t fingerprint)
{
    return &l->shard[place(fingerprint) % SHARDS];
}

/* What is known of the start meant; with a guessed start, of the one that fires. Two senders may disagree: then one entry is
 * that it is over, the other one that it fires, and what repeats either is a repeat. */
static struct entry *find(struct shard *s, const struct fl_alert *a, bool over)
{
    if (!s->cap)
        return NULL;
    for (size_t i = home(s, a->fingerprint); state(&s->v[i]) != FREE; i = after(s, i)) {
        struct entry *e = &s->v[i];
        if (e->fingerprint == a->fingerprint && (state(e) == RESOLVED) == over &&
            (a->starts_guessed ? state(e) == FIRING : fl_same_start(e->starts_at, a->starts_at)))
            return e;
    }
    return NULL;
}

static bool says_over(const struct fl_alert *a)
{
    return a->status == FL_ALERT_RESOLVED;
}

static void put(struct shard *s, const struct entry *e)
{
    size_t i = home(s, e->fingerprint);
    while (state(&s->v[i]) != FREE)
        i = after(s, i);
    s->v[i] = *e;
    s->n++;
}

static void take_out(struct shard *s, size_t hole)
{
    s->v[hole].when = FREE;
    s->n--;
    for (size_t i = after(s, hole); state(&s->v[i]) != FREE; i = after(s, i)) {
        if (distance(s, home(s, s->v[i].fingerprint), i) < distance(s, hole, i))
            continue;
        s->v[hole] = s->v[i];
        s->v[i].when = FREE;
        hole = i;
    }
}

static bool resize(struct shard *s, size_t cap)
{
    struct shard grown = {.v = calloc(cap, sizeof *grown.v), .cap = cap};
    if (!grown.v)
        return false;
    for (size_t i = 0; i < s->cap; i++)
        if (state(&s->v[i]) != FREE)
            put(&grown, &s->v[i]);
    free(s->v);
    s->v = grown.v;
    s->cap = cap;
    return true;
}

/* Forgetting an end costs a repeat in the journal; forgetting what fires, that it is missed when its sender falls silent. */
static bool is_less_worth(const struct entry *a, const struct entry *b)
{
    bool fires = state(a) == FIRING;
    return fires != (state(b) == FIRING) ? !fires : until(a) < until(b);
}

/* A fingerprint with too many episodes gives up the oldest that is over or stale; one that fires only when all do. */
static void limit_episodes(struct shard *s, uint64_t fingerprint)
{
    size_t count = 0, victim = 0;
    if (!s->cap)
        return;
    for (size_t i = home(s, fingerprint); state(&s->v[i]) != FREE; i = after(s, i)) {
        if (s->v[i].fingerprint != fingerprint)
            continue;
        if (!count++ || is_less_worth(&s->v[i], &s->v[victim]))
            victim = i;
    }
    if (count >= EPISODES_MAX)
        take_out(s, victim);
}

/* ---- the contract ---- */

static fl_usec lease_end(const struct fl_leases *l, const struct fl_alert *a, fl_usec now, fl_usec grace)
{
    if (a->status != FL_ALERT_FIRING)
        return now + KEEP_OVER;
    if (!a->lease_until)
        return now + l->default_lease;
    return a->lease_until > now + grace ? a->lease_until : now + grace;
}

static bool is_repeat(struct fl_leases *l, const struct fl_alert *a)
{
    struct shard *s = shard_of(l, a->fingerprint);
    pthread_mutex_lock(&s->lock);
    const struct entry *e = find(s, a, says_over(a));
    bool repeat = e && state(e) == state_of(a) && state(e) != STALE && e->content == content_of(a);
    pthread_mutex_unlock(&s->lock);
    return repeat;
}

/* An alert manager knows one start of a fingerprint at a time: when it names a later one, nobody it hears from fires
 * since the earlier one, whose resolve may have been lost while we were away. Who does fire since then says so again. */
static void supersede(struct shard *s, const struct fl_alert *a, fl_usec end)
{
    if (a->starts_guessed || !s->cap)
        return;
    for (size_t i = home(s, a->fingerprint); state(&s->v[i]) != FREE; i = after(s, i)) {
        struct entry *e = &s->v[i];
        if (e->fingerprint != a->fingerprint || state(e) != FIRING || e->starts_at >= a->starts_at ||
            fl_same_start(e->starts_at, a->starts_at) || until(e) <= end)
            continue;
        set(e, end, FIRING);
        if (end < s->earliest)
            s->earliest = end;
    }
}

static void renew(struct fl_leases *l, const struct fl_alert *a, fl_usec now, bool merged)
{
    struct shard *s = shard_of(l, a->fingerprint);
    fl_usec end = lease_end(l, a, now, 0);
    pthread_mutex_lock(&s->lock);
    struct entry *e = find(s, a, says_over(a));
    /* Never shortened: of an HA pair the one with the longer promise counts. An end keeps the time when it was heard. */
    if (e && state(e) == FIRING && end > until(e))
        set(e, end, state(e));
    if (merged)
        supersede(s, a, now + l->moved_on);
    pthread_mutex_unlock(&s->lock);
}

bool fl_leases_renew_all(struct fl_leases *l, const struct fl_alert *alerts, size_t n, fl_usec now,
                         bool merged)
{
    for (size_t i = 0; i < n; i++)
        if (!is_repeat(l, &alerts[i]))
            return false;
    for (size_t i = 0; i < n; i++)
        renew(l, &alerts[i], now, merged);
    return true;
}

/* The core counts a firing report as late for a while after an end of the same alert was heard. So that it hears of it again
 * after that, nothing is taken for a repeat of such a report. */
static bool may_be_late(const struct shard *s, const struct fl_alert *a, fl_usec now)
{
    if (!s->cap || a->starts_guessed)
        return false;
    for (size_t i = home(s, a->fingerprint); state(&s->v[i]) != FREE; i = after(s, i)) {
        const struct entry *e = &s->v[i];
        fl_usec heard = until(e) - KEEP_OVER;
        if (e->fingerprint == a->fingerprint && state(e) == RESOLVED && now - heard < FL_LATE_FOR &&
            a->starts_at <= heard)
            return true;
    }
    return false;
}

/* Whoever fires on after this end says so again: it counts, or is late. The resolve of one who has merged what he heard of a
 * fingerprint is about earlier starts, too. */
static void doubt(struct shard *s, const struct fl_alert *a, bool merged)
{
    for (size_t i = s->cap ? home(s, a->fingerprint) : 0; s->cap && state(&s->v[i]) != FREE;
         i = after(s, i)) {
        struct entry *e = &s->v[i];
        if (e->fingerprint == a->fingerprint && state(e) == FIRING &&
            (fl_same_start(e->starts_at, a->starts_at) || (merged && e->starts_at <= a->ends_at)))
            e->content = CONTENT_UNKNOWN;
    }
}

/* The entry that a takes for itself, or NULL. */
static struct entry *taken_by(struct shard *s, const struct fl_alert *a)
{
    struct entry *e = find(s, a, says_over(a));
    if (e || !says_over(a))
        return e;
    return find(s, a, false); /* it fired, and is over */
}

static void insert(struct shard *s, const struct fl_alert *a, uint64_t content, fl_usec end)
{
    limit_episodes(s, a->fingerprint);
    bool full = (s->n + 1) * 5 > s->cap * 4;
    if (s->n >= ENTRIES_MAX || (full && !resize(s, s->cap ? s->cap + s->cap / 2 : 16)))
        return; /* not remembered: its repeats are journalled, which is safe */
    struct entry fresh = {.fingerprint = a->fingerprint, .content = content, .starts_at = a->starts_at};
    set(&fresh, end, state_of(a));
    put(s, &fresh);
    if (end < s->earliest)
        s->earliest = end;
}

static void commit(struct shard *s, const struct fl_alert *a, uint64_t content, fl_usec end)
{
    struct entry *e = taken_by(s, a);
    if (!e) {
        insert(s, a, content, end);
        return;
    }
    bool told = state(e) == RESOLVED && (e->content == content || e->content == CONTENT_UNKNOWN);
    if (!told)
        set(e, end, state_of(a));
    e->content = content;
    if (end < s->earliest)
        s->earliest = end;
}

void fl_leases_commit(struct fl_leases *l, const struct fl_alert *alerts, size_t n, fl_usec now,
                      fl_usec grace, bool merged)
{
    for (size_t i = 0; i < n; i++) {
        struct shard *s = shard_of(l, alerts[i].fingerprint);
        fl_usec end = lease_end(l, &alerts[i], now, grace);
        uint64_t content = content_of(&alerts[i]);
        pthread_mutex_lock(&s->lock);
        bool late = alerts[i].status == FL_ALERT_FIRING && may_be_late(s, &alerts[i], now);
        commit(s, &alerts[i], late ? CONTENT_UNKNOWN : content, end);
        if (says_over(&alerts[i]))
            doubt(s, &alerts[i], merged);
        if (merged)
            supersede(s, &alerts[i], now + l->moved_on);
        pthread_mutex_unlock(&s->lock);
    }
}

void fl_leases_over(struct fl_leases *l, uint64_t fingerprint, fl_usec starts_at, fl_usec at)
{
    struct fl_alert a = {.fingerprint = fingerprint, .starts_at = starts_at, .status = FL_ALERT_RESOLVED};
    struct shard *s = shard_of(l, fingerprint);
    pthread_mutex_lock(&s->lock);
    if (!find(s, &a, true))
        insert(s, &a, CONTENT_UNKNOWN, at + KEEP_OVER);
    pthread_mutex_unlock(&s->lock);
}

static size_t lapse_shard(struct shard *s, fl_usec now, struct fl_lapsed *ret, size_t max)
{
    size_t found = 0;
    fl_usec earliest = INT64_MAX;
    for (size_t i = 0; i < s->cap; i++) {
        struct entry *e = &s->v[i];
        if (state(e) == FIRING && until(e) < now && found < max) {
            ret[found++] = (struct fl_lapsed){e->fingerprint, e->starts_at};
            set(e, now + KEEP_OVER, STALE);
        } else if (state(e) != FREE && state(e) != FIRING && until(e) < now) {
            take_out(s, i);
            i--; /* another entry may have moved into the hole; i is at least 0 again after i++ */
            continue;
        }
        if (state(e) != FREE && until(e) < earliest)
            earliest = until(e);
    }
    s->earliest = earliest;
    return found;
}

size_t fl_leases_lapse(struct fl_leases *l, fl_usec now, struct fl_lapsed *ret, size_t max)
{
    size_t found = 0;
    for (size_t i = 0; i < SHARDS && found < max; i++) {
        struct shard *s = &l->shard[i];
        pthread_mutex_lock(&s->lock);
        if (s->earliest < now)
            found += lapse_shard(s, now, ret + found, max - found);
        pthread_mutex_unlock(&s->lock);
    }
    return found;
}

void fl_leases_unlapse(struct fl_leases *l, const struct fl_lapsed *lapsed, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct fl_alert key = {.fingerprint = lapsed[i].fingerprint, .starts_at = lapsed[i].starts_at};
        struct shard *s = shard_of(l, key.fingerprint);
        pthread_mutex_lock(&s->lock);
        struct entry *e = find(s, &key, false);
        if (e && state(e) == STALE) {
            set(e, LONG_AGO, FIRING);
            s->earliest = LONG_AGO;
        }
        pthread_mutex_unlock(&s->lock);
    }
}

size_t fl_leases_count(struct fl_leases *l)
{
    size_t n = 0;
    for (size_t i = 0; i < SHARDS; i++) {
        pthread_mutex_lock(&l->shard[i].lock);
        n += l->shard[i].n;
        pthread_mutex_unlock(&l->shard[i].lock);
    }
    return n;
}
