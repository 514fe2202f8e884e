/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/lookalike_silences.c -- silences as Alertmanager's API v2 has them (layer 5). Checked here, so that each
 * refusal has Alertmanager's words; journalled as a command; decided by the core. Whoever was answered reads it back. */
#include "lookalike.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const fl_usec KEEP = 120 * 3600 * FL_USEC_PER_SEC; /* over ones are listed this long, as there */

/* ---- reading ---- */

enum state { ACTIVE, PENDING, EXPIRED };
static const char *const state_names[] = {"active", "pending", "expired"};

struct item {
    const struct fl_json *v;
    enum state state;
    fl_usec starts, ends;
};

static fl_usec time_of(const struct fl_json *v, const char *key)
{
    const char *s = fl_json_str(v, key, "");
    fl_usec t = 0;
    return fl_time_parse(s, strlen(s), &t) ? t : 0;
}

static struct item item_of(const struct fl_json *v, fl_usec now)
{
    struct item i = {.v = v, .starts = time_of(v, "starts_at"), .ends = time_of(v, "ends_at")};
    i.state = i.ends <= now ? EXPIRED : i.starts > now ? PENDING : ACTIVE;
    return i;
}

static int compare(fl_usec a, fl_usec b)
{
    return a < b ? -1 : a > b;
}

/* Active ones by end, pending ones by start, expired ones latest first. */
static int in_order(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->state != y->state)
        return x->state < y->state ? -1 : 1;
    int d = x->state == ACTIVE    ? compare(x->ends, y->ends)
            : x->state == PENDING ? compare(x->starts, y->starts)
                                  : compare(y->ends, x->ends);
    return d ? d : strcmp(fl_json_str(x->v, "id", ""), fl_json_str(y->v, "id", ""));
}

static void add_silence(struct fl_jw *w, const struct item *i)
{
    FL_AUTO_FREE char *matchers = fl_json_text(fl_json_get(i->v, "matchers"), true);
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", fl_json_str(i->v, "id", ""));
    fl_jw_obj(w, "status");
    fl_jw_str(w, "state", state_names[i->state]);
    fl_jw_obj_end(w);
    v2_time(w, "updatedAt", fl_json_str(i->v, "updated_at", NULL), i->starts);
    fl_jw_str(w, "comment", fl_json_str(i->v, "comment", ""));
    fl_jw_str(w, "createdBy", fl_json_str(i->v, "created_by", ""));
    v2_time(w, "endsAt", fl_json_str(i->v, "ends_at", NULL), 0);
    fl_jw_raw(w, "matchers", matchers ? matchers : "[]");
    v2_time(w, "startsAt", fl_json_str(i->v, "starts_at", NULL), 0);
    fl_jw_raw(w, "annotations", "{}");
    fl_jw_obj_end(w);
}

/* A filter looks at the silence's matchers as if they were labels, as there. */
static bool wanted(struct fl_arena *arena, const struct filters *f, const struct fl_json *v)
{
    const struct fl_json *list = fl_json_get(v, "matchers");
    size_t n = fl_json_len(list);
    struct fl_label *l = fl_arena_calloc(arena, n ? n : 1, sizeof *l);
    for (size_t i = 0; l && i < n; i++)
        l[i] = (struct fl_label){fl_json_str(fl_json_at(list, i), "name", ""),
                                 fl_json_str(fl_json_at(list, i), "value", "")};
    return l && fl_match_all(f->m, f->n, &(struct fl_labels){l, fl_labels_normalise(l, n)});
}

static void answer_list(struct request *r, const struct filters *f, const struct fl_json *list)
{
    size_t n = fl_json_len(list), kept = 0;
    fl_usec now = fl_now();
    FL_AUTO_FREE struct item *v = calloc(n ? n : 1, sizeof *v);
    FL_AUTO_ARENA arena = fl_arena_new(0);
    if (!v || !arena) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (wanted(arena, f, fl_json_at(list, i)))
            v[kept++] = item_of(fl_json_at(list, i), now);
        fl_arena_reset(arena);
    }
    if (kept)
        qsort(v, kept, sizeof *v, in_order);
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_arr(&w, NULL);
    for (size_t i = 0; i < kept; i++)
        add_silence(&w, &v[i]);
    fl_jw_arr_end(&w);
    fl_buf_chr(&b, '\n');
    reply_buf(r, 200, TYPE_JSON, &b);
}

void read_v2_silences(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct filters f;
    if (!v2_filters_parse(r, &f))
        return;
    struct fl_read_args a = {.realm = r->http->o.config->realm, .since = fl_now() - KEEP, .limit = V2_PAGE};
    FL_AUTO_BUF b = fl_buf_init(REPLY_MAX);
    FL_AUTO_JSON doc = fl_read_json(db, FL_READ_SILENCES, &a, &b, &err) == FL_OK
                           ? fl_json_parse(b.p, b.n, &err)
                           : NULL;
    if (doc) {
        answer_list(r, &f, doc);
    } else {
        r->db_lost = true;
        reply_status(r, &err);
    }
    filters_done(&f);
}

void read_v2_silence(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    if (!v2_id(r))
        return;
    struct fl_read_args a = {.realm = r->http->o.config->realm, .id = r->params[0]};
    FL_AUTO_BUF row = fl_buf_init(REPLY_MAX);
    fl_status st = fl_read_json(db, FL_READ_SILENCE, &a, &row, &err);
    FL_AUTO_JSON doc = st == FL_OK ? fl_json_parse(row.p, row.n, &err) : NULL;
    if (st == FL_E_NOTFOUND) {
        reply_empty(r, 404);
    } else if (!doc) {
        r->db_lost = true;
        reply_status(r, &err);
    } else {
        struct item i = item_of(doc, fl_now());
        struct fl_buf b = fl_buf_init(REPLY_MAX);
        struct fl_jw w = fl_jw_init(&b);
        add_silence(&w, &i);
        fl_buf_chr(&b, '\n');
        reply_buf(r, 200, TYPE_JSON, &b);
    }
}

/* ---- writing ---- */

/* What the core says on failure, as a string. */
static void answer_failed(struct request *r, unsigned code, const char *json)
{
    struct fl_err err = {0};
    FL_AUTO_JSON doc = fl_json_parse(json, strlen(json), &err);
    v2_string(r, code, fl_json_str(fl_json_get(doc, "error"), "message", "the silence was refused"));
}

/* Projector thread, after the rows of the step are committed. */
static void on_set(void *ctx, fl_status st, const char *json)
{
    struct request *r = ctx;
    if (st == FL_OK) {
        struct fl_buf b = fl_buf_init(4096);
        fl_buf_printf(&b, "%s\n", json);
        reply_buf(r, 200, TYPE_JSON, &b);
    } else {
        answer_failed(r, status_code(st), json ? json : "");
    }
    request_unref(r);
}

static void on_expired(void *ctx, fl_status st, const char *json)
{
    struct request *r = ctx;
    if (st == FL_OK)
        reply_empty(r, 200);
    else /* Alertmanager 0.25 says 500 to an unknown one, and amtool knows that */
        answer_failed(r, st == FL_E_NOTFOUND ? 500 : status_code(st), json ? json : "");
    request_unref(r);
}

static void command_text(struct fl_buf *out, const struct fl_silence *s)
{
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", "silence.set");
    fl_jw_obj(&w, "silence");
    if (*s->id)
        fl_jw_str(&w, "id", s->id);
    fl_jw_str(&w, "comment", s->comment);
    fl_jw_str(&w, "createdBy", s->created_by);
    fl_jw_time(&w, "startsAt", s->starts_at ? s->starts_at : 1); /* "not set" is long past, too */
    fl_jw_time(&w, "endsAt", s->ends_at);
    fl_silence_matchers_json(&w, "matchers", s);
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
}

void run_v2_silence_post(struct request *r)
{
    struct fl_err err = {0};
    struct fl_silence s;
    unsigned code = 0;
    FL_AUTO_JSON body = fl_json_parse(r->body, r->body_n, &err);
    if (!body) {
        FL_AUTO_BUF b = fl_buf_init(4096);
        fl_buf_printf(&b, "parsing silence body from \"\" failed, because %s (%s)", err.text, err.where);
        v2_object(r, 400, 400, b.p);
        return;
    }
    if (fl_silence_parse(r->body_arena, body, r->received_at, &s, &code, &err) != FL_OK) {
        if (err.status == FL_E_NOMEM)
            reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        else if (code)
            v2_object(r, code == 400 ? 400 : 422, code, err.text);
        else
            v2_string(r, 400, err.text);
        return;
    }
    FL_AUTO_BUF command = fl_buf_init(8 * COMMAND_BODY_MAX);
    command_text(&command, &s);
    fl_silence_done(&s); /* its memory is the submission's from here on */
    if (command.failed)
        v2_string(r, 400, "silence invalid: it is too long");
    else
        command_send_to(r, FL_EV_COMMAND, command.p, command.n, on_set);
}

void run_v2_silence_delete(struct request *r)
{
    if (!v2_id(r))
        return;
    char text[128];
    int n = snprintf(text, sizeof text, "{\"op\":\"silence.expire\",\"id\":\"%s\"}", r->params[0]);
    command_send_to(r, FL_EV_COMMAND, text, (size_t)n, on_expired);
}
