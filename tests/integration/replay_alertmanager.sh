#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every recorded request to a real Alertmanager, sent to a running engine: the same status, an equivalent body.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin replay "${1:?usage: $0 BUILD_DIR}"
recorded=$src/tests/integration/alertmanager-api

mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_test.lua" <<'LUA'
inhibition {
    name = "as in the recording",
    source = { "severity=critical" }, target = { "severity=warning" }, equal = { "cluster" },
}
LUA
engine_start --rules "$work/rules"

# Times of the recording become times of now. Two alerts ended 12 s after they were sent: a slow machine gets longer.
shift_s=$(($(date +%s) - $(date -u -d 2026-11-23T09:37:30Z +%s)))
cat >"$work/shift.jq" <<'JQ'
def shifted: if type == "string" and test("^2026-11-23T09:[0-9:.]+Z$")
    then capture("^(?<s>[^.Z]+)(?<f>\\.[0-9]+)?Z$") | (((.s + "Z" | fromdate) + $d) | todate | rtrimstr("Z")) + (.f // "") + "Z"
    else . end;
walk(shifted)
JQ
# What differs by nature is taken out of both: times, ids, receivers; members that newer versions have and 0.25 has not.
cat >"$work/same.jq" <<'JQ'
def same: if type == "array" then map(same)
    elif type == "object" then
        with_entries(select(.key as $k | ["receivers", "receiver", "mutedBy", "routeLabels"] | index($k) | not)
            | if .key | IN("startsAt", "endsAt", "updatedAt") then .value = "TIME"
              elif .key | IN("id", "silenceID") then .value = "ID"
              elif .key | IN("silencedBy", "inhibitedBy") then .value |= length
              else .value |= same end)
        | if has("matchers") then del(.annotations) else . end
    else . end;
same
JQ

old_id=d94264f7-7d58-4ede-a15e-1e18dc933fe3
id=$old_id
count=0

part() { # request|response NAME: the part after the empty line, without chunk lengths
    sed '1,/^\r$/d' "$recorded/$2.$1.http" | if grep -qi '^Transfer-Encoding: chunked' "$recorded/$2.$1.http"; then
        sed -E '/^[0-9a-f]+\r$/d; s/\r$//' | sed '/^$/d'
    else
        cat
    fi
}

send() { # NAME: sends it, $code and $work/answer are the answer
    local file=$recorded/$1.request.http method path type
    read -r method path _ <"$file"
    type=$(sed -n 's/^Content-Type: \(.*\)\r$/\1/p' "$file" | head -n 1)
    path=${path//$old_id/$id}
    path=${path//receiver=engine/receiver=faultline}
    part request "$1" | sed "s/$old_id/$id/g; s/T09:37:44/T09:52:44/g; s/2026-11-23T09:37:36.812Z/${starts:-2026-11-23T09:37:36.812Z}/g" >"$work/raw"
    jq -c --argjson d "$shift_s" -f "$work/shift.jq" "$work/raw" >"$work/body" 2>/dev/null || cp "$work/raw" "$work/body"
    local args=(-sS -X "$method" -o "$work/answer" -w '%{http_code}' -H @-)
    [ -z "$type" ] || args+=(-H "Content-Type: $type" --data-binary "@$work/body")
    : >"$work/answer"
    code=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl --max-time 10 "${args[@]}" "$url$path")
    count=$((count + 1))
}
status_is() { # NAME
    local wanted
    read -r _ wanted _ <"$recorded/$1.response.http"
    [ "$code" = "$wanted" ] || fail "$1: status $code, recorded is $wanted: $(<"$work/answer")"
}
same() { # NAME: equivalent
    part response "$1" >"$work/recorded"
    jq -S -f "$work/same.jq" "$work/recorded" >"$work/recorded.json" && jq -S -f "$work/same.jq" "$work/answer" >"$work/answer.json" &&
        cmp -s "$work/recorded.json" "$work/answer.json"
}
asks() { # NAME…: status and an equivalent body; what was accepted a moment ago may take a moment to show
    local name until
    for name in "$@"; do
        until=$((SECONDS + 10))
        send "$name"
        status_is "$name"
        until same "$name"; do
            [ "$SECONDS" -lt "$until" ] || fail "$name: another body: $(diff "$work/recorded.json" "$work/answer.json" || cat "$work/answer")"
            sleep 0.05
            send "$name"
        done
    done
}
exactly() { # NAME…: the same bytes
    local name
    for name in "$@"; do
        send "$name"
        status_is "$name"
        part response "$name" >"$work/recorded"
        cmp -s "$work/recorded" "$work/answer" || fail "$name: $(cat "$work/answer"), recorded is: $(cat "$work/recorded")"
    done
}
has() { # NAME FILTER: the recorded status, and a body for which the filter holds
    send "$1"
    status_is "$1"
    jq -e "$2" "$work/answer" >/dev/null || fail "$1: $(<"$work/answer")"
}

exactly alert-add alert-add-2 alert-add-3 alert-add-inhibited alert-add-us
asks alert-query alert-query-filter alert-query-inhibited alert-query-receiver
asks silence-add
id=$(jq -r .silenceID "$work/answer")
asks alert-query-silenced silence-query silence-query-json silence-update
starts=$(jq -r .startsAt "$work/answer")
asks silence-update.2
[ "$(jq -r .silenceID "$work/answer")" = "$id" ] || fail "moving the end gave another id"
exactly silence-expire
asks silence-query-expired
exactly err-silence-expire-twice silence-expire-unknown
asks silence-import
# The groups, receivers and configuration are ours: their form counts.
has http-groups 'length > 0 and all(.[]; (.labels | type) == "object" and (.receiver.name | type) == "string" and (.alerts | length) > 0)
    and ([.[].alerts[].fingerprint] | unique | length) == 5'
has http-receivers 'length > 0 and all(.[]; (.name | type) == "string")'
for one in http-status cluster-show; do
    has "$one" '(.cluster.status | type) == "string" and (.config.original | contains("receivers:")) and (.uptime | test("Z$"))
        and ([.versionInfo | .branch, .buildDate, .buildUser, .goVersion, .revision, .version] | all(type == "string"))'
done
exactly http-healthy http-ready http-reload
exactly err-404 err-method err-bad-filter err-bad-receiver-regex err-content-type
exactly err-bad-label-name err-bad-time err-ends-before-starts err-label-not-string err-labels-missing err-malformed-json err-no-labels
exactly err-partial-bad ok-empty-array ok-empty-label-value ok-unknown-field
exactly err-silence-bad-regex err-silence-empty-matcher err-silence-ends-past err-silence-get-notuuid err-silence-get-unknown
# Here 0.25 still had its API v1; the path is one of ours. What an old client sends is answered as by those that have it no more.
send http-v1-gone
status_is http-v1-gone
gone=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/answer" -w '%{http_code}' -H @- -d '[]' "$url/api/v1/alerts")
[ "$gone" = 410 ] || fail "POST /api/v1/alerts answers $gone"
# Nothing was forgotten; the good alert of a batch with a bad one was kept.
all=$(find "$recorded" -name '*.request.http' | wc -l)
[ "$count" -ge "$all" ] || fail "$count requests were sent, $all are recorded"
for name in "$recorded"/*.request.http; do
    name=${name##*/}
    grep -qwF -- "${name%.request.http}" "$src/tests/integration/replay_alertmanager.sh" || fail "${name%.request.http} is not replayed"
done
good() { api '/api/v2/alerts?filter=alertname=Good' | jq -e 'length == 1'; }
wait_for 10 "the good alert of a partly bad batch" good
engine_stop
echo "$all recorded requests: the same status, an equivalent body"
