/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/support.c -- see support.h. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

struct fl_fx *add_fx(struct fl_effects *fx, fl_fx_kind kind)
{
    struct fl_fx *f = fl_effects_add(fx, kind);
    assert_non_null(f);
    return f;
}

void add_audit(struct fl_effects *fx, uint64_t seq, uint64_t event_seq)
{
    struct fl_fx *f = add_fx(fx, FL_FX_AUDIT);
    f->audit = (struct fl_audit_entry){.realm = "default",
                                       .seq = seq,
                                       .at = INT64_C(1700000000000000) + (fl_usec)seq,
                                       .event_seq = event_seq,
                                       .actor = "engine",
                                       .action = "alerts.received",
                                       .subject = "x",
                                       .incident = seq % 2 ? "INC-1" : "",
                                       .reason = "because",
                                       .detail = "{\"b\":1,\"a\":2}"};
    memset(f->audit.hash.b, (int)(seq & 255), sizeof f->audit.hash.b);
}

static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct counts *c = ctx;
    (void)at;
    if (st)
        c->failed++;
    else
        c->ok++;
    c->last_status = st;
    if (!st) {
        if (seq != c->last_seq + 1)
            c->out_of_order = true;
        c->last_seq = seq;
    }
}

static void on_answered(void *ctx, fl_status st, const char *json)
{
    struct counts *c = ctx;
    (void)json;
    c->last_answer = st;
    c->answered++;
}

static void on_deliver(void *ctx, const struct fl_event *ev, struct fl_submission *sub)
{
    struct counts *c = ctx;
    c->delivered++;
    if (!c->echo) {
        fl_arena_free(sub->arena);
        return;
    }
    struct fl_effects *fx = fl_effects_new();
    fx->realm = "default";
    fx->event_seq = ev->seq;
    fx->event_bytes = ev->body_len;
    if (c->fill)
        c->fill(fx, ev);
    else
        add_audit(fx, ev->seq, ev->seq);
    fl_store_project(c->store, fx, sub);
}

static void on_order(void *ctx, const struct fl_effects *fx)
{
    struct counts *c = ctx;
    (void)fx;
    c->orders++;
}

struct fl_store_options options(const char *conninfo, struct counts *c)
{
    return (struct fl_store_options){.conninfo = conninfo,
                                     .realm = "default",
                                     .owner = "test",
                                     .queue_bytes = 64 << 20,
                                     .lag_events = 100000,
                                     .deliver = on_deliver,
                                     .order = on_order,
                                     .ctx = c};
}

struct fl_store *open_store(const char *conninfo, struct counts *c)
{
    struct fl_err err = {0};
    struct fl_store_options o = options(conninfo, c);
    assert_ok(fl_store_open(&o, &c->store, &err));
    c->last_seq = c->store->last_seq;
    return c->store;
}

fl_status submit(struct fl_store *s, struct counts *c, fl_event_kind kind, const char *body, size_t n)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *sub = fl_arena_calloc(a, 1, sizeof *sub);
    *sub = (struct fl_submission){.kind = kind,
                                  .actor = "tester",
                                  .source = "test",
                                  .body = fl_arena_dup(a, body, n),
                                  .body_len = n,
                                  .arena = a,
                                  .committed = on_committed,
                                  .answered = on_answered,
                                  .ctx = c};
    fl_sha256(body, n, &sub->body_hash);
    fl_status st = fl_store_submit(s, sub);
    if (st)
        fl_arena_free(a);
    return st;
}
