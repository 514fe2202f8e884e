/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/auth.c -- who is calling: tokens by their hash from memory, never a query per request (layer 5). */
#include "http_priv.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const fl_usec RELOAD_EVERY = 2 * FL_USEC_PER_SEC; /* a revoked token works at most this long */
static const fl_usec MISS_EVERY = FL_USEC_PER_SEC /
                                  20;                /* unknown tokens ask the database at most this often */
static const fl_usec PATIENCE = 2 * FL_USEC_PER_SEC; /* of whoever made or revoked a token over HTTP */
enum { ASKING_MAX = 512, UNKNOWN_MAX = 256 };

struct token_list {
    struct fl_token *v;
    size_t n, cap;
    bool failed;
};
struct token_cache {
    struct fl_http *http;
    pthread_mutex_t lock;
    pthread_cond_t wanted, loaded;
    pthread_t thread;
    struct token_list list;
    struct request *asking[ASKING_MAX]; /* suspended until the next reload */
    size_t n_asking;
    struct fl_sha256 unknown[UNKNOWN_MAX]; /* as of the last reload: refused at once */
    size_t n_unknown;
    unsigned long asked, done; /* generations */
    fl_usec last_load;         /* mono */
    bool stop;
};

static void collect(void *ctx, const struct fl_token *t)
{
    struct token_list *l = ctx;
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 32;
        struct fl_token *v = realloc(l->v, cap * sizeof *v);
        if (!v) {
            l->failed = true;
            return;
        }
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *t;
}

/* The database away: what was known stays known; nothing can be committed meanwhile anyway. */
static bool load(struct token_cache *t, struct fl_reader **db)
{
    struct token_list fresh = {0};
    struct fl_err err = {0};
    fl_status st = *db ? FL_OK : fl_reader_open(t->http->o.conninfo, db, &err);
    if (st == FL_OK)
        st = fl_token_list(*db, t->http->o.config->realm, collect, &fresh, &err);
    if (st != FL_OK || fresh.failed) {
        fl_log_err(FL_LOG_WARN, "http", "tokens were not read again", &err);
        free(fresh.v);
        *db = fl_reader_close(*db);
        return false;
    }
    pthread_mutex_lock(&t->lock);
    free(t->list.v);
    t->list = fresh;
    t->n_unknown = 0;
    pthread_mutex_unlock(&t->lock);
    return true;
}

static void wait_until(pthread_cond_t *c, pthread_mutex_t *m, fl_usec at)
{
    struct timespec ts = {.tv_sec = (time_t)(at / FL_USEC_PER_SEC),
                          .tv_nsec = (long)(at % FL_USEC_PER_SEC) * 1000};
    pthread_cond_timedwait(c, m, &ts);
}

static void answer_asking(struct token_cache *t, struct request **v, size_t n);

/* When the next reload is due; sooner when somebody asks. Caller holds the lock. */
static fl_usec next_load(const struct token_cache *t, unsigned long generation)
{
    return t->last_load + (t->asked != generation || t->n_asking ? MISS_EVERY : RELOAD_EVERY);
}

static void *reload_thread(void *ctx)
{
    struct token_cache *t = ctx;
    struct fl_reader *db = NULL;
    pthread_mutex_lock(&t->lock);
    while (!t->stop) {
        struct request *asking[ASKING_MAX];
        size_t n = t->n_asking;
        unsigned long generation = t->asked;
        memcpy(asking, t->asking, n * sizeof *asking);
        t->n_asking = 0;
        t->last_load = fl_mono();
        pthread_mutex_unlock(&t->lock);
        load(t, &db);
        answer_asking(t, asking, n);
        pthread_mutex_lock(&t->lock);
        t->done = generation;
        pthread_cond_broadcast(&t->loaded);
        while (!t->stop && fl_mono() < next_load(t, generation))
            wait_until(&t->wanted, &t->lock, next_load(t, generation));
    }
    /* Answered with 503 by the server's stop. */
    for (size_t i = 0; i < t->n_asking; i++)
        request_unref(t->asking[i]);
    t->n_asking = 0;
    pthread_mutex_unlock(&t->lock);
    fl_reader_close(db);
    return NULL;
}

fl_status tokens_start(struct fl_http *h, struct token_cache **ret, struct fl_err *err)
{
    struct token_cache *t = calloc(1, sizeof *t);
    if (!t)
        return fl_fail(err, FL_E_NOMEM, "http", "out of memory");
    t->http = h;
    pthread_condattr_t mono;
    pthread_condattr_init(&mono);
    pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->wanted, &mono);
    pthread_cond_init(&t->loaded, &mono);
    pthread_condattr_destroy(&mono);
    int rc = pthread_create(&t->thread, NULL, reload_thread, t);
    if (rc) {
        free(t);
        return fl_fail(err, FL_E_IO, "http", "could not start a thread: %s", strerror(rc));
    }
    tokens_reload(t); /* the first request finds them */
    *ret = t;
    return FL_OK;
}

struct token_cache *tokens_stop(struct token_cache *t)
{
    if (!t)
        return NULL;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_broadcast(&t->wanted);
    pthread_cond_broadcast(&t->loaded);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    pthread_cond_destroy(&t->wanted);
    pthread_cond_destroy(&t->loaded);
    pthread_mutex_destroy(&t->lock);
    free(t->list.v);
    free(t);
    return NULL;
}

void tokens_reload(struct token_cache *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned long mine = ++t->asked;
    pthread_cond_signal(&t->wanted);
    fl_usec until = fl_mono() + PATIENCE;
    while (!t->stop && t->done < mine && fl_mono() < until)
        wait_until(&t->loaded, &t->lock, until);
    pthread_mutex_unlock(&t->lock);
}

/* Every hash is compared, each in constant time: how long it takes tells nothing. Caller holds the lock. */
static const struct fl_token *find(const struct token_cache *t, const struct fl_sha256 *hash)
{
    const struct fl_token *found = NULL;
    for (size_t i = 0; i < t->list.n; i++)
        if (sodium_memcmp(t->list.v[i].hash.b, hash->b, sizeof hash->b) == 0)
            found = &t->list.v[i];
    return found;
}

enum verdict { UNKNOWN, MAYBE_NEW, REVOKED, EXPIRED, GOOD };

static bool known_unknown(const struct token_cache *t, const struct fl_sha256 *hash)
{
    for (size_t i = 0; i < t->n_unknown; i++)
        if (sodium_memcmp(t->unknown[i].b, hash->b, sizeof hash->b) == 0)
            return true;
    return false;
}

static enum verdict judge(struct token_cache *t, const struct fl_sha256 *hash, struct caller *ret)
{
    pthread_mutex_lock(&t->lock);
    const struct fl_token *f = find(t, hash);
    enum verdict v = f                        ? (f->revoked_at                                ? REVOKED
                                                 : f->expires_at && f->expires_at <= fl_now() ? EXPIRED
                                                                                              : GOOD)
                     : known_unknown(t, hash) ? UNKNOWN
                                              : MAYBE_NEW;
    if (v == GOOD) {
        memcpy(ret->name, f->name, sizeof ret->name);
        memcpy(ret->id, f->id, sizeof ret->id);
        ret->role = (unsigned)f->role;
    }
    pthread_mutex_unlock(&t->lock);
    return v;
}

/* A token made this moment: the request waits for the next reload, the http thread does not.
 * @return false: too many wait already. */
static bool ask(struct token_cache *t, struct request *r)
{
    bool ok = false;
    if (!request_suspend(r))
        return true; /* stopping: answered */
    request_ref(r);
    pthread_mutex_lock(&t->lock);
    if (!t->stop && t->n_asking < ASKING_MAX) {
        t->asking[t->n_asking++] = r;
        pthread_cond_signal(&t->wanted);
        ok = true;
    }
    pthread_mutex_unlock(&t->lock);
    if (!ok)
        request_unref(r);
    return ok;
}

/* Reload thread: back to the http thread, which judges again from what is in memory now. */
static void answer_asking(struct token_cache *t, struct request **v, size_t n)
{
    struct caller nobody;
    for (size_t i = 0; i < n; i++) {
        if (judge(t, &v[i]->token_hash, &nobody) == MAYBE_NEW) {
            pthread_mutex_lock(&t->lock);
            t->unknown[t->n_unknown < UNKNOWN_MAX ? t->n_unknown++
                                                  : (size_t)v[i]->token_hash.b[0] % UNKNOWN_MAX] =
                v[i]->token_hash;
            pthread_mutex_unlock(&t->lock);
        }
        request_continue(v[i]);
        request_unref(v[i]);
    }
}

/* "Bearer TOKEN", or "Basic base64(anything:TOKEN)". @return length of the secret, 0 = none. */
static size_t secret_of(const char *header, char *out, size_t cap)
{
    size_t n = 0;
    if (!strncasecmp(header, "Bearer ", 7)) {
        header += 7 + strspn(header + 7, " ");
        n = strlen(header);
        if (n >= cap)
            return 0;
        memcpy(out, header, n);
    } else if (!strncasecmp(header, "Basic ", 6)) {
        char plain[1024];
        size_t len = 0;
        header += 6 + strspn(header + 6, " ");
        if (sodium_base642bin((unsigned char *)plain, sizeof plain - 1, header, strlen(header), NULL, &len,
                              NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
            return 0;
        plain[len] = 0;
        const char *colon = memchr(plain, ':', len);
        n = colon ? len - (size_t)(colon + 1 - plain) : 0;
        if (n >= cap)
            n = 0;
        if (n)
            memcpy(out, colon + 1, n);
        sodium_memzero(plain, sizeof plain);
    }
    out[n] = 0;
    return n;
}

static bool refuse(struct request *r, const char *why)
{
    atomic_fetch_add(&r->http->auth_refused, 1);
    r->answer.challenge = true;
    reply_error(r, 401, "unauthorized", NULL,
                "send Authorization: Bearer TOKEN; `faultline token create` makes one", "%s", why);
    return false;
}

static bool check_role(struct request *r)
{
    unsigned needed = r->route->roles;
    if (needed == ROLE_PUBLIC || (needed & r->caller.role))
        return true;
    char names[128] = "";
    for (unsigned bit = FL_ROLE_INGEST; bit <= FL_ROLE_ADMIN; bit <<= 1)
        if (needed & bit) {
            strncat(names, names[0] ? " or " : "", sizeof names - strlen(names) - 1);
            strncat(names, fl_role_name((fl_role)bit), sizeof names - strlen(names) - 1);
        }
    atomic_fetch_add(&r->http->auth_refused, 1);
    reply_error(r, 403, "forbidden", NULL, NULL,
                "this needs the role %s; the token \"%.128s\" has the role %s", names, r->caller.name,
                fl_role_name((fl_role)r->caller.role));
    return false;
}

bool auth_check(struct request *r)
{
    const char *header = r->head.auth;
    if (r->route->roles == ROLE_PUBLIC)
        return true;
    if (!header && r->http->auth_off) {
        r->caller = (struct caller){.name = "local", .role = FL_ROLE_ADMIN};
        return true;
    }
    bool in_path = !header && (r->route->flags & ROUTE_PATH_TOKEN) && strlen(r->params[0]) < 256;
    if (!header && (r->route->flags & ROUTE_BODY_TOKEN))
        return true; /* nobody yet: auth_secret() */
    if (!header && !in_path)
        return refuse(r, "a token is required");
    char secret[256];
    size_t n = in_path ? strlen(r->params[0]) : secret_of(header, secret, sizeof secret);
    if (in_path)
        memcpy(secret, r->params[0], n);
    if (!n)
        return refuse(r, "the Authorization header holds no token");
    fl_sha256(secret, n, &r->token_hash);
    sodium_memzero(secret, sizeof secret);
    switch (judge(r->http->tokens, &r->token_hash, &r->caller)) {
    case GOOD: return check_role(r);
    case REVOKED: return refuse(r, "this token was revoked");
    case EXPIRED: return refuse(r, "this token has expired");
    case MAYBE_NEW:
        if (!r->asked) {
            r->asked = true;
            if (ask(r->http->tokens, r))
                return false;
        }
        break;
    default: break;
    }
    return refuse(r, "this token is not known");
}

bool auth_secret(struct request *r, const char *secret)
{
    if (r->caller.role)
        return true;
    if (!secret || !*secret)
        return refuse(r, "a token is required");
    fl_sha256(secret, strlen(secret), &r->token_hash);
    switch (judge(r->http->tokens, &r->token_hash, &r->caller)) {
    case GOOD: return check_role(r);
    case REVOKED: return refuse(r, "this token was revoked");
    case EXPIRED: return refuse(r, "this token has expired");
    default: return refuse(r, "this token is not known"); /* one made this moment: within RELOAD_EVERY */
    }
}
