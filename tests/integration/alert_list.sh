#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Lists of alerts by their labels: `alert list MATCHER…` and GET /api/v1/alerts?filter= find what Alertmanager's API finds by
# the same filters, resolved ones besides, page after page; and a filter that is none is refused with what to write.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin alert_list "${1:?usage: $0 BUILD_DIR}"
engine_start
fl() { "$faultline" "$@" --server "$url" --token-file "$token"; }
# 600 alerts, every third of them over; of every fifth the label job is missing, one value has all that must be quoted.
jq -nc '[range(600) | {labels: ({alertname: "A\(. % 7)", instance: "host-\(. % 100):90\(. % 10)", zone: ["eu", "us", "e\"\\'"'"'u,\n{"][. % 3], n: "\(.)"}
    + if . % 5 > 0 then {job: "j\(. % 4)"} else {} end), startsAt: (now - 7200 - . | todate)} + if . % 3 == 1 then {endsAt: (now - 60 | todate)} else {} end]' >"$work/alerts"
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary "@$work/alerts"
listed() { [ "$(api '/api/v1/alerts?limit=1000' | jq '.alerts | length')" = 600 ]; }
wait_for 20 "all alerts are listed" listed

filters() { for f in "$@"; do printf '&filter=%s' "$(jq -rn --arg f "$f" '$f | @uri')"; done; }
numbers() { jq -c '[.[].labels.n | tonumber] | sort'; }
same() { # FILTER…: the firing ones, as Alertmanager's API says it
    local ours theirs
    theirs=$(api "/api/v2/alerts?$(filters "$@")" | numbers)
    ours=$(api "/api/v1/alerts?state=firing&limit=1000$(filters "$@")" | jq .alerts | numbers)
    [ "$ours" = "$theirs" ] || fail "$*: $ours, and by the API v2 $theirs"
    [ "$ours" != '[]' ] || fail "$*: finds nothing"
    ours=$(fl alert list -o json --state firing --limit 1000 "$@" | jq .alerts | numbers)
    [ "$ours" = "$theirs" ] || fail "alert list $*: $ours, and by the API v2 $theirs"
}
same alertname=A3
same alertname=A3 job=j1
same job= 'alertname=~"A1|A2"'
same 'job!=""' 'instance=~host-1.:90.*'
same 'zone="e\"\\'"'"'u,\n{"'
same 'zone!=eu' 'n!~[0-4].*'
same 'instance=~host-(7|42):90[27]' alertname!=A0

# Without a state the resolved ones, too: every page is whole, and none is there twice.
fl alert list -o json 'alertname=~A[12]' --limit 1000 | jq .alerts | numbers >"$work/all"
[ "$(jq length "$work/all")" = 172 ] || fail "$(jq length "$work/all") alerts of two names"
after='' pages=0
: >"$work/pages"
while fl alert list -o json 'alertname=~A[12]' --limit 50 --after "$after" >"$work/page"; do
    jq -c '.alerts[]' "$work/page" >>"$work/pages"
    pages=$((pages + 1))
    after=$(jq -r '.next_after // empty' "$work/page")
    [ -n "$after" ] || break
done
[ "$pages" = 4 ] && [ "$(jq -s . "$work/pages" | numbers)" = "$(<"$work/all")" ] || fail "$pages pages are not the whole list"
fl alert list n=17 --limit 1 >"$work/one" 2>"$work/note"
grep -q 'A3' "$work/one" && grep -q 'there may be more: --after 20' "$work/note" || fail "the table: $(cat "$work/one" "$work/note")"

rc=0
fl alert list nonsense >"$work/said" 2>&1 || rc=$?
[ "$rc" = 2 ] && grep -q 'write label=value' "$work/said" || fail "nonsense: $rc: $(cat "$work/said")"
rc=0
fl alert list 'a=~"("' >"$work/said" 2>&1 || rc=$?
[ "$rc" != 0 ] && grep -q 'missing closing )' "$work/said" || fail "a bad pattern: $rc: $(cat "$work/said")"
engine_stop
echo "alert_list: ok"
