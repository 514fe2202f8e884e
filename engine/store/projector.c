/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/projector.c -- the projector: rows of several steps in one transaction, then their orders. */
#include "store_priv.h"

#include <inttypes.h>
#include <stdlib.h>

/* All it does is find rows by their keys, most of them written a moment ago. The planner, which does not know how many they
 * are, would rather read all of a table of alerts than look some thousand of them up. */
#define BY_KEYS_SQL                                                                                                 \
    "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;" \
    " SET random_page_cost = 0; SET seq_page_cost = 0; SET cpu_tuple_cost = 1; SET jit = off"

fl_status fl_projector_connect(struct fl_store *s, struct fl_err *err)
{
    fl_status st = fl_store_session(s, "projector", &s->project_c, err);
    if (!st)
        st = fl_pq_status(fl_pq_script(s->project_c, BY_KEYS_SQL, NULL, err));
    if (st)
        s->project_c = fl_pq_close(s->project_c);
    return st;
}

static fl_pq_fault reopen(struct fl_store *s, struct fl_err *err)
{
    if (s->project_c)
        return FL_PQ_NONE;
    if (fl_projector_connect(s, err) != FL_OK)
        return FL_PQ_LOST;
    s->reconnects++;
    return FL_PQ_NONE;
}

static fl_pq_fault where_are_we(struct fl_store *s, uint64_t *ret, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    /* FOR UPDATE: an old session of ours may still be at its commit. */
    fl_pq_fault f = fl_pq_exec(
        s->project_c, "SELECT projected_seq FROM projection WHERE realm = $1 FOR UPDATE", &p, NULL, &r, err);
    if (!f && PQntuples(r) != 1)
        f = FL_PQ_FENCED;
    if (!f)
        *ret = (uint64_t)fl_pq_get_i64(r, 0, 0);
    return f;
}

/* One attempt. *doubt: an attempt before may have committed. */
static fl_pq_fault attempt(struct fl_store *s, const struct fl_rows *rows, uint64_t from, uint64_t to,
                           bool *doubt, struct fl_err *err)
{
    fl_pq_fault f = reopen(s, err);
    if (!f && *doubt) {
        uint64_t at = 0;
        f = where_are_we(s, &at, err);
        if (!f && at == to)
            return FL_PQ_NONE;
        if (!f && at != from)
            f = FL_PQ_FENCED; /* somebody else projects this realm */
        if (!f)
            *doubt = false;
    }
    if (!f)
        f = fl_rows_write(s, rows, from, to, err);
    if (f == FL_PQ_LOST || f == FL_PQ_MOVED)
        *doubt = true;
    if (f == FL_PQ_LOST)
        s->project_c = fl_pq_close(s->project_c);
    return f;
}

/* Until it is written, however long the database is away. @return false: fenced, or given up at close. */
static bool write_batch(struct fl_store *s, const struct fl_rows *rows, uint64_t from, uint64_t to)
{
    bool doubt = false;
    for (unsigned n = 0;; n++) {
        struct fl_err err = {0};
        fl_pq_fault f = attempt(s, rows, from, to, &doubt, &err);
        if (!f) {
            if (atomic_exchange(&s->project_down, false))
                fl_log(FL_LOG_INFO, "store", "projections go on after seq %" PRIu64, to);
            return true;
        }
        if (f == FL_PQ_FENCED) {
            fl_store_fence(s, "projection");
            return false;
        }
        s->errors++;
        if (f != FL_PQ_MOVED && (!atomic_exchange(&s->project_down, true) || n % 30 == 29))
            fl_log_err(FL_LOG_ERROR, "store", "projections wait", &err);
        if (!fl_store_nap(s, fl_retry_delay(&fl_retry_reconnect, n)))
            return false;
    }
}

static bool has_orders(const struct fl_effects *fx)
{
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].kind >= FL_FX_RUN_START && fx->v[i].kind <= FL_FX_STOP)
            return true;
    return false;
}

static void answer(const struct fl_effects *fx, struct fl_submission *sub)
{
    if (!sub || !sub->answered)
        return;
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].kind == FL_FX_ANSWER) {
            sub->answered(sub->ctx, fx->v[i].answer.status,
                          fx->v[i].answer.json ? fx->v[i].answer.json : "{}");
            return;
        }
    sub->answered(sub->ctx, FL_OK, "{}");
}

static void finish(struct fl_store *s, struct fl_step *step, fl_status st)
{
    if (!st && has_orders(step->fx) && s->o.order) {
        s->o.order(s->o.ctx, step->fx);
        fl_crash_point("order.released");
    }
    if (!st)
        answer(step->fx, step->sub);
    fl_effects_free(step->fx);
    fl_submission_drop(step->sub, st);
    free(step);
}

static void project(struct fl_store *s, struct fl_step **v, size_t n)
{
    uint64_t from = s->projected_seq, to = v[n - 1]->fx->event_seq;
    struct fl_rows *rows;
    while (!(rows = fl_rows_new(v, n)))
        if (!fl_store_nap(s, FL_USEC_PER_SEC))
            break;
    fl_crash_point("project.commit");
    bool ok = rows && !s->fenced && write_batch(s, rows, from, to);
    fl_crash_point("project.committed");
    if (ok) {
        for (size_t i = 0; i < n; i++)
            s->projected_weight += fl_event_weight(v[i]->fx->event_bytes);
        s->projected_seq = to;
        s->projected_steps += n;
        s->projected_rows += rows->n;
        s->projector_commits++;
    }
    fl_rows_free(rows);
    for (size_t i = 0; i < n; i++)
        finish(s, v[i], ok ? FL_OK : s->fenced ? FL_E_FENCED : FL_E_UNAVAILABLE);
}

/* How many of the steps fit one transaction. */
static size_t take(struct fl_step *const *v, size_t n)
{
    size_t rows = 0, i = 0;
    while (i < n && (i == 0 || rows + v[i]->fx->n <= FL_PROJECT_ROWS))
        rows += v[i++]->fx->n;
    return i;
}

/* Somebody waits for these rows: a runner for its orders, a person for an answer. */
static bool is_urgent(struct fl_step *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((v[i]->sub && v[i]->sub->answered) || has_orders(v[i]->fx))
            return true;
    return false;
}

/*
 * Each commit of ours makes a commit of the journal wait for the same log device, and senders wait for those. Rows
 * nobody waits for are therefore committed at most every FL_PROJECT_PAUSE.
 */
static size_t gather(struct fl_store *s, struct fl_step **v, size_t n, fl_usec last_commit)
{
    while (n && n < FL_PROJECT_STEPS && !is_urgent(v, n)) {
        fl_usec until = last_commit + FL_PROJECT_PAUSE;
        if (fl_mono() >= until)
            break;
        size_t more = fl_queue_pop(s->project_q, (void **)(v + n), FL_PROJECT_STEPS - n, until);
        n += more;
        if (!more && fl_queue_closed_and_empty(s->project_q))
            break;
    }
    return n;
}

void *fl_projector_thread(void *store)
{
    struct fl_store *s = store;
    static _Thread_local void *items[FL_PROJECT_STEPS];
    bool lost = false; /* a batch was given up: what follows would leave a gap */
    fl_usec last_commit = 0;
    for (;;) {
        size_t n = fl_queue_pop(s->project_q, items, FL_PROJECT_STEPS, fl_mono() + FL_USEC_PER_SEC);
        struct fl_step **v = (struct fl_step **)(void *)items;
        n = gather(s, v, n, last_commit);
        if (n == 0 && fl_queue_closed_and_empty(s->project_q))
            return NULL;
        if (n == 0 && s->project_c && !fl_pq_alive(s->project_c))
            s->project_c = fl_pq_close(s->project_c); /* the next batch connects again */
        for (size_t at = 0, k; at < n; at += k) {
            k = 1;
            if (v[at]->fx->event_seq <= s->projected_seq || lost) {
                /* Recovery replays steps that are written already: exactly once means not again, nor their orders. */
                struct fl_step *step = v[at];
                if (!lost)
                    answer(step->fx, step->sub);
                fl_effects_free(step->fx);
                fl_submission_drop(step->sub, lost ? FL_E_UNAVAILABLE : FL_OK);
                free(step);
                continue;
            }
            k = take(v + at, n - at);
            uint64_t before = s->projected_seq;
            fl_usec began = fl_mono();
            project(s, v + at, k);
            lost = s->projected_seq == before;
            last_commit = fl_mono();
            fl_store_rest(s, last_commit - began);
        }
    }
}
