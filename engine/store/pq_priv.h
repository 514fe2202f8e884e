/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/pq_priv.h -- libpq with deadlines, binary parameters and arrays, error classes (private to the stage). */
#pragma once

#include <faultline/base.h>

#include <libpq-fe.h>

/* ---- retry policies: every wait for a thing that failed has a name here ------------------------------- */

struct fl_retry {
    const char *name;
    fl_usec first, most; /* delay doubles from first to most, each with jitter of a half */
    fl_usec budget;      /* give up after; 0 = never */
};
extern const struct fl_retry fl_retry_commit;    /* a batch was in flight when the connection went */
extern const struct fl_retry fl_retry_reconnect; /* the database is away */
extern const struct fl_retry fl_retry_lease;     /* another owner still holds the realm */
/** Delay before attempt `n` (from 0). */
fl_usec fl_retry_delay(const struct fl_retry *r, unsigned n);

/* ---- connections ---------------------------------------------------------------------------------------- */

struct fl_pq_options {
    const char *role;        /* SET ROLE; NULL = stay who we are */
    const char *name;        /* application_name (63 bytes) */
    fl_usec statement, lock; /* timeouts on the server's side; 0 = 30 s, 5 s */
    bool read_only;
    fl_usec patience; /* for the whole of connecting; 0 = 3 s */
};
/** Connect and set up the session. PG* variables of the environment are removed at the first call. */
FL_MUST_CHECK fl_status fl_pq_connect(const char *conninfo, const struct fl_pq_options *o, PGconn **ret,
                                      struct fl_err *err);
PGconn *fl_pq_close(PGconn *c);
void fl_pq_connfreep(PGconn **c);
#define FL_AUTO_PGCONN __attribute__((cleanup(fl_pq_connfreep))) PGconn
void fl_pq_clearp(PGresult **r);
#define FL_AUTO_PGRESULT __attribute__((cleanup(fl_pq_clearp))) PGresult
/** When a wait that began at `began` with `patience` ends: sooner once fl_store_hurry() has named an end. */
fl_usec fl_pq_deadline(fl_usec began, fl_usec patience);
/** The end that fl_store_hurry() named has passed. */
bool fl_pq_hurried(void);
/** Remove PGHOST, PGSERVICE, … from our environment, once. Before threads. */
void fl_pq_scrub_environment(void);

/* ---- parameters, all binary -------------------------------------------------------------------------------- */

#define FL_PQ_PARAMS_MAX 24
struct fl_pq_params {
    struct fl_arena *arena; /* of the scalars */
    int n;
    Oid types[FL_PQ_PARAMS_MAX];
    const char *values[FL_PQ_PARAMS_MAX];
    int lengths[FL_PQ_PARAMS_MAX], formats[FL_PQ_PARAMS_MAX];
    struct fl_buf bufs[FL_PQ_PARAMS_MAX]; /* of the arrays */
    bool failed;
};
void fl_pq_params_init(struct fl_pq_params *p, struct fl_arena *arena);
void fl_pq_params_done(struct fl_pq_params *p);
#define FL_AUTO_PARAMS __attribute__((cleanup(fl_pq_params_done))) struct fl_pq_params
void fl_pq_text(struct fl_pq_params *p, const char *s); /* NULL = null */
void fl_pq_i64(struct fl_pq_params *p, int64_t v);
void fl_pq_time(struct fl_pq_params *p, fl_usec t); /* 0 = null */
int64_t fl_pq_instant(fl_usec t);                   /* as PostgreSQL counts: from the year 2000 */
void fl_pq_bytes(struct fl_pq_params *p, const void *b, size_t n);

/** An array parameter is opened, gets one element per row, and is closed. */
typedef enum fl_pq_elem { FL_PQ_TEXT, FL_PQ_I64, FL_PQ_TIME, FL_PQ_BYTES, FL_PQ_REAL, FL_PQ_BOOL } fl_pq_elem;
struct fl_pq_array {
    struct fl_pq_params *p;
    struct fl_buf *b;
    int32_t n;
    fl_pq_elem elem;
};
struct fl_pq_array fl_pq_array(struct fl_pq_params *p, fl_pq_elem elem);
void fl_pq_array_end(struct fl_pq_array *a);
void fl_pq_add_text(struct fl_pq_array *a, const char *s); /* NULL = null */
void fl_pq_add_opt(struct fl_pq_array *a, const char *s);  /* NULL and "" = null */
void fl_pq_add_i64(struct fl_pq_array *a, int64_t v);
void fl_pq_add_time(struct fl_pq_array *a, fl_usec t); /* 0 = null */
void fl_pq_add_bytes(struct fl_pq_array *a, const void *b, size_t n);
void fl_pq_add_real(struct fl_pq_array *a, double v);
void fl_pq_add_bool(struct fl_pq_array *a, bool v);

/* ---- statements --------------------------------------------------------------------------------------------- */

/** What a failed statement means for us. */
typedef enum fl_pq_fault {
    FL_PQ_NONE,
    FL_PQ_LOST,   /* the connection is gone: the outcome is unknown */
    FL_PQ_AWAY,   /* refused for now, certainly not done: disk full, read-only, shutting down, timeout */
    FL_PQ_DATA,   /* this very row: will never work */
    FL_PQ_FENCED, /* FL001 */
    FL_PQ_MOVED,  /* FL002: projected_seq is not where we thought */
} fl_pq_fault;

struct fl_pq_wait {
    fl_usec patience;                        /* for the whole statement; 0 = 5 s */
    void (*tick)(void *ctx, fl_usec waited); /* about every 100 ms; may be NULL */
    void *ctx;
    const _Atomic bool *hurry; /* once true, 4 s of the patience are left at most; may be NULL */
};
/**
 * Run one statement, results in binary. Never blocks longer than the patience: then the connection is dead.
 * @param p    may be NULL.
 * @param ret  may be NULL; cleared by the caller.
 */
FL_MUST_CHECK fl_pq_fault fl_pq_exec(PGconn *c, const char *sql, const struct fl_pq_params *p,
                                     const struct fl_pq_wait *w, PGresult **ret, struct fl_err *err);
/**
 * COPY … FROM STDIN. `fill` appends the next piece to an empty buffer, false: it was the last one. Whatever the outcome,
 * the connection is ready for the next command, but for FL_PQ_LOST; in a transaction, an error aborts it.
 */
FL_MUST_CHECK fl_pq_fault fl_pq_copy(PGconn *c, const char *sql, bool (*fill)(void *ctx, struct fl_buf *out),
                                     void *ctx, const struct fl_pq_wait *w, struct fl_err *err);
/** Several commands in one text without parameters (simple protocol). */
FL_MUST_CHECK fl_pq_fault fl_pq_script(PGconn *c, const char *sql, const struct fl_pq_wait *w,
                                       struct fl_err *err);
/** Parse a statement once for this connection; fl_pq_stmt.prepared then names it. Types are those of `p`, whose values
 *  do not matter. */
FL_MUST_CHECK fl_pq_fault fl_pq_prepare(PGconn *c, const char *name, const char *sql,
                                        const struct fl_pq_params *p, struct fl_err *err);
/** n statements as one implicit transaction in one round trip (pipeline). *ret_bad = the one that failed. */
struct fl_pq_stmt {
    const char *sql;
    const struct fl_pq_params *p;
    const char *prepared; /* instead of sql */
};
FL_MUST_CHECK fl_pq_fault fl_pq_batch(PGconn *c, const struct fl_pq_stmt *v, size_t n,
                                      const struct fl_pq_wait *w, size_t *ret_bad, struct fl_err *err);
fl_status fl_pq_status(fl_pq_fault f);
/** True when an idle connection is still there (reads what the server may have said meanwhile). */
bool fl_pq_alive(PGconn *c);

/* ---- binary results ------------------------------------------------------------------------------------------ */

int64_t fl_pq_get_i64(const PGresult *r, int row, int col); /* 0 when null */
fl_usec fl_pq_get_time(const PGresult *r, int row, int col);
const char *fl_pq_get_text(const PGresult *r, int row, int col); /* "" when null; borrowed */
void fl_pq_get_hash(const PGresult *r, int row, int col, struct fl_sha256 *ret);
