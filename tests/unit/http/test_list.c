/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GET /api/v1/alerts with filters: the same as a look at every row, page by page, within a bound; and what is refused. */
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

#define T0 INT64_C(1700000000000000)
enum { ROWS = 3000, MANY = 100050 };

static struct fl_http *h;
static int port;
static const char *token;
static struct fake_episode rows[MANY];
static struct fl_label labels[ROWS][4];
static char numbers[ROWS][8];
static uint64_t seed = 7;

static unsigned random_below(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static int setup(void **state)
{
    (void)state;
    fake_reset();
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    token = fake_token("ann", FL_ROLE_VIEWER, 0, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fake_server_stop(h);
    return 0;
}

static int newest_first(const void *a, const void *b)
{
    const struct fl_alert_key *x = &((const struct fake_episode *)a)->key,
                              *y = &((const struct fake_episode *)b)->key;
    if (x->starts_at != y->starts_at)
        return x->starts_at > y->starts_at ? -1 : 1;
    return (int64_t)x->fingerprint < (int64_t)y->fingerprint ? -1 : 1;
}

static const char *const values[] = {"a", "b", "ab", "a.b", "x"};

static void send_to_core(const struct fake_episode *v, size_t n)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_arr(&w, NULL);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].state, "firing") != 0)
            continue;
        fl_jw_obj(&w, NULL);
        fl_labels_json(&w, "labels", &v[i].labels);
        fl_jw_time(&w, "startsAt", v[i].key.starts_at);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fake_step(FL_EV_ALERTS, "alertmanager-v2", b.p);
}

/* Some labels missing, some starts equal, fingerprints on both sides of zero; the core knows those that fire. */
static void random_rows(void)
{
    static const char *const names[] = {"alertname", "job", "zone"};
    for (unsigned i = 0; i < ROWS; i++) {
        size_t n = 0;
        snprintf(numbers[i], sizeof numbers[i], "%u", i);
        for (size_t k = 0; k < FL_ARRAY_LEN(names); k++) {
            if (random_below(4))
                labels[i][n++] = (struct fl_label){names[k], values[random_below(FL_ARRAY_LEN(values))]};
            if (k == 1)
                labels[i][n++] = (struct fl_label){"n", numbers[i]};
        }
        struct fl_labels all = {labels[i], n};
        rows[i] = (struct fake_episode){.key = {fl_labels_fingerprint(&all), T0 + random_below(ROWS / 3)},
                                        .labels = all,
                                        .state = random_below(3) ? "resolved" : "firing"};
    }
    qsort(rows, ROWS, sizeof *rows, newest_first);
    fake.episodes = rows;
    fake.n_episodes = ROWS;
    send_to_core(rows, ROWS);
}

static struct fl_json *get(const char *path)
{
    struct fl_err err = {0};
    if (raw_request(port, "GET", path, token, NULL) != 200)
        fail_msg("%s: %s", path, raw_body());
    struct fl_json *doc = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    assert_non_null(doc);
    return doc;
}

/* All pages of a list; each must be full but the last. */
static size_t all_pages(const char *query, size_t limit, uint64_t *ret, size_t max)
{
    char path[1024];
    size_t n = 0;
    FL_AUTO_FREE char *after = strdup("");
    for (unsigned page = 0; after; page++) {
        assert_true(page < ROWS);
        snprintf(path, sizeof path, "/api/v1/alerts?%slimit=%zu&after=%s", query, limit, after);
        FL_AUTO_JSON doc = get(path);
        const struct fl_json *list = fl_json_get(doc, "alerts");
        assert_true(fl_json_is_array(list));
        for (size_t i = 0; i < fl_json_len(list); i++, n++) {
            assert_true(n < max);
            assert_true(fl_fingerprint_parse(fl_json_str(fl_json_at(list, i), "fingerprint", ""), &ret[n]));
        }
        const char *next = fl_json_str(doc, "next_after", NULL);
        assert_true(!next || fl_json_len(list) == limit);
        free(after);
        after = next ? strdup(next) : NULL;
    }
    return n;
}

/* Up to three filters of all kinds, as matchers and as a query; `=` and `!=` also of "". */
static size_t random_filters(struct fl_matcher m[3], char *query)
{
    static const char *const names[] = {"alertname", "job", "zone", "none"};
    static const char *const patterns[] = {"a|b", "a.b", "a\\.b", ".*", "", "|x", "[ab]+", "x"};
    static const struct {
        char op;
        const char *text;
    } ops[] = {{'=', "%3D"}, {'!', "!%3D"}, {'~', "%3D~"}, {'n', "!~"}};
    size_t n = random_below(4);
    *query = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned op = random_below(4), k = random_below(FL_ARRAY_LEN(patterns));
        m[i] = (struct fl_matcher){.name = names[random_below(4)], .op = ops[op].op};
        m[i].value = op > 1 ? patterns[k] : k < FL_ARRAY_LEN(values) ? values[k] : "";
        struct fl_err err = {0};
        assert_int_equal(fl_matcher_compile(&m[i], &err), FL_OK);
        sprintf(query + strlen(query), "filter=%s%s%%22", m[i].name, ops[op].text);
        for (const char *p = m[i].value; *p; p++)
            sprintf(query + strlen(query), *p == '\\' ? "%%5C%%5C" : "%%%02X", (unsigned)*p);
        strcat(query, "%22&");
    }
    return n;
}

/* Whether the core says which alerts fire or, when it is too busy, their rows are passed. */
static void a_filtered_list_is_what_a_look_at_all_finds(void **state)
{
    (void)state;
    size_t found = 0;
    random_rows();
    for (int turn = 0; turn < 200; turn++) {
        fake.ask = turn % 3 ? FL_OK : FL_E_TIMEOUT;
        struct fl_matcher m[3];
        char query[512];
        static uint64_t got[ROWS];
        size_t n_filters = random_filters(m, query), n = 0;
        const char *st = random_below(2) ? "firing" : "";
        sprintf(query + strlen(query), "state=%s&", st);
        size_t n_got = all_pages(query, n_filters ? 1 + random_below(700) : 700, got, ROWS);
        for (size_t i = 0; i < ROWS; i++) {
            if (!fl_match_all(m, n_filters, &rows[i].labels) || (*st && strcmp(rows[i].state, st) != 0))
                continue;
            if (n >= n_got || got[n] != rows[i].key.fingerprint)
                fail_msg("%s: row %zu is missing", query, i);
            n++;
        }
        assert_int_equal(n, n_got);
        found += n;
        for (size_t i = 0; i < n_filters; i++)
            fl_matcher_done(&m[i]);
    }
    assert_true(found > ROWS);
}

/* What fires is found below a long history without passing it. */
static void what_fires_is_not_looked_for_in_the_history(void **state)
{
    (void)state;
    static const char *const queries[] = {"", "filter=n%3D~%222...%22&", "filter=n%3D2999&"};
    static const size_t wanted[] = {3, 2, 1}, offsets[] = {0, 1, 0};
    random_rows();
    for (size_t i = 0; i < ROWS; i++) {
        size_t n = rows[i].labels.n;
        unsigned number = (unsigned)atoi(fl_label_get(&rows[i].labels, "n"));
        bool fires = number == 7 || number == 2000 || number == 2999;
        rows[i].state = fires ? "firing" : "resolved";
        rows[i].key.starts_at = fires ? T0 - number : T0;
        assert_true(n > 0);
    }
    fake_server_stop(h); /* a core that knows none of those above */
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    send_to_core(rows, ROWS);
    qsort(rows, ROWS, sizeof *rows, newest_first);
    for (size_t i = 0; i < FL_ARRAY_LEN(queries); i++) {
        char path[128];
        fake.looked = 0;
        snprintf(path, sizeof path, "/api/v1/alerts?%sstate=firing&offset=%zu", queries[i], offsets[i]);
        FL_AUTO_JSON doc = get(path);
        assert_int_equal(fl_json_len(fl_json_get(doc, "alerts")), wanted[i] - offsets[i]);
        assert_null(fl_json_get(doc, "next_after"));
        assert_int_equal(fake.looked, 1000);
    }
    char hex[17], body[128];
    struct fake_episode *silent = &rows[ROWS - 1]; /* it began first */
    snprintf(body, sizeof body, "{\"alerts\":[{\"fingerprint\":\"%s\",\"starts_at\":%lld}]}",
             fl_fingerprint_hex(silent->key.fingerprint, hex), (long long)silent->key.starts_at);
    fake_step(FL_EV_ALERT_EXPIRED, "", body);
    silent->state = "stale";
    FL_AUTO_JSON stale = get("/api/v1/alerts?state=stale");
    FL_AUTO_JSON firing = get("/api/v1/alerts?state=firing");
    assert_int_equal(fl_json_len(fl_json_get(stale, "alerts")), 1);
    assert_string_equal(fl_json_str(fl_json_at(fl_json_get(stale, "alerts"), 0), "fingerprint", ""), hex);
    assert_int_equal(fl_json_len(fl_json_get(firing, "alerts")), 2);
    fake.looked = 0;
    FL_AUTO_JSON over = get("/api/v1/alerts?filter=n%3D2999&state=resolved");
    assert_int_equal(fl_json_len(fl_json_get(over, "alerts")), 0);
    assert_int_equal(fake.looked, ROWS);
}

/* Of an alert that fell silent while it was kept out, only its row is left when nothing keeps it out any more. */
static void what_the_core_forgot_is_listed_with_what_it_knows(void **state)
{
    (void)state;
    static uint64_t got[8];
    static const char *const newest = "/api/v1/alerts?state=firing&limit=1&since=%s";
    random_rows();
    for (size_t i = 0; i < ROWS; i++)
        rows[i].state = "resolved";
    rows[ROWS - 3].state = rows[ROWS - 2].state = rows[ROWS - 1].state = "firing";
    for (size_t i = 0; i < 3; i++)
        rows[ROWS - 1 - i].key.starts_at = T0 - 10 - (fl_usec)i;
    fake_server_stop(h); /* a core that knows none of those above */
    h = fake_server("on", 30, 1 << 20, 100);
    port = fl_http_port(h);
    send_to_core(rows, ROWS);
    qsort(rows, ROWS, sizeof *rows, newest_first);
    rows[4].state = rows[9].state = "firing"; /* not in the core */
    assert_int_equal(all_pages("state=firing&", 700, got, 8), 5);
    assert_int_equal(got[0], rows[4].key.fingerprint);
    assert_int_equal(got[4], rows[ROWS - 1].key.fingerprint);
    assert_int_equal(all_pages("state=firing&", 5, got, 8), 5);
    FL_AUTO_JSON two = get("/api/v1/alerts?state=firing&limit=3&offset=1");
    const struct fl_json *list = fl_json_get(two, "alerts");
    char hex[17], path[128], time[FL_TIME_LEN];
    assert_int_equal(fl_json_len(list), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(fl_json_str(fl_json_at(list, i), "fingerprint", ""),
                            fl_fingerprint_hex(got[1 + i], hex));
    assert_non_null(fl_json_get(two, "next_after"));
    rows[4].state = rows[9].state = "resolved";
    snprintf(path, sizeof path, newest, fl_time_format(rows[ROWS - 3].key.starts_at, time));
    FL_AUTO_JSON one = get(path); /* what began before does not count as a page more */
    assert_int_equal(fl_json_len(fl_json_get(one, "alerts")), 1);
    assert_null(fl_json_get(one, "next_after"));
}

static void pages_by_number(void **state)
{
    (void)state;
    static uint64_t all[ROWS];
    random_rows();
    size_t n = all_pages("filter=job%3Da&", 1000, all, ROWS);
    assert_true(n > 20);
    FL_AUTO_JSON page = get("/api/v1/alerts?filter=job%3Da&limit=3&offset=5");
    const struct fl_json *list = fl_json_get(page, "alerts");
    char hex[17];
    assert_int_equal(fl_json_len(list), 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(fl_json_str(fl_json_at(list, i), "fingerprint", ""),
                            fl_fingerprint_hex(all[5 + i], hex));
}

/* What nobody has is not looked for without end: the answer says where to go on. */
static void a_look_has_a_bound(void **state)
{
    (void)state;
    static struct fl_label last = {"job", "rare"};
    char path[256];
    for (size_t i = 0; i < MANY; i++)
        rows[i] = (struct fake_episode){.key = {i + 1, T0 - (fl_usec)i / 2}, .state = "firing"};
    rows[MANY - 1].labels = (struct fl_labels){&last, 1};
    fake.episodes = rows;
    fake.n_episodes = MANY;
    FL_AUTO_JSON first = get("/api/v1/alerts?filter=job%3Drare");
    assert_int_equal(fl_json_len(fl_json_get(first, "alerts")), 0);
    assert_int_equal(fake.looked, 100000);
    snprintf(path, sizeof path, "/api/v1/alerts?filter=job%%3D~%%22r.*%%22&after=%s",
             fl_json_str(first, "next_after", "?"));
    FL_AUTO_JSON second = get(path);
    assert_int_equal(fl_json_len(fl_json_get(second, "alerts")), 1);
    assert_null(fl_json_get(second, "next_after"));
    assert_int_equal(fake.looked, MANY);
}

static void refuses(const char *query, const char *text, const char *hint)
{
    char path[2048];
    struct fl_err err = {0};
    snprintf(path, sizeof path, "/api/v1/alerts?%s", query);
    assert_int_equal(raw_request(port, "GET", path, token, NULL), 400);
    FL_AUTO_JSON doc = fl_json_parse(raw_body(), strlen(raw_body()), &err);
    const struct fl_json *e = fl_json_get(doc, "error");
    assert_string_equal(fl_json_str(e, "message", ""), text);
    assert_string_equal(fl_json_str(e, "hint", ""), hint);
}

static void bad_filters_say_why(void **state)
{
    (void)state;
    static const char forms[] = "write label=value, label!=value, label=~regex or label!~regex";
    refuses("filter=nonsense", "argument filter: \"nonsense\": bad matcher format: nonsense", forms);
    refuses("filter=", "argument filter: \"\": bad matcher format: ", forms);
    refuses(
        "filter=job%3Da&filter=zone%3D~%22%28%22",
        "argument filter: \"zone=~\"(\"\": invalid regular expression \"(\": error parsing regexp: missing closing ): `(`",
        forms);
    refuses(
        "filter=zone%3D~%22%28%3F%3Dx%29%22",
        "argument filter: \"zone=~\"(?=x)\"\": invalid regular expression \"(?=x)\": look-ahead is not supported",
        forms);
    refuses("filter=a%3D&filter=a%3D&filter=a%3D&filter=a%3D&filter=a%3D&filter=a%3D&filter=a%3D&filter=a%3D&"
            "filter=a%3D&filter=a%3D&filter=a%3D&filter=a%3D&filter=b%3D",
            "argument filter: \"b=\": more than 12 filters", "ask for less at once");
    refuses("after=x", "argument after is no place in the list: \"x\"",
            "give next_after of the page before, as it is");
    refuses("filter=a%3Db&limit=x", "argument limit must be a whole number from 0 to 10000, not \"x\"", "");
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_filtered_list_is_what_a_look_at_all_finds),
        T(what_fires_is_not_looked_for_in_the_history),
        T(what_the_core_forgot_is_listed_with_what_it_knows),
        T(pages_by_number),
        T(a_look_has_a_bound),
        T(bad_filters_say_why),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
