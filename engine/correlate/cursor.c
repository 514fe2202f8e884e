/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/cursor.c -- reading the alerts piece by piece, between steps: a place in the order of arrival that
 * moves on when its episode leaves. Reading decides nothing and is no part of the state. Nobody has to give a cursor
 * back: the one unused for longest makes room for a new one. */
#include "correlate_priv.h"

static struct cursor *cursor_of(struct fl_corr *c, uint64_t handle)
{
    struct cursor *k = &c->cursors[handle % CURSORS_MAX];
    return k->handle == handle ? k : NULL;
}

/* The alternatives that the list begins with; without room for all of them none, then nobody is gone past for their lack.
 * "" is that of alerts without the label, too. @return how many there are. */
static size_t want_one_of(struct cursor *k, const struct fl_label *having, size_t n)
{
    size_t alike = 0;
    bool fits = true;
    while (alike < n && strcmp(having[alike].name, having[0].name) == 0)
        fits &= *having[alike++].value != 0;
    fits &= alike <= CURSOR_LABELS - k->n_labels;
    for (size_t i = 0; fits && i < alike; i++) {
        k->or_next[k->n_labels] = i + 1 < alike;
        k->labels[k->n_labels++] = label_hash(having[i].name, having[i].value);
    }
    return alike;
}

uint64_t fl_corr_cursor_open(struct fl_corr *c, const struct fl_label *having, size_t n)
{
    struct cursor *k = &c->cursors[0];
    for (size_t i = 1; i < CURSORS_MAX; i++)
        if (c->cursors[i].used < k->used)
            k = &c->cursors[i];
    size_t slot = (size_t)(k - c->cursors);
    k->used = ++c->cursor_uses;
    k->handle = c->cursor_uses * CURSORS_MAX + slot;
    k->at = order_first(c);
    k->n_labels = 0;
    for (size_t i = 0; i < n;)
        i += want_one_of(k, having + i, n - i);
    return k->handle;
}

enum fl_cursor_state fl_corr_cursor_next(struct fl_corr *c, uint64_t handle, size_t max,
                                         void (*visit)(void *ctx, const struct fl_episode *e), void *ctx)
{
    struct cursor *k = cursor_of(c, handle);
    if (!k)
        return FL_CURSOR_LOST;
    struct episode *e = k->at;
    const struct block *seen = NULL; /* and not to be skipped */
    for (size_t n = 0; e && n < max; n++) {
        if (e->block != seen && !block_may_have(e->block, k->labels, k->or_next, k->n_labels)) {
            e = block_after(e->block);
            continue;
        }
        seen = e->block;
        if (is_live(e)) {
            struct fl_episode v = episode_view(e);
            visit(ctx, &v);
        }
        e = order_later(e);
    }
    k->used = ++c->cursor_uses;
    k->at = e;
    if (e)
        return FL_CURSOR_MORE;
    *k = (struct cursor){0};
    return FL_CURSOR_END;
}

void cursors_leave(struct fl_corr *c, const struct episode *e)
{
    for (size_t i = 0; i < CURSORS_MAX; i++)
        if (c->cursors[i].at == e)
            c->cursors[i].at = order_later(e);
}

bool fl_corr_episode(struct fl_corr *c, uint64_t fingerprint, fl_usec starts_at,
                     void (*visit)(void *ctx, const struct fl_episode *e), void *ctx)
{
    const struct episode *e = episode_find(c, &(struct ep_key){fingerprint, starts_at});
    if (!e || !is_live(e))
        return false;
    struct fl_episode v = episode_view(e);
    visit(ctx, &v);
    return true;
}
