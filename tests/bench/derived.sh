#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What a reported alert costs until it is decided upon and readable: processor time of engine and PostgreSQL, log bytes, and how
# many a second are worked off. 20,000 alerts fire and resolve in turn, each time as a new episode, 64 a request, as fast as
# intake takes them; the lag bound is out of the way, so that nothing is refused.
#   derived.sh BUILD_DIR [REQUESTS [FLIP]]     3,000 requests by default; FLIP: how many alerts take turns, 0: each is another one
# Processor time says something on a busy machine, too; the rates do not.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/../integration/lib.sh"
need jq jq
need psql postgresql-client
build=${1:?usage: $0 BUILD_DIR [REQUESTS]}
requests=${2:-3000}
flip=(--flip "${3:-20000}")
[ "${3:-}" != 0 ] || flip=()
lib_begin derived "$build"
FAULTLINE_LAG_EVENTS=1000000 engine_start

metric() { api /metrics | sed -n "s/^$1 //p"; }
is_worked_off() { [ "$(metric faultline_journal_last_seq)" -le $(($(metric faultline_projected_seq) + 1)) ]; }
sql() { psql -X -A -t -h "$(sed -n 's/^socket=//p' "$work/data/postgres/cluster")" -U postgres -d faultline -c "$1"; }

ticks() { # PID…: processor time of these processes, user and system
    local p all=0
    for p; do
        [ ! -r "/proc/$p/stat" ] || all=$((all + $(sed 's/.*) //' "/proc/$p/stat" | awk '{print $12 + $13}')))
    done
    echo "$all"
}
server() { # the processes of PostgreSQL that stay: its own and the engine's sessions
    sql "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
}

mapfile -t backends < <(server)
engine_0=$(ticks "$engine_pid") server_0=$(ticks "${backends[@]}") wal_0=$(sql 'SELECT wal_bytes FROM pg_stat_wal')
began=$(date +%s%N)
"$build/tests/bench/bench_load" "127.0.0.1:$port" --token-file "$token" --seconds 600 --requests "$requests" --connections 8 "${flip[@]}" >"$work/load.json"
wait_for 600 "all of it is worked off" is_worked_off
took=$((($(date +%s%N) - began) / 1000000))
engine_1=$(ticks "$engine_pid") server_1=$(ticks "${backends[@]}")
sleep 1 # backends report what they logged about every second
jq -r --argjson took "$took" --argjson hz "$(getconf CLK_TCK)" --argjson engine $((engine_1 - engine_0)) --argjson server $((server_1 - server_0)) \
    --argjson wal $(($(sql 'SELECT wal_bytes FROM pg_stat_wal') - wal_0)) '
    def each(x): (x / .alerts * 100 | round / 100);
    "derived:   \(.alerts) reports, taken in \(.seconds) s, worked off in \($took / 1000) s: \(.alerts / $took * 1000 | round) a second",
    "           a report: engine \(each($engine * 1e6 / $hz)) us, PostgreSQL \(each($server * 1e6 / $hz)) us of processor time, \($wal / .alerts | round) bytes of log; 503s \(.refused_503)"' "$work/load.json"
engine_stop
