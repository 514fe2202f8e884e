/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/base/test_log.c -- one line per event, whatever the message holds. */
#include <faultline/log.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Run with stderr in a pipe; returns what was written. */
static const char *captured(void (*run)(void))
{
    static char text[8192];
    int fds[2], saved = dup(2);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETFL, O_NONBLOCK);
    dup2(fds[1], 2);
    close(fds[1]);
    run();
    dup2(saved, 2);
    close(saved);
    ssize_t n = read(fds[0], text, sizeof text - 1);
    close(fds[0]);
    text[n > 0 ? n : 0] = 0;
    return text;
}

static void hostile(void)
{
    fl_log(FL_LOG_ERROR, "http", "bad %s", "a\nlevel=info msg=\"forged\"\r\x1b[31m");
}

static void quiet(void)
{
    fl_log_set_level(FL_LOG_WARN);
    fl_log(FL_LOG_INFO, "http", "not shown");
    fl_log_set_level(FL_LOG_INFO);
}

static void with_error(void)
{
    struct fl_err err = {0};
    fl_fail(&err, FL_E_SHAPE, "a.b", "wrong thing");
    fl_hint(&err, "try this");
    fl_log_err(FL_LOG_WARN, "store", "could not read", &err);
}

static void a_message_is_one_line(void **state)
{
    (void)state;
    const char *text = captured(hostile);
    assert_non_null(strchr(text, '\n'));
    assert_string_equal(strchr(text, '\n'), "\n");
    assert_null(strchr(text, '\x1b'));
    assert_null(strchr(text, '\r'));
    assert_non_null(strstr(text, "http"));
}

static void the_level_counts(void **state)
{
    (void)state;
    assert_string_equal(captured(quiet), "");
}

static void an_error_is_told_whole(void **state)
{
    (void)state;
    const char *text = captured(with_error);
    assert_non_null(strstr(text, "could not read"));
    assert_non_null(strstr(text, "wrong thing"));
    assert_non_null(strstr(text, "a.b"));
    assert_non_null(strstr(text, "try this"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_one_line),
        cmocka_unit_test(the_level_counts),
        cmocka_unit_test(an_error_is_told_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
