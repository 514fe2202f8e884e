/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/operator.c -- what people do to incidents: acknowledge, assign, resolve, merge, split. */
#include "correlate_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fl_status active(struct fl_corr *c, const char *id, struct incident **ret, struct fl_err *err)
{
    struct fl_incident *p = fl_corr_find(c, id);
    if (!p) {
        fl_fail(err, FL_E_NOTFOUND, "incident", "there is no incident \"%.60s\" that is open or recent",
                id ? id : "");
        fl_hint(err, "faultline incident list");
        return FL_E_NOTFOUND;
    }
    if (!is_active((struct incident *)p))
        return fl_fail(err, FL_E_CONFLICT, "incident", "%s is %s", p->id, fl_incident_state_name(p->state));
    *ret = (struct incident *)p;
    return FL_OK;
}

static void say(struct fl_step *s, const struct incident *i, const char *action, const char *text)
{
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = i->pub.id,
                                 .subject = i->pub.id,
                                 .actor = s->actor,
                                 .text = text});
}

fl_status fl_corr_ack(struct fl_corr *c, struct fl_step *s, const char *id, struct fl_err *err)
{
    struct incident *i = NULL;
    fl_status st = active(c, id, &i, err);
    if (st != FL_OK)
        return st;
    if (i->pub.acked_by)
        return fl_fail(err, FL_E_CONFLICT, "incident", "%s is acknowledged already by %s", i->pub.id,
                       i->pub.acked_by);
    set_text(&i->pub.acked_by, s->actor);
    incident_dirty(c, i);
    say(s, i, "incident.acknowledged", fl_fx_printf(s->fx, "acknowledged by %s", s->actor));
    return FL_OK;
}

fl_status fl_corr_assign(struct fl_corr *c, struct fl_step *s, const char *id, const char *to,
                         struct fl_err *err)
{
    struct incident *i = NULL;
    fl_status st = active(c, id, &i, err);
    if (st != FL_OK)
        return st;
    if (!to || !*to)
        return fl_fail(err, FL_E_SHAPE, "to", "whom should %s be assigned to", i->pub.id);
    set_text(&i->pub.assignee, to);
    incident_dirty(c, i);
    say(s, i, "incident.assigned", fl_fx_printf(s->fx, "assigned to %s by %s", to, s->actor));
    return FL_OK;
}

fl_status fl_corr_resolve(struct fl_corr *c, struct fl_step *s, const char *id, const char *why,
                          struct fl_err *err)
{
    struct incident *i = NULL;
    fl_status st = active(c, id, &i, err);
    if (st != FL_OK)
        return st;
    incident_event(c, s, i, IE_CLOSED, why);
    return FL_OK;
}

fl_status fl_corr_merge(struct fl_corr *c, struct fl_step *s, const char *id, const char *into,
                        struct fl_err *err)
{
    struct incident *from = NULL, *to = NULL;
    fl_status st = active(c, id, &from, err);
    if (st == FL_OK)
        st = active(c, into, &to, err);
    if (st != FL_OK)
        return st;
    if (from == to)
        return fl_fail(err, FL_E_CONFLICT, "into", "%s cannot be merged into itself", from->pub.id);
    incident_absorb(c, s, to, from, fl_fx_printf(s->fx, "asked by %s", s->actor));
    return FL_OK;
}

static bool listed(const uint64_t *v, size_t n, uint64_t fp)
{
    for (size_t k = 0; k < n; k++)
        if (v[k] == fp)
            return true;
    return false;
}

fl_status fl_corr_split(struct fl_corr *c, struct fl_step *s, const char *id, const uint64_t *fingerprints,
                        size_t n, char ret[FL_ID_LEN], struct fl_err *err)
{
    struct incident *from = NULL;
    fl_status st = active(c, id, &from, err);
    if (st != FL_OK)
        return st;
    size_t hits = 0;
    struct episode *first = NULL;
    for (struct episode *e = from->head; e; e = e->next)
        if (listed(fingerprints, n, e->key.fingerprint)) {
            first = first ? first : e;
            hits++;
        }
    if (!hits || hits == from->pub.alerts_total)
        return fl_fail(err, FL_E_CONFLICT, "alerts",
                       "%zu of the %zu alerts of %s are named: name some, not %s", hits,
                       from->pub.alerts_total, from->pub.id, hits ? "all" : "none");
    struct incident *i = incident_open(c, s, first, NULL);
    say(s, i, "incident.opened",
        fl_fx_printf(s->fx, "split off %s by %s: %zu alerts", from->pub.id, s->actor, hits));
    for (struct episode *e = from->head, *next; e; e = next) {
        next = e->next;
        if (!listed(fingerprints, n, e->key.fingerprint))
            continue;
        incident_drop(c, from, e);
        incident_add(c, s, i, e);
        episode_text(c, &e->joined,
                     fl_fx_printf(s->fx, "joined %s: split off %s by %s", i->pub.id, from->pub.id, s->actor));
        episode_row(c, s, e);
    }
    for (struct episode *e = from->head; e; e = e->next)
        if (vertex_incident(c, e->node) == i)
            vertex_set(c, e->node, from);
    incident_touch(c, from, s);
    say(s, from, "incident.split", fl_fx_printf(s->fx, "%zu alerts were split off into %s", hits, i->pub.id));
    if (!from->pub.alerts_firing && !from->pub.alerts_stale)
        incident_event(c, s, from, IE_CLEAR, NULL);
    if (!i->pub.alerts_firing && !i->pub.alerts_stale)
        incident_event(c, s, i, IE_CLEAR, NULL);
    memcpy(ret, i->pub.id, FL_ID_LEN);
    return FL_OK;
}
