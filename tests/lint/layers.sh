#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The house's layers, as engine/layers.txt has them: which stage may include which header.
#   1. every `#include` written in engine/ and include/ (names the line);
#   2. the compiler's own dependency output (`ninja -t deps`), which also sees what comes in through
#      another header: a public header that leaks <igraph.h> is caught here.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
table=engine/layers.txt

# Headers of include/faultline/ that are not named after their stage. (case: structs that rank may see; intake fills them.)
declare -A header_stage=([json]=base [queue]=base [log]=base [fsm]=base [pack]=base [heap]=base [effects]=model [step]=model [pool]=model [layout]=topology [case]=model)
# Which header belongs to which third-party library.
library_of() {
    case $1 in
    jansson.h | jansson_config.h) echo jansson ;;
    sodium.h | sodium/*) echo sodium ;;
    pcre2.h | pcre2posix.h) echo pcre2 ;;
    lua.h | lualib.h | lauxlib.h | luaconf.h | lua5.4/*) echo lua ;;
    seccomp.h) echo seccomp ;;
    zlib.h | zconf.h) echo zlib ;;
    igraph.h | igraph/* | igraph_*.h) echo igraph ;;
    libpq-fe.h | postgresql/* | pg_config*.h) echo libpq ;;
    microhttpd.h) echo libmicrohttpd ;;
    curl/*) echo curl ;;
    uthash.h | utlist.h | utarray.h | utstring.h | utringbuffer.h | utstack.h) echo uthash ;;
    libxml/* | glib-2.0/* | openssl/* | gnutls/* | systemd/* | zstd.h | uuid/* | yaml.h) echo "${1%%/*}" ;;
    *) ;;
    esac
}

declare -A layer may home
while read -r stage level allowed libs; do
    case $stage in '' | '#'*) continue ;; esac
    layer[$stage]=$level
    may[$stage]=",$allowed,"
    home[$stage]=" $libs "
done <"$table"
[ "${#layer[@]}" -ge 10 ] || { echo "$table: fewer than ten stages read"; exit 1; }

# The table must agree with itself: only downwards, no siblings.
for stage in "${!layer[@]}"; do
    IFS=, read -r -a names <<<"${may[$stage]}"
    for name in "${names[@]}"; do
        case $name in '' | - | '*') continue ;; esac
        if [ -z "${layer[$name]:-}" ]; then
            finding "$table: $stage names an unknown stage \"$name\""
        elif [ "${layer[$name]}" -ge "${layer[$stage]}" ]; then
            finding "$table: $stage (layer ${layer[$stage]}) may not name $name (layer ${layer[$name]})"
        fi
    done
done

stage_of_header() { # json -> base, store -> store
    local name=${1%.h}
    echo "${header_stage[$name]:-$name}"
}

# $1 stage, $2 where, $3 included stage
check_stage() {
    local from=$1 where=$2 to=$3
    [ "$from" != "$to" ] || return 0
    if [ -z "${layer[$to]:-}" ]; then
        finding "$where: <faultline/$to.h> belongs to no stage of $table (lint: header_stage)"
    elif [ "${may[$from]}" = ',*,' ] && [ "${layer[$to]}" -le "${layer[$from]}" ]; then
        return 0 # the top: the command line starts the daemon
    elif [ "${layer[$to]}" -ge "${layer[$from]}" ]; then
        finding "$where: $from (layer ${layer[$from]}) may not use $to (layer ${layer[$to]})"
    elif [[ ${may[$from]} != *",$to,"* && ${may[$from]} != ',*,' ]]; then
        finding "$where: $from may not use $to; $table allows ${may[$from]//,/ }"
    fi
}

checked=0
# ---- 1. as written
while IFS= read -r -d '' file; do
    case $file in
    include/faultline/*) stage=$(stage_of_header "$(basename -- "$file")") ;;
    engine/*/*) stage=${file#engine/} stage=${stage%%/*} ;;
    *) continue ;;
    esac
    if [ -z "${layer[$stage]:-}" ]; then
        finding "$file: folder or header \"$stage\" is not in $table"
        continue
    fi
    checked=$((checked + 1))
    while IFS=: read -r line header; do
        where=$file:$line
        case $header in
        faultline/*) check_stage "$stage" "$where" "$(stage_of_header "${header#faultline/}")" ;;
        ../*) finding "$where: no relative way out of a stage's folder: $header" ;;
        *)
            lib=$(library_of "$header")
            if [ -n "$lib" ] && [[ ${home[$stage]} != *" $lib "* ]]; then
                finding "$where: $header ($lib) has its home elsewhere; $stage may use:${home[$stage]}"
            fi
            ;;
        esac
    done < <(sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]\([^>"]*\)[>"].*/\1/;t p;d;:p;=;p' "$file" |
        paste -d: - -)
done < <(files engine include -- -name '*.c' -o -name '*.h')

# ---- 2. as compiled
objects=0
if [ -n "$build" ] && [ -f "$build/build.ninja" ]; then
    while IFS=$'\t' read -r object header; do
        stage=${object#engine/} stage=${stage%%/*}
        [ -n "${layer[$stage]:-}" ] || continue
        case $header in
        '') objects=$((objects + 1)) ;;
        *"/include/faultline/"*)
            to=$(stage_of_header "${header##*/}")
            [ "$to" != "$stage" ] || continue
            if [ -n "${layer[$to]:-}" ] && [ "${layer[$to]}" -ge "${layer[$stage]}" ] && [ "${may[$stage]}" != ',*,' ]; then
                finding "$object: reaches <faultline/${header##*/}> of $to (layer ${layer[$to]}) through another header"
            fi
            ;;
        /usr/include/* | /usr/local/include/*)
            name=${header#/usr/} name=${name#local/} name=${name#include/}
            name=${name#x86_64-linux-gnu/} name=${name#aarch64-linux-gnu/}
            lib=$(library_of "$name")
            # libpq's home may see what libpq-fe.h itself brings; zlib comes with nobody else's header here.
            if [ -n "$lib" ] && [[ ${home[$stage]} != *" $lib "* ]]; then
                finding "$object: compiled with $header ($lib), which $stage is not the home of"
            fi
            ;;
        esac
    done < <(ninja -C "$build" -t deps 2>/dev/null | awk '
        /^[^ ].*: #deps/ { obj = $0; sub(/: #deps.*/, "", obj); if (obj ~ /^engine\//) print obj "\t"; next }
        /^ / { sub(/^ +/, ""); if (obj ~ /^engine\// && !seen[obj, $0]++) print obj "\t" $0 }')
    [ "$objects" -gt 0 ] || finding "$build: ninja knows no dependencies of engine/: build before the lint"
    echo "$objects objects of $build looked at"
else
    echo "no build folder given: only the includes as written were checked"
fi
verdict "$checked" files
