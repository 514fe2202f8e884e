/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/demo_shop.c -- the demo's graph and alerts; contract in demo_shop.h. */
#include "demo_shop.h"

#include <faultline/json.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *id, *type, *service, *host, *owner;
} nodes[] = {
    {"frontend", "gateway", NULL, NULL, "web"},
    {"cart", "service", NULL, NULL, "checkout"},
    {"checkout", "service", NULL, NULL, "checkout"},
    {"payment", "service", NULL, NULL, "payments"},
    {"catalog", "service", NULL, NULL, "catalogue"},
    {"search", "service", NULL, NULL, "catalogue"},
    {"recommend", "service", NULL, NULL, "data"},
    {"orders", "service", NULL, NULL, "checkout"},
    {"users", "service", NULL, NULL, "identity"},
    {"mail", "service", NULL, NULL, "platform"},
    {"pg-catalog", "store", NULL, "host-1", "catalogue"},
    {"pg-orders", "store", NULL, "host-3", "checkout"},
    {"redis-cart", "store", NULL, "host-2", "checkout"},
    {"catalog-0", "instance", "catalog", "host-1", NULL},
    {"catalog-1", "instance", "catalog", "host-2", NULL},
    {"frontend-0", "instance", "frontend", "host-2", NULL},
    {"frontend-1", "instance", "frontend", "host-3", NULL},
    {"host-1", "host", NULL, NULL, "platform"},
    {"host-2", "host", NULL, NULL, "platform"},
    {"host-3", "host", NULL, NULL, "platform"},
};

static const struct {
    const char *from, *to, *type;
} edges[] = {
    {"frontend", "cart", "calls"},
    {"frontend", "catalog", "calls"},
    {"frontend", "search", "calls"},
    {"frontend", "recommend", "calls"},
    {"frontend", "checkout", "calls"},
    {"frontend", "users", "calls"},
    {"checkout", "cart", "calls"},
    {"checkout", "payment", "calls"},
    {"checkout", "orders", "calls"},
    {"checkout", "mail", "calls"},
    {"cart", "catalog", "calls"},
    {"search", "catalog", "calls"},
    {"recommend", "catalog", "calls"},
    {"catalog", "pg-catalog", "data"},
    {"orders", "pg-orders", "data"},
    {"cart", "redis-cart", "data"},
    {"catalog", "catalog-0", "has_instance"},
    {"catalog", "catalog-1", "has_instance"},
    {"frontend", "frontend-0", "has_instance"},
    {"frontend", "frontend-1", "has_instance"},
    {"catalog-0", "host-1", "runs_on"},
    {"catalog-1", "host-2", "runs_on"},
    {"frontend-0", "host-2", "runs_on"},
    {"frontend-1", "host-3", "runs_on"},
    {"pg-catalog", "host-1", "runs_on"},
    {"pg-orders", "host-3", "runs_on"},
    {"redis-cart", "host-2", "runs_on"},
};

void demo_topology(struct fl_buf *out, int port)
{
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "nodes");
    for (size_t i = 0; i < FL_ARRAY_LEN(nodes); i++) {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "id", nodes[i].id);
        fl_jw_str(&w, "type", nodes[i].type);
        if (nodes[i].service)
            fl_jw_str(&w, "service", nodes[i].service);
        if (nodes[i].host)
            fl_jw_str(&w, "host", nodes[i].host);
        if (nodes[i].owner)
            fl_jw_str(&w, "owner", nodes[i].owner);
        fl_jw_obj(&w, "labels");
        fl_jw_str(&w, "demo", "shop");
        if (strcmp(nodes[i].id, "pg-catalog") == 0) {
            char url[64];
            snprintf(url, sizeof url, "http://127.0.0.1:%d/restart", port);
            fl_jw_str(&w, "restart_url", url);
            snprintf(url, sizeof url, "http://127.0.0.1:%d/health", port);
            fl_jw_str(&w, "health_url", url);
        }
        fl_jw_obj_end(&w);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_arr(&w, "edges");
    for (size_t i = 0; i < FL_ARRAY_LEN(edges); i++) {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "from", edges[i].from);
        fl_jw_str(&w, "to", edges[i].to);
        fl_jw_str(&w, "type", edges[i].type);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
}

void demo_change(struct fl_buf *out, fl_usec now)
{
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_time(&w, "time", now - 240 * FL_USEC_PER_SEC);
    fl_jw_str(&w, "component", "mail");
    fl_jw_str(&w, "kind", "deploy");
    fl_jw_str(&w, "id", "mail-2.14.0");
    fl_jw_str(&w, "author", "release-bot");
    fl_jw_str(&w, "title", "mail 2.14.0: new templates");
    fl_jw_obj_end(&w);
}

/* A decoy first, then the real thing, then what follows from it, nearest first; another decoy in the middle. */
static const struct demo_alert alerts[] = {
    {0, "HostCpuHigh", "host-3", "warning", "cpu_usage", "host-3 CPU at 82 % (nightly backup)"},
    {200, "PostgresConnectionsExhausted", "pg-catalog", "critical", "connections",
     "pg-catalog: 100 of 100 connections in use"},
    {400, "PostgresTooManyRejectedClients", "pg-catalog", "critical", "rejected_clients",
     "pg-catalog refuses clients"},
    {700, "HighErrorRate", "catalog", "critical", "error_rate", "catalog: 61 % of requests fail"},
    {800, "HighErrorRate", "catalog-0", "critical", "error_rate", "catalog-0: 63 % of requests fail"},
    {900, "HighErrorRate", "catalog-1", "critical", "error_rate", "catalog-1: 59 % of requests fail"},
    {1000, "HighLatencyP99", "catalog", "warning", "latency_p99", "catalog: p99 8.1 s"},
    {1100, "HighLatencyP99", "catalog-0", "warning", "latency_p99", "catalog-0: p99 8.4 s"},
    {1100, "HighLatencyP99", "catalog-1", "warning", "latency_p99", "catalog-1: p99 7.9 s"},
    {1300, "DbPoolWaiting", "catalog-0", "warning", "pool_waiting",
     "catalog-0: 212 requests wait for a connection"},
    {1300, "DbPoolWaiting", "catalog-1", "warning", "pool_waiting",
     "catalog-1: 198 requests wait for a connection"},
    {1800, "HighErrorRate", "search", "critical", "error_rate", "search: 44 % of requests fail"},
    {1900, "HighLatencyP99", "search", "warning", "latency_p99", "search: p99 6.2 s"},
    {2000, "HighErrorRate", "recommend", "warning", "error_rate", "recommend: 38 % of requests fail"},
    {2100, "HighLatencyP99", "recommend", "warning", "latency_p99", "recommend: p99 9.0 s"},
    {2300, "HighErrorRate", "cart", "critical", "error_rate", "cart: 29 % of requests fail"},
    {2300, "HighLatencyP99", "cart", "warning", "latency_p99", "cart: p99 5.5 s"},
    {2600, "CertificateExpiresSoon", "payment", "warning", "cert_expiry",
     "payment: certificate expires in 13 days"},
    {3000, "HighErrorRate", "frontend", "critical", "error_rate", "frontend: 33 % of requests fail"},
    {3000, "HighErrorRate", "frontend-0", "critical", "error_rate", "frontend-0: 34 % of requests fail"},
    {3000, "HighErrorRate", "frontend-1", "critical", "error_rate", "frontend-1: 31 % of requests fail"},
    {3200, "HighLatencyP99", "frontend", "warning", "latency_p99", "frontend: p99 10 s"},
    {3200, "HighLatencyP99", "frontend-0", "warning", "latency_p99", "frontend-0: p99 10 s"},
    {3200, "HighLatencyP99", "frontend-1", "warning", "latency_p99", "frontend-1: p99 10 s"},
    {3500, "HighErrorRate", "checkout", "critical", "error_rate", "checkout: 21 % of requests fail"},
    {3600, "HighLatencyP99", "checkout", "warning", "latency_p99", "checkout: p99 4.8 s"},
    {3800, "RetryStorm", "cart", "warning", "requests_rate", "cart: 9 times the usual calls to catalog"},
    {3800, "RetryStorm", "search", "warning", "requests_rate", "search: 7 times the usual calls to catalog"},
    {4200, "SloBurnRateFast", "frontend", "critical", "slo_burn_rate",
     "frontend burns its error budget 14 times too fast"},
    {4300, "SloBurnRateFast", "checkout", "critical", "slo_burn_rate",
     "checkout burns its error budget 9 times too fast"},
    {4300, "SloBurnRateFast", "search", "critical", "slo_burn_rate",
     "search burns its error budget 12 times too fast"},
    {4600, "ErrorLogsIncreased", "catalog", "warning", "log_errors",
     "catalog: 'remaining connection slots are reserved'"},
    {4600, "ErrorLogsIncreased", "search", "warning", "log_errors", "search: 'upstream catalog 503'"},
    {4700, "ErrorLogsIncreased", "recommend", "warning", "log_errors", "recommend: 'upstream catalog 503'"},
    {4700, "ErrorLogsIncreased", "cart", "warning", "log_errors", "cart: 'price lookup failed: catalog 503'"},
    {4800, "ErrorLogsIncreased", "frontend", "warning", "log_errors", "frontend: 'catalog unavailable'"},
    {5200, "TrafficDrop", "orders", "warning", "orders_rate", "orders: 64 % fewer orders than a week ago"},
    {5200, "TrafficDrop", "payment", "warning", "payments_rate",
     "payment: 61 % fewer payments than a week ago"},
    {5300, "TrafficDrop", "mail", "info", "mails_rate", "mail: 58 % fewer mails than a week ago"},
    {5500, "SyntheticCheckFailed", "frontend", "critical", "probe_success",
     "the outside check cannot open a product page"},
};

size_t demo_alerts(const struct demo_alert **ret)
{
    *ret = alerts;
    return FL_ARRAY_LEN(alerts);
}

static void one_alert(struct fl_jw *w, const struct demo_alert *a, fl_usec t0, fl_usec resolved_at)
{
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "status", resolved_at ? "resolved" : "firing");
    fl_jw_obj(w, "labels");
    fl_jw_str(w, "alertname", a->name);
    fl_jw_str(w, "component", a->component);
    fl_jw_str(w, "severity", a->severity);
    fl_jw_str(w, "metric", a->metric);
    fl_jw_str(w, "demo", "shop");
    fl_jw_obj_end(w);
    fl_jw_obj(w, "annotations");
    fl_jw_str(w, "summary", a->summary);
    fl_jw_obj_end(w);
    char t[FL_TIME_LEN];
    fl_jw_str(w, "startsAt", fl_time_format(t0 + (fl_usec)a->at_ms * 1000, t));
    fl_jw_str(w, "endsAt", fl_time_format(resolved_at, t));
    fl_jw_str(w, "generatorURL", "http://prometheus.example:9090/graph");
    fl_jw_obj_end(w);
}

void demo_webhook(struct fl_buf *out, const struct demo_alert *v, size_t from, size_t to, fl_usec t0,
                  fl_usec resolved_at)
{
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "version", "4");
    fl_jw_str(&w, "groupKey", "{}:{demo=\"shop\"}");
    fl_jw_str(&w, "status", resolved_at ? "resolved" : "firing");
    fl_jw_str(&w, "receiver", "faultline");
    fl_jw_int(&w, "truncatedAlerts", 0);
    fl_jw_obj(&w, "groupLabels");
    fl_jw_str(&w, "demo", "shop");
    fl_jw_obj_end(&w);
    fl_jw_obj(&w, "commonLabels");
    fl_jw_str(&w, "demo", "shop");
    fl_jw_obj_end(&w);
    fl_jw_obj(&w, "commonAnnotations");
    fl_jw_obj_end(&w);
    fl_jw_str(&w, "externalURL", "http://alertmanager.example:9093");
    fl_jw_arr(&w, "alerts");
    for (size_t i = from; i < to; i++)
        one_alert(&w, &v[i], t0, resolved_at);
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    fl_buf_chr(out, '\n');
}
