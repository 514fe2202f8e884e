/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/json.c -- contract in <faultline/json.h>; jansson stays behind it. */
#include <faultline/json.h>

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 128 };

/* ---- writer ---- */

void fl_json_quote(struct fl_buf *out, const char *s, size_t n)
{
    fl_buf_chr(out, '"');
    size_t from = 0;
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t len = 1;
        if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') { /* nearly all there ever is */
            i++;
            continue;
        }
        char esc[8] = "";
        if (c == '"' || c == '\\') {
            esc[0] = '\\';
            esc[1] = (char)c;
        } else if (c == '\n') {
            memcpy(esc, "\\n", 3);
        } else if (c == '\t') {
            memcpy(esc, "\\t", 3);
        } else if (c == '\r') {
            memcpy(esc, "\\r", 3);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(esc, sizeof esc, "\\u%04x", c);
        } else if (c >= 0x80) {
            len = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
            if (c < 0xc2 || n - i < len || !fl_utf8_valid(s + i, len)) {
                memcpy(esc, "\xef\xbf\xbd", 4);
                len = 1;
            }
        }
        if (esc[0]) {
            fl_buf_add(out, s + from, i - from);
            fl_buf_str(out, esc);
            from = i + len;
        }
        i += len;
    }
    fl_buf_add(out, s + from, n - from);
    fl_buf_chr(out, '"');
}

static void lead(struct fl_jw *w, const char *key)
{
    if (w->comma)
        fl_buf_chr(w->out, ',');
    w->comma = true;
    if (key) {
        fl_json_quote(w->out, key, strlen(key));
        fl_buf_chr(w->out, ':');
    }
}

void fl_jw_obj(struct fl_jw *w, const char *key)
{
    lead(w, key);
    fl_buf_chr(w->out, '{');
    w->comma = false;
}

void fl_jw_obj_end(struct fl_jw *w)
{
    fl_buf_chr(w->out, '}');
    w->comma = true;
}

void fl_jw_arr(struct fl_jw *w, const char *key)
{
    lead(w, key);
    fl_buf_chr(w->out, '[');
    w->comma = false;
}

void fl_jw_arr_end(struct fl_jw *w)
{
    fl_buf_chr(w->out, ']');
    w->comma = true;
}

void fl_jw_strn(struct fl_jw *w, const char *key, const char *value, size_t n)
{
    lead(w, key);
    fl_json_quote(w->out, value, n);
}

void fl_jw_str(struct fl_jw *w, const char *key, const char *value)
{
    if (value)
        fl_jw_strn(w, key, value, strlen(value));
    else
        fl_jw_null(w, key);
}

void fl_jw_int(struct fl_jw *w, const char *key, int64_t value)
{
    lead(w, key);
    char text[24], *p = text + sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--p = '-';
    fl_buf_add(w->out, p, (size_t)(text + sizeof text - p));
}

void fl_jw_bool(struct fl_jw *w, const char *key, bool value)
{
    lead(w, key);
    fl_buf_str(w->out, value ? "true" : "false");
}

void fl_jw_null(struct fl_jw *w, const char *key)
{
    lead(w, key);
    fl_buf_str(w->out, "null");
}

void fl_jw_fixed(struct fl_jw *w, const char *key, double value, int decimals)
{
    lead(w, key);
    if (!isfinite(value)) {
        fl_buf_str(w->out, "null");
        return;
    }
    char text[64];
    int n = snprintf(text, sizeof text, "%.*f", decimals, value);
    if (n < 0 || (size_t)n >= sizeof text)
        snprintf(text, sizeof text, "%.17g", value);
    /* "-0.00" and "0.00" are one number: keep one form. */
    const char *t = text[0] == '-' && strspn(text + 1, "0.") == strlen(text + 1) ? text + 1 : text;
    fl_buf_str(w->out, t);
}

void fl_jw_time(struct fl_jw *w, const char *key, fl_usec t)
{
    char s[FL_TIME_LEN];
    if (t)
        fl_jw_str(w, key, fl_time_format(t, s));
    else
        fl_jw_null(w, key);
}

void fl_jw_raw(struct fl_jw *w, const char *key, const char *json)
{
    lead(w, key);
    fl_buf_str(w->out, json ? json : "null");
}

/* ---- reader ---- */

static json_t *J(const struct fl_json *v)
{
    return (json_t *)(uintptr_t)v;
}

static const struct fl_json *F(const json_t *v)
{
    return v && !json_is_null(v) ? (const struct fl_json *)v : NULL;
}

/* jansson's own limit is 2,048; ours is checked on the bytes, before it recurses. */
static bool too_deep(const char *p, size_t n)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_string = false;
        } else if (p[i] == '"') {
            in_string = true;
        } else if (p[i] == '{' || p[i] == '[') {
            if (++depth > MAX_DEPTH)
                return true;
        } else if (p[i] == '}' || p[i] == ']') {
            depth--;
        }
    }
    return false;
}

struct fl_json *fl_json_parse(const char *p, size_t n, struct fl_err *err)
{
    if (too_deep(p, n)) {
        fl_fail(err, FL_E_LIMIT, NULL, "JSON nested deeper than %d", MAX_DEPTH);
        return NULL;
    }
    /* jansson takes a NUL byte between tokens for the end and ignores what follows. */
    if (n && memchr(p, 0, n)) {
        fl_fail(err, FL_E_SYNTAX, "line 1 column 1", "could not parse JSON: it contains a NUL byte");
        return NULL;
    }
    json_error_t je;
    json_t *root = json_loadb(p, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &je);
    if (!root) {
        char where[64];
        snprintf(where, sizeof where, "line %d column %d", je.line, je.column);
        fl_fail(err, FL_E_SYNTAX, where, "could not parse JSON: %s", je.text);
        return NULL;
    }
    return (struct fl_json *)root;
}

struct fl_json *fl_json_free(struct fl_json *root)
{
    json_decref(J(root));
    return NULL;
}

void fl_json_freep(struct fl_json **root)
{
    *root = fl_json_free(*root);
}

bool fl_json_is_object(const struct fl_json *v)
{
    return v && json_is_object(J(v));
}

bool fl_json_is_array(const struct fl_json *v)
{
    return v && json_is_array(J(v));
}

bool fl_json_is_list(const struct fl_json *v)
{
    return v && (json_is_array(J(v)) || (json_is_object(J(v)) && !json_object_size(J(v))));
}

bool fl_json_is_map(const struct fl_json *v)
{
    return v && (json_is_object(J(v)) || (json_is_array(J(v)) && !json_array_size(J(v))));
}

bool fl_json_is_string(const struct fl_json *v)
{
    return v && json_is_string(J(v));
}

bool fl_json_is_bool(const struct fl_json *v)
{
    return v && json_is_boolean(J(v));
}

bool fl_json_truth(const struct fl_json *v)
{
    return v && json_is_true(J(v));
}

bool fl_json_is_number(const struct fl_json *v)
{
    return v && json_is_number(J(v));
}

const struct fl_json *fl_json_get(const struct fl_json *obj, const char *key)
{
    return obj ? F(json_object_get(J(obj), key)) : NULL;
}

size_t fl_json_len(const struct fl_json *arr)
{
    return arr ? json_array_size(J(arr)) : 0;
}

const struct fl_json *fl_json_at(const struct fl_json *arr, size_t i)
{
    return arr ? F(json_array_get(J(arr), i)) : NULL;
}

const char *fl_json_string(const struct fl_json *v)
{
    return v ? json_string_value(J(v)) : NULL;
}

const char *fl_json_str(const struct fl_json *obj, const char *key, const char *dflt)
{
    const char *s = fl_json_string(fl_json_get(obj, key));
    return s ? s : dflt;
}

double fl_json_number(const struct fl_json *v, double dflt)
{
    return v && json_is_number(J(v)) ? json_number_value(J(v)) : dflt;
}

int64_t fl_json_int(const struct fl_json *obj, const char *key, int64_t dflt)
{
    const struct fl_json *v = fl_json_get(obj, key);
    if (!v || !json_is_number(J(v)))
        return dflt;
    if (json_is_integer(J(v)))
        return json_integer_value(J(v));
    double d = json_real_value(J(v));
    return d >= -9e18 && d <= 9e18 ? (int64_t)d : dflt;
}

double fl_json_real(const struct fl_json *obj, const char *key, double dflt)
{
    return fl_json_number(fl_json_get(obj, key), dflt);
}

bool fl_json_bool(const struct fl_json *obj, const char *key, bool dflt)
{
    const struct fl_json *v = fl_json_get(obj, key);
    return v && json_is_boolean(J(v)) ? json_is_true(J(v)) : dflt;
}

void *fl_json_first(const struct fl_json *obj)
{
    return obj ? json_object_iter(J(obj)) : NULL;
}

void *fl_json_next(const struct fl_json *obj, void *it)
{
    return json_object_iter_next(J(obj), it);
}

const char *fl_json_key(void *it)
{
    return json_object_iter_key(it);
}

const struct fl_json *fl_json_value(void *it)
{
    return F(json_object_iter_value(it));
}

char *fl_json_text(const struct fl_json *v, bool sorted)
{
    if (!v)
        return strdup("null");
    return json_dumps(J(v), JSON_COMPACT | JSON_ENCODE_ANY | (sorted ? JSON_SORT_KEYS : 0));
}
