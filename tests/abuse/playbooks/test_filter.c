/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The walls behind Lua: native code inside the worker cannot leave it. And what a fresh worker inherits. */
#include <faultline/script.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static int probe(const char *what)
{
    char program[] = FL_PROBE, memory[] = "33554432", cpu[] = "1", frame[] = "65536", depth[] = "32",
         name[64];
    snprintf(name, sizeof name, "%s", what);
    char *argv[] = {program, memory, cpu, frame, depth, name, NULL}, *env[] = {NULL};
    pid_t pid;
    int status = 0;
    assert_int_equal(posix_spawn(&pid, program, NULL, NULL, argv, env), 0);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void forbidden_calls_end_the_process(void **state)
{
    (void)state;
    static const char *const calls[] = {
        "socket",
        "unix_socket",
        "open",
        "openat",
        "execve",
        "fork",
        "vfork",
        "kill",
        "getpid",
        "ptrace",
        "write_elsewhere",
        "read_elsewhere",
        "dup",
        "close_the_socket",
        "sendmsg",
        "mmap_exec",
        "mprotect_exec",
        "prlimit",
        "memfd",
        "io_uring",
        "x32",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(calls); i++) {
        int status = probe(calls[i]);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: not ended by the filter, wait status %#x", calls[i], (unsigned)status);
        if (WCOREDUMP(status))
            fail_msg("%s: left a core", calls[i]);
    }
}

static void the_probe_itself_works(void **state)
{
    (void)state;
    assert_int_equal(WEXITSTATUS(probe("nothing")), 42);
    assert_int_equal(WEXITSTATUS(probe("heap")), 42);
    assert_int_equal(WEXITSTATUS(probe("heap_past_the_limit")), 41);
    assert_int_equal(WEXITSTATUS(probe("no such probe")), 40);
}

static void read_proc(int pid, const char *file, char *out, size_t cap)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
    FILE *f = fopen(path, "re");
    out[0] = 0;
    if (!f)
        return;
    size_t n = fread(out, 1, cap - 1, f);
    out[n] = 0;
    fclose(f);
}

/* Not dumpable makes /proc/PID belong to root: as another user the kernel hides even the status' neighbours. */
static void a_fresh_worker_has_nothing(void **state)
{
    (void)state;
    const struct fl_worker_limits l = FL_WORKER_LIMITS;
    struct fl_worker w;
    char text[8192] = "";
    setenv("SECRET", "hunter2", 1);
    assert_int_equal(fl_worker_start(FL_WORKER, &l, &w, NULL), FL_OK);
    /* The filter is the last wall put up: wait for it. */
    for (int i = 0; i < 5000 && !strstr(text, "Seccomp:\t2"); i++) {
        read_proc(w.pid, "status", text, sizeof text);
        usleep(1000);
    }
    assert_non_null(strstr(text, "Seccomp:\t2"));
    assert_non_null(strstr(text, "NoNewPrivs:\t1"));
    assert_non_null(strstr(text, "Threads:\t1"));
    assert_int_equal(getsid(w.pid), w.pid);
    assert_int_equal(getpgid(w.pid), w.pid);
    read_proc(w.pid, "limits", text, sizeof text);
    assert_non_null(strstr(text, "Max file size             0                    0 "));
    assert_non_null(strstr(text, "Max core file size        0                    0 "));
    assert_non_null(strstr(text, "Max processes             0                    0 "));
    assert_non_null(strstr(text, "Max open files            4                    4 "));
    assert_non_null(strstr(text, "Max cpu time              11                   12 "));
    if (geteuid() == 0) {
        read_proc(w.pid, "environ", text, sizeof text);
        assert_string_equal(text, "");
        for (int fd = 0; fd < 64; fd++) {
            char path[64], target[256];
            snprintf(path, sizeof path, "/proc/%d/fd/%d", w.pid, fd);
            ssize_t n = readlink(path, target, sizeof target - 1);
            target[n > 0 ? n : 0] = 0;
            if (fd < 3)
                assert_string_equal(target, "/dev/null");
            else if (fd == 3)
                assert_ptr_equal(strstr(target, "socket:"), target);
            else
                assert_int_equal(n, -1);
        }
    } else {
        printf("not root: environment and descriptors of a process that is not dumpable cannot be read\n");
    }
    int pid = w.pid;
    fl_worker_kill(&w);
    fl_worker_kill(&w);
    assert_int_equal(kill(pid, 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_probe_itself_works),
        cmocka_unit_test(forbidden_calls_end_the_process),
        cmocka_unit_test(a_fresh_worker_has_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
