/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/remap.c -- another graph: alerts are mapped again, and are found elsewhere. */
#include "correlate_priv.h"

#include <stdlib.h>

/* What its row says of the mapping. Texts are the pool's, which may give the same place to another text: compared, not held. */
struct place {
    char *node_id, *map_rule; /* owned */
    fl_severity severity;
    fl_evidence_class cls;
};

static struct place place_of(const struct episode *e)
{
    return (struct place){fl_core_strdup(e->node_id), fl_core_strdup(e->map_rule), e->severity, e->cls};
}

static void place_done(struct place *p)
{
    free(p->node_id);
    free(p->map_rule);
}

/* Its end writes only its state, so a row that would be old is written here. What is over keeps the grade it ended with. */
static bool is_row_old(const struct place *before, const struct episode *e)
{
    if (!fl_streq(before->node_id, e->node_id))
        return true;
    return is_live(e) && (!fl_streq(before->map_rule, e->map_rule) || before->severity != e->severity ||
                          before->cls != e->cls);
}

static void map_held(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo)
{
    for (struct episode *e = c->held ? order_first(c) : NULL; e; e = order_later(e)) {
        if (e->incident || !is_live(e))
            continue;
        struct place before = place_of(e);
        episode_map(c, e, s->rules, topo);
        if (is_row_old(&before, e))
            episode_row(c, s, e);
        place_done(&before);
    }
}

void fl_corr_topology(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo)
{
    c->topo = topo;
    vertices_reset(c, topo ? fl_topo_n_nodes(topo) : 0);
    quiet_rules(c, s->rules);
    map_held(c, s, topo);
    for (struct incident *i = c->first; i; i = i->next)
        for (struct episode *e = i->head; e; e = e->next) {
            struct place before = place_of(e);
            struct incident *in = e->incident;
            struct part *p;
            if (before.node_id) {
                HASH_FIND_STR(in->parts, before.node_id, p);
                p->firing -= is_live(e);
                p->total--;
            }
            episode_map(c, e, s->rules, topo);
            if (e->node_id) {
                p = incident_part(in, e->node_id, e->node);
                p->firing += is_live(e);
                p->total++;
                in->pub.mapped = true;
                if (is_active(in))
                    vertex_set(c, e->node, in);
            }
            if (is_row_old(&before, e))
                episode_row(c, s, e);
            if (!fl_streq(before.node_id, e->node_id))
                incident_dirty(c, in);
            place_done(&before);
        }
    for (struct incident *i = c->first; i; i = i->next) {
        struct part *p, *tmp;
        HASH_ITER (hh, i->parts, p, tmp) {
            if (!p->total) {
                HASH_DEL(i->parts, p);
                i->pub.components--;
                free(p->id);
                free(p);
            }
        }
    }
    services_reset(c);
    upstream_topology(c, s->rules);
    windows_topology(c);
}
