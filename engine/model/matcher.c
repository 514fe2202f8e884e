/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/matcher.c -- label matchers and their text form; contract in <faultline/model.h>. */
#include "regex_priv.h"

#include <string.h>

bool fl_match_all(const struct fl_matcher *m, size_t n, const struct fl_labels *l)
{
    for (size_t i = 0; i < n; i++) {
        const char *value = fl_label_get(l, m[i].name);
        bool holds;
        if (m[i].op == '=' || m[i].op == '!') {
            holds = (strcmp(value, m[i].value) == 0) == (m[i].op == '=');
        } else {
            /* An undecided regex makes neither `=~` nor `!~` hold: nothing is silenced or mapped on a guess. */
            fl_regex_answer answer = fl_regex_match(m[i].compiled, value);
            holds = answer == (m[i].op == '~' ? FL_REGEX_MATCH : FL_REGEX_NO_MATCH);
        }
        if (!holds)
            return false;
    }
    return true;
}

fl_status fl_matcher_compile(struct fl_matcher *m, struct fl_err *err)
{
    if (m->op != '~' && m->op != 'n')
        return FL_OK;
    struct fl_regex *re;
    fl_status st = fl_regex_new(m->value, &re, err);
    if (st)
        return st;
    m->compiled = re;
    return FL_OK;
}

void fl_matcher_done(struct fl_matcher *m)
{
    m->compiled = fl_regex_free(m->compiled);
}

/* ---- patterns that are a list of values ---- */

/* Without what stands around it and changes nothing: ^ and $, as the whole value is matched, and one pair of parentheses. */
static char *bare_pattern(char *p)
{
    for (size_t n = strlen(p);; n = strlen(p)) {
        if (*p == '^') {
            p++;
        } else if (n && p[n - 1] == '$') {
            p[n - 1] = 0;
        } else if (n > 1 && *p == '(' && p[n - 1] == ')') {
            p[n - 1] = 0;
            p += strncmp(p, "(?:", 3) == 0 ? 3 : 1;
        } else {
            return p;
        }
    }
}

/* One alternative in place, its escapes undone, ended by NUL. @return what follows it; NULL: it is no plain text. */
static char *plain_alternative(char *p, bool *last)
{
    char *out = p;
    while (*p && *p != '|') {
        if (strchr(".*+?()[]{}^$", *p))
            return NULL;
        /* Of letters and digits the escapes are classes and the like; what a backslash cut off above would stand for is not known. */
        if (*p == '\\' && (!*++p || (unsigned char)*p >= 0x80 || !strchr(".*+?()[]{}^$|\\-/:_\"', ", *p)))
            return NULL;
        *out++ = *p++;
    }
    *last = !*p;
    *out = 0;
    return p + 1;
}

size_t fl_matcher_literals(struct fl_arena *arena, const struct fl_matcher *m, size_t max, const char ***ret)
{
    char *copy = m->op == '~' ? fl_arena_strdup(arena, m->value) : NULL;
    const char **v = copy ? fl_arena_calloc(arena, max, sizeof *v) : NULL;
    size_t n = 0;
    bool last = false;
    for (char *p = v ? bare_pattern(copy) : NULL; p && !last && n < max; n++) {
        v[n] = p;
        p = plain_alternative(p, &last);
        if (!p)
            return 0;
    }
    *ret = v;
    return last ? n : 0;
}

/* ---- text form: name op value, the value with or without double quotes ---- */

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n'))
        p++;
    return p;
}

static bool name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' ||
           (!first && c >= '0' && c <= '9') || (unsigned char)c >= 0x80;
}

/* One escape of a Go string literal after its backslash; false when Go would refuse it. */
static bool unescape(const char **p, const char *end, char *out, size_t *n)
{
    static const char from[] = "abfnrtv\\\"'", to[] = "\a\b\f\n\r\t\v\\\"'";
    char c = *(*p)++;
    const char *hit = c ? strchr(from, c) : NULL;
    if (hit) {
        out[(*n)++] = to[hit - from];
        return true;
    }
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    unsigned char b[4];
    if (!digits || (size_t)(end - *p) < digits || !fl_unhex(*p, digits, b))
        return false;
    uint32_t cp = 0;
    for (size_t i = 0; i < digits / 2; i++)
        cp = cp << 8 | b[i];
    *p += digits;
    if (!cp || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) || (digits == 2 && cp > 0x7f))
        return false;
    *n += fl_utf8_put(out + *n, cp);
    return true;
}

/* @return the end of the token, or NULL; the text is in `out` (as long as the input at most). */
static const char *quoted(const char *p, const char *end, char *out)
{
    size_t n = 0;
    for (p++; p < end && *p != '"';) {
        if (*p != '\\')
            out[n++] = *p++;
        else if (++p >= end || !unescape(&p, end, out, &n))
            return NULL;
    }
    out[n] = 0;
    return p < end ? p + 1 : NULL;
}

static const char *operator(const char *p, const char *end, char *ret)
{
    static const struct {
        const char *text;
        char op;
    } ops[] = {{"=~", '~'}, {"!~", 'n'}, {"!=", '!'}, {"=", '='}};
    for (size_t i = 0; i < FL_ARRAY_LEN(ops); i++) {
        size_t n = strlen(ops[i].text);
        if ((size_t)(end - p) >= n && memcmp(p, ops[i].text, n) == 0) {
            *ret = ops[i].op;
            return p + n;
        }
    }
    return NULL;
}

/* What follows the operator as Alertmanager's first parser took it: only \n, \" and \\ are escapes, any other
 * backslash stands for itself, quoted or not. People's `instance=~"db\d+"` is read by this one. */
static bool classic_value(const char *p, const char *end, char *out)
{
    bool in_quotes = p < end && *p == '"';
    size_t n = 0;
    for (p += in_quotes; p < end; p++) {
        if (*p == '\\' && p + 1 < end && strchr("n\"\\", p[1])) {
            out[n++] = *++p == 'n' ? '\n' : *p;
        } else if (*p == '"') {
            if (!in_quotes || p + 1 < end)
                return false;
            in_quotes = false;
        } else {
            out[n++] = *p;
        }
    }
    out[n] = 0;
    return !in_quotes;
}

fl_status fl_matcher_parse(struct fl_arena *arena, const char *text, size_t n, struct fl_matcher *ret,
                           struct fl_err *err)
{
    if (n > FL_MATCHER_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "matcher longer than %u bytes", FL_MATCHER_MAX);
    if (!fl_utf8_valid(text, n))
        return fl_fail(err, FL_E_SYNTAX, NULL, "matcher is not UTF-8");
    const char *end = text + n, *p = skip_space(text, end), *after = NULL;
    char *name = fl_arena_alloc(arena, n + 1), *value = fl_arena_alloc(arena, n + 1);
    if (!name || !value)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t len = 0;
    if (p < end && *p == '"') {
        p = quoted(p, end, name);
    } else {
        while (p < end && name_char(*p, len == 0))
            name[len++] = *p++;
        name[len] = 0;
    }
    struct fl_matcher m = {.name = name, .value = value};
    if (p && *name)
        p = operator(skip_space(p, end), end, &m.op);
    if (p && m.op) {
        p = skip_space(p, end);
        while (end > p && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\n'))
            end--;
        after = p;
        if (p < end && *p == '"') {
            p = quoted(p, end, value);
        } else {
            memcpy(value, p, (size_t)(end - p));
            value[end - p] = 0;
            p = memchr(value, '"', (size_t)(end - p)) ? NULL : end;
        }
    }
    if ((!p || p != end) && after && classic_value(after, end, value))
        p = end;
    if (!p || !m.op || p != end)
        return fl_fail(err, FL_E_SYNTAX, NULL, "bad matcher format: %.*s", n < 200 ? (int)n : 200, text);
    *ret = m;
    return FL_OK;
}

void fl_matcher_text(const struct fl_matcher *m, struct fl_buf *out)
{
    fl_buf_str(out, m->name);
    fl_buf_str(out, m->op == '~' ? "=~" : m->op == 'n' ? "!~" : m->op == '!' ? "!=" : "=");
    fl_buf_chr(out, '"');
    for (const char *p = m->value; *p; p++) {
        if (*p == '"' || *p == '\\')
            fl_buf_chr(out, '\\');
        if (*p == '\n')
            fl_buf_str(out, "\\n");
        else
            fl_buf_chr(out, *p);
    }
    fl_buf_chr(out, '"');
}
