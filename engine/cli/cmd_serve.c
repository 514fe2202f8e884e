/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_serve.c -- serve, check, migrate, version (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>

#include <stdlib.h>
#include <string.h>

int cmd_version(struct args *a)
{
    (void)a;
    printf("faultline %s\n", FL_VERSION);
    return EXIT_FINE;
}

int cmd_serve(struct args *a)
{
    struct fl_config *c = NULL;
    struct fl_err err = {0};
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    fl_status st = fl_daemon_run(c, &err);
    fl_config_free(c);
    return st == FL_OK ? EXIT_FINE : fail_with("serve", &err);
}

/* ---- check ---- */

static void print_problem(void *ctx, const struct fl_err *err)
{
    size_t *n = ctx;
    (*n)++;
    put_text(stdout, err->where[0] ? err->where : "configuration", 0);
    fputs(": ", stdout);
    put_text(stdout, err->text, 0);
    if (err->hint[0]) {
        fputs("; ", stdout);
        put_text(stdout, err->hint, 0);
    }
    fputc('\n', stdout);
}

int cmd_check(struct args *a)
{
    struct fl_config *c = NULL;
    struct fl_sources s;
    size_t problems = 0;
    if (arg_set(a, "test"))
        return cmd_check_test(a);
    if (a->n_pos)
        return usage_error("\"%.64s\": files are given with --test", a->pos[0]);
    int code = load_config(a, &c);
    if (code >= 0)
        return code == EXIT_USAGE ? EXIT_FINDING : code;
    fl_status st = fl_sources_load(c, &s, print_problem, &problems);
    if (st == FL_OK) {
        printf("fine: %zu rule files (%s), %zu playbooks (%s)%s%s\n", s.n_rule_files,
               *s.rules_dir ? s.rules_dir : "built in", s.n_playbooks,
               *s.playbooks_dir ? s.playbooks_dir : "no folder", s.topology ? ", topology " : "",
               s.topology ? c->topology : "");
        fl_sources_done(&s);
    } else {
        printf("%zu problem%s\n", problems, problems == 1 ? "" : "s");
    }
    fl_config_free(c);
    return st == FL_OK ? EXIT_FINE : EXIT_FINDING;
}

/* ---- migrate ---- */

static fl_status migrate(const struct fl_config *c, bool dry, struct fl_migration_report *r,
                         struct fl_err *err)
{
    char data[512], dir[600], conninfo[1024];
    if (c->database && *c->database)
        return fl_migrate(c->database, dry, r, err);
    fl_status st = fl_data_dir(c, data, sizeof data, err);
    if (st != FL_OK)
        return st;
    snprintf(dir, sizeof dir, "%s/postgres", data);
    if (fl_cluster_find(dir, conninfo, sizeof conninfo, NULL) == FL_OK)
        return fl_migrate(conninfo, dry, r, err);
    struct fl_cluster *cluster = NULL; /* no engine runs it: start it for a moment */
    st = fl_cluster_start(dir, &cluster, err);
    if (st == FL_OK)
        st = fl_migrate(fl_cluster_conninfo(cluster), dry, r, err);
    fl_cluster_stop(cluster);
    return st;
}

int cmd_migrate(struct args *a)
{
    struct fl_config *c = NULL;
    struct fl_err err = {0};
    struct fl_migration_report r = {0};
    bool dry = arg_set(a, "status") || arg_set(a, "dry-run");
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    fl_status st = migrate(c, dry, &r, &err);
    fl_config_free(c);
    if (r.text[0])
        fputs(r.text, stdout);
    if (st != FL_OK)
        return fail_with("migrate", &err);
    printf("schema at %d of %d%s\n", r.current, r.latest,
           dry && r.current < r.latest ? "; `faultline migrate` applies the rest" : "");
    return arg_set(a, "status") && r.current < r.latest ? EXIT_FINDING : EXIT_FINE;
}
