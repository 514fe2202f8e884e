/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/picture.h -- the picture of one incident into a file (layer 6). */
#pragma once

#include <faultline/rank.h>

/**
 * Write what `r` says of the incident as SVG; `alerts`: the component of each alert, -1 when it has none.
 * @param ranked_on  hash of the topology that was ranked on, in hex, or NULL: the picture says when it is another one.
 * Candidates that the topology does not know are passed over.
 * @return FL_OK, FL_E_IO, FL_E_NOMEM, FL_E_LIMIT, FL_E_INTERNAL.
 */
FL_MUST_CHECK fl_status picture_write(const struct fl_topo *t, const char *title, const struct fl_ranking *r,
                                      const fl_vertex *alerts, size_t n_alerts, const char *ranked_on,
                                      const char *file, struct fl_err *err);
