/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/inbox.c -- what waits for the core, bounded in memory (layer 6). Committed events may not be lost and
 * the journal writer may not wait for the core, so what is too much stays where it is: in the journal, from which the
 * core reads it again in its turn. */
#include "daemon_priv.h"

#include <stdlib.h>

static const size_t INBOX_BYTES = (size_t)64 << 20;

/* Whoever waits for the core's answer is known by the submission only. */
static bool may_stay(struct engine *e, const struct fl_submission *sub, size_t bytes)
{
    return !sub->answered && fl_queue_bytes(e->inbox) + bytes > INBOX_BYTES;
}

/* @return false: no memory for it, or it is stopping. */
static bool stay(struct engine *e, uint64_t seq)
{
    pthread_mutex_lock(&e->lock);
    struct delivery *d = e->stretch;
    if (d)
        d->until = seq;
    pthread_mutex_unlock(&e->lock);
    if (d)
        return true;
    d = calloc(1, sizeof *d);
    if (!d)
        return false;
    d->ev.seq = d->until = seq;
    pthread_mutex_lock(&e->lock);
    e->stretch = d;
    pthread_mutex_unlock(&e->lock);
    if (fl_queue_push(e->inbox, d, sizeof *d, true) == FL_OK)
        return true;
    pthread_mutex_lock(&e->lock);
    e->stretch = NULL;
    pthread_mutex_unlock(&e->lock);
    free(d);
    return false;
}

void core_deliver(void *ctx, const struct fl_event *ev, struct fl_submission *sub)
{
    struct engine *e = ctx;
    size_t bytes = fl_arena_held(sub->arena);
    if (may_stay(e, sub, bytes) && stay(e, ev->seq)) {
        atomic_fetch_add(&e->reread, 1);
        fl_arena_free(sub->arena);
        return;
    }
    struct delivery *d = fl_arena_alloc(sub->arena, sizeof *d);
    FL_REQUIRE(d != NULL); /* a committed event may not be lost: the journal brings it back after a restart */
    *d = (struct delivery){.ev = *ev, .sub = sub};
    pthread_mutex_lock(&e->lock);
    e->stretch = NULL; /* what comes later must stand behind this one */
    pthread_mutex_unlock(&e->lock);
    if (fl_queue_push(e->inbox, d, bytes, true) != FL_OK)
        fl_arena_free(sub->arena); /* stopping: it is in the journal */
}

/* From now on it does not grow. @return its last seq. */
uint64_t inbox_close_stretch(struct engine *e, struct delivery *d)
{
    pthread_mutex_lock(&e->lock);
    if (e->stretch == d)
        e->stretch = NULL;
    uint64_t until = d->until;
    pthread_mutex_unlock(&e->lock);
    return until;
}

void inbox_drop(struct engine *e, struct delivery *d)
{
    if (d->picture)
        picture_refuse(e, d->picture);
    else if (d->sub)
        fl_arena_free(d->sub->arena);
    else
        free(d);
}
