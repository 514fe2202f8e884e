/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/http.c -- http{…} of playbooks: allow-list by name, then every resolved address by number.
 * A fresh connection each time: on a reused one libcurl may send a request twice, and skips the address check. */
#include "runner_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HEADERS_MAX 64u
#define HEADER_BYTES_MAX 8192u
#define RESPONSE_HEADER_BYTES_MAX (16u << 10)
#define URL_BYTES_MAX 4096u

struct transfer {
    struct fl_runner *r;
    struct act *act;
    CURL *easy;
    CURLU *url;
    struct curl_slist *headers;
    struct fl_buf body, head; /* head: "name: value\n" lines of the last response */
    bool cut, refused;
    char why[160];
    char error[CURL_ERROR_SIZE];
};

/* ---- allow-list ---- */

static bool host_fits(const char *rule, const char *host)
{
    size_t n = strlen(host), k = strlen(rule);
    if (rule[0] == '*' && rule[1] == '.') /* at least one label, and never a number */
        return n > k - 1 && strcasecmp(host + n - (k - 1), rule + 1) == 0;
    return strcasecmp(rule, host) == 0;
}

static bool method_fits(const char *list, const char *method)
{
    size_t n = strlen(method);
    for (const char *p = list; *p;) {
        size_t k = strcspn(p, ", ");
        if (k == n && strncmp(p, method, n) == 0)
            return true;
        p += k;
        p += strspn(p, ", ");
    }
    return false;
}

static bool is_allowed(const struct fl_runner *r, const char *host, int port, const char *method)
{
    for (size_t i = 0; i < r->n_http; i++) {
        const struct http_rule *a = &r->http[i];
        bool port_fits = a->port ? a->port == port : port == 80 || port == 443;
        if (port_fits && host_fits(a->host, host) && method_fits(a->methods, method))
            return true;
    }
    return false;
}

/* ---- the request, checked ---- */

static const char *parse_url(struct transfer *t, const char *url, const char *method)
{
    char *scheme = NULL, *host = NULL, *port = NULL;
    const char *bad = NULL;
    int64_t number = 0;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return "the URL has a blank, a control character or a byte that is not ASCII";
    if (strlen(url) > URL_BYTES_MAX)
        return "the URL is too long";
    t->url = curl_url();
    if (!t->url || curl_url_set(t->url, CURLUPART_URL, url, CURLU_DISALLOW_USER) != CURLUE_OK ||
        curl_url_get(t->url, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(t->url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(t->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
        bad = "the URL does not parse (or names a user)";
    else if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        bad = "only http and https are spoken";
    else if (strchr(host, '%') || !fl_parse_i64(port, 1, 65535, &number))
        bad = "the URL's host or port is not plain";
    if (!bad) {
        size_t n = strlen(host);
        if (n && host[n - 1] == '.')
            host[--n] = 0;
        if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
            memmove(host, host + 1, n - 2);
            host[n - 2] = 0;
        }
        if (!is_allowed(t->r, host, (int)number, method)) {
            snprintf(t->why, sizeof t->why, "%s to %.90s:%d is not on the allow-list", method, host,
                     (int)number);
            bad = t->why;
        }
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    return bad;
}

static bool header_is_ours(const char *name)
{
    static const char *const barred[] = {
        "host",    "content-length", "transfer-encoding", "connection",     "upgrade",        "te",
        "trailer", "expect",         "keep-alive",        "http2-settings", "idempotency-key"};
    if (strncasecmp(name, "proxy-", 6) == 0)
        return true;
    for (size_t i = 0; i < FL_ARRAY_LEN(barred); i++)
        if (strcasecmp(name, barred[i]) == 0)
            return true;
    return false;
}

static bool header_is_plain(const char *name, const char *value)
{
    static const char token[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_!#$%&'*+.^`|~";
    if (!*name || name[strspn(name, token)] || strlen(name) + strlen(value) > HEADER_BYTES_MAX)
        return false;
    for (const char *p = value; *p; p++)
        if ((unsigned char)*p < ' ' && *p != '\t')
            return false;
    return true;
}

static bool add_header(struct transfer *t, const char *name, const char *value)
{
    char line[HEADER_BYTES_MAX + 8];
    /* libcurl: "name;" sends an empty header, "name:" removes its own. */
    if (*value)
        snprintf(line, sizeof line, "%s: %s", name, value);
    else
        snprintf(line, sizeof line, "%s;", name);
    struct curl_slist *more = curl_slist_append(t->headers, line);
    t->headers = more ? more : t->headers;
    return more != NULL;
}

static const char *set_headers(struct transfer *t, const struct fl_json *args, bool has_body)
{
    const struct fl_json *headers = fl_json_get(args, "headers");
    bool has_type = false;
    size_t n = 0;
    for (void *it = headers ? fl_json_first(headers) : NULL; it; it = fl_json_next(headers, it)) {
        const char *name = fl_json_key(it), *value = fl_json_string(fl_json_value(it));
        if (!value || !header_is_plain(name, value) || ++n > HEADERS_MAX)
            return "a header is not plain text, too long, or one too many";
        if (header_is_ours(name)) {
            snprintf(t->why, sizeof t->why, "the header \"%.60s\" is set by the engine", name);
            return t->why;
        }
        has_type = has_type || strcasecmp(name, "content-type") == 0;
        if (!add_header(t, name, value))
            return "out of memory";
    }
    bool ok = add_header(t, "Idempotency-Key", t->act->key);
    if (!has_type && has_body)
        ok = ok && add_header(t, "Content-Type", "text/plain; charset=utf-8");
    static const char *const removed[] = {"Expect:", "Content-Type:"};
    for (size_t i = 0; i < (has_type || has_body ? 1u : 2u) && ok; i++) {
        struct curl_slist *more = curl_slist_append(t->headers, removed[i]);
        t->headers = more ? more : t->headers;
        ok = more != NULL;
    }
    return ok ? NULL : "out of memory";
}

/* ---- callbacks ---- */

/* Every address libcurl is about to dial passes here, rebinding and disguises included. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *a)
{
    struct transfer *t = arg;
    address_class cls = address_classify(&a->addr);
    const char *why = address_is_barred(&a->addr, (const char *const *)t->r->barred)
                          ? "it is our own listener"
                      : cls == ADDRESS_NEVER                           ? "it is not an address to dial"
                      : cls == ADDRESS_PRIVATE && !t->r->allow_private ? "it is a private address"
                                                                       : NULL;
    if (why || purpose != CURLSOCKTYPE_IPCXN || t->refused) {
        if (!t->refused)
            snprintf(t->why, sizeof t->why, "the host's address is refused: %s",
                     why ? why : "unexpected use");
        t->refused = true; /* one bad address of a name spoils the name */
        return CURL_SOCKET_BAD;
    }
    return socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n, room = t->r->max_output - t->body.n;
    fl_buf_add(&t->body, p, len < room ? len : room);
    if (len <= room && !t->body.failed)
        return len;
    t->cut = true;
    return 0; /* enough: ends the transfer */
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;
    if (len > 5 && strncmp(p, "HTTP/", 5) == 0)
        fl_buf_reset(&t->head); /* 100 Continue and the like came before */
    else if (t->head.n + len <= RESPONSE_HEADER_BYTES_MAX)
        fl_buf_add(&t->head, p, len);
    return len;
}

/* ---- the outcome ---- */

static void write_headers(struct fl_jw *w, const struct fl_buf *head)
{
    char seen[HEADERS_MAX][128];
    size_t n = 0;
    fl_jw_obj(w, "headers");
    for (const char *p = head->p; p && *p && n < HEADERS_MAX;) {
        size_t line = strcspn(p, "\r\n"), name = strcspn(p, ":\r\n");
        if (name && name < line && name < sizeof seen[0]) {
            for (size_t i = 0; i < name; i++)
                seen[n][i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
            seen[n][name] = 0;
            bool again = false;
            for (size_t i = 0; i < n; i++)
                again = again || strcmp(seen[i], seen[n]) == 0;
            const char *value = p + name + 1;
            size_t len = line - name - 1;
            for (; len && (*value == ' ' || *value == '\t'); value++)
                len--;
            struct fl_buf text = fl_buf_init(0);
            text_escape(&text, value, len);
            if (!again && fl_utf8_valid(seen[n], name)) /* repeated: the first counts */
                fl_jw_strn(w, seen[n++], text.p ? text.p : "", text.n);
            fl_buf_done(&text);
        }
        p += line;
        p += strspn(p, "\r\n");
    }
    fl_jw_obj_end(w);
}

static void finish_ok(struct fl_runner *r, struct transfer *t)
{
    struct fl_buf b = fl_buf_init(0), text = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    size_t n = t->cut ? text_whole(t->body.p, t->body.n) : t->body.n;
    bool escaped = text_escape(&text, t->body.p ? t->body.p : "", n);
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "status", status);
    write_headers(&w, &t->head);
    fl_jw_strn(&w, "body", text.p ? text.p : "", text.n);
    if (t->cut)
        fl_jw_bool(&w, "truncated", true);
    if (escaped)
        fl_jw_bool(&w, "escaped", true);
    fl_jw_int(&w, "elapsed_us", fl_mono() - t->act->started);
    fl_jw_obj_end(&w);
    act_finish(r, t->act, &(struct act_result){.ok = true, .sent = true, .result = b.p});
    fl_buf_done(&b);
    fl_buf_done(&text);
}

static void transfer_free(struct transfer *t)
{
    if (!t)
        return;
    if (t->easy)
        curl_multi_remove_handle(t->r->multi, t->easy);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    curl_url_cleanup(t->url);
    fl_buf_done(&t->body);
    fl_buf_done(&t->head);
    free(t);
}

static void finish(struct fl_runner *r, struct transfer *t, CURLcode rc)
{
    long sent = 0, status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && t->cut && status)) {
        finish_ok(r, t);
    } else if (t->refused) {
        act_finish(r, t->act, &(struct act_result){.denied = true, .error = t->why});
    } else {
        /* Once a byte of the request was written it may have been acted upon, answer or not. */
        struct act_result res = {
            .sent = sent > 0, .unknown = sent > 0, .error = t->error[0] ? t->error : curl_easy_strerror(rc)};
        act_finish(r, t->act, &res);
    }
    t->act->impl = NULL;
    transfer_free(t);
}

void http_messages(struct fl_runner *r)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(r->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE)
            continue;
        struct transfer *t = NULL;
        CURLcode rc = m->data.result;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(r, t, rc);
    }
}

static void cancel(struct fl_runner *r, struct act *a)
{
    (void)r;
    transfer_free(a->impl);
    a->impl = NULL;
}

/* ---- start ---- */

static bool set_options(struct transfer *t, const char *method, const char *body, fl_usec timeout)
{
    CURL *e = t->easy;
    bool ok = true;
#define SET(opt, value) ok = ok && curl_easy_setopt(e, opt, value) == CURLE_OK
    SET(CURLOPT_CURLU, t->url);
    SET(CURLOPT_PRIVATE, t);
    SET(CURLOPT_ERRORBUFFER, t->error);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_TIMEOUT_MS, (long)(timeout / 1000 + 1));
    SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
    SET(CURLOPT_OPENSOCKETDATA, t);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_WRITEDATA, t);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_HEADERDATA, t);
    SET(CURLOPT_HTTPHEADER, t->headers);
    SET(CURLOPT_USERAGENT, "faultline/" FL_VERSION);
    if (strcmp(method, "HEAD") == 0) {
        SET(CURLOPT_NOBODY, 1L);
    } else if (body || strcmp(method, "GET") != 0) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(body ? strlen(body) : 0));
        SET(CURLOPT_COPYPOSTFIELDS, body ? body : "");
    }
    SET(CURLOPT_CUSTOMREQUEST, strcmp(method, "HEAD") == 0 ? NULL : method);
#undef SET
    return ok;
}

void http_act(struct fl_runner *r, struct act *a)
{
    const char *method = fl_json_str(a->args, "method", "GET"), *url = fl_json_str(a->args, "url", "");
    const char *body = fl_json_str(a->args, "body", NULL);
    fl_usec timeout = fl_json_int(a->args, "timeout_us", HTTP_TIMEOUT_DEFAULT);
    if (timeout <= 0 || timeout > a->deadline - a->started)
        timeout = a->deadline - a->started;
    struct transfer *t = calloc(1, sizeof *t);
    if (!t) {
        act_finish(r, a, &(struct act_result){.error = "out of memory"});
        return;
    }
    *t = (struct transfer){.r = r, .act = a, .body = fl_buf_init(0), .head = fl_buf_init(0)};
    const char *bad = parse_url(t, url, method);
    if (!bad)
        bad = set_headers(t, a->args, body != NULL);
    if (!bad)
        t->easy = curl_easy_init();
    if (!bad && (!t->easy || !set_options(t, method, body, timeout) ||
                 curl_multi_add_handle(r->multi, t->easy) != CURLM_OK))
        bad = "could not set up the transfer";
    if (bad) {
        act_finish(r, a, &(struct act_result){.denied = true, .error = bad});
        transfer_free(t);
        return;
    }
    a->impl = t;
    a->cancel = cancel;
}

/* ---- life ---- */

fl_status http_init(struct fl_runner *r, const struct fl_runner_options *o, struct fl_err *err)
{
    /* Counted, and thread-safe since 7.84. */
    r->multi = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_multi_init() : NULL;
    r->http = calloc(o->n_http + 1, sizeof *r->http);
    if (!r->multi || !r->http)
        return fl_fail(err, FL_E_INTERNAL, "runner", "could not set up libcurl");
    for (size_t i = 0; i < o->n_http; i++) {
        const char *host = o->http[i].host;
        size_t n = strlen(host);
        bool brackets = n > 1 && host[0] == '[' && host[n - 1] == ']';
        r->http[i] = (struct http_rule){
            .host = brackets ? strndup(host + 1, n - 2) : strdup(host),
            .methods = strdup(o->http[i].methods && *o->http[i].methods ? o->http[i].methods : "GET"),
            .port = o->http[i].port};
        r->n_http = i + 1;
        if (!r->http[i].host || !r->http[i].methods)
            return fl_fail(err, FL_E_NOMEM, "runner", "out of memory");
    }
    return FL_OK;
}

void http_done(struct fl_runner *r)
{
    for (size_t i = 0; i < r->n_http; i++) {
        free(r->http[i].host);
        free(r->http[i].methods);
    }
    free(r->http);
    if (r->multi) {
        curl_multi_cleanup(r->multi);
        curl_global_cleanup();
    }
}
