#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A target is down, comes back and fails again while nobody listens to its resolve: Prometheus forgets that one, and the
# Alertmanager that had renewed the first start for hours speaks of the second only. Once the second is over, nothing
# fires longer than lease_grace. With the engine up all the time (as when only the database was away), and killed.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin lost_resolve "${1:?usage: $0 BUILD_DIR}"
at() { date -u -d "@$1" +%FT%TZ; }
prometheus_says() { # START END: in the future it fires
    printf '[{"labels":{"alertname":"Down","instance":"%s"},"startsAt":"%s","endsAt":"%s"}]' "$target" "$(at "$1")" "$(at "$2")" >"$work/body.json"
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "@$work/body.json" >/dev/null
}
alertmanager_says() { # STATUS START [END]
    jq -n --arg status "$1" --arg target "$target" --arg start "$(at "$2")" --arg until "${3:+$(at "$3")}" '{version: "4", groupKey: "g", status: $status,
        receiver: "r", groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: "", alerts: [{status: $status, annotations: {}, generatorURL: "",
        labels: {alertname: "Down", instance: $target}, startsAt: $start, endsAt: (if $until == "" then "0001-01-01T00:00:00Z" else $until end)}]}' >"$work/body.json"
    api /api/v1/intake/alertmanager -H 'Content-Type: application/json' --data-binary "@$work/body.json" >/dev/null
}
states_are() { [ "$(api '/api/v1/alerts?limit=100' | jq -c --arg t "$target" '[.alerts[] | select(.labels.instance == $t) | .status]')" = "$1" ]; }

engine_start --lease-grace 3s
for target in up killed; do
    now=$(date +%s)
    prometheus_says $((now - 60)) $((now + 600))
    alertmanager_says firing $((now - 60))
    wait_for 10 "$target: the first outage fires" states_are '["firing"]'
    if [ "$target" = killed ]; then
        kill -KILL "$engine_pid"
        wait "$engine_pid" 2>/dev/null || true
        engine_start --lease-grace 3s
    fi
    now=$(date +%s)
    prometheus_says $((now - 10)) $((now + 600))
    alertmanager_says firing $((now - 10))
    wait_for 10 "$target: both are one alert" states_are '["firing"]'
    prometheus_says $((now - 10)) $((now - 1))
    alertmanager_says resolved $((now - 10)) $((now - 1))
    wait_for 20 "$target: it is over" states_are '["resolved"]'
done
engine_stop
