/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Compiled into a worker of its own: tries one thing natively, after the limits and the filter are in force, as
 * if a script had taken the process over. Exit code 42 = it worked, 41 = the kernel only said no. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

void worker_probe(const char *what);

static long try(const char *what)
{
    char byte = 'x';
    char *const argv[] = {"/bin/true", NULL}, *const env[] = {NULL};
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    if (strcmp(what, "nothing") == 0)
        return 0;
    if (strcmp(what, "heap") == 0)
        return malloc(8u << 20) ? 0 : -1;
    if (strcmp(what, "heap_past_the_limit") == 0)
        return malloc(1u << 30) ? 0 : -1;
    if (strcmp(what, "socket") == 0)
        return socket(AF_INET, SOCK_STREAM, 0);
    if (strcmp(what, "unix_socket") == 0)
        return socket(AF_UNIX, SOCK_STREAM, 0);
    if (strcmp(what, "open") == 0)
        return syscall(SYS_open, "/etc/passwd", O_RDONLY);
    if (strcmp(what, "openat") == 0)
        return syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY);
    if (strcmp(what, "execve") == 0)
        return execve(argv[0], argv, env);
    if (strcmp(what, "fork") == 0)
        return fork();
    if (strcmp(what, "vfork") == 0)
        return syscall(SYS_vfork);
    if (strcmp(what, "kill") == 0)
        return kill(getppid(), 0);
    if (strcmp(what, "getpid") == 0)
        return syscall(SYS_getpid);
    if (strcmp(what, "ptrace") == 0)
        return ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    if (strcmp(what, "write_elsewhere") == 0)
        return write(1, &byte, 1);
    if (strcmp(what, "read_elsewhere") == 0)
        return read(0, &byte, 1);
    if (strcmp(what, "dup") == 0)
        return dup(3);
    if (strcmp(what, "close_the_socket") == 0)
        return close(3);
    if (strcmp(what, "sendmsg") == 0)
        return send(3, &byte, 1, 0);
    if (strcmp(what, "mmap_exec") == 0)
        return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1
                                                                                                         : 0;
    if (strcmp(what, "mprotect_exec") == 0) {
        void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return mprotect(p, 4096, PROT_READ | PROT_EXEC);
    }
    if (strcmp(what, "prlimit") == 0)
        return setrlimit(RLIMIT_AS, &more);
    if (strcmp(what, "memfd") == 0)
        return syscall(SYS_memfd_create, "x", 0);
    if (strcmp(what, "io_uring") == 0)
        return syscall(SYS_io_uring_setup, 1, NULL);
    if (strcmp(what, "x32") == 0)
        return syscall(0x40000000 | SYS_getpid);
    return -2;
}

void worker_probe(const char *what)
{
    long rc = try(what);
    _exit(rc == -2 ? 40 : rc < 0 ? 41 : 42);
}
