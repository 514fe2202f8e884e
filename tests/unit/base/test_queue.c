/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/base/test_queue.c -- limits in items and bytes, the reserved lane, closing, four threads. */
#include <faultline/queue.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void items_come_out_in_order(void **state)
{
    (void)state;
    struct fl_queue *q = fl_queue_new(0, 0);
    int v[10];
    void *out[4];
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(fl_queue_push(q, &v[i], 5, false), FL_OK);
    assert_int_equal(fl_queue_items(q), 10);
    assert_int_equal(fl_queue_bytes(q), 50);
    assert_int_equal(fl_queue_pop(q, out, 4, 0), 4);
    assert_ptr_equal(out[3], &v[3]);
    assert_int_equal(fl_queue_bytes(q), 30);
    fl_queue_close(q);
    fl_queue_close(q);
    assert_int_equal(fl_queue_push(q, v, 1, false), FL_E_UNAVAILABLE);
    assert_int_equal(fl_queue_pop(q, out, 4, 0), 4);
    assert_false(fl_queue_closed_and_empty(q));
    assert_int_equal(fl_queue_pop(q, out, 4, 0), 2);
    assert_int_equal(fl_queue_pop(q, out, 4, 0), 0);
    assert_true(fl_queue_closed_and_empty(q));
    fl_queue_free(q);
}

/* Outsiders get three quarters; what the engine itself must say still fits. */
static void limits_hold_and_a_quarter_is_reserved(void **state)
{
    (void)state;
    struct fl_queue *q = fl_queue_new(8, 0), *bytes = fl_queue_new(0, 100);
    int v;
    void *out[64];
    size_t outside = 0, inside = 0;
    while (fl_queue_push(q, &v, 1, false) == FL_OK)
        outside++;
    while (fl_queue_push(q, &v, 1, true) == FL_OK)
        inside++;
    assert_int_equal(outside, 6);
    assert_int_equal(inside, 2);
    assert_int_equal(fl_queue_push(q, &v, 1, true), FL_E_FULL);
    assert_int_equal(fl_queue_pop(q, out, 64, 0), 8);
    assert_int_equal(fl_queue_push(bytes, &v, 75, false), FL_OK);
    assert_int_equal(fl_queue_push(bytes, &v, 1, false), FL_E_FULL);
    assert_int_equal(fl_queue_push(bytes, &v, 25, true), FL_OK);
    assert_int_equal(fl_queue_push(bytes, &v, 1, true), FL_E_FULL);
    assert_int_equal(fl_queue_pop(bytes, out, 64, 0), 2);
    assert_int_equal(fl_queue_pop(bytes, out, 64, fl_mono() + 1000), 0); /* the deadline */
    fl_queue_free(q);
    fl_queue_free(bytes);
}

enum { EACH = 20000 };
struct work {
    struct fl_queue *q;
    _Atomic size_t popped, sum;
};

static void *pusher(void *arg)
{
    struct work *w = arg;
    for (size_t i = 1; i <= EACH; i++)
        if (fl_queue_push_wait(w->q, (void *)i, 1) != FL_OK)
            return arg;
    return NULL;
}

static void *popper(void *arg)
{
    struct work *w = arg;
    void *out[16];
    while (!fl_queue_closed_and_empty(w->q)) {
        size_t n = fl_queue_pop(w->q, out, 16, 0);
        for (size_t i = 0; i < n; i++)
            w->sum += (size_t)out[i];
        w->popped += n;
    }
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct work w = {.q = fl_queue_new(50, 0)};
    pthread_t in[2], out[2];
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&in[i], NULL, pusher, &w), 0);
        assert_int_equal(pthread_create(&out[i], NULL, popper, &w), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        void *failed;
        pthread_join(in[i], &failed);
        assert_null(failed);
    }
    fl_queue_close(w.q);
    for (size_t i = 0; i < 2; i++)
        pthread_join(out[i], NULL);
    assert_int_equal(w.popped, 2 * EACH);
    assert_int_equal(w.sum, (size_t)EACH * (EACH + 1));
    fl_queue_free(w.q);
}

struct several {
    struct fl_queue *q;
    _Atomic size_t got;
};

static void *takes_several(void *arg)
{
    struct several *s = arg;
    void *out[16];
    s->got = fl_queue_pop_least(s->q, out, 3, 16, fl_mono() + 60 * FL_USEC_PER_SEC);
    return NULL;
}

/* Whoever waits for three sleeps on at two, and is given all that are there at three. */
static void several_are_waited_for(void **state)
{
    (void)state;
    struct several s = {.q = fl_queue_new(0, 0)};
    pthread_t t;
    int v;
    void *out[16];
    assert_int_equal(pthread_create(&t, NULL, takes_several, &s), 0);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(fl_queue_push(s.q, &v, 1, false), FL_OK);
    assert_int_equal(pthread_tryjoin_np(t, NULL), EBUSY);
    assert_int_equal(fl_queue_push(s.q, &v, 1, false), FL_OK);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(s.got, 3);
    /* The deadline: what there is. A kick and the end: at once. */
    assert_int_equal(fl_queue_push(s.q, &v, 1, false), FL_OK);
    assert_int_equal(fl_queue_pop_least(s.q, out, 2, 16, fl_mono() + 1000), 1);
    assert_int_equal(fl_queue_pop_least(s.q, out, 2, 16, fl_mono() + 1000), 0);
    assert_int_equal(pthread_create(&t, NULL, takes_several, &s), 0);
    assert_int_equal(fl_queue_push(s.q, &v, 1, false), FL_OK);
    fl_queue_close(s.q);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(s.got, 1);
    fl_queue_free(s.q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_order),
        cmocka_unit_test(limits_hold_and_a_quarter_is_reserved),
        cmocka_unit_test(nothing_is_lost_between_threads),
        cmocka_unit_test(several_are_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
