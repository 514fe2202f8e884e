#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A source with a wrong mapping: what it sends is kept, and is there as alerts once the rule is put right; what cannot
# be read stays with its reason until it is dropped. A viewer sees the list, not the bodies. The audit tells who did what.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin letters "${1:?usage: $0 BUILD_DIR}"
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
source_with() { # LABEL POINTER
    printf 'source { name = "shop", list = "/alarms", labels = { alertname = "%s" } }\n' "$1" >"$work/rules/zz_shop.lua"
}
source_with /name
engine_start --rules "$work/rules"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
send() { # SOURCE BODY: whatever the answer
    api "/api/v1/intake/$1" -H 'Content-Type: application/json' --data-binary "$2" >/dev/null 2>&1 || true
}
held() { [ "$(api /api/v1/deadletters | jq .held)" = "$1" ]; }
alert_is() { [ "$(api '/api/v1/alerts?limit=1000' | jq -r --arg n "$1" '[.alerts[] | select(.labels.alertname == $n) | .status] | join(",")')" = "$2" ]; }

send shop '{"alarms":[{"title":"Shop1"},{"title":"Shop2"}]}'
send shop '{"alarms":[{"title":"Shop3"}]}'
send grafana '{"version":"1","alerts":"none"}'
wait_for 10 "three dead letters" held 3
[ "$(fl deadletter list | grep -c 'mapped:shop')" = 2 ] || fail "the list: $(fl deadletter list)"
first=$(api /api/v1/deadletters | jq '.deadletters[-1].n')
fl deadletter show "$first" | grep -qF Shop2 || fail "the body was not kept whole"

# A viewer sees why, not what.
"$faultline" token create --data "$work/data" --role viewer --name eye --out "$work/eye" >/dev/null 2>&1
eye() { printf 'Authorization: Bearer %s\n' "$(<"$work/eye")" | curl -sS --max-time 10 -H @- -o "$work/seen" -w '%{http_code}' "$@"; }
wait_for 5 "the viewer's token works" [ "$(eye "$url/api/v1/deadletters")" = 200 ]
grep -qF Shop1 "$work/seen" && fail "a viewer was shown a body"
[ "$(eye "$url/api/v1/deadletters/$first")" = 403 ] || fail "a viewer may look at a body"
[ "$(eye -X POST "$url/api/v1/deadletters/$first/drop")" = 403 ] || fail "a viewer may drop"

# Nothing has changed: refused, and kept with the reason.
rc=0
fl deadletter retry "$first" >"$work/again" || rc=$?
[ "$rc" = 1 ] || fail "a letter that is refused again exits $rc"
grep -qF "$first refused: " "$work/again" || fail "no reason: $(<"$work/again")"
[ "$(fl deadletter show "$first" -o json | jq .letter.tries)" = 1 ] || fail "the try was not counted"

# The rule is put right.
source_with /title
api /-/reload -X POST
fl deadletter retry --all --source mapped:shop >"$work/again" || fail "not all were read: $(<"$work/again")"
for name in Shop1 Shop2 Shop3; do wait_for 10 "$name is there" alert_is "$name" firing; done
wait_for 10 "one is left" held 1
trail() { api '/api/v1/audit?limit=1000' | jq -r ".entries[] | select(.action == \"$1\" and .actor == \"test\") | .detail" >"$work/trail" && [ -s "$work/trail" ]; }
wait_for 10 "the retry is in the audit" trail deadletter.retried
grep -qF '"outcome":"accepted"' "$work/trail" || fail "the audit: $(<"$work/trail")"

last=$(api /api/v1/deadletters | jq '.deadletters[0].n')
fl deadletter drop "$last" --reason "a test" || fail "not dropped"
held 0 || fail "it is still there"
wait_for 10 "the drop is in the audit" trail deadletter.dropped
rc=0
fl deadletter show "$last" 2>/dev/null || rc=$?
[ "$rc" = 1 ] || fail "one that is gone exits $rc"
rc=0
fl deadletter retry 2>/dev/null || rc=$?
[ "$rc" = 2 ] || fail "retry without a letter exits $rc"
wait_for 10 "the figures follow" sh -c "curl -fsS '$url/metrics' | grep -qx 'faultline_deadletters 0'"
"$faultline" doctor --data "$work/data" --rules "$work/rules" >"$work/doctor.txt" || true
grep -Eq '^ok +letters +0 dead letters' "$work/doctor.txt" || fail "doctor: $(<"$work/doctor.txt")"
chain_replays
echo "dead letters: ok"
