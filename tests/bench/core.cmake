# SPDX-License-Identifier: GPL-3.0-or-later
add_executable(bench_core core.c)
target_link_libraries(bench_core PRIVATE fl_flow fl_flags)
