/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/refire.c -- an alert that flaps fires again: what a report of it does while the last resolve does not
 * count yet (flap.c); and a start fires again whose incident is over for too long to reopen. */
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
    bool tomb = !a->starts_guessed && tomb_has(c, a->fingerprint, a->starts_at);
    bool heard = tomb || (!a->starts_guessed && pair_has(c, e, a->starts_at));
    bool told = tomb && told_on(c, s->at, a);
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

/* ---- after more than a day ---- */

/* The episode of this very start, when its incident is over, for too long to reopen; not when a person closed that, or the one
 * of a later episode: what is over stays over then. */
static struct episode *over_for_long(struct fl_corr *c, const struct fl_alert *a)
{
    struct episode *e = episode_find(c, &(struct ep_key){a->fingerprint, a->starts_at});
    const struct episode *last = episode_newest(c, a->fingerprint);
    if (!e || is_live(e) || !e->incident || is_active(e->incident) || e->incident->by_hand)
        return NULL;
    return last && (is_live(last) || (last->incident && last->incident->by_hand)) ? NULL : e;
}

bool episode_anew(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                  const struct fl_alert *a)
{
    struct episode *old = over_for_long(c, a);
    if (!old)
        return false;
    struct incident *i = old->incident;
    fl_usec ended = old->alert->ends_at > old->key.starts_at ? old->alert->ends_at : old->key.starts_at + 1;
    s->note(s, &(struct fl_note){
                   .to = FL_NOTE_TIMELINE,
                   .action = "alert.changed",
                   .incident = i->pub.id,
                   .subject = "alert",
                   .text = FL_FX_CAT(s->fx, alert_name(old), old->node_id ? " on " : "",
                                     old->node_id ? old->node_id : "",
                                     ": still reported by another sender; it goes on as a new alert, "
                                     "for this incident is over for more than 24h")});
    /* Its row is there, and the end that was not true is known: as of what left memory with its resolve. */
    passed_add(c, old->key.fingerprint, old->key.starts_at, ended, s->at + TOMB_TIME);
    incident_drop(c, i, old);
    episode_free(c, old);
    episode_fresh(c, s, topo, source, a);
    return true;
}
