/* SPDX-License-Identifier: GPL-3.0-or-later */
/* culprit.c -- which deploy, flag or commit made the first candidate fail, or none. For each change the odds that
 * it is the cause against that it only happened nearby: how soon the suspect's own first anomaly followed, against
 * how often such changes come anyway; where it was made; what its diff does; rare words it shares with what the
 * suspect's alerts say; and what else explains the anomaly. "None" has odds of one. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "culprit_diff.h"
#include "rank_parts.h"

enum { CHANGES_MAX = 2000, WORDS_MAX = 4096 };

/* Minutes before the first anomaly in which changes are looked at, and after it: detection lags. */
static const double BEFORE = 180, AFTER = 2;
/* Two of three incidents come of a change. A name that is wrong costs more than none: it is said when it is three
 * times as likely. */
static const double PRIOR = 2, SURE = 3;
/* Log odds: more load or a busy host is a cause of its own; the most that shared words can say. */
static const double EXPLAINED = -1.5, WORDS_MOST = 1.5;

struct words {
    uint64_t *v;
    size_t n, cap;
};

/* Words of four letters and more, CamelCase taken apart, as sorted hashes. */
static void add_words(struct words *w, const char *s)
{
    while (s && *s) {
        char word[32];
        size_t n = 0;
        while (*s && !isalpha((unsigned char)*s))
            s++;
        bool lower = false;
        for (; isalpha((unsigned char)*s) && !(lower && isupper((unsigned char)*s)); s++) {
            lower |= islower((unsigned char)*s) != 0;
            if (n < sizeof word)
                word[n++] = (char)tolower((unsigned char)*s);
        }
        if (n > 4 && word[n - 1] == 's')
            n--;
        if (n >= 4 && w->n < w->cap)
            w->v[w->n++] = fl_fnv1a(FL_FNV1A_INIT, word, n);
    }
}

static const uint64_t *find_word(const struct words *w, uint64_t key)
{
    return w->n ? bsearch(&key, w->v, w->n, sizeof *w->v, fl_hash_order) : NULL;
}

static bool make_words(struct fl_arena *arena, struct words *w)
{
    *w = (struct words){fl_arena_alloc(arena, WORDS_MAX * sizeof *w->v), 0, WORDS_MAX};
    return w->v != NULL;
}

enum place { P_ELSEWHERE, P_NEXT, P_SELF, P_N };

/* All that is known of one change id: the commit's text with its deploy's time and place. */
struct suspect {
    const struct fl_change *text, *deploy;
    fl_usec time;
    double odds, words, minutes; /* log odds: of all, of shared words; before the first anomaly */
    enum place place;
    enum fl_diff_effect effect;
};

/* When the suspect's own trouble began, and what it began with. */
struct onset {
    fl_usec first;
    bool creeping;  /* something that fills up: it takes longer from cause to anomaly */
    bool explained; /* more load, or trouble of the host it runs on, began with it */
};

static bool is_creeping(enum fl_kind k)
{
    return k == FL_K_MEM || k == FL_K_IO;
}

static bool is_resource(enum fl_kind k)
{
    return k == FL_K_CPU || k == FL_K_MEM || k == FL_K_IO;
}

enum { ON_HOST_MAX = 1024 };

/* The group or one of its instances runs on this host. */
static bool runs_on(const struct fl_evidence *ev, size_t group, fl_vertex host)
{
    const fl_vertex *next;
    size_t n = fl_topo_neighbours(ev->in->topo, host, FL_DIR_NEEDED_BY, &next);
    for (size_t i = 0; i < n && i < ON_HOST_MAX; i++)
        if (fl_evidence_group(ev, next[i]) == (int)group)
            return true;
    return false;
}

static fl_usec item_start(const struct fl_evidence *ev, const struct fl_item *it)
{
    return ev->in->alerts[it->alert].alert->starts_at;
}

static struct onset find_onset(const struct fl_evidence *ev, size_t group)
{
    struct onset o = {0};
    const fl_usec minute = 60 * FL_USEC_PER_SEC;
    for (size_t i = 0; i < ev->n_items; i++) {
        fl_usec t = item_start(ev, &ev->items[i]);
        if (ev->items[i].group == group && ev->items[i].kind < FL_K_OWN_N && t > 0 &&
            (!o.first || t < o.first))
            o.first = t;
    }
    bool sudden = false;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_item *it = &ev->items[i];
        fl_usec t = item_start(ev, it);
        if (t <= 0 || t - minute > o.first || it->kind >= FL_K_OWN_N)
            continue;
        bool own = it->group == group;
        o.creeping |= own && is_creeping(it->kind);
        sudden |= own && !is_creeping(it->kind);
        o.explained |= own && it->kind == FL_K_TRAF_UP;
        o.explained |= !own && is_resource(it->kind) && ev->groups[it->group].host &&
                       runs_on(ev, group, ev->groups[it->group].vertex);
    }
    o.creeping &= !sudden;
    return o;
}

static enum place place_of(const struct fl_evidence *ev, size_t group, const struct fl_change *c)
{
    const struct fl_group *g = &ev->groups[group];
    int at = fl_evidence_group(ev, fl_topo_find(ev->in->topo, c->component));
    if (at < 0)
        return P_ELSEWHERE;
    if ((size_t)at == group)
        return P_SELF;
    for (uint32_t i = 0; i < g->n_needs; i++)
        if (g->needs[i] == (uint32_t)at)
            return P_NEXT;
    for (uint32_t i = 0; i < g->n_needed_by; i++)
        if (g->needed_by[i] == (uint32_t)at)
            return P_NEXT;
    return P_ELSEWHERE;
}

/* A commit without a deploy of its own went out with the next deploy of the component its files belong to. */
static void ride_along(const struct fl_evidence *ev, size_t group, const struct suspect *v, size_t n,
                       struct suspect *s)
{
    const char *id = fl_topo_node(ev->in->topo, ev->groups[group].vertex)->id;
    if (s->deploy || !s->text->detail || !strstr(s->text->detail, id))
        return;
    for (size_t i = 0; i < n; i++)
        if (v[i].deploy && v[i].place == P_SELF && v[i].deploy->time >= s->text->time &&
            (!s->deploy || v[i].deploy->time < s->deploy->time)) {
            s->deploy = v[i].deploy;
            s->time = s->deploy->time;
            s->place = P_SELF;
        }
}

struct listed {
    const struct fl_change *c;
    double away; /* microseconds from the first anomaly */
};

static int text_order(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

/* A total order over what a change says, so that the order in which changes are listed never decides. */
static int by_id(const void *pa, const void *pb)
{
    const struct fl_change *a = ((const struct listed *)pa)->c, *b = ((const struct listed *)pb)->c;
    int o = text_order(a->id, b->id);
    if (!o && a->time != b->time)
        o = a->time < b->time ? -1 : 1;
    if (!o)
        o = text_order(a->component, b->component);
    if (!o)
        o = text_order(a->kind, b->kind);
    if (!o)
        o = text_order(a->title, b->title);
    return o ? o : text_order(a->detail, b->detail);
}

static int by_nearness(const void *pa, const void *pb)
{
    const struct listed *a = pa, *b = pb;
    return a->away < b->away ? -1 : a->away > b->away ? 1 : by_id(pa, pb);
}

/* What is said of one change id, taken together: a deploy gets the text of its commit. */
static void merge(const struct fl_evidence *ev, size_t group, const struct fl_change *c, struct suspect *s)
{
    if (!s->text || (c->title && !s->text->title))
        s->text = c;
    if (!s->deploy && (!s->time || c->time < s->time))
        s->time = c->time;
    if (c->component && c->component[0] && !s->deploy) { /* sorted: the first one is the earliest */
        s->deploy = c;
        s->time = c->time;
        s->place = place_of(ev, group, c);
    }
}

/* The changes next to the first anomaly, one entry an id; 0 also when memory ran out. */
static size_t gather(const struct fl_evidence *ev, size_t group, fl_usec first, struct suspect *v)
{
    struct listed *l = fl_arena_alloc(ev->arena, (ev->in->n_changes + 1) * sizeof *l);
    size_t n = 0, listed = 0;
    for (size_t i = 0; l && i < ev->in->n_changes; i++) {
        const struct fl_change *c = &ev->in->changes[i];
        if (c->id && c->id[0])
            l[listed++] = (struct listed){c, fabs((double)first - (double)c->time)};
    }
    if (listed > CHANGES_MAX) {
        qsort(l, listed, sizeof *l, by_nearness);
        listed = CHANGES_MAX;
    }
    if (listed > 1)
        qsort(l, listed, sizeof *l, by_id);
    for (size_t i = 0; i < listed; i++) {
        n += i == 0 || strcmp(l[i].c->id, l[i - 1].c->id) != 0;
        merge(ev, group, l[i].c, &v[n - 1]);
    }
    for (size_t i = 0; i < n; i++) {
        ride_along(ev, group, v, n, &v[i]);
        v[i].minutes = ((double)first - (double)v[i].time) / (60.0 * FL_USEC_PER_SEC);
        v[i].effect = fl_diff_effect(v[i].text);
    }
    return n;
}

/* The title, and what the diff takes out and puts in: not the lines around it. */
static void change_words(const struct fl_change *c, struct words *w)
{
    const char *at = c->detail, *line;
    char sign, copy[512];
    size_t n;
    w->n = 0;
    add_words(w, c->title);
    while (at && (line = fl_diff_line(&at, &sign, &n))) {
        snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), line);
        add_words(w, copy);
    }
    w->n = fl_hashes_unique(w->v, w->n);
}

/* What the suspect's alerts say. */
static bool said_words(const struct fl_evidence *ev, size_t group, struct words *said)
{
    if (!make_words(ev->arena, said))
        return false;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_alert *a = ev->in->alerts[ev->items[i].alert].alert;
        if (ev->items[i].group == group)
            add_words(said, fl_label_get(&a->annotations, "summary"));
    }
    said->n = fl_hashes_unique(said->v, said->n);
    return true;
}

/* Rare words that a change shares with what the suspect's alerts say, as log odds. Words come in phrases, so each
 * counts for a third of what it would count alone; and a text can speak only so clearly. */
static bool score_words(const struct fl_evidence *ev, size_t group, struct suspect *v, size_t n)
{
    struct words said, w;
    if (!said_words(ev, group, &said) || !make_words(ev->arena, &w))
        return false;
    uint32_t *in = fl_arena_calloc(ev->arena, said.n + 1, sizeof *in); /* changes that have the word */
    if (!in)
        return false;
    for (size_t i = 0; i < n; i++) {
        change_words(v[i].text, &w);
        for (size_t k = 0; k < w.n; k++) {
            const uint64_t *at = find_word(&said, w.v[k]);
            if (at)
                in[at - said.v]++;
        }
    }
    for (size_t i = 0; i < n; i++) {
        change_words(v[i].text, &w);
        for (size_t k = 0; k < w.n; k++) {
            const uint64_t *at = find_word(&said, w.v[k]);
            if (at)
                v[i].words += log((double)n / in[at - said.v]) / 3;
        }
        v[i].words = v[i].words < WORDS_MOST ? v[i].words : WORDS_MOST;
    }
    return true;
}

/* It could have acted: it runs, somewhere, and did so in time. */
static bool can_be(const struct suspect *s)
{
    bool ran = s->deploy || strcmp(s->text->kind, "commit") != 0;
    return ran && s->effect != FL_DIFF_INERT && s->minutes >= -AFTER && s->minutes <= BEFORE;
}

/* How likely an anomaly first shows so many minutes after its cause, a minute. */
static double delay_density(double minutes, bool creeping)
{
    double mean = creeping ? 45 : 10, t = minutes > 0 ? minutes : 0;
    return 0.8 * exp(-t / mean) / mean + 0.2 / BEFORE;
}

static void score(struct suspect *v, size_t n, const struct onset *o)
{
    /* Where the change that breaks a component is made. */
    static const double where[P_N] = {[P_SELF] = 0.7, [P_NEXT] = 0.25, [P_ELSEWHERE] = 0.05};
    static const double does[] = {[FL_DIFF_UNKNOWN] = 0,
                                  [FL_DIFF_INERT] = 0,
                                  [FL_DIFF_LOGS] = -2,
                                  [FL_DIFF_MOVED] = -2,
                                  [FL_DIFF_VALUES] = 1};
    double rate[P_N];
    for (int p = 0; p < P_N; p++)
        rate[p] = 1 / BEFORE;
    for (size_t i = 0; i < n; i++)
        if (can_be(&v[i]))
            rate[v[i].place] += 1 / BEFORE;
    for (size_t i = 0; i < n; i++) {
        struct suspect *s = &v[i];
        s->odds = log(PRIOR * where[s->place] * delay_density(s->minutes, o->creeping) / rate[s->place]);
        s->odds += does[s->effect] + s->words + (o->explained ? EXPLAINED : 0);
    }
}

fl_status fl_culprit_find(const struct fl_evidence *ev, size_t group, struct fl_ranking *r,
                          struct fl_err *err)
{
    struct onset onset = find_onset(ev, group);
    const struct suspect *best = NULL;
    if (!ev->in->n_changes || !onset.first)
        return FL_OK;
    struct suspect *v = fl_arena_calloc(ev->arena, CHANGES_MAX, sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t n = gather(ev, group, onset.first, v);
    if (!score_words(ev, group, v, n))
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    score(v, n, &onset);
    for (size_t i = 0; i < n; i++)
        if (can_be(&v[i]) && (!best || v[i].odds > best->odds))
            best = &v[i];
    if (!best || best->odds < log(SURE))
        return FL_OK;
    r->culprit_change = best->text->id;
    r->culprit_text = fl_arena_printf(
        ev->arena, "%s %.12s of %s%s%s, %.0f min before the first alert of %s",
        best->deploy ? "deploy" : best->text->kind, best->text->id,
        best->deploy ? best->deploy->component : "unknown component", best->text->title ? ": " : "",
        best->text->title ? best->text->title : "", best->minutes > 0 ? best->minutes : 0,
        fl_topo_node(ev->in->topo, ev->groups[group].vertex)->id);
    return r->culprit_text ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}
