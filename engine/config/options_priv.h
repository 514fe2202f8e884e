/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/config/options_priv.h -- where each option of the table lives in struct fl_config. */
#pragma once

#include <faultline/config.h>

typedef enum option_kind {
    OPT_STRING,
    OPT_INTEGER,
    OPT_DURATION,
    OPT_BOOLEAN,
    OPT_HTTP_ALLOW,
    OPT_COMMANDS
} option_kind;

struct option_slot {
    option_kind kind;
    size_t offset;      /* in struct fl_config; of the list pointer for the two lists */
    int64_t min, max;   /* integers as they are, durations in microseconds */
    const char *choice; /* strings: "a|b|c", or NULL for any */
};
/** Same order as fl_config_options(). */
const struct option_slot *fl_config_slots(void);
