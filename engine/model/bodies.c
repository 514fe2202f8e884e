/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/bodies.c -- several bodies in one journal row, each with its own hash; contract in <faultline/model.h>. */
#include <faultline/model.h>

#include <stdio.h>
#include <string.h>

enum { HEX = 64, LENGTH_DIGITS = 19 };

char *fl_bodies_put(char *p, const struct fl_sha256 *hash, const void *body, size_t n)
{
    char hex[HEX + 1];
    int head = snprintf(p, FL_BODIES_HEAD, "%s %zu\n", fl_sha256_hex(hash, hex), n);
    p += head;
    memcpy(p, body, n);
    p[n] = '\n';
    return p + n + 1;
}

/* "<64 hex> <length>\n": its length; 0: it is none. */
static size_t read_head(const char *p, size_t n, struct fl_sha256 *ret_hash, size_t *ret_len)
{
    size_t at = HEX + 1, len = 0;
    if (n < HEX + 3 || p[HEX] != ' ' || !fl_unhex(p, HEX, ret_hash->b))
        return 0;
    while (at < n && at < HEX + 1 + LENGTH_DIGITS && p[at] >= '0' && p[at] <= '9')
        len = len * 10 + (size_t)(p[at++] - '0');
    if (at == HEX + 1 || at >= n || p[at] != '\n')
        return 0;
    *ret_len = len;
    return at + 1;
}

fl_status fl_bodies_next(const char **rest, size_t *n, const char **ret, size_t *ret_n, struct fl_err *err)
{
    struct fl_sha256 want, have;
    size_t len = 0;
    if (!*n)
        return FL_E_NOTFOUND;
    size_t head = read_head(*rest, *n, &want, &len);
    if (!head || len >= *n - head || (*rest)[head + len] != '\n')
        return fl_fail(err, FL_E_CORRUPT, "body", "the row does not hold the bodies its kind promises");
    fl_sha256(*rest + head, len, &have);
    if (memcmp(&want, &have, sizeof want) != 0)
        return fl_fail(err, FL_E_CORRUPT, "body", "a body of the row is not the one that was received");
    *ret = *rest + head;
    *ret_n = len;
    *rest += head + len + 1;
    *n -= head + len + 1;
    return FL_OK;
}
