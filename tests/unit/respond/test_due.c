/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which runs a step looks at: random lives of many runs, and after each step all that is kept as it goes is found out again by
 * visiting every run; a second state that goes through snapshots says the same at every step. */
#include <faultline/json.h>
#include <faultline/respond.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEC FL_USEC_PER_SEC
#define T0 (INT64_C(1790000000) * SEC)
enum { INCIDENTS = 40, STEPS = 4000, SEEDS = 3 };

static const char rules_text[] = "{\"guards\":{\"approval_ttl\":\"5m\"}}";

struct world {
    struct fl_rules *rules;
    struct fl_resp *r, *twin;
    struct fl_step step;
    uint64_t random, seq;
    fl_usec at;
    size_t firing[INCIDENTS];
    int merged[INCIDENTS]; /* into; -1: it is not */
    unsigned runs;
    size_t seen[FL_RUN_N];
};

static uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (w->random >> 11) % below;
}

static void note(struct fl_step *s, const struct fl_note *n)
{
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_STOP); /* so that notes are among what is compared */
    fx->stop = (struct fl_order_stop){.run = fl_fx_str(s->fx, n->subject),
                                      .reason = fl_fx_str(s->fx, n->text)};
}

static void id_of(int incident, char text[FL_ID_LEN])
{
    snprintf(text, FL_ID_LEN, "INC-2026-%06d", incident);
}

static int number_of(const struct world *w, const char *incident)
{
    int i = atoi(incident + sizeof "INC-2026-" - 1);
    return w->merged[i] < 0 ? i : w->merged[i];
}

static size_t firing_on(void *ctx, const char *incident, const char *node)
{
    const struct world *w = ctx;
    (void)node;
    return w->firing[number_of(w, incident)];
}

static void each_alert(void *ctx, bool (*visit)(void *vctx, const struct fl_labels *l, const char *node),
                       void *vctx)
{
    (void)ctx;
    (void)visit;
    (void)vctx;
}

/* ---- one event, for either state ---- */

struct act {
    unsigned kind, run, incident, into, n;
    bool yes;
};

static void report(struct fl_resp *r, struct fl_step *s,
                   void (*f)(struct fl_resp *, struct fl_step *, const struct fl_json *), const char *text)
{
    FL_AUTO_JSON v = fl_json_parse(text, strlen(text), NULL);
    assert_non_null(v);
    f(r, s, v);
}

static void request(struct world *w, struct fl_resp *r, struct fl_step *s, const struct act *a,
                    const char *incident)
{
    struct fl_resp_view v = {.incident = incident,
                             .active = true,
                             .convincing = true,
                             .cause = "",
                             .cause_type = "",
                             .cause_service = "",
                             .confidence = 0.9,
                             .incident_json = "{}",
                             .cause_json = "{}",
                             .each_alert = each_alert,
                             .firing_on = firing_on,
                             .ctx = w};
    char id[FL_ID_LEN], run[FL_ID_LEN];
    struct fl_err err = {0};
    snprintf(run, sizeof run, "RUN-2026-%06u", a->run);
    s->actor = "ann";
    if (a->kind == 0)
        assert_int_equal(fl_resp_request(r, s, &v, a->yes ? "look" : "mend", "{}", id, &err), FL_OK);
    s->actor = "bob";
    if (a->kind == 1)
        (void)!fl_resp_approve(r, s, &v, run, true, &err);
}

/* What people, the runner and the incidents do; most of it hits runs in some other state, and is refused. */
static void act(struct world *w, struct fl_resp *r, struct fl_step *s, const struct act *a)
{
    char incident[FL_ID_LEN], into[FL_ID_LEN], run[FL_ID_LEN], body[256];
    struct fl_err err = {0};
    id_of((int)a->incident, incident);
    id_of((int)a->into, into);
    snprintf(run, sizeof run, "RUN-2026-%06u", a->run);
    switch (a->kind) {
    case 0:
    case 1: request(w, r, s, a, incident); break;
    case 2:
        (void)!(a->yes ? fl_resp_deny(r, s, run, "no", &err) : fl_resp_abort(r, s, run, "no", &err));
        break;
    case 3:
        snprintf(body, sizeof body,
                 "{\"run\":\"%s\",\"n\":%u,\"fn\":\"%s\",\"args\":{\"seconds\":%u,\"verdict\":\"ask\"}}", run,
                 a->n,
                 a->yes        ? "sleep"
                 : a->into % 5 ? "log"
                               : "settle",
                 a->into * 3);
        report(r, s, fl_resp_call, body);
        break;
    case 4:
        snprintf(body, sizeof body, "{\"run\":\"%s\",\"ending\":\"%s\",\"result\":{}}", run,
                 a->into % 8 ? "ok" : "error");
        report(r, s, fl_resp_ended, body);
        break;
    case 5: (void)!fl_resp_settle(r, s, run, "done", "{}", &err); break;
    case 6: fl_resp_incident_changed(r, incident); break;
    case 7:
        fl_resp_incident_merged(r, incident, into);
        fl_resp_incident_changed(r, into);
        break;
    case 8: fl_resp_engine_started(r, s, w->seq); break;
    default: break;
    }
}

static void say(const struct fl_effects *fx, struct fl_buf *out)
{
    for (size_t i = 0; i < fx->n; i++) {
        const struct fl_fx *x = &fx->v[i];
        fl_buf_printf(out, "%d", (int)x->kind);
        if (x->kind == FL_FX_RUN)
            fl_buf_printf(out, " %s %d %s", x->run.id, (int)x->run.state, x->run.reason);
        else if (x->kind == FL_FX_STOP)
            fl_buf_printf(out, " %s %s", x->stop.run, x->stop.reason);
        else if (x->kind == FL_FX_REPLY)
            fl_buf_printf(out, " %s %u %d", x->reply.run, x->reply.n, (int)x->reply.state);
        fl_buf_chr(out, '\n');
    }
    assert_false(out->failed);
}

static struct fl_buf step(struct world *w, struct fl_resp *r, const struct act *a)
{
    struct fl_effects *fx = fl_effects_new();
    struct fl_err err = {0};
    struct fl_buf text = fl_buf_init(0);
    assert_non_null(fx);
    fx->realm = "default";
    w->step = (struct fl_step){
        .at = w->at, .seq = w->seq, .actor = "ann", .rules = w->rules, .fx = fx, .note = note, .ctx = w};
    act(w, r, &w->step, a);
    fl_resp_tick(r, &w->step);
    fl_resp_verify(r, &w->step, firing_on, w);
    if (fl_resp_check(r, w->at, firing_on, w, &err) != FL_OK)
        fail_msg("event %llu, act %u: %s: %s", (unsigned long long)w->seq, a->kind, err.where, err.text);
    say(fx, &text);
    fl_effects_free(fx);
    return text;
}

/* ---- random lives ---- */

static unsigned calls[STEPS + 1];

static struct act make(struct world *w)
{
    static const unsigned often[] = {0, 1, 1, 3, 3, 3, 3, 4, 4, 6, 6, 6, 5, 7, 9, 9};
    struct act a = {.kind = often[draw(w, FL_ARRAY_LEN(often))],
                    .run = w->runs ? 1 + (unsigned)draw(w, w->runs) : 1,
                    .incident = (unsigned)draw(w, INCIDENTS),
                    .into = (unsigned)draw(w, INCIDENTS),
                    .yes = draw(w, 2)};
    if (draw(w, 60) == 0)
        a.kind = 2;
    if (draw(w, 300) == 0)
        a.kind = 8;
    if (w->runs > 24 && draw(w, 8))
        a.run = w->runs - (unsigned)draw(w, 24);
    if (a.kind == 0)
        w->runs++;
    if (a.kind == 3) {
        const struct fl_run *run = NULL;
        char id[FL_ID_LEN];
        snprintf(id, sizeof id, "RUN-2026-%06u", a.run);
        run = fl_resp_find(w->r, id);
        a.n = run && run->state == FL_RUN_RUNNING ? ++calls[a.run] : 1;
    }
    if (a.kind == 6)
        w->firing[a.incident] = draw(w, 3);
    if (a.kind == 7) {
        bool can = a.incident != a.into && w->merged[a.incident] < 0 && w->merged[a.into] < 0 &&
                   draw(w, 8) == 0;
        for (int i = 0; i < INCIDENTS; i++)
            can &= w->merged[i] != (int)a.incident;
        if (can)
            w->merged[a.incident] = (int)a.into;
        else
            a.kind = 9;
    }
    return a;
}

static void through_snapshot(struct world *w)
{
    FL_AUTO_BUF b = fl_buf_init(0), again = fl_buf_init(0);
    struct fl_jw j = fl_jw_init(&b), k = fl_jw_init(&again);
    struct fl_err err = {0};
    fl_resp_write(w->twin, &j, NULL);
    FL_AUTO_JSON v = fl_json_parse(b.p, b.n, &err);
    assert_non_null(v);
    struct fl_resp *r = fl_resp_new();
    assert_int_equal(fl_resp_read(r, v, &err), FL_OK);
    fl_resp_write(r, &k, NULL);
    assert_int_equal(b.n, again.n);
    assert_memory_equal(b.p, again.p, b.n);
    fl_resp_free(w->twin);
    w->twin = r;
}

static void playbooks(struct fl_resp *r)
{
    struct fl_playbook_def v[] = {
        {.meta = {.name = "look", .version = "1", .doc = "", .timeout = 90 * SEC, .meta_json = "{}"},
         .source = "look"},
        {.meta = {.name = "mend",
                  .version = "1",
                  .doc = "",
                  .timeout = 90 * SEC,
                  .verify = "alerts_clear",
                  .verify_within = 200 * SEC,
                  .meta_json = "{}"},
         .source = "mend"}};
    for (size_t i = 0; i < FL_ARRAY_LEN(v); i++)
        fl_sha256(v[i].source, strlen(v[i].source), &v[i].meta.hash);
    fl_resp_playbooks(r, v, FL_ARRAY_LEN(v));
}

static void lives(struct world *w, uint64_t seed)
{
    w->random = seed * 2654435761u + 1;
    w->at = T0;
    w->seq = 0;
    w->runs = 0;
    memset(calls, 0, sizeof calls);
    for (int i = 0; i < INCIDENTS; i++) {
        w->firing[i] = 1;
        w->merged[i] = -1;
    }
    w->r = fl_resp_new();
    w->twin = fl_resp_new();
    playbooks(w->r);
    playbooks(w->twin);
    for (int k = 0; k < STEPS; k++) {
        struct act a = make(w);
        fl_usec due = fl_resp_deadline(w->r);
        w->at = draw(w, 8) == 0 && due > w->at ? due : w->at + (fl_usec)draw(w, 400) * 1000;
        w->seq++;
        FL_AUTO_BUF x = step(w, w->r, &a);
        FL_AUTO_BUF y = step(w, w->twin, &a);
        assert_int_equal(fl_resp_deadline(w->r), fl_resp_deadline(w->twin));
        if (x.n != y.n || (x.n && memcmp(x.p, y.p, x.n) != 0))
            fail_msg("seed %llu, event %d: a restored state decides another way", (unsigned long long)seed,
                     k);
        if (k % 50 == 49) {
            through_snapshot(w);
            playbooks(w->twin);
        }
        char id[FL_ID_LEN];
        snprintf(id, sizeof id, "RUN-2026-%06u", a.run);
        const struct fl_run *run = fl_resp_find(w->r, id);
        if (run)
            w->seen[run->state]++;
    }
    fl_resp_free(w->r);
    fl_resp_free(w->twin);
}

static void nobody_is_forgotten(void **state)
{
    (void)state;
    struct world *w = calloc(1, sizeof *w);
    struct fl_err err = {0};
    if (fl_rules_from_json(rules_text, strlen(rules_text), &w->rules, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        lives(w, seed);
    for (int st = 0; st < FL_RUN_N; st++) /* it was about something */
        if (st != FL_RUN_DIVERGED && !w->seen[st])
            fail_msg("no run was ever %s", fl_run_state_name((fl_run_state)st));
    fl_rules_free(w->rules);
    free(w);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_is_forgotten)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
