/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/crash.c -- kill -9 at a chosen place, in test builds only; contract in <faultline/base.h>. */
#include <faultline/base.h>

#ifdef FL_CRASH_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void fl_crash_point(const char *name)
{
    static atomic_long passed;
    const char *at = getenv("FAULTLINE_CRASH_AT"), *colon = at ? strrchr(at, ':') : NULL;
    size_t n = colon ? (size_t)(colon - at) : 0;
    int64_t count;
    if (!colon || strncmp(name, at, n) != 0 || name[n] || !fl_parse_i64(colon + 1, 1, 1000000, &count))
        return;
    if (atomic_fetch_add(&passed, 1) + 1 == count)
        kill(getpid(), SIGKILL);
}

#else

typedef int fl_crash_points_are_not_built; /* ISO C wants a declaration in every file */

#endif
