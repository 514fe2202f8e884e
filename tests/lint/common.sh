# SPDX-License-Identifier: GPL-3.0-or-later
# Shared by the lints: sourced, never run. Findings are `file:line: what`, exit 1 when there is one.
# Only what a minimal Debian has: bash, grep, sed, awk (mawk: no \b, no {n}), find.
set -euo pipefail
export LC_ALL=C.UTF-8
src=$(cd -- "${1:?usage: $0 SOURCE_DIR [BUILD_DIR]}" && pwd)
# shellcheck disable=SC2034  # used by the lint that sources this
build=${2:-}
cd -- "$src"
findings=0

finding() {
    printf '%s\n' "$*"
    findings=$((findings + 1))
}

# Findings on stdin, one a line.
collect() {
    local line
    while IFS= read -r line; do
        [ -z "$line" ] || finding "$line"
    done
}

# Close a lint: how many things were looked at (a lint that looked at nothing is broken) and what was found.
verdict() { # COUNT NOUN
    if [ "$1" -eq 0 ]; then
        echo "lint looked at no $2: it is broken or ran in the wrong folder"
        exit 1
    fi
    echo "$1 $2 checked, $findings findings"
    [ "$findings" -eq 0 ]
}

# Files of the project below the given paths, matching the -name patterns after --; NUL separated.
# Not `git ls-files`: a release tarball has no .git, and a file not yet added should be checked too.
files() { # PATH… -- FIND_EXPRESSION…
    local roots=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do
        [ ! -e "$1" ] || roots+=("$1")
        shift
    done
    shift
    [ "${#roots[@]}" -gt 0 ] || return 0
    find "${roots[@]}" \( -path ./build -o -path ./.dev -o -path ./.git \) -prune -o -type f \( "$@" \) -print0 | sort -z
}

# C source without comments, strings and character constants; line numbers stay.
strip_c() {
    awk '
    {
        out = ""; n = length($0)
        for (i = 1; i <= n; i++) {
            c = substr($0, i, 1); two = substr($0, i, 2)
            if (state == "comment") { if (two == "*/") { state = ""; i++ } continue }
            if (state == "\"" || state == "'"'"'") {
                if (c == "\\") { i++; continue }
                if (c == state) { state = ""; out = out c }
                continue
            }
            if (two == "/*") { state = "comment"; i++; out = out " "; continue }
            if (two == "//") break
            if (c == "\"" || c == "'"'"'") state = c
            out = out c
        }
        if (state == "\"" || state == "'"'"'") state = ""
        print out
    }' "$1"
}
