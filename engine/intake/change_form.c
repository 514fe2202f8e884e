/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/change_form.c -- a foreign change event as one of ours; contract in form_priv.h. */
#include "form_priv.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 4096, DETAIL_MAX = 65536, ID_DIGITS = 16 };

static size_t cut(const char *s, size_t max)
{
    size_t n = strlen(s);
    if (n <= max)
        return n;
    for (n = max; n && ((unsigned char)s[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

static void text(struct fl_jw *w, const char *key, const char *s)
{
    if (s && *s)
        fl_jw_strn(w, key, s, cut(s, TEXT_MAX));
}

static void make_id(const struct fl_change_form *c, const char *when, const char *detail, char *out)
{
    const char *parts[] = {when, c->component, c->kind, c->author, c->title, c->link, detail};
    FL_AUTO_BUF b = fl_buf_init(0);
    for (size_t i = 0; i < FL_ARRAY_LEN(parts); i++)
        fl_buf_add(&b, parts[i] ? parts[i] : "", (parts[i] ? strlen(parts[i]) : 0) + 1);
    struct fl_sha256 h;
    char hex[65];
    fl_sha256(b.p ? b.p : "", b.n, &h);
    memcpy(out, fl_sha256_hex(&h, hex), ID_DIGITS);
    out[ID_DIGITS] = 0;
}

void fl_change_write(struct fl_jw *w, const char *key, const struct fl_change_form *c)
{
    static const fl_usec year = 366 * 86400 * FL_USEC_PER_SEC;
    fl_usec at = 0;
    char when[FL_TIME_LEN], id[ID_DIGITS + 1];
    /* A clock that is far off would have the whole change refused: then it happened when we heard of it. */
    bool read = c->time && fl_time_parse(c->time, strlen(c->time), &at) && at > 0 && at <= c->now + year;
    fl_time_format(read ? at : c->now, when);
    FL_AUTO_FREE char *detail = c->detail ? fl_json_text(c->detail, true) : NULL;
    make_id(c, when, detail, id);
    fl_jw_obj(w, key);
    fl_jw_str(w, "time", when);
    text(w, "component", c->component && *c->component ? c->component : "unknown");
    text(w, "kind", c->kind && *c->kind ? c->kind : "change");
    text(w, "id", c->id && *c->id ? c->id : id);
    text(w, "author", c->author);
    text(w, "title", c->title);
    text(w, "link", c->link);
    if (detail && strlen(detail) <= DETAIL_MAX)
        fl_jw_raw(w, "detail", detail);
    else if (detail)
        fl_jw_strn(w, "detail", detail, cut(detail, DETAIL_MAX));
    fl_jw_obj_end(w);
}
