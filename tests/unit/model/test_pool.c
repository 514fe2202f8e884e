/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Texts kept once: equal ones share an address, the last one given back is freed, none is lost on the way. */
#include <faultline/pool.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void equal_texts_share_one_copy(void **state)
{
    (void)state;
    struct fl_pool *p = fl_pool_new();
    char mine[] = "checkout";
    const char *a = fl_pool_keep(p, mine);
    mine[0] = 'x';
    assert_string_equal(a, "checkout");
    assert_ptr_equal(fl_pool_keep(p, "checkout"), a);
    assert_ptr_equal(fl_pool_find(p, "checkout"), a);
    assert_null(fl_pool_find(p, "check"));
    assert_null(fl_pool_keep(p, NULL));
    fl_pool_drop(p, NULL);
    assert_int_equal(fl_pool_count(p), 1);
    fl_pool_drop(p, a);
    assert_ptr_equal(fl_pool_find(p, "checkout"), a);
    fl_pool_drop(p, a);
    assert_null(fl_pool_find(p, "checkout"));
    assert_int_equal(fl_pool_count(p), 0);
    fl_pool_free(p);
}

static void a_slot_may_be_set_to_its_own_text(void **state)
{
    (void)state;
    struct fl_pool *p = fl_pool_new();
    const char *slot = NULL;
    fl_pool_set(p, &slot, "a");
    fl_pool_set(p, &slot, slot);
    assert_string_equal(slot, "a");
    fl_pool_set(p, &slot, "b");
    assert_null(fl_pool_find(p, "a"));
    fl_pool_set(p, &slot, NULL);
    assert_null(slot);
    assert_int_equal(fl_pool_count(p), 0);
    fl_pool_free(p);
}

enum { MANY = 5000 };

/* Growing and taking out move others about: all that are kept must be found, and nothing else. */
static void many_come_and_go(void **state)
{
    (void)state;
    struct fl_pool *p = fl_pool_new();
    const char *v[MANY] = {0};
    unsigned rng = 7;
    size_t kept = 0;
    for (int turn = 0; turn < 60000; turn++) {
        rng = rng * 1103515245u + 12345u;
        unsigned i = (rng >> 8) % MANY;
        char text[32];
        snprintf(text, sizeof text, "text %u", i);
        assert_ptr_equal(fl_pool_find(p, text), v[i]);
        if (v[i]) {
            fl_pool_drop(p, v[i]);
            v[i] = NULL;
            kept--;
        } else {
            v[i] = fl_pool_keep(p, text);
            assert_string_equal(v[i], text);
            kept++;
        }
        assert_int_equal(fl_pool_count(p), kept);
    }
    fl_pool_free(p);
}

static void an_alert_stands_alone(void **state)
{
    (void)state;
    struct fl_pool *p = fl_pool_new();
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_label *v = fl_arena_calloc(arena, 2, sizeof *v);
    v[0] = (struct fl_label){fl_arena_strdup(arena, "a"), fl_arena_strdup(arena, "é")};
    v[1] = (struct fl_label){fl_arena_strdup(arena, "b"), fl_arena_strdup(arena, "2")};
    struct fl_alert a = {.fingerprint = 7,
                         .labels = {v, 2},
                         .annotations = {v + 1, 1},
                         .starts_at = 5,
                         .status = FL_ALERT_STALE,
                         .generator_url = fl_arena_strdup(arena, "http://x")};
    struct fl_alert *copy = fl_pool_alert(p, &a);
    fl_arena_free(arena);
    assert_string_equal(fl_label_get(&copy->labels, "a"), "é");
    assert_string_equal(fl_label_get(&copy->annotations, "b"), "2");
    assert_ptr_equal(fl_label_get(&copy->labels, "b"), fl_label_get(&copy->annotations, "b"));
    assert_string_equal(fl_label_get(&copy->annotations, "a"), "");
    assert_string_equal(copy->generator_url, "http://x");
    assert_true(copy->fingerprint == 7 && copy->starts_at == 5 && copy->status == FL_ALERT_STALE);
    fl_pool_drop_alert(p, copy);
    assert_int_equal(fl_pool_count(p), 0);
    copy = fl_pool_alert(p, &(struct fl_alert){.starts_at = 1});
    assert_string_equal(copy->generator_url, "");
    fl_pool_drop_alert(p, copy);
    fl_pool_free(p);
}

/* What the last alert had at the same places is compared with first, and must not outlive its text. */
static void the_last_alerts_texts_are_compared(void **state)
{
    (void)state;
    struct fl_pool *p = fl_pool_new();
    struct fl_label v[70];
    char name[70][8], first[] = "one", second[] = "two";
    for (size_t i = 0; i < FL_ARRAY_LEN(v); i++) { /* more than there are places */
        snprintf(name[i], sizeof name[i], "n%zu", i);
        v[i] = (struct fl_label){name[i], first};
    }
    struct fl_alert a = {.labels = {v, FL_ARRAY_LEN(v)}, .annotations = {v, 2}, .generator_url = "http://x"};
    struct fl_alert *x = fl_pool_alert(p, &a), *y = fl_pool_alert(p, &a);
    assert_int_equal(fl_pool_count(p), 72);
    assert_ptr_equal(x->labels.v[0].name, y->labels.v[0].name);
    assert_ptr_equal(x->labels.v[69].name, y->labels.v[69].name);
    fl_pool_drop_alert(p, x);
    fl_pool_drop_alert(p, y);
    assert_int_equal(fl_pool_count(p), 0);
    v[1].value = second;
    x = fl_pool_alert(p, &a);
    assert_string_equal(x->labels.v[0].value, "one");
    assert_string_equal(x->labels.v[1].value, "two");
    assert_int_equal(fl_pool_count(p), 73);
    fl_pool_drop_alert(p, x);
    assert_int_equal(fl_pool_count(p), 0);
    fl_pool_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_share_one_copy),
        cmocka_unit_test(a_slot_may_be_set_to_its_own_text),
        cmocka_unit_test(many_come_and_go),
        cmocka_unit_test(an_alert_stands_alone),
        cmocka_unit_test(the_last_alerts_texts_are_compared),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
