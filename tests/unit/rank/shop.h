/* SPDX-License-Identifier: GPL-3.0-or-later */
/* shop.h -- a small shop to rank in: web → cart, catalog, search; cart → redis; catalog, search → db. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <faultline/json.h>
#include <faultline/rank.h>

#define SHOP_T0 INT64_C(1790000000000000)

struct fl_topo *shop_topology(void);

/** Alerts under construction; everything lives in the arena. */
struct shop {
    struct fl_arena *arena;
    struct fl_topo *topo;
    struct fl_rank_alert alerts[64];
    size_t n;
};
/** One alert `name` on `component` (may be unknown) `after` seconds after SHOP_T0; caller may be NULL. */
void shop_alert(struct shop *s, const char *name, const char *component, const char *caller,
                fl_evidence_class cls, int after);
/** Annotations value and baseline on the last alert. */
void shop_size(struct shop *s, const char *value, const char *baseline);
/** An outage of db as dependants see it. */
void shop_outage(struct shop *s);
struct fl_rank_input shop_input(const struct shop *s);
/** Canonical text of the ranking. */
char *shop_rank_text(const struct shop *s, const struct fl_model *m, const struct fl_rank_input *in);
