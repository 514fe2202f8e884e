/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reminders: a silence or a window that hides much for long is spoken of once, again after a while, and when it is to end
 * while it still hides something; what is counted; what an edit and other rules do; what a snapshot keeps. */
#include "quiet_fixture.h"

#define HOUR (3600 * SEC)

static const char rules_json[] =
    "{\"reminders\":[{\"name\":\"much\",\"alerts\":3,\"lasts\":\"4h\",\"every\":\"24h\"},"
    "{\"name\":\"bad\",\"severity\":\"critical\",\"lasts\":\"8h\"},"
    "{\"name\":\"ends\",\"ends_within\":\"1h\"}]}";

static struct world *w;
static bool through_a_snapshot;

static int setup(void **state)
{
    (void)state;
    w = world_new(rules_json);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(w);
    return 0;
}

static void pause_here(void)
{
    if (!through_a_snapshot)
        return;
    struct fl_corr_stats before = stats(w);
    fl_usec due = fl_corr_deadline(w->c, w->rules);
    restore(w);
    struct fl_corr_stats after = stats(w);
    assert_memory_equal(before.hidden, after.hidden, sizeof before.hidden);
    assert_memory_equal(before.reminded, after.reminded, sizeof before.reminded);
    assert_memory_equal(before.reminders, after.reminders, sizeof before.reminders);
    assert_int_equal(due, fl_corr_deadline(w->c, w->rules));
}

static void silence(fl_usec at, const char *id, const char *match, fl_usec ends, char *ret)
{
    char text[512], from[FL_TIME_LEN], to[FL_TIME_LEN];
    struct fl_err err = {0};
    snprintf(text, sizeof text,
             "{%s%s%s\"matchers\":[{\"name\":\"team\",\"value\":\"%s\",\"isRegex\":false,\"isEqual\":true}],"
             "\"startsAt\":\"%s\",\"endsAt\":\"%s\",\"createdBy\":\"ann\",\"comment\":\"new disks\"}",
             id ? "\"id\":\"" : "", id ? id : "", id ? "\"," : "", match,
             fl_time_format_ms(id ? T0 : at, from), fl_time_format_ms(ends, to));
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), &err);
    begin(w, at);
    if (fl_corr_silence_set(w->c, &w->step, v, ret, &err) != FL_OK)
        fail_msg("%s", err.text);
    end(w);
}

static const struct fl_silence_row *silence_row(void)
{
    const struct fl_silence_row *found = NULL;
    for (size_t i = 0; i < w->fx->n; i++)
        if (w->fx->v[i].kind == FL_FX_SILENCE)
            found = &w->fx->v[i].silence;
    return found;
}

static size_t said(const char *text)
{
    size_t n = 0;
    for (const char *p = w->notes; (p = strstr(p, text)) != NULL; p++)
        n++;
    return n;
}

static uint64_t hidden_alert(fl_usec at, int k, const char *severity)
{
    char labels[80];
    snprintf(labels, sizeof labels, "alertname=A%d,team=x,severity=%s", k, severity);
    return fire(w, at, labels);
}

static void story(void)
{
    char id[FL_SILENCE_ID_LEN];
    silence(T0, NULL, "x", T0 + 100 * HOUR, id);
    hidden_alert(T0 + SEC, 1, "warning");
    hidden_alert(T0 + 2 * SEC, 2, "warning");
    fire(w, T0 + 3 * SEC, "alertname=Other,team=y,severity=warning");
    assert_int_equal(stats(w).hidden[0], 2);
    pause_here();
    fl_usec third = T0 + HOUR;
    hidden_alert(third, 3, "warning"); /* now it hides three */
    assert_int_equal(stats(w).hidden[0], 3);
    assert_int_equal(fl_corr_deadline(w->c, w->rules) <= third + 4 * HOUR, true);
    pause_here();
    tick(w, third + 4 * HOUR - 1);
    assert_int_equal(said("silence.reminder"), 0);
    pause_here();
    tick(w, third + 4 * HOUR);
    assert_int_equal(said("silence.reminder"), 1);
    assert_non_null(strstr(w->notes,
                           "hides 3 firing alerts, and has hidden at least 3 for 4h; it ends in 3d 23h, at "
                           "2026-09-25T18:13:20.000Z (reminder \"much\"); made by ann: \"new disks\""));
    assert_string_equal(silence_row()->id, id);
    assert_int_equal(silence_row()->reminders, 1);
    assert_int_equal(silence_row()->reminded_at, third + 4 * HOUR);
    assert_non_null(strstr(silence_row()->reminder, "hides 3 firing alerts"));
    assert_int_equal(stats(w).reminded[0], 1);
    pause_here();
    tick(w, third + 28 * HOUR - 1);
    assert_int_equal(said("silence.reminder"), 1);
    pause_here();
    tick(w, third + 28 * HOUR);
    assert_int_equal(said("silence.reminder"), 2);
    assert_int_equal(silence_row()->reminders, 2);
    pause_here();
    /* One is over: that is not much any more, and the mark goes. */
    fl_usec over = third + 29 * HOUR;
    send(w, over, "alertname=A2,team=x,severity=warning", FL_ALERT_RESOLVED, T0 + 2 * SEC);
    assert_int_equal(stats(w).hidden[0], 2);
    assert_int_equal(stats(w).reminded[0], 0);
    assert_string_equal(silence_row()->reminder, "");
    assert_int_equal(silence_row()->reminders, 2);
    pause_here();
    /* One more: the time begins anew. */
    hidden_alert(over + HOUR, 4, "critical");
    tick(w, over + 5 * HOUR - 1);
    assert_int_equal(said("silence.reminder"), 2);
    tick(w, over + 5 * HOUR);
    assert_int_equal(said("silence.reminder"), 3);
    pause_here();
    /* The critical one, for eight hours; once. */
    tick(w, over + 9 * HOUR);
    assert_int_equal(said("(reminder \"bad\")"), 1);
    assert_non_null(
        strstr(w->notes, "hides 3 firing alerts, 1 of them critical, and has hidden at least 1 for 8h"));
    tick(w, over + 28 * HOUR);
    assert_int_equal(said("(reminder \"bad\")"), 1);
    pause_here();
    /* An hour before its end. */
    size_t before = said("silence.reminder");
    tick(w, T0 + 99 * HOUR - 1);
    assert_int_equal(said("(reminder \"ends\")"), 0);
    before = said("silence.reminder");
    pause_here();
    tick(w, T0 + 99 * HOUR);
    assert_int_equal(said("(reminder \"ends\")"), 1);
    assert_int_equal(said("silence.reminder"), before + 1);
    assert_non_null(
        strstr(w->notes, "it ends in 1h, at 2026-09-25T18:13:20.000Z and still hides 3 firing alerts"));
    pause_here();
    tick(w, T0 + 100 * HOUR);
    assert_int_equal(stats(w).hidden[0], 0);
    assert_int_equal(stats(w).reminded[0], 0);
    assert_string_equal(silence_row()->reminder, "");
    assert_int_equal(stats(w).reminders[0], said("silence.reminder"));
}

static void test_a_silence(void **state)
{
    (void)state;
    through_a_snapshot = false;
    story();
}

static void test_a_silence_restored(void **state)
{
    (void)state;
    through_a_snapshot = true;
    story();
}

/* A person who changes it knows of it. */
static void test_an_edit_begins_anew(void **state)
{
    (void)state;
    char id[FL_SILENCE_ID_LEN], again[FL_SILENCE_ID_LEN];
    silence(T0, NULL, "x", T0 + 100 * HOUR, id);
    for (int k = 0; k < 3; k++)
        hidden_alert(T0 + k * SEC, k, "warning");
    silence(T0 + 3 * HOUR, id, "x", T0 + 101 * HOUR, again);
    assert_string_equal(id, again);
    tick(w, T0 + 7 * HOUR - 1);
    assert_int_equal(said("silence.reminder"), 0);
    tick(w, T0 + 7 * HOUR);
    assert_int_equal(said("silence.reminder"), 1);
}

/* Stale alerts are vouched for by nobody; annotations may make an alert worse. */
static void test_what_counts(void **state)
{
    (void)state;
    char id[FL_SILENCE_ID_LEN];
    silence(T0, NULL, "x", T0 + 100 * HOUR, id);
    uint64_t a = hidden_alert(T0, 1, "critical");
    hidden_alert(T0, 2, "warning");
    assert_int_equal(stats(w).hidden[0], 2);
    expire_lease(w, T0 + SEC, a, T0);
    assert_int_equal(stats(w).hidden[0], 1);
    tick(w, T0 + 9 * HOUR);
    assert_int_equal(said("silence.reminder"), 0);
    send(w, T0 + 10 * HOUR, "alertname=A1,team=x,severity=critical", FL_ALERT_FIRING, T0);
    assert_int_equal(stats(w).hidden[0], 2);
    tick(w, T0 + 18 * HOUR);
    assert_int_equal(said("(reminder \"bad\")"), 1);
    restore(w);
    assert_int_equal(stats(w).hidden[0], 2);
}

/* One shorter than twice the span would be spoken of as soon as it begins. */
static void test_short_ones_just_end(void **state)
{
    (void)state;
    char id[FL_SILENCE_ID_LEN];
    silence(T0, NULL, "x", T0 + 2 * HOUR - SEC, id);
    hidden_alert(T0, 1, "warning");
    tick(w, T0 + 2 * HOUR - 2 * SEC);
    assert_int_equal(said("silence.reminder"), 0);
    silence(T0 + 3 * HOUR, NULL, "y", T0 + 5 * HOUR, id);
    fire(w, T0 + 3 * HOUR, "alertname=B,team=y");
    tick(w, T0 + 4 * HOUR);
    assert_int_equal(said("silence.reminder"), 1);
    /* It comes and goes in the last hour: that is not said each time. */
    send(w, T0 + 4 * HOUR + SEC, "alertname=B,team=y", FL_ALERT_RESOLVED, T0 + 3 * HOUR);
    fire(w, T0 + 4 * HOUR + 2 * SEC, "alertname=B,team=y");
    tick(w, T0 + 4 * HOUR + 3 * SEC);
    assert_int_equal(said("silence.reminder"), 1);
}

/* Alerts of an incident that a silence hides: the incident's timeline says so. */
static void test_incidents_are_told(void **state)
{
    (void)state;
    char id[FL_SILENCE_ID_LEN], want[200];
    for (int k = 0; k < 3; k++)
        hidden_alert(T0 - 10 * SEC, k, "warning");
    assert_int_equal(stats(w).firing, 3);
    size_t notes = strlen(w->notes);
    silence(T0, NULL, "x", T0 + 100 * HOUR, id);
    assert_int_equal(stats(w).hidden[0], 3);
    tick(w, T0 + 4 * HOUR);
    snprintf(want, sizeof want, "silence.reminder %s: silence %s hides 1 alert of this incident: hides 3", id,
             id);
    assert_int_equal(said("of this incident"), 3); /* three names, three incidents without a component */
    assert_non_null(strstr(w->notes + notes, want));
}

/* Windows, too: open ones only, and a weekly one ends each time. */
static void test_windows(void **state)
{
    (void)state;
    static const char once[] =
        "{\"comment\":\"disks\",\"match\":[\"team=x\"],\"starts_at\":\"2026-09-21T14:13:20Z\","
        "\"ends_at\":\"2026-09-22T14:13:20Z\"}";
    char id[FL_ID_LEN];
    struct fl_err err = {0};
    FL_AUTO_JSON v = fl_json_parse(once, strlen(once), &err);
    begin(w, T0);
    assert_int_equal(fl_corr_maintenance_add(w->c, &w->step, w->topo, v, id, &err), FL_OK);
    end(w);
    for (int k = 0; k < 3; k++)
        hidden_alert(T0 + SEC, k, "warning");
    assert_int_equal(stats(w).hidden[1], 3);
    assert_int_equal(stats(w).hidden[0], 0);
    restore(w);
    tick(w, T0 + SEC + 4 * HOUR);
    assert_int_equal(said("maintenance.reminder MNT-000001: hides 3 firing alerts"), 1);
    assert_int_equal(stats(w).reminded[1], 1);
    restore(w);
    tick(w, T0 + 23 * HOUR);
    assert_int_equal(said("maintenance.reminder MNT-000001: it ends in 1h"), 1);
    tick(w, T0 + 24 * HOUR);
    assert_int_equal(stats(w).hidden[1], 0);
    assert_int_equal(stats(w).reminded[1], 0);
    assert_int_equal(stats(w).reminders[1], 2);
}

static void other_rules(const char *json, fl_usec at)
{
    struct fl_rules *old = w->rules;
    struct fl_err err = {0};
    assert_int_equal(fl_rules_from_json(json, strlen(json), &w->rules, &err), FL_OK);
    begin(w, at);
    fl_corr_topology(w->c, &w->step, w->topo);
    end(w);
    fl_rules_free(old);
}

/* Rules that differ elsewhere leave the times alone; other reminders begin anew. */
static void test_other_rules(void **state)
{
    (void)state;
    char id[FL_SILENCE_ID_LEN], more[600];
    silence(T0, NULL, "x", T0 + 100 * HOUR, id);
    for (int k = 0; k < 3; k++)
        hidden_alert(T0, k, "warning");
    snprintf(more, sizeof more, "%.*s,\"leases\":{\"default\":\"8h\"}}", (int)strlen(rules_json) - 1,
             rules_json);
    other_rules(more, T0 + 3 * HOUR);
    tick(w, T0 + 4 * HOUR);
    assert_int_equal(said("silence.reminder"), 1);
    other_rules("{\"reminders\":[{\"name\":\"few\",\"alerts\":2,\"lasts\":\"1h\"}]}", T0 + 5 * HOUR);
    tick(w, T0 + 6 * HOUR - 1);
    assert_int_equal(said("silence.reminder"), 1);
    tick(w, T0 + 6 * HOUR);
    assert_int_equal(said("(reminder \"few\")"), 1);
    other_rules("{\"reminders\":[]}", T0 + 7 * HOUR);
    tick(w, T0 + 90 * HOUR);
    assert_int_equal(said("silence.reminder"), 2);
    assert_int_equal(stats(w).reminded[0], 0);
}

/* A weekly window's time is one of its own: what was said of Monday's end is said of Tuesday's again, though nothing was hidden
 * any more when Monday's came. */
static void test_each_time_of_a_weekly_window(void **state)
{
    (void)state;
    const fl_usec opens = T0 + 2800 * SEC, day = 24 * HOUR; /* 15:00 */
    other_rules("{\"maintenance\":[{\"name\":\"backup\",\"match\":[\"team=x\"],"
                "\"weekly\":{\"days\":[\"mon\",\"tue\"],\"at\":\"15:00\",\"duration\":\"4h\"}}],"
                "\"reminders\":[{\"name\":\"ends\",\"ends_within\":\"1h\"}]}",
                T0);
    hidden_alert(opens + HOUR, 1, "warning");
    tick(w, opens + 3 * HOUR);
    assert_int_equal(said("(reminder \"ends\")"), 1);
    send(w, opens + 3 * HOUR + SEC, "alertname=A1,team=x,severity=warning", FL_ALERT_RESOLVED, opens + HOUR);
    tick(w, opens + 4 * HOUR);
    hidden_alert(opens + day + HOUR, 2, "warning");
    tick(w, opens + day + 3 * HOUR - 1);
    assert_int_equal(said("(reminder \"ends\")"), 1);
    tick(w, opens + day + 3 * HOUR);
    assert_int_equal(said("(reminder \"ends\")"), 2);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_silence_restored, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_edit_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_short_ones_just_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_incidents_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(test_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_rules, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_time_of_a_weekly_window, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
