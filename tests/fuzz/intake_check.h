/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/intake_check.h -- what every parse of alerts promises, and jansson as the second opinion: a body
 * jansson reads must not be called malformed, and one it refuses must not pass, save for what we refuse per
 * alert (NUL, bad text), do not care about (ranges of numbers) or limit (depth). */
#pragma once

#include "fuzz.h"

#include <faultline/intake.h>

#include <jansson.h>
#include <string.h>

#define FUZZ_NOW INT64_C(1795428000000000)

static inline void check_labels(const struct fl_labels *l)
{
    HOLDS(l->n <= FL_LABELS_MAX);
    for (size_t i = 0; i < l->n; i++) {
        HOLDS(l->v[i].value[0]);
        HOLDS(fl_utf8_valid(l->v[i].name, strlen(l->v[i].name)));
        HOLDS(fl_utf8_valid(l->v[i].value, strlen(l->v[i].value)));
        HOLDS(!i || strcmp(l->v[i - 1].name, l->v[i].name) < 0);
    }
}

static inline void check_alert(const struct fl_alert *a)
{
    check_labels(&a->labels);
    check_labels(&a->annotations);
    HOLDS(a->labels.n > 0 && a->starts_at > 0);
    HOLDS(a->fingerprint == fl_labels_fingerprint(&a->labels));
    HOLDS(a->status == FL_ALERT_FIRING ? a->ends_at == 0 : a->ends_at >= a->starts_at);
    HOLDS(a->generator_url && a->received_at == FUZZ_NOW);
}

static inline void check_json(const uint8_t *data, size_t size, fl_status st, const struct fl_err *err)
{
    /* jansson takes a NUL byte between tokens for the end of the document: no opinion worth having. */
    if (size && memchr(data, 0, size))
        return;
    json_error_t je;
    json_t *root = json_loadb((const char *)data, size,
                              JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &je);
    enum json_error_code code = root ? json_error_unknown : json_error_code(&je);
    if (root)
        HOLDS(st != FL_E_SYNTAX || strstr(err->text, "NUL"));
    else if (code == json_error_premature_end_of_input || code == json_error_end_of_input_expected ||
             (code == json_error_invalid_syntax && !strstr(je.text, "Unicode")))
        HOLDS(st != FL_OK);
    json_decref(root);
}

static inline bool same_labels(const struct fl_labels *a, const struct fl_labels *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++)
        same = !strcmp(a->v[i].name, b->v[i].name) && !strcmp(a->v[i].value, b->v[i].value);
    return same;
}

static inline bool same_alert(const struct fl_alert *a, const struct fl_alert *b)
{
    return a->fingerprint == b->fingerprint && same_labels(&a->labels, &b->labels) &&
           same_labels(&a->annotations, &b->annotations) && a->starts_at == b->starts_at &&
           a->ends_at == b->ends_at && a->lease_until == b->lease_until && a->received_at == b->received_at &&
           a->status == b->status && a->starts_guessed == b->starts_guessed &&
           a->lease_guessed == b->lease_guessed && !strcmp(a->generator_url, b->generator_url);
}

/* What is made of a parse for a later time is what a parse at that time gives: else a replay would differ. */
static inline void check_settle(fl_format format, const uint8_t *data, size_t size, struct fl_intake *in,
                                fl_usec at)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_intake later;
    struct fl_err err = {.status = FL_OK};
    size_t n = in->n_alerts;
    if (fl_intake_settle(in, format, FUZZ_NOW, at)) {
        HOLDS(fl_intake_parse(arena, format, (const char *)data, size, at, &later, &err) == FL_OK);
        HOLDS(later.n_alerts == n && !later.n_rejects);
        for (size_t i = 0; i < n; i++)
            HOLDS(same_alert(&in->alerts[i], &later.alerts[i]));
    }
    fl_arena_free(arena);
}

static inline int check_parse(fl_format format, const uint8_t *data, size_t size)
{
    struct fl_arena *arena = fl_arena_new(0);
    struct fl_intake in;
    struct fl_err err = {.status = FL_OK};
    fl_status st = fl_intake_parse(arena, format, (const char *)data, size, FUZZ_NOW, &in, &err);
    check_json(data, size, st, &err);
    HOLDS(st == err.status);
    if (st) {
        HOLDS(err.text[0] && fl_utf8_valid(err.text, strlen(err.text)));
    } else {
        for (size_t i = 0; i < in.n_alerts; i++)
            check_alert(&in.alerts[i]);
        for (size_t i = 0; i < in.n_rejects; i++) {
            const struct fl_reject *r = &in.rejects[i];
            HOLDS(r->status && r->reason[0] && r->where[0] && strlen(r->raw) <= FL_REJECT_RAW_MAX);
            HOLDS(fl_utf8_valid(r->reason, strlen(r->reason)) && fl_utf8_valid(r->raw, strlen(r->raw)));
            HOLDS(fl_utf8_valid(r->where, strlen(r->where)));
        }
    }
    struct fl_buf answer = fl_buf_init(0);
    unsigned code = fl_intake_v2_answer(st, &err, st ? NULL : &in, &answer);
    HOLDS(code == 200 || code == 400 || code == 422);
    HOLDS((code == 200) == (answer.n == 0));
    fl_buf_done(&answer);
    if (st == FL_OK)
        check_settle(format, data, size, &in, FUZZ_NOW + (fl_usec)(size * 7919 % 4 ? size * 1000 : 0));
    fl_arena_free(arena);
    return 0;
}
