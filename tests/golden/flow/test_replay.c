/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recorded journal gives byte-identical decisions: straight through, and from a snapshot taken after any event. */
#include <faultline/flow.h>
#include <faultline/intake.h>
#include <faultline/json.h>
#include <faultline/topology.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DIR FL_SOURCE_DIR "/tests/golden/flow/"
static const char *const cases[] = {"shop",     "quiet",       "models",    "heartbeat", "holds",
                                    "flapping", "maintenance", "reminders", "pairs"};
static bool update;

struct journal {
    struct fl_arena *arena;
    struct fl_event *v;
    size_t n;
};

static char *slurp(const char *path, size_t *ret_n)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    struct fl_buf b = fl_buf_init(0);
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        fl_buf_add(&b, part, n);
    fclose(f);
    return fl_buf_take(&b, ret_n);
}

static struct journal load(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, DIR "%s/journal.jsonl", name);
    size_t n;
    FL_AUTO_FREE char *text = slurp(path, &n);
    assert_non_null(text);
    struct journal j = {.arena = fl_arena_new(0)};
    size_t lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += text[i] == '\n';
    j.v = fl_arena_calloc(j.arena, lines + 1, sizeof *j.v);
    for (char *p = text, *end; *p; p = end + 1) {
        end = strchr(p, '\n');
        assert_non_null(end);
        struct fl_err err = {0};
        if (fl_journal_parse(j.arena, p, (size_t)(end - p), &j.v[j.n], &err) != FL_OK)
            fail_msg("%s event %zu: %s %s", name, j.n + 1, err.where, err.text);
        j.n++;
    }
    return j;
}

static void step(struct fl_flow *f, const struct fl_event *ev, struct fl_buf *out)
{
    struct fl_effects *fx = fl_effects_new();
    struct fl_err err = {0};
    if (fl_flow_step(f, ev, fx, &err) != FL_OK)
        fail_msg("event %llu: %s", (unsigned long long)ev->seq, err.text);
    assert_int_equal(fl_effects_text(fx, out), FL_OK);
    fl_effects_free(fx);
}

static struct fl_flow *fresh(void)
{
    struct fl_flow *f;
    struct fl_err err = {0};
    if (fl_flow_new(&(struct fl_flow_options){.realm = "default"}, &f, &err) != FL_OK)
        fail_msg("%s", err.text);
    return f;
}

static void write_expected(const char *path, const struct fl_buf *b)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(b->p, 1, b->n, f), b->n);
    fclose(f);
}

static void test_journal_gives_the_recorded_decisions(void **state)
{
    (void)state;
    for (size_t k = 0; k < FL_ARRAY_LEN(cases); k++) {
        struct journal j = load(cases[k]);
        struct fl_flow *f = fresh();
        FL_AUTO_BUF out = fl_buf_init(0);
        for (size_t i = 0; i < j.n; i++)
            step(f, &j.v[i], &out);
        fl_flow_free(f);
        char path[512];
        snprintf(path, sizeof path, DIR "%s/expected.jsonl", cases[k]);
        if (update)
            write_expected(path, &out);
        size_t n;
        FL_AUTO_FREE char *expected = slurp(path, &n);
        assert_non_null(expected);
        if (n != out.n || memcmp(expected, out.p, n) != 0) {
            size_t at = 0, line = 1;
            while (at < n && at < out.n && expected[at] == out.p[at])
                line += expected[at++] == '\n';
            fail_msg(
                "%s differs in line %zu:\n expected %.300s\n got      %.300s\nRun with --update and read the diff.",
                path, line, expected + at, out.p + at);
        }
        fl_arena_free(j.arena);
    }
}

static void assert_same_packs(const struct fl_pack *a, const struct fl_pack *b)
{
    const struct fl_piece *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        assert_int_equal(x->n, y->n);
        assert_memory_equal(x->p, y->p, x->n);
    }
    assert_true(!x && !y && a->bytes > 0);
}

/* State = snapshot + journal after it, whatever the moment of the snapshot. */
static void test_any_snapshot_continues_the_same(void **state)
{
    (void)state;
    for (size_t k = 0; k < FL_ARRAY_LEN(cases); k++) {
        struct journal j = load(cases[k]);
        struct fl_flow *f = fresh();
        FL_AUTO_BUF ignored = fl_buf_init(0);
        for (size_t i = 0; i < j.n; i++) {
            step(f, &j.v[i], &ignored);
            FL_AUTO_PACK snap = fl_pack_init(0);
            assert_int_equal(fl_flow_snapshot(f, &snap), FL_OK);
            struct fl_flow *g;
            struct fl_err err = {0};
            if (fl_flow_restore(&(struct fl_flow_options){.realm = "default"}, &snap, &g, &err) != FL_OK)
                fail_msg("snapshot after event %zu: %s %s", i + 1, err.where, err.text);
            FL_AUTO_PACK again = fl_pack_init(0);
            assert_int_equal(fl_flow_snapshot(g, &again), FL_OK);
            assert_same_packs(&snap, &again);
            if (fl_flow_deadline(f) != fl_flow_deadline(g))
                fail_msg("%s after event %zu: the next tick is at %lld, of the restored one at %lld",
                         cases[k], i + 1, (long long)fl_flow_deadline(f), (long long)fl_flow_deadline(g));
            fl_flow_free(f);
            f = g; /* and go on from the restored one */
        }
        FL_AUTO_BUF straight = fl_buf_init(0);
        fl_buf_add(&straight, ignored.p, ignored.n);
        char path[512];
        snprintf(path, sizeof path, DIR "%s/expected.jsonl", cases[k]);
        size_t n;
        FL_AUTO_FREE char *expected = slurp(path, &n);
        assert_non_null(expected);
        size_t at = 0;
        while (at < n && at < straight.n && expected[at] == straight.p[at])
            at++;
        if (n != straight.n || at < n)
            fail_msg("%s: from snapshots, byte %zu differs:\n expected %.300s\n got      %.300s", cases[k],
                     at, expected + at, straight.p + at);
        fl_flow_free(f);
        fl_arena_free(j.arena);
    }
}

/* What the last verdict of each incident says, and nothing that it took back. */
static void test_verdicts_count_per_model(void **state)
{
    (void)state;
    struct journal j = load("models");
    struct fl_flow *f = fresh();
    struct fl_model_stats before, st;
    FL_AUTO_BUF out = fl_buf_init(0);
    for (size_t i = 0; i < 15; i++)
        step(f, &j.v[i], &out);
    fl_flow_model_stats(f, &before);
    for (size_t i = 15; i < j.n; i++)
        step(f, &j.v[i], &out);
    fl_flow_model_stats(f, &st);
    fl_flow_free(f);
    /* rejected, then confirmed: only the confirmation counts, for the live one and for the shadow */
    assert_int_equal(before.n, 2);
    assert_string_equal(before.tally[0].model, "first-day");
    assert_true(before.tally[0].known1 == 1 && before.tally[0].right1 == 1 && before.tally[0].right3 == 1);
    assert_true(before.tally[1].shadow && before.tally[1].known1 == 1 && before.tally[1].right1 == 0);
    assert_string_equal(before.shadow, before.tally[1].model);
    /* confirmed anew under other models: the first verdict is taken out again */
    assert_true(st.tally[0].known1 == 0 && st.tally[0].right1 == 0 && st.tally[1].known1 == 0);
    assert_true(st.tally[2].known1 == 1 && st.tally[2].right1 == 0 && st.tally[2].right3 == 1);
    assert_string_equal(st.live, before.shadow);
    assert_string_equal(st.shadow, "");
    fl_arena_free(j.arena);
}

/* Cut, of another form, or with bytes that are none of ours: refused with a reason, never half a state. */
static void test_what_is_no_snapshot_is_refused(void **state)
{
    (void)state;
    struct journal j = load("shop");
    struct fl_flow *f = fresh(), *g = NULL;
    FL_AUTO_BUF out = fl_buf_init(0);
    FL_AUTO_PACK snap = fl_pack_init(0);
    for (size_t i = 0; i < j.n; i++)
        step(f, &j.v[i], &out);
    assert_int_equal(fl_flow_snapshot(f, &snap), FL_OK);
    fl_flow_free(f);
    struct fl_piece *k = snap.first;
    const struct fl_flow_options o = {.realm = "default"};
    size_t whole = k->n, cuts = 0;
    for (k->n = 0; k->n < whole; k->n++) {
        if (k->n >= 64 && k->n + 1000 < whole && k->n % 997)
            continue;
        struct fl_err err = {0};
        assert_int_equal(fl_flow_restore(&o, &snap, &g, &err), FL_E_CORRUPT);
        assert_true(err.text[0]);
        cuts++;
    }
    assert_true(cuts > 1000);
    k->n = whole;
    struct fl_err err = {0};
    unsigned char *version = memmem(k->p, k->n, "\"version\":2", 11);
    assert_non_null(version);
    version[10] = '1';
    assert_int_equal(fl_flow_restore(&o, &snap, &g, &err), FL_E_CORRUPT);
    assert_string_equal(err.text, "its version is 1, this program reads 2");
    version[10] = '2';
    /* Whole, but of another program's time: a rule that this one does not know. The journal is read instead. */
    unsigned char *rule = memmem(k->p, k->n, "\"bindings\":", 11);
    assert_non_null(rule);
    rule[8] = 'X';
    fl_err_clear(&err);
    assert_int_equal(fl_flow_restore(&o, &snap, &g, &err), FL_E_CORRUPT);
    assert_true(strstr(err.text, "bindingX") || strstr(err.where, "bindingX"));
    rule[8] = 's';
    for (size_t i = 0; i < whole; i += 101) {
        k->p[i] ^= 0x55;
        fl_err_clear(&err);
        if (fl_flow_restore(&o, &snap, &g, &err) == FL_OK) /* a letter of some text */
            fl_flow_free(g);
        k->p[i] ^= 0x55;
    }
    fl_arena_free(j.arena);
}

/* To replay under another model: nothing that the journal activates replaces it. */
static void test_a_pinned_model_stays(void **state)
{
    (void)state;
    struct journal j = load("models");
    struct fl_err err = {0};
    struct fl_model *m = NULL;
    struct fl_flow *f;
    static const char text[] = "{\"weights\":{\"alerting\":2}}";
    assert_int_equal(fl_model_parse(text, strlen(text), &m, &err), FL_OK);
    struct fl_flow_options o = {.realm = "default", .model = m, .pin_model = true};
    assert_int_equal(fl_flow_new(&o, &f, &err), FL_OK);
    FL_AUTO_BUF out = fl_buf_init(0);
    for (size_t i = 0; i < j.n; i++)
        step(f, &j.v[i], &out);
    size_t rankings = 0;
    for (const char *p = out.p; (p = strstr(p, "\"row\":\"ranking\"")) != NULL; p++, rankings++) {
        const char *model = strstr(p, "\"model\":\"");
        assert_int_equal(strncmp(model + 9, fl_model_id(m), 12), 0);
    }
    assert_true(rankings > 3);
    fl_flow_free(f);
    fl_model_free(m);
    fl_arena_free(j.arena);
}

/* Incidents that ended are compared with the training that the live model carries; alerts without a component count. */
static void test_drift_is_measured(void **state)
{
    (void)state;
    struct journal j = load("shop");
    struct fl_err err = {0};
    struct fl_model *m = NULL;
    struct fl_flow *f, *g;
    struct fl_model_stats st, again;
    static const char text[] =
        "{\"weights\":{\"alerting\":2,\"kinds\":1},"
        "\"training\":{\"features\":{\"alerting\":[1000,0.5],\"kinds\":[0,4],\"leaf\":[0,1]}}}";
    assert_int_equal(fl_model_parse(text, strlen(text), &m, &err), FL_OK);
    struct fl_flow_options o = {.realm = "default", .model = m, .pin_model = true};
    assert_int_equal(fl_flow_new(&o, &f, &err), FL_OK);
    FL_AUTO_BUF out = fl_buf_init(0);
    FL_AUTO_PACK snap = fl_pack_init(0);
    for (size_t i = 0; i < j.n; i++)
        step(f, &j.v[i], &out);
    fl_flow_model_stats(f, &st);
    assert_true(st.shift_incidents >= 1);
    assert_int_equal(st.n_shift, 2); /* what weighs nothing is no main feature */
    assert_string_equal(st.shift[0].feature, "kinds");
    assert_true(st.shift[0].shift < 1);
    assert_true(st.shift[1].shift > 1990 &&
                st.shift[1].shift <= 2000); /* it is between 0 and 1, the training says 1000 */
    assert_true(st.mapped_of > 0 && st.unmapped < st.mapped_of);
    assert_int_equal(fl_flow_snapshot(f, &snap), FL_OK);
    assert_int_equal(fl_flow_restore(&o, &snap, &g, &err), FL_OK);
    fl_flow_model_stats(g, &again);
    assert_true(again.shift[1].shift == st.shift[1].shift && again.mapped_of == st.mapped_of);
    fl_flow_free(f);
    fl_flow_free(g);
    fl_model_free(m);
    fl_arena_free(j.arena);
}

/* 100 models come in: 32 are kept, and never does the live one, the shadow or the way back go. */
static void test_models_make_room(void **state)
{
    (void)state;
    struct fl_flow *f = fresh();
    char body[256], id[16] = "";
    FL_AUTO_BUF out = fl_buf_init(0);
    uint64_t seq = 0;
    for (int i = 0; i < 103; i++) {
        if (i == 1 || i == 2)
            snprintf(body, sizeof body, "{\"op\":\"model.%s\",\"model\":\"%s\"}",
                     i == 1 ? "activate" : "rollback", id);
        else if (i == 102)
            snprintf(body, sizeof body, "{\"op\":\"model.activate\",\"model\":\"%s\"}", id);
        else
            snprintf(body, sizeof body, "{\"op\":\"model.add\",\"model\":{\"weights\":{\"alerting\":%d}}}",
                     i);
        struct fl_event ev = {.seq = ++seq,
                              .at = 1790000000000000,
                              .kind = FL_EV_COMMAND,
                              .realm = "default",
                              .actor = "ann",
                              .source = "",
                              .body = body,
                              .body_len = strlen(body)};
        FL_AUTO_BUF now = fl_buf_init(0);
        step(f, &ev, &now);
        const char *made = strstr(now.p, "\"json\":{\"model\":\"");
        if (made && i == 0)
            snprintf(id, sizeof id, "%.12s", made + 17);
        if (i == 3) { /* the first one stays only because it ranks */
            snprintf(body, sizeof body, "{\"op\":\"model.activate\",\"model\":\"%s\"}", id);
            ev.seq = ++seq;
            ev.body_len = strlen(body);
            step(f, &ev, &out);
        }
    }
    struct fl_model_stats st;
    fl_flow_model_stats(f, &st);
    assert_string_equal(st.live, id);
    FL_AUTO_PACK snap = fl_pack_init(0);
    assert_int_equal(fl_flow_snapshot(f, &snap), FL_OK);
    size_t known = 0;
    const char *at = (const char *)snap.first->p, *end = at + snap.first->n;
    while ((at = memmem(at, (size_t)(end - at), "\"told\":", 7)) != NULL) {
        known++;
        at++;
    }
    assert_int_equal(known, 32);
    fl_flow_free(f);
}

static void tell(struct fl_flow *f, uint64_t seq, fl_event_kind kind, const char *body, struct fl_buf *out)
{
    struct fl_event ev = {.seq = seq,
                          .at = 1790000000000000,
                          .kind = kind,
                          .realm = "default",
                          .actor = kind == FL_EV_COMMAND ? "ann" : "",
                          .source = "",
                          .body = body,
                          .body_len = strlen(body)};
    fl_buf_reset(out);
    step(f, &ev, out);
}

/* The id of a model that ranks by one feature. */
static void add_model(struct fl_flow *f, uint64_t seq, int weight, char id[16])
{
    char body[256];
    FL_AUTO_BUF out = fl_buf_init(0);
    snprintf(body, sizeof body, "{\"op\":\"model.add\",\"model\":{\"weights\":{\"alerting\":%d}}}", weight);
    tell(f, seq, FL_EV_COMMAND, body, &out);
    const char *made = strstr(out.p, "\"json\":{\"model\":\"");
    assert_non_null(made);
    snprintf(id, 16, "%.12s", made + 17);
}

/* Its weight is of a feature that nobody knows from now on. */
static void lose(struct fl_pack *snap, const char *weight)
{
    struct fl_piece *k = snap->first;
    unsigned char *at = memmem(k->p, k->n, weight, strlen(weight));
    assert_non_null(at);
    *at = 'x';
}

/* A snapshot of another version: the documents of some of its models are of features that this program does not know. */
static void test_a_lost_model_is_said(void **state)
{
    (void)state;
    struct fl_flow *f = fresh(), *g;
    struct fl_err err = {0};
    struct fl_model_stats st;
    char a[16], b[16], c[16], body[256];
    FL_AUTO_BUF out = fl_buf_init(0);
    FL_AUTO_PACK snap = fl_pack_init(0);
    add_model(f, 1, 1, a);
    add_model(f, 2, 2, b);
    add_model(f, 3, 3, c);
    const char *const order[] = {a, b, c};
    for (size_t i = 0; i < 3; i++) {
        snprintf(body, sizeof body, "{\"op\":\"model.activate\",\"model\":\"%s\"}", order[i]);
        tell(f, 4 + i, FL_EV_COMMAND, body, &out);
    }
    assert_int_equal(fl_flow_snapshot(f, &snap), FL_OK);
    fl_flow_free(f);
    lose(&snap, "alerting\\\":2");
    assert_int_equal(fl_flow_restore(&(struct fl_flow_options){.realm = "default"}, &snap, &g, &err), FL_OK);
    fl_flow_model_stats(g, &st);
    assert_string_equal(st.live, c);
    tell(g, 7, FL_EV_COMMAND, "{\"op\":\"model.rollback\"}", &out);
    snprintf(body, sizeof body, "model %s was live before %s, but this program cannot rank with it", b, c);
    if (!strstr(out.p, body) || !strstr(out.p, "the one before it: faultline model activate ") ||
        !strstr(out.p, a))
        fail_msg("what is said of the way back: %s", out.p);
    fl_flow_model_stats(g, &st);
    assert_string_equal(st.live, c); /* nothing has changed */
    fl_flow_free(g);
    lose(&snap, "alerting\\\":3");
    assert_int_equal(fl_flow_restore(&(struct fl_flow_options){.realm = "default"}, &snap, &g, &err), FL_OK);
    tell(g, 7, FL_EV_ENGINE_STARTED, "{\"version\":\"x\",\"epoch\":2,\"projected_seq\":6}", &out);
    snprintf(body, sizeof body,
             "model %s was live, but this program cannot rank with it: the shipped one ranks", c);
    if (!strstr(out.p, body))
        fail_msg("what is said of the live one: %s", out.p);
    fl_flow_free(g);
}

static void test_a_gap_is_refused(void **state)
{
    (void)state;
    struct journal j = load("shop");
    struct fl_flow *f = fresh();
    struct fl_effects *fx = fl_effects_new();
    struct fl_err err = {0};
    assert_int_equal(fl_flow_step(f, &j.v[1], fx, &err), FL_E_CONFLICT);
    fl_effects_free(fx);
    fl_flow_free(f);
    fl_arena_free(j.arena);
}

/* ---- several bodies in a row ---- */

#define ALERT(name, start, end)                                                                       \
    "[{\"labels\":{\"alertname\":\"" name "\",\"service\":\"cart\"},\"startsAt\":\"2026-11-23T" start \
    "Z\"" end "}]"
static const char *const bodies_of_a_row[] = {ALERT("A", "10:00:00", ""), ALERT("B", "10:00:01", ""),
                                              ALERT("A", "10:00:00", ",\"endsAt\":\"2026-11-23T10:00:30Z\""),
                                              ALERT("B", "10:00:01", "")};

static void merged(struct fl_arena *arena, struct fl_event *ev)
{
    char *row = fl_arena_alloc(arena, 4096), *end = row;
    for (size_t i = 0; i < FL_ARRAY_LEN(bodies_of_a_row); i++) {
        struct fl_sha256 h;
        fl_sha256(bodies_of_a_row[i], strlen(bodies_of_a_row[i]), &h);
        end = fl_bodies_put(end, &h, bodies_of_a_row[i], strlen(bodies_of_a_row[i]));
    }
    *ev = (struct fl_event){.seq = 1,
                            .at = INT64_C(1795428060000000), /* 2026-11-23T10:01:00Z */
                            .kind = FL_EV_ALERT_BODIES,
                            .realm = "default",
                            .actor = "prom",
                            .source = "alertmanager-v2",
                            .body = row,
                            .body_len = (size_t)(end - row)};
    fl_sha256(row, ev->body_len, &ev->body_hash);
}

/* The row as intake hands it over, parsed, and the row as the journal gives it back: the same decisions, and those of the
 * requests one by one. */
static void test_several_bodies_in_a_row(void **state)
{
    (void)state;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_AUTO_BUF read = fl_buf_init(0), given = fl_buf_init(0);
    struct fl_flow *f = fresh(), *g = fresh(), *single = fresh();
    struct fl_event ev, live;
    struct fl_alert alerts[FL_ARRAY_LEN(bodies_of_a_row)];
    static const size_t parts[] = {1, 1, 1, 1};
    merged(arena, &ev);
    live = ev;
    for (size_t i = 0; i < FL_ARRAY_LEN(bodies_of_a_row); i++) {
        struct fl_intake in;
        struct fl_err err = {0};
        const char *body = bodies_of_a_row[i];
        assert_int_equal(
            fl_intake_parse(arena, FL_FORMAT_ALERTMANAGER_V2, body, strlen(body), ev.at, &in, &err), FL_OK);
        alerts[i] = in.alerts[0];
        FL_AUTO_BUF out = fl_buf_init(0);
        struct fl_event one = {.seq = i + 1,
                               .at = ev.at,
                               .kind = FL_EV_ALERTS,
                               .realm = "default",
                               .actor = "prom",
                               .source = "alertmanager-v2",
                               .body = body,
                               .body_len = strlen(body)};
        step(single, &one, &out);
    }
    live.alerts = alerts;
    live.n_alerts = FL_ARRAY_LEN(alerts);
    live.parts = parts;
    live.n_parts = FL_ARRAY_LEN(parts);
    step(f, &ev, &read);
    step(g, &live, &given);
    assert_int_equal(read.n, given.n);
    assert_memory_equal(read.p, given.p, read.n);
    assert_non_null(strstr(read.p, "4 alerts from alertmanager-v2 in 4 requests, 1 of them known already"));
    assert_non_null(strstr(read.p, "\"bodies\":4"));
    struct fl_flow_stats a, b;
    fl_flow_stats(f, &a);
    fl_flow_stats(single, &b);
    assert_int_equal(a.alerts_firing, 1);
    assert_int_equal(a.alerts_firing, b.alerts_firing);
    assert_int_equal(a.episodes, b.episodes);
    assert_int_equal(a.repeats, b.repeats);
    assert_int_equal(a.incidents_opened, b.incidents_opened);
    fl_flow_free(f);
    fl_flow_free(g);
    fl_flow_free(single);
}

static void test_a_bad_body_costs_itself(void **state)
{
    (void)state;
    FL_AUTO_ARENA arena = fl_arena_new(0);
    FL_AUTO_BUF out = fl_buf_init(0), broken = fl_buf_init(0);
    struct fl_flow *f = fresh();
    struct fl_event ev;
    merged(arena, &ev);
    char *row = fl_arena_alloc(arena, ev.body_len + 200), *end = row;
    struct fl_sha256 h;
    memcpy(row, ev.body, ev.body_len);
    fl_sha256("{not", 4, &h);
    end = fl_bodies_put(row + ev.body_len, &h, "{not", 4);
    ev.body = row;
    ev.body_len = (size_t)(end - row);
    step(f, &ev, &out);
    assert_non_null(strstr(out.p, "alerts.refused"));
    assert_non_null(strstr(out.p, "4 alerts from alertmanager-v2 in 4 requests"));
    row[ev.body_len - 2] = '!'; /* not what was received: then nothing of the row is believed */
    ev.seq = 2;
    step(f, &ev, &broken);
    assert_non_null(strstr(broken.p, "not the one that was received"));
    assert_null(strstr(broken.p, "alerts.received"));
    fl_flow_free(f);
}

/* Whatever stands in a journal row, the core answers with an audit entry, never with a failure. */
static void test_hostile_bodies(void **state)
{
    (void)state;
    static const char *const bodies[] = {"",
                                         "{",
                                         "[]",
                                         "null",
                                         "{}",
                                         "{\"op\":5}",
                                         "{\"alerts\":[5,null,{}]}",
                                         "{\"run\":\"RUN-x\",\"n\":-1,\"fn\":\"http\"}",
                                         "{\"rules\":{\"wrong\":1}}",
                                         "\xff\xfe"};
    struct fl_flow *f = fresh();
    uint64_t seq = 0;
    for (int kind = FL_EV_ALERTS; kind < FL_EV_N; kind++)
        for (size_t i = 0; i < FL_ARRAY_LEN(bodies); i++) {
            struct fl_event ev = {.seq = ++seq,
                                  .at = 1790000000000000,
                                  .kind = (fl_event_kind)kind,
                                  .realm = "default",
                                  .actor = "mallory",
                                  .source = i % 2 ? "alertmanager" : "nonsense",
                                  .body = bodies[i],
                                  .body_len = strlen(bodies[i])};
            FL_AUTO_BUF out = fl_buf_init(0);
            step(f, &ev, &out);
        }
    struct fl_flow_stats st;
    fl_flow_stats(f, &st);
    assert_int_equal(st.incidents_opened, 0);
    fl_flow_free(f);
}

int main(int argc, char **argv)
{
    update = argc > 1 && strcmp(argv[1], "--update") == 0;
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_journal_gives_the_recorded_decisions),
        cmocka_unit_test(test_any_snapshot_continues_the_same),
        cmocka_unit_test(test_verdicts_count_per_model),
        cmocka_unit_test(test_what_is_no_snapshot_is_refused),
        cmocka_unit_test(test_a_pinned_model_stays),
        cmocka_unit_test(test_drift_is_measured),
        cmocka_unit_test(test_models_make_room),
        cmocka_unit_test(test_a_lost_model_is_said),
        cmocka_unit_test(test_a_gap_is_refused),
        cmocka_unit_test(test_hostile_bodies),
        cmocka_unit_test(test_several_bodies_in_a_row),
        cmocka_unit_test(test_a_bad_body_costs_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
