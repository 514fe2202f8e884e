/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/reply.c -- answers: one place that gives them, one that sends them (layer 5). */
#include "http_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char TYPE_JSON[] = "application/json";
const char TYPE_TEXT[] = "text/plain; charset=utf-8";
const char TYPE_NDJSON[] = "application/x-ndjson";
const char TYPE_METRICS[] = "text/plain; version=0.0.4; charset=utf-8";

/* Nobody takes it: the deadline answered already, or the connection is gone. */
void answer_drop(struct request *r, struct answer *a)
{
    free(a->body);
    if (a->is_file) {
        close(a->fd);
        atomic_fetch_sub(&r->http->spools, 1);
    }
    a->body = NULL;
    a->is_file = false;
}

static void give(struct request *r, unsigned code, const char *type, struct answer *body)
{
    int waiting = PHASE_WAITING, receiving = PHASE_RECEIVING;
    bool resume = atomic_compare_exchange_strong(&r->phase, &waiting, PHASE_ANSWERING);
    if (!resume && !atomic_compare_exchange_strong(&r->phase, &receiving, PHASE_ANSWERING)) {
        answer_drop(r, body);
        return;
    }
    r->answer.code = code;
    r->answer.type = type;
    r->answer.body = body->body;
    r->answer.n = body->n;
    r->answer.is_file = body->is_file;
    r->answer.fd = body->fd;
    atomic_store(&r->phase, PHASE_ANSWERED);
    if (resume)
        request_resume(r);
}

void reply_bytes(struct request *r, unsigned code, const char *type, char *body, size_t n)
{
    give(r, code, type, &(struct answer){.body = body, .n = body ? n : 0});
}

void reply_file(struct request *r, unsigned code, const char *type, int fd, uint64_t n)
{
    give(r, code, type, &(struct answer){.is_file = true, .fd = fd, .n = (size_t)n});
}

void reply_buf(struct request *r, unsigned code, const char *type, struct fl_buf *b)
{
    size_t n = 0;
    if (b->failed) {
        fl_buf_done(b);
        reply_error(r, 503, "too_large", NULL,
                    "ask for fewer rows with limit=", "the answer is too large to build");
        return;
    }
    char *p = fl_buf_take(b, &n);
    reply_bytes(r, code, type, p, n);
}

void reply_text(struct request *r, unsigned code, const char *text)
{
    char *copy = strdup(text);
    reply_bytes(r, code, TYPE_TEXT, copy, copy ? strlen(copy) : 0);
}

void reply_empty(struct request *r, unsigned code)
{
    reply_bytes(r, code, NULL, NULL, 0);
}

void reply_error(struct request *r, unsigned code, const char *word, const char *field, const char *hint,
                 const char *fmt, ...)
{
    char text[768];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    if (r->lookalike) {
        fl_jw_int(&w, "code", code);
        fl_jw_str(&w, "message", text);
    } else {
        fl_jw_obj(&w, "error");
        fl_jw_str(&w, "code", word);
        fl_jw_str(&w, "message", text);
        if (hint && *hint)
            fl_jw_str(&w, "hint", hint);
        if (field && *field)
            fl_jw_str(&w, "field", field);
        fl_jw_obj_end(&w);
    }
    fl_jw_obj_end(&w);
    size_t n = 0;
    char *p = fl_buf_take(&b, &n);
    reply_bytes(r, code, TYPE_JSON, p, n);
}

unsigned status_code(fl_status st)
{
    switch (st) {
    case FL_OK: return 200;
    case FL_E_SYNTAX:
    case FL_E_SHAPE:
    case FL_E_LIMIT:
    case FL_E_USAGE: return 400;
    case FL_E_DENIED: return 403;
    case FL_E_NOTFOUND: return 404;
    case FL_E_CONFLICT:
    case FL_E_DIVERGED: return 409;
    default: return 503; /* may work later: the sender tries again */
    }
}

void reply_status(struct request *r, const struct fl_err *err)
{
    reply_error(r, status_code(err->status), fl_status_name(err->status), err->where, err->hint, "%s",
                err->text[0] ? err->text : "it did not work");
}

static const char *seconds_of(unsigned retry_after)
{
    static const char *const seconds[] = {"1", "1", "2", "3", "4"};
    return seconds[retry_after < FL_ARRAY_LEN(seconds) ? retry_after : FL_ARRAY_LEN(seconds) - 1];
}

static void add_headers(struct MHD_Response *resp, const struct answer *a)
{
    if (a->type)
        MHD_add_response_header(resp, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
    MHD_add_response_header(resp, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(resp, "X-Content-Type-Options", "nosniff");
    if (a->type == TYPE_HTML ||
        a->type == TYPE_SVG) /* a second wall behind the escaping: nothing of a page may run or load */
        MHD_add_response_header(resp, "Content-Security-Policy",
                                "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    if (a->allow[0])
        MHD_add_response_header(resp, MHD_HTTP_HEADER_ALLOW, a->allow);
    if (a->origin)
        MHD_add_response_header(resp, "WebHook-Allowed-Origin", a->origin);
    if (a->any_rate)
        MHD_add_response_header(resp, "WebHook-Allowed-Rate", "*");
    if (a->code == 503)
        MHD_add_response_header(resp, MHD_HTTP_HEADER_RETRY_AFTER, seconds_of(a->retry_after));
    if (a->challenge) {
        MHD_add_response_header(resp, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"faultline\"");
        MHD_add_response_header(resp, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
                                "Basic realm=\"faultline\", charset=\"UTF-8\"");
    }
    if (a->close)
        MHD_add_response_header(resp, MHD_HTTP_HEADER_CONNECTION, "close");
}

static void count(struct request *r)
{
    size_t i = r->route ? (size_t)(r->route - routes) : n_routes;
    unsigned class = r->answer.code / 100;
    atomic_fetch_add(&r->http->stats[i].by_class[class < 6 ? class : 5], 1);
    atomic_fetch_add(&r->http->stats[i].usec, (unsigned long long)(fl_mono() - r->started));
}

static char nothing[1];

struct MHD_Response *reply_nothing(void)
{
    struct MHD_Response *resp = MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT);
    if (resp)
        add_headers(resp, &(struct answer){.code = 200});
    return resp;
}

/* Then nothing about the answer differs from one request to the next. */
static bool is_nothing(const struct answer *a)
{
    return a->code == 200 && !a->n && !a->type && !a->is_file && !a->allow[0] && !a->close && !a->challenge &&
           !a->origin && !a->any_rate;
}

static enum MHD_Result queue(struct request *r, struct MHD_Response *resp)
{
    count(r);
    enum MHD_Result ok = MHD_queue_response(r->mhd, r->answer.code, resp);
    atomic_store(&r->phase, PHASE_QUEUED);
    r->loop->again = true;
    return ok;
}

enum MHD_Result reply_queue(struct request *r)
{
    struct answer *a = &r->answer;
    if (is_nothing(a) && !a->body)
        return queue(r, r->loop->nothing);
    struct MHD_Response *resp = a->is_file ? MHD_create_response_from_fd64(a->n, a->fd)
                                           : MHD_create_response_from_buffer(
                                                 a->n, a->body ? (void *)a->body : (void *)nothing,
                                                 a->body ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!resp)
        return MHD_NO;
    r->spooled = a->is_file;
    a->body = NULL; /* the response's now */
    a->is_file = false;
    add_headers(resp, a);
    enum MHD_Result ok = queue(r, resp);
    MHD_destroy_response(resp);
    return ok;
}
