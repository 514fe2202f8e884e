/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/lookalike_alerts.c -- GET /api/v2/alerts and /api/v2/alerts/groups (layer 5). */
#include "lookalike.h"

#include <stdlib.h>
#include <string.h>

static const fl_usec V2_ENDS = 300 * FL_USEC_PER_SEC; /* a firing alert is shown with an end, as there */

struct row {
    const struct fl_json *v;
    const char *fingerprint;
    size_t order; /* newest first */
    struct fl_labels labels;
    const char *group; /* its group's labels as JSON */
};
struct list {
    struct fl_arena *arena;
    struct fl_json *pages[V2_PAGES_MAX];
    size_t n_pages;
    struct row *v;
    size_t n, cap;
};

static void list_done(struct list *l)
{
    for (size_t i = 0; i < l->n_pages; i++)
        fl_json_free(l->pages[i]);
    fl_arena_free(l->arena);
    free(l->v);
}

static bool add_row(struct list *l, const struct row *row)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        struct row *v = reallocarray(l->v, cap, sizeof *v);
        if (!v)
            return false;
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *row;
    return true;
}

static struct fl_labels labels_of(struct fl_arena *arena, const struct fl_json *labels)
{
    size_t n = 0, max = 0;
    for (void *it = fl_json_first(labels); it; it = fl_json_next(labels, it))
        max++;
    struct fl_label *v = fl_arena_calloc(arena, max ? max : 1, sizeof *v);
    for (void *it = v ? fl_json_first(labels) : NULL; it; it = fl_json_next(labels, it)) {
        const char *value = fl_json_string(fl_json_value(it));
        v[n++] = (struct fl_label){fl_json_key(it), value ? value : ""};
    }
    return (struct fl_labels){v, fl_labels_normalise(v, n)};
}

struct wanted {
    struct v2_filters filters;
    bool active, silenced, inhibited, receiver;
};

static bool wants(const struct wanted *q, const struct row *row)
{
    bool silenced = fl_json_len(fl_json_get(row->v, "silenced_by")) > 0,
         inhibited = fl_json_len(fl_json_get(row->v, "inhibited_by")) > 0;
    return q->receiver && (q->silenced || !silenced) && (q->inhibited || !inhibited) &&
           (q->active || silenced || inhibited) && fl_match_all(q->filters.m, q->filters.n, &row->labels);
}

static int by_fingerprint(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int d = strcmp(x->fingerprint, y->fingerprint);
    return d ? d : x->order < y->order ? -1 : x->order > y->order;
}

/* What fires, one row a fingerprint (the newest episode), by fingerprint. False: an answer was given. */
static bool read_firing(struct request *r, struct fl_reader *db, const struct wanted *q, struct list *l)
{
    struct fl_err err = {0};
    struct fl_read_args a = {.realm = r->http->o.config->realm, .state = "firing", .limit = V2_PAGE};
    bool ok = (l->arena = fl_arena_new(0)) != NULL, more = q->receiver;
    while (ok && more && l->n_pages < V2_PAGES_MAX) {
        FL_AUTO_BUF b = fl_buf_init(REPLY_MAX);
        struct fl_json *doc = fl_read_json(db, FL_READ_ALERTS, &a, &b, &err) == FL_OK
                                  ? fl_json_parse(b.p, b.n, &err)
                                  : NULL;
        if (!doc) {
            r->db_lost = true;
            reply_status(r, &err);
            return false;
        }
        l->pages[l->n_pages++] = doc;
        size_t n = fl_json_len(doc);
        for (size_t i = 0; ok && i < n; i++) {
            const struct fl_json *v = fl_json_at(doc, i);
            ok = add_row(
                l, &(struct row){.v = v, .fingerprint = fl_json_str(v, "fingerprint", ""), .order = l->n});
        }
        more = n == V2_PAGE;
        a.offset += n;
    }
    if (!ok) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return false;
    }
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_fingerprint);
    size_t kept = 0;
    const char *last = "";
    for (size_t i = 0; i < l->n; i++) {
        struct row row = l->v[i];
        bool again = !strcmp(row.fingerprint, last);
        last = row.fingerprint;
        row.labels = labels_of(l->arena, fl_json_get(row.v, "labels"));
        if (!again && wants(q, &row))
            l->v[kept++] = row;
    }
    l->n = kept;
    return true;
}

static void raw_member(struct fl_jw *w, const char *key, const struct fl_json *v, const char *dflt)
{
    FL_AUTO_FREE char *text = v ? fl_json_text(v, true) : NULL;
    fl_jw_raw(w, key, text ? text : dflt);
}

static void add_alert(struct fl_jw *w, const struct fl_json *a)
{
    fl_usec now = fl_now();
    const struct fl_json *silenced = fl_json_get(a, "silenced_by"),
                         *inhibited = fl_json_get(a, "inhibited_by");
    const char *url = fl_json_str(a, "generator_url", "");
    fl_jw_obj(w, NULL);
    raw_member(w, "annotations", fl_json_get(a, "annotations"), "{}");
    v2_time(w, "endsAt", fl_json_str(a, "ends_at", NULL), now + V2_ENDS);
    fl_jw_str(w, "fingerprint", fl_json_str(a, "fingerprint", ""));
    fl_jw_raw(w, "receivers", "[{\"name\":\"" V2_RECEIVER "\"}]");
    v2_time(w, "startsAt", fl_json_str(a, "starts_at", NULL), now);
    fl_jw_obj(w, "status");
    raw_member(w, "inhibitedBy", inhibited, "[]");
    fl_jw_raw(w, "mutedBy", "[]");
    raw_member(w, "silencedBy", silenced, "[]");
    fl_jw_str(w, "state", fl_json_len(silenced) || fl_json_len(inhibited) ? "suppressed" : "active");
    fl_jw_obj_end(w);
    v2_time(w, "updatedAt", fl_json_str(a, "updated_at", NULL), now);
    if (*url)
        fl_jw_str(w, "generatorURL", url);
    raw_member(w, "labels", fl_json_get(a, "labels"), "{}");
    fl_jw_obj_end(w);
}

static bool parse_query(struct request *r, struct wanted *q)
{
    *q = (struct wanted){.active = v2_flag(r, "active"),
                         .silenced = v2_flag(r, "silenced"),
                         .inhibited = v2_flag(r, "inhibited")};
    return v2_receiver(r, &q->receiver) && v2_filters_parse(r, &q->filters);
}

/* `unprocessed` is taken and changes nothing: an alert is decided upon before anybody can ask for it. */
void read_v2_alerts(struct request *r, struct fl_reader *db)
{
    struct wanted q;
    struct list l = {0};
    if (!parse_query(r, &q))
        return;
    if (read_firing(r, db, &q, &l)) {
        struct fl_buf b = fl_buf_init(REPLY_MAX);
        struct fl_jw w = fl_jw_init(&b);
        fl_jw_arr(&w, NULL);
        for (size_t i = 0; i < l.n; i++)
            add_alert(&w, l.v[i].v);
        fl_jw_arr_end(&w);
        fl_buf_chr(&b, '\n');
        reply_buf(r, 200, TYPE_JSON, &b);
    }
    list_done(&l);
    v2_filters_done(&q.filters);
}

/* ---- groups ---- */

/* The grouping labels that the alert has. */
static const char *group_of(struct fl_arena *arena, const struct fl_labels *l)
{
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < n_v2_group_by; i++) {
        const char *v = fl_label_get(l, v2_group_by[i]);
        if (*v)
            fl_jw_str(&w, v2_group_by[i], v);
    }
    fl_jw_obj_end(&w);
    return b.failed ? "{}" : fl_arena_strdup(arena, b.p);
}

static int by_label(const struct row *x, const struct row *y, const char *name)
{
    const char *a = fl_label_get(&x->labels, name), *b = fl_label_get(&y->labels, name);
    if (!*a || !*b)
        return (*b ? 1 : 0) - (*a ? 1 : 0); /* without the label: last */
    return strcmp(a, b);
}

/* Within a group as there: by job, by instance, then by the labels. */
static int by_group(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int d = strcmp(x->group, y->group);
    if (!d)
        d = by_label(x, y, "job");
    if (!d)
        d = by_label(x, y, "instance");
    return d ? d : strcmp(x->fingerprint, y->fingerprint);
}

static void add_groups(struct fl_jw *w, const struct list *l)
{
    for (size_t i = 0; i < l->n;) {
        const char *group = l->v[i].group;
        fl_jw_obj(w, NULL);
        fl_jw_arr(w, "alerts");
        for (; i < l->n && !strcmp(l->v[i].group, group); i++)
            add_alert(w, l->v[i].v);
        fl_jw_arr_end(w);
        fl_jw_raw(w, "labels", group);
        fl_jw_raw(w, "receiver", "{\"name\":\"" V2_RECEIVER "\"}");
        fl_jw_raw(w, "routeLabels", "{}");
        fl_jw_obj_end(w);
    }
}

void read_v2_groups(struct request *r, struct fl_reader *db)
{
    struct wanted q;
    struct list l = {0};
    if (!parse_query(r, &q))
        return;
    if (read_firing(r, db, &q, &l)) {
        bool ok = true;
        for (size_t i = 0; i < l.n; i++)
            ok &= (l.v[i].group = group_of(l.arena, &l.v[i].labels)) != NULL;
        if (ok) {
            struct fl_buf b = fl_buf_init(REPLY_MAX);
            struct fl_jw w = fl_jw_init(&b);
            if (l.n)
                qsort(l.v, l.n, sizeof *l.v, by_group);
            fl_jw_arr(&w, NULL);
            add_groups(&w, &l);
            fl_jw_arr_end(&w);
            fl_buf_chr(&b, '\n');
            reply_buf(r, 200, TYPE_JSON, &b);
        } else {
            reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        }
    }
    list_done(&l);
    v2_filters_done(&q.filters);
}
