/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/pack.h -- records of numbers and texts in pieces of memory: the form of a snapshot (layer 0).
 * A record is four bytes of length, a letter that says what it is, and its values, which only its reader knows. Small numbers
 * take few bytes. A record lies in one piece, so that a reader needs one piece at a time. One thread at a time. */
#pragma once

#include <faultline/base.h>

/* ---- writing ----------------------------------------------------------------------------------- */

enum { FL_PACK_PIECE = 1 << 20 }; /* bytes of a piece; one that holds a larger record is larger */

struct fl_piece {
    struct fl_piece *next;
    size_t n, cap;
    unsigned char p[];
};
/** After a failure (no memory, more than `max` bytes) `failed` stays set and nothing more is added: check once, at the end. */
struct fl_pack {
    struct fl_piece *first, *last;
    size_t bytes, max; /* bytes: of closed pieces and records; max: 0 = no limit */
    bool failed;
    size_t open;             /* where the record under way begins in the last piece */
    unsigned char *at, *end; /* free room of the last piece */
};
static inline struct fl_pack fl_pack_init(size_t max)
{
    return (struct fl_pack){.max = max};
}
/** Frees the pieces; it is as after init then. */
void fl_pack_done(struct fl_pack *p);
#define FL_AUTO_PACK __attribute__((cleanup(fl_pack_done))) struct fl_pack
/** The first piece and its ownership (free()); NULL: there is none left. Only when no more is written. */
struct fl_piece *fl_pack_take(struct fl_pack *p);

/** Between them the values of one record. */
void fl_pack_begin(struct fl_pack *p, char kind);
void fl_pack_end(struct fl_pack *p);
void fl_pack_u64(struct fl_pack *p, uint64_t v); /* small ones are short */
void fl_pack_i64(struct fl_pack *p, int64_t v);  /* near 0 is short */
void fl_pack_hash(struct fl_pack *p, uint64_t v); /* any eight bytes */
void fl_pack_text(struct fl_pack *p, const char *s); /* NULL is kept apart from "" */
void fl_pack_textn(struct fl_pack *p, const char *s, size_t n);
/** `t` as its distance from `from`: times of one thing lie close together. */
static inline void fl_pack_after(struct fl_pack *p, fl_usec from, fl_usec t)
{
    fl_pack_i64(p, (int64_t)((uint64_t)t - (uint64_t)from));
}

/* ---- reading: any bytes may come, `bad` tells that they do not hold -------------------------------- */

struct fl_unpack {
    const unsigned char *at, *end, *stop; /* end: of the record; stop: of the piece */
    bool bad;                             /* stays set; values are 0 and "" from then on */
};
static inline struct fl_unpack fl_unpack_init(const void *p, size_t n)
{
    return (struct fl_unpack){.at = p, .end = p, .stop = (const unsigned char *)p + n};
}
/** The next record of the piece, whatever is left of the last one. @return its letter; 0: there is none, or bad. */
char fl_unpack_next(struct fl_unpack *u);
uint64_t fl_unpack_u64(struct fl_unpack *u);
int64_t fl_unpack_i64(struct fl_unpack *u);
uint64_t fl_unpack_hash(struct fl_unpack *u);
/** Borrowed from the piece, NUL terminated; NULL as it was written. @param ret_n  its length, or NULL. */
const char *fl_unpack_text(struct fl_unpack *u, size_t *ret_n);
static inline fl_usec fl_unpack_after(struct fl_unpack *u, fl_usec from)
{
    return (fl_usec)((uint64_t)from + (uint64_t)fl_unpack_i64(u));
}
/** A count of things that take a byte or more each: bad when the record cannot hold so many. */
size_t fl_unpack_count(struct fl_unpack *u);
/** Are there values left in the record? */
static inline bool fl_unpack_more(const struct fl_unpack *u)
{
    return !u->bad && u->at < u->end;
}
