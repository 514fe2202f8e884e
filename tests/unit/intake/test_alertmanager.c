/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_alertmanager.c -- webhook version "4": recorded bodies, partial success, refusals, limits. */
#include "intake_fixture.h"

static const fl_format F = FL_FORMAT_ALERTMANAGER;

#define MESSAGE(alerts) "{\"version\":\"4\",\"status\":\"firing\",\"alerts\":[" alerts "]}"
#define GOOD \
    "{\"status\":\"firing\",\"labels\":{\"alertname\":\"Good\"},\"startsAt\":\"2026-11-23T09:00:00Z\"}"

static struct parsed parse_recorded(const char *name)
{
    size_t n;
    char *body = recorded(name, &n);
    struct parsed p = parse_at(F, body, n, at(NOW_TEXT));
    free(body);
    assert_int_equal(p.st, FL_OK);
    return p;
}

static void a_mixed_message_keeps_the_state_of_each_alert(void **state)
{
    (void)state;
    struct parsed p = parse_recorded("webhook/firing-mixed-resolved.json");
    assert_int_equal(p.in.n_alerts, 3);
    assert_int_equal(p.in.n_rejects, 0);
    const struct fl_alert *a = p.in.alerts;
    assert_int_equal(a[0].status, FL_ALERT_FIRING);
    assert_int_equal(a[1].status, FL_ALERT_RESOLVED);
    assert_true(a[0].fingerprint == UINT64_C(0xcc3cc81c449bc0c2)); /* what Alertmanager sent along */
    assert_true(a[1].fingerprint == UINT64_C(0x8e43e4ca46edf553));
    assert_true(a[2].fingerprint == UINT64_C(0xa96a9f27a9afd200));
    assert_true(a[0].starts_at == at("2026-11-23T09:37:32.190912Z"));
    assert_true(a[0].ends_at == 0 && a[0].lease_until == 0 && !a[0].starts_guessed);
    assert_true(a[1].ends_at == at("2026-11-23T09:37:44Z"));
    assert_true(a[1].received_at == at(NOW_TEXT));
    assert_string_equal(fl_label_get(&a[0].annotations, "summary"), "Disk é full");
    assert_string_equal(a[0].generator_url, "http://prometheus.example:9090/graph");
    assert_string_equal(a[1].generator_url, "");
    assert_string_equal(p.in.receiver, "engine");
    assert_string_equal(p.in.group_key, "{}/{}:{alertname=\"DiskFull\", cluster=\"eu1\"}");
    done(&p);
}

static void every_recorded_fingerprint_is_ours(void **state)
{
    (void)state;
    static const char *const names[] = {"firing-2",
                                        "firing-3-new-alert-joined",
                                        "firing-basic-auth",
                                        "firing-bearer",
                                        "firing-group-by-all",
                                        "firing-truncated",
                                        "firing-truncated-mixed",
                                        "resolved"};
    size_t alerts = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(names); i++) {
        char name[128];
        size_t n;
        snprintf(name, sizeof name, "webhook/%s.json", names[i]);
        char *body = recorded(name, &n);
        struct parsed p = parse_at(F, body, n, at(NOW_TEXT));
        assert_int_equal(p.st, FL_OK);
        body[n - 1] = 0;
        for (size_t k = 0; k < p.in.n_alerts; k++, alerts++) {
            char hex[17], quoted[40];
            snprintf(quoted, sizeof quoted, "\"fingerprint\":\"%s\"",
                     fl_fingerprint_hex(p.in.alerts[k].fingerprint, hex));
            assert_non_null(strstr(body, quoted));
        }
        free(body);
        done(&p);
    }
    assert_true(alerts >= 10);
}

static void truncation_is_told(void **state)
{
    (void)state;
    struct parsed p = parse_recorded("webhook/firing-truncated.json");
    assert_true(p.in.truncated > 0);
    done(&p);
}

static void bad_elements_do_not_cost_the_good_ones(void **state)
{
    (void)state;
    static const struct {
        const char *alert, *where, *reason;
    } cases[] = {
        {"7", "alerts[1]", "expected an object, got number"},
        {"null", "alerts[1]", "expected an object, got null"},
        {"{\"status\":\"firing\"}", "alerts[1].labels", "is required"},
        {"{\"status\":\"firing\",\"labels\":[]}", "alerts[1].labels", "expected an object, got array"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":1}}", "alerts[1].labels",
         "expected strings as values, got number"},
        {"{\"status\":\"firing\",\"labels\":{}}", "alerts[1].labels", "at least one label pair required"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"\"}}", "alerts[1].labels",
         "at least one label pair required"},
        {"{\"status\":\"firing\",\"labels\":{\"\":\"x\"}}", "alerts[1].labels",
         "invalid label set: invalid name \"\""},
        {"{\"labels\":{\"a\":\"b\"}}", "alerts[1].status", "expected \"firing\" or \"resolved\""},
        {"{\"status\":\"Firing\",\"labels\":{\"a\":\"b\"}}", "alerts[1].status",
         "expected \"firing\" or \"resolved\""},
        {"{\"status\":1,\"labels\":{\"a\":\"b\"}}", "alerts[1].status", "expected a string, got number"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"b\"},\"startsAt\":\"soon\"}", "alerts[1].startsAt",
         "could not parse time \"soon\""},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"b\"},\"startsAt\":\"1969-12-31T23:59:59Z\"}",
         "alerts[1].startsAt", "startsAt is before 1970 or more than a year ahead"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"b\"},\"startsAt\":\"9999-12-31T23:59:59Z\"}",
         "alerts[1].startsAt", "startsAt is before 1970 or more than a year ahead"},
        {"{\"status\":\"resolved\",\"labels\":{\"a\":\"b\"},\"endsAt\":\"9999-12-31T23:59:59Z\"}",
         "alerts[1].endsAt", "a resolved alert's endsAt is more than a year ahead"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"x\\u0000y\"}}", "alerts[1]",
         "text with a NUL or bytes that are not UTF-8"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"\xff\"}}", "alerts[1]",
         "text with a NUL or bytes that are not UTF-8"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"\\ud800\"}}", "alerts[1]",
         "text with a NUL or bytes that are not UTF-8"},
        {"{\"status\":\"firing\",\"labels\":{\"a\":\"b\"},\"zzz\":\"\xc0\xaf\"}", "alerts[1]",
         "text with a NUL or bytes that are not UTF-8"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        char body[2048];
        snprintf(body, sizeof body, "{\"alerts\":[" GOOD ",%s," GOOD "],\"version\":\"4\"}", cases[i].alert);
        struct parsed p = parse(F, body);
        assert_int_equal(p.st, FL_OK);
        assert_int_equal(p.in.n_alerts, 2);
        assert_int_equal(p.in.n_rejects, 1);
        assert_int_equal(p.in.rejects[0].index, 1);
        assert_string_equal(p.in.rejects[0].where, cases[i].where);
        assert_string_equal(p.in.rejects[0].reason, cases[i].reason);
        assert_true(fl_utf8_valid(p.in.rejects[0].raw, strlen(p.in.rejects[0].raw)));
        if (!strchr(cases[i].alert, (char)0xff) && !strchr(cases[i].alert, (char)0xc0))
            assert_string_equal(p.in.rejects[0].raw, cases[i].alert);
        assert_int_equal(p.in.rejects[0].code, 0);
        done(&p);
    }
}

static void a_resolve_is_kept_whatever_its_clock_says(void **state)
{
    (void)state;
    struct parsed p = parse(
        F,
        MESSAGE("{\"status\":\"resolved\",\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\","
                "\"endsAt\":\"2026-11-23T08:00:00Z\"},"
                "{\"status\":\"resolved\",\"labels\":{\"a\":\"c\"},\"startsAt\":\"2026-11-23T09:00:00Z\"}"));
    assert_int_equal(p.in.n_alerts, 2);
    assert_true(p.in.alerts[0].ends_at == p.in.alerts[0].starts_at);
    assert_true(p.in.alerts[1].ends_at == at(NOW_TEXT));
    done(&p);
}

static void an_absent_start_is_guessed(void **state)
{
    (void)state;
    struct parsed p = parse(
        F, MESSAGE("{\"status\":\"firing\",\"labels\":{\"a\":\"b\"}},"
                   "{\"status\":\"firing\",\"labels\":{\"a\":\"c\"},\"startsAt\":\"0001-01-01T00:00:00Z\"}"));
    assert_int_equal(p.in.n_alerts, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(p.in.alerts[i].starts_guessed);
        assert_true(p.in.alerts[i].starts_at == at(NOW_TEXT));
    }
    done(&p);
}

static void repeated_keys_count_once_the_last(void **state)
{
    (void)state;
    struct parsed p = parse(
        F,
        MESSAGE(
            "{\"status\":\"firing\",\"labels\":{\"x\":\"y\"},\"labels\":{\"b\":\"1\",\"a\":\"2\",\"b\":\"3\"}}"));
    assert_int_equal(p.in.n_alerts, 1);
    assert_int_equal(p.in.alerts[0].labels.n, 2);
    assert_string_equal(fl_label_get(&p.in.alerts[0].labels, "b"), "3");
    assert_string_equal(p.in.alerts[0].labels.v[0].name, "a");
    done(&p);
    p = parse(F, "{\"version\":\"4\",\"alerts\":[" GOOD "," GOOD "],\"alerts\":[7]}");
    assert_int_equal(p.in.n_alerts, 0);
    assert_int_equal(p.in.n_rejects, 1);
    done(&p);
}

static void escapes_are_decoded_in_keys_and_values(void **state)
{
    (void)state;
    struct parsed p = parse(
        F, "{\"v\\u0065rsion\":\"\\u0034\",\"alerts\":[{\"st\\u0061tus\":\"firing\",\"labels\":"
           "{\"n\\u00e9\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00\\u20ac\"}}]}");
    assert_int_equal(p.st, FL_OK);
    assert_int_equal(p.in.n_alerts, 1);
    assert_string_equal(fl_label_get(&p.in.alerts[0].labels, "né"), "\"\\/\b\f\n\r\t😀€");
    done(&p);
}

static void other_bodies_are_refused_whole(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        fl_status st;
        const char *where, *text;
    } cases[] = {
        {"", FL_E_SYNTAX, "line 1 column 1", "could not parse JSON: unexpected end of input"},
        {"[]", FL_E_SHAPE, "", "expected an Alertmanager webhook message, an object"},
        {"{}", FL_E_SHAPE, "version", "expected an Alertmanager webhook message of version \"4\", got \"\""},
        {"{\"version\":\"1\",\"alerts\":[]}", FL_E_SHAPE, "version",
         "expected an Alertmanager webhook message of version \"4\", got \"1\""},
        {"{\"version\":4,\"alerts\":[]}", FL_E_SHAPE, "version",
         "expected an Alertmanager webhook message of version \"4\", got \"\""},
        {"{\"version\":\"4\"}", FL_E_SHAPE, "alerts", "expected an array"},
        {"{\"version\":\"4\",\"alerts\":{}}", FL_E_SHAPE, "alerts", "expected an array"},
        {"{\"version\":\"4\",\n\"alerts\":[}", FL_E_SYNTAX, "line 2 column 11",
         "could not parse JSON: unexpected character"},
        {"{\"version\":\"4\",\"alerts\":[]}x", FL_E_SYNTAX, "line 1 column 28",
         "could not parse JSON: unexpected character after the document"},
        {"{\"version\":\"4\",\"alerts\":[],\"externalURL\":\"\xff\"}", FL_E_SYNTAX, "line 1 column 46",
         "could not parse JSON: text with a NUL or bytes that are not UTF-8"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct parsed p = parse(F, cases[i].body);
        assert_int_equal(p.st, cases[i].st);
        assert_string_equal(p.err.text, cases[i].text);
        assert_string_equal(p.err.where, cases[i].where);
        done(&p);
    }
    struct parsed p = parse(F, "{\"version\":\"1\",\"alerts\":[]}");
    assert_non_null(strstr(p.err.hint, "grafana"));
    done(&p);
}

static struct parsed parse_with_label(size_t name_len, size_t value_len, size_t labels)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_str(&b, "{\"version\":\"4\",\"alerts\":[{\"status\":\"firing\",\"labels\":{\"");
    for (size_t i = 0; i < name_len; i++)
        fl_buf_chr(&b, 'n');
    fl_buf_str(&b, "\":\"");
    for (size_t i = 0; i < value_len; i++)
        fl_buf_chr(&b, 'v');
    fl_buf_str(&b, "\"");
    for (size_t i = 1; i < labels; i++)
        fl_buf_printf(&b, ",\"l%zu\":\"x\"", i);
    fl_buf_str(&b, "}}," GOOD "]}");
    struct parsed p = parse_at(F, b.p, b.n, at(NOW_TEXT));
    assert_int_equal(p.st, FL_OK);
    return p;
}

static void limits_are_exact(void **state)
{
    (void)state;
    static const struct {
        size_t name, value, labels;
        const char *reason; /* NULL: accepted */
    } cases[] = {
        {FL_LABEL_NAME_MAX, FL_LABEL_VALUE_MAX, FL_LABELS_MAX, NULL},
        {FL_LABEL_NAME_MAX + 1, 1, 1, "labels: a name longer than 1024 bytes"},
        {1, FL_LABEL_VALUE_MAX + 1, 1, "labels: a value longer than 65536 bytes"},
        {1, 1, FL_LABELS_MAX + 1, "labels: more than 128 entries"},
        {1, 1, 5000, "labels: more than 128 entries"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct parsed p = parse_with_label(cases[i].name, cases[i].value, cases[i].labels);
        assert_int_equal(p.in.n_rejects, cases[i].reason ? 1 : 0);
        assert_int_equal(p.in.n_alerts, cases[i].reason ? 1 : 2);
        if (cases[i].reason) {
            assert_string_equal(p.in.rejects[0].reason, cases[i].reason);
            assert_int_equal(p.in.rejects[0].status, FL_E_LIMIT);
            assert_true(strlen(p.in.rejects[0].raw) <= FL_REJECT_RAW_MAX);
        }
        done(&p);
    }
}

static void too_many_alerts_are_refused(void **state)
{
    (void)state;
    for (size_t extra = 0; extra < 2; extra++) {
        FL_AUTO_BUF b = fl_buf_init(0);
        fl_buf_str(&b, "{\"version\":\"4\",\"alerts\":[0");
        for (size_t i = 1; i < FL_ALERTS_MAX + extra; i++)
            fl_buf_str(&b, ",0");
        fl_buf_str(&b, "]}");
        struct parsed p = parse_at(F, b.p, b.n, at(NOW_TEXT));
        assert_int_equal(p.st, extra ? FL_E_LIMIT : FL_OK);
        done(&p);
    }
}

static void deep_bodies_are_refused(void **state)
{
    (void)state;
    for (size_t depth = 126; depth <= 100000; depth += depth == 126 ? 1 : 99873) {
        FL_AUTO_BUF b = fl_buf_init(0);
        fl_buf_str(&b, "{\"version\":\"4\",\"alerts\":[],\"x\":");
        for (size_t i = 0; i < depth; i++)
            fl_buf_chr(&b, '[');
        for (size_t i = 0; i < depth; i++)
            fl_buf_chr(&b, ']');
        fl_buf_chr(&b, '}');
        struct parsed p = parse_at(F, b.p, b.n, at(NOW_TEXT));
        assert_int_equal(p.st, depth + 1 > 128 ? FL_E_LIMIT : FL_OK);
        done(&p);
    }
}

/* Every prefix of a real body fails cleanly, and an arena that runs out is no more than "no memory". */
static void every_cut_and_every_arena_limit_is_survived(void **state)
{
    (void)state;
    size_t n;
    char *body = recorded("webhook/firing-mixed-resolved.json", &n);
    for (size_t cut = 0; cut + 2 < n; cut++) {
        struct parsed p = parse_at(F, body, cut, at(NOW_TEXT));
        assert_int_not_equal(p.st, FL_OK);
        assert_true(p.err.text[0]);
        done(&p);
    }
    bool succeeded = false;
    for (size_t max = 64; max < 65536 && !succeeded; max += 64) {
        struct fl_arena *a = fl_arena_new(max);
        struct fl_intake in;
        struct fl_err err = {0};
        fl_status st = fl_intake_parse(a, F, body, n, at(NOW_TEXT), &in, &err);
        assert_true(st == FL_OK || st == FL_E_NOMEM);
        succeeded = st == FL_OK;
        fl_arena_free(a);
    }
    assert_true(succeeded);
    free(body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mixed_message_keeps_the_state_of_each_alert),
        cmocka_unit_test(every_recorded_fingerprint_is_ours),
        cmocka_unit_test(truncation_is_told),
        cmocka_unit_test(bad_elements_do_not_cost_the_good_ones),
        cmocka_unit_test(a_resolve_is_kept_whatever_its_clock_says),
        cmocka_unit_test(an_absent_start_is_guessed),
        cmocka_unit_test(repeated_keys_count_once_the_last),
        cmocka_unit_test(escapes_are_decoded_in_keys_and_values),
        cmocka_unit_test(other_bodies_are_refused_whole),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(too_many_alerts_are_refused),
        cmocka_unit_test(deep_bodies_are_refused),
        cmocka_unit_test(every_cut_and_every_arena_limit_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
