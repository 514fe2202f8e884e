/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/intake_fixture.h -- parse a text or a recorded body at one fixed moment. */
#pragma once

#include <faultline/intake.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW_TEXT "2026-11-23T10:00:00Z"

static inline fl_usec at(const char *text)
{
    fl_usec t = -1;
    assert_true(fl_time_parse(text, strlen(text), &t));
    return t;
}

struct parsed {
    struct fl_arena *arena;
    struct fl_intake in;
    struct fl_err err;
    fl_status st;
};

static inline struct parsed parse_at(fl_format f, const char *body, size_t n, fl_usec now)
{
    struct parsed p = {.arena = fl_arena_new(0)};
    /* A copy of the exact length, so that the sanitizer sees a read past the end. */
    char *exact = malloc(n ? n : 1);
    memcpy(exact, body, n);
    p.st = fl_intake_parse(p.arena, f, exact, n, now, &p.in, &p.err);
    free(exact);
    return p;
}

static inline struct parsed parse(fl_format f, const char *body)
{
    return parse_at(f, body, strlen(body), at(NOW_TEXT));
}

static inline void done(struct parsed *p)
{
    p->arena = fl_arena_free(p->arena);
}

/* A recorded body of tests/fuzz/corpus; free() it. */
static inline char *recorded(const char *name, size_t *ret_n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", FL_SOURCE_DIR, name);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    char *p = malloc(1 << 20);
    *ret_n = fread(p, 1, 1 << 20, f);
    fclose(f);
    assert_true(*ret_n > 0);
    return p;
}
