/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/model_page.h -- a model for people, and how models did by verdicts (layer 6). */
#pragma once

#include "cli.h"

/** What it was made from, threshold and weights in words; the largest ones, or `all`. */
void model_page(const struct fl_json *model, bool all);
/** "12 of 15 (80 %)", "-" when there is nothing to say. */
const char *model_share(const struct fl_json *hits, const char *right, const char *known, char *buf,
                        size_t cap);
/** The answer of /api/v1/models/evaluation. */
void model_evaluation_page(const struct fl_json *doc);
