/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/flow.h -- the driver: flow_step(state, event) → effects (layer 4).
 * The only place that knows the order of stages. Core thread only. Deterministic: same events, same bytes. */
#pragma once

#include <faultline/audit.h>
#include <faultline/effects.h>
#include <faultline/pack.h>
#include <faultline/rank.h>

/* ---- the state of one realm --------------------------------------------------------------------------- */

struct fl_flow;
struct fl_flow_options {
    const char *realm;
    const struct fl_rules *rules; /* initial; a FL_EV_CONFIG event replaces them. NULL = built in */
    const struct fl_model *model; /* NULL = fl_model_default() */
    bool pin_model;               /* nothing that the journal says replaces `model`: to replay under another one */
};
FL_MUST_CHECK fl_status fl_flow_new(const struct fl_flow_options *o, struct fl_flow **ret, struct fl_err *err);
struct fl_flow *fl_flow_free(struct fl_flow *f);
/**
 * Take one event, in seq order. Bad bodies are not errors: they give an audit entry that says so.
 * @param fx  receives the effects (appended). A step either adds all its effects or fails whole.
 * @return FL_OK; FL_E_NOMEM; FL_E_CONFLICT when seq is not the next one.
 */
FL_MUST_CHECK fl_status fl_flow_step(struct fl_flow *f, const struct fl_event *ev, struct fl_effects *fx,
                                     struct fl_err *err);
/** When a FL_EV_TICK is due next; 0 = never. */
fl_usec fl_flow_deadline(const struct fl_flow *f);
/** For tests, between two steps: fl_corr_check() at the time of the last event. */
FL_MUST_CHECK fl_status fl_flow_check(const struct fl_flow *f, struct fl_err *err);
uint64_t fl_flow_seq(const struct fl_flow *f);
const struct fl_audit_chain *fl_flow_chain(const struct fl_flow *f);
/** Hash of the canonical text of the last FL_EV_CONFIG body (keys sorted), NULL when there was none. */
const struct fl_sha256 *fl_flow_config_hash(const struct fl_flow *f);
/** Version of the graph in force, NULL when none was given yet. */
const struct fl_sha256 *fl_flow_topology_hash(const struct fl_flow *f);
/** The graph in force, empty at first; core thread. */
const struct fl_topo *fl_flow_topology(const struct fl_flow *f);
/** Visit every start of the firing and stale episodes in a fixed order (to rebuild leases after a restart). */
void fl_flow_each_alert(const struct fl_flow *f, void (*visit)(void *ctx, const struct fl_alert *a), void *ctx);
/** Starts of alerts whose end was heard at `since` or later. */
void fl_flow_each_over(const struct fl_flow *f, fl_usec since,
                       void (*visit)(void *ctx, uint64_t fingerprint, fl_usec starts_at, fl_usec at), void *ctx);
/** Visit the heartbeat rules whose sender is silent. */
void fl_flow_each_silent(const struct fl_flow *f, void (*visit)(void *ctx, const char *name), void *ctx);
/** A firing alert as lists show it; borrowed for the visit. */
struct fl_listed {
    const struct fl_alert *alert;
    fl_usec updated_at;
    const char *silenced_by; /* ids, "," between; NULL when none */
    uint64_t inhibited_by;   /* fingerprint; 0 = none */
};
/** Reading between two steps, core thread; as fl_corr_cursor_open(), also of the labels' texts. `max`: alerts looked at;
 *  `status`: firing or stale, only those are visited. */
uint64_t fl_flow_cursor_open(struct fl_flow *f, const struct fl_label *having, size_t n);
enum fl_cursor_state fl_flow_cursor_next(struct fl_flow *f, uint64_t cursor, size_t max, fl_alert_status status,
                                         void (*visit)(void *ctx, const struct fl_listed *a), void *ctx);
/** One firing alert; false: there is no such one. */
bool fl_flow_listed(struct fl_flow *f, uint64_t fingerprint, fl_usec starts_at,
                    void (*visit)(void *ctx, const struct fl_listed *a), void *ctx);
/** State as records, and back: state = snapshot + journal after it. Deterministic bytes. Core thread, which stands still: some
 *  0.5 us and 250 bytes an alert. @return FL_E_NOMEM, also when it is more than out->max. */
FL_MUST_CHECK fl_status fl_flow_snapshot(const struct fl_flow *f, struct fl_pack *out);
/** Into a new flow: each piece in order, then the end. After a failure it is only good to be freed.
 *  @return FL_E_CORRUPT with the reason: also a snapshot of another version of the form. */
FL_MUST_CHECK fl_status fl_flow_load(struct fl_flow *f, const void *piece, size_t n, struct fl_err *err);
FL_MUST_CHECK fl_status fl_flow_loaded(struct fl_flow *f, struct fl_err *err);
/** All of that at once, of a snapshot in memory. */
FL_MUST_CHECK fl_status fl_flow_restore(const struct fl_flow_options *o, const struct fl_pack *from,
                                        struct fl_flow **ret, struct fl_err *err);

struct fl_flow_stats {
    uint64_t events, alerts_in, repeats, episodes, incidents_opened, incidents_open, merges, runs, unmapped, suppressed;
    uint64_t flaps; /* how often an alert began to flap */
    /* Silences, maintenance windows: firing alerts that they hide now, those that hide much for long, how often that was said */
    size_t hidden[2], reminded[2];
    uint64_t reminders[2];
    size_t alerts_flapping;
    struct fl_team_figures teams[FL_TEAMS_MAX + 1];
    size_t n_teams;
    struct fl_team_figures alert_rules[FL_ALERT_RULES_MAX + 1]; /* the same by alertname */
    size_t n_alert_rules;
    size_t alerts_firing, alerts_stale, alerts_held; /* held: live, in no incident, because silenced or inhibited */
};
void fl_flow_stats(const struct fl_flow *f, struct fl_flow_stats *ret);

/** What verdicts say of the models, since the beginning of the journal. */
#define FL_MODEL_TALLIES 32
struct fl_model_tally {
    char model[16];
    bool shadow;                                /* as it ranked beside the live one, not as the live one */
    uint64_t known1, right1, known3, right3;    /* verdicts that tell whether the first (one of three) was the cause */
};
#define FL_SHIFTS_MAX 20
struct fl_model_stats {
    char live[16], shadow[16]; /* shadow: "" when none */
    struct fl_model_tally tally[FL_MODEL_TALLIES];
    size_t n;
    uint64_t unmapped, mapped_of; /* of the last one to two thousand new alerts, how many match no component */
    /* How far the mean of each of the live model's main features over the incidents that ended, the last fifty above all,
     * is from its training, in units of the spread there. None when the model does not say what it was trained on. */
    struct {
        const char *feature;
        double shift;
    } shift[FL_SHIFTS_MAX];
    size_t n_shift;
    uint64_t shift_incidents;
};
void fl_flow_model_stats(const struct fl_flow *f, struct fl_model_stats *ret);

/* ---- replay ---------------------------------------------------------------------------------------- */

/** One line per decision (incident, timeline, ranking, run, call, audit rows) as canonical JSON. */
FL_MUST_CHECK fl_status fl_effects_text(const struct fl_effects *fx, struct fl_buf *out);
/** Journal file: one JSON object a line: {"seq","at","kind","realm","actor","source","body" | "body_hex"}. */
FL_MUST_CHECK fl_status fl_journal_line(const struct fl_event *ev, struct fl_buf *out);
FL_MUST_CHECK fl_status fl_journal_parse(struct fl_arena *arena, const char *line, size_t n,
                                         struct fl_event *ret, struct fl_err *err);
