/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_heartbeat.c -- rules that say whose silence is an incident. The form is documented in
 * docs/reference/rules.md. */
#include "rules_heartbeat.h"
#include "regex_priv.h"

#include <math.h>
#include <string.h>

enum { LABELS_MAX = 16, MATCHERS_MAX = 64 };

struct read {
    struct fl_arena *arena;
    struct fl_err *err;
};

static fl_status no_memory(struct read *k)
{
    return fl_fail(k->err, FL_E_NOMEM, NULL, "out of memory");
}

/* A member that is text, or `dflt`. */
static fl_status text(struct read *k, const struct fl_json *v, const char *key, size_t max, const char *dflt,
                      const char **ret)
{
    const struct fl_json *m = fl_json_get(v, key);
    const char *s = m ? fl_json_string(m) : dflt;
    if (m && !s)
        return fl_fail(k->err, FL_E_SHAPE, key, "expected a string");
    if (s && (!*s || strlen(s) > max))
        return fl_fail(k->err, FL_E_SHAPE, key, "expected 1 to %zu bytes", max);
    *ret = s ? fl_arena_strdup(k->arena, s) : NULL;
    return s && !*ret ? no_memory(k) : FL_OK;
}

static fl_status duration(struct read *k, const struct fl_json *v, const char *key, fl_usec dflt,
                          fl_usec *ret)
{
    const struct fl_json *m = fl_json_get(v, key);
    double seconds = fl_json_number(m, NAN);
    *ret = dflt;
    if (m && fl_json_string(m) && !fl_parse_duration(fl_json_string(m), ret))
        *ret = 0;
    else if (m && !fl_json_string(m))
        *ret = seconds >= 1 && seconds <= 1e6 ? (fl_usec)llround(seconds * 1e6) : 0;
    return *ret >= FL_USEC_PER_SEC && *ret <= FL_HEARTBEAT_INTERVAL_MAX
               ? FL_OK
               : fl_fail(k->err, FL_E_SHAPE, key, "expected a duration from 1s to 7d, such as \"5m\"");
}

/* As everywhere in the rules: text, or {label, op?, value?}. */
static fl_status matcher(struct read *k, const struct fl_json *v, struct fl_matcher *ret)
{
    static const char *const ops[] = {"=", "!=", "=~", "!~"};
    const char *s = fl_json_string(v), *op = fl_json_str(v, "op", "=");
    fl_status st = FL_OK;
    if (s) {
        st = fl_matcher_parse(k->arena, s, strlen(s), ret, k->err);
    } else {
        st = text(k, v, "label", FL_LABEL_NAME_MAX, "", &ret->name);
        ret->value = fl_arena_strdup(k->arena, fl_json_str(v, "value", ""));
        for (size_t i = 0; i < FL_ARRAY_LEN(ops); i++)
            if (!strcmp(op, ops[i]))
                ret->op = "=!~n"[i];
        if (st == FL_OK && (!ret->op || !ret->value))
            st = fl_fail(k->err, FL_E_SHAPE, "op", "expected one of = != =~ !~");
    }
    return st == FL_OK ? fl_matcher_compile(ret, k->err) : st;
}

static fl_status matchers(struct read *k, const struct fl_json *v, struct fl_heartbeat_rule *r)
{
    size_t n = fl_json_len(v);
    if (v && (!fl_json_is_array(v) || !n || n > MATCHERS_MAX))
        return fl_fail(k->err, FL_E_SHAPE, "match", "expected a list of 1 to %d matchers", MATCHERS_MAX);
    struct fl_matcher *m = fl_arena_calloc(k->arena, n ? n : 1, sizeof *m);
    if (!m)
        return no_memory(k);
    r->match = m;
    for (size_t i = 0; i < n; i++) {
        r->n_match = i + 1; /* what was compiled is freed, whatever comes */
        fl_status st = matcher(k, fl_json_at(v, i), &m[i]);
        if (st != FL_OK) {
            fl_err_within(k->err, "match[%zu]", i);
            return st;
        }
    }
    return FL_OK;
}

/* Labels of the alert that is raised; those that say which one it is are ours. */
static fl_status labels(struct read *k, const struct fl_json *v, struct fl_heartbeat_rule *r)
{
    static const char *const ours[] = {"alertname", "heartbeat", "severity", "source"};
    struct fl_label *out = fl_arena_calloc(k->arena, LABELS_MAX, sizeof *out);
    size_t n = 0;
    if (!out)
        return no_memory(k);
    if (v && !fl_json_is_map(v))
        return fl_fail(k->err, FL_E_SHAPE, "labels", "expected names and values");
    for (void *it = v ? fl_json_first(v) : NULL; it; it = fl_json_next(v, it)) {
        const char *name = fl_json_key(it), *value = fl_json_string(fl_json_value(it));
        for (size_t i = 0; i < FL_ARRAY_LEN(ours); i++)
            if (!strcmp(name, ours[i]))
                return fl_fail(k->err, FL_E_SHAPE, "labels", "%s is set by the engine", name);
        if (n == LABELS_MAX)
            return fl_fail(k->err, FL_E_LIMIT, "labels", "more than %d", LABELS_MAX);
        if (!*name || strlen(name) > 128 || !value || !*value || strlen(value) > 1024)
            return fl_fail(k->err, FL_E_SHAPE, "labels",
                           "a name has 1 to 128 bytes, a value is text of 1 to 1024");
        out[n] = (struct fl_label){fl_arena_strdup(k->arena, name), fl_arena_strdup(k->arena, value)};
        if (!out[n].name || !out[n].value)
            return no_memory(k);
        n++;
    }
    r->labels = (struct fl_labels){out, fl_labels_normalise(out, n)};
    return FL_OK;
}

static fl_status severity(struct read *k, const struct fl_json *v, fl_severity *ret)
{
    size_t n, i = 0;
    const char *const *known = fl_severity_names(&n), *word = fl_json_str(v, "severity", "critical");
    while (i < n && strcmp(known[i], word) != 0)
        i++;
    if (i == n)
        return fl_fail(k->err, FL_E_SHAPE, "severity",
                       "unknown severity \"%.60s\": none, info, warning, error, critical", word);
    *ret = (fl_severity)i;
    return FL_OK;
}

static fl_status known_members(struct read *k, const struct fl_json *v)
{
    static const char *const keys[] = {"name", "match", "source", "interval", "grace", "severity", "labels"};
    if (!fl_json_is_object(v))
        return fl_fail(k->err, FL_E_SHAPE, NULL, "expected an object");
    for (void *it = fl_json_first(v); it; it = fl_json_next(v, it)) {
        size_t i = 0;
        while (i < FL_ARRAY_LEN(keys) && strcmp(keys[i], fl_json_key(it)) != 0)
            i++;
        if (i < FL_ARRAY_LEN(keys))
            continue;
        fl_fail(k->err, FL_E_SHAPE, NULL, "unrecognized key \"%.100s\"", fl_json_key(it));
        const char *nearest = fl_nearest_word(fl_json_key(it), keys, FL_ARRAY_LEN(keys));
        if (nearest)
            fl_hint(k->err, "did you mean \"%s\"?", nearest);
        return FL_E_SHAPE;
    }
    return FL_OK;
}

static fl_status rule(struct read *k, const struct fl_json *v, struct fl_heartbeat_rule *r)
{
    fl_status st = known_members(k, v);
    if (st == FL_OK)
        st = text(k, v, "name", FL_HEARTBEAT_NAME_MAX, "", &r->name);
    if (st == FL_OK)
        st = text(k, v, "source", 80, NULL, &r->source);
    if (st == FL_OK)
        st = matchers(k, fl_json_get(v, "match"), r);
    if (st == FL_OK && !r->n_match == !r->source)
        st = fl_fail(k->err, FL_E_SHAPE, "match",
                     "expected either match, a sign of life, or source, any report of a format");
    if (st == FL_OK)
        st = duration(k, v, "interval", 0, &r->interval);
    if (st == FL_OK)
        st = duration(k, v, "grace", r->interval, &r->grace);
    if (st == FL_OK)
        st = severity(k, v, &r->severity);
    return st == FL_OK ? labels(k, fl_json_get(v, "labels"), r) : st;
}

fl_status rules_heartbeats(struct fl_rules *rules, const struct fl_json *v, struct fl_err *err)
{
    struct read k = {rules->arena, err};
    size_t n = fl_json_len(v);
    if (!fl_json_is_list(v) || n > FL_HEARTBEATS_MAX)
        return fl_fail(err, FL_E_SHAPE, "heartbeats", "expected a list of at most %u rules",
                       FL_HEARTBEATS_MAX);
    struct fl_heartbeat_rule *r = fl_arena_calloc(rules->arena, n ? n : 1, sizeof *r);
    if (!r)
        return no_memory(&k);
    rules->heartbeats = r;
    for (size_t i = 0; i < n; i++) {
        rules->n_heartbeats = i + 1;
        fl_status st = rule(&k, fl_json_at(v, i), &r[i]);
        for (size_t j = 0; j < i && st == FL_OK; j++)
            if (!strcmp(r[j].name, r[i].name))
                st = fl_fail(err, FL_E_SHAPE, "name", "two rules are named \"%s\"", r[i].name);
        if (st != FL_OK) {
            fl_err_within(err, "heartbeats[%zu]", i);
            return st;
        }
    }
    return FL_OK;
}

void rules_heartbeats_free(struct fl_rules *r)
{
    for (size_t i = 0; i < r->n_heartbeats; i++)
        for (size_t k = 0; k < r->heartbeats[i].n_match; k++)
            fl_regex_free(r->heartbeats[i].match[k].compiled);
}

const struct fl_heartbeat_rule *fl_rules_heartbeat(const struct fl_rules *r, const struct fl_labels *l)
{
    for (size_t i = 0; i < r->n_heartbeats; i++)
        if (r->heartbeats[i].n_match && fl_match_all(r->heartbeats[i].match, r->heartbeats[i].n_match, l))
            return &r->heartbeats[i];
    return NULL;
}
