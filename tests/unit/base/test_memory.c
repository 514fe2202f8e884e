/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/base/test_memory.c -- arena and growing buffer: alignment, limits, failure that sticks. */
#include <faultline/base.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void an_arena_aligns_zeroes_and_copies(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    for (size_t n = 0; n < 5000; n += 37) {
        unsigned char *p = fl_arena_calloc(a, n, 1);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_string_equal(fl_arena_strdup(a, "x"), "x");
    assert_null(fl_arena_strdup(a, NULL));
    assert_string_equal(fl_arena_strndup(a, "xyz", 2), "xy");
    assert_string_equal(fl_arena_printf(a, "%s-%d", "a", 5), "a-5");
    assert_null(fl_arena_calloc(a, SIZE_MAX / 2, 4));
    assert_null(fl_arena_alloc(a, SIZE_MAX));
    fl_arena_reset(a);
    assert_int_equal(fl_arena_used(a), 0);
    assert_non_null(fl_arena_alloc(a, 100));
    size_t held = fl_arena_held(a);
    assert_true(held >= 100);
    assert_non_null(fl_arena_alloc(a, held)); /* does not fit into what there is */
    assert_true(fl_arena_held(a) >= held + held);
    struct fl_arena *child = fl_arena_new(0);
    assert_non_null(fl_arena_alloc(child, 5000));
    held = fl_arena_held(a);
    fl_arena_adopt(a, child);
    assert_true(fl_arena_held(a) >= held + 5000);
    fl_arena_reset(a);
    assert_true(fl_arena_held(a) < held + 5000);
    assert_null(fl_arena_free(NULL));
}

static void an_arena_begins_as_large_as_it_is_told(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new_sized(4000, 200);
    FL_AUTO_ARENA b = fl_arena_new_sized(0, 2000000);
    assert_non_null(fl_arena_alloc(a, 200));
    assert_in_range(fl_arena_held(a), 200, 256);
    assert_non_null(fl_arena_alloc(a, 1));
    assert_in_range(fl_arena_held(a), 600, 700);
    assert_null(fl_arena_alloc(a, 4000)); /* the limit stands */
    for (size_t i = 0; i < 20; i++)
        assert_non_null(fl_arena_alloc(b, 100000));
    assert_in_range(fl_arena_held(b), 2000000, 2000016);
    assert_non_null(fl_arena_alloc(b, 100));
    assert_true(fl_arena_held(b) < 4000000); /* later blocks grow by steps */
}

static void an_arena_keeps_its_limit(void **state)
{
    (void)state;
    for (size_t max = 16; max <= 20000; max = max * 3 / 2) {
        FL_AUTO_ARENA a = fl_arena_new(max);
        size_t got = 0;
        while (fl_arena_alloc(a, 16))
            got += 16;
        assert_true(got <= max);
        assert_true(got + 16 > max / 2); /* the limit is usable, not only safe */
        assert_null(fl_arena_alloc(a, max + 1));
    }
}

static void a_buffer_grows_and_terminates(void **state)
{
    (void)state;
    FL_AUTO_BUF b = fl_buf_init(0);
    for (int i = 0; i < 10000; i++)
        fl_buf_printf(&b, "%d,", i);
    assert_false(b.failed);
    assert_int_equal(strlen(b.p), b.n);
    size_t n = 0;
    FL_AUTO_FREE char *p = fl_buf_take(&b, &n);
    assert_non_null(p);
    assert_null(b.p);
    assert_int_equal(strlen(p), n);
    FL_AUTO_FREE char *empty = fl_buf_take(&b, &n);
    assert_string_equal(empty, "");
}

static void a_full_buffer_stays_failed(void **state)
{
    (void)state;
    struct fl_buf b = fl_buf_init(10);
    fl_buf_str(&b, "0123456789");
    assert_false(b.failed);
    fl_buf_chr(&b, 'x');
    assert_true(b.failed);
    fl_buf_str(&b, "");
    assert_true(b.failed);
    assert_string_equal(b.p, "0123456789");
    assert_null(fl_buf_take(&b, NULL));
    b = fl_buf_init(3);
    fl_buf_printf(&b, "%d", 12345);
    assert_true(b.failed);
    fl_buf_reset(&b);
    fl_buf_str(&b, "abc");
    assert_false(b.failed);
    fl_buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_arena_aligns_zeroes_and_copies),
        cmocka_unit_test(an_arena_begins_as_large_as_it_is_told),
        cmocka_unit_test(an_arena_keeps_its_limit),
        cmocka_unit_test(a_buffer_grows_and_terminates),
        cmocka_unit_test(a_full_buffer_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
