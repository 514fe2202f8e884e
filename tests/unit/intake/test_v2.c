/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/intake/test_v2.c -- POST /api/v2/alerts: the recorded answers byte for byte, times and leases. */
#include "intake_fixture.h"

static const fl_format F = FL_FORMAT_ALERTMANAGER_V2;

static void check_answer(const char *body, size_t n, unsigned status, const char *expected)
{
    struct parsed p = parse_at(F, body, n, at(NOW_TEXT));
    FL_AUTO_BUF out = fl_buf_init(0);
    assert_int_equal(fl_intake_v2_answer(p.st, &p.err, p.st ? NULL : &p.in, &out), status);
    assert_string_equal(out.p ? out.p : "", expected);
    done(&p);
}

static void recorded_requests_get_the_recorded_answers(void **state)
{
    (void)state;
#define BODY(text) "{\"code\":400,\"message\":\"parsing alerts body from \\\"\\\" failed, because " text "\"}"
    static const struct {
        const char *name;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"err-bad-label-name", 400, "\"invalid label set: invalid name \\\"a-b\\\"\"\n"},
        {"err-partial-bad", 400, "\"invalid label set: invalid name \\\"a-b\\\"\"\n"},
        {"err-no-labels", 400, "\"at least one label pair required\"\n"},
        {"err-ends-before-starts", 400, "\"start time must be before end time\"\n"},
        {"err-labels-missing", 422, "{\"code\":602,\"message\":\"0.labels in body is required\"}"},
        {"err-malformed-json", 400, BODY("unexpected EOF")},
        {"err-label-not-string", 400,
         BODY("json: cannot unmarshal number into Go struct field Alert.labels of type string")},
        {"err-bad-time", 400,
         BODY(
             "parsing time \\\"yesterday\\\" as \\\"2006-01-02 15:04:05\\\": cannot parse \\\"yesterday\\\" as \\\"2006\\\"")},
        {"ok-empty-array", 200, ""},
        {"ok-empty-label-value", 200, ""},
        {"ok-unknown-field", 200, ""},
        {"alert-add", 200, ""},
        {"alert-add-2", 200, ""},
        {"alert-add-us", 200, ""},
        {"prometheus-firing", 200, ""},
        {"prometheus-firing-no-annotations", 200, ""},
        {"prometheus-resolved", 200, ""},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        char name[128];
        size_t n;
        snprintf(name, sizeof name, "v2/%s.json", cases[i].name);
        char *body = recorded(name, &n);
        check_answer(body, n, cases[i].status, cases[i].answer);
        free(body);
    }
}

/* What is made of a parse for the journal's time is what a parse at that time gives; where that cannot be told, nothing. */
static void a_parse_settles_for_a_later_time(void **state)
{
    (void)state;
    static const struct {
        const char *body; /* received at 10:00:00 */
        const char *later;
        bool settles;
    } cases[] = {
        {"[{\"labels\":{\"a\":\"b\"}}]", "2026-11-23T10:00:01Z", true},
        {"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\",\"endsAt\":\"0001-01-01T00:00:00Z\"}]",
         "2026-11-23T10:00:01Z", true},
        {"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\",\"endsAt\":\"2026-11-23T10:05:00Z\"}]",
         "2026-11-23T10:00:01Z", true},
        {"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\",\"endsAt\":\"2026-11-23T09:05:00Z\"}]",
         "2026-11-23T10:00:01Z", true},
        {"[{\"labels\":{\"a\":\"b\"},\"endsAt\":\"2026-11-23T10:05:00Z\"}]", "2026-11-23T10:00:01Z", true},
        /* it ends in between */
        {"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\",\"endsAt\":\"2026-11-23T10:00:01Z\"}]",
         "2026-11-23T10:00:01Z", false},
        /* the start was taken from the end */
        {"[{\"labels\":{\"a\":\"b\"},\"endsAt\":\"2026-11-23T09:05:00Z\"}]", "2026-11-23T10:00:01Z", false},
        {"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\",\"endsAt\":\"2026-11-23T10:00:00Z\"}]",
         "2026-11-23T10:00:01Z", false},
        /* more than a year ahead: a moment later it is not */
        {"[{\"labels\":{\"a\":\"b\"}},{\"labels\":{\"a\":\"c\"},\"startsAt\":\"2027-11-24T10:00:00.5Z\"}]",
         "2026-11-23T10:00:01Z", false},
        {"[{\"labels\":{\"a\":\"b\"},\"startsAt\":\"2026-11-23T09:00:00Z\",\"endsAt\":\"2029-11-23T09:00:00Z\"}]",
         "2026-11-23T10:00:01Z", false},
        /* a clock that went back */
        {"[{\"labels\":{\"a\":\"b\"}}]", "2026-11-23T09:59:59Z", false},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].body);
        fl_usec then = at(NOW_TEXT), later = at(cases[i].later);
        struct parsed p = parse_at(F, cases[i].body, n, then), q = parse_at(F, cases[i].body, n, later);
        fl_usec before = p.in.alerts[0].received_at;
        assert_int_equal(fl_intake_settle(&p.in, F, then, later), cases[i].settles);
        if (cases[i].settles) {
            const struct fl_alert *a = &p.in.alerts[0], *b = &q.in.alerts[0];
            assert_true(a->starts_at == b->starts_at && a->ends_at == b->ends_at && a->status == b->status);
            assert_true(a->lease_until == b->lease_until && a->received_at == later);
        } else {
            assert_int_equal(p.in.alerts[0].received_at, before);
        }
        done(&p);
        done(&q);
    }
    struct parsed p = parse_at(F, cases[0].body, strlen(cases[0].body), at(NOW_TEXT));
    assert_false(fl_intake_settle(&p.in, FL_FORMAT_GRAFANA, at(NOW_TEXT), at(cases[0].later)));
    done(&p);
}

static void other_bodies_get_answers_of_the_same_kind(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        unsigned status;
        const char *answer;
    } cases[] = {
        {"{}", 400, BODY("json: cannot unmarshal object into Go value of type models.PostableAlerts")},
        {"null", 422, "{\"code\":602,\"message\":\"alerts in body is required\"}"},
        {"[7]", 400, BODY("json: cannot unmarshal number into Go value of type models.PostableAlert")},
        {"[{\"labels\":{\"a\":\"b\"}},null]", 422, "{\"code\":602,\"message\":\"1 in body is required\"}"},
        {"[{\"labels\":{\"\":\"x\"}},{\"labels\":{}}]", 400,
         "\"invalid label set: invalid name \\\"\\\"; at least one label pair required\"\n"},
        {"[{\"labels\":{\"a\":\"b\"},\"annotations\":{\"x-y\":\"b\"}}]", 400,
         "\"invalid annotations: invalid name \\\"x-y\\\"\"\n"},
        {"[{\"labels\":{\"a\":\"\\u0000\"}}]", 400, BODY("text with a NUL or bytes that are not UTF-8")},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++)
        check_answer(cases[i].body, strlen(cases[i].body), cases[i].status, cases[i].answer);
}

static void the_good_half_is_kept(void **state)
{
    (void)state;
    struct parsed p = parse(
        F, "[{\"labels\":{\"a\":\"1\"}},{\"labels\":{\"a-b\":\"x\"}},{\"labels\":{\"a\":\"2\"}}]");
    assert_int_equal(p.in.n_alerts, 2);
    assert_int_equal(p.in.n_rejects, 1);
    assert_string_equal(p.in.rejects[0].where, "[1].labels");
    assert_string_equal(p.in.rejects[0].raw, "{\"labels\":{\"a-b\":\"x\"}}");
    done(&p);
}

static void times_make_state_and_lease(void **state)
{
    (void)state;
    static const struct {
        const char *starts, *ends; /* "" = absent */
        fl_alert_status status;
        bool guessed;
        const char *starts_at, *ends_at, *lease; /* "" = 0 */
    } cases[] = {
        {"", "", FL_ALERT_FIRING, true, NOW_TEXT, "", "2026-11-23T10:05:00Z"},
        {"0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00.000Z", FL_ALERT_FIRING, true, NOW_TEXT, "",
         "2026-11-23T10:05:00Z"},
        {"2026-11-23T09:00:00Z", "", FL_ALERT_FIRING, false, "2026-11-23T09:00:00Z", "",
         "2026-11-23T10:05:00Z"},
        {"2026-11-23T09:00:00Z", "2026-11-23T10:04:00Z", FL_ALERT_FIRING, false, "2026-11-23T09:00:00Z", "",
         "2026-11-23T10:04:00Z"},
        {"2026-11-23T09:00:00Z", "2026-11-23T10:00:00Z", FL_ALERT_RESOLVED, false, "2026-11-23T09:00:00Z",
         "2026-11-23T10:00:00Z", ""},
        {"", "2026-11-23T08:00:00Z", FL_ALERT_RESOLVED, true, "2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z",
         ""},
        /* Alertmanager 0.25 would start this one in the future: not copied. */
        {"", "2026-11-23T12:00:00Z", FL_ALERT_FIRING, true, NOW_TEXT, "", "2026-11-23T12:00:00Z"},
        {"2026-11-23T09:00:00Z", "9999-01-01T00:00:00Z", FL_ALERT_FIRING, false, "2026-11-23T09:00:00Z", "",
         "2027-11-24T10:00:00Z"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        char body[512];
        int n = snprintf(body, sizeof body, "[{\"labels\":{\"a\":\"b\"}");
        if (*cases[i].starts)
            n += snprintf(body + n, sizeof body - (size_t)n, ",\"startsAt\":\"%s\"", cases[i].starts);
        if (*cases[i].ends)
            n += snprintf(body + n, sizeof body - (size_t)n, ",\"endsAt\":\"%s\"", cases[i].ends);
        snprintf(body + n, sizeof body - (size_t)n, "}]");
        struct parsed p = parse(F, body);
        assert_int_equal(p.st, FL_OK);
        assert_int_equal(p.in.n_alerts, 1);
        const struct fl_alert *a = p.in.alerts;
        assert_int_equal(a->status, cases[i].status);
        assert_int_equal(a->starts_guessed, cases[i].guessed);
        assert_true(a->starts_at == at(cases[i].starts_at));
        assert_true(a->ends_at == (*cases[i].ends_at ? at(cases[i].ends_at) : 0));
        assert_true(a->lease_until == (*cases[i].lease ? at(cases[i].lease) : 0));
        done(&p);
    }
}

static void a_webhook_status_means_nothing_here(void **state)
{
    (void)state;
    struct parsed p = parse(
        F,
        "[{\"labels\":{\"a\":\"b\"},\"status\":{\"state\":\"active\"},\"fingerprint\":\"1\",\"receivers\":[]}]");
    assert_int_equal(p.in.n_alerts, 1);
    assert_int_equal(p.in.alerts[0].status, FL_ALERT_FIRING);
    done(&p);
}

/* The engine's own alert can be neither raised nor ended from outside, in any format; near misses are ordinary alerts. */
static void the_engines_alert_is_nobody_elses(void **state)
{
    (void)state;
#define LABELS(name, more) "\"labels\":{\"alertname\":\"" name "\"" more "}"
    struct parsed p = parse(
        F,
        "[{" LABELS("SenderSilent",
                    ",\"heartbeat\":\"prom\"") ",\"endsAt\":\"2026-01-01T00:00:00Z\"},"
                                               "{" LABELS("SenderSilent", ",\"heartbeat\":\"\"") "},{" LABELS(
                                                   "SenderSilent",
                                                   "") "},"
                                                       "{" LABELS("Silent", ",\"heartbeat\":\"prom\"") "}]");
    assert_int_equal(p.st, FL_OK);
    assert_int_equal(p.in.n_alerts, 3);
    assert_int_equal(p.in.n_rejects, 1);
    assert_int_equal(p.in.rejects[0].index, 0);
    assert_non_null(strstr(p.in.rejects[0].reason, "heartbeat=\"prom\" is an alert of the engine"));
    FL_AUTO_BUF out = fl_buf_init(0);
    assert_int_equal(fl_intake_v2_answer(p.st, &p.err, &p.in, &out), 400);
    done(&p);
    struct parsed hook = parse(
        FL_FORMAT_ALERTMANAGER,
        "{\"version\":\"4\",\"groupKey\":\"g\",\"status\":\"resolved\",\"receiver\":\"r\",\"alerts\":[{"
        "\"status\":\"resolved\"," LABELS("SenderSilent", ",\"heartbeat\":\"prom\"") "}]}");
    assert_int_equal(hook.in.n_alerts, 0);
    assert_int_equal(hook.in.n_rejects, 1);
    done(&hook);
    struct parsed form = parse(FL_FORMAT_GRAFANA,
                               "{\"version\":\"1\",\"status\":\"firing\",\"alerts\":[{"
                               "\"status\":\"firing\"," LABELS("SenderSilent", ",\"heartbeat\":\"x\"") "}]}");
    assert_int_equal(form.in.n_alerts, 0);
    assert_int_equal(form.in.n_rejects, 1);
    done(&form);
}

static void names_of_formats(void **state)
{
    (void)state;
    fl_format f;
    assert_true(fl_format_parse("alertmanager-v2", &f) && f == F);
    assert_string_equal(fl_format_name(FL_FORMAT_ALERTMANAGER), "alertmanager");
    assert_false(fl_format_parse("graphite", &f));
    assert_false(fl_format_parse(NULL, &f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recorded_requests_get_the_recorded_answers),
        cmocka_unit_test(a_parse_settles_for_a_later_time),
        cmocka_unit_test(other_bodies_get_answers_of_the_same_kind),
        cmocka_unit_test(the_good_half_is_kept),
        cmocka_unit_test(times_make_state_and_lease),
        cmocka_unit_test(a_webhook_status_means_nothing_here),
        cmocka_unit_test(the_engines_alert_is_nobody_elses),
        cmocka_unit_test(names_of_formats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
