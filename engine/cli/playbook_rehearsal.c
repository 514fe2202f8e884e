/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/playbook_rehearsal.c -- playbooks against recorded replies; contract in playbook_offline.h.
 * A fixture is data:
 *   return { playbook = "../../playbooks/x.lua", cases = { {
 *     name = "…", ctx = { params = {…}, cause = {…}, incident = {…} },
 *     replies = { { call = "http GET http://h/health", reply = { status = 200 } }, … },
 *     expect = { ending = "ok", result = …, error = "part of the text", calls = { "http GET …", … } } } } }
 * A reply is reply = {…} (over a good answer's defaults), error = "…", denied = "…" or in_doubt = true. */
#include "playbook_offline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REHEARSAL_SECONDS = 30, FIXTURE_MAX = 1 << 20 };

struct stage {
    const struct rehearsal_case *c;
    struct rehearsal_outcome *o;
    size_t next; /* reply */
};

/* ---- what a call is, in words ---- */

static void describe(struct fl_buf *out, const char *fn, const struct fl_json *args)
{
    if (fl_streq(fn, "http")) {
        fl_buf_printf(out, "http %s %s", fl_json_str(args, "method", "GET"), fl_json_str(args, "url", ""));
    } else if (fl_streq(fn, "command")) {
        const struct fl_json *list = fl_json_get(args, "args");
        fl_buf_printf(out, "command %s", fl_json_str(args, "name", ""));
        for (size_t i = 0; i < fl_json_len(list); i++)
            fl_buf_printf(out, " %s", fl_json_string(fl_json_at(list, i)));
    } else if (fl_streq(fn, "sleep")) {
        fl_buf_printf(out, "sleep %g", fl_json_real(args, "seconds", 0));
    } else if (fl_streq(fn, "log")) {
        fl_buf_printf(out, "log %s", fl_json_str(args, "text", ""));
    } else if (fl_streq(fn, "settle")) {
        fl_buf_printf(out, "settle %s", fl_json_str(args, "verdict", ""));
    } else {
        fl_buf_printf(out, "%s %s", fn, fl_json_str(args, "name", ""));
    }
}

static bool acts(const char *fn)
{
    return fl_streq(fn, "http") || fl_streq(fn, "command");
}

/* ---- answers ---- */

static void good_answer(struct fl_buf *out, const char *fn, const struct fl_json *over)
{
    struct fl_jw w = fl_jw_init(out);
    const bool http = fl_streq(fn, "http");
    fl_jw_obj(&w, NULL);
    if (!fl_json_get(over, http ? "status" : "code"))
        fl_jw_int(&w, http ? "status" : "code", http ? 200 : 0);
    if (http && !fl_json_get(over, "headers"))
        fl_jw_raw(&w, "headers", "{}");
    static const char *const texts[] = {"body", "stdout", "stderr"};
    for (size_t i = http ? 0 : 1; i < (http ? 1u : 3u); i++)
        if (!fl_json_get(over, texts[i]))
            fl_jw_str(&w, texts[i], "");
    for (void *it = over ? fl_json_first(over) : NULL; it; it = fl_json_next(over, it)) {
        FL_AUTO_FREE char *v = fl_json_text(fl_json_value(it), true);
        fl_jw_raw(&w, fl_json_key(it), v);
    }
    fl_jw_obj_end(&w);
}

static void answer_act(struct stage *s, unsigned n, const char *fn, const char *words, struct fl_buf *reply)
{
    const struct fl_json *list = s->c->replies, *r = list ? fl_json_at(list, s->next) : NULL;
    if (list && (!r || (fl_json_get(r, "call") && !fl_streq(fl_json_str(r, "call", ""), words)))) {
        struct fl_buf b = fl_buf_init(0);
        if (r)
            fl_buf_printf(&b, "asked for \"%s\" where the replies have \"%s\"", words,
                          fl_json_str(r, "call", ""));
        else
            fl_buf_printf(&b, "asked for \"%s\" after the last reply", words);
        s->o->unexpected = fl_buf_take(&b, NULL);
        return; /* no answer: the run ends */
    }
    s->next++;
    FL_AUTO_BUF good = fl_buf_init(0);
    if (fl_json_bool(r, "in_doubt", false))
        fl_frame_put_failed(reply, n, "in_doubt", "nobody knows");
    else if (fl_json_get(r, "error"))
        fl_frame_put_failed(reply, n, "failed", fl_json_str(r, "error", "failed"));
    else if (fl_json_get(r, "denied"))
        fl_frame_put_failed(reply, n, "denied", fl_json_str(r, "denied", "denied"));
    else {
        good_answer(&good, fn, fl_json_get(r, "reply"));
        fl_frame_put_done(reply, n, good.p);
    }
}

static void answer(void *arg, unsigned n, const char *fn, const char *args_text, const char *step,
                   struct fl_buf *reply)
{
    struct stage *s = arg;
    FL_AUTO_JSON args = fl_json_parse(args_text, strlen(args_text), NULL);
    FL_AUTO_BUF words = fl_buf_init(0);
    describe(&words, fn, args);
    if (s->c->print)
        printf("%3u  %s%s%s%s\n", n, words.p, *step ? "   (step \"" : "", step, *step ? "\")" : "");
    if (acts(fn)) {
        fl_buf_printf(&s->o->acts, "%s\n", words.p);
        s->o->n_acts++;
        answer_act(s, n, fn, words.p, reply);
    } else if (fl_streq(words.p, "settle ask")) {
        fl_buf_printf(&s->o->acts, "%s\n", words.p);
        const struct fl_json *r = s->c->replies ? fl_json_at(s->c->replies, s->next) : NULL;
        FL_AUTO_FREE char *given = r && fl_streq(fl_json_str(r, "call", ""), "settle ask")
                                       ? fl_json_text(fl_json_get(r, "reply"), true)
                                       : NULL;
        s->next += given != NULL;
        fl_frame_put_done(reply, n, given ? given : "{\"verdict\":\"done\"}");
    } else {
        fl_frame_put_done(reply, n, NULL);
    }
}

fl_status rehearse_case(const struct rehearsal_case *c, struct rehearsal_outcome *ret, struct fl_err *err)
{
    char program[4096];
    const struct fl_worker_limits limits = FL_WORKER_LIMITS;
    *ret = (struct rehearsal_outcome){.acts = fl_buf_init(0)};
    struct stage s = {.c = c, .o = ret};
    fl_status st = fl_worker_find(NULL, program, sizeof program, err);
    if (!st)
        st = fl_script_rehearse(program, &limits, c->file, c->source, c->n, c->ctx,
                                REHEARSAL_SECONDS * FL_USEC_PER_SEC, answer, &s, &ret->r, err);
    if (c->replies)
        ret->unused = fl_json_len(c->replies) > s.next ? fl_json_len(c->replies) - s.next : 0;
    return st;
}

void rehearsal_outcome_done(struct rehearsal_outcome *o)
{
    fl_rehearsal_done(&o->r);
    fl_buf_done(&o->acts);
    free(o->unexpected);
}

void rehearsal_json(const struct rehearsal_outcome *o)
{
    FL_AUTO_BUF out = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "ending", o->r.ending);
    fl_jw_str(&w, "error", o->r.error);
    fl_jw_raw(&w, "result", o->r.result);
    fl_jw_arr(&w, "actions");
    for (const char *p = o->acts.p; p && *p; p += strcspn(p, "\n") + 1)
        fl_jw_strn(&w, NULL, p, strcspn(p, "\n"));
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    puts(out.p);
}

/* ---- tests ---- */

fl_status offline_fixture(const char *path, char **ret_json, struct fl_err *err)
{
    FL_AUTO_BUF text = fl_buf_init(FIXTURE_MAX);
    fl_status st = offline_read(path, &text, err);
    return st ? st
              : fl_script_eval(FL_SCRIPT_CONFIG, path, text.p, text.n, REHEARSAL_SECONDS * FL_USEC_PER_SEC,
                               ret_json, err);
}

/* @return NULL when all is as expected, else what is not, malloc()ed. */
static char *compare(const struct fl_json *expect, const struct rehearsal_outcome *o)
{
    struct fl_buf b = fl_buf_init(0);
    const char *ending = fl_json_str(expect, "ending", "ok"), *error = fl_json_str(expect, "error", NULL);
    const struct fl_json *calls = fl_json_get(expect, "calls"), *result = fl_json_get(expect, "result");
    FL_AUTO_FREE char *want = result ? fl_json_text(result, true) : NULL;
    FL_AUTO_BUF list = fl_buf_init(0);
    for (size_t i = 0; i < fl_json_len(calls); i++)
        fl_buf_printf(&list, "%s\n", fl_json_string(fl_json_at(calls, i)));
    if (o->unexpected)
        fl_buf_str(&b, o->unexpected);
    else if (!fl_streq(o->r.ending, ending))
        fl_buf_printf(&b, "ended %s (%s), not %s", o->r.ending, o->r.error ? o->r.error : "no error", ending);
    else if (error && (!o->r.error || !strstr(o->r.error, error)))
        fl_buf_printf(&b, "the error \"%s\" does not say \"%s\"", o->r.error ? o->r.error : "", error);
    else if (want && !fl_streq(want, o->r.result))
        fl_buf_printf(&b, "the result is %s, not %s", o->r.result ? o->r.result : "nothing", want);
    else if (calls && !fl_streq(list.p ? list.p : "", o->acts.p ? o->acts.p : ""))
        fl_buf_printf(&b, "the actions were\n%snot\n%s", o->acts.p ? o->acts.p : "", list.p ? list.p : "");
    else if (o->unused)
        fl_buf_printf(&b, "%zu replies were not asked for", o->unused);
    return b.p ? fl_buf_take(&b, NULL) : NULL;
}

static void write_test_ctx(struct fl_buf *out, const struct fl_json *ctx)
{
    struct fl_jw w = fl_jw_init(out);
    static const char *const parts[] = {"incident", "cause", "params"};
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "run", "RUN-TEST");
    fl_jw_int(&w, "now", fl_json_int(ctx, "now", 1700000000));
    for (size_t i = 0; i < FL_ARRAY_LEN(parts); i++) {
        const struct fl_json *v = fl_json_get(ctx, parts[i]);
        FL_AUTO_FREE char *s = v ? fl_json_text(v, true) : NULL;
        fl_jw_raw(&w, parts[i], s ? s : "{}");
    }
    fl_jw_obj_end(&w);
}

static fl_status run_case(const char *book, const struct fl_buf *source, const struct fl_json *c,
                          size_t *passed, size_t *failed, struct fl_err *err)
{
    FL_AUTO_BUF ctx = fl_buf_init(0);
    write_test_ctx(&ctx, fl_json_get(c, "ctx"));
    struct rehearsal_case rc = {.file = book,
                                .source = source->p,
                                .n = source->n,
                                .ctx = ctx.p,
                                .replies = fl_json_get(c, "replies")};
    struct rehearsal_outcome o;
    fl_status st = rehearse_case(&rc, &o, err);
    if (!st) {
        FL_AUTO_FREE char *wrong = compare(fl_json_get(c, "expect"), &o);
        printf("%s  %s: %s%s%s\n", wrong ? "FAILED" : "ok", book,
               fl_json_str(c, "name", "a case without a name"), wrong ? "\n  " : "", wrong ? wrong : "");
        ++*(wrong ? failed : passed);
    }
    rehearsal_outcome_done(&o);
    return st;
}

fl_status offline_test_file(const char *path, size_t *passed, size_t *failed, struct fl_err *err)
{
    FL_AUTO_FREE char *json = NULL;
    FL_AUTO_BUF source = fl_buf_init(FIXTURE_MAX);
    char book[4096];
    fl_status st = offline_fixture(path, &json, err);
    if (st)
        return st;
    FL_AUTO_JSON doc = fl_json_parse(json, strlen(json), NULL);
    const char *name = fl_json_str(doc, "playbook", ""), *slash = strrchr(path, '/');
    const struct fl_json *cases = fl_json_get(doc, "cases");
    if (!*name || !fl_json_len(cases))
        return fl_fail(err, FL_E_SHAPE, path, "a test returns { playbook = \"FILE\", cases = { … } }");
    snprintf(book, sizeof book, "%.*s%s", *name == '/' || !slash ? 0 : (int)(slash - path + 1), path, name);
    st = offline_read(book, &source, err);
    for (size_t i = 0; !st && i < fl_json_len(cases); i++)
        st = run_case(book, &source, fl_json_at(cases, i), passed, failed, err);
    return st;
}
