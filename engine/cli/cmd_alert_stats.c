/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_alert_stats.c -- alert stats: what makes the noise, and what came of it (layer 6). */
#include "cli.h"

#include <string.h>

static const struct column by_key[] = {
    {"REPORTS", "reports", 0, 'n'},     {"ALERTS", "alerts", 0, 'n'},
    {"REPEATS", "repeats", 0, 'n'},     {"SILENCED", "silenced", 0, 'n'},
    {"INHIBITED", "inhibited", 0, 'n'}, {"HELD", "held", 0, 'n'},
    {"INCIDENTS", "incidents", 0, 'n'}, {"OF", "key", 0, 's'},
};
static const struct column by_outcome[] = {
    {"ALERTS", "alerts", 0, 'n'},   {"INCIDENTS", "incidents", 0, 'n'}, {"IN ONE", "in_incident", 0, 'n'},
    {"KEPT", "kept", 0, 'n'},       {"ACTED", "acted", 0, 'n'},         {"ACKED", "acked", 0, 'n'},
    {"NOTHING", "nothing", 0, 'n'}, {"PRECISION", "precision", 0, 'p'}, {"ALERT RULE", "rule", 0, 's'},
};

static void print_total(const struct fl_json *doc)
{
    const struct fl_json *t = fl_json_get(doc, "total");
    char since[64];
    printf(
        "since %s: %lld reports, %lld alerts (%lld silenced, %lld inhibited, %lld held), %lld incidents\n\n",
        format_clock(fl_json_str(doc, "since", NULL), since, sizeof since),
        (long long)fl_json_int(t, "reports", 0), (long long)fl_json_int(t, "alerts", 0),
        (long long)fl_json_int(t, "silenced", 0), (long long)fl_json_int(t, "inhibited", 0),
        (long long)fl_json_int(t, "held", 0), (long long)fl_json_int(t, "incidents", 0));
}

int cmd_alert_stats(struct args *a)
{
    AUTO_REPLY r = {0};
    bool precision = arg_set(a, "precision");
    if (precision && arg(a, "by"))
        return usage_error("--precision is by alert rule: leave --by out");
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"by",    arg(a, "by"),    "since", arg(a, "since"),
                                 "limit", arg(a, "limit"), NULL};
    fl_buf_str(&path, precision ? "/api/v1/alerts/precision" : "/api/v1/alerts/stats");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json) {
        print_json(&r.body);
    } else if (precision) {
        print_table(list_of(r.json, "rules"), by_outcome, FL_ARRAY_LEN(by_outcome));
    } else {
        print_total(r.json);
        print_table(list_of(r.json, "groups"), by_key, FL_ARRAY_LEN(by_key));
    }
    return EXIT_FINE;
}
