/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/main.c -- the worker: one script, one process, one socket (descriptor 3).
 * Limits and the system call filter are in force before the first byte of a script is read. */
#include "worker.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct worker W;

/* What the program itself needs beside the script: text, libraries, the stack, allocator slack. */
#define ADDRESS_SPACE_OWN (64u << 20)
#define HOOK_STEPS 100000

/* ---- frames ---- */

void frame_send(const char *json, size_t n)
{
    unsigned char head[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                             (unsigned char)n};
    struct fl_buf out = fl_buf_init(0);
    fl_buf_add(&out, head, sizeof head);
    fl_buf_add(&out, json, n);
    if (out.failed)
        _exit(3);
    for (size_t done = 0; done < out.n;) {
        ssize_t k = write(SOCKET_FD, out.p + done, out.n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            _exit(0);
        done += (size_t)k;
    }
    fl_buf_done(&out);
}

static void read_all(void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = read(SOCKET_FD, (char *)p + done, n - done);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            _exit(0); /* the engine is gone; the run resumes in another process */
        done += (size_t)k;
    }
}

const char *frame_wait(size_t *ret_n)
{
    static char *frame;
    unsigned char head[4];
    read_all(head, sizeof head);
    size_t n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    free(frame);
    frame = n <= W.frame_max ? malloc(n + 1) : NULL;
    if (!frame)
        _exit(3);
    read_all(frame, n);
    frame[n] = 0;
    *ret_n = n;
    return frame;
}

void worker_end(const char *ending, const char *result, const char *error)
{
    struct fl_buf out = fl_buf_init(0);
    fl_buf_str(&out, "{\"ending\":");
    json_quote(&out, ending, strlen(ending));
    if (error) {
        size_t n = strnlen(error, LOG_MAX);
        fl_buf_str(&out, ",\"error\":");
        if (fl_utf8_valid(error, n))
            json_quote(&out, error, n);
        else
            fl_buf_str(&out, "\"an error whose text is not UTF-8\"");
    }
    fl_buf_str(&out, ",\"result\":");
    fl_buf_str(&out, result ? result : "null");
    fl_buf_str(&out, ",\"t\":\"end\"}");
    if (!out.failed)
        frame_send(out.p, out.n);
    _exit(0);
}

const char *worker_error_text(lua_State *L)
{
    static char text[LOG_MAX];
    const char *s = NULL;
    size_t n = 0;
    if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
        s = lua_tolstring(L, -1, &n);
    } else if (lua_istable(L, -1) && lua_checkstack(L, 2)) {
        /* Raw: an error object's own __tostring does not run any more. */
        lua_pushliteral(L, "message");
        lua_rawget(L, -2);
        if (lua_type(L, -1) == LUA_TSTRING)
            s = lua_tolstring(L, -1, &n);
        lua_pop(L, 1);
    }
    if (!s)
        snprintf(text, sizeof text, "an error that is no text but a %s", luaL_typename(L, -1));
    else
        snprintf(text, sizeof text, "%.*s", (int)(n < sizeof text ? n : sizeof text - 1), s);
    for (size_t k = strlen(text); k && !fl_utf8_valid(text, k);)
        text[--k] = 0; /* a character cut in two, or bytes that are no text: keep what can be read */
    return text;
}

void worker_end_error(lua_State *L, int rc)
{
    if (rc == LUA_ERRMEM)
        worker_end("memory", NULL, "not enough memory");
    worker_end("error", NULL, worker_error_text(L));
}

/* ---- budgets ---- */

static void *limited_alloc(void *ud, void *p, size_t old, size_t n)
{
    (void)ud;
    if (!p)
        old = 0;
    if (n > old && (n - old > W.memory_max || W.memory_used > W.memory_max - (n - old)))
        return NULL;
    if (!n) {
        W.memory_used -= old;
        free(p);
        return NULL;
    }
    void *q = realloc(p, n);
    if (q)
        W.memory_used += n - old;
    return q;
}

/* Ends the process instead of raising: an error could be caught, and a loop round the catch goes on. */
static void count_hook(lua_State *L, lua_Debug *ar)
{
    struct timespec t;
    (void)ar;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t) != 0 || t.tv_sec < (time_t)W.cpu_seconds)
        return;
    lua_Debug at;
    char text[256];
    if (lua_getstack(L, 0, &at) && lua_getinfo(L, "Sl", &at))
        snprintf(text, sizeof text, "%s:%d: more than %u s of processor time", at.short_src, at.currentline,
                 W.cpu_seconds);
    else
        snprintf(text, sizeof text, "more than %u s of processor time", W.cpu_seconds);
    worker_end("cpu", NULL, text);
}

static void limit(int what, rlim_t soft, rlim_t hard)
{
    struct rlimit r = {soft, hard};
    if (setrlimit((__rlimit_resource_t)what, &r) != 0)
        _exit(3);
}

static void lower_limits(void)
{
    limit(RLIMIT_AS, W.memory_max + ADDRESS_SPACE_OWN, W.memory_max + ADDRESS_SPACE_OWN);
    limit(RLIMIT_CPU, W.cpu_seconds + 1, W.cpu_seconds + 2); /* SIGXCPU, then SIGKILL */
    limit(RLIMIT_FSIZE, 0, 0);
    limit(RLIMIT_CORE, 0, 0);
    limit(RLIMIT_NOFILE, SOCKET_FD + 1, SOCKET_FD + 1);
    limit(RLIMIT_NPROC, 0, 0);
    limit(RLIMIT_MEMLOCK, 0, 0);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        _exit(3);
}

/* Computing, memory that is not executable, and the one socket. All else ends the process. */
static void filter_system_calls(void)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_KILL_PROCESS);
    static const int plain[] = {SCMP_SYS(munmap),       SCMP_SYS(mremap),        SCMP_SYS(brk),
                                SCMP_SYS(madvise),      SCMP_SYS(exit),          SCMP_SYS(exit_group),
                                SCMP_SYS(rt_sigreturn), SCMP_SYS(clock_gettime), SCMP_SYS(restart_syscall)};
    bool ok = f != NULL;
    for (size_t i = 0; ok && i < FL_ARRAY_LEN(plain); i++)
        ok = seccomp_rule_add(f, SCMP_ACT_ALLOW, plain[i], 0) == 0;
    ok = ok &&
         seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(read), 1, SCMP_A0_32(SCMP_CMP_EQ, SOCKET_FD)) == 0;
    ok = ok &&
         seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(write), 1, SCMP_A0_32(SCMP_CMP_EQ, SOCKET_FD)) == 0;
    ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                                SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
    ok = ok && seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                                SCMP_A2_32(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
    ok = ok && seccomp_load(f) == 0;
    if (!ok)
        _exit(3);
    seccomp_release(f);
}

/* ---- modes ---- */

static const char *start_text(lua_State *L, const char *key)
{
    lua_getfield(L, 1, key);
    const char *s = lua_tostring(L, -1);
    return s ? s : ""; /* stays on the stack: never collected */
}

static int load_chunk(lua_State *L, const char *name, int env)
{
    lua_getfield(L, 1, "source");
    size_t n;
    const char *source = luaL_checklstring(L, -1, &n);
    lua_pushfstring(L, "@%s", name);
    int rc = luaL_loadbufferx(L, source, n, lua_tostring(L, -1), "t");
    if (rc)
        return rc;
    lua_pushvalue(L, env);
    if (!lua_setupvalue(L, -2, 1))
        lua_pop(L, 1);
    return LUA_OK;
}

static void set_clock(lua_State *L)
{
    lua_getfield(L, 1, "ctx");
    if (!lua_istable(L, -1))
        return;
    lua_getfield(L, -1, "now");
    fl_usec t = 0;
    if (lua_type(L, -1) == LUA_TNUMBER && lua_tonumber(L, -1) >= 0 && lua_tonumber(L, -1) < 1e12)
        W.clock_us = (int64_t)(lua_tonumber(L, -1) * 1e6);
    else if (lua_type(L, -1) == LUA_TSTRING && fl_time_parse(lua_tostring(L, -1), lua_rawlen(L, -1), &t))
        W.clock_us = t;
    lua_pop(L, 2);
}

static void serve_run(lua_State *L, const char *name)
{
    sandbox_open(L);
    int env = lua_gettop(L);
    host_open(L);
    data_open_playbook(L);
    sandbox_strict(L);
    set_clock(L);
    lua_getfield(L, 1, "ctx");
    lua_getfield(L, -1, "run");
    sandbox_seed(L, lua_tostring(L, -1) ? lua_tostring(L, -1) : name);
    lua_pop(L, 1);
    W.ctx_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    int rc = load_chunk(L, name, env);
    if (!rc)
        rc = lua_pcall(L, 0, 0, 0);
    if (rc)
        worker_end_error(L, rc);
    if (!data_playbook_push(L))
        worker_end("error", NULL, "the file declares no playbook{…}");
    lua_getfield(L, -1, "run");
    lua_rawgeti(L, LUA_REGISTRYINDEX, W.ctx_ref);
    W.in_run = true;
    rc = lua_pcall(L, 1, 1, 0);
    if (rc)
        worker_end_error(L, rc);
    struct fl_buf out = fl_buf_init(VALUE_MAX);
    const char *bad = value_to_json(L, -1, &out);
    if (bad) {
        char text[256];
        snprintf(text, sizeof text, "run returned something that is no data: %s", bad);
        worker_end("bad_value", NULL, text);
    }
    worker_end("ok", out.p, NULL);
}

static int eval_body(lua_State *L)
{
    const char *kind = lua_tostring(L, 2), *name = lua_tostring(L, 3);
    sandbox_open(L);
    int env = lua_gettop(L);
    sandbox_seed(L, "");
    bool rules = strcmp(kind, "rules") == 0, playbook = strcmp(kind, "playbook") == 0,
         timeline = strcmp(kind, "timeline") == 0;
    if (playbook) {
        host_open(L);
        data_open_playbook(L);
    } else if (rules) {
        data_open_rules(L);
    } else if (timeline) {
        timeline_open(L);
    }
    lua_newtable(L); /* what the file itself sets: only configuration may */
    int own = lua_gettop(L);
    if (playbook || rules || timeline) {
        lua_pushvalue(L, env);
        sandbox_strict(L);
        lua_replace(L, own);
    } else {
        lua_createtable(L, 0, 1);
        lua_pushvalue(L, env);
        lua_setfield(L, -2, "__index");
        lua_setmetatable(L, own);
    }
    if (load_chunk(L, name, own))
        return lua_error(L);
    lua_call(L, 0, 1);
    const char *json = playbook   ? data_playbook_json(L)
                       : timeline ? timeline_json(L)
                       : rules    ? data_rules_json(L, lua_gettop(L))
                                  : data_table_json(L, lua_gettop(L), own);
    lua_pushstring(L, json);
    return 1;
}

static int serve(lua_State *L)
{
    size_t n;
    const char *frame = frame_wait(&n), *bad = value_from_json(L, frame, n);
    if (bad || !lua_istable(L, 1))
        _exit(3);
    const char *kind = start_text(L, "kind"), *name = start_text(L, "name");
    W.kind = kind;
    if (strcmp(kind, "run") == 0)
        serve_run(L, name);
    lua_pushcfunction(L, eval_body);
    lua_pushvalue(L, 1);
    lua_pushstring(L, kind);
    lua_pushstring(L, name);
    int rc = lua_pcall(L, 3, 1, 0);
    if (rc)
        worker_end_error(L, rc);
    worker_end("ok", lua_tostring(L, -1), NULL);
}

#ifdef FL_WORKER_PROBE
void worker_probe(const char *what);
#endif

static size_t number(const char *s, int64_t min, int64_t max)
{
    int64_t v;
    if (!s || !fl_parse_i64(s, min, max, &v))
        _exit(2);
    return (size_t)v;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2; /* MEMORY_BYTES CPU_SECONDS FRAME_BYTES DEPTH; only the engine starts this program */
    W.memory_max = number(argv[1], 1 << 20, INT64_C(1) << 36);
    W.cpu_seconds = (unsigned)number(argv[2], 1, 86400);
    W.frame_max = number(argv[3], 1024, INT64_C(1) << 30);
    W.depth = (unsigned)number(argv[4], 1, 100);
    lower_limits();
    filter_system_calls();
#ifdef FL_WORKER_PROBE
    worker_probe(argc > 5 ? argv[5] : "");
#endif
    lua_State *L = lua_newstate(limited_alloc, NULL);
    if (!L)
        _exit(3);
    W.L = L;
    lua_sethook(L, count_hook, LUA_MASKCOUNT, HOOK_STEPS);
    lua_pushcfunction(L, serve);
    int rc = lua_pcall(L, 0, 0, 0);
    if (rc)
        worker_end_error(L, rc);
    _exit(0);
}
