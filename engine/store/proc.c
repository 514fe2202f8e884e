/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/proc.c -- accounts, programs and process identities; contract in cluster_priv.h. */
#include "cluster_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

fl_status fl_account_find(struct fl_account *ret, struct fl_err *err)
{
    struct passwd pw, *found = NULL;
    char buf[4096];
    *ret = (struct fl_account){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0)
        return FL_OK;
    /* initdb and postgres refuse to run as root. */
    if (getpwnam_r("postgres", &pw, buf, sizeof buf, &found) != 0 || !found) {
        fl_fail(err, FL_E_UNAVAILABLE, "postgres", "no user \"postgres\" to run the private database as");
        fl_hint(err, "install the package postgresql, or give --database");
        return FL_E_UNAVAILABLE;
    }
    ret->uid = pw.pw_uid;
    ret->gid = pw.pw_gid;
    ret->change = true;
    snprintf(ret->name, sizeof ret->name, "%s", pw.pw_name);
    return FL_OK;
}

static bool has_postgres(const char *dir)
{
    char path[600];
    snprintf(path, sizeof path, "%s/postgres", dir);
    if (access(path, X_OK) != 0)
        return false;
    snprintf(path, sizeof path, "%s/initdb", dir);
    return access(path, X_OK) == 0;
}

static bool from_pg_config(char *ret, size_t cap)
{
    FILE *f = popen("pg_config --bindir 2>/dev/null", "re");
    if (!f)
        return false;
    bool ok = fgets(ret, (int)cap, f) != NULL;
    ret[strcspn(ret, "\n")] = '\0';
    pclose(f);
    return ok && has_postgres(ret);
}

fl_status fl_pg_bindir(const char *version, char *ret, size_t cap, struct fl_err *err)
{
    static const char root[] = "/usr/lib/postgresql";
    char path[512];
    if (version) {
        snprintf(path, sizeof path, "%s/%.20s/bin", root, version);
        if (has_postgres(path)) {
            snprintf(ret, cap, "%s", path);
            return FL_OK;
        }
    }
    if (from_pg_config(path, sizeof path)) {
        snprintf(ret, cap, "%s", path);
        return FL_OK;
    }
    DIR *d = opendir(root);
    long best = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        long v = strtol(e->d_name, NULL, 10);
        snprintf(path, sizeof path, "%s/%.64s/bin", root, e->d_name);
        if (v > best && has_postgres(path)) {
            best = v;
            snprintf(ret, cap, "%s", path);
        }
    }
    if (d)
        closedir(d);
    if (best)
        return FL_OK;
    fl_fail(err, FL_E_UNAVAILABLE, "postgres", "no PostgreSQL server programs found");
    fl_hint(err, "install the package postgresql, or give --database");
    return FL_E_UNAVAILABLE;
}

/* Between fork and exec: nothing but system calls. */
static _Noreturn void become(const struct fl_account *a, const char *const *argv, char *const *env, int log)
{
    setsid(); /* a Ctrl-C at the terminal is for us, not for the database */
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(126);
    if (a->change && (setgroups(1, &a->gid) != 0 || setgid(a->gid) != 0 || setuid(a->uid) != 0))
        _exit(126);
    if (chdir("/") != 0)
        _exit(126);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL); /* our threads block signals; the server must not inherit that */
    execve(argv[0], (char *const *)(uintptr_t)argv, env);
    _exit(127);
}

fl_status fl_spawn_as(const struct fl_account *a, const char *const *argv, const char *log, pid_t *ret,
                      struct fl_err *err)
{
    static char *const env[] = {"LC_ALL=C.UTF-8", "TZ=UTC", "PATH=/usr/bin:/bin", NULL};
    FL_AUTO_FD fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0)
        return fl_fail(err, FL_E_IO, log, "could not open the log: %s", strerror(errno));
    pid_t pid = fork();
    if (pid < 0)
        return fl_fail(err, FL_E_IO, argv[0], "could not fork: %s", strerror(errno));
    if (pid == 0)
        become(a, argv, env, fd);
    *ret = pid;
    return FL_OK;
}

fl_status fl_spawn_wait(pid_t pid, int *ret_code, struct fl_err *err)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return fl_fail(err, FL_E_IO, "waitpid", "could not wait for process %d: %s", (int)pid,
                           strerror(errno));
    *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return FL_OK;
}

/* State letter and start time from /proc/PID/stat; the name in brackets may hold anything. */
static bool read_stat(pid_t pid, char *state, unsigned long long *start)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FL_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    const char *p = strrchr(text, ')');
    return p &&
           sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
                  state, start) == 2;
}

bool fl_pid_runs(pid_t pid)
{
    char state;
    unsigned long long start;
    return pid > 0 && read_stat(pid, &state, &start) && state != 'Z' && state != 'X';
}

static void host_identity(char *out, size_t cap)
{
    char boot[64] = "", ns[64] = "";
    FL_AUTO_FD fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, boot, sizeof boot - 1);
    boot[n > 0 ? n : 0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
    n = readlink("/proc/self/ns/pid", ns, sizeof ns - 1);
    ns[n > 0 ? n : 0] = '\0';
    snprintf(out, cap, "%s/%s", boot, ns);
}

void fl_pid_identity(pid_t pid, char *out, size_t cap)
{
    char host[160], state;
    unsigned long long start;
    out[0] = '\0';
    if (!fl_pid_runs(pid) || !read_stat(pid, &state, &start))
        return;
    host_identity(host, sizeof host);
    snprintf(out, cap, "%s/%d/%llu", host, (int)pid, start);
}

bool fl_pid_identity_dead(const char *identity)
{
    char host[160], now[256];
    host_identity(host, sizeof host);
    size_t n = strlen(host);
    if (strncmp(identity, host, n) != 0 || identity[n] != '/')
        return false; /* another host, boot or container: we cannot know */
    fl_pid_identity((pid_t)strtol(identity + n + 1, NULL, 10), now, sizeof now);
    return strcmp(now, identity) != 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

void fl_remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
