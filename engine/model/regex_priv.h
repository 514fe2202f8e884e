/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/regex_priv.h -- bounded, anchored regexes of the RE2 subset, for matchers and mapping rules. */
#pragma once

#include <faultline/model.h>

struct fl_regex;
typedef enum fl_regex_answer { FL_REGEX_NO_MATCH, FL_REGEX_MATCH, FL_REGEX_UNDECIDED } fl_regex_answer;

struct fl_capture {
    const char *p; /* into the subject; NULL when the group took no part */
    size_t n;
};

/** Compile; FL_E_SHAPE with the reason for what RE2 would refuse, FL_E_LIMIT over FL_REGEX_MAX. */
FL_MUST_CHECK fl_status fl_regex_new(const char *pattern, struct fl_regex **ret, struct fl_err *err);
struct fl_regex *fl_regex_free(struct fl_regex *re);
unsigned fl_regex_groups(const struct fl_regex *re);
/** The whole subject must match. Undecided: longer than FL_REGEX_SUBJECT_MAX, over the match or heap
 *  limit, not UTF-8, or out of memory. Any thread. */
fl_regex_answer fl_regex_match(const struct fl_regex *re, const char *subject);
/** As match; captures 1..n into `ret`. */
fl_regex_answer fl_regex_captures(const struct fl_regex *re, const char *subject, struct fl_capture *ret,
                                  size_t n);
