/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/respond/guards.c -- the brakes: every reason not to act, in one place. They fail closed. */
#include "respond_priv.h"

#include <string.h>

static struct cooling *cooling_find(const struct fl_resp *r, const char *target)
{
    struct cooling *c;
    HASH_FIND_STR(r->cooling, target, c);
    return c;
}

/* Read-only runs never stand in the way of a repair. */
static bool occupies(const struct run *run)
{
    if (!run->disruptive)
        return false;
    return run->pub.state == FL_RUN_RUNNING || run->pub.state == FL_RUN_IN_DOUBT ||
           run->pub.state == FL_RUN_VERIFYING;
}

static size_t disruptive_now(const struct fl_resp *r, const struct fl_step *s)
{
    size_t n = 0;
    for (size_t i = 0; i < r->n_disruptive; i++)
        n += r->disruptive[i] > s->at - s->rules->guards.disruptive_window;
    return n;
}

/* Brakes a person may take upon themselves by saying so; the others bind everybody. */
static const char *rate_brakes(struct fl_resp *r, struct fl_step *s, const struct run *run)
{
    const struct fl_guard_params *g = &s->rules->guards;
    const struct book *b = book_find(r, run->pub.playbook);
    fl_usec cooldown = b && b->cooldown >= 0 ? b->cooldown : g->cooldown;
    const struct cooling *c = cooling_find(r, run->pub.target);
    char left[24];
    if (c && s->at - c->at < cooldown) {
        fl_usec rest = (cooldown - (s->at - c->at)) / FL_USEC_PER_SEC * FL_USEC_PER_SEC;
        return fl_fx_printf(s->fx, "%s had a disruptive run and cools down for another %s", run->pub.target,
                            fl_format_duration(rest ? rest : FL_USEC_PER_SEC, left));
    }
    if (disruptive_now(r, s) >= g->max_disruptive)
        return fl_fx_printf(s->fx, "%zu disruptive runs in the last %s, the limit is %u",
                            disruptive_now(r, s), fl_format_duration(g->disruptive_window, left),
                            g->max_disruptive);
    return NULL;
}

const char *guards_run(struct fl_resp *r, struct fl_step *s, const struct run *run,
                       const struct fl_resp_view *v, bool person, bool override)
{
    const struct fl_guard_params *g = &s->rules->guards;
    if (r->halted)
        return "automation is halted (faultline playbook resume)";
    if (!v->active)
        return "the incident is over";
    if (run->disruptive && !*run->pub.target)
        return "a disruptive playbook needs a target and there is no convincing cause";
    for (const struct run *x = run->disruptive ? r->first : NULL; x; x = x->next)
        if (x != run && occupies(x) && fl_streq(x->pub.target, run->pub.target) && *run->pub.target)
            return fl_fx_printf(s->fx, "%s is running on %s already", x->pub.id, run->pub.target);
    const char *off = v->keep_off && !override ? v->keep_off(v->ctx, s, run->pub.target) : NULL;
    if (off)
        return off;
    struct breaker *b;
    HASH_FIND_STR(r->breakers, run->pub.playbook, b);
    if (b && b->failures >= g->breaker_failures)
        return fl_fx_printf(s->fx,
                            "%s failed %u times in a row and is off until someone acknowledges it "
                            "(faultline playbook resume %s)",
                            run->pub.playbook, b->failures, run->pub.playbook);
    if (!person && run->disruptive && v->services_known &&
        (double)v->services_alerting > g->max_alerting_share * (double)v->services_known)
        return fl_fx_printf(s->fx, "%zu of %zu known services alert: mass outages are for people",
                            v->services_alerting, v->services_known);
    return run->disruptive && !override ? rate_brakes(r, s, run) : NULL;
}

const char *guards_act(struct fl_resp *r, struct fl_step *s, const struct run *run)
{
    if (r->halted)
        return "automation is halted";
    if (run->deadline <= s->at)
        return "the run's time limit has passed";
    return NULL;
}

void guards_started(struct fl_resp *r, struct fl_step *s, const struct run *run)
{
    if (!run->disruptive)
        return;
    struct cooling *c = cooling_find(r, run->pub.target);
    if (!c) {
        c = fl_core_alloc(1, sizeof *c);
        c->target = fl_core_strdup(run->pub.target);
        HASH_ADD_KEYPTR(hh, r->cooling, c->target, strlen(c->target), c);
    }
    c->at = s->at;
    size_t keep = 0;
    for (size_t i = 0; i < r->n_disruptive; i++)
        if (r->disruptive[i] > s->at - s->rules->guards.disruptive_window)
            r->disruptive[keep++] = r->disruptive[i];
    fl_usec *grown = fl_core_alloc(keep + 1, sizeof *grown);
    if (keep)
        memcpy(grown, r->disruptive, keep * sizeof *grown);
    grown[keep] = s->at;
    free(r->disruptive);
    r->disruptive = grown;
    r->n_disruptive = keep + 1;
}

void guards_ended(struct fl_resp *r, struct fl_step *s, const struct run *run)
{
    bool failed = run->pub.state == FL_RUN_FAILED || run->pub.state == FL_RUN_TIMED_OUT ||
                  run->pub.state == FL_RUN_DIVERGED;
    if (!failed && run->pub.state != FL_RUN_SUCCEEDED)
        return;
    struct breaker *b;
    HASH_FIND_STR(r->breakers, run->pub.playbook, b);
    if (!b) {
        b = fl_core_alloc(1, sizeof *b);
        b->playbook = fl_core_strdup(run->pub.playbook);
        HASH_ADD_KEYPTR(hh, r->breakers, b->playbook, strlen(b->playbook), b);
    }
    b->failures = failed ? b->failures + 1 : 0;
    if (failed && b->failures == s->rules->guards.breaker_failures)
        run_say(s, run, "guard.tripped", NULL,
                fl_fx_printf(s->fx, "%s failed %u times in a row: off until acknowledged", b->playbook,
                             b->failures),
                NULL);
}
