/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/proof.c -- the head of the audit trail, and the bundle that proves one incident's part of it (layer 5). */
#include "http_priv.h"

#include <faultline/audit.h>

#include <string.h>

enum { BUNDLE_PAGE = 5000 };

/* {"signed","key"} as the daemon knows them. */
struct fl_json *audit_signed(struct request *r, struct fl_err *err)
{
    FL_AUTO_BUF b = fl_buf_init(1 << 16);
    if (r->http->o.head)
        r->http->o.head(r->http->o.ctx, &b);
    return fl_json_parse(b.n ? b.p : "{}", b.n ? b.n : 2, err);
}

void read_audit_head(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a = {.realm = r->http->o.config->realm};
    FL_AUTO_BUF row = fl_buf_init(1 << 16);
    FL_AUTO_JSON doc = fl_read_json(db, FL_READ_AUDIT_HEAD, &a, &row, &err) == FL_OK
                           ? fl_json_parse(row.p, row.n, &err)
                           : NULL;
    FL_AUTO_JSON head = doc ? audit_signed(r, &err) : NULL;
    if (!doc || !head) {
        read_failed(r, &err);
        return;
    }
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    copy_members(&w, doc, "");
    copy_members(&w, head, "");
    fl_jw_obj_end(&w);
    reply_buf(r, 200, TYPE_JSON, &b);
}

/* ---- bundle ---- */

static fl_status measure(void *ctx, const struct fl_audit_entry *e)
{
    struct audit_span *s = ctx;
    if (!s->first) {
        s->first = e->seq;
        s->anchor = e->prev;
    }
    s->last = s->at = e->seq;
    s->n++;
    return FL_OK;
}

static fl_status copy(void *ctx, const struct fl_audit_entry *e)
{
    struct audit_span *s = ctx;
    s->at = e->seq;
    if (e->seq > s->until)
        return FL_OK;
    struct fl_jw w = fl_jw_init(s->out);
    fl_audit_entry_json(&w, e);
    fl_buf_chr(s->out, '\n');
    return s->out->failed ? FL_E_LIMIT : FL_OK;
}

static fl_status each(struct request *r, struct fl_reader *db, const char *incident, struct audit_span *s,
                      fl_status (*visit)(void *ctx, const struct fl_audit_entry *e), struct fl_err *err)
{
    uint64_t before = UINT64_MAX;
    fl_status st = FL_OK;
    while (st == FL_OK && before != s->at && (!s->until || s->at < s->until)) {
        struct fl_audit_query q = {.incident = incident, .after_seq = s->at, .limit = BUNDLE_PAGE};
        before = s->at;
        st = fl_read_audit(db, r->http->o.config->realm, &q, visit, s, err);
    }
    return st;
}

fl_status audit_measure(struct request *r, struct fl_reader *db, const char *incident, struct audit_span *ret,
                        struct fl_err *err)
{
    *ret = (struct audit_span){0};
    return each(r, db, incident, ret, measure, err);
}

static void header(struct request *r, const struct audit_span *s, const char *incident,
                   const struct fl_json *head, struct fl_buf *out)
{
    char hex[65];
    struct fl_jw w = fl_jw_init(out);
    const struct fl_json *sealed = fl_json_get(head, "signed");
    FL_AUTO_FREE char *text = sealed ? fl_json_text(sealed, false) : NULL;
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "bundle", "faultline audit bundle v1");
    fl_jw_str(&w, "realm", r->http->o.config->realm);
    fl_jw_str(&w, "incident", incident);
    fl_jw_int(&w, "first", (int64_t)s->first);
    fl_jw_int(&w, "last", (int64_t)s->last);
    fl_jw_int(&w, "entries", (int64_t)s->n);
    fl_jw_str(&w, "anchor", fl_sha256_hex(&s->anchor, hex));
    fl_jw_raw(&w, "head", text ? text : "null");
    fl_jw_str(&w, "key", fl_json_str(head, "key", NULL));
    fl_jw_obj_end(&w);
    fl_buf_chr(out, '\n');
}

/* From the incident's first entry to its last, and on to the head that seals them: nothing may be missing between. */
void read_audit_bundle(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct audit_span s = {0};
    const char *incident = request_arg(r, "incident");
    if (!incident || !*incident) {
        reply_error(r, 400, "shape", "incident", NULL, "incident is needed: the incident to prove");
        return;
    }
    fl_status st = audit_measure(r, db, incident, &s, &err);
    if (st == FL_OK && !s.n) {
        reply_error(r, 404, "notfound", "incident", NULL, "the audit trail has no entry about \"%.64s\"",
                    incident);
        return;
    }
    FL_AUTO_JSON head = st == FL_OK ? audit_signed(r, &err) : NULL;
    if (!head) {
        read_failed(r, &err);
        return;
    }
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    const struct fl_json *sealed = fl_json_get(head, "signed");
    uint64_t sealed_seq = sealed ? (uint64_t)fl_json_int(sealed, "seq", 0) : 0;
    header(r, &s, incident, head, &b);
    s.out = &b;
    s.at = s.first - 1;
    s.until = sealed_seq > s.last ? sealed_seq : s.last;
    st = each(r, db, NULL, &s, copy, &err);
    if (st != FL_OK) {
        bool large = b.failed;
        fl_buf_done(&b);
        if (large)
            reply_error(r, 422, "limit", NULL, "faultline audit export writes the whole trail",
                        "the bundle is larger than %d MiB", REPLY_MAX >> 20);
        else
            read_failed(r, &err);
        return;
    }
    reply_buf(r, 200, TYPE_NDJSON, &b);
}
