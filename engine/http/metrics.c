/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/metrics.c -- health, readiness and the Prometheus text format 0.0.4 (layer 5). */
#include "lookalike.h"

#include <string.h>

void run_healthy(struct request *r)
{
    reply_text(r, 200, "OK");
}

void run_ready(struct request *r)
{
    char why[256] = "";
    struct fl_http *h = r->http;
    if (atomic_load(&h->draining))
        reply_text(r, 503, "stopping\n");
    else if (!h->o.ready || h->o.ready(h->o.ctx, why, sizeof why))
        reply_text(r, 200, "OK");
    else
        reply_text(r, 503, why[0] ? why : "not ready\n");
}

/* On a read thread: it starts worker processes and waits for them. */
void read_reload(struct request *r, struct fl_reader *db)
{
    (void)db;
    struct fl_err err = {0};
    if (!r->http->o.reload)
        reply_error(r, 404, "notfound", NULL, NULL, "there is nothing to reload");
    else if (r->http->o.reload(r->http->o.ctx, &err) != FL_OK)
        reply_error(r, 409, "reload", err.where, err.hint, "nothing was changed: %s", err.text);
    else
        reply_empty(r, 200);
}

static void family(struct fl_buf *b, const char *name, const char *type, const char *help)
{
    fl_buf_printf(b, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void one(struct fl_buf *b, const char *name, const char *type, const char *help, unsigned long long v)
{
    family(b, name, type, help);
    fl_buf_printf(b, "%s %llu\n", name, v);
}

static void per_route(struct fl_http *h, struct fl_buf *b)
{
    family(b, "faultline_http_requests_total", "counter",
           "Requests answered, by route and class of status code.");
    for (size_t i = 0; i <= n_routes; i++)
        for (unsigned c = 2; c < 6; c++) {
            unsigned long long n = atomic_load(&h->stats[i].by_class[c]);
            if (n)
                fl_buf_printf(b,
                              "faultline_http_requests_total{method=\"%s\",path=\"%s\",code=\"%uxx\"} %llu\n",
                              i < n_routes ? routes[i].method : "", i < n_routes ? routes[i].path : "", c, n);
        }
    family(b, "faultline_http_request_seconds_total", "counter",
           "Time spent on requests, from request line to answer.");
    for (size_t i = 0; i <= n_routes; i++) {
        unsigned long long us = atomic_load(&h->stats[i].usec);
        if (us)
            fl_buf_printf(b, "faultline_http_request_seconds_total{method=\"%s\",path=\"%s\"} %llu.%06llu\n",
                          i < n_routes ? routes[i].method : "", i < n_routes ? routes[i].path : "",
                          us / 1000000, us % 1000000);
    }
}

static void http_figures(struct fl_http *h, struct fl_buf *b)
{
    pthread_mutex_lock(&h->lock);
    size_t connections = h->n_connections, requests = h->n_requests;
    pthread_mutex_unlock(&h->lock);
    one(b, "faultline_http_connections", "gauge", "Open connections.", connections);
    one(b, "faultline_http_requests_in_flight", "gauge", "Requests not answered yet.", requests);
    one(b, "faultline_http_body_bytes", "gauge", "Bytes of request bodies held.",
        atomic_load(&h->body_bytes));
    one(b, "faultline_http_reads_waiting", "gauge", "Reads waiting for a thread.", fl_queue_items(h->reads));
    one(b, "faultline_http_connections_cut_total", "counter", "Connections cut at their deadline.",
        atomic_load(&h->cut));
    one(b, "faultline_http_framing_refused_total", "counter", "Requests refused for their framing.",
        atomic_load(&h->framing_refused));
    one(b, "faultline_http_auth_refused_total", "counter", "Requests refused with 401 or 403.",
        atomic_load(&h->auth_refused));
    one(b, "faultline_intake_alerts_accepted_total", "counter", "Alerts committed to the journal.",
        atomic_load(&h->alerts_accepted));
    one(b, "faultline_intake_alerts_repeated_total", "counter", "Alerts that only renewed their lease.",
        atomic_load(&h->alerts_repeated));
    one(b, "faultline_intake_alerts_rejected_total", "counter",
        "Elements that could not be an alert (dead letters).", atomic_load(&h->alerts_rejected));
    one(b, "faultline_intake_refused_total", "counter",
        "Bodies refused as a whole, unreadable or for lack of room.", atomic_load(&h->intake_refused));
    one(b, "faultline_intake_turned_away_total", "counter",
        "Requests with alerts refused because the work they cause is behind.", atomic_load(&h->turned_away));
    one(b, "faultline_http_held", "gauge", "Of these, answers held back for a moment.", hold_count(&h->hold));
    one(b, "faultline_leases", "gauge", "Alert episodes with a lease.", fl_leases_count(h->o.leases));
}

static void store_figures(struct fl_store *s, struct fl_buf *b)
{
    struct fl_store_stats t;
    fl_store_stats(s, &t);
    one(b, "faultline_journal_rows_total", "counter", "Events committed.", t.journal_rows);
    one(b, "faultline_journal_bodies_total", "counter",
        "Requests these events were made of: short bodies of one sender share one.", t.journal_bodies);
    one(b, "faultline_journal_commits_total", "counter", "Group commits of the journal.", t.journal_commits);
    one(b, "faultline_journal_bytes_total", "counter", "Bytes of event bodies committed.", t.journal_bytes);
    one(b, "faultline_journal_last_seq", "gauge", "Sequence of the last event committed.", t.last_seq);
    one(b, "faultline_journal_queue_items", "gauge", "Submissions waiting for their commit.", t.queue_items);
    one(b, "faultline_journal_queue_bytes", "gauge", "Bytes of them.", t.queue_bytes);
    one(b, "faultline_projected_seq", "gauge", "Sequence of the last event whose rows are committed.",
        t.projected_seq);
    one(b, "faultline_projected_rows_total", "counter", "Rows written by the projector.", t.projected_rows);
    one(b, "faultline_projector_commits_total", "counter", "Commits of the projector.", t.projector_commits);
    one(b, "faultline_deadletters", "gauge", "Dead letters held.", t.deadletters);
    one(b, "faultline_deadletter_bytes", "gauge", "Bytes of them.", t.deadletter_bytes);
    one(b, "faultline_deadletters_dropped_total", "counter",
        "Dead letters dropped because there was no room: 100,000 of them, 128 MiB, or a full queue.",
        t.deadletters_dropped);
    one(b, "faultline_store_errors_total", "counter", "Database errors.", t.errors);
    one(b, "faultline_store_reconnects_total", "counter", "Reconnections to the database.", t.reconnects);
    family(b, "faultline_store_refused_total", "counter", "Submissions refused with 503.");
    fl_buf_printf(b, "faultline_store_refused_total{reason=\"full\"} %llu\n",
                  (unsigned long long)t.refused_full);
    fl_buf_printf(b, "faultline_store_refused_total{reason=\"down\"} %llu\n",
                  (unsigned long long)t.refused_down);
    one(b, "faultline_store_health", "gauge", "0 ok, 1 degraded, 2 down, 3 fenced.",
        (unsigned long long)fl_store_health(s));
}

void run_metrics(struct request *r)
{
    struct fl_http *h = r->http;
    struct fl_buf b = fl_buf_init(8 << 20);
    family(&b, "faultline_build_info", "gauge", "Always 1; the version is in the label.");
    fl_buf_printf(&b, "faultline_build_info{version=\"%s\"} 1\n", FL_VERSION);
    /* Karma reads this one to learn which API to speak. */
    family(&b, "alertmanager_build_info", "gauge", "The Alertmanager whose API v2 is spoken.");
    fl_buf_str(&b, "alertmanager_build_info{version=\"" V2_VERSION
                   "\",branch=\"faultline\",revision=\"" FL_VERSION "\"} 1\n");
    http_figures(h, &b);
    per_route(h, &b);
    if (h->o.store)
        store_figures(h->o.store, &b);
    if (h->o.metrics)
        h->o.metrics(h->o.ctx, &b);
    reply_buf(r, 200, TYPE_METRICS, &b);
}
