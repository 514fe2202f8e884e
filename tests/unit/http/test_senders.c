/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Other senders over HTTP: what is journalled, what each is answered, and where its credential may be. */
#include "fake_store.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define ONE(name)                                                          \
    "\"alerts\":[{\"status\":\"firing\",\"labels\":{\"alertname\":\"" name \
    "\"},\"startsAt\":\"2026-11-01T00:00:00Z\"}]}"
#define GRAFANA "{\"version\":\"1\"," ONE("G")
#define TRIGGER \
    "\"event_action\":\"trigger\",\"payload\":{\"summary\":\"s\",\"source\":\"h\",\"severity\":\"error\"}}"
#define HOOK "{\"version\":\"4\"," ONE("A")

static struct fl_http *h;
static int port;
static const char *token;

static char *mapping(void *ctx, const char *source)
{
    (void)ctx;
    return strcmp(source, "shop") == 0 ? strdup("{\"name\":\"shop\",\"labels\":{\"alertname\":\"/n\"}}")
                                       : NULL;
}

static int start(void)
{
    token = fake_token("sender", FL_ROLE_INGEST, 0, 0);
    fake.mapping = mapping;
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    return start();
}

static int setup_aliases(void **state)
{
    (void)state;
    fake_reset();
    fake.aliases = true;
    return start();
}

static int setup_signed(void **state)
{
    (void)state;
    fake_reset();
    fake.grafana_secret = "sesame";
    return start();
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

/* `headers`: whole lines; NULL for the token and JSON. */
static int send_with(const char *method, const char *path, const char *headers, const char *body)
{
    char text[16384], json[512];
    snprintf(json, sizeof json, "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", token);
    int n = snprintf(text, sizeof text,
                     "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %zu\r\n\r\n%s", method, path,
                     headers ? headers : json, strlen(body), body);
    assert_true(n > 0 && (size_t)n < sizeof text);
    return raw_ask(port, text);
}

static int post(const char *path, const char *body)
{
    return send_with("POST", path, NULL, body);
}

static void grafana(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/intake/grafana", GRAFANA), 200);
    assert_string_equal(fake_source(), "grafana");
    assert_string_equal(fake_body(), GRAFANA); /* as received */
    assert_false(fake_had_alerts());           /* the core reads it with the journal's time */
    assert_int_equal(send_with("PUT", "/api/v1/intake/grafana", NULL, GRAFANA), 200);
    assert_int_equal(fake_submissions(), 1); /* a repeat writes nothing */
    assert_int_equal(post("/api/v1/intake/grafana", "{\"text\":\"custom\"}"), 400);
    assert_int_equal(fake_letters(), 1);
    assert_int_equal(post("/api/v1/intake/grafana", "{\"alerts\":[7]}"), 400);
    assert_int_equal(fake_letters(), 2);
}

static void grafana_signed(void **state)
{
    (void)state;
    struct fl_sha256 mac;
    char headers[1024], hex[65], stamp[32];
    fl_hmac_sha256("sesame", 6, GRAFANA, strlen(GRAFANA), "", 0, &mac);
    fl_sha256_hex(&mac, hex);
    assert_int_equal(post("/api/v1/intake/grafana", GRAFANA), 401);
    assert_non_null(strstr(raw_body(), "the body is not signed"));
    snprintf(
        headers, sizeof headers,
        "Authorization: Bearer %s\r\nContent-Type: application/json\r\nX-Grafana-Alerting-Signature: %s\r\n",
        token, hex);
    assert_int_equal(send_with("POST", "/api/v1/intake/grafana", headers, GRAFANA), 200);
    assert_int_equal(send_with("POST", "/api/v1/intake/grafana", headers, GRAFANA " "), 401);
    snprintf(stamp, sizeof stamp, "%lld:", (long long)(fl_now() / FL_USEC_PER_SEC));
    fl_hmac_sha256("sesame", 6, stamp, strlen(stamp), GRAFANA, strlen(GRAFANA), &mac);
    snprintf(
        headers, sizeof headers,
        "Authorization: Bearer %s\r\nContent-Type: application/json\r\nX-Grafana-Alerting-Signature: %s\r\n"
        "X-Grafana-Alerting-Timestamp: %.*s\r\n",
        token, fl_sha256_hex(&mac, hex), (int)strlen(stamp) - 1, stamp);
    assert_int_equal(send_with("POST", "/api/v1/intake/grafana", headers, GRAFANA), 200);
}

static void pagerduty(void **state)
{
    (void)state;
    char body[1024];
    static const char json[] = "Content-Type: application/json\r\n";
    snprintf(body, sizeof body, "{\"routing_key\":\"%s\",\"dedup_key\":\"k\"," TRIGGER, token);
    assert_int_equal(send_with("POST", "/v2/enqueue", json, body), 202);
    assert_string_equal(raw_body(),
                        "{\"status\":\"success\",\"message\":\"Event processed\",\"dedup_key\":\"k\"}");
    assert_string_equal(fake_source(), "pagerduty");
    assert_string_equal(fake_actor(), "sender");
    assert_null(strstr(fake_body(), token)); /* the credential is not kept */
    assert_int_equal(send_with("POST", "/v2/enqueue", json, "{\"routing_key\":\"nobody\"," TRIGGER), 401);
    assert_int_equal(send_with("POST", "/v2/enqueue", json, "{"), 401);
    assert_int_equal(fake_letters(), 0); /* strangers fill no list */
    assert_int_equal(post("/api/v1/intake/pagerduty", "{\"routing_key\":\"x\"," TRIGGER),
                     202); /* token in the header */
    assert_non_null(strstr(raw_body(), "\"dedup_key\":\""));
    assert_int_equal(post("/api/v1/intake/pagerduty", "{\"routing_key\":\"x\",\"event_action\":\"resolve\"}"),
                     400);
    assert_string_equal(raw_body(),
                        "{\"status\":\"invalid event\",\"message\":\"Event object is invalid\",\"errors\":"
                        "[\"dedup_key is required\"]}");
    assert_int_equal(fake_letters(), 1);
    size_t before = fake_submissions();
    assert_int_equal(
        post("/v2/enqueue", "{\"routing_key\":\"x\",\"event_action\":\"acknowledge\",\"dedup_key\":\"k\"}"),
        202);
    assert_int_equal(fake_submissions(), before);
    fake.commit = FL_E_UNAVAILABLE;
    assert_int_equal(post("/v2/enqueue", "{\"routing_key\":\"x\",\"dedup_key\":\"z\"," TRIGGER), 503);
}

static void pagerduty_change(void **state)
{
    (void)state;
    assert_int_equal(post("/v2/change/enqueue",
                          "{\"routing_key\":\"x\",\"payload\":{\"summary\":\"deploy\",\"source\":\"cart\"}}"),
                     202);
    assert_string_equal(raw_body(), "{\"status\":\"success\",\"message\":\"Change event processed\"}");
    assert_int_equal(fake_kind(), FL_EV_CHANGE);
    assert_non_null(strstr(fake_body(), "\"component\":\"cart\""));
    assert_int_equal(post("/v2/change/enqueue", "{\"routing_key\":\"x\",\"payload\":{}}"), 400);
    assert_non_null(strstr(raw_body(), "payload.summary is required"));
}

#define CE(id, type, more) \
    "{\"specversion\":\"1.0\",\"id\":\"" id "\",\"source\":\"/s\",\"type\":\"" type "\"" more "}"

static int cloudevent(const char *more_headers, const char *body)
{
    char headers[2048];
    snprintf(headers, sizeof headers, "Authorization: Bearer %s\r\n%s", token, more_headers);
    return send_with("POST", "/api/v1/intake/cloudevents", headers, body);
}

static void cloudevents(void **state)
{
    (void)state;
    assert_int_equal(cloudevent("Content-Type: application/cloudevents+json\r\n", CE("1", "disk.full", "")),
                     200);
    assert_string_equal(fake_source(), "cloudevents");
    assert_int_equal(
        cloudevent(
            "Content-Type: application/json\r\nce-specversion: 1.0\r\nCE-Id: 2\r\nce-source: /a%20b\r\n"
            "ce-type: t\r\n",
            "{\"severity\":\"high\"}"),
        200);
    assert_string_equal(
        fake_body(),
        "{\"id\":\"2\",\"source\":\"/a b\",\"specversion\":\"1.0\",\"type\":\"t\",\"datacontenttype\":"
        "\"application/json\",\"data\":{\"severity\":\"high\"}}");
    assert_int_equal(cloudevent("Content-Type: application/json\r\n", "{}"), 415);
    assert_int_equal(cloudevent("Content-Type: application/cloudevents+avro\r\n", "x"), 415);
    size_t before = fake_submissions();
    assert_int_equal(
        cloudevent("Content-Type: application/cloudevents-batch+json\r\n",
                   "[" CE("3", "deploy", ",\"data\":{\"component\":\"cart\",\"kind\":\"deploy\"}") "]"),
        200);
    assert_non_null(strstr(raw_body(), "\"changes\":1"));
    assert_int_equal(fake_kind(), FL_EV_CHANGE);
    assert_int_equal(fake_submissions(), before + 1);
    /* Both kinds in one batch: two rows, one answer after both. */
    assert_int_equal(
        cloudevent("Content-Type: application/cloudevents-batch+json\r\n",
                   "[" CE("4", "deploy", ",\"data\":{\"component\":\"cart\",\"kind\":\"deploy\"}") "," CE(
                       "5", "other", "") ",7]"),
        200);
    assert_int_equal(fake_submissions(), before + 3);
    assert_non_null(strstr(raw_body(), "\"accepted\":1"));
    assert_non_null(strstr(raw_body(), "\"changes\":1"));
    assert_non_null(strstr(raw_body(), "[2]"));
    fake.commit = FL_E_UNAVAILABLE;
    assert_int_equal(
        cloudevent("Content-Type: application/cloudevents-batch+json\r\n",
                   "[" CE("6", "deploy", ",\"data\":{\"component\":\"cart\",\"kind\":\"deploy\"}") "," CE(
                       "7", "third", "") "]"),
        503);
}

static void cloudevents_handshake(void **state)
{
    (void)state;
    static const char ask[] =
        "OPTIONS /api/v1/intake/cloudevents HTTP/1.1\r\nHost: 127.0.0.1\r\nWebHook-Request-Origin: "
        "eventemitter.example.com\r\nWebHook-Request-Rate: 120\r\n\r\n";
    assert_int_equal(raw_ask(port, ask), 204);
    assert_string_equal(raw_header("WebHook-Allowed-Origin"), "eventemitter.example.com");
    assert_string_equal(raw_header("WebHook-Allowed-Rate"), "*");
    assert_non_null(strstr(raw_header("Allow"), "POST"));
    assert_int_equal(raw_ask(port, "OPTIONS /api/v1/intake/cloudevents HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
                     204);
    assert_null(raw_header("WebHook-Allowed-Origin"));
}

static void nagios(void **state)
{
    (void)state;
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    char body[1024];
    snprintf(
        body, sizeof body,
        "token=%s&cmd=submitcheck&JSONDATA=%%7B%%22checkresults%%22%%3A%%5B%%7B%%22checkresult%%22%%3A%%7B"
        "%%22type%%22%%3A%%22host%%22%%7D%%2C%%22hostname%%22%%3A%%22h%%22%%2C%%22state%%22%%3A%%221%%22"
        "%%7D%%5D%%7D",
        token);
    assert_int_equal(send_with("POST", "/api/v1/intake/nagios", form, body), 200);
    assert_string_equal(
        raw_body(),
        "{\"result\":{\"status\":0,\"message\":\"OK\",\"meta\":{\"output\":\"1 checks processed.\"}}}");
    assert_string_equal(fake_source(), "nagios");
    assert_null(strstr(fake_body(), token));
    assert_int_equal(
        send_with("POST", "/api/v1/intake/nagios", form, "token=wrong&type=PROBLEM&host=h&state=DOWN"), 401);
    assert_int_equal(send_with("POST", "/api/v1/intake/nagios", form, "type=PROBLEM&host=h&state=DOWN"), 401);
    snprintf(body, sizeof body, "token=%s&type=PROBLEM&host=h&service=HTTP&state=WARNING", token);
    assert_int_equal(send_with("POST", "/api/v1/intake/nagios", form, body), 200);
    assert_int_equal(post("/api/v1/intake/nagios",
                          "{\"type\":\"RECOVERY\",\"host\":\"h\",\"service\":\"HTTP\","
                          "\"state\":\"OK\"}"),
                     200);
    assert_int_equal(post("/api/v1/intake/nagios", "{\"type\":\"PROBLEM\",\"host\":\"h\",\"state\":\"WAT\"}"),
                     400);
    assert_int_equal(fake_letters(), 1);
    /* A form is no JSON for the others. */
    assert_int_equal(send_with("POST", "/v2/enqueue", form, "a=b"), 415);
}

#define KUBE(type) \
    "{\"involvedObject\":{\"kind\":\"Node\",\"name\":\"n\"},\"reason\":\"R\",\"type\":\"" type "\"}"

static void zabbix_and_kubernetes(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/intake/zabbix", "{\"value\":\"1\",\"name\":\"n\",\"host\":\"h\"}"), 200);
    assert_string_equal(fake_source(), "zabbix");
    assert_int_equal(post("/api/v1/intake/kubernetes", KUBE("Warning")), 200);
    assert_string_equal(fake_source(), "kubernetes");
    assert_int_equal(post("/api/v1/intake/kubernetes", KUBE("Normal")), 200);
    assert_non_null(strstr(raw_body(), "\"ignored\":1"));
    assert_int_equal(fake_submissions(), 2);
}

static void mapped(void **state)
{
    (void)state;
    assert_int_equal(post("/api/v1/intake/shop", "{\"n\":\"A\"}"), 200);
    assert_string_equal(fake_source(), "mapped:shop");
    assert_string_equal(
        fake_body(),
        "{\"mapping\":{\"name\":\"shop\",\"labels\":{\"alertname\":\"/n\"}},\"body\":{\"n\":\"A\"}}");
    assert_int_equal(post("/api/v1/intake/other", "{}"), 404);
    assert_int_equal(post("/api/v1/intake/shop", "{\"m\":1}"), 400);
    assert_int_equal(fake_letters(), 1);
    assert_int_equal(post("/api/v1/intake/shop", "{\"m\":"), 400);
    assert_int_equal(fake_letters(), 2);
}

static void aliases_are_off(void **state)
{
    (void)state;
    assert_int_equal(post("/api/alerts", HOOK), 404);
    assert_int_equal(post("/alerts/event/prometheus", HOOK), 404);
    assert_int_equal(fake_submissions(), 0);
}

static void aliases_switched_on(void **state)
{
    (void)state;
    char path[512];
    static const char json[] = "Content-Type: application/json\r\n";
    assert_int_equal(post("/api/alerts", HOOK), 200);
    assert_string_equal(fake_source(), "alertmanager");
    static const char *const same[] = {"/alerts/event/prometheus", "/api/webhooks/prometheus",
                                       "/webhooks/prometheus"};
    for (size_t i = 0; i < FL_ARRAY_LEN(same); i++)
        assert_int_equal(post(same[i], HOOK), 200);
    assert_int_equal(post("/alerts/event/grafana", GRAFANA), 200);
    assert_string_equal(fake_source(), "grafana");
    snprintf(path, sizeof path, "/integrations/v1/alertmanager/%s/", token);
    assert_int_equal(send_with("POST", path, json, HOOK), 200);
    path[strlen(path) - 1] = 0;
    assert_int_equal(send_with("POST", path, json, HOOK), 200);
    assert_int_equal(send_with("POST", "/integrations/v1/alertmanager/nobody/", json, HOOK), 401);
    assert_int_equal(send_with("POST", "/api/alerts", json, HOOK), 401);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        TEST(grafana),
        cmocka_unit_test_setup_teardown(grafana_signed, setup_signed, teardown),
        TEST(pagerduty),
        TEST(pagerduty_change),
        TEST(cloudevents),
        TEST(cloudevents_handshake),
        TEST(nagios),
        TEST(zabbix_and_kubernetes),
        TEST(mapped),
        TEST(aliases_are_off),
        cmocka_unit_test_setup_teardown(aliases_switched_on, setup_aliases, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
