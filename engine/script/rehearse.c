/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/rehearse.c -- one worker served to its end by the calling thread; contract in
 * <faultline/script.h>. fl_script_eval is a rehearsal that answers no call. */
#include "script_priv.h"

#include <faultline/json.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct session {
    struct fl_worker w;
    struct fl_buf in, out;
    size_t frame_max;
    void (*answer)(void *arg, unsigned n, const char *fn, const char *args, const char *step,
                   struct fl_buf *reply);
    void *arg;
    struct fl_rehearsal *r;
    bool over;
};

static void end_killed(struct session *s, const char *text)
{
    snprintf(s->r->ending, sizeof s->r->ending, "killed");
    free(s->r->error);
    s->r->error = strdup(text);
    s->over = true;
}

static void on_frame(struct session *s, const char *json, size_t n)
{
    FL_AUTO_JSON f = fl_json_parse(json, n, NULL);
    const char *t = fl_json_str(f, "t", "");
    if (strcmp(t, "end") == 0) {
        snprintf(s->r->ending, sizeof s->r->ending, "%s", fl_json_str(f, "ending", "killed"));
        const char *error = fl_json_str(f, "error", NULL);
        s->r->error = error ? strdup(error) : NULL;
        s->r->result = fl_json_text(fl_json_get(f, "result"), true);
        s->over = true;
        return;
    }
    if (strcmp(t, "call") != 0 || !s->answer) {
        end_killed(s, "the worker sent something unexpected");
        return;
    }
    unsigned call = (unsigned)fl_json_int(f, "n", 0);
    FL_AUTO_FREE char *args = fl_json_text(fl_json_get(f, "args"), true);
    s->r->calls = call;
    size_t before = s->out.n;
    s->answer(s->arg, call, fl_json_str(f, "fn", ""), args ? args : "{}", fl_json_str(f, "step", ""),
              &s->out);
    if (s->out.n == before)
        end_killed(s, "the call got no answer");
}

/* How the process ended, when it ended without saying so. */
static void on_death(struct session *s)
{
    int status = 0;
    while (waitpid(s->w.pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->w.pid = -1;
    s->r->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    char text[128];
    fl_worker_death(status, s->r->ending, sizeof s->r->ending, text, sizeof text);
    free(s->r->error);
    s->r->error = strdup(text);
    s->over = true;
}

static void take_frames(struct session *s)
{
    while (!s->over) {
        char *json = NULL;
        size_t n;
        fl_status st = fl_frame_get(&s->in, s->frame_max, &json, &n);
        if (st == FL_E_NOTFOUND)
            return;
        if (st)
            end_killed(s, "the worker sent a frame that is too long");
        else
            on_frame(s, json, n);
        free(json);
    }
}

static void read_some(struct session *s)
{
    char chunk[65536];
    ssize_t k = read(s->w.fd, chunk, sizeof chunk);
    if (k > 0) {
        fl_buf_add(&s->in, chunk, (size_t)k);
        take_frames(s);
    } else if (k == 0 || (errno != EAGAIN && errno != EINTR)) {
        on_death(s);
    }
}

static void write_some(struct session *s)
{
    ssize_t k = write(s->w.fd, s->out.p, s->out.n);
    if (k > 0) {
        memmove(s->out.p, s->out.p + k, s->out.n - (size_t)k);
        s->out.n -= (size_t)k;
    } else if (k < 0 && errno != EAGAIN && errno != EINTR) {
        on_death(s);
    }
}

static void serve(struct session *s, fl_usec deadline)
{
    while (!s->over) {
        fl_usec left = deadline - fl_mono();
        if (left <= 0) {
            end_killed(s, "over its time");
            return;
        }
        if (s->in.failed || s->out.failed) {
            end_killed(s, "out of memory");
            return;
        }
        struct pollfd p = {.fd = s->w.fd, .events = (short)(POLLIN | (s->out.n ? POLLOUT : 0))};
        int rc = poll(&p, 1, (int)(left / 1000 + 1));
        if (rc <= 0)
            continue;
        if (p.revents & POLLOUT)
            write_some(s);
        if (!s->over && (p.revents & (POLLIN | POLLHUP | POLLERR)))
            read_some(s);
    }
}

fl_status fl_script_session(const char *program, const struct fl_worker_limits *l, const char *kind,
                            const char *name, const char *source, size_t n, const char *ctx, fl_usec budget,
                            void (*answer)(void *arg, unsigned n, const char *fn, const char *args,
                                           const char *step, struct fl_buf *reply),
                            void *arg, struct fl_rehearsal *ret, struct fl_err *err)
{
    *ret = (struct fl_rehearsal){.ending = "killed"};
    if (!fl_utf8_valid(source, n))
        return fl_fail(err, FL_E_SYNTAX, name, "the file is not UTF-8 text");
    struct session s = {.in = fl_buf_init(0),
                        .out = fl_buf_init(0),
                        .frame_max = l->frame_bytes * 16,
                        .answer = answer,
                        .arg = arg,
                        .r = ret};
    fl_frame_put_start(&s.out, kind, name, source, n, ctx);
    if (s.out.failed || s.out.n > l->frame_bytes) {
        fl_buf_done(&s.out);
        return fl_fail(err, FL_E_LIMIT, name, "the file is longer than %zu bytes allow", l->frame_bytes);
    }
    fl_status st = fl_worker_start(program, l, &s.w, err);
    if (st == FL_OK) {
        serve(&s, fl_mono() + budget);
        fl_worker_kill(&s.w);
    }
    fl_buf_done(&s.in);
    fl_buf_done(&s.out);
    return st;
}

fl_status fl_script_rehearse(const char *program, const struct fl_worker_limits *l, const char *name,
                             const char *source, size_t n, const char *ctx, fl_usec budget,
                             void (*answer)(void *arg, unsigned n, const char *fn, const char *args,
                                            const char *step, struct fl_buf *reply),
                             void *arg, struct fl_rehearsal *ret, struct fl_err *err)
{
    return fl_script_session(program, l, "run", name, source, n, ctx, budget, answer, arg, ret, err);
}

void fl_rehearsal_done(struct fl_rehearsal *r)
{
    free(r->error);
    free(r->result);
    *r = (struct fl_rehearsal){.error = NULL};
}

void fl_worker_death(int wait_status, char *ending, size_t ending_cap, char *text, size_t text_cap)
{
    int sig = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
    snprintf(ending, ending_cap, "%s", sig == SIGXCPU ? "cpu" : "killed");
    if (sig == SIGXCPU)
        snprintf(text, text_cap, "over its processor time");
    else if (sig == SIGSYS)
        snprintf(text, text_cap, "the worker made a forbidden system call");
    else if (sig)
        snprintf(text, text_cap, "the worker died of signal %d", sig);
    else
        snprintf(text, text_cap, "the worker left with code %d", WEXITSTATUS(wait_status));
}
