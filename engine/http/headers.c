/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/headers.c -- what libmicrohttpd 0.9.75 lets pass and must not: framing, type, length (layer 5). */
#include "http_priv.h"

#include <string.h>
#include <strings.h>

/* RFC 9110 token: a name with a space before the colon is how requests are smuggled. */
static bool is_token(const char *s, size_t n)
{
#define BIT(c) (1ull << ((c) % 64))
    static const uint64_t separators[] = {BIT('(') | BIT(')') | BIT('<') | BIT('>') | BIT(',') | BIT(';') |
                                              BIT(':') | BIT('"') | BIT('/') | BIT('?') | BIT('='),
                                          BIT('@') | BIT('\\') | BIT('[') | BIT(']') | BIT('{') | BIT('}')};
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= 0x20 || c >= 0x7f || (separators[c / 64] & BIT(c)))
            return false;
    }
    return n > 0;
#undef BIT
}

static bool is(const char *name, size_t n, const char *word)
{
    return n == strlen(word) && strncasecmp(name, word, n) == 0;
}

static enum MHD_Result visit(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_n,
                             const char *value, size_t value_n)
{
    struct head *h = cls;
    (void)kind;
    if (!value)
        value = "";
    if (!is_token(name, name_n) || strlen(value) != value_n)
        h->bad_name = "a header name or value holds characters that are not allowed";
    else if (is(name, name_n, "content-length"))
        h->n_length++, h->length = value;
    else if (is(name, name_n, "transfer-encoding"))
        h->n_coding++, h->coding = value;
    else if (is(name, name_n, "host"))
        h->n_host++, h->host = value;
    else if (is(name, name_n, "authorization"))
        h->n_auth++, h->auth = value;
    else if (is(name, name_n, "content-type"))
        h->n_type++, h->type = value;
    else if (is(name, name_n, "content-encoding"))
        h->encoding = value;
    else if (is(name, name_n, "origin"))
        h->origin = value;
    else if (is(name, name_n, "sec-fetch-site"))
        h->fetch_site = value;
    return MHD_YES;
}

static const char *framing_problem(const struct head *h, bool http10)
{
    if (h->bad_name)
        return h->bad_name;
    if (h->n_length > 1)
        return "more than one Content-Length";
    if (h->n_coding > 1)
        return "more than one Transfer-Encoding";
    if (h->n_length && h->n_coding)
        return "both Content-Length and Transfer-Encoding";
    if (h->n_coding && http10)
        return "Transfer-Encoding in an HTTP/1.0 request";
    if (h->n_coding && strcasecmp(h->coding, "chunked") != 0)
        return "a transfer coding other than chunked";
    if (h->n_host > 1)
        return "more than one Host";
    if (h->n_auth > 1)
        return "more than one Authorization";
    if (h->n_type > 1)
        return "more than one Content-Type";
    return NULL;
}

static bool is_loopback_host(const char *host)
{
    char name[256];
    size_t n = strcspn(host, host[0] == '[' ? "]" : ":");
    if (n >= sizeof name)
        return false;
    memcpy(name, host, n);
    name[n] = 0;
    return !strcasecmp(name, "localhost") || !strcmp(name, "[::1") || !strncmp(name, "127.", 4);
}

/* Without tokens the browser on the same machine is the attacker: no foreign origin, no rebound name. */
static bool browser_check(struct request *r, const struct head *h)
{
    const char *authority = h->origin ? strstr(h->origin, "://") : NULL;
    bool foreign = h->origin && (!authority || !h->host || strcasecmp(authority + 3, h->host) != 0);
    if (foreign || (h->fetch_site && !strcasecmp(h->fetch_site, "cross-site"))) {
        reply_error(r, 403, "cross_site", NULL, NULL, "requests from pages of another origin are refused");
        return false;
    }
    if (r->http->auth_off && h->host && !is_loopback_host(h->host)) {
        reply_error(r, 403, "bad_host", NULL, "use http://127.0.0.1, or tokens with auth = \"on\"",
                    "without authentication only loopback names are served, not \"%.128s\"", h->host);
        return false;
    }
    return true;
}

static bool parse_length(struct request *r, const char *method)
{
    const struct head *h = &r->head;
    int64_t length = 0;
    if (h->n_length && !fl_parse_i64(h->length, 0, INT64_MAX, &length)) {
        r->answer.close = true;
        reply_error(r, 400, "bad_framing", NULL, NULL, "Content-Length is no whole number: \"%.64s\"",
                    h->length);
        return false;
    }
    r->chunked = h->n_coding > 0;
    r->body_cap = (size_t)length;
    bool takes_body = !strcmp(method, "POST") || !strcmp(method, "PUT") || !strcmp(method, "PATCH");
    if ((r->chunked || length) && !takes_body) {
        r->answer.close = true;
        reply_error(r, 400, "bad_framing", NULL, NULL, "a %.16s request has no body", method);
        return false;
    }
    return true;
}

bool headers_check(struct request *r)
{
    struct head *h = &r->head;
    MHD_get_connection_values_n(r->mhd, MHD_HEADER_KIND, visit, h);
    /* Whoever is refused before the body was read may not send another request behind it. */
    r->answer.close = h->n_coding || (h->n_length && strcmp(h->length, "0") != 0);
    const char *problem = r->bad ? r->bad : framing_problem(h, r->http10);
    if (problem) {
        r->answer.close = true;
        atomic_fetch_add(&r->http->framing_refused, 1);
        reply_error(r, 400, "bad_framing", NULL, NULL, "the request is malformed: %s", problem);
        return false;
    }
    return browser_check(r, h);
}

static bool is_json(const char *type)
{
    size_t n = type ? strcspn(type, "; \t") : 0;
    return n == 16 && !strncasecmp(type, "application/json", 16);
}

static bool is_form(const char *type)
{
    size_t n = type ? strcspn(type, "; \t") : 0;
    return n == 33 && !strncasecmp(type, "application/x-www-form-urlencoded", 33);
}

const char *too_large_hint(const struct request *r)
{
    return r->route && r->route->run == run_topology_put
               ? "raise max_body and queue in the configuration, or start `faultline serve --topology FILE`"
               : "send fewer alerts in one request";
}

/* Type and length, judged from what is announced, after the caller is known and before a byte is read. */
bool headers_check_body(struct request *r)
{
    const struct head *h = &r->head;
    const struct route *t = r->route;
    const char *method = t->method;
    if (!parse_length(r, method))
        return false;
    bool has_body = r->chunked || r->body_cap;
    if ((t->flags & ROUTE_BODY) && !h->n_length && !h->n_coding) {
        reply_error(r, 411, "length_required", NULL, NULL, "a body with Content-Length is required");
        return false;
    }
    if (h->encoding && *h->encoding && strcasecmp(h->encoding, "identity") != 0) {
        reply_error(r, 415, "unsupported_encoding", NULL, "send the body uncompressed",
                    "content encoding \"%.64s\" is not accepted", h->encoding);
        return false;
    }
    /* A command without a body needs no type. */
    bool type_ok = is_json(h->type) || (t->flags & ROUTE_ANY_TYPE) ||
                   ((t->flags & ROUTE_FORM) && is_form(h->type));
    if ((has_body || (t->flags & ROUTE_BODY)) && !type_ok) {
        char bare[128] = "";
        if (h->type)
            strncat(bare, h->type, strcspn(h->type, "; \t") < 127 ? strcspn(h->type, "; \t") : 127);
        reply_error(r, 415, "unsupported_type", NULL, "send Content-Type: application/json",
                    "unsupported media type \"%s\", only [application/json] are allowed", bare);
        return false;
    }
    size_t max = (size_t)r->http->o.config->max_body_bytes;
    if (!(t->flags & ROUTE_BULK) && max > COMMAND_BODY_MAX)
        max = COMMAND_BODY_MAX;
    if (r->body_cap > max) {
        reply_error(r, 413, "too_large", NULL, too_large_hint(r), "the body has %zu bytes, the limit is %zu",
                    r->body_cap, max);
        return false;
    }
    if (r->body_cap) {
        r->budget = r->body_cap;
        if (atomic_fetch_add(&r->http->body_bytes, r->budget) > r->http->body_budget) {
            reply_error(r, 503, "overload", NULL, "try again in a moment",
                        "too many bodies are being received");
            return false;
        }
    }
    r->answer.close = false;
    return true;
}
