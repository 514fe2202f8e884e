#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# cli.sh FAULTLINE SOURCE_DIR -- rank, evaluate and model from files: answers, exit codes, what is said on errors.
set -euo pipefail
faultline=$1 here=$2/tests/golden/rank
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
count=0
expect() { # CODE TEXT COMMAND...
    local code=$1 text=$2 got=0
    shift 2
    "$faultline" "$@" >"$work/out" 2>&1 || got=$?
    if [ "$got" -ne "$code" ] || ! grep -q -- "$text" "$work/out"; then
        printf 'faultline %s: exit %s, wanted %s and "%s":\n' "$*" "$got" "$code" "$text"
        cat "$work/out"
        exit 1
    fi
    count=$((count + 1))
}
expect 0 "not scored" evaluate "$here" --answers "$work/answers"
[ "$(wc -l <"$work/answers")" -eq 4 ]
jq -e '.case and (.ranking | length > 1) and ((.nodes | length) == (.ranking | length)) and .ms >= 0' \
    "$work/answers" >/dev/null
expect 0 "recommendationservice" rank --case "$here/rcb-001" --explain
expect 0 "change: deploy 47f38c22" rank --case "$here/rcb-001"
expect 0 "recommendationservice" rank --case "$here/rcb-001" --svg "$work/a.svg"
expect 0 "recommendationservice" rank --case "$here/rcb-001" --svg "$work/b.svg" -o json
cmp "$work/a.svg" "$work/b.svg"
grep -q "likely cause, [0-9]* %" "$work/a.svg"
grep -q "^<title id=\"n\">rcb-001</title>" "$work/a.svg"
if command -v xmllint >/dev/null; then xmllint --noout "$work/a.svg"; fi
expect 1 "cannot write the picture" rank --case "$here/rcb-001" --svg "$work/no/such.svg"
expect 0 '"candidates":\[{"rank":1' rank --case "$here/rcb-001" -o json
expect 0 "recommendationservice" rank --topology "$(echo "$here"/rcb-001/topology-*.json)" \
    --alerts "$here/rcb-001/alerts.jsonl" --entry recommendationservice
expect 1 "is no node of the topology" rank --case "$here/rcb-001" --entry nobody
expect 2 "needs --topology and --alerts" rank
expect 1 "No such file" rank --case "$work"
expect 1 "holds no case" evaluate "$work"
expect 2 "no directory of cases" evaluate
expect 2 "usage:" evaluate --cv 1 "$here"
expect 2 "needs folders of labelled cases" model train "$here"
expect 2 "no labelled case" model train "$here" -o "$work/model.json"
expect 0 '"weights"' model show --text
expect 0 'its share of all that is rare' model show --all
expect 0 'largest weights' model show "$2/engine/rank/model_default.json"
expect 0 'when alerts have no times' model show --all "$2/engine/rank/model_default.json"
expect 1 'No such file' model show "$work/none.json"
printf '{"weights":{"rarity_shore":1}}' >"$work/bad.json"
expect 1 'did you mean "rarity_share"' evaluate --model "$work/bad.json" "$here"

# Labelled like the others: a set with its truth.
mkdir "$work/open"
cp -r "$here/rcb-001" "$work/open/"
printf '{"case":"rcb-001","service":"recommendationservice","fault_type":"x","change":"none"}\n' >"$work/open/expected.jsonl"
expect 0 "1.000" evaluate "$work/open"
expect 0 '"no_change_but_named":1' evaluate -o json "$work/open"
cp "$2/engine/rank/model_default.json" "$work/shipped.json"
expect 0 '"incidents":1,"top1":{"first":1.0000,"second":1.0000,"difference":0.0000,"low":0.0000,"high":0.0000' \
    evaluate -o json --compare "$work/shipped.json" "$work/open"
expect 0 "too few incidents to tell" evaluate --compare "$work/shipped.json" "$work/open"
expect 2 "no labelled case" evaluate --compare "$work/shipped.json" "$here"
expect 2 "two finished models" evaluate --compare "$work/shipped.json" --cv 2 "$work/open"
expect 1 'did you mean "rarity_share"' evaluate --compare "$work/bad.json" "$work/open"
# Twelve copies under other names, and a model that knows nothing: worse, for sure, and the same bytes each time.
mkdir "$work/many"
for k in 01 02 03 04 05 06 07 08 09 10 11 12; do
    cp -r "$here/rcb-001" "$work/many/c-$k"
    sed -i "s/\"rcb-001\"/\"c-$k\"/" "$work/many/c-$k/case.json"
    printf '{"case":"c-%s","service":"recommendationservice"}\n' "$k" >>"$work/many/expected.jsonl"
done
printf '{"weights":{}}' >"$work/empty.json"
expect 0 "the second is worse" evaluate --compare "$work/empty.json" "$work/many"
expect 0 "the second is better" evaluate --model "$work/empty.json" --compare "$work/shipped.json" "$work/many"
sed -n '/^compared/,$p' "$work/out" >"$work/first"
expect 0 "the second is better" evaluate --model "$work/empty.json" --compare "$work/shipped.json" "$work/many"
sed -n '/^compared/,$p' "$work/out" | cmp - "$work/first"
printf '{"case":"rcb-001"}\n' >"$work/open/expected.jsonl"
expect 1 "expected.jsonl:1: needs case and service" evaluate "$work/open"
echo "$count commands as expected"
