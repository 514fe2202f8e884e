/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/cluster.c -- the private cluster: start, stop, kill -9 of either side, second process. */
#include "cluster_priv.h"
#include "pq_priv.h"
#include "support.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char dir[64];

static int setup(void **state)
{
    (void)state;
    /* A blank in the path: people have them. */
    snprintf(dir, sizeof dir, "/tmp/fl cluster-XXXXXX");
    return fl_base_init() == FL_OK && mkdtemp(dir) && chmod(dir, 0711) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    fl_remove_tree(dir);
    return 0;
}

static void test_start_find_stop(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_cluster *c = NULL;
    char found[256];
    assert_int_equal(fl_cluster_find(dir, found, sizeof found, &err), FL_E_NOTFOUND);
    assert_ok(fl_cluster_start(dir, &c, &err));
    const char *ci = fl_cluster_conninfo(c);
    assert_ok(fl_cluster_find(dir, found, sizeof found, &err));
    assert_string_equal(found, ci);
    assert_string_equal(pg_test_sql(ci, "SHOW fsync"), "on");
    assert_string_equal(pg_test_sql(ci, "SHOW full_page_writes"), "on");
    assert_string_equal(pg_test_sql(ci, "SHOW synchronous_commit"), "on");
    assert_string_equal(pg_test_sql(ci, "SHOW data_checksums"), "on");
    assert_string_equal(pg_test_sql(ci, "SHOW listen_addresses"), "");
    assert_string_equal(pg_test_sql(ci, "SHOW server_encoding"), "UTF8");
    assert_string_equal(pg_test_sql(ci, "SHOW lc_collate"), "C.UTF-8");
    pg_test_sql(ci, "CREATE TABLE kept AS SELECT 42 AS x");
    struct fl_cluster *second = NULL;
    assert_int_equal(fl_cluster_start(dir, &second, &err), FL_E_CONFLICT);
    pid_t pid = fl_cluster_pid(c);
    c = fl_cluster_stop(c);
    assert_false(fl_pid_runs(pid));
    assert_int_equal(fl_cluster_find(dir, found, sizeof found, NULL), FL_E_NOTFOUND);
    assert_ok(fl_cluster_start(dir, &c, &err));
    assert_string_equal(pg_test_sql(fl_cluster_conninfo(c), "SELECT x FROM kept"), "42");
    fl_cluster_stop(c);
}

/* A statement that would take an hour: once the process is about to end, nothing waits for it. */
static void test_a_hurry_ends_waits(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_cluster *c = NULL;
    PGconn *conn = NULL;
    assert_ok(fl_cluster_start(dir, &c, &err));
    struct fl_pq_options o = {.name = "hurry", .statement = 3600 * FL_USEC_PER_SEC};
    struct fl_pq_wait patient = {.patience = 3600 * FL_USEC_PER_SEC};
    assert_ok(fl_pq_connect(fl_cluster_conninfo(c), &o, &conn, &err));
    fl_store_hurry(fl_mono() + FL_USEC_PER_SEC / 5);
    assert_int_equal(fl_pq_script(conn, "SELECT pg_sleep(3600)", &patient, &err), FL_PQ_LOST);
    conn = fl_pq_close(conn);
    /* The end has passed; what answers at once is still heard. */
    assert_ok(fl_pq_connect(fl_cluster_conninfo(c), &o, &conn, &err));
    assert_int_equal(fl_pq_script(conn, "SELECT 1", &patient, &err), FL_PQ_NONE);
    fl_pq_close(conn);
    fl_cluster_stop(c);
    fl_store_hurry(0);
}

static void test_server_killed(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_cluster *c = NULL;
    char before[256];
    assert_ok(fl_cluster_start(dir, &c, &err));
    snprintf(before, sizeof before, "%s", fl_cluster_conninfo(c));
    for (int i = 0; i < 3; i++) {
        pid_t pid = fl_cluster_pid(c);
        kill(pid, SIGKILL);
        while (fl_pid_runs(pid))
            usleep(1000);
        assert_ok(fl_cluster_check(c, &err));
        assert_int_not_equal(fl_cluster_pid(c), pid);
        assert_string_equal(fl_cluster_conninfo(c), before); /* whoever knew it need not ask again */
        assert_string_equal(pg_test_sql(before, "SELECT x FROM kept"), "42");
    }
    fl_cluster_stop(c);
}

static pid_t start_in_child(bool kill_server)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct fl_cluster *c = NULL;
        if (fl_cluster_start(dir, &c, NULL) != FL_OK)
            _exit(1);
        if (kill_server)
            kill(fl_cluster_pid(c), SIGKILL);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
    return pid;
}

/* The engine dies, its server lives on: taken over. Both die, a stale postmaster.pid stays: started anew. */
static void test_engine_killed(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_cluster *c = NULL;
    char found[256];
    start_in_child(false);
    assert_ok(fl_cluster_find(dir, found, sizeof found, &err));
    char server[32];
    snprintf(server, sizeof server, "%s", pg_test_sql(found, "SELECT pg_postmaster_start_time()"));
    assert_ok(fl_cluster_start(dir, &c, &err));
    assert_string_equal(fl_cluster_conninfo(c), found);
    assert_int_equal(strncmp(pg_test_sql(found, "SELECT pg_postmaster_start_time()"), server, strlen(server)),
                     0);
    assert_string_equal(pg_test_sql(found, "SELECT x FROM kept"), "42");
    assert_ok(fl_cluster_check(c, &err));
    fl_cluster_stop(c);
    start_in_child(true);
    assert_ok(fl_cluster_start(dir, &c, &err));
    assert_string_equal(pg_test_sql(fl_cluster_conninfo(c), "SELECT x FROM kept"), "42");
    fl_cluster_stop(c);
}

/* A frozen leftover answers nobody: it is ended, not waited for. */
static void test_frozen_leftover(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_cluster *c = NULL;
    char found[256], path[128], text[32] = "";
    start_in_child(false);
    assert_ok(fl_cluster_find(dir, found, sizeof found, &err));
    snprintf(path, sizeof path, "%s/pg/postmaster.pid", dir);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof text, f));
    fclose(f);
    kill((pid_t)atoi(text), SIGSTOP);
    assert_ok(fl_cluster_start(dir, &c, &err));
    assert_string_equal(pg_test_sql(fl_cluster_conninfo(c), "SELECT x FROM kept"), "42");
    fl_cluster_stop(c);
}

static void test_unusable_folder(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_cluster *c = NULL;
    assert_int_equal(fl_cluster_start("/proc/nothing/here", &c, &err), FL_E_IO);
    assert_non_null(strstr(err.text, "could not make folder"));
    assert_null(c);
}

/* As root the server runs as postgres; here all of it as a plain user. */
static void test_plain_user(void **state)
{
    (void)state;
    const struct passwd *pw = getpwnam("nobody");
    if (geteuid() != 0)
        return; /* the other tests were it */
    assert_non_null(pw);
    pid_t pid = fork();
    if (pid == 0) {
        char own[] = "/tmp/fl-user-XXXXXX";
        struct fl_cluster *c = NULL;
        if (setgroups(0, NULL) || setgid(pw->pw_gid) || setuid(pw->pw_uid) || !mkdtemp(own) ||
            setenv("HOME", own, 1))
            _exit(2);
        if (fl_cluster_start(own, &c, NULL) != FL_OK)
            _exit(3);
        bool ok = strcmp(pg_test_sql(fl_cluster_conninfo(c), "SELECT 'up'"), "up") == 0;
        fl_cluster_stop(c);
        fl_remove_tree(own);
        _exit(ok ? 0 : 4);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_find_stop), cmocka_unit_test(test_a_hurry_ends_waits),
        cmocka_unit_test(test_server_killed),   cmocka_unit_test(test_engine_killed),
        cmocka_unit_test(test_frozen_leftover), cmocka_unit_test(test_unusable_folder),
        cmocka_unit_test(test_plain_user)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
