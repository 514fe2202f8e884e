/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/order.c -- orders copied out of the effects, which the caller frees. */
#include "runner_priv.h"

#include <stdlib.h>

static const char *text(struct fl_arena *a, const char *s, bool *bad)
{
    char *copy = fl_arena_strdup(a, s ? s : "");
    if (!copy)
        *bad = true;
    return copy;
}

static void copy_start(struct order *o, const struct fl_order_start *s, bool *bad)
{
    o->start = *s;
    o->start.run = text(o->arena, s->run, bad);
    o->start.incident = text(o->arena, s->incident, bad);
    o->start.playbook = text(o->arena, s->playbook, bad);
    o->start.source = text(o->arena, s->source, bad);
    o->start.ctx = text(o->arena, s->ctx, bad);
    struct fl_recorded_call *calls = fl_arena_calloc(o->arena, s->n_calls + 1, sizeof *calls);
    o->start.calls = calls;
    if (!calls) {
        *bad = true;
        return;
    }
    for (size_t i = 0; i < s->n_calls; i++) {
        calls[i] = s->calls[i];
        calls[i].fn = text(o->arena, s->calls[i].fn, bad);
        calls[i].args = text(o->arena, s->calls[i].args, bad);
        calls[i].step = text(o->arena, s->calls[i].step, bad);
        calls[i].result = text(o->arena, s->calls[i].result, bad);
    }
}

struct order *order_copy(const struct fl_fx *fx, bool *ret_nomem)
{
    bool bad = false;
    if (fx->kind < FL_FX_RUN_START || fx->kind > FL_FX_STOP)
        return NULL;
    struct order *o = calloc(1, sizeof *o);
    if (o)
        o->arena = fl_arena_new(0);
    if (!o || !o->arena) {
        free(o);
        *ret_nomem = true;
        return NULL;
    }
    o->kind = fx->kind;
    switch (fx->kind) {
    case FL_FX_RUN_START: copy_start(o, &fx->start, &bad); break;
    case FL_FX_ACT:
        o->act = fx->act;
        o->act.run = text(o->arena, fx->act.run, &bad);
        o->act.fn = text(o->arena, fx->act.fn, &bad);
        o->act.args = text(o->arena, fx->act.args, &bad);
        o->act.idempotency_key = text(o->arena, fx->act.idempotency_key, &bad);
        break;
    case FL_FX_REPLY:
        o->reply = fx->reply;
        o->reply.run = text(o->arena, fx->reply.run, &bad);
        o->reply.result = text(o->arena, fx->reply.result, &bad);
        break;
    default:
        o->stop = fx->stop;
        o->stop.run = text(o->arena, fx->stop.run, &bad);
        o->stop.reason = text(o->arena, fx->stop.reason, &bad);
        break;
    }
    if (bad) {
        order_free(o);
        *ret_nomem = true;
        return NULL;
    }
    return o;
}

void order_free(struct order *o)
{
    if (!o)
        return;
    fl_arena_free(o->arena);
    free(o);
}
