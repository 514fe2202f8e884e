/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/filters.c -- filter=…, repeated (layer 5). */
#include "filters.h"

#include <string.h>

void filters_done(struct filters *f)
{
    for (size_t i = 0; i < f->n; i++)
        fl_matcher_done(&f->m[i]);
    f->n = 0;
}

/* The anchors are what Alertmanager puts around a pattern; they change nothing here but its words. */
static fl_status compile(struct request *r, bool as_go, struct fl_matcher *m, struct fl_err *err)
{
    if (as_go && (m->op == '~' || m->op == 'n')) {
        m->value = fl_arena_printf(r->arena, "^(?:%s)$", m->value);
        if (!m->value)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    }
    return fl_matcher_compile(m, err);
}

fl_status filters_read(struct request *r, size_t max, bool as_go, struct filters *f, const char **ret_text,
                       struct fl_err *err)
{
    f->n = 0;
    for (size_t i = 0; i < r->n_args; i++) {
        if (strcmp(r->args[i].name, "filter") != 0)
            continue;
        const char *text = *ret_text = r->args[i].value;
        fl_status st = f->n == max ? fl_fail(err, FL_E_LIMIT, NULL, "more than %zu filters", max)
                                   : fl_matcher_parse(r->arena, text, strlen(text), &f->m[f->n], err);
        if (st == FL_OK)
            st = compile(r, as_go, &f->m[f->n], err);
        if (st != FL_OK)
            return st;
        f->n++;
    }
    return FL_OK;
}

/* Neighbours of one name are alternatives, so that two filters on one label ask for no more than either does. */
size_t filters_having(struct request *r, const struct filters *f, struct fl_label ret[HAVING_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < f->n; i++) {
        const struct fl_matcher *m = &f->m[i];
        const char **v = (const char **)&m->value;
        size_t values = m->op == '=' ? 1 : fl_matcher_literals(r->arena, m, LITERALS_MAX, &v);
        for (size_t k = 0; k < values; k++)
            ret[n++] = (struct fl_label){m->name, v[k]};
    }
    return n;
}
