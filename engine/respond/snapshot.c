/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/snapshot.c -- runs, calls and brakes as JSON and back. The registry of playbooks is not here:
 * the driver keeps the configuration event's text and hands the playbooks over again. */
#include "respond_priv.h"

#include <string.h>

static void write_hash(struct fl_jw *w, const char *key, const struct fl_sha256 *h)
{
    char hex[65];
    fl_jw_str(w, key, fl_sha256_hex(h, hex));
}

static void read_hash(const struct fl_json *v, const char *key, struct fl_sha256 *ret)
{
    const char *s = fl_json_str(v, key, "");
    if (strlen(s) == 64)
        (void)!fl_unhex(s, 64, ret->b);
}

static void write_call(struct fl_jw *w, const struct call *c)
{
    fl_jw_obj(w, NULL);
    fl_jw_int(w, "n", c->n);
    fl_jw_str(w, "fn", c->fn);
    fl_jw_str(w, "step", c->step);
    fl_jw_str(w, "args", c->args);
    write_hash(w, "hash", &c->args_hash);
    fl_jw_int(w, "state", c->state);
    fl_jw_str(w, "result", c->result);
    fl_jw_str(w, "reason", c->reason);
    fl_jw_int(w, "intent_at", c->intent_at);
    fl_jw_int(w, "outcome_at", c->outcome_at);
    fl_jw_int(w, "wake_at", c->wake_at);
    fl_jw_int(w, "intent_seq", (int64_t)c->intent_seq);
    fl_jw_int(w, "attempts", c->attempts);
    fl_jw_bool(w, "idempotent", c->idempotent);
    fl_jw_obj_end(w);
}

/* The texts of a run, once for writing and reading. */
struct text_field {
    const char *key;
    size_t offset;
};
static const struct text_field texts[] = {
    {"incident", offsetof(struct run, pub.incident)},
    {"playbook", offsetof(struct run, pub.playbook)},
    {"target", offsetof(struct run, pub.target)},
    {"version", offsetof(struct run, version)},
    {"approval", offsetof(struct run, approval)},
    {"requested_by", offsetof(struct run, requested_by)},
    {"approved_by", offsetof(struct run, approved_by)},
    {"params", offsetof(struct run, params)},
    {"ctx", offsetof(struct run, ctx)},
    {"reason", offsetof(struct run, reason)},
    {"result", offsetof(struct run, result)},
};
static const struct text_field times[] = {
    {"timeout", offsetof(struct run, timeout)},
    {"created_at", offsetof(struct run, created_at)},
    {"started_at", offsetof(struct run, started_at)},
    {"ended_at", offsetof(struct run, ended_at)},
    {"deadline", offsetof(struct run, deadline)},
    {"approve_by", offsetof(struct run, approve_by)},
    {"verify_by", offsetof(struct run, verify_by)},
    {"verify_within", offsetof(struct run, verify_within)},
    {"doubt_since", offsetof(struct run, doubt_since)},
};

/* Of a run that is over only a call whose outcome may still arrive matters; the rest stands in the database. */
static bool needs_calls(const struct run *run)
{
    for (const struct call *c = run->calls; c; c = c->next)
        if (!fl_run_is_over(run->pub.state) || (c->state == FL_CALL_INTENT && call_acts(c)))
            return true;
    return false;
}

static void write_run(struct fl_jw *w, const struct run *run)
{
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", run->pub.id);
    fl_jw_int(w, "number", (int64_t)run->pub.number);
    fl_jw_int(w, "state", run->pub.state);
    for (size_t i = 0; i < FL_ARRAY_LEN(texts); i++)
        fl_jw_str(w, texts[i].key, *(char *const *)((const char *)run + texts[i].offset));
    for (size_t i = 0; i < FL_ARRAY_LEN(times); i++)
        fl_jw_int(w, times[i].key, *(const fl_usec *)((const char *)run + times[i].offset));
    write_hash(w, "hash", &run->hash);
    fl_jw_bool(w, "disruptive", run->disruptive);
    fl_jw_bool(w, "verifies", run->verifies);
    fl_jw_bool(w, "acted", run->acted);
    fl_jw_int(w, "recoveries", run->recoveries);
    fl_jw_arr(w, "calls");
    for (const struct call *c = needs_calls(run) ? run->calls : NULL; c; c = c->next)
        write_call(w, c);
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

void fl_resp_write(const struct fl_resp *r, struct fl_jw *w, const char *key)
{
    fl_jw_obj(w, key);
    fl_jw_int(w, "next", (int64_t)r->next_number);
    fl_jw_bool(w, "halted", r->halted);
    fl_jw_arr(w, "stats");
    const uint64_t counters[] = {r->stats.proposed, r->stats.started,         r->stats.succeeded,
                                 r->stats.failed,   r->stats.denied_by_guard, r->stats.in_doubt,
                                 r->stats.calls};
    for (size_t i = 0; i < FL_ARRAY_LEN(counters); i++)
        fl_jw_int(w, NULL, (int64_t)counters[i]);
    fl_jw_arr_end(w);
    fl_jw_arr(w, "runs");
    for (const struct run *run = r->first; run; run = run->next)
        write_run(w, run);
    fl_jw_arr_end(w);
    fl_jw_obj(w, "breakers");
    for (const struct breaker *b = r->breakers; b; b = b->hh.next)
        fl_jw_int(w, b->playbook, b->failures);
    fl_jw_obj_end(w);
    fl_jw_obj(w, "cooling");
    for (const struct cooling *c = r->cooling; c; c = c->hh.next)
        fl_jw_int(w, c->target, c->at);
    fl_jw_obj_end(w);
    fl_jw_arr(w, "disruptive");
    for (size_t i = 0; i < r->n_disruptive; i++)
        fl_jw_int(w, NULL, r->disruptive[i]);
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

static void read_call(struct run *run, const struct fl_json *v)
{
    struct call *c = call_add(run, (unsigned)fl_json_int(v, "n", 0));
    set_text(&c->fn, fl_json_str(v, "fn", ""));
    set_text(&c->step, fl_json_str(v, "step", ""));
    set_text(&c->args, fl_json_str(v, "args", "{}"));
    set_text(&c->result, fl_json_str(v, "result", NULL));
    set_text(&c->reason, fl_json_str(v, "reason", NULL));
    read_hash(v, "hash", &c->args_hash);
    c->state = (fl_call_state)fl_json_int(v, "state", 0);
    c->intent_at = fl_json_int(v, "intent_at", 0);
    c->outcome_at = fl_json_int(v, "outcome_at", 0);
    c->wake_at = fl_json_int(v, "wake_at", 0);
    c->intent_seq = (uint64_t)fl_json_int(v, "intent_seq", 0);
    c->attempts = (unsigned)fl_json_int(v, "attempts", 0);
    c->idempotent = fl_json_bool(v, "idempotent", false);
}

static void read_run(struct fl_resp *r, const struct fl_json *v)
{
    struct run *run = run_new(r, (uint64_t)fl_json_int(v, "number", 0), fl_json_str(v, "id", ""));
    run->pub.state = (fl_run_state)fl_json_int(v, "state", 0);
    for (size_t i = 0; i < FL_ARRAY_LEN(texts); i++)
        set_text((char **)((char *)run + texts[i].offset), fl_json_str(v, texts[i].key, NULL));
    for (size_t i = 0; i < FL_ARRAY_LEN(times); i++)
        *(fl_usec *)((char *)run + times[i].offset) = fl_json_int(v, times[i].key, 0);
    read_hash(v, "hash", &run->hash);
    run->disruptive = fl_json_bool(v, "disruptive", false);
    run->verifies = fl_json_bool(v, "verifies", false);
    run->acted = fl_json_bool(v, "acted", false);
    run->recoveries = (unsigned)fl_json_int(v, "recoveries", 0);
    const struct fl_json *calls = fl_json_get(v, "calls");
    for (size_t i = 0; i < fl_json_len(calls); i++)
        read_call(run, fl_json_at(calls, i));
    run->wake_at = calls_wake_at(run);
    run_changed(r, run);
}

fl_status fl_resp_read(struct fl_resp *r, const struct fl_json *v, struct fl_err *err)
{
    if (!fl_json_is_object(v))
        return fl_fail(err, FL_E_CORRUPT, "respond", "the snapshot has no runs");
    r->next_number = (uint64_t)fl_json_int(v, "next", 1);
    r->halted = fl_json_bool(v, "halted", false);
    uint64_t *counters[] = {&r->stats.proposed, &r->stats.started,         &r->stats.succeeded,
                            &r->stats.failed,   &r->stats.denied_by_guard, &r->stats.in_doubt,
                            &r->stats.calls};
    const struct fl_json *st = fl_json_get(v, "stats");
    for (size_t i = 0; i < FL_ARRAY_LEN(counters); i++)
        *counters[i] = (uint64_t)fl_json_number(fl_json_at(st, i), 0);
    const struct fl_json *runs = fl_json_get(v, "runs");
    for (size_t i = 0; i < fl_json_len(runs); i++)
        read_run(r, fl_json_at(runs, i));
    const struct fl_json *o = fl_json_get(v, "breakers");
    for (void *it = fl_json_first(o); it; it = fl_json_next(o, it)) {
        struct breaker *b = fl_core_alloc(1, sizeof *b);
        b->playbook = fl_core_strdup(fl_json_key(it));
        b->failures = (unsigned)fl_json_number(fl_json_value(it), 0);
        HASH_ADD_KEYPTR(hh, r->breakers, b->playbook, strlen(b->playbook), b);
    }
    o = fl_json_get(v, "cooling");
    for (void *it = fl_json_first(o); it; it = fl_json_next(o, it)) {
        struct cooling *c = fl_core_alloc(1, sizeof *c);
        c->target = fl_core_strdup(fl_json_key(it));
        c->at = (fl_usec)fl_json_number(fl_json_value(it), 0);
        HASH_ADD_KEYPTR(hh, r->cooling, c->target, strlen(c->target), c);
    }
    const struct fl_json *d = fl_json_get(v, "disruptive");
    r->n_disruptive = fl_json_len(d);
    r->disruptive = fl_core_alloc(r->n_disruptive, sizeof *r->disruptive);
    for (size_t i = 0; i < r->n_disruptive; i++)
        r->disruptive[i] = (fl_usec)fl_json_number(fl_json_at(d, i), 0);
    return FL_OK;
}
