/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/runner/fake_core.h -- the least of a core: takes the runner's events, keeps a record, sends orders. */
#pragma once

#include <faultline/json.h>
#include <faultline/runner.h>

#include <pthread.h>

struct fake_event {
    fl_event_kind kind;
    char *body;
    struct fl_json *json;
};
struct fake_core {
    struct fl_runner *runner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fake_event events[4096];
    size_t n_events, taken;
    int refusals;               /* the next posts are refused this often, in turn full and unavailable */
    int unavailable_posts;      /* how many were */
    struct fl_buf transcript;   /* "call 1 http", "outcome 1 ok", "ended ok" … */
    char *last_outcome, *ended; /* bodies */
};

void fake_core_init(struct fake_core *c);
void fake_core_done(struct fake_core *c);
/** Options with this core behind them; the worker program is the built one. */
struct fl_runner_options fake_core_options(struct fake_core *c);
void fake_core_open(struct fake_core *c, const struct fl_runner_options *o); /* fails the test */

void order_start(struct fake_core *c, const char *run, const char *body, const struct fl_recorded_call *calls,
                 size_t n);
void order_start_until(struct fake_core *c, const char *run, const char *body,
                       const struct fl_recorded_call *calls, size_t n, fl_usec deadline);
void order_act(struct fake_core *c, const char *run, unsigned n, const char *fn, const char *args,
               fl_usec within);
void order_reply(struct fake_core *c, const char *run, unsigned n, fl_call_state st, const char *result);
void order_stop(struct fake_core *c, const char *run);
/** The next event, in order; fails the test after 20 s. */
const struct fake_event *next_event(struct fake_core *c);
/** No event within `wait`. */
bool no_event(struct fake_core *c, fl_usec wait);
/** Play the core's part until the run ends: acts are ordered, outcomes become replies, the rest is done. */
void serve_run(struct fake_core *c, const char *run);
/** Order one act and return its outcome (borrowed). */
const struct fl_json *act_and_wait(struct fake_core *c, const char *fn, const char *args);
