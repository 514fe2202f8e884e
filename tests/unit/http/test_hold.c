/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Alerts turned away while the engine is behind: on their headers, a moment later, and never those that cost no work. */
#include "fake_store.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

enum { MANY = 200 };
#define ONE(name) "[{\"labels\":{\"alertname\":\"" name "\"},\"startsAt\":\"2026-11-01T00:00:00Z\"}]"

static struct fl_http *h;
static int port;
static const char *token;

static void start(int64_t max_connections)
{
    fake_reset();
    fake.max_connections = max_connections;
    token = fake_token("sender", FL_ROLE_OPERATOR, 0, 0);
    h = fake_server("on", 30, 4 << 20, 1000);
    port = fl_http_port(h);
}

static int stop(void **state)
{
    (void)state;
    fake.behind = false;
    fake_server_stop(h);
    return 0;
}

static int send_v2(const char *body, size_t n)
{
    char head[512];
    int fd = raw_open(port);
    snprintf(
        head, sizeof head,
        "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
        "Content-Length: %zu\r\n\r\n",
        token, n);
    raw_send(fd, head, strlen(head));
    raw_send(fd, body, n);
    return fd;
}

static int v2(const char *body)
{
    return raw_request(port, "POST", "/api/v2/alerts", token, body);
}

static long metric(const char *name)
{
    assert_int_equal(raw_request(port, "GET", "/metrics", token, NULL), 200);
    char line[128];
    snprintf(line, sizeof line, "\n%s ", name);
    const char *at = strstr(raw_text, line);
    assert_non_null(at);
    return strtol(at + strlen(line), NULL, 10);
}

/* Its body is no JSON: who reads it answers 400. */
static void the_body_is_not_read(void **state)
{
    (void)state;
    static const char healthy[] = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd[MANY], refused = 0, read = 0;
    start(0);
    fake.behind = true;
    fl_usec began = fl_mono();
    for (int i = 0; i < MANY; i++)
        fd[i] = send_v2("{", 1);
    assert_int_equal(raw_ask(port, healthy), 200);
    for (int i = 0; i < MANY; i++) {
        int code = raw_read(fd[i], 5000, NULL);
        assert_true(code == 400 || code == 503);
        read += code == 400;
        if (code == 503 && !refused++) {
            const char *after = raw_header("Retry-After");
            assert_non_null(after);
            assert_in_range(strtol(after, NULL, 10), 1, 4);
            assert_true(fl_mono() - began >= 100000); /* a moment later */
            /* The connection goes on. */
            raw_send(fd[i], healthy, sizeof healthy - 1);
            assert_int_equal(raw_read(fd[i], 5000, NULL), 200);
        }
        close(fd[i]);
    }
    assert_true(refused > 0 && read > 0);
    assert_int_equal(fake_letters(), read);
    assert_int_equal(metric("faultline_intake_turned_away_total"), refused);
    fake.behind = false;
    assert_int_equal(v2(ONE("after")), 200);
}

static void repeats_get_through(void **state)
{
    (void)state;
    start(0);
    assert_int_equal(v2(ONE("R")), 200);
    fake.behind = true;
    fake.submit = FL_E_FULL;
    assert_int_equal(v2(ONE("R")), 200);
    assert_int_equal(v2(ONE("new")), 503);
    assert_non_null(raw_header("Retry-After"));
    /* People get through, too. */
    fake.submit = FL_OK;
    fake.answer_json = "{}";
    assert_int_equal(raw_request(port, "POST", "/api/v1/incidents/INC-2026-000001/ack", token, "{}"), 200);
}

/* Held answers never take more than a part of the connections; the rest is answered at once. */
static void how_many_are_held_is_bounded(void **state)
{
    (void)state;
    int fd[12];
    start(16);
    fake.behind = true;
    fake.submit = FL_E_FULL;
    for (int i = 0; i < 12; i++)
        fd[i] = send_v2(ONE("new"), sizeof ONE("new") - 1);
    for (int i = 0; i < 20; i++)
        assert_in_range(metric("faultline_http_held"), 0, 4);
    for (int i = 0; i < 12; i++) {
        assert_int_equal(raw_read(fd[i], 5000, NULL), 503);
        close(fd[i]);
    }
}

/* Of a long body nothing is read: the connection ends with the answer. */
static void a_long_body_ends_the_connection(void **state)
{
    (void)state;
    static char body[2 << 20];
    int fd[MANY], code = 0;
    bool closed = false;
    start(0);
    memset(body, ' ', sizeof body);
    fake.behind = true;
    for (int turn = 0; turn < 20 && code != 503; turn++) {
        for (int i = 0; i < 60; i++) /* what may be looked at is used up */
            fd[i] = send_v2("{", 1);
        char head[512];
        int big = raw_open(port);
        snprintf(
            head, sizeof head,
            "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
            "Content-Length: %zu\r\n\r\n",
            token, sizeof body);
        raw_send(big, head, strlen(head));
        code = raw_read(big, 1000,
                        &closed); /* without the body an answer comes only from who does not read it */
        close(big);
        for (int i = 0; i < 60; i++)
            close(fd[i]);
    }
    assert_int_equal(code, 503);
    assert_true(closed);
}

/* A stop answers what is held. */
static void a_stop_does_not_wait(void **state)
{
    (void)state;
    int fd[20];
    start(0);
    fake.behind = true;
    fake.submit = FL_E_FULL;
    for (int i = 0; i < 20; i++)
        fd[i] = send_v2(ONE("new"), sizeof ONE("new") - 1);
    fake_server_stop(h);
    for (int i = 0; i < 20; i++)
        close(fd[i]);
    start(0);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_body_is_not_read, stop),
        cmocka_unit_test_teardown(repeats_get_through, stop),
        cmocka_unit_test_teardown(how_many_are_held_is_bounded, stop),
        cmocka_unit_test_teardown(a_long_body_ends_the_connection, stop),
        cmocka_unit_test_teardown(a_stop_does_not_wait, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
