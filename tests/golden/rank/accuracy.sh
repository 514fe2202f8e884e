#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# accuracy.sh FAULTLINE SOURCE_DIR -- the ranking keeps what docs/accuracy.md says, within noise, on the labelled
# incidents beside the checkout; and training twice gives the same bytes, those that are shipped.
set -euo pipefail
faultline=$1 source=$2 sets=$2/../shared/rca
if [ ! -d "$sets" ]; then
    echo "skipped: $sets (labelled incidents) is absent"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"$faultline" evaluate --cv 10 -o json "$sets"/*/open >"$work/cv.json"
jq -r '.sets[] | "\(.name) \(.top1) \(.top3) \(.ms) ms"' "$work/cv.json"
jq -r '"mean \(.mean.top1) \(.mean.top3)"' "$work/cv.json"
jq -e '.mean.top1 >= 0.754 and .mean.top3 >= 0.883' "$work/cv.json" >/dev/null || {
    echo "the ranking became worse: see docs/accuracy.md"
    exit 1
}
"$faultline" model train "$sets"/*/open -o "$work/one.json" >/dev/null
"$faultline" model train "$sets"/*/open -o "$work/two.json" >/dev/null
cmp "$work/one.json" "$work/two.json"
# Optimisation and libm may move a last digit between machines: compare what is shipped by ranks, not by bytes.
"$faultline" evaluate -o json "$sets"/*/open >"$work/shipped.json"
"$faultline" evaluate --model "$work/one.json" -o json "$sets"/*/open >"$work/trained.json"
for f in shipped trained; do
    jq -c '[.sets[] | {name, top1, top3}]' "$work/$f.json" >"$work/$f.ranks"
done
cmp "$work/shipped.ranks" "$work/trained.ranks" || {
    echo "the shipped weights are not those that training gives: faultline model train … -o engine/rank/model_default.json"
    exit 1
}
echo "same bytes twice; the shipped weights are the trained ones ($source)"
