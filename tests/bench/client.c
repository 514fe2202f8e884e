/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bench/client.c -- contract in client.h. */
#include "client.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

double client_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void *client_must(void *p)
{
    if (!p) {
        fprintf(stderr, "bench: out of memory\n");
        exit(1);
    }
    return p;
}

int client_dial(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0 || !list)
        return -1;
    int fd = socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    struct timeval patience = {.tv_sec = 30};
    if (fd >= 0 && connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(list);
    if (fd >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    }
    return fd;
}

bool client_send(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

int client_answer(int fd, char *buf, size_t cap, bool *ret_close)
{
    size_t n = 0, want = 0;
    while (n < cap - 1) {
        ssize_t k = recv(fd, buf + n, cap - 1 - n, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return 0;
        n += (size_t)k;
        buf[n] = 0;
        if (want == 0) {
            char *end = strstr(buf, "\r\n\r\n");
            if (!end)
                continue;
            *end = 0;
            const char *length = strcasestr(buf, "\r\ncontent-length:");
            *ret_close = strcasestr(buf, "\r\nconnection: close") != NULL;
            want = (size_t)(end - buf) + 4 + (length ? strtoul(length + 17, NULL, 10) : 0);
        }
        if (n >= want)
            return (int)strtol(buf + 9, NULL, 10);
    }
    return 0;
}

void client_token(const char *file, char *ret, size_t cap)
{
    FILE *f = fopen(file, "r");
    if (!f || !fgets(ret, (int)cap, f)) {
        fprintf(stderr, "bench: cannot read a token from %s\n", file);
        exit(2);
    }
    fclose(f);
    ret[strcspn(ret, "\r\n")] = 0;
}
