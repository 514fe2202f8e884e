/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/upstream.c -- graph inhibition: while what a component needs alerts, alerts of the component itself
 * are told once too often. A dependant is held for a short time first, so that it does not matter who alerts first. */
#include "correlate_priv.h"

#include <stdlib.h>
#include <string.h>

/* One alert on one side of one rule. */
struct up_role {
    struct episode *e;
    struct up_node *u;
    uint64_t n; /* order on the component */
    size_t rule;
    bool source;
    struct up_role *prev, *next; /* of the same side of the component */
    struct up_role *other;       /* next one of the episode */
};
struct up_side {
    struct up_role *first, *last;
};
/* A component with such alerts. */
struct up_node {
    fl_vertex v;
    struct up_side sources, targets;
    size_t n;                                  /* roles */
    uint64_t serial;                           /* that ever were */
    uint32_t firing[FL_GRAPH_INHIBITIONS_MAX]; /* sources that fire, by rule */
    uint32_t dirty;                            /* rules whose dependants are to be looked at; a bit each */
    struct up_node *dirty_next;
    UT_hash_handle hh;
};
_Static_assert(FL_GRAPH_INHIBITIONS_MAX <= 32, "a bit for each rule");

static struct up_node *node_at(struct fl_corr *c, fl_vertex v)
{
    struct up_node *u;
    HASH_FIND(hh, c->up, &v, sizeof v, u);
    return u;
}

static void mark(struct fl_corr *c, struct up_node *u, size_t rule)
{
    if (!u->dirty) {
        u->dirty_next = NULL;
        if (c->up_last)
            c->up_last->dirty_next = u;
        else
            c->up_first = u;
        c->up_last = u;
    }
    u->dirty |= UINT32_C(1) << rule;
}

/* The alert of a component that is named: the first that fires. */
static const struct up_role *named(const struct up_node *u, size_t rule)
{
    const struct up_role *r = u->sources.first;
    while (r && (r->rule != rule || r->e->status != FL_ALERT_FIRING))
        r = r->next;
    return r;
}

static void began(struct fl_corr *c, struct up_role *r)
{
    if (!r->u->firing[r->rule]++)
        mark(c, r->u, r->rule);
}

/* Called when r has stopped to fire, or is about to leave while it does. */
static void stopped(struct fl_corr *c, struct up_role *r)
{
    r->u->firing[r->rule]--;
    const struct up_role *first = named(r->u, r->rule);
    if (!first || first->n >= r->n) /* it was the one that is named */
        mark(c, r->u, r->rule);
}

static void add_role(struct fl_corr *c, struct episode *e, size_t rule, bool source)
{
    struct up_node *u = node_at(c, e->node);
    if (!u) {
        u = fl_core_alloc(1, sizeof *u);
        u->v = e->node;
        HASH_ADD(hh, c->up, v, sizeof u->v, u);
    }
    struct hold *h = hold_of(e);
    struct up_role *r = fl_core_alloc(1, sizeof *r);
    struct up_side *side = source ? &u->sources : &u->targets;
    *r = (struct up_role){
        .e = e, .u = u, .n = ++u->serial, .rule = rule, .source = source, .prev = side->last, .other = h->up};
    h->up = r;
    if (side->last)
        side->last->next = r;
    else
        side->first = r;
    side->last = r;
    u->n++;
    if (source && e->status == FL_ALERT_FIRING)
        began(c, r);
}

void upstream_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e)
{
    for (size_t k = e->node >= 0 ? 0 : rules->n_graph_inhibitions; k < rules->n_graph_inhibitions; k++) {
        const struct fl_graph_inhibition_rule *r = &rules->graph_inhibitions[k];
        if (fl_match_all(r->target, r->n_target, &e->alert->labels))
            add_role(c, e, k, false);
        if (fl_match_all(r->upstream, r->n_upstream, &e->alert->labels))
            add_role(c, e, k, true);
    }
}

void upstream_changed(struct fl_corr *c, struct episode *e, fl_alert_status before)
{
    bool was = before == FL_ALERT_FIRING, is = e->status == FL_ALERT_FIRING;
    for (struct up_role *r = was == is || !e->hold ? NULL : e->hold->up; r; r = r->other)
        if (r->source && is)
            began(c, r);
        else if (r->source)
            stopped(c, r);
}

static void drop_node(struct fl_corr *c, struct up_node *u)
{
    HASH_DEL(c->up, u);
    free(u);
}

void upstream_leave(struct fl_corr *c, struct episode *e)
{
    while (e->hold && e->hold->up) {
        struct up_role *r = e->hold->up;
        struct up_node *u = r->u;
        struct up_side *side = r->source ? &u->sources : &u->targets;
        e->hold->up = r->other;
        if (r->source && e->status == FL_ALERT_FIRING)
            stopped(c, r);
        if (r->prev)
            r->prev->next = r->next;
        else
            side->first = r->next;
        if (r->next)
            r->next->prev = r->prev;
        else
            side->last = r->prev;
        free(r);
        if (!--u->n && !u->dirty)
            drop_node(c, u);
    }
}

/* ---- dependants ---- */

struct reach {
    struct fl_corr *c;
    uint32_t rule;
};

static bool queue_targets(void *ctx, fl_vertex v, unsigned hops)
{
    const struct reach *q = ctx;
    const struct up_node *u = hops ? node_at(q->c, v) : NULL;
    for (const struct up_role *r = u ? u->targets.first : NULL; r; r = r->next)
        if (r->rule == q->rule)
            settle_later(q->c, r->e);
    return false;
}

void upstream_tick(struct fl_corr *c, const struct fl_rules *rules, struct fl_topo *topo)
{
    while (c->up_first) {
        struct up_node *u = c->up_first;
        c->up_first = u->dirty_next;
        if (!c->up_first)
            c->up_last = NULL;
        for (uint32_t k = 0; k < rules->n_graph_inhibitions; k++) {
            const struct fl_graph_inhibition_rule *r = &rules->graph_inhibitions[k];
            struct reach q = {c, k};
            struct fl_err err = {0};
            /* A graph error costs the dependants their inhibition, never an alert. */
            if ((u->dirty & UINT32_C(1) << k) && (size_t)u->v < fl_topo_n_nodes(topo) &&
                fl_topo_walk(topo, u->v, FL_DIR_NEEDED_BY, r->distance, r->edge_types, r->n_edge_types,
                             queue_targets, &q, &err) != FL_OK)
                continue;
        }
        u->dirty = 0;
        if (!u->n)
            drop_node(c, u);
    }
}

void upstream_not(struct fl_corr *c)
{
    while (c->up_first) {
        struct up_node *u = c->up_first;
        c->up_first = u->dirty_next;
        u->dirty = 0;
        if (!u->n)
            drop_node(c, u);
    }
    c->up_last = NULL;
}

void upstream_forget_graph(struct fl_corr *c)
{
    upstream_not(c);
    for (size_t k = 0; k < FL_ARRAY_LEN(c->cycles); k++) {
        free(c->cycles[k]);
        c->cycles[k] = NULL;
    }
}

void upstream_topology(struct fl_corr *c, const struct fl_rules *rules)
{
    for (struct episode *e = order_first(c); e; e = order_later(e))
        upstream_leave(c, e);
    upstream_forget_graph(c);
    for (struct episode *e = rules->n_graph_inhibitions ? order_first(c) : NULL; e; e = order_later(e)) {
        if (!is_live(e))
            continue;
        upstream_enter(c, rules, e);
        if (e->hold)
            settle_later(c, e);
    }
}

/* ---- one alert ---- */

struct look {
    struct fl_corr *c;
    const struct episode *e;
    uint32_t rule;
    const fl_vertex *cycle;
    const struct up_role *found;
    unsigned hops;
    bool needs; /* something, whether it alerts or not */
};

static bool look(void *ctx, fl_vertex v, unsigned hops)
{
    struct look *q = ctx;
    if (!hops || q->cycle[v] == q->cycle[q->e->node])
        return false;
    q->needs = true;
    const struct up_node *u = node_at(q->c, v);
    if (!u || !u->firing[q->rule])
        return false;
    q->found = named(u, q->rule);
    q->hops = hops;
    return q->found != NULL;
}

static bool look_up(struct look *q, struct fl_step *s, struct fl_topo *topo, size_t rule)
{
    const struct fl_graph_inhibition_rule *r = &s->rules->graph_inhibitions[rule];
    struct fl_err err = {0};
    if (!q->c->cycles[rule])
        q->c->cycles[rule] = cycles_of(topo, r->edge_types, r->n_edge_types);
    q->rule = (uint32_t)rule;
    q->cycle = q->c->cycles[rule];
    q->found = NULL;
    q->needs = false;
    return fl_topo_walk(topo, q->e->node, FL_DIR_NEEDS, r->distance, r->edge_types, r->n_edge_types, look, q,
                        &err) == FL_OK;
}

/* front > cart > db, when the fewest hops are those that were walked. */
static const char *path_text(struct fl_step *s, struct fl_topo *topo, fl_vertex from, fl_vertex to,
                             unsigned hops)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_BUF b = fl_buf_init(2000);
    fl_vertex *path;
    size_t n = 0;
    struct fl_err err = {0};
    if (hops < 2 || fl_topo_path(topo, a, from, to, FL_DIR_NEEDS, &path, &n, &err) != FL_OK || n != hops + 1)
        return "";
    for (size_t k = 0; k < n; k++)
        fl_buf_printf(&b, "%s%.200s", k ? " > " : " (", fl_topo_node(topo, path[k])->id);
    fl_buf_chr(&b, ')');
    return b.failed ? "" : fl_fx_str(s->fx, b.p);
}

const char *upstream_inhibits(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo,
                              const struct episode *e, uint64_t *ret_by, const char **ret_name)
{
    struct look best = {.rule = UINT32_MAX}, q = {.c = c, .e = e};
    for (const struct up_role *r = e->hold ? e->hold->up : NULL; r; r = r->other)
        if (!r->source && r->rule < best.rule && look_up(&q, s, topo, r->rule) && q.found)
            best = q;
    if (!best.found)
        return NULL;
    const struct episode *by = best.found->e;
    *ret_by = by->key.fingerprint;
    e->hold->waited = false; /* when it clears, its dependants get as long again to clear, too */
    char since[FL_TIME_LEN], hex[17];
    const char *rule = s->rules->graph_inhibitions[best.rule].name;
    *ret_name = fl_fx_printf(s->fx, "graph inhibition %.100s", rule);
    return fl_fx_printf(
        s->fx,
        "inhibited: %.300s, %u hop%s below%s, fires %.200s since %s (%s; rule \"%.100s\"), until that is over",
        by->node_id, best.hops, best.hops == 1 ? "" : "s",
        path_text(s, topo, e->node, best.found->u->v, best.hops), alert_name(by),
        fl_time_format_ms(by->key.starts_at, since), fl_fingerprint_hex(*ret_by, hex), rule);
}

const char *upstream_holds(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                           fl_usec *ret_until, const char **ret_name)
{
    struct hold *h = e->hold;
    const struct fl_graph_inhibition_rule *longest = NULL;
    struct look q = {.c = c, .e = e};
    bool waits = h && h->kind == HOLD_UPSTREAM;
    for (const struct up_role *r = h && !h->waited ? h->up : NULL; r; r = r->other) {
        const struct fl_graph_inhibition_rule *rule = &s->rules->graph_inhibitions[r->rule];
        if (!r->source && (!longest || rule->hold_down > longest->hold_down) &&
            look_up(&q, s, topo, r->rule) && q.needs)
            longest = rule;
    }
    if (!longest || (waits && h->until <= s->at)) {
        if (h)
            h->waited = true;
        return NULL;
    }
    char t[FL_TIME_LEN];
    *ret_until = waits ? h->until : s->at + longest->hold_down;
    *ret_name = fl_fx_printf(s->fx, "hold-down of %.100s", longest->name);
    return fl_fx_printf(s->fx, "held by graph rule \"%.100s\" until %s: what %.300s needs may alert, too",
                        longest->name, fl_time_format_ms(*ret_until, t), e->node_id);
}
