/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_topology_layout.c -- the picture of an incident: marks, escaping, limits, the same bytes each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/topology.h>

static struct fl_topo *make(const struct fl_node *nodes, size_t n, const struct fl_edge *edges, size_t m)
{
    struct fl_topology_doc doc = {.nodes = nodes, .n_nodes = n, .edges = edges, .n_edges = m};
    struct fl_err err = {.status = FL_OK};
    struct fl_topo *t = NULL;
    if (fl_topo_new(&doc, &t, &err) != FL_OK)
        fail_msg("fl_topo_new: %s", err.text);
    return t;
}

static void draw(const struct fl_topo *t, const struct fl_draw *d, struct fl_buf *out)
{
    struct fl_err err = {.status = FL_OK};
    if (fl_topo_svg(t, d, out, &err) != FL_OK)
        fail_msg("fl_topo_svg: %s", err.text);
    assert_non_null(out->p);
}

static size_t times(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p += strlen(what))
        n++;
    return n;
}

static void has(const struct fl_buf *svg, const char *what)
{
    if (!strstr(svg->p, what))
        fail_msg("the picture lacks \"%s\":\n%s", what, svg->p);
}

/* web → cart → store, web → store across a layer, and a cycle cart ⇄ mail. */
static const struct fl_node shop_nodes[] = {
    {.id = "web", .type = "service"},  {.id = "cart", .type = "service"}, {.id = "store", .type = "store"},
    {.id = "mail", .type = "service"}, {.id = "far", .type = "service"},
};
static const struct fl_edge shop_edges[] = {
    {"web", "cart", "calls", 1}, {"cart", "store", "data", 1}, {"web", "store", "calls", 1},
    {"web", "store", "data", 1}, {"cart", "mail", "calls", 1}, {"mail", "cart", "calls", 1},
    {"far", "web", "calls", 1},
};

static struct fl_topo *shop(struct fl_draw *d, fl_vertex *v)
{
    static const double sure[] = {0.62, 0.2};
    struct fl_topo *t = make(shop_nodes, FL_ARRAY_LEN(shop_nodes), shop_edges, FL_ARRAY_LEN(shop_edges));
    const char *const ids[] = {"store", "cart", "web", "store", "mail", "web", "web", "nobody", "mail"};
    for (size_t i = 0; i < FL_ARRAY_LEN(ids); i++)
        v[i] = fl_topo_find(t, ids[i]);
    *d = (struct fl_draw){.title = "INC-1 shop",
                          .path = v,
                          .n_path = 3,
                          .candidates = v + 3,
                          .confidence = sure,
                          .n_candidates = 2,
                          .alerts = v + 5,
                          .n_alerts = 4,
                          .convincing = true};
    return t;
}

static void marks_cause_path_and_alerts_in_words(void **state)
{
    (void)state;
    struct fl_draw d;
    fl_vertex v[9];
    struct fl_topo *t = shop(&d, v);
    FL_AUTO_BUF svg = fl_buf_init(1 << 20);
    draw(t, &d, &svg);
    has(&svg, "<title id=\"n\">INC-1 shop</title>");
    has(&svg, "Likely cause: store, 62 %. Path: store → cart → web. Alerts: web (2), mail (1).");
    has(&svg, ">likely cause, 62 %</text>");
    has(&svg, ">candidate 2, 20 % · 1 alert</text>");
    has(&svg, ">▲ web</text>");
    has(&svg, ">on the path</text>");
    has(&svg, "not drawn: 1 alert on no known component");
    assert_int_equal(times(svg.p, "(on the path)"), 2);
    assert_int_equal(times(svg.p, "class=\"b c\""), 1); /* one octagon */
    assert_int_equal(times(svg.p, "<g>"), 4);           /* "far" has nothing to do with it */
    has(&svg, "web → store: calls and 1 more</title>"); /* one line for two edges, round the box between */
    fl_topo_free(t);
}

static void without_a_convincing_cause_none_is_marked(void **state)
{
    (void)state;
    struct fl_draw d;
    fl_vertex v[9];
    struct fl_topo *t = shop(&d, v);
    FL_AUTO_BUF svg = fl_buf_init(1 << 20);
    d.convincing = false;
    draw(t, &d, &svg);
    has(&svg, "No convincing cause; best guess: store, 62 %.");
    has(&svg, ">candidate 1, 62 %</text>");
    assert_int_equal(times(svg.p, "likely cause"), 0);
    fl_topo_free(t);
}

static void the_same_bytes_each_time(void **state)
{
    (void)state;
    struct fl_draw d;
    fl_vertex v[9];
    struct fl_topo *t = shop(&d, v), *again = shop(&d, v);
    FL_AUTO_BUF a = fl_buf_init(1 << 20), b = fl_buf_init(1 << 20);
    draw(t, &d, &a);
    draw(again, &d, &b);
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.p, b.p, a.n);
    fl_topo_free(t);
    fl_topo_free(again);
}

static void text_is_escaped_and_cut(void **state)
{
    (void)state;
    static const struct fl_node nodes[] = {
        {.id = "a<script>\"&'\x01", .type = "</style>"},
        {.id = "äöüäöüäöüäöüäöüäöüäöüäöüäöüäöü", .type = "service"},
        {.id = "bad\xff", .type = "nonchar\xef\xbf\xbe."},
    };
    static const struct fl_edge edges[] = {{"bad\xff", "a<script>\"&'\x01", "t<", 1}};
    static const fl_vertex all[] = {0, 1, 2};
    struct fl_topo *t = make(nodes, 3, edges, 1);
    FL_AUTO_BUF svg = fl_buf_init(1 << 20);
    struct fl_draw d = {.title = "<&>", .alerts = all, .n_alerts = 3};
    draw(t, &d, &svg);
    assert_int_equal(times(svg.p, "<script"), 0);
    assert_int_equal(times(svg.p, "</style>"), 1);
    has(&svg, "<title>a&lt;script&gt;&quot;&amp;'?</title>");
    has(&svg, "▲ äöüäöüäöüäöüäöüäöüäöüäöü…</text>");
    has(&svg, "bad?");
    has(&svg, "nonchar?.");
    assert_true(fl_utf8_valid(svg.p, svg.n));
    fl_topo_free(t);
}

static void nothing_to_draw_is_a_picture_too(void **state)
{
    (void)state;
    struct fl_topo *t = make(shop_nodes, 5, NULL, 0);
    FL_AUTO_BUF svg = fl_buf_init(1 << 20), small = fl_buf_init(100);
    struct fl_draw d = {.title = NULL};
    struct fl_err err = {.status = FL_OK};
    draw(t, &d, &svg);
    has(&svg, "No alert on a known component.");
    has(&svg, "</svg>\n");
    assert_int_equal(fl_topo_svg(t, &d, &small, &err), FL_E_LIMIT);
    fl_topo_free(t);
}

/* No wider than twelve boxes beside each other. */
static void fits_a_page(const struct fl_buf *svg)
{
    long width = 0;
    const char *w = strstr(svg->p, " width=\"");
    assert_int_equal(sscanf(w, " width=\"%ld\"", &width), 1);
    if (width > 12 * 224 + 28)
        fail_msg("the picture is %ld pixels wide", width);
}

/* Boxes that stand alone, and what the stacks say they stand for. */
static size_t boxes_and_folded(const struct fl_buf *svg)
{
    size_t n = times(svg->p, "<g>"), k;
    for (const char *p = svg->p; (p = strstr(p, "and ")); p++)
        if (sscanf(p, "and %zu more</text>", &k) == 1 &&
            strncmp(p + 4 + strspn(p + 4, "0123456789"), " more</text>", 12) == 0)
            n += k - 1;
    return n;
}

/* Everything alerts and everything needs everything: the limits hold, the path stays, and it is said. */
static void a_crowd_is_cut_and_said(void **state)
{
    (void)state;
    enum { N = 200 };
    static char ids[N][8];
    static struct fl_node nodes[N];
    static struct fl_edge edges[N * N];
    static fl_vertex all[N];
    size_t m = 0;
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "n%03d", i);
        nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
        all[i] = i;
        for (int k = 0; k < 20; k++)
            edges[m++] = (struct fl_edge){ids[i], ids[(i * 7 + k * k + 1) % N], "calls", 1};
    }
    for (int i = 197; i < 199; i++)
        edges[m++] = (struct fl_edge){ids[i], ids[i + 1], "calls", 1};
    struct fl_topo *t = make(nodes, N, edges, m);
    static const fl_vertex path[] = {199, 198, 197};
    struct fl_draw d = {.path = path,
                        .n_path = 3,
                        .candidates = path,
                        .n_candidates = 1,
                        .alerts = all,
                        .n_alerts = N,
                        .convincing = true};
    FL_AUTO_BUF svg = fl_buf_init(4 << 20);
    draw(t, &d, &svg);
    fits_a_page(&svg);
    assert_int_equal(boxes_and_folded(&svg), FL_DRAW_NODES_MAX);
    assert_true(times(svg.p, "class=\"e") > 0 && times(svg.p, "class=\"e") <= FL_DRAW_EDGES_MAX);
    has(&svg, "<title>n197 → n198: calls (on the path)</title>");
    has(&svg, "<title>n198 → n199: calls (on the path)</title>");
    has(&svg, "not drawn: 50 more alerting components, ");
    has(&svg, " more dependencies");
    fl_topo_free(t);
}

/* The deepest picture there can be: a chain of 150 with edges over 70 layers, each drawn along its bends. */
static void a_deep_chain_is_drawn_along_its_bends(void **state)
{
    (void)state;
    enum { N = 150, LONG = 70, EVERY = 35 };
    static char ids[N][8];
    static struct fl_node nodes[N];
    static struct fl_edge edges[2 * N];
    static fl_vertex all[N];
    size_t m = 0;
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "n%03d", i);
        nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
        all[i] = i;
    }
    for (int i = 0; i + 1 < N; i++)
        edges[m++] = (struct fl_edge){ids[i], ids[i + 1], "calls", 1};
    for (int i = 0; i + LONG < N; i += EVERY)
        edges[m++] = (struct fl_edge){ids[i], ids[i + LONG], "calls", 1};
    struct fl_topo *t = make(nodes, N, edges, m);
    struct fl_draw d = {.alerts = all, .n_alerts = N};
    FL_AUTO_BUF svg = fl_buf_init(4 << 20);
    draw(t, &d, &svg);
    assert_int_equal(times(svg.p, "class=\"e"), m);
    const char *line = strstr(svg.p, "<title>n000 → n070: calls");
    assert_non_null(line);
    const char *begin = line;
    while (strncmp(begin, "<path", 5) != 0)
        begin--;
    size_t points = 0;
    for (const char *p = begin; p < line; p++)
        points += *p == 'C' || *p == 'V';
    assert_int_equal(points, 2 * (LONG - 1) + 1); /* past the boxes of 69 layers, and to the end */
    fl_topo_free(t);
}

/* ---- wide ones ---- */

/* One store that everything needs, so many services beside each other that need it; the path is through one of them. */
static struct fl_topo *fan(int n, struct fl_draw *d)
{
    static char ids[FL_DRAW_NODES_MAX][16];
    static struct fl_node nodes[FL_DRAW_NODES_MAX];
    static struct fl_edge edges[2 * FL_DRAW_NODES_MAX];
    static fl_vertex all[2 * FL_DRAW_NODES_MAX], path[3], candidates[4];
    static const double sure[] = {0.7, 0.1, 0.1, 0.05};
    size_t m = 0;
    assert_true(n + 2 <= (int)FL_DRAW_NODES_MAX);
    nodes[0] = (struct fl_node){.id = "store", .type = "store"};
    nodes[1] = (struct fl_node){.id = "front", .type = "gateway"};
    for (int i = 2; i < n + 2; i++) {
        snprintf(ids[i], sizeof ids[i], "svc-%03d", i - 2);
        nodes[i] = (struct fl_node){.id = ids[i], .type = i % 2 ? "service" : "instance"};
        edges[m++] = (struct fl_edge){ids[i], "store", "data", 1};
        if (i % 3 == 0)
            edges[m++] = (struct fl_edge){"front", ids[i], "calls", 1};
    }
    struct fl_topo *t = make(nodes, (size_t)n + 2, edges, m);
    char last[16];
    snprintf(last, sizeof last, "svc-%03d", n - 2);
    path[0] = candidates[0] = fl_topo_find(t, "store");
    path[1] = fl_topo_find(t, last);
    path[2] = fl_topo_find(t, "front");
    candidates[1] = fl_topo_find(t, "svc-001");
    candidates[2] = fl_topo_find(t, "svc-002");
    candidates[3] = path[1];
    for (int i = 0; i < n + 2; i++)
        all[i] = i;
    all[n + 2] = fl_topo_find(t, "svc-000"); /* it has two */
    *d = (struct fl_draw){.title = "INC-1 wide",
                          .path = path,
                          .n_path = 3,
                          .candidates = candidates,
                          .confidence = sure,
                          .n_candidates = 4,
                          .alerts = all,
                          .n_alerts = (size_t)n + 3,
                          .convincing = true};
    return t;
}

static void a_layer_as_wide_as_a_page_stays(void **state)
{
    (void)state;
    struct fl_draw d;
    FL_AUTO_BUF svg = fl_buf_init(1 << 20);
    struct fl_topo *t = fan(8, &d);
    draw(t, &d, &svg);
    fits_a_page(&svg);
    assert_int_equal(times(svg.p, "<g>"), 10);
    assert_int_equal(times(svg.p, "stack: several components"), 0);
    fl_topo_free(t);
}

static void a_wide_layer_is_folded_but_for_what_matters(void **state)
{
    (void)state;
    static const int sizes[] = {13, 31, 100, 148};
    for (size_t k = 0; k < FL_ARRAY_LEN(sizes); k++) {
        struct fl_draw d;
        FL_AUTO_BUF svg = fl_buf_init(1 << 20);
        struct fl_topo *t = fan(sizes[k], &d);
        draw(t, &d, &svg);
        fits_a_page(&svg);
        assert_int_equal(boxes_and_folded(&svg), sizes[k] + 2);
        assert_true(times(svg.p, "<g>") <= 2 * 8 + 2);
        has(&svg, "stack: several components");
        /* cause, path, candidates, and whoever has more alerts than the others */
        const char *const shown[] = {">▲ store</text>",   ">▲ front</text>",   ">▲ svc-001</text>",
                                     ">▲ svc-002</text>", ">▲ svc-000</text>", ">likely cause, 70 %",
                                     ">candidate 4, 5 %"};
        for (size_t i = 0; i < FL_ARRAY_LEN(shown); i++)
            has(&svg, shown[i]);
        assert_int_equal(times(svg.p, "(on the path)"), d.path[1] % 3 ? 1 : 2);
        char last[64];
        snprintf(last, sizeof last, "svc-%03d (1). Drawn on", sizes[k] - 1); /* read aloud: everybody */
        has(&svg, last);
        fl_topo_free(t);
    }
}

/* ---- nothing hides anything ---- */

struct rect {
    long x, y, w, h;
};

/* Boxes of the picture: rectangles, and the outer octagon of the cause. */
static size_t read_boxes(const char *svg, struct rect *v, size_t cap)
{
    size_t n = 0;
    for (const char *p = svg; (p = strstr(p, "<g><title>")) && n < cap; p++) {
        const char *rect = strstr(p, "<rect class=\"b"), *path = strstr(p, "<path class=\"b");
        const char *end = strstr(p, "</g>");
        long cut;
        assert_non_null(end);
        if (rect && rect < end) {
            rect = strstr(rect, " x=\"");
            assert_int_equal(sscanf(rect, " x=\"%ld\" y=\"%ld\" width=\"%ld\" height=\"%ld\"", &v[n].x,
                                    &v[n].y, &v[n].w, &v[n].h),
                             4);
        } else {
            path = strstr(path, " d=\"");
            assert_int_equal(sscanf(path, " d=\"M%ld %ldh%ldl%ld", &v[n].x, &v[n].y, &v[n].w, &cut), 4);
            v[n].x -= cut;
            v[n].w += 2 * cut;
            v[n].h = 62;
        }
        n++;
    }
    return n;
}

static void outside_all(const struct rect *v, size_t n, double x, double y, const char *what)
{
    for (size_t i = 0; i < n; i++)
        if (x > (double)v[i].x && x < (double)(v[i].x + v[i].w) && y > (double)v[i].y &&
            y < (double)(v[i].y + v[i].h))
            fail_msg("a line is hidden by box %zu at %.0f, %.0f: %.300s", i, x, y, what);
}

static double cubic(double a, double b, double c, double d, double t)
{
    double u = 1 - t;
    return u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
}

/* Along one line, in steps of a few pixels. */
static void follow(const char *d, const struct rect *v, size_t n)
{
    double x, y, a, b, c, e, to_x, to_y;
    int used = 0;
    const char *p = d;
    assert_int_equal(sscanf(p, "M%lf %lf%n", &x, &y, &used), 2);
    for (p += used; *p != '"'; p += used) {
        bool curve = sscanf(p, "C%lf %lf %lf %lf %lf %lf%n", &a, &b, &c, &e, &to_x, &to_y, &used) == 6;
        if (!curve) {
            assert_int_equal(sscanf(p, "V%lf%n", &to_y, &used), 1);
            to_x = a = c = x;
            b = e = y;
        }
        for (int k = 0; k <= 40; k++) {
            double t = k / 40.0;
            outside_all(v, n, curve ? cubic(x, a, c, to_x, t) : x,
                        curve ? cubic(y, b, e, to_y, t) : y + (to_y - y) * t, d);
        }
        x = to_x;
        y = to_y;
    }
}

/* Boxes stand apart and no line runs behind one. @return how many lines there are. */
static size_t nothing_hides(const struct fl_buf *svg)
{
    struct rect boxes[FL_DRAW_NODES_MAX];
    size_t n = read_boxes(svg->p, boxes, FL_DRAW_NODES_MAX), lines = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (labs(boxes[i].x - boxes[k].x) < boxes[i].w && labs(boxes[i].y - boxes[k].y) < boxes[i].h)
                fail_msg("boxes %zu and %zu overlap", i, k);
    for (const char *p = svg->p; (p = strstr(p, "<path class=\"e")); lines++) {
        p = strstr(p, " d=\"") + 4;
        follow(p, boxes, n);
    }
    return lines;
}

static size_t draw_number(uint32_t *seed, size_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* 30 components, edges over many layers, cycles: boxes stand apart, no line runs behind one, each line has its own end. */
static void lines_cross_no_box_and_boxes_no_box(void **state)
{
    (void)state;
    enum { N = 30 };
    static char ids[N][40];
    static struct fl_node nodes[N];
    static struct fl_edge edges[4 * N];
    static fl_vertex all[N];
    size_t m = 0;
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "component-with-a-long-name-%02d", i);
        nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
        all[i] = i;
    }
    for (int i = 1; i < N; i++) {
        edges[m++] = (struct fl_edge){ids[i], ids[i * i % (i > 3 ? i / 2 : 1)], "calls", 1};
        if (i % 2)
            edges[m++] = (struct fl_edge){ids[i], ids[i / 3], "data", 1};
        if (i % 5 == 0)
            edges[m++] = (struct fl_edge){ids[i / 5], ids[i], "calls", 1}; /* against the others: cycles */
    }
    struct fl_topo *t = make(nodes, N, edges, m);
    struct fl_draw d = {
        .candidates = all, .n_candidates = 3, .alerts = all, .n_alerts = N, .convincing = true};
    FL_AUTO_BUF svg = fl_buf_init(4 << 20);
    draw(t, &d, &svg);
    fits_a_page(&svg);
    assert_int_equal(boxes_and_folded(&svg), N);
    assert_true(nothing_hides(&svg) >= times(svg.p, "<g>"));
    fl_topo_free(t);
}

/* The same for random graphs of all sizes: path and candidates are there, nothing is lost, nothing hides anything. */
static void any_picture_fits_a_page(void **state)
{
    (void)state;
    enum { N = 150, ROUNDS = 60 };
    static char ids[N][8];
    static struct fl_node nodes[N];
    static struct fl_edge edges[4 * N];
    static fl_vertex all[N], path[4];
    uint32_t seed = 1;
    for (int round = 0; round < ROUNDS; round++) {
        size_t n = 5 + draw_number(&seed, N - 5), m = 0, spread = 1 + draw_number(&seed, 12);
        for (size_t i = 0; i < n; i++) {
            snprintf(ids[i], sizeof ids[i], "n%03zu", i);
            nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
            all[i] = (fl_vertex)i;
            for (size_t k = draw_number(&seed, 3); i && k; k--)
                edges[m++] = (struct fl_edge){ids[i], ids[draw_number(&seed, i) / spread], "calls", 1};
        }
        for (size_t i = 0; i < 4; i++)
            path[i] = (fl_vertex)(n * (i + 1) / 5);
        for (size_t i = 0; i < 3; i++)
            edges[m++] = (struct fl_edge){ids[path[i + 1]], ids[path[i]], "calls", 1};
        struct fl_topo *t = make(nodes, n, edges, m);
        struct fl_draw d = {
            .path = path, .n_path = 4, .candidates = path, .n_candidates = 1, .alerts = all, .n_alerts = n};
        FL_AUTO_BUF svg = fl_buf_init(4 << 20);
        draw(t, &d, &svg);
        fits_a_page(&svg);
        assert_int_equal(boxes_and_folded(&svg), n);
        assert_true(times(svg.p, "(on the path)") >= 3);
        for (size_t i = 0; i < 4; i++) {
            char text[32];
            snprintf(text, sizeof text, ">▲ %s</text>", ids[path[i]]);
            has(&svg, text);
        }
        nothing_hides(&svg);
        fl_topo_free(t);
    }
}

/* A picture of today's graph says so when the ranking saw another one. */
static void says_which_graph_it_is(void **state)
{
    (void)state;
    struct fl_topology_doc doc = {.nodes = shop_nodes, .n_nodes = 5, .hash = {{0xab, 0xcd}}};
    struct fl_topo *t = NULL;
    char now[65];
    assert_int_equal(fl_topo_new(&doc, &t, NULL), FL_OK);
    fl_sha256_hex(&doc.hash, now);
    struct fl_draw d = {.title = "x", .ranked_on = now};
    FL_AUTO_BUF same = fl_buf_init(1 << 20), other = fl_buf_init(1 << 20);
    draw(t, &d, &same);
    has(&same, ">topology version abcd00000000</text>");
    assert_int_equal(times(same.p, "the ranking used"), 0);
    d.ranked_on = "0123456789abcdef0123456789abcdef";
    draw(t, &d, &other);
    has(&other, ">topology version abcd00000000 (the ranking used 0123456789ab: ");
    has(&other, "Drawn on topology version abcd00000000 (the ranking used 0123456789ab");
    fl_topo_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_cross_no_box_and_boxes_no_box),
        cmocka_unit_test(any_picture_fits_a_page),
        cmocka_unit_test(a_layer_as_wide_as_a_page_stays),
        cmocka_unit_test(a_wide_layer_is_folded_but_for_what_matters),
        cmocka_unit_test(says_which_graph_it_is),
        cmocka_unit_test(marks_cause_path_and_alerts_in_words),
        cmocka_unit_test(without_a_convincing_cause_none_is_marked),
        cmocka_unit_test(the_same_bytes_each_time),
        cmocka_unit_test(text_is_escaped_and_cut),
        cmocka_unit_test(nothing_to_draw_is_a_picture_too),
        cmocka_unit_test(a_crowd_is_cut_and_said),
        cmocka_unit_test(a_deep_chain_is_drawn_along_its_bends),
    };
    fl_topo_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
