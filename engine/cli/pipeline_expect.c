/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/pipeline_expect.c -- expect{…} of a pipeline test: each field compared with what the core decided, and
 * when it differs, what was instead and why (layer 6). */
#include "pipeline.h"

#include <stdarg.h>
#include <string.h>

struct look {
    const struct world *w;
    const struct fl_json *e;         /* the expect{…} */
    const struct fl_json *value;     /* of the field at hand */
    const struct seen_alert *alert;  /* alert = {…} */
    const struct seen_incident *inc; /* incident_of = {…} */
    struct fl_buf *out;
    struct fl_err *err;
};

static void FL_PRINTF(2, 3) differs(struct look *l, const char *fmt, ...)
{
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    fl_buf_printf(l->out, "%s\n", text);
}

static void say_labels(struct fl_buf *out, const struct fl_labels *l)
{
    fl_buf_chr(out, '{');
    fl_labels_text(l, out);
    fl_buf_chr(out, '}');
}

static void say_why(struct look *l, const struct seen_alert *a)
{
    struct fl_err none = {0};
    FL_AUTO_JSON why = fl_json_parse(a->why, strlen(a->why), &none);
    fl_buf_str(l->out, "  ");
    say_labels(l->out, &a->labels);
    fl_buf_printf(l->out, " is %s\n", fl_alert_status_name(a->status));
    for (size_t i = 0; i < fl_json_len(why); i++)
        fl_buf_printf(l->out, "    why: %s\n", fl_json_string(fl_json_at(why, i)));
}

static void say_incident(struct look *l, const struct seen_incident *i)
{
    fl_buf_printf(l->out, "  %s %s, %zu alert%s: %s (%s)\n", i->id, fl_incident_state_name(i->state),
                  i->alerts, i->alerts == 1 ? "" : "s", i->title, i->reason);
    for (size_t k = 0; k < l->w->n_alerts; k++)
        if (world_incident(l->w, l->w->alerts[k].incident) == i)
            say_why(l, &l->w->alerts[k]);
}

static void say_timeline(struct look *l, const struct seen_incident *i)
{
    for (size_t k = 0; k < l->w->n_lines; k++)
        if (fl_streq(l->w->lines[k].incident, i->id))
            fl_buf_printf(l->out, "    %s: %s\n", l->w->lines[k].kind, l->w->lines[k].text);
}

static bool why_says(const struct seen_alert *a, const char *text)
{
    struct fl_err none = {0};
    FL_AUTO_JSON why = fl_json_parse(a->why, strlen(a->why), &none);
    for (size_t i = 0; i < fl_json_len(why); i++)
        if (strstr(fl_json_string(fl_json_at(why, i)), text))
            return true;
    return strstr(a->quiet, text) != NULL;
}

/* ---- values ---- */

static const char *text(struct look *l)
{
    return fl_json_string(l->value);
}

static bool yes(struct look *l)
{
    return fl_json_truth(l->value);
}

static const char *shown(const char *s)
{
    return *s ? s : "none";
}

/* "x" or false for none. */
static void same_or_none(struct look *l, const char *what, const char *have)
{
    const char *want = text(l) ? text(l) : "";
    if (fl_streq(want, have))
        return;
    differs(l, "expected %s %s, it is %s", what, shown(want), shown(have));
    if (l->alert)
        say_why(l, l->alert);
    else
        say_incident(l, l->inc);
}

static void number(struct look *l, const char *what, size_t have)
{
    int64_t want = fl_json_int(l->e, what, -1);
    if (want >= 0 && (size_t)want == have)
        return;
    differs(l, "expected %s = %lld, it is %zu", what, (long long)want, have);
    for (size_t i = 0; i < l->w->n_incidents; i++)
        if (!l->inc || l->inc == &l->w->incidents[i])
            say_incident(l, &l->w->incidents[i]);
    for (size_t k = 0; k < l->w->n_alerts && !l->inc; k++)
        if (!*l->w->alerts[k].incident)
            say_why(l, &l->w->alerts[k]);
}

/* ---- fields: of everything ---- */

static size_t count_incidents(const struct world *w, bool over)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_incidents; i++)
        n += w->incidents[i].state != FL_INC_MERGED && incident_is_over(&w->incidents[i]) == over;
    return n;
}
static void f_incidents(struct look *l)
{
    number(l, "incidents", count_incidents(l->w, false));
}
static void f_resolved(struct look *l)
{
    number(l, "resolved", count_incidents(l->w, true));
}

static void f_reminders(struct look *l)
{
    number(l, "reminders", l->w->reminders);
}

/* Each of a list of alerts is in an incident: all in the same one, or each in another. */
static void membership(struct look *l, bool together)
{
    for (size_t i = 0; i < fl_json_len(l->value); i++)
        for (size_t k = 0; k < i; k++) {
            const struct fl_json *pair[] = {fl_json_at(l->value, k), fl_json_at(l->value, i)};
            const struct seen_alert *a[] = {world_alert(l->w, pair[0]), world_alert(l->w, pair[1])};
            const struct seen_incident *in[2];
            for (int j = 0; j < 2; j++) {
                FL_AUTO_FREE char *t = a[j] ? NULL : fl_json_text(pair[j], true);
                if (!a[j]) {
                    differs(l, "no alert has the labels %s", t ? t : "?");
                    return;
                }
                in[j] = world_incident(l->w, a[j]->incident);
            }
            if (together ? in[0] && in[0] == in[1] : in[0] != in[1] || !in[0])
                continue;
            differs(l,
                    together ? "expected one incident for both, they are in %s and %s"
                             : "expected two incidents, both are in %s%s",
                    in[0] ? in[0]->id : "none", together ? in[1] ? in[1]->id : "none" : "");
            say_why(l, a[0]);
            say_why(l, a[1]);
            return;
        }
}
static void f_together(struct look *l)
{
    membership(l, true);
}
static void f_apart(struct look *l)
{
    membership(l, false);
}

/* ---- fields: of one alert ---- */

static bool is_held(const struct seen_alert *a)
{
    return a->status != FL_ALERT_RESOLVED && !*a->incident;
}

static void f_held(struct look *l)
{
    bool want = text(l) || yes(l), have = is_held(l->alert);
    if (want != have)
        differs(l, want ? "expected it to be held, it is in %s" : "expected it not to be held%.0s",
                shown(l->alert->incident));
    else if (text(l) && !why_says(l->alert, text(l)))
        differs(l, "it is held, but not by \"%s\"", text(l));
    else
        return;
    say_why(l, l->alert);
}

static void whether(struct look *l, const char *what, bool have)
{
    if (yes(l) == have)
        return;
    differs(l, "expected it%s to be %s", yes(l) ? "" : " not", what);
    say_why(l, l->alert);
}
static void f_silenced(struct look *l)
{
    whether(l, "silenced", l->alert->silenced);
}
static void f_inhibited(struct look *l)
{
    whether(l, "inhibited", l->alert->inhibited);
}
static void f_maintenance(struct look *l)
{
    whether(l, "in maintenance", fl_streq(l->alert->quiet, "maintenance"));
}
static void f_flapping(struct look *l)
{
    whether(l, "flapping", why_says(l->alert, "flapping since "));
}

static void f_inhibited_by(struct look *l)
{
    char hex[17];
    const struct seen_alert *by = world_alert(l->w, l->value);
    FL_AUTO_FREE char *t = fl_json_text(l->value, true);
    if (by && strstr(l->alert->inhibited_by, fl_fingerprint_hex(by->fingerprint, hex)))
        return;
    differs(l, by ? "expected it to be inhibited by %s" : "no alert has the labels %s", t ? t : "?");
    say_why(l, l->alert);
}

static void f_kept_by(struct look *l)
{
    if (*l->alert->kept_by && strstr(l->alert->kept_by, text(l)))
        return;
    differs(l, "expected it to be kept quiet by \"%s\", it is by %s", text(l), shown(l->alert->kept_by));
    say_why(l, l->alert);
}

static void f_joined(struct look *l)
{
    whether(l, "in an incident", *l->alert->incident != 0);
}
static void f_node(struct look *l)
{
    same_or_none(l, "component", l->alert->node);
}

static void f_why(struct look *l)
{
    if (why_says(l->alert, text(l)))
        return;
    differs(l, "expected a reason with \"%s\"", text(l));
    say_why(l, l->alert);
}

/* ---- fields: of an alert or an incident ---- */

static void f_state(struct look *l)
{
    same_or_none(l, "state",
                 l->alert ? fl_alert_status_name(l->alert->status) : fl_incident_state_name(l->inc->state));
}
static void f_severity(struct look *l)
{
    same_or_none(l, "severity", fl_severity_name(l->alert ? l->alert->severity : l->inc->severity));
}

/* ---- fields: of one incident ---- */

static void f_alerts(struct look *l)
{
    number(l, "alerts", l->inc->alerts);
}
static void f_firing(struct look *l)
{
    number(l, "firing", l->inc->firing);
}
static void f_cause(struct look *l)
{
    same_or_none(l, "cause", l->inc->cause);
}

/* The first candidates, in this order. */
static void f_ranking(struct look *l)
{
    struct fl_err none = {0};
    const char *have = l->inc->ranking ? l->inc->ranking : "[]";
    FL_AUTO_JSON list = fl_json_parse(have, strlen(have), &none);
    for (size_t i = 0; i < fl_json_len(l->value); i++) {
        const char *want = fl_json_string(fl_json_at(l->value, i)), *is = fl_json_string(fl_json_at(list, i));
        if (want && is && !strcmp(want, is))
            continue;
        differs(l, "expected %s as cause number %zu, it is %s; the ranking: %s", want ? want : "a component",
                i + 1, is ? is : "none", have);
        say_incident(l, l->inc);
        return;
    }
}

static void f_playbook(struct look *l)
{
    FL_AUTO_BUF have = fl_buf_init(4096);
    const char *want = text(l);
    for (size_t i = 0; i < l->w->n_runs; i++) {
        const struct seen_run *r = &l->w->runs[i];
        if (!fl_streq(r->incident, l->inc->id))
            continue;
        if (want && fl_streq(r->playbook, want))
            return;
        fl_buf_printf(&have, "%s%s (%s)", have.n ? ", " : "", r->playbook, fl_run_state_name(r->state));
    }
    if (!want && !have.n)
        return;
    differs(l, "expected playbook %s, there is %s", want ? want : "none", have.n ? have.p : "none");
    say_timeline(l, l->inc);
}

static void line_says(struct look *l, const char *kind)
{
    for (size_t k = 0; k < l->w->n_lines; k++) {
        const struct seen_line *t = &l->w->lines[k];
        if (fl_streq(t->incident, l->inc->id) && (!kind || fl_streq(t->kind, kind)) &&
            strstr(t->text, text(l)))
            return;
    }
    differs(l, "expected %s with \"%s\"; the timeline has", kind ? kind : "a line", text(l));
    say_timeline(l, l->inc);
}
static void f_timeline(struct look *l)
{
    line_says(l, NULL);
}
static void f_guard(struct look *l)
{
    line_says(l, "guard.refused");
}

/* ---- the table ---- */

enum { TEXT = 1, NUMBER = 2, BOOL = 4, LIST = 8, OBJECT = 16, NONE = 32 /* false */ };
enum { ALL = 1, ALERT = 2, INCIDENT = 4 };
static const struct field {
    const char *name;
    unsigned types, of;
    void (*look)(struct look *l);
} fields[] = {
    {"incidents", NUMBER, ALL, f_incidents},
    {"resolved", NUMBER, ALL, f_resolved},
    {"reminders", NUMBER, ALL, f_reminders},
    {"together", LIST, ALL, f_together},
    {"apart", LIST, ALL, f_apart},
    {"state", TEXT, ALERT | INCIDENT, f_state},
    {"severity", TEXT, ALERT | INCIDENT, f_severity},
    {"node", TEXT | NONE, ALERT, f_node},
    {"held", TEXT | BOOL, ALERT, f_held},
    {"silenced", BOOL, ALERT, f_silenced},
    {"inhibited", BOOL, ALERT, f_inhibited},
    {"maintenance", BOOL, ALERT, f_maintenance},
    {"flapping", BOOL, ALERT, f_flapping},
    {"inhibited_by", OBJECT, ALERT, f_inhibited_by},
    {"kept_by", TEXT, ALERT, f_kept_by},
    {"in_incident", BOOL, ALERT, f_joined},
    {"why", TEXT, ALERT, f_why},
    {"alerts", NUMBER, INCIDENT, f_alerts},
    {"firing", NUMBER, INCIDENT, f_firing},
    {"cause", TEXT | NONE, INCIDENT, f_cause},
    {"ranking", LIST, INCIDENT, f_ranking},
    {"playbook", TEXT | NONE, INCIDENT, f_playbook},
    {"guard", TEXT, INCIDENT, f_guard},
    {"timeline", TEXT, INCIDENT, f_timeline},
    {"alert", OBJECT, 0, NULL},
    {"incident_of", OBJECT, 0, NULL},
};

static const struct field *field_of(const char *name)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(fields); i++)
        if (fl_streq(fields[i].name, name))
            return &fields[i];
    return NULL;
}

static bool type_fits(const struct fl_json *v, unsigned types)
{
    if (fl_json_is_string(v))
        return types & TEXT;
    if (fl_json_is_number(v))
        return types & NUMBER;
    if (fl_json_is_bool(v))
        return (types & BOOL) || ((types & NONE) && !fl_json_truth(v));
    return fl_json_is_array(v) ? types & LIST : fl_json_is_object(v) && (types & OBJECT);
}

static fl_status check_field(struct look *l, const char *name, const struct field *f)
{
    if (!f) {
        const char *names[FL_ARRAY_LEN(fields)];
        for (size_t i = 0; i < FL_ARRAY_LEN(fields); i++)
            names[i] = fields[i].name;
        const char *near = fl_nearest_word(name, names, FL_ARRAY_LEN(fields));
        return fl_fail(l->err, FL_E_SHAPE, "", "expect: unknown field \"%.60s\"%s%s%s", name,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    if (!type_fits(l->value, f->types))
        return fl_fail(l->err, FL_E_SHAPE, "", "expect: %s: a value of another type is needed", name);
    bool fits = !f->of || (f->of & ALL) || ((f->of & ALERT) && fl_json_get(l->e, "alert")) ||
                ((f->of & INCIDENT) && fl_json_get(l->e, "incident_of"));
    return fits ? FL_OK
                : fl_fail(l->err, FL_E_SHAPE, "", "expect: %s: of which? say %s = { labels } too", name,
                          f->of & ALERT ? "alert" : "incident_of");
}

/* @return false: there is no such alert or incident, which is told. */
static bool find_subject(struct look *l)
{
    const struct fl_json *alert = fl_json_get(l->e, "alert"), *of = fl_json_get(l->e, "incident_of");
    const struct fl_json *labels = alert ? alert : of;
    if (!labels)
        return true;
    FL_AUTO_FREE char *t = fl_json_text(labels, true);
    const struct seen_alert *a = world_alert(l->w, labels);
    if (!a) {
        differs(l, "no alert has the labels %s; there %s %zu", t ? t : "?",
                l->w->n_alerts == 1 ? "is" : "are", l->w->n_alerts);
        for (size_t k = 0; k < l->w->n_alerts; k++)
            say_why(l, &l->w->alerts[k]);
        return false;
    }
    if (alert) {
        l->alert = a;
        return true;
    }
    l->inc = world_incident(l->w, a->incident);
    if (!l->inc) {
        differs(l, "the alert %s is in no incident", t ? t : "?");
        say_why(l, a);
    }
    return l->inc != NULL;
}

fl_status world_expect(const struct world *w, const struct fl_json *expect, size_t *n, struct fl_buf *out,
                       struct fl_err *err)
{
    struct look l = {.w = w, .e = expect, .out = out, .err = err};
    if (!fl_json_is_object(expect) || !fl_json_first(expect))
        return fl_fail(err, FL_E_SHAPE, "", "expect: give it fields: expect { incidents = 1 }");
    if (fl_json_get(expect, "alert") && fl_json_get(expect, "incident_of"))
        return fl_fail(err, FL_E_SHAPE, "", "expect: alert or incident_of, not both");
    for (void *it = fl_json_first(expect); it; it = fl_json_next(expect, it)) {
        l.value = fl_json_value(it);
        fl_status st = check_field(&l, fl_json_key(it), field_of(fl_json_key(it)));
        if (st != FL_OK)
            return st;
    }
    if (!find_subject(&l))
        return FL_OK;
    for (void *it = fl_json_first(expect); it; it = fl_json_next(expect, it)) {
        const struct field *f = field_of(fl_json_key(it));
        l.value = fl_json_value(it);
        if (!f->look)
            continue;
        f->look(&l);
        (*n)++;
    }
    return FL_OK;
}
