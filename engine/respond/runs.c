/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/runs.c -- the registry of playbooks and the runs of a realm. */
#include "respond_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fl_resp *fl_resp_new(void)
{
    struct fl_resp *r = fl_core_alloc(1, sizeof *r);
    r->next_number = 1;
    r->due.kind = &runs_by_due;
    r->over.kind = &runs_by_number;
    return r;
}

static void free_books(struct fl_resp *r)
{
    for (size_t i = 0; i < r->n_books; i++) {
        struct book *b = &r->books[i];
        free(b->name);
        free(b->version);
        free(b->doc);
        free(b->approval);
        free(b->source);
        free(b->meta_json);
    }
    free(r->books);
    r->books = NULL;
    r->n_books = 0;
}

static void free_run(struct run *run)
{
    for (struct call *c = run->calls, *next; c; c = next) {
        next = c->next;
        free(c->fn);
        free(c->step);
        free(c->args);
        free(c->result);
        free(c->reason);
        free(c);
    }
    char *texts[] = {run->pub.incident, run->pub.playbook, run->pub.target,  run->version,
                     run->approval,     run->requested_by, run->approved_by, run->params,
                     run->ctx,          run->reason,       run->result};
    for (size_t i = 0; i < FL_ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(run);
}

static void forget_run(struct fl_resp *r, struct run *run)
{
    run_gone(r, run);
    HASH_DEL(r->by_id, run);
    if (run->prev)
        run->prev->next = run->next;
    else
        r->first = run->next;
    if (run->next)
        run->next->prev = run->prev;
    else
        r->last = run->prev;
    free_run(run);
}

struct fl_resp *fl_resp_free(struct fl_resp *r)
{
    if (!r)
        return NULL;
    while (r->first)
        forget_run(r, r->first);
    struct breaker *b, *btmp;
    HASH_ITER (hh, r->breakers, b, btmp) {
        HASH_DEL(r->breakers, b);
        free(b->playbook);
        free(b);
    }
    struct cooling *c, *ctmp;
    HASH_ITER (hh, r->cooling, c, ctmp) {
        HASH_DEL(r->cooling, c);
        free(c->target);
        free(c);
    }
    free_books(r);
    due_done(r);
    free(r->disruptive);
    free(r);
    return NULL;
}

/* A playbook may ask for another cooldown than the rules'; -1 = it does not. */
static fl_usec own_cooldown(const char *meta_json)
{
    FL_AUTO_JSON meta = meta_json ? fl_json_parse(meta_json, strlen(meta_json), NULL) : NULL;
    const struct fl_json *guards = fl_json_get(meta, "guards");
    const char *text = fl_json_str(guards, "cooldown", NULL);
    fl_usec d;
    if (text && fl_parse_duration(text, &d))
        return d;
    int64_t us = fl_json_int(guards, "cooldown_us", -1);
    return us >= 0 ? us : -1;
}

void fl_resp_playbooks(struct fl_resp *r, const struct fl_playbook_def *v, size_t n)
{
    free_books(r);
    n = n > FL_PLAYBOOKS_MAX ? FL_PLAYBOOKS_MAX : n;
    r->books = fl_core_alloc(n, sizeof *r->books);
    r->n_books = n;
    for (size_t i = 0; i < n; i++) {
        const struct fl_playbook *p = &v[i].meta;
        r->books[i] = (struct book){.name = fl_core_strdup(p->name),
                                    .version = fl_core_strdup(p->version ? p->version : ""),
                                    .doc = fl_core_strdup(p->doc ? p->doc : ""),
                                    .approval = fl_core_strdup(p->approval ? p->approval : "required"),
                                    .source = fl_core_strdup(v[i].source),
                                    .meta_json = fl_core_strdup(p->meta_json),
                                    .hash = p->hash,
                                    .timeout = p->timeout,
                                    .disruptive = p->disruptive,
                                    .verifies = p->verify != NULL,
                                    .verify_within = p->verify_within,
                                    .cooldown = own_cooldown(p->meta_json)};
    }
}

size_t fl_resp_n_playbooks(const struct fl_resp *r)
{
    return r->n_books;
}

struct book *book_find(const struct fl_resp *r, const char *name)
{
    for (size_t i = 0; i < r->n_books; i++)
        if (fl_streq(r->books[i].name, name))
            return &r->books[i];
    return NULL;
}

struct run *run_find(const struct fl_resp *r, const char *id)
{
    struct run *run = NULL;
    if (id)
        HASH_FIND(hh, r->by_id, id, strlen(id), run);
    return run;
}

const struct fl_run *fl_resp_find(const struct fl_resp *r, const char *id)
{
    struct run *run = run_find(r, id);
    return run ? &run->pub : NULL;
}

struct run *run_new(struct fl_resp *r, uint64_t number, const char *id)
{
    struct run *run = fl_core_alloc(1, sizeof *run);
    run->pub.number = number;
    run->counted = FL_RUN_N;
    snprintf(run->pub.id, sizeof run->pub.id, "%s", id);
    HASH_ADD(hh, r->by_id, pub.id, strlen(run->pub.id), run);
    run->prev = r->last;
    if (r->last)
        r->last->next = run;
    else
        r->first = run;
    r->last = run;
    return run;
}

/* The context handed to run(ctx): fixed at creation, so that what was approved is what runs. */
static char *context(const struct run *run, const struct fl_step *s, const struct fl_resp_view *v)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "run", run->pub.id);
    fl_jw_str(&w, "playbook", run->pub.playbook);
    fl_jw_int(&w, "now", s->at / FL_USEC_PER_SEC);
    fl_jw_raw(&w, "incident", v->incident_json && *v->incident_json ? v->incident_json : "{}");
    fl_jw_raw(&w, "cause", v->cause_json && *v->cause_json ? v->cause_json : "{}");
    fl_jw_raw(&w, "params", run->params);
    fl_jw_obj_end(&w);
    FL_REQUIRE(!b.failed);
    return fl_buf_take(&b, NULL);
}

struct run *run_create(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *v,
                       const struct book *b, const char *params, const char *by, const char *approval)
{
    char id[FL_ID_LEN], year[FL_TIME_LEN];
    fl_time_format(s->at ? s->at : 1, year);
    uint64_t number = r->next_number++;
    snprintf(id, sizeof id, "RUN-%.4s-%06llu", year, (unsigned long long)number);
    struct run *run = run_new(r, number, id);
    run->pub.state = FL_RUN_PROPOSED;
    run->pub.incident = fl_core_strdup(v->incident);
    run->pub.playbook = fl_core_strdup(b->name);
    run->pub.target = fl_core_strdup(v->cause);
    run->version = fl_core_strdup(b->version);
    run->approval = fl_core_strdup(approval);
    run->requested_by = fl_core_strdup(by);
    run->approved_by = fl_core_strdup("");
    run->params = fl_core_strdup(params && *params ? params : "{}");
    run->hash = b->hash;
    run->timeout = b->timeout;
    run->disruptive = b->disruptive;
    run->verifies = b->verifies;
    run->verify_within = b->verify_within;
    run->created_at = s->at;
    run->approve_by = s->at + s->rules->guards.approval_ttl;
    run->reason = fl_core_strdup("");
    run->ctx = context(run, s, v);
    run_changed(r, run);
    return run;
}

void run_say(struct fl_step *s, const struct run *run, const char *action, const char *actor,
             const char *text, const char *detail)
{
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = run->pub.incident,
                                 .subject = run->pub.id,
                                 .actor = actor,
                                 .text = text,
                                 .detail = detail});
}

void run_row(struct fl_step *s, struct run *run)
{
    struct fl_effects *x = s->fx;
    struct fl_fx *fx = fl_fx_add(x, FL_FX_RUN);
    fx->run = (struct fl_run_row){.id = fl_fx_str(x, run->pub.id),
                                  .incident = fl_fx_str(x, run->pub.incident),
                                  .playbook = fl_fx_str(x, run->pub.playbook),
                                  .version = fl_fx_str(x, run->version),
                                  .playbook_hash = run->hash,
                                  .state = run->pub.state,
                                  .requested_by = fl_fx_str(x, run->requested_by),
                                  .approved_by = fl_fx_str(x, run->approved_by),
                                  .approval = fl_fx_str(x, run->approval),
                                  .params = fl_fx_str(x, run->params),
                                  .ctx = fl_fx_str(x, run->ctx),
                                  .reason = fl_fx_str(x, run->reason),
                                  .result = fl_fx_str(x, run->result),
                                  .created_at = run->created_at,
                                  .started_at = run->started_at,
                                  .ended_at = run->ended_at,
                                  .deadline = run->deadline,
                                  .approve_by = run->approve_by,
                                  .recoveries = run->recoveries};
}

void run_order_worker(struct fl_resp *r, struct fl_step *s, struct run *run)
{
    const struct book *b = book_find(r, run->pub.playbook);
    if (!b || memcmp(b->hash.b, run->hash.b, sizeof b->hash.b) != 0) {
        run_event(r, s, run, RE_DIVERGED,
                  b ? "the playbook's text changed since the run began"
                    : "the playbook is no longer installed");
        return;
    }
    struct fl_recorded_call *calls = fl_arena_calloc(s->fx->arena, run->n_calls ? run->n_calls : 1,
                                                     sizeof *calls);
    FL_REQUIRE(calls != NULL);
    size_t n = 0;
    for (const struct call *c = run->calls; c; c = c->next)
        calls[n++] = (struct fl_recorded_call){.n = c->n,
                                               .fn = fl_fx_str(s->fx, c->fn),
                                               .args = fl_fx_str(s->fx, c->args),
                                               .step = fl_fx_str(s->fx, c->step),
                                               .args_hash = c->args_hash,
                                               .state = c->state,
                                               .result = fl_fx_str(s->fx, c->result)};
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_RUN_START);
    fx->start = (struct fl_order_start){.run = fl_fx_str(s->fx, run->pub.id),
                                        .incident = fl_fx_str(s->fx, run->pub.incident),
                                        .playbook = fl_fx_str(s->fx, run->pub.playbook),
                                        .source = fl_fx_str(s->fx, b->source),
                                        .ctx = fl_fx_str(s->fx, run->ctx),
                                        .playbook_hash = run->hash,
                                        .deadline = run->deadline,
                                        .calls = calls,
                                        .n_calls = n};
}

void run_start(struct fl_resp *r, struct fl_step *s, struct run *run)
{
    run->started_at = s->at;
    run->deadline = s->at + run->timeout;
    run_changed(r, run);
    r->stats.started++;
    guards_started(r, s, run);
    run_order_worker(r, s, run);
    run_row(s, run);
}

void run_stop(struct fl_step *s, const struct run *run, const char *reason)
{
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_STOP);
    fx->stop = (struct fl_order_stop){.run = fl_fx_str(s->fx, run->pub.id),
                                      .reason = fl_fx_str(s->fx, reason)};
}

void run_over(struct fl_resp *r, struct fl_step *s, struct run *run)
{
    run->ended_at = s->at;
    guards_ended(r, s, run);
    if (run->pub.state == FL_RUN_SUCCEEDED)
        r->stats.succeeded++;
    else if (run->pub.state == FL_RUN_FAILED || run->pub.state == FL_RUN_TIMED_OUT ||
             run->pub.state == FL_RUN_DIVERGED)
        r->stats.failed++;
    fl_heap_drop(&r->over, run); /* it stays, even if it is the oldest */
    while (r->over.n >= RUNS_OVER_KEEP)
        forget_run(r, fl_heap_first(&r->over));
    fl_heap_put(&r->over, run);
}

void fl_resp_incident_merged(struct fl_resp *r, const char *from, const char *into)
{
    for (struct run *run = r->first; run; run = run->next)
        if (fl_streq(run->pub.incident, from)) {
            set_text(&run->pub.incident, into);
            run_changed(r, run);
        }
}

void fl_resp_stats(const struct fl_resp *r, struct fl_resp_stats *ret)
{
    *ret = r->stats;
    ret->halted = r->halted;
    ret->active = r->active;
    ret->waiting = r->waiting;
}
