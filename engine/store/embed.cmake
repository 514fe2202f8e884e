# SPDX-License-Identifier: GPL-3.0-or-later
# cmake -DDIR=schema -DOUT=migrations.c -P embed.cmake: schema/NNNN_name.sql as byte arrays.
# Bytes, not string literals: a literal ends at 64 KiB by the standard, and needs escaping.
file(GLOB files ${DIR}/[0-9][0-9][0-9][0-9]_*.sql)
list(SORT files)
set(arrays "")
set(rows "")
foreach(f IN LISTS files)
  get_filename_component(base ${f} NAME_WE)
  string(SUBSTRING ${base} 0 4 digits)
  string(SUBSTRING ${base} 5 -1 name)
  math(EXPR version "1${digits} - 10000")
  file(READ ${f} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char m${digits}[] = {${bytes}0x00};\n")
  string(APPEND rows
    "    {${version}, \"${name}\", (const char *)m${digits}, sizeof m${digits} - 1},\n")
endforeach()
file(WRITE ${OUT}.new "/* SPDX-License-Identifier: GPL-3.0-or-later */\n/* made by embed.cmake: do not edit */\n"
  "#include \"migrate_priv.h\"\n\n${arrays}\nconst struct fl_migration fl_migrations[] = {\n${rows}};\n"
  "const size_t fl_n_migrations = sizeof fl_migrations / sizeof fl_migrations[0];\n")
file(RENAME ${OUT}.new ${OUT})
