/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cli.h -- what the subcommands share: the table, arguments, the client, printing (layer 6). */
#pragma once

#include <faultline/config.h>
#include <faultline/json.h>
#include <faultline/store.h>

#include <stdio.h>

/* Exit codes: a contract (DESIGN.md §4). */
enum { EXIT_FINE = 0, EXIT_FINDING = 1, EXIT_USAGE = 2, EXIT_UNREACHABLE = 3, EXIT_REFUSED = 4 };

/* ---- the table ---- */

struct option_def {
    const char *name;  /* "incident": --incident */
    const char *value; /* "ID"; NULL: a switch */
    const char *help;
};
enum { VALUES_MAX = 32, POSITIONALS_MAX = 64 };
struct args {
    const struct command *command;
    const char *value[VALUES_MAX]; /* by place in command->options, then in the common ones */
    const char *pos[POSITIONALS_MAX];
    size_t n_pos;
    bool json, junit;
};
struct command {
    const char *path; /* "incident show" */
    const char *pos;  /* "ID": its positional arguments, for the help; NULL: none */
    size_t min_pos, max_pos;
    unsigned flags;                   /* CMD_* */
    const struct option_def *options; /* ends with a NULL name */
    int (*run)(struct args *a);
    int (*raw)(int argc, char **argv); /* parses its own arguments; argv[0] is the last word of the path */
    const char *help;                  /* one line */
};
enum {
    CMD_CLIENT = 1, /* talks to a server: --server, --token-file */
    CMD_CONFIG = 2, /* takes every option of the configuration table, and --config */
    CMD_HIDDEN = 4,
    CMD_JUNIT = 8, /* -o junit too */
};
extern const struct command commands[];
extern const size_t n_commands;

/* args.c */
/* @return -1 to go on, else the exit code. */
int args_parse(const struct command *c, int argc, char **argv, struct args *ret);
const char *arg(const struct args *a, const char *name); /* NULL when not given */
bool arg_set(const struct args *a, const char *name);
void print_help(FILE *f, const struct command *c);
void print_overview(FILE *f);
/* Configuration: file, then environment, then flags; checked. @return -1 to go on. */
int load_config(const struct args *a, struct fl_config **ret);
/* Was this option of the configuration table given on the command line? */
bool config_given(const char *name);
/* "what: value: why; next step" on stderr. @return the exit code for the status. */
int fail_with(const char *what, const struct fl_err *err);
int usage_error(const char *fmt, ...) FL_PRINTF(1, 2);

/* client.c */
struct reply {
    long code;
    struct fl_buf body;
    struct fl_json *json; /* NULL when the body is no JSON */
    bool late;            /* the engine was reached and did not answer in time */
};
/* One request. Failures are printed. @return 0, or the exit code. `ret` may be NULL. */
int call_server(const struct args *a, const char *method, const char *path, const char *body, size_t n,
                struct reply *ret);
/* The same, without a word on failure: for callers that try again or ask only whether it worked. */
int try_server(const struct args *a, const char *method, const char *path, const char *body, size_t n,
               struct reply *ret);
void reply_done(struct reply *r);
#define AUTO_REPLY __attribute__((cleanup(reply_done))) struct reply
/* Text for a path or query: percent-encoded into out. */
void url_add(struct fl_buf *out, const char *text);
/* "?k=v&…" from pairs; NULL values are left out. */
void url_query(struct fl_buf *out, const char *const *pairs);

/* database.c: without a server */
/* Where the database of --data / --database is. @return 0 or the exit code. */
int find_database(const struct args *a, struct fl_config **ret_config, char *conninfo, size_t cap);

/* print.c */
/* Text for a terminal: control characters are shown as '?', cut to `width` columns when > 0 (… at the end). */
void put_text(FILE *f, const char *s, int width);
void put_padded(FILE *f, const char *s, int width);
struct column {
    const char *title, *key; /* key: member of each element; "a|b": the first that is there */
    int width;               /* at most; 0: as it comes (last column) */
    char kind;               /* 's' text, 't' time, 'a' age, 'p' per cent, 'n' number */
};
void print_table(const struct fl_json *list, const struct column *columns, size_t n);
/* The list of an answer: itself, or its member `key`. */
const struct fl_json *list_of(const struct fl_json *doc, const char *key);
const char *cell(const struct fl_json *row, const struct column *c, char *buf, size_t cap);
/* "3 min ago" */
char *format_age(const char *rfc3339, char *buf, size_t cap);
char *format_clock(const char *rfc3339, char *buf, size_t cap); /* 09:41:07, with the date when not today */
void print_json(const struct fl_buf *body);
bool use_colour(void);

/* Commands: each answers with the exit code. */
int cmd_serve(struct args *a);
int cmd_check(struct args *a);
int cmd_check_test(struct args *a); /* check --test */
int cmd_migrate(struct args *a);
int cmd_doctor(struct args *a);
int cmd_version(struct args *a);
int cmd_alert_list(struct args *a);
int cmd_alert_send(struct args *a);
int cmd_alert_stats(struct args *a);
int cmd_silence_add(struct args *a);
int cmd_silence_list(struct args *a);
int cmd_silence_expire(struct args *a);
int cmd_quiet_show(struct args *a); /* silence show, maintenance show */
int cmd_maintenance_add(struct args *a);
int cmd_maintenance_list(struct args *a);
int cmd_maintenance_end(struct args *a);
int cmd_deadletter_list(struct args *a);
int cmd_deadletter_show(struct args *a);
int cmd_deadletter_retry(struct args *a);
int cmd_deadletter_drop(struct args *a);
int cmd_incident_list(struct args *a);
int cmd_incident_show(struct args *a);
int cmd_incident_export(struct args *a);
int cmd_incident_do(struct args *a); /* ack, assign, … */
int cmd_incident_report(struct args *a);
int cmd_topology_import(struct args *a);
int cmd_topology_export(struct args *a);
int cmd_topology_show(struct args *a);
int cmd_topology_impact(struct args *a);
int cmd_topology_path(struct args *a);
int cmd_topology_history(struct args *a);
int cmd_playbook_list(struct args *a);
int cmd_playbook_run(struct args *a);
int cmd_playbook_runs(struct args *a);
int cmd_playbook_show(struct args *a);
int cmd_playbook_do(struct args *a); /* approve, deny, abort, settle */
int cmd_automation(struct args *a);  /* halt, resume */
int cmd_audit_search(struct args *a);
int cmd_audit_show(struct args *a);
int cmd_audit_verify(struct args *a);
int cmd_audit_head(struct args *a);
int cmd_audit_export(struct args *a);
int cmd_audit_bundle(struct args *a);
int cmd_replay(struct args *a);
int cmd_journal_export(struct args *a);
int cmd_why(struct args *a);
int cmd_demo(struct args *a);
int cmd_model_list(struct args *a);
int cmd_model_show(struct args *a);
int cmd_model_add(struct args *a);
int cmd_model_use(struct args *a); /* activate, shadow */
int cmd_model_rollback(struct args *a);
int cmd_token_create(struct args *a);
int cmd_token_list(struct args *a);
int cmd_token_revoke(struct args *a);

int fl_cmd_rank(int argc, char **argv);
int fl_cmd_evaluate(int argc, char **argv);
int fl_cmd_model_train(int argc, char **argv);
int fl_cmd_model_evaluate(int argc, char **argv);
int fl_cmd_playbook_offline(int argc, char **argv);
