/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/ranking.c -- when an incident is ranked, what the ranking sees, what follows from it. */
#include "flow_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- recent changes: evidence ---- */

struct change_item *flow_keep_change(struct fl_flow *f, const struct fl_change *c)
{
    struct change_item *k = fl_core_alloc(1, sizeof *k);
    k->arena = fl_arena_new(0);
    FL_REQUIRE(k->arena != NULL);
    const char *const in[] = {c->component, c->kind, c->id, c->author, c->title, c->link, c->detail};
    const char *out[FL_ARRAY_LEN(in)];
    for (size_t i = 0; i < FL_ARRAY_LEN(in); i++) {
        out[i] = fl_arena_strdup(k->arena, in[i]);
        FL_REQUIRE(!in[i] || out[i]);
    }
    k->change = (struct fl_change){c->time, out[0], out[1], out[2], out[3], out[4], out[5], out[6]};
    if (f->last_change)
        f->last_change->next = k;
    else
        f->changes = k;
    f->last_change = k;
    f->n_changes++;
    return k;
}

static void drop_first(struct fl_flow *f)
{
    struct change_item *k = f->changes;
    f->changes = k->next;
    if (!f->changes)
        f->last_change = NULL;
    f->n_changes--;
    fl_arena_free(k->arena);
    free(k);
}

void flow_forget_changes(struct fl_flow *f)
{
    while (f->changes)
        drop_first(f);
}

/* A sender that lost our answer sends its change again; two suspects of one deploy would share its odds. */
static bool is_known(const struct fl_flow *f, const struct fl_change *c)
{
    for (const struct change_item *k = f->changes; k; k = k->next) {
        const struct fl_change *o = &k->change;
        if (o->time == c->time && fl_streq(o->id, c->id) && fl_streq(o->component, c->component) &&
            fl_streq(o->kind, c->kind) && fl_streq(o->author, c->author) && fl_streq(o->title, c->title) &&
            fl_streq(o->link, c->link) && fl_streq(o->detail, c->detail))
            return true;
    }
    return false;
}

void flow_changes(struct fl_flow *f, struct fl_step *s, const char *body, size_t n)
{
    struct fl_err err = {0};
    struct fl_change *v;
    size_t count, repeated = 0;
    fl_status st = fl_intake_changes(s->fx->arena, body, n, s->at, &v, &count, &err);
    if (st != FL_OK) {
        flow_audit(s, "change.refused", "change", s->actor, err.text, NULL);
        flow_answer(s, st, NULL, &err);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *what = fl_fx_printf(s->fx, "%s %s on %s", v[i].kind, v[i].id, v[i].component);
        if (is_known(f, &v[i])) {
            repeated++;
            flow_audit(s, "change.repeated", v[i].component, s->actor, what, NULL);
            continue;
        }
        flow_keep_change(f, &v[i]);
        if (f->n_changes > CHANGES_MAX) /* at once: each change is looked for among these */
            drop_first(f);
        struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_CHANGE);
        fx->change = (struct fl_change_row){&v[i], s->seq};
        flow_audit(s, "change.recorded", v[i].component, s->actor, what, NULL);
    }
    while (f->n_changes > 1 && f->changes->change.time < s->at - CHANGES_FOR)
        drop_first(f);
    flow_answer(s, FL_OK,
                repeated
                    ? fl_fx_printf(s->fx, "{\"recorded\":%zu,\"repeated\":%zu}", count - repeated, repeated)
                    : fl_fx_printf(s->fx, "{\"recorded\":%zu}", count),
                NULL);
}

/* ---- input of a ranking ---- */

struct gather {
    struct fl_rank_alert *v;
    size_t n;
};

static bool gather_one(void *ctx, const struct fl_episode *e)
{
    struct gather *g = ctx;
    g->v[g->n++] = (struct fl_rank_alert){e->alert, e->node, e->peer, e->cls, e->severity};
    return g->n == RANK_ALERTS_MAX;
}

static void gather_alerts(struct fl_flow *f, struct fl_arena *a, const struct fl_incident *i,
                          struct gather *g)
{
    size_t cap = i->alerts_total < RANK_ALERTS_MAX ? i->alerts_total : RANK_ALERTS_MAX;
    g->v = fl_arena_calloc(a, cap ? cap : 1, sizeof *g->v);
    FL_REQUIRE(g->v != NULL);
    g->n = 0;
    if (cap)
        fl_corr_each_episode(f->corr, i, gather_one, g);
}

static const struct fl_change *gather_changes(struct fl_flow *f, struct fl_arena *a)
{
    struct fl_change *v = fl_arena_calloc(a, f->n_changes ? f->n_changes : 1, sizeof *v);
    FL_REQUIRE(v != NULL);
    size_t n = 0;
    for (struct change_item *k = f->changes; k; k = k->next)
        v[n++] = k->change;
    return v;
}

/* ---- ranking ---- */

enum { SHADOW_CANDIDATES = FL_VERDICT_RANKS, SHADOW_SHOWN = 3 };

/* The same input under the model that is on trial: scores only, so it costs a fraction of the explained ranking. What
 * goes wrong with it never reaches the live one. NULL: there is no shadow, or it failed. */
static struct fl_ranking *rank_shadow(struct fl_flow *f, struct fl_arena *a, const struct fl_rank_input *in)
{
    struct fl_ranking *r = NULL;
    struct fl_rank_input quick = *in;
    quick.explain = false;
    quick.max_candidates = SHADOW_CANDIDATES;
    return f->shadow && fl_rank(a, f->shadow, &quick, &r, NULL) == FL_OK ? r : NULL;
}

static const char *shadow_json(struct fl_step *s, const struct fl_ranking *live, const struct fl_ranking *r)
{
    if (!r)
        return "";
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "model", r->model);
    fl_jw_bool(&w, "convincing", r->convincing);
    fl_jw_bool(&w, "agrees",
               live->n_candidates && r->n_candidates &&
                   fl_streq(live->candidates[0].service, r->candidates[0].service));
    fl_jw_arr(&w, "candidates");
    for (size_t i = 0; i < r->n_candidates && i < SHADOW_SHOWN; i++) {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "node", r->candidates[i].node);
        fl_jw_str(&w, "service", r->candidates[i].service);
        fl_jw_fixed(&w, "confidence", r->candidates[i].confidence, 6);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    FL_REQUIRE(!b.failed);
    return fl_fx_str(s->fx, b.p);
}

static void ranking_row(struct fl_flow *f, struct fl_step *s, const struct fl_incident *i,
                        const struct fl_ranking *r, const struct fl_ranking *shadow)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_ranking_json(&w, NULL, r);
    FL_REQUIRE(!b.failed);
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_RANKING);
    fx->ranking = (struct fl_ranking_row){.incident = fl_fx_str(s->fx, i->id),
                                          .version = i->rankings + 1,
                                          .at = s->at,
                                          .event_seq = s->seq,
                                          .model = fl_fx_str(s->fx, r->model),
                                          .rules_hash = s->rules->hash,
                                          .topology_hash = *fl_topo_hash(f->topo),
                                          .json = fl_fx_str(s->fx, b.p),
                                          .shadow_model = fl_fx_str(s->fx, shadow ? shadow->model : ""),
                                          .shadow = shadow_json(s, r, shadow)};
}

/* Said when the answer changes, not at every ranking of a storm. */
static void say_cause(struct fl_step *s, const struct fl_incident *i, const struct fl_ranking *r,
                      const char *cause)
{
    if (fl_streq(i->cause, cause) || (!i->cause && !cause && i->rankings))
        return;
    const char *text;
    if (cause) {
        const struct fl_candidate *c = &r->candidates[0];
        text = fl_fx_printf(s->fx, "likely cause: %s (confidence %d%%)%s%s", cause,
                            (int)(r->confidence * 100 + 0.5), c->n_contributions ? ": " : "",
                            c->n_contributions ? c->contributions[0].text : "");
    } else {
        text = "no convincing cause";
    }
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = "ranking.changed",
                                 .incident = i->id,
                                 .subject = i->id,
                                 .text = text});
}

static void rank_one(struct fl_flow *f, struct fl_step *s, struct fl_incident *i)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_REQUIRE(a != NULL);
    struct gather g;
    gather_alerts(f, a, i, &g);
    struct fl_rank_input in = {.topo = f->topo,
                               .alerts = g.v,
                               .n_alerts = g.n,
                               .entry = -1,
                               .history = f->history,
                               .changes = gather_changes(f, a),
                               .n_changes = f->n_changes,
                               .explain = true};
    struct fl_ranking *r = NULL;
    struct fl_err err = {0};
    fl_status st = fl_rank(a, f->model, &in, &r, &err);
    if (st != FL_OK) {
        /* Said, and the incident goes on without a cause; it is tried again when something changes. */
        s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                     .action = "ranking.failed",
                                     .incident = i->id,
                                     .subject = i->id,
                                     .text = fl_fx_printf(s->fx, "could not rank: %s", err.text)});
        fl_corr_ranked(f->corr, s, i, i->cause ? fl_fx_str(s->fx, i->cause) : NULL, i->confidence);
        return;
    }
    const char *cause = r->n_candidates && r->convincing ? r->candidates[0].node : NULL;
    const struct fl_ranking *shadow = rank_shadow(f, a, &in);
    ranking_row(f, s, i, r, shadow);
    flow_feedback_ranked(f, i, i->rankings + 1, r, shadow);
    say_cause(s, i, r, cause);
    fl_corr_ranked(f->corr, s, i, cause, r->n_candidates ? r->confidence : 0);
    if (s->at < i->opened_at + PROPOSE_AFTER) {
        i->rank_due = i->opened_at + PROPOSE_AFTER;
        return;
    }
    struct flow_view view;
    flow_view(&view, f, s, i, r);
    const char *no = fl_resp_consider(f->resp, s, &view.v);
    if (no && fl_corr_no_playbook(f->corr, i, no))
        s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE,
                                     .action = "playbook.none",
                                     .incident = i->id,
                                     .subject = i->id,
                                     .text = fl_fx_printf(s->fx, "no playbook: %s", no)});
}

struct due_list {
    struct fl_step *s;
    struct fl_incident **v;
    size_t n, cap;
};

static bool collect_due(void *ctx, struct fl_incident *i)
{
    struct due_list *d = ctx;
    if (!i->rank_due || i->rank_due > d->s->at || i->state > FL_INC_RECOVERING)
        return false;
    if (d->n == d->cap) {
        size_t cap = d->cap ? d->cap * 2 : 16;
        struct fl_incident **v = realloc(d->v, cap * sizeof *v);
        FL_REQUIRE(v != NULL);
        d->v = v;
        d->cap = cap;
    }
    d->v[d->n++] = i;
    return false;
}

void flow_rank_due(struct fl_flow *f, struct fl_step *s)
{
    struct due_list d = {.s = s};
    fl_corr_each_changed(f->corr, collect_due, &d);
    for (size_t k = 0; k < d.n; k++)
        rank_one(f, s, d.v[k]);
    free(d.v);
}

/* ---- every open incident, when the graph, the rules or the model are others ---- */

/* Twenty take some tens of milliseconds: alerts that come meanwhile wait no longer than that. */
enum { RANK_AT_ONCE = 20 };
#define RANK_GAP (FL_USEC_PER_SEC / 5)

/* Slots of RANK_GAP from now on, each with what is due in it already: that is ranked on the new evidence anyway. */
struct spread {
    struct fl_flow *f;
    struct fl_step *s;
    fl_usec *pending; /* when, in order */
    size_t n, cap, next;
    fl_usec slot;
    size_t in_slot;
};

static bool was_ranked(const struct fl_incident *i)
{
    return i->state <= FL_INC_RECOVERING && i->rankings;
}

static bool note_pending(void *ctx, struct fl_incident *i)
{
    struct spread *p = ctx;
    if (!i->rank_due || i->state > FL_INC_RECOVERING)
        return false;
    if (p->n == p->cap) {
        p->cap = p->cap ? p->cap * 2 : 256;
        p->pending = reallocarray(p->pending, p->cap, sizeof *p->pending);
        FL_REQUIRE(p->pending != NULL);
    }
    p->pending[p->n++] = i->rank_due;
    return false;
}

static int by_time(const void *a, const void *b)
{
    const fl_usec *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void count_slot(struct spread *p)
{
    for (p->in_slot = 0; p->next < p->n && p->pending[p->next] <= p->slot; p->next++)
        p->in_slot++;
}

static bool spread_one(void *ctx, struct fl_incident *i)
{
    struct spread *p = ctx;
    if (!was_ranked(i) || i->rank_due)
        return false;
    while (p->in_slot >= RANK_AT_ONCE) {
        p->slot += RANK_GAP;
        count_slot(p);
    }
    p->in_slot++;
    fl_corr_rank_at(p->f->corr, p->s, i, p->slot);
    return false;
}

void flow_rank_open(struct fl_flow *f, struct fl_step *s)
{
    struct spread p = {.f = f, .s = s, .slot = s->at};
    fl_corr_each(f->corr, note_pending, &p);
    if (p.n)
        qsort(p.pending, p.n, sizeof *p.pending, by_time);
    count_slot(&p);
    fl_corr_each(f->corr, spread_one, &p);
    free(p.pending);
}

/* ---- what follows the end of an incident ---- */

struct closing {
    struct fl_flow *f;
    struct fl_step *s;
};

/* The next incident learns from this one's alerts; no verdict is needed for that. */
static void learn(struct fl_flow *f, struct fl_step *s, const struct fl_incident *i)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_REQUIRE(a != NULL);
    struct gather g;
    gather_alerts(f, a, i, &g);
    /* Before its own alerts are history: as it was ranked. */
    flow_drift_incident(
        f->drift, a,
        &(struct fl_rank_input){
            .topo = f->topo, .alerts = g.v, .n_alerts = g.n, .entry = -1, .history = f->history});
    if (fl_history_learn(f->history, f->topo, g.v, g.n, s->at) != FL_OK)
        flow_audit(s, "history.failed", i->id, NULL, "its alerts could not be added to the history", NULL);
}

static bool close_one(void *ctx, struct fl_incident *i)
{
    struct closing *c = ctx;
    if (i->closed_out || i->state < FL_INC_RESOLVED)
        return false;
    i->closed_out = true;
    if (i->state == FL_INC_RESOLVED && !i->reopened)
        learn(c->f, c->s, i);
    else if (i->merged_into)
        fl_resp_incident_merged(c->f->resp, i->id, i->merged_into);
    return false;
}

void flow_close_out(struct fl_flow *f, struct fl_step *s)
{
    struct closing c = {f, s};
    fl_corr_each_changed(f->corr, close_one, &c);
}
