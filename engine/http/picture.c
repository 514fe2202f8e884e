/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/picture.c -- the picture of an incident: what to draw is read from its row, the core thread draws it
 * (igraph is the core's), on demand only (layer 5). */
#include "http_priv.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_DRAWN = 10, PATH_DRAWN = 64, PICTURE_MAX = 4 << 20 };

const char TYPE_SVG[] = "image/svg+xml; charset=utf-8";

static const char *str(const struct fl_json *v, const char *key)
{
    return v ? fl_json_str(v, key, NULL) : NULL;
}

/* The first path of the first candidate's contributions: they stand by weight. */
static const struct fl_json *path_of(const struct fl_json *candidates)
{
    const struct fl_json *terms = fl_json_get(fl_json_at(candidates, 0), "contributions");
    for (size_t i = 0; i < fl_json_len(terms); i++) {
        const struct fl_json *path = fl_json_get(fl_json_at(terms, i), "path");
        if (fl_json_len(path) > 1)
            return path;
    }
    return NULL;
}

fl_status picture_draw(struct request *r, const struct fl_json *incident, struct fl_buf *out,
                       struct fl_err *err)
{
    const struct fl_json *ranking = fl_json_get(incident, "ranking"),
                         *alerts = fl_json_get(incident, "alerts");
    const struct fl_json *list = fl_json_get(ranking, "candidates"), *way = path_of(list);
    const char *path[PATH_DRAWN], *candidates[CANDIDATES_DRAWN];
    double confidence[CANDIDATES_DRAWN];
    size_t n = fl_json_len(alerts);
    FL_AUTO_FREE const char **at = calloc(n + 1, sizeof *at);
    FL_AUTO_BUF title = fl_buf_init(1 << 16);
    struct fl_picture p = {.path = path, .candidates = candidates, .confidence = confidence, .n_alerts = n};
    if (!r->http->o.picture)
        return fl_fail(err, FL_E_UNAVAILABLE, NULL, "this server draws no pictures");
    if (!at)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < n; i++)
        at[i] = str(fl_json_at(alerts, i), "node"); /* NULL: on no component */
    for (; p.n_candidates < fl_json_len(list) && p.n_candidates < CANDIDATES_DRAWN; p.n_candidates++) {
        const struct fl_json *c = fl_json_at(list, p.n_candidates);
        candidates[p.n_candidates] = str(c, "node");
        confidence[p.n_candidates] = fl_json_real(c, "confidence", 0);
    }
    for (; p.n_path < fl_json_len(way) && p.n_path < PATH_DRAWN; p.n_path++)
        path[p.n_path] = fl_json_string(fl_json_at(way, p.n_path));
    fl_buf_printf(&title, "%s: %s", str(incident, "id") ? str(incident, "id") : "",
                  str(incident, "title") ? str(incident, "title") : "");
    p.alerts = at;
    p.ranked_on = str(fl_json_get(incident, "ranked"), "topology_hash");
    p.title = title.p ? title.p : "";
    p.convincing = p.n_candidates && fl_json_bool(ranking, "convincing", false);
    return r->http->o.picture(r->http->o.ctx, &p, out, err);
}

void read_graph_svg(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a = {.realm = r->http->o.config->realm, .id = r->params[0]};
    FL_AUTO_BUF doc = fl_buf_init(REPLY_MAX);
    struct fl_buf svg = fl_buf_init(PICTURE_MAX);
    FL_AUTO_JSON incident = fl_read_json(db, FL_READ_INCIDENT, &a, &doc, &err) == FL_OK
                                ? fl_json_parse(doc.p, doc.n, &err)
                                : NULL;
    if (!incident) {
        read_failed(r, &err);
    } else if (picture_draw(r, incident, &svg, &err) != FL_OK) {
        reply_status(r, &err);
    } else {
        reply_buf(r, 200, TYPE_SVG, &svg);
        return;
    }
    fl_buf_done(&svg);
}
