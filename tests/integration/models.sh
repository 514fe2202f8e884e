#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The life of a ranking model: it comes in, ranks beside the live one, is compared by verdicts, comes into force, is rolled
# back; all of it survives a kill, stands in the audit and replays to the same chain.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin models "${1:?usage: $0 BUILD_DIR}"
echo '{"nodes":[{"id":"web","type":"service"},{"id":"cart","type":"service"},{"id":"redis","type":"store"}],
 "edges":[{"from":"web","to":"cart","type":"calls"},{"from":"cart","to":"redis","type":"data"}]}' >"$work/topology.json"
engine_start --topology "$work/topology.json"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
exits() { # CODE COMMAND…
    local want=$1 rc=0
    shift
    "$@" >"$work/out" 2>"$work/said.log" || rc=$?
    [ "$rc" -eq "$want" ] || fail "$* exited $rc, not $want: $(cat "$work/said.log")"
}
jq '.note = "upside down" | .weights |= map_values(-.)' "$src/engine/rank/model_default.json" >"$work/down.json"
shipped=$(fl model list -o json | jq -r '.models[] | select(.state == "live") | .id')
[ "$("$faultline" model show | sed -n 's/^model  *//p')" = "$shipped" ] || fail "the live model is not the shipped one"

# ---- comes in: bad ones say which field; the same one twice is the same one
exits 1 fl model rollback
grep -q 'nothing to go back to' "$work/said.log" || fail "no word on why there is no way back"
echo '{"weights":{"rarity_shar":1}}' >"$work/bad.json"
exits 1 fl model add "$work/bad.json"
grep -q 'did you mean "rarity_share"' "$work/said.log" || fail "a misspelt feature is not named"
api /api/v1/models -X POST -H 'Content-Type: application/json' --data-binary '{"weights":7}' -o "$work/out" 2>/dev/null && fail "a model without weights was taken"
printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/out" -H @- -X POST -H 'Content-Type: application/json' --data-binary '{"weights":7}' "$url/api/v1/models"
jq -e '.error.field == "weights"' "$work/out" >/dev/null || fail "the field of a bad model is not named: $(cat "$work/out")"
down=$(fl model add "$work/down.json" 2>/dev/null)
[ "$(jq -cS . "$work/down.json" | "$faultline" model show /dev/stdin | sed -n 's/^model  *//p')" = "$down" ] || fail "the id depends on the layout of the file"
[ "$(fl model add "$work/down.json" 2>/dev/null)" = "$down" ] || fail "the same model got another id"
exits 1 fl model activate 0123456789ab
exits 1 fl model activate first-day

# ---- only an administrator changes what ranks
"$faultline" token create --data "$work/data" --role operator --name op --out "$work/operator" >/dev/null 2>&1
operator_works() { "$faultline" model list --server "$url" --token-file "$work/operator"; }
wait_for 5 "the operator's token works" operator_works
for verb in "add $work/down.json" "activate $down" "shadow $down" rollback; do
    # shellcheck disable=SC2086  # words
    exits 4 "$faultline" model $verb --server "$url" --token-file "$work/operator"
done

# ---- ranks beside, decides nothing
fl model shadow "$down" 2>/dev/null
exits 1 fl model shadow "$down"
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[
 {"labels":{"alertname":"MemoryFull","service":"redis","severity":"critical"}},{"labels":{"alertname":"HighErrorRate","service":"cart","severity":"critical"}},
 {"labels":{"alertname":"HighErrorRate","service":"web","severity":"warning"}}]' >/dev/null
incident=INC-$(date -u +%Y)-000001
ranked() { api "/api/v1/incidents/$incident/ranking" | jq -e '.version >= 2'; }
wait_for 20 "a ranking" ranked
api "/api/v1/incidents/$incident/ranking" >"$work/ranking.json"
jq -e --arg d "$down" '.shadow.model == $d and (.shadow.candidates | length > 0) and (.shadow | has("agrees")) and .model != $d and (.rules_hash | length == 64) and (.topology_hash | length == 64)' \
    "$work/ranking.json" >/dev/null || fail "the row does not say what ranked: $(jq -c 'del(.candidates)' "$work/ranking.json")"
fl incident show "$incident" >"$work/page"
if grep -q "$down" "$work/page"; then fail "the shadow is shown to whoever looks for the cause"; fi

# ---- verdicts
exits 1 fl model evaluate
first=$(jq -r '.candidates[0].node' "$work/ranking.json")
fl incident reject "$incident" --reason 'not so sure' 2>/dev/null
verdict() { api /api/v1/models/evaluation | jq -e "$1"; }
wait_for 10 "the rejection counts" verdict '.verdicts == 1 and (.models[] | select(.role == "live") | .right1 == 0)'
fl incident confirm "$incident" "$first" 2>/dev/null
wait_for 10 "the last word counts" verdict '.verdicts == 1 and (.models[] | select(.role == "live") | .verdicts == 1 and .right1 == 1)'
verdict '.pairs | length == 1 and (.[0] | .verdicts == 1 and .live_right1 == 1 and .better + .worse <= 1)' >/dev/null || fail "live and shadow are not compared: $(api /api/v1/models/evaluation)"
verdict '.pairs[0] | .low < .difference + 0.5 and .low < .high and .low >= -1 and .high <= 1 and .low <= 0 and .high >= 0' >/dev/null || fail "no interval: $(api /api/v1/models/evaluation)"
exits 0 fl model list
grep -q "^$down against first-day: .* 95 % interval .* on 1 incident: too few incidents to tell" "$work/out" || fail "model list does not compare: $(cat "$work/out")"
exits 0 fl model show "$down"
grep -q 'difference  .*too few incidents to tell' "$work/out" || fail "model show does not compare: $(cat "$work/out")"
api "/api/v1/models/$down" | jq -e --arg d "$down" '.pairs | length == 1 and .[0].shadow == $d and .[0].verdicts == 1' >/dev/null || fail "no pairs over HTTP"
verdict '.reliability | length == 1 and .[0].right == 1 and .[0].said > 0' >/dev/null || fail "no reliability table"
exits 0 fl model evaluate
grep -q 'shadow .* against live .*, on the same incidents' "$work/out" || fail "model evaluate does not compare: $(cat "$work/out")"
on_metrics() { api /metrics | grep -q '^faultline_model_hit_rate{model="first-day",role="live",first="1"} 1.0'; }
wait_for 10 "the hit rate is on /metrics" on_metrics
api /metrics | grep -q "^faultline_model_info{model=\"$down\",role=\"shadow\"} 1" || fail "the shadow is not on /metrics"

# ---- into force, through a kill, and back
fl model activate "$down" --reason 'to see what happens' 2>/dev/null
live() { api /api/v1/models | jq -e --arg m "$1" '.models[0] | .state == "live" and .id == $m'; }
wait_for 10 "the new model is live" live "$down"
by_down() { api "/api/v1/incidents/$incident/ranking" | jq -e --arg d "$down" '.model == $d and .shadow == null'; }
wait_for 20 "what is open is ranked anew by it, without a new alert" by_down
api "/api/v1/incidents/$incident" | jq -e --arg d "$down" '.ranked.model == $d' >/dev/null || fail "the incident does not say which model ranked it"
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start --topology "$work/topology.json"
wait_for 10 "the model outlives a kill" live "$down"
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[{"labels":{"alertname":"DiskFull","service":"redis","severity":"critical"}}]' >/dev/null
wait_for 20 "it ranks" by_down
exits 0 fl model show "$down" --all
grep -q 'its share of all that is rare' "$work/out" && grep -q 'to see what happens' "$work/out" || fail "model show says too little: $(cat "$work/out")"
fl model show "$down" --text >"$work/again.json"
[ "$("$faultline" model show "$work/again.json" | sed -n 's/^model  *//p')" = "$down" ] || fail "the engine holds another text than it was given"
fl model rollback --reason enough 2>/dev/null
wait_for 10 "the old one is live again" live "$shipped"
exits 1 fl model rollback
by_old() { api "/api/v1/incidents/$incident/ranking" | jq -e '.model == "first-day"'; }
wait_for 20 "the old one ranks" by_old
fl audit search --action 'model.*' -o json | jq -r '.entries[].action' | sort | uniq -c | tr -s ' \n' ' ' >"$work/acts"
[ "$(cat "$work/acts")" = " 1 model.activated 1 model.added 1 model.rolled_back 1 model.shadow " ] || fail "the audit tells another story: $(cat "$work/acts")"

# ---- what the other model would have said of it all, by id and from a file
exits 1 "$faultline" replay --data "$work/data" --model "$down"
grep -q 'cause  ' "$work/out" || fail "a model that is upside down changes nothing: $(cat "$work/out")"
cp "$work/out" "$work/by-id"
exits 1 "$faultline" replay --data "$work/data" --model "$work/down.json"
cmp "$work/out" "$work/by-id" || fail "the same model by id and by file differ"
exits 1 "$faultline" replay --data "$work/data" --model 0123456789ab
chain_replays
engine_stop
