#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo as the end-to-end test: one incident, the right cause, a playbook approved, run and verified, resolved in
# under 60 s; then again on the same engine. A storm of some forty alerts, and no other incident open afterwards.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin demo "${1:?usage: $0 BUILD_DIR}"
service_port=$(free_port)
cat >"$work/faultline.lua" <<LUA
return {
  rules = "$src/rules",
  playbooks = "$src/playbooks",
  allow_private_targets = true,
  http_allow = { { host = "127.0.0.1", port = $service_port, methods = "GET,POST" } },
}
LUA
engine_start --config "$work/faultline.lua"
for round in 1 2; do
    began=$SECONDS rc=0
    "$faultline" demo --server "$url" --token-file "$token" --service-port "$service_port" >"$work/demo.$round.log" 2>&1 || rc=$?
    took=$((SECONDS - began))
    [ "$rc" -eq 0 ] || fail "round $round of the demo exited $rc"
    [ "$took" -le 60 ] || fail "round $round took $took s"
    echo "round $round: $took s"
done
api '/api/v1/incidents?limit=100' >"$work/incidents.json"
jq -e '.incidents | length >= 1 and all(.[]; .state == "resolved" or .state == "merged")' "$work/incidents.json" >/dev/null ||
    fail "not every incident is over: $(jq -c '[.incidents[] | {id, state, alerts_total, cause}]' "$work/incidents.json")"
jq -e '[.incidents[] | select(.state == "resolved")] | length == 2 and all(.[]; .cause == "pg-catalog" and .alerts_total == 40)' \
    "$work/incidents.json" >/dev/null || fail "two outages of forty alerts should be two incidents: $(jq -c '[.incidents[] | {id, state, alerts_total, cause}]' "$work/incidents.json")"
# The run was proposed for an incident that another one took in: what was done is told all the same.
for incident in $(jq -r '.incidents[] | select(.state == "resolved") | .id' "$work/incidents.json"); do
    "$faultline" why "$incident" --server "$url" --token-file "$token" >"$work/why.txt"
    grep -q 'restart-service (RUN-.*verified' "$work/why.txt" || fail "why $incident does not tell of the run: $(<"$work/why.txt")"
done
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
# What another model would have said: a line for the cause, one for the playbook that would not have been proposed.
echo '{"note":"blames whatever alerts and explains nothing","weights":{"explains_upstream_3":-3,"alerting":2}}' >"$work/other.json"
rc=0
"$faultline" replay --data "$work/data" --model "$work/other.json" >"$work/replay.txt" 2>"$work/replay.log" || rc=$?
[ "$rc" -eq 1 ] || fail "the replay under another model exited $rc"
grep -qE '^  cause      pg-catalog \([0-9]+ %\) → [a-z0-9-]+ \([0-9]+ %\)$' "$work/replay.txt" || fail "no cause before and after: $(cat "$work/replay.txt")"
grep -q '^  playbook   - restart-service' "$work/replay.txt" || fail "the playbook of the demo would still be proposed: $(cat "$work/replay.txt")"
engine_stop
cat "$work/demo.1.log"
