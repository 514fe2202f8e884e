/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_default.c -- the rules an engine without rule files runs on (docs/reference/rules.md).
 * They know only widespread label and metric names; nothing of one installation. */
#include <faultline/model.h>

/* A rule matches when all its matchers hold, so "alertname or metric" takes two rules. Words are looked for
 * between separators, because "disk" is a resource in node_disk_used but not in a "diskette" service. */
#define CLASS(name, cls, label, regex)                                                            \
    "{\"name\":\"" name "\",\"match\":[{\"label\":\"" label "\",\"op\":\"=~\",\"value\":\"" regex \
    "\"}],\"class\":\"" cls "\"}"
#define IS(name, cls, label, value)                                                              \
    "{\"name\":\"" name "\",\"match\":[{\"label\":\"" label "\",\"op\":\"=\",\"value\":\"" value \
    "\"}],\"class\":\"" cls "\"}"

#define PEER "\"peer\":\"{caller}|{source_workload}|{client}\""
#define MAP(name, node) "{\"name\":\"" name "\",\"node\":\"" node "\"," PEER "}"
#define CUT(name, from, regex) \
    "{\"name\":\"" name "\",\"from\":\"" from "\",\"regex\":\"" regex "\",\"node\":\"{1}\"," PEER "}"

/* Formatted by hand: clang-format would indent each line under the last macro. */
/* clang-format off */
static const char rules[] =
    "{\"mapping\":["
    MAP("component", "{component}") ","
    MAP("pod", "{pod}") ","
    CUT("pod's workload", "pod", "(.+)-[a-f0-9]{8,10}-[a-z0-9]{5}") ","
    CUT("stateful pod's workload", "pod", "(.+)-[0-9]+") ","
    CUT("instance without port", "instance", "(.+):[0-9]+") ","
    CUT("instance's short host name", "instance", "([^.:]+)\\\\..+") ","
    MAP("instance", "{instance}") ","
    MAP("container", "{container}") ","
    MAP("host", "{host}") ","
    MAP("hostname", "{hostname}") ","
    MAP("node", "{node}") ","
    MAP("nodename", "{nodename}") ","
    MAP("server of a call", "{server}") ","
    MAP("destination workload", "{destination_workload}") ","
    MAP("namespace/service", "{namespace}/{service}") ","
    MAP("service", "{service}") ","
    MAP("service_name", "{service_name}") ","
    MAP("deployment", "{deployment}") ","
    MAP("statefulset", "{statefulset}") ","
    MAP("daemonset", "{daemonset}") ","
    MAP("job", "{job}") ","
    MAP("app", "{app}") ","
    MAP("app_kubernetes_io_name", "{app_kubernetes_io_name}") ","
    MAP("application", "{application}") ","
    MAP("database", "{database}|{datname}") ","
    MAP("queue", "{queue}|{topic}") "],"
    "\"classes\":["
    CLASS("missing alert", "missing", "alertname", "(?i:.*(absent|missing|no_?data).*)") ","
    IS("log source", "log", "source", "log") ","
    CLASS("log alert", "log", "alertname", "Log(Pattern|Error|Anomaly|s?Match).*") ","
    CLASS("network alert", "network", "alertname", "(?i:.*(network|packet|retransmit|tcp|dns|nettime|conntrack).*)") ","
    CLASS("error metric", "error", "metric",
          "(?i:(.*[^a-z])?(errors?|5xx|4xx|exceptions?|fail(ed|ures?)?|success|sr|panics?|timeouts?|cancel(led|ed)?|exhausted|rejected)([^a-z].*)?)") ","
    CLASS("network metric", "network", "metric",
          "(?i:(.*[^a-z])?(net|network|packets?|retrans(mit|mits|missions?)?|rx|tx|tcp|drops?|dropped|conntrack)([^a-z].*)?)") ","
    CLASS("latency metric", "latency", "metric",
          "(?i:(.*[^a-z])?(latency|duration|response_time|p[5-9][0-9]+|p[5-9][0-9]|mrt|rtt|slow)([^a-z0-9].*)?)") ","
    CLASS("availability metric", "availability", "metric", "(?i:(.*[^a-z])?(availability|up|uptime|restarts?|health|healthy|ready)([^a-z].*)?)") ","
    CLASS("resource metric", "resource", "metric",
          "(?i:(.*[^a-z])?(cpu|mem|memory|rss|heap|gc|disk|diskio|fs|filesystem|io|inodes?|oom|saturation|throttl(ed|ing)|threads?|goroutines|fds?|sockets?|connections?|pool|load|core|swap|pgmajfault|buffers?|throttle|capacity|depth|backlog|lag|connected)([^a-z].*)?)") ","
    CLASS("traffic metric", "traffic", "metric", "(?i:(.*[^a-z])?(qps|rps|rate|requests?|traffic|throughput|count|calls|ops|rr|per_second|per_min)([^a-z].*)?)") ","
    CLASS("error alert", "error", "alertname", "(?i:.*(error|5xx|4xx|exception|fail(ed|ure|ing)|panic|crash).*)") ","
    CLASS("latency alert", "latency", "alertname", "(?i:.*(latency|duration|slow|p9[0-9]|responsetime|response_time|timeout).*)") ","
    CLASS("resource alert", "resource", "alertname",
          "(?i:.*(cpu|memory|mem(high|usage|full)|disk|filesystem|inode|oom|saturat|throttl|thread|connections|pool|heap|swap|fdexhaust|filedesc|outofspace|space).*)") ","
    CLASS("availability alert", "availability", "alertname", "(?i:.*(down|unavailab|availab|unreachable|notready|not_ready|offline|dead).*)") ","
    CLASS("traffic alert", "traffic", "alertname", "(?i:.*(qps|rps|traffic|requestrate|request_rate|throughput).*)") "],"
    "\"severities\":[],"
    "\"correlation\":{\"window\":\"10m\",\"distance\":2,\"unmapped_distance\":0,"
    "\"edge_types\":[\"calls\",\"data\",\"has_instance\",\"runs_on\",\"registers_with\"],"
    "\"group_by\":[\"cluster\",\"namespace\",\"alertname\"],"
    "\"quiet_after\":\"5m\",\"resolve_after\":\"30s\",\"rerank_delay\":\"500ms\"},"
    "\"inhibitions\":[],\"graph_inhibitions\":[],\"thresholds\":[],\"groupings\":[],\"heartbeats\":[],"
    "\"flapping\":[{\"name\":\"more than six times in half an hour\",\"changes\":12,\"within\":\"30m\",\"quiet_for\":\"15m\"}],"
    "\"maintenance\":[],"
    "\"reminders\":[{\"name\":\"much for long\",\"alerts\":20,\"lasts\":\"4h\",\"every\":\"24h\"},"
    "{\"name\":\"something critical for long\",\"severity\":\"critical\",\"lasts\":\"8h\",\"every\":\"24h\"},"
    "{\"name\":\"ends while alerts fire\",\"ends_within\":\"1h\"}],"
    /* Opt-in by the topology: only a component whose node carries a restart_url can be proposed for it. */
    "\"bindings\":[{\"name\":\"restart what can be restarted\",\"playbook\":\"restart-service\",\"min_confidence\":0.3,"
    "\"approval\":\"required\",\"params\":{\"restart_url\":\"{node:restart_url}\"}}],"
    "\"guards\":{\"cooldown\":\"1h\",\"max_disruptive\":3,\"disruptive_window\":\"10m\",\"max_alerting_share\":0.55,"
    "\"breaker_failures\":3,\"approval_ttl\":\"15m\"},"
    /* Alertmanager repeats a firing notification after repeat_interval, 4 h by default, at the next group
     * flush: twice that and an hour, so that one lost delivery does not make an alert stale. */
    "\"leases\":{\"default\":\"9h\",\"grace\":\"5m\"},\"sources\":[]}";

/* clang-format on */

const char *fl_rules_default_json(void)
{
    return rules;
}
