/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_compare.c -- the paired bootstrap: what it finds, what it leaves open, the same bounds each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/rank.h>

enum { N = 120 };

/* Two sets; the second model is right in `gain` of every ten cases in which the first is wrong. */
static void make(struct fl_pair *v, unsigned gain, unsigned loss)
{
    for (unsigned i = 0; i < N; i++)
        v[i] = (struct fl_pair){.set = i < 40 ? 0 : 1,
                                .unit = i,
                                .first = i % 10 >= gain ? 1 : 0,
                                .second = i % 10 >= 10 - loss ? 0 : 1};
}

static struct fl_paired compare(const struct fl_pair *v, size_t n)
{
    struct fl_err err = {.status = FL_OK};
    struct fl_paired r;
    if (fl_rank_compare(v, n, &r, &err) != FL_OK)
        fail_msg("fl_rank_compare: %s", err.text);
    return r;
}

static void a_clear_difference_excludes_zero(void **state)
{
    (void)state;
    struct fl_pair v[N];
    make(v, 3, 0);
    struct fl_paired r = compare(v, N);
    assert_int_equal(r.cases, N);
    assert_int_equal(r.units, N);
    assert_int_equal(r.sets, 2);
    assert_int_equal(r.better, 36);
    assert_int_equal(r.worse, 0);
    assert_float_equal(r.first, 0.7, 1e-12);
    assert_float_equal(r.second, 1, 1e-12);
    assert_float_equal(r.difference, 0.3, 1e-12);
    /* standard error: half of sqrt(.21/40 + .21/80), so about 0.044 */
    assert_true(r.low > 0.18 && r.low < 0.25);
    assert_true(r.high > 0.35 && r.high < 0.42);
}

static void gains_and_losses_leave_it_open(void **state)
{
    (void)state;
    struct fl_pair v[N];
    make(v, 2, 2);
    struct fl_paired r = compare(v, N);
    assert_float_equal(r.difference, 0, 1e-12);
    assert_int_equal(r.better, r.worse);
    assert_true(r.low < -0.05 && r.high > 0.05);
}

static void equal_models_differ_by_nothing(void **state)
{
    (void)state;
    struct fl_pair v[N];
    make(v, 3, 0);
    for (size_t i = 0; i < N; i++)
        v[i].second = v[i].first;
    struct fl_paired r = compare(v, N);
    assert_true(r.difference == 0 && r.low == 0 && r.high == 0);
}

/* Ten variants of one incident say little more than the incident once. */
static void variants_are_drawn_together(void **state)
{
    (void)state;
    struct fl_pair alone[N], grouped[N];
    make(alone, 3, 0);
    for (size_t i = 0; i < N; i++) { /* the same cases in groups that are right or wrong as a whole */
        grouped[i] = alone[i / 10 % 4 * 10 + i / 10 % 10];
        grouped[i].set = 0;
        grouped[i].unit = i / 10;
        alone[i] = grouped[i];
        alone[i].unit = i;
    }
    struct fl_paired a = compare(alone, N), g = compare(grouped, N);
    assert_int_equal(g.units, 12);
    assert_int_equal(a.units, N);
    assert_true(a.difference == g.difference);
    assert_true(g.high - g.low > 2 * (a.high - a.low));
}

static void the_same_bounds_each_time(void **state)
{
    (void)state;
    struct fl_pair v[N];
    make(v, 3, 1);
    struct fl_paired a = compare(v, N), b = compare(v, N);
    assert_memory_equal(&a, &b, sizeof a);
}

static void nothing_and_disorder(void **state)
{
    (void)state;
    struct fl_err err = {.status = FL_OK};
    const struct fl_pair v[] = {{.set = 1}, {.set = 2}, {.set = 1}};
    struct fl_paired r = compare(NULL, 0);
    assert_true(r.cases == 0 && r.sets == 0 && r.low == 0 && r.high == 0);
    assert_int_equal(fl_rank_compare(v, 3, &r, &err), FL_E_SHAPE);
    assert_non_null(strstr(err.text, "set 1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clear_difference_excludes_zero), cmocka_unit_test(gains_and_losses_leave_it_open),
        cmocka_unit_test(equal_models_differ_by_nothing),   cmocka_unit_test(variants_are_drawn_together),
        cmocka_unit_test(the_same_bounds_each_time),        cmocka_unit_test(nothing_and_disorder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
