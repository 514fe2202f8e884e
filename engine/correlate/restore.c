/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/restore.c -- the records of snapshot.c become the state again. */
#include "correlate_priv.h"
#include "snapshot_priv.h"

#include <faultline/json.h>
#include <stdlib.h>
#include <string.h>

/* While it is read. */
struct corr_load {
    struct fl_json *head;
    const char **texts; /* by number, each kept once for this list */
    struct incident **incidents;
    struct fl_label *labels; /* of the alert under way */
    size_t n_texts, texts_cap, n_incidents, incidents_cap, labels_cap;
    fl_usec base;
};

void restore_free(struct fl_corr *c)
{
    struct corr_load *l = c->load;
    if (!l)
        return;
    for (size_t k = 0; k < l->n_texts; k++)
        fl_pool_drop(c->pool, l->texts[k]);
    fl_json_free(l->head);
    free(l->texts);
    free(l->incidents);
    free(l->labels);
    free(l);
    c->load = NULL;
}

static void *grown(void *v, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return v;
    *cap = n + n / 2 + 64;
    v = realloc(v, *cap * size);
    FL_REQUIRE(v != NULL);
    return v;
}

/* ---- values ---- */

static const char *get_text(struct fl_corr *c, struct fl_unpack *u)
{
    struct corr_load *l = c->load;
    uint64_t code = fl_unpack_u64(u);
    if (code == TEXT_NONE)
        return NULL;
    if (code >= TEXT_NUMBERED) {
        code -= TEXT_NUMBERED;
        u->bad |= code >= l->n_texts;
        if (u->bad)
            return NULL;
        fl_pool_again(l->texts[code]);
        return l->texts[code];
    }
    const char *text = fl_unpack_text(u, NULL);
    u->bad |= !text;
    if (u->bad)
        return NULL;
    text = fl_pool_keep(c->pool, text);
    if (code == TEXT_FIRST) {
        l->texts = grown(l->texts, l->n_texts, &l->texts_cap, sizeof *l->texts);
        fl_pool_again(text);
        l->texts[l->n_texts++] = text;
    }
    return text;
}

static fl_usec get_time(struct fl_unpack *u, fl_usec from)
{
    return fl_unpack_u64(u) ? fl_unpack_after(u, from) : 0;
}

static struct ep_key get_start(struct fl_corr *c, struct fl_unpack *u)
{
    struct ep_key key = {.fingerprint = fl_unpack_hash(u)};
    key.starts_at = c->load->base = fl_unpack_after(u, c->load->base);
    return key;
}

/* A number below `limit`. */
static unsigned get_below(struct fl_unpack *u, unsigned limit)
{
    uint64_t v = fl_unpack_u64(u);
    u->bad |= v >= limit;
    return u->bad ? 0 : (unsigned)v;
}

/* Into the list of the alert under way, from `from`. @return how many. */
static size_t get_labels(struct fl_corr *c, struct fl_unpack *u, size_t from)
{
    struct corr_load *l = c->load;
    size_t n = fl_unpack_count(u);
    for (size_t i = 0; i < n; i++) {
        l->labels = grown(l->labels, from + i, &l->labels_cap, sizeof *l->labels);
        struct fl_label *v = &l->labels[from + i];
        v->name = get_text(c, u);
        v->value = get_text(c, u);
        if (!v->name ||
            !v->value) { /* of a record that is bad, whoever frees the state frees the pool, too */
            u->bad = true;
            return 0;
        }
    }
    return n;
}

static void get_hold(struct episode *e, struct fl_unpack *u)
{
    if (!fl_unpack_u64(u))
        return;
    struct hold *h = hold_of(e);
    h->kind = (enum hold_kind)get_below(u, HOLD_N);
    h->since = get_time(u, e->key.starts_at);
    h->until = get_time(u, e->key.starts_at);
    h->n = fl_unpack_u64(u);
    h->through = fl_unpack_u64(u) != 0;
    h->waited = fl_unpack_u64(u) != 0;
    h->flap = fl_core_strdup(fl_unpack_text(u, NULL));
    h->window = fl_core_strdup(fl_unpack_text(u, NULL));
}

/* ---- records ---- */

static struct incident *get_incident_ref(struct fl_corr *c, struct fl_unpack *u)
{
    uint64_t ordinal = fl_unpack_u64(u);
    u->bad |= ordinal > c->load->n_incidents;
    return u->bad || !ordinal ? NULL : c->load->incidents[ordinal - 1];
}

static void read_alert(struct fl_corr *c, struct fl_unpack *u, struct episode *e, struct fl_alert *a)
{
    size_t n = get_labels(c, u, 0), m = get_labels(c, u, n);
    a->labels = (struct fl_labels){c->load->labels, n};
    a->annotations = (struct fl_labels){c->load->labels + n, m};
    a->fingerprint = e->key.fingerprint;
    a->starts_at = e->key.starts_at;
    a->status = e->status;
    if (!a->generator_url)
        a->generator_url = fl_pool_keep(c->pool, "");
    e->alert = fl_pool_adopt_alert(a);
}

static void read_episode(struct fl_corr *c, struct fl_unpack *u, struct fl_topo *topo)
{
    struct episode *e = fl_core_alloc(1, sizeof *e);
    e->row = ROW_SAME; /* the step that made it wrote its row */
    struct fl_alert a = {0};
    e->key = get_start(c, u);
    e->status = (fl_alert_status)get_below(u, FL_ALERT_STALE + 1);
    e->cls = (fl_evidence_class)get_below(u, FL_EC_N);
    e->severity = (fl_severity)get_below(u, FL_SEV_CRITICAL + 1);
    struct incident *i = get_incident_ref(c, u);
    a.ends_at = get_time(u, e->key.starts_at);
    a.lease_until = get_time(u, e->key.starts_at);
    a.received_at = get_time(u, e->key.starts_at);
    e->updated_at = get_time(u, a.received_at);
    const char **const texts[] = {&e->node_id, &e->peer_id,     &e->map_rule, &e->source,
                                  &e->joined,  &e->silenced_by, &e->quiet,    &a.generator_url};
    for (size_t k = 0; k < FL_ARRAY_LEN(texts); k++)
        *texts[k] = get_text(c, u);
    if (fl_unpack_u64(u))
        e->inhibited_by = fl_unpack_hash(u);
    read_alert(c, u, e, &a);
    e->node = e->node_id && topo ? fl_topo_find(topo, e->node_id) : -1;
    e->peer = e->peer_id && topo ? fl_topo_find(topo, e->peer_id) : -1;
    get_hold(e, u);
    if (fl_unpack_more(u))
        e->kept_by = get_text(c, u);
    episode_insert(c, e);
    if (i)
        incident_link(i, e);
}

static void read_incident(struct fl_corr *c, struct fl_unpack *u)
{
    struct corr_load *l = c->load;
    uint64_t number = fl_unpack_u64(u);
    const char *id = fl_unpack_text(u, NULL);
    if (u->bad || !id || strlen(id) < 8) {
        u->bad = true;
        return;
    }
    struct incident *i = incident_new(c, number, atoi(id + 4));
    struct fl_incident *p = &i->pub;
    l->incidents = grown(l->incidents, l->n_incidents, &l->incidents_cap, sizeof *l->incidents);
    l->incidents[l->n_incidents++] = i;
    p->state = (fl_incident_state)get_below(u, FL_INC_N);
    p->severity = (fl_severity)get_below(u, FL_SEV_CRITICAL + 1);
    p->opened_at = fl_unpack_i64(u);
    fl_usec *const times[] = {&p->updated_at,  &p->last_alert_at, &p->recovering_at,
                              &p->resolved_at, &p->rank_due,      &p->ranked_at};
    for (size_t k = 0; k < FL_ARRAY_LEN(times); k++)
        *times[k] = get_time(u, p->opened_at);
    p->mapped = fl_unpack_u64(u) != 0;
    p->closed_out = fl_unpack_u64(u) != 0;
    p->rankings = (unsigned)fl_unpack_u64(u);
    uint64_t confidence = fl_unpack_hash(u);
    memcpy(&p->confidence, &confidence, sizeof p->confidence);
    char **const texts[] = {&p->title,    &p->reason,   &p->cause,       &p->no_playbook,
                            &p->acked_by, &p->assignee, &p->merged_into, &i->group};
    for (size_t k = 0; k < FL_ARRAY_LEN(texts); k++)
        set_text(texts[k], fl_unpack_text(u, NULL));
    i->by_hand = fl_unpack_more(u) && fl_unpack_u64(u);
    p->reopened = fl_unpack_more(u) ? (unsigned)fl_unpack_u64(u) : 0;
    if (i->group) {
        struct incident *old;
        HASH_FIND(hh_group, c->by_group, i->group, strlen(i->group), old);
        if (old)
            HASH_DELETE(hh_group, c->by_group, old);
        HASH_ADD_KEYPTR(hh_group, c->by_group, i->group, strlen(i->group), i);
    }
}

static void read_order(struct fl_corr *c, struct fl_unpack *u)
{
    struct incident *i = get_incident_ref(c, u);
    if (fl_unpack_u64(u) && i) {
        for (struct episode *e = i->head; e; e = e->next)
            e->incident = NULL; /* until it is named */
        i->head = i->tail = NULL;
    }
    while (i && fl_unpack_more(u)) {
        struct ep_key key = get_start(c, u);
        struct episode *e = episode_find(c, &key);
        u->bad |= !e || e->incident;
        if (!u->bad)
            incident_link(i, e);
    }
}

static void read_place(struct fl_corr *c, struct fl_unpack *u)
{
    uint64_t v = fl_unpack_u64(u);
    struct incident *i = get_incident_ref(c, u);
    if (v < c->n_vertices)
        vertex_set(c, (fl_vertex)v, i);
}

static void read_pair(struct fl_corr *c, struct fl_unpack *u)
{
    struct ep_key key = get_start(c, u);
    struct episode *e = episode_find(c, &key);
    struct pair *p = e ? pair_new(c, e) : NULL;
    u->bad |= !p;
    while (fl_unpack_more(u) && p->n < HALVES_MAX) {
        struct half *h = &p->v[p->n++];
        h->starts_at = fl_unpack_after(u, key.starts_at);
        h->ends_at = get_time(u, key.starts_at);
        h->status = (fl_alert_status)get_below(u, FL_ALERT_STALE + 1);
        h->for_all = fl_unpack_u64(u) != 0;
    }
}

static void read_gone(struct fl_corr *c, struct fl_unpack *u, bool passed)
{
    struct ep_key key = get_start(c, u);
    fl_usec ends_at = passed ? get_time(u, key.starts_at) : 0, until = get_time(u, key.starts_at);
    if (u->bad)
        return;
    if (passed)
        passed_add(c, key.fingerprint, key.starts_at, ends_at, until);
    else
        tomb_add(c, key.fingerprint, key.starts_at, until, fl_unpack_more(u) && fl_unpack_u64(u));
}

enum { EXPECT_MAX = 1 << 24 };

/* Only to save growing step by step: a wrong number costs time, or memory for nothing. */
static size_t expected(const struct fl_json *head, const char *what)
{
    int64_t n = fl_json_int(head, what, 0);
    return n < 0 ? 0 : n > EXPECT_MAX ? EXPECT_MAX : (size_t)n;
}

static void read_head(struct fl_corr *c, struct fl_unpack *u, struct fl_topo *topo, struct fl_err *err)
{
    size_t n;
    const char *text = fl_unpack_text(u, &n);
    struct fl_json *head = text && !c->load->head ? fl_json_parse(text, n, err) : NULL;
    if (!head) {
        u->bad = true;
        return;
    }
    c->load->head = head;
    c->next_number = (uint64_t)fl_json_int(head, "next", 1);
    c->holds = (uint64_t)fl_json_int(head, "holds", 0);
    table_expect(&c->by_key, expected(head, "episodes"));
    table_expect(&c->newest, expected(head, "episodes"));
    fl_pool_expect(c->pool, expected(head, "texts"));
    const struct fl_json *st = fl_json_get(head, "stats");
    uint64_t *const counters[] = {&c->stats.episodes, &c->stats.repeats,    &c->stats.late,
                                  &c->stats.unmapped, &c->stats.opened,     &c->stats.merged,
                                  &c->stats.resolved, &c->stats.suppressed, &c->stats.flaps};
    for (size_t k = 0; k < FL_ARRAY_LEN(counters); k++)
        *counters[k] = (uint64_t)fl_json_number(fl_json_at(st, k), 0);
    vertices_reset(c, topo ? fl_topo_n_nodes(topo) : 0);
}

fl_status fl_corr_load(struct fl_corr *c, char kind, struct fl_unpack *u, struct fl_topo *topo,
                       struct fl_err *err)
{
    if (!c->load)
        c->load = fl_core_alloc(1, sizeof *c->load);
    u->bad |= kind != REC_CORRELATION && !c->load->head;
    if (!u->bad)
        switch ((enum record)kind) {
        case REC_CORRELATION: read_head(c, u, topo, err); break;
        case REC_INCIDENT: read_incident(c, u); break;
        case REC_EPISODE: read_episode(c, u, topo); break;
        case REC_ORDER: read_order(c, u); break;
        case REC_PLACE: read_place(c, u); break;
        case REC_PAIR: read_pair(c, u); break;
        case REC_PASSED: read_gone(c, u, true); break;
        case REC_TOMB: read_gone(c, u, false); break;
        case REC_FLAP: flap_read(c, u); break;
        default: u->bad = true;
        }
    if (!u->bad)
        return FL_OK;
    fl_err_clear(err);
    return fl_fail(err, FL_E_CORRUPT, "snapshot", "a record of kind %.1s does not hold", (char[]){kind, 0});
}

/* Counts follow from the members. */
static void count_members(struct incident *i)
{
    for (const struct episode *e = i->head; e; e = e->next) {
        i->pub.alerts_total++;
        i->pub.alerts_firing += e->status == FL_ALERT_FIRING;
        i->pub.alerts_stale += e->status == FL_ALERT_STALE;
        if (!e->node_id)
            continue;
        struct part *p = incident_part(i, e->node_id, e->node);
        p->total++;
        p->firing += is_live(e);
    }
}

fl_status fl_corr_loaded(struct fl_corr *c, struct fl_topo *topo, const struct fl_rules *rules,
                         struct fl_err *err)
{
    if (!c->load || !c->load->head)
        return fl_fail(err, FL_E_CORRUPT, "snapshot", "it holds no incidents part");
    for (struct incident *i = c->first; i; i = i->next)
        count_members(i);
    for (const struct episode *e = order_first(c); e; e = order_later(e))
        c->held += is_live(e) && !e->incident;
    quiet_index(c, rules);
    holds_restored(c, rules);
    /* What the index calls for has been done in the step before the snapshot. */
    settle_nobody(c);
    upstream_not(c);
    c->topo = topo;
    services_reset(c);
    due_restored(c, rules);
    const struct fl_json *head = c->load->head;
    teams_read(c, head);
    fl_status st = windows_read(c, head, rules, err);
    if (st == FL_OK)
        st = silences_read(c, fl_json_get(head, "silences"), err);
    if (st == FL_OK)
        reminders_read(c, rules, fl_json_get(head, "reminders"));
    restore_free(c);
    return st;
}
