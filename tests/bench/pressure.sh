#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What intake does for long, when there is too much, and in a storm. Generator, engine and PostgreSQL share the cores.
#   pressure.sh BUILD_DIR [sustained] [overload] [storm]      all three by default
#   FL_BENCH_SUSTAINED=20   seconds at half the peak; 600 is the figure to publish
#   sustained  20,000 alerts fire and resolve in turn at half the rate of a short burst: does the lag grow, does memory?
#   overload   ten times what is worked off for long, against a lag bound that is reached: goodput, what refusals are, /-/healthy
#              FL_BENCH_OVERLOAD=20 seconds of it, FL_BENCH_LAG=500 the bound
#   storm      100,000 distinct alerts in 10 s on a graph of 10,000 nodes: until incidents are readable, memory
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/../integration/lib.sh"
need jq jq
need psql postgresql-client
build=${1:?usage: $0 BUILD_DIR [sustained] [overload] [storm]}
shift
lib_begin pressure "$build"
load=$build/tests/bench/bench_load
[ $# -gt 0 ] || set -- sustained overload storm

fresh() { # FLAG…
    rm -rf -- "$work/data" "$work/token"
    engine_start "$@"
}

metric() { api /metrics | sed -n "s/^$1 //p"; }
lag() { echo $(($(metric faultline_journal_last_seq) - $(metric faultline_projected_seq))); }
rss() { sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$engine_pid/status"; }
most() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$engine_pid/status"; }
has_caught_up() { [ "$(lag)" -le 1 ]; }

peak() { # a short burst of 8 connections, requests a second
    fresh
    "$load" "127.0.0.1:$port" --token-file "$token" --seconds 3 | tee "$work/peak.json" | jq -r '.requests_per_s'
    engine_stop
}

sustained() {
    local seconds=${FL_BENCH_SUSTAINED:-20} rate i max_lag=0 l first last
    rate=$(($(peak) / 2))
    fresh
    "$load" "127.0.0.1:$port" --token-file "$token" --seconds "$seconds" --rate "$rate" --connections 32 --flip 20000 >"$work/sustained.json" &
    local pid=$!
    for ((i = 0; i < seconds - 1; i++)); do
        sleep 1
        l=$(lag)
        [ "$l" -le "$max_lag" ] || max_lag=$l
        [ "$i" -ne $((seconds / 3)) ] || first=$(rss)
    done
    last=$(rss)
    wait "$pid" || true
    jq -r --argjson rate "$rate" --argjson lag "$max_lag" --argjson left "$(lag)" --argjson first "${first:-0}" --argjson last "$last" '
        "sustained: \(.seconds | floor) s at \($rate) requests/s of 64 (half of the peak): p50 / p99 \(.p50_ms) / \(.p99_ms) ms, 503s \(.refused_503), other \(.other)",
        "           lag in rows: most \($lag), at the end \($left); resident kB: after a third \($first), at the end \($last)"' "$work/sustained.json"
    engine_stop
}

# Work that is done: alerts of a load's answer, over the time until the last of them has its rows.
done_per_s() { # LOAD.json BEGAN_NS NOW_NS
    jq -n --argjson ns "$(($3 - $2))" '(input.alerts / $ns * 1e9) | round' "$1"
}
wait_done() { wait_for 300 "the work of what was accepted is done" has_caught_up; }

# What is sustained without a refusal: a burst that stays within the lag bound, and all the work it causes.
capacity() {
    local began
    fresh
    began=$(date +%s%N)
    "$load" "127.0.0.1:$port" --token-file "$token" --seconds 60 --requests 1500 >"$work/capacity.json"
    wait_done
    done_per_s "$work/capacity.json" "$began" "$(date +%s%N)"
    [ "$(jq .refused_503 "$work/capacity.json")" -eq 0 ] || fail "the burst that measures the capacity was refused in part"
    engine_stop
}

# Ten times the capacity is offered: not by waiting for answers, but by the clock, from enough connections that held answers do not slow it.
overload() {
    local seconds=${FL_BENCH_OVERLOAD:-20} capacity rate began goodput
    peak >/dev/null
    capacity=$(capacity)
    rate=$((capacity * 10 / 64))
    FAULTLINE_LAG_EVENTS=${FL_BENCH_LAG:-500} fresh
    "$load" "127.0.0.1:$port" --path /-/healthy --get --rate 20 --connections 4 --seconds "$seconds" >"$work/healthy.json" &
    local pid=$!
    began=$(date +%s%N)
    "$load" "127.0.0.1:$port" --token-file "$token" --seconds "$seconds" --connections 480 --rate "$rate" >"$work/overload.json" || true
    wait "$pid" || true
    local most
    most=$(most)
    wait_done
    goodput=$(done_per_s "$work/overload.json" "$began" "$(date +%s%N)")
    jq -rn --slurpfile p "$work/peak.json" --slurpfile o "$work/overload.json" --slurpfile h "$work/healthy.json" --argjson rss "$most" \
        --argjson capacity "$capacity" --argjson goodput "$goodput" --argjson rate "$rate" '
        ($o[0] | (.ok + .refused_503) / .seconds | round) as $offered |
        "overload:  sustained capacity (accepted and worked off, no refusal) \($capacity) alerts/s; burst peak (accepted, worked off later) \($p[0].alerts_per_s)",
        "           wanted to offer \($rate) requests/s of 64 (10 x capacity), offered \($offered); lag bound lowered so that it is reached",
        "           goodput (accepted and worked off) \($goodput) alerts/s: \($goodput / $capacity * 100 | round) % of the capacity, \($goodput / $p[0].alerts_per_s * 100 | round) % of the burst peak",
        "           503s \($o[0].refused_503), other answers \($o[0].other), lost connections \($o[0].broken); /-/healthy p50 / p99 \($h[0].p50_ms) / \($h[0].p99_ms) ms; most resident kB \($rss)"'
    engine_stop
}

graph() { # 10,000 services, each needs the one ten times nearer to the root
    jq -cn '{nodes: [range(10000) | {id: ("0000000000" + tostring | .[-10:]), type: "service"}],
             edges: [range(1; 10000) | {from: ("0000000000" + tostring | .[-10:]), to: ("0000000000" + (. / 10 | floor | tostring) | .[-10:]), type: "calls"}]}'
}

rows() { # alerts that anybody can read, in the database
    psql -X -A -t -h "$(sed -n 's/^socket=//p' "$work/data/postgres/cluster")" -U postgres -d faultline -c 'SELECT count(*) FROM faultline.alert'
}
all_readable() { has_caught_up && [ "$(rows)" -ge "$(jq .alerts "$work/storm.json")" ]; }

storm() {
    local began
    graph >"$work/graph.json"
    fresh --topology "$work/graph.json"
    "$load" "127.0.0.1:$port" --token-file "$token" --seconds 60 --connections 32 --rate 157 --requests 1563 --nodes 10000 >"$work/storm.json" || true
    began=$(date +%s%N)
    wait_for 120 "every alert has its row, and the last event its decisions" all_readable
    local ms=$((($(date +%s%N) - began) / 1000000))
    jq -r --argjson ms "$ms" --argjson rows "$(rows)" --argjson rss "$(most)" \
        --argjson open "$(api '/api/v1/incidents?state=open' | jq '.incidents | length')" '
        "storm:     \(.alerts) alerts in \(.seconds) s, 503s \(.refused_503), p50 / p99 \(.p50_ms) / \(.p99_ms) ms; \($rows) rows of alerts",
        "           all of it readable \($ms) ms after the last, \($open) open incidents on the first page; most resident kB \($rss)"' "$work/storm.json"
    engine_stop
}

for mode in "$@"; do
    case $mode in
        sustained | overload | storm) "$mode" ;;
        *) fail "no mode \"$mode\": sustained, overload or storm" ;;
    esac
done
