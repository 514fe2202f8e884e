/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Graph inhibition: the order of arrival does not matter, holds are bounded, circles hide nobody, snapshots keep it. */
#include "quiet_fixture.h"

static const char rules_json[] =
    "{\"graph_inhibitions\":[{\"name\":\"what it needs is down\",\"upstream\":[\"severity=critical\"],\"distance\":2,"
    "\"hold_down\":\"15s\"}]}";

static struct world *w;

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

static const char *const alerts[] = {
    "alertname=DbDown,component=db,severity=critical",
    "alertname=CartSlow,component=cart,severity=warning",
    "alertname=CatDown,component=catalog,severity=critical",
    "alertname=FrontErrors,component=front,severity=warning",
    "alertname=BatchLate,component=batch,severity=warning",
};
enum { N = FL_ARRAY_LEN(alerts) };

struct members {
    char text[512];
};

static void add_held(void *ctx, const struct fl_episode *e)
{
    struct members *m = ctx;
    size_t at = strlen(m->text);
    snprintf(m->text + at, sizeof m->text - at, "%s ", fl_label_get(&e->alert->labels, "alertname"));
}

static bool add_joined(void *ctx, const struct fl_episode *e)
{
    add_held(ctx, e);
    return false;
}

static bool one_incident(void *ctx, struct fl_incident *i)
{
    struct members m = {.text = ""};
    struct members *all = ctx;
    fl_corr_each_episode(w->c, i, add_joined, &m);
    size_t at = strlen(all->text);
    snprintf(all->text + at, sizeof all->text - at, "[%s]", m.text);
    return false;
}

/* Permutation number p of 0 … N-1. */
static void permute(int p, int out[N])
{
    int left[N], n = N;
    for (int i = 0; i < N; i++)
        left[i] = i;
    for (int i = 0; i < N; i++) {
        int k = p % n;
        p /= n;
        out[i] = left[k];
        memmove(left + k, left + k + 1, (size_t)(n - k - 1) * sizeof *left);
        n--;
    }
}

/* @param apart time between two alerts; 0: all in one body. */
static void one_order(const int order[N], fl_usec apart, bool restored)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    if (apart) {
        for (int i = 0; i < N; i++) {
            fire(w, T0 + i * apart, alerts[order[i]]);
            if (restored)
                restore(w);
        }
    } else {
        struct fl_alert v[N];
        for (int i = 0; i < N; i++)
            v[i] = alert_of(a, alerts[order[i]], FL_ALERT_FIRING, T0, T0);
        begin(w, T0);
        fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", v, N);
        end(w);
    }
    for (int k = 0; k <= 30; k++)
        tick(w, T0 + k * SEC + N * apart);
    assert_int_equal(stats(w).held, 3);
    struct members m = {.text = ""};
    fl_corr_each(w->c, one_incident, &m);
    if (strcmp(m.text, "[DbDown ][BatchLate ]") != 0)
        fail_msg("order %d %d %d %d %d: %s", order[0], order[1], order[2], order[3], order[4], m.text);
}

static void test_every_order_gives_the_same_incidents(void **state)
{
    (void)state;
    int order[N];
    for (int p = 0; p < 120; p++)
        for (int k = 0; k < 3; k++) {
            permute(p, order);
            one_order(order, k * SEC, k == 2 && p % 8 == 0);
            world_free(w);
            w = world_new(rules_json);
        }
}

static void test_held_then_inhibited_then_released(void **state)
{
    (void)state;
    uint64_t cart = fire(w, T0, alerts[1]);
    assert_string_equal(row(w, cart)->quiet, "upstream");
    assert_non_null(
        strstr(row(w, cart)->why,
               "held by graph rule \\\"what it needs is down\\\" until 2026-09-21T14:13:35.000Z"));
    assert_int_equal(fl_corr_deadline(w->c, w->rules), T0 + 15 * SEC);
    uint64_t db = fire(w, T0 + 5 * SEC, alerts[0]);
    char hex[17], text[32];
    snprintf(text, sizeof text, "[\"%s\"]", fl_fingerprint_hex(db, hex));
    assert_string_equal(row(w, db)->incident, "INC-2026-000001");
    assert_string_equal(row(w, cart)->inhibited_by, text);
    assert_string_equal(row(w, cart)->quiet, "");
    char want[300];
    snprintf(
        want, sizeof want,
        "inhibited: db, 1 hop below, fires DbDown since 2026-09-21T14:13:25.000Z (%s; rule "
        "\\\"what it needs is down\\\"), until that is over: since 2026-09-21T14:13:25.000Z kept out of incidents",
        fl_fingerprint_hex(db, hex));
    assert_non_null(strstr(row(w, cart)->why, want));
    assert_string_equal(row(w, cart)->kept_by, "graph inhibition what it needs is down");
    assert_true(row(w, cart)->kept);
    uint64_t front = fire(w, T0 + 6 * SEC, alerts[3]);
    assert_non_null(
        strstr(row(w, front)->why, "inhibited: db, 2 hops below (front > cart > db), fires DbDown"));
    restore(w);
    tick(w, T0 + 60 * SEC);
    assert_null(row(w, cart));
    /* It clears: its dependants get as long again to clear themselves. */
    send(w, T0 + 70 * SEC, alerts[0], FL_ALERT_RESOLVED, T0 + 5 * SEC);
    assert_string_equal(row(w, cart)->inhibited_by, "[]");
    assert_string_equal(row(w, cart)->quiet, "upstream");
    restore(w);
    send(w, T0 + 75 * SEC, alerts[3], FL_ALERT_RESOLVED, T0 + 6 * SEC);
    assert_string_equal(row(w, front)->incident, "");
    tick(w, T0 + 85 * SEC - 1);
    assert_int_equal(stats(w).held, 1);
    tick(w, T0 + 85 * SEC);
    assert_string_equal(row(w, cart)->incident, "INC-2026-000001"); /* its neighbour's, which recovers */
    assert_int_equal(stats(w).held, 0);
}

static void test_the_hold_is_bounded_and_comes_once(void **state)
{
    (void)state;
    uint64_t batch = fire(w, T0, alerts[4]);
    assert_string_equal(row(w, batch)->quiet, "upstream");
    tick(w, T0 + 15 * SEC);
    assert_string_equal(row(w, batch)->incident, "INC-2026-000001");
    /* What has joined stays, shown as inhibited. */
    fire(w, T0 + 20 * SEC, "alertname=TapeDown,component=tape,severity=critical");
    assert_string_equal(row(w, batch)->incident, "INC-2026-000001");
    assert_non_null(strstr(row(w, batch)->why, "inhibited: tape, 1 hop below, fires TapeDown"));
    assert_non_null(strstr(row(w, batch)->why, "it stays in its incident"));
}

static void test_circles_and_the_component_itself_hide_nobody(void **state)
{
    (void)state;
    fire(w, T0, "alertname=A,component=db,severity=critical");
    fire(w, T0, "alertname=B,component=cache,severity=critical");
    fire(w, T0, "alertname=C,component=db,severity=warning");
    assert_int_equal(stats(w).held, 0);
    fire(w, T0, "alertname=D,component=tape,severity=warning");
    assert_int_equal(stats(w).held, 0); /* it needs nothing: nothing to wait for */
    fire(w, T0, "alertname=E,severity=warning");
    assert_int_equal(stats(w).held, 0); /* it has no component */
}

static void test_stale_alerts_and_other_graphs_release(void **state)
{
    (void)state;
    uint64_t db = fire(w, T0, alerts[0]);
    uint64_t cart = fire(w, T0 + SEC, alerts[1]);
    uint64_t second = fire(w, T0 + 2 * SEC, "alertname=DbFull,component=db,severity=critical");
    expire_lease(w, T0 + 10 * SEC, db, T0);
    char hex[17];
    assert_non_null(strstr(row(w, cart)->inhibited_by, fl_fingerprint_hex(second, hex)));
    expire_lease(w, T0 + 11 * SEC, second, T0 + 2 * SEC);
    assert_string_equal(row(w, cart)->inhibited_by, "[]");
    send(w, T0 + 12 * SEC, alerts[0], FL_ALERT_FIRING, T0);
    assert_non_null(strstr(row(w, cart)->inhibited_by, fl_fingerprint_hex(db, hex)));
    /* A graph in which cart needs nothing any more. */
    struct fl_topology_doc doc = {.nodes = shop_nodes, .n_nodes = FL_ARRAY_LEN(shop_nodes)};
    struct fl_topo *old = w->topo;
    struct fl_err err = {0};
    assert_int_equal(fl_topo_new(&doc, &w->topo, &err), FL_OK);
    begin(w, T0 + 13 * SEC);
    fl_corr_topology(w->c, &w->step, w->topo);
    end(w);
    fl_topo_free(old);
    assert_string_equal(row(w, cart)->inhibited_by, "[]");
    assert_string_not_equal(row(w, cart)->incident, "");
    restore(w);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {
        T(test_every_order_gives_the_same_incidents),  T(test_held_then_inhibited_then_released),
        T(test_the_hold_is_bounded_and_comes_once),    T(test_circles_and_the_component_itself_hide_nobody),
        T(test_stale_alerts_and_other_graphs_release),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
