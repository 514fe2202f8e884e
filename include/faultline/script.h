/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/script.h -- Lua: sandboxed worker processes and their protocol (layer 1).
 * The only user of lua.h. No Lua ever runs inside the engine's own process. */
#pragma once

#include <faultline/base.h>

/* ---- data files: configuration, rules, playbook metadata ------------------------------------------- */

typedef enum fl_script_kind {
    FL_SCRIPT_CONFIG,   /* the file returns a table (or sets globals): the configuration */
    FL_SCRIPT_RULES,    /* calls of the rule functions, or a returned table: a part of the rules */
    FL_SCRIPT_PLAYBOOK, /* one playbook{…}: its metadata; `run`, `undo` are only named */
    FL_SCRIPT_TIMELINE, /* a test of the pipeline: its statements in order, [{"do","line","a","b"?}] */
} fl_script_kind;
/**
 * Run one Lua text once in a worker process (no I/O, budgets) and return its data as canonical JSON
 * (sorted keys). Blocks at most `budget` + start of a process; any thread.
 * @param name  for messages: "rules/mapping.lua".
 * @param err   where = "file:line".
 */
FL_MUST_CHECK fl_status fl_script_eval(fl_script_kind kind, const char *name, const char *text, size_t n,
                                       fl_usec budget, char **ret_json, struct fl_err *err);

/** Every *.lua of a folder in the order of their names, merged: lists are joined, members of sections set later
 *  win. The result is what fl_rules_from_json takes. Blocks as fl_script_eval, per file. */
FL_MUST_CHECK fl_status fl_script_rules_dir(const char *dir, fl_usec budget, char **ret_json, struct fl_err *err);

/* ---- a worker for one playbook run -------------------------------------------------------------------- */

struct fl_worker_limits {
    size_t memory_bytes; /* RLIMIT_AS and the allocator's cap */
    unsigned cpu_seconds;
    size_t frame_bytes;  /* one message */
    unsigned depth;      /* of values turned into JSON */
};
struct fl_worker {
    int pid, pidfd, fd; /* fd: our end of the socket pair, non-blocking */
};
#define FL_WORKER_LIMITS                                                                                      \
    ((struct fl_worker_limits){.memory_bytes = 64u << 20, .cpu_seconds = 10, .frame_bytes = 1u << 20, .depth = 32})
/** Find the worker program: option, FAULTLINE_WORKER, beside the executable, ../libexec/faultline, a build tree. */
FL_MUST_CHECK fl_status fl_worker_find(const char *option, char *ret, size_t cap, struct fl_err *err);
/**
 * Start the worker: own process group, no descriptors but the socket, empty environment, rlimits, no new
 * privileges, seccomp. It waits for the "start" frame. CLOEXEC on our side.
 */
FL_MUST_CHECK fl_status fl_worker_start(const char *program, const struct fl_worker_limits *l,
                                        struct fl_worker *ret, struct fl_err *err);
/** Words for a worker that died without an end frame: ending "cpu" or "killed". @param wait_status of waitpid. */
void fl_worker_death(int wait_status, char *ending, size_t ending_cap, char *text, size_t text_cap);
/** SIGKILL the group and reap. Idempotent. */
void fl_worker_kill(struct fl_worker *w);

/* Frames: 4-byte big-endian length, then one JSON object.
 * Arguments: http {"body"?,"headers","idempotent","method","timeout_us"?,"url"}
 *            command {"args":[…],"idempotent","name","timeout_us"?}   sleep {"seconds"}   log {"text","data"?}
 *            step_begin {"name","check","idempotent"}   step_end {"name","ok","error"?}
 *            settle {"verdict":"done|retry|ask","call":N of the call in doubt,"result"?}
 * Results:   http {"status","headers","body","truncated"?,"elapsed_us"}  command {"code","stdout","stderr",…}
 *            settle/ask {"verdict":"done","result"} or {"verdict":"retry"}; all others anything or null.
 *            "elapsed_us" in a result advances the script's now(); ctx.now (seconds, or RFC 3339) starts it.
 * engine → worker: {"t":"start","kind":"run","name","source","ctx":{…}}
 *                  {"t":"reply","n":N,"state":"done","result":…} | {"t":"reply","n":N,"state":"failed|denied|in_doubt","error":"…"}
 * worker → engine: {"t":"call","n":N,"fn":"http|command|sleep|log|step_begin|step_end|settle","args":{…},"step":"…"}
 *                  {"t":"end","ending":"ok|error|cpu|memory|diverged|bad_value","result":…,"error":"file:line: …"} */
/** Append one frame. */
void fl_frame_put(struct fl_buf *out, const char *json, size_t n);
/** Take one whole frame from the front of in; FL_E_NOTFOUND = need more, FL_E_LIMIT = too long. */
FL_MUST_CHECK fl_status fl_frame_get(struct fl_buf *in, size_t max, char **ret_json, size_t *ret_n);
/** The frames of replies, so that all who answer say the same. `result` is JSON or NULL (null). */
void fl_frame_put_done(struct fl_buf *out, unsigned n, const char *result);
void fl_frame_put_failed(struct fl_buf *out, unsigned n, const char *state, const char *error);
void fl_frame_put_start(struct fl_buf *out, const char *kind, const char *name, const char *source, size_t n,
                        const char *ctx);

/* ---- a run without an engine: check, dry run, playbook tests ------------------------------------------------ */

struct fl_rehearsal {
    char ending[16];     /* ok, error, cpu, memory, bad_value; killed: over the budget or died */
    char *error, *result; /* result: JSON; free() both; NULL when none */
    unsigned calls;
    int signal;          /* that ended the worker, or 0 */
};
/**
 * Run a playbook once in a worker, its calls answered by `answer`. Blocks at most `budget`; any thread.
 * @param answer  appends the reply frame (fl_frame_put_done, …) to `reply`; leaving it empty ends the run.
 * @param ctx     JSON handed to run(ctx).
 */
FL_MUST_CHECK fl_status fl_script_rehearse(const char *program, const struct fl_worker_limits *l, const char *name,
                                           const char *source, size_t n, const char *ctx, fl_usec budget,
                                           void (*answer)(void *arg, unsigned n, const char *fn, const char *args,
                                                          const char *step, struct fl_buf *reply),
                                           void *arg, struct fl_rehearsal *ret, struct fl_err *err);
void fl_rehearsal_done(struct fl_rehearsal *r);
