/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/worker/values.c -- Lua values to JSON and back: bounded in depth and size, the same bytes for
 * the same value. A table is a list when its keys are 1…n with n >= 1 or when array{} made it. */
#include "worker.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARRAY_META "faultline.array"

void json_quote(struct fl_buf *out, const char *s, size_t n)
{
    fl_buf_chr(out, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\')
            fl_buf_printf(out, "\\%c", c);
        else if (c == '\n')
            fl_buf_str(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            fl_buf_printf(out, "\\u%04x", c);
        else
            fl_buf_chr(out, (char)c);
    }
    fl_buf_chr(out, '"');
}

int raw_get(lua_State *L, int index, const char *key)
{
    index = lua_absindex(L, index);
    lua_pushstring(L, key);
    return lua_rawget(L, index);
}

/* ---- lists ---- */

void value_mark_array(lua_State *L)
{
    luaL_newmetatable(L, ARRAY_META);
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

int value_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_argerror(L, 1, "the table is protected");
    value_mark_array(L);
    return 1;
}

static bool is_marked(lua_State *L, int index)
{
    if (!lua_getmetatable(L, index))
        return false;
    luaL_getmetatable(L, ARRAY_META);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

/* ---- writing ---- */

struct key {
    const char *s;
    size_t n;
};

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int c = memcmp(x->s, y->s, n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static const char *write_value(lua_State *L, int index, struct fl_buf *out, unsigned depth);

static const char *write_list(lua_State *L, int index, lua_Unsigned n, struct fl_buf *out, unsigned depth)
{
    fl_buf_chr(out, '[');
    for (lua_Unsigned i = 1; i <= n; i++) {
        if (i > 1)
            fl_buf_chr(out, ',');
        lua_rawgeti(L, index, (lua_Integer)i);
        const char *bad = write_value(L, lua_gettop(L), out, depth);
        lua_pop(L, 1);
        if (bad)
            return bad;
    }
    fl_buf_chr(out, ']');
    return NULL;
}

static const char *write_members(lua_State *L, int index, struct key *keys, size_t n, struct fl_buf *out,
                                 unsigned depth)
{
    /* The key texts live in the table; lua_tolstring on string keys never converts. */
    size_t k = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        keys[k].s = lua_tolstring(L, -2, &keys[k].n);
        k++;
    }
    qsort(keys, n, sizeof *keys, compare_keys);
    fl_buf_chr(out, '{');
    for (size_t i = 0; i < n; i++) {
        if (!fl_utf8_valid(keys[i].s, keys[i].n))
            return "a key is not UTF-8 text";
        if (i)
            fl_buf_chr(out, ',');
        json_quote(out, keys[i].s, keys[i].n);
        fl_buf_chr(out, ':');
        lua_pushlstring(L, keys[i].s, keys[i].n);
        lua_rawget(L, index);
        const char *bad = write_value(L, lua_gettop(L), out, depth);
        lua_pop(L, 1);
        if (bad)
            return bad;
    }
    fl_buf_chr(out, '}');
    return NULL;
}

static const char *write_table(lua_State *L, int index, struct fl_buf *out, unsigned depth)
{
    size_t total = 0, texts = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        total++;
        if (lua_type(L, -2) == LUA_TSTRING)
            texts++;
        else if (!lua_isinteger(L, -2))
            return lua_pop(L, 2), "a key is neither a text nor a whole number";
    }
    lua_Unsigned len = lua_rawlen(L, index);
    if (!texts && len == total && (total || is_marked(L, index)))
        return write_list(L, index, len, out, depth);
    if (texts != total)
        return texts ? "a table mixes numbered and named members" : "a list has holes";
    struct key *keys = calloc(total ? total : 1, sizeof *keys);
    if (!keys)
        return "out of memory";
    const char *bad = write_members(L, index, keys, total, out, depth);
    free(keys);
    return bad;
}

static const char *write_number(lua_State *L, int index, struct fl_buf *out)
{
    if (lua_isinteger(L, index)) {
        fl_buf_printf(out, "%lld", (long long)lua_tointeger(L, index));
        return NULL;
    }
    double d = lua_tonumber(L, index);
    if (!isfinite(d))
        return "a number is not finite";
    char text[40];
    snprintf(text, sizeof text, "%.17g", d);
    fl_buf_str(out, text);
    if (!strpbrk(text, ".e"))
        fl_buf_str(out, ".0");
    return NULL;
}

static const char *write_value(lua_State *L, int index, struct fl_buf *out, unsigned depth)
{
    if (out->failed)
        return "the value is too large";
    if (depth > W.depth)
        return "the value is nested too deeply (or contains itself)";
    if (!lua_checkstack(L, 8))
        return "out of memory";
    size_t n;
    const char *s;
    switch (lua_type(L, index)) {
    case LUA_TNIL: fl_buf_str(out, "null"); return NULL;
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, index))
            break;
        fl_buf_str(out, "null");
        return NULL;
    case LUA_TBOOLEAN: fl_buf_str(out, lua_toboolean(L, index) ? "true" : "false"); return NULL;
    case LUA_TNUMBER: return write_number(L, index, out);
    case LUA_TSTRING:
        s = lua_tolstring(L, index, &n);
        if (n > VALUE_MAX)
            return "a text is too large";
        if (!fl_utf8_valid(s, n))
            return "a text is not UTF-8 (or contains a zero byte)";
        json_quote(out, s, n);
        return NULL;
    case LUA_TTABLE: return write_table(L, index, out, depth + 1);
    default: break;
    }
    return "a value is a function or another thing that is no data";
}

const char *value_to_json(lua_State *L, int index, struct fl_buf *out)
{
    int top = lua_gettop(L);
    const char *bad = write_value(L, lua_absindex(L, index), out, 0);
    lua_settop(L, top);
    return bad ? bad : out->failed ? "the value is too large" : NULL;
}

/* ---- reading ---- */

struct reader {
    lua_State *L;
    const char *p, *end;
    unsigned depth;
    struct fl_buf text; /* of the string being read; malloc()ed, so a Lua error leaks it: the process ends */
};

static const char *read_value(struct reader *r);

static void skip(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static bool take(struct reader *r, char c)
{
    skip(r);
    if (r->p >= r->end || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool hex4(struct reader *r, uint32_t *ret)
{
    if (r->end - r->p < 4)
        return false;
    uint32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = r->p[i];
        uint32_t d = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                     : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                     : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                            : 16;
        if (d > 15)
            return false;
        v = v << 4 | d;
    }
    r->p += 4;
    *ret = v;
    return true;
}

static void add_utf8(struct fl_buf *b, uint32_t c)
{
    if (c < 0x80) {
        fl_buf_chr(b, (char)c);
    } else if (c < 0x800) {
        fl_buf_chr(b, (char)(0xc0 | c >> 6));
        fl_buf_chr(b, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        fl_buf_chr(b, (char)(0xe0 | c >> 12));
        fl_buf_chr(b, (char)(0x80 | (c >> 6 & 0x3f)));
        fl_buf_chr(b, (char)(0x80 | (c & 0x3f)));
    } else {
        fl_buf_chr(b, (char)(0xf0 | c >> 18));
        fl_buf_chr(b, (char)(0x80 | (c >> 12 & 0x3f)));
        fl_buf_chr(b, (char)(0x80 | (c >> 6 & 0x3f)));
        fl_buf_chr(b, (char)(0x80 | (c & 0x3f)));
    }
}

static const char *read_escape(struct reader *r)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *r->p++;
    const char *at = c ? strchr(from, c) : NULL;
    if (at) {
        fl_buf_chr(&r->text, to[at - from]);
        return NULL;
    }
    uint32_t v, low;
    if (c != 'u' || !hex4(r, &v))
        return "bad escape in a JSON text";
    if (v >= 0xd800 && v < 0xdc00) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return "lone surrogate in a JSON text";
        r->p += 2;
        if (!hex4(r, &low) || low < 0xdc00 || low > 0xdfff)
            return "lone surrogate in a JSON text";
        v = 0x10000 + ((v - 0xd800) << 10) + (low - 0xdc00);
    } else if (v >= 0xdc00 && v <= 0xdfff) {
        return "lone surrogate in a JSON text";
    }
    add_utf8(&r->text, v);
    return NULL;
}

static const char *read_text(struct reader *r)
{
    fl_buf_reset(&r->text);
    while (r->p < r->end && *r->p != '"') {
        if ((unsigned char)*r->p < 0x20)
            return "control character in a JSON text";
        if (*r->p == '\\') {
            if (++r->p >= r->end)
                break;
            const char *bad = read_escape(r);
            if (bad)
                return bad;
            continue;
        }
        fl_buf_chr(&r->text, *r->p++);
    }
    if (r->p >= r->end)
        return "unfinished JSON text";
    r->p++;
    if (r->text.failed)
        return "out of memory";
    lua_pushlstring(r->L, r->text.p ? r->text.p : "", r->text.n);
    return NULL;
}

static bool valid_number(const char *s)
{
    s += *s == '-';
    if (*s == '0')
        s++;
    else if (*s >= '1' && *s <= '9')
        s += strspn(s, "0123456789");
    else
        return false;
    if (*s == '.') {
        size_t n = strspn(++s, "0123456789");
        if (!n)
            return false;
        s += n;
    }
    if (*s == 'e' || *s == 'E') {
        s++;
        s += *s == '+' || *s == '-';
        size_t n = strspn(s, "0123456789");
        if (!n)
            return false;
        s += n;
    }
    return *s == 0;
}

static const char *read_number(struct reader *r)
{
    char text[64];
    size_t n = 0;
    while (r->p < r->end && n < sizeof text - 1 && *r->p && strchr("+-.0123456789eE", *r->p))
        text[n++] = *r->p++;
    text[n] = 0;
    if (!valid_number(text))
        return "not a JSON value";
    errno = 0;
    long long i = strtoll(text, NULL, 10);
    if (!strpbrk(text, ".eE") && !errno) {
        lua_pushinteger(r->L, i);
        return NULL;
    }
    double d = strtod(text, NULL);
    if (!isfinite(d))
        return "number out of range";
    lua_pushnumber(r->L, d);
    return NULL;
}

static const char *read_object(struct reader *r)
{
    lua_newtable(r->L);
    if (take(r, '}'))
        return NULL;
    for (;;) {
        if (!take(r, '"'))
            return "expected a member's name";
        const char *bad = read_text(r);
        if (bad)
            return bad;
        if (!take(r, ':'))
            return "expected \":\"";
        bad = read_value(r);
        if (bad)
            return bad;
        if (lua_islightuserdata(r->L, -1)) { /* null: the member is absent */
            lua_pop(r->L, 1);
            lua_pushnil(r->L);
        }
        lua_rawset(r->L, -3);
        if (take(r, '}'))
            return NULL;
        if (!take(r, ','))
            return "expected \",\" or \"}\"";
    }
}

static const char *read_array(struct reader *r)
{
    lua_newtable(r->L);
    value_mark_array(r->L);
    if (take(r, ']'))
        return NULL;
    for (lua_Integer i = 1;; i++) {
        const char *bad = read_value(r);
        if (bad)
            return bad;
        lua_rawseti(r->L, -2, i);
        if (take(r, ']'))
            return NULL;
        if (!take(r, ','))
            return "expected \",\" or \"]\"";
    }
}

static bool word(struct reader *r, const char *w)
{
    size_t n = strlen(w);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, w, n) != 0)
        return false;
    r->p += n;
    return true;
}

static const char *read_value(struct reader *r)
{
    const char *bad;
    if (r->depth >= 100)
        return "JSON is nested too deeply";
    luaL_checkstack(r->L, 8, "JSON");
    skip(r);
    if (r->p >= r->end)
        return "unexpected end of JSON";
    switch (*r->p) {
    case '{':
    case '[':
        r->depth++;
        bad = *r->p++ == '{' ? read_object(r) : read_array(r);
        r->depth--;
        return bad;
    case '"': r->p++; return read_text(r);
    case 't':
        if (!word(r, "true"))
            break;
        lua_pushboolean(r->L, 1);
        return NULL;
    case 'f':
        if (!word(r, "false"))
            break;
        lua_pushboolean(r->L, 0);
        return NULL;
    case 'n':
        if (!word(r, "null"))
            break;
        lua_pushlightuserdata(r->L, NULL);
        return NULL;
    default: return read_number(r);
    }
    return "not a JSON value";
}

const char *value_from_json(lua_State *L, const char *p, size_t n)
{
    struct reader r = {.L = L, .p = p, .end = p + n, .text = fl_buf_init(0)};
    int top = lua_gettop(L);
    const char *bad = read_value(&r);
    if (!bad) {
        skip(&r);
        if (r.p != r.end)
            bad = "something follows the JSON value";
    }
    fl_buf_done(&r.text);
    if (bad)
        lua_settop(L, top);
    return bad;
}

/* ---- keys in their fixed order ---- */

static int rank_of(lua_State *L, int index)
{
    switch (lua_type(L, index)) {
    case LUA_TNUMBER: return 0;
    case LUA_TSTRING: return 1;
    case LUA_TBOOLEAN: return 2;
    default: return 3;
    }
}

/* Compare list[a] with list[b], both raw. */
static bool key_less(lua_State *L, int a, int b)
{
    int x = rank_of(L, a), y = rank_of(L, b);
    if (x != y)
        return x < y;
    if (x == 2)
        return lua_toboolean(L, a) < lua_toboolean(L, b);
    if (x == 0)
        return lua_compare(L, a, b, LUA_OPLT); /* numbers: no metamethod */
    struct key k = {.n = 0}, l = {.n = 0};
    k.s = lua_tolstring(L, a, &k.n);
    l.s = lua_tolstring(L, b, &l.n);
    return compare_keys(&k, &l) < 0; /* bytes, not the locale's order */
}

static void sift(lua_State *L, int list, lua_Integer root, lua_Integer n)
{
    for (lua_Integer child; (child = 2 * root) <= n; root = child) {
        lua_rawgeti(L, list, child);
        if (child < n) {
            lua_rawgeti(L, list, child + 1);
            if (key_less(L, -2, -1)) {
                child++;
                lua_remove(L, -2);
            } else {
                lua_pop(L, 1);
            }
        }
        lua_rawgeti(L, list, root);
        if (!key_less(L, -1, -2)) {
            lua_pop(L, 2);
            return;
        }
        lua_rawseti(L, list, child);
        lua_rawseti(L, list, root);
    }
}

void value_sorted_keys(lua_State *L, int index)
{
    index = lua_absindex(L, index);
    luaL_checkstack(L, 10, "keys");
    lua_newtable(L);
    int list = lua_gettop(L);
    lua_Integer n = 0;
    for (lua_pushnil(L); lua_next(L, index);) {
        lua_pop(L, 1);
        if (rank_of(L, -1) == 3)
            luaL_error(L, "keys must be texts, numbers or booleans: others have no order that lasts");
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, ++n);
    }
    for (lua_Integer i = n / 2; i >= 1; i--)
        sift(L, list, i, n);
    for (lua_Integer i = n; i > 1; i--) {
        lua_rawgeti(L, list, 1);
        lua_rawgeti(L, list, i);
        lua_rawseti(L, list, 1);
        lua_rawseti(L, list, i);
        sift(L, list, 1, i - 1);
    }
}
