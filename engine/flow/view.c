/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/view.c -- an incident as the respond stage may see it: stages of one layer do not know each other. */
#include "flow_priv.h"

struct alert_visit {
    bool (*visit)(void *vctx, const struct fl_labels *l, const char *node);
    void *vctx;
};

static bool pass_on(void *ctx, const struct fl_episode *e)
{
    struct alert_visit *a = ctx;
    return e->status != FL_ALERT_RESOLVED && a->visit(a->vctx, &e->alert->labels, e->node_id);
}

static void each_alert(void *ctx, bool (*visit)(void *vctx, const struct fl_labels *l, const char *node),
                       void *vctx)
{
    struct flow_view *w = ctx;
    struct alert_visit a = {visit, vctx};
    if (w->i)
        fl_corr_each_episode(w->f->corr, w->i, pass_on, &a);
}

/* ---- what playbooks keep off ---- */

struct steady {
    const char *node, *name; /* name: of one that flaps */
    size_t live, flapping, maintained;
};

static bool look_steady(void *ctx, const struct fl_episode *e)
{
    struct steady *x = ctx;
    if (e->status == FL_ALERT_RESOLVED || !fl_streq(e->node_id, x->node))
        return false;
    x->live++;
    x->flapping += e->flapping;
    x->maintained += e->maintained;
    if (e->flapping)
        x->name = fl_label_get(&e->alert->labels, "alertname");
    return false;
}

/* One steady alert is reason enough to act; alerts that only flap are none. */
static const char *keep_off(void *ctx, struct fl_step *s, const char *component)
{
    struct flow_view *w = ctx;
    struct steady x = {.node = component, .name = ""};
    if (!component || !*component)
        return NULL;
    const char *window = fl_corr_in_maintenance(w->f->corr, s, w->f->topo, component);
    if (window)
        return window;
    if (w->i)
        fl_corr_each_episode(w->f->corr, w->i, look_steady, &x);
    if (x.maintained && x.maintained == x.live)
        return fl_fx_printf(s->fx, "all alerts on %.300s are in maintenance", component);
    if (x.flapping && x.flapping == x.live)
        return fl_fx_printf(s->fx,
                            "%.200s on %.300s is flapping: nothing acts on what may be over in a minute",
                            x.name, component);
    return NULL;
}

size_t flow_firing_on(void *ctx, const char *incident, const char *node)
{
    struct fl_flow *f = ctx;
    struct fl_incident *i = fl_corr_find(f->corr, incident);
    return i ? fl_corr_firing_on(f->corr, i, node) : 0;
}

struct alert_list {
    struct fl_jw *w;
    size_t n;
};

static bool list_alert(void *ctx, const struct fl_episode *e)
{
    struct alert_list *l = ctx;
    if (l->n++ >= CTX_ALERTS_MAX)
        return true;
    fl_jw_obj(l->w, NULL);
    fl_jw_str(l->w, "status", fl_alert_status_name(e->status));
    fl_jw_str(l->w, "node", e->node_id);
    fl_jw_str(l->w, "severity", fl_severity_name(e->severity));
    fl_labels_json(l->w, "labels", &e->alert->labels);
    fl_jw_obj_end(l->w);
    return false;
}

static const char *incident_json(struct fl_flow *f, struct fl_step *s, const struct fl_incident *i)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "id", i->id);
    fl_jw_str(&w, "title", i->title);
    fl_jw_str(&w, "state", fl_incident_state_name(i->state));
    fl_jw_str(&w, "severity", fl_severity_name(i->severity));
    fl_jw_time(&w, "opened_at", i->opened_at);
    fl_jw_int(&w, "alerts_total", (int64_t)i->alerts_total);
    fl_jw_int(&w, "alerts_firing", (int64_t)i->alerts_firing);
    fl_jw_arr(&w, "alerts");
    struct alert_list l = {&w, 0};
    fl_corr_each_episode(f->corr, i, list_alert, &l);
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    return fl_fx_str(s->fx, b.p);
}

static const char *cause_json(struct fl_step *s, const struct fl_topo *topo, fl_vertex v,
                              const struct fl_incident *i)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    const struct fl_node *n = v >= 0 ? fl_topo_node(topo, v) : NULL;
    fl_jw_obj(&w, NULL);
    if (n) {
        fl_jw_str(&w, "node", n->id);
        fl_jw_str(&w, "type", n->type);
        fl_jw_str(&w, "service", n->service);
        fl_jw_str(&w, "host", n->host);
        fl_jw_str(&w, "owner", n->owner);
        fl_labels_json(&w, "labels", &n->labels);
        fl_jw_fixed(&w, "confidence", i->confidence, 4);
    }
    fl_jw_obj_end(&w);
    return fl_fx_str(s->fx, b.p);
}

void flow_view(struct flow_view *ret, struct fl_flow *f, struct fl_step *s, struct fl_incident *i,
               const struct fl_ranking *r)
{
    *ret = (struct flow_view){.f = f, .i = i};
    struct fl_resp_view *v = &ret->v;
    *v = (struct fl_resp_view){.incident = i ? i->id : "",
                               .cause = "",
                               .cause_type = "",
                               .cause_service = "",
                               .incident_json = "{}",
                               .cause_json = "{}",
                               .each_alert = each_alert,
                               .firing_on = flow_firing_on,
                               .keep_off = keep_off,
                               .ctx = ret};
    if (!i)
        return;
    fl_vertex node = i->cause ? fl_topo_find(f->topo, i->cause) : -1;
    const struct fl_node *n = node >= 0 ? fl_topo_node(f->topo, node) : NULL;
    v->active = i->state <= FL_INC_RECOVERING;
    v->convincing = r ? r->convincing : i->cause != NULL;
    v->confidence = i->confidence;
    if (n) {
        v->cause = n->id;
        v->cause_type = n->type ? n->type : "";
        v->cause_labels = &n->labels;
        fl_vertex svc = fl_topo_service_of(f->topo, node);
        v->cause_service = svc >= 0 ? fl_topo_node(f->topo, svc)->id : n->id;
    }
    v->incident_json = incident_json(f, s, i);
    v->cause_json = cause_json(s, f->topo, node, i);
    v->services_known = f->services;
    v->services_alerting = fl_corr_alerting_services(f->corr);
}

/* ---- lists ---- */

struct listing {
    void (*visit)(void *vctx, const struct fl_listed *a);
    void *vctx;
    fl_alert_status status;
    bool any;
};

static void list_one(void *ctx, const struct fl_episode *e)
{
    struct listing *l = ctx;
    if (e->status != l->status)
        return;
    l->any = true;
    l->visit(l->vctx, &(struct fl_listed){e->alert, e->updated_at, e->silenced_by, e->inhibited_by});
}

uint64_t fl_flow_cursor_open(struct fl_flow *f, const struct fl_label *having, size_t n)
{
    return fl_corr_cursor_open(f->corr, having, n);
}

enum fl_cursor_state fl_flow_cursor_next(struct fl_flow *f, uint64_t cursor, size_t max,
                                         fl_alert_status status,
                                         void (*visit)(void *ctx, const struct fl_listed *a), void *ctx)
{
    struct listing l = {visit, ctx, status, false};
    return fl_corr_cursor_next(f->corr, cursor, max, list_one, &l);
}

bool fl_flow_listed(struct fl_flow *f, uint64_t fingerprint, fl_usec starts_at,
                    void (*visit)(void *ctx, const struct fl_listed *a), void *ctx)
{
    struct listing l = {visit, ctx, FL_ALERT_FIRING, false};
    return fl_corr_episode(f->corr, fingerprint, starts_at, list_one, &l) && l.any;
}
