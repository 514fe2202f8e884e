/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/choose.c -- which playbook is tried for which incident: the bindings of the rules. */
#include "respond_priv.h"

#include <stdio.h>
#include <string.h>

struct pick {
    const struct fl_binding_rule *b;
    const char *cause;
    const struct fl_labels *hit; /* labels of the matching alert */
    char missing[128];           /* the placeholder of a parameter that stays empty */
};

static bool try_alert(void *ctx, const struct fl_labels *l, const char *node)
{
    struct pick *p = ctx;
    if (!p->b->any_alert && !fl_streq(node, p->cause))
        return false;
    if (!fl_match_all(p->b->match, p->b->n_match, l))
        return false;
    p->hit = l;
    return true;
}

static bool has(const char *const *v, size_t n, const char *s)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i], s) == 0)
            return true;
    return n == 0;
}

/* {cause} {service} {incident} {label:x} {node:x} in a parameter's template: labels of the matching alert, of the
 * cause's node. False when one of the last two is empty: the binding then does not apply. */
static bool expand(struct fl_buf *out, const char *tmpl, const struct fl_resp_view *v,
                   const struct fl_labels *l, char *missing, size_t cap)
{
    static const struct fl_labels none = {0};
    bool whole = true;
    for (const char *p = tmpl; *p;) {
        const char *end = *p == '{' ? strchr(p, '}') : NULL;
        if (!end) {
            fl_buf_chr(out, *p++);
            continue;
        }
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)(end - p - 1), p + 1);
        if (strcmp(name, "cause") == 0)
            fl_buf_str(out, v->cause);
        else if (strcmp(name, "service") == 0)
            fl_buf_str(out, v->cause_service);
        else if (strcmp(name, "incident") == 0)
            fl_buf_str(out, v->incident);
        else if (strncmp(name, "label:", 6) == 0 || strncmp(name, "node:", 5) == 0) {
            bool of_node = name[0] == 'n';
            const struct fl_labels *from = of_node ? v->cause_labels : l;
            const char *value = fl_label_get(from ? from : &none, name + (of_node ? 5 : 6));
            if (!*value)
                snprintf(missing, cap, "{%.100s}", name);
            whole = whole && *value;
            fl_buf_str(out, value);
        } else
            fl_buf_add(out, p, (size_t)(end - p) + 1);
        p = end + 1;
    }
    return whole;
}

static char *params_json(struct pick *p, const struct fl_resp_view *v)
{
    const struct fl_binding_rule *b = p->b;
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; i < b->n_params; i++) {
        FL_AUTO_BUF value = fl_buf_init(0);
        if (!expand(&value, b->params[i].value, v, p->hit, p->missing, sizeof p->missing))
            return NULL;
        fl_jw_str(&w, b->params[i].name, value.p ? value.p : "");
    }
    fl_jw_obj_end(&w);
    FL_REQUIRE(!out.failed);
    return fl_buf_take(&out, NULL);
}

/* Never twice for one incident: a remediation that did not help is a person's business then. */
static bool tried(const struct fl_resp *r, const char *incident, const char *playbook)
{
    for (const struct run *x = r->first; x; x = x->next)
        if (fl_streq(x->pub.incident, incident) && fl_streq(x->pub.playbook, playbook))
            return true;
    return false;
}

/* @return false: a parameter cannot be filled in. */
static bool propose(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *v, const struct book *b,
                    struct pick *p)
{
    /* The stricter of rule and playbook wins; a binding that says nothing asks for approval. */
    bool ask = !fl_streq(p->b->approval, "none") || !fl_streq(b->approval, "none");
    char *params = params_json(p, v);
    if (!params)
        return false;
    struct run *run = run_create(r, s, v, b, params, "engine", ask ? "required" : "none");
    free(params);
    r->stats.proposed++;
    const char *no = ask ? NULL : guards_run(r, s, run, v, false, false);
    if (no) {
        /* The brake turns an automatic run into a question. */
        r->stats.denied_by_guard++;
        set_text(&run->approval, "required");
        run_say(s, run, "guard.refused", NULL,
                fl_fx_printf(s->fx, "%s may not start by itself: %s", b->name, no), NULL);
        ask = true;
    }
    run_say(s, run, "run.proposed", NULL,
            fl_fx_printf(s->fx, "binding \"%s\" proposes %s on %s (%s)%s", p->b->name, b->name, v->cause,
                         run->pub.id, ask ? ": waits for an approval" : ""),
            run->params);
    run_row(s, run);
    if (!ask && run_event(r, s, run, RE_APPROVED, "no approval needed by rule and playbook"))
        run_start(r, s, run);
    return true;
}

/* The first clause of a binding that says no, in words without figures that change from ranking to ranking. */
static void say_no(struct fl_buf *out, const struct pick *p, const struct fl_resp_view *v,
                   const struct book *b)
{
    const struct fl_binding_rule *r = p->b;
    fl_buf_printf(out, "%sbinding \"%.100s\": ", out->n ? "; " : "", r->name);
    if (!b)
        fl_buf_printf(out, "there is no playbook \"%.100s\"", r->playbook);
    else if (v->confidence < r->min_confidence)
        fl_buf_printf(out, "the confidence is below %d%%", (int)(r->min_confidence * 100 + 0.5));
    else if (!has(r->cause_types, r->n_cause_types, v->cause_type))
        fl_buf_printf(out, "it is for causes of other types than %.60s", v->cause_type);
    else if (!p->hit)
        fl_buf_printf(out, "no firing alert%s%.200s is what it asks for", r->any_alert ? "" : " on ",
                      r->any_alert ? "" : v->cause);
    else
        fl_buf_printf(out, "its parameter %.128s is empty for %.200s", p->missing, v->cause);
}

const char *fl_resp_consider(struct fl_resp *r, struct fl_step *s, const struct fl_resp_view *v)
{
    enum { TOLD = 8 };
    FL_AUTO_BUF no = fl_buf_init(0);
    size_t refused = 0;
    bool any = false;
    if (!v->active)
        return NULL;
    if (!v->convincing || !*v->cause)
        return "no convincing cause: no binding is tried";
    for (size_t i = 0; i < s->rules->n_bindings; i++) {
        struct pick p = {.b = &s->rules->bindings[i], .cause = v->cause};
        const struct book *b = book_find(r, p.b->playbook);
        if (tried(r, v->incident, p.b->playbook)) {
            any = true;
            continue;
        }
        bool fits = b && v->confidence >= p.b->min_confidence &&
                    has(p.b->cause_types, p.b->n_cause_types, v->cause_type);
        if (fits)
            v->each_alert(v->ctx, try_alert, &p);
        if (fits && p.hit && propose(r, s, v, b, &p))
            any = true;
        else if (++refused <= TOLD)
            say_no(&no, &p, v, b);
    }
    if (any)
        return NULL;
    if (refused > TOLD)
        fl_buf_printf(&no, "; and %zu more", refused - TOLD);
    return refused ? fl_fx_str(s->fx, no.p) : "the rules have no binding";
}
