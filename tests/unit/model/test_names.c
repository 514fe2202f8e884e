/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/model/test_names.c -- names that are stored for ever, severities, effects, the ranking's JSON. */
#include <faultline/effects.h>
#include <faultline/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Written out, not looped over: a changed name breaks stored rows, so it must break this test. */
static void stored_names_do_not_change(void **state)
{
    (void)state;
    static const char *const events[] = {
        "alerts",      "alert.expired", "topology",       "change", "command", "tick",      "run.call",
        "run.outcome", "run.ended",     "engine.started", "config", "token",   "heartbeat", "alerts.bodies"};
    static const char *const runs[] = {"proposed", "running", "in_doubt", "verifying", "succeeded", "failed",
                                       "denied",   "expired", "aborted",  "diverged",  "timed_out"};
    static const char *const incidents[] = {"open", "quiet", "recovering", "resolved", "merged"};
    static const char *const calls[] = {"intent", "done", "failed", "denied", "in_doubt"};
    static const char *const statuses[] = {"firing", "resolved", "stale"};
    static const char *const classes[] = {"other",   "resource", "error",   "latency",     "network",
                                          "traffic", "log",      "missing", "availability"};
    static const char *const fx[] = {"alert", "incident",  "timeline", "ranking", "run",
                                     "call",  "topology",  "change",   "silence", "maintenance",
                                     "model", "model_use", "verdict",  "audit",   "run_start",
                                     "act",   "reply",     "stop",     "answer"};
    assert_int_equal(FL_ARRAY_LEN(events), FL_EV_N - 1);
    assert_int_equal(FL_ARRAY_LEN(runs), FL_RUN_N);
    assert_int_equal(FL_ARRAY_LEN(incidents), FL_INC_N);
    assert_int_equal(FL_ARRAY_LEN(calls), FL_CALL_N);
    assert_int_equal(FL_ARRAY_LEN(classes), FL_EC_N);
#define CHECK(type, stem, table, first)                                  \
    for (unsigned i = 0; i < FL_ARRAY_LEN(table); i++) {                 \
        type v;                                                          \
        assert_string_equal(stem##_name((type)(i + (first))), table[i]); \
        assert_true(stem##_parse(table[i], &v));                         \
        assert_int_equal(v, i + (first));                                \
        assert_false(stem##_parse("none", &v));                          \
        assert_false(stem##_parse("", &v));                              \
        assert_false(stem##_parse(NULL, &v));                            \
    }
    CHECK(fl_event_kind, fl_event_kind, events, 1)
    CHECK(fl_run_state, fl_run_state, runs, 0)
    CHECK(fl_incident_state, fl_incident_state, incidents, 0)
    CHECK(fl_call_state, fl_call_state, calls, 0)
    CHECK(fl_alert_status, fl_alert_status, statuses, 0)
    CHECK(fl_evidence_class, fl_evidence_class, classes, 0)
    CHECK(fl_fx_kind, fl_fx_kind, fx, 0)
}

static void severities_have_many_spellings(void **state)
{
    (void)state;
    assert_int_equal(fl_severity_parse("CRITICAL", FL_SEV_NONE), FL_SEV_CRITICAL);
    assert_int_equal(fl_severity_parse("page", FL_SEV_NONE), FL_SEV_CRITICAL);
    assert_int_equal(fl_severity_parse("P1", FL_SEV_NONE), FL_SEV_CRITICAL);
    assert_int_equal(fl_severity_parse("major", FL_SEV_NONE), FL_SEV_ERROR);
    assert_int_equal(fl_severity_parse("Warn", FL_SEV_NONE), FL_SEV_WARNING);
    assert_int_equal(fl_severity_parse("informational", FL_SEV_NONE), FL_SEV_INFO);
    assert_int_equal(fl_severity_parse("none", FL_SEV_ERROR), FL_SEV_NONE);
    assert_int_equal(fl_severity_parse("purple", FL_SEV_ERROR), FL_SEV_ERROR);
    assert_int_equal(fl_severity_parse(NULL, FL_SEV_INFO), FL_SEV_INFO);
    for (int s = FL_SEV_NONE; s <= FL_SEV_CRITICAL; s++)
        assert_int_equal(fl_severity_parse(fl_severity_name((fl_severity)s), FL_SEV_NONE), s);
}

static void effects_grow_and_come_zeroed(void **state)
{
    (void)state;
    struct fl_effects *fx = fl_effects_new();
    for (unsigned i = 0; i < 1000; i++) {
        struct fl_fx *x = fl_effects_add(fx, FL_FX_CALL);
        assert_non_null(x);
        assert_int_equal(x->kind, FL_FX_CALL);
        assert_int_equal(x->call.n, 0);
        assert_null(x->call.run);
        x->call.n = i;
    }
    assert_int_equal(fx->n, 1000);
    assert_int_equal(fx->v[500].call.n, 500);
    assert_null(fl_effects_free(fx));
    assert_null(fl_effects_free(NULL));
}

static void a_ranking_has_one_form(void **state)
{
    (void)state;
    const uint64_t alerts[] = {1};
    const char *const path[] = {"db", "web"};
    struct fl_contribution c[] = {{"rarity", 1.5, "seen once", alerts, 1, path, 2}};
    struct fl_candidate k[] = {{.node = "db",
                                .service = "db",
                                .type = "store",
                                .score = -0.0000001,
                                .confidence = 2.0 / 3,
                                .contributions = c,
                                .n_contributions = 1}};
    struct fl_ranking r = {
        .candidates = k, .n_candidates = 1, .convincing = true, .confidence = 2.0 / 3, .model = "m1"};
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    fl_ranking_json(&w, NULL, &r);
    assert_string_equal(
        out.p, "{\"convincing\":true,\"confidence\":0.666667,\"model\":\"m1\",\"culprit_change\":null,"
               "\"culprit_text\":null,\"candidates\":[{\"rank\":1,\"node\":\"db\",\"service\":\"db\","
               "\"type\":\"store\",\"score\":0.000000,\"confidence\":0.666667,\"contributions\":[{\"term\":"
               "\"rarity\",\"value\":1.500000,\"text\":\"seen once\",\"alerts\":[\"0000000000000001\"],"
               "\"path\":[\"db\",\"web\"]}],\"counterfactual\":null}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stored_names_do_not_change),
        cmocka_unit_test(severities_have_many_spellings),
        cmocka_unit_test(effects_grow_and_come_zeroed),
        cmocka_unit_test(a_ranking_has_one_form),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
