/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/alert_list.c -- GET /api/v1/alerts by label or by state, on a read thread (layer 5).
 *
 * What fires or is stale the core knows: a list of those is found in its memory, where the newest rows do not fill a page. Rows
 * among those that the core has forgotten (stale when a silence ended) are listed with them.
 * Nothing knows the labels of past alerts but their rows, so a filtered list passes them, newest first, until its page is full or
 * LOOKED_AT_MAX were passed: then the answer says where to go on. `=` is decided by the database; patterns of strangers never
 * are (its regexes are others, and unbounded), but here, by the matchers that silences have. Then the page is read by its keys. */
#include "filters.h"

#include <stdlib.h>
#include <string.h>

enum { LOOKED_AT_FIRST = 1000, LOOKED_AT = 10000, LOOKED_AT_MAX = 100000, LIST_MAX = 10000 };

struct list {
    struct request *r;
    struct fl_reader *db;
    struct filters filters;
    struct fl_label having[FILTERS_MAX]; /* of `=`: for the database */
    struct sieve rest;                   /* the others */
    const char *names[FILTERS_MAX];
    struct fl_alert_look look;
    size_t limit, offset;
    struct fl_alert_key *v; /* the page */
    size_t n;
    bool more;
    struct fl_alert_key passed[LOOKED_AT_FIRST]; /* wanted ones among the newest rows, of any page */
    size_t n_passed;
};

/* ---- what is asked for ---- */

/* An incident's alerts are found by its index. */
static bool is_live(const struct request *r)
{
    const char *state = request_arg(r, "state"), *incident = request_arg(r, "incident");
    return (fl_streq(state, "firing") || fl_streq(state, "stale")) && !(incident && *incident);
}

static bool refuse_filter(struct request *r, const char *text, const struct fl_err *err)
{
    reply_error(r, 400, "bad_argument", "filter",
                err->status == FL_E_LIMIT ? "ask for less at once"
                                          : "write label=value, label!=value, label=~regex or label!~regex",
                "argument filter: \"%.200s\": %s", text, err->text);
    return false;
}

static bool has(const struct list *l, const char *name)
{
    for (size_t i = 0; i < l->look.n_having; i++)
        if (strcmp(l->having[i].name, name) == 0)
            return true;
    return false;
}

static size_t column_of(struct list *l, const char *name)
{
    size_t i = 0;
    while (i < l->look.n_names && strcmp(l->names[i], name) != 0)
        i++;
    if (i == l->look.n_names)
        l->names[l->look.n_names++] = name;
    return i;
}

/* An object of JSON has each name once, and "" is also what an alert without the label has. */
static void share_out(struct list *l)
{
    for (size_t i = 0; i < l->filters.n; i++) {
        const struct fl_matcher *m = &l->filters.m[i];
        if (m->op == '=' && *m->value && !has(l, m->name)) {
            l->having[l->look.n_having++] = (struct fl_label){m->name, m->value};
        } else {
            sieve_add(&l->rest, m);
            (void)column_of(l, m->name);
        }
    }
    l->look.having = l->having;
    l->look.names = l->names;
}

/* "TIME/FINGERPRINT", as next_after gives it. */
static bool take_after(struct request *r, struct fl_alert_key *ret)
{
    const char *text = request_arg(r, "after");
    const char *slash = text ? strrchr(text, '/') : NULL;
    if (!text || !*text)
        return true;
    if (slash && fl_time_parse(text, (size_t)(slash - text), &ret->starts_at) && ret->starts_at &&
        fl_fingerprint_parse(slash + 1, &ret->fingerprint))
        return true;
    reply_error(r, 400, "bad_argument", "after", "give next_after of the page before, as it is",
                "argument after is no place in the list: \"%.64s\"", text);
    return false;
}

static bool parse(struct list *l)
{
    struct request *r = l->r;
    struct fl_err err = {0};
    const char *text = "";
    l->look = (struct fl_alert_look){.realm = r->http->o.config->realm,
                                     .incident = request_arg(r, "incident"),
                                     .state = request_arg(r, "state")};
    if (filters_read(r, FL_ALERT_LOOK_NAMES, false, &l->filters, &text, &err) != FL_OK)
        return refuse_filter(r, text, &err);
    share_out(l);
    return request_arg_size(r, "limit", 100, LIST_MAX, &l->limit) &&
           request_arg_size(r, "offset", 0, 1000000, &l->offset) &&
           request_arg_time(r, "since", &l->look.since) && request_arg_time(r, "until", &l->look.until) &&
           take_after(r, &l->look.after);
}

/* ---- the look ---- */

static bool wanted(struct list *l, const char *const *values)
{
    for (size_t i = 0; i < l->rest.n; i++)
        if (!sieve_value(&l->rest, i, values[column_of(l, l->rest.m[i].name)]))
            return false;
    return true;
}

static bool see(void *ctx, struct fl_alert_key key, const char *const *values)
{
    struct list *l = ctx;
    if (!wanted(l, values))
        return true;
    if (l->n_passed < LOOKED_AT_FIRST)
        l->passed[l->n_passed++] = key;
    if (l->offset) {
        l->offset--;
        return true;
    }
    l->v[l->n++] = l->look.after = key;
    return l->n < l->limit;
}

/* Some rows more. *sum: passed so far; *over: those were all. */
static fl_status pass(struct list *l, size_t most, size_t *sum, bool *over, struct fl_err *err)
{
    size_t looked;
    struct fl_alert_key last = l->look.after;
    l->look.most = most;
    fl_status st = fl_read_alert_keys(l->db, &l->look, see, l, &looked, &last, err);
    if (st)
        return st;
    if (l->rest.no_memory)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (l->n < l->limit)
        l->look.after = last;
    *sum += looked;
    *over = looked < most;
    sieve_turn(&l->rest);
    return FL_OK;
}

static bool in_span(const struct list *l, const struct fl_alert_key *after, const struct fl_alert_key *k)
{
    if (after->starts_at && k->starts_at >= after->starts_at &&
        (k->starts_at > after->starts_at || (int64_t)k->fingerprint <= (int64_t)after->fingerprint))
        return false;
    return k->starts_at >= l->look.since && (!l->look.until || k->starts_at < l->look.until);
}

/* The page out of the core's memory and the newest rows. False: nothing is changed, as the core cannot say, or nobody asked for
 * what it knows. */
static bool find_live(struct list *l, struct fl_alert_key after, size_t offset)
{
    fl_alert_status status = fl_streq(l->look.state, "stale") ? FL_ALERT_STALE : FL_ALERT_FIRING;
    struct live_keys keys = {0};
    if (!is_live(l->r) ||
        !live_keys_find(l->r, status, &l->filters, &(struct live_keys){l->passed, l->n_passed}, &keys))
        return false;
    l->n = 0;
    for (size_t i = 0; i < keys.n && !l->more; i++) {
        if (!in_span(l, &after, &keys.v[i]))
            continue;
        if (offset)
            offset--;
        else if (l->n == l->limit)
            l->more = true;
        else
            l->v[l->n++] = l->look.after = keys.v[i];
    }
    free(keys.v);
    return true;
}

/* Where the next page begins is in look.after; l->more: there may be one. */
static fl_status find(struct list *l, struct fl_err *err)
{
    struct fl_alert_key after = l->look.after;
    size_t sum = 0, offset = l->offset;
    bool over = false;
    fl_status st = pass(l, LOOKED_AT_FIRST, &sum, &over, err);
    if (st == FL_OK && !over && l->n < l->limit && find_live(l, after, offset))
        return FL_OK;
    while (st == FL_OK && !over && l->n < l->limit && sum < LOOKED_AT_MAX &&
           atomic_load(&l->r->phase) == PHASE_WAITING)
        st = pass(l, LOOKED_AT_MAX - sum < LOOKED_AT ? LOOKED_AT_MAX - sum : LOOKED_AT, &sum, &over, err);
    l->more = l->n == l->limit || !over;
    return st;
}

/* ---- the answer ---- */

static fl_status answer(struct list *l, struct fl_buf *b, struct fl_err *err)
{
    size_t n;
    char time[FL_TIME_LEN], hex[17];
    fl_buf_str(b, "{\"alerts\":");
    fl_status st = fl_read_alerts_at(l->db, l->look.realm, l->look.state, l->v, l->n, b, &n, err);
    if (l->more)
        fl_buf_printf(b, ",\"next_after\":\"%s/%s\"", fl_time_format(l->look.after.starts_at, time),
                      fl_fingerprint_hex(l->look.after.fingerprint, hex));
    fl_buf_chr(b, '}');
    return st;
}

static void serve(struct list *l)
{
    struct fl_err err = {0};
    if (!parse(l))
        return;
    l->limit = l->limit ? l->limit : 100; /* as lists without a filter have it */
    l->v = calloc(l->limit + 1, sizeof *l->v);
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    fl_status st = l->v ? find(l, &err) : fl_fail(&err, FL_E_NOMEM, NULL, "out of memory");
    if (st == FL_OK)
        st = answer(l, &b, &err);
    if (st == FL_OK) {
        reply_buf(l->r, 200, TYPE_JSON, &b);
    } else {
        fl_buf_done(&b);
        read_failed(l->r, &err);
    }
    free(l->v);
}

void read_alerts(struct request *r, struct fl_reader *db)
{
    if (!request_arg(r, "filter") && !request_arg(r, "after") && !is_live(r)) {
        read_document(r, db);
        return;
    }
    struct list *l = calloc(1, sizeof *l);
    if (!l) {
        reply_error(r, 503, "nomem", NULL, NULL, "out of memory");
        return;
    }
    *l = (struct list){.r = r, .db = db};
    serve(l);
    sieve_done(&l->rest);
    filters_done(&l->filters);
    free(l);
}
