/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/gate.c -- groups of alerts that come in together: thresholds ("only after N") and grouping windows
 * ("wait for the others"). A gate follows from the episodes, their holds and the rules, so that a restored state has
 * the same ones. */
#include "correlate_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct gate {
    char *key; /* owned */
    bool threshold;
    size_t rule;
    size_t live, through; /* threshold: alerts of the group that are not over; of them those it let through */
    struct episode *first, *last; /* held here, in the order in which that began */
    fl_usec until;                /* grouping: when they are let through */
    struct incident *into; /* grouping: what the first one joined, during the step that lets them through */
    UT_hash_handle hh;
};

enum { LOOK_MAX = 4096 }; /* held alerts that one new one is counted with: the newest */

/* ---- finding ---- */

static char *key_of(char kind, size_t rule, const char *const *labels, size_t n, const struct episode *e,
                    size_t *ret_n)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(&b, "%c%zu", kind, rule);
    for (size_t k = 0; k < n; k++) {
        const char *v = fl_label_get(&e->alert->labels, labels[k]);
        fl_buf_printf(&b, "\x1e%zu:", strlen(v));
        fl_buf_str(&b, v);
    }
    FL_REQUIRE(!b.failed);
    *ret_n = b.n;
    return fl_buf_take(&b, NULL);
}

/* Takes the key. */
static struct gate *gate_of(struct fl_corr *c, char *key, size_t n, bool threshold, size_t rule, bool make)
{
    struct gate *g;
    HASH_FIND(hh, c->gates, key, n, g);
    if (g || !make) {
        free(key);
        return g;
    }
    g = fl_core_alloc(1, sizeof *g);
    *g = (struct gate){.key = key, .threshold = threshold, .rule = rule};
    HASH_ADD_KEYPTR(hh, c->gates, g->key, n, g);
    return g;
}

static void drop_if_empty(struct fl_corr *c, struct gate *g)
{
    if (g->live || g->first)
        return;
    HASH_DEL(c->gates, g);
    free(g->key);
    free(g);
}

static const struct fl_grouping_rule *grouping_of(const struct fl_rules *rules, const struct episode *e,
                                                  size_t *ret)
{
    for (size_t k = 0; k < rules->n_groupings; k++) {
        const struct fl_grouping_rule *r = &rules->groupings[k];
        if (fl_match_all(r->match, r->n_match, &e->alert->labels)) {
            *ret = k;
            return r;
        }
    }
    return NULL;
}

static struct gate *grouping_gate(struct fl_corr *c, const struct fl_rules *rules, const struct episode *e,
                                  bool make)
{
    size_t rule, n;
    const struct fl_grouping_rule *r = grouping_of(rules, e, &rule);
    if (!r)
        return NULL;
    char *key = key_of('g', rule, r->group_by, r->n_group_by, e, &n);
    return gate_of(c, key, n, false, rule, make);
}

/* cluster=eu, job=api: what a group has in common, in words. */
static const char *words(struct fl_step *s, const char *const *labels, size_t n, const struct episode *e)
{
    FL_AUTO_BUF b = fl_buf_init(600);
    for (size_t k = 0; k < n; k++) {
        const char *v = fl_label_get(&e->alert->labels, labels[k]);
        if (*v)
            fl_buf_printf(&b, "%s%s=%.100s", b.n ? ", " : "", labels[k], v);
    }
    return b.n && b.p ? fl_fx_printf(s->fx, " of (%s)", b.p) : "";
}

/* ---- who is in ---- */

void gate_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e)
{
    for (size_t k = 0; k < rules->n_thresholds; k++) {
        const struct fl_threshold_rule *r = &rules->thresholds[k];
        if (!fl_match_all(r->match, r->n_match, &e->alert->labels))
            continue;
        size_t n;
        char *key = key_of('t', k, r->group_by, r->n_group_by, e, &n);
        struct hold *h = hold_of(e);
        h->threshold = gate_of(c, key, n, true, k, true);
        h->threshold->live++;
        h->through = h->through || e->incident;
        h->threshold->through += h->through;
        return;
    }
}

void gate_leave(struct fl_corr *c, struct episode *e)
{
    struct gate *g = e->hold ? e->hold->threshold : NULL;
    gate_unlist(c, e);
    if (!g)
        return;
    e->hold->threshold = NULL;
    g->live--;
    g->through -= e->hold->through;
    drop_if_empty(c, g);
}

void gate_passed(struct episode *e)
{
    struct hold *h = e->hold;
    if (!h || !h->threshold || h->through)
        return;
    h->through = true;
    h->threshold->through++;
}

void gate_list(struct fl_corr *c, const struct fl_rules *rules, struct episode *e)
{
    struct hold *h = e->hold;
    struct gate *g = h->kind == HOLD_THRESHOLD ? h->threshold
                     : h->kind == HOLD_GROUP   ? grouping_gate(c, rules, e, true)
                                               : NULL;
    if (!g)
        return; /* no rule is about it any more: its next look lets it go */
    if (h->kind == HOLD_GROUP && !g->first)
        g->until = h->until;
    h->in = g;
    h->next = NULL;
    h->prev = g->last;
    if (g->last)
        g->last->hold->next = e;
    else
        g->first = e;
    g->last = e;
}

void gate_unlist(struct fl_corr *c, struct episode *e)
{
    struct hold *h = e->hold;
    struct gate *g = h ? h->in : NULL;
    if (!g)
        return;
    if (h->prev)
        h->prev->hold->next = h->next;
    else
        g->first = h->next;
    if (h->next)
        h->next->hold->prev = h->prev;
    else
        g->last = h->prev;
    h->in = NULL;
    h->next = h->prev = NULL;
    drop_if_empty(c, g);
}

/* ---- thresholds ---- */

struct tally {
    const struct fl_threshold_rule *rule;
    const char *seen[FL_THRESHOLD_COUNT_MAX];
    unsigned n;
};

static void tally(struct tally *t, const struct episode *e)
{
    if (e->status != FL_ALERT_FIRING || t->n >= t->rule->count)
        return;
    if (t->rule->distinct) {
        const char *v = fl_label_get(&e->alert->labels, t->rule->distinct);
        for (unsigned k = 0; k < t->n; k++)
            if (strcmp(t->seen[k], v) == 0)
                return;
        t->seen[t->n] = v;
    }
    t->n++;
}

const char *threshold_holds(struct fl_corr *c, struct fl_step *s, const struct episode *e,
                            const char **ret_name)
{
    struct gate *g = e->hold ? e->hold->threshold : NULL;
    if (!g || g->through)
        return NULL;
    const struct fl_threshold_rule *r = &s->rules->thresholds[g->rule];
    struct tally t = {.rule = r};
    if (e->hold->kind != HOLD_THRESHOLD || e->hold->since > s->at - r->within)
        tally(&t, e); /* not one that comes back after a long silence */
    size_t looked = 0;
    for (const struct episode *x = g->last; x && looked < LOOK_MAX; x = x->hold->prev, looked++) {
        if (x->hold->since <= s->at - r->within)
            break;
        if (x != e)
            tally(&t, x);
    }
    if (t.n >= r->count) {
        for (struct episode *x = g->first; x; x = x->hold->next)
            settle_later(c, x);
        return NULL;
    }
    char within[24];
    const char *group = words(s, r->group_by, r->n_group_by, e);
    fl_format_duration(r->within, within);
    *ret_name = fl_fx_printf(s->fx, "threshold %.100s", r->name);
    if (r->distinct)
        return fl_fx_printf(
            s->fx,
            "held by threshold \"%.100s\": it takes %u values of %.100s%s within %s, this was number %u",
            r->name, r->count, r->distinct, group, within, t.n);
    return fl_fx_printf(s->fx,
                        "held by threshold \"%.100s\": it takes %u alerts%s within %s, this was number %u",
                        r->name, r->count, group, within, t.n);
}

/* ---- grouping windows ---- */

const char *grouping_holds(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                           fl_usec *ret_until, const char **ret_name)
{
    const struct hold *h = e->hold;
    size_t rule;
    const struct fl_grouping_rule *r = grouping_of(s->rules, e, &rule);
    bool waits = h && h->kind == HOLD_GROUP;
    if (!r || (waits && h->until <= s->at) || (!waits && join_finds(c, s, topo, e)))
        return NULL;
    const struct gate *g = grouping_gate(c, s->rules, e, false);
    *ret_until = waits ? h->until : g ? g->until : s->at + r->wait;
    /* The others are let through later in this very step: it goes with them. */
    if (*ret_until <= s->at)
        settle_later(c, e);
    char t[FL_TIME_LEN];
    *ret_name = fl_fx_printf(s->fx, "grouping %.100s", r->name);
    return fl_fx_printf(s->fx, "held by grouping \"%.100s\" until %s: the first alerts%s wait for each other",
                        r->name, fl_time_format_ms(*ret_until, t), words(s, r->group_by, r->n_group_by, e));
}

void gate_join(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    struct gate *g = e->hold && e->hold->kind == HOLD_GROUP ? e->hold->in : NULL;
    if (g && g->into && is_active(g->into)) {
        const struct fl_grouping_rule *r = &s->rules->groupings[g->rule];
        join_into(c, s, g->into, e,
                  fl_fx_printf(s->fx, "it came together with the first alerts%s (grouping \"%.100s\")",
                               words(s, r->group_by, r->n_group_by, e), r->name));
    } else {
        join_episode(c, s, topo, e);
    }
    if (g)
        g->into = e->incident;
}
