#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# /metrics as Prometheus's own linter wants it, with something in it to count.
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
lib_begin metrics "${1:?usage: $0 BUILD_DIR}"
need promtool prometheus
engine_start --log-level info
api /api/v2/alerts -H 'Content-Type: application/json' --data-binary '[{"labels":{"alertname":"Down","service":"db"}}]' >/dev/null
counted() { api /metrics | grep -q '^faultline_core_alerts_total 1$'; }
wait_for 10 "the alert is counted" counted
api /metrics >"$work/metrics"
families=$(grep -c '^# TYPE ' "$work/metrics")
[ "$families" -ge 30 ] || fail "only $families metrics"
promtool check metrics <"$work/metrics" >"$work/lint.log" 2>&1 || fail "promtool finds fault"
[ ! -s "$work/lint.log" ] || fail "promtool has something to say"
engine_stop
echo "$families metrics"
