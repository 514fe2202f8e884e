/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_explain.c -- the words of a ranking: true, whole, and what they say would change the order does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shop.h"

static int set_up(void **state)
{
    struct shop *s = calloc(1, sizeof *s);
    s->arena = fl_arena_new(0);
    s->topo = shop_topology();
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct shop *s = *state;
    fl_topo_free(s->topo);
    fl_arena_free(s->arena);
    free(s);
    return 0;
}

static struct fl_ranking *rank(struct shop *s)
{
    struct fl_ranking *r = NULL;
    struct fl_err err = {.status = FL_OK};
    struct fl_rank_input in = shop_input(s);
    in.explain = true;
    if (fl_rank(s->arena, fl_model_default(), &in, &r, &err))
        fail_msg("fl_rank: %s", err.text);
    return r;
}

static size_t place(const struct fl_ranking *r, const char *service)
{
    for (size_t i = 0; i < r->n_candidates; i++)
        if (strcmp(r->candidates[i].service, service) == 0)
            return i + 1;
    return 0;
}

/* What is said of an alert is what a ranking without it gives. */
static void without_the_alert_it_is_so(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_ranking *r = rank(s);
    const struct fl_candidate *c = &r->candidates[0];
    const char *service = c->service;
    size_t said = 0, left_out = SIZE_MAX;
    char behind[64] = "";
    assert_non_null(c->counterfactual);
    for (size_t i = 0; i < s->n; i++) {
        char text[200];
        snprintf(text, sizeof text, "without the alert \"%s\": rank ",
                 fl_label_get(&s->alerts[i].alert->labels, "alertname"));
        if (s->alerts[i].node == fl_topo_find(s->topo, c->node) &&
            strncmp(c->counterfactual, text, strlen(text)) == 0) {
            left_out = i;
            assert_int_equal(sscanf(c->counterfactual + strlen(text), "%zu, behind %63s", &said, behind), 2);
        }
    }
    assert_int_not_equal(left_out, SIZE_MAX);
    assert_true(said > 1);
    memmove(&s->alerts[left_out], &s->alerts[left_out + 1], (s->n - left_out - 1) * sizeof *s->alerts);
    s->n--;
    struct fl_ranking *other = rank(s);
    assert_int_equal(place(other, service), said);
    assert_string_equal(other->candidates[0].service, behind);
}

/* A cause that nothing single can take its place from says so. */
static void what_nothing_single_decides_says_so(void **state)
{
    struct shop *s = *state;
    static const char *const names[] = {"PoolFull", "DiskFull", "MemoryFull", "CpuHigh"};
    for (size_t i = 0; i < FL_ARRAY_LEN(names); i++)
        shop_alert(s, names[i], "db", NULL, FL_EC_RESOURCE, 0);
    shop_alert(s, "HighErrorRate", "catalog", NULL, FL_EC_ERROR, 20);
    shop_alert(s, "HighErrorRate", "search", NULL, FL_EC_ERROR, 20);
    shop_alert(s, "HighErrorRate", "web", NULL, FL_EC_ERROR, 30);
    struct fl_ranking *r = rank(s);
    assert_string_equal(r->candidates[0].node, "db");
    assert_string_equal(r->candidates[0].counterfactual,
                        "no single alert or dependency of it decides its place");
}

/* A storm is ranked, not ranked thirty times. */
static void a_storm_is_not_asked(void **state)
{
    struct shop *s = *state;
    enum { MANY = 2001 };
    shop_outage(s);
    struct fl_rank_input in = shop_input(s);
    struct fl_rank_alert *many = fl_arena_calloc(s->arena, MANY, sizeof *many);
    for (size_t i = 0; i < MANY; i++)
        many[i] = s->alerts[i % s->n];
    in.explain = true;
    in.alerts = many;
    for (in.n_alerts = MANY; in.n_alerts >= MANY - 1; in.n_alerts--) {
        struct fl_ranking *r = NULL;
        assert_int_equal(fl_rank(s->arena, fl_model_default(), &in, &r, NULL), FL_OK);
        const char *said = r->candidates[0].counterfactual;
        assert_int_equal(said && strncmp(said, "not asked: ", 11) == 0, in.n_alerts == MANY);
    }
}

static const struct fl_contribution *term(const struct fl_candidate *c, const char *key)
{
    for (size_t i = 0; i < c->n_contributions; i++)
        if (strcmp(c->contributions[i].term, key) == 0)
            return &c->contributions[i];
    return NULL;
}

static void sentences_name_what_was_seen(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_ranking *r = rank(s);
    const struct fl_candidate *db = &r->candidates[0];
    const struct fl_contribution *up = term(db, "explains_upstream"), *first = term(db, "time");
    assert_non_null(up);
    assert_string_equal(up->text, "3 components that need db are in trouble, too: catalog, search, web; "
                                  "its failure would explain that");
    assert_true(up->n_alerts == 5 && up->n_path >= 2); /* the alerts behind it: those of the others */
    assert_string_equal(up->path[0], "db");
    assert_non_null(first);
    assert_string_equal(first->text, "db alerted at the very beginning");
    for (size_t i = 0; i < r->n_candidates; i++)
        for (size_t k = 0; k < r->candidates[i].n_contributions; k++) {
            const char *text = r->candidates[i].contributions[k].text;
            assert_true(text && *text);
            assert_null(strchr(text, '%'));         /* no hole is left */
            assert_null(strstr(text, "rarity"));    /* there is no past to compare with */
            assert_null(strstr(text, "incidents")); /* the same in other words */
        }
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {T(without_the_alert_it_is_so), T(what_nothing_single_decides_says_so),
                                       T(a_storm_is_not_asked), T(sentences_name_what_was_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
