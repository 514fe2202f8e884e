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

/* ---- many rows ---- */

enum { MANY = 300 };

static const struct fl_label some_labels[] = {{"alertname", "Down"}, {"instance", "db\"1\\ \xc3\xbc\n"}};
static const struct fl_label some_notes[] = {{"summary", "it is \"down\""}};

static void add_alert(struct fl_effects *fx, uint64_t fingerprint, uint64_t seq, fl_alert_status status,
                      bool is_new, bool same_texts)
{
    struct fl_alert_row row = {.fingerprint = fingerprint,
                               .starts_at = 1000000,
                               .ends_at = status == FL_ALERT_RESOLVED ? 3000000 : 0,
                               .status = status,
                               .generator_url = "",
                               .source = "test",
                               .node = "n",
                               .map_rule = "",
                               .incident = "INC-1",
                               .why = status == FL_ALERT_RESOLVED ? "[\"over\"]" : "[\"a\",\"b\"]",
                               .silenced_by = "[]",
                               .inhibited_by = "[]",
                               .updated_at = (fl_usec)seq,
                               .is_new = is_new,
                               .same_texts = same_texts};
    if (!same_texts) {
        row.labels = (struct fl_labels){some_labels, 2};
        row.annotations = (struct fl_labels){some_notes, 1};
        row.generator_url = "http://prometheus/";
    }
    add_fx(fx, FL_FX_ALERT)->alert = row;
}

/* The end of an episode of which nothing else is new. */
static void add_over(struct fl_effects *fx, uint64_t fingerprint, uint64_t seq)
{
    add_alert(fx, fingerprint, seq, FL_ALERT_RESOLVED, false, true);
    fx->v[fx->n - 1].alert.why = "";
    fx->v[fx->n - 1].alert.only_state = true;
}

static void fill_many(struct fl_effects *fx, uint64_t seq)
{
    for (unsigned i = 0; i < MANY; i++) {
        add_alert(fx, UINT64_MAX - i, seq, seq == 1 ? FL_ALERT_FIRING : FL_ALERT_RESOLVED, seq == 1, seq > 1);
        add_fx(fx, FL_FX_TIMELINE)->timeline = (struct fl_timeline_row){.incident = "INC-1",
                                                                        .event_seq = seq,
                                                                        .n = i,
                                                                        .at = 1000000,
                                                                        .kind = "state",
                                                                        .actor = "engine",
                                                                        .text = "t\xc3\xbct",
                                                                        .detail = i % 2 ? "{\"a\": 1}" : ""};
    }
    for (unsigned i = 0; i < MANY; i++)
        add_audit(fx, (seq - 1) * MANY + i + 1, seq);
}

/* How one of the rows reads, of which there are n alike. */
static void assert_alerts(const char *db, int n, const char *want)
{
    char got[600];
    snprintf(
        got, sizeof got, "%s",
        pg_test_sql(
            db,
            "SELECT count(*) || ' ' || min(t) || ' ' || count(DISTINCT t) FROM (SELECT concat_ws('|', realm, status,"
            " starts_at, ends_at, severity, class, node, map_rule, incident, source, generator_url, labels,"
            " annotations, why, silenced_by, inhibited_by, quiet) AS t FROM faultline.alert_full) x"));
    char all[700];
    snprintf(all, sizeof all, "%d %s 1", n, want);
    assert_string_equal(got, all);
}

#define FIRST_ROW                                                                                                    \
    "default|firing|1970-01-01 00:00:01+00|none|other|n|INC-1|test|http://prometheus/|{\"instance\": \"db\\\"1\\\\ " \
    "\xc3\xbc\\n\", \"alertname\": \"Down\"}|{\"summary\": \"it is \\\"down\\\"\"}|[\"a\",\"b\"]"
#define LAST_ROW                                                                                                 \
    "default|resolved|1970-01-01 00:00:01+00|1970-01-01 00:00:03+00|none|other|n|INC-1|test|http://prometheus/|" \
    "{\"instance\": \"db\\\"1\\\\ \xc3\xbc\\n\", \"alertname\": \"Down\"}|{\"summary\": \"it is \\\"down\\\"\"}|[\"over\"]"

#define OVER_ROW                                                                                                 \
    "default|resolved|1970-01-01 00:00:01+00|1970-01-01 00:00:03+00|none|other|n|INC-1|test|http://prometheus/|" \
    "{\"instance\": \"db\\\"1\\\\ \xc3\xbc\\n\", \"alertname\": \"Down\"}|{\"summary\": \"it is \\\"down\\\"\"}|[\"a\",\"b\"]"

static void test_many_new_rows(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    struct fl_store_stats st;
    open_store(db, &c);
    step(c.store, 1, fill_many);
    AWAIT(fl_store_projected_seq(c.store) == 1);
    assert_alerts(db, MANY, FIRST_ROW);
    assert_int_equal(
        pg_test_number(
            db,
            "SELECT count(*) FROM faultline.timeline WHERE text = 'tüt' AND at = "
            "'1970-01-01 00:00:01Z' AND (detail ->> 'a' = '1') IS NOT DISTINCT FROM CASE n % 2 WHEN 1 THEN true END"),
        MANY);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit WHERE octet_length(hash) = 32"),
                     MANY);
    step(c.store, 2, fill_many);
    AWAIT(fl_store_projected_seq(c.store) == 2);
    assert_alerts(db, MANY, LAST_ROW);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), 2 * MANY);
    fl_store_stats(c.store, &st);
    assert_int_equal(st.skipped_rows, 0);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static void fill_many_over(struct fl_effects *fx, uint64_t seq)
{
    for (unsigned i = 0; i < MANY; i++)
        add_over(fx, UINT64_MAX - i, seq);
    add_audit(fx, MANY + 1, seq);
}

/* Texts that nobody can unpack do not keep the names from being read; labels in the row come before them. */
static void assert_names_are_not_unpacked(const char *db)
{
    char said[64];
    pg_test_sql(db, "UPDATE faultline.alert_text SET body = '\\xff'");
    snprintf(said, sizeof said, "%d Down", MANY);
    assert_string_equal(pg_test_sql(db, "SELECT count(*) || ' ' || min(alertname) FROM faultline.alert_v"),
                        said);
    pg_test_sql(db, "UPDATE faultline.alert SET labels = '{\"owner\":\"them\"}' WHERE fingerprint ="
                    " (SELECT min(fingerprint) FROM faultline.alert)");
    assert_string_equal(
        pg_test_sql(db,
                    "SELECT count(*) || string_agg(team, '') FROM faultline.alert_full WHERE rule IS NULL"),
        "1them");
}

/* Texts are packed, and stay so when the episode is over. Each row that changes is looked up: the plan to which a table without
 * statistics led, which compared all rows with all, used an index once. */
static void test_packed_texts(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    open_store(db, &c);
    step(c.store, 1, fill_many);
    AWAIT(fl_store_projected_seq(c.store) == 1);
    assert_int_equal(
        pg_test_number(
            db,
            "SELECT count(*) FROM faultline.alert WHERE labels IS NULL AND why IS NULL AND generator_url IS NULL"),
        MANY);
    long long rows = pg_test_number(db, "SELECT count(*) FROM faultline.alert_text WHERE seq = 1");
    assert_true(rows > 1 && rows < MANY / 10);
    step(c.store, 2, fill_many_over);
    AWAIT(fl_store_projected_seq(c.store) == 2);
    assert_alerts(db, MANY, OVER_ROW);
    assert_names_are_not_unpacked(db);
    fl_store_close(c.store, FL_USEC_PER_SEC); /* its session tells what it counted */
    AWAIT(pg_test_number(db, "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE relname = 'alert'") >=
          MANY);
}

static void fill_one_silenced(struct fl_effects *fx, uint64_t seq)
{
    fill_many(fx, seq);
    fx->v[0].alert.why = "[\"accepted\",\"silenced by 1 (x): kept out of incidents\"]";
}

/* Sentences that are counted are not packed. */
static void test_counted_sentences(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    open_store(db, &c);
    step(c.store, 1, fill_one_silenced);
    AWAIT(fl_store_projected_seq(c.store) == 1);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.alert_full WHERE why IS NOT NULL"),
                     MANY);
    assert_string_equal(pg_test_sql(db, "SELECT why::text FROM faultline.alert WHERE why IS NOT NULL"),
                        "[\"accepted\",\"silenced by 1 (x): kept out of incidents\"]");
    assert_int_equal(
        pg_test_number(
            db, "SELECT count(*) FROM faultline.alert_noise_v WHERE kept = 'silenced' AND rule = 'Down'"),
        1);
    assert_int_equal(
        pg_test_number(db,
                       "SELECT count(*) FROM faultline.alert_noise_v WHERE kept IS NULL AND rule = 'Down'"),
        MANY - 1);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static void fill_old_as_new(struct fl_effects *fx, uint64_t seq)
{
    for (unsigned i = 0; i < MANY; i++)
        add_alert(fx, i, seq, seq == 1 ? FL_ALERT_FIRING : FL_ALERT_RESOLVED, true, false);
    add_audit(fx, seq, seq);
}

/* The core has forgotten an episode that the database still has, and takes it for a new one. */
static void test_new_rows_that_are_there(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    struct fl_store_stats st;
    open_store(db, &c);
    step(c.store, 1, fill_old_as_new);
    AWAIT(fl_store_projected_seq(c.store) == 1);
    step(c.store, 2, fill_old_as_new);
    AWAIT(fl_store_projected_seq(c.store) == 2);
    assert_alerts(db, MANY, LAST_ROW);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), 2);
    fl_store_stats(c.store, &st);
    assert_int_equal(st.skipped_rows, 0);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

static void fill_many_and_a_bad_one(struct fl_effects *fx, uint64_t seq)
{
    fill_many(fx, seq);
    fx->v[2 * (MANY / 2)].alert.inhibited_by = "[broken";
}

static void test_a_bad_row_among_many(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {0};
    struct fl_store_stats st;
    open_store(db, &c);
    step(c.store, 1, fill_many_and_a_bad_one);
    AWAIT(fl_store_projected_seq(c.store) == 1);
    assert_alerts(db, MANY - 1, FIRST_ROW);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.timeline"), MANY);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), MANY);
    fl_store_stats(c.store, &st);
    assert_int_equal(st.skipped_rows, 1);
    fl_store_close(c.store, FL_USEC_PER_SEC);
}

/* Of several states in one batch the last one counts, with what only an earlier one says of the row. */
static void test_states_of_one_batch(void **state)
{
    (void)state;
    struct fl_step steps[3], *v[3];
    for (unsigned i = 0; i < 3; i++) {
        steps[i] = (struct fl_step){.fx = fl_effects_new()};
        steps[i].fx->event_seq = i + 1;
        v[i] = &steps[i];
    }
    add_alert(steps[0].fx, 1, 1, FL_ALERT_FIRING, true, false); /* new, then over */
    add_alert(steps[1].fx, 1, 2, FL_ALERT_STALE, false, true);
    add_alert(steps[2].fx, 1, 3, FL_ALERT_RESOLVED, false, true);
    add_alert(steps[0].fx, 2, 1, FL_ALERT_FIRING, false, false); /* other texts, then over */
    add_alert(steps[2].fx, 2, 3, FL_ALERT_RESOLVED, false, true);
    add_alert(steps[1].fx, 3, 2, FL_ALERT_STALE, false, true); /* nothing but states */
    add_alert(steps[2].fx, 3, 3, FL_ALERT_FIRING, false, true);
    add_over(steps[2].fx, 4, 3);                               /* over, and nothing else */
    add_alert(steps[1].fx, 5, 2, FL_ALERT_STALE, false, true); /* another way, then over */
    add_over(steps[2].fx, 5, 3);
    struct fl_rows *r = fl_rows_new(v, 3);
    assert_int_equal(r->kind[FL_ROWS_ALERT_NEW].n, 1);
    assert_int_equal(r->kind[FL_FX_ALERT].n, 1);
    assert_int_equal(r->kind[FL_ROWS_ALERT_STATE].n, 2);
    assert_int_equal(r->kind[FL_ROWS_ALERT_TIMES].n, 1);
    assert_int_equal(r->kind[FL_ROWS_ALERT_TIMES].v[0]->alert.fingerprint, 4);
    const struct fl_alert_row *way = &r->kind[FL_ROWS_ALERT_STATE].v[1]->alert;
    assert_int_equal(way->fingerprint, 5);
    assert_int_equal(way->status, FL_ALERT_RESOLVED);
    assert_string_equal(way->why, "[\"a\",\"b\"]");
    const struct fl_alert_row *fresh = &r->kind[FL_ROWS_ALERT_NEW].v[0]->alert;
    assert_int_equal(fresh->status, FL_ALERT_RESOLVED);
    assert_int_equal(fresh->labels.n, 2);
    assert_int_equal(fresh->annotations.n, 1);
    assert_string_equal(fresh->generator_url, "http://prometheus/");
    const struct fl_alert_row *other = &r->kind[FL_FX_ALERT].v[0]->alert;
    assert_int_equal(other->fingerprint, 2);
    assert_int_equal(other->labels.n, 2);
    assert_int_equal(r->kind[FL_ROWS_ALERT_STATE].v[0]->alert.status, FL_ALERT_FIRING);
    assert_int_equal(r->n, 5);
    fl_rows_free(r);
    for (unsigned i = 0; i < 3; i++)
        fl_effects_free(steps[i].fx);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_last_state_wins),
                                       cmocka_unit_test(test_orders_follow_the_commit),
                                       cmocka_unit_test(test_exactly_once_after_restart),
                                       cmocka_unit_test(test_one_bad_row_is_left_out),
                                       cmocka_unit_test(test_many_new_rows),
                                       cmocka_unit_test(test_packed_texts),
                                       cmocka_unit_test(test_counted_sentences),
                                       cmocka_unit_test(test_new_rows_that_are_there),
                                       cmocka_unit_test(test_a_bad_row_among_many),
                                       cmocka_unit_test(test_states_of_one_batch),
                                       cmocka_unit_test(test_answers)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
