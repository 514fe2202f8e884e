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

# ---- long ones: what is kept whole is retried, and what is not says so beforehand, with the next step
source_with /name
api /-/reload -X POST
pad() { head -c "$1" /dev/zero | tr '\0' x; }
printf '{"alarms":[{"title":"Long1","pad":"%s"}]}' "$(pad 50000)" >"$work/long"
printf '{"alarms":[{"title":"Long2","pad":"%s"}]}' "$(pad 70000)" >"$work/longer"
printf '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Fine"}},{"status":"firing","labels":{"alertname":"Odd"},"startsAt":"never","annotations":{"pad":"%s"}}]}' \
    "$(pad 40000)" >"$work/element"
for name in shop/long shop/longer alertmanager/element; do
    api "/api/v1/intake/${name%/*}" -H 'Content-Type: application/json' --data-binary @"$work/${name#*/}" >/dev/null 2>&1 || true
done
wait_for 10 "three more letters" held 4
number() { api /api/v1/deadletters | jq "[.deadletters[] | select(.kept == \"$1\" and .source == \"$2\")] | first | .n"; }
long=$(number element mapped:shop) longer=$(number part mapped:shop) element=$(number element alertmanager)
[ "$long" != null ] && [ "$longer" != null ] && [ "$element" != null ] || fail "not two elements and a part: $(fl deadletter list)"
api "/api/v1/deadletters/$long" | jq -e '.letter.no_retry == null and (.raw | length > 50000)' >/dev/null || fail "50 kB are not kept whole"
api /api/v1/deadletters | jq -e "[.deadletters[] | select(.no_retry) | .n] == [$longer]" >/dev/null || fail "the list does not say which cannot be retried"
fl deadletter list >/dev/null 2>"$work/again"
grep -q '^1 of these cannot be retried' "$work/again" || fail "nor does the command: $(<"$work/again")"
fl deadletter show "$longer" >"$work/again"
grep -q '^cannot be retried: only its first part was kept.*have the sender send it again' "$work/again" || fail "show: $(head -c 400 "$work/again")"
fl deadletter show "$long" >"$work/again"
grep -q "^next: .*faultline deadletter retry $long" "$work/again" || fail "show: $(head -c 400 "$work/again")"
rc=0
fl deadletter retry "$element" >"$work/again" || rc=$?
[ "$rc" = 1 ] && grep -q 'startsAt' "$work/again" || fail "the element: $rc $(<"$work/again")"
# The same body in two letters, read again one after the other: one alert.
api /api/v1/intake/shop -H 'Content-Type: application/json' --data-binary @"$work/long" >/dev/null 2>&1 || true
wait_for 10 "the same once more" held 5
source_with /title
api /-/reload -X POST
fl deadletter retry "$long" >/dev/null || fail "50 kB are not read again"
again=$(number element mapped:shop)
rc=0
fl deadletter retry "$long" 2>"$work/again" || rc=$?
[ "$rc" = 1 ] && grep -q "no dead letter $long" "$work/again" || fail "a letter that was read is there: $rc $(<"$work/again")"
wait_for 10 "the long one is there" alert_is Long1 firing
fl deadletter retry "$again" >/dev/null || fail "the second one is not read"
rc=0
fl deadletter retry --all --source mapped:shop >"$work/again" || rc=$?
[ "$rc" = 1 ] && grep -q "$longer refused: .*send it again" "$work/again" || fail "the part: $rc $(<"$work/again")"
alert_is Long1 firing || fail "one alert became several"
fl deadletter drop "$longer" "$element" --reason "the sender has been told" >/dev/null || fail "not dropped"

# ---- each format: what is wrong in itself stays, with its reason and one more try
for source in alertmanager grafana pagerduty cloudevents nagios zabbix kubernetes; do send "$source" '{"neither":["fish","nor"],"alerts":7,"event_action":7}'; done
send pagerduty '{"event_action":"trigger","payload":7}'
wait_for 10 "letters of each format" sh -c "[ \"\$(curl -fsS '$url/metrics' | sed -n 's/^faultline_deadletters //p')\" -ge 6 ]"
rc=0
fl deadletter retry --all >"$work/again" || rc=$?
[ "$rc" = 1 ] || fail "retry of what cannot be read exits $rc"
! grep -v ' refused: .' "$work/again" || fail "not each has a reason"
api '/api/v1/deadletters?limit=1000' | jq -e 'all(.deadletters[]; .tries >= 1) and ([.deadletters[].source] | unique | length >= 5)' >/dev/null ||
    fail "tries of each format: $(api /api/v1/deadletters | jq -c '[.deadletters[] | [.source, .tries]]')"
fl deadletter drop --all --source alertmanager >/dev/null
for n in $(api '/api/v1/deadletters?limit=1000' | jq '.deadletters[:-1][].n'); do fl deadletter drop "$n" >/dev/null; done
wait_for 10 "one is left again" held 1

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
