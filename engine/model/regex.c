/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/regex.c -- the only user of pcre2.h; contract in regex_priv.h.
 * PCRE2 backtracks, so strangers' patterns are bounded by a match limit; and it knows more syntax than RE2,
 * so that part is refused: a silence or rule written here must mean the same in Alertmanager. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "regex_priv.h"

#include <pcre2.h>
#include <stdlib.h>
#include <string.h>

enum {
    MATCH_LIMIT = 200000,  /* about 3 ms of the worst patterns */
    HEAP_LIMIT_KIB = 8192, /* of backtracking frames */
    REPEAT_MAX = 1000,     /* RE2's own */
};

struct fl_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
    fl_regex_answer empty; /* for the empty text: what every rule about an absent label is asked */
};

/* ---- what RE2 would refuse ---- */

struct scan {
    const char *p;
    const char *why; /* NULL while all is well */
};

/* Escapes that mean the same in both; digits, \z and the rest are handled by the callers. */
static bool same_escape(char c)
{
    return (unsigned char)c >= 0x80 ||
           !strchr("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", c) ||
           strchr("AbBdDsSwWaftnrxpPz", c);
}

static void scan_escape(struct scan *s, bool in_class)
{
    char c = *++s->p;
    if (!c) {
        s->why = "it ends in a backslash";
        return;
    }
    if (c >= '1' && c <= '9' && !in_class)
        s->why = "back-references are not supported";
    else if (c == 'k' || c == 'g')
        s->why = "back-references are not supported";
    else if (c == 'Q') {
        const char *end = strstr(s->p, "\\E");
        s->p = end ? end + 2 : s->p + strlen(s->p);
        return;
    } else if (c != '0' && !same_escape(c))
        s->why = "an escape that RE2 does not know";
    s->p++;
}

static void scan_class(struct scan *s)
{
    s->p++;
    if (*s->p == '^')
        s->p++;
    if (*s->p == ']')
        s->p++;
    while (*s->p && *s->p != ']' && !s->why) {
        if (*s->p == '\\') {
            scan_escape(s, true);
        } else if (*s->p == '[' && s->p[1] == ':') {
            const char *end = strstr(s->p, ":]");
            s->p = end ? end + 2 : s->p + 1;
        } else {
            s->p++;
        }
    }
    if (*s->p)
        s->p++;
}

/* After "(": groups RE2 has are (…), (?:…), (?P<name>…), (?flags) and (?flags:…) with flags of "imsU-". */
static void scan_group(struct scan *s)
{
    s->p++;
    if (*s->p == '*') {
        s->why = "verbs such as (*NAME) are not supported";
        return;
    }
    if (*s->p != '?')
        return;
    const char *q = ++s->p;
    if (*q == '=' || *q == '!')
        s->why = "look-ahead is not supported";
    else if (*q == '<' && (q[1] == '=' || q[1] == '!'))
        s->why = "look-behind is not supported";
    else if (*q == '<' || *q == '\'')
        s->why = "write named groups as (?P<name>...)";
    else if (*q == '>')
        s->why = "atomic groups are not supported";
    else if (*q == 'P' && q[1] != '<')
        s->why = "back-references are not supported";
    else if (*q == 'P') {
        s->p += 2;
        return;
    } else {
        size_t flags = strspn(q, "imsU-");
        if (q[flags] != ':' && (!flags || q[flags] != ')'))
            s->why = "a group form that RE2 does not know";
        else if (q[flags] == ':')
            s->p += flags + 1;
        else
            s->p += flags;
    }
}

/* At "{": length of a counted repeat, 0 when the brace is literal. */
static size_t repeat_length(const char *p, bool *too_large)
{
    const char *q = p + 1;
    long values[2] = {0, 0};
    int n = 0;
    if (*q < '0' || *q > '9')
        return 0;
    for (;;) {
        char *end;
        values[n++] = strtol(q, &end, 10);
        q = end;
        if (n == 1 && *q == ',') {
            q++;
            if (*q >= '0' && *q <= '9')
                continue;
        }
        break;
    }
    if (*q != '}')
        return 0;
    *too_large = values[0] > REPEAT_MAX || values[1] > REPEAT_MAX;
    return (size_t)(q + 1 - p);
}

static void scan_repeat(struct scan *s)
{
    bool too_large = false;
    size_t n = *s->p == '{' ? repeat_length(s->p, &too_large) : 1;
    if (!n) {
        s->p++;
        return;
    }
    s->p += n;
    if (too_large)
        s->why = "a repeat count over 1000";
    else if (*s->p == '+')
        s->why = "possessive quantifiers are not supported";
    else if (*s->p == '?')
        s->p++;
    if (!s->why && (*s->p == '*' || *s->p == '+' || *s->p == '?'))
        s->why = "a quantifier follows a quantifier";
}

static const char *refused_by_re2(const char *pattern)
{
    struct scan s = {.p = pattern};
    while (*s.p && !s.why) {
        switch (*s.p) {
        case '\\': scan_escape(&s, false); break;
        case '[': scan_class(&s); break;
        case '(': scan_group(&s); break;
        case '*':
        case '+':
        case '?':
        case '{': scan_repeat(&s); break;
        default: s.p++;
        }
    }
    return s.why;
}

/* ---- compile and match ---- */

/* The mistakes people make, in the words Go's regexp has for them: Alertmanager's clients know those. */
static bool say_as_go(struct fl_err *err, const char *pattern, size_t n, int code, size_t at)
{
    enum {
        QUANTIFIER_ALONE = 109,
        NO_CLOSING_BRACKET = 106,
        NO_CLOSING_PAREN = 114,
        EXTRA_CLOSING_PAREN = 122
    };
    const char *what, *from = pattern;
    char one[2] = "";
    if (code == NO_CLOSING_PAREN) {
        what = "missing closing )";
    } else if (code == EXTRA_CLOSING_PAREN) {
        what = "unexpected )";
    } else if (code == QUANTIFIER_ALONE && at < n + 1) {
        what = "missing argument to repetition operator";
        one[0] = at < n && strchr("*+?{", pattern[at]) ? pattern[at] : at ? pattern[at - 1] : '*';
        from = one;
    } else if (code == NO_CLOSING_BRACKET && strrchr(pattern, '[')) {
        what = "missing closing ]";
        from = strrchr(pattern, '[');
    } else {
        return false;
    }
    fl_fail(err, FL_E_SHAPE, NULL,
            "invalid regular expression \"%.200s\": error parsing regexp: %s: `%.200s`", pattern, what, from);
    return true;
}

static fl_status bad(struct fl_err *err, const char *pattern, const char *why)
{
    return fl_fail(err, FL_E_SHAPE, NULL, "invalid regular expression \"%.200s\": %s", pattern, why);
}

fl_status fl_regex_new(const char *pattern, struct fl_regex **ret, struct fl_err *err)
{
    size_t n = strlen(pattern);
    if (n > FL_REGEX_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "regular expression longer than %u bytes", FL_REGEX_MAX);
    const char *why = refused_by_re2(pattern);
    if (why)
        return bad(err, pattern, why);
    int code;
    size_t at;
    struct fl_regex *re = calloc(1, sizeof *re);
    pcre2_compile_context *cc = pcre2_compile_context_create(NULL);
    if (re && cc) {
        pcre2_set_newline(cc, PCRE2_NEWLINE_LF);
        re->code = pcre2_compile((PCRE2_SPTR)pattern, n,
                                 PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C |
                                     PCRE2_DOLLAR_ENDONLY,
                                 &code, &at, cc);
        re->limits = pcre2_match_context_create(NULL);
    }
    pcre2_compile_context_free(cc);
    if (!re || !cc || !re->limits) {
        fl_regex_free(re);
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    if (!re->code) {
        unsigned char text[160];
        pcre2_get_error_message(code, text, sizeof text);
        fl_regex_free(re);
        if (say_as_go(err, pattern, n, code, at))
            return FL_E_SHAPE;
        return fl_fail(err, FL_E_SHAPE, NULL, "invalid regular expression \"%.200s\": %s at offset %zu",
                       pattern, (const char *)text, at);
    }
    pcre2_set_match_limit(re->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(re->limits, HEAP_LIMIT_KIB);
    re->empty = FL_REGEX_MATCH; /* asked below */
    re->empty = fl_regex_match(re, "");
    *ret = re;
    return FL_OK;
}

struct fl_regex *fl_regex_free(struct fl_regex *re)
{
    if (re) {
        pcre2_code_free(re->code);
        pcre2_match_context_free(re->limits);
        free(re);
    }
    return NULL;
}

unsigned fl_regex_groups(const struct fl_regex *re)
{
    uint32_t n = 0;
    pcre2_pattern_info(re->code, PCRE2_INFO_CAPTURECOUNT, &n);
    return n;
}

fl_regex_answer fl_regex_captures(const struct fl_regex *re, const char *subject, struct fl_capture *ret,
                                  size_t n)
{
    size_t len = strlen(subject);
    /* An uncompiled matcher is a caller's mistake, but never worth a crash on an alert. */
    if (!re || len > FL_REGEX_SUBJECT_MAX)
        return FL_REGEX_UNDECIDED;
    if (!len && re->empty == FL_REGEX_NO_MATCH)
        return FL_REGEX_NO_MATCH;
    pcre2_match_data *md = pcre2_match_data_create((uint32_t)n + 1, NULL);
    if (!md)
        return FL_REGEX_UNDECIDED;
    int rc = pcre2_match(re->code, (PCRE2_SPTR)subject, len, 0, 0, md, re->limits);
    if (rc >= 0) {
        const size_t *at = pcre2_get_ovector_pointer(md);
        size_t groups = fl_regex_groups(re);
        for (size_t i = 1; i <= n; i++) {
            bool took_part = i <= groups && at[2 * i] != PCRE2_UNSET;
            ret[i - 1] = took_part ? (struct fl_capture){subject + at[2 * i], at[2 * i + 1] - at[2 * i]}
                                   : (struct fl_capture){NULL, 0};
        }
    }
    pcre2_match_data_free(md);
    if (rc == PCRE2_ERROR_NOMATCH)
        return FL_REGEX_NO_MATCH;
    return rc >= 0 ? FL_REGEX_MATCH : FL_REGEX_UNDECIDED;
}

fl_regex_answer fl_regex_match(const struct fl_regex *re, const char *subject)
{
    return fl_regex_captures(re, subject, NULL, 0);
}
