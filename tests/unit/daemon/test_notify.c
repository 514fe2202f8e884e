/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon_priv.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static int listen_at(const char *path, bool abstract)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    snprintf(sa.sun_path, sizeof sa.sun_path, "%s", path);
    if (abstract)
        sa.sun_path[0] = 0;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + !abstract);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

static void arrives(void **state)
{
    (void)state;
    char path[100], got[64] = "";
    for (int abstract = 0; abstract < 2; abstract++) {
        snprintf(path, sizeof path, "%s/fl-notify-%d", abstract ? "@tmp" : "/tmp", (int)getpid());
        int fd = listen_at(path, abstract);
        setenv("NOTIFY_SOCKET", path, 1);
        notify("READY=1");
        assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), 7);
        assert_memory_equal(got, "READY=1", 7);
        close(fd);
        unlink(path);
    }
}

static void no_socket_no_harm(void **state)
{
    (void)state;
    char longest[300];
    memset(longest, 'x', sizeof longest - 1);
    longest[0] = '/';
    longest[sizeof longest - 1] = 0;
    unsetenv("NOTIFY_SOCKET");
    notify("READY=1");
    setenv("NOTIFY_SOCKET", longest, 1);
    notify("READY=1");
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify("READY=1");
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    notify("READY=1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(arrives), cmocka_unit_test(no_socket_no_harm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
