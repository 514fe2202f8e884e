/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_model.c -- faultline model train: weights from labelled cases. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "cli.h"
#include "offline_cases.h"

static const char usage[] =
    "usage: faultline model train DIR... -o FILE [--l2 X]\n\n"
    "train the weights on folders of labelled cases; the same cases give the same bytes\n\n"
    "  -o FILE  where the model goes\n"
    "  --l2 X   strength of the pull to the prior weights (default: chosen by cross-validation)\n";

static fl_status save(const char *path, const struct fl_buf *text, struct fl_err *err)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fwrite(text->p, 1, text->n, f) == text->n;
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? FL_OK : fl_fail(err, FL_E_IO, path, "cannot write the model");
}

enum { PARTS = 5, STEPS = 30 };

struct held_out {
    double log_p[STEPS]; /* for each scale, of the truth, weighted so that sets count the same */
    double top1, top3;
};

static double step_scale(int step)
{
    return 0.1 + 0.05 * step;
}

/* One case under a model that was not trained on it. */
static void hold_out(const struct fl_train_case *c, const double *weight, double share, struct held_out *h)
{
    size_t f = fl_feature_count(), above = 0;
    double truth = -INFINITY;
    FL_AUTO_FREE double *score = malloc((c->features.n + 1) * sizeof *score);
    FL_REQUIRE(score);
    for (size_t i = 0; i < c->features.n; i++) {
        score[i] = 0;
        for (size_t j = 0; j < f; j++)
            score[i] += weight[j] * c->features.x[i * f + j];
        truth = c->truth[i] ? score[i] : truth;
    }
    for (int s = 0; s < STEPS; s++) {
        double all = 0;
        for (size_t i = 0; i < c->features.n; i++)
            all += exp(step_scale(s) * (score[i] - truth));
        h->log_p[s] -= share * log(all);
    }
    for (size_t i = 0; i < c->features.n; i++)
        above += score[i] > truth;
    h->top1 += share * (above < 1);
    h->top3 += share * (above < 3);
}

/* Probabilities of a model on its own training cases are too sure: learn the scale on held-out parts. */
static fl_status calibrate(struct fl_off *off, const struct fl_train_case *all, size_t n,
                           const struct fl_train_options *opt, struct fl_train_result *r, struct held_out *h,
                           struct fl_err *err)
{
    FL_AUTO_FREE unsigned *fold = calloc(n + 1, sizeof *fold);
    FL_AUTO_FREE uint8_t *use = calloc(n + 1, 1);
    FL_AUTO_FREE size_t *of_set = calloc(off->n_sets + 1, sizeof *of_set);
    size_t sets = 0;
    int best = 0;
    if (!fold || !use || !of_set)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_off_folds(off, false, PARTS, fold);
    for (size_t i = 0; i < n; i++)
        sets += all[i].features.n && of_set[all[i].set]++ == 0;
    *h = (struct held_out){.top1 = 0};
    for (int k = 0; k < PARTS; k++) {
        struct fl_train_result part;
        size_t used = 0;
        for (size_t i = 0; i < n; i++)
            used += (use[i] = fold[i] != (unsigned)k) && all[i].features.n;
        fl_status st = used ? fl_off_train(off, all, use, n, opt, &part, err) : FL_OK;
        if (st)
            return st;
        for (size_t i = 0; used && i < n; i++)
            if (fold[i] == (unsigned)k && all[i].features.n)
                hold_out(&all[i], part.weight, 1.0 / (double)of_set[all[i].set] / (double)sets, h);
    }
    for (int s = 1; s < STEPS; s++)
        if (h->log_p[s] > h->log_p[best])
            best = s;
    r->scale = step_scale(best);
    return FL_OK;
}

/* The date of a model is that of its data: the same cases give the same bytes. */
static fl_usec newest_alert(const struct fl_off *off)
{
    fl_usec newest = 0;
    for (size_t s = 0; s < off->n_sets; s++)
        for (size_t i = 0; i < off->sets[s].n; i++)
            for (size_t k = 0; k < off->sets[s].cases[i].c.n_alerts; k++) {
                fl_usec at = off->sets[s].cases[i].c.alerts[k].starts_at;
                newest = at > newest ? at : newest;
            }
    return newest;
}

static fl_status train(struct fl_off *off, double l2, const char *path, struct fl_err *err)
{
    struct fl_train_case *all;
    struct fl_train_result r;
    struct fl_train_options opt = {.l2 = l2};
    struct held_out held = {.top1 = 0};
    FL_AUTO_BUF text = fl_buf_init(0);
    FL_AUTO_BUF note = fl_buf_init(0);
    size_t n, used = 0;
    fl_status st = fl_off_history(off, NULL, err);
    if (!st)
        st = fl_off_features(off, &all, &n, err);
    if (!st)
        st = fl_off_train(off, all, NULL, n, &opt, &r, err);
    if (!st)
        st = calibrate(off, all, n, &opt, &r, &held, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        used += all[i].features.n != 0;
    r.newest = newest_alert(off);
    fl_buf_printf(&note, "conditional logit, l2 %g, %zu cases:", l2, used);
    for (size_t s = 0; s < off->n_sets; s++)
        fl_buf_printf(&note, " %s %zu", off->sets[s].name, off->sets[s].n);
    fl_buf_printf(&note, "; held out in %d parts, mean over sets: top-1 %.3f, top-3 %.3f", PARTS, held.top1,
                  held.top3);
    fl_model_write(&r, note.p, FL_OFF_THRESHOLD, &text);
    st = save(path, &text, err);
    if (!st)
        printf("%s: %s, loss %.6f, scale %.2f\n", path, note.p, r.loss, r.scale);
    return st;
}

int fl_cmd_model_train(int argc, char **argv)
{
    static const struct option options[] = {{"l2", required_argument, NULL, 'l'},
                                            {"output", required_argument, NULL, 'o'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct fl_err err = {.status = FL_OK};
    struct fl_off off;
    const char *path = NULL;
    double l2 = FL_OFF_L2;
    int c;
    fl_status st = fl_off_init(&off, &err);
    optind = 0;
    while (!st && (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
        if (c == 'o') {
            path = optarg;
        } else if (c == 'l' && fl_off_real(optarg, &l2)) {
            continue;
        } else {
            fputs(usage, c == 'h' ? stdout : stderr);
            fl_off_done(&off);
            return c == 'h' ? 0 : 2;
        }
    }
    if (!st && (optind == argc || !path))
        st = fl_fail(&err, FL_E_USAGE, NULL, "training needs folders of labelled cases and -o FILE");
    for (; !st && optind < argc; optind++)
        st = fl_off_add(&off, argv[optind], &err);
    if (!st)
        st = train(&off, l2, path, &err);
    fl_off_done(&off);
    return st ? fl_off_error(&err) : 0;
}
