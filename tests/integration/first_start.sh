#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# An engine without any flag has the shipped rules and playbooks; a token made or revoked beside it gets exactly one
# audit entry, as one over HTTP does, across a kill -9; SIGTERM while it reads its journal ends it at once.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
need psql postgresql-client
lib_begin first "${1:?usage: $0 BUILD_DIR}"
engine_start

# ---- shipped rules and playbooks
grep -qE "rules +$src/rules" "$work/engine.log" || fail "the start message does not name the rules in force"
grep -qE "playbooks +$src/playbooks \([1-9]" "$work/engine.log" || fail "the start message does not name the playbooks in force"
"$faultline" playbook list --data "$work/data" | grep -q restart-service || fail "no restart-service without flags"

# ---- one entry for each act on a token
fl() { "$faultline" "$@" >/dev/null; }
fl token create --data "$work/data" --role ingest --name straight
fl token revoke --data "$work/data" straight
fl token create --server "$url" --token-file "$token" --role viewer --name over-http
fl token revoke --server "$url" --token-file "$token" over-http
entries() { api "/api/v1/audit?action=token.*&limit=1000" | jq -r '.entries[] | [.action, .subject, .actor] | join(" ")' | sort; }
want="token.created over-http test
token.created straight cli:${SUDO_USER:-${USER:-unknown}}
token.created test cli:${SUDO_USER:-${USER:-unknown}}
token.revoked over-http test
token.revoked straight cli:${SUDO_USER:-${USER:-unknown}}"
told() { [ "$(entries)" = "$want" ]; }
wait_for 10 "every act on a token has its entry: $(entries)" told
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start
fl token create --data "$work/data" --role ingest --name later
later() { entries | grep -q 'created later'; }
wait_for 10 "the entry of a token made after the crash" later
[ "$(entries | grep -v later)" = "$want" ] || fail "an act was recorded twice: $(entries)"

# ---- SIGTERM while the journal is read
alive() { curl -fsS --max-time 2 "$url/-/healthy"; }
interrupt() { # REQUESTS of a hundred alerts each: the journal to read
    local i rc=0 began from
    for ((i = 0; i < $1; i++)); do
        jq -cn --argjson i "$i" --arg t "$(date -u +%FT%TZ)" '[range(100) | {labels: {alertname: "A\($i)", service: "s\(.)"}, startsAt: $t}]' >"$work/body.json"
        api /api/v2/alerts -H 'Content-Type: application/json' --data-binary @"$work/body.json" >/dev/null
    done
    kill -KILL "$engine_pid"
    wait "$engine_pid" 2>/dev/null || true
    from=$(wc -l <"$work/engine.log")
    "$faultline" serve --listen "127.0.0.1:$port" --data "$work/data" </dev/null >>"$work/engine.log" 2>&1 &
    engine_pid=$!
    started "$engine_pid"
    wait_for 30 "the engine answers" alive
    began=$(date +%s%N)
    kill -TERM "$engine_pid"
    wait "$engine_pid" || rc=$?
    took=$((($(date +%s%N) - began) / 1000000))
    [ "$rc" -eq 0 ] || fail "an engine stopped while recovering exited $rc"
    tail -n +"$from" "$work/engine.log" | grep -q 'while recovering: stopping'
}
# A quick machine needs more to read.
for n in 200 1000 4000 over; do
    [ "$n" != over ] || fail "recovery was over before each signal: nothing was tested"
    if interrupt "$n"; then break; fi
    engine_start
done
[ "$took" -lt 4000 ] || fail "it took $took ms to stop while recovering"
engine_start
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
engine_stop
echo "stopped in $took ms while recovering"
