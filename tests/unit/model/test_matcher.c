/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/model/test_matcher.c -- matchers: meaning, text, what RE2 lacks, bounded work. */
#include <faultline/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static bool holds(char op, const char *pattern, const char *value)
{
    struct fl_matcher m = {.name = "l", .value = pattern, .op = op};
    struct fl_label v = {"l", value};
    struct fl_labels l = {&v, value ? 1 : 0};
    struct fl_err err = {0};
    assert_int_equal(fl_matcher_compile(&m, &err), FL_OK);
    bool answer = fl_match_all(&m, 1, &l);
    fl_matcher_done(&m);
    assert_null(m.compiled);
    return answer;
}

static void matchers_mean_what_alertmanager_means(void **state)
{
    (void)state;
    assert_true(holds('=', "a", "a"));
    assert_false(holds('=', "a", "A"));
    assert_true(holds('!', "a", "b"));
    assert_true(holds('=', "", NULL)); /* absent equals empty */
    assert_true(holds('!', "a", NULL));
    assert_true(holds('~', "a|b", "b"));
    assert_false(holds('~', "a|b", "ab")); /* anchored, the alternatives too */
    assert_false(holds('~', "a", "ab"));
    assert_false(holds('~', "b", "ab"));
    assert_false(holds('~', "a$", "a\n"));
    assert_true(holds('~', ".*", NULL));
    assert_true(holds('n', ".+", NULL));
    assert_false(holds('n', "a.c", "abc"));
    assert_true(holds('~', "(?i:DISK).*", "disk full"));
    assert_true(holds('~', "é.", "éé")); /* characters, not bytes */
    assert_true(fl_match_all(NULL, 0, &(struct fl_labels){0}));
}

static void all_must_hold(void **state)
{
    (void)state;
    struct fl_matcher m[] = {{.name = "a", .value = "1", .op = '='}, {.name = "b", .value = "2", .op = '='}};
    struct fl_label v[] = {{"a", "1"}, {"b", "3"}};
    struct fl_labels l = {v, 2};
    assert_false(fl_match_all(m, 2, &l));
    assert_true(fl_match_all(m, 1, &l));
}

static void what_re2_lacks_is_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *why;
    } cases[] = {
        {"a(?=b)", "look-ahead"},
        {"a(?!b)", "look-ahead"},
        {"(?<=a)b", "look-behind"},
        {"(?<!a)b", "look-behind"},
        {"(?<n>a)", "(?P<name>"},
        {"(a)\\1", "back-reference"},
        {"(?P<n>a)(?P=n)", "back-reference"},
        {"\\k<n>", "back-reference"},
        {"a++", "possessive"},
        {"a*+", "possessive"},
        {"a?+", "possessive"},
        {"a{2}+", "possessive"},
        {"(?>a)", "atomic"},
        {"(*UTF)a", "verbs"},
        {"a**", "quantifier"},
        {"a{2000}", "over 1000"},
        {"(?R)", "group form"},
        {"(?1)", "group form"},
        {"(?x)a", "group form"},
        {"(?#c)", "group form"},
        {"\\R", "escape"},
        {"\\K", "escape"},
        {"\\X", "escape"},
        {"\\C", "escape"},
        {"a\\", "backslash"},
        {"(", "missing closing )"},
        {"[a", "missing closing ]"},
        {"\\Z", "escape"},
        {"a|*", "missing argument to repetition operator: `*`"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_matcher m = {.name = "l", .value = cases[i].pattern, .op = '~'};
        struct fl_err err = {0};
        assert_int_equal(fl_matcher_compile(&m, &err), FL_E_SHAPE);
        if (!strstr(err.text, cases[i].why))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[i].pattern, err.text, cases[i].why);
        assert_null(m.compiled);
    }
}

static void what_re2_has_is_taken(void **state)
{
    (void)state;
    static const char *const patterns[] = {"",
                                           "a+?b*?c??",
                                           "(?:a|b)",
                                           "(?P<x>a)",
                                           "(?i)abc",
                                           "(?s-i:.)",
                                           "[a+*?(]+",
                                           "[^]a]",
                                           "[]a]",
                                           "[[:alpha:]\\d_-]",
                                           "\\Qa++\\E",
                                           "\\pL\\p{Greek}",
                                           "a{2,3}?",
                                           "a{,3}",
                                           "x{y}",
                                           "\\x41\\x{263a}",
                                           "\\.\\*\\+\\(",
                                           "^a$",
                                           "\\A\\bword\\b\\z",
                                           "a{1000}"};
    for (size_t i = 0; i < FL_ARRAY_LEN(patterns); i++) {
        struct fl_matcher m = {.name = "l", .value = patterns[i], .op = '~'};
        struct fl_err err = {0};
        if (fl_matcher_compile(&m, &err) != FL_OK)
            fail_msg("%s: %s", patterns[i], err.text);
        fl_matcher_done(&m);
    }
}

static void hostile_patterns_cost_little_and_decide_nothing(void **state)
{
    (void)state;
    char value[FL_REGEX_SUBJECT_MAX + 2];
    memset(value, 'a', sizeof value);
    value[2000] = 0;
    fl_usec from = fl_mono();
    assert_false(holds('~', "(a+)+[bc]", value));
    assert_false(holds('n', "(a+)+[bc]", value)); /* undecided: neither holds */
    assert_true(fl_mono() - from < 2 * FL_USEC_PER_SEC);
    value[2000] = 'a';
    value[FL_REGEX_SUBJECT_MAX] = 0;
    assert_true(holds('~', "a*", value));
    value[FL_REGEX_SUBJECT_MAX] = 'a';
    value[FL_REGEX_SUBJECT_MAX + 1] = 0;
    assert_false(holds('~', "a*", value));
    assert_false(holds('n', "a*", value));
    char *pattern = calloc(1, FL_REGEX_MAX + 2);
    memset(pattern, 'x', FL_REGEX_MAX + 1);
    struct fl_matcher m = {.name = "l", .value = pattern, .op = '~'};
    assert_int_equal(fl_matcher_compile(&m, NULL), FL_E_LIMIT);
    free(pattern);
}

static void text_is_read_as_people_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, op, *value; /* op 0: refused */
    } cases[] = {
        {"a=b", "a", '=', "b"},
        {" a != \"b c\" ", "a", '!', "b c"},
        {"a=~\"b.*\"", "a", '~', "b.*"},
        {"a!~b|c", "a", 'n', "b|c"},
        {"a=", "a", '=', ""},
        {"a=\"\"", "a", '=', ""},
        {"a=\"x\\\"y\\\\z\\n\\u00e9\"", "a", '=', "x\"y\\z\né"},
        {"\"a b\"=c", "a b", '=', "c"},
        {"a=b=c", "a", '=', "b=c"},
        {"é=b", "é", '=', "b"},
        {"{{x", NULL, 0, NULL},
        {"", NULL, 0, NULL},
        {"a", NULL, 0, NULL},
        {"=b", NULL, 0, NULL},
        {"1a=b", NULL, 0, NULL},
        {"a=\"b", NULL, 0, NULL},
        {"a=\"b\"c", NULL, 0, NULL},
        {"a=b\"c", NULL, 0, NULL},
        /* the classic form: a backslash that escapes nothing stands for itself */
        {"a=\"\\q\"", "a", '=', "\\q"},
        {"a=~\"db\\d+\"", "a", '~', "db\\d+"},
        {"a=\"\\u0000\"", "a", '=', "\\u0000"},
        {"a=\"\\", NULL, 0, NULL},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_matcher m = {0}, again = {0};
        struct fl_err err = {0};
        fl_status st = fl_matcher_parse(a, cases[i].text, strlen(cases[i].text), &m, &err);
        if (!cases[i].op) {
            assert_int_equal(st, FL_E_SYNTAX);
            continue;
        }
        assert_int_equal(st, FL_OK);
        assert_string_equal(m.name, cases[i].name);
        assert_string_equal(m.value, cases[i].value);
        assert_int_equal(m.op, cases[i].op);
        if (strchr(m.name, ' '))
            continue;
        FL_AUTO_BUF text = fl_buf_init(0);
        fl_matcher_text(&m, &text);
        assert_int_equal(fl_matcher_parse(a, text.p, text.n, &again, &err), FL_OK);
        assert_string_equal(again.value, m.value);
        assert_int_equal(again.op, m.op);
    }
    struct fl_matcher m;
    struct fl_err err = {0};
    FL_AUTO_ARENA a = fl_arena_new(0);
    assert_int_equal(fl_matcher_parse(a, "{{x", 3, &m, &err), FL_E_SYNTAX);
    assert_string_equal(err.text, "bad matcher format: {{x");
}

/* Each of the values matches, and nothing is taken for a list that is none. */
static void a_list_of_values_is_told_from_a_pattern(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *values; /* NULL: no list */
    } cases[] = {
        {"a", "a"},
        {"a|b|c", "a;b;c"},
        {"^(?:a|b)$", "a;b"},
        {"^(?:^(a|b)$)$", "a;b"},
        {"db-1\\.eu:90|x y", "db-1.eu:90;x y"},
        {"a\\|b|c", "a|b;c"},
        {"\xc3\xa4|b", "\xc3\xa4;b"},
        {"", ""},
        {"a|", "a;"},
        {"a|b|c|d|e", NULL},
        {"a.b", NULL},
        {"a+", NULL},
        {"[ab]", NULL},
        {"a|\\d", NULL},
        {"(a)|(b)", NULL},
        {"(?i)a", NULL},
        {"(?i:a)", NULL},
        {"a\\$", NULL}, /* it is one, but its end is cut off like an anchor's: no list is always right */
        {"\\Qa|b\\E", NULL},
        {"a{2}", NULL}};
    FL_AUTO_ARENA arena = fl_arena_new(0);
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_err err = {0};
        struct fl_matcher m = {.name = "l", .value = cases[i].pattern, .op = '~'};
        const char **v = NULL;
        FL_AUTO_BUF text = fl_buf_init(1 << 10);
        assert_int_equal(fl_matcher_compile(&m, &err), FL_OK);
        size_t n = fl_matcher_literals(arena, &m, 4, &v);
        for (size_t k = 0; k < n; k++) {
            struct fl_label l = {"l", v[k]};
            fl_buf_printf(&text, "%s%s", k ? ";" : "", v[k]);
            assert_true(fl_match_all(&m, 1, &(struct fl_labels){&l, 1}));
        }
        if ((n > 0) != (cases[i].values != NULL) || (n && strcmp(text.p ? text.p : "", cases[i].values) != 0))
            fail_msg("%s: %zu values, %s", cases[i].pattern, n, text.p ? text.p : "");
        fl_matcher_done(&m);
    }
    const char **v;
    assert_int_equal(
        fl_matcher_literals(arena, &(struct fl_matcher){.name = "l", .value = "a", .op = 'n'}, 4, &v), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matchers_mean_what_alertmanager_means),
        cmocka_unit_test(all_must_hold),
        cmocka_unit_test(what_re2_lacks_is_refused_with_the_reason),
        cmocka_unit_test(what_re2_has_is_taken),
        cmocka_unit_test(hostile_patterns_cost_little_and_decide_nothing),
        cmocka_unit_test(text_is_read_as_people_write_it),
        cmocka_unit_test(a_list_of_values_is_told_from_a_pattern),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
