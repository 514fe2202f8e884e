/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/rank.h -- incident → ordered candidates with evidence; models and history (layer 3).
 * Core thread only (graph). Deterministic: no clock, no unordered iteration, scores quantised to 1e-9. */
#pragma once

#include <faultline/model.h>
#include <faultline/topology.h>

/** An alert of the incident as the ranking sees it. */
struct fl_rank_alert {
    const struct fl_alert *alert;
    fl_vertex node, peer; /* peer: the caller / other endpoint, -1 when none */
    fl_evidence_class cls;
    fl_severity severity;
};

struct fl_history; /* how often each alert was seen in past incidents; owned by the flow state */
struct fl_history *fl_history_new(void);
struct fl_history *fl_history_free(struct fl_history *h);
/** One past incident's alerts, without labels of truth. Deterministic. */
FL_MUST_CHECK fl_status fl_history_learn(struct fl_history *h, const struct fl_topo *t,
                                         const struct fl_rank_alert *alerts, size_t n, fl_usec at);
/** Take one incident out again: exact, for leaving a case out of its own history. */
FL_MUST_CHECK fl_status fl_history_forget(struct fl_history *h, const struct fl_topo *t,
                                          const struct fl_rank_alert *alerts, size_t n);
/** Text form for snapshots: write is deterministic (sorted). */
void fl_history_write(const struct fl_history *h, struct fl_jw *w, const char *key);
FL_MUST_CHECK fl_status fl_history_read(struct fl_history *h, const struct fl_json *v, struct fl_err *err);

struct fl_model; /* weights, immutable */
const struct fl_model *fl_model_default(void);
FL_MUST_CHECK fl_status fl_model_parse(const char *json, size_t n, struct fl_model **ret, struct fl_err *err);
struct fl_model *fl_model_free(struct fl_model *m);
/** What stands in for the default model until there is a history to lean on. */
const struct fl_model *fl_model_first_day(void);
/** 12 hex digits of the SHA-256 of its canonical text; "first-day". */
const char *fl_model_id(const struct fl_model *m);
const char *fl_model_json(const struct fl_model *m); /* as parsed */

struct fl_case_data;
struct fl_rank_metrics; /* the metric table of a case, its columns mapped and classed */
/**
 * Map and class the columns of a case's metric table by the rules that alerts go by, and find what is usual in its
 * baseline file. *ret lives in `arena`; NULL when there is no table.
 * @return FL_OK, FL_E_NOMEM.
 */
FL_MUST_CHECK fl_status fl_rank_metrics_new(struct fl_arena *arena, const struct fl_rules *rules,
                                            const struct fl_topo *topo, const struct fl_case_data *data,
                                            const struct fl_rank_metrics **ret, struct fl_err *err);

struct fl_rank_input {
    struct fl_topo *topo;
    const struct fl_rank_alert *alerts;
    size_t n_alerts;
    fl_vertex entry;                  /* the paged node, -1 when unknown */
    const struct fl_history *history; /* may be NULL */
    const struct fl_change *changes;
    size_t n_changes;
    const struct fl_case_data *data;  /* metrics, traces of an offline case; NULL in the engine */
    const struct fl_rank_metrics *metrics; /* of data->metrics; NULL: no table is looked at */
    const fl_vertex *candidates;      /* restrict to these; NULL = alerting nodes and their neighbourhood */
    size_t n_candidates;
    size_t max_candidates;            /* keep at most this many in the result; 0 = 20 */
    bool explain;                     /* texts, paths, counterfactuals; false = scores only */
};
/** Rank. Result lives in `arena`. Empty incidents give 0 candidates, not an error. */
FL_MUST_CHECK fl_status fl_rank(struct fl_arena *arena, const struct fl_model *model,
                                const struct fl_rank_input *in, struct fl_ranking **ret, struct fl_err *err);

/* ---- training: conditional logit over the candidates of labelled incidents ----------------------- */

size_t fl_feature_count(void);
const char *fl_feature_name(size_t i);
/** What a feature of this name says of a candidate, in words. Returns buf. Any thread. */
const char *fl_feature_words(const char *name, char *buf, size_t cap);

/** The features of one incident: what training and drift watching need. */
struct fl_features {
    size_t n;                    /* candidates (services, hosts, stores) */
    const double *x;             /* n rows of fl_feature_count() */
    const fl_vertex *vertex;     /* of each row */
};
FL_MUST_CHECK fl_status fl_rank_features(struct fl_arena *arena, const struct fl_rank_input *in,
                                         struct fl_features *ret, struct fl_err *err);

/** Mean of each feature over the candidates: fl_feature_count() values. */
void fl_features_mean(const struct fl_features *x, double *ret);
/** What the incidents looked like that the model was trained on; false: it does not say. Core thread. */
bool fl_model_training(const struct fl_model *m, size_t feature, double *mean, double *spread);
double fl_model_weight(const struct fl_model *m, size_t feature);

struct fl_train_case {
    struct fl_features features;
    const bool *truth;           /* of each row; several may be true (their probabilities add) */
    double weight;               /* share of this case in the whole */
    unsigned set;                /* which data set it is of (reports) */
};
struct fl_train_options {
    double l2;                   /* strength of the pull to 0; features are scaled to unit spread */
    unsigned iterations;
};
struct fl_train_result {
    double weight[320];          /* per feature, in the features' own units */
    double scale;                /* calibration */
    double loss;
    size_t cases;                /* what it was trained on: how many, until when (the caller's, 0 = not known), … */
    fl_usec newest;
    double mean[320], spread[320]; /* … and, over them, each feature's mean over the candidates of a case */
};
/** Deterministic to the bit: fixed order, no randomness. */
FL_MUST_CHECK fl_status fl_model_train(const struct fl_train_case *cases, size_t n,
                                       const struct fl_train_options *opt, struct fl_train_result *ret,
                                       struct fl_err *err);
/** Model text of a result. `note` says from what it was made. */
void fl_model_write(const struct fl_train_result *r, const char *note, double threshold, struct fl_buf *out);
/** A model straight from a result (cross-validation). */
struct fl_model *fl_model_from(const struct fl_train_result *r);

/* ---- two models on the same incidents ------------------------------------------------------------- */

/** One incident under both: 1 when the truth stands high enough, 0 when not, between when scores tie. */
struct fl_pair {
    unsigned set;  /* which data set; pairs of one set stand together */
    size_t unit;   /* variants of one incident have the same number within the set: they are drawn together */
    double first, second;
};
struct fl_paired {
    double first, second;         /* mean over sets of the mean over their cases */
    double difference, low, high; /* second − first; bounds of its 95 % interval */
    size_t cases, units, sets, better, worse; /* better: cases in which the second one does */
};
/**
 * Paired bootstrap, 10,000 draws of whole units within each set (percentile interval). The draws come from a
 * fixed seed: the same pairs give the same bounds. No pairs: all zero.
 * @return FL_OK, FL_E_NOMEM, FL_E_SHAPE (the pairs of a set do not stand together).
 */
FL_MUST_CHECK fl_status fl_rank_compare(const struct fl_pair *v, size_t n, struct fl_paired *ret,
                                        struct fl_err *err);
