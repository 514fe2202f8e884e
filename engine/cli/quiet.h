/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/quiet.h -- how much a silence or a maintenance window hides, for the lists of both (layer 6). */
#pragma once

#include "cli.h"

/* All of them; nothing when the server does not say. reply_done() it. */
void hidden_load(const struct args *a, struct reply *ret);
const struct fl_json *hidden_find(const struct reply *r, const char *id); /* NULL: none; borrowed from r */
/* Member "hides" of a table's row: "23 (2 critical)!"; with "!" when it was spoken of. */
void hidden_cell(struct fl_jw *w, const struct fl_json *of);
/* Members for -o json. */
void hidden_members(struct fl_jw *w, const struct fl_json *of);
/* What "!" means, on standard error, if a row has one. */
void hidden_legend(const struct fl_json *list);
/* Matchers as Alertmanager's API has them, as people write them. */
void matchers_text(struct fl_buf *out, const struct fl_json *list);
