/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Hostile bodies: answered as specified, never a 5xx but 503, never slow, and the server lives on. */
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

enum { MAX_BODY = 4 << 20 };
static struct fl_http *h;
static int port;
static const char *token;
static const char *const targets[][2] = {
    {"POST", "/api/v1/intake/alertmanager"},
    {"POST", "/api/v2/alerts"},
    {"PUT", "/api/v1/topology"},
    {"POST", "/api/v1/changes"},
    {"POST", "/api/v1/runs"},
    {"POST", "/api/v1/incidents/INC-1/comment"},
    {"POST", "/api/v1/tokens"},
};

/* 200 is fine for what is odd but readable. */
static void throw_at_all(const char *name, const char *body)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(targets); i++) {
        fl_usec began = fl_mono();
        int code = raw_request(port, targets[i][0], targets[i][1], token, body);
        if (code < 200 || code >= 500)
            fail_msg("%s at %s: %d\n%.500s", name, targets[i][1], code, raw_text);
        if (fl_mono() - began > 2 * FL_USEC_PER_SEC)
            fail_msg("%s at %s: too slow", name, targets[i][1]);
    }
}

static void small_ones(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        " ",
        "null",
        "true",
        "0",
        "-0",
        "1e400",
        "123456789012345678901234567890",
        "\"x\"",
        "[",
        "]",
        "{",
        "}",
        "[[]]",
        "[null]",
        "[1,2]",
        "{\"alerts\":null}",
        "{\"alerts\":{}}",
        "{\"alerts\":[null]}",
        "{\"version\":4,\"alerts\":[]}",
        "\xff\xfe",
        "\xef\xbb\xbf[]",
        "[{\"labels\":{\"a\":\"\\u0000\"}}]",
        "[{\"labels\":{\"a\":\"\\ud800\"}}]",
        "[{\"labels\":{\"a\":1}}]",
        "[{\"labels\":[]}]",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":1}]",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"9999-12-31T23:59:59Z\"}]",
        "[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"0000-00-00T00:00:00Z\"}]",
        "[{\"labels\":{\"a\":\"b\"},\"endsAt\":\"yesterday\"}]",
        "{\"nodes\":[{\"id\":\"a\"},{\"id\":\"a\"}]}",
        "{\"nodes\":[{\"id\":\"\"}]}",
        "{\"edges\":[{\"from\":\"a\",\"to\":\"a\",\"weight\":-1}]}",
        "{\"a\":1,\"a\":2}",
        "[{\"labels\":{\"__proto__\":\"x\"}}]",
        "{\"text\":\"'; drop table audit; --\"}",
        "{\"text\":\"<script>\"}",
        "{\"name\":\"\",\"role\":\"admin\"}",
        "{\"name\":1,\"role\":2}",
        "{\"playbook\":null}",
        "[]garbage",
        "{} {}",
        "/* */ {}",
        "{'a':1}",
        "NaN",
        "[1e-999]",
        "{\"params\":{\"a\":[[[[]]]]}}",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bodies); i++)
        throw_at_all(bodies[i], bodies[i]);
}

static void deep_and_wide(void **state)
{
    (void)state;
    enum { DEEP = 100000, WIDE = 60000 };
    char *body = malloc(MAX_BODY);
    assert_non_null(body);
    memset(body, '[', DEEP);
    body[DEEP] = 0;
    throw_at_all("deep arrays", body);
    size_t n = 0;
    for (int i = 0; i < DEEP; i++)
        n += (size_t)sprintf(body + n, "{\"a\":");
    throw_at_all("deep objects", body);
    n = (size_t)sprintf(body, "[{\"labels\":{");
    for (int i = 0; i < WIDE; i++)
        n += (size_t)sprintf(body + n, "%s\"l%d\":\"v\"", i ? "," : "", i);
    sprintf(body + n, "}}]");
    throw_at_all("many labels", body);
    n = (size_t)sprintf(body, "[{\"labels\":{\"a\":\"");
    memset(body + n, 'x', 1 << 20);
    sprintf(body + n + (1 << 20), "\"}}]");
    throw_at_all("a long value", body);
    n = (size_t)sprintf(body, "{\"text\":\"");
    memset(body + n, '\\', 400001); /* odd: the last one escapes the quote */
    sprintf(body + n + 400001, "\"}");
    throw_at_all("backslashes", body);
    free(body);
}

static void each_prefix(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"A\\u00e9\"},"
        "\"startsAt\":\"2026-11-01T00:00:00Z\",\"endsAt\":\"0001-01-01T00:00:00Z\"}]}";
    for (size_t n = 0; n < sizeof whole; n++) {
        char cut[sizeof whole];
        memcpy(cut, whole, n);
        cut[n] = 0;
        int code = raw_request(port, "POST", "/api/v1/intake/alertmanager", token, cut);
        assert_int_equal(code, n == sizeof whole - 1 || n == sizeof whole ? 200 : 400);
        if (n == sizeof whole - 1)
            break;
    }
}

/* Longer than announced anywhere: chunks until somebody says stop. */
static void endless_chunks(void **state)
{
    (void)state;
    char head[512];
    static char chunk[65536 + 16];
    snprintf(
        head, sizeof head,
        "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
        token);
    int n = sprintf(chunk, "10000\r\n");
    memset(chunk + n, ' ', 65536);
    memcpy(chunk + n + 65536, "\r\n", 2);
    int fd = raw_open(port);
    raw_send(fd, head, strlen(head));
    for (int i = 0; i < 80; i++) /* 5 MiB: past the limit, then the end */
        raw_send(fd, chunk, (size_t)n + 65538);
    raw_send(fd, "0\r\n\r\n", 5);
    assert_int_equal(raw_read(fd, 5000, NULL), 413);
    close(fd);
    fd = raw_open(port);
    raw_send(fd, head, strlen(head));
    for (int i = 0; i < 1000; i++) /* 64 MiB: cut on the way */
        raw_send(fd, chunk, (size_t)n + 65538);
    bool closed = false;
    raw_read(fd, 5000, &closed);
    assert_true(closed);
    close(fd);
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
}

static void chunked_works(void **state)
{
    (void)state;
    char text[512];
    snprintf(
        text, sizeof text,
        "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1\r\n[\r\n20\r\n{\"labels\":{\"alertname\":\"Chunk\"}}\r\n1\r\n]\r\n0\r\n\r\n",
        token);
    size_t before = fake_submissions();
    assert_int_equal(raw_ask(port, text), 200);
    assert_int_equal(fake_submissions(), before + 1);
    assert_string_equal(fake_body(), "[{\"labels\":{\"alertname\":\"Chunk\"}}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_ones),     cmocka_unit_test(deep_and_wide), cmocka_unit_test(each_prefix),
        cmocka_unit_test(endless_chunks), cmocka_unit_test(chunked_works),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    fake_reset();
    token = fake_token("t", FL_ROLE_ADMIN, 0, 0);
    h = fake_server("on", 20, MAX_BODY, 400);
    port = fl_http_port(h);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_server_stop(h);
    return failed;
}
