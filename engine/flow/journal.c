/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/journal.c -- journal rows as JSON lines, for export and offline replay. */
#include "flow_priv.h"

#include <string.h>

/* Bodies are whatever a sender sent: text when it can be, else hexadecimal. */
fl_status fl_journal_line(const struct fl_event *ev, struct fl_buf *out)
{
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "seq", (int64_t)ev->seq);
    fl_jw_int(&w, "at", ev->at);
    fl_jw_str(&w, "kind", fl_event_kind_name(ev->kind));
    fl_jw_str(&w, "realm", ev->realm);
    fl_jw_str(&w, "actor", ev->actor);
    fl_jw_str(&w, "source", ev->source);
    if (!ev->body_len || fl_utf8_valid(ev->body, ev->body_len)) {
        fl_jw_strn(&w, "body", ev->body_len ? ev->body : "", ev->body_len);
    } else {
        FL_AUTO_BUF hex = fl_buf_init(0);
        const unsigned char *p = ev->body;
        for (size_t i = 0; i < ev->body_len; i++)
            fl_buf_printf(&hex, "%02x", p[i]);
        fl_jw_str(&w, "body_hex", hex.p);
    }
    fl_jw_obj_end(&w);
    fl_buf_chr(out, '\n');
    return out->failed ? FL_E_NOMEM : FL_OK;
}

static fl_status read_body(struct fl_arena *arena, const struct fl_json *v, struct fl_event *ev,
                           struct fl_err *err)
{
    const char *text = fl_json_str(v, "body", NULL), *hex = fl_json_str(v, "body_hex", NULL);
    size_t n = hex ? strlen(hex) : 0;
    void *p = NULL;
    if (hex) {
        p = fl_arena_alloc(arena, n / 2 + 1);
        if (p && !fl_unhex(hex, n, p))
            return fl_fail(err, FL_E_SHAPE, "body_hex", "not hexadecimal");
        ev->body_len = n / 2;
    } else {
        p = fl_arena_strdup(arena, text ? text : "");
        ev->body_len = text ? strlen(text) : 0;
    }
    if (!p)
        return fl_fail(err, FL_E_NOMEM, "body", "out of memory");
    ev->body = p;
    fl_sha256(p, ev->body_len, &ev->body_hash);
    return FL_OK;
}

fl_status fl_journal_parse(struct fl_arena *arena, const char *line, size_t n, struct fl_event *ret,
                           struct fl_err *err)
{
    FL_AUTO_JSON v = fl_json_parse(line, n, err);
    if (!v)
        return err && err->status ? err->status : FL_E_SYNTAX;
    struct fl_event ev = {.seq = (uint64_t)fl_json_int(v, "seq", 0), .at = fl_json_int(v, "at", 0)};
    const char *kind = fl_json_str(v, "kind", "");
    if (!ev.seq)
        return fl_fail(err, FL_E_SHAPE, "seq", "expected a number above 0");
    if (!fl_event_kind_parse(kind, &ev.kind))
        return fl_fail(err, FL_E_SHAPE, "kind", "there is no event kind \"%.60s\"", kind);
    ev.realm = fl_arena_strdup(arena, fl_json_str(v, "realm", "default"));
    ev.actor = fl_arena_strdup(arena, fl_json_str(v, "actor", ""));
    ev.source = fl_arena_strdup(arena, fl_json_str(v, "source", ""));
    if (!ev.realm || !ev.actor || !ev.source)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = read_body(arena, v, &ev, err);
    if (st == FL_OK)
        *ret = ev;
    return st;
}
