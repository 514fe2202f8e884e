/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_said.c -- single features, each ranked by alone: what is said by anyone, readings in labels, the end
 * of a chain of errors, bad calls as edges, trouble between two. */
#include "shop.h"

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

/* The ranking under a model of this one feature. */
static struct fl_ranking *rank_by(const struct shop *s, const char *feature, const struct fl_history *h)
{
    struct fl_model *m = NULL;
    struct fl_ranking *r = NULL;
    char text[128];
    int n = snprintf(text, sizeof text, "{\"weights\":{\"%s\":1}}", feature);
    assert_int_equal(fl_model_parse(text, (size_t)n, &m, NULL), FL_OK);
    struct fl_rank_input in = shop_input(s);
    in.history = h;
    assert_int_equal(fl_rank(s->arena, m, &in, &r, NULL), FL_OK);
    fl_model_free(m);
    return r;
}

static double score_of(const struct fl_ranking *r, const char *service)
{
    for (size_t i = 0; i < r->n_candidates; i++)
        if (strcmp(r->candidates[i].service, service) == 0)
            return r->candidates[i].score;
    fail_msg("%s is no candidate", service);
    return 0;
}

/* The last alert also holds this label. */
static void add_label(struct shop *s, const char *name, const char *value)
{
    struct fl_alert *a = (struct fl_alert *)s->alerts[s->n - 1].alert;
    struct fl_label *l = fl_arena_calloc(s->arena, a->labels.n + 1, sizeof *l);
    memcpy(l, a->labels.v, a->labels.n * sizeof *l);
    l[a->labels.n] = (struct fl_label){name, value};
    a->labels = (struct fl_labels){l, fl_labels_normalise(l, a->labels.n + 1)};
    a->fingerprint = fl_labels_fingerprint(&a->labels);
}

/* A label such as count="7" gives each alert a fingerprint of its own: it is no rarer for that. */
static void a_reading_is_no_identity(void **state)
{
    struct shop *s = *state;
    struct fl_history *h = fl_history_new();
    char count[8];
    for (int i = 0; i < 40; i++) {
        s->n = 0;
        snprintf(count, sizeof count, "%d", i);
        shop_alert(s, "LogErrors", "web", NULL, FL_EC_LOG, 0);
        add_label(s, "count", count);
        assert_int_equal(fl_history_learn(h, s->topo, s->alerts, s->n, 0), FL_OK);
    }
    s->n = 0;
    shop_alert(s, "LogErrors", "web", NULL, FL_EC_LOG, 0);
    add_label(s, "count", "99");
    shop_alert(s, "LogErrors", "cart", NULL, FL_EC_LOG, 0);
    add_label(s, "count", "99");
    struct fl_ranking *r = rank_by(s, "rarest", h);
    assert_true(score_of(r, "web") < 0.1);
    assert_true(score_of(r, "cart") > 0.9);
    fl_history_free(h);
}

/* A line that any component may print is no news on one that never printed it. */
static void what_others_said_before_is_no_news(void **state)
{
    struct shop *s = *state;
    struct fl_history *h = fl_history_new();
    static const char *const services[] = {"web", "catalog", "search"};
    for (int i = 0; i < 40; i++) {
        s->n = 0;
        shop_alert(s, "LogErrors", services[i % 3], NULL, FL_EC_LOG, 0);
        add_label(s, "template", "dispatcher#175");
        assert_int_equal(fl_history_learn(h, s->topo, s->alerts, s->n, 0), FL_OK);
    }
    s->n = 0;
    shop_alert(s, "LogErrors", "cart", NULL, FL_EC_LOG, 0); /* new on cart, old on others */
    add_label(s, "template", "dispatcher#175");
    shop_alert(s, "LogErrors", "db", NULL, FL_EC_LOG, 0);
    add_label(s, "template", "pool#12");
    struct fl_ranking *r = rank_by(s, "said_and_rare", h);
    assert_true(score_of(r, "cart") < 0.1);
    assert_true(score_of(r, "db") > 0.9);
    fl_history_free(h);
}

/* Errors are explained by errors of what is called; slowness below explains none. */
static void errors_end_where_nothing_below_fails(void **state)
{
    struct shop *s = *state;
    shop_alert(s, "HighErrorRate", "web", NULL, FL_EC_ERROR, 0);
    shop_alert(s, "HighErrorRate", "catalog", NULL, FL_EC_ERROR, 0);
    shop_alert(s, "HighLatency", "db", NULL, FL_EC_LATENCY, 0);
    struct fl_ranking *r = rank_by(s, "end_of_error", NULL);
    assert_float_equal(score_of(r, "catalog"), 1, 1e-9);
    assert_float_equal(score_of(r, "web"), 0, 1e-9);
    assert_float_equal(score_of(r, "db"), 0, 1e-9);
    r = rank_by(s, "own_error", NULL);
    assert_float_equal(score_of(r, "catalog"), 0.5, 1e-9);
    assert_float_equal(score_of(r, "web"), 0.25, 1e-9);
    r = rank_by(s, "above_error", NULL);
    assert_float_equal(score_of(r, "catalog"), 1, 1e-9);
}

static void all_calls_to_one_are_bad(void **state)
{
    struct shop *s = *state;
    shop_alert(s, "SlowCall", "db", "catalog", FL_EC_LATENCY, 0);
    shop_alert(s, "SlowCall", "db", "search", FL_EC_LATENCY, 0);
    shop_alert(s, "SlowCall", "cart", "web", FL_EC_LATENCY, 0);
    shop_alert(s, "SlowCall", "cart", "cart", FL_EC_LATENCY, 0); /* inside: no call */
    struct fl_ranking *r = rank_by(s, "calls_all_in", NULL);
    assert_float_equal(score_of(r, "db"), 1, 1e-9);
    assert_float_equal(score_of(r, "cart"), 1, 1e-9);
    r = rank_by(s, "calls_bad_in", NULL);
    assert_float_equal(score_of(r, "db"), 2.0 / 3, 1e-8);
    r = rank_by(s, "calls_all_out", NULL);
    assert_float_equal(score_of(r, "web"), 1.0 / 3, 1e-8);
    assert_float_equal(score_of(r, "cart"), 0, 1e-9);
}

/* A span inside the caller that names the one it calls. */
static void client_span(struct shop *s, const char *caller, const char *operation)
{
    shop_alert(s, "SlowSpan", caller, caller, FL_EC_LATENCY, 0);
    add_label(s, "operation", operation);
}

/* The caller finds its call slow; whether the one that is called does, too, decides where the time was lost. */
static void slow_on_the_way(void **state)
{
    struct shop *s = *state;
    client_span(s, "web", "/shop.Cart/Get");
    client_span(s, "web", "/shop.Catalog/List");
    client_span(s, "cart", "redis/get");
    shop_alert(s, "SlowCall", "catalog", "web", FL_EC_LATENCY, 0); /* catalog itself is slow, too */
    struct fl_ranking *r = rank_by(s, "gap_all_in", NULL);
    assert_float_equal(score_of(r, "cart"), 1, 1e-9);
    assert_float_equal(score_of(r, "redis"), 1, 1e-9);
    assert_float_equal(score_of(r, "catalog"), 0, 1e-9);
    r = rank_by(s, "gap_in", NULL);
    assert_float_equal(score_of(r, "cart"), 0.5, 1e-9);
    assert_float_equal(score_of(r, "catalog"), 0, 1e-9);
    r = rank_by(s, "gap_out", NULL);
    assert_float_equal(score_of(r, "web"), 0.5, 1e-9);
    assert_float_equal(score_of(r, "cart"), 0.5, 1e-9);
    r = rank_by(s, "gap_bad", NULL);
    assert_float_equal(score_of(r, "cart"), 1, 1e-9);      /* web → cart and cart → redis: all it has */
    assert_float_equal(score_of(r, "web"), 1.0 / 3, 1e-8); /* one of the three it calls */
}

/* An error line that says itself that the fault lies elsewhere is not the component's own failure. */
static void a_line_that_blames_another(void **state)
{
    struct shop *s = *state;
    static struct fl_label say[] = {{"summary", "an error occurred in the downstream service"}};
    shop_alert(s, "LogErrors", "web", NULL, FL_EC_LOG, 0);
    ((struct fl_alert *)s->alerts[0].alert)->annotations = (struct fl_labels){say, 1};
    shop_alert(s, "LogErrors", "db", NULL, FL_EC_LOG, 0);
    struct fl_ranking *r = rank_by(s, "share_log_error", NULL);
    assert_float_equal(score_of(r, "db"), 1, 1e-9);
    assert_float_equal(score_of(r, "web"), 0, 1e-9);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {T(a_reading_is_no_identity),
                                       T(what_others_said_before_is_no_news),
                                       T(errors_end_where_nothing_below_fails),
                                       T(all_calls_to_one_are_bad),
                                       T(slow_on_the_way),
                                       T(a_line_that_blames_another)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
