/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/model/test_bodies.c -- several bodies in one row: what goes in comes out, anything else is refused. */
#include <faultline/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *put(char *end, const char *text, size_t n)
{
    struct fl_sha256 h;
    fl_sha256(text, n, &h);
    return fl_bodies_put(end, &h, text, n);
}

static void what_goes_in_comes_out(void **state)
{
    (void)state;
    static const char nul[] = "\n\0 64 \xff";
    struct {
        const char *p;
        size_t n;
    } in[] = {{"{\"a\":1}", 7}, {"", 0}, {nul, sizeof nul - 1}, {"5 5\n5", 5}};
    char row[FL_ARRAY_LEN(in) * FL_BODIES_HEAD + 64], *end = row;
    for (size_t i = 0; i < FL_ARRAY_LEN(in); i++)
        end = put(end, in[i].p, in[i].n);
    const char *rest = row, *body;
    size_t left = (size_t)(end - row), n;
    struct fl_err err = {0};
    for (size_t i = 0; i < FL_ARRAY_LEN(in); i++) {
        assert_int_equal(fl_bodies_next(&rest, &left, &body, &n, &err), FL_OK);
        assert_int_equal(n, in[i].n);
        assert_memory_equal(body, in[i].p, n);
    }
    assert_int_equal(fl_bodies_next(&rest, &left, &body, &n, &err), FL_E_NOTFOUND);
}

/* In a buffer of exactly its length, so that the sanitizer sees a read past the end. */
static fl_status read_all(const char *p, size_t n)
{
    char *exact = malloc(n ? n : 1);
    memcpy(exact, p, n);
    const char *rest = exact, *body;
    size_t len;
    struct fl_err err = {0};
    fl_status st;
    while ((st = fl_bodies_next(&rest, &n, &body, &len, &err)) == FL_OK)
        ;
    assert_int_equal(err.status, st == FL_E_NOTFOUND ? FL_OK : st);
    free(exact);
    return st;
}

static void anything_else_is_refused(void **state)
{
    (void)state;
    char row[2 * FL_BODIES_HEAD + 64], changed[sizeof row];
    char *first = put(row, "{\"alerts\":[]}", 13);
    size_t n = (size_t)(put(first, "[1,2]", 5) - row);
    assert_int_equal(read_all(row, n), FL_E_NOTFOUND);
    for (size_t cut = 1; cut < n; cut++)
        if (cut != (size_t)(first - row))
            assert_int_equal(read_all(row, cut), FL_E_CORRUPT);
    for (size_t i = 0; i < n; i++) {
        memcpy(changed, row, n);
        changed[i] ^= 1;
        assert_int_equal(read_all(changed, n), FL_E_CORRUPT);
    }
    static const char *const tails[] = {" 99999999999999999999\n",
                                        " 18446744073709551615\n",
                                        " 9223372036854775807\n",
                                        " -1\n",
                                        " \n",
                                        "  5\n",
                                        " 5"};
    for (size_t i = 0; i < FL_ARRAY_LEN(tails); i++) {
        snprintf(changed, sizeof changed, "%064d%s12345\n", 0, tails[i]);
        assert_int_equal(read_all(changed, strlen(changed)), FL_E_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_comes_out),
        cmocka_unit_test(anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
