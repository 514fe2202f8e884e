/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Two Prometheus and an Alertmanager tell of outages that the two see end at different times, or are cut off from; in front of
 * the core are the leases, which hold back what repeats, and both are made again from a snapshot now and then. While one of them
 * says so the alert fires, within a stated time; when none does it does not; and no outage counts twice. */
#include <faultline/correlate.h>
#include <faultline/intake.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "again.h"

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC)
#define PROMISE (240 * SEC)
#define AT_LEAST_EVERY (120 * SEC) /* of who is not cut off */
#define GRACE (300 * SEC)
enum { SENDERS = 2, OUTAGES = 4, MSGS_MAX = 4000, OUTAGE_EVERY = 6000, ROUNDS = 400 };

struct msg {
    fl_usec at, starts, ends; /* at: when it arrives; ends 0: it fires */
    int from;                 /* SENDERS: the webhook */
};
struct world {
    struct fl_rules *rules;
    struct fl_topo *topo;
    struct fl_corr *c;
    struct fl_leases *leases;
    struct fl_effects *fx;
    struct fl_step step;
    struct msg v[MSGS_MAX];
    size_t n;
    uint32_t seed, round;
    fl_usec vouched[SENDERS + 1]; /* until when somebody says that it fires; 0: nobody */
    fl_usec said_since, quiet_since;
    size_t revived;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % below;
}

static void note(struct fl_step *s, const struct fl_note *n)
{
    struct world *w = s->ctx;
    w->revived += strstr(n->text, "resolved -> open") != NULL;
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

/* ---- what is sent ---- */

static int by_time(const void *a, const void *b)
{
    const struct msg *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->from != y->from ? x->from - y->from : (x->ends > 0) - (y->ends > 0);
}

static void say(struct world *w, fl_usec at, int from, fl_usec starts, fl_usec ends)
{
    assert_true(w->n < MSGS_MAX);
    w->v[w->n++] = (struct msg){at, starts, ends, from};
}

/* One sender's view of one outage: every minute, in order, each up to 50 s late; cut off for a while now and then. */
static void view(struct world *w, int from, fl_usec starts, fl_usec ends)
{
    fl_usec arrives = 0, cut = starts + (fl_usec)draw(w, 3000) * SEC,
            back = draw(w, 3) ? cut : cut + (fl_usec)draw(w, 1500) * SEC;
    for (fl_usec t = starts; t < ends + 900 * SEC; t += 60 * SEC) {
        fl_usec at = t + (fl_usec)draw(w, 50000) * 1000;
        arrives = at > arrives ? at : arrives + 1;
        if (t < cut || t >= back)
            say(w, arrives, from, starts, t < ends ? 0 : ends);
        /* The webhook repeats it now and then; its delivery may take a group_interval. */
        if (from == 0 && t < ends && draw(w, 8) == 0)
            say(w, at + (fl_usec)draw(w, 290) * SEC, SENDERS, starts, 0);
    }
}

static void script(struct world *w)
{
    w->n = 0;
    for (int o = 0; o < OUTAGES; o++) {
        fl_usec starts = T0 + (fl_usec)o * OUTAGE_EVERY * SEC + (fl_usec)draw(w, 100000) * 1000;
        bool equal = draw(w, 2);
        for (int from = 0; from < SENDERS; from++) {
            fl_usec s = equal ? starts : starts + (fl_usec)draw(w, 5000) * 1000;
            view(w, from, s, s + (60 + (fl_usec)draw(w, draw(w, 2) ? 60 : 2400)) * SEC);
        }
    }
    qsort(w->v, w->n, sizeof *w->v, by_time);
}

/* ---- the intake and the core ---- */

static struct fl_alert alert_of(const struct msg *m, struct fl_label l[2])
{
    l[0] = (struct fl_label){"alertname", "Down"};
    l[1] = (struct fl_label){"severity", "critical"};
    struct fl_alert a = {.labels = {l, 2},
                         .starts_at = m->starts,
                         .ends_at = m->ends,
                         .lease_until = m->ends || m->from == SENDERS ? 0 : m->at + PROMISE,
                         .status = m->ends ? FL_ALERT_RESOLVED : FL_ALERT_FIRING,
                         .received_at = m->at,
                         .generator_url = m->from == 1 ? "http://b" : "http://a"};
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    return a;
}

static void receive(struct world *w, const struct msg *m)
{
    struct fl_label l[2];
    struct fl_alert a = alert_of(m, l);
    bool merged = m->from == SENDERS;
    if (m->ends && w->vouched[m->from])
        w->said_since = m->at; /* an end is heard: for a while that is the newer truth */
    w->vouched[m->from] = m->ends ? 0 : m->at + PROMISE;
    if (fl_leases_renew_all(w->leases, &a, 1, m->at, merged))
        return;
    begin(w, m->at);
    fl_corr_alerts(w->c, &w->step, w->topo, merged ? "alertmanager" : "alertmanager-v2", &a, 1);
    end(w);
    fl_leases_commit(w->leases, &a, 1, m->at, 0, merged);
}

static void lapse(struct world *w, fl_usec at)
{
    struct fl_lapsed gone[16];
    size_t n = fl_leases_lapse(w->leases, at, gone, FL_ARRAY_LEN(gone));
    begin(w, at);
    for (size_t i = 0; i < n; i++)
        fl_corr_expired(w->c, &w->step, gone[i].fingerprint, gone[i].starts_at);
    end(w);
}

static void vouch(void *ctx, const struct fl_episode *e)
{
    struct world *w = ctx;
    struct fl_alert a = *e->alert;
    a.status = e->status;
    if (a.status != FL_ALERT_FIRING)
        return;
    fl_leases_commit(w->leases, &a, 1, w->step.at, GRACE, !a.lease_until);
    if (a.ends_at)
        fl_leases_over(w->leases, a.fingerprint, a.starts_at, w->step.at - FL_LATE_FOR);
}

static void was_over(void *ctx, uint64_t fingerprint, fl_usec starts_at, fl_usec at)
{
    fl_leases_over(((struct world *)ctx)->leases, fingerprint, starts_at, at);
}

/* As the daemon does. */
static void restart(struct world *w)
{
    struct fl_corr *c = again(w->c, w->topo, w->rules);
    fl_corr_free(w->c);
    w->c = c;
    fl_leases_free(w->leases);
    w->leases = fl_leases_new(PROMISE, GRACE);
    w->quiet_since = w->step.at; /* every promise holds for GRACE from now */
    fl_corr_each_over(w->c, w->step.at - FL_LATE_FOR, was_over, w);
    fl_corr_each_active(w->c, vouch, w);
}

/* ---- what has to be so ---- */

static void check(struct world *w, fl_usec at)
{
    bool said = false, vouched = w->vouched[SENDERS] > at;
    for (int k = 0; k < SENDERS; k++) {
        said |= w->vouched[k] - PROMISE + AT_LEAST_EVERY > at; /* it is not cut off */
        vouched |= w->vouched[k] > at;
    }
    if (!said)
        w->said_since = at;
    if (vouched)
        w->quiet_since = at;
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    if (at - w->said_since > FL_LATE_FOR + AT_LEAST_EVERY && st.firing != 1)
        fail_msg("round %u, %lld s: somebody says for %lld s that it fires, and it does not", w->round,
                 (long long)((at - T0) / SEC), (long long)((at - w->said_since) / SEC));
    if (at - w->quiet_since > PROMISE + GRACE + 60 * SEC && st.firing)
        fail_msg("round %u, %lld s: nobody says for %lld s that it fires, and it does", w->round,
                 (long long)((at - T0) / SEC), (long long)((at - w->quiet_since) / SEC));
    if (st.episodes > (size_t)(1 + (at - T0) / (OUTAGE_EVERY * SEC)) || st.opened > st.episodes)
        fail_msg("round %u, %lld s: %llu episodes and %llu incidents", w->round, (long long)((at - T0) / SEC),
                 (unsigned long long)st.episodes, (unsigned long long)st.opened);
}

static void play(struct world *w, uint32_t round)
{
    w->seed = round * 2654435761u + 1;
    w->round = round;
    fl_corr_free(w->c);
    fl_leases_free(w->leases);
    w->c = fl_corr_new();
    w->leases = fl_leases_new(PROMISE, GRACE);
    memset(w->vouched, 0, sizeof w->vouched);
    w->step.seq = 0;
    script(w);
    fl_usec t = w->said_since = w->quiet_since = T0;
    for (size_t k = 0; t < T0 + OUTAGES * OUTAGE_EVERY * SEC; t += 10 * SEC) {
        for (; k < w->n && w->v[k].at <= t; k++)
            receive(w, &w->v[k]);
        lapse(w, t);
        check(w, t);
        if (draw(w, 100) == 0)
            restart(w);
    }
}

static void while_one_says_so_it_fires_and_it_counts_once(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    const char *text = fl_rules_default_json();
    assert_int_equal(fl_rules_from_json(text, strlen(text), &w->rules, &err), FL_OK);
    struct fl_topology_doc doc = {0};
    assert_int_equal(fl_topo_new(&doc, &w->topo, &err), FL_OK);
    for (uint32_t round = 0; round < ROUNDS; round++)
        play(w, round);
    assert_true(w->revived > ROUNDS / 4); /* it was about something */
    fl_corr_free(w->c);
    fl_leases_free(w->leases);
    fl_topo_free(w->topo);
    fl_rules_free(w->rules);
    fl_effects_free(w->fx);
    free(w);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    fl_topo_init();
    const struct CMUnitTest tests[] = {cmocka_unit_test(while_one_says_so_it_fires_and_it_counts_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
