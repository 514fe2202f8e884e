/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/http.h -- route table, authentication, limits (layer 5). The only user of libmicrohttpd. */
#pragma once

#include <faultline/config.h>
#include <faultline/intake.h>
#include <faultline/store.h>

/** What a picture of an incident shows; all borrowed. */
struct fl_picture {
    const char *title;
    const char *const *path;       /* node ids, cause first */
    size_t n_path;
    const char *const *candidates; /* best first */
    const double *confidence;      /* of each */
    size_t n_candidates;
    const char *const *alerts;     /* node of each alert, NULL = none */
    size_t n_alerts;
    bool convincing;
    const char *ranked_on;         /* hash of the topology that was ranked on, in hex; NULL: not known */
};

struct fl_flow;
struct fl_http;
struct fl_http_options {
    const struct fl_config *config;
    struct fl_store *store;
    struct fl_leases *leases;
    struct fl_noise *noise;           /* NULL: reports are not counted */
    struct fl_heartbeats *heartbeats; /* NULL: nobody is watched */
    const char *conninfo; /* for its readers */
    /** Extra Prometheus text of other stages for /metrics. */
    void (*metrics)(void *ctx, struct fl_buf *out);
    /** Ready = recovered and the journal is reachable. */
    bool (*ready)(void *ctx, char *why, size_t cap);
    /** POST /-/reload: read rules and playbooks again, swap only when all of it is good. NULL: 404. */
    fl_status (*reload)(void *ctx, struct fl_err *err);
    /** The mapping of a source as JSON, malloc()ed; NULL: no such source. Any thread. May be NULL. */
    char *(*mapping)(void *ctx, const char *source);
    /** {"signed": the last signed head of the audit trail or null, "key": its public key or null}. NULL: neither. */
    void (*head)(void *ctx, struct fl_buf *out);
    /** Draw an incident on the graph in force, as SVG. Read threads; waits for the core, a few seconds at most. NULL: none.
     *  @return FL_OK, FL_E_TIMEOUT (the core is busy), FL_E_UNAVAILABLE, FL_E_NOMEM, FL_E_LIMIT, FL_E_INTERNAL. */
    fl_status (*picture)(void *ctx, const struct fl_picture *what, struct fl_buf *out, struct fl_err *err);
    /** Run something on the core thread between two steps and wait for it: below a millisecond of work. Not FL_OK: it did not
     *  run and will not. NULL: there is no core. */
    fl_status (*ask)(void *ctx, void (*run)(void *arg, struct fl_flow *flow), void *arg, struct fl_err *err);
    const char *spool_dir; /* for long answers; NULL: the system's folder */
    void *ctx;
};
FL_MUST_CHECK fl_status fl_http_start(const struct fl_http_options *o, struct fl_http **ret, struct fl_err *err);
int fl_http_port(const struct fl_http *h); /* the bound port (listen may say :0) */
/** New intake is refused (503) from now on; reads go on. */
void fl_http_drain(struct fl_http *h);
/** Resume every suspended request with 503, then stop (MHD_stop_daemon aborts on suspended ones). */
struct fl_http *fl_http_stop(struct fl_http *h);
