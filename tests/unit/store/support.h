/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/store/support.h -- a small core and http for the store's tests. */
#pragma once

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pg.h"
#include "store_priv.h"

#include <stdatomic.h>

/** What became of the submissions. */
struct counts {
    _Atomic int ok, failed, delivered, answered, orders;
    _Atomic int last_status, last_answer;
    _Atomic uint64_t last_seq;
    _Atomic bool out_of_order;
    bool echo; /* deliver → project a step with one audit row */
    struct fl_store *store;
    void (*fill)(struct fl_effects *fx, const struct fl_event *ev);
};
/** Options whose callbacks count into `c`. */
struct fl_store_options options(const char *conninfo, struct counts *c);
struct fl_store *open_store(const char *conninfo, struct counts *c);
fl_status submit(struct fl_store *s, struct counts *c, fl_event_kind kind, const char *body, size_t n);
/** Wait (at most 20 s) until the condition holds; fails the test otherwise. */
#define AWAIT(cond)                                        \
    do {                                                   \
        fl_usec until_ = fl_mono() + 20 * FL_USEC_PER_SEC; \
        while (!(cond) && fl_mono() < until_)              \
            usleep(2000);                                  \
        assert_true(cond);                                 \
    } while (0)
#include <unistd.h>
struct fl_fx *add_fx(struct fl_effects *fx, fl_fx_kind kind);
void add_audit(struct fl_effects *fx, uint64_t seq, uint64_t event_seq);
#define assert_ok(call)                                                       \
    do {                                                                      \
        struct fl_err *e_ = &err;                                             \
        fl_err_clear(e_);                                                     \
        fl_status s_ = (call);                                                \
        if (s_)                                                               \
            fail_msg("%s: %s (%s)", fl_status_name(s_), e_->text, e_->where); \
    } while (0)
