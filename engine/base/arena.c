/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/arena.c -- contract in <faultline/base.h>. */
#include <faultline/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

enum { ALIGN = 16, FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20 };

struct block {
    struct block *next;
    size_t cap, used;
    _Alignas(ALIGN) unsigned char data[];
};

struct fl_arena {
    struct block *head; /* the one in use; older ones behind it */
    size_t max, first, total, used;
    size_t others;                   /* bytes that the adopted ones occupied when they were adopted */
    struct fl_arena *adopted, *next; /* freed with this one; next: of those adopted by the same */
};

struct fl_arena *fl_arena_new(size_t max_bytes)
{
    return fl_arena_new_sized(max_bytes, FIRST_BLOCK);
}

struct fl_arena *fl_arena_new_sized(size_t max_bytes, size_t first)
{
    struct fl_arena *a = calloc(1, sizeof *a);
    if (a) {
        a->max = max_bytes;
        a->first = (first + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    }
    return a;
}

static void free_blocks(struct block *b)
{
    while (b) {
        struct block *next = b->next;
        UNPOISON(b->data, b->cap);
        free(b);
        b = next;
    }
}

static void free_adopted(struct fl_arena *a)
{
    while (a->adopted) {
        struct fl_arena *child = a->adopted;
        a->adopted = child->next;
        fl_arena_free(child);
    }
}

struct fl_arena *fl_arena_free(struct fl_arena *a)
{
    if (a) {
        free_adopted(a);
        free_blocks(a->head);
        free(a);
    }
    return NULL;
}

void fl_arena_adopt(struct fl_arena *a, struct fl_arena *child)
{
    child->next = a->adopted;
    a->adopted = child;
    a->used += child->used;
    a->others += fl_arena_held(child);
}

void fl_arena_freep(struct fl_arena **a)
{
    *a = fl_arena_free(*a);
}

void fl_arena_reset(struct fl_arena *a)
{
    free_adopted(a);
    a->used = a->others = 0;
    struct block *b = a->head;
    if (!b)
        return;
    /* The newest block is the largest: keeping it makes a loop settle on one block. */
    free_blocks(b->next);
    b->next = NULL;
    b->used = 0;
    a->total = b->cap;
    POISON(b->data, b->cap);
}

static struct block *grow(struct fl_arena *a, size_t n)
{
    size_t cap = a->head ? a->head->cap * 2 : a->first;
    if (a->head && cap > LARGEST_STEP)
        cap = LARGEST_STEP;
    if (cap < n)
        cap = n;
    if (a->max && a->total + cap > a->max) {
        cap = n;
        if (n > a->max || a->total > a->max - n)
            return NULL;
    }
    struct block *b = malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    *b = (struct block){.next = a->head, .cap = cap};
    POISON(b->data, cap);
    a->head = b;
    a->total += cap;
    return b;
}

void *fl_arena_alloc(struct fl_arena *a, size_t n)
{
    if (n > SIZE_MAX / 4)
        return NULL;
    size_t need = (n + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!need)
        need = ALIGN;
    struct block *b = a->head;
    if (!b || b->cap - b->used < need) {
        b = grow(a, need);
        if (!b)
            return NULL;
    }
    void *p = b->data + b->used;
    b->used += need;
    a->used += need;
    UNPOISON(p, n ? n : 1);
    return p;
}

void *fl_arena_calloc(struct fl_arena *a, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    void *p = fl_arena_alloc(a, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *fl_arena_dup(struct fl_arena *a, const void *src, size_t n)
{
    void *p = fl_arena_alloc(a, n);
    if (p && n)
        memcpy(p, src, n);
    return p;
}

char *fl_arena_strndup(struct fl_arena *a, const char *s, size_t n)
{
    char *p = fl_arena_alloc(a, n + 1);
    if (p) {
        memcpy(p, s, n);
        p[n] = 0;
    }
    return p;
}

char *fl_arena_strdup(struct fl_arena *a, const char *s)
{
    return s ? fl_arena_strndup(a, s, strlen(s)) : NULL;
}

char *fl_arena_printf(struct fl_arena *a, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : fl_arena_alloc(a, (size_t)n + 1);
    if (p)
        vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    return p;
}

size_t fl_arena_used(const struct fl_arena *a)
{
    return a->used;
}

size_t fl_arena_held(const struct fl_arena *a)
{
    return a->total + a->others;
}
