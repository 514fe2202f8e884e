/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Requests that two parsers read differently: one answer, then the connection is closed. */
#include "fake_store.h"
#include "raw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct fl_http *h;
static int port;
static const char *token;

struct attack {
    const char *name, *text; /* %s is the token */
    int code;
};
#define HEAD \
    "POST /api/v2/alerts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"
#define SMUGGLED "GET /api/v1/tokens HTTP/1.1\r\nHost: x\r\n\r\n"
static const struct attack attacks[] = {
    {"two lengths", HEAD "Content-Length: 2\r\nContent-Length: 40\r\n\r\n[]" SMUGGLED, 400},
    {"two lengths, the same", HEAD "Content-Length: 2\r\nContent-Length: 2\r\n\r\n[]" SMUGGLED, 400},
    {"length list", HEAD "Content-Length: 2, 2\r\n\r\n[]" SMUGGLED, 400},
    {"length with sign", HEAD "Content-Length: +2\r\n\r\n[]", 400},
    {"negative length", HEAD "Content-Length: -1\r\n\r\n[]", 400},
    {"length in hex", HEAD "Content-Length: 0x2\r\n\r\n[]", 400},
    {"huge length", HEAD "Content-Length: 99999999999999999999999\r\n\r\n[]", 413},
    {"length and chunked", HEAD "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
     400},
    {"chunked and length", HEAD "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" SMUGGLED,
     400},
    {"unknown coding", HEAD "Transfer-Encoding: fancy\r\n\r\n[]" SMUGGLED, 400},
    {"coding list", HEAD "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
    {"two codings",
     HEAD "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
    {"chunked with a tab", HEAD "Transfer-Encoding:\tchunked\x0b\r\n\r\n0\r\n\r\n" SMUGGLED, 400},
    {"space before the colon", HEAD "Content-Length : 2\r\n\r\n[]" SMUGGLED, 400},
    {"two hosts", HEAD "Host: y\r\nContent-Length: 2\r\n\r\n[]", 400},
    {"two authorizations", HEAD "Authorization: Bearer x\r\nContent-Length: 2\r\n\r\n[]", 400},
    {"two types", HEAD "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n[]", 400},
    {"no host", "GET /-/healthy HTTP/1.1\r\nX: %s\r\n\r\n", 400},
    {"NUL in the path", "GET /api/v1/incidents/%%00 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n",
     400},
    {"NUL in the query",
     "GET /api/v1/incidents?state=a%%00b HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", 400},
    {"bad escape", "GET /api/v1/incidents/%%zz HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", 400},
    {"cut escape", "GET /api/v1/incidents/%%4 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", 400},
    {"bytes that are no UTF-8",
     "GET /api/v1/incidents/%%ff HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", 400},
    {"absolute form", "GET http://x/-/healthy HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", 400},
    {"body with GET", "GET /-/healthy HTTP/1.1\r\nHost: x\r\nX: %s\r\nContent-Length: 43\r\n\r\n" SMUGGLED,
     400},
    {"chunks with GET",
     "GET /-/healthy HTTP/1.1\r\nHost: x\r\nX: %s\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" SMUGGLED,
     400},
    {"chunks in HTTP/1.0",
     "POST /api/v2/alerts HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n",
     400},
    {"compressed", HEAD "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]", 415},
    {"no length", HEAD "\r\n", 411},
    {"too long, announced", HEAD "Content-Length: 2000000\r\n\r\n[", 413},
    {"unknown path with a body",
     "POST /nowhere HTTP/1.1\r\nHost: x\r\nX: %s\r\nContent-Length: 43\r\n\r\n" SMUGGLED, 404},
    {"wrong method with a body",
     "PUT /api/v2/alerts HTTP/1.1\r\nHost: x\r\nX: %s\r\nContent-Length: 43\r\n\r\n" SMUGGLED, 405},
};

static size_t count(const char *needle)
{
    size_t n = 0;
    for (const char *p = strstr(raw_text, needle); p; p = strstr(p + 1, needle))
        n++;
    return n;
}

static void each_attack(void **state)
{
    (void)state;
    for (size_t i = 0; i < FL_ARRAY_LEN(attacks); i++) {
        char text[2048];
        bool closed;
        size_t before = fake_submissions();
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, attacks[i].text, token);
#pragma GCC diagnostic pop
        int fd = raw_open(port);
        raw_send(fd, text, strlen(text));
        int code = raw_read(fd, 3000, &closed);
        close(fd);
        if (code != attacks[i].code)
            fail_msg("%s: %d, not %d\n%s", attacks[i].name, code, attacks[i].code, raw_text);
        /* libmicrohttpd 0.9.75 writes the head of its own 400 twice; what matters: the same refusal, nothing else. */
        char same[32];
        snprintf(same, sizeof same, "HTTP/1.1 %d ", attacks[i].code);
        if (count("HTTP/1.1 ") != count(same))
            fail_msg("%s: another answer came, too\n%s", attacks[i].name, raw_text);
        if (!closed && strstr(text, SMUGGLED))
            fail_msg("%s: the connection stays open", attacks[i].name);
        assert_int_equal(fake_submissions(), before);
        assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
    }
}

static void big_headers(void **state)
{
    (void)state;
    static char text[80000];
    int n = snprintf(text, sizeof text, "GET /-/healthy HTTP/1.1\r\nHost: x\r\nX: ");
    memset(text + n, 'a', 60000);
    memcpy(text + n + 60000, "\r\n\r\n", 5);
    int code = raw_ask(port, text);
    assert_true(code == 431 || code == 0);
    n = snprintf(text, sizeof text, "GET /");
    memset(text + n, 'a', 60000);
    memcpy(text + n + 60000, " HTTP/1.1\r\nHost: x\r\n\r\n", 23);
    code = raw_ask(port, text);
    assert_true(code == 414 || code == 431 || code == 0);
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
}

static void pipelining_still_works(void **state)
{
    (void)state;
    static const char text[] =
        "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\nGET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    bool closed;
    int fd = raw_open(port);
    raw_send(fd, text, strlen(text));
    assert_int_equal(raw_read(fd, 3000, &closed), 200);
    close(fd);
    assert_int_equal(count("HTTP/1.1 200"), 2);
}

static void garbage(void **state)
{
    (void)state;
    unsigned seed = 7;
    for (int i = 0; i < 300; i++) {
        char text[512];
        size_t n = 1 + (size_t)rand_r(&seed) % (sizeof text - 1);
        for (size_t k = 0; k < n; k++)
            text[k] = (char)rand_r(&seed);
        if (i % 3 == 0)
            memcpy(text, "GET / HTTP/1.1\r\n", n < 16 ? n : 16);
        int fd = raw_open(port);
        raw_send(fd, text, n);
        close(fd);
    }
    assert_int_equal(raw_request(port, "GET", "/-/healthy", NULL, NULL), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_attack),
        cmocka_unit_test(big_headers),
        cmocka_unit_test(pipelining_still_works),
        cmocka_unit_test(garbage),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    fake_reset();
    token = fake_token("t", FL_ROLE_ADMIN, 0, 0);
    h = fake_server("on", 5, 1 << 20, 400);
    port = fl_http_port(h);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    fake_server_stop(h);
    return failed;
}
