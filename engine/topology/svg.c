/* SPDX-License-Identifier: GPL-3.0-or-later */
/* svg.c -- a placed picture as SVG: told by shape and words as well as by colour, and in words for whom it is read aloud. */
#include <math.h>
#include <string.h>

#include "layout.h"

enum { NAME_MAX_CHARS = 26, TITLE_MAX_CHARS = 100 };

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

/* About how wide a text is, pixels: of the wide ones among the fonts that `sans-serif` may be. */
static long width_of(const char *s, size_t most, double size)
{
    double em = 0;
    size_t chars = 0;
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        if ((*p & 0xc0) == 0x80)
            continue;
        if (most && chars++ == most)
            return lround(size * (em + 1));
        em += *p >= 0xe1                                             ? 1.0
              : *p >= 0x80                                           ? 0.65
              : strchr("iljtfrI.,:;|'!()[] -", *p)                   ? 0.38
              : strchr("mwMW@%", *p)                                 ? 0.95
              : (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ? 0.67
                                                                     : 0.61;
    }
    return lround(size * em);
}

/* A line of a box, in its middle; one that would be wider than the box is set smaller, not cut at its edge. */
static void put_centred(struct fl_buf *out, const char *class, double size, long x, long y, const char *s,
                        size_t most)
{
    fl_buf_printf(out, "<text%s text-anchor=\"middle\" x=\"%ld\" y=\"%ld\"", class, x, y);
    long width = width_of(s, most, size);
    if (width > BOX_W - 24) { /* in tenths: no locale's comma */
        long tenths = lround(10 * size) * (BOX_W - 24) / width;
        fl_buf_printf(out, " style=\"font-size:%ld.%ldpx\"", tenths / 10, tenths % 10);
    }
    fl_buf_chr(out, '>');
    put(out, s, most);
    fl_buf_str(out, "</text>");
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

/* Which graph this is: the ranking may have seen another one. */
static void put_version(const struct picture *p, struct fl_buf *out)
{
    char now[65];
    const char *then = p->what->ranked_on;
    fl_sha256_hex(&p->t->hash, now);
    fl_buf_printf(out, "topology version %.12s", now);
    if (then && *then && strcmp(then, now) != 0) {
        fl_buf_str(out, " (the ranking used ");
        fl_buf_printf(out, "%.12s", then);
        fl_buf_str(out, ": components and dependencies may have changed since)");
    }
}

/* The same picture for whom it is read aloud. */
static void put_description(const struct picture *p, struct fl_buf *out)
{
    const struct fl_draw *w = p->what;
    bool first = true;
    fl_buf_str(out, "<desc id=\"d\">");
    for (size_t i = 0; i < p->n_whole; i++)
        if (p->whole[i].rank == 1) {
            fl_buf_str(out, w->convincing ? "Likely cause: " : "No convincing cause; best guess: ");
            put(out, id_of(p, p->whole[i].v), 0);
            fl_buf_printf(out, ", %ld %%. ", lround(100 * p->whole[i].confidence));
        }
    for (size_t i = 0; i < w->n_path; i++)
        if (w->path[i] >= 0 && (size_t)w->path[i] < p->t->n) {
            fl_buf_str(out, first ? "Path: " : " → ");
            put(out, id_of(p, w->path[i]), 0);
            first = false;
        }
    fl_buf_str(out, first ? "" : ". ");
    first = true;
    for (size_t i = 0; i < p->n_whole; i++)
        if (p->whole[i].alerts) {
            fl_buf_str(out, first ? "Alerts: " : ", ");
            put(out, id_of(p, p->whole[i].v), 0);
            fl_buf_printf(out, " (%zu)", p->whole[i].alerts);
            first = false;
        }
    fl_buf_str(out, first ? "No alert on a known component. Drawn on " : ". Drawn on ");
    put_version(p, out);
    fl_buf_str(out, ".</desc>\n");
}

static const char style[] =
    "<style>.g{fill:#fff}text{font:13px sans-serif;fill:#111}.s{font-size:11px}.t{font-size:16px;font-weight:bold}"
    ".b{fill:#fff;stroke:#444;stroke-width:1.2}.a{fill:#fdeeda}.c{stroke:#a00;stroke-width:2.5}.i{fill:none}"
    ".e{fill:none;stroke:#777;stroke-width:1.2}.p{stroke:#a00;stroke-width:4}.h{fill:#777}.k{fill:#a00}"
    "@media(prefers-color-scheme:dark){.g{fill:#1b1b1b}text{fill:#eee}.b{fill:#2a2a2a;stroke:#bbb}"
    ".a{fill:#4a3a1c}.i{fill:none}.c{stroke:#f88}.e{stroke:#999}.h{fill:#999}.p{stroke:#f88}.k{fill:#f88}}</style>\n"
    "<defs><marker id=\"h\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"9\" markerHeight=\"9\" "
    "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"h\" d=\"M0 0L8 4L0 8z\"/></marker>"
    "<marker id=\"k\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"15\" markerHeight=\"15\" "
    "markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"k\" d=\"M0 0L8 4L0 8z\"/></marker></defs>\n";

/* Sideways only between the layers, along an S; straight down beside the boxes of a layer: a line crosses no box. */
static void put_curve(long *x, long *y, long to_x, long to_y, struct fl_buf *out)
{
    long half = (to_y - *y) / 2;
    if (*x == to_x)
        fl_buf_printf(out, "V%ld", to_y);
    else
        fl_buf_printf(out, "C%ld %ld %ld %ld %ld %ld", *x, *y + half, to_x, to_y - half, to_x, to_y);
    *x = to_x;
    *y = to_y;
}

static void put_end(const struct picture *p, const struct box *b, struct fl_buf *out)
{
    if (b->folded)
        fl_buf_printf(out, "%zu components", b->folded);
    else
        put(out, id_of(p, b->v), 0);
}

/* An edge leaves its box on the side of the other end; through the layers between it runs where the layout kept room. */
static void put_line(const struct picture *p, size_t e, struct fl_buf *out)
{
    const struct line *l = &p->line[e];
    const struct box *a = &p->box[l->from], *b = &p->box[l->to];
    long side = l->down ? BOX_H / 2 : -BOX_H / 2, x = l->x_from, y = a->y + side;
    fl_buf_printf(out, "<path class=\"e%s\" marker-end=\"url(#%s)\" d=\"M%ld %ld", l->path ? " p" : "",
                  l->path ? "k" : "h", x, y);
    for (size_t i = p->at.bend_off[e]; i < p->at.bend_off[e + 1]; i++) {
        const struct fl_spot *s = &p->at.spot[p->at.bend[i]];
        put_curve(&x, &y, picture_across(p, s->x), picture_down(s->y) - side, out);
        put_curve(&x, &y, picture_across(p, s->x), picture_down(s->y) + side, out);
    }
    put_curve(&x, &y, l->x_to, b->y - side, out);
    fl_buf_str(out, "\"><title>");
    put_end(p, a, out);
    fl_buf_str(out, " → ");
    put_end(p, b, out);
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

/* The type that all in a stack have. */
static const char *stack_type(const struct picture *p, const struct box *b)
{
    const char *type = NULL;
    for (size_t i = 0; i < p->n_whole; i++) {
        if (p->whole[i].fold != b->fold)
            continue;
        const char *t = p->t->nodes[p->whole[i].v].type;
        if (type && !fl_streq(type, t))
            return "of several types";
        type = t;
    }
    return type ? type : "";
}

/* Several components as one box with another behind it; who they are is told when it is pointed at. */
static void put_stack(const struct picture *p, const struct box *b, struct fl_buf *out)
{
    long x = b->x - BOX_W / 2, y = b->y - BOX_H / 2;
    const char *gap = "";
    fl_buf_str(out, "<g><title>");
    for (size_t i = 0; i < p->n_whole; i++) {
        if (p->whole[i].fold != b->fold)
            continue;
        fl_buf_str(out, gap);
        put(out, id_of(p, p->whole[i].v), 0);
        gap = ", ";
    }
    fl_buf_str(out, "</title>");
    const char *filled = b->alerts ? " a" : "";
    for (int k = 2; k >= 0; k--)
        fl_buf_printf(out, "<rect class=\"b%s\" x=\"%ld\" y=\"%ld\" width=\"%d\" height=\"%d\" rx=\"3\"/>",
                      filled, x + 4 * k, y + 4 * k, BOX_W - 8, BOX_H - 8);
    FL_AUTO_BUF text = fl_buf_init(1 << 12);
    fl_buf_printf(&text, "%sand %zu more", b->alerts ? "▲ " : "", b->folded);
    put_centred(out, "", 13, b->x - 4, y + 19, text.p ? text.p : "", 0);
    put_centred(out, " class=\"s\"", 11, b->x - 4, y + 34, stack_type(p, b), NAME_MAX_CHARS);
    fl_buf_reset(&text);
    put_alerts(&text, b->alerts);
    put_centred(out, " class=\"s\"", 11, b->x - 4, y + 48, text.p ? text.p : "", 0);
    fl_buf_str(out, "</g>\n");
}

static void put_box(const struct picture *p, const struct box *b, struct fl_buf *out)
{
    if (b->folded) {
        put_stack(p, b, out);
        return;
    }
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
    FL_AUTO_BUF text = fl_buf_init(1 << 16);
    fl_buf_printf(&text, "%s%s", b->alerts ? "▲ " : "", node->id);
    put_centred(out, "", 13, b->x, y + 21, text.p ? text.p : node->id, NAME_MAX_CHARS);
    put_centred(out, " class=\"s\"", 11, b->x, y + 37, node->type, NAME_MAX_CHARS);
    fl_buf_reset(&text);
    put_role(p, b, &text);
    put_centred(out, " class=\"s\"", 11, b->x, y + 52, text.p ? text.p : "", 0);
    fl_buf_str(out, "</g>\n");
}

static void put_left_out(const struct picture *p, struct fl_buf *out)
{
    const char *gap = "not drawn: ";
    if (p->left_out) {
        fl_buf_printf(out, "%s%zu more alerting component%s", gap, p->left_out, p->left_out == 1 ? "" : "s");
        gap = ", ";
    }
    if (p->lines_left_out) {
        fl_buf_printf(out, "%s%zu more dependenc%s", gap, p->lines_left_out,
                      p->lines_left_out == 1 ? "y" : "ies");
        gap = ", ";
    }
    if (p->nowhere) {
        fl_buf_str(out, gap);
        put_alerts(out, p->nowhere);
        fl_buf_str(out, " on no known component");
    }
}

/* The lines under the picture. @return the widest, pixels. */
static long put_legend(const struct picture *p, long y, struct fl_buf *out)
{
    FL_AUTO_BUF version = fl_buf_init(1 << 12), rest = fl_buf_init(1 << 12), shapes = fl_buf_init(1 << 12);
    put_version(p, &version);
    fl_buf_printf(&shapes, "%s · round ends: candidate%s",
                  p->what->convincing ? "double octagon: likely cause" : "no convincing cause",
                  p->folds ? " · stack: several components" : "");
    put_left_out(p, &rest);
    const char *const lines[] = {
        shapes.p, "▲ has alerts · thick line: path from the cause · arrows point at what is needed",
        version.p, rest.p};
    long widest = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(lines); i++) {
        if (!lines[i])
            continue;
        long width = width_of(lines[i], 0, 11);
        widest = width > widest ? width : widest;
        if (out)
            fl_buf_printf(out, "<text class=\"s\" x=\"%d\" y=\"%ld\">%s</text>\n", MARGIN, y + 16 * (long)i,
                          lines[i]);
    }
    return widest;
}

void picture_write_svg(const struct picture *p, struct fl_buf *out)
{
    const char *title = p->what->title ? p->what->title : "Incident";
    long w = picture_across(p, p->max_x) + BOX_W / 2 + MARGIN,
         h = picture_down(p->max_y) + BOX_H / 2 + MARGIN;
    const long words[] = {put_legend(p, 0, NULL),
                          width_of(title, TITLE_MAX_CHARS, 17.5)}; /* the title is bold */
    for (size_t i = 0; i < FL_ARRAY_LEN(words); i++)
        w = w < words[i] + 2 * MARGIN ? words[i] + 2 * MARGIN : w;
    fl_buf_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%ld\" height=\"%ld\" viewBox=\"0 0 %ld %ld\" "
        "role=\"img\" aria-labelledby=\"n d\">\n<title id=\"n\">",
        w, h + LEGEND, w, h + LEGEND);
    put(out, title, 0);
    fl_buf_str(out, "</title>\n");
    put_description(p, out);
    fl_buf_str(out, style);
    fl_buf_str(out, "<rect class=\"g\" width=\"100%\" height=\"100%\"/>\n");
    fl_buf_printf(out, "<text class=\"t\" x=\"%d\" y=\"%d\">", MARGIN, MARGIN + 8);
    put(out, title, TITLE_MAX_CHARS);
    fl_buf_str(out, "</text>\n");
    for (size_t e = p->m; e--;) /* the path last: on top of the others */
        put_line(p, e, out);
    for (size_t i = 0; i < p->n; i++)
        put_box(p, &p->box[i], out);
    put_legend(p, h + 12, out);
    fl_buf_str(out, "</svg>\n");
}
