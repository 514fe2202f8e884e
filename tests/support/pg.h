/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/support/pg.h -- a throw-away PostgreSQL for C tests; works as root and as a plain user.
 * A test without PostgreSQL fails: it is never skipped. */
#pragma once

#include <faultline/store.h>

struct pg_test;
/** A fresh private cluster in a temporary folder. @param durable false: fsync off (fast). Aborts on failure. */
struct pg_test *pg_test_start(bool durable);
/** Stop it and remove its folder. */
struct pg_test *pg_test_stop(struct pg_test *t);
struct fl_cluster *pg_test_cluster(struct pg_test *t);
const char *pg_test_dir(const struct pg_test *t);
/** A new empty database in it, migrated when `migrate`. The conninfo is good until pg_test_stop. */
const char *pg_test_database(struct pg_test *t, bool migrate);
/** Run SQL as superuser; returns the first column of the first row as text ("" when none), or "ERROR sqlstate".
 *  In one of eight buffers used in turn. */
const char *pg_test_sql(const char *conninfo, const char *sql);
long long pg_test_number(const char *conninfo, const char *sql);
