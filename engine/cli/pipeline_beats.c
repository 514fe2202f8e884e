/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/pipeline_beats.c -- heartbeat rules in a pipeline test: the clock that finds senders silent is outside the core,
 * so it is the test's own here (layer 6). Told as the engine tells it: silent for longer than interval and grace. */
#include "pipeline.h"

#include <stdlib.h>
#include <string.h>

static const struct fl_heartbeat_rule *rule_at(const struct world *w, size_t i)
{
    return &w->rules->heartbeats[i];
}

fl_status beats_begin(struct world *w, const struct fl_sources *s, struct fl_err *err)
{
    FL_AUTO_JSON config = fl_json_parse(s->config, s->config_n, err);
    const struct fl_json *rules = config ? fl_json_get(config, "rules") : NULL;
    FL_AUTO_FREE char *text = rules ? fl_json_text(rules, false) : strdup("{}");
    if (!config)
        return err->status;
    if (!text)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_rules_from_json(text, strlen(text), &w->rules, err);
    if (st != FL_OK)
        return st;
    w->beats = calloc(w->rules->n_heartbeats + 1, sizeof *w->beats);
    return w->beats ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

void beats_end(struct world *w)
{
    w->rules = fl_rules_free(w->rules);
    free(w->beats);
    w->beats = NULL;
}

/* ---- what is told ---- */

static fl_status tell(struct world *w, size_t i, bool missed, struct fl_err *err)
{
    FL_AUTO_BUF b = fl_buf_init(4096);
    struct fl_jw jw = fl_jw_init(&b);
    w->beats[i].missed = missed;
    fl_jw_obj(&jw, NULL);
    fl_jw_arr(&jw, "heartbeats");
    fl_jw_obj(&jw, NULL);
    fl_jw_str(&jw, "name", rule_at(w, i)->name);
    fl_jw_str(&jw, "state", missed ? "missed" : "back");
    if (missed)
        fl_jw_int(&jw, "silent_us", w->now - w->beats[i].seen);
    fl_jw_obj_end(&jw);
    fl_jw_arr_end(&jw);
    fl_jw_obj_end(&jw);
    return b.failed ? fl_fail(err, FL_E_NOMEM, NULL, "out of memory")
                    : world_event(w, FL_EV_HEARTBEAT, "", b.p, b.n, err);
}

static fl_status reported(struct world *w, size_t i, struct fl_err *err)
{
    w->beats[i].seen = w->now;
    return w->beats[i].missed ? tell(w, i, false, err) : FL_OK;
}

static fl_usec due(const struct world *w, size_t i)
{
    const struct beat *b = &w->beats[i];
    return b->watched && !b->sending && !b->missed
               ? b->seen + rule_at(w, i)->interval + rule_at(w, i)->grace + 1
               : 0;
}

fl_usec beats_due(const struct world *w)
{
    fl_usec first = 0;
    for (size_t i = 0; i < w->rules->n_heartbeats; i++)
        if (due(w, i) && (!first || due(w, i) < first))
            first = due(w, i);
    return first;
}

fl_status beats_missed(struct world *w, struct fl_err *err)
{
    fl_status st = FL_OK;
    for (size_t i = 0; i < w->rules->n_heartbeats && st == FL_OK; i++)
        if (due(w, i) && due(w, i) <= w->now)
            st = tell(w, i, true, err);
    return st;
}

/* ---- statements ---- */

static fl_status no_such_rule(const struct world *w, const char *rule, struct fl_err *err)
{
    const char *names[FL_HEARTBEATS_MAX] = {0};
    size_t n = w->rules->n_heartbeats;
    for (size_t i = 0; i < n; i++)
        names[i] = rule_at(w, i)->name;
    const char *near = fl_nearest_word(rule, names, n);
    return fl_fail(err, FL_E_SHAPE, "", "there is no heartbeat rule \"%.64s\"%s%s%s", rule,
                   near ? "; did you mean \""
                   : n  ? ""
                        : "; the rules in force have none, see --rules",
                   near ? near : "", near ? "\"?" : "");
}

fl_status beats_say(struct world *w, const char *rule, bool sends, struct fl_err *err)
{
    size_t i = 0;
    while (i < w->rules->n_heartbeats && !fl_streq(rule_at(w, i)->name, rule))
        i++;
    if (i == w->rules->n_heartbeats)
        return no_such_rule(w, rule, err);
    struct beat *b = &w->beats[i];
    if (sends || b->sending || !b->watched)
        b->seen = w->now;
    b->watched = true;
    b->sending = sends;
    return sends ? reported(w, i, err) : FL_OK;
}

static bool is_report(const struct fl_heartbeat_rule *r, const char *source, const struct fl_alert *v,
                      size_t n)
{
    if (r->source)
        return fl_streq(r->source, source);
    for (size_t i = 0; i < n; i++)
        if (v[i].status == FL_ALERT_FIRING && fl_match_all(r->match, r->n_match, &v[i].labels))
            return true;
    return false;
}

fl_status beats_heard(struct world *w, const char *source, const struct fl_alert *v, size_t n,
                      struct fl_err *err)
{
    fl_status st = FL_OK;
    for (size_t i = 0; i < w->rules->n_heartbeats && st == FL_OK; i++)
        if (w->beats[i].watched && is_report(rule_at(w, i), source, v, n))
            st = reported(w, i, err);
    return st;
}
