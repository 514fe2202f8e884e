/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/asks.c -- questions about the core's state: asked on a read thread, answered on the core thread between
 * two steps, because nobody else may look (layer 6). They overtake the events that wait, one a step, so that a storm does
 * not silence the readers nor they the storm; whoever asks keeps what runs below a millisecond. */
#include "daemon_priv.h"

#include <time.h>

static const fl_usec PATIENCE = 10 * FL_USEC_PER_SEC;

/* On the stack of the one who asks, who waits until it is over. */
struct ask {
    void (*run)(void *arg, struct fl_flow *flow);
    void *arg;
    enum { WAITING, RUNNING, DONE, REFUSED } state;
    struct ask *next;
};

/* ---- core thread ---- */

bool asks_serve(struct engine *e)
{
    if (!atomic_load(&e->asks.n))
        return false;
    pthread_mutex_lock(&e->asks.lock);
    struct ask *a = e->asks.first;
    if (a) {
        e->asks.first = a->next;
        atomic_fetch_sub(&e->asks.n, 1);
        a->state = RUNNING;
    }
    pthread_mutex_unlock(&e->asks.lock);
    if (!a)
        return false;
    a->run(a->arg, e->flow);
    pthread_mutex_lock(&e->asks.lock);
    a->state = DONE;
    pthread_cond_broadcast(&e->asks.changed);
    pthread_mutex_unlock(&e->asks.lock);
    return true;
}

void asks_close(struct engine *e)
{
    pthread_mutex_lock(&e->asks.lock);
    e->asks.closed = true;
    for (struct ask *a = e->asks.first; a; a = a->next)
        a->state = REFUSED;
    e->asks.first = NULL;
    atomic_store(&e->asks.n, 0);
    pthread_cond_broadcast(&e->asks.changed);
    pthread_mutex_unlock(&e->asks.lock);
}

void asks_init(struct engine *e)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->asks.changed, &attr);
    pthread_condattr_destroy(&attr);
    pthread_mutex_init(&e->asks.lock, NULL);
}

void asks_done(struct engine *e)
{
    pthread_cond_destroy(&e->asks.changed);
    pthread_mutex_destroy(&e->asks.lock);
}

/* ---- whoever asks; under the lock ---- */

static void append(struct engine *e, struct ask *a)
{
    struct ask **at = &e->asks.first;
    while (*at)
        at = &(*at)->next;
    *at = a;
    atomic_fetch_add(&e->asks.n, 1);
}

static void withdraw(struct engine *e, const struct ask *a)
{
    struct ask **at = &e->asks.first;
    while (*at && *at != a)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = a->next;
    atomic_fetch_sub(&e->asks.n, 1);
}

fl_status engine_ask(void *ctx, void (*run)(void *arg, struct fl_flow *flow), void *arg, struct fl_err *err)
{
    struct engine *e = ctx;
    struct ask a = {.run = run, .arg = arg, .state = WAITING};
    fl_usec until = fl_mono() + PATIENCE;
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    pthread_mutex_lock(&e->asks.lock);
    bool open = !e->asks.closed;
    if (open)
        append(e, &a);
    pthread_mutex_unlock(&e->asks.lock);
    if (!open)
        return fl_fail(err, FL_E_UNAVAILABLE, NULL, "the engine is stopping");
    fl_queue_kick(e->inbox);
    pthread_mutex_lock(&e->asks.lock);
    while (a.state == WAITING || a.state == RUNNING) {
        /* What runs already looks at our stack: it is waited for, however long. */
        if (a.state == RUNNING)
            pthread_cond_wait(&e->asks.changed, &e->asks.lock);
        else if (pthread_cond_timedwait(&e->asks.changed, &e->asks.lock, &ts) && a.state == WAITING &&
                 fl_mono() >= until)
            break;
    }
    if (a.state == WAITING)
        withdraw(e, &a);
    int state = a.state;
    pthread_mutex_unlock(&e->asks.lock);
    if (state == DONE)
        return FL_OK;
    return state == REFUSED ? fl_fail(err, FL_E_UNAVAILABLE, NULL, "the engine is stopping")
                            : fl_fail(err, FL_E_TIMEOUT, NULL, "the core is too busy to answer: try again");
}
