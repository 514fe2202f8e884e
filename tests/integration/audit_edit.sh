#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `faultline audit verify` passes on an untouched trail. The engine's role cannot touch it; whatever a superuser
# does to a single row, verify names that row and exits 1.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
need psql postgresql-client
lib_begin audit "${1:?usage: $0 BUILD_DIR}"
echo '{"nodes":[{"id":"db","type":"store"},{"id":"api","type":"service"}],"edges":[{"from":"api","to":"db","type":"calls"}]}' >"$work/topology.json"
engine_start --topology "$work/topology.json"

for i in 1 2 3; do
    api /api/v1/intake/alertmanager -H 'Content-Type: application/json' --data-binary '{"version":"4","status":"firing",
        "receiver":"f","alerts":[{"status":"firing","labels":{"alertname":"Down'$i'","service":"db"},"annotations":{},
        "startsAt":"'"$(date -u +%FT%TZ)"'","endsAt":"0001-01-01T00:00:00Z"}]}' >/dev/null
done
last_seq() { api /api/v1/audit/head | jq -e '.seq'; }
enough() { [ "$(last_seq)" -ge 6 ]; }
wait_for 30 "six audit entries" enough

verify() { "$faultline" audit verify --data "$work/data" >"$work/verify.out" 2>&1; }
socket=$(sed -n 's/^socket=//p' "$work/data/postgres/cluster")
sql() { psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d faultline -c "set search_path = faultline" "$@"; }
superuser() { sql -c 'begin' -c 'set local session_replication_role = replica' -c "$1" -c 'commit'; }

verify || fail "an untouched trail does not verify: $(cat "$work/verify.out")"
n=$(last_seq)

# A reviewer's way, as docs/reference/audit-format.md has it: the page's own lines, run.
eval "$(sed -n '/^```sh$/,/^```$/p' "$src/docs/reference/audit-format.md" | sed '/^```/d')"
api "/api/v1/audit?limit=$n" | jq -c '.entries[]' >"$work/entries"
[ "$(wc -l <"$work/entries")" -ge 6 ] || fail "the audit search gave $(wc -l <"$work/entries") entries"
while IFS= read -r line; do
    [ "$(check "$line")" = "$(jq -r .hash <<<"$line")" ] || fail "by hand the hash is $(check "$line"): $line"
done <"$work/entries"

# What the engine may not do, it may not do; and the triggers stop even the owner.
for attempt in "update audit set reason = ''" "delete from audit" "truncate audit"; do
    if sql -c 'set role faultline_engine' -c "$attempt" 2>/dev/null; then fail "the engine's role may: $attempt"; fi
    if sql -c "$attempt" 2>/dev/null; then fail "no trigger stops: $attempt"; fi
done

sql -c 'create table pg_temp_copy as select * from audit' >/dev/null
restore() { superuser 'delete from audit; insert into audit select * from pg_temp_copy'; }
tried=0
expect() { # ROW SQL: after SQL, verify exits 1 and names ROW
    local rc=0
    superuser "$2"
    verify || rc=$?
    [ "$rc" -eq 1 ] || fail "verify exited $rc after: $2: $(cat "$work/verify.out")"
    grep -qE "(^|[^0-9])$1([^0-9]|$)" "$work/verify.out" || fail "verify did not name row $1 after: $2: $(cat "$work/verify.out")"
    restore
    tried=$((tried + 1))
}
for ((row = 1; row <= n && row <= 12; row++)); do
    expect "$row" "update audit set reason = reason || '.' where seq = $row"
done
for change in "actor = 'somebody'" "action = 'nothing.happened'" "subject = 'x'" "incident = 'INC-1'" "at = at + interval '1 microsecond'" \
    "event_seq = event_seq + 1" "hash = sha256('x')" "prev = sha256('x')"; do
    expect 3 "update audit set $change where seq = 3"
done
expect 2 'delete from audit where seq = 2'
expect 1 'delete from audit where seq = 1'
expect 3 'update audit set seq = 1000000 where seq = 4; update audit set seq = 4 where seq = 3; update audit set seq = 3 where seq = 1000000'
verify || fail "the restored trail does not verify: $(cat "$work/verify.out")"
engine_stop
echo "$tried edits by a superuser, each named by its row"
