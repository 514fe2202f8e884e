/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/pack.c -- contract in <faultline/pack.h>. */
#include <faultline/pack.h>

#include <stdlib.h>
#include <string.h>

enum { HEAD = 5 /* length and letter */, NUMBER_MAX = 10 };

/* ---- writing ---- */

void fl_pack_done(struct fl_pack *p)
{
    struct fl_piece *next;
    for (struct fl_piece *k = p->first; k; k = next) {
        next = k->next;
        free(k);
    }
    *p = fl_pack_init(p->max);
}

struct fl_piece *fl_pack_take(struct fl_pack *p)
{
    struct fl_piece *k = p->first;
    if (!k)
        return NULL;
    p->first = k->next;
    k->next = NULL;
    if (!p->first) {
        p->last = NULL;
        p->at = p->end = NULL;
    }
    return k;
}

/* What is written of the record under way moves to a new piece, which has room for n more bytes. */
FL_COLD static bool new_piece(struct fl_pack *p, size_t n)
{
    if (p->failed)
        return false;
    size_t begun = p->last ? (size_t)(p->at - p->last->p) - p->open : 0;
    size_t need = begun + n, cap = FL_PACK_PIECE - sizeof(struct fl_piece);
    if (need > cap)
        cap = need > SIZE_MAX / 4 ? need : need + need / 2;
    struct fl_piece *k = p->max && p->bytes + need > p->max ? NULL : malloc(sizeof *k + cap);
    if (!k) {
        p->failed = true;
        return false;
    }
    *k = (struct fl_piece){.cap = cap};
    if (begun)
        memcpy(k->p, p->last->p + p->open, begun);
    if (p->last && !p->open) { /* the old piece holds nothing but what has just been moved */
        struct fl_piece **at = &p->first;
        while (*at != p->last)
            at = &(*at)->next;
        *at = k;
        free(p->last);
    } else if (p->last) {
        p->last->next = k;
    } else {
        p->first = k;
    }
    p->last = k;
    p->open = 0;
    p->at = k->p + begun;
    p->end = k->p + cap;
    return true;
}

static inline bool room(struct fl_pack *p, size_t n)
{
    return __builtin_expect((size_t)(p->end - p->at) >= n && !p->failed, 1) || new_piece(p, n);
}

void fl_pack_begin(struct fl_pack *p, char kind)
{
    p->open = p->last ? p->last->n : 0;
    if (!room(p, HEAD))
        return;
    p->at += 4;
    *p->at++ = (unsigned char)kind;
}

void fl_pack_end(struct fl_pack *p)
{
    if (p->failed)
        return;
    unsigned char *head = p->last->p + p->open;
    size_t n = (size_t)(p->at - head);
    if (n > UINT32_MAX || (p->max && p->bytes + n > p->max)) {
        p->failed = true;
        return;
    }
    for (unsigned i = 0; i < 4; i++)
        head[i] = (unsigned char)(n >> (8 * i));
    p->last->n += n;
    p->bytes += n;
}

void fl_pack_u64(struct fl_pack *p, uint64_t v)
{
    if (!room(p, NUMBER_MAX))
        return;
    unsigned char *at = p->at;
    while (v >= 0x80) {
        *at++ = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    *at++ = (unsigned char)v;
    p->at = at;
}

void fl_pack_i64(struct fl_pack *p, int64_t v)
{
    fl_pack_u64(p, ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0));
}

void fl_pack_hash(struct fl_pack *p, uint64_t v)
{
    if (!room(p, 8))
        return;
    for (unsigned i = 0; i < 8; i++)
        *p->at++ = (unsigned char)(v >> (8 * i));
}

void fl_pack_textn(struct fl_pack *p, const char *s, size_t n)
{
    fl_pack_u64(p, n + 1);
    if (!room(p, n + 1))
        return;
    memcpy(p->at, s, n);
    p->at[n] = 0;
    p->at += n + 1;
}

void fl_pack_text(struct fl_pack *p, const char *s)
{
    if (s)
        fl_pack_textn(p, s, strlen(s));
    else
        fl_pack_u64(p, 0);
}

/* ---- reading ---- */

static uint64_t spoilt(struct fl_unpack *u)
{
    u->bad = true;
    u->at = u->end = u->stop;
    return 0;
}

char fl_unpack_next(struct fl_unpack *u)
{
    if (u->bad)
        return 0;
    u->at = u->end;
    size_t left = (size_t)(u->stop - u->at), n = 0;
    if (!left)
        return 0;
    for (unsigned i = 0; i < 4 && left >= HEAD; i++)
        n |= (size_t)u->at[i] << (8 * i);
    if (n < HEAD || n > left || !u->at[4])
        return (char)spoilt(u);
    u->end = u->at + n;
    u->at += HEAD;
    return (char)u->at[-1];
}

uint64_t fl_unpack_u64(struct fl_unpack *u)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && u->at < u->end; shift += 7) {
        unsigned char c = *u->at++;
        if (shift == 63 && c > 1)
            break;
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80)
            return v;
    }
    return spoilt(u);
}

int64_t fl_unpack_i64(struct fl_unpack *u)
{
    uint64_t v = fl_unpack_u64(u);
    return (int64_t)((v >> 1) ^ (v & 1 ? UINT64_MAX : 0));
}

uint64_t fl_unpack_hash(struct fl_unpack *u)
{
    uint64_t v = 0;
    if (u->end - u->at < 8)
        return spoilt(u);
    for (unsigned i = 0; i < 8; i++)
        v |= (uint64_t)*u->at++ << (8 * i);
    return v;
}

const char *fl_unpack_text(struct fl_unpack *u, size_t *ret_n)
{
    uint64_t n = fl_unpack_u64(u);
    const char *s = u->bad ? "" : NULL;
    if (n && (n > (size_t)(u->end - u->at) || u->at[n - 1])) {
        spoilt(u);
        s = "";
    } else if (n) {
        s = (const char *)u->at;
        u->at += n;
    }
    if (ret_n)
        *ret_n = s && *s ? (size_t)(n - 1) : 0;
    return s;
}

size_t fl_unpack_count(struct fl_unpack *u)
{
    uint64_t n = fl_unpack_u64(u);
    return n > (size_t)(u->end - u->at) ? (size_t)spoilt(u) : (size_t)n;
}
