#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What makes the noise: reports with their repeats survive a restart, what a silence kept is told apart, and an alert
# rule that nobody ever acts on has a precision of nothing.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin noise "${1:?usage: $0 BUILD_DIR}"
engine_start --log-level info
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
send() { # NAME TEAM
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary \
        "[{\"labels\":{\"alertname\":\"$1\",\"team\":\"$2\"},\"startsAt\":\"$(date -u +%Y-%m-%dT%H:00:00Z)\"}]"
}
fl silence add --comment test --duration 1h alertname=Muted >/dev/null 2>&1
for _ in 1 2 3 4 5; do send Noisy web; done
send Muted 'we\"b'
send Real web
listed() { [ "$(api '/api/v1/alerts?limit=10' | jq '.alerts | length')" = 3 ]; }
wait_for 10 "three alerts" listed
incident=$(api '/api/v1/alerts?limit=10' | jq -r '.alerts[] | select(.labels.alertname == "Real") | .incident')
fl incident ack "$incident" >/dev/null 2>&1 || fail "no acknowledgement of $incident"
metric() { grep -qxF "$1" <<<"$(curl -fsS "$url/metrics")"; }
wait_for 5 "reports by team" metric 'faultline_team_reports_total{realm="default",team="web"} 6'
wait_for 5 "what a silence kept, by team" metric 'faultline_team_silenced_total{realm="default",team="we\"b"} 1'
wait_for 5 "reports by alert rule" metric 'faultline_rule_reports_total{realm="default",rule="Noisy"} 5'
wait_for 5 "incidents by alert rule" metric 'faultline_rule_incidents_total{realm="default",rule="Real"} 1'
wait_for 5 "what a silence kept, by alert rule" metric 'faultline_rule_silenced_total{realm="default",rule="Muted"} 1'

# Repeats are in no row until the stop: that writes their sums.
engine_stop
engine_start --log-level info
wait_for 5 "figures by alert rule outlive a restart" metric 'faultline_rule_alerts_total{realm="default",rule="Noisy"} 1'
stats=$(fl alert stats --since 1d -o json)
of() { jq -c --arg k "$1" '.groups[] | select(.key == $k) | [.reports, .alerts, .repeats, .silenced, .incidents]' <<<"$stats"; }
[ "$(of Noisy)" = '[5,1,4,0,1]' ] || fail "Noisy: $(of Noisy)"
[ "$(of Muted)" = '[1,1,0,1,0]' ] || fail "Muted: $(of Muted)"
[ "$(jq .total.reports <<<"$stats")" = 7 ] || fail "the total: $stats"
stats=$(fl alert stats --by team -o json)
[ "$(of web)" = '[6,2,4,0,2]' ] || fail "web: $(of web)"
fl alert stats | grep -q '^ *5 .*Noisy$' || fail "the table: $(fl alert stats)"
acked() { fl alert stats --precision -o json | jq -e '[.rules[] | select(.precision > 0) | .rule] == ["Real"]'; }
wait_for 10 "only the alert that somebody took up was worth it" acked
rc=0
fl alert stats --by nothing 2>/dev/null || rc=$?
[ "$rc" != 0 ] || fail "a word that is none was taken"
chain_replays
echo "noise: ok"
