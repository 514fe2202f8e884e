/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/alertmanager.c -- Alertmanager's webhook (version "4") and POST /api/v2/alerts; contract in
 * <faultline/intake.h>. Recorded bytes: ../shared/wire. */
#include "form_priv.h"

#include <stdio.h>
#include <string.h>

enum { RAW_MAX = FL_REJECT_RAW_MAX, GROUP_TEXT_MAX = 65536 };

static const char *const formats[FL_FORMAT_N] = {"alertmanager", "alertmanager-v2", "grafana",
                                                 "pagerduty",    "cloudevents",     "nagios",
                                                 "zabbix",       "kubernetes",      "mapped"};

/* NULL: the two of this file. */
static fl_status (*const readers[FL_FORMAT_N])(struct fl_form *f) = {
    [FL_FORMAT_GRAFANA] = fl_read_grafana,         [FL_FORMAT_PAGERDUTY] = fl_read_pagerduty,
    [FL_FORMAT_CLOUDEVENTS] = fl_read_cloudevents, [FL_FORMAT_NAGIOS] = fl_read_nagios,
    [FL_FORMAT_ZABBIX] = fl_read_zabbix,           [FL_FORMAT_KUBERNETES] = fl_read_kubernetes,
    [FL_FORMAT_MAPPED] = fl_read_mapped,
};

const char *fl_format_name(fl_format f)
{
    FL_REQUIRE(f < FL_FORMAT_N);
    return formats[f];
}

bool fl_format_parse(const char *s, fl_format *ret)
{
    if (s && strncmp(s, "mapped:", 7) == 0)
        s = formats[FL_FORMAT_MAPPED];
    for (unsigned i = 0; s && i < FL_FORMAT_N; i++)
        if (strcmp(formats[i], s) == 0) {
            *ret = (fl_format)i;
            return true;
        }
    return false;
}

struct body {
    struct fl_pull p;
    struct fl_judge judge;
    struct fl_raw_alert
        raw; /* reused for every element: 4 KiB that need no allocation, and die with the call */
    struct fl_intake out;
    size_t n, cap_alerts, cap_rejects;
};

/* ---- one alert ---- */

static void read_map(struct body *b, struct fl_raw_map *m, unsigned value_max)
{
    *m = (struct fl_raw_map){.type = fl_pull_peek(&b->p)};
    if (m->type != '{') {
        fl_pull_skip(&b->p);
        return;
    }
    bool first = true;
    fl_pull_enter(&b->p);
    while (fl_pull_more(&b->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&b->p, b->judge.arena);
        char type = fl_pull_peek(&b->p);
        if (m->n == FL_LABELS_MAX) {
            m->too_many = true;
            fl_pull_skip(&b->p);
            continue;
        }
        struct fl_text value = {"", 0};
        if (type == '"')
            value = fl_pull_text(&b->p, b->judge.arena, value_max + 1u);
        else
            fl_pull_skip(&b->p);
        if (type != '"' && type != 'n' && !m->value_type)
            m->value_type = type;
        m->name_too_long |= key.n > FL_LABEL_NAME_MAX;
        m->value_too_long |= value.n > value_max;
        const char *name = fl_arena_strndup(b->judge.arena, key.p, key.n > FL_LABEL_NAME_MAX ? 1 : key.n);
        if (!name) {
            b->p.st = FL_E_NOMEM;
            return;
        }
        m->v[m->n++] = (struct fl_label){name, value.p};
    }
}

static void read_text(struct body *b, struct fl_raw_text *t, size_t max)
{
    *t = (struct fl_raw_text){.type = fl_pull_peek(&b->p), .text = {"", 0}};
    if (t->type == '"')
        t->text = fl_pull_text(&b->p, b->judge.arena, max + 1);
    else
        fl_pull_skip(&b->p);
}

static void reset_raw(struct fl_raw_alert *raw)
{
    /* Not the label slots: they are 4 KiB, and `n` says how many are in use. */
    raw->type = 0;
    raw->bad_text = false;
    struct fl_raw_map *maps[] = {&raw->labels, &raw->annotations};
    for (size_t i = 0; i < FL_ARRAY_LEN(maps); i++) {
        maps[i]->type = maps[i]->value_type = 0;
        maps[i]->too_many = maps[i]->name_too_long = maps[i]->value_too_long = false;
        maps[i]->n = 0;
    }
    raw->status = raw->starts = raw->ends = raw->url = (struct fl_raw_text){.text = {"", 0}};
}

static void read_members(struct body *b, struct fl_raw_alert *raw)
{
    bool first = true, webhook = b->judge.format == FL_FORMAT_ALERTMANAGER;
    fl_pull_enter(&b->p);
    while (fl_pull_more(&b->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&b->p, b->judge.arena);
        if (fl_text_is(key, "labels"))
            read_map(b, &raw->labels, FL_LABEL_VALUE_MAX);
        else if (fl_text_is(key, "annotations"))
            read_map(b, &raw->annotations, FL_ANNOTATION_MAX);
        else if (fl_text_is(key, "startsAt"))
            read_text(b, &raw->starts, 128);
        else if (fl_text_is(key, "endsAt"))
            read_text(b, &raw->ends, 128);
        else if (fl_text_is(key, "generatorURL"))
            read_text(b, &raw->url, FL_URL_MAX);
        else if (webhook && fl_text_is(key, "status"))
            read_text(b, &raw->status, 128);
        else
            fl_pull_skip(&b->p);
    }
}

/* ---- the list of alerts ---- */

enum { FIRST_LEAST = 2, FIRST_MOST = 64, USUAL_BYTES = 512 /* of an alert in a body */ };

/* The arena lives until the core is through with the body: room for as many as its length lets expect. */
static size_t first_cap(const struct body *b)
{
    size_t expected = FIRST_LEAST + (size_t)(b->p.end - b->p.start) / USUAL_BYTES;
    return expected < FIRST_MOST ? expected : FIRST_MOST;
}

static void *grow(struct body *b, void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    size_t more = *cap ? *cap * 2 : first_cap(b);
    char *p = fl_arena_alloc(b->judge.arena, more * size);
    if (!p) {
        b->p.st = FL_E_NOMEM;
        return v;
    }
    if (n)
        memcpy(p, v, n * size);
    *cap = more;
    return p;
}

static const char *copy_raw(struct body *b, const char *from)
{
    size_t n = (size_t)(b->p.at - from);
    char *raw = fl_arena_strndup(b->judge.arena, from, n < RAW_MAX ? n : RAW_MAX);
    if (!raw)
        b->p.st = FL_E_NOMEM;
    else
        fl_utf8_repair(raw, n < RAW_MAX ? n : RAW_MAX);
    return raw;
}

static void add_reject(struct body *b, fl_status st, const struct fl_reject *judged, const char *from)
{
    b->out.rejects = grow(b, b->out.rejects, b->out.n_rejects, &b->cap_rejects, sizeof *b->out.rejects);
    const char *raw = copy_raw(b, from);
    const char *list = b->judge.format == FL_FORMAT_ALERTMANAGER ? "alerts" : "";
    const char *where = fl_arena_printf(b->judge.arena, "%s[%zu]%s%s", list, b->n, judged->where ? "." : "",
                                        judged->where ? judged->where : "");
    if (!where)
        b->p.st = FL_E_NOMEM;
    if (b->p.st)
        return;
    b->out.rejects[b->out.n_rejects++] = (struct fl_reject){.index = b->n,
                                                            .status = st,
                                                            .where = where,
                                                            .reason = judged->reason,
                                                            .raw = raw,
                                                            .code = judged->code};
}

static void read_alert(struct body *b)
{
    struct fl_raw_alert *raw = &b->raw;
    reset_raw(raw);
    bool outer_bad = b->p.bad_text;
    b->p.bad_text = false;
    raw->type = fl_pull_peek(&b->p);
    const char *from = b->p.at;
    if (raw->type == '{')
        read_members(b, raw);
    else
        fl_pull_skip(&b->p);
    raw->bad_text = b->p.bad_text;
    b->p.bad_text = outer_bad;
    if (b->p.st)
        return;
    b->out.alerts = grow(b, b->out.alerts, b->out.n_alerts, &b->cap_alerts, sizeof *b->out.alerts);
    if (b->p.st)
        return;
    struct fl_reject judged = {0};
    fl_status st = fl_raw_judge(&b->judge, b->n, raw, &b->out.alerts[b->out.n_alerts], &judged);
    if (st == FL_E_NOMEM)
        b->p.st = st;
    else if (st)
        add_reject(b, st, &judged, from);
    else
        b->out.n_alerts++;
    b->n++;
}

static void read_alerts(struct body *b)
{
    bool first = true;
    /* A repeated "alerts" key: the last one counts. */
    b->n = b->out.n_alerts = b->out.n_rejects = 0;
    fl_pull_enter(&b->p);
    while (fl_pull_more(&b->p, ']', &first)) {
        if (b->n == FL_ALERTS_MAX) {
            b->p.st = FL_E_LIMIT;
            b->p.why = "more than 100000 alerts in one body";
            return;
        }
        read_alert(b);
    }
}

/* ---- bodies ---- */

static fl_status fail_body(struct body *b, struct fl_err *err)
{
    char place[64];
    bool v2 = b->judge.format == FL_FORMAT_ALERTMANAGER_V2;
    if (b->p.st == FL_E_NOMEM)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    const char *why = b->p.why ? b->p.why : "unreadable";
    if (v2 && strcmp(why, "unexpected end of input") == 0)
        why = "unexpected EOF"; /* Go's words */
    return fl_fail(err, b->p.st, fl_pull_place(&b->p, place), "%s%s",
                   v2 ? "parsing alerts body from \"\" failed, because " : "could not parse JSON: ", why);
}

static fl_status finish(struct body *b, struct fl_intake *ret, struct fl_err *err)
{
    fl_pull_end(&b->p);
    if (!b->p.st && b->p.bad_text) {
        b->p.st = FL_E_SYNTAX;
        b->p.why = "text with a NUL or bytes that are not UTF-8";
    }
    if (b->p.st)
        return fail_body(b, err);
    *ret = b->out;
    return FL_OK;
}

static fl_status parse_v2(struct body *b, struct fl_intake *ret, struct fl_err *err)
{
    char type = fl_pull_peek(&b->p);
    if (b->p.st)
        return fail_body(b, err);
    if (type != '[') {
        fl_pull_skip(&b->p);
        fl_pull_end(&b->p);
        if (b->p.st)
            return fail_body(b, err);
        const char *go = type == '{'                  ? "object"
                         : type == '"'                ? "string"
                         : type == 't' || type == 'f' ? "bool"
                                                      : "number";
        return fl_fail(
            err, FL_E_SHAPE, NULL,
            type == 'n' ? "alerts in body is required"
                        : "parsing alerts body from \"\" failed, because json: cannot unmarshal %s into Go "
                          "value of type models.PostableAlerts",
            go);
    }
    read_alerts(b);
    return finish(b, ret, err);
}

static uint64_t read_count(struct body *b)
{
    char c = fl_pull_peek(&b->p);
    const char *from = b->p.at;
    fl_pull_skip(&b->p);
    uint64_t n = 0;
    for (; c >= '0' && c <= '9' && from < b->p.at && *from >= '0' && *from <= '9' && n < UINT32_MAX; from++)
        n = n * 10 + (uint64_t)(*from - '0');
    return n;
}

static const char *read_display(struct body *b)
{
    struct fl_raw_text t;
    read_text(b, &t, GROUP_TEXT_MAX);
    return t.text.n <= GROUP_TEXT_MAX ? t.text.p : "";
}

struct outer {
    char alerts; /* type of the member */
    struct fl_raw_text version;
};

static void read_outer(struct body *b, struct outer *o)
{
    bool first = true;
    fl_pull_enter(&b->p);
    while (fl_pull_more(&b->p, '}', &first)) {
        struct fl_text key = fl_pull_key(&b->p, b->judge.arena);
        if (fl_text_is(key, "alerts")) {
            o->alerts = fl_pull_peek(&b->p);
            if (o->alerts == '[')
                read_alerts(b);
            else
                fl_pull_skip(&b->p);
        } else if (fl_text_is(key, "version")) {
            read_text(b, &o->version, 16);
        } else if (fl_text_is(key, "truncatedAlerts")) {
            b->out.truncated = read_count(b);
        } else if (fl_text_is(key, "groupKey")) {
            b->out.group_key = read_display(b);
        } else if (fl_text_is(key, "receiver")) {
            b->out.receiver = read_display(b);
        } else {
            fl_pull_skip(&b->p);
        }
    }
}

static fl_status parse_webhook(struct body *b, struct fl_intake *ret, struct fl_err *err)
{
    struct outer o = {.version.text = {"", 0}};
    char type = fl_pull_peek(&b->p);
    if (type == '{')
        read_outer(b, &o);
    else
        fl_pull_skip(&b->p);
    struct fl_intake out;
    fl_status st = finish(b, &out, err);
    if (st)
        return st;
    if (type != '{')
        return fl_fail(err, FL_E_SHAPE, NULL, "expected an Alertmanager webhook message, an object");
    if (!fl_text_is(o.version.text, "4")) {
        st = fl_fail(err, FL_E_SHAPE, "version",
                     "expected an Alertmanager webhook message of version \"4\", got \"%.*s\"",
                     (int)(o.version.text.n < 16 ? o.version.text.n : 16), o.version.text.p);
        if (fl_text_is(o.version.text, "1"))
            fl_hint(err, "this looks like Grafana's webhook: send it to /api/v1/intake/grafana");
        return st;
    }
    if (o.alerts != '[')
        return fl_fail(err, FL_E_SHAPE, "alerts", "expected an array");
    *ret = out;
    return FL_OK;
}

static fl_status parse_form(struct fl_arena *arena, fl_format format, const char *body, size_t len,
                            fl_usec now, struct fl_intake *ret, struct fl_err *err)
{
    struct fl_form f;
    if (fl_form_open(&f, arena, format, body, len, now, err) == FL_OK)
        (void)readers[format](&f);
    return fl_form_close(&f, ret);
}

fl_status fl_intake_parse(struct fl_arena *arena, fl_format format, const char *body, size_t len, fl_usec now,
                          struct fl_intake *ret, struct fl_err *err)
{
    FL_REQUIRE(format < FL_FORMAT_N);
    if (readers[format])
        return parse_form(arena, format, body, len, now, ret, err);
    struct body b; /* not cleared: reset_raw() */
    b.p = fl_pull_init(body, len);
    b.judge = (struct fl_judge){.arena = arena, .format = format, .now = now};
    b.out = (struct fl_intake){.group_key = "", .receiver = ""};
    b.n = b.cap_alerts = b.cap_rejects = 0;
    return format == FL_FORMAT_ALERTMANAGER_V2 ? parse_v2(&b, ret, err) : parse_webhook(&b, ret, err);
}

/* ---- the answer ---- */

static unsigned code_answer(unsigned code, const char *message, struct fl_buf *body)
{
    struct fl_jw w = fl_jw_init(body);
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "code", code);
    fl_jw_str(&w, "message", message);
    fl_jw_obj_end(&w);
    return code >= 600 ? 422 : code; /* go-swagger's codes for validation */
}

unsigned fl_intake_v2_answer(fl_status st, const struct fl_err *err, const struct fl_intake *in,
                             struct fl_buf *body)
{
    if (st == FL_E_NOMEM)
        return 503;
    if (st)
        return code_answer(strcmp(err->text, "alerts in body is required") == 0 ? 602 : 400, err->text, body);
    if (!in->n_rejects)
        return 200;
    for (size_t i = 0; i < in->n_rejects; i++)
        if (in->rejects[i].code)
            return code_answer(in->rejects[i].code, in->rejects[i].reason, body);
    FL_AUTO_BUF text = fl_buf_init(65536);
    for (size_t i = 0; i < in->n_rejects && !text.failed; i++) {
        fl_buf_str(&text, i ? "; " : "");
        fl_buf_str(&text, in->rejects[i].reason);
    }
    fl_json_quote(body, text.p ? text.p : "", text.n);
    fl_buf_chr(body, '\n');
    return 400;
}
