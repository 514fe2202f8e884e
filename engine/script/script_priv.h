/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/script_priv.h -- shared by the files of the engine's side of this stage. */
#pragma once

#include <faultline/script.h>

/** fl_script_rehearse for any kind of start frame; answer may be NULL. */
FL_MUST_CHECK fl_status fl_script_session(const char *program, const struct fl_worker_limits *l,
                                          const char *kind, const char *name, const char *source, size_t n,
                                          const char *ctx, fl_usec budget,
                                          void (*answer)(void *arg, unsigned n, const char *fn,
                                                         const char *args, const char *step,
                                                         struct fl_buf *reply),
                                          void *arg, struct fl_rehearsal *ret, struct fl_err *err);
