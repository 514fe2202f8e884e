#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# From POST to ranked incident readable over HTTP, on a graph of 1,000 services, with an idle engine.
#   latency.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/../integration/lib.sh"
build=${1:?usage: $0 BUILD_DIR}
lib_begin latency "$build"
latency=$build/tests/bench/bench_latency
"$latency" localhost:0 --topology-only >"$work/topology.json"
engine_start --topology "$work/topology.json"
"$latency" "127.0.0.1:$port" --token-file "$token"
engine_stop
