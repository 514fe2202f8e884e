/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/err.c -- contract in <faultline/base.h>. */
#include <faultline/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *fl_status_name(fl_status st)
{
    switch (st) {
    case FL_OK: return "ok";
    case FL_E_NOMEM: return "nomem";
    case FL_E_SYNTAX: return "syntax";
    case FL_E_SHAPE: return "shape";
    case FL_E_LIMIT: return "limit";
    case FL_E_NOTFOUND: return "notfound";
    case FL_E_CONFLICT: return "conflict";
    case FL_E_DENIED: return "denied";
    case FL_E_UNAVAILABLE: return "unavailable";
    case FL_E_IO: return "io";
    case FL_E_TIMEOUT: return "timeout";
    case FL_E_FULL: return "full";
    case FL_E_CORRUPT: return "corrupt";
    case FL_E_USAGE: return "usage";
    case FL_E_DIVERGED: return "diverged";
    case FL_E_FENCED: return "fenced";
    case FL_E_INTERNAL: return "internal";
    }
    return "unknown";
}

fl_status fl_fail(struct fl_err *err, fl_status st, const char *where, const char *fmt, ...)
{
    if (!err || err->status != FL_OK)
        return st;
    err->status = st;
    err->hint[0] = err->sqlstate[0] = 0;
    snprintf(err->where, sizeof err->where, "%s", where ? where : "");
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    /* Quoted values may be anything, and the cut may fall inside a character. */
    fl_utf8_repair(err->where, strlen(err->where));
    fl_utf8_repair(err->text, strlen(err->text));
    return st;
}

void fl_hint(struct fl_err *err, const char *fmt, ...)
{
    if (!err || err->hint[0])
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
}

void fl_err_within(struct fl_err *err, const char *fmt, ...)
{
    if (!err)
        return;
    char outer[sizeof err->where], inner[sizeof err->where];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(outer, sizeof outer, fmt, ap);
    va_end(ap);
    memcpy(inner, err->where, sizeof inner);
    bool dot = inner[0] && inner[0] != '[';
    size_t n = strnlen(outer, sizeof outer - 1), room = sizeof err->where - 1;
    memcpy(err->where, outer, n);
    if (dot && n < room)
        err->where[n++] = '.';
    size_t k = strnlen(inner, sizeof inner - 1);
    k = k > room - n ? room - n : k;
    memcpy(err->where + n, inner, k);
    err->where[n + k] = 0;
}

/* Cut where it does not fit, but never inside a character. */
FL_PRINTF(3, 4) static void put_cut(char *to, size_t cap, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(to, cap, fmt, ap);
    va_end(ap);
    fl_utf8_repair(to, strlen(to));
}

void fl_err_in_file(struct fl_err *err, const char *path, size_t line)
{
    unsigned long in_text, column;
    if (!err || strncmp(err->where, path, strlen(path)) == 0)
        return; /* whoever could not read the file has named it */
    const struct fl_err was = *err;
    const char *gap = was.where[0] ? ": " : "";
    if (sscanf(was.where, "line %lu column %lu", &in_text, &column) == 2) {
        put_cut(err->where, sizeof err->where, "%s:%zu", path, (line ? line - 1 : 0) + in_text);
        put_cut(err->text, sizeof err->text, "column %lu: %s", column, was.text);
    } else if (line) {
        put_cut(err->where, sizeof err->where, "%s:%zu%s%s", path, line, gap, was.where);
    } else {
        put_cut(err->where, sizeof err->where, "%s%s%s", path, gap, was.where);
    }
}

void fl_require_failed(const char *cond, const char *file, int line)
{
    char msg[512];
    int n = snprintf(msg, sizeof msg, "faultline: broken promise: %s (%s:%d)\n", cond, file, line);
    if (n > 0 && write(2, msg, (size_t)n) < 0)
        abort();
    abort();
}
