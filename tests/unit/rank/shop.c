/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shop.c -- contract in shop.h. */
#include "shop.h"

#include <stdlib.h>
#include <string.h>

struct fl_topo *shop_topology(void)
{
    static const struct fl_node nodes[] = {
        {.id = "web", .type = "service"},
        {.id = "cart", .type = "service"},
        {.id = "catalog", .type = "service"},
        {.id = "search", .type = "service"},
        {.id = "redis", .type = "store"},
        {.id = "db", .type = "store"},
        {.id = "catalog-0", .type = "instance", .service = "catalog"},
        {.id = "catalog-1", .type = "instance", .service = "catalog"},
        {.id = "host1", .type = "host"},
        {.id = "host2", .type = "host"},
    };
    static const struct fl_edge edges[] = {
        {"web", "cart", "calls", 1},
        {"web", "catalog", "calls", 1},
        {"web", "search", "calls", 1},
        {"cart", "redis", "data", 1},
        {"catalog", "db", "data", 1},
        {"search", "db", "data", 1},
        {"catalog", "catalog-0", "has_instance", 1},
        {"catalog", "catalog-1", "has_instance", 1},
        {"catalog-0", "host1", "runs_on", 1},
        {"catalog-1", "host2", "runs_on", 1},
        {"db", "host1", "runs_on", 1},
    };
    struct fl_topo *t = NULL;
    const struct fl_topology_doc doc = {nodes, FL_ARRAY_LEN(nodes), edges, FL_ARRAY_LEN(edges), {{0}}};
    assert_int_equal(fl_topo_new(&doc, &t, NULL), FL_OK);
    return t;
}

void shop_alert(struct shop *s, const char *name, const char *component, const char *caller,
                fl_evidence_class cls, int after)
{
    struct fl_label *l = fl_arena_calloc(s->arena, 4, sizeof *l);
    struct fl_alert *a = fl_arena_calloc(s->arena, 1, sizeof *a);
    size_t n = 0;
    assert_true(s->n < FL_ARRAY_LEN(s->alerts));
    l[n++] = (struct fl_label){"alertname", name};
    l[n++] = (struct fl_label){"component", component};
    if (caller)
        l[n++] = (struct fl_label){"caller", caller};
    *a = (struct fl_alert){.labels = {l, fl_labels_normalise(l, n)},
                           .generator_url = "",
                           .starts_at = SHOP_T0 + after * FL_USEC_PER_SEC};
    a->fingerprint = fl_labels_fingerprint(&a->labels);
    s->alerts[s->n++] = (struct fl_rank_alert){a, fl_topo_find(s->topo, component),
                                               fl_topo_find(s->topo, caller), cls, FL_SEV_ERROR};
}

void shop_size(struct shop *s, const char *value, const char *baseline)
{
    struct fl_label *l = fl_arena_calloc(s->arena, 2, sizeof *l);
    struct fl_alert *a = (struct fl_alert *)s->alerts[s->n - 1].alert;
    l[0] = (struct fl_label){"baseline", baseline};
    l[1] = (struct fl_label){"value", value};
    a->annotations = (struct fl_labels){l, 2};
}

void shop_outage(struct shop *s)
{
    shop_alert(s, "CpuHigh", "redis", NULL, FL_EC_RESOURCE, 600); /* a decoy, late */
    shop_alert(s, "ConnectionsExhausted", "db", NULL, FL_EC_RESOURCE, 0);
    shop_alert(s, "HighErrorRate", "catalog", NULL, FL_EC_ERROR, 20);
    shop_alert(s, "HighErrorRate", "catalog-0", NULL, FL_EC_ERROR, 20);
    shop_alert(s, "HighErrorRate", "catalog-1", NULL, FL_EC_ERROR, 25);
    shop_alert(s, "HighLatency", "search", NULL, FL_EC_LATENCY, 30);
    shop_alert(s, "HighErrorRate", "search", NULL, FL_EC_ERROR, 30);
    shop_alert(s, "HighLatency", "web", NULL, FL_EC_LATENCY, 60);
    shop_alert(s, "HighErrorRate", "web", NULL, FL_EC_ERROR, 60);
}

struct fl_rank_input shop_input(const struct shop *s)
{
    return (struct fl_rank_input){.topo = s->topo, .alerts = s->alerts, .n_alerts = s->n, .entry = -1};
}

char *shop_rank_text(const struct shop *s, const struct fl_model *m, const struct fl_rank_input *in)
{
    struct fl_ranking *r;
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    if (fl_rank(s->arena, m, in, &r, &err))
        fail_msg("fl_rank: %s", err.text);
    fl_ranking_json(&w, NULL, r);
    return fl_arena_strndup(s->arena, out.p, out.n);
}
