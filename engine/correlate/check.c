/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/check.c -- for tests: what the stage keeps as it goes, found out again by visiting everything. */
#include "correlate_priv.h"

struct recount {
    size_t open, over, firing, stale, due, found_at;
    fl_usec deadline;
};

static bool in_heap(const struct fl_heap *h, const void *item, size_t place)
{
    return place && place <= h->n && h->v[place - 1] == item;
}

static bool in_order(const struct fl_heap *h)
{
    for (size_t k = 1; k < h->n; k++)
        if (!h->kind->before(h->v[(k - 1) / 2], h->v[k]))
            return false;
    return true;
}

static const char *check_incident(const struct fl_corr *c, const struct incident *i,
                                  const struct fl_rules *rules, fl_usec at, struct recount *r)
{
    fl_usec due = incident_deadline(i, rules);
    bool active = is_active(i), live = i->pub.alerts_firing || i->pub.alerts_stale;
    r->open += active;
    r->over += !active && !live;
    r->firing += active ? i->pub.alerts_firing : 0;
    r->stale += active ? i->pub.alerts_stale : 0;
    r->due += due != 0;
    if (due && (!r->deadline || due < r->deadline))
        r->deadline = due;
    if (i->changed || i->dirty || i->joined_now || i->quiet_now || i->over_now)
        return "it changed, and no step looked at it";
    if (due && due <= at)
        return "its time has come, and no step looked at it";
    if (i->due != due || in_heap(&c->due, i, i->due_at) != (due != 0))
        return "its deadline is another one than the heap has";
    if (in_heap(&c->over, i, i->over_at) != (!active && !live))
        return "it is over and not among those that may leave, or the other way round";
    size_t n = 0, firing = 0, stale = 0;
    for (const struct episode *e = i->head; e; e = e->next, n++) {
        firing += e->status == FL_ALERT_FIRING;
        stale += e->status == FL_ALERT_STALE;
    }
    if (n != i->pub.alerts_total || firing != i->pub.alerts_firing || stale != i->pub.alerts_stale)
        return "its alerts were miscounted";
    for (fl_vertex v = i->first_at; v >= 0; v = c->at[v].next, r->found_at++)
        if (c->at[v].i != i)
            return "a vertex in its list leads elsewhere";
    return NULL;
}

static const char *check_services(const struct fl_corr *c)
{
    size_t found = 0;
    const char *wrong = NULL;
    uint32_t *parts = fl_core_alloc(c->n_vertices, sizeof *parts);
    for (const struct incident *i = c->first; i; i = i->next)
        for (const struct part *p = is_active(i) ? i->parts : NULL; p; p = p->hh.next) {
            fl_vertex v = p->firing && c->topo ? fl_topo_service_of(c->topo, p->vertex) : -1;
            if (v >= 0)
                found += parts[v]++ == 0;
        }
    for (size_t v = 0; v < c->n_vertices; v++)
        if (parts[v] != c->service_parts[v])
            wrong = "a service's alerting components were miscounted";
    free(parts);
    return wrong ? wrong : found != c->services_alerting ? "alerting services were miscounted" : NULL;
}

fl_status fl_corr_check(const struct fl_corr *c, const struct fl_rules *rules, fl_usec at, struct fl_err *err)
{
    struct recount r = {0};
    const char *wrong = NULL;
    for (const struct incident *i = c->first; i; i = i->next) {
        if (i->prev && i->prev->pub.number >= i->pub.number)
            wrong = "it is out of order";
        if (!wrong)
            wrong = check_incident(c, i, rules, at, &r);
        if (wrong)
            return fl_fail(err, FL_E_INTERNAL, i->pub.id, "%s", wrong);
    }
    size_t at_vertices = 0;
    for (size_t v = 0; v < c->n_vertices; v++)
        at_vertices += c->at[v].i != NULL;
    fl_usec quiet = suppress_due(c), due = quiet && (!r.deadline || quiet < r.deadline) ? quiet : r.deadline;
    wrong = c->changed.n                        ? "something is left of the last step"
            : r.open != c->open                 ? "open incidents were miscounted"
            : r.firing != c->firing             ? "firing alerts were miscounted"
            : r.stale != c->stale               ? "stale alerts were miscounted"
            : r.due != c->due.n                 ? "the heap holds others than those that have a deadline"
            : r.over != c->over.n               ? "the heap holds others than those that are over"
            : r.found_at != at_vertices         ? "a vertex is in no incident's list"
            : due != fl_corr_deadline(c, rules) ? "the next deadline is another one"
            : !in_order(&c->due)                ? "the heap of deadlines is out of order"
            : !in_order(&c->over)               ? "the heap of those that are over is out of order"
            : !in_order(&c->flaps_due)          ? "the heap of what flaps is out of order"
            : !in_order(&c->timers)             ? "the heap of holds is out of order"
                                                : check_services(c);
    return wrong ? fl_fail(err, FL_E_INTERNAL, "incidents", "%s", wrong) : FL_OK;
}
