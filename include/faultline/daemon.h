/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/daemon.h -- start and stop order, threads, signals; where its inputs lie (layer 6). */
#pragma once

#include <faultline/config.h>

/** Run until SIGTERM or SIGINT. @return FL_OK after a clean stop; else why it could not start or go on. */
FL_MUST_CHECK fl_status fl_daemon_run(const struct fl_config *c, struct fl_err *err);

/** The data directory: the option, else /var/lib/faultline for root, else $XDG_DATA_HOME/faultline or
 *  ~/.local/share/faultline. */
FL_MUST_CHECK fl_status fl_data_dir(const struct fl_config *c, char *ret, size_t cap, struct fl_err *err);

/** Folder `what` ("rules", "playbooks") that came with this program: of its sources when it runs from a build tree, else
 *  <program's folder>/../share/faultline, else the installed data directory. @return false: none, *ret is "". */
bool fl_shipped_dir(const char *what, char *ret, size_t cap);

/** Body of a FL_EV_CONFIG, canonical (sorted keys), from rule and playbook files. */
struct fl_sources {
    char *config; /* {"rules":…,"playbooks":[…],"model":…} */
    size_t config_n;
    struct fl_sha256 hash;
    char *topology; /* the file's text, NULL when none is configured */
    size_t topology_n;
    size_t n_rule_files, n_playbooks;
    char rules_dir[1024], playbooks_dir[1024]; /* in force; "": the rules built in, no playbooks */
};
/**
 * Read and check rules, playbooks, model and topology. Every problem is reported, then FL_E_USAGE comes back.
 * Runs each Lua file once in a worker process; no database, no graph.
 */
FL_MUST_CHECK fl_status fl_sources_load(const struct fl_config *c, struct fl_sources *ret,
                                        void (*problem)(void *ctx, const struct fl_err *err), void *ctx);
void fl_sources_done(struct fl_sources *s);
/** Whole file into memory, at most `max` bytes, NUL terminated. malloc()ed. */
FL_MUST_CHECK fl_status fl_read_file(const char *path, size_t max, char **ret, size_t *ret_n,
                                     struct fl_err *err);
