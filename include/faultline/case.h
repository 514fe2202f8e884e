/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/case.h -- one labelled incident as files describe it: plain structs that the ranking
 * reads, and the reader (engine/intake/case*.c, layer 2). Nothing here is used by a running engine. */
#pragma once

#include <faultline/model.h>

#define FL_CASE_FILE_MAX (256u << 20) /* bytes of one file, unpacked */
#define FL_CASE_COLUMNS_MAX 100000u
#define FL_CASE_ROWS_MAX 1000000u
#define FL_CASE_VALUES_MAX 20000000u /* rows times columns of one table */

/** A metrics table: time,<component>|<metric>,… A missing, infinite or unreadable value is a hole (NaN), and so is
 *  what a row lacks that ends early; a row with more fields than the head has is refused. */
struct fl_table {
    size_t n_rows, n_cols;
    const double *time;            /* seconds since the epoch, ascending */
    const char *const *component;  /* of each column */
    const char *const *metric;
    const double *v;               /* column after column: v[col * n_rows + row] */
    const uint32_t *order;         /* rows of each column by value, ascending; holes (NaN) last */
};

/** Spans of one caller, callee and operation in one bucket of time. */
struct fl_trace_row {
    uint64_t key;                  /* hash of caller, callee and operation; never 0 */
    int64_t bucket;                /* seconds since the epoch, ascending; 0 in a baseline */
    const char *caller, *callee, *operation; /* caller "" for the entry */
    double spans, p50_ms, p90_ms, self_p90_ms, net_p90_ms; /* NaN when absent */
};
struct fl_traces {
    const struct fl_trace_row *v;
    size_t n;
};

/** What an offline case has beyond its alerts. Any part may be empty. */
struct fl_case_data {
    struct fl_table metrics, baseline;
    struct fl_traces traces, traces_baseline;
    const char *entry_metric;      /* what the page was about ("latency", "availability"), or NULL */
    fl_usec page_time;             /* 0 when unknown */
    bool untimed;                  /* alert times say nothing about order */
    double trace_minutes;          /* 0 when unknown */
};

struct fl_case {
    const char *name, *dir;
    const char *system;            /* which running system it happened in; NULL when not told */
    struct fl_topology_doc topology;
    const struct fl_alert *alerts;
    size_t n_alerts;
    const char *const *candidates; /* node ids, or empty: any */
    size_t n_candidates;
    const char *entry;             /* node id, or NULL */
    const struct fl_change *changes;
    size_t n_changes;
    struct fl_case_data data;
};

/** Truth of one case, a line of expected.jsonl. */
struct fl_expected {
    const char *name, *service, *fault_type; /* fault_type "" when absent */
    const char *exact;             /* node id, or NULL */
    const char *change;            /* id of the culprit change, "none", or NULL when not labelled */
    const char *group;             /* cases with the same group are variants of one incident; NULL when alone */
};
struct fl_expected_set {
    const struct fl_expected *v;   /* sorted by name */
    size_t n;
};

/** Files that several cases share (topology, baselines) are read once. */
struct fl_case_cache;
struct fl_case_cache *fl_case_cache_new(void);
struct fl_case_cache *fl_case_cache_free(struct fl_case_cache *c);

/**
 * Read one case directory (case.json, alerts.jsonl[.gz], and what case.json names).
 * @param cache  owns what is shared; must live as long as *ret. @param arena  owns the rest.
 * @return FL_OK, FL_E_IO (a file is missing or cannot be read), FL_E_SYNTAX, FL_E_SHAPE, FL_E_LIMIT, FL_E_NOMEM;
 * err->where is the file, and its line where it has lines: "F:7: labels".
 */
FL_MUST_CHECK fl_status fl_case_read(struct fl_arena *arena, struct fl_case_cache *cache, const char *dir,
                                     struct fl_case *ret, struct fl_err *err);
/** Read expected.jsonl. */
FL_MUST_CHECK fl_status fl_case_expected(struct fl_arena *arena, const char *path, struct fl_expected_set *ret,
                                         struct fl_err *err);
const struct fl_expected *fl_expected_find(const struct fl_expected_set *s, const char *name); /* or NULL */

/* The single parts, for files named on the command line. A name ending in .gz is unpacked. */
FL_MUST_CHECK fl_status fl_case_file(const char *path, struct fl_buf *out, struct fl_err *err);
FL_MUST_CHECK fl_status fl_case_alerts(struct fl_arena *arena, const char *path, struct fl_alert **ret,
                                       size_t *ret_n, struct fl_err *err);
FL_MUST_CHECK fl_status fl_case_table(struct fl_arena *arena, const char *path, struct fl_table *ret,
                                      struct fl_err *err);
FL_MUST_CHECK fl_status fl_case_traces(struct fl_arena *arena, const char *path, struct fl_traces *ret,
                                       struct fl_err *err);
FL_MUST_CHECK fl_status fl_case_changes(struct fl_arena *arena, const char *path, struct fl_change **ret,
                                        size_t *ret_n, struct fl_err *err);
FL_MUST_CHECK fl_status fl_case_topology(struct fl_arena *arena, const char *path, struct fl_topology_doc *ret,
                                         struct fl_err *err);
