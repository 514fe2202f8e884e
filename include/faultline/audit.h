/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/audit.h -- audit entries, their canonical bytes and the SHA-256 chain (layer 3). */
#pragma once

#include <faultline/effects.h>
#include <faultline/json.h>

struct fl_audit_chain { /* head of one realm's chain; part of the flow state */
    uint64_t seq;
    struct fl_sha256 head;
};
/**
 * Number and chain an entry: fills seq, prev, hash and moves the head. Pure.
 * Canonical bytes (docs/reference/audit-format.md): "faultline audit v1\n", then each field in the order
 * of the struct up to `detail` as 8-byte big-endian length + bytes (integers as decimal text; times as
 * microseconds), then prev's 32 bytes; hash = SHA-256 of them. The first prev is 32 zero bytes.
 */
void fl_audit_append(struct fl_audit_chain *chain, struct fl_audit_entry *e);
void fl_audit_hash(const struct fl_audit_entry *e, struct fl_sha256 *ret);

/** An entry as the API and the command line show it, and as `audit verify` reads it from a file. `detail` stands as text, not as
 *  an object: the chain is over these very bytes. */
void fl_audit_entry_json(struct fl_jw *w, const struct fl_audit_entry *e);

/** Verification state over a stream of rows in seq order. */
struct fl_audit_verifier {
    uint64_t next_seq, checked;
    struct fl_sha256 head;
    bool broken;
    uint64_t bad_seq;
    char problem[256];
};
void fl_audit_verify_init(struct fl_audit_verifier *v);
/** Feed the next row. @return false from the first bad row on (bad_seq, problem say which and why). */
bool fl_audit_verify_row(struct fl_audit_verifier *v, const struct fl_audit_entry *e);
/** At the end: compare with the last head that is known from elsewhere (seq 0 = none). */
bool fl_audit_verify_end(struct fl_audit_verifier *v, uint64_t head_seq, const struct fl_sha256 *head);

/* ---- signed heads -------------------------------------------------------------------------------------- */

/** Ed25519. The text of the secret key is its 32-byte seed in hex; of the public one PEM (RFC 8410), as openssl reads it. */
struct fl_audit_key {
    uint8_t secret[64], open[32];
};
#define FL_AUDIT_KEY_LEN 66     /* 64 digits, newline, NUL */
#define FL_AUDIT_PUBLIC_LEN 160 /* at most */
void fl_audit_key_make(struct fl_audit_key *ret);
void fl_audit_key_text(const struct fl_audit_key *k, char *out); /* FL_AUDIT_KEY_LEN bytes */
FL_MUST_CHECK bool fl_audit_key_parse(const char *text, struct fl_audit_key *ret);
void fl_audit_public_text(const uint8_t *key, char *out);                 /* FL_AUDIT_PUBLIC_LEN bytes */
FL_MUST_CHECK bool fl_audit_public_parse(const char *text, uint8_t *ret); /* 32 bytes */

/** "At this time the chain of this realm ended with this entry." */
struct fl_audit_head {
    char realm[64];
    uint64_t seq;
    struct fl_sha256 hash;
    fl_usec at; /* when it was signed */
    uint8_t signature[64];
};
/**
 * What is signed: "faultline head v1\n", then realm, seq and at (microseconds) as 8-byte big-endian length + bytes
 * (integers as decimal text), then the 32 bytes of hash. docs/reference/audit-format.md.
 */
void fl_audit_head_bytes(const struct fl_audit_head *h, struct fl_buf *out);
FL_MUST_CHECK bool fl_audit_head_sign(struct fl_audit_head *h, const struct fl_audit_key *k);
FL_MUST_CHECK bool fl_audit_head_check(const struct fl_audit_head *h, const uint8_t *open_key);
/** One line of heads.jsonl, without the newline: {"realm","seq","hash","at","signature"}. */
void fl_audit_head_json(const struct fl_audit_head *h, struct fl_buf *out);
FL_MUST_CHECK fl_status fl_audit_head_parse(const char *text, size_t n, struct fl_audit_head *ret,
                                            struct fl_err *err);
