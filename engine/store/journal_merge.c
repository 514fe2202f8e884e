/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/journal_merge.c -- short bodies of one sender that wait for the same commit become one row: what a row
 * costs (its statement, its step in the core, its audit entry) is paid once for all of them. Each is answered for itself. */
#include "store_priv.h"

#include <string.h>

enum {
    SENDERS_MAX = 8
}; /* senders whose bodies are gathered at a time; of others each body has its own row */

struct group {
    struct fl_submission *v[FL_MERGE_BODIES];
    size_t n, bytes, alerts;
    size_t at; /* where its row goes */
};

/* Parsed already, and nobody waits for the core's answer to it. */
static bool is_short(const struct fl_submission *sub)
{
    return sub->kind == FL_EV_ALERTS && sub->alerts && !sub->reserved && !sub->answered &&
           sub->body_len <= FL_MERGE_BODY;
}

static bool same_sender(const struct fl_submission *a, const struct fl_submission *b)
{
    return strcmp(a->actor, b->actor) == 0 && strcmp(a->source, b->source) == 0;
}

static void fill(struct fl_submission *row, const struct group *g, char *body, struct fl_alert *alerts,
                 size_t *parts)
{
    char *end = body;
    size_t n = 0;
    for (size_t i = 0; i < g->n; i++) {
        const struct fl_submission *x = g->v[i];
        end = fl_bodies_put(end, &x->body_hash, x->body, x->body_len);
        memcpy(alerts + n, x->alerts, x->n_alerts * sizeof *alerts);
        n += parts[i] = x->n_alerts;
    }
    row->body = body;
    row->body_len = (size_t)(end - body);
    row->alerts = alerts;
    row->n_alerts = n;
    row->parts = parts;
    fl_sha256(row->body, row->body_len, &row->body_hash);
}

/* @return the row, which owns the submissions of the group; NULL: out of memory, nothing has changed. */
static struct fl_submission *row_of(const struct group *g)
{
    struct fl_arena *a = fl_arena_new(0);
    struct fl_submission *row = a ? fl_arena_calloc(a, 1, sizeof *row) : NULL;
    struct fl_submission **members = row ? fl_arena_dup(a, g->v, g->n * sizeof(struct fl_submission *))
                                         : NULL;
    char *body = members ? fl_arena_alloc(a, g->bytes) : NULL;
    struct fl_alert *alerts = body ? fl_arena_alloc(a, g->alerts * sizeof *alerts) : NULL;
    size_t *parts = alerts ? fl_arena_alloc(a, g->n * sizeof *parts) : NULL;
    if (!parts) {
        fl_arena_free(a);
        return NULL;
    }
    *row = (struct fl_submission){.kind = FL_EV_ALERT_BODIES,
                                  .actor = g->v[0]->actor,
                                  .source = g->v[0]->source,
                                  .arena = a,
                                  .members = members,
                                  .n_members = g->n};
    fill(row, g, body, alerts, parts);
    for (size_t i = 0; i < g->n; i++)
        fl_arena_adopt(a, g->v[i]->arena);
    return row;
}

/* One row where the first of them stood, nothing where the others did. */
static void close_group(struct fl_submission **v, struct group *g)
{
    struct fl_submission *row = g->n > 1 ? row_of(g) : NULL;
    if (row)
        v[g->at] = row;
    else /* each in the order they came, at places that are empty now */
        for (size_t i = 1, at = g->at + 1; i < g->n; at++)
            if (!v[at])
                v[at] = g->v[i++];
    g->n = 0;
}

static bool has_room(const struct group *g, const struct fl_submission *sub)
{
    return g->n < FL_MERGE_BODIES && g->bytes + sub->body_len + FL_BODIES_HEAD <= FL_MERGE_BYTES;
}

static void add(struct group *g, struct fl_submission *sub, size_t at)
{
    if (!g->n)
        *g = (struct group){.at = at};
    g->v[g->n++] = sub;
    g->bytes += sub->body_len + FL_BODIES_HEAD;
    g->alerts += sub->n_alerts;
}

/* The group of this sender that has room, else an empty one; NULL: too many senders. */
static struct group *group_for(struct fl_submission **v, struct group *groups,
                               const struct fl_submission *sub)
{
    struct group *empty = NULL;
    for (size_t k = 0; k < SENDERS_MAX; k++) {
        struct group *g = &groups[k];
        if (g->n && same_sender(g->v[0], sub)) {
            if (!has_room(g, sub))
                close_group(v, g);
            return g;
        }
        if (!g->n && !empty)
            empty = g;
    }
    return empty;
}

size_t fl_journal_merge(struct fl_submission **v, size_t n)
{
    static _Thread_local struct group groups[SENDERS_MAX];
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        struct fl_submission *sub = v[i];
        struct group *g = is_short(sub) ? group_for(v, groups, sub) : NULL;
        if (g) {
            bool first = !g->n;
            add(g, sub, i);
            v[i] = first ? sub : NULL;
        } else {
            /* What its sender sends after a long body comes after it; and between alerts and anything else the order they
             * came in stays: a lease that lapsed, a command. */
            for (size_t k = 0; k < SENDERS_MAX; k++)
                if (groups[k].n && (sub->kind != FL_EV_ALERTS || same_sender(groups[k].v[0], sub)))
                    close_group(v, &groups[k]);
        }
    }
    for (size_t k = 0; k < SENDERS_MAX; k++)
        close_group(v, &groups[k]);
    for (size_t i = 0; i < n; i++)
        if (v[i])
            v[kept++] = v[i];
    return kept;
}
