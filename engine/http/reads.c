/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/reads.c -- documents from the projections, on a read thread (layer 5). */
#include "http_priv.h"

#include <faultline/audit.h>

#include <stdlib.h>
#include <string.h>

void read_failed(struct request *r, const struct fl_err *err)
{
    if (err->status == FL_E_NOTFOUND && r->params[0]) {
        reply_error(r, 404, "notfound", NULL, NULL, "there is no \"%.64s\" under /api/v1/%s", r->params[0],
                    r->segments[2]);
        return;
    }
    if (err->status == FL_E_NOTFOUND && r->route->arg == FL_READ_TOPOLOGY) {
        reply_error(r, 404, "notfound", NULL, "faultline topology import FILE", "there is no topology yet");
        return;
    }
    r->db_lost = status_code(err->status) == 503;
    reply_status(r, err);
}

static bool fill_args(struct request *r, struct fl_read_args *a)
{
    *a = (struct fl_read_args){.realm = r->http->o.config->realm};
    a->id = r->params[0];
    a->state = request_arg(r, "state");
    a->text = request_arg(r, r->route->arg == FL_READ_DEADLETTERS ? "source" : "incident");
    /* A chronology without its end would mislead: all of it, as far as the store gives it. */
    return request_arg_size(r, "limit", r->route->arg == FL_READ_TIMELINE ? 0 : 100, 10000, &a->limit) &&
           request_arg_size(r, r->route->arg == FL_READ_RANKING ? "version" : "offset", 0, 1000000,
                            &a->offset) &&
           request_arg_time(r, "since", &a->since) &&
           request_arg_time(r, r->route->arg == FL_READ_TOPOLOGY ? "at" : "until", &a->until);
}

void read_document(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a;
    if (!fill_args(r, &a))
        return;
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    if (r->route->word)
        fl_buf_printf(&b, "{\"%s\":", r->route->word);
    if (fl_read_json(db, (fl_read)r->route->arg, &a, &b, &err) != FL_OK) {
        fl_buf_done(&b);
        read_failed(r, &err);
        return;
    }
    if (r->route->word)
        fl_buf_chr(&b, '}');
    reply_buf(r, 200, TYPE_JSON, &b);
}

/* A word that is none of them would give figures of something else. */
void read_noise(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a;
    const char *by = request_arg(r, "by");
    if (by && strcmp(by, "rule") != 0 && strcmp(by, "team") != 0 && strcmp(by, "source") != 0) {
        reply_error(r, 400, "bad_argument", "by", NULL, "by must be rule, team or source, got \"%.64s\"", by);
        return;
    }
    if (!fill_args(r, &a))
        return;
    a.state = by;
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    if (fl_read_json(db, FL_READ_NOISE, &a, &b, &err) == FL_OK) {
        reply_buf(r, 200, TYPE_JSON, &b);
        return;
    }
    fl_buf_done(&b);
    read_failed(r, &err);
}

void copy_members(struct fl_jw *w, const struct fl_json *from, const char *skip)
{
    for (void *it = fl_json_first(from); it; it = fl_json_next(from, it)) {
        FL_AUTO_FREE char *text = fl_json_text(fl_json_value(it), false);
        if (strcmp(fl_json_key(it), skip) != 0)
            fl_jw_raw(w, fl_json_key(it), text ? text : "null");
    }
}

/* The row says which version, the ranking in it what it found: one flat object for whoever reads it. */
void read_ranking(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a;
    FL_AUTO_BUF row = fl_buf_init(REPLY_MAX);
    if (!fill_args(r, &a))
        return;
    FL_AUTO_JSON doc = fl_read_json(db, FL_READ_RANKING, &a, &row, &err) == FL_OK
                           ? fl_json_parse(row.p, row.n, &err)
                           : NULL;
    const struct fl_json *ranking = doc ? fl_json_get(doc, "ranking") : NULL;
    if (!doc) {
        read_failed(r, &err);
        return;
    }
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    copy_members(&w, doc, "ranking");
    if (ranking)
        copy_members(&w, ranking, "model");
    fl_jw_obj_end(&w);
    reply_buf(r, 200, TYPE_JSON, &b);
}

/* ---- audit ---- */

struct audit_out {
    struct fl_buf *b;
    struct fl_jw w;
    bool lines;
    uint64_t last;
    size_t n;
};

static fl_status add_entry(void *ctx, const struct fl_audit_entry *e)
{
    struct audit_out *o = ctx;
    if (o->lines)
        o->w = fl_jw_init(o->b);
    fl_audit_entry_json(&o->w, e);
    if (o->lines)
        fl_buf_chr(o->b, '\n');
    o->last = e->seq;
    o->n++;
    return o->b->failed ? FL_E_LIMIT : FL_OK;
}

static bool audit_query(struct request *r, struct fl_audit_query *q)
{
    size_t after = 0;
    *q = (struct fl_audit_query){.incident = request_arg(r, "incident"),
                                 .actor = request_arg(r, "actor"),
                                 .action = request_arg(r, "action")};
    if (!request_arg_size(r, "limit", 100, 10000, &q->limit) ||
        !request_arg_size(r, "after", 0, INT64_MAX, &after) || !request_arg_time(r, "since", &q->since) ||
        !request_arg_time(r, "until", &q->until))
        return false;
    q->after_seq = after;
    return true;
}

void read_audit(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_audit_query q;
    if (!audit_query(r, &q))
        return;
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct audit_out o = {.b = &b, .w = fl_jw_init(&b), .lines = fl_streq(request_arg(r, "format"), "jsonl")};
    if (!o.lines) {
        fl_jw_obj(&o.w, NULL);
        fl_jw_arr(&o.w, "entries");
    }
    fl_status st = fl_read_audit(db, r->http->o.config->realm, &q, add_entry, &o, &err);
    if (st != FL_OK && !b.failed) {
        fl_buf_done(&b);
        fl_fail(&err, st, "audit", "the audit trail could not be read");
        read_failed(r, &err);
        return;
    }
    if (!o.lines) {
        fl_jw_arr_end(&o.w);
        if (o.n == (q.limit ? q.limit : 100)) /* a full page: there may be more */
            fl_jw_int(&o.w, "next_after", (int64_t)o.last);
        fl_jw_obj_end(&o.w);
    }
    reply_buf(r, 200, o.lines ? TYPE_NDJSON : TYPE_JSON, &b);
}
