/* SPDX-License-Identifier: GPL-3.0-or-later */
/* offline_cases.c -- contract in offline_cases.h. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "offline_cases.h"

fl_status fl_off_init(struct fl_off *off, struct fl_err *err)
{
    *off = (struct fl_off){.arena = fl_arena_new(0), .cache = fl_case_cache_new()};
    fl_topo_init();
    if (!off->arena || !off->cache)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    const char *json = fl_rules_default_json();
    return fl_rules_from_json(json, strlen(json), &off->rules, err);
}

bool fl_off_real(const char *text, double *ret)
{
    char *end;
    double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v) || v < 0)
        return false;
    *ret = v;
    return true;
}

void fl_off_done(struct fl_off *off)
{
    for (size_t s = 0; s < off->n_sets; s++) {
        fl_history_free(off->sets[s].history);
        for (size_t i = 0; i < off->sets[s].n_topos; i++)
            fl_topo_free(off->sets[s].topos[i].t);
    }
    fl_rules_free(off->rules);
    fl_case_cache_free(off->cache);
    fl_arena_free(off->arena);
}

int fl_off_error(const struct fl_err *err)
{
    fprintf(stderr, "faultline: %s%s%s\n", err->where, err->where[0] ? ": " : "", err->text);
    if (err->hint[0])
        fprintf(stderr, "  hint: %s\n", err->hint);
    return err->status == FL_E_USAGE || err->status == FL_E_IO ? 2 : 1;
}

/* ---- mapping ---- */

struct mapped {
    const struct fl_topo *t;
    fl_vertex node, peer;
};

static bool map_emit(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    struct mapped *m = ctx;
    (void)rule;
    m->node = fl_topo_find(m->t, node);
    if (m->node < 0)
        return false;
    m->peer = peer ? fl_topo_find(m->t, peer) : -1;
    return true;
}

fl_status fl_off_prepare(struct fl_off *off, struct fl_off_case *c, struct fl_topo *topo, struct fl_err *err)
{
    c->topo = topo;
    c->alerts = fl_arena_calloc(off->arena, c->c.n_alerts + 1, sizeof *c->alerts);
    c->candidates = fl_arena_calloc(off->arena, c->c.n_candidates + 1, sizeof *c->candidates);
    if (!c->alerts || !c->candidates)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < c->c.n_alerts; i++) {
        const struct fl_alert *a = &c->c.alerts[i];
        struct mapped m = {topo, -1, -1};
        fl_rules_map(off->rules, a, map_emit, &m);
        c->alerts[i] = (struct fl_rank_alert){a, m.node, m.peer, fl_rules_class(off->rules, a),
                                              fl_rules_severity(off->rules, a)};
        c->n_unmapped += m.node < 0;
    }
    for (size_t i = 0; i < c->c.n_candidates; i++) {
        fl_vertex v = fl_topo_find(topo, c->c.candidates[i]);
        if (v >= 0)
            c->candidates[c->n_candidates++] = v;
    }
    c->entry = c->c.entry ? fl_topo_find(topo, c->c.entry) : -1;
    c->truth_unit = c->truth ? fl_topo_find(topo, c->truth->service) : -1;
    return fl_rank_metrics_new(off->arena, off->rules, topo, &c->c.data, &c->metrics, err);
}

/* ---- reading ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_case(const char *dir)
{
    char path[4096];
    return snprintf(path, sizeof path, "%s/case.json", dir) < (int)sizeof path && access(path, R_OK) == 0;
}

static fl_status list_cases(struct fl_off *off, const char *dir, const char ***ret, size_t *ret_n,
                            struct fl_err *err)
{
    size_t n = 0, cap = 16;
    const char **v = malloc(cap * sizeof *v);
    DIR *d = opendir(dir);
    if (!d || !v) {
        free(v);
        if (d)
            closedir(d);
        return fl_fail(err, FL_E_IO, dir, "cannot read the directory: %s", strerror(errno));
    }
    if (is_case(dir))
        v[n++] = fl_arena_strdup(off->arena, dir);
    for (struct dirent *e; n == 0 || !is_case(dir);) {
        if (!(e = readdir(d)))
            break;
        const char *path = fl_arena_printf(off->arena, "%s/%s", dir, e->d_name);
        if (e->d_name[0] == '.' || !path || !is_case(path))
            continue;
        if (n == cap) {
            const char **grown = realloc(v, (cap *= 2) * sizeof *v);
            if (!grown)
                break;
            v = grown;
        }
        v[n++] = path;
    }
    closedir(d);
    qsort(v, n, sizeof *v, by_text);
    *ret = v;
    *ret_n = n;
    if (n)
        return FL_OK;
    free(v);
    *ret = NULL;
    fl_status st = fl_fail(err, FL_E_NOTFOUND, dir, "holds no case (no case.json in it or its folders)");
    fl_hint(err, "name a set's folder of cases, such as ../shared/rca/petshop/open");
    return st;
}

/* A part of a set lies beside what all its parts share: its common folder. */
static bool is_part(const char *set)
{
    char path[4096];
    struct stat st;
    snprintf(path, sizeof path, "%s/common", set);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* "…/petshop/open" is the set petshop. */
static const char *set_name(struct fl_off *off, const char *dir)
{
    char *copy = fl_arena_strdup(off->arena, dir), *slash;
    if (!copy)
        return dir;
    while ((slash = strrchr(copy, '/')) && !slash[1] && slash != copy)
        *slash = '\0';
    slash = strrchr(copy, '/');
    if (slash && slash != copy) {
        *slash = '\0';
        if (is_part(copy)) {
            slash = strrchr(copy, '/');
            return slash ? slash + 1 : copy;
        }
        *slash = '/';
    }
    return slash ? slash + 1 : copy;
}

static fl_status topo_for(struct fl_off_set *s, const struct fl_topology_doc *doc, struct fl_topo **ret,
                          struct fl_err *err)
{
    for (size_t i = 0; i < s->n_topos; i++)
        if (memcmp(&s->topos[i].hash, &doc->hash, sizeof doc->hash) == 0) {
            *ret = s->topos[i].t;
            return FL_OK;
        }
    fl_status st = fl_topo_new(doc, ret, err);
    if (!st)
        s->topos[s->n_topos++] = (struct fl_off_topo){doc->hash, *ret};
    return st;
}

static fl_status read_case(struct fl_off *off, struct fl_off_set *s, const char *dir, struct fl_err *err)
{
    struct fl_off_case *c = &s->cases[s->n];
    struct fl_topo *topo;
    fl_status st = fl_case_read(off->arena, off->cache, dir, &c->c, err);
    if (st)
        return st;
    c->truth = fl_expected_find(&s->expected, c->c.name);
    st = topo_for(s, &c->c.topology, &topo, err);
    if (!st)
        st = fl_off_prepare(off, c, topo, err);
    if (!st)
        s->n++;
    return st;
}

static fl_status read_set(struct fl_off *off, struct fl_off_set *s, const char *dir, struct fl_err *err)
{
    FL_AUTO_FREE const char **dirs = NULL;
    size_t n = 0;
    fl_status st = list_cases(off, dir, &dirs, &n, err);
    if (st)
        return st;
    const char *expected = fl_arena_printf(off->arena, "%s/%sexpected.jsonl", dir, is_case(dir) ? "../" : "");
    *s = (struct fl_off_set){.name = set_name(off, dir), .dir = fl_arena_strdup(off->arena, dir)};
    s->cases = fl_arena_calloc(off->arena, n, sizeof *s->cases);
    s->topos = fl_arena_calloc(off->arena, n, sizeof *s->topos);
    if (!expected || !s->cases || !s->topos)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (access(expected, R_OK) == 0)
        st = fl_case_expected(off->arena, expected, &s->expected, err);
    for (size_t i = 0; !st && i < n; i++)
        st = read_case(off, s, dirs[i], err);
    return st;
}

fl_status fl_off_add(struct fl_off *off, const char *dir, struct fl_err *err)
{
    if (off->n_sets == off->cap_sets) {
        size_t cap = off->cap_sets ? 2 * off->cap_sets : 8;
        struct fl_off_set *grown = fl_arena_calloc(off->arena, cap, sizeof *grown);
        if (!grown)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        if (off->n_sets)
            memcpy(grown, off->sets, off->n_sets * sizeof *grown);
        off->sets = grown;
        off->cap_sets = cap;
    }
    return read_set(off, &off->sets[off->n_sets++], dir, err);
}

/* ---- history ---- */

/* A past case is of the same system when both say so; else when most of its nodes exist in this set. */
static bool same_system(const struct fl_off_set *s, const struct fl_off_case *past)
{
    if (s->n && s->cases[0].c.system && past->c.system)
        return strcmp(s->cases[0].c.system, past->c.system) == 0;
    size_t n = fl_topo_n_nodes(past->topo), known = 0;
    for (size_t v = 0; v < n; v++)
        for (size_t i = 0; i < s->n_topos; i++)
            if (fl_topo_find(s->topos[i].t, fl_topo_node(past->topo, (fl_vertex)v)->id) >= 0) {
                known++;
                break;
            }
    return 2 * known > n;
}

static void mark_past(struct fl_off_set *s, const struct fl_off_case *past)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->cases[i].c.name, past->c.name) == 0 && s->cases[i].c.n_alerts == past->c.n_alerts)
            s->cases[i].in_past = true;
}

static fl_status learn(struct fl_off_set *s, const struct fl_off_case *c, struct fl_err *err)
{
    fl_status st = fl_history_learn(s->history, c->topo, c->alerts, c->c.n_alerts, 0);
    return st ? fl_fail(err, st, c->c.dir, "cannot learn from this case") : FL_OK;
}

fl_status fl_off_history(struct fl_off *off, const struct fl_off *past, struct fl_err *err)
{
    fl_status st = FL_OK;
    for (size_t i = 0; !st && i < off->n_sets; i++) {
        struct fl_off_set *s = &off->sets[i];
        s->own_history = !past;
        if (!(s->history = fl_history_new()))
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        for (size_t k = 0; !st && !past && k < s->n; k++)
            st = learn(s, &s->cases[k], err);
        for (size_t p = 0; past && p < past->n_sets; p++)
            for (size_t k = 0; !st && k < past->sets[p].n; k++)
                if (same_system(s, &past->sets[p].cases[k])) {
                    st = learn(s, &past->sets[p].cases[k], err);
                    s->n_past++;
                    mark_past(s, &past->sets[p].cases[k]);
                }
    }
    return st;
}

/* With --history the same case may be in both folders: then it is taken out as well. */
fl_status fl_off_leave_out(const struct fl_off_set *s, const struct fl_off_case *c, bool out)
{
    if (!s->history || (!s->own_history && !c->in_past))
        return FL_OK;
    return out ? fl_history_forget(s->history, c->topo, c->alerts, c->c.n_alerts)
               : fl_history_learn(s->history, c->topo, c->alerts, c->c.n_alerts, 0);
}

struct fl_rank_input fl_off_input(const struct fl_off_set *s, const struct fl_off_case *c)
{
    return (struct fl_rank_input){.topo = c->topo,
                                  .alerts = c->alerts,
                                  .n_alerts = c->c.n_alerts,
                                  .entry = c->entry,
                                  .history = s ? s->history : NULL,
                                  .changes = c->c.changes,
                                  .n_changes = c->c.n_changes,
                                  .data = &c->c.data,
                                  .metrics = c->metrics,
                                  .candidates = c->n_candidates ? c->candidates : NULL,
                                  .n_candidates = c->n_candidates,
                                  .max_candidates = 1000};
}

/* ---- training ---- */

static fl_status case_features(struct fl_off *off, const struct fl_off_set *s, const struct fl_off_case *c,
                               struct fl_train_case *ret, struct fl_err *err)
{
    struct fl_rank_input in = fl_off_input(s, c);
    bool any = false;
    fl_status st = fl_off_leave_out(s, c, true);
    if (!st)
        st = fl_rank_features(off->arena, &in, &ret->features, err);
    if (!st)
        st = fl_off_leave_out(s, c, false);
    if (st)
        return st;
    bool *truth = fl_arena_calloc(off->arena, ret->features.n + 1, sizeof *truth);
    if (!truth)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < ret->features.n; i++)
        any |= truth[i] = c->truth_unit >= 0 && ret->features.vertex[i] == c->truth_unit;
    ret->truth = truth;
    if (!any)
        ret->features.n = 0;
    return FL_OK;
}

fl_status fl_off_features(struct fl_off *off, struct fl_train_case **ret, size_t *ret_n, struct fl_err *err)
{
    size_t n = 0;
    fl_status st = FL_OK;
    for (size_t s = 0; s < off->n_sets; s++)
        n += off->sets[s].n;
    struct fl_train_case *all = fl_arena_calloc(off->arena, n + 1, sizeof *all);
    if (!all)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    n = 0;
    for (size_t s = 0; s < off->n_sets; s++)
        for (size_t i = 0; !st && i < off->sets[s].n; i++) {
            all[n].set = (unsigned)s;
            st = case_features(off, &off->sets[s], &off->sets[s].cases[i], &all[n++], err);
        }
    *ret = all;
    *ret_n = n;
    return st;
}

/* 1 = each set counts the same, 0 = each case does. Between the two, a large set is learned from and a small
 * one is not drowned: docs/accuracy.md. */
#define SET_POWER 0.7

fl_status fl_off_train(struct fl_off *off, const struct fl_train_case *all, const uint8_t *use, size_t n,
                       const struct fl_train_options *opt, struct fl_train_result *ret, struct fl_err *err)
{
    FL_AUTO_FREE struct fl_train_case *some = malloc((n + 1) * sizeof *some);
    FL_AUTO_FREE size_t *of_set = calloc(off->n_sets + 1, sizeof *of_set);
    double sum = 0;
    size_t kept = 0, sets = 0;
    if (!some || !of_set)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < n; i++)
        if (all[i].features.n && (!use || use[i])) {
            sets += of_set[all[i].set]++ == 0;
            some[kept++] = all[i];
        }
    for (size_t i = 0; i < kept; i++)
        sum += some[i].weight = pow((double)of_set[some[i].set], -SET_POWER);
    for (size_t i = 0; i < kept; i++)
        some[i].weight /= sum;
    return fl_model_train(some, kept, opt, ret, err);
}

/* The first set of the same system: by what the cases say, else each set is a system of its own. */
static size_t system_of(const struct fl_off *off, size_t s)
{
    const char *system = off->sets[s].n ? off->sets[s].cases[0].c.system : NULL;
    for (size_t i = 0; system && i < s; i++)
        if (off->sets[i].n && fl_streq(off->sets[i].cases[0].c.system, system))
            return i;
    return s;
}

/* Variants of one incident (expected.jsonl: augmentation_of) stay in one part. */
void fl_off_folds(const struct fl_off *off, bool by_system, int64_t folds, unsigned *fold)
{
    size_t at = 0;
    for (size_t s = 0; s < off->n_sets; s++) {
        const struct fl_off_set *set = &off->sets[s];
        size_t system = by_system ? system_of(off, s) : 0;
        for (size_t i = 0; i < set->n; i++, at++) {
            const struct fl_expected *e = set->cases[i].truth;
            size_t part = i;
            for (size_t k = 0; e && e->group && k < i; k++)
                if (set->cases[k].truth && fl_streq(set->cases[k].truth->group, e->group)) {
                    part = k;
                    break;
                }
            fold[at] = (unsigned)(by_system ? system : part % (size_t)folds);
        }
    }
}
