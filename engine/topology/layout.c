/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layout.c -- the picture of one incident: which vertices, and where they and their lines stand. Coordinates are whole
 * pixels, so that the bytes depend on no locale and on no last bit of a sum. The SVG of it: svg.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

/* ---- which vertices ---- */

static struct box *find_box(struct picture *p, fl_vertex v)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->box[i].v == v)
            return &p->box[i];
    return NULL;
}

static struct box *take(struct picture *p, fl_vertex v)
{
    if (v < 0 || (size_t)v >= p->t->n)
        return NULL;
    struct box *b = find_box(p, v);
    if (!b && p->n < FL_DRAW_NODES_MAX) {
        b = &p->box[p->n++];
        *b = (struct box){.v = v};
    }
    return b;
}

/* Most telling first, so that what the limit cuts off is the rest of the alerting components. */
static fl_status choose(struct picture *p, struct fl_arena *arena, struct fl_err *err)
{
    const struct fl_draw *w = p->what;
    uint8_t *missed = fl_arena_calloc(arena, p->t->n + 1, 1);
    p->box = fl_arena_calloc(arena, FL_DRAW_NODES_MAX, sizeof *p->box);
    if (!p->box || !missed)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < w->n_path; i++) {
        struct box *b = take(p, w->path[i]);
        if (b && !b->step)
            b->step = (unsigned)i + 1;
    }
    for (size_t i = 0; i < w->n_candidates; i++) {
        struct box *b = take(p, w->candidates[i]);
        if (b && !b->rank) {
            b->rank = (unsigned)i + 1;
            b->confidence = w->confidence ? w->confidence[i] : 0;
        }
    }
    for (size_t i = 0; i < w->n_alerts; i++) {
        struct box *b = take(p, w->alerts[i]);
        if (b) {
            b->alerts++;
        } else if (w->alerts[i] < 0 || (size_t)w->alerts[i] >= p->t->n) {
            p->nowhere++;
        } else {
            p->left_out += !missed[w->alerts[i]];
            missed[w->alerts[i]] = 1;
        }
    }
    return FL_OK;
}

/* Either way round: a path runs from the cause to what it hurts, against the direction of need. */
static bool on_path(const struct box *a, const struct box *b)
{
    return a->step && b->step && (a->step + 1 == b->step || b->step + 1 == a->step);
}

static fl_status connect(struct picture *p, struct fl_arena *arena, struct fl_err *err)
{
    p->line = fl_arena_calloc(arena, FL_DRAW_EDGES_MAX, sizeof *p->line);
    if (!p->line)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (int pass = 0; pass < 2; pass++) /* the path's first: the limit must not cut it */
        for (size_t i = 0; i < p->n; i++) {
            const fl_vertex *to;
            size_t n = fl_topo_neighbours(p->t, p->box[i].v, FL_DIR_NEEDS, &to);
            for (size_t k = 0; k < n; k++) {
                const struct box *b = find_box(p, to[k]);
                if (!b || on_path(&p->box[i], b) != (pass == 0))
                    continue;
                unsigned j = (unsigned)(b - p->box);
                struct line *last = p->m ? &p->line[p->m - 1] : NULL;
                if (last && last->from == i && last->to == j) {
                    last->types++; /* neighbours are sorted: the same pair comes in one go */
                } else if (p->m == FL_DRAW_EDGES_MAX) {
                    p->lines_left_out++;
                } else {
                    p->line[p->m++] = (struct line){
                        .from = (unsigned)i,
                        .to = j,
                        .type = fl_topo_edge_type(p->t, p->box[i].v, FL_DIR_NEEDS, k),
                        .types = 1,
                        .path = pass == 0};
                }
            }
        }
    return FL_OK;
}

/* ---- where ---- */

long picture_across(const struct picture *p, double x)
{
    return MARGIN + BOX_W / 2 + lround((x - p->min_x) * COLUMN);
}

long picture_down(double y)
{
    return MARGIN + HEAD + BOX_H / 2 + lround(y * LAYER);
}

static int spot_order(const void *a, const void *b)
{
    const struct fl_spot *x = *(struct fl_spot *const *)a, *y = *(struct fl_spot *const *)b;
    if (x->y != y->y)
        return x->y < y->y ? -1 : 1;
    if (x->x != y->x)
        return x->x < y->x ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Now and then igraph gives two places of a layer the same spot, or half of one: then the right one moves on. */
static fl_status keep_apart(struct picture *p, size_t all, struct fl_arena *arena, struct fl_err *err)
{
    struct fl_spot **v = fl_arena_calloc(arena, all + 1, sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < all; i++)
        v[i] = &p->at.spot[i];
    qsort(v, all, sizeof *v, spot_order);
    for (size_t i = 1; i < all; i++)
        if (v[i]->y == v[i - 1]->y && v[i]->x < v[i - 1]->x + 1)
            v[i]->x = v[i - 1]->x + 1;
    return FL_OK;
}

fl_status picture_place(struct picture *p, struct fl_arena *arena, struct fl_err *err)
{
    fl_vertex *ends = fl_arena_calloc(arena, 2 * p->m + 1, sizeof *ends);
    if (!ends)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t e = 0; e < p->m; e++) {
        ends[2 * e] = (fl_vertex)p->line[e].from;
        ends[2 * e + 1] = (fl_vertex)p->line[e].to;
    }
    p->min_x = p->max_x = p->max_y = 0;
    if (!p->n)
        return FL_OK;
    fl_status st = fl_graph_sugiyama(arena, p->n, ends, p->m, &p->at, err);
    if (st)
        return st;
    size_t all = p->n + p->at.bend_off[p->m];
    st = keep_apart(p, all, arena, err);
    if (st)
        return st;
    p->min_x = p->max_x = p->at.spot[0].x;
    for (size_t i = 0; i < all; i++) {
        p->min_x = fmin(p->min_x, p->at.spot[i].x);
        p->max_x = fmax(p->max_x, p->at.spot[i].x);
        p->max_y = fmax(p->max_y, p->at.spot[i].y);
    }
    for (size_t i = 0; i < p->n; i++) {
        p->box[i].x = picture_across(p, p->at.spot[i].x);
        p->box[i].y = picture_down(p->at.spot[i].y);
    }
    return FL_OK;
}

/* ---- where lines begin and end ---- */

/* One end of a line at one side of a box, and where it comes from. */
struct port {
    unsigned box;
    bool below;
    double from; /* x of the next place along the line */
    size_t line;
    bool start;
};

static int port_order(const void *a, const void *b)
{
    const struct port *x = a, *y = b;
    if (x->box != y->box)
        return x->box < y->box ? -1 : 1;
    if (x->below != y->below)
        return x->below ? 1 : -1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    return x->line != y->line ? (x->line < y->line ? -1 : 1) : (int)x->start - (int)y->start;
}

static const struct fl_spot *spot_after(const struct picture *p, size_t e, bool start)
{
    size_t first = p->at.bend_off[e], end = p->at.bend_off[e + 1];
    if (first == end)
        return &p->at.spot[start ? p->line[e].to : p->line[e].from];
    return &p->at.spot[p->at.bend[start ? first : end - 1]];
}

/* Lines of one side of a box stand beside each other, in the order of where they go: they neither hide nor cross there. */
static fl_status place_ports(struct picture *p, struct fl_arena *arena, struct fl_err *err)
{
    struct port *v = fl_arena_calloc(arena, 2 * p->m + 1, sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t e = 0; e < p->m; e++)
        for (int start = 0; start < 2; start++) {
            unsigned box = start ? p->line[e].from : p->line[e].to;
            const struct fl_spot *next = spot_after(p, e, start);
            bool below = next->y > p->at.spot[box].y;
            if (start)
                p->line[e].down = below;
            v[2 * e + (size_t)start] = (struct port){box, below, next->x, e, start};
        }
    if (p->m)
        qsort(v, 2 * p->m, sizeof *v, port_order);
    for (size_t i = 0, n; i < 2 * p->m; i += n) {
        for (n = 1; i + n < 2 * p->m && v[i + n].box == v[i].box && v[i + n].below == v[i].below;)
            n++;
        long gap = PORTS / (long)n < PORT_GAP ? PORTS / (long)n : PORT_GAP;
        for (size_t k = 0; k < n; k++) {
            struct line *l = &p->line[v[i + k].line];
            *(v[i + k].start ? &l->x_from : &l->x_to) = p->box[v[i].box].x +
                                                        (2 * (long)k - (long)n + 1) * gap / 2;
        }
    }
    return FL_OK;
}

fl_status fl_topo_svg(const struct fl_topo *t, const struct fl_draw *what, struct fl_buf *out,
                      struct fl_err *err)
{
    struct picture p = {.t = t, .what = what};
    FL_AUTO_ARENA arena = fl_arena_new(0);
    if (!arena)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = choose(&p, arena, err);
    if (!st)
        st = connect(&p, arena, err);
    if (!st)
        st = picture_fit(&p, arena, err);
    if (!st)
        st = place_ports(&p, arena, err);
    if (st)
        return st;
    picture_write_svg(&p, out);
    return out->failed ? fl_fail(err, FL_E_LIMIT, NULL, "the picture is larger than %zu bytes", out->max)
                       : FL_OK;
}
