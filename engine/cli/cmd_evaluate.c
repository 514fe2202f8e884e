/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_evaluate.c -- faultline evaluate: rank labelled incidents and count how high the truth stands. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "offline_cases.h"

static const char usage[] =
    "usage: faultline evaluate DIR... [--history DIR]... [--model F] [--answers F] [-o json|table]\n"
    "                          [--cv K | --leave-one-system-out] [--l2 X] [--cases]\n"
    "                          [--compare MODEL2]\n"
    "  DIR        a folder of cases (with expected.jsonl when they are labelled), or one case\n"
    "  --history  folders of past incidents; without it: the other cases of the set\n"
    "  --cv K     train on K-1 parts of the cases, rank the rest (K parts, by incident)\n"
    "  --cases    one line per case: the truth, its rank, what came first\n"
    "  --compare  rank with this model too, and say how sure the difference is (95 % interval)\n";

struct options {
    const char *model, *answers;
    struct fl_model *second; /* --compare */
    bool json, by_system, cases;
    int64_t folds;
    double l2;
};

/* What is counted over a set, or over one fault type of it. */
struct score {
    const char *name;
    size_t n, misses;
    double top1, top3, top5, avg5, ms, ms_most;
    size_t changes, change_hits, none, none_named;
};

/* Chance that the truth is among the first k when equal scores stand in random order. */
static double chance(size_t better, size_t equal, size_t k)
{
    if (better >= k)
        return 0;
    return better + equal <= k ? 1 : (double)(k - better) / (double)equal;
}

static void count(struct score *s, const struct fl_ranking *r, const char *truth, double ms)
{
    size_t better = 0, equal = 0;
    double score = NAN;
    s->n++;
    s->ms += ms;
    s->ms_most = ms > s->ms_most ? ms : s->ms_most;
    for (size_t i = 0; r && i < r->n_candidates; i++)
        if (strcmp(r->candidates[i].service, truth) == 0)
            score = r->candidates[i].score;
    if (isnan(score)) {
        s->misses++;
        return;
    }
    for (size_t i = 0; i < r->n_candidates; i++) {
        better += r->candidates[i].score > score;
        equal += r->candidates[i].score == score;
    }
    s->top1 += chance(better, equal, 1);
    s->top3 += chance(better, equal, 3);
    s->top5 += chance(better, equal, 5);
    for (size_t k = 1; k <= 5; k++)
        s->avg5 += chance(better, equal, k) / 5;
}

static void count_change(struct score *s, const struct fl_ranking *r, const char *change)
{
    if (!change)
        return;
    if (strcmp(change, "none") == 0) {
        s->none++;
        s->none_named += r->culprit_change != NULL;
    } else {
        s->changes++;
        s->change_hits += r->culprit_change && strcmp(r->culprit_change, change) == 0;
    }
}

static struct score *type_score(struct score *v, size_t *n, size_t cap, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(v[i].name, name) == 0)
            return &v[i];
    if (*n == cap)
        return &v[cap - 1];
    v[*n] = (struct score){.name = name};
    return &v[(*n)++];
}

static void write_answer(FILE *f, const struct fl_off_case *c, const struct fl_ranking *r, double ms)
{
    FL_AUTO_BUF line = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&line);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "case", c->c.name);
    fl_jw_arr(&w, "ranking");
    for (size_t i = 0; i < r->n_candidates; i++)
        fl_jw_str(&w, NULL, r->candidates[i].service);
    fl_jw_arr_end(&w);
    fl_jw_arr(&w, "nodes");
    for (size_t i = 0; i < r->n_candidates; i++)
        fl_jw_str(&w, NULL, r->candidates[i].node);
    fl_jw_arr_end(&w);
    fl_jw_arr(&w, "scores");
    for (size_t i = 0; i < r->n_candidates; i++)
        fl_jw_fixed(&w, NULL, r->candidates[i].score, 6);
    fl_jw_arr_end(&w);
    fl_jw_fixed(&w, "confidence", r->confidence, 4);
    fl_jw_bool(&w, "convincing", r->convincing);
    fl_jw_str(&w, "change", c->c.n_changes ? r->culprit_change ? r->culprit_change : "none" : NULL);
    fl_jw_fixed(&w, "ms", ms, 3);
    fl_jw_obj_end(&w);
    fprintf(f, "%s\n", line.p ? line.p : "");
}

static void print_row(const struct score *s, int indent)
{
    double n = s->n ? (double)s->n : 1;
    printf("%*s%-*s %5zu  %.3f  %.3f  %.3f  %.3f  %7.3f\n", indent, "", 34 - indent, s->name, s->n,
           s->top1 / n, s->top3 / n, s->top5 / n, s->avg5 / n, s->ms / n);
}

static void json_row(struct fl_jw *w, const struct score *s)
{
    double n = s->n ? (double)s->n : 1;
    fl_jw_str(w, "name", s->name);
    fl_jw_int(w, "cases", (int64_t)s->n);
    fl_jw_int(w, "without_answer", (int64_t)s->misses);
    fl_jw_fixed(w, "top1", s->top1 / n, 4);
    fl_jw_fixed(w, "top3", s->top3 / n, 4);
    fl_jw_fixed(w, "top5", s->top5 / n, 4);
    fl_jw_fixed(w, "avg5", s->avg5 / n, 4);
    fl_jw_fixed(w, "ms", s->ms / n, 4);
    fl_jw_fixed(w, "ms_most", s->ms_most, 4);
}

enum { TYPES_MAX = 256, BINS = 5, UNITS_MIN = 10 };

/* Is 70 % right in 70 of 100 cases? Over all sets, by confidence of the first candidate. */
struct reliability {
    size_t n[BINS];
    double said[BINS], right[BINS];
};

static void count_confidence(struct reliability *b, const struct fl_ranking *r, const char *truth)
{
    size_t bin = (size_t)(r->confidence * BINS);
    bin = bin < BINS ? bin : BINS - 1;
    b->n[bin]++;
    b->said[bin] += r->confidence;
    b->right[bin] += r->n_candidates && strcmp(r->candidates[0].service, truth) == 0;
}

static void print_confidence(const struct reliability *b)
{
    printf("\nconfidence   cases   said  right\n");
    for (size_t i = 0; i < BINS; i++)
        if (b->n[i])
            printf("%2zu-%3zu %%   %6zu  %.3f  %.3f\n", 100 * i / BINS, 100 * (i + 1) / BINS, b->n[i],
                   b->said[i] / (double)b->n[i], b->right[i] / (double)b->n[i]);
}

static void json_confidence(struct fl_jw *w, const struct reliability *b)
{
    fl_jw_arr(w, "confidence");
    for (size_t i = 0; i < BINS; i++) {
        double n = b->n[i] ? (double)b->n[i] : 1;
        fl_jw_obj(w, NULL);
        fl_jw_fixed(w, "from", (double)i / BINS, 1);
        fl_jw_int(w, "cases", (int64_t)b->n[i]);
        fl_jw_fixed(w, "said", b->said[i] / n, 4);
        fl_jw_fixed(w, "right", b->right[i] / n, 4);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

struct run {
    const struct options *opt;
    struct fl_off *off;
    const struct fl_model *model; /* NULL while cross-validating */
    struct fl_model **fold_models;
    const uint8_t *fold; /* of each case in order */
    FILE *answers;
    struct fl_jw *json;
    struct score mean;
    struct reliability bins;
    struct fl_pair *pair; /* --compare: two a labelled case, top-1 in the first half, top-3 in the second */
    size_t n_pairs, cap_pairs;
};

static fl_status rank_case(struct fl_arena *arena, const struct fl_model *model, const struct fl_off_set *s,
                           const struct fl_off_case *c, struct fl_ranking **ret, double *ms,
                           struct fl_err *err)
{
    struct fl_rank_input in = fl_off_input(s, c);
    fl_status st = fl_off_leave_out(s, c, true);
    if (st)
        return fl_fail(err, st, c->c.dir, "cannot take the case out of its history");
    fl_usec begin = fl_mono();
    st = fl_rank(arena, model, &in, ret, err);
    *ms = (double)(fl_mono() - begin) / 1000;
    if (!st)
        st = fl_off_leave_out(s, c, false);
    return st;
}

/* ---- --compare ---- */

/* The same case under the second model. `top` is what the first one scored. */
static fl_status pair_case(struct run *run, struct fl_arena *arena, const struct fl_off_set *s, size_t i,
                           const struct score *top, struct fl_err *err)
{
    const struct fl_off_case *c = &s->cases[i];
    struct score second = {.name = s->name};
    struct fl_ranking *r = NULL;
    double ms = 0;
    size_t unit = i;
    fl_status st = rank_case(arena, run->opt->second, s, c, &r, &ms, err);
    if (st)
        return st;
    count(&second, r, c->truth->service, ms);
    for (size_t k = 0; c->truth->group && k < i && unit == i; k++)
        if (s->cases[k].truth && fl_streq(s->cases[k].truth->group, c->truth->group))
            unit = k;
    unsigned set = (unsigned)(s - run->off->sets);
    run->pair[run->n_pairs] = (struct fl_pair){set, unit, top->top1, second.top1};
    run->pair[run->cap_pairs + run->n_pairs++] = (struct fl_pair){set, unit, top->top3, second.top3};
    return FL_OK;
}

static void json_paired(struct fl_jw *w, const char *key, const struct fl_paired *p)
{
    fl_jw_obj(w, key);
    fl_jw_fixed(w, "first", p->first, 4);
    fl_jw_fixed(w, "second", p->second, 4);
    fl_jw_fixed(w, "difference", p->difference, 4);
    fl_jw_fixed(w, "low", p->low, 4);
    fl_jw_fixed(w, "high", p->high, 4);
    fl_jw_int(w, "better", (int64_t)p->better);
    fl_jw_int(w, "worse", (int64_t)p->worse);
    fl_jw_obj_end(w);
}

static void print_paired(const char *name, const struct fl_paired *p)
{
    const char *word = p->units < UNITS_MIN ? "too few incidents to tell"
                       : p->low > 0         ? "the second is better"
                       : p->high < 0        ? "the second is worse"
                                            : "no clear difference";
    printf("%-6s  %.3f   %.3f      %+.3f  %+.3f … %+.3f  %6zu  %5zu  %s\n", name, p->first, p->second,
           p->difference, p->low, p->high, p->better, p->worse, word);
}

static fl_status report_pairs(const struct run *run, struct fl_err *err)
{
    struct fl_paired top1, top3;
    fl_status st = fl_rank_compare(run->pair, run->n_pairs, &top1, err);
    if (!st)
        st = fl_rank_compare(run->pair + run->cap_pairs, run->n_pairs, &top3, err);
    if (!st && !run->n_pairs)
        st = fl_fail(err, FL_E_USAGE, "--compare", "no labelled case is given");
    if (st)
        return st;
    if (run->json) {
        fl_jw_obj(run->json, "compare");
        fl_jw_str(run->json, "first", fl_model_id(run->model));
        fl_jw_str(run->json, "second", fl_model_id(run->opt->second));
        fl_jw_int(run->json, "cases", (int64_t)top1.cases);
        fl_jw_int(run->json, "incidents", (int64_t)top1.units);
        json_paired(run->json, "top1", &top1);
        json_paired(run->json, "top3", &top3);
        fl_jw_obj_end(run->json);
        return FL_OK;
    }
    printf("\ncompared: first %s, second %s; %zu cases of %zu incidents, mean over %zu sets\n",
           fl_model_id(run->model), fl_model_id(run->opt->second), top1.cases, top1.units, top1.sets);
    printf("        first  second  difference  95 %% interval   better  worse\n");
    print_paired("top-1", &top1);
    print_paired("top-3", &top3);
    return FL_OK;
}

static fl_status run_set(struct run *run, const struct fl_off_set *s, size_t first, struct fl_err *err)
{
    struct score total = {.name = s->name}, types[TYPES_MAX];
    size_t n_types = 0, labelled = 0;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    if (!arena)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < s->n; i++) {
        const struct fl_off_case *c = &s->cases[i];
        const struct fl_model *model = run->model ? run->model : run->fold_models[run->fold[first + i]];
        struct fl_ranking *r = NULL;
        double ms = 0;
        fl_arena_reset(arena);
        fl_status st = rank_case(arena, model, s, c, &r, &ms, err);
        if (st)
            return st;
        if (run->answers)
            write_answer(run->answers, c, r, ms);
        if (!c->truth)
            continue;
        labelled++;
        struct score one = {.name = s->name};
        count(&one, r, c->truth->service, ms);
        count(&total, r, c->truth->service, ms);
        count_confidence(&run->bins, r, c->truth->service);
        count_change(&total, r, c->truth->change);
        count(type_score(types, &n_types, TYPES_MAX, c->truth->fault_type), r, c->truth->service, ms);
        if (run->opt->cases) {
            size_t at = 0;
            while (at < r->n_candidates && strcmp(r->candidates[at].service, c->truth->service) != 0)
                at++;
            printf("  %-14s %-34s truth %-24s rank %zu  first %s (%.2f)\n", c->c.name, c->truth->fault_type,
                   c->truth->service, at + 1, r->n_candidates ? r->candidates[0].service : "-",
                   r->confidence);
        }
        if (run->opt->second && (st = pair_case(run, arena, s, i, &one, err)) != FL_OK)
            return st;
    }
    if (!labelled && !run->json)
        printf("%-34s %5zu  (no expected.jsonl: not scored)\n", s->name, s->n);
    if (!labelled)
        return FL_OK;
    double n = (double)total.n;
    run->mean.n++;
    run->mean.top1 += total.top1 / n;
    run->mean.top3 += total.top3 / n;
    run->mean.top5 += total.top5 / n;
    run->mean.avg5 += total.avg5 / n;
    run->mean.ms += total.ms / n;
    if (run->json) {
        fl_jw_obj(run->json, NULL);
        json_row(run->json, &total);
        if (total.changes + total.none) {
            fl_jw_int(run->json, "changes", (int64_t)total.changes);
            fl_jw_int(run->json, "changes_found", (int64_t)total.change_hits);
            fl_jw_int(run->json, "no_change", (int64_t)total.none);
            fl_jw_int(run->json, "no_change_but_named", (int64_t)total.none_named);
        }
        fl_jw_arr(run->json, "fault_types");
        for (size_t i = 0; i < n_types; i++) {
            fl_jw_obj(run->json, NULL);
            json_row(run->json, &types[i]);
            fl_jw_obj_end(run->json);
        }
        fl_jw_arr_end(run->json);
        fl_jw_obj_end(run->json);
        return FL_OK;
    }
    print_row(&total, 0);
    for (size_t i = 0; i < n_types; i++)
        print_row(&types[i], 2);
    if (total.changes + total.none)
        printf("  culprit change named: %zu of %zu; named where there is none: %zu of %zu\n",
               total.change_hits, total.changes, total.none_named, total.none);
    return FL_OK;
}

static fl_status train_folds(struct run *run, size_t n_cases, size_t folds, uint8_t *fold, struct fl_err *err)
{
    struct fl_train_case *all;
    size_t n;
    fl_status st = fl_off_features(run->off, &all, &n, err);
    FL_AUTO_FREE uint8_t *use = malloc(n_cases + 1);
    run->fold_models = calloc(folds, sizeof(struct fl_model *));
    if (!use || !run->fold_models)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t k = 0; !st && k < folds; k++) {
        struct fl_train_result r;
        struct fl_train_options o = {.l2 = run->opt->l2};
        size_t used = 0;
        for (size_t i = 0; i < n; i++)
            used += use[i] = fold[i] != k;
        if (!used)
            continue;
        st = fl_off_train(run->off, all, use, n, &o, &r, err);
        if (!st && !(run->fold_models[k] = fl_model_from(&r)))
            st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    return st;
}

static fl_status evaluate(struct fl_off *off, const struct options *opt, struct fl_model *model,
                          struct fl_err *err)
{
    struct run run = {.opt = opt, .off = off, .mean = {.name = "mean over sets"}};
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    size_t n = 0, folds = opt->by_system ? off->n_sets : (size_t)opt->folds;
    fl_status st = FL_OK;
    for (size_t s = 0; s < off->n_sets; s++)
        n += off->sets[s].n;
    FL_AUTO_FREE uint8_t *fold = calloc(n + 1, 1);
    if (!fold)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (folds) {
        fl_off_folds(off, opt->by_system, opt->folds, fold);
        st = train_folds(&run, n, folds, fold, err);
        run.fold = fold;
    } else {
        run.model = model ? model : fl_model_default();
    }
    run.cap_pairs = n;
    FL_AUTO_FREE struct fl_pair *pairs = calloc(2 * n + 1, sizeof *pairs);
    if (!(run.pair = pairs) && !st)
        st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (!st && opt->answers && !(run.answers = fopen(opt->answers, "we")))
        st = fl_fail(err, FL_E_IO, opt->answers, "cannot write the answers");
    if (opt->json) {
        run.json = &w;
        fl_jw_obj(&w, NULL);
        fl_jw_arr(&w, "sets");
    } else {
        printf("%-34s %5s  %5s  %5s  %5s  %5s  %7s\n", "set", "cases", "top-1", "top-3", "top-5", "avg@5",
               "ms");
    }
    size_t first = 0;
    for (size_t s = 0; !st && s < off->n_sets; first += off->sets[s++].n)
        st = run_set(&run, &off->sets[s], first, err);
    if (!st && opt->json) {
        fl_jw_arr_end(&w);
        fl_jw_obj(&w, "mean");
        json_row(&w, &run.mean);
        fl_jw_obj_end(&w);
        json_confidence(&w, &run.bins);
        if (opt->second)
            st = report_pairs(&run, err);
        fl_jw_obj_end(&w);
        printf("%s\n", out.p ? out.p : "");
    } else if (!st && (run.mean.n || opt->second)) {
        print_row(&run.mean, 0);
        print_confidence(&run.bins);
        if (opt->second)
            st = report_pairs(&run, err);
    }
    if (run.answers && fclose(run.answers) != 0 && !st)
        st = fl_fail(err, FL_E_IO, opt->answers, "cannot write the answers");
    for (size_t k = 0; run.fold_models && k < folds; k++)
        fl_model_free(run.fold_models[k]);
    free(run.fold_models);
    return st;
}

fl_status fl_off_model(const char *path, struct fl_model **ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    fl_status st = fl_case_file(path, &text, err);
    if (!st)
        st = fl_model_parse(text.p ? text.p : "", text.n, ret, err);
    if (st)
        fl_err_within(err, "%s", path);
    return st;
}

enum { OPT_HISTORY = 256, OPT_MODEL, OPT_ANSWERS, OPT_CV, OPT_SYSTEM, OPT_L2, OPT_CASES, OPT_COMPARE };

static const struct option options[] = {{"history", required_argument, NULL, OPT_HISTORY},
                                        {"model", required_argument, NULL, OPT_MODEL},
                                        {"answers", required_argument, NULL, OPT_ANSWERS},
                                        {"cv", required_argument, NULL, OPT_CV},
                                        {"leave-one-system-out", no_argument, NULL, OPT_SYSTEM},
                                        {"l2", required_argument, NULL, OPT_L2},
                                        {"cases", no_argument, NULL, OPT_CASES},
                                        {"compare", required_argument, NULL, OPT_COMPARE},
                                        {"output", required_argument, NULL, 'o'},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

int fl_cmd_evaluate(int argc, char **argv)
{
    struct options opt = {.l2 = FL_OFF_L2};
    struct fl_err err = {.status = FL_OK};
    struct fl_off off, past;
    struct fl_model *model = NULL;
    bool has_past = false;
    int c;
    fl_status st = fl_off_init(&off, &err);
    if (!st)
        st = fl_off_init(&past, &err);
    optind = 0;
    while (!st && (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (c == OPT_HISTORY) {
            has_past = true;
            st = fl_off_add(&past, optarg, &err);
        } else if (c == OPT_MODEL) {
            st = fl_off_model(optarg, &model, &err);
        } else if (c == OPT_ANSWERS) {
            opt.answers = optarg;
        } else if (c == OPT_CV && fl_parse_i64(optarg, 2, 200, &opt.folds)) {
            continue;
        } else if (c == OPT_SYSTEM) {
            opt.by_system = true;
        } else if (c == OPT_COMPARE) {
            opt.second = fl_model_free(opt.second);
            st = fl_off_model(optarg, &opt.second, &err);
        } else if (c == OPT_CASES) {
            opt.cases = true;
        } else if (c == OPT_L2 && fl_off_real(optarg, &opt.l2)) {
            continue;
        } else if (c == 'o' && (strcmp(optarg, "json") == 0 || strcmp(optarg, "table") == 0)) {
            opt.json = optarg[0] == 'j';
        } else {
            FILE *to = c == 'h' ? stdout : stderr;
            fputs(usage, to);
            fl_off_done(&off);
            fl_off_done(&past);
            fl_model_free(opt.second);
            return c == 'h' ? 0 : 2;
        }
    }
    if (!st && opt.second && (opt.folds || opt.by_system))
        st = fl_fail(&err, FL_E_USAGE, "--compare",
                     "compares two finished models: not with --cv or --leave-one-system-out");
    if (!st && optind == argc)
        st = fl_fail(&err, FL_E_USAGE, NULL, "no directory of cases is given");
    for (; !st && optind < argc; optind++)
        st = fl_off_add(&off, argv[optind], &err);
    if (!st)
        st = fl_off_history(&off, has_past ? &past : NULL, &err);
    if (!st)
        st = evaluate(&off, &opt, model, &err);
    fl_model_free(model);
    fl_model_free(opt.second);
    fl_off_done(&off);
    fl_off_done(&past);
    return st ? fl_off_error(&err) : 0;
}
