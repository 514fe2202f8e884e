/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c -- a candidate's score in words: features are added up into a few terms, each with its number, its
 * alerts and its path; and the smallest change that would demote the candidate. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"
#include "rank_parts.h"

enum { TERM_ALERTS_MAX = 5, TERMS_MAX = 16, WHAT_IF_ALERTS = 5 };

static bool starts(const char *s, const char *head)
{
    return strncmp(s, head, strlen(head)) == 0;
}

/* Which term a feature belongs to; the order of the table decides. */
static const struct term {
    const char *key, *prefixes[16];
    uint64_t kinds;          /* items that stand behind it */
    const char *more, *less; /* sentence when it speaks for, against; %s = service */
} terms[] = {
#define K(k) (UINT64_C(1) << FL_K_##k)
    {"resource",
     {"share_cpu", "share_memory", "share_io", "share_pool", "share_resource", "count_cpu", "count_memory",
      "count_io", "count_pool", "count_resource", "size_resource"},
     K(CPU) | K(MEM) | K(IO) | K(POOL) | K(RES_DOWN),
     "%s shows a resource problem of its own",
     "its resource alerts are what others show as well"},
    {"latency",
     {"share_latency", "share_span", "count_latency", "count_span", "size_latency", "trace_self"},
     K(LAT) | K(LAT_OUT) | K(LAT_DOWN) | K(SPAN) | K(SPAN_SELF),
     "%s itself became slow",
     "its slowness is a symptom rather than a cause"},
    {"network",
     {"share_net", "count_net", "size_network", "trace_net", "share_out_net", "count_out_net"},
     K(NET_UP) | K(NET_DOWN) | K(NET_EDGE) | K(OUT_NET),
     "the network around %s is bad",
     "its network alerts do not point at it"},
    {"error",
     {"share_error", "count_error", "share_availability", "count_availability", "size_error",
      "share_log_error", "count_log_error"},
     K(ERR) | K(ERR_EDGE) | K(ERR_SELF) | K(AVAIL) | K(LOG_BAD),
     "%s fails or logs errors",
     "its errors are passed on rather than made"},
    {"log",
     {"share_log", "count_log"},
     K(LOG),
     "%s logs what it does not usually log",
     "its log lines are usual in incidents"},
    {"traffic",
     {"share_traffic", "count_traffic", "trace_fewer"},
     K(TRAF_UP) | K(TRAF_DOWN) | K(TRAF_OUT_DOWN),
     "traffic of %s changed",
     "its change of traffic follows from others"},
    {"missing",
     {"share_missing", "count_missing", "trace_lost", "share_out_missing", "count_out_missing"},
     K(MISSING) | K(OUT_MISSING),
     "%s no longer makes the calls it should",
     "missing calls point elsewhere"},
    {"caller",
     {"share_out", "count_out"},
     K(OUT_SPAN) | K(OUT_ERR),
     "calls that %s makes are bad on many sides",
     "it only calls something that is bad"},
    {"named",
     {"share_named", "count_named"},
     K(NAMED_SPAN) | K(NAMED_ERR) | K(NAMED_LOG),
     "others' spans or log lines name %s",
     "others name it without it being the cause"},
    {"edges",
     {"edges"},
     K(SPAN) | K(NET_EDGE) | K(ERR_EDGE) | K(OUT_SPAN) | K(OUT_ERR),
     "bad calls have %s as their common end",
     "bad calls pass through it"},
    {"explains_upstream",
     {"explains_upstream", "host_below", "host_shared"},
     0,
     "what needs %s alerts too: it explains them",
     "little that needs it alerts"},
    {"explained_below",
     {"explained_below", "symptom_below", "resource_below"},
     0,
     "nothing below %s shows the same symptom",
     "something it needs shows the same symptom"},
    {"page",
     {"entry", "reached", "page_class", "size_page"},
     0,
     "the page's symptom leads down to %s",
     "the page's symptom does not lead to it"},
    {"time", {"early"}, 0, "its alerts came first", "its alerts came late"},
    {"rarity",
     {"rar", "top5", "alone", "surprise", "count_share", "most_", "kinds", "diverse", "alerting", "silence",
      "size_share", "share_good", "count_good"},
     (UINT64_C(1) << FL_K_OWN_N) - 1,
     "its alerts are rare in past incidents, or no other has them",
     "its alerts are common in past incidents"},
    {"kind_of_node",
     {"host", "store", "leaf", "external"},
     0,
     "a node of its kind is more often the cause",
     "a node of its kind is less often the cause"},
    {"other", {""}, K(OTHER), "other alerts", "other alerts"},
#undef K
};

static size_t term_of(const char *feature, bool untimed)
{
    if (untimed && starts(feature, "early"))
        feature = "rarity_share"; /* without times "early" is a share of rarity like any other */
    for (size_t t = 0; t < FL_ARRAY_LEN(terms); t++)
        for (size_t p = 0; p < FL_ARRAY_LEN(terms[t].prefixes) && terms[t].prefixes[p]; p++)
            if (starts(feature, terms[t].prefixes[p]))
                return t;
    return FL_ARRAY_LEN(terms) - 1;
}

/* Fingerprints behind a term, rarest first; the texts say what they are. */
struct backing {
    uint64_t fp[TERM_ALERTS_MAX];
    double rarity[TERM_ALERTS_MAX];
    uint32_t alert[TERM_ALERTS_MAX];
    size_t n, all;
};

static void add_backing(struct backing *b, uint64_t fp, double rarity, uint32_t alert)
{
    size_t at = 0;
    b->all++;
    for (size_t i = 0; i < b->n; i++)
        if (b->fp[i] == fp)
            return;
    while (at < b->n && b->rarity[at] >= rarity)
        at++;
    if (at == TERM_ALERTS_MAX)
        return;
    size_t move = (b->n < TERM_ALERTS_MAX ? b->n : TERM_ALERTS_MAX - 1) - at;
    memmove(b->fp + at + 1, b->fp + at, move * sizeof *b->fp);
    memmove(b->rarity + at + 1, b->rarity + at, move * sizeof *b->rarity);
    memmove(b->alert + at + 1, b->alert + at, move * sizeof *b->alert);
    b->fp[at] = fp;
    b->rarity[at] = rarity;
    b->alert[at] = alert;
    b->n += b->n < TERM_ALERTS_MAX;
}

static struct backing backing_of(const struct fl_evidence *ev, size_t group, uint64_t kinds)
{
    struct backing b = {.n = 0};
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        if (it->group == group && kinds >> it->kind & 1)
            add_backing(&b, ev->in->alerts[it->alert].alert->fingerprint, it->rarity, it->alert);
    }
    return b;
}

static const char *alert_text(const struct fl_alert *a)
{
    const char *text = fl_label_get(&a->annotations, "summary");
    return text[0] ? text : fl_label_get(&a->labels, "alertname");
}

static char *term_text(const struct fl_evidence *ev, const struct term *t, double value,
                       const struct backing *b, const char *service)
{
    if (t->kinds && !b->all)
        return fl_arena_printf(ev->arena, "it has no alerts about this (%s)", t->key);
    FL_AUTO_BUF text = fl_buf_init(4096);
    const char *format = value > 0 ? t->more : t->less, *hole = strstr(format, "%s");
    fl_buf_add(&text, format, hole ? (size_t)(hole - format) : strlen(format));
    if (hole)
        fl_buf_printf(&text, "%s%s", service, hole + 2);
    for (size_t i = 0; i < b->n && i < 2; i++)
        fl_buf_printf(&text, "%s%.120s (rarity %.2f)", i ? "; " : ": ",
                      alert_text(ev->in->alerts[b->alert[i]].alert), b->rarity[i]);
    if (b->all > 2)
        fl_buf_printf(&text, "; %zu alerts in all", b->all);
    return text.failed || !text.p ? NULL : fl_arena_strndup(ev->arena, text.p, text.n);
}

/* The way from the candidate up to the farthest alerting group that needs it. */
static fl_status upstream_path(const struct fl_evidence *ev, size_t group, const char *const **ret,
                               size_t *ret_n, struct fl_err *err)
{
    size_t far = group, head = 0, tail = 1;
    int *from = fl_arena_alloc(ev->arena, (ev->n_groups + 1) * sizeof *from);
    uint32_t *queue = fl_arena_alloc(ev->arena, (ev->n_groups + 1) * sizeof *queue);
    if (!from || !queue)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ev->n_groups; i++)
        from[i] = -1;
    queue[0] = (uint32_t)group;
    from[group] = (int)group;
    while (head < tail) {
        const struct fl_group *g = &ev->groups[queue[head++]];
        for (uint32_t i = 0; i < g->n_needed_by; i++) {
            uint32_t next = g->needed_by[i];
            if (from[next] >= 0 || !ev->groups[next].alerting)
                continue;
            from[next] = (int)(g - ev->groups);
            queue[tail++] = next;
            far = next;
        }
    }
    *ret = NULL;
    *ret_n = 0;
    if (far == group)
        return FL_OK;
    size_t n = 1;
    for (size_t at = far; at != group; at = (size_t)from[at])
        n++;
    const char **path = fl_arena_alloc(ev->arena, n * sizeof *path);
    if (!path)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t at = far;
    for (size_t i = n; i-- > 0; at = (size_t)from[at])
        path[i] = fl_topo_node(ev->in->topo, ev->groups[at].vertex)->id;
    *ret = path;
    *ret_n = n;
    return FL_OK;
}

static int by_size(const void *pa, const void *pb)
{
    const struct fl_contribution *a = pa, *b = pb;
    double x = fabs(a->value), y = fabs(b->value);
    if (x != y)
        return x > y ? -1 : 1;
    return strcmp(a->term, b->term);
}

fl_status fl_explain_terms(const struct fl_evidence *ev, const struct fl_model *model, const double *x,
                           const double *mean, size_t group, struct fl_candidate *c, struct fl_err *err)
{
    double value[FL_ARRAY_LEN(terms)] = {0};
    bool untimed = ev->in->data && ev->in->data->untimed;
    size_t f = fl_feature_count(), n = 0;
    struct fl_contribution *v = fl_arena_calloc(ev->arena, FL_ARRAY_LEN(terms), sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t j = 0; j < f; j++)
        value[term_of(fl_feature_name(j), untimed)] += model->weight[j] * (x[group * f + j] - mean[j]);
    for (size_t t = 0; t < FL_ARRAY_LEN(terms); t++) {
        if (fabs(value[t]) < 0.05)
            continue;
        struct backing b = backing_of(ev, group, terms[t].kinds);
        struct fl_contribution *k = &v[n++];
        *k = (struct fl_contribution){
            .term = terms[t].key, .value = round(value[t] * 1e6) / 1e6, .n_alerts = b.n};
        k->alerts = fl_arena_dup(ev->arena, b.fp, sizeof b.fp);
        k->text = term_text(ev, &terms[t], value[t], &b, c->service);
        if (!k->alerts || !k->text)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        if (strcmp(terms[t].key, "explains_upstream") == 0 && value[t] > 0) {
            fl_status st = upstream_path(ev, group, &k->path, &k->n_path, err);
            if (st)
                return st;
        }
    }
    qsort(v, n, sizeof *v, by_size);
    c->contributions = v;
    c->n_contributions = n;
    return FL_OK;
}

/* ---- what would change the order ------------------------------------------------------------------ */

static fl_status rank_without(const struct fl_evidence *ev, const struct fl_model *model, size_t skip_alert,
                              const fl_vertex *skip_edge, fl_vertex unit, size_t *ret, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_scores s;
    if (!arena)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_score(arena, model, ev->in, skip_alert, skip_edge, &s, err);
    *ret = 0;
    for (size_t i = 0; !st && i < s.n; i++)
        if (s.ev.groups[s.order[i].group].vertex == unit)
            *ret = i + 1;
    return st;
}

fl_status fl_explain_what_if(const struct fl_evidence *ev, const struct fl_model *model, size_t group,
                             size_t rank, struct fl_candidate *c, struct fl_err *err)
{
    struct backing b = backing_of(ev, group, (UINT64_C(1) << FL_K_N) - 1);
    const struct fl_group *g = &ev->groups[group];
    size_t worst = rank, now;
    if (b.n > WHAT_IF_ALERTS)
        b.n = WHAT_IF_ALERTS;
    for (size_t i = 0; i < b.n; i++) {
        const struct fl_alert *a = ev->in->alerts[b.alert[i]].alert;
        fl_status st = rank_without(ev, model, b.alert[i], NULL, g->vertex, &now, err);
        if (st)
            return st;
        if (now <= worst)
            continue;
        worst = now;
        c->counterfactual = fl_arena_printf(ev->arena, "without alert \"%.120s\" rank %zu", alert_text(a),
                                            now);
    }
    for (uint32_t i = 0; i < g->n_needed_by && i < WHAT_IF_ALERTS; i++) {
        fl_vertex edge[2] = {ev->groups[g->needed_by[i]].vertex, g->vertex};
        fl_status st = rank_without(ev, model, SIZE_MAX, edge, g->vertex, &now, err);
        if (st)
            return st;
        if (now <= worst)
            continue;
        worst = now;
        c->counterfactual = fl_arena_printf(ev->arena, "if nothing of %s needed %s rank %zu",
                                            fl_topo_node(ev->in->topo, edge[0])->id, c->service, now);
    }
    return FL_OK;
}
