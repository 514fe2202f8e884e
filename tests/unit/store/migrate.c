/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/migrate.c -- migrations, roles, and what the engine's role may not do. */
#include "migrate_priv.h"
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pg_test *pg;

static void test_idempotent(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_migration_report r;
    const char *db = pg_test_database(pg, false);
    assert_ok(fl_migrate(db, true, &r, &err));
    assert_int_equal(r.applied, 0);
    assert_int_equal(r.current, 0);
    assert_non_null(strstr(r.text, "0001 roles: would be applied"));
    assert_string_equal(pg_test_sql(db, "SELECT to_regclass('faultline.journal') IS NULL"), "t");
    assert_ok(fl_migrate(db, false, &r, &err));
    assert_int_equal(r.applied, (int)fl_n_migrations);
    assert_int_equal(r.current, r.latest);
    assert_ok(fl_migrate(db, false, &r, &err));
    assert_int_equal(r.applied, 0);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.schema_migration"),
                     (long long)fl_n_migrations);
}

static void test_newer_schema_refused(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_migration_report r;
    const char *db = pg_test_database(pg, true);
    assert_int_equal(fl_migrate_known(db, false, fl_migrations, fl_n_migrations - 1, &r, &err),
                     FL_E_CONFLICT);
    assert_non_null(strstr(err.hint, "newer faultline"));
}

static void test_changed_text_refused(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_migration_report r;
    struct fl_migration copy[64];
    const char *db = pg_test_database(pg, true);
    assert_true(fl_n_migrations < 64);
    memcpy(copy, fl_migrations, fl_n_migrations * sizeof *copy);
    copy[1].n--;
    assert_int_equal(fl_migrate_known(db, false, copy, fl_n_migrations, &r, &err), FL_E_CORRUPT);
    assert_non_null(strstr(err.text, "0002"));
}

static void test_failed_migration_leaves_nothing(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_migration_report r;
    struct fl_migration copy[64];
    const char *db = pg_test_database(pg, true);
    static const char bad[] = "CREATE TABLE faultline.half (x int); SELECT 1/0";
    assert_true(fl_n_migrations < 64);
    memcpy(copy, fl_migrations, fl_n_migrations * sizeof *copy);
    copy[fl_n_migrations] = (struct fl_migration){fl_migrations[fl_n_migrations - 1].version + 1, "bad", bad,
                                                  sizeof bad - 1};
    assert_int_not_equal(fl_migrate_known(db, false, copy, fl_n_migrations + 1, &r, &err), FL_OK);
    assert_string_equal(err.sqlstate, "22012");
    assert_string_equal(pg_test_sql(db, "SELECT to_regclass('faultline.half') IS NULL"), "t");
    assert_ok(fl_migrate(db, false, &r, &err));
}

static void as(const char *db, const char *role, const char *sql, const char *expect)
{
    char text[512];
    snprintf(text, sizeof text, "SET ROLE %s; SET search_path = faultline; %s", role, sql);
    const char *got = pg_test_sql(db, text);
    if (strncmp(got, expect, strlen(expect)) != 0)
        fail_msg("%s: %s gave \"%s\", expected \"%s\"", role, sql, got, expect);
}

static void test_rights(void **state)
{
    (void)state;
    static const char *const denied[] = {"UPDATE audit SET reason = 'x'",
                                         "DELETE FROM audit",
                                         "TRUNCATE audit",
                                         "DROP TABLE audit",
                                         "ALTER TABLE audit DISABLE TRIGGER ALL",
                                         "SET session_replication_role = replica",
                                         "DROP TRIGGER audit_no_update ON audit",
                                         "UPDATE journal SET actor = 'x'",
                                         "DELETE FROM journal",
                                         "UPDATE token SET role = 'admin'",
                                         "DELETE FROM token",
                                         "CREATE TABLE faultline.x (y int)",
                                         "ALTER FUNCTION fence OWNER TO faultline_engine"};
    const char *db = pg_test_database(pg, true);
    static const char row[] =
        "INSERT INTO faultline.audit VALUES ('default', 1, now(), 1, 'a', 'b', 'c', '', 'r', '{}',"
        " decode(repeat('00', 32), 'hex'), decode(repeat('01', 32), 'hex'))";
    as(db, "faultline_engine", row, "");
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.audit"), 1);
    for (size_t i = 0; i < FL_ARRAY_LEN(denied); i++)
        as(db, "faultline_engine", denied[i], "ERROR 42501");
    /* The triggers stop even the superuser by accident. */
    assert_string_equal(pg_test_sql(db, "UPDATE faultline.audit SET reason = 'x'"), "ERROR 42501");
    assert_string_equal(pg_test_sql(db, "DELETE FROM faultline.audit"), "ERROR 42501");
    assert_string_equal(pg_test_sql(db, "TRUNCATE faultline.audit"), "ERROR 42501");
    static const char *const readable[] = {"incident_v", "alert_v", "timeline_v", "cause_v",   "run_v",
                                           "run_call_v", "audit_v", "journal_v",  "change_v",  "deadletter_v",
                                           "token_v",    "realm_v", "alert_full", "alert_text"};
    for (size_t i = 0; i < FL_ARRAY_LEN(readable); i++) {
        char sql[96];
        snprintf(sql, sizeof sql, "SELECT 'ok' || count(*) FROM %s", readable[i]);
        as(db, "faultline_reader", sql, "ok");
    }
    as(db, "faultline_reader", "SELECT hash FROM token", "ERROR 42501");
    as(db, "faultline_reader", "INSERT INTO incident_v (id) VALUES ('x')", "ERROR");
}

static void test_comments_everywhere(void **state)
{
    (void)state;
    const char *db = pg_test_database(pg, true);
    assert_string_equal(
        pg_test_sql(
            db,
            "SELECT coalesce(string_agg(c.relname || '.' || a.attname, ' '), '') FROM pg_class c"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
            " WHERE c.relnamespace = 'faultline'::regnamespace AND (c.relkind = 'r' OR c.relname = 'alert_full')"
            " AND c.relname <> 'schema_migration'"
            " AND col_description(c.oid, a.attnum) IS NULL"),
        "");
    assert_string_equal(
        pg_test_sql(
            db,
            "SELECT coalesce(string_agg(relname, ' '), '') FROM pg_class WHERE relnamespace = 'faultline'::regnamespace"
            " AND relkind IN ('r', 'v') AND obj_description(oid) IS NULL"),
        "");
}

static void test_environment_does_not_leak(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_migration_report r;
    const char *db = pg_test_database(pg, true);
    fl_pq_scrub_environment();
    assert_null(getenv("PGHOST"));
    assert_null(getenv("PGSERVICE"));
    assert_ok(fl_migrate(db, true, &r, &err));
}

static int setup(void **state)
{
    (void)state;
    /* Before the first connection: these would break it, were they heeded. */
    setenv("PGSERVICE", "nonsense", 1);
    setenv("PGHOST", "192.0.2.1", 1);
    setenv("PGOPTIONS", "-c nonsense=1", 1);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idempotent),
                                       cmocka_unit_test(test_newer_schema_refused),
                                       cmocka_unit_test(test_changed_text_refused),
                                       cmocka_unit_test(test_failed_migration_leaves_nothing),
                                       cmocka_unit_test(test_rights),
                                       cmocka_unit_test(test_comments_everywhere),
                                       cmocka_unit_test(test_environment_does_not_leak)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
