/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/client.c -- one request to the engine, by libcurl (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>

#include <curl/curl.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { REPLY_MAX = 512 << 20 };

static size_t on_data(char *p, size_t size, size_t n, void *ctx)
{
    struct fl_buf *b = ctx;
    fl_buf_add(b, p, size * n);
    return b->failed ? 0 : size * n;
}

static const char *server_url(const struct args *a)
{
    const char *url = arg(a, "server");
    if (!url || !*url)
        url = getenv("FAULTLINE_URL");
    return url && *url ? url : "http://127.0.0.1:9195";
}

static bool read_token(const char *path, char *out, size_t cap)
{
    char *text = NULL;
    size_t n = 0;
    if (fl_read_file(path, 4096, &text, &n, NULL) != FL_OK)
        return false;
    size_t len = strcspn(text, " \t\r\n");
    bool ok = len > 0 && len < cap;
    if (ok) {
        memcpy(out, text, len);
        out[len] = 0;
    }
    free(text);
    return ok;
}

/* --token-file, FAULTLINE_TOKEN, then the places where `dev up` and people keep one. @return 0, or exit code. */
static int find_token(const struct args *a, char *out, size_t cap)
{
    const char *file = arg(a, "token-file"), *env = getenv("FAULTLINE_TOKEN");
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    char path[1024], data[512];
    out[0] = 0;
    if (file)
        return read_token(file, out, cap)
                   ? 0
                   : usage_error("--token-file: %s: it cannot be read or is empty", file);
    if (env && *env) {
        snprintf(out, cap, "%s", env);
        return 0;
    }
    struct fl_config c = {.data = getenv("FAULTLINE_DATA")};
    if (fl_data_dir(&c, data, sizeof data, NULL) == FL_OK) {
        snprintf(path, sizeof path, "%s/client.token", data);
        if (read_token(path, out, cap))
            return 0;
    }
    if (xdg && *xdg == '/')
        snprintf(path, sizeof path, "%s/faultline/token", xdg);
    else
        snprintf(path, sizeof path, "%s/.config/faultline/token", home ? home : "");
    read_token(path, out, cap);
    return 0;
}

/* ---- what went wrong, in words ---- */

static int code_of(const struct reply *r)
{
    const struct fl_json *e = r->json && fl_json_is_object(r->json) ? fl_json_get(r->json, "error") : NULL;
    if (r->code == 401 || r->code == 403 || fl_streq(e ? fl_json_str(e, "field", "") : "", "guard"))
        return EXIT_REFUSED;
    return r->code >= 500 ? EXIT_UNREACHABLE : r->code == 400 ? EXIT_USAGE : EXIT_FINDING;
}

static int explain(const char *url, const struct reply *r)
{
    const struct fl_json *e = r->json && fl_json_is_object(r->json) ? fl_json_get(r->json, "error") : NULL;
    const char *text = e ? fl_json_str(e, "message", NULL) : r->json ? fl_json_string(r->json) : NULL;
    const char *hint = e ? fl_json_str(e, "hint", NULL) : NULL,
               *field = e ? fl_json_str(e, "field", NULL) : NULL;
    if (!text && r->json && fl_json_is_object(r->json))
        text = fl_json_str(r->json, "message", NULL);
    fprintf(stderr, "faultline: ");
    if (field && *field) {
        put_text(stderr, field, 0);
        fputs(": ", stderr);
    }
    if (text)
        put_text(stderr, text, 0);
    else
        fprintf(stderr, "%s answered %ld", url, r->code);
    if (r->code == 401)
        fprintf(stderr,
                "; give a token with --token-file or FAULTLINE_TOKEN (`faultline token create` makes one)");
    else if (hint && *hint) {
        fputs("; ", stderr);
        put_text(stderr, hint, 0);
    }
    fputc('\n', stderr);
    return code_of(r);
}

/* Seconds: the engine's own deadline comes first, and what it does with a large body takes as long as that is. */
static long patience_for(size_t n)
{
    return 120 + (long)(n / 50000);
}

static CURLcode perform(CURL *c, const char *url, const char *method, const char *token, const char *body,
                        size_t n, struct reply *ret)
{
    char auth[600];
    struct curl_slist *headers = NULL;
    if (*token) {
        snprintf(auth, sizeof auth, "Authorization: Bearer %s", token);
        headers = curl_slist_append(headers, auth);
    }
    if (body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, method);
    if (body) {
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)n);
    }
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, &ret->body);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT, patience_for(body ? n : 0));
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_USERAGENT, "faultline/" FL_VERSION);
    CURLcode rc = curl_easy_perform(c);
    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &ret->code);
    curl_off_t connected = 0;
    curl_easy_getinfo(c, CURLINFO_CONNECT_TIME_T, &connected);
    ret->late = rc == CURLE_OPERATION_TIMEDOUT && connected > 0;
    curl_slist_free_all(headers);
    return rc;
}

static int request(const struct args *a, const char *method, const char *path, const char *body, size_t n,
                   struct reply *ret, bool quiet)
{
    struct reply own = {0}, *r = ret ? ret : &own;
    char token[512];
    *r = (struct reply){.body = fl_buf_init(REPLY_MAX)};
    int code = find_token(a, token, sizeof token);
    if (code)
        return code;
    FL_AUTO_BUF url = fl_buf_init(1 << 16);
    const char *base = server_url(a);
    size_t base_n = strlen(base);
    while (base_n && base[base_n - 1] == '/')
        base_n--;
    fl_buf_add(&url, base, base_n);
    fl_buf_str(&url, path);
    CURL *c = curl_easy_init();
    if (!c || url.failed) {
        curl_easy_cleanup(c);
        return usage_error("out of memory");
    }
    CURLcode rc = perform(c, url.p, method, token, body, n, r);
    curl_easy_cleanup(c);
    explicit_bzero(token, sizeof token);
    if (rc != CURLE_OK) {
        if (!quiet && r->late)
            fprintf(stderr, "faultline: %s: no answer within %ld s; %s\n", base, patience_for(body ? n : 0),
                    body ? "it may or may not have been taken: look, then try again"
                         : "the engine is busy: try again");
        else if (!quiet)
            fprintf(
                stderr,
                "faultline: %s: cannot reach the engine: %s; is `faultline serve` running? (--server, FAULTLINE_URL)\n",
                base, curl_easy_strerror(rc));
        code = EXIT_UNREACHABLE;
    } else {
        struct fl_err err = {0};
        r->json = r->body.n ? fl_json_parse(r->body.p, r->body.n, &err) : NULL;
        code = r->code < 400 ? 0 : quiet ? code_of(r) : explain(base, r);
    }
    if (!ret)
        reply_done(&own);
    return code;
}

int call_server(const struct args *a, const char *method, const char *path, const char *body, size_t n,
                struct reply *ret)
{
    return request(a, method, path, body, n, ret, false);
}

int try_server(const struct args *a, const char *method, const char *path, const char *body, size_t n,
               struct reply *ret)
{
    return request(a, method, path, body, n, ret, true);
}

void reply_done(struct reply *r)
{
    fl_json_free(r->json);
    fl_buf_done(&r->body);
    r->json = NULL;
}

void url_add(struct fl_buf *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        if (isalnum(*c) || strchr("-._~", *c))
            fl_buf_chr(out, (char)*c);
        else
            fl_buf_printf(out, "%%%02X", *c);
}

void url_query(struct fl_buf *out, const char *const *pairs)
{
    char sep = '?';
    for (; pairs[0]; pairs += 2) {
        if (!pairs[1] || !*pairs[1])
            continue;
        fl_buf_chr(out, sep);
        fl_buf_str(out, pairs[0]);
        fl_buf_chr(out, '=');
        url_add(out, pairs[1]);
        sep = '&';
    }
}
