/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/support/oom.c -- contract in oom.h. */
#include "oom.h"

#include <stddef.h>

/* The linker's names (--wrap=malloc …). */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static _Thread_local bool counting, refused;
static _Thread_local long left;

void oom_begin(long n)
{
    left = n;
    refused = false;
    counting = true;
}

bool oom_end(void)
{
    counting = false;
    return refused;
}

static bool granted(void)
{
    if (!counting || left-- > 0)
        return true;
    refused = true;
    return false;
}

void *__wrap_malloc(size_t n)
{
    return granted() ? __real_malloc(n) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return granted() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *p, size_t n)
{
    return granted() ? __real_realloc(p, n) : NULL;
}
