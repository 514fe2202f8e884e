#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `faultline why` tells the whole path of an alert, also of one that is long over and of several episodes, and what did
# not happen: mapped to nothing, held, no playbook, never seen.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin why "${1:?usage: $0 BUILD_DIR}"
cat >"$work/topology.json" <<'JSON'
{"nodes":[{"id":"db","type":"store"},{"id":"api","type":"service"},{"id":"far","type":"service","labels":{"restart_url":"http://127.0.0.1:9/x"}}],
 "edges":[{"from":"api","to":"db","type":"calls"}]}
JSON
engine_start --topology "$work/topology.json"
FAULTLINE_URL=$url
export FAULTLINE_URL
why() { "$faultline" why --token-file "$token" "$@" >"$work/said" 2>&1; }
send() { api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "$1" >/dev/null; }
fingerprint() { api '/api/v1/alerts?limit=1000' | jq -er --arg n "$1" '[.alerts[] | select(.alertname == $n)][0].fingerprint'; }
says() {
    grep -qF -- "$1" "$work/said" || fail "\"$1\" is not in
$(cat "$work/said")"
}

api /api/v2/silences -H 'Content-Type: application/json' --data-binary '{"comment":"planned","createdBy":"ann","matchers":[
    {"name":"alertname","value":"Held","isRegex":false,"isEqual":true}],"startsAt":"'"$(date -u +%FT%TZ)"'","endsAt":"'"$(date -u -d '+1 hour' +%FT%TZ)"'"}' >/dev/null
send '[{"labels":{"alertname":"Down","service":"db","severity":"critical"}}]'
send '[{"labels":{"alertname":"Slow","service":"api","severity":"warning"}}]'
send '[{"labels":{"alertname":"Odd","service":"nowhere","severity":"warning"}}]'
send '[{"labels":{"alertname":"Held","service":"api","severity":"warning"}}]'
send '[{"labels":{"alertname":"Far","service":"far","severity":"critical"}}]'
# two episodes of one fingerprint, a week and two weeks ago
for days in 14 7; do
    send '[{"labels":{"alertname":"Old","service":"db"},"startsAt":"'"$(date -u -d "-$days days" +%FT10:00:00Z)"'","endsAt":"'"$(date -u -d "-$days days" +%FT11:00:00Z)"'"}]'
done
decided() { api '/api/v1/alerts?limit=1000' | jq -e '[.alerts[].alertname] | length == 7' && api /api/v1/runs | jq -e '.runs | length == 1' &&
    api /api/v1/incidents | jq -r '.incidents[].id' | while read -r id; do api "/api/v1/incidents/$id/timeline"; done |
    jq -s -e '[.[].timeline[] | select(.kind == "playbook.none")] | length >= 2'; }
wait_for 60 "alerts, causes and playbooks are decided" decided

why "$(fingerprint Down)" || fail "why failed: $(cat "$work/said")"
says 'accepted from alertmanager-v2'
says 'mapped to component db by rule "service"'
says 'opened INC-'
says 'its parameter {node:restart_url} is empty for db'
incident=$(api "/api/v1/why/$(fingerprint Down)" | jq -r '.episodes[0].incident')
why "$(fingerprint Slow)" || fail "why failed"
says 'api is 1 hop from db'
why "$(fingerprint Odd)" || fail "why failed"
says 'matches no component of the topology: rule "service" finds "nowhere"'
says 'no playbook: no convincing cause'
why "$(fingerprint Held)" || fail "why failed"
says 'silence'
says 'planned'
why "$(fingerprint Far)" || fail "why failed"
says 'proposes restart-service on far'

old=$(fingerprint Old)
why "$old" || fail "why failed"
[ "$(grep -c 'never seen firing\|before it was ever seen' "$work/said")" = 2 ] || fail "two episodes were expected: $(cat "$work/said")"
why "$old" --at "$(date -u -d '-7 days' +%FT10:30:00Z)" || fail "why --at failed: $(cat "$work/said")"
[ "$(grep -c 'before it was ever seen' "$work/said")" = 1 ] || fail "one episode was expected: $(cat "$work/said")"
! why "$old" --at "$(date -u -d '-7 days' +%FT12:30:00Z)" || fail "it did not fire then"
says 'did not fire at'

why "$incident" || fail "why of an incident failed: $(cat "$work/said")"
says "$incident is open"
says 'why it was opened'
says 'opened by Down on db'
says 'likely cause: db'
says '2 firing, 0 stale'
says 'no playbook: binding "restart what can be restarted"'

near=$(fingerprint Down | tr 0123456789abcdef 123456789abcdef0 | cut -c1)$(fingerprint Down | cut -c2-)
! why "$near" || fail "an unknown fingerprint was found"
says 'was ever accepted'
says "did you mean $(fingerprint Down) (Down)?"
says 'there is no dead letter'
! why INC-2020-000001 || fail "an unknown incident was found"
"$faultline" audit verify --data "$work/data" >/dev/null || fail "the audit trail does not verify"
chain_replays
engine_stop
echo "why: mapped, unmapped, held, proposed, refused, last week's, an incident, a stranger"
