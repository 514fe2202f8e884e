/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_playbook_offline.c -- playbook check, dry-run and test: no server, no database; real workers
 * whose calls are answered from a file or with "it went well" (layer 6). */
#include "cli.h"
#include "playbook_offline.h"

#include <faultline/script.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOURCE_MAX = 1 << 20, EVAL_SECONDS = 10 };

fl_status offline_read(const char *path, struct fl_buf *out, struct fl_err *err)
{
    FL_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    char chunk[16384];
    ssize_t k = -1;
    if (fd < 0)
        return fl_fail(err, FL_E_IO, path, "could not open: %s", strerror(errno));
    while ((k = read(fd, chunk, sizeof chunk)) > 0)
        fl_buf_add(out, chunk, (size_t)k);
    if (k < 0)
        return fl_fail(err, FL_E_IO, path, "could not read: %s", strerror(errno));
    if (out->failed)
        return fl_fail(err, FL_E_LIMIT, path, "longer than %d bytes", SOURCE_MAX);
    if (!out->p)
        fl_buf_str(out, "");
    return FL_OK;
}

static void print_problem(const char *path, const struct fl_err *err)
{
    printf("%s: %s%s%s\n", err->where[0] ? err->where : path, err->text, err->hint[0] ? "; " : "", err->hint);
}

/* ---- check ---- */

/* What is allowed but probably not meant. */
static void advise(const char *path, const struct fl_json *meta)
{
    bool disruptive = fl_json_bool(meta, "disruptive", true);
    if (disruptive && !fl_json_get(meta, "verify"))
        printf(
            "%s: advice: nothing verifies that it helped; say verify = { alerts_clear = true, within = \"60s\" }\n",
            path);
    if (disruptive && fl_streq(fl_json_str(meta, "approval", ""), "none"))
        printf("%s: advice: it disturbs and asks nobody (approval = \"none\")\n", path);
}

static bool check_file(const char *path, bool json, struct fl_jw *w)
{
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF text = fl_buf_init(SOURCE_MAX);
    FL_AUTO_FREE char *meta = NULL;
    fl_status st = offline_read(path, &text, &err);
    if (!st)
        st = fl_script_eval(FL_SCRIPT_PLAYBOOK, path, text.p, text.n, EVAL_SECONDS * FL_USEC_PER_SEC, &meta,
                            &err);
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "file", path);
    fl_jw_bool(w, "ok", !st);
    if (st) {
        fl_jw_str(w, "where", err.where);
        fl_jw_str(w, "error", err.text);
    } else {
        fl_jw_raw(w, "playbook", meta);
    }
    fl_jw_obj_end(w);
    if (json)
        return !st;
    if (st) {
        print_problem(path, &err);
        return false;
    }
    FL_AUTO_JSON m = fl_json_parse(meta, strlen(meta), NULL);
    printf("%s: %s version %s is well formed\n", path, fl_json_str(m, "name", ""),
           fl_json_str(m, "version", ""));
    advise(path, m);
    return true;
}

static int check(char *const *files, size_t n, bool json)
{
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    size_t bad = 0;
    fl_jw_arr(&w, NULL);
    for (size_t i = 0; i < n; i++)
        bad += !check_file(files[i], json, &w);
    fl_jw_arr_end(&w);
    if (json)
        puts(out.p);
    else
        printf("%zu playbooks checked, %zu with problems\n", n, bad);
    return bad ? EXIT_FINDING : EXIT_FINE;
}

/* ---- dry-run ---- */

static void copy(struct fl_jw *w, const char *key, const struct fl_json *v)
{
    FL_AUTO_FREE char *s = v ? fl_json_text(v, true) : NULL;
    fl_jw_raw(w, key, s ? s : "{}");
}

/* An incident as `incident show -o json` prints it, or {"incident","cause","params"} as a run gets it. */
static void write_ctx(struct fl_buf *out, const struct fl_json *doc, const char *name, char *const *params,
                      size_t n_params)
{
    struct fl_jw w = fl_jw_init(out);
    const struct fl_json *incident = fl_json_get(doc, "incident"), *cause = fl_json_get(doc, "cause");
    const struct fl_json *given = fl_json_get(doc, "params");
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "run", "RUN-DRY");
    fl_jw_str(&w, "playbook", name);
    fl_jw_int(&w, "now", fl_now() / FL_USEC_PER_SEC);
    copy(&w, "incident", fl_json_is_object(incident) ? incident : doc);
    if (fl_json_is_string(cause)) {
        fl_jw_obj(&w, "cause");
        fl_jw_str(&w, "node", fl_json_string(cause));
        fl_jw_obj_end(&w);
    } else {
        copy(&w, "cause", cause);
    }
    fl_jw_obj(&w, "params");
    for (void *it = fl_json_is_object(given) ? fl_json_first(given) : NULL; it; it = fl_json_next(given, it))
        copy(&w, fl_json_key(it), fl_json_value(it));
    for (size_t i = 0; i < n_params; i++) {
        const char *eq = strchr(params[i], '=');
        FL_AUTO_FREE char *key = strndup(params[i], (size_t)(eq - params[i]));
        fl_jw_str(&w, key, eq + 1);
    }
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
}

static int dry_run(const char *file, const char *incident, const char *replies, char *const *params,
                   size_t n_params, bool json)
{
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_BUF text = fl_buf_init(SOURCE_MAX);
    FL_AUTO_BUF doc_text = fl_buf_init(SOURCE_MAX);
    FL_AUTO_BUF ctx = fl_buf_init(0);
    FL_AUTO_FREE char *fixture = NULL;
    fl_status st = offline_read(file, &text, &err);
    if (!st && incident)
        st = offline_read(incident, &doc_text, &err);
    if (!incident)
        fl_buf_str(&doc_text, "{}");
    FL_AUTO_JSON doc = st ? NULL : fl_json_parse(doc_text.p, doc_text.n, &err);
    if (!st && !fl_json_is_object(doc)) {
        st = fl_fail(&err, FL_E_SHAPE, incident, "expected a JSON object");
        fl_err_within(&err, "%s", incident);
    }
    if (!st && replies)
        st = offline_fixture(replies, &fixture, &err);
    if (st) {
        print_problem(file, &err);
        return EXIT_USAGE;
    }
    FL_AUTO_JSON cases = fixture ? fl_json_parse(fixture, strlen(fixture), NULL) : NULL;
    write_ctx(&ctx, doc, file, params, n_params);
    struct rehearsal_case c = {.file = file,
                               .source = text.p,
                               .n = text.n,
                               .ctx = ctx.p,
                               .replies = fl_json_get(cases, "replies"),
                               .print = !json};
    struct rehearsal_outcome o;
    st = rehearse_case(&c, &o, &err);
    if (st) {
        print_problem(file, &err);
        return EXIT_UNREACHABLE;
    }
    if (json)
        rehearsal_json(&o);
    else if (fl_streq(o.r.ending, "ok"))
        printf("%zu actions; would end well with %s\n", o.n_acts, o.r.result ? o.r.result : "null");
    else
        printf("%zu actions; would end: %s: %s\n", o.n_acts, o.r.ending,
               o.r.error ? o.r.error : "no reason given");
    int rc = fl_streq(o.r.ending, "ok") ? EXIT_FINE : EXIT_FINDING;
    rehearsal_outcome_done(&o);
    return rc;
}

/* ---- test ---- */

static int test(char *const *files, size_t n)
{
    size_t passed = 0, failed = 0;
    for (size_t i = 0; i < n; i++) {
        struct fl_err err = {.status = FL_OK};
        if (offline_test_file(files[i], &passed, &failed, &err)) {
            print_problem(files[i], &err);
            failed++;
        }
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed || !passed ? EXIT_FINDING : EXIT_FINE;
}

/* ---- arguments ---- */

static int usage(FILE *f, const char *verb, int rc)
{
    if (fl_streq(verb, "dry-run"))
        fputs(
            "faultline playbook dry-run FILE [--incident FILE.json] [--replies FILE.lua] [--param NAME=VALUE]… [-o json|table]\n"
            "  Run a playbook with nothing behind it and print every action it would take. Actions are answered from\n"
            "  the replies file, else as if they went well.\n",
            f);
    else if (fl_streq(verb, "test"))
        fputs(
            "faultline playbook test [FILE_test.lua…]\n"
            "  Run playbooks against recorded replies. Without files: *_test.lua in tests/playbook, playbooks/tests, and here.\n",
            f);
    else
        fputs("faultline playbook check [FILE…] [-o json|table]\n"
              "  Check that playbooks parse and declare what they must. Without files: playbooks/*.lua.\n",
              f);
    return rc;
}

struct offline_args {
    const char *verb, *incident, *replies;
    char *params[32];
    size_t n_params;
    bool json;
};

/* @return -1 to go on. */
static int parse(int argc, char **argv, struct offline_args *a)
{
    static const struct option options[] = {
        {"incident", required_argument, NULL, 'i'}, {"replies", required_argument, NULL, 'r'},
        {"param", required_argument, NULL, 'p'},    {"output", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0}};
    bool dry = fl_streq(a->verb, "dry-run");
    optind = 0; /* glibc: start afresh, the outer parser may have used getopt */
    for (int c; (c = getopt_long(argc, argv, "o:h", options, NULL)) != -1;) {
        if (c == 'h')
            return usage(stdout, a->verb, EXIT_FINE);
        if (c == 'o' && (fl_streq(optarg, "json") || fl_streq(optarg, "table")))
            a->json = fl_streq(optarg, "json");
        else if (c == 'i' && dry)
            a->incident = optarg;
        else if (c == 'r' && dry)
            a->replies = optarg;
        else if (c == 'p' && dry && strchr(optarg, '=') && a->n_params < FL_ARRAY_LEN(a->params))
            a->params[a->n_params++] = optarg;
        else
            return usage(stderr, a->verb, EXIT_USAGE);
    }
    return -1;
}

static void find_files(const char *const *patterns, size_t n, glob_t *g)
{
    for (size_t i = 0; i < n; i++)
        if (glob(patterns[i], i ? GLOB_APPEND : 0, NULL, g) == GLOB_NOSPACE)
            return;
}

int fl_cmd_playbook_offline(int argc, char **argv)
{
    static const char *const playbooks[] = {"playbooks/*.lua"};
    static const char *const tests[] = {"tests/playbook/*_test.lua", "playbooks/tests/*_test.lua",
                                        "*_test.lua"};
    struct offline_args a = {.verb = argc > 0 ? argv[0] : "check"};
    int rc = parse(argc, argv, &a);
    if (rc >= 0)
        return rc;
    char **files = argv + optind;
    size_t n = (size_t)(argc - optind);
    if (fl_streq(a.verb, "dry-run")) {
        if (n != 1)
            return usage(stderr, a.verb, EXIT_USAGE);
        return dry_run(files[0], a.incident, a.replies, a.params, a.n_params, a.json);
    }
    glob_t g = {.gl_pathc = 0};
    if (!n) {
        bool t = fl_streq(a.verb, "test");
        find_files(t ? tests : playbooks, t ? FL_ARRAY_LEN(tests) : FL_ARRAY_LEN(playbooks), &g);
        files = g.gl_pathv;
        n = g.gl_pathc;
    }
    if (!n) {
        fprintf(stderr, "playbook %s: found no file; name one\n", a.verb);
        rc = EXIT_FINDING;
    } else {
        rc = fl_streq(a.verb, "test") ? test(files, n) : check(files, n, a.json);
    }
    globfree(&g);
    return rc;
}
