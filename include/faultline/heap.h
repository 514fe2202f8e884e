/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/heap.h -- what comes first, of many: a binary heap whose items know their place in it, so that one can leave
 * from anywhere (layer 0). Between two items neither of which comes before the other the order would be an accident: kinds leave no
 * such two. Not enough memory ends the process. */
#pragma once

#include <faultline/base.h>

struct fl_heap_kind {
    bool (*before)(const void *a, const void *b); /* a strict order of all items */
    size_t *(*place)(void *item); /* where an item keeps its place, from 1; 0: it is in none */
};
struct fl_heap {
    const struct fl_heap_kind *kind;
    void **v;
    size_t n, cap;
};
void fl_heap_put(struct fl_heap *h, void *item);
/** Fine when it is not in; does not look at its key. */
void fl_heap_drop(struct fl_heap *h, void *item);
/** NULL when empty. */
void *fl_heap_first(const struct fl_heap *h);
void fl_heap_done(struct fl_heap *h);
