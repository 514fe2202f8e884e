/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/base/test_text.c -- UTF-8, nearest word, numbers, hashes, ids, errors. */
#include <faultline/base.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void utf8_is_strict(void **state)
{
    (void)state;
    static const char *const good[] = {
        "", "abc", "é", "€", "😀", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xf0\x9f\x98",
                                      "\xc3("};
    for (size_t i = 0; i < FL_ARRAY_LEN(good); i++)
        assert_true(fl_utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        assert_false(fl_utf8_valid(bad[i], strlen(bad[i])));
    assert_false(fl_utf8_valid("a\0b", 3));
}

static void repair_leaves_good_text_alone(void **state)
{
    (void)state;
    char s[] = "é\xff€\xe2\x82z\0y";
    fl_utf8_repair(s, sizeof s - 1);
    assert_memory_equal(s, "é?€??z?y", sizeof s - 1);
    for (uint32_t cp = 1; cp <= 0x10ffff; cp += cp < 0x900 ? 1 : 97) {
        char c[4];
        size_t n = fl_utf8_put(c, cp);
        assert_int_equal(fl_utf8_valid(c, n), !(cp >= 0xd800 && cp < 0xe000));
    }
}

static void the_nearest_word_is_near(void **state)
{
    (void)state;
    static const char *const words[] = {"listen", "database", "realm", "on"};
    assert_string_equal(fl_nearest_word("lisen", words, 4), "listen");
    assert_string_equal(fl_nearest_word("datbase", words, 4), "database");
    assert_null(fl_nearest_word("topology", words, 4));
    assert_null(fl_nearest_word("xy", words, 4));
    assert_null(fl_nearest_word("", words, 4));
    assert_null(fl_nearest_word("listen", words, 0));
}

static void whole_numbers_only(void **state)
{
    (void)state;
    int64_t v = 0;
    assert_true(fl_parse_i64("-5", -10, 10, &v) && v == -5);
    assert_true(fl_parse_i64("9223372036854775807", INT64_MIN, INT64_MAX, &v) && v == INT64_MAX);
    static const char *const bad[] = {"",    " 5", "5 ",  "+5", "5x",
                                      "0x5", "11", "-11", "-",  "9223372036854775808"};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        assert_false(fl_parse_i64(bad[i], -10, 10, &v));
    assert_false(fl_parse_i64(NULL, 0, 1, &v));
}

/* Every length around the block size, whole buffers and parts: the hash of all those hashes, as sha256sum gives it. */
static void sha256_of_every_length(void **state)
{
    (void)state;
    static unsigned char data[1000], digests[1000][32];
    struct fl_sha256 h;
    char hex[65];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + 3);
    for (size_t n = 0; n < sizeof data; n++) {
        fl_sha256(data, n, &h);
        memcpy(digests[n], h.b, sizeof h.b);
    }
    fl_sha256(digests, sizeof digests, &h);
    assert_string_equal(fl_sha256_hex(&h, hex),
                        "df3cd7b7b5ddcf8f90a897a1dce1dd7fb1832feb0d578138be73c9294438a58e");
}

static void hashes_match_published_vectors(void **state)
{
    (void)state;
    struct fl_sha256 h;
    char hex[65], fp[17];
    fl_sha256("abc", 3, &h);
    assert_string_equal(fl_sha256_hex(&h, hex),
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    fl_sha256("", 0, &h);
    assert_string_equal(fl_sha256_hex(&h, hex),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(fl_fnv1a(FL_FNV1A_INIT, "", 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(fl_fnv1a(FL_FNV1A_INIT, "a", 1) == UINT64_C(0xaf63dc4c8601ec8c));
    assert_true(fl_fnv1a(FL_FNV1A_INIT, "foobar", 6) == UINT64_C(0x85944171f73967e8));
    assert_true(fl_keyed_hash("a", 1) == fl_keyed_hash("a", 1));
    assert_true(fl_keyed_hash("a", 1) != fl_keyed_hash("b", 1));
    uint64_t v = 0;
    assert_string_equal(fl_fingerprint_hex(0xab, fp), "00000000000000ab");
    assert_true(fl_fingerprint_parse("00000000000000AB", &v) && v == 0xab);
    assert_false(fl_fingerprint_parse("ab", &v));
    assert_false(fl_fingerprint_parse("00000000000000ag", &v));
    assert_false(fl_fingerprint_parse(NULL, &v));
    unsigned char b[2];
    assert_false(fl_unhex("abc", 3, b));
    assert_true(fl_unhex("0aF0", 4, b) && b[0] == 0x0a && b[1] == 0xf0);
}

static void uuids_sort_in_order_of_making(void **state)
{
    (void)state;
    char last[37] = "", id[37];
    for (int i = 0; i < 20000; i++) {
        fl_uuid7(id);
        assert_int_equal(strlen(id), 36);
        assert_true(id[14] == '7' && strchr("89ab", id[19]));
        assert_true(strcmp(last, id) < 0);
        memcpy(last, id, sizeof id);
    }
}

static void the_first_failure_wins_and_is_clean(void **state)
{
    (void)state;
    struct fl_err err = {0};
    assert_int_equal(fl_fail(&err, FL_E_LIMIT, "x", "first \"%s\"", "\xff"), FL_E_LIMIT);
    fl_hint(&err, "hint");
    assert_int_equal(fl_fail(&err, FL_E_SHAPE, "y", "second"), FL_E_SHAPE);
    fl_err_within(&err, "a[%d]", 3);
    assert_int_equal(err.status, FL_E_LIMIT);
    assert_string_equal(err.text, "first \"?\"");
    assert_string_equal(err.where, "a[3].x");
    assert_string_equal(err.hint, "hint");
    fl_err_clear(&err);
    char big[2000];
    memset(big, 0, sizeof big);
    for (size_t i = 0; i + 2 < sizeof big; i += 2)
        memcpy(big + i, "é", 2);
    fl_fail(&err, FL_E_IO, big + 1, "x%s", big);
    assert_true(fl_utf8_valid(err.text, strlen(err.text)));
    assert_true(fl_utf8_valid(err.where, strlen(err.where)));
    fl_err_within(&err, "%s", "outer");
    assert_true(strlen(err.where) < sizeof err.where);
    assert_int_equal(fl_fail(NULL, FL_E_IO, NULL, "x"), FL_E_IO);
}

/* As compilers say it: file, line, then the member. */
static void a_file_and_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *where;
        size_t line;
        const char *then, *text;
    } say[] = {
        {"line 2 column 5", 0, "d/case.json:2", "column 5: x"},
        {"line 2 column 5", 7, "d/case.json:8", "column 5: x"},
        {"labels", 7, "d/case.json:7: labels", "x"},
        {"", 7, "d/case.json:7", "x"},
        {"trigger", 0, "d/case.json: trigger", "x"},
        {"", 0, "d/case.json", "x"},
        {"d/case.json", 0, "d/case.json", "x"}, /* whoever could not read it said so */
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(say); i++) {
        struct fl_err err = {.status = FL_OK};
        fl_fail(&err, FL_E_SHAPE, say[i].where, "x");
        fl_err_in_file(&err, "d/case.json", say[i].line);
        assert_string_equal(err.where, say[i].then);
        assert_string_equal(err.text, say[i].text);
    }
    char path[400];
    struct fl_err err = {.status = FL_OK};
    for (size_t i = 0; i + 2 < sizeof path; i += 2)
        memcpy(path + i, "é", 3);
    fl_fail(&err, FL_E_SHAPE, "x", "x");
    fl_err_in_file(&err, path, 1);
    assert_true(fl_utf8_valid(err.where, strlen(err.where)));
    fl_err_in_file(NULL, path, 1);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_strict),
        cmocka_unit_test(repair_leaves_good_text_alone),
        cmocka_unit_test(the_nearest_word_is_near),
        cmocka_unit_test(whole_numbers_only),
        cmocka_unit_test(hashes_match_published_vectors),
        cmocka_unit_test(sha256_of_every_length),
        cmocka_unit_test(uuids_sort_in_order_of_making),
        cmocka_unit_test(the_first_failure_wins_and_is_clean),
        cmocka_unit_test(a_file_and_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
