/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/filters.h -- filter=…, as lists of alerts and of silences take it (layer 5). */
#pragma once

#include "http_priv.h"

enum { FILTERS_MAX = 32 };
struct filters {
    struct fl_matcher m[FILTERS_MAX];
    size_t n;
};
/**
 * The arguments `filter` of a request, compiled; filters_done() frees them whatever this says.
 * @param max       more than so many are refused.
 * @param as_go     patterns as Go compiles them there, so that their mistakes are told in the same words.
 * @param ret_text  on failure the filter that is refused.
 */
FL_MUST_CHECK fl_status filters_read(struct request *r, size_t max, bool as_go, struct filters *f,
                                     const char **ret_text, struct fl_err *err);
void filters_done(struct filters *f);
/* Which labels an alert must have to pass: of `=`, and of patterns that are a list of values; for fl_flow_cursor_open(). */
enum { LITERALS_MAX = 32, HAVING_MAX = FILTERS_MAX * LITERALS_MAX };
size_t filters_having(struct request *r, const struct filters *f, struct fl_label ret[HAVING_MAX]);

/* ---- sieve.c: filters on many alerts ----
 * What a filter says of a value is kept: a pattern is tried once a value, not once an alert. On the core thread nothing is
 * tried: what is not known yet is LATER, and is decided here between two turns of the core. */
enum verdict { VERDICT_LATER, VERDICT_NO, VERDICT_YES };
struct value {
    const char *text;
    uint32_t hash;
    enum verdict verdict;
};
struct values { /* of one pattern */
    struct value *v;
    size_t n, cap, decided; /* those before it are */
    uint32_t *table;        /* open addressing: index + 1 */
    size_t table_cap;       /* a power of two */
    struct fl_arena *texts;
};
struct sieve {
    struct fl_matcher m[FILTERS_MAX]; /* borrowed: those without a pattern first */
    size_t n, n_plain;
    struct values values[FILTERS_MAX];
    struct {
        const char *name, *value; /* of the alert before: equal texts have one address within a turn */
        size_t at;
        enum verdict verdict;
        uint32_t value_at;
    } last[FILTERS_MAX];
    bool no_memory; /* what it says is not to be used */
};
/* All zero is a sieve that lets everything through. */
void sieve_add(struct sieve *s, const struct fl_matcher *m);
void sieve_done(struct sieve *s);
/* Before a turn: addresses of the turn before mean nothing. */
void sieve_turn(struct sieve *s);
/* Core thread. The labels' texts are the pool's. @param at  s->n of them, for sieve_holds() when this says LATER. */
enum verdict sieve_look(struct sieve *s, const struct fl_labels *l, uint32_t *at);
/* Not on the core thread: decide what is not decided yet. */
void sieve_decide(struct sieve *s);
bool sieve_holds(const struct sieve *s, const uint32_t *at);
/* Not on the core thread: of one value at once, that filter i of the sieve is asked about. */
bool sieve_value(struct sieve *s, size_t i, const char *value);

/* ---- alert_live.c: alerts in the core's memory ---- */

struct live_keys {
    struct fl_alert_key *v; /* newest start first, then by fingerprint as the table has it; free() */
    size_t n;
};
/* All alerts of this status that pass the filters, and those known to, each once. @return false: the core cannot say now. On a read
 * thread. */
bool live_keys_find(struct request *r, fl_alert_status status, const struct filters *f, const struct live_keys *known,
                    struct live_keys *ret);
