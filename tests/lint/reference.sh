#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The reference of commands and of configuration is what the program's own tables say.
#   reference.sh SRC BUILD [--update]
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
for d in "$build" "$build/bin" "$build/engine/cli"; do
    [ ! -x "$d/faultline" ] || program=$d/faultline
done
[ -n "${program:-}" ] || { echo "no faultline program in $build: build before the lint"; exit 1; }
new=$(mktemp -d)
trap 'rm -rf -- "$new"' EXIT

{
    printf '# Commands\n\nWhat `faultline COMMAND --help` prints, made by `tests/lint/reference.sh . BUILD --update`.\n\n```\n'
    "$program" --help
    printf '```\n'
    "$program" --help | sed -n 's/^  \([a-z][a-z -]*[a-z]\)  .*/\1/p' | while IFS= read -r command; do
        printf '\n## %s\n\n```\n' "$command"
        # shellcheck disable=SC2086  # the words of the command
        "$program" $command --help </dev/null 2>&1 || true
        printf '```\n'
    done
} | sed 's/[[:blank:]]*$//' >"$new/commands.md"
{
    sed '/^<!-- options -->$/q' docs/reference/configuration.md
    "$build/tests/lint/lint_options_table"
    sed -n '/^<!-- end of options -->$/,$p' docs/reference/configuration.md
} >"$new/configuration.md"

for page in commands.md configuration.md; do
    [ "${3:-}" != --update ] || cp -- "$new/$page" "docs/reference/$page"
    if ! diff -u -- "docs/reference/$page" "$new/$page" >"$new/diff"; then
        finding "docs/reference/$page: differs from the program; run tests/lint/reference.sh . BUILD --update"
        head -n 20 -- "$new/diff"
    fi
done
verdict 2 pages
