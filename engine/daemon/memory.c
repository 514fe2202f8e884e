/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/memory.c -- memory that a storm needed goes back to the system when the storm is over (layer 6).
 * The allocator keeps what is freed between long-lived blocks; it gives whole pages back only when it is asked. */
#include "daemon_priv.h"

#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

enum { WORTH_IT = 16 << 20 }; /* bytes more than after the last time */

static size_t resident(void)
{
    unsigned long long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return 0;
    if (fscanf(f, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    fclose(f);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Left to itself the allocator stops giving large blocks back once it has seen one freed (bodies, effects of a large body,
 * pieces of a snapshot), and makes eight arenas a core, each with free memory of its own. */
void memory_begin(void)
{
    mallopt(M_MMAP_THRESHOLD, 512 << 10);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
    mallopt(M_TOP_PAD, 1 << 20);
    mallopt(M_ARENA_MAX, 4);
}

void memory_turn(struct memory_watch *w, uint64_t seq)
{
    bool idle = seq == w->seq;
    w->seq = seq;
    /* Asking holds the allocator's locks for some ms: never while the core has work, never for little. */
    if (!idle || resident() < w->floor + WORTH_IT)
        return;
    malloc_trim(0);
    w->floor = resident();
}
