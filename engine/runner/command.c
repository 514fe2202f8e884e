/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/command.c -- command(…) of playbooks: an absolute path, fixed arguments, checked arguments, no
 * shell. The whole process group is gone at the end; what left the group is found by a mark in its environment
 * when the command is cut off (a daemon that a finished command started on purpose lives on). */
#include "runner_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGS_MAX 64u
#define MARK "FAULTLINE_ACT="
#define SWEEPS 5 /* a process may fork while the list is read */

struct stream {
    struct source source;
    struct fl_buf text;
    bool cut;
};
struct process {
    struct act *act;
    pid_t pid;
    struct source exit; /* pidfd */
    struct stream out, err;
    bool termed;
    char mark[64];
};

/* ---- checks ---- */

static const struct command_rule *find_rule(const struct fl_runner *r, const char *name)
{
    for (size_t i = 0; i < r->n_commands; i++)
        if (strcmp(r->commands[i].name, name) == 0)
            return &r->commands[i];
    return NULL;
}

static bool arg_fits(const struct command_rule *c, size_t i, const char *arg)
{
    const char *pattern = c->patterns[i];
    const struct fl_label label = {"arg", arg};
    const struct fl_labels labels = {&label, 1};
    /* An argument is not an option unless the pattern says in so many words that it is one. */
    if (arg[0] == '-' && pattern[0] != '-')
        return false;
    return fl_match_all(&c->compiled[i], 1, &labels);
}

/* Fills argv (borrowed strings, NULL at the end). @return NULL or what is wrong. */
static const char *build_argv(const struct command_rule *c, const struct fl_json *args, const char **argv,
                              char *why, size_t why_cap)
{
    const struct fl_json *list = fl_json_get(args, "args");
    size_t n = 0, given = fl_json_is_array(list) ? fl_json_len(list) : 0;
    if (given != c->n_patterns) {
        snprintf(why, why_cap, "the command takes %zu arguments, not %zu", c->n_patterns, given);
        return why;
    }
    argv[n++] = c->path;
    for (size_t i = 0; i < c->n_args; i++)
        argv[n++] = c->args[i];
    for (size_t i = 0; i < given; i++) {
        const char *arg = fl_json_string(fl_json_at(list, i));
        if (!arg || !arg_fits(c, i, arg)) {
            snprintf(why, why_cap, "argument %zu does not fit its pattern", i + 1);
            return why;
        }
        argv[n++] = arg;
    }
    argv[n] = NULL;
    return NULL;
}

/* ---- killing ---- */

static bool has_mark(const char *pid, const char *mark)
{
    char path[64], chunk[65536];
    snprintf(path, sizeof path, "/proc/%.20s/environ", pid);
    FL_AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, chunk, sizeof chunk);
    return n > 0 && memmem(chunk, (size_t)n, mark, strlen(mark)) != NULL;
}

static unsigned kill_marked(const char *mark)
{
    unsigned found = 0;
    DIR *d = opendir("/proc");
    if (!d)
        return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        int64_t pid;
        if (!fl_parse_i64(e->d_name, 2, INT32_MAX, &pid) || !has_mark(e->d_name, mark))
            continue;
        found += kill((pid_t)pid, SIGKILL) == 0;
    }
    closedir(d);
    return found;
}

/* The leader is not reaped yet, so its number, and with it the group's, cannot have been taken by another. */
static void kill_group(const struct process *p, bool also_marked)
{
    kill(-p->pid, SIGKILL);
    for (int i = 0; also_marked && i < SWEEPS && kill_marked(p->mark); i++)
        ;
}

/* ---- output ---- */

static void read_stream(struct fl_runner *r, struct stream *s, bool to_the_end)
{
    char chunk[16384];
    do {
        ssize_t k = read(s->source.fd, chunk, sizeof chunk);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == EAGAIN)
            return;
        if (k <= 0) {
            source_close(r, &s->source);
            return;
        }
        size_t room = r->max_output - s->text.n, n = (size_t)k < room ? (size_t)k : room;
        fl_buf_add(&s->text, chunk, n);
        s->cut = s->cut || n < (size_t)k;
        /* Past the cap it is read and dropped: a full pipe would stop the command in the middle. But when the
         * command is gone, somebody else is still writing. */
        if (to_the_end && s->cut)
            return;
    } while (to_the_end);
}

static void on_output(struct fl_runner *r, struct source *src, uint32_t events)
{
    (void)events;
    read_stream(r, src->owner, false);
}

static bool write_stream(struct fl_jw *w, const char *key, const struct stream *s)
{
    struct fl_buf text = fl_buf_init(0);
    size_t n = s->cut ? text_whole(s->text.p, s->text.n) : s->text.n;
    bool escaped = text_escape(&text, s->text.p ? s->text.p : "", n);
    if (s->cut)
        fl_buf_printf(&text, "\n[cut after %zu bytes]", n);
    fl_jw_strn(w, key, text.p ? text.p : "", text.n);
    fl_buf_done(&text);
    return escaped;
}

/* ---- ending ---- */

static void release(struct fl_runner *r, struct process *p)
{
    source_close(r, &p->exit);
    source_close(r, &p->out.source);
    source_close(r, &p->err.source);
    fl_buf_done(&p->out.text);
    fl_buf_done(&p->err.text);
    p->act->impl = NULL;
    free(p);
}

static int reap(const struct process *p)
{
    int status = 0;
    while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

static void on_exit_ready(struct fl_runner *r, struct source *s, uint32_t events)
{
    struct process *p = s->owner;
    (void)events;
    bool late = p->termed;
    kill_group(p, late);
    int status = reap(p);
    if (p->out.source.fd >= 0)
        read_stream(r, &p->out, true);
    if (p->err.source.fd >= 0)
        read_stream(r, &p->err, true);
    if (late) {
        act_finish(r, p->act,
                   &(struct act_result){
                       .sent = true, .unknown = true, .error = "the command was killed at its deadline"});
        release(r, p);
        return;
    }
    struct fl_buf b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "code", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (WIFSIGNALED(status))
        fl_jw_int(&w, "signal", WTERMSIG(status));
    bool escaped = write_stream(&w, "stdout", &p->out);
    escaped = write_stream(&w, "stderr", &p->err) || escaped;
    fl_jw_bool(&w, "truncated", p->out.cut || p->err.cut);
    if (escaped)
        fl_jw_bool(&w, "escaped", true);
    fl_jw_int(&w, "elapsed_us", fl_mono() - p->act->started);
    fl_jw_obj_end(&w);
    act_finish(r, p->act, &(struct act_result){.ok = true, .sent = true, .result = b.p});
    fl_buf_done(&b);
    release(r, p);
}

static void tick(struct fl_runner *r, struct act *a, fl_usec now)
{
    struct process *p = a->impl;
    (void)r;
    if (!p->termed) {
        p->termed = true;
        kill(-p->pid, SIGTERM);
        a->next_tick = now + TERM_GRACE;
        return;
    }
    kill_group(p, true);
    a->next_tick = now + TERM_GRACE; /* until the exit is seen */
}

static void cancel(struct fl_runner *r, struct act *a)
{
    struct process *p = a->impl;
    kill_group(p, true);
    reap(p);
    release(r, p);
}

/* ---- start ---- */

static int spawn(const char *const *argv, char *const *env, int out, int err, pid_t *ret)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    if (posix_spawn_file_actions_init(&fa) != 0)
        return ENOMEM;
    if (posix_spawnattr_init(&attr) != 0) {
        posix_spawn_file_actions_destroy(&fa);
        return ENOMEM;
    }
    int rc = posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&fa, out, 1);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&fa, err, 2);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(&fa, 3);
    if (!rc)
        rc = posix_spawn_file_actions_addchdir_np(&fa, "/");
    if (!rc)
        rc = posix_spawnattr_setflags(&attr,
                                      POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!rc)
        rc = posix_spawnattr_setsigmask(&attr, &none);
    if (!rc)
        rc = posix_spawnattr_setsigdefault(&attr, &all);
    if (!rc)
        rc = posix_spawn(ret, argv[0], &fa, &attr, (char *const *)(uintptr_t)argv, env);
    posix_spawn_file_actions_destroy(&fa);
    posix_spawnattr_destroy(&attr);
    return rc;
}

/* Both ends above 2, so that the child's file actions do not step on them. */
static bool make_pipe(int p[2])
{
    int raw[2];
    if (pipe2(raw, O_CLOEXEC) != 0)
        return false;
    for (int i = 0; i < 2; i++) {
        p[i] = raw[i] > 2 ? raw[i] : fcntl(raw[i], F_DUPFD_CLOEXEC, 3);
        if (p[i] != raw[i])
            close(raw[i]);
    }
    return p[0] >= 0 && p[1] >= 0 && fcntl(p[0], F_SETFL, O_NONBLOCK) == 0;
}

static int start_process(struct fl_runner *r, struct process *p, const char *const *argv)
{
    char key[200], run[100], mark[80];
    snprintf(mark, sizeof mark, "%s", p->mark);
    snprintf(key, sizeof key, "FAULTLINE_IDEMPOTENCY_KEY=%.150s", p->act->key);
    snprintf(run, sizeof run, "FAULTLINE_RUN=%.80s", p->act->run);
    char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
         lang[] = "LANG=C.UTF-8";
    char *env[] = {path, lang, run, key, mark, NULL};
    int out[2] = {-1, -1}, err[2] = {-1, -1};
    int rc = make_pipe(out) && make_pipe(err) ? 0 : errno ? errno : EMFILE;
    if (!rc)
        rc = spawn(argv, env, out[1], err[1], &p->pid);
    fl_closep(&out[1]);
    fl_closep(&err[1]);
    if (!rc) {
        int pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
        p->exit = (struct source){.ready = on_exit_ready, .owner = p, .fd = -1};
        p->out.source = (struct source){.ready = on_output, .owner = &p->out, .fd = -1};
        p->err.source = (struct source){.ready = on_output, .owner = &p->err, .fd = -1};
        bool watched = pidfd >= 0 && source_watch(r, &p->exit, pidfd, EPOLLIN);
        watched = source_watch(r, &p->out.source, out[0], EPOLLIN) && watched;
        watched = source_watch(r, &p->err.source, err[0], EPOLLIN) && watched;
        if (watched)
            return 0;
        kill_group(p, true); /* out of descriptors: it ran for a moment, and nobody can say how far */
        reap(p);
        source_close(r, &p->exit);
        source_close(r, &p->out.source);
        source_close(r, &p->err.source);
        return -1;
    }
    fl_closep(&out[0]);
    fl_closep(&err[0]);
    return rc;
}

void command_act(struct fl_runner *r, struct act *a)
{
    const char *name = fl_json_str(a->args, "name", "");
    const struct command_rule *c = find_rule(r, name);
    const char *argv[2 * ARGS_MAX + 2];
    char why[200];
    if (!c) {
        snprintf(why, sizeof why, "the command \"%.100s\" is not on the allow-list", name);
        act_finish(r, a, &(struct act_result){.denied = true, .error = why});
        return;
    }
    const char *bad = build_argv(c, a->args, argv, why, sizeof why);
    if (bad) {
        act_finish(r, a, &(struct act_result){.denied = true, .error = bad});
        return;
    }
    struct process *p = calloc(1, sizeof *p);
    char id[37];
    int rc = ENOMEM;
    if (p) {
        p->act = a;
        p->exit.fd = p->out.source.fd = p->err.source.fd = -1;
        p->out.text = fl_buf_init(0);
        p->err.text = fl_buf_init(0);
        snprintf(p->mark, sizeof p->mark, MARK "%s", fl_uuid7(id));
        rc = start_process(r, p, argv);
    }
    if (rc) {
        snprintf(why, sizeof why, "could not start %.100s: %s", c->path, strerror(rc < 0 ? EMFILE : rc));
        act_finish(r, a, &(struct act_result){.error = why, .sent = rc < 0, .unknown = rc < 0});
        free(p);
        return;
    }
    fl_usec timeout = fl_json_int(a->args, "timeout_us", COMMAND_TIMEOUT_DEFAULT);
    if (timeout <= 0 || timeout > a->deadline - a->started)
        timeout = a->deadline - a->started;
    a->impl = p;
    a->tick = tick;
    a->next_tick = a->started + timeout;
    a->cancel = cancel;
}

/* ---- life ---- */

static char **copy_words(const char *const *words, size_t *ret_n)
{
    size_t n = 0;
    while (words && words[n])
        n++;
    char **out = calloc(n + 1, sizeof *out);
    bool ok = out != NULL;
    for (size_t i = 0; ok && i < n; i++)
        ok = (out[i] = strdup(words[i])) != NULL;
    *ret_n = n;
    return ok ? out : NULL;
}

static fl_status read_rule(struct command_rule *c, const struct fl_command_allow *o, struct fl_err *err)
{
    char where[160];
    snprintf(where, sizeof where, "command %.100s", o->name);
    if (!o->path || o->path[0] != '/')
        return fl_fail(err, FL_E_USAGE, where, "the path must be absolute");
    c->name = strdup(o->name);
    c->path = strdup(o->path);
    c->args = copy_words(o->args, &c->n_args);
    c->patterns = copy_words(o->patterns, &c->n_patterns);
    c->compiled = calloc(c->n_patterns + 1, sizeof *c->compiled);
    if (!c->name || !c->path || !c->args || !c->patterns || !c->compiled)
        return fl_fail(err, FL_E_NOMEM, where, "out of memory");
    if (c->n_args > ARGS_MAX || c->n_patterns > ARGS_MAX)
        return fl_fail(err, FL_E_LIMIT, where, "more than %u arguments", ARGS_MAX);
    for (size_t i = 0; i < c->n_patterns; i++) {
        c->compiled[i] = (struct fl_matcher){.name = "arg", .value = c->patterns[i], .op = '~'};
        fl_status st = fl_matcher_compile(&c->compiled[i], err);
        if (st) {
            fl_err_within(err, "%s", where);
            return st;
        }
    }
    return FL_OK;
}

fl_status command_init(struct fl_runner *r, const struct fl_runner_options *o, struct fl_err *err)
{
    r->commands = calloc(o->n_commands + 1, sizeof *r->commands);
    if (!r->commands)
        return fl_fail(err, FL_E_NOMEM, "runner", "out of memory");
    for (size_t i = 0; i < o->n_commands; i++) {
        r->n_commands = i + 1;
        fl_status st = read_rule(&r->commands[i], &o->commands[i], err);
        if (st)
            return st;
    }
    return FL_OK;
}

void command_done(struct fl_runner *r)
{
    for (size_t i = 0; i < r->n_commands; i++) {
        struct command_rule *c = &r->commands[i];
        for (size_t k = 0; c->compiled && k < c->n_patterns; k++)
            fl_matcher_done(&c->compiled[k]);
        for (char **s = c->args; s && *s; s++)
            free(*s);
        for (char **s = c->patterns; s && *s; s++)
            free(*s);
        free(c->compiled);
        free(c->args);
        free(c->patterns);
        free(c->name);
        free(c->path);
    }
    free(r->commands);
}
