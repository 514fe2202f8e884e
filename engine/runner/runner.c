/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/runner.c -- the thread, its loop and its posts; contract in <faultline/runner.h>. */
#include "runner_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define POST_BACKOFF_MIN (20 * INT64_C(1000))
#define POST_BACKOFF_MAX FL_USEC_PER_SEC
#define EVENTS_PER_TURN 256

/* ---- sources ---- */

bool source_watch(struct fl_runner *r, struct source *s, int fd, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};
    s->fd = fd;
    return epoll_ctl(r->epoll, EPOLL_CTL_ADD, fd, &ev) == 0;
}

void source_events(struct fl_runner *r, struct source *s, uint32_t events)
{
    struct epoll_event ev = {.events = events, .data.ptr = s};
    FL_REQUIRE(epoll_ctl(r->epoll, EPOLL_CTL_MOD, s->fd, &ev) == 0);
}

void source_close(struct fl_runner *r, struct source *s)
{
    if (s->fd < 0)
        return;
    epoll_ctl(r->epoll, EPOLL_CTL_DEL, s->fd, NULL);
    close(s->fd);
    s->fd = -1;
}

static void on_wake(struct fl_runner *r, struct source *s, uint32_t events)
{
    uint64_t n;
    (void)events;
    while (read(s->fd, &n, sizeof n) > 0)
        ;
    /* The order behind it may have come after this turn took its orders: no sleep before the next look. */
    r->woken = true;
}

static void wake(struct fl_runner *r)
{
    uint64_t one = 1;
    while (write(r->wake.fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ---- counters ---- */

void runner_count(struct fl_runner *r, uint64_t *counter)
{
    pthread_mutex_lock(&r->lock);
    ++*counter;
    pthread_mutex_unlock(&r->lock);
}

void fl_runner_stats(struct fl_runner *r, struct fl_runner_stats *ret)
{
    pthread_mutex_lock(&r->lock);
    *ret = r->stats;
    pthread_mutex_unlock(&r->lock);
}

/* ---- posts: in order, one at a time, until the journal takes them ---- */

void runner_post(struct fl_runner *r, fl_event_kind kind, struct fl_buf *body)
{
    struct post *p = calloc(1, sizeof *p);
    size_t n = 0;
    char *text = fl_buf_take(body, &n);
    if (!p || !text) {
        /* The run cannot go on without this event; after the restart it resumes from its record. */
        fl_log(FL_LOG_ERROR, "runner", "out of memory for an event");
        abort();
    }
    *p = (struct post){.kind = kind, .body = text, .n = n};
    *r->posts_end = p;
    r->posts_end = &p->next;
}

static void flush_posts(struct fl_runner *r, fl_usec now)
{
    if (r->post_at > now)
        return;
    while (r->posts) {
        struct post *p = r->posts;
        fl_status st = r->post(r->ctx, p->kind, p->body, p->n);
        if (st == FL_E_FULL || st == FL_E_UNAVAILABLE) {
            r->post_backoff = r->post_backoff ? r->post_backoff * 2 : POST_BACKOFF_MIN;
            if (r->post_backoff > POST_BACKOFF_MAX)
                r->post_backoff = POST_BACKOFF_MAX;
            r->post_at = now + r->post_backoff;
            return;
        }
        if (p->kind == FL_EV_RUN_CALL)
            fl_crash_point("posted.call");
        else if (p->kind == FL_EV_RUN_OUTCOME)
            fl_crash_point("posted.outcome");
        else
            fl_crash_point("posted.ended");
        if (st)
            fl_log(FL_LOG_ERROR, "runner", "the journal refused an event of kind %s: %s",
                   fl_event_kind_name(p->kind), fl_status_name(st));
        r->post_backoff = r->post_at = 0;
        r->posts = p->next;
        if (!r->posts)
            r->posts_end = &r->posts;
        free(p->body);
        free(p);
    }
}

/* ---- orders ---- */

void fl_runner_order(struct fl_runner *r, const struct fl_effects *fx)
{
    struct order *first = NULL, **end = &first;
    bool nomem = false;
    for (size_t i = 0; i < fx->n; i++) {
        struct order *o = order_copy(&fx->v[i], &nomem);
        if (!o)
            continue;
        *end = o;
        end = &o->next;
    }
    if (nomem) {
        fl_log(FL_LOG_ERROR, "runner", "out of memory for an order");
        abort(); /* a lost order is a run that hangs; the restart sends it again */
    }
    if (!first)
        return;
    pthread_mutex_lock(&r->lock);
    bool stopped = r->stop;
    if (!stopped) {
        *r->inbox_end = first;
        r->inbox_end = end;
    }
    pthread_mutex_unlock(&r->lock);
    if (!stopped) {
        wake(r);
        return;
    }
    for (struct order *next; first; first = next) {
        next = first->next;
        order_free(first);
    }
}

static bool take_orders(struct fl_runner *r)
{
    pthread_mutex_lock(&r->lock);
    struct order *list = r->inbox;
    bool stop = r->stop;
    r->inbox = NULL;
    r->inbox_end = &r->inbox;
    pthread_mutex_unlock(&r->lock);
    for (struct order *o = list, *next; o; o = next) {
        next = o->next;
        o->next = NULL;
        switch (stop ? FL_FX_ANSWER : o->kind) {
        case FL_FX_RUN_START:
            run_order_start(r, o);
            o = NULL;
            break;
        case FL_FX_ACT: act_start(r, &o->act); break;
        case FL_FX_REPLY: run_order_reply(r, &o->reply); break;
        case FL_FX_STOP: run_order_stop(r, &o->stop); break;
        default: break;
        }
        order_free(o);
    }
    return !stop;
}

/* ---- acts ---- */

/* The kill switch that needs no database; what cannot be looked up counts as set. */
static bool is_halted(const struct fl_runner *r)
{
    if (!r->halt_file || !*r->halt_file)
        return false;
    return access(r->halt_file, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

void act_finish(struct fl_runner *r, struct act *a, const struct act_result *res)
{
    fl_crash_point("act.finished");
    struct fl_buf b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "run", a->run);
    fl_jw_int(&w, "n", a->n);
    fl_jw_bool(&w, "ok", res->ok);
    if (res->ok) {
        fl_jw_raw(&w, "result", res->result);
    } else {
        fl_jw_str(&w, "error", res->error);
        if (res->denied)
            fl_jw_bool(&w, "denied", true);
        if (res->unknown)
            fl_jw_bool(&w, "unknown", true);
    }
    fl_jw_bool(&w, "sent", res->sent);
    fl_jw_obj_end(&w);
    runner_post(r, FL_EV_RUN_OUTCOME, &b);
    if (!res->ok)
        runner_count(r, &r->stats.acts_failed);
    a->over = true;
}

static void act_free(struct act *a)
{
    free(a->run);
    free(a->fn);
    free(a->key);
    fl_json_free(a->args);
    free(a);
}

static struct act *act_new(const struct fl_order_act *o)
{
    struct act *a = calloc(1, sizeof *a);
    if (!a)
        return NULL;
    a->run = strdup(o->run);
    a->fn = strdup(o->fn);
    a->key = strdup(o->idempotency_key);
    a->n = o->n;
    a->args = fl_json_parse(o->args, strlen(o->args), NULL);
    a->started = fl_mono();
    /* The order's deadline is by the wall clock, and for the whole run. */
    a->deadline = a->started + (o->deadline ? o->deadline - fl_now() : 365 * 86400 * FL_USEC_PER_SEC);
    if (a->run && a->fn && a->key)
        return a;
    act_free(a);
    return NULL;
}

void act_start(struct fl_runner *r, const struct fl_order_act *o)
{
    for (struct act *a = r->acts; a; a = a->next)
        if (!a->over && a->n == o->n && strcmp(a->run, o->run) == 0)
            return; /* under way: its outcome will come */
    struct act *a = act_new(o);
    if (!a) {
        fl_log(FL_LOG_ERROR, "runner", "out of memory for an act");
        abort();
    }
    a->next = r->acts;
    r->acts = a;
    const char *no = NULL;
    if (is_halted(r))
        no = "automation is halted by the local halt file";
    else if (a->deadline <= a->started)
        no = "the run's deadline has passed";
    else if (!fl_json_is_object(a->args))
        no = "the arguments are no object";
    else if (strcmp(a->fn, "http") != 0 && strcmp(a->fn, "command") != 0)
        no = "no such action";
    if (no) {
        act_finish(r, a, &(struct act_result){.denied = true, .error = no});
        return;
    }
    runner_count(r, &r->stats.acts);
    fl_crash_point("act.start");
    if (strcmp(a->fn, "http") == 0)
        http_act(r, a);
    else
        command_act(r, a);
    fl_crash_point("act.sent");
}

void acts_of_run_cancel(struct fl_runner *r, const char *run)
{
    for (struct act *a = r->acts; a; a = a->next)
        if (!a->over && (!run || strcmp(a->run, run) == 0)) {
            if (a->cancel)
                a->cancel(r, a);
            a->over = true;
        }
}

static void sweep_acts(struct fl_runner *r)
{
    for (struct act **p = &r->acts; *p;) {
        struct act *a = *p;
        if (!a->over) {
            p = &a->next;
            continue;
        }
        *p = a->next;
        act_free(a);
    }
}

static void tick_acts(struct fl_runner *r, fl_usec now)
{
    for (struct act *a = r->acts; a; a = a->next)
        if (!a->over && a->tick && a->next_tick && a->next_tick <= now)
            a->tick(r, a, now);
}

/* ---- the loop ---- */

static int timeout_ms(struct fl_runner *r, fl_usec now)
{
    fl_usec at = r->woken ? now : now + 60 * FL_USEC_PER_SEC, t;
    r->woken = false;
    if (r->posts && r->post_at < at)
        at = r->post_at;
    for (const struct act *a = r->acts; a; a = a->next)
        if (a->next_tick && a->next_tick < at)
            at = a->next_tick;
    t = runs_next_tick(r);
    if (t && t < at)
        at = t;
    return at <= now ? 0 : (int)((at - now + 999) / 1000);
}

static void drain_epoll(struct fl_runner *r)
{
    /* One at a time: an event's handler may free what a later event of the same batch would point at. */
    struct epoll_event ev;
    for (int i = 0; i < EVENTS_PER_TURN && epoll_wait(r->epoll, &ev, 1, 0) == 1; i++) {
        struct source *s = ev.data.ptr;
        s->ready(r, s, ev.events);
    }
}

static void *loop(void *arg)
{
    struct fl_runner *r = arg;
    pthread_setname_np(pthread_self(), "fl-runner");
    while (take_orders(r)) {
        int running;
        curl_multi_perform(r->multi, &running);
        http_messages(r);
        drain_epoll(r);
        fl_usec now = fl_mono();
        tick_acts(r, now);
        runs_tick(r, now);
        runs_sweep(r);
        sweep_acts(r);
        runs_start_waiting(r);
        flush_posts(r, fl_mono());
        struct curl_waitfd fd = {.fd = r->epoll, .events = CURL_WAIT_POLLIN};
        curl_multi_poll(r->multi, &fd, 1, timeout_ms(r, fl_mono()), NULL);
    }
    acts_of_run_cancel(r, NULL);
    sweep_acts(r);
    runs_kill_all(r);
    runs_sweep(r);
    return NULL;
}

/* ---- life ---- */

static char **copy_words(const char *const *words, size_t *ret_n)
{
    size_t n = 0;
    while (words && words[n])
        n++;
    char **out = calloc(n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++)
        out[i] = strdup(words[i]);
    if (ret_n)
        *ret_n = n;
    return out;
}

static fl_status set_up(struct fl_runner *r, const struct fl_runner_options *o, struct fl_err *err)
{
    r->worker_program = strdup(o->worker_program);
    r->halt_file = strdup(o->halt_file ? o->halt_file : "");
    r->barred = copy_words(o->barred, NULL);
    r->allow_private = o->allow_private;
    r->max_workers = o->max_workers ? o->max_workers : 8;
    r->max_output = o->max_output ? o->max_output : OUTPUT_MAX_DEFAULT;
    r->post = o->post;
    r->ctx = o->ctx;
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r->wake = (struct source){.ready = on_wake, .fd = -1};
    if (r->epoll < 0 || fd < 0 || !source_watch(r, &r->wake, fd, EPOLLIN))
        return fl_fail(err, FL_E_IO, "runner", "could not set up the event loop: %s", strerror(errno));
    if (!r->worker_program || !r->halt_file || !r->barred)
        return fl_fail(err, FL_E_NOMEM, "runner", "out of memory");
    fl_status st = http_init(r, o, err);
    return st ? st : command_init(r, o, err);
}

fl_status fl_runner_new(const struct fl_runner_options *o, struct fl_runner **ret, struct fl_err *err)
{
    struct fl_runner *r = calloc(1, sizeof *r);
    if (!r)
        return fl_fail(err, FL_E_NOMEM, "runner", "out of memory");
    pthread_mutex_init(&r->lock, NULL);
    r->inbox_end = &r->inbox;
    r->posts_end = &r->posts;
    r->epoll = -1;
    fl_status st = set_up(r, o, err);
    int rc = st ? 0 : pthread_create(&r->thread, NULL, loop, r);
    if (rc)
        st = fl_fail(err, FL_E_IO, "runner", "could not start a thread: %s", strerror(rc));
    r->started = !st;
    if (st) {
        fl_runner_free(r);
        return st;
    }
    *ret = r;
    return FL_OK;
}

void fl_runner_stop(struct fl_runner *r)
{
    if (!r || !r->started)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_mutex_unlock(&r->lock);
    wake(r);
    pthread_join(r->thread, NULL);
    r->started = false;
}

struct fl_runner *fl_runner_free(struct fl_runner *r)
{
    if (!r)
        return NULL;
    fl_runner_stop(r);
    for (struct order *o = r->inbox, *next; o; o = next) {
        next = o->next;
        order_free(o);
    }
    for (struct post *p = r->posts, *next; p; p = next) {
        next = p->next;
        free(p->body);
        free(p);
    }
    command_done(r);
    http_done(r);
    source_close(r, &r->wake);
    fl_closep(&r->epoll);
    for (char **b = r->barred; b && *b; b++)
        free(*b);
    free(r->barred);
    free(r->worker_program);
    free(r->halt_file);
    pthread_mutex_destroy(&r->lock);
    free(r);
    return NULL;
}
