/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "tiny_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct tiny_server {
    int fd, port;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint connections, witness;
    pthread_mutex_t lock;
    char last[65536];
};

static void say(int fd, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = send(fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        done += (size_t)k;
    }
}

static void answer(int fd, const char *status, const char *type, const void *body, size_t n)
{
    char head[512];
    int k = snprintf(head, sizeof head,
                     "HTTP/1.1 %s\r\nContent-Type: %s\r\nX-Twice: a\r\nX-Twice: b\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n",
                     status, type, n);
    say(fd, head, (size_t)k);
    say(fd, body, n);
}

static size_t body_length(const char *head)
{
    const char *p = strcasestr(head, "\r\ncontent-length:");
    return p ? strtoul(p + 17, NULL, 10) : 0;
}

static bool read_request(struct tiny_server *s, int fd, char *buf, size_t cap)
{
    size_t n = 0;
    for (char *end = NULL; n < cap - 1;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (atomic_load(&s->stop) || poll(&p, 1, 50) < 0)
            return false;
        if (!(p.revents & (POLLIN | POLLHUP)))
            continue;
        ssize_t k = recv(fd, buf + n, cap - 1 - n, 0);
        if (k <= 0)
            return false;
        n += (size_t)k;
        buf[n] = 0;
        end = strstr(buf, "\r\n\r\n");
        if (end && n >= (size_t)(end + 4 - buf) + body_length(buf))
            return true;
    }
    return false;
}

/* Until the client is gone or the test is over. */
static void hold(struct tiny_server *s, int fd)
{
    char c;
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 20) > 0 && recv(fd, &c, 1, 0) <= 0)
            return;
    }
}

static void endless(struct tiny_server *s, int fd)
{
    static char block[65536];
    memset(block, 'e', sizeof block);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", 45);
    while (!atomic_load(&s->stop) && send(fd, block, sizeof block, MSG_NOSIGNAL) > 0)
        ;
}

static void serve(struct tiny_server *s, int fd)
{
    static char req[65536];
    char path[256] = "", line[512];
    if (!read_request(s, fd, req, sizeof req) || sscanf(req, "%*s %255s", path) != 1)
        return;
    pthread_mutex_lock(&s->lock);
    memcpy(s->last, req, strlen(req) + 1);
    pthread_mutex_unlock(&s->lock);
    if (strcmp(path, "/json") == 0) {
        answer(fd, "200 OK", "application/json", "{\"a\":[1,2]}", 11);
    } else if (strncmp(path, "/status/", 8) == 0) {
        snprintf(line, sizeof line, "%.3s Whatever", path + 8);
        answer(fd, line, "text/plain", "", 0);
    } else if (strcmp(path, "/redirect") == 0) {
        int n = snprintf(
            line, sizeof line,
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/witness\r\nContent-Length: 0\r\n"
            "Connection: close\r\n\r\n",
            s->port);
        say(fd, line, (size_t)n);
    } else if (strcmp(path, "/close") == 0) {
        return;
    } else if (strcmp(path, "/slow") == 0) {
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", 40);
        hold(s, fd);
    } else if (strcmp(path, "/endless") == 0) {
        endless(s, fd);
    } else if (strcmp(path, "/binary") == 0) {
        unsigned char all[256];
        for (int i = 0; i < 256; i++)
            all[i] = (unsigned char)i;
        answer(fd, "200 OK", "application/octet-stream", all, sizeof all);
    } else {
        if (strcmp(path, "/witness") == 0)
            atomic_fetch_add(&s->witness, 1);
        answer(fd, "200 OK", "text/plain", req, strlen(req));
    }
}

static void *loop(void *arg)
{
    struct tiny_server *s = arg;
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        if (poll(&p, 1, 20) <= 0)
            continue;
        int fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        atomic_fetch_add(&s->connections, 1);
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

struct tiny_server *tiny_server_start(void)
{
    struct tiny_server *s = calloc(1, sizeof *s);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    if (!s)
        abort();
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&s->lock, NULL);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&a, sizeof a) || listen(s->fd, 64) ||
        getsockname(s->fd, (struct sockaddr *)&a, &n) || pthread_create(&s->thread, NULL, loop, s))
        abort();
    s->port = ntohs(a.sin_port);
    return s;
}

void tiny_server_stop(struct tiny_server *s)
{
    atomic_store(&s->stop, true);
    pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int tiny_server_port(const struct tiny_server *s)
{
    return s->port;
}

unsigned tiny_server_connections(struct tiny_server *s)
{
    return atomic_load(&s->connections);
}

unsigned tiny_server_witness(struct tiny_server *s)
{
    return atomic_load(&s->witness);
}

void tiny_server_last(struct tiny_server *s, char *out, size_t cap)
{
    pthread_mutex_lock(&s->lock);
    snprintf(out, cap, "%s", s->last);
    pthread_mutex_unlock(&s->lock);
}
