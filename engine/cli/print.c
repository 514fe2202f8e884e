/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/print.c -- text for terminals: nothing a sender wrote may move the cursor (layer 6). */
#include "cli.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Length of the UTF-8 sequence at s, 0 when it is none or must not reach a terminal. */
static size_t printable(const char *s)
{
    unsigned char c = (unsigned char)s[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc2 ? 2 : 0;
    if (c < 0x20 || c == 0x7f || !n || strnlen(s, n) < n || !fl_utf8_valid(s, n))
        return 0;
    if (c == 0xc2 && (unsigned char)s[1] < 0xa0)
        return 0; /* C1 controls */
    /* Bidirectional overrides turn what follows round. */
    if (!strncmp(s, "\xe2\x80\xaa", 2) && (unsigned char)s[2] >= 0xaa && (unsigned char)s[2] <= 0xae &&
        c == 0xe2 && (unsigned char)s[1] == 0x80)
        return 0;
    if (c == 0xe2 && (unsigned char)s[1] == 0x81 && (unsigned char)s[2] >= 0xa6 &&
        (unsigned char)s[2] <= 0xa9)
        return 0;
    return n;
}

/* @return columns written. */
static int put(FILE *f, const char *s, int width)
{
    int columns = 0, total = 0;
    for (const char *p = s; *p; total++)
        p += printable(p) ? printable(p) : 1;
    while (*s) {
        if (width > 0 && total > width && columns == width - 1) {
            fputs("…", f);
            return width;
        }
        size_t n = printable(s);
        if (n)
            fwrite(s, 1, n, f);
        else
            fputc('?', f);
        s += n ? n : 1;
        columns++;
    }
    return columns;
}

void put_text(FILE *f, const char *s, int width)
{
    put(f, s ? s : "", width);
}

void put_padded(FILE *f, const char *s, int width)
{
    int n = put(f, s ? s : "", width);
    fprintf(f, "%*s", n < width ? width - n : 0, "");
}

bool use_colour(void)
{
    extern char **environ;
    for (char **e = environ; *e; e++)
        if (!strncmp(*e, "NO_COLOR=", 9) && (*e)[9])
            return false;
    return isatty(STDOUT_FILENO);
}

char *format_age(const char *text, char *buf, size_t cap)
{
    fl_usec t = 0;
    if (!text || !fl_time_parse(text, strlen(text), &t) || !t) {
        snprintf(buf, cap, "-");
        return buf;
    }
    long long s = (long long)((fl_now() - t) / FL_USEC_PER_SEC);
    const char *in = s < 0 ? "in " : "";
    s = s < 0 ? -s : s;
    if (s < 120)
        snprintf(buf, cap, "%s%llds", in, s);
    else if (s < 7200)
        snprintf(buf, cap, "%s%lldm", in, s / 60);
    else if (s < 172800)
        snprintf(buf, cap, "%s%lldh", in, s / 3600);
    else
        snprintf(buf, cap, "%s%lldd", in, s / 86400);
    return buf;
}

char *format_clock(const char *text, char *buf, size_t cap)
{
    fl_usec t = 0;
    char full[FL_TIME_LEN], now[FL_TIME_LEN];
    if (!text || !fl_time_parse(text, strlen(text), &t) || !t) {
        snprintf(buf, cap, "-");
        return buf;
    }
    fl_time_format(t, full);
    fl_time_format(fl_now(), now);
    full[10] = ' ';
    full[19] = 0;
    snprintf(buf, cap, "%s", memcmp(full, now, 10) == 0 ? full + 11 : full);
    return buf;
}

const struct fl_json *list_of(const struct fl_json *doc, const char *key)
{
    return fl_json_is_array(doc) ? doc : doc ? fl_json_get(doc, key) : NULL;
}

static const struct fl_json *find_member(const struct fl_json *row, const char *keys)
{
    while (*keys) {
        char key[64];
        size_t n = strcspn(keys, "|");
        snprintf(key, sizeof key, "%.*s", (int)n, keys);
        const char *dot = strchr(key, '.');
        const struct fl_json *v;
        if (dot) { /* labels.alertname */
            char outer[64];
            snprintf(outer, sizeof outer, "%.*s", (int)(dot - key), key);
            v = fl_json_get(row, outer);
            v = v ? fl_json_get(v, dot + 1) : NULL;
        } else {
            v = fl_json_get(row, key);
        }
        if (v)
            return v;
        keys += n + (keys[n] == '|');
    }
    return NULL;
}

const char *cell(const struct fl_json *row, const struct column *c, char *buf, size_t cap)
{
    const struct fl_json *v = find_member(row, c->key);
    const char *text = v ? fl_json_string(v) : NULL;
    if (!v)
        return "-";
    switch (c->kind) {
    case 't': return format_clock(text, buf, cap);
    case 'a': return format_age(text, buf, cap);
    case 'p': snprintf(buf, cap, "%.0f %%", 100 * fl_json_number(v, 0)); return buf;
    case 'n':
        if (!text) {
            snprintf(buf, cap, "%.0f", fl_json_number(v, 0));
            return buf;
        }
        return text;
    default: return text && *text ? text : "-";
    }
}

static int columns_of(const char *s)
{
    int n = 0;
    for (; *s; n++)
        s += printable(s) ? printable(s) : 1;
    return n;
}

void print_table(const struct fl_json *list, const struct column *columns, size_t n)
{
    int width[16] = {0};
    char buf[128];
    n = n < 16 ? n : 16;
    for (size_t k = 0; k < n; k++) {
        width[k] = columns_of(columns[k].title);
        for (size_t i = 0; i < fl_json_len(list); i++) {
            int w = columns_of(cell(fl_json_at(list, i), &columns[k], buf, sizeof buf));
            width[k] = w > width[k] ? w : width[k];
        }
        if (columns[k].width && width[k] > columns[k].width)
            width[k] = columns[k].width;
    }
    for (size_t k = 0; k < n; k++) {
        put_padded(stdout, columns[k].title, k + 1 < n ? width[k] : 0);
        fputs(k + 1 < n ? "  " : "\n", stdout);
    }
    for (size_t i = 0; i < fl_json_len(list); i++)
        for (size_t k = 0; k < n; k++) {
            const char *text = cell(fl_json_at(list, i), &columns[k], buf, sizeof buf);
            if (k + 1 < n)
                put_padded(stdout, text, width[k]);
            else
                put_text(stdout, text, columns[k].width);
            fputs(k + 1 < n ? "  " : "\n", stdout);
        }
}

void print_json(const struct fl_buf *body)
{
    if (body->n)
        fwrite(body->p, 1, body->n, stdout);
    if (!body->n || body->p[body->n - 1] != '\n')
        fputc('\n', stdout);
}
