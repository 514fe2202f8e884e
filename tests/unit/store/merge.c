/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/merge.c -- short bodies of one sender share a row: which, how many, who is answered, and when sessions die. */
#include "support.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_test *pg;

/* ---- rows, without a database ---- */

static const struct fl_alert one_alert = {.fingerprint = 7, .starts_at = 1};

static bool is_settled(void *ctx, fl_usec at)
{
    (void)ctx;
    return at > 0;
}

static struct fl_submission *body(const char *actor, const char *source, const char *text, size_t n)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *sub = fl_arena_calloc(a, 1, sizeof *sub);
    char *copy = fl_arena_calloc(a, n + 1, 1);
    memcpy(copy, text, strlen(text) < n ? strlen(text) : n);
    *sub = (struct fl_submission){.kind = FL_EV_ALERTS,
                                  .actor = fl_arena_strdup(a, actor),
                                  .source = fl_arena_strdup(a, source),
                                  .body = copy,
                                  .body_len = n,
                                  .alerts = fl_arena_dup(a, &one_alert, sizeof one_alert),
                                  .n_alerts = 1,
                                  .numbered = is_settled,
                                  .arena = a};
    fl_sha256(copy, n, &sub->body_hash);
    return sub;
}

static struct fl_submission *text_of(const char *actor, const char *text)
{
    return body(actor, "alertmanager-v2", text, strlen(text));
}

/* The bodies of a row, with | between them; of a row of one, the body. */
static const char *shown(const struct fl_submission *row)
{
    static char text[4096];
    struct fl_err err = {0};
    const char *rest = row->body, *p = NULL;
    size_t left = row->body_len, n = 0, at = 0;
    if (row->kind == FL_EV_ALERTS) {
        snprintf(text, sizeof text, "%.*s", (int)row->body_len, (const char *)row->body);
        return text;
    }
    fl_status st;
    while ((st = fl_bodies_next(&rest, &left, &p, &n, &err)) == FL_OK)
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%.*s", at ? "|" : "", (int)n, p);
    assert_int_equal(st, FL_E_NOTFOUND);
    return text;
}

static void drop_all(struct fl_submission **v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fl_submission_drop(v[i], FL_OK);
}

static void test_each_sender_its_own_row(void **state)
{
    (void)state;
    struct fl_submission *v[] = {text_of("prom-a", "a1"), text_of("prom-b", "b1"), text_of("prom-a", "a2"),
                                 body("prom-a", "alertmanager", "w1", 2), text_of("prom-b", "b2")};
    struct fl_sha256 h;
    assert_int_equal(fl_journal_merge(v, 5), 3);
    assert_string_equal(shown(v[0]), "a1|a2");
    assert_string_equal(v[0]->actor, "prom-a");
    assert_int_equal(v[0]->kind, FL_EV_ALERT_BODIES);
    assert_int_equal(v[0]->n_alerts, 2);
    assert_int_equal(v[0]->parts[1], 1);
    assert_int_equal(v[0]->alerts[1].fingerprint, 7);
    fl_sha256(v[0]->body, v[0]->body_len, &h);
    assert_memory_equal(&h, &v[0]->body_hash, sizeof h);
    assert_string_equal(shown(v[1]), "b1|b2");
    assert_string_equal(shown(v[2]), "w1");
    assert_int_equal(v[2]->kind, FL_EV_ALERTS);
    drop_all(v, 3);
}

/* A lease that lapsed between two reports lapsed between them, in the journal, too. */
static void test_nothing_passes_another_kind(void **state)
{
    (void)state;
    struct fl_submission *v[] = {text_of("p", "1"), text_of("p", "2"), text_of("p", "expired"),
                                 text_of("p", "3"), text_of("p", "4")};
    v[2]->kind = FL_EV_ALERT_EXPIRED;
    assert_int_equal(fl_journal_merge(v, 5), 3);
    assert_string_equal(shown(v[0]), "1|2");
    assert_int_equal(v[1]->kind, FL_EV_ALERT_EXPIRED);
    assert_string_equal(shown(v[2]), "3|4");
    drop_all(v, 3);
}

static void test_some_keep_their_own_row(void **state)
{
    (void)state;
    struct fl_submission *v[] = {text_of("p", "1"), text_of("p", "unparsed"),
                                 body("p", "alertmanager-v2", "long", FL_MERGE_BODY + 1),
                                 text_of("p", "reserved"), body("p", "alertmanager-v2", "2", FL_MERGE_BODY)};
    v[1]->alerts = NULL;
    v[3]->reserved = true;
    assert_int_equal(fl_journal_merge(v, 5), 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(v[i]->n_members, 0);
    drop_all(v, 5);
}

/* A resolve must not come before the long body that said it fires; other senders' bodies are another matter. */
static void test_nothing_passes_a_long_body_of_its_sender(void **state)
{
    (void)state;
    struct fl_submission *v[] = {
        text_of("p", "1"), text_of("q", "a"), body("p", "alertmanager-v2", "long", FL_MERGE_BODY + 1),
        text_of("q", "b"), text_of("p", "2"), text_of("p", "3")};
    assert_int_equal(fl_journal_merge(v, 6), 4);
    assert_string_equal(shown(v[0]), "1");
    assert_string_equal(shown(v[1]), "a|b");
    assert_int_equal(v[2]->body_len, FL_MERGE_BODY + 1);
    assert_string_equal(shown(v[3]), "2|3");
    drop_all(v, 4);
}

static void test_rows_are_bounded(void **state)
{
    (void)state;
    enum { N = 2 * FL_MERGE_BODIES + 3 };
    struct fl_submission *v[N];
    assert_true(FL_MERGE_BODIES <= FL_BODIES_MAX);
    for (size_t i = 0; i < N; i++)
        v[i] = text_of("p", "{}");
    assert_int_equal(fl_journal_merge(v, N), 3);
    assert_int_equal(v[0]->n_members, FL_MERGE_BODIES);
    assert_int_equal(v[1]->n_members, FL_MERGE_BODIES);
    assert_int_equal(v[2]->n_members, 3);
    drop_all(v, 3);
    for (size_t i = 0; i < 64; i++)
        v[i] = body("p", "alertmanager-v2", "{}", FL_MERGE_BODY);
    size_t n = fl_journal_merge(v, 64), members = 0;
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        assert_true(v[i]->body_len <= FL_MERGE_BYTES);
        members += v[i]->n_members;
    }
    assert_int_equal(members, 64);
    drop_all(v, n);
    char name[16]; /* more senders than are told apart at a time: nobody's body is lost */
    for (size_t i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "p%zu", i % 20);
        v[i] = text_of(name, "{}");
    }
    n = fl_journal_merge(v, 40);
    members = 0;
    for (size_t i = 0; i < n; i++)
        members += v[i]->n_members ? v[i]->n_members : 1;
    assert_int_equal(members, 40);
    assert_true(n < 40);
    drop_all(v, n);
}

/* ---- through the store ---- */

struct waiter {
    _Atomic int ok, failed;
    _Atomic uint64_t seq;
    sem_t *hold; /* the journal thread waits for it */
};

static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct waiter *w = ctx;
    if (st == FL_OK)
        w->ok++;
    else
        w->failed++;
    w->seq = seq;
    assert_true((st == FL_OK) == (at > 0));
    while (w->hold && sem_wait(w->hold) != 0)
        ;
}

static fl_status send_text(struct fl_store *s, struct waiter *w, const char *actor, const char *text)
{
    struct fl_submission *sub = text_of(actor, text);
    sub->committed = on_committed;
    sub->ctx = w;
    fl_status st = fl_store_submit(s, sub);
    if (st)
        fl_arena_free(sub->arena);
    return st;
}

static _Atomic size_t delivered_bodies, delivered_alerts;

static void count_parts(struct fl_effects *fx, const struct fl_event *ev)
{
    if (ev->kind == FL_EV_ALERT_BODIES) {
        size_t n = 0;
        for (size_t i = 0; i < ev->n_parts; i++)
            n += ev->parts[i];
        assert_int_equal(n, ev->n_alerts);
    }
    delivered_bodies += ev->n_parts ? ev->n_parts : 1;
    delivered_alerts += ev->n_alerts;
    add_audit(fx, ev->seq, ev->seq);
}

static fl_status find_bodies(void *ctx, const struct fl_event *ev)
{
    struct fl_buf *out = ctx;
    struct fl_submission row = {.kind = ev->kind, .body = ev->body, .body_len = ev->body_len};
    fl_buf_printf(out, "%s %s;", ev->actor, shown(&row));
    return FL_OK;
}

static void test_each_request_is_answered(void **state)
{
    (void)state;
    struct fl_err err = {0};
    sem_t sem;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true, .fill = count_parts};
    struct waiter first = {.hold = &sem}, w[4] = {{0}};
    sem_init(&sem, 0, 0);
    delivered_bodies = delivered_alerts = 0;
    open_store(db, &c);
    assert_int_equal(send_text(c.store, &first, "p", "first"), FL_OK);
    AWAIT(first.ok == 1); /* the journal thread is in our hands: what comes now waits for one commit */
    for (int i = 0; i < 4; i++) {
        char text[8];
        snprintf(text, sizeof text, "{%d}", i);
        assert_int_equal(send_text(c.store, &w[i], i == 2 ? "other" : "p", text), FL_OK);
    }
    sem_post(&sem);
    AWAIT(fl_store_projected_seq(c.store) == 3);
    for (int i = 0; i < 4; i++)
        assert_true(w[i].ok == 1 && !w[i].failed);
    assert_true(w[0].seq == 2 && w[1].seq == 2 && w[3].seq == 2);
    assert_int_equal(w[2].seq, 3);
    assert_int_equal(delivered_bodies, 5);
    assert_int_equal(delivered_alerts, 5);
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    assert_ok(fl_store_read_journal(c.store, 0, 0, find_bodies, &b, &err));
    assert_string_equal(b.p, "p first;p {0}|{1}|{3};other {2};");
    assert_string_equal(pg_test_sql(db, "SELECT bool_and(sha256(body) = body_hash) FROM faultline.journal"),
                        "t");
    struct fl_store_stats st;
    fl_store_stats(c.store, &st);
    assert_int_equal(st.journal_bodies, 5);
    assert_int_equal(st.journal_rows, 3);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    sem_destroy(&sem);
}

enum { SENDERS = 4, EACH = 4000 };
struct sender {
    struct fl_store *store;
    struct waiter *w; /* EACH */
    int id;
    _Atomic bool *stop;
    int sent;
};

static void *send_many(void *arg)
{
    struct sender *x = arg;
    char text[40];
    while (x->sent < EACH && !*x->stop) {
        snprintf(text, sizeof text, "body %d.%d.", x->id, x->sent);
        if (send_text(x->store, &x->w[x->sent], "p", text) == FL_OK)
            x->sent++;
        usleep(200);
    }
    return NULL;
}

/* Whatever was answered OK is there, once. */
static void test_killed_between(void **state)
{
    (void)state;
    struct fl_err err = {0};
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true, .fill = count_parts};
    struct sender x[SENDERS];
    pthread_t t[SENDERS];
    _Atomic bool stop = false;
    open_store(db, &c);
    for (int i = 0; i < SENDERS; i++) {
        x[i] = (struct sender){c.store, calloc(EACH, sizeof *x[i].w), i, &stop, 0};
        pthread_create(&t[i], NULL, send_many, &x[i]);
    }
    struct fl_store_stats st;
    fl_store_stats(c.store, &st);
    /* However slow the machine is: until enough got through, but not for ever. */
    for (int i = 0; i < 10 || (st.journal_bodies < 200 && i < 400); i++) {
        fl_store_stats(c.store, &st);
        usleep(50000);
        pg_test_sql(
            db,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'faultline journal%'");
    }
    stop = true;
    size_t ok = 0;
    for (int i = 0; i < SENDERS; i++) {
        pthread_join(t[i], NULL);
        for (int k = 0; k < x[i].sent; k++)
            AWAIT(x[i].w[k].ok + x[i].w[k].failed == 1);
    }
    AWAIT(fl_store_health(c.store) == FL_STORE_OK);
    FL_AUTO_BUF b = fl_buf_init(64 << 20);
    assert_ok(fl_store_read_journal(c.store, 0, 0, find_bodies, &b, &err));
    for (int i = 0; i < SENDERS; i++)
        for (int k = 0; k < x[i].sent; k++) {
            char text[40];
            snprintf(text, sizeof text, "body %d.%d.", i, k);
            const char *at = strstr(b.p, text);
            if (x[i].w[k].ok)
                assert_non_null(at);
            assert_true(!at || !strstr(at + 1, text));
            ok += (size_t)x[i].w[k].ok;
        }
    assert_true(ok > 100);
    fl_store_stats(c.store, &st);
    assert_true(st.journal_rows < st.journal_bodies);
    assert_true(st.reconnects > 0);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    for (int i = 0; i < SENDERS; i++)
        free(x[i].w);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_sender_its_own_row),
                                       cmocka_unit_test(test_nothing_passes_another_kind),
                                       cmocka_unit_test(test_some_keep_their_own_row),
                                       cmocka_unit_test(test_nothing_passes_a_long_body_of_its_sender),
                                       cmocka_unit_test(test_rows_are_bounded),
                                       cmocka_unit_test(test_each_request_is_answered),
                                       cmocka_unit_test(test_killed_between)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
