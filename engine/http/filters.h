/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/filters.h -- filter=…, as lists of alerts and of silences take it (layer 5). */
#pragma once

#include "http_priv.h"

enum { FILTERS_MAX = 32 };
struct filters {
    struct fl_matcher m[FILTERS_MAX];
    size_t n;
};
/**
 * The arguments `filter` of a request, compiled; filters_done() frees them whatever this says.
 * @param max       more than so many are refused.
 * @param as_go     patterns as Go compiles them there, so that their mistakes are told in the same words.
 * @param ret_text  on failure the filter that is refused.
 */
FL_MUST_CHECK fl_status filters_read(struct request *r, size_t max, bool as_go, struct filters *f,
                                     const char **ret_text, struct fl_err *err);
void filters_done(struct filters *f);
