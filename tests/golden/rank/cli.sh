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
expect 2 "cannot write the picture" rank --case "$here/rcb-001" --svg "$work/no/such.svg"
expect 0 '"candidates":\[{"rank":1' rank --case "$here/rcb-001" -o json
expect 0 "recommendationservice" rank --topology "$(echo "$here"/rcb-001/topology-*.json)" \
    --alerts "$here/rcb-001/alerts.jsonl" --entry recommendationservice
expect 1 "is no node of the topology" rank --case "$here/rcb-001" --entry nobody
expect 2 "needs --topology and --alerts" rank
expect 2 "case.json: cannot read: No such file" rank --case "$work"
expect 1 "holds no case" evaluate "$work"
expect 2 "no directory of cases" evaluate
expect 2 "cannot read the directory: No such file" evaluate "$work/nothing"
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
# A part of a set beside what its parts share goes by the set's name; any other folder by its own.
mkdir -p "$work/shop/common" "$work/plain"
cp -r "$here/rcb-001" "$work/plain/"
cp -r "$work/plain" "$work/shop/hidden"
expect 0 '^shop  *1 ' evaluate "$work/shop/hidden/"
expect 0 '^plain  *1 ' evaluate "$work/plain"
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

# ---- a set of one case, names with spaces, cases without a label
set="$work/a set"
mkdir -p "$set"
cp -r "$here/rcb-001" "$set/case one"
cp -r "$here/micross-001" "$set/case two"
printf '{"case":"rcb-001","service":"recommendationservice","fault_type":"bad deploy"}\n' >"$set/expected.jsonl"
expect 0 "^a set   *1  1.000" evaluate "$set"
expect 0 "^  bad deploy   *1  1.000" evaluate "$set"
expect 0 "1 more without a label" evaluate "$set"
expect 0 "^case one   *1  1.000" evaluate "$set/case one"
expect 0 "truth recommendationservice .*rank 1 " evaluate --cases "$set"
"$faultline" evaluate --cases -o json --answers "$work/the answers" "$set" "$here" >"$work/out.json"
jq -e '.sets | length == 2 and .[0].cases == 1 and .[0].unlabelled == 1 and .[0].fault_types[0].name == "bad deploy"
    and .[0].each[0].rank == 1 and .[1].cases == 0 and .[1].unlabelled == 4' "$work/out.json" >/dev/null
jq -e '.mean.cases == 1 and .mean.top1 == 1 and (.confidence | map(.cases) | add) == 1' "$work/out.json" >/dev/null
[ "$(jq -r .case "$work/the answers" | sort | uniq -c | sort -rn | head -1 | awk '{print $1}')" -eq 2 ] # of both sets
expect 2 "cannot write the answers" evaluate --answers "$work/no/such" "$set"
expect 2 "nothing to learn from.*one part" evaluate --cv 3 "$set"
expect 2 "nothing to learn from.*one system" evaluate --leave-one-system-out "$set"
expect 2 "both say how cases are parted" evaluate --cv 2 --leave-one-system-out "$set"
expect 2 "those train their own" evaluate --cv 2 --model "$work/empty.json" "$set"
expect 0 "^many   *12 " evaluate --cv 4 "$work/many"
expect 0 "^many   *12 " evaluate --cv 200 "$work/many"
# Two folders of one system are not two systems; told apart by their cases, they are.
cp -r "$work/many" "$work/again"
for d in "$work/many" "$work/again"; do sed -i '0,/{/s//{"system":"shop",/' "$d"/c-*/case.json; done
expect 2 "nothing to learn from.*one system" evaluate --leave-one-system-out "$work/many" "$work/again"
sed -i 's/"system":"shop"/"system":"other"/' "$work/again"/c-*/case.json
expect 0 "^again   *12 " evaluate --leave-one-system-out "$work/many" "$work/again"
# History of another system is none, and that is said; of the same one, the case itself is left out.
expect 0 "no case of --history is of the same system" evaluate --history "$work/again" "$work/many"
expect 0 "^many   *12 " evaluate --history "$work/many" "$work/many"
if grep -q "no case of --history" "$work/out"; then echo "its own system is not found in --history" && exit 1; fi

# ---- what is wrong in a case: file and line
bad="$work/bad"
fresh() { rm -rf "$bad" && cp -r "$here/ps-003" "$bad"; }
expect_at() { # PLACE TEXT: evaluate and rank both say it, and exit 1
    expect 1 "^faultline: $bad/$1: $2" evaluate "$bad"
    expect 1 "^faultline: $bad/$1: $2" rank --case "$bad"
}
fresh && printf '{"case":"x",\n "trigger" 5}' >"$bad/case.json"
expect_at case.json:2 "column [0-9]*: could not parse JSON"
fresh && printf '[]' >"$bad/case.json"
expect_at case.json "case.json is an object"
fresh && printf '{"case":"x","alerts":"alerts.jsonl"}' >"$bad/case.json"
expect_at case.json "names no topology"
fresh && sed -i 's/{/{"page_time":"at noon",/' "$bad/case.json"
expect_at "case.json: page_time" '"at noon" is not an RFC 3339 time'
fresh && sed -i '2s/$/]/' "$bad/alerts.jsonl"
expect_at alerts.jsonl:2 "column [0-9]*: could not parse JSON"
fresh && sed -i '3s/.*/{"annotations":{}}/' "$bad/alerts.jsonl"
expect_at "alerts.jsonl:3: labels" "an alert needs at least one label"
fresh && for t in "$bad"/topology-*.json; do sed -i '0,/"from"/s//"from": 5, "x"/' "$t"; done
expect_at "topology-[0-9a-f]*.json: edges\[0\].from" "must be a string, not 5"
metrics() { # LINE EXPRESSION: a cell of the metrics is replaced
    gzip -dc "$here/ps-003/metrics.csv.gz" | sed "$1s/$2/" | gzip >"$bad/metrics.csv.gz"
}
fresh && metrics 3 '^[^,]*/NaN'
expect_at metrics.csv.gz:3 "the time is not a number"
fresh && metrics 4 '^[^,]*/1'
expect_at metrics.csv.gz:4 "time goes back"
fresh && metrics 1 'time/when'
expect_at metrics.csv.gz:1 'the first column is "when", not time'
fresh && printf 'no gzip' | gzip | head -c 20 >"$bad/metrics.csv.gz"
expect_at metrics.csv.gz "damaged or cut gzip data"
fresh && rm "$bad/alerts.jsonl"
expect 2 "alerts.jsonl: cannot read: No such file" evaluate "$bad"

# ---- NaN and infinite readings are holes: a finite ranking all the same
for word in NaN Infinity -inf 1e999 nan "" x; do
    fresh && metrics '2,$' ",[^,]*,[^,]*/,$word,$word"
    expect 0 '"candidates"' rank --case "$bad" -o json
    jq -e '[.. | numbers | select(isinfinite or isnan or fabs > 1e6)] == [] and (.candidates | length) > 3' "$work/out" >/dev/null || {
        echo "readings of \"$word\" make a ranking that is not finite" && exit 1
    }
done
echo "$count commands as expected"
