/* SPDX-License-Identifier: GPL-3.0-or-later */
/* rank_parts.h -- what rank.c, explain.c and culprit.c need of each other. */
#pragma once

#include "rank_internal.h"

struct fl_scored {
    size_t group;
    double score, probability;
};
/** Evidence, features and the eligible groups in order. */
struct fl_scores {
    struct fl_evidence ev;
    double *x;
    struct fl_scored *order;
    size_t n;
};
/** @param skip_alert index of an alert to leave out, or SIZE_MAX. @param skip_edge from and to, or NULL. */
FL_MUST_CHECK fl_status fl_score(struct fl_arena *arena, const struct fl_model *model,
                                 const struct fl_rank_input *in, size_t skip_alert,
                                 const fl_vertex *skip_edge, struct fl_scores *ret, struct fl_err *err);
/** Contributions of one candidate against the mean candidate. */
FL_MUST_CHECK fl_status fl_explain_terms(const struct fl_evidence *ev, const struct fl_model *model,
                                         const double *x, const double *mean, size_t group,
                                         struct fl_candidate *c, struct fl_err *err);
/** The one alert or edge whose absence demotes the candidate most. */
FL_MUST_CHECK fl_status fl_explain_what_if(const struct fl_evidence *ev, const struct fl_model *model,
                                           size_t group, size_t rank, struct fl_candidate *c,
                                           struct fl_err *err);
/** The change that most likely made the first candidate fail, or none. */
FL_MUST_CHECK fl_status fl_culprit_find(const struct fl_evidence *ev, size_t group, struct fl_ranking *r,
                                        struct fl_err *err);
