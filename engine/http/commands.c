/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/commands.c -- what people ask: journalled first, answered by the core (layer 5). */
#include "http_priv.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- submissions ---- */

struct fl_submission *submission_new(struct request *r, fl_event_kind kind, const char *source)
{
    struct fl_submission *sub = fl_arena_calloc(r->body_arena, 1, sizeof *sub);
    const char *actor = sub ? fl_arena_strdup(r->body_arena, r->caller.name) : NULL;
    if (!actor) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return NULL;
    }
    sub->kind = kind;
    sub->actor = actor;
    sub->source = source;
    sub->body = r->body;
    sub->body_len = r->body_n;
    sub->arena = r->body_arena;
    sub->ctx = r;
    fl_sha256(sub->body, sub->body_len, &sub->body_hash);
    return sub;
}

void submission_send(struct request *r, struct fl_submission *sub)
{
    if (request_suspend(r))
        submission_push(r, sub);
}

void submission_push(struct request *r, struct fl_submission *sub)
{
    request_ref(r);
    struct fl_arena *mine = r->body_arena;
    r->body_arena =
        NULL; /* the store's, unless it refuses; another thread may use it from the next line on */
    fl_status st = fl_store_submit(r->http->o.store, sub);
    if (st == FL_OK)
        return;
    r->body_arena = mine;
    atomic_fetch_add(&r->http->intake_refused, 1);
    if (st == FL_E_FULL && !sub->reserved)
        hold_refusal(r);
    else
        reply_error(r, 503, st == FL_E_FULL ? "full" : "unavailable", NULL, "send it again",
                    st == FL_E_FULL ? "the queue is full" : "the database is away, nothing can be committed");
    request_unref(r);
}

static void on_committed(void *ctx, fl_status st, uint64_t seq, fl_usec at)
{
    struct request *r = ctx;
    (void)seq;
    (void)at;
    if (st == FL_OK)
        return; /* the answer comes from the core */
    reply_error(r, 503, fl_status_name(st), NULL, "send it again", "the command could not be committed");
    request_unref(r);
}

/* Projector thread, after the rows of the step are committed. */
static void on_answered(void *ctx, fl_status st, const char *json)
{
    struct request *r = ctx;
    const char *text = json && *json ? json : "{}";
    char *copy = strdup(text);
    reply_bytes(r, status_code(st), TYPE_JSON, copy, copy ? strlen(copy) : 0);
    request_unref(r);
}

void command_send(struct request *r, fl_event_kind kind, const char *json, size_t n)
{
    command_send_to(r, kind, json, n, on_answered);
}

void command_send_to(struct request *r, fl_event_kind kind, const char *json, size_t n,
                     void (*answered)(void *ctx, fl_status st, const char *json))
{
    if (json) {
        char *copy = fl_arena_strndup(r->body_arena, json, n);
        if (!copy) {
            reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
            return;
        }
        r->body = copy;
        r->body_n = n;
    }
    struct fl_submission *sub = submission_new(r, kind, "");
    if (!sub)
        return;
    sub->reserved = true; /* operators get through while senders are refused */
    sub->committed = on_committed;
    sub->answered = answered;
    submission_send(r, sub);
}

/* ---- {"op", …, members of the body} ---- */

static bool is_id(const char *s)
{
    size_t n = strlen(s);
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
            return false;
    return n > 0 && n < FL_ID_LEN;
}

static void add_members(struct fl_jw *w, const struct fl_json *body, const char *skip)
{
    for (void *it = fl_json_first(body); it; it = fl_json_next(body, it)) {
        const char *key = fl_json_key(it);
        if (!strcmp(key, "op") || fl_streq(key, skip))
            continue;
        FL_AUTO_FREE char *text = fl_json_text(fl_json_value(it), false);
        fl_jw_raw(w, key, text ? text : "null");
    }
}

/* @param id_key what the {id} of the path is called in the event; NULL: none. */
static void send_op(struct request *r, const char *id_key)
{
    struct fl_err err = {0};
    FL_AUTO_JSON body = NULL;
    if (id_key && !is_id(r->params[0])) {
        reply_error(r, 404, "notfound", NULL, NULL, "there is no %s \"%.64s\"", id_key, r->params[0]);
        return;
    }
    if (r->body_n) {
        body = fl_json_parse(r->body, r->body_n, &err);
        if (!body) {
            reply_status(r, &err);
            return;
        }
        if (!fl_json_is_object(body)) {
            reply_error(r, 400, "shape", NULL, NULL, "the body must be a JSON object");
            return;
        }
    }
    FL_AUTO_BUF b = fl_buf_init(2 * COMMAND_BODY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", r->route->word);
    if (id_key)
        fl_jw_str(&w, id_key, r->params[0]);
    if (body)
        add_members(&w, body, id_key);
    fl_jw_obj_end(&w);
    if (b.failed)
        reply_error(r, 413, "too_large", NULL, NULL, "the command is too long");
    else
        command_send(r, FL_EV_COMMAND, b.p, b.n);
}

void run_incident_command(struct request *r)
{
    send_op(r, "incident");
}

void run_run_command(struct request *r)
{
    send_op(r, "run");
}

void run_plain_command(struct request *r)
{
    send_op(r, NULL);
}

void run_model_command(struct request *r)
{
    send_op(r, "model");
}

/* The whole body is the model; the core judges it, as every replay will. */
void run_model_add(struct request *r)
{
    struct fl_err err = {0};
    FL_AUTO_JSON body = fl_json_parse(r->body, r->body_n, &err);
    if (!body) {
        reply_status(r, &err);
        return;
    }
    FL_AUTO_FREE char *text = fl_json_text(body, true);
    FL_AUTO_BUF b = fl_buf_init(2 * COMMAND_BODY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", r->route->word);
    fl_jw_raw(&w, "model", text ? text : "null");
    fl_jw_obj_end(&w);
    if (b.failed)
        reply_error(r, 413, "too_large", NULL, NULL, "the model is too long");
    else
        command_send(r, FL_EV_COMMAND, b.p, b.n);
}

/* ---- maintenance windows ---- */

void run_maintenance_add(struct request *r)
{
    struct fl_err err = {0};
    struct fl_window w;
    FL_AUTO_ARENA scratch = fl_arena_new(0);
    FL_AUTO_JSON body = fl_json_parse(r->body, r->body_n, &err);
    FL_AUTO_BUF b = fl_buf_init(2 * COMMAND_BODY_MAX);
    struct fl_jw jw = fl_jw_init(&b);
    if (!body) {
        reply_status(r, &err);
        return;
    }
    if (!scratch || fl_window_parse(scratch, body, r->received_at, &w, &err) != FL_OK) {
        if (!err.status)
            fl_fail(&err, FL_E_NOMEM, NULL, "out of memory");
        reply_status(r, &err);
        return;
    }
    fl_window_done(&w);
    FL_AUTO_FREE char *text = fl_json_text(body, false);
    fl_jw_obj(&jw, NULL);
    fl_jw_str(&jw, "op", r->route->word);
    fl_jw_raw(&jw, "window", text ? text : "null");
    fl_jw_obj_end(&jw);
    if (b.failed)
        reply_error(r, 413, "too_large", NULL, NULL, "the command is too long");
    else
        command_send(r, FL_EV_COMMAND, b.p, b.n);
}

/* Its id may be that of a window of the rules: the core says why that one cannot be ended. */
void run_maintenance_end(struct request *r)
{
    FL_AUTO_BUF b = fl_buf_init(COMMAND_BODY_MAX);
    struct fl_jw jw = fl_jw_init(&b);
    fl_jw_obj(&jw, NULL);
    fl_jw_str(&jw, "op", r->route->word);
    fl_jw_str(&jw, "id", r->params[0]);
    fl_jw_obj_end(&jw);
    if (b.failed)
        reply_error(r, 413, "too_large", NULL, NULL, "the command is too long");
    else
        command_send(r, FL_EV_COMMAND, b.p, b.n);
}

/* ---- topology and changes: checked here so that the caller learns the field ---- */

void run_topology_put(struct request *r)
{
    struct fl_err err = {0};
    struct fl_topology_doc doc;
    FL_AUTO_ARENA scratch = fl_arena_new(0);
    if (!scratch)
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
    else if (fl_intake_topology(scratch, r->body, r->body_n, &doc, &err) != FL_OK)
        reply_status(r, &err);
    else
        command_send(r, FL_EV_TOPOLOGY, NULL, 0);
}

void run_changes_post(struct request *r)
{
    struct fl_err err = {0};
    struct fl_change *v = NULL;
    size_t n = 0;
    FL_AUTO_ARENA scratch = fl_arena_new(0);
    if (!scratch)
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
    else if (fl_intake_changes(scratch, r->body, r->body_n, r->received_at, &v, &n, &err) != FL_OK)
        reply_status(r, &err);
    else
        command_send(r, FL_EV_CHANGE, NULL, 0);
}
