#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Memory of the whole engine while it holds many alerts, while it writes its state down, and the start after a kill.
#   held.sh BUILD_DIR
#   FL_BENCH_HELD=100000   active alerts; 1000000 for the long run
#   FL_BENCH_RATE=50       requests a second of 64 alerts while they come: no more than are worked off, or most are refused
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/../integration/lib.sh"
need jq jq
build=${1:?usage: $0 BUILD_DIR}
lib_begin held "$build"
load=$build/tests/bench/bench_load
want=${FL_BENCH_HELD:-100000}

status() { awk -v k="$1:" '$1 == k { print int($2 / 1024) }' "/proc/$engine_pid/status"; } # MB
forget_peak() { echo 5 >"/proc/$engine_pid/clear_refs"; }
figure() { api /metrics | awk -v n="$1" '$1 == n { print $2 }'; }
held() { [ "$(($(figure faultline_alerts_firing) + $(figure faultline_alerts_stale)))" -ge "$1" ]; } # nobody repeats them: stale after their lease
caught_up() { [ "$(figure faultline_projected_seq)" -ge "$(figure faultline_journal_last_seq)" ]; }
saved() { [ "$(figure faultline_snapshots_total)" -gt "$1" ]; }
# Until it no longer falls.
settled() {
    local before now still=0
    before=$(status VmRSS)
    while [ "$still" -lt 3 ]; do
        sleep 1
        now=$(status VmRSS)
        if [ "$now" -ge "$((before - 1))" ]; then still=$((still + 1)); else still=0; fi
        before=$now
    done
}
row() { echo "| $1 | $2 |"; }

engine_start
empty=$(status VmRSS)
sent=0 round=0
while [ "$sent" -lt "$want" ]; do # refused ones are sent again under other names
    ok=$("$load" "127.0.0.1:$port" --token-file "$token" --connections 8 --rate "${FL_BENCH_RATE:-50}" --alerts 64 --prefix "r$round" \
        --requests $(((want - sent + 63) / 64)) --seconds 3600 | jq .alerts)
    sent=$((sent + ok)) round=$((round + 1))
    wait_for 3600 "the core has taken $sent alerts" held "$sent"
done
filled=$(status VmHWM)
wait_for 3600 "the projections have caught up" caught_up
echo "commit $(git -C "$src" rev-parse --short HEAD 2>/dev/null || echo none), $(nproc) cores, $sent active alerts"
echo '| | |'
echo '|---|---|'
row 'resident, empty, MB' "$empty"
row 'at most while they came, MB' "$filled"
settled
row 'when they are all there and it is idle, MB' "$(status VmRSS)"
# Enough rows for the next snapshot (snapshot_events).
before=$(figure faultline_snapshots_total)
forget_peak
"$load" "127.0.0.1:$port" --token-file "$token" --connections 1 --alerts 1 --prefix s --requests 12000 --seconds 600 >/dev/null
wait_for 600 "a snapshot is saved" saved "$before"
row 'at most while a snapshot was made and saved, MB' "$(status VmHWM)"
row 'the core stood still for it, ms' "$(figure faultline_snapshot_pause_seconds | jq '. * 1000 | round')"
row 'the snapshot as stored, MB' "$(($(figure faultline_snapshot_bytes) / 1048576))"
kill -KILL "$engine_pid"
wait "$engine_pid" || true
began=$(date +%s%N)
engine_start
took=$((($(date +%s%N) - began) / 1000000))
held "$sent" || fail "fewer than $sent alerts are there after the start"
row 'start after kill -9 until ready, ms' "$took"
row '… of which recovery, ms' "$(figure faultline_recovery_seconds | jq '. * 1000 | round')"
row '… journal rows repeated in it' "$(figure faultline_recovery_events)"
row 'resident after it, MB' "$(status VmRSS)"
row 'at most in it, MB' "$(status VmHWM)"
engine_stop
