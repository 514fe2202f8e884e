/* SPDX-License-Identifier: GPL-3.0-or-later */
/* compare.c -- is one model better than another on the same incidents, or was it luck? A paired bootstrap. */
#include <stdlib.h>

#include <faultline/rank.h>

enum { DRAWS = 10000 };

/* A unit's part of its set. */
struct unit {
    size_t n;
    double sum; /* of second − first */
};
struct set {
    const struct unit *unit;
    size_t n, cases;
};

/* splitmix64: the same numbers everywhere. */
static uint64_t draw(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static size_t below(uint64_t *state, size_t n)
{
    return (size_t)((draw(state) >> 32) * (uint64_t)n >> 32);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One set: means, and its units appended at `unit`. @return how many cases of v it took. */
static size_t take_set(const struct fl_pair *v, size_t n, struct unit *unit, size_t *at, struct set *set,
                       struct fl_paired *ret)
{
    size_t end = 0, units = 0;
    double first = 0, second = 0;
    for (; end < n && v[end].set == v[0].set; end++) {
        first += v[end].first;
        second += v[end].second;
        ret->better += v[end].second > v[end].first;
        ret->worse += v[end].second < v[end].first;
        size_t k = 0;
        while (k < units && v[at[k]].unit != v[end].unit)
            k++;
        if (k == units) {
            at[units] = end;
            unit[units++] = (struct unit){.n = 0};
        }
        unit[k].n++;
        unit[k].sum += v[end].second - v[end].first;
    }
    *set = (struct set){unit, units, end};
    ret->first += first / (double)end;
    ret->second += second / (double)end;
    ret->units += units;
    return end;
}

static double resample(const struct set *set, size_t n, uint64_t *state)
{
    double all = 0;
    for (size_t s = 0; s < n; s++) {
        double sum = 0;
        size_t cases = 0;
        for (size_t k = 0; k < set[s].n; k++) {
            const struct unit *u = &set[s].unit[below(state, set[s].n)];
            sum += u->sum;
            cases += u->n;
        }
        all += sum / (double)cases;
    }
    return all / (double)n;
}

fl_status fl_rank_compare(const struct fl_pair *v, size_t n, struct fl_paired *ret, struct fl_err *err)
{
    *ret = (struct fl_paired){.cases = n};
    FL_AUTO_FREE struct unit *unit = calloc(n + 1, sizeof *unit);
    FL_AUTO_FREE struct set *set = calloc(n + 1, sizeof *set);
    FL_AUTO_FREE size_t *at = calloc(n + 1, sizeof *at);
    FL_AUTO_FREE double *result = calloc(DRAWS, sizeof *result);
    uint64_t state = 1;
    if (!unit || !set || !at || !result)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    for (size_t i = 0; i < n; i += set[ret->sets++].cases) {
        for (size_t k = 0; k < i; k++)
            if (v[k].set == v[i].set)
                return fl_fail(err, FL_E_SHAPE, NULL, "the pairs of set %u do not stand together", v[i].set);
        take_set(v + i, n - i, unit + ret->units, at, &set[ret->sets], ret);
    }
    if (!n)
        return FL_OK;
    ret->first /= (double)ret->sets;
    ret->second /= (double)ret->sets;
    ret->difference = ret->second - ret->first;
    for (size_t i = 0; i < DRAWS; i++)
        result[i] = resample(set, ret->sets, &state);
    qsort(result, DRAWS, sizeof *result, by_value);
    ret->low = result[DRAWS / 40 - 1];
    ret->high = result[DRAWS - DRAWS / 40];
    return FL_OK;
}
