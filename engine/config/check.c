/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/config/check.c -- what only shows when all options are known; contract in <faultline/config.h>. */
#include <faultline/config.h>

#include <arpa/inet.h>
#include <string.h>

bool fl_config_split_listen(const char *listen, char *host, int64_t *ret_port)
{
    const char *colon = strrchr(listen, ':'), *from = listen, *to = colon;
    if (!colon)
        return false;
    if (*from == '[') {
        from++;
        to = colon - 1;
        if (to <= from || *to != ']')
            return false;
    } else if (memchr(from, ':', (size_t)(colon - from))) {
        return false; /* an IPv6 address wants its brackets */
    }
    size_t n = (size_t)(to - from);
    if (n >= 64 || !fl_parse_i64(colon + 1, 0, 65535, ret_port))
        return false;
    memcpy(host, from, n);
    host[n] = 0;
    return true;
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}

static fl_status check_listen(const struct fl_config *c, struct fl_err *err)
{
    char host[64];
    int64_t port;
    if (!fl_config_split_listen(c->listen, host, &port))
        return fl_fail(err, FL_E_USAGE, "listen",
                       "listen: expected ADDRESS:PORT or [ADDRESS]:PORT, got \"%.100s\"", c->listen);
    if (strcmp(c->auth, "off") == 0 && !is_loopback(host)) {
        fl_status st = fl_fail(err, FL_E_USAGE, "auth",
                               "auth: \"off\" is allowed on a loopback address only, not on \"%s\"", host);
        fl_hint(err, "listen on 127.0.0.1, or leave auth on and create a token");
        return st;
    }
    return FL_OK;
}

fl_status fl_config_check(const struct fl_config *c, struct fl_err *err)
{
    fl_status st = check_listen(c, err);
    if (st)
        return st;
    size_t n = strlen(c->realm);
    if (!n || n > 63 ||
        strspn(c->realm, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != n)
        return fl_fail(err, FL_E_USAGE, "realm",
                       "realm: expected 1 to 63 letters, digits, \"_\", \".\" or \"-\", got \"%.100s\"",
                       c->realm);
    if (c->max_body_bytes > c->queue_bytes)
        return fl_fail(err, FL_E_USAGE, "queue",
                       "queue: smaller than max_body, so that a large body could never be taken");
    if (c->max_connections_per_address > c->max_connections)
        return fl_fail(err, FL_E_USAGE, "max_connections_per_address",
                       "max_connections_per_address: larger than max_connections");
    if (c->lease_grace > c->lease_default)
        return fl_fail(err, FL_E_USAGE, "lease_grace", "lease_grace: longer than lease_default");
    return FL_OK;
}
