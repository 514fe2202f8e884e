/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/notes.c -- the one place where a decision becomes a timeline row and an audit entry. */
#include "flow_priv.h"

#include <stdio.h>
#include <string.h>

static void add_audit(struct fl_flow *f, struct fl_step *s, const struct fl_note *n)
{
    struct fl_effects *x = s->fx;
    struct fl_fx *fx = fl_fx_add(x, FL_FX_AUDIT);
    fx->audit = (struct fl_audit_entry){.realm = fl_fx_str(x, f->realm),
                                        .at = s->at,
                                        .event_seq = s->seq,
                                        .actor = fl_fx_str(x, n->actor ? n->actor : "engine"),
                                        .action = fl_fx_str(x, n->action),
                                        .subject = fl_fx_str(x, n->subject),
                                        .incident = fl_fx_str(x, n->incident),
                                        .reason = fl_fx_str(x, n->text),
                                        .detail = fl_fx_str(x, n->detail && *n->detail ? n->detail : "{}")};
    fl_audit_append(&f->chain, &fx->audit);
}

void flow_note(struct fl_step *s, const struct fl_note *n)
{
    struct fl_flow *f = s->ctx;
    if ((n->to & FL_NOTE_TIMELINE) && n->incident && *n->incident) {
        struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_TIMELINE);
        fx->timeline = (struct fl_timeline_row){
            .incident = fl_fx_str(s->fx, n->incident),
            .event_seq = s->seq,
            .n = f->notes++,
            .at = s->at,
            .kind = fl_fx_str(s->fx, n->action),
            .actor = fl_fx_str(s->fx, n->actor ? n->actor : "engine"),
            .text = fl_fx_str(s->fx, n->text),
            .detail = fl_fx_str(s->fx, n->detail && *n->detail ? n->detail : "{}")};
    }
    if (n->to & FL_NOTE_AUDIT)
        add_audit(f, s, n);
}

void flow_audit(struct fl_step *s, const char *action, const char *subject, const char *actor,
                const char *text, const char *detail)
{
    flow_note(s, &(struct fl_note){.to = FL_NOTE_AUDIT,
                                   .action = action,
                                   .incident = "",
                                   .subject = subject,
                                   .actor = actor,
                                   .text = text,
                                   .detail = detail});
}

void flow_answer(struct fl_step *s, fl_status st, const char *json, const struct fl_err *err)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    if (st != FL_OK) {
        struct fl_jw w = fl_jw_init(&b);
        fl_jw_obj(&w, NULL);
        fl_jw_obj(&w, "error");
        fl_jw_str(&w, "code", fl_status_name(st));
        fl_jw_str(&w, "message", err && err->text[0] ? err->text : "refused");
        if (err && err->hint[0])
            fl_jw_str(&w, "hint", err->hint);
        if (err && err->where[0])
            fl_jw_str(&w, "field", err->where);
        fl_jw_obj_end(&w);
        fl_jw_obj_end(&w);
        json = b.p;
    }
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_ANSWER);
    fx->answer = (struct fl_order_answer){.status = st, .json = fl_fx_str(s->fx, json ? json : "{}")};
}
