# SPDX-License-Identifier: GPL-3.0-or-later
# Shared by integration tests and benches: sourced, never run.
#
#   lib_begin NAME BUILD_DIR   makes $work (removed at the end), sets $faultline, $src
#   engine_start [FLAG…]       a running engine on a free loopback port: $url, $port, $token, $engine_pid
#   engine_stop                SIGTERM and wait
#   api PATH [CURL ARGUMENT…]  a request with the token
#   wait_for SECONDS WHAT COMMAND…   until the command succeeds; fails the test with WHAT
#   chain_replays              the journal, replayed offline, gives every audit entry of the database: the same hashes
#   started PID                remember a process to end at the end, whatever happens
set -euo pipefail
unset CDPATH PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGSERVICEFILE PGOPTIONS PGDATA
export LC_ALL=C.UTF-8
src=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
export PATH=$PATH:$src/build/tools/usr/bin
pids=()

exec {lib_err}>&2 # a condition that fails for good says so although wait_for keeps conditions quiet
fail() {
    printf 'FAILED: %s\n' "$*" >&"$lib_err"
    exit 1
}

need() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null || fail "$1 is missing: ./dev test fetches it (package $2)"
}

started() { pids+=("$1"); }

lib_end() {
    local rc=$? p
    # Last started, first stopped; the engine stops its own PostgreSQL.
    for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
        p=${pids[i]}
        kill -TERM "$p" 2>/dev/null || continue
        for _ in {1..100}; do
            kill -0 "$p" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$p" 2>/dev/null || true
    done
    if [ "$rc" -ne 0 ]; then
        for p in "$work"/*.log; do
            [ ! -s "$p" ] || { printf -- '---- %s\n' "${p##*/}" && tail -n 40 -- "$p"; } >&"$lib_err"
        done
    fi
    cd /
    rm -rf -- "$work"
    exit "$rc"
}

lib_begin() { # NAME BUILD_DIR
    local d
    for d in "$2" "$2/bin" "$2/engine/cli"; do
        [ ! -x "$d/faultline" ] || faultline=$d/faultline
    done
    [ -n "${faultline:-}" ] || fail "$2 has no faultline program: build first"
    # Short, because sockets live below it; passable, because as root the cluster belongs to another user.
    work=$(mktemp -d "/tmp/fl-$1-XXXXXX")
    chmod 755 "$work"
    trap lib_end EXIT
    # A command that ends the script by failing is named: most of them are quiet themselves.
    set -E
    trap 'printf "FAILED: %s:%s: exit %s: %s\n" "${BASH_SOURCE[0]##*/}" "$LINENO" "$?" "$BASH_COMMAND" >&"$lib_err"' ERR
}

wait_for() { # SECONDS WHAT COMMAND…
    local until=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$until" ] || fail "$what: not within the time"
        sleep 0.05
    done
}

free_port() {
    local p
    for _ in {1..200}; do
        p=$((20000 + RANDOM % 12000))
        # Nobody answers there; two tests starting at once are told apart by their random numbers.
        (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || {
            printf '%s\n' "$p"
            return
        }
    done
    fail "no free port"
}

engine_start() { # FLAG…
    port=${port:-$(free_port)}
    url=http://127.0.0.1:$port
    token=$work/token
    "$faultline" serve --listen "127.0.0.1:$port" --data "$work/data" "$@" </dev/null >>"$work/engine.log" 2>&1 &
    engine_pid=$!
    started "$engine_pid"
    wait_for 60 "the engine is ready" engine_is_ready
    [ -s "$token" ] || "$faultline" token create --data "$work/data" --role admin --name test --out "$token" >/dev/null 2>"$work/token.log" ||
        fail "no token: $(<"$work/token.log")"
    # A token made beside the running engine works within its look-up's patience.
    wait_for 3 "the new token works" api /api/v1/incidents
}

engine_is_ready() {
    kill -0 "$engine_pid" 2>/dev/null || fail "the engine ended while starting"
    curl -fsS --max-time 2 "$url/-/ready"
}

engine_stop() {
    kill -TERM "$engine_pid"
    wait "$engine_pid" || fail "the engine ended with status $?"
}

api() { # PATH [CURL ARGUMENT…]
    local path=$1
    shift
    printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -fsS --max-time 10 -H @- "$@" "$url$path"
}

chain_replays() {
    "$faultline" audit export --data "$work/data" --out "$work/audit.jsonl" 2>/dev/null
    # After the audit, so that it covers at least as much.
    "$faultline" journal export --data "$work/data" --out "$work/journal.jsonl" 2>/dev/null
    "$faultline" replay --journal "$work/journal.jsonl" >"$work/decisions.jsonl" 2>"$work/replay.log" || fail "the journal cannot be replayed"
    jq -r '"\(.seq) \(.hash) \(.action)"' "$work/audit.jsonl" >"$work/lived"
    jq -r 'select(.row == "audit") | "\(.seq) \(.hash) \(.action)"' "$work/decisions.jsonl" | head -n "$(wc -l <"$work/lived")" >"$work/replayed"
    [ -s "$work/lived" ] || fail "there is no audit trail to compare"
    diff "$work/lived" "$work/replayed" >"$work/chain.log" || fail "the replayed audit chain is another one from $(sed -n 2p "$work/chain.log") on"
}
