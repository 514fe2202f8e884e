#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Bad input at a running engine: every body that can never succeed is answered 4xx with what is wrong and where, or
# stored in part with the rest on the dead-letter list; never 5xx, never a crash; good alerts of a batch are kept.
#   bad_input.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin bad "${1:?usage: $0 BUILD_DIR}"
cat >"$work/faultline.lua" <<LUA
return { max_body = 33554432 }
LUA
engine_start --config "$work/faultline.lua"
hook=/api/v1/intake/alertmanager v2=/api/v2/alerts
t='"startsAt":"'$(date -u +%FT%TZ)'"'
sent=0

send() { # PATH FILE [CURL ARGUMENT…]: $code, $work/answer
    local path=$1 body=$2
    shift 2
    code=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/answer" -w '%{http_code}' --max-time 20 -H @- \
        -H 'Content-Type: application/json' -H 'Expect:' --data-binary @"$body" "$@" "$url$path") || true
    sent=$((sent + 1))
    kill -0 "$engine_pid" || fail "the engine ended at $path $(head -c 200 "$body")"
}
expect() { # CODE WORDS PATH BODY: the code, and the words somewhere in the answer (an extended regular expression)
    printf '%s' "$4" >"$work/body"
    send "$3" "$work/body"
    [ "$code" = "$1" ] || fail "$3 answered $code, not $1, to ${4:0:200}: $(head -c 400 "$work/answer")"
    grep -qE -- "$2" "$work/answer" || fail "$3 does not say \"$2\" to ${4:0:200}: $(head -c 400 "$work/answer")"
}

# ---- the webhook: what and where
expect 400 'syntax.*line 1 column' $hook '{"version":"4","alerts":[{"labels":{"a":"b"}'
expect 400 'syntax' $hook ''
expect 400 'syntax' $hook '{"version":"4","alerts":[]} trailing'
expect 400 'an object' $hook '[]'
expect 400 'an object' $hook 'null'
expect 400 '"where":"alerts\[0\].labels","reason":"expected strings' $hook '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":5},'"$t"'}]}'
expect 400 '"where":"alerts\[0\].labels","reason":"is required"' $hook '{"version":"4","alerts":[{"status":"firing",'"$t"'}]}'
expect 400 'alerts\[0\].labels' $hook '{"version":"4","alerts":[{"status":"firing","labels":{},'"$t"'}]}'
expect 400 '"where":"alerts\[0\].startsAt","reason":"could not parse' $hook '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"x"},"startsAt":"yesterday"}]}'
expect 400 'startsAt' $hook '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"x"},"startsAt":"9999-12-31T23:59:59Z"}]}'
expect 400 'startsAt' $hook '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"x"},"startsAt":1e300}]}'
expect 400 'NUL|UTF-8' $hook '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"a\u0000b"},'"$t"'}]}'
expect 400 'UTF-8' $hook $'{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"a\xff\xfe"},'"$t"'}]}'
expect 400 'alerts' $hook '{"version":"4","alerts":{"0":{}}}'
expect 404 'no source' /api/v1/intake/nothing-like-this '{}'
printf '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"a\0b"},%s}]}' "$t" >"$work/body"
send $hook "$work/body"
[[ $code == 4?? ]] || fail "a NUL byte was answered $code"

# ---- in part: good ones are kept, unknown fields do not matter
good() { printf '{"status":"firing","labels":{"alertname":"%s"},"unknown":[{"x":1e3}],%s}' "$1" "$t"; }
expect 200 '"accepted":3' $hook '{"version":"4","new":{"a":[1,{"b":null}]},"alerts":['"$(good good1)"',{"labels":3},'"$(good good2)"',null,{"status":"firing","labels":{"alertname":"x"},"startsAt":"never"},'"$(good good3)"']}'
jq -e '.rejected | map(.index) == [1, 3, 4]' "$work/answer" >/dev/null || fail "not the three bad ones: $(cat "$work/answer")"
# As Alertmanager does: the good ones are taken, and the answer says that some were not.
expect 400 'label' $v2 '[{"labels":{"alertname":"good4"}},{"labels":{}},{"labels":{"alertname":"good5"}}]'
expect 400 'pars' $v2 '[{'
expect 400 'number' $v2 '[{"labels":{"alertname":5}}]'

# ---- other routes
for body in '' '{' 'null' '[]' '5' '"x"' '{"nodes":5}' '{"nodes":[{"id":5}]}' '{"nodes":[],"edges":[{"from":"a","to":"b"}]}' '{"component":5}' \
    '{"text":5}' '{"verdict":[]}' '[[[[]]]]' $'\xff' '{"name":{"a":1}}'; do
    for route in POST/api/v1/changes PUT/api/v1/topology POST/api/v1/runs POST/api/v1/incidents/INC-1/comment POST/api/v1/incidents/x/merge \
        POST/api/v1/runs/RUN-1/settle POST/api/v2/silences POST/alertmanager/api/v2/alerts POST/api/v1/tokens POST/v2/enqueue \
        POST/api/v1/intake/grafana POST/api/v1/intake/cloudevents; do
        printf '%s' "$body" >"$work/body"
        send "/${route#*/}" "$work/body" -X "${route%%/*}"
        [[ $code == [24]?? ]] || fail "${route/\// /} answered $code to $body: $(head -c 400 "$work/answer")"
        [[ $code == 2?? ]] || [ -s "$work/answer" ] || fail "${route/\// /} answered $code to $body without a word"
    done
done
for query in 'limit=x' 'limit=-1' 'limit=99999999999999999999' 'since=never' 'state=%00' 'state=%ff' 'offset=1e9' 'after=-5'; do
    for path in alerts incidents audit runs deadletters events changes; do
        code=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/answer" -w '%{http_code}' --max-time 2 -H @- "$url/api/v1/$path?$query" || true)
        [[ $code == [24]?? ]] || fail "GET /api/v1/$path?$query answered $code: $(head -c 300 "$work/answer")"
    done
done

# ---- large and deep
deep() { # N
    printf '{"version":"4","alerts":['
    head -c "$1" /dev/zero | tr '\0' '['
}
deep 1000000 >"$work/body"
send $hook "$work/body"
[ "$code" = 400 ] || fail "a million brackets were answered $code"
big() { # BYTES
    printf '{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"big"},"annotations":{"text":"'
    head -c "$1" /dev/zero | tr '\0' x
    printf '"},%s},%s]}' "$t" "$(good "beside-$1")"
}
many() { # N
    printf '{"version":"4","alerts":['
    for ((i = 0; i < $1; i++)); do printf '%s,' "$(good "many$((i % 10))")"; done
    printf '%s]}' "$(good many-last)"
}
for bytes in 16777216 33000000; do
    big "$bytes" >"$work/body"
    send $hook "$work/body"
    [[ $code == 200 || $code == 400 ]] || fail "a body of $bytes bytes was answered $code: $(head -c 300 "$work/answer")"
done
big 34000000 >"$work/body"
send $hook "$work/body"
[ "$code" = 413 ] || fail "a body above max_body was answered $code"
many 2000 >"$work/body"
send $hook "$work/body"
[ "$code" = 200 ] || fail "two thousand alerts were answered $code"
head -c 16777216 /dev/urandom >"$work/body"
send $hook "$work/body"
[ "$code" = 400 ] || fail "16 MiB of noise were answered $code"
send $v2 "$work/body"
[ "$code" = 400 ] || fail "16 MiB of noise at the look-alike were answered $code"

# ---- afterwards
there() {
    api '/api/v1/alerts?limit=10000' | jq -r '.alerts[].alertname' | sort -u >"$work/known"
    for name in good1 good2 good3 good4 good5 many-last; do grep -qx "$name" "$work/known" || return 1; done
}
wait_for 20 "the good alerts of every batch are there" there
! grep -qE '^(x|a)' "$work/known" || fail "a bad alert is there: $(cat "$work/known")"
letters() { api '/api/v1/deadletters?limit=1000' | jq -e '[.deadletters[] | select(.where != "" and .reason != "")] | length >= 8' >/dev/null; }
wait_for 10 "dead letters say where and why" letters
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
if grep -E 'level=error' "$work/engine.log"; then fail "the engine logged an error"; fi
engine_stop
echo "$sent bodies, none answered 5xx, every good alert kept"
