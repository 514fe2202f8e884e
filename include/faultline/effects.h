/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/effects.h -- what one step of the core wants done: rows for the projector, then
 * orders for the runner (layer 1, part of the model: store, flow and runner share it). */
#pragma once

#include <faultline/model.h>

/** One row of the audit trail. All text UTF-8, "" when it does not apply (never NULL in a row). */
struct fl_audit_entry {
    const char *realm;
    uint64_t seq;           /* gapless per realm, from 1 */
    fl_usec at;             /* time of the event that caused it */
    uint64_t event_seq;     /* journal row that caused it */
    const char *actor;      /* who: token name, "engine", "playbook:NAME" */
    const char *action;     /* dotted verb: alerts.received, incident.opened, call.intended, … */
    const char *subject;    /* what it is about: INC-…, RUN-…/3, topology, token name */
    const char *incident;   /* incident id or "" */
    const char *reason;     /* one sentence */
    const char *detail;     /* canonical JSON object text, "{}" when none */
    struct fl_sha256 prev, hash;
};


/* ---- effects: rows for the projector, then orders for the runner ------------------------------------ */

struct fl_alert_row { /* upsert by (fingerprint, starts_at) */
    uint64_t fingerprint;
    fl_usec starts_at, ends_at, received_at, updated_at;
    fl_alert_status status;
    struct fl_labels labels, annotations;
    const char *generator_url, *source;
    fl_severity severity;
    fl_evidence_class cls;
    const char *node, *map_rule; /* "" when it matches no component */
    const char *incident;        /* "" when none */
    const char *why;             /* JSON array of sentences: the path so far */
    const char *silenced_by;     /* JSON array of silence ids, "[]" when none */
    const char *inhibited_by;    /* JSON array of fingerprints, "[]" when none */
    const char *quiet;           /* what holds it for a while: threshold, grouping, …; "" when nothing does */
    bool is_new;                 /* the first row of this episode: there is none yet */
    bool same_texts;             /* labels, annotations and generator_url are those of the row before, and left out here */
    bool only_state;             /* so is everything else but the status and the times; of that, why is left out here */
    /* Not stored, for whoever compares decisions: what keeps or kept it quiet last, as a kind and a name ("threshold three pods",
     * "silence ID"; "" when nothing ever did), and the sentence that says so. */
    const char *kept_by, *kept_why;
    bool kept; /* now */
};
struct fl_silence_row { /* upsert by id */
    const char *id, *created_by, *comment, *matchers; /* matchers: JSON as Alertmanager's API has it */
    fl_usec starts_at, ends_at, updated_at;
    uint64_t reminders; /* how often it was spoken of that it hides much for long */
    fl_usec reminded_at;
    const char *reminder; /* what was said last; "" when that is not so any more */
};
struct fl_maintenance_row { /* upsert by id */
    const char *id, *created_by, *window; /* window: JSON as fl_window_json writes it */
    const char *state;                    /* scheduled, open, ended */
    fl_usec next_at;                      /* when it opens or closes next; 0 = never */
    fl_usec updated_at;
    uint64_t reminders; /* as of a silence */
    fl_usec reminded_at;
    const char *reminder;
};
struct fl_incident_row { /* upsert by id */
    const char *id, *title;
    fl_incident_state state;
    fl_severity severity;
    fl_usec opened_at, updated_at, last_alert_at, resolved_at;
    size_t alerts_total, alerts_firing, alerts_stale, components;
    const char *cause;       /* top cause's node, "" when none or unconvincing */
    double confidence;
    const char *merged_into; /* "" */
    const char *acked_by, *assignee; /* "" */
    const char *reason;      /* of the last state change */
};
struct fl_timeline_row { /* append; (realm, event_seq, n) is unique */
    const char *incident;
    uint64_t event_seq;
    unsigned n;
    fl_usec at;
    const char *kind; /* opened, joined, merged, ranked, state, run, call, comment, … */
    const char *actor, *text, *detail; /* detail: JSON object text */
};
struct fl_ranking_row { /* append; one per re-rank */
    const char *incident;
    unsigned version; /* 1, 2, … per incident */
    fl_usec at;
    uint64_t event_seq;
    const char *model;
    struct fl_sha256 rules_hash, topology_hash;
    const char *json; /* fl_ranking_json */
    const char *shadow_model, *shadow; /* the model that ranks beside and its first candidates as JSON; "" when none */
};
struct fl_model_row { /* insert once: a model never changes, its id is made of its content */
    const char *id;        /* 12 hex digits; or first-day */
    struct fl_sha256 hash; /* of the text */
    const char *origin;    /* shipped, configuration, uploaded */
    const char *note;      /* what it says of itself */
    const char *text;      /* canonical JSON */
    fl_usec added_at;
    const char *added_by;
};
struct fl_model_use_row { /* append, at most one per step: what is in force from here on */
    uint64_t event_seq;
    fl_usec at;
    const char *live, *shadow; /* shadow: "" when none */
    const char *actor, *reason;
};
#define FL_VERDICT_RANKS 5 /* places of a ranking that a verdict is compared with */
struct fl_verdict_row { /* upsert by incident: the last word counts */
    const char *incident, *verdict, *actor; /* confirmed, rejected */
    uint64_t event_seq;
    fl_usec at;
    const char *node, *change; /* what it was, or was not; "" */
    unsigned version;          /* of the ranking it judges; 0 = none */
    const char *model, *shadow_model; /* "" */
    double confidence;         /* of its first candidate */
    bool convincing;
    int rank, shadow_rank; /* where the cause stood: 1 …; 0 = not among the first FL_VERDICT_RANKS; -1 = not known;
                               -2 = rejected: not the first one, and no more is known */
};
struct fl_run_row { /* upsert by id */
    const char *id, *incident, *playbook, *version;
    struct fl_sha256 playbook_hash;
    fl_run_state state;
    const char *requested_by, *approved_by; /* "" */
    const char *approval;                   /* required, none */
    const char *params, *ctx;               /* JSON */
    const char *reason, *result;            /* result: JSON or "" */
    fl_usec created_at, started_at, ended_at, deadline, approve_by;
    unsigned recoveries;
};
struct fl_call_row { /* upsert by (run, n) */
    const char *run;
    unsigned n;
    const char *fn, *step; /* step: enclosing step(name) or "" */
    const char *args;      /* canonical JSON */
    struct fl_sha256 args_hash;
    fl_call_state state;
    const char *result;    /* JSON, "" until there is one */
    const char *reason;
    fl_usec intent_at, outcome_at;
};
struct fl_topology_row { /* a new version of the graph: the projector closes and opens node and edge rows */
    fl_usec at;
    uint64_t event_seq;
    const struct fl_topology_doc *doc;
};
struct fl_change_row {
    const struct fl_change *change;
    uint64_t event_seq;
};

typedef enum fl_fx_kind {
    FL_FX_ALERT, FL_FX_INCIDENT, FL_FX_TIMELINE, FL_FX_RANKING, FL_FX_RUN, FL_FX_CALL, FL_FX_TOPOLOGY,
    FL_FX_CHANGE, FL_FX_SILENCE, FL_FX_MAINTENANCE, FL_FX_MODEL, FL_FX_MODEL_USE, FL_FX_VERDICT, FL_FX_AUDIT,
    /* orders: released only after the rows of the same step are committed ("audit before act") */
    FL_FX_RUN_START, FL_FX_ACT, FL_FX_REPLY, FL_FX_STOP, FL_FX_ANSWER,
} fl_fx_kind;

/** A call already in the run's record, given to the runner when a run (re)starts. */
struct fl_recorded_call {
    unsigned n;
    const char *fn, *args, *step;
    struct fl_sha256 args_hash;
    fl_call_state state;
    const char *result;
};
struct fl_order_start { /* start or resume a worker */
    const char *run, *incident, *playbook, *source; /* source: the playbook's text */
    const char *ctx;                                /* JSON handed to run(ctx) */
    struct fl_sha256 playbook_hash;
    fl_usec deadline;                               /* wall clock, of the whole run */
    const struct fl_recorded_call *calls;
    size_t n_calls;
};
struct fl_order_act { /* carry out one effect; its outcome returns as FL_EV_RUN_OUTCOME */
    const char *run;
    unsigned n;
    const char *fn, *args;
    const char *idempotency_key; /* stable per (run, n) */
    fl_usec deadline;
};
struct fl_order_reply { /* answer a worker's call n with its recorded result */
    const char *run;
    unsigned n;
    fl_call_state state;
    const char *result; /* JSON: the value, or {"error":…} when not DONE */
};
struct fl_order_stop { /* end a worker: aborted, timed out, … */
    const char *run, *reason;
};
struct fl_order_answer { /* to whoever sent the FL_EV_COMMAND of this step */
    fl_status status;
    const char *json; /* result object, or {"error":{"code","message","hint"}} */
};

struct fl_fx {
    fl_fx_kind kind;
    union {
        struct fl_alert_row alert;
        struct fl_incident_row incident;
        struct fl_timeline_row timeline;
        struct fl_ranking_row ranking;
        struct fl_run_row run;
        struct fl_call_row call;
        struct fl_topology_row topology;
        struct fl_change_row change;
        struct fl_silence_row silence;
        struct fl_maintenance_row maintenance;
        struct fl_model_row model;
        struct fl_model_use_row model_use;
        struct fl_verdict_row verdict;
        struct fl_audit_entry audit;
        struct fl_order_start start;
        struct fl_order_act act;
        struct fl_order_reply reply;
        struct fl_order_stop stop;
        struct fl_order_answer answer;
    };
};
/** What one step wants done. Owns its memory; outlives the state. */
struct fl_effects {
    struct fl_arena *arena;
    const char *realm;
    size_t event_bytes; /* of the event's body: what its derived work weighs */
    uint64_t event_seq; /* rows are applied once: the projector skips steps it has committed already */
    struct fl_fx *v;
    size_t n, cap;
};
struct fl_effects *fl_effects_new(void);
struct fl_effects *fl_effects_free(struct fl_effects *fx);
/** Append one effect; the slot is zeroed but for its kind and valid until the next add. NULL: no memory. */
struct fl_fx *fl_effects_add(struct fl_effects *fx, fl_fx_kind kind);
const char *fl_fx_kind_name(fl_fx_kind k); /* alert, incident, …, run_start, act, reply, stop, answer */
bool fl_fx_kind_parse(const char *s, fl_fx_kind *ret);
