/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The route table: matching, and what every entry must have. */
#include "fake_store.h"
#include "http_priv.h"
#include "raw.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int match(const char *pattern, const char *method, const char *const *segments, size_t n,
                 const char **params)
{
    struct route t = {.method = "GET", .path = pattern};
    return route_match(&t, method, segments, n, params);
}

static void matching(void **state)
{
    (void)state;
    const char *params[MAX_PARAMS] = {0};
    const char *a[] = {"api", "v1", "incidents", "INC-1"};
    assert_int_equal(match("/api/v1/incidents/{id}", "GET", a, 4, params), 2);
    assert_string_equal(params[0], "INC-1");
    assert_int_equal(match("/api/v1/incidents/{id}", "POST", a, 4, params), 1);
    assert_int_equal(match("/api/v1/incidents/{id}", "GET", a, 3, params), 0);
    assert_int_equal(match("/api/v1/incidents", "GET", a, 4, params), 0);
    assert_int_equal(match("/api/v1/incidents/{id}/timeline", "GET", a, 4, params), 0);
    const char *empty[] = {"api", "v1", "incidents", ""};
    assert_int_equal(match("/api/v1/incidents/{id}", "GET", empty, 4, params), 0);
    const char *prefix[] = {"api", "v1", "incidentsx"};
    assert_int_equal(match("/api/v1/incidents", "GET", prefix, 3, params), 0);
    const char *literal[] = {"-", "healthy"};
    assert_int_equal(match("/-/healthy", "GET", literal, 2, params), 2);
}

static void every_entry_is_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < n_routes; i++) {
        const struct route *t = &routes[i];
        assert_true((t->run != NULL) != (t->read != NULL));
        assert_true(t->summary && strlen(t->summary) > 5);
        assert_true(!(t->flags & ROUTE_BODY) || !(t->flags & ROUTE_BODY_MAY));
        /* Whatever changes something may not be reached without a body check or by everybody. */
        if (strcmp(t->method, "GET") != 0) {
            assert_int_not_equal(t->roles, ROLE_PUBLIC);
            assert_int_equal(t->roles & FL_ROLE_VIEWER, 0);
        }
        for (size_t j = 0; j < i; j++)
            assert_false(!strcmp(routes[j].path, t->path) && !strcmp(routes[j].method, t->method));
    }
}

static void document_lists_every_route(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_http *h = fake_server("on", 30, 1 << 20, 100);
    assert_int_equal(raw_request(fl_http_port(h), "GET", "/openapi.json", NULL, NULL), 200);
    FL_AUTO_JSON doc = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_non_null(doc);
    for (size_t i = 0; i < n_routes; i++) {
        const struct fl_json *path = fl_json_get(fl_json_get(doc, "paths"), routes[i].path);
        assert_non_null(path);
        char method[8] = "";
        for (size_t k = 0; routes[i].method[k]; k++)
            method[k] = (char)(routes[i].method[k] | 0x20);
        assert_non_null(fl_json_get(path, method));
        assert_string_equal(fl_json_str(fl_json_get(path, method), "summary", ""), routes[i].summary);
    }
    fake_server_stop(h);
}

static void methods_and_paths(void **state)
{
    (void)state;
    struct fl_http *h = fake_server("on", 30, 1 << 20, 100);
    int port = fl_http_port(h);
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
    assert_string_equal(raw_body(), "OK");
    assert_int_equal(raw_request(port, "HEAD", "/-/healthy", NULL, NULL), 200);
    assert_string_equal(raw_body(), "");
    assert_int_equal(raw_request(port, "OPTIONS", "/api/v1/topology", NULL, NULL), 204);
    assert_string_equal(raw_header("Allow"), "GET,PUT");
    assert_null(raw_header("Access-Control-Allow-Origin"));
    assert_int_equal(raw_request(port, "DELETE", "/api/v1/topology", NULL, NULL), 405);
    assert_string_equal(raw_header("Allow"), "GET,PUT");
    assert_int_equal(raw_request(port, "BREW", "/-/healthy", NULL, NULL), 405);
    static const char *const nowhere[] = {"/",
                                          "/ui",
                                          "/index.html",
                                          "/-/healthy/",
                                          "//-/healthy",
                                          "/api/v1/",
                                          "/api/v1/incidents/",
                                          "/alertmanager/api/v2/status",
                                          "/../etc/passwd",
                                          "/api/v1/../../etc/passwd",
                                          "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p"};
    for (size_t i = 0; i < FL_ARRAY_LEN(nowhere); i++)
        assert_int_equal(raw_request(port, "GET", nowhere[i], NULL, NULL), 404);
    assert_int_equal(raw_request(port, "GET", "/api/v2/nothing", NULL, NULL), 404);
    assert_string_equal(raw_body(), "{\"code\":404,\"message\":\"path /api/v2/nothing was not found\"}");
    assert_int_equal(raw_request(port, "PUT", "/api/v2/alerts", NULL, "[]"), 405);
    assert_string_equal(raw_body(),
                        "{\"code\":405,\"message\":\"method PUT is not allowed, but [GET,POST] are\"}");
    fake_server_stop(h);
}

static void metrics_are_text(void **state)
{
    (void)state;
    struct fl_http *h = fake_server("on", 30, 1 << 20, 100);
    assert_int_equal(raw_request(fl_http_port(h), "GET", "/metrics", NULL, NULL), 200);
    assert_string_equal(raw_header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
    assert_non_null(strstr(raw_body(), "\nalertmanager_build_info{version=\"0.25.0\""));
    /* HELP and TYPE once per family, every sample after its family. */
    for (const char *p = strstr(raw_body(), "# TYPE "); p; p = strstr(p + 1, "# TYPE ")) {
        char line[256];
        snprintf(line, sizeof line, "%.*s ", (int)strcspn(p + 7, " "), p + 7);
        char again[300];
        snprintf(again, sizeof again, "# TYPE %s", line);
        assert_null(strstr(p + 1, again));
    }
    fake_server_stop(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matching),
        cmocka_unit_test(every_entry_is_whole),
        cmocka_unit_test(document_lists_every_route),
        cmocka_unit_test(methods_and_paths),
        cmocka_unit_test(metrics_are_text),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    fake_reset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
