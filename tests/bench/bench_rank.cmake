# SPDX-License-Identifier: GPL-3.0-or-later
add_executable(bench_rank bench_rank.c)
target_link_libraries(bench_rank PRIVATE fl_flags fl_rank fl_topology fl_model fl_base Threads::Threads)
