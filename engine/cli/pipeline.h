/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/pipeline.h -- tests of the pipeline: a core with a clock of its own, and what it decided so far. */
#pragma once

#include "cli.h"

#include <faultline/daemon.h>
#include <faultline/flow.h>

/* The last row of each thing; text lives in the world's arena. */
struct seen_alert {
    uint64_t fingerprint;
    fl_usec starts_at;
    fl_alert_status status;
    fl_severity severity;
    struct fl_labels labels;
    const char *node, *incident, *why, *quiet; /* why: JSON list of sentences */
    const char *inhibited_by,
        *kept_by; /* JSON list of fingerprints; "threshold NAME" while it is kept quiet, or "" */
    bool silenced, inhibited;
};
struct seen_incident {
    const char *id, *title, *cause, *merged_into, *reason;
    const char *ranking; /* JSON list of the candidates' components, best first; NULL: not ranked yet */
    fl_incident_state state;
    fl_severity severity;
    size_t alerts, firing;
};
struct seen_run {
    const char *id, *incident, *playbook, *approval;
    fl_run_state state;
};
struct seen_line {
    const char *incident, *kind, *text;
};
/* A sender that a heartbeat rule watches, once the test has said something of it. */
struct beat {
    fl_usec seen;  /* its last report, or when the test began to speak of it */
    bool watched, sending, missed; /* sending: it reports all the time */
};
struct world {
    struct fl_flow *flow;
    struct fl_rules *rules;
    struct beat *beats; /* of each of rules->heartbeats */
    struct fl_arena *arena;
    fl_usec began, now;
    uint64_t seq;
    size_t ticks;
    struct seen_alert *alerts;
    struct seen_incident *incidents;
    struct seen_run *runs;
    struct seen_line *lines;
    size_t n_alerts, n_incidents, n_runs, n_lines;
    size_t reminders; /* of silences and windows that hide much for long */
    fl_status answer; /* of the last command */
    const char *answer_text;
};

/* pipeline_world.c */
/* A core with these rules, playbooks and graph, at a fixed time. */
fl_status world_begin(struct world *w, const struct fl_sources *s, struct fl_err *err);
void world_end(struct world *w);
/* Let time pass up to `at` after the beginning, with every tick on the way. */
fl_status world_wait(struct world *w, fl_usec at, struct fl_err *err);
fl_status world_event(struct world *w, fl_event_kind kind, const char *source, const char *body, size_t n,
                      struct fl_err *err);
/* The newest episode whose labels are (at least) these; NULL: none. */
const struct seen_alert *world_alert(const struct world *w, const struct fl_json *labels);
/* The incident with this id, or the one that it was merged into. */
const struct seen_incident *world_incident(const struct world *w, const char *id);
bool incident_is_over(const struct seen_incident *i);

/* pipeline_beats.c: what the engine's clock does with heartbeat rules. Only senders that the test speaks of are watched. */
fl_status beats_begin(struct world *w, const struct fl_sources *s, struct fl_err *err);
void beats_end(struct world *w);
/* The sender that this rule watches reports from now on, or reports no more. */
fl_status beats_say(struct world *w, const char *rule, bool sends, struct fl_err *err);
/* A body came in: a report of whom it says something of. */
fl_status beats_heard(struct world *w, const char *source, const struct fl_alert *v, size_t n, struct fl_err *err);
/* When the next of them has been silent for too long; 0: none will. */
fl_usec beats_due(const struct world *w);
fl_status beats_missed(struct world *w, struct fl_err *err);

/* pipeline_expect.c */
/* What is otherwise than expect{…} says, one paragraph each; nothing appended: all is as expected. FL_E_SHAPE: the
 * statement itself is wrong. @param n  counts what was looked at. */
fl_status world_expect(const struct world *w, const struct fl_json *expect, size_t *n, struct fl_buf *out,
                       struct fl_err *err);
