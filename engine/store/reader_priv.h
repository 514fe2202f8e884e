/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/reader_priv.h -- borrowing a reading connection (private to the stage). */
#pragma once

#include "store_priv.h"

struct lease {
    PGconn *c;
    size_t i;
};
FL_MUST_CHECK fl_status fl_reader_borrow(struct fl_reader *r, struct lease *ret, struct fl_err *err);
void fl_reader_return(struct fl_reader *r, struct lease *l);
/** The connection that may write tokens; locked until fl_reader_tokens_done (only after FL_OK). */
FL_MUST_CHECK fl_status fl_reader_tokens(struct fl_reader *r, PGconn **ret, struct fl_err *err);
void fl_reader_tokens_done(struct fl_reader *r);
/** One query on some connection; again on another when the first turns out dead. */
FL_MUST_CHECK fl_pq_fault fl_reader_query(struct fl_reader *r, const char *sql, const struct fl_pq_params *p,
                                          PGresult **ret, struct fl_err *err);
