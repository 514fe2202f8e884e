/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/support/oom.h -- memory that runs out, for programs linked with oom.c as tests/unit/store/CMakeLists.txt does: the linker
 * hands the engine's calls of malloc, calloc and realloc to it, and nothing of it is in the engine itself. */
#pragma once

#include <stdbool.h>

/* From now on `n` allocations of this thread succeed and then none does, until oom_end(). */
void oom_begin(long n);
/** True: one was refused. */
bool oom_end(void);
