/* SPDX-License-Identifier: GPL-3.0-or-later */
/* drift.c -- what the incidents looked like that a model was trained on: mean and spread, over incidents, of each
 * feature's mean over the candidates of an incident. The model file carries it; contract in <faultline/rank.h>. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "rank_internal.h"

void fl_features_mean(const struct fl_features *x, double *ret)
{
    size_t f = fl_feature_count();
    memset(ret, 0, f * sizeof *ret);
    for (size_t i = 0; i < x->n; i++)
        for (size_t j = 0; j < f; j++)
            ret[j] += x->x[i * f + j] / (double)x->n;
}

void fl_train_describe(const struct fl_train_case *cases, size_t n, struct fl_train_result *ret)
{
    size_t f = fl_feature_count();
    double now[FL_FEATURES_MAX], all = 0;
    ret->cases = 0;
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t c = 0; c < n; c++) {
            if (!cases[c].features.n)
                continue;
            fl_features_mean(&cases[c].features, now);
            all += pass ? 0 : cases[c].weight;
            ret->cases += !pass;
            for (size_t j = 0; j < f; j++)
                if (!pass)
                    ret->mean[j] += cases[c].weight * now[j];
                else
                    ret->spread[j] += cases[c].weight / all * (now[j] - ret->mean[j] / all) *
                                      (now[j] - ret->mean[j] / all);
        }
    for (size_t j = 0; all > 0 && j < f; j++) {
        ret->mean[j] /= all;
        ret->spread[j] = sqrt(ret->spread[j]);
    }
}

void fl_training_write(const struct fl_train_result *r, struct fl_jw *w)
{
    char newest[FL_TIME_LEN];
    if (!r->cases)
        return;
    fl_jw_obj(w, "training");
    fl_jw_int(w, "cases", (int64_t)r->cases);
    fl_jw_str(w, "newest", r->newest ? fl_time_format(r->newest, newest) : NULL);
    fl_jw_obj(w, "features"); /* mean, spread */
    for (size_t j = 0; j < fl_feature_count(); j++) {
        if (r->spread[j] < 1e-6)
            continue;
        fl_buf_chr(w->out, '\n');
        fl_jw_arr(w, fl_feature_name(j));
        fl_jw_fixed(w, NULL, r->mean[j], 6);
        fl_jw_fixed(w, NULL, r->spread[j], 6);
        fl_jw_arr_end(w);
    }
    fl_jw_obj_end(w);
    fl_jw_obj_end(w);
}

fl_status fl_training_read(struct fl_model *m, const struct fl_json *v, struct fl_err *err)
{
    const struct fl_json *list = fl_json_get(v, "features");
    size_t f = fl_feature_count();
    if (!list)
        return FL_OK;
    if (!fl_json_is_object(list))
        return fl_fail(err, FL_E_SHAPE, "training.features", "it needs an object of [mean, spread]");
    m->training = calloc(2 * f, sizeof *m->training);
    if (!m->training)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t j = 0; j < f; j++) { /* features that this version does not know say nothing */
        const struct fl_json *pair = fl_json_get(list, fl_feature_name(j));
        double mean = fl_json_number(fl_json_at(pair, 0), 0), spread = fl_json_number(fl_json_at(pair, 1), 0);
        if (pair && (fl_json_len(pair) != 2 || !isfinite(mean) || !isfinite(spread) || spread < 0))
            return fl_fail(err, FL_E_SHAPE, "training.features", "\"%.60s\" is no mean and spread",
                           fl_feature_name(j));
        m->training[2 * j] = mean;
        m->training[2 * j + 1] = spread;
    }
    return FL_OK;
}

bool fl_model_training(const struct fl_model *m, size_t feature, double *mean, double *spread)
{
    if (!m->training || feature >= fl_feature_count() || !(m->training[2 * feature + 1] > 0))
        return false;
    *mean = m->training[2 * feature];
    *spread = m->training[2 * feature + 1];
    return true;
}

double fl_model_weight(const struct fl_model *m, size_t feature)
{
    return feature < fl_feature_count() ? m->weight[feature] : 0;
}
