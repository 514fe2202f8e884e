/* SPDX-License-Identifier: GPL-3.0-or-later */
/* explain_words.h -- the terms that features are added up into, and what each says in a sentence. */
#pragma once

#include "rank_internal.h"

enum { TERM_ALERTS_MAX = 5 };

/** What a term stands for. */
struct fl_term {
    const char *key, *prefixes[16]; /* features that belong to it, by the beginning of their names */
    uint64_t kinds;                 /* items that stand behind it; 0: none of its own */
    const char *more, *less, *none; /* when it speaks for, against, and when no alert stands behind it */
};
extern const struct fl_term fl_terms[];
extern const size_t fl_n_terms;

/** Alerts behind a term, rarest first. */
struct fl_backing {
    uint64_t fp[TERM_ALERTS_MAX];
    double rarity[TERM_ALERTS_MAX];
    uint32_t alert[TERM_ALERTS_MAX];
    size_t n, all;
};
/** Alerting groups that need a candidate, directly or not, nearest first. */
struct fl_reached {
    const uint32_t *group;
    size_t n;
    const char *const *path; /* to the farthest one, candidate first; empty when there is none */
    size_t n_path;
};

size_t fl_term_of(const char *feature, bool untimed);
/** In the evidence's arena; NULL: no memory. @param type of the candidate's node. */
char *fl_term_text(const struct fl_evidence *ev, const struct fl_term *t, double value,
                   const struct fl_backing *b, const struct fl_reached *reached, size_t group,
                   const char *service, const char *type);
const char *fl_alert_words(const struct fl_alert *a);
