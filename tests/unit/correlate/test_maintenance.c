/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maintenance windows: whom they hide, when they let go, what people may do with them, what a snapshot keeps. */
#include "quiet_fixture.h"

static const char rules_json[] =
    "{\"maintenance\":[{\"name\":\"backup\",\"match\":[\"job=backup\"],\"weekly\":{\"days\":[\"mon\"],\"at\":\"15:00\",\"duration\":\"1h\"}}]}";

static struct world *w;

static int setup(void **state)
{
    (void)state;
    w = world_new(rules_json);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(w);
    return 0;
}

static fl_status add(fl_usec at, const char *json, char *ret, struct fl_err *err)
{
    FL_AUTO_JSON v = fl_json_parse(json, strlen(json), err);
    assert_non_null(v);
    begin(w, at);
    fl_status st = fl_corr_maintenance_add(w->c, &w->step, w->topo, v, ret, err);
    end(w);
    return st;
}

static const struct fl_maintenance_row *window_row(void)
{
    const struct fl_maintenance_row *found = NULL;
    for (size_t i = 0; i < w->fx->n; i++)
        if (w->fx->v[i].kind == FL_FX_MAINTENANCE)
            found = &w->fx->v[i].maintenance;
    return found;
}

static bool through_a_snapshot;

static void pause_here(void)
{
    if (through_a_snapshot)
        restore(w);
}

static void story(void)
{
    char id[FL_ID_LEN];
    struct fl_err err = {0};
    /* T0 is 14:13:20; one from 14:14:20 to 14:15:20 */
    assert_int_equal(
        add(T0,
            "{\"comment\":\"new disks\",\"components\":[\"db\"],\"dependants\":true,\"starts_at\":\"2026-09-21T14:14:20Z\","
            "\"ends_at\":\"2026-09-21T14:15:20Z\"}",
            id, &err),
        FL_OK);
    assert_string_equal(id, "MNT-000001");
    assert_string_equal(window_row()->state, "scheduled");
    pause_here();
    uint64_t before = fire(w, T0 + 10 * SEC, "alertname=Early,component=db");
    assert_string_equal(row(w, before)->incident, "INC-2026-000001");
    assert_int_equal(fl_corr_deadline(w->c, w->rules) <= T0 + 60 * SEC, true);
    tick(w, T0 + 60 * SEC);
    assert_string_equal(window_row()->state, "open");
    assert_string_equal(row(w, before)->incident, "INC-2026-000001"); /* stays, shown as hidden */
    assert_string_equal(row(w, before)->silenced_by, "[\"MNT-000001\"]");
    pause_here();
    uint64_t front = fire(w, T0 + 61 * SEC, "alertname=Slow,component=front"); /* needs db, two hops away */
    assert_string_equal(row(w, front)->incident, "");
    assert_string_equal(row(w, front)->quiet, "maintenance");
    assert_non_null(strstr(
        row(w, front)->why,
        "in maintenance MNT-000001 (\\\"new disks\\\") until 2026-09-21T14:15:20.000Z: since 2026-09-21T14:14:21.000Z kept out"));
    uint64_t tape = fire(w, T0 + 62 * SEC, "alertname=Slow,component=tape");
    assert_string_not_equal(row(w, tape)->incident, "");
    begin(w, T0 + 63 * SEC);
    assert_non_null(
        strstr(fl_corr_in_maintenance(w->c, &w->step, w->topo, "cart"), "cart is in maintenance MNT-000001"));
    assert_null(fl_corr_in_maintenance(w->c, &w->step, w->topo, "tape"));
    end(w);
    pause_here();
    tick(w, T0 + 120 * SEC);
    assert_string_equal(window_row()->state, "ended");
    assert_string_equal(row(w, front)->silenced_by, "[]");
    assert_string_not_equal(row(w, front)->incident, "");
    assert_int_equal(stats(w).held, 0);
    assert_non_null(strstr(w->notes, "maintenance.added MNT-000001"));
    assert_non_null(strstr(w->notes, "maintenance.started MNT-000001"));
    assert_non_null(strstr(w->notes, "maintenance.ended MNT-000001: its time is over"));
}

static void test_once(void **state)
{
    (void)state;
    through_a_snapshot = false;
    story();
}

static void test_once_restored(void **state)
{
    (void)state;
    through_a_snapshot = true;
    story();
}

/* Monday 15:00 to 16:00, from the rules, every week. */
static void test_of_the_rules_and_weekly(void **state)
{
    (void)state;
    fl_usec three = T0 + (46 * 60 + 40) * SEC, week = 7 * 86400 * SEC;
    struct fl_err err = {0};
    for (int k = 0; k < 3; k++) {
        char labels[64];
        snprintf(labels, sizeof labels, "alertname=X%d,job=backup", k);
        tick(w, three + k * week);
        uint64_t fp = fire(w, three + k * week + 60 * SEC, labels);
        assert_string_equal(row(w, fp)->silenced_by, "[\"rule:backup\"]");
        restore(w);
        begin(w, three + k * week + 61 * SEC);
        assert_int_equal(fl_corr_maintenance_end(w->c, &w->step, w->topo, "rule:backup", &err),
                         FL_E_CONFLICT);
        end(w);
        fl_err_clear(&err);
        tick(w, three + k * week + 3600 * SEC);
        assert_string_not_equal(row(w, fp)->incident, "");
        send(w, three + k * week + 3601 * SEC, labels, FL_ALERT_RESOLVED, three + k * week + 60 * SEC);
    }
    /* Other rules without it: it ends, and what it hid is let go. */
    tick(w, three + 3 * week);
    uint64_t fp = fire(w, three + 3 * week + SEC, "alertname=Y,job=backup");
    assert_int_equal(stats(w).held, 1);
    struct fl_rules *old = w->rules;
    assert_int_equal(fl_rules_from_json("{}", 2, &w->rules, &err), FL_OK);
    fl_rules_free(old);
    begin(w, three + 3 * week + 2 * SEC);
    fl_corr_topology(w->c, &w->step, w->topo);
    end(w);
    assert_string_equal(window_row()->state, "ended");
    assert_string_not_equal(row(w, fp)->incident, "");
    assert_int_equal(stats(w).held, 0);
}

static void test_ended_by_hand(void **state)
{
    (void)state;
    char id[FL_ID_LEN];
    struct fl_err err = {0};
    assert_int_equal(
        add(T0, "{\"comment\":\"c\",\"match\":[\"cluster=eu\"],\"ends_at\":\"2026-09-22T00:00:00Z\"}", id,
            &err),
        FL_OK);
    uint64_t fp = fire(w, T0 + SEC, "alertname=A,cluster=eu");
    assert_int_equal(stats(w).held, 1);
    begin(w, T0 + 2 * SEC);
    assert_int_equal(fl_corr_maintenance_end(w->c, &w->step, w->topo, id, &err), FL_OK);
    end(w);
    assert_string_not_equal(row(w, fp)->incident, "");
    assert_int_equal(fl_corr_maintenance_end(w->c, &w->step, w->topo, id, &err), FL_OK);
    assert_int_equal(fl_corr_maintenance_end(w->c, &w->step, w->topo, "MNT-000009", &err), FL_E_NOTFOUND);
    fl_err_clear(&err);
    assert_int_equal(
        add(T0 + 3 * SEC,
            "{\"comment\":\"c\",\"components\":[\"nobody\"],\"ends_at\":\"2026-09-22T00:00:00Z\"}", id, &err),
        FL_E_SHAPE);
    assert_string_equal(err.where, "components");
    assert_non_null(strstr(err.text, "no component \"nobody\""));
}

static void test_there_is_a_limit(void **state)
{
    (void)state;
    char id[FL_ID_LEN];
    struct fl_err err = {0};
    static const char text[] =
        "{\"comment\":\"c\",\"match\":[\"cluster=eu\"],\"ends_at\":\"2026-09-22T00:00:00Z\"}";
    fl_status st = FL_OK;
    int n = 0;
    while (st == FL_OK && n < 2000) {
        st = add(T0, text, id, &err);
        n += st == FL_OK;
    }
    assert_int_equal(st, FL_E_LIMIT);
    assert_int_equal(n, 999); /* and the one of the rules */
    restore(w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        T(test_once),          T(test_once_restored),    T(test_of_the_rules_and_weekly),
        T(test_ended_by_hand), T(test_there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
