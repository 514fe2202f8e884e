/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/config.c -- rules, playbooks, model and graph of a realm, as their events bring them. */
#include "flow_priv.h"

#include <stdlib.h>
#include <string.h>

static struct fl_playbook_def playbook_def(struct fl_arena *a, const struct fl_json *item)
{
    const struct fl_json *m = fl_json_get(item, "meta"), *v = fl_json_get(m, "verify");
    char *meta = fl_json_text(m, true);
    struct fl_playbook_def d = {.source = fl_json_str(item, "source", "")};
    d.meta = (struct fl_playbook){.name = fl_json_str(m, "name", ""),
                                  .version = fl_json_str(m, "version", ""),
                                  .doc = fl_json_str(m, "doc", ""),
                                  .approval = fl_json_str(m, "approval", "required"),
                                  .timeout = fl_json_int(m, "timeout_us", 60 * FL_USEC_PER_SEC),
                                  .disruptive = fl_json_bool(m, "disruptive", true),
                                  .verify = fl_json_bool(v, "alerts_clear", false) ? "alerts_clear" : NULL,
                                  .verify_within = fl_json_int(v, "within_us", 60 * FL_USEC_PER_SEC),
                                  .meta_json = meta ? fl_arena_strdup(a, meta) : "{}"};
    free(meta);
    fl_sha256(d.source, strlen(d.source), &d.meta.hash);
    return d;
}

static void apply_playbooks(struct fl_flow *f, const struct fl_json *list)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_REQUIRE(a != NULL);
    size_t n = fl_json_len(list);
    struct fl_playbook_def *v = fl_arena_calloc(a, n ? n : 1, sizeof *v);
    FL_REQUIRE(v != NULL);
    for (size_t i = 0; i < n; i++)
        v[i] = playbook_def(a, fl_json_at(list, i));
    fl_resp_playbooks(f->resp, v, n);
}

static size_t count_services(const struct fl_topo *topo)
{
    size_t n = 0;
    for (fl_vertex v = 0; (size_t)v < fl_topo_n_nodes(topo); v++)
        n += fl_topo_service_of(topo, v) == v;
    return n;
}

/* All or nothing: a part that does not hold leaves the old configuration in force. */
fl_status flow_apply_config(struct fl_flow *f, struct fl_step *s, const struct fl_json *body,
                            struct fl_err *err)
{
    struct fl_rules *rules = NULL;
    struct fl_model *model = NULL;
    const struct fl_json *part = fl_json_get(body, "rules");
    FL_AUTO_FREE char *rules_text = part ? fl_json_text(part, true) : NULL;
    if (rules_text) {
        fl_status st = fl_rules_from_json(rules_text, strlen(rules_text), &rules, err);
        if (st != FL_OK)
            return st;
    }
    part = fl_json_get(body, "model");
    FL_AUTO_FREE char *model_text = part ? fl_json_text(part, false) : NULL;
    if (model_text) {
        fl_status st = fl_model_parse(model_text, strlen(model_text), &model, err);
        if (st != FL_OK) {
            fl_rules_free(rules);
            return st;
        }
    }
    if (rules) {
        fl_rules_free(f->own_rules);
        f->rules = f->own_rules = rules;
    }
    if (model)
        flow_models_config(f, s, model);
    part = fl_json_get(body, "playbooks");
    if (part)
        apply_playbooks(f, part);
    char *text = fl_json_text(body, true);
    FL_REQUIRE(text != NULL);
    free(f->config_text);
    f->config_text = text;
    fl_sha256(text, strlen(text), &f->config_hash);
    return FL_OK;
}

fl_status flow_apply_topology(struct fl_flow *f, struct fl_step *s, const char *text, size_t n,
                              struct fl_arena *arena, struct fl_topology_doc *doc, struct fl_err *err)
{
    struct fl_topo *topo;
    fl_status st = fl_intake_topology(arena, text, n, doc, err);
    if (st == FL_OK)
        st = fl_topo_new(doc, &topo, err);
    if (st != FL_OK)
        return st;
    FL_AUTO_BUF canonical = fl_buf_init(0);
    st = fl_topology_text(doc, &canonical);
    if (st != FL_OK) {
        fl_topo_free(topo);
        return fl_fail(err, st, "topology", "could not write its canonical text");
    }
    free(f->topo_text);
    f->topo_text = fl_buf_take(&canonical, NULL);
    struct fl_topo *old = f->topo;
    f->topo = topo;
    f->services = count_services(topo);
    if (s)
        fl_corr_topology(f->corr, s, topo);
    fl_topo_free(old);
    return FL_OK;
}
