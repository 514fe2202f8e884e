#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A watched sender falls silent: an incident, told by doctor and by the metrics; it is back: resolved. Its sign of life
# opens nothing, although repeats of it reach no journal. A restart forgets nobody who was silent.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin beat "${1:?usage: $0 BUILD_DIR}"
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_beat.lua" <<'LUA'
heartbeat { name = "prom", match = { "alertname=Watchdog" }, interval = "2s", grace = "5s", labels = { team = "mon" } }
LUA
engine_start --rules "$work/rules"
watchdog() { api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[{"labels":{"alertname":"Watchdog"},"startsAt":"2026-11-01T00:00:00Z"}]'; }
alert_is() { [ "$(api '/api/v1/alerts?limit=100' | jq -r --arg n "$1" '[.alerts[] | select(.labels.alertname == $n) | .status] | unique | join(",")')" = "$2" ]; }
metrics() { curl -fsS "$url/metrics"; }
metric() { grep -qxF "$1" <<<"$(metrics)"; }
doctor_says() { grep -Eq "$1" <<<"$("$faultline" doctor --data "$work/data" --rules "$work/rules" || true)"; }

incident_open() { api /api/v1/incidents | jq -e '.incidents[] | select(.title | contains("SenderSilent"))'; }

watchdog
wait_for 10 "the sign of life is listed" alert_is Watchdog firing
api /api/v1/incidents | jq -e '.incidents | length == 0' >/dev/null || fail "a sign of life opened an incident"
why=$(api '/api/v1/alerts' | jq -r '.alerts[0].why | join("; ")')
[[ $why == *'sign of life of heartbeat rule "prom"'* ]] || fail "why: $why"

# Repeats write nothing and count all the same: alive for longer than its patience.
accepted() { metrics | sed -n 's/^faultline_intake_alerts_accepted_total //p'; }
rows=$(accepted)
until=$((SECONDS + 10))
while [ "$SECONDS" -lt "$until" ]; do
    watchdog
    metric 'faultline_heartbeat_silent{heartbeat="prom"} 0' || fail "said to be silent while it reports"
    sleep 0.3
done
[ "$(accepted)" = "$rows" ] || fail "a repeat was journalled"

wait_for 20 "silence is an alert" alert_is SenderSilent firing
wait_for 5 "and an incident" incident_open
metric 'faultline_heartbeat_silent{heartbeat="prom"} 1' || fail "the metrics do not say so"
doctor_says '^BAD +senders +1 silent: prom since ' || fail "doctor does not say so: $("$faultline" doctor --data "$work/data" --rules "$work/rules" || true)"
api '/api/v1/alerts' | jq -e '.alerts[] | select(.labels.alertname == "SenderSilent") | .labels.team == "mon" and .labels.severity == "critical"' >/dev/null ||
    fail "the labels of the rule are missing"

# Nobody else ends it: a resolve with its labels, in whatever format, is a dead letter with the reason; what came with it counts.
"$faultline" token create --data "$work/data" --role ingest --name sender --out "$work/sender" >/dev/null 2>&1
own=$(api '/api/v1/alerts' | jq -c '[.alerts[] | select(.labels.alertname == "SenderSilent")][0] | {labels, startsAt: .starts_at}')
sent() { curl -sS -o "$work/said" -w '%{http_code}' -H "Authorization: Bearer $(<"$work/sender")" -H 'Content-Type: application/json' --data-binary "$2" "$url$1"; }
known() { [ "$(sent /api/v2/alerts '[]')" = 200 ]; }
wait_for 3 "the sender is known" known
now=$(date -u +%FT%T.%6NZ) # not before it began: that may be in this second
code=$(sent /api/v2/alerts "$(jq -c --arg now "$now" '[. + {endsAt: $now}, {labels: {alertname: "Other"}}]' <<<"$own")")
[ "$code" = 400 ] && grep -qF 'is an alert of the engine' "$work/said" || fail "a forged resolve got $code: $(cat "$work/said")"
code=$(sent /api/v1/intake/alertmanager "$(jq -c --arg now "$now" '{version: "4", groupKey: "g", status: "resolved", receiver: "r", alerts: [. + {status: "resolved", endsAt: $now}]}' <<<"$own")")
[ "$code" = 400 ] && grep -qF 'give yours another name' "$work/said" || fail "a forged resolve got $code: $(cat "$work/said")"
wait_for 10 "the alert beside it is there" alert_is Other firing
alert_is SenderSilent firing || fail "a sender ended the engine's alert"
letters() { api /api/v1/deadletters | jq -e '[.deadletters[] | select(.reason | contains("is an alert of the engine"))] | length == 2'; }
wait_for 10 "the forged ones are dead letters" letters

# Over a restart it is silent still: one episode.
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start --rules "$work/rules"
alert_is SenderSilent firing || fail "after the restart nobody is silent"
watchdog
wait_for 10 "it is back" alert_is SenderSilent resolved
[ "$(api '/api/v1/alerts?limit=100' | jq '[.alerts[] | select(.labels.alertname == "SenderSilent")] | length')" = 1 ] || fail "the restart made another episode"

# And again, until its rule goes: then nobody watches, and the Watchdog is an alert like any other.
wait_for 20 "silent again" alert_is SenderSilent firing,resolved
rm "$work/rules/zz_beat.lua"
api /-/reload -X POST
wait_for 10 "its rule is gone" alert_is SenderSilent resolved
doctor_says '^ok +senders ' || fail "doctor still says so"
engine_stop
chain_replays_at_rest() { port='' engine_start --rules "$work/rules" && chain_replays; }
chain_replays_at_rest
echo "heartbeat: ok"
