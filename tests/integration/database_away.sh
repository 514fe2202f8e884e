#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The database is stopped, killed, frozen: intake answers 503 within a second (five where it takes silence to know;
# never another error), the
# engine lives on and goes on by itself when the database is back; SIGTERM under load and with the database away ends
# it in time. What was acknowledged is there in the end, in every case.
#   database_away.sh BUILD_DIR
# shellcheck source=tests/integration/lib.sh
. "$(dirname -- "$0")/lib.sh"
need jq jq
lib_begin away "${1:?usage: $0 BUILD_DIR}"
flags=()
engine_start "${flags[@]}"
pgdata=$(dirname -- "$(find "$work/data/postgres" -name postmaster.pid)")
: >"$work/acknowledged"

post() { # NAME: prints "CODE SECONDS"
    local answer
    answer=$(printf 'Authorization: Bearer %s\n' "$(<"$token")" | curl -sS -o "$work/answer.$BASHPID" -w '%{http_code} %{time_total}' \
        --max-time 10 -H @- -H 'Content-Type: application/json' "$url/api/v1/intake/alertmanager" --data-binary '{"version":"4",
        "status":"firing","receiver":"f","alerts":[{"status":"firing","labels":{"alertname":"A '"$1"'","probe":"'"$1"'"},
        "annotations":{},"startsAt":"'"$(date -u +%FT%TZ)"'","endsAt":"0001-01-01T00:00:00Z"}]}' 2>/dev/null) || true
    rm -f "$work/answer.$BASHPID"
    # One short line, so that writers side by side do not mix.
    [[ $answer != "200 "* ]] || echo "$1" >>"$work/acknowledged"
    printf '%s\n' "${answer:-000 0}"
}
taken() {
    n_back=$((n_back + 1))
    [[ $(post "back-$n_back") == "200 "* ]]
}
n_back=0
known_all() {
    api '/api/v1/alerts?limit=10000' | jq -r '.alerts[].labels.probe // empty' | sort -u >"$work/known"
    [ -z "$(comm -23 <(sort -u "$work/acknowledged") "$work/known")" ]
}
code_of() { curl -s -o /dev/null -w '%{http_code}' --max-time 5 "$url$1" || true; }

away_for() { # NAME SECONDS [FIRST_ANSWER]: all that is asked meanwhile
    local until=$((SECONDS + $2)) i=0 answer refused=0 most=${3:-1.5}
    while [ "$SECONDS" -lt "$until" ]; do
        i=$((i + 1))
        answer=$(post "$1-$i")
        # A second is the promise; a machine full of tests gets half of one more.
        awk -v s="${answer#* }" -v most="$most" 'BEGIN { exit !(s < most) }' || fail "$1: an answer took ${answer#* } s"
        most=1.5
        case $answer in
        "503 "*) refused=$((refused + 1)) ;;
        "200 "*) [ "$1" != frozen ] || fail "$1: 200 from a frozen database" ;;
        *) fail "$1: the answer was ${answer% *}" ;;
        esac
        sleep 0.1
    done
    [ "$refused" -ge 3 ] || fail "$1: only $refused of $i were answered 503: was the database away at all?"
    [ "$(code_of /-/healthy)" = 200 ] || fail "$1: not healthy: $(code_of /-/healthy)"
    [ "$(code_of /-/ready)" = 503 ] || fail "$1: /-/ready says $(code_of /-/ready) without a database"
    kill -0 "$engine_pid" || fail "$1: the engine ended"
    echo "$1: $refused of $i answered 503, each in time"
}
postmaster() { head -n 1 "$pgdata/postmaster.pid"; }
# Without this file no server starts here: what supervises it cannot bring it back before its time.
hide() { mv "$pgdata/PG_VERSION" "$pgdata/PG_VERSION.away"; }
unhide() { mv "$pgdata/PG_VERSION.away" "$pgdata/PG_VERSION"; }

for i in 1 2 3; do [[ $(post "before-$i") == "200 "* ]] || fail "not taken before anything happened"; done

hide
kill -INT "$(postmaster)" # a fast shutdown
away_for stopped 4
unhide
wait_for 30 "taken again after a stop" taken

hide
kill -KILL "$(postmaster)"
away_for killed 4
unhide
wait_for 30 "taken again after a kill" taken

pid=$(postmaster)
mapfile -t frozen < <(pgrep -P "$pid" && echo "$pid")
kill -STOP "${frozen[@]}"
away_for frozen 10 6 # the first one has to find out: five seconds of silence are a frozen database
kill -CONT "${frozen[@]}"
wait_for 30 "taken again after a freeze" taken
wait_for 30 "everything acknowledged is there" known_all

# ---- SIGTERM
load() { # NAME
    local i
    for ((i = 0; i < 4000; i++)); do
        [ ! -e "$work/enough" ] || return 0
        post "$1-$i" >>"$work/codes.$1"
    done
}
stop_in_time() { # NAME
    local began=$SECONDS rc=0
    kill -TERM "$engine_pid"
    wait "$engine_pid" || rc=$?
    [ $((SECONDS - began)) -le 35 ] || fail "$1: it took $((SECONDS - began)) s to end"
    [ "$rc" -eq 0 ] || [ "$1" != load ] || fail "$1: the engine ended with $rc"
    echo "$1: ended within $((SECONDS - began + 1)) s"
}
loads=()
for k in 1 2 3 4; do
    load "load$k" &
    loads+=($!)
    started $!
done
sleep 2
stop_in_time load
# Its connections have all been lost and made again: the last snapshot and the lease do not suffer from that.
if grep -E 'was not (saved|released)' "$work/engine.log"; then fail "the stop left something undone"; fi
: >"$work/enough"
wait "${loads[@]}"
[ "$(grep -c '^load' "$work/acknowledged")" -ge 20 ] || fail "the load was no load: $(grep -c '^load' "$work/acknowledged") acknowledged"
# Refused, cut or nothing there; no other answer.
if other=$(grep -hvE '^(200|503|000) ' "$work"/codes.*); then fail "under load: $other"; fi
engine_start "${flags[@]}"
wait_for 60 "everything acknowledged under load is there" known_all

pid=$(postmaster)
mapfile -t frozen < <(pgrep -P "$pid" && echo "$pid")
kill -STOP "${frozen[@]}"
stop_in_time frozen
kill -CONT "${frozen[@]}" 2>/dev/null || true
engine_start "${flags[@]}"
wait_for 60 "everything acknowledged is there after a stop of a frozen database" known_all

hide
kill -KILL "$(postmaster)"
post last >/dev/null
stop_in_time away
unhide
engine_start "${flags[@]}"
wait_for 60 "everything acknowledged is there in the end" known_all
"$faultline" audit verify --data "$work/data" || fail "the audit trail does not verify"
engine_stop
echo "$(sort -u "$work/acknowledged" | wc -l) acknowledged alerts, all there"
