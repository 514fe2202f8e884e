/* SPDX-License-Identifier: GPL-3.0-or-later */
/* case_priv.h -- shared by the files that read a case directory. */
#pragma once

#include <faultline/case.h>
#include <faultline/json.h>

/** Call `each` for every line that is not blank; err->where becomes path:line. Lines are NUL terminated. */
FL_MUST_CHECK fl_status fl_case_lines(const char *path, char *text, size_t n,
                                      fl_status (*each)(void *ctx, const char *line, size_t n,
                                                        struct fl_err *err),
                                      void *ctx, struct fl_err *err);
/** The next CSV field, unquoted in place; *p moves behind the comma, NULL after the last field. */
char *fl_csv_field(char **p);
/** dir/name, or name when that is absolute. */
char *fl_case_path(struct fl_arena *arena, const char *dir, const char *name);
