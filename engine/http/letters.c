/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/letters.c -- dead letters, read again or dropped (layer 5). On a read thread, which waits for the journal:
 * alerts first, then the trace, and only then the letter goes. Cut short anywhere, it is still there, and reading it
 * once more finds alerts that are known. */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

enum { SUBMISSIONS_MAX = 2 * FL_LETTERS_PAGE + 1 }; /* alerts and changes of each, and the command */

/* ---- submissions that somebody waits for ---- */

struct batch;
struct item {
    struct batch *b;
    struct fl_intake in;
    fl_usec received_at;
    fl_status st;
    bool answers; /* a command: over when the core has answered */
};
struct batch {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fl_leases *leases;
    size_t refs, pending, n;
    struct item v[SUBMISSIONS_MAX];
};

static struct batch *batch_new(struct fl_leases *leases)
{
    struct batch *b = calloc(1, sizeof *b);
    pthread_condattr_t mono;
    if (!b)
        return NULL;
    pthread_mutex_init(&b->lock, NULL);
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_cond_init(&b->changed, &mono);
    pthread_condattr_destroy(&mono);
    b->leases = leases;
    b->refs = 1;
    return b;
}

static void batch_unref(struct batch *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    bool last = --b->refs == 0;
    pthread_mutex_unlock(&b->lock);
    if (!last)
        return;
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void item_over(struct item *i, fl_status st)
{
    struct batch *b = i->b;
    pthread_mutex_lock(&b->lock);
    i->st = st;
    b->pending--;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
    batch_unref(b);
}

/* Journal thread; what was parsed lies in the submission's arena, which is still there. */
static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct item *i = ctx;
    (void)seq;
    if (st == FL_OK && i->in.n_alerts) {
        intake_settle(&i->in, at);
        fl_leases_commit(i->b->leases, i->in.alerts, i->in.n_alerts, at, 0, false);
    }
    if (st != FL_OK || !i->answers)
        item_over(i, st);
}

/* Projector thread. */
static void on_answered(void *ctx, fl_status st, const char *json)
{
    (void)json;
    item_over(ctx, st);
}

/* Takes the arena, which holds body and source. @return the item, NULL: the reason is in *st. */
static struct item *send_one(struct request *r, struct batch *b, struct fl_arena *arena, fl_event_kind kind,
                             const char *source, const char *body, size_t n, const struct fl_intake *in,
                             fl_status *st)
{
    struct item *i = b->n < SUBMISSIONS_MAX ? &b->v[b->n] : NULL;
    struct fl_submission *sub = i ? fl_arena_calloc(arena, 1, sizeof *sub) : NULL;
    const char *actor = sub ? fl_arena_strdup(arena, r->caller.name) : NULL;
    *st = actor ? FL_OK : FL_E_NOMEM;
    if (!actor) {
        fl_arena_free(arena);
        return NULL;
    }
    *i = (struct item){
        .b = b, .received_at = r->received_at, .st = FL_E_TIMEOUT, .answers = kind == FL_EV_COMMAND};
    if (in)
        i->in = *in;
    *sub = (struct fl_submission){.kind = kind,
                                  .actor = actor,
                                  .source = source,
                                  .body = body,
                                  .body_len = n,
                                  .arena = arena,
                                  .reserved = true,
                                  .committed = on_committed,
                                  .answered = i->answers ? on_answered : NULL,
                                  .ctx = i};
    fl_sha256(body, n, &sub->body_hash);
    pthread_mutex_lock(&b->lock);
    b->refs++;
    b->pending++;
    pthread_mutex_unlock(&b->lock);
    *st = fl_store_submit(r->http->o.store, sub);
    if (*st == FL_OK) {
        b->n++;
        return i;
    }
    item_over(i, *st);
    fl_arena_free(arena);
    return NULL;
}

/* Until all are through, or the request's time is over. */
static void batch_wait(struct request *r, struct batch *b)
{
    fl_usec until = r->started + r->http->deadline;
    struct timespec ts = {.tv_sec = (time_t)(until / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(until % FL_USEC_PER_SEC) * 1000};
    pthread_mutex_lock(&b->lock);
    while (b->pending && fl_mono() < until)
        pthread_cond_timedwait(&b->changed, &b->lock, &ts);
    pthread_mutex_unlock(&b->lock);
}

static fl_status item_state(struct item *i)
{
    pthread_mutex_lock(&i->b->lock);
    fl_status st = i->st;
    pthread_mutex_unlock(&i->b->lock);
    return st;
}

/* ---- one letter ---- */

struct trial {
    const struct fl_letter *letter;
    bool refused;
    const char *where, *reason; /* why it is refused now */
    size_t alerts, rejects;
    struct item *sent[2]; /* what it waits for */
    fl_status st;         /* of handing it over */
};

struct work {
    struct request *r;
    struct fl_arena *arena;
    struct batch *b;
    struct fl_letter *letters;
    struct trial *trials;
    size_t n;
    const char *source, *reason; /* what the caller asked for */
    uint64_t only, after;
};

static void refuse(struct work *w, struct trial *t, const char *where, const char *reason)
{
    t->refused = true;
    t->where = fl_arena_strdup(w->arena, where ? where : "");
    t->reason = fl_arena_strdup(w->arena, reason);
}

/* The body that is read again; NULL: refused. In `arena`. */
static const char *body_again(struct work *w, struct trial *t, struct fl_arena *arena, fl_format *format,
                              size_t *ret_n)
{
    const struct fl_letter *l = t->letter;
    struct fl_http *h = w->r->http;
    struct fl_err err = {0};
    FL_AUTO_BUF b = fl_buf_init(6 * l->raw_n + (1 << 20));
    FL_AUTO_FREE char *mapping = NULL;
    if (!fl_format_parse(l->source, format)) {
        refuse(w, t, "source", "it came by a format that this engine does not read");
        return NULL;
    }
    if (*format == FL_FORMAT_MAPPED) {
        const char *name = strchr(l->source, ':');
        mapping = h->o.mapping && name ? h->o.mapping(h->o.ctx, name + 1) : NULL;
        if (!mapping) {
            refuse(w, t, "source", "the rules have no such source any more");
            return NULL;
        }
    }
    if (l->cut || !l->raw_n) {
        refuse(w, t, l->where,
               l->cut
                   ? "only part of it was kept: the sender must send it again"
                   : "its body was not kept, it may have held a credential: the sender must send it again");
        return NULL;
    }
    if (fl_intake_again(arena, *format, mapping, l->raw, l->raw_n, l->whole, &b, &err) != FL_OK) {
        refuse(w, t, err.where, err.text);
        return NULL;
    }
    *ret_n = b.n;
    return fl_arena_strndup(arena, b.p ? b.p : "", b.n);
}

/* CloudEvents may hold changes: a row of their own, as when they were sent. */
static void send_changes(struct work *w, struct trial *t, const char *body, size_t n)
{
    struct fl_err err = {0};
    FL_AUTO_BUF b = fl_buf_init(6 * n + (1 << 20));
    FL_AUTO_ARENA scratch = fl_arena_new(0);
    struct fl_arena *arena = fl_arena_new(0);
    t->st = scratch && arena ? fl_intake_cloudevents_changes(scratch, body, n, w->r->received_at, &b, &err)
                             : FL_E_NOMEM;
    const char *copy = t->st == FL_OK ? fl_arena_strndup(arena, b.p, b.n) : NULL;
    if (copy)
        t->sent[1] = send_one(w->r, w->b, arena, FL_EV_CHANGE, "", copy, b.n, NULL, &t->st);
    else
        fl_arena_free(arena);
}

static void read_again(struct work *w, struct trial *t)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_err err = {0};
    struct fl_intake in = {0};
    fl_format format;
    size_t n = 0;
    const char *body = arena ? body_again(w, t, arena, &format, &n) : NULL;
    if (body && fl_intake_parse(arena, format, body, n, w->r->received_at, &in, &err) != FL_OK)
        refuse(w, t, err.where, err.text);
    else if (body && in.n_rejects && !in.n_alerts && !in.n_ignored && !in.n_changes)
        refuse(w, t, in.rejects[0].where, in.rejects[0].reason);
    if (!body || t->refused) {
        t->st = t->refused ? FL_OK : FL_E_NOMEM;
        fl_arena_free(arena);
        return;
    }
    t->alerts = in.n_alerts;
    t->rejects = in.n_rejects;
    if (in.n_rejects) /* what of it still is none stays, each for itself */
        intake_rejects(w->r->http->o.store, t->letter->source, &in);
    if (in.n_changes)
        send_changes(w, t, body, n);
    const char *source = fl_arena_strdup(arena, t->letter->source);
    if (in.n_alerts && source && t->st == FL_OK)
        t->sent[0] = send_one(w->r, w->b, arena, FL_EV_ALERTS, source, body, n, &in, &t->st);
    else
        fl_arena_free(arena);
}

/* ---- what was asked ---- */

/* {n} of the path, or {"source","after"} of the body. False: an answer was given. */
static bool read_work(struct work *w)
{
    struct request *r = w->r;
    struct fl_err err = {0};
    int64_t only = 0, after = 0;
    if (r->params[0] && !fl_parse_i64(r->params[0], 1, INT64_MAX, &only)) {
        reply_error(r, 404, "notfound", NULL, "faultline deadletter list",
                    "there is no dead letter \"%.40s\"", r->params[0]);
        return false;
    }
    FL_AUTO_JSON body = r->body_n ? fl_json_parse(r->body, r->body_n, &err) : NULL;
    if (r->body_n && !fl_json_is_object(body)) {
        reply_error(r, 400, "shape", NULL, NULL, "the body must be a JSON object");
        return false;
    }
    after = fl_json_int(body, "after", 0);
    if (after < 0) {
        reply_error(r, 400, "shape", "after", NULL, "after must be the number of a dead letter");
        return false;
    }
    w->only = (uint64_t)only;
    w->after = (uint64_t)after;
    w->source = fl_arena_strdup(w->arena, fl_json_str(body, "source", NULL));
    w->reason = fl_arena_strdup(w->arena, fl_json_str(body, "reason", NULL));
    return true;
}

static bool find_letters(struct work *w, struct fl_reader *db)
{
    struct fl_err err = {0};
    const char *realm = w->r->http->o.config->realm;
    if (fl_letters_read(db, realm, w->arena, w->only, w->after, w->source, FL_LETTERS_PAGE, &w->letters,
                        &w->n, &err) != FL_OK) {
        read_failed(w->r, &err);
        return false;
    }
    if (w->only && !w->n) {
        reply_error(w->r, 404, "notfound", NULL, "faultline deadletter list", "there is no dead letter %llu",
                    (unsigned long long)w->only);
        return false;
    }
    w->trials = fl_arena_calloc(w->arena, w->n ? w->n : 1, sizeof *w->trials);
    w->b = batch_new(w->r->http->o.leases);
    if (!w->trials || !w->b) {
        reply_error(w->r, 503, "nomem", NULL, NULL, "out of memory");
        return false;
    }
    for (size_t i = 0; i < w->n; i++)
        w->trials[i].letter = &w->letters[i];
    return true;
}

static bool trial_through(const struct trial *t)
{
    bool through = t->st == FL_OK;
    for (size_t i = 0; i < FL_ARRAY_LEN(t->sent); i++)
        through &= !t->sent[i] || item_state(t->sent[i]) == FL_OK;
    return through;
}

static void trial_json(struct fl_jw *w, const struct trial *t, const char *outcome)
{
    fl_jw_obj(w, NULL);
    fl_jw_int(w, "n", (int64_t)t->letter->n);
    fl_jw_str(w, "source", t->letter->source);
    fl_jw_str(w, "outcome", outcome);
    fl_jw_str(w, "where", t->refused ? t->where : t->letter->where);
    fl_jw_str(w, "reason", t->refused ? t->reason : t->letter->reason);
    fl_jw_int(w, "alerts", (int64_t)t->alerts);
    fl_jw_int(w, "rejected", (int64_t)t->rejects);
    fl_jw_obj_end(w);
}

static void trials_json(struct fl_jw *w, const char *key, const struct work *k, const char *good)
{
    fl_jw_arr(w, key);
    for (size_t i = 0; i < k->n; i++)
        trial_json(w, &k->trials[i], k->trials[i].refused ? "refused" : good);
    fl_jw_arr_end(w);
}

/* The act of a person, in the journal and so in the audit. False: an answer was given. */
static bool leave_trace(struct work *k, const char *good)
{
    FL_AUTO_BUF b = fl_buf_init(4 << 20);
    struct fl_jw w = fl_jw_init(&b);
    struct fl_arena *arena = fl_arena_new(0);
    fl_status st = FL_E_NOMEM;
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", k->r->route->word);
    if (k->reason)
        fl_jw_str(&w, "reason", k->reason);
    trials_json(&w, "letters", k, good);
    fl_jw_obj_end(&w);
    const char *body = arena && !b.failed ? fl_arena_strndup(arena, b.p, b.n) : NULL;
    struct item *i = NULL;
    if (body)
        i = send_one(k->r, k->b, arena, FL_EV_COMMAND, "", body, b.n, NULL, &st);
    else
        fl_arena_free(arena);
    if (i) {
        batch_wait(k->r, k->b);
        st = item_state(i);
    }
    if (st != FL_OK)
        reply_error(k->r, 503, fl_status_name(st), NULL, "try again: what is known already does no harm",
                    "it could not be committed: the letters are still there");
    return st == FL_OK;
}

static void answer(struct work *k, const char *good)
{
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    size_t refused = 0;
    for (size_t i = 0; i < k->n; i++)
        refused += k->trials[i].refused;
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, good, (int64_t)(k->n - refused));
    fl_jw_int(&w, "refused", (int64_t)refused);
    trials_json(&w, "deadletters", k, good);
    if (!k->only && k->n == FL_LETTERS_PAGE) /* a full page: there may be more */
        fl_jw_int(&w, "next_after", (int64_t)k->letters[k->n - 1].n);
    fl_jw_obj_end(&w);
    reply_buf(k->r, 200, TYPE_JSON, &b);
}

static void settle(struct work *k, struct fl_reader *db, const char *good)
{
    struct fl_err err = {0};
    const char *realm = k->r->http->o.config->realm;
    uint64_t done[FL_LETTERS_PAGE];
    size_t n = 0;
    fl_status st = FL_OK;
    for (size_t i = 0; i < k->n && st == FL_OK; i++) {
        const struct trial *t = &k->trials[i];
        if (t->refused)
            st = fl_letter_failed(db, realm, t->letter->n, t->where, t->reason, &err);
        else
            done[n++] = t->letter->n;
    }
    if (st == FL_OK && n)
        st = fl_letters_remove(db, realm, done, n, &err);
    if (st == FL_OK)
        answer(k, good);
    else
        read_failed(k->r, &err);
}

static void work(struct request *r, struct fl_reader *db, const char *good,
                 void (*each)(struct work *w, struct trial *t))
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct work k = {.r = r, .arena = arena};
    if (!arena) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return;
    }
    if (read_work(&k) && find_letters(&k, db)) {
        for (size_t i = 0; i < k.n && each; i++)
            each(&k, &k.trials[i]);
        batch_wait(r, k.b);
        bool through = true;
        for (size_t i = 0; i < k.n; i++)
            through &= trial_through(&k.trials[i]);
        if (!through)
            reply_error(r, 503, "unavailable", NULL, "try again: what is known already does no harm",
                        "not all could be committed: the letters are still there");
        else if (!k.n)
            answer(&k, good);
        else if (leave_trace(&k, good))
            settle(&k, db, good);
    }
    batch_unref(k.b);
}

void read_letters_retry(struct request *r, struct fl_reader *db)
{
    work(r, db, "accepted", read_again);
}

void read_letters_drop(struct request *r, struct fl_reader *db)
{
    work(r, db, "dropped", NULL);
}
