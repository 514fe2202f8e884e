/* SPDX-License-Identifier: GPL-3.0-or-later */
/* offline_cases.h -- sets of case directories in memory, ready to rank; shared by rank, evaluate and model. */
#pragma once

#include <faultline/case.h>
#include <faultline/rank.h>

#define FL_OFF_L2 0.1         /* chosen by cross-validation: docs/accuracy.md */
#define FL_OFF_THRESHOLD 0.25 /* confidence below which no cause is convincing */

struct fl_off_case {
    struct fl_case c;
    const struct fl_expected *truth; /* NULL when not labelled */
    struct fl_topo *topo;            /* shared within the set */
    struct fl_rank_alert *alerts;    /* mapped and classed */
    size_t n_unmapped;
    const struct fl_rank_metrics *metrics; /* NULL: it has no table */
    fl_vertex entry;
    fl_vertex *candidates;
    size_t n_candidates;
    bool in_past;         /* --history holds this very case too: it is left out while ranked */
    fl_vertex truth_unit; /* the service or host that is the answer, -1 */
};
struct fl_off_topo {
    struct fl_sha256 hash;
    struct fl_topo *t;
};
struct fl_off_set {
    const char *name, *dir;
    struct fl_off_case *cases; /* sorted by name */
    size_t n;
    struct fl_expected_set expected;
    struct fl_off_topo *topos;
    size_t n_topos;
    struct fl_history *history; /* of all its cases, or of --history */
    size_t n_past;              /* cases of --history that are of this system */
    bool own_history;           /* history holds the set's own cases: leave each out while it is ranked */
};
struct fl_off {
    struct fl_arena *arena;
    struct fl_case_cache *cache;
    struct fl_rules *rules;
    struct fl_off_set *sets;
    size_t n_sets, cap_sets;
};

FL_MUST_CHECK fl_status fl_off_init(struct fl_off *off, struct fl_err *err);
void fl_off_done(struct fl_off *off);
/** Read one directory: a case, or a folder of cases with an optional expected.jsonl. */
FL_MUST_CHECK fl_status fl_off_add(struct fl_off *off, const char *dir, struct fl_err *err);
/** Fill each set's history: from `past` (cases of the same system), or from its own cases. */
FL_MUST_CHECK fl_status fl_off_history(struct fl_off *off, const struct fl_off *past, struct fl_err *err);
/** Map and class alerts of one case. */
FL_MUST_CHECK fl_status fl_off_prepare(struct fl_off *off, struct fl_off_case *c, struct fl_topo *topo,
                                       struct fl_err *err);
struct fl_rank_input fl_off_input(const struct fl_off_set *s, const struct fl_off_case *c);
/** Take a case out of its set's history and put it back, when the set is its own history. */
FL_MUST_CHECK fl_status fl_off_leave_out(const struct fl_off_set *s, const struct fl_off_case *c, bool out);
/** Features of every labelled case whose answer is among the candidates, weighted so that a set counts
 *  less than its number of cases says. `use` says which (NULL: all). */
FL_MUST_CHECK fl_status fl_off_train(struct fl_off *off, const struct fl_train_case *all, const uint8_t *use,
                                     size_t n, const struct fl_train_options *opt,
                                     struct fl_train_result *ret, struct fl_err *err);
/** One entry per case in order of sets and cases; features.n is 0 for cases that cannot be trained on. */
FL_MUST_CHECK fl_status fl_off_features(struct fl_off *off, struct fl_train_case **ret, size_t *ret_n,
                                        struct fl_err *err);
/** Part of each case in order of sets and cases: by incident into `folds` parts, or by system: the number of the
 *  first set whose cases name the same system (a set whose cases name none is a system of its own). */
void fl_off_folds(const struct fl_off *off, bool by_system, int64_t folds, unsigned *fold);
/** Read a model file. */
FL_MUST_CHECK fl_status fl_off_model(const char *path, struct fl_model **ret, struct fl_err *err);
/** A finite number of at least 0, and nothing after it. */
FL_MUST_CHECK bool fl_off_real(const char *text, double *ret);
/** Print err as commands do; returns the exit code (2: usage, a file that cannot be read or written; 1 else). */
int fl_off_error(const struct fl_err *err);
