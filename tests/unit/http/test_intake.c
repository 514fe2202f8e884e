/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alerts in: a 2xx only after the commit, 503 for what may work later, 4xx with a reason for what never will. */
#include "fake_store.h"
#include "raw.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define HOOK(alerts) \
    "{\"version\":\"4\",\"status\":\"firing\",\"groupKey\":\"g\",\"receiver\":\"r\",\"alerts\":[" alerts "]}"
#define ONE(name, start)                                       \
    "{\"status\":\"firing\",\"labels\":{\"alertname\":\"" name \
    "\"},\"annotations\":{},\"startsAt\":\"" start "\",\"endsAt\":\"0001-01-01T00:00:00Z\"}"
static const char T[] = "2026-11-01T00:00:00Z";

static struct fl_http *h;
static int port;
static const char *token;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    token = fake_token("sender", FL_ROLE_OPERATOR, 0, 0);
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

static int hook(const char *body)
{
    return raw_request(port, "POST", "/api/v1/intake/alertmanager", token, body);
}

static int v2(const char *body)
{
    return raw_request(port, "POST", "/api/v2/alerts", token, body);
}

static void answer_waits_for_the_commit(void **state)
{
    (void)state;
    static const char body[] = HOOK(ONE("A", "2026-11-01T00:00:00Z"));
    char text[1024];
    bool closed;
    fake.hold = true;
    snprintf(
        text, sizeof text,
        "POST /api/v1/intake/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        token, strlen(body), body);
    int fd = raw_open(port);
    raw_send(fd, text, strlen(text));
    assert_int_equal(raw_read(fd, 300, &closed), 0); /* nothing yet */
    assert_false(closed);
    assert_int_equal(fake_submissions(), 1);
    fake_release();
    assert_int_equal(raw_read(fd, 5000, NULL), 200);
    close(fd);
    assert_int_equal(fake_kind(), FL_EV_ALERTS);
    assert_string_equal(fake_body(), body); /* as received */
    assert_string_equal(fake_actor(), "sender");
    assert_true(fake_had_alerts());
    assert_non_null(strstr(raw_body(), "\"accepted\":1"));
}

static void repeats_write_nothing(void **state)
{
    (void)state;
    static const char body[] = HOOK(ONE("R", "2026-11-01T00:00:00Z"));
    assert_int_equal(hook(body), 200);
    assert_int_equal(fake_submissions(), 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(hook(body), 200);
    assert_int_equal(fake_submissions(), 1);
    assert_int_equal(hook(HOOK(ONE("R", "2026-11-01T00:00:00Z") "," ONE("S", "2026-11-01T00:00:00Z"))), 200);
    assert_int_equal(fake_submissions(), 2);
}

static void what_may_work_later_is_503(void **state)
{
    (void)state;
    static const char body[] = HOOK(ONE("L", "2026-11-01T00:00:00Z"));
    static const fl_status later[] = {FL_E_FULL, FL_E_UNAVAILABLE, FL_E_TIMEOUT, FL_E_FENCED, FL_E_INTERNAL};
    for (size_t i = 0; i < FL_ARRAY_LEN(later); i++) {
        fake.submit = later[i] == FL_E_FULL ? FL_E_FULL : FL_E_UNAVAILABLE;
        assert_int_equal(hook(body), 503);
        assert_non_null(raw_header("Retry-After"));
        fake.submit = FL_OK;
        fake.commit = later[i];
        assert_int_equal(hook(body), 503);
        assert_int_equal(v2("[{\"labels\":{\"alertname\":\"L\"}}]"), 503);
        fake.commit = FL_OK;
    }
    /* A commit that failed left no lease behind: the retry is written. */
    size_t before = fake_submissions();
    assert_int_equal(hook(body), 200);
    assert_int_equal(fake_submissions(), before + 1);
}

static void bad_ones_are_named_and_kept(void **state)
{
    (void)state;
    assert_int_equal(hook(HOOK(ONE("G", "2026-11-01T00:00:00Z") ",{\"labels\":7}")), 200);
    assert_non_null(strstr(raw_body(), "\"accepted\":1"));
    assert_non_null(strstr(raw_body(), "alerts[1]"));
    assert_int_equal(fake_letters(), 1);
    size_t before = fake_submissions();
    assert_int_equal(hook(HOOK("{\"labels\":7}")), 400);
    assert_non_null(strstr(raw_body(), "\"error\""));
    assert_int_equal(fake_submissions(), before);
    assert_int_equal(fake_letters(), 2);
    assert_int_equal(hook("{\"alerts\":"), 400);
    assert_int_equal(hook("[]"), 400);
    assert_int_equal(hook(""), 400);
}

static void lookalike_answers(void **state)
{
    (void)state;
    assert_int_equal(v2("[]"), 200);
    assert_string_equal(raw_body(), "");
    assert_int_equal(v2("[{\"labels\":{\"alertname\":\"Good\"}},{\"labels\":{\"a-b\":\"x\"}}]"), 400);
    assert_string_equal(raw_body(), "\"invalid label set: invalid name \\\"a-b\\\"\"\n");
    assert_int_equal(fake_submissions(), 1); /* the good one is stored all the same */
    assert_int_equal(v2("[{\"annotations\":{}}]"), 422);
    assert_string_equal(raw_body(), "{\"code\":602,\"message\":\"0.labels in body is required\"}");
    assert_int_equal(v2("[{\"labels\":{}}]"), 400);
    assert_string_equal(raw_body(), "\"at least one label pair required\"\n");
    assert_int_equal(v2("[{\"labels\":"), 400);
    assert_non_null(strstr(raw_body(), "{\"code\":400,\"message\":\"parsing alerts body"));
    assert_int_equal(raw_request(port, "POST", "/alertmanager/api/v2/alerts", token, "[]"), 200);
}

static void wrong_type_as_alertmanager_says(void **state)
{
    (void)state;
    char text[512];
    snprintf(
        text, sizeof text,
        "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n[]",
        token);
    assert_int_equal(raw_ask(port, text), 415);
    assert_string_equal(
        raw_body(),
        "{\"code\":415,\"message\":\"unsupported media type \\\"text/plain\\\", only [application/json] are allowed\"}");
}

/* What the sender left open is the journal's time; where more than that depends on it, the core parses the body itself. */
static void open_times_are_the_journals(void **state)
{
    (void)state;
    assert_int_equal(v2("[{\"labels\":{\"alertname\":\"Q\"}}]"), 200);
    assert_true(fake_had_alerts());
    assert_int_equal(v2("[{\"labels\":{\"alertname\":\"N\"},\"endsAt\":\"2026-01-01T00:00:00Z\"}]"), 200);
    assert_false(fake_had_alerts());
    char body[256];
    snprintf(body, sizeof body,
             "[{\"labels\":{\"alertname\":\"P\"},\"startsAt\":\"%s\",\"endsAt\":\"2027-01-01T00:00:00Z\"}]",
             T);
    assert_int_equal(v2(body), 200);
    assert_true(fake_had_alerts());
}

static void drain_refuses_and_reads_go_on(void **state)
{
    (void)state;
    fl_http_drain(h);
    assert_int_equal(hook(HOOK(ONE("D", "2026-11-01T00:00:00Z"))), 503);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents", token, NULL), 200);
    assert_int_equal(raw_request(port, "GET", "/-/ready", NULL, NULL), 503);
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
    assert_int_equal(fake_submissions(), 0);
}

/* MHD_stop_daemon would abort the process while a request waits. */
static void stop_answers_who_waits(void **state)
{
    (void)state;
    static const char body[] = HOOK(ONE("W", "2026-11-01T00:00:00Z"));
    char text[1024];
    fake.hold = true;
    snprintf(
        text, sizeof text,
        "POST /api/v1/intake/alertmanager HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n%s",
        token, strlen(body), body);
    int fd = raw_open(port);
    raw_send(fd, text, strlen(text));
    while (!fake_submissions())
        usleep(1000);
    fake_server_stop(h); /* commits only after the server is gone */
    assert_int_equal(raw_read(fd, 2000, NULL), 503);
    close(fd);
    h = fake_server("on", 30, 1 << 20, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answer_waits_for_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(repeats_write_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_may_work_later_is_503, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_ones_are_named_and_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(lookalike_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_type_as_alertmanager_says, setup, teardown),
        cmocka_unit_test_setup_teardown(open_times_are_the_journals, setup, teardown),
        cmocka_unit_test_setup_teardown(drain_refuses_and_reads_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(stop_answers_who_waits, setup, teardown),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
