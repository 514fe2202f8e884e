/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/topology/layout.h -- one picture between choosing and placing (layout.c) and writing (svg.c). */
#pragma once

#include "topo_internal.h"

enum {
    BOX_W = 196,
    BOX_H = 62,
    COLUMN = 224, /* from one box to the next of a layer */
    LAYER = 126,
    MARGIN = 28,
    HEAD = 40, /* room of the title */
    LEGEND = 82,
    PORTS = BOX_W - 56, /* of a box's side, where lines begin and end */
    PORT_GAP = 22,      /* at most, from one to the next */
    LAYER_MOST = 8,     /* boxes of a layer; the path and the candidates may be more */
    COLUMNS_MOST = 12   /* of the whole picture: with lines that pass, and layers that are shifted */
};

struct box {
    fl_vertex v;
    unsigned rank; /* among the candidates from 1; 0: none */
    unsigned step; /* on the path from 1; 0: not on it */
    size_t alerts;
    double confidence;
    unsigned fold; /* which stack it is, or is in; 0: none */
    size_t folded; /* a stack: how many components it stands for; 0: it is no stack */
    long x, y; /* middle */
};
struct line {
    unsigned from, to; /* boxes */
    const char *type;
    unsigned types;    /* how many edges stand for this one */
    bool path, down;   /* down: it leaves its box below */
    long x_from, x_to; /* where it leaves and arrives */
};
struct picture {
    const struct fl_topo *t;
    const struct fl_draw *what;
    struct box *box;   /* as they are drawn; v of a stack: -1 */
    size_t n, left_out;
    struct box *whole; /* each component by itself */
    size_t n_whole;
    unsigned folds;    /* ids of stacks that were given */
    struct line *line;
    size_t m, lines_left_out, nowhere; /* nowhere: alerts on no component */
    struct fl_sugiyama at;
    double min_x, max_x, max_y;
};

/** Pixels of a place in the layout. */
long picture_across(const struct picture *p, double x);
long picture_down(double y);
/** Where boxes and lines stand, as they are. */
fl_status picture_place(struct picture *p, struct fl_arena *arena, struct fl_err *err);
/** The same, with what makes it too wide folded or left out. */
fl_status picture_fit(struct picture *p, struct fl_arena *arena, struct fl_err *err);
/** The whole SVG. */
void picture_write_svg(const struct picture *p, struct fl_buf *out);
