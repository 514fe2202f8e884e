/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/senders.c -- other senders: what they put into headers, forms and credentials is folded into the body
 * that the journal keeps; then the path is that of every alert, with the answer each sender expects (layer 5). */
#include "http_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { CE_HEADERS_MAX = 64 };

/* ---- folding ---- */

/* The folded text becomes the body. */
static bool take_body(struct request *r, const struct fl_buf *b)
{
    char *copy = b->failed ? NULL : fl_arena_strndup(r->body_arena, b->p ? b->p : "", b->n);
    if (!copy) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return false;
    }
    r->body = copy;
    r->body_n = b->n;
    return true;
}

static size_t fold_max(const struct request *r)
{
    return 6 * r->body_n + (1 << 20);
}

/* A body that cannot be folded may hold a credential: only the reason is kept, and of nobody we know nothing. */
static void unreadable(struct request *r, const struct fl_err *err)
{
    if (!auth_secret(r, ""))
        return;
    intake_letter(r, err, false);
    sender_unreadable(r, err);
}

/* ---- Grafana ---- */

void run_grafana(struct request *r)
{
    const char *secret = r->http->o.config->grafana_secret;
    struct fl_err err = {0};
    r->format = FL_FORMAT_GRAFANA;
    if (*secret) {
        const char *signature = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND,
                                                            "X-Grafana-Alerting-Signature");
        const char *timestamp = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND,
                                                            "X-Grafana-Alerting-Timestamp");
        if (fl_intake_signature(secret, signature, timestamp, r->body, r->body_n, r->received_at, &err) !=
            FL_OK) {
            reply_error(r, 401, "bad_signature", NULL,
                        "use the secret of grafana_secret in the contact point", "%s", err.text);
            return;
        }
    }
    intake_body(r);
}

/* ---- PagerDuty ---- */

void run_pagerduty(struct request *r)
{
    FL_AUTO_BUF b = fl_buf_init(fold_max(r));
    const char *routing_key = NULL;
    struct fl_err err = {0};
    r->format = FL_FORMAT_PAGERDUTY;
    r->style = STYLE_PAGERDUTY;
    if (fl_intake_canonical_pagerduty(r->body_arena, r->body, r->body_n, &b, &r->dedup_key, &routing_key,
                                      &err) != FL_OK)
        unreadable(r, &err);
    else if (auth_secret(r, routing_key) && take_body(r, &b))
        intake_body(r);
}

static const char *routing_key_of(struct request *r)
{
    struct fl_err err = {0};
    FL_AUTO_JSON body = fl_json_parse(r->body, r->body_n, &err);
    const char *key = fl_arena_strdup(r->body_arena, fl_json_str(body, "routing_key", ""));
    return key ? key : "";
}

void run_pagerduty_change(struct request *r)
{
    FL_AUTO_BUF b = fl_buf_init(fold_max(r));
    struct fl_err err = {0};
    r->format = FL_FORMAT_PAGERDUTY;
    r->style = STYLE_PAGERDUTY;
    if (!auth_secret(r, routing_key_of(r)))
        return;
    if (fl_intake_pagerduty_change(r->body_arena, r->body, r->body_n, r->received_at, &b, &err) != FL_OK) {
        unreadable(r, &err);
        return;
    }
    r->intake.n_changes = 1;
    if (take_body(r, &b))
        intake_changes_only(r, r->body, r->body_n);
}

/* ---- CloudEvents ---- */

struct ce_headers {
    struct request *r;
    struct fl_label v[CE_HEADERS_MAX];
    size_t n;
    bool failed, too_many;
};

static enum MHD_Result visit_ce(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct ce_headers *h = cls;
    (void)kind;
    if (strncasecmp(name, "ce-", 3) != 0)
        return MHD_YES;
    h->too_many |= h->n == CE_HEADERS_MAX;
    char *lower = h->too_many ? NULL : fl_arena_strdup(h->r->body_arena, name + 3);
    if (!lower) {
        h->failed |= !h->too_many;
        return MHD_NO;
    }
    for (char *c = lower; *c; c++)
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
    h->v[h->n++] = (struct fl_label){lower, value ? value : ""};
    return MHD_YES;
}

void run_cloudevents(struct request *r)
{
    struct ce_headers h = {.r = r};
    struct fl_err err = {0};
    const char *type = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    r->format = FL_FORMAT_CLOUDEVENTS;
    MHD_get_connection_values(r->mhd, MHD_HEADER_KIND, visit_ce, &h);
    fl_ce_mode mode = fl_cloudevents_mode(type, h.n > 0);
    if (h.failed || h.too_many) {
        reply_error(r, h.failed ? 503 : 400, h.failed ? "nomem" : "shape", NULL, NULL,
                    h.failed ? "out of memory" : "more than 64 ce- headers");
    } else if (mode == FL_CE_UNKNOWN) {
        reply_error(r, 415, "unsupported_type", NULL,
                    "send application/cloudevents+json, or JSON with ce- headers",
                    "unsupported media type \"%.128s\"", type ? type : "");
    } else if (mode == FL_CE_BINARY) {
        FL_AUTO_BUF b = fl_buf_init(fold_max(r));
        if (fl_intake_canonical_cloudevent(r->body_arena, h.v, h.n, type, r->body, r->body_n, &b, &err) !=
            FL_OK)
            unreadable(r, &err);
        else if (take_body(r, &b))
            intake_body(r);
    } else {
        intake_body(r);
    }
}

void options_cloudevents(struct request *r)
{
    const char *origin = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "WebHook-Request-Origin");
    const char *rate = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, "WebHook-Request-Rate");
    if (!fl_cloudevents_origin(origin))
        return;
    r->answer.origin = fl_arena_strdup(r->arena, origin);
    r->answer.any_rate = rate != NULL;
}

/* ---- Nagios ---- */

static bool is_form(struct request *r)
{
    const char *type = MHD_lookup_connection_value(r->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    return type && !strncasecmp(type, "application/x-www-form-urlencoded", 33);
}

void run_nagios(struct request *r)
{
    struct fl_err err = {0};
    r->format = FL_FORMAT_NAGIOS;
    if (!is_form(r)) {
        if (auth_secret(r, ""))
            intake_body(r);
        return;
    }
    FL_AUTO_BUF b = fl_buf_init(fold_max(r));
    const char *token = NULL;
    r->style = STYLE_NRDP;
    if (fl_intake_canonical_nagios(r->body_arena, r->body, r->body_n, &b, &token, &err) != FL_OK)
        unreadable(r, &err);
    else if (auth_secret(r, token) && take_body(r, &b))
        intake_body(r);
}

/* ---- bodies that are all there is ---- */

void run_sender(struct request *r)
{
    r->format = (fl_format)r->route->arg;
    intake_body(r);
}

void run_mapped(struct request *r)
{
    struct fl_err err = {0};
    const char *name = r->params[0];
    char *mapping = r->http->o.mapping ? r->http->o.mapping(r->http->o.ctx, name) : NULL;
    if (!mapping) {
        reply_error(r, 404, "notfound", NULL, "rules name the sources: source { name = …, labels = … }",
                    "there is no source \"%.64s\"", name);
        return;
    }
    FL_AUTO_BUF b = fl_buf_init(fold_max(r));
    r->format = FL_FORMAT_MAPPED;
    r->sent = r->body;
    r->sent_n = r->body_n;
    r->source = fl_arena_printf(r->body_arena, "mapped:%.64s", name);
    if (fl_intake_canonical_mapped(r->body_arena, mapping, r->body, r->body_n, &b, &err) != FL_OK) {
        intake_letter(r, &err, true);
        sender_unreadable(r, &err);
    } else if (take_body(r, &b)) {
        intake_body(r);
    }
    free(mapping);
}

/* ---- answers ---- */

static void pagerduty_good(struct request *r)
{
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    bool change = r->intake.n_changes > 0;
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "status", "success");
    fl_jw_str(&w, "message", change ? "Change event processed" : "Event processed");
    if (!change)
        fl_jw_str(&w, "dedup_key", r->dedup_key ? r->dedup_key : "");
    fl_jw_obj_end(&w);
    reply_buf(r, 202, TYPE_JSON, &b);
}

static void pagerduty_bad(struct request *r, const char *where, const char *why)
{
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    char text[800];
    snprintf(text, sizeof text, "%.200s%s%.500s", where ? where : "", where && *where ? " " : "", why);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "status", "invalid event");
    fl_jw_str(&w, "message", "Event object is invalid");
    fl_jw_arr(&w, "errors");
    fl_jw_str(&w, NULL, text);
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    reply_buf(r, 400, TYPE_JSON, &b);
}

static void nrdp(struct request *r, unsigned code, const char *message, size_t n)
{
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    char text[64];
    snprintf(text, sizeof text, "%zu checks processed.", n);
    fl_jw_obj(&w, NULL);
    fl_jw_obj(&w, "result");
    fl_jw_int(&w, "status", code == 200 ? 0 : -1);
    fl_jw_str(&w, "message", message);
    if (code == 200) {
        fl_jw_obj(&w, "meta");
        fl_jw_str(&w, "output", text);
        fl_jw_obj_end(&w);
    }
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
    reply_buf(r, code, TYPE_JSON, &b);
}

bool sender_answer(struct request *r)
{
    const struct fl_intake *in = &r->intake;
    bool bad = in->n_rejects && !in->n_alerts && !in->n_ignored && !in->n_changes;
    if (r->style == STYLE_PAGERDUTY && bad)
        pagerduty_bad(r, in->rejects[0].where, in->rejects[0].reason);
    else if (r->style == STYLE_PAGERDUTY)
        pagerduty_good(r);
    else if (r->style == STYLE_NRDP)
        nrdp(r, bad ? 400 : 200, bad ? in->rejects[0].reason : "OK", in->n_alerts + in->n_ignored);
    else
        return false;
    return true;
}

void sender_unreadable(struct request *r, const struct fl_err *err)
{
    if (err->status == FL_E_NOMEM)
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
    else if (r->style == STYLE_PAGERDUTY)
        pagerduty_bad(r, err->where, err->text);
    else if (r->style == STYLE_NRDP)
        nrdp(r, 400, err->text, 0);
    else
        reply_status(r, err);
}
