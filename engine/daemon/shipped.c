/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/shipped.c -- where the rules and playbooks that came with this program lie (layer 6). */
#include <faultline/daemon.h>

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A program that was not installed yet belongs to the sources it was built from, whatever is installed beside it. */
static bool in_build_tree(const char *program)
{
    static const char tree[] = FL_BUILD_DIR "/";
    return !strncmp(program, tree, sizeof tree - 1);
}

bool fl_shipped_dir(const char *what, char *ret, size_t cap)
{
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    program[n > 0 ? n : 0] = 0;
    const char *slash = strrchr(program, '/');
    int at = slash ? (int)(slash - program) : 0, len = -1;
    if (in_build_tree(program)) {
        len = snprintf(ret, cap, FL_TREE_DIR "/%s", what);
        if (len > 0 && (size_t)len < cap && is_dir(ret))
            return true;
    }
    if (slash) {
        len = snprintf(ret, cap, "%.*s/../share/faultline/%s", at, program, what);
        if (len > 0 && (size_t)len < cap && is_dir(ret))
            return true;
    }
    len = snprintf(ret, cap, FL_SHARE_DIR "/%s", what);
    if (len > 0 && (size_t)len < cap && is_dir(ret))
        return true;
    if (cap)
        ret[0] = 0;
    return false;
}
