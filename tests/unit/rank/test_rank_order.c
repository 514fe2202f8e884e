/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_order.c -- what fl_rank answers: plain outages, odd input, ties, explanation, the culprit change. */
#include "shop.h"

#include <faultline/case.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int set_up(void **state)
{
    static struct shop s;
    s = (struct shop){.arena = fl_arena_new(0), .topo = shop_topology()};
    *state = &s;
    return s.arena ? 0 : -1;
}

static int tear_down(void **state)
{
    struct shop *s = *state;
    fl_topo_free(s->topo);
    fl_arena_free(s->arena);
    return 0;
}

static struct fl_ranking *rank(const struct shop *s, const struct fl_rank_input *in)
{
    struct fl_ranking *r = NULL;
    struct fl_err err = {.status = FL_OK};
    if (fl_rank(s->arena, fl_model_default(), in, &r, &err))
        fail_msg("fl_rank: %s", err.text);
    return r;
}

static void failing_store_comes_first(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *r = rank(s, &in);
    assert_true(r->n_candidates >= 5);
    assert_string_equal(r->candidates[0].node, "db");
    assert_true(r->convincing);
    double sum = 0;
    for (size_t i = 0; i < r->n_candidates; i++) {
        assert_true(i == 0 || r->candidates[i].score <= r->candidates[i - 1].score);
        sum += r->candidates[i].confidence;
    }
    /* without history a part is left for a cause that has not alerted yet: one in n + 1 */
    double n = (double)in.n_alerts;
    assert_true(sum - n / (n + 1) < 1e-6 && n / (n + 1) - sum < 1e-6);
}

static void nothing_gives_no_candidates(void **state)
{
    struct shop *s = *state;
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *r = rank(s, &in);
    assert_int_equal(r->n_candidates, 0);
    assert_false(r->convincing);
    shop_alert(s, "Strange", "nobody knows this", NULL, FL_EC_ERROR, 0); /* maps to no node */
    in = shop_input(s);
    r = rank(s, &in);
    assert_int_equal(r->n_candidates, 0);
    assert_non_null(r->model);
}

static void same_bytes_in_any_order(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    char *first = shop_rank_text(s, fl_model_default(), &in);
    assert_string_equal(first, shop_rank_text(s, fl_model_default(), &in));
    for (size_t i = 0; i < s->n / 2; i++) {
        struct fl_rank_alert swap = s->alerts[i];
        s->alerts[i] = s->alerts[s->n - 1 - i];
        s->alerts[s->n - 1 - i] = swap;
    }
    assert_string_equal(first, shop_rank_text(s, fl_model_default(), &in));
}

static void ties_go_by_id(void **state)
{
    struct shop *s = *state;
    static const struct fl_node nodes[] = {{.id = "twin-b", .type = "service"},
                                           {.id = "twin-a", .type = "service"}};
    fl_topo_free(s->topo);
    assert_int_equal(fl_topo_new(&(struct fl_topology_doc){.nodes = nodes, .n_nodes = 2}, &s->topo, NULL),
                     FL_OK);
    shop_alert(s, "Down", "twin-b", NULL, FL_EC_AVAILABILITY, 0);
    shop_alert(s, "Down", "twin-a", NULL, FL_EC_AVAILABILITY, 0);
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *r = rank(s, &in);
    assert_int_equal(r->n_candidates, 2);
    assert_true(r->candidates[0].score == r->candidates[1].score);
    assert_string_equal(r->candidates[0].node, "twin-a");
}

/* Numbers that are none, clocks hours apart, times before the epoch: a finite order all the same. */
static void absurd_numbers_stay_finite(void **state)
{
    struct shop *s = *state;
    static const char *const odd[] = {"nan", "inf", "-inf", "1e308", "", "x", "0", "-0"};
    double metric[4] = {NAN, INFINITY, -INFINITY, 1};
    double time[2] = {1, 2};
    const char *component[2] = {"db", "no such"}, *name[2] = {"cpu", "cpu"};
    struct fl_trace_row rows[2] = {{.key = 1,
                                    .caller = "web",
                                    .callee = "cart",
                                    .operation = "x",
                                    .spans = NAN,
                                    .p50_ms = INFINITY,
                                    .p90_ms = NAN,
                                    .self_p90_ms = 1e308,
                                    .net_p90_ms = NAN},
                                   {.key = 2,
                                    .caller = "",
                                    .callee = "web",
                                    .operation = "y",
                                    .spans = 1e18,
                                    .p50_ms = 1,
                                    .p90_ms = 1,
                                    .self_p90_ms = 1,
                                    .net_p90_ms = -1}};
    struct fl_case_data data = {
        .metrics = {2, 2, time, component, name, metric}, .traces = {rows, 2}, .traces_baseline = {rows, 1}};
    for (size_t i = 0; i < FL_ARRAY_LEN(odd); i++) {
        shop_alert(s, "A", i % 2 ? "db" : "web", NULL, (fl_evidence_class)(i % FL_EC_N),
                   (int)i * 36000 - 90000);
        shop_size(s, odd[i], odd[(i * 3 + 1) % FL_ARRAY_LEN(odd)]);
    }
    ((struct fl_alert *)s->alerts[0].alert)->starts_at = -5;
    ((struct fl_alert *)s->alerts[1].alert)->starts_at = INT64_MAX;
    struct fl_rank_input in = shop_input(s);
    in.data = &data;
    in.explain = true;
    struct fl_ranking *r = rank(s, &in);
    assert_true(r->n_candidates > 0);
    for (size_t i = 0; i < r->n_candidates; i++) {
        assert_true(isfinite(r->candidates[i].score));
        assert_true(r->candidates[i].confidence >= 0 && r->candidates[i].confidence <= 1);
    }
}

static void one_pod_or_the_service(void **state)
{
    struct shop *s = *state;
    shop_alert(s, "OutOfMemory", "catalog-1", NULL, FL_EC_RESOURCE, 0);
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *r = rank(s, &in);
    assert_string_equal(r->candidates[0].node, "catalog-1");
    assert_string_equal(r->candidates[0].service, "catalog");
    assert_string_equal(r->candidates[0].type, "instance");
    shop_alert(s, "OutOfMemory", "catalog-0", NULL, FL_EC_RESOURCE, 0);
    in = shop_input(s);
    r = rank(s, &in);
    assert_string_equal(r->candidates[0].node, "catalog");
}

static void only_given_candidates(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    fl_vertex some[] = {fl_topo_find(s->topo, "web"), fl_topo_find(s->topo, "search")};
    in.candidates = some;
    in.n_candidates = 2;
    struct fl_ranking *r = rank(s, &in);
    assert_int_equal(r->n_candidates, 2);
    in = shop_input(s);
    in.max_candidates = 1;
    r = rank(s, &in);
    assert_int_equal(r->n_candidates, 1);
    assert_string_equal(r->candidates[0].node, "db");
}

static void explains_in_words(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    in.explain = true;
    struct fl_ranking *r = rank(s, &in);
    const struct fl_candidate *c = &r->candidates[0];
    bool path = false;
    assert_true(c->n_contributions >= 3);
    for (size_t i = 0; i < c->n_contributions; i++) {
        const struct fl_contribution *k = &c->contributions[i];
        assert_true(strlen(k->text) > 5);
        assert_true(i == 0 || fabs(k->value) <= fabs(c->contributions[i - 1].value));
        path |= k->n_path > 1 && strcmp(k->path[0], "db") == 0 && strcmp(k->path[k->n_path - 1], "web") == 0;
    }
    assert_true(path); /* explains_upstream shows the way to the page */
    assert_true(c->counterfactual && strstr(c->counterfactual, "rank"));
}

/* Contributions are told against the mean candidate: those of all candidates cancel out. */
static void contributions_cancel(void **state)
{
    struct shop *s = *state;
    double sum = 0, size = 0;
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    in.explain = true;
    struct fl_ranking *r = rank(s, &in);
    for (size_t i = 0; i < r->n_candidates; i++)
        for (size_t k = 0; k < r->candidates[i].n_contributions; k++) {
            sum += r->candidates[i].contributions[k].value;
            size += fabs(r->candidates[i].contributions[k].value);
        }
    assert_true(size > 1);
    assert_true(fabs(sum) < 0.05 * 18 * (double)r->n_candidates); /* terms below 0.05 are not told */
}

static const char *culprit(struct shop *s, const struct fl_change *v, size_t n)
{
    struct fl_rank_input in = shop_input(s);
    in.changes = v;
    in.n_changes = n;
    struct fl_ranking *r = rank(s, &in);
    assert_string_equal(r->candidates[0].node, "db");
    assert_true(!r->culprit_change == !r->culprit_text);
    return r->culprit_change;
}

static void culprit_change_or_none(void **state)
{
    struct shop *s = *state;
    const fl_usec minute = 60 * FL_USEC_PER_SEC;
    shop_outage(s);
    struct fl_label say[] = {{"summary", "db: 100 of 100 connections in use, pool timeout"}};
    ((struct fl_alert *)s->alerts[1].alert)->annotations = (struct fl_labels){say, 1};
    struct fl_change v[] = {
        {SHOP_T0 - 3 * minute, "db", "deploy", "good-1", NULL, "lower connections limit of the pool", NULL,
         "db/pool.yaml\n-max: 400\n+max: 100\n"},
        {SHOP_T0 - 2 * minute, "db", "deploy", "logs-1", NULL, "log lines", NULL,
         "db/log.c\n-logger.a()\n+logger.b()\n"},
        {SHOP_T0 + 30 * minute, "db", "deploy", "late-1", NULL, "connections pool timeout", NULL,
         "db/pool.yaml\n-max: 4\n+max: 1\n"},
        {SHOP_T0 - 3 * minute, "redis", "deploy", "far-1", NULL, "new eviction", NULL, NULL},
    };
    assert_string_equal(culprit(s, v, 4), "good-1");
    assert_null(culprit(s, v + 1, 3));
    assert_null(culprit(s, NULL, 0));
    v[0].id = "";
    v[1].component = "no such node";
    assert_null(culprit(s, v, 4));
}

/* Whoever dates changes hours off changes nothing: not the order, and nobody is blamed. */
static void changes_of_another_clock_are_no_culprit(void **state)
{
    struct shop *s = *state;
    const fl_usec hour = 3600 * FL_USEC_PER_SEC;
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *bare = rank(s, &in);
    static const int hours[] = {-400, -30, -12, 2, 9, 400};
    for (size_t i = 0; i < FL_ARRAY_LEN(hours); i++) {
        struct fl_change v = {SHOP_T0 + hours[i] * hour,
                              "db",
                              "deploy",
                              "other-clock",
                              NULL,
                              "lower connections limit of the pool",
                              NULL,
                              "db/pool.yaml\n-max: 400\n+max: 100\n"};
        in.changes = &v;
        in.n_changes = 1;
        struct fl_ranking *r = rank(s, &in);
        if (r->culprit_change)
            fail_msg("a change %d hours off is blamed: %s", hours[i], r->culprit_text);
        assert_int_equal(r->n_candidates, bare->n_candidates);
        for (size_t k = 0; k < r->n_candidates; k++)
            assert_string_equal(r->candidates[k].node, bare->candidates[k].node);
    }
}

/* 100,000 nodes, 200 of them alerting: the cost is that of the neighbourhood. */
static void large_graph(void **state)
{
    struct shop *s = *state;
    enum { N = 100000, ALERTS = 60 };
    struct fl_node *nodes = calloc(N, sizeof *nodes);
    struct fl_edge *edges = calloc(N, sizeof *edges);
    char(*ids)[16] = calloc(N, sizeof *ids);
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof ids[i], "n%06d", i);
        nodes[i] = (struct fl_node){.id = ids[i], .type = "service"};
        edges[i] = (struct fl_edge){ids[i], ids[i / 2], "calls", 1};
    }
    fl_topo_free(s->topo);
    assert_int_equal(fl_topo_new(&(struct fl_topology_doc){nodes, N, edges, N, {{0}}}, &s->topo, NULL),
                     FL_OK);
    for (int i = 1; i <= ALERTS; i++)
        shop_alert(s, "HighLatency", ids[i], NULL, FL_EC_LATENCY, i);
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *r = rank(s, &in);
    assert_int_equal(r->n_candidates, 20);
    free(nodes);
    free(edges);
    free(ids);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {T(failing_store_comes_first),
                                       T(nothing_gives_no_candidates),
                                       T(same_bytes_in_any_order),
                                       T(ties_go_by_id),
                                       T(absurd_numbers_stay_finite),
                                       T(one_pod_or_the_service),
                                       T(only_given_candidates),
                                       T(explains_in_words),
                                       T(contributions_cancel),
                                       T(culprit_change_or_none),
                                       T(changes_of_another_clock_are_no_culprit),
                                       T(large_graph)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
