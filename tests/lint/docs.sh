#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Each folder explains itself, each rule file has its page, and no link in the documentation is dead.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
for folder in engine/*/ include/ schema/ rules/ playbooks/ tests/ docs/ packaging/; do
    case $folder in engine/cmake/) continue ;; esac
    # An empty folder is not a stage yet.
    [ -n "$(find "$folder" -type f -print -quit)" ] || continue
    [ -s "${folder}README.md" ] || finding "${folder}README.md is missing"
done
for file in rules/*.lua; do
    [ ! -e "$file" ] || [ -s "${file%.lua}.md" ] || finding "${file%.lua}.md is missing: each rule file has its page"
done
for page in rules/*.md; do
    [ "$page" = rules/README.md ] || [ -e "${page%.md}.lua" ] || [ "$page" = 'rules/*.md' ] ||
        finding "$page describes no rule file"
done
# The reference knows every route.
if [ -f engine/http/routes.c ]; then
    while IFS= read -r path; do
        grep -qF -- "$path" docs/reference/http.md || finding "docs/reference/http.md: no word about $path of engine/http/routes.c"
    done < <({
        grep -oE '"/[^" ]*[^"/ ]"' engine/http/routes.c | tr -d '"'
        sed -n 's/.*_COMMAND("\([a-z]*\)".*/\/\1`/p' engine/http/routes.c
    } | sort -u)
fi
# Each behaviour on odd input names tests that exist: `test_x.c: function`, `script.sh`.
if [ -f docs/reference/odd-input.md ]; then
    while IFS=: read -r line name; do
        file=$(find tests -name "${name%%: *}" -print -quit)
        if [ -z "$file" ]; then
            finding "docs/reference/odd-input.md:$line: there is no test ${name%%: *}"
        elif [[ $name == *': '* ]] && ! grep -qwF -- "${name#*: }" "$file"; then
            finding "docs/reference/odd-input.md:$line: $file has no ${name#*: }"
        fi
    done < <(awk -F'|' '/^\|/ { rest = $(NF - 1)
        while (match(rest, /`[a-z_]+\.(c|sh)(: [a-z_0-9]+)?`/)) {
            print FNR ":" substr(rest, RSTART + 1, RLENGTH - 2)
            rest = substr(rest, RSTART + RLENGTH)
        } }' docs/reference/odd-input.md)
fi
checked=0
while IFS= read -r -d '' file; do
    file=${file#./}
    checked=$((checked + 1))
    while IFS=: read -r line link; do
        link=${link%%#*}
        case $link in '' | http://* | https://* | mailto:* | /*) continue ;; esac
        [ -e "$(dirname -- "$file")/$link" ] || finding "$file:$line: dead link: $link"
    done < <(awk '/^```/ { code = !code; next } !code {
        rest = $0; gsub(/`[^`]*`/, "", rest)
        while (match(rest, /\]\([^) ]+\)/)) {
            print FNR ":" substr(rest, RSTART + 2, RLENGTH - 3)
            rest = substr(rest, RSTART + RLENGTH)
        } }' "$file")
done < <(files . -- -name '*.md')
verdict "$checked" pages
