/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/join.c -- which incident a new alert belongs to: the same component, a component within
 * reach on the dependency graph, the same group of labels; else a new incident. */
#include "correlate_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAR_MAX = 16 }; /* incidents one alert can connect; more than that wait for the next alert */

struct near {
    struct incident *i;
    unsigned hops;
    fl_vertex via;
};
struct search {
    struct fl_corr *c;
    struct fl_step *s;
    struct near found[NEAR_MAX];
    size_t n;
};

static bool in_window(const struct incident *i, const struct fl_step *s)
{
    return s->at - i->pub.last_alert_at <= s->rules->correlation.window;
}

static bool look(void *ctx, fl_vertex v, unsigned hops)
{
    struct search *q = ctx;
    struct incident *i = vertex_incident(q->c, v);
    if (!i || !is_active(i) || !in_window(i, q->s))
        return false;
    for (size_t k = 0; k < q->n; k++)
        if (q->found[k].i == i)
            return false;
    q->found[q->n++] = (struct near){i, hops, v};
    return q->n == NEAR_MAX;
}

/* The reason, once: alert row, timeline and `why` all show this sentence. */
static void say_joined(struct fl_corr *c, struct fl_step *s, struct episode *e, struct incident *i,
                       const char *reason)
{
    fl_buf_reset(&c->line);
    fl_buf_str(&c->line, "joined ");
    fl_buf_str(&c->line, i->pub.id);
    fl_buf_str(&c->line, ": ");
    fl_buf_str(&c->line, reason);
    FL_REQUIRE(!c->line.failed);
    episode_text(c, &e->joined, c->line.p);
    /* In a storm the timeline tells the first ones of a step and counts the others (fl_corr_flush). */
    if (i->joined_now > JOINS_TOLD)
        return;
    const char *name = fl_label_get(&e->alert->labels, "alertname");
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                 .action = "alert.joined",
                                 .incident = i->pub.id,
                                 .subject = "alert",
                                 .text = FL_FX_CAT(s->fx, *name ? name : "alert", e->node_id ? " on " : "",
                                                   e->node_id ? e->node_id : "", " joined: ", reason)});
}

static void opened(struct fl_corr *c, struct fl_step *s, struct episode *e, const char *group,
                   const char *why)
{
    struct incident *i = incident_open(c, s, e, group);
    const char *name = fl_label_get(&e->alert->labels, "alertname");
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = "incident.opened",
                                 .incident = i->pub.id,
                                 .subject = i->pub.id,
                                 .text = fl_fx_printf(s->fx, "opened by %s%s%s: %s",
                                                      *name ? name : "an alert", e->node_id ? " on " : "",
                                                      e->node_id ? e->node_id : "", why)});
    incident_add(c, s, i, e);
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_buf_printf(&b, "opened %s: %s", i->pub.id, why);
    episode_text(c, &e->joined, b.p);
}

void join_into(struct fl_corr *c, struct fl_step *s, struct incident *i, struct episode *e,
               const char *reason)
{
    incident_add(c, s, i, e);
    say_joined(c, s, e, i, reason);
}

static struct incident *on_same(struct fl_corr *c, const struct fl_step *s, const struct episode *e)
{
    struct incident *i = vertex_incident(c, e->node);
    return i && is_active(i) && (in_window(i, s) || fl_corr_firing_on(c, &i->pub, e->node_id)) ? i : NULL;
}

/* A graph error costs this alert its neighbours, never the alert. */
static void search_near(struct search *q, struct fl_topo *topo, const struct episode *e)
{
    const struct fl_correlation_params *cp = &q->s->rules->correlation;
    struct fl_err err = {0};
    if (fl_topo_walk(topo, e->node, FL_DIR_BOTH, cp->distance, cp->edge_types, cp->n_edge_types, look, q,
                     &err) != FL_OK)
        q->n = 0;
}

static void join_mapped(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    const struct fl_correlation_params *cp = &s->rules->correlation;
    struct incident *here = on_same(c, s, e);
    char reason[900];
    if (here) {
        snprintf(reason, sizeof reason, "%.400s already alerts in it", e->node_id);
        join_into(c, s, here, e, reason);
        return;
    }
    struct search q = {.c = c, .s = s};
    search_near(&q, topo, e);
    if (!q.n) {
        snprintf(reason, sizeof reason, "no incident of the last %lld min alerts within %u hops of it",
                 (long long)(cp->window / (60 * FL_USEC_PER_SEC)), cp->distance);
        opened(c, s, e, NULL, reason);
        return;
    }
    /* The oldest survives a merge: its number is the one people have already said aloud. */
    size_t best = 0;
    for (size_t k = 1; k < q.n; k++)
        if (q.found[k].i->pub.number < q.found[best].i->pub.number)
            best = k;
    struct near *to = &q.found[best];
    const char *via = fl_topo_node(topo, to->via)->id;
    snprintf(reason, sizeof reason, "%.300s is %u hop%s from %.300s, which alerts in it", e->node_id,
             to->hops, to->hops == 1 ? "" : "s", via);
    incident_add(c, s, to->i, e);
    say_joined(c, s, e, to->i, reason);
    for (size_t k = 0; k < q.n; k++) {
        if (k == best)
            continue;
        snprintf(reason, sizeof reason, "%.300s is %u hop%s from %.300s and %u from %.200s", e->node_id,
                 to->hops, to->hops == 1 ? "" : "s", via, q.found[k].hops,
                 fl_topo_node(topo, q.found[k].via)->id);
        incident_absorb(c, s, to->i, q.found[k].i, reason);
    }
}

/* Alerts with no component still must not each open an incident: the rules' labels group them. */
static struct incident *same_group(struct fl_corr *c, const struct fl_step *s, const struct episode *e,
                                   struct fl_buf *key)
{
    const struct fl_correlation_params *cp = &s->rules->correlation;
    for (size_t k = 0; k < cp->n_group_by; k++) {
        fl_buf_str(key, cp->group_by[k]);
        fl_buf_chr(key, '\x1f');
        fl_buf_str(key, fl_label_get(&e->alert->labels, cp->group_by[k]));
        fl_buf_chr(key, '\x1e');
    }
    struct incident *i;
    const char *text = key->p ? key->p : "";
    HASH_FIND(hh_group, c->by_group, text, strlen(text), i);
    return i && is_active(i) && in_window(i, s) ? i : NULL;
}

enum { GROUP_WORDS = 600, GROUP_VALUE = 100 };

/* "cluster=a, namespace=b"; what is too long is left off as a whole. */
static const char *group_words(struct fl_corr *c, const struct fl_step *s, const struct episode *e)
{
    const struct fl_correlation_params *cp = &s->rules->correlation;
    struct fl_buf *b = &c->group;
    fl_buf_reset(b);
    for (size_t k = 0; k < cp->n_group_by; k++) {
        const char *v = fl_label_get(&e->alert->labels, cp->group_by[k]);
        size_t name = strlen(cp->group_by[k]), value = strnlen(v, GROUP_VALUE);
        if (!value)
            continue;
        if (b->n + name + value + 3 > GROUP_WORDS)
            break;
        fl_buf_add(b, ", ", b->n ? 2 : 0);
        fl_buf_add(b, cp->group_by[k], name);
        fl_buf_chr(b, '=');
        fl_buf_add(b, v, value);
    }
    FL_REQUIRE(!b->failed);
    return b->n ? b->p : "no labels";
}

static void join_unmapped(struct fl_corr *c, struct fl_step *s, struct episode *e)
{
    FL_AUTO_BUF key = fl_buf_init(0);
    struct incident *i = same_group(c, s, e, &key);
    const char *words = group_words(c, s, e);
    if (i)
        join_into(c, s, i, e, FL_FX_CAT(s->fx, "no component, but the same group (", words, ")"));
    else
        opened(c, s, e, key.p ? key.p : "",
               FL_FX_CAT(s->fx, "it matches no component; its group is (", words, ")"));
}

static size_t others(struct search *q, struct fl_topo *topo, const struct episode *e)
{
    FL_AUTO_BUF key = fl_buf_init(0);
    struct incident *same = e->node < 0 ? same_group(q->c, q->s, e, &key) : on_same(q->c, q->s, e);
    if (same)
        q->found[q->n++] = (struct near){same, 0, e->node};
    if (e->node >= 0)
        search_near(q, topo, e);
    return q->n;
}

void join_reopened(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    struct search q = {.c = c, .s = s};
    struct incident *oldest = e->incident, *own = e->incident;
    for (size_t k = 0, n = others(&q, topo, e); k < n; k++)
        if (q.found[k].i->pub.number < oldest->pub.number)
            oldest = q.found[k].i;
    const char *why = FL_FX_CAT(s->fx, "an alert on or near a component of both never stopped");
    for (size_t k = 0; k < q.n; k++)
        if (q.found[k].i != oldest && q.found[k].i != own)
            incident_absorb(c, s, oldest, q.found[k].i, why);
    if (own != oldest)
        incident_absorb(c, s, oldest, own, why);
}

bool join_finds(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    FL_AUTO_BUF key = fl_buf_init(0);
    if (e->node < 0)
        return same_group(c, s, e, &key) != NULL;
    struct search q = {.c = c, .s = s};
    if (on_same(c, s, e))
        return true;
    search_near(&q, topo, e);
    return q.n > 0;
}

void join_episode(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, struct episode *e)
{
    if (e->node >= 0)
        join_mapped(c, s, topo, e);
    else
        join_unmapped(c, s, e);
}
