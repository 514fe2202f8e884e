/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_history.c -- past incidents: exact to take out again, deterministic text, fading, damage refused. */
#include "shop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *text_of(const struct fl_history *h)
{
    struct fl_buf b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_history_write(h, &w, NULL);
    return fl_buf_take(&b, NULL);
}

static void shop_begin(struct shop *s)
{
    *s = (struct shop){.arena = fl_arena_new(0), .topo = shop_topology()};
    shop_outage(s);
}

static void shop_end(struct shop *s)
{
    fl_topo_free(s->topo);
    fl_arena_free(s->arena);
}

static void learn_then_forget_is_nothing(void **state)
{
    (void)state;
    struct shop s;
    shop_begin(&s);
    struct fl_history *h = fl_history_new();
    assert_int_equal(fl_history_learn(h, s.topo, s.alerts, s.n, 0), FL_OK);
    char *one = text_of(h);
    for (int i = 0; i < 50; i++)
        assert_int_equal(fl_history_learn(h, s.topo, s.alerts, s.n - (size_t)i % 5, 0), FL_OK);
    for (int i = 49; i >= 0; i--)
        assert_int_equal(fl_history_forget(h, s.topo, s.alerts, s.n - (size_t)i % 5), FL_OK);
    char *again = text_of(h);
    assert_string_equal(one, again);
    free(one);
    free(again);
    fl_history_free(h);
    shop_end(&s);
}

static void text_round_trip(void **state)
{
    (void)state;
    struct shop s;
    struct fl_err err = {.status = FL_OK};
    shop_begin(&s);
    struct fl_history *h = fl_history_new(), *k = fl_history_new();
    for (int i = 0; i < 7; i++)
        assert_int_equal(fl_history_learn(h, s.topo, s.alerts + i, s.n - (size_t)i, i), FL_OK);
    char *text = text_of(h);
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), &err);
    assert_non_null(v);
    assert_int_equal(fl_history_read(k, v, &err), FL_OK);
    char *again = text_of(k);
    assert_string_equal(text, again);
    static const char *const bad[] = {"{}", "{\"entries\":{}}", "{\"entries\":[[1,2,3,4]]}",
                                      "{\"entries\":[[\"00000000000000zz\",1,2,3]]}",
                                      "{\"entries\":[[\"0011223344556677\"]]}"};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_JSON w = fl_json_parse(bad[i], strlen(bad[i]), NULL);
        assert_int_equal(fl_history_read(k, w, NULL), FL_E_CORRUPT);
    }
    free(text);
    free(again);
    fl_history_free(h);
    fl_history_free(k);
    shop_end(&s);
}

/* What every incident has says nothing; what was never seen says most. Shown through the ranking. */
static void usual_alerts_lose_weight(void **state)
{
    (void)state;
    struct shop s;
    static const char model[] = "{\"weights\":{\"rarest\":1}}";
    struct fl_model *m = NULL;
    shop_begin(&s);
    assert_int_equal(fl_model_parse(model, sizeof model - 1, &m, NULL), FL_OK);
    struct fl_history *h = fl_history_new();
    for (int i = 0; i < 40; i++)
        assert_int_equal(fl_history_learn(h, s.topo, s.alerts, 8, 0), FL_OK); /* all but the last, on web */
    struct fl_rank_input in = shop_input(&s);
    in.history = h;
    struct fl_ranking *r;
    assert_int_equal(fl_rank(s.arena, m, &in, &r, NULL), FL_OK);
    assert_string_equal(r->candidates[0].node, "web");
    assert_float_equal(r->candidates[0].score, 1, 1e-9);
    assert_true(r->candidates[1].score < 0.1);
    fl_history_free(h);
    fl_model_free(m);
    shop_end(&s);
}

static void old_incidents_fade(void **state)
{
    (void)state;
    struct shop s;
    shop_begin(&s);
    struct fl_history *h = fl_history_new();
    for (int i = 0; i < 2500; i++)
        assert_int_equal(fl_history_learn(h, s.topo, s.alerts, 1, 0), FL_OK);
    char *text = text_of(h);
    assert_non_null(strstr(text, "\"incidents\":1500")); /* halved at 2,000, then 500 more */
    free(text);
    fl_history_free(h);
    shop_end(&s);
}

int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(learn_then_forget_is_nothing), cmocka_unit_test(text_round_trip),
        cmocka_unit_test(usual_alerts_lose_weight), cmocka_unit_test(old_incidents_fade)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
