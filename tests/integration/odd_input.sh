#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Graphs, alerts and clocks as they should not be, at a running engine: what is refused is refused whole, with element,
# value, reason and next step; what is taken has the behaviour that docs/reference/odd-input.md states.
#   odd_input.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin odd "${1:?usage: $0 BUILD_DIR}"
cat >"$work/faultline.lua" <<LUA
return { max_body = 1048576 }
LUA
engine_start --config "$work/faultline.lua"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }

put() { # FILE: $code, $work/answer
    code=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/answer" -w '%{http_code}' --max-time 30 -H @- \
        -X PUT -H 'Content-Type: application/json' -H 'Expect:' --data-binary @"$1" "$url/api/v1/topology") || true
}

# ---- a graph that is refused changes nothing
cat >"$work/good.json" <<'JSON'
{"nodes":[{"id":"web","type":"gateway"},{"id":"api","type":"service"},{"id":"db","type":"store"}],
 "edges":[{"from":"web","to":"api","type":"calls"},{"from":"api","to":"db","type":"calls"}]}
JSON
fl topology import "$work/good.json" 2>/dev/null
projected() { api /api/v1/topology | jq -e --argjson n "$1" '.nodes | length == $n'; }
wait_for 20 "the first graph is there" projected 3
api /api/v1/topology >"$work/before"
versions() { fl topology history -o json | jq '.versions | length'; }
before=$(versions)
refused() { # FIELD MESSAGE HINT BODY: parts of the answer, the last two as regular expressions
    printf '%s' "$4" >"$work/body"
    put "$work/body"
    [ "$code" = 400 ] || fail "$code, not 400, to ${4:0:200}: $(head -c 300 "$work/answer")"
    jq -e --arg f "$1" --arg m "$2" --arg h "$3" '.error | (.field // "") == $f and (.message | test($m)) and (.hint // "" | test($h))' \
        "$work/answer" >/dev/null || fail "not \"$1\", \"$2\", \"$3\" to ${4:0:200}: $(cat "$work/answer")"
    api /api/v1/topology | cmp -s - "$work/before" || fail "the graph is another one after ${4:0:200}"
}
refused 'line 1 column 11' 'unexpected end' '' '{"nodes":['
refused '' 'neither nodes nor edges' 'an empty graph is' '{}'
refused 'nodes' 'must be a list, not \{\}' '' '{"nodes":{}}'
refused 'nodes[1]' 'must be an object, not 7' 'a node is' '{"nodes":[{"id":"a"},7]}'
refused 'nodes[0]' 'has no id' 'give it an id' '{"nodes":[{"type":"service"}]}'
refused 'nodes[0].id' 'must be a string, not 5' 'quotes' '{"nodes":[{"id":5}]}'
refused 'nodes[2].id' '"a" is given twice' 'nodes\[0\] has it, too' '{"nodes":[{"id":"a"},{"id":"b"},{"id":"a","type":"host"}]}'
refused 'nodes[0].labels.team' 'must be a string, not 1' 'quotes' '{"nodes":[{"id":"a","labels":{"team":1}}]}'
refused 'edges[0]' 'needs from and to' 'who needs' '{"nodes":[{"id":"new"}],"edges":[{"from":"new"}]}'
refused 'edges[1]' '"a" -> "b" must be a number above 0, not -1' 'leave weight out' \
    '{"edges":[{"from":"a","to":"b"},{"from":"a","to":"b","weight":-1}]}'
refused 'edges[0]' 'not 1e999' 'leave weight out' '{"edges":[{"from":"a","to":"b","weight":1e999}]}'
refused 'nodes[0].id' '513 bytes long, at most 512' 'shorter' "{\"nodes\":[{\"id\":\"$(printf '%0513d' 0)\"}]}"
kinds() { # N edge types
    printf '{"edges":['
    for ((i = 0; i < $1; i++)); do printf '{"from":"a","to":"b","type":"kind-%d"},' "$i"; done
    printf '{"from":"a","to":"b","type":"kind-0"}]}'
}
refused 'edges' 'more than 256 edge types' 'such as calls' "$(kinds 257)"
head -c 1048577 /dev/zero | tr '\0' ' ' >"$work/body"
put "$work/body"
[ "$code" = 413 ] || fail "a graph above max_body was answered $code"
jq -e '.error | (.message | test("1048577 bytes, the limit is 1048576")) and (.hint | test("max_body"))' "$work/answer" >/dev/null ||
    fail "no next step for a large graph: $(cat "$work/answer")"
rc=0
fl topology import "$work/body" 2>"$work/said" || rc=$?
[ "$rc" = 1 ] && grep -q max_body "$work/said" || fail "the command line says $rc: $(cat "$work/said")"
[ "$(versions)" = "$before" ] || fail "a refused graph is a version"

# ---- a graph that is odd but true
# web → api → web is a cycle; api → api; api → db twice; db → disk, which is no node; types nobody knows.
cat >"$work/odd.json" <<'JSON'
{"nodes":[{"id":"web","type":"gateway"},{"id":"api","type":"microlith"},{"id":"db","type":"store"},{"id":"far","type":"service"}],
 "edges":[{"from":"web","to":"api","type":"calls"},{"from":"api","to":"web","type":"calls"},{"from":"api","to":"api","type":"calls"},
 {"from":"api","to":"db","type":"calls"},{"from":"api","to":"db","type":"calls","weight":2},{"from":"web","to":"db","type":"haunts"},{"from":"db","to":"disk","type":"runs_on"}]}
JSON
put "$work/odd.json"
[ "$code" = 200 ] || fail "an odd graph was answered $code: $(cat "$work/answer")"
jq -e '.nodes == 5 and .edges == 5' "$work/answer" >/dev/null || fail "not 5 nodes and 5 edges: $(cat "$work/answer")"
wait_for 20 "the odd graph is there" projected 4

ago() { date -u -d "@$(($(date +%s) - $1))" +%FT%TZ; }
alert() { # NAME COMPONENT STARTS_AT [ENDS_AT]
    printf '{"labels":{"alertname":"%s","component":"%s","severity":"critical"},"startsAt":"%s"%s}' "$1" "$2" "$3" "${4:+,\"endsAt\":\"$4\"}"
}
long_ago=$(ago 10800) lately=$(ago 5) ahead=$(ago -120)
post() {
    printf '[%s]' "$*" >"$work/body"
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary @"$work/body" >/dev/null
}
incident_with() { # ALERTNAME: its incident's id, or nothing
    api '/api/v1/alerts?limit=1000' | jq -r --arg n "$1" '[.alerts[] | select(.alertname == $n) | .incident // empty] | last // empty'
}
has_incident() { [ -n "$(incident_with "$1")" ]; }

# ---- clocks hours apart: the cause's clock is three hours behind the page's, and a change is dated two hours ahead.
printf '{"component":"db","kind":"deploy","id":"late-1","title":"connection pool","time":"%s"}' "$(ago -7200)" >"$work/body"
api /api/v1/changes -H 'Content-Type: application/json' --data-binary @"$work/body" >/dev/null
post "$(alert DiskFull db "$long_ago"),$(alert HighErrorRate api "$lately"),$(alert HighErrorRate web "$ahead")"
wait_for 20 "an incident" has_incident DiskFull
id=$(incident_with DiskFull)
ranked() { api "/api/v1/incidents/$id" | jq -e '[.ranking.candidates[].node] | contains(["api", "db", "web"])'; }
wait_for 20 "one ranking of all three, whatever their clocks say" ranked
api "/api/v1/incidents/$id" >"$work/incident"
jq -e '.ranking.candidates[0].node == "db" and ([.ranking.candidates[].confidence] | all(. >= 0) and add < 1.001)' "$work/incident" >/dev/null ||
    fail "not db, or no probabilities: $(jq -c '[.ranking.candidates[] | {node, confidence}]' "$work/incident")"
jq -e '.ranking.culprit_change == null' "$work/incident" >/dev/null || fail "a change two hours after the alerts is blamed"
api "/api/v1/incidents/$id/graph.svg" | grep -q '<title id="n">' || fail "no picture"

# ---- alerts on components that nobody knows: kept, listed, an incident of their own, and no cause is made up
post "$(alert Stray nowhere "$lately")"
wait_for 20 "a stray alert has an incident" has_incident Stray
stray=$(incident_with Stray)
[ "$stray" != "$id" ] || fail "a stray alert joined an incident it has nothing to do with"
api '/api/v1/alerts?state=unmapped' | jq -e '[.alerts[].alertname] == ["Stray"]' >/dev/null || fail "it is not among the unmapped"
stray_ranked() { api "/api/v1/incidents/$stray" | jq -e '.ranking != null and .ranking.convincing == false and (.ranking.candidates | length == 0)'; }
wait_for 20 "no convincing cause without a component" stray_ranked
fl incident show "$stray" >"$work/said"
grep -qi "no convincing cause\|no cause" "$work/said" || fail "what is said of it: $(cat "$work/said")"
api "/api/v1/incidents/$stray/graph.svg" | grep -q 'on no known component' || fail "its picture does not say so"

# ---- an incident that all its alerts leave: it recovers, and its last ranking stays
ended=$(ago 1)
post "$(alert DiskFull db "$long_ago" "$ended"),$(alert HighErrorRate api "$lately" "$ended"),$(alert Stray nowhere "$lately" "$ended")"
recovers() { api "/api/v1/incidents/$1" | jq -e '(.incident // .).state | . == "recovering" or . == "resolved"'; }
wait_for 20 "it recovers" recovers "$stray"
alerts_left() { api "/api/v1/incidents/$id" | jq -e --argjson n "$1" '[.alerts[] | select(.status == "firing")] | length == $n'; }
wait_for 20 "the resolved ones are told" alerts_left 1
# The one from the future ends before it starts: its sender is refused, as Alertmanager does; by hand it ends.
fl incident resolve "$id" --reason "its last alert is from the future" 2>/dev/null
wait_for 20 "it is over" recovers "$id"
api "/api/v1/incidents/$id" | jq -e '.ranking.candidates[0].node == "db"' >/dev/null || fail "its ranking is gone"
"$faultline" audit verify --data "$work/data" >/dev/null || fail "the audit trail does not verify"
if grep -E 'level=error' "$work/engine.log"; then fail "the engine logged an error"; fi
engine_stop
