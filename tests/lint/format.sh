#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# C sources are as clang-format 14 writes them (`./dev format` does it). Public headers are laid out by hand:
# their tables of comments read better so.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
clang_format=$(command -v clang-format-14 || command -v clang-format) || {
    echo "clang-format is missing: ./dev test installs it (package clang-format)"
    exit 1
}
checked=0
while IFS= read -r -d '' file; do
    checked=$((checked + 1))
    "$clang_format" --style=file --dry-run -Werror -- "$file" >/dev/null 2>&1 ||
        finding "$file: not formatted; run ./dev format"
done < <(files engine tests -- -name '*.c' -o -path './engine/*.h')
# Long lines in what people write by hand.
while IFS= read -r -d '' file; do
    collect < <(awk -v f="$file" 'length($0) > 140 { print f ":" FNR ": " length($0) " columns" }' "$file")
done < <(files include -- -name '*.h')
# Ends of lines, tabs, end of file.
while IFS= read -r -d '' file; do
    collect < <(grep -nE '[[:blank:]]+$' -- "$file" | sed "s|^\([0-9]*\):.*|$file:\1: blank at the end of the line|" || true)
    collect < <(grep -nP '\t' -- "$file" | sed "s|^\([0-9]*\):.*|$file:\1: tab|" || true)
    [ ! -s "$file" ] || [ -z "$(tail -c 1 -- "$file")" ] || finding "$file: no newline at the end"
done < <(files engine include rules playbooks schema tests -- -name '*.c' -o -name '*.h' -o -name '*.lua' -o -name '*.sql' \
    -o -name '*.sh' -o -name CMakeLists.txt)
verdict "$checked" sources
