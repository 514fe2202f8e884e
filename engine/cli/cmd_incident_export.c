/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_incident_export.c -- an incident as a case directory: what rank --case, evaluate and model train
 * read (layer 6). case.json is written last: a directory that lacks it is no case. */
#include "incident_data.h"

#include <faultline/daemon.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 10000, EXPECTED_MAX = 64 << 20, PART_MAX = 256 << 20 };
#define CHANGES_BEFORE (24 * INT64_C(3600) * 1000000) /* of the first alert: what may have caused it */

struct export
{
    struct args *a;
    const char *id, *dir, *name; /* name: of the case, the last part of dir */
    const struct fl_json *incident;
    struct incident_graph graph;
    size_t alerts, changes;
    bool labelled;
};

/* ---- files ---- */

static int save(const struct export *x, const char *dir_part, const char *file, const struct fl_buf *b)
{
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF path = fl_buf_init(8192), fresh = fl_buf_init(8192);
    fl_buf_printf(&path, "%s/%s%s", x->dir, dir_part, file);
    fl_buf_printf(&fresh, "%s.new", path.p ? path.p : "");
    bool ok = !path.failed && !fresh.failed && !b->failed;
    FILE *f = ok ? fopen(fresh.p, "we") : NULL;
    ok = f && fwrite(b->p ? b->p : "", 1, b->n, f) == b->n;
    if (f && fclose(f) != 0)
        ok = false;
    if (ok && rename(fresh.p, path.p) == 0)
        return 0;
    (void)!fl_fail(&err, FL_E_IO, path.p ? path.p : file, "cannot write: %s", strerror(errno));
    return fail_with("incident export", &err);
}

static int make_dir(const struct export *x)
{
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF path = fl_buf_init(8192);
    fl_buf_printf(&path, "%s/case.json", x->dir);
    if (path.failed || access(path.p, F_OK) == 0)
        return usage_error("--case: %s holds a case already", x->dir);
    if (mkdir(x->dir, 0777) == 0 || errno == EEXIST)
        return 0;
    (void)!fl_fail(&err, FL_E_IO, x->dir, "cannot make the directory: %s", strerror(errno));
    return fail_with("incident export", &err);
}

/* ---- parts ---- */

static void copy(struct fl_jw *w, const char *key, const struct fl_json *v)
{
    FL_AUTO_FREE char *text = v ? fl_json_text(v, true) : NULL;
    if (text)
        fl_jw_raw(w, key, text);
}

static int export_alerts(struct export *x)
{
    FL_AUTO_BUF out = fl_buf_init(PART_MAX);
    const struct fl_json *list = fl_json_get(x->incident, "alerts");
    x->alerts = list ? fl_json_len(list) : 0;
    for (size_t i = 0; i < x->alerts; i++) {
        const struct fl_json *a = fl_json_at(list, i);
        struct fl_jw w = fl_jw_init(&out);
        fl_jw_obj(&w, NULL);
        copy(&w, "labels", fl_json_get(a, "labels"));
        copy(&w, "annotations", fl_json_get(a, "annotations"));
        fl_jw_str(&w, "startsAt", fl_json_str(a, "starts_at", NULL));
        if (fl_json_str(a, "ends_at", NULL))
            fl_jw_str(&w, "endsAt", fl_json_str(a, "ends_at", NULL));
        fl_jw_str(&w, "fingerprint", fl_json_str(a, "fingerprint", NULL));
        fl_jw_obj_end(&w);
        fl_buf_chr(&out, '\n');
    }
    return save(x, "", "alerts.jsonl", &out);
}

/* When the first alert began; without one, when the incident opened. */
static fl_usec began(const struct export *x)
{
    const struct fl_json *list = fl_json_get(x->incident, "alerts");
    const char *s = list && fl_json_len(list) ? fl_json_str(fl_json_at(list, 0), "starts_at", NULL)
                                              : fl_json_str(x->incident, "opened_at", NULL);
    fl_usec t;
    return s && fl_time_parse(s, strlen(s), &t) ? t : 0;
}

static int export_changes(struct export *x)
{
    AUTO_REPLY r = {0};
    char since[FL_TIME_LEN];
    FL_AUTO_BUF path = fl_buf_init(4096), out = fl_buf_init(PART_MAX);
    const char *const pairs[] = {"since", fl_time_format(began(x) - CHANGES_BEFORE, since),
                                 "until", fl_json_str(x->incident, "last_alert_at", NULL),
                                 "limit", "10000",
                                 NULL};
    fl_buf_str(&path, "/api/v1/changes");
    url_query(&path, pairs);
    int code = call_server(x->a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    const struct fl_json *list = list_of(r.json, "changes");
    x->changes = list ? fl_json_len(list) : 0;
    static const char *const keys[] = {"time",   "component", "kind", "id",
                                       "author", "title",     "link", "detail"};
    for (size_t i = x->changes; i--;) { /* served newest first */
        struct fl_jw w = fl_jw_init(&out);
        fl_jw_obj(&w, NULL);
        for (size_t k = 0; k < FL_ARRAY_LEN(keys); k++)
            copy(&w, keys[k], fl_json_get(fl_json_at(list, i), keys[k]));
        fl_jw_obj_end(&w);
        fl_buf_chr(&out, '\n');
    }
    return x->changes ? save(x, "", "changes.jsonl", &out) : 0;
}

static int export_case(const struct export *x)
{
    FL_AUTO_BUF out = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "case", x->name);
    fl_jw_str(&w, "incident", x->id);
    fl_jw_str(&w, "title", fl_json_str(x->incident, "title", ""));
    fl_jw_int(&w, "alerts", (int64_t)x->alerts);
    if (x->changes)
        fl_jw_str(&w, "changes", "changes.jsonl");
    fl_jw_str(&w, "page_time", fl_json_str(x->incident, "opened_at", NULL));
    fl_jw_str(&w, "topology", "topology.json");
    fl_jw_obj_end(&w);
    fl_buf_chr(&out, '\n');
    return save(x, "", "case.json", &out);
}

/* ---- the verdict ---- */

struct verdict {
    char *node, *change; /* node NULL: none, or the cause was rejected */
};

static void verdict_done(struct verdict *v)
{
    free(v->node);
    free(v->change);
    *v = (struct verdict){NULL, NULL};
}

/* The last word counts: a rejection takes an earlier confirmation back. */
static int read_verdict(const struct export *x, struct verdict *ret)
{
    for (size_t offset = 0, n = PAGE; n == PAGE; offset += n) {
        AUTO_REPLY r = {0};
        char tail[96];
        snprintf(tail, sizeof tail, "/timeline?limit=%d&offset=%zu", PAGE, offset);
        int code = incident_fetch(x->a, x->id, tail, &r);
        if (code)
            return code;
        const struct fl_json *list = list_of(r.json, "timeline");
        n = list ? fl_json_len(list) : 0;
        for (size_t i = 0; i < n; i++) {
            const struct fl_json *t = fl_json_at(list, i), *detail = fl_json_get(t, "detail");
            const char *kind = fl_json_str(t, "kind", "");
            bool yes = fl_streq(kind, "incident.confirmed");
            if (!yes && !fl_streq(kind, "incident.rejected"))
                continue;
            verdict_done(ret);
            const char *node = yes && detail ? fl_json_str(detail, "node", NULL) : NULL;
            const char *change = node ? fl_json_str(detail, "change", NULL) : NULL;
            ret->node = node ? strdup(node) : NULL;
            ret->change = change ? strdup(change) : NULL;
        }
    }
    return 0;
}

/* The truths of the other cases in the folder, as they are. */
static fl_status other_truths(const struct export *x, struct fl_buf *out, struct fl_err *err)
{
    FL_AUTO_BUF path = fl_buf_init(8192);
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    fl_buf_printf(&path, "%s/../expected.jsonl", x->dir);
    if (path.failed || access(path.p, F_OK) != 0)
        return FL_OK;
    fl_status st = fl_read_file(path.p, EXPECTED_MAX, &text, &n, err);
    for (size_t at = 0; !st && at < n;) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t len = end ? (size_t)(end - (text + at)) : n - at;
        FL_AUTO_JSON line = fl_json_parse(text + at, len, NULL);
        if (len && !(line && fl_json_is_object(line) && fl_streq(fl_json_str(line, "case", ""), x->name))) {
            fl_buf_add(out, text + at, len);
            fl_buf_chr(out, '\n');
        }
        at += len + 1;
    }
    return st;
}

static int export_verdict(struct export *x)
{
    __attribute__((cleanup(verdict_done))) struct verdict v = {NULL, NULL};
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF out = fl_buf_init(2 * EXPECTED_MAX);
    int code = read_verdict(x, &v);
    if (code || !v.node)
        return code;
    if (other_truths(x, &out, &err) != FL_OK)
        return fail_with("incident export", &err);
    fl_vertex node = fl_topo_find(x->graph.topo, v.node), unit = fl_topo_service_of(x->graph.topo, node);
    struct fl_jw w = fl_jw_init(&out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "case", x->name);
    fl_jw_str(&w, "service", unit >= 0 ? fl_topo_node(x->graph.topo, unit)->id : v.node);
    fl_jw_str(&w, "exact", v.node);
    if (v.change)
        fl_jw_str(&w, "change", v.change);
    fl_jw_obj_end(&w);
    fl_buf_chr(&out, '\n');
    x->labelled = true;
    return save(x, "../", "expected.jsonl", &out);
}

/* ---- the command ---- */

static int export_all(struct export *x)
{
    int code = make_dir(x);
    if (!code)
        code = incident_graph_of(x->a, x->id, &x->graph);
    if (!code)
        code = save(x, "", "topology.json", &x->graph.reply.body);
    if (!code)
        code = export_alerts(x);
    if (!code)
        code = export_changes(x);
    if (!code)
        code = export_verdict(x);
    return code ? code : export_case(x);
}

int cmd_incident_export(struct args *a)
{
    AUTO_REPLY r = {0};
    if (!arg(a, "case"))
        return usage_error("incident export needs --case DIR");
    FL_AUTO_FREE char *dir = strdup(arg(a, "case"));
    size_t n = dir ? strlen(dir) : 0;
    while (n > 1 && dir[n - 1] == '/')
        dir[--n] = '\0';
    const char *slash = n ? strrchr(dir, '/') : NULL, *name = slash ? slash + 1 : dir;
    if (!n || !*name || fl_streq(name, ".") || fl_streq(name, ".."))
        return usage_error("--case: \"%s\" does not name a directory to make", arg(a, "case"));
    int code = incident_fetch(a, a->pos[0], "", &r);
    if (code)
        return code;
    if (!r.json || !fl_json_is_object(r.json))
        return usage_error("%s: the server's answer is no incident", a->pos[0]);
    struct export x = {.a = a, .id = a->pos[0], .dir = dir, .name = name, .incident = r.json};
    code = export_all(&x);
    incident_graph_done(&x.graph);
    if (code)
        return code;
    fprintf(stderr, "%s: %zu alerts, %zu changes, %s\n", dir, x.alerts, x.changes,
            x.labelled ? "the confirmed cause in expected.jsonl beside it"
                       : "not confirmed: without a truth");
    if ((int64_t)x.alerts < fl_json_int(r.json, "alerts_total", 0))
        fprintf(stderr, "the incident has had %lld alerts; the server gives the first %zu\n",
                (long long)fl_json_int(r.json, "alerts_total", 0), x.alerts);
    return EXIT_FINE;
}
