#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A silence and a window that hide much for long are spoken of: in lists and show, over HTTP, in metrics, audit, timeline and
# report; over a kill, in the replay too; and amtool's view of a silence stays what it was.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin reminders "${1:?usage: $0 BUILD_DIR}"
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/reminders.lua" <<'LUA'
reminder { name = "three for two seconds", alerts = 3, lasts = "2s", every = "1h" }
reminder { name = "critical", severity = "critical", lasts = "1h" }
LUA
cat >"$work/topology.json" <<'JSON'
{"nodes":[{"id":"web","type":"service"},{"id":"db","type":"store"},{"id":"mail","type":"service"}],
 "edges":[{"from":"web","to":"db","type":"data"}]}
JSON
engine_start --rules "$work/rules" --topology "$work/topology.json"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
alert() { # NAME TEAM SEVERITY COMPONENT
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary \
        "[{\"labels\":{\"alertname\":\"$1\",\"team\":\"$2\",\"severity\":\"$3\",\"component\":\"$4\"}}]"
}
quiet() { api "/api/v1/quiet/$1" | jq -r "$2"; }
is() { [ "$(quiet "$1" "$2")" = "$3" ]; }
metric() { api /metrics | grep -F "$1" | sed 's/.* //'; }
counts() { [ "$(metric "$1")" = "$2" ]; }

alert Early x warning db
incident_of() { api '/api/v1/alerts?limit=100' | jq -r --arg n "$1" '.alerts[] | select(.labels.alertname == $n) | .incident // empty'; }
opened() { [ -n "$(incident_of Early)" ]; }
wait_for 10 "an incident" opened
inc=$(incident_of Early)

id=$(fl silence add --comment "new disks" --author ann --duration 2h team=x)
win=$(fl maintenance add --comment "patches" --component mail --duration 2h)
alert One x warning web
alert Two x critical web
wait_for 10 "it hides three, one of them in an incident" is "$id" .hidden 3
is "$id" .critical 1 || fail "critical: $(quiet "$id" .)"
wait_for 10 "it is spoken of" is "$id" '.reminders' 1
text=$(quiet "$id" .reminder)
[[ $text == 'hides 3 firing alerts, 1 of them critical, and has hidden at least 3 for '*'; it ends in 1h 59m, at '* ]] || fail "text: $text"
[[ $text == *'(reminder "three for two seconds")' ]] || fail "text: $text"

list=$(fl silence list 2>"$work/legend")
[[ $list == *"$id"*active*ann*'new disks'*'3 (1 critical)!'* ]] || fail "list: $list"
grep -q '^! hides much for long' "$work/legend" || fail "no legend: $(cat "$work/legend")"
fl silence list -o json | jq -e --arg id "$id" 'map(select(.id == $id and .hidden == 3 and .reminders == 1 and .status.state == "active")) | length == 1' >/dev/null ||
    fail "json: $(fl silence list -o json)"
show=$(fl silence show "$id")
[[ $show == "silence $id, active"*'matchers   team="x"'*'hides      3 firing alerts, 1 of them critical'*'reminder   '*One*Two* ]] || fail "show: $show"
[[ $show == *"$inc"* ]] || fail "show names no incident: $show"
fl silence show "$id" -o json | jq -e '.alerts | length == 3' >/dev/null || fail "show -o json"
rc=0
fl silence show 00000000-0000-4000-8000-000000000000 >"$work/none" 2>&1 || rc=$?
[ "$rc" = 1 ] && grep -q 'there is no "00000000-0000-4000-8000-000000000000"' "$work/none" || fail "unknown: $rc $(cat "$work/none")"

# Alertmanager's API says what it always said.
api /api/v2/silence/"$id" | jq -e 'keys == ["annotations","comment","createdBy","endsAt","id","matchers","startsAt","status","updatedAt"]' >/dev/null ||
    fail "v2: $(api /api/v2/silence/"$id")"

wait_for 10 "metrics: hidden" counts 'faultline_silence_hidden_alerts{realm="default",kind="silence"}' 3
wait_for 5 "metrics: reminded" counts 'faultline_silence_reminded{realm="default",kind="silence"}' 1
wait_for 5 "metrics: reminders" counts 'faultline_silence_reminders_total{realm="default",kind="silence"}' 1
wait_for 5 "metrics: maintenance" counts 'faultline_silence_reminded{realm="default",kind="maintenance"}' 0
[ "$(api "/api/v1/audit?action=silence.reminder" | jq -r '.entries[].subject')" = "$id" ] || fail "audit"
fl audit search --action 'silence.*' | grep -q silence.reminder || fail "audit search"
api "/api/v1/incidents/$inc/timeline" | jq -e '.timeline[] | select(.kind == "silence.reminder") | .text | test("hides 1 alert of this incident")' >/dev/null ||
    fail "timeline"
api "/api/v1/incidents/$inc/report.md" | sed -n '/What was held back/,$p' | grep -q 'silence.*hides 1 alert of this incident' || fail "report"

# A window, and nothing is forgotten over a kill.
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start --rules "$work/rules" --topology "$work/topology.json"
wait_for 5 "after the kill: reminders" counts 'faultline_silence_reminders_total{realm="default",kind="silence"}' 1
wait_for 5 "after the kill: hidden" counts 'faultline_silence_hidden_alerts{realm="default",kind="silence"}' 3
for n in M1 M2 M3; do alert $n y warning mail; done
wait_for 10 "the window is spoken of" is "$win" .reminders 1
[[ $(fl maintenance list 2>/dev/null) == *"$win"*open*patches*'3!'* ]] || fail "maintenance list: $(fl maintenance list)"
[[ $(fl maintenance show "$win") == "maintenance window $win, open"*'comment    patches'*'reminder   '*M1* ]] || fail "maintenance show: $(fl maintenance show "$win")"
[ "$(api /api/v1/quiet | jq -r '[.quiet[].kind] | sort | join(",")')" = maintenance,silence ] || fail "quiet"

# Who may read it: whoever may read; and a token that may only send may not.
"$faultline" token create --data "$work/data" --role ingest --name send --out "$work/send" >/dev/null 2>&1
rc=0
"$faultline" silence show "$id" --server "$url" --token-file "$work/send" >/dev/null 2>&1 || rc=$?
[ "$rc" = 4 ] || fail "a sender may read: $rc"

# Over: the mark goes, what was said stays counted.
fl silence expire "$id" 2>/dev/null
wait_for 10 "the mark goes" is "$id" '[.state, .hidden, .reminders, .reminder] | @json' '["expired",0,1,null]'
wait_for 5 "metrics at the end" counts 'faultline_silence_reminded{realm="default",kind="silence"}' 0
chain_replays
engine_stop
echo "silences and windows that hide much for long are spoken of"
