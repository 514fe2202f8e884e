/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/form.c -- contract in form_priv.h. */
#include "form_priv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- mending what jansson refuses ---- */

struct mend {
    const char *p, *end;
    struct fl_buf out;
};

static unsigned hex4(const char *p)
{
    unsigned char b[2];
    return fl_unhex(p, 4, b) ? (unsigned)b[0] << 8 | b[1] : 0xffffffffu;
}

/* At a backslash. NUL and half pairs stand for nothing that can be stored. */
static void mend_escape(struct mend *m)
{
    size_t left = (size_t)(m->end - m->p);
    if (left < 6 || m->p[1] != 'u') {
        size_t n = left < 2 ? left : 2;
        fl_buf_add(&m->out, m->p, n);
        m->p += n;
        return;
    }
    unsigned c = hex4(m->p + 2);
    unsigned low = left >= 12 && m->p[6] == '\\' && m->p[7] == 'u' ? hex4(m->p + 8) : 0;
    if (c >= 0xd800 && c <= 0xdbff && low >= 0xdc00 && low <= 0xdfff) {
        fl_buf_add(&m->out, m->p, 12);
        m->p += 12;
        return;
    }
    bool bad = !c || (c >= 0xd800 && c <= 0xdfff);
    fl_buf_add(&m->out, bad ? "\\ufffd" : m->p, 6);
    m->p += 6;
}

static void mend_string(struct mend *m)
{
    fl_buf_chr(&m->out, *m->p++);
    while (m->p < m->end && *m->p != '"') {
        if (*m->p == '\\') {
            mend_escape(m);
            continue;
        }
        /* A bare control character breaks the whole document for the sake of one careless sender. */
        if ((unsigned char)*m->p < 0x20)
            fl_buf_printf(&m->out, "\\u%04x", *m->p ? (unsigned)(unsigned char)*m->p : 0xfffdu);
        else
            fl_buf_chr(&m->out, *m->p);
        m->p++;
    }
    if (m->p < m->end)
        fl_buf_chr(&m->out, *m->p++);
}

static void mend_number(struct mend *m)
{
    size_t n = 0;
    while (m->p + n < m->end && m->p[n] && strchr("+-.0123456789eE", m->p[n]))
        n++;
    char text[512];
    bool whole = !memchr(m->p, '.', n) && !memchr(m->p, 'e', n) && !memchr(m->p, 'E', n);
    if (n < sizeof text) {
        memcpy(text, m->p, n);
        text[n] = 0;
    }
    if (n >= sizeof text || !isfinite(strtod(text, NULL))) {
        fl_buf_str(&m->out, "null");
    } else {
        fl_buf_add(&m->out, m->p, n);
        if (whole && n >= 19)
            fl_buf_str(&m->out, ".0");
    }
    m->p += n;
}

struct fl_json *fl_form_tree(struct fl_arena *arena, const char *body, size_t len, struct fl_err *err)
{
    char *copy = fl_arena_strndup(arena, body, len);
    if (!copy) {
        fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        return NULL;
    }
    fl_utf8_repair(copy, len);
    FL_AUTO_BUF out = fl_buf_init(len * 6 + 64);
    struct mend m = {.p = copy, .end = copy + len, .out = out};
    while (m.p < m.end) {
        if (*m.p == '"')
            mend_string(&m);
        else if (*m.p == '-' || (*m.p >= '0' && *m.p <= '9'))
            mend_number(&m);
        else
            fl_buf_chr(&m.out, *m.p++);
    }
    out = m.out;
    if (out.failed) {
        fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        return NULL;
    }
    return fl_json_parse(out.p ? out.p : "", out.n, err);
}

/* ---- the body ---- */

fl_status fl_form_open(struct fl_form *f, struct fl_arena *arena, fl_format format, const char *body,
                       size_t len, fl_usec now, struct fl_err *err)
{
    memset(f, 0, sizeof *f);
    f->judge = (struct fl_judge){.arena = arena, .format = format, .now = now};
    f->out = (struct fl_intake){.group_key = "", .receiver = ""};
    f->err = err;
    f->place = "";
    struct fl_err why = {.status = FL_OK};
    f->root = fl_form_tree(arena, body, len, &why);
    if (!f->root)
        return fl_form_fail(f, why.status, why.where, "%s", why.text);
    return FL_OK;
}

fl_status fl_form_close(struct fl_form *f, struct fl_intake *ret)
{
    f->root = fl_json_free(f->root);
    if (f->st == FL_E_NOMEM)
        return fl_fail(f->err, FL_E_NOMEM, NULL, "out of memory");
    if (!f->st)
        *ret = f->out;
    return f->st;
}

fl_status fl_form_fail(struct fl_form *f, fl_status st, const char *where, const char *fmt, ...)
{
    if (f->st)
        return f->st;
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fl_utf8_repair(text, strlen(text));
    f->st = fl_fail(f->err, st, where, "%s", text);
    return f->st;
}

static void *grow(struct fl_form *f, void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    size_t more = *cap ? *cap * 2 : 16;
    char *p = fl_arena_alloc(f->judge.arena, more * size);
    if (!p) {
        f->st = FL_E_NOMEM;
        return v;
    }
    if (n)
        memcpy(p, v, n * size);
    *cap = more;
    return p;
}

const char *fl_form_at(struct fl_form *f, const char *name, size_t i)
{
    const char *s = fl_arena_printf(f->judge.arena, "%s[%zu]", name, i);
    if (!s)
        f->st = FL_E_NOMEM;
    return s ? s : "";
}

bool fl_form_list(struct fl_form *f, const char *where, const struct fl_json *list)
{
    if (!fl_json_is_array(list))
        fl_form_fail(f, FL_E_SHAPE, where, "expected an array");
    else if (fl_json_len(list) > FL_ALERTS_MAX)
        fl_form_fail(f, FL_E_LIMIT, where, "more than %u elements in one body", FL_ALERTS_MAX);
    return !f->st;
}

/* ---- one element ---- */

void fl_form_begin(struct fl_form *f, size_t index, const char *place, const struct fl_json *element)
{
    struct fl_raw_alert *raw = &f->raw;
    raw->type = '{';
    raw->bad_text = false;
    struct fl_raw_map *maps[] = {&raw->labels, &raw->annotations};
    for (size_t i = 0; i < FL_ARRAY_LEN(maps); i++) {
        maps[i]->type = '{';
        maps[i]->value_type = 0;
        maps[i]->too_many = maps[i]->name_too_long = maps[i]->value_too_long = false;
        maps[i]->n = 0;
    }
    raw->status = raw->starts = raw->ends = raw->url = (struct fl_raw_text){.text = {"", 0}};
    f->index = index;
    f->place = place;
    f->element = element;
    f->lease = 0;
    f->refused = false;
    if (!fl_json_is_object(element))
        fl_form_refuse(f, FL_E_SHAPE, NULL, "expected an object");
}

static const char *raw_text(struct fl_form *f)
{
    FL_AUTO_FREE char *text = f->element ? fl_json_text(f->element, false) : strdup("null");
    size_t n = text ? strlen(text) : 0;
    char *raw = text ? fl_arena_strndup(f->judge.arena, text, n < FL_FORM_RAW_MAX ? n : FL_FORM_RAW_MAX)
                     : NULL;
    if (!raw)
        f->st = FL_E_NOMEM;
    else if (n > FL_FORM_RAW_MAX)
        fl_utf8_repair(raw, FL_FORM_RAW_MAX); /* the cut may have halved a character */
    return raw;
}

static void add_reject(struct fl_form *f, fl_status st, const char *where, const char *reason)
{
    bool dot = *f->place && where && *where;
    const char *full = fl_arena_printf(f->judge.arena, "%s%s%s", f->place, dot ? "." : "",
                                       where ? where : "");
    const char *raw = raw_text(f);
    f->out.rejects = grow(f, f->out.rejects, f->out.n_rejects, &f->cap_rejects, sizeof *f->out.rejects);
    if (!full || !reason)
        f->st = FL_E_NOMEM;
    f->refused = true;
    if (!f->st)
        f->out.rejects[f->out.n_rejects++] = (struct fl_reject){
            .index = f->index, .status = st, .where = full, .reason = reason, .raw = raw};
}

void fl_form_refuse(struct fl_form *f, fl_status st, const char *where, const char *fmt, ...)
{
    if (f->st || f->refused)
        return;
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fl_utf8_repair(text, strlen(text));
    add_reject(f, st, where, fl_arena_strdup(f->judge.arena, text));
}

void fl_form_ignore(struct fl_form *f)
{
    if (!f->refused)
        f->out.n_ignored++;
    f->refused = true;
}

void fl_form_end(struct fl_form *f)
{
    if (f->st || f->refused)
        return;
    f->out.alerts = grow(f, f->out.alerts, f->out.n_alerts, &f->cap_alerts, sizeof *f->out.alerts);
    if (f->st)
        return;
    struct fl_reject judged = {0};
    struct fl_alert *a = &f->out.alerts[f->out.n_alerts];
    fl_status st = fl_raw_judge(&f->judge, f->index, &f->raw, a, &judged);
    if (st == FL_E_NOMEM)
        f->st = st;
    else if (st)
        add_reject(f, st, judged.where, judged.reason);
    else {
        if (f->lease && a->status == FL_ALERT_FIRING)
            a->lease_until = f->lease;
        f->out.n_alerts++;
    }
}

/* ---- members ---- */

static void add(struct fl_form *f, struct fl_raw_map *m, const char *name, const char *value,
                unsigned value_max)
{
    if (f->st || f->refused || !value || !*value)
        return;
    size_t name_n = strlen(name), n = strlen(value);
    if (m->n == FL_LABELS_MAX) {
        m->too_many = true;
        return;
    }
    m->name_too_long |= name_n > FL_LABEL_NAME_MAX;
    m->value_too_long |= n > value_max;
    const char *k = fl_arena_strndup(f->judge.arena, name, name_n > FL_LABEL_NAME_MAX ? 1 : name_n);
    const char *v = fl_arena_strndup(f->judge.arena, value, n > value_max ? 1 : n);
    if (!k || !v)
        f->st = FL_E_NOMEM;
    else
        m->v[m->n++] = (struct fl_label){k, v};
}

void fl_form_label(struct fl_form *f, const char *name, const char *value)
{
    add(f, &f->raw.labels, name, value, FL_LABEL_VALUE_MAX);
}

/* An annotation is for reading: a long one is cut, so that the alert is not lost for it. */
void fl_form_note(struct fl_form *f, const char *name, const char *value)
{
    static const char mark[] = " [cut]";
    size_t n = value ? strlen(value) : 0, keep = FL_ANNOTATION_MAX - sizeof mark;
    if (n <= FL_ANNOTATION_MAX) {
        add(f, &f->raw.annotations, name, value, FL_ANNOTATION_MAX);
        return;
    }
    while (keep && ((unsigned char)value[keep] & 0xc0) == 0x80)
        keep--;
    const char *cut = fl_arena_printf(f->judge.arena, "%.*s%s", (int)keep, value, mark);
    if (!cut)
        f->st = FL_E_NOMEM;
    add(f, &f->raw.annotations, name, cut, FL_ANNOTATION_MAX);
}

void fl_form_details(struct fl_form *f, const char *name, const struct fl_json *v)
{
    bool whole = v && !fl_json_is_object(v);
    size_t n = 0;
    for (void *it = fl_json_is_object(v) ? fl_json_first(v) : NULL; it; it = fl_json_next(v, it)) {
        const struct fl_json *m = fl_json_value(it);
        bool nested = fl_json_is_object(m) || fl_json_is_array(m);
        if (nested || n == FL_FORM_DETAILS_MAX || strlen(fl_json_key(it)) > FL_LABEL_NAME_MAX)
            whole = true;
        else if (*fl_json_key(it)) {
            fl_form_note(f, fl_json_key(it), fl_form_text(f, m));
            n++;
        }
    }
    if (whole)
        fl_form_note(f, name, fl_form_text(f, v));
}

static void set_text(struct fl_raw_text *t, const char *s)
{
    if (s)
        *t = (struct fl_raw_text){.type = '"', .text = {s, strlen(s)}};
}

void fl_form_status(struct fl_form *f, bool firing)
{
    set_text(&f->raw.status, firing ? "firing" : "resolved");
}

void fl_form_starts(struct fl_form *f, const char *text)
{
    set_text(&f->raw.starts, text);
}

void fl_form_ends(struct fl_form *f, const char *text)
{
    set_text(&f->raw.ends, text);
}

void fl_form_url(struct fl_form *f, const char *text)
{
    set_text(&f->raw.url, text);
}

static bool check_map(struct fl_form *f, const struct fl_json *obj, const char *where)
{
    if (obj && !fl_json_is_object(obj))
        fl_form_refuse(f, FL_E_SHAPE, where, "expected an object");
    for (void *it = obj ? fl_json_first(obj) : NULL; it && !f->refused; it = fl_json_next(obj, it))
        if (fl_json_value(it) && !fl_json_is_string(fl_json_value(it)))
            fl_form_refuse(f, FL_E_SHAPE, where, "expected strings as values");
    return obj && !f->refused;
}

void fl_form_labels(struct fl_form *f, const struct fl_json *obj, const char *where)
{
    if (check_map(f, obj, where))
        for (void *it = fl_json_first(obj); it; it = fl_json_next(obj, it))
            fl_form_label(f, fl_json_key(it), fl_json_string(fl_json_value(it)));
}

void fl_form_notes(struct fl_form *f, const struct fl_json *obj, const char *where)
{
    if (check_map(f, obj, where))
        for (void *it = fl_json_first(obj); it; it = fl_json_next(obj, it))
            fl_form_note(f, fl_json_key(it), fl_json_string(fl_json_value(it)));
}

/* ---- values as text ---- */

static char *shortest(double d)
{
    char text[64];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, d);
        if (strtod(text, NULL) == d)
            break;
    }
    return strdup(text);
}

const char *fl_form_text(struct fl_form *f, const struct fl_json *v)
{
    if (!v)
        return NULL;
    const char *s = fl_json_string(v);
    FL_AUTO_FREE char *text = NULL;
    if (!s) {
        text = fl_json_text(v, true);
        if (text && fl_json_is_number(v) && strpbrk(text, ".eE")) {
            free(text);
            text = shortest(fl_json_number(v, 0));
        }
        s = text;
    }
    const char *copy = s ? fl_arena_strdup(f->judge.arena, s) : NULL;
    if (!copy)
        f->st = FL_E_NOMEM;
    return copy;
}

const char *fl_form_member(struct fl_form *f, const struct fl_json *obj, const char *key)
{
    return fl_form_text(f, obj ? fl_json_get(obj, key) : NULL);
}

const char *fl_form_need(struct fl_form *f, const struct fl_json *obj, const char *key, const char *where)
{
    const struct fl_json *v = obj ? fl_json_get(obj, key) : NULL;
    const char *s = fl_json_string(v);
    if (v && !s)
        fl_form_refuse(f, FL_E_SHAPE, where, "expected a string");
    else if (!s || !*s)
        fl_form_refuse(f, FL_E_SHAPE, where, "is required");
    return f->refused ? NULL : fl_form_text(f, v);
}

static bool all_digits(const char *s)
{
    return *s && strspn(s, "0123456789") == strlen(s);
}

const char *fl_form_time(struct fl_form *f, const struct fl_json *v)
{
    const char *s = fl_form_text(f, v);
    if (!s || !*s || (fl_json_is_string(v) && !all_digits(s)))
        return s && *s ? s : NULL;
    double d = fl_json_is_string(v) ? strtod(s, NULL) : fl_json_number(v, 0);
    if (d == 0)
        return NULL;
    /* 1e11 seconds is the year 5138, as milliseconds 1973: no sender means either. */
    double usec = d < 1e11 ? d * 1e6 : d < 1e14 ? d * 1e3 : d < 1e17 ? d : d / 1e3;
    char text[FL_TIME_LEN];
    if (!(d > 0 && usec < 2.5e17))
        return s;
    const char *copy = fl_arena_strdup(f->judge.arena, fl_time_format((fl_usec)usec, text));
    if (!copy)
        f->st = FL_E_NOMEM;
    return copy;
}

const char *fl_form_name(struct fl_form *f, const char *s)
{
    bool digit = s[0] >= '0' && s[0] <= '9';
    char *name = fl_arena_printf(f->judge.arena, "%s%s", digit ? "_" : "", s);
    if (!name) {
        f->st = FL_E_NOMEM;
        return "_";
    }
    for (char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || *c == '_'))
            *c = '_';
    return name;
}
