/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/rows.c -- rows of a batch of steps as SQL: one multi-row statement per table, COPY for many new rows. */
#include "store_priv.h"

#include <faultline/json.h>

#include <string.h>

/* ---- parameters of each table ----------------------------------------------------------------------------------- */

#define EACH(elem, add, ...)                            \
    do {                                                \
        struct fl_pq_array col_ = fl_pq_array(p, elem); \
        for (size_t i = 0; i < n; i++) {                \
            const struct fl_fx *f = v[i];               \
            add(&col_, __VA_ARGS__);                    \
        }                                               \
        fl_pq_array_end(&col_);                         \
    } while (0)
#define TEXT(e) EACH(FL_PQ_TEXT, add_str, e)
#define OPT(e) EACH(FL_PQ_TEXT, fl_pq_add_opt, e)
#define I64(e) EACH(FL_PQ_I64, fl_pq_add_i64, (int64_t)(e))
#define TIME(e) EACH(FL_PQ_TIME, fl_pq_add_time, e)
#define REAL(e) EACH(FL_PQ_REAL, fl_pq_add_real, e)
#define HASH(e) EACH(FL_PQ_BYTES, fl_pq_add_bytes, (e).b, sizeof(e).b)

static void add_str(struct fl_pq_array *a, const char *s)
{
    fl_pq_add_text(a, s ? s : "");
}

static void add_labels(struct fl_pq_array *a, const struct fl_labels *l)
{
    FL_AUTO_BUF b = fl_buf_init((size_t)64 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < l->n; i++)
        fl_jw_str(&w, l->v[i].name, l->v[i].value);
    fl_jw_obj_end(&w);
    a->p->failed |= b.failed;
    fl_pq_add_text(a, b.failed ? "{}" : b.p);
}

const char *fl_rows_list(const char *list)
{
    return fl_streq(list, "[]") ? NULL : list;
}

/* The columns with which both statements about alerts begin. */
static void alert_head(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    I64(f->alert.fingerprint);
    TIME(f->alert.starts_at);
    TIME(f->alert.ends_at);
    TIME(f->alert.received_at);
    TIME(f->alert.updated_at);
    TEXT(fl_alert_status_name(f->alert.status));
    TEXT(fl_severity_name(f->alert.severity));
    TEXT(fl_evidence_class_name(f->alert.cls));
    OPT(f->alert.node);
    OPT(f->alert.map_rule);
    OPT(f->alert.incident);
    OPT(f->alert.source);
}

static void alerts(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    alert_head(p, v, n);
    OPT(f->alert.generator_url);
    EACH(FL_PQ_TEXT, add_labels, &f->alert.labels);
    EACH(FL_PQ_TEXT, add_labels, &f->alert.annotations);
    OPT(f->alert.why);
    OPT(fl_rows_list(f->alert.silenced_by));
    OPT(fl_rows_list(f->alert.inhibited_by));
    OPT(f->alert.quiet);
}
static const char alert_sql[] =
    "INSERT INTO alert AS t (realm, fingerprint, starts_at, ends_at, received_at, updated_at, status, severity, class,"
    " node, map_rule, incident, source, generator_url, labels, annotations, why, silenced_by, inhibited_by, quiet)"
    " SELECT $1, fp, sa, ea, ra, ua, st, se, cl, no, mr, inc, so, gu, la::jsonb, an::jsonb, wh::json, si::json, ih::json, qu"
    " FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[],"
    " $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[],"
    " $17::text[], $18::text[], $19::text[], $20::text[])"
    " u(fp, sa, ea, ra, ua, st, se, cl, no, mr, inc, so, gu, la, an, wh, si, ih, qu)"
    " ON CONFLICT (realm, fingerprint, starts_at) DO UPDATE SET ends_at = excluded.ends_at,"
    " received_at = excluded.received_at, updated_at = excluded.updated_at, status = excluded.status,"
    " severity = excluded.severity, class = excluded.class, node = excluded.node, map_rule = excluded.map_rule,"
    " incident = excluded.incident, source = excluded.source, generator_url = excluded.generator_url,"
    " labels = excluded.labels, annotations = excluded.annotations, why = excluded.why,"
    " silenced_by = excluded.silenced_by, inhibited_by = excluded.inhibited_by, quiet = excluded.quiet";

/* What can change of an episode whose texts are written already. The realm is one of the joined columns: as a constant it
 * would, in a table never analysed, make the planner think that few rows are left of it, and compare each with all of ours. */
static void alert_states(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    alert_head(p, v, n);
    OPT(f->alert.why);
    OPT(fl_rows_list(f->alert.silenced_by));
    OPT(fl_rows_list(f->alert.inhibited_by));
    OPT(f->alert.quiet);
}
static const char alert_state_sql[] =
    "UPDATE alert t SET ends_at = ea, received_at = ra, updated_at = ua, status = st, severity = se, class = cl, node = no,"
    " map_rule = mr, incident = inc, source = so, why = wh::json, silenced_by = si::json, inhibited_by = ih::json, quiet = qu"
    " FROM (SELECT $1 AS re, v.* FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],"
    " $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::text[],"
    " $15::text[], $16::text[], $17::text[]) v(fp, sa, ea, ra, ua, st, se, cl, no, mr, inc, so, wh, si, ih, qu) OFFSET 0) u"
    " WHERE t.fingerprint = fp AND t.starts_at = sa AND t.realm = re";

/* The end of most episodes. */
static void alert_times(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    I64(f->alert.fingerprint);
    TIME(f->alert.starts_at);
    TIME(f->alert.ends_at);
    TIME(f->alert.received_at);
    TIME(f->alert.updated_at);
    TEXT(fl_alert_status_name(f->alert.status));
}
static const char alert_times_sql[] =
    "UPDATE alert t SET ends_at = ea, received_at = ra, updated_at = ua, status = st"
    " FROM (SELECT $1 AS re, v.* FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[],"
    " $6::timestamptz[], $7::text[]) v(fp, sa, ea, ra, ua, st) OFFSET 0) u"
    " WHERE t.fingerprint = fp AND t.starts_at = sa AND t.realm = re";

static void incidents(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->incident.id);
    TEXT(f->incident.title);
    TEXT(fl_incident_state_name(f->incident.state));
    TEXT(fl_severity_name(f->incident.severity));
    TIME(f->incident.opened_at);
    TIME(f->incident.updated_at);
    TIME(f->incident.last_alert_at);
    TIME(f->incident.resolved_at);
    I64(f->incident.alerts_total);
    I64(f->incident.alerts_firing);
    I64(f->incident.alerts_stale);
    I64(f->incident.components);
    OPT(f->incident.cause);
    REAL(f->incident.confidence);
    OPT(f->incident.merged_into);
    OPT(f->incident.acked_by);
    OPT(f->incident.assignee);
    TEXT(f->incident.reason);
}
static const char incident_sql[] =
    "INSERT INTO incident (realm, id, title, state, severity, opened_at, updated_at, last_alert_at, resolved_at,"
    " alerts_total, alerts_firing, alerts_stale, components, cause, confidence, merged_into, acked_by, assignee, reason)"
    " SELECT $1, u.* FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],"
    " $8::timestamptz[], $9::timestamptz[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::text[],"
    " $15::float8[], $16::text[], $17::text[], $18::text[], $19::text[]) u"
    " ON CONFLICT (realm, id) DO UPDATE SET title = excluded.title, state = excluded.state, severity = excluded.severity,"
    " opened_at = excluded.opened_at, updated_at = excluded.updated_at, last_alert_at = excluded.last_alert_at,"
    " resolved_at = excluded.resolved_at, alerts_total = excluded.alerts_total, alerts_firing = excluded.alerts_firing,"
    " alerts_stale = excluded.alerts_stale, components = excluded.components, cause = excluded.cause,"
    " confidence = excluded.confidence, merged_into = excluded.merged_into, acked_by = excluded.acked_by,"
    " assignee = excluded.assignee, reason = excluded.reason";

static void timelines(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    I64(f->timeline.event_seq);
    I64(f->timeline.n);
    TEXT(f->timeline.incident);
    TIME(f->timeline.at);
    TEXT(f->timeline.kind);
    TEXT(f->timeline.actor);
    TEXT(f->timeline.text);
    OPT(f->timeline.detail);
}
static const char timeline_sql[] =
    "INSERT INTO timeline (realm, event_seq, n, incident, at, kind, actor, text, detail)"
    " SELECT $1, es, n, i, t, k, a, x, d::json FROM unnest($2::bigint[], $3::bigint[], $4::text[], $5::timestamptz[],"
    " $6::text[], $7::text[], $8::text[], $9::text[]) u(es, n, i, t, k, a, x, d)";

static void rankings(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->ranking.incident);
    I64(f->ranking.version);
    TIME(f->ranking.at);
    I64(f->ranking.event_seq);
    TEXT(f->ranking.model);
    HASH(f->ranking.rules_hash);
    HASH(f->ranking.topology_hash);
    TEXT(f->ranking.json);
    OPT(f->ranking.shadow_model);
    OPT(f->ranking.shadow);
}
static const char ranking_sql[] =
    "INSERT INTO ranking (realm, incident, version, at, event_seq, model, rules_hash, topology_hash, ranking,"
    " shadow_model, shadow)"
    " SELECT $1, i, ve, t, es, m, r, th, j::json, sm, sj::json FROM unnest($2::text[], $3::bigint[], $4::timestamptz[],"
    " $5::bigint[], $6::text[], $7::bytea[], $8::bytea[], $9::text[], $10::text[], $11::text[])"
    " u(i, ve, t, es, m, r, th, j, sm, sj)";

static void runs(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->run.id);
    OPT(f->run.incident);
    TEXT(f->run.playbook);
    TEXT(f->run.version);
    HASH(f->run.playbook_hash);
    TEXT(fl_run_state_name(f->run.state));
    OPT(f->run.requested_by);
    OPT(f->run.approved_by);
    TEXT(f->run.approval);
    OPT(f->run.params);
    OPT(f->run.ctx);
    TEXT(f->run.reason);
    OPT(f->run.result);
    TIME(f->run.created_at);
    TIME(f->run.started_at);
    TIME(f->run.ended_at);
    TIME(f->run.deadline);
    TIME(f->run.approve_by);
    I64(f->run.recoveries);
}
static const char run_sql[] =
    "INSERT INTO run (realm, id, incident, playbook, version, playbook_hash, state, requested_by, approved_by, approval,"
    " params, ctx, reason, result, created_at, started_at, ended_at, deadline, approve_by, recoveries)"
    " SELECT $1, a, b, c, d, e, f, g, h, i, j::json, k::json, l, m::json, n, o, p, q, r, s"
    " FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[], $8::text[], $9::text[],"
    " $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],"
    " $17::timestamptz[], $18::timestamptz[], $19::timestamptz[], $20::bigint[])"
    " u(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s)"
    " ON CONFLICT (realm, id) DO UPDATE SET incident = excluded.incident, state = excluded.state,"
    " playbook = excluded.playbook, version = excluded.version, playbook_hash = excluded.playbook_hash,"
    " requested_by = excluded.requested_by, approved_by = excluded.approved_by, approval = excluded.approval,"
    " params = excluded.params, ctx = excluded.ctx, reason = excluded.reason, result = excluded.result,"
    " created_at = excluded.created_at, started_at = excluded.started_at, ended_at = excluded.ended_at,"
    " deadline = excluded.deadline, approve_by = excluded.approve_by, recoveries = excluded.recoveries";

static void calls(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->call.run);
    I64(f->call.n);
    TEXT(f->call.fn);
    OPT(f->call.step);
    OPT(f->call.args);
    HASH(f->call.args_hash);
    TEXT(fl_call_state_name(f->call.state));
    OPT(f->call.result);
    TEXT(f->call.reason);
    TIME(f->call.intent_at);
    TIME(f->call.outcome_at);
}
static const char call_sql[] =
    "INSERT INTO run_call (realm, run, n, fn, step, args, args_hash, state, result, reason, intent_at, outcome_at)"
    " SELECT $1, a, b, c, d, e::json, f, g, h::json, i, j, k FROM unnest($2::text[], $3::bigint[], $4::text[],"
    " $5::text[], $6::text[], $7::bytea[], $8::text[], $9::text[], $10::text[], $11::timestamptz[], $12::timestamptz[])"
    " u(a, b, c, d, e, f, g, h, i, j, k)"
    " ON CONFLICT (realm, run, n) DO UPDATE SET fn = excluded.fn, step = excluded.step, args = excluded.args,"
    " args_hash = excluded.args_hash, state = excluded.state, result = excluded.result, reason = excluded.reason,"
    " intent_at = excluded.intent_at, outcome_at = excluded.outcome_at";

/* Changes carry no number of their own: their place among those of the same event. */
static void add_place(struct fl_pq_array *a, const struct fl_fx *const *v, size_t i)
{
    size_t k = i;
    while (k > 0 && v[k - 1]->change.event_seq == v[i]->change.event_seq)
        k--;
    fl_pq_add_i64(a, (int64_t)(i - k));
}

static void changes(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    I64(f->change.event_seq);
    struct fl_pq_array place = fl_pq_array(p, FL_PQ_I64);
    for (size_t i = 0; i < n; i++)
        add_place(&place, v, i);
    fl_pq_array_end(&place);
    TIME(f->change.change->time);
    TEXT(f->change.change->component);
    TEXT(f->change.change->kind);
    TEXT(f->change.change->id);
    OPT(f->change.change->author);
    OPT(f->change.change->title);
    OPT(f->change.change->link);
    OPT(f->change.change->detail);
}
static const char change_sql[] =
    "INSERT INTO change (realm, event_seq, n, at, component, kind, id, author, title, link, detail)"
    " SELECT $1, u.* FROM unnest($2::bigint[], $3::bigint[], $4::timestamptz[], $5::text[], $6::text[], $7::text[],"
    " $8::text[], $9::text[], $10::text[], $11::text[]) u";

static void audits(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    I64(f->audit.seq);
    TIME(f->audit.at);
    I64(f->audit.event_seq);
    TEXT(f->audit.actor);
    TEXT(f->audit.action);
    TEXT(f->audit.subject);
    TEXT(f->audit.incident);
    TEXT(f->audit.reason);
    TEXT(f->audit.detail);
    HASH(f->audit.prev);
    HASH(f->audit.hash);
}
static const char audit_sql[] =
    "INSERT INTO audit (realm, seq, at, event_seq, actor, action, subject, incident, reason, detail, prev, hash)"
    " SELECT $1, u.* FROM unnest($2::bigint[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[], $7::text[],"
    " $8::text[], $9::text[], $10::text[], $11::bytea[], $12::bytea[]) u";

static void silences(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->silence.id);
    TEXT(f->silence.created_by);
    TEXT(f->silence.comment);
    TEXT(f->silence.matchers);
    TIME(f->silence.starts_at);
    TIME(f->silence.ends_at);
    TIME(f->silence.updated_at);
    I64(f->silence.reminders);
    TIME(f->silence.reminded_at);
    OPT(f->silence.reminder);
}
static const char silence_sql[] =
    "INSERT INTO silence (realm, id, created_by, comment, matchers, starts_at, ends_at, updated_at, reminders, reminded_at, reminder)"
    " SELECT $1, i, cb, co, ma::json, sa, ea, ua, rs, ra, re FROM unnest($2::text[], $3::text[], $4::text[], $5::text[],"
    " $6::timestamptz[], $7::timestamptz[], $8::timestamptz[], $9::bigint[], $10::timestamptz[], $11::text[])"
    " u(i, cb, co, ma, sa, ea, ua, rs, ra, re)"
    " ON CONFLICT (realm, id) DO UPDATE SET created_by = excluded.created_by, comment = excluded.comment,"
    " matchers = excluded.matchers, starts_at = excluded.starts_at, ends_at = excluded.ends_at,"
    " updated_at = excluded.updated_at, reminders = excluded.reminders, reminded_at = excluded.reminded_at,"
    " reminder = excluded.reminder";

static void windows(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->maintenance.id);
    TEXT(f->maintenance.created_by);
    TEXT(f->maintenance.window);
    TEXT(f->maintenance.state);
    TIME(f->maintenance.next_at);
    TIME(f->maintenance.updated_at);
    I64(f->maintenance.reminders);
    TIME(f->maintenance.reminded_at);
    OPT(f->maintenance.reminder);
}
static const char window_sql[] =
    "INSERT INTO maintenance (realm, id, created_by, definition, state, next_at, updated_at, reminders, reminded_at, reminder)"
    " SELECT $1, i, cb, de::json, st, na, ua, rs, ra, re FROM unnest($2::text[], $3::text[], $4::text[], $5::text[],"
    " $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::timestamptz[], $10::text[])"
    " u(i, cb, de, st, na, ua, rs, ra, re)"
    " ON CONFLICT (realm, id) DO UPDATE SET created_by = excluded.created_by, definition = excluded.definition,"
    " state = excluded.state, next_at = excluded.next_at, updated_at = excluded.updated_at,"
    " reminders = excluded.reminders, reminded_at = excluded.reminded_at, reminder = excluded.reminder";

static void models(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->model.id);
    HASH(f->model.hash);
    TEXT(f->model.origin);
    TEXT(f->model.note);
    TEXT(f->model.text);
    TIME(f->model.added_at);
    OPT(f->model.added_by);
}
static const char model_sql[] =
    "INSERT INTO model (realm, id, hash, origin, note, text, added_at, added_by)"
    " SELECT $1, i, h, o, no, t::json, a, b FROM unnest($2::text[], $3::bytea[], $4::text[], $5::text[], $6::text[],"
    " $7::timestamptz[], $8::text[]) u(i, h, o, no, t, a, b) ON CONFLICT (realm, id) DO NOTHING";

static void model_uses(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    I64(f->model_use.event_seq);
    TIME(f->model_use.at);
    TEXT(f->model_use.live);
    OPT(f->model_use.shadow);
    TEXT(f->model_use.actor);
    TEXT(f->model_use.reason);
}
static const char model_use_sql[] =
    "INSERT INTO model_use (realm, event_seq, at, live, shadow, actor, reason)"
    " SELECT $1, u.* FROM unnest($2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[]) u";

static void verdicts(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n)
{
    TEXT(f->verdict.incident);
    TEXT(f->verdict.verdict);
    TEXT(f->verdict.actor);
    I64(f->verdict.event_seq);
    TIME(f->verdict.at);
    OPT(f->verdict.node);
    OPT(f->verdict.change);
    I64(f->verdict.version);
    OPT(f->verdict.model);
    OPT(f->verdict.shadow_model);
    REAL(f->verdict.confidence);
    I64(f->verdict.convincing);
    I64(f->verdict.rank);
    I64(f->verdict.shadow_rank);
}
/* Places as the core counts them, except that "not known" is null here. */
static const char verdict_sql[] =
    "INSERT INTO verdict (realm, incident, verdict, actor, event_seq, at, node, change, version, model, shadow_model,"
    " confidence, convincing, rank, shadow_rank)"
    " SELECT $1, i, v, a, es, t, n, ch, ve, m, sm, co, cv = 1, nullif(r, -1), nullif(sr, -1) FROM unnest($2::text[],"
    " $3::text[], $4::text[], $5::bigint[], $6::timestamptz[], $7::text[], $8::text[], $9::bigint[], $10::text[],"
    " $11::text[], $12::float8[], $13::bigint[], $14::bigint[], $15::bigint[])"
    " u(i, v, a, es, t, n, ch, ve, m, sm, co, cv, r, sr)"
    " ON CONFLICT (realm, incident) DO UPDATE SET verdict = excluded.verdict, actor = excluded.actor,"
    " event_seq = excluded.event_seq, at = excluded.at, node = excluded.node, change = excluded.change,"
    " version = excluded.version, model = excluded.model, shadow_model = excluded.shadow_model,"
    " confidence = excluded.confidence, convincing = excluded.convincing, rank = excluded.rank,"
    " shadow_rank = excluded.shadow_rank";

static const struct table {
    const char *name, *sql;
    void (*fill)(struct fl_pq_params *p, const struct fl_fx *const *v, size_t n);
} tables[FL_ROW_TABLES] = {
    [FL_FX_ALERT] = {"alert", alert_sql, alerts},
    [FL_ROWS_ALERT_NEW] = {"alert", alert_sql, alerts}, /* when they are few, or not so new after all */
    [FL_ROWS_ALERT_STATE] = {"alert", alert_state_sql, alert_states},
    [FL_ROWS_ALERT_TIMES] = {"alert", alert_times_sql, alert_times},
    [FL_FX_INCIDENT] = {"incident", incident_sql, incidents},
    [FL_FX_TIMELINE] = {"timeline", timeline_sql, timelines},
    [FL_FX_RANKING] = {"ranking", ranking_sql, rankings},
    [FL_FX_RUN] = {"run", run_sql, runs},
    [FL_FX_CALL] = {"run_call", call_sql, calls},
    [FL_FX_TOPOLOGY] = {"topology", NULL, NULL},
    [FL_FX_CHANGE] = {"change", change_sql, changes},
    [FL_FX_SILENCE] = {"silence", silence_sql, silences},
    [FL_FX_MAINTENANCE] = {"maintenance", window_sql, windows},
    [FL_FX_MODEL] = {"model", model_sql, models},
    [FL_FX_MODEL_USE] = {"model_use", model_use_sql, model_uses},
    [FL_FX_VERDICT] = {"verdict", verdict_sql, verdicts},
    [FL_FX_AUDIT] = {"audit", audit_sql, audits}};

/* ---- write -------------------------------------------------------------------------------------------------------- */

static const struct fl_pq_wait patience = {.patience = 30 * FL_USEC_PER_SEC};

static void position(struct fl_store *s, struct fl_pq_params *fence, struct fl_pq_params *advance,
                     uint64_t from, uint64_t to, struct fl_arena *a)
{
    fl_pq_params_init(fence, a);
    fl_pq_params_init(advance, a);
    fl_pq_text(fence, s->realm);
    fl_pq_i64(fence, (int64_t)s->epoch);
    fl_pq_text(advance, s->realm);
    fl_pq_i64(advance, (int64_t)from);
    fl_pq_i64(advance, (int64_t)to);
}

#define FENCE_SQL "SELECT fence($1, $2)"
#define ADVANCE_SQL \
    "SELECT advance($1, $2, $3)" /* first of all: an attempt that did commit shows here, not as a duplicate */

enum {
    COPY_FROM = 64, /* rows of one table from which COPY is worth its turns to the server and back */
    STATEMENTS = FL_ROW_TABLES + 3,
};

static bool is_copied(const struct fl_rows *r, size_t k)
{
    return r->kind[k].n >= COPY_FROM && fl_rows_can_copy(k);
}

/* One message there and one back: the statements are one transaction. With `open` it is one that somebody else ends, and
 * what is copied is left out. */
static fl_pq_fault write_statements(struct fl_store *s, const struct fl_rows *r, uint64_t from, uint64_t to,
                                    bool open, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_pq_params *p = fl_arena_calloc(a, STATEMENTS, sizeof *p);
    if (!p) {
        fl_fail(err, FL_E_NOMEM, "projector", "out of memory");
        return FL_PQ_AWAY;
    }
    struct fl_pq_stmt v[STATEMENTS] = {{.sql = "BEGIN"}};
    size_t n = open ? 1 : 0, bad;
    position(s, &p[n], &p[n + 1], from, to, a);
    v[n] = (struct fl_pq_stmt){.sql = FENCE_SQL, .p = &p[n]};
    v[n + 1] = (struct fl_pq_stmt){.sql = ADVANCE_SQL, .p = &p[n + 1]};
    n += 2;
    for (size_t k = 0; k < FL_ROW_TABLES; k++) {
        if (!r->kind[k].n || !tables[k].fill || (open && is_copied(r, k)))
            continue;
        fl_pq_params_init(&p[n], a);
        fl_pq_text(&p[n], s->realm);
        tables[k].fill(&p[n], r->kind[k].v, r->kind[k].n);
        v[n] = (struct fl_pq_stmt){.sql = tables[k].sql, .p = &p[n]};
        n++;
    }
    fl_pq_fault f = fl_pq_batch(s->project_c, v, n, &patience, &bad, err);
    for (size_t i = 0; i < n; i++)
        fl_pq_params_done(&p[i]);
    return f;
}

static fl_pq_fault end_transaction(struct fl_store *s, fl_pq_fault f, struct fl_err *err)
{
    if (!f)
        return fl_pq_script(s->project_c, "COMMIT", &patience, err);
    if (f != FL_PQ_LOST && fl_pq_script(s->project_c, "ROLLBACK", &patience, NULL))
        return FL_PQ_LOST;
    return f;
}

/* Many rows: most of them are new, and COPY is how PostgreSQL takes those at half the price. */
static fl_pq_fault write_many(struct fl_store *s, const struct fl_rows *r, uint64_t from, uint64_t to,
                              struct fl_err *err)
{
    fl_pq_fault f = write_statements(s, r, from, to, true, err);
    for (size_t k = 0; !f && k < FL_ROW_TABLES; k++)
        if (is_copied(r, k))
            f = fl_rows_copy(s, k, r->kind[k].v, r->kind[k].n, to, &patience, err);
    return end_transaction(s, f, err);
}

static fl_pq_fault write_fast(struct fl_store *s, const struct fl_rows *r, uint64_t from, uint64_t to,
                              struct fl_err *err)
{
    for (size_t k = 0; k < FL_ROW_TABLES; k++)
        if (is_copied(r, k))
            return write_many(s, r, from, to, err);
    return write_statements(s, r, from, to, false, err);
}

static fl_pq_fault insert_some(struct fl_store *s, size_t kind, const struct fl_fx **v, size_t n,
                               struct fl_err *err)
{
    if (kind == FL_FX_TOPOLOGY)
        return fl_topology_write(s->project_c, s->realm, &v[0]->topology, err);
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    tables[kind].fill(&p, v, n);
    return fl_pq_exec(s->project_c, tables[kind].sql, &p, &patience, NULL, err);
}

/* Halve until the row that the database refuses stands alone; log and leave out that one. Audit rows are never left
 * out: without them nothing may happen. */
static fl_pq_fault write_halving(struct fl_store *s, size_t kind, const struct fl_fx **v, size_t n,
                                 uint64_t *skipped, struct fl_err *err)
{
    struct fl_err why = {0};
    if (n == 0)
        return FL_PQ_NONE;
    bool whole = kind != FL_FX_TOPOLOGY || n == 1;
    if (whole) {
        fl_pq_fault f = fl_pq_script(s->project_c, "SAVEPOINT row", &patience, err);
        if (f)
            return f;
        f = insert_some(s, kind, v, n, &why);
        if (!f)
            return fl_pq_script(s->project_c, "RELEASE SAVEPOINT row", &patience, err);
        if (f != FL_PQ_DATA || kind == FL_FX_AUDIT) {
            *err = why;
            return f;
        }
        f = fl_pq_script(s->project_c, "ROLLBACK TO SAVEPOINT row; RELEASE SAVEPOINT row", &patience, err);
        if (f)
            return f;
        if (n == 1) {
            fl_log_err(FL_LOG_ERROR, "store", tables[kind].name, &why);
            ++*skipped;
            return FL_PQ_NONE;
        }
    }
    fl_pq_fault f = write_halving(s, kind, v, n / 2, skipped, err);
    return f ? f : write_halving(s, kind, v + n / 2, n - n / 2, skipped, err);
}

static fl_pq_fault count_skipped(struct fl_store *s, uint64_t skipped, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)skipped);
    return fl_pq_exec(s->project_c, "UPDATE projection SET skipped_rows = skipped_rows + $2 WHERE realm = $1",
                      &p, &patience, NULL, err);
}

/* Statement by statement: for topologies (several statements each) and to find a row the database refuses. */
static fl_pq_fault write_slow(struct fl_store *s, const struct fl_rows *r, uint64_t from, uint64_t to,
                              struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS fence, advance;
    uint64_t skipped = 0;
    position(s, &fence, &advance, from, to, a);
    fl_pq_fault f = fl_pq_script(s->project_c, "BEGIN", &patience, err);
    if (!f)
        f = fl_pq_exec(s->project_c, FENCE_SQL, &fence, &patience, NULL, err);
    if (!f)
        f = fl_pq_exec(s->project_c, ADVANCE_SQL, &advance, &patience, NULL, err);
    for (size_t k = 0; !f && k < FL_ROW_TABLES; k++)
        f = write_halving(s, k, r->kind[k].v, r->kind[k].n, &skipped, err);
    if (!f && skipped)
        f = count_skipped(s, skipped, err);
    f = end_transaction(s, f, err);
    if (!f)
        s->skipped_rows += skipped;
    return f;
}

fl_pq_fault fl_rows_write(struct fl_store *s, const struct fl_rows *r, uint64_t from, uint64_t to,
                          struct fl_err *err)
{
    if (r->kind[FL_FX_TOPOLOGY].n)
        return write_slow(s, r, from, to, err);
    fl_pq_fault f = write_fast(s, r, from, to, err);
    if (f != FL_PQ_DATA)
        return f;
    fl_err_clear(err);
    return write_slow(s, r, from, to, err);
}
