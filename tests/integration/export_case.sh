#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# An incident of a running engine as a picture and as a case directory that rank, evaluate and model train read.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin export "${1:?usage: $0 BUILD_DIR}"
cat >"$work/shop.json" <<'JSON'
{"nodes":[{"id":"web","type":"gateway"},{"id":"cart","type":"service"},{"id":"cart-0","type":"instance","service":"cart"},
 {"id":"db","type":"store"},{"id":"mail","type":"service"}],
 "edges":[{"from":"web","to":"cart","type":"calls"},{"from":"cart","to":"cart-0","type":"has_instance"},
 {"from":"cart","to":"db","type":"data"},{"from":"mail","to":"db","type":"data"}]}
JSON
engine_start
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
exits() { # CODE TEXT COMMAND…
    local code=$1 text=$2 got=0
    shift 2
    fl "$@" >"$work/out" 2>&1 || got=$?
    [ "$got" -eq "$code" ] || fail "faultline $*: exit $got, wanted $code: $(<"$work/out")"
    grep -qF -- "$text" "$work/out" || fail "faultline $*: no \"$text\" in: $(<"$work/out")"
}
fl topology import "$work/shop.json" 2>/dev/null
api /api/v1/changes -H 'Content-Type: application/json' --data-binary \
    "[{\"time\":\"$(date -u -d '5 minutes ago' +%FT%TZ)\",\"component\":\"db\",\"kind\":\"deploy\",\"id\":\"d-7\",\"title\":\"new <index>\"}]" >/dev/null
for pair in 'DiskFull db' 'SlowQueries db' 'HighErrorRate cart' 'HighErrorRate web'; do
    read -r name node <<<"$pair"
    fl alert send "$name" "service=$node" severity=critical "--summary=$name on $node" >/dev/null 2>&1
done
complete() { api '/api/v1/incidents?limit=10' | jq -e '[.incidents[] | select(.alerts_total == 4)] | length == 1' >/dev/null; }
wait_for 20 "one incident of four alerts" complete
id=$(api '/api/v1/incidents?limit=10' | jq -r '.incidents[] | select(.alerts_total == 4).id')
ranked() { api "/api/v1/incidents/$id" | jq -e '.ranking.candidates | length >= 1' >/dev/null; }
wait_for 20 "it is ranked" ranked

# ---- the picture
exits 0 'the picture is in' incident show "$id" --svg "$work/a.svg"
exits 0 'the picture is in' incident show "$id" --svg "$work/b.svg"
cmp "$work/a.svg" "$work/b.svg" || fail "the same incident gave two pictures"
grep -qF "<title id=\"n\">$id" "$work/a.svg" || fail "the picture does not say of what it is"
grep -q '▲ db' "$work/a.svg" && grep -q '▲ web' "$work/a.svg" || fail "alerting components are not in the picture"
grep -q 'candidate 1, \|likely cause, ' "$work/a.svg" || fail "no candidate is in the picture"
exits 1 'cannot write the picture' incident show "$id" --svg "$work/no/such.svg"
[ "$(fl incident show nobody --svg "$work/c.svg" >/dev/null 2>&1; echo $?)" -ne 0 ] || fail "a picture of no incident"
[ ! -e "$work/c.svg" ] || fail "a picture of no incident was written"

# ---- the case: first without a verdict, then confirmed, then taken back
mkdir "$work/past"
exits 0 '4 alerts, 1 changes, not confirmed' incident export "$id" --case "$work/past/one"
[ ! -e "$work/past/expected.jsonl" ] || fail "a truth nobody confirmed"
exits 2 'holds a case already' incident export "$id" --case "$work/past/one"
exits 2 'needs --case' incident export "$id"
exits 2 'does not name a directory' incident export "$id" --case "$work/past/.."
jq -e '.case == "one" and .alerts == 4 and .topology == "topology.json"' "$work/past/one/case.json" >/dev/null || fail "case.json: $(<"$work/past/one/case.json")"
jq -e -s 'length == 4 and all(.[]; .labels.alertname and .annotations.summary and .startsAt and .fingerprint)' \
    "$work/past/one/alerts.jsonl" >/dev/null || fail "alerts.jsonl: $(<"$work/past/one/alerts.jsonl")"
jq -e '.id == "d-7" and .component == "db" and .title == "new <index>"' "$work/past/one/changes.jsonl" >/dev/null || fail "changes.jsonl"
"$faultline" rank --case "$work/past/one" >"$work/ranked" || [ $? -eq 1 ] || fail "rank cannot read the case"
grep -qw db "$work/ranked" || fail "rank does not know db: $(<"$work/ranked")"

fl incident confirm "$id" db 2>/dev/null
confirmed() { api "/api/v1/incidents/$id/timeline?limit=1000" | jq -e --arg k "$1" '[.timeline[] | select(.kind == $k)] | length == 1' >/dev/null; }
wait_for 10 "the verdict is there" confirmed incident.confirmed
printf '{"case":"other","service":"x"}\n{"case":"two","service":"wrong"}\n' >"$work/past/expected.jsonl"
exits 0 'the confirmed cause in expected.jsonl' incident export "$id" --case "$work/past/two/"
jq -s -c . "$work/past/expected.jsonl" | grep -qxF '[{"case":"other","service":"x"},{"case":"two","service":"db","exact":"db"}]' ||
    fail "expected.jsonl: $(<"$work/past/expected.jsonl")"
"$faultline" evaluate -o json "$work/past" >"$work/score.json" || fail "evaluate cannot read the cases"
jq -e '.sets[0] | .cases == 1 and .without_answer == 0' "$work/score.json" >/dev/null || fail "evaluate: $(<"$work/score.json")"
"$faultline" model train "$work/past" -o "$work/model.json" >/dev/null || fail "model train cannot read the cases"

fl incident reject "$id" --reason 'it was not' 2>/dev/null
wait_for 10 "the verdict is taken back" confirmed incident.rejected
exits 0 'not confirmed: without a truth' incident export "$id" --case "$work/past/three"
! grep -q three "$work/past/expected.jsonl" || fail "a rejected cause became a truth"
engine_stop
echo "picture and case: ok"
