/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_replay.c -- replay of a recorded journal, and its export (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>
#include <faultline/flow.h>
#include <faultline/topology.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DECISIONS_MAX = 1 << 30 };

/* ---- replay ---- */

struct replay {
    struct fl_flow *flow;
    struct fl_buf out;
    uint64_t events;
};

static fl_status replay_line(struct replay *r, const char *line, size_t n, struct fl_err *err)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_event ev;
    struct fl_effects *fx = fl_effects_new();
    fl_status st = arena && fx ? FL_OK : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    if (st == FL_OK)
        st = fl_journal_parse(arena, line, n, &ev, err);
    if (st == FL_OK)
        st = fl_flow_step(r->flow, &ev, fx, err);
    if (st == FL_OK)
        st = fl_effects_text(fx, &r->out);
    fl_effects_free(fx);
    r->events++;
    return st;
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

static int run_replay(struct args *a, const struct fl_rules *rules)
{
    struct fl_err err = {0};
    struct fl_flow_options o = {.realm = "default", .rules = rules};
    struct replay r = {.out = fl_buf_init(DECISIONS_MAX)};
    FL_AUTO_FREE char *want = NULL;
    size_t want_n = 0;
    const char *expect = arg(a, "expect");
    if (expect && fl_read_file(expect, DECISIONS_MAX, &want, &want_n, &err) != FL_OK)
        return fail_with("replay", &err);
    fl_topo_init();
    if (fl_flow_new(&o, &r.flow, &err) != FL_OK)
        return fail_with("replay", &err);
    int code = replay_file(&r, arg(a, "journal"));
    if (!code && r.out.failed)
        code = usage_error("the decisions are longer than 1 GiB");
    if (!code && want)
        code = compare(&r.out, want, want_n);
    else if (!code && r.out.n)
        fwrite(r.out.p, 1, r.out.n, stdout);
    if (!code)
        fprintf(stderr, "%llu events replayed%s\n", (unsigned long long)r.events, want ? ", the same decisions" : "");
    fl_flow_free(r.flow);
    fl_buf_done(&r.out);
    return code;
}

int cmd_replay(struct args *a)
{
    struct fl_config *c = NULL;
    if (!arg(a, "journal"))
        return usage_error("--journal: needed: the file to replay; `faultline journal export` makes one");
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    code = run_replay(a, NULL);
    fl_config_free(c);
    return code;
}

/* ---- journal export ---- */

struct export {
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
