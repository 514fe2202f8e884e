/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/alert.c -- what makes an alert acceptable, per format; contract in alert_priv.h.
 * The texts of alertmanager-v2 are Alertmanager's own, so that its clients show what they always show. */
#include "alert_priv.h"

#include <stdio.h>
#include <string.h>

#define YEAR (366 * 86400 * FL_USEC_PER_SEC)

#define V2_BODY "parsing alerts body from \"\" failed, because "

struct verdict {
    const struct fl_judge *j;
    size_t index;
    fl_status st;
    struct fl_reject *out;
};

FL_COLD FL_PRINTF(5, 6) static void refuse(struct verdict *v, fl_status st, const char *where, unsigned code,
                                           const char *fmt, ...)
{
    if (v->st)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fl_utf8_repair(text, strlen(text));
    v->out->where = where;
    v->out->reason = fl_arena_strdup(v->j->arena, text);
    v->out->code = code;
    v->st = v->out->reason ? st : FL_E_NOMEM;
}

static bool is_v2(const struct verdict *v)
{
    return v->j->format == FL_FORMAT_ALERTMANAGER_V2;
}

/* ---- types ---- */

static const char *go_type(char type)
{
    switch (type) {
    case '"': return "string";
    case '{': return "object";
    case '[': return "array";
    case 't':
    case 'f': return "bool";
    case 'n': return "null";
    default: return "number";
    }
}

static void wrong_type(struct verdict *v, char type, const char *where, const char *expected)
{
    if (!is_v2(v))
        refuse(v, FL_E_SHAPE, where, 0, "expected %s, got %s", expected, type ? go_type(type) : "nothing");
    else if (where)
        refuse(v, FL_E_SHAPE, where, 400,
               V2_BODY "json: cannot unmarshal %s into Go struct field Alert.%s of type %s", go_type(type),
               where, expected);
    else
        refuse(v, FL_E_SHAPE, NULL, 400, V2_BODY "json: cannot unmarshal %s into Go value of type %s",
               go_type(type), expected);
}

static bool absent(char type)
{
    return !type || type == 'n';
}

static void check_map_types(struct verdict *v, const struct fl_raw_map *m, const char *where)
{
    if (!absent(m->type) && m->type != '{')
        wrong_type(v, m->type, where, is_v2(v) ? "models.LabelSet" : "an object");
    else if (m->value_type)
        wrong_type(v, m->value_type, where, is_v2(v) ? "string" : "strings as values");
}

static void check_text_type(struct verdict *v, const struct fl_raw_text *t, const char *where)
{
    if (!absent(t->type) && t->type != '"')
        wrong_type(v, t->type, where, is_v2(v) ? "string" : "a string");
}

static void check_types(struct verdict *v, const struct fl_raw_alert *raw)
{
    if (raw->bad_text)
        refuse(v, FL_E_SHAPE, NULL, is_v2(v) ? 400 : 0, "%stext with a NUL or bytes that are not UTF-8",
               is_v2(v) ? V2_BODY : "");
    if (absent(raw->type) && is_v2(v))
        refuse(v, FL_E_SHAPE, NULL, 602, "%zu in body is required", v->index);
    if (raw->type != '{')
        wrong_type(v, raw->type, NULL, is_v2(v) ? "models.PostableAlert" : "an object");
    check_map_types(v, &raw->labels, "labels");
    check_map_types(v, &raw->annotations, "annotations");
    check_text_type(v, &raw->status, "status");
    check_text_type(v, &raw->starts, "startsAt");
    check_text_type(v, &raw->ends, "endsAt");
    check_text_type(v, &raw->url, "generatorURL");
    if (absent(raw->labels.type) && is_v2(v))
        refuse(v, FL_E_SHAPE, "labels", 602, "%zu.labels in body is required", v->index);
    if (absent(raw->labels.type))
        refuse(v, FL_E_SHAPE, "labels", 0, "is required");
}

/* ---- limits (ours; Alertmanager has none) ---- */

static void check_map_limits(struct verdict *v, const struct fl_raw_map *m, const char *where,
                             unsigned value_max)
{
    if (m->too_many)
        refuse(v, FL_E_LIMIT, where, 0, "%s: more than %u entries", where, FL_LABELS_MAX);
    if (m->name_too_long)
        refuse(v, FL_E_LIMIT, where, 0, "%s: a name longer than %u bytes", where, FL_LABEL_NAME_MAX);
    if (m->value_too_long)
        refuse(v, FL_E_LIMIT, where, 0, "%s: a value longer than %u bytes", where, value_max);
}

static void check_limits(struct verdict *v, const struct fl_raw_alert *raw)
{
    check_map_limits(v, &raw->labels, "labels", FL_LABEL_VALUE_MAX);
    check_map_limits(v, &raw->annotations, "annotations", FL_ANNOTATION_MAX);
    if (raw->url.text.n > FL_URL_MAX)
        refuse(v, FL_E_LIMIT, "generatorURL", 0, "generatorURL: longer than %u bytes", FL_URL_MAX);
}

/* ---- times ---- */

static fl_usec read_time(struct verdict *v, const struct fl_raw_text *t, const char *where)
{
    fl_usec at = 0;
    if (v->st || absent(t->type) || !t->text.n || fl_time_parse(t->text.p, t->text.n, &at))
        return at;
    int shown = t->text.n < 100 ? (int)t->text.n : 100;
    if (is_v2(v))
        refuse(v, FL_E_SHAPE, where, 400,
               V2_BODY "parsing time \"%.*s\" as \"2006-01-02 15:04:05\": cannot parse \"%.*s\" as \"2006\"",
               shown, t->text.p, shown, t->text.p);
    else
        refuse(v, FL_E_SHAPE, where, 0, "could not parse time \"%.*s\"", shown, t->text.p);
    return 0;
}

static void judge_times_v2(struct verdict *v, fl_usec starts, fl_usec ends, struct fl_alert *a)
{
    fl_usec now = v->j->now;
    a->starts_guessed = !starts;
    a->starts_at = starts ? starts : ends && ends < now ? ends : now;
    a->status = ends && ends <= now ? FL_ALERT_RESOLVED : FL_ALERT_FIRING;
    if (ends && ends < a->starts_at)
        refuse(v, FL_E_SHAPE, "endsAt", 0, "start time must be before end time");
    a->lease_guessed = !ends;
    if (a->status == FL_ALERT_RESOLVED)
        a->ends_at = ends;
    else
        a->lease_until = ends ? ends : now + FL_V2_LEASE;
}

static void judge_times_webhook(struct verdict *v, const struct fl_raw_text *status, fl_usec starts,
                                fl_usec ends, struct fl_alert *a)
{
    fl_usec now = v->j->now;
    if (!v->st && fl_text_is(status->text, "resolved") && status->type)
        a->status = FL_ALERT_RESOLVED;
    else if (!v->st && !(status->type && fl_text_is(status->text, "firing")))
        refuse(v, FL_E_SHAPE, "status", 0, "expected \"firing\" or \"resolved\"");
    a->starts_guessed = !starts;
    a->starts_at = starts ? starts : ends && ends < now ? ends : now;
    if (a->status == FL_ALERT_RESOLVED) {
        /* A resolve is too precious to refuse for a sender's clock: it ends when it began at the earliest. */
        a->ends_at = ends ? ends : now;
        if (a->ends_at < a->starts_at)
            a->ends_at = a->starts_at;
    } else if (ends > now) {
        a->lease_until = ends;
    }
}

static void judge_times(struct verdict *v, const struct fl_raw_alert *raw, struct fl_alert *a)
{
    fl_usec now = v->j->now, starts = read_time(v, &raw->starts, "startsAt"),
            ends = read_time(v, &raw->ends, "endsAt");
    if (starts && (starts < 0 || starts > now + YEAR))
        refuse(v, FL_E_LIMIT, "startsAt", 0, "startsAt is before 1970 or more than a year ahead");
    if (is_v2(v))
        judge_times_v2(v, starts, ends, a);
    else
        judge_times_webhook(v, &raw->status, starts, ends, a);
    if (a->starts_at <= 0 || a->ends_at < 0)
        refuse(v, FL_E_LIMIT, "endsAt", 0, "endsAt is before 1970");
    if (a->ends_at > now + YEAR)
        refuse(v, FL_E_LIMIT, "endsAt", 0, "a resolved alert's endsAt is more than a year ahead");
    if (a->lease_until > now + YEAR)
        a->lease_until = now + YEAR;
}

/* ---- labels ---- */

/* Prometheus's classic names. Alertmanager before 0.27 refuses all others; a webhook's names come from an
 * Alertmanager that has accepted them already. */
static bool classic_name(const char *s)
{
    for (size_t i = 0; s[i]; i++) {
        char c = s[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return s[0] != 0;
}

static void check_names(struct verdict *v, const struct fl_labels *l, const char *where, const char *what)
{
    for (size_t i = 0; i < l->n && !v->st; i++)
        if (is_v2(v) ? !classic_name(l->v[i].name) : !l->v[i].name[0])
            refuse(v, FL_E_SHAPE, where, 0, "invalid %s: invalid name \"%.200s\"", what, l->v[i].name);
}

static struct fl_labels keep_labels(struct verdict *v, struct fl_raw_map *m)
{
    size_t n = fl_labels_normalise(m->v, m->n);
    const struct fl_label *copy = n && !v->st ? fl_arena_dup(v->j->arena, m->v, n * sizeof *copy) : NULL;
    if (n && !copy && !v->st)
        v->st = FL_E_NOMEM;
    return (struct fl_labels){.v = copy, .n = copy ? n : 0};
}

/* Who repeats the engine's own alert could end it, and nobody would hear that a sender is silent. */
static void check_reserved(struct verdict *v, const struct fl_labels *l)
{
    const char *heartbeat = fl_label_get(l, "heartbeat");
    if (*heartbeat && !strcmp(fl_label_get(l, "alertname"), FL_ALERT_SILENT))
        refuse(v, FL_E_DENIED, "labels", 0,
               "alertname=\"" FL_ALERT_SILENT
               "\" with heartbeat=\"%.100s\" is an alert of the engine, which alone "
               "raises and ends it: give yours another name",
               heartbeat);
}

fl_status fl_raw_judge(const struct fl_judge *j, size_t index, struct fl_raw_alert *raw, struct fl_alert *ret,
                       struct fl_reject *ret_reject)
{
    struct verdict v = {.j = j, .index = index, .out = ret_reject};
    struct fl_alert a = {.received_at = j->now, .generator_url = raw->url.text.n ? raw->url.text.p : ""};
    check_types(&v, raw);
    check_limits(&v, raw);
    judge_times(&v, raw, &a);
    a.labels = keep_labels(&v, &raw->labels);
    a.annotations = keep_labels(&v, &raw->annotations);
    check_names(&v, &a.labels, "labels", "label set");
    if (!a.labels.n)
        refuse(&v, FL_E_SHAPE, "labels", 0, "at least one label pair required");
    check_names(&v, &a.annotations, "annotations", "annotations");
    check_reserved(&v, &a.labels);
    if (v.st)
        return v.st;
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    *ret = a;
    return FL_OK;
}

/* ---- at another time ---- */

/* Whether a parse at `at` differs in nothing but what settle() changes. */
static bool can_settle(const struct fl_alert *a, fl_usec received_at, fl_usec at)
{
    if (a->starts_guessed && a->starts_at != received_at)
        return false; /* it was taken from endsAt, which was compared with the time of receipt */
    if (a->ends_at && a->ends_at >= received_at)
        return false;
    return a->lease_guessed || !a->lease_until ||
           (a->lease_until > at && a->lease_until != received_at + YEAR);
}

static void settle(struct fl_alert *a, fl_usec at)
{
    a->received_at = at;
    if (a->starts_guessed)
        a->starts_at = at;
    if (a->lease_guessed)
        a->lease_until = at + FL_V2_LEASE;
}

bool fl_intake_settle(struct fl_intake *in, fl_format format, fl_usec received_at, fl_usec at)
{
    bool ours = format == FL_FORMAT_ALERTMANAGER || format == FL_FORMAT_ALERTMANAGER_V2;
    /* A start a year ahead is refused: a moment later it might not be. */
    if (!ours || at < received_at || in->n_rejects)
        return false;
    for (size_t i = 0; i < in->n_alerts; i++)
        if (!can_settle(&in->alerts[i], received_at, at))
            return false;
    for (size_t i = 0; i < in->n_alerts; i++)
        settle(&in->alerts[i], at);
    return true;
}
