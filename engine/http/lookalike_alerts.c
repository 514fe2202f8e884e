/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/lookalike_alerts.c -- GET /api/v2/alerts and /api/v2/alerts/groups, from the core's memory (layer 5).
 *
 * First the core tells which alerts are wanted, some thousand a turn: only their keys, and labels where the question
 * needs more than plain comparison (a regex of a stranger is never tried on the core thread). They are put in order here.
 * Then the core writes them, some hundred a turn, and what is written goes to a spool: neither a long list nor a slow
 * reader holds memory or the core. It works while the database is away. */
#include "lookalike.h"

#include <faultline/flow.h>

#include <stdlib.h>
#include <string.h>

static const fl_usec V2_ENDS = 300 * FL_USEC_PER_SEC; /* a firing alert is shown with an end, as there */
/* Alerts in one turn of the core, which is to be below a millisecond: as they are; new values are kept; labels are copied. */
enum { LOOKED_AT = 4000, LOOKED_AT_VALUES = 2000, LOOKED_AT_LABELS = 1000, WRITTEN = 256 };

struct wanted {
    struct filters filters;
    bool active, silenced, inhibited, receiver;
};
struct row {
    uint64_t fingerprint;
    fl_usec starts_at;
    const char *group, *job, *instance; /* groups: its group's labels as JSON, and what it is ordered by */
};
struct labelled { /* still to be looked at here */
    struct row row;
    struct fl_labels labels; /* groups: those it is grouped and ordered by */
    bool decided;
};
struct list {
    struct request *r;
    struct wanted q;
    struct sieve sieve;
    struct fl_label having[HAVING_MAX];
    size_t n_having;
    bool groups;
    bool no_memory, lost, more;
    uint64_t cursor;               /* 0: not opened yet */
    struct fl_arena *arena, *turn; /* turn: of one turn of the core */
    struct labelled *seen;         /* of one turn … */
    uint32_t *values;              /* … and sieve.n of each */
    size_t n_seen, turn_max;
    struct row *v;
    size_t n, cap;
    /* what is written */
    size_t from, to;
    fl_usec now;
    struct spool out;
    struct fl_jw w;
};

static void list_done(struct list *l)
{
    spool_done(&l->out);
    fl_arena_free(l->arena);
    fl_arena_free(l->turn);
    sieve_done(&l->sieve);
    filters_done(&l->q.filters);
    free(l->seen);
    free(l->values);
    free(l->v);
    free(l);
}

static void add_row(struct list *l, const struct row *row)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap + l->cap / 2 : 256;
        struct row *v = reallocarray(l->v, cap, sizeof *v);
        l->no_memory |= !v;
        if (!v)
            return;
        l->v = v;
        l->cap = cap;
    }
    l->v[l->n++] = *row;
}

/* ---- which; core thread ---- */

static const char *const ordered_by[] = {"job", "instance"};

static void copy_label(struct list *l, const struct fl_labels *from, const char *name, struct fl_labels *to)
{
    struct fl_label *v = (struct fl_label *)to->v + to->n;
    const char *value = fl_label_get(from, name);
    if (!*value)
        return;
    *v = (struct fl_label){name, fl_arena_strdup(l->turn, value)};
    l->no_memory |= !v->value;
    to->n++;
}

static void copy_labels(struct list *l, const struct fl_labels *from, struct fl_labels *to)
{
    *to = (struct fl_labels){
        fl_arena_calloc(l->turn, n_v2_group_by + FL_ARRAY_LEN(ordered_by), sizeof *to->v), 0};
    l->no_memory |= !to->v;
    for (size_t i = 0; !l->no_memory && i < n_v2_group_by; i++)
        copy_label(l, from, v2_group_by[i], to);
    for (size_t i = 0; !l->no_memory && i < FL_ARRAY_LEN(ordered_by); i++)
        copy_label(l, from, ordered_by[i], to);
}

static void look(void *ctx, const struct fl_listed *a)
{
    struct list *l = ctx;
    const struct wanted *q = &l->q;
    bool silenced = a->silenced_by != NULL, inhibited = a->inhibited_by != 0;
    if ((silenced && !q->silenced) || (inhibited && !q->inhibited) || (!q->active && !silenced && !inhibited))
        return;
    enum verdict v = sieve_look(&l->sieve, &a->alert->labels, l->values + l->n_seen * l->sieve.n);
    if (v == VERDICT_NO)
        return;
    struct row row = {.fingerprint = a->alert->fingerprint, .starts_at = a->alert->starts_at};
    if (v == VERDICT_YES && !l->groups) {
        add_row(l, &row);
        return;
    }
    struct labelled *x = &l->seen[l->n_seen++];
    *x = (struct labelled){.row = row, .decided = v == VERDICT_YES};
    if (l->groups)
        copy_labels(l, &a->alert->labels, &x->labels);
}

static void look_on(void *ctx, struct fl_flow *f)
{
    struct list *l = ctx;
    if (!l->cursor)
        l->cursor = fl_flow_cursor_open(f, l->having, l->n_having);
    enum fl_cursor_state st = fl_flow_cursor_next(f, l->cursor, l->turn_max, FL_ALERT_FIRING, look, l);
    l->lost |= st == FL_CURSOR_LOST;
    l->more = st == FL_CURSOR_MORE && !l->no_memory && atomic_load(&l->r->phase) == PHASE_WAITING;
}

/* ---- which; here ---- */

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

static void sift(struct list *l)
{
    sieve_decide(&l->sieve);
    l->no_memory |= l->sieve.no_memory;
    for (size_t i = 0; i < l->n_seen && !l->no_memory; i++) {
        struct labelled *x = &l->seen[i];
        if (!x->decided && !sieve_holds(&l->sieve, l->values + i * l->sieve.n))
            continue;
        if (l->groups) {
            x->row.group = group_of(l->arena, &x->labels);
            x->row.job = fl_arena_strdup(l->arena, fl_label_get(&x->labels, "job"));
            x->row.instance = fl_arena_strdup(l->arena, fl_label_get(&x->labels, "instance"));
            l->no_memory |= !x->row.group || !x->row.job || !x->row.instance;
        }
        add_row(l, &x->row);
    }
    l->n_seen = 0;
    fl_arena_reset(l->turn);
}

static int by_number(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

static int by_fingerprint(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int d = by_number(x->fingerprint, y->fingerprint);
    return d ? d : x->starts_at > y->starts_at ? -1 : x->starts_at < y->starts_at; /* newest first */
}

static int by_label(const char *a, const char *b)
{
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
        d = by_label(x->job, y->job);
    if (!d)
        d = by_label(x->instance, y->instance);
    return d ? d : by_number(x->fingerprint, y->fingerprint);
}

/* One row a fingerprint, the newest episode, in the order of the answer. */
static void put_in_order(struct list *l)
{
    size_t kept = 0;
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_fingerprint);
    for (size_t i = 0; i < l->n; i++)
        if (!kept || l->v[kept - 1].fingerprint != l->v[i].fingerprint)
            l->v[kept++] = l->v[i];
    l->n = kept;
    if (l->n && l->groups)
        qsort(l->v, l->n, sizeof *l->v, by_group);
}

static bool ask(struct list *l, void (*run)(void *arg, struct fl_flow *flow))
{
    struct fl_err err = {0};
    struct fl_http *h = l->r->http;
    if (h->o.ask && h->o.ask(h->o.ctx, run, l, &err) == FL_OK)
        return true;
    if (!h->o.ask)
        fl_fail(&err, FL_E_UNAVAILABLE, NULL, "this server has no alerts");
    reply_status(l->r, &err);
    return false;
}

/* False: an answer was given. */
static bool find(struct list *l)
{
    l->more = l->q.receiver;
    while (l->more) {
        sieve_turn(&l->sieve);
        if (!ask(l, look_on))
            return false;
        sift(l);
    }
    if (l->no_memory || l->lost) {
        reply_error(l->r, 503, l->no_memory ? "nomem" : "overload", NULL, "try again in a moment",
                    l->no_memory ? "out of memory" : "too many lists are being read");
        return false;
    }
    put_in_order(l);
    return true;
}

/* ---- writing; core thread ---- */

/* "a,b" as ["a","b"]. */
static void ids(struct fl_jw *w, const char *key, const char *list)
{
    fl_jw_arr(w, key);
    while (list && *list) {
        size_t n = strcspn(list, ",");
        fl_jw_strn(w, NULL, list, n);
        list += n + (list[n] == ',');
    }
    fl_jw_arr_end(w);
}

static void time_or(struct fl_jw *w, const char *key, fl_usec t, fl_usec dflt)
{
    char text[FL_TIME_LEN];
    fl_jw_str(w, key, fl_time_format_ms(t ? t : dflt, text));
}

static void write_alert(void *ctx, const struct fl_listed *x)
{
    struct list *l = ctx;
    struct fl_jw *w = &l->w;
    const struct fl_alert *a = x->alert;
    char hex[17], by[17] = "";
    if (x->inhibited_by)
        fl_fingerprint_hex(x->inhibited_by, by);
    fl_jw_obj(w, NULL);
    fl_labels_json(w, "annotations", &a->annotations);
    time_or(w, "endsAt", a->ends_at, l->now + V2_ENDS);
    fl_jw_str(w, "fingerprint", fl_fingerprint_hex(a->fingerprint, hex));
    fl_jw_raw(w, "receivers", "[{\"name\":\"" V2_RECEIVER "\"}]");
    time_or(w, "startsAt", a->starts_at, l->now);
    fl_jw_obj(w, "status");
    ids(w, "inhibitedBy", by);
    fl_jw_raw(w, "mutedBy", "[]");
    ids(w, "silencedBy", x->silenced_by);
    fl_jw_str(w, "state", x->silenced_by || x->inhibited_by ? "suppressed" : "active");
    fl_jw_obj_end(w);
    time_or(w, "updatedAt", x->updated_at, l->now);
    if (*a->generator_url)
        fl_jw_str(w, "generatorURL", a->generator_url);
    fl_labels_json(w, "labels", &a->labels);
    fl_jw_obj_end(w);
}

static bool same_group(const struct list *l, size_t i, size_t k)
{
    return k < l->n && !strcmp(l->v[i].group, l->v[k].group);
}

static void write_on(void *ctx, struct fl_flow *f)
{
    struct list *l = ctx;
    for (size_t i = l->from; i < l->to; i++) {
        const struct row *row = &l->v[i];
        if (l->groups && (!i || !same_group(l, i, i - 1))) {
            fl_jw_obj(&l->w, NULL);
            fl_jw_arr(&l->w, "alerts");
        }
        /* One that ended meanwhile is left out. */
        (void)fl_flow_listed(f, row->fingerprint, row->starts_at, write_alert, l);
        if (l->groups && !same_group(l, i, i + 1)) {
            fl_jw_arr_end(&l->w);
            fl_jw_raw(&l->w, "labels", row->group);
            fl_jw_raw(&l->w, "receiver", "{\"name\":\"" V2_RECEIVER "\"}");
            fl_jw_raw(&l->w, "routeLabels", "{}");
            fl_jw_obj_end(&l->w);
        }
    }
}

/* ---- the answer ---- */

static void write_all(struct list *l)
{
    l->w = fl_jw_init(&l->out.b);
    l->now = fl_now();
    fl_jw_arr(&l->w, NULL);
    for (l->from = 0; l->from < l->n; l->from = l->to) {
        l->to = l->from + WRITTEN < l->n ? l->from + WRITTEN : l->n;
        if (!ask(l, write_on))
            return;
        if (!spool_turn(&l->out) || atomic_load(&l->r->phase) != PHASE_WAITING)
            break;
    }
    fl_jw_arr_end(&l->w);
    fl_buf_chr(&l->out.b, '\n');
    reply_spool(l->r, 200, TYPE_JSON, &l->out);
}

static bool parse(struct list *l)
{
    struct request *r = l->r;
    struct wanted *q = &l->q;
    *q = (struct wanted){.active = v2_flag(r, "active"),
                         .silenced = v2_flag(r, "silenced"),
                         .inhibited = v2_flag(r, "inhibited")};
    if (!v2_receiver(r, &q->receiver) || !v2_filters_parse(r, &q->filters))
        return false;
    for (size_t i = 0; i < q->filters.n; i++)
        sieve_add(&l->sieve, &q->filters.m[i]);
    l->n_having = filters_having(r, &q->filters, l->having);
    l->turn_max = l->groups ? LOOKED_AT_LABELS : l->sieve.n > l->sieve.n_plain ? LOOKED_AT_VALUES : LOOKED_AT;
    l->seen = calloc(l->turn_max, sizeof *l->seen);
    l->values = calloc(l->turn_max + 1, (l->sieve.n + 1) * sizeof *l->values);
    if (l->seen && l->values)
        return true;
    reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
    return false;
}

static void serve(struct request *r, bool groups)
{
    struct list *l = calloc(1, sizeof *l);
    if (l) {
        *l = (struct list){.r = r, .groups = groups};
        spool_init(&l->out, r->http);
        l->arena = fl_arena_new(0);
        l->turn = fl_arena_new(0);
    }
    if (!l || !l->arena || !l->turn)
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
    else if (parse(l) && find(l))
        write_all(l);
    if (l)
        list_done(l);
}

/* `unprocessed` is taken and changes nothing: an alert is decided upon before anybody can ask for it. */
void read_v2_alerts(struct request *r, struct fl_reader *db)
{
    (void)db;
    serve(r, false);
}

void read_v2_groups(struct request *r, struct fl_reader *db)
{
    (void)db;
    serve(r, true);
}
