/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/address.c -- which addresses may be dialled. Names do not count here, only the number the
 * resolver gave, in every disguise an IPv4 address has inside IPv6. */
#include "runner_priv.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <stdlib.h>
#include <string.h>

struct block4 {
    uint32_t net;
    unsigned bits;
    address_class cls;
};
#define IP4(a, b, c, d) ((uint32_t)(a) << 24 | (uint32_t)(b) << 16 | (uint32_t)(c) << 8 | (uint32_t)(d))

/* IANA's special-purpose registry. */
static const struct block4 blocks4[] = {
    {IP4(0, 0, 0, 0), 8, ADDRESS_NEVER},       {IP4(10, 0, 0, 0), 8, ADDRESS_PRIVATE},
    {IP4(100, 64, 0, 0), 10, ADDRESS_PRIVATE}, {IP4(127, 0, 0, 0), 8, ADDRESS_PRIVATE},
    {IP4(169, 254, 0, 0), 16, ADDRESS_NEVER},  {IP4(172, 16, 0, 0), 12, ADDRESS_PRIVATE},
    {IP4(192, 0, 0, 0), 24, ADDRESS_NEVER},    {IP4(192, 0, 2, 0), 24, ADDRESS_NEVER},
    {IP4(192, 88, 99, 0), 24, ADDRESS_NEVER},  {IP4(192, 168, 0, 0), 16, ADDRESS_PRIVATE},
    {IP4(198, 18, 0, 0), 15, ADDRESS_NEVER},   {IP4(198, 51, 100, 0), 24, ADDRESS_NEVER},
    {IP4(203, 0, 113, 0), 24, ADDRESS_NEVER},  {IP4(224, 0, 0, 0), 3, ADDRESS_NEVER},
};

static address_class classify4(uint32_t ip)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(blocks4); i++)
        if (((ip ^ blocks4[i].net) >> (32 - blocks4[i].bits)) == 0)
            return blocks4[i].cls;
    return ADDRESS_PUBLIC;
}

static uint32_t tail4(const uint8_t *b)
{
    return IP4(b[0], b[1], b[2], b[3]);
}

static bool zeros(const uint8_t *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (b[i])
            return false;
    return true;
}

static address_class classify6(const uint8_t *b)
{
    if (zeros(b, 10) && b[10] == 0xff && b[11] == 0xff) /* ::ffff:a.b.c.d */
        return classify4(tail4(b + 12));
    if (zeros(b, 15) && b[15] == 1)
        return ADDRESS_PRIVATE; /* ::1 */
    if (zeros(b, 8))            /* ::, ::a.b.c.d, ::ffff:0:a.b.c.d (translated) */
        return ADDRESS_NEVER;
    if (b[0] == 0x00 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b) /* NAT64: what it leads to decides */
        return zeros(b + 4, 8) ? classify4(tail4(b + 12)) : ADDRESS_NEVER;
    if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
        return ADDRESS_NEVER;
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] < 0x02) /* 2001::/23: Teredo, ORCHID, benchmarks */
        return ADDRESS_NEVER;
    if (b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0d && b[3] == 0xb8) /* documentation */
        return ADDRESS_NEVER;
    if ((b[0] & 0xfe) == 0xfc)
        return ADDRESS_PRIVATE; /* unique local */
    /* Global unicast is 2000::/3; link-local, site-local, multicast and the unassigned rest are not. */
    return (b[0] & 0xe0) == 0x20 ? ADDRESS_PUBLIC : ADDRESS_NEVER;
}

address_class address_classify(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof v4);
        return classify4(ntohl(v4.sin_addr.s_addr));
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof v6);
        return classify6(v6.sin6_addr.s6_addr);
    }
    return ADDRESS_NEVER;
}

/* ---- our own listener ---- */

/* Both families as 16 bytes, IPv4 as ::ffff:a.b.c.d, so that the disguise does not matter. */
static bool normal_form(const struct sockaddr *a, uint8_t out[16], int *ret_port)
{
    memset(out, 0, 16);
    if (a->sa_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, a, sizeof v4);
        out[10] = out[11] = 0xff;
        memcpy(out + 12, &v4.sin_addr, 4);
        *ret_port = ntohs(v4.sin_port);
        return true;
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, a, sizeof v6);
        memcpy(out, &v6.sin6_addr, 16);
        *ret_port = ntohs(v6.sin6_port);
        return true;
    }
    return false;
}

static bool is_own_interface(const uint8_t *ip)
{
    struct ifaddrs *all = NULL;
    uint8_t own[16];
    int port;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return true; /* cannot tell: closed */
    for (const struct ifaddrs *i = all; i && !found; i = i->ifa_next)
        found = i->ifa_addr && normal_form(i->ifa_addr, own, &port) && memcmp(own, ip, 16) == 0;
    freeifaddrs(all);
    return found;
}

static bool is_loopback(const uint8_t *ip)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    memcpy(&a.sin6_addr, ip, 16);
    static const uint8_t v4[13] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127};
    return memcmp(ip, v4, sizeof v4) == 0 || IN6_IS_ADDR_LOOPBACK(&a.sin6_addr);
}

/* "127.0.0.1:9094", "[::1]:9094", ":9094", "localhost:9094" (a name bars every own address of that port). */
static bool bars(const char *listener, const uint8_t *ip, int port)
{
    const char *colon = strrchr(listener, ':');
    int64_t listen_port;
    char host[256];
    if (!colon || !fl_parse_i64(colon + 1, 0, 65535, &listen_port) || listen_port != port)
        return false;
    const char *from = listener, *to = colon;
    if (from < to && *from == '[' && to[-1] == ']') {
        from++;
        to--;
    }
    size_t n = (size_t)(to - from);
    if (n >= sizeof host)
        return true;
    memcpy(host, from, n);
    host[n] = 0;
    struct in_addr v4;
    struct in6_addr v6;
    uint8_t listen_ip[16] = {0};
    if (inet_pton(AF_INET, host, &v4) == 1) {
        listen_ip[10] = listen_ip[11] = 0xff;
        memcpy(listen_ip + 12, &v4, 4);
        if (v4.s_addr != 0)
            return memcmp(ip, listen_ip, 16) == 0;
    } else if (inet_pton(AF_INET6, host, &v6) == 1 && !IN6_IS_ADDR_UNSPECIFIED(&v6)) {
        return memcmp(ip, &v6, 16) == 0;
    }
    return is_loopback(ip) || is_own_interface(ip);
}

bool address_is_barred(const struct sockaddr *a, const char *const *barred)
{
    uint8_t ip[16];
    int port;
    if (!normal_form(a, ip, &port))
        return true;
    for (; barred && *barred; barred++)
        if (bars(*barred, ip, port))
            return true;
    return false;
}
