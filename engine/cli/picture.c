/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/picture.c -- contract in picture.h. The layout runs here, in a process with one thread: igraph knows
 * no more, and the engine's core thread has better things to do. */
#include "picture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { CANDIDATES_DRAWN = 10, PICTURE_MAX = 4 << 20 };

/* The first path of its contributions: they stand by weight. */
static const struct fl_contribution *path_of(const struct fl_ranking *r)
{
    for (size_t i = 0; r->n_candidates && i < r->candidates[0].n_contributions; i++)
        if (r->candidates[0].contributions[i].n_path > 1)
            return &r->candidates[0].contributions[i];
    return NULL;
}

static fl_status save(const char *file, const struct fl_buf *b, struct fl_err *err)
{
    FILE *f = fopen(file, "we");
    bool ok = f && fwrite(b->p, 1, b->n, f) == b->n;
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? FL_OK : fl_fail(err, FL_E_IO, file, "cannot write the picture: %s", strerror(errno));
}

fl_status picture_write(const struct fl_topo *t, const char *title, const struct fl_ranking *r,
                        const fl_vertex *alerts, size_t n_alerts, const char *ranked_on, const char *file,
                        struct fl_err *err)
{
    const struct fl_contribution *way = path_of(r);
    fl_vertex candidates[CANDIDATES_DRAWN], path[64];
    double confidence[CANDIDATES_DRAWN];
    FL_AUTO_BUF out = fl_buf_init(PICTURE_MAX);
    struct fl_draw d = {.title = title,
                        .path = path,
                        .candidates = candidates,
                        .confidence = confidence,
                        .alerts = alerts,
                        .n_alerts = n_alerts,
                        .convincing = r->convincing,
                        .ranked_on = ranked_on};
    for (; d.n_candidates < r->n_candidates && d.n_candidates < CANDIDATES_DRAWN; d.n_candidates++) {
        candidates[d.n_candidates] = fl_topo_find(t, r->candidates[d.n_candidates].node);
        confidence[d.n_candidates] = r->candidates[d.n_candidates].confidence;
    }
    for (; way && d.n_path < way->n_path && d.n_path < FL_ARRAY_LEN(path); d.n_path++)
        path[d.n_path] = fl_topo_find(t, way->path[d.n_path]);
    fl_status st = fl_topo_svg(t, &d, &out, err);
    return st ? st : save(file, &out, err);
}
