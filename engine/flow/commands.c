/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/commands.c -- operator commands: one table of verbs, each answered with a result or a reason. */
#include "flow_priv.h"

#include <stdlib.h>
#include <string.h>

enum { LETTERS_MAX = 1000 }; /* of one command */

struct command {
    struct fl_flow *f;
    struct fl_step *s;
    const struct fl_json *body;
    const char *incident, *run;
    const char *json; /* the answer; NULL = {} */
    struct fl_err *err;
};

static fl_status do_ack(struct command *c)
{
    return fl_corr_ack(c->f->corr, c->s, c->incident, c->err);
}

static fl_status do_assign(struct command *c)
{
    return fl_corr_assign(c->f->corr, c->s, c->incident, fl_json_str(c->body, "to", NULL), c->err);
}

static fl_status do_resolve(struct command *c)
{
    return fl_corr_resolve(c->f->corr, c->s, c->incident, fl_json_str(c->body, "reason", NULL), c->err);
}

static fl_status do_merge(struct command *c)
{
    return fl_corr_merge(c->f->corr, c->s, c->incident, fl_json_str(c->body, "into", NULL), c->err);
}

static fl_status do_split(struct command *c)
{
    const struct fl_json *list = fl_json_get(c->body, "alerts");
    size_t n = fl_json_len(list);
    uint64_t *fps = fl_core_alloc(n, sizeof *fps);
    for (size_t i = 0; i < n; i++)
        if (!fl_fingerprint_parse(fl_json_string(fl_json_at(list, i)), &fps[i])) {
            free(fps);
            return fl_fail(c->err, FL_E_SHAPE, "alerts", "element %zu is no fingerprint of 16 hex digits", i);
        }
    char id[FL_ID_LEN];
    fl_status st = fl_corr_split(c->f->corr, c->s, c->incident, fps, n, id, c->err);
    free(fps);
    if (st == FL_OK)
        c->json = fl_fx_printf(c->s->fx, "{\"incident\":\"%s\"}", id);
    return st;
}

static fl_status incident_of(struct command *c, struct fl_incident **ret)
{
    *ret = fl_corr_find(c->f->corr, c->incident);
    if (*ret)
        return FL_OK;
    fl_fail(c->err, FL_E_NOTFOUND, "incident", "there is no incident \"%.60s\" that is open or recent",
            c->incident);
    fl_hint(c->err, "faultline incident list");
    return FL_E_NOTFOUND;
}

/* Comments and verdicts change no state of the core: they are said, and so recorded. */
static fl_status say(struct command *c, const char *action, const char *text, const char *detail)
{
    struct fl_incident *i;
    fl_status st = incident_of(c, &i);
    if (st == FL_OK)
        flow_note(c->s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                          .action = action,
                                          .incident = i->id,
                                          .subject = i->id,
                                          .actor = c->s->actor,
                                          .text = text,
                                          .detail = detail});
    return st;
}

static fl_status do_comment(struct command *c)
{
    const char *text = fl_json_str(c->body, "text", "");
    if (!*text)
        return fl_fail(c->err, FL_E_SHAPE, "text", "a comment needs a text");
    return say(c, "incident.comment", fl_fx_printf(c->s->fx, "%.4000s", text), NULL);
}

static fl_status do_confirm(struct command *c)
{
    struct fl_incident *i;
    fl_status st = incident_of(c, &i);
    if (st != FL_OK)
        return st;
    const char *node = fl_json_str(c->body, "node", i->cause ? i->cause : "");
    if (!*node)
        return fl_fail(c->err, FL_E_SHAPE, "node",
                       "there is no cause to confirm: name the component that was it");
    if (fl_topo_find(c->f->topo, node) < 0)
        return fl_fail(c->err, FL_E_NOTFOUND, "node", "the topology has no component \"%.200s\"", node);
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "node", node);
    fl_jw_str(&w, "change", fl_json_str(c->body, "change", NULL));
    fl_jw_obj_end(&w);
    flow_feedback_verdict(c->f, c->s, i, true, node, fl_json_str(c->body, "change", NULL));
    return say(c, "incident.confirmed",
               fl_fx_printf(c->s->fx, "%s was the cause, says %s", node, c->s->actor), b.p);
}

static fl_status do_reject(struct command *c)
{
    struct fl_incident *i;
    fl_status st = incident_of(c, &i);
    if (st != FL_OK)
        return st;
    const char *why = fl_json_str(c->body, "reason", NULL), *node = fl_json_str(c->body, "node", i->cause);
    if (node && fl_topo_find(c->f->topo, node) < 0)
        return fl_fail(c->err, FL_E_NOTFOUND, "node", "the topology has no component \"%.200s\"", node);
    flow_feedback_verdict(c->f, c->s, i, false, node, NULL);
    return say(c, "incident.rejected",
               fl_fx_printf(c->s->fx, "%s was not the cause, says %s%s%s",
                            node ? node : "the first candidate", c->s->actor, why ? ": " : "",
                            why ? why : ""),
               NULL);
}

static fl_status do_request(struct command *c)
{
    struct fl_incident *i;
    fl_status st = incident_of(c, &i);
    if (st != FL_OK)
        return st;
    struct flow_view view;
    flow_view(&view, c->f, c->s, i, NULL);
    const struct fl_json *p = fl_json_get(c->body, "params");
    FL_AUTO_FREE char *params = p ? fl_json_text(p, true) : NULL;
    char id[FL_ID_LEN];
    st = fl_resp_request(c->f->resp, c->s, &view.v, fl_json_str(c->body, "playbook", ""), params, id, c->err);
    if (st == FL_OK)
        c->json = fl_fx_printf(c->s->fx, "{\"run\":\"%s\",\"state\":\"proposed\"}", id);
    return st;
}

static fl_status do_approve(struct command *c)
{
    const struct fl_run *run = fl_resp_find(c->f->resp, c->run);
    struct flow_view view;
    flow_view(&view, c->f, c->s, run ? fl_corr_find(c->f->corr, run->incident) : NULL, NULL);
    return fl_resp_approve(c->f->resp, c->s, &view.v, c->run, fl_json_bool(c->body, "override", false),
                           c->err);
}

static fl_status do_deny(struct command *c)
{
    return fl_resp_deny(c->f->resp, c->s, c->run, fl_json_str(c->body, "reason", NULL), c->err);
}

static fl_status do_abort(struct command *c)
{
    return fl_resp_abort(c->f->resp, c->s, c->run, fl_json_str(c->body, "reason", NULL), c->err);
}

static fl_status do_settle(struct command *c)
{
    const struct fl_json *v = fl_json_get(c->body, "result");
    FL_AUTO_FREE char *result = v ? fl_json_text(v, true) : NULL;
    return fl_resp_settle(c->f->resp, c->s, c->run, fl_json_str(c->body, "verdict", NULL), result, c->err);
}

static fl_status do_halt(struct command *c)
{
    return fl_resp_halt(c->f->resp, c->s, true, NULL, fl_json_str(c->body, "reason", NULL), c->err);
}

static fl_status do_resume(struct command *c)
{
    return fl_resp_halt(c->f->resp, c->s, false, fl_json_str(c->body, "playbook", NULL),
                        fl_json_str(c->body, "reason", NULL), c->err);
}

static fl_status do_silence_set(struct command *c)
{
    char id[FL_SILENCE_ID_LEN];
    fl_status st = fl_corr_silence_set(c->f->corr, c->s, fl_json_get(c->body, "silence"), id, c->err);
    if (st == FL_OK)
        c->json = fl_fx_printf(c->s->fx, "{\"silenceID\":\"%s\"}", id);
    return st;
}

static fl_status do_silence_expire(struct command *c)
{
    return fl_corr_silence_expire(c->f->corr, c->s, fl_json_str(c->body, "id", ""), c->err);
}

/* What was done with refused input lies outside the core: only the trace is made here. */
static fl_status say_letters(struct command *c, const char *action, const char *what)
{
    const struct fl_json *list = fl_json_get(c->body, "letters");
    size_t n = fl_json_len(list);
    const struct fl_json *first = fl_json_at(list, 0);
    const char *why = fl_json_str(c->body, "reason", NULL);
    if (!n || n > LETTERS_MAX)
        return fl_fail(c->err, FL_E_SHAPE, "letters", "expected 1 to %d letters", LETTERS_MAX);
    FL_AUTO_FREE char *detail = fl_json_text(list, false);
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(&b, "{\"letters\":%s}", detail ? detail : "[]");
    flow_audit(c->s, action, "deadletters", c->s->actor,
               fl_fx_printf(c->s->fx, "%zu dead letter%s %s, the first is %lld from %.100s%s%.300s", n,
                            n == 1 ? "" : "s", what, (long long)fl_json_int(first, "n", 0),
                            fl_json_str(first, "source", "?"), why ? ": " : "", why ? why : ""),
               b.p);
    return FL_OK;
}

static fl_status do_letters_retried(struct command *c)
{
    return say_letters(c, "deadletter.retried", "read again");
}

static fl_status do_letters_dropped(struct command *c)
{
    return say_letters(c, "deadletter.dropped", "dropped");
}

static fl_status do_model_add(struct command *c)
{
    char id[MODEL_ID_LEN];
    fl_status st = flow_model_add(c->f, c->s, fl_json_get(c->body, "model"), id, c->err);
    if (st == FL_OK)
        c->json = fl_fx_printf(c->s->fx, "{\"model\":\"%s\"}", id);
    return st;
}

static fl_status in_force(struct command *c, fl_status st)
{
    if (st == FL_OK)
        c->json = fl_fx_printf(c->s->fx, "{\"live\":\"%s\",\"shadow\":%s%s%s}", fl_model_id(c->f->model),
                               c->f->shadow ? "\"" : "", c->f->shadow ? fl_model_id(c->f->shadow) : "null",
                               c->f->shadow ? "\"" : "");
    return st;
}

static fl_status do_model_activate(struct command *c)
{
    return in_force(c, flow_model_activate(c->f, c->s, fl_json_str(c->body, "model", ""),
                                           fl_json_str(c->body, "reason", NULL), c->err));
}

static fl_status do_model_shadow(struct command *c)
{
    return in_force(c, flow_model_shadow(c->f, c->s, fl_json_str(c->body, "model", ""),
                                         fl_json_bool(c->body, "off", false),
                                         fl_json_str(c->body, "reason", NULL), c->err));
}

static fl_status do_model_rollback(struct command *c)
{
    return in_force(c, flow_model_rollback(c->f, c->s, fl_json_str(c->body, "reason", NULL), c->err));
}

static fl_status do_maintenance_add(struct command *c)
{
    char id[FL_ID_LEN];
    fl_status st = fl_corr_maintenance_add(c->f->corr, c->s, c->f->topo, fl_json_get(c->body, "window"), id,
                                           c->err);
    if (st == FL_OK)
        c->json = fl_fx_printf(c->s->fx, "{\"id\":\"%s\"}", id);
    return st;
}

static fl_status do_maintenance_end(struct command *c)
{
    return fl_corr_maintenance_end(c->f->corr, c->s, c->f->topo, fl_json_str(c->body, "id", ""), c->err);
}

static const struct {
    const char *op;
    fl_status (*run)(struct command *c);
} verbs[] = {
    {"incident.ack", do_ack},
    {"incident.assign", do_assign},
    {"incident.comment", do_comment},
    {"incident.confirm", do_confirm},
    {"incident.reject", do_reject},
    {"incident.merge", do_merge},
    {"incident.split", do_split},
    {"incident.resolve", do_resolve},
    {"run.request", do_request},
    {"run.approve", do_approve},
    {"run.deny", do_deny},
    {"run.abort", do_abort},
    {"run.settle", do_settle},
    {"automation.halt", do_halt},
    {"automation.resume", do_resume},
    {"silence.set", do_silence_set},
    {"silence.expire", do_silence_expire},
    {"maintenance.add", do_maintenance_add},
    {"maintenance.end", do_maintenance_end},
    {"deadletter.retry", do_letters_retried},
    {"deadletter.drop", do_letters_dropped},
    {"model.add", do_model_add},
    {"model.activate", do_model_activate},
    {"model.shadow", do_model_shadow},
    {"model.rollback", do_model_rollback},
};

void flow_command(struct fl_flow *f, struct fl_step *s, const struct fl_json *body)
{
    struct fl_err err = {0};
    struct command c = {.f = f,
                        .s = s,
                        .body = body,
                        .incident = fl_json_str(body, "incident", ""),
                        .run = fl_json_str(body, "run", ""),
                        .err = &err};
    const char *op = fl_json_str(body, "op", "");
    fl_status st = FL_E_NOTFOUND;
    size_t i = 0;
    while (i < FL_ARRAY_LEN(verbs) && strcmp(verbs[i].op, op) != 0)
        i++;
    if (i < FL_ARRAY_LEN(verbs))
        st = verbs[i].run(&c);
    else
        fl_fail(&err, FL_E_NOTFOUND, "op", "there is no command \"%.60s\"", op);
    if (st != FL_OK)
        flow_audit(s, "command.refused", *c.run ? c.run : c.incident, s->actor,
                   fl_fx_printf(s->fx, "%.60s refused: %s", op, err.text), NULL);
    flow_answer(s, st, c.json, &err);
}
