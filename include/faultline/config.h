/* SPDX-License-Identifier: GPL-3.0-or-later */
/* include/faultline/config.h -- the one option table: parse, check, dump, help (layer 1). */
#pragma once

#include <faultline/base.h>

struct fl_http_allow_cfg {
    const char *host, *methods;
    int64_t port;
};
struct fl_command_allow_cfg {
    const char *name, *path;
    const char *const *args;     /* NULL-terminated */
    const char *const *patterns; /* NULL-terminated */
};
/** All options of one process; strings owned by `arena`. Defaults in engine/config/options.c. */
struct fl_config {
    struct fl_arena *arena;
    const char *listen;      /* "127.0.0.1:9195" */
    const char *data;        /* private cluster, tokens, heads; "" = XDG data dir / /var/lib/faultline */
    const char *database;    /* "" = private cluster */
    const char *rules_dir, *playbooks_dir, *topology, *model, *worker; /* "" = shipped / none */
    const char *realm;       /* "default" */
    const char *auth;        /* "on" | "off" (loopback only) */
    const char *log_level;   /* debug info warn error */
    int64_t max_body_bytes, max_connections, max_connections_per_address, request_deadline_s;
    int64_t queue_bytes, lag_events, http_threads, snapshot_events;
    fl_usec lease_default, lease_grace;
    int64_t max_workers;
    bool allow_private_targets;
    bool aliases;               /* serve the paths of other products, for migrations */
    const char *grafana_secret; /* "" = signatures are not checked */
    struct fl_http_allow_cfg *http_allow;
    size_t n_http_allow;
    struct fl_command_allow_cfg *commands;
    size_t n_commands;
};
struct fl_option {
    const char *name; /* "listen"; flag --listen, environment FAULTLINE_LISTEN */
    const char *type; /* string, integer, duration, boolean, list */
    const char *dflt, *unit, *help;
    bool reloadable;
};
const struct fl_option *fl_config_options(size_t *ret_n);
FL_MUST_CHECK fl_status fl_config_new(struct fl_config **ret, struct fl_err *err); /* defaults */
struct fl_config *fl_config_free(struct fl_config *c);
/** The JSON that faultline.lua yields. `source` (may be NULL) is the file's text: to name the line of an unknown key. */
FL_MUST_CHECK fl_status fl_config_apply_json(struct fl_config *c, const char *json, size_t n, const char *file,
                                             const char *source, struct fl_err *err);
/** FAULTLINE_<OPTION>; other variables with the prefix are left alone unless they look like a slip. */
FL_MUST_CHECK fl_status fl_config_apply_env(struct fl_config *c, char *const *environ, struct fl_err *err);
/** One flag or variable by option name (log-level and log_level are one); lists as JSON. */
FL_MUST_CHECK fl_status fl_config_set(struct fl_config *c, const char *name, const char *value, struct fl_err *err);
/** Ranges and combinations, after everything was applied (auth=off only on loopback, …). */
FL_MUST_CHECK fl_status fl_config_check(const struct fl_config *c, struct fl_err *err);
/** JSON, every option by name; a database string that may hold a password is shown as "(hidden)". */
void fl_config_dump(const struct fl_config *c, struct fl_buf *out);
/** The parts of "ADDRESS:PORT" or "[ADDRESS]:PORT". @param host at least 64 bytes. */
FL_MUST_CHECK bool fl_config_split_listen(const char *listen, char *host, int64_t *ret_port);
