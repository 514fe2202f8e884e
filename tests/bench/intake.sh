#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Durable intake against Debian's alertmanager (which keeps alerts in memory only) in the same run: 8 connections,
# 64 alerts a request, every alert with labels of its own. Rounds alternate, the median of each counts. On a busy machine the
# rates say little, but the last column does: processor time of server, PostgreSQL and generator, which share the processors.
#   intake.sh BUILD_DIR      FL_BENCH_MODES='^1 alert' (of the five, those whose name matches)
#                            FL_BENCH_ROUNDS=3 FL_BENCH_SECONDS=5 FL_BENCH_RATE=100 (requests a second of the paced mode)
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/../integration/lib.sh"
need prometheus-alertmanager prometheus-alertmanager
need jq jq
build=${1:?usage: $0 BUILD_DIR}
lib_begin intake "$build"
load=$build/tests/bench/bench_load
rounds=${FL_BENCH_ROUNDS:-3} seconds=${FL_BENCH_SECONDS:-5} rate=${FL_BENCH_RATE:-100}

# Grouped as Debian's /etc/prometheus/alertmanager.yml groups, its inhibition rule too; the receiver is a black hole.
cat >"$work/am.yml" <<'YML'
route:
  group_by: [alertname, cluster, service]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 3h
  receiver: hole
receivers:
- name: hole
  webhook_configs: [{url: 'http://127.0.0.1:9/'}]
inhibit_rules:
- source_match: {severity: critical}
  target_match: {severity: warning}
  equal: [alertname, cluster, service]
YML

ticks() { # PID…: processor time of these processes, user and system
    local p all=0
    for p; do
        [ ! -r "/proc/$p/stat" ] || all=$((all + $(sed 's/.*) //' "/proc/$p/stat" | awk '{print $12 + $13}')))
    done
    echo "$all"
}

# The generator, and beside what it says `us`: processor time an accepted alert, its own and that of these processes.
loaded() { # PORT "PID…" LOAD OPTIONS…
    local p=$1 processes=$2 began
    shift 2
    # shellcheck disable=SC2086
    began=$(ticks $processes)
    "$load" "127.0.0.1:$p" --seconds "$seconds" "$@" >"$work/load.json"
    # shellcheck disable=SC2086
    jq -c --argjson hz "$(getconf CLK_TCK)" --argjson ticks $(($(ticks $processes) - began)) \
        '.us = (.processor_s + $ticks / $hz) / .alerts * 1e6' "$work/load.json"
}

alertmanager_round() { # LOAD OPTIONS…
    local p pid
    p=$(free_port)
    rm -rf -- "$work/am"
    prometheus-alertmanager --config.file="$work/am.yml" --storage.path="$work/am" --cluster.listen-address= \
        --web.listen-address="127.0.0.1:$p" --log.level=error >>"$work/am.log" 2>&1 &
    pid=$!
    started "$pid"
    wait_for 20 "alertmanager is ready" curl -fsS "http://127.0.0.1:$p/-/ready"
    loaded "$p" "$pid" "$@"
    kill "$pid"
    wait "$pid" 2>/dev/null || true
}

faultline_round() { # LOAD OPTIONS…
    rm -rf -- "$work/data" "$work/token"
    engine_start
    local postgres
    postgres=$(head -n 1 "$work/data/postgres/pg/postmaster.pid")
    loaded "$port" "$engine_pid $postgres $(<"/proc/$postgres/task/$postgres/children")" --token-file "$token" "$@"
    engine_stop
}

median() { jq -s 'sort_by(.alerts_per_s) | .[(length - 1) / 2 | floor]' "$@"; }

compare() { # NAME LOAD OPTIONS…
    local name=$1 i a f
    shift
    [[ $name =~ ${FL_BENCH_MODES:-} ]] || return 0
    for ((i = 0; i < rounds; i++)); do
        alertmanager_round "$@" >"$work/a.$i.json"
        faultline_round "$@" >"$work/f.$i.json"
    done
    a=$(median "$work"/a.?.json) f=$(median "$work"/f.?.json)
    jq -rn --arg name "$name" --argjson a "$a" --argjson f "$f" '
        "| \($name) | \($a.alerts_per_s) | \($f.alerts_per_s) | \(($f.alerts_per_s / $a.alerts_per_s * 100 | round) / 100) x | \($a.p50_ms) / \($a.p99_ms) | \($f.p50_ms) / \($f.p99_ms) | \($f.refused_503) | \($a.us * 10 | round / 10) / \($f.us * 10 | round / 10), \($a.us / $f.us * 100 | round / 100) x |"'
}

echo "commit $(git -C "$src" rev-parse --short HEAD 2>/dev/null || echo none), $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $rounds rounds of $seconds s, medians"
echo '| mode | alertmanager, alerts/s | faultline, alerts/s | ratio | alertmanager, p50 / p99 ms | faultline, p50 / p99 ms | 503s | processor time an alert, us |'
echo '|---|---|---|---|---|---|---|---|'
compare '64 alerts a request, 8 connections'
compare '1 alert a request, 8 connections' --alerts 1
compare '1 alert a request, 64 connections' --alerts 1 --connections 64
compare "64 alerts a request, 32 connections, $rate requests/s" --connections 32 --rate "$rate"
compare '64 alerts a request, 8 connections, repeats' --same
