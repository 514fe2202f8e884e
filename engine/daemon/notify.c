/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/notify.c -- sd_notify in forty lines: libsystemd would pull five libraries in (layer 6). */
#include "daemon_priv.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || strlen(path) >= sizeof sa.sun_path)
        return;
    size_t n = strlen(path);
    memcpy(sa.sun_path, path, n + 1);
    if (path[0] == '@')
        sa.sun_path[0] = 0; /* abstract name space */
    FL_AUTO_FD fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (path[0] == '/'));
    if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&sa, len) < 0)
        fl_log(FL_LOG_DEBUG, "daemon", "NOTIFY_SOCKET did not take \"%s\"", text);
}
