/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/cloudevents.c -- CloudEvents 1.0: alerts and changes; contract in <faultline/intake.h>.
 * Structured and batch bodies are read as they are; binary mode is folded into a structured body first. */
#include "form_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ATTRIBUTE_MAX = 65536 };

/* ---- what an event is ---- */

typedef enum event_kind { KIND_ALERT, KIND_CHANGE, KIND_OTHER } event_kind;

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static const struct fl_json *data_of(const struct fl_json *e)
{
    const struct fl_json *d = fl_json_get(e, "data");
    return fl_json_is_object(d) ? d : NULL;
}

/* CDEvents: deliveries are changes, its incidents are alerts, builds and tests are neither. */
static event_kind kind_of(const struct fl_json *e)
{
    const char *type = fl_json_str(e, "type", "");
    const struct fl_json *d = data_of(e);
    if (begins(type, "dev.cdevents."))
        return begins(type, "dev.cdevents.service.") || begins(type, "dev.cdevents.environment.")
                   ? KIND_CHANGE
               : begins(type, "dev.cdevents.incident.") ? KIND_ALERT
                                                        : KIND_OTHER;
    return fl_json_string(fl_json_get(d, "component")) && fl_json_string(fl_json_get(d, "kind")) &&
                   !fl_json_get(d, "labels")
               ? KIND_CHANGE
               : KIND_ALERT;
}

/* ---- alerts ---- */

static const char *const over_words[] = {"resolved", "ok", "closed", "recovered", "normal", "cleared"};
static const char *const on_words[] = {"firing",   "triggered", "fired",    "opened",
                                       "alerting", "raised",    "detected", "reported"};

static bool is_word(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(s, words[i]) == 0)
            return true;
    return false;
}

/* "com.example.disk.full.resolved": the state is no part of the alert's name. CDEvents put a version behind it. */
static const char *name_of(struct fl_form *f, const char *type, bool *over)
{
    char *name = fl_arena_strdup(f->judge.arena, type);
    if (!name) {
        f->st = FL_E_NOMEM;
        return "";
    }
    if (begins(name, "dev.cdevents."))
        for (char *dot; (dot = strrchr(name, '.')) && dot[1] >= '0' && dot[1] <= '9';)
            *dot = 0;
    char *dot = strrchr(name, '.');
    if (!dot || dot == name)
        return name;
    bool ends = is_word(dot + 1, over_words, FL_ARRAY_LEN(over_words));
    if (ends || is_word(dot + 1, on_words, FL_ARRAY_LEN(on_words)))
        *dot = 0;
    *over = ends;
    return name;
}

static bool over_by_data(struct fl_form *f, const struct fl_json *d, bool dflt)
{
    static const char *const members[] = {"status", "state"};
    for (size_t i = 0; i < FL_ARRAY_LEN(members); i++) {
        const char *s = fl_json_string(fl_json_get(d, members[i]));
        if (s && *s)
            return is_word(s, over_words, FL_ARRAY_LEN(over_words));
    }
    (void)f;
    return dflt;
}

/* data with labels is an alert as Alertmanager writes one. */
static void read_labelled(struct fl_form *f, const struct fl_json *d)
{
    fl_form_labels(f, fl_json_get(d, "labels"), "data.labels");
    fl_form_notes(f, fl_json_get(d, "annotations"), "data.annotations");
    fl_form_starts(f, fl_form_time(f, fl_json_get(d, "startsAt")));
    bool over = over_by_data(f, d, false);
    fl_form_status(f, !over);
    /* A firing alert's end is how long its sender vouches for it. */
    fl_form_ends(f, fl_form_time(f, fl_json_get(d, "endsAt")));
    fl_form_url(f, fl_form_member(f, d, "generatorURL"));
}

static void read_alert(struct fl_form *f, const struct fl_json *e)
{
    const struct fl_json *d = data_of(e);
    bool over = false;
    const char *name = name_of(f, fl_json_str(e, "type", ""), &over);
    const char *source = fl_json_str(e, "source", ""), *subject = fl_form_member(f, e, "subject");
    if (d && fl_json_get(d, "labels")) {
        read_labelled(f, d);
        return;
    }
    if (!subject && begins(name, "dev.cdevents."))
        subject = fl_form_member(f, fl_json_get(d, "subject"), "id");
    fl_form_label(f, "alertname", name);
    fl_form_label(f, "source", source);
    fl_form_label(f, "subject", subject);
    fl_form_status(f, !over_by_data(f, d, over));
    fl_form_details(f, "data", fl_json_get(e, "data"));
    if (strstr(source, "://"))
        fl_form_url(f, fl_form_member(f, e, "source"));
}

static bool check_event(struct fl_form *f, const struct fl_json *e)
{
    const char *version = fl_form_need(f, e, "specversion", "specversion");
    if (version && strcmp(version, "1.0") != 0)
        fl_form_refuse(f, FL_E_SHAPE, "specversion", "expected \"1.0\", got \"%.16s\"", version);
    static const char *const members[] = {"id", "source", "type"};
    for (size_t i = 0; i < FL_ARRAY_LEN(members); i++)
        (void)fl_form_need(f, e, members[i], members[i]);
    if (fl_json_get(e, "data_base64"))
        fl_form_refuse(f, FL_E_SHAPE, "data_base64", "binary data is not read, send JSON as \"data\"");
    return !f->refused;
}

static void read_event(struct fl_form *f, const struct fl_json *e)
{
    if (f->refused || !check_event(f, e))
        return;
    switch (kind_of(e)) {
    case KIND_ALERT: read_alert(f, e); break;
    case KIND_CHANGE:
        f->out.n_changes++;
        f->refused = true;
        break;
    case KIND_OTHER: fl_form_ignore(f); break;
    }
}

fl_status fl_read_cloudevents(struct fl_form *f)
{
    const struct fl_json *root = f->root;
    if (fl_json_is_object(root)) {
        fl_form_begin(f, 0, "", root);
        read_event(f, root);
        fl_form_end(f);
        return f->st;
    }
    if (!fl_form_list(f, NULL, root))
        return f->st;
    for (size_t i = 0; i < fl_json_len(root) && !f->st; i++) {
        fl_form_begin(f, i, fl_form_at(f, "", i), fl_json_at(root, i));
        read_event(f, fl_json_at(root, i));
        fl_form_end(f);
    }
    return f->st;
}

/* ---- changes ---- */

static void write_cdevent(struct fl_jw *w, struct fl_arena *arena, const struct fl_json *e,
                          struct fl_change_form *c)
{
    const struct fl_json *subject = fl_json_get(data_of(e), "subject"),
                         *content = fl_json_get(subject, "content");
    char *kind = fl_arena_strdup(arena, fl_json_str(e, "type", "") + strlen("dev.cdevents."));
    for (char *dot; kind && (dot = strrchr(kind, '.')) && dot[1] >= '0' && dot[1] <= '9';)
        *dot = 0;
    c->kind = kind;
    c->component = fl_json_str(subject, "id", fl_json_str(e, "subject", NULL));
    c->title = fl_json_str(content, "artifactId", NULL);
    c->link = fl_json_str(content, "url", fl_json_str(content, "uri", NULL));
    c->detail = content;
    fl_change_write(w, NULL, c);
}

static void write_change(struct fl_jw *w, struct fl_arena *arena, const struct fl_json *e, fl_usec now)
{
    const struct fl_json *d = data_of(e);
    struct fl_change_form c = {
        .time = fl_json_str(e, "time", NULL), .id = fl_json_str(e, "id", NULL), .now = now};
    if (begins(fl_json_str(e, "type", ""), "dev.cdevents.")) {
        write_cdevent(w, arena, e, &c);
        return;
    }
    c.time = fl_json_str(d, "time", c.time);
    c.id = fl_json_str(d, "id", c.id);
    c.component = fl_json_str(d, "component", NULL);
    c.kind = fl_json_str(d, "kind", NULL);
    c.author = fl_json_str(d, "author", NULL);
    c.title = fl_json_str(d, "title", NULL);
    c.link = fl_json_str(d, "link", NULL);
    c.detail = fl_json_get(d, "detail");
    fl_change_write(w, NULL, &c);
}

/* The reader's own judgement, without its words: it has kept the reject already. */
static bool is_change(const struct fl_json *e)
{
    return fl_json_is_object(e) && strcmp(fl_json_str(e, "specversion", ""), "1.0") == 0 &&
           *fl_json_str(e, "id", "") && *fl_json_str(e, "source", "") && *fl_json_str(e, "type", "") &&
           !fl_json_get(e, "data_base64") && kind_of(e) == KIND_CHANGE;
}

fl_status fl_intake_cloudevents_changes(struct fl_arena *arena, const char *body, size_t len, fl_usec now,
                                        struct fl_buf *out, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    FL_AUTO_JSON root = fl_form_tree(arena, body, len, err);
    if (!root)
        return err->status;
    struct fl_jw w = fl_jw_init(out);
    fl_jw_arr(&w, NULL);
    bool is_list = fl_json_is_array(root);
    for (size_t i = 0; i < (is_list ? fl_json_len(root) : 1); i++) {
        const struct fl_json *e = is_list ? fl_json_at(root, i) : root;
        if (is_change(e))
            write_change(&w, arena, e, now);
    }
    fl_jw_arr_end(&w);
    return out->failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory") : FL_OK;
}

/* ---- binary mode ---- */

static bool is_type(const char *content_type, const char *type)
{
    size_t n = strlen(type);
    return content_type && strncasecmp(content_type, type, n) == 0 &&
           (!content_type[n] || content_type[n] == ';' || content_type[n] == ' ');
}

fl_ce_mode fl_cloudevents_mode(const char *content_type, bool has_ce_headers)
{
    if (is_type(content_type, "application/cloudevents+json"))
        return FL_CE_STRUCTURED;
    if (is_type(content_type, "application/cloudevents-batch+json"))
        return FL_CE_BATCH;
    if (content_type && strncasecmp(content_type, "application/cloudevents", 23) == 0)
        return FL_CE_UNKNOWN; /* another event format: Avro, protobuf, XML */
    return has_ce_headers ? FL_CE_BINARY : FL_CE_UNKNOWN;
}

/* RFC 3986 percent-encoding, as the HTTP binding asks for; a stray '%' stays. */
static char *percent_decode(struct fl_arena *arena, const char *s)
{
    char *out = fl_arena_strdup(arena, s), *to = out;
    if (!out)
        return NULL;
    for (; *s; s++) {
        char c;
        if (s[0] == '%' && s[1] && s[2] && fl_unhex(s + 1, 2, &c) && c) {
            *to++ = c;
            s += 2;
        } else {
            *to++ = *s;
        }
    }
    *to = 0;
    fl_utf8_repair(out, (size_t)(to - out));
    return out;
}

static bool is_attribute(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9')))
            return false;
    return *name && strcmp(name, "data") != 0 && strcmp(name, "datacontenttype") != 0;
}

/* Data that is no JSON: as text, and a NUL has no place in any. */
static bool write_text(struct fl_jw *w, struct fl_arena *arena, const char *body, size_t len)
{
    char *copy = fl_arena_strndup(arena, body, len);
    for (size_t i = 0; copy && i < len; i++)
        copy[i] = copy[i] ? copy[i] : '?';
    if (copy)
        fl_jw_strn(w, "data", copy, len);
    return copy != NULL;
}

fl_status fl_intake_canonical_cloudevent(struct fl_arena *arena, const struct fl_label *headers, size_t n,
                                         const char *content_type, const char *body, size_t len,
                                         struct fl_buf *out, struct fl_err *err)
{
    struct fl_err ignored = {.status = FL_OK};
    struct fl_label *v = fl_arena_calloc(arena, n ? n : 1, sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!is_attribute(headers[i].name))
            return fl_fail(err, FL_E_SHAPE, NULL, "\"ce-%.60s\" is no name of a CloudEvents attribute",
                           headers[i].name);
        if (strlen(headers[i].value) > ATTRIBUTE_MAX)
            return fl_fail(err, FL_E_LIMIT, headers[i].name, "longer than %d bytes", ATTRIBUTE_MAX);
        v[k].name = headers[i].name;
        v[k].value = percent_decode(arena, headers[i].value);
        if (!v[k++].value)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    k = fl_labels_normalise(
        v, k); /* the order of headers is the proxy's: sorted, the same event is the same bytes */
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < k; i++)
        fl_jw_str(&w, v[i].name, v[i].value);
    if (content_type)
        fl_jw_str(&w, "datacontenttype", content_type);
    FL_AUTO_JSON data = len ? fl_form_tree(arena, body, len, &ignored) : NULL;
    FL_AUTO_FREE char *text = data ? fl_json_text(data, false) : NULL;
    if (text)
        fl_jw_raw(&w, "data", text);
    else if (len && !write_text(&w, arena, body, len))
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_jw_obj_end(&w);
    return out->failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory") : FL_OK;
}

bool fl_cloudevents_origin(const char *origin)
{
    size_t n = origin ? strlen(origin) : 0;
    return n && n <= 253 &&
           strspn(origin, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:*") == n;
}
