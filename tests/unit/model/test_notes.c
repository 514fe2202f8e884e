/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/model/test_notes.c -- what annotations say about component and severity, and when they count. */
#include <faultline/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct fl_rules *rules;

static int setup(void **state)
{
    (void)state;
    struct fl_err err = {0};
    return fl_rules_from_json("{}", 2, &rules, &err) == FL_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    rules = fl_rules_free(rules);
    return 0;
}

static bool is_known(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    (void)rule;
    (void)peer;
    if (strcmp(node, "cart") != 0 && strcmp(node, "db") != 0)
        return false;
    strcpy(ctx, node);
    return true;
}

static const char *mapped(const struct fl_label *labels, size_t n, const struct fl_label *notes,
                          size_t n_notes)
{
    static char node[64];
    struct fl_alert a = {.labels = {labels, n}, .annotations = {notes, n_notes}};
    node[0] = 0;
    (void)fl_rules_map(rules, &a, is_known, node);
    return node;
}

static void labels_come_first(void **state)
{
    (void)state;
    const struct fl_label service[] = {{"service", "cart"}}, unknown[] = {{"service", "nobody"}};
    const struct fl_label component[] = {{"component", "db"}}, pod[] = {{"pod", "db-0"}};
    assert_string_equal(mapped(service, 1, component, 1),
                        "cart"); /* though the rule for components is earlier */
    assert_string_equal(mapped(unknown, 1, component, 1), "db");
    assert_string_equal(mapped(unknown, 1, pod, 1), "db"); /* by what a regex catches, too */
    assert_string_equal(mapped(unknown, 1, NULL, 0), "");
}

static void severity_of_an_annotation(void **state)
{
    (void)state;
    const struct fl_label critical[] = {{"severity", "critical"}}, info[] = {{"severity", "info"}},
                          p1[] = {{"priority", "P1"}};
    struct fl_alert a = {.annotations = {critical, 1}};
    assert_int_equal(fl_rules_severity(rules, &a), FL_SEV_CRITICAL);
    a.labels = (struct fl_labels){info, 1};
    assert_int_equal(fl_rules_severity(rules, &a), FL_SEV_INFO);
    a.labels = (struct fl_labels){p1, 1};
    a.annotations = (struct fl_labels){info, 1};
    assert_int_equal(fl_rules_severity(rules, &a), FL_SEV_CRITICAL); /* any label before any annotation */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(labels_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(severity_of_an_annotation, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
