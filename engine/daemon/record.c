/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/record.c -- what the audit trail still lacks, once a second (layer 6): tokens that were made or
 * revoked straight in the database; and, once a minute, its signed head. Its own thread, because it waits for the database. */
#include "daemon_priv.h"

#include <faultline/json.h>

#include <string.h>

static void token_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct engine *e = ctx;
    (void)at;
    if (st == FL_OK)
        atomic_store(&e->token_seq, seq);
    atomic_fetch_sub(&e->tokens_out, 1);
}

static void post_act(void *ctx, const struct fl_token_act *act)
{
    struct engine *e = ctx;
    FL_AUTO_BUF b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "action", act->action);
    fl_jw_str(&w, "id", act->id);
    fl_jw_str(&w, "name", act->name);
    fl_jw_str(&w, "role", act->role);
    fl_jw_obj_end(&w);
    atomic_fetch_add(&e->tokens_out, 1);
    if (b.failed || engine_post_as(e, act->actor, FL_EV_TOKEN, b.p, b.n, token_committed) != FL_OK)
        atomic_fetch_sub(&e->tokens_out,
                         1); /* the journal is busy or away: the row is still there next time */
}

/*
 * Whether a token has its entry is read from the trail itself, so it must hold all that was journalled so far:
 * what came before this life, and what was posted a moment ago. That makes it one entry each, across any crash.
 */
static bool trail_is_current(struct engine *e)
{
    uint64_t projected = fl_store_projected_seq(e->store);
    return projected >= atomic_load(&e->orders_from) && !atomic_load(&e->tokens_out) &&
           projected >= atomic_load(&e->token_seq);
}

static void turn(struct engine *e, struct fl_reader **db, bool *told)
{
    struct fl_err err = {0};
    fl_status st = *db ? FL_OK : fl_reader_open(e->conninfo, db, &err);
    if (st == FL_OK)
        st = fl_token_unaudited(*db, e->config->realm, post_act, e, &err);
    if (st == FL_OK)
        st = heads_turn(e, *db, false, &err);
    if (st == FL_OK)
        noise_turn(e, *db, false);
    if (st == FL_OK) {
        *told = false;
        return;
    }
    if (!*told)
        fl_log_err(FL_LOG_WARN, "daemon", "the audit trail is not looked after; trying again", &err);
    *told = true;
    *db = fl_reader_close(*db);
}

static bool nap(struct engine *e, fl_usec d)
{
    fl_usec until = fl_mono() + d;
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    pthread_mutex_lock(&e->lock);
    while (!atomic_load(&e->stopping) && fl_mono() < until)
        pthread_cond_timedwait(&e->changed, &e->lock, &ts);
    pthread_mutex_unlock(&e->lock);
    return !atomic_load(&e->stopping);
}

static void *record_thread(void *ctx)
{
    struct engine *e = ctx;
    struct fl_reader *db = NULL;
    bool told = false;
    do {
        if (trail_is_current(e))
            turn(e, &db, &told);
    } while (nap(e, FL_USEC_PER_SEC / 2));
    fl_reader_close(db);
    return NULL;
}

/* After the last entry of this life: what an idle engine leaves behind is sealed. */
void record_last(struct engine *e)
{
    struct fl_err err = {0};
    struct fl_reader *db = NULL;
    fl_status st = fl_reader_open(e->conninfo, &db, &err);
    if (st == FL_OK)
        st = heads_turn(e, db, true, &err);
    if (st != FL_OK)
        fl_log_err(FL_LOG_WARN, "daemon", "the last head was not signed", &err);
    else
        noise_turn(e, db, true);
    fl_reader_close(db);
}

fl_status record_start(struct engine *e, struct fl_err *err)
{
    int rc = pthread_create(&e->recorder, NULL, record_thread, e);
    e->has_recorder = !rc;
    return rc ? fl_fail(err, FL_E_IO, "daemon", "could not start a thread: %s", strerror(rc)) : FL_OK;
}

void record_stop(struct engine *e)
{
    pthread_mutex_lock(&e->lock);
    atomic_store(&e->stopping, true);
    pthread_cond_broadcast(&e->changed);
    pthread_mutex_unlock(&e->lock);
    if (e->has_recorder)
        pthread_join(e->recorder, NULL);
    e->has_recorder = false;
}
