/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fake_core.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

static fl_status post(void *ctx, fl_event_kind kind, const char *body, size_t n)
{
    struct fake_core *c = ctx;
    fl_status st = FL_OK;
    pthread_mutex_lock(&c->lock);
    if (c->refusals > 0) {
        c->unavailable_posts++;
        st = c->refusals-- % 2 ? FL_E_FULL : FL_E_UNAVAILABLE;
    } else if (c->n_events < FL_ARRAY_LEN(c->events)) {
        struct fake_event *e = &c->events[c->n_events++];
        e->kind = kind;
        e->body = strndup(body, n);
        e->json = fl_json_parse(body, n, NULL);
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
    return st;
}

void fake_core_init(struct fake_core *c)
{
    memset(c, 0, sizeof *c);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, &attr);
    pthread_condattr_destroy(&attr);
    c->transcript = fl_buf_init(0);
}

void fake_core_done(struct fake_core *c)
{
    c->runner = fl_runner_free(c->runner);
    for (size_t i = 0; i < c->n_events; i++) {
        free(c->events[i].body);
        fl_json_free(c->events[i].json);
    }
    fl_buf_done(&c->transcript);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
}

struct fl_runner_options fake_core_options(struct fake_core *c)
{
    return (struct fl_runner_options){.worker_program = FL_WORKER, .max_workers = 4, .post = post, .ctx = c};
}

void fake_core_open(struct fake_core *c, const struct fl_runner_options *o)
{
    struct fl_err err = {.status = FL_OK};
    if (fl_runner_new(o, &c->runner, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
}

/* ---- orders ---- */

static void order(struct fake_core *c, const struct fl_fx *fx)
{
    struct fl_effects *all = fl_effects_new();
    *fl_effects_add(all, fx->kind) = *fx;
    fl_runner_order(c->runner, all);
    fl_effects_free(all);
}

void order_start_until(struct fake_core *c, const char *run, const char *body,
                       const struct fl_recorded_call *calls, size_t n, fl_usec deadline)
{
    struct fl_buf text = fl_buf_init(0);
    fl_buf_printf(&text, "playbook { name = 'p', version = '1', doc = 'd', run = function(ctx)\n%s\nend }\n",
                  body);
    order(c, &(struct fl_fx){.kind = FL_FX_RUN_START,
                             .start = {.run = run,
                                       .incident = "INC-1",
                                       .playbook = "p",
                                       .source = text.p,
                                       .ctx = "{\"now\":5,\"params\":{}}",
                                       .deadline = deadline,
                                       .calls = calls,
                                       .n_calls = n}});
    fl_buf_done(&text);
}

void order_start(struct fake_core *c, const char *run, const char *body, const struct fl_recorded_call *calls,
                 size_t n)
{
    order_start_until(c, run, body, calls, n, fl_now() + 60 * FL_USEC_PER_SEC);
}

void order_act(struct fake_core *c, const char *run, unsigned n, const char *fn, const char *args,
               fl_usec within)
{
    char key[80];
    snprintf(key, sizeof key, "%s-%u", run, n);
    order(c, &(struct fl_fx){.kind = FL_FX_ACT,
                             .act = {.run = run,
                                     .n = n,
                                     .fn = fn,
                                     .args = args,
                                     .idempotency_key = key,
                                     .deadline = fl_now() + within}});
}

void order_reply(struct fake_core *c, const char *run, unsigned n, fl_call_state st, const char *result)
{
    order(c,
          &(struct fl_fx){.kind = FL_FX_REPLY, .reply = {.run = run, .n = n, .state = st, .result = result}});
}

void order_stop(struct fake_core *c, const char *run)
{
    order(c, &(struct fl_fx){.kind = FL_FX_STOP, .stop = {.run = run, .reason = "aborted"}});
}

/* ---- events ---- */

static bool wait_event(struct fake_core *c, fl_usec wait)
{
    fl_usec at = fl_mono() + wait;
    struct timespec t = {.tv_sec = at / FL_USEC_PER_SEC, .tv_nsec = (long)(at % FL_USEC_PER_SEC) * 1000};
    pthread_mutex_lock(&c->lock);
    while (c->taken == c->n_events && pthread_cond_timedwait(&c->changed, &c->lock, &t) != ETIMEDOUT)
        ;
    bool have = c->taken < c->n_events;
    pthread_mutex_unlock(&c->lock);
    return have;
}

bool no_event(struct fake_core *c, fl_usec wait)
{
    return !wait_event(c, wait);
}

const struct fake_event *next_event(struct fake_core *c)
{
    if (!wait_event(c, 20 * FL_USEC_PER_SEC))
        fail_msg("no event within 20 s; so far:\n%s", c->transcript.p ? c->transcript.p : "");
    return &c->events[c->taken++];
}

static void reply_to_outcome(struct fake_core *c, const char *run, const struct fl_json *o)
{
    unsigned n = (unsigned)fl_json_int(o, "n", 0);
    if (fl_json_bool(o, "ok", false)) {
        FL_AUTO_FREE char *result = fl_json_text(fl_json_get(o, "result"), true);
        order_reply(c, run, n, FL_CALL_DONE, result);
        return;
    }
    char text[1024];
    snprintf(text, sizeof text, "{\"error\":\"%.900s\"}", fl_json_str(o, "error", ""));
    fl_call_state st = fl_json_bool(o, "denied", false)    ? FL_CALL_DENIED
                       : fl_json_bool(o, "unknown", false) ? FL_CALL_IN_DOUBT
                                                           : FL_CALL_FAILED;
    order_reply(c, run, n, st, text);
}

void serve_run(struct fake_core *c, const char *run)
{
    for (;;) {
        const struct fake_event *e = next_event(c);
        const char *fn = fl_json_str(e->json, "fn", "");
        unsigned n = (unsigned)fl_json_int(e->json, "n", 0);
        assert_string_equal(fl_json_str(e->json, "run", ""), run);
        if (e->kind == FL_EV_RUN_ENDED) {
            fl_buf_printf(&c->transcript, "ended %s\n", fl_json_str(e->json, "ending", ""));
            c->ended = e->body;
            return;
        }
        if (e->kind == FL_EV_RUN_OUTCOME) {
            fl_buf_printf(&c->transcript, "outcome %u %s\n", n,
                          fl_json_bool(e->json, "ok", false) ? "ok" : "not ok");
            c->last_outcome = e->body;
            reply_to_outcome(c, run, e->json);
            continue;
        }
        fl_buf_printf(&c->transcript, "call %u %s\n", n, fn);
        if (strcmp(fn, "http") == 0 || strcmp(fn, "command") == 0) {
            FL_AUTO_FREE char *args = fl_json_text(fl_json_get(e->json, "args"), true);
            order_act(c, run, n, fn, args, 30 * FL_USEC_PER_SEC);
        } else if (strcmp(fn, "settle") == 0 &&
                   strcmp(fl_json_str(fl_json_get(e->json, "args"), "verdict", ""), "ask") == 0) {
            order_reply(c, run, n, FL_CALL_DONE, "{\"verdict\":\"done\",\"result\":\"a person\"}");
        } else {
            order_reply(c, run, n, FL_CALL_DONE, "null");
        }
    }
}

const struct fl_json *act_and_wait(struct fake_core *c, const char *fn, const char *args)
{
    static unsigned n;
    order_act(c, "RUN-A", ++n, fn, args, 30 * FL_USEC_PER_SEC);
    const struct fake_event *e = next_event(c);
    assert_int_equal(e->kind, FL_EV_RUN_OUTCOME);
    assert_int_equal(fl_json_int(e->json, "n", 0), n);
    return e->json;
}
