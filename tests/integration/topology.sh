#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Questions about the graph: impact with cycles and dead ends, at a past time too; path; history.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin topology "${1:?usage: $0 BUILD_DIR}"
# web → api → db → disk, api → cache → api (a cycle), job → db; lone stands alone.
cat >"$work/one.json" <<'JSON'
{"nodes":[{"id":"web","type":"gateway","owner":"shop"},{"id":"api","type":"service"},{"id":"cache","type":"store"},{"id":"db","type":"store"},
 {"id":"disk","type":"host"},{"id":"job","type":"service"},{"id":"lone","type":"service"}],
 "edges":[{"from":"web","to":"api","type":"calls"},{"from":"api","to":"db","type":"calls"},{"from":"db","to":"disk","type":"runs_on"},
 {"from":"api","to":"cache","type":"calls"},{"from":"cache","to":"api","type":"calls"},{"from":"job","to":"db","type":"calls"}]}
JSON
jq 'del(.nodes[] | select(.id == "job")) | del(.edges[] | select(.from == "job"))' "$work/one.json" >"$work/two.json"
engine_start --log-level info
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
fl topology import "$work/one.json" 2>/dev/null
projected() { api "/api/v1/topology" | jq -e --argjson n "$1" '.nodes | length == $n'; }
wait_for 10 "the graph is there" projected 7

impact() { api "/api/v1/topology/impact?node=$1${2:+&at=$2}" | jq -r '"\(.articulation) \(.count) " + ([.dependants[] | "\(.node)=\(.hops)"] | join(" "))'; }
expect() { # WANT GOT
    [ "$1" = "$2" ] || fail "expected \"$1\", got \"$2\""
}
expect 'false 5 db=1 api=2 job=2 cache=3 web=3' "$(impact disk)" # nothing hangs on disk but db
expect 'false 0 ' "$(impact lone)"
expect 'true 4 api=1 job=1 cache=2 web=2' "$(impact db)"
expect 'true 2 cache=1 web=1' "$(impact api)"
expect 'false 0 ' "$(impact web)"
"$faultline" topology impact db --server "$url" --token-file "$token" | grep -q '^4 components need db, directly or not; without it' || fail "the command line says something else"

# What only it leads to: disk hangs on db; web is an entry, so nothing is reached but through web and job.
only() { api "/api/v1/topology/impact?node=$1" | jq -r '[.dominated[].node] | join(" ")'; }
expect 'disk' "$(only db)"
expect 'api cache' "$(only web)"
expect 'cache' "$(only api)"
expect '' "$(only lone)"
expect '{"gateway":1,"service":2,"store":1}' "$(api '/api/v1/topology/impact?node=db' | jq -c .types)"

# What followed its alerts: nothing yet; then an incident that db leads, and one it does not.
followed() { api "/api/v1/topology/impact?node=$1" | jq -c '.followed | [.incidents, .confirmed] + [.alerts[] | "\(.alertname) \(.node) \(.incidents) \(.after_s)"]'; }
expect '[0,0]' "$(followed db)"
now=$(date +%s)
alert() { printf '{"labels":{"alertname":"%s","component":"%s","severity":"critical"},"startsAt":"%s"}' "$1" "$2" "$(date -u -d "@$((now - $3))" +%FT%TZ)"; }
printf '[%s,%s,%s]' "$(alert DiskFull db 90)" "$(alert HighLatency api 60)" "$(alert HighErrorRate web 30)" >"$work/alerts.json"
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "@$work/alerts.json" >/dev/null
three_alerts() { api "/api/v1/incidents" | jq -e '[.incidents[].alerts_total] == [3]'; }
wait_for 10 "one incident of three alerts" three_alerts
expect '[1,0,"HighLatency api 1 30","HighErrorRate web 1 60"]' "$(followed db | sed 's/\.0"/"/g')"
expect '[0,0]' "$(followed web)"
id=$(api /api/v1/incidents | jq -r '.incidents[0].id')
fl incident confirm "$id" web 2>/dev/null
confirmed() { [ "$(followed web)" = '[1,1]' ]; }
wait_for 10 "the verdict counts" confirmed
fl topology impact db | grep -q 'in 1  HighLatency .*api .* 30 s later' || fail "the command line does not say what followed"
fl topology impact db | grep -q '^1 components are reached through it alone' || fail "the command line does not say what falls with it"

for wrong in 400: '404:?node=nobody'; do
    got=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -s -o /dev/null -w '%{http_code}' -H @- "$url/api/v1/topology/impact${wrong#*:}")
    expect "${wrong%%:*}" "$got"
done

expect '["web","api","db","disk"]' "$(fl topology path web disk -o json | jq -c .path)"
rc=0
fl topology path disk web 2>/dev/null || rc=$?
expect 1 "$rc"

before=$(date -u +%FT%T.%6NZ)
fl topology import "$work/two.json" 2>/dev/null
wait_for 10 "the second graph is there" projected 6
expect 'true 3 api=1 cache=2 web=2' "$(impact db)"
expect 'true 4 api=1 job=1 cache=2 web=2' "$(impact db "$before")"
expect '[[6,0,1,5,0,1],[7,7,0,6,6,0]]' "$(fl topology history -o json | jq -c '[.versions[] | [.nodes, .nodes_new, .nodes_gone, .edges, .edges_new, .edges_gone]]')"
fl topology history | grep -q COMPONENTS || fail "no table of versions"

# The graph in the forms of other tools: first what would be imported, then it. A wrong line is named.
printf 'caller,callee\nweb,api\napi,db\n' >"$work/calls.csv"
"$faultline" topology import --dry-run "$work/calls.csv" | jq -e '(.nodes | length == 3) and .edges[1] == {from: "web", to: "api", type: "calls"}' >/dev/null ||
    fail "the dry run of a CSV file says something else"
projected 6 || fail "a dry run changed the graph"
said=$(printf 'from,to\nweb\n' | "$faultline" topology import --dry-run - 2>&1) && fail "a line without its second end was taken"
case $said in *'/dev/stdin:2: 1 fields'*'--format'*) ;; *) fail "the broken line is not named: $said" ;; esac
fl topology import "$work/calls.csv" 2>/dev/null
wait_for 10 "the graph of the CSV file is there" projected 3
printf '{"data":[{"parent":"web","child":"api","callCount":7}]}' | fl topology import - 2>/dev/null
wait_for 10 "the graph of Jaeger is there" projected 2
# Written by hand: a file is run, without access to anything, and an error in it has its line.
cat >"$work/shop.lua" <<'LUA'
local pods = {}
for i = 1, 3 do pods[i] = "web-" .. i end
return { service = { web = { has_instance = pods, calls = { "api" } }, api = { data = "db" } } }
LUA
fl topology import "$work/shop.lua" 2>/dev/null
wait_for 10 "the graph of the Lua file is there" projected 6
for broken in 'return { service = { web = { calls = 5 } } }:, service.web.calls: must be names' 'return io.open("/etc/passwd"):io' 'while true do end: time'; do
    rc=0
    printf '\n%s\n' "${broken%%:*}" >"$work/broken.lua"
    said=$("$faultline" topology import --dry-run "$work/broken.lua" 2>&1) || rc=$?
    [ "$rc" -ne 0 ] || fail "taken: ${broken%%:*}"
    case $said in *"${broken#*:}"*) ;; *) fail "not named: $said" ;; esac
done
engine_stop
