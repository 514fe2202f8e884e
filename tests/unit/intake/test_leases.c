/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_leases.c -- repeats write nothing, content does, silence lapses once. */
#include <faultline/intake.h>

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1700000000) * SEC)
#define HOUR (3600 * SEC)

static struct fl_label label_a[] = {{"alertname", "A"}};
static struct fl_label note_1[] = {{"summary", "value 1"}}, note_2[] = {{"summary", "value 2"}};

static struct fl_alert firing(uint64_t fp, fl_usec starts, fl_usec lease)
{
    return (struct fl_alert){.fingerprint = fp,
                             .labels = {label_a, 1},
                             .annotations = {note_1, 1},
                             .starts_at = starts,
                             .lease_until = lease,
                             .received_at = starts,
                             .status = FL_ALERT_FIRING,
                             .generator_url = ""};
}

static struct fl_alert resolved(uint64_t fp, fl_usec starts, fl_usec ends)
{
    struct fl_alert a = firing(fp, starts, 0);
    a.status = FL_ALERT_RESOLVED;
    a.ends_at = ends;
    return a;
}

static void a_repeat_is_known_after_the_commit_only(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert a = firing(1, T0, T0 + 240 * SEC);
    assert_false(fl_leases_renew_all(l, &a, 1, T0, false));
    fl_leases_commit(l, &a, 1, T0, 0, false);
    a.lease_until += 60 * SEC; /* a later endsAt is still a repeat */
    assert_true(fl_leases_renew_all(l, &a, 1, T0 + 60 * SEC, false));
    assert_int_equal(fl_leases_count(l), 1);
    fl_leases_free(l);
}

static void other_content_is_no_repeat(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert a = firing(1, T0, 0), b = a;
    fl_leases_commit(l, &a, 1, T0, 0, false);
    b.annotations.v = note_2;
    assert_false(fl_leases_renew_all(l, &b, 1, T0, false));
    b = a;
    b.generator_url = "http://x";
    assert_false(fl_leases_renew_all(l, &b, 1, T0, false));
    b = a;
    b.labels.v = note_1; /* a fingerprint that collides */
    assert_false(fl_leases_renew_all(l, &b, 1, T0, false));
    b = firing(1, T0 + SEC, 0); /* another episode */
    assert_false(fl_leases_renew_all(l, &b, 1, T0, false));
    b = resolved(1, T0, T0 + SEC);
    assert_false(fl_leases_renew_all(l, &b, 1, T0, false));
    fl_leases_commit(l, &b, 1, T0 + SEC, 0, false);
    assert_true(fl_leases_renew_all(l, &b, 1, T0 + 2 * SEC, false));
    b.ends_at++;
    assert_false(fl_leases_renew_all(l, &b, 1, T0 + 2 * SEC, false));
    assert_false(fl_leases_renew_all(l, &a, 1, T0 + 2 * SEC, false)); /* fires again */
    assert_int_equal(fl_leases_count(l), 1);
    fl_leases_free(l);
}

static void milliseconds_are_the_same_start(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert fine = firing(1, T0 + 123456, 0), cut = firing(1, T0 + 123000, 0);
    fl_leases_commit(l, &fine, 1, T0, 0, false);
    assert_true(fl_leases_renew_all(l, &cut, 1, T0, false));
    cut = resolved(1, T0 + 123000, T0 + SEC);
    fl_leases_commit(l, &cut, 1, T0 + SEC, 0, false);
    assert_int_equal(fl_leases_count(l), 1);
    assert_false(fl_leases_renew_all(l, &fine, 1, T0 + SEC, false));
    fine.starts_at++; /* two that are not cut are two */
    fl_leases_commit(l, &fine, 1, T0, 0, false);
    fine.starts_at++;
    assert_false(fl_leases_renew_all(l, &fine, 1, T0, false));
    fl_leases_free(l);
}

static void one_news_among_repeats_renews_nothing(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert v[2] = {firing(1, T0, T0 + 10 * SEC), firing(2, T0, T0 + 10 * SEC)};
    struct fl_lapsed gone[4];
    fl_leases_commit(l, v, 1, T0, 0, false);
    v[0].lease_until = T0 + HOUR;
    assert_false(fl_leases_renew_all(l, v, 2, T0 + SEC, false));
    assert_int_equal(fl_leases_lapse(l, T0 + 11 * SEC, gone, 4), 1);
    assert_true(gone[0].fingerprint == 1 && gone[0].starts_at == T0);
    fl_leases_free(l);
}

static void silence_lapses_once_and_a_return_is_news(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert a = firing(1, T0, 0);
    struct fl_lapsed gone[4];
    fl_leases_commit(l, &a, 1, T0, 0, false);
    assert_int_equal(fl_leases_lapse(l, T0 + 9 * HOUR, gone, 4), 0);
    assert_true(fl_leases_renew_all(l, &a, 1, T0 + 8 * HOUR, false));
    assert_int_equal(fl_leases_lapse(l, T0 + 10 * HOUR, gone, 4), 0);
    assert_int_equal(fl_leases_lapse(l, T0 + 18 * HOUR, gone, 4), 1);
    assert_int_equal(fl_leases_lapse(l, T0 + 18 * HOUR, gone, 4), 0);
    assert_false(fl_leases_renew_all(l, &a, 1, T0 + 18 * HOUR, false));
    fl_leases_commit(l, &a, 1, T0 + 18 * HOUR, 0, false);
    assert_true(fl_leases_renew_all(l, &a, 1, T0 + 18 * HOUR, false));
    fl_leases_free(l);
}

static void a_lapse_that_was_not_written_is_reported_again(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    struct fl_alert a = firing(1, T0, 0);
    struct fl_lapsed gone[4];
    fl_leases_commit(l, &a, 1, T0, 0, false);
    assert_int_equal(fl_leases_lapse(l, T0 + 2 * HOUR, gone, 4), 1);
    fl_leases_unlapse(l, gone, 1);
    assert_int_equal(fl_leases_lapse(l, T0 + 2 * HOUR, gone, 4), 1);
    assert_int_equal(fl_leases_lapse(l, T0 + 2 * HOUR, gone, 4), 0);
    fl_leases_free(l);
}

static void an_alert_without_start_means_the_open_episode(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    struct fl_alert a = firing(1, T0, 0), again = firing(1, T0 + 60 * SEC, 0),
                    end = resolved(1, T0 + 90 * SEC, T0 + 90 * SEC);
    struct fl_lapsed gone[4];
    again.starts_guessed = end.starts_guessed = true;
    assert_false(fl_leases_renew_all(l, &again, 1, T0, false));
    fl_leases_commit(l, &a, 1, T0, 0, false);
    assert_true(fl_leases_renew_all(l, &again, 1, T0 + 60 * SEC, false));
    again.annotations.v = note_2;
    assert_false(fl_leases_renew_all(l, &again, 1, T0 + 60 * SEC, false));
    fl_leases_commit(l, &again, 1, T0 + 60 * SEC, 0, false);
    assert_int_equal(fl_leases_count(l), 1);
    fl_leases_commit(l, &end, 1, T0 + 90 * SEC, 0, false);
    assert_int_equal(fl_leases_count(l), 1);
    assert_int_equal(fl_leases_lapse(l, T0 + 5 * HOUR, gone, 4), 0);
    fl_leases_free(l);
}

static void after_a_restart_senders_get_time_to_renew(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    /* Renewals wrote nothing, so what the state knows is old. */
    struct fl_alert v[2] = {firing(1, T0, T0 + 240 * SEC), firing(2, T0, 0)};
    struct fl_lapsed gone[4];
    fl_usec now = T0 + 48 * HOUR, grace = 300 * SEC;
    fl_leases_commit(l, v, 2, now, grace, false);
    assert_int_equal(fl_leases_lapse(l, now + grace, gone, 4), 0);
    assert_int_equal(fl_leases_lapse(l, now + grace + 1, gone, 4), 1);
    assert_true(gone[0].fingerprint == 1);
    assert_int_equal(fl_leases_lapse(l, now + 9 * HOUR + 1, gone, 4), 1);
    assert_true(gone[0].fingerprint == 2);
    fl_leases_free(l);
}

static void many_lapse_in_portions_and_the_table_empties(void **state)
{
    (void)state;
    enum { N = 20000 };
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    for (uint64_t i = 0; i < N; i++) {
        struct fl_alert a = i % 2 ? firing(i, T0, 0) : resolved(i, T0, T0);
        fl_leases_commit(l, &a, 1, T0, 0, false);
    }
    assert_int_equal(fl_leases_count(l), N);
    static bool seen[N];
    struct fl_lapsed gone[300];
    size_t n, total = 0;
    while ((n = fl_leases_lapse(l, T0 + HOUR + 1, gone, 300))) {
        for (size_t i = 0; i < n; i++) {
            assert_false(seen[gone[i].fingerprint]);
            assert_true(gone[i].fingerprint % 2);
            seen[gone[i].fingerprint] = true;
        }
        total += n;
    }
    assert_int_equal(total, N / 2);
    assert_int_equal(fl_leases_count(l), N / 2); /* the resolved ones are forgotten, the stale ones not yet */
    assert_int_equal(fl_leases_lapse(l, T0 + 3 * HOUR, gone, 300), 0);
    assert_int_equal(fl_leases_count(l), 0);
    fl_leases_free(l);
}

static void one_fingerprint_cannot_fill_the_table(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    for (fl_usec i = 0; i < 100000; i++) {
        struct fl_alert a = firing(7, T0 + i, T0 + HOUR + i);
        fl_leases_commit(l, &a, 1, T0, 0, false);
    }
    assert_true(fl_leases_count(l) <= 8);
    struct fl_alert last = firing(7, T0 + 99999, T0 + HOUR + 99999);
    assert_true(fl_leases_renew_all(l, &last, 1, T0, false));
    fl_leases_free(l);
}

/* What is over is kept for longer than most promises last, and yet what fires is not forgotten for it. */
static void what_is_over_makes_room_for_what_fires(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    struct fl_alert fires = firing(7, T0, T0 + 300 * SEC), gone = firing(7, T0 + SEC, T0 + 10 * SEC);
    struct fl_lapsed lapsed[4];
    fl_leases_commit(l, &fires, 1, T0, 0, false);
    fl_leases_commit(l, &gone, 1, T0 + SEC, 0, false);
    assert_int_equal(fl_leases_lapse(l, T0 + 20 * SEC, lapsed, 4), 1);
    for (fl_usec i = 1; i <= 20; i++) {
        fl_usec at = T0 + (20 + i) * SEC;
        struct fl_alert over = resolved(7, T0 - i * HOUR, at);
        fl_leases_commit(l, &over, 1, at, 0, false);
        assert_true(fl_leases_renew_all(l, &over, 1, at, false)); /* the oldest went */
    }
    assert_true(fl_leases_count(l) <= 8);
    assert_true(fl_leases_renew_all(l, &fires, 1, T0 + 60 * SEC, false));
    assert_int_equal(fl_leases_lapse(l, T0 + 301 * SEC, lapsed, 4), 1);
    assert_int_equal(lapsed[0].starts_at, T0);
    fl_leases_free(l);
}

/* A model of one map entry per episode, against random commits and lapses. */
static void it_behaves_like_a_plain_map(void **state)
{
    (void)state;
    enum { FPS = 50 };
    struct {
        fl_usec until;
        bool known;
    } model[FPS] = {{0}};
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    uint64_t rng = 12345;
    fl_usec now = T0;
    for (int step = 0; step < 20000; step++) {
        rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t fp = (rng >> 33) % FPS;
        now += (fl_usec)((rng >> 20) % 100) * SEC;
        struct fl_lapsed gone[FPS];
        size_t n = fl_leases_lapse(l, now, gone, FPS), expected = 0;
        for (size_t i = 0; i < FPS; i++)
            if (model[i].known && model[i].until < now) {
                model[i].known = false;
                expected++;
            }
        assert_int_equal(n, expected);
        struct fl_alert a = firing(fp, T0, now + (fl_usec)((rng >> 40) % 3000) * SEC);
        bool repeat = fl_leases_renew_all(l, &a, 1, now, false);
        assert_int_equal(repeat, model[fp].known);
        if (!repeat)
            fl_leases_commit(l, &a, 1, now, 0, false);
        if (!repeat || a.lease_until > model[fp].until)
            model[fp].until = a.lease_until;
        model[fp].known = true;
    }
    fl_leases_free(l);
}

static void *hammer(void *arg)
{
    struct fl_leases *l = arg;
    struct fl_lapsed gone[16];
    for (uint64_t i = 0; i < 20000; i++) {
        struct fl_alert a = firing(i % 97, T0, T0 + (fl_usec)i);
        if (!fl_leases_renew_all(l, &a, 1, T0, false))
            fl_leases_commit(l, &a, 1, T0, 0, false);
        if (i % 64 == 0)
            fl_leases_lapse(l, T0 + (fl_usec)i / 2, gone, 16);
    }
    return NULL;
}

/* The resolve of an earlier start may be lost while nobody listens; the alert manager, which renewed it for hours, then
 * speaks of a later one. */
static void a_later_start_ends_long_promises(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_lapsed gone[4];
    struct fl_alert first = firing(1, T0, T0 + 240 * SEC), second = firing(1, T0 + 60 * SEC, T0 + 300 * SEC),
                    told = first;
    fl_leases_commit(l, &first, 1, T0, 0, false);
    told.lease_until = 0;
    assert_true(fl_leases_renew_all(l, &told, 1, T0 + SEC, true)); /* for nine hours */
    fl_leases_commit(l, &second, 1, T0 + 60 * SEC, 0,
                     false); /* Prometheus: the other one of a pair may mean the first */
    assert_int_equal(fl_leases_lapse(l, T0 + 301 * SEC - 1, gone, 4), 1);
    assert_int_equal(gone[0].starts_at, second.starts_at);
    told = second;
    told.lease_until = 0;
    fl_leases_commit(l, &told, 1, T0 + 310 * SEC, 0, true);
    assert_int_equal(fl_leases_lapse(l, T0 + 609 * SEC, gone, 4), 0);
    assert_int_equal(fl_leases_lapse(l, T0 + 611 * SEC, gone, 4), 1);
    assert_int_equal(gone[0].starts_at, first.starts_at);
    fl_leases_free(l);
}

static void a_start_that_is_repeated_stays(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_lapsed gone[4];
    struct fl_alert first = firing(1, T0, 0), second = firing(1, T0 + 60 * SEC, 0), other = firing(2, T0, 0);
    fl_leases_commit(l, &first, 1, T0, 0, true);
    fl_leases_commit(l, &other, 1, T0, 0, true);
    fl_leases_commit(l, &second, 1, T0 + 60 * SEC, 0, true);
    first.lease_until = T0 + 600 * SEC; /* the other Prometheus fires on */
    assert_true(fl_leases_renew_all(l, &first, 1, T0 + 120 * SEC, false));
    assert_int_equal(fl_leases_lapse(l, T0 + 599 * SEC, gone, 4), 0);
    /* A repeat of the later one ends it as well, an earlier one ends nothing. */
    first.lease_until = 0;
    assert_true(fl_leases_renew_all(l, &first, 1, T0 + 130 * SEC, true));
    assert_true(fl_leases_renew_all(l, &second, 1, T0 + 140 * SEC, true));
    assert_int_equal(fl_leases_lapse(l, T0 + 441 * SEC, gone, 4), 1);
    assert_true(gone[0].fingerprint == 1 && gone[0].starts_at == first.starts_at);
    fl_leases_free(l);
}

/* Two senders of one start: one says resolved, the other fires on. What may count as late is written each time, so that the
 * core hears of it again; after that, what repeats either of the two is a repeat. */
static void two_that_disagree_are_both_repeated(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_lapsed gone[4];
    struct fl_alert on = firing(1, T0, T0 + 240 * SEC), over = resolved(1, T0, T0 + 60 * SEC);
    fl_leases_commit(l, &on, 1, T0, 0, false);
    fl_leases_commit(l, &over, 1, T0 + 61 * SEC, 0, false);
    fl_usec t = T0 + 61 * SEC;
    for (; t < T0 + 61 * SEC + FL_LATE_FOR; t += 60 * SEC) {
        on.lease_until = t + 240 * SEC;
        assert_false(fl_leases_renew_all(l, &on, 1, t, false));
        fl_leases_commit(l, &on, 1, t, 0, false);
        assert_true(fl_leases_renew_all(l, &over, 1, t, false));
    }
    assert_false(fl_leases_renew_all(l, &on, 1, t, false)); /* now it counts */
    fl_leases_commit(l, &on, 1, t, 0, false);
    on.lease_until = t + 300 * SEC;
    assert_true(fl_leases_renew_all(l, &on, 1, t + 60 * SEC, false));
    assert_true(fl_leases_renew_all(l, &over, 1, t + 60 * SEC, false));
    assert_int_equal(fl_leases_lapse(l, t + 301 * SEC, gone, 4), 1);
    assert_int_equal(gone[0].starts_at, T0);
    /* Its own end, later: who fires on even then is heard again. */
    on.lease_until = t + 900 * SEC;
    fl_leases_commit(l, &on, 1, t + 302 * SEC, 0, false);
    over.ends_at = t + 310 * SEC;
    assert_false(fl_leases_renew_all(l, &over, 1, t + 311 * SEC, false));
    fl_leases_commit(l, &over, 1, t + 311 * SEC, 0, false);
    assert_false(fl_leases_renew_all(l, &on, 1, t + 312 * SEC, false));
    fl_leases_free(l);
}

/* The resolve of an alert manager is about all starts that it has merged. */
static void who_fires_on_after_a_merged_resolve_is_heard(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert one = firing(1, T0, 0), other = firing(1, T0 + 3 * SEC, 0),
                    over = resolved(1, T0, T0 + 60 * SEC);
    fl_leases_commit(l, &one, 1, T0, 0, true);
    fl_leases_commit(l, &other, 1, T0 + 3 * SEC, 0, false);
    fl_leases_commit(l, &over, 1, T0 + 61 * SEC, 0, false);
    assert_true(fl_leases_renew_all(l, &other, 1, T0 + 62 * SEC, false));
    over.annotations.v = note_2;
    fl_leases_commit(l, &over, 1, T0 + 63 * SEC, 0, true);
    assert_false(fl_leases_renew_all(l, &other, 1, T0 + 64 * SEC, false));
    fl_leases_free(l);
}

static void ends_of_before_a_restart_are_known(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(9 * HOUR, 300 * SEC);
    struct fl_alert on = firing(1, T0, 0), over = resolved(1, T0, T0 + 60 * SEC);
    fl_leases_over(l, 1, T0, T0 + 61 * SEC);
    assert_false(fl_leases_renew_all(l, &over, 1, T0 + 70 * SEC, false));
    fl_leases_commit(l, &over, 1, T0 + 70 * SEC, 0, false);
    assert_true(fl_leases_renew_all(l, &over, 1, T0 + 71 * SEC, false));
    fl_usec counts = T0 + 61 * SEC + FL_LATE_FOR;
    fl_leases_commit(l, &on, 1, counts - 1, 0, false);
    assert_false(fl_leases_renew_all(l, &on, 1, counts, false));
    fl_leases_commit(l, &on, 1, counts, 0, false);
    assert_true(fl_leases_renew_all(l, &on, 1, counts + SEC, false));
    fl_leases_free(l);
}

static void threads_share_it(void **state)
{
    (void)state;
    struct fl_leases *l = fl_leases_new(HOUR, 300 * SEC);
    pthread_t t[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, l), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(fl_leases_count(l), 97);
    fl_leases_free(l);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeat_is_known_after_the_commit_only),
        cmocka_unit_test(other_content_is_no_repeat),
        cmocka_unit_test(milliseconds_are_the_same_start),
        cmocka_unit_test(one_news_among_repeats_renews_nothing),
        cmocka_unit_test(silence_lapses_once_and_a_return_is_news),
        cmocka_unit_test(a_lapse_that_was_not_written_is_reported_again),
        cmocka_unit_test(an_alert_without_start_means_the_open_episode),
        cmocka_unit_test(after_a_restart_senders_get_time_to_renew),
        cmocka_unit_test(many_lapse_in_portions_and_the_table_empties),
        cmocka_unit_test(one_fingerprint_cannot_fill_the_table),
        cmocka_unit_test(what_is_over_makes_room_for_what_fires),
        cmocka_unit_test(it_behaves_like_a_plain_map),
        cmocka_unit_test(a_later_start_ends_long_promises),
        cmocka_unit_test(a_start_that_is_repeated_stays),
        cmocka_unit_test(two_that_disagree_are_both_repeated),
        cmocka_unit_test(who_fires_on_after_a_merged_resolve_is_heard),
        cmocka_unit_test(ends_of_before_a_restart_are_known),
        cmocka_unit_test(threads_share_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
