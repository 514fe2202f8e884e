/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_read.h -- readers of the members of a rule, for the files that say what a rule consists of. */
#pragma once

#include <faultline/json.h>
#include <faultline/model.h>

#define RULES_MAX 10000u      /* entries of one list */
#define MATCHERS_MAX 64u      /* of one rule */
#define QUIET_RULES_MAX 1000u /* of the kinds that are looked at for each new alert */

/* Every reader below records the first failure here and carries on as a no-op, so that the code that
 * describes a rule stays a plain list of its members. */
struct reader {
    struct fl_rules *rules;
    struct fl_arena *arena;
    struct fl_err *err;
    fl_status st;
    struct template_names *names; /* that templates ask for, template.h; NULL: none yet */
};

typedef void (*rule_reader)(struct reader *rd, const struct fl_json *v, void *slot);

FL_COLD void rd_fail(struct reader *rd, fl_status st, const char *where, const char *text);
void rd_only(struct reader *rd, const struct fl_json *obj, const char *const *keys, size_t n);
#define RD_ONLY(rd, obj, ...)                             \
    do {                                                  \
        static const char *const keys_[] = {__VA_ARGS__}; \
        rd_only(rd, obj, keys_, FL_ARRAY_LEN(keys_));     \
    } while (0)

const char *rd_text(struct reader *rd, const struct fl_json *v, const char *where, size_t max);
const char *rd_opt_text(struct reader *rd, const struct fl_json *obj, const char *key, const char *dflt);
const char *rd_need_text(struct reader *rd, const struct fl_json *obj, const char *key);
void rd_duration(struct reader *rd, const struct fl_json *obj, const char *key, fl_usec *ret);
void rd_real(struct reader *rd, const struct fl_json *obj, const char *key, double min, double max,
             double *ret);
void rd_count(struct reader *rd, const struct fl_json *obj, const char *key, unsigned max, unsigned *ret);
void rd_words(struct reader *rd, const struct fl_json *obj, const char *key, const char *const **ret,
              size_t *ret_n);
/* Read every element of a list into zeroed slots, hung up by *ret and *ret_n as it grows. */
void rd_list(struct reader *rd, const struct fl_json *v, const char *key, size_t max, size_t size, void **ret,
             size_t *ret_n, rule_reader each);
void rd_matchers_of(struct reader *rd, const struct fl_json *obj, const char *key,
                    const struct fl_matcher **ret, size_t *ret_n);
void rd_matchers(struct reader *rd, const struct fl_json *obj, const struct fl_matcher **ret, size_t *ret_n);

/* rules_quiet.c: what keeps alerts quiet */
void rules_inhibitions(struct reader *rd, const struct fl_json *v);
void rules_graph_inhibitions(struct reader *rd, const struct fl_json *v);
void rules_thresholds(struct reader *rd, const struct fl_json *v);
void rules_groupings(struct reader *rd, const struct fl_json *v);
void rules_flapping(struct reader *rd, const struct fl_json *v);
void rules_reminders(struct reader *rd, const struct fl_json *v);
void rules_maintenance(struct reader *rd, const struct fl_json *v); /* window.c */
void rules_quiet_free(struct fl_rules *r);
