/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/pq.c -- connections and statements with deadlines; contract in pq_priv.h. */
#include "pq_priv.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

const struct fl_retry fl_retry_commit = {"commit", 20000, 200000, 800000};
const struct fl_retry fl_retry_reconnect = {"reconnect", 100000, 2000000, 0};
const struct fl_retry fl_retry_lease = {"lease", 100000, 300000, 0};

fl_usec fl_retry_delay(const struct fl_retry *r, unsigned n)
{
    fl_usec d = r->first;
    while (n-- && d < r->most)
        d *= 2;
    if (d > r->most)
        d = r->most;
    uint32_t x;
    fl_random(&x, sizeof x);
    return d / 2 + (fl_usec)((uint64_t)d / 2 * x / UINT32_MAX);
}

/* libpq fills every option we leave open from these, and empty values count as open: so they have to go. */
static void scrub(void)
{
    for (char **e = environ; e && *e;) {
        const char *eq = strchr(*e, '=');
        char name[64];
        size_t n = eq ? (size_t)(eq - *e) : 0;
        if (n > 2 && n < sizeof name && strncmp(*e, "PG", 2) == 0 && (*e)[2] >= 'A' && (*e)[2] <= 'Z') {
            memcpy(name, *e, n);
            name[n] = '\0';
            unsetenv(name);
        } else {
            e++;
        }
    }
}

void fl_pq_scrub_environment(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, scrub);
}

PGconn *fl_pq_close(PGconn *c)
{
    if (c)
        PQfinish(c);
    return NULL;
}

void fl_pq_connfreep(PGconn **c)
{
    *c = fl_pq_close(*c);
}

void fl_pq_clearp(PGresult **r)
{
    PQclear(*r);
    *r = NULL;
}

/* First line of libpq's message, without its final newline and period. */
static void first_line(const char *msg, char *out, size_t cap)
{
    size_t n = strcspn(msg, "\n");
    while (n && (msg[n - 1] == '.' || msg[n - 1] == ' '))
        n--;
    snprintf(out, cap, "%.*s", (int)(n < cap ? n : cap - 1), msg);
}

static fl_status connection_failed(PGconn *c, struct fl_err *err)
{
    char line[400];
    first_line(c ? PQerrorMessage(c) : "out of memory", line, sizeof line);
    fl_fail(err, FL_E_UNAVAILABLE, "database", "could not connect: %s", line);
    fl_hint(err, "check that PostgreSQL runs and that the connection string is right");
    return FL_E_UNAVAILABLE;
}

/* ---- the process is stopping ------------------------------------------------------------------------------ */

/* Time a statement still gets when the hurry is over: an answer that is on its way arrives within it. */
#define HURRY_LEFT 300000
static _Atomic fl_usec hurry_until; /* 0 = no hurry */

void fl_store_hurry(fl_usec until)
{
    hurry_until = until;
}

bool fl_pq_hurried(void)
{
    fl_usec until = hurry_until;
    return until && fl_mono() >= until;
}

fl_usec fl_pq_deadline(fl_usec began, fl_usec patience)
{
    fl_usec until = hurry_until;
    if (!until || began + patience <= until)
        return began + patience;
    fl_usec last = began + (patience < HURRY_LEFT ? patience : HURRY_LEFT);
    return last > until ? last : until;
}

/* Wait until the socket is ready or the deadline; false on the deadline. */
static bool wait_socket(PGconn *c, short events, fl_usec deadline)
{
    struct pollfd p = {.fd = PQsocket(c), .events = events};
    for (;;) {
        fl_usec left = deadline - fl_mono();
        if (left <= 0)
            return false;
        int r = poll(&p, 1, (int)(left / 1000 + 1));
        if (r > 0)
            return true;
        if (r < 0 && errno != EINTR)
            return true; /* let libpq find out */
    }
}

static fl_status start(const char *conninfo, const char *name, fl_usec deadline, PGconn **ret,
                       struct fl_err *err)
{
    static const char *const keys[] = {"dbname",           "fallback_application_name", "application_name",
                                       "client_encoding",  "keepalives_idle",           "keepalives_interval",
                                       "keepalives_count", "tcp_user_timeout",          NULL};
    /* expand_dbname: the conninfo (or URL) comes first, so what follows overrides it. */
    const char *values[] = {conninfo, "faultline", name, "UTF8", "10", "3", "3", "5000", NULL};
    FL_AUTO_PGCONN *c = PQconnectStartParams(keys, values, 1);
    if (!c || PQstatus(c) == CONNECTION_BAD)
        return connection_failed(c, err);
    PostgresPollingStatusType s = PGRES_POLLING_WRITING;
    while (s != PGRES_POLLING_OK) {
        if (s == PGRES_POLLING_FAILED)
            return connection_failed(c, err);
        if (!wait_socket(c, s == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline))
            return fl_fail(err, FL_E_UNAVAILABLE, "database", "could not connect: no answer in time");
        s = PQconnectPoll(c);
    }
    if (PQsetnonblocking(c, 1) != 0)
        return connection_failed(c, err);
    *ret = c;
    c = NULL;
    return FL_OK;
}

static void no_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

fl_status fl_pq_connect(const char *conninfo, const struct fl_pq_options *o, PGconn **ret, struct fl_err *err)
{
    fl_pq_scrub_environment();
    fl_usec deadline = fl_pq_deadline(fl_mono(), o->patience ? o->patience : 3 * FL_USEC_PER_SEC);
    FL_AUTO_PGCONN *c = NULL;
    fl_status st = start(conninfo, o->name ? o->name : "faultline", deadline, &c, err);
    if (st)
        return st;
    PQsetNoticeReceiver(c, no_notice, NULL);
    char sql[640], role[96] = "";
    if (o->role)
        snprintf(role, sizeof role, "SET ROLE %s;", o->role);
    snprintf(sql, sizeof sql,
             "SET statement_timeout = %lld; SET lock_timeout = %lld;"
             "SET idle_in_transaction_session_timeout = 30000; SET synchronous_commit = on;"
             "SET standard_conforming_strings = on; SET TimeZone = 'UTC'; SET DateStyle = ISO;"
             "SET client_min_messages = error; %s %s SET search_path = faultline, pg_catalog",
             (long long)((o->statement ? o->statement : 30 * FL_USEC_PER_SEC) / 1000),
             (long long)((o->lock ? o->lock : 5 * FL_USEC_PER_SEC) / 1000), role,
             o->read_only ? "SET default_transaction_read_only = on;" : "");
    struct fl_pq_wait w = {.patience = deadline - fl_mono() > 100000 ? deadline - fl_mono() : 100000};
    fl_pq_fault f = fl_pq_script(c, sql, &w, err);
    if (f)
        return fl_pq_status(f);
    *ret = c;
    c = NULL;
    return FL_OK;
}

/* ---- statements ------------------------------------------------------------------------------------------- */

fl_status fl_pq_status(fl_pq_fault f)
{
    switch (f) {
    case FL_PQ_NONE: return FL_OK;
    case FL_PQ_LOST:
    case FL_PQ_AWAY: return FL_E_UNAVAILABLE;
    case FL_PQ_FENCED: return FL_E_FENCED;
    case FL_PQ_MOVED: return FL_E_CONFLICT;
    case FL_PQ_DATA: break;
    }
    return FL_E_INTERNAL;
}

static fl_pq_fault classify(const char *state)
{
    /* 08 connection, 25006 read-only, 40 rollback, 53 resources, 55 not in state, 57 operator, 58 system, 3D000 no
     * database, 28 login: all may pass. Anything else is about the statement or its data. */
    static const char *const away[] = {"08", "25006", "40", "53", "55", "57", "58", "3D", "28", "XX", "F0"};
    if (strcmp(state, "FL001") == 0)
        return FL_PQ_FENCED;
    if (strcmp(state, "FL002") == 0)
        return FL_PQ_MOVED;
    for (size_t i = 0; i < FL_ARRAY_LEN(away); i++)
        if (strncmp(state, away[i], strlen(away[i])) == 0)
            return FL_PQ_AWAY;
    return FL_PQ_DATA;
}

static fl_pq_fault lost(PGconn *c, const char *what, struct fl_err *err)
{
    char line[400];
    first_line(PQerrorMessage(c), line, sizeof line);
    fl_fail(err, FL_E_UNAVAILABLE, "database", "%s%s%s", what, line[0] ? ": " : "", line);
    return FL_PQ_LOST;
}

static fl_pq_fault judge(PGconn *c, const PGresult *r, struct fl_err *err)
{
    switch (PQresultStatus(r)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_PIPELINE_SYNC:
    case PGRES_EMPTY_QUERY: return FL_PQ_NONE;
    default: break;
    }
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    /* No SQLSTATE: libpq itself made the error up, so the connection broke under the statement. */
    if (!state)
        return lost(c, "connection lost", err);
    fl_pq_fault f = classify(state);
    /* A backend that is being ended says so (57P01..04) and is gone; it rolled back what was not committed yet,
     * but a crash message may come after the commit record: treat as unknown. */
    if (strncmp(state, "57P", 3) == 0)
        f = FL_PQ_LOST;
    char line[400];
    first_line(text ? text : "unknown error", line, sizeof line);
    bool first = err && !err->status;
    fl_fail(err, fl_pq_status(f), "database", "%s (SQLSTATE %s)", line, state);
    if (first)
        snprintf(err->sqlstate, sizeof err->sqlstate, "%s", state);
    return f;
}

#define TICK 100000
#define HURRY (4 * FL_USEC_PER_SEC)

/* Push out what is queued and read until a result is complete. Reading while writing keeps both sides moving. */
static bool pump(PGconn *c, const struct fl_pq_wait *w, fl_usec began)
{
    fl_usec patience = w && w->patience ? w->patience : 5 * FL_USEC_PER_SEC, deadline = began + patience;
    bool hurried = false;
    for (;;) {
        int unsent = PQflush(c);
        if (unsent < 0)
            return false;
        if (!unsent && !PQisBusy(c))
            return true;
        fl_usec now = fl_mono();
        if (!hurried && w && w->hurry && *w->hurry) {
            hurried = true;
            deadline = now + HURRY < deadline ? now + HURRY : deadline;
        }
        /* Asked each time: a stop may begin while this waits. */
        fl_usec last = fl_pq_deadline(began, patience);
        if (now >= deadline || now >= last)
            return false;
        struct pollfd p = {.fd = PQsocket(c), .events = (short)(POLLIN | (unsent ? POLLOUT : 0))};
        fl_usec left = deadline - now < TICK ? deadline - now : TICK;
        int r = poll(&p, 1, (int)(left / 1000 + 1));
        if (r > 0 && (p.revents & (POLLIN | POLLERR | POLLHUP)) && !PQconsumeInput(c))
            return false;
        if (w && w->tick && fl_mono() - began >= TICK)
            w->tick(w->ctx, fl_mono() - began);
    }
}

/* Results up to the end of one command; the last one that matters is kept. */
static fl_pq_fault collect(PGconn *c, const struct fl_pq_wait *w, fl_usec began, PGresult **ret,
                           struct fl_err *err)
{
    fl_pq_fault f = FL_PQ_NONE;
    FL_AUTO_PGRESULT *kept = NULL;
    for (;;) {
        if (!pump(c, w, began))
            return lost(c, "no answer from the database", err);
        PGresult *r = PQgetResult(c);
        if (!r)
            break;
        fl_pq_fault one = judge(c, r, err);
        if (!f)
            f = one;
        PQclear(kept);
        kept = r;
    }
    if (!f && PQstatus(c) == CONNECTION_BAD)
        return lost(c, "connection lost", err);
    if (!f && ret) {
        *ret = kept;
        kept = NULL;
    }
    return f;
}

fl_pq_fault fl_pq_exec(PGconn *c, const char *sql, const struct fl_pq_params *p, const struct fl_pq_wait *w,
                       PGresult **ret, struct fl_err *err)
{
    if (p && p->failed) {
        fl_fail(err, FL_E_NOMEM, "database", "out of memory for the parameters of a statement");
        return FL_PQ_DATA;
    }
    fl_usec began = fl_mono();
    int ok = p ? PQsendQueryParams(c, sql, p->n, p->types, p->values, p->lengths, p->formats, 1)
               : PQsendQueryParams(c, sql, 0, NULL, NULL, NULL, NULL, 1);
    return ok ? collect(c, w, began, ret, err) : lost(c, "could not send", err);
}

fl_pq_fault fl_pq_script(PGconn *c, const char *sql, const struct fl_pq_wait *w, struct fl_err *err)
{
    fl_usec began = fl_mono();
    return PQsendQuery(c, sql) ? collect(c, w, began, NULL, err) : lost(c, "could not send", err);
}

/* One piece out of memory, or as much of it as the server has room for. */
static bool put_piece(PGconn *c, const struct fl_buf *b, const struct fl_pq_wait *w, fl_usec began)
{
    int r;
    while ((r = b->n ? PQputCopyData(c, b->p, (int)b->n) : 1) == 0)
        if (!pump(c, w, began))
            return false;
    return r > 0 && pump(c, w, began);
}

static bool end_copy(PGconn *c, const char *problem, const struct fl_pq_wait *w, fl_usec began)
{
    int r;
    while ((r = PQputCopyEnd(c, problem)) == 0)
        if (!pump(c, w, began))
            return false;
    return r > 0;
}

fl_pq_fault fl_pq_copy(PGconn *c, const char *sql, bool (*fill)(void *ctx, struct fl_buf *out), void *ctx,
                       const struct fl_pq_wait *w, struct fl_err *err)
{
    fl_usec began = fl_mono();
    if (!PQsendQuery(c, sql))
        return lost(c, "could not send", err);
    if (!pump(c, w, began))
        return lost(c, "no answer from the database", err);
    PGresult *r = PQgetResult(c);
    bool ready = PQresultStatus(r) == PGRES_COPY_IN;
    fl_pq_fault f = ready ? FL_PQ_NONE : r ? judge(c, r, err) : lost(c, "connection lost", err);
    PQclear(r);
    if (!ready) {
        fl_pq_fault rest = f == FL_PQ_LOST ? f : collect(c, w, began, NULL, NULL);
        return rest ? rest : f;
    }
    FL_AUTO_BUF b = fl_buf_init(0);
    for (bool more = true; more && !b.failed;) {
        fl_buf_reset(&b);
        more = fill(ctx, &b);
        if (!b.failed && !put_piece(c, &b, w, began))
            return lost(c, "no answer from the database", err);
    }
    if (!end_copy(c, b.failed ? "out of memory" : NULL, w, began))
        return lost(c, "no answer from the database", err);
    bool failed = b.failed;
    f = collect(c, w, began, NULL, failed ? NULL : err);
    if (failed && f != FL_PQ_LOST) {
        fl_fail(err, FL_E_NOMEM, "database", "out of memory for the rows of a table");
        f = FL_PQ_AWAY;
    }
    return f;
}

fl_pq_fault fl_pq_prepare(PGconn *c, const char *name, const char *sql, const struct fl_pq_params *p,
                          struct fl_err *err)
{
    fl_usec began = fl_mono();
    return PQsendPrepare(c, name, sql, p->n, p->types) ? collect(c, NULL, began, NULL, err)
                                                       : lost(c, "could not send", err);
}

static int send_one(PGconn *c, const struct fl_pq_stmt *v)
{
    const struct fl_pq_params *p = v->p;
    if (v->prepared)
        return PQsendQueryPrepared(c, v->prepared, p->n, p->values, p->lengths, p->formats, 1);
    return p ? PQsendQueryParams(c, v->sql, p->n, p->types, p->values, p->lengths, p->formats, 1)
             : PQsendQueryParams(c, v->sql, 0, NULL, NULL, NULL, NULL, 1);
}

static fl_pq_fault drain_batch(PGconn *c, size_t n, const struct fl_pq_wait *w, fl_usec began,
                               size_t *ret_bad, struct fl_err *err)
{
    fl_pq_fault f = FL_PQ_NONE;
    /* Each statement gives results and a NULL; then the sync gives one. After an error the rest say "aborted". */
    for (size_t i = 0; i <= n;) {
        if (!pump(c, w, began))
            return lost(c, "no answer from the database", err);
        FL_AUTO_PGRESULT *r = PQgetResult(c);
        if (!r) {
            if (PQstatus(c) == CONNECTION_BAD)
                return lost(c, "connection lost", err);
            i++;
            continue;
        }
        ExecStatusType s = PQresultStatus(r);
        if (s == PGRES_PIPELINE_SYNC)
            break;
        if (s == PGRES_PIPELINE_ABORTED)
            continue;
        fl_pq_fault one = judge(c, r, err);
        if (one && !f) {
            f = one;
            *ret_bad = i;
        }
        if (one == FL_PQ_LOST)
            return one;
    }
    return f;
}

fl_pq_fault fl_pq_batch(PGconn *c, const struct fl_pq_stmt *v, size_t n, const struct fl_pq_wait *w,
                        size_t *ret_bad, struct fl_err *err)
{
    fl_usec began = fl_mono();
    *ret_bad = 0;
    for (size_t i = 0; i < n; i++)
        if (v[i].p && v[i].p->failed) {
            *ret_bad = i;
            fl_fail(err, FL_E_NOMEM, "database", "out of memory for the parameters of a statement");
            return FL_PQ_AWAY;
        }
    if (!PQenterPipelineMode(c))
        return lost(c, "could not send", err);
    for (size_t i = 0; i < n; i++)
        if (!send_one(c, &v[i]))
            return lost(c, "could not send", err);
    if (!PQpipelineSync(c))
        return lost(c, "could not send", err);
    fl_pq_fault f = drain_batch(c, n, w, began, ret_bad, err);
    if (f != FL_PQ_LOST && !PQexitPipelineMode(c))
        return lost(c, "connection out of step", err);
    return f;
}

bool fl_pq_alive(PGconn *c)
{
    if (!c || PQstatus(c) != CONNECTION_OK)
        return false;
    struct pollfd p = {.fd = PQsocket(c), .events = POLLIN};
    /* A server's last words come before the end of its connection: read until nothing is left. */
    for (int i = 0; i < 8 && poll(&p, 1, 0) > 0; i++)
        if (!PQconsumeInput(c))
            return false;
    return PQstatus(c) == CONNECTION_OK;
}
