/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/runner.h -- carries out orders: workers, HTTP and command actions (layer 4).
 * One thread with an event loop (epoll, libcurl multi, pidfds); decides nothing that the core decides. */
#pragma once

#include <faultline/effects.h>

struct fl_http_allow {
    const char *host; /* exact, or "*.example.org" */
    int port;         /* 0 = 80 and 443 */
    const char *methods; /* "GET" or "GET,POST" */
};
struct fl_command_allow {
    const char *name;  /* what playbooks say: command("restart-cart", …) */
    const char *path;  /* absolute */
    const char *const *args; /* fixed leading arguments, NULL-terminated */
    const char *const *patterns; /* one anchored regex per further argument, NULL-terminated */
};
struct fl_runner_options {
    const char *worker_program;
    const struct fl_http_allow *http;
    size_t n_http;
    const struct fl_command_allow *commands;
    size_t n_commands;
    bool allow_private; /* loopback and private addresses may be dialled when allow-listed by number or name */
    const char *const *barred; /* host:port of our own listener: never dialled */
    size_t max_workers, max_output;
    const char *halt_file; /* exists → no action starts (kill switch) */
    /** Post an event to the journal; body is JSON, copied. May say FL_E_FULL / FL_E_UNAVAILABLE: retried by the runner. */
    fl_status (*post)(void *ctx, fl_event_kind kind, const char *body, size_t n);
    void *ctx;
};
struct fl_runner;
FL_MUST_CHECK fl_status fl_runner_new(const struct fl_runner_options *o, struct fl_runner **ret, struct fl_err *err);
/** Orders of one committed step (others in fx are ignored). Copies what it needs; never waits. Any thread. */
void fl_runner_order(struct fl_runner *r, const struct fl_effects *fx);
/** Kill workers (their runs resume at the next start), stop the thread: nothing is posted afterwards, and later
 *  orders are dropped. Acts under way are cut off: their outcome is unknown, as after a crash. Idempotent. */
void fl_runner_stop(struct fl_runner *r);
/** Stop when that was not done, free. NULL is fine. */
struct fl_runner *fl_runner_free(struct fl_runner *r);
struct fl_runner_stats {
    uint64_t runs_started, calls, acts, acts_failed, workers_killed;
    size_t workers;
};
void fl_runner_stats(struct fl_runner *r, struct fl_runner_stats *ret);
