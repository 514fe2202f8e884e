/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/model/test_labels.c -- order, fingerprints, copies and text of label sets. */
#include <faultline/json.h>
#include <faultline/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fingerprint(struct fl_label *v, size_t n)
{
    struct fl_labels l = {v, fl_labels_normalise(v, n)};
    return fl_labels_fingerprint(&l);
}

static void fingerprints_are_alertmanagers(void **state)
{
    (void)state;
    struct fl_label disk[] = {{"job", "node_exporter"}, {"alertname", "Free_Disk_Space_Too_Low"},
                              {"instance", "server5"},  {"disk", "sda"},
                              {"cluster", "staging"},   {"empty", ""}};
    struct fl_label frp[] = {{"alertgroup", "frp_alerts"},
                             {"alertname", "downTimeAlert"},
                             {"frp", "10859"},
                             {"severity", "error"},
                             {"type", "hermes-heartbeat"}};
    assert_true(fingerprint(NULL, 0) == UINT64_C(0xcbf29ce484222325));
    assert_true(fingerprint(disk, 6) == UINT64_C(0xaae7a1432b5d2f1b));
    assert_true(fingerprint(frp, 5) == UINT64_C(0x1badb0c76cee4041));
}

static void normalise_sorts_drops_empty_keeps_the_last(void **state)
{
    (void)state;
    struct fl_label v[] = {{"b", "1"}, {"a", "x"}, {"b", "2"}, {"c", ""}, {"a", ""}, {"B", "y"}, {"b", "3"}};
    size_t n = fl_labels_normalise(v, FL_ARRAY_LEN(v));
    assert_int_equal(n, 2);
    assert_string_equal(v[0].name, "B");
    assert_string_equal(v[1].name, "b");
    assert_string_equal(v[1].value, "3");
}

static void a_copy_stands_alone(void **state)
{
    (void)state;
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_label *v = fl_arena_calloc(arena, 2, sizeof *v);
    v[0] = (struct fl_label){fl_arena_strdup(arena, "a"), fl_arena_strdup(arena, "é")};
    v[1] = (struct fl_label){fl_arena_strdup(arena, "b"), fl_arena_strdup(arena, "2")};
    struct fl_alert a = {.fingerprint = 7,
                         .labels = {v, 2},
                         .annotations = {v + 1, 1},
                         .starts_at = 5,
                         .status = FL_ALERT_STALE,
                         .generator_url = fl_arena_strdup(arena, "http://x")};
    struct fl_alert *copy = fl_alert_dup(&a);
    fl_arena_free(arena);
    assert_string_equal(fl_label_get(&copy->labels, "a"), "é");
    assert_string_equal(fl_label_get(&copy->annotations, "b"), "2");
    assert_string_equal(fl_label_get(&copy->annotations, "a"), "");
    assert_string_equal(copy->generator_url, "http://x");
    assert_true(copy->fingerprint == 7 && copy->starts_at == 5 && copy->status == FL_ALERT_STALE);
    free(copy);
    struct fl_alert bare = {.starts_at = 1};
    copy = fl_alert_dup(&bare);
    assert_string_equal(copy->generator_url, "");
    free(copy);
}

static void text_and_json_quote(void **state)
{
    (void)state;
    struct fl_label v[] = {{"a", "x\"y"}, {"b", "z"}};
    struct fl_labels l = {v, 2};
    FL_AUTO_BUF text = fl_buf_init(0);
    FL_AUTO_BUF json = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&json);
    fl_labels_text(&l, &text);
    fl_labels_json(&w, NULL, &l);
    assert_string_equal(text.p, "a=\"x\\\"y\", b=\"z\"");
    assert_string_equal(json.p, "{\"a\":\"x\\\"y\",\"b\":\"z\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fingerprints_are_alertmanagers),
        cmocka_unit_test(normalise_sorts_drops_empty_keeps_the_last),
        cmocka_unit_test(a_copy_stands_alone),
        cmocka_unit_test(text_and_json_quote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
