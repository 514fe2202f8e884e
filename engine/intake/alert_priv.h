/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/alert_priv.h -- one alert of a body as its members were found, before it is judged. Readers fill
 * it; fl_raw_judge alone knows what each format accepts. */
#pragma once

#include "pull_priv.h"

#include <faultline/intake.h>

/* `type` is the first byte of the JSON value: '"', '{', '[', 't', 'f', 'n' or a digit; 0 = absent. */
struct fl_raw_text {
    char type;
    struct fl_text text;
};
struct fl_raw_map {
    char type;       /* of the map; '{' when it is one */
    char value_type; /* of the first value that is no string; 0 when all are */
    bool too_many, name_too_long, value_too_long;
    struct fl_label v[FL_LABELS_MAX];
    size_t n;
};
struct fl_raw_alert {
    char type;
    bool bad_text;
    struct fl_raw_map labels, annotations;
    struct fl_raw_text status, starts, ends, url;
};

struct fl_judge {
    struct fl_arena *arena;
    fl_format format;
    fl_usec now;
};
/** @return FL_OK, FL_E_NOMEM, or the reason's status with ret_reject->where (below the element), reason and code. */
FL_MUST_CHECK fl_status fl_raw_judge(const struct fl_judge *j, size_t index, struct fl_raw_alert *raw,
                                     struct fl_alert *ret, struct fl_reject *ret_reject);
