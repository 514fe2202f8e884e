/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/rules_dir.c -- all rule files of a folder as one JSON; contract in <faultline/script.h>. */
#include <faultline/json.h>
#include <faultline/script.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 256
#define FILE_MAX (4u << 20)

/* clang-format off */
static const char *const lists[] = {
    "sources",
    "mapping",
    "classes",
    "severities",
    "inhibitions",
    "bindings",
    "graph_inhibitions",
    "thresholds",
    "groupings",
    "heartbeats",
    "flapping",
    "maintenance",
    "reminders",
};
/* clang-format on */

static int is_rule_file(const struct dirent *d)
{
    size_t n = strlen(d->d_name);
    return d->d_name[0] != '.' && n > 4 && strcmp(d->d_name + n - 4, ".lua") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name); /* not alphasort: that one asks the locale */
}

static fl_status read_file(const char *path, struct fl_buf *out, struct fl_err *err)
{
    FL_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fl_fail(err, FL_E_IO, path, "could not open: %s", strerror(errno));
    char chunk[65536];
    ssize_t k;
    while ((k = read(fd, chunk, sizeof chunk)) > 0)
        fl_buf_add(out, chunk, (size_t)k);
    if (k < 0)
        return fl_fail(err, FL_E_IO, path, "could not read: %s", strerror(errno));
    if (out->failed)
        return fl_fail(err, FL_E_LIMIT, path, "longer than %u bytes", FILE_MAX);
    return FL_OK;
}

static bool is_list(const char *key)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(lists); i++)
        if (strcmp(key, lists[i]) == 0)
            return true;
    return false;
}

static void raw(struct fl_jw *w, const char *key, const struct fl_json *v)
{
    FL_AUTO_FREE char *s = fl_json_text(v, true);
    if (s)
        fl_jw_raw(w, key, s);
    else
        w->out->failed = true;
}

static bool set_later(struct fl_json **parts, size_t n, size_t i, const char *section, const char *key)
{
    for (size_t k = i + 1; k < n; k++)
        if (fl_json_get(fl_json_get(parts[k], section), key))
            return true;
    return false;
}

static void join(struct fl_jw *w, struct fl_json **parts, size_t n, const char *key)
{
    bool list = is_list(key);
    if (list)
        fl_jw_arr(w, key);
    else
        fl_jw_obj(w, key);
    for (size_t i = 0; i < n; i++) {
        const struct fl_json *part = fl_json_get(parts[i], key);
        for (size_t k = 0; list && k < fl_json_len(part); k++)
            raw(w, NULL, fl_json_at(part, k));
        for (void *it = list ? NULL : fl_json_first(part); it; it = fl_json_next(part, it))
            if (!set_later(parts, n, i, key, fl_json_key(it)))
                raw(w, fl_json_key(it), fl_json_value(it));
    }
    if (list)
        fl_jw_arr_end(w);
    else
        fl_jw_obj_end(w);
}

static bool seen_before(struct fl_json **parts, size_t i, const char *key)
{
    for (size_t k = 0; k < i; k++)
        if (fl_json_get(parts[k], key))
            return true;
    return false;
}

static fl_status check_shapes(struct fl_json *part, const char *path, struct fl_err *err)
{
    for (void *it = fl_json_first(part); it; it = fl_json_next(part, it)) {
        const char *key = fl_json_key(it);
        const struct fl_json *v = fl_json_value(it);
        if (v && is_list(key) && !fl_json_is_list(v))
            return fl_fail(err, FL_E_SHAPE, path, "\"%s\" must be a list", key);
        if (v && !is_list(key) && !fl_json_is_map(v))
            return fl_fail(err, FL_E_SHAPE, path, "\"%s\" must be a table with names", key);
    }
    return FL_OK;
}

/* Unknown sections are kept: fl_rules_from_json names them. */
static char *merge(struct fl_json **parts, size_t n)
{
    struct fl_buf out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < n; i++)
        for (void *it = fl_json_first(parts[i]); it; it = fl_json_next(parts[i], it))
            if (fl_json_value(it) && !seen_before(parts, i, fl_json_key(it)))
                join(&w, parts, n, fl_json_key(it));
    fl_jw_obj_end(&w);
    return fl_buf_take(&out, NULL);
}

static fl_status load(const char *dir, const char *file, fl_usec budget, struct fl_json **ret,
                      struct fl_err *err)
{
    char path[4096];
    FL_AUTO_BUF text = fl_buf_init(FILE_MAX);
    FL_AUTO_FREE char *json = NULL;
    snprintf(path, sizeof path, "%s/%s", dir, file);
    fl_status st = read_file(path, &text, err);
    if (!st)
        st = fl_script_eval(FL_SCRIPT_RULES, path, text.p ? text.p : "", text.n, budget, &json, err);
    if (st)
        return st;
    struct fl_json *part = fl_json_parse(json, strlen(json), err);
    if (!part)
        return FL_E_SYNTAX;
    st = check_shapes(part, path, err);
    if (st)
        fl_json_free(part);
    else
        *ret = part;
    return st;
}

fl_status fl_script_rules_dir(const char *dir, fl_usec budget, char **ret_json, struct fl_err *err)
{
    struct dirent **names = NULL;
    int n = scandir(dir, &names, is_rule_file, by_name);
    if (n < 0)
        return fl_fail(err, FL_E_IO, dir, "could not read the folder: %s", strerror(errno));
    struct fl_json *parts[FILES_MAX] = {NULL};
    size_t have = 0;
    fl_status st = n > FILES_MAX ? fl_fail(err, FL_E_LIMIT, dir, "more than %d rule files", FILES_MAX)
                                 : FL_OK;
    for (int i = 0; i < n; i++) {
        if (!st)
            st = load(dir, names[i]->d_name, budget, &parts[have], err);
        have += !st;
        free(names[i]);
    }
    free(names);
    char *json = st ? NULL : merge(parts, have);
    if (!st && !json)
        st = fl_fail(err, FL_E_NOMEM, dir, "out of memory");
    for (size_t i = 0; i < have; i++)
        fl_json_free(parts[i]);
    if (!st)
        *ret_json = json;
    return st;
}
