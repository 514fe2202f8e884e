/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/effects.c -- the list of what one step wants done; contract in <faultline/effects.h>. */
#include <faultline/effects.h>

#include <stdlib.h>
#include <string.h>

struct fl_effects *fl_effects_new(void)
{
    struct fl_effects *fx = calloc(1, sizeof *fx);
    if (!fx)
        return NULL;
    fx->arena = fl_arena_new(0);
    fx->realm = "";
    if (!fx->arena)
        return fl_effects_free(fx);
    return fx;
}

struct fl_effects *fl_effects_free(struct fl_effects *fx)
{
    if (fx) {
        fl_arena_free(fx->arena);
        free(fx->v);
        free(fx);
    }
    return NULL;
}

struct fl_fx *fl_effects_add(struct fl_effects *fx, fl_fx_kind kind)
{
    if (fx->n == fx->cap) {
        size_t cap = fx->cap ? fx->cap * 2 : 16;
        struct fl_fx *v = reallocarray(fx->v, cap, sizeof *v);
        if (!v)
            return NULL;
        fx->v = v;
        fx->cap = cap;
    }
    struct fl_fx *x = &fx->v[fx->n++];
    memset(x, 0, sizeof *x);
    x->kind = kind;
    return x;
}
