#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Time of a ranking: on scale-free graphs of three sizes, of a window of 30,000 alarms, on the labelled incidents
# beside the checkout, and against networkx on the same graph in the same run.
#   ranking.sh BUILD_DIR      FL_BENCH_ROUNDS=200
set -euo pipefail
build=${1:?usage: $0 BUILD_DIR}
src=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
"$build/tests/bench/bench_rank" "${FL_BENCH_ROUNDS:-200}"
sets=$src/../shared/rca
if [ -d "$sets" ]; then
    "$build/bin/faultline" evaluate -o json "$sets"/*/open |
        jq -r '.sets[] | "\(.name): \(.ms) ms a case (mean of \(.cases), wall clock)"'
else
    echo "skipped: $sets (labelled incidents) is absent"
fi
if /usr/bin/python3 -c 'import networkx, scipy' 2>/dev/null; then
    "$build/tests/bench/bench_rank" edges 10000 >"$work/edges"
    /usr/bin/python3 "$src/tests/bench/ranking_networkx.py" "$work/edges"
else
    echo "skipped: networkx and scipy are absent (packages python3-networkx, python3-scipy)"
fi
