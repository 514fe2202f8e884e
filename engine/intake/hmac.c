/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/hmac.c -- signatures on raw bodies; contract in <faultline/intake.h>. */
#include <faultline/intake.h>

#include <stdio.h>
#include <string.h>

static const int64_t MAX_AGE = 300; /* seconds: an older request may be a replay */

static fl_status check_time(const char *timestamp, fl_usec now, struct fl_err *err)
{
    int64_t at;
    if (!fl_parse_i64(timestamp, 0, INT64_MAX / FL_USEC_PER_SEC, &at))
        return fl_fail(err, FL_E_DENIED, NULL, "the signature's timestamp is no number of seconds: \"%.40s\"",
                       timestamp);
    int64_t age = now / FL_USEC_PER_SEC - at;
    if (age > MAX_AGE || age < -MAX_AGE)
        return fl_fail(err, FL_E_DENIED, NULL, "the signature's timestamp is more than %lld seconds off",
                       (long long)MAX_AGE);
    return FL_OK;
}

fl_status fl_intake_signature(const char *secret, const char *signature, const char *timestamp,
                              const void *body, size_t n, fl_usec now, struct fl_err *err)
{
    if (!signature || !*signature)
        return fl_fail(err, FL_E_DENIED, NULL, "the body is not signed");
    if (timestamp && check_time(timestamp, now, err) != FL_OK)
        return FL_E_DENIED;
    char prefix[32] = "", hex[65];
    if (timestamp)
        snprintf(prefix, sizeof prefix, "%.24s:", timestamp);
    struct fl_sha256 mac;
    fl_hmac_sha256(secret, strlen(secret), prefix, strlen(prefix), body, n, &mac);
    fl_sha256_hex(&mac, hex);
    if (strlen(signature) != 64 || !fl_equal_secret(signature, hex, 64))
        return fl_fail(err, FL_E_DENIED, NULL, "the body's signature does not match");
    return FL_OK;
}
