/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/evaluate_score.h -- what `faultline evaluate` counts over cases, and how it is shown (layer 6). */
#pragma once

#include <faultline/json.h>
#include <faultline/rank.h>

/* What is counted over a set, or over one fault type of it; sums, but for the largest time. */
struct score {
    const char *name;
    size_t n, misses;
    double top1, top3, top5, avg5, ms, ms_most;
    size_t changes, change_hits, none, none_named;
};

/** Count one ranking whose right answer is the service `truth`; candidates of equal score stand in random order.
 *  @param ms  what the ranking took, milliseconds. */
void score_count(struct score *s, const struct fl_ranking *r, const char *truth, double ms);
/** Count the culprit change it names; `change` is the right one, "none", or NULL: not labelled. */
void score_count_change(struct score *s, const struct fl_ranking *r, const char *change);
/** Add a set to the mean over sets: each counts the same. */
void score_add_mean(struct score *mean, const struct score *set);
/** The score of fault type `name` among v[*n], made when there is none yet; past `cap` the last takes the rest. */
struct score *score_of_type(struct score *v, size_t *n, size_t cap, const char *name);

void score_print(const struct score *s, int indent);
/** Members of the open object: shares with four digits. */
void score_json(struct fl_jw *w, const struct score *s);
void score_print_changes(const struct score *s); /* nothing when no case has a labelled change */
void score_json_changes(struct fl_jw *w, const struct score *s);

enum { RELIABILITY_BINS = 5 };

/* Is 70 % right in 70 of 100 cases? Over all sets, by confidence of the first candidate. */
struct reliability {
    size_t n[RELIABILITY_BINS];
    double said[RELIABILITY_BINS], right[RELIABILITY_BINS];
};
void reliability_count(struct reliability *b, const struct fl_ranking *r, const char *truth);
void reliability_print(const struct reliability *b);
void reliability_json(struct fl_jw *w, const struct reliability *b); /* the member "confidence" */

/** Two models on the same cases. @param what  "top1" or "top3" as a key; "top-1" in a table. */
void paired_print(const char *what, const struct fl_paired *p);
void paired_json(struct fl_jw *w, const char *what, const struct fl_paired *p);
