/* SPDX-License-Identifier: GPL-3.0-or-later */
/* http{…}: what leaves, what comes back, what is refused, what is unknown. */
#include "fake_core.h"
#include "tiny_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct tiny_server *server;
static struct fake_core *core;

static void open_with(bool allow_private, const char *const *barred)
{
    static struct fl_http_allow allow[16];
    int port = tiny_server_port(server);
    static const char *const hosts[] = {"127.0.0.1", "localhost",       "::1",          "[::ffff:127.0.0.1]",
                                        "0.0.0.0",   "169.254.169.254", "10.255.255.1", "*.localhost"};
    for (size_t i = 0; i < FL_ARRAY_LEN(hosts); i++)
        allow[i] = (struct fl_http_allow){hosts[i], port, "GET, POST,HEAD,DELETE"};
    struct fl_runner_options o = fake_core_options(core);
    o.http = allow;
    o.n_http = FL_ARRAY_LEN(hosts);
    o.allow_private = allow_private;
    o.barred = barred;
    fake_core_open(core, &o);
}

static int set_up(void **state)
{
    (void)state;
    server = tiny_server_start();
    core = malloc(sizeof *core);
    fake_core_init(core);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_core_done(core);
    free(core);
    tiny_server_stop(server);
    return 0;
}

/* `rest`: further members, starting with a comma, or "". */
static const struct fl_json *ask(const char *host, const char *path, const char *rest)
{
    char args[2048];
    snprintf(args, sizeof args, "{\"url\":\"http://%s:%d%s\"%s}", host, tiny_server_port(server), path, rest);
    return act_and_wait(core, "http", args);
}

static void a_request_is_what_was_asked(void **state)
{
    (void)state;
    char last[8192];
    open_with(true, NULL);
    const struct fl_json *o = ask(
        "127.0.0.1", "/ok?a=b",
        ",\"method\":\"POST\",\"body\":\"hello\",\"headers\":{\"X-A\":\"1\",\"X-Empty\":\"\"}");
    assert_true(fl_json_bool(o, "ok", false));
    const struct fl_json *r = fl_json_get(o, "result");
    assert_int_equal(fl_json_int(r, "status", 0), 200);
    assert_string_equal(fl_json_str(fl_json_get(r, "headers"), "content-type", ""), "text/plain");
    assert_string_equal(fl_json_str(fl_json_get(r, "headers"), "x-twice", ""), "a");
    assert_true(fl_json_int(r, "elapsed_us", -1) >= 0);
    tiny_server_last(server, last, sizeof last);
    assert_non_null(strstr(last, "POST /ok?a=b HTTP/1.1\r\n"));
    assert_non_null(strstr(last, "\r\nX-A: 1\r\n"));
    assert_non_null(strstr(last, "\r\nX-Empty:\r\n"));
    assert_non_null(strstr(last, "\r\nIdempotency-Key: RUN-A-"));
    assert_non_null(strstr(last, "\r\nContent-Type: text/plain; charset=utf-8\r\n"));
    assert_null(strstr(last, "Expect:"));
    assert_non_null(strstr(last, "\r\n\r\nhello"));
    ask("127.0.0.1", "/ok", ",\"method\":\"POST\"");
    tiny_server_last(server, last, sizeof last);
    assert_non_null(strstr(last, "\r\nContent-Length: 0\r\n"));
    assert_null(strcasestr(last, "content-type"));
    ask("127.0.0.1", "/ok", ",\"method\":\"DELETE\"");
    tiny_server_last(server, last, sizeof last);
    assert_ptr_equal(strstr(last, "DELETE /ok"), last);
    o = ask("127.0.0.1", "/ok", ",\"method\":\"HEAD\"");
    assert_string_equal(fl_json_str(fl_json_get(o, "result"), "body", "?"), "");
}

static void what_is_not_allowed_is_refused(void **state)
{
    (void)state;
    open_with(true, NULL);
    int port = tiny_server_port(server);
    static const char *const urls[] = {
        "http://example.org/",
        "http://127.0.0.1:1/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
        "http://user@127.0.0.1:%d/",
        "http://127.0.0.1:%d/a b",
        "http://127.0.0.1:%d\\\\@evil/",
        "127.0.0.1:%d",
        "http://evil@127.0.0.1:%d/",
        "http://[fe80::1%%25lo]:%d/",
        "http:///",
        "",
        "http://127.0.0.2:%d/",
        "http://localhost.evil.org:%d/",
        "http://notlocalhost:%d/",
        "https://127.0.0.1/",
        "http://127.0.0.1:%d/\\u00e9",
        "unix:///tmp/x",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:99999/",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(urls); i++) {
        char url[256], args[512];
        /* the table's own literals: %d is the port, when there is one */
        const char *at = strstr(urls[i], "%d");
        if (at)
            snprintf(url, sizeof url, "%.*s%d%s", (int)(at - urls[i]), urls[i], port, at + 2);
        else
            snprintf(url, sizeof url, "%s", urls[i]);
        snprintf(args, sizeof args, "{\"url\":\"%s\"}", url);
        const struct fl_json *o = act_and_wait(core, "http", args);
        if (!fl_json_bool(o, "denied", false))
            fail_msg("%s was not refused: %s", url, fl_json_str(o, "error", "(ok)"));
    }
    assert_true(fl_json_bool(ask("127.0.0.1", "/ok", ",\"method\":\"PUT\""), "denied", false));
    assert_true(fl_json_bool(ask("127.0.0.1", "/ok", ",\"method\":\"GE\""), "denied", false));
    assert_int_equal(tiny_server_connections(server), 0);
}

static void headers_cannot_smuggle(void **state)
{
    (void)state;
    open_with(true, NULL);
    static const char *const bad[] = {
        ",\"headers\":{\"Host\":\"x\"}",
        ",\"headers\":{\"content-length\":\"3\"}",
        ",\"headers\":{\"Transfer-Encoding\":\"chunked\"}",
        ",\"headers\":{\"Proxy-Connection\":\"x\"}",
        ",\"headers\":{\"idempotency-key\":\"mine\"}",
        ",\"headers\":{\"X\":\"a\\r\\nEvil: 1\"}",
        ",\"headers\":{\"X\\r\\nEvil\":\"a\"}",
        ",\"headers\":{\"X:\":\"a\"}",
        ",\"headers\":{\"\":\"a\"}",
        ",\"headers\":{\"X\":3}",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        if (!fl_json_bool(ask("127.0.0.1", "/ok", bad[i]), "denied", false))
            fail_msg("not refused: %s", bad[i]);
    assert_int_equal(tiny_server_connections(server), 0);
}

/* The names and numbers are on the allow-list; their addresses decide. */
static void private_addresses_need_leave(void **state)
{
    (void)state;
    open_with(false, NULL);
    static const char *const forms[] = {
        "127.0.0.1",  "localhost", "[::1]",           "[::ffff:127.0.0.1]", "0177.0.0.1",  "0x7f.0.0.1",
        "2130706433", "127.1",     "0x7f000001",      "017700000001",       "x.localhost", "10.255.255.1",
        "0.0.0.0",    "0",         "169.254.169.254", "[::ffff:7f00:1]"};
    for (size_t i = 0; i < FL_ARRAY_LEN(forms); i++) {
        const struct fl_json *o = ask(forms[i], "/witness", "");
        if (fl_json_bool(o, "ok", false) || fl_json_bool(o, "sent", true))
            fail_msg("%s was dialled", forms[i]);
    }
    assert_int_equal(tiny_server_connections(server), 0);
}

static void some_addresses_are_never_dialled(void **state)
{
    (void)state;
    open_with(true, NULL);
    assert_true(fl_json_bool(ask("169.254.169.254", "/", ""), "denied", false));
    assert_true(fl_json_bool(ask("0.0.0.0", "/", ""), "denied", false));
    /* the same number in other clothes is the allowed one */
    assert_true(fl_json_bool(ask("2130706433", "/ok", ""), "ok", false));
    assert_true(fl_json_bool(ask("localhost", "/ok", ""), "ok", false));
}

static void our_own_listener_is_barred(void **state)
{
    (void)state;
    char own[64];
    const char *const barred[] = {own, NULL};
    snprintf(own, sizeof own, "0.0.0.0:%d", tiny_server_port(server));
    open_with(true, barred);
    const struct fl_json *o = ask("localhost", "/witness", "");
    assert_true(fl_json_bool(o, "denied", false));
    assert_non_null(strstr(fl_json_str(o, "error", ""), "own listener"));
    assert_int_equal(tiny_server_connections(server), 0);
}

static void a_redirect_is_an_answer(void **state)
{
    (void)state;
    open_with(true, NULL);
    const struct fl_json *o = ask("127.0.0.1", "/redirect", "");
    assert_int_equal(fl_json_int(fl_json_get(o, "result"), "status", 0), 302);
    assert_int_equal(tiny_server_witness(server), 0);
}

static void answers_are_bounded(void **state)
{
    (void)state;
    open_with(true, NULL);
    const struct fl_json *r = fl_json_get(ask("127.0.0.1", "/endless", ""), "result");
    assert_int_equal(strlen(fl_json_str(r, "body", "")), 64 * 1024);
    assert_true(fl_json_bool(r, "truncated", false));
    r = fl_json_get(ask("127.0.0.1", "/binary", ""), "result");
    assert_true(fl_json_bool(r, "escaped", false));
    assert_ptr_equal(strstr(fl_json_str(r, "body", ""), "\\x00\\x01"), fl_json_str(r, "body", ""));
}

static void what_may_have_acted_is_unknown(void **state)
{
    (void)state;
    open_with(true, NULL);
    fl_usec from = fl_mono();
    const struct fl_json *o = ask("127.0.0.1", "/slow", ",\"timeout_us\":300000,\"method\":\"POST\"");
    assert_true(fl_mono() - from < 2 * FL_USEC_PER_SEC);
    assert_false(fl_json_bool(o, "ok", true));
    assert_true(fl_json_bool(o, "sent", false));
    assert_true(fl_json_bool(o, "unknown", false));
    o = ask("127.0.0.1", "/close", ",\"method\":\"POST\"");
    assert_true(fl_json_bool(o, "unknown", false));
    /* nobody listens: nothing left */
    struct tiny_server *gone = tiny_server_start();
    int port = tiny_server_port(gone);
    tiny_server_stop(gone);
    core->runner = fl_runner_free(core->runner);
    const struct fl_http_allow allow[] = {{"127.0.0.1", port, "POST"}};
    struct fl_runner_options opt = fake_core_options(core);
    opt.http = allow;
    opt.n_http = 1;
    opt.allow_private = true;
    fake_core_open(core, &opt);
    char args[128];
    snprintf(args, sizeof args, "{\"url\":\"http://127.0.0.1:%d/\",\"method\":\"POST\"}", port);
    o = act_and_wait(core, "http", args);
    assert_false(fl_json_bool(o, "sent", true));
    assert_false(fl_json_bool(o, "unknown", false));
    assert_false(fl_json_bool(o, "denied", false));
}

static void proxies_of_the_environment_are_ignored(void **state)
{
    (void)state;
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    open_with(true, NULL);
    assert_true(fl_json_bool(ask("127.0.0.1", "/ok", ""), "ok", false));
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

static void a_stop_cuts_a_transfer(void **state)
{
    (void)state;
    open_with(true, NULL);
    char args[128];
    snprintf(args, sizeof args, "{\"url\":\"http://127.0.0.1:%d/slow\"}", tiny_server_port(server));
    order_act(core, "RUN-S", 1, "http", args, 20 * FL_USEC_PER_SEC);
    while (!tiny_server_connections(server))
        assert_true(no_event(core, 1000));
    order_stop(core, "RUN-S");
    assert_true(no_event(core, 200 * 1000));
    /* the server is free again, so the connection is closed */
    assert_true(fl_json_bool(ask("127.0.0.1", "/ok", ""), "ok", false));
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_request_is_what_was_asked),      T(what_is_not_allowed_is_refused),
        T(headers_cannot_smuggle),           T(private_addresses_need_leave),
        T(some_addresses_are_never_dialled), T(our_own_listener_is_barred),
        T(a_redirect_is_an_answer),          T(answers_are_bounded),
        T(what_may_have_acted_is_unknown),   T(proxies_of_the_environment_are_ignored),
        T(a_stop_cuts_a_transfer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
