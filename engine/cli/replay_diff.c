/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/replay_diff.c -- contract in replay_diff.h. Incidents are matched by their alerts, never by their numbers: with
 * other rules the same outage may well be called otherwise. */
#include "replay_priv.h"

#include <stdlib.h>
#include <string.h>

/* ---- tables ---- */

struct slot *decisions_slot(const struct table *t, const char *key)
{
    size_t i = (size_t)fl_keyed_hash(key, strlen(key)) & (t->cap - 1);
    while (t->v[i].key && strcmp(t->v[i].key, key) != 0)
        i = (i + 1) & (t->cap - 1);
    return &t->v[i];
}

bool decisions_table(struct table *t)
{
    struct table bigger = {.n = t->n, .cap = t->cap ? t->cap * 2 : 64};
    bigger.v = calloc(bigger.cap, sizeof *bigger.v);
    if (!bigger.v)
        return false;
    for (size_t i = 0; i < t->cap; i++)
        if (t->v[i].key)
            *decisions_slot(&bigger, t->v[i].key) = t->v[i];
    free(t->v);
    *t = bigger;
    return true;
}

void *decisions_get(struct decisions *d, struct table *t, const char *key, size_t size)
{
    if (t->n * 2 >= t->cap && !decisions_table(t))
        return NULL;
    struct slot *s = decisions_slot(t, key);
    if (!s->key) {
        const char *copy = fl_arena_strdup(d->arena, key);
        void *value = fl_arena_calloc(d->arena, 1, size);
        if (!copy || !value)
            return NULL;
        *s = (struct slot){copy, value};
        t->n++;
    }
    return s->value;
}

struct decisions *decisions_new(void)
{
    struct decisions *d = calloc(1, sizeof *d);
    if (!d || !(d->arena = fl_arena_new(0)) || !decisions_table(&d->incidents) ||
        !decisions_table(&d->episodes) || !decisions_table(&d->runs))
        return decisions_free(d);
    return d;
}

struct decisions *decisions_free(struct decisions *d)
{
    if (d) {
        free(d->incidents.v);
        free(d->episodes.v);
        free(d->runs.v);
        fl_arena_free(d->arena);
        free(d);
    }
    return NULL;
}

/* ---- taking rows ---- */

static const char *keep(struct decisions *d, const char *old, const char *now)
{
    return fl_streq(old, now) ? old : fl_arena_strdup(d->arena, now ? now : "");
}

static struct incident *incident_of(struct decisions *d, const char *id, bool *ok)
{
    struct incident *i = id && *id ? decisions_get(d, &d->incidents, id, sizeof *i) : NULL;
    if (i && !i->id)
        i->id = decisions_slot(&d->incidents, id)->key;
    *ok &= i || !id || !*id;
    return i;
}

/* What keeps or hides it now, if anything does. */
static void take_quiet(struct decisions *d, struct episode *e, const struct fl_alert_row *r)
{
    bool in = *r->incident;
    e->flapped |= fl_streq(r->quiet, "flapping");
    if (!r->kept)
        return;
    const char **by = in ? &e->mute_by : &e->out_by, **why = in ? &e->mute_why : &e->out_why;
    *by = keep(d, *by, r->kept_by);
    *why = keep(d, *why, r->kept_why);
}

static bool take_alert(struct decisions *d, const struct fl_alert_row *r)
{
    char key[64];
    bool ok = true, known = !*r->incident || decisions_slot(&d->incidents, r->incident)->key;
    snprintf(key, sizeof key, "%016llx/%lld", (unsigned long long)r->fingerprint, (long long)r->starts_at);
    struct episode *e = decisions_get(d, &d->episodes, key, sizeof *e);
    if (!e)
        return false;
    if (!e->first_at) {
        e->first_at = r->updated_at;
        e->key = decisions_slot(&d->episodes, key)->key;
    }
    e->fingerprint = r->fingerprint;
    e->starts_at = r->starts_at;
    for (size_t i = 0; i < r->labels.n; i++)
        if (!strcmp(r->labels.v[i].name, "alertname"))
            e->name = keep(d, e->name, r->labels.v[i].value);
    e->node = keep(d, e->node, r->node);
    take_quiet(d, e, r);
    struct incident *in = incident_of(d, r->incident, &ok);
    if (in && !e->in_at) {
        e->in_at = r->updated_at;
        e->opened = !known;
    }
    if (in)
        e->incident = in;
    return ok;
}

static bool take_incident(struct decisions *d, const struct fl_incident_row *r)
{
    bool ok = true;
    struct incident *i = incident_of(d, r->id, &ok);
    if (!i)
        return false;
    i->title = keep(d, i->title, r->title);
    i->cause = keep(d, i->cause, r->cause);
    i->confidence = r->confidence;
    i->state = r->state;
    i->opened_at = r->opened_at;
    i->updated_at = r->updated_at;
    return i->title && i->cause;
}

static bool take_run(struct decisions *d, const struct fl_run_row *r)
{
    bool ok = true;
    struct run *x = decisions_get(d, &d->runs, r->id, sizeof *x);
    if (!x)
        return false;
    x->id = decisions_slot(&d->runs, r->id)->key;
    x->playbook = keep(d, x->playbook, r->playbook);
    x->state = r->state;
    x->incident = incident_of(d, r->incident, &ok);
    return ok;
}

bool decisions_take(struct decisions *d, const struct fl_effects *fx)
{
    bool ok = true;
    for (size_t i = 0; ok && i < fx->n; i++)
        switch (fx->v[i].kind) {
        case FL_FX_ALERT: ok = take_alert(d, &fx->v[i].alert); break;
        case FL_FX_INCIDENT: ok = take_incident(d, &fx->v[i].incident); break;
        case FL_FX_RUN: ok = take_run(d, &fx->v[i].run); break;
        case FL_FX_AUDIT:
            d->reminders += fl_streq(fx->v[i].audit.action, "silence.reminder") ||
                            fl_streq(fx->v[i].audit.action, "maintenance.reminder");
            break;
        default: break;
        }
    return ok;
}

/* ---- matching ---- */

struct pair {
    struct incident *before, *after;
    size_t shared;
};
struct match {
    struct pair *v;
    size_t n, cap;
};

/* One more pair, or one more alert of a pair that is there since `from`. */
static bool add_pair(struct match *m, size_t from, struct incident *before, struct incident *after)
{
    for (size_t i = from; i < m->n; i++)
        if (m->v[i].after == after) {
            m->v[i].shared++;
            return true;
        }
    if (m->n == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 64;
        struct pair *v = realloc(m->v, cap * sizeof *v);
        if (!v)
            return false;
        m->v = v;
        m->cap = cap;
    }
    m->v[m->n++] = (struct pair){before, after, 1};
    return true;
}

static int by_shared(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    if (x->shared != y->shared)
        return x->shared > y->shared ? -1 : 1;
    int c = strcmp(x->before->id, y->before->id);
    return c ? c : strcmp(x->after->id, y->after->id);
}

static int by_id(const void *a, const void *b)
{
    const struct pair *x = a, *y = b;
    return strcmp(x->before ? x->before->id : x->after->id, y->before ? y->before->id : y->after->id);
}

static bool match_alone(const struct decisions *d, bool before, struct match *ret)
{
    bool ok = true;
    EACH(d->incidents, struct incident, x)
    if (ok && x->n_alerts && !x->paired)
        ok = add_pair(ret, ret->n, before ? x : NULL, before ? NULL : x);
    return ok;
}

/* Most shared alerts first; who is left alone has no partner. An incident that was merged away has no alerts any more. */
static bool match_incidents(const struct decisions *a, const struct decisions *b, struct match *ret)
{
    struct match all = {0};
    bool ok = true;
    EACH(a->incidents, struct incident, x)
    {
        size_t from = all.n;
        for (const struct episode *e = x->alerts; ok && e; e = e->next) {
            const struct episode *f = decisions_slot(&b->episodes, e->key)->value;
            if (f && f->incident)
                ok = add_pair(&all, from, x, f->incident);
        }
    }
    if (all.n)
        qsort(all.v, all.n, sizeof *all.v, by_shared);
    for (size_t i = 0; ok && i < all.n; i++) {
        struct incident *x = all.v[i].before, *y = all.v[i].after;
        if (x->paired || y->paired)
            continue;
        x->paired = y->paired = true;
        ok = add_pair(ret, ret->n, x, y);
    }
    free(all.v);
    ok = ok && match_alone(a, true, ret) && match_alone(b, false, ret);
    if (ret->n)
        qsort(ret->v, ret->n, sizeof *ret->v, by_id);
    return ok;
}

static void list_alerts(const struct decisions *d)
{
    for (size_t i = d->episodes.cap; i--;) {
        struct episode *e = d->episodes.v[i].value;
        if (!e || !e->incident)
            continue;
        e->next = e->incident->alerts;
        e->incident->alerts = e;
        e->incident->n_alerts++;
    }
}

/* ---- printing ---- */

struct printer {
    const struct decisions *before, *after;
    struct fl_jw w;
    bool json;
};

static void member(struct printer *p, const struct episode *e, const char *sign, size_t n)
{
    char hex[17];
    if (p->json) {
        fl_jw_obj(&p->w, NULL);
        fl_jw_str(&p->w, "fingerprint", fl_fingerprint_hex(e->fingerprint, hex));
        fl_jw_str(&p->w, "alertname", e->name);
        fl_jw_str(&p->w, "node", e->node);
        fl_jw_obj_end(&p->w);
    } else if (n <= 20) {
        printf("  alert      %s ", sign);
        put_text(stdout, e->name ? e->name : "?", 0);
        fputs(" on ", stdout);
        put_text(stdout, e->node && *e->node ? e->node : "no component", 0);
        putchar('\n');
    } else if (n == 21) {
        printf("  alert      %s …\n", sign);
    }
}

/* Alerts of `in` that the partner does not have. */
static size_t members(struct printer *p, const struct incident *in, const struct decisions *other,
                      const struct incident *partner, const char *sign, bool print)
{
    size_t n = 0;
    for (const struct episode *e = in ? in->alerts : NULL; e; e = e->next) {
        const struct episode *f = decisions_slot(&other->episodes, e->key)->value;
        if (partner && f && f->incident == partner)
            continue;
        n++;
        if (print)
            member(p, e, sign, n);
    }
    return n;
}

static size_t count_runs(const struct decisions *d, const struct incident *in, const char *playbook)
{
    size_t n = 0;
    EACH(d->runs, struct run, r)
    n += in && r->incident == in && !strcmp(r->playbook, playbook);
    return n;
}

/* Playbooks proposed more often for `in` than for the partner. */
static size_t runs(struct printer *p, const struct decisions *of, const struct incident *in,
                   const struct decisions *other, const struct incident *partner, const char *sign,
                   bool print)
{
    size_t n = 0;
    EACH(of->runs, struct run, r)
    {
        if (!in || r->incident != in ||
            count_runs(of, in, r->playbook) <= count_runs(other, partner, r->playbook))
            continue;
        n++;
        if (print && p->json) {
            fl_jw_str(&p->w, NULL, r->playbook);
        } else if (print) {
            printf("  playbook   %s ", sign);
            put_text(stdout, r->playbook, 0);
            printf(" (%s)\n", fl_run_state_name(r->state));
        }
    }
    return n;
}

static const char *cause_text(const struct incident *i, char *buf, size_t cap)
{
    if (!i || !i->cause || !*i->cause)
        return "no convincing cause";
    snprintf(buf, cap, "%.200s (%.0f %%)", i->cause, 100 * i->confidence);
    return buf;
}

static void side_json(struct printer *p, const char *key, const struct incident *i)
{
    if (!i) {
        fl_jw_null(&p->w, key);
        return;
    }
    fl_jw_obj(&p->w, key);
    fl_jw_str(&p->w, "id", i->id);
    fl_jw_str(&p->w, "title", i->title);
    fl_jw_str(&p->w, "state", fl_incident_state_name(i->state));
    fl_jw_str(&p->w, "cause", i->cause);
    fl_jw_fixed(&p->w, "confidence", i->confidence, 6);
    fl_jw_int(&p->w, "alerts", (int64_t)i->n_alerts);
    fl_jw_obj_end(&p->w);
}

static void print_pair(struct printer *p, const struct pair *x, bool changed)
{
    char a[256], b[256];
    if (p->json) {
        fl_jw_obj(&p->w, NULL);
        fl_jw_bool(&p->w, "changed", changed);
        side_json(p, "before", x->before);
        side_json(p, "after", x->after);
        fl_jw_arr(&p->w, "alerts_gained");
        members(p, x->after, p->before, x->before, "+", true);
        fl_jw_arr_end(&p->w);
        fl_jw_arr(&p->w, "alerts_lost");
        members(p, x->before, p->after, x->after, "-", true);
        fl_jw_arr_end(&p->w);
        fl_jw_arr(&p->w, "playbooks_gained");
        runs(p, p->after, x->after, p->before, x->before, "+", true);
        fl_jw_arr_end(&p->w);
        fl_jw_arr(&p->w, "playbooks_lost");
        runs(p, p->before, x->before, p->after, x->after, "-", true);
        fl_jw_arr_end(&p->w);
        fl_jw_obj_end(&p->w);
        return;
    }
    if (!changed)
        return;
    const struct incident *named = x->before ? x->before : x->after;
    fputs(named->id, stdout);
    if (x->before && x->after && strcmp(x->before->id, x->after->id) != 0)
        printf(" (now %s)", x->after->id);
    fputs(x->before ? x->after ? ": " : ": no longer an incident: " : " would be new: ", stdout);
    put_text(stdout, named->title ? named->title : "", 0);
    putchar('\n');
    fputs("  cause      ", stdout);
    put_text(stdout, cause_text(x->before, a, sizeof a), 0);
    fputs(" → ", stdout);
    put_text(stdout, cause_text(x->after, b, sizeof b), 0);
    putchar('\n');
    printf("  alerts     %zu → %zu\n", x->before ? x->before->n_alerts : 0,
           x->after ? x->after->n_alerts : 0);
    members(p, x->after, p->before, x->before, "+", true);
    members(p, x->before, p->after, x->after, "-", true);
    runs(p, p->after, x->after, p->before, x->before, "+", true);
    runs(p, p->before, x->before, p->after, x->after, "-", true);
}

static bool differs(struct printer *p, const struct pair *x)
{
    char a[256], b[256];
    return !x->before || !x->after ||
           strcmp(cause_text(x->before, a, sizeof a), cause_text(x->after, b, sizeof b)) != 0 ||
           members(p, x->after, p->before, x->before, "+", false) ||
           members(p, x->before, p->after, x->after, "-", false) ||
           runs(p, p->after, x->after, p->before, x->before, "+", false) ||
           runs(p, p->before, x->before, p->after, x->after, "-", false);
}

static bool in_scope(const struct diff_scope *s, const struct pair *x)
{
    const struct incident *i = x->before ? x->before : x->after;
    if (s->incident && (!x->before || strcmp(x->before->id, s->incident) != 0))
        return false;
    return (!s->since || i->updated_at >= s->since) && (!s->until || i->opened_at <= s->until);
}

bool decisions_diff(struct decisions *before, struct decisions *after, const struct diff_scope *scope,
                    bool json, struct diff_counts *ret)
{
    FL_AUTO_BUF b = fl_buf_init((size_t)1 << 30);
    struct printer p = {.before = before, .after = after, .w = fl_jw_init(&b), .json = json};
    struct match m = {0};
    list_alerts(before);
    list_alerts(after);
    bool ok = match_incidents(before, after, &m);
    *ret = (struct diff_counts){0};
    fl_jw_obj(&p.w, NULL);
    fl_jw_arr(&p.w, "incidents");
    for (size_t i = 0; ok && i < m.n; i++) {
        if (!in_scope(scope, &m.v[i]))
            continue;
        bool other = differs(&p, &m.v[i]);
        ret->incidents_changed += other;
        ret->incidents++;
        print_pair(&p, &m.v[i], other);
    }
    free(m.v);
    fl_jw_arr_end(&p.w);
    fl_jw_int(&p.w, "compared", (int64_t)ret->incidents);
    fl_jw_int(&p.w, "changed", (int64_t)ret->incidents_changed);
    long changed = ok ? alerts_diff(before, after, scope, json ? &p.w : NULL, &ret->alerts) : -1;
    fl_jw_obj_end(&p.w);
    ok = changed >= 0 && !b.failed;
    ret->alerts_changed = ok ? (size_t)changed : 0;
    ret->reminders_changed = !scope->incident && !scope->since && !scope->until &&
                             before->reminders != after->reminders;
    if (json && ok)
        print_json(&b);
    return ok;
}
