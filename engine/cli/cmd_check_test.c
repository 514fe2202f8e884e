/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_check_test.c -- check --test: a timeline of alerts and what must come of it, run through the core
 * with a clock of its own (layer 6). docs/how-to/test-your-rules.md. */
#include "pipeline.h"

#include <faultline/intake.h>
#include <faultline/script.h>

#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 1 << 20, BODY_MAX = 16 << 20 };

/* What fire{…} began; resolve{…} needs its start. */
struct burning {
    char *labels; /* canonical JSON */
    fl_usec starts;
    bool over;
};
struct test_file {
    const char *path;
    const struct fl_sources *sources;
    struct world w;
    bool begun, broken; /* broken: a statement cannot be carried out: the file ends there */
    struct burning *burning;
    size_t n_burning;
    /* the test at hand */
    const char *name;
    int64_t line;
    size_t expectations, failures;
    fl_usec since;
};
struct report {
    const struct args *a;
    struct fl_buf cases; /* of the form asked for */
    struct fl_jw json;
    size_t tests, failed, expectations;
    struct fl_buf said; /* failures of the test at hand */
    struct fl_jw said_json;
    struct fl_buf errors; /* of -o json: what is no test result but a fault of a file */
    struct fl_jw errors_json;
    size_t n_errors;
};

/* ---- reporting ---- */

static void xml(struct fl_buf *out, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<': fl_buf_str(out, "&lt;"); break;
        case '>': fl_buf_str(out, "&gt;"); break;
        case '&': fl_buf_str(out, "&amp;"); break;
        case '"': fl_buf_str(out, "&quot;"); break;
        case '\n': fl_buf_chr(out, '\n'); break;
        default: fl_buf_chr(out, (unsigned char)*s < ' ' ? '?' : *s);
        }
}

static void say_failure(struct report *r, struct test_file *f, int64_t line, const char *text)
{
    f->failures++;
    if (r->a->json) {
        fl_jw_obj(&r->said_json, NULL);
        fl_jw_int(&r->said_json, "line", line);
        fl_jw_str(&r->said_json, "text", text);
        fl_jw_obj_end(&r->said_json);
    } else if (r->a->junit) {
        fl_buf_printf(&r->said, "<failure message=\"line %lld\">", (long long)line);
        xml(&r->said, text);
        fl_buf_str(&r->said, "</failure>");
    } else {
        for (const char *p = text, *end; *p; p = end + (*end == '\n')) { /* what differs, and below it why */
            end = p + strcspn(p, "\n");
            if (*p != ' ')
                fl_buf_printf(&r->said, "%s:%lld: %s: ", f->path, (long long)line, f->name);
            fl_buf_printf(&r->said, "%.*s\n", (int)(end - p), p);
        }
    }
}

/* The line of "path:12" or "path:12: text" that stands in s, 0: none. *ret_text: after it. */
static long long line_of(const char *s, const char *path, const char **ret_text)
{
    const char *at = path ? strstr(s, path) : NULL;
    char *end;
    if (!at || at[strlen(path)] != ':')
        return 0;
    long long line = strtoll(at + strlen(path) + 1, &end, 10);
    *ret_text = *end == ':' && end[1] == ' ' ? end + 2 : end;
    return line > 0 && (!*end || *end == ':') ? line : 0;
}

/* A file that says something without meaning, or cannot be read. In words on standard error whatever the form of the report,
 * which carries it too. @param path NULL: where is in the error. */
static void say_broken(struct report *r, const char *path, const char *test, const struct fl_err *err)
{
    const char *text = err->text, *rest = "";
    long long line = line_of(err->where, path, &rest);
    if (!line && (line = line_of(err->text, path, &rest)) != 0)
        text = rest;
    fail_with("check --test", err);
    r->n_errors++;
    if (r->a->json) {
        fl_jw_obj(&r->errors_json, NULL);
        fl_jw_str(&r->errors_json, "file", path ? path : err->where);
        if (line)
            fl_jw_int(&r->errors_json, "line", line);
        if (test)
            fl_jw_str(&r->errors_json, "test", test);
        fl_jw_str(&r->errors_json, "text", text);
        if (err->hint[0])
            fl_jw_str(&r->errors_json, "hint", err->hint);
        fl_jw_obj_end(&r->errors_json);
    } else if (r->a->junit) {
        fl_buf_str(&r->cases, "<testcase classname=\"");
        xml(&r->cases, path ? path : err->where);
        fl_buf_str(&r->cases, "\" name=\"the file itself\">");
        fl_buf_printf(&r->cases, "<error message=\"line %lld\">", line);
        xml(&r->cases, text);
        fl_buf_str(&r->cases, "</error></testcase>\n");
    }
}

static void end_test(struct report *r, struct test_file *f)
{
    if (!f->begun)
        return;
    if (!f->expectations && !f->broken)
        say_failure(r, f, f->line, "the test expects nothing: it could not fail\n");
    r->tests++;
    r->failed += f->failures || f->broken;
    r->expectations += f->expectations;
    if (r->a->json) {
        fl_jw_obj(&r->json, NULL);
        fl_jw_str(&r->json, "file", f->path);
        fl_jw_int(&r->json, "line", f->line);
        fl_jw_str(&r->json, "name", f->name);
        fl_jw_bool(&r->json, "passed", !f->failures && !f->broken);
        fl_jw_int(&r->json, "expectations", (int64_t)f->expectations);
        FL_AUTO_BUF list = fl_buf_init(BODY_MAX);
        fl_buf_printf(&list, "[%s]", r->said.p ? r->said.p : "");
        fl_jw_raw(&r->json, "failures", list.p);
        fl_jw_obj_end(&r->json);
    } else if (r->a->junit) {
        fl_buf_str(&r->cases, "<testcase classname=\"");
        xml(&r->cases, f->path);
        fl_buf_str(&r->cases, "\" name=\"");
        xml(&r->cases, f->name);
        fl_buf_printf(&r->cases, "\" time=\"%.3f\">%s</testcase>\n", (double)(fl_mono() - f->since) / 1e6,
                      r->said.p ? r->said.p : "");
    } else if (r->said.n) {
        for (const char *p = r->said.p; *p; p += strcspn(p, "\n") + (p[strcspn(p, "\n")] == '\n')) {
            FL_AUTO_FREE char *line = strndup(p, strcspn(p, "\n"));
            put_text(stdout, line ? line : "", 0);
            putchar('\n');
        }
    }
    fl_buf_done(&r->said);
    r->said = fl_buf_init(BODY_MAX);
    r->said_json = fl_jw_init(&r->said);
    world_end(&f->w);
    for (size_t i = 0; i < f->n_burning; i++)
        free(f->burning[i].labels);
    f->n_burning = 0;
    f->begun = false;
}

/* ---- statements ---- */

static fl_status only(const struct fl_json *v, const char *what, const char *const *names, size_t n,
                      struct fl_err *err)
{
    if (v && !fl_json_is_object(v))
        return fl_fail(err, FL_E_SHAPE, "", "%s: expected a table with names", what);
    for (void *it = v ? fl_json_first(v) : NULL; it; it = fl_json_next(v, it)) {
        size_t i = 0;
        while (i < n && !fl_streq(names[i], fl_json_key(it)))
            i++;
        const char *near = i < n ? NULL : fl_nearest_word(fl_json_key(it), names, n);
        if (i == n)
            return fl_fail(err, FL_E_SHAPE, "", "%s: unknown field \"%.60s\"%s%s%s", what, fl_json_key(it),
                           near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return FL_OK;
}

static fl_status duration(const struct fl_json *v, const char *what, fl_usec *ret, struct fl_err *err)
{
    double s = fl_json_number(v, -1);
    if (fl_json_is_number(v) && s >= 0 && s <= 3650.0 * 86400)
        *ret = (fl_usec)(s * 1e6);
    else if (!fl_json_string(v) || !fl_parse_duration(fl_json_string(v), ret))
        return fl_fail(err, FL_E_SHAPE, "", "%s: expected seconds, or text such as \"90s\", \"5m\"", what);
    return FL_OK;
}

static fl_status do_at(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    fl_usec at = 0;
    fl_status st = duration(fl_json_get(s, "a"), "at", &at, err);
    return st == FL_OK ? world_wait(&f->w, at, err) : st;
}

static fl_status do_topology(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    const struct fl_json *v = fl_json_get(s, "a");
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (fl_json_is_string(v)) { /* relative to the test file */
        const char *slash = strrchr(f->path, '/'), *name = fl_json_string(v);
        char path[4096];
        snprintf(path, sizeof path, "%.*s%s", *name == '/' || !slash ? 0 : (int)(slash - f->path + 1),
                 f->path, name);
        fl_status st = fl_read_file(path, BODY_MAX, &text, &n, err);
        if (st != FL_OK)
            return st;
    } else {
        text = fl_json_text(v, false);
        n = text ? strlen(text) : 0;
    }
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_topology_doc doc;
    if (!text || !arena)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_intake_topology(arena, text, n, &doc, err);
    return st == FL_OK ? world_event(&f->w, FL_EV_TOPOLOGY, "", text, n, err) : st;
}

static struct burning *burning_of(struct test_file *f, const char *labels)
{
    for (size_t i = 0; i < f->n_burning; i++)
        if (!f->burning[i].over && fl_streq(f->burning[i].labels, labels))
            return &f->burning[i];
    return NULL;
}

static fl_status post_alert(struct test_file *f, const struct fl_json *s, const char *labels, fl_usec starts,
                            fl_usec ends, struct fl_err *err)
{
    FL_AUTO_BUF b = fl_buf_init(BODY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    const struct fl_json *notes = fl_json_get(fl_json_get(s, "b"), "annotations");
    FL_AUTO_FREE char *notes_text = notes ? fl_json_text(notes, true) : NULL;
    fl_jw_arr(&w, NULL);
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "labels", labels);
    if (notes_text)
        fl_jw_raw(&w, "annotations", notes_text);
    fl_jw_time(&w, "startsAt", starts);
    if (ends)
        fl_jw_time(&w, "endsAt", ends);
    fl_jw_obj_end(&w);
    fl_jw_arr_end(&w);
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_intake in = {0};
    if (b.failed || !arena)
        return fl_fail(err, FL_E_LIMIT, NULL, "the alert is too long");
    fl_status st = fl_intake_parse(arena, FL_FORMAT_ALERTMANAGER_V2, b.p, b.n, f->w.now, &in, err);
    if (st == FL_OK && in.n_rejects)
        st = fl_fail(err, FL_E_SHAPE, "", "%s: %s", in.rejects[0].where, in.rejects[0].reason);
    if (st == FL_OK)
        st = world_event(&f->w, FL_EV_ALERTS, "alertmanager-v2", b.p, b.n, err);
    return st == FL_OK ? beats_heard(&f->w, "alertmanager-v2", in.alerts, in.n_alerts, err) : st;
}

static fl_status do_fire(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    static const char *const options[] = {"annotations"};
    fl_status st = only(fl_json_get(s, "b"), "fire", options, 1, err);
    if (st != FL_OK)
        return st;
    FL_AUTO_FREE char *labels = fl_json_text(fl_json_get(s, "a"), true);
    struct burning *b = labels ? burning_of(f, labels) : NULL;
    if (labels && !b) {
        struct burning *more = realloc(f->burning, (f->n_burning + 1) * sizeof *more);
        if (!more)
            return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
        f->burning = more;
        b = &more[f->n_burning++];
        *b = (struct burning){labels, f->w.now, false};
        labels = NULL;
    }
    return b ? post_alert(f, s, b->labels, b->starts, 0, err)
             : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

static fl_status do_end(struct test_file *f, const struct fl_json *s, bool silent, struct fl_err *err)
{
    const char *what = silent ? "silent" : "resolve";
    FL_AUTO_FREE char *labels = fl_json_text(fl_json_get(s, "a"), true);
    struct burning *b = labels ? burning_of(f, labels) : NULL;
    if (!b)
        return fl_fail(err, FL_E_SHAPE, "", "%s: nothing was fired with exactly the labels %.300s", what,
                       labels ? labels : "?");
    if (!silent) {
        b->over = true;
        return post_alert(f, s, b->labels, b->starts, f->w.now, err);
    }
    const struct seen_alert *a = world_alert(&f->w, fl_json_get(s, "a"));
    char body[200], hex[17];
    if (!a)
        return fl_fail(err, FL_E_SHAPE, "", "silent: the alert is not known");
    snprintf(body, sizeof body, "{\"alerts\":[{\"fingerprint\":\"%s\",\"starts_at\":%lld}]}",
             fl_fingerprint_hex(a->fingerprint, hex), (long long)a->starts_at);
    return world_event(&f->w, FL_EV_ALERT_EXPIRED, "", body, strlen(body), err);
}

static const char *const ops[] = {"=", "!=", "=~", "!~"};

/* One matcher, as Alertmanager's API has it, or as the rules. */
static void write_matcher(struct fl_jw *w, const char *label, size_t op, const char *value, bool as_rules)
{
    fl_jw_obj(w, NULL);
    fl_jw_str(w, as_rules ? "label" : "name", label);
    fl_jw_str(w, "value", value);
    if (as_rules) {
        fl_jw_str(w, "op", ops[op]);
    } else {
        fl_jw_bool(w, "isRegex", op >= 2);
        fl_jw_bool(w, "isEqual", op % 2 == 0);
    }
    fl_jw_obj_end(w);
}

/* match = { label = "value" }, or as in the rules { { label =, op =, value = } } */
static fl_status write_matchers(struct fl_jw *w, const char *what, const struct fl_json *match, bool as_rules,
                                struct fl_err *err)
{
    static const char *const names[] = {"label", "op", "value"};
    fl_jw_arr(w, as_rules ? "match" : "matchers");
    bool list = fl_json_is_array(match);
    void *it = list || !match ? NULL : fl_json_first(match);
    for (size_t i = 0; list ? i < fl_json_len(match) : it != NULL; i++) {
        const struct fl_json *m = list ? fl_json_at(match, i) : NULL;
        char where[40];
        snprintf(where, sizeof where, "%.20s: match", what);
        fl_status st = only(m, where, names, 3, err);
        if (st != FL_OK)
            return st;
        const char *op = m ? fl_json_str(m, "op", "=") : "=";
        size_t k = 0;
        while (k < FL_ARRAY_LEN(ops) && !fl_streq(ops[k], op))
            k++;
        if (k == FL_ARRAY_LEN(ops))
            return fl_fail(err, FL_E_SHAPE, "", "%s: op \"%.20s\": write =, !=, =~ or !~", what, op);
        write_matcher(w, m ? fl_json_str(m, "label", "") : fl_json_key(it), k,
                      m ? fl_json_str(m, "value", "") : fl_json_string(fl_json_value(it)), as_rules);
        it = list ? NULL : fl_json_next(match, it);
    }
    fl_jw_arr_end(w);
    return FL_OK;
}

static fl_status command(struct test_file *f, const char *body, size_t n, struct fl_err *err)
{
    fl_status st = world_event(&f->w, FL_EV_COMMAND, "", body, n, err);
    if (st != FL_OK || f->w.answer == FL_OK)
        return st;
    struct fl_err none = {0};
    FL_AUTO_JSON v = fl_json_parse(f->w.answer_text, strlen(f->w.answer_text), &none);
    return fl_fail(err, f->w.answer, "", "refused: %s",
                   fl_json_str(fl_json_get(v, "error"), "message", f->w.answer_text));
}

static fl_status do_silence(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    static const char *const names[] = {"match", "lasts", "comment"};
    const struct fl_json *a = fl_json_get(s, "a"), *lasts = fl_json_get(a, "lasts");
    fl_usec d = 3600 * FL_USEC_PER_SEC;
    fl_status st = only(a, "silence", names, FL_ARRAY_LEN(names), err);
    if (st == FL_OK && !fl_json_get(a, "match"))
        st = fl_fail(err, FL_E_SHAPE, "", "silence: match is required: match = { alertname = \"X\" }");
    if (st == FL_OK && lasts)
        st = duration(lasts, "silence: lasts", &d, err);
    if (st != FL_OK)
        return st;
    FL_AUTO_BUF b = fl_buf_init(BODY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", "silence.set");
    fl_jw_obj(&w, "silence");
    st = write_matchers(&w, "silence", fl_json_get(a, "match"), false, err);
    fl_jw_time(&w, "startsAt", f->w.now);
    fl_jw_time(&w, "endsAt", f->w.now + d);
    fl_jw_str(&w, "createdBy", "test");
    fl_jw_str(&w, "comment", fl_json_str(a, "comment", "of a test"));
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
    return st == FL_OK ? command(f, b.p, b.n, err) : st;
}

/* A window from now on, or every week. */
static fl_status do_maintenance(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    static const char *const names[] = {"match", "components", "dependants", "lasts", "weekly", "comment"};
    static const char *const copied[] = {"components", "dependants", "weekly"};
    const struct fl_json *a = fl_json_get(s, "a"), *lasts = fl_json_get(a, "lasts");
    fl_usec d = 3600 * FL_USEC_PER_SEC;
    fl_status st = only(a, "maintenance", names, FL_ARRAY_LEN(names), err);
    if (st == FL_OK && lasts)
        st = duration(lasts, "maintenance: lasts", &d, err);
    FL_AUTO_BUF b = fl_buf_init(BODY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "op", "maintenance.add");
    fl_jw_obj(&w, "window");
    fl_jw_str(&w, "comment", fl_json_str(a, "comment", "of a test"));
    if (st == FL_OK && fl_json_get(a, "match"))
        st = write_matchers(&w, "maintenance", fl_json_get(a, "match"), true, err);
    for (size_t i = 0; i < FL_ARRAY_LEN(copied); i++) {
        const struct fl_json *v = fl_json_get(a, copied[i]);
        FL_AUTO_FREE char *text = v ? fl_json_text(v, true) : NULL;
        if (text)
            fl_jw_raw(&w, copied[i], text);
    }
    if (lasts || !fl_json_get(a, "weekly")) {
        fl_jw_time(&w, "starts_at", f->w.now);
        fl_jw_time(&w, "ends_at", f->w.now + d);
    }
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
    return st == FL_OK ? command(f, b.p, b.n, err) : st;
}

static fl_status do_change(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    const struct fl_json *a = fl_json_get(s, "a");
    FL_AUTO_BUF b = fl_buf_init(BODY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    char id[40];
    snprintf(id, sizeof id, "line-%lld", (long long)fl_json_int(s, "line", 0));
    fl_jw_obj(&w, NULL);
    if (!fl_json_get(a, "time"))
        fl_jw_time(&w, "time", f->w.now);
    if (!fl_json_get(a, "id"))
        fl_jw_str(&w, "id", id);
    for (void *it = fl_json_first(a); it; it = fl_json_next(a, it)) {
        FL_AUTO_FREE char *text = fl_json_text(fl_json_value(it), true);
        fl_jw_raw(&w, fl_json_key(it), text ? text : "null");
    }
    fl_jw_obj_end(&w);
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_change *changes;
    size_t n;
    if (!arena || b.failed)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    fl_status st = fl_intake_changes(arena, b.p, b.n, f->w.now, &changes, &n, err);
    return st == FL_OK ? world_event(&f->w, FL_EV_CHANGE, "", b.p, b.n, err) : st;
}

/* sends "prometheus eu1", silent "prometheus eu1": of the sender that this heartbeat rule watches. */
static fl_status do_sender(struct test_file *f, const char *what, const struct fl_json *s, struct fl_err *err)
{
    const char *rule = fl_json_string(fl_json_get(s, "a"));
    if (!rule || fl_json_get(s, "b"))
        return fl_fail(err, FL_E_SHAPE, "", "%s: expected the name of a heartbeat rule: %s \"prometheus\"",
                       what, what);
    return beats_say(&f->w, rule, what[1] == 'e', err);
}

static fl_status do_command(struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    FL_AUTO_FREE char *text = fl_json_text(fl_json_get(s, "a"), true);
    return text ? command(f, text, strlen(text), err) : fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

static fl_status do_expect(struct report *r, struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    FL_AUTO_BUF out = fl_buf_init(BODY_MAX);
    fl_status st = world_expect(&f->w, fl_json_get(s, "a"), &f->expectations, &out, err);
    if (out.n) {
        f->expectations += !f->expectations;
        say_failure(r, f, fl_json_int(s, "line", 0), out.p);
    }
    return st;
}

static fl_status do_test(struct report *r, struct test_file *f, const struct fl_json *s, struct fl_err *err)
{
    end_test(r, f);
    f->name = fl_json_str(s, "a", NULL);
    f->line = fl_json_int(s, "line", 0);
    f->expectations = f->failures = 0;
    f->since = fl_mono();
    if (!f->name || !*f->name)
        return fl_fail(err, FL_E_SHAPE, "", "test: expected a name: test \"one cause, one incident\"");
    fl_status st = world_begin(&f->w, f->sources, err);
    f->begun = st == FL_OK;
    return st;
}

static fl_status do_statement(struct report *r, struct test_file *f, const struct fl_json *s,
                              struct fl_err *err)
{
    const char *what = fl_json_str(s, "do", "");
    const struct fl_json *a = fl_json_get(s, "a");
    if (fl_streq(what, "test"))
        return do_test(r, f, s, err);
    if (!f->begun)
        return fl_fail(err, FL_E_SHAPE, "", "%s: there is no test yet: begin with test \"its name\"", what);
    if (fl_streq(what, "at"))
        return do_at(f, s, err);
    if (fl_streq(what, "topology"))
        return do_topology(f, s, err);
    if (fl_streq(what, "sends") || (fl_streq(what, "silent") && fl_json_is_string(a)))
        return do_sender(f, what, s, err);
    if (!fl_json_is_object(a))
        return fl_fail(err, FL_E_SHAPE, "", "%s: expected a table with names, such as { alertname = \"X\" }",
                       what);
    if (fl_json_get(s, "b") && !fl_streq(what, "fire"))
        return fl_fail(err, FL_E_SHAPE, "", "%s: takes one table", what);
    if (fl_streq(what, "fire"))
        return do_fire(f, s, err);
    if (fl_streq(what, "resolve") || fl_streq(what, "silent"))
        return do_end(f, s, what[0] == 's', err);
    if (fl_streq(what, "silence"))
        return do_silence(f, s, err);
    if (fl_streq(what, "maintenance"))
        return do_maintenance(f, s, err);
    if (fl_streq(what, "change"))
        return do_change(f, s, err);
    if (fl_streq(what, "command"))
        return do_command(f, s, err);
    return do_expect(r, f, s, err);
}

static fl_status run_file(struct report *r, const struct fl_sources *sources, const char *path,
                          struct fl_err *err)
{
    FL_AUTO_FREE char *text = NULL, *json = NULL;
    size_t n = 0;
    struct test_file f = {.path = path, .sources = sources};
    const char *broken_in = NULL;
    fl_status st = fl_read_file(path, FILE_MAX, &text, &n, err);
    if (st == FL_OK)
        st = fl_script_eval(FL_SCRIPT_TIMELINE, path, text, n, 20 * FL_USEC_PER_SEC, &json, err);
    FL_AUTO_JSON list = st == FL_OK ? fl_json_parse(json, strlen(json), err) : NULL;
    for (size_t i = 0; st == FL_OK && i < fl_json_len(list); i++) {
        const struct fl_json *s = fl_json_at(list, i);
        st = do_statement(r, &f, s, err);
        if (st != FL_OK) {
            broken_in = f.begun ? f.name : NULL;
            /* A field of the statement, if any, goes into the text: where is the line. */
            struct fl_err inner = *err;
            char where[sizeof err->where];
            snprintf(where, sizeof where, "%.150s:%lld", path, (long long)fl_json_int(s, "line", 0));
            f.broken = true;
            fl_err_clear(err);
            st = fl_fail(err, inner.status, where, "%s%s%s", inner.where, inner.where[0] ? ": " : "",
                         inner.text);
        }
    }
    if (st != FL_OK)
        say_broken(r, path, broken_in, err);
    end_test(r, &f);
    free(f.burning);
    return st;
}

/* ---- the command ---- */

static void print_problem(void *ctx, const struct fl_err *err)
{
    say_broken(ctx, NULL, NULL, err);
}

static void print_report(const struct report *r, fl_usec took)
{
    if (r->a->json) {
        printf("{\"tests\":[%s],\"passed\":%zu,\"failed\":%zu,\"expectations\":%zu,\"errors\":[%s]}\n",
               r->cases.p ? r->cases.p : "", r->tests - r->failed, r->failed, r->expectations,
               r->errors.p ? r->errors.p : "");
    } else if (r->a->junit) {
        printf(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"faultline check\" "
            "tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" time=\"%.3f\">\n%s</testsuite>\n</testsuites>\n",
            r->tests + r->n_errors, r->failed, r->n_errors, (double)took / 1e6, r->cases.p ? r->cases.p : "");
    } else if (!r->n_errors || r->tests) {
        printf("%zu tests, %zu expectations, %zu failed (%.0f ms)\n", r->tests, r->expectations, r->failed,
               (double)took / 1e3);
    }
}

/* @return false: a file is broken. */
static bool run_files(struct report *r, const struct fl_sources *s)
{
    struct fl_err err = {0};
    bool ok = true;
    for (size_t i = 0; i <= r->a->n_pos; i++) {
        const char *path = i ? r->a->pos[i - 1] : arg(r->a, "test");
        ok &= run_file(r, s, path, &err) == FL_OK;
        fl_err_clear(&err);
    }
    return ok;
}

int cmd_check_test(struct args *a)
{
    struct fl_config *c = NULL;
    struct fl_sources s;
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    struct report r = {.a = a,
                       .cases = fl_buf_init(BODY_MAX),
                       .said = fl_buf_init(BODY_MAX),
                       .errors = fl_buf_init(BODY_MAX)};
    r.json = fl_jw_init(&r.cases);
    r.said_json = fl_jw_init(&r.said);
    r.errors_json = fl_jw_init(&r.errors);
    fl_usec began = fl_mono();
    fl_topo_init();
    code = EXIT_USAGE;
    if (fl_sources_load(c, &s, print_problem, &r) == FL_OK) {
        if (run_files(&r, &s))
            code = r.failed || !r.tests ? EXIT_FINDING : EXIT_FINE;
        fl_sources_done(&s);
    }
    print_report(&r, fl_mono() - began);
    fl_buf_done(&r.cases);
    fl_buf_done(&r.said);
    fl_buf_done(&r.errors);
    fl_config_free(c);
    return code;
}
