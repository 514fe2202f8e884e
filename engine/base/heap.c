/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/heap.c -- what comes first, of many; contract in <faultline/heap.h>. */
#include <faultline/heap.h>

#include <stdlib.h>

static void put(struct fl_heap *h, size_t at, void *item)
{
    h->v[at] = item;
    *h->kind->place(item) = at + 1;
}

static void sift_up(struct fl_heap *h, size_t at, void *item)
{
    for (; at && h->kind->before(item, h->v[(at - 1) / 2]); at = (at - 1) / 2)
        put(h, at, h->v[(at - 1) / 2]);
    put(h, at, item);
}

static void sift_down(struct fl_heap *h, size_t at, void *item)
{
    for (size_t kid; (kid = 2 * at + 1) < h->n; at = kid) {
        if (kid + 1 < h->n && h->kind->before(h->v[kid + 1], h->v[kid]))
            kid++;
        if (!h->kind->before(h->v[kid], item))
            break;
        put(h, at, h->v[kid]);
    }
    put(h, at, item);
}

void fl_heap_drop(struct fl_heap *h, void *item)
{
    size_t *place = h->kind->place(item), at = *place - 1;
    if (!*place)
        return;
    *place = 0;
    void *last = h->v[--h->n];
    if (last == item)
        return;
    sift_up(h, at, last);
    sift_down(h, *h->kind->place(last) - 1, last);
}

void fl_heap_put(struct fl_heap *h, void *item)
{
    FL_REQUIRE(!*h->kind->place(item));
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 64;
        void **v = reallocarray(h->v, cap, sizeof *v);
        FL_REQUIRE(v != NULL);
        h->v = v;
        h->cap = cap;
    }
    sift_up(h, h->n++, item);
}

void *fl_heap_first(const struct fl_heap *h)
{
    return h->n ? h->v[0] : NULL;
}

void fl_heap_done(struct fl_heap *h)
{
    free(h->v);
    h->v = NULL;
    h->n = h->cap = 0;
}
