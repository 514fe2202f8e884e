/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/zabbix.c -- what packaging/zabbix/faultline-media-type.yaml sends; contract in <faultline/intake.h>.
 * Identity is trigger, host and tags: the severity of a problem can be changed by hand while it lasts. */
#include "form_priv.h"

#include <string.h>

enum { TAGS_MAX = 100, UNIX_DIGITS_MIN = 9 };

/* A macro that the server does not know, or that has no value here, arrives as it is written. */
static const char *macro(struct fl_form *f, const struct fl_json *e, const char *key)
{
    const char *s = fl_form_member(f, e, key);
    size_t n = s ? strlen(s) : 0;
    bool open = n > 2 && s[0] == '{' && s[n - 1] == '}' && s[1] >= 'A' && s[1] <= 'Z';
    return open || (s && strcmp(s, "*UNKNOWN*") == 0) ? NULL : s;
}

static const char *severity_of(const char *s)
{
    static const char *const words[] = {"not classified", "information", "warning",
                                        "average",        "high",        "disaster"};
    return s && s[0] >= '0' && s[0] <= '5' && !s[1] ? words[s[0] - '0'] : s;
}

/* Names the reader gives itself; a tag of that name gets "tag_" before it. */
static bool is_taken(const char *name)
{
    static const char *const own[] = {"alertname", "host", "trigger_id"};
    for (size_t i = 0; i < FL_ARRAY_LEN(own); i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return false;
}

/* Tags repeat: the values of one name are joined, sorted by nothing but the sender's order, which is stable. */
static const char *joined(struct fl_form *f, const struct fl_json *tags, const char *name, size_t from)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    for (size_t i = from; i < fl_json_len(tags) && i < TAGS_MAX; i++) {
        const struct fl_json *t = fl_json_at(tags, i);
        const char *value = fl_json_str(t, "value", "");
        if (strcmp(fl_json_str(t, "tag", ""), name) != 0 || !*value)
            continue;
        if (b.n)
            fl_buf_chr(&b, ',');
        fl_buf_str(&b, value);
    }
    const char *copy = b.failed ? NULL : fl_arena_strndup(f->judge.arena, b.p ? b.p : "", b.n);
    if (!copy)
        f->st = FL_E_NOMEM;
    return copy ? copy : "";
}

static bool seen_before(const struct fl_json *tags, const char *name, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(fl_json_str(fl_json_at(tags, k), "tag", ""), name) == 0)
            return true;
    return false;
}

static void add_tags(struct fl_form *f, const struct fl_json *tags)
{
    if (!fl_json_is_array(tags)) {
        fl_form_refuse(f, FL_E_SHAPE, "tags", "expected a list of {\"tag\",\"value\"}");
        return;
    }
    if (fl_json_len(tags) > TAGS_MAX)
        fl_form_refuse(f, FL_E_LIMIT, "tags", "more than %d tags", TAGS_MAX);
    for (size_t i = 0; i < fl_json_len(tags) && !f->refused && !f->st; i++) {
        const char *tag = fl_json_str(fl_json_at(tags, i), "tag", "");
        if (!*tag || seen_before(tags, tag, i))
            continue;
        const char *name = fl_form_name(f, tag);
        if (is_taken(name))
            name = fl_arena_printf(f->judge.arena, "tag_%s", name);
        if (!name)
            f->st = FL_E_NOMEM;
        else
            fl_form_label(f, name, joined(f, tags, tag, i));
    }
}

/* {EVENT.TAGSJSON} is JSON within a string; the media type unpacks it, a hand-made sender may not. */
static void read_tags(struct fl_form *f, const struct fl_json *e)
{
    const struct fl_json *tags = fl_json_get(e, "tags");
    const char *text = fl_json_is_string(tags) ? macro(f, e, "tags") : NULL;
    if (text && *text) {
        struct fl_err err = {.status = FL_OK};
        FL_AUTO_JSON inner = fl_json_parse(text, strlen(text), &err);
        if (inner)
            add_tags(f, inner);
        else
            fl_form_refuse(f, FL_E_SHAPE, "tags", "%s", err.text);
    } else if (tags && !fl_json_is_string(tags)) {
        add_tags(f, tags);
    }
}

/* {EVENT.DATE} and {EVENT.TIME} have no zone; only the stamp in seconds can be trusted, and only if it is one. */
static const char *when(struct fl_form *f, const struct fl_json *e)
{
    const char *s = macro(f, e, "timestamp");
    if (!s || strlen(s) < UNIX_DIGITS_MIN || strspn(s, "0123456789") != strlen(s))
        return NULL;
    return fl_form_time(f, fl_json_get(e, "timestamp"));
}

static void read_event(struct fl_form *f, const struct fl_json *e)
{
    static const char *const notes[] = {"event_id", "opdata", "ip", "hostgroup", "ack", "message"};
    const char *source = macro(f, e, "source"), *value = fl_form_member(f, e, "value");
    if (source && *source && strcmp(source, "0") != 0 && strcmp(source, "4") != 0) {
        fl_form_ignore(f); /* discovery, registration, internal: no problem of a service */
        return;
    }
    const char *name = macro(f, e, "trigger_name"), *host = macro(f, e, "host");
    name = name && *name ? name : macro(f, e, "name");
    if (!value || (strcmp(value, "0") != 0 && strcmp(value, "1") != 0))
        fl_form_refuse(f, FL_E_SHAPE, "value", "expected \"1\" (problem) or \"0\" (recovery), got \"%.40s\"",
                       value ? value : "");
    if (!name || !*name)
        fl_form_refuse(f, FL_E_SHAPE, "trigger_name", "is required");
    if ((!host || !*host) && !(source && *source == '4'))
        fl_form_refuse(f, FL_E_SHAPE, "host", "is required");
    if (f->refused)
        return;
    fl_form_label(f, "alertname", name);
    fl_form_label(f, "host", host);
    fl_form_label(f, "trigger_id", macro(f, e, "trigger_id"));
    read_tags(f, e);
    fl_form_status(f, *value == '1');
    fl_form_starts(f, when(f, e));
    fl_form_note(f, "summary", macro(f, e, "name"));
    fl_form_note(f, "severity", severity_of(macro(f, e, "severity")));
    for (size_t i = 0; i < FL_ARRAY_LEN(notes); i++)
        fl_form_note(f, notes[i], macro(f, e, notes[i]));
    fl_form_url(f, macro(f, e, "url"));
}

fl_status fl_read_zabbix(struct fl_form *f)
{
    if (!fl_json_is_object(f->root))
        return fl_form_fail(f, FL_E_SHAPE, NULL, "expected an object");
    fl_form_begin(f, 0, "", f->root);
    read_event(f, f->root);
    fl_form_end(f);
    return f->st;
}
