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
engine_stop
