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

static void test_a_new_alert_ranks_its_own_incident_only(void **state)
{
    (void)state;
    enum { OPEN = 2000 };
    struct fl_flow *f = fresh();
    struct fl_effects *fx;
    FL_AUTO_BUF b = fl_buf_init(0);
    uint64_t seq = 0;
    /* 2,000 components that have nothing to do with each other, each with an incident of its own */
    fl_buf_str(&b, "{\"nodes\":[");
    for (int i = 0; i < OPEN; i++)
        fl_buf_printf(&b, "%s{\"id\":\"svc-%d\",\"type\":\"service\"}", i ? "," : "", i);
    fl_buf_str(&b, "],\"edges\":[]}");
    send(f, ++seq, T0, FL_EV_TOPOLOGY, b.p, &fx);
    fl_effects_free(fx);
    fl_buf_reset(&b);
    fl_buf_str(&b, "{\"version\":\"4\",\"alerts\":[");
    for (int i = 0; i < OPEN; i++)
        fl_buf_printf(&b,
                      "%s{\"status\":\"firing\",\"labels\":{\"alertname\":\"Down\",\"component\":\"svc-%d\"},"
                      "\"startsAt\":\"2026-09-21T14:13:20Z\"}",
                      i ? "," : "", i);
    fl_buf_str(&b, "]}");
    send(f, ++seq, T0 + SEC, FL_EV_ALERTS, b.p, &fx);
    assert_int_equal(count(fx, FL_FX_RANKING, NULL), OPEN);
    fl_effects_free(fx);
    /* two seconds old: ranked once more, with playbooks in mind */
    send(f, ++seq, T0 + 4 * SEC, FL_EV_TICK, "", &fx);
    assert_int_equal(count(fx, FL_FX_RANKING, NULL), OPEN);
    fl_effects_free(fx);
    struct fl_flow_stats st;
    fl_flow_stats(f, &st);
    assert_int_equal(st.incidents_open, OPEN);

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

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_deadline_is_missed),
        cmocka_unit_test(test_a_new_alert_ranks_its_own_incident_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
