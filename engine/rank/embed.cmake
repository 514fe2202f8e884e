# SPDX-License-Identifier: GPL-3.0-or-later
# IN file -> OUT C source with NAME_json[] and NAME_size.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(................................)" "\\1\n" lines "${hex}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${lines}")
file(WRITE ${OUT} "/* Made from the model's JSON; do not edit. */\n#include <stddef.h>\n"
  "extern const char ${NAME}_json[];\nextern const size_t ${NAME}_size;\n"
  "const char ${NAME}_json[] = {${bytes}0};\nconst size_t ${NAME}_size = sizeof ${NAME}_json - 1;\n")
