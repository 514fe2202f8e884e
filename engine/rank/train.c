/* SPDX-License-Identifier: GPL-3.0-or-later */
/* train.c -- conditional logit: P(candidate is the cause | incident) = softmax(w · x). L2, full-batch L-BFGS in
 * plain doubles and fixed order: the same data give the same bytes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rank_internal.h"

enum { MEMORY = 8 };

/* What of a row is not zero: most of it is. Leaving zeros out of a sum changes no bit of it. */
struct sparse {
    uint32_t *first; /* of each row of each case, and the end */
    uint16_t *feature;
    double *x;
};

struct problem {
    const struct fl_train_case *cases;
    struct sparse rows;
    size_t n, f;
    double *scale; /* 1 / spread of each feature */
    double *pull;  /* how strongly each is pulled … */
    double *prior; /* … to what, in units of spread */
};

/* Spread of a feature around its mean within each incident: what the softmax can see. */
static void spreads(struct problem *p)
{
    FL_AUTO_FREE double *sum = calloc(p->f, sizeof *sum);
    double weight = 0;
    FL_REQUIRE(sum);
    for (size_t c = 0; c < p->n; c++) {
        const struct fl_features *d = &p->cases[c].features;
        for (size_t j = 0; d->n && j < p->f; j++) {
            double mean = 0, var = 0;
            for (size_t i = 0; i < d->n; i++)
                mean += d->x[i * p->f + j] / (double)d->n;
            for (size_t i = 0; i < d->n; i++)
                var += (d->x[i * p->f + j] - mean) * (d->x[i * p->f + j] - mean) / (double)d->n;
            sum[j] += p->cases[c].weight * var;
        }
        weight += p->cases[c].weight;
    }
    for (size_t j = 0; j < p->f; j++)
        p->scale[j] = sum[j] > 1e-12 && !fl_feature_fixed(j) ? 1 / sqrt(sum[j] / weight) : 0;
}

/* @param ws  w[j] · scale[j]. @param row  number of the case's first row. */
static double case_loss(const struct problem *p, const struct fl_train_case *c, size_t row, const double *ws,
                        double *grad, double *score)
{
    const struct fl_features *d = &c->features;
    const struct sparse *r = &p->rows;
    double top = -INFINITY, all = 0, good = 0;
    for (size_t i = 0; i < d->n; i++) {
        double s = 0;
        for (uint32_t k = r->first[row + i]; k < r->first[row + i + 1]; k++)
            s += ws[r->feature[k]] * r->x[k];
        score[i] = s;
        top = s > top ? s : top;
    }
    for (size_t i = 0; i < d->n; i++) {
        score[i] = exp(score[i] - top);
        all += score[i];
        good += c->truth[i] ? score[i] : 0;
    }
    if (good <= 0)
        return 0;
    for (size_t i = 0; i < d->n; i++) {
        double g = c->weight * (score[i] / all - (c->truth[i] ? score[i] / good : 0));
        for (uint32_t k = r->first[row + i]; g != 0 && k < r->first[row + i + 1]; k++)
            grad[r->feature[k]] += g * p->scale[r->feature[k]] * r->x[k];
    }
    return -c->weight * log(good / all);
}

static double loss(const struct problem *p, const double *w, double *grad, double *score)
{
    double sum = 0, ws[FL_FEATURES_MAX];
    memset(grad, 0, p->f * sizeof *grad);
    for (size_t j = 0; j < p->f; j++)
        ws[j] = w[j] * p->scale[j];
    for (size_t c = 0, row = 0; c < p->n; row += p->cases[c++].features.n)
        sum += case_loss(p, &p->cases[c], row, ws, grad, score);
    for (size_t j = 0; j < p->f; j++) {
        sum += 0.5 * p->pull[j] * (w[j] - p->prior[j]) * (w[j] - p->prior[j]);
        grad[j] += p->pull[j] * (w[j] - p->prior[j]);
    }
    return sum;
}

static double dot(const double *a, const double *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += a[i] * b[i];
    return s;
}

struct lbfgs {
    double s[MEMORY][FL_FEATURES_MAX], y[MEMORY][FL_FEATURES_MAX], rho[MEMORY];
    unsigned n;
};

static void direction(const struct lbfgs *m, const double *grad, double *d, size_t f)
{
    double alpha[MEMORY];
    unsigned first = m->n > MEMORY ? m->n - MEMORY : 0;
    for (size_t j = 0; j < f; j++)
        d[j] = -grad[j];
    for (unsigned i = m->n; i-- > first;) {
        unsigned k = i % MEMORY;
        alpha[k] = m->rho[k] * dot(m->s[k], d, f);
        for (size_t j = 0; j < f; j++)
            d[j] -= alpha[k] * m->y[k][j];
    }
    if (m->n) {
        unsigned k = (m->n - 1) % MEMORY;
        double gamma = 1 / (m->rho[k] * dot(m->y[k], m->y[k], f));
        for (size_t j = 0; j < f; j++)
            d[j] *= gamma;
    }
    for (unsigned i = first; i < m->n; i++) {
        unsigned k = i % MEMORY;
        double beta = m->rho[k] * dot(m->y[k], d, f);
        for (size_t j = 0; j < f; j++)
            d[j] += m->s[k][j] * (alpha[k] - beta);
    }
}

static double descend(const struct problem *p, double *w, unsigned iterations, double *score)
{
    struct lbfgs m = {.n = 0};
    double grad[FL_FEATURES_MAX], next[FL_FEATURES_MAX], next_grad[FL_FEATURES_MAX], d[FL_FEATURES_MAX];
    double now = loss(p, w, grad, score);
    for (unsigned it = 0; it < iterations; it++) {
        double step = m.n ? 1 : 0.1, slope, then = now;
        direction(&m, grad, d, p->f);
        slope = dot(grad, d, p->f);
        if (slope > -1e-12)
            break;
        for (int tries = 0; tries < 30; tries++, step /= 2) {
            for (size_t j = 0; j < p->f; j++)
                next[j] = w[j] + step * d[j];
            then = loss(p, next, next_grad, score);
            if (then <= now + 1e-4 * step * slope)
                break;
        }
        if (then >= now - 1e-11)
            break;
        unsigned k = m.n % MEMORY;
        for (size_t j = 0; j < p->f; j++) {
            m.s[k][j] = next[j] - w[j];
            m.y[k][j] = next_grad[j] - grad[j];
        }
        double sy = dot(m.s[k], m.y[k], p->f);
        if (sy > 1e-14) {
            m.rho[k] = 1 / sy;
            m.n++;
        }
        memcpy(w, next, p->f * sizeof *w);
        memcpy(grad, next_grad, p->f * sizeof *grad);
        now = then;
    }
    return now;
}

static void free_sparse(struct sparse *r)
{
    free(r->first);
    free(r->feature);
    free(r->x);
}

static fl_status make_sparse(struct problem *p, struct fl_err *err)
{
    size_t rows = 0, n = 0;
    for (size_t c = 0; c < p->n; c++)
        rows += p->cases[c].features.n;
    for (size_t c = 0; c < p->n; c++)
        for (size_t i = 0; i < p->cases[c].features.n * p->f; i++)
            n += p->cases[c].features.x[i] != 0;
    struct sparse *r = &p->rows;
    *r = (struct sparse){malloc((rows + 1) * sizeof *r->first), malloc((n + 1) * sizeof *r->feature),
                         malloc((n + 1) * sizeof *r->x)};
    if (!r->first || !r->feature || !r->x)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    rows = n = 0;
    for (size_t c = 0; c < p->n; c++)
        for (size_t i = 0; i < p->cases[c].features.n; i++) {
            const double *x = p->cases[c].features.x + i * p->f;
            r->first[rows++] = (uint32_t)n;
            for (size_t j = 0; j < p->f; j++)
                if (x[j] != 0 && p->scale[j] > 0) {
                    r->feature[n] = (uint16_t)j;
                    r->x[n++] = x[j];
                }
        }
    r->first[rows] = (uint32_t)n;
    return FL_OK;
}

fl_status fl_model_train(const struct fl_train_case *cases, size_t n, const struct fl_train_options *opt,
                         struct fl_train_result *ret, struct fl_err *err)
{
    struct problem p = {.cases = cases, .n = n, .f = fl_feature_count()};
    double w[FL_FEATURES_MAX] = {0}, scale[FL_FEATURES_MAX] = {0};
    size_t most = 1;
    for (size_t c = 0; c < n; c++)
        most = cases[c].features.n > most ? cases[c].features.n : most;
    FL_AUTO_FREE double *score = malloc(most * sizeof *score);
    if (!score)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (!n)
        return fl_fail(err, FL_E_USAGE, NULL, "no labelled case to train on");
    double prior[FL_FEATURES_MAX], pull[FL_FEATURES_MAX];
    p.scale = scale;
    p.prior = prior;
    p.pull = pull;
    spreads(&p);
    for (size_t j = 0; j < p.f; j++) {
        prior[j] = w[j] = scale[j] > 0 ? fl_feature_prior(j) / scale[j] : 0;
        pull[j] = opt->l2 * fl_feature_pull(j);
    }
    *ret = (struct fl_train_result){.scale = 1};
    fl_status st = make_sparse(&p, err);
    if (st) {
        free_sparse(&p.rows);
        return st;
    }
    ret->loss = descend(&p, w, opt->iterations ? opt->iterations : 300, score);
    free_sparse(&p.rows);
    for (size_t j = 0; j < p.f; j++)
        ret->weight[j] = scale[j] > 0 ? w[j] * scale[j] : fl_feature_prior(j);
    fl_train_describe(cases, n, ret);
    return FL_OK;
}
