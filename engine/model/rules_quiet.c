/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_quiet.c -- the rules that keep alerts quiet: label and graph inhibition, thresholds, grouping
 * windows, flapping; and those that remind of what is hidden. The form is documented in docs/reference/rules.md. */
#include "rules_read.h"

#include "regex_priv.h"

#include <string.h>

enum { REMINDER_ALERTS_MAX = 1000000 };

/* A side without a matcher would be every alert: that hides more than anybody means. */
static void need_matchers(struct reader *rd, const struct fl_json *v, const char *key,
                          const struct fl_matcher **ret, size_t *ret_n)
{
    rd_matchers_of(rd, v, key, ret, ret_n);
    if (!*ret_n)
        rd_fail(rd, FL_E_SHAPE, key, "needs at least one matcher");
}

/* A duration that must be there and must be within bounds. */
static void need_duration(struct reader *rd, const struct fl_json *v, const char *key, fl_usec least,
                          fl_usec most, fl_usec *ret)
{
    char a[24], b[24];
    *ret = -1;
    rd_duration(rd, v, key, ret);
    if (!rd->st && (*ret < least || *ret > most))
        rd->st = fl_fail(rd->err, FL_E_SHAPE, key, "expected a duration from %s to %s",
                         fl_format_duration(least, a), fl_format_duration(most, b));
}

/* ---- label inhibition ---- */

static void inhibition_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_inhibition_rule *r = slot;
    RD_ONLY(rd, v, "name", "source", "target", "equal");
    r->name = rd_need_text(rd, v, "name");
    need_matchers(rd, v, "source", &r->source, &r->n_source);
    need_matchers(rd, v, "target", &r->target, &r->n_target);
    rd_words(rd, v, "equal", &r->equal, &r->n_equal);
}

void rules_inhibitions(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "inhibitions", QUIET_RULES_MAX, sizeof(struct fl_inhibition_rule), &p,
            &rd->rules->n_inhibitions, inhibition_rule);
    rd->rules->inhibitions = p;
}

/* ---- graph inhibition ---- */

static void graph_inhibition_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    static const char *const calls[] = {"calls", "data"};
    struct fl_graph_inhibition_rule *r = slot;
    RD_ONLY(rd, v, "name", "upstream", "target", "edge_types", "distance", "hold_down");
    r->name = rd_need_text(rd, v, "name");
    need_matchers(rd, v, "upstream", &r->upstream, &r->n_upstream);
    rd_matchers_of(rd, v, "target", &r->target, &r->n_target);
    r->edge_types = calls;
    r->n_edge_types = FL_ARRAY_LEN(calls);
    rd_words(rd, v, "edge_types", &r->edge_types, &r->n_edge_types);
    if (!rd->st && !r->n_edge_types)
        rd_fail(rd, FL_E_SHAPE, "edge_types", "needs at least one type");
    r->distance = 1;
    rd_count(rd, v, "distance", FL_GRAPH_DISTANCE_MAX, &r->distance);
    if (!rd->st && !r->distance)
        rd_fail(rd, FL_E_SHAPE, "distance", "expected at least 1 hop");
    need_duration(rd, v, "hold_down", FL_USEC_PER_SEC, FL_HOLD_DOWN_MAX, &r->hold_down);
}

void rules_graph_inhibitions(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "graph_inhibitions", FL_GRAPH_INHIBITIONS_MAX, sizeof(struct fl_graph_inhibition_rule), &p,
            &rd->rules->n_graph_inhibitions, graph_inhibition_rule);
    rd->rules->graph_inhibitions = p;
}

/* ---- thresholds and grouping windows ---- */

static void threshold_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_threshold_rule *r = slot;
    RD_ONLY(rd, v, "name", "match", "group_by", "count", "within", "distinct");
    r->name = rd_need_text(rd, v, "name");
    need_matchers(rd, v, "match", &r->match, &r->n_match);
    rd_words(rd, v, "group_by", &r->group_by, &r->n_group_by);
    rd_count(rd, v, "count", FL_THRESHOLD_COUNT_MAX, &r->count);
    if (!rd->st && r->count < 2)
        rd_fail(rd, FL_E_SHAPE, "count", "is required, and at least 2");
    need_duration(rd, v, "within", FL_USEC_PER_SEC, FL_RULES_DURATION_MAX, &r->within);
    r->distinct = rd_opt_text(rd, v, "distinct", NULL);
    if (!rd->st && r->distinct && !*r->distinct)
        rd_fail(rd, FL_E_SHAPE, "distinct", "expected the name of a label");
}

void rules_thresholds(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "thresholds", QUIET_RULES_MAX, sizeof(struct fl_threshold_rule), &p,
            &rd->rules->n_thresholds, threshold_rule);
    rd->rules->thresholds = p;
}

static void grouping_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_grouping_rule *r = slot;
    RD_ONLY(rd, v, "name", "match", "group_by", "wait");
    r->name = rd_need_text(rd, v, "name");
    rd_matchers(rd, v, &r->match, &r->n_match);
    rd_words(rd, v, "group_by", &r->group_by, &r->n_group_by);
    need_duration(rd, v, "wait", FL_USEC_PER_SEC, FL_GROUP_WAIT_MAX, &r->wait);
}

void rules_groupings(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "groupings", QUIET_RULES_MAX, sizeof(struct fl_grouping_rule), &p, &rd->rules->n_groupings,
            grouping_rule);
    rd->rules->groupings = p;
}

/* ---- flapping ---- */

static void flapping_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_flapping_rule *r = slot;
    RD_ONLY(rd, v, "name", "match", "changes", "within", "quiet_for");
    r->name = rd_need_text(rd, v, "name");
    rd_matchers(rd, v, &r->match, &r->n_match);
    if (!rd->st && !fl_json_get(v, "changes"))
        rd_fail(rd, FL_E_SHAPE, "changes", "is required");
    rd_count(rd, v, "changes", FL_FLAP_CHANGES_MAX, &r->changes);
    if (!rd->st && r->changes == 1)
        rd_fail(rd, FL_E_SHAPE, "changes", "expected at least 2, or 0: never");
    need_duration(rd, v, "within", FL_USEC_PER_SEC, 7 * 86400 * FL_USEC_PER_SEC, &r->within);
    need_duration(rd, v, "quiet_for", FL_USEC_PER_SEC, 7 * 86400 * FL_USEC_PER_SEC, &r->quiet_for);
}

void rules_flapping(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "flapping", QUIET_RULES_MAX, sizeof(struct fl_flapping_rule), &p, &rd->rules->n_flapping,
            flapping_rule);
    rd->rules->flapping = p;
}

/* ---- reminders ---- */

static void reminder_severity(struct reader *rd, const struct fl_json *v, fl_severity *ret)
{
    size_t n, i = 0;
    const char *const *known = fl_severity_names(&n);
    const char *word = rd_opt_text(rd, v, "severity", "none");
    while (i < n && !rd->st && strcmp(known[i], word) != 0)
        i++;
    if (!rd->st && i == n)
        rd->st = fl_fail(rd->err, FL_E_SHAPE, "severity",
                         "unknown severity \"%.60s\": none, info, warning, error, critical", word);
    *ret = (fl_severity)i;
}

static void reminder_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_reminder_rule *r = slot;
    RD_ONLY(rd, v, "name", "severity", "alerts", "lasts", "ends_within", "every");
    r->name = rd_need_text(rd, v, "name");
    reminder_severity(rd, v, &r->severity);
    r->alerts = 1;
    rd_count(rd, v, "alerts", REMINDER_ALERTS_MAX, &r->alerts);
    if (!rd->st && !r->alerts)
        rd_fail(rd, FL_E_SHAPE, "alerts", "expected at least 1");
    bool lasts = fl_json_get(v, "lasts") != NULL, ends = fl_json_get(v, "ends_within") != NULL;
    if (!rd->st && lasts == ends)
        rd_fail(rd, FL_E_SHAPE, "lasts", "give one of lasts and ends_within");
    if (lasts)
        need_duration(rd, v, "lasts", FL_USEC_PER_SEC, FL_RULES_DURATION_MAX, &r->lasts);
    if (ends)
        need_duration(rd, v, "ends_within", FL_USEC_PER_SEC, FL_RULES_DURATION_MAX, &r->ends_within);
    /* An entry of the audit trail each time: not more than one a minute. */
    if (fl_json_get(v, "every"))
        need_duration(rd, v, "every", 60 * FL_USEC_PER_SEC, FL_RULES_DURATION_MAX, &r->every);
}

void rules_reminders(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "reminders", FL_REMINDERS_MAX, sizeof(struct fl_reminder_rule), &p,
            &rd->rules->n_reminders, reminder_rule);
    rd->rules->reminders = p;
}

/* ---- free ---- */

static void free_matchers(const struct fl_matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fl_regex_free(m[i].compiled);
}

void rules_quiet_free(struct fl_rules *r)
{
    for (size_t i = 0; i < r->n_inhibitions; i++) {
        free_matchers(r->inhibitions[i].source, r->inhibitions[i].n_source);
        free_matchers(r->inhibitions[i].target, r->inhibitions[i].n_target);
    }
    for (size_t i = 0; i < r->n_graph_inhibitions; i++) {
        free_matchers(r->graph_inhibitions[i].upstream, r->graph_inhibitions[i].n_upstream);
        free_matchers(r->graph_inhibitions[i].target, r->graph_inhibitions[i].n_target);
    }
    for (size_t i = 0; i < r->n_thresholds; i++)
        free_matchers(r->thresholds[i].match, r->thresholds[i].n_match);
    for (size_t i = 0; i < r->n_groupings; i++)
        free_matchers(r->groupings[i].match, r->groupings[i].n_match);
    for (size_t i = 0; i < r->n_windows; i++)
        free_matchers(r->windows[i].match, r->windows[i].n_match);
    for (size_t i = 0; i < r->n_flapping; i++)
        free_matchers(r->flapping[i].match, r->flapping[i].n_match);
}
