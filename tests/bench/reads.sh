#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Memory of an active alert and what reading the alerts costs, beside Debian's alertmanager in the same run.
#   reads.sh BUILD_DIR      FL_BENCH_ALERTS=100000 FL_BENCH_ROUNDS=3
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/../integration/lib.sh"
need prometheus-alertmanager prometheus-alertmanager
need jq jq
build=${1:?usage: $0 BUILD_DIR}
lib_begin reads "$build"
load=$build/tests/bench/bench_load
alerts=${FL_BENCH_ALERTS:-100000} rounds=${FL_BENCH_ROUNDS:-3}
filter='filter=instance%3D%22n0000000123.example%3A8080%22'

resident() { awk '/^VmRSS/ { print $2 }' "/proc/$1/status"; }
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$1/status"; }
per_alert() { echo $((($2 - $1) * 1024 / alerts)); }
# Until it no longer falls: what a burst needed goes back when the engine is idle.
settled() { # PID
    local before now still=0
    before=$(resident "$1")
    while [ "$still" -lt 3 ]; do
        sleep 1
        now=$(resident "$1")
        if [ "$now" -ge "$((before - 1024))" ]; then still=$((still + 1)); else still=0; fi
        before=$now
    done
    echo "$now"
}
# Median of the rounds, seconds.
timed() { # URL CURL ARGUMENT…
    local i
    for ((i = 0; i < rounds; i++)); do
        curl -fsS -o "$work/out" -w '%{time_total}\n' "$@"
    done | sort -n | sed -n "$(((rounds + 1) / 2))p"
}
# Milliseconds of processor time that one of N requests costs the process: told apart from waiting for a busy machine.
cost() { # PID N CURL ARGUMENT…
    local pid=$1 n=$2 before i
    shift 2
    before=$(awk '{ print $14 + $15 }' "/proc/$pid/stat")
    for ((i = 0; i < n; i++)); do curl -fsS -o /dev/null "$@"; done
    awk -v b="$before" -v n="$n" -v hz="$(getconf CLK_TCK)" '{ printf "%.3f", ($14 + $15 - b) * 1000 / hz / n }' "/proc/$pid/stat"
}
ratio() { jq -rn --argjson a "$1" --argjson b "$2" '(if $b > 0 then $a / $b else 0 end) * 100 | round / 100'; }
# Of one start are the alerts of a body: an evaluation of a group of rules.
fill() { "$load" "$@" --connections 4 --alerts 64 --spread 3600 --requests $(((alerts + 63) / 64)) --seconds 600 >/dev/null; }
row() { echo "| $1 | $2 | $3 | $4 |"; }

cat >"$work/am.yml" <<'YML'
global: {resolve_timeout: 2h}
route:
  group_by: [alertname, cluster, service]
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 3h
  receiver: hole
receivers:
- name: hole
  webhook_configs: [{url: 'http://127.0.0.1:9/'}]
YML
p=$(free_port)
prometheus-alertmanager --config.file="$work/am.yml" --storage.path="$work/am" --cluster.listen-address= \
    --web.listen-address="127.0.0.1:$p" --log.level=error >"$work/am.log" 2>&1 &
am=$!
started "$am"
wait_for 20 "alertmanager is ready" curl -fsS "http://127.0.0.1:$p/-/ready"
am0=$(resident "$am")
fill "127.0.0.1:$p"
am1=$(resident "$am")
engine_start
fl0=$(resident "$engine_pid")
fill "127.0.0.1:$port" --token-file "$token"
all_known() { [ "$(api /metrics | awk '$1 == "faultline_alerts_firing" { print $2 }')" -ge "$alerts" ]; }
wait_for 600 "all alerts are in" all_known
fl1=$(settled "$engine_pid")

echo "commit $(git -C "$src" rev-parse --short HEAD 2>/dev/null || echo none), $(nproc) cores, $alerts alerts, medians of $rounds"
echo '| | alertmanager | faultline | ratio |'
echo '|---|---|---|---|'
a=$(per_alert "$am0" "$am1") f=$(per_alert "$fl0" "$fl1")
row 'resident bytes an active alert' "$a" "$f" "$(ratio "$f" "$a")"
auth="Authorization: Bearer $(cat "$token")"
before=$(peak "$engine_pid")
echo 5 >"/proc/$engine_pid/clear_refs" && before=$(peak "$engine_pid")
# The short ones first: on a busy machine the five minutes that an alert is good for pass before the long ones are through.
f=$(rounds=$((rounds * 10)) timed "$url/api/v2/alerts?$filter" -H "$auth") # too short for a few
[ "$(jq length "$work/out")" -eq 1 ] || fail "the filter finds $(jq length "$work/out") alerts"
a=$(timed "http://127.0.0.1:$p/api/v2/alerts?$filter")
[ "$(jq length "$work/out")" -eq 1 ] || fail "alertmanager's filter finds $(jq length "$work/out") alerts"
filtered=$f
row 'GET with filter=instance="…", s' "$a" "$f" "$(ratio "$a" "$f") x"
f=$(cost "$engine_pid" 200 "$url/api/v2/alerts?$filter" -H "$auth")
a=$(cost "$am" "$rounds" "http://127.0.0.1:$p/api/v2/alerts?$filter")
row '… processor time of one, ms' "$a" "$f" "$(ratio "$a" "$f") x"
query() { # MATCHER…
    local m sep=''
    for m in "$@"; do printf '%sfilter=%s' "$sep" "$(jq -rn --arg m "$m" '$m | @uri')" && sep='&'; done
}
of_both() { # HOW_MANY MATCHER…: processor time of one
    local n=$1 q
    shift
    q=$(query "$@")
    curl -fsS -o "$work/out" "$url/api/v2/alerts?$q" -H "$auth"
    [ "$(jq length "$work/out")" -eq "$n" ] || fail "$* finds $(jq length "$work/out") alerts, not $n"
    f=$(cost "$engine_pid" $((rounds * 5)) "$url/api/v2/alerts?$q" -H "$auth")
    a=$(cost "$am" "$rounds" "http://127.0.0.1:$p/api/v2/alerts?$q")
    row "$* ($n found), processor time, ms" "$a" "$f" "$(ratio "$a" "$f") x"
}
of_both 2 'instance=~"n0000000123\\.example:8080|n0000000456\\.example:8080"'
of_both 1 'instance="n0000000123.example:8080"' 'alertname=~"High.*"'
of_both 10 'instance=~"n00000001.3.example:.*"'
of_both 0 'alertname=~"Low.*"'
of_both 0 'severity!="critical"'
f=$(timed "$url/api/v2/alerts" -H "$auth")
[ "$(jq length "$work/out")" -ge "$alerts" ] || fail "only $(jq length "$work/out") alerts in the list"
after=$(peak "$engine_pid")
a=$(timed "http://127.0.0.1:$p/api/v2/alerts")
[ "$(jq length "$work/out")" -ge "$alerts" ] || fail "only $(jq length "$work/out") alerts in alertmanager's list"
row 'GET /api/v2/alerts, all of them, s' "$a" "$f" "$(ratio "$a" "$f") x"
row '… and what it adds to resident memory, MB' "$((($(peak "$am") - am1) / 1024))" "$(((after - before) / 1024))" ''
row 'GET with filter against a GET of all' "$a" "$filtered" "$(ratio "$a" "$filtered") x"
in_groups() { # WHOSE
    [ "$(jq '[.[].alerts | length] | add' "$work/out")" -ge "$alerts" ] || fail "$1's groups hold $(jq '[.[].alerts | length] | add' "$work/out") alerts: the machine is too busy"
}
f=$(timed "$url/api/v2/alerts/groups" -H "$auth")
in_groups faultline
a=$(timed "http://127.0.0.1:$p/api/v2/alerts/groups")
in_groups alertmanager
row 'GET /api/v2/alerts/groups, s' "$a" "$f" "$(ratio "$a" "$f") x"
# The list with the history has nothing to be compared with; most of its processor time is PostgreSQL's, so it is timed. Last, so
# that PostgreSQL has looked at its new table once (autovacuum, within a minute): before, it plans as if it were empty.
ours() { # HOW_MANY QUERY
    f=$(timed "$url/api/v1/alerts?$2" -H "$auth")
    [ "$(jq '.alerts | length' "$work/out")" -eq "$1" ] || fail "$2 finds $(jq '.alerts | length' "$work/out") alerts, not $1"
    row "GET /api/v1/alerts?$2, s" '' "$f" ''
}
ours 100 ''
ours 1 "$(query 'instance="n0000000123.example:8080"')"
ours 10 "$(query 'instance=~"n00000001.3.example:.*"')"
ours 100 "$(query 'alertname=~"High.*"')"
ours 0 "$(query 'severity!="critical"')"
ours 100 'state=firing'
engine_stop
