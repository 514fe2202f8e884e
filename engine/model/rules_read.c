/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_read.c -- the members of a rule, each checked as it is read; contract in rules_read.h. */
#include "rules_read.h"

#include "regex_priv.h"

#include <math.h>
#include <string.h>

void rd_fail(struct reader *rd, fl_status st, const char *where, const char *text)
{
    if (!rd->st)
        rd->st = fl_fail(rd->err, st, where, "%s", text);
}

static void *rd_memory(struct reader *rd, size_t n, size_t size)
{
    void *p = fl_arena_calloc(rd->arena, n ? n : 1, size);
    if (!p)
        rd_fail(rd, FL_E_NOMEM, NULL, "out of memory");
    return p;
}

/* Unknown keys are errors: a misspelt guard that is silently ignored is worse than no guard. */
void rd_only(struct reader *rd, const struct fl_json *obj, const char *const *keys, size_t n)
{
    if (rd->st)
        return;
    if (!fl_json_is_map(obj)) {
        rd_fail(rd, FL_E_SHAPE, NULL, "expected an object");
        return;
    }
    for (void *it = fl_json_first(obj); it && !rd->st; it = fl_json_next(obj, it)) {
        const char *key = fl_json_key(it);
        size_t i = 0;
        while (i < n && strcmp(keys[i], key) != 0)
            i++;
        if (i < n)
            continue;
        rd->st = fl_fail(rd->err, FL_E_SHAPE, NULL, "unrecognized key \"%.100s\"", key);
        const char *nearest = fl_nearest_word(key, keys, n);
        if (nearest)
            fl_hint(rd->err, "did you mean \"%s\"?", nearest);
    }
}

/* ---- members ---- */

const char *rd_text(struct reader *rd, const struct fl_json *v, const char *where, size_t max)
{
    const char *s = fl_json_string(v);
    if (rd->st)
        return "";
    if (!s || strlen(s) > max) {
        rd_fail(rd, s ? FL_E_LIMIT : FL_E_SHAPE, where, s ? "text is too long" : "expected a string");
        return "";
    }
    char *copy = fl_arena_strdup(rd->arena, s);
    if (!copy)
        rd_fail(rd, FL_E_NOMEM, where, "out of memory");
    return copy ? copy : "";
}

const char *rd_opt_text(struct reader *rd, const struct fl_json *obj, const char *key, const char *dflt)
{
    const struct fl_json *v = fl_json_get(obj, key);
    return v ? rd_text(rd, v, key, FL_LABEL_VALUE_MAX) : dflt;
}

const char *rd_need_text(struct reader *rd, const struct fl_json *obj, const char *key)
{
    const char *s = rd_opt_text(rd, obj, key, "");
    if (!rd->st && !*s)
        rd_fail(rd, FL_E_SHAPE, key, "is required");
    return s;
}

void rd_duration(struct reader *rd, const struct fl_json *obj, const char *key, fl_usec *ret)
{
    const struct fl_json *v = fl_json_get(obj, key);
    if (!v || rd->st)
        return;
    const char *s = fl_json_string(v);
    double seconds = fl_json_number(v, NAN);
    if (s && fl_parse_duration(s, ret) && *ret <= FL_RULES_DURATION_MAX)
        return;
    if (!s && seconds >= 0 && seconds <= (double)(FL_RULES_DURATION_MAX / FL_USEC_PER_SEC))
        *ret = (fl_usec)llround(seconds * 1e6);
    else
        rd_fail(rd, FL_E_SHAPE, key, "expected a duration such as \"5m\", or seconds, of at most 366 days");
}

void rd_real(struct reader *rd, const struct fl_json *obj, const char *key, double min, double max,
             double *ret)
{
    const struct fl_json *v = fl_json_get(obj, key);
    if (!v || rd->st)
        return;
    double d = fl_json_number(v, NAN);
    if (d >= min && d <= max)
        *ret = d;
    else
        rd->st = fl_fail(rd->err, FL_E_SHAPE, key, "expected a number from %g to %g", min, max);
}

void rd_count(struct reader *rd, const struct fl_json *obj, const char *key, unsigned max, unsigned *ret)
{
    double d = *ret;
    rd_real(rd, obj, key, 0, max, &d);
    if (!rd->st && d != floor(d))
        rd_fail(rd, FL_E_SHAPE, key, "expected a whole number");
    if (!rd->st)
        *ret = (unsigned)d;
}

static bool rd_array(struct reader *rd, const struct fl_json *v, const char *where, size_t max)
{
    if (rd->st)
        return false;
    if (!fl_json_is_list(v))
        rd_fail(rd, FL_E_SHAPE, where, "expected a list");
    else if (fl_json_len(v) > max)
        rd_fail(rd, FL_E_LIMIT, where, "the list is too long");
    return !rd->st;
}

void rd_words(struct reader *rd, const struct fl_json *obj, const char *key, const char *const **ret,
              size_t *ret_n)
{
    const struct fl_json *v = fl_json_get(obj, key);
    if (!v || !rd_array(rd, v, key, MATCHERS_MAX))
        return;
    const char **out = rd_memory(rd, fl_json_len(v), sizeof *out);
    size_t n = 0;
    for (; out && n < fl_json_len(v) && !rd->st; n++)
        out[n] = rd_text(rd, fl_json_at(v, n), key, FL_LABEL_NAME_MAX);
    *ret = out;
    *ret_n = n;
}

/* ---- matchers ---- */

static void matcher_object(struct reader *rd, const struct fl_json *v, struct fl_matcher *m)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    RD_ONLY(rd, v, "label", "op", "value");
    m->name = rd_need_text(rd, v, "label");
    m->value = rd_opt_text(rd, v, "value", "");
    const char *op = rd_opt_text(rd, v, "op", "=");
    for (size_t i = 0; i < FL_ARRAY_LEN(ops); i++)
        if (strcmp(op, ops[i]) == 0)
            m->op = "=!~n"[i];
    if (!m->op)
        rd_fail(rd, FL_E_SHAPE, "op", "expected one of = != =~ !~");
}

static void rd_matcher(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_matcher *m = slot;
    const char *s = fl_json_string(v);
    if (s)
        rd->st = fl_matcher_parse(rd->arena, s, strlen(s), m, rd->err);
    else
        matcher_object(rd, v, m);
    if (!rd->st)
        rd->st = fl_matcher_compile(m, rd->err);
}

/* Read every element of a list into zeroed slots; failures get "key[i]" before their place. The list is
 * hung up by *ret and *ret_n as it grows, so that a failure half way still frees what was compiled. */
void rd_list(struct reader *rd, const struct fl_json *v, const char *key, size_t max, size_t size, void **ret,
             size_t *ret_n, rule_reader each)
{
    if (!v || !rd_array(rd, v, key, max))
        return;
    size_t n = fl_json_len(v);
    char *slots = rd_memory(rd, n, size);
    if (!slots)
        return;
    *ret = slots;
    for (size_t i = 0; i < n && !rd->st; i++) {
        *ret_n = i + 1;
        each(rd, fl_json_at(v, i), slots + i * size);
        if (rd->st)
            fl_err_within(rd->err, "%s[%zu]", key, i);
    }
}

void rd_matchers_of(struct reader *rd, const struct fl_json *obj, const char *key,
                    const struct fl_matcher **ret, size_t *ret_n)
{
    void *v = NULL;
    rd_list(rd, fl_json_get(obj, key), key, MATCHERS_MAX, sizeof(struct fl_matcher), &v, ret_n, rd_matcher);
    *ret = v;
}

void rd_matchers(struct reader *rd, const struct fl_json *obj, const struct fl_matcher **ret, size_t *ret_n)
{
    rd_matchers_of(rd, obj, "match", ret, ret_n);
}
