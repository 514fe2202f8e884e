/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_metric.c -- deviations taken from metric tables: what is usual, sign, class, holes, words. */
#include "shop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/case.h>

struct world {
    struct shop s;
    struct fl_rules *rules;
    struct fl_case_data data;
};

static int set_up(void **state)
{
    static struct world w;
    const char *json = fl_rules_default_json();
    w = (struct world){.s = {.arena = fl_arena_new(0), .topo = shop_topology()}};
    *state = &w;
    return w.s.arena && fl_rules_from_json(json, strlen(json), &w.rules, NULL) == FL_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    fl_topo_free(w->s.topo);
    fl_arena_free(w->s.arena);
    fl_rules_free(w->rules);
    return 0;
}

/* ---- tables ---- */

enum { BEFORE = 8, ROWS = 12 }; /* a row a minute; the first alerts come with row 8 */

/* One column: its values before, varied by ±1 %, and from the beginning on. */
struct column {
    const char *component, *metric;
    double usual, now;
};

/* Written to a file and read back: as a case's table is. */
static struct fl_table table_of(struct world *w, const struct column *c, size_t n)
{
    char path[512];
    struct fl_table t;
    snprintf(path, sizeof path, "%s/test_rank_metric.csv", FL_BINARY_DIR);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs("time", f);
    for (size_t k = 0; k < n; k++)
        fprintf(f, ",%s|%s", c[k].component, c[k].metric);
    for (int i = 0; i < ROWS; i++) {
        fprintf(f, "\n%lld", (long long)(SHOP_T0 / FL_USEC_PER_SEC) + 60 * (i - BEFORE));
        for (size_t k = 0; k < n; k++)
            fprintf(f, ",%.10g", i < BEFORE ? c[k].usual * (1 + 0.01 * (i % 3 - 1)) : c[k].now);
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(fl_case_table(w->s.arena, path, &t, NULL), FL_OK);
    remove(path);
    return t;
}

#define TABLE(w, ...)                                 \
    table_of(w, (const struct column[]){__VA_ARGS__}, \
             sizeof((const struct column[]){__VA_ARGS__}) / sizeof(struct column))

/* The ranking under a model of this one feature. */
static struct fl_ranking *rank_by(struct world *w, const char *feature)
{
    struct fl_model *m = NULL;
    struct fl_ranking *r = NULL;
    char text[128];
    int n = snprintf(text, sizeof text, "{\"weights\":{\"%s\":1}}", feature);
    assert_int_equal(fl_model_parse(text, (size_t)n, &m, NULL), FL_OK);
    struct fl_rank_input in = shop_input(&w->s);
    in.data = &w->data;
    in.explain = true;
    assert_int_equal(fl_rank_metrics_new(w->s.arena, w->rules, w->s.topo, &w->data, &in.metrics, NULL),
                     FL_OK);
    assert_int_equal(fl_rank(w->s.arena, m, &in, &r, NULL), FL_OK);
    fl_model_free(m);
    return r;
}

static const struct fl_candidate *candidate(const struct fl_ranking *r, const char *service)
{
    for (size_t i = 0; i < r->n_candidates; i++)
        if (strcmp(r->candidates[i].service, service) == 0)
            return &r->candidates[i];
    fail_msg("%s is no candidate", service);
    return NULL;
}

static double value_of(struct world *w, const char *feature, const char *service)
{
    return candidate(rank_by(w, feature), service)->score;
}

static void is_near(double got, double want)
{
    if (!(fabs(got - want) < 1e-6))
        fail_msg("%g instead of %g", got, want);
}

/* ---- the tests ---- */

/* Per cent are held against per cent, seconds against seconds; the largest of a class has most of it. */
static void deviations_are_compared_within_a_class(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "cpu_pct", 20, 90}, {"redis", "mem_pct", 20, 24},
                            {"web", "p95_latency", 0.1, 60}, {"search", "p95_latency", 0.1, 0.1});
    assert_true(value_of(w, "metric_resource", "db") > 3 * value_of(w, "metric_resource", "redis"));
    assert_true(value_of(w, "metric_resource", "redis") > 0);
    is_near(value_of(w, "metric_resource", "db") + value_of(w, "metric_resource", "redis"), 1);
    is_near(value_of(w, "metric_resource", "web"), 0);
    is_near(value_of(w, "metric_latency", "web"), 1);
    is_near(value_of(w, "metric_latency", "search"), 0);
    /* two classes speak: each is a half */
    is_near(value_of(w, "metric_share", "web"), 0.5);
}

/* Less is not more: a processor that idles is another class than one that is busy; fewer errors are no trouble. */
static void deviations_have_a_sign(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "cpu_pct", 20, 1}, {"web", "requests", 500, 20},
                            {"cart", "error_ratio", 0.2, 0}, {"search", "success_pct", 100, 40},
                            {"redis", "net_rx", 1000, 1});
    is_near(value_of(w, "metric_resource", "db"), 0);
    is_near(value_of(w, "metric_resource_down", "db"), 1);
    is_near(value_of(w, "metric_traffic_up", "web"), 0);
    is_near(value_of(w, "metric_traffic_down", "web"), 1);
    is_near(value_of(w, "metric_error", "search"), 1);
    is_near(value_of(w, "metric_error", "cart"), 0);
    is_near(value_of(w, "metric_network_down", "redis"), 1);
}

/* What those that it needs show as well says less. */
static void what_lies_below_explains_it(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "p95_latency", 0.1, 1}, {"catalog", "p95_latency", 0.1, 1});
    is_near(value_of(w, "metric_share", "db"), 0.5);
    is_near(value_of(w, "metric_share", "catalog"), 0.5);
    is_near(value_of(w, "metric_unexplained", "db"), 0.5);
    is_near(value_of(w, "metric_unexplained", "catalog"), 0.25);
}

/* Without a baseline file the usual range ends before the earliest rare alert; with one the table may hold nothing
 * but the incident. */
static void usual_is_what_was_before(void **state)
{
    struct world *w = *state;
    shop_alert(&w->s, "ConnectionsExhausted", "db", NULL, FL_EC_RESOURCE, 0);
    w->data.metrics = TABLE(w, {"db", "cpu_pct", 20, 90});
    is_near(value_of(w, "metric_resource", "db"), 1);
    w->s.n = 0; /* it began when the table did: nothing is usual yet */
    shop_alert(&w->s, "ConnectionsExhausted", "db", NULL, FL_EC_RESOURCE, -60 * BEFORE);
    is_near(value_of(w, "metric_resource", "db"), 0);
    w->data.baseline = TABLE(w, {"db", "other", 1, 1}, {"db", "cpu_pct", 20, 20}, {"db", "cpu_pct", 90, 90});
    is_near(value_of(w, "metric_resource", "db"), 0); /* most of its rows are as usual */
    w->data.baseline = TABLE(w, {"db", "cpu_pct", 2, 2});
    is_near(value_of(w, "metric_resource", "db"), 1);
    w->data.untimed = true; /* and without times all of it is the incident */
    is_near(value_of(w, "metric_resource", "db"), 1);
    w->data.baseline = (struct fl_table){.n_rows = 0};
    is_near(value_of(w, "metric_resource", "db"), 0);
    w->data.page_time = SHOP_T0;
    is_near(value_of(w, "metric_resource", "db"), 1);
}

/* NaN, infinity, too few values, no node, a column of holes, numbers at the end of what a double holds: absent. */
static void odd_tables_say_nothing(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "cpu_pct", NAN, 90}, {"web", "cpu_pct", 20, INFINITY},
                            {"nobody", "cpu_pct", 20, 90}, {"cart", "cpu_pct", 0, 0},
                            {"search", "colour", 1, 9}, {"redis", "cpu_pct", 1e308, -1e308});
    struct fl_ranking *r = rank_by(w, "metric_share");
    for (size_t i = 0; i < r->n_candidates; i++)
        is_near(r->candidates[i].score, 0);
    w->data.metrics = TABLE(w, {"db", "cpu_pct", 20, 90});
    w->s.n = 0; /* clocks hours apart: the table ends before it began, or begins after */
    shop_alert(&w->s, "ConnectionsExhausted", "db", NULL, FL_EC_RESOURCE, 7200);
    is_near(value_of(w, "metric_share", "db"), 0);
    w->s.n = 0;
    shop_alert(&w->s, "ConnectionsExhausted", "db", NULL, FL_EC_RESOURCE, -7200);
    is_near(value_of(w, "metric_share", "db"), 0);
}

/* A rate of errors that was always 0 has a range of no width: what is far from it is far, not infinitely far. */
static void a_range_of_nothing_has_some_width(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "error_ratio", 0, 0.5}, {"web", "error_ratio", 0, 1e-9},
                            {"cart", "error_ratio", 0, 0});
    is_near(value_of(w, "metric_error", "db"), 0.5);
    is_near(value_of(w, "metric_error", "cart"), 0);
}

/* A running engine has no tables: the shipped weights give what they give without. */
static void without_a_table_nothing_changes(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    struct fl_rank_input in = shop_input(&w->s);
    in.data = &w->data;
    const char *without = shop_rank_text(&w->s, fl_model_default(), &in);
    assert_int_equal(fl_rank_metrics_new(w->s.arena, w->rules, w->s.topo, &w->data, &in.metrics, NULL),
                     FL_OK);
    assert_null(in.metrics);
    const char *empty = shop_rank_text(&w->s, fl_model_default(), &in);
    assert_string_equal(without, empty);
    assert_null(strstr(without, "measured"));
    w->data.metrics = TABLE(w, {"redis", "cpu_pct", 20, 20.1}); /* as usual: nothing to say */
    assert_int_equal(fl_rank_metrics_new(w->s.arena, w->rules, w->s.topo, &w->data, &in.metrics, NULL),
                     FL_OK);
    const char *usual = shop_rank_text(&w->s, fl_model_default(), &in);
    assert_string_equal(without, usual);
}

static const char *words(struct world *w, const char *service)
{
    const struct fl_candidate *c = candidate(rank_by(w, "metric_share"), service);
    for (size_t i = 0; i < c->n_contributions; i++)
        if (strcmp(c->contributions[i].term, "measured") == 0)
            return c->contributions[i].text;
    fail_msg("%s: nothing is said of what was measured", service);
    return "";
}

static void it_is_said_in_words(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "io_wait", 10, 10}, {"db", "cpu_pct", 20, 90},
                            {"db", "mem_bytes", 5e7, 6e7}, {"web", "cpu_pct", 20, 20});
    assert_string_equal(words(w, "db"),
                        "what is measured at db is far from usual: cpu_pct is 90, usually 19.8 to 20; "
                        "mem_bytes is 60000000, usually 49500000 to 50000000");
    assert_string_equal(
        words(w, "web"),
        "what is measured at web is nearer to usual than elsewhere: cpu_pct is 20, usually 19.8 to 20");
    w->data.metrics = TABLE(w, {"db", "io_wait", 10, 10}, {"db", "cpu_pct", 20, 90}); /* one is as usual */
    assert_string_equal(words(w, "db"),
                        "what is measured at db is far from usual: cpu_pct is 90, usually 19.8 to 20");
    assert_string_equal(words(w, "cart"),
                        "nothing is measured at cart that could be held against what is usual there");
}

/* Of two that deviate as much the same is shown, in whatever order the columns stand. */
static void the_order_of_columns_says_nothing(void **state)
{
    struct world *w = *state;
    shop_outage(&w->s);
    w->data.metrics = TABLE(w, {"db", "cpu_a", 20, 90}, {"db", "cpu_b", 20, 90}, {"db", "cpu_c", 20, 90},
                            {"web", "cpu_a", 5, 9});
    FL_AUTO_FREE char *text = strdup(words(w, "db"));
    double score = value_of(w, "metric_share", "db");
    w->data.metrics = TABLE(w, {"web", "cpu_a", 5, 9}, {"db", "cpu_c", 20, 90}, {"db", "cpu_b", 20, 90},
                            {"db", "cpu_a", 20, 90});
    assert_string_equal(words(w, "db"), text);
    assert_true(score == value_of(w, "metric_share", "db"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {TEST(deviations_are_compared_within_a_class),
                                       TEST(deviations_have_a_sign),
                                       TEST(what_lies_below_explains_it),
                                       TEST(usual_is_what_was_before),
                                       TEST(odd_tables_say_nothing),
                                       TEST(a_range_of_nothing_has_some_width),
                                       TEST(without_a_table_nothing_changes),
                                       TEST(it_is_said_in_words),
                                       TEST(the_order_of_columns_says_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
