/* SPDX-License-Identifier: GPL-3.0-or-later */
/* prior.c -- where training starts from and what it is pulled to: what an operator would say of each feature
 * before seeing any data. A feature that the labelled cases say nothing about keeps this weight, so that a system
 * of another kind is not judged by zeros. */
#include "features.h"

static const struct {
    int feature;
    double weight;
} prior[] = {
    {F_STORE, 0.3},           {F_MASS_SHARE, 3},    {F_RAREST_SHARE, 1},
    {F_MAX_RARITY, 1},        {F_ALERTING, 1},      {F_ALONE, 1},
    {F_SURPRISE, 0.5},        {F_UP3, 1.5},         {F_SYMPTOM_BELOW, -1.5},
    {F_RESOURCE_BELOW, -0.5}, {F_EARLY_RES, 0.5},   {F_EARLY_SHARE, 0.5},
    {F_REACHED, 1},           {F_PAGE_LEAF, 1.5},   {F_MAG_PAGE, 0.5},
    {F_MAG_PAGE_REST, 0.5},   {F_MAG_PAGE_RANK, 1}, {F_MAG_SHARE, 2},
    {F_EXTERNAL, -1.5},       {F_T_SELF, 2},        {F_T_SELF_RATIO, 1},
    {F_T_NET_IN, 2},          {F_T_NET_RATIO, 1},   {F_T_LOST, 1},
    {F_OWN_ERR, 1},           {F_OWN_LAT, 0.5},     {F_OWN_NET, 0.5},
    {F_CALLS_IN, 0.5},        {F_SAID_RARE, 0.5},   {F_METRIC_SHARE, 1},
    {F_METRIC_REST, 1},
};

double fl_feature_prior(size_t i)
{
    for (size_t k = 0; k < FL_ARRAY_LEN(prior); k++)
        if ((size_t)prior[k].feature == i)
            return prior[k].weight;
    return 0;
}

/* Which kinds of node break is a property of the labelled sets (faults were injected into services, hardly ever
 * into stores), not of the world: these weights are set, not learned. */
bool fl_feature_fixed(size_t i)
{
    return i % F_N == F_STORE || i % F_N == F_LEAF;
}

/* What is said a second time for untimed incidents is said by two sets only: it must be shown more strongly. Metric
 * tables are there in offline cases only, and alerts that were made from them say much of it already: what a running
 * engine has must not lose its weight to them. */
double fl_feature_pull(size_t i)
{
    if (i >= F_METRIC0 && i <= F_METRIC_REST)
        return 10;
    return i < F_N ? 1 : 4;
}
