/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs: approval, intent before act, in doubt after a restart, brakes, verification, divergence, snapshots. */
#include <faultline/json.h>
#include <faultline/respond.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC)
#define RUN1 "RUN-2026-000001"

static const char rules_text[] =
    "{\"bindings\":[{\"name\":\"restart stores\",\"playbook\":\"restart\",\"cause_types\":[\"store\"],"
    "\"min_confidence\":0.5,\"approval\":\"required\",\"params\":{\"url\":\"{node:control}\",\"of\":\"{cause}\"}},"
    "{\"name\":\"look\",\"playbook\":\"look\",\"approval\":\"none\",\"min_confidence\":0.5}]}";

struct world {
    struct fl_rules *rules;
    struct fl_resp *r;
    struct fl_effects *fx;
    struct fl_step step;
    struct fl_resp_view view;
    struct fl_labels node_labels;
    size_t firing;
    char notes[32768];
};

static void note(struct fl_step *s, const struct fl_note *n)
{
    struct world *w = s->ctx;
    size_t at = strlen(w->notes);
    snprintf(w->notes + at, sizeof w->notes - at, "%s %s: %s\n", n->action, n->subject, n->text);
}

static void begin(struct world *w, fl_usec at)
{
    w->fx = fl_effects_free(w->fx);
    w->fx = fl_effects_new();
    assert_non_null(w->fx);
    w->step.at = at;
    w->step.seq++;
    w->step.actor = "ann";
    w->step.rules = w->rules;
    w->step.fx = w->fx;
    w->step.note = note;
    w->step.ctx = w;
    w->notes[0] = 0;
}

static void each_alert(void *ctx, bool (*visit)(void *vctx, const struct fl_labels *l, const char *node),
                       void *vctx)
{
    (void)ctx;
    static const struct fl_label l[] = {{"alertname", "Down"}};
    static const struct fl_labels labels = {l, 1};
    visit(vctx, &labels, "db");
}

static size_t firing_on(void *ctx, const char *incident, const char *node)
{
    (void)incident;
    (void)node;
    return ((struct world *)ctx)->firing;
}

static void install(struct world *w, const char *source)
{
    struct fl_playbook_def v[] = {
        {.meta = {.name = "restart",
                  .version = "1",
                  .doc = "",
                  .approval = "required",
                  .timeout = 60 * SEC,
                  .disruptive = true,
                  .verify = "alerts_clear",
                  .verify_within = 30 * SEC,
                  .meta_json = "{}"},
         .source = source},
        {.meta = {.name = "look",
                  .version = "1",
                  .doc = "",
                  .approval = "none",
                  .timeout = 60 * SEC,
                  .meta_json = "{}"},
         .source = "look"},
    };
    for (size_t i = 0; i < 2; i++)
        fl_sha256(v[i].source, strlen(v[i].source), &v[i].meta.hash);
    fl_resp_playbooks(w->r, v, 2);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    if (fl_rules_from_json(rules_text, strlen(rules_text), &w->rules, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    w->r = fl_resp_new();
    install(w, "restart v1");
    static const struct fl_label control[] = {{"control", "http://127.0.0.1:1/restart"}};
    w->node_labels = (struct fl_labels){control, 1};
    w->view = (struct fl_resp_view){.incident = "INC-2026-000001",
                                    .active = true,
                                    .convincing = true,
                                    .cause = "db",
                                    .cause_type = "store",
                                    .cause_service = "db",
                                    .cause_labels = &w->node_labels,
                                    .confidence = 0.9,
                                    .incident_json = "{\"id\":\"INC-2026-000001\"}",
                                    .cause_json = "{}",
                                    .services_known = 10,
                                    .services_alerting = 2,
                                    .each_alert = each_alert,
                                    .firing_on = firing_on,
                                    .ctx = w};
    w->firing = 1;
    begin(w, T0);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fl_resp_free(w->r);
    fl_rules_free(w->rules);
    fl_effects_free(w->fx);
    free(w);
    return 0;
}

static const struct fl_fx *order(const struct world *w, fl_fx_kind kind)
{
    for (size_t i = 0; i < w->fx->n; i++)
        if (w->fx->v[i].kind == kind)
            return &w->fx->v[i];
    return NULL;
}

static fl_run_state state_of(struct world *w, const char *id)
{
    const struct fl_run *run = fl_resp_find(w->r, id);
    assert_non_null(run);
    return run->state;
}

typedef void (*reporter)(struct fl_resp *, struct fl_step *, const struct fl_json *);
static void report(struct world *w, fl_usec at, reporter f, const char *fmt, ...) FL_PRINTF(4, 5);
static void report(struct world *w, fl_usec at, reporter f, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    struct fl_err err = {0};
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), &err);
    if (!v)
        fail_msg("%s", err.text);
    begin(w, at);
    f(w->r, &w->step, v);
}

static void approve(struct world *w, fl_usec at)
{
    struct fl_err err = {0};
    begin(w, at);
    if (fl_resp_approve(w->r, &w->step, &w->view, RUN1, false, &err) != FL_OK)
        fail_msg("%s", err.text);
}

static void post(struct world *w, fl_usec at, unsigned n)
{
    report(w, at, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":%u,\"fn\":\"http\",\"args\":{\"method\":\"POST\",\"url\":\"u\"}}", n);
}

static void test_every_pair_has_one_row(void **state)
{
    (void)state;
    int s, e;
    assert_true(fl_fsm_check(fl_run_fsm(), &s, &e));
}

static void test_proposal_waits_then_runs_verifies(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    assert_int_equal(state_of(w, RUN1), FL_RUN_PROPOSED);
    /* the second binding needs no approval: it started */
    assert_int_equal(state_of(w, "RUN-2026-000002"), FL_RUN_RUNNING);
    begin(w, T0 + SEC);
    fl_resp_consider(w->r, &w->step, &w->view); /* once per incident and playbook */
    assert_null(fl_resp_find(w->r, "RUN-2026-000003"));
    report(w, T0 + SEC, fl_resp_ended, "{\"run\":\"RUN-2026-000002\",\"ending\":\"ok\"}");
    assert_int_equal(state_of(w, "RUN-2026-000002"), FL_RUN_SUCCEEDED);

    approve(w, T0 + 2 * SEC);
    const struct fl_fx *start = order(w, FL_FX_RUN_START);
    assert_non_null(start);
    assert_non_null(strstr(start->start.ctx, "\"url\":\"http://127.0.0.1:1/restart\""));
    assert_int_equal(start->start.n_calls, 0);

    post(w, T0 + 3 * SEC, 1);
    const struct fl_fx *act = order(w, FL_FX_ACT);
    assert_non_null(act);
    assert_string_equal(act->act.idempotency_key, RUN1 "-1");
    assert_non_null(order(w, FL_FX_CALL));
    assert_non_null(strstr(w->notes, "call.intended"));
    report(w, T0 + 4 * SEC, fl_resp_outcome,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"ok\":true,\"result\":{\"status\":200}}");
    assert_int_equal(order(w, FL_FX_REPLY)->reply.state, FL_CALL_DONE);
    report(w, T0 + 5 * SEC, fl_resp_ended, "{\"run\":\"" RUN1 "\",\"ending\":\"ok\",\"result\":{}}");
    assert_int_equal(state_of(w, RUN1), FL_RUN_VERIFYING);
    begin(w, T0 + 6 * SEC);
    fl_resp_verify(w->r, &w->step, firing_on, w);
    assert_int_equal(state_of(w, RUN1), FL_RUN_VERIFYING);
    w->firing = 0;
    fl_resp_incident_changed(w->r, "INC-2026-000001");
    fl_resp_verify(w->r, &w->step, firing_on, w);
    assert_int_equal(state_of(w, RUN1), FL_RUN_SUCCEEDED);
}

static void test_binding_needs_its_node_label(void **state)
{
    struct world *w = *state;
    w->view.cause_labels = NULL; /* no control URL: nothing to restart with */
    fl_resp_consider(w->r, &w->step, &w->view);
    assert_string_equal(fl_resp_find(w->r, RUN1)->playbook, "look");
    w->view.convincing = false;
    begin(w, T0);
    fl_resp_consider(w->r, &w->step, &w->view);
    assert_null(fl_resp_find(w->r, "RUN-2026-000002"));
}

static void test_verification_runs_out(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0);
    report(w, T0 + SEC, fl_resp_ended, "{\"run\":\"" RUN1 "\",\"ending\":\"ok\"}");
    assert_int_equal(fl_resp_deadline(w->r), T0 + 31 * SEC);
    begin(w, T0 + 31 * SEC);
    fl_resp_tick(w->r, &w->step);
    assert_int_equal(state_of(w, RUN1), FL_RUN_FAILED);
}

static void test_approval_expires_and_deny(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    begin(w, T0 + w->rules->guards.approval_ttl);
    fl_resp_tick(w->r, &w->step);
    assert_int_equal(state_of(w, RUN1), FL_RUN_EXPIRED);
    struct fl_err err = {0};
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, RUN1, false, &err), FL_E_CONFLICT);
    fl_err_clear(&err);
    assert_int_equal(fl_resp_deny(w->r, &w->step, RUN1, NULL, &err), FL_E_CONFLICT);
    fl_err_clear(&err);
    assert_int_equal(fl_resp_deny(w->r, &w->step, "RUN-x", NULL, &err), FL_E_NOTFOUND);
}

static void test_nobody_approves_their_own_request(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    char id[FL_ID_LEN];
    assert_int_equal(fl_resp_request(w->r, &w->step, &w->view, "restart", "{\"url\":\"x\"}", id, &err),
                     FL_OK);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, id, false, &err), FL_E_DENIED);
    fl_err_clear(&err);
    w->step.actor = "bob";
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, id, false, &err), FL_OK);
    assert_int_equal(fl_resp_request(w->r, &w->step, &w->view, "rm -rf", NULL, id, &err), FL_E_NOTFOUND);
}

/* The heart of it: what may have happened is never done again blindly. */
static void test_restart_puts_a_released_call_in_doubt(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    post(w, T0 + 2 * SEC, 1);
    uint64_t released = w->step.seq;
    begin(w, T0 + 10 * SEC);
    fl_resp_engine_started(w->r, &w->step, released);
    assert_null(order(w, FL_FX_ACT));
    const struct fl_fx *start = order(w, FL_FX_RUN_START);
    assert_int_equal(start->start.n_calls, 1);
    assert_int_equal(start->start.calls[0].state, FL_CALL_IN_DOUBT);
    /* the step has no check: the worker asks, a person settles */
    report(w, T0 + 11 * SEC, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":2,\"fn\":\"settle\",\"args\":{\"verdict\":\"ask\"}}");
    assert_int_equal(state_of(w, RUN1), FL_RUN_IN_DOUBT);
    begin(w, T0 + 500 * SEC);
    fl_resp_tick(w->r, &w->step);
    assert_int_equal(state_of(w, RUN1), FL_RUN_IN_DOUBT); /* the clock stands */
    struct fl_err err = {0};
    assert_int_equal(fl_resp_settle(w->r, &w->step, RUN1, "perhaps", NULL, &err), FL_E_SHAPE);
    fl_err_clear(&err);
    begin(w, T0 + 501 * SEC);
    assert_int_equal(fl_resp_settle(w->r, &w->step, RUN1, "done", "{\"status\":200}", &err), FL_OK);
    assert_int_equal(state_of(w, RUN1), FL_RUN_RUNNING);
    assert_string_equal(order(w, FL_FX_REPLY)->reply.result,
                        "{\"verdict\":\"done\",\"result\":{\"status\":200}}");
    begin(w, T0 + 520 * SEC);
    fl_resp_tick(w->r, &w->step);
    assert_int_equal(state_of(w, RUN1), FL_RUN_RUNNING); /* its deadline moved along */
}

static void test_restart_orders_what_was_never_released(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    post(w, T0 + 2 * SEC, 1);
    uint64_t intent = w->step.seq;
    begin(w, T0 + 10 * SEC);
    fl_resp_engine_started(w->r, &w->step, intent - 1);
    assert_non_null(order(w, FL_FX_ACT));
    assert_int_equal(state_of(w, RUN1), FL_RUN_RUNNING);
    /* started again before that order's step was committed: still never released */
    uint64_t second = w->step.seq;
    begin(w, T0 + 11 * SEC);
    fl_resp_engine_started(w->r, &w->step, second - 1);
    assert_non_null(order(w, FL_FX_ACT));
    /* after it was committed it may have acted */
    uint64_t third = w->step.seq;
    begin(w, T0 + 12 * SEC);
    fl_resp_engine_started(w->r, &w->step, third);
    assert_null(order(w, FL_FX_ACT));
}

static void test_idempotent_calls_are_repeated(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    report(w, T0 + 2 * SEC, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"fn\":\"http\",\"args\":{\"method\":\"GET\",\"url\":\"u\"}}");
    begin(w, T0 + 3 * SEC);
    fl_resp_engine_started(w->r, &w->step, w->step.seq);
    assert_non_null(order(w, FL_FX_ACT));
    report(w, T0 + 4 * SEC, fl_resp_outcome,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"ok\":false,\"unknown\":true,\"error\":\"cut\"}");
    assert_non_null(order(w, FL_FX_ACT));
    report(w, T0 + 5 * SEC, fl_resp_outcome,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"ok\":false,\"unknown\":true,\"error\":\"cut\"}");
    assert_null(order(w, FL_FX_ACT)); /* not for ever */
    assert_int_equal(order(w, FL_FX_REPLY)->reply.state, FL_CALL_FAILED);
}

static void test_unknown_outcome_is_in_doubt(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    post(w, T0 + 2 * SEC, 1);
    report(w, T0 + 3 * SEC, fl_resp_outcome,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"ok\":false,\"unknown\":true,\"error\":\"cut\"}");
    assert_int_equal(order(w, FL_FX_REPLY)->reply.state, FL_CALL_IN_DOUBT);
    assert_null(order(w, FL_FX_ACT));
    /* a second outcome for the same call is ignored */
    report(w, T0 + 4 * SEC, fl_resp_outcome, "{\"run\":\"" RUN1 "\",\"n\":1,\"ok\":true,\"result\":1}");
    assert_null(order(w, FL_FX_REPLY));
    assert_non_null(strstr(w->notes, "call.ignored"));
}

static void test_divergence_is_detected(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    post(w, T0 + 2 * SEC, 1);
    report(w, T0 + 3 * SEC, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"fn\":\"http\",\"args\":{\"method\":\"POST\",\"url\":\"other\"}}");
    assert_int_equal(state_of(w, RUN1), FL_RUN_DIVERGED);
    assert_non_null(order(w, FL_FX_STOP));
}

static void test_changed_playbook_is_detected(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    install(w, "restart v2");
    begin(w, T0 + 2 * SEC);
    fl_resp_engine_started(w->r, &w->step, w->step.seq);
    assert_int_equal(state_of(w, RUN1), FL_RUN_DIVERGED);
    /* the other run, whose text is the same, resumes */
    assert_string_equal(order(w, FL_FX_RUN_START)->start.run, "RUN-2026-000002");
}

static void test_a_run_that_never_gets_on_is_given_up(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    for (unsigned i = 0; i < FL_RECOVERIES_MAX; i++) {
        begin(w, T0 + SEC);
        fl_resp_engine_started(w->r, &w->step, w->step.seq);
        assert_int_equal(state_of(w, RUN1), FL_RUN_RUNNING);
    }
    begin(w, T0 + SEC);
    fl_resp_engine_started(w->r, &w->step, w->step.seq);
    assert_int_equal(state_of(w, RUN1), FL_RUN_FAILED);
}

static void test_waiting_is_not_given_up(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0 + SEC);
    report(w, T0 + SEC, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"fn\":\"sleep\",\"args\":{\"seconds\":50}}");
    for (unsigned i = 0; i < 2 * FL_RECOVERIES_MAX; i++) {
        begin(w, T0 + 2 * SEC);
        fl_resp_engine_started(w->r, &w->step, w->step.seq);
        assert_int_equal(state_of(w, RUN1), FL_RUN_RUNNING);
    }
    begin(w, T0 + 52 * SEC);
    fl_resp_tick(w->r, &w->step);
    report(w, T0 + 53 * SEC, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":2,\"fn\":\"settle\",\"args\":{\"verdict\":\"ask\",\"call\":1}}");
    for (unsigned i = 0; i < 2 * FL_RECOVERIES_MAX; i++) {
        begin(w, T0 + 54 * SEC);
        fl_resp_engine_started(w->r, &w->step, w->step.seq);
        assert_int_equal(state_of(w, RUN1), FL_RUN_IN_DOUBT);
    }
}

static void test_sleep_survives_and_wakes(void **state)
{
    struct world *w = *state;
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0);
    report(w, T0 + SEC, fl_resp_call,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"fn\":\"sleep\",\"args\":{\"seconds\":5}}");
    assert_null(order(w, FL_FX_REPLY));
    assert_int_equal(fl_resp_deadline(w->r), T0 + 6 * SEC);
    begin(w, T0 + 2 * SEC);
    fl_resp_engine_started(w->r, &w->step, w->step.seq);
    begin(w, T0 + 6 * SEC);
    fl_resp_tick(w->r, &w->step);
    assert_int_equal(order(w, FL_FX_REPLY)->reply.n, 1);
}

static void test_timeout_abort_halt(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0);
    begin(w, T0 + SEC);
    assert_int_equal(fl_resp_halt(w->r, &w->step, true, NULL, "storm", &err), FL_OK);
    assert_int_equal(fl_resp_halt(w->r, &w->step, true, NULL, "storm", &err), FL_E_CONFLICT);
    post(w, T0 + 2 * SEC, 1); /* the kill switch is looked up before each act */
    assert_null(order(w, FL_FX_ACT));
    assert_int_equal(order(w, FL_FX_REPLY)->reply.state, FL_CALL_DENIED);
    begin(w, T0 + 60 * SEC);
    fl_resp_tick(w->r, &w->step);
    assert_int_equal(state_of(w, RUN1), FL_RUN_TIMED_OUT);
    assert_non_null(order(w, FL_FX_STOP));
    fl_err_clear(&err);
    assert_int_equal(fl_resp_abort(w->r, &w->step, RUN1, NULL, &err), FL_E_CONFLICT);
}

static void test_brakes(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0);
    report(w, T0 + SEC, fl_resp_ended, "{\"run\":\"" RUN1 "\",\"ending\":\"error\",\"error\":\"x\"}");
    /* same target within the cooldown: refused, and a person may override */
    w->view.incident = "INC-2026-000002";
    begin(w, T0 + 60 * SEC);
    fl_resp_consider(w->r, &w->step, &w->view);
    const char *second = "RUN-2026-000003";
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, second, false, &err), FL_E_CONFLICT);
    assert_non_null(strstr(err.text, "cools down"));
    fl_err_clear(&err);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, second, true, &err), FL_OK);
    /* one run per target at a time, override or not */
    w->view.incident = "INC-2026-000003";
    begin(w, T0 + 61 * SEC);
    fl_resp_consider(w->r, &w->step, &w->view);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, "RUN-2026-000005", true, &err), FL_E_CONFLICT);
    assert_non_null(strstr(err.text, "is running on db already"));
    /* three failures in a row: the breaker opens, and closes by hand */
    report(w, T0 + 62 * SEC, fl_resp_ended, "{\"run\":\"RUN-2026-000003\",\"ending\":\"error\"}");
    fl_err_clear(&err);
    begin(w, T0 + 63 * SEC);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, "RUN-2026-000005", true, &err), FL_OK);
    report(w, T0 + 64 * SEC, fl_resp_ended, "{\"run\":\"RUN-2026-000005\",\"ending\":\"error\"}");
    assert_non_null(strstr(w->notes, "guard.tripped"));
    w->view.incident = "INC-2026-000004";
    begin(w, T0 + 65 * SEC);
    fl_resp_consider(w->r, &w->step, &w->view);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, "RUN-2026-000007", true, &err), FL_E_CONFLICT);
    assert_non_null(strstr(err.text, "failed 3 times in a row"));
    fl_err_clear(&err);
    assert_int_equal(fl_resp_halt(w->r, &w->step, false, "restart", NULL, &err), FL_OK);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, "RUN-2026-000007", true, &err), FL_OK);
}

static const char *keep_off(void *ctx, struct fl_step *s, const char *component)
{
    (void)ctx;
    (void)s;
    return fl_streq(component, "db") ? "Down on db is flapping" : NULL;
}

static void test_what_flaps_is_left_to_people(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    w->view.keep_off = keep_off;
    fl_resp_consider(w->r, &w->step, &w->view);
    /* nothing starts by itself, not even what needs no approval */
    assert_null(order(w, FL_FX_RUN_START));
    assert_non_null(strstr(w->notes, "look may not start by itself: Down on db is flapping"));
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, RUN1, false, &err), FL_E_CONFLICT);
    assert_non_null(strstr(err.text, "Down on db is flapping"));
    fl_err_clear(&err);
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, RUN1, true, &err), FL_OK);
    assert_non_null(order(w, FL_FX_RUN_START));
}

static void test_incident_over_refuses(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    fl_resp_consider(w->r, &w->step, &w->view);
    w->view.active = false;
    assert_int_equal(fl_resp_approve(w->r, &w->step, &w->view, RUN1, false, &err), FL_E_CONFLICT);
    assert_non_null(strstr(err.text, "the incident is over"));
}

static char *text_of(const struct fl_resp *r)
{
    struct fl_buf b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_resp_write(r, &w, NULL);
    return fl_buf_take(&b, NULL);
}

static void test_snapshot_round_trip(void **state)
{
    struct world *w = *state;
    struct fl_err err = {0};
    fl_resp_consider(w->r, &w->step, &w->view);
    approve(w, T0);
    post(w, T0 + SEC, 1);
    char *before = text_of(w->r);
    FL_AUTO_JSON v = fl_json_parse(before, strlen(before), &err);
    struct fl_resp *r2 = fl_resp_new();
    assert_int_equal(fl_resp_read(r2, v, &err), FL_OK);
    char *after = text_of(r2);
    assert_string_equal(before, after);
    free(before);
    free(after);
    fl_resp_free(w->r);
    w->r = r2;
    install(w, "restart v1");
    report(w, T0 + 2 * SEC, fl_resp_outcome,
           "{\"run\":\"" RUN1 "\",\"n\":1,\"ok\":true,\"result\":{\"status\":200}}");
    assert_int_equal(order(w, FL_FX_REPLY)->reply.state, FL_CALL_DONE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_pair_has_one_row),
        T(test_proposal_waits_then_runs_verifies),
        T(test_binding_needs_its_node_label),
        T(test_verification_runs_out),
        T(test_approval_expires_and_deny),
        T(test_nobody_approves_their_own_request),
        T(test_restart_puts_a_released_call_in_doubt),
        T(test_restart_orders_what_was_never_released),
        T(test_idempotent_calls_are_repeated),
        T(test_unknown_outcome_is_in_doubt),
        T(test_divergence_is_detected),
        T(test_changed_playbook_is_detected),
        T(test_a_run_that_never_gets_on_is_given_up),
        T(test_waiting_is_not_given_up),
        T(test_sleep_survives_and_wakes),
        T(test_timeout_abort_halt),
        T(test_brakes),
        T(test_what_flaps_is_left_to_people),
        T(test_incident_over_refuses),
        T(test_snapshot_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
