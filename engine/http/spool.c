/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/spool.c -- a long answer made piece by piece: what is over a megabyte goes to a file without a name, from
 * which the kernel sends it, so that a list of a million alerts costs no memory and a slow reader holds none (layer 5). */
#include "http_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { IN_MEMORY = 1 << 20 };
static const uint64_t SPOOL_MAX = UINT64_C(4) << 30;

void spool_init(struct spool *s, struct fl_http *h)
{
    *s = (struct spool){.http = h, .b = fl_buf_init(REPLY_MAX), .fd = -1};
}

void spool_done(struct spool *s)
{
    fl_buf_done(&s->b);
    if (s->fd >= 0) {
        close(s->fd);
        atomic_fetch_sub(&s->http->spools, 1);
    }
    s->fd = -1;
}

static bool open_file(struct spool *s)
{
    if (atomic_fetch_add(&s->http->spools, 1) >= SPOOLS_MAX) {
        atomic_fetch_sub(&s->http->spools, 1);
        return false;
    }
    const char *dirs[] = {s->http->o.spool_dir, "/var/tmp", "/tmp"};
    for (size_t i = 0; i < FL_ARRAY_LEN(dirs) && s->fd < 0; i++)
        if (dirs[i])
            s->fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0)
        atomic_fetch_sub(&s->http->spools, 1);
    return s->fd >= 0;
}

static bool write_out(struct spool *s)
{
    const char *p = s->b.p;
    for (size_t left = s->b.n; left;) {
        ssize_t n = write(s->fd, p, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        left -= (size_t)n;
    }
    s->n += s->b.n;
    fl_buf_reset(&s->b);
    return s->n <= SPOOL_MAX;
}

bool spool_turn(struct spool *s)
{
    if (s->b.n < IN_MEMORY || s->failed)
        return !s->failed;
    /* Without a file it stays in memory, within the limit of any answer. */
    if (s->fd < 0 && !open_file(s))
        return true;
    s->failed = !write_out(s);
    return !s->failed;
}

void reply_spool(struct request *r, unsigned code, const char *type, struct spool *s)
{
    if (s->fd < 0) {
        reply_buf(r, code, type, &s->b);
        return;
    }
    if (s->failed || s->b.failed || !write_out(s)) {
        spool_done(s);
        reply_error(r, 503, "too_large", NULL, "ask for less with filter=", "the answer could not be stored");
        return;
    }
    int fd = s->fd;
    s->fd = -1;
    fl_buf_done(&s->b);
    reply_file(r, code, type, fd, s->n);
}
