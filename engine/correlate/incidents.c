/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/incidents.c -- the incidents of a realm: open, grow, merge, forget, rows. */
#include "correlate_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fl_corr *fl_corr_new(void)
{
    struct fl_corr *c = fl_core_alloc(1, sizeof *c);
    c->next_number = 1;
    c->pool = fl_pool_new();
    c->by_key.kind = &episodes_by_key;
    c->newest.kind = &episodes_by_fingerprint;
    c->tombs_by_key.kind = &tombs_by_key;
    c->timers.kind = &holds_by_end;
    c->flaps_due.kind = &flaps_by_due;
    c->due.kind = &incidents_by_due;
    c->over.kind = &incidents_by_number;
    return c;
}

static void free_incident(struct incident *i)
{
    struct part *p, *tmp;
    HASH_ITER (hh, i->parts, p, tmp) {
        HASH_DEL(i->parts, p);
        free(p->id);
        free(p);
    }
    free(i->pub.title);
    free(i->pub.reason);
    free(i->pub.cause);
    free(i->pub.no_playbook);
    free(i->pub.acked_by);
    free(i->pub.assignee);
    free(i->pub.merged_into);
    free(i->group);
    free(i);
}

struct fl_corr *fl_corr_free(struct fl_corr *c)
{
    if (!c)
        return NULL;
    restore_free(c);
    for (struct episode *e; (e = order_first(c));)
        episode_free(c, e);
    silences_free(c);
    flaps_free(c);
    windows_free(c);
    pairs_free(c);
    settle_nobody(c);
    table_done(&c->by_key);
    table_done(&c->newest);
    fl_pool_free(c->pool);
    fl_buf_done(&c->tries.text);
    fl_buf_done(&c->line);
    fl_buf_done(&c->why);
    fl_buf_done(&c->group);
    grades_free(c);
    upstream_forget_graph(c);
    fl_heap_done(&c->timers);
    fl_heap_done(&c->due);
    fl_heap_done(&c->over);
    free(c->changed.v);
    HASH_CLEAR(hh_group, c->by_group);
    HASH_CLEAR(hh, c->by_id);
    for (struct incident *i = c->first, *next; i; i = next) {
        next = i->next;
        free_incident(i);
    }
    free(c->at);
    free(c->service_parts);
    free(c);
    return NULL;
}

/* Year of an instant, for the id that people say aloud. */
static int year_of(fl_usec at)
{
    char t[FL_TIME_LEN];
    fl_time_format(at ? at : 1, t);
    return atoi(t);
}

struct incident *incident_new(struct fl_corr *c, uint64_t number, int year)
{
    struct incident *i = fl_core_alloc(1, sizeof *i);
    i->pub.number = number;
    i->first_at = -1;
    snprintf(i->pub.id, sizeof i->pub.id, "INC-%04d-%06llu", year, (unsigned long long)number);
    HASH_ADD(hh, c->by_id, pub.id, strlen(i->pub.id), i);
    i->prev = c->last;
    if (c->last)
        c->last->next = i;
    else
        c->first = i;
    c->last = i;
    return i;
}

struct incident *incident_open(struct fl_corr *c, struct fl_step *s, const struct episode *first,
                               const char *group)
{
    struct incident *i = incident_new(c, c->next_number++, year_of(s->at));
    i->pub.opened_at = i->pub.updated_at = i->pub.last_alert_at = s->at;
    i->pub.mapped = first->node_id != NULL;
    i->pub.reason = fl_core_strdup("opened");
    incident_dirty(c, i);
    c->open++;
    if (group) {
        i->group = fl_core_strdup(group);
        struct incident *old;
        HASH_FIND(hh_group, c->by_group, group, strlen(group), old);
        if (old)
            HASH_DELETE(hh_group, c->by_group, old);
        HASH_ADD_KEYPTR(hh_group, c->by_group, i->group, strlen(i->group), i);
    }
    c->stats.opened++;
    team_incident(c, first);
    return i;
}

struct part *incident_part(struct incident *i, const char *id, fl_vertex v)
{
    struct part *p;
    HASH_FIND_STR(i->parts, id, p);
    if (!p) {
        p = fl_core_alloc(1, sizeof *p);
        p->id = fl_core_strdup(id);
        p->service = -1;
        HASH_ADD_KEYPTR(hh, i->parts, p->id, strlen(p->id), p);
        i->pub.components++;
    }
    p->vertex = v;
    return p;
}

void incident_title(struct incident *i)
{
    if (!i->head && i->pub.title && i->pub.state == FL_INC_RESOLVED)
        return; /* its only alert went on in another incident */
    FL_AUTO_BUF b = fl_buf_init(2048);
    size_t n = i->pub.alerts_total;
    if (i->pub.cause) {
        fl_buf_printf(&b, "%s: likely cause of %zu alert%s on %zu component%s", i->pub.cause, n,
                      n == 1 ? "" : "s", i->pub.components, i->pub.components == 1 ? "" : "s");
    } else {
        const struct episode *e = i->head;
        const char *name = e ? fl_label_get(&e->alert->labels, "alertname") : "";
        fl_buf_printf(&b, "%s%s%s", *name ? name : "alert", e && e->node_id ? " on " : "",
                      e && e->node_id ? e->node_id : "");
        if (n > 1)
            fl_buf_printf(&b, " and %zu more", n - 1);
    }
    if (!b.failed)
        set_text(&i->pub.title, b.p);
}

void incident_link(struct incident *i, struct episode *e)
{
    e->incident = i;
    e->next = NULL;
    e->prev = i->tail;
    if (i->tail)
        i->tail->next = e;
    else
        i->head = e;
    i->tail = e;
}

static void count(struct fl_corr *c, struct incident *i, const struct episode *e, int by)
{
    size_t d = (size_t)(ptrdiff_t)by, of_all = is_active(i) ? d : 0;
    if (e->status == FL_ALERT_FIRING) {
        i->pub.alerts_firing += d;
        c->firing += of_all;
    } else if (e->status == FL_ALERT_STALE) {
        i->pub.alerts_stale += d;
        c->stale += of_all;
    }
    if (e->node_id) {
        struct part *p = incident_part(i, e->node_id, e->node);
        if (is_live(e))
            part_count(c, i, p, by);
    }
}

void incident_add(struct fl_corr *c, struct fl_step *s, struct incident *i, struct episode *e)
{
    incident_link(i, e);
    i->pub.alerts_total++;
    count(c, i, e, 1);
    if (e->node_id) {
        incident_part(i, e->node_id, e->node)->total++;
        i->pub.mapped = true;
        vertex_set(c, e->node, i);
    }
    if (e->severity > i->pub.severity)
        i->pub.severity = e->severity;
    i->pub.last_alert_at = s->at;
    i->joined_now++;
    incident_touch(c, i, s);
    incident_event(c, s, i, IE_ALERT, NULL);
}

void incident_drop(struct fl_corr *c, struct incident *i, struct episode *e)
{
    count(c, i, e, -1);
    i->pub.alerts_total--;
    if (e->node_id) {
        struct part *p = incident_part(i, e->node_id, e->node);
        if (--p->total == 0) {
            HASH_DEL(i->parts, p);
            i->pub.components--;
            free(p->id);
            free(p);
        }
    }
    if (e->prev)
        e->prev->next = e->next;
    else
        i->head = e->next;
    if (e->next)
        e->next->prev = e->prev;
    else
        i->tail = e->prev;
    e->next = e->prev = NULL;
    e->incident = NULL;
}

void incident_replace(struct fl_corr *c, struct incident *i, struct episode *old, struct episode *e)
{
    struct episode *after = old->prev;
    incident_drop(c, i, old);
    e->incident = i;
    e->prev = after;
    e->next = after ? after->next : i->head;
    if (after)
        after->next = e;
    else
        i->head = e;
    if (e->next)
        e->next->prev = e;
    else
        i->tail = e;
    i->pub.alerts_total++;
    count(c, i, e, 1);
    if (e->node_id)
        incident_part(i, e->node_id, e->node)->total++;
    incident_dirty(c, i);
}

/* Ranked again at once the first time, then at most every rerank_delay: a storm costs a few rankings. */
void incident_touch(struct fl_corr *c, struct incident *i, struct fl_step *s)
{
    incident_dirty(c, i);
    i->pub.updated_at = s->at;
    if (!is_active(i))
        return;
    fl_usec due = i->pub.rankings ? i->pub.ranked_at + s->rules->correlation.rerank_delay : s->at;
    if (due < s->at)
        due = s->at;
    if (!i->pub.rank_due ||
        due < i->pub.rank_due) /* what it waits for already may be its turn after a change of all */
        i->pub.rank_due = due;
}

void incident_episode_changed(struct fl_corr *c, struct fl_step *s, struct episode *e, fl_alert_status before)
{
    struct incident *i = e->incident;
    if (!i)
        return;
    fl_alert_status now = e->status;
    e->status = before;
    count(c, i, e, -1);
    e->status = now;
    count(c, i, e, 1);
    incident_over(c, i);
    incident_touch(c, i, s);
    if (now == FL_ALERT_FIRING) {
        i->pub.last_alert_at = s->at;
        incident_event(c, s, i, IE_ALERT, NULL);
    } else if (!i->pub.alerts_firing && !i->pub.alerts_stale) {
        incident_event(c, s, i, IE_CLEAR, NULL);
    }
}

void incident_absorb(struct fl_corr *c, struct fl_step *s, struct incident *into, struct incident *from,
                     const char *why)
{
    while (from->head) {
        struct episode *e = from->head;
        incident_drop(c, from, e);
        incident_link(into, e);
        into->pub.alerts_total++;
        count(c, into, e, 1);
        if (e->node_id) {
            incident_part(into, e->node_id, e->node)->total++;
            into->pub.mapped = true;
        }
        if (e->severity > into->pub.severity)
            into->pub.severity = e->severity;
        episode_row(c, s, e);
    }
    vertices_move(c, from, into);
    if (from->pub.last_alert_at > into->pub.last_alert_at)
        into->pub.last_alert_at = from->pub.last_alert_at;
    set_text(&from->pub.merged_into, into->pub.id);
    incident_event(c, s, from, IE_MERGED, why);
    s->note(s, &(struct fl_note){
                   .to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                   .action = "incident.absorbed",
                   .incident = into->pub.id,
                   .subject = from->pub.id,
                   .text = fl_fx_printf(s->fx, "%s was merged into this incident: %s", from->pub.id, why)});
    incident_touch(c, into, s);
    if (into->pub.alerts_firing)
        incident_event(c, s, into, IE_ALERT, NULL);
    c->stats.merged++;
}

/* An incident that is over leaves memory; its rows stay in the database. */
void incident_forget(struct fl_corr *c, struct incident *i)
{
    vertices_move(c, i, NULL);
    fl_heap_drop(&c->over, i);
    while (i->head) {
        struct episode *e = i->head;
        incident_drop(c, i, e);
        episode_free(c, e);
    }
    HASH_DELETE(hh, c->by_id, i);
    if (i->group) {
        struct incident *g;
        HASH_FIND(hh_group, c->by_group, i->group, strlen(i->group), g);
        if (g == i)
            HASH_DELETE(hh_group, c->by_group, i);
    }
    if (i->prev)
        i->prev->next = i->next;
    else
        c->first = i->next;
    if (i->next)
        i->next->prev = i->prev;
    else
        c->last = i->prev;
    free_incident(i);
}

static void incident_row(struct fl_step *s, struct incident *i)
{
    incident_title(i);
    const struct fl_incident *p = &i->pub;
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_INCIDENT);
    fx->incident = (struct fl_incident_row){.id = fl_fx_str(s->fx, p->id),
                                            .title = fl_fx_str(s->fx, p->title),
                                            .state = p->state,
                                            .severity = p->severity,
                                            .opened_at = p->opened_at,
                                            .updated_at = p->updated_at,
                                            .last_alert_at = p->last_alert_at,
                                            .resolved_at = p->resolved_at,
                                            .alerts_total = p->alerts_total,
                                            .alerts_firing = p->alerts_firing,
                                            .alerts_stale = p->alerts_stale,
                                            .components = p->components,
                                            .cause = fl_fx_str(s->fx, p->cause),
                                            .confidence = p->confidence,
                                            .merged_into = fl_fx_str(s->fx, p->merged_into),
                                            .acked_by = fl_fx_str(s->fx, p->acked_by),
                                            .assignee = fl_fx_str(s->fx, p->assignee),
                                            .reason = fl_fx_str(s->fx, p->reason)};
}

/* What the timeline counts instead of telling it. */
static void tell_more(struct fl_step *s, const struct incident *i, const char *action, size_t n,
                      const char *what)
{
    if (n <= JOINS_TOLD)
        return;
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                 .action = action,
                                 .incident = i->pub.id,
                                 .subject = "alert",
                                 .text = fl_fx_printf(s->fx, "%zu %s", n - JOINS_TOLD, what)});
}

void fl_corr_flush(struct fl_corr *c, struct fl_step *s)
{
    changed_sort(c);
    for (size_t k = 0; k < c->changed.n; k++) {
        struct incident *i = c->changed.v[k];
        tell_more(s, i, "alert.silenced", i->quiet_now,
                  "more alerts were silenced, inhibited or released with them");
        tell_more(s, i, "alert.joined", i->joined_now, "more alerts joined in the same batch");
        tell_more(s, i, "alert.changed", i->over_now, "more alerts were resolved in the same batch");
        if (i->dirty)
            incident_row(s, i);
        i->dirty = false;
        i->joined_now = i->quiet_now = i->over_now = 0;
    }
    due_settled(c, s->rules);
}

/* ---- what is over ---- */

static bool older(const void *a, const void *b)
{
    const struct incident *x = a, *y = b;
    return x->pub.number < y->pub.number;
}

static size_t *place_by_number(void *item)
{
    return &((struct incident *)item)->over_at;
}

const struct fl_heap_kind incidents_by_number = {older, place_by_number};

void incident_over(struct fl_corr *c, struct incident *i)
{
    if (!is_active(i) && !i->over_at && !i->pub.alerts_firing && !i->pub.alerts_stale)
        fl_heap_put(&c->over, i);
}

void incident_left(struct fl_corr *c, struct incident *i)
{
    c->open--;
    c->firing -= i->pub.alerts_firing;
    c->stale -= i->pub.alerts_stale;
    services_weigh(c, i);
    incident_over(c, i);
}

/* What is found at a vertex, or by its group, since it was over stays found there. */
static void found_again(struct fl_corr *c, struct incident *i)
{
    for (struct part *p = i->parts; p; p = p->hh.next) {
        const struct incident *there = vertex_incident(c, p->vertex);
        if (!there || !is_active(there))
            vertex_set(c, p->vertex, i);
    }
    struct incident *g = NULL;
    if (i->group)
        HASH_FIND(hh_group, c->by_group, i->group, strlen(i->group), g);
    if (!i->group || g == i || (g && is_active(g)))
        return;
    if (g)
        HASH_DELETE(hh_group, c->by_group, g);
    HASH_ADD_KEYPTR(hh_group, c->by_group, i->group, strlen(i->group), i);
}

void incident_back(struct fl_corr *c, struct incident *i)
{
    fl_heap_drop(&c->over, i);
    c->open++;
    c->firing += i->pub.alerts_firing;
    c->stale += i->pub.alerts_stale;
    services_weigh(c, i);
    found_again(c, i);
}

bool incident_can_reopen(const struct incident *i, fl_usec at)
{
    return i->pub.state == FL_INC_RESOLVED && !i->by_hand && at - i->pub.resolved_at <= TOMB_TIME;
}

void incident_reopen(struct fl_corr *c, struct fl_step *s, struct incident *i, const char *why)
{
    i->pub.reopened++;
    i->pub.closed_out = false;
    incident_event(c, s, i, IE_TOLD_ON, why);
}

/* The youngest OVER_KEEP incidents that are over stay, so that commands on them answer with a reason. One that a person closed stays
 * while an alert of it fires: its next report would be an alert that nobody knows. Before the tick settles who is suppressed: an
 * alert that leaves memory inhibits nobody any more. */
static void forget_over(struct fl_corr *c)
{
    struct incident *busy = NULL; /* of this step: their rows are not written yet */
    size_t n_busy = 0;
    while (c->over.n + n_busy > OVER_KEEP && c->over.n) {
        struct incident *i = fl_heap_first(&c->over);
        if (!i->changed) {
            incident_forget(c, i);
            continue;
        }
        fl_heap_drop(&c->over, i);
        i->busy = busy;
        busy = i;
        n_busy++;
    }
    for (; busy; busy = busy->busy)
        fl_heap_put(&c->over, busy);
}

void fl_corr_tick(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo)
{
    forget_over(c);
    suppress_tick(c, s, topo);
    due_on_time(c, s->at);
    changed_sort(c);
    for (size_t k = 0; k < c->changed.n; k++) {
        struct incident *i = c->changed.v[k];
        fl_usec due = state_deadline(i, s->rules);
        if (due && due <= s->at)
            incident_event(c, s, i, i->pub.state == FL_INC_OPEN ? IE_QUIET : IE_SETTLED, NULL);
    }
    tombs_expire(c, s->at);
}

struct fl_incident *fl_corr_find(struct fl_corr *c, const char *id)
{
    struct incident *i = NULL;
    for (int hops = 0; id && hops < 64; hops++) {
        HASH_FIND(hh, c->by_id, id, strlen(id), i);
        if (!i || i->pub.state != FL_INC_MERGED)
            break;
        id = i->pub.merged_into;
    }
    return i ? &i->pub : NULL;
}

void fl_corr_each(struct fl_corr *c, bool (*visit)(void *ctx, struct fl_incident *i), void *ctx)
{
    for (struct incident *i = c->first; i; i = i->next)
        if (visit(ctx, &i->pub))
            return;
}

struct fl_episode episode_view(const struct episode *e)
{
    return (struct fl_episode){.alert = e->alert,
                               .status = e->status,
                               .node = e->node,
                               .peer = e->peer,
                               .node_id = e->node_id,
                               .map_rule = e->map_rule,
                               .cls = e->cls,
                               .severity = e->severity,
                               .flapping = e->hold && e->hold->flap,
                               .maintained = e->hold && e->hold->window,
                               .silenced_by = e->silenced_by ? e->silenced_by
                                              : e->hold      ? e->hold->window
                                                             : NULL,
                               .inhibited_by = e->inhibited_by,
                               .updated_at = e->updated_at};
}

void fl_corr_each_episode(struct fl_corr *c, const struct fl_incident *i,
                          bool (*visit)(void *ctx, const struct fl_episode *e), void *ctx)
{
    (void)c;
    for (const struct episode *e = ((const struct incident *)i)->head; e; e = e->next) {
        struct fl_episode v = episode_view(e);
        if (visit(ctx, &v))
            return;
    }
}

void fl_corr_each_active(struct fl_corr *c, void (*visit)(void *ctx, const struct fl_episode *e), void *ctx)
{
    for (struct episode *e = order_first(c); e; e = order_later(e)) {
        if (!is_live(e))
            continue;
        struct fl_episode v = episode_view(e);
        const struct pair *p = pair_of(c, e);
        if (!p)
            visit(ctx, &v);
        struct fl_alert a = *e->alert;
        for (unsigned i = 0; p && i < p->n; i++) {
            a.starts_at = p->v[i].starts_at;
            a.ends_at = p->v[i].ends_at;
            v.alert = &a;
            v.status = p->v[i].status;
            visit(ctx, &v);
        }
    }
}

size_t fl_corr_firing_on(struct fl_corr *c, const struct fl_incident *i, const char *node)
{
    (void)c;
    if (!node)
        return i->alerts_firing + i->alerts_stale;
    const struct part *p;
    HASH_FIND_STR(((const struct incident *)i)->parts, node, p);
    return p ? p->firing : 0;
}

void fl_corr_rank_at(struct fl_corr *c, struct fl_step *s, struct fl_incident *pub, fl_usec at)
{
    struct incident *i = (struct incident *)pub;
    (void)s;
    if (!is_active(i) || (pub->rank_due && pub->rank_due <= at))
        return;
    pub->rank_due = at;
    incident_changed(c, i);
}

void fl_corr_ranked(struct fl_corr *c, struct fl_step *s, struct fl_incident *pub, const char *cause,
                    double confidence)
{
    struct incident *i = (struct incident *)pub;
    pub->rank_due = 0;
    pub->ranked_at = pub->updated_at = s->at;
    pub->rankings++;
    pub->confidence = confidence;
    set_text(&pub->cause, cause && *cause ? cause : NULL);
    incident_dirty(c, i);
}

bool fl_corr_no_playbook(struct fl_corr *c, struct fl_incident *i, const char *why)
{
    (void)c;
    if (fl_streq(i->no_playbook, why))
        return false;
    set_text(&i->no_playbook, why);
    return true;
}

void fl_corr_mapped(const struct fl_corr *c, uint64_t *episodes, uint64_t *unmapped)
{
    *episodes = c->stats.episodes;
    *unmapped = c->stats.unmapped;
}

void fl_corr_stats(const struct fl_corr *c, struct fl_corr_stats *ret)
{
    *ret = c->stats;
    ret->held = c->held;
    memcpy(ret->hidden, c->hidden, sizeof ret->hidden);
    memcpy(ret->reminded, c->reminded, sizeof ret->reminded);
    ret->open_incidents = c->open;
    ret->firing = c->firing;
    ret->stale = c->stale;
}
