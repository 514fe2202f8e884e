/* SPDX-License-Identifier: GPL-3.0-or-later */
/* layout.c -- the picture of one incident: which vertices, where they stand, and the SVG of it. Coordinates are
 * whole pixels, so that the bytes depend on no locale and on no last bit of a sum. */
#include <math.h>
#include <string.h>

#include "topo_internal.h"

enum {
    BOX_W = 196,
    BOX_H = 62,
    COLUMN = 224, /* from one box to the next of a layer */
    LAYER = 118,
    MARGIN = 28,
    HEAD = 40, /* room of the title */
    LEGEND = 66,
    NAME_MAX_CHARS = 26
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
    unsigned types; /* how many edges stand for this one */
    bool path;
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
                        (unsigned)i, j, fl_topo_edge_type(p->t, p->box[i].v, FL_DIR_NEEDS, k), 1, pass == 0};
                }
            }
        }
    return FL_OK;
}

/* ---- where ---- */

static long across(const struct picture *p, double x)
{
    return MARGIN + BOX_W / 2 + lround((x - p->min_x) * COLUMN);
}

static long down(double y)
{
    return MARGIN + HEAD + BOX_H / 2 + lround(y * LAYER);
}

static fl_status place(struct picture *p, struct fl_arena *arena, struct fl_err *err)
{
    fl_vertex *ends = fl_arena_calloc(arena, 2 * p->m + 1, sizeof *ends);
    if (!ends)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t e = 0; e < p->m; e++) {
        ends[2 * e] = (fl_vertex)p->line[e].from;
        ends[2 * e + 1] = (fl_vertex)p->line[e].to;
    }
    if (!p->n)
        return FL_OK;
    fl_status st = fl_graph_sugiyama(arena, p->n, ends, p->m, &p->at, err);
    if (st)
        return st;
    size_t all = p->n + p->at.bend_off[p->m];
    p->min_x = p->max_x = p->at.spot[0].x;
    for (size_t i = 0; i < all; i++) {
        p->min_x = fmin(p->min_x, p->at.spot[i].x);
        p->max_x = fmax(p->max_x, p->at.spot[i].x);
        p->max_y = fmax(p->max_y, p->at.spot[i].y);
    }
    for (size_t i = 0; i < p->n; i++) {
        p->box[i].x = across(p, p->at.spot[i].x);
        p->box[i].y = down(p->at.spot[i].y);
    }
    return FL_OK;
}

/* ---- SVG ---- */

/* Text for XML: markup escaped, what XML 1.0 cannot carry shown as '?', cut to `most` characters (0: whole). */
static void put(struct fl_buf *out, const char *s, size_t most)
{
    size_t chars = 0, n = strlen(s);
    bool good = fl_utf8_valid(s, n);
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        bool starts = (*p & 0xc0) != 0x80;
        if (starts && most && chars == most) {
            fl_buf_str(out, "…");
            return;
        }
        chars += starts;
        bool odd = *p < 0x20 || *p == 0x7f || (*p >= 0x80 && !good) ||
                   (p[0] == 0xef && p[1] == 0xbf && (p[2] == 0xbe || p[2] == 0xbf)); /* U+FFFE, U+FFFF */
        if (odd && *p == 0xef && good)
            p += 2;
        if (odd)
            fl_buf_chr(out, '?');
        else if (*p == '&')
            fl_buf_str(out, "&amp;");
        else if (*p == '<')
            fl_buf_str(out, "&lt;");
        else if (*p == '>')
            fl_buf_str(out, "&gt;");
        else if (*p == '"')
            fl_buf_str(out, "&quot;");
        else
            fl_buf_chr(out, (char)*p);
    }
}

static const char *id_of(const struct picture *p, fl_vertex v)
{
    return p->t->nodes[v].id;
}

static bool is_cause(const struct picture *p, const struct box *b)
{
    return b->rank == 1 && p->what->convincing;
}

static void put_alerts(struct fl_buf *out, size_t n)
{
    fl_buf_printf(out, "%zu alert%s", n, n == 1 ? "" : "s");
}

/* What a box is, in words: "likely cause, 62 % · 3 alerts". */
static void put_role(const struct picture *p, const struct box *b, struct fl_buf *out)
{
    long sure = lround(100 * b->confidence);
    if (is_cause(p, b))
        fl_buf_printf(out, "likely cause, %ld %%", sure);
    else if (b->rank)
        fl_buf_printf(out, "candidate %u, %ld %%", b->rank, sure);
    if (b->rank && b->alerts)
        fl_buf_str(out, " · ");
    if (b->alerts)
        put_alerts(out, b->alerts);
    if (!b->rank && !b->alerts)
        fl_buf_str(out, "on the path");
}

/* The same picture for whom it is read aloud. */
static void put_description(const struct picture *p, struct fl_buf *out)
{
    const struct fl_draw *w = p->what;
    bool first = true;
    fl_buf_str(out, "<desc id=\"d\">");
    for (size_t i = 0; i < p->n; i++)
        if (p->box[i].rank == 1) {
            fl_buf_str(out, w->convincing ? "Likely cause: " : "No convincing cause; best guess: ");
            put(out, id_of(p, p->box[i].v), 0);
            fl_buf_printf(out, ", %ld %%. ", lround(100 * p->box[i].confidence));
        }
    for (size_t i = 0; i < w->n_path; i++)
        if (w->path[i] >= 0 && (size_t)w->path[i] < p->t->n) {
            fl_buf_str(out, first ? "Path: " : " → ");
            put(out, id_of(p, w->path[i]), 0);
            first = false;
        }
    fl_buf_str(out, first ? "" : ". ");
    first = true;
    for (size_t i = 0; i < p->n; i++)
        if (p->box[i].alerts) {
            fl_buf_str(out, first ? "Alerts: " : ", ");
            put(out, id_of(p, p->box[i].v), 0);
            fl_buf_printf(out, " (%zu)", p->box[i].alerts);
            first = false;
        }
    fl_buf_str(out, first ? "No alert on a known component.</desc>\n" : ".</desc>\n");
}

static const char style[] =
    "<style>text{font:13px sans-serif;fill:#111}.s{font-size:11px}.t{font-size:16px;font-weight:bold}"
    ".b{fill:#fff;stroke:#444;stroke-width:1.2}.a{fill:#fdeeda}.c{stroke:#a00;stroke-width:2.5}.i{fill:none}"
    ".e{fill:none;stroke:#888;stroke-width:1.2}.p{stroke:#a00;stroke-width:4}.h{fill:#888}.k{fill:#a00}"
    "@media(prefers-color-scheme:dark){svg{background:#1b1b1b}text{fill:#eee}.b{fill:#2a2a2a;stroke:#bbb}"
    ".a{fill:#4a3a1c}.i{fill:none}.c{stroke:#f88}.p{stroke:#f88}.k{fill:#f88}}</style>\n"
    "<defs><marker id=\"h\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" "
    "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"h\" d=\"M0 0L8 4L0 8z\"/></marker>"
    "<marker id=\"k\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"15\" markerHeight=\"15\" "
    "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"k\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n";

/* An edge leaves its box on the side of the other end; along bends it is drawn through their points. */
static void put_line(const struct picture *p, size_t e, struct fl_buf *out)
{
    const struct line *l = &p->line[e];
    const struct box *a = &p->box[l->from], *b = &p->box[l->to];
    size_t first = p->at.bend_off[e], end = p->at.bend_off[e + 1];
    long first_y = first < end ? down(p->at.spot[p->at.bend[first]].y) : b->y;
    long last_y = first < end ? down(p->at.spot[p->at.bend[end - 1]].y) : a->y;
    fl_buf_printf(out, "<path class=\"e%s\" marker-end=\"url(#%s)\" d=\"M%ld %ld", l->path ? " p" : "",
                  l->path ? "k" : "h", a->x, a->y + (first_y > a->y ? BOX_H / 2 : -BOX_H / 2));
    for (size_t i = first; i < end; i++)
        fl_buf_printf(out, "L%ld %ld", across(p, p->at.spot[p->at.bend[i]].x),
                      down(p->at.spot[p->at.bend[i]].y));
    fl_buf_printf(out, "L%ld %ld\"><title>", b->x, b->y + (last_y > b->y ? BOX_H / 2 : -BOX_H / 2));
    put(out, id_of(p, a->v), 0);
    fl_buf_str(out, " → ");
    put(out, id_of(p, b->v), 0);
    fl_buf_str(out, ": ");
    put(out, l->type, 0);
    if (l->types > 1)
        fl_buf_printf(out, " and %u more", l->types - 1);
    fl_buf_printf(out, "%s</title></path>\n", l->path ? " (on the path)" : "");
}

/* The cause: an octagon in an octagon; a candidate: round ends; anything else: a plain box. */
static void put_octagon(long x, long y, long w, long h, long cut, const char *class, struct fl_buf *out)
{
    fl_buf_printf(out, "<path class=\"%s\" d=\"M%ld %ldh%ldl%ld %ldv%ldl%ld %ldh%ldl%ld %ldv%ldz\"/>", class,
                  x + cut, y, w - 2 * cut, cut, cut, h - 2 * cut, -cut, cut, 2 * cut - w, -cut, -cut,
                  2 * cut - h);
}

static void put_box(const struct picture *p, const struct box *b, struct fl_buf *out)
{
    const struct fl_node *node = &p->t->nodes[b->v];
    long x = b->x - BOX_W / 2, y = b->y - BOX_H / 2;
    fl_buf_str(out, "<g><title>");
    put(out, node->id, 0);
    fl_buf_str(out, "</title>");
    const char *filled = b->alerts ? " a" : "";
    if (is_cause(p, b)) {
        put_octagon(x, y, BOX_W, BOX_H, 14, b->alerts ? "b a c" : "b c", out);
        put_octagon(x + 5, y + 5, BOX_W - 10, BOX_H - 10, 12, "b i", out);
    } else {
        fl_buf_printf(out, "<rect class=\"b%s\" x=\"%ld\" y=\"%ld\" width=\"%d\" height=\"%d\" rx=\"%d\"/>",
                      filled, x, y, BOX_W, BOX_H, b->rank ? BOX_H / 2 : 3);
    }
    fl_buf_printf(out, "<text text-anchor=\"middle\" x=\"%ld\" y=\"%ld\">%s", b->x, y + 21,
                  b->alerts ? "▲ " : "");
    put(out, node->id, NAME_MAX_CHARS - (b->alerts ? 2 : 0));
    fl_buf_printf(out, "</text><text class=\"s\" text-anchor=\"middle\" x=\"%ld\" y=\"%ld\">", b->x, y + 37);
    put(out, node->type, NAME_MAX_CHARS);
    fl_buf_printf(out, "</text><text class=\"s\" text-anchor=\"middle\" x=\"%ld\" y=\"%ld\">", b->x, y + 52);
    put_role(p, b, out);
    fl_buf_str(out, "</text></g>\n");
}

static void put_legend(const struct picture *p, long y, struct fl_buf *out)
{
    fl_buf_printf(
        out,
        "<text class=\"s\" x=\"%d\" y=\"%ld\">%s · ▲ has alerts · thick line: path from the cause</text>\n"
        "<text class=\"s\" x=\"%d\" y=\"%ld\">arrows point at what is needed</text>\n",
        MARGIN, y,
        p->what->convincing ? "double octagon: likely cause · round ends: candidate"
                            : "no convincing cause · round ends: candidate",
        MARGIN, y + 16);
    if (!p->left_out && !p->lines_left_out && !p->nowhere)
        return;
    fl_buf_printf(out, "<text class=\"s\" x=\"%d\" y=\"%ld\">", MARGIN, y + 32);
    const char *gap = "not drawn: ";
    if (p->left_out) {
        fl_buf_printf(out, "%s%zu more alerting components", gap, p->left_out);
        gap = ", ";
    }
    if (p->lines_left_out) {
        fl_buf_printf(out, "%s%zu more dependencies", gap, p->lines_left_out);
        gap = ", ";
    }
    if (p->nowhere) {
        fl_buf_str(out, gap);
        put_alerts(out, p->nowhere);
        fl_buf_str(out, " on no known component");
    }
    fl_buf_str(out, "</text>\n");
}

static void write_svg(const struct picture *p, struct fl_buf *out)
{
    const char *title = p->what->title ? p->what->title : "Incident";
    long w = across(p, p->max_x) + BOX_W / 2 + MARGIN, h = down(p->max_y) + BOX_H / 2 + MARGIN;
    w = w < 520 ? 520 : w; /* the legend's width */
    fl_buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%ld\" height=\"%ld\" viewBox=\"0 0 %ld %ld\" "
        "role=\"img\" aria-labelledby=\"n d\">\n<title id=\"n\">",
        w, h + LEGEND, w, h + LEGEND);
    put(out, title, 0);
    fl_buf_str(out, "</title>\n");
    put_description(p, out);
    fl_buf_str(out, style);
    fl_buf_printf(out, "<text class=\"t\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 8);
    put(out, title, 100);
    fl_buf_str(out, "</text>\n");
    for (size_t e = p->m; e--;) /* the path last: on top of the others */
        put_line(p, e, out);
    for (size_t i = 0; i < p->n; i++)
        put_box(p, &p->box[i], out);
    put_legend(p, h + 12, out);
    fl_buf_str(out, "</svg>\n");
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
        st = place(&p, arena, err);
    if (st)
        return st;
    write_svg(&p, out);
    return out->failed ? fl_fail(err, FL_E_LIMIT, NULL, "the picture is larger than %zu bytes", out->max)
                       : FL_OK;
}
