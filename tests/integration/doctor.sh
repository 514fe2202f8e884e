#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `faultline doctor` names everything the engine needs, and what is wrong with it: exit 1 and BAD in that line.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need psql postgresql-client
lib_begin doctor "${1:?usage: $0 BUILD_DIR}"
look() { # WANTED_EXIT ARGUMENT…
    local rc=0 want=$1
    shift
    "$faultline" doctor --data "$work/data" "$@" >"$work/doctor.log" 2>&1 || rc=$?
    [ "$rc" -eq "$want" ] || fail "doctor exited $rc, not $want"
}
bad() { grep -qE "^BAD +$1 " "$work/doctor.log" || fail "doctor finds nothing wrong with: $1"; }

engine_start --log-level info
look 0
for what in version clock data worker rules playbooks database audit heads; do
    grep -qE "^ok +$what " "$work/doctor.log" || fail "doctor does not say how it is with: $what"
done
grep -q ' schema \([0-9]*\) of \1' "$work/doctor.log" || fail "doctor does not tell the schema's version"
grep -q 'GB free' "$work/doctor.log" || fail "doctor does not tell the room on the disk"

mkdir "$work/broken"
echo 'playbook {' >"$work/broken/x.lua"
look 1 --playbooks "$work/broken"
bad files
look 1 --worker /nonexistent
bad worker
look 1 --database 'host=/nonexistent dbname=x connect_timeout=2'
bad database

socket=$(sed -n 's/^socket=//p' "$work/data/postgres/cluster")
superuser() { psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d faultline -c 'set search_path = faultline' -c 'begin' -c 'set local session_replication_role = replica' -c "$1" -c 'commit'; }
quiet() { # everything a start and a token write; nothing comes after it by itself
    local action
    for action in config.changed engine.started token.created; do
        api "/api/v1/audit?action=$action" | grep -q "\"$action\"" || return 1
    done
}
wait_for 20 "the entries of the start and of the token" quiet
sealed=$(sed -n '$s/.*"seq":\([0-9]*\).*/\1/p' "$work/data/heads.jsonl")
superuser "create table kept as select * from audit; delete from audit where seq >= $sealed"
look 1
bad heads
superuser "delete from audit; insert into audit select * from kept; update audit set reason = 'x' where seq = 1"
look 1
bad audit
# A trail that is broken before what was signed proves nothing of it.
superuser "delete from audit; insert into audit select * from kept where seq > 1"
look 1
bad audit
bad heads
superuser 'delete from audit; insert into audit select * from kept'
look 0
engine_stop
look 1
bad database
