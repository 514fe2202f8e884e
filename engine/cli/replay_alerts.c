/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/replay_alerts.c -- how alerts fare under other rules: who opened an incident, joined one, was kept out or hidden
 * by which rule, before and after; contract in replay_priv.h (layer 6). */
#include "replay_priv.h"

#include <stdlib.h>
#include <string.h>

enum { SHOWN = 50, FATE_MAX = 600 };

struct fares {
    size_t alerts, opened, joined, late, out, muted, flapped, incidents, runs;
};
/* Alerts that a rule, silence or window kept quiet last. */
struct ruled {
    const char *name;
    size_t before, after;
};
struct look {
    struct decisions *before, *after;
    const struct diff_scope *scope;
    const struct episode **v; /* in scope, of either side, by start */
    size_t n;
    struct table rules;
    bool ok;
};

/* ---- one alert ---- */

static const char *fate_of(const struct episode *e)
{
    if (!e)
        return "not there";
    if (e->in_at)
        return e->opened ? "opened" : e->out_by ? "joined_later" : "joined";
    return e->out_by ? "kept_out" : "over_at_once";
}

/* What is compared: not the numbers of incidents, which other rules count otherwise; not times. */
static void fate_text(const struct episode *e, char *buf)
{
    snprintf(buf, FATE_MAX, "%s%s%.200s%s%.200s%s", fate_of(e), e && e->out_by ? ": " : "",
             e && e->out_by ? e->out_by : "", e && e->mute_by ? "; hidden: " : "",
             e && e->mute_by ? e->mute_by : "", e && e->flapped ? "; flapped" : "");
}

static bool same_fate(const struct episode *a, const struct episode *b)
{
    char x[FATE_MAX], y[FATE_MAX];
    fate_text(a, x);
    fate_text(b, y);
    return !strcmp(x, y);
}

static const struct episode *of(const struct decisions *d, const char *key)
{
    return decisions_slot(&d->episodes, key)->value;
}

/* ---- who is looked at ---- */

static bool in_scope(const struct look *l, const struct episode *before, const struct episode *any)
{
    const struct diff_scope *s = l->scope;
    if (s->incident && (!before || !before->incident || strcmp(before->incident->id, s->incident) != 0))
        return false;
    return (!s->since || any->first_at >= s->since) && (!s->until || any->first_at <= s->until);
}

static int by_start(const void *a, const void *b)
{
    const struct episode *x = *(const struct episode *const *)a, *y = *(const struct episode *const *)b;
    if (x->first_at != y->first_at)
        return x->first_at < y->first_at ? -1 : 1;
    return strcmp(x->key, y->key);
}

static void collect(struct look *l)
{
    l->v = calloc(l->before->episodes.n + l->after->episodes.n + 1, sizeof *l->v);
    if (!l->v) {
        l->ok = false;
        return;
    }
    EACH(l->before->episodes, struct episode, e)
    if (in_scope(l, e, e))
        l->v[l->n++] = e;
    EACH(l->after->episodes, struct episode, e)
    if (!of(l->before, e->key) && in_scope(l, NULL, e))
        l->v[l->n++] = e;
    if (l->n)
        qsort(l->v, l->n, sizeof *l->v, by_start);
}

/* ---- sums ---- */

static struct ruled *rule_named(struct look *l, const char *name)
{
    struct ruled *r = decisions_get(l->before, &l->rules, name, sizeof *r);
    if (!r)
        l->ok = false;
    else if (!r->name)
        r->name = decisions_slot(&l->rules, name)->key;
    return r;
}

static void add(struct look *l, struct fares *f, const struct episode *e, bool before)
{
    if (!e)
        return;
    f->alerts++;
    f->opened += e->opened;
    f->joined += e->in_at && !e->opened && !e->out_by;
    f->late += e->in_at && !e->opened && e->out_by;
    f->out += !e->in_at && e->out_by;
    f->muted += e->mute_by != NULL;
    f->flapped += e->flapped;
    for (int k = 0; k < 2; k++) {
        const char *name = k ? e->mute_by : e->out_by;
        struct ruled *r = name && *name && (!k || !fl_streq(name, e->out_by)) ? rule_named(l, name) : NULL;
        if (r)
            *(before ? &r->before : &r->after) += 1;
    }
}

/* Incidents, playbooks and reminders of a part of the time, or of one incident, have no counterpart under other rules to be
 * counted against: they are summed over everything only. */
static bool is_all(const struct look *l)
{
    return !l->scope->incident && !l->scope->since && !l->scope->until;
}

static void add_incidents(struct fares *f, const struct decisions *d)
{
    EACH(d->incidents, struct incident, i)
    f->incidents += i->n_alerts > 0;
    f->runs = d->runs.n;
}

static int by_count(const void *a, const void *b)
{
    const struct ruled *x = *(const struct ruled *const *)a, *y = *(const struct ruled *const *)b;
    size_t m = x->before + x->after, n = y->before + y->after;
    return m != n ? (m > n ? -1 : 1) : strcmp(x->name, y->name);
}

/* Sorted; NULL: none, or out of memory. */
static const struct ruled **sorted_rules(struct look *l)
{
    const struct ruled **v = calloc(l->rules.n + 1, sizeof *v);
    size_t n = 0;
    l->ok &= v != NULL;
    for (size_t i = 0; v && i < l->rules.cap; i++)
        if (l->rules.v[i].value)
            v[n++] = l->rules.v[i].value;
    if (n)
        qsort(v, n, sizeof *v, by_count);
    return v;
}

/* ---- text ---- */

static void sum_line(const char *what, size_t before, size_t after)
{
    printf("  %-38s %8zu %8zu\n", what, before, after);
}

static void say_why(const char *text)
{
    if (!text || !*text)
        return;
    fputs(": ", stdout);
    put_text(stdout, text, 0);
}

static void say_fate(const char *when, const struct episode *e)
{
    char buf[24];
    printf("    %-7s", when);
    if (!e) {
        puts("not an alert of its own");
        return;
    }
    if (e->in_at) {
        fputs(e->opened ? "opened " : "joined ", stdout);
        put_text(stdout, e->incident->id, 0);
        if (e->out_by)
            printf(" after %s",
                   fl_format_duration((e->in_at - e->first_at) / FL_USEC_PER_SEC * FL_USEC_PER_SEC, buf));
    } else {
        fputs(e->out_by ? "kept out" : "was over when it came", stdout);
    }
    say_why(e->out_why);
    if (e->mute_by) {
        fputs("\n           hidden in it", stdout);
        say_why(e->mute_why);
    }
    puts(e->flapped ? "; it flapped" : "");
}

static void say_alerts(const struct look *l)
{
    size_t shown = 0, more = 0;
    char hex[17], at[FL_TIME_LEN];
    for (size_t i = 0; i < l->n; i++) {
        const struct episode *e = l->v[i], *a = of(l->before, e->key), *b = of(l->after, e->key);
        if (same_fate(a, b))
            continue;
        if (shown == SHOWN) {
            more++;
            continue;
        }
        if (!shown++)
            puts("alerts that would fare otherwise");
        fputs("  ", stdout);
        put_text(stdout, e->name ? e->name : "?", 0);
        fputs(" on ", stdout);
        put_text(stdout, e->node && *e->node ? e->node : "no component", 0);
        printf(" (%s), %s\n", fl_fingerprint_hex(e->fingerprint, hex), fl_time_format(e->first_at, at));
        say_fate("before", a);
        say_fate("after", b);
    }
    if (more)
        printf("  … and %zu more; -o json lists all\n", more);
}

static void say_sums(struct look *l, const struct fares *a, const struct fares *b)
{
    printf("%-40s %8s %8s\n", "in sum", "before", "after");
    sum_line("alerts that came in", a->alerts, b->alerts);
    sum_line("of them opened an incident", a->opened, b->opened);
    sum_line("  joined one at once", a->joined, b->joined);
    sum_line("  joined one after they were held", a->late, b->late);
    sum_line("  were kept out", a->out, b->out);
    sum_line("  were hidden in their incident", a->muted, b->muted);
    sum_line("  flapped", a->flapped, b->flapped);
    if (is_all(l)) {
        sum_line("incidents", a->incidents, b->incidents);
        sum_line("playbooks proposed", a->runs, b->runs);
        sum_line("reminders of silences", l->before->reminders, l->after->reminders);
    }
    const struct ruled **rules = sorted_rules(l);
    if (rules && *rules)
        puts("kept quiet by, last");
    for (size_t i = 0; rules && rules[i]; i++) {
        fputs("  ", stdout);
        put_padded(stdout, rules[i]->name, 38);
        printf(" %8zu %8zu\n", rules[i]->before, rules[i]->after);
    }
    free(rules);
}

/* ---- JSON ---- */

static void side(struct fl_jw *w, const char *key, const struct episode *e)
{
    if (!e) {
        fl_jw_null(w, key);
        return;
    }
    fl_jw_obj(w, key);
    fl_jw_str(w, "fate", fate_of(e));
    fl_jw_str(w, "incident", e->incident ? e->incident->id : NULL);
    fl_jw_str(w, "kept_out_by", e->out_by);
    fl_jw_str(w, "kept_out_why", e->out_why);
    if (e->out_by && e->in_at)
        fl_jw_int(w, "kept_out_ms", (e->in_at - e->first_at) / 1000);
    fl_jw_str(w, "hidden_by", e->mute_by);
    fl_jw_str(w, "hidden_why", e->mute_why);
    fl_jw_bool(w, "flapped", e->flapped);
    fl_jw_obj_end(w);
}

static void write_alerts(struct fl_jw *w, const struct look *l)
{
    char hex[17];
    fl_jw_arr(w, "alerts");
    for (size_t i = 0; i < l->n; i++) {
        const struct episode *e = l->v[i], *a = of(l->before, e->key), *b = of(l->after, e->key);
        if (same_fate(a, b))
            continue;
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "fingerprint", fl_fingerprint_hex(e->fingerprint, hex));
        fl_jw_str(w, "alertname", e->name);
        fl_jw_str(w, "node", e->node);
        fl_jw_time(w, "starts_at", e->starts_at);
        side(w, "before", a);
        side(w, "after", b);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

static void write_fares(struct fl_jw *w, const char *key, const struct fares *f, size_t reminders, bool all)
{
    fl_jw_obj(w, key);
    fl_jw_int(w, "alerts", (int64_t)f->alerts);
    fl_jw_int(w, "opened", (int64_t)f->opened);
    fl_jw_int(w, "joined", (int64_t)f->joined);
    fl_jw_int(w, "joined_later", (int64_t)f->late);
    fl_jw_int(w, "kept_out", (int64_t)f->out);
    fl_jw_int(w, "hidden", (int64_t)f->muted);
    fl_jw_int(w, "flapped", (int64_t)f->flapped);
    if (all) {
        fl_jw_int(w, "incidents", (int64_t)f->incidents);
        fl_jw_int(w, "playbooks", (int64_t)f->runs);
        fl_jw_int(w, "reminders", (int64_t)reminders);
    }
    fl_jw_obj_end(w);
}

static void write_sums(struct fl_jw *w, struct look *l, const struct fares *a, const struct fares *b)
{
    fl_jw_obj(w, "sums");
    write_fares(w, "before", a, l->before->reminders, is_all(l));
    write_fares(w, "after", b, l->after->reminders, is_all(l));
    fl_jw_obj_end(w);
    const struct ruled **rules = sorted_rules(l);
    fl_jw_arr(w, "kept_quiet_by");
    for (size_t i = 0; rules && rules[i]; i++) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "name", rules[i]->name);
        fl_jw_int(w, "before", (int64_t)rules[i]->before);
        fl_jw_int(w, "after", (int64_t)rules[i]->after);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
    free(rules);
}

long alerts_diff(struct decisions *before, struct decisions *after, const struct diff_scope *scope,
                 struct fl_jw *json, size_t *ret_compared)
{
    struct look l = {.before = before, .after = after, .scope = scope, .ok = true};
    struct fares a = {0}, b = {0};
    long changed = 0;
    l.ok = decisions_table(&l.rules);
    collect(&l);
    for (size_t i = 0; i < l.n; i++) {
        const struct episode *x = of(before, l.v[i]->key), *y = of(after, l.v[i]->key);
        changed += !same_fate(x, y);
        add(&l, &a, x, true);
        add(&l, &b, y, false);
    }
    add_incidents(&a, before);
    add_incidents(&b, after);
    if (json && l.ok) {
        write_alerts(json, &l);
        write_sums(json, &l, &a, &b);
    } else if (l.ok) {
        say_alerts(&l);
        say_sums(&l, &a, &b);
    }
    *ret_compared = l.n;
    free(l.v);
    free(l.rules.v);
    return l.ok ? changed : -1;
}
