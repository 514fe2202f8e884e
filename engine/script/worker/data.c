/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/data.c -- files that are data: what playbook{…} declares, rule functions, configuration. */
#include "worker.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DATA_MAX (8u << 20)
#define PLAYBOOK_KEY "faultline.playbook"
#define RULES_KEY "faultline.rules"

static const char *keep_json(lua_State *L, int index, const char *what)
{
    struct fl_buf out = fl_buf_init(DATA_MAX);
    const char *bad = value_to_json(L, index, &out);
    if (bad)
        luaL_error(L, "%s: %s", what, bad);
    return fl_buf_take(&out, NULL);
}

static void only_keys(lua_State *L, int t, const char *const *keys, size_t n, const char *what)
{
    for (lua_pushnil(L); lua_next(L, t); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "(a key that is no text)";
        size_t i = 0;
        while (i < n && strcmp(key, keys[i]) != 0)
            i++;
        if (i < n)
            continue;
        const char *nearest = fl_nearest_word(key, keys, n);
        if (nearest)
            luaL_error(L, "%s: unknown field \"%s\"; did you mean \"%s\"?", what, key, nearest);
        luaL_error(L, "%s: unknown field \"%s\"", what, key);
    }
}

/* ---- playbooks ---- */

static void need(lua_State *L, int t, const char *key, int type, bool required)
{
    raw_get(L, t, key);
    int have = lua_type(L, -1);
    lua_pop(L, 1);
    if (have == LUA_TNIL && required)
        luaL_error(L, "playbook: \"%s\" is required", key);
    if (have != LUA_TNIL && have != type)
        luaL_error(L, "playbook: \"%s\" must be a %s, not a %s", key, lua_typename(L, type),
                   lua_typename(L, have));
}

static lua_Integer duration_field(lua_State *L, int t, const char *key, const char *dflt)
{
    fl_usec us = -1;
    raw_get(L, t, key);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushstring(L, dflt);
    }
    if (lua_type(L, -1) == LUA_TNUMBER) {
        double d = lua_tonumber(L, -1);
        us = d > 0 && d <= 86400 ? (fl_usec)llround(d * 1e6) : -1;
    } else if (lua_type(L, -1) != LUA_TSTRING || !fl_parse_duration(lua_tostring(L, -1), &us)) {
        us = -1;
    }
    if (us <= 0 || us > 86400 * FL_USEC_PER_SEC)
        luaL_error(L, "playbook: \"%s\" must be a duration such as \"60s\", of at most a day", key);
    lua_pop(L, 1);
    return (lua_Integer)us;
}

static void check_name(lua_State *L, int t)
{
    raw_get(L, t, "name");
    const char *name = lua_tostring(L, -1);
    size_t n = strlen(name);
    if (!n || n > 64 || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_.") != n)
        luaL_error(L, "playbook: name \"%s\" must be 1 to 64 of a-z, 0-9, \"-\", \"_\", \".\"", name);
    lua_pop(L, 1);
}

static void check_approval(lua_State *L, int t)
{
    raw_get(L, t, "approval");
    const char *s = lua_tostring(L, -1);
    if (s && strcmp(s, "required") != 0 && strcmp(s, "none") != 0)
        luaL_error(L, "playbook: approval \"%s\" must be \"required\" or \"none\"", s);
    lua_pop(L, 1);
}

static int l_playbook(lua_State *L)
{
    static const char *const keys[] = {"name",     "version",    "doc",     "trigger", "params", "guards",
                                       "approval", "disruptive", "timeout", "verify",  "run",    "undo"};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    only_keys(L, 1, keys, FL_ARRAY_LEN(keys), "playbook");
    static const struct {
        const char *key;
        int type;
        bool required;
    } fields[] = {
        {"name", LUA_TSTRING, true},    {"version", LUA_TSTRING, true},      {"doc", LUA_TSTRING, true},
        {"run", LUA_TFUNCTION, true},   {"undo", LUA_TFUNCTION, false},      {"approval", LUA_TSTRING, false},
        {"params", LUA_TTABLE, false},  {"guards", LUA_TTABLE, false},       {"verify", LUA_TTABLE, false},
        {"trigger", LUA_TTABLE, false}, {"disruptive", LUA_TBOOLEAN, false},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(fields); i++)
        need(L, 1, fields[i].key, fields[i].type, fields[i].required);
    check_name(L, 1);
    check_approval(L, 1);
    if (data_playbook_push(L))
        return luaL_error(L, "playbook: a file declares one playbook, this is the second");
    lua_pushvalue(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, PLAYBOOK_KEY);
    return 0;
}

bool data_playbook_push(lua_State *L)
{
    if (lua_getfield(L, LUA_REGISTRYINDEX, PLAYBOOK_KEY) == LUA_TTABLE)
        return true;
    lua_pop(L, 1);
    return false;
}

void data_open_playbook(lua_State *L)
{
    lua_pushcfunction(L, l_playbook);
    lua_setfield(L, -2, "playbook");
}

static void copy_field(lua_State *L, int from, int to, const char *key)
{
    raw_get(L, from, key);
    lua_setfield(L, to, key);
}

/* verify = {alerts_clear = true, within = "60s"} → {alerts_clear, within_us} */
static void copy_verify(lua_State *L, int from, int to)
{
    static const char *const keys[] = {"alerts_clear", "within"};
    raw_get(L, from, "verify");
    if (lua_istable(L, -1)) {
        int v = lua_gettop(L);
        only_keys(L, v, keys, FL_ARRAY_LEN(keys), "verify");
        lua_createtable(L, 0, 2);
        raw_get(L, v, "alerts_clear");
        bool clear = lua_toboolean(L, -1);
        lua_pop(L, 1);
        lua_pushboolean(L, clear);
        lua_setfield(L, -2, "alerts_clear");
        lua_pushinteger(L, duration_field(L, v, "within", "60s"));
        lua_setfield(L, -2, "within_us");
        lua_setfield(L, to, "verify");
    }
    lua_pop(L, 1);
}

const char *data_playbook_json(lua_State *L)
{
    if (!data_playbook_push(L))
        luaL_error(L, "the file declares no playbook{…}");
    int p = lua_gettop(L);
    lua_newtable(L);
    int out = lua_gettop(L);
    static const char *const same[] = {"name", "version", "doc", "trigger", "params", "guards", "approval"};
    for (size_t i = 0; i < FL_ARRAY_LEN(same); i++)
        copy_field(L, p, out, same[i]);
    raw_get(L, p, "approval");
    if (lua_isnil(L, -1)) {
        lua_pushliteral(L, "required");
        lua_setfield(L, out, "approval");
    }
    /* Careful by default: a playbook that does not say is taken to disturb. */
    raw_get(L, p, "disruptive");
    lua_pushboolean(L, lua_isnil(L, -1) || lua_toboolean(L, -1));
    lua_setfield(L, out, "disruptive");
    raw_get(L, p, "undo");
    lua_pushboolean(L, lua_isfunction(L, -1));
    lua_setfield(L, out, "undo");
    lua_settop(L, out);
    lua_pushinteger(L, duration_field(L, p, "timeout", "60s"));
    lua_setfield(L, out, "timeout_us");
    copy_verify(L, p, out);
    return keep_json(L, out, "playbook");
}

/* ---- rules ---- */

/* mapping{…} adds one rule (or a list of them) to the list; correlation{…} sets members. */
static const struct rule_function {
    const char *name, *key;
    bool list;
} rule_functions[] = {
    {"mapping", "mapping", true},          {"class", "classes", true},
    {"severity", "severities", true},      {"binding", "bindings", true},
    {"correlation", "correlation", false}, {"guards", "guards", false},
    {"source", "sources", true},           {"leases", "leases", false},
    {"inhibition", "inhibitions", true},   {"graph_inhibition", "graph_inhibitions", true},
    {"threshold", "thresholds", true},     {"grouping", "groupings", true},
    {"heartbeat", "heartbeats", true},     {"flapping", "flapping", true},
    {"maintenance", "maintenance", true},  {"reminder", "reminders", true},
};

static void part_push(lua_State *L, const struct rule_function *f)
{
    lua_getfield(L, LUA_REGISTRYINDEX, RULES_KEY);
    if (raw_get(L, -1, f->key) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_newtable(L);
        if (f->list)
            value_mark_array(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, f->key);
    }
    lua_remove(L, -2);
}

static int l_rule(lua_State *L)
{
    const struct rule_function *f = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    part_push(L, f);
    if (!f->list) {
        for (lua_pushnil(L); lua_next(L, 1);) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 2);
        }
        return 0;
    }
    lua_Integer at = (lua_Integer)lua_rawlen(L, 2), n = (lua_Integer)lua_rawlen(L, 1);
    lua_rawgeti(L, 1, 1);
    bool several = lua_istable(L, -1);
    lua_pop(L, 1);
    lua_pushnil(L);
    bool empty = lua_next(L, 1) == 0; /* severity{}: no rules, said out loud */
    lua_settop(L, 2);
    if (!several && !empty) {
        lua_pushvalue(L, 1);
        lua_rawseti(L, 2, at + 1);
        return 0;
    }
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, 1, i);
        lua_rawseti(L, 2, at + i);
    }
    return 0;
}

void data_open_rules(lua_State *L)
{
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, RULES_KEY);
    for (size_t i = 0; i < FL_ARRAY_LEN(rule_functions); i++) {
        lua_pushlightuserdata(L, (void *)(uintptr_t)&rule_functions[i]);
        lua_pushcclosure(L, l_rule, 1);
        lua_setfield(L, -2, rule_functions[i].name);
    }
}

const char *data_rules_json(lua_State *L, int returned)
{
    lua_getfield(L, LUA_REGISTRYINDEX, RULES_KEY);
    bool called = lua_next(L, (lua_pushnil(L), lua_gettop(L) - 1)) != 0;
    if (called)
        lua_pop(L, 2);
    if (lua_isnil(L, returned))
        return keep_json(L, lua_gettop(L), "rules");
    if (called)
        luaL_error(L, "rules: either call the rule functions or return a table, not both");
    luaL_argcheck(L, lua_istable(L, returned), returned, "a rule file returns a table or nothing");
    return keep_json(L, returned, "rules");
}

/* ---- configuration ---- */

const char *data_table_json(lua_State *L, int returned, int env)
{
    if (!lua_isnil(L, returned) && !lua_istable(L, returned))
        luaL_error(L, "the file must return a table, or set names");
    if (lua_istable(L, returned))
        return keep_json(L, returned, "configuration");
    return keep_json(L, env, "configuration");
}
