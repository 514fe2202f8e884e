/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/runs.c -- one worker per run: replay from the record, calls to the core, replies back.
 * The runner keeps no verdicts of its own: a call it does not find answered in the record waits for the core. */
#include "runner_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define PARK_SLEEP_SECONDS 5.0 /* a worker starts in some 10 ms */

static struct run *find(struct fl_runner *r, const char *id)
{
    for (struct run *run = r->runs; run; run = run->next)
        if (!run->over && strcmp(run->id, id) == 0)
            return run;
    return NULL;
}

static struct call *call_at(struct run *run, unsigned n)
{
    if (n == 0 || n > CALLS_LIMIT)
        return NULL;
    if (n >= run->n_calls) {
        size_t want = n + 32;
        struct call *p = realloc(run->calls, want * sizeof *p);
        if (!p)
            return NULL;
        memset(p + run->n_calls, 0, (want - run->n_calls) * sizeof *p);
        run->calls = p;
        run->n_calls = want;
    }
    return &run->calls[n];
}

static void set_answer(struct call *c, fl_call_state state, const char *result)
{
    free(c->result);
    c->result = strdup(result ? result : "null");
    c->state = state;
    c->answered = c->result != NULL;
}

/* ---- ending ---- */

static void drop_worker(struct fl_runner *r, struct run *run)
{
    if (!run->live)
        return;
    if (run->socket.fd >= 0)
        epoll_ctl(r->epoll, EPOLL_CTL_DEL, run->socket.fd, NULL);
    run->socket.fd = -1;
    fl_worker_kill(&run->worker);
    run->live = false;
    r->live--;
    pthread_mutex_lock(&r->lock);
    r->stats.workers = r->live;
    pthread_mutex_unlock(&r->lock);
}

/* @param result JSON or NULL */
static void end_run(struct fl_runner *r, struct run *run, const char *ending, const char *error,
                    const char *result)
{
    struct fl_buf b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "run", run->id);
    fl_jw_str(&w, "ending", ending);
    if (error)
        fl_jw_str(&w, "error", error);
    fl_jw_raw(&w, "result", result);
    fl_jw_obj_end(&w);
    runner_post(r, FL_EV_RUN_ENDED, &b);
    drop_worker(r, run);
    run->over = true;
}

static void kill_run(struct fl_runner *r, struct run *run, const char *ending, const char *why)
{
    runner_count(r, &r->stats.workers_killed);
    end_run(r, run, ending, why, NULL);
}

static void on_death(struct fl_runner *r, struct run *run)
{
    int status = 0;
    char ending[16], text[128];
    /* The socket closes only with the process: this does not wait long. */
    while (waitpid(run->worker.pid, &status, 0) < 0 && errno == EINTR)
        ;
    run->worker.pid = -1;
    fl_worker_death(status, ending, sizeof ending, text, sizeof text);
    runner_count(r, &r->stats.workers_killed);
    end_run(r, run, ending, text, NULL);
}

/* ---- parking: who waits for a person, or for long, holds no place and no process ---- */

static bool takes_long(const char *fn, const struct fl_json *args)
{
    if (strcmp(fn, "settle") == 0)
        return strcmp(fl_json_str(args, "verdict", "ask"), "ask") == 0;
    return strcmp(fn, "sleep") == 0 && fl_json_real(args, "seconds", 0) >= PARK_SLEEP_SECONDS;
}

static void park(struct fl_runner *r, struct run *run)
{
    drop_worker(r, run);
    fl_buf_reset(&run->in);
    fl_buf_reset(&run->out);
    run->wants_write = false;
    run->parked = true;
}

/* Replays its calls, all answered by now, from the top. */
static void unpark(struct run *run)
{
    if (run->settling)
        run->deadline += run->deadline ? fl_mono() - run->settling_since : 0;
    run->settling = run->parked = false;
    run->last = run->waiting = 0;
}

/* ---- to the worker ---- */

static void watch_socket(struct fl_runner *r, struct run *run)
{
    bool wants = run->out.n > 0;
    if (wants != run->wants_write && run->socket.fd >= 0)
        source_events(r, &run->socket, EPOLLIN | (wants ? EPOLLOUT : 0));
    run->wants_write = wants;
}

static void flush(struct fl_runner *r, struct run *run)
{
    while (run->out.n) {
        ssize_t k = send(run->worker.fd, run->out.p, run->out.n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break; /* full: EPOLLOUT; gone: EPOLLHUP */
        memmove(run->out.p, run->out.p + k, run->out.n - (size_t)k);
        run->out.n -= (size_t)k;
    }
    watch_socket(r, run);
}

static void answer(struct fl_runner *r, struct run *run, unsigned n, const struct call *c)
{
    if (run->settling) {
        /* People may take their time: the deadline stood still, as in the core. */
        run->deadline += run->deadline ? fl_mono() - run->settling_since : 0;
        run->settling = false;
    }
    run->waiting = 0;
    if (c->state == FL_CALL_DONE) {
        fl_frame_put_done(&run->out, n, c->result);
    } else {
        FL_AUTO_JSON v = fl_json_parse(c->result, strlen(c->result), NULL);
        const char *error = fl_json_string(v) ? fl_json_string(v)
                                              : fl_json_str(v, "error", "no reason given");
        fl_frame_put_failed(&run->out, n, fl_call_state_name(c->state), error);
    }
    if (run->out.failed)
        kill_run(r, run, "killed", "out of memory for a reply");
    else
        flush(r, run);
}

/* ---- from the worker ---- */

static void post_call(struct fl_runner *r, const struct run *run, unsigned n, const char *fn,
                      const char *args, const struct fl_sha256 *hash, const char *step)
{
    struct fl_buf b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    char hex[65];
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "run", run->id);
    fl_jw_int(&w, "n", n);
    fl_jw_str(&w, "fn", fn);
    fl_jw_raw(&w, "args", args);
    fl_jw_str(&w, "args_sha256", fl_sha256_hex(hash, hex));
    fl_jw_str(&w, "step", step);
    fl_jw_obj_end(&w);
    runner_post(r, FL_EV_RUN_CALL, &b);
    runner_count(r, &r->stats.calls);
}

static void on_call(struct fl_runner *r, struct run *run, const struct fl_json *f)
{
    int64_t n = fl_json_int(f, "n", 0);
    const char *fn = fl_json_str(f, "fn", "");
    struct call *c = n == (int64_t)run->last + 1 && !run->waiting ? call_at(run, (unsigned)n) : NULL;
    FL_AUTO_FREE char *args = fl_json_text(fl_json_get(f, "args"), true);
    if (!c || !args || !*fn || strlen(fn) >= sizeof c->fn) {
        kill_run(r, run, "killed", c && !args ? "out of memory" : "the worker broke the protocol");
        return;
    }
    struct fl_sha256 hash;
    fl_sha256(args, strlen(args), &hash);
    run->last = (unsigned)n;
    if (c->asked && (strcmp(c->fn, fn) != 0 || memcmp(&c->hash, &hash, sizeof hash) != 0)) {
        char text[256];
        snprintf(text, sizeof text, "call %u was %s and is now %s%s", run->last, c->fn, fn,
                 strcmp(c->fn, fn) == 0 ? " with other arguments" : "");
        kill_run(r, run, "diverged", text);
        return;
    }
    run->waiting = run->last;
    run->settling = strcmp(fn, "settle") == 0;
    run->settling_since = fl_mono();
    if (!c->asked) {
        c->asked = true;
        snprintf(c->fn, sizeof c->fn, "%s", fn);
        c->hash = hash;
        if (!c->answered)
            post_call(r, run, run->last, fn, args, &hash, fl_json_str(f, "step", ""));
    }
    if (c->answered)
        answer(r, run, run->last, c);
    else if (takes_long(fn, fl_json_get(f, "args")))
        park(r, run);
}

static void on_frame(struct fl_runner *r, struct run *run, const char *json, size_t n)
{
    FL_AUTO_JSON f = fl_json_parse(json, n, NULL);
    const char *t = fl_json_str(f, "t", "");
    if (strcmp(t, "call") == 0) {
        on_call(r, run, f);
    } else if (strcmp(t, "end") == 0) {
        FL_AUTO_FREE char *result = fl_json_text(fl_json_get(f, "result"), true);
        end_run(r, run, fl_json_str(f, "ending", "killed"), fl_json_str(f, "error", NULL), result);
    } else {
        kill_run(r, run, "killed", "the worker broke the protocol");
    }
}

static void on_socket(struct fl_runner *r, struct source *s, uint32_t events)
{
    struct run *run = s->owner;
    char chunk[65536];
    if (events & EPOLLOUT)
        flush(r, run);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    ssize_t k = read(run->worker.fd, chunk, sizeof chunk);
    if (k < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (k <= 0) {
        on_death(r, run);
        return;
    }
    fl_buf_add(&run->in, chunk, (size_t)k);
    while (!run->over) {
        char *json = NULL;
        size_t n = 0;
        fl_status st = run->in.failed ? FL_E_NOMEM : fl_frame_get(&run->in, run->frame_max, &json, &n);
        if (st == FL_E_NOTFOUND)
            return;
        if (st)
            kill_run(r, run, "killed", "the worker sent a frame that is too long");
        else
            on_frame(r, run, json, n);
        free(json);
    }
}

/* ---- starting ---- */

static void start_worker(struct fl_runner *r, struct run *run)
{
    struct fl_worker_limits l = FL_WORKER_LIMITS;
    struct fl_err err = {.status = FL_OK};
    char name[160];
    /* An answer of max_output bytes, each escaped at worst, in both streams of a command; and the source. */
    l.frame_bytes += 12 * r->max_output + 8 * strlen(run->order->start.source) +
                     2 * strlen(run->order->start.ctx);
    run->frame_max = l.frame_bytes;
    if (fl_worker_start(r->worker_program, &l, &run->worker, &err) != FL_OK) {
        fl_log_err(FL_LOG_ERROR, "runner", "could not start a worker", &err);
        end_run(r, run, "killed", err.text, NULL);
        return;
    }
    run->live = true;
    r->live++;
    pthread_mutex_lock(&r->lock);
    r->stats.workers = r->live;
    r->stats.runs_started++;
    pthread_mutex_unlock(&r->lock);
    run->socket = (struct source){.ready = on_socket, .owner = run, .fd = -1};
    if (!source_watch(r, &run->socket, run->worker.fd, EPOLLIN)) {
        kill_run(r, run, "killed", "could not watch the worker");
        return;
    }
    const struct fl_order_start *o = &run->order->start;
    snprintf(name, sizeof name, "playbooks/%.120s.lua", o->playbook);
    fl_frame_put_start(&run->out, "run", name, o->source, strlen(o->source), o->ctx);
    if (run->out.failed)
        kill_run(r, run, "killed", "out of memory for the start frame");
    else
        flush(r, run);
}

static bool load_record(struct run *run)
{
    const struct fl_order_start *o = &run->order->start;
    for (size_t i = 0; i < o->n_calls; i++) {
        const struct fl_recorded_call *rec = &o->calls[i];
        struct call *c = call_at(run, rec->n);
        if (!c || strlen(rec->fn) >= sizeof c->fn)
            return false;
        c->asked = true;
        snprintf(c->fn, sizeof c->fn, "%s", rec->fn);
        c->hash = rec->args_hash;
        if (rec->state != FL_CALL_INTENT)
            set_answer(c, rec->state, *rec->result ? rec->result : "null");
    }
    return true;
}

void run_order_start(struct fl_runner *r, struct order *o)
{
    if (find(r, o->start.run)) {
        order_free(o);
        return;
    }
    struct run *run = calloc(1, sizeof *run);
    if (!run) {
        fl_log(FL_LOG_ERROR, "runner", "out of memory for a run");
        abort();
    }
    run->order = o;
    run->id = o->start.run;
    run->worker = (struct fl_worker){.pid = -1, .pidfd = -1, .fd = -1};
    run->socket.fd = -1;
    run->in = fl_buf_init(0);
    run->out = fl_buf_init(0);
    run->deadline = o->start.deadline ? fl_mono() + (o->start.deadline - fl_now()) : 0;
    struct run **end = &r->runs;
    while (*end)
        end = &(*end)->next;
    *end = run;
    if (!load_record(run))
        end_run(r, run, "killed", "the run's record is too long", NULL);
    runs_start_waiting(r);
}

void runs_start_waiting(struct fl_runner *r)
{
    for (struct run *run = r->runs; run && r->live < r->max_workers; run = run->next)
        if (!run->live && !run->over && !run->parked)
            start_worker(r, run);
}

/* ---- other orders ---- */

void run_order_reply(struct fl_runner *r, const struct fl_order_reply *o)
{
    struct run *run = find(r, o->run);
    struct call *c = run ? call_at(run, o->n) : NULL;
    if (!c)
        return;
    set_answer(c, o->state, o->result);
    if (!c->answered)
        kill_run(r, run, "killed", "out of memory for a reply");
    else if (run->live && run->waiting == o->n)
        answer(r, run, o->n, c);
    else if (run->parked && run->waiting == o->n)
        unpark(run); /* the loop starts it when there is a place */
}

void run_order_stop(struct fl_runner *r, const struct fl_order_stop *o)
{
    acts_of_run_cancel(r, o->run);
    struct run *run = find(r, o->run);
    if (!run)
        return;
    if (run->live)
        runner_count(r, &r->stats.workers_killed);
    drop_worker(r, run);
    run->over = true;
}

/* ---- time ---- */

/* The core ends a run by its ticks; this is the net below it, for a worker that computes past the deadline. */
static fl_usec kill_at(const struct run *run)
{
    return run->live && !run->waiting && run->deadline ? run->deadline + DEADLINE_SLACK : 0;
}

void runs_tick(struct fl_runner *r, fl_usec now)
{
    for (struct run *run = r->runs; run; run = run->next)
        if (!run->over && kill_at(run) && kill_at(run) <= now)
            kill_run(r, run, "killed", "over its deadline");
}

fl_usec runs_next_tick(const struct fl_runner *r)
{
    fl_usec next = 0;
    for (const struct run *run = r->runs; run; run = run->next)
        if (!run->over && kill_at(run) && (!next || kill_at(run) < next))
            next = kill_at(run);
    return next;
}

void runs_sweep(struct fl_runner *r)
{
    for (struct run **p = &r->runs; *p;) {
        struct run *run = *p;
        if (!run->over) {
            p = &run->next;
            continue;
        }
        *p = run->next;
        for (size_t i = 0; i < run->n_calls; i++)
            free(run->calls[i].result);
        free(run->calls);
        fl_buf_done(&run->in);
        fl_buf_done(&run->out);
        order_free(run->order);
        free(run);
    }
}

void runs_kill_all(struct fl_runner *r)
{
    for (struct run *run = r->runs; run; run = run->next) {
        drop_worker(r, run);
        run->over = true;
    }
}
