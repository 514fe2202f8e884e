/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/remap.c -- another graph: alerts are mapped again, and are found elsewhere. */
#include "correlate_priv.h"

#include <stdlib.h>

static void map_held(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo)
{
    for (struct episode *e = c->held ? order_first(c) : NULL; e; e = order_later(e)) {
        if (e->incident || !is_live(e))
            continue;
        FL_AUTO_FREE char *before = fl_core_strdup(e->node_id);
        episode_map(c, e, s->rules, topo);
        if (!fl_streq(before, e->node_id))
            episode_row(c, s, e);
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
            char *before = fl_core_strdup(e->node_id);
            struct incident *in = e->incident;
            struct part *p;
            if (before) {
                HASH_FIND_STR(in->parts, before, p);
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
            if (!fl_streq(before, e->node_id)) {
                episode_row(c, s, e);
                incident_dirty(c, in);
            }
            free(before);
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
