/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fold.c -- a picture that fits a page: of a wide layer the most telling boxes stay, the others become one that says how many they
 * are; where lines that run past many layers take too much room, the longest are left out, and it is said. Path and candidates stay. */
#include <stdlib.h>
#include <string.h>

#include "layout.h"

enum {
    ROUNDS = 40,  /* a few in most cases */
    TANGLE = 1000 /* bends: folding alone does not help, and placing them takes some 20 ms */
};

/* What there is to draw, before anything is folded. */
struct whole {
    struct box *box;
    size_t n;
    struct line *line;
    size_t m;
    unsigned *fold; /* of each box; 0: it stands alone */
    unsigned *now;  /* where it is among the boxes as they are drawn */
    bool *dropped;  /* of each line */
    unsigned folds;
};

static fl_status begin(struct picture *p, struct fl_arena *arena, struct whole *w, struct fl_err *err)
{
    *w = (struct whole){.box = p->box, .n = p->n, .line = p->line, .m = p->m};
    w->fold = fl_arena_calloc(arena, p->n + 1, sizeof *w->fold);
    w->now = fl_arena_calloc(arena, p->n + 1, sizeof *w->now);
    w->dropped = fl_arena_calloc(arena, p->m + 1, sizeof *w->dropped);
    p->box = fl_arena_calloc(arena, p->n + 1, sizeof *p->box);
    p->line = fl_arena_calloc(arena, p->m + 1, sizeof *p->line);
    if (!w->fold || !w->now || !w->dropped || !p->box || !p->line)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    p->whole = w->box;
    p->n_whole = w->n;
    return FL_OK;
}

/* ---- boxes and lines as they are drawn ---- */

static struct box *fold_box(struct picture *p, unsigned fold)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->box[i].fold == fold)
            return &p->box[i];
    p->box[p->n] = (struct box){.v = -1, .fold = fold};
    return &p->box[p->n++];
}

static void make_boxes(struct picture *p, struct whole *w)
{
    p->n = 0;
    for (size_t i = 0; i < w->n; i++) {
        w->box[i].fold = w->fold[i];
        if (w->fold[i])
            continue;
        w->now[i] = (unsigned)p->n;
        p->box[p->n++] = w->box[i];
    }
    for (size_t i = 0; i < w->n; i++) {
        if (!w->fold[i])
            continue;
        struct box *b = fold_box(p, w->fold[i]);
        b->folded++;
        b->alerts += w->box[i].alerts;
        w->now[i] = (unsigned)(b - p->box);
    }
}

static void make_lines(struct picture *p, const struct whole *w)
{
    p->m = 0;
    for (size_t e = 0; e < w->m; e++) {
        unsigned from = w->now[w->line[e].from], to = w->now[w->line[e].to];
        if (w->dropped[e] || from == to)
            continue;
        size_t k = 0;
        while (k < p->m && (p->line[k].from != from || p->line[k].to != to))
            k++;
        if (k < p->m) {
            p->line[k].types += w->line[e].types;
            continue;
        }
        p->line[p->m] = w->line[e];
        p->line[p->m].from = from;
        p->line[p->m++].to = to;
    }
}

/* ---- layers that are too wide ---- */

static bool stays(const struct box *b)
{
    return b->step || b->rank;
}

/* First who is to stay. */
static int telling(const void *a, const void *b)
{
    const struct box *x = *(struct box *const *)a, *y = *(struct box *const *)b;
    if (stays(x) != stays(y))
        return stays(x) ? -1 : 1;
    if (!x->fold != !y->fold)
        return x->fold ? 1 : -1;
    if (x->alerts != y->alerts)
        return x->alerts > y->alerts ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void fold_these(struct whole *w, const struct picture *p, struct box *const *v, size_t n)
{
    unsigned id = ++w->folds;
    for (size_t i = 0; i < w->n; i++)
        for (size_t k = 0; k < n; k++)
            if (&p->box[w->now[i]] == v[k])
                w->fold[i] = id;
}

/* @return whether a layer had more than `most` boxes and has fewer now. */
static bool fold_layers(struct picture *p, struct whole *w, size_t most)
{
    struct box *v[FL_DRAW_NODES_MAX];
    bool any = false;
    for (double y = 0; y <= p->max_y; y += 1) {
        size_t n = 0, keep = 0;
        for (size_t i = 0; i < p->n; i++)
            if (p->at.spot[i].y == y)
                v[n++] = &p->box[i];
        if (n <= most)
            continue;
        qsort(v, n, sizeof *v, telling);
        while (keep < n && (keep + 1 < most || stays(v[keep])))
            keep++;
        if (n - keep < 2)
            continue;
        fold_these(w, p, v + keep, n - keep);
        any = true;
    }
    return any;
}

/* ---- lines that take too much room ---- */

static size_t bends_of(const struct picture *p, size_t e)
{
    return p->at.bend_off[e + 1] - p->at.bend_off[e];
}

static void drop(struct picture *p, struct whole *w, size_t e)
{
    for (size_t i = 0; i < w->m; i++)
        if (!w->dropped[i] && w->now[w->line[i].from] == p->line[e].from &&
            w->now[w->line[i].to] == p->line[e].to) {
            w->dropped[i] = true;
            p->lines_left_out += w->line[i].types;
        }
}

/* What may be left out, of the lines as they are drawn. */
struct pruning {
    size_t *places; /* of each layer: boxes and lines that pass */
    size_t *lines;  /* of each box */
    bool *gone;
    size_t most; /* places of a layer */
    bool last;   /* even the only line of a box */
};

static bool needed(const struct picture *p, const struct pruning *x, size_t e)
{
    const struct line *l = &p->line[e];
    return l->path || (!x->last && (x->lines[l->from] < 2 || x->lines[l->to] < 2));
}

/* The line with the most bends that passes a layer with too many places; p->m: there is none. */
static size_t widest_line(const struct picture *p, const struct pruning *x)
{
    size_t best = p->m;
    for (size_t e = 0; e < p->m; e++) {
        bool passes = false;
        for (size_t i = p->at.bend_off[e]; i < p->at.bend_off[e + 1]; i++)
            passes |= x->places[(size_t)p->at.spot[p->at.bend[i]].y] > x->most;
        if (passes && !x->gone[e] && !needed(p, x, e) && (best == p->m || bends_of(p, e) > bends_of(p, best)))
            best = e;
    }
    return best;
}

/* Until no layer has too many places. @return whether a line was left out. */
static bool drop_lines(struct picture *p, struct whole *w, struct fl_arena *arena, size_t most, bool last)
{
    size_t all = p->n + p->at.bend_off[p->m], e;
    struct pruning x = {.places = fl_arena_calloc(arena, (size_t)p->max_y + 1, sizeof *x.places),
                        .lines = fl_arena_calloc(arena, p->n + 1, sizeof *x.lines),
                        .gone = fl_arena_calloc(arena, p->m + 1, sizeof *x.gone),
                        .most = most,
                        .last = last};
    bool any = false;
    if (!x.places || !x.lines || !x.gone)
        return false;
    for (size_t i = 0; i < all; i++)
        x.places[(size_t)p->at.spot[i].y]++;
    for (e = 0; e < p->m; e++) {
        x.lines[p->line[e].from]++;
        x.lines[p->line[e].to]++;
    }
    while ((e = widest_line(p, &x)) < p->m) {
        for (size_t i = p->at.bend_off[e]; i < p->at.bend_off[e + 1]; i++)
            x.places[(size_t)p->at.spot[p->at.bend[i]].y]--;
        x.lines[p->line[e].from]--;
        x.lines[p->line[e].to]--;
        x.gone[e] = any = true;
    }
    for (e = 0; e < p->m; e++)
        if (x.gone[e])
            drop(p, w, e);
    return any;
}

fl_status picture_fit(struct picture *p, struct fl_arena *arena, struct fl_err *err)
{
    struct whole w;
    fl_status st = begin(p, arena, &w, err);
    size_t boxes = LAYER_MOST, places = COLUMNS_MOST;
    for (int round = 0; st == FL_OK; round++) {
        make_boxes(p, &w);
        make_lines(p, &w);
        st = picture_place(p, arena, err);
        if (st || round == ROUNDS || !p->n)
            break;
        bool folded = fold_layers(p, &w, boxes), tangle = p->at.bend_off[p->m] > TANGLE;
        if (folded && !tangle)
            continue;
        if (!folded && p->max_x - p->min_x + 1 <= COLUMNS_MOST)
            break;
        if (drop_lines(p, &w, arena, places, boxes == 2 && places == 2) || folded)
            continue;
        /* Layers are shifted against each other: fewer in each, until only the path and the candidates are left. */
        size_t by = p->max_x - p->min_x > 2 * COLUMNS_MOST ? 3 : 1;
        boxes = boxes > 2 + by ? boxes - by : 2;
        places = places > 2 + by ? places - by : 2;
    }
    p->folds = w.folds;
    return st;
}
