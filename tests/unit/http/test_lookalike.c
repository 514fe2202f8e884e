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

static char silence_id[64];

/* Three alerts, told apart by the label id: ff fires, aa is silenced, bb is inhibited by ff. */
static void three_alerts(void)
{
    fake_step(
        FL_EV_CONFIG, "",
        "{\"rules\":{\"inhibitions\":[{\"name\":\"r\",\"source\":[\"id=ff\"],\"target\":[\"id=bb\"],\"equal\":[]}]}}");
    const char *said = fake_step(
        FL_EV_COMMAND, "",
        "{\"op\":\"silence.set\",\"silence\":{\"comment\":\"c\",\"createdBy\":\"x\",\"startsAt\":\"2026-01-01T00:00:00Z\","
        "\"endsAt\":\"2097-01-01T00:00:00Z\",\"matchers\":[{\"isRegex\":false,\"name\":\"id\",\"value\":\"aa\"}]}}");
    assert_int_equal(sscanf(said, "{\"silenceID\":\"%36[^\"]\"}", silence_id), 1);
    fake_step(
        FL_EV_ALERTS, "alertmanager-v2",
        "[{\"labels\":{\"alertname\":\"A\",\"instance\":\"2\",\"id\":\"ff\"},\"startsAt\":\"2026-01-02T03:04:05.678901Z\"},"
        "{\"labels\":{\"alertname\":\"A\",\"instance\":\"1\",\"id\":\"aa\"},\"startsAt\":\"2026-01-02T03:04:05Z\","
        "\"annotations\":{\"z\":\"2\",\"a\":\"q\\\"\"},\"generatorURL\":\"http://x/\"},"
        "{\"labels\":{\"alertname\":\"B\",\"cluster\":\"eu1\",\"id\":\"bb\"},\"startsAt\":\"2026-01-02T03:04:05Z\"}]");
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The ids of what a query shows, in the order of their letters; the list itself is by fingerprint. */
static void shows(const char *query, const char *wanted)
{
    struct fl_err err = {0};
    char path[512], got[64] = "";
    const char *ids[8], *last = "";
    snprintf(path, sizeof path, "/api/v2/alerts%s", query);
    assert_int_equal(raw_request(port, "GET", path, token, NULL), 200);
    FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_true(fl_json_is_array(list));
    size_t n = fl_json_len(list);
    assert_true(n <= FL_ARRAY_LEN(ids));
    for (size_t i = 0; i < n; i++) {
        const char *fp = fl_json_str(fl_json_at(list, i), "fingerprint", "");
        assert_int_equal(strlen(fp), 16);
        assert_true(strcmp(last, fp) < 0);
        last = fp;
        ids[i] = fl_json_str(fl_json_get(fl_json_at(list, i), "labels"), "id", "?");
    }
    qsort(ids, n, sizeof *ids, by_text);
    for (size_t i = 0; i < n; i++) {
        strncat(got, ids[i], 2);
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
    three_alerts();
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
    char status[256];
    snprintf(
        status, sizeof status,
        "\"status\":{\"inhibitedBy\":[],\"mutedBy\":[],\"silencedBy\":[\"%s\"],\"state\":\"suppressed\"}",
        silence_id);
    assert_non_null(strstr(raw_body(), status));
    assert_non_null(strstr(raw_body(), "[{\"annotations\":{\"a\":\"q\\\"\",\"z\":\"2\"},\"endsAt\":\""));
    assert_non_null(strstr(raw_body(), "\"generatorURL\":\"http://x/\",\"labels\":{\"alertname\":\"A\","));
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
    three_alerts();
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts/groups", token, NULL), 200);
    FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_int_equal(fl_json_len(list), 2);
    const struct fl_json *plain = fl_json_at(list, 0), *clustered = fl_json_at(list, 1);
    assert_string_equal(fl_json_str(fl_json_get(plain, "labels"), "alertname", ""), "A");
    assert_int_equal(fl_json_len(fl_json_get(plain, "alerts")), 2);
    assert_string_equal(
        fl_json_str(fl_json_get(fl_json_at(fl_json_get(plain, "alerts"), 0), "labels"), "instance", ""), "1");
    assert_string_equal(fl_json_str(fl_json_get(clustered, "labels"), "cluster", ""), "eu1");
    assert_string_equal(fl_json_str(fl_json_get(clustered, "receiver"), "name", ""), "faultline");
    assert_int_equal(raw_request(port, "GET",
                                 "/api/v2/alerts/groups?active=false&silenced=false&inhibited=false", token,
                                 NULL),
                     200);
    assert_string_equal(raw_body(), "[]\n");
}

/* ---- long lists ---- */

enum { MANY = 3000 };

static void many_alerts(void)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_chr(&b, '[');
    for (int i = 0; i < MANY; i++)
        fl_buf_printf(
            &b, "%s{\"labels\":{\"alertname\":\"A%d\",\"id\":\"%d\"},\"annotations\":{\"text\":\"%0500d\"}}",
            i ? "," : "", i % 7, i, i);
    fl_buf_chr(&b, ']');
    fake_step(FL_EV_ALERTS, "alertmanager-v2", b.p);
}

/* What the answer holds: how many, each once. */
static size_t count_ids(const struct fl_json *alerts, bool seen[MANY])
{
    size_t n = fl_json_len(alerts);
    for (size_t i = 0; i < n; i++) {
        int id = atoi(fl_json_str(fl_json_get(fl_json_at(alerts, i), "labels"), "id", "-1"));
        assert_true(id >= 0 && id < MANY && !seen[id]);
        seen[id] = true;
    }
    return n;
}

/* Over a megabyte the answer comes from a file; more than one turn of the core is needed for it. */
static void a_long_list_is_whole(void **state)
{
    (void)state;
    struct fl_err err = {0};
    many_alerts();
    for (int turn = 0; turn < 40; turn++) { /* more than there may be files at a time: each is given back */
        bool seen[MANY] = {false};
        assert_int_equal(raw_request(port, "GET", "/api/v2/alerts", token, NULL), 200);
        assert_true(strlen(raw_body()) > (1 << 20));
        if (turn)
            continue;
        FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
        assert_int_equal(count_ids(list, seen), MANY);
    }
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts/groups?filter=id%3D~%22.%2A%22", token, NULL),
                     200);
    FL_AUTO_JSON groups = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_int_equal(fl_json_len(groups), 7);
    bool seen[MANY] = {false};
    size_t n = 0;
    for (size_t i = 0; i < 7; i++)
        n += count_ids(fl_json_get(fl_json_at(groups, i), "alerts"), seen);
    assert_int_equal(n, MANY);
    assert_int_equal(
        raw_request(port, "GET", "/api/v2/alerts?filter=alertname%3DA3&filter=id%3D~%222...%22", token, NULL),
        200);
    FL_AUTO_JSON some = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_int_equal(fl_json_len(some), 143); /* 2000 to 2999, of the remainder 3 */
}

/* Between any two turns of the core alerts end, among them the one to be looked at next. */
static void some_end(struct fl_flow *f)
{
    static int next;
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_chr(&b, '[');
    for (int i = 0; i < 50; i++, next++)
        fl_buf_printf(
            &b,
            "%s{\"labels\":{\"alertname\":\"A%d\",\"id\":\"%d\"},\"endsAt\":\"2026-01-01T00:00:00Z\",\"startsAt\":\"2025-01-01T00:00:00Z\"}",
            i ? "," : "", next % MANY % 7, next % MANY);
    fl_buf_chr(&b, ']');
    fake_flow_step(f, FL_EV_ALERTS, "alertmanager-v2", b.p);
}

static void a_list_outlives_what_it_lists(void **state)
{
    (void)state;
    struct fl_err err = {0};
    many_alerts();
    fake.between = some_end;
    for (int turn = 0; turn < 5; turn++) {
        bool seen[MANY] = {false};
        assert_int_equal(raw_request(port, "GET", "/api/v2/alerts?filter=id%3D~%22.%2A%22", token, NULL),
                         200);
        FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
        assert_true(fl_json_is_array(list));
        count_ids(list, seen);
    }
}

/* The fingerprints of a list, or of the alerts of all groups, as the answer has them. */
static char *fingerprints(const char *path)
{
    struct fl_err err = {0};
    struct fl_buf b = fl_buf_init(0);
    assert_int_equal(raw_request(port, "GET", path, token, NULL), 200);
    FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *x = fl_json_at(list, i), *in = fl_json_get(x, "alerts");
        fl_buf_printf(&b, "%s;", fl_json_str(x, "fingerprint", ""));
        for (size_t k = 0; in && k < fl_json_len(in); k++)
            fl_buf_printf(&b, "%s,", fl_json_str(fl_json_at(in, k), "fingerprint", ""));
    }
    return fl_buf_take(&b, NULL);
}

/* A regex is tried on every alert, an equality only where the label may be: the same list. */
static void an_equality_finds_what_a_look_at_all_finds(void **state)
{
    (void)state;
    static const char *const plain[] = {"id%3D%221234%22",
                                        "alertname%3DA3",
                                        "alertname%3DA3&filter=id%3D%2217%22",
                                        "id%3Dnobody",
                                        "alertname%3DA5&filter=id!%3D%225%22",
                                        "alertname%3D"};
    static const char *const regex[] = {"id%3D~%221234%22",
                                        "alertname%3D~A3",
                                        "alertname%3D~A3&filter=id%3D~%2217%22",
                                        "id%3D~nobody",
                                        "alertname%3D~A5&filter=id!~%225%22",
                                        "alertname%3D~%22%22"};
    static const char *const lists[] = {"alerts", "alerts/groups"};
    three_alerts();
    many_alerts();
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < FL_ARRAY_LEN(plain) * 2; i++) {
            char path[2][160];
            snprintf(path[0], sizeof path[0], "/api/v2/%s?filter=%s", lists[i % 2], plain[i / 2]);
            snprintf(path[1], sizeof path[1], "/api/v2/%s?filter=%s", lists[i % 2], regex[i / 2]);
            FL_AUTO_FREE char *quick = fingerprints(path[0]);
            FL_AUTO_FREE char *slow = fingerprints(path[1]);
            assert_string_equal(quick, slow);
            assert_int_equal(*quick != 0, i / 2 != 3 && i / 2 != 5 && (i / 2 != 2 || turn < 1));
        }
        FL_AUTO_BUF b = fl_buf_init(0); /* a tenth and then some end, 17 among them */
        fl_buf_chr(&b, '[');
        for (int i = turn ? 0 : 17; i < 1200; i += turn ? 3 : 10)
            fl_buf_printf(
                &b,
                "%s{\"labels\":{\"alertname\":\"A%d\",\"id\":\"%d\"},\"endsAt\":\"2026-01-01T00:00:00Z\"}",
                b.n > 1 ? "," : "", i % 7, i);
        fl_buf_chr(&b, ']');
        fake_step(FL_EV_ALERTS, "alertmanager-v2", b.p);
    }
}

/* ---- any filters: as a look at each alert, which needs no core ---- */

enum { DRAWN = 2500 };
static struct fl_label drawn[DRAWN][5];
static size_t n_drawn[DRAWN];
static char drawn_text[DRAWN][5][16];
static bool over[DRAWN];
static uint64_t rng = 11;

static unsigned dice(unsigned n)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

/* Labels with few values and with many, in different places of the list, and not on all. */
static void draw_alerts(void)
{
    static const char *const names[] = {"cluster", "id", "job", "team", "alertname"};
    static const unsigned many[] = {4, DRAWN, 40, 2, 9};
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_chr(&b, '[');
    for (unsigned i = 0; i < DRAWN; i++) {
        fl_buf_printf(&b, "%s{\"labels\":{", i ? "," : "");
        n_drawn[i] = 0;
        for (size_t k = 0; k < 5; k++) {
            if (k != 1 && !dice(4))
                continue;
            snprintf(drawn_text[i][k], sizeof drawn_text[i][k], "%c%u", names[k][0],
                     k == 1 ? i : dice(many[k]));
            fl_buf_printf(&b, "%s\"%s\":\"%s\"", n_drawn[i] ? "," : "", names[k], drawn_text[i][k]);
            drawn[i][n_drawn[i]++] = (struct fl_label){names[k], drawn_text[i][k]};
        }
        fl_buf_str(&b, "}}");
        over[i] = false;
    }
    fl_buf_chr(&b, ']');
    fake_step(FL_EV_ALERTS, "alertmanager-v2", b.p);
}

static void some_are_over(void)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_chr(&b, '[');
    for (unsigned n = 0; n < DRAWN / 8; n++) {
        unsigned i = dice(DRAWN);
        over[i] = true;
        fl_buf_printf(&b, "%s{\"labels\":{", n ? "," : "");
        for (size_t k = 0; k < n_drawn[i]; k++)
            fl_buf_printf(&b, "%s\"%s\":\"%s\"", k ? "," : "", drawn[i][k].name, drawn[i][k].value);
        fl_buf_str(&b, "},\"endsAt\":\"2026-01-01T00:00:00Z\"}");
    }
    fl_buf_chr(&b, ']');
    fake_step(FL_EV_ALERTS, "alertmanager-v2", b.p);
}

static size_t draw_filters(struct fl_matcher m[3], char text[3][32], char *query)
{
    static const char *const patterns[] = {
        "cluster~c1|c2", "cluster~c[12]", "cluster~c1|", "id~i7|i70|i700",    "id~i1.*",
        "id~i17",        "id~.*[05]",     "job~j1.",     "job~j3|j4|x",       "job~.+",
        "team~t1|t0",    "alertname~a.",  "alertname~",  "id~(i1|i2)[0-9]{2}"};
    size_t n = 1 + dice(3);
    *query = 0;
    for (size_t i = 0; i < n; i++) {
        struct fl_err err = {0};
        snprintf(text[i], sizeof text[i], "%s", patterns[dice(FL_ARRAY_LEN(patterns))]);
        char *value = strchr(text[i], '~');
        *value++ = 0;
        char op = "~~nn=!"[dice(6)];
        if (op == '=' || op == '!')
            value[strcspn(value, "|.[(")] = 0; /* the first of the values, at times one of nobody's or "" */
        m[i] = (struct fl_matcher){.name = text[i], .value = value, .op = op};
        assert_int_equal(fl_matcher_compile(&m[i], &err), FL_OK);
        sprintf(query + strlen(query), "%sfilter=%s%s%%22", i ? "&" : "?", text[i],
                op == '~'   ? "%3D~"
                : op == 'n' ? "!~"
                : op == '!' ? "!%3D"
                            : "%3D");
        for (const char *p = value; *p; p++)
            sprintf(query + strlen(query), "%%%02X", (unsigned)*p);
        strcat(query, "%22");
    }
    return n;
}

static void any_filters_find_what_a_look_at_each_finds(void **state)
{
    (void)state;
    size_t sum = 0;
    draw_alerts();
    for (int turn = 0; turn < 120; turn++) {
        struct fl_matcher m[3];
        struct fl_err err = {0};
        char text[3][32], query[512], path[600];
        static bool seen[MANY];
        size_t n = draw_filters(m, text, query), expected = 0, got = 0;
        memset(seen, 0, sizeof seen);
        snprintf(path, sizeof path, "/api/v2/alerts%s%s", turn % 4 ? "" : "/groups", query);
        assert_int_equal(raw_request(port, "GET", path, token, NULL), 200);
        FL_AUTO_JSON list = fl_json_parse(raw_body(), strlen(raw_body()), &err);
        for (size_t i = 0; i < fl_json_len(list); i++) {
            const struct fl_json *x = fl_json_at(list, i), *in = fl_json_get(x, "alerts");
            for (size_t k = 0; k < (turn % 4 ? 1 : fl_json_len(in)); k++, got++) {
                const struct fl_json *a = turn % 4 ? x : fl_json_at(in, k);
                seen[atoi(fl_json_str(fl_json_get(a, "labels"), "id", "i0") + 1)] = true;
            }
        }
        for (size_t i = 0; i < DRAWN; i++) {
            bool wanted = !over[i] && fl_match_all(m, n, &(struct fl_labels){drawn[i], n_drawn[i]});
            expected += wanted;
            if (wanted != seen[i])
                fail_msg("%s: alert %zu is %s the list", path, i, wanted ? "missing in" : "in");
        }
        assert_int_equal(got, expected);
        sum += got;
        for (size_t i = 0; i < n; i++)
            fl_matcher_done(&m[i]);
        if (turn % 30 == 29)
            some_are_over();
    }
    assert_true(sum > DRAWN * 4 && sum < DRAWN * 100);
}

static void lists_need_the_core_and_no_database(void **state)
{
    (void)state;
    fake.db_down = true;
    three_alerts();
    shows("", "aa bb ff ");
    fake.ask = FL_E_TIMEOUT;
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts", token, NULL), 503);
    assert_int_equal(raw_request(port, "GET", "/api/v2/alerts/groups", token, NULL), 503);
    fake.ask = FL_OK;
    shows("?filter=id%3D~%22a.%22", "aa ");
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
        T(alert_states_and_filters),
        T(alert_groups),
        T(a_long_list_is_whole),
        T(a_list_outlives_what_it_lists),
        T(an_equality_finds_what_a_look_at_all_finds),
        T(any_filters_find_what_a_look_at_each_finds),
        T(lists_need_the_core_and_no_database),
        T(silences_are_listed_in_order),
        T(silences_that_are_refused),
        T(silences_that_are_set),
        T(what_is_gone),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
