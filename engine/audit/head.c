/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/audit/head.c -- signed heads: Ed25519 over a chain's last number and hash; contract in <faultline/audit.h>. */
#include <faultline/audit.h>
#include <faultline/json.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof((struct fl_audit_key *)0)->secret == crypto_sign_SECRETKEYBYTES, "Ed25519 secret key");
_Static_assert(sizeof((struct fl_audit_key *)0)->open == crypto_sign_PUBLICKEYBYTES, "Ed25519 public key");
_Static_assert(sizeof((struct fl_audit_head *)0)->signature == crypto_sign_BYTES, "Ed25519 signature");

/* ---- keys ---- */

void fl_audit_key_make(struct fl_audit_key *ret)
{
    crypto_sign_keypair(ret->open, ret->secret);
}

void fl_audit_key_text(const struct fl_audit_key *k, char *out)
{
    fl_hex(k->secret, crypto_sign_SEEDBYTES, out); /* the secret key begins with its seed */
    memcpy(out + 64, "\n", 2);
}

bool fl_audit_key_parse(const char *text, struct fl_audit_key *ret)
{
    unsigned char seed[crypto_sign_SEEDBYTES];
    size_t n = strcspn(text, "\r\n");
    bool ok = n == 64 && fl_unhex(text, n, seed) &&
              crypto_sign_seed_keypair(ret->open, ret->secret, seed) == 0;
    sodium_memzero(seed, sizeof seed);
    return ok;
}

/* RFC 8410: what comes before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo. */
static const unsigned char spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
static const char pem_begin[] = "-----BEGIN PUBLIC KEY-----\n", pem_end[] = "\n-----END PUBLIC KEY-----\n";

void fl_audit_public_text(const uint8_t *key, char *out)
{
    unsigned char der[sizeof spki + 32];
    char base64[64];
    memcpy(der, spki, sizeof spki);
    memcpy(der + sizeof spki, key, 32);
    sodium_bin2base64(base64, sizeof base64, der, sizeof der, sodium_base64_VARIANT_ORIGINAL);
    snprintf(out, FL_AUDIT_PUBLIC_LEN, "%s%s%s", pem_begin, base64, pem_end);
}

bool fl_audit_public_parse(const char *text, uint8_t *ret)
{
    unsigned char der[sizeof spki + 32];
    size_t n = 0;
    const char *p = strstr(text, pem_begin);
    if (!p)
        return false;
    p += sizeof pem_begin - 1;
    if (sodium_base642bin(der, sizeof der, p, strcspn(p, "\r\n-"), NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n != sizeof der || memcmp(der, spki, sizeof spki) != 0)
        return false;
    memcpy(ret, der + sizeof spki, 32);
    return true;
}

/* ---- heads ---- */

static void put_part(struct fl_buf *b, const char *s, size_t n)
{
    for (size_t i = 0; i < 8; i++)
        fl_buf_chr(b, (char)(unsigned char)((uint64_t)n >> (56 - 8 * i)));
    fl_buf_add(b, s, n);
}

static void put_number(struct fl_buf *b, long long v)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%lld", v);
    put_part(b, text, (size_t)n);
}

void fl_audit_head_bytes(const struct fl_audit_head *h, struct fl_buf *out)
{
    fl_buf_str(out, "faultline head v1\n");
    put_part(out, h->realm, strlen(h->realm));
    put_number(out, (long long)h->seq);
    put_number(out, (long long)h->at);
    fl_buf_add(out, h->hash.b, sizeof h->hash.b);
}

bool fl_audit_head_sign(struct fl_audit_head *h, const struct fl_audit_key *k)
{
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_audit_head_bytes(h, &b);
    return !b.failed && crypto_sign_detached(h->signature, NULL, (const unsigned char *)b.p,
                                             (unsigned long long)b.n, k->secret) == 0;
}

bool fl_audit_head_check(const struct fl_audit_head *h, const uint8_t *open_key)
{
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_audit_head_bytes(h, &b);
    return !b.failed && crypto_sign_verify_detached(h->signature, (const unsigned char *)b.p,
                                                    (unsigned long long)b.n, open_key) == 0;
}

void fl_audit_head_json(const struct fl_audit_head *h, struct fl_buf *out)
{
    char hash[65], signature[129];
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "realm", h->realm);
    fl_jw_int(&w, "seq", (int64_t)h->seq);
    fl_jw_str(&w, "hash", fl_sha256_hex(&h->hash, hash));
    fl_jw_time(&w, "at", h->at);
    fl_jw_str(&w, "signature", fl_hex(h->signature, sizeof h->signature, signature));
    fl_jw_obj_end(&w);
}

fl_status fl_audit_head_parse(const char *text, size_t n, struct fl_audit_head *ret, struct fl_err *err)
{
    FL_AUTO_JSON v = fl_json_parse(text, n, err);
    if (!v)
        return FL_E_SYNTAX;
    struct fl_audit_head h = {.seq = (uint64_t)fl_json_int(v, "seq", 0)};
    const char *realm = fl_json_str(v, "realm", ""), *hash = fl_json_str(v, "hash", ""),
               *at = fl_json_str(v, "at", "");
    const char *signature = fl_json_str(v, "signature", "");
    bool ok = *realm && strlen(realm) < sizeof h.realm && fl_time_parse(at, strlen(at), &h.at) &&
              strlen(hash) == 64 && fl_unhex(hash, 64, h.hash.b) && strlen(signature) == 128 &&
              fl_unhex(signature, 128, h.signature);
    if (!ok)
        return fl_fail(err, FL_E_SHAPE, "head",
                       "no signed head: expected realm, seq, hash, at and signature");
    snprintf(h.realm, sizeof h.realm, "%s", realm);
    *ret = h;
    return FL_OK;
}
