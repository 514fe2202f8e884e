/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/base/hash_priv.h -- SHA-256 by the processor's own instructions (private to the stage). */
#pragma once

#include <faultline/base.h>

/** False when this processor has none: libsodium's code, which is some eight times as slow, does it then. Any thread. */
bool fl_sha256_by_cpu(const void *p, size_t n, struct fl_sha256 *ret);
