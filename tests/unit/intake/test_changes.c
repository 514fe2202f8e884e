/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_changes.c -- change events: one or a list, every refusal with its place. */
#include "intake_fixture.h"

static void one_object_and_a_list_are_read(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_change *c = NULL;
    size_t n = 0;
    struct fl_err err = {0};
    const char *one =
        "{\"time\":\"2026-11-23T09:59:00Z\",\"component\":\"cart\",\"kind\":\"deploy\",\"id\":\"v7\","
        "\"author\":\"ann\",\"detail\":{\"b\":1,\"a\":[2]},\"extra\":1}";
    assert_int_equal(fl_intake_changes(a, one, strlen(one), at(NOW_TEXT), &c, &n, &err), FL_OK);
    assert_int_equal(n, 1);
    assert_true(c->time == at("2026-11-23T09:59:00Z"));
    assert_string_equal(c->component, "cart");
    assert_string_equal(c->author, "ann");
    assert_string_equal(c->detail, "{\"a\":[2],\"b\":1}");
    assert_null(c->title);
    const char *two = "[{\"component\":\"a\",\"kind\":\"flag\",\"id\":\"1\",\"detail\":\"text\"},"
                      "{\"component\":\"b\",\"kind\":\"flag\",\"id\":\"2\"}]";
    assert_int_equal(fl_intake_changes(a, two, strlen(two), at(NOW_TEXT), &c, &n, &err), FL_OK);
    assert_int_equal(n, 2);
    assert_true(c[0].time == at(NOW_TEXT));
    assert_string_equal(c[0].detail, "text");
    assert_string_equal(c[1].component, "b");
}

static void refusals_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *body, *where, *text;
    } cases[] = {
        {"7", "", "expected an object"},
        {"[7]", "[0]", "expected an object"},
        {"{\"kind\":\"k\",\"id\":\"i\"}", "component", "is required"},
        {"[{\"component\":\"c\",\"kind\":\"k\",\"id\":\"i\"},{\"component\":\"c\",\"kind\":\"\",\"id\":\"i\"}]",
         "[1].kind", "is required"},
        {"{\"component\":\"c\",\"kind\":\"k\",\"id\":5}", "id", "expected a string"},
        {"{\"component\":\"c\",\"kind\":\"k\",\"id\":\"i\",\"time\":\"noon\"}", "time",
         "could not parse time \"noon\""},
        {"{\"component\":\"c\",\"kind\":\"k\",\"id\":\"i\",\"time\":\"1960-01-01T00:00:00Z\"}", "time",
         "is before 1970 or more than a year ahead"},
        {"{\"component\":\"c\",\"kind\":\"k\",\"id\":\"i\",\"author\":[]}", "author", "expected a string"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_change *c = NULL;
        size_t n = 0;
        struct fl_err err = {0};
        assert_int_not_equal(
            fl_intake_changes(a, cases[i].body, strlen(cases[i].body), at(NOW_TEXT), &c, &n, &err), FL_OK);
        assert_string_equal(err.where, cases[i].where);
        assert_string_equal(err.text, cases[i].text);
        assert_null(c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_object_and_a_list_are_read),
        cmocka_unit_test(refusals_name_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
