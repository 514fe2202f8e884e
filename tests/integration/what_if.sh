#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# `faultline replay` with other rules, playbooks or model says what would have been otherwise, incident by incident; with the
# same ones: nothing. One incident's decisions come from the database or from an exported journal alike.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin whatif "${1:?usage: $0 BUILD_DIR}"
echo '{"nodes":[{"id":"db","type":"store"},{"id":"api","type":"service"},{"id":"web","type":"service"}],
 "edges":[{"from":"api","to":"db","type":"calls"},{"from":"web","to":"api","type":"calls"}]}' >"$work/topology.json"
mkdir "$work/rules" "$work/apart" "$work/loud" "$work/quiet" "$work/window" "$work/playbooks" "$work/none"
cp "$src"/rules/*.lua "$work/rules/"
cat >"$work/rules/zz_test.lua" <<'LUA'
binding { name = "look", playbook = "look", approval = "required", any_alert = true, match = { { label = "alertname", op = "=", value = "Down" } } }
threshold { name = "two of them", match = { "alertname=Rare" }, count = 2, within = "5m" }
LUA
cat >"$work/playbooks/look.lua" <<'LUA'
playbook { name = "look", version = "1", doc = "Looks.", disruptive = false, timeout = "1m", run = function(ctx) end }
LUA
cp "$work"/rules/*.lua "$work/apart/"
sed -i 's/ distance = [0-9]*/ distance = 0/' "$work/apart/correlation.lua"
grep -q ' distance = 0' "$work/apart/correlation.lua" || fail "the test does not change the rules"
# Rules for previews: without that threshold; with a graph inhibition; with a window of the past.
for d in loud quiet window; do
    cp "$work"/rules/*.lua "$work/$d/"
    sed -i '/^threshold/d' "$work/$d/zz_test.lua"
done
cat >>"$work/quiet/zz_test.lua" <<'LUA'
graph_inhibition { name = "the store takes its callers along", upstream = { "service=db" }, target = { "service=~api|web" }, distance = 2, hold_down = "30s" }
LUA
cat >>"$work/window/zz_test.lua" <<LUA
maintenance { name = "past", comment = "what a silence would have done", match = { "service=web" }, starts_at = "$(date -u -d '-1 hour' +%FT%TZ)", ends_at = "$(date -u -d '+1 hour' +%FT%TZ)" }
LUA
engine_start --topology "$work/topology.json" --rules "$work/rules" --playbooks "$work/playbooks"
for service in db api web; do
    api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[{"labels":{"alertname":"Down","service":"'$service'","severity":"critical"}}]' >/dev/null
done
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[{"labels":{"alertname":"Rare","service":"db"}}]' >/dev/null
incident=
settled() {
    incident=$(api /api/v1/incidents | jq -r '.incidents[] | select(.state != "merged" and .alerts_total == 3) | .id')
    [ -n "$incident" ] && api "/api/v1/runs" | jq -e '.runs | length > 0'
}
wait_for 20 "an incident of three alerts, with a run" settled
replay() { # WANTED_EXIT ARGUMENT…
    local rc=0 want=$1
    shift
    "$faultline" replay "$@" >"$work/out" 2>"$work/replay.log" || rc=$?
    [ "$rc" -eq "$want" ] || fail "replay $* exited $rc, not $want: $(cat "$work/out" "$work/replay.log")"
}
stored=(--data "$work/data")

# ---- one incident
replay 0 "${stored[@]}" --incident "$incident"
jq -se --arg i "$incident" 'length > 3 and any(.[]; .row == "run") and all(.[]; .incident == $i or .id == $i or .run or .merged_into == $i)' "$work/out" >/dev/null ||
    fail "not the decisions of one incident"
cp "$work/out" "$work/from-database"
replay 1 "${stored[@]}" --incident INC-2099-000001
replay 0 "${stored[@]}" --since 1h
[ "$(wc -l <"$work/out")" -gt "$(wc -l <"$work/from-database")" ] || fail "--since 1h shows less than one incident"
replay 0 "${stored[@]}" --until 2020-01-01T00:00:00Z
[ ! -s "$work/out" ] || fail "there were no decisions in 2019"
replay 2 "${stored[@]}" --since yesterday

# ---- what if
same=(--rules "$work/rules" --playbooks "$work/playbooks")
replay 0 "${stored[@]}" "${same[@]}"
grep -q ' 0 would be otherwise' "$work/out" || fail "the same rules decide otherwise"
replay 1 "${stored[@]}" --playbooks "$work/none"
grep -q 'playbook   - look' "$work/out" || fail "without playbooks the run should be missing: $(cat "$work/out")"
if grep -q 'alert      ' "$work/out"; then fail "playbooks changed the alerts of an incident"; fi
replay 1 "${stored[@]}" --rules "$work/apart" --incident "$incident" -o json
jq -e --arg i "$incident" '.changed == 1 and (.incidents[0] | .before.id == $i and .before.alerts == 3 and .after.alerts == 1 and (.alerts_lost | length) == 2)' "$work/out" >/dev/null ||
    fail "rules that keep components apart: $(cat "$work/out")"
replay 1 "${stored[@]}" --rules "$work/apart"
[ "$(grep -c 'would be new' "$work/out")" -eq 2 ] || fail "two incidents should be new: $(cat "$work/out")"
jq '.note = "another one" | .weights |= map_values(-.)' "$src/engine/rank/model_default.json" >"$work/model.json"
replay 1 "${stored[@]}" --model "$work/model.json"
grep -q 'cause      .* → ' "$work/out" || fail "a model that is upside down changes nothing: $(cat "$work/out")"

# ---- a preview: how each alert would fare, and by which rule
replay 1 "${stored[@]}" --rules "$work/loud"
grep -A2 '^  Rare on db (' "$work/out" | grep -qF '    before kept out: held by threshold "two of them": it takes 2 alerts within 5m, this was number 1' || fail "before: $(cat "$work/out")"
grep -A2 '^  Rare on db (' "$work/out" | grep -q "^    after  joined INC-" || fail "after: $(cat "$work/out")"
grep -qE '^  threshold two of them +1 +0$' "$work/out" || fail "by rule: $(cat "$work/out")"
grep -q '4 alerts: 1 would fare otherwise' "$work/out" || fail "counts: $(cat "$work/out")"
replay 1 "${stored[@]}" --rules "$work/quiet" --since 1h -o json
jq -e '(.alerts | length == 3) and (.sums.before | .alerts == 4 and .opened == 1 and .joined == 2 and .kept_out == 1) and
    (.sums.after | .alerts == 4 and .opened == 1 and .kept_out == 2 and .joined == 1) and
    (.kept_quiet_by | map({(.name): [.before, .after]}) | add) == {"graph inhibition the store takes its callers along": [0, 2], "threshold two of them": [1, 0]} and
    ([.alerts[] | select(.after.fate == "kept_out")] | length == 2 and all(.before.fate == "joined" and .after.incident == null and
        (.after.kept_out_why | test("^inhibited: db, [12] hops? below.*fires Down since .*; rule \"the store takes its callers along\"\\), until that is over: since "))))' "$work/out" >/dev/null ||
    fail "graph inhibition: $(cat "$work/out")"
replay 1 "${stored[@]}" --rules "$work/window"
grep -A2 '^  Down on web (' "$work/out" | grep -qF '    after  kept out: in maintenance rule:past ("what a silence would have done") until ' || fail "a window of the past: $(cat "$work/out")"
replay 1 "${stored[@]}" --rules "$work/window" --incident "$incident" -o json
jq -e '[.alerts[].node] == ["web"] and .sums.before.alerts == 3' "$work/out" >/dev/null || fail "one incident's alerts: $(cat "$work/out")"
replay 0 "${stored[@]}" --rules "$work/window" --until 2020-01-01T00:00:00Z
grep -q '0 alerts: 0 would fare otherwise' "$work/out" || fail "2019: $(cat "$work/out")"

echo 'correlation {' >"$work/none/broken.lua"
replay 1 "${stored[@]}" --rules "$work/none"
[ ! -s "$work/out" ] || fail "broken rules were replayed"

# ---- the same from a file, without any database
"$faultline" journal export "${stored[@]}" --out "$work/journal" 2>/dev/null
engine_stop
replay 0 --journal "$work/journal" --incident "$incident"
cmp "$work/out" "$work/from-database" || fail "file and database give other decisions"
replay 1 --journal "$work/journal" --playbooks "$work/none/.."
replay 3 "${stored[@]}" --incident "$incident"
