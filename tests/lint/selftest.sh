#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# The lints find what they are for: a small tree with one sin each, and the same tree without.
set -euo pipefail
src=$(cd -- "${1:?usage: $0 SOURCE_DIR}" && pwd)
lint=$src/tests/lint
tree=$(mktemp -d)
trap 'rm -rf -- "$tree"' EXIT
passed=0 failed=0

gpl='SPDX-License-Identifier: GPL-3.0-or-later'
mit='SPDX-License-Identifier: MIT'

fresh() {
    rm -rf -- "$tree/a tree"
    mkdir -p "$tree/a tree"/{engine/base,engine/rank,include/faultline,rules,playbooks,schema,tests/lint,docs/reference,packaging}
    cd -- "$tree/a tree"
    cp "$src/engine/layers.txt" engine/layers.txt
    cp "$src/tests/lint/exceptions.txt" tests/lint/
    cp "$src/.clang-format" "$src/.luacheckrc" .
    printf '/* %s */\n#pragma once\nint fl_base(void);\n' "$gpl" >include/faultline/base.h
    printf '/* %s */\n#pragma once\n#include <faultline/base.h>\n' "$gpl" >include/faultline/rank.h
    printf '/* %s */\n#include <faultline/base.h>\n\nint fl_base(void)\n{\n    return 0;\n}\n' "$gpl" >engine/base/a.c
    printf '/* %s */\n#include <faultline/rank.h>\n\nint fl_rank(void);\n' "$gpl" >engine/rank/a.c
    printf -- '-- %s\nreturn {}\n' "$mit" >rules/one.lua
    echo '# one' >rules/one.md
    for d in engine/base engine/rank include rules playbooks schema tests docs packaging; do echo "# $d" >"$d/README.md"; done
}
expect() { # LINT WORD DESCRIPTION: the lint fails and says WORD; with WORD empty it passes
    local out rc=0
    out=$(bash "$lint/$1.sh" "$tree/a tree" 2>&1) || rc=$?
    if { [ -z "$2" ] && [ "$rc" -eq 0 ]; } || { [ -n "$2" ] && [ "$rc" -eq 1 ] && grep -qF -- "$2" <<<"$out"; }; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'NOT AS EXPECTED: %s: %s (exit %d)\n%s\n' "$1" "$3" "$rc" "$out"
    fi
}
sin() { # LINT WORD DESCRIPTION FILE TEXT
    fresh
    printf '%s\n' "$5" >>"$4"
    expect "$1" "$2" "$3"
}

fresh
for l in layers sources headers docs format lua; do expect "$l" '' 'a clean tree passes'; done

sin layers 'may not use flow' 'an upward include' engine/rank/a.c '#include <faultline/flow.h>'
sin layers 'may not use audit' 'a sibling of layer 3' engine/rank/a.c '#  include  "faultline/audit.h"'
sin layers 'may not use store' 'a lower layer the table does not allow' engine/rank/a.c '#include <faultline/store.h>'
sin layers 'has its home elsewhere' 'a third-party header away from home' engine/rank/a.c '#include <igraph/igraph.h>'
sin layers 'has its home elsewhere' 'the same in a public header' include/faultline/rank.h '#include <jansson.h>'
sin layers 'belongs to no stage' 'an unknown public header' engine/rank/a.c '#include <faultline/nothing.h>'
sin layers 'no relative way out' 'a relative include' engine/rank/a.c '#include "../base/priv.h"'
sin layers 'may not name flow' 'a table that points upwards' engine/layers.txt 'extra 1 flow -'
sin sources 'is missing' 'no licence line' engine/base/b.c 'int x;'
sin sources 'SPDX-License-Identifier: MIT' 'the wrong licence' playbooks/p.lua "-- $gpl"
sin sources 'strcpy()' 'a banned call' engine/base/a.c 'void f(char *a) { strcpy(a, "x"); }'
sin sources 'time()' 'a clock in the core' engine/rank/a.c 'long f(void) { return time (0); }'
sin sources 'unfinished work' 'an unfinished mark' engine/base/a.c '/* TO''DO: later */'
sin sources 'path of one machine' 'a path of one machine' docs/README.md 'see /wo''rk/main'
sin sources 'needs a reason' 'an exception without a reason' tests/lint/exceptions.txt 'engine/base/a.c strcpy'
fresh
printf 'void f(void);\n/* strcpy(a, b) */\nconst char *t = "system(1)";\n' >>engine/base/a.c
expect sources '' 'comments and strings are not calls'
sin headers 'does not compile alone' 'a header that needs another' include/faultline/rank.h 'size_t n(void);'
sin format 'not formatted' 'an unformatted file' engine/base/a.c 'int  y ;'
sin format 'blank at the end' 'a blank at the end of a line' rules/one.lua '-- x '
sin docs 'there is no test test_gone.c' 'a behaviour without its test' docs/reference/odd-input.md '| x | y | `test_gone.c: z` |'
sin docs 'dead link' 'a dead link' docs/README.md '[x](nowhere.md)'
sin docs 'describes no rule file' 'a page without its rule file' rules/two.md '# two'
fresh
rm rules/one.md
expect docs 'rules/one.md is missing' 'a rule file without its page'
fresh
rm engine/rank/README.md
expect docs 'engine/rank/README.md is missing' 'a stage without its page'
sin lua 'undefined' 'an undefined global' rules/one.lua 'undefined_global_thing()'

# As compiled: a header that leaks a third-party header into another stage.
fresh
mkdir -p "$tree/b"
if [ -e /usr/include/jansson.h ]; then
    sed -i 's|#pragma once|&\n#include <jansson.h>|' include/faultline/base.h
    cat >"$tree/b/build.ninja" <<NINJA
rule cc
  command = cc -MD -MF \$out.d -I'$tree/a tree/include' -c '$tree/a tree/engine/rank/a.c' -o \$out
  depfile = \$out.d
  deps = gcc
build engine/rank/a.o: cc
NINJA
    ninja -C "$tree/b" >/dev/null
    rc=0
    out=$(bash "$lint/layers.sh" "$tree/a tree" "$tree/b" 2>&1) || rc=$?
    if [ "$rc" -eq 1 ] && grep -q 'engine/rank/a.o: compiled with .*jansson' <<<"$out"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'NOT AS EXPECTED: a leaked third-party header\n%s\n' "$out"
    fi
fi

echo "$passed expectations held, $failed did not"
[ "$failed" -eq 0 ] && [ "$passed" -ge 30 ]
