/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/log.c -- contract in <faultline/log.h>. */
#include <faultline/log.h>

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Atomic int least = FL_LOG_INFO;
static const char *const names[] = {"debug", "info", "warn", "error"};

void fl_log_set_level(fl_log_level level)
{
    atomic_store(&least, (int)level);
}

/* One write(2) a line keeps lines of several threads whole; a full pipe loses it, never blocks work. */
static void emit(fl_log_level level, const char *group, const char *msg)
{
    char line[2048], t[FL_TIME_LEN];
    int n = snprintf(line, sizeof line, "time=%s level=%s group=%s msg=\"", fl_time_format_ms(fl_now(), t),
                     names[level], group);
    if (n < 0)
        return;
    size_t at = (size_t)n;
    for (const unsigned char *c = (const unsigned char *)msg; *c && at < sizeof line - 8; c++) {
        if (*c == '"' || *c == '\\') {
            line[at++] = '\\';
            line[at++] = (char)*c;
        } else if (*c < 0x20 || *c == 0x7f) {
            at += (size_t)snprintf(line + at, 8, "\\x%02x", *c);
        } else {
            line[at++] = (char)*c;
        }
    }
    line[at++] = '"';
    line[at++] = '\n';
    if (write(2, line, at) < 0)
        return;
}

void fl_log(fl_log_level level, const char *group, const char *fmt, ...)
{
    if ((int)level < atomic_load(&least))
        return;
    char msg[1600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    emit(level, group, msg);
}

void fl_log_err(fl_log_level level, const char *group, const char *what, const struct fl_err *err)
{
    fl_log(level, group, "%s: %s%s%s%s%s%s", what, err->text, err->where[0] ? " (" : "", err->where,
           err->where[0] ? ")" : "", err->hint[0] ? "; " : "", err->hint);
}
