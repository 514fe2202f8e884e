/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/model_page.h -- a model for people, and how models did by verdicts (layer 6). */
#pragma once

#include "cli.h"

/** What it was made from, threshold and weights in words; the largest ones, or `all`. */
void model_page(const struct fl_json *model, bool all);
/** "12 of 15 (80 %)", "-" when there is nothing to say. */
const char *model_share(const struct fl_json *hits, const char *right, const char *known, char *buf,
                        size_t cap);
/** "+8 points, 95 % interval -3 … +19 on 24 incidents: no clear difference": a shadow against the live model, by how often
 *  the first one was right. @param pair  an element of "pairs". */
const char *model_difference(const struct fl_json *pair, char *buf, size_t cap);
/** Each pair of a live model and a shadow that people's verdicts compare. */
void model_pairs(const struct fl_json *list);
/** The answer of /api/v1/models/evaluation. */
void model_evaluation_page(const struct fl_json *doc);
