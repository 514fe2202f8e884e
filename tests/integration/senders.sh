#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every foreign format against a running engine: an alert opens, its recovery closes the same episode, credentials
# are not kept, a source of the rules reads what it is told to, and a restart reads the journal the same way.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin send "${1:?usage: $0 BUILD_DIR}"
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_test.lua" <<'LUA'
source {
    name = "shop",
    list = "/alarms",
    labels = { alertname = "/title" },
    status = { from = "/state", firing = { "red" }, resolved = { "green" }, default = "refuse" },
    severity = { from = "/state", map = { red = "critical" } },
    starts = "/since",
}
LUA
export FAULTLINE_ALIASES=true
engine_start --rules "$work/rules"
secret=$(<"$token")

post() { # PATH BODY [CURL ARGUMENT…]: with the token in the header
    local path=$1 body=$2
    shift 2
    api "$path" -H 'Content-Type: application/json' --data-binary "$body" "$@"
}
bare() { # PATH BODY [CURL ARGUMENT…]: without
    local path=$1 body=$2
    shift 2
    curl -fsS --max-time 10 -H 'Content-Type: application/json' --data-binary "$body" "$@" "$url$path"
}
status_of() { api '/api/v1/alerts?limit=1000' | jq -r --arg n "$1" '[.alerts[] | select(.labels.alertname == $n) | .status] | sort | join(",")'; }
is() { [ "$(status_of "$1")" = "$2" ]; }
expect() { wait_for 10 "$1 is $2" is "$1" "$2"; }

grafana() { # STATUS ENDS
    printf '{"version":"1","alerts":[{"status":"%s","labels":{"alertname":"Grafana"},"startsAt":"2026-11-01T00:00:00Z","endsAt":"%s"}]}' "$1" "$2"
}
post /api/v1/intake/grafana "$(grafana firing 0001-01-01T00:00:00Z)" >/dev/null
expect Grafana firing
post /alerts/event/grafana "$(grafana resolved 2026-11-01T01:00:00Z)" >/dev/null
expect Grafana resolved

payload='"payload":{"summary":"s","source":"h","severity":"error"}'
answer=$(bare /v2/enqueue "{\"routing_key\":\"$secret\",\"event_action\":\"trigger\",\"dedup_key\":\"k1\",$payload}")
[ "$(jq -r .dedup_key <<<"$answer")" = k1 ] || fail "PagerDuty's answer: $answer"
expect PagerDutyEvent firing
bare /v2/enqueue "{\"routing_key\":\"$secret\",\"event_action\":\"resolve\",\"dedup_key\":\"k1\"}" >/dev/null
expect PagerDutyEvent resolved
bare /v2/change/enqueue "{\"routing_key\":\"$secret\",\"payload\":{\"summary\":\"deploy 7\",\"source\":\"cart\"}}" >/dev/null

ce() { printf '{"specversion":"1.0","id":"%s","source":"/s","type":"disk.full.%s"}' "$1" "$2"; }
api /api/v1/intake/cloudevents -H 'Content-Type: application/cloudevents+json' --data-binary "$(ce 1 firing)" >/dev/null
expect disk.full firing
deploy='{"specversion":"1.0","id":"9","source":"/ci","type":"deploy","data":{"component":"orders","kind":"deploy"}}'
api /api/v1/intake/cloudevents -H 'Content-Type: application/cloudevents-batch+json' \
    --data-binary "[$(ce 2 resolved),$deploy]" >/dev/null
expect disk.full resolved
changes() { [ "$(api /api/v1/changes | jq -r '[.changes[].component] | sort | join(",")')" = cart,orders ]; }
wait_for 10 "both changes are there" changes
# One that is sent again, because its answer was lost, counts once; another of the same deploy is another.
change='{"time":"2026-01-02T03:04:05Z","component":"mail","kind":"deploy","id":"7","title":"new templates"}'
for want in '{"recorded":1}' '{"recorded":0,"repeated":1}'; do
    answer=$(api /api/v1/changes -H 'Content-Type: application/json' --data-binary "$change" | jq -c .)
    [ "$answer" = "$want" ] || fail "a change was answered $answer, not $want"
done
answer=$(api /api/v1/changes -H 'Content-Type: application/json' --data-binary "[$change,${change/templates/pages}]" | jq -c .)
[ "$answer" = '{"recorded":1,"repeated":1}' ] || fail "a known change and a new one were answered $answer"
mails() { [ "$(api /api/v1/changes | jq -c '[.changes[] | select(.component == "mail") | .title] | sort')" = '["new pages","new templates"]' ]; }
wait_for 10 "each change is there once" mails
api /api/v1/intake/cloudevents -H 'Content-Type: application/json' -H 'ce-specversion: 1.0' -H 'ce-id: 3' -H 'ce-source: /b' \
    -H 'ce-type: binary' --data-binary '{"severity":"high"}' >/dev/null
expect binary firing

nagios=(--data-urlencode host=web1 --data-urlencode service=HTTP --data-urlencode 'output=say "no" & go')
curl -fsS "$url/api/v1/intake/nagios" -d type=PROBLEM -d state=CRITICAL --data-urlencode "token=$secret" "${nagios[@]}" >/dev/null
expect HTTP firing
nrdp='{"checkresults":[{"checkresult":{"type":"service"},"hostname":"web1","servicename":"HTTP","state":"0","output":"ok"}]}'
answer=$(curl -fsS "$url/api/v1/intake/nagios" -d cmd=submitcheck --data-urlencode "token=$secret" --data-urlencode "JSONDATA=$nrdp")
[ "$(jq -r .result.status <<<"$answer")" = 0 ] || fail "NRDP's answer: $answer"
expect HTTP resolved

zabbix() { printf '{"value":"%s","trigger_name":"Zabbix","trigger_id":"7","host":"h","severity":"%s","timestamp":"1795413600"}' "$1" "$2"; }
post /api/v1/intake/zabbix "$(zabbix 1 4)" >/dev/null
expect Zabbix firing
post /api/v1/intake/zabbix "$(zabbix 0 2)" >/dev/null
expect Zabbix resolved

post /api/v1/intake/kubernetes '{"involvedObject":{"kind":"Pod","namespace":"shop","name":"cart-7d9c5b7d44-x2x8q"},
    "reason":"BackOff","type":"Warning"}' >/dev/null
expect BackOff firing

shop() { printf '{"alarms":[{"title":"Shop","state":"%s","since":1795413600},{"title":"Odd","state":"blue"}]}' "$1"; }
post /api/v1/intake/shop "$(shop red)" >/dev/null
expect Shop firing
post /api/v1/intake/shop "$(shop green)" >/dev/null
expect Shop resolved
letters() { [ "$(api '/api/v1/deadletters?limit=100' | jq '[.deadletters[] | select(.source == "mapped:shop")] | length')" = 2 ]; }
wait_for 10 "what no status fits is a dead letter" letters
[ "$(api /api/v1/intake/nowhere -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' -d '{}' 2>/dev/null || true)" = 404 ] ||
    fail "a source that is not in the rules was taken"

hook='{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"Alias"},"startsAt":"2026-11-01T00:00:00Z"}]}'
bare "/integrations/v1/alertmanager/$secret/" "$hook" >/dev/null
expect Alias firing

# Fires before the restart, is over after it.
bare /v2/enqueue "{\"routing_key\":\"$secret\",\"event_action\":\"trigger\",\"dedup_key\":\"k2\",$payload}" >/dev/null
expect PagerDutyEvent firing,resolved

# ---- the same after a restart: the journal says it all
picture() { api '/api/v1/alerts?limit=1000' | jq -S '[.alerts[] | {fingerprint, status, labels, starts_at}] | sort_by(.fingerprint)'; }
before=$(picture)
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
rm "$work/rules/zz_test.lua" # a replay needs no source
engine_start --rules "$work/rules"
[ "$(picture)" = "$before" ] || fail "after the restart the alerts differ"
bare /v2/enqueue "{\"routing_key\":\"$secret\",\"event_action\":\"resolve\",\"dedup_key\":\"k2\"}" >/dev/null
expect PagerDutyEvent resolved,resolved
grep -rqaF -- 'deploy 7' "$work/data" || fail "the data folder cannot be searched"
api '/api/v1/audit?limit=1000' | grep -qF -- "$secret" && fail "the audit holds the token"
kept=$(grep -rlaF --include='*' -- "$secret" "$work/data" 2>/dev/null | grep -v token || true)
[ -z "$kept" ] || fail "the token is kept in $kept"
echo "every sender: ok"
