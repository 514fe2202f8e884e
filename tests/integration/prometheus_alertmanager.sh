#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Debian's prometheus with one firing rule, and Debian's alertmanager with a webhook receiver, both pointed at a
# running engine: the same alert arrives by two ways and is one episode of one incident; when the rule stops
# firing, the incident resolves.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need prometheus prometheus
need prometheus-alertmanager prometheus-alertmanager
need jq jq
lib_begin prom "${1:?usage: $0 BUILD_DIR}"

cat >"$work/topology.json" <<'JSON'
{"nodes":[{"id":"checkout","type":"service"},{"id":"orders-db","type":"store"}],
 "edges":[{"from":"checkout","to":"orders-db","type":"calls"}]}
JSON
# The shipped rules, but an incident is over two seconds after its last alert.
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_test.lua" <<'LUA'
return { correlation = { resolve_after = "2s" } }
LUA
engine_start --topology "$work/topology.json" --rules "$work/rules"

am_port=$(free_port) prom_port=$(free_port) db_port=$(free_port)

cat >"$work/am.yml" <<YML
route:
  receiver: faultline
  group_by: ['...']
  group_wait: 0s
  group_interval: 1s
receivers:
- name: faultline
  webhook_configs:
  - url: $url/api/v1/intake/alertmanager
    http_config: {authorization: {credentials_file: $token}}
YML
# What is watched is a port where nothing listens yet: that is the outage.
cat >"$work/prom.yml" <<YML
global: {scrape_interval: 500ms, scrape_timeout: 400ms, evaluation_interval: 500ms}
rule_files: [$work/rules.yml]
scrape_configs:
- job_name: orders-db
  static_configs: [{targets: ['127.0.0.1:$db_port']}]
alerting:
  alertmanagers:
  - static_configs: [{targets: ['127.0.0.1:$am_port']}]
  - authorization: {credentials_file: $token}
    static_configs: [{targets: ['127.0.0.1:$port']}]
YML
cat >"$work/rules.yml" <<'YML'
groups:
- name: db
  rules:
  - alert: DatabaseDown
    expr: up{job="orders-db"} == 0
    labels: {severity: critical, service: orders-db}
    annotations: {summary: "{{ $labels.instance }} does not answer"}
YML

alertmanager() { # PORT CONFIG NAME
    prometheus-alertmanager --config.file="$2" --storage.path="$work/$3" --cluster.listen-address= \
        --web.listen-address="127.0.0.1:$1" --log.level=warn >>"$work/$3.log" 2>&1 &
    started $!
}
alertmanager "$am_port" "$work/am.yml" am
prometheus --config.file="$work/prom.yml" --storage.tsdb.path="$work/prom" --web.listen-address="127.0.0.1:$prom_port" \
    --rules.alert.resend-delay=1s --log.level=warn >>"$work/prom.log" 2>&1 &
started $!

incidents() { api /api/v1/incidents | jq -e '.incidents'; }
count_is() { [ "$(incidents | jq length)" = "$1" ]; }
state_is() { [ "$(incidents | jq -r '.[0].state')" = "$1" ]; }
# Both ways were really taken: the sender's own counters say so.
prometheus_delivered() { curl -fsS "http://127.0.0.1:$prom_port/metrics" |
    grep -E "^prometheus_notifications_sent_total\{alertmanager=\"http://127.0.0.1:$port/api/v2/alerts\"\} [1-9]"; }
alertmanager_delivered() { curl -fsS "http://127.0.0.1:$am_port/metrics" |
    grep -E '^alertmanager_notifications_total\{integration="webhook"\} [1-9]'; }
alertmanager_failed() { curl -fsS "http://127.0.0.1:$am_port/metrics" |
    grep -E '^alertmanager_notifications_failed_total\{integration="webhook"\} [1-9]'; }

wait_for 60 "one incident" count_is 1
wait_for 30 "prometheus delivered directly" prometheus_delivered
wait_for 30 "alertmanager delivered its webhook" alertmanager_delivered
# What came by the other way has been answered: is it still one incident, with one alert, on the right component?
count_is 1 || fail "the second way made another incident: $(incidents)"
id=$(incidents | jq -r '.[0].id')
api "/api/v1/incidents/$id" >"$work/incident.json"
jq -e '.alerts | length == 1 and .[0].node == "orders-db"' "$work/incident.json" >/dev/null ||
    fail "expected one alert on orders-db: $(cat "$work/incident.json")"
api "/api/v1/incidents/$id/ranking" | jq -e '.candidates[0].node == "orders-db"' >/dev/null || fail "orders-db is not the first cause"

# The repair: something answers on that port (an alertmanager, because it serves /metrics).
alertmanager "$db_port" "$work/am.yml" db
wait_for 90 "the incident resolves" state_is resolved
count_is 1 || fail "resolving made another incident: $(incidents)"
! alertmanager_failed || fail "a webhook was refused: $(alertmanager_failed)"
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
engine_stop
echo "one incident $id, opened, ranked and resolved by what Debian's prometheus and alertmanager sent"
