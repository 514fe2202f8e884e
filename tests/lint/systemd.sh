#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The shipped systemd unit: systemd reads it without complaint, its exposure stays at 1.5 or below.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
command -v systemd-analyze >/dev/null || {
    echo "not checked: this machine has no systemd-analyze (package systemd)"
    exit 0
}
copy=$(mktemp -d)
trap 'rm -rf -- "$copy"' EXIT
n=0
for unit in packaging/systemd/*.service; do
    n=$((n + 1))
    # The programs are not installed here: any that exists does for reading the unit.
    sed 's!/usr/local/bin/faultline!/bin/true!' "$unit" >"$copy/${unit##*/}"
    collect < <(systemd-analyze verify --man=no "$copy/${unit##*/}" 2>&1 | grep -F "${unit##*/}" || true)
    systemd-analyze security --offline=true --threshold=15 "$copy/${unit##*/}" >"$copy/out" 2>&1 ||
        finding "$unit: $(tail -n 1 "$copy/out"), more than 1.5"
done
verdict "$n" units
