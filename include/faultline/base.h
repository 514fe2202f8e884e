/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/base.h -- status and error, arena, growing buffer, time, hashes, ids (layer 0). */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FL_MUST_CHECK __attribute__((warn_unused_result))
#define FL_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define FL_COLD __attribute__((cold))
#define FL_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define FL_USEC_PER_SEC INT64_C(1000000)

/** Microseconds since the epoch, UTC; 0 = unset. Also durations. */
typedef int64_t fl_usec;

/* ---- status and error ------------------------------------------------------------------- */

/** Every code is an *expected* failure a caller may branch on; a bug is FL_REQUIRE. */
typedef enum fl_status {
    FL_OK = 0,
    FL_E_NOMEM = -1,       /* out of memory, or an arena's or buffer's own limit */
    FL_E_SYNTAX = -2,      /* the bytes do not parse */
    FL_E_SHAPE = -3,       /* parsed, but a field is missing, of the wrong type or out of range */
    FL_E_LIMIT = -4,       /* an explicit limit on what a stranger controls */
    FL_E_NOTFOUND = -5,    /* no such thing */
    FL_E_CONFLICT = -6,    /* the thing exists, or its state does not allow this */
    FL_E_DENIED = -7,      /* authentication, role or policy */
    FL_E_UNAVAILABLE = -8, /* database or server away: may work later */
    FL_E_IO = -9,          /* a system call failed */
    FL_E_TIMEOUT = -10,    /* a deadline passed */
    FL_E_FULL = -11,       /* a bounded queue is full: may work later */
    FL_E_CORRUPT = -12,    /* stored data contradicts itself */
    FL_E_USAGE = -13,      /* the command line or configuration is wrong */
    FL_E_DIVERGED = -14,   /* a replay met something else than the record */
    FL_E_FENCED = -15,     /* another process owns the realm now */
    FL_E_INTERNAL = -16,   /* a library failed in a way it should not */
} fl_status;

/** Short stable word for a status ("limit", "notfound", …); never NULL. */
const char *fl_status_name(fl_status st);

/** Filled once, at the origin; never overwritten on the way up. Caller owned. */
struct fl_err {
    fl_status status;
    char where[192]; /* JSON path, file:line, or the thing's name; may be empty */
    char text[512];  /* lower case, no final period: what, which value, why */
    char hint[256];  /* the next step; may be empty */
    char sqlstate[6];
};

/**
 * Record a failure and return its status, so that `return fl_fail(…)` reads well.
 * @param err    may be NULL; left alone when it already holds a failure (the origin wins).
 * @param where  may be NULL.
 */
FL_COLD fl_status fl_fail(struct fl_err *err, fl_status st, const char *where, const char *fmt, ...)
    FL_PRINTF(4, 5);
/** Add the next step to a recorded failure. */
FL_COLD void fl_hint(struct fl_err *err, const char *fmt, ...) FL_PRINTF(2, 3);
/**
 * Put the file before err->where, as compilers do. What a parser said about its place in the text becomes the line of
 * the file ("line 2 column 5" of a text that begins on line 7: "F:8"); a member follows ("F:7: labels", "F: trigger").
 * @param line  where in the file the text begins, from 1; 0: it is the whole file, and only a parser knows lines.
 */
FL_COLD void fl_err_in_file(struct fl_err *err, const char *path, size_t line);
/** Put context before err->where ("alerts[3]" + "labels" -> "alerts[3].labels"). */
FL_COLD void fl_err_within(struct fl_err *err, const char *fmt, ...) FL_PRINTF(2, 3);
static inline void fl_err_clear(struct fl_err *err)
{
    if (err)
        *err = (struct fl_err){.status = FL_OK};
}

/** A broken promise inside the program: print and abort with a core. Never for input. */
#define FL_REQUIRE(cond) ((cond) ? (void)0 : fl_require_failed(#cond, __FILE__, __LINE__))
FL_COLD _Noreturn void fl_require_failed(const char *cond, const char *file, int line);

/* ---- arena -------------------------------------------------------------------------------- */

struct fl_arena;
/** @param max_bytes hard limit of all blocks together; 0 = no limit. NULL when out of memory. */
struct fl_arena *fl_arena_new(size_t max_bytes);
/** The same where the need is about known: the first block has `first` bytes, and more when one allocation needs them. */
struct fl_arena *fl_arena_new_sized(size_t max_bytes, size_t first);
/** Frees everything; NULL is fine; returns NULL so that `a = fl_arena_free(a)`. */
struct fl_arena *fl_arena_free(struct fl_arena *a);
/** Keep the first block, forget the contents (for loops). */
void fl_arena_reset(struct fl_arena *a);
/** 16-byte aligned, not zeroed; NULL on no memory or over the limit. One thread at a time. */
void *fl_arena_alloc(struct fl_arena *a, size_t n);
void *fl_arena_calloc(struct fl_arena *a, size_t n, size_t size);
char *fl_arena_strdup(struct fl_arena *a, const char *s); /* NULL -> NULL */
char *fl_arena_strndup(struct fl_arena *a, const char *s, size_t n);
char *fl_arena_printf(struct fl_arena *a, const char *fmt, ...) FL_PRINTF(2, 3);
void *fl_arena_dup(struct fl_arena *a, const void *p, size_t n);
size_t fl_arena_used(const struct fl_arena *a);
/** `child` lives as long as `a`, counts as used by it, and is freed with it: nobody else frees it from now on. */
void fl_arena_adopt(struct fl_arena *a, struct fl_arena *child);
/** Bytes of memory it occupies, used or not: what a bound on memory counts. */
size_t fl_arena_held(const struct fl_arena *a);

/* ---- growing buffer ------------------------------------------------------------------------- */

/** Bytes with a maximum; after a failed append `failed` stays set and further appends do nothing,
 *  so that a writer checks once, at the end. Always NUL terminated when p is not NULL. */
struct fl_buf {
    char *p;
    size_t n, cap, max;
    bool failed;
};
static inline struct fl_buf fl_buf_init(size_t max)
{
    return (struct fl_buf){.max = max};
}
void fl_buf_done(struct fl_buf *b);
void fl_buf_reset(struct fl_buf *b);
void fl_buf_add(struct fl_buf *b, const void *p, size_t n);
void fl_buf_str(struct fl_buf *b, const char *s);
void fl_buf_chr(struct fl_buf *b, char c);
void fl_buf_printf(struct fl_buf *b, const char *fmt, ...) FL_PRINTF(2, 3);
/** Ownership of the bytes moves to the caller (free()); NULL when the buffer failed. */
char *fl_buf_take(struct fl_buf *b, size_t *ret_n);

#define FL_AUTO_BUF __attribute__((cleanup(fl_buf_done))) struct fl_buf
void fl_arena_freep(struct fl_arena **a);
#define FL_AUTO_ARENA __attribute__((cleanup(fl_arena_freep))) struct fl_arena *
void fl_freep(void *p);
#define FL_AUTO_FREE __attribute__((cleanup(fl_freep)))
void fl_closep(int *fd);
#define FL_AUTO_FD __attribute__((cleanup(fl_closep))) int

/* ---- text ----------------------------------------------------------------------------------- */

/** True when the n bytes are well-formed UTF-8 (no surrogates, no overlong forms) without NUL. */
bool fl_utf8_valid(const char *s, size_t n);
/** Every byte that is not part of well-formed UTF-8 becomes '?'. In place; the length stays. */
void fl_utf8_repair(char *s, size_t n);
/** Encode one code point (at most 0x10ffff). @param out at least 4 bytes. @return bytes written. */
size_t fl_utf8_put(char *out, uint32_t cp);
/** "did you mean": the nearest of n words within distance 2 (a third of the length for short ones), or NULL. */
const char *fl_nearest_word(const char *word, const char *const *words, size_t n);
static inline bool fl_streq(const char *a, const char *b)
{
    return a == b || (a && b && __builtin_strcmp(a, b) == 0);
}
/** Whole decimal number within [min, max]; the whole string must be used. */
FL_MUST_CHECK bool fl_parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret);
/** "250ms", "30s", "5m", "4h", "7d", or plain seconds -> microseconds. */
FL_MUST_CHECK bool fl_parse_duration(const char *s, fl_usec *ret);
/** Shortest such form ("90s", "5m"). @param out at least 24 bytes. */
char *fl_format_duration(fl_usec d, char *out);

/* ---- time ------------------------------------------------------------------------------------- */

/** Wall clock. Never below layer 4 ("no clock in the core"). */
fl_usec fl_now(void);
/** Monotonic clock, for deadlines and measurements. */
fl_usec fl_mono(void);
/**
 * RFC 3339 (also a space for T, an offset without colon, 0-9+ fraction digits, second 60).
 * 0001-01-01T00:00:00Z (any offset) is "unset" and gives 0. Years 1-9999.
 * @return false when it does not parse; *ret untouched.
 */
FL_MUST_CHECK bool fl_time_parse(const char *s, size_t n, fl_usec *ret);
#define FL_TIME_LEN 32
/** YYYY-MM-DDThh:mm:ss.uuuuuuZ; 0 gives 0001-01-01T00:00:00Z. @param out FL_TIME_LEN bytes. */
char *fl_time_format(fl_usec t, char *out);
/** As Alertmanager's API prints: milliseconds. */
char *fl_time_format_ms(fl_usec t, char *out);

/* ---- hashes and ids ------------------------------------------------------------------------ */

#define FL_FNV1A_INIT UINT64_C(14695981039346656037)
uint64_t fl_fnv1a(uint64_t h, const void *p, size_t n);
/** SipHash with a key of this process: for tables whose keys strangers choose. Never stored. Any thread. */
uint64_t fl_keyed_hash(const void *p, size_t n);

struct fl_sha256 {
    uint8_t b[32];
};
/** SHA-256 (libsodium). Any thread after fl_base_init(). */
void fl_sha256(const void *p, size_t n, struct fl_sha256 *ret);
/** 64 lower-case digits and a NUL. @param out 65 bytes. */
char *fl_sha256_hex(const struct fl_sha256 *h, char *out);
/** HMAC-SHA256 of a followed by b (a signature over "<time>:<body>" needs no copy). Any thread. */
void fl_hmac_sha256(const void *key, size_t key_n, const void *a, size_t a_n, const void *b, size_t b_n,
                    struct fl_sha256 *ret);
/** Same bytes? In a time that does not tell where they differ. */
FL_MUST_CHECK bool fl_equal_secret(const void *a, const void *b, size_t n);
char *fl_hex(const void *p, size_t n, char *out); /* out: 2n+1 bytes */
FL_MUST_CHECK bool fl_unhex(const char *s, size_t n, void *ret); /* n digits -> n/2 bytes */
/** 16 lower-case digits of an Alertmanager fingerprint. @param out 17 bytes. */
char *fl_fingerprint_hex(uint64_t fp, char *out);
FL_MUST_CHECK bool fl_fingerprint_parse(const char *s, uint64_t *ret);
/** UUID version 7 of the wall clock. @param out 37 bytes. Never the evidence of a time. */
char *fl_uuid7(char *out);
/** n bytes from the kernel. */
void fl_random(void *p, size_t n);

/* ---- crash points (test builds only) ------------------------------------------------------- */

/**
 * A named place between two steps of the durable path. A build with FL_CRASH_POINTS ends the process there by
 * SIGKILL when FAULTLINE_CRASH_AT=name:count says so, at the count-th pass; any other build has nothing here.
 * Names: journal.commit, journal.committed, journal.delivered, core.stepped, project.commit, project.committed,
 * order.released, act.start, act.sent, act.finished, posted.call, posted.outcome, posted.ended. Any thread.
 */
#ifdef FL_CRASH_POINTS
void fl_crash_point(const char *name);
#else
static inline void fl_crash_point(const char *name)
{
    (void)name;
}
#endif

/** Once, before threads: libsodium, jansson's hash seed. */
FL_MUST_CHECK fl_status fl_base_init(void);
