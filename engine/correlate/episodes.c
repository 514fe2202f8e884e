/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/episodes.c -- reports of alerts become episodes (fingerprint, startsAt) and change state. */
#include "correlate_priv.h"

#include <faultline/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- mapping labels to a component ---- */

enum { TRIES_TOLD = 4, NAME_TOLD = 100 };

/* Names that rules find and that are no components: what an unmapped alert is told about. */
static void tell_try(struct tries *t, const struct fl_mapping_rule *rule, const char *node)
{
    if (++t->n > TRIES_TOLD)
        return;
    fl_buf_str(&t->text, t->n == 1 ? ": rule \"" : ", rule \"");
    fl_buf_add(&t->text, rule->name, strnlen(rule->name, NAME_TOLD));
    fl_buf_str(&t->text, "\" finds \"");
    fl_buf_str(&t->text, node);
    fl_buf_chr(&t->text, '"');
}

static void tries_reset(struct tries *t, const struct episode *of)
{
    fl_buf_reset(&t->text);
    t->n = 0;
    t->of = of;
}

struct map_try {
    struct fl_corr *c;
    struct fl_topo *topo;
    struct episode *e;
};

static bool accept_node(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    struct map_try *m = ctx;
    fl_vertex v = m->topo ? fl_topo_find(m->topo, node) : -1;
    if (v < 0) {
        tell_try(&m->c->tries, rule, node);
        return false;
    }
    m->e->node = v;
    episode_text(m->c, &m->e->node_id, fl_topo_node(m->topo, v)->id);
    episode_text(m->c, &m->e->map_rule, rule->name);
    fl_vertex p = peer && *peer ? fl_topo_find(m->topo, peer) : -1;
    m->e->peer = p;
    episode_text(m->c, &m->e->peer_id, p >= 0 ? fl_topo_node(m->topo, p)->id : NULL);
    return true;
}

void episode_map(struct fl_corr *c, struct episode *e, const struct fl_rules *rules, struct fl_topo *topo)
{
    e->node = e->peer = -1;
    episode_text(c, &e->node_id, NULL);
    episode_text(c, &e->peer_id, NULL);
    episode_text(c, &e->map_rule, NULL);
    struct map_try m = {c, topo, e};
    tries_reset(&c->tries, e);
    (void)fl_rules_map(rules, e->alert, accept_node, &m);
    e->cls = grade_class(c, rules, e->alert);
    remind_leaves(c, e);
    e->severity = fl_rules_severity(rules, e->alert);
    remind_is(c, e);
}

/* ---- the row, with the alert's path so far in words ---- */

/* One more than is told is enough to say that there are more. */
static bool nowhere(void *ctx, const struct fl_mapping_rule *rule, const char *node, const char *peer)
{
    struct tries *t = ctx;
    (void)peer;
    tell_try(t, rule, node);
    return t->n > TRIES_TOLD;
}

/* What episode_map() found just now is used; of an older episode it is found out again. */
static void why_unmapped(struct fl_corr *c, struct fl_buf *line, const struct fl_step *s,
                         const struct episode *e)
{
    struct tries *t = &c->tries;
    if (t->of != e) {
        tries_reset(t, e);
        (void)fl_rules_map(s->rules, e->alert, nowhere, t);
    }
    t->of = NULL;
    fl_buf_str(line, "matches no component of the topology");
    if (!t->n) {
        fl_buf_printf(line, ": none of the %zu mapping rules finds a name in it", s->rules->n_mapping);
        return;
    }
    fl_buf_add(line, t->text.p, t->text.n);
    fl_buf_str(line, t->n > TRIES_TOLD ? " and more, which " : ", which ");
    fl_buf_str(line, t->n == 1 ? "is not there" : "are not there");
}

static void why_mapped(struct fl_buf *line, const struct episode *e)
{
    fl_buf_str(line, "mapped to component ");
    fl_buf_add(line, e->node_id, strnlen(e->node_id, 300));
    fl_buf_str(line, " by rule \"");
    fl_buf_add(line, e->map_rule, strnlen(e->map_rule, NAME_TOLD));
    fl_buf_chr(line, '"');
}

static void why_json(struct fl_corr *c, struct fl_jw *w, const struct fl_step *s, const struct episode *e)
{
    struct fl_buf *line = &c->line;
    fl_jw_arr(w, NULL);
    fl_buf_reset(line);
    fl_buf_str(line, "accepted from ");
    fl_buf_str(line, e->source ? e->source : "an unknown source");
    fl_jw_strn(w, NULL, line->p, line->n);
    fl_buf_reset(line);
    if (e->node_id)
        why_mapped(line, e);
    else
        why_unmapped(c, line, s, e);
    fl_jw_strn(w, NULL, line->p, line->n);
    FL_REQUIRE(!line->failed);
    if (e->quiet)
        fl_jw_str(w, NULL, e->quiet);
    if (e->hold && e->hold->flap)
        fl_jw_str(w, NULL, e->hold->flap);
    if (e->joined)
        fl_jw_str(w, NULL, e->joined);
    if (e->status == FL_ALERT_STALE)
        fl_jw_str(w, NULL, "its sender fell silent: stale, not resolved");
    fl_jw_arr_end(w);
}

/* "a,b" as ["a","b"]: ids need no escapes. */
static const char *id_list(struct fl_step *s, const char *ids)
{
    if (!ids || !*ids)
        return "[]";
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_chr(&b, '[');
    while (*ids) {
        size_t n = strcspn(ids, ",");
        fl_buf_printf(&b, "\"%.*s\"%s", (int)n, ids, ids[n] ? "," : "");
        ids += n + (ids[n] == ',');
    }
    fl_buf_chr(&b, ']');
    return fl_fx_str(s->fx, b.p);
}

/* Silences and the maintenance window: to Alertmanager's clients they are the same. */
static const char *silencers(struct fl_step *s, const struct episode *e)
{
    const char *window = e->hold ? e->hold->window : NULL;
    if (!window || !e->silenced_by)
        return id_list(s, window ? window : e->silenced_by);
    return id_list(s, fl_fx_printf(s->fx, "%s,%s", e->silenced_by, window));
}

static const char *why_text(struct fl_corr *c, struct fl_step *s, const struct episode *e)
{
    fl_buf_reset(&c->why);
    struct fl_jw w = fl_jw_init(&c->why);
    why_json(c, &w, s, e);
    FL_REQUIRE(!c->why.failed);
    return fl_fx_str(s->fx, c->why.p);
}

static void write_row(struct fl_corr *c, struct fl_step *s, struct episode *e, bool only_state)
{
    static const struct fl_labels none;
    e->updated_at = s->at;
    char hex[17] = "";
    if (e->inhibited_by)
        fl_fingerprint_hex(e->inhibited_by, hex);
    const char *why = only_state ? fl_fx_str(s->fx, NULL) : why_text(c, s, e);
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_ALERT);
    bool same = e->row == ROW_SAME;
    fx->alert = (struct fl_alert_row){
        .fingerprint = e->key.fingerprint,
        .starts_at = e->key.starts_at,
        .ends_at = e->alert->ends_at,
        .received_at = e->alert->received_at,
        .updated_at = s->at,
        .status = e->status,
        .labels = fl_fx_labels(s->fx, same ? &none : &e->alert->labels),
        .annotations = fl_fx_labels(s->fx, same ? &none : &e->alert->annotations),
        .generator_url = fl_fx_str(s->fx, same ? "" : e->alert->generator_url),
        .source = fl_fx_str(s->fx, e->source),
        .severity = e->severity,
        .cls = e->cls,
        .node = fl_fx_str(s->fx, e->node_id),
        .map_rule = fl_fx_str(s->fx, e->map_rule),
        .incident = fl_fx_str(s->fx, e->incident ? e->incident->pub.id : NULL),
        .why = why,
        .silenced_by = silencers(s, e),
        .inhibited_by = id_list(s, hex),
        .quiet = fl_fx_str(s->fx, hold_word(e)),
        .kept_by = fl_fx_str(s->fx, e->kept_by),
        .kept_why = fl_fx_str(s->fx, e->quiet),
        .kept = is_suppressed(e),
        .is_new = e->row == ROW_NONE,
        .same_texts = same,
        .only_state = only_state};
    e->row = ROW_SAME;
}

void episode_row(struct fl_corr *c, struct fl_step *s, struct episode *e)
{
    write_row(c, s, e, false);
}

/* ---- the index ---- */

static const void *key_of(const void *item)
{
    return &((const struct episode *)item)->key;
}

uint64_t ep_key_hash(const void *key)
{
    return fl_keyed_hash(key, sizeof(struct ep_key));
}

bool ep_key_same(const void *a, const void *b)
{
    const struct ep_key *x = a, *y = b;
    return x->fingerprint == y->fingerprint && x->starts_at == y->starts_at;
}

static const void *fingerprint_of(const void *item)
{
    return &((const struct episode *)item)->key.fingerprint;
}

static uint64_t hash_fingerprint(const void *key)
{
    return fl_keyed_hash(key, sizeof(uint64_t));
}

static bool same_fingerprint(const void *a, const void *b)
{
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

const struct table_kind episodes_by_key = {key_of, ep_key_hash, ep_key_same};
const struct table_kind episodes_by_fingerprint = {fingerprint_of, hash_fingerprint, same_fingerprint};

struct episode *episode_find(const struct fl_corr *c, const struct ep_key *key)
{
    return table_find(&c->by_key, key);
}

static void take_off(struct fl_corr *c, struct episode *e)
{
    cursors_leave(c, e);
    order_remove(c, e);
}

void episode_insert(struct fl_corr *c, struct episode *e)
{
    order_append(c, e);
    table_put(&c->by_key, e);
    table_put(&c->newest, e);
}

static void free_content(struct fl_corr *c, struct episode *e)
{
    const char *texts[] = {e->node_id, e->peer_id,     e->map_rule, e->source,
                           e->joined,  e->silenced_by, e->quiet,    e->kept_by};
    for (size_t k = 0; k < FL_ARRAY_LEN(texts); k++)
        fl_pool_drop(c->pool, texts[k]);
    fl_pool_drop_alert(c->pool, e->alert);
    free(e);
}

void episode_free(struct fl_corr *c, struct episode *e)
{
    pair_drop(c, e);
    quiet_leave(c, e);
    hold_free(c, e);
    settle_not(c, e);
    take_off(c, e);
    table_drop(&c->by_key, &e->key);
    if (table_find(&c->newest, &e->key.fingerprint) == e)
        table_drop(&c->newest, &e->key.fingerprint);
    free_content(c, e);
}

static struct episode *newest_of(struct fl_corr *c, uint64_t fingerprint)
{
    return table_find(&c->newest, &fingerprint);
}

/* The episode that any report of this fingerprint belongs to, whatever start it names. What a person closed by hand is
 * not revived by another start. */
static struct episode *live_of(struct fl_corr *c, uint64_t fingerprint)
{
    struct episode *e = newest_of(c, fingerprint);
    return e && is_live(e) && (!e->incident || is_active(e->incident)) ? e : NULL;
}

/* The episode with this very start. */
static struct episode *find(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at)
{
    struct episode *e = episode_find(c, &(struct ep_key){fingerprint, starts_at});
    if (e)
        return e;
    e = newest_of(c, fingerprint);
    return e && pair_has(c, e, starts_at) ? e : NULL;
}

/* The episode that a report is about; NULL: a new one, or one that is over. */
static struct episode *episode_of(struct fl_corr *c, const struct fl_alert *a)
{
    struct episode *e = a->starts_guessed ? newest_of(c, a->fingerprint)
                                          : find(c, a->fingerprint, a->starts_at);
    if (a->starts_guessed)
        return e && is_live(e) ? e : NULL;
    if (e || tomb_has(c, a->fingerprint, a->starts_at))
        return e;
    e = live_of(c, a->fingerprint);
    return e && (a->status == FL_ALERT_FIRING || pair_overlaps(c, e, a)) ? e : NULL;
}

static bool same_labels(const struct fl_labels *a, const struct fl_labels *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->v[i].name, b->v[i].name) != 0 || strcmp(a->v[i].value, b->v[i].value) != 0)
            return false;
    return true;
}

/* ---- reports ---- */

/* Annotations may carry the severity (a Nagios WARNING that became CRITICAL keeps its labels). The component does
 * not move: an alert that changed places would take its incident along. */
static void regrade(struct fl_corr *c, struct fl_step *s, struct episode *e)
{
    e->cls = grade_class(c, s->rules, e->alert);
    remind_leaves(c, e);
    e->severity = fl_rules_severity(s->rules, e->alert);
    remind_is(c, e);
    struct incident *i = e->incident;
    if (i && e->severity > i->pub.severity) {
        i->pub.severity = e->severity;
        incident_touch(c, i, s);
    }
}

static void take_content(struct fl_corr *c, struct episode *e, const struct fl_alert *a)
{
    struct fl_alert merged = *a;
    struct fl_alert *old = e->alert;
    /* A resolved report often comes without annotations: the earlier ones are still the best we know. */
    if (!a->annotations.n)
        merged.annotations = old->annotations;
    if (!*a->generator_url)
        merged.generator_url = old->generator_url;
    merged.starts_at = e->key.starts_at;
    if (strcmp(merged.generator_url, old->generator_url) == 0 && same_labels(&merged.labels, &old->labels) &&
        same_labels(&merged.annotations, &old->annotations)) {
        merged.labels = old->labels;
        merged.annotations = old->annotations;
        merged.generator_url = old->generator_url;
        *old = merged;
        return;
    }
    e->alert = fl_pool_alert(c->pool, &merged);
    order_labels(e); /* two label sets may have one fingerprint */
    fl_pool_drop_alert(c->pool, old);
    c->tries.of = NULL;
    if (e->row == ROW_SAME)
        e->row = ROW_OTHER;
}

/* It is over and leaves memory at once. */
static void pass(struct fl_corr *c, struct fl_step *s, const struct episode *e)
{
    bury(c, s, e);
    passed_add(c, e->key.fingerprint, e->key.starts_at, e->alert->ends_at, s->at + TOMB_TIME);
}

struct episode *episode_make(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                             const struct fl_alert *a)
{
    struct episode *e = fl_core_alloc(1, sizeof *e);
    struct half over;
    bool again = passed_returns(c, a, &over);
    struct fl_alert content = *a;
    if (again) {
        content.starts_at = over.starts_at;
        e->row = ROW_OTHER;
    }
    e->key = (struct ep_key){a->fingerprint, content.starts_at};
    e->alert = fl_pool_alert(c->pool, &content);
    e->status = a->status;
    episode_text(c, &e->source, source);
    episode_map(c, e, s->rules, topo);
    if (again)
        pair_again(c, e, &over, a->starts_at);
    c->stats.episodes += !again;
    c->stats.unmapped += !e->node_id;
    return e;
}

void episode_fresh(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                   const struct fl_alert *a)
{
    struct episode *e = episode_make(c, s, topo, source, a);
    if (e->status == FL_ALERT_RESOLVED) {
        episode_text(c, &e->joined, "reported as resolved before it was ever seen firing: joins no incident");
        episode_row(c, s, e);
        pass(c, s, e);
        free_content(c, e);
        return;
    }
    episode_insert(c, e);
    quiet_enter(c, s->rules, e);
    suppress_new(c, s, topo, e);
    flap_fired(c, s, e);
    team_alert(c, e);
    episode_row(c, s, e);
}

/* Nothing ever kept it quiet: all that its row says of its way is how it came into its incident. Of an alert without a
 * component the row says which names were tried, and other rules or another graph make that old (remap.c). */
static bool is_plain(const struct episode *e)
{
    return e->row == ROW_SAME && e->incident && e->node_id && !e->hold && !e->quiet && !e->silenced_by &&
           !e->inhibited_by;
}

/* When many end at once, the timeline tells the first ones and counts the others (fl_corr_flush). */
static void tell_change(struct fl_step *s, struct episode *e, const char *word)
{
    if (!e->incident || (e->status == FL_ALERT_RESOLVED && ++e->incident->over_now > JOINS_TOLD))
        return;
    const char *name = fl_label_get(&e->alert->labels, "alertname");
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                 .action = "alert.changed",
                                 .incident = e->incident->pub.id,
                                 .subject = "alert",
                                 .text = FL_FX_CAT(s->fx, *name ? name : "alert", e->node_id ? " on " : "",
                                                   e->node_id ? e->node_id : "", " ", word)});
}

static void change_status(struct fl_corr *c, struct fl_step *s, struct episode *e, fl_alert_status to,
                          const char *word)
{
    fl_alert_status before = e->status;
    bool plain = is_plain(e) && before == FL_ALERT_FIRING && to == FL_ALERT_RESOLVED;
    remind_leaves(c, e);
    e->status = to;
    remind_is(c, e);
    tell_change(s, e, word);
    quiet_changed(c, e, before);
    bool held = !e->incident;
    if (to == FL_ALERT_RESOLVED) {
        quiet_leave(c, e);
        settle_not(c, e);
        if (held)
            episode_text(c, &e->joined, "resolved while it was kept out: joins no incident");
    }
    incident_episode_changed(c, s, e, before);
    write_row(c, s, e, plain && is_plain(e));
    if (to != FL_ALERT_RESOLVED)
        return;
    if (!held) {
        bury(c, s, e);
        return;
    }
    c->held--;
    pass(c, s, e);
    episode_free(c, e);
}

struct episode *episode_newest(struct fl_corr *c, uint64_t fingerprint)
{
    return newest_of(c, fingerprint);
}

void episode_over(struct fl_corr *c, struct fl_step *s, struct episode *e, fl_usec ends_at)
{
    e->alert->ends_at = ends_at;
    change_status(c, s, e, FL_ALERT_RESOLVED, "resolved");
}

void episode_reported_again(struct fl_corr *c, struct fl_step *s, struct episode *e)
{
    change_status(c, s, e, FL_ALERT_FIRING, "is reported again: firing");
}

/* One half of a pair says that it is over, the other does not. */
static bool still_fires(struct fl_step *s, const struct episode *e)
{
    const char *name = fl_label_get(&e->alert->labels, "alertname");
    if (e->incident)
        s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                     .action = "alert.changed",
                                     .incident = e->incident->pub.id,
                                     .subject = "alert",
                                     .text = fl_fx_printf(
                                         s->fx, "%s%s%s: one sender says resolved, another still reports it",
                                         *name ? name : "alert", e->node_id ? " on " : "",
                                         e->node_id ? e->node_id : "")});
    return false;
}

static bool resolves(struct fl_corr *c, struct fl_step *s, struct episode *e, const char *source,
                     const struct fl_alert *a)
{
    fl_usec ended;
    if (e->status == FL_ALERT_RESOLVED || pair_settled(c, e, a) || flap_waits(c, a->fingerprint, &ended))
        return true;
    fl_alert_status to = pair_report(c, e, source, a, s->at);
    if (to == e->status)
        return still_fires(s, e);
    if (to == FL_ALERT_RESOLVED && flap_resolved(c, s, e, a->ends_at)) {
        if (!pair_of(c, e))
            tomb_now(c, e->key.fingerprint, e->key.starts_at, s->at);
        episode_row(c, s, e);
        return false;
    }
    take_content(c, e, a);
    change_status(c, s, e, to, to == FL_ALERT_RESOLVED ? "resolved" : "is stale: its sender fell silent");
    return false;
}

/* A report that it fires, of an episode that does or is stale. @return true when it says nothing new. */
static bool fires(struct fl_corr *c, struct fl_step *s, struct episode *e, const struct fl_alert *a)
{
    bool same = same_labels(&a->annotations, &e->alert->annotations) &&
                strcmp(a->generator_url, e->alert->generator_url) == 0;
    if (!same) {
        take_content(c, e, a);
        regrade(c, s, e);
    }
    if (e->status == FL_ALERT_STALE) {
        episode_reported_again(c, s, e);
        return false;
    }
    if (!same)
        episode_row(c, s, e);
    return same;
}

/* The episode that is over and turns out not to be when a start of its time fires; NULL: there is none, or its incident stays
 * over. */
static struct episode *over_of(struct fl_corr *c, const struct fl_step *s, const struct fl_alert *a)
{
    struct episode *e = newest_of(c, a->fingerprint);
    if (!e || is_live(e) || !e->incident)
        return NULL;
    if (!is_active(e->incident) && !incident_can_reopen(e->incident, s->at))
        return NULL;
    return a->starts_at < e->alert->ends_at || fl_same_start(a->starts_at, e->key.starts_at) ? e : NULL;
}

static const char *never_stopped(struct fl_step *s, const struct episode *e, const struct fl_alert *a)
{
    char t[FL_TIME_LEN];
    const char *name = fl_label_get(&e->alert->labels, "alertname");
    return FL_FX_CAT(s->fx, *name ? name : "alert", e->node_id ? " on " : "", e->node_id ? e->node_id : "",
                     ": one sender said resolved, another still reports it, firing since ",
                     fl_time_format_ms(a->starts_at, t));
}

/* One half of a pair ended the episode, and the other one still fires: it is the same outage, in the same incident, which
 * was waiting for just that or is over already. @param told  the start was over, else it is heard for the first time. */
static bool returns(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                    const struct fl_alert *a, bool told)
{
    struct episode *e = a->status == FL_ALERT_FIRING ? over_of(c, s, a) : NULL;
    if (!e)
        return false;
    if (told)
        pair_goes_on(c, e, source, a, s->at);
    else
        (void)pair_report(c, e, source, a, s->at);
    bool over = !is_active(e->incident);
    if (over)
        incident_reopen(c, s, e->incident, never_stopped(s, e, a));
    take_content(c, e, a);
    take_off(c, e); /* last in the order of arrival again: as whom it inhibits sees it */
    order_append(c, e);
    quiet_enter(c, s->rules, e);
    change_status(c, s, e, FL_ALERT_FIRING,
                  told ? "is still reported by another sender: firing"
                       : "is reported by another sender: firing");
    settle_later(c, e);
    if (over)
        join_reopened(c, s, topo, e);
    return true;
}

/* A firing report of a start that is over: late, of a time before its end was heard; or, long after that, of a sender that
 * never saw the end. @return true when it changed nothing. */
static bool fires_on(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                     const struct fl_alert *a)
{
    bool late = !told_on(c, s->at, a);
    struct episode *e = late ? NULL : live_of(c, a->fingerprint);
    if (e) {
        pair_goes_on(c, e, source, a, s->at);
        return fires(c, s, e, a);
    }
    if (!late && returns(c, s, topo, source, a, true))
        return false;
    if (!late && episode_anew(c, s, topo, source, a))
        return false;
    if (!late && !newest_of(c, a->fingerprint) && passed_holds(c, a)) {
        episode_fresh(c, s, topo, source, a);
        return false;
    }
    c->stats.late++;
    return true;
}

static bool known(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e,
                  const char *source, const struct fl_alert *a)
{
    if (a->status == FL_ALERT_RESOLVED)
        return resolves(c, s, e, source, a);
    if (e->status == FL_ALERT_RESOLVED || pair_settled(c, e, a))
        return fires_on(c, s, topo, source, a);
    (void)pair_report(c, e, source, a, s->at); /* somebody says that it fires: it does */
    return fires(c, s, e, a);
}

/* The resolve of a start that nobody reported as firing, of a time when the other half of the pair did. */
static bool already_over(struct fl_corr *c, struct fl_step *s, const struct fl_alert *a)
{
    if (a->status != FL_ALERT_RESOLVED || a->starts_guessed)
        return false;
    const struct episode *e = newest_of(c, a->fingerprint);
    bool over = (e && !is_live(e) && pair_overlaps(c, e, a)) || passed_overlaps(c, a);
    if (over)
        tomb_now(c, a->fingerprint, a->starts_at, s->at);
    return over;
}

/* @return true when it changed nothing. */
static bool report(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                   const struct fl_alert *a)
{
    bool same = false;
    if (refires(c, s, topo, source, a, &same))
        return same;
    struct episode *e = episode_of(c, a);
    if (e)
        return known(c, s, topo, e, source, a);
    if (!a->starts_guessed && tomb_has(c, a->fingerprint, a->starts_at))
        return a->status != FL_ALERT_FIRING || fires_on(c, s, topo, source, a);
    if (returns(c, s, topo, source, a, false))
        return false;
    if (already_over(c, s, a))
        return true;
    episode_fresh(c, s, topo, source, a);
    return false;
}

size_t fl_corr_alerts(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *source,
                      const struct fl_alert *alerts, size_t n)
{
    size_t repeats = 0;
    quiet_rules(c, s->rules);
    /* Who inhibits comes before whom it inhibits, whatever the order in the body. */
    bool two_rounds = s->rules->n_inhibitions > 0;
    for (int round = two_rounds ? 0 : 1; round < 2; round++)
        for (size_t i = 0; i < n; i++) {
            bool first = two_rounds && alerts[i].status == FL_ALERT_FIRING &&
                         inhibit_is_source(s->rules, &alerts[i].labels);
            if (first == !round)
                repeats += report(c, s, topo, source, &alerts[i]);
        }
    c->stats.repeats += repeats;
    return repeats;
}

void fl_corr_expired(struct fl_corr *c, struct fl_step *s, uint64_t fingerprint, fl_usec starts_at)
{
    struct episode *e = find(c, fingerprint, starts_at);
    fl_usec end = 0;
    if (!e || e->status != FL_ALERT_FIRING || flap_waits(c, fingerprint, &end))
        return;
    fl_alert_status to = pair_silent(c, e, starts_at, &end);
    if (to == FL_ALERT_RESOLVED) {
        e->alert->ends_at = end;
        change_status(c, s, e, to, "is resolved: one sender said so, the other fell silent");
    } else if (to == FL_ALERT_STALE) {
        change_status(c, s, e, to, "is stale: its sender fell silent");
    }
}
