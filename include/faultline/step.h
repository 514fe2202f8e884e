/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/step.h -- what the driver lends to the stages during one step (layer 1, part of the model).
 * A note is the one way a decision leaves a stage: timeline, audit and log all get the same words. */
#pragma once

#include <faultline/effects.h>

#define FL_NOTE_TIMELINE 1u
#define FL_NOTE_AUDIT 2u

struct fl_note {
    unsigned to;          /* FL_NOTE_* */
    const char *action;   /* dotted verb of the audit: incident.opened; its last part is the timeline's kind */
    const char *incident; /* "" when none */
    const char *subject;  /* INC-…, RUN-…/3, … */
    const char *actor;    /* NULL = "engine" */
    const char *text;     /* the reason, a sentence */
    const char *detail;   /* JSON object text, NULL = {} */
};
struct fl_step {
    fl_usec at;     /* the event's time: the only clock there is */
    uint64_t seq;
    const char *actor;
    const struct fl_rules *rules;
    struct fl_effects *fx;
    void (*note)(struct fl_step *s, const struct fl_note *n); /* copies; never NULL */
    void *ctx;
};

/** Out of memory in the core: no half-made step may live on. The journal rebuilds the state at the next start. */
void *fl_core_alloc(size_t n, size_t size); /* zeroed; aborts instead of NULL */
char *fl_core_strdup(const char *s);        /* NULL -> NULL */
/** Copy into the effects' arena; NULL gives "". */
const char *fl_fx_str(struct fl_effects *fx, const char *s);
const char *fl_fx_printf(struct fl_effects *fx, const char *fmt, ...) FL_PRINTF(2, 3);
/** Texts one behind the other: for what is said of every alert, where printf costs more than the rest of it. */
const char *fl_fx_cat(struct fl_effects *fx, const char *const *parts, size_t n);
#define FL_FX_CAT(fx, ...)                           \
    fl_fx_cat(fx, (const char *const[]){__VA_ARGS__}, \
              sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))
struct fl_labels fl_fx_labels(struct fl_effects *fx, const struct fl_labels *l);
struct fl_fx *fl_fx_add(struct fl_effects *fx, fl_fx_kind kind); /* aborts instead of NULL */
