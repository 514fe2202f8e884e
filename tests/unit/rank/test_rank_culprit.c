/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_culprit.c -- which change made the first candidate fail, or none; what a diff is read as. */
#include "shop.h"

#include <stdio.h>
#include <string.h>

#include "culprit_diff.h"

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

static void diffs_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *title, *detail;
        enum fl_diff_effect effect;
    } v[] = {
        {"tune", NULL, FL_DIFF_UNKNOWN},
        {"tune", "", FL_DIFF_UNKNOWN},
        {"tune", "pool.yaml\n-max: 400\n+max: 100\n", FL_DIFF_VALUES},
        {"tune", "-  level: info\n+  level: debug\n", FL_DIFF_VALUES},
        {"tune", "-wait(15 * time.Minute)\n+wait(15 * time.Second)\n", FL_DIFF_VALUES},
        {"bump", "-\tlib/proto v1.31.0\n+\tlib/proto v1.34.2\n", FL_DIFF_VALUES},
        {"rename", "-find(\"title\")\n+find(\"name\")\n", FL_DIFF_VALUES},
        {"simplify", "-if a == nil {\n-  return \"\"\n-}\n-return a.status\n+return a.status\n",
         FL_DIFF_VALUES},
        {"helper",
         "-if lat < -90 || lat > 90 {\n-  return bad(lat)\n-}\n+return check(lat, -90, 90)\n+if bad(lat)\n",
         FL_DIFF_MOVED},
        {"helper", "-a = w0 + w1*b\n+a = score(b, w0, w1)\n", FL_DIFF_MOVED},
        {"new", "-x = 1\n+x = 1\n+for all in queue take one and push it to the large new list of things\n",
         FL_DIFF_UNKNOWN},
        {"only new", "+a = 1\n+b = 2\n", FL_DIFF_UNKNOWN},
        {"logs", "-logger.info(\"a 1\")\n+logger.info(\"b 2\")\n", FL_DIFF_LOGS},
        {"logs", "-log.print(\"%s\", a)\n+logger.info(\"b\",\n+  \"took\", took(a),\n+  \"route\", a)\n",
         FL_DIFF_LOGS},
        {"comment", "-// waits 3 s\n+// waits 4 s\n-a = f(b)\n+a = f(b)\n", FL_DIFF_MOVED},
        {"docs: limits", "-max: 400\n+max: 100\n", FL_DIFF_INERT},
        {"limits", "README.md\n-max: 400\n+max: 100\n", FL_DIFF_INERT},
        {"headers", "--- a/pool.yaml 1\n+++ b/pool.yaml 2\n", FL_DIFF_UNKNOWN},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(v); i++) {
        struct fl_change c = {
            .component = "db", .kind = "deploy", .id = "x", .title = v[i].title, .detail = v[i].detail};
        if (fl_diff_effect(&c) != v[i].effect)
            fail_msg("%s: %s is read as %d", v[i].title, v[i].detail ? v[i].detail : "(none)",
                     (int)fl_diff_effect(&c));
    }
}

/* More tokens than are kept, one line without end: no harm. */
static void endless_diffs(void **state)
{
    struct shop *s = *state;
    enum { N = 200000 };
    char *text = fl_arena_alloc(s->arena, N + 1);
    for (size_t i = 0; i < N; i++)
        text[i] = "-a1 \"+b2'\n"[i * 7 % 10];
    text[N] = '\0';
    struct fl_change c = {.component = "db", .kind = "deploy", .id = "x", .title = "t", .detail = text};
    assert_int_equal(fl_diff_effect(&c), fl_diff_effect(&c));
    memset(text, '"', N);
    text[0] = '+';
    text[N / 2] = '\n';
    text[N / 2 + 1] = '-';
    assert_int_equal(fl_diff_effect(&c), FL_DIFF_MOVED); /* the same quotes on both sides */
}

static const char *culprit(struct shop *s, const struct fl_change *v, size_t n)
{
    struct fl_rank_input in = shop_input(s);
    struct fl_ranking *r = NULL;
    struct fl_err err = {.status = FL_OK};
    in.changes = v;
    in.n_changes = n;
    if (fl_rank(s->arena, fl_model_default(), &in, &r, &err))
        fail_msg("fl_rank: %s", err.text);
    assert_string_equal(r->candidates[0].node, "db");
    return r->culprit_change;
}

static struct fl_change deploy(const char *id, const char *component, double minutes_before)
{
    return (struct fl_change){.time = SHOP_T0 - (fl_usec)(minutes_before * 60 * FL_USEC_PER_SEC),
                              .component = component,
                              .kind = "deploy",
                              .id = id};
}

/* Most deploy tools send no diff: then time and place decide. */
static void bare_deploys(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_change own = deploy("own", "db", 2), far = deploy("far", "redis", 2),
                     old = deploy("old", "db", 90);
    struct fl_change late = deploy("late", "db", -10);
    assert_string_equal(culprit(s, &own, 1), "own");
    assert_null(culprit(s, &far, 1));
    assert_null(culprit(s, &old, 1));
    assert_null(culprit(s, &late, 1));
    struct fl_change both[] = {old, far, late, own};
    assert_string_equal(culprit(s, both, 4), "own");
    /* A component that is deployed every few minutes: one more deploy says little. */
    char ids[30][8];
    struct fl_change often[30];
    for (int i = 0; i < 30; i++) {
        snprintf(ids[i], sizeof ids[i], "d%d", i);
        often[i] = deploy(ids[i], "db", 2 + 5 * i);
    }
    assert_null(culprit(s, often, 30));
}

/* The same deploy two minutes before: what its diff does, and what else happened, decides. */
static void what_else_explains_it(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_change c = deploy("own", "db", 2);
    c.title = "change";
    assert_string_equal(culprit(s, &c, 1), "own");
    c.detail = "-return find(a, b)\n+return seek(find(a, b))\n";
    assert_null(culprit(s, &c, 1)); /* only moved */
    c.detail = "-logger.info(a)\n+logger.warn(a)\n";
    assert_null(culprit(s, &c, 1));
    c.detail = "-limit: 40\n+limit: 4\n";
    assert_string_equal(culprit(s, &c, 1), "own");
    c.detail = NULL;
    shop_alert(s, "RequestsHigh", "db", NULL, FL_EC_TRAFFIC, 0); /* more load began with it */
    assert_null(culprit(s, &c, 1));
}

/* A commit that nobody deployed did nothing; one that rode along with a deploy of its files' component did. */
static void commits_need_a_deploy(void **state)
{
    struct shop *s = *state;
    shop_outage(s);
    struct fl_change v[2] = {deploy("c1", "", 6), deploy("d1", "db", 2)};
    v[0].kind = "commit";
    v[0].title = "fewer connections";
    v[0].detail = "services/db/pool.yaml\n-max: 400\n+max: 100\n";
    assert_null(culprit(s, v, 1));
    assert_string_equal(culprit(s, v, 2), "c1"); /* what the deploy brought */
}

/* Thousands of changes, in any order: the nearest count, and the same one is named. */
static void many_changes_in_any_order(void **state)
{
    struct shop *s = *state;
    enum { N = 5000 };
    shop_outage(s);
    struct fl_change *v = fl_arena_calloc(s->arena, N, sizeof *v);
    for (int i = 0; i < N; i++)
        v[i] = deploy(fl_arena_printf(s->arena, "far-%04d", i), i % 2 ? "nobody" : "redis", 200 + i);
    v[N - 1] = deploy("own", "db", 1);
    v[N - 2] = deploy("own", "db", 3); /* the same change, rolled out twice: the first time counts */
    assert_string_equal(culprit(s, v, N), "own");
    for (int i = 0; i < N / 2; i++) {
        struct fl_change swap = v[i];
        v[i] = v[N - 1 - i];
        v[N - 1 - i] = swap;
    }
    assert_string_equal(culprit(s, v, N), "own");
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
int main(void)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {T(diffs_are_read),        T(endless_diffs),
                                       T(bare_deploys),          T(what_else_explains_it),
                                       T(commits_need_a_deploy), T(many_changes_in_any_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
