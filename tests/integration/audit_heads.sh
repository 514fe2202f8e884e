#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Signed heads lie outside the database: a cut tail and a rewritten chain are found with them, by `audit verify` and by
# the engine itself. Their signatures hold for openssl too. A bundle proves one incident offline, and nothing else does.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
need psql postgresql-client
need openssl openssl
lib_begin heads "${1:?usage: $0 BUILD_DIR}"
data=$work/data
echo '{"nodes":[{"id":"db","type":"store"},{"id":"api","type":"service"}],"edges":[{"from":"api","to":"db","type":"calls"}]}' >"$work/topology.json"
flags=(--topology "$work/topology.json")
engine_start "${flags[@]}"
[ "$(stat -c %a "$data/audit.key")" = 600 ] || fail "audit.key is not 0600"
for i in 1 2 3; do
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[{"labels":{"alertname":"Down'$i'","service":"db"}}]' >/dev/null
done
incident_is_there() { api '/api/v1/incidents' | jq -e '.incidents | length > 0'; }
wait_for 30 "an incident" incident_is_there
incident=$(api /api/v1/incidents | jq -r '.incidents[0].id')
engine_stop # signs the last entry
engine_start "${flags[@]}"

# ---- what is signed, by openssl and a shell
head=$(tail -n 1 "$data/heads.jsonl")
value() { jq -r ".$1" <<<"$head"; }
unhex() { printf '%b' "$(sed 's/../\\x&/g')"; }
field() { printf '%016x' "$(printf %s "$1" | wc -c)" | unhex && printf %s "$1"; }
at=$(value at) # 2026-11-23T09:00:00.123456Z
fraction=${at##*.}
micros=$(date -u -d "${at%.*}Z" +%s)${fraction%Z}
{ printf 'faultline head v1\n' && field "$(value realm)" && field "$(value seq)" && field "$micros" && value hash | unhex; } >"$work/signed"
value signature | unhex >"$work/signature"
openssl pkeyutl -verify -pubin -inkey "$data/audit.pub" -rawin -in "$work/signed" -sigfile "$work/signature" >/dev/null ||
    fail "openssl does not accept the signature"
api /api/v1/audit/head | jq -e '.signed.signature and (.key | startswith("-----BEGIN PUBLIC KEY"))' >/dev/null || fail "no signed head over HTTP"
"$faultline" audit head --server "$url" --token-file "$token" | grep -q '^signed: {"realm":"default"' || fail "no signed head from audit head"

# ---- bundle
"$faultline" audit bundle --server "$url" --token-file "$token" --incident "$incident" --out "$work/bundle"
check() { "$faultline" audit verify "$@" >"$work/verify.out" 2>&1; }
refused() { # WHAT ARGUMENT…: exit 1
    local rc=0 what=$1
    shift
    check "$@" || rc=$?
    [ "$rc" -eq 1 ] || fail "$what: verify exited $rc: $(cat "$work/verify.out")"
    refusals=$((refusals + 1))
}
refusals=0
check "$work/bundle" --key "$data/audit.pub" || fail "the bundle does not verify: $(cat "$work/verify.out")"
grep -q "are about $incident" "$work/verify.out" || fail "verify does not say what the bundle is about"
lines=$(wc -l <"$work/bundle")
[ "$lines" -ge 4 ] || fail "the bundle has only $lines lines"
for ((n = 2; n <= lines; n++)); do
    sed "${n}s/\"reason\":\"/&x/" "$work/bundle" >"$work/changed"
    refused "a changed line $n" "$work/changed" --key "$data/audit.pub"
    sed "${n}d" "$work/bundle" >"$work/changed"
    refused "line $n left out" "$work/changed" --key "$data/audit.pub"
done
for edit in '1s/"anchor":"./"anchor":"x/' '1s/"first":[0-9]*/"first":1000/' '1s/"entries":[0-9]*/"entries":1/' '1s/"hash":"...."/"hash":"0000"/' '1s/"seq":[0-9]*/"seq":1/' '1s/"signature":"..../"signature":"0000/'; do
    sed "$edit" "$work/bundle" >"$work/changed"
    if cmp -s "$work/bundle" "$work/changed"; then continue; fi
    refused "$edit" "$work/changed" --key "$data/audit.pub"
done
openssl genpkey -algorithm ed25519 -out "$work/other.key" 2>/dev/null
openssl pkey -in "$work/other.key" -pubout -out "$work/other.pub"
refused "another key" "$work/bundle" --key "$work/other.pub"
[ "$refusals" -ge 8 ] || fail "only $refusals edits were tried"

# ---- the trail against the heads
check --data "$data" || fail "an untouched trail does not verify: $(cat "$work/verify.out")"
grep -q 'signed heads\? hold' "$work/verify.out" || fail "verify did not look at the signed heads: $(cat "$work/verify.out")"
cp "$data/heads.jsonl" "$data/audit.pub" "$work/"
check --data "$data" --head "$work/heads.jsonl" --key "$work/audit.pub" || fail "heads kept elsewhere: $(cat "$work/verify.out")"
refused "heads signed with another key" --data "$data" --head "$work/heads.jsonl" --key "$work/other.pub"
socket=$(sed -n 's/^socket=//p' "$data/postgres/cluster")
superuser() { psql -X -q -v ON_ERROR_STOP=1 -h "$socket" -U postgres -d faultline -c 'set search_path = faultline' -c 'begin' -c 'set local session_replication_role = replica' -c "$1" -c 'commit'; }
sealed=$(tail -n 1 "$data/heads.jsonl" | jq -r .seq)
superuser 'create table kept as select * from audit'
superuser "delete from audit where seq >= $sealed - 1"
refused "a cut tail" --data "$data"
grep -qE "(^|[^0-9])$((sealed - 1))([^0-9]|\$)" "$work/verify.out" || fail "verify did not name row $((sealed - 1)): $(cat "$work/verify.out")"
superuser "delete from audit; insert into audit select * from kept"
check --data "$data" || fail "the restored trail does not verify: $(cat "$work/verify.out")"

# ---- the engine notices at its start
superuser "delete from audit where seq >= $sealed - 1"
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start "${flags[@]}"
noticed() { grep -q 'which holds it no more: it was cut or replaced' "$work/engine.log"; }
wait_for 10 "the engine says that its trail was cut" noticed
engine_stop
echo "$refusals edits refused"
