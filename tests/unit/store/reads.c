/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/reads.c -- every document, audit, journal, tokens, dead letters, bitemporal topology. */
#include "support.h"

#include <faultline/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0 INT64_C(1700000000000000)
#define MINUTE (60 * FL_USEC_PER_SEC)

static struct pg_test *pg;
static const char *db;
static struct counts c;
static struct fl_reader *reader;

static const struct fl_node nodes1[] = {{.id = "cart", .type = "service", .owner = "shop"},
                                        {.id = "db", .type = "store"}};
static const struct fl_edge edges1[] = {{.from = "cart", .to = "db", .type = "calls", .weight = 1}};
static const struct fl_node nodes2[] = {{.id = "cart", .type = "service", .owner = "web"},
                                        {.id = "cache", .type = "store"}};
static const struct fl_topology_doc doc1 = {nodes1, 2, edges1, 1, {{1}}}, doc2 = {nodes2, 2, NULL, 0, {{2}}};
static const struct fl_change change1 = {
    .time = T0, .component = "cart", .kind = "deploy", .id = "c1", .title = "v2"};
static const struct fl_label labels[] = {{"alertname", "Down"}, {"job", "x"}};

static void incident_into(struct fl_effects *fx, const char *id, fl_incident_state state, fl_usec at,
                          const char *into)
{
    add_fx(fx, FL_FX_INCIDENT)->incident = (struct fl_incident_row){.id = id,
                                                                    .title = "cart is \"down\"",
                                                                    .state = state,
                                                                    .severity = FL_SEV_CRITICAL,
                                                                    .opened_at = at,
                                                                    .updated_at = at,
                                                                    .alerts_total = 2,
                                                                    .cause = "db",
                                                                    .confidence = 0.75,
                                                                    .merged_into = into,
                                                                    .acked_by = "",
                                                                    .assignee = "",
                                                                    .reason = "opened"};
}

static void incident(struct fl_effects *fx, const char *id, fl_incident_state state, fl_usec at)
{
    incident_into(fx, id, state, at, "");
}

/* INC-7 ended in INC-6, that in INC-5; each has a line of the time when it was on its own. */
static void fill_absorbed(struct fl_effects *fx, const struct fl_event *ev)
{
    (void)ev;
    incident(fx, "INC-5", FL_INC_RESOLVED, T0 - 5 * MINUTE);
    incident_into(fx, "INC-6", FL_INC_MERGED, T0 - 4 * MINUTE, "INC-5");
    incident_into(fx, "INC-7", FL_INC_MERGED, T0 - 3 * MINUTE, "INC-6");
    static const char *const ids[] = {"INC-5", "INC-7", "INC-6", "INC-5"};
    for (unsigned i = 0; i < FL_ARRAY_LEN(ids); i++)
        add_fx(fx, FL_FX_TIMELINE)->timeline = (struct fl_timeline_row){.incident = ids[i],
                                                                        .event_seq = fx->event_seq,
                                                                        .n = i,
                                                                        .at = T0,
                                                                        .kind = "run.proposed",
                                                                        .actor = "engine",
                                                                        .text = ids[i],
                                                                        .detail = "{}"};
}

static void fill_all(struct fl_effects *fx)
{
    incident(fx, "INC-1", FL_INC_OPEN, T0);
    incident(fx, "INC-2", FL_INC_RESOLVED, T0 + MINUTE);
    for (unsigned i = 0; i < 2; i++) {
        add_fx(fx, FL_FX_ALERT)->alert = (struct fl_alert_row){.fingerprint = 0xaaaaaaaaaaaaaaa0u + i,
                                                               .starts_at = T0 + i,
                                                               .updated_at = T0,
                                                               .status = FL_ALERT_FIRING,
                                                               .labels = {labels, 2},
                                                               .severity = FL_SEV_CRITICAL,
                                                               .node = i ? "" : "cart",
                                                               .map_rule = "",
                                                               .source = "x",
                                                               .generator_url = "",
                                                               .incident = i ? "" : "INC-1",
                                                               .why = "[\"accepted\"]",
                                                               .silenced_by = i ? "[\"s1\",\"s2\"]" : "[]",
                                                               .inhibited_by = i ? "[\"aaaaaaaaaaaaaaa0\"]"
                                                                                 : NULL};
        add_fx(fx, FL_FX_TIMELINE)->timeline = (struct fl_timeline_row){.incident = "INC-1",
                                                                        .event_seq = fx->event_seq,
                                                                        .n = i,
                                                                        .at = T0,
                                                                        .kind = "opened",
                                                                        .actor = "engine",
                                                                        .text = i ? "second" : "first",
                                                                        .detail = "{\"z\":1,\"a\":2}"};
        add_fx(fx, FL_FX_RANKING)->ranking = (struct fl_ranking_row){
            .incident = "INC-1",
            .version = i + 1,
            .at = T0,
            .event_seq = fx->event_seq,
            .model = "m",
            .json = i ? "{\"candidates\":[{\"node\":\"db\"}]}" : "{\"candidates\":[]}"};
        add_fx(fx, FL_FX_CALL)->call = (struct fl_call_row){.run = "RUN-1",
                                                            .n = i + 1,
                                                            .fn = "http",
                                                            .step = "",
                                                            .args = "{}",
                                                            .state = i ? FL_CALL_INTENT : FL_CALL_DONE,
                                                            .result = i ? "" : "{\"ok\":true}",
                                                            .reason = "",
                                                            .intent_at = T0};
    }
    add_fx(fx, FL_FX_RUN)->run = (struct fl_run_row){.id = "RUN-1",
                                                     .incident = "INC-1",
                                                     .playbook = "restart",
                                                     .version = "1",
                                                     .state = FL_RUN_RUNNING,
                                                     .requested_by = "ann",
                                                     .approved_by = "",
                                                     .approval = "required",
                                                     .params = "{}",
                                                     .ctx = "{}",
                                                     .reason = "",
                                                     .result = "",
                                                     .created_at = T0};
    for (unsigned i = 0; i < 3; i++) /* the last one is another state of the first */
        add_fx(fx, FL_FX_SILENCE)->silence = (struct fl_silence_row){.id = i == 1 ? "s2" : "s1",
                                                                     .created_by = "ops",
                                                                     .comment = i == 2 ? "it's longer" : "",
                                                                     .matchers = "[{\"name\":\"a\"}]",
                                                                     .starts_at = T0,
                                                                     .ends_at = T0 + (i + 1) * MINUTE,
                                                                     .updated_at = T0 + i};
    add_fx(fx, FL_FX_CHANGE)->change = (struct fl_change_row){&change1, fx->event_seq};
    add_fx(fx, FL_FX_CHANGE)->change = (struct fl_change_row){&change1, fx->event_seq};
    add_fx(fx, FL_FX_TOPOLOGY)->topology = (struct fl_topology_row){T0, fx->event_seq, &doc1};
    for (uint64_t i = 1; i <= 5; i++)
        add_audit(fx, i, fx->event_seq);
}

static void fill(struct fl_effects *fx, const struct fl_event *ev)
{
    if (ev->seq == 1)
        fill_all(fx);
    if (ev->seq == 2)
        add_fx(fx, FL_FX_TOPOLOGY)->topology = (struct fl_topology_row){T0 + MINUTE, ev->seq, &doc2};
}

static struct fl_json *read_doc(fl_read what, struct fl_read_args a)
{
    struct fl_err err = {0};
    FL_AUTO_BUF b = fl_buf_init(1 << 24);
    a.realm = "default";
    assert_ok(fl_read_json(reader, what, &a, &b, &err));
    struct fl_json *j = fl_json_parse(b.p, b.n, &err);
    if (!j)
        fail_msg("%s: %s", err.text, b.p);
    return j;
}

static fl_status try_doc(fl_read what, const char *id)
{
    struct fl_read_args a = {.realm = "default", .id = id};
    FL_AUTO_BUF b = fl_buf_init(1 << 24);
    return fl_read_json(reader, what, &a, &b, NULL);
}

static const char *at(const struct fl_json *list, size_t i, const char *key)
{
    return fl_json_str(fl_json_at(list, i), key, "(none)");
}

static void test_incidents(void **state)
{
    (void)state;
    FL_AUTO_JSON all = read_doc(FL_READ_INCIDENTS, (struct fl_read_args){0});
    assert_int_equal(fl_json_len(all), 2);
    assert_string_equal(at(all, 0, "id"), "INC-2");
    assert_string_equal(at(all, 1, "opened_at"), "2023-11-14T22:13:20.000000Z");
    FL_AUTO_JSON open = read_doc(FL_READ_INCIDENTS, (struct fl_read_args){.state = "open"});
    assert_int_equal(fl_json_len(open), 1);
    FL_AUTO_JSON page = read_doc(FL_READ_INCIDENTS, (struct fl_read_args){.limit = 1, .offset = 1});
    assert_string_equal(at(page, 0, "id"), "INC-1");
    FL_AUTO_JSON since = read_doc(FL_READ_INCIDENTS, (struct fl_read_args){.since = T0 + MINUTE});
    assert_int_equal(fl_json_len(since), 1);
    FL_AUTO_JSON one = read_doc(FL_READ_INCIDENT, (struct fl_read_args){.id = "INC-1"});
    assert_string_equal(fl_json_str(one, "title", ""), "cart is \"down\"");
    assert_string_equal(fl_json_str(one, "cause", ""), "db");
    assert_string_equal(at(fl_json_get(one, "alerts"), 0, "fingerprint"), "aaaaaaaaaaaaaaa0");
    assert_string_equal(at(fl_json_get(one, "alerts"), 0, "node"), "cart");
    assert_string_equal(
        fl_json_str(fl_json_get(fl_json_at(fl_json_get(one, "alerts"), 0), "labels"), "alertname", ""),
        "Down");
    assert_int_equal(fl_json_len(fl_json_get(fl_json_get(one, "ranking"), "candidates")), 1);
    assert_string_equal(at(fl_json_get(one, "runs"), 0, "playbook"), "restart");
    FL_AUTO_JSON two = read_doc(FL_READ_INCIDENT, (struct fl_read_args){.id = "INC-2"});
    assert_null(fl_json_get(two, "ranking"));
    assert_int_equal(fl_json_len(fl_json_get(two, "alerts")), 0);
    assert_int_equal(try_doc(FL_READ_INCIDENT, "INC-9"), FL_E_NOTFOUND);
}

static void test_parts(void **state)
{
    (void)state;
    FL_AUTO_JSON line = read_doc(FL_READ_TIMELINE, (struct fl_read_args){.id = "INC-1"});
    assert_int_equal(fl_json_len(line), 2);
    assert_string_equal(at(line, 0, "text"), "first");
    FL_AUTO_JSON none = read_doc(FL_READ_TIMELINE, (struct fl_read_args){.id = "INC-2"});
    assert_int_equal(fl_json_len(none), 0);
    assert_int_equal(try_doc(FL_READ_TIMELINE, "INC-9"), FL_E_NOTFOUND);
    FL_AUTO_JSON last = read_doc(FL_READ_RANKING, (struct fl_read_args){.id = "INC-1"});
    assert_int_equal(fl_json_int(last, "version", 0), 2);
    FL_AUTO_JSON first = read_doc(FL_READ_RANKING, (struct fl_read_args){.id = "INC-1", .offset = 1});
    assert_int_equal(fl_json_int(first, "version", 0), 1);
    assert_int_equal(try_doc(FL_READ_RANKING, "INC-2"), FL_E_NOTFOUND);
    FL_AUTO_JSON runs = read_doc(FL_READ_RUNS, (struct fl_read_args){.state = "running", .text = "INC-1"});
    assert_int_equal(fl_json_len(runs), 1);
    FL_AUTO_JSON run = read_doc(FL_READ_RUN, (struct fl_read_args){.id = "RUN-1"});
    assert_int_equal(fl_json_len(fl_json_get(run, "calls")), 2);
    assert_true(fl_json_bool(fl_json_get(fl_json_at(fl_json_get(run, "calls"), 0), "result"), "ok", false));
    assert_int_equal(try_doc(FL_READ_RUN, "RUN-9"), FL_E_NOTFOUND);
    FL_AUTO_JSON changes = read_doc(FL_READ_CHANGES, (struct fl_read_args){.text = "cart"});
    assert_int_equal(fl_json_len(changes), 2);
    FL_AUTO_JSON other = read_doc(FL_READ_CHANGES, (struct fl_read_args){.text = "db"});
    assert_int_equal(fl_json_len(other), 0);
}

/* A chronology is also that of the incidents that ended in it, in one order, and each line says whose it is. */
static void test_absorbed(void **state)
{
    (void)state;
    struct fl_err err = {0};
    int before = c.answered;
    c.fill = fill_absorbed;
    assert_ok(submit(c.store, &c, FL_EV_TICK, "", 0));
    for (int i = 0; i < 10000 && c.answered == before; i++)
        usleep(1000);
    assert_int_equal(c.answered, before + 1);
    c.fill = fill;
    FL_AUTO_JSON line = read_doc(FL_READ_TIMELINE, (struct fl_read_args){.id = "INC-5"});
    assert_int_equal(fl_json_len(line), 4);
    static const char *const order[] = {"INC-5", "INC-7", "INC-6", "INC-5"};
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(at(line, i, "incident"), order[i]);
    FL_AUTO_JSON page = read_doc(FL_READ_TIMELINE,
                                 (struct fl_read_args){.id = "INC-5", .limit = 2, .offset = 2});
    assert_int_equal(fl_json_len(page), 2);
    assert_string_equal(at(page, 0, "incident"), "INC-6");
    FL_AUTO_JSON middle = read_doc(FL_READ_TIMELINE, (struct fl_read_args){.id = "INC-6"});
    assert_int_equal(fl_json_len(middle), 2);
    FL_AUTO_JSON last = read_doc(FL_READ_TIMELINE, (struct fl_read_args){.id = "INC-7"});
    assert_int_equal(fl_json_len(last), 1);
}

static const char *near_of(const char *realm, const char *fp, char *buf, size_t cap)
{
    struct fl_err err = {0};
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    assert_ok(fl_read_json(reader, FL_READ_NEAR, &(struct fl_read_args){.realm = realm, .id = fp}, &b, &err));
    FL_AUTO_JSON doc = fl_json_parse(b.p, b.n, &err);
    const struct fl_json *near = fl_json_get(doc, "near");
    assert_true(fl_json_is_array(near));
    *buf = 0;
    for (size_t i = 0; i < fl_json_len(near); i++) {
        assert_string_equal(at(near, i, "alertname"), "Down");
        snprintf(buf + strlen(buf), cap - strlen(buf), "%s ", at(near, i, "fingerprint"));
    }
    return buf;
}

/* Up to three digits apart, the nearest first; nothing of another realm. */
static void test_near(void **state)
{
    (void)state;
    char buf[256];
    assert_string_equal(near_of("default", "aaaaaaaaaaaaaaa1", buf, sizeof buf),
                        "aaaaaaaaaaaaaaa1 aaaaaaaaaaaaaaa0 ");
    assert_string_equal(near_of("default", "2aaaaaaaaaaaaaa0", buf, sizeof buf),
                        "aaaaaaaaaaaaaaa0 aaaaaaaaaaaaaaa1 ");
    assert_string_equal(near_of("default", "baaab555aaaaaaa1", buf, sizeof buf), "");
    assert_string_equal(near_of("default", "baaab5aaaaaaaaa1", buf, sizeof buf), "aaaaaaaaaaaaaaa1 ");
    assert_string_equal(near_of("elsewhere", "aaaaaaaaaaaaaaa1", buf, sizeof buf), "");
    assert_int_equal(try_doc(FL_READ_NEAR, "xyz"), FL_E_NOTFOUND);
}

static void test_alerts(void **state)
{
    (void)state;
    FL_AUTO_JSON firing = read_doc(FL_READ_ALERTS, (struct fl_read_args){.state = "firing", .text = ""});
    assert_int_equal(fl_json_len(firing), 2);
    FL_AUTO_JSON unmapped = read_doc(FL_READ_ALERTS, (struct fl_read_args){.state = "unmapped"});
    assert_int_equal(fl_json_len(unmapped), 1);
    assert_string_equal(at(unmapped, 0, "fingerprint"), "aaaaaaaaaaaaaaa1");
    FL_AUTO_JSON of = read_doc(FL_READ_ALERTS, (struct fl_read_args){.text = "INC-1"});
    assert_int_equal(fl_json_len(of), 1);
    FL_AUTO_JSON why = read_doc(FL_READ_ALERT, (struct fl_read_args){.id = "aaaaaaaaaaaaaaa0"});
    assert_string_equal(fl_json_string(fl_json_at(fl_json_get(fl_json_at(why, 0), "why"), 0)), "accepted");
    assert_int_equal(try_doc(FL_READ_ALERT, "0000000000000001"), FL_E_NOTFOUND);
    assert_int_equal(try_doc(FL_READ_ALERT, "'; DROP"), FL_E_NOTFOUND);
}

struct seen {
    size_t n, enough;
    struct fl_alert_key v[8];
    char values[8][16];
};
static bool see_alert(void *ctx, struct fl_alert_key key, const char *const *values)
{
    struct seen *x = ctx;
    assert_true(x->n < FL_ARRAY_LEN(x->v));
    x->v[x->n] = key;
    snprintf(x->values[x->n++], sizeof x->values[0], "%s,%s", values[0], values[1]);
    return x->n != x->enough;
}

/* @return rows looked at. */
static size_t look(struct fl_alert_look l, struct seen *x)
{
    static const char *const names[] = {"job", "none"};
    struct fl_err err = {0};
    struct fl_alert_key last;
    size_t looked;
    l.realm = l.realm ? l.realm : "default";
    l.names = names;
    l.n_names = 2;
    l.most = l.most ? l.most : 100;
    x->n = 0;
    assert_ok(fl_read_alert_keys(reader, &l, see_alert, x, &looked, &last, &err));
    if (looked)
        assert_int_equal(last.fingerprint, 0xaaaaaaaaaaaaaaa0u + (l.most == 1));
    return looked;
}

/* The rows passed are counted, wanted or not; labels are compared by the database, quotes and all. */
static void test_alert_keys(void **state)
{
    (void)state;
    struct seen x = {0};
    static const struct fl_label has[] = {{"job", "x"}, {"alertname", "Down"}},
                                 hasnt[] = {{"job", "x"}, {"alertname", "\"}'\\"}};
    assert_int_equal(look((struct fl_alert_look){.having = has, .n_having = 2}, &x), 2);
    assert_int_equal(x.n, 2);
    assert_int_equal(x.v[0].fingerprint, 0xaaaaaaaaaaaaaaa1u);
    assert_int_equal(x.v[0].starts_at, T0 + 1);
    assert_string_equal(x.values[0], "x,");
    assert_int_equal(look((struct fl_alert_look){.having = hasnt, .n_having = 2}, &x), 2);
    assert_int_equal(x.n, 0);
    assert_int_equal(look((struct fl_alert_look){.state = "resolved"}, &x), 2);
    assert_int_equal(x.n, 0);
    assert_int_equal(look((struct fl_alert_look){.state = "unmapped", .incident = ""}, &x), 2);
    assert_int_equal(x.n, 1);
    assert_int_equal(look((struct fl_alert_look){.most = 1}, &x), 1);
    assert_int_equal(look((struct fl_alert_look){.after = x.v[0]}, &x), 1);
    assert_int_equal(x.v[0].starts_at, T0);
    assert_int_equal(look((struct fl_alert_look){.after = x.v[0]}, &x), 0);
    assert_int_equal(look((struct fl_alert_look){.until = T0 + 1}, &x), 1);
    assert_int_equal(look((struct fl_alert_look){.incident = "INC-1"}, &x), 1);
    assert_int_equal(look((struct fl_alert_look){.realm = "elsewhere"}, &x), 0);
    x.enough = 1;
    assert_int_equal(look((struct fl_alert_look){0}, &x), 2);
    assert_int_equal(x.n, 1);
}

static void test_alerts_at(void **state)
{
    (void)state;
    struct fl_err err = {0};
    static const struct fl_alert_key keys[] = {{0xaaaaaaaaaaaaaaa0u, T0},
                                               {0xaaaaaaaaaaaaaaa0u, T0 + 1}, /* no such episode */
                                               {0xaaaaaaaaaaaaaaa1u, T0 + 1}};
    static const char *const states[] = {NULL, "firing", "unmapped", "resolved"};
    static const size_t found[] = {2, 2, 1, 0};
    for (size_t i = 0; i < FL_ARRAY_LEN(states); i++) {
        size_t n = 9;
        FL_AUTO_BUF b = fl_buf_init(1 << 20);
        assert_ok(fl_read_alerts_at(reader, "default", states[i], keys, 3, &b, &n, &err));
        FL_AUTO_JSON list = fl_json_parse(b.p, b.n, &err);
        assert_int_equal(n, found[i]);
        assert_int_equal(fl_json_len(list), n);
        if (n == 2) {
            assert_string_equal(at(list, 0, "node"), "cart");
            assert_string_equal(at(list, 1, "fingerprint"), "aaaaaaaaaaaaaaa1");
        }
    }
}

static void test_silences(void **state)
{
    (void)state;
    FL_AUTO_JSON all = read_doc(FL_READ_SILENCES, (struct fl_read_args){0});
    assert_int_equal(fl_json_len(all), 2);
    assert_string_equal(at(all, 0, "id"), "s1"); /* ends last */
    assert_string_equal(at(all, 0, "comment"), "it's longer");
    FL_AUTO_JSON late = read_doc(FL_READ_SILENCES, (struct fl_read_args){.since = T0 + 3 * MINUTE});
    assert_int_equal(fl_json_len(late), 1);
    FL_AUTO_JSON one = read_doc(FL_READ_SILENCE, (struct fl_read_args){.id = "s2"});
    assert_string_equal(fl_json_str(one, "ends_at", ""), "2023-11-14T22:15:20.000000Z");
    assert_string_equal(fl_json_str(fl_json_at(fl_json_get(one, "matchers"), 0), "name", ""), "a");
    assert_int_equal(try_doc(FL_READ_SILENCE, "s3"), FL_E_NOTFOUND);
    FL_AUTO_JSON alerts = read_doc(FL_READ_ALERTS, (struct fl_read_args){.state = "firing"});
    assert_int_equal(fl_json_len(fl_json_get(fl_json_at(alerts, 0), "silenced_by")), 2);
    assert_int_equal(fl_json_len(fl_json_get(fl_json_at(alerts, 0), "inhibited_by")), 1);
    assert_true(fl_json_is_array(fl_json_get(fl_json_at(alerts, 1), "silenced_by")));
    assert_int_equal(fl_json_len(fl_json_get(fl_json_at(alerts, 1), "silenced_by")), 0);
    assert_string_equal(
        pg_test_sql(
            db,
            "SELECT state || coalesce(a.silenced_by::text, '-') FROM faultline.silence_v, faultline.alert_v a"
            " WHERE id = 's1' AND a.fingerprint = 'aaaaaaaaaaaaaaa1'"),
        "expired[\"s1\",\"s2\"]");
}

/* The second version dropped db and its edge, changed cart's owner and added cache. */
static void test_topology_through_time(void **state)
{
    (void)state;
    FL_AUTO_JSON now = read_doc(FL_READ_TOPOLOGY, (struct fl_read_args){0});
    assert_int_equal(fl_json_len(fl_json_get(now, "nodes")), 2);
    assert_string_equal(at(fl_json_get(now, "nodes"), 0, "id"), "cache");
    assert_string_equal(at(fl_json_get(now, "nodes"), 1, "owner"), "web");
    assert_int_equal(fl_json_len(fl_json_get(now, "edges")), 0);
    assert_int_equal(fl_json_int(now, "event_seq", 0), 2);
    FL_AUTO_JSON then = read_doc(FL_READ_TOPOLOGY, (struct fl_read_args){.until = T0 + MINUTE / 2});
    assert_int_equal(fl_json_len(fl_json_get(then, "nodes")), 2);
    assert_string_equal(at(fl_json_get(then, "nodes"), 0, "owner"), "shop");
    assert_string_equal(at(fl_json_get(then, "edges"), 0, "to"), "db");
    struct fl_read_args before = {.realm = "default", .until = T0 - 1};
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    assert_int_equal(fl_read_json(reader, FL_READ_TOPOLOGY, &before, &b, NULL), FL_E_NOTFOUND);
    /* What we know now about the past: cart belonged to shop until the change. */
    assert_int_equal(pg_test_number(db,
                                    "SELECT count(*) FROM faultline.node WHERE id = 'cart' AND owner = 'shop'"
                                    " AND known_until = 'infinity' AND true_until <> 'infinity'"),
                     1);
}

static fl_status count_audit(void *ctx, const struct fl_audit_entry *e)
{
    uint64_t *sum = ctx;
    *sum = *sum * 10 + e->seq;
    assert_string_equal(e->detail, "{\"b\":1,\"a\":2}"); /* byte for byte: the hash covers it */
    assert_int_equal(e->hash.b[31], e->seq & 255);
    assert_int_equal(e->at, T0 + (fl_usec)e->seq);
    return FL_OK;
}

static void test_audit(void **state)
{
    (void)state;
    struct fl_err err = {0};
    static const struct {
        struct fl_audit_query q;
        uint64_t expect;
    } cases[] = {{{0}, 12345},
                 {{.limit = 2}, 12},
                 {{.after_seq = 3}, 45},
                 {{.incident = "INC-1"}, 135},
                 {{.actor = "engine"}, 12345},
                 {{.actor = "nobody"}, 0},
                 {{.action = "alerts.*"}, 12345},
                 {{.action = "alerts.received"}, 12345},
                 {{.action = "alerts"}, 0},
                 {{.action = "run.*"}, 0},
                 {{.since = T0 + 2, .until = T0 + 4}, 23}};
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        uint64_t sum = 0;
        assert_ok(fl_read_audit(reader, "default", &cases[i].q, count_audit, &sum, &err));
        assert_int_equal(sum, cases[i].expect);
    }
    FL_AUTO_JSON head = read_doc(FL_READ_AUDIT_HEAD, (struct fl_read_args){0});
    assert_int_equal(fl_json_int(head, "seq", 0), 5);
    struct fl_read_args other = {.realm = "empty"};
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    assert_ok(fl_read_json(reader, FL_READ_AUDIT_HEAD, &other, &b, &err));
    assert_non_null(strstr(b.p, "\"seq\" : 0"));
}

static fl_status count_event(void *ctx, const struct fl_event *ev)
{
    (void)ev;
    ++*(int *)ctx;
    return FL_OK;
}

static void test_journal(void **state)
{
    (void)state;
    struct fl_err err = {0};
    int n = 0;
    assert_ok(fl_read_journal(reader, "default", 0, 0, count_event, &n, &err));
    assert_int_equal(n, 2);
    n = 0;
    assert_ok(fl_read_journal(reader, "default", 1, 2, count_event, &n, &err));
    assert_int_equal(n, 1);
}

static void see_token(void *ctx, const struct fl_token *t)
{
    struct fl_token *keep = ctx;
    *keep = *t;
}

struct acts {
    size_t n;
    char text[512];
};

static void see_act(void *ctx, const struct fl_token_act *a)
{
    struct acts *s = ctx;
    size_t at = strlen(s->text);
    s->n++;
    snprintf(s->text + at, sizeof s->text - at, "%s %s by %s as %s;", a->name, a->action, a->actor, a->role);
}

static void audit_token(const char *id, const char *action)
{
    char sql[700];
    snprintf(
        sql, sizeof sql,
        "INSERT INTO faultline.audit SELECT 'default', coalesce(max(seq), 0) + 1, now(), 1, 'x', '%s', 'x', '', '',"
        " '{\"id\":\"%s\"}', sha256('p'), sha256('h') FROM faultline.audit",
        action, id);
    pg_test_sql(db, sql);
}

/* A token's two acts are told until the trail holds an entry with its id, then never again. */
static void test_tokens_unaudited(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_token t;
    struct acts s = {0};
    char secret[64];
    pg_test_sql(db, "DELETE FROM faultline.token");
    assert_ok(fl_token_create(reader, "default", "cli", FL_ROLE_INGEST, 0, "cli:ann", secret, &t, &err));
    for (int i = 0; i < 2; i++)
        assert_ok(fl_token_unaudited(reader, "default", see_act, &s, &err));
    assert_string_equal(s.text, "cli created by cli:ann as ingest;cli created by cli:ann as ingest;");
    assert_ok(fl_token_revoke(reader, "default", "cli", "cli:bob", &err));
    audit_token("another", "token.created");
    audit_token(t.id, "token.revoked"); /* not the one that is looked for first */
    s = (struct acts){0};
    assert_ok(fl_token_unaudited(reader, "default", see_act, &s, &err));
    assert_string_equal(s.text, "cli created by cli:ann as ingest;");
    audit_token(t.id, "token.created");
    s = (struct acts){0};
    assert_ok(fl_token_unaudited(reader, "default", see_act, &s, &err));
    assert_int_equal(s.n, 0);
    assert_ok(fl_token_create(reader, "default", "cli", FL_ROLE_INGEST, 0, NULL, secret, &t, &err));
    assert_ok(fl_token_revoke(reader, "default", "cli", "cli:bob", &err));
    audit_token(t.id, "token.created");
    assert_ok(fl_token_unaudited(reader, "default", see_act, &s, &err));
    assert_string_equal(s.text, "cli revoked by cli:bob as ingest;");
    assert_ok(fl_token_unaudited(reader, "other", see_act, &s, &err));
    assert_int_equal(s.n, 1);
}

static void test_tokens(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_token t, seen = {0}, again;
    struct fl_sha256 h;
    char secret[64], other[64];
    assert_ok(fl_token_create(reader, "default", "grafana", FL_ROLE_VIEWER, 0, "ann", secret, &t, &err));
    assert_int_equal(strlen(secret), 53);
    assert_memory_equal(secret, "flt_", 4);
    fl_sha256(secret, 53, &h);
    assert_memory_equal(h.b, t.hash.b, 32);
    assert_int_equal(
        fl_token_create(reader, "default", "grafana", FL_ROLE_VIEWER, 0, "ann", other, &again, &err),
        FL_E_CONFLICT);
    fl_err_clear(&err);
    assert_ok(fl_token_list(reader, "default", see_token, &seen, &err));
    assert_string_equal(seen.name, "grafana");
    assert_string_equal(seen.created_by, "ann");
    assert_int_equal(seen.role, FL_ROLE_VIEWER);
    assert_int_equal(seen.revoked_at, 0);
    assert_memory_equal(seen.hash.b, t.hash.b, 32);
    /* The secret is nowhere in the database. */
    assert_int_equal(
        pg_test_number(db, "SELECT count(*) FROM faultline.token t WHERE t::text LIKE '%flt!_%' ESCAPE '!'"),
        0);
    assert_ok(fl_token_revoke(reader, "default", "grafana", "bob", &err));
    assert_int_equal(fl_token_revoke(reader, "default", "grafana", "bob", &err), FL_E_NOTFOUND);
    fl_err_clear(&err);
    assert_ok(fl_token_list(reader, "default", see_token, &seen, &err));
    assert_true(seen.revoked_at > 0);
    assert_ok(fl_token_create(reader, "default", "grafana", FL_ROLE_ADMIN, 0, "ann", secret, &t, &err));
    assert_ok(fl_token_revoke(reader, "default", t.id, NULL, &err));
    fl_role r;
    assert_true(fl_role_parse("approver", &r));
    assert_string_equal(fl_role_name(r), "approver");
    assert_false(fl_role_parse("root", &r));
}

static void write_letters(const struct fl_deadletter *v, size_t n, int64_t total)
{
    fl_store_deadletters(c.store, v, n);
    AWAIT(pg_test_number(db, "SELECT last_n FROM faultline.deadletter_head") == total);
}

static void test_dead_letters(void **state)
{
    (void)state;
    const struct fl_deadletter v[] = {{"pagerduty", "body", "no severity", "{\"x\":1}", true, false},
                                      {"x", "y", "not text", "\xff\x01", false, true}};
    write_letters(v, 2, 2);
    FL_AUTO_JSON doc = read_doc(FL_READ_DEADLETTERS, (struct fl_read_args){0});
    const struct fl_json *list = fl_json_get(doc, "deadletters");
    assert_string_equal(at(list, 1, "reason"), "no severity");
    assert_string_equal(at(list, 1, "kept"), "body");
    assert_string_equal(at(list, 0, "kept"), "part");
    assert_null(fl_json_get(fl_json_at(list, 0), "raw")); /* a body may hold secrets: only for who may act */
    assert_int_equal(fl_json_int(doc, "held", -1), 2);
    assert_int_equal(fl_json_int(doc, "max", -1), FL_DEADLETTERS_MAX);
    assert_int_equal(fl_json_int(doc, "max_bytes", -1), FL_DEADLETTERS_BYTES);
    FL_AUTO_JSON one = read_doc(FL_READ_DEADLETTER, (struct fl_read_args){.id = "1"});
    assert_string_equal(fl_json_str(one, "raw", ""), "{\"x\":1}");
    FL_AUTO_JSON two = read_doc(FL_READ_DEADLETTER, (struct fl_read_args){.id = "2"});
    assert_string_equal(fl_json_str(two, "raw", ""), "\\377\x01");
    FL_AUTO_BUF out = fl_buf_init(0);
    static const char *const none[] = {"3", "0", "x", "-1", "99999999999999999999"};
    for (size_t i = 0; i < FL_ARRAY_LEN(none); i++)
        assert_int_equal(fl_read_json(reader, FL_READ_DEADLETTER,
                                      &(struct fl_read_args){.realm = "default", .id = none[i]}, &out, NULL),
                         FL_E_NOTFOUND);
}

static size_t letters(uint64_t only, uint64_t after, const char *source, struct fl_arena *arena,
                      struct fl_letter **ret)
{
    struct fl_err err = {0};
    size_t n = 0;
    assert_int_equal(fl_letters_read(reader, "default", arena, only, after, source, 100, ret, &n, &err),
                     FL_OK);
    return n;
}

static void test_dead_letters_one_by_one(void **state)
{
    (void)state;
    struct fl_err err = {0};
    struct fl_letter *v = NULL;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    assert_int_equal(letters(0, 0, NULL, arena, &v), 2);
    assert_true(v[0].whole && !v[0].cut && v[1].cut);
    assert_int_equal(v[1].raw_n, 2);
    assert_int_equal(letters(0, 1, NULL, arena, &v), 1);
    assert_int_equal(letters(0, 0, "pagerduty", arena, &v), 1);
    assert_int_equal(letters(2, 0, NULL, arena, &v), 1);
    assert_string_equal(v[0].source, "x");
    assert_int_equal(letters(7, 0, NULL, arena, &v), 0);

    assert_int_equal(fl_letter_failed(reader, "default", 1, "payload", "still no severity \xff", &err),
                     FL_OK);
    FL_AUTO_JSON one = read_doc(FL_READ_DEADLETTER, (struct fl_read_args){.id = "1"});
    const struct fl_json *l = fl_json_get(one, "letter");
    assert_string_equal(fl_json_str(l, "reason", ""), "still no severity ?");
    assert_string_equal(fl_json_str(l, "where", ""), "payload");
    assert_int_equal(fl_json_int(l, "tries", 0), 1);

    const uint64_t gone[] = {1, 99};
    assert_int_equal(fl_letters_remove(reader, "default", gone, 2, &err), FL_OK);
    assert_int_equal(pg_test_number(db, "SELECT held FROM faultline.deadletter_head"), 1);
    assert_int_equal(pg_test_number(db, "SELECT held_bytes - (SELECT sum(bytes) FROM faultline.deadletter)"
                                        " FROM faultline.deadletter_head"),
                     0);
    assert_int_equal(pg_test_number(db, "SELECT dropped FROM faultline.deadletter_head"), 0);
}

/* Over the number, and over the bytes, the oldest go and are counted. */
static void test_dead_letters_bounded(void **state)
{
    (void)state;
    static char big[FL_DEADLETTER_RAW_MAX + 10];
    memset(big, 'x', sizeof big - 1);
    const struct fl_deadletter v = {"x", "y", "z", big, true, false};
    pg_test_sql(
        db, "INSERT INTO faultline.deadletter (realm, n, at, source, place, reason, is_text, raw, bytes)"
            " SELECT 'default', 2 + k, now(), 's', 'p', 'r', true, '', 3 FROM generate_series(1, 100000) k;"
            "UPDATE faultline.deadletter_head SET last_n = 100002");
    write_letters(&v, 1, 100003);
    AWAIT(pg_test_number(db, "SELECT dropped FROM faultline.deadletter_head") == 2);
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.deadletter"), FL_DEADLETTERS_MAX);
    assert_int_equal(pg_test_number(db, "SELECT cut::int FROM faultline.deadletter WHERE n = 100003"), 1);
    assert_int_equal(
        pg_test_number(db, "SELECT octet_length(raw) FROM faultline.deadletter WHERE n = 100003"),
        FL_DEADLETTER_RAW_MAX);

    /* As if the middle one took all the room there is. */
    pg_test_sql(
        db,
        "UPDATE faultline.deadletter SET bytes = 134217728 WHERE n = 50000;"
        "UPDATE faultline.deadletter_head SET held_bytes = (SELECT sum(bytes) FROM faultline.deadletter)");
    write_letters(&v, 1, 100004);
    AWAIT(pg_test_number(db, "SELECT min(n) FROM faultline.deadletter") == 50001);
    assert_int_equal(pg_test_number(db, "SELECT held - (SELECT count(*) FROM faultline.deadletter)"
                                        " FROM faultline.deadletter_head"),
                     0);
    struct fl_store_stats t;
    fl_store_stats(c.store, &t);
    AWAIT((fl_store_stats(c.store, &t), t.deadletters == 50004 && t.deadletters_dropped == 49999));
}

/* What kept an alert quiet is read from the sentences that say so; nothing a sender writes can fake one. */
static void noise_row(const char *rule, const char *team, const char *node, const char *incident,
                      const char *why)
{
    static unsigned n;
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(
        &b,
        "INSERT INTO faultline.alert (realm, fingerprint, starts_at, status, severity, class, node, incident,"
        " source, labels, annotations, why) VALUES ('default', %u, now(), 'firing', 'none', 'other', %s, %s, 'n',"
        " jsonb_strip_nulls(jsonb_build_object('alertname', '%s', 'team', nullif('%s', ''))), '{}', '%s')",
        9000 + n++, node, incident, rule, team, why);
    pg_test_sql(db, b.p);
}

static char *text_of(fl_read what, struct fl_read_args a)
{
    struct fl_err err = {0};
    FL_AUTO_BUF b = fl_buf_init(1 << 24);
    a.realm = "default";
    assert_ok(fl_read_json(reader, what, &a, &b, &err));
    assert_non_null(strstr(b.p, "alertname"));
    return fl_buf_take(&b, NULL);
}

static bool add_found(void *ctx, struct fl_alert_key key, const char *const *values)
{
    fl_buf_printf(ctx, "%llx@%lld %s;", (unsigned long long)key.fingerprint, (long long)key.starts_at,
                  values[0]);
    return true;
}

/* The alerts with a label, and another one of each. */
static char *found_by_label(void)
{
    static const struct fl_label job = {"job", "x"};
    static const char *const names[] = {"alertname"};
    struct fl_err err = {0};
    struct fl_buf b = fl_buf_init(1 << 20);
    size_t looked;
    struct fl_alert_key last;
    struct fl_alert_look l = {
        .realm = "default", .having = &job, .n_having = 1, .names = names, .n_names = 1, .most = 1000};
    assert_ok(fl_read_alert_keys(reader, &l, add_found, &b, &looked, &last, &err));
    assert_non_null(strstr(b.p ? b.p : "", " Down;"));
    return fl_buf_take(&b, NULL);
}

/* What comes before the page may be more than there is time for: here it cannot be unpacked at all. */
static void only_the_page_is_unpacked(void)
{
    pg_test_sql(
        db,
        "UPDATE faultline.alert_text t SET body = '\\xff' WHERE t.n <> (SELECT text_n FROM faultline.alert"
        " WHERE realm = 'default' ORDER BY starts_at, fingerprint DESC LIMIT 1)");
    long long n = pg_test_number(db, "SELECT count(*) FROM faultline.alert WHERE realm = 'default'");
    assert_true(n > 1);
    FL_AUTO_FREE char *last = text_of(FL_READ_ALERTS,
                                      (struct fl_read_args){.limit = 1, .offset = (size_t)n - 1});
    assert_non_null(strstr(last, "\"labels\""));
}

/* Texts read the same from the row of their alert and from among those of others. */
static void test_packed_texts_read_the_same(void **state)
{
    (void)state;
    char fp[17];
    snprintf(
        fp, sizeof fp, "%s",
        pg_test_sql(db, "SELECT fingerprint FROM faultline.alert_v WHERE alertname IS NOT NULL LIMIT 1"));
    const struct {
        fl_read what;
        struct fl_read_args a;
    } reads[] = {{FL_READ_ALERTS, {.limit = 100}},
                 {FL_READ_ALERT, {.id = fp, .limit = 100}},
                 {FL_READ_NEAR, {.id = fp}},
                 {FL_READ_INCIDENT, {.id = "INC-1"}}};
    char *before[FL_ARRAY_LEN(reads)];
    FL_AUTO_FREE char *found = found_by_label();
    for (size_t i = 0; i < FL_ARRAY_LEN(reads); i++)
        before[i] = text_of(reads[i].what, reads[i].a);
    pg_test_sql(
        db,
        "WITH t AS (SELECT realm, fingerprint, starts_at, labels ->> 'alertname' AS rule, convert_to(json_strip_nulls("
        " json_build_object('labels', labels, 'annotations', annotations, 'generator_url', generator_url, 'why', why))::text,"
        " 'UTF8') AS o, row_number() OVER (ORDER BY fingerprint, starts_at) AS n FROM faultline.alert),"
        " put AS (INSERT INTO faultline.alert_text SELECT realm, 1, n, 'before' || o || 'after' FROM t)"
        "UPDATE faultline.alert a SET labels = NULL, annotations = NULL, generator_url = NULL, why = NULL, rule = t.rule,"
        " text_seq = 1, text_n = t.n, text_at = 7, text_len = octet_length(t.o) FROM t"
        " WHERE t.fingerprint = a.fingerprint AND t.starts_at = a.starts_at");
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.alert WHERE labels IS NOT NULL"), 0);
    for (size_t i = 0; i < FL_ARRAY_LEN(reads); i++) {
        char *after = text_of(reads[i].what, reads[i].a);
        assert_string_equal(after, before[i]);
        free(after);
        free(before[i]);
    }
    FL_AUTO_FREE char *found_packed = found_by_label();
    assert_string_equal(found_packed, found);
    only_the_page_is_unpacked();
}

static const struct fl_json *group(const struct fl_json *doc, const char *key)
{
    const struct fl_json *list = fl_json_get(doc, "groups");
    for (size_t i = 0; i < fl_json_len(list); i++)
        if (!strcmp(at(list, i, "key"), key))
            return fl_json_at(list, i);
    fail_msg("there is no %s", key);
    return NULL;
}

static void test_noise(void **state)
{
    (void)state;
    struct fl_err err = {0};
    pg_test_sql(
        db,
        "INSERT INTO faultline.run SELECT realm, 'RUN-9', 'INC-2', playbook, version, playbook_hash, 'succeeded',"
        " requested_by, approved_by, approval, params, ctx, reason, result, created_at, now(), now(), deadline,"
        " approve_by, recoveries FROM faultline.run WHERE id = 'RUN-1';"
        "UPDATE faultline.incident SET acked_by = 'ann' WHERE id = 'INC-1'");
    noise_row("Disk", "store", "NULL", "NULL",
              "[\"accepted from n\",\"silenced by 1 (x): kept out of incidents\"]");
    noise_row(
        "Disk", "store", "NULL", "'INC-1'",
        "[\"until 2026-01-01T00:00:00.000Z inhibited: db, 1 hop below, fires: kept out of incidents\",\"joined\"]");
    noise_row("Disk", "", "'cart'", "NULL",
              "[\"held by threshold \\\"a\\\": it takes 3: kept out of incidents\"]");
    noise_row("Disk", "", "NULL", "'INC-2'",
              "[\"opened by x,\\\"silenced by me: kept out of incidents\\\" INC-2\"]");
    const struct fl_noise_count v[] = {{"Disk", "store", "n", 40}, {"Only", "", "n", 2}};
    assert_ok(fl_reports_add(reader, "default", v, 2, &err));
    assert_ok(fl_reports_add(reader, "default", v, 1, &err));
    pg_test_sql(
        db,
        "INSERT INTO faultline.alert_report VALUES ('default', now() - interval '40 days', 'Old', '', 'n', 7)");
    assert_ok(fl_reports_add(reader, "default", v, 1, &err));
    assert_int_equal(pg_test_number(db, "SELECT count(*) FROM faultline.alert_report WHERE rule = 'Old'"), 0);

    FL_AUTO_JSON by_rule = read_doc(FL_READ_NOISE, (struct fl_read_args){0});
    const struct fl_json *disk = group(by_rule, "Disk");
    assert_int_equal(fl_json_int(disk, "reports", -1), 120);
    assert_int_equal(fl_json_int(disk, "alerts", -1), 4);
    assert_int_equal(fl_json_int(disk, "repeats", -1), 116);
    assert_int_equal(fl_json_int(disk, "silenced", -1), 1);
    assert_int_equal(fl_json_int(disk, "inhibited", -1), 1);
    assert_int_equal(fl_json_int(disk, "held", -1), 1);
    assert_int_equal(fl_json_int(disk, "in_incident", -1), 2);
    assert_int_equal(fl_json_int(disk, "incidents", -1), 2);
    assert_int_equal(fl_json_int(group(by_rule, "Only"), "alerts", -1), 0);
    assert_int_equal(fl_json_int(fl_json_get(by_rule, "total"), "reports", -1), 122);

    /* Whose component it is counts when the labels do not say. */
    FL_AUTO_JSON by_team = read_doc(FL_READ_NOISE, (struct fl_read_args){.state = "team"});
    assert_int_equal(fl_json_int(group(by_team, "web"), "alerts", -1), 1);
    assert_int_equal(fl_json_int(group(by_team, "store"), "alerts", -1), 2);
    FL_AUTO_JSON by_source = read_doc(FL_READ_NOISE, (struct fl_read_args){.state = "source", .since = 1});
    assert_int_equal(fl_json_int(group(by_source, "x"), "alerts", -1), 2);

    FL_AUTO_JSON rules = read_doc(FL_READ_PRECISION, (struct fl_read_args){0});
    assert_int_equal(fl_json_len(rules), 1);
    assert_string_equal(at(rules, 0, "rule"), "Disk");
    assert_int_equal(fl_json_int(fl_json_at(rules, 0), "acted", -1), 1);
    assert_int_equal(fl_json_int(fl_json_at(rules, 0), "acked", -1), 1);
    assert_int_equal(fl_json_int(fl_json_at(rules, 0), "nothing", -1), 2);
    assert_true(fl_json_real(fl_json_at(rules, 0), "precision", 0) == 0.5);
    assert_int_equal(
        pg_test_number(db, "SELECT nothing FROM faultline.alert_precision_v WHERE rule = 'Disk'"), 2);
}

static void test_reader_survives_lost_connections(void **state)
{
    (void)state;
    pg_test_sql(
        db,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'faultline reader%'"
        " OR application_name = 'faultline tokens'");
    FL_AUTO_JSON all = read_doc(FL_READ_INCIDENTS, (struct fl_read_args){0});
    assert_int_equal(fl_json_len(all), 2);
}

static int setup(void **state)
{
    (void)state;
    struct fl_err err = {0};
    pg = pg_test_start(false);
    db = pg_test_database(pg, true);
    c.echo = true;
    c.fill = fill;
    open_store(db, &c);
    if (fl_reader_open(db, &reader, &err) != FL_OK || submit(c.store, &c, FL_EV_TICK, "", 0) != FL_OK ||
        submit(c.store, &c, FL_EV_TICK, "", 0) != FL_OK)
        return -1;
    for (int i = 0; i < 10000 && c.answered < 2; i++)
        usleep(1000);
    return c.answered == 2 && c.store->skipped_rows == 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    reader = fl_reader_close(reader);
    fl_store_close(c.store, FL_USEC_PER_SEC);
    pg = pg_test_stop(pg);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_incidents),
                                       cmocka_unit_test(test_parts),
                                       cmocka_unit_test(test_alerts),
                                       cmocka_unit_test(test_alert_keys),
                                       cmocka_unit_test(test_alerts_at),
                                       cmocka_unit_test(test_silences),
                                       cmocka_unit_test(test_topology_through_time),
                                       cmocka_unit_test(test_audit),
                                       cmocka_unit_test(test_journal),
                                       cmocka_unit_test(test_tokens),
                                       cmocka_unit_test(test_tokens_unaudited),
                                       cmocka_unit_test(test_noise),
                                       cmocka_unit_test(test_dead_letters),
                                       cmocka_unit_test(test_dead_letters_one_by_one),
                                       cmocka_unit_test(test_dead_letters_bounded),
                                       cmocka_unit_test(test_near),
                                       cmocka_unit_test(test_reader_survives_lost_connections),
                                       cmocka_unit_test(test_absorbed),
                                       cmocka_unit_test(test_packed_texts_read_the_same)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
