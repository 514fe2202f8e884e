/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/correlate/again.h -- the state as the bytes of its snapshot, and a state made from them. */
#pragma once

#include <faultline/correlate.h>
#include <faultline/pack.h>

/* All pieces in one buffer. */
static inline struct fl_buf state_of(const struct fl_corr *c)
{
    FL_AUTO_PACK p = fl_pack_init(0);
    struct fl_buf b = fl_buf_init(0);
    fl_corr_write(c, &p);
    assert_false(p.failed);
    for (const struct fl_piece *k = p.first; k; k = k->next)
        fl_buf_add(&b, k->p, k->n);
    return b;
}

static inline void assert_same_state(const struct fl_corr *a, const struct fl_corr *b)
{
    FL_AUTO_BUF x = state_of(a);
    FL_AUTO_BUF y = state_of(b);
    assert_int_equal(x.n, y.n);
    assert_memory_equal(x.p, y.p, x.n);
}

/* @return FL_OK, or why the bytes are no state. */
static inline fl_status load_state(const void *p, size_t n, struct fl_topo *topo, const struct fl_rules *rules,
                                   struct fl_corr **ret, struct fl_err *err)
{
    struct fl_corr *c = fl_corr_new();
    struct fl_unpack u = fl_unpack_init(p, n);
    fl_status st = FL_OK;
    for (char kind; st == FL_OK && (kind = fl_unpack_next(&u)) != 0;)
        st = fl_corr_load(c, kind, &u, topo, err);
    if (st == FL_OK && u.bad)
        st = fl_fail(err, FL_E_CORRUPT, "piece", "bad");
    if (st == FL_OK)
        st = fl_corr_loaded(c, topo, rules, err);
    if (st == FL_OK)
        *ret = c;
    else
        fl_corr_free(c);
    return st;
}

/* A second state like this one, byte for byte. */
static inline struct fl_corr *again(const struct fl_corr *c, struct fl_topo *topo, const struct fl_rules *rules)
{
    FL_AUTO_BUF b = state_of(c);
    struct fl_err err = {0};
    struct fl_corr *copy = NULL;
    if (load_state(b.p, b.n, topo, rules, &copy, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_same_state(c, copy);
    return copy;
}
