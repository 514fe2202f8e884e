/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/peers.c -- connections of each address, over all loops (layer 5). libmicrohttpd would count per daemon. */
#include "http_priv.h"

#include <netinet/in.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    struct in6_addr address; /* IPv4 as ::ffff:a.b.c.d */
    size_t n;
};

static struct in6_addr address_of(const struct sockaddr *sa)
{
    struct in6_addr a = {0};
    if (sa->sa_family == AF_INET6) {
        a = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
    } else if (sa->sa_family == AF_INET) {
        a.s6_addr[10] = a.s6_addr[11] = 0xff;
        memcpy(a.s6_addr + 12, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4);
    }
    return a;
}

static int by_address(const void *a, const void *b)
{
    const struct peer *x = a, *y = b;
    return memcmp(&x->address, &y->address, sizeof x->address);
}

void peers_init(struct peers *p, size_t most)
{
    *p = (struct peers){.most = most};
    pthread_mutex_init(&p->lock, NULL);
}

void peers_done(struct peers *p)
{
    tdestroy(p->tree, free);
    pthread_mutex_destroy(&p->lock);
}

bool peers_room(struct peers *p, const struct sockaddr *sa)
{
    struct peer key = {.address = address_of(sa)};
    pthread_mutex_lock(&p->lock);
    struct peer *const *found = tfind(&key, &p->tree, by_address);
    bool room = !found || (*found)->n < p->most;
    pthread_mutex_unlock(&p->lock);
    return room;
}

/* The entry of this address, made when it is new; NULL: out of memory. Caller holds the lock. */
static struct peer *entry_of(struct peers *p, const struct sockaddr *sa)
{
    struct peer key = {.address = address_of(sa)};
    struct peer *const *found = tfind(&key, &p->tree, by_address);
    if (found)
        return *found;
    struct peer *fresh = malloc(sizeof *fresh);
    if (!fresh)
        return NULL;
    *fresh = key;
    if (!tsearch(fresh, &p->tree, by_address)) {
        free(fresh);
        return NULL;
    }
    return fresh;
}

bool peers_add(struct peers *p, const struct sockaddr *sa)
{
    pthread_mutex_lock(&p->lock);
    struct peer *x = entry_of(p, sa);
    bool room = x && x->n < p->most;
    if (room)
        x->n++;
    pthread_mutex_unlock(&p->lock);
    return room;
}

void peers_remove(struct peers *p, const struct sockaddr *sa)
{
    struct peer key = {.address = address_of(sa)};
    pthread_mutex_lock(&p->lock);
    struct peer *const *found = tfind(&key, &p->tree, by_address);
    struct peer *x = found ? *found : NULL;
    if (x && --x->n == 0) {
        tdelete(x, &p->tree, by_address);
        free(x);
    }
    pthread_mutex_unlock(&p->lock);
}
