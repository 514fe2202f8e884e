/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/evaluate_score.c -- contract in evaluate_score.h. */
#include "evaluate_score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Below this many incidents an interval is too wide to draw a conclusion from. */
enum { UNITS_MIN = 10 };

/* Chance that the truth is among the first k when equal scores stand in random order. */
static double chance(size_t better, size_t equal, size_t k)
{
    if (better >= k)
        return 0;
    return better + equal <= k ? 1 : (double)(k - better) / (double)equal;
}

void score_count(struct score *s, const struct fl_ranking *r, const char *truth, double ms)
{
    size_t better = 0, equal = 0;
    double score = NAN;
    s->n++;
    s->ms += ms;
    s->ms_most = ms > s->ms_most ? ms : s->ms_most;
    for (size_t i = 0; r && i < r->n_candidates; i++)
        if (strcmp(r->candidates[i].service, truth) == 0)
            score = r->candidates[i].score;
    if (isnan(score)) {
        s->misses++;
        return;
    }
    for (size_t i = 0; i < r->n_candidates; i++) {
        better += r->candidates[i].score > score;
        equal += r->candidates[i].score == score;
    }
    s->top1 += chance(better, equal, 1);
    s->top3 += chance(better, equal, 3);
    s->top5 += chance(better, equal, 5);
    for (size_t k = 1; k <= 5; k++)
        s->avg5 += chance(better, equal, k) / 5;
}

void score_count_change(struct score *s, const struct fl_ranking *r, const char *change)
{
    if (!change)
        return;
    if (strcmp(change, "none") == 0) {
        s->none++;
        s->none_named += r->culprit_change != NULL;
    } else {
        s->changes++;
        s->change_hits += r->culprit_change && strcmp(r->culprit_change, change) == 0;
    }
}

void score_add_mean(struct score *mean, const struct score *set)
{
    double n = (double)set->n;
    mean->n++;
    mean->top1 += set->top1 / n;
    mean->top3 += set->top3 / n;
    mean->top5 += set->top5 / n;
    mean->avg5 += set->avg5 / n;
    mean->ms += set->ms / n;
}

struct score *score_of_type(struct score *v, size_t *n, size_t cap, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(v[i].name, name) == 0)
            return &v[i];
    if (*n == cap) {
        v[cap - 1].name = "(all others)";
        return &v[cap - 1];
    }
    v[*n] = (struct score){.name = name};
    return &v[(*n)++];
}

void score_print(const struct score *s, int indent)
{
    double n = s->n ? (double)s->n : 1;
    printf("%*s%-*s %5zu  %.3f  %.3f  %.3f  %.3f  %7.3f\n", indent, "", 34 - indent,
           s->name[0] ? s->name : "(no fault type)", s->n, s->top1 / n, s->top3 / n, s->top5 / n, s->avg5 / n,
           s->ms / n);
}

void score_json(struct fl_jw *w, const struct score *s)
{
    double n = s->n ? (double)s->n : 1;
    fl_jw_str(w, "name", s->name);
    fl_jw_int(w, "cases", (int64_t)s->n);
    fl_jw_int(w, "without_answer", (int64_t)s->misses);
    fl_jw_fixed(w, "top1", s->top1 / n, 4);
    fl_jw_fixed(w, "top3", s->top3 / n, 4);
    fl_jw_fixed(w, "top5", s->top5 / n, 4);
    fl_jw_fixed(w, "avg5", s->avg5 / n, 4);
    fl_jw_fixed(w, "ms", s->ms / n, 4);
    fl_jw_fixed(w, "ms_most", s->ms_most, 4);
}

void score_print_changes(const struct score *s)
{
    if (s->changes + s->none)
        printf("  culprit change named: %zu of %zu; named where there is none: %zu of %zu\n", s->change_hits,
               s->changes, s->none_named, s->none);
}

void score_json_changes(struct fl_jw *w, const struct score *s)
{
    if (!(s->changes + s->none))
        return;
    fl_jw_int(w, "changes", (int64_t)s->changes);
    fl_jw_int(w, "changes_found", (int64_t)s->change_hits);
    fl_jw_int(w, "no_change", (int64_t)s->none);
    fl_jw_int(w, "no_change_but_named", (int64_t)s->none_named);
}

void reliability_count(struct reliability *b, const struct fl_ranking *r, const char *truth)
{
    size_t bin = (size_t)(r->confidence * RELIABILITY_BINS);
    bin = bin < RELIABILITY_BINS ? bin : RELIABILITY_BINS - 1;
    b->n[bin]++;
    b->said[bin] += r->confidence;
    b->right[bin] += r->n_candidates && strcmp(r->candidates[0].service, truth) == 0;
}

void reliability_print(const struct reliability *b)
{
    printf("\nconfidence   cases   said  right\n");
    for (size_t i = 0; i < RELIABILITY_BINS; i++)
        if (b->n[i])
            printf("%2zu-%3zu %%   %6zu  %.3f  %.3f\n", 100 * i / RELIABILITY_BINS,
                   100 * (i + 1) / RELIABILITY_BINS, b->n[i], b->said[i] / (double)b->n[i],
                   b->right[i] / (double)b->n[i]);
}

void reliability_json(struct fl_jw *w, const struct reliability *b)
{
    fl_jw_arr(w, "confidence");
    for (size_t i = 0; i < RELIABILITY_BINS; i++) {
        double n = b->n[i] ? (double)b->n[i] : 1;
        fl_jw_obj(w, NULL);
        fl_jw_fixed(w, "from", (double)i / RELIABILITY_BINS, 1);
        fl_jw_int(w, "cases", (int64_t)b->n[i]);
        fl_jw_fixed(w, "said", b->said[i] / n, 4);
        fl_jw_fixed(w, "right", b->right[i] / n, 4);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

void paired_json(struct fl_jw *w, const char *what, const struct fl_paired *p)
{
    fl_jw_obj(w, what);
    fl_jw_fixed(w, "first", p->first, 4);
    fl_jw_fixed(w, "second", p->second, 4);
    fl_jw_fixed(w, "difference", p->difference, 4);
    fl_jw_fixed(w, "low", p->low, 4);
    fl_jw_fixed(w, "high", p->high, 4);
    fl_jw_int(w, "better", (int64_t)p->better);
    fl_jw_int(w, "worse", (int64_t)p->worse);
    fl_jw_obj_end(w);
}

void paired_print(const char *what, const struct fl_paired *p)
{
    const char *word = p->units < UNITS_MIN ? "too few incidents to tell"
                       : p->low > 0         ? "the second is better"
                       : p->high < 0        ? "the second is worse"
                                            : "no clear difference";
    printf("%-6s  %.3f   %.3f      %+.3f  %+.3f … %+.3f  %6zu  %5zu  %s\n", what, p->first, p->second,
           p->difference, p->low, p->high, p->better, p->worse, word);
}
