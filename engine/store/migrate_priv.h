/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/migrate_priv.h -- the migrations embedded at build time (embed.cmake writes the array). */
#pragma once

#include <faultline/store.h>

struct fl_migration {
    int version;
    const char *name, *sql;
    size_t n;
};
extern const struct fl_migration fl_migrations[];
extern const size_t fl_n_migrations;

/** fl_migrate with another list (tests: a changed text, a newer schema). */
FL_MUST_CHECK fl_status fl_migrate_known(const char *conninfo, bool dry_run, const struct fl_migration *known,
                                         size_t n_known, struct fl_migration_report *ret, struct fl_err *err);
