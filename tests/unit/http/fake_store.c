/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/http/fake_store.c -- every function of the store that http uses, without PostgreSQL. */
#include "fake_store.h"

#include <faultline/audit.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct fake fake;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct fl_submission *queue[4096];
static size_t n_queue, n_seen, n_letters, n_tokens;
static char last_body[1 << 20], last_actor[128], secrets[32][64];
static fl_event_kind last_kind;
static char last_source[128];
static bool last_alerts, stop;
static struct fl_token tokens[32];
static pthread_t committer;
static struct fl_config *config;
static struct fl_leases *leases;

/* ---- journal ---- */

static void *commit_thread(void *ctx)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!stop && (!n_queue || fake.hold))
            pthread_cond_wait(&more, &lock);
        if (!n_queue && stop)
            break;
        struct fl_submission *sub = queue[0];
        memmove(queue, queue + 1, --n_queue * sizeof *queue);
        struct fake now = fake;
        pthread_mutex_unlock(&lock);
        fl_usec at = fl_now();
        bool parsed = sub->alerts && sub->numbered && sub->numbered(sub->ctx, at);
        pthread_mutex_lock(&lock);
        last_alerts = parsed;
        pthread_mutex_unlock(&lock);
        if (sub->committed)
            sub->committed(sub->ctx, now.commit, 1, at);
        if (now.commit == FL_OK && sub->answered)
            sub->answered(sub->ctx, now.answer, now.answer_json);
        fl_arena_free(sub->arena);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

fl_status fl_store_submit(struct fl_store *s, struct fl_submission *sub)
{
    (void)s;
    pthread_mutex_lock(&lock);
    fl_status st = n_queue == FL_ARRAY_LEN(queue) ? FL_E_FULL : fake.submit;
    if (st == FL_OK) {
        queue[n_queue++] = sub;
        n_seen++;
        size_t n = sub->body_len < sizeof last_body - 1 ? sub->body_len : sizeof last_body - 1;
        memcpy(last_body, sub->body, n);
        last_body[n] = 0;
        snprintf(last_actor, sizeof last_actor, "%s", sub->actor);
        last_kind = sub->kind;
        snprintf(last_source, sizeof last_source, "%s", sub->source);
        pthread_cond_broadcast(&more);
    }
    pthread_mutex_unlock(&lock);
    return st;
}

bool fl_store_is_behind(const struct fl_store *s)
{
    (void)s;
    return fake.behind;
}

void fl_store_deadletters(struct fl_store *s, const struct fl_deadletter *v, size_t n)
{
    (void)s;
    (void)v;
    pthread_mutex_lock(&lock);
    n_letters += n;
    pthread_mutex_unlock(&lock);
}

/* ---- dead letters that are there: fake.letters of them ---- */

fl_status fl_letters_read(struct fl_reader *r, const char *realm, struct fl_arena *arena, uint64_t only,
                          uint64_t after, const char *source, size_t max, struct fl_letter **ret,
                          size_t *ret_n, struct fl_err *err)
{
    (void)r, (void)realm, (void)err;
    struct fl_letter *v = fl_arena_calloc(arena, 1 + fake.n_box, sizeof *v);
    size_t n = 0;
    for (size_t i = 0; i < fake.n_box && n < max; i++)
        if (fake.box[i].n > after && (!only || fake.box[i].n == only) &&
            (!source || !strcmp(source, fake.box[i].source))) {
            v[n] = fake.box[i];
            v[n].raw_n = strlen(v[n].raw);
            n++;
        }
    *ret = v;
    *ret_n = n;
    return FL_OK;
}

fl_status fl_letters_remove(struct fl_reader *r, const char *realm, const uint64_t *v, size_t n,
                            struct fl_err *err)
{
    (void)r, (void)realm, (void)err, (void)v;
    fake.removed += n;
    return FL_OK;
}

fl_status fl_letter_failed(struct fl_reader *r, const char *realm, uint64_t n, const char *where,
                           const char *reason, struct fl_err *err)
{
    (void)r, (void)realm, (void)err, (void)n;
    snprintf(fake.still, sizeof fake.still, "%s|%s", where, reason);
    return FL_OK;
}

void fl_store_stats(struct fl_store *s, struct fl_store_stats *ret)
{
    (void)s;
    *ret = (struct fl_store_stats){.journal_rows = n_seen};
}

enum fl_store_health fl_store_health(struct fl_store *s)
{
    (void)s;
    return FL_STORE_OK;
}

/* ---- readers ---- */

fl_status fl_reader_open(const char *conninfo, struct fl_reader **ret, struct fl_err *err)
{
    (void)conninfo;
    if (fake.db_down)
        return fl_fail(err, FL_E_UNAVAILABLE, "database", "away");
    *ret = malloc(1);
    return FL_OK;
}

struct fl_reader *fl_reader_close(struct fl_reader *r)
{
    free(r);
    return NULL;
}

fl_status fl_read_json(struct fl_reader *r, fl_read what, const struct fl_read_args *a, struct fl_buf *out,
                       struct fl_err *err)
{
    (void)r;
    if (fake.slow_reads)
        usleep((useconds_t)fake.slow_reads);
    if (a->id && !strcmp(a->id, "INC-2026-404"))
        return fl_fail(err, FL_E_NOTFOUND, "incident", "there is no such incident");
    const char *given = (size_t)what < FL_ARRAY_LEN(fake.documents) ? fake.documents[what] : NULL;
    if (given) {
        fl_buf_str(out, given);
        return *given ? FL_OK : fl_fail(err, FL_E_NOTFOUND, "document", "no such thing");
    }
    if (what == FL_READ_SILENCE && !fake.silence_json)
        return fl_fail(err, FL_E_NOTFOUND, "silence", "no such thing");
    if (what == FL_READ_SILENCE || (what == FL_READ_SILENCES && fake.silences_json))
        fl_buf_str(out, what == FL_READ_SILENCE ? fake.silence_json : fake.silences_json);
    else if (what == FL_READ_INCIDENT)
        fl_buf_printf(out, "{\"id\":\"%s\"}", a->id);
    else if (what == FL_READ_RANKING)
        fl_buf_str(out,
                   "{\"incident\":\"X\",\"version\":1,\"ranking\":{\"candidates\":[{\"node\":\"db\"}]}}");
    else
        fl_buf_str(out, "[]");
    return FL_OK;
}

static bool of_state(const struct fake_episode *e, const char *state)
{
    return !state || !*state || !strcmp(state, e->state);
}

static bool looked_for(const struct fake_episode *e, const struct fl_alert_look *look)
{
    for (size_t i = 0; i < look->n_having; i++)
        if (strcmp(fl_label_get(&e->labels, look->having[i].name), look->having[i].value) != 0)
            return false;
    return of_state(e, look->state);
}

static bool below(const struct fl_alert_key *k, const struct fl_alert_look *look)
{
    const struct fl_alert_key *a = &look->after;
    if (a->starts_at && k->starts_at == a->starts_at)
        return (int64_t)k->fingerprint > (int64_t)a->fingerprint;
    return (!a->starts_at || k->starts_at < a->starts_at) && (!look->until || k->starts_at < look->until) &&
           k->starts_at >= look->since;
}

fl_status fl_read_alert_keys(struct fl_reader *r, const struct fl_alert_look *look,
                             bool (*visit)(void *ctx, struct fl_alert_key key, const char *const *values),
                             void *ctx, size_t *ret_looked, struct fl_alert_key *ret_last, struct fl_err *err)
{
    (void)r, (void)err;
    bool wants = true;
    size_t n = 0;
    for (size_t i = 0; i < fake.n_episodes && n < look->most; i++) {
        const struct fake_episode *e = &fake.episodes[i];
        const char *values[FL_ALERT_LOOK_NAMES];
        if (!below(&e->key, look))
            continue;
        n++;
        *ret_last = e->key;
        for (size_t k = 0; k < look->n_names; k++)
            values[k] = fl_label_get(&e->labels, look->names[k]);
        if (wants && looked_for(e, look))
            wants = visit(ctx, e->key, values);
    }
    *ret_looked = n;
    fake.looked += n;
    return FL_OK;
}

fl_status fl_read_alerts_at(struct fl_reader *r, const char *realm, const char *state,
                            const struct fl_alert_key *v, size_t n, struct fl_buf *out, size_t *ret_n,
                            struct fl_err *err)
{
    (void)r, (void)realm, (void)err;
    *ret_n = 0;
    fl_buf_chr(out, '[');
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < fake.n_episodes; k++) {
            const struct fake_episode *e = &fake.episodes[k];
            char hex[17];
            if (e->key.fingerprint != v[i].fingerprint || e->key.starts_at != v[i].starts_at ||
                !of_state(e, state))
                continue;
            fl_buf_printf(out, "%s{\"fingerprint\":\"%s\"}", *ret_n ? "," : "",
                          fl_fingerprint_hex(v[i].fingerprint, hex));
            ++*ret_n;
        }
    fl_buf_chr(out, ']');
    return FL_OK;
}

fl_status fl_read_audit(struct fl_reader *r, const char *realm, const struct fl_audit_query *q,
                        fl_status (*visit)(void *ctx, const struct fl_audit_entry *e), void *ctx,
                        struct fl_err *err)
{
    (void)r;
    (void)err;
    for (uint64_t i = q->after_seq + 1; i <= 3 && i <= q->after_seq + q->limit; i++) {
        struct fl_audit_entry e = {.realm = realm,
                                   .seq = i,
                                   .at = 1,
                                   .actor = "a",
                                   .action = "b",
                                   .subject = "c",
                                   .incident = "",
                                   .reason = "d",
                                   .detail = "{}"};
        fl_status st = visit(ctx, &e);
        if (st != FL_OK)
            return st;
    }
    return FL_OK;
}

/* ---- tokens ---- */

const char *fl_role_name(fl_role r)
{
    return r == FL_ROLE_INGEST     ? "ingest"
           : r == FL_ROLE_VIEWER   ? "viewer"
           : r == FL_ROLE_OPERATOR ? "operator"
           : r == FL_ROLE_APPROVER ? "approver"
                                   : "admin";
}

bool fl_role_parse(const char *s, fl_role *ret)
{
    for (unsigned bit = 1; bit <= FL_ROLE_ADMIN; bit <<= 1)
        if (fl_streq(s, fl_role_name((fl_role)bit))) {
            *ret = (fl_role)bit;
            return true;
        }
    return false;
}

const char *fake_token(const char *name, fl_role role, fl_usec expires_at, fl_usec revoked_at)
{
    pthread_mutex_lock(&lock);
    assert_true(n_tokens < FL_ARRAY_LEN(tokens));
    struct fl_token *t = &tokens[n_tokens];
    *t = (struct fl_token){.role = role, .expires_at = expires_at, .revoked_at = revoked_at};
    snprintf(t->name, sizeof t->name, "%s", name);
    snprintf(t->id, sizeof t->id, "id-%s", name);
    snprintf(secrets[n_tokens], sizeof secrets[0], "flt_%s_%zu", name, n_tokens);
    fl_sha256(secrets[n_tokens], strlen(secrets[n_tokens]), &t->hash);
    const char *secret = secrets[n_tokens++];
    pthread_mutex_unlock(&lock);
    return secret;
}

void fake_revoke(const char *name)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_tokens; i++)
        if (!strcmp(tokens[i].name, name))
            tokens[i].revoked_at = fl_now();
    pthread_mutex_unlock(&lock);
}

fl_status fl_token_list(struct fl_reader *r, const char *realm,
                        void (*visit)(void *ctx, const struct fl_token *t), void *ctx, struct fl_err *err)
{
    (void)r;
    (void)realm;
    (void)err;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n_tokens; i++)
        visit(ctx, &tokens[i]);
    pthread_mutex_unlock(&lock);
    return FL_OK;
}

fl_status fl_token_create(struct fl_reader *r, const char *realm, const char *name, fl_role role,
                          fl_usec expires_at, const char *by, char *secret, struct fl_token *ret,
                          struct fl_err *err)
{
    (void)r;
    (void)realm;
    (void)by;
    (void)err;
    snprintf(secret, 64, "%s", fake_token(name, role, expires_at, 0));
    *ret = tokens[n_tokens - 1];
    return FL_OK;
}

fl_status fl_token_revoke(struct fl_reader *r, const char *realm, const char *id_or_name, const char *by,
                          struct fl_err *err)
{
    (void)r;
    (void)realm;
    (void)by;
    for (size_t i = 0; i < n_tokens; i++)
        if (!strcmp(tokens[i].name, id_or_name)) {
            fake_revoke(id_or_name);
            return FL_OK;
        }
    return fl_fail(err, FL_E_NOTFOUND, "token", "there is no token \"%s\"", id_or_name);
}

/* ---- for the tests ---- */

void fake_reset(void)
{
    pthread_mutex_lock(&lock);
    fake = (struct fake){.answer_json = "{\"ok\":true}"};
    n_seen = n_letters = n_tokens = 0;
    last_body[0] = 0;
    pthread_mutex_unlock(&lock);
}

void fake_release(void)
{
    pthread_mutex_lock(&lock);
    fake.hold = false;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&lock);
}

size_t fake_submissions(void)
{
    pthread_mutex_lock(&lock);
    size_t n = n_seen;
    pthread_mutex_unlock(&lock);
    return n;
}

size_t fake_letters(void)
{
    pthread_mutex_lock(&lock);
    size_t n = n_letters;
    pthread_mutex_unlock(&lock);
    return n;
}

const char *fake_body(void)
{
    return last_body;
}

const char *fake_actor(void)
{
    return last_actor;
}

fl_event_kind fake_kind(void)
{
    return last_kind;
}

const char *fake_source(void)
{
    return last_source;
}

bool fake_had_alerts(void)
{
    return last_alerts;
}

/* ---- the core that is asked ---- */

static struct fl_flow *flow;
static char answer[4096];

void fake_flow_step(struct fl_flow *f, fl_event_kind kind, const char *source, const char *body)
{
    struct fl_err err = {0};
    struct fl_effects *fx = fl_effects_new();
    struct fl_event ev = {.seq = fl_flow_seq(f) + 1,
                          .at = fl_now(),
                          .kind = kind,
                          .realm = "default",
                          .actor = "test",
                          .source = source,
                          .body = body,
                          .body_len = strlen(body)};
    if (fl_flow_step(f, &ev, fx, &err) != FL_OK)
        fail_msg("%s", err.text);
    answer[0] = 0;
    for (size_t i = 0; i < fx->n; i++)
        if (fx->v[i].kind == FL_FX_ANSWER)
            snprintf(answer, sizeof answer, "%s", fx->v[i].answer.json);
    fl_effects_free(fx);
}

const char *fake_step(fl_event_kind kind, const char *source, const char *body)
{
    fake_flow_step(flow, kind, source, body);
    return answer;
}

static fl_status ask(void *ctx, void (*run)(void *arg, struct fl_flow *f), void *arg, struct fl_err *err)
{
    (void)ctx;
    pthread_mutex_lock(&lock);
    struct fake now = fake;
    pthread_mutex_unlock(&lock);
    if (now.ask != FL_OK)
        return fl_fail(err, now.ask, NULL, "the core is too busy to answer: try again");
    static pthread_mutex_t core = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&core);
    if (now.between)
        now.between(flow);
    run(arg, flow);
    pthread_mutex_unlock(&core);
    return FL_OK;
}

struct fl_http *fake_server(const char *auth, int64_t deadline_s, int64_t max_body, int64_t per_address)
{
    struct fl_err err = {0};
    struct fl_http *h = NULL;
    assert_int_equal(fl_config_new(&config, &err), FL_OK);
    config->listen = "127.0.0.1:0";
    config->auth = auth;
    config->request_deadline_s = deadline_s;
    config->max_body_bytes = max_body;
    config->max_connections_per_address = per_address;
    config->aliases = fake.aliases;
    if (fake.max_connections)
        config->max_connections = fake.max_connections;
    config->grafana_secret = fake.grafana_secret ? fake.grafana_secret : "";
    assert_int_equal(fl_flow_new(&(struct fl_flow_options){0}, &flow, &err), FL_OK);
    leases = fl_leases_new(60 * FL_USEC_PER_SEC, FL_USEC_PER_SEC);
    stop = false;
    assert_int_equal(pthread_create(&committer, NULL, commit_thread, NULL), 0);
    struct fl_http_options o = {.config = config,
                                .store = (struct fl_store *)&fake,
                                .leases = leases,
                                .conninfo = "",
                                .ask = ask,
                                .mapping = fake.mapping};
    if (fl_http_start(&o, &h, &err) != FL_OK)
        fail_msg("%s", err.text);
    return h;
}

void fake_server_stop(struct fl_http *h)
{
    fl_http_stop(h);
    pthread_mutex_lock(&lock);
    stop = true;
    fake.hold = false;
    pthread_cond_broadcast(&more);
    pthread_mutex_unlock(&lock);
    pthread_join(committer, NULL);
    leases = fl_leases_free(leases);
    flow = fl_flow_free(flow);
    config = fl_config_free(config);
}
