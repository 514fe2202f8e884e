/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/recover.c -- state = snapshot + journal after it; core thread (layer 6). */
#include "daemon_priv.h"

struct replay {
    struct engine *e;
    uint64_t projected, n;
    struct fl_err *err;
};

/* A step whose rows are committed is only repeated in memory; a later one is projected now. */
static fl_status replay_event(void *ctx, const struct fl_event *ev)
{
    struct replay *p = ctx;
    if (atomic_load(&p->e->interrupted))
        return fl_fail(p->err, FL_E_TIMEOUT, "recovery", "stopped by a signal");
    struct fl_effects *fx = fl_effects_new();
    if (!fx)
        return fl_fail(p->err, FL_E_NOMEM, "recovery", "out of memory");
    fl_status st = fl_flow_step(p->e->flow, ev, fx, p->err);
    if (st != FL_OK) {
        fl_effects_free(fx);
        return st;
    }
    p->n++;
    if (ev->seq <= p->projected)
        fl_effects_free(fx);
    else
        fl_store_project(p->e->store, fx, NULL);
    return FL_OK;
}

struct restore {
    struct engine *e;
    struct fl_err *err; /* why a piece is not taken */
};

static fl_status take_piece(void *ctx, const void *piece, size_t n)
{
    struct restore *r = ctx;
    if (atomic_load(&r->e->interrupted))
        return fl_fail(r->err, FL_E_TIMEOUT, "recovery", "stopped by a signal");
    return fl_flow_load(r->e->flow, piece, n, r->err);
}

/* The newest snapshot that holds, else the beginning: the journal is the truth, a snapshot only a short cut. */
static fl_status load_state(struct engine *e, const struct fl_flow_options *o, uint64_t *ret_seq,
                            struct fl_err *err)
{
    for (uint64_t below = UINT64_MAX;; below = *ret_seq) {
        fl_status st = fl_flow_new(o, &e->flow, err);
        if (st != FL_OK)
            return st;
        struct fl_err problem = {0};
        struct restore r = {e, &problem};
        st = fl_store_load_snapshot(e->store, below, ret_seq, take_piece, &r, &problem);
        if (st == FL_OK)
            st = fl_flow_loaded(e->flow, &problem);
        if (st == FL_OK)
            return FL_OK;
        if (st == FL_E_NOTFOUND) {
            *ret_seq = 0;
            if (below != UINT64_MAX)
                fl_log(FL_LOG_WARN, "daemon", "no snapshot holds: the whole journal is read");
            return FL_OK;
        }
        e->flow = fl_flow_free(e->flow);
        if (st != FL_E_CORRUPT || !*ret_seq)
            return fl_fail(err, st, problem.where, "%s", problem.text);
        fl_log(FL_LOG_WARN, "daemon", "the snapshot at %llu is of no use, looking for the one before: %s",
               (unsigned long long)*ret_seq, problem.text);
    }
}

static void vouch(void *ctx, const struct fl_alert *a)
{
    struct engine *e = ctx;
    fl_usec now = fl_now();
    if (a->status != FL_ALERT_FIRING)
        return;
    fl_leases_commit(e->leases, a, 1, now, e->config->lease_grace, !a->lease_until);
    if (a->ends_at) /* one sender said that it is over, another went on: neither is news */
        fl_leases_over(e->leases, a->fingerprint, a->starts_at, now - FL_LATE_FOR);
}

static void was_over(void *ctx, uint64_t fingerprint, fl_usec starts_at, fl_usec at)
{
    struct engine *e = ctx;
    fl_leases_over(e->leases, fingerprint, starts_at, at);
}

static void still_silent(void *ctx, const char *name)
{
    struct engine *e = ctx;
    fl_heartbeats_restore(e->heartbeats, name);
}

fl_status recover(struct engine *e, struct fl_err *err)
{
    fl_usec began = fl_mono();
    uint64_t seq = 0;
    struct fl_flow_options o = {.realm = e->config->realm};
    fl_status st = load_state(e, &o, &seq, err);
    if (st != FL_OK)
        return st;
    struct replay p = {.e = e, .projected = fl_store_projected_seq(e->store), .err = err};
    st = fl_store_read_journal(e->store, seq, 0, replay_event, &p, err);
    if (st != FL_OK)
        return fl_fail(err, st, "recovery", "the journal could not be read");
    fl_flow_each_over(e->flow, fl_now() - FL_LATE_FOR, was_over, e);
    fl_flow_each_alert(e->flow, vouch, e);
    fl_flow_each_silent(e->flow, still_silent, e);
    e->last_snapshot_seq = seq;
    e->last_snapshot_at = fl_mono();
    e->replayed = p.n;
    e->recovery_took = fl_mono() - began;
    atomic_store(&e->core_seq, fl_flow_seq(e->flow));
    fl_log(FL_LOG_INFO, "daemon", "recovered: snapshot at %llu, %llu events read, %.3f s",
           (unsigned long long)seq, (unsigned long long)p.n, (double)e->recovery_took / 1e6);
    return FL_OK;
}
