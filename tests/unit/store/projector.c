/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/projector.c -- rows exactly once, orders after their commit, bad rows. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

static struct pg_test *pg;
static const char *db_now; /* asked from inside an order */

static void step(struct fl_store *s, uint64_t seq, void (*fill)(struct fl_effects *fx, uint64_t seq))
{
    struct fl_effects *fx = fl_effects_new();
    fx->realm = "default";
    fx->event_seq = seq;
    fill(fx, seq);
    fl_store_project(s, fx, NULL);
}

static void fill_alert(struct fl_effects *fx, uint64_t seq)
{
    static const struct fl_label labels[] = {{"alertname", "Down"}, {"instance", "db\"1\\"}};
    struct fl_fx *f = add_fx(fx, FL_FX_ALERT);
    f->alert = (struct fl_alert_row){.fingerprint = 0xfedcba9876543210u,
                                     .starts_at = 1000000,
                                     .status = seq > 1 ? FL_ALERT_RESOLVED : FL_ALERT_FIRING,
                                     .labels = {labels, 2},
                                     .generator_url = "",
                                     .source = "test",
                                     .node = "",
                                     .map_rule = "",
                                     .incident = "INC-1",
                                     .why = "[\"a\",\"b\"]",
                                     .updated_at = (fl_usec)seq};
    add_audit(fx, seq, seq);
}

static void test_last_state_wins(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    open_store(db, &c);
    for (uint64_t i = 1; i <= 300; i++)
        step(c.store, i, fill_alert);
    AWAIT(fl_store_projected_seq(c.store) == 300);
    assert_string_equal(
        pg_test_sql(db, "SELECT count(*) || min(status) || min(fingerprint) FROM faultline.alert_v"),
        "1resolvedfedcba9876543210");
    assert_string_equal(pg_test_sql(db, "SELECT labels ->> 'instance' FROM faultline.alert"), "db\"1\\");
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), 300);
    struct fl_store_stats st;
    fl_store_stats(c.store, &st);
    assert_true(st.projector_commits < 300);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static void fill_order(struct fl_effects *fx, uint64_t seq)
{
    add_audit(fx, seq, seq);
    add_fx(fx, FL_FX_ACT)->act = (struct fl_order_act){.run = "RUN-1", .n = 1};
}

static _Atomic int audited_before;

static void order_checks(void *ctx, const struct fl_effects *fx)
{
    struct counts *c = ctx;
    char sql[96];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM faultline.audit WHERE event_seq = %llu",
             (unsigned long long)fx->event_seq);
    audited_before += pg_test_number(db_now, sql) == 1;
    c->orders++;
}

static void test_orders_follow_the_commit(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct counts c = {0};
    db_now = pg_test_database(pg, true);
    struct fl_store_options o = options(db_now, &c);
    o.order = order_checks;
    assert_ok(fl_store_open(&o, &c.store, &err));
    for (uint64_t i = 1; i <= 20; i++)
        step(c.store, i, fill_order);
    AWAIT(c.orders == 20);
    assert_int_equal(audited_before, 20);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

/* The same steps again, as recovery would feed them: no row and no order a second time. */
static void test_exactly_once_after_restart(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    for (int i = 0; i < 10; i++)
        assert_int_equal(submit(c.store, &c, FL_EV_TICK, "x", 1), FL_OK);
    AWAIT(c.answered == 10);
    fl_store_close(c.store, FL_USEC_PER_SEC);
    struct counts d = {0};
    open_store(db, &d);
    assert_int_equal(fl_store_projected_seq(d.store), 10);
    for (uint64_t i = 1; i <= 12; i++)
        step(d.store, i, fill_order);
    AWAIT(fl_store_projected_seq(d.store) == 12);
    AWAIT(d.orders == 2);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), 12);
    fl_store_close(d.store, FL_USEC_PER_SEC);
    assert_int_equal(d.orders, 2);
}

static void fill_bad(struct fl_effects *fx, uint64_t seq)
{
    for (unsigned i = 0; i < 5; i++)
        add_fx(fx, FL_FX_TIMELINE)->timeline = (struct fl_timeline_row){.incident = "INC-1",
                                                                        .event_seq = seq,
                                                                        .n = i,
                                                                        .at = 1,
                                                                        .kind = "state",
                                                                        .actor = "engine",
                                                                        .text = "t",
                                                                        .detail = i == 3 ? "{broken" : "{}"};
    add_audit(fx, seq, seq);
}

static void test_one_bad_row_is_left_out(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    struct fl_store_stats st;
    open_store(db, &c);
    step(c.store, 1, fill_bad);
    step(c.store, 2, fill_order);
    AWAIT(fl_store_projected_seq(c.store) == 2);
    fl_store_stats(c.store, &st);
    assert_int_equal(st.skipped_rows, 1);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.timeline"), 4);
    assert_int_equal(pg_test_number(db, "SELECT skipped_rows FROM faultline.projection"), 1);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), 2);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static void answer_conflict(struct fl_effects *fx, const struct fl_event *ev)
{
    add_audit(fx, ev->seq, ev->seq);
    if (ev->seq == 1)
        add_fx(fx, FL_FX_ANSWER)->answer = (struct fl_order_answer){.status = FL_E_CONFLICT, .json = "{}"};
}

static void test_answers(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true, .fill = answer_conflict};
    open_store(db, &c);
    assert_int_equal(submit(c.store, &c, FL_EV_COMMAND, "{}", 2), FL_OK);
    AWAIT(c.answered == 1);
    assert_int_equal(c.last_answer, FL_E_CONFLICT);
    assert_int_equal(submit(c.store, &c, FL_EV_COMMAND, "{}", 2), FL_OK);
    AWAIT(c.answered == 2);
    assert_int_equal(c.last_answer, FL_OK);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static int setup(void **state)
{
    (void)state;
    pg = pg_test_start(false);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    pg = pg_test_stop(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_state_wins), cmocka_unit_test(test_orders_follow_the_commit),
        cmocka_unit_test(test_exactly_once_after_restart), cmocka_unit_test(test_one_bad_row_is_left_out),
        cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
