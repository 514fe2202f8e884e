/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/suppress.c -- what being quiet means for an episode, whatever the reason: a new one is kept out of
 * incidents until nothing keeps it any more, one that is in an incident stays there and is shown as hidden. */
#include "correlate_priv.h"

#include <stdlib.h>
#include <string.h>

const char *alert_name(const struct episode *e)
{
    const char *name = fl_label_get(&e->alert->labels, "alertname");
    return *name ? name : "alert";
}

/* ---- the indexes ---- */

void quiet_enter(struct fl_corr *c, const struct fl_rules *rules, struct episode *e)
{
    inhibit_enter(c, rules, e);
    upstream_enter(c, rules, e);
    gate_enter(c, rules, e);
}

void quiet_changed(struct fl_corr *c, struct episode *e, fl_alert_status before)
{
    inhibit_changed(c, e, before);
    upstream_changed(c, e, before);
    /* It counts for its threshold again. */
    if (e->status == FL_ALERT_FIRING && e->hold && e->hold->kind == HOLD_THRESHOLD)
        settle_later(c, e);
}

void quiet_leave(struct fl_corr *c, struct episode *e)
{
    inhibit_leave(c, e);
    upstream_leave(c, e);
    gate_leave(c, e);
}

void quiet_index(struct fl_corr *c, const struct fl_rules *rules)
{
    for (struct episode *e = order_first(c); e; e = order_later(e))
        quiet_leave(c, e);
    for (struct episode *e = order_first(c); e; e = order_later(e))
        if (is_live(e))
            quiet_enter(c, rules, e);
    c->rules_seen = rules->hash;
}

void quiet_rules(struct fl_corr *c, const struct fl_rules *rules)
{
    if (memcmp(&c->rules_seen, &rules->hash, sizeof rules->hash) == 0)
        return;
    upstream_forget_graph(c);
    windows_rules(c, rules);
    reminders_rules(c, rules);
    quiet_index(c, rules);
    due_rules(c);
    for (struct episode *e = order_first(c); e; e = order_later(e))
        if (is_live(e) && (e->roles || e->inhibited_by || e->hold))
            settle_later(c, e);
}

/* ---- the state of one episode ---- */

struct verdict {
    char *ids;          /* owned; silences */
    const char *window; /* id of the maintenance window */
    uint64_t by;        /* fingerprint that inhibits it; 0 = none */
    enum hold_kind kind;
    fl_usec until;    /* of the hold */
    const char *text; /* NULL: nothing keeps it quiet */
    const char *name; /* kind and name of what the text speaks of */
};

/* The alert that says that a sender lives says nothing is wrong. The one that says a sender is silent is never taken for
 * one. */
static const char *sign_of_life(struct fl_step *s, const struct episode *e, const char **ret_name)
{
    const struct fl_heartbeat_rule *r = fl_streq(e->source, "heartbeat")
                                            ? NULL
                                            : fl_rules_heartbeat(s->rules, &e->alert->labels);
    if (!r)
        return NULL;
    *ret_name = fl_fx_printf(s->fx, "heartbeat %.64s", r->name);
    return fl_fx_printf(s->fx, "sign of life of heartbeat rule \"%.64s\"", r->name);
}

/* What hides it, whether it is in an incident or not. */
static void judge_hidden(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                         struct verdict *v)
{
    const struct episode *by = NULL;
    const char *rule = NULL, *why = NULL, *name = NULL;
    v->ids = silence_ids(c, s, e, &v->text);
    if (v->ids)
        v->name = fl_fx_printf(s->fx, "silence %.*s", (int)strcspn(v->ids, ","), v->ids);
    v->window = window_hides(c, s, topo, e, &why);
    if (!v->text && v->window) {
        v->text = why;
        v->name = fl_fx_printf(s->fx, "maintenance %s", v->window);
    }
    if (inhibit_find(c, s, e, &by, &rule)) {
        char since[FL_TIME_LEN], hex[17];
        v->by = by->key.fingerprint;
        why = fl_fx_printf(
            s->fx,
            "inhibited by rule \"%.100s\", because %.200s%s%.200s fires since %s (%s), until that is over",
            rule, alert_name(by), by->node_id ? " on " : "", by->node_id ? by->node_id : "",
            fl_time_format_ms(by->key.starts_at, since), fl_fingerprint_hex(v->by, hex));
        name = fl_fx_printf(s->fx, "inhibition %.100s", rule);
    } else {
        why = upstream_inhibits(c, s, topo, e, &v->by, &name);
    }
    if (!v->text && v->by) {
        v->text = why;
        v->name = name;
    }
}

static void judge(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                  struct verdict *v)
{
    judge_hidden(c, s, topo, e, v);
    if (v->text || e->incident)
        return;
    v->kind = HOLD_LIFE;
    v->text = sign_of_life(s, e, &v->name);
    if (!v->text) {
        v->kind = HOLD_UPSTREAM;
        v->text = upstream_holds(c, s, topo, e, &v->until, &v->name);
    }
    if (!v->text) {
        v->kind = HOLD_THRESHOLD;
        v->text = threshold_holds(c, s, e, &v->name);
    }
    if (!v->text) {
        gate_passed(e);
        v->kind = HOLD_GROUP;
        v->text = grouping_holds(c, s, topo, e, &v->until, &v->name);
    }
    if (!v->text)
        v->kind = HOLD_NONE;
}

/* Since when, as told last: the time in "…: since T kept out of incidents". NULL: not told. */
static const char *since_when(const char *quiet, size_t *ret_n)
{
    static const char mark[] = ": since ";
    const char *found = NULL;
    for (const char *p = quiet; p && (p = strstr(p, mark)) != NULL; p++)
        found = p + sizeof mark - 1;
    *ret_n = found ? strcspn(found, " ") : 0;
    return found;
}

/* The time stays while the same thing keeps it quiet. */
static const char *told(struct fl_step *s, const struct episode *e, const struct verdict *v)
{
    char now[FL_TIME_LEN];
    size_t n;
    const char *since = since_when(e->quiet, &n);
    fl_time_format_ms(s->at, now);
    if (!v->text)
        return fl_fx_printf(s->fx, "until %s %s", now, e->quiet ? e->quiet : "suppressed");
    if (!since || !is_suppressed(e) || !fl_streq(v->name, e->kept_by)) {
        since = now;
        n = strlen(now);
    }
    return fl_fx_printf(s->fx, "%s: since %.*s %s", v->text, (int)n, since,
                        e->incident ? "it stays in its incident" : "kept out of incidents");
}

/* What it is told in, and what people read. A hold that ends stays as it is until the alert has joined: gate_join()
 * looks at it. @return whether anything changed. */
static bool find_suppression(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                             bool *ret_quiet)
{
    struct verdict v = {0};
    bool was = is_suppressed(e);
    judge(c, s, topo, e, &v);
    /* The same silence, but it was given another end or another comment. */
    const char *text = v.text || was ? told(s, e, &v) : NULL;
    bool edited = was && v.ids && !fl_streq(text, e->quiet);
    bool changed = edited || !fl_streq(v.ids, e->silenced_by) ||
                   !fl_streq(v.window, e->hold ? e->hold->window : NULL) || v.by != e->inhibited_by ||
                   was != (v.text != NULL);
    remind_leaves(c, e);
    episode_text(c, &e->silenced_by, v.ids);
    free(v.ids);
    if (v.window || (e->hold && e->hold->window))
        set_text(&hold_of(e)->window, v.window);
    remind_is(c, e);
    e->inhibited_by = v.by;
    if (v.text || e->incident)
        changed |= hold_set(c, s->rules, s->at, e, v.kind, v.until);
    *ret_quiet = v.text != NULL;
    if (changed && text)
        episode_text(c, &e->quiet, text);
    if (changed && v.text)
        episode_text(c, &e->kept_by, v.name);
    return changed;
}

static void admit(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    gate_join(c, s, topo, e);
    hold_set(c, s->rules, s->at, e, HOLD_NONE, 0);
}

void suppress_new(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    bool quiet;
    find_suppression(c, s, topo, e, &quiet);
    if (quiet) {
        c->stats.suppressed++;
        c->held++;
    } else {
        admit(c, s, topo, e);
    }
}

static void tell(struct fl_step *s, struct episode *e, const char *action, const char *what)
{
    struct incident *i = e->incident;
    if (!i || ++i->quiet_now > JOINS_TOLD)
        return;
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                 .action = action,
                                 .incident = i->pub.id,
                                 .subject = "alert",
                                 .text = fl_fx_printf(s->fx, "%s%s%s: %s", alert_name(e),
                                                      e->node_id ? " on " : "", e->node_id ? e->node_id : "",
                                                      what)});
}

/* Nothing suppresses a held alert any more. */
static void release(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    c->held--;
    if (e->status == FL_ALERT_STALE) {
        /* Nobody vouches for it: no incident is opened on its account. A report makes it a new episode again. */
        episode_text(c, &e->joined,
                     "its sender fell silent meanwhile: joins no incident until it is reported again");
        hold_set(c, s->rules, s->at, e, HOLD_NONE, 0);
        episode_row(c, s, e);
        episode_free(c, e);
        return;
    }
    admit(c, s, topo, e);
    tell(s, e, "alert.released", e->quiet);
    episode_row(c, s, e);
}

static void settle(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    bool quiet;
    if (!is_live(e) || !find_suppression(c, s, topo, e, &quiet))
        return;
    if (!e->incident && !quiet) {
        release(c, s, topo, e);
        return;
    }
    if (e->incident) {
        tell(s, e,
             e->silenced_by || (e->hold && e->hold->window) ? "alert.silenced"
             : e->inhibited_by                              ? "alert.inhibited"
                                                            : "alert.released",
             e->quiet);
        incident_touch(c, e->incident, s);
    }
    episode_row(c, s, e);
}

/* ---- who is looked at in this step's tick ---- */

void settle_later(struct fl_corr *c, struct episode *e)
{
    if (e->settle)
        return;
    if (c->n_settle == c->settle_cap) {
        size_t cap = c->settle_cap ? c->settle_cap * 2 : 64;
        struct episode **v = reallocarray(c->settle, cap, sizeof *v);
        FL_REQUIRE(v != NULL && cap < UINT32_MAX);
        c->settle = v;
        c->settle_cap = cap;
    }
    c->settle[c->n_settle++] = e;
    e->settle = (uint32_t)c->n_settle;
}

void settle_not(struct fl_corr *c, struct episode *e)
{
    if (!e->settle)
        return;
    c->settle[e->settle - 1] = NULL;
    e->settle = 0;
}

void settle_nobody(struct fl_corr *c)
{
    for (size_t k = 0; k < c->n_settle; k++)
        if (c->settle[k])
            c->settle[k]->settle = 0;
    free(c->settle);
    c->settle = NULL;
    c->n_settle = c->settle_cap = 0;
}

void suppress_tick(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo)
{
    quiet_rules(c, s->rules);
    silences_on_time(c, s);
    windows_on_time(c, s, topo);
    flaps_on_time(c, s);
    holds_on_time(c, s->at);
    upstream_tick(c, s->rules, topo);
    /* Settling one may call for another: those come at the end. */
    for (size_t k = 0; k < c->n_settle; k++) {
        struct episode *e = c->settle[k];
        if (!e)
            continue;
        settle_not(c, e);
        settle(c, s, topo, e);
    }
    if (c->settle_cap)
        settle_nobody(c);
    reminders_tick(c, s);
}

fl_usec suppress_due(const struct fl_corr *c)
{
    const fl_usec due[] = {c->silence_due, c->window_due, flaps_due(c), holds_due(c), c->remind_due};
    fl_usec least = 0;
    for (size_t k = 0; k < FL_ARRAY_LEN(due); k++)
        if (due[k] && (!least || due[k] < least))
            least = due[k];
    return least;
}
