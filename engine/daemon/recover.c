/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/recover.c -- state = snapshot + journal after it; core thread (layer 6). */
#include "daemon_priv.h"

#include <stdlib.h>
#include <string.h>

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

static fl_status load_state(struct engine *e, const struct fl_flow_options *o, uint64_t *ret_seq,
                            struct fl_err *err)
{
    char *text = NULL;
    size_t n = 0;
    uint64_t seq = 0;
    struct fl_err problem = {0};
    fl_status st = fl_store_load_snapshot(e->store, &text, &n, &seq, &problem);
    *ret_seq = 0;
    if (st == FL_OK) {
        st = fl_flow_restore(o, text, n, &e->flow, &problem);
        free(text);
        if (st == FL_OK) {
            *ret_seq = seq;
            return FL_OK;
        }
        /* The journal is the truth, the snapshot only a short cut: start from the beginning. */
        fl_log_err(FL_LOG_WARN, "daemon", "the snapshot is of no use, reading the whole journal", &problem);
    } else if (st != FL_E_NOTFOUND) {
        return fl_fail(err, st, problem.where, "%s", problem.text);
    }
    return fl_flow_new(o, &e->flow, err);
}

static void vouch(void *ctx, const struct fl_alert *a)
{
    struct engine *e = ctx;
    if (a->status == FL_ALERT_FIRING)
        fl_leases_commit(e->leases, a, 1, fl_now(), e->config->lease_grace);
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
