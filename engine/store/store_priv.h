/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/store_priv.h -- what the store's threads share (private to the stage). */
#pragma once

#include "pq_priv.h"

#include <faultline/effects.h>
#include <faultline/log.h>
#include <faultline/queue.h>
#include <faultline/store.h>

#include <pthread.h>
#include <stdatomic.h>

#define FL_BATCH_ITEMS 2048 /* submissions in one journal transaction */
#define FL_BATCH_BYTES ((size_t)16 << 20)
#define FL_MERGE_BODY 4096           /* bytes of a body that may share a row … */
#define FL_MERGE_BYTES (128 << 10)   /* … of at most this many bytes … */
#define FL_MERGE_BODIES 128          /* … and this many bodies (FL_BODIES_MAX is what a reader takes) */
#define FL_PROJECT_STEPS 1024        /* steps … */
#define FL_PROJECT_PAUSE (20 * 1000) /* microseconds between commits nobody waits for */
#define FL_PROJECT_ROWS 20000        /* … and rows in one projection transaction, which a take-over waits for */
#define FL_LEASE (10 * FL_USEC_PER_SEC)
#define FL_STALL (2 * FL_USEC_PER_SEC) /* a commit that takes longer: stop accepting until it ends */

struct fl_step { /* one step on its way to the projector */
    struct fl_effects *fx;
    struct fl_submission *sub; /* may be NULL (recovery) */
};

/* Whether intake needs the processor. Journal thread, but for hot_until. */
struct fl_pace {
    fl_usec since, idle; /* of the window that runs */
    uint64_t ticks_idle, ticks_all;
    bool full;
    _Atomic fl_usec hot_until; /* mono */
};

struct fl_store {
    struct fl_store_options o;
    char *conninfo, *realm, *owner;
    char tag[17]; /* short name of this process in application_name */
    uint64_t epoch;
    fl_usec lease;
    struct fl_queue *journal_q, *project_q, *letter_q;
    pthread_t journal_t, project_t, keeper_t;
    bool journal_on, project_on, keeper_on;
    pthread_mutex_t aux_lock; /* aux: snapshots and recovery reads, by whoever calls */
    PGconn *aux, *journal_c, *project_c, *keeper_c;
    pthread_mutex_t stop_lock;
    pthread_cond_t stop_cond; /* keeper's clock, and waits that a close ends */
    /* Shared by threads, hence atomic. */
    _Atomic bool closing, abandon; /* abandon: patience is over, give up what is left */
    _Atomic bool journal_down, project_down, stalled, fenced;
    _Atomic uint64_t last_seq, projected_seq;
    _Atomic uint64_t last_weight,
        projected_weight; /* bytes of the events up to there, from when the store was opened */
    _Atomic uint64_t journal_rows, journal_bodies, journal_commits, journal_bytes, projected_steps,
        projected_rows, projector_commits, errors, reconnects, refused_full, refused_down, skipped_rows;
    /* held, bytes: as counted last; dropped: ever; lost: of them those no row tells of yet */
    _Atomic uint64_t letters_held, letters_bytes, letters_dropped, letters_lost;
    fl_usec last_at; /* journal thread only */
    struct fl_pace pace;
};

/** Sleep that a close ends early. @return false when abandoning. */
bool fl_store_nap(struct fl_store *s, fl_usec d);
/** A session of the engine's role; `what` names the thread. Ends an older session of the same thread that hangs. */
FL_MUST_CHECK fl_status fl_store_session(struct fl_store *s, const char *what, PGconn **ret,
                                         struct fl_err *err);
/** The session of snapshots and recovery reads, made again when it is lost. Caller holds aux_lock. */
FL_MUST_CHECK fl_status fl_store_aux(struct fl_store *s, PGconn **ret, struct fl_err *err);
void fl_store_fence(struct fl_store *s, const char *why);

void *fl_journal_thread(void *store);
/** A session with the journal's statements parsed. */
FL_MUST_CHECK fl_status fl_journal_connect(struct fl_store *s, struct fl_err *err);
/** Short bodies of one sender and format become one row (journal_merge.c). v[n] is packed. @return how many are left. */
size_t fl_journal_merge(struct fl_submission **v, size_t n);
/** One transaction's statements for these rows, in `a`. @return how many; 0: out of memory. */
size_t fl_journal_statements(struct fl_store *s, struct fl_submission *const *sub, size_t n_sub,
                             struct fl_arena *a, struct fl_pq_stmt **ret);
void *fl_projector_thread(void *store);
FL_MUST_CHECK fl_status fl_projector_connect(struct fl_store *s, struct fl_err *err);
void *fl_keeper_thread(void *store);
FL_MUST_CHECK fl_status fl_lease_take(struct fl_store *s, PGconn *c, struct fl_err *err);
void fl_lease_release(struct fl_store *s, PGconn *c);
/** Free a submission with its arena; tell its waiter first when `answer` is not FL_OK. */
void fl_submission_drop(struct fl_submission *sub, fl_status answer);
/** Write queued dead letters (keeper thread). */
void fl_letters_write(struct fl_store *s);
/** How many there are, for the figures (keeper thread; keeper_c is there). */
void fl_letters_count(struct fl_store *s);
void fl_letters_free(struct fl_store *s);

size_t fl_store_lag_allowed(const struct fl_store *s);
/** How far the projections are behind, in events of FL_EVENT_BYTES: what derived work costs goes by what is in a body. */
uint64_t fl_store_lag(const struct fl_store *s);
#define FL_EVENT_BYTES 32768     /* a body of some 64 alerts counts as one event … */
#define FL_EVENT_LEAST_BYTES 512 /* … and none counts as less than a 64th */
static inline uint64_t fl_event_weight(size_t body_len)
{
    return body_len > FL_EVENT_LEAST_BYTES ? body_len : FL_EVENT_LEAST_BYTES;
}
/** The journal thread waited `idle` for something to do. */
void fl_pace_note(struct fl_store *s, fl_usec idle);
/** Per cent of its time that derived work keeps while intake is busy. */
unsigned fl_pace_share(uint64_t lag, size_t allowed);
/** How long it rests for after it has worked so long, at most 2 s. */
fl_usec fl_pace_rest(fl_usec worked, uint64_t lag, size_t allowed);
/** Are the processors full, of whose time `spent` nobody used `unused`? Once they are, `was`, they are until much more is
 *  left: what is free only because derived work rests is not free. */
bool fl_pace_full(bool was, uint64_t spent, uint64_t unused);

/* ---- rows.c, rows_sort.c, rows_copy.c: the rows of a batch of steps ------------------------------------------- */

#define FL_ROW_KINDS (FL_FX_AUDIT + 1)
enum { /* rows of alerts that are not written as whatever is there */
       FL_ROWS_ALERT_NEW = FL_ROW_KINDS,
       FL_ROWS_ALERT_STATE,
       FL_ROWS_ALERT_TIMES,
       FL_ROW_TABLES,
};
struct fl_rows {
    struct fl_arena *arena;
    struct {
        const struct fl_fx **v;
        size_t n;
    } kind[FL_ROW_TABLES];
    size_t n;
};
/** Sort the rows of steps by kind; of several states of one thing only the last is kept, which takes over what an earlier
 *  one says of an alert's row (is_new, texts, why). They point into the steps. NULL: out of memory. */
struct fl_rows *fl_rows_new(struct fl_step *const *steps, size_t n);
struct fl_rows *fl_rows_free(struct fl_rows *r);
bool fl_rows_can_copy(size_t table);
/** All of these rows by COPY, in the transaction that is open and ends with step `seq`. One that is there already fails all.
 *  Texts of alerts go to a table of their own, many in a row. */
FL_MUST_CHECK fl_pq_fault fl_rows_copy(struct fl_store *s, size_t table, const struct fl_fx *const *v, size_t n,
                                       uint64_t seq, const struct fl_pq_wait *w, struct fl_err *err);
/** "[]" is null in the database. */
const char *fl_rows_list(const char *list);
/** Write them and move projected_seq, in one transaction. Data errors are looked for row by row. */
FL_MUST_CHECK fl_pq_fault fl_rows_write(struct fl_store *s, const struct fl_rows *r, uint64_t from,
                                        uint64_t to, struct fl_err *err);
/** Topology rows, one version at a time (topology_rows.c). */
FL_MUST_CHECK fl_pq_fault fl_topology_write(PGconn *c, const char *realm, const struct fl_topology_row *t,
                                            struct fl_err *err);
/** Read a page of journal rows and visit them; *after moves. *ret_more false at the end. */
FL_MUST_CHECK fl_status fl_journal_page(PGconn *c, const char *realm, uint64_t *after, uint64_t until,
                                        bool *ret_more,
                                        fl_status (*visit)(void *ctx, const struct fl_event *ev), void *ctx,
                                        struct fl_err *err);
