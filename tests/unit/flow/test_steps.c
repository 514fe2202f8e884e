/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a step looks at: changed incidents and due ones, and no others; and it forgets none of those. */
#include "random_journal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct fl_flow *fresh(void)
{
    struct fl_flow *f;
    struct fl_err err = {0};
    if (fl_flow_new(&(struct fl_flow_options){.realm = "default"}, &f, &err) != FL_OK)
        fail_msg("%s", err.text);
    return f;
}

static struct fl_effects *step(struct fl_flow *f, const struct fl_event *ev)
{
    struct fl_effects *fx = fl_effects_new();
    struct fl_err err = {0};
    assert_non_null(fx);
    if (fl_flow_step(f, ev, fx, &err) != FL_OK)
        fail_msg("event %llu: %s", (unsigned long long)ev->seq, err.text);
    return fx;
}

static void assert_same_bytes(const struct fl_pack *a, const struct fl_pack *b)
{
    const struct fl_piece *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        assert_int_equal(x->n, y->n);
        assert_memory_equal(x->p, y->p, x->n);
    }
    assert_true(!x && !y && a->bytes > 0);
}

static struct fl_flow *through_snapshot(struct fl_flow *f)
{
    struct fl_err err = {0};
    struct fl_flow *g = NULL;
    FL_AUTO_PACK records = fl_pack_init(0), again = fl_pack_init(0);
    assert_int_equal(fl_flow_snapshot(f, &records), FL_OK);
    if (fl_flow_restore(&(struct fl_flow_options){.realm = "default"}, &records, &g, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_int_equal(fl_flow_snapshot(g, &again), FL_OK);
    assert_same_bytes(&records, &again);
    fl_flow_free(f);
    return g;
}

/* Two states take the same random events, one of them through snapshots; after every step all that is kept as it goes is found
 * out again by visiting everything: no deadline is missed, no counter wrong, and both said the same. */
static void random_steps(uint64_t seed, size_t n, size_t snapshot_every)
{
    struct maker m = {.random = seed * 2654435761u + 1, .at = T0, .body = fl_buf_init(0)};
    struct fl_flow *f = fresh(), *g = fresh();
    struct fl_flow_stats st = {0};
    uint64_t most = 0, over = 0;
    for (size_t k = 0; k < n; k++) {
        struct fl_event ev = make_event(&m, st.incidents_opened, fl_flow_deadline(f));
        struct fl_effects *a = step(f, &ev), *b = step(g, &ev);
        struct fl_err err = {0};
        FL_AUTO_BUF x = fl_buf_init(0), y = fl_buf_init(0);
        if (fl_flow_check(f, &err) != FL_OK || fl_flow_check(g, &err) != FL_OK)
            fail_msg("seed %llu, event %llu (%s): %s %s", (unsigned long long)seed,
                     (unsigned long long)ev.seq, fl_event_kind_name(ev.kind), err.where, err.text);
        assert_int_equal(fl_effects_text(a, &x), FL_OK);
        assert_int_equal(fl_effects_text(b, &y), FL_OK);
        if (x.n != y.n || (x.n && memcmp(x.p, y.p, x.n) != 0))
            fail_msg("seed %llu, event %llu: a restored state decides another way", (unsigned long long)seed,
                     (unsigned long long)ev.seq);
        /* not right after the restore: maintenance windows find out in the next tick when the first is due */
        assert_int_equal(fl_flow_deadline(f), fl_flow_deadline(g));
        fl_effects_free(a);
        fl_effects_free(b);
        if (k % snapshot_every == snapshot_every - 1)
            g = through_snapshot(g);
        fl_flow_stats(f, &st);
        most = st.incidents_open > most ? st.incidents_open : most;
        over = st.incidents_opened - st.incidents_open;
    }
    /* It was about something. */
    assert_true(most >= 10);
    assert_true(over >= n / 20);
    fl_flow_free(f);
    fl_flow_free(g);
    fl_buf_done(&m.body);
}

static void test_no_deadline_is_missed(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++)
        random_steps(seed, 300, 7);
}

/* ---- one alert among many open incidents ---- */

static void send(struct fl_flow *f, uint64_t seq, fl_usec at, fl_event_kind kind, const char *body,
                 struct fl_effects **ret)
{
    *ret = step(f, &(struct fl_event){.seq = seq,
                                      .at = at,
                                      .kind = kind,
                                      .realm = "default",
                                      .actor = "ann",
                                      .source = kind == FL_EV_ALERTS ? "alertmanager" : "",
                                      .body = body,
                                      .body_len = strlen(body)});
}

static size_t count(const struct fl_effects *fx, fl_fx_kind kind, const char *incident)
{
    size_t n = 0;
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].kind == kind)
            n += !incident ||
                 fl_streq(kind == FL_FX_RANKING ? fx->v[i].ranking.incident : fx->v[i].incident.id, incident);
    return n;
}

static void graph_of(int n, const char *owner, struct fl_buf *b)
{
    fl_buf_reset(b);
    fl_buf_str(b, "{\"nodes\":[");
    for (int i = 0; i < n; i++)
        fl_buf_printf(b, "%s{\"id\":\"svc-%d\",\"type\":\"service\",\"owner\":\"%s\"}", i ? "," : "", i,
                      owner);
    fl_buf_str(b, "],\"edges\":[]}");
}

/* So many components that have nothing to do with each other, each with an incident of its own that is two seconds old. */
static struct fl_flow *with_open(int n, uint64_t *seq)
{
    struct fl_flow *f = fresh();
    struct fl_effects *fx;
    FL_AUTO_BUF b = fl_buf_init(0);
    graph_of(n, "v1", &b);
    send(f, ++*seq, T0, FL_EV_TOPOLOGY, b.p, &fx);
    fl_effects_free(fx);
    fl_buf_reset(&b);
    fl_buf_str(&b, "{\"version\":\"4\",\"alerts\":[");
    for (int i = 0; i < n; i++)
        fl_buf_printf(&b,
                      "%s{\"status\":\"firing\",\"labels\":{\"alertname\":\"Down\",\"component\":\"svc-%d\"},"
                      "\"startsAt\":\"2026-09-21T14:13:20Z\"}",
                      i ? "," : "", i);
    fl_buf_str(&b, "]}");
    send(f, ++*seq, T0 + SEC, FL_EV_ALERTS, b.p, &fx);
    assert_int_equal(count(fx, FL_FX_RANKING, NULL), n);
    fl_effects_free(fx);
    /* ranked once more, with playbooks in mind */
    send(f, ++*seq, T0 + 4 * SEC, FL_EV_TICK, "", &fx);
    assert_int_equal(count(fx, FL_FX_RANKING, NULL), n);
    fl_effects_free(fx);
    struct fl_flow_stats st;
    fl_flow_stats(f, &st);
    assert_int_equal(st.incidents_open, n);
    return f;
}

static void test_a_new_alert_ranks_its_own_incident_only(void **state)
{
    (void)state;
    enum { OPEN = 2000 };
    uint64_t seq = 0;
    struct fl_flow *f = with_open(OPEN, &seq);
    struct fl_effects *fx;
    const char *one =
        "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"Slow\","
        "\"component\":\"svc-1234\"},\"startsAt\":\"2026-09-21T14:13:30Z\"}]}";
    send(f, ++seq, T0 + 10 * SEC, FL_EV_ALERTS, one, &fx);
    assert_int_equal(count(fx, FL_FX_RANKING, NULL), 1);
    assert_int_equal(count(fx, FL_FX_RANKING, "INC-2026-001235"), 1);
    assert_int_equal(count(fx, FL_FX_INCIDENT, NULL), 1);
    fl_effects_free(fx);
    /* and a step that brings nothing does nothing */
    send(f, ++seq, T0 + 11 * SEC, FL_EV_TICK, "", &fx);
    assert_int_equal(fx->n, 0);
    fl_effects_free(fx);
    fl_flow_free(f);
}

/* ---- other evidence for all that is open ---- */

enum { AT_ONCE = 20, OPEN_MAX = 5000 };
static uint8_t ranked[OPEN_MAX + 1];

static size_t tally(const struct fl_effects *fx)
{
    size_t n = 0;
    for (size_t i = 0; i < fx->n; i++) {
        if (fx->v[i].kind != FL_FX_RANKING)
            continue;
        ranked[atoi(fx->v[i].ranking.incident + sizeof "INC-2026-" - 1)]++;
        n++;
    }
    if (n > AT_ONCE)
        fail_msg("%zu rankings in one step", n);
    return n;
}

/* One tick at each deadline until nobody is ranked any more, a restart now and then. @return steps that ranked. */
static size_t rank_on(struct fl_flow **f, uint64_t *seq, fl_usec from, size_t most)
{
    size_t steps = 0;
    for (fl_usec at = from;; steps++) {
        struct fl_effects *fx;
        struct fl_err err = {0};
        fl_usec due = fl_flow_deadline(*f);
        at = due > at ? due : at + 1;
        send(*f, ++*seq, at, FL_EV_TICK, "", &fx);
        size_t n = tally(fx);
        fl_effects_free(fx);
        if (!n || steps == most)
            return steps;
        if (fl_flow_check(*f, &err) != FL_OK)
            fail_msg("%s: %s", err.where, err.text);
        if (steps % 16 == 3)
            *f = through_snapshot(*f);
    }
}

static void once_each(int n)
{
    for (int i = 1; i <= n; i++)
        if (ranked[i] != 1)
            fail_msg("INC-2026-%06d was ranked %d times", i, ranked[i]);
}

/* The event, then as many small steps as it takes. */
static void change(struct fl_flow **f, uint64_t *seq, fl_usec at, fl_event_kind kind, const char *body)
{
    struct fl_effects *fx;
    memset(ranked, 0, sizeof ranked);
    send(*f, ++*seq, at, kind, body, &fx);
    assert_int_equal(tally(fx), AT_ONCE);
    fl_effects_free(fx);
}

static void another_graph(int n)
{
    uint64_t seq = 0;
    struct fl_flow *f = with_open(n, &seq);
    FL_AUTO_BUF b = fl_buf_init(0);
    graph_of(n, "v2", &b);
    change(&f, &seq, T0 + 10 * SEC, FL_EV_TOPOLOGY, b.p);
    size_t steps = rank_on(&f, &seq, T0 + 10 * SEC, SIZE_MAX);
    once_each(n);
    assert_int_equal(steps, n / AT_ONCE - 1);
    fl_flow_free(f);
}

static void test_another_graph_ranks_what_is_open_some_at_a_time(void **state)
{
    (void)state;
    another_graph(1000);
    another_graph(OPEN_MAX);
}

static void test_other_rules_rank_what_is_open_some_at_a_time(void **state)
{
    (void)state;
    enum { OPEN = 1000 };
    uint64_t seq = 0;
    struct fl_flow *f = with_open(OPEN, &seq);
    change(&f, &seq, T0 + 10 * SEC, FL_EV_CONFIG, "{\"rules\":{\"correlation\":{\"distance\":1}}}");
    assert_int_equal(rank_on(&f, &seq, T0 + 10 * SEC, SIZE_MAX), OPEN / AT_ONCE - 1);
    once_each(OPEN);
    fl_flow_free(f);
}

static void test_another_model_ranks_what_is_open_some_at_a_time(void **state)
{
    (void)state;
    enum { OPEN = 1000 };
    uint64_t seq = 0;
    struct fl_flow *f = with_open(OPEN, &seq);
    struct fl_effects *fx;
    send(f, ++seq, T0 + 9 * SEC, FL_EV_COMMAND,
         "{\"op\":\"model.add\",\"model\":{\"note\":\"most alerts of its own\",\"scale\":1,\"threshold\":0.2,"
         "\"weights\":{\"rarity_share\":4,\"alerting\":1}}}",
         &fx);
    fl_effects_free(fx);
    change(&f, &seq, T0 + 10 * SEC, FL_EV_COMMAND, "{\"op\":\"model.activate\",\"model\":\"0569f58f6582\"}");
    assert_int_equal(rank_on(&f, &seq, T0 + 10 * SEC, SIZE_MAX), OPEN / AT_ONCE - 1);
    once_each(OPEN);
    fl_flow_free(f);
}

/* Its turn for the new graph is some seconds away: an alert that joins is no reason to wait that long. */
static void test_an_alert_does_not_wait_for_the_turn_of_its_incident(void **state)
{
    (void)state;
    enum { OPEN = 1000, LAST = OPEN };
    uint64_t seq = 0;
    struct fl_flow *f = with_open(OPEN, &seq);
    struct fl_effects *fx;
    FL_AUTO_BUF b = fl_buf_init(0);
    graph_of(OPEN, "v2", &b);
    change(&f, &seq, T0 + 10 * SEC, FL_EV_TOPOLOGY, b.p);
    assert_int_equal(ranked[LAST], 0);
    const char *one =
        "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"Slow\","
        "\"component\":\"svc-999\"},\"startsAt\":\"2026-09-21T14:13:30Z\"}]}";
    send(f, ++seq, T0 + 10 * SEC + SEC / 10, FL_EV_ALERTS, one, &fx);
    assert_int_equal(count(fx, FL_FX_RANKING, "INC-2026-001000"), 1);
    tally(fx);
    fl_effects_free(fx);
    /* and it has had its turn with that */
    rank_on(&f, &seq, T0 + 10 * SEC + SEC / 10, SIZE_MAX);
    once_each(OPEN);
    fl_flow_free(f);
}

/* A second change before the first one is through: no step ranks more for it, and everybody is ranked on the last graph. */
static void test_changes_in_a_row_do_not_pile_up(void **state)
{
    (void)state;
    enum { OPEN = 1000, BEFORE = 10 };
    uint64_t seq = 0;
    struct fl_flow *f = with_open(OPEN, &seq);
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_usec at = T0 + 10 * SEC;
    for (int k = 0; k < 3; k++) {
        struct fl_effects *fx;
        at += SEC / 5 * BEFORE;
        graph_of(OPEN, k % 2 ? "v2" : "v3", &b);
        memset(ranked, 0, sizeof ranked);
        send(f, ++seq, at, FL_EV_TOPOLOGY, b.p, &fx);
        tally(fx);
        fl_effects_free(fx);
        if (k < 2)
            rank_on(&f, &seq, at, BEFORE - 2);
    }
    size_t steps = rank_on(&f, &seq, at, SIZE_MAX);
    for (int i = 1; i <= OPEN; i++)
        assert_true(ranked[i] >= 1);
    assert_true(steps <= OPEN / AT_ONCE + 1);
    fl_flow_free(f);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_deadline_is_missed),
        cmocka_unit_test(test_a_new_alert_ranks_its_own_incident_only),
        cmocka_unit_test(test_another_graph_ranks_what_is_open_some_at_a_time),
        cmocka_unit_test(test_other_rules_rank_what_is_open_some_at_a_time),
        cmocka_unit_test(test_another_model_ranks_what_is_open_some_at_a_time),
        cmocka_unit_test(test_an_alert_does_not_wait_for_the_turn_of_its_incident),
        cmocka_unit_test(test_changes_in_a_row_do_not_pile_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
