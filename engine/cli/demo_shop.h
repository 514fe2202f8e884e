/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/demo_shop.h -- the demo's shop: its graph, its alerts, and one small real service that breaks. */
#pragma once

#include <faultline/base.h>

/** A real HTTP service on loopback, standing in for the shop's catalogue database.
 *  GET /health 200 or 503, POST /restart heals it after a second, GET /witness counts what was asked of it. */
struct demo_service;
FL_MUST_CHECK fl_status demo_service_start(int port, struct demo_service **ret,
                                           struct fl_err *err); /* port 0: any */
struct demo_service *demo_service_stop(struct demo_service *s);
int demo_service_port(const struct demo_service *s);
void demo_service_break(struct demo_service *s);
bool demo_service_healthy(struct demo_service *s);
unsigned demo_service_restarts(struct demo_service *s); /* POST /restart requests seen: the outside witness */

/** Topology JSON of the shop; the database's node carries the service's control URLs. */
void demo_topology(struct fl_buf *out, int service_port);
/** The decoy: a deploy that has nothing to do with it. */
void demo_change(struct fl_buf *out, fl_usec now);

struct demo_alert {
    unsigned at_ms; /* after the break */
    const char *name, *component, *severity, *metric, *summary;
};
size_t demo_alerts(const struct demo_alert **ret); /* sorted by at_ms */
/** One webhook v4 body of alerts v[from..to), all firing or all resolved. @param t0 when the break was. */
void demo_webhook(struct fl_buf *out, const struct demo_alert *v, size_t from, size_t to, fl_usec t0,
                  fl_usec resolved_at);
