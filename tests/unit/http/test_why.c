/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/why/{what}: an alert, at a time, nearly one, an incident and what it has absorbed, and who may ask. */
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

#define FP "aaaaaaaaaaaaaaa1"
static struct fl_http *h;
static int port;
static const char *token;

static int setup(void **state)
{
    (void)state;
    fake_reset();
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    token = fake_token("vera", FL_ROLE_VIEWER, 0, 0);
    fake.documents[FL_READ_ALERT] =
        "[{\"fingerprint\":\"" FP
        "\",\"alertname\":\"Down\",\"incident\":\"INC-1\",\"starts_at\":\"2026-11-20T10:00:00Z\","
        "\"ends_at\":null,\"why\":[\"accepted\"]},"
        "{\"fingerprint\":\"" FP
        "\",\"alertname\":\"Down\",\"incident\":null,\"starts_at\":\"2026-11-13T10:00:00Z\","
        "\"ends_at\":\"2026-11-13T11:00:00Z\",\"why\":[\"held\"]}]";
    fake.documents[FL_READ_TIMELINE] =
        "[{\"incident\":\"INC-1\",\"kind\":\"incident.opened\",\"text\":\"opened by Down\"},"
        "{\"incident\":\"INC-2\",\"kind\":\"incident.opened\",\"text\":\"opened by Slow\"},"
        "{\"incident\":\"INC-2\",\"kind\":\"run.proposed\",\"text\":\"proposes restart\"},"
        "{\"incident\":\"INC-1\",\"kind\":\"incident.absorbed\",\"text\":\"INC-2 was merged\"},"
        "{\"incident\":\"INC-1\",\"kind\":\"playbook.none\",\"text\":\"no playbook: first\"},"
        "{\"incident\":\"INC-1\",\"kind\":\"ranking.made\",\"text\":\"cause: old\"},"
        "{\"incident\":\"INC-1\",\"kind\":\"ranking.made\",\"text\":\"cause: new\"}]";
    fake.documents[FL_READ_INCIDENT] =
        "{\"id\":\"INC-1\",\"state\":\"open\",\"title\":\"t\",\"alerts_firing\":1,\"alerts_stale\":0,\"alerts\":["
        "{\"fingerprint\":\"" FP "\",\"status\":\"firing\",\"alertname\":\"Down\",\"node\":null},"
        "{\"fingerprint\":\"bb\",\"status\":\"resolved\",\"alertname\":\"Slow\",\"node\":\"db\"}]}";
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

static struct fl_json *get(const char *path, int code)
{
    struct fl_err err = {0};
    assert_int_equal(raw_request(port, "GET", path, token, NULL), code);
    struct fl_json *doc = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_non_null(doc);
    return doc;
}

/* The answers to a question, "|" between them; NULL: it was not asked. */
static const char *answers(const struct fl_json *doc, const char *question)
{
    static char text[1024];
    const struct fl_json *why = fl_json_get(doc, "why");
    for (size_t i = 0; i < fl_json_len(why); i++) {
        const struct fl_json *q = fl_json_at(why, i), *a = fl_json_get(q, "answers");
        if (strcmp(fl_json_str(q, "question", ""), question) != 0)
            continue;
        *text = 0;
        for (size_t k = 0; k < fl_json_len(a); k++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", k ? "|" : "",
                     fl_json_string(fl_json_at(a, k)));
        return text;
    }
    return NULL;
}

static void an_alert(void **state)
{
    (void)state;
    FL_AUTO_JSON doc = get("/api/v1/why/" FP, 200);
    const struct fl_json *list = fl_json_get(doc, "episodes");
    assert_int_equal(fl_json_len(list), 2);
    const struct fl_json *now = fl_json_at(list, 0), *then = fl_json_at(list, 1);
    assert_string_equal(fl_json_str(now, "alertname", ""), "Down");
    assert_string_equal(fl_json_string(fl_json_at(fl_json_get(now, "why"), 0)), "accepted");
    const struct fl_json *did = fl_json_get(now, "response");
    assert_int_equal(fl_json_len(did), 1); /* what was proposed in the incident that ended in this one */
    assert_string_equal(fl_json_string(fl_json_at(did, 0)), "proposes restart (written in INC-2)");
    assert_int_equal(fl_json_len(fl_json_get(then, "response")), 0);
}

static void an_alert_at_a_time(void **state)
{
    (void)state;
    FL_AUTO_JSON then = get("/api/v1/why/" FP "?at=2026-11-13T10:30:00Z", 200);
    assert_int_equal(fl_json_len(fl_json_get(then, "episodes")), 1);
    assert_string_equal(fl_json_str(fl_json_at(fl_json_get(then, "episodes"), 0), "starts_at", ""),
                        "2026-11-13T10:00:00Z");
    FL_AUTO_JSON now = get("/api/v1/why/" FP "?at=2026-11-25T00:00:00Z", 200);
    assert_int_equal(fl_json_len(fl_json_get(now, "episodes")), 1);
    FL_AUTO_JSON not = get("/api/v1/why/" FP "?at=2026-11-15T00:00:00Z", 404);
    const struct fl_json *e = fl_json_get(not, "error");
    assert_string_equal(fl_json_str(e, "message", ""), FP " did not fire at 2026-11-15T00:00:00Z");
    assert_int_equal(fl_json_int(e, "episodes", 0), 2);
    assert_string_equal(fl_json_str(fl_json_at(fl_json_get(e, "fired"), 1), "ends_at", ""),
                        "2026-11-13T11:00:00Z");
    FL_AUTO_JSON bad = get("/api/v1/why/" FP "?at=noon", 400);
    assert_string_equal(fl_json_str(fl_json_get(bad, "error"), "field", ""), "at");
}

static void nobody(void **state)
{
    (void)state;
    fake.documents[FL_READ_ALERT] = "";
    fake.documents[FL_READ_NEAR] =
        "{\"near\":[{\"fingerprint\":\"aaaaaaaaaaaaaaa0\",\"alertname\":\"Down\"}],\"deadletters\":0}";
    FL_AUTO_JSON doc = get("/api/v1/why/" FP, 404);
    const struct fl_json *e = fl_json_get(doc, "error");
    assert_string_equal(fl_json_str(e, "message", ""),
                        "no alert with the fingerprint " FP " was ever accepted in this realm");
    assert_string_equal(fl_json_str(fl_json_at(fl_json_get(e, "near"), 0), "fingerprint", ""),
                        "aaaaaaaaaaaaaaa0");
    assert_string_equal(fl_json_str(e, "hint", ""),
                        "everything that arrived could be read: there is no dead letter");
    fake.documents[FL_READ_NEAR] = "{\"near\":[],\"deadletters\":3}";
    FL_AUTO_JSON letters = get("/api/v1/why/" FP, 404);
    assert_non_null(
        strstr(fl_json_str(fl_json_get(letters, "error"), "hint", ""), "faultline deadletter list"));
    FL_AUTO_JSON neither = get("/api/v1/why/xyz", 404);
    assert_string_equal(fl_json_str(fl_json_get(neither, "error"), "message", ""),
                        "\"xyz\" is neither a fingerprint nor an incident");
    FL_AUTO_JSON none = get("/api/v1/why/INC-2026-404", 404);
    assert_string_equal(fl_json_str(fl_json_get(none, "error"), "message", ""),
                        "there is no incident \"INC-2026-404\"");
}

static void an_incident(void **state)
{
    (void)state;
    FL_AUTO_JSON doc = get("/api/v1/why/INC-1", 200);
    assert_string_equal(fl_json_str(fl_json_get(doc, "incident"), "id", ""), "INC-1");
    assert_int_equal(fl_json_len(fl_json_get(doc, "timeline")), 7);
    assert_string_equal(answers(doc, "why it was opened"),
                        "opened by Down|opened by Slow (written in INC-2)");
    assert_string_equal(answers(doc, "what was merged or split, and why"), "INC-2 was merged");
    assert_string_equal(answers(doc, "which cause, and why"), "cause: new");
    assert_string_equal(answers(doc, "why this state"), "it has had no other");
    assert_string_equal(answers(doc, "why it is not resolved"),
                        "1 firing, 0 stale (their senders fell silent: not known to be over)|" FP
                        " firing Down on no component");
    assert_string_equal(answers(doc, "which playbooks, or why none"), "proposes restart (written in INC-2)");
    assert_null(answers(doc, "where it goes on"));
    fake.documents[FL_READ_INCIDENT] = "{\"id\":\"INC-2\",\"state\":\"merged\",\"merged_into\":\"INC-1\"}";
    fake.documents[FL_READ_TIMELINE] =
        "[{\"incident\":\"INC-2\",\"kind\":\"playbook.none\",\"text\":\"no playbook\"}]";
    FL_AUTO_JSON gone = get("/api/v1/why/INC-2", 200);
    assert_string_equal(answers(gone, "where it goes on"),
                        "INC-1 took it in and has its alerts, runs and chronology");
    assert_null(answers(gone, "why it is not resolved"));
    assert_string_equal(answers(gone, "which cause, and why"), "not ranked yet");
    assert_string_equal(answers(gone, "which playbooks, or why none"), "no playbook");
}

static void who_may_ask(void **state)
{
    (void)state;
    const char *sender = fake_token("prometheus", FL_ROLE_INGEST, 0, 0);
    assert_int_equal(raw_request(port, "GET", "/api/v1/why/" FP, sender, NULL), 403);
    assert_int_equal(raw_request(port, "GET", "/api/v1/why/INC-1", sender, NULL), 403);
    assert_int_equal(raw_request(port, "GET", "/api/v1/why/INC-1", NULL, NULL), 401);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {T(an_alert), T(an_alert_at_a_time), T(nobody), T(an_incident),
                                       T(who_may_ask)};
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
