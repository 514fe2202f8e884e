#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Every command of Debian's amtool against a running engine: alerts, silences, configuration, in every output format.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need amtool prometheus-alertmanager
need jq jq
lib_begin amtool "${1:?usage: $0 BUILD_DIR}"

cat >"$work/topology.json" <<'JSON'
{"nodes":[{"id":"web","type":"service"},{"id":"db","type":"store"}],"edges":[{"from":"web","to":"db","type":"data"}]}
JSON
mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_test.lua" <<'LUA'
inhibition {
    name = "critical hides warning",
    source = { "severity=critical" }, target = { "severity=warning" }, equal = { "cluster" },
}
LUA
engine_start --topology "$work/topology.json" --rules "$work/rules"
printf 'authorization: {credentials_file: %s}\n' "$token" >"$work/client.yml"
# No configuration of the user's own.
export HOME=$work XDG_CONFIG_HOME=$work

prefix=
am() { amtool --alertmanager.url="$url$prefix" --http.config.file="$work/client.yml" "$@"; }
names() { am -o json alert query "$@" | jq -r '[.[].labels.alertname] | sort | join(" ")'; }
shows() { # WANTED QUERY…
    local wanted=$1
    shift
    [ "$(names "$@")" = "$wanted" ]
}
expect() { # WANTED QUERY…
    wait_for 10 "alert query ${*:2} shows \"$1\", it shows \"$(names "${@:2}")\"" shows "$@"
}
refused() { # WORDS COMMAND…
    local words=$1 out
    shift
    ! out=$("$@" 2>&1) || fail "$*: was not refused: $out"
    [[ $out == *"$words"* ]] || fail "$*: expected \"$words\", got \"$out\""
}

says() { # PATTERN COMMAND…
    local pattern=$1 out
    shift
    out=$("$@") || fail "$*: failed: $out"
    grep -qE -- "$pattern" <<<"$out" || fail "$*: expected \"$pattern\", got: $out"
}

# ---- alert add, alert query with every flag and format
am alert add DiskFull severity=critical cluster=eu1 instance=db1 service=db --annotation=summary='Disk é full' \
    --annotation=runbook_url=https://runbooks.example/disk --generator-url=http://prometheus.example:9090/graph
am alert add alertname=HighLatency severity=warning cluster=eu1 service=web team=web
am alert add alertname=HighLatency severity=page cluster=us1 service=web team=web --start="$(date -u -d '-1 min' +%FT%TZ)"
am alert add alertname=Gone severity=page cluster=ap1 --start="$(date -u -d '-2 min' +%FT%TZ)" --end="$(date -u -d '+5 min' +%FT%TZ)"
expect "DiskFull Gone HighLatency"
expect "HighLatency" --inhibited
expect "DiskFull Gone HighLatency HighLatency" --active --inhibited
expect "" --silenced
expect "" --unprocessed
expect "DiskFull" --active severity=critical 'instance=~"db[12]"' 'service!=web'
expect "Gone" 'cluster!~"(e|u).*"'
expect "DiskFull" DiskFull
expect "DiskFull Gone HighLatency" --active --receiver=faultline
expect "" --active --receiver=engine
refused 'error parsing regexp' am alert query b=c 'a=~('
says '^DiskFull .* Disk é full +active' am alert query
says 'runbook_url="https://runbooks.example/disk" summary="Disk é full"' am -o extended alert query DiskFull
am -o json alert query DiskFull | jq -e '.[0] | .status == {state: "active", silencedBy: [], inhibitedBy: [], mutedBy: []} // (.status.state == "active")
    and .receivers == [{name: "faultline"}] and .annotations.summary == "Disk é full"
    and .generatorURL == "http://prometheus.example:9090/graph" and (.fingerprint | test("^[0-9a-f]{16}$"))' >/dev/null ||
    fail "json output: $(am -o json alert query DiskFull)"
for form in simple extended json; do
    says DiskFull am -o "$form" alert query
done
says '^DiskFull +2[0-9]{3}/' am --date.format=2006/01/02 alert query DiskFull
by=$(am -o json alert query DiskFull | jq -r '.[0].fingerprint')
am -o json alert query --inhibited | jq -e --arg by "$by" '.[0].status | .state == "suppressed" and .inhibitedBy == [$by]' >/dev/null ||
    fail "the inhibited alert does not name its inhibitor"

# ---- silences
id=$(am silence add --comment maintenance --author ops --duration 5m alertname=HighLatency 'cluster=~"us.*"' 'service!=db')
[[ $id =~ ^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]] || fail "silence add printed \"$id\""
# What was answered is there: no waiting.
shows "HighLatency" --silenced || fail "the alert is not silenced at once"
shows "DiskFull Gone" || fail "the silenced alert is still shown as active"
am -o json alert query --silenced | jq -e --arg id "$id" '.[0].status.silencedBy == [$id]' >/dev/null || fail "silencedBy lacks $id"
says "^$id  alertname=\"HighLatency\" cluster=~\"us\.\*\" service!=\"db\"  .* ops +maintenance" am silence query
[ "$(am silence query -q --created-by ops alertname=HighLatency)" = "$id" ] || fail "silence query -q"
[ -z "$(am silence query -q --created-by nobody)" ] || fail "silence query --created-by nobody"
[ -z "$(am silence query -q alertname=Other)" ] || fail "silence query with a matcher of another"
says "$id" am -o extended silence query
am -o json silence query | jq -e --arg id "$id" '.[0] | .id == $id and .status.state == "active" and (.matchers | length) == 3' >/dev/null ||
    fail "silence query -o json: $(am -o json silence query)"
says "$id" am silence query --within 10m
# An update that moves the end keeps the id.
says "^$id .* longer" am silence update -d 10m --comment longer "$id"
[ "$(am -o json silence query | jq length)" = 1 ] || fail "an update made another silence"
# The end given as a time; with -q (amtool 0.25 prints a pointer then, no id).
says "^$id " am silence update --end "$(date -u -d '+20 min' +%FT%TZ)" "$id"
am silence update -q --end "$(date -u -d '+25 min' +%FT%TZ)" "$id" >/dev/null || fail "silence update -q"
[ "$(am silence query -q --created-by ops)" = "$id" ] || fail "a moved end made another silence: $(am silence query)"
# Another start of a running one expires it and makes a new one, as there.
moved=$(am silence add --no-require-comment --author ops -d 5m a=moved)
am silence update --start "$(date -u -d '+1 hour' +%FT%TZ)" --end "$(date -u -d '+2 hours' +%FT%TZ)" "$moved" >/dev/null ||
    fail "silence update --start"
[ "$(am silence query -q a=moved)" != "$moved" ] || fail "silence update --start kept the id of a running silence"
# Several at once.
one=$(am silence add --no-require-comment --author ops -d 5m a=one) two=$(am silence add --no-require-comment --author ops -d 5m a=two)
am silence expire "$one" "$two" "$(am silence query -q a=moved)" || fail "silence expire of several"
[ -z "$(am silence query -q a=one)$(am silence query -q a=two)$(am silence query -q a=moved)" ] || fail "one of several was not expired"
# Exported and imported: other ids, same content; with ids: those ids.
am -o json silence query >"$work/export.json"
jq 'map(del(.id) | .matchers = [{name: "a", value: "b", isRegex: false, isEqual: true}])' "$work/export.json" >"$work/import.json"
new=$(am silence import --worker 2 "$work/import.json")
[ "$(am silence query -q a=b)" = "$new" ] || fail "silence import printed \"$new\""
am silence import --force "$work/export.json" >/dev/null || fail "silence import --force"
# A silence that begins later is pending.
later=$(am silence add --comment later --author ops --start "$(date -u -d '+1 hour' +%FT%TZ)" --end "$(date -u -d '+2 hours' +%FT%TZ)" a=c)
am -o json silence query a=c | jq -e '.[0].status.state == "pending"' >/dev/null || fail "a silence of later is not pending"
for one in $(am silence query -q 'alertname=HighLatency') "$new" "$later"; do
    am silence expire "$one" || fail "silence expire $one"
    am silence expire "$one" || fail "silence expire $one, a second time"
done
[ -z "$(am silence query -q)" ] || fail "expired silences are listed: $(am silence query)"
says "$id" am silence query --expired
shows "DiskFull Gone HighLatency" || fail "the alert is not active after its silence ended"
refused 'silence not found' am silence expire 00000000-0000-0000-0000-000000000000
refused 'at least one matcher' am silence add --comment c --author a 'a=~".*"'
refused 'comment' am silence add --author a a=b

# ---- configuration
says '^Cluster Status: *disabled' am cluster show
says disabled am -o extended cluster show
am -o json cluster show | jq -e '.status == "disabled"' >/dev/null || fail "cluster show -o json: $(am -o json cluster show)"
says receiver am -o simple config show
says goVersion am -o extended config show # 0.25 prints pointers to the versions
says receiver am -o json config show
am config show >"$work/config.yml"
says SUCCESS amtool check-config "$work/config.yml"
says 'receiver: faultline' am config
says 'default-route  receiver: faultline' am config routes
says 'receiver: faultline' am config routes show
[ "$(am config routes test severity=critical)" = faultline ] || fail "config routes test"
am config routes test --verify.receivers=faultline severity=critical >/dev/null || fail "config routes test --verify.receivers"
says 'receiver: faultline' am config routes test --tree severity=critical
[ "$(am config routes test --config.file="$work/config.yml" severity=critical)" = faultline ] || fail "config routes test --config.file"
says 'receiver: faultline' am config routes show --config.file="$work/config.yml"
! am config routes test --verify.receivers=engine severity=critical >/dev/null 2>&1 || fail "config routes test verified a wrong receiver"

# ---- what the engine made of it: two incidents' worth of alerts, the inhibited one in none, the silenced one stayed
api /api/v1/audit?action='silence.*' | jq -e '[.entries[].action] | contains(["silence.created", "silence.updated", "silence.expired"])' >/dev/null ||
    fail "the audit trail lacks silences"
inhibited=$(am -o json alert query --inhibited | jq -r '.[0].fingerprint')
api "/api/v1/why/$inhibited" | jq -e '.episodes[0] | .incident == null and (.why | join(" ") | contains("inhibited by rule \"critical hides warning\""))' \
    >/dev/null || fail "why of the inhibited alert: $(api "/api/v1/why/$inhibited")"
# The inhibitor resolves, as amtool can say it: an end and no start. The other one joins an incident.
am alert add DiskFull severity=critical cluster=eu1 instance=db1 service=db --end="$(date -u +%FT%TZ)"
joined() { api "/api/v1/why/$inhibited" | jq -e '.episodes[0].incident != null'; }
wait_for 10 "the alert that was inhibited joins an incident" joined

# The other prefix; Grafana must not take us for its other kind there.
prefix=/alertmanager
code=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/out" -w '%{http_code}' -H @- "$url/alertmanager/api/v2/status")
[ "$code" = 404 ] || fail "/alertmanager/api/v2/status answers $code"
api /alertmanager/api/v2/alerts/groups | jq -e 'length > 0 and all(.[]; (.alerts | length) > 0 and .receiver.name == "faultline")' >/dev/null ||
    fail "alerts/groups: $(api /alertmanager/api/v2/alerts/groups)"
api /alertmanager/api/v2/silences | jq -e 'length >= 3' >/dev/null || fail "silences under the other prefix"
# Our own commands on the same silences.
own() { "$faultline" "$@" --server "$url" --token-file "$token"; }
id=$(own silence add --comment 'by our own hand' --author ann --duration 1h 'alertname=~"Gone|Other"' cluster!=us1)
says "^$id  alertname=~\"Gone\|Other\" cluster!=\"us1\"  .* ann +by our own hand" am silence query
says "^$id +active .* ann +by our own hand" own silence list
shows "Gone" --silenced || fail "our own silence hides nothing"
own silence expire "$id" 2>/dev/null || fail "silence expire"
says "^$id +expired" own silence list --expired
rc=0
own silence expire 00000000-0000-0000-0000-000000000000 2>/dev/null || rc=$?
[ "$rc" = 1 ] || fail "expiring an unknown silence exits $rc"
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
engine_stop
echo "every amtool command works: alerts, silences, configuration"
