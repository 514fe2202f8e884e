/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/journal.c -- the journal writer: group commit, outcome unknown, reconnect. Its rows: journal_rows.c. */
#include "store_priv.h"

#include <inttypes.h>
#include <string.h>

/* Rows of one transaction. Their seq and at stay the same over retries. */
struct batch {
    struct fl_submission **v;
    size_t n;
};

/* ---- one transaction ---------------------------------------------------------------------------------------- */

/* While one commit hangs nobody else should wait for it in vain. */
static void on_tick(void *ctx, fl_usec waited)
{
    struct fl_store *s = ctx;
    if (waited < FL_STALL)
        return;
    s->stalled = true;
    void *items[64];
    for (size_t n; (n = fl_queue_pop(s->journal_q, items, FL_ARRAY_LEN(items), fl_mono())) > 0;)
        for (size_t i = 0; i < n; i++) {
            struct fl_submission *sub = items[i];
            s->refused_down++;
            if (sub->committed)
                sub->committed(sub->ctx, FL_E_UNAVAILABLE, 0, 0);
            fl_submission_drop(sub, FL_OK);
        }
}

enum { SLOWEST_BYTES_A_SECOND = 4 << 20 };

/* Silence while the database stores a body of tens of megabytes on a busy machine is no sign that it is away. */
static fl_usec patience_for(const struct batch *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->n; i++)
        bytes += b->v[i]->body_len;
    return (5 + (fl_usec)(bytes / SLOWEST_BYTES_A_SECOND)) * FL_USEC_PER_SEC;
}

static fl_pq_fault insert(struct fl_store *s, const struct batch *b, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_pq_wait w = {.patience = patience_for(b), .tick = on_tick, .ctx = s};
    struct fl_pq_stmt *v = NULL;
    size_t bad, n = a ? fl_journal_statements(s, b->v, b->n, a, &v) : 0;
    if (!n) {
        fl_fail(err, FL_E_NOMEM, "journal", "out of memory");
        return FL_PQ_AWAY;
    }
    fl_crash_point("journal.commit");
    fl_pq_fault f = fl_pq_batch(s->journal_c, v, n, &w, &bad, err);
    fl_crash_point("journal.committed");
    for (size_t i = 0; i < n; i++)
        fl_pq_params_done((struct fl_pq_params *)(uintptr_t)v[i].p);
    s->stalled = false;
    return f;
}

/* After a lost connection: is the batch there? The lock waits for the old session's transaction, if it still runs. */
static fl_pq_fault look_up(struct fl_store *s, const struct batch *b, bool *ret_there, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p, q;
    FL_AUTO_PGRESULT *lock = NULL, *r = NULL;
    struct fl_pq_wait w = {.patience = FL_USEC_PER_SEC};
    fl_pq_params_init(&p, a);
    fl_pq_params_init(&q, a);
    fl_pq_text(&p, s->realm);
    fl_pq_text(&q, s->realm);
    fl_pq_i64(&q, (int64_t)b->v[0]->event.seq);
    fl_pq_i64(&q, (int64_t)b->v[b->n - 1]->event.seq);
    fl_pq_fault f = fl_pq_script(s->journal_c, "BEGIN", &w, err);
    if (!f)
        f = fl_pq_exec(s->journal_c, "SELECT epoch FROM realm WHERE name = $1 FOR UPDATE", &p, &w, &lock,
                       err);
    if (!f && (PQntuples(lock) != 1 || (uint64_t)fl_pq_get_i64(lock, 0, 0) != s->epoch))
        f = FL_PQ_FENCED;
    if (!f)
        f = fl_pq_exec(
            s->journal_c,
            "SELECT seq, body_hash FROM journal WHERE realm = $1 AND seq BETWEEN $2 AND $3 ORDER BY seq", &q,
            &w, &r, err);
    if (!f)
        f = fl_pq_script(s->journal_c, "COMMIT", &w, err);
    if (f) {
        s->journal_c = fl_pq_close(s->journal_c);
        return f == FL_PQ_FENCED ? f : FL_PQ_LOST;
    }
    size_t same = 0;
    for (int i = 0; i < PQntuples(r) && (size_t)i < b->n; i++) {
        struct fl_sha256 h;
        fl_pq_get_hash(r, i, 1, &h);
        same += (uint64_t)fl_pq_get_i64(r, i, 0) == b->v[i]->event.seq &&
                memcmp(&h, &b->v[i]->body_hash, sizeof h) == 0;
    }
    /* One transaction: all or nothing. Anything else was written by somebody who is not us. */
    if (PQntuples(r) != 0 && (same != b->n || (size_t)PQntuples(r) != b->n))
        return FL_PQ_FENCED;
    *ret_there = PQntuples(r) != 0;
    return FL_PQ_NONE;
}

/* ---- outcomes -------------------------------------------------------------------------------------------------- */

/* Whoever waits for this row, in the order they came. */
static void tell_members(struct fl_submission *row, fl_status st)
{
    for (size_t i = 0; i < row->n_members; i++) {
        struct fl_submission *x = row->members[i];
        if (x->committed)
            x->committed(x->ctx, st, st ? 0 : row->event.seq, st ? 0 : row->event.at);
        x->committed = NULL;
    }
    if (row->committed)
        row->committed(row->ctx, st, st ? 0 : row->event.seq, st ? 0 : row->event.at);
}

static size_t bodies_of(const struct fl_submission *row)
{
    return row->n_members ? row->n_members : 1;
}

static size_t bodies(const struct batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n; i++)
        n += bodies_of(b->v[i]);
    return n;
}

static void accept(struct fl_store *s, const struct batch *b)
{
    size_t bytes = 0;
    uint64_t weight = 0;
    for (size_t i = 0; i < b->n; i++)
        weight += fl_event_weight(b->v[i]->body_len);
    s->last_weight += weight;
    s->journal_bodies += bodies(b);
    s->last_seq = b->v[b->n - 1]->event.seq;
    s->last_at = b->v[b->n - 1]->event.at;
    s->journal_commits++;
    s->journal_rows += b->n;
    for (size_t i = 0; i < b->n; i++) {
        struct fl_submission *sub = b->v[i];
        bytes += sub->body_len;
        tell_members(sub, FL_OK);
        s->o.deliver(s->o.ctx, &sub->event, sub);
    }
    s->journal_bytes += bytes;
    fl_crash_point("journal.delivered");
}

static void tell(struct fl_submission *sub, fl_status st)
{
    tell_members(sub, st);
    /* The waiter has its answer: should the row turn out to be there, nobody is called again. */
    sub->committed = NULL;
    sub->answered = NULL;
}

static void refuse(struct fl_store *s, const struct batch *b, fl_status st)
{
    s->refused_down += bodies(b);
    for (size_t i = 0; i < b->n; i++) {
        tell(b->v[i], st);
        fl_submission_drop(b->v[i], FL_OK);
    }
}

static void down(struct fl_store *s, const struct fl_err *err)
{
    s->errors++;
    s->journal_c = fl_pq_close(s->journal_c);
    if (!atomic_exchange(&s->journal_down, true))
        fl_log_err(FL_LOG_ERROR, "store", "the database is away, intake is refused", err);
}

static bool reconnect(struct fl_store *s, struct fl_err *err)
{
    if (s->journal_c)
        return true;
    if (fl_journal_connect(s, err) != FL_OK)
        return false;
    s->reconnects++;
    return true;
}

/* ---- commit ---------------------------------------------------------------------------------------------------- */

typedef enum commit_end { DONE, UNKNOWN } commit_end;

static commit_end commit(struct fl_store *s, struct batch *b);

/* The database says that a row of these can never be stored: find it, save the others. */
static commit_end split(struct fl_store *s, struct batch *b, const struct fl_err *err)
{
    if (b->n == 1) {
        s->errors++;
        fl_log_err(FL_LOG_ERROR, "store", "a submission cannot be journalled", err);
        refuse(s, b, FL_E_INTERNAL);
        return DONE;
    }
    struct batch parts[] = {{b->v, b->n / 2}, {b->v + b->n / 2, b->n - b->n / 2}};
    for (size_t k = 0; k < 2; k++) {
        if (s->journal_down || s->fenced) {
            refuse(s, &parts[k], s->fenced ? FL_E_FENCED : FL_E_UNAVAILABLE);
            continue;
        }
        /* Numbers again: some before us may have been refused, and there are no gaps. */
        for (size_t i = 0; i < parts[k].n; i++)
            parts[k].v[i]->event.seq = s->last_seq + 1 + i;
        if (commit(s, &parts[k]) == UNKNOWN) {
            if (k == 0)
                refuse(s, &parts[1], FL_E_UNAVAILABLE);
            *b = parts[k];
            return UNKNOWN;
        }
    }
    return DONE;
}

/* @return UNKNOWN: waiters were told "unavailable"; *b, perhaps only a part of it now, stays with the caller until it
 *  is looked up. */
static commit_end commit(struct fl_store *s, struct batch *b)
{
    fl_usec until = fl_mono() + fl_retry_commit.budget;
    bool unknown = false;
    struct fl_err err = {0};
    for (unsigned n = 0;; n++) {
        fl_pq_fault f = reconnect(s, &err) ? FL_PQ_NONE : FL_PQ_LOST;
        bool there = false;
        if (!f && unknown)
            f = look_up(s, b, &there, &err);
        if (!f && !there) {
            unknown = false;
            f = insert(s, b, &err);
            if (f == FL_PQ_LOST)
                unknown = true;
        }
        if (!f) {
            accept(s, b);
            return DONE;
        }
        if (f == FL_PQ_FENCED) {
            fl_store_fence(s, "journal");
            refuse(s, b, FL_E_FENCED);
            return DONE;
        }
        if (f == FL_PQ_DATA || f == FL_PQ_MOVED)
            return split(s, b, &err);
        if (f == FL_PQ_LOST)
            s->journal_c = fl_pq_close(s->journal_c);
        fl_usec pause = fl_retry_delay(&fl_retry_commit, n);
        if (fl_mono() + pause >= until || !fl_store_nap(s, pause))
            break;
        fl_err_clear(&err);
    }
    down(s, &err);
    if (!unknown) {
        refuse(s, b, FL_E_UNAVAILABLE);
        return DONE;
    }
    for (size_t i = 0; i < b->n; i++)
        tell(b->v[i], FL_E_UNAVAILABLE);
    s->refused_down += bodies(b);
    return UNKNOWN;
}

/* How long the last commit took, and for how many it was made or had to wait. */
struct rhythm {
    fl_usec took;
    size_t senders;
};
enum { GATHER_MOST = 2000 };

/* ---- the thread -------------------------------------------------------------------------------------------------- */

static bool storable(const char *text)
{
    return fl_utf8_valid(text, strlen(text));
}

/* Submissions whose names are no text are refused here: the database would refuse all. */
static void sift(struct batch *b)
{
    size_t kept = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct fl_submission *sub = b->v[i];
        sub->actor = sub->actor ? sub->actor : "";
        sub->source = sub->source ? sub->source : "";
        if (storable(sub->actor) && storable(sub->source)) {
            b->v[kept++] = sub;
        } else {
            tell(sub, FL_E_SHAPE);
            fl_submission_drop(sub, FL_OK);
        }
    }
    b->n = kept;
}

/* A replay parses the body at the row's time: what was parsed earlier must not differ from that. */
static void settle_times(struct batch *b, fl_usec at)
{
    for (size_t i = 0; i < b->n; i++) {
        struct fl_submission *sub = b->v[i];
        if (sub->alerts && !(sub->numbered && sub->numbered(sub->ctx, at))) {
            sub->alerts = NULL;
            sub->n_alerts = 0;
        }
    }
}

/* The batch as rows, with their numbers. */
static void number(struct fl_store *s, struct batch *b)
{
    fl_usec at = fl_now();
    if (at < s->last_at)
        at = s->last_at;
    sift(b);
    settle_times(b, at);
    b->n = fl_journal_merge(b->v, b->n);
    for (size_t i = 0; i < b->n; i++) {
        struct fl_submission *sub = b->v[i];
        sub->event = (struct fl_event){.seq = s->last_seq + 1 + i,
                                       .at = at,
                                       .kind = sub->kind,
                                       .realm = s->realm,
                                       .actor = sub->actor,
                                       .source = sub->source,
                                       .body = sub->body,
                                       .body_len = sub->body_len,
                                       .body_hash = sub->body_hash,
                                       .alerts = sub->alerts,
                                       .n_alerts = sub->n_alerts,
                                       .parts = sub->parts,
                                       .n_parts = sub->n_members};
    }
}

/* A batch nobody knows the fate of: found it goes to the core late, else it never was. */
static void settle(struct fl_store *s, struct batch *b)
{
    struct fl_err err = {0};
    bool there = false;
    if (!reconnect(s, &err))
        return;
    fl_pq_fault f = b->n ? look_up(s, b, &there, &err) : FL_PQ_NONE;
    if (f == FL_PQ_LOST)
        return;
    if (f == FL_PQ_FENCED)
        fl_store_fence(s, "journal");
    if (there)
        accept(s, b);
    else
        for (size_t i = 0; i < b->n; i++)
            fl_submission_drop(b->v[i], FL_OK);
    b->n = 0;
    if (atomic_exchange(&s->journal_down, false))
        fl_log(FL_LOG_INFO, "store", "the database is back, intake goes on after seq %" PRIu64,
               (uint64_t)s->last_seq);
}

static size_t chunk(struct fl_submission **v, size_t n)
{
    size_t bytes = 0, i = 0;
    while (i < n && (i == 0 || bytes + v[i]->body_len <= FL_BATCH_BYTES))
        bytes += v[i++]->body_len;
    return i;
}

/*
 * Senders that wait for their answer come back together, a moment after they got it. A commit that begins with the first
 * of them makes the others wait for the log device twice; so it waits for as many as lately were there, for a small part of
 * what a commit takes.
 */
static size_t gather(struct fl_store *s, void **items, size_t n, const struct rhythm *r)
{
    size_t least = r->senders < FL_BATCH_ITEMS ? r->senders : FL_BATCH_ITEMS;
    if (!n || n >= least)
        return n;
    fl_usec most = r->took / 4 < GATHER_MOST ? r->took / 4 : GATHER_MOST;
    return n + fl_queue_pop_least(s->journal_q, items + n, least - n, FL_BATCH_ITEMS - n, fl_mono() + most);
}

void *fl_journal_thread(void *store)
{
    struct fl_store *s = store;
    static _Thread_local void *items[FL_BATCH_ITEMS];
    static _Thread_local struct fl_submission *kept[FL_BATCH_ITEMS];
    struct batch doubt = {.v = kept};
    unsigned tries = 0;
    struct rhythm rhythm = {0};
    while (!s->abandon) {
        fl_usec pause = s->journal_down ? fl_retry_delay(&fl_retry_reconnect, tries) : 500000;
        fl_usec began = fl_mono();
        size_t n = fl_queue_pop(s->journal_q, items, FL_BATCH_ITEMS, began + pause);
        fl_pace_note(s, fl_mono() - began);
        n = gather(s, items, n, &rhythm);
        began = fl_mono();
        for (size_t at = 0, k; at < n; at += k) {
            struct batch b = {(struct fl_submission **)(void *)items + at, 0};
            b.n = k = chunk(b.v, n - at);
            if (s->fenced || s->journal_down) {
                refuse(s, &b, s->fenced ? FL_E_FENCED : FL_E_UNAVAILABLE);
                continue;
            }
            number(s, &b);
            if (b.n && commit(s, &b) == UNKNOWN) {
                memcpy(kept, b.v, b.n * sizeof *kept);
                doubt.n = b.n;
            }
        }
        if (n)
            rhythm = (struct rhythm){fl_mono() - began, n + fl_queue_items(s->journal_q)};
        if (s->journal_down) {
            settle(s, &doubt);
            tries = s->journal_down ? tries + 1 : 0;
            if (s->journal_down && fl_queue_closed_and_empty(s->journal_q))
                fl_store_nap(s, pause); /* a closed queue does not wait any more */
        } else if (fl_queue_closed_and_empty(s->journal_q)) {
            break;
        } else if (n == 0 && !fl_pq_alive(s->journal_c)) {
            struct fl_err err = {0};
            fl_fail(&err, FL_E_UNAVAILABLE, "database", "the connection was closed");
            down(s, &err);
            tries = 0;
        }
    }
    /* Out of patience. What is in doubt is in the journal or not: the next start finds out. */
    for (size_t i = 0; i < doubt.n; i++)
        fl_submission_drop(doubt.v[i], FL_OK);
    for (size_t n; (n = fl_queue_pop(s->journal_q, items, FL_BATCH_ITEMS, fl_mono())) > 0;) {
        struct batch rest = {(struct fl_submission **)(void *)items, n};
        refuse(s, &rest, FL_E_UNAVAILABLE);
    }
    return NULL;
}
