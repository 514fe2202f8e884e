/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_case.c -- metric and trace tables of a case: what is a hole, what is refused, the limits, the order by value. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake_fixture.h"

#include <faultline/case.h>

static char path[512];

static void write_file(const char *text)
{
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static fl_status read_traces(struct fl_arena *a, const char *text, struct fl_traces *ret)
{
    write_file(text);
    fl_status st = fl_case_traces(a, path, ret, NULL);
    remove(path);
    return st;
}

static fl_status read_table(struct fl_arena *a, const char *text, struct fl_table *ret, struct fl_err *err)
{
    write_file(text);
    fl_status st = fl_case_table(a, path, ret, err);
    remove(path);
    return st;
}

/* Missing, infinite, not a number, a word, a row that ends early: holes. */
static void what_is_no_number_is_a_hole(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_table t;
    assert_int_equal(
        read_table(a, "time,a|x,a|y\n1,nan,1\n2,-inf,2\n3,,3\n4,n/a,4\n5\n6,1e999,6\n", &t, NULL), FL_OK);
    assert_int_equal(t.n_rows, 6);
    for (size_t i = 0; i < 6; i++)
        assert_true(isnan(t.v[i]));
    assert_true(isnan(t.v[6 + 4]) && t.v[6 + 5] == 6);
}

/* Rows of each column by value, the earlier of equals first, holes last. */
static void rows_stand_by_value(void **state)
{
    (void)state;
    static const uint32_t want[] = {3, 0, 4, 1, 2};
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_table t;
    assert_int_equal(read_table(a, "time,a|x\n1,2\n2,9\n3,inf\n4,-5\n5,2\n", &t, NULL), FL_OK);
    assert_memory_equal(t.order, want, sizeof want);
    assert_int_equal(read_table(a, "time,a|x\n", &t, NULL), FL_OK);
    assert_int_equal(t.n_rows, 0);
    assert_int_equal(read_table(a, "", &t, NULL), FL_OK);
    assert_int_equal(t.n_cols, 0);
}

static void refused(const char *text, fl_status want, const char *where, const char *what)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_err err = {.status = FL_OK};
    struct fl_table t;
    assert_int_equal(read_table(a, text, &t, &err), want);
    if (!strstr(err.where, where) || !strstr(err.text, what))
        fail_msg("%s: %s", err.where, err.text);
}

static void what_is_out_of_step_is_refused(void **state)
{
    (void)state;
    refused("time,a|x\n1,2,3\n", FL_E_SHAPE, ".csv:2", "more fields than the 2");
    refused("time,a|x\n1,2\n\nnoon,2\n", FL_E_SHAPE, ".csv:4", "not a number");
    refused("time,a|x\ninf,2\n", FL_E_SHAPE, ".csv:2", "not a number");
    refused("time,a|x\n2,2\n1,2\n", FL_E_SHAPE, ".csv:3", "time goes back");
    refused("time,ax\n", FL_E_SHAPE, ".csv:1", "not component|metric");
}

static char *repeated(const char *head, const char *each, size_t times)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_str(&b, head);
    for (size_t i = 0; i < times; i++)
        fl_buf_str(&b, each);
    assert_false(b.failed);
    return fl_buf_take(&b, NULL);
}

static void limits_are_what_they_say(void **state)
{
    (void)state;
    FL_AUTO_FREE char *wide = repeated("time", ",a|x", FL_CASE_COLUMNS_MAX);
    refused(wide, FL_E_LIMIT, ".csv:1", "columns");
    FL_AUTO_FREE char *full = repeated("time,a|x\n", "1,2\n", FL_CASE_ROWS_MAX);
    FL_AUTO_FREE char *over = repeated(full, "1,2\n", 1);
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_table t;
    assert_int_equal(read_table(a, full, &t, NULL), FL_OK);
    assert_int_equal(t.n_rows, FL_CASE_ROWS_MAX);
    refused(over, FL_E_LIMIT, ".csv:1000002", "rows");
    FL_AUTO_FREE char *spans = repeated(
        "bucket,caller,callee,operation,spans,p50_ms,p90_ms,self_p90_ms,net_p90_ms\n", "1,a,b,c,1,,,,\n",
        FL_CASE_ROWS_MAX);
    FL_AUTO_FREE char *too_many = repeated(spans, "1,a,b,c,1,,,,\n", 1);
    struct fl_traces traces;
    assert_int_equal(read_traces(a, spans, &traces), FL_OK);
    assert_int_equal(traces.n, FL_CASE_ROWS_MAX);
    assert_int_equal(read_traces(a, too_many, &traces), FL_E_LIMIT);
    FL_AUTO_FREE char *head = repeated("time", ",a|x", 50000);
    FL_AUTO_FREE char *many = repeated(head, "\n1", FL_CASE_VALUES_MAX / 50000 + 1);
    refused(many, FL_E_LIMIT, ".csv:402", "values in one table");
}

int main(void)
{
    if (fl_base_init())
        return 1;
    snprintf(path, sizeof path, "%s/test_case.table.csv", FL_BINARY_DIR);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_no_number_is_a_hole), cmocka_unit_test(rows_stand_by_value),
        cmocka_unit_test(what_is_out_of_step_is_refused), cmocka_unit_test(limits_are_what_they_say)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
