/* SPDX-License-Identifier: GPL-3.0-or-later */
/* history.c -- how often each alert was part of past incidents, and how many alerts of each kind a unit
 * usually has in one. Counts only: no labels of truth. Sums are integers, so that learning in any order and
 * taking an incident out again is exact. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <faultline/json.h>

#include "rank_internal.h"

enum {
    AGE_AT = 2000,        /* incidents after which every count is halved: older ones fade */
    ENTRIES_MAX = 1 << 20 /* keys; beyond it everything is halved early and what reaches 0 goes */
};

struct entry {
    uint64_t key;         /* 0 = free */
    int32_t n;            /* incidents it was seen in */
    int64_t sum, squares; /* of log1p(count) in thousandths; units' kinds only */
};
struct fl_history {
    struct entry *slot;
    size_t cap, used;
    int64_t incidents;
};

struct fl_history *fl_history_new(void)
{
    struct fl_history *h = calloc(1, sizeof *h);
    if (h && !(h->slot = calloc(h->cap = 256, sizeof *h->slot))) {
        free(h);
        return NULL;
    }
    return h;
}

struct fl_history *fl_history_free(struct fl_history *h)
{
    if (h)
        free(h->slot);
    free(h);
    return NULL;
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    return x ? x : 1;
}

/* Labels that hold a reading, not an identity: an alert that says it again with another number is the same. */
static bool is_reading(const char *name)
{
    static const char *const names[] = {"count", "value", "current", "current_value", "observed", "samples"};
    for (size_t i = 0; i < FL_ARRAY_LEN(names); i++)
        if (strcasecmp(name, names[i]) == 0)
            return true;
    return false;
}

uint64_t fl_history_identity(const struct fl_alert *a)
{
    uint64_t h = FL_FNV1A_INIT;
    bool any = false;
    for (size_t i = 0; i < a->labels.n && !any; i++)
        any = is_reading(a->labels.v[i].name);
    if (!any)
        return a->fingerprint;
    for (size_t i = 0; i < a->labels.n; i++)
        if (!is_reading(a->labels.v[i].name)) {
            h = fl_fnv1a(h, a->labels.v[i].name, strlen(a->labels.v[i].name) + 1);
            h = fl_fnv1a(h, a->labels.v[i].value, strlen(a->labels.v[i].value) + 1);
        }
    return h;
}

static uint64_t alert_key(uint64_t fingerprint)
{
    return mix(fingerprint);
}

uint64_t fl_history_saying(const struct fl_alert *a)
{
    static const char *const labels[] = {"alertname", "metric", "direction", "template"};
    uint64_t h = FL_FNV1A_INIT;
    for (size_t i = 0; i < FL_ARRAY_LEN(labels); i++) {
        const char *v = fl_label_get(&a->labels, labels[i]);
        h = fl_fnv1a(h, v, strlen(v) + 1);
    }
    return h;
}

static uint64_t saying_key(const struct fl_alert *a)
{
    return mix(fl_history_saying(a) ^ UINT64_C(0x5a71c6d3e8f2904b));
}

/* Incidents whose sayings were counted: a history from before that has fewer of them. */
#define SAID_INCIDENTS_KEY UINT64_C(0x1f3d5b79a8c6e402)

static uint64_t kind_key(const char *group, enum fl_kind kind)
{
    return mix(fl_fnv1a(FL_FNV1A_INIT, group, strlen(group)) + 0x51ed2701u * ((uint64_t)kind + 1));
}

static struct entry *probe(struct entry *slot, size_t cap, uint64_t key)
{
    size_t i = (size_t)(key * UINT64_C(0xff51afd7ed558ccd) >> 20) & (cap - 1);
    while (slot[i].key && slot[i].key != key)
        i = (i + 1) & (cap - 1);
    return &slot[i];
}

static const struct entry *find(const struct fl_history *h, uint64_t key)
{
    const struct entry *e = probe(h->slot, h->cap, key);
    return e->key ? e : NULL;
}

static bool rehash(struct fl_history *h, size_t cap)
{
    struct entry *slot = calloc(cap, sizeof *slot);
    if (!slot)
        return false;
    h->used = 0;
    for (size_t i = 0; i < h->cap; i++)
        if (h->slot[i].key && (h->slot[i].n || h->slot[i].sum)) {
            *probe(slot, cap, h->slot[i].key) = h->slot[i];
            h->used++;
        }
    free(h->slot);
    h->slot = slot;
    h->cap = cap;
    return true;
}

static bool age(struct fl_history *h)
{
    for (size_t i = 0; i < h->cap; i++) {
        h->slot[i].n /= 2;
        h->slot[i].sum = h->slot[i].n ? h->slot[i].sum / 2 : 0;
        h->slot[i].squares = h->slot[i].n ? h->slot[i].squares / 2 : 0;
    }
    h->incidents /= 2;
    return rehash(h, h->cap);
}

static struct entry *need(struct fl_history *h, uint64_t key)
{
    if (4 * (h->used + 1) > 3 * h->cap && !rehash(h, 2 * h->cap))
        return NULL;
    struct entry *e = probe(h->slot, h->cap, key);
    if (!e->key) {
        e->key = key;
        h->used++;
    }
    return e;
}

static int by_fingerprint(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Each key once, however often the incident holds it. */
static fl_status learn_keys(struct fl_history *h, uint64_t *key, size_t n, int sign)
{
    if (n > 1)
        qsort(key, n, sizeof *key, by_fingerprint);
    for (size_t i = 0; i < n; i++) {
        if (i && key[i] == key[i - 1])
            continue;
        struct entry *e = need(h, key[i]);
        if (!e)
            return FL_E_NOMEM;
        e->n += sign;
    }
    return FL_OK;
}

static fl_status learn_alerts(struct fl_history *h, struct fl_arena *arena,
                              const struct fl_rank_alert *alerts, size_t n, int sign)
{
    uint64_t *key = fl_arena_alloc(arena, (n + 1) * sizeof *key), said = SAID_INCIDENTS_KEY;
    if (!key)
        return FL_E_NOMEM;
    for (size_t i = 0; i < n; i++)
        key[i] = alert_key(fl_history_identity(alerts[i].alert));
    fl_status st = learn_keys(h, key, n, sign);
    for (size_t i = 0; i < n; i++)
        key[i] = saying_key(alerts[i].alert);
    if (!st)
        st = learn_keys(h, key, n, sign);
    return st ? st : learn_keys(h, &said, 1, sign);
}

static int64_t thousandths(uint32_t n)
{
    return llround(1000 * log1p(n));
}

static fl_status learn_kinds(struct fl_history *h, const struct fl_evidence *ev, int sign)
{
    for (size_t g = 0; g < ev->n_groups; g++)
        for (int k = 0; k < FL_K_N; k++) {
            uint32_t n = ev->groups[g].kind_n[k];
            if (!n)
                continue;
            struct entry *e = need(
                h, kind_key(fl_topo_node(ev->in->topo, ev->groups[g].vertex)->id, (enum fl_kind)k));
            if (!e)
                return FL_E_NOMEM;
            int64_t v = thousandths(n);
            e->n += sign;
            e->sum += sign * v;
            e->squares += sign * v * v;
        }
    return FL_OK;
}

static fl_status change(struct fl_history *h, const struct fl_topo *t, const struct fl_rank_alert *alerts,
                        size_t n, int sign)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    /* Counting asks no walk of the graph, so the snapshot stays as it is. */
    struct fl_rank_input in = {.topo = (struct fl_topo *)t, .alerts = alerts, .n_alerts = n, .entry = -1};
    struct fl_evidence ev;
    fl_status st = arena ? fl_evidence_build(arena, &in, SIZE_MAX, NULL, &ev, NULL) : FL_E_NOMEM;
    if (!st)
        st = learn_alerts(h, arena, alerts, n, sign);
    if (!st)
        st = learn_kinds(h, &ev, sign);
    if (st)
        return st;
    h->incidents += sign;
    if ((h->incidents >= AGE_AT || h->used >= ENTRIES_MAX) && sign > 0 && !age(h))
        return FL_E_NOMEM;
    return FL_OK;
}

fl_status fl_history_learn(struct fl_history *h, const struct fl_topo *t, const struct fl_rank_alert *alerts,
                           size_t n, fl_usec at)
{
    (void)at; /* fading goes by number of incidents, not by time: the same in every replay */
    return change(h, t, alerts, n, 1);
}

fl_status fl_history_forget(struct fl_history *h, const struct fl_topo *t, const struct fl_rank_alert *alerts,
                            size_t n)
{
    return change(h, t, alerts, n, -1);
}

double fl_history_incidents(const struct fl_history *h)
{
    return h ? (double)h->incidents : 0;
}

/* 1 = in none of so many incidents, 0 = in every one. */
static double rarity_of(double incidents, const struct entry *e)
{
    double most = log((incidents + 1) / 0.5);
    double r = log((incidents + 1) / ((e ? (double)e->n : 0) + 0.5)) / most;
    return r > 0 ? r : 0;
}

double fl_history_rarity(const struct fl_history *h, uint64_t identity)
{
    return h && h->incidents > 0 ? rarity_of((double)h->incidents, find(h, alert_key(identity))) : 1;
}

double fl_history_unsaid(const struct fl_history *h, const struct fl_alert *a)
{
    const struct entry *all = h ? find(h, SAID_INCIDENTS_KEY) : NULL;
    return all && all->n > 0 ? rarity_of((double)all->n, find(h, saying_key(a))) : 1;
}

double fl_history_surprise(const struct fl_history *h, const char *group, enum fl_kind kind, uint32_t n)
{
    if (!h || h->incidents < 5)
        return 0;
    const struct entry *e = find(h, kind_key(group, kind));
    double incidents = (double)h->incidents, mean = 0, var = 0;
    if (e) {
        mean = (double)e->sum / 1000 / incidents;
        var = (double)e->squares / 1e6 / incidents - mean * mean;
    }
    double z = (log1p(n) - mean) / sqrt((var > 0 ? var : 0) + 0.05);
    return z < -4 ? -4 : z > 6 ? 6 : z;
}

static int by_key(const void *a, const void *b)
{
    return by_fingerprint(&((const struct entry *)a)->key, &((const struct entry *)b)->key);
}

void fl_history_write(const struct fl_history *h, struct fl_jw *w, const char *key)
{
    char hex[17];
    FL_AUTO_FREE struct entry *sorted = malloc((h->used + 1) * sizeof *sorted);
    size_t n = 0;
    FL_REQUIRE(sorted);
    for (size_t i = 0; i < h->cap; i++)
        if (h->slot[i].key && (h->slot[i].n || h->slot[i].sum))
            sorted[n++] = h->slot[i];
    qsort(sorted, n, sizeof *sorted, by_key);
    fl_jw_obj(w, key);
    fl_jw_int(w, "incidents", h->incidents);
    fl_jw_arr(w, "entries"); /* [key, incidents, sum, squares] */
    for (size_t i = 0; i < n; i++) {
        fl_jw_arr(w, NULL);
        fl_jw_str(w, NULL, fl_fingerprint_hex(sorted[i].key, hex));
        fl_jw_int(w, NULL, sorted[i].n);
        fl_jw_int(w, NULL, sorted[i].sum);
        fl_jw_int(w, NULL, sorted[i].squares);
        fl_jw_arr_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

fl_status fl_history_read(struct fl_history *h, const struct fl_json *v, struct fl_err *err)
{
    const struct fl_json *list = v ? fl_json_get(v, "entries") : NULL;
    if (!v || !list || !fl_json_is_array(list))
        return fl_fail(err, FL_E_CORRUPT, "history", "needs entries");
    memset(h->slot, 0, h->cap * sizeof *h->slot);
    h->used = 0;
    h->incidents = fl_json_int(v, "incidents", 0);
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *row = fl_json_at(list, i);
        uint64_t key;
        const char *hex = fl_json_string(fl_json_at(row, 0));
        if (fl_json_len(row) != 4 || !hex || !fl_fingerprint_parse(hex, &key) || !key)
            return fl_fail(err, FL_E_CORRUPT, "history", "entry %zu is damaged", i);
        struct entry *e = need(h, key);
        if (!e)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        e->n = (int32_t)fl_json_number(fl_json_at(row, 1), 0);
        e->sum = (int64_t)fl_json_number(fl_json_at(row, 2), 0);
        e->squares = (int64_t)fl_json_number(fl_json_at(row, 3), 0);
    }
    return FL_OK;
}
