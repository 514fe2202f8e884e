#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What every source file owes: its licence line, no banned call, no clock in the core, no unfinished marks,
# no path of somebody's machine.
# shellcheck source=tests/lint/common.sh
. "$(dirname -- "$0")/common.sh"
exceptions=tests/lint/exceptions.txt

# `file<blanks>word<blanks>reason`: a line without a reason is a finding.
excepted() { # FILE WORD
    awk -v f="$1" -v w="$2" '!/^#/ && $1 == f && $2 == w && NF > 2 { found = 1 } END { exit !found }' "$exceptions"
}
awk '!/^#/ && NF > 0 && NF < 3 { print FILENAME ":" FNR ": an exception needs a reason" }' "$exceptions" >/tmp/fl-lint.$$
collect </tmp/fl-lint.$$
rm -f "/tmp/fl-lint.$$"

checked=0
# ---- licence line within the first three lines (a #! or file header may come first)
while IFS= read -r -d '' file; do
    checked=$((checked + 1))
    case $file in
    ./playbooks/* | ./rules/*) want=MIT ;;
    *) want=GPL-3.0-or-later ;;
    esac
    head -n 3 -- "$file" | grep -q "SPDX-License-Identifier: $want" ||
        finding "${file#./}:1: the line \"SPDX-License-Identifier: $want\" is missing"
done < <(files . -- -name '*.c' -o -name '*.h' -o -name '*.lua' -o -name '*.sql' -o -name '*.cmake' -o -name '*.sh' \
    -o -name CMakeLists.txt -o -name '*.service' -o -name '*.js' -o -name '*.css' -o -path ./dev -o -path ./.ci/run)

# ---- calls
# strcpy…: unbounded. system, popen: a shell. strtok: hidden state. setlocale: numbers would print differently.
# atoi…: cannot say no. rand: not ours to seed. signal: differs between systems, use sigaction.
banned='strcpy|stpcpy|strcat|sprintf|vsprintf|gets|system|popen|strtok|setlocale|atoi|atol|atoll|atof|alloca|tmpnam|mktemp|tempnam|rand|srand|gethostbyname|asctime|ctime|localtime|gmtime'
# "No clock in the core": time is a field of the event there, chance is seeded by it.
clock='fl_now|fl_mono|fl_random|fl_uuid7|time|clock_gettime|gettimeofday|getrandom|random|usleep|nanosleep|sleep'
core=' model topology correlate rank respond audit flow '
while IFS= read -r -d '' file; do
    words=$banned
    stage=${file#engine/} stage=${stage%%/*}
    [[ $core != *" $stage "* ]] || words="$words|$clock"
    while IFS=: read -r line word; do
        excepted "$file" "$word" || finding "$file:$line: $word() is not used here (see tests/lint/sources.sh)"
    done < <(strip_c "$file" | grep -noE "(^|[^A-Za-z0-9_.>])($words)[[:space:]]*\(" |
        sed 's/:[^A-Za-z0-9_]/:/;s/[[:space:]]*($//' || true)
done < <(files engine include -- -name '*.c' -o -name '*.h')

# ---- words
# Built from pieces so that this file does not name what it forbids.
marks="TO""DO|FIX""ME|XX""X"
paths="/wo""rk/|/ho""me/[a-z]|C:""\\\\"
while IFS= read -r -d '' file; do
    case $file in *.gz | *.png | *.svg | ./LICENSE | ./*/LICENSE | *.http) continue ;; esac
    collect < <(grep -nIE "(^|[^A-Za-z_])($marks)([^A-Za-z_]|$)" -- "$file" | sed "s|^|${file#./}:|;s|\$| <- unfinished work belongs in an issue|" || true)
    collect < <(grep -nIE "(^|[^A-Za-z0-9_.~])($paths)" -- "$file" | sed "s|^|${file#./}:|;s|\$| <- a path of one machine|" || true)
    collect < <(grep -nIE '^(<<<<<<<|>>>>>>>) ' -- "$file" | sed "s|^|${file#./}:|;s|\$| <- merge left-over|" || true)
done < <(files . -- -not -name '*.o' -size -1024k)
verdict "$checked" files
