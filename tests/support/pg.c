/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/support/pg.c -- contract in pg.h. */
#include "pg.h"

#include "../../engine/store/cluster_priv.h"
#include "../../engine/store/pq_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pg_test {
    char dir[64];
    struct fl_cluster *cluster;
    char conninfo[64][256];
    int n;
};

static _Noreturn void give_up(const char *what, const struct fl_err *err)
{
    fprintf(stderr, "test fixture: %s: %s (%s) %s\n", what, err->text, err->where, err->hint);
    exit(99);
}

struct pg_test *pg_test_start(bool durable)
{
    struct fl_err err = {0};
    struct pg_test *t = calloc(1, sizeof *t);
    snprintf(t->dir, sizeof t->dir, "/tmp/fl-test-XXXXXX");
    if (fl_base_init() != FL_OK || !mkdtemp(t->dir) || chmod(t->dir, geteuid() == 0 ? 0711 : 0700) != 0)
        exit(99);
    if (fl_cluster_start_as(t->dir, durable, &t->cluster, &err) != FL_OK)
        give_up("could not start PostgreSQL", &err);
    return t;
}

struct pg_test *pg_test_stop(struct pg_test *t)
{
    if (t) {
        t->cluster = fl_cluster_stop(t->cluster);
        fl_remove_tree(t->dir);
        free(t);
    }
    return NULL;
}

struct fl_cluster *pg_test_cluster(struct pg_test *t)
{
    return t->cluster;
}

const char *pg_test_dir(const struct pg_test *t)
{
    return t->dir;
}

const char *pg_test_database(struct pg_test *t, bool migrate)
{
    struct fl_err err = {0};
    struct fl_migration_report report;
    char sql[64], name[32];
    if (t->n == (int)FL_ARRAY_LEN(t->conninfo))
        exit(99);
    snprintf(name, sizeof name, "t%d", t->n);
    snprintf(sql, sizeof sql, "CREATE DATABASE %s", name);
    const char *admin = fl_cluster_conninfo(t->cluster);
    if (strncmp(pg_test_sql(admin, sql), "ERROR", 5) == 0)
        exit(99);
    char *out = t->conninfo[t->n++];
    snprintf(out, sizeof t->conninfo[0], "%.*sdbname=%s sslmode=disable",
             (int)(strstr(admin, "dbname=") - admin), admin, name);
    if (migrate && fl_migrate(out, false, &report, &err) != FL_OK)
        give_up("could not migrate", &err);
    return out;
}

const char *pg_test_sql(const char *conninfo, const char *sql)
{
    static char bufs[8][4096];
    static int turn;
    char *out = bufs[turn++ % 8];
    fl_pq_scrub_environment();
    PGconn *c = PQconnectdb(conninfo);
    PGresult *r = PQexec(c, sql);
    ExecStatusType s = PQresultStatus(r);
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    out[0] = '\0';
    if (s != PGRES_TUPLES_OK && s != PGRES_COMMAND_OK)
        snprintf(out, sizeof bufs[0], "ERROR %s", state ? state : PQerrorMessage(c));
    else if (PQntuples(r) > 0 && PQnfields(r) > 0)
        snprintf(out, sizeof bufs[0], "%s", PQgetvalue(r, 0, 0));
    PQclear(r);
    PQfinish(c);
    return out;
}

long long pg_test_number(const char *conninfo, const char *sql)
{
    const char *s = pg_test_sql(conninfo, sql);
    if (strncmp(s, "ERROR", 5) == 0) {
        fprintf(stderr, "%s: %s\n", sql, s);
        exit(99);
    }
    return strtoll(s, NULL, 10);
}
