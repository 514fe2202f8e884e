/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/audit.h -- audit entries, their canonical bytes and the SHA-256 chain (layer 3). */
#pragma once

#include <faultline/effects.h>

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
