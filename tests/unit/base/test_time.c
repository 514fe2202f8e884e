/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/base/test_time.c -- RFC 3339 in and out, durations. */
#include <faultline/base.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        fl_usec at;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:01Z", 1000000},
        {"1969-12-31T23:59:59.5Z", -500000},
        {"2026-11-23T09:37:32.190912427Z", 1795426652190912},
        {"2026-11-23 09:37:32Z", 1795426652000000},
        {"2026-11-23t09:37:32z", 1795426652000000},
        {"2026-11-23T15:07:32+05:30", 1795426652000000},
        {"2026-11-23T15:07:32+0530", 1795426652000000},
        {"2026-11-22T23:37:32-10:00", 1795426652000000},
        {"2026-11-23T09:37:32,1Z", 1795426652100000},
        {"2016-12-31T23:59:60Z", 1483228799000000}, /* a leap second is the last second of its minute */
        {"2024-02-29T00:00:00Z", 1709164800000000},
        {"0001-01-01T00:00:00Z", 0},
        {"0001-01-01T00:00:00.000Z", 0},
        {"0001-01-01T00:00:00+01:00", 0},
        {"9999-12-31T23:59:59.999999999Z", 253402300799999999},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        fl_usec t = -7;
        if (!fl_time_parse(cases[i].text, strlen(cases[i].text), &t) || t != cases[i].at)
            fail_msg("%s: %lld", cases[i].text, (long long)t);
    }
}

static void other_texts_are_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2026",
        "2026-11-23",
        "2026-11-23T09:37:32",
        "2026-11-23T09:37Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "0000-01-01T00:00:00Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+25:00",
        "2026-01-01T00:00:00+01:60",
        "2026-01-01T00:00:00Zx",
        "2026-01-01T00:00:00+1",
        " 2026-01-01T00:00:00Z",
        "12026-01-01T00:00:00Z",
        "-026-01-01T00:00:00Z",
        "yesterday",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        fl_usec t = -7;
        if (fl_time_parse(cases[i], strlen(cases[i]), &t))
            fail_msg("%s was read", cases[i]);
        assert_true(t == -7);
    }
}

static void times_are_written_and_read_back(void **state)
{
    (void)state;
    char s[FL_TIME_LEN];
    assert_string_equal(fl_time_format(0, s), "0001-01-01T00:00:00Z");
    assert_string_equal(fl_time_format_ms(0, s), "0001-01-01T00:00:00.000Z");
    assert_string_equal(fl_time_format(1795426652190912, s), "2026-11-23T09:37:32.190912Z");
    assert_string_equal(fl_time_format_ms(1795426652190912, s), "2026-11-23T09:37:32.190Z");
    assert_string_equal(fl_time_format(-1, s), "1969-12-31T23:59:59.999999Z");
    assert_true(strlen(fl_time_format(INT64_MAX, s)) < FL_TIME_LEN);
    assert_true(strlen(fl_time_format(INT64_MIN, s)) < FL_TIME_LEN);
    uint64_t rng = 1;
    for (int i = 0; i < 20000; i++) {
        rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
        fl_usec t = (fl_usec)((rng >> 8) % UINT64_C(253402300799999999)), back;
        fl_time_format(t, s);
        assert_true(fl_time_parse(s, strlen(s), &back) && back == t);
        /* The C library agrees about the calendar. */
        time_t secs = t / FL_USEC_PER_SEC;
        struct tm tm;
        char libc[64];
        gmtime_r(&secs, &tm);
        snprintf(libc, sizeof libc, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        assert_memory_equal(libc, s, 19);
    }
}

static void durations(void **state)
{
    (void)state;
    fl_usec d;
    char s[24];
    assert_true(fl_parse_duration("250ms", &d) && d == 250000);
    assert_true(fl_parse_duration("5m", &d) && d == 300 * FL_USEC_PER_SEC);
    assert_true(fl_parse_duration("7d", &d) && d == 7 * 86400 * FL_USEC_PER_SEC);
    assert_true(fl_parse_duration("90", &d) && d == 90 * FL_USEC_PER_SEC);
    static const char *const bad[] = {
        "", "-5m", "5 m", "m", "5mm", "1.5h", "+5m", "99999999999999999999s", "9223372036854775807d"};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        assert_false(fl_parse_duration(bad[i], &d));
    assert_false(fl_parse_duration(NULL, &d));
    assert_string_equal(fl_format_duration(90 * FL_USEC_PER_SEC, s), "90s");
    assert_string_equal(fl_format_duration(300 * FL_USEC_PER_SEC, s), "5m");
    assert_string_equal(fl_format_duration(250000, s), "250ms");
    assert_string_equal(fl_format_duration(0, s), "0s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(times_are_written_and_read_back),
        cmocka_unit_test(durations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
