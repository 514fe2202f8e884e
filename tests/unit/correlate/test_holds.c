/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Thresholds and grouping windows: who waits, who goes together, what a snapshot in the middle keeps. */
#include "quiet_fixture.h"

static const char rules_json[] =
    "{\"thresholds\":[{\"name\":\"pods\",\"match\":[\"kind=pod\"],\"group_by\":[\"cluster\"],\"count\":3,\"within\":\"60s\"},"
    "{\"name\":\"hosts\",\"match\":[\"kind=host\"],\"group_by\":[],\"count\":2,\"within\":\"60s\",\"distinct\":\"host\"}],"
    "\"groupings\":[{\"name\":\"by cluster\",\"match\":[\"kind=g\"],\"group_by\":[\"cluster\"],\"wait\":\"30s\"}]}";

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

/* Once as it goes on, once restored from a snapshot: both must decide the same. */
static bool through_a_snapshot;

static void pause_here(void)
{
    if (through_a_snapshot)
        restore(w);
}

static void threshold(void)
{
    uint64_t a = fire(w, T0, "alertname=Crash,kind=pod,cluster=eu,pod=a");
    assert_string_equal(row(w, a)->incident, "");
    assert_string_equal(row(w, a)->quiet, "threshold");
    assert_non_null(strstr(row(w, a)->why, "it takes 3 alerts of (cluster=eu) within 1m, this was number 1"));
    uint64_t other = fire(w, T0 + SEC, "alertname=Crash,kind=pod,cluster=us,pod=a");
    assert_string_equal(row(w, other)->incident, "");
    pause_here();
    uint64_t b = fire(w, T0 + 10 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=b");
    assert_non_null(strstr(row(w, b)->why, "this was number 2"));
    assert_int_equal(stats(w).held, 3);
    pause_here();
    uint64_t c = fire(w, T0 + 20 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=c");
    /* all three join, in one incident, in the step of the third */
    assert_string_equal(row(w, a)->incident, "INC-2026-000001");
    assert_string_equal(row(w, b)->incident, "INC-2026-000001");
    assert_string_equal(row(w, c)->incident, "INC-2026-000001");
    assert_string_equal(row(w, a)->quiet, "");
    assert_non_null(strstr(row(w, a)->why, "until 2026-09-21T14:13:40.000Z held by threshold"));
    assert_null(row(w, other));
    assert_int_equal(stats(w).held, 1);
    pause_here();
    /* the group is open while one of it lasts, however late the next one comes */
    uint64_t d = fire(w, T0 + 300 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=d");
    assert_string_equal(row(w, d)->incident, "INC-2026-000001");
    send(w, T0 + 301 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=a", FL_ALERT_RESOLVED, T0);
    send(w, T0 + 301 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=b", FL_ALERT_RESOLVED, T0 + 10 * SEC);
    send(w, T0 + 301 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=c", FL_ALERT_RESOLVED, T0 + 20 * SEC);
    send(w, T0 + 301 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=d", FL_ALERT_RESOLVED, T0 + 300 * SEC);
    pause_here();
    /* and closed when none does */
    uint64_t e = fire(w, T0 + 302 * SEC, "alertname=Crash,kind=pod,cluster=eu,pod=e");
    assert_string_equal(row(w, e)->incident, "");
    assert_int_equal(stats(w).held, 2);
}

static void test_threshold(void **state)
{
    (void)state;
    through_a_snapshot = false;
    threshold();
}

static void test_threshold_restored(void **state)
{
    (void)state;
    through_a_snapshot = true;
    threshold();
}

static void test_what_is_old_or_over_or_stale_does_not_count(void **state)
{
    (void)state;
    uint64_t a = fire(w, T0, "alertname=Crash,kind=pod,pod=a");
    uint64_t b = fire(w, T0 + SEC, "alertname=Crash,kind=pod,pod=b");
    send(w, T0 + 2 * SEC, "alertname=Crash,kind=pod,pod=b", FL_ALERT_RESOLVED, T0 + SEC);
    assert_non_null(strstr(row(w, b)->why, "resolved while it was kept out: joins no incident"));
    expire_lease(w, T0 + 3 * SEC, a, T0);
    fire(w, T0 + 4 * SEC, "alertname=Crash,kind=pod,pod=c");
    fire(w, T0 + 5 * SEC, "alertname=Crash,kind=pod,pod=d");
    assert_int_equal(stats(w).opened, 0);
    /* c and d are older than the window: still held, but not counted */
    uint64_t e = fire(w, T0 + 70 * SEC, "alertname=Crash,kind=pod,pod=e");
    assert_non_null(strstr(row(w, e)->why, "this was number 1"));
    assert_int_equal(stats(w).opened, 0);
    assert_int_equal(stats(w).held, 4);
    fire(w, T0 + 71 * SEC, "alertname=Crash,kind=pod,pod=f");
    /* The stale one counts from when it is vouched for; it is too old, so a third is needed. */
    send(w, T0 + 72 * SEC, "alertname=Crash,kind=pod,pod=a", FL_ALERT_FIRING, T0);
    assert_int_equal(stats(w).opened, 0);
    fire(w, T0 + 73 * SEC, "alertname=Crash,kind=pod,pod=g");
    assert_int_equal(stats(w).opened, 1);
    assert_int_equal(stats(w).held, 0);
    assert_int_equal(in_incidents(w), 6);
}

static void test_distinct_values(void **state)
{
    (void)state;
    fire(w, T0, "alertname=DiskSlow,kind=host,host=h1");
    fire(w, T0 + SEC, "alertname=DiskFull,kind=host,host=h1");
    uint64_t fp = fire(w, T0 + 2 * SEC, "alertname=DiskHot,kind=host,host=h1");
    assert_non_null(strstr(row(w, fp)->why, "it takes 2 values of host within 1m, this was number 1"));
    assert_int_equal(stats(w).held, 3);
    fire(w, T0 + 3 * SEC, "alertname=DiskSlow,kind=host,host=h2");
    assert_int_equal(stats(w).held, 0);
    assert_int_equal(in_incidents(w), 4);
}

static void grouping(void)
{
    /* far apart on the graph: alone, each would open an incident of its own */
    uint64_t a = fire(w, T0, "alertname=A,kind=g,cluster=eu,component=front");
    assert_string_equal(row(w, a)->incident, "");
    assert_string_equal(row(w, a)->quiet, "grouping");
    assert_non_null(
        strstr(row(w, a)->why, "until 2026-09-21T14:13:50.000Z: the first alerts of (cluster=eu) wait"));
    assert_int_equal(fl_corr_deadline(w->c, w->rules), T0 + 30 * SEC);
    pause_here();
    uint64_t b = fire(w, T0 + 10 * SEC, "alertname=B,kind=g,cluster=eu,component=batch");
    uint64_t over = fire(w, T0 + 11 * SEC, "alertname=C,kind=g,cluster=eu,component=cart");
    send(w, T0 + 12 * SEC, "alertname=C,kind=g,cluster=eu,component=cart", FL_ALERT_RESOLVED, T0 + 11 * SEC);
    assert_string_equal(row(w, over)->incident, "");
    uint64_t us = fire(w, T0 + 15 * SEC, "alertname=A,kind=g,cluster=us,component=tape");
    pause_here();
    assert_int_equal(stats(w).held, 3);
    tick(w, T0 + 30 * SEC - 1);
    assert_int_equal(stats(w).held, 3);
    tick(w, T0 + 30 * SEC);
    assert_string_equal(row(w, a)->incident, "INC-2026-000001");
    assert_string_equal(row(w, b)->incident, "INC-2026-000001");
    assert_non_null(strstr(row(w, b)->why, "it came together with the first alerts of (cluster=eu)"));
    assert_int_equal(stats(w).opened, 1);
    pause_here();
    /* what finds an incident does not wait: batch alerts in it, and tape is its neighbour */
    uint64_t late = fire(w, T0 + 40 * SEC, "alertname=D,kind=g,cluster=eu,component=batch");
    assert_string_equal(row(w, late)->incident, "INC-2026-000001");
    tick(w, T0 + 45 * SEC);
    assert_string_equal(row(w, us)->incident, "INC-2026-000001");
    assert_int_equal(stats(w).held, 0);
}

static void test_grouping(void **state)
{
    (void)state;
    through_a_snapshot = false;
    grouping();
}

static void test_grouping_restored(void **state)
{
    (void)state;
    through_a_snapshot = true;
    grouping();
}

/* An alert of the group may be the very event that comes when the wait is over. */
static void test_one_that_comes_at_the_end_goes_along(void **state)
{
    (void)state;
    uint64_t a = fire(w, T0, "alertname=A,kind=g,cluster=eu,component=front");
    uint64_t b = fire(w, T0 + 31 * SEC, "alertname=B,kind=g,cluster=eu,component=batch");
    assert_string_equal(row(w, a)->incident, row(w, b)->incident);
    assert_int_equal(stats(w).opened, 1);
    assert_int_equal(stats(w).held, 0);
}

static void test_rules_that_go_let_go(void **state)
{
    (void)state;
    fire(w, T0, "alertname=A,kind=g,cluster=eu");
    fire(w, T0 + SEC, "alertname=Crash,kind=pod,cluster=eu,pod=a");
    fire(w, T0 + SEC, "alertname=Crash,kind=pod,cluster=eu,pod=b");
    assert_int_equal(stats(w).held, 3);
    struct fl_rules *old = w->rules;
    struct fl_err err = {0};
    static const char fewer[] =
        "{\"thresholds\":[{\"name\":\"pods\",\"match\":[\"kind=pod\"],\"group_by\":[\"cluster\"],\"count\":2,\"within\":\"60s\"}]}";
    assert_int_equal(fl_rules_from_json(fewer, strlen(fewer), &w->rules, &err), FL_OK);
    begin(w, T0 + 2 * SEC);
    fl_corr_topology(w->c, &w->step, w->topo);
    end(w);
    fl_rules_free(old);
    assert_int_equal(stats(w).held, 0);
    assert_int_equal(in_incidents(w), 3);
}

/* Many alerts that share the value that would have to differ: each is counted with a bounded number of others. */
static void test_a_storm_below_the_threshold(void **state)
{
    (void)state;
    char labels[128];
    for (int i = 0; i < 6000; i++) {
        snprintf(labels, sizeof labels, "alertname=D%d,kind=host,host=h1", i);
        fire(w, T0 + i, labels);
    }
    assert_int_equal(stats(w).held, 6000);
    restore(w);
    fire(w, T0 + SEC, "alertname=D,kind=host,host=h2");
    assert_int_equal(stats(w).held, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        T(test_threshold),
        T(test_threshold_restored),
        T(test_what_is_old_or_over_or_stale_does_not_count),
        T(test_distinct_values),
        T(test_grouping),
        T(test_grouping_restored),
        T(test_one_that_comes_at_the_end_goes_along),
        T(test_rules_that_go_let_go),
        T(test_a_storm_below_the_threshold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
