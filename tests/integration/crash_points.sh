#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The engine dies by SIGKILL at each numbered place between accepting an alert and recording an effect's outcome, at
# several passes of each: every restart is set to die at the next place already. No effect happens twice (an outside
# witness counts), every run is over or in doubt, a doubt settled by what the witness saw ends, the trail verifies.
# Needs a build with -DFL_CRASH_POINTS=ON.
#   crash_points.sh BUILD_DIR [PASSES]
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin crash "${1:?usage: $0 BUILD_DIR [PASSES]}"
passes=${2:-3}
points=(journal.commit journal.committed journal.delivered core.stepped project.commit project.committed
    order.released act.start act.sent act.finished posted.call posted.outcome posted.ended)
nodes=200
jq -cn --argjson n "$nodes" '{nodes: [range($n) | {id: "n\(.)", type: "service"}], edges: []}' >"$work/topology.json"
mkdir "$work/rules" "$work/playbooks"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_test.lua" <<'LUA'
guards { cooldown = "0s", max_disruptive = 1000, max_alerting_share = 1, breaker_failures = 1000 }
binding {
  name = "act on everything", playbook = "witness", approval = "none", any_alert = true,
  match = { { label = "alertname", op = "=", value = "Outage" } },
}
LUA
# The first effect has a check and settles its own doubts; the second has none: a person must say.
cat >"$work/playbooks/witness.lua" <<'LUA'
playbook {
  name = "witness", version = "1", doc = "Leaves two lines in the witness's file.", approval = "none",
  disruptive = false, timeout = "10m",
  run = function(ctx)
    step("checked", function()
      command("witness", ctx.run .. "-1")
    end, {
      check = function()
        return command("witnessed", ctx.run .. "-1", { idempotent = true }).code == 0
      end,
    })
    command("witness", ctx.run .. "-2")
  end,
}
LUA
cat >"$work/witness.sh" <<SH
#!/bin/bash
echo "\$1" >>'$work/effects'
SH
cat >"$work/witnessed.sh" <<SH
#!/bin/bash
grep -qxF -- "\$1" '$work/effects'
SH
chmod 755 "$work/witness.sh" "$work/witnessed.sh"
: >"$work/effects"
chmod 666 "$work/effects"
cat >"$work/faultline.lua" <<LUA
return {
  commands = {
    { name = "witness", path = "$work/witness.sh", args = {}, patterns = { "RUN-[0-9-]+" } },
    { name = "witnessed", path = "$work/witnessed.sh", args = {}, patterns = { "RUN-[0-9-]+" } },
  },
}
LUA
flags=(--config "$work/faultline.lua" --topology "$work/topology.json" --rules "$work/rules" --playbooks "$work/playbooks")
engine_start "${flags[@]}"
grep -q FAULTLINE_CRASH_AT "$faultline" || fail "this build has no crash points (cmake -DFL_CRASH_POINTS=ON)"
engine_stop

post() { # NODE
    jq -cn --arg n "$1" --arg t "$(date -u +%FT%TZ)" '{version: "4", status: "firing", receiver: "f", alerts: [
        {status: "firing", labels: {alertname: "Outage", service: $n, severity: "critical"}, annotations: {},
         startsAt: $t, endsAt: "0001-01-01T00:00:00Z"}]}' >"$work/body.json"
    api /api/v1/intake/alertmanager --data-binary @"$work/body.json" -H 'Content-Type: application/json' >/dev/null 2>&1
}
died() { ! kill -0 "$engine_pid" 2>/dev/null; }
ready_or_dead() { died || curl -fsS --max-time 2 "$url/-/ready"; }

# ---- one death after the other
declare -A deaths=()
: >"$work/acknowledged"
next=0
die_at() { # POINT COUNT
    FAULTLINE_CRASH_AT=$1:$2 "$faultline" serve --listen "127.0.0.1:$port" --data "$work/data" "${flags[@]}" \
        </dev/null >>"$work/engine.log" 2>&1 &
    engine_pid=$!
    started "$engine_pid"
    wait_for 60 "$1:$2: the engine is ready, or dead" ready_or_dead
    local until=$((SECONDS + 20))
    # New alerts until it dies: each is a run, each run passes every place.
    until died; do
        [ "$SECONDS" -lt "$until" ] || fail "$1:$2 was not reached in 20 s"
        [ "$next" -lt "$nodes" ] || fail "out of components"
        if post "n$next"; then echo "n$next" >>"$work/acknowledged"; fi
        next=$((next + 1))
        for _ in {1..20}; do
            died && break
            sleep 0.05
        done
    done
    local rc=0
    wait "$engine_pid" || rc=$?
    [ "$rc" -eq 137 ] || fail "$1:$2: the engine ended with $rc, not by the kill"
    deaths[$1]=$((${deaths[$1]:-0} + 1))
}
for ((k = 1; k <= passes; k++)); do
    for point in "${points[@]}"; do die_at "$point" "$k"; done
done

# ---- afterwards
engine_start "${flags[@]}"
runs() { api '/api/v1/runs?limit=1000' | jq -e '.runs'; }
over='["succeeded","failed","denied","expired","aborted","diverged","timed_out"]'
over_or_in_doubt() { runs | jq -e --argjson over "$over" 'length > 0 and all(.[]; .state as $s | ($over + ["in_doubt"]) | index([$s]) != null)'; }
all_over() { runs | jq -e --argjson over "$over" 'length > 0 and all(.[]; .state as $s | $over | index([$s]) != null)'; }
known_all() {
    api '/api/v1/alerts?limit=10000' | jq -r '.alerts[].labels.service' | sort -u >"$work/known"
    [ -z "$(comm -23 <(sort -u "$work/acknowledged") "$work/known")" ]
}
wait_for 60 "every acknowledged alert is there" known_all
wait_for 60 "every run is over or in doubt" over_or_in_doubt
doubts=$(runs | jq -r '.[] | select(.state == "in_doubt") | .id')
n_doubts=0
for run in $doubts; do
    verdict=retry
    ! grep -qxF -- "$run-2" "$work/effects" || verdict="done"
    api "/api/v1/runs/$run/settle" -H 'Content-Type: application/json' -d "{\"verdict\":\"$verdict\"}" >/dev/null
    n_doubts=$((n_doubts + 1))
done
[ "$n_doubts" -gt 0 ] || fail "no death left a doubt: the test tested nothing"
wait_for 60 "every run is over" all_over
twice=$(sort "$work/effects" | uniq -d)
[ -z "$twice" ] || fail "these effects happened twice: $twice"
runs >"$work/runs.json"
jq -r '.[] | select(.state == "succeeded") | .id + "-1", .id + "-2"' "$work/runs.json" | sort >"$work/claimed"
missing=$(comm -23 "$work/claimed" <(sort "$work/effects"))
[ -z "$missing" ] || fail "claimed but never seen by the witness: $missing"
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
chain_replays
for point in "${points[@]}"; do
    [ "${deaths[$point]:-0}" -eq "$passes" ] || fail "$point: ${deaths[$point]:-0} deaths"
done
jq -c 'group_by(.state) | map({(.[0].state): length}) | add' "$work/runs.json"
jq -r '.[] | select(.state != "succeeded") | "\(.id) \(.state): \(.reason)"' "$work/runs.json"
engine_stop
echo "$((${#points[@]} * passes)) deaths at ${#points[@]} places: $(wc -l <"$work/acknowledged") acknowledged alerts, $(jq length "$work/runs.json") runs over, $n_doubts doubts settled, $(wc -l <"$work/effects") effects, none twice"
