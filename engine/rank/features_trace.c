/* SPDX-License-Identifier: GPL-3.0-or-later */
/* features_trace.c -- what spans say beyond alerts: extra time inside a component, extra time on the wire by
 * endpoint, and calls that a component no longer makes for each request it gets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"

/* Sum of the spans of one caller, callee and operation, now and in the fault-free baseline. */
struct flow {
    uint64_t key;
    int caller, callee;                      /* groups, -1 = outside */
    double now, usual;                       /* spans */
    double self, self_usual, net, net_usual; /* span-weighted sums of milliseconds */
    double net_now_n, net_usual_n, self_now_n, self_usual_n;
};
struct flows {
    struct flow *v;
    size_t cap, n;
};

static struct flow *flow_at(struct flows *f, uint64_t key)
{
    size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 24) & (f->cap - 1);
    while (f->v[i].key && f->v[i].key != key)
        i = (i + 1) & (f->cap - 1);
    return &f->v[i];
}

static void add_rows(const struct fl_evidence *ev, struct flows *f, const struct fl_traces *t, bool usual)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct fl_trace_row *r = &t->v[i];
        double spans = isnan(r->spans) ? 0 : r->spans;
        struct flow *w = flow_at(f, r->key);
        if (!w->key) {
            w->key = r->key;
            w->caller = fl_evidence_group(ev, fl_topo_find(ev->in->topo, r->caller));
            w->callee = fl_evidence_group(ev, fl_topo_find(ev->in->topo, r->callee));
        }
        *(usual ? &w->usual : &w->now) += spans;
        if (!isnan(r->self_p90_ms)) {
            *(usual ? &w->self_usual : &w->self) += spans * r->self_p90_ms;
            *(usual ? &w->self_usual_n : &w->self_now_n) += spans;
        }
        if (!isnan(r->net_p90_ms)) {
            *(usual ? &w->net_usual : &w->net) += spans * r->net_p90_ms;
            *(usual ? &w->net_usual_n : &w->net_now_n) += spans;
        }
    }
}

/* Per group. */
struct tally {
    double in_now, in_usual;      /* calls it gets */
    double self, net_in, net_out; /* extra milliseconds */
    double self_ratio, net_ratio; /* largest log ratio */
    double lost, made;            /* calls it no longer makes per call it gets; usual rate */
};

static double log_ratio(double now, double usual)
{
    double r = log((now + 1) / (usual + 1));
    return r > 0 ? r : 0;
}

static void tally_times(const struct flow *w, struct tally *t)
{
    double self = w->self_now_n > 0 ? w->self / w->self_now_n : 0;
    double self_usual = w->self_usual_n > 0 ? w->self_usual / w->self_usual_n : self;
    double net = w->net_now_n > 0 ? w->net / w->net_now_n : 0;
    double net_usual = w->net_usual_n > 0 ? w->net_usual / w->net_usual_n : net;
    if (w->callee >= 0 && w->now >= 3 && self > self_usual) {
        struct tally *c = &t[w->callee];
        double r = log_ratio(self, self_usual);
        c->self += (self - self_usual) * w->now;
        c->self_ratio = r > c->self_ratio ? r : c->self_ratio;
    }
    if (w->callee >= 0 && w->caller >= 0 && w->caller != w->callee && w->now >= 3 && net > net_usual) {
        double r = log_ratio(net, net_usual);
        t[w->callee].net_in += (net - net_usual) * w->now;
        t[w->caller].net_out += (net - net_usual) * w->now;
        t[w->callee].net_ratio = r > t[w->callee].net_ratio ? r : t[w->callee].net_ratio;
    }
}

static void tally_calls(const struct flow *w, struct tally *t)
{
    if (w->caller < 0 || t[w->caller].in_usual < 3 || t[w->caller].in_now < 3)
        return;
    struct tally *c = &t[w->caller];
    double usual = w->usual / c->in_usual, now = w->now / c->in_now;
    usual = usual > 1 ? 1 : usual; /* a loop of calls counts as one */
    now = now > usual ? usual : now;
    c->made += usual;
    c->lost += usual - now;
}

static void write_features(const struct fl_evidence *ev, const struct tally *t, double *x)
{
    double self = 0, net = 0, lost = 0, most_self = 0, most_net = 0, in_now = 0, in_usual = 0;
    for (size_t i = 0; i < ev->n_groups; i++) {
        self += t[i].self;
        net += t[i].net_in;
        lost += t[i].lost;
        in_now += t[i].in_now;
        in_usual += t[i].in_usual;
        most_self = t[i].self_ratio > most_self ? t[i].self_ratio : most_self;
        most_net = t[i].net_ratio > most_net ? t[i].net_ratio : most_net;
    }
    for (size_t i = 0; i < ev->n_groups; i++) {
        double *row = x + i * F_N;
        row[F_T_SELF] = fl_share(t[i].self, self);
        row[F_T_SELF_RATIO] = fl_share(t[i].self_ratio, most_self);
        row[F_T_NET_IN] = fl_share(t[i].net_in, net);
        row[F_T_NET_OUT] = fl_share(t[i].net_out, net);
        row[F_T_NET_RATIO] = fl_share(t[i].net_ratio, most_net);
        row[F_T_LOST] = fl_share(t[i].lost, t[i].made);
        row[F_T_LOST_SHARE] = fl_share(t[i].lost, lost);
        if (t[i].in_usual >= 3 && in_now > 0)
            row[F_T_FEWER] = log((t[i].in_usual / in_usual + 1e-4) / (t[i].in_now / in_now + 1e-4));
    }
}

void fl_trace_features(const struct fl_evidence *ev, double *x)
{
    const struct fl_case_data *d = ev->in->data;
    if (!d || !d->traces.n || !d->traces_baseline.n)
        return;
    struct flows f = {.cap = 64};
    while (f.cap < 2 * (d->traces.n + d->traces_baseline.n))
        f.cap *= 2;
    f.v = fl_arena_calloc(ev->arena, f.cap, sizeof *f.v);
    struct tally *t = fl_arena_calloc(ev->arena, ev->n_groups + 1, sizeof *t);
    if (!f.v || !t)
        return;
    add_rows(ev, &f, &d->traces, false);
    add_rows(ev, &f, &d->traces_baseline, true);
    for (size_t i = 0; i < f.cap; i++)
        if (f.v[i].key && f.v[i].callee >= 0 && f.v[i].caller != f.v[i].callee) {
            t[f.v[i].callee].in_now += f.v[i].now;
            t[f.v[i].callee].in_usual += f.v[i].usual;
        }
    for (size_t i = 0; i < f.cap; i++)
        if (f.v[i].key) {
            tally_times(&f.v[i], t);
            tally_calls(&f.v[i], t);
        }
    write_features(ev, t, x);
}
