/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/respond_priv.h -- state shared by the files of this stage; nobody else includes it. */
#pragma once

#include <faultline/heap.h>
#include <faultline/json.h>
#include <faultline/respond.h>

#include <stdlib.h>

#define HASH_NONFATAL_OOM 0
#include <uthash.h>

struct call {
    unsigned n;
    char *fn, *step, *args, *result, *reason; /* owned; result: JSON or NULL */
    struct fl_sha256 args_hash;
    fl_call_state state;
    fl_usec intent_at, outcome_at, wake_at; /* wake_at: end of a sleep */
    uint64_t intent_seq;                    /* the event whose committed rows released the act */
    unsigned attempts;
    bool idempotent;
    struct call *next;
};

struct run {
    struct fl_run pub; /* first */
    char *version, *approval, *requested_by, *approved_by, *params, *ctx, *reason, *result;
    struct fl_sha256 hash;
    fl_usec timeout, created_at, started_at, ended_at, deadline, approve_by, verify_by, verify_within,
        doubt_since;
    bool disruptive, verifies, dirty, acted;
    unsigned recoveries, n_calls;
    struct call *calls, *last_call;
    fl_usec wake_at; /* the first end of a sleep it is in; 0: it does not sleep */
    /* due.c; follows from the rest */
    int counted;            /* the state it counts for; FL_RUN_N: it does not yet */
    fl_usec due;            /* its key in that heap: when time does something to it; 0: never */
    size_t due_at, over_at; /* places in heaps */
    struct watch *watch;    /* of its incident, while it waits for its alerts to clear */
    struct run *next_watch, *prev_watch;
    size_t look_at; /* 1 + its place among those to look at in this step */
    struct run *next, *prev; /* order of creation */
    UT_hash_handle hh;
};

struct book { /* a playbook of the registry */
    char *name, *version, *doc, *approval, *source, *meta_json;
    struct fl_sha256 hash;
    fl_usec timeout, verify_within, cooldown; /* cooldown < 0: the rules' */
    bool disruptive, verifies;
};

struct breaker { /* failures in a row of one playbook */
    char *playbook;
    unsigned failures;
    UT_hash_handle hh;
};
struct cooling { /* last disruptive run on a target */
    char *target;
    fl_usec at;
    UT_hash_handle hh;
};

/* Runs that wait for the alerts of one incident to clear. */
struct watch {
    char *incident;
    struct run *first;
    UT_hash_handle hh;
};

struct fl_resp {
    struct book *books;
    size_t n_books;
    struct run *by_id, *first, *last;
    uint64_t next_number;
    struct breaker *breakers;
    struct cooling *cooling;
    fl_usec *disruptive; /* start times inside the window, oldest first */
    size_t n_disruptive;
    bool halted;
    struct fl_resp_stats stats;
    struct fl_heap due;  /* runs that time does something to, by (due, number) */
    struct fl_heap over; /* that are over, by number: the first ones leave memory */
    struct watch *watches;
    struct run **look; /* NULL: not any more */
    size_t n_look, look_cap;
    size_t active, waiting; /* see fl_resp_stats */
};

enum { RUNS_OVER_KEEP = 500 };

/* run_fsm.c */
enum run_event {
    RE_APPROVED,
    RE_DENIED,
    RE_EXPIRED,
    RE_OK,
    RE_ERROR,
    RE_DIVERGED,
    RE_TIMEOUT,
    RE_ABORT,
    RE_DOUBT,
    RE_SETTLED,
    RE_VERIFIED,
    RE_UNVERIFIED,
    RE_N
};
/* The only writer of a run's state; false = refused by the table. */
bool run_event(struct fl_resp *r, struct fl_step *s, struct run *run, enum run_event e, const char *detail);

/* runs.c */
struct run *run_find(const struct fl_resp *r, const char *id);
struct run *run_new(struct fl_resp *r, uint64_t number, const char *id);
struct run *run_create(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *v,
                       const struct book *b, const char *params, const char *by, const char *approval);
struct book *book_find(const struct fl_resp *r, const char *name);
void run_row(struct fl_step *s, struct run *run);
void run_start(struct fl_resp *r, struct fl_step *s, struct run *run); /* RUNNING now: deadline, order */
void run_order_worker(struct fl_resp *r, struct fl_step *s, struct run *run); /* the order alone */
void run_over(struct fl_resp *r, struct fl_step *s, struct run *run);
void run_say(struct fl_step *s, const struct run *run, const char *action, const char *actor,
             const char *text, const char *detail);
void run_stop(struct fl_step *s, const struct run *run, const char *reason);
static inline void set_text(char **slot, const char *text)
{
    char *old = *slot;
    *slot = fl_core_strdup(text);
    free(old);
}

/* due.c: which runs a step looks at, and what is counted */
/* Every writer of state, approve_by, deadline, verify_by, wake_at, incident calls it. */
void run_changed(struct fl_resp *r, struct run *run);
void run_gone(struct fl_resp *r, struct run *run);
fl_usec run_due(const struct run *run);
void due_done(struct fl_resp *r);
extern const struct fl_heap_kind runs_by_due, runs_by_number;

/* calls.c */
static inline bool call_sleeps(const struct call *c)
{
    return c->state == FL_CALL_INTENT && c->wake_at;
}
fl_usec calls_wake_at(const struct run *run); /* 0: none of them sleeps */
struct call *call_find(struct run *run, unsigned n);
struct call *call_add(struct run *run, unsigned n);
void call_row(struct fl_step *s, const struct run *run, const struct call *c);
void call_act(struct fl_resp *r, struct fl_step *s, struct run *run, struct call *c);
void call_reply(struct fl_step *s, const struct run *run, const struct call *c);
void call_finish(struct fl_step *s, struct run *run, struct call *c, fl_call_state st, const char *result,
                 const char *reason);
bool call_acts(const struct call *c); /* http or command: touches the world */

/* guards.c: NULL = go ahead; else why not. `person`: a person approved; `override`: and takes the brakes upon them. */
const char *guards_run(struct fl_resp *r, struct fl_step *s, const struct run *run,
                       const struct fl_resp_view *v, bool person, bool override);
const char *guards_act(struct fl_resp *r, struct fl_step *s, const struct run *run);
void guards_started(struct fl_resp *r, struct fl_step *s, const struct run *run);
void guards_ended(struct fl_resp *r, struct fl_step *s, const struct run *run);
