/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/lookalike.h -- what the files of the Alertmanager look-alike share (layer 5). */
#pragma once

#include "filters.h"

#define V2_RECEIVER "faultline"
#define V2_VERSION \
    "0.25.0" /* whose answers these are: amtool warns of any other one than its own, Karma wants 0.22 at least */
enum { V2_PAGE = 10000 };

/* The labels that `config.original` groups by and alerts/groups does. */
extern const char *const v2_group_by[];
extern const size_t n_v2_group_by;

/* A string as the body, as Alertmanager writes its errors. */
void v2_string(struct request *r, unsigned code, const char *text);
/* {"code","message"} as its generated server writes them. http: the status, code: the number in the body. */
void v2_object(struct request *r, unsigned http, unsigned code, const char *text);

/* False: a 400 was given. */
bool v2_filters_parse(struct request *r, struct filters *f);
/* Does receiver=… (a regex) mean ours? False: a 400 was given. */
bool v2_receiver(struct request *r, bool *ret);
/* Go's ConvertBool: what is no word for true is false; absent is true. */
bool v2_flag(const struct request *r, const char *name);
/* Milliseconds and Z; NULL or unreadable text gives dflt. */
void v2_time(struct fl_jw *w, const char *key, const char *text, fl_usec dflt);
/* 422 and false when the path's id is no UUID. */
bool v2_id(struct request *r);
