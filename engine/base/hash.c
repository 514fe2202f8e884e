/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/hash.c -- contract in <faultline/base.h>. */
#include "hash_priv.h"

#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

uint64_t fl_fnv1a(uint64_t h, const void *p, size_t n)
{
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ c[i]) * UINT64_C(1099511628211);
    return h;
}

static unsigned char hash_key[crypto_shorthash_KEYBYTES];
static pthread_once_t hash_key_once = PTHREAD_ONCE_INIT;

static void make_hash_key(void)
{
    fl_random(hash_key, sizeof hash_key);
}

uint64_t fl_keyed_hash(const void *p, size_t n)
{
    pthread_once(&hash_key_once, make_hash_key);
    uint64_t h;
    crypto_shorthash((unsigned char *)&h, p, n, hash_key);
    return h;
}

void fl_sha256(const void *p, size_t n, struct fl_sha256 *ret)
{
    if (!fl_sha256_by_cpu(p, n, ret))
        crypto_hash_sha256(ret->b, p, n);
}

void fl_hmac_sha256(const void *key, size_t key_n, const void *a, size_t a_n, const void *b, size_t b_n,
                    struct fl_sha256 *ret)
{
    crypto_auth_hmacsha256_state st;
    crypto_auth_hmacsha256_init(&st, key, key_n);
    crypto_auth_hmacsha256_update(&st, a, a_n);
    crypto_auth_hmacsha256_update(&st, b, b_n);
    crypto_auth_hmacsha256_final(&st, ret->b);
    sodium_memzero(&st, sizeof st);
}

bool fl_equal_secret(const void *a, const void *b, size_t n)
{
    return sodium_memcmp(a, b, n) == 0;
}

char *fl_hex(const void *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *c = p;
    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[c[i] >> 4];
        out[2 * i + 1] = digits[c[i] & 15];
    }
    out[2 * n] = 0;
    return out;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool fl_unhex(const char *s, size_t n, void *ret)
{
    unsigned char *out = ret;
    if (n % 2)
        return false;
    for (size_t i = 0; i < n / 2; i++) {
        int hi = digit(s[2 * i]), lo = hi < 0 ? -1 : digit(s[2 * i + 1]);
        if (lo < 0)
            return false;
        out[i] = (unsigned char)(hi << 4 | lo);
    }
    return true;
}

char *fl_sha256_hex(const struct fl_sha256 *h, char *out)
{
    return fl_hex(h->b, sizeof h->b, out);
}

char *fl_fingerprint_hex(uint64_t fp, char *out)
{
    unsigned char b[8];
    for (size_t i = 0; i < 8; i++)
        b[i] = (unsigned char)(fp >> (56 - 8 * i));
    return fl_hex(b, sizeof b, out);
}

bool fl_fingerprint_parse(const char *s, uint64_t *ret)
{
    unsigned char b[8];
    if (!s || strlen(s) != 16 || !fl_unhex(s, 16, b))
        return false;
    uint64_t v = 0;
    for (size_t i = 0; i < 8; i++)
        v = v << 8 | b[i];
    *ret = v;
    return true;
}
