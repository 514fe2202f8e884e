/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain_words.c -- contract in explain_words.h. The sentences are read at night by people who may never have seen the
 * system: no word of statistics, no name of a feature, and each says what was seen before what it means. */
#include "explain_words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"

enum { ALERTS_TOLD = 2, NAMES_TOLD = 3, VALUES_TOLD = 2 };

/* The order of the table decides. %s = the candidate. */
const struct fl_term fl_terms[] = {
#define K(k) (UINT64_C(1) << FL_K_##k)
    {"resource",
     {"share_cpu", "share_memory", "share_io", "share_pool", "share_resource", "count_cpu", "count_memory",
      "count_io", "count_pool", "count_resource", "size_resource"},
     K(CPU) | K(MEM) | K(IO) | K(POOL) | K(RES_DOWN),
     "%s has run short of something of its own",
     "%s is short of something, but so are others",
     "no alert says that %s is short of anything"},
    {"latency",
     {"share_latency", "share_span", "count_latency", "count_span", "size_latency", "trace_self",
      "own_latency"},
     K(LAT) | K(LAT_OUT) | K(LAT_DOWN) | K(SPAN) | K(SPAN_SELF),
     "%s itself became slow",
     "%s is slow, but looks like one that waits for others",
     "no alert says that %s is slow"},
    {"network",
     {"share_net", "count_net", "size_network", "trace_net", "share_out_net", "count_out_net", "own_network"},
     K(NET_UP) | K(NET_DOWN) | K(NET_EDGE) | K(OUT_NET),
     "the network around %s is bad",
     "the network alerts of %s do not point at it",
     "no alert says that the network around %s is bad"},
    {"error",
     {"share_error", "count_error", "share_availability", "count_availability", "size_error",
      "share_log_error", "count_log_error", "own_error"},
     K(ERR) | K(ERR_EDGE) | K(ERR_SELF) | K(AVAIL) | K(LOG_BAD),
     "%s fails or logs errors",
     "the errors of %s look passed on from others",
     "no alert says that %s fails"},
    {"log",
     {"share_log", "count_log"},
     K(LOG),
     "%s logs what it does not usually log",
     "what %s logs is usual in incidents",
     "the log of %s is as usual"},
    {"traffic",
     {"share_traffic", "count_traffic", "trace_fewer"},
     K(TRAF_UP) | K(TRAF_DOWN) | K(TRAF_OUT_DOWN),
     "the traffic of %s changed",
     "the traffic of %s changed as a consequence",
     "no alert says that the traffic of %s changed"},
    {"missing",
     {"share_missing", "count_missing", "trace_lost", "share_out_missing", "count_out_missing"},
     K(MISSING) | K(OUT_MISSING),
     "%s no longer makes or answers the calls it should",
     "the missing calls point elsewhere than %s",
     "no calls of %s are missing"},
    {"caller",
     {"share_out", "count_out"},
     K(OUT_SPAN) | K(OUT_ERR),
     "calls that %s makes are bad on many sides",
     "%s only calls something that is bad",
     "the calls that %s makes are not bad"},
    {"named",
     {"share_named", "count_named"},
     K(NAMED_SPAN) | K(NAMED_ERR) | K(NAMED_LOG),
     "spans or log lines of others name %s",
     "others name %s, as they do when it is not the cause",
     "no other names %s"},
    {"edges",
     {"edges", "calls_"},
     K(SPAN) | K(NET_EDGE) | K(ERR_EDGE) | K(OUT_SPAN) | K(OUT_ERR),
     "bad calls have %s as their common end",
     "bad calls only pass through %s",
     "no bad calls meet at %s"},
    {"between",
     {"gap_"},
     K(NAMED_SPAN) | K(NAMED_ERR),
     "calls to or from %s are slow or fail for their callers, and the called see nothing wrong: the trouble is on the way",
     "calls that only their callers find bad meet elsewhere than at %s",
     "no calls to or from %s are bad on the way"},
    {"explains_upstream",
     {"explains_upstream", "host_below", "host_shared", "above_"},
     0,
     "what %s carries is in trouble, too",
     "few of those that need %s are in trouble: if it were the cause, they would be",
     NULL},
    {"explained_below",
     {"explained_below", "symptom_below", "resource_below", "unexplained_", "end_of_"},
     0,
     "nothing that %s itself needs shows the same symptoms",
     "something that %s needs shows the same symptoms, or has run short",
     NULL},
    {"page",
     {"entry", "reached", "page_class", "size_page"},
     0,
     "what the page was about leads down to %s",
     "what the page was about does not lead to %s",
     NULL},
    {"time", {"early"}, 0, "%s was among the first to alert", "others alerted before %s", NULL},
    {"rarity",
     {"rar", "top5", "alone", "surprise", "count_share", "most_", "kinds", "diverse", "alerting", "silence",
      "said_", "size_share", "share_good", "count_good"},
     (UINT64_C(1) << FL_K_OWN_N) - 1,
     "%s has alerts of its own that stand out",
     "the alerts of %s do not stand out",
     "%s has no alert of its own"},
    {"measured",
     {"metric_"},
     0,
     "what is measured at %s is far from usual",
     "what is measured at %s is nearer to usual than elsewhere",
     "nothing is measured at %s that could be held against what is usual there"},
    {"kind_of_node",
     {"host", "store", "leaf", "external"},
     0,
     "components of its type (%t) are more often the cause",
     "components of its type (%t) are less often the cause",
     NULL},
    {"other",
     {""},
     K(OTHER),
     "%s has other alerts",
     "%s has other alerts, which speak against it",
     "%s has no other alerts"},
#undef K
};
const size_t fl_n_terms = FL_ARRAY_LEN(fl_terms);

static bool starts(const char *s, const char *head)
{
    return strncmp(s, head, strlen(head)) == 0;
}

size_t fl_term_of(const char *feature, bool untimed)
{
    if (untimed && starts(feature, "early"))
        feature = "rarity_share"; /* without times "early" is a share of rarity like any other */
    for (size_t t = 0; t < fl_n_terms; t++)
        for (size_t p = 0; p < FL_ARRAY_LEN(fl_terms[t].prefixes) && fl_terms[t].prefixes[p]; p++)
            if (starts(feature, fl_terms[t].prefixes[p]))
                return t;
    return fl_n_terms - 1;
}

const char *fl_alert_words(const struct fl_alert *a)
{
    const char *text = fl_label_get(&a->annotations, "summary");
    return text[0] ? text : fl_label_get(&a->labels, "alertname");
}

static void put(struct fl_buf *out, const char *format, const char *service, const char *type)
{
    for (const char *p = format; *p; p++)
        if (p[0] == '%' && (p[1] == 's' || p[1] == 't'))
            fl_buf_str(out, *++p == 's' ? service : type);
        else
            fl_buf_chr(out, *p);
}

/* How rare, once there are incidents to compare with. */
static const char *rarity(const struct fl_evidence *ev, double r, char *buf, size_t cap)
{
    if (fl_history_incidents(ev->in->history) < 1)
        return "";
    if (r >= 0.995)
        return " (never part of an incident before)";
    snprintf(buf, cap, " (%s in past incidents, rarity %.2f)", r >= 0.5 ? "rare" : "common", r);
    return buf;
}

static void put_alerts(const struct fl_evidence *ev, const struct fl_backing *b, struct fl_buf *out)
{
    char how[80];
    for (size_t i = 0; i < b->n && i < ALERTS_TOLD; i++)
        fl_buf_printf(out, "%s%.120s%s", i ? "; " : ": ", fl_alert_words(ev->in->alerts[b->alert[i]].alert),
                      rarity(ev, b->rarity[i], how, sizeof how));
    if (b->all > ALERTS_TOLD)
        fl_buf_printf(out, "; %zu alerts in all", b->all);
}

static const char *name(const struct fl_evidence *ev, size_t group)
{
    return fl_topo_node(ev->in->topo, ev->groups[group].vertex)->id;
}

/* "8 components that need it alert too: catalog, cart, search and 5 more". */
static void put_reached(const struct fl_evidence *ev, const struct fl_reached *r, const char *service,
                        struct fl_buf *out)
{
    if (r->n == 1)
        fl_buf_printf(out, "%.200s needs %s and is in trouble, too", name(ev, r->group[0]), service);
    else
        fl_buf_printf(out, "%zu components that need %s are in trouble, too", r->n, service);
    for (size_t i = 0; r->n > 1 && i < r->n && i < NAMES_TOLD; i++)
        fl_buf_printf(out, "%s%.200s", i ? ", " : ": ", name(ev, r->group[i]));
    if (r->n > NAMES_TOLD)
        fl_buf_printf(out, " and %zu more", r->n - NAMES_TOLD);
    fl_buf_str(out, "; its failure would explain that");
}

/* Largest first; of equals by name: the order of a table's columns says nothing. */
static int by_distance(const struct fl_evidence *ev, const struct fl_deviation *a,
                       const struct fl_deviation *b)
{
    const char *const *metric = ev->in->metrics->table->metric;
    if (fabs(a->z) != fabs(b->z))
        return fabs(a->z) > fabs(b->z) ? -1 : 1;
    int o = strcmp(metric[a->column], metric[b->column]);
    return o ? o : a->column < b->column ? -1 : a->column > b->column;
}

/* The first of the group's deviations after `last`; NULL: none is left. */
static const struct fl_deviation *next_largest(const struct fl_evidence *ev, size_t group,
                                               const struct fl_deviation *last)
{
    const struct fl_deviation *best = NULL;
    for (size_t i = 0; i < ev->n_deviations; i++) {
        const struct fl_deviation *d = &ev->deviations[i];
        if (d->group == group && (!last || by_distance(ev, last, d) < 0) &&
            (!best || by_distance(ev, d, best) < 0))
            best = d;
    }
    return best;
}

/* 0.2, 93, 26090: as people write numbers. */
static void put_number(double v, struct fl_buf *out)
{
    fl_buf_printf(out, fabs(v) >= 1e4 && fabs(v) < 1e15 ? "%.0f" : "%.4g", v);
}

/* "what is measured at db is far from usual: cpu_pct is 93, usually 20 to 24; …" */
static void put_measured(const struct fl_evidence *ev, const struct fl_term *t, double value, size_t group,
                         const char *service, struct fl_buf *out)
{
    const struct fl_deviation *d = next_largest(ev, group, NULL);
    put(out, !d ? t->none : value > 0 ? t->more : t->less, service, "");
    for (int told = 0; d && told < VALUES_TOLD; told++, d = next_largest(ev, group, d)) {
        if (told && value > 0 && fabs(d->z) <= 1) /* as usual */
            break;
        fl_buf_printf(out, "%s%.120s is ", told ? "; " : ": ", ev->in->metrics->table->metric[d->column]);
        put_number(d->value, out);
        fl_buf_str(out, ", usually ");
        put_number(d->usual.low, out);
        fl_buf_str(out, " to ");
        put_number(d->usual.high, out);
    }
}

/* When the first alert on it came, against the first of all. */
static void put_time(const struct fl_evidence *ev, double value, size_t group, const char *service,
                     struct fl_buf *out)
{
    fl_usec first = 0, own = 0;
    char text[24];
    for (size_t i = 0; i < ev->in->n_alerts; i++) {
        fl_usec at = ev->in->alerts[i].alert->starts_at;
        first = !first || at < first ? at : first;
    }
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        fl_usec at = ev->in->alerts[it->alert].alert->starts_at;
        if (it->group == group && it->kind < FL_K_OWN_N)
            own = !own || at < own ? at : own;
    }
    if (!own)
        fl_buf_printf(out, "%s has no alert that could have been the first", service);
    else if (own - first < FL_USEC_PER_SEC)
        fl_buf_printf(out, "%s alerted at the very beginning%s", service,
                      value > 0 ? "" : ", but with little");
    else
        fl_buf_printf(out, "the first alert of %s came %s after the beginning%s", service,
                      fl_format_duration((own - first) / FL_USEC_PER_SEC * FL_USEC_PER_SEC, text),
                      value > 0 ? ", earlier than most" : "");
}

char *fl_term_text(const struct fl_evidence *ev, const struct fl_term *t, double value,
                   const struct fl_backing *b, const struct fl_reached *reached, size_t group,
                   const char *service, const char *type)
{
    FL_AUTO_BUF text = fl_buf_init(8192);
    bool untimed = ev->in->data && ev->in->data->untimed;
    if (strcmp(t->key, "explains_upstream") == 0 && value > 0 && reached->n)
        put_reached(ev, reached, service, &text);
    else if (strcmp(t->key, "time") == 0 && !untimed)
        put_time(ev, value, group, service, &text);
    else if (strcmp(t->key, "measured") == 0)
        put_measured(ev, t, value, group, service, &text);
    else if (t->kinds && !b->all)
        put(&text, t->none, service, type);
    else
        put(&text, value > 0 ? t->more : t->less, service, type);
    if (t->kinds && b->all)
        put_alerts(ev, b, &text);
    return text.failed || !text.p ? NULL : fl_arena_strndup(ev->arena, text.p, text.n);
}
