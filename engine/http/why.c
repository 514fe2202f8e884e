/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/why.c -- GET /api/v1/why/{what}: what became of an alert, or how an incident came about; also what did not
 * happen, and who was meant when there is no such thing (layer 5). `faultline why` prints this document and knows no more.
 * An incident's story is also that of the incidents it has absorbed: the timeline has both, and a sentence that was written
 * elsewhere says where. */
#include "http_priv.h"

#include <stdio.h>
#include <string.h>

enum { UNRESOLVED_SHOWN = 5, ALTERNATIVES_SHOWN = 5 };

struct page {
    struct request *r;
    struct fl_reader *db;
    struct fl_buf b;
    struct fl_jw w;
    struct fl_json *timeline; /* the last one read; owned */
    const char *timeline_of;
};

static const char *str(const struct fl_json *v, const char *key)
{
    return fl_json_str(v, key, "");
}

/* @return the document; NULL: *err says why. */
static struct fl_json *document_until(struct page *p, fl_read what, const char *id, fl_usec until,
                                      struct fl_err *err)
{
    struct fl_read_args a = {.realm = p->r->http->o.config->realm, .id = id, .until = until};
    FL_AUTO_BUF text = fl_buf_init(REPLY_MAX);
    return fl_read_json(p->db, what, &a, &text, err) == FL_OK ? fl_json_parse(text.p, text.n, err) : NULL;
}

static struct fl_json *document(struct page *p, fl_read what, const char *id, struct fl_err *err)
{
    return document_until(p, what, id, 0, err);
}

/* ---- answers out of a timeline ---- */

static bool one_of(const char *kind, const char *const *kinds)
{
    for (; *kinds; kinds++) {
        size_t n = strlen(*kinds);
        if ((*kinds)[n - 1] == '.' ? !strncmp(kind, *kinds, n) : !strcmp(kind, *kinds))
            return true; /* "ranking.": all of that family */
    }
    return false;
}

static void say(struct page *p, const struct fl_json *entry, const char *incident)
{
    const char *where = str(entry, "incident");
    FL_AUTO_BUF text = fl_buf_init(1 << 16);
    fl_buf_str(&text, str(entry, "text"));
    if (*where && strcmp(where, incident) != 0)
        fl_buf_printf(&text, " (written in %s)", where);
    fl_jw_str(&p->w, NULL, text.p ? text.p : "");
}

/* Sentences of these kinds, in order; only the last one when `last`. @return how many there were. */
static size_t tell(struct page *p, const struct fl_json *timeline, const char *incident,
                   const char *const *kinds, bool last)
{
    const struct fl_json *newest = NULL;
    size_t n = 0;
    for (size_t i = 0; i < fl_json_len(timeline); i++) {
        const struct fl_json *t = fl_json_at(timeline, i);
        if (!one_of(str(t, "kind"), kinds))
            continue;
        n++;
        newest = t;
        if (!last)
            say(p, t, incident);
    }
    if (last && newest)
        say(p, newest, incident);
    return n;
}

static void tell_response(struct page *p, const struct fl_json *timeline, const char *incident)
{
    static const char *const runs[] = {"run.", "guard.refused", NULL};
    static const char *const none[] = {"playbook.none", NULL};
    if (!tell(p, timeline, incident, runs, false) && !tell(p, timeline, incident, none, true))
        fl_jw_str(&p->w, NULL, "no binding was tried yet");
}

/* ---- an incident ---- */

static void question(struct page *p, const char *text)
{
    fl_jw_obj(&p->w, NULL);
    fl_jw_str(&p->w, "question", text);
    fl_jw_arr(&p->w, "answers");
}

static void answered(struct page *p)
{
    fl_jw_arr_end(&p->w);
    fl_jw_obj_end(&p->w);
}

static void ask(struct page *p, const char *text, const struct fl_json *timeline, const char *incident,
                const char *const *kinds, bool last, const char *otherwise)
{
    question(p, text);
    if (!tell(p, timeline, incident, kinds, last) && otherwise)
        fl_jw_str(&p->w, NULL, otherwise);
    answered(p);
}

static void unresolved(struct page *p, const struct fl_json *inc)
{
    char text[512];
    int64_t firing = fl_json_int(inc, "alerts_firing", 0), stale = fl_json_int(inc, "alerts_stale", 0);
    const struct fl_json *alerts = fl_json_get(inc, "alerts");
    size_t shown = 0;
    question(p, "why it is not resolved");
    if (!firing && !stale) {
        fl_jw_str(&p->w, NULL, "all its alerts are resolved; it waits for them to stay so");
    } else {
        snprintf(text, sizeof text,
                 "%lld firing, %lld stale (their senders fell silent: not known to be over)",
                 (long long)firing, (long long)stale);
        fl_jw_str(&p->w, NULL, text);
    }
    for (size_t i = 0; i < fl_json_len(alerts) && shown < UNRESOLVED_SHOWN; i++) {
        const struct fl_json *e = fl_json_at(alerts, i);
        if (!strcmp(str(e, "status"), "resolved"))
            continue;
        shown++;
        FL_AUTO_BUF line = fl_buf_init(1 << 16);
        fl_buf_printf(&line, "%s %s %s on %s", str(e, "fingerprint"), str(e, "status"), str(e, "alertname"),
                      fl_json_str(e, "node", "no component"));
        fl_jw_str(&p->w, NULL, line.p ? line.p : "");
    }
    answered(p);
}

static void incident_answers(struct page *p, const struct fl_json *inc, const struct fl_json *timeline)
{
    static const char *const opened[] = {"incident.opened", NULL};
    static const char *const merged[] = {"incident.absorbed", "incident.merged", "incident.split", NULL};
    static const char *const cause[] = {"ranking.", NULL};
    static const char *const states[] = {"incident.open", "incident.quiet", "incident.recovering",
                                         "incident.resolved", NULL};
    const char *id = str(inc, "id"), *state = str(inc, "state");
    ask(p, "why it was opened", timeline, id, opened, false, NULL);
    ask(p, "what was merged or split, and why", timeline, id, merged, false, "nothing");
    ask(p, "which cause, and why", timeline, id, cause, true, "not ranked yet");
    ask(p, "why this state", timeline, id, states, false, "it has had no other");
    if (*str(inc, "merged_into")) {
        FL_AUTO_BUF text = fl_buf_init(1 << 12);
        fl_buf_printf(&text, "%s took it in and has its alerts, runs and chronology",
                      str(inc, "merged_into"));
        question(p, "where it goes on");
        fl_jw_str(&p->w, NULL, text.p ? text.p : "");
        answered(p);
    }
    if (strcmp(state, "resolved") != 0 && strcmp(state, "merged") != 0)
        unresolved(p, inc);
    question(p, "which playbooks, or why none");
    tell_response(p, timeline, id);
    answered(p);
}

static bool put_json(struct page *p, const char *key, const struct fl_json *v)
{
    FL_AUTO_FREE char *text = fl_json_text(v, false);
    fl_jw_raw(&p->w, key, text ? text : "null");
    return text != NULL;
}

static void why_incident(struct page *p, const char *id)
{
    struct fl_err err = {0};
    FL_AUTO_JSON inc = document(p, FL_READ_INCIDENT, id, &err);
    FL_AUTO_JSON timeline = inc ? document(p, FL_READ_TIMELINE, id, &err) : NULL;
    if (!timeline && err.status == FL_E_NOTFOUND) {
        reply_error(p->r, 404, "notfound", NULL, "faultline incident list", "there is no incident \"%.64s\"",
                    id);
        return;
    }
    if (!timeline) {
        read_failed(p->r, &err);
        return;
    }
    fl_jw_obj(&p->w, NULL);
    bool whole = put_json(p, "incident", inc);
    fl_jw_arr(&p->w, "why");
    incident_answers(p, inc, timeline);
    fl_jw_arr_end(&p->w);
    whole &= put_json(p, "timeline", timeline);
    fl_jw_obj_end(&p->w);
    p->b.failed |= !whole;
    reply_buf(p->r, 200, TYPE_JSON, &p->b);
}

/* ---- an alert ---- */

/* Was the episode going on at that time? */
static bool is_of(const struct fl_json *e, fl_usec at)
{
    const char *from = str(e, "starts_at"), *to = str(e, "ends_at");
    fl_usec starts = 0, ends = 0;
    if (!at)
        return true;
    if (!fl_time_parse(from, strlen(from), &starts) || starts > at)
        return false;
    return !*to || !fl_time_parse(to, strlen(to), &ends) || ends >= at;
}

/* False: the database did not answer, and read_failed() has been called. */
static bool episode(struct page *p, const struct fl_json *e)
{
    struct fl_err err = {0};
    const char *incident = str(e, "incident");
    if (*incident && !fl_streq(incident, p->timeline_of)) { /* an alert that fires often is in the same one */
        fl_json_free(p->timeline);
        p->timeline = document(p, FL_READ_TIMELINE, incident, &err);
        p->timeline_of = p->timeline ? incident : NULL;
    }
    const struct fl_json *timeline = *incident ? p->timeline : NULL;
    if (!timeline && *incident && err.status != FL_E_NOTFOUND) {
        read_failed(p->r, &err);
        return false;
    }
    fl_jw_obj(&p->w, NULL);
    copy_members(&p->w, e, "");
    fl_jw_arr(&p->w, "response");
    if (timeline)
        tell_response(p, timeline, incident);
    fl_jw_arr_end(&p->w);
    fl_jw_obj_end(&p->w);
    return true;
}

static void error_begin(struct page *p, const char *message, const char *hint)
{
    fl_jw_obj(&p->w, NULL);
    fl_jw_obj(&p->w, "error");
    fl_jw_str(&p->w, "code", "notfound");
    fl_jw_str(&p->w, "message", message);
    fl_jw_str(&p->w, "hint", hint);
}

static void error_end(struct page *p)
{
    fl_jw_obj_end(&p->w);
    fl_jw_obj_end(&p->w);
    reply_buf(p->r, 404, TYPE_JSON, &p->b);
}

/* It did fire, but not then: when it did. */
static void not_then(struct page *p, const char *fp, const char *at, const struct fl_json *list)
{
    char text[256];
    snprintf(text, sizeof text, "%s did not fire at %.40s", fp, at);
    error_begin(p, text, "without a time: its newest episodes");
    fl_jw_int(&p->w, "episodes", (int64_t)fl_json_len(list));
    fl_jw_arr(&p->w, "fired");
    for (size_t i = 0; i < fl_json_len(list) && i < ALTERNATIVES_SHOWN; i++) {
        const struct fl_json *e = fl_json_at(list, i);
        fl_jw_obj(&p->w, NULL);
        fl_jw_str(&p->w, "starts_at", str(e, "starts_at"));
        fl_jw_str(&p->w, "ends_at", fl_json_str(e, "ends_at", NULL));
        fl_jw_obj_end(&p->w);
    }
    fl_jw_arr_end(&p->w);
    error_end(p);
}

/* Never seen, or mistyped, or it arrived as something that could not be read. */
static void never_seen(struct page *p, const char *fp)
{
    struct fl_err err = {0};
    char text[160];
    FL_AUTO_JSON near = document(p, FL_READ_NEAR, fp, &err);
    if (!near) {
        read_failed(p->r, &err);
        return;
    }
    int64_t letters = fl_json_int(near, "deadletters", 0);
    snprintf(text, sizeof text, "no alert with the fingerprint %s was ever accepted in this realm", fp);
    error_begin(p, text,
                letters ? "some of what arrived could not be read as alerts: faultline deadletter list"
                        : "everything that arrived could be read: there is no dead letter");
    copy_members(&p->w, near, "");
    error_end(p);
}

static void why_alert(struct page *p, const char *fp)
{
    struct fl_err err = {0};
    fl_usec at = 0;
    if (!request_arg_time(p->r, "at", &at))
        return;
    FL_AUTO_JSON then = at ? document_until(p, FL_READ_ALERT, fp, at, &err) : NULL;
    FL_AUTO_JSON any = then ? NULL : document(p, FL_READ_ALERT, fp, &err);
    const struct fl_json *list = then ? then : any;
    if (!list && err.status == FL_E_NOTFOUND) {
        never_seen(p, fp);
        return;
    }
    if (!list) {
        read_failed(p->r, &err);
        return;
    }
    size_t shown = 0;
    for (size_t i = 0; i < fl_json_len(list); i++)
        shown += is_of(fl_json_at(list, i), at);
    if (!shown) {
        FL_AUTO_JSON all = then ? document(p, FL_READ_ALERT, fp, &err) : NULL;
        not_then(p, fp, request_arg(p->r, "at"), all ? all : list);
        return;
    }
    fl_jw_obj(&p->w, NULL);
    fl_jw_arr(&p->w, "episodes");
    for (size_t i = 0; i < fl_json_len(list); i++)
        if (is_of(fl_json_at(list, i), at) && !episode(p, fl_json_at(list, i)))
            return;
    fl_jw_arr_end(&p->w);
    fl_jw_obj_end(&p->w);
    reply_buf(p->r, 200, TYPE_JSON, &p->b);
}

void read_why(struct request *r, struct fl_reader *db)
{
    uint64_t fp;
    const char *what = r->params[0];
    struct page p = {.r = r, .db = db, .b = fl_buf_init(REPLY_MAX)};
    p.w = fl_jw_init(&p.b);
    if (fl_fingerprint_parse(what, &fp))
        why_alert(&p, what);
    else if (!strncmp(what, "INC-", 4))
        why_incident(&p, what);
    else
        reply_error(r, 404, "notfound", NULL,
                    "a fingerprint has 16 hexadecimal digits, an incident is like INC-2026-000001",
                    "\"%.64s\" is neither a fingerprint nor an incident", what);
    fl_json_free(p.timeline);
    fl_buf_done(&p.b);
}
