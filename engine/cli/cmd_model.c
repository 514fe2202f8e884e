/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cmd_model.c -- faultline model: train and show weights. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "offline_cases.h"

static const char usage[] =
    "usage: faultline model train DIR... -o FILE [--l2 X]\n"
    "       faultline model show [FILE]\n"
    "       faultline model evaluate DIR... [options of faultline evaluate]\n";

static fl_status save(const char *path, const struct fl_buf *text, struct fl_err *err)
{
    FILE *f = fopen(path, "we");
    bool ok = f && fwrite(text->p, 1, text->n, f) == text->n;
    if (f && fclose(f) != 0)
        ok = false;
    return ok ? FL_OK : fl_fail(err, FL_E_IO, path, "cannot write the model");
}

static fl_status train(struct fl_off *off, double l2, const char *path, struct fl_err *err)
{
    struct fl_train_case *all;
    struct fl_train_result r;
    struct fl_train_options opt = {.l2 = l2};
    FL_AUTO_BUF text = fl_buf_init(0);
    FL_AUTO_BUF note = fl_buf_init(0);
    size_t n, used = 0;
    fl_status st = fl_off_history(off, NULL, err);
    if (!st)
        st = fl_off_features(off, &all, &n, err);
    if (!st)
        st = fl_off_train(off, all, NULL, n, &opt, &r, err);
    if (st)
        return st;
    for (size_t i = 0; i < n; i++)
        used += all[i].features.n != 0;
    fl_buf_printf(&note, "conditional logit, l2 %g, %zu cases:", l2, used);
    for (size_t s = 0; s < off->n_sets; s++)
        fl_buf_printf(&note, " %s %zu", off->sets[s].name, off->sets[s].n);
    fl_model_write(&r, note.p, FL_OFF_THRESHOLD, &text);
    st = save(path, &text, err);
    if (!st)
        printf("%s: %s, loss %.6f\n", path, note.p, r.loss);
    return st;
}

static int cmd_train(int argc, char **argv)
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
        } else if (c == 'l') {
            l2 = atof(optarg);
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

static int cmd_show(int argc, char **argv)
{
    struct fl_err err = {.status = FL_OK};
    struct fl_model *given = NULL;
    fl_status st = argc > 1 ? fl_off_model(argv[1], &given, &err) : FL_OK;
    if (st)
        return fl_off_error(&err);
    const struct fl_model *m = given ? given : fl_model_default();
    printf("id: %s\n%s", fl_model_id(m), fl_model_json(m));
    fl_model_free(given);
    return 0;
}

int fl_cmd_evaluate(int argc, char **argv);

int fl_cmd_model(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "train") == 0)
        return cmd_train(argc - 1, argv + 1);
    if (strcmp(verb, "show") == 0)
        return cmd_show(argc - 1, argv + 1);
    if (strcmp(verb, "evaluate") == 0)
        return fl_cmd_evaluate(argc - 1, argv + 1);
    bool help = strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0;
    fputs(usage, help ? stdout : stderr);
    return help ? 0 : 2;
}
