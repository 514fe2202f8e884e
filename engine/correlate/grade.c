/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/grade.c -- the evidence class of an alert. Class rules are regexes about two or three labels that thousands
 * of alerts share, so each combination of these labels is asked once; what is remembered decides nothing. */
#include "correlate_priv.h"

#include <string.h>

enum { GRADES = 256, GRADE_NAMES = 16, GRADE_KEY = 400 };

struct grade {
    char key[GRADE_KEY];
    size_t n; /* bytes of the key, each value with its NUL; 0: free */
    fl_evidence_class cls;
};
struct grades {
    struct fl_sha256 rules; /* that these are of */
    bool asked, too_many;   /* too_many: names; then every alert is asked about */
    char *names[GRADE_NAMES];
    size_t n_names;
    struct grade v[GRADES];
};

static void forget(struct grades *g)
{
    for (size_t i = 0; i < g->n_names; i++)
        free(g->names[i]);
    memset(g, 0, sizeof *g);
}

static void add_name(struct grades *g, const char *name)
{
    for (size_t i = 0; i < g->n_names; i++)
        if (strcmp(g->names[i], name) == 0)
            return;
    if (g->n_names == GRADE_NAMES)
        g->too_many = true;
    else
        g->names[g->n_names++] = fl_core_strdup(name);
}

static struct grades *of_rules(struct fl_corr *c, const struct fl_rules *rules)
{
    if (!c->grades)
        c->grades = fl_core_alloc(1, sizeof *c->grades);
    struct grades *g = c->grades;
    if (g->asked && memcmp(&g->rules, &rules->hash, sizeof g->rules) == 0)
        return g;
    forget(g);
    g->rules = rules->hash;
    g->asked = true;
    for (size_t i = 0; i < rules->n_classes; i++)
        for (size_t k = 0; k < rules->classes[i].n_match; k++)
            add_name(g, rules->classes[i].match[k].name);
    return g;
}

/* @return its bytes; 0: too long to be remembered. */
static size_t make_key(const struct grades *g, const struct fl_alert *a, char key[GRADE_KEY])
{
    size_t n = 0;
    for (size_t i = 0; i < g->n_names; i++) {
        const char *value = fl_label_get(&a->labels, g->names[i]);
        size_t len = strlen(value) + 1;
        if (n + len > GRADE_KEY)
            return 0;
        memcpy(key + n, value, len);
        n += len;
    }
    return n;
}

fl_evidence_class grade_class(struct fl_corr *c, const struct fl_rules *rules, const struct fl_alert *a)
{
    struct grades *g = of_rules(c, rules);
    char key[GRADE_KEY];
    size_t n = g->too_many ? 0 : make_key(g, a, key);
    if (!n)
        return fl_rules_class(rules, a);
    struct grade *x = &g->v[fl_keyed_hash(key, n) % GRADES];
    if (x->n != n || memcmp(x->key, key, n) != 0) {
        x->cls = fl_rules_class(rules, a);
        x->n = n;
        memcpy(x->key, key, n);
    }
    return x->cls;
}

void grades_free(struct fl_corr *c)
{
    if (c->grades)
        forget(c->grades);
    free(c->grades);
    c->grades = NULL;
}
