/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/request.c -- one request: its line taken apart, its body, its life (layer 5). */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- the request line ---- */

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* %XX (and, in a query, '+') decoded; NULL: bad escape, NUL, or no UTF-8. */
static const char *decode(struct request *r, const char *p, size_t n, bool query)
{
    char *out = fl_arena_alloc(r->arena, n + 1);
    if (!out)
        return NULL;
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '%') {
            int hi = i + 2 < n ? hex(p[i + 1]) : -1, lo = hi < 0 ? -1 : hex(p[i + 2]);
            if (lo < 0 || (hi == 0 && lo == 0))
                return NULL;
            out[len++] = (char)(hi << 4 | lo);
            i += 2;
        } else {
            out[len++] = query && p[i] == '+' ? ' ' : p[i];
        }
    }
    out[len] = 0;
    return fl_utf8_valid(out, len) ? out : NULL;
}

static const char *split_path(struct request *r, const char *p, size_t n)
{
    if (!n || p[0] != '/')
        return "the request target must be a path that begins with /";
    for (size_t i = 1; i <= n;) {
        const char *end = memchr(p + i, '/', n - i);
        size_t len = end ? (size_t)(end - (p + i)) : n - i;
        if (r->n_segments == MAX_SEGMENTS)
            return NULL; /* longer than any route: a 404 later */
        const char *s = decode(r, p + i, len, false);
        if (!s)
            return "the path holds a bad escape, a NUL or bytes that are no UTF-8";
        r->segments[r->n_segments++] = s;
        i += len + 1;
    }
    return NULL;
}

static const char *split_query(struct request *r, const char *p)
{
    while (*p) {
        size_t len = strcspn(p, "&"), name_len = strcspn(p, "&=");
        if (len) {
            if (r->n_args == MAX_ARGS)
                return "too many query arguments";
            if (!r->args && !(r->args = fl_arena_alloc(r->arena, MAX_ARGS * sizeof *r->args)))
                return "out of memory";
            const char *name = decode(r, p, name_len, true);
            const char *value = name_len < len ? decode(r, p + name_len + 1, len - name_len - 1, true) : "";
            if (!name || !value)
                return "the query holds a bad escape, a NUL or bytes that are no UTF-8";
            r->args[r->n_args++] = (struct arg){name, value};
        }
        p += len + (p[len] == '&');
    }
    return NULL;
}

static void take_uri(struct request *r, const char *uri)
{
    for (const char *c = uri; *c; c++)
        if ((unsigned char)*c <= 0x20 || (unsigned char)*c == 0x7f) {
            r->bad = "the request target holds control characters";
            return;
        }
    size_t path_n = strcspn(uri, "?");
    r->bad = split_path(r, uri, path_n);
    if (!r->bad && uri[path_n] == '?')
        r->bad = split_query(r, uri + path_n + 1);
}

void *request_open(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct loop *l = cls;
    struct fl_http *h = l->http;
    struct request *r = calloc(1, sizeof *r);
    if (!r)
        return NULL; /* the handler cuts a connection without a request */
    atomic_init(&r->refs, 1);
    atomic_init(&r->phase, PHASE_RECEIVING);
    r->http = h;
    r->loop = l;
    atomic_fetch_add(&h->refs, 1);
    r->mhd = mhd;
    r->started = fl_mono();
    r->arena = fl_arena_new_sized(4 * HEADER_MEMORY, 512);
    r->uri = r->arena ? fl_arena_strdup(r->arena, uri) : NULL;
    if (r->uri)
        take_uri(r, r->uri);
    else
        r->bad = "out of memory";
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    pthread_mutex_lock(&h->lock);
    h->n_requests++;
    r->connection = info ? info->socket_context : NULL;
    if (r->connection)
        r->connection->request = r;
    pthread_mutex_unlock(&h->lock);
    return r;
}

void request_ref(struct request *r)
{
    atomic_fetch_add(&r->refs, 1);
}

void request_unref(struct request *r)
{
    if (!r || atomic_fetch_sub(&r->refs, 1) != 1)
        return;
    answer_drop(r, &r->answer);
    if (r->spooled)
        atomic_fetch_sub(&r->http->spools, 1);
    http_unref(r->http);
    fl_arena_free(r->body_arena);
    fl_arena_free(r->arena);
    fl_buf_done(&r->spill);
    free(r);
}

/* ---- arguments ---- */

const char *request_arg(const struct request *r, const char *name)
{
    for (size_t i = 0; i < r->n_args; i++)
        if (fl_streq(r->args[i].name, name))
            return r->args[i].value;
    return NULL;
}

bool request_arg_size(struct request *r, const char *name, size_t dflt, size_t max, size_t *ret)
{
    const char *text = request_arg(r, name);
    int64_t v = 0;
    *ret = dflt;
    if (!text || !*text)
        return true;
    if (!fl_parse_i64(text, 0, (int64_t)max, &v)) {
        reply_error(r, 400, "bad_argument", name, NULL,
                    "argument %s must be a whole number from 0 to %zu, not \"%.64s\"", name, max, text);
        return false;
    }
    *ret = (size_t)v;
    return true;
}

bool request_arg_time(struct request *r, const char *name, fl_usec *ret)
{
    const char *text = request_arg(r, name);
    fl_usec ago;
    *ret = 0;
    if (!text || !*text || fl_time_parse(text, strlen(text), ret))
        return true;
    if (fl_parse_duration(text, &ago)) { /* since=2h: that long ago */
        *ret = fl_now() - ago;
        return true;
    }
    reply_error(r, 400, "bad_argument", name, "write 2026-11-23T09:00:00Z, or 2h for two hours ago",
                "argument %s is no time: \"%.64s\"", name, text);
    return false;
}

/* ---- the body ---- */

static size_t body_limit(const struct request *r)
{
    size_t max = (size_t)r->http->o.config->max_body_bytes;
    return r->route && (r->route->flags & ROUTE_BULK) ? max : max < COMMAND_BODY_MAX ? max : COMMAND_BODY_MAX;
}

/* About what is made of a body of that length: the arena lives until the core is through with it. */
static size_t parsed_bytes(size_t body)
{
    enum { LEAST = 512, MOST = 64 << 10 };
    size_t n = LEAST + 2 * body;
    return n < MOST ? n : MOST;
}

/* A body of known length is read straight into the arena that the journal will own. */
static bool body_reserve(struct request *r)
{
    if (r->body_arena)
        return true;
    r->body_arena = fl_arena_new_sized(0, r->body_cap + parsed_bytes(r->body_cap));
    if (!r->body_arena)
        return false;
    if (r->chunked) {
        r->spill = fl_buf_init(body_limit(r) + 1);
        return true;
    }
    r->body = fl_arena_alloc(r->body_arena, r->body_cap + 1);
    return r->body != NULL;
}

bool request_body(struct request *r, const char *p, size_t n)
{
    if (r->too_long) {
        /* An answer can be queued only after the body: swallow a little, then cut. */
        r->body_n += n;
        return r->body_n <= 2 * body_limit(r);
    }
    if (!body_reserve(r))
        return false;
    if (!r->chunked) {
        if (r->body_n + n > r->body_cap)
            return false;
        memcpy(r->body + r->body_n, p, n);
        r->body_n += n;
        return true;
    }
    r->body_n += n;
    if (r->body_n > body_limit(r)) {
        r->too_long = true;
        fl_buf_done(&r->spill);
        return true;
    }
    size_t before = r->budget;
    r->budget = r->body_n;
    if (atomic_fetch_add(&r->http->body_bytes, r->budget - before) > r->http->body_budget)
        return false;
    fl_buf_add(&r->spill, p, n);
    return !r->spill.failed;
}

fl_status request_body_end(struct request *r)
{
    r->received_at = fl_now();
    if (r->too_long)
        return FL_E_LIMIT;
    if (!body_reserve(r))
        return FL_E_NOMEM;
    if (r->chunked) {
        r->body = fl_arena_alloc(r->body_arena, r->spill.n + 1);
        if (!r->body)
            return FL_E_NOMEM;
        if (r->spill.n)
            memcpy(r->body, r->spill.p, r->spill.n);
        fl_buf_done(&r->spill);
    }
    r->body[r->body_n] = 0;
    return FL_OK;
}

/* ---- waiting ---- */

/* Waiting already: said only now, since nobody may resume what is not suspended yet. */
static bool may_wait(struct request *r)
{
    r->suspended = true;
    atomic_store(&r->phase, PHASE_WAITING);
    if (!atomic_load(&r->http->stopping))
        return true;
    reply_error(r, 503, "stopping", NULL, NULL, "the engine is stopping");
    return false;
}

bool request_suspend(struct request *r)
{
    MHD_suspend_connection(r->mhd);
    return may_wait(r);
}

bool request_park(struct request *r)
{
    if (!loop_park(r->loop))
        return request_suspend(r);
    r->parked = r->in_turns = true;
    return may_wait(r);
}

void request_unpark(struct request *r)
{
    if (r->in_turns)
        loop_unpark(r->loop);
    r->in_turns = false;
}

void request_resume(struct request *r)
{
    if (!r->parked)
        MHD_resume_connection(r->mhd);
    loop_wake(r->loop);
}

void request_continue(struct request *r)
{
    int waiting = PHASE_WAITING;
    if (atomic_compare_exchange_strong(&r->phase, &waiting, PHASE_RECEIVING))
        request_resume(r);
}
