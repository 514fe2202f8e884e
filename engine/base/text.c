/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/text.c -- UTF-8, nearest word, numbers and durations; contract in <faultline/base.h>. */
#include <faultline/base.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Length of the well-formed character at the start of n > 0 bytes, 0 when there is none. */
static size_t character(const unsigned char *p, size_t n)
{
    unsigned char c = p[0];
    if (c < 0x80)
        return c ? 1 : 0;
    size_t more = c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : c >= 0xf0 && c <= 0xf4 ? 3 : 0;
    if (!more || n <= more)
        return 0;
    uint32_t cp = c & (0x3fu >> more);
    for (size_t k = 1; k <= more; k++) {
        if ((p[k] & 0xc0) != 0x80)
            return 0;
        cp = cp << 6 | (p[k] & 0x3fu);
    }
    static const uint32_t lowest[] = {0, 0x80, 0x800, 0x10000};
    bool bad = cp < lowest[more] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff);
    return bad ? 0 : more + 1;
}

bool fl_utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = character((const unsigned char *)s + i, n - i);
        if (!len)
            return false;
        i += len;
    }
    return true;
}

void fl_utf8_repair(char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t len = character((const unsigned char *)s + i, n - i);
        if (!len)
            s[i] = '?';
        i += len ? len : 1;
    }
}

size_t fl_utf8_put(char *out, uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = n; i-- > 1; cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3f));
    out[0] = (char)(lead[n] | cp);
    return n;
}

/* Levenshtein distance, words cut at 63 bytes. */
static unsigned distance(const char *a, const char *b)
{
    unsigned row[64];
    size_t nb = strnlen(b, 63), na = strnlen(a, 63);
    for (unsigned j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            if (up + 1 < best)
                best = up + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = up;
        }
    }
    return row[nb];
}

const char *fl_nearest_word(const char *word, const char *const *words, size_t n)
{
    const char *best = NULL;
    unsigned limit = (unsigned)(strlen(word) / 3), least = (limit < 2 ? limit + 1 : 2) + 1;
    for (size_t i = 0; i < n; i++) {
        unsigned d = distance(word, words[i]);
        if (d < least) {
            least = d;
            best = words[i];
        }
    }
    return best;
}

bool fl_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    if (!s || !(*s == '-' || (*s >= '0' && *s <= '9')))
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || *end || end == s || v < min || v > max)
        return false;
    *ret = v;
    return true;
}

static const struct {
    const char *name;
    fl_usec factor;
} units[] = {{"d", 86400 * FL_USEC_PER_SEC},
             {"h", 3600 * FL_USEC_PER_SEC},
             {"m", 60 * FL_USEC_PER_SEC},
             {"s", FL_USEC_PER_SEC},
             {"ms", 1000},
             {"us", 1}};

bool fl_parse_duration(const char *s, fl_usec *ret)
{
    if (!s || *s < '0' || *s > '9')
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno)
        return false;
    fl_usec factor = *end ? 0 : FL_USEC_PER_SEC;
    for (size_t i = 0; i < FL_ARRAY_LEN(units); i++)
        if (strcmp(end, units[i].name) == 0)
            factor = units[i].factor;
    fl_usec out;
    if (!factor || __builtin_mul_overflow((fl_usec)v, factor, &out))
        return false;
    *ret = out;
    return true;
}

char *fl_format_duration(fl_usec d, char *out)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(units); i++)
        if (d && d % units[i].factor == 0) {
            snprintf(out, 24, "%lld%s", (long long)(d / units[i].factor), units[i].name);
            return out;
        }
    snprintf(out, 24, "0s");
    return out;
}
