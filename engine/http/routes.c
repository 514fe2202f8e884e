/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/routes.c -- the one table of routes: dispatch, 405, roles and /openapi.json follow it (layer 5). */
#include "http_priv.h"

#include <stdio.h>
#include <string.h>

#define V2_ALERTS(prefix)                                                                \
    {"GET",                                                                              \
     prefix "/api/v2/alerts",                                                            \
     ROLE_READ,                                                                          \
     ROUTE_LOOKALIKE | ROUTE_NO_DATABASE,                                                \
     NULL,                                                                               \
     read_v2_alerts,                                                                     \
     0,                                                                                  \
     NULL,                                                                               \
     "filter,active,silenced,inhibited,unprocessed,receiver",                            \
     "Alerts, as Alertmanager lists them"},                                              \
    {                                                                                    \
        "POST", prefix "/api/v2/alerts", ROLE_SEND,                                      \
            ROUTE_LOOKALIKE | ROUTE_BODY | ROUTE_BULK | ROUTE_JOURNAL, run_intake, NULL, \
            FL_FORMAT_ALERTMANAGER_V2, NULL, NULL,                                       \
            "Alerts, as Prometheus sends them to an Alertmanager; 200 means committed"   \
    }
#define V2_OTHERS(prefix)                                                                              \
    {"GET",                                                                                            \
     prefix "/api/v2/alerts/groups",                                                                   \
     ROLE_READ,                                                                                        \
     ROUTE_LOOKALIKE | ROUTE_NO_DATABASE,                                                              \
     NULL,                                                                                             \
     read_v2_groups,                                                                                   \
     0,                                                                                                \
     NULL,                                                                                             \
     "filter,active,silenced,inhibited,receiver",                                                      \
     "Alerts in groups, as Alertmanager lists them"},                                                  \
        {"GET",                                                                                        \
         prefix "/api/v2/receivers",                                                                   \
         ROLE_READ,                                                                                    \
         ROUTE_LOOKALIKE,                                                                              \
         run_v2_receivers,                                                                             \
         NULL,                                                                                         \
         0,                                                                                            \
         NULL,                                                                                         \
         NULL,                                                                                         \
         "Receivers, as Alertmanager lists them"},                                                     \
        {"GET",     prefix "/api/v2/silences",                                                         \
         ROLE_READ, ROUTE_LOOKALIKE,                                                                   \
         NULL,      read_v2_silences,                                                                  \
         0,         NULL,                                                                              \
         "filter",  "Silences, as Alertmanager lists them"},                                           \
        {"POST",                                                                                       \
         prefix "/api/v2/silences",                                                                    \
         ROLE_OPERATE,                                                                                 \
         ROUTE_LOOKALIKE | ROUTE_BODY | ROUTE_JOURNAL,                                                 \
         run_v2_silence_post,                                                                          \
         NULL,                                                                                         \
         0,                                                                                            \
         NULL,                                                                                         \
         NULL,                                                                                         \
         "Create or change a silence, as Alertmanager does"},                                          \
        {"GET",     prefix "/api/v2/silence/{silenceID}",                                              \
         ROLE_READ, ROUTE_LOOKALIKE,                                                                   \
         NULL,      read_v2_silence,                                                                   \
         0,         NULL,                                                                              \
         NULL,      "One silence"},                                                                    \
    {                                                                                                  \
        "DELETE", prefix "/api/v2/silence/{silenceID}", ROLE_OPERATE, ROUTE_LOOKALIKE | ROUTE_JOURNAL, \
            run_v2_silence_delete, NULL, 0, NULL, NULL, "Expire a silence"                             \
    }
#define V1_GONE(method_, path_)                                                                              \
    {                                                                                                        \
        method_, path_, (method_)[0] == 'G' ? ROLE_READ : ROLE_SEND, ROUTE_GONE(method_), run_v1_gone, NULL, \
            0, NULL, NULL, "Alertmanager's API v1: gone, 410"                                                \
    }
/* Old senders get their 410 whatever they send. */
#define ROUTE_GONE(method_) ((method_)[0] == 'P' ? ROUTE_BODY_MAY | ROUTE_ANY_TYPE | ROUTE_BULK : 0)
#define V1_ALL(prefix)                                                                                    \
    V1_GONE("POST", prefix "/api/v1/alerts"), V1_GONE("GET", prefix "/api/v1/alerts/groups"),             \
        V1_GONE("GET", prefix "/api/v1/silences"), V1_GONE("POST", prefix "/api/v1/silences"),            \
        V1_GONE("GET", prefix "/api/v1/silence/{silenceID}"),                                             \
        V1_GONE("DELETE", prefix "/api/v1/silence/{silenceID}"), V1_GONE("GET", prefix "/api/v1/status"), \
        V1_GONE("GET", prefix "/api/v1/receivers")
#define INCIDENT_COMMAND(verb, text)                                                          \
    {                                                                                         \
        "POST", "/api/v1/incidents/{id}/" verb, ROLE_OPERATE, ROUTE_BODY_MAY | ROUTE_JOURNAL, \
            run_incident_command, NULL, 0, "incident." verb, NULL, text                       \
    }
#define RUN_COMMAND(verb, roles_, text)                                                                      \
    {                                                                                                        \
        "POST", "/api/v1/runs/{id}/" verb, roles_, ROUTE_BODY_MAY | ROUTE_JOURNAL, run_run_command, NULL, 0, \
            "run." verb, NULL, text                                                                          \
    }
#define READ(path_, what, list, query_, text)                                     \
    {                                                                             \
        "GET", path_, ROLE_READ, 0, NULL, read_document, what, list, query_, text \
    }

#define LETTERS(path_, read_, op_, text)                                                             \
    {                                                                                                \
        "POST", path_, ROLE_OPERATE, ROUTE_BODY_MAY | ROUTE_JOURNAL, NULL, read_, 0, op_, NULL, text \
    }

#define SENDER(method_, path_, flags_, run_, format_, text)                                                \
    {                                                                                                      \
        method_, path_, ROLE_SEND, ROUTE_BODY | ROUTE_JOURNAL | (flags_), run_, NULL, format_, NULL, NULL, \
            text                                                                                           \
    }
#define PAGERDUTY(path_)                                                        \
    SENDER("POST", path_, ROUTE_BODY_TOKEN, run_pagerduty, FL_FORMAT_PAGERDUTY, \
           "PagerDuty Events API v2; the routing key may be the token")
#define PAGERDUTY_CHANGE(path_)                                                        \
    SENDER("POST", path_, ROUTE_BODY_TOKEN, run_pagerduty_change, FL_FORMAT_PAGERDUTY, \
           "PagerDuty change event")
#define ALIAS(path_, flags_, run_, format_, text) \
    SENDER("POST", path_, ROUTE_BULK | ROUTE_ALIAS | (flags_), run_, format_, text)
#define CLOUDEVENTS_PATH "/api/v1/intake/cloudevents"

const struct route routes[] = {
    /* alerts in */
    {"POST", "/api/v1/intake/alertmanager", ROLE_SEND, ROUTE_BODY | ROUTE_BULK | ROUTE_JOURNAL, run_intake,
     NULL, FL_FORMAT_ALERTMANAGER, NULL, NULL, "Alertmanager webhook, version 4; 200 means committed"},
    SENDER("POST", "/api/v1/intake/grafana", ROUTE_BULK, run_grafana, FL_FORMAT_GRAFANA,
           "Grafana alerting webhook; the signature is checked when grafana_secret is set"),
    SENDER("PUT", "/api/v1/intake/grafana", ROUTE_BULK, run_grafana, FL_FORMAT_GRAFANA,
           "Grafana alerting webhook, sent as PUT"),
    PAGERDUTY("/api/v1/intake/pagerduty"),
    PAGERDUTY("/api/v1/intake/pagerduty/v2/enqueue"),
    PAGERDUTY("/v2/enqueue"),
    PAGERDUTY_CHANGE("/api/v1/intake/pagerduty/v2/change/enqueue"),
    PAGERDUTY_CHANGE("/v2/change/enqueue"),
    SENDER("POST", CLOUDEVENTS_PATH, ROUTE_BULK | ROUTE_ANY_TYPE, run_cloudevents, FL_FORMAT_CLOUDEVENTS,
           "CloudEvents 1.0, structured, batch or binary: alerts and changes"),
    SENDER("POST", "/api/v1/intake/nagios", ROUTE_FORM | ROUTE_BODY_TOKEN, run_nagios, FL_FORMAT_NAGIOS,
           "Nagios: NRDP's form with JSONDATA, or our notification as JSON or form"),
    SENDER("POST", "/api/v1/intake/zabbix", 0, run_sender, FL_FORMAT_ZABBIX,
           "Zabbix, by the media type that is shipped"),
    SENDER("POST", "/api/v1/intake/kubernetes", ROUTE_BULK, run_sender, FL_FORMAT_KUBERNETES,
           "Kubernetes events, one or a list"),
    SENDER("POST", "/api/v1/intake/{source}", ROUTE_BULK, run_mapped, FL_FORMAT_MAPPED,
           "Any JSON, by the mapping that the rules give the source"),

    /* where other products took alerts: an administrator switches them on */
    ALIAS("/alerts/event/prometheus", 0, run_intake, FL_FORMAT_ALERTMANAGER, "Keep: Alertmanager webhook"),
    ALIAS("/alerts/event/grafana", 0, run_grafana, FL_FORMAT_GRAFANA, "Keep: Grafana webhook"),
    ALIAS("/api/alerts", 0, run_intake, FL_FORMAT_ALERTMANAGER, "Robusta: Alertmanager webhook"),
    ALIAS("/integrations/v1/alertmanager/{token}", ROUTE_PATH_TOKEN, run_intake, FL_FORMAT_ALERTMANAGER,
          "OnCall: Alertmanager webhook, token in the path"),
    ALIAS("/integrations/v1/alertmanager/{token}/", ROUTE_PATH_TOKEN, run_intake, FL_FORMAT_ALERTMANAGER,
          "OnCall: Alertmanager webhook, token in the path"),
    ALIAS("/integrations/v1/grafana_alerting/{token}", ROUTE_PATH_TOKEN, run_grafana, FL_FORMAT_GRAFANA,
          "OnCall: Grafana webhook, token in the path"),
    ALIAS("/integrations/v1/grafana_alerting/{token}/", ROUTE_PATH_TOKEN, run_grafana, FL_FORMAT_GRAFANA,
          "OnCall: Grafana webhook, token in the path"),
    ALIAS("/api/webhooks/prometheus", 0, run_intake, FL_FORMAT_ALERTMANAGER, "Alerta: Alertmanager webhook"),
    ALIAS("/webhooks/prometheus", 0, run_intake, FL_FORMAT_ALERTMANAGER, "Alerta: Alertmanager webhook"),

    V2_ALERTS(""),
    V2_ALERTS("/alertmanager"),
    {"GET", "/api/v2/status", ROLE_READ, ROUTE_LOOKALIKE, run_v2_status, NULL, 0, NULL, NULL,
     "Status, as Alertmanager reports it"},
    V2_OTHERS(""),
    V2_OTHERS("/alertmanager"),
    V1_ALL(""),
    V1_ALL("/alertmanager"),
    V1_GONE("GET", "/alertmanager/api/v1/alerts"),
    {"GET", "/api/v1/alerts", ROLE_READ, 0, NULL, read_alerts, FL_READ_ALERTS, "alerts",
     "state,incident,filter,since,until,limit,offset,after",
     "Alert episodes; state=unmapped lists those that match no component; filter=label=value, !=, =~ or !~, repeated"},
    {"GET", "/api/v1/alerts/stats", ROLE_READ, 0, NULL, read_noise, FL_READ_NOISE, NULL,
     "by,since,limit,offset",
     "Noise figures: reports, alerts, repeats, what was kept quiet, incidents; by=rule, team or source"},
    READ(
        "/api/v1/alerts/precision", FL_READ_PRECISION, "rules", "since,limit,offset",
        "What came of the alerts of each alert rule: an incident, a playbook run, an acknowledgement, or nothing"),
    {"GET", "/api/v1/why/{what}", ROLE_READ, 0, NULL, read_why, 0, NULL, "at",
     "What became of an alert (fingerprint; at: a time when it fired), or how an incident came about, and why"},

    /* incidents */
    READ("/api/v1/incidents", FL_READ_INCIDENTS, "incidents", "state,since,until,limit,offset",
         "Incidents, newest first"),
    READ("/api/v1/incidents/{id}", FL_READ_INCIDENT, NULL, NULL, "One incident: alerts, last ranking, runs"),
    READ("/api/v1/incidents/{id}/timeline", FL_READ_TIMELINE, "timeline", "limit,offset",
         "Everything that happened, in order, also to the incidents it has absorbed"),
    {"GET", "/api/v1/incidents/{id}/ranking", ROLE_READ, 0, NULL, read_ranking, FL_READ_RANKING, NULL,
     "version", "Ranked causes with their evidence"},
    {"GET", "/api/v1/incidents/{id}/report.md", ROLE_READ, 0, NULL, read_report, 0, NULL, NULL,
     "Postmortem draft, Markdown"},
    {"GET", "/api/v1/incidents/{id}/report.html", ROLE_READ, 0, NULL, read_report, 1, NULL, NULL,
     "Postmortem draft to print"},
    {"GET", "/api/v1/incidents/{id}/graph.svg", ROLE_READ, 0, NULL, read_graph_svg, 0, NULL, NULL,
     "Picture: cause, candidates, alerts and path in the graph"},
    INCIDENT_COMMAND("ack", "Acknowledge"),
    INCIDENT_COMMAND("assign", "Assign to a person: {\"to\"}"),
    INCIDENT_COMMAND("comment", "Add a comment: {\"text\"}"),
    INCIDENT_COMMAND("confirm", "Confirm the cause: {\"node\"?}"),
    INCIDENT_COMMAND("reject", "Reject the proposed cause: {\"node\"?,\"reason\"?}"),
    INCIDENT_COMMAND("merge", "Merge into another incident: {\"into\"}"),
    INCIDENT_COMMAND("split", "Move alerts into an incident of their own: {\"alerts\":[fingerprint]}"),
    INCIDENT_COMMAND("resolve", "Resolve by hand: {\"reason\"?}"),

    /* playbook runs */
    READ("/api/v1/runs", FL_READ_RUNS, "runs", "state,incident,limit,offset", "Playbook runs, newest first"),
    {"POST", "/api/v1/runs", ROLE_OPERATE, ROUTE_BODY | ROUTE_JOURNAL, run_plain_command, NULL, 0,
     "run.request", NULL, "Ask for a playbook: {\"playbook\",\"incident\",\"params\"?}"},
    READ("/api/v1/runs/{id}", FL_READ_RUN, NULL, NULL, "One run with its calls"),
    RUN_COMMAND("approve", ROLE_APPROVE, "Approve a proposed run: {\"override\"?}"),
    RUN_COMMAND("deny", ROLE_APPROVE, "Deny a proposed run: {\"reason\"?}"),
    RUN_COMMAND("abort", ROLE_OPERATE, "Stop a run: {\"reason\"?}"),
    RUN_COMMAND("settle", ROLE_APPROVE,
                "Say what became of a call in doubt: {\"verdict\":\"done|retry\",\"result\"?}"),
    {"POST", "/api/v1/automation/halt", ROLE_OPERATE, ROUTE_BODY_MAY | ROUTE_JOURNAL, run_plain_command, NULL,
     0, "automation.halt", NULL, "Stop all automation: {\"reason\"?}"},
    {"POST", "/api/v1/automation/resume", ROLE_APPROVE, ROUTE_BODY_MAY | ROUTE_JOURNAL, run_plain_command,
     NULL, 0, "automation.resume", NULL,
     "Let automation act again: {\"playbook\"?} closes its circuit breaker"},

    /* maintenance */
    READ("/api/v1/maintenance", FL_READ_MAINTENANCE, "maintenance", "state,limit,offset",
         "Maintenance windows, open and scheduled; state=all shows those that are over, too"),
    {"POST", "/api/v1/maintenance", ROLE_OPERATE, ROUTE_BODY | ROUTE_JOURNAL, run_maintenance_add, NULL, 0,
     "maintenance.add", NULL,
     "Add a window: {\"comment\",\"match\"?,\"components\"?,\"dependants\"?,\"starts_at\"?,\"ends_at\"?,\"weekly\"?}"},
    {"POST", "/api/v1/maintenance/{id}/end", ROLE_OPERATE, ROUTE_BODY_MAY | ROUTE_JOURNAL,
     run_maintenance_end, NULL, 0, "maintenance.end", NULL, "End a window for good"},

    READ(
        "/api/v1/quiet", FL_READ_QUIET, "quiet", "state,limit,offset",
        "Silences and maintenance windows with how many firing alerts each hides, and what was said of those that hide much for long"),
    READ("/api/v1/quiet/{id}", FL_READ_QUIET_ONE, NULL, NULL,
         "One silence or maintenance window with the alerts that it hides now"),

    /* the graph and changes */
    READ("/api/v1/topology", FL_READ_TOPOLOGY, NULL, "at",
         "The service-dependency graph, now or as known at a time"),
    {"PUT", "/api/v1/topology", ROLE_OPERATE, ROUTE_BODY | ROUTE_BULK | ROUTE_JOURNAL, run_topology_put, NULL,
     0, NULL, NULL, "Replace the service-dependency graph"},
    {"GET", "/api/v1/topology/impact", ROLE_READ, 0, NULL, read_impact, 0, NULL, "node,at",
     "What needs a component, what falls with it, and what alerted after it in the past"},
    READ("/api/v1/topology/history", FL_READ_TOPOLOGY_HISTORY, "versions", "limit,offset",
         "Versions of the graph, newest first, with how much each changed"),
    READ("/api/v1/changes", FL_READ_CHANGES, "changes", "since,until,limit,offset",
         "Deploys, flags, configuration changes"),
    {"POST", "/api/v1/changes", ROLE_SEND, ROUTE_BODY | ROUTE_BULK | ROUTE_JOURNAL, run_changes_post, NULL, 0,
     NULL, NULL, "Report one change or a list"},

    /* ranking models */
    READ("/api/v1/models", FL_READ_MODELS, "models", "limit,offset",
         "Ranking models, the live one first, with how often each was right"),
    {"POST", "/api/v1/models", ROLE_ADMIN_ONLY, ROUTE_BODY | ROUTE_JOURNAL, run_model_add, NULL, 0,
     "model.add", NULL, "Add a model, as `faultline model train` writes it; it ranks nothing yet"},
    READ("/api/v1/models/evaluation", FL_READ_MODEL_EVALUATION, NULL, "since,until",
         "Verdicts against rankings: per model, live and shadow on the same incidents, said and right"),
    {"POST", "/api/v1/models/rollback", ROLE_APPROVE, ROUTE_BODY_MAY | ROUTE_JOURNAL, run_plain_command, NULL,
     0, "model.rollback", NULL, "Back to the model that was live before: {\"reason\"?}"},
    READ("/api/v1/models/{id}", FL_READ_MODEL, NULL, NULL,
         "One model: its text, when it was in force, how it did"),
    {"POST", "/api/v1/models/{id}/activate", ROLE_ADMIN_ONLY, ROUTE_BODY_MAY | ROUTE_JOURNAL,
     run_model_command, NULL, 0, "model.activate", NULL, "Rank by this model from now on: {\"reason\"?}"},
    {"POST", "/api/v1/models/{id}/shadow", ROLE_ADMIN_ONLY, ROUTE_BODY_MAY | ROUTE_JOURNAL, run_model_command,
     NULL, 0, "model.shadow", NULL,
     "Let this model rank beside the live one, deciding nothing: {\"off\"?,\"reason\"?}"},

    /* the record */
    {"GET", "/api/v1/audit", ROLE_READ, 0, NULL, read_audit, 0, NULL,
     "incident,actor,action,since,until,after,limit,format",
     "Audit trail; format=jsonl for one entry a line"},
    {"GET", "/api/v1/audit/head", ROLE_READ, 0, NULL, read_audit_head, 0, NULL, NULL,
     "Head of the audit chain: the last entry, and the last signed head"},
    {"GET", "/api/v1/audit/bundle", ROLE_READ, 0, NULL, read_audit_bundle, 0, NULL, "incident",
     "What proves one incident's part of the trail: its entries, those between, the signed head"},
    READ("/api/v1/deadletters", FL_READ_DEADLETTERS, NULL, "source,since,until,limit,offset",
         "What was sent and could not be read, without the bodies; held, bytes, dropped"),
    {"GET", "/api/v1/deadletters/{n}", ROLE_OPERATE, 0, NULL, read_document, FL_READ_DEADLETTER, NULL, NULL,
     "One dead letter with its body"},
    LETTERS("/api/v1/deadletters/{n}/retry", read_letters_retry, "deadletter.retry",
            "Read a dead letter again with the mapping in force now"),
    LETTERS("/api/v1/deadletters/{n}/drop", read_letters_drop, "deadletter.drop",
            "Drop a dead letter: {\"reason\"?}"),
    LETTERS("/api/v1/deadletters/retry", read_letters_retry, "deadletter.retry",
            "Read the next dead letters again: {\"source\"?,\"after\"?}; next_after when there are more"),
    LETTERS(
        "/api/v1/deadletters/drop", read_letters_drop, "deadletter.drop",
        "Drop the next dead letters: {\"source\"?,\"after\"?,\"reason\"?}; next_after when there are more"),
    {"GET", "/api/v1/tokens", ROLE_ADMIN_ONLY, 0, NULL, read_tokens, 0, NULL, NULL,
     "Tokens, never their secrets"},
    {"POST", "/api/v1/tokens", ROLE_ADMIN_ONLY, ROUTE_BODY, NULL, read_token_create, 0, NULL, NULL,
     "Create a token: {\"name\",\"role\",\"expires_in\"?}; the secret is shown once"},
    {"DELETE", "/api/v1/tokens/{id}", ROLE_ADMIN_ONLY, 0, NULL, read_token_revoke, 0, NULL, NULL,
     "Revoke a token"},

    /* the process */
    {"GET", "/-/healthy", ROLE_PUBLIC, 0, run_healthy, NULL, 0, NULL, NULL, "The process runs"},
    {"GET", "/-/ready", ROLE_PUBLIC, 0, run_ready, NULL, 0, NULL, NULL,
     "Alerts are accepted; else 503 and why"},
    {"POST", "/-/reload", ROLE_ADMIN_ONLY, ROUTE_BODY_MAY, NULL, read_reload, 0, NULL, NULL,
     "Read rules and playbooks again; a bad file changes nothing"},
    {"GET", "/metrics", ROLE_PUBLIC, 0, run_metrics, NULL, 0, NULL, NULL, "Metrics for Prometheus"},
    {"GET", "/openapi.json", ROLE_PUBLIC, 0, run_openapi, NULL, 0, NULL, NULL,
     "This table as an OpenAPI document"},
};
const size_t n_routes = FL_ARRAY_LEN(routes);

int route_match(const struct route *t, const char *method, const char *const *segments, size_t n,
                const char **params)
{
    const char *p = t->path;
    size_t n_params = 0;
    for (size_t i = 0; i < n; i++) {
        if (*p != '/')
            return 0;
        size_t len = strcspn(++p, "/");
        if (*p == '{') {
            if (!segments[i][0] || n_params == MAX_PARAMS)
                return 0;
            params[n_params++] = segments[i];
        } else if (strlen(segments[i]) != len || memcmp(p, segments[i], len) != 0) {
            return 0;
        }
        p += len;
    }
    if (*p)
        return 0;
    return !strcmp(t->method, method) ? 2 : 1;
}

static bool is_lookalike(const struct request *r)
{
    size_t at = r->n_segments && !strcmp(r->segments[0], "alertmanager");
    return r->n_segments > at + 1 && !strcmp(r->segments[at], "api") && !strcmp(r->segments[at + 1], "v2");
}

static bool no_such_path(struct request *r)
{
    if (r->lookalike)
        reply_error(r, 404, "notfound", NULL, NULL, "path %.256s was not found", r->uri);
    else
        reply_error(r, 404, "notfound", NULL, "GET /openapi.json lists every path", "there is no such path");
    return false;
}

bool route_find(struct request *r, const char *method)
{
    r->is_head = !strcmp(method, "HEAD");
    r->lookalike = is_lookalike(r);
    const char *wanted = r->is_head ? "GET" : method;
    char allow[sizeof r->answer.allow] = "";
    for (size_t i = 0; i < n_routes; i++) {
        const char *params[MAX_PARAMS] = {0};
        if ((routes[i].flags & ROUTE_ALIAS) && !r->http->o.config->aliases)
            continue;
        int m = r->n_segments < MAX_SEGMENTS
                    ? route_match(&routes[i], wanted, (const char *const *)r->segments, r->n_segments, params)
                    : 0;
        if (m == 2) {
            r->route = &routes[i];
            memcpy(r->params, params, sizeof params);
            return true;
        }
        if (m == 1 && !strstr(allow, routes[i].method))
            snprintf(allow + strlen(allow), sizeof allow - strlen(allow), "%s%s", allow[0] ? "," : "",
                     routes[i].method);
    }
    if (!allow[0])
        return no_such_path(r);
    memcpy(r->answer.allow, allow, sizeof allow);
    if (!strcmp(method, "OPTIONS")) {
        if (strncmp(r->uri, CLOUDEVENTS_PATH, strlen(CLOUDEVENTS_PATH)) == 0)
            options_cloudevents(r);
        reply_empty(r, 204);
    } else {
        reply_error(r, 405, "method", NULL, NULL, "method %.16s is not allowed, but [%s] are", method, allow);
    }
    return false;
}
