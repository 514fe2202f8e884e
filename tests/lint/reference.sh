#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The reference pages of commands and configuration are the program's own output. `reference.sh SRC BUILD --update` rewrites them.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
for d in "$build" "$build/bin" "$build/engine/cli"; do
    [ ! -x "$d/faultline" ] || program=$d/faultline
done
[ -n "${program:-}" ] || { echo "no faultline program in $build: build before the lint"; exit 1; }
page() { # FILE COMMAND…
    local file=$1
    shift
    if [ "${mode:-}" = --update ]; then
        "$program" "$@" >"$file"
    fi
    diff -u -- "$file" <("$program" "$@") >/dev/null ||
        finding "$file: is not what \"faultline $*\" prints; run tests/lint/reference.sh . BUILD --update"
}
mode=${3:-}
page docs/reference/commands.md help --markdown
page docs/reference/configuration.md config reference
verdict 2 pages
