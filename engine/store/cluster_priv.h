/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/cluster_priv.h -- what the cluster's files share, and the throw-away form for tests. */
#pragma once

#include <faultline/store.h>

#include <sys/types.h>

/** As fl_cluster_start; durable = false turns fsync off: only for data nobody will miss. */
FL_MUST_CHECK fl_status fl_cluster_start_as(const char *dir, bool durable, struct fl_cluster **ret,
                                            struct fl_err *err);
/** Process id of the postmaster (tests kill it). */
pid_t fl_cluster_pid(const struct fl_cluster *c);

/* ---- proc.c: programs run as the account that may run PostgreSQL ------------------------------------------- */

struct fl_account {
    uid_t uid;
    gid_t gid;
    bool change; /* we are root and have to become it */
    char name[64];
};
FL_MUST_CHECK fl_status fl_account_find(struct fl_account *ret, struct fl_err *err);
/** Folder of initdb and postgres. `version`: major version wanted, or NULL. */
FL_MUST_CHECK fl_status fl_pg_bindir(const char *version, char *ret, size_t cap, struct fl_err *err);
/** Start argv[0] as the account, output appended to `log`; a session of its own. */
FL_MUST_CHECK fl_status fl_spawn_as(const struct fl_account *a, const char *const *argv, const char *log,
                                    pid_t *ret, struct fl_err *err);
/** Wait for its end; *ret_code = exit code, 128 + signal when killed. */
FL_MUST_CHECK fl_status fl_spawn_wait(pid_t pid, int *ret_code, struct fl_err *err);
/** True when pid runs (a zombie does not). */
bool fl_pid_runs(pid_t pid);
/** "boot id/pid name space/pid/start time" of a process: never the same twice. Empty when it does not run. */
void fl_pid_identity(pid_t pid, char *out, size_t cap);
/** True when `identity` names a process of this host and name space that is gone. */
bool fl_pid_identity_dead(const char *identity);
/** Remove a folder and what is in it. */
void fl_remove_tree(const char *path);
