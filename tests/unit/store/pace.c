/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/pace.c -- how much derived work may do while intake needs the processor. */
#include "store_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_share_grows_with_the_lag(void **state)
{
    (void)state;
    unsigned least = fl_pace_share(0, 20000), before = least;
    assert_in_range(least, 1, 20);
    assert_int_equal(fl_pace_share(10000, 20000), least);
    for (uint64_t lag = 10000; lag <= 20000; lag += 100) {
        unsigned share = fl_pace_share(lag, 20000);
        assert_true(share >= before && share <= 100);
        before = share;
    }
    /* At the bound intake is refused: nothing is left to rest for. */
    assert_int_equal(fl_pace_share(20000, 20000), 100);
    assert_int_equal(fl_pace_share(UINT32_MAX, 20000), 100);
    assert_int_equal(fl_pace_share(1, 1), 100);
}

/* A projection may take 0.4 s: a rest that did not grow with it would leave derived work two thirds of the time. */
static void test_rest_goes_by_the_work(void **state)
{
    (void)state;
    fl_usec small = fl_pace_rest(1000, 0, 20000);
    assert_in_range(small, 5000, 20000);
    assert_int_equal(fl_pace_rest(100000, 0, 20000), 100 * small);
    assert_int_equal(fl_pace_rest(60 * FL_USEC_PER_SEC, 0, 20000), 2 * FL_USEC_PER_SEC);
    assert_true(fl_pace_rest(100000, 15000, 20000) < 100 * small / 10);
    assert_int_equal(fl_pace_rest(400000, 20000, 20000), 0);
}

/* What derived work leaves idle by resting must not start it again, or it takes turns with intake. */
static void test_full_processors_stay_full_while_it_rests(void **state)
{
    (void)state;
    assert_true(fl_pace_full(false, 100, 5));
    assert_false(fl_pace_full(false, 100, 25));
    assert_true(fl_pace_full(true, 100, 25));
    assert_false(fl_pace_full(true, 100, 60));
}

static void test_an_idle_journal_is_not_hot(void **state)
{
    (void)state;
    struct fl_store s = {.pace = {.since = fl_mono() - 10 * FL_USEC_PER_SEC, .full = true}};
    fl_pace_note(&s, 9 * FL_USEC_PER_SEC);
    assert_int_equal(atomic_load(&s.pace.hot_until), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_share_grows_with_the_lag),
                                       cmocka_unit_test(test_rest_goes_by_the_work),
                                       cmocka_unit_test(test_full_processors_stay_full_while_it_rests),
                                       cmocka_unit_test(test_an_idle_journal_is_not_hot)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
