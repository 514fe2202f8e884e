/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_heartbeats.c -- who fell silent, who is back, each told once; deaf time counts for nobody. */
#include <faultline/intake.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC FL_USEC_PER_SEC
#define T0 (1000 * SEC)

static struct fl_heartbeats *h;
static struct fl_heartbeat_news news[8];

static struct fl_rules *rules_of(const char *list)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_rules *r = NULL;
    struct fl_err err = {0};
    fl_buf_printf(&b, "{\"heartbeats\":%s}", list);
    if (fl_rules_from_json(b.p, b.n, &r, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    return r;
}

static const char two[] =
    "[{\"name\":\"prom\",\"match\":[\"alertname=Watchdog\"],\"interval\":\"60s\",\"grace\":\"30s\"},"
    "{\"name\":\"zabbix\",\"source\":\"zabbix\",\"interval\":\"5m\",\"grace\":\"5m\"}]";

static int setup(void **state)
{
    (void)state;
    h = fl_heartbeats_new();
    assert_true(fl_heartbeats_rules(h, rules_of(two), T0));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    h = fl_heartbeats_free(h);
    return 0;
}

static void see(const char *source, const char *name, fl_alert_status st, fl_usec at)
{
    struct fl_label l[] = {{"alertname", name}};
    struct fl_alert a = {.labels = {l, 1}, .status = st, .generator_url = ""};
    fl_heartbeats_see(h, source, &a, 1, at);
}

/* Once a second, as the engine does. @return what there was to tell in the last one. */
static size_t look_until(fl_usec from, fl_usec to, bool listening)
{
    size_t n = 0;
    for (fl_usec t = from; t <= to; t += SEC)
        n = fl_heartbeats_look(h, t, listening, news, 8);
    return n;
}

static void silent_and_back(void **state)
{
    (void)state;
    assert_int_equal(look_until(T0, T0 + 90 * SEC, true), 0);
    assert_int_equal(look_until(T0 + 91 * SEC, T0 + 91 * SEC, true), 1);
    assert_string_equal(news[0].name, "prom");
    assert_true(news[0].missed && news[0].silent == 91 * SEC);
    assert_int_equal(look_until(T0 + 92 * SEC, T0 + 100 * SEC, true), 0);
    /* A resolved one is no sign of life, nor is another alert, nor another sender's. */
    see("alertmanager-v2", "Watchdog", FL_ALERT_RESOLVED, T0 + 101 * SEC);
    see("alertmanager-v2", "Down", FL_ALERT_FIRING, T0 + 101 * SEC);
    assert_int_equal(look_until(T0 + 101 * SEC, T0 + 101 * SEC, true), 0);
    see("alertmanager-v2", "Watchdog", FL_ALERT_FIRING, T0 + 102 * SEC);
    assert_int_equal(look_until(T0 + 102 * SEC, T0 + 102 * SEC, true), 1);
    assert_false(news[0].missed);
    see("zabbix", "x", FL_ALERT_RESOLVED, T0 + 500 * SEC);
    assert_int_equal(look_until(T0 + 103 * SEC, T0 + 192 * SEC, true), 0);
    assert_int_equal(look_until(T0 + 193 * SEC, T0 + 1100 * SEC, true), 0);
    assert_int_equal(look_until(T0 + 1101 * SEC, T0 + 1101 * SEC, true), 1);
    assert_string_equal(news[0].name, "zabbix");
}

static void told_again_when_not_committed(void **state)
{
    (void)state;
    assert_int_equal(look_until(T0, T0 + 91 * SEC, true), 1);
    fl_heartbeats_unlook(h, news, 1);
    assert_int_equal(look_until(T0 + 92 * SEC, T0 + 92 * SEC, true), 1);
    assert_true(news[0].missed);
    /* Back meanwhile: nothing of what was not committed has to be taken back. */
    fl_heartbeats_unlook(h, news, 1);
    see("x", "Watchdog", FL_ALERT_FIRING, T0 + 93 * SEC);
    assert_int_equal(look_until(T0 + 93 * SEC, T0 + 93 * SEC, true), 0);
}

static void deaf_time_counts_for_nobody(void **state)
{
    (void)state;
    look_until(T0, T0 + 60 * SEC, true);
    /* The database was away for an hour, then the process stood still for another. */
    assert_int_equal(look_until(T0 + 61 * SEC, T0 + 3660 * SEC, false), 0);
    assert_int_equal(look_until(T0 + 7260 * SEC, T0 + 7290 * SEC, true), 0);
    assert_int_equal(look_until(T0 + 7291 * SEC, T0 + 7291 * SEC, true), 1);
}

static void a_restart(void **state)
{
    (void)state;
    fl_heartbeats_free(h);
    h = fl_heartbeats_new();
    fl_heartbeats_restore(h, "prom");
    fl_heartbeats_restore(h, "forgotten");
    assert_true(fl_heartbeats_rules(h, rules_of(two), T0));
    /* Silent before, silent still, told already. The other one has its whole patience. */
    assert_int_equal(look_until(T0, T0 + 600 * SEC, true), 0);
    assert_int_equal(look_until(T0 + 601 * SEC, T0 + 601 * SEC, true), 1);
    assert_string_equal(news[0].name, "zabbix");
    see("x", "Watchdog", FL_ALERT_FIRING, T0 + 602 * SEC);
    assert_int_equal(look_until(T0 + 602 * SEC, T0 + 602 * SEC, true), 1);
    assert_false(news[0].missed);
}

static void a_reload(void **state)
{
    (void)state;
    look_until(T0, T0 + 80 * SEC, true);
    /* The same rule keeps its last report, a new one starts now, one that is gone is forgotten. */
    assert_true(fl_heartbeats_rules(
        h,
        rules_of(
            "[{\"name\":\"prom\",\"match\":[\"alertname=Watchdog\"],\"interval\":\"60s\",\"grace\":\"30s\"},"
            "{\"name\":\"new\",\"source\":\"grafana\",\"interval\":\"60s\",\"grace\":\"30s\"}]"),
        T0 + 80 * SEC));
    assert_int_equal(look_until(T0 + 81 * SEC, T0 + 91 * SEC, true), 1);
    assert_string_equal(news[0].name, "prom");
    assert_int_equal(look_until(T0 + 92 * SEC, T0 + 171 * SEC, true), 1);
    assert_string_equal(news[0].name, "new");
}

static void what_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *rule, *where;
    } bad[] = {
        {"{\"name\":\"a\",\"interval\":\"1m\"}", "heartbeats[0].match"},
        {"{\"name\":\"a\",\"match\":[],\"interval\":\"1m\"}", "heartbeats[0].match"},
        {"{\"name\":\"a\",\"match\":[\"a=b\"],\"source\":\"x\",\"interval\":\"1m\"}", "heartbeats[0].match"},
        {"{\"name\":\"a\",\"match\":[\"a=~(\"],\"interval\":\"1m\"}", "heartbeats[0].match[0]"},
        {"{\"name\":\"a\",\"source\":\"x\"}", "heartbeats[0].interval"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"0s\"}", "heartbeats[0].interval"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"8d\"}", "heartbeats[0].interval"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"1m\",\"grace\":\"soon\"}", "heartbeats[0].grace"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"1m\",\"severity\":\"bad\"}",
         "heartbeats[0].severity"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"1m\",\"labels\":{\"alertname\":\"x\"}}",
         "heartbeats[0].labels"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"1m\",\"labels\":{\"team\":7}}",
         "heartbeats[0].labels"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"1m\",\"intervall\":\"1m\"}", "heartbeats[0]"},
        {"{\"name\":\"\",\"source\":\"x\",\"interval\":\"1m\"}", "heartbeats[0].name"},
        {"{\"name\":\"a\",\"source\":\"x\",\"interval\":\"1m\"},{\"name\":\"a\",\"source\":\"y\",\"interval\":\"1m\"}",
         "heartbeats[1].name"},
        {"7", "heartbeats[0]"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_BUF b = fl_buf_init(0);
        struct fl_rules *r = NULL;
        struct fl_err err = {0};
        fl_buf_printf(&b, "{\"heartbeats\":[%s]}", bad[i].rule);
        if (fl_rules_from_json(b.p, b.n, &r, &err) == FL_OK)
            fail_msg("%s was taken", bad[i].rule);
        assert_string_equal(err.where, bad[i].where);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(silent_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(told_again_when_not_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(deaf_time_counts_for_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
