/* SPDX-License-Identifier: GPL-3.0-or-later */
/* culprit.c -- which deploy, flag or commit made the first candidate fail, or none. "The latest deploy" is a
 * trap: a change must come before the suspect's own first anomaly, should be of the suspect or next to it, be
 * able to act at run time, and its text should share rare words with what the alerts say. */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rank_parts.h"

enum { CHANGES_MAX = 2000, WORDS_MAX = 4096 };
static const double NAME_AT = 2.6; /* score from which a change is named; docs/accuracy.md */

struct words {
    uint64_t *v;
    size_t n, cap;
};

static int by_word(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

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

static void finish_words(struct words *w)
{
    size_t kept = 0;
    if (w->n > 1)
        qsort(w->v, w->n, sizeof *w->v, by_word);
    for (size_t i = 0; i < w->n; i++)
        if (!i || w->v[i] != w->v[i - 1])
            w->v[kept++] = w->v[i];
    w->n = kept;
}

static bool words_have(const struct words *w, uint64_t key)
{
    return w->n && bsearch(&key, w->v, w->n, sizeof *w->v, by_word);
}

static bool make_words(struct fl_arena *arena, struct words *w)
{
    *w = (struct words){fl_arena_alloc(arena, WORDS_MAX * sizeof *w->v), 0, WORDS_MAX};
    return w->v != NULL;
}

/* Nothing that runs: documents, tests, pipelines, style. */
static bool cannot_act(const struct fl_change *c)
{
    static const char *const marks[] = {".md\n",     "_test.",    "testdata", "CODEOWNERS", ".github/",
                                        ".circleci", ".golangci", ".css",     ".tsx",       "docs/"};
    const char *detail = c->detail ? c->detail : "";
    for (size_t i = 0; i < FL_ARRAY_LEN(marks); i++)
        if (strstr(detail, marks[i]))
            return true;
    return c->title && (strncmp(c->title, "test", 4) == 0 || strncmp(c->title, "docs", 4) == 0 ||
                        strncmp(c->title, "ci:", 3) == 0 || strncmp(c->title, "style", 5) == 0);
}

/* The numbers on the lines of a diff that begin with `sign`, as one hash; 0 when there are none. Also counts
 * lines and those that only log. */
static uint64_t diff_numbers(const char *diff, char sign, size_t *lines, size_t *logging)
{
    uint64_t sum = 0;
    for (const char *line = diff; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line != sign || line[1] == sign)
            continue;
        size_t n = strcspn(line, "\n");
        char copy[512];
        snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), line);
        ++*lines;
        *logging += strcasestr(copy, "log_") || strcasestr(copy, "logger") || strcasestr(copy, "log.");
        for (const char *p = copy; *p; p++)
            if (isdigit((unsigned char)*p) && !isalnum((unsigned char)p[-1])) {
                size_t digits = strspn(p, "0123456789");
                sum += fl_fnv1a(FL_FNV1A_INIT, p, digits) | 1;
                p += digits - 1;
            }
    }
    return sum;
}

/* A changed number (a limit, a timeout, a version) breaks things; a changed log line rarely does. */
static double risk_of(const struct fl_change *c)
{
    size_t lines = 0, logging = 0;
    uint64_t before = diff_numbers(c->detail, '-', &lines, &logging);
    uint64_t after = diff_numbers(c->detail, '+', &lines, &logging);
    if (lines && logging == lines)
        return -0.8;
    return before && after && before != after ? 0.6 : 0;
}

/* All that is known of one change id: the commit's text with its deploy's time and place. */
struct suspect {
    const struct fl_change *text, *deploy;
    fl_usec time;
    double score, minutes;
    int place; /* 2 the candidate itself, 1 a neighbour, 0 elsewhere */
    struct words words;
};

static fl_usec first_anomaly(const struct fl_evidence *ev, size_t group)
{
    fl_usec first = 0;
    for (size_t i = 0; i < ev->n_items; i++) {
        fl_usec t = ev->in->alerts[ev->items[i].alert].alert->starts_at;
        if (ev->items[i].group == group && ev->items[i].kind < FL_K_OWN_N && t > 0 && (!first || t < first))
            first = t;
    }
    return first;
}

static int place_of(const struct fl_evidence *ev, size_t group, const struct fl_change *c)
{
    const struct fl_group *g = &ev->groups[group];
    int at = fl_evidence_group(ev, fl_topo_find(ev->in->topo, c->component));
    if (at < 0)
        return 0;
    if ((size_t)at == group)
        return 2;
    for (uint32_t i = 0; i < g->n_needs; i++)
        if (g->needs[i] == (uint32_t)at)
            return 1;
    for (uint32_t i = 0; i < g->n_needed_by; i++)
        if (g->needed_by[i] == (uint32_t)at)
            return 1;
    return 0;
}

/* A commit without a deploy of its own went out with the next deploy of the component its files belong to. */
static void ride_along(const struct fl_evidence *ev, size_t group, const struct suspect *v, size_t n,
                       struct suspect *s)
{
    const char *id = fl_topo_node(ev->in->topo, ev->groups[group].vertex)->id;
    if (s->deploy || !s->text->detail || !strstr(s->text->detail, id))
        return;
    for (size_t i = 0; i < n; i++)
        if (v[i].deploy && v[i].place == 2 && v[i].deploy->time >= s->text->time &&
            (!s->deploy || v[i].deploy->time < s->deploy->time)) {
            s->deploy = v[i].deploy;
            s->time = s->deploy->time;
            s->place = 2;
        }
}

static size_t gather(const struct fl_evidence *ev, size_t group, fl_usec first, struct suspect *v)
{
    size_t n = 0, limit = ev->in->n_changes < CHANGES_MAX ? ev->in->n_changes : CHANGES_MAX;
    for (size_t i = 0; i < limit; i++) {
        const struct fl_change *c = &ev->in->changes[i];
        size_t at = 0;
        bool deploy = c->component && c->component[0];
        while (at < n && (!v[at].text || !c->id || strcmp(v[at].text->id, c->id) != 0))
            at++;
        if (!c->id || !c->id[0])
            continue;
        if (at == n)
            v[n++] = (struct suspect){.text = c, .time = c->time};
        struct suspect *s = &v[at];
        if (c->title && !s->text->title)
            s->text = c;
        if (deploy && (!s->deploy || c->time < s->deploy->time)) {
            s->deploy = c;
            s->time = c->time;
            s->place = place_of(ev, group, c);
        }
    }
    for (size_t i = 0; i < n; i++) {
        ride_along(ev, group, v, n, &v[i]);
        v[i].minutes = (double)(first - v[i].time) / (60.0 * FL_USEC_PER_SEC);
    }
    return n;
}

static void score_words(struct suspect *v, size_t n, const struct words *said)
{
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (size_t k = 0; k < v[i].words.n; k++) {
            double in = 0;
            if (!words_have(said, v[i].words.v[k]))
                continue;
            for (size_t m = 0; m < n; m++)
                in += words_have(&v[m].words, v[i].words.v[k]);
            sum += log((double)n / in);
        }
        v[i].score += sum > 4 ? 1 : sum / 4;
    }
}

static bool fill_words(const struct fl_evidence *ev, size_t group, struct suspect *v, size_t n,
                       struct words *said)
{
    if (!make_words(ev->arena, said))
        return false;
    for (size_t i = 0; i < ev->n_items; i++) {
        const struct fl_alert *a = ev->in->alerts[ev->items[i].alert].alert;
        if (ev->items[i].group == group)
            add_words(said, fl_label_get(&a->annotations, "summary"));
    }
    finish_words(said);
    for (size_t i = 0; i < n; i++) {
        if (!make_words(ev->arena, &v[i].words))
            return false;
        add_words(&v[i].words, v[i].text->title);
        add_words(&v[i].words, v[i].text->detail);
        finish_words(&v[i].words);
    }
    return true;
}

fl_status fl_culprit_find(const struct fl_evidence *ev, size_t group, struct fl_ranking *r,
                          struct fl_err *err)
{
    fl_usec first = first_anomaly(ev, group);
    const struct suspect *best = NULL;
    struct words said;
    if (!ev->in->n_changes || !first)
        return FL_OK;
    struct suspect *v = fl_arena_calloc(ev->arena, CHANGES_MAX, sizeof *v);
    if (!v)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    size_t n = gather(ev, group, first, v);
    if (!fill_words(ev, group, v, n, &said))
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    score_words(v, n, &said);
    for (size_t i = 0; i < n; i++) {
        struct suspect *s = &v[i];
        /* Detection lags by up to a minute or two; what came later than that cannot be it. */
        if (s->minutes < -2 || s->minutes > 180 || cannot_act(s->text))
            continue;
        s->score += (s->place == 2 ? 1 : s->place == 1 ? 0.4 : 0) + (s->deploy ? 0.3 : 0);
        s->score += 1.2 * exp(-fabs(s->minutes) / 15) + risk_of(s->text);
        if (!best || s->score > best->score)
            best = s;
    }
    if (!best || best->score < NAME_AT)
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
