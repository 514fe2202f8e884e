/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/sandbox.c -- what a script may name. An allow-list: nothing is opened and then taken
 * away. Everything that could differ between two runs of the same script is replaced: the order of pairs,
 * addresses in texts, the pivot of table.sort, random numbers. */
#include "worker.h"

#include <stdlib.h>
#include <string.h>

/* ---- pairs and next in a fixed order ---- */

static int pairs_step(lua_State *L)
{
    lua_Integer at = lua_tointeger(L, lua_upvalueindex(2));
    for (;;) {
        lua_rawgeti(L, lua_upvalueindex(1), ++at);
        if (lua_isnil(L, -1))
            return 1;
        lua_pushvalue(L, -1);
        lua_rawget(L, 1);
        if (!lua_isnil(L, -1)) { /* else: removed during the walk */
            lua_pushinteger(L, at);
            lua_replace(L, lua_upvalueindex(2));
            return 2;
        }
        lua_pop(L, 2);
    }
}

static int l_pairs(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    value_sorted_keys(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, pairs_step, 2);
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

/* One step costs a walk over the table: for `next(t) == nil` and the like. Loops use pairs. */
static int l_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    value_sorted_keys(L, 1);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 3), i = 1;
    if (!lua_isnil(L, 2)) {
        for (; i <= n; i++) {
            lua_rawgeti(L, 3, i);
            bool same = lua_rawequal(L, -1, 2);
            lua_pop(L, 1);
            if (same)
                break;
        }
        if (i > n)
            return luaL_argerror(L, 2, "no such key");
        i++;
    }
    lua_rawgeti(L, 3, i);
    if (lua_isnil(L, -1))
        return 1;
    lua_pushvalue(L, -1);
    lua_rawget(L, 1);
    return 2;
}

/* ---- texts without addresses ---- */

int sandbox_text_of(lua_State *L)
{
    luaL_checkany(L, 1);
    int type = lua_type(L, 1);
    if (type == LUA_TLIGHTUSERDATA) {
        lua_pushliteral(L, "null");
    } else if (type > LUA_TSTRING && luaL_getmetafield(L, 1, "__tostring") == LUA_TNIL) {
        lua_pushstring(L, lua_typename(L, type)); /* never "table: 0x55…" */
    } else {
        luaL_tolstring(L, 1, NULL);
    }
    return 1;
}

static int l_format(lua_State *L)
{
    size_t n;
    const char *f = luaL_checklstring(L, 1, &n);
    for (const char *p = f, *end = f + n; p < end; p++) {
        if (*p != '%')
            continue;
        for (p++; p < end && *p && strchr("-+ #0123456789.", *p);)
            p++;
        if (p < end && *p == 'p')
            return luaL_argerror(L, 1, "%p would show an address");
    }
    int top = lua_gettop(L);
    for (int i = 2; i <= top; i++) {
        if (lua_type(L, i) <= LUA_TSTRING && !lua_islightuserdata(L, i))
            continue;
        lua_pushcfunction(L, sandbox_text_of);
        lua_pushvalue(L, i);
        lua_call(L, 1, 1);
        lua_replace(L, i);
    }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, top, 1);
    return 1;
}

/* ---- table.sort: stable, and no pivot taken from a clock ---- */

static bool sort_less(lua_State *L, int a, int b, bool has_less)
{
    if (!has_less)
        return lua_compare(L, a, b, LUA_OPLT);
    a = lua_absindex(L, a), b = lua_absindex(L, b);
    lua_pushvalue(L, 2);
    lua_pushvalue(L, a);
    lua_pushvalue(L, b);
    lua_call(L, 2, 1);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

static void merge(lua_State *L, int from, int to, lua_Integer lo, lua_Integer mid, lua_Integer hi,
                  bool has_less)
{
    lua_Integer a = lo, b = mid, k = lo;
    while (a < mid && b < hi) {
        lua_rawgeti(L, from, a);
        lua_rawgeti(L, from, b);
        if (sort_less(L, -1, -2, has_less)) {
            lua_rawseti(L, to, k++);
            lua_pop(L, 1);
            b++;
        } else {
            lua_pop(L, 1);
            lua_rawseti(L, to, k++);
            a++;
        }
    }
    for (; a < mid; a++, k++) {
        lua_rawgeti(L, from, a);
        lua_rawseti(L, to, k);
    }
    for (; b < hi; b++, k++) {
        lua_rawgeti(L, from, b);
        lua_rawseti(L, to, k);
    }
}

static int l_sort(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    bool has_less = !lua_isnoneornil(L, 2);
    if (has_less)
        luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 0);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 3, i);
    }
    int from = 3, to = 4;
    for (lua_Integer width = 1; width < n; width *= 2) {
        for (lua_Integer lo = 1; lo <= n; lo += 2 * width) {
            lua_Integer mid = lo + width > n + 1 ? n + 1 : lo + width;
            lua_Integer hi = lo + 2 * width > n + 1 ? n + 1 : lo + 2 * width;
            merge(L, from, to, lo, mid, hi, has_less);
        }
        int swap = from;
        from = to;
        to = swap;
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, from, i);
        lua_rawseti(L, 1, i);
    }
    return 0;
}

/* ---- metatables ---- */

static int l_setmetatable(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        static const char *const barred[] = {"__gc", "__mode"};
        for (size_t i = 0; i < FL_ARRAY_LEN(barred); i++) {
            lua_pushstring(L, barred[i]);
            lua_rawget(L, 2);
            if (!lua_isnil(L, -1))
                return luaL_error(L, "%s is not allowed: it would run when the collector likes", barred[i]);
            lua_pop(L, 1);
        }
    }
    lua_settop(L, 2);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_setmetatable(L, 1);
    return 1;
}

/* ---- errors: what may not be caught goes on ---- */

static void reraise_what_may_not_be_caught(lua_State *L, int rc)
{
    if (W.unwinding)
        lua_error(L);
    if (rc == LUA_ERRMEM)
        worker_end_error(L, rc);
}

static int l_pcall(lua_State *L)
{
    luaL_checkany(L, 1);
    int rc = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
    if (rc)
        reraise_what_may_not_be_caught(L, rc);
    lua_pushboolean(L, rc == LUA_OK);
    lua_insert(L, 1);
    return lua_gettop(L);
}

/* The handler runs after the stack is unwound, as an ordinary call under the same budgets. */
static int l_xpcall(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 1);
    lua_remove(L, 1); /* handler, args…, f */
    lua_insert(L, 2); /* handler, f, args… */
    int rc = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
    if (rc) {
        reraise_what_may_not_be_caught(L, rc);
        lua_settop(L, 2);
        lua_call(L, 1, 1); /* the handler with the error */
        lua_pushboolean(L, 0);
        lua_insert(L, 1);
        return 2;
    }
    lua_pushboolean(L, 1);
    lua_replace(L, 1);
    return lua_gettop(L);
}

/* ---- read-only views ---- */

static int refuse_write(lua_State *L)
{
    return luaL_error(L, "%s is read-only", lua_tostring(L, lua_upvalueindex(1)));
}

void sandbox_freeze(lua_State *L, const char *what)
{
    lua_newtable(L);
    lua_createtable(L, 0, 3);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, what);
    lua_pushcclosure(L, refuse_write, 1);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_remove(L, -2);
}

static int unknown_name(lua_State *L)
{
    if (lua_type(L, 2) != LUA_TSTRING)
        return luaL_error(L, "no such name");
    const char *name = lua_tostring(L, 2);
    const char *words[128];
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1))
        if (n < FL_ARRAY_LEN(words) && lua_type(L, -2) == LUA_TSTRING)
            words[n++] = lua_tostring(L, -2);
    const char *nearest = fl_nearest_word(name, words, n);
    if (nearest)
        return luaL_error(L, "there is no \"%s\" here; did you mean \"%s\"?", name, nearest);
    return luaL_error(L, "there is no \"%s\" here", name);
}

static int no_new_global(lua_State *L)
{
    return luaL_error(L, "assignment to the global \"%s\": write \"local %s\"", luaL_tolstring(L, 2, NULL),
                      luaL_tolstring(L, 2, NULL));
}

void sandbox_strict(lua_State *L)
{
    lua_createtable(L, 0, 3);
    lua_pushcfunction(L, unknown_name);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, no_new_global);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* ---- the table ---- */

/* Copy the named members of the library on top into a new table that takes its place. */
static void pick(lua_State *L, const char *const *names, size_t n)
{
    lua_createtable(L, 0, (int)n);
    for (size_t i = 0; i < n; i++) {
        lua_getfield(L, -2, names[i]);
        FL_REQUIRE(!lua_isnil(L, -1));
        lua_setfield(L, -2, names[i]);
    }
    lua_remove(L, -2);
}
#define PICK(L, ...)                                       \
    do {                                                   \
        static const char *const names_[] = {__VA_ARGS__}; \
        pick(L, names_, FL_ARRAY_LEN(names_));             \
    } while (0)

static void open_string(lua_State *L, int env)
{
    luaL_requiref(L, "string", luaopen_string, 0);
    PICK(L, "byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "pack", "packsize",
         "rep", "reverse", "sub", "unpack", "upper");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, l_format, 1);
    lua_setfield(L, -2, "format");
    /* ("x"):upper() goes through the string metatable: point it at the picked table and close it. */
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, "__index");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
    sandbox_freeze(L, "string");
    lua_setfield(L, env, "string");
}

static void open_libraries(lua_State *L, int env)
{
    open_string(L, env);
    luaL_requiref(L, "table", luaopen_table, 0);
    PICK(L, "concat", "insert", "move", "pack", "remove", "unpack");
    lua_pushcfunction(L, l_sort);
    lua_setfield(L, -2, "sort");
    sandbox_freeze(L, "table");
    lua_setfield(L, env, "table");
    luaL_requiref(L, "math", luaopen_math, 0);
    PICK(L, "abs", "ceil", "cos", "exp", "floor", "fmod", "huge", "log", "max", "maxinteger", "min",
         "mininteger", "modf", "pi", "random", "sin", "sqrt", "tan", "tointeger", "type", "ult");
    sandbox_freeze(L, "math");
    lua_setfield(L, env, "math");
    luaL_requiref(L, "utf8", luaopen_utf8, 0);
    PICK(L, "char", "charpattern", "codepoint", "codes", "len", "offset");
    sandbox_freeze(L, "utf8");
    lua_setfield(L, env, "utf8");
}

static int json_decode(lua_State *L)
{
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);
    const char *bad = value_from_json(L, s, n);
    if (!bad)
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, bad);
    return 2;
}

static int json_encode(lua_State *L)
{
    struct fl_buf out = fl_buf_init(VALUE_MAX);
    const char *bad = value_to_json(L, 1, &out);
    if (!bad)
        lua_pushlstring(L, out.p, out.n);
    fl_buf_done(&out);
    return bad ? luaL_error(L, "no JSON: %s", bad) : 1;
}

void sandbox_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"pairs", l_pairs},
        {"next", l_next},
        {"tostring", sandbox_text_of},
        {"setmetatable", l_setmetatable},
        {"pcall", l_pcall},
        {"xpcall", l_xpcall},
        {"array", value_array},
        {NULL, NULL},
    };
    static const char *const base[] = {"assert", "error",  "getmetatable", "ipairs",   "rawequal",
                                       "rawget", "rawlen", "select",       "tonumber", "type"};
    static const luaL_Reg json[] = {{"decode", json_decode}, {"encode", json_encode}, {NULL, NULL}};
    lua_newtable(L);
    int env = lua_gettop(L);
    /* The base library writes into the registry's globals table, which no script ever sees. */
    luaL_requiref(L, "_G", luaopen_base, 0);
    for (size_t i = 0; i < FL_ARRAY_LEN(base); i++) {
        lua_getfield(L, -1, base[i]);
        lua_setfield(L, env, base[i]);
    }
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
    open_libraries(L, env);
    luaL_newlib(L, json);
    sandbox_freeze(L, "json");
    lua_setfield(L, env, "json");
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, env, "null");
    static const struct {
        const char *name;
        lua_Integer seconds;
    } units[] = {{"sec", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}};
    for (size_t i = 0; i < FL_ARRAY_LEN(units); i++) {
        lua_pushinteger(L, units[i].seconds);
        lua_setfield(L, env, units[i].name);
    }
}

void sandbox_seed(lua_State *L, const char *text)
{
    uint64_t a = FL_FNV1A_INIT; /* not fl_fnv1a: its file would bring libsodium into this process */
    for (const char *p = text; *p; p++)
        a = (a ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    uint64_t b = ~a;
    luaL_requiref(L, "math", luaopen_math, 0);
    /* requiref answers from its own table: this is the library whose generator math.random shares. */
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)a);
    lua_pushinteger(L, (lua_Integer)b);
    lua_call(L, 2, 0);
    lua_pop(L, 1);
}
