#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# An alert that flaps: one incident, no playbook that starts by itself on it (one beside it does), an approval that is refused
# until somebody overrides it; said when it began and when it was over; the replay decides the same.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin flapping "${1:?usage: $0 BUILD_DIR}"
mkdir "$work/rules" "$work/playbooks"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/flapping.lua" <<'LUA'
flapping { name = "quick", changes = 2, within = "1m", quiet_for = "8s" }
LUA
cat >"$work/rules/bindings.lua" <<'LUA'
binding { name = "look at once", playbook = "look", approval = "none", match = { "alertname=Down" } }
LUA
cat >"$work/playbooks/look.lua" <<'LUA'
playbook { name = "look", version = "1", doc = "Looks.", disruptive = false, approval = "none", timeout = "1m", run = function(ctx) end }
LUA
echo '{"nodes":[{"id":"db","type":"store"},{"id":"mail","type":"service"}],"edges":[]}' >"$work/topology.json"
engine_start --rules "$work/rules" --playbooks "$work/playbooks" --topology "$work/topology.json"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
now() { date -u +%Y-%m-%dT%H:%M:%S.%NZ; }
post() { api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "$1"; }
fire() { # COMPONENT
    at=$(now)
    post '[{"labels":{"alertname":"Down","severity":"critical","component":"'"$1"'"},"startsAt":"'"$at"'"}]'
}
over() { post '[{"labels":{"alertname":"Down","severity":"critical","component":"'"$1"'"},"startsAt":"'"$at"'","endsAt":"'"$(now)"'"}]'; }
run_of() { api '/api/v1/runs?limit=100' | jq -r --arg c "$1" '[.runs[] | select((.ctx | tostring) | contains($c))][0] | '"$2"; }
is() { [ "$(run_of "$1" "$2")" = "$3" ]; }
metric() { [ "$(api /metrics | grep -F "$1 " | grep -v '^#' | sed 's/.* //')" = "$2" ]; }

# Beside it: what does not flap is acted on at once.
fire mail
wait_for 30 "the control: a playbook that needs no approval starts by itself" is '"mail"' .state succeeded

fire db
over db
fire db
over db
fire db
wait_for 10 "it flaps" metric faultline_alerts_flapping 1
wait_for 30 "it is proposed" is '"db"' .state proposed
run=$(run_of '"db"' .id) inc=$(run_of '"db"' .incident)
is '"db"' .approval required || fail "it may start by itself: $(run_of '"db"' .)"
[ "$(api '/api/v1/incidents?limit=100' | jq '[.incidents[] | select(.state != "merged")] | length')" = 2 ] || fail "more than one incident each"
timeline=$(api "/api/v1/incidents/$inc/timeline" | jq -r '.timeline[] | .kind + " " + .text')
[[ $timeline == *'alert.flapping Down on db is flapping (rule "quick")'* ]] || fail "timeline: $timeline"
[[ $timeline == *'guard.refused look may not start by itself: Down on db is flapping'* ]] || fail "timeline: $timeline"
fp=$(api '/api/v1/alerts?state=firing' | jq -r '.alerts[] | select(.node == "db") | .fingerprint')
why=$(fl why "$fp")
[[ $why == *'flapping since '*'(rule "quick"): counts as firing until it has not changed for 8s, at '* ]] || fail "why: $why"

# It goes on flapping while somebody decides.
over db
fire db
rc=0
fl playbook approve "$run" >"$work/refused" 2>&1 || rc=$?
[ "$rc" != 0 ] && grep -q 'is flapping' "$work/refused" || fail "approved while it flaps: $rc $(cat "$work/refused")"
is '"db"' .state proposed || fail "it started: $(run_of '"db"' .)"
fl playbook approve "$run" --override >/dev/null
wait_for 30 "with an override it runs" is '"db"' .state succeeded

wait_for 30 "it is over" metric faultline_alerts_flapping 0
api "/api/v1/incidents/$inc/timeline" | jq -e '.timeline[] | select(.kind == "alert.steady") | .text | test("firing without a break for 8s")' >/dev/null || fail "no end: $(fl why "$fp")"
fl why "$fp" -o json | jq -e '.episodes[0] | .status == "firing" and (.why | join(" ") | contains("flapping since") | not)' >/dev/null ||
    fail "why speaks of flapping still: $(fl why "$fp")"
chain_replays
engine_stop
echo "what flaps is not acted on by itself"
