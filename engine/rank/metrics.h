/* SPDX-License-Identifier: GPL-3.0-or-later */
/* metrics.h -- metric tables of offline cases: columns, what is usual, how far from it. */
#pragma once

#include "rank_internal.h"

struct fl_metric_column {
    fl_vertex node; /* -1: its component is no node */
    enum fl_kind up, down;  /* what it says when it is above or below usual */
    struct fl_usual usual;  /* from a baseline file */
};
struct fl_rank_metrics {
    const struct fl_table *table;
    const struct fl_metric_column *column;
};
/** Every column of a candidate that has both a usual range and values since it began, in order of the columns. A
 *  deviation is (middle of the values since it began - middle of the usual ones) / width of the usual range. */
FL_MUST_CHECK fl_status fl_metric_deviations(const struct fl_evidence *ev, struct fl_deviation **ret,
                                             size_t *ret_n, struct fl_err *err);
