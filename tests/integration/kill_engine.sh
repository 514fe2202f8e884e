#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# kill -9 of the engine at random moments, while alerts come in and playbooks act: no acknowledged alert is missing
# afterwards, no effect happened twice (an outside witness counts), every run ends, the audit trail verifies.
#   kill_engine.sh BUILD_DIR [KILLS]
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
build=${1:?usage: $0 BUILD_DIR [KILLS]}
kills=${2:-20}
lib_begin kill "$build"
RANDOM=${FL_SEED:-$$}
echo "seed ${FL_SEED:-$$} (FL_SEED)"

# Nodes without edges: each alert opens an incident of its own, each incident starts a run.
nodes=400
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
cat >"$work/playbooks/witness.lua" <<'LUA'
playbook {
  name = "witness", version = "1", doc = "Leaves a line in the witness's file, twice.", approval = "none",
  disruptive = false, timeout = "5m",
  run = function(ctx)
    for i = 1, 2 do
      local key = ctx.run .. "-" .. i
      step("effect " .. i, function()
        command("witness", key)
      end, {
        check = function()
          return command("witnessed", key, { idempotent = true }).code == 0
        end,
      })
    end
  end,
}
LUA
# The witness is slow before and after, so that kills hit both sides of the effect.
cat >"$work/witness.sh" <<SH
#!/bin/bash
sleep 0.03
echo "\$1" >>'$work/effects'
sleep 0.03
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

# ---- alerts, one after the other; what was answered 200 is written down
: >"$work/acknowledged"
poster() {
    local i
    for ((i = 0; i < nodes; i++)); do
        [ ! -e "$work/enough" ] || break
        jq -cn --arg n "n$i" --arg t "$(date -u +%FT%TZ)" '{version: "4", status: "firing", receiver: "f", alerts: [
            {status: "firing", labels: {alertname: "Outage", service: $n, severity: "critical"}, annotations: {},
             startsAt: $t, endsAt: "0001-01-01T00:00:00Z"}]}' >"$work/body.json"
        # An answer that never came is not an acknowledgement; the next alert is another one.
        if api /api/v1/intake/alertmanager --data-binary @"$work/body.json" -H 'Content-Type: application/json' >/dev/null 2>&1; then
            echo "n$i" >>"$work/acknowledged"
        else
            sleep 0.05
        fi
    done
}
poster &
started $!

for ((k = 1; k <= kills; k++)); do
    sleep "0.$((RANDOM % 90 + 10))"
    kill -KILL "$engine_pid"
    wait "$engine_pid" 2>/dev/null || true
    engine_start "${flags[@]}"
done
: >"$work/enough"

# ---- afterwards
runs() { api '/api/v1/runs?limit=1000' | jq -e '.runs'; }
over='["succeeded","failed","denied","expired","aborted","diverged","timed_out"]'
all_over() { runs | jq -e --argjson over "$over" 'length > 0 and all(.[]; .state as $s | $over | index([$s]) != null)'; }
acknowledged=$(sort -u "$work/acknowledged" | wc -l)
[ "$acknowledged" -ge "$kills" ] || fail "only $acknowledged alerts were acknowledged: the test tested nothing"
known_all() {
    api '/api/v1/alerts?limit=10000' | jq -r '.alerts[].labels.service' | sort -u >"$work/known"
    [ -z "$(comm -23 <(sort -u "$work/acknowledged") "$work/known")" ]
}
wait_for 60 "every acknowledged alert is there" known_all
wait_for 120 "every run ends" all_over
twice=$(sort "$work/effects" | uniq -d)
[ -z "$twice" ] || fail "these effects happened twice: $twice"
n_runs=$(runs | jq length)
n_succeeded=$(runs | jq '[.[] | select(.state == "succeeded")] | length')
n_effects=$(wc -l <"$work/effects")
[ "$n_succeeded" -gt 0 ] || fail "no run succeeded: $(runs | jq -c '.[0]')"
# What a run that succeeded says it did, the witness saw.
runs | jq -r '.[] | select(.state == "succeeded") | .id + "-1", .id + "-2"' | sort >"$work/claimed"
missing=$(comm -23 "$work/claimed" <(sort "$work/effects"))
[ -z "$missing" ] || fail "claimed but never seen by the witness: $missing"
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
chain_replays
engine_stop
echo "$kills kills: $acknowledged acknowledged alerts all known, $n_runs runs over ($n_succeeded succeeded), $n_effects effects, none twice"
