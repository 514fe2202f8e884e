/* SPDX-License-Identifier: GPL-3.0-or-later */
/* culprit_diff.c -- what a diff does, read without knowing the language: which values and names went away, which
 * came. Code that was only moved keeps both; a changed limit, timeout or version is one value for another. */
#include "culprit_diff.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 2048, TOKEN_MAX = 64 };

/* The tokens of one side, as sorted hashes: values (numbers with their unit, quoted texts, settings) and names. */
struct side {
    uint64_t values[TOKENS_MAX], names[TOKENS_MAX];
    size_t n_values, n_names, checks;
};

const char *fl_diff_line(const char **at, char *sign, size_t *n)
{
    while (**at) {
        const char *line = *at;
        size_t len = strcspn(line, "\n");
        *at = line + len + (line[len] == '\n');
        if ((*line != '-' && *line != '+') || (len >= 3 && line[1] == *line && line[2] == *line))
            continue;
        *sign = *line;
        *n = len - 1;
        return line + 1;
    }
    return NULL;
}

static bool contains(const char *s, size_t n, const char *word)
{
    size_t m = strlen(word);
    for (size_t i = 0; i + m <= n; i++)
        if (strncasecmp(s + i, word, m) == 0)
            return true;
    return false;
}

static bool is_comment(const char *s, size_t n)
{
    while (n && isspace((unsigned char)*s)) {
        s++;
        n--;
    }
    return n == 0 || *s == '#' || *s == '*' || (n > 1 && s[0] == '/' && (s[1] == '/' || s[1] == '*'));
}

/* A line that logs, or goes on with the call of one that does: `open` holds how many brackets that left open. */
static bool is_logging(const char *s, size_t n, int *open)
{
    bool logs = *open > 0 || contains(s, n, "log_") || contains(s, n, "logger") || contains(s, n, "log.");
    for (size_t i = 0; logs && i < n; i++)
        *open += s[i] == '(' ? 1 : s[i] == ')' && *open > 0 ? -1 : 0;
    return logs;
}

static void add(uint64_t *v, size_t *n, const char *s, size_t len)
{
    if (*n < TOKENS_MAX && len)
        v[(*n)++] = fl_fnv1a(FL_FNV1A_INIT, s, len);
}

static bool is_unit(const char *s, size_t n)
{
    static const char *const units[] = {"second", "minute", "hour", "millisecond", "microsecond"};
    for (size_t i = 0; i < FL_ARRAY_LEN(units); i++)
        if (n >= strlen(units[i]) && n <= strlen(units[i]) + 1 &&
            strncasecmp(s, units[i], strlen(units[i])) == 0)
            return true;
    return false;
}

static bool is_check(const char *s, size_t n)
{
    return (n == 2 && memcmp(s, "if", 2) == 0) || (n == 6 && memcmp(s, "assert", 6) == 0);
}

/* "key: value" of a settings file: the value counts although it is a plain word. */
static void add_setting(struct side *d, const char *s, size_t n)
{
    const char *colon = memchr(s, ':', n);
    if (!colon || colon + 2 > s + n || colon[1] != ' ' || memchr(s, '(', n) || memchr(s, '{', n))
        return;
    const char *v = colon + 2;
    add(d->values, &d->n_values, v, strcspn(v, " \t\n,;"));
}

static void add_line(struct side *d, const char *s, size_t n)
{
    add_setting(d, s, n);
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        size_t start = i;
        if (c == '"' || c == '\'') {
            for (i++; i < n && s[i] != (char)c;)
                i++;
            i += i < n;
            add(d->values, &d->n_values, s + start, i - start);
        } else if (isalnum(c) || c == '_') {
            bool digit = false;
            for (; i < n && (isalnum((unsigned char)s[i]) || s[i] == '_' ||
                             (s[i] == '.' && digit && i + 1 < n && isdigit((unsigned char)s[i + 1])));
                 i++)
                digit |= isdigit((unsigned char)s[i]) != 0;
            bool value = digit || is_unit(s + start, i - start);
            add(value ? d->values : d->names, value ? &d->n_values : &d->n_names, s + start, i - start);
            d->checks += is_check(s + start, i - start);
        } else {
            i++;
        }
    }
}

int fl_hash_order(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

size_t fl_hashes_unique(uint64_t *v, size_t n)
{
    size_t kept = 0;
    if (n > 1)
        qsort(v, n, sizeof *v, fl_hash_order);
    for (size_t i = 0; i < n; i++)
        if (!i || v[i] != v[i - 1])
            v[kept++] = v[i];
    return kept;
}

/* How many of `v` are not in `w`. */
static size_t missing(const uint64_t *v, size_t n, const uint64_t *w, size_t m)
{
    size_t gone = 0;
    for (size_t i = 0; i < n; i++)
        gone += !m || !bsearch(&v[i], w, m, sizeof *w, fl_hash_order);
    return gone;
}

static enum fl_diff_effect compare(struct side *out, struct side *in)
{
    out->n_values = fl_hashes_unique(out->values, out->n_values);
    out->n_names = fl_hashes_unique(out->names, out->n_names);
    in->n_values = fl_hashes_unique(in->values, in->n_values);
    in->n_names = fl_hashes_unique(in->names, in->n_names);
    size_t gone = missing(out->values, out->n_values, in->values, in->n_values);
    size_t come = missing(in->values, in->n_values, out->values, out->n_values);
    size_t lost = missing(out->names, out->n_names, in->names, in->n_names);
    size_t fresh = missing(in->names, in->n_names, out->names, out->n_names);
    if (gone && (come || out->checks > in->checks))
        return FL_DIFF_VALUES;
    /* A helper that code was moved to needs a few names of its own; much more than that is new code. */
    bool moved = !gone && 4 * lost <= out->n_names && 2 * fresh <= out->n_names + 4;
    return moved ? FL_DIFF_MOVED : FL_DIFF_UNKNOWN;
}

/* Nothing that runs. */
static bool is_inert(const struct fl_change *c)
{
    static const char *const marks[] = {".md\n",     "_test.",    "testdata", "CODEOWNERS", ".github/",
                                        ".circleci", ".golangci", ".css",     ".tsx",       "docs/"};
    const char *detail = c->detail ? c->detail : "";
    for (size_t i = 0; i < FL_ARRAY_LEN(marks); i++)
        if (strstr(detail, marks[i]))
            return true;
    return c->title && (strncmp(c->title, "test", 4) == 0 || strncmp(c->title, "docs", 4) == 0 ||
                        strncmp(c->title, "ci:", 3) == 0 || strncmp(c->title, "style", 5) == 0);
}

enum fl_diff_effect fl_diff_effect(const struct fl_change *c)
{
    const char *at = c->detail ? c->detail : "", *line;
    size_t n, lines = 0, logging = 0, taken = 0, put = 0;
    int open_out = 0, open_in = 0;
    char sign;
    if (is_inert(c))
        return FL_DIFF_INERT;
    if (!strchr(at, '+') || !strchr(at, '-'))
        return FL_DIFF_UNKNOWN;
    FL_AUTO_FREE struct side *out = malloc(sizeof *out);
    FL_AUTO_FREE struct side *in = malloc(sizeof *in);
    if (!out || !in)
        return FL_DIFF_UNKNOWN;
    out->n_values = out->n_names = out->checks = 0;
    in->n_values = in->n_names = in->checks = 0;
    while ((line = fl_diff_line(&at, &sign, &n))) {
        if (is_comment(line, n))
            continue;
        lines++;
        logging += is_logging(line, n, sign == '-' ? &open_out : &open_in);
        taken += sign == '-';
        put += sign == '+';
        add_line(sign == '-' ? out : in, line, n);
    }
    if (lines && logging == lines)
        return FL_DIFF_LOGS;
    return taken && put ? compare(out, in) : FL_DIFF_UNKNOWN;
}
