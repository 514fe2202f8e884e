/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/remind.c -- silences and maintenance windows that hide much for long, or end while they still hide
 * something: how much each hides is counted as it changes, and said when a rule of the reminders calls for it. */
#include "correlate_priv.h"

#include <faultline/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INCIDENTS_TOLD = 20 };

/* ---- how much each hides ---- */

static void add(struct remind *r, fl_severity severity, bool more)
{
    if (r && more)
        r->hidden[severity]++;
    else if (r && r->hidden[severity])
        r->hidden[severity]--;
}

/* What a silence or a window hides fires; a stale alert is vouched for by nobody. */
static void count(struct fl_corr *c, const struct episode *e, bool more)
{
    const char *window = e->hold ? e->hold->window : NULL;
    size_t by = more ? 1 : (size_t)-1;
    if (e->status != FL_ALERT_FIRING || (!e->silenced_by && !window))
        return;
    c->reminders_moved = true;
    c->hidden[REMIND_SILENCE] += e->silenced_by ? by : 0;
    c->hidden[REMIND_WINDOW] += window ? by : 0;
    for (const char *p = e->silenced_by; p && *p;) {
        size_t n = strcspn(p, ",");
        add(silence_remind(c, p, n), e->severity, more);
        p += n + (p[n] == ',');
    }
    if (window)
        add(window_remind(c, window), e->severity, more);
}

void remind_leaves(struct fl_corr *c, const struct episode *e)
{
    count(c, e, false);
}

void remind_is(struct fl_corr *c, const struct episode *e)
{
    count(c, e, true);
}

static size_t hidden(const struct remind *r, fl_severity least)
{
    size_t n = 0;
    for (unsigned k = least; k < FL_ARRAY_LEN(r->hidden); k++)
        n += r->hidden[k];
    return n;
}

/* ---- when ---- */

void remind_done(struct remind *r)
{
    free(r->text);
    *r = (struct remind){0};
}

void remind_again(struct fl_corr *c, struct remind *r)
{
    memset(r->at, 0, sizeof r->at);
    c->reminders_moved = true;
}

/* 0: never. What is shorter than twice ends_within would be spoken of as soon as it begins. */
static fl_usec due(const struct fl_reminder_rule *rule, const struct remind_at *at,
                   const struct remind_about *v)
{
    fl_usec when;
    if (at->told)
        when = rule->every ? at->told + rule->every : 0;
    else if (rule->lasts)
        when = at->since + rule->lasts;
    else if (v->ends_at && v->ends_at - v->starts_at >= 2 * rule->ends_within)
        when = v->ends_at - rule->ends_within;
    else
        when = 0;
    return when && (!v->ends_at || when < v->ends_at) ? when : 0;
}

/* ---- saying it ---- */

static const char *how_many(struct fl_step *s, const struct fl_reminder_rule *rule, const struct remind *r)
{
    size_t n = hidden(r, FL_SEV_NONE), bad = hidden(r, FL_SEV_CRITICAL), of = hidden(r, rule->severity);
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(&b, "hides %zu firing alert%s", n, n == 1 ? "" : "s");
    if (bad)
        fl_buf_printf(&b, ", %zu of them critical", bad);
    if (rule->severity != FL_SEV_NONE && rule->severity != FL_SEV_CRITICAL)
        fl_buf_printf(&b, ", %zu of them %s or worse", of, fl_severity_name(rule->severity));
    return fl_fx_str(s->fx, b.p);
}

enum { SPAN_LEN = 40 };

/* As people say it: the two largest units. */
static const char *span(fl_usec d, char out[SPAN_LEN])
{
    static const struct {
        const char *name;
        fl_usec of;
    } units[] = {{"d", 86400 * FL_USEC_PER_SEC},
                 {"h", 3600 * FL_USEC_PER_SEC},
                 {"m", 60 * FL_USEC_PER_SEC},
                 {"s", FL_USEC_PER_SEC}};
    size_t k = 0;
    while (k + 1 < FL_ARRAY_LEN(units) && d < units[k].of)
        k++;
    long long large = d / units[k].of, small = 0;
    if (k + 1 < FL_ARRAY_LEN(units))
        small = d % units[k].of / units[k + 1].of;
    if (small)
        snprintf(out, SPAN_LEN, "%lld%s %lld%s", large, units[k].name, small, units[k + 1].name);
    else
        snprintf(out, SPAN_LEN, "%lld%s", large, units[k].name);
    return out;
}

static const char *words(struct fl_step *s, const struct fl_reminder_rule *rule, const struct remind *r,
                         const struct remind_at *at, const struct remind_about *v)
{
    char lasts[SPAN_LEN], ends[FL_TIME_LEN], left[SPAN_LEN];
    const char *much = how_many(s, rule, r);
    const char *end = v->ends_at ? fl_fx_printf(s->fx, "it ends in %s, at %s", span(v->ends_at - s->at, left),
                                                fl_time_format_ms(v->ends_at, ends))
                                 : "it has no end";
    if (rule->ends_within)
        return fl_fx_printf(s->fx, "%s and still %s: those that fire then are told (reminder \"%.100s\")",
                            end, much, rule->name);
    return fl_fx_printf(s->fx, "%s, and has hidden at least %u for %s; %s (reminder \"%.100s\")", much,
                        rule->alerts, span(s->at - at->since, lasts), end, rule->name);
}

/* Incidents that have firing alerts which it hides. */
static void tell_incidents(struct fl_corr *c, struct fl_step *s, const struct remind_about *v,
                           const char *text)
{
    size_t told = 0;
    for (struct incident *i = c->first; i && told < INCIDENTS_TOLD; i = i->next) {
        size_t n = 0;
        for (const struct episode *e = is_active(i) ? i->head : NULL; e; e = e->next)
            n += e->status == FL_ALERT_FIRING && v->hides(v->id, e);
        if (!n)
            continue;
        told++;
        s->note(s,
                &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                  .action = v->action,
                                  .incident = i->pub.id,
                                  .subject = v->id,
                                  .text = fl_fx_printf(s->fx, "%s %s hides %zu alert%s of this incident: %s",
                                                       v->what, v->id, n, n == 1 ? "" : "s", text)});
    }
}

static void tell(struct fl_corr *c, struct fl_step *s, const struct fl_reminder_rule *rule, struct remind *r,
                 const struct remind_at *at, const struct remind_about *v)
{
    const char *text = words(s, rule, r, at, v);
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "rule", rule->name);
    fl_jw_int(&w, "hidden", (int64_t)hidden(r, FL_SEV_NONE));
    fl_jw_int(&w, "critical", (int64_t)hidden(r, FL_SEV_CRITICAL));
    fl_jw_time(&w, "since", at->since);
    fl_jw_obj_end(&w);
    set_text(&r->text, text);
    r->told_at = s->at;
    r->times++;
    c->stats.reminders[v->kind]++;
    s->note(s, &(struct fl_note){.to = FL_NOTE_AUDIT,
                                 .action = v->action,
                                 .incident = "",
                                 .subject = v->id,
                                 .text = *v->comment ? fl_fx_printf(s->fx, "%s; made by %.100s: \"%.200s\"",
                                                                    text, v->by, v->comment)
                                                     : text,
                                 .detail = b.p});
    tell_incidents(c, s, v, text);
}

/* ---- one silence or window ---- */

static void sooner(struct fl_corr *c, fl_usec at)
{
    if (at && (!c->remind_due || at < c->remind_due))
        c->remind_due = at;
}

bool remind_look(struct fl_corr *c, struct fl_step *s, struct remind *r, const struct remind_about *v)
{
    bool changed = false, still = false;
    for (size_t k = 0; k < s->rules->n_reminders; k++) {
        const struct fl_reminder_rule *rule = &s->rules->reminders[k];
        struct remind_at *at = &r->at[k];
        if (!v->in_force || hidden(r, rule->severity) < rule->alerts) {
            /* That it ends is said once for each end, whatever comes and goes meanwhile. */
            at->since = 0;
            if (rule->lasts || !v->in_force)
                at->told = 0;
            continue;
        }
        if (!at->since)
            at->since = s->at;
        fl_usec when = due(rule, at, v);
        if (when && when <= s->at) {
            tell(c, s, rule, r, at, v);
            at->told = s->at;
            changed = true;
            when = due(rule, at, v);
        }
        still |= at->told && r->text;
        sooner(c, when);
    }
    c->reminded[v->kind] += still;
    if (!still && r->text) {
        set_text(&r->text, NULL);
        changed = true;
    }
    return changed;
}

void reminders_tick(struct fl_corr *c, struct fl_step *s)
{
    if (!c->reminders_moved && (!c->remind_due || c->remind_due > s->at))
        return;
    c->reminders_moved = false;
    c->remind_due = 0;
    memset(c->reminded, 0, sizeof c->reminded);
    silences_remind(c, s);
    windows_remind(c, s);
}

/* Other reminders: all begin anew. Other rules with the same ones: nothing changes. */
static uint64_t reminders_of(const struct fl_rules *rules)
{
    uint64_t h = FL_FNV1A_INIT;
    for (size_t k = 0; k < rules->n_reminders; k++) {
        const struct fl_reminder_rule *r = &rules->reminders[k];
        const int64_t v[] = {(int64_t)k, r->severity, r->alerts, r->lasts, r->ends_within, r->every};
        h = fl_fnv1a(h, v, sizeof v);
    }
    return h;
}

void reminders_rules(struct fl_corr *c, const struct fl_rules *rules)
{
    uint64_t now = reminders_of(rules);
    if (now == c->reminders_seen)
        return;
    c->reminders_seen = now;
    silences_remind_again(c);
    windows_remind_again(c);
}

/* ---- snapshot ---- */

void remind_write(struct fl_jw *w, const struct remind *r)
{
    size_t n = FL_ARRAY_LEN(r->at);
    while (n && !r->at[n - 1].since && !r->at[n - 1].told)
        n--;
    if (!n && !r->times)
        return;
    fl_jw_arr(w, "remind");
    fl_jw_int(w, NULL, (int64_t)r->times);
    fl_jw_int(w, NULL, r->told_at);
    fl_jw_str(w, NULL, r->text);
    for (size_t k = 0; k < n; k++) {
        fl_jw_int(w, NULL, r->at[k].since);
        fl_jw_int(w, NULL, r->at[k].told);
    }
    fl_jw_arr_end(w);
}

void remind_read(struct remind *r, const struct fl_json *v)
{
    r->times = (uint64_t)fl_json_number(fl_json_at(v, 0), 0);
    r->told_at = (fl_usec)fl_json_number(fl_json_at(v, 1), 0);
    set_text(&r->text, fl_json_string(fl_json_at(v, 2)));
    for (size_t k = 0; k < FL_ARRAY_LEN(r->at); k++) {
        r->at[k].since = (fl_usec)fl_json_number(fl_json_at(v, 3 + 2 * k), 0);
        r->at[k].told = (fl_usec)fl_json_number(fl_json_at(v, 4 + 2 * k), 0);
    }
}

void reminders_write(const struct fl_corr *c, struct fl_jw *w)
{
    fl_jw_arr(w, "reminders");
    fl_jw_int(w, NULL, c->remind_due);
    for (unsigned k = 0; k < FL_ARRAY_LEN(c->reminded); k++) {
        fl_jw_int(w, NULL, (int64_t)c->reminded[k]);
        fl_jw_int(w, NULL, (int64_t)c->stats.reminders[k]);
    }
    fl_jw_arr_end(w);
}

/* How much is hidden follows from the episodes. A snapshot of before reminders has none: all are looked at. */
void reminders_read(struct fl_corr *c, const struct fl_rules *rules, const struct fl_json *v)
{
    c->reminders_seen = reminders_of(rules);
    for (const struct episode *e = order_first(c); e; e = order_later(e))
        count(c, e, true);
    c->reminders_moved = !v;
    c->remind_due = (fl_usec)fl_json_number(fl_json_at(v, 0), 0);
    for (unsigned k = 0; k < FL_ARRAY_LEN(c->reminded); k++) {
        c->reminded[k] = (size_t)fl_json_number(fl_json_at(v, 1 + 2 * k), 0);
        c->stats.reminders[k] = (uint64_t)fl_json_number(fl_json_at(v, 2 + 2 * k), 0);
    }
}
