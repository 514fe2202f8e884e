/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whose alerts came to what: by labels, else by the owner of the component; bounded; kept by a snapshot. */
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

static struct fl_rules *rules;
static struct fl_topo *topo;
static struct fl_corr *c;
static uint64_t seq;

static void note(struct fl_step *s, const struct fl_note *n)
{
    (void)s;
    (void)n;
}

static struct fl_step step_at(struct fl_effects *fx, fl_usec at)
{
    return (struct fl_step){.at = at, .seq = ++seq, .actor = "ann", .rules = rules, .fx = fx, .note = note};
}

static int setup(void **state)
{
    (void)state;
    struct fl_err err = {0};
    static const char json[] =
        "{\"inhibitions\":[{\"name\":\"i\",\"source\":[\"severity=critical\"],\"target\":[\"severity=warning\"],\"equal\":[]}],"
        "\"heartbeats\":[{\"name\":\"h\",\"match\":[\"alertname=Watchdog\"],\"interval\":\"1m\"}]}";
    static const struct fl_node nodes[] = {{.id = "db", .type = "store", .owner = "dba"}};
    const struct fl_topology_doc doc = {.nodes = nodes, .n_nodes = 1};
    assert_int_equal(fl_rules_from_json(json, strlen(json), &rules, &err), FL_OK);
    assert_int_equal(fl_topo_new(&doc, &topo, &err), FL_OK);
    c = fl_corr_new();
    struct fl_effects *fx = fl_effects_new();
    struct fl_step s = step_at(fx, T0);
    fl_corr_topology(c, &s, topo);
    fl_effects_free(fx);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fl_corr_free(c);
    fl_topo_free(topo);
    fl_rules_free(rules);
    return 0;
}

static void send(const char *name, const char *severity, const char *key, const char *value)
{
    struct fl_label l[] = {{"alertname", name}, {"severity", severity}, {key, value}};
    struct fl_alert a = {
        .labels = {l, fl_labels_normalise(l, 3)}, .starts_at = T0, .received_at = T0, .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    struct fl_effects *fx = fl_effects_new();
    struct fl_step s = step_at(fx, T0 + SEC);
    fl_corr_alerts(c, &s, topo, "n", &a, 1);
    fl_corr_tick(c, &s, topo);
    fl_corr_flush(c, &s);
    fl_effects_free(fx);
}

static struct fl_team_figures of(const char *name)
{
    struct fl_team_figures v[FL_TEAMS_MAX + 1];
    size_t n = fl_corr_teams(c, v);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(v[i].name, name))
            return v[i];
    fail_msg("there is no team \"%s\"", name);
    return v[0];
}

static struct fl_team_figures of_rule(const char *name)
{
    struct fl_team_figures v[FL_ALERT_RULES_MAX + 1];
    size_t n = fl_corr_alert_rules(c, v);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(v[i].name, name))
            return v[i];
    fail_msg("there is no alert rule \"%s\"", name);
    return v[0];
}

static void whose(void **state)
{
    (void)state;
    send("A", "info", "team", "web");
    send("B", "info", "owner", "shop");
    send("C", "info", "component", "db");
    send("D", "info", "zone", "x");
    send("Watchdog", "info", "team", "mon");
    send("E", "critical", "team", "web");
    send("F", "warning", "team", "web");
    send("F", "warning", "team", "web"); /* a repeat is no alert */
    assert_int_equal(of("web").alerts, 3);
    assert_int_equal(of("web").inhibited, 1);
    assert_int_equal(of("web").incidents, 2);
    assert_int_equal(of("shop").incidents, 1);
    assert_int_equal(of("dba").alerts, 1);
    assert_int_equal(of("").alerts, 1);
    assert_int_equal(of("mon").held, 1);
    assert_int_equal(of("mon").incidents, 0);
    assert_int_equal(of_rule("A").incidents, 1);
    assert_int_equal(of_rule("F").alerts, 1);
    assert_int_equal(of_rule("F").inhibited, 1);
    assert_int_equal(of_rule("F").incidents, 0);
    assert_int_equal(of_rule("Watchdog").held, 1);
}

/* However many alert rules there are, of so many figures are kept; the rest is counted together. */
static void rules_are_bounded(void **state)
{
    (void)state;
    char name[200];
    for (unsigned i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "R%u", i);
        send(name, "info", "zone", "x");
    }
    struct fl_team_figures v[FL_ALERT_RULES_MAX + 1];
    assert_int_equal(fl_corr_alert_rules(c, v), FL_ALERT_RULES_MAX + 1);
    assert_int_equal(of_rule("R127").alerts, 1);
    assert_int_equal(of_rule("other").alerts, 300 - FL_ALERT_RULES_MAX);
    memset(name, 'R', sizeof name - 1);
    name[sizeof name - 1] = 0;
    send(name, "info", "zone", "x");
    assert_int_equal(of_rule("other").alerts, 301 - FL_ALERT_RULES_MAX);
}

static void bounded_and_kept(void **state)
{
    (void)state;
    char team[80];
    send("A", "info", "team", "other"); /* named like the rest: counted with it */
    for (unsigned i = 0; i < 70; i++) {
        snprintf(team, sizeof team, "team %u", i);
        send("A", "info", "team", team);
    }
    assert_int_equal(of("other").alerts, 1 + 70 - FL_TEAMS_MAX);
    assert_int_equal(of("team 63").alerts, 1);
    memset(team, 'x', sizeof team - 1);
    team[sizeof team - 1] = 0;
    send("A", "info", "team", team);
    assert_int_equal(of("other").alerts, 2 + 70 - FL_TEAMS_MAX);

    struct fl_corr *copy = again(c, topo, rules);
    fl_corr_free(c);
    c = copy;
    send("Z", "info", "component", "db"); /* owners are known after a restart, too */
    assert_int_equal(of("other").alerts, 3 + 70 - FL_TEAMS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(whose, setup, teardown),
                                       cmocka_unit_test_setup_teardown(bounded_and_kept, setup, teardown),
                                       cmocka_unit_test_setup_teardown(rules_are_bounded, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
