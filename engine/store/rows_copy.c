/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/rows_copy.c -- many new rows of one table as the body of a binary COPY; contract in store_priv.h. */
#include "store_priv.h"

#include <faultline/json.h>

#include <endian.h>
#include <string.h>

enum {
    PIECE = 256 << 10, /* bytes given to libpq at once */
    JSONB_VERSION = 1,
};

/* ---- columns: length and bytes; a length of -1 is null ---------------------------------------------------------- */

static void put16(struct fl_buf *b, uint16_t v)
{
    uint16_t be = htobe16(v);
    fl_buf_add(b, &be, sizeof be);
}

static void put32(struct fl_buf *b, uint32_t v)
{
    uint32_t be = htobe32(v);
    fl_buf_add(b, &be, sizeof be);
}

static void bytes(struct fl_buf *b, const void *p, size_t n)
{
    put32(b, (uint32_t)n);
    fl_buf_add(b, p, n);
}

static void none(struct fl_buf *b)
{
    put32(b, UINT32_MAX);
}

static void text(struct fl_buf *b, const char *s)
{
    s = s ? s : "";
    bytes(b, s, strlen(s));
}

static void opt(struct fl_buf *b, const char *s)
{
    if (s && *s)
        text(b, s);
    else
        none(b);
}

static void i32(struct fl_buf *b, int32_t v)
{
    put32(b, sizeof v);
    put32(b, (uint32_t)v);
}

static void i64(struct fl_buf *b, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);
    bytes(b, &be, sizeof be);
}

static void instant(struct fl_buf *b, fl_usec t)
{
    if (t)
        i64(b, fl_pq_instant(t));
    else
        none(b);
}

/* The length is known when it is written. */
static void labels(struct fl_buf *b, const struct fl_labels *l)
{
    size_t at = b->n;
    put32(b, 0);
    fl_buf_chr(b, JSONB_VERSION);
    struct fl_jw w = fl_jw_init(b);
    fl_labels_json(&w, NULL, l);
    if (b->failed)
        return;
    uint32_t be = htobe32((uint32_t)(b->n - at - sizeof be));
    memcpy(b->p + at, &be, sizeof be);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

static void alert(struct fl_buf *b, const struct fl_fx *f)
{
    const struct fl_alert_row *a = &f->alert;
    i64(b, (int64_t)a->fingerprint);
    instant(b, a->starts_at);
    instant(b, a->ends_at);
    instant(b, a->received_at);
    instant(b, a->updated_at);
    text(b, fl_alert_status_name(a->status));
    text(b, fl_severity_name(a->severity));
    text(b, fl_evidence_class_name(a->cls));
    opt(b, a->node);
    opt(b, a->map_rule);
    opt(b, a->incident);
    opt(b, a->source);
    opt(b, a->generator_url);
    labels(b, &a->labels);
    labels(b, &a->annotations);
    opt(b, a->why);
    opt(b, fl_rows_list(a->silenced_by));
    opt(b, fl_rows_list(a->inhibited_by));
    opt(b, a->quiet);
}

static void timeline(struct fl_buf *b, const struct fl_fx *f)
{
    const struct fl_timeline_row *t = &f->timeline;
    i64(b, (int64_t)t->event_seq);
    i32(b, (int32_t)t->n);
    text(b, t->incident);
    instant(b, t->at);
    text(b, t->kind);
    text(b, t->actor);
    text(b, t->text);
    opt(b, t->detail);
}

static void audit(struct fl_buf *b, const struct fl_fx *f)
{
    const struct fl_audit_entry *e = &f->audit;
    i64(b, (int64_t)e->seq);
    instant(b, e->at);
    i64(b, (int64_t)e->event_seq);
    text(b, e->actor);
    text(b, e->action);
    text(b, e->subject);
    text(b, e->incident);
    text(b, e->reason);
    text(b, e->detail);
    bytes(b, e->prev.b, sizeof e->prev.b);
    bytes(b, e->hash.b, sizeof e->hash.b);
}

static const struct format {
    const char *sql;
    uint16_t columns; /* with the realm, which is the first one */
    void (*row)(struct fl_buf *b, const struct fl_fx *f);
} formats[FL_ROW_TABLES] = {
    [FL_ROWS_ALERT_NEW] =
        {"COPY alert (realm, fingerprint, starts_at, ends_at, received_at, updated_at, status, severity, class, node,"
         " map_rule, incident, source, generator_url, labels, annotations, why, silenced_by, inhibited_by, quiet)"
         " FROM STDIN (FORMAT binary)",
         20, alert},
    [FL_FX_TIMELINE] =
        {"COPY timeline (realm, event_seq, n, incident, at, kind, actor, text, detail) FROM STDIN"
         " (FORMAT binary)",
         9, timeline},
    [FL_FX_AUDIT] = {
        "COPY audit (realm, seq, at, event_seq, actor, action, subject, incident, reason, detail, prev, hash)"
        " FROM STDIN (FORMAT binary)",
        12, audit}};

bool fl_rows_can_copy(size_t table)
{
    return formats[table].row != NULL;
}

struct job {
    const struct format *format;
    const char *realm;
    const struct fl_fx *const *v;
    size_t n, at;
};

static bool piece(void *ctx, struct fl_buf *out)
{
    static const char magic[] =
        "PGCOPY\n\377\r\n"; /* its NUL belongs to it; then flags and the length of nothing more */
    struct job *j = ctx;
    if (j->at == 0) {
        fl_buf_add(out, magic, sizeof magic);
        put32(out, 0);
        put32(out, 0);
    }
    while (j->at < j->n && out->n < PIECE) {
        put16(out, j->format->columns);
        text(out, j->realm);
        j->format->row(out, j->v[j->at++]);
    }
    if (j->at < j->n)
        return true;
    put16(out, UINT16_MAX);
    return false;
}

fl_pq_fault fl_rows_copy(struct fl_store *s, size_t table, const struct fl_fx *const *v, size_t n,
                         const struct fl_pq_wait *w, struct fl_err *err)
{
    struct job j = {&formats[table], s->realm, v, n, 0};
    return fl_pq_copy(s->project_c, formats[table].sql, piece, &j, w, err);
}
