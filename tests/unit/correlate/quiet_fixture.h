/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A world of one correlate stage for the tests of what keeps alerts quiet: rules from JSON, a small shop as graph. */
#pragma once

#include <faultline/correlate.h>
#include <faultline/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "again.h"

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC) /* 2026-09-21T14:13:20Z, a Monday */

/* front needs cart and catalog, both need db; db and cache need each other; a far pair batch -> tape */
static const struct fl_node shop_nodes[] = {
    {.id = "front", .type = "service"},   {.id = "cart", .type = "service"},
    {.id = "catalog", .type = "service"}, {.id = "db", .type = "store"},
    {.id = "cache", .type = "store"},     {.id = "batch", .type = "service"},
    {.id = "tape", .type = "store"},      {.id = "db-host", .type = "host"},
};
static const struct fl_edge shop_edges[] = {
    {"front", "cart", "calls", 1}, {"front", "catalog", "calls", 1}, {"cart", "db", "data", 1},
    {"catalog", "db", "data", 1},  {"db", "cache", "calls", 1},      {"cache", "db", "calls", 1},
    {"batch", "tape", "data", 1},  {"db", "db-host", "runs_on", 1},
};

struct world {
    struct fl_rules *rules;
    struct fl_topo *topo;
    struct fl_corr *c;
    struct fl_effects *fx;
    struct fl_step step;
    char notes[65536]; /* "action subject: text" lines */
};

static inline void world_note(struct fl_step *s, const struct fl_note *n)
{
    struct world *w = s->ctx;
    size_t at = strlen(w->notes);
    snprintf(w->notes + at, sizeof w->notes - at, "%s %s: %s\n", n->action, n->subject, n->text);
}

static inline void begin(struct world *w, fl_usec at)
{
    fl_effects_free(w->fx);
    w->fx = fl_effects_new();
    assert_non_null(w->fx);
    w->fx->realm = "default";
    w->step = (struct fl_step){.at = at,
                               .seq = w->step.seq + 1,
                               .actor = "ann",
                               .rules = w->rules,
                               .fx = w->fx,
                               .note = world_note,
                               .ctx = w};
}

static inline void end(struct world *w)
{
    fl_corr_tick(w->c, &w->step, w->topo);
    fl_corr_flush(w->c, &w->step);
}

static inline struct world *world_new(const char *rules_json)
{
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    assert_non_null(w);
    if (fl_rules_from_json(rules_json, strlen(rules_json), &w->rules, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    struct fl_topology_doc doc = {.nodes = shop_nodes,
                                  .n_nodes = FL_ARRAY_LEN(shop_nodes),
                                  .edges = shop_edges,
                                  .n_edges = FL_ARRAY_LEN(shop_edges)};
    assert_int_equal(fl_topo_new(&doc, &w->topo, &err), FL_OK);
    w->c = fl_corr_new();
    begin(w, T0 - SEC);
    fl_corr_topology(w->c, &w->step, w->topo);
    end(w);
    return w;
}

static inline void world_free(struct world *w)
{
    fl_corr_free(w->c);
    fl_topo_free(w->topo);
    fl_rules_free(w->rules);
    fl_effects_free(w->fx);
    free(w);
}

/* Labels as "name=value,name=value". */
static inline struct fl_alert alert_of(struct fl_arena *a, const char *labels, fl_alert_status st,
                                       fl_usec starts, fl_usec at)
{
    struct fl_label *l = fl_arena_calloc(a, 16, sizeof *l);
    char *text = fl_arena_strdup(a, labels), *save = NULL;
    size_t n = 0;
    for (char *p = strtok_r(text, ",", &save); p && n < 16; p = strtok_r(NULL, ",", &save)) {
        char *eq = strchr(p, '=');
        assert_non_null(eq);
        *eq = 0;
        l[n++] = (struct fl_label){p, eq + 1};
    }
    struct fl_alert x = {.labels = {l, fl_labels_normalise(l, n)},
                         .starts_at = starts,
                         .status = st,
                         .received_at = at,
                         .ends_at = st == FL_ALERT_RESOLVED ? at : 0,
                         .generator_url = ""};
    x.fingerprint = fl_labels_fingerprint(&x.labels);
    return x;
}

static inline uint64_t send(struct world *w, fl_usec at, const char *labels, fl_alert_status st,
                            fl_usec starts)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    struct fl_alert x = alert_of(a, labels, st, starts, at);
    begin(w, at);
    fl_corr_alerts(w->c, &w->step, w->topo, "alertmanager", &x, 1);
    end(w);
    return x.fingerprint;
}

static inline uint64_t fire(struct world *w, fl_usec at, const char *labels)
{
    return send(w, at, labels, FL_ALERT_FIRING, at);
}

static inline void tick(struct world *w, fl_usec at)
{
    begin(w, at);
    end(w);
}

static inline void expire_lease(struct world *w, fl_usec at, uint64_t fp, fl_usec starts)
{
    begin(w, at);
    fl_corr_expired(w->c, &w->step, fp, starts);
    end(w);
}

/* The row of one alert in the last step; NULL: it was not written. */
static inline const struct fl_alert_row *row(const struct world *w, uint64_t fp)
{
    const struct fl_alert_row *found = NULL;
    for (size_t i = 0; i < w->fx->n; i++)
        if (w->fx->v[i].kind == FL_FX_ALERT && w->fx->v[i].alert.fingerprint == fp)
            found = &w->fx->v[i].alert;
    return found;
}

static inline struct fl_corr_stats stats(const struct world *w)
{
    struct fl_corr_stats st;
    fl_corr_stats(w->c, &st);
    return st;
}

/* The state goes through its snapshot and comes back the same, and from now on the restored one decides. */
static inline void restore(struct world *w)
{
    struct fl_corr *c = again(w->c, w->topo, w->rules);
    fl_corr_free(w->c);
    w->c = c;
}

/* Who is where: "name@component=INC-… " of every live alert, in order of arrival; - when in none. */
static inline size_t in_incidents(struct world *w)
{
    struct fl_corr_stats st = stats(w);
    return st.firing + st.stale;
}
