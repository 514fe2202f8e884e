#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `faultline why` tells the whole path of an alert, also of one that is long over and of several episodes, and what did
# not happen: mapped to nothing, held, no playbook, never seen. The command prints what GET /api/v1/why answers, and no more.
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
says 'there is no incident "INC-2020-000001"'

# The command's JSON is the answer of the API, for an alert, a time, an incident, a stranger.
as_json() { # ARGUMENT PATH
    "$faultline" why --token-file "$token" -o json $1 2>/dev/null | jq -S . >"$work/said" || true
    curl -sS -H "Authorization: Bearer $(<"$token")" "$url/api/v1/why/$2" | jq -S . >"$work/answer"
    [ -s "$work/answer" ] && cmp -s "$work/said" "$work/answer" || fail "why -o json $1 is not what /api/v1/why/$2 answers"
}
week=$(date -u -d '-7 days' +%FT10:30:00Z)
as_json "$old" "$old"
as_json "$old --at $week" "$old?at=$week"
as_json "$incident" "$incident"
as_json "$near" "$near"
as_json INC-2020-000001 INC-2020-000001
api "/api/v1/why/$old?at=$week" | jq -e '.episodes | length == 1' >/dev/null || fail "?at= chose not one episode"
api "/api/v1/why/$incident" | jq -e '.incident.id == "'"$incident"'" and ([.why[].question] | index("which playbooks, or why none")) and (.timeline | length > 2)' >/dev/null ||
    fail "the API does not say why $incident came about"
# Who only sends learns nothing.
"$faultline" token create --data "$work/data" --role ingest --name sender --out "$work/sender" >/dev/null 2>&1
told() { curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $(<"$work/sender")" "$url/api/v1/why/$1"; }
wait_for 3 "the sender is known" test "$(told "$old")" = 403
[ "$(told "$incident")" = 403 ] || fail "a sender may read an incident"

# Far's incident ends in db's: what was proposed for it there is still told, with where it was written.
far=$(api "/api/v1/why/$(fingerprint Far)" | jq -r '.episodes[0].incident')
"$faultline" incident merge --token-file "$token" "$far" "$incident" >/dev/null 2>&1 || fail "the merge was refused"
moved() { [ "$(api "/api/v1/why/$(fingerprint Far)" | jq -r '.episodes[0].incident')" = "$incident" ]; }
wait_for 10 "Far is in $incident" moved
why "$(fingerprint Far)" || fail "why failed"
says "proposes restart-service on far"
says "(written in $far)"
why "$incident" || fail "why of the merged incident failed"
says "$far was merged into this incident"
says "opened by Far on far"
why "$far" || fail "why of an absorbed incident failed"
says "$incident took it in"
"$faultline" incident show --all --token-file "$token" "$incident" >"$work/said"
says "proposes restart-service on far"
says "(written in $far)"
api "/api/v1/incidents/$incident/report.md" | tr -d '\\' >"$work/said"
says "(written in $far)"
api "/api/v1/incidents/$incident/timeline" | jq -e --arg far "$far" --arg into "$incident" \
    '[.timeline[].incident] | index($far) != null and index($into) != null and (unique | length == 2)' >/dev/null || fail "the chronologies are not one"
api "/api/v1/incidents/$incident/timeline" | jq -e '[.timeline[] | [.event_seq, .n]] | . == sort' >/dev/null || fail "the chronology is not in order"
"$faultline" audit verify --data "$work/data" >/dev/null || fail "the audit trail does not verify"
chain_replays
engine_stop
echo "why: mapped, unmapped, held, proposed, refused, last week's, an incident, a stranger"
