/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Flapping: when it begins, what its turns do not do, when it ends, what a snapshot keeps, what bounds it. */
#include "quiet_fixture.h"

static const char rules_json[] =
    "{\"flapping\":[{\"name\":\"never\",\"match\":[\"calm=yes\"],\"changes\":0,\"within\":\"1m\",\"quiet_for\":\"1m\"},"
    "{\"name\":\"four\",\"changes\":4,\"within\":\"10m\",\"quiet_for\":\"5m\"}]}";

#define CPU "alertname=CpuHigh,component=front,severity=warning"

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

static const struct fl_incident *inc(const char *id)
{
    const struct fl_incident *i = fl_corr_find(w->c, id);
    assert_non_null(i);
    return i;
}

/* Fires at T0, T0+60 s, …: changes 1 to 5 are the resolves and fires after the first. The fifth makes it flap. */
static uint64_t flap_until_it_flaps(void)
{
    uint64_t fp = 0;
    for (int k = 0; k < 2; k++) {
        fp = fire(w, T0 + k * 20 * SEC, CPU);
        send(w, T0 + (k * 20 + 10) * SEC, CPU, FL_ALERT_RESOLVED, T0 + k * 20 * SEC);
        assert_int_equal(stats(w).flapping, 0);
    }
    assert_int_equal(inc("INC-2026-000001")->state, FL_INC_RECOVERING);
    fire(w, T0 + 40 * SEC, CPU);
    assert_int_equal(stats(w).flapping, 0); /* the fourth change */
    send(w, T0 + 50 * SEC, CPU, FL_ALERT_RESOLVED, T0 + 40 * SEC);
    assert_int_equal(stats(w).flapping, 1);
    assert_int_equal(stats(w).flaps, 1);
    return fp;
}

static bool through_a_snapshot;

static void pause_here(void)
{
    if (through_a_snapshot)
        restore(w);
}

static void story(void)
{
    uint64_t fp = flap_until_it_flaps();
    assert_int_equal(row(w, fp)->status, FL_ALERT_FIRING);
    assert_string_equal(row(w, fp)->quiet, "flapping");
    assert_non_null(strstr(
        row(w, fp)->why,
        "flapping since 2026-09-21T14:14:10.000Z (rule \\\"four\\\"): counts as firing until it has not changed "
        "for 5m, at 2026-09-21T14:19:10.000Z if it does not change before"));
    assert_non_null(strstr(w->notes, "alert.flapping"));
    assert_non_null(strstr(w->notes, "CpuHigh on front is flapping (rule \"four\"): 5 changes in 40s"));
    const struct fl_incident *i = inc("INC-2026-000001");
    assert_int_equal(i->state, FL_INC_OPEN);
    size_t total = i->alerts_total;
    w->notes[0] = 0;
    pause_here();
    /* It goes on for an hour: one incident, no more alerts in it, not a word. */
    for (int k = 2; k < 60; k++) {
        fire(w, T0 + k * 60 * SEC, CPU);
        assert_int_equal(row(w, fp)->status, FL_ALERT_FIRING);
        assert_string_equal(row(w, fp)->incident, "INC-2026-000001");
        assert_string_equal(row(w, fp)->quiet, "flapping");
        send(w, T0 + (k * 60 + 30) * SEC, CPU, FL_ALERT_RESOLVED, T0 + k * 60 * SEC);
        send(w, T0 + (k * 60 + 31) * SEC, CPU, FL_ALERT_RESOLVED, T0 + k * 60 * SEC); /* once more */
        send(w, T0 + (k * 60 + 32) * SEC, CPU, FL_ALERT_FIRING, T0 + k * 60 * SEC);   /* too late */
        if (k % 16 == 0)
            pause_here();
    }
    i = inc("INC-2026-000001");
    assert_int_equal(i->alerts_total, total);
    assert_int_equal(i->alerts_firing, 1);
    assert_null(strstr(w->notes, "alert."));
    assert_int_equal(stats(w).opened, 1);
    /* A lease of a start that was resolved says nothing. */
    expire_lease(w, T0 + 3600 * SEC, fp, T0 + 59 * 60 * SEC);
    assert_int_equal(inc("INC-2026-000001")->alerts_stale, 0);
    pause_here();
    fl_usec last = T0 + (59 * 60 + 30) * SEC;
    tick(w, last + 300 * SEC - 1);
    assert_int_equal(stats(w).flapping, 1);
    tick(w, last + 300 * SEC);
    assert_int_equal(stats(w).flapping, 0);
    assert_int_equal(row(w, fp)->status, FL_ALERT_RESOLVED);
    assert_int_equal(row(w, fp)->ends_at, last);
    assert_non_null(strstr(w->notes, "alert.steady"));
    assert_int_equal(inc("INC-2026-000001")->state, FL_INC_RECOVERING);
}

static void test_one_incident_for_an_hour_of_flapping(void **state)
{
    (void)state;
    through_a_snapshot = false;
    story();
}

static void test_the_same_from_snapshots(void **state)
{
    (void)state;
    through_a_snapshot = true;
    story();
}

static void test_it_may_end_firing(void **state)
{
    (void)state;
    uint64_t fp = flap_until_it_flaps();
    fire(w, T0 + 60 * SEC, CPU);
    tick(w, T0 + 360 * SEC);
    assert_int_equal(stats(w).flapping, 0);
    assert_int_equal(row(w, fp)->status, FL_ALERT_FIRING);
    assert_string_equal(row(w, fp)->quiet, "");
    /* and its resolve counts again, as its history is too old to make it flap */
    send(w, T0 + 1200 * SEC, CPU, FL_ALERT_RESOLVED, T0 + 60 * SEC);
    assert_int_equal(row(w, fp)->status, FL_ALERT_RESOLVED);
}

static void test_what_does_not_flap(void **state)
{
    (void)state;
    for (int k = 0; k < 20; k++) { /* too slow: four changes take 20 min */
        fire(w, T0 + k * 600 * SEC, CPU);
        send(w, T0 + (k * 600 + 300) * SEC, CPU, FL_ALERT_RESOLVED, T0 + k * 600 * SEC);
    }
    for (int k = 0; k < 20; k++) { /* by rule */
        fire(w, T0 + (20000 + k) * SEC, "alertname=X,calm=yes");
        send(w, T0 + (20000 + k) * SEC + 1, "alertname=X,calm=yes", FL_ALERT_RESOLVED,
             T0 + (20000 + k) * SEC);
    }
    assert_int_equal(stats(w).flaps, 0);
}

static void test_a_silenced_one_stays_held(void **state)
{
    (void)state;
    static const char text[] =
        "{\"createdBy\":\"ops\",\"comment\":\"c\",\"startsAt\":\"2026-01-01T00:00:00Z\",\"endsAt\":\"2027-01-01T00:00:00Z\","
        "\"matchers\":[{\"name\":\"alertname\",\"value\":\"CpuHigh\",\"isRegex\":false}]}";
    struct fl_err err = {0};
    char id[FL_SILENCE_ID_LEN];
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), &err);
    begin(w, T0 - SEC);
    assert_int_equal(fl_corr_silence_set(w->c, &w->step, v, id, &err), FL_OK);
    end(w);
    for (int k = 0; k < 10; k++) {
        fire(w, T0 + k * 20 * SEC, CPU);
        assert_int_equal(stats(w).held, 1);
        send(w, T0 + (k * 20 + 10) * SEC, CPU, FL_ALERT_RESOLVED, T0 + k * 20 * SEC);
    }
    assert_int_equal(stats(w).flapping, 1);
    assert_int_equal(stats(w).held, 1);
    assert_int_equal(stats(w).opened, 0);
    restore(w);
    tick(w, T0 + 3600 * SEC);
    assert_int_equal(stats(w).held, 0);
    assert_int_equal(stats(w).flapping, 0);
}

/* The other half of a pair, whose start is older than the resolve: it never stopped. */
static void test_the_other_half_of_a_pair(void **state)
{
    (void)state;
    uint64_t fp = flap_until_it_flaps();
    send(w, T0 + 51 * SEC, CPU, FL_ALERT_FIRING, T0 + 41 * SEC);
    tick(w, T0 + 400 * SEC);
    assert_int_equal(stats(w).flapping, 0);
    assert_int_equal(row(w, fp)->status, FL_ALERT_FIRING);
    send(w, T0 + 900 * SEC, CPU, FL_ALERT_RESOLVED, T0 + 41 * SEC);
    assert_int_equal(row(w, fp)->status, FL_ALERT_RESOLVED);
}

/* Two Prometheus, one start: the end was heard when the resolve was, not when it began to count. */
static void test_an_equal_start_that_is_told_on(void **state)
{
    (void)state;
    uint64_t fp = flap_until_it_flaps();
    fl_usec heard = T0 + 50 * SEC, starts = T0 + 40 * SEC;
    restore(w);
    tick(w, heard + 300 * SEC);
    assert_int_equal(row(w, fp)->status, FL_ALERT_RESOLVED);
    send(w, heard + FL_LATE_FOR - 1, CPU, FL_ALERT_FIRING, starts);
    assert_int_equal(stats(w).firing, 0);
    send(w, heard + FL_LATE_FOR, CPU, FL_ALERT_FIRING, starts);
    assert_int_equal(stats(w).firing, 1);
    assert_int_equal(stats(w).opened, 1);
    assert_int_equal(inc("INC-2026-000001")->state, FL_INC_OPEN);
}

static void test_an_equal_start_that_is_told_on_while_it_flaps(void **state)
{
    (void)state;
    world_free(w);
    w = world_new(
        "{\"flapping\":[{\"name\":\"four\",\"changes\":4,\"within\":\"10m\",\"quiet_for\":\"10m\"}]}");
    uint64_t fp = flap_until_it_flaps();
    fl_usec heard = T0 + 50 * SEC, starts = T0 + 40 * SEC;
    send(w, heard + FL_LATE_FOR - 1, CPU, FL_ALERT_FIRING, starts);
    restore(w);
    send(w, heard + FL_LATE_FOR, CPU, FL_ALERT_FIRING, starts);
    restore(w);
    tick(w, heard + 1300 * SEC);
    assert_int_equal(stats(w).flapping, 0);
    assert_int_equal(row(w, fp)->status, FL_ALERT_FIRING);
    send(w, heard + 1400 * SEC, CPU, FL_ALERT_RESOLVED, starts);
    assert_int_equal(row(w, fp)->status, FL_ALERT_RESOLVED);
    assert_int_equal(stats(w).opened, 1);
}

/* The flow would. */
static bool was_ranked(void *ctx, struct fl_incident *i)
{
    (void)ctx;
    if (i->rank_due && i->rank_due <= w->step.at)
        fl_corr_ranked(w->c, &w->step, i, NULL, 0);
    return false;
}

static void sound(void)
{
    struct fl_err err = {0};
    fl_corr_each(w->c, was_ranked, NULL);
    fl_corr_flush(w->c, &w->step);
    if (fl_corr_check(w->c, w->rules, w->step.at, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
}

/* The sender fell silent before its resolve came; then who else reports it, with this start, says that it fires on. */
static void stale_and_fires_on(fl_usec other, fl_usec after)
{
    world_free(w);
    w = world_new(
        "{\"flapping\":[{\"name\":\"four\",\"changes\":4,\"within\":\"10m\",\"quiet_for\":\"10m\"}]}");
    uint64_t fp = flap_until_it_flaps();
    fl_usec starts = T0 + 60 * SEC, heard = T0 + 110 * SEC;
    fire(w, starts, CPU);
    expire_lease(w, T0 + 100 * SEC, fp, starts);
    assert_int_equal(stats(w).stale, 1);
    send(w, heard, CPU, FL_ALERT_RESOLVED, starts);
    assert_int_equal(stats(w).stale, 1);
    restore(w);
    send(w, heard + after, CPU, FL_ALERT_FIRING, other);
    assert_int_equal(stats(w).firing, 1);
    assert_int_equal(stats(w).stale, 0);
    assert_int_equal(row(w, fp)->status, FL_ALERT_FIRING);
    assert_int_equal(inc("INC-2026-000001")->alerts_stale, 0);
    sound();
    restore(w);
    tick(w, heard + 1300 * SEC);
    assert_int_equal(stats(w).flapping, 0);
    send(w, heard + 1400 * SEC, CPU, FL_ALERT_RESOLVED, other);
    assert_int_equal(row(w, fp)->status, FL_ALERT_RESOLVED);
    assert_int_equal(stats(w).firing, 0);
    assert_int_equal(inc("INC-2026-000001")->state, FL_INC_RECOVERING);
    sound();
}

static void test_a_stale_one_is_not_over(void **state)
{
    (void)state;
    stale_and_fires_on(T0 + 61 * SEC, SEC);
    stale_and_fires_on(T0 + 60 * SEC, FL_LATE_FOR);
}

/* A person who closes the incident gets a new one when it fires again, and nothing is left behind. */
static void test_closed_by_hand(void **state)
{
    (void)state;
    uint64_t fp = flap_until_it_flaps();
    struct fl_err err = {0};
    begin(w, T0 + 55 * SEC);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, "INC-2026-000001", "seen", &err), FL_OK);
    end(w);
    fire(w, T0 + 60 * SEC, CPU);
    assert_string_equal(row(w, fp)->incident, "INC-2026-000002");
    assert_int_equal(inc("INC-2026-000001")->alerts_firing, 0);
    send(w, T0 + 70 * SEC, CPU, FL_ALERT_RESOLVED, T0 + 60 * SEC);
    fire(w, T0 + 80 * SEC, CPU);
    assert_string_equal(row(w, fp)->incident, "INC-2026-000002");
    assert_int_equal(stats(w).opened, 2);
}

static size_t histories(const struct fl_corr *c)
{
    FL_AUTO_BUF b = state_of(c);
    struct fl_unpack u = fl_unpack_init(b.p, b.n);
    size_t n = 0;
    for (char kind; (kind = fl_unpack_next(&u)) != 0;)
        n += kind == 'F';
    assert_false(u.bad);
    return n;
}

static void test_histories_are_bounded(void **state)
{
    (void)state;
    char labels[64];
    for (int i = 0; i < 100050; i++) {
        snprintf(labels, sizeof labels, "alertname=X%d,calm=no", i);
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_alert v[2] = {alert_of(a, labels, FL_ALERT_FIRING, T0 + i, T0 + i),
                                alert_of(a, labels, FL_ALERT_RESOLVED, T0 + i, T0 + i + 1)};
        begin(w, T0 + i);
        fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", v, 2);
        if (i % 10000 == 0 || i == 100049)
            end(w);
    }
    assert_int_equal(histories(w->c), 100000);
    tick(w, T0 + 3600 * SEC); /* and they are forgotten */
    assert_int_equal(histories(w->c), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        T(test_one_incident_for_an_hour_of_flapping),
        T(test_the_same_from_snapshots),
        T(test_it_may_end_firing),
        T(test_what_does_not_flap),
        T(test_a_silenced_one_stays_held),
        T(test_the_other_half_of_a_pair),
        T(test_an_equal_start_that_is_told_on),
        T(test_an_equal_start_that_is_told_on_while_it_flaps),
        T(test_a_stale_one_is_not_over),
        T(test_closed_by_hand),
        T(test_histories_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
