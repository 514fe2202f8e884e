/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/mapping.c -- any JSON as alerts, by a mapping that is data (rules: `source`); contract in
 * <faultline/intake.h>. The journal keeps mapping and body together, so that a replay needs no rule file. */
#include "form_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ENTRIES_MAX = 64, ALTERNATIVES_MAX = 16, POINTER_MAX = 512, WORDS_MAX = 64, NAME_MAX_BYTES = 64 };

/* ---- JSON pointers (RFC 6901) ---- */

static const struct fl_json *step(const struct fl_json *v, const char *token, size_t n)
{
    char key[POINTER_MAX + 1];
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        char c = token[i];
        if (c == '~' && i + 1 < n && (token[i + 1] == '0' || token[i + 1] == '1'))
            c = token[++i] == '0' ? '~' : '/';
        key[k++] = c;
    }
    key[k] = 0;
    if (fl_json_is_object(v))
        return fl_json_get(v, key);
    int64_t index;
    return fl_json_is_array(v) && fl_parse_i64(key, 0, FL_ALERTS_MAX, &index) ? fl_json_at(v, (size_t)index)
                                                                              : NULL;
}

/* "/a/b" from the element, "#/a/b" from the whole body. */
static const struct fl_json *follow(const struct fl_json *root, const struct fl_json *element,
                                    const char *pointer)
{
    const struct fl_json *v = *pointer == '#' ? root : element;
    const char *p = *pointer == '#' ? pointer + 1 : pointer;
    while (v && *p == '/') {
        size_t n = strcspn(++p, "/");
        v = step(v, p, n);
        p += n;
    }
    return v;
}

/* One pointer, or several of which the first with a value counts. */
static const struct fl_json *pick(const struct fl_json *root, const struct fl_json *element,
                                  const struct fl_json *from)
{
    bool is_list = fl_json_is_array(from);
    for (size_t i = 0; from && i < (is_list ? fl_json_len(from) : 1); i++) {
        const char *pointer = fl_json_string(is_list ? fl_json_at(from, i) : from);
        const struct fl_json *v = pointer ? follow(root, element, pointer) : NULL;
        const char *s = fl_json_string(v);
        if (v && (!s || *s))
            return v;
    }
    return NULL;
}

/* ---- checking a mapping ---- */

struct check {
    struct fl_err *err;
    fl_status st;
};

static void bad(struct check *c, fl_status st, const char *where, const char *text)
{
    if (!c->st)
        c->st = fl_fail(c->err, st, where, "%s", text);
}

static void check_pointer(struct check *c, const char *where, const struct fl_json *v)
{
    const char *s = fl_json_string(v);
    if (!s)
        bad(c, FL_E_SHAPE, where, "expected a JSON pointer, a string");
    else if (strlen(s) > POINTER_MAX)
        bad(c, FL_E_LIMIT, where, "a JSON pointer longer than 512 bytes");
    else if (*s && *s != '/' && strcmp(s, "#") != 0 && strncmp(s, "#/", 2) != 0)
        bad(c, FL_E_SHAPE, where,
            "a JSON pointer begins with \"/\" (from the element) or \"#/\" (from the body)");
}

static void check_from(struct check *c, const char *where, const struct fl_json *v)
{
    if (!fl_json_is_array(v)) {
        check_pointer(c, where, v);
        return;
    }
    if (!fl_json_len(v) || fl_json_len(v) > ALTERNATIVES_MAX)
        bad(c, FL_E_LIMIT, where, "expected 1 to 16 JSON pointers");
    for (size_t i = 0; i < fl_json_len(v) && !c->st; i++)
        check_pointer(c, where, fl_json_at(v, i));
}

static void check_string(struct check *c, const char *where, const struct fl_json *v)
{
    if (!fl_json_is_string(v))
        bad(c, FL_E_SHAPE, where, "expected a string");
}

static void check_words(struct check *c, const char *where, const struct fl_json *v)
{
    if (!fl_json_is_list(v) || fl_json_len(v) > WORDS_MAX)
        bad(c, FL_E_SHAPE, where, "expected a list of at most 64 values");
}

/* Every member of `obj` by `each`. */
static void check_map(struct check *c, const char *where, const struct fl_json *obj,
                      void (*each)(struct check *c, const char *where, const struct fl_json *v))
{
    size_t n = 0;
    if (obj && !fl_json_is_map(obj))
        bad(c, FL_E_SHAPE, where, "expected an object");
    for (void *it = fl_json_is_object(obj) ? fl_json_first(obj) : NULL; it && !c->st;
         it = fl_json_next(obj, it)) {
        if (++n > ENTRIES_MAX)
            bad(c, FL_E_LIMIT, where, "more than 64 entries");
        if (!*fl_json_key(it))
            bad(c, FL_E_SHAPE, where, "a name is empty");
        if (c->st)
            return;
        each(c, fl_json_key(it), fl_json_value(it));
        if (c->st)
            fl_err_within(c->err, "%s", where);
    }
}

static void only(struct check *c, const char *where, const struct fl_json *obj, const char *const *keys,
                 size_t n)
{
    for (void *it = fl_json_is_object(obj) ? fl_json_first(obj) : NULL; it && !c->st;
         it = fl_json_next(obj, it)) {
        bool known = false;
        for (size_t i = 0; i < n; i++)
            known |= strcmp(fl_json_key(it), keys[i]) == 0;
        if (known)
            continue;
        c->st = fl_fail(c->err, FL_E_SHAPE, where, "unrecognized key \"%.60s\"", fl_json_key(it));
        const char *near = fl_nearest_word(fl_json_key(it), keys, n);
        if (near)
            fl_hint(c->err, "did you mean \"%s\"?", near);
    }
}

#define ONLY(c, where, obj, ...)                            \
    only(c, where, obj, (const char *const[]){__VA_ARGS__}, \
         FL_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void check_status(struct check *c, const struct fl_json *s)
{
    static const char *const lists[] = {"firing", "resolved", "ignore"};
    if (!fl_json_is_object(s)) {
        bad(c, FL_E_SHAPE, "status", "expected {from, firing?, resolved?, ignore?, default?}");
        return;
    }
    ONLY(c, "status", s, "from", "firing", "resolved", "ignore", "default");
    check_from(c, "status.from", fl_json_get(s, "from"));
    for (size_t i = 0; i < FL_ARRAY_LEN(lists); i++)
        if (fl_json_get(s, lists[i]))
            check_words(c, "status", fl_json_get(s, lists[i]));
    const char *dflt = fl_json_str(s, "default", "firing");
    if (strcmp(dflt, "firing") != 0 && strcmp(dflt, "resolved") != 0 && strcmp(dflt, "ignore") != 0 &&
        strcmp(dflt, "refuse") != 0)
        bad(c, FL_E_SHAPE, "status.default", "expected \"firing\", \"resolved\", \"ignore\" or \"refuse\"");
}

static void check_severity(struct check *c, const struct fl_json *s)
{
    if (!fl_json_is_object(s)) {
        bad(c, FL_E_SHAPE, "severity", "expected {from, map?, default?}");
        return;
    }
    ONLY(c, "severity", s, "from", "map", "default");
    check_from(c, "severity.from", fl_json_get(s, "from"));
    check_map(c, "severity.map", fl_json_get(s, "map"), check_string);
}

fl_status fl_mapping_check(const struct fl_json *m, struct fl_err *err)
{
    struct check c = {.err = err};
    fl_usec lease;
    if (!fl_json_is_object(m))
        return fl_fail(err, FL_E_SHAPE, NULL, "expected a mapping, an object");
    ONLY(&c, NULL, m, "name", "list", "labels", "annotations", "fixed", "status", "starts", "ends",
         "severity", "url", "lease");
    const char *name = fl_json_str(m, "name", "");
    if (!*name || strlen(name) > NAME_MAX_BYTES ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != strlen(name))
        bad(&c, FL_E_SHAPE, "name", "expected 1 to 64 of a-z, 0-9, - and _");
    if (fl_json_get(m, "list"))
        check_pointer(&c, "list", fl_json_get(m, "list"));
    if (!fl_json_get(m, "labels") && !fl_json_get(m, "fixed"))
        bad(&c, FL_E_SHAPE, "labels", "is required: without labels there is no alert");
    check_map(&c, "labels", fl_json_get(m, "labels"), check_from);
    check_map(&c, "annotations", fl_json_get(m, "annotations"), check_from);
    check_map(&c, "fixed", fl_json_get(m, "fixed"), check_string);
    static const char *const pointers[] = {"starts", "ends", "url"};
    for (size_t i = 0; i < FL_ARRAY_LEN(pointers); i++)
        if (fl_json_get(m, pointers[i]))
            check_from(&c, pointers[i], fl_json_get(m, pointers[i]));
    if (fl_json_get(m, "status"))
        check_status(&c, fl_json_get(m, "status"));
    if (fl_json_get(m, "severity"))
        check_severity(&c, fl_json_get(m, "severity"));
    if (fl_json_get(m, "lease") && (!fl_parse_duration(fl_json_str(m, "lease", ""), &lease) || lease <= 0 ||
                                    lease > FL_RULES_DURATION_MAX))
        bad(&c, FL_E_SHAPE, "lease", "expected a duration such as \"1h\"");
    return c.st;
}

/* ---- one element ---- */

static bool listed(struct fl_form *f, const struct fl_json *words, const char *s)
{
    for (size_t i = 0; i < fl_json_len(words); i++) {
        const char *word = fl_form_text(f, fl_json_at(words, i));
        if (word && strcmp(word, s) == 0)
            return true;
    }
    return false;
}

/* firing, resolved, ignore or refuse. Without lists the usual words are understood. */
static const char *status_word(struct fl_form *f, const struct fl_json *st, const char *s)
{
    static const char *const names[] = {"resolved", "ignore", "firing"};
    static const char *const usual[] = {"resolved", "ok",     "closed", "recovered", "recovery",
                                        "up",       "normal", "0",      "false"};
    bool has_list = false;
    for (size_t i = 0; i < FL_ARRAY_LEN(names); i++) {
        const struct fl_json *words = fl_json_get(st, names[i]);
        has_list |= words != NULL;
        if (listed(f, words, s))
            return names[i];
    }
    for (size_t i = 0; !has_list && i < FL_ARRAY_LEN(usual); i++)
        if (strcasecmp(s, usual[i]) == 0)
            return "resolved";
    return fl_json_str(st, "default", "firing");
}

static void map_status(struct fl_form *f, const struct fl_json *m, const struct fl_json *root,
                       const struct fl_json *e)
{
    const struct fl_json *st = fl_json_get(m, "status");
    const char *s = st ? fl_form_text(f, pick(root, e, fl_json_get(st, "from"))) : NULL;
    const char *word = st ? status_word(f, st, s ? s : "") : "firing";
    if (strcmp(word, "ignore") == 0)
        fl_form_ignore(f);
    else if (strcmp(word, "refuse") == 0)
        fl_form_refuse(f, FL_E_SHAPE, "status", "status \"%.60s\" is neither firing nor resolved",
                       s ? s : "");
    fl_form_status(f, strcmp(word, "resolved") != 0);
}

static void map_severity(struct fl_form *f, const struct fl_json *m, const struct fl_json *root,
                         const struct fl_json *e)
{
    const struct fl_json *sv = fl_json_get(m, "severity");
    const char *s = sv ? fl_form_text(f, pick(root, e, fl_json_get(sv, "from"))) : NULL;
    const char *word = s ? fl_json_str(fl_json_get(sv, "map"), s, s) : fl_json_str(sv, "default", NULL);
    fl_form_note(f, "severity", word);
}

static void map_all(struct fl_form *f, const struct fl_json *map, const struct fl_json *root,
                    const struct fl_json *e,
                    void (*put)(struct fl_form *f, const char *name, const char *value))
{
    for (void *it = map ? fl_json_first(map) : NULL; it; it = fl_json_next(map, it))
        put(f, fl_json_key(it), fl_form_text(f, pick(root, e, fl_json_value(it))));
}

static void read_element(struct fl_form *f, const struct fl_json *m, const struct fl_json *root,
                         const struct fl_json *e)
{
    map_status(f, m, root, e);
    map_severity(f, m, root, e);
    map_all(f, fl_json_get(m, "annotations"), root, e, fl_form_note);
    const struct fl_json *fixed = fl_json_get(m, "fixed");
    for (void *it = fixed ? fl_json_first(fixed) : NULL; it; it = fl_json_next(fixed, it))
        fl_form_label(f, fl_json_key(it), fl_json_string(fl_json_value(it)));
    map_all(f, fl_json_get(m, "labels"), root, e, fl_form_label);
    fl_form_starts(f, fl_form_time(f, pick(root, e, fl_json_get(m, "starts"))));
    fl_form_ends(f, fl_form_time(f, pick(root, e, fl_json_get(m, "ends"))));
    fl_form_url(f, fl_form_text(f, pick(root, e, fl_json_get(m, "url"))));
    fl_usec lease;
    if (fl_json_get(m, "lease") && fl_parse_duration(fl_json_str(m, "lease", ""), &lease))
        f->lease = f->judge.now + lease;
}

fl_status fl_read_mapped(struct fl_form *f)
{
    const struct fl_json *m = fl_json_get(f->root, "mapping"), *body = fl_json_get(f->root, "body");
    if (!fl_json_is_object(f->root) || !m)
        return fl_form_fail(f, FL_E_SHAPE, "mapping", "expected a body with its mapping");
    struct fl_err err = {.status = FL_OK};
    if (fl_mapping_check(m, &err) != FL_OK)
        return fl_form_fail(f, err.status, "mapping", "%s%s%s", err.where, *err.where ? ": " : "", err.text);
    const char *pointer = fl_json_str(m, "list", "");
    const struct fl_json *list = follow(body, body, pointer);
    const char *place = *pointer == '#' ? pointer + 1 : pointer;
    if (!fl_json_is_array(list)) {
        if (*pointer)
            return fl_form_fail(f, FL_E_SHAPE, pointer, "expected an array, as the mapping's list says");
        fl_form_begin(f, 0, "", body);
        if (!f->refused)
            read_element(f, m, body, body);
        fl_form_end(f);
        return f->st;
    }
    if (!fl_form_list(f, place, list))
        return f->st;
    for (size_t i = 0; i < fl_json_len(list) && !f->st; i++) {
        const struct fl_json *e = fl_json_at(list, i);
        fl_form_begin(f, i, fl_form_at(f, place, i), e);
        if (!f->refused)
            read_element(f, m, body, e);
        fl_form_end(f);
    }
    return f->st;
}

fl_status fl_intake_canonical_mapped(struct fl_arena *arena, const char *mapping, const char *body,
                                     size_t len, struct fl_buf *out, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    FL_AUTO_JSON tree = fl_form_tree(arena, body, len, err);
    if (!tree)
        return err->status;
    FL_AUTO_FREE char *text = fl_json_text(tree, false);
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "mapping", mapping);
    fl_jw_raw(&w, "body", text);
    fl_jw_obj_end(&w);
    return !text || out->failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory") : FL_OK;
}
