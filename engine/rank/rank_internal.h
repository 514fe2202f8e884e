/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rank_internal.h -- the inside of the ranking: evidence → groups → features → scores. */
#pragma once

#include <faultline/case.h>
#include <faultline/rank.h>

/* What an alert says, finer than its evidence class: the quantity, its direction, and whose side of a call
 * was watched. Made from class, direction and metric words; never from the names of components. */
enum fl_kind {
    FL_K_CPU,
    FL_K_MEM,
    FL_K_IO,
    FL_K_POOL,
    FL_K_RES_DOWN, /* resource up by quantity; any resource down */
    FL_K_NET_UP,
    FL_K_NET_DOWN, /* bytes or packets of a component */
    FL_K_NET_EDGE, /* network time of a call, credited to the callee */
    FL_K_ERR,
    FL_K_ERR_EDGE,
    FL_K_ERR_SELF, /* error metric; failed calls, credited to the callee; inside */
    FL_K_LOG_BAD,
    FL_K_LOG, /* log pattern: error severity; any other */
    FL_K_LAT,
    FL_K_LAT_OUT,
    FL_K_LAT_DOWN, /* latency metric as server, as client; falling */
    FL_K_SPAN,
    FL_K_SPAN_SELF, /* slow span: called by another; inside the component */
    FL_K_TRAF_UP,
    FL_K_TRAF_DOWN,
    FL_K_TRAF_OUT_DOWN,
    FL_K_AVAIL,
    FL_K_MISSING,
    FL_K_GOOD,
    FL_K_OTHER, /* good: availability or success rising, errors falling */
    /* the caller's side of the same alert */
    FL_K_OUT_SPAN,
    FL_K_OUT_NET,
    FL_K_OUT_ERR,
    FL_K_OUT_MISSING,
    /* another component's span, error or log line that names this one */
    FL_K_NAMED_SPAN,
    FL_K_NAMED_ERR,
    FL_K_NAMED_LOG,
    FL_K_N
};
#define FL_K_OWN_N FL_K_OUT_SPAN /* kinds below are the component's own evidence */
const char *fl_kind_name(enum fl_kind k);

/** One alert credited to one group. */
struct fl_item {
    uint32_t group;
    fl_vertex node;
    enum fl_kind kind;
    double rarity;  /* 0 … 1: 1 = never seen in the history */
    double size;    /* how far the value is from its usual one: |log ratio|, 0 … 6; 0 when not told */
    uint32_t alert; /* index into the input */
};

#define FL_GROUPS_MAX 4096u

/** A service with its instances, or a host, or a store: the unit that is ranked. */
struct fl_group {
    fl_vertex vertex;
    bool eligible; /* may be named as the cause */
    bool alerting;
    bool host;
    uint32_t n;  /* own alerts */
    double mass; /* rarity of the own alerts together */
    double max_rarity;
    fl_usec first; /* earliest own alert of rarity above one half; 0 = none */
    double kind_mass[FL_K_N];
    uint32_t kind_n[FL_K_N];
    uint32_t *needs, *needed_by; /* groups, by calls or data */
    uint32_t n_needs, n_needed_by;
};
struct fl_name {
    uint64_t hash; /* of the id's letters and digits */
    uint32_t group;
};
/** Quartiles of a column while nothing was wrong. */
struct fl_usual {
    double low, middle, high;
    bool known;
};
/** One column of the metric table, at one group. */
struct fl_deviation {
    uint32_t group, column;
    enum fl_kind kind; /* what an alert about it would say */
    double z;          /* signed, in widths of the usual range */
    double value;
    struct fl_usual usual;
};
struct fl_evidence {
    struct fl_arena *arena;
    const struct fl_rank_input *in;
    struct fl_group *groups; /* sorted by vertex */
    size_t n_groups;
    struct fl_name *names; /* of every group, by hash and group: which one a text names */
    struct fl_item *items;
    size_t n_items;
    double mass, kind_mass[FL_K_N];
    uint32_t n_own;
    int entry; /* group of the paged node, -1 */
    struct fl_deviation *deviations; /* filled with the features; none without a metric table */
    size_t n_deviations;
};
/** Sort descending, and place among them: how many are above, how many equal (binary search). */
void fl_sort_down(double *v, size_t n);
size_t fl_count_above(const double *v, size_t n, double than);
size_t fl_count_from(const double *v, size_t n, double than); /* at least as large */
/** @param skip_alert index of an alert to leave out, or SIZE_MAX. @param skip_edge units from, to, or NULL:
 *  as if nothing of the first needed anything of the second. */
FL_MUST_CHECK fl_status fl_evidence_build(struct fl_arena *arena, const struct fl_rank_input *in,
                                          size_t skip_alert, const fl_vertex *skip_edge,
                                          struct fl_evidence *ret, struct fl_err *err);
/** Group of a vertex (its service's), -1 when it is in none. */
int fl_evidence_group(const struct fl_evidence *ev, fl_vertex v);
enum fl_kind fl_kind_of(const struct fl_topo *t, const struct fl_rank_alert *a);

/* ---- history ---- */

/** What an alert is remembered by: its fingerprint, but without labels that hold a reading ("count"). */
uint64_t fl_history_identity(const struct fl_alert *a);
/** How often an alert was part of past incidents, as rarity 0 … 1; 1 without history. */
double fl_history_rarity(const struct fl_history *h, uint64_t identity);
/** What an alert says, whoever says it: its name, metric, direction and log template. */
uint64_t fl_history_saying(const struct fl_alert *a);
/** How rarely any component said this in past incidents, 0 … 1; 1 without history. */
double fl_history_unsaid(const struct fl_history *h, const struct fl_alert *a);
/** How unusual it is, against past incidents, that this group has `n` alerts of this kind: about a z-score,
 *  between -4 and 6; 0 without history. */
double fl_history_surprise(const struct fl_history *h, const char *group, enum fl_kind kind, uint32_t n);
double fl_history_incidents(const struct fl_history *h);

/* ---- features ---- */

enum { FL_FEATURES_MAX = 320 };
/** The weight that training pulls this feature to. */
double fl_feature_prior(size_t i);
/** It keeps that weight: training does not move it. */
bool fl_feature_fixed(size_t i);
/** How strongly training pulls this feature to its prior weight, against the others. */
double fl_feature_pull(size_t i);
/** One row of fl_feature_count() values per group. */
FL_MUST_CHECK fl_status fl_features_build(struct fl_evidence *ev, double **ret, struct fl_err *err);

/* ---- model ---- */

struct fl_model {
    char *id;
    double *weight;   /* one per feature of this build */
    double scale;     /* probability = softmax(scale · score): calibration */
    double threshold; /* confidence below which no cause is convincing */
    char *json;
    double *training; /* mean and spread of each feature in its training; NULL: it does not say */
    bool builtin;
};

/* ---- drift.c: what a model was trained on ---- */

void fl_train_describe(const struct fl_train_case *cases, size_t n, struct fl_train_result *ret);
struct fl_jw;
struct fl_json;
void fl_training_write(const struct fl_train_result *r, struct fl_jw *w);
FL_MUST_CHECK fl_status fl_training_read(struct fl_model *m, const struct fl_json *v, struct fl_err *err);
