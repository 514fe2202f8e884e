/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules.c -- rules applied to one alert: component, evidence class, severity.
 * Contract in <faultline/model.h>; rules_json.c builds them. */
#include "regex_priv.h"

#include <stdio.h>
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

struct template_part {
    const char *p;
    size_t n;
};

static bool append(char *out, size_t *used, struct template_part part)
{
    if (*used + part.n >= FL_NODE_ID_MAX + 1u)
        return false;
    memcpy(out + *used, part.p, part.n);
    *used += part.n;
    out[*used] = 0;
    return true;
}

/* Where placeholders look: the labels, and in the second round behind them the annotations. */
struct words {
    const struct fl_labels *labels, *notes; /* notes: NULL in the first round */
};

static const char *word(const struct words *w, const char *name)
{
    const char *value = fl_label_get(w->labels, name);
    return *value || !w->notes ? value : fl_label_get(w->notes, name);
}

/* As fl_label_get() of a name that does not end where the text ends. */
static const char *named(const struct fl_labels *l, const char *name, size_t n)
{
    for (size_t i = 0; i < l->n; i++) {
        const char *have = l->v[i].name;
        if (have[0] == name[0] && strncmp(have, name, n) == 0 && !have[n])
            return l->v[i].value;
    }
    return "";
}

static struct template_part lookup(const struct words *w, const struct fl_capture *captures, const char *name,
                                   size_t n)
{
    if (n == 1 && name[0] >= '1' && name[0] <= '9') {
        const struct fl_capture *c = &captures[name[0] - '1'];
        return (struct template_part){c->p, c->p ? c->n : 0};
    }
    const char *value = n > FL_LABEL_NAME_MAX ? "" : named(w->labels, name, n);
    if (!*value && w->notes && n <= FL_LABEL_NAME_MAX)
        value = named(w->notes, name, n);
    return (struct template_part){value, strlen(value)};
}

/* One alternative of a template, up to `end`. False when a placeholder is empty: half an id is no id. */
static bool expand(const char *p, const char *end, const struct words *w, const struct fl_capture *captures,
                   char *out)
{
    size_t used = 0;
    out[0] = 0;
    while (p < end) {
        struct template_part part = {p, 1};
        if (*p == '{') {
            const char *close = memchr(p, '}', (size_t)(end - p));
            if (!close)
                return false;
            part = lookup(w, captures, p + 1, (size_t)(close - p - 1));
            if (!part.n)
                return false;
            p = close;
        }
        if (!append(out, &used, part))
            return false;
        p++;
    }
    return used > 0;
}

/* "{caller}|{client}": the first alternative whose placeholders are all there. */
static bool expand_first(const char *tmpl, const struct words *w, const struct fl_capture *captures,
                         char *out)
{
    for (const char *p = tmpl; p;) {
        const char *bar = strchr(p, '|');
        if (expand(p, bar ? bar : p + strlen(p), w, captures, out))
            return true;
        p = bar ? bar + 1 : NULL;
    }
    return false;
}

typedef bool emit_fn(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer);

static bool map_round(const struct fl_rules *r, const struct fl_alert *a, const struct words *w,
                      emit_fn *emit, void *ctx)
{
    char node[FL_NODE_ID_MAX + 1], peer[FL_NODE_ID_MAX + 1];
    for (size_t i = 0; i < r->n_mapping; i++) {
        const struct fl_mapping_rule *rule = &r->mapping[i];
        struct fl_capture captures[9] = {{NULL, 0}};
        if (!fl_match_all(rule->match, rule->n_match, &a->labels))
            continue;
        if (rule->regex && fl_regex_captures(rule->compiled, word(w, rule->from), captures,
                                             FL_ARRAY_LEN(captures)) != FL_REGEX_MATCH)
            continue;
        if (!expand_first(rule->node, w, captures, node))
            continue;
        bool has_peer = rule->peer && expand_first(rule->peer, w, captures, peer);
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
    struct words labels = {&a->labels, NULL}, both = {&a->labels, &a->annotations};
    return map_round(r, a, &labels, emit, ctx) || (a->annotations.n && map_round(r, a, &both, emit, ctx));
}
