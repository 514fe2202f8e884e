/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/model/test_rules.c -- rules JSON: defaults, strictness, mapping, classes, versions. */
#include <faultline/model.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fl_rules *load(const char *json)
{
    struct fl_rules *r = NULL;
    struct fl_err err = {0};
    if (fl_rules_from_json(json, strlen(json), &r, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    return r;
}

static struct fl_alert alert(struct fl_label *v, size_t n)
{
    return (struct fl_alert){.labels = {v, fl_labels_normalise(v, n)}, .starts_at = 1};
}

/* Collects "rule>node<peer" of every candidate; accepts `want`. */
struct seen {
    const char *want;
    char text[4096];
};

static bool collect(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    struct seen *s = ctx;
    size_t n = strlen(s->text);
    (void)rule;
    snprintf(s->text + n, sizeof s->text - n, "%s%s%s%s", n ? " " : "", node, peer ? "<" : "",
             peer ? peer : "");
    return s->want && strcmp(s->want, node) == 0;
}

static void an_empty_object_is_the_defaults(void **state)
{
    (void)state;
    struct fl_rules *r = load("{}"), *d = load(fl_rules_default_json());
    assert_true(r->n_mapping > 10 && r->n_classes > 10);
    assert_int_equal(r->n_mapping, d->n_mapping);
    assert_true(r->correlation.window == 600 * FL_USEC_PER_SEC && r->correlation.distance == 2);
    assert_true(r->correlation.rerank_delay == 500000);
    assert_int_equal(r->correlation.n_edge_types, 5);
    assert_true(r->guards.cooldown == 3600 * FL_USEC_PER_SEC && r->guards.max_disruptive == 3);
    assert_true(r->guards.max_alerting_share == 0.55 && r->guards.breaker_failures == 3);
    assert_true(r->guards.approval_ttl == 900 * FL_USEC_PER_SEC);
    assert_true(r->lease_default == 9 * 3600 * FL_USEC_PER_SEC && r->lease_grace == 300 * FL_USEC_PER_SEC);
    fl_rules_free(r);
    fl_rules_free(d);
    assert_null(fl_rules_free(NULL));
}

static void sections_overlay_and_lists_replace(void **state)
{
    (void)state;
    struct fl_rules *r = load(
        "{\"guards\":{\"cooldown\":60},\"correlation\":{\"window\":\"1h\"},\"classes\":[],"
        "\"bindings\":[{\"name\":\"b\",\"playbook\":\"p\",\"params\":{\"x\":\"{cause}\"}}]}");
    assert_true(r->guards.cooldown == 60 * FL_USEC_PER_SEC && r->guards.max_disruptive == 3);
    assert_true(r->correlation.window == 3600 * FL_USEC_PER_SEC && r->correlation.distance == 2);
    assert_int_equal(r->n_classes, 0);
    assert_string_equal(r->bindings[0].approval, "required"); /* an omission never removes the human */
    assert_false(r->bindings[0].any_alert);
    assert_string_equal(r->bindings[0].params[0].value, "{cause}");
    fl_rules_free(r);
}

static void the_version_is_the_content(void **state)
{
    (void)state;
    struct fl_rules *a = load("{\"guards\":{\"cooldown\":60,\"max_disruptive\":2}}"),
                    *b = load(" {\"guards\": {\"max_disruptive\":2, \"cooldown\":60}}"),
                    *c = load("{\"guards\":{\"cooldown\":61}}"), *d = load("{}"),
                    *e = load(fl_rules_default_json());
    assert_memory_equal(&a->hash, &b->hash, sizeof a->hash);
    assert_memory_not_equal(&a->hash, &c->hash, sizeof a->hash);
    assert_memory_not_equal(&c->hash, &d->hash, sizeof a->hash);
    assert_memory_equal(&d->hash, &e->hash, sizeof d->hash); /* a default written out */
    fl_rules_free(a);
    fl_rules_free(b);
    fl_rules_free(c);
    fl_rules_free(d);
    fl_rules_free(e);
}

static void every_mistake_is_named_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *json, *where, *text, *hint;
    } cases[] = {
        {"[]", "", "expected an object", ""},
        {"{\"maping\":[]}", "", "unrecognized key \"maping\"", "did you mean \"mapping\"?"},
        {"{\"thresholds\":[{\"name\":\"x\",\"match\":[\"a=b\"],\"count\":1,\"within\":\"1m\"}]}",
         "thresholds[0].count", "is required, and at least 2", ""},
        {"{\"thresholds\":[{\"name\":\"x\",\"match\":[],\"count\":2,\"within\":\"1m\"}]}",
         "thresholds[0].match", "needs at least one matcher", ""},
        {"{\"thresholds\":[{\"name\":\"x\",\"match\":[\"a=b\"],\"count\":2}]}", "thresholds[0].within",
         "expected a duration from 1s to 366d", ""},
        {"{\"groupings\":[{\"name\":\"x\",\"wait\":\"16m\"}]}", "groupings[0].wait",
         "expected a duration from 1s to 15m", ""},
        {"{\"groupings\":[{\"name\":\"x\",\"wait\":\"5s\",\"groupby\":[]}]}", "groupings[0]",
         "unrecognized key \"groupby\"", "did you mean \"group_by\"?"},
        {"{\"graph_inhibitions\":[{\"name\":\"x\",\"upstream\":[\"a=b\"],\"distance\":6,\"hold_down\":5}]}",
         "graph_inhibitions[0].distance", "expected a number from 0 to 5", ""},
        {"{\"graph_inhibitions\":[{\"name\":\"x\",\"upstream\":[\"a=b\"],\"edge_types\":[],\"hold_down\":5}]}",
         "graph_inhibitions[0].edge_types", "needs at least one type", ""},
        {"{\"graph_inhibitions\":[{\"name\":\"x\",\"hold_down\":5}]}", "graph_inhibitions[0].upstream",
         "needs at least one matcher", ""},
        {"{\"flapping\":[{\"name\":\"x\",\"changes\":1,\"within\":\"1m\",\"quiet_for\":\"1m\"}]}",
         "flapping[0].changes", "expected at least 2, or 0: never", ""},
        {"{\"flapping\":[{\"name\":\"x\",\"within\":\"1m\",\"quiet_for\":\"1m\"}]}", "flapping[0].changes",
         "is required", ""},
        {"{\"flapping\":[{\"name\":\"x\",\"changes\":4,\"within\":\"8d\",\"quiet_for\":\"1m\"}]}",
         "flapping[0].within", "expected a duration from 1s to 7d", ""},
        {"{\"reminders\":[{\"name\":\"x\"}]}", "reminders[0].lasts", "give one of lasts and ends_within", ""},
        {"{\"reminders\":[{\"name\":\"x\",\"lasts\":\"1h\",\"ends_within\":\"1h\"}]}", "reminders[0].lasts",
         "give one of lasts and ends_within", ""},
        {"{\"reminders\":[{\"name\":\"x\",\"lasts\":\"1h\",\"every\":\"59s\"}]}", "reminders[0].every",
         "expected a duration from 1m to 366d", ""},
        {"{\"reminders\":[{\"name\":\"x\",\"lasts\":\"1h\",\"alerts\":0}]}", "reminders[0].alerts",
         "expected at least 1", ""},
        {"{\"reminders\":[{\"name\":\"x\",\"lasts\":\"1h\",\"severity\":\"bad\"}]}", "reminders[0].severity",
         "unknown severity \"bad\": none, info, warning, error, critical", ""},
        {"{\"guards\":{\"cooldwn\":1}}", "guards", "unrecognized key \"cooldwn\"",
         "did you mean \"cooldown\"?"},
        {"{\"guards\":{\"cooldown\":\"soon\"}}", "guards.cooldown",
         "expected a duration such as \"5m\", or seconds, of at most 366 days", ""},
        {"{\"guards\":{\"cooldown\":-1}}", "guards.cooldown",
         "expected a duration such as \"5m\", or seconds, of at most 366 days", ""},
        {"{\"guards\":{\"max_alerting_share\":1.5}}", "guards.max_alerting_share",
         "expected a number from 0 to 1", ""},
        {"{\"guards\":{\"max_disruptive\":1.5}}", "guards.max_disruptive", "expected a whole number", ""},
        {"{\"correlation\":{\"edge_types\":[1]}}", "correlation.edge_types", "expected a string", ""},
        {"{\"mapping\":{\"a\":[]}}", "mapping", "expected a list", ""},
        {"{\"guards\":[1]}", "guards", "expected an object", ""},
        {"{\"mapping\":[{\"name\":\"a\"}]}", "mapping[0].node", "is required", ""},
        {"{\"mapping\":[{\"node\":\"{a}\"}]}", "mapping[0].name", "is required", ""},
        {"{\"mapping\":[{\"name\":\"a\",\"node\":\"{a\"}]}", "mapping[0].node",
         "expected {label} or {1} to {9}", ""},
        {"{\"mapping\":[{\"name\":\"a\",\"node\":\"a}\"}]}", "mapping[0].node", "\"}\" without \"{\"", ""},
        {"{\"mapping\":[{\"name\":\"a\",\"node\":\"{1}\"}]}", "mapping[0].node",
         "{1} is not a group of the regex", ""},
        {"{\"mapping\":[{\"name\":\"a\",\"from\":\"x\",\"regex\":\"(a)\",\"node\":\"{2}\"}]}",
         "mapping[0].node", "{2} is not a group of the regex", ""},
        {"{\"mapping\":[{\"name\":\"a\",\"regex\":\"(a)\",\"node\":\"{1}\"}]}", "mapping[0].from",
         "\"from\" and \"regex\" go together", ""},
        {"{\"mapping\":[{\"name\":\"a\",\"from\":\"x\",\"regex\":\"(\",\"node\":\"b\"}]}", "mapping[0].regex",
         "invalid regular expression \"(\": error parsing regexp: missing closing ): `(`", ""},
        {"{\"classes\":[{\"name\":\"a\",\"class\":\"resource\"},{\"name\":\"b\",\"class\":\"resorce\"}]}",
         "classes[1].class", "unknown class \"resorce\"", "did you mean \"resource\"?"},
        {"{\"classes\":[{\"name\":\"b\",\"class\":\"log\",\"match\":[\"a=b\",\"=\"]}]}",
         "classes[0].match[1]", "bad matcher format: =", ""},
        {"{\"classes\":[{\"name\":\"b\",\"class\":\"log\",\"match\":[{\"label\":\"a\",\"op\":\"==\"}]}]}",
         "classes[0].match[0].op", "expected one of = != =~ !~", ""},
        {"{\"severities\":[{\"name\":\"b\",\"severity\":\"fatal\"}]}", "severities[0].severity",
         "unknown severity \"fatal\"", ""},
        {"{\"bindings\":[{\"name\":\"b\"}]}", "bindings[0].playbook", "is required", ""},
        {"{\"bindings\":[{\"name\":\"b\",\"playbook\":\"p\",\"approval\":\"never\"}]}",
         "bindings[0].approval", "expected \"required\" or \"none\"", ""},
        {"{\"bindings\":[{\"name\":\"b\",\"playbook\":\"p\",\"any_alert\":1}]}", "bindings[0].any_alert",
         "expected true or false", ""},
        {"{\"bindings\":[null]}", "bindings[0]", "expected an object", ""},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_rules *r = NULL;
        struct fl_err err = {0};
        assert_int_not_equal(fl_rules_from_json(cases[i].json, strlen(cases[i].json), &r, &err), FL_OK);
        assert_null(r);
        assert_string_equal(err.text, cases[i].text);
        assert_string_equal(err.where, cases[i].where);
        assert_string_equal(err.hint, cases[i].hint);
    }
}

/* Lua has one empty table: it is an empty list and an empty table with names, in every section and member. */
static void empty_tables_are_lists_and_maps(void **state)
{
    (void)state;
    static const char *const sections[] = {"mapping",    "classes",           "severities",  "inhibitions",
                                           "bindings",   "graph_inhibitions", "thresholds",  "groupings",
                                           "heartbeats", "flapping",          "maintenance", "reminders",
                                           "guards",     "correlation",       "leases"};
    for (size_t i = 0; i < FL_ARRAY_LEN(sections); i++)
        for (int list = 0; list < 2; list++) {
            char json[64];
            snprintf(json, sizeof json, "{\"%s\":%s}", sections[i], list ? "[]" : "{}");
            fl_rules_free(load(json));
        }
    fl_rules_free(
        load("{\"mapping\":[{\"name\":\"a\",\"match\":{},\"node\":\"b\"}],"
             "\"bindings\":[{\"name\":\"b\",\"playbook\":\"p\",\"cause_types\":{},\"params\":[]}],"
             "\"heartbeats\":[{\"name\":\"h\",\"match\":[\"a=b\"],\"interval\":\"1m\",\"labels\":[]}],"
             "\"correlation\":{\"group_by\":{}}}"));
}

static void mapping_expands_in_order_until_accepted(void **state)
{
    (void)state;
    struct fl_rules *r = load(
        "{\"mapping\":[{\"name\":\"one\",\"match\":[\"kind=x\"],\"node\":\"{ns}/{svc}\"},"
        "{\"name\":\"two\",\"node\":\"{missing}\"},"
        "{\"name\":\"three\",\"from\":\"instance\",\"regex\":\"([^:]+)(:[0-9]+)?\",\"node\":\"{1}\","
        "\"peer\":\"{no}|{caller}\"},"
        "{\"name\":\"four\",\"node\":\"{nope}|{svc}\"},{\"name\":\"five\",\"node\":\"last\"}]}");
    struct fl_label v[] = {
        {"kind", "x"}, {"ns", "shop"}, {"svc", "cart"}, {"instance", "h1:80"}, {"caller", "web"}};
    struct fl_alert a = alert(v, FL_ARRAY_LEN(v));
    struct seen all = {.want = NULL}, some = {.want = "cart"};
    assert_false(fl_rules_map(r, &a, collect, &all));
    assert_string_equal(all.text, "shop/cart h1<web cart last");
    assert_true(fl_rules_map(r, &a, collect, &some));
    assert_string_equal(some.text, "shop/cart h1<web cart");
    fl_rules_free(r);
}

/* More names than are looked up once an alert; regexes that take the empty text, and ones that do not. */
static void mapping_knows_any_number_of_names(void **state)
{
    (void)state;
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_str(&b, "{\"mapping\":[");
    for (unsigned i = 0; i < 300; i++)
        fl_buf_printf(&b, "{\"name\":\"r%u\",\"node\":\"{l%u}-{m}|x{l%u}\"},", i, i, i);
    fl_buf_str(&b, "{\"name\":\"e\",\"from\":\"none\",\"regex\":\"(.*)\",\"node\":\"empty\"},"
                   "{\"name\":\"f\",\"from\":\"none\",\"regex\":\"(.+)\",\"node\":\"full\"},"
                   "{\"name\":\"g\",\"from\":\"l299\",\"regex\":\"(b)(c)?.*\",\"node\":\"{2}|{1}{l299}\"}]}");
    struct fl_rules *r = load(b.p);
    struct fl_label v[] = {{"l2", "a"}, {"l299", "bz"}, {"l2x", "no"}, {"l29", "c"}},
                    notes[] = {{"m", "note"}};
    struct fl_alert a = alert(v, 4);
    struct seen s = {0};
    assert_false(fl_rules_map(r, &a, collect, &s));
    assert_string_equal(s.text, "xa xc xbz empty bbz");
    a.annotations = (struct fl_labels){notes, 1};
    struct seen t = {.want = "bz-note"};
    assert_true(fl_rules_map(r, &a, collect, &t));
    assert_string_equal(t.text, "xa xc xbz empty bbz a-note c-note bz-note");
    fl_rules_free(r);
}

static void an_overlong_node_is_no_candidate(void **state)
{
    (void)state;
    struct fl_rules *r = load("{\"mapping\":[{\"name\":\"n\",\"node\":\"{a}{b}\"}]}");
    for (size_t extra = 0; extra < 2; extra++) {
        char long_value[FL_NODE_ID_MAX + 1] = {0};
        memset(long_value, 'x', FL_NODE_ID_MAX - 1 + extra);
        struct fl_label v[] = {{"a", long_value}, {"b", "y"}};
        struct fl_alert a = alert(v, 2);
        struct seen s = {.want = NULL};
        fl_rules_map(r, &a, collect, &s);
        assert_int_equal(strlen(s.text), extra ? 0 : FL_NODE_ID_MAX);
    }
    fl_rules_free(r);
}

static void the_default_mapping_knows_common_labels(void **state)
{
    (void)state;
    static const struct {
        struct fl_label v[4];
        const char *want, *peer;
    } cases[] = {
        {{{"component", "redis1"}, {"service", "redis"}, {"caller", "mob"}, {"a", ""}}, "redis1", "mob"},
        {{{"pod", "cart-7f9c6d5b4c-x2x4z"}, {"a", ""}, {"a", ""}, {"a", ""}}, "cart", NULL},
        {{{"pod", "db-0"}, {"a", ""}, {"a", ""}, {"a", ""}}, "db", NULL},
        {{{"pod", "db-0"}, {"a", ""}, {"a", ""}, {"a", ""}}, "db-0", NULL},
        {{{"instance", "db1:9100"}, {"job", "node"}, {"a", ""}, {"a", ""}}, "db1", NULL},
        {{{"instance", "db1.eu.example:9100"}, {"a", ""}, {"a", ""}, {"a", ""}}, "db1.eu.example", NULL},
        {{{"instance", "db1.eu.example:9100"}, {"a", ""}, {"a", ""}, {"a", ""}}, "db1", NULL},
        {{{"namespace", "shop"}, {"service", "cart"}, {"a", ""}, {"a", ""}}, "shop/cart", NULL},
        {{{"namespace", "shop"}, {"service", "cart"}, {"client", "web"}, {"a", ""}}, "cart", "web"},
        {{{"job", "api"}, {"a", ""}, {"a", ""}, {"a", ""}}, "api", NULL},
        {{{"app_kubernetes_io_name", "api"}, {"a", ""}, {"a", ""}, {"a", ""}}, "api", NULL},
        {{{"destination_workload", "api"}, {"source_workload", "web"}, {"a", ""}, {"a", ""}}, "api", "web"},
    };
    struct fl_rules *r = load("{}");
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_label v[4];
        memcpy(v, cases[i].v, sizeof v);
        struct fl_alert a = alert(v, 4);
        struct seen s = {.want = cases[i].want};
        if (!fl_rules_map(r, &a, collect, &s))
            fail_msg("%s is not among %s", cases[i].want, s.text);
        const char *peer = strrchr(s.text, '<');
        assert_string_equal(peer ? peer + 1 : "", cases[i].peer ? cases[i].peer : "");
    }
    fl_rules_free(r);
}

static void the_default_classes_read_names(void **state)
{
    (void)state;
    static const struct {
        const char *alertname, *metric, *source;
        fl_evidence_class cls;
    } cases[] = {
        {"MetricAnomaly", "cpu_usage", "metric", FL_EC_RESOURCE},
        {"NodeFilesystemAlmostOutOfSpace", "", "", FL_EC_RESOURCE},
        {"PostgresTooManyConnections", "", "", FL_EC_RESOURCE},
        {"MetricAnomaly", "error_rate_5xx_ratio", "metric", FL_EC_ERROR},
        {"HighErrorRate", "", "", FL_EC_ERROR},
        {"SpanErrors5xx", "", "trace", FL_EC_ERROR},
        {"HighTailLatency", "latency_p95", "", FL_EC_LATENCY},
        {"SpanLatencyDegraded", "", "trace", FL_EC_LATENCY},
        {"NetworkTimeDegraded", "", "trace", FL_EC_NETWORK},
        {"MetricAnomaly", "container_network_receive_packets.eth0", "metric", FL_EC_NETWORK},
        {"MetricAnomaly", "dest_qps", "metric", FL_EC_TRAFFIC},
        {"LogPattern", "", "log", FL_EC_LOG},
        {"CallsMissing", "", "trace", FL_EC_MISSING},
        {"TargetDown", "", "", FL_EC_AVAILABILITY},
        {"LowAvailability", "availability", "", FL_EC_AVAILABILITY},
        {"Watchdog", "", "", FL_EC_OTHER},
    };
    struct fl_rules *r = load("{}");
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_label v[] = {
            {"alertname", cases[i].alertname}, {"metric", cases[i].metric}, {"source", cases[i].source}};
        struct fl_alert a = alert(v, 3);
        fl_evidence_class cls = fl_rules_class(r, &a);
        if (cls != cases[i].cls)
            fail_msg("%s %s: %s", cases[i].alertname, cases[i].metric, fl_evidence_class_name(cls));
    }
    fl_rules_free(r);
}

static void severity_comes_from_rules_then_labels(void **state)
{
    (void)state;
    struct fl_rules *r = load(
        "{\"severities\":[{\"name\":\"dev\",\"match\":[\"env=dev\"],\"severity\":\"info\"}]}");
    struct fl_label dev[] = {{"env", "dev"}, {"severity", "critical"}}, page[] = {{"severity", "page"}},
                    priority[] = {{"priority", "P2"}}, none[] = {{"a", "b"}},
                    odd[] = {{"severity", "purple"}};
    struct fl_alert a = alert(dev, 2), b = alert(page, 1), c = alert(priority, 1), d = alert(none, 1),
                    e = alert(odd, 1);
    assert_int_equal(fl_rules_severity(r, &a), FL_SEV_INFO);
    assert_int_equal(fl_rules_severity(r, &b), FL_SEV_CRITICAL);
    assert_int_equal(fl_rules_severity(r, &c), FL_SEV_ERROR);
    assert_int_equal(fl_rules_severity(r, &d), FL_SEV_WARNING);
    assert_int_equal(fl_rules_severity(r, &e), FL_SEV_WARNING);
    fl_rules_free(r);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_object_is_the_defaults),
        cmocka_unit_test(sections_overlay_and_lists_replace),
        cmocka_unit_test(the_version_is_the_content),
        cmocka_unit_test(every_mistake_is_named_with_its_place),
        cmocka_unit_test(empty_tables_are_lists_and_maps),
        cmocka_unit_test(mapping_expands_in_order_until_accepted),
        cmocka_unit_test(mapping_knows_any_number_of_names),
        cmocka_unit_test(an_overlong_node_is_no_candidate),
        cmocka_unit_test(the_default_mapping_knows_common_labels),
        cmocka_unit_test(the_default_classes_read_names),
        cmocka_unit_test(severity_comes_from_rules_then_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
