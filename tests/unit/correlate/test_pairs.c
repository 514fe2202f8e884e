/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One alert, several senders: what is one episode and what is two, in the cases that occur; and shuffled, dropped and
 * repeated reports against a small model that keeps everything. */
#include <faultline/correlate.h>
#include <faultline/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "again.h"

#define SEC FL_USEC_PER_SEC
#define MS 1000
#define T0 (INT64_C(1790000000) * SEC)
#define POST "alertmanager-v2"
#define HOOK "alertmanager"

struct world {
    struct fl_rules *rules;
    struct fl_topo *topo;
    struct fl_corr *c;
    struct fl_effects *fx;
    struct fl_step step;
    char notes[16384];
};

static void note(struct fl_step *s, const struct fl_note *n)
{
    struct world *w = s->ctx;
    size_t at = strlen(w->notes);
    snprintf(w->notes + at, sizeof w->notes - at, "%s %s: %s\n", n->action, n->incident, n->text);
}

static void begin(struct world *w, fl_usec at)
{
    fl_effects_free(w->fx);
    w->fx = fl_effects_new();
    assert_non_null(w->fx);
    w->fx->realm = "default";
    w->step = (struct fl_step){.at = at,
                               .seq = w->step.seq + 1,
                               .actor = "ann",
                               .rules = w->rules,
                               .fx = w->fx,
                               .note = note,
                               .ctx = w};
}

/* The flow would. */
static bool was_ranked(void *ctx, struct fl_incident *i)
{
    struct world *w = ctx;
    if (i->rank_due && i->rank_due <= w->step.at)
        fl_corr_ranked(w->c, &w->step, i, NULL, 0);
    return false;
}

static void end(struct world *w)
{
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
    struct fl_err err = {0};
    fl_corr_each(w->c, was_ranked, w);
    fl_corr_flush(w->c, &w->step);
    if (fl_corr_check(w->c, w->rules, w->step.at, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    const char *text = fl_rules_default_json();
    assert_int_equal(fl_rules_from_json(text, strlen(text), &w->rules, &err), FL_OK);
    struct fl_topology_doc doc = {0};
    assert_int_equal(fl_topo_new(&doc, &w->topo, &err), FL_OK);
    w->c = fl_corr_new();
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fl_corr_free(w->c);
    fl_topo_free(w->topo);
    fl_rules_free(w->rules);
    fl_effects_free(w->fx);
    free(w);
    return 0;
}

/* One report of the one alert of these tests; ends 0: firing. */
static uint64_t send(struct world *w, fl_usec at, const char *source, fl_usec starts, fl_usec ends)
{
    struct fl_label l[] = {{"alertname", "Down"}, {"severity", "critical"}};
    struct fl_alert a = {.labels = {l, fl_labels_normalise(l, 2)},
                         .starts_at = starts,
                         .ends_at = ends,
                         .status = ends ? FL_ALERT_RESOLVED : FL_ALERT_FIRING,
                         .received_at = at,
                         .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    begin(w, at);
    fl_corr_alerts(w->c, &w->step, w->topo, source, &a, 1);
    end(w);
    return a.fingerprint;
}

static void silent(struct world *w, fl_usec at, uint64_t fp, fl_usec starts)
{
    begin(w, at);
    fl_corr_expired(w->c, &w->step, fp, starts);
    end(w);
}

struct live {
    size_t starts, firing;
};
static void count_live(void *ctx, const struct fl_episode *e)
{
    struct live *n = ctx;
    n->starts++;
    n->firing += e->status == FL_ALERT_FIRING;
}
static struct live live(struct world *w)
{
    struct live n = {0};
    fl_corr_each_active(w->c, count_live, &n);
    return n;
}

static struct fl_corr_stats stats(const struct world *w)
{
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    return st;
}

static void snapshot_and_back(struct world *w)
{
    struct fl_corr *c = again(w->c, w->topo, w->rules);
    fl_corr_free(w->c);
    w->c = c;
}

#define EXPECT(episodes_, firing_, stale_)              \
    do {                                                \
        assert_int_equal(stats(w).episodes, episodes_); \
        assert_int_equal(stats(w).firing, firing_);     \
        assert_int_equal(stats(w).stale, stale_);       \
    } while (0)

static void test_it_fires_while_one_half_says_so(void **state)
{
    struct world *w = *state;
    send(w, T0, POST, T0, 0);
    send(w, T0 + 4 * SEC, POST, T0 + 3 * SEC, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(live(w).starts, 2);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    EXPECT(1, 1, 0);
    assert_non_null(strstr(w->notes, "Down: one sender says resolved, another still reports it"));
    size_t told = strlen(w->notes);
    send(w, T0 + 61 * SEC, POST, T0, T0 + 60 * SEC); /* it says so again */
    send(w, T0 + 61 * SEC, POST, T0, 0);             /* and a late word of before */
    assert_int_equal(strlen(w->notes), told);
    send(w, T0 + 64 * SEC, POST, T0 + 3 * SEC, T0 + 63 * SEC);
    EXPECT(1, 0, 0);
    assert_int_equal(live(w).starts, 0);
    /* late words of both */
    send(w, T0 + 65 * SEC, POST, T0, 0);
    send(w, T0 + 65 * SEC, POST, T0 + 3 * SEC, 0);
    EXPECT(1, 0, 0);
    assert_int_equal(stats(w).opened, 1);
}

/* Alertmanager keeps the earliest start of what it merged, and tells of it with the resolve only. */
static void test_an_alertmanager_speaks_for_all_it_merged(void **state)
{
    struct world *w = *state;
    send(w, T0 + 5 * SEC, HOOK, T0 + 3 * SEC, 0);
    send(w, T0 + 99 * SEC, HOOK, T0, T0 + 90 * SEC);
    EXPECT(1, 0, 0);
    send(w, T0 + 200 * SEC, HOOK, T0 + 190 * SEC, 0);
    EXPECT(2, 1, 0);
    send(w, T0 + 201 * SEC, HOOK, T0 + 188 * SEC, 0);
    send(w, T0 + 300 * SEC, HOOK, T0 + 188 * SEC, T0 + 290 * SEC);
    EXPECT(2, 0, 0);
}

static void test_milliseconds_and_microseconds_are_one_start(void **state)
{
    struct world *w = *state;
    fl_usec fine = T0 + 123456;
    send(w, T0 + SEC, HOOK, fine, 0);
    send(w, T0 + SEC, POST, T0 + 123 * MS, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(live(w).starts, 1);
    send(w, T0 + 9 * SEC, POST, T0 + 123 * MS, T0 + 8 * SEC);
    EXPECT(1, 0, 0);
    send(w, T0 + 10 * SEC, HOOK, fine, T0 + 8 * SEC);
    send(w, T0 + 10 * SEC, HOOK, fine, 0);
    EXPECT(1, 0, 0);
    /* Two fine starts within a millisecond differ. */
    assert_false(fl_same_start(T0 + 123456, T0 + 123457));
    assert_false(fl_same_start(T0 + 123 * MS, T0 + 122999));
}

static void test_a_resolve_of_before_does_not_end_what_began_after(void **state)
{
    struct world *w = *state;
    send(w, T0 + 300 * SEC, HOOK, T0 + 300 * SEC, 0);
    send(w, T0 + 301 * SEC, HOOK, T0, T0 + 200 * SEC);
    EXPECT(2, 1, 0);
    send(w, T0 + 302 * SEC, POST, T0 + SEC, T0 + 201 * SEC); /* the other half of the one before */
    EXPECT(2, 1, 0);
    /* Of the same time, but Prometheus speaks for itself alone. */
    send(w, T0 + 400 * SEC, POST, T0 + 299 * SEC, T0 + 399 * SEC);
    EXPECT(2, 1, 0);
    send(w, T0 + 401 * SEC, HOOK, T0 + 300 * SEC, T0 + 399 * SEC);
    EXPECT(2, 0, 0);
}

static void test_a_silent_half_is_settled_by_the_other(void **state)
{
    struct world *w = *state;
    uint64_t fp = send(w, T0, POST, T0, 0);
    send(w, T0 + 3 * SEC, POST, T0 + 3 * SEC, 0);
    silent(w, T0 + 100 * SEC, fp, T0);
    EXPECT(1, 1, 0); /* the other one vouches for it */
    silent(w, T0 + 110 * SEC, fp, T0 + 3 * SEC);
    EXPECT(1, 0, 1);
    send(w, T0 + 120 * SEC, POST, T0 + 3 * SEC, 0);
    EXPECT(1, 1, 0);
    send(w, T0 + 130 * SEC, POST, T0 + 3 * SEC, T0 + 129 * SEC);
    EXPECT(1, 0, 0);

    /* Resolved by one, then the other falls silent: it is over; but not when that one began after the end. */
    send(w, T0 + 500 * SEC, POST, T0 + 500 * SEC, 0);
    send(w, T0 + 503 * SEC, POST, T0 + 503 * SEC, 0);
    send(w, T0 + 600 * SEC, POST, T0 + 500 * SEC, T0 + 600 * SEC);
    silent(w, T0 + 700 * SEC, fp, T0 + 503 * SEC);
    EXPECT(2, 0, 0);
    assert_non_null(strstr(w->notes, "one sender said so, the other fell silent"));
    send(w, T0 + 800 * SEC, HOOK, T0 + 800 * SEC, 0);
    send(w, T0 + 900 * SEC, HOOK, T0 + 890 * SEC, 0);              /* its resolve was lost on the way */
    send(w, T0 + 901 * SEC, HOOK, T0 + 800 * SEC, T0 + 850 * SEC); /* and comes after all */
    EXPECT(3, 1, 0);
    silent(w, T0 + 990 * SEC, fp, T0 + 890 * SEC);
    EXPECT(3, 0, 1);
}

static void test_the_second_half_comes_after_the_first_is_over(void **state)
{
    struct world *w = *state;
    send(w, T0, POST, T0, 0);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    send(w, T0 + 61 * SEC, POST, T0 + 3 * SEC, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(stats(w).opened, 1);
    send(w, T0 + 62 * SEC, POST, T0, T0 + 60 * SEC); /* told again: nothing new */
    EXPECT(1, 1, 0);
    send(w, T0 + 70 * SEC, POST, T0 + 3 * SEC, T0 + 69 * SEC);
    EXPECT(1, 0, 0);
    /* and a third that was never heard firing */
    send(w, T0 + 71 * SEC, POST, T0 + 5 * SEC, T0 + 65 * SEC);
    EXPECT(1, 0, 0);
}

static void test_nobody_was_heard_before_the_end(void **state)
{
    struct world *w = *state;
    send(w, T0 + 99 * SEC, POST, T0, T0 + 90 * SEC);
    send(w, T0 + 99 * SEC, POST, T0 + 3 * SEC, T0 + 92 * SEC);
    send(w, T0 + 99 * SEC, POST, T0 + 3 * SEC, 0);
    EXPECT(1, 0, 0);
    send(w, T0 + 200 * SEC, POST, T0 + 100 * SEC, T0 + 190 * SEC);
    EXPECT(2, 0, 0);
}

/* The webhook that an outage held up tells of the start after the resolve was heard from Prometheus. */
static void test_the_end_is_heard_before_the_beginning(void **state)
{
    struct world *w = *state;
    send(w, T0 + 99 * SEC, POST, T0 + 3 * SEC, T0 + 90 * SEC);
    send(w, T0 + 100 * SEC, HOOK, T0, 0);
    EXPECT(1, 1, 0);
    send(w, T0 + 101 * SEC, POST, T0 + 3 * SEC, 0); /* late */
    snapshot_and_back(w);
    send(w, T0 + 102 * SEC, HOOK, T0, T0 + 90 * SEC);
    EXPECT(1, 0, 0);
    send(w, T0 + 200 * SEC, POST, T0 + 150 * SEC, 0);
    EXPECT(2, 1, 0);
}

static const struct fl_incident *first_incident(struct world *w)
{
    return fl_corr_find(w->c, "INC-2026-000001");
}

static void tick(struct world *w, fl_usec at)
{
    begin(w, at);
    end(w);
}

#define LATE FL_LATE_FOR

/* Two Prometheus evaluate at the same instant: one start. One of them loses sight of the target, the other does not. */
static void test_an_equal_start_that_is_told_on_opens_the_incident_again(void **state)
{
    struct world *w = *state;
    fl_usec ended = T0 + 60 * SEC;
    send(w, T0, POST, T0, 0);
    send(w, ended, POST, T0, ended);
    tick(w, ended + 31 * SEC);
    assert_int_equal(first_incident(w)->state, FL_INC_RESOLVED);
    snapshot_and_back(w);
    send(w, ended + LATE - 1, POST, T0, 0); /* it may be of before */
    EXPECT(1, 0, 0);
    assert_int_equal(stats(w).late, 1);
    send(w, ended + LATE, POST, T0, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(first_incident(w)->state, FL_INC_OPEN);
    assert_int_equal(first_incident(w)->resolved_at, 0);
    assert_int_equal(stats(w).open_incidents, 1);
    assert_non_null(strstr(
        w->notes, "incident.open INC-2026-000001: resolved -> open: an alert of it never stopped (Down: one "
                  "sender said resolved, another still reports it, firing since "));
    /* The one that was wrong says so again, as Prometheus does for 15 minutes. */
    size_t told = strlen(w->notes);
    send(w, ended + LATE + SEC, POST, T0, ended);
    snapshot_and_back(w);
    send(w, ended + LATE + 2 * SEC, POST, T0, ended);
    send(w, ended + LATE + 3 * SEC, POST, T0, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(strlen(w->notes), told);
    send(w, ended + LATE + 99 * SEC, POST, T0, ended + LATE + 98 * SEC);
    EXPECT(1, 0, 0);
    tick(w, ended + LATE + 140 * SEC);
    assert_int_equal(first_incident(w)->state, FL_INC_RESOLVED);
    send(w, ended + 2 * LATE, POST, T0, 0); /* and a late word again */
    EXPECT(1, 0, 0);
    assert_int_equal(stats(w).opened, 1);
}

/* The other half is heard for the first time when the incident is over. */
static void test_a_paired_start_opens_the_incident_again(void **state)
{
    struct world *w = *state;
    send(w, T0, POST, T0, 0);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    tick(w, T0 + 600 * SEC);
    snapshot_and_back(w);
    send(w, T0 + 1200 * SEC, POST, T0 + 3 * SEC, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(first_incident(w)->state, FL_INC_OPEN);
    send(w, T0 + 1201 * SEC, POST, T0, T0 + 60 * SEC);
    EXPECT(1, 1, 0);
    send(w, T0 + 1300 * SEC, POST, T0 + 3 * SEC, T0 + 1299 * SEC);
    EXPECT(1, 0, 0);
    tick(w, T0 + 1390 * SEC);
    /* What began after all that is another outage. */
    send(w, T0 + 1400 * SEC, POST, T0 + 1390 * SEC, 0);
    EXPECT(2, 1, 0);
    assert_int_equal(stats(w).opened, 2);
}

/* One half fell silent, so that the other one's resolve ended it; the silent one was only cut off. */
static void test_a_half_that_was_cut_off_comes_back(void **state)
{
    for (int restart = 0; restart < 2; restart++) {
        struct world *w = *state;
        fl_usec t = T0 + restart * 7200 * SEC;
        uint64_t fp = send(w, t, POST, t, 0);
        send(w, t + 3 * SEC, POST, t + 3 * SEC, 0);
        silent(w, t + 250 * SEC, fp, t + 3 * SEC);
        send(w, t + 300 * SEC, POST, t, t + 299 * SEC);
        assert_int_equal(stats(w).firing, 0);
        tick(w, t + 340 * SEC);
        if (restart)
            snapshot_and_back(w);
        send(w, t + 350 * SEC, POST, t + 3 * SEC, 0); /* it never said resolved */
        assert_int_equal(stats(w).firing, 1);
        send(w, t + 351 * SEC, POST, t, 0); /* that one did */
        send(w, t + 400 * SEC, POST, t + 3 * SEC, t + 399 * SEC);
        EXPECT(1 + restart, 0, 0);
        assert_int_equal(stats(w).opened, 1 + restart);
    }
}

/* Three senders, two of them with one start: the half that was resolved is still fired by one of them. */
static void test_a_half_that_is_told_on_keeps_it_firing(void **state)
{
    struct world *w = *state;
    send(w, T0, POST, T0, 0);
    send(w, T0 + 3 * SEC, POST, T0 + 3 * SEC, 0);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 59 * SEC);
    send(w, T0 + 120 * SEC, POST, T0, 0);
    assert_int_equal(live(w).firing, 1);
    send(w, T0 + 60 * SEC + LATE, POST, T0, 0);
    assert_int_equal(live(w).firing, 2);
    send(w, T0 + 61 * SEC + LATE, POST, T0, T0 + 59 * SEC); /* told again */
    send(w, T0 + 500 * SEC, POST, T0 + 3 * SEC, T0 + 499 * SEC);
    EXPECT(1, 1, 0);
    send(w, T0 + 600 * SEC, POST, T0, T0 + 599 * SEC);
    EXPECT(1, 0, 0);
}

static void test_what_was_kept_out_of_incidents_is_told_on(void **state)
{
    struct world *w = *state;
    send(w, T0 + 99 * SEC, POST, T0, T0 + 90 * SEC); /* it left memory at once */
    send(w, T0 + 100 * SEC, POST, T0, 0);
    EXPECT(1, 0, 0);
    snapshot_and_back(w);
    send(w, T0 + 99 * SEC + LATE, POST, T0, 0);
    EXPECT(1, 1, 0);
    send(w, T0 + 100 * SEC + LATE, POST, T0, T0 + 90 * SEC);
    EXPECT(1, 1, 0);
    send(w, T0 + 200 * SEC + LATE, POST, T0, T0 + 199 * SEC + LATE);
    EXPECT(1, 0, 0);
}

static void test_an_end_by_hand_stands(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    send(w, T0, POST, T0, 0);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    begin(w, T0 + 61 * SEC);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, "INC-2026-000001", "enough", &err), FL_OK);
    end(w);
    snapshot_and_back(w);
    send(w, T0 + 60 * SEC + LATE, POST, T0, 0);
    EXPECT(1, 0, 0);
    assert_int_equal(first_incident(w)->state, FL_INC_RESOLVED);
}

/* After a day it is nobody's business any more. */
static void test_it_opens_again_within_a_day(void **state)
{
    struct world *w = *state;
    fl_usec day = 24 * 3600 * SEC, ended = T0 + 60 * SEC;
    send(w, T0, POST, T0, 0);
    send(w, ended, POST, T0, ended);
    tick(w, ended + 30 * SEC);
    send(w, ended + 30 * SEC + day + 1, POST, T0 + 3 * SEC, 0);
    EXPECT(2, 1, 0);
    assert_int_equal(stats(w).opened, 2);
    assert_int_equal(first_incident(w)->state, FL_INC_RESOLVED);
}

/* Ends of more than a day ago are not remembered one by one: what still tells of such a start is not late. */
static void test_cut_off_for_more_than_a_day(void **state)
{
    struct world *w = *state;
    fl_usec day = 24 * 3600 * SEC, ended = T0 + 60 * SEC;
    send(w, T0, POST, T0, 0);
    send(w, ended, POST, T0, ended);
    tick(w, ended + 30 * SEC);
    assert_int_equal(first_incident(w)->state, FL_INC_RESOLVED);
    snapshot_and_back(w);
    char title[100];
    snprintf(title, sizeof title, "%s", first_incident(w)->title);
    fl_usec back = ended + 30 * SEC + day + 1;
    w->notes[0] = '\0';
    uint64_t fp = send(w, back, POST, T0, 0);
    assert_int_equal(stats(w).firing, 1);
    assert_int_equal(stats(w).late, 0);
    assert_int_equal(stats(w).opened, 2);
    assert_int_equal(first_incident(w)->state, FL_INC_RESOLVED);
    assert_int_equal(first_incident(w)->alerts_total, 0);
    assert_string_equal(first_incident(w)->title, title);
    assert_non_null(
        strstr(w->notes, "alert.changed INC-2026-000001: Down: still reported by another sender"));
    const struct fl_alert_row *r = NULL;
    for (size_t k = 0; k < w->fx->n; k++)
        if (w->fx->v[k].kind == FL_FX_ALERT && w->fx->v[k].alert.fingerprint == fp)
            r = &w->fx->v[k].alert;
    assert_non_null(r); /* the row that is there already */
    assert_false(r->is_new);
    assert_false(r->same_texts);
    assert_int_equal(r->starts_at, T0);
    assert_int_equal(r->status, FL_ALERT_FIRING);
    assert_string_equal(r->incident, "INC-2026-000002");
    snapshot_and_back(w);
    send(w, back + SEC, POST, T0, ended); /* the other one repeats its end */
    assert_int_equal(stats(w).firing, 1);
    send(w, back + 60 * SEC, POST, T0, back + 60 * SEC);
    assert_int_equal(stats(w).firing, 0);
    tick(w, back + 100 * SEC);
    assert_int_equal(stats(w).open_incidents, 0);
}

static void test_cut_off_for_more_than_a_day_and_closed_by_hand(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    send(w, T0, POST, T0, 0);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    begin(w, T0 + 61 * SEC);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, "INC-2026-000001", "enough", &err), FL_OK);
    end(w);
    snapshot_and_back(w);
    send(w, T0 + 25 * 3600 * SEC, POST, T0, 0);
    assert_int_equal(stats(w).firing, 0);
    assert_int_equal(stats(w).opened, 1);
}

/* The incident is open for as long because of another alert. */
static void test_cut_off_for_more_than_a_day_in_an_open_incident(void **state)
{
    struct world *w = *state;
    send(w, T0, POST, T0, 0);
    struct fl_label l[] = {{"alertname", "Down"}, {"severity", "warning"}};
    struct fl_alert a = {
        .labels = {l, fl_labels_normalise(l, 2)}, .starts_at = T0 + SEC, .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    begin(w, T0 + SEC);
    fl_corr_alerts(w->c, &w->step, w->topo, POST, &a, 1);
    end(w);
    assert_int_equal(first_incident(w)->alerts_firing, 2);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    tick(w, T0 + 25 * 3600 * SEC);
    snapshot_and_back(w);
    send(w, T0 + 25 * 3600 * SEC + 1, POST, T0, 0);
    assert_int_equal(first_incident(w)->alerts_firing, 2);
    EXPECT(2, 2, 0);
    assert_int_equal(stats(w).opened, 1);
}

/* What opened in the meantime because of the same group is part of what opens again. */
static void test_the_older_one_takes_in_what_opened_meanwhile(void **state)
{
    struct world *w = *state;
    send(w, T0, POST, T0, 0);
    send(w, T0 + 60 * SEC, POST, T0, T0 + 60 * SEC);
    tick(w, T0 + 100 * SEC);
    struct fl_label l[] = {{"alertname", "Down"}, {"severity", "warning"}};
    struct fl_alert a = {
        .labels = {l, fl_labels_normalise(l, 2)}, .starts_at = T0 + 200 * SEC, .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    begin(w, T0 + 200 * SEC);
    fl_corr_alerts(w->c, &w->step, w->topo, POST, &a, 1);
    end(w);
    assert_int_equal(stats(w).open_incidents, 1);
    send(w, T0 + 60 * SEC + LATE, POST, T0, 0);
    assert_int_equal(stats(w).open_incidents, 1);
    assert_int_equal(first_incident(w)->alerts_firing, 2);
    assert_non_null(strstr(w->notes, "INC-2026-000002 was merged into this incident"));
}

static void test_closed_by_hand_is_not_revived_by_another_start(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    send(w, T0, POST, T0, 0);
    begin(w, T0 + SEC);
    assert_int_equal(fl_corr_resolve(w->c, &w->step, "INC-2026-000001", "enough", &err), FL_OK);
    end(w);
    send(w, T0 + 2 * SEC, POST, T0 + 2 * SEC, 0);
    assert_int_equal(stats(w).episodes, 2);
    assert_int_equal(stats(w).opened, 2);
    send(w, T0 + 3 * SEC, POST, T0 + 3 * SEC, 0);
    assert_int_equal(stats(w).episodes, 2);
}

static void test_ever_new_starts_are_bounded(void **state)
{
    struct world *w = *state;
    for (int i = 0; i < 100; i++)
        send(w, T0 + i * SEC, POST, T0 + i * SEC, 0);
    EXPECT(1, 1, 0);
    assert_int_equal(live(w).starts, 8);
}

/* ---- against a model ---- */

/* Everything ever heard, in plain lists: no index, no forgetting, one pass over all of it for each question. */
struct heard {
    fl_usec starts, ends;
    fl_alert_status st;
    int episode;
};
struct model {
    struct heard v[256];
    size_t n;
    int episodes; /* 1..episodes; the last one is the only one that can be live */
    fl_usec last_ends;
};

static int model_status(const struct model *m, int episode) /* FIRING, RESOLVED or STALE */
{
    fl_usec end = 0;
    int st = FL_ALERT_RESOLVED;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].episode == episode && m->v[i].st == FL_ALERT_RESOLVED && m->v[i].ends > end)
            end = m->v[i].ends;
    for (size_t i = 0; i < m->n; i++) {
        if (m->v[i].episode != episode)
            continue;
        if (m->v[i].st == FL_ALERT_FIRING)
            return FL_ALERT_FIRING;
        if (m->v[i].st == FL_ALERT_STALE && m->v[i].starts > end)
            st = FL_ALERT_STALE;
    }
    return st;
}

static void model_add(struct model *m, fl_usec starts, fl_usec ends, int episode)
{
    assert_true(m->n < FL_ARRAY_LEN(m->v));
    m->v[m->n++] = (struct heard){starts, ends, ends ? FL_ALERT_RESOLVED : FL_ALERT_FIRING, episode};
}

/* @return whether a resolve of this span speaks of the last episode's time. */
static bool model_overlaps(const struct model *m, fl_usec starts, fl_usec ends, bool is_live)
{
    fl_usec first = INT64_MAX;
    for (size_t i = 0; i < m->n; i++)
        if (m->v[i].episode == m->episodes && m->v[i].starts < first)
            first = m->v[i].starts;
    return m->episodes && ends > first && (is_live || starts < m->last_ends);
}

static void model_report(struct model *m, fl_usec starts, fl_usec ends)
{
    int before = m->episodes ? model_status(m, m->episodes) : FL_ALERT_RESOLVED;
    bool is_live = before != FL_ALERT_RESOLVED;
    struct heard *h = NULL;
    for (size_t i = 0; i < m->n; i++)
        if (fl_same_start(m->v[i].starts, starts))
            h = &m->v[i];
    if (h) {
        bool its = h->episode == m->episodes && is_live && h->st != FL_ALERT_RESOLVED;
        if (its && ends)
            h->st = FL_ALERT_RESOLVED, h->ends = ends;
        else if (its)
            h->st = FL_ALERT_FIRING;
    } else if (!ends) {
        bool joins = is_live || (m->episodes && starts < m->last_ends);
        model_add(m, starts, 0, joins ? m->episodes : ++m->episodes);
    } else if (model_overlaps(m, starts, ends, is_live)) {
        model_add(m, starts, ends, m->episodes);
    } else {
        model_add(m, starts, ends, is_live ? -1 - (int)m->n : ++m->episodes); /* one of before, never seen */
        if (!is_live)
            m->last_ends = ends;
        return;
    }
    if (is_live && model_status(m, m->episodes) == FL_ALERT_RESOLVED)
        m->last_ends = ends;
}

static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

struct msg {
    fl_usec at, starts, ends;
};
static int by_time(const void *a, const void *b)
{
    const struct msg *x = a, *y = b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* A pair of senders, some periods; each report is late by up to 20 or 60 s, one or two thirds of them never arrive. */
static size_t script(uint32_t *seed, size_t periods, struct msg *out)
{
    uint32_t late = draw(seed, 2) ? 20000 : 60000, arrive = draw(seed, 2) ? 2 : 1; /* of three */
    size_t n = 0;
    for (size_t p = 0; p < periods; p++)
        for (size_t half = 0; half < 2; half++) {
            fl_usec starts = T0 + (fl_usec)p * 200 * SEC + (fl_usec)draw(seed, 5000000);
            fl_usec ends = starts + 60 * SEC + (fl_usec)draw(seed, 5000) * MS;
            for (int k = 0; k < 6; k++) {
                bool over = k >= 4;
                fl_usec sent = over ? ends + (k - 4) * 15 * SEC : starts + k * 15 * SEC;
                fl_usec said = draw(seed, 2) ? starts : starts - starts % MS; /* one interface cuts it */
                if (draw(seed, 3) < arrive)
                    out[n++] = (struct msg){sent + (fl_usec)draw(seed, late) * MS, said, over ? ends : 0};
            }
        }
    qsort(out, n, sizeof *out, by_time);
    return n;
}

static void check(struct world *w, const struct model *m, uint32_t round, size_t k)
{
    int st = m->episodes ? model_status(m, m->episodes) : FL_ALERT_RESOLVED;
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) /* those of before that were never seen are episodes too */
        n += m->v[i].episode < 0;
    if (stats(w).episodes != (uint64_t)m->episodes + n || stats(w).firing != (st == FL_ALERT_FIRING) ||
        stats(w).stale != (st == FL_ALERT_STALE))
        fail_msg("round %u, report %zu: %llu episodes, %zu firing, %zu stale; the model has %d and %s", round,
                 k, (unsigned long long)stats(w).episodes, stats(w).firing, stats(w).stale, m->episodes,
                 fl_alert_status_name((fl_alert_status)st));
    assert_true(live(w).firing > 0 || stats(w).firing == 0);
}

static void test_shuffled_reports_against_a_model(void **state)
{
    enum { ROUNDS = 1000, PERIODS = 4 };
    struct world *w = *state;
    struct msg msgs[PERIODS * 12];
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t seed = round * 2654435761u + 1;
        fl_corr_free(w->c);
        w->c = fl_corr_new();
        w->step.seq = 0;
        w->notes[0] = '\0';
        struct model m = {0};
        uint64_t fp = 0;
        size_t n = script(&seed, PERIODS, msgs);
        for (size_t k = 0; k < n; k++) {
            w->notes[0] = '\0';
            fp = send(w, msgs[k].at, POST, msgs[k].starts, msgs[k].ends);
            model_report(&m, msgs[k].starts, msgs[k].ends);
            check(w, &m, round, k);
            if (draw(&seed, 8) == 0)
                snapshot_and_back(w);
        }
        /* The pair fell silent, or its last words arrive: nobody is left firing, and no period counts twice. */
        for (size_t k = 0; k < n; k++)
            if (!msgs[k].ends)
                silent(w, T0 + 3600 * SEC, fp, msgs[k].starts);
        assert_int_equal(stats(w).firing, 0);
        assert_true(stats(w).episodes <= PERIODS);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        T(test_it_fires_while_one_half_says_so),
        T(test_an_alertmanager_speaks_for_all_it_merged),
        T(test_milliseconds_and_microseconds_are_one_start),
        T(test_a_resolve_of_before_does_not_end_what_began_after),
        T(test_a_silent_half_is_settled_by_the_other),
        T(test_the_second_half_comes_after_the_first_is_over),
        T(test_nobody_was_heard_before_the_end),
        T(test_the_end_is_heard_before_the_beginning),
        T(test_an_equal_start_that_is_told_on_opens_the_incident_again),
        T(test_a_paired_start_opens_the_incident_again),
        T(test_a_half_that_was_cut_off_comes_back),
        T(test_a_half_that_is_told_on_keeps_it_firing),
        T(test_what_was_kept_out_of_incidents_is_told_on),
        T(test_an_end_by_hand_stands),
        T(test_it_opens_again_within_a_day),
        T(test_cut_off_for_more_than_a_day),
        T(test_cut_off_for_more_than_a_day_and_closed_by_hand),
        T(test_cut_off_for_more_than_a_day_in_an_open_incident),
        T(test_the_older_one_takes_in_what_opened_meanwhile),
        T(test_closed_by_hand_is_not_revived_by_another_start),
        T(test_ever_new_starts_are_bounded),
        T(test_shuffled_reports_against_a_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
