/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/database.c -- the database of --data or --database, without asking the engine (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>

#include <string.h>

int find_database(const struct args *a, struct fl_config **ret_config, char *conninfo, size_t cap)
{
    struct fl_err err = {0};
    char data[512], dir[600];
    int code = load_config(a, ret_config);
    if (code >= 0)
        return code;
    const struct fl_config *c = *ret_config;
    if (c->database && *c->database) {
        snprintf(conninfo, cap, "%s", c->database);
        return 0;
    }
    fl_status st = fl_data_dir(c, data, sizeof data, &err);
    if (st == FL_OK) {
        snprintf(dir, sizeof dir, "%s/postgres", data);
        st = fl_cluster_find(dir, conninfo, cap, &err);
    }
    if (st == FL_OK)
        return 0;
    *ret_config = fl_config_free(*ret_config);
    fail_with("database", &err);
    return EXIT_UNREACHABLE;
}
