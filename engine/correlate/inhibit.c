/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/inhibit.c -- label inhibition as Alertmanager's: an index of who inhibits and who may be inhibited,
 * by rule and the values of its `equal` labels. It follows from the episodes and the rules alone, so that a restored
 * state has the same one; orders are those of the episodes. */
#include "correlate_priv.h"

#include <stdlib.h>
#include <string.h>

/* One alert on one side of one rule. */
struct inhibit_role {
    struct episode *e;
    struct inhibit_group *g;
    bool source, both;                /* both: the alert is on the other side of the rule, too */
    struct inhibit_role *prev, *next; /* of the same side of the group */
    struct inhibit_role *other;       /* next one of the episode */
};
struct side {
    struct inhibit_role *first, *last;
    size_t n;
};
struct inhibit_group {
    char *key; /* owned */
    size_t rule;
    struct side sources, targets;
    size_t firing, firing_pure; /* of the sources; pure: not a target as well */
    UT_hash_handle hh;
};

static struct inhibit_group *group_of(struct fl_corr *c, const struct fl_rules *rules, size_t rule,
                                      const struct episode *e)
{
    const struct fl_inhibition_rule *r = &rules->inhibitions[rule];
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(&b, "%zu", rule);
    for (size_t k = 0; k < r->n_equal; k++) {
        const char *v = fl_label_get(&e->alert->labels, r->equal[k]);
        fl_buf_printf(&b, "\x1e%zu:", strlen(v));
        fl_buf_str(&b, v);
    }
    FL_REQUIRE(!b.failed);
    struct inhibit_group *g;
    HASH_FIND(hh, c->inhibit, b.p, b.n, g);
    if (!g) {
        g = fl_core_alloc(1, sizeof *g);
        g->rule = rule;
        size_t n = b.n;
        g->key = fl_buf_take(&b, NULL);
        HASH_ADD_KEYPTR(hh, c->inhibit, g->key, n, g);
    }
    return g;
}

static void count(struct inhibit_role *r, bool firing)
{
    size_t by = firing ? 1 : (size_t)-1;
    r->g->firing += by;
    if (!r->both)
        r->g->firing_pure += by;
}

static void add_role(struct episode *e, struct inhibit_group *g, bool source, bool both)
{
    struct inhibit_role *r = fl_core_alloc(1, sizeof *r);
    *r = (struct inhibit_role){.e = e, .g = g, .source = source, .both = both, .other = e->roles};
    e->roles = r;
    struct side *side = source ? &g->sources : &g->targets;
    r->prev = side->last;
    if (side->last)
        side->last->next = r;
    else
        side->first = r;
    side->last = r;
    side->n++;
}

/* The targets whose state may differ after a source began or stopped to fire. Who is inhibited follows from whether there
 * is one; which one is named is kept right only while that is cheap. */
static void look_at_targets(struct fl_corr *c, const struct inhibit_group *g, bool all, uint64_t named)
{
    if (!all && g->targets.n > RENAME_MAX)
        return;
    for (struct inhibit_role *t = g->targets.first; t; t = t->next)
        if (all || t->e->inhibited_by == named)
            settle_later(c, t->e);
}

static void source_began(struct fl_corr *c, struct inhibit_role *r)
{
    bool first = !r->g->firing || (!r->both && !r->g->firing_pure);
    count(r, true);
    if (first)
        look_at_targets(c, r->g, true, 0);
}

static void source_stopped(struct fl_corr *c, struct inhibit_role *r)
{
    count(r, false);
    look_at_targets(c, r->g, !r->g->firing || (!r->both && !r->g->firing_pure), r->e->key.fingerprint);
}

void inhibit_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e)
{
    for (size_t k = 0; k < rules->n_inhibitions; k++) {
        const struct fl_inhibition_rule *r = &rules->inhibitions[k];
        bool source = fl_match_all(r->source, r->n_source, &e->alert->labels);
        bool target = fl_match_all(r->target, r->n_target, &e->alert->labels);
        if (!source && !target)
            continue;
        struct inhibit_group *g = group_of(c, rules, k, e);
        if (target)
            add_role(e, g, false, source);
        if (source) {
            add_role(e, g, true, target);
            if (e->status == FL_ALERT_FIRING)
                source_began(c, e->roles);
        }
    }
}

void inhibit_changed(struct fl_corr *c, struct episode *e, fl_alert_status before)
{
    bool was = before == FL_ALERT_FIRING, is = e->status == FL_ALERT_FIRING;
    for (struct inhibit_role *r = was == is ? NULL : e->roles; r; r = r->other)
        if (r->source && is)
            source_began(c, r);
        else if (r->source)
            source_stopped(c, r);
}

static void drop_role(struct fl_corr *c, struct inhibit_role *r)
{
    struct inhibit_group *g = r->g;
    struct side *side = r->source ? &g->sources : &g->targets;
    if (r->prev)
        r->prev->next = r->next;
    else
        side->first = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        side->last = r->prev;
    side->n--;
    free(r);
    if (!g->sources.n && !g->targets.n) {
        HASH_DEL(c->inhibit, g);
        free(g->key);
        free(g);
    }
}

void inhibit_leave(struct fl_corr *c, struct episode *e)
{
    while (e->roles) {
        struct inhibit_role *r = e->roles;
        e->roles = r->other;
        if (r->source && e->status == FL_ALERT_FIRING)
            source_stopped(c, r);
        drop_role(c, r);
    }
}

bool inhibit_find(struct fl_corr *c, const struct fl_step *s, const struct episode *e,
                  const struct episode **ret_by, const char **ret_rule)
{
    (void)c;
    size_t best = SIZE_MAX;
    for (const struct inhibit_role *t = e->roles; t; t = t->other) {
        const struct inhibit_group *g = t->g;
        if (t->source || g->rule >= best || !(t->both ? g->firing_pure : g->firing))
            continue;
        const struct inhibit_role *r = g->sources.first;
        while (r && (r->e->status != FL_ALERT_FIRING || (t->both && r->both)))
            r = r->next;
        if (!r)
            continue;
        best = g->rule;
        *ret_by = r->e;
        *ret_rule = s->rules->inhibitions[g->rule].name;
    }
    return best != SIZE_MAX;
}

bool inhibit_is_source(const struct fl_rules *rules, const struct fl_labels *l)
{
    for (size_t k = 0; k < rules->n_inhibitions; k++)
        if (fl_match_all(rules->inhibitions[k].source, rules->inhibitions[k].n_source, l))
            return true;
    return false;
}
