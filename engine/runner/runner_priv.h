/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/runner_priv.h -- shared by the files of this stage. Everything here belongs to the runner's
 * thread, except the inbox and the counters, which the lock guards. */
#pragma once

#include <faultline/json.h>
#include <faultline/log.h>
#include <faultline/model.h>
#include <faultline/runner.h>
#include <faultline/script.h>

#include <curl/curl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#define OUTPUT_MAX_DEFAULT (64u << 10)
#define CALLS_LIMIT 4096u /* of one run; the worker and the core stop earlier */
#define HTTP_TIMEOUT_DEFAULT (30 * FL_USEC_PER_SEC)
#define COMMAND_TIMEOUT_DEFAULT (60 * FL_USEC_PER_SEC)
#define TERM_GRACE (500 * INT64_C(1000)) /* between SIGTERM and SIGKILL of a command past its deadline */
#define DEADLINE_SLACK FL_USEC_PER_SEC

/* ---- things epoll knows ---- */

struct fl_runner;
struct source {
    void (*ready)(struct fl_runner *r, struct source *s, uint32_t events);
    void *owner;
    int fd; /* -1: not watched */
};

/* ---- orders: copies of what the core wants ---- */

struct order {
    struct order *next;
    struct fl_arena *arena;
    fl_fx_kind kind;
    union {
        struct fl_order_start start;
        struct fl_order_act act;
        struct fl_order_reply reply;
        struct fl_order_stop stop;
    };
};
/** NULL for kinds the runner does not carry out, or without memory (*ret_nomem). */
struct order *order_copy(const struct fl_fx *fx, bool *ret_nomem);
void order_free(struct order *o);

/* ---- runs ---- */

struct call {
    bool asked; /* fn and hash are known */
    char fn[16];
    struct fl_sha256 hash;
    bool answered;
    fl_call_state state;
    char *result; /* JSON, malloc()ed */
};
struct run {
    struct run *next;
    struct order *order; /* owns id, source, ctx */
    const char *id;
    bool live;   /* has a worker; else waits for a place */
    bool parked; /* gave its place up while a person decides or time passes; its record brings it back */
    bool over;   /* to be freed by the loop */
    struct fl_worker worker;
    struct source socket;
    bool wants_write;
    struct fl_buf in, out;
    size_t frame_max;
    struct call *calls; /* [n] */
    size_t n_calls;     /* allocated: indices below are valid */
    unsigned last;      /* number of the worker's last call */
    unsigned waiting;   /* call the worker waits for, 0 = it computes */
    bool settling;      /* … and that call is up to a person */
    fl_usec settling_since, deadline;
};

/* ---- acts ---- */

struct act {
    struct act *next;
    char *run, *fn, *key;
    unsigned n;
    struct fl_json *args;
    fl_usec started, deadline; /* fl_mono */
    void *impl;
    void (*tick)(struct fl_runner *r, struct act *a, fl_usec now); /* NULL: none */
    fl_usec next_tick;                                             /* fl_mono, 0 = none */
    void (*cancel)(struct fl_runner *r, struct act *a);
    bool over;
};

/* What became of an act. */
struct act_result {
    bool ok, denied, sent, unknown;
    const char *error;  /* when not ok */
    const char *result; /* JSON, when ok */
};
void act_start(struct fl_runner *r, const struct fl_order_act *o);
void act_finish(struct fl_runner *r, struct act *a, const struct act_result *res);
void acts_of_run_cancel(struct fl_runner *r, const char *run);

/* http.c */
fl_status http_init(struct fl_runner *r, const struct fl_runner_options *o, struct fl_err *err);
void http_done(struct fl_runner *r);
void http_act(struct fl_runner *r, struct act *a);
void http_messages(struct fl_runner *r);
/* command.c */
fl_status command_init(struct fl_runner *r, const struct fl_runner_options *o, struct fl_err *err);
void command_done(struct fl_runner *r);
void command_act(struct fl_runner *r, struct act *a);

/* address.c */
typedef enum address_class {
    ADDRESS_PUBLIC,
    ADDRESS_PRIVATE, /* loopback, RFC 1918, shared (CGNAT), unique local: only with allow_private */
    ADDRESS_NEVER,   /* link-local (cloud metadata), multicast, unspecified, documentation, tunnels, … */
} address_class;
address_class address_classify(const struct sockaddr *a);
/** True when connecting to `a` would reach one of our own listeners. */
bool address_is_barred(const struct sockaddr *a, const char *const *barred);

/* escape.c */
/** Bytes as text: what is not printable UTF-8 becomes \xNN. @return true when something was escaped. */
bool text_escape(struct fl_buf *out, const char *p, size_t n);
/** Length without a character that was cut in two at the end. */
size_t text_whole(const char *p, size_t n);

/* ---- the runner ---- */

struct post {
    struct post *next;
    fl_event_kind kind;
    char *body;
    size_t n;
};
struct http_rule {
    char *host, *methods;
    int port;
};
struct command_rule {
    char *name, *path;
    char **args; /* fixed */
    size_t n_args;
    char **patterns;
    struct fl_matcher *compiled;
    size_t n_patterns;
};
struct fl_runner {
    pthread_t thread;
    bool started;
    /* shared */
    pthread_mutex_t lock;
    struct order *inbox, **inbox_end;
    bool stop;
    struct fl_runner_stats stats;
    /* options */
    char *worker_program, *halt_file;
    char **barred;
    struct http_rule *http;
    size_t n_http;
    struct command_rule *commands;
    size_t n_commands;
    bool allow_private;
    size_t max_workers, max_output;
    fl_status (*post)(void *ctx, fl_event_kind kind, const char *body, size_t n);
    void *ctx;
    /* thread */
    int epoll;
    struct source wake;
    bool woken; /* the eventfd was read in this turn; runner thread only */
    CURLM *multi;
    struct run *runs;
    size_t live;
    struct act *acts;
    struct post *posts, **posts_end;
    fl_usec post_at, post_backoff;
};
FL_MUST_CHECK bool source_watch(struct fl_runner *r, struct source *s, int fd, uint32_t events);
void source_events(struct fl_runner *r, struct source *s, uint32_t events);
/** Stop watching and close. */
void source_close(struct fl_runner *r, struct source *s);
/** Queue an event; the body is taken over. */
void runner_post(struct fl_runner *r, fl_event_kind kind, struct fl_buf *body);
void runner_count(struct fl_runner *r, uint64_t *counter);

/* runs.c */
void run_order_start(struct fl_runner *r, struct order *o); /* takes the order */
void run_order_reply(struct fl_runner *r, const struct fl_order_reply *o);
void run_order_stop(struct fl_runner *r, const struct fl_order_stop *o);
void runs_start_waiting(struct fl_runner *r);
void runs_tick(struct fl_runner *r, fl_usec now);
fl_usec runs_next_tick(const struct fl_runner *r);
void runs_sweep(struct fl_runner *r);
void runs_kill_all(struct fl_runner *r);
