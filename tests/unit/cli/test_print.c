/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What reaches a terminal, and what a URL is made of. */
#include "cli.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

const struct command commands[] = {{"none", NULL, 0, 0, 0, NULL, NULL, NULL, "none"}};
const size_t n_commands = 1;

static const char *shown(const char *s, int width)
{
    static char out[512];
    FILE *f = fmemopen(out, sizeof out, "w");
    assert_non_null(f);
    put_text(f, s, width);
    fclose(f);
    return out;
}

static void controls_are_harmless(void **state)
{
    (void)state;
    assert_string_equal(shown("plain", 0), "plain");
    assert_string_equal(shown("\033[2Jgone\007\r\n", 0), "?[2Jgone???");
    assert_string_equal(shown("caf\xc3\xa9 \xe2\x86\x92", 0), "caf\xc3\xa9 \xe2\x86\x92");
    assert_string_equal(shown("a\xc2\x9b"
                              "31mb",
                              0),
                        "a??31mb"); /* C1: also starts an escape */
    assert_string_equal(shown("a\xe2\x80\xae"
                              "b",
                              0),
                        "a???b"); /* right-to-left override */
    assert_string_equal(shown("a\xe2\x81\xa6"
                              "b",
                              0),
                        "a???b"); /* isolate */
    assert_string_equal(shown("\xff\xfe\xc3", 0), "???");
    assert_string_equal(shown("\xf0\x9f\x94\xa5", 0), "\xf0\x9f\x94\xa5");
}

static void cut_to_width(void **state)
{
    (void)state;
    assert_string_equal(shown("123456", 6), "123456");
    assert_string_equal(shown("1234567", 6), "12345…");
    assert_string_equal(shown("\xc3\xa9\xc3\xa9\xc3\xa9", 2), "\xc3\xa9…");
}

static void ages(void **state)
{
    (void)state;
    char buf[64], t[FL_TIME_LEN];
    assert_string_equal(format_age(NULL, buf, sizeof buf), "-");
    assert_string_equal(format_age("nonsense", buf, sizeof buf), "-");
    fl_time_format(fl_now() - 3 * 3600 * FL_USEC_PER_SEC, t);
    assert_string_equal(format_age(t, buf, sizeof buf), "3h");
    fl_time_format(fl_now() + 300 * FL_USEC_PER_SEC + 500000, t);
    assert_string_equal(format_age(t, buf, sizeof buf), "in 5m");
}

static void urls(void **state)
{
    (void)state;
    FL_AUTO_BUF b = fl_buf_init(1000);
    const char *const pairs[] = {"a", "x y&z=\"%\"", "none", NULL, "empty", "", "b", "caf\xc3\xa9", NULL};
    fl_buf_str(&b, "/p");
    url_query(&b, pairs);
    assert_string_equal(b.p, "/p?a=x%20y%26z%3D%22%25%22&b=caf%C3%A9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(controls_are_harmless),
                                       cmocka_unit_test(cut_to_width), cmocka_unit_test(ages),
                                       cmocka_unit_test(urls)};
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
