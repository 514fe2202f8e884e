/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Commands become events and are answered by the core; reads come from the projections. */
#include "fake_store.h"
#include "raw.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct fl_http *h;
static int port;
static const char *token;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    token = fake_token("op", FL_ROLE_ADMIN, 0, 0);
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

static int post(const char *path, const char *body)
{
    return raw_request(port, "POST", path, token, body);
}

static void bodies(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/incidents/INC-2026-000001/ack", NULL), 200);
    assert_string_equal(fake_body(), "{\"op\":\"incident.ack\",\"incident\":\"INC-2026-000001\"}");
    assert_string_equal(fake_actor(), "op");
    assert_int_equal(fake_kind(), FL_EV_COMMAND);
    /* The body cannot say another op or another incident. */
    assert_int_equal(post("/api/v1/incidents/INC-1/comment",
                          "{\"text\":\"hi\",\"op\":\"incident.resolve\",\"incident\":\"INC-2\"}"),
                     200);
    assert_string_equal(fake_body(), "{\"op\":\"incident.comment\",\"incident\":\"INC-1\",\"text\":\"hi\"}");
    assert_int_equal(post("/api/v1/runs/RUN-1/approve", "{\"override\":true}"), 200);
    assert_string_equal(fake_body(), "{\"op\":\"run.approve\",\"run\":\"RUN-1\",\"override\":true}");
    assert_int_equal(post("/api/v1/runs", "{\"playbook\":\"p\",\"incident\":\"I\",\"params\":{\"a\":1}}"),
                     200);
    assert_string_equal(
        fake_body(), "{\"op\":\"run.request\",\"playbook\":\"p\",\"incident\":\"I\",\"params\":{\"a\":1}}");
    assert_int_equal(post("/api/v1/automation/halt", "{\"reason\":\"x\"}"), 200);
    assert_string_equal(fake_body(), "{\"op\":\"automation.halt\",\"reason\":\"x\"}");
}

static void answers(void **state)
{
    (void)state;
    static const struct {
        fl_status st;
        int code;
    } map[] = {{FL_OK, 200},         {FL_E_SHAPE, 400},    {FL_E_DENIED, 403},
               {FL_E_NOTFOUND, 404}, {FL_E_CONFLICT, 409}, {FL_E_UNAVAILABLE, 503}};
    for (size_t i = 0; i < FL_ARRAY_LEN(map); i++) {
        fake.answer = map[i].st;
        fake.answer_json = "{\"said\":1}";
        assert_int_equal(post("/api/v1/incidents/INC-1/ack", NULL), map[i].code);
        assert_string_equal(raw_body(), "{\"said\":1}");
    }
    fake.answer = FL_OK;
    fake.answer_json = NULL;
    assert_int_equal(post("/api/v1/incidents/INC-1/ack", NULL), 200);
    assert_string_equal(raw_body(), "{}");
    fake.commit = FL_E_UNAVAILABLE;
    assert_int_equal(post("/api/v1/incidents/INC-1/ack", NULL), 503);
}

static void nonsense_reaches_no_journal(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/incidents/INC-1/ack", "[1]"), 400);
    assert_int_equal(post("/api/v1/incidents/INC-1/ack", "{"), 400);
    assert_int_equal(post("/api/v1/incidents/INC-1/ack", "{\"a\":1,\"a\":2}"), 400);
    assert_int_equal(post("/api/v1/incidents/INC%201%22/ack", NULL), 404);
    assert_int_equal(raw_request(port, "PUT", "/api/v1/topology", token, "{\"nodes\":[{\"id\":7}]}"), 400);
    assert_non_null(strstr(raw_body(), "\"field\":\"nodes[0]"));
    assert_int_equal(post("/api/v1/changes", "{\"component\":7}"), 400);
    assert_int_equal(fake_submissions(), 0);
    assert_int_equal(raw_request(port, "PUT", "/api/v1/topology", token,
                                 "{\"nodes\":[{\"id\":\"a\",\"type\":\"service\"}],\"edges\":[]}"),
                     200);
    assert_int_equal(fake_kind(), FL_EV_TOPOLOGY);
    assert_int_equal(
        post("/api/v1/changes",
             "{\"time\":\"2026-11-01T00:00:00Z\",\"component\":\"a\",\"kind\":\"deploy\",\"id\":\"1\"}"),
        200);
    assert_int_equal(fake_kind(), FL_EV_CHANGE);
}

static void reads(void **state)
{
    (void)state;
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents?state=open&limit=5", token, NULL), 200);
    assert_string_equal(raw_body(), "{\"incidents\":[]}");
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents/INC-2026-404", token, NULL), 404);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents/INC-1/ranking", token, NULL), 200);
    assert_non_null(strstr(raw_body(), "\"candidates\":[{\"node\":\"db\"}]"));
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents?limit=x", token, NULL), 400);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents?limit=999999999", token, NULL), 400);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents?since=tomorrow", token, NULL), 400);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents?since=2h", token, NULL), 200);
    assert_int_equal(raw_request(port, "GET", "/api/v1/why/xyz", token, NULL), 404);
    assert_int_equal(raw_request(port, "GET", "/api/v1/audit?limit=2", token, NULL), 200);
    assert_non_null(strstr(raw_body(), "\"next_after\":2"));
    assert_int_equal(raw_request(port, "GET", "/api/v1/audit?after=2&format=jsonl", token, NULL), 200);
    assert_string_equal(raw_header("Content-Type"), "application/x-ndjson");
    fake.db_down = true; /* readers that are open stay; a lost one reopens */
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
}

static void lookalike_reads(void **state)
{
    (void)state;
    assert_int_equal(raw_request(port, "GET", "/api/v2/status", token, NULL), 200);
    assert_non_null(strstr(raw_body(), "\"versionInfo\""));
    fake_step(
        FL_EV_ALERTS, "alertmanager-v2",
        "[{\"labels\":{\"alertname\":\"A\",\"team\":\"web\"},\"startsAt\":\"2026-01-02T03:04:05.678901Z\"}]");
    assert_int_equal(
        raw_request(port, "GET", "/api/v2/alerts?active=true&filter=alertname%3D%22A%22", token, NULL), 200);
    assert_non_null(strstr(raw_body(), "\"startsAt\":\"2026-01-02T03:04:05.678Z\""));
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts?filter=team%21~%22w.b%22", token, NULL), 200);
    assert_string_equal(raw_body(), "[]\n");
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts?filter=team=db", token, NULL), 200);
    assert_string_equal(raw_body(), "[]\n");
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts?filter=nonsense", token, NULL), 400);
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts?filter=a%3D~%22%28%22", token, NULL), 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(answers, setup, teardown),
        cmocka_unit_test_setup_teardown(nonsense_reaches_no_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(reads, setup, teardown),
        cmocka_unit_test_setup_teardown(lookalike_reads, setup, teardown),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
