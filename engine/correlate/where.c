/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/where.c -- which incident is found at a vertex of the graph, and which services alert: kept as things change, so
 * that neither a merge nor a ranking has to visit the graph or what is open. */
#include "correlate_priv.h"

static bool on_graph(const struct fl_corr *c, fl_vertex v)
{
    return v >= 0 && (size_t)v < c->n_vertices;
}

struct incident *vertex_incident(const struct fl_corr *c, fl_vertex v)
{
    return on_graph(c, v) ? c->at[v].i : NULL;
}

static void unlink_vertex(struct fl_corr *c, fl_vertex v)
{
    struct at *a = &c->at[v];
    if (!a->i)
        return;
    if (a->prev >= 0)
        c->at[a->prev].next = a->next;
    else
        a->i->first_at = a->next;
    if (a->next >= 0)
        c->at[a->next].prev = a->prev;
    a->i = NULL;
}

void vertex_set(struct fl_corr *c, fl_vertex v, struct incident *i)
{
    if (!on_graph(c, v) || c->at[v].i == i)
        return;
    unlink_vertex(c, v);
    if (!i)
        return;
    c->at[v] = (struct at){i, -1, i->first_at};
    if (i->first_at >= 0)
        c->at[i->first_at].prev = v;
    i->first_at = v;
}

void vertices_move(struct fl_corr *c, struct incident *from, struct incident *to)
{
    while (from->first_at >= 0)
        vertex_set(c, from->first_at, to);
}

void vertices_reset(struct fl_corr *c, size_t n)
{
    for (struct incident *i = c->first; i; i = i->next)
        i->first_at = -1;
    free(c->at);
    c->at = fl_core_alloc(n, sizeof *c->at);
    c->n_vertices = n;
}

/* ---- services that alert ---- */

/* What the part counts for now, against what it counted for. */
static void weigh(struct fl_corr *c, const struct incident *i, struct part *p)
{
    fl_vertex v = is_active(i) && p->firing && c->topo && on_graph(c, p->vertex)
                      ? fl_topo_service_of(c->topo, p->vertex)
                      : -1;
    if (v == p->service)
        return;
    if (p->service >= 0 && --c->service_parts[p->service] == 0)
        c->services_alerting--;
    if (v >= 0 && c->service_parts[v]++ == 0)
        c->services_alerting++;
    p->service = v;
}

void part_count(struct fl_corr *c, const struct incident *i, struct part *p, int by)
{
    p->firing += (size_t)(ptrdiff_t)by;
    weigh(c, i, p);
}

void services_weigh(struct fl_corr *c, struct incident *i)
{
    for (struct part *p = i->parts; p; p = p->hh.next)
        weigh(c, i, p);
}

void services_reset(struct fl_corr *c)
{
    free(c->service_parts);
    c->service_parts = fl_core_alloc(c->n_vertices, sizeof *c->service_parts);
    c->services_alerting = 0;
    for (struct incident *i = c->first; i; i = i->next)
        for (struct part *p = i->parts; p; p = p->hh.next) {
            p->service = -1;
            weigh(c, i, p);
        }
}

size_t fl_corr_alerting_services(const struct fl_corr *c)
{
    return c->services_alerting;
}
