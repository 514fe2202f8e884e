/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/buf.c -- contract in <faultline/base.h>. */
#include <faultline/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fl_buf_done(struct fl_buf *b)
{
    free(b->p);
    *b = (struct fl_buf){.max = b->max};
}

void fl_buf_reset(struct fl_buf *b)
{
    b->n = 0;
    b->failed = false;
    if (b->p)
        b->p[0] = 0;
}

static bool reserve(struct fl_buf *b, size_t extra)
{
    if (b->failed || extra > SIZE_MAX / 4 || (b->max && b->n + extra > b->max)) {
        b->failed = true;
        return false;
    }
    if (b->n + extra + 1 <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap : 128;
    while (cap < b->n + extra + 1)
        cap *= 2;
    char *p = realloc(b->p, cap);
    if (!p) {
        b->failed = true;
        return false;
    }
    b->p = p;
    b->cap = cap;
    return true;
}

void fl_buf_add(struct fl_buf *b, const void *p, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = 0;
}

void fl_buf_str(struct fl_buf *b, const char *s)
{
    fl_buf_add(b, s, strlen(s));
}

void fl_buf_chr(struct fl_buf *b, char c)
{
    if (!reserve(b, 1))
        return;
    b->p[b->n++] = c;
    b->p[b->n] = 0;
}

void fl_buf_printf(struct fl_buf *b, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0)
        b->failed = true;
    else if (reserve(b, (size_t)n)) {
        vsnprintf(b->p + b->n, (size_t)n + 1, fmt, again);
        b->n += (size_t)n;
    }
    va_end(again);
}

char *fl_buf_take(struct fl_buf *b, size_t *ret_n)
{
    if (!b->failed && !b->p)
        fl_buf_add(b, "", 0);
    if (b->failed) {
        fl_buf_done(b);
        return NULL;
    }
    char *p = b->p;
    if (ret_n)
        *ret_n = b->n;
    *b = (struct fl_buf){.max = b->max};
    return p;
}

void fl_freep(void *p)
{
    void **pp = p;
    free(*pp);
    *pp = NULL;
}

void fl_closep(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}
