#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# A pair of Debian's prometheus behind a pair of its alertmanagers (gossip on loopback), both ways in (webhook and
# /api/v2/alerts), alerts that come and go; meanwhile the engine is killed (-9) and PostgreSQL stopped or killed at
# random moments. Afterwards nothing that fires is missing, nothing that is over still fires, no episode is counted
# twice, the audit trail verifies and the journal replays to it.
#   pair_chaos.sh BUILD_DIR [SECONDS]      FL_SEED=N plays the same faults again
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need prometheus prometheus
need prometheus-alertmanager prometheus-alertmanager
need jq jq
seconds=${2:-30}
lib_begin pair "${1:?usage: $0 BUILD_DIR [SECONDS]}"
RANDOM=${FL_SEED:-$$}
echo "seed ${FL_SEED:-$$} (FL_SEED)"

mkdir "$work/rules"
cp "$src"/rules/*.lua "$work/rules/"
rm "$work/rules/flapping.lua" # in minutes of this everything flaps, and what flaps counts as firing for longer than this waits
cat >"$work/rules/zz_test.lua" <<'LUA'
return { correlation = { resolve_after = "1m" } }
LUA
# A resolve that is lost while the engine is away, and a new outage after it, count for lease_grace (lost_resolve.sh).
engine_start --rules "$work/rules" --lease-grace 20s
pgdata=$(dirname -- "$(find "$work/data/postgres" -name postmaster.pid)")

# ---- what is watched: targets that never answer; one is down while it is in this list
ids=24
declare -A down=() since=() times=()
write_targets() { # the file is replaced whole, prometheus sees it at once
    local id
    for id in "${!down[@]}"; do
        printf '{"targets":["127.0.0.1:1"],"labels":{"instance":"%s"}}\n' "$id"
    done | jq -s . >"$work/targets.new"
    mv "$work/targets.new" "$work/targets.json"
}
flip() { # ID: each state lasts long enough for everybody to see it
    [ $((SECONDS - ${since[$1]:--99})) -ge 8 ] || return 0
    since[$1]=$SECONDS
    if [ -n "${down[$1]:-}" ]; then
        unset "down[$1]"
    else
        down[$1]=1
        times[$1]=$((${times[$1]:-0} + 1))
    fi
    write_targets
}

# ---- the senders
am_port=("$(free_port)" "$(free_port)") gossip=("$(free_port)" "$(free_port)") prom_port=("$(free_port)" "$(free_port)")
cat >"$work/am.yml" <<YML
route: {receiver: faultline, group_by: ['...'], group_wait: 1s, group_interval: 3s, repeat_interval: 1h}
receivers:
- name: faultline
  webhook_configs:
  - url: $url/api/v1/intake/alertmanager
    http_config: {authorization: {credentials_file: $token}}
YML
cat >"$work/alerts.yml" <<'YML'
groups:
- name: targets
  rules:
  - {alert: TargetDown, expr: 'up == 0', labels: {severity: critical}, annotations: {summary: "{{ $labels.instance }} does not answer"}}
YML
write_targets
for k in 0 1; do
    cat >"$work/prom$k.yml" <<YML
global:
  scrape_interval: 500ms
  scrape_timeout: 400ms
  evaluation_interval: 500ms
  external_labels: {replica: "$k"}
rule_files: [$work/alerts.yml]
scrape_configs:
- job_name: targets
  file_sd_configs: [{files: [$work/targets.json], refresh_interval: 1s}]
alerting:
  alert_relabel_configs: [{regex: replica, action: labeldrop}]
  alertmanagers:
  - static_configs: [{targets: ['127.0.0.1:${am_port[0]}', '127.0.0.1:${am_port[1]}']}]
  - authorization: {credentials_file: $token}
    static_configs: [{targets: ['127.0.0.1:$port']}]
YML
    prometheus-alertmanager --config.file="$work/am.yml" --storage.path="$work/am$k" --log.level=error \
        --web.listen-address="127.0.0.1:${am_port[k]}" --cluster.listen-address="127.0.0.1:${gossip[k]}" \
        --cluster.peer="127.0.0.1:${gossip[1 - k]}" --cluster.peer-timeout=1s --cluster.settle-timeout=2s \
        >>"$work/am$k.log" 2>&1 &
    started $!
    prometheus --config.file="$work/prom$k.yml" --storage.tsdb.path="$work/prom$k" --log.level=error \
        --web.listen-address="127.0.0.1:${prom_port[k]}" --rules.alert.resend-delay=2s >>"$work/prom$k.log" 2>&1 &
    started $!
done
peers() { [ "$(curl -fsS "http://127.0.0.1:${am_port[0]}/api/v2/status" | jq '.cluster.peers | length')" = 2 ]; }
wait_for 60 "the two alertmanagers see each other" peers

# ---- what the engine says
episodes() { api '/api/v1/alerts?limit=10000' >"$work/episodes.json"; }
firing_is_right() { # exactly what is down fires; nothing is stale
    episodes
    jq -r '.alerts[] | select(.status != "resolved") | "\(.labels.instance) \(.status)"' "$work/episodes.json" | sort >"$work/fires"
    printf '%s firing\n' "${!down[@]}" | sed '/^ /d' | sort >"$work/wanted"
    cmp -s "$work/fires" "$work/wanted"
}
for ((i = 0; i < ids / 2; i++)); do flip "n$i"; done
wait_for 90 "what is down fires" firing_is_right

# ---- faults
kills=0 stops=0
postmaster() { head -n 1 "$pgdata/postmaster.pid" 2>/dev/null | grep .; } # fails while it starts again
until_ready() { wait_for 60 "the engine is ready again" engine_is_ready; }
fault() {
    case $((RANDOM % 4)) in
    0 | 1)
        kill -KILL "$engine_pid"
        wait "$engine_pid" 2>/dev/null || true
        kills=$((kills + 1))
        sleep "$((RANDOM % 4)).$((RANDOM % 10))"
        engine_start --rules "$work/rules" --lease-grace 20s
        ;;
    2)
        pid=$(postmaster) || return 0
        mv "$pgdata/PG_VERSION" "$pgdata/PG_VERSION.away" # or its supervisor brings it back at once
        kill -INT "$pid"
        stops=$((stops + 1))
        sleep "$((RANDOM % 6)).$((RANDOM % 10))"
        mv "$pgdata/PG_VERSION.away" "$pgdata/PG_VERSION"
        until_ready
        ;;
    3)
        pid=$(postmaster) || return 0
        kill -KILL "$pid"
        stops=$((stops + 1))
        until_ready
        ;;
    esac
}
end=$((SECONDS + seconds))
while [ "$SECONDS" -lt "$end" ] || [ "$kills" = 0 ] || [ "$stops" = 0 ]; do
    for _ in 1 2 3; do flip "n$((RANDOM % ids))"; done
    sleep "0.$((RANDOM % 10))"
    [ $((RANDOM % 4)) != 0 ] || fault
done

# ---- afterwards
# What the record, the core and the senders say of what differs: printed when the wait ends in vain.
tell_difference() {
    local n f k
    diff "$work/wanted" "$work/fires"
    for n in $(diff "$work/wanted" "$work/fires" | sed -n 's/^[<>] \([^ ]*\) .*/\1/p' | head -n 2); do
        jq -c --arg n "$n" '.alerts[] | select(.labels.instance == $n)' "$work/episodes.json"
        for f in $(jq -r --arg n "$n" '.alerts[] | select(.labels.instance == $n) | .fingerprint' "$work/episodes.json" | sort -u); do
            api "/api/v1/why/$f"
        done
        api "/api/v2/alerts?filter=instance%3D%22$n%22"
        for k in 0 1; do
            curl -fsS "http://127.0.0.1:${am_port[k]}/api/v2/alerts" | jq -c --arg n "$n" '.[] | select(.labels.instance == $n) | [.startsAt, .endsAt, .updatedAt]'
            curl -fsS "http://127.0.0.1:${prom_port[k]}/api/v1/alerts" | jq -c --arg n "$n" '.data.alerts[] | select(.labels.instance == $n)'
        done
    done
}
right_at_last() { firing_is_right || { tell_difference >"$work/difference.log" 2>&1 || true; sleep 1 && false; }; }
wait_for 120 "after all faults exactly what is down fires" right_at_last
delivered() { # the second way too was really taken
    curl -fsS "http://127.0.0.1:${am_port[0]}/metrics" "http://127.0.0.1:${am_port[1]}/metrics" |
        grep -E '^alertmanager_notifications_total\{integration="webhook"\} [1-9]'
}
wait_for 30 "the alertmanagers delivered webhooks" delivered
n=0 most=0
for id in "${!times[@]}"; do
    found=$(jq --arg i "$id" '[.alerts[] | select(.labels.instance == $i)] | length' "$work/episodes.json")
    n=$((n + found)) most=$((most + ${times[$id]}))
    [ "$found" -ge 1 ] || fail "$id was down ${times[$id]} times and is not known at all"
    [ "$found" -le "${times[$id]}" ] || fail "$id was down ${times[$id]} times and has $found episodes:
$(jq -c --arg i "$id" '.alerts[] | select(.labels.instance == $i) | [.starts_at, .ends_at, .status, .source, .why]' "$work/episodes.json")"
done
by_hook=$(jq '[.alerts[] | select(.source == "alertmanager")] | length' "$work/episodes.json")
by_post=$(jq '[.alerts[] | select(.source == "alertmanager-v2")] | length' "$work/episodes.json")
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
chain_replays
engine_stop
echo "$kills kills, $stops times no database: $most outages of ${#times[@]} targets, $n episodes ($by_post first by prometheus, $by_hook by alertmanager), none twice, ${#down[@]} fire"
