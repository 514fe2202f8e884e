/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Episodes and incidents: how alerts join, merge, go stale, recover; the table; snapshots decide the same. */
#include <faultline/correlate.h>
#include <faultline/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "again.h"

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC)

/* a chain web -> api -> db, a far away pair batch -> tape, and a lonely printer */
static const struct fl_node nodes[] = {
    {.id = "web", .type = "service"},  {.id = "api", .type = "service"},
    {.id = "db", .type = "store"},     {.id = "batch", .type = "service"},
    {.id = "tape", .type = "store"},   {.id = "printer", .type = "service"},
    {.id = "cdn", .type = "external"},
};
static const struct fl_edge edges[] = {
    {"web", "api", "calls", 1},
    {"api", "db", "data", 1},
    {"batch", "tape", "data", 1},
    {"cdn", "web", "calls", 1},
};

struct world {
    struct fl_rules *rules;
    struct fl_topo *topo;
    struct fl_corr *c;
    struct fl_effects *fx;
    struct fl_step step;
    char notes[16384]; /* "action incident: text" lines of the last steps */
};

static void note(struct fl_step *s, const struct fl_note *n)
{
    struct world *w = s->ctx;
    size_t at = strlen(w->notes);
    snprintf(w->notes + at, sizeof w->notes - at, "%s %s: %s\n", n->action, n->incident, n->text);
}

static void begin(struct world *w, fl_usec at)
{
    w->fx = fl_effects_free(w->fx);
    w->fx = fl_effects_new();
    assert_non_null(w->fx);
    w->step = (struct fl_step){.at = at,
                               .seq = w->step.seq + 1,
                               .actor = "ann",
                               .rules = w->rules,
                               .fx = w->fx,
                               .note = note,
                               .ctx = w};
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    const char *text = fl_rules_default_json();
    assert_int_equal(fl_rules_from_json(text, strlen(text), &w->rules, &err), FL_OK);
    struct fl_topology_doc doc = {
        .nodes = nodes, .n_nodes = FL_ARRAY_LEN(nodes), .edges = edges, .n_edges = FL_ARRAY_LEN(edges)};
    assert_int_equal(fl_topo_new(&doc, &w->topo, &err), FL_OK);
    w->c = fl_corr_new();
    begin(w, T0);
    fl_corr_topology(w->c, &w->step, w->topo);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fl_corr_free(w->c);
    fl_topo_free(w->topo);
    fl_rules_free(w->rules);
    fl_effects_free(w->fx);
    free(w);
    return 0;
}

static void send(struct world *w, fl_usec at, const char *component, const char *name, fl_alert_status st,
                 fl_usec starts)
{
    struct fl_label l[] = {{"alertname", name}, {"component", component}, {"severity", "critical"}};
    struct fl_alert a = {.labels = {l, fl_labels_normalise(l, 3)},
                         .starts_at = starts,
                         .status = st,
                         .received_at = at,
                         .ends_at = st == FL_ALERT_RESOLVED ? at : 0,
                         .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    begin(w, at);
    fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", &a, 1);
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
}

static void fire(struct world *w, fl_usec at, const char *component)
{
    send(w, at, component, "Down", FL_ALERT_FIRING, at);
}

static void tick(struct world *w, fl_usec at)
{
    begin(w, at);
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
}

static struct fl_incident *inc(struct world *w, const char *id)
{
    struct fl_incident *i = fl_corr_find(w->c, id);
    assert_non_null(i);
    return i;
}

static void test_every_pair_has_one_row(void **state)
{
    (void)state;
    int s, e;
    assert_true(fl_fsm_check(fl_incident_fsm(), &s, &e));
}

static void test_neighbours_join_and_strangers_do_not(void **state)
{
    struct world *w = *state;
    fire(w, T0, "db");
    fire(w, T0 + SEC, "web"); /* two hops away */
    fire(w, T0 + 2 * SEC, "batch");
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.open_incidents, 2);
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 2);
    assert_int_equal(inc(w, "INC-2026-000001")->components, 2);
    assert_int_equal(inc(w, "INC-2026-000002")->alerts_total, 1);
    assert_non_null(strstr(w->notes, "web is 2 hops from db, which alerts in it"));
}

static void test_an_old_incident_does_not_attract(void **state)
{
    struct world *w = *state;
    fire(w, T0, "db");
    fire(w, T0 + 11 * 60 * SEC, "api"); /* the window is ten minutes */
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.open_incidents, 2);
    /* but the same component that still fires stays where it is */
    send(w, T0 + 12 * 60 * SEC, "db", "Slow", FL_ALERT_FIRING, T0 + 12 * 60 * SEC);
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 2);
}

static void test_a_bridge_merges_into_the_oldest(void **state)
{
    struct world *w = *state;
    fire(w, T0, "cdn");
    fire(w, T0 + SEC, "db"); /* three hops from cdn: its own */
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.open_incidents, 2);
    fire(w, T0 + 2 * SEC, "api"); /* within reach of both */
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.open_incidents, 1);
    assert_int_equal(st.merged, 1);
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 3);
    /* the merged one leads to where it went */
    assert_string_equal(inc(w, "INC-2026-000002")->id, "INC-2026-000001");
    assert_non_null(strstr(w->notes, "incident.absorbed INC-2026-000001: INC-2026-000002 was merged"));
}

static void test_life_quiet_recovering_reopened_resolved(void **state)
{
    struct world *w = *state;
    const struct fl_correlation_params *p = &w->rules->correlation;
    fire(w, T0, "db");
    struct fl_incident *i = inc(w, "INC-2026-000001");
    assert_int_equal(fl_corr_deadline(w->c, w->rules), T0); /* to be ranked at once */
    begin(w, T0);
    fl_corr_ranked(w->c, &w->step, i, "db", 0.9);
    assert_int_equal(fl_corr_deadline(w->c, w->rules), T0 + p->quiet_after);
    tick(w, T0 + p->quiet_after);
    assert_int_equal(i->state, FL_INC_QUIET);
    fl_usec t = T0 + p->quiet_after + SEC;
    send(w, t, "db", "Down", FL_ALERT_RESOLVED, T0);
    assert_int_equal(i->state, FL_INC_RECOVERING);
    send(w, t + SEC, "db", "Slow", FL_ALERT_FIRING, t + SEC);
    assert_int_equal(i->state, FL_INC_OPEN);
    send(w, t + 2 * SEC, "db", "Slow", FL_ALERT_RESOLVED, t + SEC);
    tick(w, t + 2 * SEC + p->resolve_after);
    assert_int_equal(i->state, FL_INC_RESOLVED);
    assert_non_null(strstr(w->notes, "recovering -> resolved: all its alerts stayed resolved"));
    /* an alert that comes back afterwards is a new incident */
    fire(w, t + 2 * SEC + p->resolve_after + SEC, "db");
    assert_int_equal(inc(w, "INC-2026-000002")->state, FL_INC_OPEN);
}

static void test_a_late_firing_report_does_not_reopen(void **state)
{
    struct world *w = *state;
    fire(w, T0, "db");
    send(w, T0 + 5 * SEC, "db", "Down", FL_ALERT_RESOLVED, T0);
    send(w, T0 + 6 * SEC, "db", "Down", FL_ALERT_FIRING, T0); /* the slower half of a pair */
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_firing, 0);
    tick(w, T0 + 300 * SEC);
    send(w, T0 + 301 * SEC, "db", "Down", FL_ALERT_FIRING,
         T0); /* an Alertmanager tried for its group_interval */
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.opened, 1);
    assert_int_equal(st.late, 2);
    assert_int_equal(inc(w, "INC-2026-000001")->state, FL_INC_RESOLVED);
}

static void test_resolve_before_fire_and_repeats(void **state)
{
    struct world *w = *state;
    send(w, T0, "db", "Down", FL_ALERT_RESOLVED, T0 - SEC);
    send(w, T0 + SEC, "db", "Down", FL_ALERT_FIRING, T0 - SEC); /* overtaken by its own end */
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.opened, 0);
    fire(w, T0 + 2 * SEC, "db");
    size_t rows = w->fx->n;
    assert_true(rows > 0);
    send(w, T0 + 3 * SEC, "db", "Down", FL_ALERT_FIRING, T0 + 2 * SEC);
    assert_int_equal(w->fx->n, 0); /* an exact repeat changes nothing */
}

/* Same labels, so the same alert; what its annotations say now is what counts. */
static void test_an_alert_that_gets_worse(void **state)
{
    struct world *w = *state;
    struct fl_label l[] = {{"alertname", "Disk"}, {"component", "db"}};
    struct fl_label notes[2] = {{"severity", "warning"}};
    struct fl_alert a = {.labels = {l, fl_labels_normalise(l, 2)},
                         .annotations = {notes, 1},
                         .starts_at = T0,
                         .status = FL_ALERT_FIRING,
                         .received_at = T0,
                         .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    for (int k = 0; k < 2; k++) {
        notes[0].value = k ? "critical" : "warning";
        begin(w, T0 + k * SEC);
        fl_corr_alerts(w->c, &w->step, w->topo, "nagios", &a, 1);
        fl_corr_flush(w->c, &w->step);
        assert_int_equal(inc(w, "INC-2026-000001")->severity, k ? FL_SEV_CRITICAL : FL_SEV_WARNING);
    }
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 1);
}

static void test_stale_is_not_resolved(void **state)
{
    struct world *w = *state;
    fire(w, T0, "db");
    struct fl_label l[] = {{"alertname", "Down"}, {"component", "db"}, {"severity", "critical"}};
    struct fl_labels labels = {l, 3};
    begin(w, T0 + 60 * SEC);
    fl_corr_expired(w->c, &w->step, fl_labels_fingerprint(&labels), T0);
    fl_corr_flush(w->c, &w->step);
    struct fl_incident *i = inc(w, "INC-2026-000001");
    assert_int_equal(i->alerts_stale, 1);
    assert_int_equal(i->alerts_firing, 0);
    tick(w, T0 + 7200 * SEC);
    assert_int_not_equal(i->state, FL_INC_RESOLVED);
    send(w, T0 + 7201 * SEC, "db", "Down", FL_ALERT_FIRING, T0);
    assert_int_equal(i->alerts_stale, 0);
    assert_int_equal(i->alerts_firing, 1);
    assert_int_equal(i->alerts_total, 1);
}

static void test_unmapped_alerts_group_by_labels(void **state)
{
    struct world *w = *state;
    fire(w, T0, "nowhere");
    fire(w, T0 + SEC, "elsewhere"); /* same alertname, no component either */
    send(w, T0 + 2 * SEC, "nowhere", "Other", FL_ALERT_FIRING, T0 + 2 * SEC);
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.unmapped, 3);
    assert_int_equal(st.opened, 2);
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 2);
    assert_false(inc(w, "INC-2026-000001")->mapped);
}

/* Incident number n, about an alert of `on` that is over already or fires on, is closed by a person. */
static void close_by_hand(struct world *w, fl_usec t, int n, const char *on, bool fires_on)
{
    struct fl_err err = {0};
    char id[FL_ID_LEN];
    send(w, t, on, "Down", FL_ALERT_FIRING, t);
    if (!fires_on)
        send(w, t, on, "Down", FL_ALERT_RESOLVED, t);
    begin(w, t);
    snprintf(id, sizeof id, "INC-2026-%06d", n);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, id, "seen to", &err), FL_OK);
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
    if (fl_corr_check(w->c, w->rules, t, &err) != FL_OK)
        fail_msg("%d: %s %s", n, err.where, err.text);
}

/* What a person closed while it fires stays known until its alerts are over, however many incidents come after it. */
static void test_closed_by_hand_while_it_fires(void **state)
{
    struct world *w = *state;
    fl_usec t = T0;
    int n = 0;
    close_by_hand(w, t, ++n, "printer", true);
    while (n < 1102)
        close_by_hand(w, t += SEC, ++n, "db", false);
    /* the first one is over for longest, but its alert fires; the second one is gone */
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_firing, 1);
    assert_null(fl_corr_find(w->c, "INC-2026-000002"));
    assert_non_null(fl_corr_find(w->c, "INC-2026-000200"));
    send(w, t, "printer", "Down", FL_ALERT_FIRING, T0);
    assert_int_equal(w->fx->n, 0); /* known */
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    assert_int_equal(st.opened, 1102);
    send(w, t += SEC, "printer", "Down", FL_ALERT_RESOLVED, T0);
    assert_int_equal(w->fx->v[0].kind, FL_FX_ALERT);
    assert_int_equal(w->fx->v[0].alert.status, FL_ALERT_RESOLVED);
    assert_string_equal(w->fx->v[0].alert.incident, "INC-2026-000001");
    /* and now it goes as any other */
    close_by_hand(w, t += SEC, ++n, "db", false);
    assert_null(fl_corr_find(w->c, "INC-2026-000001"));
}

static void test_operator_merge_split_resolve(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    fire(w, T0, "db");
    fire(w, T0, "batch");
    begin(w, T0 + SEC);
    assert_int_equal(fl_corr_merge(w->c, &w->step, "INC-2026-000002", "INC-2026-000001", &err), FL_OK);
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 2);
    assert_int_equal(fl_corr_merge(w->c, &w->step, "INC-2026-000001", "INC-2026-000001", &err),
                     FL_E_CONFLICT);
    struct fl_label l[] = {{"alertname", "Down"}, {"component", "batch"}, {"severity", "critical"}};
    struct fl_labels labels = {l, 3};
    uint64_t fp = fl_labels_fingerprint(&labels);
    char id[FL_ID_LEN];
    fl_err_clear(&err);
    assert_int_equal(fl_corr_split(w->c, &w->step, "INC-2026-000001", &fp, 1, id, &err), FL_OK);
    assert_string_equal(id, "INC-2026-000003");
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 1);
    assert_int_equal(inc(w, id)->alerts_total, 1);
    assert_int_equal(fl_corr_split(w->c, &w->step, id, &fp, 1, id, &err), FL_E_CONFLICT);
    fl_err_clear(&err);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, id, "done by hand", &err), FL_OK);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, id, NULL, &err), FL_E_CONFLICT);
    fl_err_clear(&err);
    assert_int_equal(fl_corr_ack(w->c, &w->step, "INC-2026-000099", &err), FL_E_NOTFOUND);
    assert_true(err.hint[0] != 0);
}

static void test_a_new_graph_maps_old_alerts(void **state)
{
    struct world *w = *state;
    fire(w, T0, "newcomer");
    assert_false(inc(w, "INC-2026-000001")->mapped);
    struct fl_node more[] = {{.id = "newcomer", .type = "service"}, {.id = "db", .type = "store"}};
    struct fl_edge link = {"newcomer", "db", "data", 1};
    struct fl_topology_doc doc = {.nodes = more, .n_nodes = 2, .edges = &link, .n_edges = 1};
    struct fl_topo *t2;
    struct fl_err err = {0};
    assert_int_equal(fl_topo_new(&doc, &t2, &err), FL_OK);
    begin(w, T0 + SEC);
    fl_corr_topology(w->c, &w->step, t2);
    fl_corr_flush(w->c, &w->step);
    fl_topo_free(w->topo);
    w->topo = t2;
    assert_true(inc(w, "INC-2026-000001")->mapped);
    assert_int_equal(inc(w, "INC-2026-000001")->components, 1);
    fire(w, T0 + 2 * SEC, "db");
    assert_int_equal(inc(w, "INC-2026-000001")->alerts_total, 2);
}

static const struct fl_alert_row *row_of(const struct world *w)
{
    const struct fl_alert_row *row = NULL;
    for (size_t i = 0; i < w->fx->n; i++)
        if (w->fx->v[i].kind == FL_FX_ALERT)
            row = &w->fx->v[i].alert;
    assert_non_null(row);
    return row;
}

/* @param summary  NULL: a report without annotations. */
static const struct fl_alert_row *report(struct world *w, fl_usec at, fl_alert_status st, fl_usec starts,
                                         const char *summary)
{
    struct fl_label l[] = {{"alertname", "Full"}, {"component", "db"}}, notes[] = {{"summary", summary}};
    struct fl_alert a = {.labels = {l, 2},
                         .annotations = {notes, summary ? 1 : 0},
                         .starts_at = starts,
                         .status = st,
                         .received_at = at,
                         .ends_at = st == FL_ALERT_RESOLVED ? at : 0,
                         .generator_url = summary ? "http://prometheus/" : ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    begin(w, at);
    fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", &a, 1);
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
    return row_of(w);
}

/* The projector writes a new row with all its texts, and of one that is there only what changed. */
static void test_texts_are_told_once(void **state)
{
    struct world *w = *state;
    const struct fl_alert_row *r = report(w, T0, FL_ALERT_FIRING, T0, "90 %");
    assert_true(r->is_new && !r->same_texts);
    assert_int_equal(r->labels.n, 2);
    assert_string_equal(r->annotations.v[0].value, "90 %");
    r = report(w, T0 + SEC, FL_ALERT_FIRING, T0, "95 %");
    assert_false(r->is_new || r->same_texts);
    assert_string_equal(r->annotations.v[0].value, "95 %");
    r = report(w, T0 + 2 * SEC, FL_ALERT_RESOLVED, T0, NULL); /* keeps the texts it had */
    assert_true(!r->is_new && r->same_texts && r->only_state);
    assert_string_equal(r->why, "");
    assert_int_equal(r->status, FL_ALERT_RESOLVED);
    assert_int_equal(r->labels.n + r->annotations.n, 0);
    r = report(w, T0 + 3 * SEC, FL_ALERT_FIRING, T0 + 3 * SEC, "95 %"); /* an episode of its own */
    assert_true(r->is_new && !r->same_texts);
    r = report(w, T0 + 4 * SEC, FL_ALERT_RESOLVED, T0 + 3 * SEC, "was 95 %");
    assert_false(r->is_new || r->same_texts || r->only_state);
    assert_string_equal(r->annotations.v[0].value, "was 95 %");
    uint64_t fingerprint = report(w, T0 + 5 * SEC, FL_ALERT_FIRING, T0 + 5 * SEC, "95 %")->fingerprint;
    begin(w, T0 + 6 * SEC);
    fl_corr_expired(w->c, &w->step, fingerprint, T0 + 5 * SEC);
    fl_corr_flush(w->c, &w->step);
    r = row_of(w); /* its way has a sentence more, and then one less */
    assert_true(r->status == FL_ALERT_STALE && r->same_texts && !r->only_state);
    assert_non_null(strstr(r->why, "stale"));
    r = report(w, T0 + 7 * SEC, FL_ALERT_RESOLVED, T0 + 5 * SEC, NULL);
    assert_true(r->status == FL_ALERT_RESOLVED && r->same_texts && !r->only_state);
    assert_null(strstr(r->why, "stale"));
}

static size_t rows_of(const struct world *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->fx->n; i++)
        n += w->fx->v[i].kind == FL_FX_ALERT;
    return n;
}

static void other_rules(struct world *w, fl_usec at, const char *text)
{
    struct fl_err err = {0};
    w->rules = fl_rules_free(w->rules);
    if (fl_rules_from_json(text, strlen(text), &w->rules, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    begin(w, at);
    fl_corr_topology(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
}

#define BY_COMPONENT(name) "\"mapping\":[{\"name\":\"" name "\",\"node\":\"{component}\"}]"

/* The end of an episode writes its state only: what other rules say of it has to be in its row by then. */
static void test_other_rules_are_in_the_row(void **state)
{
    struct world *w = *state;
    report(w, T0, FL_ALERT_FIRING, T0, "90 %");
    other_rules(w, T0 + SEC, "{" BY_COMPONENT("first") "}");
    other_rules(w, T0 + 2 * SEC, "{" BY_COMPONENT("first") "}"); /* nothing new */
    assert_int_equal(rows_of(w), 0);
    other_rules(
        w, T0 + 3 * SEC,
        "{" BY_COMPONENT(
            "first") ",\"severities\":[{\"name\":\"full\",\"match\":[{\"label\":\"alertname\",\"op\":\"=\",\"value\":\"Full\"}],\"severity\":\"critical\"}]}");
    const struct fl_alert_row *r = row_of(w);
    assert_true(r->severity == FL_SEV_CRITICAL && r->same_texts && !r->only_state);
    other_rules(w, T0 + 4 * SEC, "{" BY_COMPONENT("second") "}");
    r = row_of(w);
    assert_string_equal(r->map_rule, "second");
    assert_non_null(strstr(r->why, "by rule \\\"second\\\""));
    assert_true(r->severity != FL_SEV_CRITICAL);
    assert_true(report(w, T0 + 5 * SEC, FL_ALERT_RESOLVED, T0, NULL)->only_state);
    other_rules(w, T0 + 6 * SEC, "{" BY_COMPONENT("third") "}"); /* what is over stays as it was */
    assert_int_equal(rows_of(w), 0);
}

/* Which names were tried is found out when the row is written. */
static void test_an_end_without_a_component_says_what_was_tried(void **state)
{
    struct world *w = *state;
    send(w, T0, "nowhere", "Down", FL_ALERT_FIRING, T0);
    assert_null(strstr(row_of(w)->why, "later"));
    other_rules(w, T0 + SEC, "{" BY_COMPONENT("later") "}");
    assert_int_equal(rows_of(w), 0);
    send(w, T0 + 2 * SEC, "nowhere", "Down", FL_ALERT_RESOLVED, T0);
    assert_false(row_of(w)->only_state);
    assert_non_null(strstr(row_of(w)->why, "later"));
}

/* Restoring a snapshot gives the same bytes again, and decides the same from there on. */
static void test_snapshot_round_trip(void **state)
{
    struct world *w = *state;
    fire(w, T0, "cdn");
    fire(w, T0 + SEC, "db");
    fire(w, T0 + 2 * SEC, "nowhere");
    fire(w, T0 + 3 * SEC, "api");
    send(w, T0 + 4 * SEC, "db", "Down", FL_ALERT_RESOLVED, T0 + SEC);
    struct fl_corr *c2 = again(w->c, w->topo, w->rules);
    struct fl_corr *c1 = w->c;
    for (int k = 0; k < 2; k++) {
        w->c = k ? c2 : c1;
        w->step.seq = 100;
        fire(w, T0 + 10 * SEC, "web");
        send(w, T0 + 11 * SEC, "api", "Down", FL_ALERT_RESOLVED, T0 + 3 * SEC);
        tick(w, T0 + 4000 * SEC);
    }
    assert_same_state(c1, c2);
    w->c = c1;
    fl_corr_free(c2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_has_one_row),
        T(test_neighbours_join_and_strangers_do_not),
        T(test_an_old_incident_does_not_attract),
        T(test_a_bridge_merges_into_the_oldest),
        T(test_life_quiet_recovering_reopened_resolved),
        T(test_a_late_firing_report_does_not_reopen),
        T(test_resolve_before_fire_and_repeats),
        T(test_an_alert_that_gets_worse),
        T(test_stale_is_not_resolved),
        T(test_unmapped_alerts_group_by_labels),
        T(test_closed_by_hand_while_it_fires),
        T(test_operator_merge_split_resolve),
        T(test_a_new_graph_maps_old_alerts),
        T(test_texts_are_told_once),
        T(test_other_rules_are_in_the_row),
        T(test_an_end_without_a_component_says_what_was_tried),
        T(test_snapshot_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
