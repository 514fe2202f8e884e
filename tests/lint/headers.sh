#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Each public header compiles alone, twice in one file, and under a C++-free C17 with warnings as errors.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
checked=0
while IFS= read -r -d '' file; do
    checked=$((checked + 1))
    name=${file#include/}
    if ! out=$(printf '#include <%s>\n#include <%s>\n' "$name" "$name" |
        "${CC:-cc}" -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Werror -fsyntax-only -Iinclude -x c - 2>&1); then
        finding "$file: does not compile alone"
        printf '%s\n' "$out" | head -n 10
    fi
    grep -q '^#pragma once' "$file" || finding "$file: #pragma once is missing"
done < <(files include -- -name '*.h')
verdict "$checked" headers
