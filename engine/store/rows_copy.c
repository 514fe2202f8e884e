/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/rows_copy.c -- many new rows of one table as the body of a binary COPY; contract in store_priv.h. */
#include "store_priv.h"

#include <faultline/json.h>

#include <endian.h>
#include <string.h>

enum {
    PIECE = 256 << 10, /* bytes given to libpq at once */
    TEXTS =
        16
        << 10, /* bytes of texts in a row: enough that what repeats goes away, little enough that one is read quickly */
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

/* ---- texts: what does not change of an episode, of many in a row (schema 0020) ----------------------------------- */

struct place { /* of the texts of one alert */
    int32_t n, at, len;
    bool why; /* its sentences are there, too */
};

/* What kept an alert quiet is counted by its sentences (alert_noise_v): those stay where they are found without unpacking. */
static bool is_told_of(const char *why)
{
    return strstr(why, "silenced ") || strstr(why, "inhibited") || strstr(why, "kept out of incidents");
}

static void add_texts(struct fl_buf *b, const struct fl_alert_row *a, struct place *ret)
{
    size_t began = b->n;
    ret->why = a->why && *a->why && !is_told_of(a->why);
    struct fl_jw w = fl_jw_init(b);
    fl_jw_obj(&w, NULL);
    fl_labels_json(&w, "labels", &a->labels);
    fl_labels_json(&w, "annotations", &a->annotations);
    if (a->generator_url && *a->generator_url)
        fl_jw_str(&w, "generator_url", a->generator_url);
    if (ret->why)
        fl_jw_raw(&w, "why", a->why);
    fl_jw_obj_end(&w);
    ret->at = (int32_t)(began + 1);
    ret->len = (int32_t)(b->n - began);
}

/* ---- tables ------------------------------------------------------------------------------------------------------- */

struct job {
    const struct format *format;
    const char *realm;
    uint64_t seq; /* of the last step of the transaction */
    const struct fl_fx *const *v;
    struct place *places; /* of alerts: as many as v */
    size_t n, at;
    int32_t rows; /* of texts, so far */
    bool begun;
    struct fl_buf text;
};

static void alert(struct fl_buf *b, const struct job *j, size_t i)
{
    const struct fl_alert_row *a = &j->v[i]->alert;
    const struct place *at = &j->places[i];
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
    opt(b, at->why ? NULL : a->why);
    opt(b, fl_rows_list(a->silenced_by));
    opt(b, fl_rows_list(a->inhibited_by));
    opt(b, a->quiet);
    i64(b, (int64_t)j->seq);
    i32(b, at->n);
    i32(b, at->at);
    i32(b, at->len);
    opt(b, fl_label_get(&a->labels, "alertname"));
    opt(b, fl_team_of_labels(&a->labels));
}

static void timeline(struct fl_buf *b, const struct job *j, size_t i)
{
    const struct fl_timeline_row *t = &j->v[i]->timeline;
    i64(b, (int64_t)t->event_seq);
    i32(b, (int32_t)t->n);
    text(b, t->incident);
    instant(b, t->at);
    text(b, t->kind);
    text(b, t->actor);
    text(b, t->text);
    opt(b, t->detail);
}

static void audit(struct fl_buf *b, const struct job *j, size_t i)
{
    const struct fl_audit_entry *e = &j->v[i]->audit;
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
    void (*row)(struct fl_buf *b, const struct job *j, size_t i);
} formats[FL_ROW_TABLES] = {
    [FL_ROWS_ALERT_NEW] =
        {"COPY alert (realm, fingerprint, starts_at, ends_at, received_at, updated_at, status, severity, class, node,"
         " map_rule, incident, source, why, silenced_by, inhibited_by, quiet, text_seq, text_n, text_at, text_len, rule, team)"
         " FROM STDIN (FORMAT binary)",
         23, alert},
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

static void begin(struct job *j, struct fl_buf *out)
{
    static const char magic[] =
        "PGCOPY\n\377\r\n"; /* its NUL belongs to it; then flags and the length of nothing more */
    if (!j->begun) {
        fl_buf_add(out, magic, sizeof magic);
        put32(out, 0);
        put32(out, 0);
    }
    j->begun = true;
}

static bool go_on(const struct job *j, struct fl_buf *out)
{
    if (j->at < j->n)
        return true;
    put16(out, UINT16_MAX);
    return false;
}

static bool piece(void *ctx, struct fl_buf *out)
{
    struct job *j = ctx;
    begin(j, out);
    while (j->at < j->n && out->n < PIECE) {
        put16(out, j->format->columns);
        text(out, j->realm);
        j->format->row(out, j, j->at++);
    }
    return go_on(j, out);
}

static void text_row(struct job *j, struct fl_buf *out)
{
    fl_buf_reset(&j->text);
    while (j->at < j->n && j->text.n < TEXTS) {
        struct place *at = &j->places[j->at];
        add_texts(&j->text, &j->v[j->at++]->alert, at);
        at->n = j->rows;
    }
    put16(out, 4);
    text(out, j->realm);
    i64(out, (int64_t)j->seq);
    i32(out, j->rows++);
    bytes(out, j->text.p, j->text.n);
    out->failed |= j->text.failed;
}

static bool text_piece(void *ctx, struct fl_buf *out)
{
    struct job *j = ctx;
    begin(j, out);
    while (j->at < j->n && out->n < PIECE)
        text_row(j, out);
    return go_on(j, out);
}

/* Texts first: then it is known where they are. */
static fl_pq_fault copy_alerts(struct fl_store *s, struct job *j, const struct fl_pq_wait *w,
                               struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    j->places = fl_arena_calloc(a, j->n, sizeof *j->places);
    if (!j->places) {
        fl_fail(err, FL_E_NOMEM, "projector", "out of memory");
        return FL_PQ_AWAY;
    }
    j->text = fl_buf_init(INT32_MAX);
    fl_pq_fault f = fl_pq_copy(s->project_c,
                               "COPY alert_text (realm, seq, n, body) FROM STDIN (FORMAT binary)", text_piece,
                               j, w, err);
    fl_buf_done(&j->text);
    j->at = 0;
    j->begun = false;
    return f ? f : fl_pq_copy(s->project_c, j->format->sql, piece, j, w, err);
}

fl_pq_fault fl_rows_copy(struct fl_store *s, size_t table, const struct fl_fx *const *v, size_t n,
                         uint64_t seq, const struct fl_pq_wait *w, struct fl_err *err)
{
    struct job j = {.format = &formats[table], .realm = s->realm, .seq = seq, .v = v, .n = n};
    if (table == FL_ROWS_ALERT_NEW)
        return copy_alerts(s, &j, w, err);
    return fl_pq_copy(s->project_c, j.format->sql, piece, &j, w, err);
}
