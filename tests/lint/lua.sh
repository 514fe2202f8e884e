#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# luacheck over rules and playbooks (.luacheckrc names the host functions), and the compiler of the Lua we embed.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
command -v luacheck >/dev/null || {
    echo "luacheck is missing: ./dev test installs it (package lua-check)"
    exit 1
}
checked=0
while IFS= read -r -d '' file; do
    checked=$((checked + 1))
    if command -v luac5.4 >/dev/null; then
        collect < <(luac5.4 -p -- "$file" 2>&1 | sed 's/^luac5.4: //' || true)
    fi
    collect < <(luacheck --config .luacheckrc --no-color --formatter plain -- "$file" 2>&1 || true)
done < <(files rules playbooks tests engine -- -name '*.lua' -not -path '*/hostile/*' -not -path '*/broken/*')
verdict "$checked" "Lua files"
