/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/respond.h -- playbooks, runs and their calls, guards, approvals, verification: decides,
 * does not act (layer 3). Core thread only; deterministic. */
#pragma once

#include <faultline/fsm.h>
#include <faultline/step.h>

struct fl_json;
struct fl_jw;

#define FL_CALLS_MAX 1000u        /* host calls of one run */
#define FL_RECOVERIES_MAX 5u      /* restarts of a run without a new call in between: then it fails */
#define FL_ACT_ATTEMPTS_MAX 3u    /* of an idempotent call whose outcome is unknown */
#define FL_PLAYBOOKS_MAX 1000u

struct fl_playbook_def {
    struct fl_playbook meta;
    const char *source; /* the Lua text */
};

/** What the guards and the choice of a playbook may look at; made by the driver for one incident. */
struct fl_resp_view {
    const char *incident;
    bool active;                /* open, quiet or recovering */
    bool convincing;            /* the ranking has a convincing first candidate */
    const char *cause, *cause_type, *cause_service; /* "" when none */
    const struct fl_labels *cause_labels; /* of the node; NULL when none */
    double confidence;
    const char *incident_json, *cause_json;         /* for ctx */
    size_t services_known, services_alerting;
    /** Visit the incident's alerts: (labels, node id or NULL); returns true to stop. */
    void (*each_alert)(void *ctx, bool (*visit)(void *vctx, const struct fl_labels *l, const char *node), void *vctx);
    /** Firing or stale alerts of the incident on a component (NULL: any). */
    size_t (*firing_on)(void *ctx, const char *incident, const char *node);
    /** Why nothing may act on a component (its alerts flap, …), a sentence; NULL: it may. The member may be NULL. */
    const char *(*keep_off)(void *ctx, struct fl_step *s, const char *component);
    void *ctx;
};

struct fl_run { /* borrowed view of a run */
    char id[FL_ID_LEN];
    uint64_t number;
    fl_run_state state;
    char *incident, *playbook, *target;
};

struct fl_resp;
struct fl_resp *fl_resp_new(void);
struct fl_resp *fl_resp_free(struct fl_resp *r);

/** Replace the registry (a FL_EV_CONFIG). Runs keep the hash they started with. */
void fl_resp_playbooks(struct fl_resp *r, const struct fl_playbook_def *v, size_t n);
size_t fl_resp_n_playbooks(const struct fl_resp *r);
/** An incident was ranked: propose or start what the bindings say, once per incident and playbook.
 *  @return why no binding led to a run, in the step's memory; NULL: one did, now or before. */
const char *fl_resp_consider(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *view);
/** A call, outcome or end reported by the runner. Bodies are checked; nonsense gives an audit entry. */
void fl_resp_call(struct fl_resp *r, struct fl_step *s, const struct fl_json *body);
void fl_resp_outcome(struct fl_resp *r, struct fl_step *s, const struct fl_json *body);
void fl_resp_ended(struct fl_resp *r, struct fl_step *s, const struct fl_json *body);
/** The engine started: unfinished runs resume; calls that may have acted become in doubt. */
void fl_resp_engine_started(struct fl_resp *r, struct fl_step *s, uint64_t projected_seq);
/** Deadlines: approvals, sleeps, timeouts, verification. */
void fl_resp_tick(struct fl_resp *r, struct fl_step *s);
fl_usec fl_resp_deadline(const struct fl_resp *r);
/** Alerts of this incident changed, or are on other components: whoever waits for them to clear is looked at by fl_resp_verify(). */
void fl_resp_incident_changed(struct fl_resp *r, const char *incident);
/** After that: runs that wait for their alerts to clear. */
void fl_resp_verify(struct fl_resp *r, struct fl_step *s, size_t (*firing_on)(void *ctx, const char *incident, const char *node),
                    void *ctx);
/** An incident was absorbed by another: its runs follow. */
void fl_resp_incident_merged(struct fl_resp *r, const char *from, const char *into);

/* Operator commands. */
FL_MUST_CHECK fl_status fl_resp_request(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *view,
                                        const char *playbook, const char *params_json, char ret[FL_ID_LEN], struct fl_err *err);
/** @param override a person takes the cooldown and rate brakes upon themselves; audited. */
FL_MUST_CHECK fl_status fl_resp_approve(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *view,
                                        const char *run, bool override, struct fl_err *err);
FL_MUST_CHECK fl_status fl_resp_deny(struct fl_resp *r, struct fl_step *s, const char *run, const char *why, struct fl_err *err);
FL_MUST_CHECK fl_status fl_resp_abort(struct fl_resp *r, struct fl_step *s, const char *run, const char *why, struct fl_err *err);
/** Settle the call a run is in doubt about. @param verdict "done" or "retry"; result_json may be NULL. */
FL_MUST_CHECK fl_status fl_resp_settle(struct fl_resp *r, struct fl_step *s, const char *run, const char *verdict,
                                       const char *result_json, struct fl_err *err);
/** Stop or allow all automation; `playbook` non-NULL: close that playbook's circuit breaker again. */
FL_MUST_CHECK fl_status fl_resp_halt(struct fl_resp *r, struct fl_step *s, bool halt, const char *playbook,
                                     const char *why, struct fl_err *err);
const struct fl_run *fl_resp_find(const struct fl_resp *r, const char *run);

struct fl_resp_stats {
    uint64_t proposed, started, succeeded, failed, denied_by_guard, in_doubt, calls;
    size_t active, waiting;
    bool halted;
};
void fl_resp_stats(const struct fl_resp *r, struct fl_resp_stats *ret);
void fl_resp_write(const struct fl_resp *r, struct fl_jw *w, const char *key);
FL_MUST_CHECK fl_status fl_resp_read(struct fl_resp *r, const struct fl_json *v, struct fl_err *err);
const struct fl_fsm *fl_run_fsm(void);
/** For tests: what is kept as it goes, against a visit of every run; firing_on as of fl_resp_verify(). After a step at `at`. */
FL_MUST_CHECK fl_status fl_resp_check(const struct fl_resp *r, fl_usec at,
                                      size_t (*firing_on)(void *ctx, const char *incident, const char *node), void *ctx,
                                      struct fl_err *err);
