/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/refire.c -- an alert that flaps fires again: what a report of it does while the last resolve does not
 * count yet (flap.c). */
#include "correlate_priv.h"

/* It flaps and fires again: the new episode takes the place of the old one, and its incident sees no change. */
static void take_over(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                      const struct fl_alert *a, struct episode *old, fl_usec ended)
{
    struct incident *i = old->incident;
    if (!i || !is_active(i)) {
        episode_over(c, s, old, ended);
        episode_fresh(c, s, topo, source, a);
        return;
    }
    struct episode *e = episode_make(c, s, topo, source, a);
    char t[FL_TIME_LEN];
    quiet_leave(c, old);
    incident_replace(c, i, old, e);
    remind_leaves(c, old);
    old->status = FL_ALERT_RESOLVED;
    old->alert->ends_at = ended;
    episode_text(c, &e->joined, old->joined);
    episode_text(c, &old->joined,
                 fl_fx_printf(s->fx, "was in %s: it flaps, and goes on in the episode of %s", i->pub.id,
                              fl_time_format_ms(a->starts_at, t)));
    episode_row(c, s, old);
    bury(c, s, old);
    episode_free(c, old);
    episode_insert(c, e);
    quiet_enter(c, s->rules, e);
    settle_later(c, e);
    flap_fired(c, s, e);
    episode_row(c, s, e);
}

/* The other half of a pair, heard for the first time, or long after the end of that start. */
static void never_stopped(struct fl_corr *c, struct fl_step *s, const char *source, const struct fl_alert *a,
                          struct episode *e, fl_usec ended, bool told)
{
    fl_alert_status before = e->status;
    e->status = FL_ALERT_RESOLVED; /* what its pair is to see */
    e->alert->ends_at = ended;
    if (told)
        pair_goes_on(c, e, source, a, s->at);
    else
        (void)pair_report(c, e, source, a, s->at);
    e->status = before;
    e->alert->ends_at = 0;
    flap_still_fires(c, a->fingerprint);
    if (before == FL_ALERT_STALE) /* its lease lapsed before the resolve came */
        episode_reported_again(c, s, e);
}

bool refires(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
             const struct fl_alert *a, bool *ret_same)
{
    fl_usec ended = 0;
    struct episode *e = a->status == FL_ALERT_FIRING && c->stats.flapping ? episode_newest(c, a->fingerprint)
                                                                          : NULL;
    if (!e || !is_live(e) || !flap_waits(c, a->fingerprint, &ended))
        return false;
    bool heard = !a->starts_guessed &&
                 (pair_has(c, e, a->starts_at) || tomb_has(c, a->fingerprint, a->starts_at));
    bool told = heard && told_on(c, s->at, a);
    *ret_same = heard && !told;
    if (*ret_same) {
        c->stats.late++; /* the resolve is the newer truth */
    } else if (told || (!a->starts_guessed && a->starts_at < ended)) {
        never_stopped(c, s, source, a, e, ended, told);
    } else {
        take_over(c, s, topo, source, a, e, ended);
    }
    return true;
}
