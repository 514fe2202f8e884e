/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/letters.c -- dead letters: queued by anyone, written by the keeper thread, the oldest dropped. What is
 * done with them later: letter_box.c. */
#include "store_priv.h"

#include <stdlib.h>
#include <string.h>

struct letter {
    fl_usec at;
    char *source, *place, *reason;
    const char *raw;
    size_t raw_n, size;
    bool is_text, whole, cut;
    char bytes[];
};

/* Text that the database takes: anything else is named, not kept. */
static const char *clean(const char *s)
{
    return !s ? "" : fl_utf8_valid(s, strlen(s)) ? s : "(not text)";
}

static size_t clip(const char *s, size_t max)
{
    size_t n = strnlen(s, max + 1);
    if (n <= max)
        return n;
    for (n = max; n && ((unsigned char)s[n] & 0xc0) == 0x80;) /* not inside a character */
        n--;
    return n;
}

static struct letter *copy(const struct fl_deadletter *d)
{
    const char *source = clean(d->source), *place = clean(d->where), *reason = clean(d->reason);
    const char *raw = d->raw ? d->raw : "";
    size_t a = clip(source, 256), b = clip(place, 512), c = clip(reason, 1024),
           r = clip(raw, FL_DEADLETTER_RAW_MAX);
    struct letter *l = calloc(1, sizeof *l + a + b + c + r + 4);
    if (!l)
        return NULL;
    l->at = fl_now();
    l->source = memcpy(l->bytes, source, a);
    l->place = memcpy(l->source + a + 1, place, b);
    l->reason = memcpy(l->place + b + 1, reason, c);
    l->raw = memcpy(l->reason + c + 1, raw, r);
    l->raw_n = r;
    l->size = a + b + c + r;
    l->is_text = fl_utf8_valid(l->raw, r);
    l->whole = d->whole;
    l->cut = d->cut || raw[r];
    return l;
}

void fl_store_deadletters(struct fl_store *s, const struct fl_deadletter *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct letter *l = copy(&v[i]);
        if (!l || fl_queue_push(s->letter_q, l, sizeof *l + l->raw_n, false) != FL_OK) {
            free(l);
            s->letters_dropped++;
            s->letters_lost++;
        }
    }
}

void fl_letters_free(struct fl_store *s)
{
    void *items[64];
    for (size_t n; s->letter_q && (n = fl_queue_pop(s->letter_q, items, FL_ARRAY_LEN(items), fl_mono())) > 0;)
        for (size_t i = 0; i < n; i++)
            free(items[i]);
}

#define COLUMN(elem, add, ...)                          \
    do {                                                \
        struct fl_pq_array col = fl_pq_array(&p, elem); \
        for (size_t i = 0; i < n; i++) {                \
            const struct letter *l = v[i];              \
            add(&col, __VA_ARGS__);                     \
        }                                               \
        fl_pq_array_end(&col);                          \
    } while (0)

/* @param lost  how many never got here, to be counted with these. */
static fl_pq_fault write_some(struct fl_store *s, struct letter *const *v, size_t n, uint64_t lost,
                              struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p, q;
    size_t bad;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    fl_pq_i64(&p, (int64_t)n);
    COLUMN(FL_PQ_TIME, fl_pq_add_time, l->at);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, l->source);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, l->place);
    COLUMN(FL_PQ_TEXT, fl_pq_add_text, l->reason);
    COLUMN(FL_PQ_BOOL, fl_pq_add_bool, l->is_text);
    COLUMN(FL_PQ_BYTES, fl_pq_add_bytes, l->raw, l->raw_n);
    COLUMN(FL_PQ_BOOL, fl_pq_add_bool, l->whole);
    COLUMN(FL_PQ_BOOL, fl_pq_add_bool, l->cut);
    COLUMN(FL_PQ_I64, fl_pq_add_i64, (int64_t)l->size);
    fl_pq_params_init(&q, a);
    fl_pq_text(&q, s->realm);
    fl_pq_i64(&q, (int64_t)FL_DEADLETTERS_MAX);
    fl_pq_i64(&q, (int64_t)FL_DEADLETTERS_BYTES);
    fl_pq_i64(&q, (int64_t)lost);
    const struct fl_pq_stmt st[] = {
        {.sql =
             "WITH head AS (UPDATE deadletter_head SET last_n = last_n + $2 WHERE realm = $1 RETURNING last_n - $2 AS base)"
             " INSERT INTO deadletter (realm, n, at, source, place, reason, is_text, raw, whole, cut, bytes)"
             " SELECT $1, base + k, t, s, w, r, x, b, h, c, z FROM head, unnest($3::timestamptz[], $4::text[], $5::text[],"
             " $6::text[], $7::boolean[], $8::bytea[], $9::boolean[], $10::boolean[], $11::bigint[])"
             " WITH ORDINALITY u(t, s, w, r, x, b, h, c, z, k)",
         .p = &p},
        {.sql = "SELECT deadletter_trim($1, $2, $3, $4)", .p = &q}};
    return fl_pq_batch(s->keeper_c, st, FL_ARRAY_LEN(st), NULL, &bad, err);
}

void fl_letters_count(struct fl_store *s)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, s->realm);
    if (fl_pq_exec(s->keeper_c, "SELECT held, held_bytes, dropped FROM deadletter_head WHERE realm = $1", &p,
                   NULL, &r, NULL) ||
        PQntuples(r) != 1)
        return; /* a lost connection shows at the next renewal */
    s->letters_held = (uint64_t)fl_pq_get_i64(r, 0, 0);
    s->letters_bytes = (uint64_t)fl_pq_get_i64(r, 0, 1);
    /* What was lost since the last letter was written is not in there yet. */
    s->letters_dropped = (uint64_t)fl_pq_get_i64(r, 0, 2) + s->letters_lost;
}

void fl_letters_write(struct fl_store *s)
{
    void *items[500];
    if (s->fenced)
        return;
    for (size_t n;
         s->keeper_c && (n = fl_queue_pop(s->letter_q, items, FL_ARRAY_LEN(items), fl_mono())) > 0;) {
        struct fl_err err = {0};
        uint64_t lost = s->letters_lost;
        fl_pq_fault f = write_some(s, (struct letter *const *)(void *)items, n, lost, &err);
        if (f == FL_PQ_LOST)
            s->keeper_c = fl_pq_close(s->keeper_c);
        if (f) {
            s->letters_dropped += n;
            s->letters_lost += n;
            fl_log_err(FL_LOG_WARN, "store", "dead letters were lost", &err);
        } else {
            s->letters_lost -= lost;
            fl_letters_count(s);
        }
        for (size_t i = 0; i < n; i++)
            free(items[i]);
    }
}
