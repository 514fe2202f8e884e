/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/pagerduty.c -- PagerDuty Events API v2, alert and change events; contract in <faultline/intake.h>.
 * A resolve may consist of the key alone, so the key alone is the identity; everything else is annotation. */
#include "form_priv.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MAX = 255, ROUTING_KEY_MAX = 256, INTEGRATION_DIGITS = 12, MADE_KEY_DIGITS = 32 };

/* The routing key is a credential: what is kept tells two of them apart and opens nothing. */
static const char *integration_of(struct fl_arena *arena, const struct fl_json *root)
{
    const char *known = fl_json_str(root, "integration", NULL), *key = fl_json_str(root, "routing_key", NULL);
    if (!key)
        return fl_arena_strdup(arena, known ? known : "");
    struct fl_sha256 h;
    char hex[65];
    fl_sha256(key, strlen(key), &h);
    fl_sha256_hex(&h, hex);
    return fl_arena_strndup(arena, hex, INTEGRATION_DIGITS);
}

/* PagerDuty makes up a key for a trigger without one. Ours follows from what the event is about, so that a
 * repeated or replayed trigger is the same alert. */
static const char *key_of(struct fl_arena *arena, const struct fl_json *root)
{
    const char *given = fl_json_str(root, "dedup_key", "");
    if (*given)
        return fl_arena_strdup(arena, given);
    const struct fl_json *payload = fl_json_get(root, "payload");
    static const char *const about[] = {"source", "summary", "component", "group", "class"};
    FL_AUTO_BUF b = fl_buf_init(0);
    for (size_t i = 0; payload && i < FL_ARRAY_LEN(about); i++) {
        const char *v = fl_json_str(payload, about[i], "");
        fl_buf_add(&b, v, strlen(v) + 1);
    }
    struct fl_sha256 h;
    char hex[65];
    fl_sha256(b.p ? b.p : "", b.n, &h);
    fl_sha256_hex(&h, hex);
    return b.failed ? NULL : fl_arena_strndup(arena, hex, MADE_KEY_DIGITS);
}

static bool is_one_of(const char *s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(s, words[i]) == 0)
            return true;
    return false;
}

static void read_payload(struct fl_form *f, const struct fl_json *p)
{
    if (p && !fl_json_is_object(p)) {
        fl_form_refuse(f, FL_E_SHAPE, "payload", "expected an object");
        return;
    }
    static const char *const members[] = {"summary", "source", "severity", "component", "group", "class"};
    fl_form_note(f, "host",
                 p ? fl_form_member(f, p, "source") : NULL); /* "preferably a hostname", says PagerDuty */
    fl_form_details(f, "custom_details", p ? fl_json_get(p, "custom_details") : NULL);
    for (size_t i = 0; p && i < FL_ARRAY_LEN(members); i++)
        fl_form_note(f, members[i], fl_form_member(f, p, members[i]));
}

static void check_trigger(struct fl_form *f, const struct fl_json *p)
{
    static const char *const severities[] = {"critical", "error", "warning", "info"};
    if (!p)
        fl_form_refuse(f, FL_E_SHAPE, "payload", "is required");
    (void)fl_form_need(f, p, "summary", "payload.summary");
    (void)fl_form_need(f, p, "source", "payload.source");
    const char *severity = fl_form_need(f, p, "severity", "payload.severity");
    if (severity && !is_one_of(severity, severities, FL_ARRAY_LEN(severities)))
        fl_form_refuse(f, FL_E_SHAPE, "payload.severity",
                       "expected critical, error, warning or info, got \"%.40s\"", severity);
}

/* The first link's address leads back to the sender; all of them are kept. */
static void read_links(struct fl_form *f, const struct fl_json *root)
{
    const struct fl_json *links = fl_json_get(root, "links");
    const char *client = fl_form_member(f, root, "client_url");
    const struct fl_json *first = fl_json_is_array(links) ? fl_json_at(links, 0) : NULL;
    const char *href = fl_json_is_object(first) ? fl_form_member(f, first, "href") : NULL;
    fl_form_note(f, "client", fl_form_member(f, root, "client"));
    if (fl_json_is_array(links) && fl_json_len(links))
        fl_form_note(f, "links", fl_form_text(f, links));
    fl_form_url(f, client && *client ? client : href);
}

fl_status fl_read_pagerduty(struct fl_form *f)
{
    static const char *const actions[] = {"trigger", "acknowledge", "resolve"};
    const struct fl_json *root = f->root;
    if (!fl_json_is_object(root))
        return fl_form_fail(f, FL_E_SHAPE, NULL, "expected a PagerDuty event, an object");
    const char *routing = fl_json_str(root, "routing_key", "");
    const struct fl_json *payload = fl_json_get(root, "payload");
    const char *integration = integration_of(f->judge.arena, root);
    fl_form_begin(f, 0, "", root);
    const char *action = fl_form_need(f, root, "event_action", "event_action");
    if (!integration || !*integration)
        fl_form_refuse(f, FL_E_SHAPE, "routing_key", "is required");
    if (strlen(routing) > ROUTING_KEY_MAX)
        fl_form_refuse(f, FL_E_LIMIT, "routing_key", "longer than %d bytes", ROUTING_KEY_MAX);
    if (action && !is_one_of(action, actions, FL_ARRAY_LEN(actions)))
        fl_form_refuse(f, FL_E_SHAPE, "event_action",
                       "expected trigger, acknowledge or resolve, got \"%.40s\"", action);
    if (!f->refused && strcmp(action, "trigger") == 0)
        check_trigger(f, payload);
    else if (!f->refused)
        (void)fl_form_need(f, root, "dedup_key", "dedup_key");
    const char *key = f->refused ? "" : key_of(f->judge.arena, root);
    if (!key)
        return fl_form_fail(f, FL_E_NOMEM, NULL, "out of memory");
    if (strlen(key) > KEY_MAX)
        fl_form_refuse(f, FL_E_LIMIT, "dedup_key", "longer than %d bytes", KEY_MAX);
    if (!f->refused && strcmp(action, "acknowledge") == 0)
        fl_form_ignore(f);
    if (!f->refused) {
        fl_form_label(f, "alertname", "PagerDutyEvent");
        fl_form_label(f, "integration", integration);
        fl_form_label(f, "dedup_key", key);
        fl_form_status(f, strcmp(action, "trigger") == 0);
        read_payload(f, payload);
        read_links(f, root);
    }
    fl_form_end(f);
    return f->st;
}

/* ---- canonical form ---- */

fl_status fl_intake_canonical_pagerduty(struct fl_arena *arena, const char *body, size_t len,
                                        struct fl_buf *out, const char **ret_key,
                                        const char **ret_routing_key, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    FL_AUTO_JSON root = fl_form_tree(arena, body, len, err);
    if (!root)
        return err->status;
    if (!fl_json_is_object(root))
        return fl_fail(err, FL_E_SHAPE, NULL, "expected a PagerDuty event, an object");
    const char *integration = integration_of(arena, root), *key = key_of(arena, root);
    const char *routing = fl_arena_strdup(arena, fl_json_str(root, "routing_key", ""));
    if (!integration || !key || !routing)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "integration", integration);
    bool is_trigger = strcmp(fl_json_str(root, "event_action", ""), "trigger") == 0;
    if (is_trigger)
        fl_jw_str(&w, "dedup_key", key);
    for (void *it = fl_json_first(root); it; it = fl_json_next(root, it)) {
        const char *name = fl_json_key(it);
        if (strcmp(name, "routing_key") == 0 || strcmp(name, "integration") == 0 ||
            (is_trigger && strcmp(name, "dedup_key") == 0))
            continue;
        FL_AUTO_FREE char *text = fl_json_value(it) ? fl_json_text(fl_json_value(it), false) : NULL;
        if (fl_json_value(it) && !text)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        fl_jw_raw(&w, name, text);
    }
    fl_jw_obj_end(&w);
    if (out->failed)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    *ret_key = key;
    *ret_routing_key = routing;
    return FL_OK;
}

/* ---- change events ---- */

fl_status fl_intake_pagerduty_change(struct fl_arena *arena, const char *body, size_t len, fl_usec now,
                                     struct fl_buf *out, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    FL_AUTO_JSON root = fl_form_tree(arena, body, len, err);
    if (!root)
        return err->status;
    const struct fl_json *p = fl_json_is_object(root) ? fl_json_get(root, "payload") : NULL;
    const struct fl_json *details = p ? fl_json_get(p, "custom_details") : NULL;
    if (!fl_json_is_object(root))
        return fl_fail(err, FL_E_SHAPE, NULL, "expected a PagerDuty change event, an object");
    if (!*fl_json_str(root, "routing_key", ""))
        return fl_fail(err, FL_E_SHAPE, "routing_key", "is required");
    if (!fl_json_is_object(p))
        return fl_fail(err, FL_E_SHAPE, "payload", p ? "expected an object" : "is required");
    const char *summary = fl_json_str(p, "summary", "");
    if (!*summary)
        return fl_fail(err, FL_E_SHAPE, "payload.summary", "is required");
    struct fl_change_form c = {.title = summary,
                               .kind = "change",
                               .time = fl_json_str(p, "timestamp", NULL),
                               .component = fl_json_str(p, "source", NULL)};
    static const char *const about[] = {"service", "component", "app"};
    for (size_t i = FL_ARRAY_LEN(about); fl_json_is_object(details) && i > 0; i--)
        c.component = fl_json_str(details, about[i - 1], c.component);
    if (fl_json_is_object(details)) {
        c.kind = fl_json_str(details, "kind", c.kind);
        c.author = fl_json_str(details, "author", fl_json_str(details, "user", NULL));
    }
    const struct fl_json *link = fl_json_at(fl_json_get(root, "links"), 0);
    c.link = fl_json_is_object(link) ? fl_json_str(link, "href", NULL) : NULL;
    c.detail = details;
    c.now = now;
    struct fl_jw w = fl_jw_init(out);
    fl_change_write(&w, NULL, &c);
    return out->failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory") : FL_OK;
}
