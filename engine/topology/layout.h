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
    PORT_GAP = 22       /* at most, from one to the next */
};

struct box {
    fl_vertex v;
    unsigned rank; /* among the candidates from 1; 0: none */
    unsigned step; /* on the path from 1; 0: not on it */
    size_t alerts;
    double confidence;
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
    struct box *box;
    size_t n, left_out;
    struct line *line;
    size_t m, lines_left_out, nowhere; /* nowhere: alerts on no component */
    struct fl_sugiyama at;
    double min_x, max_x, max_y;
};

/** Pixels of a place in the layout. */
long picture_across(const struct picture *p, double x);
long picture_down(double y);
/** The whole SVG. */
void picture_write_svg(const struct picture *p, struct fl_buf *out);
