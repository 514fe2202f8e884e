/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_replay.c -- replay of a recorded journal, as it was or with other rules, playbooks or model;
 * and its export (layer 6). */
#include "replay_diff.h"

#include <faultline/daemon.h>
#include <faultline/flow.h>
#include <faultline/topology.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DECISIONS_MAX = 1 << 30, MODEL_MAX = 64 << 20 };

/* ---- replay ---- */

struct replay {
    struct fl_flow *flow;
    struct fl_buf out;
    uint64_t events;
    /* what-if */
    struct fl_flow *other;
    struct fl_json *changes; /* members of a configuration that are replaced; NULL = no what-if */
    struct fl_model
        *model; /* that ranks in the other flow, whatever the journal activates; NULL = as recorded */
    struct decisions *before, *after;
    bool configured;
    /* what is printed */
    const char *incident;
    fl_usec since, until;
    struct fl_json **runs; /* ids of its runs, as they come up */
    size_t n_runs;
};

/* ---- one incident's lines ---- */

static bool is_run_of(struct replay *r, const char *run)
{
    for (size_t i = 0; run && i < r->n_runs; i++)
        if (fl_streq(fl_json_str(r->runs[i], "id", ""), run))
            return true;
    return false;
}

/* A line of text about the incident asked for. A run's own row comes first and is remembered. */
static bool concerns(struct replay *r, const char *line, size_t n)
{
    struct fl_err err = {0};
    struct fl_json *v = fl_json_parse(line, n, &err);
    bool mine = v && (fl_streq(fl_json_str(v, "incident", ""), r->incident) ||
                      fl_streq(fl_json_str(v, "id", ""), r->incident) ||
                      fl_streq(fl_json_str(v, "merged_into", ""), r->incident) ||
                      is_run_of(r, fl_json_str(v, "run", NULL)));
    bool run = mine && fl_streq(fl_json_str(v, "row", ""), "run") &&
               !is_run_of(r, fl_json_str(v, "id", NULL));
    struct fl_json **more = run ? realloc(r->runs, (r->n_runs + 1) * sizeof *more) : NULL;
    if (more) {
        r->runs = more;
        r->runs[r->n_runs++] = v;
    } else {
        fl_json_free(v);
    }
    return mine;
}

static fl_status write_text(struct replay *r, const struct fl_event *ev, const struct fl_effects *fx)
{
    if ((r->since && ev->at < r->since) || (r->until && ev->at > r->until))
        return FL_OK;
    if (!r->incident)
        return fl_effects_text(fx, &r->out);
    FL_AUTO_BUF b = fl_buf_init(DECISIONS_MAX);
    fl_status st = fl_effects_text(fx, &b);
    for (char *p = b.p, *nl; st == FL_OK && p && (nl = memchr(p, '\n', b.n - (size_t)(p - b.p))) != NULL;
         p = nl + 1)
        if (concerns(r, p, (size_t)(nl - p)))
            fl_buf_add(&r->out, p, (size_t)(nl - p) + 1);
    return st;
}

/* ---- what-if: the configuration that an event brings, with some of its members replaced ---- */

static fl_status other_config(struct replay *r, struct fl_arena *arena, const struct fl_event *ev,
                              struct fl_event *ret, struct fl_err *err)
{
    FL_AUTO_JSON old = fl_json_parse(ev->body, ev->body_len, err);
    FL_AUTO_BUF b = fl_buf_init(DECISIONS_MAX);
    struct fl_jw w = fl_jw_init(&b);
    const struct fl_json *from[] = {old, r->changes};
    *ret = *ev;
    if (!old)
        return FL_OK; /* refused before, refused again */
    fl_jw_obj(&w, NULL);
    for (int k = 0; k < 2; k++)
        for (void *it = fl_json_first(from[k]); it; it = fl_json_next(from[k], it)) {
            FL_AUTO_FREE char *text = fl_json_text(fl_json_value(it), false);
            if (text && (k || !fl_json_get(r->changes, fl_json_key(it))))
                fl_jw_raw(&w, fl_json_key(it), text);
        }
    fl_jw_obj_end(&w);
    ret->body = b.failed ? NULL : fl_arena_dup(arena, b.p, b.n);
    ret->body_len = b.n;
    if (!ret->body)
        return fl_fail(err, FL_E_NOMEM, "replay", "out of memory");
    fl_sha256(ret->body, ret->body_len, &ret->body_hash);
    return FL_OK;
}

static fl_status step_other(struct replay *r, const struct fl_event *ev, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_effects *fx = fl_effects_new();
    struct fl_event changed = *ev;
    fl_status st = arena && fx ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (st == FL_OK && ev->kind == FL_EV_CONFIG) {
        r->configured = true;
        st = other_config(r, arena, ev, &changed, err);
    }
    if (st == FL_OK)
        st = fl_flow_step(r->other, &changed, fx, err);
    if (st == FL_OK && !decisions_take(r->after, fx))
        st = fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_effects_free(fx);
    return st;
}

static fl_status replay_event(struct replay *r, const struct fl_event *ev, struct fl_err *err)
{
    struct fl_effects *fx = fl_effects_new();
    fl_status st = fx ? fl_flow_step(r->flow, ev, fx, err) : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (st == FL_OK && r->changes)
        st = decisions_take(r->before, fx) ? step_other(r, ev, err)
                                           : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    else if (st == FL_OK)
        st = write_text(r, ev, fx);
    fl_effects_free(fx);
    r->events++;
    return st;
}

/* ---- where events come from ---- */

static fl_status replay_line(struct replay *r, const char *line, size_t n, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_event ev;
    fl_status st = arena ? fl_journal_parse(arena, line, n, &ev, err)
                         : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    return st == FL_OK ? replay_event(r, &ev, err) : st;
}

static int replay_file(struct replay *r, const char *path)
{
    struct fl_err err = {0};
    FILE *f = !strcmp(path, "-") ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    fl_status st = FL_OK;
    if (!f)
        return usage_error("--journal: %s: %s", path, strerror(errno));
    while (st == FL_OK && (n = getline(&line, &cap, f)) > 0) {
        while (n && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        if (n)
            st = replay_line(r, line, (size_t)n, &err);
    }
    free(line);
    if (f != stdin)
        fclose(f);
    if (st == FL_OK)
        return 0;
    fl_err_within(&err, "%s:%llu", path, (unsigned long long)r->events);
    return fail_with("replay", &err);
}

struct from_database {
    struct replay *r;
    struct fl_err *err;
};

static fl_status replay_row(void *ctx, const struct fl_event *ev)
{
    struct from_database *x = ctx;
    return replay_event(x->r, ev, x->err);
}

/* The whole journal: an incident's state is made of all that came before it. */
static int replay_database(struct args *a, struct replay *r)
{
    struct fl_config *c = NULL;
    struct fl_reader *db = NULL;
    struct fl_err err = {0}, away = {0};
    char conninfo[1024];
    int code = find_database(a, &c, conninfo, sizeof conninfo);
    if (code)
        return code;
    struct from_database x = {r, &err};
    fl_status st = fl_reader_open(conninfo, &db, &away);
    if (st == FL_OK)
        st = fl_read_journal(db, c->realm, 0, 0, replay_row, &x, &away);
    fl_reader_close(db);
    fl_config_free(c);
    return st == FL_OK ? 0 : fail_with("replay", err.status ? &err : &away);
}

static const char *line_at(const char *p, const char *end, size_t *n)
{
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    *n = nl ? (size_t)(nl - p) : (size_t)(end - p);
    return nl ? nl + 1 : end;
}

/* @return 0 the same, else EXIT_FINDING after printing the first lines that differ. */
static int compare(const struct fl_buf *got, const char *want, size_t want_n)
{
    const char *a = want, *a_end = want + want_n, *b = got->p ? got->p : "", *b_end = b + got->n;
    size_t line = 0, differing = 0;
    while (a < a_end || b < b_end) {
        size_t an = 0, bn = 0;
        const char *a0 = a, *b0 = b;
        if (a < a_end)
            a = line_at(a, a_end, &an);
        if (b < b_end)
            b = line_at(b, b_end, &bn);
        line++;
        if (an == bn && !memcmp(a0, b0, an))
            continue;
        if (++differing > 20)
            continue;
        printf("line %zu\n- %.*s\n+ %.*s\n", line, (int)an, a0, (int)bn, b0);
    }
    if (differing)
        printf("%zu of %zu decisions differ\n", differing, line);
    return differing ? EXIT_FINDING : EXIT_FINE;
}

static int print_decisions(struct args *a, struct replay *r)
{
    struct fl_err err = {0};
    FL_AUTO_FREE char *want = NULL;
    size_t want_n = 0;
    const char *expect = arg(a, "expect");
    int code = EXIT_FINE;
    if (r->out.failed)
        return usage_error("the decisions are longer than 1 GiB");
    if (expect && fl_read_file(expect, DECISIONS_MAX, &want, &want_n, &err) != FL_OK)
        return fail_with("replay", &err);
    if (want)
        code = compare(&r->out, want, want_n);
    else if (r->out.n)
        fwrite(r->out.p, 1, r->out.n, stdout);
    if (!code)
        fprintf(stderr, "%llu events replayed%s\n", (unsigned long long)r->events,
                want ? ", the same decisions" : "");
    if (!code && r->incident && !r->out.n) {
        fprintf(stderr, "faultline: \"%s\": no decision is about it\n", r->incident);
        code = EXIT_FINDING;
    }
    return code;
}

static int print_diff(struct args *a, struct replay *r)
{
    struct diff_scope scope = {r->incident, r->since, r->until};
    struct diff_counts n;
    if (!r->configured && !r->model)
        fprintf(stderr, "faultline: the journal holds no configuration: there was nothing to replace\n");
    if (!decisions_diff(r->before, r->after, &scope, a->json, &n))
        return usage_error("out of memory");
    if (r->incident && !n.incidents) {
        fprintf(stderr, "faultline: \"%s\": no such incident with alerts in this journal\n", r->incident);
        return EXIT_FINDING;
    }
    if (!a->json)
        printf("%llu events, %zu incidents: %zu would be otherwise; %zu alerts: %zu would fare otherwise\n",
               (unsigned long long)r->events, n.incidents, n.incidents_changed, n.alerts, n.alerts_changed);
    return n.incidents_changed || n.alerts_changed || n.reminders_changed ? EXIT_FINDING : EXIT_FINE;
}

static void print_problem(void *ctx, const struct fl_err *err)
{
    (void)ctx;
    fail_with("replay", err);
}

/* What --rules, --playbooks and --model name, as members of a configuration. Only what the command line gives counts: a
 * replay must not depend on the machine it runs on. */
static int load_changes(const struct fl_config *c, struct replay *r)
{
    static const char *const names[] = {"rules", "playbooks"};
    struct fl_sources s;
    struct fl_err err = {0};
    struct fl_config only = *c;
    FL_AUTO_BUF b = fl_buf_init(DECISIONS_MAX);
    struct fl_jw w = fl_jw_init(&b);
    bool any = config_given("model");
    for (size_t i = 0; i < FL_ARRAY_LEN(names); i++)
        any |= config_given(names[i]);
    if (!any)
        return 0;
    only.topology = only.model = "";
    if (fl_sources_load(&only, &s, print_problem, NULL) != FL_OK)
        return EXIT_FINDING;
    FL_AUTO_JSON doc = fl_json_parse(s.config, s.config_n, &err);
    fl_jw_obj(&w, NULL);
    for (size_t i = 0; doc && i < FL_ARRAY_LEN(names); i++) {
        const struct fl_json *member = config_given(names[i]) ? fl_json_get(doc, names[i]) : NULL;
        FL_AUTO_FREE char *text = member ? fl_json_text(member, false) : NULL;
        if (text)
            fl_jw_raw(&w, names[i], text);
    }
    fl_jw_obj_end(&w);
    fl_sources_done(&s);
    r->changes = b.failed ? NULL : fl_json_parse(b.p, b.n, &err);
    return r->changes ? 0 : fail_with("replay", &err);
}

/* A file, or the id of a model that the database holds. */
static fl_status model_text(struct args *a, const struct fl_config *c, bool offline, char **ret, size_t *n,
                            struct fl_err *err)
{
    struct fl_reader *db = NULL;
    struct fl_config *mine = NULL;
    char conninfo[1024];
    struct fl_read_args q = {.realm = c->realm, .id = c->model};
    FL_AUTO_BUF b = fl_buf_init(DECISIONS_MAX);
    bool id = strlen(c->model) == 12 && strspn(c->model, "0123456789abcdef") == 12;
    if (!id || offline || access(c->model, R_OK) == 0)
        return fl_read_file(c->model, MODEL_MAX, ret, n, err);
    if (find_database(a, &mine, conninfo, sizeof conninfo))
        return fl_fail(err, FL_E_UNAVAILABLE, "model", "there is no database to look the model up in");
    fl_status st = fl_reader_open(conninfo, &db, err);
    if (st == FL_OK)
        st = fl_read_json(db, FL_READ_MODEL, &q, &b, err);
    fl_reader_close(db);
    fl_config_free(mine);
    if (st != FL_OK)
        return st == FL_E_NOTFOUND ? fl_fail(err, st, "model", "the database holds no model %s", c->model)
                                   : st;
    FL_AUTO_JSON doc = fl_json_parse(b.p, b.n, err);
    *ret = doc ? fl_json_text(fl_json_get(doc, "model"), true) : NULL;
    *n = *ret ? strlen(*ret) : 0;
    return *ret ? FL_OK : fl_fail(err, FL_E_CORRUPT, "model", "what the database holds of it is no JSON");
}

static int load_model(struct args *a, const struct fl_config *c, bool offline, struct replay *r)
{
    struct fl_err err = {0};
    char *text = NULL;
    size_t n = 0;
    fl_status st = model_text(a, c, offline, &text, &n, &err);
    if (st == FL_OK)
        st = fl_model_parse(text, n, &r->model, &err);
    free(text);
    if (st == FL_OK)
        return 0;
    fl_err_in_file(&err, c->model, 0);
    return fail_with("replay", &err);
}

static bool parse_moment(const struct args *a, const char *name, fl_usec *ret)
{
    const char *text = arg(a, name);
    fl_usec d;
    *ret = 0;
    if (!text || fl_time_parse(text, strlen(text), ret))
        return true;
    if (fl_parse_duration(text, &d)) {
        *ret = fl_now() - d;
        return true;
    }
    usage_error("--%s: \"%.40s\": write 2026-11-23T09:00:00Z, or 2h for two hours ago", name, text);
    return false;
}

static int start(struct replay *r, const char *realm)
{
    struct fl_err err = {0};
    struct fl_flow_options o = {.realm = realm};
    fl_topo_init();
    fl_status st = fl_flow_new(&o, &r->flow, &err);
    if (st == FL_OK && r->changes) {
        if (r->model)
            o = (struct fl_flow_options){.realm = realm, .model = r->model, .pin_model = true};
        st = fl_flow_new(&o, &r->other, &err);
        r->before = decisions_new();
        r->after = decisions_new();
        if (st == FL_OK && (!r->before || !r->after))
            st = fl_fail(&err, FL_E_NOMEM, NULL, "out of memory");
    }
    return st == FL_OK ? 0 : fail_with("replay", &err);
}

static void finish(struct replay *r)
{
    for (size_t i = 0; i < r->n_runs; i++)
        fl_json_free(r->runs[i]);
    free(r->runs);
    fl_json_free(r->changes);
    decisions_free(r->before);
    decisions_free(r->after);
    fl_flow_free(r->other);
    fl_model_free(r->model);
    fl_flow_free(r->flow);
    fl_buf_done(&r->out);
}

int cmd_replay(struct args *a)
{
    struct fl_config *c = NULL;
    struct replay r = {.out = fl_buf_init(DECISIONS_MAX), .incident = arg(a, "incident")};
    const char *journal = arg(a, "journal");
    if (!journal && !r.incident && !arg(a, "since") && !arg(a, "until") && !config_given("data") &&
        !config_given("database"))
        return usage_error(
            "--journal: needed: the file to replay (`faultline journal export` makes one); or --data or "
            "--database with --incident, or --since and --until");
    if (!parse_moment(a, "since", &r.since) || !parse_moment(a, "until", &r.until))
        return EXIT_USAGE;
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    code = load_changes(c, &r);
    if (!code && config_given("model"))
        code = load_model(a, c, journal != NULL, &r);
    if (!code && r.changes && arg(a, "expect"))
        code = usage_error(
            "--expect: compares decisions as they were; leave out --rules, --playbooks and --model");
    if (!code)
        code = start(&r, journal && !config_given("realm") ? "default" : c->realm);
    if (!code)
        code = journal ? replay_file(&r, journal) : replay_database(a, &r);
    if (!code)
        code = r.changes ? print_diff(a, &r) : print_decisions(a, &r);
    finish(&r);
    fl_config_free(c);
    return code;
}

/* ---- journal export ---- */

struct export
{
    FILE *f;
    uint64_t n;
};

static fl_status write_event(void *ctx, const struct fl_event *ev)
{
    struct export *x = ctx;
    FL_AUTO_BUF b = fl_buf_init(DECISIONS_MAX);
    fl_status st = fl_journal_line(ev, &b);
    if (st != FL_OK)
        return st;
    if (b.n && b.p[b.n - 1] != '\n')
        fl_buf_chr(&b, '\n');
    x->n++;
    return fwrite(b.p, 1, b.n, x->f) == b.n ? FL_OK : FL_E_IO;
}

static bool parse_seq(struct args *a, const char *name, uint64_t *ret)
{
    int64_t v = 0;
    const char *text = arg(a, name);
    *ret = 0;
    if (text && !fl_parse_i64(text, 0, INT64_MAX, &v)) {
        usage_error("--%s: \"%.32s\": not a sequence number", name, text);
        return false;
    }
    *ret = (uint64_t)v;
    return true;
}

int cmd_journal_export(struct args *a)
{
    struct fl_config *c = NULL;
    struct fl_reader *r = NULL;
    struct fl_err err = {0};
    char conninfo[1024];
    uint64_t after, until;
    const char *out = arg(a, "out");
    if (!parse_seq(a, "after", &after) || !parse_seq(a, "until", &until))
        return EXIT_USAGE;
    int code = find_database(a, &c, conninfo, sizeof conninfo);
    if (code)
        return code;
    struct export x = {.f = out ? fopen(out, "we") : stdout};
    fl_status st = x.f ? fl_reader_open(conninfo, &r, &err)
                       : fl_fail(&err, FL_E_USAGE, out, "cannot be written: %s", strerror(errno));
    if (st == FL_OK)
        st = fl_read_journal(r, c->realm, after, until, write_event, &x, &err);
    if (st == FL_E_IO && !err.status)
        fl_fail(&err, st, out ? out : "standard output", "could not be written");
    if (x.f && out && fclose(x.f) != 0 && st == FL_OK)
        st = fl_fail(&err, FL_E_IO, out, "could not be written: %s", strerror(errno));
    fl_reader_close(r);
    fl_config_free(c);
    if (st != FL_OK)
        return fail_with("journal export", &err);
    fprintf(stderr, "%llu events\n", (unsigned long long)x.n);
    return EXIT_FINE;
}
