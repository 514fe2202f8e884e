/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests that wait for a commit: more than a loop keeps in its turns, others served meanwhile, clients that leave. */
#include "fake_store.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct fl_http *h;
static int port;
static const char *token;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    token = fake_token("sender", FL_ROLE_OPERATOR, 0, 0);
    h = fake_server("on", 60, 1 << 20, 1000);
    port = fl_http_port(h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

static void post_with(int fd, unsigned n, const char *header)
{
    char body[128], text[512];
    int len = snprintf(body, sizeof body, "[{\"labels\":{\"alertname\":\"A\",\"n\":\"%u\"}}]", n);
    snprintf(text, sizeof text,
             "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n"
             "Content-Type: application/json\r\n%sContent-Length: %d\r\n\r\n%s",
             token, header, len, body);
    raw_send(fd, text, strlen(text));
}

static void post(int fd, unsigned n)
{
    post_with(fd, n, "");
}

static void wait_for_submissions(size_t n)
{
    for (fl_usec until = fl_mono() + 30 * FL_USEC_PER_SEC; fake_submissions() < n;) {
        assert_true(fl_mono() < until);
        usleep(1000);
    }
}

/* Connections as the metrics see them, the asking one included. */
static long connections(void)
{
    assert_int_equal(raw_request(port, "GET", "/metrics", token, NULL), 200);
    const char *at = strstr(raw_text, "\nfaultline_http_connections ");
    assert_non_null(at);
    return strtol(at + strlen("\nfaultline_http_connections "), NULL, 10);
}

enum { MANY = 300 };

static void many_wait_for_one_commit(void **state)
{
    (void)state;
    static int fds[MANY];
    fake.hold = true;
    for (unsigned i = 0; i < MANY; i++) {
        fds[i] = raw_open(port);
        post(fds[i], i);
    }
    wait_for_submissions(MANY);
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents", token, NULL), 200);
    fake_release();
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(raw_read(fds[i], 20000, NULL), 200);
    /* The connections are as good as new. */
    fake.hold = false;
    for (unsigned i = 0; i < MANY; i++)
        post(fds[i], MANY + i);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(raw_read(fds[i], 20000, NULL), 200);
        close(fds[i]);
    }
    assert_int_equal(fake_submissions(), 2 * MANY);
}

/* Two requests at once in one connection: the second is read when the first is answered. */
static void a_second_request_waits_its_turn(void **state)
{
    (void)state;
    bool closed = false;
    fake.hold = true;
    int fd = raw_open(port);
    post(fd, 1);
    post_with(fd, 2, "Connection: close\r\n");
    wait_for_submissions(1);
    fake_release();
    raw_read(fd, 20000, &closed);
    close(fd);
    assert_true(closed);
    assert_int_equal(fake_submissions(), 2);
    const char *first = strstr(raw_text, "HTTP/1.1 200 OK");
    assert_non_null(first);
    assert_non_null(strstr(first + 1, "HTTP/1.1 200 OK"));
}

/* Gone without a word before the commit: the engine learns of it at once, and the late answer hurts nobody. */
static void who_leaves_is_forgotten(void **state)
{
    (void)state;
    enum { LEAVE = 20 };
    int fds[LEAVE];
    fake.hold = true;
    for (unsigned i = 0; i < LEAVE; i++) {
        fds[i] = raw_open(port);
        post(fds[i], i);
    }
    wait_for_submissions(LEAVE);
    for (unsigned i = 0; i < LEAVE; i++) {
        struct linger reset = {.l_onoff = 1};
        assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
        close(fds[i]);
    }
    for (fl_usec until = fl_mono() + 30 * FL_USEC_PER_SEC; connections() > 1;)
        assert_true(fl_mono() < until);
    fake_release();
    int fd = raw_open(port);
    post(fd, 1000);
    assert_int_equal(raw_read(fd, 20000, NULL), 200);
    close(fd);
}

/* A stop wakes each loop twice within microseconds; none may sleep over the second time. */
static void a_stop_is_never_slept_over(void **state)
{
    (void)state;
    alarm(120); /* a hang ends the test */
    for (unsigned i = 0; i < 200; i++) {
        fake_server_stop(h);
        h = fake_server("on", 60, 1 << 20, 1000);
    }
    alarm(0);
    assert_int_equal(raw_request(fl_http_port(h), "GET", "/-/healthy", NULL, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(many_wait_for_one_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_request_waits_its_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(who_leaves_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stop_is_never_slept_over, setup, teardown),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
