/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/due.c -- which incidents a step looks at: those that changed in it and those whose time has come, in order of
 * number. What is merely open costs a step nothing: its deadline waits in a heap. An incident is in one of the two, so that a
 * key in the heap is never out of date. */
#include "correlate_priv.h"

static bool sooner(const void *a, const void *b)
{
    const struct incident *x = a, *y = b;
    return x->due != y->due ? x->due < y->due : x->pub.number < y->pub.number;
}

static size_t *place_by_due(void *item)
{
    return &((struct incident *)item)->due_at;
}

const struct fl_heap_kind incidents_by_due = {sooner, place_by_due};

/* ---- changed ---- */

void incident_changed(struct fl_corr *c, struct incident *i)
{
    if (i->changed)
        return;
    if (c->changed.n == c->changed.cap) {
        size_t cap = c->changed.cap ? c->changed.cap * 2 : 64;
        struct incident **v = reallocarray(c->changed.v, cap, sizeof(struct incident *));
        FL_REQUIRE(v != NULL);
        c->changed.v = v;
        c->changed.cap = cap;
    }
    fl_heap_drop(&c->due, i);
    i->changed = true;
    size_t n = c->changed.n++;
    c->changed.v[n] = i;
    c->changed.unsorted |= n && c->changed.v[n - 1]->pub.number > i->pub.number;
}

static int by_number(const void *a, const void *b)
{
    const struct incident *const *x = a, *const *y = b;
    return ((*x)->pub.number > (*y)->pub.number) - ((*x)->pub.number < (*y)->pub.number);
}

void changed_sort(struct fl_corr *c)
{
    if (c->changed.unsorted)
        qsort(c->changed.v, c->changed.n, sizeof(struct incident *), by_number);
    c->changed.unsorted = false;
}

void fl_corr_each_changed(struct fl_corr *c, bool (*visit)(void *ctx, struct fl_incident *i), void *ctx)
{
    changed_sort(c);
    for (size_t k = 0, n = c->changed.n; k < n; k++)
        if (visit(ctx, &c->changed.v[k]->pub))
            return;
}

/* ---- deadlines ---- */

static fl_usec least(fl_usec a, fl_usec b)
{
    return !a || (b && b < a) ? b : a;
}

fl_usec state_deadline(const struct incident *i, const struct fl_rules *rules)
{
    if (i->pub.state == FL_INC_OPEN)
        return i->pub.last_alert_at + rules->correlation.quiet_after;
    if (i->pub.state == FL_INC_RECOVERING)
        return i->pub.recovering_at + rules->correlation.resolve_after;
    return 0;
}

fl_usec incident_deadline(const struct incident *i, const struct fl_rules *rules)
{
    return least(state_deadline(i, rules), i->pub.rank_due);
}

static void schedule(struct fl_corr *c, struct incident *i, const struct fl_rules *rules)
{
    i->due = incident_deadline(i, rules);
    if (i->due)
        fl_heap_put(&c->due, i);
}

void due_rules(struct fl_corr *c)
{
    for (struct incident *i = c->first; i; i = i->next)
        if (is_active(i))
            incident_changed(c, i);
}

void due_restored(struct fl_corr *c, const struct fl_rules *rules)
{
    c->open = c->firing = c->stale = 0;
    for (struct incident *i = c->first; i; i = i->next) {
        schedule(c, i, rules);
        if (is_active(i)) {
            c->open++;
            c->firing += i->pub.alerts_firing;
            c->stale += i->pub.alerts_stale;
        } else {
            incident_over(c, i);
            if (!i->pub.closed_out) /* a snapshot of before that was known */
                incident_changed(c, i);
        }
    }
}

void due_on_time(struct fl_corr *c, fl_usec at)
{
    for (struct incident *i; (i = fl_heap_first(&c->due)) && i->due <= at;)
        incident_changed(c, i);
}

void due_settled(struct fl_corr *c, const struct fl_rules *rules)
{
    for (size_t k = 0; k < c->changed.n; k++) {
        schedule(c, c->changed.v[k], rules);
        c->changed.v[k]->changed = false;
    }
    c->changed.n = 0;
    c->changed.unsorted = false;
}

fl_usec fl_corr_deadline(const struct fl_corr *c, const struct fl_rules *rules)
{
    const struct incident *first = fl_heap_first(&c->due);
    fl_usec due = least(suppress_due(c), first ? first->due : 0);
    for (size_t k = 0; k < c->changed.n; k++)
        due = least(due, incident_deadline(c->changed.v[k], rules));
    return due;
}
