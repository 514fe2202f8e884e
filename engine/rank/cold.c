/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cold.c -- the weights of the first day. The trained weights lean on how often each alert was part of past
 * incidents; an engine that has seen almost none would follow them into noise. Until it has, causes are ranked by
 * what needs no history: who explains the symptoms of those that need it, what is a symptom of something below,
 * what is intrinsic, what came first. Set by hand, each with its reason; docs/accuracy.md measures them. */
#include <stdlib.h>
#include <string.h>

#include "cold.h"
#include "features.h"

/* Incidents after which rarity has something to say. */
#define COLD_INCIDENTS 30.0

static const struct {
    int feature;
    double weight;
} prior[] = {
    {F_ALERTING, 2.0},       /* something that does not alert needs much else to be the cause */
    {F_UP3, 3.0},            /* its dependants' symptoms are explained by it … */
    {F_STORE, 0.3},          /* state is where exhaustion shows and what others wait for */
    {F_SYMPTOM_BELOW, -3.0}, /* it shows what something it needs shows too: it is a victim */
    {F_RESOURCE_BELOW,
     -2.0},               /* something it needs has run out of something: its own trouble follows from that */
    {F_EARLY_RES, 2.0},   /* exhausted resources are intrinsic, those at the beginning above all */
    {F_EARLY_SHARE, 0.3}, /* what was there when it began */
    {F_EARLY, 0.7},       /* order in time breaks ties */
    {F_ALONE, 0.2},       /* says what nobody else says */
    {F_ALONE_MAX, 1.0},
    {F_PAGE_LEAF, 1.5}, /* with a page: nothing of its class below */
    {F_REACHED, 0.5},
    {F_EXTERNAL, -0.5},  /* seen only by its callers: the evidence is theirs */
    {F_MAG_RES, 0.3},    /* the further from usual, the better */
    {F_HOST_BELOW, 0.5}, /* resource trouble of several units on one host */
};

/* The same as a model file: people look at it, no ranking reads it. */
static char *cold_text(void)
{
    struct fl_train_result r = {.scale = 1};
    struct fl_buf b = fl_buf_init(1 << 16);
    for (size_t i = 0; i < FL_ARRAY_LEN(prior); i++)
        r.weight[prior[i].feature] = prior[i].weight;
    fl_model_write(&r, "set by hand: ranks until 30 incidents have been seen", 0.35, &b);
    FL_REQUIRE(!b.failed);
    return fl_buf_take(&b, NULL);
}

const struct fl_model *fl_model_cold(void)
{
    static struct fl_model cold; /* made once, by the first caller on the core thread */
    static double weight[F_ALL];
    if (cold.builtin)
        return &cold;
    for (size_t i = 0; i < FL_ARRAY_LEN(prior); i++)
        weight[prior[i].feature] = prior[i].weight;
    static char id[] = "first-day";
    cold = (struct fl_model){
        .id = id, .weight = weight, .scale = 1, .threshold = 0.35, .json = cold_text(), .builtin = true};
    return &cold;
}

const struct fl_model *fl_model_first_day(void)
{
    return fl_model_cold();
}

void fl_cold_doubt(const struct fl_model *m, struct fl_scores *s)
{
    if (m != fl_model_cold())
        return;
    double n = s->ev.n_own;
    for (size_t i = 0; i < s->n; i++)
        s->order[i].probability *= n / (n + 1);
}

const struct fl_model *fl_model_for(const struct fl_model *m, const struct fl_rank_input *in)
{
    bool live = !in->data; /* a labelled case brings its own history, or asks for these very weights */
    return live && m == fl_model_default() && fl_history_incidents(in->history) < COLD_INCIDENTS
               ? fl_model_cold()
               : m;
}
