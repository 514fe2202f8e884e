/* SPDX-License-Identifier: GPL-3.0-or-later */
/* case_read.c -- a case directory → struct fl_case; expected.jsonl; files shared by a set are read once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <faultline/intake.h>

#include "case_priv.h"

char *fl_case_path(struct fl_arena *arena, const char *dir, const char *name)
{
    return name[0] == '/' ? fl_arena_strdup(arena, name) : fl_arena_printf(arena, "%s/%s", dir, name);
}

/* ---- what a set shares ------------------------------------------------------------------------ */

enum shared_kind { SHARED_TOPOLOGY, SHARED_TABLE, SHARED_TRACES };

struct shared {
    struct shared *next;
    enum shared_kind kind;
    const char *path;
    struct fl_topology_doc topology;
    struct fl_table table;
    struct fl_traces traces;
};
struct fl_case_cache {
    struct fl_arena *arena;
    struct shared *first;
};

struct fl_case_cache *fl_case_cache_new(void)
{
    struct fl_case_cache *c = calloc(1, sizeof *c);
    if (c && !(c->arena = fl_arena_new(0))) {
        free(c);
        return NULL;
    }
    return c;
}

struct fl_case_cache *fl_case_cache_free(struct fl_case_cache *c)
{
    if (c)
        fl_arena_free(c->arena);
    free(c);
    return NULL;
}

fl_status fl_case_topology(struct fl_arena *arena, const char *path, struct fl_topology_doc *ret,
                           struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    fl_status st = fl_case_file(path, &text, err);
    if (st)
        return st;
    st = fl_intake_topology(arena, text.p ? text.p : "", text.n, ret, err);
    if (st)
        fl_err_in_file(err, path, 0);
    return st;
}

/* `name` as case.json has it ("../../common/x"); cases of one set have the same parent, so the path with
 * the case's own directory taken off is the key. */
static fl_status shared_get(struct fl_case_cache *c, const char *dir, const char *name, enum shared_kind kind,
                            const struct shared **ret, struct fl_err *err)
{
    const char *rest = name;
    int up = 0;
    while (strncmp(rest, "../", 3) == 0) {
        rest += 3;
        up++;
    }
    char *parent = fl_arena_strdup(c->arena, dir);
    if (!parent)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    char *real = realpath(parent, NULL);
    if (!real)
        return fl_fail(err, FL_E_IO, dir, "cannot read the directory: %s", strerror(errno));
    for (char *slash; up && (slash = strrchr(real, '/')) && slash != real; up--)
        *slash = '\0';
    const char *path = fl_arena_printf(c->arena, "%s/%s", real, rest);
    free(real);
    if (!path)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (struct shared *s = c->first; s; s = s->next)
        if (s->kind == kind && strcmp(s->path, path) == 0) {
            *ret = s;
            return FL_OK;
        }
    struct shared *s = fl_arena_calloc(c->arena, 1, sizeof *s);
    if (!s)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    s->kind = kind;
    s->path = path;
    fl_status st = kind == SHARED_TOPOLOGY ? fl_case_topology(c->arena, path, &s->topology, err)
                   : kind == SHARED_TABLE  ? fl_case_table(c->arena, path, &s->table, err)
                                           : fl_case_traces(c->arena, path, &s->traces, err);
    if (st)
        return st;
    s->next = c->first;
    c->first = s;
    *ret = s;
    return FL_OK;
}

/* ---- alerts and changes, one JSON object a line -------------------------------------------------- */

struct list {
    struct fl_arena *arena;
    void *v;
    size_t n, cap, size, max;
};

/* Room for one more at the end of a growing list in the arena. */
static void *list_push(struct list *l)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        void *grown = fl_arena_alloc(l->arena, cap * l->size);
        if (!grown)
            return NULL;
        if (l->n)
            memcpy(grown, l->v, l->n * l->size);
        l->v = grown;
        l->cap = cap;
    }
    return (char *)l->v + l->n++ * l->size;
}

static fl_status read_labels(struct fl_arena *arena, const struct fl_json *obj, const char *key,
                             struct fl_labels *ret, struct fl_err *err)
{
    const struct fl_json *labels = fl_json_get(obj, key);
    size_t n = 0;
    *ret = (struct fl_labels){.n = 0};
    if (!labels)
        return FL_OK;
    if (!fl_json_is_object(labels))
        return fl_fail(err, FL_E_SHAPE, key, "must be an object of strings");
    struct fl_label *v = fl_arena_alloc(arena, (FL_LABELS_MAX + 1) * sizeof *v);
    for (void *it = fl_json_first(labels); v && it; it = fl_json_next(labels, it)) {
        const char *value = fl_json_string(fl_json_value(it));
        if (n == FL_LABELS_MAX)
            return fl_fail(err, FL_E_LIMIT, key, "more than %u entries", FL_LABELS_MAX);
        if (!value)
            return fl_fail(err, FL_E_SHAPE, key, "\"%.60s\" must be a string", fl_json_key(it));
        v[n].name = fl_arena_strdup(arena, fl_json_key(it));
        v[n].value = fl_arena_strdup(arena, value);
        if (!v[n].name || !v[n].value)
            return fl_fail(err, FL_E_NOMEM, key, "out of memory");
        n++;
    }
    if (!v)
        return fl_fail(err, FL_E_NOMEM, key, "out of memory");
    ret->n = fl_labels_normalise(v, n);
    ret->v = fl_arena_dup(arena, v, (ret->n + 1) * sizeof *v);
    return ret->v ? FL_OK : fl_fail(err, FL_E_NOMEM, key, "out of memory");
}

static fl_status read_time(const struct fl_json *obj, const char *key, fl_usec *ret, struct fl_err *err)
{
    const char *s = fl_json_str(obj, key, NULL);
    *ret = 0;
    if (s && !fl_time_parse(s, strlen(s), ret))
        return fl_fail(err, FL_E_SHAPE, key, "\"%.60s\" is not an RFC 3339 time", s);
    return FL_OK;
}

static fl_status alert_line(void *ctx, const char *line, size_t n, struct fl_err *err)
{
    struct list *l = ctx;
    FL_AUTO_JSON obj = fl_json_parse(line, n, err);
    if (!obj)
        return err ? err->status : FL_E_SYNTAX;
    if (!fl_json_is_object(obj))
        return fl_fail(err, FL_E_SHAPE, NULL, "an alert is an object");
    if (l->n == l->max)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %zu alerts", l->max);
    struct fl_alert *a = list_push(l);
    if (!a)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    *a = (struct fl_alert){.generator_url = "", .status = FL_ALERT_FIRING};
    fl_status st = read_labels(l->arena, obj, "labels", &a->labels, err);
    if (!st)
        st = read_labels(l->arena, obj, "annotations", &a->annotations, err);
    if (!st)
        st = read_time(obj, "startsAt", &a->starts_at, err);
    if (!st)
        st = read_time(obj, "endsAt", &a->ends_at, err);
    if (!st && !a->labels.n)
        st = fl_fail(err, FL_E_SHAPE, "labels", "an alert needs at least one label");
    if (st)
        return st;
    a->received_at = a->starts_at;
    a->fingerprint = fl_labels_fingerprint(&a->labels);
    return FL_OK;
}

static fl_status read_lines(struct list *l, const char *path,
                            fl_status (*each)(void *, const char *, size_t, struct fl_err *),
                            struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    fl_status st = fl_case_file(path, &text, err);
    return st ? st : fl_case_lines(path, text.p, text.n, each, l, err);
}

fl_status fl_case_alerts(struct fl_arena *arena, const char *path, struct fl_alert **ret, size_t *ret_n,
                         struct fl_err *err)
{
    struct list l = {.arena = arena, .size = sizeof **ret, .max = FL_ALERTS_MAX};
    fl_status st = read_lines(&l, path, alert_line, err);
    *ret = l.v;
    *ret_n = l.n;
    return st;
}

/* files, diff, flag and version in one text: what a person would read to judge the change. */
static char *change_detail(struct fl_arena *arena, const struct fl_json *obj)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    const struct fl_json *files = fl_json_get(obj, "files");
    for (size_t i = 0; files && i < fl_json_len(files); i++) {
        const char *name = fl_json_string(fl_json_at(files, i));
        if (name)
            fl_buf_printf(&text, "%s\n", name);
    }
    static const char *const rest[] = {"detail", "change", "version", "diff"};
    for (size_t k = 0; k < FL_ARRAY_LEN(rest); k++)
        if (fl_json_str(obj, rest[k], NULL))
            fl_buf_printf(&text, "%s\n", fl_json_str(obj, rest[k], ""));
    return text.n ? fl_arena_strndup(arena, text.p, text.n) : NULL;
}

static fl_status change_line(void *ctx, const char *line, size_t n, struct fl_err *err)
{
    struct list *l = ctx;
    FL_AUTO_JSON obj = fl_json_parse(line, n, err);
    if (!obj)
        return err ? err->status : FL_E_SYNTAX;
    if (!fl_json_is_object(obj))
        return fl_fail(err, FL_E_SHAPE, NULL, "a change is an object");
    if (l->n == l->max)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %zu changes", l->max);
    struct fl_change *c = list_push(l);
    if (!c)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_usec time;
    fl_status st = read_time(obj, "time", &time, err);
    if (st)
        return st;
    const char *component = fl_json_str(obj, "component", fl_json_str(obj, "service", ""));
    const char *id = fl_json_str(obj, "id", fl_json_str(obj, "commit", fl_json_str(obj, "flag", "")));
    const char *title = fl_json_str(obj, "title",
                                    fl_json_str(obj, "message", fl_json_str(obj, "flag", NULL)));
    *c = (struct fl_change){.time = time,
                            .component = fl_arena_strdup(l->arena, component),
                            .kind = fl_arena_strdup(l->arena, fl_json_str(obj, "kind", "change")),
                            .id = fl_arena_strdup(l->arena, id),
                            .author = fl_arena_strdup(l->arena, fl_json_str(obj, "author", NULL)),
                            .title = fl_arena_strdup(l->arena, title),
                            .link = fl_arena_strdup(l->arena, fl_json_str(obj, "link", NULL)),
                            .detail = change_detail(l->arena, obj)};
    return c->component && c->kind && c->id ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

fl_status fl_case_changes(struct fl_arena *arena, const char *path, struct fl_change **ret, size_t *ret_n,
                          struct fl_err *err)
{
    struct list l = {.arena = arena, .size = sizeof **ret, .max = FL_ALERTS_MAX};
    fl_status st = read_lines(&l, path, change_line, err);
    *ret = l.v;
    *ret_n = l.n;
    return st;
}

/* ---- the directory -------------------------------------------------------------------------------- */

static fl_status read_candidates(struct fl_arena *arena, const struct fl_json *root, struct fl_case *ret,
                                 struct fl_err *err)
{
    const struct fl_json *list = fl_json_get(root, "candidates");
    if (!list)
        return FL_OK;
    size_t n = fl_json_len(list);
    const char **v = fl_arena_calloc(arena, n + 1, sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, "candidates", "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *s = fl_json_string(fl_json_at(list, i));
        if (!s)
            return fl_fail(err, FL_E_SHAPE, "candidates", "entry %zu must be a string", i);
        v[i] = fl_arena_strdup(arena, s);
        if (!v[i])
            return fl_fail(err, FL_E_NOMEM, "candidates", "out of memory");
    }
    ret->candidates = v;
    ret->n_candidates = n;
    return FL_OK;
}

static fl_status read_scalars(struct fl_arena *arena, const struct fl_json *root, struct fl_case *ret,
                              struct fl_err *err)
{
    fl_status st = read_time(root, "page_time", &ret->data.page_time, err);
    double trigger = fl_json_real(root, "trigger", 0);
    if (st)
        return st;
    if (!ret->data.page_time && trigger > 0 && trigger < 1e11)
        ret->data.page_time = (fl_usec)(trigger * 1e6);
    ret->entry = fl_arena_strdup(arena, fl_json_str(root, "entry", NULL));
    ret->data.entry_metric = fl_arena_strdup(arena, fl_json_str(root, "entry_metric", NULL));
    ret->data.untimed = fl_json_bool(root, "untimed", false);
    ret->data.trace_minutes = fl_json_real(root, "trace_minutes", 0);
    return read_candidates(arena, root, ret, err);
}

static fl_status read_parts(struct fl_arena *arena, struct fl_case_cache *cache, const struct fl_json *root,
                            struct fl_case *ret, struct fl_err *err)
{
    const struct shared *s = NULL;
    const char *name = fl_json_str(root, "topology", NULL);
    fl_status st = FL_OK;
    if (!name) {
        fl_fail(err, FL_E_SHAPE, fl_case_path(arena, ret->dir, "case.json"), "names no topology");
        fl_hint(err, "add \"topology\": the path of its file, from this directory");
        return FL_E_SHAPE;
    }
    st = shared_get(cache, ret->dir, name, SHARED_TOPOLOGY, &s, err);
    if (!st)
        ret->topology = s->topology;
    if (!st && (name = fl_json_str(root, "baseline", NULL))) {
        st = shared_get(cache, ret->dir, name, SHARED_TABLE, &s, err);
        if (!st)
            ret->data.baseline = s->table;
    }
    if (!st && (name = fl_json_str(root, "traces_baseline", NULL))) {
        st = shared_get(cache, ret->dir, name, SHARED_TRACES, &s, err);
        if (!st)
            ret->data.traces_baseline = s->traces;
    }
    if (!st && (name = fl_json_str(root, "metrics", NULL)))
        st = fl_case_table(arena, fl_case_path(arena, ret->dir, name), &ret->data.metrics, err);
    if (!st && (name = fl_json_str(root, "traces", NULL)))
        st = fl_case_traces(arena, fl_case_path(arena, ret->dir, name), &ret->data.traces, err);
    if (!st && (name = fl_json_str(root, "changes", NULL))) {
        struct fl_change *v;
        st = fl_case_changes(arena, fl_case_path(arena, ret->dir, name), &v, &ret->n_changes, err);
        ret->changes = v;
    }
    return st;
}

static fl_status read_alerts(struct fl_arena *arena, struct fl_case *ret, struct fl_err *err)
{
    struct fl_alert *v;
    const char *path = fl_case_path(arena, ret->dir, "alerts.jsonl.gz");
    if (path && access(path, F_OK) != 0)
        path = fl_case_path(arena, ret->dir, "alerts.jsonl");
    if (!path)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_case_alerts(arena, path, &v, &ret->n_alerts, err);
    ret->alerts = v;
    return st;
}

fl_status fl_case_read(struct fl_arena *arena, struct fl_case_cache *cache, const char *dir,
                       struct fl_case *ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    *ret = (struct fl_case){.dir = fl_arena_strdup(arena, dir)};
    const char *path = ret->dir ? fl_case_path(arena, dir, "case.json") : NULL;
    if (!path)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_case_file(path, &text, err);
    if (st)
        return st;
    FL_AUTO_JSON root = fl_json_parse(text.p ? text.p : "", text.n, err);
    if (!root || !fl_json_is_object(root)) {
        st = root  ? fl_fail(err, FL_E_SHAPE, NULL, "case.json is an object")
             : err ? err->status
                   : FL_E_SYNTAX;
        fl_err_in_file(err, path, 0);
        return st;
    }
    const char *base = strrchr(dir, '/');
    ret->name = fl_arena_strdup(arena, fl_json_str(root, "case", base ? base + 1 : dir));
    ret->system = fl_arena_strdup(arena, fl_json_str(root, "system", fl_json_str(root, "dataset", NULL)));
    st = read_scalars(arena, root, ret, err);
    if (st)
        fl_err_in_file(err, path, 0);
    if (!st)
        st = read_parts(arena, cache, root, ret, err);
    return st ? st : read_alerts(arena, ret, err);
}

/* ---- truth ------------------------------------------------------------------------------------------ */

static fl_status expected_line(void *ctx, const char *line, size_t n, struct fl_err *err)
{
    struct list *l = ctx;
    FL_AUTO_JSON obj = fl_json_parse(line, n, err);
    if (!obj)
        return err ? err->status : FL_E_SYNTAX;
    const char *name = fl_json_str(obj, "case", NULL), *service = fl_json_str(obj, "service", NULL);
    if (!name || !service)
        return fl_fail(err, FL_E_SHAPE, NULL, "needs case and service");
    if (l->n == l->max)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %zu cases", l->max);
    struct fl_expected *e = list_push(l);
    if (!e)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    *e = (struct fl_expected){.name = fl_arena_strdup(l->arena, name),
                              .service = fl_arena_strdup(l->arena, service),
                              .fault_type = fl_arena_strdup(l->arena, fl_json_str(obj, "fault_type", "")),
                              .exact = fl_arena_strdup(l->arena, fl_json_str(obj, "exact", NULL)),
                              .change = fl_arena_strdup(l->arena, fl_json_str(obj, "change", NULL)),
                              .group = fl_arena_strdup(l->arena, fl_json_str(obj, "augmentation_of", NULL))};
    return e->name && e->service && e->fault_type ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

static int expected_order(const void *a, const void *b)
{
    return strcmp(((const struct fl_expected *)a)->name, ((const struct fl_expected *)b)->name);
}

fl_status fl_case_expected(struct fl_arena *arena, const char *path, struct fl_expected_set *ret,
                           struct fl_err *err)
{
    struct list l = {.arena = arena, .size = sizeof(struct fl_expected), .max = FL_ALERTS_MAX};
    fl_status st = read_lines(&l, path, expected_line, err);
    if (l.n > 1)
        qsort(l.v, l.n, l.size, expected_order);
    *ret = (struct fl_expected_set){l.v, l.n};
    return st;
}

const struct fl_expected *fl_expected_find(const struct fl_expected_set *s, const char *name)
{
    struct fl_expected key = {.name = name};
    return s->n ? bsearch(&key, s->v, s->n, sizeof *s->v, expected_order) : NULL;
}
