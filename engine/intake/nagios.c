/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/nagios.c -- Nagios, Icinga, Naemon: passive results (NRDP) and our notification; contract in
 * <faultline/intake.h>. A check keeps its labels whatever its state; state and severity are annotations. */
#include "form_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FIELDS_MAX = 128, STATES = 4 };

static const char *const service_states[STATES] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};
static const char *const host_states[STATES] = {"UP", "DOWN", "UNREACHABLE", "UNREACHABLE"};
static const char *const service_severities[STATES] = {"none", "warning", "critical", "warning"};
static const char *const host_severities[STATES] = {"none", "critical", "error", "error"};

/* By number or by name. @return 0..3, or -1. */
static int state_of(const char *s, bool is_host)
{
    for (int i = 0; s && i < STATES; i++)
        if (strcasecmp(s, (is_host ? host_states : service_states)[i]) == 0)
            return i;
    return s && s[0] >= '0' && s[0] <= '3' && !s[1] ? s[0] - '0' : -1;
}

static void read_check(struct fl_form *f, const char *host, const char *service, const char *state)
{
    bool is_host = !service || !*service;
    int n = state_of(state, is_host);
    if (f->refused)
        return;
    if (n < 0) {
        fl_form_refuse(f, FL_E_SHAPE, "state",
                       is_host ? "expected UP, DOWN, UNREACHABLE or 0 to 2, got \"%.40s\""
                               : "expected OK, WARNING, CRITICAL, UNKNOWN or 0 to 3, got \"%.40s\"",
                       state ? state : "");
        return;
    }
    fl_form_label(f, "alertname", is_host ? "HostCheck" : service);
    fl_form_label(f, "check", is_host ? "host" : "service");
    fl_form_label(f, "host", host);
    fl_form_status(f, n > 0);
    fl_form_note(f, "state", (is_host ? host_states : service_states)[n]);
    fl_form_note(f, "severity", (is_host ? host_severities : service_severities)[n]);
}

/* ---- NRDP ---- */

static void read_result(struct fl_form *f, const struct fl_json *r)
{
    const struct fl_json *kind = fl_json_get(r, "checkresult");
    const char *type = fl_json_str(kind, "type", fl_json_str(r, "type", ""));
    const char *service = fl_form_member(f, r, "servicename"), *output = fl_form_member(f, r, "output");
    if (strcmp(type, "host") != 0 && strcmp(type, "service") != 0)
        fl_form_refuse(f, FL_E_SHAPE, "checkresult.type", "expected \"host\" or \"service\"");
    if (strcmp(type, "service") == 0)
        (void)fl_form_need(f, r, "servicename", "servicename");
    const char *host = fl_form_need(f, r, "hostname", "hostname");
    read_check(f, host, strcmp(type, "service") == 0 ? service : NULL, fl_form_member(f, r, "state"));
    fl_form_note(f, "summary", output);
}

/* ---- our notification ---- */

/* Macros that Nagios does not know stay as they are written. */
static const char *macro(struct fl_form *f, const struct fl_json *n, const char *key)
{
    const char *s = fl_form_member(f, n, key);
    size_t len = s ? strlen(s) : 0;
    return len > 2 && s[0] == '$' && s[len - 1] == '$' ? NULL : s;
}

static void read_notification(struct fl_form *f, const struct fl_json *n)
{
    static const char *const notes[] = {"address",    "state_type",    "author",     "comment",
                                        "hostgroups", "servicegroups", "long_output"};
    /* These say something about a problem that is reported anyway, or announce silence. */
    static const char *const others[] = {"ACKNOWLEDGEMENT",   "FLAPPINGSTART", "FLAPPINGSTOP",
                                         "FLAPPINGDISABLED",  "DOWNTIMESTART", "DOWNTIMEEND",
                                         "DOWNTIMECANCELLED", "CUSTOM"};
    const char *type = fl_form_need(f, n, "type", "type");
    if (f->refused)
        return;
    for (size_t i = 0; i < FL_ARRAY_LEN(others); i++)
        if (strcasecmp(type, others[i]) == 0) {
            fl_form_ignore(f);
            return;
        }
    bool recovery = strcasecmp(type, "RECOVERY") == 0;
    if (!recovery && strcasecmp(type, "PROBLEM") != 0)
        fl_form_refuse(f, FL_E_SHAPE, "type",
                       "expected PROBLEM, RECOVERY or another of Nagios's kinds, got \"%.40s\"", type);
    const char *host = fl_form_need(f, n, "host", "host"), *state = macro(f, n, "state");
    if (!f->refused && state && strcasecmp(fl_json_str(n, "state_type", "HARD"), "SOFT") == 0 && !recovery) {
        fl_form_ignore(f); /* Nagios itself is not sure yet */
        return;
    }
    const char *service = macro(f, n, "service");
    read_check(f, host, service, state);
    if (!f->refused)
        fl_form_status(f, !recovery);
    fl_form_note(f, "summary", macro(f, n, "output"));
    for (size_t i = 0; i < FL_ARRAY_LEN(notes); i++)
        fl_form_note(f, notes[i], macro(f, n, notes[i]));
    fl_form_url(f, macro(f, n, "url"));
}

fl_status fl_read_nagios(struct fl_form *f)
{
    const struct fl_json *root = f->root;
    if (!fl_json_is_object(root))
        return fl_form_fail(f, FL_E_SHAPE, NULL, "expected an object");
    const struct fl_json *list = fl_json_get(root, "checkresults");
    if (!list) {
        fl_form_begin(f, 0, "", root);
        read_notification(f, root);
        fl_form_end(f);
        return f->st;
    }
    if (!fl_form_list(f, "checkresults", list))
        return f->st;
    for (size_t i = 0; i < fl_json_len(list) && !f->st; i++) {
        fl_form_begin(f, i, fl_form_at(f, "checkresults", i), fl_json_at(list, i));
        if (!f->refused)
            read_result(f, fl_json_at(list, i));
        fl_form_end(f);
    }
    return f->st;
}

/* ---- application/x-www-form-urlencoded ---- */

static char *form_decode(struct fl_arena *arena, const char *s, size_t n)
{
    char *out = fl_arena_strndup(arena, s, n), *to = out;
    for (size_t i = 0; out && i < n; i++) {
        char c = s[i];
        if (c == '+')
            c = ' ';
        else if (c == '%' && n - i > 2 && fl_unhex(s + i + 1, 2, &c))
            i += 2;
        *to++ = c ? c : '?';
    }
    if (out) {
        *to = 0;
        fl_utf8_repair(out, (size_t)(to - out));
    }
    return out;
}

static fl_status form_fields(struct fl_arena *arena, const char *body, size_t len, struct fl_label *v,
                             size_t *n, struct fl_err *err)
{
    const char *p = body, *end = body + len;
    *n = 0;
    while (p < end) {
        const char *amp = memchr(p, '&', (size_t)(end - p)), *stop = amp ? amp : end;
        const char *eq = memchr(p, '=', (size_t)(stop - p)), *name_end = eq ? eq : stop;
        if (*n == FIELDS_MAX)
            return fl_fail(err, FL_E_LIMIT, NULL, "more than %d form fields", FIELDS_MAX);
        const char *name = form_decode(arena, p, (size_t)(name_end - p));
        const char *value = eq ? form_decode(arena, eq + 1, (size_t)(stop - eq - 1)) : "";
        if (!name || !value)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        if (*name)
            v[(*n)++] = (struct fl_label){name, value};
        p = amp ? amp + 1 : end;
    }
    return FL_OK;
}

static const char *field(const struct fl_label *v, size_t n, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].name, name) == 0)
            value = v[i].value;
    return value;
}

static fl_status nrdp(struct fl_arena *arena, const struct fl_label *v, size_t n, struct fl_buf *out,
                      struct fl_err *err)
{
    const char *cmd = field(v, n, "cmd"), *json = field(v, n, "JSONDATA");
    if (strcmp(cmd, "submitcheck") != 0)
        return fl_fail(err, FL_E_SHAPE, "cmd", "expected \"submitcheck\", got \"%.40s\"", cmd);
    if (!json && field(v, n, "XMLDATA")) {
        fl_fail(err, FL_E_SHAPE, "XMLDATA", "results in XML are not read");
        fl_hint(err, "let the sender use JSONDATA");
        return FL_E_SHAPE;
    }
    if (!json)
        return fl_fail(err, FL_E_SHAPE, "JSONDATA", "is required");
    FL_AUTO_JSON root = fl_form_tree(arena, json, strlen(json), err);
    if (!root)
        return err ? err->status : FL_E_SYNTAX;
    const struct fl_json *list = fl_json_get(root, "checkresults");
    if (!fl_json_is_array(list))
        return fl_fail(err, FL_E_SHAPE, "JSONDATA.checkresults", "expected an array");
    FL_AUTO_FREE char *text = fl_json_text(list, false);
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "checkresults", text);
    fl_jw_obj_end(&w);
    return !text || out->failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory") : FL_OK;
}

fl_status fl_intake_canonical_nagios(struct fl_arena *arena, const char *body, size_t len, struct fl_buf *out,
                                     const char **ret_token, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    struct fl_label v[FIELDS_MAX];
    size_t n = 0;
    fl_status st = form_fields(arena, body, len, v, &n, err);
    if (st)
        return st;
    const char *token = field(v, n, "token");
    if (field(v, n, "cmd")) {
        st = nrdp(arena, v, n, out, err);
        if (st)
            return st;
    } else {
        struct fl_jw w = fl_jw_init(out);
        fl_jw_obj(&w, NULL);
        for (size_t i = 0; i < n; i++)
            if (strcmp(v[i].name, "token") != 0 && field(v, n, v[i].name) == v[i].value)
                fl_jw_str(&w, v[i].name, v[i].value);
        fl_jw_obj_end(&w);
        if (out->failed)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    *ret_token = token ? token : "";
    return FL_OK;
}
