/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_train.c -- models: reading, refusing, training twice to the same bytes, learning what separates. */
#include "shop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CASES = 40, CANDIDATES = 6 };

/* A problem with a known answer: column 0 separates, column 1 misleads, column 2 is noise. */
static struct fl_train_case *problem(struct fl_arena *a)
{
    struct fl_train_case *v = fl_arena_calloc(a, CASES, sizeof *v);
    size_t f = fl_feature_count();
    uint32_t seed = 1;
    for (size_t c = 0; c < CASES; c++) {
        double *x = fl_arena_calloc(a, CANDIDATES * f, sizeof *x);
        bool *truth = fl_arena_calloc(a, CANDIDATES, sizeof *truth);
        truth[c % CANDIDATES] = true;
        for (size_t i = 0; i < CANDIDATES; i++) {
            seed = seed * 1664525 + 1013904223;
            x[i * f] = truth[i] ? 1 : 0.2;
            x[i * f + 1] = truth[i] ? 0.1 : 1;
            x[i * f + 2] = (double)(seed >> 8) / (1 << 24);
        }
        v[c] = (struct fl_train_case){
            .features = {CANDIDATES, x, NULL}, .truth = truth, .weight = 1.0 / CASES};
    }
    return v;
}

static void training_twice_gives_the_same_bytes(void **state)
{
    (void)state;
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_train_case *v = problem(a);
    struct fl_train_options opt = {.l2 = 0.01};
    struct fl_train_result r1, r2;
    FL_AUTO_BUF t1 = fl_buf_init(0);
    FL_AUTO_BUF t2 = fl_buf_init(0);
    assert_int_equal(fl_model_train(v, CASES, &opt, &r1, NULL), FL_OK);
    assert_int_equal(fl_model_train(v, CASES, &opt, &r2, NULL), FL_OK);
    fl_model_write(&r1, "test", 0.25, &t1);
    fl_model_write(&r2, "test", 0.25, &t2);
    assert_string_equal(t1.p, t2.p);
    assert_true(r1.weight[0] > 1 && r1.weight[1] < -1);
    assert_true(fabs(r1.weight[2]) < 0.3 * r1.weight[0]);
    assert_true(r1.loss < 0.5);
    struct fl_model *m = NULL;
    assert_int_equal(fl_model_parse(t1.p, t1.n, &m, NULL), FL_OK); /* what is written can be read */
    assert_int_equal(strlen(fl_model_id(m)), 12);
    /* it says what it was trained on: the mean over the cases of the mean over the candidates */
    double mean = 0, spread = 0, want = 0;
    for (size_t c = 0; c < CASES; c++)
        for (size_t i = 0; i < v[c].features.n; i++)
            want += v[c].features.x[i * fl_feature_count() + 2] / (double)v[c].features.n / CASES;
    assert_int_equal(r1.cases, CASES);
    assert_false(fl_model_training(m, 0, &mean, &spread)); /* the same in every case: no spread */
    assert_true(fl_model_training(m, 2, &mean, &spread));
    assert_float_equal(mean, want, 1e-6);
    assert_true(spread > 0 && spread < 10);
    assert_float_equal(fl_model_weight(m, 0), r1.weight[0], 1e-6);
    fl_model_free(m);
    opt.l2 = 1e6; /* nothing but the prior is left: what an operator would say of each feature */
    assert_int_equal(fl_model_train(v, CASES, &opt, &r2, NULL), FL_OK);
    assert_float_equal(r2.weight[0], 3, 0.01);
    assert_float_equal(r2.weight[fl_feature_count() - 1], 0, 0.01);
    assert_int_equal(fl_model_train(v, 0, &opt, &r2, NULL), FL_E_USAGE);
}

static void bad_models_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
        fl_status st;
    } bad[] = {
        {"{", "", FL_E_SYNTAX},
        {"{}", "object of weights", FL_E_SHAPE},
        {"{\"weights\":{\"rarity_shore\":1}}", "is no feature", FL_E_SHAPE},
        {"{\"weights\":{\"rarity_share\":\"1\"}}", "is not a number", FL_E_SHAPE},
        {"{\"weights\":{},\"training\":{\"features\":7}}", "object of [mean, spread]", FL_E_SHAPE},
        {"{\"weights\":{},\"training\":{\"features\":{\"alerting\":[1,-1]}}}", "no mean and spread",
         FL_E_SHAPE},
        {"{\"weights\":{},\"training\":{\"features\":{\"alerting\":[1]}}}", "no mean and spread", FL_E_SHAPE},
        {"{\"weights\":{},\"scale\":0}", "scale must be above 0", FL_E_SHAPE}};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        struct fl_model *m = NULL;
        struct fl_err err = {.status = FL_OK};
        assert_int_equal(fl_model_parse(bad[i].json, strlen(bad[i].json), &m, &err), bad[i].st);
        assert_null(m);
        assert_non_null(strstr(err.text, bad[i].text));
        if (i == 2)
            assert_non_null(strstr(err.hint, "rarity_share"));
    }
}

static void features_have_names_of_their_own(void **state)
{
    (void)state;
    for (size_t i = 0; i < fl_feature_count(); i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(fl_feature_name(i), fl_feature_name(k));
    assert_non_null(fl_model_default());
    assert_non_null(strstr(fl_model_json(fl_model_default()), "weights"));
}

/* The ranking is features times weights: the two ways to it agree. */
static void features_are_what_is_ranked(void **state)
{
    (void)state;
    struct shop s = {.arena = fl_arena_new(0), .topo = shop_topology()};
    shop_outage(&s);
    static const char json[] = "{\"weights\":{\"alerting\":1,\"explains_upstream_3\":2}}";
    struct fl_model *m = NULL;
    struct fl_features x;
    struct fl_ranking *r;
    struct fl_rank_input in = shop_input(&s);
    assert_int_equal(fl_model_parse(json, sizeof json - 1, &m, NULL), FL_OK);
    assert_int_equal(fl_rank_features(s.arena, &in, &x, NULL), FL_OK);
    assert_int_equal(fl_rank(s.arena, m, &in, &r, NULL), FL_OK);
    assert_int_equal(x.n, r->n_candidates);
    for (size_t i = 0; i < x.n; i++) {
        double score = 0;
        for (size_t j = 0; j < fl_feature_count(); j++) {
            double w = strcmp(fl_feature_name(j), "alerting") == 0              ? 1
                       : strcmp(fl_feature_name(j), "explains_upstream_3") == 0 ? 2
                                                                                : 0;
            score += w * x.x[i * fl_feature_count() + j];
        }
        bool found = false;
        for (size_t k = 0; k < r->n_candidates; k++)
            if (strcmp(r->candidates[k].service, fl_topo_node(s.topo, x.vertex[i])->id) == 0) {
                assert_float_equal(r->candidates[k].score, score, 1e-8);
                found = true;
            }
        assert_true(found);
    }
    fl_model_free(m);
    fl_topo_free(s.topo);
    fl_arena_free(s.arena);
}

int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_twice_gives_the_same_bytes), cmocka_unit_test(bad_models_are_refused),
        cmocka_unit_test(features_have_names_of_their_own), cmocka_unit_test(features_are_what_is_ranked)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
