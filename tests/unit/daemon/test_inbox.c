/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/daemon/test_inbox.c -- what waits for the core: in order, complete, bounded in memory. */
#include "daemon_priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void fill(struct engine *e)
{
    *e = (struct engine){.inbox = fl_queue_new(0, 0)};
    assert_non_null(e->inbox);
    pthread_mutex_init(&e->lock, NULL);
}

static void empty(struct engine *e)
{
    void *item;
    while (fl_queue_pop(e->inbox, &item, 1, fl_mono()))
        inbox_drop(e, item);
    fl_queue_free(e->inbox);
    pthread_mutex_destroy(&e->lock);
}

static void answered(void *ctx, fl_status st, const char *json)
{
    (void)ctx;
    (void)st;
    (void)json;
}

static void deliver(struct engine *e, uint64_t seq, size_t bytes, bool asks)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *sub = fl_arena_calloc(a, 1, sizeof *sub);
    assert_non_null(sub);
    assert_non_null(fl_arena_alloc(a, bytes));
    sub->arena = a;
    sub->answered = asks ? answered : NULL;
    const struct fl_event ev = {.seq = seq, .kind = FL_EV_ALERTS};
    core_deliver(e, &ev, sub);
}

/* Every seq once and in order, whether it waits here or in the journal. @return how many wait in the journal. */
static uint64_t take_all(struct engine *e, uint64_t first, uint64_t last)
{
    uint64_t next = first, left = 0;
    void *item;
    while (fl_queue_pop(e->inbox, &item, 1, fl_mono())) {
        struct delivery *d = item;
        assert_int_equal(d->ev.seq, next);
        uint64_t until = d->sub ? next : inbox_close_stretch(e, d);
        left += d->sub ? 0 : until - next + 1;
        next = until + 1;
        inbox_drop(e, d);
    }
    assert_int_equal(next, last + 1);
    return left;
}

static void few_wait_in_memory(void **state)
{
    struct engine e;
    (void)state;
    fill(&e);
    for (uint64_t seq = 1; seq <= 100; seq++)
        deliver(&e, seq, 1000, false);
    assert_int_equal(take_all(&e, 1, 100), 0);
    empty(&e);
}

static void many_wait_in_the_journal(void **state)
{
    struct engine e;
    (void)state;
    fill(&e);
    for (uint64_t seq = 1; seq <= 500; seq++) {
        deliver(&e, seq, 1 << 20, false);
        assert_true(fl_queue_bytes(e.inbox) <= (size_t)65 << 20);
    }
    assert_int_equal(atomic_load(&e.reread), take_all(&e, 1, 500));
    assert_true(atomic_load(&e.reread) >= 500 - 64);
    /* Room again: the next ones wait in memory. */
    deliver(&e, 501, 1000, false);
    assert_int_equal(take_all(&e, 501, 501), 0);
    empty(&e);
}

static void whoever_waits_for_an_answer_stays(void **state)
{
    struct engine e;
    (void)state;
    fill(&e);
    for (uint64_t seq = 1; seq <= 200; seq++)
        deliver(&e, seq, 1 << 20, seq % 50 == 0);
    /* 64 MiB take 63 of them; of the others only 100, 150 and 200 ask for something. */
    assert_int_equal(take_all(&e, 1, 200), 200 - 63 - 3);
    empty(&e);
}

/* The core has begun with a stretch: it grows no more, what comes is another one. */
static void a_stretch_under_way_does_not_grow(void **state)
{
    struct engine e;
    void *item = NULL;
    (void)state;
    fill(&e);
    deliver(&e, 1, (size_t)65 << 20, false);
    deliver(&e, 2, 1 << 20, false);
    deliver(&e, 3, (size_t)65 << 20, false);
    assert_int_equal(fl_queue_pop(e.inbox, &item, 1, fl_mono()), 1);
    struct delivery *d = item;
    assert_null(d->sub);
    assert_int_equal(inbox_close_stretch(&e, d), 1);
    inbox_drop(&e, d);
    deliver(&e, 4, (size_t)65 << 20, false);
    assert_int_equal(take_all(&e, 2, 4), 2);
    empty(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_wait_in_memory),
        cmocka_unit_test(many_wait_in_the_journal),
        cmocka_unit_test(whoever_waits_for_an_answer_stays),
        cmocka_unit_test(a_stretch_under_way_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
