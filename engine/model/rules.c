/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules.c -- rules applied to one alert: component, evidence class, severity.
 * Contract in <faultline/model.h>; rules_json.c builds them. */
#include "template.h"

#include <string.h>

fl_evidence_class fl_rules_class(const struct fl_rules *r, const struct fl_alert *a)
{
    for (size_t i = 0; i < r->n_classes; i++)
        if (fl_match_all(r->classes[i].match, r->classes[i].n_match, &a->labels))
            return r->classes[i].cls;
    return FL_EC_OTHER;
}

fl_severity fl_rules_severity(const struct fl_rules *r, const struct fl_alert *a)
{
    for (size_t i = 0; i < r->n_severities; i++)
        if (fl_match_all(r->severities[i].match, r->severities[i].n_match, &a->labels))
            return r->severities[i].severity;
    /* Somebody wrote this alert on purpose: without a word about it, it is a warning. */
    static const char *const names[] = {"severity", "priority", "level"};
    const struct fl_labels *const places[] = {&a->labels, &a->annotations};
    for (size_t i = 0; i < FL_ARRAY_LEN(places) * FL_ARRAY_LEN(names); i++) {
        const char *value = fl_label_get(places[i / FL_ARRAY_LEN(names)], names[i % FL_ARRAY_LEN(names)]);
        if (*value)
            return fl_severity_parse(value, FL_SEV_WARNING);
    }
    return FL_SEV_WARNING;
}

/* ---- mapping ---- */

typedef bool emit_fn(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer);

/* In the second round most regexes are asked about the very text of the first one. `k` counts the rules with a regex
 * that were asked so far in this round. */
static bool regex_holds(const struct mapping_form *form, struct words *w, size_t k,
                        struct fl_capture *captures)
{
    const char *subject = words_get(w, form->from);
    struct kept_match *m = k < MATCHES_KEPT ? &w->matches[k] : NULL;
    if (m && k < w->n_matches && m->subject == subject) {
        memcpy(captures, m->captures, sizeof m->captures);
        return m->answer == FL_REGEX_MATCH;
    }
    fl_regex_answer answer = fl_regex_captures(form->regex, subject, captures, 9);
    if (m) {
        *m = (struct kept_match){.subject = subject, .answer = answer};
        if (answer == FL_REGEX_MATCH)
            memcpy(m->captures, captures, sizeof m->captures);
        if (w->n_matches <= k)
            w->n_matches = k + 1;
    }
    return answer == FL_REGEX_MATCH;
}

static bool map_round(const struct fl_rules *r, const struct fl_alert *a, struct words *w, emit_fn *emit,
                      void *ctx)
{
    char node[FL_NODE_ID_MAX + 1], peer[FL_NODE_ID_MAX + 1];
    struct fl_capture captures[9];
    size_t regexes = 0;
    for (size_t i = 0; i < r->n_mapping; i++) {
        const struct fl_mapping_rule *rule = &r->mapping[i];
        const struct mapping_form *form = rule->compiled;
        if (!fl_match_all(rule->match, rule->n_match, &a->labels))
            continue;
        if (form->regex && !regex_holds(form, w, regexes++, captures))
            continue;
        if (!template_expand(form->node, w, captures, node))
            continue;
        bool has_peer = form->peer && template_expand(form->peer, w, captures, peer);
        if (emit(ctx, rule, node, has_peer ? peer : NULL))
            return true;
    }
    return false;
}

/*
 * Formats whose recovery says less than their problem (PagerDuty, Nagios, …) keep in the annotations what is no
 * identity. So annotations count too, but only for an alert whose labels name no component.
 */
bool fl_rules_map(const struct fl_rules *r, const struct fl_alert *a, emit_fn *emit, void *ctx)
{
    if (!r->n_mapping)
        return false;
    const struct template_names *names = ((const struct mapping_form *)r->mapping[0].compiled)->names;
    struct words w;
    words_init(&w, names, &a->labels);
    if (map_round(r, a, &w, emit, ctx))
        return true;
    if (!a->annotations.n)
        return false;
    words_add(&w, &a->annotations);
    return map_round(r, a, &w, emit, ctx);
}
