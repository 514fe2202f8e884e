/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/step.c -- contract in <faultline/step.h>. */
#include <faultline/step.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *fl_core_alloc(size_t n, size_t size)
{
    void *p = calloc(n ? n : 1, size ? size : 1);
    FL_REQUIRE(p != NULL);
    return p;
}

char *fl_core_strdup(const char *s)
{
    if (!s)
        return NULL;
    char *p = strdup(s);
    FL_REQUIRE(p != NULL);
    return p;
}

const char *fl_fx_str(struct fl_effects *fx, const char *s)
{
    if (!s || !*s)
        return "";
    const char *p = fl_arena_strdup(fx->arena, s);
    FL_REQUIRE(p != NULL);
    return p;
}

const char *fl_fx_printf(struct fl_effects *fx, const char *fmt, ...)
{
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *p = n < 0 ? NULL : fl_arena_alloc(fx->arena, (size_t)n + 1);
    FL_REQUIRE(p != NULL);
    vsnprintf(p, (size_t)n + 1, fmt, again);
    va_end(again);
    fl_utf8_repair(p,
                   (size_t)n); /* "%.200s" may cut a character in two, and the database refuses such a row */
    return p;
}

const char *fl_fx_cat(struct fl_effects *fx, const char *const *parts, size_t n)
{
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += strlen(parts[i]);
    char *p = fl_arena_alloc(fx->arena, bytes + 1), *to = p;
    FL_REQUIRE(p != NULL);
    for (size_t i = 0; i < n; i++) {
        size_t len = strlen(parts[i]);
        memcpy(to, parts[i], len);
        to += len;
    }
    *to = 0;
    fl_utf8_repair(p, bytes); /* as fl_fx_printf() */
    return p;
}

struct fl_labels fl_fx_labels(struct fl_effects *fx, const struct fl_labels *l)
{
    if (!l->n)
        return (struct fl_labels){0};
    /* One block for all of them: this runs once per alert of a storm. */
    size_t bytes = l->n * sizeof(struct fl_label);
    for (size_t i = 0; i < l->n; i++)
        bytes += strlen(l->v[i].name) + strlen(l->v[i].value) + 2;
    struct fl_label *v = fl_arena_alloc(fx->arena, bytes);
    FL_REQUIRE(v != NULL);
    char *to = (char *)(v + l->n);
    for (size_t i = 0; i < l->n; i++) {
        size_t n = strlen(l->v[i].name) + 1, m = strlen(l->v[i].value) + 1;
        memcpy(to, l->v[i].name, n);
        memcpy(to + n, l->v[i].value, m);
        v[i] = (struct fl_label){to, to + n};
        to += n + m;
    }
    return (struct fl_labels){v, l->n};
}

struct fl_fx *fl_fx_add(struct fl_effects *fx, fl_fx_kind kind)
{
    struct fl_fx *e = fl_effects_add(fx, kind);
    FL_REQUIRE(e != NULL);
    return e;
}
