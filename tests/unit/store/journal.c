/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/journal.c -- the journal writer: order, gaps, lost databases, fencing. */
#include "cluster_priv.h"
#include "support.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

static struct pg_test *pg;

struct sender {
    struct counts *c;
    int n, id;
    _Atomic bool *stop;
    int accepted;
};

static void *send_many(void *arg)
{
    struct sender *x = arg;
    for (int i = 0; i < x->n && !(x->stop && *x->stop); i++) {
        char body[6000];
        memset(body, ' ', sizeof body);
        int n = snprintf(body, sizeof body, "sender %d message %d", x->id, i);
        body[n] = ' ';
        /* Short bodies share a statement, long ones have each their own: both in one transaction. */
        size_t len = i % 3 ? (size_t)n : sizeof body;
        fl_status st;
        while ((st = submit(x->c->store, x->c, FL_EV_TICK, body, len)) == FL_E_FULL)
            usleep(1000);
        if (st == FL_OK)
            x->accepted++;
        else
            usleep(2000);
    }
    return NULL;
}

static void test_gapless_with_eight_senders(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    struct sender x[8];
    pthread_t t[8];
    for (int i = 0; i < 8; i++) {
        x[i] = (struct sender){.c = &c, .n = 500, .id = i};
        pthread_create(&t[i], NULL, send_many, &x[i]);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    AWAIT(c.answered == 4000);
    assert_int_equal(c.ok, 4000);
    assert_false(c.out_of_order);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.journal"), 4000);
    assert_int_equal(pg_test_number(db, "SELECT max(seq) FROM faultline.journal"), 4000);
    assert_int_equal(
        pg_test_number(db, "SELECT count(*) FROM (SELECT at < lag(at) OVER (ORDER BY seq) AS back FROM"
                           " faultline.journal) x WHERE back"),
        0);
    assert_int_equal(
        pg_test_number(db, "SELECT count(*) FROM faultline.journal WHERE sha256(body) <> body_hash"), 0);
    assert_int_equal(
        pg_test_number(db, "SELECT count(*) FROM faultline.journal WHERE octet_length(body) = 6000"),
        8 * 167);
    /* Each sender's own messages keep their order. */
    assert_int_equal(
        pg_test_number(db,
                       "SELECT count(*) FROM (SELECT split_part(convert_from(body, 'UTF8'), ' ', 4)::int <"
                       " lag(split_part(convert_from(body, 'UTF8'), ' ', 4)::int) OVER (PARTITION BY"
                       " split_part(convert_from(body, 'UTF8'), ' ', 2) ORDER BY seq) AS back FROM"
                       " faultline.journal) x WHERE back"),
        0);
    struct fl_store_stats st;
    fl_store_stats(c.store, &st);
    assert_true(st.journal_commits < 4000); /* groups, not one by one */
    assert_int_equal(st.projected_seq, 4000);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
}

static fl_status keep_body(void *ctx, const struct fl_event *ev)
{
    struct fl_buf *b = ctx;
    fl_buf_add(b, ev->body, ev->body_len);
    fl_buf_printf(b, "|%llu|%s|%s|", (unsigned long long)ev->seq, ev->actor, fl_event_kind_name(ev->kind));
    return FL_OK;
}

static void test_bytes_come_back(void **state)
{
    (void)state;
    struct fl_err err = {0};
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    static const char nul[] = "a\0b\xff\xfe";
    assert_int_equal(submit(c.store, &c, FL_EV_ALERTS, nul, sizeof nul - 1), FL_OK);
    static const char call[] = "{\"run\":\"RUN-7\",\"n\":1}";
    assert_int_equal(submit(c.store, &c, FL_EV_RUN_CALL, call, sizeof call - 1), FL_OK);
    AWAIT(c.answered == 2);
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    assert_ok(fl_store_read_journal(c.store, 0, 0, keep_body, &b, &err));
    assert_memory_equal(b.p, nul, sizeof nul - 1);
    assert_non_null(memmem(b.p, b.n, "|1|tester|alerts|{\"run\"", 23));
    assert_string_equal(pg_test_sql(db, "SELECT run FROM faultline.journal WHERE seq = 2"), "RUN-7");
    assert_string_equal(pg_test_sql(db, "SELECT bool_and(sha256(body) = body_hash) FROM faultline.journal"),
                        "t");
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    /* Numbers go on after a restart, at once: the lease was released. */
    struct counts d = {.echo = true};
    fl_usec began = fl_mono();
    open_store(db, &d);
    assert_true(fl_mono() - began < 5 * FL_USEC_PER_SEC);
    assert_int_equal(fl_store_epoch(d.store), 2);
    assert_int_equal(submit(d.store, &d, FL_EV_TICK, "", 0), FL_OK);
    AWAIT(d.answered == 1);
    assert_int_equal(d.last_seq, 3);
    fl_store_close(d.store, 5 * FL_USEC_PER_SEC);
}

static void test_bad_actor_is_refused_alone(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true}, bad = {0};
    open_store(db, &c);
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *sub = fl_arena_calloc(a, 1, sizeof *sub);
    *sub = (struct fl_submission){
        .kind = FL_EV_TICK, .actor = "\xff", .source = "", .body = "", .arena = a, .ctx = &bad};
    assert_int_equal(fl_store_submit(c.store, sub), FL_OK);
    assert_int_equal(submit(c.store, &c, FL_EV_TICK, "x", 1), FL_OK);
    AWAIT(c.answered == 1);
    assert_int_equal(c.last_seq, 1);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
}

/* Sessions are killed all the time: whatever was answered OK is there, whatever is there was delivered once. */
static void test_sessions_killed_under_load(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    _Atomic bool stop = false;
    struct sender x[4];
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        x[i] = (struct sender){.c = &c, .n = 1000000, .id = i, .stop = &stop};
        pthread_create(&t[i], NULL, send_many, &x[i]);
    }
    /* However slow the machine is: until enough got through, but not for ever. */
    for (int i = 0; i < 20 || (c.ok <= 100 && i < 400); i++) {
        usleep(60000);
        pg_test_sql(
            db,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'faultline journal%'"
            " OR application_name LIKE 'faultline projector%'");
    }
    stop = true;
    int accepted = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        accepted += x[i].accepted;
    }
    AWAIT(c.ok + c.failed == accepted);
    assert_true(c.ok > 100);
    assert_false(c.out_of_order &&
                 c.delivered == c.ok); /* a row settled late leaves a hole in what was answered */
    AWAIT(fl_store_projected_seq(c.store) == (uint64_t)c.delivered);
    struct fl_store_stats st;
    fl_store_stats(c.store, &st);
    assert_true(st.reconnects > 0);
    assert_true(c.delivered >= c.ok);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.journal"), c.delivered);
    assert_int_equal(pg_test_number(db, "SELECT max(seq) FROM faultline.journal"), c.delivered);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), c.delivered);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
}

static void test_server_killed_under_load(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct pg_test *own = pg_test_start(true);
    const char *db = pg_test_database(own, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    _Atomic bool stop = false;
    struct sender x[4];
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        x[i] = (struct sender){.c = &c, .n = 1000000, .id = i, .stop = &stop};
        pthread_create(&t[i], NULL, send_many, &x[i]);
    }
    for (int i = 0; i < 3; i++) {
        int before = c.ok;
        AWAIT(c.ok > before + 50);
        kill(fl_cluster_pid(pg_test_cluster(own)), SIGKILL);
        AWAIT(fl_store_health(c.store) == FL_STORE_DOWN);
        /* While it is away a submission is refused at once. */
        assert_int_equal(submit(c.store, &c, FL_EV_TICK, "x", 1), FL_E_UNAVAILABLE);
        AWAIT(fl_cluster_check(pg_test_cluster(own), &err) == FL_OK);
        AWAIT(fl_store_health(c.store) == FL_STORE_OK);
    }
    stop = true;
    int accepted = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], NULL);
        accepted += x[i].accepted;
    }
    AWAIT(c.ok + c.failed == accepted);
    assert_false(c.out_of_order && c.delivered == c.ok);
    AWAIT(fl_store_projected_seq(c.store) == (uint64_t)c.delivered);
    assert_true(c.delivered >= c.ok);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.journal"), c.delivered);
    assert_int_equal(pg_test_number(db, "SELECT max(seq) FROM faultline.journal"), c.delivered);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), c.delivered);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    pg_test_stop(own);
}

/* The answer to a commit never arrives: the server is frozen after it got the statement. */
static void test_outcome_unknown(void **state)
{
    (void)state;
    struct pg_test *own = pg_test_start(false);
    const char *db = pg_test_database(own, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    assert_int_equal(submit(c.store, &c, FL_EV_TICK, "first", 5), FL_OK);
    AWAIT(c.answered == 1);
    pid_t backend = (pid_t)pg_test_number(
        db, "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'faultline journal%'");
    pid_t master = fl_cluster_pid(pg_test_cluster(own));
    kill(backend, SIGSTOP);
    kill(master, SIGSTOP);
    fl_usec began = fl_mono();
    assert_int_equal(submit(c.store, &c, FL_EV_TICK, "in doubt", 8), FL_OK);
    AWAIT(c.failed == 1);
    assert_int_equal(c.last_status, FL_E_UNAVAILABLE);
    assert_true(fl_mono() - began < 9 * FL_USEC_PER_SEC);
    assert_int_equal(fl_store_health(c.store), FL_STORE_DOWN);
    /* It wakes up and commits what it was sent: the row is there though nobody was told. The core must see it. */
    kill(backend, SIGCONT);
    kill(master, SIGCONT);
    AWAIT(fl_store_health(c.store) == FL_STORE_OK);
    assert_int_equal(submit(c.store, &c, FL_EV_TICK, "after", 5), FL_OK);
    AWAIT(c.answered == 2); /* first and after: the one in doubt is not called again */
    int rows = (int)pg_test_number(db, "SELECT count(*) FROM faultline.journal");
    assert_int_equal(c.delivered, rows);
    assert_int_equal(c.failed, 1);
    assert_int_equal(pg_test_number(db, "SELECT max(seq) FROM faultline.journal"), rows);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    pg_test_stop(own);
}

struct shared {
    _Atomic int opened, go, committed, health, submit;
};

static void child(const char *db, struct shared *sh)
{
    struct counts c = {.echo = true};
    struct fl_err err = {0};
    struct fl_store_options o = options(db, &c);
    o.owner = "first";
    o.lease = FL_USEC_PER_SEC;
    if (fl_store_open(&o, &c.store, &err) != FL_OK)
        _exit(3);
    sh->opened = (int)fl_store_epoch(c.store);
    while (!sh->go)
        usleep(1000);
    sh->submit = submit(c.store, &c, FL_EV_TICK, "stale", 5);
    for (int i = 0; i < 10000 && fl_store_health(c.store) != FL_STORE_FENCED; i++)
        usleep(1000);
    sh->committed = c.ok;
    sh->health = (int)fl_store_health(c.store);
    fl_store_close(c.store, FL_USEC_PER_SEC);
    _exit(0);
}

/* A frozen owner wakes up after another took over: nothing of it is written any more. */
static void test_fencing(void **state)
{
    (void)state;
    struct fl_err err = {0};
    const char *db = pg_test_database(pg, true);
    struct shared *sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0)
        child(db, sh);
    AWAIT(sh->opened == 1);
    /* The owner is alive and renews: refused after a while, not waiting for ever. */
    struct counts c = {.echo = true};
    struct fl_store_options o = options(db, &c);
    o.lease = FL_USEC_PER_SEC;
    assert_int_equal(fl_store_open(&o, &c.store, &err), FL_E_CONFLICT);
    assert_non_null(strstr(err.text, "first"));
    kill(pid, SIGSTOP);
    assert_ok(fl_store_open(&o, &c.store, &err));
    assert_int_equal(fl_store_epoch(c.store), 2);
    assert_int_equal(submit(c.store, &c, FL_EV_TICK, "mine", 4), FL_OK);
    AWAIT(c.answered == 1);
    sh->go = 1;
    kill(pid, SIGCONT);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(sh->health, FL_STORE_FENCED);
    assert_int_equal(sh->committed, 0);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.journal"), 1);
    assert_int_equal(fl_store_health(c.store), FL_STORE_OK);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    munmap(sh, sizeof *sh);
}

/* A killed owner on the same host is known to be dead: no waiting for its lease. */
static void test_dead_owner_is_followed_at_once(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct shared *sh = mmap(NULL, sizeof *sh, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct counts c = {.echo = true};
        struct fl_err err = {0};
        struct fl_store_options o = options(db, &c);
        o.lease = 600 * FL_USEC_PER_SEC;
        if (fl_store_open(&o, &c.store, &err) != FL_OK)
            _exit(3);
        sh->opened = 1;
        for (;;)
            pause();
    }
    AWAIT(sh->opened);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    struct counts c = {.echo = true};
    open_store(db, &c);
    assert_int_equal(fl_store_epoch(c.store), 2);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    munmap(sh, sizeof *sh);
}

/* The lag is counted by what the bodies weigh: many small events are not many large ones. */
static void test_lag_goes_by_bytes(void **state)
{
    (void)state;
    struct fl_err err = {0};
    static char body[40000];
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = false}; /* nothing is ever projected */
    struct fl_store_options o = options(db, &c);
    o.lag_events = 1;
    assert_ok(fl_store_open(&o, &c.store, &err));
    int n = 0;
    while (n < 1000 && submit(c.store, &c, FL_EV_TICK, "x", 1) == FL_OK) {
        n++;
        AWAIT(c.ok == n);
    }
    assert_int_equal(n, 2 * FL_EVENT_BYTES / FL_EVENT_LEAST_BYTES);
    assert_true(fl_store_is_behind(c.store));
    fl_store_close(c.store, 0);
    /* After a restart what was left counts. */
    assert_ok(fl_store_open(&o, &c.store, &err));
    assert_true(fl_store_is_behind(c.store));
    fl_store_close(c.store, 0);

    struct counts d = {.echo = false};
    db = pg_test_database(pg, true);
    o = options(db, &d);
    o.lag_events = 2;
    assert_ok(fl_store_open(&o, &d.store, &err));
    n = 0;
    while (n < 1000 && submit(d.store, &d, FL_EV_TICK, body, sizeof body) == FL_OK) {
        n++;
        AWAIT(d.ok == n);
    }
    assert_int_equal(n, 3);
    fl_store_close(d.store, 0);

    /* What is projected counts no more, to the byte. */
    struct counts e = {.echo = true};
    db = pg_test_database(pg, true);
    o = options(db, &e);
    o.lag_events = 1;
    assert_ok(fl_store_open(&o, &e.store, &err));
    for (int i = 1; i <= 20; i++) {
        assert_int_equal(submit(e.store, &e, FL_EV_TICK, body, (size_t)i * 1900), FL_OK);
        AWAIT(e.answered == i);
    }
    assert_int_equal(e.store->last_weight, e.store->projected_weight);
    fl_store_close(e.store, 5 * FL_USEC_PER_SEC);
}

static void test_closing_refuses(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    struct counts c = {.echo = true};
    open_store(db, &c);
    for (int i = 0; i < 200; i++)
        assert_int_equal(submit(c.store, &c, FL_EV_TICK, "x", 1), FL_OK);
    fl_store_drain(c.store, 10 * FL_USEC_PER_SEC);
    assert_int_equal(c.ok, 200);
    assert_int_equal(fl_store_projected_seq(c.store), 200);
    assert_int_equal(submit(c.store, &c, FL_EV_TICK, "x", 1), FL_E_UNAVAILABLE);
    fl_store_close(c.store, 5 * FL_USEC_PER_SEC);
    assert_int_equal(c.answered, 200);
    assert_string_equal(pg_test_sql(db, "SELECT owner FROM faultline.realm"), "");
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bytes_come_back),
                                       cmocka_unit_test(test_gapless_with_eight_senders),
                                       cmocka_unit_test(test_bad_actor_is_refused_alone),
                                       cmocka_unit_test(test_closing_refuses),
                                       cmocka_unit_test(test_lag_goes_by_bytes),
                                       cmocka_unit_test(test_fencing),
                                       cmocka_unit_test(test_dead_owner_is_followed_at_once),
                                       cmocka_unit_test(test_sessions_killed_under_load),
                                       cmocka_unit_test(test_outcome_unknown),
                                       cmocka_unit_test(test_server_killed_under_load)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
