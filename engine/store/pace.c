/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/pace.c -- derived work rests while intake needs the processor; contract in <faultline/store.h>.
 *
 * A sender waits for the journal and for nothing else; core and projector may lag. On a machine without an idle
 * processor they would take from intake what they use, so while the journal is busy, too, they leave it most of the
 * time: until the lag is half of what is allowed, from where their share grows to all. */
#include "store_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    WINDOW = 100000,     /* microseconds over which it is judged */
    JOURNAL_BUSY = 50,   /* per cent of the window that the journal was at work */
    MACHINE_IDLE = 10,   /* per cent of the processors' time that nobody used, while derived work goes on */
    IDLE_AT_REST = 40,   /* the same while it rests: less, and it would only take turns with intake */
    SHARE_LEAST = 8,     /* per cent of its time that derived work keeps */
    REST_MOST = 2000000, /* a person may wait for what lies in the next batch */
};

/* Ticks of all processors: used or idle. False: this system does not tell. */
static bool read_ticks(uint64_t *ret_idle, uint64_t *ret_all)
{
    char text[512];
    unsigned long long v[8] = {0};
    FL_AUTO_FD fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    if (sscanf(text, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
               &v[6], &v[7]) < 5)
        return false;
    *ret_idle = v[3] + v[4]; /* waiting for a disk leaves the processor to others */
    *ret_all = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(v); i++)
        *ret_all += v[i];
    return true;
}

bool fl_pace_full(bool was, uint64_t spent, uint64_t unused)
{
    return unused * 100 < spent * (was ? IDLE_AT_REST : MACHINE_IDLE);
}

/* A window of less than some ticks says nothing: what was said before stands. */
static bool machine_is_full(struct fl_pace *p)
{
    uint64_t idle, all;
    if (!read_ticks(&idle, &all))
        return false;
    uint64_t spent = all - p->ticks_all, unused = idle - p->ticks_idle;
    if (spent >= 5) {
        p->full = p->ticks_all && fl_pace_full(p->full, spent, unused);
        p->ticks_all = all;
        p->ticks_idle = idle;
    }
    return p->full;
}

void fl_pace_note(struct fl_store *s, fl_usec idle)
{
    struct fl_pace *p = &s->pace;
    fl_usec now = fl_mono();
    p->idle += idle;
    if (now - p->since < WINDOW)
        return;
    bool busy = (now - p->since - p->idle) * 100 >= (now - p->since) * JOURNAL_BUSY;
    atomic_store(&p->hot_until, busy && machine_is_full(p) ? now + 3 * WINDOW : 0);
    p->since = now;
    p->idle = 0;
}

unsigned fl_pace_share(uint64_t lag, size_t allowed)
{
    uint64_t half = allowed / 2;
    if (lag <= half)
        return SHARE_LEAST;
    uint64_t more = half ? (lag - half) * (100 - SHARE_LEAST) / half : 100;
    return more + SHARE_LEAST < 100 ? (unsigned)more + SHARE_LEAST : 100;
}

fl_usec fl_pace_rest(fl_usec worked, uint64_t lag, size_t allowed)
{
    unsigned share = fl_pace_share(lag, allowed);
    fl_usec rest = worked * (100 - share) / share;
    return rest < REST_MOST ? rest : REST_MOST;
}

void fl_store_rest(struct fl_store *s, fl_usec worked)
{
    if (atomic_load(&s->closing) || fl_mono() >= atomic_load(&s->pace.hot_until))
        return;
    /* A large batch has worked for long and so rests for long: how long is asked again at each nap, because the lag
     * grows meanwhile, and with it the share. */
    fl_usec began = fl_mono(), now = began;
    while (now < atomic_load(&s->pace.hot_until)) {
        fl_usec left = began + fl_pace_rest(worked, fl_store_lag(s), fl_store_lag_allowed(s)) - now;
        if (left <= 0 || !fl_store_nap(s, left < WINDOW / 4 ? left : WINDOW / 4) || atomic_load(&s->closing))
            return;
        now = fl_mono();
    }
}
