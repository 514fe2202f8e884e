#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A graph of 1,000,000 dependencies: read, kept, ranked on, in bounded memory; and what is above the limits is refused.
#   large_topology.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin large "${1:?usage: $0 BUILD_DIR}"

# 200,000 services that need earlier ones: scale-free, as landscapes are.
graph() { # NODES EDGES
    awk -v n="$1" -v m="$2" 'BEGIN {
        srand(1); printf "{\"nodes\":["
        for (i = 0; i < n; i++) printf "%s{\"id\":\"svc-%06d\",\"type\":\"service\"}", i ? "," : "", i
        printf "],\"edges\":["
        for (k = 0; k < m; k++) {
            a = 1 + int(rand() * (n - 1))
            printf "%s{\"from\":\"svc-%06d\",\"to\":\"svc-%06d\",\"type\":\"calls\"}", k ? "," : "", a, int(a * rand() * rand())
        }
        print "]}" }'
}
refused() { # WORDS FILE
    local rc=0
    "$faultline" rank --topology "$2" --alerts "$work/alerts.jsonl" >"$work/said" 2>&1 || rc=$?
    [ "$rc" = 1 ] && grep -q "$1" "$work/said" || fail "$2: exit $rc, not \"$1\": $(head -c 300 "$work/said")"
    grep -q 'hint: import services' "$work/said" || fail "no next step: $(cat "$work/said")"
}
graph 200000 1000000 >"$work/million.json"
for i in 1 2 3; do printf '{"labels":{"alertname":"HighLatency","component":"svc-00000%d"},"startsAt":"2026-01-01T00:00:0%dZ"}\n' $i $i; done >"$work/alerts.jsonl"

# ---- above the limits
awk 'BEGIN { printf "{\"edges\":["; for (i = 0; i < 4000000; i++) printf "{\"from\":\"a\",\"to\":\"b\"},"; print "{\"from\":\"a\",\"to\":\"b\"}]}" }' >"$work/over.json"
refused 'edges: more than 4000000 entries' "$work/over.json"
awk 'BEGIN { printf "{\"nodes\":["; for (i = 0; i < 1000000; i++) printf "{\"id\":\"%d\"},", i; print "{\"id\":\"x\"}]}" }' >"$work/over.json"
refused 'nodes: more than 1000000 entries' "$work/over.json"
awk 'BEGIN { printf "{\"edges\":["; for (i = 0; i < 1000002; i += 2) printf "%s{\"from\":\"%d\",\"to\":\"%d\"}", i ? "," : "", i, i + 1; print "]}" }' >"$work/over.json"
refused '1000002 nodes with those that only edges name, at most 1000000' "$work/over.json"

# ---- a million
cat >"$work/faultline.lua" <<LUA
return { max_body = 134217728, queue = 134217728, request_deadline = 600 }
LUA
most() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$engine_pid/status"; }
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
engine_start --config "$work/faultline.lua"
small=$(most)
SECONDS=0
fl topology import "$work/million.json" 2>"$work/said" || fail "the import failed: $(cat "$work/said")"
took=$SECONDS
edges=$(sed -n 's/^200000 components, \([0-9]*\) dependencies$/\1/p' "$work/said")
[ "${edges:-0}" -gt 900000 ] || fail "not the whole graph: $(cat "$work/said")" # duplicates are one
mb=$((($(most) - small) / 1024))
# The sanitizers of a test build keep what was freed and surround each allocation.
limit=600
if grep -aq __asan_init "$faultline"; then limit=2500; fi
[ "$mb" -lt "$limit" ] || fail "the import took $mb MB"
for i in 1 2 3; do printf '{"labels":{"alertname":"HighLatency","component":"svc-00000%d"}}\n' $i; done | jq -sc . >"$work/body"
# The core may still be busy with the graph.
api /api/v2/alerts --max-time 60 -H 'Content-Type: application/json' --data-binary @"$work/body" >/dev/null
ranked() { api /api/v1/incidents | jq -e '[.incidents[] | select(.alerts_total == 3 and .confidence > 0)] | length == 1'; }
wait_for 60 "an incident is ranked on it" ranked
fl topology history -o json | jq -e '.versions | length == 1' >/dev/null || fail "not one version"
engine_stop
echo "1,000,000 dependencies imported in $took s, $mb MB more at most"
