/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/correlate.h -- alerts → episodes → incidents, by time and graph distance (layer 3).
 * Core thread only. Deterministic: its only clock is the event's time. */
#pragma once

#include <faultline/fsm.h>
#include <faultline/step.h>
#include <faultline/topology.h>

struct fl_json;
struct fl_pack;
struct fl_unpack;

/** What an incident looks like to others; borrowed, valid until the next call that changes it. */
struct fl_incident {
    char id[FL_ID_LEN];
    uint64_t number;
    fl_incident_state state;
    fl_severity severity; /* worst ever */
    fl_usec opened_at, updated_at, last_alert_at, recovering_at, resolved_at;
    size_t alerts_total, alerts_firing, alerts_stale, components;
    char *title, *reason;
    char *cause;         /* NULL when none */
    char *no_playbook;   /* NULL, or why none was proposed, as it was told last */
    double confidence;
    char *acked_by, *assignee, *merged_into; /* NULL */
    bool mapped;         /* at least one alert has a component */
    bool closed_out;     /* what follows its end is done: history learned, runs moved */
    fl_usec rank_due;    /* 0 = ranking is fresh */
    fl_usec ranked_at;
    unsigned rankings;   /* versions so far */
    unsigned reopened;   /* times that it was over and an alert of it turned out to fire still */
};
/** One alert of an incident; borrowed. */
struct fl_episode {
    const struct fl_alert *alert;
    fl_alert_status status;
    fl_vertex node, peer;
    const char *node_id, *map_rule; /* NULL when it matches no component */
    fl_evidence_class cls;
    fl_severity severity;
    bool flapping, maintained; /* maintained: in a maintenance window */
    const char *silenced_by; /* ids of silences, or of a maintenance window, "," between; NULL when none */
    uint64_t inhibited_by;   /* fingerprint; 0 = none */
    fl_usec updated_at;
};

struct fl_corr;
struct fl_corr *fl_corr_new(void);
struct fl_corr *fl_corr_free(struct fl_corr *c);

/** A new snapshot: alerts are mapped again, the index of alerting components is rebuilt. Whom to rank again is for the caller to say. */
void fl_corr_topology(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo);
/**
 * Alerts of one body: episodes open, renew, resolve; incidents open, grow, merge, reopen, recover.
 * @param source  format name.
 * @return how many were repeats that changed nothing.
 */
size_t fl_corr_alerts(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                      const struct fl_alert *alerts, size_t n);
/** A lease lapsed: firing → stale. Unknown or already over: nothing. */
void fl_corr_expired(struct fl_corr *c, struct fl_step *s, uint64_t fingerprint, fl_usec starts_at);
/** After every event: silences that begin or end, alerts that nothing suppresses any more, quiet and resolve deadlines. */
void fl_corr_tick(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo);
/** Write the incident rows that changed in this step. Called once, last. */
void fl_corr_flush(struct fl_corr *c, struct fl_step *s);
/** The next time fl_corr_tick or a ranking is due; 0 = never. */
fl_usec fl_corr_deadline(const struct fl_corr *c, const struct fl_rules *rules);

/** NULL when unknown or long over. Merged ones are followed to where they went. */
struct fl_incident *fl_corr_find(struct fl_corr *c, const char *id);
/** Incidents that changed in the step under way, or whose time had come at its tick; in order of opening. */
void fl_corr_each_changed(struct fl_corr *c, bool (*visit)(void *ctx, struct fl_incident *i), void *ctx);
/** All incidents in memory, in order of opening: costs what is open. */
void fl_corr_each(struct fl_corr *c, bool (*visit)(void *ctx, struct fl_incident *i), void *ctx);
/** Episodes of an incident in order of joining; visit returns true to stop. */
void fl_corr_each_episode(struct fl_corr *c, const struct fl_incident *i,
                          bool (*visit)(void *ctx, const struct fl_episode *e), void *ctx);
/** Reading piece by piece, between steps: a place in the order of arrival that moves on when its episode leaves. It need not
 *  be given back: of too many the one unused for longest is lost. `having`: whoever lacks one of these labels may be gone
 *  past unseen (not all are: the caller looks himself); neighbours of one name are alternatives. `max`: alerts looked at, or
 *  blocks of 256 gone past. The texts of an alert's labels are the pool's: equal ones have one address until the next step. */
uint64_t fl_corr_cursor_open(struct fl_corr *c, const struct fl_label *having, size_t n);
enum fl_cursor_state fl_corr_cursor_next(struct fl_corr *c, uint64_t cursor, size_t max,
                                         void (*visit)(void *ctx, const struct fl_episode *e), void *ctx);
/** One firing or stale episode; false: there is no such one. */
bool fl_corr_episode(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at,
                     void (*visit)(void *ctx, const struct fl_episode *e), void *ctx);
/** All firing and stale episodes, in order of arrival; one with several starts once for each, with the state of each. A firing
 *  start that has an ends_at was said to be over by then, and another sender went on. */
void fl_corr_each_active(struct fl_corr *c, void (*visit)(void *ctx, const struct fl_episode *e), void *ctx);
/** Starts whose end was heard at `since` or later. */
void fl_corr_each_over(const struct fl_corr *c, fl_usec since,
                       void (*visit)(void *ctx, uint64_t fingerprint, fl_usec starts_at, fl_usec at), void *ctx);
/** Firing or stale alerts of an incident on one component (node NULL: all of them). */
size_t fl_corr_firing_on(struct fl_corr *c, const struct fl_incident *i, const char *node);
/** Distinct known services with a firing alert, for the brake on mass remediation. Costs nothing: it is kept. */
size_t fl_corr_alerting_services(const struct fl_corr *c);

/** Ask for another ranking of an active incident at `at`; one that is due sooner stays. */
void fl_corr_rank_at(struct fl_corr *c, struct fl_step *s, struct fl_incident *i, fl_usec at);
/** The ranking of an incident was made: cause "" or NULL = none. Marks the row changed. */
void fl_corr_ranked(struct fl_corr *c, struct fl_step *s, struct fl_incident *i, const char *cause, double confidence);
/** Why no playbook was proposed; false: that has been told already. */
bool fl_corr_no_playbook(struct fl_corr *c, struct fl_incident *i, const char *why);
/* Operator commands; FL_E_NOTFOUND, FL_E_CONFLICT with the reason in err. */
FL_MUST_CHECK fl_status fl_corr_ack(struct fl_corr *c, struct fl_step *s, const char *id, struct fl_err *err);
FL_MUST_CHECK fl_status fl_corr_assign(struct fl_corr *c, struct fl_step *s, const char *id, const char *to, struct fl_err *err);
FL_MUST_CHECK fl_status fl_corr_resolve(struct fl_corr *c, struct fl_step *s, const char *id, const char *why, struct fl_err *err);
FL_MUST_CHECK fl_status fl_corr_merge(struct fl_corr *c, struct fl_step *s, const char *id, const char *into, struct fl_err *err);
/** Move alerts (by fingerprint) of an incident into a new one; its id is written to ret. */
FL_MUST_CHECK fl_status fl_corr_split(struct fl_corr *c, struct fl_step *s, const char *id, const uint64_t *fingerprints,
                                      size_t n, char ret[FL_ID_LEN], struct fl_err *err);

/**
 * A silence as Alertmanager's API posts one ({"id"?,"matchers","startsAt","endsAt","createdBy","comment"}): a new one, or
 * a change. Other matchers or another start of an active one expire it and make a new one, as there.
 * @param ret  its id.   @return FL_E_NOTFOUND unknown id; FL_E_SHAPE, FL_E_LIMIT with Alertmanager's words in err->text.
 */
FL_MUST_CHECK fl_status fl_corr_silence_set(struct fl_corr *c, struct fl_step *s, const struct fl_json *silence,
                                            char ret[FL_SILENCE_ID_LEN], struct fl_err *err);
/** End it now; fine when it is over already. */
FL_MUST_CHECK fl_status fl_corr_silence_expire(struct fl_corr *c, struct fl_step *s, const char *id, struct fl_err *err);

/** A maintenance window (fl_window_parse). @return FL_E_SHAPE with the field, FL_E_LIMIT. @param ret its id. */
FL_MUST_CHECK fl_status fl_corr_maintenance_add(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo,
                                                const struct fl_json *window, char ret[FL_ID_LEN], struct fl_err *err);
/** End it for good; fine when it is over already. FL_E_CONFLICT: it comes from the rules. */
FL_MUST_CHECK fl_status fl_corr_maintenance_end(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo,
                                                const char *id, struct fl_err *err);
/** Why a component is left alone: an open window names it. NULL: none does. In the effects' arena. */
const char *fl_corr_in_maintenance(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *node);

struct fl_corr_stats {
    uint64_t episodes, repeats, late, unmapped, opened, merged, resolved, suppressed; /* suppressed: ever held back */
    uint64_t flaps;   /* how often an alert began to flap */
    size_t flapping;  /* alerts that flap now */
    uint64_t reminders[2];         /* how often silences, maintenance windows were spoken of */
    size_t hidden[2], reminded[2]; /* firing alerts that they hide now; how many of them were spoken of and still hide as much */
    size_t firing, stale, open_incidents, held; /* held: firing or stale, in no incident, now */
};
void fl_corr_stats(const struct fl_corr *c, struct fl_corr_stats *ret);
/** Two of those counters, in no time. */
void fl_corr_mapped(const struct fl_corr *c, uint64_t *episodes, uint64_t *unmapped);

/** Whose alerts came to what, in order of appearance. @return count. */
size_t fl_corr_teams(const struct fl_corr *c, struct fl_team_figures ret[FL_TEAMS_MAX + 1]);
/** The same of which alert rule (alertname), names cut as those of teams. */
size_t fl_corr_alert_rules(const struct fl_corr *c, struct fl_team_figures ret[FL_ALERT_RULES_MAX + 1]);

/** Its records of a snapshot, and back: each record, whose letter fl_unpack_next gave, then the end. What failed is only good
 *  to be freed. @return FL_E_CORRUPT. */
void fl_corr_write(const struct fl_corr *c, struct fl_pack *out);
FL_MUST_CHECK fl_status fl_corr_load(struct fl_corr *c, char kind, struct fl_unpack *record, struct fl_topo *topo,
                                     struct fl_err *err);
FL_MUST_CHECK fl_status fl_corr_loaded(struct fl_corr *c, struct fl_topo *topo, const struct fl_rules *rules,
                                       struct fl_err *err);

/**
 * For tests, between two steps: everything that is kept as it goes (deadlines, counters, who is found where) is found out again by
 * visiting all, and nothing was due at `at` or before. FL_E_INTERNAL says what differs. Costs what is open.
 */
FL_MUST_CHECK fl_status fl_corr_check(const struct fl_corr *c, const struct fl_rules *rules, fl_usec at, struct fl_err *err);

/** The incident's state machine (docs, diagram, tests). */
const struct fl_fsm *fl_incident_fsm(void);
