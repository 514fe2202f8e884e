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
} fl_script_kind;
/**
 * Run one Lua text once in a worker process (no I/O, budgets) and return its data as canonical JSON
 * (sorted keys). Blocks at most `budget` + start of a process; any thread.
 * @param name  for messages: "rules/mapping.lua".
 * @param err   where = "file:line".
 */
FL_MUST_CHECK fl_status fl_script_eval(fl_script_kind kind, const char *name, const char *text, size_t n,
                                       fl_usec budget, char **ret_json, struct fl_err *err);

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
/** Find the worker program: option, FAULTLINE_WORKER, beside the executable, ../libexec/faultline. */
FL_MUST_CHECK fl_status fl_worker_find(const char *option, char *ret, size_t cap, struct fl_err *err);
/**
 * Start the worker: own process group, no descriptors but the socket, empty environment, rlimits, no new
 * privileges, seccomp. It waits for the "start" frame. CLOEXEC on our side.
 */
FL_MUST_CHECK fl_status fl_worker_start(const char *program, const struct fl_worker_limits *l,
                                        struct fl_worker *ret, struct fl_err *err);
/** SIGKILL the group and reap. Idempotent. */
void fl_worker_kill(struct fl_worker *w);

/* Frames: 4-byte big-endian length, then one JSON object.
 * engine → worker: {"t":"start","kind":"run","name","source","ctx":{…}}
 *                  {"t":"reply","n":N,"state":"done","result":…} | {"t":"reply","n":N,"state":"failed|denied|in_doubt","error":"…"}
 * worker → engine: {"t":"call","n":N,"fn":"http|command|sleep|log|step_begin|step_end|settle","args":{…},"step":"…"}
 *                  {"t":"end","ending":"ok|error|cpu|memory|diverged|bad_value","result":…,"error":"file:line: …"} */
/** Append one frame. */
void fl_frame_put(struct fl_buf *out, const char *json, size_t n);
/** Take one whole frame from the front of in; FL_E_NOTFOUND = need more, FL_E_LIMIT = too long. */
FL_MUST_CHECK fl_status fl_frame_get(struct fl_buf *in, size_t max, char **ret_json, size_t *ret_n);
