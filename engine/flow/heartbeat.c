/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/heartbeat.c -- senders that fell silent: the engine raises an alert of its own, and ends it when they are
 * back. That they are silent is said by an event; the clock that finds out is outside the core. */
#include "flow_priv.h"

#include <stdlib.h>
#include <string.h>

/* A sender that is silent now: the alert that says so. */
struct silent {
    char *name;
    struct fl_alert *alert; /* as it was raised: the rule may be another one by now */
    struct silent *next;
};

static const char SOURCE[] = "heartbeat";

static const struct fl_heartbeat_rule *rule_named(const struct fl_flow *f, const char *name)
{
    for (size_t i = 0; i < f->rules->n_heartbeats; i++)
        if (!strcmp(f->rules->heartbeats[i].name, name))
            return &f->rules->heartbeats[i];
    return NULL;
}

static struct silent **place_of(struct fl_flow *f, const char *name)
{
    struct silent **p = &f->silent;
    while (*p && strcmp((*p)->name, name) != 0)
        p = &(*p)->next;
    return p;
}

static void silent_free(struct silent *x)
{
    free(x->alert);
    free(x->name);
    free(x);
}

void flow_forget_silent(struct fl_flow *f)
{
    for (struct silent *x = f->silent, *next; x; x = next) {
        next = x->next;
        silent_free(x);
    }
    f->silent = NULL;
}

static struct silent *keep(struct fl_flow *f, const char *name, const struct fl_alert *a)
{
    struct silent **p = place_of(f, name);
    struct silent *x = fl_core_alloc(1, sizeof *x);
    x->name = fl_core_strdup(name);
    x->alert = fl_alert_dup(a);
    FL_REQUIRE(x->alert != NULL);
    *p = x;
    return x;
}

/* ---- the alert ---- */

static struct fl_alert alert_of(struct fl_step *s, const struct fl_heartbeat_rule *r, const char *silent)
{
    size_t n = 0;
    struct fl_label *l = fl_arena_calloc(s->fx->arena, r->labels.n + 4, sizeof *l),
                    *notes = fl_arena_calloc(s->fx->arena, 2, sizeof *notes);
    FL_REQUIRE(l != NULL && notes != NULL);
    for (; n < r->labels.n; n++)
        l[n] = r->labels.v[n];
    l[n++] = (struct fl_label){"alertname", FL_ALERT_SILENT};
    l[n++] = (struct fl_label){"heartbeat", r->name};
    l[n++] = (struct fl_label){"severity", fl_severity_name(r->severity)};
    if (r->source)
        l[n++] = (struct fl_label){"source", r->source};
    char every[24], grace[24];
    notes[0] = (struct fl_label){"summary", fl_fx_printf(s->fx, "the sender \"%s\" is silent", r->name)};
    notes[1] = (struct fl_label){
        "description",
        fl_fx_printf(s->fx,
                     "nothing came for %s; expected every %s, with %s of grace. While it lasts, its alerts "
                     "may be missing",
                     silent, fl_format_duration(r->interval, every), fl_format_duration(r->grace, grace))};
    struct fl_alert a = {.labels = {l, fl_labels_normalise(l, n)},
                         .annotations = {notes, fl_labels_normalise(notes, 2)},
                         .starts_at = s->at,
                         .received_at = s->at,
                         .status = FL_ALERT_FIRING,
                         .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    return a;
}

static void missed(struct fl_flow *f, struct fl_step *s, const char *name, fl_usec silent)
{
    const struct fl_heartbeat_rule *r = rule_named(f, name);
    char text[24];
    /* Its rule went while the event was on its way, or it is said twice. */
    if (!r || *place_of(f, name))
        return;
    struct fl_alert a = alert_of(s, r, fl_format_duration(silent, text));
    keep(f, name, &a);
    f->alerts_in++;
    fl_corr_alerts(f->corr, s, f->topo, SOURCE, &a, 1);
    flow_audit(s, "heartbeat.missed", name, NULL,
               fl_fx_printf(s->fx, "the sender \"%.64s\" is silent: nothing came for %s", name, text), NULL);
}

static void over(struct fl_flow *f, struct fl_step *s, struct silent **p, const char *action, const char *why)
{
    struct silent *x = *p;
    struct fl_alert a = *x->alert;
    a.status = FL_ALERT_RESOLVED;
    a.ends_at = a.received_at = s->at;
    fl_corr_alerts(f->corr, s, f->topo, SOURCE, &a, 1);
    flow_audit(s, action, x->name, NULL, fl_fx_printf(s->fx, "the sender \"%.64s\" %s", x->name, why), NULL);
    *p = x->next;
    silent_free(x);
}

void flow_heartbeats(struct fl_flow *f, struct fl_step *s, const struct fl_json *body)
{
    const struct fl_json *list = fl_json_get(body, "heartbeats");
    size_t n = fl_json_len(list);
    for (size_t i = 0; i < n && i < FL_HEARTBEATS_MAX; i++) {
        const struct fl_json *v = fl_json_at(list, i);
        const char *name = fl_json_str(v, "name", "");
        struct silent **p = place_of(f, name);
        if (!strcmp(fl_json_str(v, "state", ""), "missed"))
            missed(f, s, name, fl_json_int(v, "silent_us", 0));
        else if (*p)
            over(f, s, p, "heartbeat.back", "reports again");
    }
}

/* New rules are in force: nobody watches for what is in them no more. */
void flow_heartbeat_rules(struct fl_flow *f, struct fl_step *s)
{
    for (struct silent **p = &f->silent; *p;)
        if (rule_named(f, (*p)->name))
            p = &(*p)->next;
        else
            over(f, s, p, "heartbeat.dropped", "is no longer watched: its rule is gone");
}

bool flow_is_silent_alert(const struct fl_flow *f, const struct fl_alert *a)
{
    for (const struct silent *x = f->silent; x; x = x->next)
        if (x->alert->fingerprint == a->fingerprint && x->alert->starts_at == a->starts_at)
            return true;
    return false;
}

void fl_flow_each_silent(const struct fl_flow *f, void (*visit)(void *ctx, const char *name), void *ctx)
{
    for (const struct silent *x = f->silent; x; x = x->next)
        visit(ctx, x->name);
}

/* ---- snapshot ---- */

void flow_write_silent(const struct fl_flow *f, struct fl_jw *w)
{
    fl_jw_arr(w, "silent");
    for (const struct silent *x = f->silent; x; x = x->next) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "name", x->name);
        fl_jw_int(w, "starts", x->alert->starts_at);
        fl_labels_json(w, "labels", &x->alert->labels);
        fl_labels_json(w, "annotations", &x->alert->annotations);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

static struct fl_labels read_labels(struct fl_arena *a, const struct fl_json *v)
{
    struct fl_label *l = fl_arena_calloc(a, FL_LABELS_MAX, sizeof *l);
    size_t n = 0;
    FL_REQUIRE(l != NULL);
    for (void *it = fl_json_is_object(v) ? fl_json_first(v) : NULL; it && n < FL_LABELS_MAX;
         it = fl_json_next(v, it))
        if (fl_json_string(fl_json_value(it)))
            l[n++] = (struct fl_label){fl_json_key(it), fl_json_string(fl_json_value(it))};
    return (struct fl_labels){l, fl_labels_normalise(l, n)};
}

void flow_read_silent(struct fl_flow *f, const struct fl_json *list)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_REQUIRE(arena != NULL);
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *v = fl_json_at(list, i);
        struct fl_alert a = {.labels = read_labels(arena, fl_json_get(v, "labels")),
                             .annotations = read_labels(arena, fl_json_get(v, "annotations")),
                             .starts_at = fl_json_int(v, "starts", 0),
                             .received_at = fl_json_int(v, "starts", 0),
                             .generator_url = ""};
        a.fingerprint = fl_labels_fingerprint(&a.labels);
        keep(f, fl_json_str(v, "name", ""), &a);
    }
}
