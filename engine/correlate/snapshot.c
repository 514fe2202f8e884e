/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/snapshot.c -- the stage's state as JSON and back. Orders are kept: a restored state must
 * decide exactly as the one it was taken from. */
#include "correlate_priv.h"

#include <faultline/json.h>
#include <stdlib.h>
#include <string.h>

static void write_fp(struct fl_jw *w, const char *key, uint64_t fp)
{
    char hex[17];
    fl_jw_str(w, key, fl_fingerprint_hex(fp, hex));
}

static void write_episode(struct fl_jw *w, const struct episode *e)
{
    fl_jw_obj(w, NULL);
    fl_jw_int(w, "starts", e->key.starts_at);
    fl_jw_int(w, "status", e->status);
    fl_jw_int(w, "class", e->cls);
    fl_jw_int(w, "severity", e->severity);
    if (e->node_id)
        fl_jw_str(w, "node", e->node_id);
    if (e->peer_id)
        fl_jw_str(w, "peer", e->peer_id);
    if (e->map_rule)
        fl_jw_str(w, "rule", e->map_rule);
    fl_jw_str(w, "source", e->source);
    if (e->joined)
        fl_jw_str(w, "joined", e->joined);
    if (e->quiet)
        fl_jw_str(w, "quiet", e->quiet);
    if (e->silenced_by)
        fl_jw_str(w, "silenced_by", e->silenced_by);
    if (e->inhibited_by)
        write_fp(w, "inhibited_by", e->inhibited_by);
    if (e->hold)
        hold_write(w, e);
    fl_jw_int(w, "updated", e->updated_at);
    if (e->incident)
        fl_jw_int(w, "incident", (int64_t)e->incident->pub.number);
    fl_labels_json(w, "labels", &e->alert->labels);
    fl_labels_json(w, "annotations", &e->alert->annotations);
    fl_jw_int(w, "ends", e->alert->ends_at);
    fl_jw_int(w, "lease", e->alert->lease_until);
    fl_jw_int(w, "received", e->alert->received_at);
    fl_jw_str(w, "url", e->alert->generator_url);
    fl_jw_obj_end(w);
}

static void write_incident(struct fl_jw *w, const struct incident *i)
{
    const struct fl_incident *p = &i->pub;
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", p->id);
    fl_jw_int(w, "number", (int64_t)p->number);
    fl_jw_int(w, "state", p->state);
    fl_jw_int(w, "severity", p->severity);
    fl_jw_int(w, "opened", p->opened_at);
    fl_jw_int(w, "updated", p->updated_at);
    fl_jw_int(w, "last_alert", p->last_alert_at);
    fl_jw_int(w, "recovering", p->recovering_at);
    fl_jw_int(w, "resolved", p->resolved_at);
    fl_jw_bool(w, "mapped", p->mapped);
    fl_jw_bool(w, "closed_out", p->closed_out);
    fl_jw_int(w, "rank_due", p->rank_due);
    fl_jw_int(w, "ranked_at", p->ranked_at);
    fl_jw_int(w, "rankings", p->rankings);
    fl_jw_str(w, "title", p->title);
    fl_jw_str(w, "reason", p->reason);
    fl_jw_str(w, "cause", p->cause);
    fl_jw_str(w, "no_playbook", p->no_playbook);
    fl_jw_fixed(w, "confidence", p->confidence, 9);
    fl_jw_str(w, "acked_by", p->acked_by);
    fl_jw_str(w, "assignee", p->assignee);
    fl_jw_str(w, "merged_into", p->merged_into);
    fl_jw_str(w, "group", i->group);
    fl_jw_arr(w, "alerts");
    for (const struct episode *e = i->head; e; e = e->next) {
        fl_jw_arr(w, NULL);
        write_fp(w, NULL, e->key.fingerprint);
        fl_jw_int(w, NULL, e->key.starts_at);
        fl_jw_arr_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

static void write_pairs(const struct fl_corr *c, struct fl_jw *w)
{
    fl_jw_arr(w, "pairs");
    for (const struct pair *p = c->pairs; p; p = p->hh.next) {
        fl_jw_arr(w, NULL);
        write_fp(w, NULL, p->fingerprint);
        fl_jw_int(w, NULL, p->episode);
        for (unsigned i = 0; i < p->n; i++) {
            const struct half *h = &p->v[i];
            fl_jw_arr(w, NULL);
            fl_jw_int(w, NULL, h->starts_at);
            fl_jw_int(w, NULL, h->ends_at);
            fl_jw_int(w, NULL, h->status);
            fl_jw_int(w, NULL, h->for_all);
            fl_jw_arr_end(w);
        }
        fl_jw_arr_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_arr(w, "passed");
    for (const struct passed *x = c->passed; x; x = x->hh.next) {
        fl_jw_arr(w, NULL);
        write_fp(w, NULL, x->fingerprint);
        fl_jw_int(w, NULL, x->starts_at);
        fl_jw_int(w, NULL, x->ends_at);
        fl_jw_int(w, NULL, x->until);
        fl_jw_arr_end(w);
    }
    fl_jw_arr_end(w);
}

void fl_corr_write(const struct fl_corr *c, struct fl_jw *w, const char *key)
{
    fl_jw_obj(w, key);
    fl_jw_int(w, "next", (int64_t)c->next_number);
    fl_jw_int(w, "holds", (int64_t)c->holds);
    fl_jw_arr(w, "stats");
    const struct fl_corr_stats *st = &c->stats;
    const uint64_t counters[] = {st->episodes, st->repeats,  st->late,       st->unmapped, st->opened,
                                 st->merged,   st->resolved, st->suppressed, st->flaps};
    for (size_t k = 0; k < FL_ARRAY_LEN(counters); k++)
        fl_jw_int(w, NULL, (int64_t)counters[k]);
    fl_jw_arr_end(w);
    fl_jw_arr(w, "episodes");
    for (const struct episode *e = c->episodes; e; e = e->later)
        write_episode(w, e);
    fl_jw_arr_end(w);
    silences_write(c, w);
    flaps_write(c, w);
    windows_write(c, w);
    teams_write(c, w);
    fl_jw_arr(w, "incidents");
    for (const struct incident *i = c->first; i; i = i->next)
        write_incident(w, i);
    fl_jw_arr_end(w);
    fl_jw_arr(w, "at");
    for (size_t v = 0; v < c->n_vertices; v++)
        if (c->at_vertex[v]) {
            fl_jw_arr(w, NULL);
            fl_jw_int(w, NULL, (int64_t)v);
            fl_jw_int(w, NULL, (int64_t)c->at_vertex[v]->pub.number);
            fl_jw_arr_end(w);
        }
    fl_jw_arr_end(w);
    write_pairs(c, w);
    fl_jw_arr(w, "tombs");
    for (const struct tomb *t = c->tombs; t; t = t->next) {
        fl_jw_arr(w, NULL);
        write_fp(w, NULL, t->key.fingerprint);
        fl_jw_int(w, NULL, t->key.starts_at);
        fl_jw_int(w, NULL, t->until);
        fl_jw_arr_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

/* ---- reading ---- */

static int64_t int_at(const struct fl_json *arr, size_t i)
{
    return (int64_t)fl_json_number(fl_json_at(arr, i), 0);
}

/* Object of strings → labels in the arena. */
static struct fl_labels read_labels(struct fl_arena *a, const struct fl_json *obj)
{
    size_t n = 0;
    for (void *it = fl_json_first(obj); it; it = fl_json_next(obj, it))
        n++;
    struct fl_label *v = fl_arena_calloc(a, n ? n : 1, sizeof *v);
    FL_REQUIRE(v != NULL);
    size_t k = 0;
    for (void *it = fl_json_first(obj); it; it = fl_json_next(obj, it))
        v[k++] = (struct fl_label){fl_json_key(it), fl_json_string(fl_json_value(it))};
    return (struct fl_labels){v, fl_labels_normalise(v, k)};
}

static void copy_text(char **slot, const struct fl_json *v, const char *key)
{
    set_text(slot, fl_json_str(v, key, NULL));
}

static void read_episode(struct fl_corr *c, struct fl_arena *tmp, const struct fl_json *v,
                         struct fl_topo *topo)
{
    struct fl_alert a = {.labels = read_labels(tmp, fl_json_get(v, "labels")),
                         .annotations = read_labels(tmp, fl_json_get(v, "annotations")),
                         .starts_at = fl_json_int(v, "starts", 0),
                         .ends_at = fl_json_int(v, "ends", 0),
                         .lease_until = fl_json_int(v, "lease", 0),
                         .received_at = fl_json_int(v, "received", 0),
                         .generator_url = fl_json_str(v, "url", "")};
    a.status = (fl_alert_status)fl_json_int(v, "status", 0);
    a.fingerprint = fl_labels_fingerprint(&a.labels);
    struct episode *e = fl_core_alloc(1, sizeof *e);
    e->key = (struct ep_key){a.fingerprint, a.starts_at};
    e->alert = fl_pool_alert(c->pool, &a);
    e->status = a.status;
    e->cls = (fl_evidence_class)fl_json_int(v, "class", 0);
    e->severity = (fl_severity)fl_json_int(v, "severity", 0);
    e->updated_at = fl_json_int(v, "updated", 0);
    episode_text(c, &e->node_id, fl_json_str(v, "node", NULL));
    episode_text(c, &e->peer_id, fl_json_str(v, "peer", NULL));
    episode_text(c, &e->map_rule, fl_json_str(v, "rule", NULL));
    episode_text(c, &e->source, fl_json_str(v, "source", NULL));
    episode_text(c, &e->joined, fl_json_str(v, "joined", NULL));
    episode_text(c, &e->quiet, fl_json_str(v, "quiet", NULL));
    episode_text(c, &e->silenced_by, fl_json_str(v, "silenced_by", NULL));
    if (!fl_fingerprint_parse(fl_json_str(v, "inhibited_by", ""), &e->inhibited_by))
        e->inhibited_by = 0;
    e->node = e->node_id && topo ? fl_topo_find(topo, e->node_id) : -1;
    e->peer = e->peer_id && topo ? fl_topo_find(topo, e->peer_id) : -1;
    hold_read(c, e, fl_json_get(v, "hold"));
    episode_insert(c, e);
}

static fl_status read_members(struct fl_corr *c, struct incident *i, const struct fl_json *list,
                              struct fl_err *err)
{
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *pair = fl_json_at(list, k);
        struct ep_key key = {0, int_at(pair, 1)};
        struct episode *e = NULL;
        if (fl_fingerprint_parse(fl_json_string(fl_json_at(pair, 0)), &key.fingerprint))
            e = episode_find(c, &key);
        if (!e)
            return fl_fail(err, FL_E_CORRUPT, i->pub.id,
                           "the snapshot's incident names an alert it does not hold");
        e->incident = i;
        e->prev = i->tail;
        if (i->tail)
            i->tail->next = e;
        else
            i->head = e;
        i->tail = e;
        i->pub.alerts_total++;
        i->pub.alerts_firing += e->status == FL_ALERT_FIRING;
        i->pub.alerts_stale += e->status == FL_ALERT_STALE;
        if (e->node_id) {
            struct part *p = incident_part(i, e->node_id, e->node);
            p->total++;
            p->firing += is_live(e);
        }
    }
    return FL_OK;
}

static fl_status read_incident(struct fl_corr *c, const struct fl_json *v, struct fl_err *err)
{
    struct incident *i = incident_new(c, (uint64_t)fl_json_int(v, "number", 0),
                                      atoi(fl_json_str(v, "id", "INC-0") + 4));
    struct fl_incident *p = &i->pub;
    p->state = (fl_incident_state)fl_json_int(v, "state", 0);
    p->severity = (fl_severity)fl_json_int(v, "severity", 0);
    p->opened_at = fl_json_int(v, "opened", 0);
    p->updated_at = fl_json_int(v, "updated", 0);
    p->last_alert_at = fl_json_int(v, "last_alert", 0);
    p->recovering_at = fl_json_int(v, "recovering", 0);
    p->resolved_at = fl_json_int(v, "resolved", 0);
    p->mapped = fl_json_bool(v, "mapped", false);
    p->closed_out = fl_json_bool(v, "closed_out", false);
    p->rank_due = fl_json_int(v, "rank_due", 0);
    p->ranked_at = fl_json_int(v, "ranked_at", 0);
    p->rankings = (unsigned)fl_json_int(v, "rankings", 0);
    p->confidence = fl_json_real(v, "confidence", 0);
    copy_text(&p->title, v, "title");
    copy_text(&p->reason, v, "reason");
    copy_text(&p->cause, v, "cause");
    copy_text(&p->no_playbook, v, "no_playbook");
    copy_text(&p->acked_by, v, "acked_by");
    copy_text(&p->assignee, v, "assignee");
    copy_text(&p->merged_into, v, "merged_into");
    copy_text(&i->group, v, "group");
    if (i->group) {
        struct incident *old;
        HASH_FIND(hh_group, c->by_group, i->group, strlen(i->group), old);
        if (old)
            HASH_DELETE(hh_group, c->by_group, old);
        HASH_ADD_KEYPTR(hh_group, c->by_group, i->group, strlen(i->group), i);
    }
    return read_members(c, i, fl_json_get(v, "alerts"), err);
}

static void read_tombs(struct fl_corr *c, const struct fl_json *v)
{
    uint64_t fp;
    const struct fl_json *list = fl_json_get(v, "tombs");
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *t = fl_json_at(list, k);
        if (fl_fingerprint_parse(fl_json_string(fl_json_at(t, 0)), &fp))
            tomb_add(c, fp, int_at(t, 1), int_at(t, 2));
    }
    list = fl_json_get(v, "passed");
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *x = fl_json_at(list, k);
        if (fl_fingerprint_parse(fl_json_string(fl_json_at(x, 0)), &fp))
            passed_add(c, fp, int_at(x, 1), int_at(x, 2), int_at(x, 3));
    }
}

/* A snapshot of before pairs were known has none: each episode has one start then. */
static void read_pairs(struct fl_corr *c, const struct fl_json *list)
{
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *v = fl_json_at(list, k);
        struct ep_key key = {0, int_at(v, 1)};
        struct episode *e = NULL;
        if (fl_fingerprint_parse(fl_json_string(fl_json_at(v, 0)), &key.fingerprint))
            e = episode_find(c, &key);
        struct pair *p = e ? pair_new(c, e) : NULL;
        for (size_t i = 2; p && i < fl_json_len(v) && p->n < HALVES_MAX; i++) {
            const struct fl_json *h = fl_json_at(v, i);
            p->v[p->n++] = (struct half){int_at(h, 0), int_at(h, 1), (fl_alert_status)int_at(h, 2),
                                         int_at(h, 3) != 0};
        }
    }
}

static struct incident *by_number(struct fl_corr *c, uint64_t number)
{
    for (struct incident *i = c->first; i; i = i->next)
        if (i->pub.number == number)
            return i;
    return NULL;
}

fl_status fl_corr_read(struct fl_corr *c, const struct fl_json *v, struct fl_topo *topo,
                       const struct fl_rules *rules, struct fl_err *err)
{
    FL_AUTO_ARENA tmp = fl_arena_new(0);
    FL_REQUIRE(tmp != NULL);
    c->next_number = (uint64_t)fl_json_int(v, "next", 1);
    const struct fl_json *st = fl_json_get(v, "stats");
    uint64_t *counters[] = {&c->stats.episodes, &c->stats.repeats,    &c->stats.late,
                            &c->stats.unmapped, &c->stats.opened,     &c->stats.merged,
                            &c->stats.resolved, &c->stats.suppressed, &c->stats.flaps};
    for (size_t k = 0; k < FL_ARRAY_LEN(counters); k++)
        *counters[k] = (uint64_t)int_at(st, k);
    const struct fl_json *list = fl_json_get(v, "episodes");
    for (size_t k = 0; k < fl_json_len(list); k++)
        read_episode(c, tmp, fl_json_at(list, k), topo);
    list = fl_json_get(v, "incidents");
    for (size_t k = 0; k < fl_json_len(list); k++) {
        fl_status rc = read_incident(c, fl_json_at(list, k), err);
        if (rc != FL_OK)
            return rc;
    }
    c->n_vertices = topo ? fl_topo_n_nodes(topo) : 0;
    free(c->at_vertex);
    c->at_vertex = fl_core_alloc(c->n_vertices, sizeof *c->at_vertex);
    list = fl_json_get(v, "at");
    for (size_t k = 0; k < fl_json_len(list); k++) {
        int64_t at = int_at(fl_json_at(list, k), 0);
        if (at >= 0 && (size_t)at < c->n_vertices)
            c->at_vertex[at] = by_number(c, (uint64_t)int_at(fl_json_at(list, k), 1));
    }
    read_tombs(c, v);
    read_pairs(c, fl_json_get(v, "pairs"));
    for (const struct episode *e = c->episodes; e; e = e->later)
        c->held += is_live(e) && !e->incident;
    flaps_read(c, fl_json_get(v, "flaps"));
    c->holds = (uint64_t)fl_json_int(v, "holds", 0);
    quiet_index(c, rules);
    holds_restored(c, rules);
    /* What the index calls for has been done in the step before the snapshot. */
    settle_nobody(c);
    upstream_not(c);
    c->topo = topo;
    teams_read(c, fl_json_get(v, "teams"));
    fl_status rc = windows_read(c, v, rules, err);
    return rc != FL_OK ? rc : silences_read(c, fl_json_get(v, "silences"), err);
}
