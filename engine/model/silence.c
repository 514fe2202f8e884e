/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/silence.c -- Alertmanager's silence: JSON in and out, what makes one valid; contract in
 * <faultline/model.h>. The words of each refusal are Alertmanager's, because amtool shows them to people. */
#include <faultline/json.h>
#include <faultline/model.h>

#include <string.h>

#define WHY_INVALID "silence invalid: "

static fl_status refuse(unsigned *code, unsigned value, struct fl_err *err, const char *where,
                        const char *text)
{
    *code = value;
    return fl_fail(err, FL_E_SHAPE, where, "%s", text);
}

/* Its generated parser's answer to a value of the wrong type. */
static fl_status unreadable(unsigned *code, struct fl_err *err, const char *where, const char *why)
{
    *code = 400;
    return fl_fail(err, FL_E_SHAPE, where, "parsing silence body from \"\" failed, because %s", why);
}

static fl_status required(unsigned *code, struct fl_err *err, const char *key)
{
    *code = 602;
    return fl_fail(err, FL_E_SHAPE, key, "%s in body is required", key);
}

static fl_status read_text(struct fl_arena *a, const struct fl_json *v, const char *key, size_t max,
                           const char **ret, unsigned *code, struct fl_err *err)
{
    const struct fl_json *m = fl_json_get(v, key);
    if (!m)
        return required(code, err, key);
    const char *s = fl_json_string(m);
    if (!s)
        return unreadable(code, err, key, "json: cannot unmarshal a value into a field of type string");
    if (strlen(s) > max)
        return refuse(code, 0, err, key, WHY_INVALID "a text is too long");
    *ret = fl_arena_strdup(a, s);
    return *ret ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

static fl_status read_time(const struct fl_json *v, const char *key, fl_usec *ret, unsigned *code,
                           struct fl_err *err)
{
    const struct fl_json *m = fl_json_get(v, key);
    const char *s = fl_json_string(m);
    if (!m)
        return required(code, err, key);
    if (s && fl_time_parse(s, strlen(s), ret))
        return FL_OK;
    *code = 400;
    return fl_fail(err, FL_E_SHAPE, key,
                   "parsing silence body from \"\" failed, because parsing time \"%.64s\" as "
                   "\"2006-01-02 15:04:05\": cannot parse \"%.64s\" as \"2006\"",
                   s ? s : "", s ? s : "");
}

static fl_status read_matcher(struct fl_arena *a, const struct fl_json *v, size_t i, struct fl_matcher *m,
                              unsigned *code, struct fl_err *err)
{
    static const char *const needed[] = {"isRegex", "name", "value"};
    *code = 602;
    if (!fl_json_is_object(v))
        return unreadable(code, err, "matchers",
                          "json: cannot unmarshal a value into a field of type models.Matcher");
    for (size_t k = 0; k < FL_ARRAY_LEN(needed); k++)
        if (!fl_json_get(v, needed[k])) {
            *code = 602;
            return fl_fail(err, FL_E_SHAPE, "matchers", "matchers.%zu.%s in body is required", i, needed[k]);
        }
    const char *name = fl_json_string(fl_json_get(v, "name")),
               *value = fl_json_string(fl_json_get(v, "value"));
    if (!name || !value || !fl_json_is_bool(fl_json_get(v, "isRegex")))
        return unreadable(code, err, "matchers",
                          "json: cannot unmarshal a value into a field of another type");
    *code = 0;
    if (!*name || strlen(name) > FL_LABEL_NAME_MAX)
        return fl_fail(err, FL_E_SHAPE, "matchers",
                       WHY_INVALID "invalid label matcher %zu: invalid label name \"%.100s\"", i, name);
    if (strlen(value) > FL_LABEL_VALUE_MAX)
        return fl_fail(err, FL_E_LIMIT, "matchers",
                       WHY_INVALID "invalid label matcher %zu: the value is too long", i);
    bool equal = fl_json_bool(v, "isEqual", true), regex = fl_json_bool(v, "isRegex", false);
    m->name = fl_arena_strdup(a, name);
    m->value = fl_arena_strdup(a, value);
    m->op = regex ? (equal ? '~' : 'n') : (equal ? '=' : '!');
    if (!m->name || !m->value)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    struct fl_err why = {0};
    fl_status st = fl_matcher_compile(m, &why);
    if (st != FL_OK)
        return fl_fail(err, st, "matchers", WHY_INVALID "invalid label matcher %zu: %s", i, why.text);
    return FL_OK;
}

/* Only what says "this value" can keep a silence from hiding everything: a negation does not count, as there. */
static bool matches_empty(const struct fl_matcher *m)
{
    static const struct fl_labels none;
    return (m->op == '=' || m->op == '~') && fl_match_all(m, 1, &none);
}

static fl_status read_matchers(struct fl_arena *a, const struct fl_json *list, struct fl_silence *ret,
                               unsigned *code, struct fl_err *err)
{
    if (!list)
        return required(code, err, "matchers");
    if (!fl_json_is_array(list))
        return unreadable(code, err, "matchers",
                          "json: cannot unmarshal a value into a field of type models.Matchers");
    size_t n = fl_json_len(list);
    if (!n)
        return refuse(code, 612, err, "matchers", "matchers in body should have at least 1 items");
    if (n > FL_SILENCE_MATCHERS_MAX)
        return refuse(code, 0, err, "matchers", WHY_INVALID "more than 64 matchers");
    struct fl_matcher *m = fl_arena_calloc(a, n, sizeof *m);
    if (!m)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    ret->m = m;
    bool all_empty = true;
    for (size_t i = 0; i < n; i++) {
        ret->n = i + 1;
        fl_status st = read_matcher(a, fl_json_at(list, i), i, &m[i], code, err);
        if (st != FL_OK)
            return st;
        all_empty &= matches_empty(&m[i]);
    }
    return all_empty ? refuse(code, 0, err, "matchers",
                              WHY_INVALID "at least one matcher must not match the empty string")
                     : FL_OK;
}

void fl_silence_done(struct fl_silence *s)
{
    for (size_t i = 0; i < s->n; i++)
        fl_matcher_done(&s->m[i]);
    s->n = 0;
}

fl_status fl_silence_parse(struct fl_arena *arena, const struct fl_json *v, fl_usec now,
                           struct fl_silence *ret, unsigned *ret_code, struct fl_err *err)
{
    unsigned unused, *code = ret_code ? ret_code : &unused;
    *code = 0;
    *ret = (struct fl_silence){.id = ""};
    if (!fl_json_is_object(v))
        return unreadable(code, err, "",
                          "json: cannot unmarshal a value into Go value of type models.PostableSilence");
    fl_status st = FL_OK;
    if (fl_json_get(v, "id"))
        st = read_text(arena, v, "id", 64, &ret->id, code, err);
    if (st == FL_OK)
        st = read_text(arena, v, "comment", FL_ANNOTATION_MAX, &ret->comment, code, err);
    if (st == FL_OK)
        st = read_text(arena, v, "createdBy", FL_LABEL_NAME_MAX, &ret->created_by, code, err);
    if (st == FL_OK)
        st = read_time(v, "endsAt", &ret->ends_at, code, err);
    if (st == FL_OK && !fl_json_get(v, "matchers"))
        st = required(code, err, "matchers");
    if (st == FL_OK)
        st = read_time(v, "startsAt", &ret->starts_at, code, err);
    if (st == FL_OK && now && ret->starts_at >= ret->ends_at)
        st = refuse(code, 0, err, "startsAt", "Failed to create silence: start time must be before end time");
    if (st == FL_OK && now && ret->ends_at < now)
        st = refuse(code, 0, err, "endsAt", "Failed to create silence: end time can't be in the past");
    if (st == FL_OK)
        st = read_matchers(arena, fl_json_get(v, "matchers"), ret, code, err);
    if (st != FL_OK)
        fl_silence_done(ret);
    return st;
}

bool fl_silence_same_matchers(const struct fl_silence *a, const struct fl_silence *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->m[i].op != b->m[i].op || strcmp(a->m[i].name, b->m[i].name) != 0 ||
            strcmp(a->m[i].value, b->m[i].value) != 0)
            return false;
    return true;
}

void fl_silence_matchers_json(struct fl_jw *w, const char *key, const struct fl_silence *s)
{
    fl_jw_arr(w, key);
    for (size_t i = 0; i < s->n; i++) {
        const struct fl_matcher *m = &s->m[i];
        fl_jw_obj(w, NULL);
        fl_jw_bool(w, "isEqual", m->op == '=' || m->op == '~');
        fl_jw_bool(w, "isRegex", m->op == '~' || m->op == 'n');
        fl_jw_str(w, "name", m->name);
        fl_jw_str(w, "value", m->value);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

void fl_silence_text(const struct fl_silence *s, struct fl_buf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        if (i)
            fl_buf_str(out, ", ");
        fl_matcher_text(&s->m[i], out);
    }
}

bool fl_silence_id_valid(const char *id)
{
    size_t n = strlen(id);
    for (size_t i = 0; i < n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (id[i] == '-') || (!dash && !strchr("0123456789abcdefABCDEF", id[i])))
            return false;
    }
    return n == 36;
}
