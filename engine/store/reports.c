/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/reports.c -- sums of reports by the hour, for the noise figures; contract in <faultline/store.h>. */
#include "reader_priv.h"

#define COLUMN(elem, add, member)                       \
    do {                                                \
        struct fl_pq_array col = fl_pq_array(&p, elem); \
        for (size_t i = 0; i < n; i++)                  \
            add(&col, member);                          \
        fl_pq_array_end(&col);                          \
    } while (0)

fl_status fl_reports_add(struct fl_reader *r, const char *realm, const struct fl_noise_count *v, size_t n,
                         struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p, q;
    size_t bad;
    PGconn *c;
    fl_pq_params_init(&p, a);
    fl_pq_params_init(&q, a);
    fl_pq_text(&p, realm);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, v[i].rule);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, v[i].team);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, v[i].source);
    COLUMN(FL_PQ_I64, fl_pq_add_i64, (int64_t)v[i].reports);
    fl_pq_text(&q, realm);
    const struct fl_pq_stmt st[] = {
        {.sql =
             "INSERT INTO alert_report AS t (realm, hour, rule, team, source, reports)"
             " SELECT $1, date_trunc('hour', now(), 'UTC'), u.r, u.t, u.s, u.n"
             " FROM unnest($2::text[], $3::text[], $4::text[], $5::bigint[]) u(r, t, s, n)"
             " ON CONFLICT (realm, hour, rule, team, source) DO UPDATE SET reports = t.reports + excluded.reports",
         .p = &p},
        {.sql = "DELETE FROM alert_report WHERE realm = $1 AND hour < now() - interval '31 days'", .p = &q}};
    fl_status s = fl_reader_tokens(r, &c, err);
    if (s != FL_OK)
        return s;
    fl_pq_fault f = fl_pq_batch(c, st, FL_ARRAY_LEN(st), NULL, &bad, err);
    fl_reader_tokens_done(r);
    return fl_pq_status(f);
}
