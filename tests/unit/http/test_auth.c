/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every route × (no token, wrong, expired, revoked, each role), against a table written here by hand. */
#include "fake_store.h"
#include "http_priv.h"
#include "raw.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* i ingest, v viewer, o operator, a approver, A admin; "*" everybody, without a token too. */
static const struct {
    const char *method, *path, *who;
} table[] = {
    {"POST", "/api/v1/intake/alertmanager", "ioaA"},
    {"GET", "/api/v2/alerts", "voaA"},
    {"POST", "/api/v2/alerts", "ioaA"},
    {"GET", "/alertmanager/api/v2/alerts", "voaA"},
    {"POST", "/alertmanager/api/v2/alerts", "ioaA"},
    {"GET", "/api/v2/status", "voaA"},
    {"GET", "/api/v2/alerts/groups", "voaA"},
    {"GET", "/api/v2/receivers", "voaA"},
    {"GET", "/api/v2/silences", "voaA"},
    {"POST", "/api/v2/silences", "oaA"},
    {"GET", "/api/v2/silence/{silenceID}", "voaA"},
    {"DELETE", "/api/v2/silence/{silenceID}", "oaA"},
    {"POST", "/api/v1/alerts", "ioaA"},
    {"GET", "/api/v1/alerts/groups", "voaA"},
    {"GET", "/api/v1/silences", "voaA"},
    {"POST", "/api/v1/silences", "ioaA"},
    {"GET", "/api/v1/silence/{silenceID}", "voaA"},
    {"DELETE", "/api/v1/silence/{silenceID}", "ioaA"},
    {"GET", "/api/v1/status", "voaA"},
    {"GET", "/api/v1/receivers", "voaA"},
    {"GET", "/alertmanager/api/v2/alerts/groups", "voaA"},
    {"GET", "/alertmanager/api/v2/receivers", "voaA"},
    {"GET", "/alertmanager/api/v2/silences", "voaA"},
    {"POST", "/alertmanager/api/v2/silences", "oaA"},
    {"GET", "/alertmanager/api/v2/silence/{silenceID}", "voaA"},
    {"DELETE", "/alertmanager/api/v2/silence/{silenceID}", "oaA"},
    {"POST", "/alertmanager/api/v1/alerts", "ioaA"},
    {"GET", "/alertmanager/api/v1/alerts/groups", "voaA"},
    {"GET", "/alertmanager/api/v1/silences", "voaA"},
    {"POST", "/alertmanager/api/v1/silences", "ioaA"},
    {"GET", "/alertmanager/api/v1/silence/{silenceID}", "voaA"},
    {"DELETE", "/alertmanager/api/v1/silence/{silenceID}", "ioaA"},
    {"GET", "/alertmanager/api/v1/status", "voaA"},
    {"GET", "/alertmanager/api/v1/receivers", "voaA"},
    {"GET", "/alertmanager/api/v1/alerts", "voaA"},
    {"GET", "/api/v1/alerts", "voaA"},
    {"GET", "/api/v1/alerts/stats", "voaA"},
    {"GET", "/api/v1/alerts/precision", "voaA"},
    {"GET", "/api/v1/why/{what}", "voaA"},
    {"GET", "/api/v1/incidents", "voaA"},
    {"GET", "/api/v1/incidents/{id}", "voaA"},
    {"GET", "/api/v1/incidents/{id}/timeline", "voaA"},
    {"GET", "/api/v1/incidents/{id}/ranking", "voaA"},
    {"GET", "/api/v1/incidents/{id}/report.md", "voaA"},
    {"GET", "/api/v1/incidents/{id}/report.html", "voaA"},
    {"GET", "/api/v1/incidents/{id}/graph.svg", "voaA"},
    {"POST", "/api/v1/incidents/{id}/ack", "oaA"},
    {"POST", "/api/v1/incidents/{id}/assign", "oaA"},
    {"POST", "/api/v1/incidents/{id}/comment", "oaA"},
    {"POST", "/api/v1/incidents/{id}/confirm", "oaA"},
    {"POST", "/api/v1/incidents/{id}/reject", "oaA"},
    {"POST", "/api/v1/incidents/{id}/merge", "oaA"},
    {"POST", "/api/v1/incidents/{id}/split", "oaA"},
    {"POST", "/api/v1/incidents/{id}/resolve", "oaA"},
    {"GET", "/api/v1/runs", "voaA"},
    {"POST", "/api/v1/runs", "oaA"},
    {"GET", "/api/v1/runs/{id}", "voaA"},
    {"POST", "/api/v1/runs/{id}/approve", "aA"},
    {"POST", "/api/v1/runs/{id}/deny", "aA"},
    {"POST", "/api/v1/runs/{id}/abort", "oaA"},
    {"POST", "/api/v1/runs/{id}/settle", "aA"},
    {"POST", "/api/v1/automation/halt", "oaA"},
    {"POST", "/api/v1/automation/resume", "aA"},
    {"GET", "/api/v1/maintenance", "voaA"},
    {"POST", "/api/v1/maintenance", "oaA"},
    {"POST", "/api/v1/maintenance/{id}/end", "oaA"},
    {"GET", "/api/v1/quiet", "voaA"},
    {"GET", "/api/v1/quiet/{id}", "voaA"},
    {"GET", "/api/v1/topology", "voaA"},
    {"PUT", "/api/v1/topology", "oaA"},
    {"GET", "/api/v1/topology/impact", "voaA"},
    {"GET", "/api/v1/topology/history", "voaA"},
    {"GET", "/api/v1/changes", "voaA"},
    {"POST", "/api/v1/changes", "ioaA"},
    {"GET", "/api/v1/audit", "voaA"},
    {"GET", "/api/v1/audit/head", "voaA"},
    {"GET", "/api/v1/audit/bundle", "voaA"},
    {"GET", "/api/v1/deadletters", "voaA"},
    {"GET", "/api/v1/deadletters/{n}", "oaA"},
    {"POST", "/api/v1/deadletters/{n}/retry", "oaA"},
    {"POST", "/api/v1/deadletters/{n}/drop", "oaA"},
    {"POST", "/api/v1/deadletters/retry", "oaA"},
    {"POST", "/api/v1/deadletters/drop", "oaA"},
    {"GET", "/api/v1/models", "voaA"},
    {"POST", "/api/v1/models", "A"},
    {"GET", "/api/v1/models/evaluation", "voaA"},
    {"POST", "/api/v1/models/rollback", "aA"},
    {"GET", "/api/v1/models/{id}", "voaA"},
    {"POST", "/api/v1/models/{id}/activate", "A"},
    {"POST", "/api/v1/models/{id}/shadow", "A"},
    {"GET", "/api/v1/tokens", "A"},
    {"POST", "/api/v1/tokens", "A"},
    {"DELETE", "/api/v1/tokens/{id}", "A"},
    {"POST", "/api/v1/intake/grafana", "ioaA"},
    {"PUT", "/api/v1/intake/grafana", "ioaA"},
    {"POST", "/api/v1/intake/pagerduty", "ioaA"},
    {"POST", "/api/v1/intake/pagerduty/v2/enqueue", "ioaA"},
    {"POST", "/v2/enqueue", "ioaA"},
    {"POST", "/api/v1/intake/pagerduty/v2/change/enqueue", "ioaA"},
    {"POST", "/v2/change/enqueue", "ioaA"},
    {"POST", "/api/v1/intake/cloudevents", "ioaA"},
    {"POST", "/api/v1/intake/nagios", "ioaA"},
    {"POST", "/api/v1/intake/zabbix", "ioaA"},
    {"POST", "/api/v1/intake/kubernetes", "ioaA"},
    {"POST", "/api/v1/intake/{source}", "ioaA"},
    {"POST", "/alerts/event/prometheus", "ioaA"},
    {"POST", "/alerts/event/grafana", "ioaA"},
    {"POST", "/api/alerts", "ioaA"},
    {"POST", "/integrations/v1/alertmanager/{token}", "ioaA"},
    {"POST", "/integrations/v1/alertmanager/{token}/", "ioaA"},
    {"POST", "/integrations/v1/grafana_alerting/{token}", "ioaA"},
    {"POST", "/integrations/v1/grafana_alerting/{token}/", "ioaA"},
    {"POST", "/api/webhooks/prometheus", "ioaA"},
    {"POST", "/webhooks/prometheus", "ioaA"},
    {"GET", "/-/healthy", "*"},
    {"GET", "/-/ready", "*"},
    {"POST", "/-/reload", "A"},
    {"GET", "/metrics", "*"},
    {"GET", "/openapi.json", "*"},
};
static const struct {
    char letter;
    const char *name;
    fl_role role;
} roles[] = {{'i', "ingest", FL_ROLE_INGEST},
             {'v', "viewer", FL_ROLE_VIEWER},
             {'o', "operator", FL_ROLE_OPERATOR},
             {'a', "approver", FL_ROLE_APPROVER},
             {'A', "admin", FL_ROLE_ADMIN}};

static const char *concrete(const char *pattern, char *buf, size_t cap)
{
    const char *brace = strchr(pattern, '{'), *end = brace ? strchr(brace, '}') : NULL;
    if (!brace)
        return pattern;
    snprintf(buf, cap, "%.*s%s%s", (int)(brace - pattern), pattern,
             strstr(brace, "fingerprint") ? "00000000000000ff" : "INC-2026-000001", end + 1);
    return buf;
}

static void each_route(void **state)
{
    (void)state;
    fake_reset();
    fake.aliases = true;
    const char *secret[FL_ARRAY_LEN(roles)];
    for (size_t k = 0; k < FL_ARRAY_LEN(roles); k++)
        secret[k] = fake_token(roles[k].name, roles[k].role, 0, 0);
    const char *old = fake_token("old", FL_ROLE_ADMIN, fl_now() - 1, 0);
    const char *gone = fake_token("gone", FL_ROLE_ADMIN, 0, fl_now() - 1);
    struct fl_http *h = fake_server("on", 30, 1 << 20, 2000);
    int port = fl_http_port(h);
    assert_int_equal(FL_ARRAY_LEN(table), n_routes); /* a new route needs its line here */
    for (size_t i = 0; i < FL_ARRAY_LEN(table); i++) {
        char buf[256];
        const char *path = concrete(table[i].path, buf, sizeof buf), *method = table[i].method;
        const char *body = method[0] == 'P' ? "{}" : NULL;
        if (table[i].who[0] == '*') {
            assert_int_equal(raw_request(port, method, path, NULL, body), 200);
            continue;
        }
        assert_int_equal(raw_request(port, method, path, NULL, body), 401);
        assert_non_null(raw_header("WWW-Authenticate"));
        assert_int_equal(raw_request(port, method, path, "flt_nobody", body), 401);
        assert_int_equal(raw_request(port, method, path, old, body), 401);
        assert_int_equal(raw_request(port, method, path, gone, body), 401);
        for (size_t k = 0; k < FL_ARRAY_LEN(roles); k++) {
            int code = raw_request(port, method, path, secret[k], body);
            bool may = strchr(table[i].who, roles[k].letter) != NULL;
            if (may == (code == 401 || code == 403))
                fail_msg("%s %s as %s: %d", method, path, roles[k].name, code);
            if (!may)
                assert_non_null(strstr(raw_body(), "this needs the role"));
        }
    }
    fake_server_stop(h);
}

/* Nothing is submitted for who may not. */
static void refused_before_the_body(void **state)
{
    (void)state;
    fake_reset();
    struct fl_http *h = fake_server("on", 30, 1 << 20, 100);
    char text[256];
    /* The body is announced and never sent: the answer comes all the same. */
    snprintf(
        text, sizeof text,
        "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n");
    int fd = raw_open(fl_http_port(h));
    bool closed;
    raw_send(fd, text, strlen(text));
    assert_int_equal(raw_read(fd, 5000, &closed), 401);
    assert_true(closed);
    close(fd);
    assert_int_equal(fake_submissions(), 0);
    fake_server_stop(h);
}

static int with_auth(int port, const char *value)
{
    char text[1024];
    snprintf(text, sizeof text, "GET /api/v1/incidents HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n",
             value);
    return raw_ask(port, text);
}

static void schemes(void **state)
{
    (void)state;
    fake_reset();
    const char *secret = fake_token("w", FL_ROLE_VIEWER, 0, 0);
    struct fl_http *h = fake_server("on", 30, 1 << 20, 100);
    int port = fl_http_port(h);
    char plain[128], b64[256], value[300];
    snprintf(plain, sizeof plain, "anybody:%s", secret);
    sodium_bin2base64(b64, sizeof b64, (unsigned char *)plain, strlen(plain), sodium_base64_VARIANT_ORIGINAL);
    snprintf(value, sizeof value, "Basic %s", b64);
    assert_int_equal(with_auth(port, value), 200);
    snprintf(value, sizeof value, "bearer %s", secret);
    assert_int_equal(with_auth(port, value), 200);
    snprintf(value, sizeof value, "Bearer  %s", secret);
    assert_int_equal(with_auth(port, value), 200);
    static const char *const bad[] = {"Bearer",     "Bearer ",  "Basic", "Basic !!!!", "Basic Zm9v",
                                      "Basic Og==", "Digest x", "",      "Bearer x y"};
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        assert_int_equal(with_auth(port, bad[i]), 401);
    char longest[900];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    memcpy(longest, "Bearer ", 7);
    assert_int_equal(with_auth(port, longest), 401);
    fake_server_stop(h);
}

static void new_and_revoked_tokens(void **state)
{
    (void)state;
    fake_reset();
    struct fl_http *h = fake_server("on", 30, 1 << 20, 100);
    int port = fl_http_port(h);
    const char *secret = fake_token("fresh", FL_ROLE_VIEWER, 0, 0);
    assert_int_equal(raw_request(port, "GET", "/api/v1/incidents", secret, NULL), 200); /* at once */
    const char *sender = fake_token("sender", FL_ROLE_INGEST, 0, 0);
    assert_int_equal(
        raw_request(port, "POST", "/api/v2/alerts", sender, "[{\"labels\":{\"alertname\":\"N\"}}]"), 200);
    assert_string_equal(fake_body(), "[{\"labels\":{\"alertname\":\"N\"}}]");
    static char big[300001];
    memset(big, ' ', sizeof big - 1);
    big[0] = '[';
    big[sizeof big - 2] = ']';
    const char *third = fake_token("third", FL_ROLE_INGEST, 0, 0);
    assert_int_equal(raw_request(port, "POST", "/api/v2/alerts", third, big), 200);
    assert_int_equal(raw_request(port, "POST", "/api/v2/alerts", "flt_no", big), 401);
    assert_int_equal(raw_request(port, "POST", "/api/v2/alerts", "flt_no", big), 401);
    const char *fourth = fake_token("fourth", FL_ROLE_VIEWER, 0, 0);
    assert_int_equal(raw_request(port, "POST", "/api/v2/alerts", fourth, big), 403);
    fake_revoke("fresh");
    fl_usec until = fl_mono() + 5 * FL_USEC_PER_SEC;
    int code = 200;
    while (code == 200 && fl_mono() < until) {
        code = raw_request(port, "GET", "/api/v1/incidents", secret, NULL);
        usleep(50 * 1000);
    }
    assert_int_equal(code, 401);
    /* Over HTTP it is immediate. */
    const char *admin = fake_token("boss", FL_ROLE_ADMIN, 0, 0);
    assert_int_equal(
        raw_request(port, "POST", "/api/v1/tokens", admin, "{\"name\":\"n\",\"role\":\"viewer\"}"), 201);
    assert_non_null(strstr(raw_body(), "\"token\":\"flt_"));
    assert_int_not_equal(fake_kind(),
                         FL_EV_TOKEN); /* the daemon tells the journal, else it would be there twice */
    assert_int_equal(raw_request(port, "GET", "/api/v1/tokens", admin, NULL), 200);
    assert_null(strstr(raw_body(), "flt_"));
    assert_int_equal(raw_request(port, "DELETE", "/api/v1/tokens/n", admin, NULL), 204);
    assert_int_equal(raw_request(port, "DELETE", "/api/v1/tokens/nobody", admin, NULL), 404);
    assert_int_equal(raw_request(port, "POST", "/api/v1/tokens", admin, "{\"name\":\"n\",\"role\":\"king\"}"),
                     400);
    fake_server_stop(h);
}

static void off_is_for_loopback_and_its_own_pages(void **state)
{
    (void)state;
    fake_reset();
    struct fl_http *h = fake_server("off", 30, 1 << 20, 100);
    int port = fl_http_port(h);
    assert_int_equal(raw_request(port, "GET", "/api/v1/tokens", NULL, NULL), 200);
    assert_int_equal(raw_request(port, "GET", "/api/v1/tokens", "flt_wrong", NULL), 401);
    assert_int_equal(raw_ask(port, "GET /api/v1/incidents HTTP/1.1\r\nHost: evil.example\r\n\r\n"), 403);
    assert_int_equal(
        raw_ask(
            port,
            "POST /api/v1/automation/halt HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n"),
        403);
    assert_int_equal(
        raw_ask(port, "POST /api/v1/automation/halt HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n"),
        403);
    assert_int_equal(
        raw_ask(
            port,
            "POST /api/v1/automation/halt HTTP/1.1\r\nHost: 127.0.0.1\r\nSec-Fetch-Site: cross-site\r\n\r\n"),
        403);
    assert_int_equal(fake_submissions(), 0);
    assert_int_equal(
        raw_ask(
            port,
            "POST /api/v1/automation/halt HTTP/1.1\r\nHost: localhost:9195\r\nOrigin: http://localhost:9195\r\n\r\n"),
        200);
    assert_int_equal(fake_submissions(), 1);
    fake_server_stop(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route),
        cmocka_unit_test(refused_before_the_body),
        cmocka_unit_test(schemes),
        cmocka_unit_test(new_and_revoked_tokens),
        cmocka_unit_test(off_is_for_loopback_and_its_own_pages),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
