/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cold.h -- weights for an engine without history. */
#pragma once

#include "rank_parts.h"

const struct fl_model *fl_model_cold(void);
/** The model to use: the given one, or the first day's when it is the built-in one and there is no history yet. */
const struct fl_model *fl_model_for(const struct fl_model *m, const struct fl_rank_input *in);
/** One alert makes one candidate, and that is no certainty: the first day's probabilities leave room for a cause that
 *  has not alerted yet, one part in n + 1 of n alerts. Other models are calibrated by training. */
void fl_cold_doubt(const struct fl_model *m, struct fl_scores *s);
