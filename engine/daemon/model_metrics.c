/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/model_metrics.c -- what verdicts say of the ranking models, for /metrics (layer 6). */
#include "daemon_priv.h"

static void family(struct fl_buf *b, const char *name, const char *help)
{
    fl_buf_printf(b, "# HELP %s %s\n# TYPE %s gauge\n", name, help, name);
}

static const char *role(const struct fl_model_tally *t)
{
    return t->shadow ? "shadow" : "live";
}

static void rate(struct fl_buf *b, const struct fl_model_tally *t, int first, uint64_t right, uint64_t known)
{
    if (known)
        fl_buf_printf(b, "faultline_model_hit_rate{model=\"%s\",role=\"%s\",first=\"%d\"} %.6f\n", t->model,
                      role(t), first, (double)right / (double)known);
}

static void drift(const struct fl_model_stats *s, struct fl_buf *b)
{
    family(b, "faultline_unmapped_share",
           "Share of the last 1,000 to 2,000 new alerts that match no component.");
    if (s->mapped_of)
        fl_buf_printf(b, "faultline_unmapped_share %.6f\n", (double)s->unmapped / (double)s->mapped_of);
    family(b, "faultline_feature_shift_incidents",
           "Incidents that ended and that the shifts are of, the last 50 above all.");
    fl_buf_printf(b, "faultline_feature_shift_incidents %llu\n", (unsigned long long)s->shift_incidents);
    family(b, "faultline_feature_shift",
           "Mean of a main feature of the live model against its training, in units of the spread there.");
    for (size_t i = 0; i < s->n_shift; i++)
        fl_buf_printf(b, "faultline_feature_shift{feature=\"%s\"} %.6f\n", s->shift[i].feature,
                      s->shift[i].shift);
}

/* Ids are hex digits or "first-day": no escaping needed. */
void model_metrics(const struct fl_model_stats *s, struct fl_buf *b)
{
    family(b, "faultline_model_info", "Ranking models in force; always 1.");
    fl_buf_printf(b, "faultline_model_info{model=\"%s\",role=\"live\"} 1\n", s->live);
    if (s->shadow[0])
        fl_buf_printf(b, "faultline_model_info{model=\"%s\",role=\"shadow\"} 1\n", s->shadow);
    family(b, "faultline_model_verdicts",
           "Verdicts that tell whether a model's first candidate was the cause.");
    for (size_t i = 0; i < s->n; i++)
        fl_buf_printf(b, "faultline_model_verdicts{model=\"%s\",role=\"%s\"} %llu\n", s->tally[i].model,
                      role(&s->tally[i]), (unsigned long long)s->tally[i].known1);
    family(b, "faultline_model_hit_rate",
           "Share of verdicts in which the cause was among a model's first candidates.");
    for (size_t i = 0; i < s->n; i++) {
        rate(b, &s->tally[i], 1, s->tally[i].right1, s->tally[i].known1);
        rate(b, &s->tally[i], 3, s->tally[i].right3, s->tally[i].known3);
    }
    drift(s, b);
}
