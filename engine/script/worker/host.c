/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/host.c -- what a playbook can ask the engine for. Each call has a number, goes out as a
 * frame and waits for its reply; the engine decides, acts and records. The worker only unwinds and asks.
 *
 * In doubt: the engine does not know whether call N acted. The call then leaves, past every pcall, to the
 * innermost step that has a check; the check looks at the world and says done or not. Without a check, or when
 * it does not know, a person is asked. */
#include "worker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum outcome { DONE, FAILED, DENIED, IN_DOUBT };

/* ---- one exchange ---- */

static void send_call(lua_State *L, const char *fn, int args)
{
    struct fl_buf json = fl_buf_init(VALUE_MAX), frame = fl_buf_init(0);
    const char *bad = value_to_json(L, args, &json);
    if (bad) {
        fl_buf_done(&json);
        luaL_error(L, "%s: %s", fn, bad);
    }
    W.calls++;
    fl_buf_str(&frame, "{\"args\":");
    fl_buf_add(&frame, json.p, json.n);
    fl_buf_printf(&frame, ",\"fn\":\"%s\",\"n\":%u,\"step\":", fn, W.calls);
    const char *step = W.step ? W.step->name : "";
    json_quote(&frame, step, strlen(step));
    fl_buf_str(&frame, ",\"t\":\"call\"}");
    if (frame.failed)
        worker_end("memory", NULL, "not enough memory");
    if (frame.n > W.frame_max) {
        fl_buf_done(&frame);
        luaL_error(L, "%s: the arguments are too large", fn);
    }
    frame_send(frame.p, frame.n);
    fl_buf_done(&frame);
    fl_buf_done(&json);
}

static void advance_clock(lua_State *L, int result)
{
    if (!lua_istable(L, result))
        return;
    lua_pushliteral(L, "elapsed_us");
    lua_rawget(L, result);
    if (lua_isinteger(L, -1) && lua_tointeger(L, -1) > 0)
        W.clock_us += lua_tointeger(L, -1);
    lua_pop(L, 1);
}

/* Push the result (DONE) or the text of the error. */
static enum outcome receive_reply(lua_State *L)
{
    size_t n;
    const char *frame = frame_wait(&n);
    if (value_from_json(L, frame, n) || !lua_istable(L, -1))
        _exit(3);
    int reply = lua_gettop(L);
    raw_get(L, reply, "n");
    if (lua_tointeger(L, -1) != (lua_Integer)W.calls)
        _exit(3);
    raw_get(L, reply, "state");
    const char *state = lua_tostring(L, -1);
    enum outcome o = fl_streq(state, "done")       ? DONE
                     : fl_streq(state, "failed")   ? FAILED
                     : fl_streq(state, "in_doubt") ? IN_DOUBT
                                                   : DENIED;
    raw_get(L, reply, o == DONE ? "result" : "error");
    if (o == DONE)
        advance_clock(L, lua_gettop(L));
    else if (lua_type(L, -1) != LUA_TSTRING)
        lua_pushliteral(L, "the call failed without a reason");
    lua_replace(L, reply);
    lua_settop(L, reply);
    return o;
}

static enum outcome exchange(lua_State *L, const char *fn, int args)
{
    args = lua_absindex(L, args);
    if (!W.in_run)
        luaL_error(L, "%s can only be called inside run(ctx)", fn);
    if (W.unwinding) { /* a __close handler on the way out: nothing may act now */
        lua_pushlightuserdata(L, NULL);
        lua_error(L);
    }
    if (W.calls >= CALLS_MAX)
        luaL_error(L, "more than %d host calls in one run", (int)CALLS_MAX);
    luaL_checkstack(L, 20, fn);
    send_call(L, fn, args);
    return receive_reply(L);
}

static int error_text(lua_State *L)
{
    raw_get(L, 1, "message");
    return 1;
}

/* Raise {message, kind, fn} from the text on top, with the script's line in front. */
static int raise(lua_State *L, const char *fn, enum outcome o)
{
    int text = lua_gettop(L);
    lua_newtable(L);
    luaL_where(L, 1);
    lua_pushfstring(L, "%s: %s", fn, lua_tostring(L, text));
    lua_concat(L, 2);
    lua_setfield(L, -2, "message");
    lua_pushstring(L, o == DENIED ? "denied" : "failed");
    lua_setfield(L, -2, "kind");
    lua_pushstring(L, fn);
    lua_setfield(L, -2, "fn");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, error_text);
    lua_setfield(L, -2, "__tostring");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return lua_error(L);
}

/* ---- in doubt ---- */

typedef enum { VERDICT_DONE, VERDICT_RETRY } verdict;

/* Tell the engine how a doubtful call was settled; result = 0 or the index of the value. */
static void settle(lua_State *L, const char *word, unsigned call, int result)
{
    lua_newtable(L);
    lua_pushstring(L, word);
    lua_setfield(L, -2, "verdict");
    lua_pushinteger(L, call);
    lua_setfield(L, -2, "call");
    if (result) {
        lua_pushvalue(L, result);
        lua_setfield(L, -2, "result");
    }
    enum outcome o = exchange(L, "settle", -1);
    if (o != DONE)
        raise(L, "settle", o);
    lua_pop(L, 2);
}

/* Wait for a person; pushes the result they gave (nil with retry). */
static verdict ask(lua_State *L, unsigned call)
{
    lua_newtable(L);
    lua_pushliteral(L, "ask");
    lua_setfield(L, -2, "verdict");
    lua_pushinteger(L, call);
    lua_setfield(L, -2, "call");
    enum outcome o = exchange(L, "settle", -1);
    if (o != DONE)
        raise(L, "settle", o);
    if (!lua_istable(L, -1))
        _exit(3);
    raw_get(L, -1, "verdict");
    bool retry = fl_streq(lua_tostring(L, -1), "retry");
    raw_get(L, -2, "result");
    lua_replace(L, -4);
    lua_pop(L, 2);
    return retry ? VERDICT_RETRY : VERDICT_DONE;
}

/* Make a call and settle its doubt. Returns with the result (DONE) or the error's text on top. */
static enum outcome perform(lua_State *L, const char *fn, int args)
{
    args = lua_absindex(L, args);
    for (unsigned tries = 0;; tries++) {
        enum outcome o = exchange(L, fn, args);
        if (o != IN_DOUBT)
            return o;
        unsigned call = W.calls;
        if (W.checks) {
            W.unwinding = true;
            W.doubt = call;
            lua_pushlightuserdata(L, NULL);
            lua_error(L);
        }
        lua_pop(L, 1);
        if (ask(L, call) == VERDICT_DONE)
            return DONE;
        lua_pop(L, 1);
        if (tries >= RETRIES_MAX)
            luaL_error(L, "%s: in doubt after %d retries", fn, (int)RETRIES_MAX);
    }
}

/* ---- arguments ---- */

static void only_keys(lua_State *L, int t, const char *fn, const char *const *keys, size_t n)
{
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        size_t i = 0;
        while (i < n && !fl_streq(key, keys[i]))
            i++;
        if (i < n)
            continue;
        const char *nearest = key ? fl_nearest_word(key, keys, n) : NULL;
        if (nearest)
            luaL_error(L, "%s: unknown option \"%s\"; did you mean \"%s\"?", fn, key, nearest);
        luaL_error(L, "%s: unknown option \"%s\"", fn, key ? key : "(not a text)");
    }
}

/* Seconds as a number or "30s" → microseconds. */
static lua_Integer duration(lua_State *L, int index, const char *what)
{
    fl_usec us = -1;
    if (lua_type(L, index) == LUA_TSTRING) {
        if (!fl_parse_duration(lua_tostring(L, index), &us))
            us = -1;
    } else if (lua_type(L, index) == LUA_TNUMBER) {
        double d = lua_tonumber(L, index);
        us = d >= 0 && d <= 86400.0 * 366 ? (fl_usec)llround(d * 1e6) : -1;
    }
    if (us < 0 || us > 366 * 86400 * FL_USEC_PER_SEC)
        luaL_error(L, "%s: expected seconds or a duration such as \"30s\"", what);
    return (lua_Integer)us;
}

static void copy_timeout(lua_State *L, int from, int to, const char *fn)
{
    raw_get(L, from, "timeout");
    if (!lua_isnil(L, -1)) {
        lua_pushinteger(L, duration(L, lua_gettop(L), fn));
        lua_setfield(L, to, "timeout_us");
    }
    lua_pop(L, 1);
}

static void copy_idempotent(lua_State *L, int from, int to, bool dflt, const char *fn)
{
    bool value = dflt || (W.step && W.step->idempotent);
    if (from) {
        raw_get(L, from, "idempotent");
        if (!lua_isnil(L, -1) && !lua_isboolean(L, -1))
            luaL_error(L, "%s: idempotent must be true or false", fn);
        if (!lua_isnil(L, -1))
            value = lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    lua_pushboolean(L, value);
    lua_setfield(L, to, "idempotent");
}

static void copy_text(lua_State *L, int from, int to, const char *key, const char *dflt, const char *fn)
{
    raw_get(L, from, key);
    if (lua_isnil(L, -1)) {
        if (!dflt)
            luaL_error(L, "%s: \"%s\" is required", fn, key);
        lua_pop(L, 1);
        lua_pushstring(L, dflt);
    } else if (lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "%s: \"%s\" must be a text", fn, key);
    }
    lua_setfield(L, to, key);
}

/* ---- http ---- */

static void copy_headers(lua_State *L, int from, int to)
{
    lua_newtable(L);
    int out = lua_gettop(L);
    raw_get(L, from, "headers");
    if (!lua_isnil(L, -1)) {
        luaL_argcheck(L, lua_istable(L, -1), 1, "headers must be a table");
        for (lua_pushnil(L); lua_next(L, out + 1); lua_pop(L, 1)) {
            if (lua_type(L, -2) != LUA_TSTRING ||
                (lua_type(L, -1) != LUA_TSTRING && lua_type(L, -1) != LUA_TNUMBER))
                luaL_error(L, "http: headers must be texts");
            lua_pushvalue(L, -2);
            lua_pushvalue(L, -2);
            lua_tostring(L, -1); /* a number becomes its text, in our copy */
            lua_rawset(L, out);
        }
    }
    lua_settop(L, out);
    lua_setfield(L, to, "headers");
}

static void copy_body(lua_State *L, int from, int to)
{
    raw_get(L, from, "json");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        raw_get(L, from, "body");
        if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "http: \"body\" must be a text; use json = for a table");
        lua_setfield(L, to, "body");
        return;
    }
    struct fl_buf json = fl_buf_init(VALUE_MAX);
    const char *bad = value_to_json(L, -1, &json);
    if (bad)
        luaL_error(L, "http: json: %s", bad);
    lua_pushlstring(L, json.p, json.n);
    fl_buf_done(&json);
    lua_setfield(L, to, "body");
    lua_pop(L, 1);
    raw_get(L, to, "headers");
    lua_pushliteral(L, "application/json");
    lua_setfield(L, -2, "content-type");
    lua_pop(L, 1);
}

/* res.json when the answer says it is JSON and is. */
static void add_json(lua_State *L, int res)
{
    raw_get(L, res, "headers");
    if (lua_istable(L, -1)) {
        raw_get(L, -1, "content-type");
        const char *type = lua_tostring(L, -1);
        raw_get(L, res, "body");
        size_t n = 0;
        const char *body = lua_tolstring(L, -1, &n);
        if (type && body && strstr(type, "json") && !value_from_json(L, body, n))
            lua_setfield(L, res, "json");
    }
    lua_settop(L, res);
}

static bool status_fits(lua_State *L, int expect, lua_Integer status)
{
    if (lua_isinteger(L, expect))
        return lua_tointeger(L, expect) == status;
    if (lua_type(L, expect) == LUA_TSTRING) { /* "2xx" */
        const char *s = lua_tostring(L, expect);
        if (strlen(s) == 3 && s[0] >= '1' && s[0] <= '5' && s[1] == 'x' && s[2] == 'x')
            return status / 100 == s[0] - '0';
    } else if (lua_istable(L, expect)) {
        bool fits = false;
        lua_Integer n = (lua_Integer)lua_rawlen(L, expect);
        for (lua_Integer i = 1; i <= n && !fits; i++) {
            lua_rawgeti(L, expect, i);
            if (!lua_istable(L, -1))
                fits = status_fits(L, lua_gettop(L), status);
            lua_pop(L, 1);
        }
        return fits;
    }
    luaL_error(L, "http: expect must be a status, \"2xx\", or a list of them");
    return false;
}

static int l_http(lua_State *L)
{
    static const char *const keys[] = {"method", "url",     "headers",    "body",
                                       "json",   "timeout", "idempotent", "expect"};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    only_keys(L, 1, "http", keys, FL_ARRAY_LEN(keys));
    lua_newtable(L);
    copy_text(L, 1, 2, "url", NULL, "http");
    copy_text(L, 1, 2, "method", "GET", "http");
    raw_get(L, 2, "method");
    const char *m = lua_tostring(L, -1);
    for (const char *p = m; *p; p++)
        if (*p < 'A' || *p > 'Z')
            return luaL_error(L, "http: \"%s\" is no method: capital letters only", m);
    bool reads = strcmp(m, "GET") == 0 || strcmp(m, "HEAD") == 0;
    lua_pop(L, 1);
    copy_headers(L, 1, 2);
    copy_body(L, 1, 2);
    copy_timeout(L, 1, 2, "http: timeout");
    copy_idempotent(L, 1, 2, reads, "http");
    enum outcome o = perform(L, "http", 2);
    if (o == DENIED)
        return raise(L, "http", o);
    if (o == FAILED) {
        lua_pushnil(L);
        lua_insert(L, -2);
        return 2;
    }
    int res = lua_gettop(L);
    if (!lua_istable(L, res))
        return 1;
    add_json(L, res);
    raw_get(L, 1, "expect");
    if (!lua_isnil(L, -1)) {
        raw_get(L, res, "status");
        lua_Integer status = lua_tointeger(L, -1);
        if (!status_fits(L, res + 1, status)) {
            lua_pushfstring(L, "the answer's status is %d", (int)status);
            return raise(L, "http", FAILED);
        }
    }
    lua_settop(L, res);
    return 1;
}

/* ---- command ---- */

static int l_command(lua_State *L)
{
    static const char *const keys[] = {"timeout", "idempotent"};
    luaL_checktype(L, 1, LUA_TSTRING);
    int top = lua_gettop(L), opts = top > 1 && lua_istable(L, top) ? top : 0;
    if (opts)
        only_keys(L, opts, "command", keys, FL_ARRAY_LEN(keys));
    lua_newtable(L);
    int args = lua_gettop(L);
    lua_pushvalue(L, 1);
    lua_setfield(L, args, "name");
    lua_newtable(L);
    value_mark_array(L);
    for (int i = 2; i <= (opts ? top - 1 : top); i++) {
        if (lua_type(L, i) != LUA_TSTRING && lua_type(L, i) != LUA_TNUMBER)
            return luaL_error(L, "command: argument %d must be a text or a number", i - 1);
        lua_pushvalue(L, i);
        lua_tostring(L, -1);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setfield(L, args, "args");
    if (opts)
        copy_timeout(L, opts, args, "command: timeout");
    copy_idempotent(L, opts, args, false, "command");
    enum outcome o = perform(L, "command", args);
    return o == DONE ? 1 : raise(L, "command", o);
}

/* ---- sleep, log, fail, now ---- */

static int l_sleep(lua_State *L)
{
    lua_Integer us = duration(L, 1, "sleep");
    lua_newtable(L);
    if (us % FL_USEC_PER_SEC)
        lua_pushnumber(L, (double)us / 1e6);
    else
        lua_pushinteger(L, us / FL_USEC_PER_SEC);
    lua_setfield(L, -2, "seconds");
    enum outcome o = exchange(L, "sleep", -1);
    if (o == FAILED || o == DENIED)
        return raise(L, "sleep", o);
    bool timed = false; /* the record may say how long it really was */
    if (lua_istable(L, -1)) {
        raw_get(L, -1, "elapsed_us");
        timed = lua_isinteger(L, -1);
    }
    if (!timed)
        W.clock_us += us;
    return 0;
}

static void send_log(lua_State *L, int data)
{
    /* The text is on top; cut it between characters. */
    size_t n;
    const char *s = lua_tolstring(L, -1, &n);
    if (n > LOG_MAX) {
        for (n = LOG_MAX; n && ((unsigned char)s[n] & 0xc0) == 0x80;)
            n--;
        lua_pushlstring(L, s, n);
    }
    lua_newtable(L);
    lua_insert(L, -2);
    lua_setfield(L, -2, "text");
    if (data) {
        lua_pushvalue(L, data);
        lua_setfield(L, -2, "data");
    }
    enum outcome o = exchange(L, "log", -1);
    if (o == FAILED || o == DENIED)
        raise(L, "log", o);
}

static int l_log(lua_State *L)
{
    int top = lua_gettop(L), data = 0;
    luaL_Buffer b;
    if (top == 1 && lua_istable(L, 1)) {
        data = 1;
        lua_pushliteral(L, "");
        raw_get(L, 1, "text");
        if (lua_type(L, -1) != LUA_TSTRING)
            lua_pop(L, 1);
    } else {
        luaL_buffinit(L, &b);
        for (int i = 1; i <= top; i++) {
            if (i > 1)
                luaL_addchar(&b, '\t');
            lua_pushcfunction(L, sandbox_text_of);
            lua_pushvalue(L, i);
            lua_call(L, 1, 1);
            luaL_addvalue(&b);
        }
        luaL_pushresult(&b);
    }
    send_log(L, data);
    return 0;
}

static int l_fail(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TSTRING);
    lua_settop(L, 1);
    luaL_where(L, 1);
    lua_insert(L, 1);
    lua_concat(L, 2);
    return lua_error(L);
}

static int l_now(lua_State *L)
{
    lua_pushnumber(L, (double)W.clock_us / 1e6);
    return 1;
}

/* ---- step ---- */

static void step_frame(lua_State *L, const char *fn, const struct step *s, bool has_check, const char *error)
{
    lua_newtable(L);
    lua_pushstring(L, s->name);
    lua_setfield(L, -2, "name");
    if (strcmp(fn, "step_begin") == 0) {
        lua_pushboolean(L, has_check);
        lua_setfield(L, -2, "check");
        lua_pushboolean(L, s->idempotent);
        lua_setfield(L, -2, "idempotent");
    } else {
        lua_pushboolean(L, error == NULL);
        lua_setfield(L, -2, "ok");
        if (error) {
            lua_pushstring(L, error);
            lua_setfield(L, -2, "error");
        }
    }
    enum outcome o = exchange(L, fn, -1);
    if (o == FAILED || o == DENIED)
        raise(L, fn, o);
    lua_pop(L, 2);
}

/* The step's check decides; pushes the step's result when done. An error in the check is "does not know". */
static verdict settle_by_check(lua_State *L, int check)
{
    unsigned call = W.doubt;
    W.unwinding = false;
    lua_pushvalue(L, check);
    lua_rawgeti(L, LUA_REGISTRYINDEX, W.ctx_ref);
    int rc = lua_pcall(L, 1, 1, 0);
    if (rc == LUA_ERRMEM)
        worker_end_error(L, rc);
    if (rc && W.unwinding) /* the check's own call is in doubt: the step outside decides */
        lua_error(L);
    if (rc || lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return ask(L, call);
    }
    bool done = lua_toboolean(L, -1);
    settle(L, done ? "done" : "retry", call, done ? lua_gettop(L) : 0);
    return done ? VERDICT_DONE : VERDICT_RETRY;
}

/* step(name, fn, {check =, idempotent =}): indices 1, 2, 3; 4 = check. */
static int l_step(lua_State *L)
{
    static const char *const keys[] = {"check", "idempotent"};
    luaL_checktype(L, 1, LUA_TSTRING);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 3);
    if (lua_rawlen(L, 1) == 0 || lua_rawlen(L, 1) > NAME_MAX_LEN)
        return luaL_argerror(L, 1, "a step's name has 1 to 128 bytes");
    struct step s = {.outer = W.step, .name = lua_tostring(L, 1), .idempotent = W.step && W.step->idempotent};
    if (!lua_isnil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        only_keys(L, 3, "step", keys, FL_ARRAY_LEN(keys));
        raw_get(L, 3, "idempotent");
        s.idempotent = s.idempotent || lua_toboolean(L, -1);
        lua_pop(L, 1);
        raw_get(L, 3, "check");
        if (!lua_isnil(L, -1))
            luaL_checktype(L, -1, LUA_TFUNCTION);
    } else {
        lua_pushnil(L);
    }
    bool has_check = lua_isfunction(L, 4);
    step_frame(L, "step_begin", &s, has_check, NULL);
    const unsigned checks = W.checks;
    for (unsigned tries = 0;; tries++) {
        W.step = &s;
        W.checks = checks + has_check;
        lua_pushvalue(L, 2);
        lua_rawgeti(L, LUA_REGISTRYINDEX, W.ctx_ref);
        int rc = lua_pcall(L, 1, 1, 0);
        W.checks = checks;
        if (rc == LUA_ERRMEM)
            worker_end_error(L, rc);
        if (rc && !(W.unwinding && has_check)) {
            W.step = s.outer;
            if (!W.unwinding)
                step_frame(L, "step_end", &s, has_check, worker_error_text(L));
            return lua_error(L);
        }
        if (!rc)
            break;
        lua_pop(L, 1);
        if (settle_by_check(L, 4) == VERDICT_DONE)
            break;
        lua_pop(L, 1);
        if (tries >= RETRIES_MAX)
            return luaL_error(L, "step \"%s\": in doubt after %d retries", s.name, (int)RETRIES_MAX);
    }
    W.step = s.outer;
    step_frame(L, "step_end", &s, has_check, NULL);
    return 1;
}

void host_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"http", l_http}, {"command", l_command}, {"sleep", l_sleep}, {"log", l_log}, {"print", l_log},
        {"fail", l_fail}, {"now", l_now},         {"step", l_step},   {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}
