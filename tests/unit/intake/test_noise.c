/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_noise.c -- reports by rule, team and source: nothing counted twice, nothing lost, bounded. */
#include <faultline/intake.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct fl_noise *z;

static int setup(void **state)
{
    (void)state;
    z = fl_noise_new();
    return z ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    z = fl_noise_free(z);
    return 0;
}

static void send(const char *rule, const char *team, const char *source, fl_alert_status st, size_t n)
{
    struct fl_label l[] = {{"alertname", rule}, {"team", team}};
    struct fl_alert v[8] = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = (struct fl_alert){.labels = {l, *team ? 2 : 1}, .status = st, .generator_url = ""};
    fl_noise_count(z, source, v, n);
}

static uint64_t taken(struct fl_arena *arena, const char *rule, const char *team, struct fl_noise_count **ret,
                      size_t *ret_n)
{
    *ret_n = fl_noise_take(z, arena, ret);
    for (size_t i = 0; i < *ret_n; i++)
        if (!strcmp((*ret)[i].rule, rule) && !strcmp((*ret)[i].team, team))
            return (*ret)[i].reports;
    return 0;
}

static void counts(void **state)
{
    (void)state;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_noise_count *v;
    size_t n;
    send("Down", "a", "grafana", FL_ALERT_FIRING, 3);
    send("Down", "b", "grafana", FL_ALERT_FIRING, 2);
    send("Down", "a", "grafana", FL_ALERT_FIRING, 1);
    send("Down", "a", "grafana", FL_ALERT_RESOLVED, 5); /* an end is no noise */
    send("Down", "a", "zabbix", FL_ALERT_FIRING, 7);
    assert_int_equal(taken(arena, "Down", "b", &v, &n), 2);
    assert_int_equal(n, 3);
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i].reports;
    assert_int_equal(sum, 13);
    /* Not written: it comes again, with what came meanwhile. */
    fl_noise_put_back(z, v, n);
    send("Down", "b", "grafana", FL_ALERT_FIRING, 1);
    assert_int_equal(taken(arena, "Down", "b", &v, &n), 3);
    assert_int_equal(taken(arena, "Down", "b", &v, &n), 0);
    assert_int_equal(n, 0);
    struct fl_team_reports teams[FL_TEAMS_MAX + 1];
    assert_int_equal(fl_noise_teams(z, teams), 2);
    assert_string_equal(teams[0].name, "a");
    assert_int_equal(teams[0].reports, 11);
    assert_int_equal(teams[1].reports, 3);
}

static void bounded(void **state)
{
    (void)state;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_noise_count *v;
    size_t n;
    char rule[400];
    for (unsigned i = 0; i < 10000; i++) {
        char team[16];
        snprintf(rule, sizeof rule, "R%u", i);
        snprintf(team, sizeof team, "t%u", i % 100);
        send(rule, team, "x", FL_ALERT_FIRING, 1);
    }
    assert_int_equal(taken(arena, "(others)", "", &v, &n), 10000 - 4095);
    assert_int_equal(n, 4096);
    struct fl_team_reports teams[FL_TEAMS_MAX + 1];
    assert_int_equal(fl_noise_teams(z, teams), FL_TEAMS_MAX + 1);
    assert_string_equal(teams[FL_TEAMS_MAX].name, "other");
    assert_int_equal(teams[FL_TEAMS_MAX].reports, 100 * 36);
    struct fl_team_reports rules[FL_ALERT_RULES_MAX + 1];
    assert_int_equal(fl_noise_rules(z, rules), FL_ALERT_RULES_MAX + 1);
    assert_string_equal(rules[5].name, "R5");
    assert_int_equal(rules[5].reports, 1);
    assert_string_equal(rules[FL_ALERT_RULES_MAX].name, "other");
    assert_int_equal(rules[FL_ALERT_RULES_MAX].reports, 10000 - FL_ALERT_RULES_MAX);
    /* Long names are cut between characters. */
    memset(rule, 'x', 199);
    memcpy(rule + 199, "\xc3\xa4", 3);
    send(rule, "", "x", FL_ALERT_FIRING, 1);
    n = fl_noise_take(z, arena, &v);
    assert_int_equal(n, 1);
    assert_int_equal(strlen(v[0].rule), 199);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(counts, setup, teardown),
                                       cmocka_unit_test_setup_teardown(bounded, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
