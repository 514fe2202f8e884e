/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The Alertmanager look-alike: filters, states, groups, silences, and the words of each refusal. */
#include "fake_store.h"
#include "raw.h"

#include <faultline/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ID "d94264f7-7d58-4ede-a15e-1e18dc933fe3"
static struct fl_http *h;
static int port;
static const char *token;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    token = fake_token("ann", FL_ROLE_OPERATOR, 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

static const char alerts[] =
    "[{\"fingerprint\":\"00000000000000ff\",\"starts_at\":\"2026-01-02T03:04:05.678901Z\",\"labels\":{\"alertname\":\"A\",\"instance\":\"2\"},"
    "\"annotations\":{},\"silenced_by\":[],\"inhibited_by\":[]},"
    "{\"fingerprint\":\"00000000000000aa\",\"starts_at\":\"2026-01-02T03:04:05.000000Z\",\"labels\":{\"alertname\":\"A\",\"instance\":\"1\"},"
    "\"annotations\":{},\"silenced_by\":[\"" ID "\"],\"inhibited_by\":[]},"
    "{\"fingerprint\":\"00000000000000bb\",\"starts_at\":\"2026-01-02T03:04:05.000000Z\",\"labels\":{\"alertname\":\"B\",\"cluster\":\"eu1\"},"
    "\"annotations\":{},\"silenced_by\":[],\"inhibited_by\":[\"00000000000000ff\"]},"
    "{\"fingerprint\":\"00000000000000ff\",\"starts_at\":\"2026-01-01T00:00:00.000000Z\",\"labels\":{\"alertname\":\"A\",\"instance\":\"2\"},"
    "\"annotations\":{},\"silenced_by\":[],\"inhibited_by\":[]}]";

/* The fingerprints' last digits of what a query shows. */
static void shows(const char *query, const char *wanted)
{
    struct fl_err err = {0};
    char path[512], got[64] = "";
    snprintf(path, sizeof path, "/api/v2/alerts%s", query);
    assert_int_equal(raw_request(port, "GET", path, token, NULL), 200);
    FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_true(fl_json_is_array(list));
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const char *fp = fl_json_str(fl_json_at(list, i), "fingerprint", "");
        assert_int_equal(strlen(fp), 16);
        strncat(got, fp + 14, 2);
        strncat(got, " ", 2);
    }
    if (strcmp(got, wanted) != 0)
        fail_msg("%s shows \"%s\", not \"%s\"", query, got, wanted);
}

static void refuses(const char *method, const char *path, const char *body, int code, const char *text)
{
    size_t before = fake_submissions();
    assert_int_equal(raw_request(port, method, path, token, body), code);
    assert_string_equal(raw_body(), text);
    assert_int_equal(fake_submissions(), before);
}

static void alert_states_and_filters(void **state)
{
    (void)state;
    fake.alerts_json = alerts;
    shows("", "aa bb ff ");
    shows("?active=true&silenced=false&inhibited=false&unprocessed=false", "ff ");
    shows("?active=false&silenced=true&inhibited=false", "aa ");
    shows("?active=false&silenced=false&inhibited=true", "bb ");
    shows("?active=false", "aa bb ");
    shows("?active=0&silenced=no&inhibited=1", "bb ");
    shows("?unprocessed=true&active=false&silenced=false&inhibited=false", "");
    shows("?filter=alertname%3DA", "aa ff ");
    shows("?filter=alertname%3DA&filter=instance%21%3D2", "aa ");
    shows("?filter=alertname%3D~%22A%7CB%22&filter=cluster%3D", "aa ff ");
    shows("?filter=instance%3D~%22%5Cd%22", "aa ff "); /* the classic form: \d needs no second backslash */
    shows("?filter=cluster!~%22e.%22", "aa bb ff ");   /* anchored */
    shows("?filter=%22alertname%22%3D%22B%22", "bb ");
    shows("?receiver=fault.*", "aa bb ff ");
    shows("?receiver=fault", "");
    shows("?receiver_matchers=x%3Dy", "aa bb ff ");
    assert_int_equal(
        raw_request(port, "GET", "/alertmanager/api/v2/alerts?active=false&inhibited=false", token, NULL),
        200);
    assert_non_null(strstr(raw_body(), "\"status\":{\"inhibitedBy\":[],\"mutedBy\":[],\"silencedBy\":[\"" ID
                                       "\"],\"state\":\"suppressed\"}"));
    assert_string_equal(raw_header("Cache-Control"), "no-store");
    refuses("GET", "/api/v2/alerts?filter=%7B%7Bx", NULL, 400, "\"bad matcher format: {{x\"\n");
    refuses("GET", "/api/v2/alerts?filter=a%3D~%22%28%22", NULL, 400,
            "\"error parsing regexp: missing closing ): `^(?:()$`\"\n");
    refuses("GET", "/api/v2/alerts?receiver=%28", NULL, 400,
            "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\"\n");
    refuses("GET", "/api/v2/alerts/groups?filter=a%3D~%22a%29%22", NULL, 400,
            "\"error parsing regexp: unexpected ): `^(?:a))$`\"\n");
    char many[1024] = "/api/v2/alerts?";
    for (int i = 0; i < 33; i++)
        strcat(many, "filter=a%3D&");
    refuses("GET", many, NULL, 400, "\"more than 32 filters\"\n");
}

static void alert_groups(void **state)
{
    (void)state;
    struct fl_err err = {0};
    fake.alerts_json = alerts;
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts/groups", token, NULL), 200);
    FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_int_equal(fl_json_len(list), 2);
    const struct fl_json *plain = fl_json_at(list, 0), *clustered = fl_json_at(list, 1);
    assert_string_equal(fl_json_str(fl_json_get(plain, "labels"), "alertname", ""), "A");
    assert_int_equal(fl_json_len(fl_json_get(plain, "alerts")), 2);
    assert_string_equal(fl_json_str(fl_json_at(fl_json_get(plain, "alerts"), 0), "fingerprint", ""),
                        "00000000000000aa"); /* instance 1 */
    assert_string_equal(fl_json_str(fl_json_get(clustered, "labels"), "cluster", ""), "eu1");
    assert_string_equal(fl_json_str(fl_json_get(clustered, "receiver"), "name", ""), "faultline");
    assert_int_equal(raw_request(port, "GET",
                                 "/api/v2/alerts/groups?active=false&silenced=false&inhibited=false", token,
                                 NULL),
                     200);
    assert_string_equal(raw_body(), "[]\n");
}

#define SILENCE(id, from, to, name)                                                                                  \
    "{\"id\":\"" id                                                                                                  \
    "\",\"created_by\":\"ops\",\"comment\":\"c\",\"matchers\":[{\"isEqual\":true,\"isRegex\":false,\"name\":\"" name \
    "\",\"value\":\"v\"}],\"starts_at\":\"" from "\",\"ends_at\":\"" to                                              \
    "\",\"updated_at\":\"2026-01-01T00:00:00.000000Z\"}"

static void silences_are_listed_in_order(void **state)
{
    (void)state;
    struct fl_err err = {0};
    fake.silences_json =
        "[" SILENCE("p2", "2098-01-01T00:00:00.000000Z", "2099-01-01T00:00:00.000000Z", "a") "," SILENCE(
            "e1", "2020-01-01T00:00:00.000000Z", "2020-01-02T00:00:00.000000Z",
            "a") "," SILENCE("a2", "2020-01-01T00:00:00.000000Z", "2097-01-01T00:00:00.000000Z",
                             "a") "," SILENCE("a1", "2020-01-01T00:00:00.000000Z",
                                              "2096-01-01T00:00:00.000000Z",
                                              "b") "," SILENCE("e2", "2020-01-01T00:00:00.000000Z",
                                                               "2020-01-03T00:00:00.000000Z",
                                                               "a") "," SILENCE("p1",
                                                                                "2095-01-01T00:00:00.000000Z",
                                                                                "2099-01-01T00:00:00.000000Z",
                                                                                "a") "]";
    assert_int_equal(raw_request(port, "GET", "/api/v2/silences", token, NULL), 200);
    FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    static const char *const order[][2] = {{"a1", "active"},  {"a2", "active"},  {"p1", "pending"},
                                           {"p2", "pending"}, {"e2", "expired"}, {"e1", "expired"}};
    assert_int_equal(fl_json_len(list), FL_ARRAY_LEN(order));
    for (size_t i = 0; i < FL_ARRAY_LEN(order); i++) {
        assert_string_equal(fl_json_str(fl_json_at(list, i), "id", ""), order[i][0]);
        assert_string_equal(fl_json_str(fl_json_get(fl_json_at(list, i), "status"), "state", ""),
                            order[i][1]);
    }
    assert_int_equal(raw_request(port, "GET", "/api/v2/silences?filter=b%3Dv", token, NULL), 200);
    assert_non_null(strstr(raw_body(), "\"id\":\"a1\""));
    assert_null(strstr(raw_body(), "\"id\":\"a2\""));
    refuses("GET", "/api/v2/silences?filter=x", NULL, 400, "\"bad matcher format: x\"\n");
    refuses("GET", "/api/v2/silence/" ID, NULL, 404, "");
    refuses("GET", "/api/v2/silence/abc", NULL, 422,
            "{\"code\":601,\"message\":\"silenceID in path must be of type uuid: \\\"abc\\\"\"}");
    fake.silence_json = SILENCE(ID, "2020-01-01T00:00:00.123456Z", "2096-01-01T00:00:00.000000Z", "b");
    assert_int_equal(raw_request(port, "GET", "/alertmanager/api/v2/silence/" ID, token, NULL), 200);
    assert_string_equal(
        raw_body(),
        "{\"id\":\"" ID
        "\",\"status\":{\"state\":\"active\"},\"updatedAt\":\"2026-01-01T00:00:00.000Z\",\"comment\":\"c\","
        "\"createdBy\":\"ops\",\"endsAt\":\"2096-01-01T00:00:00.000Z\",\"matchers\":[{\"isEqual\":true,\"isRegex\":false,"
        "\"name\":\"b\",\"value\":\"v\"}],\"startsAt\":\"2020-01-01T00:00:00.123Z\",\"annotations\":{}}\n");
}

#define POST(matchers, from, to)                                            \
    "{\"matchers\":" matchers ",\"startsAt\":\"" from "\",\"endsAt\":\"" to \
    "\",\"createdBy\":\"x\",\"comment\":\"c\"}"
#define ONE "[{\"name\":\"a\",\"value\":\"b\",\"isRegex\":false}]"
#define FROM "2026-01-01T00:00:00Z"
#define TO "2097-01-01T00:00:00Z"

static void silences_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        int code;
        const char *text;
    } cases[] = {
        {"[]", 400,
         "{\"code\":400,\"message\":\"parsing silence body from \\\"\\\" failed, because json: cannot unmarshal a value into Go value of type "
         "models.PostableSilence\"}"},
        {"{}", 422, "{\"code\":602,\"message\":\"comment in body is required\"}"},
        {"{\"comment\":\"c\"}", 422, "{\"code\":602,\"message\":\"createdBy in body is required\"}"},
        {"{\"comment\":\"c\",\"createdBy\":\"x\"}", 422,
         "{\"code\":602,\"message\":\"endsAt in body is required\"}"},
        {"{\"comment\":\"c\",\"createdBy\":\"x\",\"endsAt\":\"" TO "\"}", 422,
         "{\"code\":602,\"message\":\"matchers in body is required\"}"},
        {POST("[]", FROM, TO), 422,
         "{\"code\":612,\"message\":\"matchers in body should have at least 1 items\"}"},
        {POST("[{}]", FROM, TO), 422,
         "{\"code\":602,\"message\":\"matchers.0.isRegex in body is required\"}"},
        {POST(ONE, TO, FROM), 400, "\"Failed to create silence: start time must be before end time\"\n"},
        {POST(ONE, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"), 400,
         "\"Failed to create silence: end time can't be in the past\"\n"},
        {POST("[{\"name\":\"a\",\"value\":\"\",\"isRegex\":false}]", FROM, TO), 400,
         "\"silence invalid: at least one matcher must not match the empty string\"\n"},
        {POST("[{\"name\":\"a\",\"value\":\".*\",\"isRegex\":true}]", FROM, TO), 400,
         "\"silence invalid: at least one matcher must not match the empty string\"\n"},
        {POST("[{\"name\":\"a\",\"value\":\"(\",\"isRegex\":true}]", FROM, TO), 400,
         "\"silence invalid: invalid label matcher 0: invalid regular expression \\\"(\\\": error parsing regexp: missing closing ): `(`\"\n"},
        {POST("[{\"name\":\"a\",\"value\":\"(?=x)\",\"isRegex\":true}]", FROM, TO), 400,
         "\"silence invalid: invalid label matcher 0: invalid regular expression \\\"(?=x)\\\": look-ahead is not supported\"\n"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++)
        refuses("POST", "/api/v2/silences", cases[i].body, cases[i].code, cases[i].text);
    assert_int_equal(raw_request(port, "POST", "/api/v2/silences", token, "{\"comment\":"), 400);
    assert_non_null(strstr(
        raw_body(), "{\"code\":400,\"message\":\"parsing silence body from \\\"\\\" failed, because "));
    const char *viewer = fake_token("vic", FL_ROLE_VIEWER, 0, 0);
    assert_int_equal(raw_request(port, "POST", "/api/v2/silences", viewer, POST(ONE, FROM, TO)), 403);
}

static void silences_that_are_set(void **state)
{
    (void)state;
    fake.answer_json = "{\"silenceID\":\"" ID "\"}";
    assert_int_equal(raw_request(port, "POST", "/api/v2/silences", token, POST(ONE, FROM, TO)), 200);
    assert_string_equal(raw_body(), "{\"silenceID\":\"" ID "\"}\n");
    assert_int_equal(fake_kind(), FL_EV_COMMAND);
    assert_string_equal(fake_actor(), "ann");
    assert_string_equal(
        fake_body(),
        "{\"op\":\"silence.set\",\"silence\":{\"comment\":\"c\",\"createdBy\":\"x\",\"startsAt\":\"2026-01-01T00:00:00.000000Z\","
        "\"endsAt\":\"2097-01-01T00:00:00.000000Z\",\"matchers\":[{\"isEqual\":true,\"isRegex\":false,\"name\":\"a\",\"value\":\"b\"}]}}");
    fake.answer = FL_E_NOTFOUND;
    fake.answer_json = "{\"error\":{\"code\":\"notfound\",\"message\":\"silence not found\"}}";
    assert_int_equal(raw_request(port, "POST", "/api/v2/silences", token, POST(ONE, FROM, TO)), 404);
    assert_string_equal(raw_body(), "\"silence not found\"\n");
    assert_int_equal(raw_request(port, "DELETE", "/api/v2/silence/" ID, token, NULL), 500);
    assert_string_equal(raw_body(), "\"silence not found\"\n");
    fake.answer = FL_OK;
    fake.answer_json = "{}";
    assert_int_equal(raw_request(port, "DELETE", "/alertmanager/api/v2/silence/" ID, token, NULL), 200);
    assert_string_equal(raw_body(), "");
    assert_string_equal(fake_body(), "{\"op\":\"silence.expire\",\"id\":\"" ID "\"}");
    refuses("DELETE", "/api/v2/silence/..%22", NULL, 422,
            "{\"code\":601,\"message\":\"silenceID in path must be of type uuid: \\\"..\\\"\\\"\"}");
    fake.commit = FL_E_UNAVAILABLE;
    assert_int_equal(raw_request(port, "POST", "/api/v2/silences", token, POST(ONE, FROM, TO)), 503);
}

static void what_is_gone(void **state)
{
    (void)state;
    static const char *const get[] = {"/api/v1/silences", "/api/v1/status", "/api/v1/alerts/groups",
                                      "/alertmanager/api/v1/alerts", "/api/v1/silence/x"};
    for (size_t i = 0; i < FL_ARRAY_LEN(get); i++)
        assert_int_equal(raw_request(port, "GET", get[i], token, NULL), 410);
    refuses(
        "POST", "/api/v1/alerts", "[]", 410,
        "{\"status\":\"deprecated\",\"error\":\"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of "
        "version 0.27.0 - please use the equivalent route in the v2 API\"}");
    assert_int_equal(raw_request(port, "GET", "/alertmanager/api/v2/status", token, NULL),
                     404); /* or Grafana takes us for Mimir */
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(alert_states_and_filters),  T(alert_groups),          T(silences_are_listed_in_order),
        T(silences_that_are_refused), T(silences_that_are_set), T(what_is_gone),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
