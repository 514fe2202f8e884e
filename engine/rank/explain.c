/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain.c -- a candidate's score in words: features are added up into a few terms, each with its number, its
 * alerts and its path; and the smallest change that would demote the candidate. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain_words.h"
#include "rank_parts.h"

enum {
    WHAT_IF_ALERTS = 5,     /* alerts, and as many dependencies, that are tried without */
    WHAT_IF_LARGEST = 2000, /* alerts of the incident: each try ranks all of it again, on the core thread */
};

static void add_backing(struct fl_backing *b, uint64_t fp, double rarity, uint32_t alert)
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

static struct fl_backing backing_of(const struct fl_evidence *ev, size_t group, uint64_t kinds)
{
    struct fl_backing b = {.n = 0};
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        if (it->group == group && kinds >> it->kind & 1)
            add_backing(&b, ev->in->alerts[it->alert].alert->fingerprint, it->rarity, it->alert);
    }
    return b;
}

/* Of the groups that need it: what a candidate explains. `seen` marks them. */
static struct fl_backing backing_of_reached(const struct fl_evidence *ev, const int *seen, size_t group)
{
    struct fl_backing b = {.n = 0};
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        if (it->group != group && it->kind < FL_K_OWN_N && seen[it->group] >= 0)
            add_backing(&b, ev->in->alerts[it->alert].alert->fingerprint, it->rarity, it->alert);
    }
    return b;
}

/* Breadth first over alerting groups that need the candidate, and the way to the farthest of them.
 * @param ret_from of each group the one it was reached from, -1 when it was not. */
static fl_status upstream(const struct fl_evidence *ev, size_t group, struct fl_reached *ret, int **ret_from,
                          struct fl_err *err)
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
    *ret = (struct fl_reached){.group = queue + 1, .n = tail - 1};
    *ret_from = from;
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
    ret->path = path;
    ret->n_path = n;
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
    FL_AUTO_FREE double *value = calloc(fl_n_terms, sizeof *value);
    bool untimed = ev->in->data && ev->in->data->untimed;
    size_t f = fl_feature_count(), n = 0;
    struct fl_reached reached;
    int *from = NULL;
    struct fl_contribution *v = fl_arena_calloc(ev->arena, fl_n_terms, sizeof *v);
    if (!v || !value)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = upstream(ev, group, &reached, &from, err);
    if (st)
        return st;
    for (size_t j = 0; j < f; j++)
        value[fl_term_of(fl_feature_name(j), untimed)] += model->weight[j] * (x[group * f + j] - mean[j]);
    for (size_t i = 0; i < fl_n_terms; i++) {
        const struct fl_term *t = &fl_terms[i];
        if (fabs(value[i]) < 0.05)
            continue;
        bool explains = strcmp(t->key, "explains_upstream") == 0 && value[i] > 0;
        struct fl_backing b = explains ? backing_of_reached(ev, from, group)
                                       : backing_of(ev, group, t->kinds);
        struct fl_contribution *k = &v[n++];
        *k = (struct fl_contribution){.term = t->key, .value = round(value[i] * 1e6) / 1e6, .n_alerts = b.n};
        k->alerts = fl_arena_dup(ev->arena, b.fp, sizeof b.fp);
        k->text = fl_term_text(ev, t, value[i], &b, &reached, group, c->service,
                               c->type ? c->type : "component");
        if (!k->alerts || !k->text)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        if (explains) {
            k->path = reached.path;
            k->n_path = reached.n_path;
        }
    }
    if (n)
        qsort(v, n, sizeof *v, by_size);
    c->contributions = v;
    c->n_contributions = n;
    return FL_OK;
}

/* ---- what would change the order ------------------------------------------------------------------ */

/* Where the unit stands when one alert or one dependency is left out, and who stands first then. */
struct otherwise {
    size_t rank;
    const char *first;
};

static fl_status rank_without(const struct fl_evidence *ev, const struct fl_model *model, size_t skip_alert,
                              const fl_vertex *skip_edge, fl_vertex unit, struct otherwise *ret,
                              struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_scores s;
    if (!arena)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_score(arena, model, ev->in, skip_alert, skip_edge, &s, err);
    *ret = (struct otherwise){0, NULL};
    for (size_t i = 0; !st && i < s.n; i++) {
        fl_vertex v = s.ev.groups[s.order[i].group].vertex;
        if (i == 0)
            ret->first = fl_topo_node(ev->in->topo, v)->id;
        if (v == unit)
            ret->rank = i + 1;
    }
    return st;
}

static void note_worse(const struct fl_evidence *ev, const struct otherwise *o, bool was_first, size_t *worst,
                       const char *change, struct fl_candidate *c)
{
    if (o->rank <= *worst && o->rank)
        return;
    if (!o->rank) /* left out, nothing speaks for it any more */
        c->counterfactual = fl_arena_printf(ev->arena, "%s: no candidate any more", change);
    else if (was_first)
        c->counterfactual = fl_arena_printf(ev->arena, "%s: rank %zu, behind %s", change, o->rank, o->first);
    else
        c->counterfactual = fl_arena_printf(ev->arena, "%s: rank %zu", change, o->rank);
    *worst = o->rank ? o->rank : SIZE_MAX;
}

fl_status fl_explain_what_if(const struct fl_evidence *ev, const struct fl_model *model, size_t group,
                             size_t rank, struct fl_candidate *c, struct fl_err *err)
{
    struct fl_backing b = backing_of(ev, group, (UINT64_C(1) << FL_K_N) - 1);
    const struct fl_group *g = &ev->groups[group];
    size_t worst = rank, tried = 0;
    struct otherwise o;
    char change[600];
    if (ev->in->n_alerts > WHAT_IF_LARGEST) {
        if (rank == 1)
            c->counterfactual = fl_arena_printf(
                ev->arena,
                "not asked: the incident has %zu alerts, and each question ranks all of them again",
                ev->in->n_alerts);
        return FL_OK;
    }
    for (size_t i = 0; i < b.n && i < WHAT_IF_ALERTS && worst != SIZE_MAX; i++, tried++) {
        fl_status st = rank_without(ev, model, b.alert[i], NULL, g->vertex, &o, err);
        if (st)
            return st;
        snprintf(change, sizeof change, "without the alert \"%.120s\"",
                 fl_alert_words(ev->in->alerts[b.alert[i]].alert));
        note_worse(ev, &o, rank == 1, &worst, change, c);
    }
    for (uint32_t i = 0; i < g->n_needed_by && i < WHAT_IF_ALERTS && worst != SIZE_MAX; i++, tried++) {
        fl_vertex edge[2] = {ev->groups[g->needed_by[i]].vertex, g->vertex};
        fl_status st = rank_without(ev, model, SIZE_MAX, edge, g->vertex, &o, err);
        if (st)
            return st;
        snprintf(change, sizeof change, "if the edge %.200s → %.200s did not exist",
                 fl_topo_node(ev->in->topo, edge[0])->id, c->service);
        note_worse(ev, &o, rank == 1, &worst, change, c);
    }
    if (!c->counterfactual && tried && rank == 1)
        c->counterfactual = fl_arena_printf(ev->arena,
                                            "no single alert or dependency of it decides its place");
    return FL_OK;
}
