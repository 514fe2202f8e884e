/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/alerts.c -- alerts in: parse, renew or journal, answer after the commit (layer 5). */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

static const fl_usec V2_LEASE = 300 * FL_USEC_PER_SEC; /* endsAt absent: Alertmanager's resolve_timeout */

/* ---- answers ---- */

/* Status and bytes as Alertmanager itself would answer. */
static void answer_v2(struct request *r, fl_status st, const struct fl_err *err)
{
    struct fl_buf b = fl_buf_init(1 << 22);
    unsigned code = fl_intake_v2_answer(st, err, st == FL_OK ? &r->intake : NULL, &b);
    if (code == 200) {
        fl_buf_done(&b);
        reply_empty(r, 200);
    } else {
        reply_buf(r, code, TYPE_JSON, &b);
    }
}

static void answer_webhook(struct request *r)
{
    const struct fl_intake *in = &r->intake;
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    bool bad = in->n_rejects && !in->n_alerts;
    fl_jw_obj(&w, NULL);
    if (bad) {
        fl_jw_obj(&w, "error");
        fl_jw_str(&w, "code", "no_alert");
        fl_jw_str(&w, "message", "no element of the body is an alert that can be stored");
        fl_jw_str(&w, "hint", "GET /api/v1/deadletters shows them");
        fl_jw_str(&w, "field", in->rejects[0].where);
        fl_jw_obj_end(&w);
    }
    fl_jw_int(&w, "accepted", (int64_t)in->n_alerts);
    fl_jw_arr(&w, "rejected");
    for (size_t i = 0; i < in->n_rejects && i < 1000; i++) {
        fl_jw_obj(&w, NULL);
        fl_jw_int(&w, "index", (int64_t)in->rejects[i].index);
        fl_jw_str(&w, "where", in->rejects[i].where);
        fl_jw_str(&w, "reason", in->rejects[i].reason);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    if (in->truncated)
        fl_jw_int(&w, "truncated", (int64_t)in->truncated);
    fl_jw_obj_end(&w);
    reply_buf(r, bad ? 400 : 200, TYPE_JSON, &b);
}

static void answer_good(struct request *r)
{
    if (r->format == FL_FORMAT_ALERTMANAGER_V2)
        answer_v2(r, FL_OK, NULL);
    else
        answer_webhook(r);
}

static void answer_unreadable(struct request *r, const struct fl_err *err)
{
    atomic_fetch_add(&r->http->intake_refused, 1);
    if (err->status == FL_E_NOMEM)
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
    else if (r->format == FL_FORMAT_ALERTMANAGER_V2)
        answer_v2(r, err->status, err);
    else
        reply_status(r, err);
}

/* ---- after the commit ---- */

/*
 * What the sender left open is filled in from the receive time here and from the journal's time in the core.
 * Leases must name the episode as the core does, so the journal's time replaces ours.
 */
static void settle_guesses(struct request *r, fl_usec at)
{
    for (size_t i = 0; i < r->intake.n_alerts; i++) {
        struct fl_alert *a = &r->intake.alerts[i];
        if (a->lease_until == r->received_at + V2_LEASE)
            a->lease_until = at + V2_LEASE;
        if (a->starts_guessed)
            a->starts_at = at;
        a->received_at = at;
    }
}

static bool has_guesses(const struct request *r)
{
    for (size_t i = 0; i < r->intake.n_alerts; i++)
        if (r->intake.alerts[i].starts_guessed || r->intake.alerts[i].lease_until == r->received_at + V2_LEASE)
            return true;
    return false;
}

/* Journal thread. */
static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct request *r = ctx;
    (void)seq;
    if (st == FL_OK) {
        if (has_guesses(r))
            settle_guesses(r, at);
        fl_leases_commit(r->http->o.leases, r->intake.alerts, r->intake.n_alerts, at, 0);
        atomic_fetch_add(&r->http->alerts_accepted, r->intake.n_alerts);
        answer_good(r);
    } else {
        reply_error(r, 503, fl_status_name(st), NULL, "send it again", "the alerts could not be committed: %s",
                    st == FL_E_FULL ? "the queue is full" : "the database is away");
    }
    request_unref(r);
}

/* ---- before it ---- */

static void keep_rejects(struct request *r)
{
    const struct fl_intake *in = &r->intake;
    if (!in->n_rejects)
        return;
    atomic_fetch_add(&r->http->alerts_rejected, in->n_rejects);
    struct fl_deadletter *v = calloc(in->n_rejects, sizeof *v);
    if (!v)
        return;
    for (size_t i = 0; i < in->n_rejects; i++)
        v[i] = (struct fl_deadletter){fl_format_name(r->format), in->rejects[i].where, in->rejects[i].reason,
                                      in->rejects[i].raw};
    fl_store_deadletters(r->http->o.store, v, in->n_rejects);
    free(v);
}

static void journal(struct request *r)
{
    struct fl_submission *sub = submission_new(r, FL_EV_ALERTS, fl_format_name(r->format));
    if (!sub)
        return;
    /* A replay parses with the journal's time: what depends on the time is parsed there now, too. */
    if (!has_guesses(r)) {
        sub->alerts = r->intake.alerts;
        sub->n_alerts = r->intake.n_alerts;
    }
    sub->committed = on_committed;
    submission_send(r, sub);
}

void run_intake(struct request *r)
{
    struct fl_err err = {0};
    r->format = (fl_format)r->route->arg;
    if (fl_intake_parse(r->body_arena, r->format, r->body, r->body_n, r->received_at, &r->intake, &err) != FL_OK) {
        answer_unreadable(r, &err);
        return;
    }
    keep_rejects(r);
    if (!r->intake.n_alerts) {
        answer_good(r);
    } else if (fl_leases_renew_all(r->http->o.leases, r->intake.alerts, r->intake.n_alerts, r->received_at)) {
        atomic_fetch_add(&r->http->alerts_repeated, r->intake.n_alerts);
        answer_good(r);
    } else {
        journal(r);
    }
}
