/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_json.c -- canonical rules JSON → struct fl_rules: strict, every problem with its JSON
 * path. The form is documented in docs/reference/rules.md; contract in <faultline/model.h>. */
#include "rules_heartbeat.h"
#include "rules_read.h"
#include "template.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_JSON_MAX (16u << 20)

/* ---- one reader per kind of rule ---- */

/* A template is checked when it is loaded: an unclosed brace would otherwise show as "never maps". */
static void check_template(struct reader *rd, const char *where, const char *tmpl, unsigned groups)
{
    for (const char *p = tmpl; *p && !rd->st; p++) {
        if (*p == '}') {
            rd_fail(rd, FL_E_SHAPE, where, "\"}\" without \"{\"");
        } else if (*p == '{') {
            const char *close = strpbrk(p + 1, "{}|");
            if (!close || *close != '}' || close == p + 1)
                rd_fail(rd, FL_E_SHAPE, where, "expected {label} or {1} to {9}");
            else if (close == p + 2 && p[1] >= '0' && p[1] <= '9' && (unsigned)(p[1] - '0') - 1u >= groups)
                rd->st = fl_fail(rd->err, FL_E_SHAPE, where, "{%c} is not a group of the regex", p[1]);
            else
                p = close;
        }
    }
}

static bool take_apart(struct reader *rd, const struct fl_mapping_rule *r, struct mapping_form *form)
{
    if (!rd->names)
        rd->names = template_names_new(rd->arena);
    form->names = rd->names;
    if (!form->names)
        return false;
    form->from = r->from ? template_name(rd->arena, form->names, r->from, strlen(r->from)) : 0;
    form->node = template_new(rd->arena, form->names, r->node);
    form->peer = r->peer ? template_new(rd->arena, form->names, r->peer) : NULL;
    return form->from != SIZE_MAX && form->node && (form->peer || !r->peer);
}

static void mapping_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_mapping_rule *r = slot;
    RD_ONLY(rd, v, "name", "match", "from", "regex", "node", "peer");
    r->name = rd_need_text(rd, v, "name");
    rd_matchers(rd, v, &r->match, &r->n_match);
    r->from = rd_opt_text(rd, v, "from", NULL);
    r->regex = rd_opt_text(rd, v, "regex", NULL);
    if (!rd->st && !r->from != !r->regex)
        rd_fail(rd, FL_E_SHAPE, r->from ? "regex" : "from", "\"from\" and \"regex\" go together");
    struct mapping_form *form = rd->st ? NULL : fl_arena_calloc(rd->arena, 1, sizeof *form);
    r->compiled = form;
    if (!rd->st && !form)
        rd_fail(rd, FL_E_NOMEM, NULL, "out of memory");
    unsigned groups = 0;
    if (!rd->st && r->regex) {
        rd->st = fl_regex_new(r->regex, &form->regex, rd->err);
        if (rd->st)
            fl_err_within(rd->err, "regex");
        else
            groups = fl_regex_groups(form->regex);
    }
    r->node = rd_need_text(rd, v, "node");
    check_template(rd, "node", r->node, groups);
    r->peer = rd_opt_text(rd, v, "peer", NULL);
    if (r->peer)
        check_template(rd, "peer", r->peer, groups);
    if (!rd->st && !take_apart(rd, r, form))
        rd_fail(rd, FL_E_NOMEM, NULL, "out of memory");
}

static void fail_word(struct reader *rd, const char *where, const char *word, const char *const *known,
                      size_t n)
{
    if (rd->st)
        return;
    rd->st = fl_fail(rd->err, FL_E_SHAPE, where, "unknown %s \"%.100s\"", where, word);
    const char *nearest = fl_nearest_word(word, known, n);
    if (nearest)
        fl_hint(rd->err, "did you mean \"%s\"?", nearest);
}

static void class_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_class_rule *r = slot;
    RD_ONLY(rd, v, "name", "match", "class");
    r->name = rd_need_text(rd, v, "name");
    rd_matchers(rd, v, &r->match, &r->n_match);
    const char *cls = rd_need_text(rd, v, "class");
    if (!rd->st && !fl_evidence_class_parse(cls, &r->cls)) {
        size_t n;
        const char *const *known = fl_evidence_class_names(&n);
        fail_word(rd, "class", cls, known, n);
    }
}

static void severity_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_severity_rule *r = slot;
    RD_ONLY(rd, v, "name", "match", "severity");
    r->name = rd_need_text(rd, v, "name");
    rd_matchers(rd, v, &r->match, &r->n_match);
    const char *word = rd_need_text(rd, v, "severity");
    size_t n, i = 0;
    const char *const *known = fl_severity_names(&n);
    while (i < n && strcmp(known[i], word) != 0)
        i++;
    if (i < n)
        r->severity = (fl_severity)i;
    else
        fail_word(rd, "severity", word, known, n);
}

static void binding_params(struct reader *rd, const struct fl_json *v, struct fl_binding_rule *r)
{
    if (!v || rd->st)
        return;
    if (!fl_json_is_map(v)) {
        rd_fail(rd, FL_E_SHAPE, "params", "expected an object");
        return;
    }
    for (void *it = fl_json_first(v); it && !rd->st; it = fl_json_next(v, it)) {
        if (r->n_params == FL_ARRAY_LEN(r->params)) {
            rd_fail(rd, FL_E_LIMIT, "params", "more than 16 parameters");
            return;
        }
        char *name = fl_arena_strdup(rd->arena, fl_json_key(it));
        if (!name)
            rd_fail(rd, FL_E_NOMEM, "params", "out of memory");
        r->params[r->n_params].name = name;
        r->params[r->n_params++].value = rd_text(rd, fl_json_value(it), "params", FL_LABEL_VALUE_MAX);
    }
}

static void binding_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_binding_rule *r = slot;
    RD_ONLY(rd, v, "name", "playbook", "match", "any_alert", "cause_types", "min_confidence", "approval",
            "params");
    r->name = rd_need_text(rd, v, "name");
    r->playbook = rd_need_text(rd, v, "playbook");
    rd_matchers(rd, v, &r->match, &r->n_match);
    const struct fl_json *any = fl_json_get(v, "any_alert");
    if (any && !fl_json_is_bool(any))
        rd_fail(rd, FL_E_SHAPE, "any_alert", "expected true or false");
    r->any_alert = fl_json_bool(v, "any_alert", false);
    rd_words(rd, v, "cause_types", &r->cause_types, &r->n_cause_types);
    rd_real(rd, v, "min_confidence", 0, 1, &r->min_confidence);
    r->approval = rd_opt_text(rd, v, "approval", "required");
    if (!rd->st && strcmp(r->approval, "required") != 0 && strcmp(r->approval, "none") != 0)
        rd_fail(rd, FL_E_SHAPE, "approval", "expected \"required\" or \"none\"");
    binding_params(rd, fl_json_get(v, "params"), r);
}

/* ---- sections ---- */

static void section_mapping(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "mapping", RULES_MAX, sizeof(struct fl_mapping_rule), &p, &rd->rules->n_mapping,
            mapping_rule);
    rd->rules->mapping = p;
}

static void section_classes(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "classes", RULES_MAX, sizeof(struct fl_class_rule), &p, &rd->rules->n_classes, class_rule);
    rd->rules->classes = p;
}

static void section_severities(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "severities", RULES_MAX, sizeof(struct fl_severity_rule), &p, &rd->rules->n_severities,
            severity_rule);
    rd->rules->severities = p;
}

static void section_bindings(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "bindings", RULES_MAX, sizeof(struct fl_binding_rule), &p, &rd->rules->n_bindings,
            binding_rule);
    rd->rules->bindings = p;
}

static void section_correlation(struct reader *rd, const struct fl_json *v)
{
    struct fl_correlation_params *c = &rd->rules->correlation;
    RD_ONLY(rd, v, "window", "distance", "unmapped_distance", "edge_types", "group_by", "quiet_after",
            "resolve_after", "rerank_delay");
    rd_duration(rd, v, "window", &c->window);
    rd_count(rd, v, "distance", 16, &c->distance);
    rd_count(rd, v, "unmapped_distance", 16, &c->unmapped_distance);
    rd_words(rd, v, "edge_types", &c->edge_types, &c->n_edge_types);
    rd_words(rd, v, "group_by", &c->group_by, &c->n_group_by);
    rd_duration(rd, v, "quiet_after", &c->quiet_after);
    rd_duration(rd, v, "resolve_after", &c->resolve_after);
    rd_duration(rd, v, "rerank_delay", &c->rerank_delay);
}

static void section_guards(struct reader *rd, const struct fl_json *v)
{
    struct fl_guard_params *g = &rd->rules->guards;
    RD_ONLY(rd, v, "cooldown", "max_disruptive", "disruptive_window", "max_alerting_share",
            "breaker_failures", "approval_ttl");
    rd_duration(rd, v, "cooldown", &g->cooldown);
    rd_count(rd, v, "max_disruptive", 1000, &g->max_disruptive);
    rd_duration(rd, v, "disruptive_window", &g->disruptive_window);
    rd_real(rd, v, "max_alerting_share", 0, 1, &g->max_alerting_share);
    rd_count(rd, v, "breaker_failures", 1000, &g->breaker_failures);
    rd_duration(rd, v, "approval_ttl", &g->approval_ttl);
}

static void section_leases(struct reader *rd, const struct fl_json *v)
{
    RD_ONLY(rd, v, "default", "grace");
    rd_duration(rd, v, "default", &rd->rules->lease_default);
    rd_duration(rd, v, "grace", &rd->rules->lease_grace);
}

enum { SOURCES_MAX = 1000 };

/* Only the frame: what the members of a source mean is checked where sources are read, by intake. */
static void source(struct reader *rd, const struct fl_json *v, void *slot)
{
    const char **name = slot;
    *name = rd_need_text(rd, v, "name");
}

static void section_sources(struct reader *rd, const struct fl_json *v)
{
    void *names = NULL;
    size_t n = 0;
    rd_list(rd, v, "sources", SOURCES_MAX, sizeof(const char *), &names, &n, source);
}

static void section_heartbeats(struct reader *rd, const struct fl_json *v)
{
    if (!rd->st)
        rd->st = rules_heartbeats(rd->rules, v, rd->err);
}

static const struct section {
    const char *key;
    void (*read)(struct reader *rd, const struct fl_json *v);
    bool overlay; /* members missing from the section keep their defaults; a list is replaced as a whole */
} sections[] = {
    {"mapping", section_mapping, false},       {"classes", section_classes, false},
    {"severities", section_severities, false}, {"correlation", section_correlation, true},
    {"inhibitions", rules_inhibitions, false}, {"graph_inhibitions", rules_graph_inhibitions, false},
    {"thresholds", rules_thresholds, false},   {"groupings", rules_groupings, false},
    {"bindings", section_bindings, false},     {"guards", section_guards, true},
    {"leases", section_leases, true},          {"sources", section_sources, false},
    {"heartbeats", section_heartbeats, false}, {"flapping", rules_flapping, false},
    {"maintenance", rules_maintenance, false}, {"reminders", rules_reminders, false},
};

/* The version covers what was left to the defaults too: other defaults are other rules. Writing a default out
 * changes nothing, so a section equal to its default counts once. */
static void hash_section(struct reader *rd, const struct section *s, const struct fl_json *own,
                         const struct fl_json *base, struct fl_buf *out)
{
    FL_AUTO_FREE char *mine = fl_json_text(own, true);
    FL_AUTO_FREE char *dflt = fl_json_text(base, true);
    if (!mine || !dflt) {
        rd_fail(rd, FL_E_NOMEM, NULL, "out of memory");
        return;
    }
    if (!own || s->overlay)
        fl_buf_str(out, dflt);
    if (own && !(s->overlay && strcmp(mine, dflt) == 0))
        fl_buf_str(out, mine);
    fl_buf_chr(out, '\n');
}

static void read_sections(struct reader *rd, const struct fl_json *root, const struct fl_json *dflt)
{
    FL_AUTO_BUF canonical = fl_buf_init(0);
    const char *known[FL_ARRAY_LEN(sections)];
    for (size_t i = 0; i < FL_ARRAY_LEN(sections); i++)
        known[i] = sections[i].key;
    if (!fl_json_is_object(root))
        rd_fail(rd, FL_E_SHAPE, NULL, "expected an object");
    rd_only(rd, root, known, FL_ARRAY_LEN(known));
    for (size_t i = 0; i < FL_ARRAY_LEN(sections) && !rd->st; i++) {
        const struct section *s = &sections[i];
        const struct fl_json *own = fl_json_get(root, s->key), *base = fl_json_get(dflt, s->key);
        hash_section(rd, s, own, base, &canonical);
        if (!own || s->overlay)
            s->read(rd, base);
        if (own && !rd->st) {
            s->read(rd, own);
            if (rd->st && s->overlay)
                fl_err_within(rd->err, "%s", s->key);
        }
    }
    if (canonical.failed)
        rd_fail(rd, FL_E_NOMEM, NULL, "out of memory");
    if (!rd->st)
        fl_sha256(canonical.p, canonical.n, &rd->rules->hash);
}

fl_status fl_rules_from_json(const char *json, size_t n, struct fl_rules **ret, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    if (n > RULES_JSON_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "rules longer than %u bytes", RULES_JSON_MAX);
    const char *builtin = fl_rules_default_json();
    FL_AUTO_JSON root = fl_json_parse(json, n, err);
    if (!root)
        return err->status;
    FL_AUTO_JSON dflt = fl_json_parse(builtin, strlen(builtin), err);
    if (!dflt)
        return err->status;
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_rules *rules = arena ? fl_arena_calloc(arena, 1, sizeof *rules) : NULL;
    if (!rules) {
        fl_arena_free(arena);
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    rules->arena = arena;
    struct reader rd = {.rules = rules, .arena = arena, .err = err};
    read_sections(&rd, root, dflt);
    if (rd.st) {
        fl_rules_free(rules);
        return rd.st;
    }
    *ret = rules;
    return FL_OK;
}

/* ---- free ---- */

static void free_matchers(const struct fl_matcher *m, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fl_regex_free(m[i].compiled);
}

struct fl_rules *fl_rules_free(struct fl_rules *r)
{
    if (!r)
        return NULL;
    for (size_t i = 0; i < r->n_mapping; i++) {
        free_matchers(r->mapping[i].match, r->mapping[i].n_match);
        struct mapping_form *form = r->mapping[i].compiled;
        if (form)
            form->regex = fl_regex_free(form->regex);
    }
    for (size_t i = 0; i < r->n_classes; i++)
        free_matchers(r->classes[i].match, r->classes[i].n_match);
    for (size_t i = 0; i < r->n_severities; i++)
        free_matchers(r->severities[i].match, r->severities[i].n_match);
    rules_quiet_free(r);
    for (size_t i = 0; i < r->n_bindings; i++)
        free_matchers(r->bindings[i].match, r->bindings[i].n_match);
    rules_heartbeats_free(r);
    fl_arena_free(r->arena);
    return NULL;
}
