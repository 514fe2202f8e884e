/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/calls.c -- host calls of a run: intent, outcome, reply; what is unknown becomes in doubt. */
#include "respond_priv.h"

#include <stdio.h>
#include <string.h>

enum {
    DETAIL_MAX = 4096
}; /* bytes of arguments and result repeated in an audit entry; the hash is always there */

struct call *call_find(struct run *run, unsigned n)
{
    for (struct call *c = run->calls; c; c = c->next)
        if (c->n == n)
            return c;
    return NULL;
}

struct call *call_add(struct run *run, unsigned n)
{
    struct call *c = fl_core_alloc(1, sizeof *c);
    c->n = n;
    if (run->last_call)
        run->last_call->next = c;
    else
        run->calls = c;
    run->last_call = c;
    run->n_calls++;
    return c;
}

fl_usec calls_wake_at(const struct run *run)
{
    fl_usec first = 0;
    for (const struct call *c = run->calls; c; c = c->next)
        if (call_sleeps(c) && (!first || c->wake_at < first))
            first = c->wake_at;
    return first;
}

bool call_acts(const struct call *c)
{
    return fl_streq(c->fn, "http") || fl_streq(c->fn, "command");
}

void call_row(struct fl_step *s, const struct run *run, const struct call *c)
{
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_CALL);
    fx->call = (struct fl_call_row){.run = fl_fx_str(s->fx, run->pub.id),
                                    .n = c->n,
                                    .fn = fl_fx_str(s->fx, c->fn),
                                    .step = fl_fx_str(s->fx, c->step),
                                    .args = fl_fx_str(s->fx, c->args),
                                    .args_hash = c->args_hash,
                                    .state = c->state,
                                    .result = fl_fx_str(s->fx, c->result),
                                    .reason = fl_fx_str(s->fx, c->reason),
                                    .intent_at = c->intent_at,
                                    .outcome_at = c->outcome_at};
}

static void say_call(struct fl_step *s, const struct run *run, const struct call *c, const char *action,
                     const char *text)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    char hex[65];
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "n", c->n);
    fl_jw_str(&w, "fn", c->fn);
    if (c->step && *c->step)
        fl_jw_str(&w, "step", c->step);
    fl_jw_str(&w, "args_sha256", fl_sha256_hex(&c->args_hash, hex));
    if (strlen(c->args) <= DETAIL_MAX)
        fl_jw_raw(&w, "args", c->args);
    if (c->result && strlen(c->result) <= DETAIL_MAX)
        fl_jw_raw(&w, "result", c->result);
    fl_jw_obj_end(&w);
    char actor[160];
    snprintf(actor, sizeof actor, "playbook:%.140s", run->pub.playbook);
    s->note(s, &(struct fl_note){.to = FL_NOTE_TIMELINE | FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = run->pub.incident,
                                 .subject = fl_fx_printf(s->fx, "%s/%u", run->pub.id, c->n),
                                 .actor = actor,
                                 .text = text,
                                 .detail = b.p});
}

/* A short human form of what a call does: "http POST http://…", "command restart-cart". */
static const char *describe(struct fl_step *s, const struct call *c)
{
    FL_AUTO_JSON args = fl_json_parse(c->args, strlen(c->args), NULL);
    if (fl_streq(c->fn, "http"))
        return fl_fx_printf(s->fx, "http %s %.300s", fl_json_str(args, "method", "GET"),
                            fl_json_str(args, "url", ""));
    if (fl_streq(c->fn, "command"))
        return fl_fx_printf(s->fx, "command %.200s", fl_json_str(args, "name", ""));
    if (fl_streq(c->fn, "log"))
        return fl_fx_printf(s->fx, "log: %.1000s", fl_json_str(args, "text", ""));
    if (fl_streq(c->fn, "step_begin") || fl_streq(c->fn, "step_end"))
        return fl_fx_printf(s->fx, "step \"%.200s\" %s", fl_json_str(args, "name", ""),
                            c->fn[5] == 'b' ? "begins" : "is done");
    return fl_fx_str(s->fx, c->fn);
}

void call_reply(struct fl_step *s, const struct run *run, const struct call *c)
{
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_REPLY);
    fx->reply = (struct fl_order_reply){.run = fl_fx_str(s->fx, run->pub.id),
                                        .n = c->n,
                                        .state = c->state,
                                        .result = fl_fx_str(s->fx, c->result ? c->result : "null")};
}

void call_act(struct fl_resp *r, struct fl_step *s, struct run *run, struct call *c)
{
    (void)r;
    c->intent_seq = s->seq;
    c->attempts++;
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_ACT);
    fx->act = (struct fl_order_act){.run = fl_fx_str(s->fx, run->pub.id),
                                    .n = c->n,
                                    .fn = fl_fx_str(s->fx, c->fn),
                                    .args = fl_fx_str(s->fx, c->args),
                                    .idempotency_key = fl_fx_printf(s->fx, "%s-%u", run->pub.id, c->n),
                                    .deadline = run->deadline};
}

void call_finish(struct fl_step *s, struct run *run, struct call *c, fl_call_state st, const char *result,
                 const char *reason)
{
    c->state = st;
    c->outcome_at = s->at;
    set_text(&c->result, result ? result : "null");
    set_text(&c->reason, reason);
    call_row(s, run, c);
    call_reply(s, run, c);
}

static const char *error_json(struct fl_step *s, const char *text)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "error", text);
    fl_jw_obj_end(&w);
    return fl_fx_str(s->fx, b.p);
}

/* Safe to do twice: reading, or declared so by the playbook. */
static bool is_idempotent(const char *fn, const struct fl_json *args)
{
    if (fl_json_bool(args, "idempotent", false))
        return true;
    const char *method = fl_json_str(args, "method", "GET");
    return fl_streq(fn, "http") && (fl_streq(method, "GET") || fl_streq(method, "HEAD"));
}

static void nonsense(struct fl_step *s, const char *what, const char *run, const char *why)
{
    s->note(s, &(struct fl_note){
                   .to = FL_NOTE_AUDIT, .action = what, .incident = "", .subject = run, .text = why});
}

static void settle_call(struct fl_resp *r, struct fl_step *s, struct run *run, struct call *c,
                        const struct fl_json *args)
{
    const char *verdict = fl_json_str(args, "verdict", "ask");
    if (fl_streq(verdict, "ask")) {
        c->state = FL_CALL_INTENT;
        call_row(s, run, c);
        run->doubt_since = s->at;
        r->stats.in_doubt++;
        run_event(r, s, run, RE_DOUBT, NULL);
        return;
    }
    say_call(s, run, c, "call.settled",
             fl_fx_printf(s->fx, "the step's own check settled the call in doubt: %s", verdict));
    call_finish(s, run, c, FL_CALL_DONE, c->args, NULL);
}

static void new_call(struct fl_resp *r, struct fl_step *s, struct run *run, struct call *c,
                     const struct fl_json *args)
{
    if (fl_streq(c->fn, "sleep")) {
        double seconds = fl_json_real(args, "seconds", 0);
        seconds = seconds > 0 ? seconds : 0;
        seconds = seconds < 86400 ? seconds : 86400;
        c->wake_at = s->at + (fl_usec)(seconds * (double)FL_USEC_PER_SEC);
        if (!run->wake_at || c->wake_at < run->wake_at)
            run->wake_at = c->wake_at;
        run_changed(r, run);
        call_row(s, run, c);
    } else if (fl_streq(c->fn, "settle")) {
        settle_call(r, s, run, c, args);
    } else if (call_acts(c)) {
        c->idempotent = is_idempotent(c->fn, args);
        const char *no = guards_act(r, s, run);
        if (no) {
            say_call(s, run, c, "call.denied", fl_fx_printf(s->fx, "%s refused: %s", describe(s, c), no));
            call_finish(s, run, c, FL_CALL_DENIED, error_json(s, no), no);
            return;
        }
        run->acted = true;
        say_call(s, run, c, "call.intended", fl_fx_printf(s->fx, "about to do: %s", describe(s, c)));
        call_row(s, run, c);
        call_act(r, s, run, c);
    } else if (fl_streq(c->fn, "log") || fl_streq(c->fn, "step_begin") || fl_streq(c->fn, "step_end")) {
        say_call(s, run, c, "call.noted", describe(s, c));
        call_finish(s, run, c, FL_CALL_DONE, NULL, NULL);
    } else {
        const char *no = fl_fx_printf(s->fx, "there is no host function \"%.60s\"", c->fn);
        call_finish(s, run, c, FL_CALL_FAILED, error_json(s, no), no);
    }
}

void fl_resp_call(struct fl_resp *r, struct fl_step *s, const struct fl_json *body)
{
    const char *id = fl_json_str(body, "run", ""), *fn = fl_json_str(body, "fn", "");
    int64_t n = fl_json_int(body, "n", 0);
    struct run *run = run_find(r, id);
    if (!run || run->pub.state != FL_RUN_RUNNING) {
        nonsense(s, "call.ignored", id, run ? "the run is not running" : "there is no such run");
        return;
    }
    if (n <= 0 || n > FL_CALLS_MAX || !*fn) {
        run_stop(s, run, "too many calls");
        run_event(r, s, run, RE_ERROR, fl_fx_printf(s->fx, "more than %u host calls", FL_CALLS_MAX));
        return;
    }
    const struct fl_json *args = fl_json_get(body, "args");
    char *text = fl_json_text(args, true);
    FL_REQUIRE(text != NULL);
    struct fl_sha256 hash;
    fl_sha256(text, strlen(text), &hash);
    struct call *c = call_find(run, (unsigned)n);
    if (c) {
        /* Asked again after a restart: the same call gets its recorded answer, another one is a divergence. */
        if (memcmp(c->args_hash.b, hash.b, sizeof hash.b) != 0 || !fl_streq(c->fn, fn)) {
            run_stop(s, run, "diverged");
            run_event(r, s, run, RE_DIVERGED,
                      fl_fx_printf(s->fx, "call %u was %s and now is %.60s", c->n, c->fn, fn));
        } else if (c->state != FL_CALL_INTENT) {
            call_reply(s, run, c);
        }
        free(text);
        return;
    }
    if ((unsigned)n != run->n_calls + 1) {
        run_stop(s, run, "diverged");
        run_event(r, s, run, RE_DIVERGED,
                  fl_fx_printf(s->fx, "call %lld came after call %u", (long long)n, run->n_calls));
        free(text);
        return;
    }
    c = call_add(run, (unsigned)n);
    c->fn = fl_core_strdup(fn);
    c->step = fl_core_strdup(fl_json_str(body, "step", ""));
    c->args = text;
    c->args_hash = hash;
    c->intent_at = s->at;
    c->intent_seq = s->seq;
    run->recoveries = 0; /* it made progress since the last restart */
    r->stats.calls++;
    new_call(r, s, run, c, args);
}

void fl_resp_outcome(struct fl_resp *r, struct fl_step *s, const struct fl_json *body)
{
    const char *id = fl_json_str(body, "run", "");
    struct run *run = run_find(r, id);
    struct call *c = run ? call_find(run, (unsigned)fl_json_int(body, "n", 0)) : NULL;
    if (!c || c->state != FL_CALL_INTENT || !call_acts(c)) {
        nonsense(s, "call.ignored", id, "an outcome for a call that is not open");
        return;
    }
    const struct fl_json *result = fl_json_get(body, "result");
    const char *error = fl_json_str(body, "error", "failed");
    if (fl_json_bool(body, "ok", false)) {
        char *text = fl_json_text(result, true);
        FL_REQUIRE(text != NULL);
        c->outcome_at = s->at;
        set_text(&c->result, text);
        free(text);
        say_call(s, run, c, "call.done", fl_fx_printf(s->fx, "done: %s", describe(s, c)));
        char *keep = fl_core_strdup(c->result);
        call_finish(s, run, c, FL_CALL_DONE, keep, NULL);
        free(keep);
    } else if (fl_json_bool(body, "denied", false)) {
        say_call(s, run, c, "call.denied", fl_fx_printf(s->fx, "%s refused: %.400s", describe(s, c), error));
        call_finish(s, run, c, FL_CALL_DENIED, error_json(s, error), error);
    } else if (fl_json_bool(body, "unknown", false) && c->idempotent && c->attempts < FL_ACT_ATTEMPTS_MAX &&
               !fl_run_is_over(run->pub.state)) {
        say_call(s, run, c, "call.repeated",
                 fl_fx_printf(s->fx, "outcome unknown (%.300s); safe to repeat: %s", error, describe(s, c)));
        call_act(r, s, run, c);
    } else if (fl_json_bool(body, "unknown", false) && !c->idempotent) {
        say_call(s, run, c, "call.in_doubt",
                 fl_fx_printf(s->fx, "outcome unknown (%.300s): %s", error, describe(s, c)));
        call_finish(s, run, c, FL_CALL_IN_DOUBT, error_json(s, error), error);
    } else {
        say_call(s, run, c, "call.failed", fl_fx_printf(s->fx, "failed (%.300s): %s", error, describe(s, c)));
        call_finish(s, run, c, FL_CALL_FAILED, error_json(s, error), error);
    }
}

void fl_resp_ended(struct fl_resp *r, struct fl_step *s, const struct fl_json *body)
{
    const char *id = fl_json_str(body, "run", ""), *ending = fl_json_str(body, "ending", "error");
    struct run *run = run_find(r, id);
    if (!run || fl_run_is_over(run->pub.state) || run->pub.state == FL_RUN_PROPOSED) {
        nonsense(s, "run.ignored", id, run ? "the run is over or has not started" : "there is no such run");
        return;
    }
    const char *error = fl_json_str(body, "error", NULL);
    if (fl_streq(ending, "ok")) {
        char *text = fl_json_text(fl_json_get(body, "result"), true);
        set_text(&run->result, text);
        free(text);
        if (!run->verifies) {
            run_event(r, s, run, RE_VERIFIED, NULL);
            return;
        }
        run->verify_by = s->at + run->verify_within;
        run_changed(r, run);
        run_event(r, s, run, RE_OK, NULL);
    } else if (fl_streq(ending, "diverged")) {
        run_event(r, s, run, RE_DIVERGED, error);
    } else {
        run_event(r, s, run, RE_ERROR,
                  fl_fx_printf(s->fx, "%s%s%.400s", ending, error ? ": " : "", error ? error : ""));
    }
}
