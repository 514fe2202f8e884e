/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cold.h -- weights for an engine without history. */
#pragma once

#include "rank_internal.h"

const struct fl_model *fl_model_cold(void);
/** The model to use: the given one, or the first day's when it is the built-in one and there is no history yet. */
const struct fl_model *fl_model_for(const struct fl_model *m, const struct fl_rank_input *in);
