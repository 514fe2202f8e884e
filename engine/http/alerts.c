/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/alerts.c -- alerts in: parse, renew or journal, answer after the commit (layer 5). */
#include "http_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    bool bad = in->n_rejects && !in->n_alerts && !in->n_changes && !in->n_ignored;
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
    if (in->n_ignored)
        fl_jw_int(&w, "ignored", (int64_t)in->n_ignored);
    if (in->n_changes)
        fl_jw_int(&w, "changes", (int64_t)in->n_changes);
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
    else if (!sender_answer(r))
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
        sender_unreadable(r, err);
}

/* ---- after the commit ---- */

/*
 * What the sender left open is filled in from the receive time here and from the journal's time in the core.
 * Leases must name the episode as the core does, so the journal's time replaces ours.
 */
void intake_settle(struct fl_intake *in, fl_usec at)
{
    for (size_t i = 0; i < in->n_alerts; i++) {
        struct fl_alert *a = &in->alerts[i];
        if (a->lease_guessed)
            a->lease_until = at + FL_V2_LEASE;
        if (a->starts_guessed)
            a->starts_at = at;
        a->received_at = at;
    }
}

/* Journal thread. A replay parses with the journal's time; the core is given what that gives, or nothing parsed. */
static bool on_numbered(void *ctx, fl_usec at)
{
    struct request *r = ctx;
    r->settled = fl_intake_settle(&r->intake, r->format, r->received_at, at);
    return r->settled;
}

static void not_committed(struct request *r, fl_status st)
{
    reply_error(r, 503, fl_status_name(st), NULL, "send it again", "the alerts could not be committed: %s",
                st == FL_E_FULL ? "the queue is full" : "the database is away");
}

/* The last of the request's rows is in: now the answer. */
static void one_committed(struct request *r)
{
    if (atomic_fetch_sub(&r->pending, 1) == 1)
        answer_good(r);
}

/* Prometheus posts for itself; whoever else sends is an alert manager of some kind. */
static bool merges(const struct request *r)
{
    return r->format != FL_FORMAT_ALERTMANAGER_V2;
}

/* Journal thread. */
static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct request *r = ctx;
    (void)seq;
    if (st == FL_OK) {
        if (!r->settled)
            intake_settle(&r->intake, at);
        fl_leases_commit(r->http->o.leases, r->intake.alerts, r->intake.n_alerts, at, 0, merges(r));
        atomic_fetch_add(&r->http->alerts_accepted, r->intake.n_alerts);
        one_committed(r);
    } else {
        not_committed(r, st);
    }
    request_unref(r);
}

/* Journal thread. */
static void on_changes_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct request *r = ctx;
    (void)seq;
    (void)at;
    if (st == FL_OK)
        one_committed(r);
    else
        not_committed(r, st);
    request_unref(r);
}

/* ---- before it ---- */

static const char *source_of(const struct request *r)
{
    return r->source ? r->source : fl_format_name(r->format);
}

/* What the sender sent: of a mapped source without the mapping, which may be another one next time. */
static const char *body_as_sent(const struct request *r, size_t *ret_n)
{
    *ret_n = r->sent ? r->sent_n : r->body_n;
    return r->sent ? r->sent : r->body;
}

static void body_letter(struct request *r, const char *where, const char *reason, bool with_body)
{
    size_t n = 0;
    const char *body = with_body ? body_as_sent(r, &n) : "";
    bool cut = n > FL_DEADLETTER_RAW_MAX;
    n = cut ? FL_DEADLETTER_RAW_MAX : n;
    char *raw = malloc(n + 1);
    if (!raw)
        n = 0;
    for (size_t i = 0; i < n; i++)
        raw[i] = body[i] ? body[i] : '?';
    if (raw) {
        raw[n] = 0;
        fl_utf8_repair(raw, n);
    }
    struct fl_deadletter letter = {source_of(r), where, reason, raw ? raw : "", true, cut};
    fl_store_deadletters(r->http->o.store, &letter, 1);
    free(raw);
}

void intake_letter(struct request *r, const struct fl_err *err, bool with_body)
{
    body_letter(r, err->where, err->text, with_body);
}

static struct fl_deadletter element_letter(const char *source, const struct fl_reject *j)
{
    bool cut = strlen(j->raw) >= FL_REJECT_RAW_MAX;
    return (struct fl_deadletter){source, j->where, j->reason, j->raw, false, cut};
}

void intake_rejects(struct fl_store *store, const char *source, const struct fl_intake *in)
{
    struct fl_deadletter *v = calloc(in->n_rejects, sizeof *v);
    if (!v)
        return;
    for (size_t i = 0; i < in->n_rejects; i++)
        v[i] = element_letter(source, &in->rejects[i]);
    fl_store_deadletters(store, v, in->n_rejects);
    free(v);
}

/* Of a mapped body with nothing good in it, the mapping is what is wrong: then the body is kept as one. */
static void keep_rejects(struct request *r)
{
    const struct fl_intake *in = &r->intake;
    char more[400];
    if (!in->n_rejects)
        return;
    atomic_fetch_add(&r->http->alerts_rejected, in->n_rejects);
    if (!r->sent || in->n_alerts || in->n_ignored || in->n_rejects == 1) {
        intake_rejects(r->http->o.store, source_of(r), in);
        return;
    }
    snprintf(more, sizeof more, "%.300s; and %zu elements more", in->rejects[0].reason, in->n_rejects - 1);
    body_letter(r, in->rejects[0].where, more, true);
}

static void journal(struct request *r)
{
    struct fl_submission *sub = submission_new(r, FL_EV_ALERTS, source_of(r));
    if (!sub)
        return;
    sub->alerts = r->intake.alerts;
    sub->n_alerts = r->intake.n_alerts;
    sub->numbered = on_numbered;
    sub->committed = on_committed;
    if (request_park(r))
        submission_push(r, sub);
}

/* ---- changes among the events ---- */

/* A submission of its own, since the body's arena goes with the alerts. */
static struct fl_submission *changes_new(struct request *r, const char *json, size_t n)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_submission *sub = arena ? fl_arena_calloc(arena, 1, sizeof *sub) : NULL;
    const char *actor = sub ? fl_arena_strdup(arena, r->caller.name) : NULL;
    const char *body = actor ? fl_arena_strndup(arena, json, n) : NULL;
    if (!body) {
        fl_arena_free(arena);
        return NULL;
    }
    *sub = (struct fl_submission){.kind = FL_EV_CHANGE,
                                  .actor = actor,
                                  .source = "",
                                  .body = body,
                                  .body_len = n,
                                  .arena = arena,
                                  .ctx = r,
                                  .committed = on_changes_committed};
    fl_sha256(body, n, &sub->body_hash);
    return sub;
}

/* The request is suspended already, or will be by the alerts that follow. */
static bool changes_send(struct request *r, const char *json, size_t n)
{
    struct fl_submission *sub = changes_new(r, json, n);
    struct fl_arena *arena = sub ? sub->arena : NULL;
    request_ref(r);
    fl_status st = sub ? fl_store_submit(r->http->o.store, sub) : FL_E_NOMEM;
    if (st == FL_OK)
        return true;
    fl_arena_free(arena);
    atomic_fetch_add(&r->http->intake_refused, 1);
    not_committed(r, st);
    request_unref(r);
    return false;
}

void intake_changes_only(struct request *r, const char *json, size_t n)
{
    atomic_store(&r->pending, 1);
    if (request_suspend(r))
        (void)changes_send(r, json, n);
}

static fl_status write_changes(struct request *r, struct fl_buf *b)
{
    struct fl_err err = {0};
    FL_AUTO_ARENA scratch = fl_arena_new(0);
    return scratch ? fl_intake_cloudevents_changes(scratch, r->body, r->body_n, r->received_at, b, &err)
                   : FL_E_NOMEM;
}

/* Two rows, one answer. The suspension comes first: the changes may be in before the alerts are handed over. */
static void journal_both(struct request *r, const struct fl_buf *changes)
{
    struct fl_submission *sub = submission_new(r, FL_EV_ALERTS, source_of(r));
    if (!sub)
        return;
    sub->committed = on_committed;
    if (request_suspend(r) && changes_send(r, changes->p, changes->n))
        submission_push(r, sub);
}

/* ---- one body ---- */

void intake_body(struct request *r)
{
    struct fl_err err = {0};
    if (fl_intake_parse(r->body_arena, r->format, r->body, r->body_n, r->received_at, &r->intake, &err) !=
        FL_OK) {
        if (err.status != FL_E_NOMEM)
            intake_letter(r, &err, true);
        answer_unreadable(r, &err);
        return;
    }
    if (r->http->o.noise)
        fl_noise_count(r->http->o.noise, source_of(r), r->intake.alerts, r->intake.n_alerts);
    if (r->http->o.heartbeats)
        fl_heartbeats_see(r->http->o.heartbeats, source_of(r), r->intake.alerts, r->intake.n_alerts,
                          fl_mono());
    keep_rejects(r);
    FL_AUTO_BUF changes = fl_buf_init(6 * r->body_n + (1 << 20));
    if (r->intake.n_changes && write_changes(r, &changes) != FL_OK) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return;
    }
    bool known = r->intake.n_alerts && fl_leases_renew_all(r->http->o.leases, r->intake.alerts,
                                                           r->intake.n_alerts, r->received_at, merges(r));
    if (known)
        atomic_fetch_add(&r->http->alerts_repeated, r->intake.n_alerts);
    bool write_alerts = r->intake.n_alerts && !known;
    atomic_store(&r->pending, (r->intake.n_changes > 0) + write_alerts);
    if (!write_alerts && !r->intake.n_changes)
        answer_good(r);
    else if (!r->intake.n_changes)
        journal(r);
    else if (!write_alerts)
        intake_changes_only(r, changes.p, changes.n);
    else
        journal_both(r, &changes);
}

void run_intake(struct request *r)
{
    r->format = (fl_format)r->route->arg;
    intake_body(r);
}
