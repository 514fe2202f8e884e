/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/queue.c -- contract in <faultline/queue.h>. */
#include <faultline/queue.h>

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct slot {
    void *item;
    size_t bytes;
};

struct fl_queue {
    pthread_mutex_t lock;
    pthread_cond_t readable, writable;
    struct slot *ring;
    size_t cap, head, n, bytes, max_items, max_bytes;
    size_t wanted; /* by the popper that waits for several; 1 else */
    unsigned long kicks;
    bool closed;
};

struct fl_queue *fl_queue_new(size_t max_items, size_t max_bytes)
{
    struct fl_queue *q = calloc(1, sizeof *q);
    if (!q)
        return NULL;
    q->max_items = max_items;
    q->max_bytes = max_bytes;
    q->wanted = 1;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->readable, &attr);
    pthread_cond_init(&q->writable, &attr);
    pthread_condattr_destroy(&attr);
    return q;
}

struct fl_queue *fl_queue_free(struct fl_queue *q)
{
    if (q) {
        pthread_cond_destroy(&q->readable);
        pthread_cond_destroy(&q->writable);
        pthread_mutex_destroy(&q->lock);
        free(q->ring);
        free(q);
    }
    return NULL;
}

/* Outsiders stop at three quarters: the engine's own outcomes always find room. */
static bool has_room(const struct fl_queue *q, size_t bytes, bool reserved)
{
    size_t items_limit = reserved ? q->max_items : q->max_items - q->max_items / 4;
    size_t bytes_limit = reserved ? q->max_bytes : q->max_bytes - q->max_bytes / 4;
    if (q->max_items && q->n + 1 > items_limit)
        return false;
    /* One item larger than the whole limit still passes when the queue is empty. */
    return !q->max_bytes || q->n == 0 || q->bytes + bytes <= bytes_limit;
}

static fl_status put(struct fl_queue *q, void *item, size_t bytes)
{
    if (q->n == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 64;
        struct slot *ring = malloc(cap * sizeof *ring);
        if (!ring)
            return FL_E_FULL;
        for (size_t i = 0; i < q->n; i++)
            ring[i] = q->ring[(q->head + i) % q->cap];
        free(q->ring);
        q->ring = ring;
        q->cap = cap;
        q->head = 0;
    }
    q->ring[(q->head + q->n++) % q->cap] = (struct slot){item, bytes};
    q->bytes += bytes;
    return FL_OK;
}

/* After the lock is given back: who is woken needs it at once. */
static void tell(struct fl_queue *q, fl_status st, bool enough)
{
    if (st == FL_OK && enough)
        pthread_cond_signal(&q->readable);
}

fl_status fl_queue_push(struct fl_queue *q, void *item, size_t bytes, bool reserved)
{
    pthread_mutex_lock(&q->lock);
    fl_status st = q->closed                       ? FL_E_UNAVAILABLE
                   : !has_room(q, bytes, reserved) ? FL_E_FULL
                                                   : put(q, item, bytes);
    bool enough = q->n >= q->wanted;
    pthread_mutex_unlock(&q->lock);
    tell(q, st, enough);
    return st;
}

fl_status fl_queue_push_wait(struct fl_queue *q, void *item, size_t bytes)
{
    pthread_mutex_lock(&q->lock);
    while (!q->closed && !has_room(q, bytes, true))
        pthread_cond_wait(&q->writable, &q->lock);
    fl_status st = q->closed ? FL_E_UNAVAILABLE : put(q, item, bytes);
    bool enough = q->n >= q->wanted;
    pthread_mutex_unlock(&q->lock);
    tell(q, st, enough);
    return st;
}

/* Until so many are there, the deadline, a kick or the end. Caller holds the lock. */
static void wait_for(struct fl_queue *q, size_t least, fl_usec deadline)
{
    unsigned long kicks = q->kicks;
    struct timespec ts = {.tv_sec = (time_t)(deadline / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(deadline % FL_USEC_PER_SEC) * 1000};
    while (q->n < least && !q->closed && kicks == q->kicks) {
        q->wanted = least;
        int rc = deadline ? pthread_cond_timedwait(&q->readable, &q->lock, &ts)
                          : pthread_cond_wait(&q->readable, &q->lock);
        q->wanted = 1;
        if (rc != 0)
            break;
    }
}

size_t fl_queue_pop(struct fl_queue *q, void **items, size_t max, fl_usec deadline)
{
    return fl_queue_pop_least(q, items, 1, max, deadline);
}

size_t fl_queue_pop_least(struct fl_queue *q, void **items, size_t least, size_t max, fl_usec deadline)
{
    pthread_mutex_lock(&q->lock);
    wait_for(q, least, deadline);
    size_t got = 0;
    while (got < max && q->n) {
        struct slot s = q->ring[q->head];
        q->head = (q->head + 1) % q->cap;
        q->n--;
        q->bytes -= s.bytes;
        items[got++] = s.item;
    }
    if (got)
        pthread_cond_broadcast(&q->writable);
    pthread_mutex_unlock(&q->lock);
    return got;
}

void fl_queue_close(struct fl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->closed = true;
    pthread_cond_broadcast(&q->readable);
    pthread_cond_broadcast(&q->writable);
    pthread_mutex_unlock(&q->lock);
}

bool fl_queue_closed_and_empty(struct fl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    bool yes = q->closed && !q->n;
    pthread_mutex_unlock(&q->lock);
    return yes;
}

size_t fl_queue_items(struct fl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->n;
    pthread_mutex_unlock(&q->lock);
    return n;
}

size_t fl_queue_bytes(struct fl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    size_t n = q->bytes;
    pthread_mutex_unlock(&q->lock);
    return n;
}

void fl_queue_kick(struct fl_queue *q)
{
    pthread_mutex_lock(&q->lock);
    q->kicks++;
    pthread_cond_broadcast(&q->readable);
    pthread_mutex_unlock(&q->lock);
}
