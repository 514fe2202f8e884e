/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/incident_data.c -- contract in incident_data.h. */
#include "incident_data.h"

#include <faultline/intake.h>

#include "picture.h"

int incident_fetch(struct args *a, const char *id, const char *tail, struct reply *ret)
{
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/incidents/");
    url_add(&path, id);
    fl_buf_str(&path, tail);
    return call_server(a, "GET", path.p, NULL, 0, ret);
}

int incident_graph(struct args *a, const char *at, struct incident_graph *ret)
{
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF path = fl_buf_init(4096);
    const char *const pairs[] = {"at", at, NULL};
    fl_buf_str(&path, "/api/v1/topology");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &ret->reply);
    if (code)
        return code;
    fl_topo_init();
    ret->arena = fl_arena_new(0);
    fl_status st = ret->arena ? fl_intake_topology(ret->arena, ret->reply.body.p ? ret->reply.body.p : "",
                                                   ret->reply.body.n, &ret->doc, &err)
                              : fl_fail(&err, FL_E_NOMEM, NULL, "out of memory");
    if (!st)
        st = fl_topo_new(&ret->doc, &ret->topo, &err);
    return st ? fail_with("topology", &err) : 0;
}

void incident_graph_done(struct incident_graph *g)
{
    fl_topo_free(g->topo);
    fl_arena_free(g->arena);
    reply_done(&g->reply);
}

/* ---- the picture ---- */

static fl_status read_path(struct fl_arena *arena, const struct fl_json *from, struct fl_contribution *ret)
{
    const struct fl_json *list = fl_json_get(from, "path");
    size_t n = list ? fl_json_len(list) : 0;
    const char **v = fl_arena_calloc(arena, n + 1, sizeof *v);
    if (!v)
        return FL_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const char *s = fl_json_string(fl_json_at(list, i));
        v[i] = s ? s : "";
    }
    *ret = (struct fl_contribution){.path = v, .n_path = n};
    return FL_OK;
}

/* As much of a served ranking as a picture shows. Strings stay the answer's own. */
static fl_status read_ranking(struct fl_arena *arena, const struct fl_json *from, struct fl_ranking *ret)
{
    const struct fl_json *list = from ? fl_json_get(from, "candidates") : NULL;
    size_t n = list ? fl_json_len(list) : 0;
    struct fl_candidate *v = fl_arena_calloc(arena, n + 1, sizeof *v);
    if (!v)
        return FL_E_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const struct fl_json *c = fl_json_at(list, i), *terms = fl_json_get(c, "contributions");
        size_t m = terms ? fl_json_len(terms) : 0;
        struct fl_contribution *t = fl_arena_calloc(arena, m + 1, sizeof *t);
        if (!t)
            return FL_E_NOMEM;
        for (size_t k = 0; k < m; k++)
            if (read_path(arena, fl_json_at(terms, k), &t[k]) != FL_OK)
                return FL_E_NOMEM;
        const char *node = fl_json_str(c, "node", "");
        v[i] = (struct fl_candidate){.node = node ? node : "",
                                     .confidence = fl_json_real(c, "confidence", 0),
                                     .contributions = t,
                                     .n_contributions = m};
    }
    *ret = (struct fl_ranking){
        .candidates = v, .n_candidates = n, .convincing = n && fl_json_bool(from, "convincing", true)};
    return FL_OK;
}

int incident_graph_of(struct args *a, const char *id, struct incident_graph *g)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/incidents/");
    url_add(&path, id);
    fl_buf_str(&path, "/ranking");
    const char *at = try_server(a, "GET", path.p, NULL, 0, &r) == 0 && r.json
                         ? fl_json_str(r.json, "at", NULL)
                         : NULL;
    return incident_graph(a, at, g);
}

int incident_picture(struct args *a, const char *id, const struct fl_json *incident, const char *file)
{
    AUTO_GRAPH g = {0};
    struct fl_err err = {.status = FL_OK};
    struct fl_ranking ranking;
    FL_AUTO_BUF title = fl_buf_init(1 << 16);
    int code = incident_graph_of(a, id, &g);
    if (code)
        return code;
    const struct fl_json *alerts = fl_json_get(incident, "alerts");
    size_t n = alerts ? fl_json_len(alerts) : 0;
    fl_vertex *at = fl_arena_calloc(g.arena, n + 1, sizeof *at);
    fl_status st = at ? read_ranking(g.arena, fl_json_get(incident, "ranking"), &ranking) : FL_E_NOMEM;
    if (st)
        st = fl_fail(&err, st, NULL, "out of memory");
    for (size_t i = 0; !st && i < n; i++) {
        const char *node = fl_json_str(fl_json_at(alerts, i), "node", NULL);
        at[i] = node ? fl_topo_find(g.topo, node) : -1;
    }
    const char *about = fl_json_str(incident, "title", "");
    fl_buf_printf(&title, "%s%s%s", id, about && *about ? ": " : "", about ? about : "");
    if (!st)
        st = picture_write(g.topo, title.p ? title.p : id, &ranking, at, n,
                           fl_json_str(fl_json_get(incident, "ranked"), "topology_hash", NULL), file, &err);
    if (st)
        return fail_with("incident show", &err);
    fprintf(stderr, "the picture is in %s\n", file);
    return EXIT_FINE;
}
