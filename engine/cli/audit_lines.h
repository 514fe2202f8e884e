/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/audit_lines.h -- audit entries from wherever they lie, and the signed heads they must agree with (layer 6). */
#pragma once

#include "cli.h"

#include <faultline/audit.h>

struct known_head { /* a head that is known from elsewhere */
    uint64_t seq;
    struct fl_sha256 hash;
    fl_usec at; /* 0: it carries no signature */
};
struct heads {
    struct known_head *v; /* by seq */
    size_t n, cap, next;  /* next: the first one not passed yet */
};
/* One head. @return false: out of memory. */
bool heads_add(struct heads *h, uint64_t seq, const struct fl_sha256 *hash, fl_usec at);
void heads_done(struct heads *h);
/* What --head names: SEQ:HASH, or a file of signed heads checked against the key of --key (or audit.pub beside it);
 * without it the heads in the data directory, if there are any. A head whose signature does not hold is printed.
 * @return 0 or the exit code. */
int heads_find(struct args *a, struct heads *h);
/* The heads of one realm in a data directory; none there is fine. @param key NULL: audit.pub in it. */
int heads_of_dir(const char *dir, const char *realm, const char *key, struct heads *h);
/* Pass an entry by, in order. @return false: a head says otherwise; bad_seq is this entry. */
bool heads_pass(struct heads *h, uint64_t seq, const struct fl_sha256 *hash);
