/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/drift.c -- do today's incidents look like those that the model was trained on? Means of each feature over
 * the incidents that ended, the last fifty above all; and how many of the last alerts match no component. Nothing is
 * decided by it: it is for /metrics. */
#include "flow_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { INCIDENTS = 50, ALERTS = 1000 };

struct flow_drift {
    uint64_t incidents;
    double *mean;                /* per feature; 9 decimals, so that a snapshot holds it exactly */
    uint64_t episodes, unmapped; /* of correlate, when last looked */
    uint64_t block_n, block_unmapped, last_n, last_unmapped; /* blocks of ALERTS: this one, the one before */
};

struct flow_drift *flow_drift_new(void)
{
    struct flow_drift *d = fl_core_alloc(1, sizeof *d);
    d->mean = fl_core_alloc(fl_feature_count(), sizeof *d->mean);
    return d;
}

struct flow_drift *flow_drift_free(struct flow_drift *d)
{
    if (d)
        free(d->mean);
    free(d);
    return NULL;
}

static double rounded(double x)
{
    return isfinite(x) ? round(x * 1e9) / 1e9 : 0;
}

void flow_drift_incident(struct flow_drift *d, struct fl_arena *a, const struct fl_rank_input *in)
{
    struct fl_features x = {0};
    double *now = fl_arena_calloc(a, fl_feature_count(), sizeof *now);
    FL_REQUIRE(now != NULL);
    if (fl_rank_features(a, in, &x, NULL) != FL_OK || !x.n)
        return;
    fl_features_mean(&x, now);
    d->incidents++;
    double part = 1.0 / (double)(d->incidents < INCIDENTS ? d->incidents : INCIDENTS);
    for (size_t j = 0; j < fl_feature_count(); j++)
        d->mean[j] = rounded(d->mean[j] + part * (now[j] - d->mean[j]));
}

void flow_drift_alerts(struct flow_drift *d, const struct fl_corr *c)
{
    uint64_t episodes, unmapped;
    fl_corr_mapped(c, &episodes, &unmapped);
    d->block_n += episodes - d->episodes;
    d->block_unmapped += unmapped - d->unmapped;
    d->episodes = episodes;
    d->unmapped = unmapped;
    if (d->block_n < ALERTS)
        return;
    d->last_n = d->block_n;
    d->last_unmapped = d->block_unmapped;
    d->block_n = d->block_unmapped = 0;
}

/* ---- what is shown ---- */

/* The features that decide most under this model: weight times spread in its training. */
static void main_features(const struct fl_model *m, const struct flow_drift *d, struct fl_model_stats *ret)
{
    double size[FL_SHIFTS_MAX] = {0}, mean, spread;
    for (size_t j = 0; j < fl_feature_count(); j++) {
        double s = fl_model_training(m, j, &mean, &spread) ? fabs(fl_model_weight(m, j)) * spread : 0;
        size_t at = ret->n_shift;
        if (s <= 0)
            continue;
        while (at > 0 && size[at - 1] < s)
            at--;
        if (at == FL_SHIFTS_MAX)
            continue;
        size_t move = (ret->n_shift < FL_SHIFTS_MAX ? ret->n_shift : FL_SHIFTS_MAX - 1) - at;
        memmove(&size[at + 1], &size[at], move * sizeof *size);
        memmove(&ret->shift[at + 1], &ret->shift[at], move * sizeof *ret->shift);
        size[at] = s;
        ret->shift[at].feature = fl_feature_name(j);
        ret->shift[at].shift = fabs(d->mean[j] - mean) / spread;
        ret->n_shift += ret->n_shift < FL_SHIFTS_MAX;
    }
}

void flow_drift_stats(const struct flow_drift *d, const struct fl_model *m, struct fl_model_stats *ret)
{
    ret->mapped_of = d->block_n + d->last_n;
    ret->unmapped = d->block_unmapped + d->last_unmapped;
    ret->shift_incidents = d->incidents;
    ret->n_shift = 0;
    if (d->incidents)
        main_features(m, d, ret);
}

/* ---- snapshot ---- */

void flow_drift_write(const struct flow_drift *d, struct fl_jw *w, const char *key)
{
    fl_jw_obj(w, key);
    fl_jw_int(w, "incidents", (int64_t)d->incidents);
    fl_jw_obj(w, "mean");
    for (size_t j = 0; j < fl_feature_count(); j++)
        if (d->mean[j] != 0)
            fl_jw_fixed(w, fl_feature_name(j), d->mean[j], 9);
    fl_jw_obj_end(w);
    const uint64_t counters[] = {d->episodes,       d->unmapped, d->block_n,
                                 d->block_unmapped, d->last_n,   d->last_unmapped};
    fl_jw_arr(w, "alerts");
    for (size_t i = 0; i < FL_ARRAY_LEN(counters); i++)
        fl_jw_int(w, NULL, (int64_t)counters[i]);
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

void flow_drift_read(struct flow_drift *d, const struct fl_json *v)
{
    const struct fl_json *mean = fl_json_get(v, "mean"), *alerts = fl_json_get(v, "alerts");
    uint64_t *counters[] = {&d->episodes,       &d->unmapped, &d->block_n,
                            &d->block_unmapped, &d->last_n,   &d->last_unmapped};
    d->incidents = (uint64_t)fl_json_int(v, "incidents", 0);
    for (size_t j = 0; j < fl_feature_count(); j++)
        d->mean[j] = fl_json_real(mean, fl_feature_name(j), 0);
    for (size_t i = 0; i < FL_ARRAY_LEN(counters); i++)
        *counters[i] = (uint64_t)fl_json_number(fl_json_at(alerts, i), 0);
}
