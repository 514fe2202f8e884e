/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The order of arrival and the filter in front of it: reading for labels gives what a look at every alert gives, in the
 * same order, whatever came and went before; and it does go past the others. */
#include "quiet_fixture.h"

enum { IDS = 3000, ROUNDS = 40, CHANGES = 400, FIRST = 2000 };

static const char *const RULES = "{\"correlation\":{\"group_by\":[\"alertname\"]}}";

static uint64_t rng;
static unsigned dice(unsigned n)
{
    rng = rng * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(rng >> 33) % n;
}

struct seen {
    uint64_t fingerprint;
    fl_usec starts_at;
    fl_alert_status status;
    char silenced_by[64];
};
struct reading {
    const struct fl_matcher *m;
    size_t n_m, visited, n;
    struct seen v[IDS];
};

static void see(void *ctx, const struct fl_episode *e)
{
    struct reading *r = ctx;
    r->visited++;
    if (!fl_match_all(r->m, r->n_m, &e->alert->labels))
        return;
    assert_true(r->n < IDS);
    struct seen *s = &r->v[r->n++];
    memset(s, 0, sizeof *s);
    s->fingerprint = e->alert->fingerprint;
    s->starts_at = e->alert->starts_at;
    s->status = e->status;
    snprintf(s->silenced_by, sizeof s->silenced_by, "%s", e->silenced_by ? e->silenced_by : "");
}

static void read_all(struct world *w, struct reading *r, const struct fl_label *having, size_t n)
{
    uint64_t k = fl_corr_cursor_open(w->c, having, n);
    r->n = r->visited = 0;
    enum fl_cursor_state st;
    do
        st = fl_corr_cursor_next(w->c, k, 1 + dice(700), see, r);
    while (st == FL_CURSOR_MORE);
    assert_int_equal(st, FL_CURSOR_END);
}

/* What the test itself knows: the live ones, in order of arrival. */
static struct {
    unsigned id;
    fl_usec starts_at;
    bool stale;
} live[IDS];
static size_t n_live;
static struct reading by_filter, by_scan;

static const char *labels_of(unsigned id)
{
    static char text[128];
    snprintf(text, sizeof text, "alertname=A%u,id=%u,zone=z%u,team=%s", id % 9, id, id / 700,
             id % 2 ? "web" : "db");
    return text;
}

static size_t place_of(unsigned id)
{
    size_t i = 0;
    while (i < n_live && live[i].id != id)
        i++;
    return i;
}

static void alert(struct world *w, fl_usec at, unsigned id)
{
    size_t i = place_of(id);
    if (i == n_live) {
        live[n_live].id = id;
        live[n_live].stale = false;
        live[n_live++].starts_at = at;
        fire(w, at, labels_of(id));
    } else if (dice(4)) {
        send(w, at, labels_of(id), FL_ALERT_RESOLVED, live[i].starts_at);
        memmove(live + i, live + i + 1, (--n_live - i) * sizeof *live);
    } else {
        FL_AUTO_ARENA a = fl_arena_new(0);
        struct fl_alert x = alert_of(a, labels_of(id), FL_ALERT_FIRING, at, at);
        expire_lease(w, at, x.fingerprint, live[i].starts_at);
        live[i].stale = true;
    }
}

static void silence(struct world *w, fl_usec at, unsigned id)
{
    char text[512], begins[FL_TIME_LEN], ends[FL_TIME_LEN], silence_id[FL_SILENCE_ID_LEN];
    snprintf(
        text, sizeof text,
        "{\"comment\":\"c\",\"createdBy\":\"x\",\"startsAt\":\"%s\",\"endsAt\":\"%s\",\"matchers\":[{\"isRegex\":false,"
        "\"name\":\"alertname\",\"value\":\"A%u\"},{\"isRegex\":false,\"name\":\"zone\",\"value\":\"z%u\"}]}",
        fl_time_format(at, begins), fl_time_format(at + 900 * SEC, ends), id % 9, id / 700);
    struct fl_err err = {0};
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), &err);
    begin(w, at);
    if (fl_corr_silence_set(w->c, &w->step, v, silence_id, &err) != FL_OK)
        fail_msg("%s", err.text);
    end(w);
}

/* @return how many were looked at for the filter. */
static size_t same_as_scan(struct world *w, struct fl_label *having, size_t n)
{
    struct fl_matcher m[4];
    for (size_t i = 0; i < n; i++)
        m[i] = (struct fl_matcher){.name = having[i].name, .op = '=', .value = having[i].value};
    by_filter.m = by_scan.m = m;
    by_filter.n_m = by_scan.n_m = n;
    read_all(w, &by_scan, NULL, 0);
    read_all(w, &by_filter, having, n);
    assert_int_equal(by_scan.visited, n_live);
    assert_int_equal(by_filter.n, by_scan.n);
    assert_memory_equal(by_filter.v, by_scan.v, by_scan.n * sizeof *by_scan.v);
    return by_filter.visited;
}

/* Neighbours of one name are alternatives; too many of them, or "" among them, and nobody is gone past for their lack. */
static size_t alternatives_as_scan(struct world *w, const struct fl_label *having, size_t n,
                                   const char *pattern, const struct fl_matcher *besides)
{
    struct fl_err err = {0};
    struct fl_matcher m[2] = {{.name = having[0].name, .op = '~', .value = pattern}};
    assert_int_equal(fl_matcher_compile(&m[0], &err), FL_OK);
    if (besides)
        m[1] = *besides;
    by_filter.m = by_scan.m = m;
    by_filter.n_m = by_scan.n_m = besides ? 2 : 1;
    read_all(w, &by_scan, NULL, 0);
    read_all(w, &by_filter, having, n);
    assert_int_equal(by_filter.n, by_scan.n);
    assert_memory_equal(by_filter.v, by_scan.v, by_scan.n * sizeof *by_scan.v);
    fl_matcher_done(&m[0]);
    return by_filter.visited;
}

static void compare_alternatives(struct world *w)
{
    char a[16], b[16], pattern[64];
    struct fl_label many[80];
    size_t looked_at = 0;
    for (int i = 0; i < 10; i++) {
        snprintf(a, sizeof a, "%u", dice(IDS));
        snprintf(b, sizeof b, "%u", dice(IDS));
        snprintf(pattern, sizeof pattern, "%s|%s", a, b);
        struct fl_matcher web = {.name = "team", .op = '=', .value = "web"};
        looked_at += alternatives_as_scan(w, (struct fl_label[]){{"id", a}, {"id", b}}, 2, pattern, NULL);
        alternatives_as_scan(w, (struct fl_label[]){{"id", a}, {"id", b}, {"team", "web"}}, 3, pattern, &web);
        snprintf(pattern, sizeof pattern, "%s|", a);
        assert_int_equal(
            alternatives_as_scan(w, (struct fl_label[]){{"id", a}, {"id", ""}}, 2, pattern, NULL), n_live);
    }
    if (looked_at / 10 > 512 + n_live / 20)
        fail_msg("%zu of %zu alerts were looked at for two", looked_at / 10, n_live);
    for (size_t i = 0; i < FL_ARRAY_LEN(many); i++)
        many[i] = (struct fl_label){"id", "nobody"};
    assert_int_equal(alternatives_as_scan(w, many, FL_ARRAY_LEN(many), "nobody", NULL), n_live);
}

/* All that live, in order; a stale one may have been forgotten with the silence that held it. */
static void in_order(struct world *w)
{
    by_scan.n_m = 0;
    read_all(w, &by_scan, NULL, 0);
    size_t kept = 0;
    for (size_t i = 0; i < n_live; i++) {
        bool there = kept < by_scan.n && by_scan.v[kept].starts_at == live[i].starts_at;
        assert_true(there || live[i].stale);
        if (there)
            live[kept++] = live[i];
    }
    assert_int_equal(by_scan.n, kept);
    n_live = kept;
}

static void compare(struct world *w)
{
    char id[16], zone[16], name[8];
    size_t looked_at = 0;
    in_order(w);
    for (int i = 0; i < 30; i++) {
        unsigned which = dice(IDS);
        snprintf(id, sizeof id, "%u", which);
        snprintf(zone, sizeof zone, "z%u", dice(5));
        snprintf(name, sizeof name, "A%u", dice(9));
        looked_at += same_as_scan(w, (struct fl_label[]){{"id", id}}, 1);
        same_as_scan(w, (struct fl_label[]){{"zone", zone}}, 1);
        same_as_scan(w, (struct fl_label[]){{"alertname", name}}, 1);
        same_as_scan(w, (struct fl_label[]){{"zone", zone}, {"team", "web"}, {"id", id}}, 3);
        same_as_scan(w, (struct fl_label[]){{"team", "db"}, {"nothing", ""}}, 2);
        same_as_scan(w, (struct fl_label[]){{"id", "nobody"}, {"zone", zone}}, 2);
    }
    /* An id is in one place: it takes a block of 256, and now and then one more that may have it. */
    if (looked_at / 30 > 256 + n_live / 20)
        fail_msg("%zu of %zu alerts were looked at for one", looked_at / 30, n_live);
}

static void filtered_as_scanned(void **state)
{
    (void)state;
    struct world *w = world_new(RULES);
    fl_usec at = T0;
    rng = 7;
    n_live = 0;
    for (unsigned id = 0; id < FIRST; id++)
        alert(w, at += SEC / 100, id);
    compare(w);
    assert_int_equal(n_live, FIRST);
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CHANGES; i++)
            alert(w, at += SEC / 10, dice(IDS));
        silence(w, at += SEC, dice(IDS));
        if (round % 10 == 9) {
            restore(w);
            tick(w, at += 3600 * SEC); /* incidents are over, what they held is forgotten */
        }
        compare(w);
        compare_alternatives(w);
    }
    while (n_live)
        alert(w, at += SEC / 10, live[dice((unsigned)n_live)].id);
    tick(w, at + 7200 * SEC);
    compare(w);
    world_free(w);
}

/* Two readers while alerts come and go: who is there from beginning to end is seen once by both, in order. */
static void read_during_churn(void **state)
{
    (void)state;
    struct world *w = world_new(RULES);
    fl_usec at = T0;
    rng = 11;
    n_live = 0;
    for (unsigned id = 0; id < FIRST; id++)
        alert(w, at += SEC / 100, id);
    struct fl_label having = {"team", "web"};
    struct fl_matcher m = {.name = "team", .op = '=', .value = "web"};
    by_filter = by_scan = (struct reading){.m = &m, .n_m = 1};
    static bool stayed[IDS];
    static fl_usec started[IDS];
    for (unsigned id = 0; id < IDS; id++) {
        size_t i = place_of(id);
        stayed[id] = i < n_live && id % 2;
        started[id] = i < n_live ? live[i].starts_at : 0;
    }
    uint64_t k[2] = {fl_corr_cursor_open(w->c, &having, 1), fl_corr_cursor_open(w->c, NULL, 0)};
    struct reading *r[2] = {&by_filter, &by_scan};
    bool open[2] = {true, true};
    while (open[0] || open[1]) {
        for (int i = 0; i < 30; i++) {
            unsigned id = dice(IDS);
            stayed[id] = false;
            alert(w, at += SEC / 10, id);
        }
        for (int i = 0; i < 2; i++)
            open[i] = open[i] && fl_corr_cursor_next(w->c, k[i], 50, see, r[i]) == FL_CURSOR_MORE;
    }
    size_t n = 0;
    for (unsigned id = 0; id < IDS; id++)
        n += stayed[id];
    assert_true(n > 100);
    for (int i = 0; i < 2; i++) {
        size_t found = 0;
        fl_usec last = 0;
        for (size_t x = 0; x < r[i]->n; x++) {
            assert_true(r[i]->v[x].starts_at > last);
            last = r[i]->v[x].starts_at;
            for (unsigned id = 0; id < IDS; id++)
                found += stayed[id] && started[id] == last;
        }
        assert_int_equal(found, n);
    }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filtered_as_scanned),
        cmocka_unit_test(read_during_churn),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
