/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features.h -- the columns of the feature table, shared by the files that fill them. */
#pragma once

#include "rank_internal.h"

enum { F_METRIC_CLASSES = 9 };
enum {
    F_MASS_SHARE,
    F_RAREST_SHARE,
    F_MAX_RARITY,
    F_COUNT_SHARE,
    F_ALERTING,
    F_RANK1,
    F_KINDS,
    F_ENTRY,
    F_REACHED,
    F_UP1,
    F_UP3,
    F_DOWN1,
    F_SYMPTOM_BELOW,
    F_RESOURCE_BELOW,
    F_PAGE_CLASS,
    F_PAGE_LEAF,
    F_EARLY,
    F_SURPRISE,
    F_SURPRISE_MAX,
    F_SILENCE,
    F_EARLY_SHARE,
    F_EARLY_RES,
    F_ALONE,
    F_ALONE_MAX,
    F_RAREST_RANK,
    F_TOP5,
    F_DIVERSE,
    F_EDGES,
    F_EDGES_BOTH,
    F_HOST,
    F_HOST_BELOW,
    F_HOST_SHARED,
    F_STORE,
    F_LEAF,
    F_EXTERNAL,
    F_MAG_RES,
    F_MAG_LAT,
    F_MAG_NET,
    F_MAG_ERR,
    F_MAG_SHARE,
    F_MAG_PAGE,
    F_MAG_PAGE_REST,
    F_MAG_PAGE_RANK,
    F_T_SELF,
    F_T_SELF_RATIO,
    F_T_NET_IN,
    F_T_NET_OUT,
    F_T_NET_RATIO,
    F_T_LOST,
    F_T_LOST_SHARE,
    F_T_FEWER,
    F_OWN_ERR, /* four a class, errors, latency, network in this order: features_class.c */
    F_OWN_LAT,
    F_OWN_NET,
    F_REST_ERR,
    F_REST_LAT,
    F_REST_NET,
    F_ABOVE_ERR,
    F_ABOVE_LAT,
    F_ABOVE_NET,
    F_END_ERR,
    F_END_LAT,
    F_END_NET,
    F_CALLS_IN,
    F_CALLS_ALL_IN,
    F_CALLS_ALL_OUT,
    F_CALLS_BAD,
    F_CALLS_WORST,
    F_CALLS_MEAN,
    F_GAP_IN,
    F_GAP_ALL_IN,
    F_GAP_OUT,
    F_GAP_BAD,
    F_SAID_SHARE,
    F_SAID_MOST,
    F_SAID_RARE,
    F_METRIC0, /* one a class: features_metric.c */
    F_METRIC_LAST = F_METRIC0 + F_METRIC_CLASSES - 1,
    F_METRIC_SHARE,
    F_METRIC_REST,
    F_SINGLE_N,
    F_SHARE0 = F_SINGLE_N,
    F_LOGN0 = F_SHARE0 + FL_K_N,
    F_N = F_LOGN0 + FL_K_N
};

enum { C_UNTIMED, C_N };
enum { F_ALL = F_N * (C_N + 1) };

static inline double fl_share(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}
/** Rarity of what a caller would notice: latency, errors, availability. */
double fl_symptom_mass(const struct fl_group *g);
/** The group shows what the page was about. */
bool fl_has_page_class(const struct fl_evidence *ev, const struct fl_group *g);
void fl_size_features(const struct fl_evidence *ev, double *x);
void fl_trace_features(const struct fl_evidence *ev, double *x);
/** Each class of symptom explained away along dependencies by itself. `seen` starts below `*mark`, `queue` has
 *  room for every group. */
void fl_class_features(const struct fl_evidence *ev, uint32_t *seen, uint32_t *mark, uint32_t *queue,
                       double *x);
/** Bad calls as edges between two groups. */
FL_MUST_CHECK fl_status fl_call_features(const struct fl_evidence *ev, double *x, struct fl_err *err);
/** Calls that their caller finds slow or failed and the one that is called does not: trouble between the two. */
FL_MUST_CHECK fl_status fl_gap_features(const struct fl_evidence *ev, double *x, struct fl_err *err);
/** What is said, whoever says it: by one group only, or never before. */
FL_MUST_CHECK fl_status fl_said_features(const struct fl_evidence *ev, double *x, struct fl_err *err);
/** Deviations from usual in the case's metric table, kept in *ev: what is explained quotes them. */
FL_MUST_CHECK fl_status fl_metric_features(struct fl_evidence *ev, double *x, struct fl_err *err);
