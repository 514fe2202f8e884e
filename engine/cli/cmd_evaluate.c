/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_evaluate.c -- faultline evaluate: rank labelled incidents and count how high the truth stands. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "evaluate_score.h"
#include "offline_cases.h"

static const char usage[] =
    "usage: faultline evaluate DIR... [--history DIR]... [--model F] [--answers F] [-o json|table]\n"
    "                          [--cv K | --leave-one-system-out] [--l2 X] [--cases]\n"
    "                          [--compare MODEL2]\n"
    "  DIR        a folder of cases (with expected.jsonl when they are labelled), or one case\n"
    "  --history  folders of past incidents; without it: the other cases of the set\n"
    "  --answers  write a line of JSON per case: its ranking and what it took\n"
    "  --cv K     train on K-1 parts of the cases, rank the rest (K parts, by incident)\n"
    "  --leave-one-system-out\n"
    "             train on all other systems: folders whose cases name the same \"system\" are one,\n"
    "             a folder whose cases name none is a system of its own\n"
    "  --cases    one line per case: the truth, its rank, what came first\n"
    "  --compare  rank with this model too, and say how sure the difference is (95 % interval)\n";

struct options {
    const char *model, *answers;
    struct fl_model *second; /* --compare */
    bool json, by_system, cases;
    int64_t folds;
    double l2;
};

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

enum { TYPES_MAX = 256 };

struct run {
    const struct options *opt;
    struct fl_off *off;
    const struct fl_model *model; /* NULL while cross-validating */
    struct fl_model **fold_models;
    const unsigned *fold; /* of each case in order */
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
    score_count(&second, r, c->truth->service, ms);
    for (size_t k = 0; c->truth->group && k < i && unit == i; k++)
        if (s->cases[k].truth && fl_streq(s->cases[k].truth->group, c->truth->group))
            unit = k;
    unsigned set = (unsigned)(s - run->off->sets);
    run->pair[run->n_pairs] = (struct fl_pair){set, unit, top->top1, second.top1};
    run->pair[run->cap_pairs + run->n_pairs++] = (struct fl_pair){set, unit, top->top3, second.top3};
    return FL_OK;
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
        paired_json(run->json, "top1", &top1);
        paired_json(run->json, "top3", &top3);
        fl_jw_obj_end(run->json);
        return FL_OK;
    }
    printf("\ncompared: first %s, second %s; %zu cases of %zu incidents, mean over %zu sets\n",
           fl_model_id(run->model), fl_model_id(run->opt->second), top1.cases, top1.units, top1.sets);
    printf("        first  second  difference  95 %% interval   better  worse\n");
    paired_print("top-1", &top1);
    paired_print("top-3", &top3);
    return FL_OK;
}

/* Where the truth stands, 1 = first; 0: it is no candidate. */
static size_t rank_of(const struct fl_ranking *r, const char *service)
{
    for (size_t i = 0; i < r->n_candidates; i++)
        if (strcmp(r->candidates[i].service, service) == 0)
            return i + 1;
    return 0;
}

/* --cases */
static void tell_case(struct run *run, const struct fl_off_case *c, const struct fl_ranking *r)
{
    size_t at = rank_of(r, c->truth->service);
    const char *first = r->n_candidates ? r->candidates[0].service : NULL;
    if (run->json) {
        fl_jw_obj(run->json, NULL);
        fl_jw_str(run->json, "case", c->c.name);
        fl_jw_str(run->json, "fault_type", c->truth->fault_type);
        fl_jw_str(run->json, "truth", c->truth->service);
        if (at)
            fl_jw_int(run->json, "rank", (int64_t)at);
        else
            fl_jw_raw(run->json, "rank", "null");
        fl_jw_str(run->json, "first", first);
        fl_jw_fixed(run->json, "confidence", r->confidence, 4);
        fl_jw_obj_end(run->json);
        return;
    }
    char rank[24] = "none";
    if (at)
        snprintf(rank, sizeof rank, "%zu", at);
    printf("  %-14s %-34s truth %-24s rank %s  first %s (%.2f)\n", c->c.name, c->truth->fault_type,
           c->truth->service, rank, first ? first : "-", r->confidence);
}

/* Counts of one set while its cases are ranked. */
struct tally {
    struct score total, types[TYPES_MAX];
    size_t n_types, unlabelled;
};

static fl_status run_case(struct run *run, struct fl_arena *arena, const struct fl_off_set *s, size_t i,
                          const struct fl_model *model, struct tally *t, struct fl_err *err)
{
    const struct fl_off_case *c = &s->cases[i];
    struct score one = {.name = s->name};
    struct fl_ranking *r = NULL;
    double ms = 0;
    fl_status st = rank_case(arena, model, s, c, &r, &ms, err);
    if (st)
        return st;
    if (run->answers)
        write_answer(run->answers, c, r, ms);
    if (!c->truth) {
        t->unlabelled++;
        return FL_OK;
    }
    const char *service = c->truth->service;
    score_count(&one, r, service, ms);
    score_count(&t->total, r, service, ms);
    score_count_change(&t->total, r, c->truth->change);
    score_count(score_of_type(t->types, &t->n_types, TYPES_MAX, c->truth->fault_type), r, service, ms);
    reliability_count(&run->bins, r, service);
    if (run->opt->cases)
        tell_case(run, c, r);
    return run->opt->second ? pair_case(run, arena, s, i, &one, err) : FL_OK;
}

static void tell_set(struct run *run, const struct fl_off_set *s, const struct tally *t)
{
    if (run->json) {
        if (run->opt->cases)
            fl_jw_arr_end(run->json);
        score_json(run->json, &t->total);
        fl_jw_int(run->json, "unlabelled", (int64_t)t->unlabelled);
        score_json_changes(run->json, &t->total);
        fl_jw_arr(run->json, "fault_types");
        for (size_t i = 0; i < t->n_types; i++) {
            fl_jw_obj(run->json, NULL);
            score_json(run->json, &t->types[i]);
            fl_jw_obj_end(run->json);
        }
        fl_jw_arr_end(run->json);
        fl_jw_obj_end(run->json);
        return;
    }
    if (!t->total.n) {
        printf("%-34s %5zu  (no label in expected.jsonl: ranked, not scored)\n", s->name, s->n);
        return;
    }
    score_print(&t->total, 0);
    for (size_t i = 0; i < t->n_types; i++)
        score_print(&t->types[i], 2);
    if (t->unlabelled)
        printf("  %zu more without a label: ranked, not scored\n", t->unlabelled);
    score_print_changes(&t->total);
}

static fl_status run_set(struct run *run, const struct fl_off_set *s, size_t first, struct fl_err *err)
{
    FL_AUTO_FREE struct tally *t = calloc(1, sizeof *t);
    FL_AUTO_ARENA arena = fl_arena_new(0);
    fl_status st = FL_OK;
    if (!arena || !t)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    t->total.name = s->name;
    if (run->json) {
        fl_jw_obj(run->json, NULL);
        if (run->opt->cases)
            fl_jw_arr(run->json, "each");
    }
    for (size_t i = 0; !st && i < s->n; i++) {
        fl_arena_reset(arena);
        st = run_case(run, arena, s, i, run->model ? run->model : run->fold_models[run->fold[first + i]], t,
                      err);
    }
    if (st)
        return st;
    tell_set(run, s, t);
    if (t->total.n)
        score_add_mean(&run->mean, &t->total);
    return FL_OK;
}

/* A model for each part, trained on all others. A part without labelled cases needs none but ranks with one. */
static fl_status train_folds(struct run *run, size_t n_cases, size_t folds, const unsigned *fold,
                             struct fl_err *err)
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
        size_t used = 0, ranked = 0;
        for (size_t i = 0; i < n; i++) {
            used += (use[i] = fold[i] != k) && all[i].features.n;
            ranked += fold[i] == k;
        }
        if (!ranked)
            continue;
        if (!used) {
            st = fl_fail(err, FL_E_USAGE, run->opt->by_system ? "--leave-one-system-out" : "--cv",
                         "nothing to learn from: all labelled cases whose cause can be ranked are of one %s",
                         run->opt->by_system ? "system" : "part");
            fl_hint(err, run->opt->by_system ? "name sets of at least two systems, or use --cv"
                                             : "give at least two labelled incidents");
            break;
        }
        st = fl_off_train(run->off, all, use, n, &o, &r, err);
        if (!st && !(run->fold_models[k] = fl_model_from(&r)))
            st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    return st;
}

static fl_status run_sets(struct run *run, struct fl_err *err)
{
    fl_status st = FL_OK;
    size_t first = 0;
    if (!run->json)
        printf("%-34s %5s  %5s  %5s  %5s  %5s  %7s\n", "set", "cases", "top-1", "top-3", "top-5", "avg@5",
               "ms");
    for (size_t s = 0; !st && s < run->off->n_sets; first += run->off->sets[s++].n)
        st = run_set(run, &run->off->sets[s], first, err);
    return st;
}

static fl_status report(struct run *run, struct fl_buf *out, struct fl_err *err)
{
    fl_status st = FL_OK;
    if (run->json) {
        fl_jw_arr_end(run->json);
        fl_jw_obj(run->json, "mean");
        score_json(run->json, &run->mean);
        fl_jw_obj_end(run->json);
        reliability_json(run->json, &run->bins);
        if (run->opt->second)
            st = report_pairs(run, err);
        fl_jw_obj_end(run->json);
        if (!st)
            printf("%s\n", out->p ? out->p : "");
    } else if (run->mean.n || run->opt->second) {
        score_print(&run->mean, 0);
        reliability_print(&run->bins);
        if (run->opt->second)
            st = report_pairs(run, err);
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
    FL_AUTO_FREE unsigned *fold = calloc(n + 1, sizeof *fold);
    FL_AUTO_FREE struct fl_pair *pairs = calloc(2 * n + 1, sizeof *pairs);
    run.fold = fold;
    run.pair = pairs;
    run.cap_pairs = n;
    if (!fold || !pairs)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (folds) {
        fl_off_folds(off, opt->by_system, opt->folds, fold);
        st = train_folds(&run, n, folds, fold, err);
    } else {
        run.model = model ? model : fl_model_default();
    }
    if (!st && opt->answers && !(run.answers = fopen(opt->answers, "we")))
        st = fl_fail(err, FL_E_IO, opt->answers, "cannot write the answers: %s", strerror(errno));
    if (opt->json) {
        run.json = &w;
        fl_jw_obj(&w, NULL);
        fl_jw_arr(&w, "sets");
    }
    if (!st)
        st = run_sets(&run, err);
    if (!st)
        st = report(&run, &out, err);
    if (run.answers && fclose(run.answers) != 0 && !st)
        st = fl_fail(err, FL_E_IO, opt->answers, "cannot write the answers: %s", strerror(errno));
    for (size_t k = 0; run.fold_models && k < folds; k++)
        fl_model_free(run.fold_models[k]);
    free(run.fold_models);
    return st;
}

/* Ranked as on the first day, and nobody would know why. */
static void say_without_history(const struct fl_off *off)
{
    for (size_t i = 0; i < off->n_sets; i++)
        if (!off->sets[i].n_past)
            fprintf(stderr, "%s: no case of --history is of the same system; ranked without history\n",
                    off->sets[i].name);
}

fl_status fl_off_model(const char *path, struct fl_model **ret, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    fl_status st = fl_case_file(path, &text, err);
    if (!st)
        st = fl_model_parse(text.p ? text.p : "", text.n, ret, err);
    if (st)
        fl_err_in_file(err, path, 0);
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
    if (!st && opt.folds && opt.by_system)
        st = fl_fail(&err, FL_E_USAGE, "--cv",
                     "not with --leave-one-system-out: both say how cases are parted");
    if (!st && model && (opt.folds || opt.by_system))
        st = fl_fail(&err, FL_E_USAGE, "--model",
                     "not with --cv or --leave-one-system-out: those train their own");
    if (!st && optind == argc) {
        st = fl_fail(&err, FL_E_USAGE, NULL, "no directory of cases is given");
        fl_hint(&err, "name a folder of cases, such as ../shared/rca/petshop/open");
    }
    for (; !st && optind < argc; optind++)
        st = fl_off_add(&off, argv[optind], &err);
    if (!st)
        st = fl_off_history(&off, has_past ? &past : NULL, &err);
    if (!st && has_past)
        say_without_history(&off);
    if (!st)
        st = evaluate(&off, &opt, model, &err);
    fl_model_free(model);
    fl_model_free(opt.second);
    fl_off_done(&off);
    fl_off_done(&past);
    return st ? fl_off_error(&err) : 0;
}
