/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Silences and inhibition: who is held, who is released, what an edit does, what is refused, what a snapshot keeps. */
#include <faultline/correlate.h>
#include <faultline/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "again.h"

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC)

struct world {
    struct fl_rules *rules;
    struct fl_topo *topo;
    struct fl_corr *c;
    struct fl_effects *fx;
    struct fl_step step;
    char notes[32768];
};

static const char rules_json[] =
    "{\"inhibitions\":[{\"name\":\"first\",\"source\":[\"severity=critical\"],\"target\":[\"severity=~\\\"warning|info\\\"\"],\"equal\":[\"cluster\"]},"
    "{\"name\":\"both sides\",\"source\":[\"kind=x\"],\"target\":[\"kind=x\"],\"equal\":[]}]}";

static void note(struct fl_step *s, const struct fl_note *n)
{
    struct world *w = s->ctx;
    size_t at = strlen(w->notes);
    snprintf(w->notes + at, sizeof w->notes - at, "%s %s: %s\n", n->action, n->subject, n->text);
}

static void begin(struct world *w, fl_usec at)
{
    fl_effects_free(w->fx);
    w->fx = fl_effects_new();
    assert_non_null(w->fx);
    w->fx->realm = "default";
    w->step = (struct fl_step){.at = at,
                               .seq = w->step.seq + 1,
                               .actor = "ann",
                               .rules = w->rules,
                               .fx = w->fx,
                               .note = note,
                               .ctx = w};
}

static void end(struct world *w)
{
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    assert_int_equal(fl_rules_from_json(rules_json, strlen(rules_json), &w->rules, &err), FL_OK);
    struct fl_topology_doc doc = {0};
    assert_int_equal(fl_topo_new(&doc, &w->topo, &err), FL_OK);
    w->c = fl_corr_new();
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    fl_corr_free(w->c);
    fl_topo_free(w->topo);
    fl_rules_free(w->rules);
    fl_effects_free(w->fx);
    free(w);
    return 0;
}

static struct fl_alert alert_of(struct fl_label *l, size_t n, fl_alert_status st, fl_usec starts, fl_usec at)
{
    struct fl_alert a = {.labels = {l, fl_labels_normalise(l, n)},
                         .starts_at = starts,
                         .status = st,
                         .received_at = at,
                         .ends_at = st == FL_ALERT_RESOLVED ? at : 0,
                         .generator_url = ""};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    return a;
}

static uint64_t send(struct world *w, fl_usec at, const char *name, const char *severity, const char *cluster,
                     fl_alert_status st, fl_usec starts)
{
    struct fl_label l[] = {{"alertname", name}, {"severity", severity}, {"cluster", cluster}};
    struct fl_alert a = alert_of(l, 3, st, starts, at);
    begin(w, at);
    fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", &a, 1);
    end(w);
    return a.fingerprint;
}

static void tick(struct world *w, fl_usec at)
{
    begin(w, at);
    end(w);
}

/* The row of one alert in the last step; NULL: it was not written. */
static const struct fl_alert_row *row(const struct world *w, uint64_t fp)
{
    const struct fl_alert_row *found = NULL;
    for (size_t i = 0; i < w->fx->n; i++)
        if (w->fx->v[i].kind == FL_FX_ALERT && w->fx->v[i].alert.fingerprint == fp)
            found = &w->fx->v[i].alert;
    return found;
}

static struct fl_corr_stats stats(const struct world *w)
{
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    return st;
}

static fl_status set(struct world *w, fl_usec at, const char *id, const char *name, fl_usec from, fl_usec to,
                     char *ret, struct fl_err *err)
{
    char text[1024], t1[FL_TIME_LEN], t2[FL_TIME_LEN];
    snprintf(
        text, sizeof text,
        "{\"id\":\"%s\",\"comment\":\"works\",\"createdBy\":\"ops\",\"startsAt\":\"%s\",\"endsAt\":\"%s\",\"matchers\":[{\"name\":\"alertname\","
        "\"value\":\"%s\",\"isRegex\":true,\"isEqual\":true}]}",
        id, fl_time_format(from, t1), fl_time_format(to, t2), name);
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), err);
    assert_non_null(v);
    begin(w, at);
    fl_status st = fl_corr_silence_set(w->c, &w->step, v, ret, err);
    end(w);
    return st;
}

static void silence(struct world *w, fl_usec at, const char *name, fl_usec from, fl_usec to, char *ret)
{
    struct fl_err err = {0};
    if (set(w, at, "", name, from, to, ret, &err) != FL_OK)
        fail_msg("%s", err.text);
    assert_true(fl_silence_id_valid(ret));
}

static fl_status expire(struct world *w, fl_usec at, const char *id)
{
    struct fl_err err = {0};
    begin(w, at);
    fl_status st = fl_corr_silence_expire(w->c, &w->step, id, &err);
    end(w);
    return st;
}

static void test_a_silenced_alert_is_held_and_released(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN], text[64];
    silence(w, T0, "Disk.*", T0, T0 + 60 * SEC, id);
    uint64_t fp = send(w, T0 + SEC, "DiskFull", "critical", "eu", FL_ALERT_FIRING, T0 + SEC);
    snprintf(text, sizeof text, "[\"%s\"]", id);
    assert_string_equal(row(w, fp)->silenced_by, text);
    assert_string_equal(row(w, fp)->incident, "");
    assert_non_null(
        strstr(row(w, fp)->why,
               ") until 2026-09-21T14:14:20.000Z: since 2026-09-21T14:13:21.000Z kept out of incidents"));
    assert_int_equal(stats(w).open_incidents, 0);
    assert_int_equal(stats(w).held, 1);
    assert_int_equal(fl_corr_deadline(w->c, w->rules), T0 + 60 * SEC);
    tick(w, T0 + 60 * SEC - 1);
    assert_null(row(w, fp));
    tick(w, T0 + 60 * SEC);
    assert_string_equal(row(w, fp)->silenced_by, "[]");
    assert_string_equal(row(w, fp)->incident, "INC-2026-000001");
    assert_non_null(strstr(row(w, fp)->why, "until 2026-09-21T14:14:20.000Z silenced by"));
    assert_int_equal(stats(w).held, 0);
    assert_int_equal(stats(w).open_incidents, 1);
}

static void test_the_time_counts_even_before_the_tick(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN];
    silence(w, T0, "A", T0 + 10 * SEC, T0 + 20 * SEC, id);
    /* These alerts are the first events at or after the start, and at or after the end. */
    uint64_t fp = send(w, T0 + 10 * SEC, "A", "error", "eu", FL_ALERT_FIRING, T0 + 10 * SEC);
    assert_int_equal(stats(w).held, 1);
    assert_non_null(strstr(row(w, fp)->why, id));
    fp = send(w, T0 + 20 * SEC, "A", "error", "us", FL_ALERT_FIRING, T0 + 20 * SEC);
    assert_string_equal(row(w, fp)->silenced_by, "[]");
    assert_int_equal(stats(w).held, 0);
}

static void test_one_in_an_incident_stays_there(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN];
    uint64_t fp = send(w, T0, "A", "error", "eu", FL_ALERT_FIRING, T0);
    silence(w, T0 + SEC, "A", T0 + SEC, T0 + 60 * SEC, id);
    assert_string_equal(row(w, fp)->incident, "INC-2026-000001");
    assert_non_null(strstr(row(w, fp)->why, "it stays in its incident"));
    assert_non_null(strstr(w->notes, "alert.silenced"));
    const struct fl_incident *i = fl_corr_find(w->c, "INC-2026-000001");
    assert_int_equal(i->alerts_firing, 1); /* still firing: it may not look resolved */
    assert_int_equal(i->state, FL_INC_OPEN);
    send(w, T0 + 2 * SEC, "A", "error", "eu", FL_ALERT_RESOLVED, T0);
    assert_int_equal(i->state, FL_INC_RECOVERING);
}

static void test_over_while_held(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN];
    silence(w, T0, "A|B", T0, T0 + 60 * SEC, id);
    uint64_t a = send(w, T0 + SEC, "A", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    uint64_t b = send(w, T0 + SEC, "B", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    send(w, T0 + 2 * SEC, "A", "error", "eu", FL_ALERT_RESOLVED, T0 + SEC);
    assert_int_equal(row(w, a)->status, FL_ALERT_RESOLVED);
    assert_string_equal(row(w, a)->incident, "");
    begin(w, T0 + 3 * SEC);
    fl_corr_expired(w->c, &w->step, b, T0 + SEC);
    end(w);
    assert_int_equal(row(w, b)->status, FL_ALERT_STALE);
    /* Nobody vouches for it: the end of the silence opens nothing. */
    tick(w, T0 + 60 * SEC);
    assert_string_equal(row(w, b)->incident, "");
    assert_int_equal(stats(w).held, 0);
    assert_int_equal(stats(w).opened, 0);
    /* But a report does, and a late one of the resolved alert does not. */
    send(w, T0 + 61 * SEC, "B", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    assert_string_equal(row(w, b)->incident, "INC-2026-000001");
    send(w, T0 + 62 * SEC, "A", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    assert_null(row(w, a));
}

/* People read of the end that is in force, and since when it hides: both stay true over an edit. */
static void test_an_edit_is_told(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN], again[FL_SILENCE_ID_LEN];
    struct fl_err err = {0};
    silence(w, T0, "Disk.*", T0, T0 + 60 * SEC, id);
    uint64_t fp = send(w, T0 + SEC, "DiskFull", "critical", "eu", FL_ALERT_FIRING, T0 + SEC);
    assert_non_null(strstr(row(w, fp)->kept_why, ") until 2026-09-21T14:14:20.000Z: since"));
    assert_memory_equal(row(w, fp)->kept_by, "silence ", 8);
    assert_string_equal(row(w, fp)->kept_by + 8, id);
    assert_int_equal(set(w, T0 + 30 * SEC, id, "Disk.*", T0, T0 + 90 * SEC, again, &err), FL_OK);
    assert_string_equal(id, again);
    assert_non_null(row(w, fp));
    assert_non_null(
        strstr(row(w, fp)->why,
               ") until 2026-09-21T14:14:50.000Z: since 2026-09-21T14:13:21.000Z kept out of incidents"));
    tick(w, T0 + 60 * SEC);
    assert_null(row(w, fp));
    tick(w, T0 + 90 * SEC);
    assert_string_not_equal(row(w, fp)->incident, "");
    assert_false(row(w, fp)->kept);
}

static void test_edits(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN], other[FL_SILENCE_ID_LEN];
    struct fl_err err = {0};
    silence(w, T0, "A", T0, T0 + 60 * SEC, id);
    uint64_t fp = send(w, T0 + SEC, "A", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    /* another end: the same silence */
    assert_int_equal(set(w, T0 + 2 * SEC, id, "A", T0, T0 + 90 * SEC, other, &err), FL_OK);
    assert_string_equal(id, other);
    assert_int_equal(fl_corr_deadline(w->c, w->rules), T0 + 90 * SEC);
    assert_non_null(strstr(w->notes, "silence.updated"));
    /* other matchers: the old one is over, a new one is made, its alert is released */
    assert_int_equal(set(w, T0 + 3 * SEC, id, "B", T0, T0 + 90 * SEC, other, &err), FL_OK);
    assert_string_not_equal(id, other);
    assert_string_equal(row(w, fp)->incident, "INC-2026-000001");
    /* over already: the same again makes a new one */
    memcpy(id, other, sizeof id);
    assert_int_equal(expire(w, T0 + 4 * SEC, id), FL_OK);
    assert_int_equal(expire(w, T0 + 5 * SEC, id), FL_OK);
    assert_int_equal(set(w, T0 + 6 * SEC, id, "B", T0 + 6 * SEC, T0 + 90 * SEC, other, &err), FL_OK);
    assert_string_not_equal(id, other);
    /* a pending one may begin at another time, but not in the past */
    silence(w, T0 + 7 * SEC, "C", T0 + 50 * SEC, T0 + 90 * SEC, id);
    assert_int_equal(set(w, T0 + 8 * SEC, id, "C", T0 + 40 * SEC, T0 + 90 * SEC, other, &err), FL_OK);
    assert_string_equal(id, other);
    assert_int_equal(set(w, T0 + 9 * SEC, id, "C", T0, T0 + 90 * SEC, other, &err), FL_OK);
    assert_string_not_equal(id, other);
    /* expiring a pending one */
    silence(w, T0 + 10 * SEC, "D", T0 + 50 * SEC, T0 + 90 * SEC, id);
    assert_int_equal(expire(w, T0 + 11 * SEC, id), FL_OK);
    tick(w, T0 + 55 * SEC);
    fp = send(w, T0 + 56 * SEC, "D", "error", "eu", FL_ALERT_FIRING, T0 + 56 * SEC);
    assert_string_equal(row(w, fp)->silenced_by, "[]");
}

static void test_refusals(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN];
    struct fl_err err = {0};
    assert_int_equal(set(w, T0, "00000000-0000-4000-8000-000000000000", "A", T0, T0 + SEC, id, &err),
                     FL_E_NOTFOUND);
    assert_string_equal(err.text, "silence not found");
    fl_err_clear(&err);
    assert_int_equal(set(w, T0, "", "A", T0 - 2 * SEC, T0 - SEC, id, &err), FL_E_SHAPE);
    assert_string_equal(err.text, "Failed to create silence: end time can't be in the past");
    fl_err_clear(&err);
    assert_int_equal(set(w, T0, "", ".*", T0, T0 + SEC, id, &err), FL_E_SHAPE);
    assert_int_equal(expire(w, T0, "nonsense"), FL_E_NOTFOUND);
    assert_int_equal(expire(w, T0, ""), FL_E_NOTFOUND);
    assert_int_equal(fl_corr_deadline(w->c, w->rules), 0);
}

/* Words are cut to a length in bytes: what leaves the stage is UTF-8 all the same. */
static void test_long_words_of_others(void **state)
{
    struct world *w = *state;
    char text[2048] =
        "{\"createdBy\":\"ops\",\"startsAt\":\"2026-01-01T00:00:00Z\",\"endsAt\":\"2030-01-01T00:00:00Z\",\"matchers\":[{\"name\":"
        "\"alertname\",\"value\":\"A\",\"isRegex\":false}],\"comment\":\"x";
    for (int i = 0; i < 300; i++)
        strcat(text, "é");
    strcat(text, "\"}");
    char id[FL_SILENCE_ID_LEN];
    struct fl_err err = {0};
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), &err);
    begin(w, T0);
    assert_int_equal(fl_corr_silence_set(w->c, &w->step, v, id, &err), FL_OK);
    end(w);
    uint64_t fp = send(w, T0 + SEC, "A", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    assert_int_equal(expire(w, T0 + 2 * SEC, id), FL_OK);
    assert_non_null(row(w, fp));
    assert_true(fl_utf8_valid(row(w, fp)->why, strlen(row(w, fp)->why)));
    assert_true(fl_utf8_valid(w->notes, strlen(w->notes)));
}

static void test_there_is_a_limit(void **state)
{
    struct world *w = *state;
    char id[FL_SILENCE_ID_LEN];
    struct fl_err err = {0};
    for (int i = 0; i < 10000; i++)
        silence(w, T0, "A", T0, T0 + 60 * SEC, id);
    assert_int_equal(set(w, T0, "", "A", T0, T0 + SEC, id, &err), FL_E_LIMIT);
    /* An alert that many of them hide names only some. */
    uint64_t fp = send(w, T0 + SEC, "A", "error", "eu", FL_ALERT_FIRING, T0 + SEC);
    assert_true(strlen(row(w, fp)->silenced_by) < 400);
    tick(w, T0 + 61 * SEC);
    assert_string_equal(row(w, fp)->incident, "INC-2026-000001");
    silence(w, T0 + 62 * SEC, "A", T0 + 62 * SEC, T0 + 70 * SEC, id);
    tick(w, T0 + 6 * 86400 * SEC); /* forgotten */
    assert_int_equal(expire(w, T0 + 6 * 86400 * SEC, id), FL_E_NOTFOUND);
}

static void test_inhibition(void **state)
{
    struct world *w = *state;
    uint64_t src = send(w, T0, "Down", "critical", "eu", FL_ALERT_FIRING, T0);
    uint64_t in = send(w, T0 + SEC, "Slow", "warning", "eu", FL_ALERT_FIRING, T0 + SEC);
    uint64_t out = send(w, T0 + SEC, "Slow", "warning", "us", FL_ALERT_FIRING, T0 + SEC);
    char hex[17], text[32];
    snprintf(text, sizeof text, "[\"%s\"]", fl_fingerprint_hex(src, hex));
    assert_string_equal(row(w, out)->inhibited_by, "[]");
    assert_int_equal(stats(w).held, 1);
    /* the inhibitor falls silent: nobody vouches for it, so it hides nothing */
    begin(w, T0 + 2 * SEC);
    fl_corr_expired(w->c, &w->step, src, T0);
    end(w);
    assert_string_equal(row(w, in)->inhibited_by, "[]");
    assert_string_not_equal(row(w, in)->incident, "");
    /* and when it is back, what has joined stays, what is new is held */
    send(w, T0 + 3 * SEC, "Down", "critical", "eu", FL_ALERT_FIRING, T0);
    assert_string_equal(row(w, in)->inhibited_by, text);
    assert_string_not_equal(row(w, in)->incident, "");
    in = send(w, T0 + 4 * SEC, "Late", "info", "eu", FL_ALERT_FIRING, T0 + 4 * SEC);
    assert_string_equal(row(w, in)->inhibited_by, text);
    assert_string_equal(row(w, in)->incident, "");
    /* a second inhibitor takes over the name, and the last one releases */
    uint64_t second = send(w, T0 + 5 * SEC, "Down2", "critical", "eu", FL_ALERT_FIRING, T0 + 5 * SEC);
    assert_null(row(w, in));
    send(w, T0 + 6 * SEC, "Down", "critical", "eu", FL_ALERT_RESOLVED, T0);
    snprintf(text, sizeof text, "[\"%s\"]", fl_fingerprint_hex(second, hex));
    assert_string_equal(row(w, in)->inhibited_by, text);
    send(w, T0 + 7 * SEC, "Down2", "critical", "eu", FL_ALERT_RESOLVED, T0 + 5 * SEC);
    assert_string_equal(row(w, in)->inhibited_by, "[]");
    assert_string_not_equal(row(w, in)->incident, "");
    assert_int_equal(stats(w).held, 0);
}

static void test_both_sides_inhibit_nobody(void **state)
{
    struct world *w = *state;
    struct fl_label l1[] = {{"alertname", "A"}, {"kind", "x"}}, l2[] = {{"alertname", "B"}, {"kind", "x"}};
    struct fl_alert v[] = {alert_of(l1, 2, FL_ALERT_FIRING, T0, T0),
                           alert_of(l2, 2, FL_ALERT_FIRING, T0, T0)};
    begin(w, T0);
    fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", v, 2);
    end(w);
    assert_int_equal(stats(w).held, 0);
    assert_string_equal(row(w, v[0].fingerprint)->inhibited_by, "[]");
    assert_string_equal(row(w, v[1].fingerprint)->inhibited_by, "[]");
}

static void test_a_storm_is_held_and_restored(void **state)
{
    struct world *w = *state;
    enum { N = 3000 };
    char id[FL_SILENCE_ID_LEN], name[32];
    silence(w, T0, "S.*", T0, T0 + 600 * SEC, id);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "%s%d", i % 3 == 0 ? "Src" : i % 3 == 1 ? "Tgt" : "Sil", i);
        send(w, T0 + SEC, name, i % 3 == 0 ? "critical" : "warning", "eu", FL_ALERT_FIRING, T0 + SEC);
    }
    assert_int_equal(stats(w).held, N);
    struct fl_corr *c2 = again(w->c, w->topo, w->rules);
    struct fl_corr *c1 = w->c;
    for (int k = 0; k < 2; k++) {
        w->c = k ? c2 : c1;
        w->step.seq = 10000;
        for (int i = 0; i < N; i += 3) {
            snprintf(name, sizeof name, "Src%d", i);
            send(w, T0 + 2 * SEC, name, "critical", "eu", FL_ALERT_RESOLVED, T0 + SEC);
        }
        assert_int_equal(stats(w).held, N / 3); /* the silenced ones; every third was inhibited only */
        tick(w, T0 + 600 * SEC);
        assert_int_equal(stats(w).held, 0);
    }
    assert_same_state(c1, c2);
    w->c = c1;
    fl_corr_free(c2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        T(test_a_silenced_alert_is_held_and_released),
        T(test_the_time_counts_even_before_the_tick),
        T(test_one_in_an_incident_stays_there),
        T(test_over_while_held),
        T(test_an_edit_is_told),
        T(test_edits),
        T(test_refusals),
        T(test_long_words_of_others),
        T(test_there_is_a_limit),
        T(test_inhibition),
        T(test_both_sides_inhibit_nobody),
        T(test_a_storm_is_held_and_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
