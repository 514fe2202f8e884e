#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Maintenance windows by command and by HTTP: who may, what is hidden, over a kill, let go at the end; of the rules, too.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin maintenance "${1:?usage: $0 BUILD_DIR}"
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
soon=$(date -u -d '+1 day' +%Y-%m-%dT%H:%M:%SZ)
cat >"$work/rules/zz_test.lua" <<LUA
maintenance { name = "always", match = { "job=backup" }, ends_at = "$soon" }
LUA
cat >"$work/topology.json" <<'JSON'
{"nodes":[{"id":"web","type":"service"},{"id":"db","type":"store"},{"id":"mail","type":"service"}],
 "edges":[{"from":"web","to":"db","type":"data"}]}
JSON
engine_start --rules "$work/rules" --topology "$work/topology.json"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
alert() { # NAME LABEL VALUE
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "[{\"labels\":{\"alertname\":\"$1\",\"$2\":\"$3\"}}]"
}
field() { api '/api/v1/alerts?limit=100' | jq -r --arg n "$1" ".alerts[] | select(.labels.alertname == \$n) | $2"; }
is() { [ "$(field "$1" "$2")" = "$3" ]; }
joined() { [ -n "$(field "$1" '.incident // empty')" ]; }

id=$(fl maintenance add --comment "new disks" --component db --dependants --duration 1h)
[[ $id =~ ^MNT-[0-9]{6}$ ]] || fail "no id: $id"
weekly=$(fl maintenance add --comment "patch night" --weekly "sat,sun 02:00" --utc-offset +01:00 --duration 90m cluster=eu1)
list=$(fl maintenance list)
[[ $list == *"$id"*open*"new disks"*"@+db"* ]] || fail "list: $list"
[[ $list == *"$weekly"*scheduled*"sat sun 02:00+01:00 90m"* ]] || fail "list: $list"
[[ $list == *rule:always*open*job=* ]] || fail "the window of the rules is not listed: $list"

alert Slow component web
alert Late job backup
alert Bounce component mail
wait_for 10 "the dependant's alert is held" is Slow '.silenced_by[0]' "$id"
wait_for 10 "the rules hide theirs" is Late .quiet maintenance
wait_for 10 "others are not" joined Bounce
[ "$(field Slow .quiet)" = maintenance ] && ! joined Slow || fail "not held: $(field Slow .)"
why=$(fl why "$(field Slow .fingerprint)" -o json)
[[ $why == *"in maintenance $id"* ]] || fail "why: $why"

# Who may, and what is refused.
"$faultline" token create --data "$work/data" --role viewer --name eye --out "$work/eye" >/dev/null 2>&1
viewer() { "$faultline" "$@" --server "$url" --token-file "$work/eye"; }
wait_for 3 "the viewer's token works" viewer maintenance list
rc=0
viewer maintenance end "$id" >"$work/refused" 2>&1 || rc=$?
[ "$rc" = 4 ] || fail "a viewer may end a window: $rc $(cat "$work/refused")"
for bad in '{"match":["a=b"],"ends_at":"'"$soon"'"}|comment' \
    '{"comment":"c","components":["nobody"],"ends_at":"'"$soon"'"}|components' \
    '{"comment":"c","match":["a=b"],"weekly":{"days":["mon"],"at":"02:00","duration":"1h","utc_offset":"Europe/Berlin"}}|weekly.utc_offset' \
    '[]|' 'nonsense|line 1 column 8'; do
    code=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS --max-time 10 -H @- -H 'Content-Type: application/json' \
        --data-binary "${bad%|*}" -o "$work/answer" -w '%{http_code}' "$url/api/v1/maintenance")
    [[ $code = 400 && $(jq -r '.error.field // ""' "$work/answer") = "${bad##*|}" ]] || fail "$bad: $code $(cat "$work/answer")"
done
rc=0
fl maintenance end rule:always >"$work/refused" 2>&1 || rc=$?
[ "$rc" != 0 ] && grep -q 'comes from the rules' "$work/refused" || fail "the rules' window: $rc $(cat "$work/refused")"

# Over a kill it is there still.
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start --rules "$work/rules" --topology "$work/topology.json"
alert More component db
wait_for 10 "held after the restart" is More '.silenced_by[0]' "$id"

fl maintenance end "$id" 2>/dev/null
wait_for 10 "let go at the end" joined Slow
wait_for 10 "let go at the end" joined More
fl maintenance list --ended | grep -q "$id *ended" || fail "not listed as ended"
actions=$(api '/api/v1/audit?action=maintenance.*&limit=100' | jq -r --arg id "$id" '[.entries[] | select(.subject == $id) | .action + " " + .actor] | join(",")')
[[ $actions == *'maintenance.added test'* && $actions == *'maintenance.ended test'* ]] || fail "audit: $actions"
chain_replays
engine_stop
echo "windows hide and let go, over a kill, by command and by rules"
