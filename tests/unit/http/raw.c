/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/http/raw.c -- a client that sends exactly the bytes it is told. */
#include "raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

char raw_text[4 << 20];

int raw_open(int port)
{
    struct sockaddr_in sa = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof sa), 0);
    return fd;
}

void raw_send(int fd, const char *bytes, size_t n)
{
    while (n) {
        ssize_t k = send(fd, bytes, n, MSG_NOSIGNAL);
        if (k <= 0)
            return; /* the server cut us: what it said before counts */
        bytes += k;
        n -= (size_t)k;
    }
}

static bool is_whole(size_t n)
{
    const char *end = strstr(raw_text, "\r\n\r\n"), *len = raw_header("Content-Length");
    if (!end)
        return false;
    size_t head = (size_t)(end + 4 - raw_text);
    if (!strncmp(raw_text + 9, "100", 3) || !strncmp(raw_text + 9, "204", 3))
        return !strncmp(raw_text + 9, "204", 3);
    return len && n >= head + strtoul(len, NULL, 10);
}

int raw_read(int fd, int ms, bool *ret_closed)
{
    size_t n = 0;
    bool closed = false;
    raw_text[0] = 0;
    while (n < sizeof raw_text - 1 && (ret_closed || !is_whole(n))) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, ms) <= 0)
            break;
        ssize_t k = recv(fd, raw_text + n, sizeof raw_text - 1 - n, 0);
        if (k <= 0) {
            closed = true;
            break;
        }
        n += (size_t)k;
        raw_text[n] = 0;
    }
    if (ret_closed)
        *ret_closed = closed;
    return !strncmp(raw_text, "HTTP/1.", 7) ? atoi(raw_text + 9) : 0;
}

int raw_ask(int port, const char *request)
{
    int fd = raw_open(port);
    raw_send(fd, request, strlen(request));
    int code = raw_read(fd, 5000, NULL);
    close(fd);
    return code;
}

int raw_request(int port, const char *method, const char *path, const char *token, const char *body)
{
    size_t cap = 4096 + strlen(path) + (body ? strlen(body) : 0);
    char *text = malloc(cap), auth[512] = "";
    assert_non_null(text);
    if (token)
        snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", token);
    if (body)
        snprintf(
            text, cap,
            "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
            method, path, auth, strlen(body), body);
    else
        snprintf(text, cap, "%s %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n", method, path, auth);
    int code = raw_ask(port, text);
    free(text);
    return code;
}

const char *raw_body(void)
{
    const char *end = strstr(raw_text, "\r\n\r\n");
    return end ? end + 4 : "";
}

const char *raw_header(const char *name)
{
    static char value[1024];
    size_t n = strlen(name);
    for (const char *p = strstr(raw_text, "\r\n"); p && strncmp(p, "\r\n\r\n", 4) != 0;
         p = strstr(p + 2, "\r\n"))
        if (!strncasecmp(p + 2, name, n) && p[2 + n] == ':') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(p + 3 + n + strspn(p + 3 + n, " "), "\r"),
                     p + 3 + n + strspn(p + 3 + n, " "));
            return value;
        }
    return NULL;
}
