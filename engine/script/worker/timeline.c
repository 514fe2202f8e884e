/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/timeline.c -- a test file of the pipeline: statements in order, each with its line. What they
 * mean is the caller's business; here is only what a statement is called. */
#include "worker.h"

#include <string.h>

#define STATEMENTS_KEY "faultline.statements"
#define STATEMENTS_MAX 100000
#define DATA_MAX (8u << 20)

static const char *const statements[] = {"test",  "topology", "at",          "fire",   "resolve", "silent",
                                         "sends", "silence",  "maintenance", "change", "command", "expect"};

static int l_statement(lua_State *L)
{
    const char *name = lua_tostring(L, lua_upvalueindex(1));
    lua_Debug at = {.currentline = 0};
    int n = lua_gettop(L);
    if (n < 1 || n > 2)
        return luaL_error(L, "%s: takes one value, or two", name);
    if (lua_getstack(L, 1, &at))
        lua_getinfo(L, "l", &at);
    lua_createtable(L, 0, 4);
    lua_pushstring(L, name);
    lua_setfield(L, -2, "do");
    lua_pushinteger(L, at.currentline);
    lua_setfield(L, -2, "line");
    for (int i = 1; i <= n; i++) {
        lua_pushvalue(L, i);
        lua_setfield(L, -2, i == 1 ? "a" : "b");
    }
    lua_getfield(L, LUA_REGISTRYINDEX, STATEMENTS_KEY);
    lua_Integer count = (lua_Integer)lua_rawlen(L, -1);
    if (count >= STATEMENTS_MAX)
        return luaL_error(L, "more than %d statements", STATEMENTS_MAX);
    lua_insert(L, -2);
    lua_rawseti(L, -2, count + 1);
    return 0;
}

void timeline_open(lua_State *L)
{
    lua_newtable(L);
    value_mark_array(L);
    lua_setfield(L, LUA_REGISTRYINDEX, STATEMENTS_KEY);
    for (size_t i = 0; i < FL_ARRAY_LEN(statements); i++) {
        lua_pushstring(L, statements[i]);
        lua_pushcclosure(L, l_statement, 1);
        lua_setfield(L, -2, statements[i]);
    }
}

const char *timeline_json(lua_State *L)
{
    struct fl_buf out = fl_buf_init(DATA_MAX);
    lua_getfield(L, LUA_REGISTRYINDEX, STATEMENTS_KEY);
    const char *bad = value_to_json(L, lua_gettop(L), &out);
    if (bad)
        luaL_error(L, "test file: %s", bad);
    return fl_buf_take(&out, NULL);
}
