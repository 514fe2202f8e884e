/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/hash_cpu.c -- SHA-256 by the processor's own instructions; contract in hash_priv.h.
 * Each body is hashed before it is journalled, which in plain C costs more than reading it. */
#include "hash_priv.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <string.h>

#define BY_CPU __attribute__((target("sha,sse4.1,ssse3")))

static const uint32_t round_words[64] __attribute__((aligned(16))) = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static bool has_instructions;
static pthread_once_t asked = PTHREAD_ONCE_INIT;

static void ask(void)
{
    unsigned a, b, c, d, c1 = 0;
    if (__get_cpuid(1, &a, &b, &c1, &d) && __get_cpuid_count(7, 0, &a, &b, &c, &d))
        has_instructions = (b & bit_SHA) && (c1 & bit_SSE4_1) && (c1 & bit_SSSE3);
}

/* Four words of the schedule from the sixteen before them: w[0] is the oldest four. */
BY_CPU static inline __m128i next_words(const __m128i *w)
{
    __m128i t = _mm_sha256msg1_epu32(w[0], w[1]);
    t = _mm_add_epi32(t, _mm_alignr_epi8(w[3], w[2], 4));
    return _mm_sha256msg2_epu32(t, w[3]);
}

/* The state in the order the instructions want: a b e f, and c d g h. */
BY_CPU static void blocks(__m128i *abef, __m128i *cdgh, const unsigned char *p, size_t n)
{
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (; n; n--, p += 64) {
        __m128i w[16], s0 = *abef, s1 = *cdgh;
        for (size_t i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i)), swap);
#pragma GCC unroll 16
        for (size_t i = 0; i < 16; i++) {
            if (i >= 4)
                w[i] = next_words(w + i - 4);
            __m128i k = _mm_load_si128((const __m128i *)(const void *)(round_words + 4 * i));
            __m128i wk = _mm_add_epi32(w[i], k);
            s1 = _mm_sha256rnds2_epu32(s1, s0, wk);
            s0 = _mm_sha256rnds2_epu32(s0, s1, _mm_shuffle_epi32(wk, 0x0e));
        }
        *abef = _mm_add_epi32(*abef, s0);
        *cdgh = _mm_add_epi32(*cdgh, s1);
    }
}

static void put_word(unsigned char *out, uint32_t v)
{
    for (size_t i = 0; i < 4; i++)
        out[i] = (unsigned char)(v >> (24 - 8 * i));
}

/* What is left over, a one, zeros, and the length in bits. @return blocks of 64 bytes. */
static size_t last_blocks(const unsigned char *p, size_t n, unsigned char *out)
{
    size_t rest = n % 64, size = rest < 56 ? 64 : 128;
    memset(out, 0, size);
    if (rest)
        memcpy(out, p + n - rest, rest);
    out[rest] = 0x80;
    put_word(out + size - 8, (uint32_t)((uint64_t)n >> 29));
    put_word(out + size - 4, (uint32_t)((uint64_t)n << 3));
    return size / 64;
}

BY_CPU static void hash(const unsigned char *p, size_t n, struct fl_sha256 *ret)
{
    unsigned char last[128];
    uint32_t x[4], y[4];
    __m128i abef = _mm_set_epi32(0x6a09e667, (int)0xbb67ae85, 0x510e527f, (int)0x9b05688c);
    __m128i cdgh = _mm_set_epi32(0x3c6ef372, (int)0xa54ff53a, 0x1f83d9ab, 0x5be0cd19);
    blocks(&abef, &cdgh, p, n / 64);
    blocks(&abef, &cdgh, last, last_blocks(p, n, last));
    memcpy(x, &abef, sizeof x);
    memcpy(y, &cdgh, sizeof y);
    const uint32_t words[8] = {x[3], x[2], y[3], y[2], x[1], x[0], y[1], y[0]};
    for (size_t i = 0; i < 8; i++)
        put_word(ret->b + 4 * i, words[i]);
}

bool fl_sha256_by_cpu(const void *p, size_t n, struct fl_sha256 *ret)
{
    pthread_once(&asked, ask);
    if (has_instructions)
        hash(p, n, ret);
    return has_instructions;
}

#else

bool fl_sha256_by_cpu(const void *p, size_t n, struct fl_sha256 *ret)
{
    (void)p;
    (void)n;
    (void)ret;
    return false;
}

#endif
