/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/template.h -- templates of mapping rules, "{caller}|{client}", taken apart when the rules are read: every
 * alert of a storm is asked for the same few names by every rule (private to the stage). */
#pragma once

#include "regex_priv.h"

struct template_names; /* that the templates of one set of rules ask for; lives in its arena */
struct fl_template;

/** fl_mapping_rule.compiled; in the arena of the rules but for the regex. */
struct mapping_form {
    struct fl_regex *regex; /* owned; NULL: none */
    struct template_names *names;
    size_t from; /* name whose value the regex is for */
    struct fl_template *node, *peer;
};

struct template_names *template_names_new(struct fl_arena *arena); /* NULL: out of memory */
/** @param text checked before (rules_json.c). @return in the arena; NULL: out of memory. */
struct fl_template *template_new(struct fl_arena *arena, struct template_names *names, const char *text);
/** A name asked for outside of templates. @return its place; SIZE_MAX: out of memory. */
size_t template_name(struct fl_arena *arena, struct template_names *names, const char *name, size_t n);

enum {
    TEMPLATE_WORDS = 128, /* names looked up once an alert; those beyond it each time */
    MATCHES_KEPT = 8,     /* regexes of which the second round takes over what the first one found */
};
struct kept_match {
    const char *subject;
    fl_regex_answer answer;
    struct fl_capture captures[9];
};
/** Where placeholders look: the labels, and when `notes` is not NULL behind them the annotations. */
struct words {
    const struct template_names *names;
    const struct fl_labels *labels, *notes;
    const char *known[TEMPLATE_WORDS]; /* NULL: not looked up yet */
    struct kept_match matches[MATCHES_KEPT];
    size_t n_matches;
};
void words_init(struct words *w, const struct template_names *names, const struct fl_labels *labels);
/** The second round: names that are no labels are looked for here. */
void words_add(struct words *w, const struct fl_labels *notes);
/** "" when there is none. */
const char *words_get(struct words *w, size_t name);
/** The first alternative whose placeholders are all there, in out[FL_NODE_ID_MAX + 1]. False: there is none. */
bool template_expand(const struct fl_template *t, struct words *w, const struct fl_capture *captures,
                     char *out);
