/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/feedback.c -- what people said of rankings, against what was ranked: a verdict row each, and tallies per
 * model. The first places of each incident's last ranking are kept until then, as hashes of names: enough to tell
 * where the true cause stood. */
#include "flow_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

enum { KEEP_MAX = 5000 }; /* incidents; the one that was ranked first for the longest time goes */

struct places {
    char model[MODEL_ID_LEN]; /* "": none */
    size_t n;
    uint64_t node[FL_VERDICT_RANKS], service[FL_VERDICT_RANKS];
};
struct kept {
    char incident[FL_ID_LEN];
    unsigned version;
    double confidence;
    bool convincing;
    struct places live, shadow;
    /* what its last verdict added to the tallies: it is taken out again when there is another one */
    bool judged;
    char judged_live[MODEL_ID_LEN], judged_shadow[MODEL_ID_LEN];
    int rank, shadow_rank; /* as in fl_verdict_row */
    UT_hash_handle hh;
};
enum { UNKNOWN = -1, WRONG = -2 };

struct flow_feedback {
    struct kept *incidents; /* uthash keeps the order of arrival */
    struct fl_model_tally tally[FL_MODEL_TALLIES];
    size_t n;
};

struct flow_feedback *flow_feedback_new(void)
{
    return fl_core_alloc(1, sizeof(struct flow_feedback));
}

static void drop(struct flow_feedback *b, struct kept *k)
{
    HASH_DEL(b->incidents, k);
    free(k);
}

struct flow_feedback *flow_feedback_free(struct flow_feedback *b)
{
    if (b) {
        while (b->incidents)
            drop(b, b->incidents);
        free(b);
    }
    return NULL;
}

static uint64_t hash(const char *s)
{
    return s ? fl_fnv1a(FL_FNV1A_INIT, s, strlen(s)) : 0;
}

static void note_places(struct places *p, const struct fl_ranking *r)
{
    *p = (struct places){.n = 0};
    if (!r)
        return;
    snprintf(p->model, sizeof p->model, "%s", r->model);
    for (; p->n < r->n_candidates && p->n < FL_VERDICT_RANKS; p->n++) {
        p->node[p->n] = hash(r->candidates[p->n].node);
        p->service[p->n] = hash(r->candidates[p->n].service);
    }
}

static struct kept *need(struct flow_feedback *b, const char *incident)
{
    struct kept *k;
    HASH_FIND_STR(b->incidents, incident, k);
    if (k)
        return k;
    if (HASH_COUNT(b->incidents) >= KEEP_MAX)
        drop(b, b->incidents);
    k = fl_core_alloc(1, sizeof *k);
    snprintf(k->incident, sizeof k->incident, "%s", incident);
    HASH_ADD_STR(b->incidents, incident, k);
    return k;
}

void flow_feedback_ranked(struct fl_flow *f, const struct fl_incident *i, unsigned version,
                          const struct fl_ranking *live, const struct fl_ranking *shadow)
{
    struct kept *k = need(f->feedback, i->id);
    k->version = version;
    k->confidence = (double)(int64_t)(live->confidence * 1e6 + 0.5) / 1e6; /* as rows and snapshots have it */
    k->convincing = live->convincing && live->n_candidates;
    note_places(&k->live, live);
    note_places(&k->shadow, shadow);
}

/* ---- tallies ---- */

static struct fl_model_tally *tally_of(struct flow_feedback *b, const char *model, bool shadow)
{
    for (size_t i = 0; i < b->n; i++)
        if (fl_streq(b->tally[i].model, model) && b->tally[i].shadow == shadow)
            return &b->tally[i];
    if (b->n == FL_MODEL_TALLIES) /* the oldest model's figures stay in the verdict rows */
        memmove(b->tally, b->tally + 1, --b->n * sizeof *b->tally);
    struct fl_model_tally *t = &b->tally[b->n++];
    *t = (struct fl_model_tally){.shadow = shadow};
    snprintf(t->model, sizeof t->model, "%s", model);
    return t;
}

static void count(uint64_t *n, bool yes, bool back)
{
    if (yes && (!back || *n)) /* a tally that made room begins anew: never below nothing */
        *n += back ? UINT64_MAX : 1;
}

static void add_up(struct flow_feedback *b, const char *model, bool shadow, int rank, bool back)
{
    if (!*model || rank == UNKNOWN)
        return;
    struct fl_model_tally *t = tally_of(b, model, shadow);
    count(&t->known1, true, back);
    count(&t->right1, rank == 1, back);
    count(&t->known3, rank != WRONG, back);
    count(&t->right3, rank >= 1 && rank <= 3, back);
}

static int place(const struct places *p, uint64_t node, uint64_t service)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->node[i] == node || p->service[i] == service || p->node[i] == service)
            return (int)i + 1;
    return p->model[0] ? 0 : UNKNOWN;
}

/* A rejection only says that one was not it: the model that named it first was wrong, of others nothing is known. */
static int place_rejected(const struct places *p, uint64_t node, uint64_t service)
{
    return place(p, node, service) == 1 ? WRONG : UNKNOWN;
}

static const char *first_node(struct fl_flow *f, const char *node, uint64_t *ret_node, uint64_t *ret_service,
                              const struct kept *k)
{
    fl_vertex v = node ? fl_topo_find(f->topo, node) : -1, svc = v >= 0 ? fl_topo_service_of(f->topo, v) : -1;
    if (node) {
        *ret_node = hash(node);
        *ret_service = svc >= 0 ? hash(fl_topo_node(f->topo, svc)->id) : *ret_node;
        return node;
    }
    *ret_node = k->live.n ? k->live.node[0] : 0;
    *ret_service = k->live.n ? k->live.service[0] : 0;
    return "";
}

void flow_feedback_verdict(struct fl_flow *f, struct fl_step *s, const struct fl_incident *i, bool confirmed,
                           const char *node, const char *change)
{
    struct flow_feedback *b = f->feedback;
    struct kept *k = need(b, i->id);
    uint64_t at, service;
    int (*where)(const struct places *, uint64_t, uint64_t) = confirmed ? place : place_rejected;
    if (k->judged) {
        add_up(b, k->judged_live, false, k->rank, true);
        add_up(b, k->judged_shadow, true, k->shadow_rank, true);
    }
    node = first_node(f, node, &at, &service, k);
    k->judged = true;
    k->rank = where(&k->live, at, service);
    k->shadow_rank = where(&k->shadow, at, service);
    memcpy(k->judged_live, k->live.model, sizeof k->judged_live);
    memcpy(k->judged_shadow, k->shadow.model, sizeof k->judged_shadow);
    add_up(b, k->judged_live, false, k->rank, false);
    add_up(b, k->judged_shadow, true, k->shadow_rank, false);
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_VERDICT);
    fx->verdict = (struct fl_verdict_row){.incident = fl_fx_str(s->fx, i->id),
                                          .verdict = confirmed ? "confirmed" : "rejected",
                                          .actor = fl_fx_str(s->fx, s->actor),
                                          .event_seq = s->seq,
                                          .at = s->at,
                                          .node = fl_fx_str(s->fx, node),
                                          .change = fl_fx_str(s->fx, change),
                                          .version = k->version,
                                          .model = fl_fx_str(s->fx, k->live.model),
                                          .shadow_model = fl_fx_str(s->fx, k->shadow.model),
                                          .confidence = k->confidence,
                                          .convincing = k->convincing,
                                          .rank = k->rank,
                                          .shadow_rank = k->shadow_rank};
}

void flow_feedback_stats(const struct flow_feedback *b, struct fl_model_stats *ret)
{
    memcpy(ret->tally, b->tally, sizeof ret->tally);
    ret->n = b->n;
}

void fl_flow_model_stats(const struct fl_flow *f, struct fl_model_stats *ret)
{
    memset(ret, 0, sizeof *ret);
    snprintf(ret->live, sizeof ret->live, "%s", fl_model_id(f->model));
    if (f->shadow)
        snprintf(ret->shadow, sizeof ret->shadow, "%s", fl_model_id(f->shadow));
    flow_feedback_stats(f->feedback, ret);
    flow_drift_stats(f->drift, f->model, ret);
}

/* ---- snapshot ---- */

static void write_places(struct fl_jw *w, const char *key, const struct places *p)
{
    char hex[17];
    fl_jw_arr(w, key); /* model, then node and service of each */
    fl_jw_str(w, NULL, p->model);
    for (size_t i = 0; i < p->n; i++) {
        fl_jw_str(w, NULL, fl_fingerprint_hex(p->node[i], hex));
        fl_jw_str(w, NULL, fl_fingerprint_hex(p->service[i], hex));
    }
    fl_jw_arr_end(w);
}

static void read_places(struct places *p, const struct fl_json *v)
{
    const char *model = fl_json_string(fl_json_at(v, 0));
    *p = (struct places){.n = 0};
    snprintf(p->model, sizeof p->model, "%s", model ? model : "");
    for (size_t i = 1; i + 1 < fl_json_len(v) && p->n < FL_VERDICT_RANKS; i += 2, p->n++)
        if (!fl_fingerprint_parse(fl_json_string(fl_json_at(v, i)), &p->node[p->n]) ||
            !fl_fingerprint_parse(fl_json_string(fl_json_at(v, i + 1)), &p->service[p->n]))
            return;
}

void flow_feedback_write(const struct flow_feedback *b, struct fl_jw *w, const char *key)
{
    fl_jw_obj(w, key);
    fl_jw_arr(w, "incidents");
    for (const struct kept *k = b->incidents; k; k = k->hh.next) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "id", k->incident);
        fl_jw_int(w, "version", k->version);
        fl_jw_fixed(w, "confidence", k->confidence, 6);
        fl_jw_bool(w, "convincing", k->convincing);
        write_places(w, "live", &k->live);
        write_places(w, "shadow", &k->shadow);
        if (k->judged) {
            fl_jw_str(w, "judged_live", k->judged_live);
            fl_jw_str(w, "judged_shadow", k->judged_shadow);
            fl_jw_int(w, "rank", k->rank);
            fl_jw_int(w, "shadow_rank", k->shadow_rank);
        }
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_arr(w, "tallies");
    for (size_t i = 0; i < b->n; i++) {
        const struct fl_model_tally *t = &b->tally[i];
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "model", t->model);
        fl_jw_bool(w, "shadow", t->shadow);
        fl_jw_int(w, "known1", (int64_t)t->known1);
        fl_jw_int(w, "right1", (int64_t)t->right1);
        fl_jw_int(w, "known3", (int64_t)t->known3);
        fl_jw_int(w, "right3", (int64_t)t->right3);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

void flow_feedback_read(struct flow_feedback *b, const struct fl_json *v)
{
    const struct fl_json *list = fl_json_get(v, "incidents"), *tallies = fl_json_get(v, "tallies");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *x = fl_json_at(list, i);
        struct kept *k = need(b, fl_json_str(x, "id", ""));
        k->version = (unsigned)fl_json_int(x, "version", 0);
        k->confidence = fl_json_real(x, "confidence", 0);
        k->convincing = fl_json_bool(x, "convincing", false);
        read_places(&k->live, fl_json_get(x, "live"));
        read_places(&k->shadow, fl_json_get(x, "shadow"));
        snprintf(k->judged_live, sizeof k->judged_live, "%s", fl_json_str(x, "judged_live", ""));
        snprintf(k->judged_shadow, sizeof k->judged_shadow, "%s", fl_json_str(x, "judged_shadow", ""));
        k->judged = fl_json_get(x, "rank") != NULL;
        k->rank = (int)fl_json_int(x, "rank", UNKNOWN);
        k->shadow_rank = (int)fl_json_int(x, "shadow_rank", UNKNOWN);
    }
    for (size_t i = 0; i < fl_json_len(tallies); i++) {
        const struct fl_json *x = fl_json_at(tallies, i);
        struct fl_model_tally *t = tally_of(b, fl_json_str(x, "model", ""), fl_json_bool(x, "shadow", false));
        t->known1 = (uint64_t)fl_json_int(x, "known1", 0);
        t->right1 = (uint64_t)fl_json_int(x, "right1", 0);
        t->known3 = (uint64_t)fl_json_int(x, "known3", 0);
        t->right3 = (uint64_t)fl_json_int(x, "right3", 0);
    }
}
