/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Dead letters are read again with the mapping in force now; the trace comes before the letter goes. */
#include "fake_store.h"
#include "raw.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct fl_http *h;
static int port;
static const char *token;

static char *mapping(void *ctx, const char *source)
{
    (void)ctx;
    return !strcmp(source, "shop")
               ? strdup("{\"name\":\"shop\",\"list\":\"/alarms\",\"labels\":{\"alertname\":\"/title\"}}")
               : NULL;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    fake.mapping = mapping;
    token = fake_token("op", FL_ROLE_OPERATOR, 0, 0);
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

static int post(const char *path, const char *body)
{
    return raw_request(port, "POST", path, token, body);
}

static void keep(size_t i, const char *source, const char *raw, bool whole, bool cut)
{
    fake.box[i] = (struct fl_letter){.n = i + 1,
                                     .source = source,
                                     .where = "was here",
                                     .reason = "was bad",
                                     .raw = raw,
                                     .whole = whole,
                                     .cut = cut};
    fake.n_box = i + 1;
}

static void accepted(void **state)
{
    (void)state;
    keep(0, "mapped:shop", "{\"alarms\":[{\"title\":\"A\"},{\"title\":\"B\"}]}", true, false);
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
    assert_non_null(strstr(raw_body(), "\"accepted\":1,\"refused\":0"));
    assert_non_null(strstr(raw_body(), "\"alerts\":2"));
    assert_null(strstr(raw_body(), "next_after"));
    /* The alerts, then the act. */
    assert_int_equal(fake_submissions(), 2);
    assert_int_equal(fake_kind(), FL_EV_COMMAND);
    assert_string_equal(fake_actor(), "op");
    assert_non_null(
        strstr(fake_body(), "{\"op\":\"deadletter.retry\",\"letters\":[{\"n\":1,\"source\":\"mapped:shop\""));
    assert_int_equal(fake.removed, 1);
}

/* One element of each format stands on its own feet again. */
static void elements(void **state)
{
    (void)state;
    static const struct {
        const char *source, *raw;
    } v[] = {
        {"mapped:shop", "{\"title\":\"A\"}"},
        {"alertmanager",
         "{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"},\"startsAt\":\"2026-11-01T00:00:00Z\"}"},
        {"alertmanager-v2", "{\"labels\":{\"alertname\":\"A\"}}"},
        {"grafana",
         "{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\"},\"startsAt\":\"2026-11-01T00:00:00Z\"}"},
        {"kubernetes",
         "{\"involvedObject\":{\"kind\":\"Node\",\"name\":\"n\"},\"reason\":\"R\",\"type\":\"Warning\"}"},
        {"nagios",
         "{\"checkresult\":{\"type\":\"service\"},\"hostname\":\"w\",\"servicename\":\"H\",\"state\":\"2\",\"output\":\"x\"}"},
        {"zabbix", "{\"value\":\"1\",\"name\":\"n\",\"host\":\"h\"}"},
        {"cloudevents",
         "{\"specversion\":\"1.0\",\"id\":\"1\",\"source\":\"/s\",\"type\":\"disk.full.firing\"}"}};
    for (size_t i = 0; i < FL_ARRAY_LEN(v); i++) {
        keep(0, v[i].source, v[i].raw, false, false);
        assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
        if (!strstr(raw_body(), "\"accepted\":1"))
            fail_msg("%s: %s", v[i].source, raw_body());
    }
    assert_int_equal(fake.removed, FL_ARRAY_LEN(v));
}

static void refused(void **state)
{
    (void)state;
    keep(0, "mapped:shop", "{\"alarms\":[{\"name\":\"A\"}]}", true, false);
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
    assert_non_null(strstr(raw_body(), "\"accepted\":0,\"refused\":1"));
    assert_non_null(strstr(fake.still, "alarms[0]"));
    keep(0, "mapped:gone", "{}", true, false);
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
    assert_string_equal(fake.still, "source|the rules have no such source any more");
    keep(0, "grafana", "{\"a", true, true);
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
    assert_non_null(strstr(fake.still, "was here|only part of it was kept"));
    keep(0, "pagerduty", "", true, false);
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
    assert_non_null(strstr(fake.still, "may have held a credential"));
    assert_int_equal(fake.removed, 0);
}

/* Part of a body is good now: the rest stays, element by element. */
static void in_part(void **state)
{
    (void)state;
    keep(0, "mapped:shop", "{\"alarms\":[{\"title\":\"A\"},{\"name\":\"B\"}]}", true, false);
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 200);
    assert_non_null(strstr(raw_body(), "\"alerts\":1,\"rejected\":1"));
    assert_int_equal(fake_letters(), 1);
    assert_int_equal(fake.removed, 1);
}

static void all_of_a_source(void **state)
{
    (void)state;
    keep(0, "mapped:shop", "{\"title\":\"A\"}", false, false);
    keep(1, "grafana", "{", true, false);
    keep(2, "mapped:shop", "{\"title\":\"C\"}", false, false);
    assert_int_equal(post("/api/v1/deadletters/retry", "{\"source\":\"mapped:shop\",\"after\":1}"), 200);
    assert_non_null(strstr(raw_body(), "\"accepted\":1,\"refused\":0"));
    assert_int_equal(post("/api/v1/deadletters/retry", NULL), 200);
    assert_non_null(strstr(raw_body(), "\"accepted\":2,\"refused\":1"));
    assert_int_equal(post("/api/v1/deadletters/retry", "[]"), 400);
    assert_int_equal(post("/api/v1/deadletters/retry", "{\"after\":-1}"), 400);
    assert_int_equal(post("/api/v1/deadletters/retry", "{\"after\":100}"), 200);
    assert_non_null(strstr(raw_body(), "\"accepted\":0,\"refused\":0"));
}

static void dropped(void **state)
{
    (void)state;
    keep(0, "grafana", "{\"secret\":1}", true, false);
    assert_int_equal(post("/api/v1/deadletters/1/drop", "{\"reason\":\"a test\"}"), 200);
    assert_non_null(strstr(raw_body(), "\"dropped\":1"));
    assert_non_null(strstr(fake_body(), "\"op\":\"deadletter.drop\",\"reason\":\"a test\""));
    assert_null(strstr(fake_body(), "secret"));
    assert_int_equal(fake_submissions(), 1);
    assert_int_equal(fake.removed, 1);
    assert_int_equal(post("/api/v1/deadletters/2/drop", NULL), 404);
    assert_int_equal(post("/api/v1/deadletters/x/retry", NULL), 404);
}

/* Nothing is taken out while the journal does not have it. */
static void nothing_lost(void **state)
{
    (void)state;
    keep(0, "mapped:shop", "{\"title\":\"A\"}", false, false);
    fake.commit = FL_E_UNAVAILABLE;
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 503);
    assert_int_equal(post("/api/v1/deadletters/1/drop", NULL), 503);
    fake.commit = FL_OK;
    fake.submit = FL_E_FULL;
    assert_int_equal(post("/api/v1/deadletters/1/retry", NULL), 503);
    assert_int_equal(post("/api/v1/deadletters/1/drop", NULL), 503);
    assert_int_equal(fake.removed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(elements, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(in_part, setup, teardown),
        cmocka_unit_test_setup_teardown(all_of_a_source, setup, teardown),
        cmocka_unit_test_setup_teardown(dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_lost, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
