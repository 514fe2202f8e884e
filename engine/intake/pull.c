/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/pull.c -- contract in pull_priv.h. */
#include "pull_priv.h"

#include <stdio.h>
#include <string.h>

FL_COLD static void fail(struct fl_pull *p, fl_status st, const char *why)
{
    if (!p->st) {
        p->st = st;
        p->why = why;
    }
}

static void space(struct fl_pull *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\r' || *p->at == '\t'))
        p->at++;
}

static void fail_here(struct fl_pull *p)
{
    fail(p, FL_E_SYNTAX, p->at < p->end ? "unexpected character" : "unexpected end of input");
}

char fl_pull_peek(struct fl_pull *p)
{
    if (p->st)
        return 0;
    space(p);
    if (p->at < p->end && *p->at && strchr("{[\"tfn-0123456789", *p->at))
        return *p->at;
    fail_here(p);
    return 0;
}

void fl_pull_enter(struct fl_pull *p)
{
    if (p->st)
        return;
    if (p->depth == FL_PULL_DEPTH_MAX) {
        fail(p, FL_E_LIMIT, "nested deeper than 128");
        return;
    }
    p->depth++;
    p->at++;
}

bool fl_pull_more(struct fl_pull *p, char close, bool *first)
{
    if (p->st)
        return false;
    space(p);
    if (p->at < p->end && *p->at == close) {
        p->at++;
        p->depth--;
        return false;
    }
    if (*first) {
        *first = false;
        return true;
    }
    if (p->at < p->end && *p->at == ',') {
        p->at++;
        return true;
    }
    fail_here(p);
    return false;
}

/* ---- strings ---- */

struct span {
    const char *p;
    size_t n;
    bool escapes;
};

static uint64_t any_zero_byte(uint64_t v)
{
    return (v - 0x0101010101010101u) & ~v & 0x8080808080808080u;
}

/* Skip whole words without a quote, a backslash, a control character or a byte over 0x7f. */
static const char *plain_run(const char *at, const char *end)
{
    const uint64_t ones = 0x0101010101010101u, high = 0x8080808080808080u;
    while (end - at >= 8) {
        uint64_t v;
        memcpy(&v, at, 8);
        uint64_t control = (v - ones * 0x20) & ~v & high;
        if (control | (v & high) | any_zero_byte(v ^ ones * '"') | any_zero_byte(v ^ ones * '\\'))
            break;
        at += 8;
    }
    return at;
}

static bool hex4(const char *s, const char *end, unsigned *ret)
{
    unsigned char b[2];
    if (end - s < 4 || !fl_unhex(s, 4, b))
        return false;
    *ret = (unsigned)(b[0] << 8 | b[1]);
    return true;
}

/* At the backslash. Steps over the escape (both halves of a pair); marks what no text may hold. */
static void scan_escape(struct fl_pull *p)
{
    char c = p->end - p->at > 1 ? p->at[1] : 0;
    if (c && strchr("\"\\/bfnrt", c)) {
        p->at += 2;
        return;
    }
    unsigned unit, low;
    if (c != 'u' || !hex4(p->at + 2, p->end, &unit)) {
        fail(p, FL_E_SYNTAX, "invalid escape");
        return;
    }
    p->at += 6;
    if (unit >= 0xd800 && unit < 0xdc00 && p->end - p->at >= 2 && p->at[0] == '\\' && p->at[1] == 'u' &&
        hex4(p->at + 2, p->end, &low) && low >= 0xdc00 && low < 0xe000)
        p->at += 6;
    else if (!unit || (unit >= 0xd800 && unit < 0xe000))
        p->bad_text = true;
}

/* At the opening quote; afterwards behind the closing one. */
static struct span scan_string(struct fl_pull *p)
{
    struct span s = {.p = ++p->at};
    bool high = false;
    while (!p->st) {
        p->at = plain_run(p->at, p->end);
        if (p->at >= p->end) {
            fail(p, FL_E_SYNTAX, "unexpected end of input");
            break;
        }
        unsigned char c = (unsigned char)*p->at;
        if (c == '"') {
            s.n = (size_t)(p->at++ - s.p);
            if (high && !fl_utf8_valid(s.p, s.n))
                p->bad_text = true;
            return s;
        }
        if (c == '\\') {
            s.escapes = true;
            scan_escape(p);
        } else if (c < 0x20) {
            fail(p, FL_E_SYNTAX, "control character in a string");
        } else {
            high |= c >= 0x80;
            p->at++;
        }
    }
    return (struct span){.p = "", .n = 0};
}

/* The escapes were checked while scanning; a NUL or half a pair becomes "?" and was marked there. */
static size_t decode(struct span s, char *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    size_t n = 0;
    const char *p = s.p, *end = s.p + s.n;
    while (p < end) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((slash ? slash : end) - p);
        memcpy(out + n, p, run);
        n += run;
        p += run;
        if (!slash)
            break;
        const char *hit = strchr(from, p[1]);
        unsigned unit = 0, low = 0;
        if (hit) {
            out[n++] = to[hit - from];
            p += 2;
        } else if (hex4(p + 2, end, &unit)) {
            p += 6;
            if (unit >= 0xd800 && unit < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u' &&
                hex4(p + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
                unit = 0x10000 + ((unit - 0xd800) << 10 | (low - 0xdc00));
                p += 6;
            }
            bool unfit = !unit || (unit >= 0xd800 && unit < 0xe000);
            n += fl_utf8_put(out + n, unfit ? '?' : unit);
        }
    }
    return n;
}

static struct fl_text keep(struct fl_pull *p, struct fl_arena *arena, struct span s, size_t max)
{
    size_t n = s.escapes || s.n <= max ? s.n : max;
    char *out = fl_arena_alloc(arena, n + 1);
    if (!out) {
        fail(p, FL_E_NOMEM, "out of memory");
        return (struct fl_text){"", 0};
    }
    size_t length = s.n;
    if (s.escapes)
        length = n = decode(s, out);
    else
        memcpy(out, s.p, n);
    out[n] = 0;
    return (struct fl_text){out, length};
}

struct fl_text fl_pull_key(struct fl_pull *p, struct fl_arena *arena)
{
    struct fl_text key = {"", 0};
    if (p->st)
        return key;
    space(p);
    if (p->at >= p->end || *p->at != '"') {
        fail_here(p);
        return key;
    }
    struct span s = scan_string(p);
    if (!p->st)
        key = s.escapes ? keep(p, arena, s, s.n) : (struct fl_text){s.p, s.n};
    space(p);
    if (!p->st && p->at < p->end && *p->at == ':')
        p->at++;
    else if (!p->st)
        fail_here(p);
    return key;
}

struct fl_text fl_pull_text(struct fl_pull *p, struct fl_arena *arena, size_t max)
{
    struct span s = scan_string(p);
    return p->st ? (struct fl_text){"", 0} : keep(p, arena, s, max);
}

/* ---- everything else ---- */

static void digits(struct fl_pull *p)
{
    if (p->at >= p->end || *p->at < '0' || *p->at > '9') {
        fail_here(p);
        return;
    }
    while (p->at < p->end && *p->at >= '0' && *p->at <= '9')
        p->at++;
}

static void skip_number(struct fl_pull *p)
{
    if (*p->at == '-')
        p->at++;
    if (p->at < p->end && *p->at == '0')
        p->at++;
    else
        digits(p);
    if (p->at < p->end && *p->at == '.') {
        p->at++;
        digits(p);
    }
    if (!p->st && p->at < p->end && (*p->at == 'e' || *p->at == 'E')) {
        p->at++;
        if (p->at < p->end && (*p->at == '+' || *p->at == '-'))
            p->at++;
        digits(p);
    }
}

static void skip_word(struct fl_pull *p, const char *word)
{
    size_t n = strlen(word);
    if ((size_t)(p->end - p->at) >= n && memcmp(p->at, word, n) == 0)
        p->at += n;
    else
        fail_here(p);
}

static void skip_scalar(struct fl_pull *p, char c)
{
    switch (c) {
    case '"': scan_string(p); break;
    case 't': skip_word(p, "true"); break;
    case 'f': skip_word(p, "false"); break;
    case 'n': skip_word(p, "null"); break;
    default: skip_number(p);
    }
}

/* Iterative: the depth limit bounds the two bit sets, and strangers choose the nesting. */
void fl_pull_skip(struct fl_pull *p)
{
    bool is_object[FL_PULL_DEPTH_MAX + 1], first[FL_PULL_DEPTH_MAX + 1];
    unsigned base = p->depth;
    do {
        if (p->depth > base) {
            unsigned d = p->depth;
            if (!fl_pull_more(p, is_object[d] ? '}' : ']', &first[d]))
                continue;
            if (is_object[d]) {
                space(p);
                if (p->at < p->end && *p->at == '"')
                    scan_string(p);
                else
                    fail_here(p);
                space(p);
                if (!p->st && p->at < p->end && *p->at == ':')
                    p->at++;
                else
                    fail_here(p);
            }
        }
        char c = fl_pull_peek(p);
        if (c == '{' || c == '[') {
            fl_pull_enter(p);
            is_object[p->depth] = c == '{';
            first[p->depth] = true;
        } else if (c) {
            skip_scalar(p, c);
        }
    } while (!p->st && p->depth > base);
}

void fl_pull_end(struct fl_pull *p)
{
    space(p);
    if (p->at < p->end)
        fail(p, FL_E_SYNTAX, "unexpected character after the document");
}

char *fl_pull_place(const struct fl_pull *p, char *out)
{
    size_t line = 1, column = 1;
    for (const char *c = p->start; c < p->at; c++) {
        column++;
        if (*c == '\n') {
            line++;
            column = 1;
        }
    }
    snprintf(out, 64, "line %zu column %zu", line, column);
    return out;
}
