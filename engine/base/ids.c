/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/ids.c -- random bytes, UUIDv7, process initialisation; contract in <faultline/base.h>. */
#include <faultline/base.h>

#include <jansson.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>

void fl_random(void *p, size_t n)
{
    randombytes_buf(p, n);
}

char *fl_uuid7(char *out)
{
    /* The 12 bits after the clock count up within a millisecond, so that one process's ids sort. */
    static _Atomic uint64_t last;
    uint64_t ms = (uint64_t)(fl_now() / 1000), mine, old = atomic_load(&last);
    do {
        mine = ms << 12;
        if (mine <= old)
            mine = old + 1;
    } while (!atomic_compare_exchange_weak(&last, &old, mine));
    uint8_t r[8];
    fl_random(r, sizeof r);
    uint64_t t = mine >> 12;
    snprintf(out, 37, "%08x-%04x-7%03x-%02x%02x-%02x%02x%02x%02x%02x%02x", (unsigned)(t >> 16),
             (unsigned)(t & 0xffff), (unsigned)(mine & 0xfff), (r[0] & 0x3fu) | 0x80u, r[1], r[2], r[3], r[4],
             r[5], r[6], r[7]);
    return out;
}

fl_status fl_base_init(void)
{
    if (sodium_init() < 0)
        return FL_E_INTERNAL;
    json_object_seed(0);
    return FL_OK;
}
