#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The state comes back from the last snapshot and the journal after it; a snapshot that is damaged, or has another program's
# form, is passed over with a line in the log, and the state is the same.
#   snapshots.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
need psql postgresql-client
build=${1:?usage: $0 BUILD_DIR}
lib_begin snapshots "$build"
export FAULTLINE_SNAPSHOT_EVENTS=100

echo '{"nodes":[{"id":"db","type":"store"},{"id":"api","type":"service"}],"edges":[{"from":"api","to":"db","type":"calls"}]}' >"$work/topology.json"
again() { engine_start --topology "$work/topology.json"; }
again
socket=$(sed -n 's/^socket=//p' "$work/data/postgres/cluster")
sql() { psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d faultline -c 'set search_path = faultline' -c "$1"; }
figure() { api /metrics | awk -v n="$1" '$1 == n { print $2 }'; }
post() { # FROM TO
    local i body
    for ((i = $1; i < $2; i++)); do
        printf -v body '[{"labels":{"alertname":"Down","service":"%s","n":"%d"},"annotations":{"summary":"it is \\"down\\" %d"}},
            {"labels":{"alertname":"Slow","service":"nowhere","n":"%d"}}]' "$([ $((i % 2)) = 0 ] && echo db || echo api)" "$i" "$i" "$i"
        api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "$body" >/dev/null
    done
}
# What a restart must not change: who is where, since when, and why.
state() {
    api '/api/v2/alerts' | jq -cS 'map({labels, annotations, startsAt, status}) | sort_by(.labels.alertname, (.labels.n | tonumber))'
    api '/api/v1/incidents' | jq -cS '(.incidents // .) | map({id, state, title, alerts_total, alerts_firing, cause}) | sort_by(.id)'
}
all_in() { [ "$(figure faultline_alerts_firing)" -eq "$1" ]; }
saved() { [ "$(figure faultline_snapshots_total)" -ge "$1" ]; }
restarted() { # WHAT: killed, so that no last snapshot is made; the log of the new start is in $work/start
    kill -KILL "$engine_pid"
    wait "$engine_pid" || true
    local lines
    lines=$(wc -l <"$work/engine.log")
    again
    tail -n +$((lines + 1)) "$work/engine.log" >"$work/start"
    all_in 480 || fail "$1: $(figure faultline_alerts_firing) alerts are firing, not 480"
    state >"$work/after"
    cmp "$work/before" "$work/after" || fail "$1: the state is another one"
}

post 0 120
wait_for 60 "the first snapshot is saved" saved 1
post 120 240
wait_for 60 "all alerts are in" all_in 480
wait_for 60 "the second snapshot is saved" saved 2
state >"$work/before"

restarted "from the last snapshot"
grep -q 'recovered: snapshot at [1-9]' "$work/start" || fail "no snapshot was used: $(cat "$work/start")"
[ "$(figure faultline_recovery_events)" -le 150 ] || fail "$(figure faultline_recovery_events) events were read again"

newest=$(sql 'select max(seq) from snapshot')
sql "update snapshot_part set body = set_byte(body, 30, get_byte(body, 30) # 1) where seq = $newest" >/dev/null
restarted "after damage"
grep -q "the snapshot at $newest is of no use, looking for the one before: its part 0 is damaged" "$work/start" ||
    fail "the log does not tell of the damage: $(cat "$work/start")"
grep -q 'recovered: snapshot at [1-9]' "$work/start" || fail "the snapshot before was not used: $(cat "$work/start")"

sql "update snapshot set format = 1, body = '{}'" >/dev/null
restarted "with snapshots of another program only"
grep -q 'it has form 1 of another program, this one reads 2' "$work/start" || fail "the log does not tell of the form: $(cat "$work/start")"
grep -q 'no snapshot holds: the whole journal is read' "$work/start" || fail "the log does not tell of the journal: $(cat "$work/start")"
grep -q 'recovered: snapshot at 0' "$work/start" || fail "not from the journal: $(cat "$work/start")"

# A stop leaves a snapshot of its last moment: nothing is read again.
engine_stop
again
[ "$(figure faultline_recovery_events)" -le 5 ] || fail "after a stop $(figure faultline_recovery_events) events were read again"
state >"$work/after"
cmp "$work/before" "$work/after" || fail "after a stop: the state is another one"
chain_replays
engine_stop
