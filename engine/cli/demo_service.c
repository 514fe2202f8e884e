/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/demo_service.c -- a small real service that breaks and heals; contract in demo_shop.h.
 * One request a connection, one connection at a time: it serves a demo, not a shop. */
#include "demo_shop.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD_MAX = 8192, CLIENT_MS = 2000 };
#define RESTART_TAKES FL_USEC_PER_SEC

struct demo_service {
    int fd, port;
    pthread_t thread;
    atomic_bool stop, broken;
    atomic_llong healthy_at; /* monotonic; a restart takes a second */
    atomic_uint restarts;
};

bool demo_service_healthy(struct demo_service *s)
{
    return !atomic_load(&s->broken) && fl_mono() >= atomic_load(&s->healthy_at);
}

static size_t read_head(int fd, char *buf)
{
    size_t n = 0;
    while (n < HEAD_MAX - 1) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, CLIENT_MS) <= 0)
            return 0;
        ssize_t got = read(fd, buf + n, HEAD_MAX - 1 - n);
        if (got <= 0)
            return 0;
        n += (size_t)got;
        buf[n] = 0;
        if (strstr(buf, "\r\n\r\n"))
            return n;
    }
    return 0;
}

static void answer(int fd, int status, const char *body)
{
    char out[512];
    int n = snprintf(
        out, sizeof out,
        "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        status, status == 200 ? "OK" : "Unavailable", strlen(body), body);
    if (n > 0 && write(fd, out, (size_t)n) < 0)
        return;
}

static void serve(struct demo_service *s, int fd)
{
    char head[HEAD_MAX], body[128];
    if (!read_head(fd, head))
        return;
    if (strncmp(head, "GET /health ", 12) == 0) {
        bool ok = demo_service_healthy(s);
        answer(fd, ok ? 200 : 503, ok ? "{\"status\":\"ok\"}" : "{\"status\":\"out of connections\"}");
    } else if (strncmp(head, "POST /restart ", 14) == 0) {
        unsigned n = atomic_fetch_add(&s->restarts, 1) + 1;
        atomic_store(&s->healthy_at, fl_mono() + RESTART_TAKES);
        atomic_store(&s->broken, false);
        snprintf(body, sizeof body, "{\"restarting\":true,\"restarts\":%u}", n);
        answer(fd, 200, body);
    } else if (strncmp(head, "GET /witness ", 13) == 0) {
        snprintf(body, sizeof body, "{\"restarts\":%u,\"healthy\":%s}", atomic_load(&s->restarts),
                 demo_service_healthy(s) ? "true" : "false");
        answer(fd, 200, body);
    } else {
        answer(fd, 404, "{\"error\":\"GET /health, POST /restart, GET /witness\"}");
    }
}

static void *run(void *arg)
{
    struct demo_service *s = arg;
    while (!atomic_load(&s->stop)) {
        struct pollfd p = {.fd = s->fd, .events = POLLIN};
        if (poll(&p, 1, 100) <= 0)
            continue;
        int fd = accept(s->fd, NULL, NULL);
        if (fd < 0)
            continue;
        serve(s, fd);
        close(fd);
    }
    return NULL;
}

fl_status demo_service_start(int port, struct demo_service **ret, struct fl_err *err)
{
    struct demo_service *s = calloc(1, sizeof *s);
    if (!s)
        return fl_fail(err, FL_E_NOMEM, "demo service", "out of memory");
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int one = 1;
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0 || setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0 ||
        bind(s->fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(s->fd, 16) < 0 ||
        getsockname(s->fd, (struct sockaddr *)&a, &len) < 0) {
        fl_fail(err, FL_E_IO, "demo service", "could not listen on 127.0.0.1:%d: %s", port, strerror(errno));
        fl_hint(err, "another demo may be running; choose another port with --service-port");
        fl_closep(&s->fd);
        free(s);
        return FL_E_IO;
    }
    s->port = ntohs(a.sin_port);
    if (pthread_create(&s->thread, NULL, run, s) != 0) {
        fl_closep(&s->fd);
        free(s);
        return fl_fail(err, FL_E_IO, "demo service", "could not start its thread");
    }
    *ret = s;
    return FL_OK;
}

struct demo_service *demo_service_stop(struct demo_service *s)
{
    if (s) {
        atomic_store(&s->stop, true);
        pthread_join(s->thread, NULL);
        close(s->fd);
        free(s);
    }
    return NULL;
}

int demo_service_port(const struct demo_service *s)
{
    return s->port;
}

void demo_service_break(struct demo_service *s)
{
    atomic_store(&s->broken, true);
}

unsigned demo_service_restarts(struct demo_service *s)
{
    return atomic_load(&s->restarts);
}
