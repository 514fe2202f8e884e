#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Postmortem drafts, of an incident whose alerts and comments are written by somebody hostile: everything is in them, and
# nothing of it is markup.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin report "${1:?usage: $0 BUILD_DIR}"
evil='<script>alert(1)</script><img src=x onerror=alert(2)>"'\''&amp; [click](javascript:alert(3)) | cell | `code` ![i](http://x/y) *b* _i_ # h'
jq -cn --arg e "$evil" '{nodes: [{id: "db", type: "store"}, {id: $e, type: "service"}], edges: [{from: $e, to: "db", type: "calls"}]}' >"$work/topology.json"
engine_start --topology "$work/topology.json"
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
jq -cn --arg e "$evil" '[{labels: {alertname: $e, service: "db", severity: "critical"}, annotations: {summary: ($e + "\n# heading\n- item")}},
    {labels: {alertname: "Down", service: $e}}]' >"$work/body.json"
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary @"$work/body.json" >/dev/null
incident=
both() {
    incident=$(api /api/v1/incidents | jq -r '.incidents[] | select(.state != "merged") | .id' | head -n 1)
    [ -n "$incident" ]
}
wait_for 20 "an incident" both
fl incident comment "$incident" "$evil"$'\n## not a heading\n<b>x</b>' 2>/dev/null
commented() { api "/api/v1/incidents/$incident/timeline" | grep -q 'not a heading'; }
wait_for 10 "the comment" commented

fl incident report "$incident" --out "$work/report.md"
fl incident report "$incident" --html --out "$work/report.html"
for part in Summary Impact Cause Picture Timeline Actions 'What was held back' Proof; do
    grep -qx "## $part" "$work/report.md" || fail "report.md has no part: $part"
    grep -qx "<h2>$part</h2>" "$work/report.html" || fail "report.html has no part: $part"
done
grep -q 'not a heading' "$work/report.md" || fail "report.md misses the comment"
grep -q 'alert(1)' "$work/report.html" || fail "report.html misses the alert"
grep -qE 'Entries of the audit trail:\*\* [1-9]' "$work/report.md" || fail "report.md has no proof"

# Of HTML only the tags that the program writes; of Markdown no live character outside what it writes.
tags=$(grep -o '<[^>]*>' "$work/report.html" | sed 's!^</\{0,1\}!!; s![ >].*!!' | sort -u | tr '\n' ' ')
[ -z "$(tr ' ' '\n' <<<"$tags" | grep -vxE '|!DOCTYPE|html|head|meta|title|style|body|h1|h2|h3|p|ul|li|b|table|tr|th|td|svg|desc|defs|marker|path|rect|g|text')" ] || fail "tags in report.html: $tags"
if grep -qE '<(script|img)|<b>x|href|src=x onerror=alert\(2\)>' "$work/report.html"; then fail "markup of a stranger is alive in report.html"; fi
if grep -qE '(^|[^\\])[<`[]' "$work/report.md"; then fail "markup of a stranger is alive in report.md: $(grep -nE '(^|[^\\])[<`[]' "$work/report.md" | head -n 3)"; fi
if grep -qE '^#+ (not a )?heading|^- item' "$work/report.md"; then fail "a stranger's line became a heading or an item"; fi
printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -fsS -o /dev/null -D "$work/headers" -H @- "$url/api/v1/incidents/$incident/report.html"
grep -qi "^content-security-policy: default-src 'none'" "$work/headers" || fail "no content security policy"
grep -qi '^content-type: text/html; charset=utf-8' "$work/headers" || fail "not HTML"
# The picture: in the page, and alone; read aloud it says the same; names of strangers are text.
grep -q '<svg .*role="img"' "$work/report.html" && grep -q '<desc id="d">Likely cause: ' "$work/report.html" || fail "no picture in report.html"
printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -fsS -o "$work/graph.svg" -D "$work/headers" -H @- "$url/api/v1/incidents/$incident/graph.svg"
grep -qi '^content-type: image/svg+xml' "$work/headers" && grep -qi "^content-security-policy: default-src 'none'" "$work/headers" || fail "not a picture: $(cat "$work/headers")"
grep -q 'likely cause, [0-9]* %' "$work/graph.svg" && grep -q '&lt;script&gt;alert(1)' "$work/graph.svg" || fail "the picture lacks the cause or a name"
if grep -qE '<(script|img)|<b>' "$work/graph.svg"; then fail "markup of a stranger is alive in graph.svg"; fi
if command -v xmllint >/dev/null; then xmllint --noout "$work/graph.svg"; fi
[ "$(api /api/v1/incidents/INC-2099-000001/graph.svg -o /dev/null -w '%{http_code}' 2>/dev/null || true)" = 404 ] || fail "a picture of no incident"
# Eight at once and again: each waits for its turn, nothing is refused for good.
drawn=()
for _ in {1..8}; do
    api "/api/v1/incidents/$incident/graph.svg" -o /dev/null &
    drawn+=($!)
done
for p in "${drawn[@]}"; do wait "$p" || fail "a picture was not drawn"; done
rc=0
fl incident report INC-2099-000001 2>/dev/null || rc=$?
[ "$rc" -eq 1 ] || fail "the report of an incident that is not there exited $rc"
engine_stop
