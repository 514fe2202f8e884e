/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/migrate.c -- forward-only migrations embedded in the binary; contract in <faultline/store.h>. */
#include "migrate_priv.h"
#include "pq_priv.h"

#include <stdio.h>
#include <string.h>

/* Any number will do as long as every Faultline uses the same. */
#define LOCK_SQL "SELECT pg_advisory_lock(7047301172354867574)"

static const struct fl_pq_wait patient = {.patience = 600 * FL_USEC_PER_SEC};

static const char bootstrap[] = "CREATE SCHEMA IF NOT EXISTS faultline;"
                                "CREATE TABLE IF NOT EXISTS faultline.schema_migration ("
                                " version integer PRIMARY KEY, name text NOT NULL, hash bytea NOT NULL,"
                                " applied_at timestamptz NOT NULL DEFAULT now(), program text NOT NULL)";

static void say(struct fl_migration_report *r, const char *what, int version, const char *name)
{
    size_t n = strlen(r->text);
    snprintf(r->text + n, sizeof r->text - n, "%04d %s: %s\n", version, name, what);
}

/* The rows there are must be a prefix of what we know, with the same text. */
static fl_status compare(const PGresult *have, const struct fl_migration *known, size_t n_known,
                         struct fl_migration_report *rep, struct fl_err *err)
{
    for (int i = 0; i < PQntuples(have); i++) {
        int64_t version = fl_pq_get_i64(have, i, 0);
        if ((size_t)i >= n_known || known[i].version != version) {
            fl_fail(err, FL_E_CONFLICT, "schema",
                    "the database has migration %lld, this program knows up to %d", (long long)version,
                    n_known ? known[n_known - 1].version : 0);
            fl_hint(err, "run a newer faultline, or restore a backup from before the upgrade");
            return FL_E_CONFLICT;
        }
        struct fl_sha256 in_db, ours;
        fl_pq_get_hash(have, i, 1, &in_db);
        fl_sha256(known[i].sql, known[i].n, &ours);
        if (memcmp(&in_db, &ours, sizeof ours) != 0) {
            fl_fail(err, FL_E_CORRUPT, known[i].name, "migration %04d was applied with another text",
                    known[i].version);
            fl_hint(
                err,
                "an applied migration never changes: this program and the database do not belong together");
            return FL_E_CORRUPT;
        }
        rep->current = known[i].version;
        say(rep, "applied before", known[i].version, known[i].name);
    }
    return FL_OK;
}

static fl_status apply(PGconn *c, const struct fl_migration *m, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    struct fl_sha256 h;
    fl_pq_params_init(&p, a);
    fl_sha256(m->sql, m->n, &h);
    fl_pq_i64(&p, m->version);
    fl_pq_text(&p, m->name);
    fl_pq_bytes(&p, h.b, sizeof h.b);
    fl_pq_text(&p, "faultline " FL_VERSION);
    fl_pq_fault f = fl_pq_script(c, "BEGIN", &patient, err);
    if (!f)
        f = fl_pq_script(c, m->sql, &patient, err);
    if (!f)
        f = fl_pq_exec(c,
                       "INSERT INTO faultline.schema_migration (version, name, hash, program)"
                       " VALUES ($1, $2, $3, $4)",
                       &p, &patient, NULL, err);
    if (!f)
        f = fl_pq_script(c, "COMMIT", &patient, err);
    if (f && f != FL_PQ_LOST) {
        fl_pq_fault g = fl_pq_script(c, "ROLLBACK", &patient, NULL);
        (void)g; /* the connection is closed next anyway */
    }
    if (f)
        fl_err_within(err, "migration %04d %s: ", m->version, m->name);
    return fl_pq_status(f);
}

static fl_status run(PGconn *c, bool dry_run, const struct fl_migration *known, size_t n_known,
                     struct fl_migration_report *rep, struct fl_err *err)
{
    FL_AUTO_PGRESULT *exists = NULL, *have = NULL;
    fl_pq_fault f = fl_pq_exec(c, "SELECT to_regclass('faultline.schema_migration') IS NOT NULL", NULL, NULL,
                               &exists, err);
    if (!f && !dry_run && !fl_pq_get_i64(exists, 0, 0))
        f = fl_pq_script(c, bootstrap, &patient, err);
    else if (!f && dry_run && !fl_pq_get_i64(exists, 0, 0))
        f = fl_pq_exec(c, "SELECT 0, ''::bytea WHERE false", NULL, NULL, &have, err);
    if (!f && !have)
        f = fl_pq_exec(c, "SELECT version, hash FROM faultline.schema_migration ORDER BY version", NULL,
                       &patient, &have, err);
    if (f)
        return fl_pq_status(f);
    fl_status st = compare(have, known, n_known, rep, err);
    for (size_t i = (size_t)PQntuples(have); !st && i < n_known; i++) {
        if (!dry_run) {
            st = apply(c, &known[i], err);
            if (st)
                break;
            rep->current = known[i].version;
            rep->applied++;
        }
        say(rep, dry_run ? "would be applied" : "applied", known[i].version, known[i].name);
    }
    return st;
}

fl_status fl_migrate_known(const char *conninfo, bool dry_run, const struct fl_migration *known,
                           size_t n_known, struct fl_migration_report *ret, struct fl_err *err)
{
    *ret = (struct fl_migration_report){.latest = n_known ? known[n_known - 1].version : 0};
    FL_AUTO_PGCONN *c = NULL;
    struct fl_pq_options o = {.name = "faultline migrate",
                              .statement = 600 * FL_USEC_PER_SEC,
                              .lock = 60 * FL_USEC_PER_SEC,
                              .patience = 10 * FL_USEC_PER_SEC};
    fl_status st = fl_pq_connect(conninfo, &o, &c, err);
    if (st)
        return st;
    /* The lock goes with the connection. Engines that start together wait here for the first one. */
    FL_AUTO_PGRESULT *lock = NULL;
    fl_pq_fault f = fl_pq_exec(c, LOCK_SQL, NULL, &patient, &lock, err);
    return f ? fl_pq_status(f) : run(c, dry_run, known, n_known, ret, err);
}

fl_status fl_migrate(const char *conninfo, bool dry_run, struct fl_migration_report *ret, struct fl_err *err)
{
    return fl_migrate_known(conninfo, dry_run, fl_migrations, fl_n_migrations, ret, err);
}
