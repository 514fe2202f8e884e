/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/config/config.c -- apply JSON, environment and flags to the option table, and dump it; contract in
 * <faultline/config.h>. */
#include "options_priv.h"

#include <faultline/json.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096, LIST_MAX = 1000, WORDS_MAX = 64, FILE_MAX = 1 << 20 };

/* The value of one option on its way in: JSON from the file, or text from a flag or variable. */
struct setter {
    struct fl_config *c;
    const char *name;
    struct fl_err *err;
};

FL_COLD FL_PRINTF(3, 4) static fl_status bad(const struct setter *s, fl_status st, const char *fmt, ...)
{
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return fl_fail(s->err, st, s->name, "%s: %s", s->name, text);
}

static fl_status no_memory(const struct setter *s)
{
    return fl_fail(s->err, FL_E_NOMEM, s->name, "out of memory");
}

/* ---- scalars ---- */

static bool is_choice(const char *choices, const char *s)
{
    size_t n = strlen(s);
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL)
        if (strcspn(p, "|") == n && memcmp(p, s, n) == 0)
            return true;
    return false;
}

static fl_status put_string(const struct setter *s, const struct option_slot *slot, const char *v)
{
    if (strlen(v) > TEXT_MAX)
        return bad(s, FL_E_LIMIT, "longer than %d bytes", TEXT_MAX);
    if (slot->choice && !is_choice(slot->choice, v))
        return bad(s, FL_E_USAGE, "expected %s, got \"%.100s\"", slot->choice, v);
    const char *copy = fl_arena_strdup(s->c->arena, v);
    if (!copy)
        return no_memory(s);
    *(const char **)(void *)((char *)s->c + slot->offset) = copy;
    return FL_OK;
}

static fl_status put_number(const struct setter *s, const struct option_slot *slot, int64_t v)
{
    char lo[24], hi[24];
    if (v >= slot->min && v <= slot->max) {
        *(int64_t *)(void *)((char *)s->c + slot->offset) = v;
        return FL_OK;
    }
    if (slot->kind == OPT_DURATION)
        return bad(s, FL_E_USAGE, "expected a duration from %s to %s", fl_format_duration(slot->min, lo),
                   fl_format_duration(slot->max, hi));
    return bad(s, FL_E_USAGE, "expected a number from %lld to %lld, got %lld", (long long)slot->min,
               (long long)slot->max, (long long)v);
}

static void put_bool(const struct setter *s, const struct option_slot *slot, bool v)
{
    *(bool *)(void *)((char *)s->c + slot->offset) = v;
}

/* ---- lists ---- */

static fl_status known_keys(const struct setter *s, const struct fl_json *obj, size_t i,
                            const char *const *keys, size_t n)
{
    if (!fl_json_is_object(obj))
        return bad(s, FL_E_USAGE, "entry %zu: expected a table", i + 1);
    for (void *it = fl_json_first(obj); it; it = fl_json_next(obj, it)) {
        size_t k = 0;
        while (k < n && strcmp(keys[k], fl_json_key(it)) != 0)
            k++;
        if (k < n)
            continue;
        const char *nearest = fl_nearest_word(fl_json_key(it), keys, n);
        fl_status st = bad(s, FL_E_USAGE, "entry %zu: unrecognized key \"%.100s\"", i + 1, fl_json_key(it));
        if (nearest)
            fl_hint(s->err, "did you mean \"%s\"?", nearest);
        return st;
    }
    return FL_OK;
}

static const char *entry_text(const struct setter *s, const struct fl_json *obj, const char *key)
{
    const char *v = fl_json_str(obj, key, "");
    return strlen(v) <= TEXT_MAX ? fl_arena_strdup(s->c->arena, v) : NULL;
}

/* A list of strings, NULL-terminated; an absent one is empty. NULL when it is something else. */
static const char *const *entry_words(const struct setter *s, const struct fl_json *obj, const char *key)
{
    const struct fl_json *v = fl_json_get(obj, key);
    size_t n = fl_json_len(v);
    /* An empty Lua table arrives as {}: it is as good an empty list as []. */
    if ((v && !fl_json_is_list(v)) || n > WORDS_MAX)
        return NULL;
    const char **out = fl_arena_calloc(s->c->arena, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++) {
        const char *word = fl_json_string(fl_json_at(v, i));
        out[i] = word && strlen(word) <= TEXT_MAX ? fl_arena_strdup(s->c->arena, word) : NULL;
        if (!out[i])
            return NULL;
    }
    return out;
}

/* "GET,POST", or a list of such words; GET when absent. */
static const char *entry_methods(const struct setter *s, const struct fl_json *obj)
{
    const struct fl_json *v = fl_json_get(obj, "methods");
    if (!v)
        return "GET";
    if (fl_json_is_string(v))
        return entry_text(s, obj, "methods");
    const char *const *words = entry_words(s, obj, "methods");
    FL_AUTO_BUF joined = fl_buf_init(TEXT_MAX);
    for (size_t i = 0; words && words[i]; i++) {
        fl_buf_str(&joined, i ? "," : "");
        fl_buf_str(&joined, words[i]);
    }
    return words && joined.p && !joined.failed ? fl_arena_strdup(s->c->arena, joined.p) : NULL;
}

static fl_status read_http_allow(const struct setter *s, const struct fl_json *v, size_t i)
{
    static const char *const keys[] = {"host", "port", "methods"};
    struct fl_http_allow_cfg *e = &s->c->http_allow[i];
    fl_status st = known_keys(s, v, i, keys, FL_ARRAY_LEN(keys));
    if (st)
        return st;
    e->host = entry_text(s, v, "host");
    e->methods = entry_methods(s, v);
    double port = fl_json_real(v, "port", fl_json_get(v, "port") ? NAN : 443);
    if (!e->host || !*e->host)
        return bad(s, FL_E_USAGE, "entry %zu: host is required", i + 1);
    if (!e->methods || !*e->methods)
        return bad(s, FL_E_USAGE, "entry %zu: methods: expected words such as \"GET,POST\"", i + 1);
    if (!(port >= 1 && port <= 65535) || port != floor(port))
        return bad(s, FL_E_USAGE, "entry %zu: port: expected a number from 1 to 65535", i + 1);
    e->port = (int64_t)port;
    return FL_OK;
}

static fl_status read_command(const struct setter *s, const struct fl_json *v, size_t i)
{
    static const char *const keys[] = {"name", "path", "args", "patterns"};
    struct fl_command_allow_cfg *e = &s->c->commands[i];
    fl_status st = known_keys(s, v, i, keys, FL_ARRAY_LEN(keys));
    if (st)
        return st;
    e->name = entry_text(s, v, "name");
    e->path = entry_text(s, v, "path");
    e->args = entry_words(s, v, "args");
    e->patterns = entry_words(s, v, "patterns");
    if (!e->name || !*e->name)
        return bad(s, FL_E_USAGE, "entry %zu: name is required", i + 1);
    if (!e->path || e->path[0] != '/')
        return bad(s, FL_E_USAGE, "entry %zu: path: expected an absolute path, no shell and no PATH is used",
                   i + 1);
    if (!e->args || !e->patterns)
        return bad(s, FL_E_USAGE, "entry %zu: args and patterns: expected lists of at most %d texts", i + 1,
                   WORDS_MAX);
    for (size_t k = 0; k < i; k++)
        if (strcmp(s->c->commands[k].name, e->name) == 0)
            return bad(s, FL_E_USAGE, "entry %zu: a second command named \"%.100s\"", i + 1, e->name);
    return FL_OK;
}

static fl_status put_list(const struct setter *s, const struct option_slot *slot, const struct fl_json *v)
{
    size_t n = fl_json_len(v);
    if (!fl_json_is_list(v))
        return bad(s, FL_E_USAGE, "expected a list");
    if (n > LIST_MAX)
        return bad(s, FL_E_LIMIT, "more than %d entries", LIST_MAX);
    bool http = slot->kind == OPT_HTTP_ALLOW;
    size_t size = http ? sizeof *s->c->http_allow : sizeof *s->c->commands;
    void *list = fl_arena_calloc(s->c->arena, n + 1, size);
    if (!list)
        return no_memory(s);
    if (http) {
        s->c->http_allow = list;
        s->c->n_http_allow = 0;
    } else {
        s->c->commands = list;
        s->c->n_commands = 0;
    }
    for (size_t i = 0; i < n; i++) {
        fl_status st = http ? read_http_allow(s, fl_json_at(v, i), i) : read_command(s, fl_json_at(v, i), i);
        if (st)
            return st;
        *(http ? &s->c->n_http_allow : &s->c->n_commands) = i + 1;
    }
    return FL_OK;
}

/* ---- from text: flags, environment, defaults ---- */

static fl_status set_text(const struct setter *s, const struct option_slot *slot, const char *v)
{
    int64_t n;
    switch (slot->kind) {
    case OPT_STRING: return put_string(s, slot, v);
    case OPT_INTEGER:
        if (!fl_parse_i64(v, INT64_MIN, INT64_MAX, &n))
            return bad(s, FL_E_USAGE, "expected a whole number, got \"%.100s\"", v);
        return put_number(s, slot, n);
    case OPT_DURATION:
        if (!fl_parse_duration(v, &n))
            return bad(s, FL_E_USAGE, "expected a duration such as \"5m\", got \"%.100s\"", v);
        return put_number(s, slot, n);
    case OPT_BOOLEAN:
        if (!is_choice("true|false|1|0|on|off|yes|no", v))
            return bad(s, FL_E_USAGE, "expected true or false, got \"%.100s\"", v);
        put_bool(s, slot, is_choice("true|1|on|yes", v));
        return FL_OK;
    case OPT_HTTP_ALLOW:
    case OPT_COMMANDS: break;
    }
    struct fl_err why = {.status = FL_OK};
    FL_AUTO_JSON list = fl_json_parse(v, strlen(v), &why);
    if (!list)
        return bad(s, FL_E_USAGE, "expected a list as JSON: %s", why.text);
    return put_list(s, slot, list);
}

static fl_status set_json(const struct setter *s, const struct option_slot *slot, const struct fl_json *v)
{
    const char *text = fl_json_string(v);
    double number = fl_json_number(v, NAN);
    switch (slot->kind) {
    case OPT_STRING: return text ? put_string(s, slot, text) : bad(s, FL_E_USAGE, "expected a string");
    case OPT_INTEGER:
        if (!(fabs(number) <= 9e15) || number != floor(number))
            return bad(s, FL_E_USAGE, "expected a whole number");
        return put_number(s, slot, (int64_t)number);
    case OPT_DURATION:
        if (text)
            return set_text(s, slot, text);
        if (!(fabs(number) <= 9e9))
            return bad(s, FL_E_USAGE, "expected a duration such as \"5m\", or seconds");
        return put_number(s, slot, (fl_usec)llround(number * 1e6));
    case OPT_BOOLEAN:
        if (!fl_json_is_bool(v))
            return bad(s, FL_E_USAGE, "expected true or false");
        put_bool(s, slot, fl_json_truth(v));
        return FL_OK;
    case OPT_HTTP_ALLOW:
    case OPT_COMMANDS: return put_list(s, slot, v);
    }
    return FL_E_INTERNAL;
}

/* --log-level and log_level are the same option. */
static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '-' ? '_' : *a) != *b)
            return false;
    return *a == *b;
}

static fl_status find(const char *name, size_t *ret, struct fl_err *err)
{
    size_t n;
    const struct fl_option *o = fl_config_options(&n);
    for (size_t i = 0; i < n; i++)
        if (same_name(name, o[i].name)) {
            *ret = i;
            return FL_OK;
        }
    const char *names[64];
    FL_REQUIRE(n <= FL_ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++)
        names[i] = o[i].name;
    fl_fail(err, FL_E_USAGE, name, "unrecognized option \"%.100s\"", name);
    const char *nearest = fl_nearest_word(name, names, n);
    if (nearest)
        fl_hint(err, "did you mean \"%s\"?", nearest);
    return FL_E_USAGE;
}

fl_status fl_config_set(struct fl_config *c, const char *name, const char *value, struct fl_err *err)
{
    size_t i, n;
    fl_status st = find(name, &i, err);
    if (st)
        return st;
    struct setter s = {.c = c, .name = fl_config_options(&n)[i].name, .err = err};
    if (!fl_utf8_valid(value, strlen(value)))
        return bad(&s, FL_E_USAGE, "the value is not UTF-8");
    return set_text(&s, &fl_config_slots()[i], value);
}

fl_status fl_config_new(struct fl_config **ret, struct fl_err *err)
{
    size_t n;
    const struct fl_option *o = fl_config_options(&n);
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_config *c = arena ? fl_arena_calloc(arena, 1, sizeof *c) : NULL;
    fl_status st = c ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (c)
        c->arena = arena;
    for (size_t i = 0; i < n && !st; i++)
        st = fl_config_set(c, o[i].name, o[i].dflt, err);
    if (st) {
        fl_arena_free(arena);
        return st;
    }
    *ret = c;
    return FL_OK;
}

struct fl_config *fl_config_free(struct fl_config *c)
{
    if (c)
        fl_arena_free(c->arena);
    return NULL;
}

/* ---- the file ---- */

static bool word_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* The line that assigns `key` in the Lua source: `key =` or `["key"] =`, not behind "--". 0 = not found. */
static size_t line_of(const char *source, const char *key)
{
    size_t line = 0, n = strlen(key);
    for (const char *p = n ? source : NULL; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
        size_t length = strcspn(p, "\n");
        const char *comment = memmem(p, length, "--", 2);
        const char *end = comment ? comment : p + length, *from = p, *hit;
        line++;
        while (from < end && (hit = memmem(from, (size_t)(end - from), key, n))) {
            const char *after = hit + n;
            bool starts = hit == p || !word_char(hit[-1]);
            if (after < end && (*after == '"' || *after == '\''))
                after++;
            after += after < end && *after == ']';
            while (after < end && (*after == ' ' || *after == '\t'))
                after++;
            if (starts && after < end && *after == '=' && after[1] != '=')
                return line;
            from = hit + n;
        }
    }
    return 0;
}

/* The file and, when the source is at hand, the line take the place of the option's name. */
static void place_in_file(struct fl_err *err, const char *file, const char *source, const char *key)
{
    size_t line = source ? line_of(source, key) : 0;
    if (!err || !file)
        return;
    if (line)
        snprintf(err->where, sizeof err->where, "%s:%zu", file, line);
    else
        snprintf(err->where, sizeof err->where, "%s", file);
}

fl_status fl_config_apply_json(struct fl_config *c, const char *json, size_t n, const char *file,
                               const char *source, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    if (n > FILE_MAX)
        return fl_fail(err, FL_E_LIMIT, file, "configuration longer than %d bytes", FILE_MAX);
    FL_AUTO_JSON root = fl_json_parse(json, n, err);
    if (!root)
        return err->status;
    if (!fl_json_is_object(root))
        return fl_fail(err, FL_E_USAGE, file, "expected a table of options");
    for (void *it = fl_json_first(root); it; it = fl_json_next(root, it)) {
        size_t i, count;
        const char *key = fl_json_key(it);
        fl_status st = find(key, &i, err);
        if (!st) {
            struct setter s = {.c = c, .name = fl_config_options(&count)[i].name, .err = err};
            st = set_json(&s, &fl_config_slots()[i], fl_json_value(it));
        }
        if (st) {
            place_in_file(err, file, source, key);
            return st;
        }
    }
    return FL_OK;
}

/* ---- the environment ---- */

fl_status fl_config_apply_env(struct fl_config *c, char *const *environ, struct fl_err *err)
{
    static const char prefix[] = "FAULTLINE_";
    for (; environ && *environ; environ++) {
        const char *p = *environ, *equals = strchr(p, '=');
        if (strncmp(p, prefix, sizeof prefix - 1) != 0 || !equals)
            continue;
        char name[64];
        size_t n = 0;
        for (p += sizeof prefix - 1; p < equals && n < sizeof name - 1; p++)
            name[n++] = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
        name[n] = 0;
        size_t i;
        struct fl_err why = {.status = FL_OK};
        fl_status st = find(name, &i, &why);
        /* Others use the prefix too (FAULTLINE_URL of the client, FAULTLINE_PORT that Kubernetes sets): only what
         * looks like a slip is an error. */
        if (st && !why.hint[0])
            continue;
        if (!st)
            st = fl_config_set(c, name, equals + 1, err);
        else if (err && err->status == FL_OK)
            *err = why;
        if (st) {
            if (err)
                snprintf(err->where, sizeof err->where, "environment: %.*s",
                         (int)(equals - *environ < 100 ? equals - *environ : 100), *environ);
            return st;
        }
    }
    return FL_OK;
}

/* ---- dump ---- */

static void dump_words(struct fl_jw *w, const char *key, const char *const *words)
{
    fl_jw_arr(w, key);
    for (; *words; words++)
        fl_jw_str(w, NULL, *words);
    fl_jw_arr_end(w);
}

static void dump_lists(struct fl_jw *w, const char *key, const struct fl_config *c, option_kind kind)
{
    fl_jw_arr(w, key);
    for (size_t i = 0; kind == OPT_HTTP_ALLOW && i < c->n_http_allow; i++) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "host", c->http_allow[i].host);
        fl_jw_int(w, "port", c->http_allow[i].port);
        fl_jw_str(w, "methods", c->http_allow[i].methods);
        fl_jw_obj_end(w);
    }
    for (size_t i = 0; kind == OPT_COMMANDS && i < c->n_commands; i++) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "name", c->commands[i].name);
        fl_jw_str(w, "path", c->commands[i].path);
        dump_words(w, "args", c->commands[i].args);
        dump_words(w, "patterns", c->commands[i].patterns);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

/* A connection string may hold a password in either of libpq's two forms. */
static bool may_hold_password(const char *database)
{
    return strstr(database, "password") || strchr(database, '@');
}

void fl_config_dump(const struct fl_config *c, struct fl_buf *out)
{
    size_t n;
    const struct fl_option *o = fl_config_options(&n);
    const struct option_slot *slots = fl_config_slots();
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        const void *at = (const char *)c + slots[i].offset;
        char text[24];
        switch (slots[i].kind) {
        case OPT_STRING: {
            const char *v = *(const char *const *)at;
            bool secret = slots[i].offset == offsetof(struct fl_config, database) && may_hold_password(v);
            fl_jw_str(&w, o[i].name, secret ? "(hidden)" : v);
            break;
        }
        case OPT_INTEGER: fl_jw_int(&w, o[i].name, *(const int64_t *)at); break;
        case OPT_DURATION: fl_jw_str(&w, o[i].name, fl_format_duration(*(const int64_t *)at, text)); break;
        case OPT_BOOLEAN: fl_jw_bool(&w, o[i].name, *(const bool *)at); break;
        case OPT_HTTP_ALLOW:
        case OPT_COMMANDS: dump_lists(&w, o[i].name, c, slots[i].kind); break;
        }
    }
    fl_jw_obj_end(&w);
}
