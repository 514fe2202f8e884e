#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The live run and its replay are the same run: after a demo, with the engine killed and restarted in the middle and
# stopped once in good order, the exported journal replayed offline gives every audit entry of the database, hash by
# hash, and every ranking; and two replays give the same bytes.
#   replay_chain.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin replay "${1:?usage: $0 BUILD_DIR}"
service_port=$(free_port)
cat >"$work/faultline.lua" <<LUA
return {
  rules = "$src/rules",
  playbooks = "$src/playbooks",
  allow_private_targets = true,
  http_allow = { { host = "127.0.0.1", port = $service_port, methods = "GET,POST" } },
}
LUA
flags=(--config "$work/faultline.lua")
engine_start "${flags[@]}"

# A life of its own before the demo, so that the demo starts from a snapshot.
api /api/v1/intake/alertmanager -H 'Content-Type: application/json' --data-binary '{"version":"4","status":"firing",
    "receiver":"f","alerts":[{"status":"firing","labels":{"alertname":"Before \"the\" \u0001 demo","service":"nowhere \u20ac"},
    "annotations":{},"startsAt":"'"$(date -u +%FT%TZ)"'","endsAt":"0001-01-01T00:00:00Z"}]}' >/dev/null
engine_stop
engine_start "${flags[@]}"
"$faultline" demo --server "$url" --token-file "$token" --service-port "$service_port" >"$work/demo.log" 2>&1 &
demo=$!
started "$demo"
sleep 4
kill -KILL "$engine_pid"
wait "$engine_pid" 2>/dev/null || true
engine_start "${flags[@]}"
wait "$demo" || fail "the demo exited $?"

# Decisions of people and refused commands are part of the record as well.
id=$(api /api/v1/incidents | jq -r '[.incidents[] | select(.state == "resolved")][0].id')
api "/api/v1/incidents/$id/comment" -H 'Content-Type: application/json' -d '{"text":"seen \u2713 \"quoted\""}' >/dev/null
api "/api/v1/incidents/$id/confirm" -H 'Content-Type: application/json' -d '{}' >/dev/null 2>&1 || true
engine_stop
engine_start "${flags[@]}"
chain_replays
[ "$(wc -l <"$work/lived")" -ge 20 ] || fail "only $(wc -l <"$work/lived") audit entries: the test tested nothing"
"$faultline" replay --journal "$work/journal.jsonl" >"$work/again.jsonl"
cmp "$work/decisions.jsonl" "$work/again.jsonl" || fail "two replays of one journal differ"
"$faultline" replay --journal "$work/journal.jsonl" --expect "$work/again.jsonl" || fail "a replay differs from what the first one said"

api "/api/v1/incidents/$id/ranking" | jq -S '.ranking // .' >"$work/ranking.lived"
jq -S --arg id "$id" -s '[.[] | select(.row == "ranking" and .incident == $id)] | last | .ranking' "$work/decisions.jsonl" >"$work/ranking.replayed"
diff <(jq -S .candidates "$work/ranking.lived") <(jq -S .candidates "$work/ranking.replayed") >"$work/ranking.log" ||
    fail "the replayed ranking is another one"
engine_stop
echo "$(wc -l <"$work/lived") audit entries, the same in the database and in $(wc -l <"$work/journal.jsonl") events replayed"
