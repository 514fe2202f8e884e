/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/base/test_json.c -- writer bytes, reader refusals, canonical text. */
#include <faultline/json.h>

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void the_writer_has_one_form(void **state)
{
    (void)state;
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "s", "a\"\\\n\t\x01\x7f é");
    fl_jw_str(&w, "n", NULL);
    fl_jw_strn(&w, "bad", "\xffz\xe2\x82", 4);
    fl_jw_int(&w, "i", INT64_MIN);
    fl_jw_bool(&w, "b", true);
    fl_jw_arr(&w, "a");
    fl_jw_obj(&w, NULL);
    fl_jw_obj_end(&w);
    fl_jw_fixed(&w, NULL, -0.001, 2);
    fl_jw_fixed(&w, NULL, 2.0 / 3, 4);
    fl_jw_fixed(&w, NULL, NAN, 4);
    fl_jw_fixed(&w, NULL, 1e300, 2);
    fl_jw_time(&w, NULL, 0);
    fl_jw_time(&w, NULL, 1);
    fl_jw_raw(&w, NULL, "{\"x\":1}");
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    assert_string_equal(
        b.p,
        "{\"s\":\"a\\\"\\\\\\n\\t\\u0001\\u007f é\",\"n\":null,\"bad\":\"\xef\xbf\xbdz\xef\xbf\xbd\xef\xbf\xbd\","
        "\"i\":-9223372036854775808,\"b\":true,\"a\":[{},0.00,0.6667,null,1.0000000000000001e+300,null,"
        "\"1970-01-01T00:00:00.000001Z\",{\"x\":1}]}");
    struct fl_err err = {0};
    FL_AUTO_JSON back = fl_json_parse(b.p, b.n, &err);
    assert_non_null(back);
}

static void the_reader_refuses(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "{\"a\":1,\"a\":2}",
                                      "\"\\u0000\"",
                                      "\"\xff\"",
                                      "[1,]",
                                      "[1] x",
                                      "nul",
                                      "\"\\ud800\"",
                                      "01",
                                      "1e400",
                                      "{a:1}",
                                      "'a'",
                                      "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        struct fl_err err = {0};
        struct fl_json *v = fl_json_parse(bad[i], strlen(bad[i]), &err);
        if (v)
            fail_msg("%s was read", bad[i]);
        assert_int_equal(err.status, FL_E_SYNTAX);
        assert_true(strncmp(err.where, "line ", 5) == 0);
    }
    assert_null(fl_json_parse("7\0", 2, NULL));
    assert_null(fl_json_parse("[]\0 hidden", 10, NULL));
    for (size_t depth = 128; depth <= 129; depth++) {
        char text[300] = "";
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        struct fl_err err = {0};
        FL_AUTO_JSON v = fl_json_parse(text, depth * 2, &err);
        assert_int_equal(v != NULL, depth == 128);
        assert_int_equal(err.status, depth == 128 ? FL_OK : FL_E_LIMIT);
    }
}

static void members_have_defaults(void **state)
{
    (void)state;
    const char *text =
        "{\"s\":\"x\",\"i\":5,\"r\":2.5,\"t\":true,\"f\":false,\"z\":null,\"a\":[1,\"two\",null],\"big\":1e18}";
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), NULL);
    assert_string_equal(fl_json_str(v, "s", "d"), "x");
    assert_string_equal(fl_json_str(v, "i", "d"), "d");
    assert_int_equal(fl_json_int(v, "i", 0), 5);
    assert_int_equal(fl_json_int(v, "r", 0), 2);
    assert_int_equal(fl_json_int(v, "s", 9), 9);
    assert_true(fl_json_real(v, "r", 0) == 2.5);
    assert_true(fl_json_bool(v, "t", false));
    assert_false(fl_json_bool(v, "f", true));
    assert_true(fl_json_bool(v, "i", true));
    assert_null(fl_json_get(v, "z"));
    assert_null(fl_json_get(NULL, "z"));
    const struct fl_json *a = fl_json_get(v, "a");
    assert_int_equal(fl_json_len(a), 3);
    assert_null(fl_json_at(a, 2));
    assert_null(fl_json_at(a, 3));
    assert_true(fl_json_is_number(fl_json_at(a, 0)) && fl_json_is_string(fl_json_at(a, 1)));
    assert_true(fl_json_is_bool(fl_json_get(v, "f")) && !fl_json_truth(fl_json_get(v, "f")));
    assert_true(fl_json_truth(fl_json_get(v, "t")) && !fl_json_truth(fl_json_get(v, "i")));
    assert_int_equal(fl_json_len(NULL), 0);
}

static void canonical_text_is_sorted(void **state)
{
    (void)state;
    const char *text = " { \"b\" : [ 1 , {\"y\":1,\"x\":2} ] , \"a\" : \"\\u00e9\" } ";
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), NULL);
    FL_AUTO_FREE char *sorted = fl_json_text(v, true);
    FL_AUTO_FREE char *plain = fl_json_text(v, false);
    FL_AUTO_FREE char *none = fl_json_text(NULL, true);
    assert_string_equal(sorted, "{\"a\":\"é\",\"b\":[1,{\"x\":2,\"y\":1}]}");
    assert_string_equal(plain, "{\"b\":[1,{\"y\":1,\"x\":2}],\"a\":\"é\"}");
    assert_string_equal(none, "null");
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_writer_has_one_form),
        cmocka_unit_test(the_reader_refuses),
        cmocka_unit_test(members_have_defaults),
        cmocka_unit_test(canonical_text_is_sorted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
