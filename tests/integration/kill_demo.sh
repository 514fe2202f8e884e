#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The demo, with kill -9 of the engine (or of its private database server) at a random moment of each round: the demo
# itself goes on, like any sender and any person would. Afterwards no acknowledged alert is missing, the service was
# restarted exactly once, every run is over, every incident of the outage too, and the audit trail verifies.
#   kill_demo.sh BUILD_DIR [ENGINE_KILLS [DATABASE_KILLS [LANES]]]      FL_SEED repeats the same moments
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
build=${1:?usage: $0 BUILD_DIR [ENGINE_KILLS [DATABASE_KILLS [LANES]]]}
if [ "${2:-}" != lane ]; then
    # A demo mostly waits for people and services: several lanes side by side, each with an engine of its own.
    engine_kills=${2:-8} database_kills=${3:-4} lanes=${4:-4}
    seed=${FL_SEED:-$$}
    echo "seed $seed (FL_SEED): $engine_kills kills of the engine, $database_kills of the database, $lanes lanes"
    lib_begin kdemo "$build"
    lane_pids=()
    for ((lane = 0; lane < lanes; lane++)); do
        kinds=()
        for ((k = lane; k < engine_kills + database_kills; k += lanes)); do
            if [ "$k" -lt "$engine_kills" ]; then kinds+=(engine); else kinds+=(database); fi
        done
        [ ${#kinds[@]} -gt 0 ] || continue
        FL_SEED=$((seed + lane)) bash "$0" "$build" lane "${kinds[@]}" >"$work/lane$lane.log" 2>&1 &
        lane_pids+=($!)
        started $!
    done
    bad=0
    for p in "${lane_pids[@]}"; do wait "$p" || bad=$((bad + 1)); done
    grep -hE '^(round|FAILED)' "$work"/lane*.log || true
    [ "$bad" -eq 0 ] || fail "$bad lanes found something"
    [ "$(cat "$work"/lane*.log | grep -c "^round")" -eq $((engine_kills + database_kills)) ] || fail "rounds are missing"
    exit 0
fi
shift 2

lib_begin klane "$build"
RANDOM=$FL_SEED
port=$(free_port) service_port=$(free_port)
cat >"$work/faultline.lua" <<LUA
return {
  rules = "$src/rules",
  playbooks = "$src/playbooks",
  allow_private_targets = true,
  http_allow = { { host = "127.0.0.1", port = $service_port, methods = "GET,POST" } },
}
LUA
over='["succeeded","failed","denied","expired","aborted","diverged","timed_out"]'
runs_over() { api '/api/v1/runs?limit=1000' | jq -e --argjson over "$over" '.runs | length > 0 and all(.[]; .state as $s | $over | index([$s]) != null)'; }
storm() { api '/api/v1/alerts?limit=10000' | jq -e '[.alerts[] | select(.labels.probe == null)]'; }
outage_over() {
    storm >"$work/storm.json"
    api '/api/v1/incidents?limit=1000' | jq -e --slurpfile storm "$work/storm.json" '($storm[0] | map(.incident) | unique) as $ids |
        [.incidents[] | select(.id as $i | $ids | index([$i]))] | length > 0 and all(.[]; .state == "resolved" or .state == "merged")'
}
known_all() {
    api '/api/v1/alerts?limit=10000' | jq -r '.alerts[].labels.probe // empty' | sort -u >"$work/known"
    [ -z "$(comm -23 <(sort -u "$work/acknowledged") "$work/known")" ]
}
storm_known() { [ "$(storm | jq 'map(.fingerprint) | unique | length')" = 40 ]; }

# Alerts of nothing the shop knows, one after the other, until told to stop; what was answered 200 is written down.
prober() {
    local i
    for ((i = 0; ; i++)); do
        [ ! -e "$work/enough" ] || break
        jq -cn --arg n "p$i" --arg t "$(date -u +%FT%TZ)" '{version: "4", status: "firing", receiver: "f", alerts: [
            {status: "firing", labels: {alertname: "Probe \($n)", probe: $n, severity: "info"}, annotations: {},
             startsAt: $t, endsAt: "0001-01-01T00:00:00Z"}]}' >"$work/probe.json"
        if api /api/v1/intake/alertmanager --data-binary @"$work/probe.json" -H 'Content-Type: application/json' >/dev/null 2>&1; then
            echo "p$i" >>"$work/acknowledged"
        fi
        sleep 0.4
    done
}

round() { # KIND: engine | database
    local after=$((RANDOM % 120)) rc=0 demo prober verdict restarts
    rm -rf -- "$work/data" "$work/token" "$work/enough"
    : >"$work/acknowledged"
    : >"$work/engine.log"
    engine_start --config "$work/faultline.lua"
    prober &
    prober=$!
    started "$prober"
    "$faultline" demo --server "$url" --token-file "$token" --service-port "$service_port" >"$work/demo.log" 2>&1 &
    demo=$!
    started "$demo"
    sleep "$((after / 10)).$((after % 10))$((RANDOM % 10))"
    if [ "$1" = engine ]; then
        kill -KILL "$engine_pid"
        wait "$engine_pid" 2>/dev/null || true
        engine_start --config "$work/faultline.lua"
    else
        kill -KILL "$(head -n 1 "$(find "$work/data/postgres" -name postmaster.pid)")"
    fi
    wait "$demo" || rc=$?
    : >"$work/enough"
    wait "$prober"
    kill -0 "$engine_pid" || fail "the engine ended"
    verdict="round: $1 killed after $((after / 10)).$((after % 10)) s: demo exit $rc, $(sed -n 's/^  run  *//p' "$work/demo.log")"
    restarts=$(sed -n 's/^  witness .*restarted \([0-9]*\) time.*/\1/p' "$work/demo.log")
    [ "$restarts" = 1 ] || fail "$verdict: restarted ${restarts:-?} times"
    wait_for 30 "$verdict: every run is over" runs_over
    wait_for 30 "$verdict: the outage is over" outage_over
    wait_for 30 "$verdict: the storm's forty alerts are there" storm_known
    [ "$(wc -l <"$work/acknowledged")" -ge 10 ] || fail "$verdict: only $(wc -l <"$work/acknowledged") probes were acknowledged"
    wait_for 30 "$verdict: every acknowledged probe is there" known_all
    "$faultline" audit verify --data "$work/data" >"$work/verify.log" 2>&1 || fail "$verdict: the audit trail does not verify: $(cat "$work/verify.log")"
    chain_replays
    engine_stop
    echo "$verdict"
}
for kind in "$@"; do round "$kind"; done
