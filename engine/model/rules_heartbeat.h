/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/rules_heartbeat.h -- the section `heartbeats` of the rules (private to the stage). */
#pragma once

#include <faultline/json.h>
#include <faultline/model.h>

/** Read the list into rules->heartbeats; what was read before a failure is there to be freed. */
fl_status rules_heartbeats(struct fl_rules *rules, const struct fl_json *v, struct fl_err *err);
void rules_heartbeats_free(struct fl_rules *r);
