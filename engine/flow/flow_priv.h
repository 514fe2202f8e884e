/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/flow_priv.h -- state of one realm, shared by the files of this stage; nobody else includes it. */
#pragma once

#include <faultline/correlate.h>
#include <faultline/flow.h>
#include <faultline/intake.h>
#include <faultline/json.h>
#include <faultline/respond.h>
#include <faultline/step.h>

enum {
    CHANGES_MAX = 1000,      /* recent changes kept as evidence */
    RANK_ALERTS_MAX = 50000, /* alerts of one incident the ranking looks at: the first ones */
    CTX_ALERTS_MAX = 50,     /* alerts shown to a playbook */
};
#define CHANGES_FOR (24 * 3600 * FL_USEC_PER_SEC)
/* A cause named by the very first alert is a guess: nothing is proposed before the incident is this old. */
#define PROPOSE_AFTER (2 * FL_USEC_PER_SEC)

struct change_item {
    struct fl_arena *arena; /* owns the change */
    struct fl_change change;
    struct change_item *next;
};

enum { MODEL_ID_LEN = 16 }; /* 12 hex digits or "first-day", and a NUL */

struct flow_models;   /* models.c */
struct flow_feedback; /* feedback.c */
struct flow_drift;    /* drift.c */

struct fl_flow {
    char *realm;
    const struct fl_rules *rules; /* in force: own_rules, or the caller's, or default_rules */
    struct fl_rules *own_rules, *default_rules;
    const struct fl_model *model,
        *shadow; /* in force; ranks beside, may be NULL. Owned by `models` or the caller */
    struct flow_models *models;
    struct flow_feedback *feedback;
    struct flow_drift *drift;
    char *config_text; /* body of the last FL_EV_CONFIG, or NULL */
    struct fl_sha256 config_hash;
    struct fl_topo *topo; /* never NULL: an empty graph at first */
    size_t services;      /* in it */
    char *topo_text;      /* canonical JSON of the graph, or NULL */
    struct fl_history *history;
    struct fl_corr *corr;
    struct fl_resp *resp;
    struct fl_audit_chain chain;
    struct change_item *changes, *last_change;
    size_t n_changes;
    struct silent *silent; /* senders that are silent now, in order of falling silent */
    uint64_t seq, alerts_in, runs;
    fl_usec at;
    enum { LOAD_NOTHING, LOAD_BEGUN, LOAD_DONE } load; /* of a snapshot */
    unsigned notes;                                    /* timeline rows of the step under way */
};

/* notes.c */
void flow_note(struct fl_step *s, const struct fl_note *n);
void flow_audit(struct fl_step *s, const char *action, const char *subject, const char *actor,
                const char *text, const char *detail);
void flow_answer(struct fl_step *s, fl_status st, const char *json, const struct fl_err *err);

/* config.c */
/* s is NULL while a snapshot is read. */
fl_status flow_apply_config(struct fl_flow *f, struct fl_step *s, const struct fl_json *body,
                            struct fl_err *err);
fl_status flow_apply_topology(struct fl_flow *f, struct fl_step *s, const char *text, size_t n,
                              struct fl_arena *arena, struct fl_topology_doc *doc, struct fl_err *err);

/* ranking.c */
void flow_rank_due(struct fl_flow *f, struct fl_step *s);
/** Every open incident that was ranked is ranked anew, a few a step: the model, the rules or the graph are others. */
void flow_rank_open(struct fl_flow *f, struct fl_step *s);
void flow_close_out(struct fl_flow *f, struct fl_step *s);
void flow_changes(struct fl_flow *f, struct fl_step *s, const char *body, size_t n);
void flow_forget_changes(struct fl_flow *f);
struct change_item *flow_keep_change(struct fl_flow *f, const struct fl_change *c);

/* models.c: which models there are, which is in force */
void flow_models_new(struct fl_flow *f, const struct fl_model *given, bool pinned);
void flow_models_free(struct fl_flow *f);
/* A configuration names this model: it comes into force unless the one before named the same. Takes m. */
void flow_models_config(struct fl_flow *f, struct fl_step *s, struct fl_model *m);
/* Rows of what is new in this step. */
void flow_models_flush(struct fl_flow *f, struct fl_step *s);
/* Say again with the next rows what is in force: another program may have shipped other weights. */
void flow_models_started(struct fl_flow *f);
fl_status flow_model_add(struct fl_flow *f, struct fl_step *s, const struct fl_json *model,
                         char ret[MODEL_ID_LEN], struct fl_err *err);
fl_status flow_model_activate(struct fl_flow *f, struct fl_step *s, const char *id, const char *why,
                              struct fl_err *err);
fl_status flow_model_shadow(struct fl_flow *f, struct fl_step *s, const char *id, bool off, const char *why,
                            struct fl_err *err);
fl_status flow_model_rollback(struct fl_flow *f, struct fl_step *s, const char *why, struct fl_err *err);
void flow_models_write(const struct fl_flow *f, struct fl_jw *w, const char *key);
fl_status flow_models_read(struct fl_flow *f, const struct fl_json *v, struct fl_err *err);

/* feedback.c: what people said of rankings, against what was ranked */
struct flow_feedback *flow_feedback_new(void);
struct flow_feedback *flow_feedback_free(struct flow_feedback *b);
/* A ranking was made: its first candidates, and the shadow's (NULL: none), are kept until a verdict comes. */
void flow_feedback_ranked(struct fl_flow *f, const struct fl_incident *i, unsigned version,
                          const struct fl_ranking *live, const struct fl_ranking *shadow);
/* node NULL: the first candidate. */
void flow_feedback_verdict(struct fl_flow *f, struct fl_step *s, const struct fl_incident *i, bool confirmed,
                           const char *node, const char *change);
void flow_feedback_stats(const struct flow_feedback *b, struct fl_model_stats *ret);
void flow_feedback_write(const struct flow_feedback *b, struct fl_jw *w, const char *key);
void flow_feedback_read(struct flow_feedback *b, const struct fl_json *v);

/* heartbeat.c */
void flow_heartbeats(struct fl_flow *f, struct fl_step *s, const struct fl_json *body);
void flow_heartbeat_rules(struct fl_flow *f, struct fl_step *s);
/* The engine's own alert needs no lease: nobody repeats it. */
bool flow_is_silent_alert(const struct fl_flow *f, const struct fl_alert *a);
void flow_write_silent(const struct fl_flow *f, struct fl_jw *w);
void flow_read_silent(struct fl_flow *f, const struct fl_json *list);
void flow_forget_silent(struct fl_flow *f);

/* drift.c: do today's incidents look like those of the training? */
struct flow_drift *flow_drift_new(void);
struct flow_drift *flow_drift_free(struct flow_drift *d);
void flow_drift_incident(struct flow_drift *d, struct fl_arena *a, const struct fl_rank_input *in);
void flow_drift_alerts(struct flow_drift *d, const struct fl_corr *c);
void flow_drift_stats(const struct flow_drift *d, const struct fl_model *m, struct fl_model_stats *ret);
void flow_drift_write(const struct flow_drift *d, struct fl_jw *w, const char *key);
void flow_drift_read(struct flow_drift *d, const struct fl_json *v);

/* view.c */
struct flow_view {
    struct fl_resp_view v;
    struct fl_flow *f;
    struct fl_incident *i;
};
void flow_view(struct flow_view *ret, struct fl_flow *f, struct fl_step *s, struct fl_incident *i,
               const struct fl_ranking *r);
size_t flow_firing_on(void *ctx, const char *incident, const char *node);

/* commands.c */
void flow_command(struct fl_flow *f, struct fl_step *s, const struct fl_json *body);
