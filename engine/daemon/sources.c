/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/sources.c -- rule, playbook, model and topology files → the body of a configuration event (layer 6). */
#include <faultline/daemon.h>
#include <faultline/intake.h>
#include <faultline/json.h>
#include <faultline/model.h>
#include <faultline/rank.h>
#include <faultline/script.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    FILES_MAX = 1000,
    LUA_MAX = 1 << 20,
    TOPOLOGY_MAX = 512 << 20,
    MODEL_MAX = 64 << 20,
    CONFIG_MAX = 256 << 20
};
static const fl_usec EVAL_BUDGET = 2 * FL_USEC_PER_SEC;

struct load {
    const struct fl_config *c;
    struct fl_sources *out;
    void (*problem)(void *ctx, const struct fl_err *err);
    void *ctx;
    size_t n_problems;
};

static void tell(struct load *l, struct fl_err *err)
{
    l->n_problems++;
    l->problem(l->ctx, err);
    fl_err_clear(err);
}

fl_status fl_read_file(const char *path, size_t max, char **ret, size_t *ret_n, struct fl_err *err)
{
    FL_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return fl_fail(err, errno == ENOENT ? FL_E_NOTFOUND : FL_E_IO, path, "could not read %s: %s", path,
                       strerror(errno));
    if (S_ISDIR(st.st_mode))
        return fl_fail(err, FL_E_IO, path, "%s is a directory", path);
    FL_AUTO_BUF b = fl_buf_init(max + 1);
    char chunk[65536];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && b.n <= max)
        fl_buf_add(&b, chunk, (size_t)n);
    if (n < 0)
        return fl_fail(err, FL_E_IO, path, "could not read %s: %s", path, strerror(errno));
    if (b.n > max || b.failed)
        return fl_fail(err, FL_E_LIMIT, path, "%s is longer than %zu bytes", path, max);
    fl_buf_add(&b, "", 0);
    *ret = b.p ? fl_buf_take(&b, ret_n) : strdup("");
    if (!*ret)
        return fl_fail(err, FL_E_NOMEM, path, "out of memory");
    if (!b.p && (*ret)[0] == 0)
        *ret_n = strlen(*ret);
    return FL_OK;
}

/* ---- a directory of Lua files, in order of name ---- */

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_lua(const char *name)
{
    size_t n = strlen(name);
    return n > 4 && name[0] != '.' && !strcmp(name + n - 4, ".lua") &&
           !(n > 9 && !strcmp(name + n - 9, "_spec.lua"));
}

static size_t list_dir(struct load *l, const char *dir, char **names)
{
    struct fl_err err = {0};
    DIR *d = opendir(dir);
    size_t n = 0;
    if (!d) {
        fl_fail(&err, FL_E_USAGE, dir, "could not read the directory: %s", strerror(errno));
        tell(l, &err);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d)) && n < FILES_MAX;)
        if (is_lua(e->d_name) && (names[n] = strdup(e->d_name)) != NULL)
            n++;
    closedir(d);
    qsort(names, n, sizeof *names, by_name);
    return n;
}

/* Text and data of one file; false: the problem was told. */
static bool eval_file(struct load *l, fl_script_kind kind, const char *dir, const char *name, char **text,
                      size_t *n, char **json)
{
    struct fl_err err = {0};
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    if (fl_read_file(path, LUA_MAX, text, n, &err) == FL_OK &&
        fl_script_eval(kind, path, *text, *n, EVAL_BUDGET, json, &err) == FL_OK)
        return true;
    if (!err.where[0])
        snprintf(err.where, sizeof err.where, "%.180s", path);
    tell(l, &err);
    return false;
}

/* The folder named, else the shipped one; "": there is none. */
static const char *in_force(const char *named, const char *what, char *ret, size_t cap)
{
    if (named && *named)
        snprintf(ret, cap, "%s", named);
    else
        fl_shipped_dir(what, ret, cap);
    return ret;
}

/* ---- rules ---- */

/* rules_json.c knows the frame of a source, and not the formats there are; what is in it intake reads. */
static fl_status check_sources(const char *json, struct fl_err *err)
{
    FL_AUTO_JSON root = fl_json_parse(json, strlen(json), err);
    const struct fl_json *list = fl_json_get(root, "sources");
    for (size_t i = 0; i < fl_json_len(list); i++)
        if (fl_mapping_check(fl_json_at(list, i), err) != FL_OK) {
            fl_err_within(err, "sources[%zu]", i);
            return err->status;
        }
    list = fl_json_get(root, "heartbeats");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const char *source = fl_json_str(fl_json_at(list, i), "source", NULL);
        fl_format format;
        if (!source || fl_format_parse(source, &format))
            continue;
        fl_fail(err, FL_E_SHAPE, "source", "there is no format \"%.80s\": nothing would ever come", source);
        fl_hint(err, "grafana, zabbix, alertmanager, alertmanager-v2, …, or mapped:NAME");
        fl_err_within(err, "heartbeats[%zu]", i);
        return err->status;
    }
    return root ? FL_OK : err->status;
}

/* Each file must hold on its own, so that a problem names the file. */
static void check_rules(struct load *l, const char *dir, const char *name)
{
    struct fl_err err = {0};
    struct fl_rules *rules = NULL;
    char *text = NULL, *json = NULL;
    size_t n = 0;
    if (eval_file(l, FL_SCRIPT_RULES, dir, name, &text, &n, &json) &&
        (fl_rules_from_json(json, strlen(json), &rules, &err) != FL_OK ||
         check_sources(json, &err) != FL_OK)) {
        fl_err_within(&err, "%s/%s", dir, name);
        tell(l, &err);
    }
    fl_rules_free(rules);
    free(text);
    free(json);
}

/* Then all of them together. */
static char *merge_rules(struct load *l, const char *dir)
{
    struct fl_err err = {0};
    struct fl_rules *rules = NULL;
    char *merged = NULL;
    fl_status st = fl_script_rules_dir(dir, EVAL_BUDGET, &merged, &err);
    if (st == FL_OK)
        st = fl_rules_from_json(merged, strlen(merged), &rules, &err);
    if (st != FL_OK) {
        fl_err_within(&err, "%s", dir);
        tell(l, &err);
    }
    fl_rules_free(rules);
    return merged;
}

static char *load_rules(struct load *l)
{
    const char *dir = in_force(l->c->rules_dir, "rules", l->out->rules_dir, sizeof l->out->rules_dir);
    if (!*dir)
        return strdup(fl_rules_default_json());
    char **names = calloc(FILES_MAX, sizeof *names);
    size_t n = names ? list_dir(l, dir, names) : 0;
    for (size_t i = 0; i < n; i++) {
        check_rules(l, dir, names[i]);
        free(names[i]);
    }
    free(names);
    l->out->n_rule_files = n;
    return l->n_problems ? NULL : merge_rules(l, dir);
}

/* ---- playbooks ---- */

static void add_playbook(struct load *l, struct fl_jw *w, const char *dir, const char *name)
{
    char *text = NULL, *json = NULL;
    size_t n = 0;
    if (eval_file(l, FL_SCRIPT_PLAYBOOK, dir, name, &text, &n, &json)) {
        fl_jw_obj(w, NULL);
        fl_jw_raw(w, "meta", json);
        fl_jw_strn(w, "source", text, n);
        fl_jw_obj_end(w);
        l->out->n_playbooks++;
    }
    free(json);
    free(text);
}

static void load_playbooks(struct load *l, struct fl_jw *w)
{
    const char *dir = in_force(l->c->playbooks_dir, "playbooks", l->out->playbooks_dir,
                               sizeof l->out->playbooks_dir);
    fl_jw_arr(w, "playbooks");
    if (*dir) {
        char **names = calloc(FILES_MAX, sizeof *names);
        size_t n = names ? list_dir(l, dir, names) : 0;
        for (size_t i = 0; i < n; i++) {
            add_playbook(l, w, dir, names[i]);
            free(names[i]);
        }
        free(names);
    }
    fl_jw_arr_end(w);
}

static void load_model(struct load *l, struct fl_jw *w)
{
    struct fl_err err = {0};
    struct fl_model *m = NULL;
    char *text = NULL;
    size_t n = 0;
    if (!l->c->model || !*l->c->model)
        return;
    if (fl_read_file(l->c->model, MODEL_MAX, &text, &n, &err) == FL_OK &&
        fl_model_parse(text, n, &m, &err) == FL_OK) {
        fl_jw_raw(w, "model", text);
    } else {
        fl_err_in_file(&err, l->c->model, 0);
        tell(l, &err);
    }
    fl_model_free(m);
    free(text);
}

static void load_topology(struct load *l)
{
    struct fl_err err = {0};
    struct fl_topology_doc doc;
    const char *path = l->c->topology;
    if (!path || !*path)
        return;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    if (fl_read_file(path, TOPOLOGY_MAX, &l->out->topology, &l->out->topology_n, &err) != FL_OK) {
        tell(l, &err);
    } else if (!arena ||
               fl_intake_topology(arena, l->out->topology, l->out->topology_n, &doc, &err) != FL_OK) {
        fl_err_in_file(&err, path, 0);
        tell(l, &err);
    }
}

/* The form flow hashes: parsed once, keys sorted. */
static void canonical(struct load *l, struct fl_buf *b)
{
    struct fl_err err = {0};
    FL_AUTO_JSON root = b->failed ? NULL : fl_json_parse(b->p, b->n, &err);
    l->out->config = root ? fl_json_text(root, true) : NULL;
    if (!l->out->config) {
        fl_fail(&err, FL_E_LIMIT, "configuration", "rules and playbooks together are too large");
        tell(l, &err);
        return;
    }
    l->out->config_n = strlen(l->out->config);
    fl_sha256(l->out->config, l->out->config_n, &l->out->hash);
}

fl_status fl_sources_load(const struct fl_config *c, struct fl_sources *ret,
                          void (*problem)(void *ctx, const struct fl_err *err), void *ctx)
{
    *ret = (struct fl_sources){0};
    struct load l = {.c = c, .out = ret, .problem = problem, .ctx = ctx};
    FL_AUTO_BUF b = fl_buf_init(CONFIG_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    FL_AUTO_FREE char *rules = load_rules(&l);
    fl_jw_raw(&w, "rules", rules ? rules : "{}");
    load_playbooks(&l, &w);
    load_model(&l, &w);
    fl_jw_obj_end(&w);
    load_topology(&l);
    if (!l.n_problems)
        canonical(&l, &b);
    if (!l.n_problems)
        return FL_OK;
    fl_sources_done(ret);
    return FL_E_USAGE;
}

void fl_sources_done(struct fl_sources *s)
{
    free(s->config);
    free(s->topology);
    *s = (struct fl_sources){0};
}

/* ---- the data directory ---- */

fl_status fl_data_dir(const struct fl_config *c, char *ret, size_t cap, struct fl_err *err)
{
    const char *xdg = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    int n;
    if (c->data && *c->data)
        n = snprintf(ret, cap, "%s", c->data);
    else if (geteuid() == 0)
        n = snprintf(ret, cap, "/var/lib/faultline");
    else if (xdg && *xdg == '/')
        n = snprintf(ret, cap, "%s/faultline", xdg);
    else if (home && *home == '/')
        n = snprintf(ret, cap, "%s/.local/share/faultline", home);
    else
        return fl_fail(err, FL_E_USAGE, "data",
                       "cannot tell where data should lie: HOME is not set; use --data");
    return n > 0 && (size_t)n < cap
               ? FL_OK
               : fl_fail(err, FL_E_USAGE, "data", "the path of the data directory is too long");
}
