/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/worker.h -- shared by the files of the worker program. The process serves one
 * script and dies: state is one global, there is one thread, and leaks on the way out do not matter. */
#pragma once

#include <faultline/base.h>

#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

#define NAME_MAX_LEN 128u      /* of a step, a playbook, a command */
#define LOG_MAX 4096u          /* bytes of one log text */
#define CALLS_MAX 1000u        /* host calls of one run: also what the record of a run can grow to */
#define RETRIES_MAX 10u        /* of one step or call after "retry" */
#define VALUE_MAX (256u << 10) /* bytes of one value turned into JSON */
#define SOCKET_FD 3

/* The innermost step(…) that is running. */
struct step {
    const struct step *outer;
    const char *name;
    bool idempotent;
};
struct worker {
    lua_State *L;
    const char *kind; /* run, eval */
    size_t memory_max, memory_used;
    unsigned cpu_seconds, depth;
    size_t frame_max;
    /* a run */
    bool in_run;    /* inside run(ctx): only there host calls are allowed */
    unsigned calls; /* the number of the last host call */
    const struct step *step;
    unsigned checks;  /* enclosing steps that have a check */
    bool unwinding;   /* a call is in doubt: on the way out to the step whose check decides */
    unsigned doubt;   /* that call's number */
    int64_t clock_us; /* started_at plus what the recorded calls took */
    int ctx_ref;
};
extern struct worker W;

/* ---- main.c ---- */

/** Send the end frame and leave; nothing a script could catch. `result` is JSON or NULL. */
_Noreturn void worker_end(const char *ending, const char *result, const char *error);
/** Text of the error value on top of the stack, in a buffer that lives on. */
const char *worker_error_text(lua_State *L);
/** End with the right word for a failed lua_pcall; the error value is on top. */
_Noreturn void worker_end_error(lua_State *L, int rc);
void frame_send(const char *json, size_t n);
/** Wait for the engine's next frame; the text stays valid until the next call. Ends when the engine is gone. */
const char *frame_wait(size_t *ret_n);

/* ---- values.c ---- */

/** Append the value at `index` as JSON: sorted keys, integers stay integers, raw access only.
 *  @return NULL, or why it cannot be (then out holds rubbish). Never raises. */
const char *value_to_json(lua_State *L, int index, struct fl_buf *out);
/** Push the JSON text as a value. @return NULL, or what is wrong (nothing pushed). May raise out of memory. */
const char *value_from_json(lua_State *L, const char *p, size_t n);
void json_quote(struct fl_buf *out, const char *s, size_t n);
/** Make the table on top write [] when it is empty. */
void value_mark_array(lua_State *L);
int value_array(lua_State *L); /* array{…} */
/** lua_getfield on a script's table without its metamethods: they would run in the middle of our checks. */
int raw_get(lua_State *L, int index, const char *key);
/** Keys of the table at `index` in their fixed order (numbers, texts, booleans) as a new list on top.
 *  Raises on keys that have no order. */
void value_sorted_keys(lua_State *L, int index);

/* ---- sandbox.c ---- */

/** The table of allowed globals on top of the stack. */
void sandbox_open(lua_State *L);
/** Seed math.random. */
void sandbox_seed(lua_State *L, const char *text);
/** Push a read-only view of the table on top in its place. `what` names it in errors. */
void sandbox_freeze(lua_State *L, const char *what);
/** Make the environment on top refuse unknown names. */
void sandbox_strict(lua_State *L);
int sandbox_text_of(lua_State *L); /* tostring without addresses */

/* ---- host.c ---- */

void host_open(lua_State *L); /* adds http, command, step, … to the environment on top */

/* ---- data.c ---- */

void data_open_playbook(lua_State *L);
void data_open_rules(lua_State *L);
/** JSON of what the file declared; raises Lua errors. `top` = index of a returned value or 0. */
const char *data_playbook_json(lua_State *L);
const char *data_table_json(lua_State *L, int returned, int env);
const char *data_rules_json(lua_State *L, int returned);
/* ---- timeline.c ---- */

void timeline_open(lua_State *L);
const char *timeline_json(lua_State *L); /* [{"do","line","a","b"?}] */

/** Registry key of the table given to playbook{…}. */
bool data_playbook_push(lua_State *L);
