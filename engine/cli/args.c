/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/args.c -- arguments from the table; help; configuration (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>
#include <faultline/script.h>

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_def client_options[] = {
    {"server", "URL", "address of the engine (FAULTLINE_URL; default http://127.0.0.1:9195)"},
    {"token-file", "FILE", "file that holds the token (FAULTLINE_TOKEN holds the token itself)"},
    {NULL, NULL, NULL},
};
static const struct option_def config_options[] = {
    {"config", "FILE", "configuration file (FAULTLINE_CONFIG; default /etc/faultline/faultline.lua)"},
    {NULL, NULL, NULL},
};

/* Options of the configuration table given as flags: applied last. */
enum { OVERRIDES_MAX = 64 };
static struct {
    const char *name, *value;
} overrides[OVERRIDES_MAX];
static size_t n_overrides;

/* ---- one list out of three ---- */

static size_t list_len(const struct option_def *o)
{
    size_t n = 0;
    while (o && o[n].name)
        n++;
    return n;
}

static const struct option_def *option_at(const struct command *c, size_t i)
{
    size_t own = list_len(c->options), client = c->flags & CMD_CLIENT ? list_len(client_options) : 0;
    size_t config = c->flags & CMD_CONFIG ? list_len(config_options) : 0;
    if (i < own)
        return &c->options[i];
    i -= own;
    if (i < client)
        return &client_options[i];
    i -= client;
    return i < config ? &config_options[i] : NULL;
}

static size_t place_of(const struct command *c, const char *name, size_t n)
{
    const struct option_def *o;
    for (size_t i = 0; (o = option_at(c, i)) != NULL; i++)
        if (strlen(o->name) == n && !memcmp(o->name, name, n))
            return i;
    return VALUES_MAX;
}

const char *arg(const struct args *a, const char *name)
{
    size_t i = place_of(a->command, name, strlen(name));
    return i < VALUES_MAX ? a->value[i] : NULL;
}

bool arg_set(const struct args *a, const char *name)
{
    return arg(a, name) != NULL;
}

/* ---- help ---- */

static void print_options(FILE *f, const struct command *c)
{
    const struct option_def *o;
    for (size_t i = 0; (o = option_at(c, i)) != NULL; i++) {
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(f, "  %-24s %s\n", left, o->help);
    }
    size_t n = 0;
    const struct fl_option *t = c->flags & CMD_CONFIG ? fl_config_options(&n) : NULL;
    for (size_t i = 0; i < n; i++) {
        char left[64];
        if (!strcmp(t[i].type, "list"))
            continue; /* in the configuration file only */
        snprintf(left, sizeof left, "--%s %s", t[i].name, t[i].type);
        fprintf(f, "  %-24s %s%s%s%s\n", left, t[i].help, t[i].dflt[0] ? " (default " : "", t[i].dflt,
                t[i].dflt[0] ? ")" : "");
    }
    if (!(c->flags & CMD_CONFIG))
        fprintf(f, "  %-24s %s\n", "-o json|table", "form of the output");
    fprintf(f, "  %-24s %s\n", "--help", "this page");
}

void print_help(FILE *f, const struct command *c)
{
    fprintf(f, "usage: faultline %s%s%s [options]\n\n%s\n\n", c->path, c->pos ? " " : "",
            c->pos ? c->pos : "", c->help);
    print_options(f, c);
    fprintf(f, "\nexit status: 0 fine, 1 finding, 2 usage, 3 server or database not reachable, 4 refused\n");
}

void print_overview(FILE *f)
{
    fprintf(f, "faultline %s: alerts in, the component that broke first out, with reasons\n\n", FL_VERSION);
    for (size_t i = 0; i < n_commands; i++)
        if (!(commands[i].flags & CMD_HIDDEN))
            fprintf(f, "  %-18s %s\n", commands[i].path, commands[i].help);
    fprintf(f, "\nfaultline COMMAND --help says more about each.\n"
               "exit status: 0 fine, 1 finding, 2 usage, 3 server or database not reachable, 4 refused\n");
}

/* ---- parsing ---- */

int usage_error(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fputs("faultline: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return EXIT_USAGE;
}

static bool is_config_option(const struct command *c, const char *name, size_t n)
{
    size_t count = 0;
    const struct fl_option *t = c->flags & CMD_CONFIG ? fl_config_options(&count) : NULL;
    for (size_t i = 0; i < count; i++) {
        bool same = strlen(t[i].name) == n;
        for (size_t k = 0; same && k < n; k++)
            same = t[i].name[k] == (name[k] == '-' ? '_' : name[k]);
        if (same && n_overrides < OVERRIDES_MAX) {
            overrides[n_overrides].name = t[i].name;
            return true;
        }
    }
    return false;
}

static int unknown_option(const struct command *c, const char *name, size_t n)
{
    const char *words[VALUES_MAX + OVERRIDES_MAX];
    size_t k = 0, count = 0;
    const struct option_def *o;
    char given[64];
    snprintf(given, sizeof given, "%.*s", (int)n, name);
    for (size_t i = 0; (o = option_at(c, i)) != NULL && k < FL_ARRAY_LEN(words); i++)
        words[k++] = o->name;
    const struct fl_option *t = c->flags & CMD_CONFIG ? fl_config_options(&count) : NULL;
    for (size_t i = 0; i < count && k < FL_ARRAY_LEN(words); i++)
        words[k++] = t[i].name;
    const char *near = fl_nearest_word(given, words, k);
    return usage_error("--%s: no such option of \"%s\"; %s%s%s", given, c->path,
                       near ? "did you mean --" : "see faultline ", near ? near : c->path,
                       near ? "?" : " --help");
}

/* One word that begins with "--". @return how many further words it took, -1 usage error. */
static int take_option(struct args *a, int argc, char **argv, int i)
{
    const char *name = argv[i] + 2;
    size_t n = strcspn(name, "=");
    const char *value = name[n] == '=' ? name + n + 1 : NULL;
    size_t place = place_of(a->command, name, n);
    bool config = place == VALUES_MAX && is_config_option(a->command, name, n);
    if (place == VALUES_MAX && !config)
        return unknown_option(a->command, name, n), -1;
    bool wants = config || option_at(a->command, place)->value;
    int took = 0;
    if (wants && !value) {
        if (i + 1 >= argc)
            return usage_error("--%.*s: needs a value", (int)n, name), -1;
        value = argv[i + 1];
        took = 1;
    } else if (!wants && value) {
        return usage_error("--%.*s: takes no value", (int)n, name), -1;
    }
    if (config)
        overrides[n_overrides++].value = value;
    else
        a->value[place] = value ? value : "";
    return took;
}

static int take_output(struct args *a, const char *value)
{
    bool junit = (a->command->flags & CMD_JUNIT) && fl_streq(value, "junit");
    if (!junit && !fl_streq(value, "json") && !fl_streq(value, "table"))
        return usage_error("-o: \"%.32s\": write json or table", value ? value : "");
    a->junit = junit;
    a->json = fl_streq(value, "json");
    return -1;
}

int args_parse(const struct command *c, int argc, char **argv, struct args *ret)
{
    bool only_words = false;
    *ret = (struct args){.command = c};
    for (int i = 1; i < argc; i++) {
        const char *w = argv[i];
        if (!only_words && !strcmp(w, "--")) {
            only_words = true;
        } else if (!only_words && (!strcmp(w, "--help") || !strcmp(w, "-h"))) {
            print_help(stdout, c);
            return EXIT_FINE;
        } else if (!only_words && (!strcmp(w, "-o") || !strcmp(w, "--output"))) {
            int code = take_output(ret, i + 1 < argc ? argv[i + 1] : NULL);
            if (code >= 0)
                return code;
            i++;
        } else if (!only_words && (!strcmp(w, "-ojson") || !strcmp(w, "-otable"))) {
            ret->json = w[2] == 'j';
        } else if (!only_words && !strncmp(w, "--", 2)) {
            int took = take_option(ret, argc, argv, i);
            if (took < 0)
                return EXIT_USAGE;
            i += took;
        } else if (!only_words && w[0] == '-' && w[1]) {
            return usage_error("%.32s: no such option of \"%s\"; see faultline %s --help", w, c->path,
                               c->path);
        } else if (ret->n_pos == c->max_pos || ret->n_pos == POSITIONALS_MAX) {
            return usage_error("\"%.64s\": \"%s\" takes %s%s; see faultline %s --help", w, c->path,
                               c->pos ? "only " : "no argument", c->pos ? c->pos : "", c->path);
        } else {
            ret->pos[ret->n_pos++] = w;
        }
    }
    if (ret->n_pos < c->min_pos)
        return usage_error("\"%s\" needs %s; see faultline %s --help", c->path, c->pos, c->path);
    return -1;
}

/* ---- configuration ---- */

bool config_given(const char *name)
{
    for (size_t i = 0; i < n_overrides; i++)
        if (!strcmp(overrides[i].name, name))
            return true;
    return false;
}

int fail_with(const char *what, const struct fl_err *err)
{
    fprintf(stderr, "faultline: %s: ", what);
    if (err->where[0] && !strstr(err->text, err->where)) {
        put_text(stderr, err->where, 0);
        fputs(": ", stderr);
    }
    put_text(stderr, err->text[0] ? err->text : fl_status_name(err->status), 0);
    if (err->hint[0]) {
        fputs("; ", stderr);
        put_text(stderr, err->hint, 0);
    }
    fputc('\n', stderr);
    switch (err->status) {
    case FL_E_USAGE: return EXIT_USAGE;
    case FL_E_DENIED: return EXIT_REFUSED;
    case FL_E_UNAVAILABLE:
    case FL_E_TIMEOUT:
    case FL_E_FENCED:
    case FL_E_FULL: return EXIT_UNREACHABLE;
    default: return EXIT_FINDING;
    }
}

static fl_status apply_file(struct fl_config *c, const char *path, struct fl_err *err)
{
    char *text = NULL, *json = NULL;
    size_t n = 0;
    fl_status st = fl_read_file(path, 1 << 20, &text, &n, err);
    if (st == FL_OK)
        st = fl_script_eval(FL_SCRIPT_CONFIG, path, text, n, 20 * FL_USEC_PER_SEC, &json, err);
    if (st == FL_OK)
        st = fl_config_apply_json(c, json, strlen(json), path, text, err);
    free(json);
    free(text);
    return st;
}

int load_config(const struct args *a, struct fl_config **ret)
{
    extern char **environ;
    static const char usual[] = "/etc/faultline/faultline.lua";
    static const char *const own[] = {"data", "database", "realm"};
    struct fl_err err = {0};
    const char *path = arg(a, "config");
    if (!path || !*path)
        path = getenv("FAULTLINE_CONFIG");
    if ((!path || !*path) && access(usual, R_OK) == 0)
        path = usual;
    fl_status st = fl_config_new(ret, &err);
    if (st == FL_OK && path && *path)
        st = apply_file(*ret, path, &err);
    if (st == FL_OK)
        st = fl_config_apply_env(*ret, environ, &err);
    for (size_t i = 0; st == FL_OK && i < n_overrides; i++)
        st = fl_config_set(*ret, overrides[i].name, overrides[i].value, &err);
    for (size_t i = 0; st == FL_OK && i < FL_ARRAY_LEN(own); i++)
        if (!(a->command->flags & CMD_CONFIG) && arg(a, own[i]))
            st = fl_config_set(*ret, own[i], arg(a, own[i]), &err);
    if (st == FL_OK)
        st = fl_config_check(*ret, &err);
    if (st == FL_OK)
        return -1;
    int code = fail_with("configuration", &err);
    *ret = fl_config_free(*ret);
    return code == EXIT_FINDING ? EXIT_USAGE : code;
}
