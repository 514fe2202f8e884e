#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Shell scripts parse, and shellcheck has nothing to say about them.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
command -v shellcheck >/dev/null || {
    echo "shellcheck is missing: ./dev test installs it"
    exit 1
}
checked=0
while IFS= read -r -d '' file; do
    file=${file#./}
    head -n 1 -- "$file" | grep -qE '^#!.*(ba)?sh' || [ "${file##*.}" = sh ] || continue
    checked=$((checked + 1))
    collect < <(bash -n -- "$file" 2>&1 || true)
    # SC2317: commands only a trap or a table reaches.
    collect < <(shellcheck --shell=bash --format=gcc --external-sources --source-path=SCRIPTDIR --severity=warning \
        --exclude=SC2317 -- "$file" 2>&1 || true)
    [ -x "$file" ] || ! head -n 1 -- "$file" | grep -q '^#!' || finding "$file: has #! but is not executable"
done < <(files ./dev .ci tests packaging playbooks engine schema docs -- -name '*.sh' -o -path ./dev -o -path .ci/run -o -not -name '*.*')
verdict "$checked" scripts
