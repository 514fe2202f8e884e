/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/oom.c -- what the journal and a COPY do when memory runs out, at each of their allocations; and what becomes
 * of rows made of several bodies when the database refuses one. */
#include "oom.h"
#include "support.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_test *pg;

/* ---- short bodies that share a row ---- */

static const struct fl_alert one_alert = {.fingerprint = 7, .starts_at = 1};

static bool is_settled(void *ctx, fl_usec at)
{
    (void)ctx;
    return at > 0;
}

static struct fl_submission *body(const char *actor, const char *text)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *sub = fl_arena_calloc(a, 1, sizeof *sub);
    *sub = (struct fl_submission){.kind = FL_EV_ALERTS,
                                  .actor = fl_arena_strdup(a, actor),
                                  .source = "alertmanager-v2",
                                  .body = fl_arena_strdup(a, text),
                                  .body_len = strlen(text),
                                  .alerts = fl_arena_dup(a, &one_alert, sizeof one_alert),
                                  .n_alerts = 1,
                                  .numbered = is_settled,
                                  .arena = a};
    fl_sha256(text, sub->body_len, &sub->body_hash);
    return sub;
}

/* Appends the bodies of a row of this actor. */
static void show(const struct fl_submission *row, const char *actor, char *out)
{
    struct fl_err err = {0};
    const char *rest = row->body, *p = row->body;
    size_t left = row->body_len, n = row->body_len;
    if (strcmp(row->actor, actor) != 0)
        return;
    if (row->kind != FL_EV_ALERT_BODIES) {
        strncat(out, p, n);
        return;
    }
    while (fl_bodies_next(&rest, &left, &p, &n, &err) == FL_OK)
        strncat(out, p, n);
}

static const char *of_actor(struct fl_submission *const *v, size_t n, const char *actor)
{
    static char text[256];
    *text = 0;
    for (size_t i = 0; i < n; i++)
        show(v[i], actor, text);
    return text;
}

/* A body that finds no memory for the row it would share has its own; nobody's is lost, and each sender's stay in order,
 * also around what must not be passed. */
static void test_merge_without_memory(void **state)
{
    (void)state;
    size_t refusals = 0;
    bool refused = true;
    for (long k = 0; refused; k++) {
        struct fl_submission *v[] = {body("p", "1"), body("q", "a"), body("q", "b"), body("p", "2"),
                                     body("p", "3"), body("p", "X"), body("q", "c"), body("p", "4"),
                                     body("p", "5"), body("q", "d"), body("p", "6"), body("q", "e")};
        v[5]->kind = FL_EV_ALERT_EXPIRED;
        oom_begin(k);
        size_t n = fl_journal_merge(v, FL_ARRAY_LEN(v));
        refused = oom_end();
        refusals += refused;
        assert_true(refused ? n > 5 && n <= FL_ARRAY_LEN(v) : n == 5);
        assert_string_equal(of_actor(v, n, "p"), "123X456");
        assert_string_equal(of_actor(v, n, "q"), "abcde");
        size_t expired = 0;
        while (v[expired]->kind != FL_EV_ALERT_EXPIRED)
            expired++;
        assert_string_equal(of_actor(v, expired, "p"), "123");
        assert_string_equal(of_actor(v, expired, "q"), "ab");
        for (size_t i = 0; i < n; i++)
            fl_submission_drop(v[i], FL_OK);
    }
    assert_true(refusals > 4);
}

/* ---- a COPY ---- */

enum { PIECES = 40 };
static bool some_rows(void *ctx, struct fl_buf *out)
{
    int *n = ctx;
    char row[4096];
    memset(row, 'x', sizeof row);
    for (int i = 0; i < 1 + *n / 10; i++) {
        fl_buf_printf(out, "%d\t", *n);
        fl_buf_add(out, row, sizeof row);
        fl_buf_chr(out, '\n');
    }
    return ++*n < PIECES;
}

/* Out of memory at any piece: nothing of it is stored, the reason is told, and the connection goes on. */
static void test_copy_without_memory(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_pq_wait w = {0};
    FL_AUTO_PGCONN *c = NULL;
    const char *db = pg_test_database(pg, false);
    assert_ok(fl_pq_connect(db, &(struct fl_pq_options){.name = "oom"}, &c, &err));
    assert_int_equal(fl_pq_script(c, "CREATE TABLE public.t (n int, x text)", &w, &err), FL_PQ_NONE);
    size_t refusals = 0;
    bool refused = true;
    for (long k = 0; refused; k++) {
        int n = 0;
        FL_AUTO_PGRESULT *res = NULL;
        fl_err_clear(&err);
        oom_begin(k);
        fl_pq_fault f = fl_pq_copy(c, "COPY public.t FROM STDIN", some_rows, &n, &w, &err);
        refused = oom_end();
        refusals += refused;
        assert_int_equal(f, refused ? FL_PQ_AWAY : FL_PQ_NONE);
        if (refused)
            assert_string_equal(err.text, "out of memory for the rows of a table");
        assert_int_equal(fl_pq_exec(c, "SELECT count(*) FROM public.t", NULL, &w, &res, &err), FL_PQ_NONE);
        assert_int_equal(fl_pq_get_i64(res, 0, 0), refused ? 0 : 100);
    }
    assert_true(refusals > 1);
}

/* ---- a row that the database refuses, among rows of several bodies ---- */

struct waiter {
    _Atomic int ok, failed;
    _Atomic uint64_t seq;
    sem_t *hold; /* the journal thread waits for it */
};

static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct waiter *w = ctx;
    (void)at;
    w->seq = seq;
    if (st == FL_OK)
        w->ok++;
    else
        w->failed = (int)st;
    while (w->hold && sem_wait(w->hold) != 0)
        ;
}

static void send_body(struct fl_store *s, struct waiter *w, const char *actor, const char *text)
{
    struct fl_submission *sub = body(actor, text);
    sub->committed = on_committed;
    sub->ctx = w;
    assert_int_equal(fl_store_submit(s, sub), FL_OK);
}

static void audit_it(struct fl_effects *fx, const struct fl_event *ev)
{
    add_audit(fx, ev->seq, ev->seq);
}

/* The bodies of the refused row are told so, each; all others are stored, with their numbers and without a gap. */
static void test_a_refused_row_of_several_bodies(void **state)
{
    (void)state;
    sem_t sem;
    const char *db = pg_test_database(pg, true);
    static const char *const actors[] = {"a", "b", "bad", "c", "d", "e", "f"};
    enum { SENDERS = FL_ARRAY_LEN(actors) };
    struct counts c = {.echo = true, .fill = audit_it};
    struct waiter first = {.hold = &sem}, w[SENDERS][3] = {0};
    pg_test_sql(db, "ALTER TABLE faultline.journal ADD CHECK (actor <> 'bad')");
    sem_init(&sem, 0, 0);
    open_store(db, &c);
    send_body(c.store, &first, "a", "first");
    AWAIT(first.ok == 1); /* what comes now waits for one commit */
    for (size_t k = 0; k < 3; k++)
        for (size_t i = 0; i < SENDERS; i++)
            send_body(c.store, &w[i][k], actors[i], "{}");
    sem_post(&sem);
    AWAIT(fl_store_projected_seq(c.store) == SENDERS);
    for (size_t i = 0; i < SENDERS; i++)
        for (size_t k = 0; k < 3; k++) {
            bool bad = strcmp(actors[i], "bad") == 0;
            AWAIT(w[i][k].ok || w[i][k].failed);
            assert_int_equal(w[i][k].ok, !bad);
            assert_int_equal(w[i][k].failed, bad ? FL_E_INTERNAL : 0);
            assert_true(bad || w[i][k].seq == w[i][0].seq);
        }
    assert_string_equal(
        pg_test_sql(db, "SELECT count(*) || ' ' || max(seq) || ' ' || string_agg(actor, '' ORDER BY seq)"
                        " FROM faultline.journal"),
        "7 7 aabcdef");
    struct fl_store_stats st;
    fl_store_stats(c.store, &st);
    assert_int_equal(st.journal_rows, SENDERS);
    assert_int_equal(st.journal_bodies, 1 + 3 * (SENDERS - 1));
    assert_int_equal(fl_store_health(c.store), FL_STORE_OK);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    sem_destroy(&sem);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merge_without_memory),
                                       cmocka_unit_test(test_copy_without_memory),
                                       cmocka_unit_test(test_a_refused_row_of_several_bodies)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
