/* SPDX-License-Identifier: GPL-3.0-or-later */
/* test_rank_golden.c -- whole cases from files to explained ranking, byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <faultline/case.h>
#include <faultline/json.h>
#include <faultline/rank.h>

static const char *const cases[] = {"micross-001", "nzob-001", "ps-003", "rcb-001"};
static bool update;

struct at {
    struct fl_topo *t;
    fl_vertex node, peer;
};

static bool take(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    struct at *m = ctx;
    (void)rule;
    m->node = fl_topo_find(m->t, node);
    m->peer = m->node >= 0 && peer ? fl_topo_find(m->t, peer) : -1;
    return m->node >= 0;
}

/* Lines of a file in another order, the same for the same seed. */
static void shuffle(const void *list, size_t n, size_t size, uint64_t *seed)
{
    unsigned char *v = (unsigned char *)list, swap[512];
    assert_true(size <= sizeof swap);
    for (size_t i = n; i > 1; i--) {
        *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t k = (size_t)(*seed >> 33) % i;
        memcpy(swap, v + (i - 1) * size, size);
        memcpy(v + (i - 1) * size, v + k * size, size);
        memcpy(v + k * size, swap, size);
    }
}

static void shuffle_case(struct fl_case *c, uint64_t seed)
{
    shuffle(c->alerts, c->n_alerts, sizeof *c->alerts, &seed);
    shuffle(c->changes, c->n_changes, sizeof *c->changes, &seed);
    shuffle(c->candidates, c->n_candidates, sizeof *c->candidates, &seed);
    shuffle(c->topology.nodes, c->topology.n_nodes, sizeof *c->topology.nodes, &seed);
    shuffle(c->topology.edges, c->topology.n_edges, sizeof *c->topology.edges, &seed);
    shuffle(c->data.traces.v, c->data.traces.n, sizeof *c->data.traces.v, &seed);
    shuffle(c->data.traces_baseline.v, c->data.traces_baseline.n, sizeof *c->data.traces_baseline.v, &seed);
}

/* @param seed of the order of its lines; 0 = as they stand. */
static char *rank_text(const char *dir, uint64_t seed)
{
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_case_cache *cache = fl_case_cache_new();
    struct fl_rules *rules = NULL;
    struct fl_case c;
    struct fl_topo *t = NULL;
    struct fl_ranking *r = NULL;
    const char *json = fl_rules_default_json();
    if (fl_rules_from_json(json, strlen(json), &rules, &err) || fl_case_read(a, cache, dir, &c, &err))
        fail_msg("%s: %s", err.where, err.text);
    if (seed)
        shuffle_case(&c, seed);
    if (fl_topo_new(&c.topology, &t, &err))
        fail_msg("%s: %s", err.where, err.text);
    struct fl_rank_alert *v = fl_arena_calloc(a, c.n_alerts + 1, sizeof *v);
    fl_vertex *candidates = fl_arena_calloc(a, c.n_candidates + 1, sizeof *candidates);
    for (size_t i = 0; i < c.n_alerts; i++) {
        struct at m = {t, -1, -1};
        fl_rules_map(rules, &c.alerts[i], take, &m);
        v[i] = (struct fl_rank_alert){&c.alerts[i], m.node, m.peer, fl_rules_class(rules, &c.alerts[i]),
                                      fl_rules_severity(rules, &c.alerts[i])};
    }
    for (size_t i = 0; i < c.n_candidates; i++)
        candidates[i] = fl_topo_find(t, c.candidates[i]);
    const struct fl_rank_metrics *metrics;
    if (fl_rank_metrics_new(a, rules, t, &c.data, &metrics, &err))
        fail_msg("%s: %s", err.where, err.text);
    struct fl_rank_input in = {.topo = t,
                               .alerts = v,
                               .n_alerts = c.n_alerts,
                               .changes = c.changes,
                               .n_changes = c.n_changes,
                               .data = &c.data,
                               .metrics = metrics,
                               .candidates = candidates,
                               .n_candidates = c.n_candidates,
                               .max_candidates = 5,
                               .explain = true,
                               .entry = c.entry ? fl_topo_find(t, c.entry) : -1};
    if (fl_rank(a, fl_model_default(), &in, &r, &err))
        fail_msg("%s: %s", dir, err.text);
    struct fl_buf out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    fl_ranking_json(&w, NULL, r);
    fl_buf_chr(&out, '\n');
    fl_topo_free(t);
    fl_rules_free(rules);
    fl_case_cache_free(cache);
    return fl_buf_take(&out, NULL);
}

static void rankings_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        char dir[512], path[600];
        snprintf(dir, sizeof dir, "%s/tests/golden/rank/%s", FL_SOURCE_DIR, cases[i]);
        snprintf(path, sizeof path, "%s/expected.json", dir);
        FL_AUTO_FREE char *text = rank_text(dir, 0);
        FL_AUTO_FREE char *again = rank_text(dir, 0);
        assert_string_equal(text, again);
        if (update) {
            FILE *f = fopen(path, "we");
            assert_non_null(f);
            assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
            assert_int_equal(fclose(f), 0);
            continue;
        }
        FL_AUTO_BUF want = fl_buf_init(0);
        struct fl_err err = {.status = FL_OK};
        if (fl_case_file(path, &want, &err))
            fail_msg("%s: %s (test_rank_golden --update makes it)", path, err.text);
        if (strcmp(want.p, text) != 0)
            fail_msg("%s: the ranking changed; now:\n%s", cases[i], text);
    }
}

/* The order in which alerts, changes, candidates, nodes, edges and spans are listed decides nothing: not the
 * ranking, not which of two equal alerts is shown, not the last digit. */
static void order_of_lines_says_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        char dir[512];
        snprintf(dir, sizeof dir, "%s/tests/golden/rank/%s", FL_SOURCE_DIR, cases[i]);
        FL_AUTO_FREE char *text = rank_text(dir, 0);
        for (uint64_t seed = 1; seed <= 20; seed++) {
            FL_AUTO_FREE char *other = rank_text(dir, seed);
            if (strcmp(text, other) != 0)
                fail_msg("%s, lines in order %d:\n%s\nas they stand:\n%s", cases[i], (int)seed, other, text);
        }
    }
}

/* Damage in the files of a case: a status that names file and line, nothing else. */
static void damaged_cases_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        fl_status st;
    } bad[] = {{"a.jsonl", "{\"labels\":{\"alertname\":\"A\"}}\n\n{\"labels\":\n", FL_E_SYNTAX},
               {"a.jsonl", "{\"labels\":{}}\n", FL_E_SHAPE},
               {"a.jsonl", "{\"labels\":{\"a\":7}}\n", FL_E_SHAPE},
               {"a.jsonl", "{\"labels\":{\"a\":\"b\"},\"startsAt\":\"yesterday\"}\n", FL_E_SHAPE},
               {"m.csv", "when,a|b\n1,2\n", FL_E_SHAPE},
               {"m.csv", "time,ab\n1,2\n", FL_E_SHAPE},
               {"m.csv", "time,a|b\n2,2\n1,2\n", FL_E_SHAPE},
               {"t.csv", "a,b\n", FL_E_SHAPE}};
    char path[512];
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_err err = {.status = FL_OK};
        struct fl_alert *alerts;
        struct fl_table table;
        struct fl_traces traces;
        size_t n;
        snprintf(path, sizeof path, "%s/test_rank_golden.%s", FL_BINARY_DIR, bad[i].name);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        fputs(bad[i].text, f);
        fclose(f);
        fl_status st = bad[i].name[0] == 'a'   ? fl_case_alerts(a, path, &alerts, &n, &err)
                       : bad[i].name[0] == 'm' ? fl_case_table(a, path, &table, &err)
                                               : fl_case_traces(a, path, &traces, &err);
        assert_int_equal(st, bad[i].st);
        assert_non_null(strstr(err.where, bad[i].name));
        remove(path);
    }
}

static void tables_keep_holes(void **state)
{
    (void)state;
    char path[512];
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_table t;
    snprintf(path, sizeof path, "%s/test_rank_golden.table.csv", FL_BINARY_DIR);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs("time,\"a,1|x\",b|y\r\n1,,inf\r\n2,3.5\r\n", f);
    fclose(f);
    assert_int_equal(fl_case_table(a, path, &t, NULL), FL_OK);
    assert_int_equal(t.n_rows, 2);
    assert_int_equal(t.n_cols, 2);
    assert_string_equal(t.component[0], "a,1");
    assert_true(t.v[0] != t.v[0] && t.v[1] == 3.5 && t.v[2] != t.v[2] && t.v[3] != t.v[3]);
    remove(path);
}

int main(int argc, char **argv)
{
    if (fl_base_init())
        return 1;
    fl_topo_init();
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rankings_stay), cmocka_unit_test(order_of_lines_says_nothing),
        cmocka_unit_test(damaged_cases_are_refused), cmocka_unit_test(tables_keep_holes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
