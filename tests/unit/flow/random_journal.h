/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A journal made up at random, the same for the same seed: alerts of pairs and of single senders, resolves, lapsed leases, people,
 * silences, windows, other rules, other graphs, and time that goes by in small and large pieces. */
#pragma once

#include <faultline/flow.h>
#include <faultline/json.h>
#include <faultline/topology.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC)

enum { COMPONENTS = 60, FIRED_MAX = 4096 };

struct fired {
    unsigned name, component;
    fl_usec starts;
};

struct maker {
    uint64_t random;
    uint64_t seq;
    fl_usec at;
    unsigned rules, graph; /* which ones are in force */
    struct fired fired[FIRED_MAX];
    size_t n_fired;
    struct fl_buf body;
};

static inline uint64_t draw(struct maker *m, uint64_t below)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (m->random >> 11) % below;
}

/* A third of the names are of alerts that match no component. */
static inline size_t labels_of(const struct fired *f, struct fl_label *l, char text[2][32])
{
    static const char *const names[] = {"Down", "Errors", "Slow", "Odd", "Crash", "Watch"};
    size_t n = 0;
    snprintf(text[0], 32, "svc-%u", f->component);
    snprintf(text[1], 32, "job-%u", f->component % 7);
    l[n++] = (struct fl_label){"alertname", names[f->name % FL_ARRAY_LEN(names)]};
    l[n++] = (struct fl_label){f->name < 4 ? "component" : "thing", text[0]};
    l[n++] = (struct fl_label){"job", text[1]};
    l[n++] = (struct fl_label){"severity", f->component % 3 ? "critical" : "warning"};
    return fl_labels_normalise(l, n);
}

static inline uint64_t fingerprint_of(const struct fired *f)
{
    struct fl_label l[4];
    char text[2][32];
    struct fl_labels all = {l, 0};
    all.n = labels_of(f, l, text);
    return fl_labels_fingerprint(&all);
}

/* In the shape of both senders: the webhook's object, or the list that Prometheus posts. */
static inline void write_alert(struct fl_jw *w, const struct fired *f, bool resolved, fl_usec ends)
{
    struct fl_label l[4];
    char text[2][32];
    struct fl_labels all = {l, 0};
    all.n = labels_of(f, l, text);
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "status", resolved ? "resolved" : "firing");
    fl_labels_json(w, "labels", &all);
    fl_jw_obj(w, "annotations");
    fl_jw_obj_end(w);
    fl_jw_time(w, "startsAt", f->starts);
    fl_jw_time(w, "endsAt", ends);
    fl_jw_str(w, "generatorURL", "");
    fl_jw_obj_end(w);
}

static inline const char *make_alerts(struct maker *m)
{
    bool pairs = draw(m, 3) == 0; /* as Prometheus posts them */
    struct fl_jw w = fl_jw_init(&m->body);
    if (!pairs) {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "version", "4");
        fl_jw_str(&w, "status", "firing");
    }
    fl_jw_arr(&w, pairs ? NULL : "alerts");
    for (uint64_t n = 1 + draw(m, draw(m, 8) ? 3 : 20); n; n--) {
        struct fired f = {(unsigned)draw(m, 6), (unsigned)draw(m, COMPONENTS + 5),
                          m->at - (fl_usec)draw(m, 3) * SEC};
        uint64_t how = m->n_fired ? draw(m, 10) : 0;
        if (how >= 3) { /* one that fires already: again, by the other of a pair, or over */
            size_t k = draw(m, m->n_fired);
            f = m->fired[k];
            if (how >= 5)
                m->fired[k] = m->fired[--m->n_fired];
            else if (how == 4)
                f.starts += (fl_usec)draw(m, 5) * SEC - 2 * SEC;
        } else if (m->n_fired < FIRED_MAX) {
            m->fired[m->n_fired++] = f;
        }
        bool over = how >= 5;
        write_alert(&w, &f, over, over ? m->at - (fl_usec)draw(m, 2) : pairs ? m->at + 600 * SEC : 0);
    }
    fl_jw_arr_end(&w);
    if (!pairs)
        fl_jw_obj_end(&w);
    return pairs ? "alertmanager-v2" : "alertmanager";
}

static inline void make_expired(struct maker *m)
{
    struct fl_jw w = fl_jw_init(&m->body);
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "alerts");
    for (uint64_t n = 1 + draw(m, 5); n && m->n_fired; n--) {
        char hex[17];
        const struct fired *f = &m->fired[draw(m, m->n_fired)];
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "fingerprint", fl_fingerprint_hex(fingerprint_of(f), hex));
        fl_jw_int(&w, "starts_at", f->starts);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
}

static inline void make_config(struct maker *m)
{
    static const char *const rules[] = {
        "\"correlation\":{\"window\":\"2m\",\"distance\":1,\"quiet_after\":\"1m\",\"resolve_after\":\"10s\",\"rerank_delay\":\"5s\"}",
        "\"correlation\":{\"window\":\"10s\",\"distance\":0,\"quiet_after\":\"20s\",\"resolve_after\":\"5s\"},"
        "\"flapping\":[{\"name\":\"f\",\"changes\":3,\"within\":\"5m\",\"quiet_for\":\"40s\"}]",
        "\"correlation\":{\"window\":\"1m\",\"distance\":1,\"quiet_after\":\"30s\",\"resolve_after\":\"1m\"},"
        "\"thresholds\":[{\"name\":\"t\",\"match\":[\"alertname=Slow\"],\"group_by\":[\"job\"],\"count\":3,\"within\":\"30s\"}],"
        "\"groupings\":[{\"name\":\"g\",\"match\":[\"alertname=Odd\"],\"group_by\":[\"job\"],\"wait\":\"10s\"}]",
        "\"correlation\":{\"window\":\"30s\",\"distance\":0,\"quiet_after\":\"2m\",\"resolve_after\":\"2s\"},"
        "\"inhibitions\":[{\"name\":\"i\",\"source\":[\"alertname=Crash\"],\"target\":[\"severity=warning\"],\"equal\":[\"job\"]}],"
        "\"graph_inhibitions\":[{\"name\":\"u\",\"upstream\":[\"alertname=Down\"],\"target\":[\"alertname=Errors\"],\"distance\":2,"
        "\"hold_down\":\"5s\"}]",
    };
    m->rules = (unsigned)draw(m, FL_ARRAY_LEN(rules));
    fl_buf_printf(&m->body, "{\"rules\":{%s},\"playbooks\":[]}", rules[m->rules]);
}

static inline void make_topology(struct maker *m)
{
    struct fl_jw w = fl_jw_init(&m->body);
    unsigned n = COMPONENTS - (unsigned)draw(m, 10);
    char a[32], b[32];
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "nodes");
    for (unsigned i = 0; i < n; i++) {
        snprintf(a, sizeof a, "svc-%u", i);
        snprintf(b, sizeof b, "svc-%u", i / 4 * 4);
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "id", a);
        fl_jw_str(&w, "type", i % 4 ? "instance" : "service");
        if (i % 4)
            fl_jw_str(&w, "service", b);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_arr(&w, "edges");
    for (unsigned i = 0; i < n; i++) {
        snprintf(a, sizeof a, "svc-%u", i);
        snprintf(b, sizeof b, "svc-%u", (unsigned)draw(m, n));
        if (strcmp(a, b) == 0)
            continue;
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "from", a);
        fl_jw_str(&w, "to", b);
        fl_jw_str(&w, "type", "calls");
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
}

static inline void make_quiet(struct maker *m)
{
    struct fl_jw w = fl_jw_init(&m->body);
    bool window = draw(m, 2);
    char what[48];
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", window ? "maintenance.add" : "silence.set");
    fl_jw_obj(&w, window ? "window" : "silence");
    snprintf(what, sizeof what, "job-%u", (unsigned)draw(m, 7));
    fl_jw_arr(&w, window ? "match" : "matchers");
    if (window) {
        FL_AUTO_BUF t = fl_buf_init(0);
        fl_buf_printf(&t, "job=%s", what);
        fl_jw_str(&w, NULL, t.p);
    } else {
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "name", "job");
        fl_jw_str(&w, "value", what);
        fl_jw_bool(&w, "isRegex", false);
        fl_jw_bool(&w, "isEqual", true);
        fl_jw_obj_end(&w);
    }
    fl_jw_arr_end(&w);
    fl_usec from = m->at + (fl_usec)draw(m, 20) * SEC;
    fl_jw_time(&w, window ? "starts_at" : "startsAt", from);
    fl_jw_time(&w, window ? "ends_at" : "endsAt", from + (fl_usec)(1 + draw(m, 60)) * SEC);
    if (!window)
        fl_jw_str(&w, "createdBy", "ann");
    fl_jw_str(&w, "comment", "noise");
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
}

/* @param opened  incidents so far. */
static inline void make_person(struct maker *m, uint64_t opened)
{
    static const char *const ops[] = {"incident.resolve", "incident.merge", "incident.split", "incident.ack",
                                      "incident.resolve"};
    const char *op = ops[draw(m, FL_ARRAY_LEN(ops))];
    uint64_t back = opened < 40 ? opened : 40;
    char hex[17];
    struct fl_jw w = fl_jw_init(&m->body);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", op);
    for (int k = 0; k < 2; k++) {
        char id[FL_ID_LEN];
        snprintf(id, sizeof id, "INC-2026-%06u", (unsigned)(opened - (back ? draw(m, back) : 0)));
        fl_jw_str(&w, k ? "into" : "incident", id);
    }
    fl_jw_arr(&w, "alerts");
    for (int k = 0; k < 20 && m->n_fired; k++)
        fl_jw_str(&w, NULL, fl_fingerprint_hex(fingerprint_of(&m->fired[draw(m, m->n_fired)]), hex));
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
}

/* The next event; its body is the maker's until the next call. @param due  when a tick is, or 0. */
static inline struct fl_event make_event(struct maker *m, uint64_t opened, fl_usec due)
{
    fl_event_kind kind = FL_EV_ALERTS;
    const char *source = "";
    uint64_t what = draw(m, 100);
    m->at += draw(m, 30) ? (fl_usec)draw(m, 2000000) : (fl_usec)draw(m, 90) * SEC;
    fl_buf_reset(&m->body);
    fl_buf_str(&m->body, "");
    if (m->seq < 2 || what < 2)
        kind = m->seq % 2 ? FL_EV_TOPOLOGY : FL_EV_CONFIG;
    else if (what < 60)
        kind = FL_EV_ALERTS;
    else if (what < 66)
        kind = FL_EV_ALERT_EXPIRED;
    else if (what < 74)
        kind = FL_EV_COMMAND;
    else
        kind = FL_EV_TICK;
    if (kind == FL_EV_TICK && due > m->at && draw(m, 2))
        m->at = due;
    switch (kind) {
    case FL_EV_ALERTS: source = make_alerts(m); break;
    case FL_EV_ALERT_EXPIRED: make_expired(m); break;
    case FL_EV_CONFIG: make_config(m); break;
    case FL_EV_TOPOLOGY: make_topology(m); break;
    case FL_EV_COMMAND:
        if (draw(m, 4))
            make_person(m, opened);
        else
            make_quiet(m);
        break;
    default: break;
    }
    return (struct fl_event){.seq = ++m->seq,
                             .at = m->at,
                             .kind = kind,
                             .realm = "default",
                             .actor = "ann",
                             .source = source,
                             .body = m->body.n ? m->body.p : "",
                             .body_len = m->body.n};
}
