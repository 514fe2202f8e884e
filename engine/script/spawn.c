/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/spawn.c -- finding, starting and ending the worker; contract in <faultline/script.h>. */
#include <faultline/script.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER "faultline-worker"
#define WORKER_SOCKET 3

static bool found(char *path, char *ret, size_t cap)
{
    if (access(path, X_OK) != 0 || strlen(path) >= cap)
        return false;
    memcpy(ret, path, strlen(path) + 1);
    return true;
}

/* Beside the program, where `make install` puts it, or in the tree the program was built in. */
static bool find_near_program(char *ret, size_t cap)
{
    static const char *const places[] = {
        WORKER,
        "../libexec/faultline/" WORKER,
        "engine/script/" WORKER,
        "../engine/script/" WORKER,
        "../script/" WORKER,
        "../../engine/script/" WORKER,
        "../../../engine/script/" WORKER,
    };
    char exe[4096], path[4352];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0)
        return false;
    exe[n] = 0;
    char *slash = strrchr(exe, '/');
    if (!slash)
        return false;
    *slash = 0;
    for (size_t i = 0; i < FL_ARRAY_LEN(places); i++) {
        snprintf(path, sizeof path, "%s/%s", exe, places[i]);
        if (found(path, ret, cap))
            return true;
    }
    return false;
}

fl_status fl_worker_find(const char *option, char *ret, size_t cap, struct fl_err *err)
{
    const char *named = option && *option ? option : getenv("FAULTLINE_WORKER");
    char path[4096];
    if (named && *named) {
        snprintf(path, sizeof path, "%s", named);
        if (found(path, ret, cap))
            return FL_OK;
        return fl_fail(err, FL_E_NOTFOUND, "worker", "cannot run the worker program \"%s\": %s", named,
                       strerror(errno));
    }
    if (find_near_program(ret, cap))
        return FL_OK;
    fl_fail(err, FL_E_NOTFOUND, "worker", "found no %s beside this program or in ../libexec/faultline",
            WORKER);
    fl_hint(err, "name it with FAULTLINE_WORKER");
    return FL_E_NOTFOUND;
}

/* The child's end must not be one of 0-3, which the file actions overwrite in turn. */
static int move_up(int fd)
{
    int up = fd > WORKER_SOCKET ? fd : fcntl(fd, F_DUPFD_CLOEXEC, WORKER_SOCKET + 1);
    if (up != fd)
        close(fd);
    return up;
}

static int spawn(const char *program, char *const argv[], int theirs, pid_t *ret)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&fa) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&fa);
        return ENOMEM;
    }
    int rc = posix_spawn_file_actions_adddup2(&fa, theirs, WORKER_SOCKET);
    for (int fd = 0; fd < 3 && !rc; fd++)
        rc = posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(&fa, WORKER_SOCKET + 1);
    if (!rc)
        rc = posix_spawnattr_setflags(&attr,
                                      POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!rc)
        rc = posix_spawnattr_setsigmask(&attr, &none);
    if (!rc)
        rc = posix_spawnattr_setsigdefault(&attr, &all);
    static char *const no_environment[] = {NULL};
    if (!rc)
        rc = posix_spawn(ret, program, &fa, &attr, argv, no_environment);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    return rc;
}

fl_status fl_worker_start(const char *program, const struct fl_worker_limits *l, struct fl_worker *ret,
                          struct fl_err *err)
{
    char numbers[4][24];
    snprintf(numbers[0], sizeof numbers[0], "%zu", l->memory_bytes);
    snprintf(numbers[1], sizeof numbers[1], "%u", l->cpu_seconds);
    snprintf(numbers[2], sizeof numbers[2], "%zu", l->frame_bytes);
    snprintf(numbers[3], sizeof numbers[3], "%u", l->depth);
    char name[] = WORKER;
    char *argv[] = {name, numbers[0], numbers[1], numbers[2], numbers[3], NULL};
    int sv[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) != 0)
        return fl_fail(err, FL_E_IO, "worker", "could not make a socket pair: %s", strerror(errno));
    FL_AUTO_FD ours = sv[0];
    FL_AUTO_FD theirs = move_up(sv[1]);
    if (theirs < 0 || fcntl(ours, F_SETFL, O_NONBLOCK) != 0)
        return fl_fail(err, FL_E_IO, "worker", "could not set up the socket: %s", strerror(errno));
    pid_t pid;
    int rc = spawn(program, argv, theirs, &pid);
    if (rc)
        return fl_fail(err, FL_E_IO, "worker", "could not start \"%s\": %s", program, strerror(rc));
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        int e = errno;
        struct fl_worker w = {.pid = pid, .pidfd = -1, .fd = -1};
        fl_worker_kill(&w);
        return fl_fail(err, FL_E_IO, "worker", "pidfd_open: %s", strerror(e));
    }
    *ret = (struct fl_worker){.pid = pid, .pidfd = pidfd, .fd = ours};
    ours = -1;
    return FL_OK;
}

void fl_worker_kill(struct fl_worker *w)
{
    if (w->pid > 0) {
        /* Its own session, and no way to fork: the group is the process. */
        kill(-w->pid, SIGKILL);
        kill(w->pid, SIGKILL);
        while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    fl_closep(&w->fd);
    fl_closep(&w->pidfd);
    w->pid = -1;
}
