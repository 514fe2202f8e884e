/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/pipeline_world.c -- a core in this process, its clock in the hand of a test; what it decided (layer 6). */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

enum { TICKS_MAX = 1000000 };
#define BEGINNING (INT64_C(1767225600) * FL_USEC_PER_SEC) /* 2026-01-01T00:00:00Z */

/* ---- what was decided ---- */

/* A slot for one more; the arrays grow by doubling. */
static void *grow(void *v, size_t *n, size_t size)
{
    if ((*n & (*n - 1)) == 0) {
        v = realloc(v, (*n ? *n * 2 : 1) * size);
        FL_REQUIRE(v != NULL);
    }
    memset((char *)v + (*n)++ * size, 0, size);
    return v;
}

static const char *keep(struct world *w, const char *s)
{
    char *copy = fl_arena_strdup(w->arena, s ? s : "");
    FL_REQUIRE(copy != NULL);
    return copy;
}

static struct fl_labels keep_labels(struct world *w, const struct fl_labels *l)
{
    struct fl_label *v = fl_arena_calloc(w->arena, l->n ? l->n : 1, sizeof *v);
    FL_REQUIRE(v != NULL);
    for (size_t i = 0; i < l->n; i++)
        v[i] = (struct fl_label){keep(w, l->v[i].name), keep(w, l->v[i].value)};
    return (struct fl_labels){v, l->n};
}

static void see_alert(struct world *w, const struct fl_alert_row *r)
{
    struct seen_alert *a = NULL;
    for (size_t i = 0; i < w->n_alerts; i++)
        if (w->alerts[i].fingerprint == r->fingerprint && w->alerts[i].starts_at == r->starts_at)
            a = &w->alerts[i];
    if (!a) {
        w->alerts = grow(w->alerts, &w->n_alerts, sizeof *a);
        a = &w->alerts[w->n_alerts - 1];
        a->labels = keep_labels(w, &r->labels);
        a->fingerprint = r->fingerprint;
        a->starts_at = r->starts_at;
    }
    a->status = r->status;
    a->severity = r->severity;
    a->node = keep(w, r->node);
    a->incident = keep(w, r->incident);
    if (!r->only_state)
        a->why = keep(w, r->why);
    a->quiet = keep(w, r->quiet);
    a->silenced = r->silenced_by && !fl_streq(r->silenced_by, "[]");
    a->inhibited = r->inhibited_by && !fl_streq(r->inhibited_by, "[]");
    a->inhibited_by = keep(w, r->inhibited_by);
    a->kept_by = keep(w, r->kept ? r->kept_by : "");
}

static struct seen_incident *incident_seen(struct world *w, const char *id)
{
    for (size_t i = 0; i < w->n_incidents; i++)
        if (fl_streq(w->incidents[i].id, id))
            return &w->incidents[i];
    w->incidents = grow(w->incidents, &w->n_incidents, sizeof *w->incidents);
    struct seen_incident *x = &w->incidents[w->n_incidents - 1];
    x->id = keep(w, id);
    x->title = x->cause = x->merged_into = x->reason = "";
    return x;
}

static void see_ranking(struct world *w, const struct fl_ranking_row *r)
{
    struct fl_err none = {0};
    FL_AUTO_JSON v = fl_json_parse(r->json, strlen(r->json), &none);
    const struct fl_json *list = fl_json_get(v, "candidates");
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw jw = fl_jw_init(&b);
    fl_jw_arr(&jw, NULL);
    for (size_t i = 0; i < fl_json_len(list); i++)
        fl_jw_str(&jw, NULL, fl_json_str(fl_json_at(list, i), "node", ""));
    fl_jw_arr_end(&jw);
    incident_seen(w, r->incident)->ranking = keep(w, b.p);
}

static void see_incident(struct world *w, const struct fl_incident_row *r)
{
    struct seen_incident *x = incident_seen(w, r->id);
    x->title = keep(w, r->title);
    x->cause = keep(w, r->cause);
    x->merged_into = keep(w, r->merged_into);
    x->reason = keep(w, r->reason);
    x->state = r->state;
    x->severity = r->severity;
    x->alerts = r->alerts_total;
    x->firing = r->alerts_firing;
}

static void see_run(struct world *w, const struct fl_run_row *r)
{
    struct seen_run *x = NULL;
    for (size_t i = 0; i < w->n_runs; i++)
        if (fl_streq(w->runs[i].id, r->id))
            x = &w->runs[i];
    if (!x) {
        w->runs = grow(w->runs, &w->n_runs, sizeof *x);
        x = &w->runs[w->n_runs - 1];
        x->id = keep(w, r->id);
    }
    x->incident = keep(w, r->incident);
    x->playbook = keep(w, r->playbook);
    x->approval = keep(w, r->approval);
    x->state = r->state;
}

static void see(struct world *w, const struct fl_effects *fx)
{
    for (size_t i = 0; i < fx->n; i++) {
        const struct fl_fx *f = &fx->v[i];
        switch (f->kind) {
        case FL_FX_ALERT: see_alert(w, &f->alert); break;
        case FL_FX_INCIDENT: see_incident(w, &f->incident); break;
        case FL_FX_RANKING: see_ranking(w, &f->ranking); break;
        case FL_FX_RUN: see_run(w, &f->run); break;
        case FL_FX_AUDIT:
            w->reminders += fl_streq(f->audit.action, "silence.reminder") ||
                            fl_streq(f->audit.action, "maintenance.reminder");
            break;
        case FL_FX_TIMELINE:
            w->lines = grow(w->lines, &w->n_lines, sizeof *w->lines);
            w->lines[w->n_lines - 1] = (struct seen_line){
                keep(w, f->timeline.incident), keep(w, f->timeline.kind), keep(w, f->timeline.text)};
            break;
        case FL_FX_ANSWER:
            w->answer = f->answer.status;
            w->answer_text = keep(w, f->answer.json);
            break;
        default: break;
        }
    }
}

/* ---- events ---- */

fl_status world_event(struct world *w, fl_event_kind kind, const char *source, const char *body, size_t n,
                      struct fl_err *err)
{
    struct fl_event ev = {.seq = w->seq + 1,
                          .at = w->now,
                          .kind = kind,
                          .realm = "default",
                          .actor = "test",
                          .source = source,
                          .body = body,
                          .body_len = n};
    fl_sha256(body, n, &ev.body_hash);
    struct fl_effects *fx = fl_effects_new();
    fl_status st = fx ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    w->answer = FL_OK;
    if (st == FL_OK)
        st = fl_flow_step(w->flow, &ev, fx, err);
    if (st == FL_OK) {
        w->seq++;
        see(w, fx);
    }
    fl_effects_free(fx);
    return st;
}

/* An event whose answer counts: the configuration, a graph, a command. */
static fl_status ask(struct world *w, fl_event_kind kind, const char *body, size_t n, struct fl_err *err)
{
    fl_status st = world_event(w, kind, "", body, n, err);
    if (st != FL_OK || w->answer == FL_OK)
        return st;
    FL_AUTO_JSON v = fl_json_parse(w->answer_text, strlen(w->answer_text), err);
    return fl_fail(err, w->answer, "", "%s", fl_json_str(fl_json_get(v, "error"), "message", "refused"));
}

fl_status world_begin(struct world *w, const struct fl_sources *s, struct fl_err *err)
{
    static const char started[] = "{\"version\":\"" FL_VERSION "\",\"epoch\":1,\"projected_seq\":0}";
    *w = (struct world){.began = BEGINNING, .now = BEGINNING, .arena = fl_arena_new(0)};
    fl_status st = w->arena ? fl_flow_new(&(struct fl_flow_options){.realm = "default"}, &w->flow, err)
                            : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (st == FL_OK)
        st = beats_begin(w, s, err);
    if (st == FL_OK)
        st = ask(w, FL_EV_CONFIG, s->config, s->config_n, err);
    if (st == FL_OK && s->topology)
        st = ask(w, FL_EV_TOPOLOGY, s->topology, s->topology_n, err);
    if (st == FL_OK)
        st = world_event(w, FL_EV_ENGINE_STARTED, "", started, strlen(started), err);
    if (st != FL_OK)
        world_end(w);
    return st;
}

void world_end(struct world *w)
{
    w->flow = fl_flow_free(w->flow);
    beats_end(w);
    w->arena = fl_arena_free(w->arena);
    free(w->alerts);
    free(w->incidents);
    free(w->runs);
    free(w->lines);
    *w = (struct world){0};
}

fl_status world_wait(struct world *w, fl_usec at, struct fl_err *err)
{
    fl_usec to = w->began + at;
    if (to < w->now)
        return fl_fail(err, FL_E_SHAPE, "",
                       "at: time does not go back; each at counts from the test's beginning");
    for (;;) {
        fl_usec due = fl_flow_deadline(w->flow), silent = beats_due(w);
        bool beat = silent && (!due || silent < due);
        due = beat ? silent : due;
        if (!due || due > to)
            break;
        if (++w->ticks > TICKS_MAX)
            return fl_fail(err, FL_E_LIMIT, "", "more than %d ticks: the test is too long", TICKS_MAX);
        w->now = due > w->now ? due : w->now;
        fl_status st = beat ? beats_missed(w, err) : world_event(w, FL_EV_TICK, "", "", 0, err);
        if (st != FL_OK)
            return st;
    }
    w->now = to;
    return FL_OK;
}

/* ---- questions ---- */

const struct seen_alert *world_alert(const struct world *w, const struct fl_json *labels)
{
    const struct seen_alert *found = NULL;
    for (size_t i = 0; i < w->n_alerts; i++) {
        const struct seen_alert *a = &w->alerts[i];
        bool all = true;
        for (void *it = fl_json_first(labels); it && all; it = fl_json_next(labels, it))
            all = fl_streq(fl_label_get(&a->labels, fl_json_key(it)), fl_json_string(fl_json_value(it)));
        if (all && (!found || a->starts_at >= found->starts_at))
            found = a;
    }
    return found;
}

const struct seen_incident *world_incident(const struct world *w, const char *id)
{
    for (size_t hops = 0; hops <= w->n_incidents && id && *id; hops++) {
        const struct seen_incident *x = NULL;
        for (size_t i = 0; i < w->n_incidents; i++)
            if (fl_streq(w->incidents[i].id, id))
                x = &w->incidents[i];
        if (!x || !*x->merged_into)
            return x;
        id = x->merged_into;
    }
    return NULL;
}

bool incident_is_over(const struct seen_incident *i)
{
    return i->state > FL_INC_RECOVERING;
}
