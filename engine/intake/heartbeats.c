/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/heartbeats.c -- when each sender that a heartbeat rule watches reported last; contract in
 * <faultline/intake.h>. In memory only: repeats write nothing, so the last report of an earlier life is not known. */
#include <faultline/intake.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nobody looked for this long: the process stood still, and its silence is not the senders'. */
static const fl_usec GAP = 5 * FL_USEC_PER_SEC;

struct beat {
    const struct fl_heartbeat_rule *rule; /* in h->rules; NULL: only remembered until the rules come */
    char name[FL_HEARTBEAT_NAME_MAX + 1];
    _Atomic fl_usec seen; /* mono; of the first life of the rule its beginning */
    bool missed;          /* said so, and nobody took it back */
};
struct fl_heartbeats {
    pthread_rwlock_t lock; /* beats and rules; `seen` moves under the read lock */
    struct fl_rules *rules;
    struct beat *v;
    size_t n;
    fl_usec looked; /* mono, 0 = never */
};

struct fl_heartbeats *fl_heartbeats_new(void)
{
    struct fl_heartbeats *h = calloc(1, sizeof *h);
    if (h)
        pthread_rwlock_init(&h->lock, NULL);
    return h;
}

struct fl_heartbeats *fl_heartbeats_free(struct fl_heartbeats *h)
{
    if (!h)
        return NULL;
    pthread_rwlock_destroy(&h->lock);
    fl_rules_free(h->rules);
    free(h->v);
    free(h);
    return NULL;
}

static struct beat *find(const struct fl_heartbeats *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (!strcmp(h->v[i].name, name))
            return &h->v[i];
    return NULL;
}

/* A rule that was there keeps its last report; a new one has its whole patience. */
bool fl_heartbeats_rules(struct fl_heartbeats *h, struct fl_rules *rules, fl_usec mono)
{
    size_t n = rules ? rules->n_heartbeats : 0;
    struct beat *v = calloc(n ? n : 1, sizeof *v);
    if (!v) {
        fl_rules_free(rules);
        return false;
    }
    pthread_rwlock_wrlock(&h->lock);
    for (size_t i = 0; i < n; i++) {
        v[i].rule = &rules->heartbeats[i];
        snprintf(v[i].name, sizeof v[i].name, "%s", v[i].rule->name);
        const struct beat *was = find(h, v[i].name);
        atomic_init(&v[i].seen, was && was->rule ? atomic_load(&was->seen) : mono);
        v[i].missed = was && was->missed;
        /* What was missed before a restart stays missed until it reports. */
        if (was && !was->rule && was->missed)
            atomic_init(&v[i].seen, mono - v[i].rule->interval - v[i].rule->grace - 1);
    }
    free(h->v);
    fl_rules_free(h->rules);
    h->v = v;
    h->n = n;
    h->rules = rules;
    pthread_rwlock_unlock(&h->lock);
    return true;
}

void fl_heartbeats_restore(struct fl_heartbeats *h, const char *name)
{
    pthread_rwlock_wrlock(&h->lock);
    struct beat *b = find(h, name);
    struct beat *grown = b ? NULL : realloc(h->v, (h->n + 1) * sizeof *grown);
    if (grown) {
        h->v = grown;
        b = &h->v[h->n++];
        memset(b, 0, sizeof *b);
        snprintf(b->name, sizeof b->name, "%s", name);
    }
    if (b)
        b->missed = true;
    pthread_rwlock_unlock(&h->lock);
}

static bool is_report(const struct fl_heartbeat_rule *r, const char *source, const struct fl_alert *v,
                      size_t n)
{
    if (r->source)
        return !strcmp(r->source, source);
    for (size_t i = 0; i < n; i++)
        if (v[i].status == FL_ALERT_FIRING && fl_match_all(r->match, r->n_match, &v[i].labels))
            return true;
    return false;
}

void fl_heartbeats_see(struct fl_heartbeats *h, const char *source, const struct fl_alert *v, size_t n,
                       fl_usec mono)
{
    pthread_rwlock_rdlock(&h->lock);
    for (size_t i = 0; i < h->n; i++)
        if (h->v[i].rule && is_report(h->v[i].rule, source, v, n))
            atomic_store(&h->v[i].seen, mono);
    pthread_rwlock_unlock(&h->lock);
}

size_t fl_heartbeats_look(struct fl_heartbeats *h, fl_usec mono, bool listening,
                          struct fl_heartbeat_news *ret, size_t max)
{
    size_t found = 0;
    pthread_rwlock_wrlock(&h->lock);
    fl_usec passed = h->looked ? mono - h->looked : 0;
    h->looked = mono;
    /* Time in which nobody could have been heard counts for nobody. */
    fl_usec deaf = !listening || passed > GAP ? passed : 0;
    for (size_t i = 0; i < h->n; i++) {
        struct beat *b = &h->v[i];
        if (!b->rule)
            continue;
        if (deaf)
            atomic_store(&b->seen, atomic_load(&b->seen) + deaf);
        fl_usec silent = mono - atomic_load(&b->seen);
        bool missed = silent > b->rule->interval + b->rule->grace;
        /* Silence begins when it can be told, but a report ends it even while nobody else is heard. */
        if (missed == b->missed || (missed && !listening) || found == max)
            continue;
        b->missed = missed;
        ret[found] = (struct fl_heartbeat_news){.missed = missed, .silent = silent};
        memcpy(ret[found++].name, b->name, sizeof b->name);
    }
    pthread_rwlock_unlock(&h->lock);
    return found;
}

void fl_heartbeats_unlook(struct fl_heartbeats *h, const struct fl_heartbeat_news *news, size_t n)
{
    pthread_rwlock_wrlock(&h->lock);
    for (size_t i = 0; i < n; i++) {
        struct beat *b = find(h, news[i].name);
        if (b && b->missed == news[i].missed)
            b->missed = !news[i].missed;
    }
    pthread_rwlock_unlock(&h->lock);
}

void fl_heartbeats_each(struct fl_heartbeats *h, fl_usec mono,
                        void (*visit)(void *ctx, const char *name, bool missed, fl_usec silent), void *ctx)
{
    pthread_rwlock_rdlock(&h->lock);
    for (size_t i = 0; i < h->n; i++)
        if (h->v[i].rule)
            visit(ctx, h->v[i].name, h->v[i].missed, mono - atomic_load(&h->v[i].seen));
    pthread_rwlock_unlock(&h->lock);
}
