/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/log.h -- one line per event on stderr, logfmt; may be lost, audit may not (layer 0).
 * Stages up to layer 3 do not log; flow's caller, runner, http, store and daemon do. */
#pragma once

#include <faultline/base.h>

typedef enum fl_log_level { FL_LOG_DEBUG, FL_LOG_INFO, FL_LOG_WARN, FL_LOG_ERROR } fl_log_level;
void fl_log_set_level(fl_log_level level);
/** @param group six letters or fewer: "http", "store", "core", "runner", "daemon".
 *  The message is one line: control characters are escaped. Any thread. */
void fl_log(fl_log_level level, const char *group, const char *fmt, ...) FL_PRINTF(3, 4);
/** "what: text (where); hint" of a recorded failure. */
void fl_log_err(fl_log_level level, const char *group, const char *what, const struct fl_err *err);
