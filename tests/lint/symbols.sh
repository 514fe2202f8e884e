#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Functions that a stage shares between its own files are global to the linker: no two stages may use the same name.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
command -v nm >/dev/null || { echo "nm is missing (package binutils)"; exit 1; }
checked=0
seen=$(mktemp)
trap 'rm -f -- "$seen"' EXIT
while IFS= read -r -d '' lib; do
    checked=$((checked + 1))
    name=${lib##*/lib}
    # Sanitizers add symbols of their own to each object.
    nm --defined-only --extern-only -- "$lib" 2>/dev/null |
        awk -v lib="${name%.a}" 'NF == 3 && $2 ~ /[TDBR]/ && $3 !~ /^(__|_fini|_init)/ { print $3, lib }' >>"$seen"
done < <(find "${build:-/nonexistent}/engine" -name 'libfl_*.a' -print0 2>/dev/null)
collect < <(sort -u "$seen" | awk '$1 == last { print $1 ": defined in both " lib " and " $2 } { last = $1; lib = $2 }')
verdict "$checked" libraries
