/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/pull_priv.h -- one-pass JSON reader for the hot formats: no tree, no allocation but for the
 * texts that are kept. Strict RFC 8259; the fuzz target holds it against jansson. */
#pragma once

#include <faultline/base.h>

#define FL_PULL_DEPTH_MAX 128u

struct fl_pull {
    const char *start, *at, *end;
    unsigned depth;
    fl_status st;    /* first failure; every reader is a no-op from then on */
    const char *why; /* static text */
    /* Set when a string holds a NUL escape, bytes that are no UTF-8 or half a surrogate pair. That is an error
     * of the value it is in, not of the document: the caller clears it before the part it can refuse alone. */
    bool bad_text;
};

struct fl_text {
    const char *p; /* NUL terminated only when made by fl_pull_text */
    size_t n;
};

static inline struct fl_pull fl_pull_init(const char *p, size_t n)
{
    return (struct fl_pull){.start = p, .at = p, .end = p + n};
}
/** First byte of the next value: { [ " t f n - or a digit; 0 when there is none (failure recorded). */
char fl_pull_peek(struct fl_pull *p);
/** Enter the object or array that peek saw. Then loop: `while (fl_pull_more(p, '}', &first)) …`. */
void fl_pull_enter(struct fl_pull *p);
/** True when another element follows; false at `close` (consumed) or on failure. `first` starts true. */
bool fl_pull_more(struct fl_pull *p, char close, bool *first);
/** Key and colon. Borrowed from the body, or from `arena` when it has escapes; not terminated. */
struct fl_text fl_pull_key(struct fl_pull *p, struct fl_arena *arena);
/** A string value, copied and decoded into `arena`, terminated; at most `max` bytes of it (n tells the
 *  true length, so that the caller can refuse it). */
struct fl_text fl_pull_text(struct fl_pull *p, struct fl_arena *arena, size_t max);
/** Any value, checked and forgotten. */
void fl_pull_skip(struct fl_pull *p);
/** Nothing but white space may follow. */
void fl_pull_end(struct fl_pull *p);
/** "line L column C" of the current place. @param out 64 bytes. */
char *fl_pull_place(const struct fl_pull *p, char *out);
static inline bool fl_text_is(struct fl_text t, const char *s)
{
    return __builtin_strlen(s) == t.n && __builtin_memcmp(t.p, s, t.n) == 0;
}
