/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Maintenance windows: what is refused and how, and the arithmetic of days, offsets and ends. */
#include <faultline/json.h>
#include <faultline/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SEC FL_USEC_PER_SEC
#define HOUR (3600 * SEC)

static fl_usec at(const char *t)
{
    fl_usec v;
    assert_true(fl_time_parse(t, strlen(t), &v));
    return v;
}

static fl_status parse(struct fl_arena *a, const char *json, fl_usec now, struct fl_window *w,
                       struct fl_err *err)
{
    FL_AUTO_JSON v = fl_json_parse(json, strlen(json), err);
    assert_non_null(v);
    return fl_window_parse(a, v, now, w, err);
}

static void every_mistake_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *where, *text;
    } cases[] = {
        {"{\"comment\":\"c\",\"match\":[\"a=b\"]}", "ends_at", "is required, or \"weekly\""},
        {"{\"comment\":\"c\",\"ends_at\":\"2026-12-01T00:00:00Z\"}", "match",
         "say what it is about: matchers in \"match\", or \"components\""},
        {"{\"match\":[\"a=b\"],\"ends_at\":\"2026-12-01T00:00:00Z\"}", "comment",
         "is required: whoever meets the window wants to know why"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"starts_at\":\"2026-01-01T00:00:00Z\",\"ends_at\":\"2026-02-01T00:00:00Z\"}",
         "ends_at", "is in the past"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"starts_at\":\"2026-12-02T00:00:00Z\",\"ends_at\":\"2026-12-01T00:00:00Z\"}",
         "ends_at", "must be after starts_at"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"dependants\":true,\"ends_at\":\"2026-12-01T00:00:00Z\"}",
         "dependants", "of which components: \"components\" is empty"},
        {"{\"comment\":\"c\",\"match\":[\"a=~(\"],\"ends_at\":\"2026-12-01T00:00:00Z\"}", "match[0]", NULL},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"sat\"],\"at\":\"2:00\",\"duration\":\"1h\"}}",
         "weekly.at", "expected a time of day such as \"02:30\""},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"sat\"],\"at\":\"24:00\",\"duration\":\"1h\"}}",
         "weekly.at", "expected a time of day such as \"02:30\""},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[],\"at\":\"02:00\",\"duration\":\"1h\"}}",
         "weekly.days", "needs at least one of mon tue wed thu fri sat sun"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"samstag\"],\"at\":\"02:00\",\"duration\":\"1h\"}}",
         "weekly.days", "expected mon tue wed thu fri sat sun"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"sat\"],\"at\":\"02:00\"}}",
         "weekly.duration", "expected 1m to 7d"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"sat\"],\"at\":\"02:00\",\"duration\":\"8d\"}}",
         "weekly.duration", "expected 1m to 7d"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"sat\"],\"at\":\"02:00\",\"duration\":\"1h\",\"utc_offset\":\"Europe/Berlin\"}}",
         "weekly.utc_offset",
         "expected UTC or a fixed offset such as \"+01:00\"; zones with daylight saving are not supported"},
        {"{\"comment\":\"c\",\"match\":[\"a=b\"],\"daily\":{}}", "", "unrecognized key \"daily\""},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_window w;
        struct fl_err err = {0};
        assert_int_not_equal(parse(a, cases[i].json, at("2026-11-25T12:00:00Z"), &w, &err), FL_OK);
        assert_string_equal(err.where, cases[i].where);
        if (cases[i].text)
            assert_string_equal(err.text, cases[i].text);
    }
}

static bool open_at(const struct fl_window *w, const char *t, const char *until)
{
    fl_usec u = 0;
    bool open = fl_window_open(w, at(t), &u);
    if (open && until)
        assert_int_equal(u, at(until));
    return open;
}

static void once(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_window w;
    struct fl_err err = {0};
    assert_int_equal(
        parse(
            a,
            "{\"comment\":\"c\",\"components\":[\"db\"],\"starts_at\":\"2026-12-01T00:00:00Z\",\"ends_at\":\"2026-12-01T04:00:00Z\"}",
            at("2026-11-25T12:00:00Z"), &w, &err),
        FL_OK);
    assert_false(open_at(&w, "2026-11-30T23:59:59Z", NULL));
    assert_int_equal(fl_window_next(&w, at("2026-11-30T23:59:59Z")), at("2026-12-01T00:00:00Z"));
    assert_true(open_at(&w, "2026-12-01T00:00:00Z", "2026-12-01T04:00:00Z"));
    assert_int_equal(fl_window_next(&w, at("2026-12-01T00:00:00Z")), at("2026-12-01T04:00:00Z"));
    assert_false(open_at(&w, "2026-12-01T04:00:00Z", NULL));
    assert_int_equal(fl_window_next(&w, at("2026-12-01T04:00:00Z")), 0);
}

/* 2026-11-28 is a Saturday. */
static void weekly(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_window w;
    struct fl_err err = {0};
    assert_int_equal(
        parse(
            a,
            "{\"comment\":\"c\",\"match\":[\"a=b\"],\"ends_at\":\"2026-12-06T00:30:00Z\",\"weekly\":{\"days\":[\"sat\",\"sun\"],"
            "\"at\":\"00:30\",\"duration\":\"3h\",\"utc_offset\":\"+02:00\"}}",
            at("2026-11-25T12:00:00Z"), &w, &err),
        FL_OK);
    /* Saturday 00:30 there is Friday 22:30 in UTC */
    assert_int_equal(fl_window_next(&w, at("2026-11-25T12:00:00Z")), at("2026-11-27T22:30:00Z"));
    assert_false(open_at(&w, "2026-11-27T22:29:59Z", NULL));
    assert_true(open_at(&w, "2026-11-27T22:30:00Z", "2026-11-28T01:30:00Z"));
    assert_true(open_at(&w, "2026-11-28T01:29:59Z", "2026-11-28T01:30:00Z"));
    assert_false(open_at(&w, "2026-11-28T01:30:00Z", NULL));
    assert_int_equal(fl_window_next(&w, at("2026-11-28T01:30:00Z")), at("2026-11-28T22:30:00Z"));
    assert_int_equal(fl_window_next(&w, at("2026-11-29T02:00:00Z")), at("2026-12-04T22:30:00Z"));
    /* its validity cuts the last one */
    assert_true(open_at(&w, "2026-12-06T00:00:00Z", "2026-12-06T00:30:00Z"));
    assert_int_equal(fl_window_next(&w, at("2026-12-06T00:30:00Z")), 0);
    /* and what is before its start is not open */
    w.starts_at = at("2026-11-27T23:00:00Z");
    assert_false(open_at(&w, "2026-11-27T22:45:00Z", NULL));
    assert_int_equal(fl_window_next(&w, at("2026-11-27T22:45:00Z")), at("2026-11-27T23:00:00Z"));
}

static void long_ones_overlap(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_window w;
    struct fl_err err = {0};
    assert_int_equal(
        parse(
            a,
            "{\"comment\":\"c\",\"match\":[\"a=b\"],\"weekly\":{\"days\":[\"mon\",\"tue\"],\"at\":\"12:00\",\"duration\":\"2d\",\"utc_offset\":\"-05:30\"}}",
            at("2026-11-25T12:00:00Z"), &w, &err),
        FL_OK);
    assert_true(open_at(&w, "2026-12-02T00:00:00Z", "2026-12-03T17:30:00Z"));
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw jw = fl_jw_init(&b);
    fl_window_json(&jw, NULL, &w);
    struct fl_window again;
    assert_int_equal(parse(a, b.p, 0, &again, &err), FL_OK);
    assert_int_equal(again.days, w.days);
    assert_int_equal(again.utc_offset, -330);
    assert_int_equal(again.lasts, 48 * HOUR);
    assert_int_equal(again.starts_at, w.starts_at);
    fl_window_done(&w);
    fl_window_done(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mistake_is_named),
        cmocka_unit_test(once),
        cmocka_unit_test(weekly),
        cmocka_unit_test(long_ones_overlap),
    };
    return fl_base_init() != FL_OK || cmocka_run_group_tests(tests, NULL, NULL);
}
