/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/hold.c -- alerts turned away before their body is read, and answered a moment later (layer 5).
 *
 * While the engine is behind, a refusal must cost next to nothing, else refusing takes the processor from the work that
 * would end it. So it is decided on the headers, and the 503 is held back for a moment: senders that try again at once come
 * less often, and what they would send waits in their sockets. How many are held is bounded; more are answered at once. */
#include "http_priv.h"

#include <inttypes.h>
#include <string.h>

enum {
    HOLD_LEAST = 100 * 1000,  /* microseconds */
    HOLD_JITTER = 100 * 1000, /* so that they do not come back together */
    LOOKS =
        50, /* bodies of one sender a second that are read nevertheless: repeats, which cost no work, get through */
    RETRY_MOST = 4,       /* seconds: Retry-After is 1 to this */
    SMALL_BODY = 1 << 20, /* read and thrown away, so that the connection can be used again */
};
static const fl_usec LOG_EVERY = 60 * FL_USEC_PER_SEC;

void hold_init(struct hold *x, size_t max_connections)
{
    pthread_mutex_init(&x->lock, NULL);
    /* Those that are refused may not take the connections of all others. */
    x->max = max_connections / 4 < HOLD_MAX ? max_connections / 4 : HOLD_MAX;
}

void hold_done(struct hold *x)
{
    pthread_mutex_destroy(&x->lock);
}

static void turn_away(struct request *r)
{
    reply_error(r, 503, "full", NULL, "send it again after Retry-After", "the queue is full");
}

/* The request is suspended. */
static void hold(struct request *r)
{
    struct hold *x = &r->http->hold;
    pthread_mutex_lock(&x->lock);
    unsigned turn = x->turn++;
    r->answer.retry_after = 1 + turn % RETRY_MOST;
    bool room = x->n < x->max;
    if (room) {
        request_ref(r);
        x->v[x->n++] = (struct held){r, fl_mono() + HOLD_LEAST + (fl_usec)(turn * 7919u) % HOLD_JITTER};
    }
    pthread_mutex_unlock(&x->lock);
    if (!room)
        turn_away(r);
}

size_t hold_answer(struct hold *x)
{
    struct request *due[HOLD_MAX];
    size_t n = 0, left = 0;
    fl_usec now = fl_mono();
    pthread_mutex_lock(&x->lock);
    for (size_t i = 0; i < x->n; i++)
        if (x->v[i].due <= now)
            due[n++] = x->v[i].r;
        else
            x->v[left++] = x->v[i];
    x->n = left;
    pthread_mutex_unlock(&x->lock);
    for (size_t i = 0; i < n; i++) {
        turn_away(due[i]);
        request_unref(due[i]);
    }
    return left;
}

size_t hold_count(struct hold *x)
{
    pthread_mutex_lock(&x->lock);
    size_t n = x->n;
    pthread_mutex_unlock(&x->lock);
    return n;
}

/* A repeat renews a lease and costs no derived work; whether it is one only its body tells. */
static bool may_look(struct request *r)
{
    struct hold *x = &r->http->hold;
    size_t slot = (size_t)fl_fnv1a(0, r->caller.name, strlen(r->caller.name)) % HOLD_SENDERS;
    fl_usec now = fl_mono();
    pthread_mutex_lock(&x->lock);
    struct looks *l = &x->looks[slot];
    if (now - l->since >= FL_USEC_PER_SEC)
        *l = (struct looks){.since = now};
    bool yes = l->n < LOOKS;
    l->n += yes;
    pthread_mutex_unlock(&x->lock);
    return yes;
}

static void say_so(struct fl_http *h)
{
    fl_usec now = fl_mono(), last = atomic_load(&h->hold.said);
    if ((last && now - last < LOG_EVERY) || !atomic_compare_exchange_strong(&h->hold.said, &last, now))
        return;
    fl_log(FL_LOG_WARN, "http",
           "alerts are refused with 503: the work they cause is further behind than lag_events allows;"
           " %llu requests turned away so far",
           (unsigned long long)atomic_load(&h->turned_away));
}

/* Routes by which alerts come, of a caller who is known by now. */
static bool brings_alerts(const struct route *t)
{
    return (t->flags & ROUTE_BULK) && t->roles == ROLE_SEND && !(t->flags & ROUTE_BODY_TOKEN);
}

bool hold_admits(struct request *r)
{
    struct fl_http *h = r->http;
    if (!brings_alerts(r->route) || !h->o.store || atomic_load(&h->draining) ||
        !fl_store_is_behind(h->o.store) || may_look(r))
        return true;
    atomic_fetch_add(&h->turned_away, 1);
    say_so(h);
    atomic_fetch_sub(&h->body_bytes, r->budget);
    r->budget = 0;
    r->held = true;
    r->swallow = r->chunked || r->body_cap <= SMALL_BODY;
    r->answer.close = !r->swallow;
    if (request_suspend(r))
        hold(r);
    return false;
}

void hold_refusal(struct request *r)
{
    atomic_fetch_add(&r->http->turned_away, 1);
    hold(r);
}
