/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/flow.c -- flow_step(): the order of stages, and nothing else; contract in <faultline/flow.h>. */
#include "flow_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fl_status fl_flow_new(const struct fl_flow_options *o, struct fl_flow **ret, struct fl_err *err)
{
    struct fl_flow *f = fl_core_alloc(1, sizeof *f);
    f->realm = fl_core_strdup(o->realm ? o->realm : "default");
    f->rules = o->rules;
    if (!f->rules) {
        const char *text = fl_rules_default_json();
        fl_status st = fl_rules_from_json(text, strlen(text), &f->default_rules, err);
        if (st != FL_OK) {
            free(f->realm);
            free(f);
            return st;
        }
        f->rules = f->default_rules;
    }
    flow_models_new(f, o->model, o->pin_model);
    f->feedback = flow_feedback_new();
    f->drift = flow_drift_new();
    f->history = fl_history_new();
    f->corr = fl_corr_new();
    f->resp = fl_resp_new();
    struct fl_topology_doc empty = {0};
    fl_status st = fl_topo_new(&empty, &f->topo, err);
    if (st != FL_OK || !f->history) {
        fl_flow_free(f);
        return st != FL_OK ? st : FL_E_NOMEM;
    }
    *ret = f;
    return FL_OK;
}

struct fl_flow *fl_flow_free(struct fl_flow *f)
{
    if (!f)
        return NULL;
    fl_resp_free(f->resp);
    fl_corr_free(f->corr);
    fl_history_free(f->history);
    flow_forget_changes(f);
    flow_forget_silent(f);
    fl_topo_free(f->topo);
    flow_models_free(f);
    flow_feedback_free(f->feedback);
    flow_drift_free(f->drift);
    fl_rules_free(f->own_rules);
    fl_rules_free(f->default_rules);
    free(f->topo_text);
    free(f->config_text);
    free(f->realm);
    free(f);
    return NULL;
}

/* ---- one function per kind of event ---- */

/*
 * A body parsed while it was received saw a slightly earlier clock than the event's time; from here on only the
 * event's time counts, so that a replay of the journal decides the same.
 */
static struct fl_alert *settle_times(struct fl_step *s, fl_format format, const struct fl_alert *in, size_t n)
{
    struct fl_alert *v = fl_arena_dup(s->fx->arena, in, n * sizeof *v);
    FL_REQUIRE(v != NULL);
    for (size_t i = 0; i < n; i++) {
        v[i].received_at = s->at;
        if (v[i].starts_guessed)
            v[i].starts_at = s->at;
        if (format == FL_FORMAT_ALERTMANAGER_V2 && v[i].status == FL_ALERT_FIRING && v[i].lease_until &&
            v[i].lease_until <= s->at) {
            v[i].status = FL_ALERT_RESOLVED;
            v[i].ends_at = v[i].lease_until;
        }
    }
    return v;
}

/* Alerts of one event, body by body. */
struct bodies {
    const struct fl_alert *alerts[FL_BODIES_MAX];
    size_t n_alerts[FL_BODIES_MAX], n;
};

static fl_status read_body(struct fl_step *s, fl_format format, const void *body, size_t len,
                           struct bodies *b, struct fl_err *err)
{
    struct fl_intake in = {0};
    fl_status st = fl_intake_parse(s->fx->arena, format, body, len, s->at, &in, err);
    if (st != FL_OK)
        return st;
    if (b->n == FL_BODIES_MAX)
        return fl_fail(err, FL_E_LIMIT, "body", "the row holds more than %u bodies", FL_BODIES_MAX);
    b->alerts[b->n] = in.alerts;
    b->n_alerts[b->n++] = in.n_alerts;
    return FL_OK;
}

/* Intake parsed them already, else (replay, recovery) they are parsed here: to the same. */
static fl_status read_bodies(struct fl_step *s, fl_format format, const struct fl_event *ev, struct bodies *b,
                             struct fl_err *err)
{
    size_t parts = ev->n_parts, at = 0;
    if (ev->alerts && parts <= FL_BODIES_MAX) {
        b->n = parts ? parts : 1;
        for (size_t i = 0; i < b->n; i++) {
            b->alerts[i] = ev->alerts + at;
            b->n_alerts[i] = parts ? ev->parts[i] : ev->n_alerts;
            at += b->n_alerts[i];
        }
        return FL_OK;
    }
    if (ev->kind == FL_EV_ALERTS)
        return read_body(s, format, ev->body, ev->body_len, b, err);
    const char *rest = ev->body, *body = NULL;
    size_t left = ev->body_len, len = 0;
    fl_status st;
    while ((st = fl_bodies_next(&rest, &left, &body, &len, err)) == FL_OK) {
        struct fl_err one = {0};
        if (read_body(s, format, body, len, b, &one) != FL_OK) /* it costs only itself */
            flow_audit(s, "alerts.refused", "alerts", ev->actor, one.text, NULL);
    }
    return st == FL_E_NOTFOUND ? FL_OK : st;
}

static void on_alerts(struct fl_flow *f, struct fl_step *s, const struct fl_event *ev)
{
    fl_format format;
    char hex[65];
    struct bodies b = {.n = 0};
    struct fl_err err = {0};
    size_t n = 0, repeats = 0;
    fl_sha256_hex(&ev->body_hash, hex);
    if (!fl_format_parse(ev->source, &format)) {
        flow_audit(s, "alerts.refused", "alerts", ev->actor,
                   fl_fx_printf(s->fx, "unknown format \"%.60s\"", ev->source), NULL);
        return;
    }
    if (read_bodies(s, format, ev, &b, &err) != FL_OK) {
        flow_audit(s, "alerts.refused", "alerts", ev->actor, err.text, NULL);
        return;
    }
    for (size_t i = 0; i < b.n; i++) {
        repeats += fl_corr_alerts(f->corr, s, f->topo, ev->source,
                                  settle_times(s, format, b.alerts[i], b.n_alerts[i]), b.n_alerts[i]);
        n += b.n_alerts[i];
    }
    f->alerts_in += n;
    flow_drift_alerts(f->drift, f->corr);
    bool several = ev->kind == FL_EV_ALERT_BODIES;
    const char *in = several ? fl_fx_printf(s->fx, " in %zu requests", b.n) : "";
    const char *bodies = several ? fl_fx_printf(s->fx, ",\"bodies\":%zu", b.n) : "";
    flow_audit(s, "alerts.received", "alerts", ev->actor,
               fl_fx_printf(s->fx, "%zu alert%s from %s%s, %zu of them known already", n, n == 1 ? "" : "s",
                            ev->source, in, repeats),
               fl_fx_printf(s->fx,
                            "{\"alerts\":%zu,\"repeats\":%zu,\"source\":\"%s\",\"body_sha256\":\"%s\"%s}", n,
                            repeats, ev->source, hex, bodies));
}

static void on_expired(struct fl_flow *f, struct fl_step *s, const struct fl_json *body)
{
    const struct fl_json *list = fl_json_get(body, "alerts");
    size_t n = fl_json_len(list);
    for (size_t i = 0; i < n; i++) {
        const struct fl_json *a = fl_json_at(list, i);
        uint64_t fp;
        if (fl_fingerprint_parse(fl_json_str(a, "fingerprint", ""), &fp))
            fl_corr_expired(f->corr, s, fp, fl_json_int(a, "starts_at", 0));
    }
    flow_audit(s, "alerts.expired", "alerts", NULL,
               fl_fx_printf(s->fx, "%zu lease%s lapsed: stale, not resolved", n, n == 1 ? "" : "s"), NULL);
}

static void on_topology(struct fl_flow *f, struct fl_step *s, const struct fl_event *ev)
{
    struct fl_err err = {0};
    struct fl_topology_doc *doc = fl_arena_calloc(s->fx->arena, 1, sizeof *doc);
    FL_REQUIRE(doc != NULL);
    fl_status st = flow_apply_topology(f, s, ev->body, ev->body_len, s->fx->arena, doc, &err);
    char hex[65] = "";
    if (st == FL_OK) {
        flow_rank_open(f, s); /* the graph is evidence */
        struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_TOPOLOGY);
        fx->topology = (struct fl_topology_row){s->at, s->seq, doc};
        fl_sha256_hex(&doc->hash, hex);
        flow_audit(s, "topology.changed", "topology", ev->actor,
                   fl_fx_printf(s->fx, "%zu components, %zu dependencies", doc->n_nodes, doc->n_edges),
                   fl_fx_printf(s->fx, "{\"sha256\":\"%s\"}", hex));
    } else {
        flow_audit(s, "topology.refused", "topology", ev->actor, err.text, NULL);
    }
    flow_answer(s, st,
                fl_fx_printf(s->fx, "{\"nodes\":%zu,\"edges\":%zu,\"sha256\":\"%s\"}",
                             fl_topo_n_nodes(f->topo), fl_topo_n_edges(f->topo), hex),
                &err);
}

static void on_config(struct fl_flow *f, struct fl_step *s, const struct fl_json *body, const char *actor)
{
    struct fl_err err = {0};
    fl_status st = flow_apply_config(f, s, body, &err);
    if (st != FL_OK) {
        flow_audit(s, "config.refused", "config", actor, err.text, NULL);
        flow_answer(s, st, NULL, &err);
        return;
    }
    s->rules = f->rules;
    char rules_hex[65], all_hex[65];
    fl_sha256_hex(&f->rules->hash, rules_hex);
    flow_audit(s, "config.changed", "config", actor,
               fl_fx_printf(s->fx, "%zu playbooks, rules %.12s", fl_resp_n_playbooks(f->resp), rules_hex),
               fl_fx_printf(s->fx, "{\"rules_sha256\":\"%s\",\"config_sha256\":\"%s\",\"model\":\"%s\"}",
                            rules_hex, fl_sha256_hex(&f->config_hash, all_hex), fl_model_id(f->model)));
    /* Alerts map by rules: the same snapshot, read with the new ones. */
    fl_corr_topology(f->corr, s, f->topo);
    flow_rank_open(f, s);
    flow_heartbeat_rules(f, s);
    flow_answer(s, FL_OK, NULL, NULL);
}

static void on_started(struct fl_flow *f, struct fl_step *s, const struct fl_json *body)
{
    flow_audit(s, "engine.started", "engine", NULL,
               fl_fx_printf(s->fx, "version %.40s, epoch %lld", fl_json_str(body, "version", "?"),
                            (long long)fl_json_int(body, "epoch", 0)),
               NULL);
    flow_models_started(f);
    fl_resp_engine_started(f->resp, s, (uint64_t)fl_json_int(body, "projected_seq", 0));
}

static void on_token(struct fl_step *s, const struct fl_json *body)
{
    const char *name = fl_json_str(body, "name", "?"), *what = fl_json_str(body, "action", "created");
    const char *id = fl_json_str(body, "id", NULL);
    char action[32];
    snprintf(action, sizeof action, "token.%.20s", what);
    /* The id is how the daemon tells that this token has its entry. */
    bool plain = id && strspn(id, "0123456789abcdef-") == strlen(id);
    flow_audit(s, action, name, s->actor,
               fl_fx_printf(s->fx, "token \"%.120s\" with role %.20s %.20s", name,
                            fl_json_str(body, "role", "?"), what),
               plain ? fl_fx_printf(s->fx, "{\"id\":\"%.40s\"}", id) : NULL);
    flow_answer(s, FL_OK, NULL, NULL);
}

/* Events whose body is one JSON object. */
static void on_object(struct fl_flow *f, struct fl_step *s, const struct fl_event *ev)
{
    struct fl_err err = {0};
    FL_AUTO_JSON body = fl_json_parse(ev->body, ev->body_len, &err);
    if (!fl_json_is_object(body)) {
        flow_audit(s, "event.refused", fl_event_kind_name(ev->kind), ev->actor,
                   err.text[0] ? err.text : "the body is not a JSON object", NULL);
        fl_fail(&err, FL_E_SHAPE, NULL, "the body is not a JSON object");
        flow_answer(s, err.status, NULL, &err);
        return;
    }
    switch (ev->kind) {
    case FL_EV_ALERT_EXPIRED: on_expired(f, s, body); break;
    case FL_EV_COMMAND: flow_command(f, s, body); break;
    case FL_EV_RUN_CALL: fl_resp_call(f->resp, s, body); break;
    case FL_EV_RUN_OUTCOME: fl_resp_outcome(f->resp, s, body); break;
    case FL_EV_RUN_ENDED: fl_resp_ended(f->resp, s, body); break;
    case FL_EV_ENGINE_STARTED: on_started(f, s, body); break;
    case FL_EV_CONFIG: on_config(f, s, body, ev->actor); break;
    case FL_EV_TOKEN: on_token(s, body); break;
    case FL_EV_HEARTBEAT: flow_heartbeats(f, s, body); break;
    default: break;
    }
}

/* ---- the step ---- */

static bool tell_runs(void *ctx, struct fl_incident *i)
{
    fl_resp_incident_changed(((struct fl_flow *)ctx)->resp, i->id);
    return false;
}

fl_status fl_flow_step(struct fl_flow *f, const struct fl_event *ev, struct fl_effects *fx,
                       struct fl_err *err)
{
    if (ev->seq != f->seq + 1)
        return fl_fail(err, FL_E_CONFLICT, "journal", "expected event %llu, got %llu",
                       (unsigned long long)f->seq + 1, (unsigned long long)ev->seq);
    fl_usec at = ev->at > f->at ? ev->at : f->at;
    struct fl_step s = {.at = at,
                        .seq = ev->seq,
                        .actor = ev->actor ? ev->actor : "",
                        .rules = f->rules,
                        .fx = fx,
                        .note = flow_note,
                        .ctx = f};
    fx->realm = fl_fx_str(fx, f->realm);
    fx->event_seq = ev->seq;
    fx->event_bytes = ev->body_len;
    f->notes = 0;

    switch (ev->kind) {
    case FL_EV_ALERTS:
    case FL_EV_ALERT_BODIES: on_alerts(f, &s, ev); break;
    case FL_EV_TOPOLOGY: on_topology(f, &s, ev); break;
    case FL_EV_CHANGE: flow_changes(f, &s, ev->body, ev->body_len); break;
    case FL_EV_TICK: break;
    default: on_object(f, &s, ev); break;
    }
    fl_corr_tick(f->corr, &s, f->topo); /* silences and deadlines that this event's time has passed */
    flow_close_out(f, &s);              /* ended incidents teach; their runs move on */
    flow_rank_due(f, &s);               /* causes, then the playbooks they call for */
    fl_resp_tick(f->resp, &s);
    fl_corr_each_changed(f->corr, tell_runs, f);
    fl_resp_verify(f->resp, &s, flow_firing_on, f);
    fl_corr_flush(f->corr, &s); /* incident rows, once per step */
    flow_models_flush(f, &s);

    f->seq = ev->seq;
    f->at = at;
    return FL_OK;
}

static fl_usec sooner(fl_usec a, fl_usec b)
{
    return !a || (b && b < a) ? b : a;
}

fl_usec fl_flow_deadline(const struct fl_flow *f)
{
    return sooner(fl_corr_deadline(f->corr, f->rules), fl_resp_deadline(f->resp));
}

fl_status fl_flow_check(const struct fl_flow *f, struct fl_err *err)
{
    fl_status st = fl_corr_check(f->corr, f->rules, f->at, err);
    return st == FL_OK ? fl_resp_check(f->resp, f->at, flow_firing_on, (void *)f, err) : st;
}

uint64_t fl_flow_seq(const struct fl_flow *f)
{
    return f->seq;
}

const struct fl_audit_chain *fl_flow_chain(const struct fl_flow *f)
{
    return &f->chain;
}

const struct fl_sha256 *fl_flow_config_hash(const struct fl_flow *f)
{
    return f->config_text ? &f->config_hash : NULL;
}

const struct fl_sha256 *fl_flow_topology_hash(const struct fl_flow *f)
{
    return f->topo_text ? fl_topo_hash(f->topo) : NULL;
}

const struct fl_topo *fl_flow_topology(const struct fl_flow *f)
{
    return f->topo;
}

struct alert_visit {
    const struct fl_flow *f;
    void (*visit)(void *ctx, const struct fl_alert *a);
    void *ctx;
};

static void visit_alert(void *ctx, const struct fl_episode *e)
{
    struct alert_visit *v = ctx;
    struct fl_alert a = *e->alert;
    a.status = e->status;
    if (!flow_is_silent_alert(v->f, &a))
        v->visit(v->ctx, &a);
}

void fl_flow_each_alert(const struct fl_flow *f, void (*visit)(void *ctx, const struct fl_alert *a),
                        void *ctx)
{
    struct alert_visit v = {f, visit, ctx};
    fl_corr_each_active(f->corr, visit_alert, &v);
}

void fl_flow_each_over(const struct fl_flow *f, fl_usec since,
                       void (*visit)(void *ctx, uint64_t fingerprint, fl_usec starts_at, fl_usec at),
                       void *ctx)
{
    fl_corr_each_over(f->corr, since, visit, ctx);
}

void fl_flow_stats(const struct fl_flow *f, struct fl_flow_stats *ret)
{
    struct fl_corr_stats c;
    struct fl_resp_stats r;
    fl_corr_stats(f->corr, &c);
    fl_resp_stats(f->resp, &r);
    *ret = (struct fl_flow_stats){.events = f->seq,
                                  .alerts_in = f->alerts_in,
                                  .repeats = c.repeats,
                                  .episodes = c.episodes,
                                  .incidents_opened = c.opened,
                                  .incidents_open = c.open_incidents,
                                  .merges = c.merged,
                                  .runs = r.started,
                                  .unmapped = c.unmapped,
                                  .alerts_firing = c.firing,
                                  .alerts_stale = c.stale,
                                  .suppressed = c.suppressed,
                                  .flaps = c.flaps,
                                  .alerts_flapping = c.flapping,
                                  .alerts_held = c.held};
    memcpy(ret->hidden, c.hidden, sizeof ret->hidden);
    memcpy(ret->reminded, c.reminded, sizeof ret->reminded);
    memcpy(ret->reminders, c.reminders, sizeof ret->reminders);
    ret->n_teams = fl_corr_teams(f->corr, ret->teams);
    ret->n_alert_rules = fl_corr_alert_rules(f->corr, ret->alert_rules);
}
