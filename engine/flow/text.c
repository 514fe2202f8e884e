/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/text.c -- effects as canonical JSON lines: what a replay compares. */
#include "flow_priv.h"

static void hash(struct fl_jw *w, const char *key, const struct fl_sha256 *h)
{
    char hex[65];
    fl_jw_str(w, key, fl_sha256_hex(h, hex));
}

static void alert_line(struct fl_jw *w, const struct fl_alert_row *r)
{
    char hex[17];
    fl_jw_str(w, "row", "alert");
    fl_jw_str(w, "fingerprint", fl_fingerprint_hex(r->fingerprint, hex));
    fl_jw_time(w, "starts_at", r->starts_at);
    fl_jw_str(w, "status", fl_alert_status_name(r->status));
    fl_jw_str(w, "node", r->node);
    fl_jw_str(w, "incident", r->incident);
    if (!r->only_state)
        fl_jw_raw(w, "why", r->why);
    if (!fl_streq(r->silenced_by, "[]"))
        fl_jw_raw(w, "silenced_by", r->silenced_by);
    if (!fl_streq(r->inhibited_by, "[]"))
        fl_jw_raw(w, "inhibited_by", r->inhibited_by);
    if (*r->quiet)
        fl_jw_str(w, "quiet", r->quiet);
}

static void incident_line(struct fl_jw *w, const struct fl_incident_row *r)
{
    fl_jw_str(w, "row", "incident");
    fl_jw_str(w, "id", r->id);
    fl_jw_str(w, "title", r->title);
    fl_jw_str(w, "state", fl_incident_state_name(r->state));
    fl_jw_str(w, "severity", fl_severity_name(r->severity));
    fl_jw_int(w, "alerts", (int64_t)r->alerts_total);
    fl_jw_int(w, "firing", (int64_t)r->alerts_firing);
    fl_jw_int(w, "stale", (int64_t)r->alerts_stale);
    fl_jw_str(w, "cause", r->cause);
    fl_jw_fixed(w, "confidence", r->confidence, 6);
    fl_jw_str(w, "merged_into", r->merged_into);
    fl_jw_str(w, "reason", r->reason);
}

static void run_line(struct fl_jw *w, const struct fl_run_row *r)
{
    fl_jw_str(w, "row", "run");
    fl_jw_str(w, "id", r->id);
    fl_jw_str(w, "incident", r->incident);
    fl_jw_str(w, "playbook", r->playbook);
    fl_jw_str(w, "state", fl_run_state_name(r->state));
    fl_jw_raw(w, "params", r->params);
    fl_jw_str(w, "reason", r->reason);
}

static void call_line(struct fl_jw *w, const struct fl_call_row *r)
{
    fl_jw_str(w, "row", "call");
    fl_jw_str(w, "run", r->run);
    fl_jw_int(w, "n", r->n);
    fl_jw_str(w, "fn", r->fn);
    fl_jw_raw(w, "args", r->args);
    fl_jw_str(w, "state", fl_call_state_name(r->state));
    fl_jw_raw(w, "result", *r->result ? r->result : NULL);
}

static void audit_line(struct fl_jw *w, const struct fl_audit_entry *e)
{
    fl_jw_str(w, "row", "audit");
    fl_jw_int(w, "seq", (int64_t)e->seq);
    fl_jw_time(w, "at", e->at);
    fl_jw_str(w, "actor", e->actor);
    fl_jw_str(w, "action", e->action);
    fl_jw_str(w, "subject", e->subject);
    fl_jw_str(w, "incident", e->incident);
    fl_jw_str(w, "reason", e->reason);
    fl_jw_raw(w, "detail", e->detail);
    hash(w, "hash", &e->hash);
}

/* Of a silence or a maintenance window; nothing while nothing was said of it. */
static void reminder(struct fl_jw *w, uint64_t times, fl_usec at, const char *text)
{
    if (!times)
        return;
    fl_jw_int(w, "reminders", (int64_t)times);
    fl_jw_time(w, "reminded_at", at);
    fl_jw_str(w, "reminder", text);
}

static void verdict_line(struct fl_jw *w, const struct fl_verdict_row *r)
{
    fl_jw_str(w, "row", "verdict");
    fl_jw_str(w, "incident", r->incident);
    fl_jw_str(w, "verdict", r->verdict);
    fl_jw_str(w, "node", r->node);
    fl_jw_str(w, "model", r->model);
    fl_jw_int(w, "rank", r->rank);
    fl_jw_str(w, "shadow_model", r->shadow_model);
    fl_jw_int(w, "shadow_rank", r->shadow_rank);
}

static void other_line(struct fl_jw *w, const struct fl_fx *fx)
{
    switch (fx->kind) {
    case FL_FX_TIMELINE:
        fl_jw_str(w, "row", "timeline");
        fl_jw_str(w, "incident", fx->timeline.incident);
        fl_jw_str(w, "kind", fx->timeline.kind);
        fl_jw_str(w, "actor", fx->timeline.actor);
        fl_jw_str(w, "text", fx->timeline.text);
        break;
    case FL_FX_RANKING:
        fl_jw_str(w, "row", "ranking");
        fl_jw_str(w, "incident", fx->ranking.incident);
        fl_jw_int(w, "version", fx->ranking.version);
        fl_jw_raw(w, "ranking", fx->ranking.json);
        if (*fx->ranking.shadow)
            fl_jw_raw(w, "shadow", fx->ranking.shadow);
        break;
    case FL_FX_MODEL:
        fl_jw_str(w, "row", "model");
        fl_jw_str(w, "id", fx->model.id);
        fl_jw_str(w, "origin", fx->model.origin);
        break;
    case FL_FX_MODEL_USE:
        fl_jw_str(w, "row", "model_use");
        fl_jw_str(w, "live", fx->model_use.live);
        fl_jw_str(w, "shadow", fx->model_use.shadow);
        fl_jw_str(w, "reason", fx->model_use.reason);
        break;
    case FL_FX_VERDICT: verdict_line(w, &fx->verdict); break;
    case FL_FX_TOPOLOGY:
        fl_jw_str(w, "row", "topology");
        hash(w, "sha256", &fx->topology.doc->hash);
        break;
    case FL_FX_CHANGE:
        fl_jw_str(w, "row", "change");
        fl_jw_str(w, "id", fx->change.change->id);
        break;
    case FL_FX_SILENCE:
        fl_jw_str(w, "row", "silence");
        fl_jw_str(w, "id", fx->silence.id);
        fl_jw_raw(w, "matchers", fx->silence.matchers);
        fl_jw_time(w, "starts_at", fx->silence.starts_at);
        fl_jw_time(w, "ends_at", fx->silence.ends_at);
        fl_jw_str(w, "created_by", fx->silence.created_by);
        fl_jw_str(w, "comment", fx->silence.comment);
        reminder(w, fx->silence.reminders, fx->silence.reminded_at, fx->silence.reminder);
        break;
    case FL_FX_MAINTENANCE:
        fl_jw_str(w, "row", "maintenance");
        fl_jw_str(w, "id", fx->maintenance.id);
        fl_jw_raw(w, "window", fx->maintenance.window);
        fl_jw_str(w, "state", fx->maintenance.state);
        if (fx->maintenance.next_at)
            fl_jw_time(w, "next_at", fx->maintenance.next_at);
        reminder(w, fx->maintenance.reminders, fx->maintenance.reminded_at, fx->maintenance.reminder);
        break;
    case FL_FX_RUN_START:
        fl_jw_str(w, "order", "start");
        fl_jw_str(w, "run", fx->start.run);
        fl_jw_int(w, "recorded", (int64_t)fx->start.n_calls);
        break;
    case FL_FX_ACT:
        fl_jw_str(w, "order", "act");
        fl_jw_str(w, "run", fx->act.run);
        fl_jw_int(w, "n", fx->act.n);
        break;
    case FL_FX_REPLY:
        fl_jw_str(w, "order", "reply");
        fl_jw_str(w, "run", fx->reply.run);
        fl_jw_int(w, "n", fx->reply.n);
        fl_jw_str(w, "state", fl_call_state_name(fx->reply.state));
        break;
    case FL_FX_STOP:
        fl_jw_str(w, "order", "stop");
        fl_jw_str(w, "run", fx->stop.run);
        fl_jw_str(w, "reason", fx->stop.reason);
        break;
    case FL_FX_ANSWER:
        fl_jw_str(w, "order", "answer");
        fl_jw_str(w, "status", fl_status_name(fx->answer.status));
        fl_jw_raw(w, "json", fx->answer.json);
        break;
    default: break;
    }
}

fl_status fl_effects_text(const struct fl_effects *fx, struct fl_buf *out)
{
    for (size_t i = 0; i < fx->n; i++) {
        const struct fl_fx *e = &fx->v[i];
        struct fl_jw w = fl_jw_init(out);
        fl_jw_obj(&w, NULL);
        fl_jw_int(&w, "event", (int64_t)fx->event_seq);
        switch (e->kind) {
        case FL_FX_ALERT: alert_line(&w, &e->alert); break;
        case FL_FX_INCIDENT: incident_line(&w, &e->incident); break;
        case FL_FX_RUN: run_line(&w, &e->run); break;
        case FL_FX_CALL: call_line(&w, &e->call); break;
        case FL_FX_AUDIT: audit_line(&w, &e->audit); break;
        default: other_line(&w, e); break;
        }
        fl_jw_obj_end(&w);
        fl_buf_chr(out, '\n');
    }
    return out->failed ? FL_E_NOMEM : FL_OK;
}
