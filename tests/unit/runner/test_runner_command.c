/* SPDX-License-Identifier: GPL-3.0-or-later */
/* command(…): arguments, environment, descriptors, output of any bytes, children that will not go. */
#include "fake_core.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct fake_core *core;

static const char *const none[] = {NULL};
/* The shell is a program under test here like any other: its text is fixed, what playbooks say is an argument. */
#define SH(name, text)                                                 \
    {                                                                  \
        name, "/bin/sh", (const char *const[]){"-c", text, NULL}, none \
    }
static const struct fl_command_allow commands[] = {
    {"echo", "/bin/echo", (const char *const[]){"fixed", NULL},
     (const char *const[]){"[a-z; $()|-]*", "[0-9]+", NULL}},
    {"opt", "/bin/echo", none, (const char *const[]){"-[nv]", NULL}},
    {"gone", "/nonexistent/program", none, none},
    SH("env", "env | sort; ls /proc/self/fd | wc -l; pwd; cat; kill -0 0"),
    SH("exit", "echo out; echo err >&2; exit 7"),
    SH("bytes", "i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %o $i)\"; i=$((i+1)); done"),
    SH("endless", "yes 2>&1"),
    SH("much", "head -c 200000 /dev/zero | tr '\\0' x"),
    SH("stubborn", "trap '' TERM HUP INT; echo $$; while :; do sleep 1; done"),
    SH("forker", "setsid sh -c 'echo $$ > \"$0\"; exec sleep 100' \"/tmp/fl-forker-$PPID\" & sleep 100"),
    SH("background", "sleep 100 & echo $!"),
    SH("signal", "kill -9 $$"),
};

static int set_up(void **state)
{
    (void)state;
    core = malloc(sizeof *core);
    fake_core_init(core);
    struct fl_runner_options o = fake_core_options(core);
    o.commands = commands;
    o.n_commands = FL_ARRAY_LEN(commands);
    fake_core_open(core, &o);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_core_done(core);
    free(core);
    return 0;
}

static const struct fl_json *run(const char *args)
{
    return act_and_wait(core, "command", args);
}

static const char *out_of(const struct fl_json *o, const char *key)
{
    if (!fl_json_bool(o, "ok", false))
        fail_msg("%s", fl_json_str(o, "error", ""));
    return fl_json_str(fl_json_get(o, "result"), key, "?");
}

/* Gone, or a zombie nobody has waited for yet. */
static bool is_gone(int pid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return true;
    char *ok = fgets(line, sizeof line, f);
    fclose(f);
    const char *p = ok ? strrchr(line, ')') : NULL;
    return !p || p[2] == 'Z' || p[2] == 'X';
}

static void wait_gone(int pid)
{
    assert_true(pid > 1);
    for (int i = 0; i < 20000 && !is_gone(pid); i++) /* a busy machine takes its time to kill */
        usleep(1000);
    assert_true(is_gone(pid));
}

static void arguments_are_checked(void **state)
{
    (void)state;
    assert_string_equal(out_of(run("{\"name\":\"echo\",\"args\":[\"a; $(b) | c\",\"12\"]}"), "stdout"),
                        "fixed a; $(b) | c 12\n");
    static const char *const bad[] = {
        "{\"name\":\"nope\",\"args\":[]}",
        "{\"name\":\"echo\",\"args\":[\"a\"]}",
        "{\"name\":\"echo\",\"args\":[\"a\",\"1\",\"2\"]}",
        "{\"name\":\"echo\",\"args\":[\"a\",\"1x\"]}",
        "{\"name\":\"echo\",\"args\":[\"A\",\"1\"]}",
        "{\"name\":\"echo\",\"args\":[\"a\\nb\",\"1\"]}",
        "{\"name\":\"echo\",\"args\":[\"-n\",\"1\"]}",
        "{\"name\":\"echo\",\"args\":[\"a\",\"1\\n\"]}",
        "{\"name\":\"echo\",\"args\":[\"a\",1]}",
        "{\"name\":\"echo\",\"args\":{\"a\":\"1\"}}",
        "{\"name\":\"opt\",\"args\":[\"-x\"]}",
        "{\"name\":\"/bin/sh\",\"args\":[]}",
        "{}",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        if (!fl_json_bool(run(bad[i]), "denied", false))
            fail_msg("not refused: %s", bad[i]);
    assert_string_equal(out_of(run("{\"name\":\"opt\",\"args\":[\"-n\"]}"), "stdout"), "");
}

static void a_program_that_is_not_there_did_nothing(void **state)
{
    (void)state;
    const struct fl_json *o = run("{\"name\":\"gone\",\"args\":[]}");
    assert_false(fl_json_bool(o, "ok", true));
    assert_false(fl_json_bool(o, "sent", true));
    assert_false(fl_json_bool(o, "unknown", false));
}

static void code_and_streams_come_back(void **state)
{
    (void)state;
    const struct fl_json *o = run("{\"name\":\"exit\",\"args\":[]}");
    assert_string_equal(out_of(o, "stdout"), "out\n");
    assert_string_equal(out_of(o, "stderr"), "err\n");
    assert_int_equal(fl_json_int(fl_json_get(o, "result"), "code", 0), 7);
    o = run("{\"name\":\"signal\",\"args\":[]}");
    assert_int_equal(fl_json_int(fl_json_get(o, "result"), "code", 0), 137);
    assert_int_equal(fl_json_int(fl_json_get(o, "result"), "signal", 0), 9);
}

static void nothing_of_ours_is_inherited(void **state)
{
    (void)state;
    setenv("PGPASSWORD", "hunter2", 1);
    const char *text = out_of(run("{\"name\":\"env\",\"args\":[]}"), "stdout");
    assert_null(strstr(text, "hunter2"));
    assert_null(strstr(text, "HOME="));
    assert_non_null(strstr(text, "FAULTLINE_IDEMPOTENCY_KEY=RUN-A-"));
    assert_non_null(strstr(text, "FAULTLINE_RUN=RUN-A\n"));
    assert_non_null(strstr(text, "LANG=C.UTF-8\n"));
    /* stdin, stdout (the pipe to wc), stderr and the folder ls reads; no more */
    assert_non_null(strstr(text, "\n4\n/\n"));
    unsetenv("PGPASSWORD");
}

static void output_of_any_bytes_is_text(void **state)
{
    (void)state;
    const struct fl_json *o = run("{\"name\":\"bytes\",\"args\":[]}");
    const char *text = out_of(o, "stdout");
    assert_ptr_equal(strstr(text, "\\x00\\x01"), text);
    assert_non_null(strstr(text, "!\"#$%&'()*+"));
    assert_non_null(strstr(text, "\\xfe\\xff"));
    assert_true(fl_json_bool(fl_json_get(o, "result"), "escaped", false));
}

static void output_is_cut_with_a_mark(void **state)
{
    (void)state;
    const struct fl_json *o = run("{\"name\":\"much\",\"args\":[]}");
    const char *text = out_of(o, "stdout");
    assert_string_equal(text + 65536, "\n[cut after 65536 bytes]");
    assert_true(fl_json_bool(fl_json_get(o, "result"), "truncated", false));
    assert_int_equal(fl_json_int(fl_json_get(o, "result"), "code", -1), 0);
    o = run("{\"name\":\"endless\",\"args\":[],\"timeout_us\":200000}");
    assert_true(fl_json_bool(o, "unknown", false));
}

static void the_group_is_gone_a_second_after_the_deadline(void **state)
{
    (void)state;
    fl_usec from = fl_mono();
    const struct fl_json *o = run("{\"name\":\"stubborn\",\"args\":[],\"timeout_us\":300000}");
    assert_true(fl_mono() - from < 300 * 1000 + FL_USEC_PER_SEC);
    assert_true(fl_json_bool(o, "unknown", false));
    assert_true(fl_json_bool(o, "sent", false));
    assert_non_null(strstr(fl_json_str(o, "error", ""), "deadline"));
}

static int read_pid(const char *path)
{
    int pid = 0;
    for (int i = 0; i < 5000 && pid <= 1; i++) {
        FILE *f = fopen(path, "re");
        if (f && fscanf(f, "%d", &pid) != 1)
            pid = 0;
        if (f)
            fclose(f);
        usleep(1000);
    }
    return pid;
}

static void what_left_the_group_is_found(void **state)
{
    (void)state;
    char path[64];
    snprintf(path, sizeof path, "/tmp/fl-forker-%d", (int)getpid());
    unlink(path);
    const struct fl_json *o = run("{\"name\":\"forker\",\"args\":[],\"timeout_us\":500000}");
    int pid = read_pid(path);
    assert_true(fl_json_bool(o, "unknown", false));
    wait_gone(pid);
    /* the same by a stop */
    unlink(path);
    order_act(core, "RUN-S", 1, "command", "{\"name\":\"forker\",\"args\":[]}", 20 * FL_USEC_PER_SEC);
    pid = read_pid(path);
    order_stop(core, "RUN-S");
    wait_gone(pid);
    assert_true(no_event(core, 50 * 1000));
    unlink(path);
}

static void background_jobs_end_with_their_command(void **state)
{
    (void)state;
    fl_usec from = fl_mono();
    int64_t pid = 0;
    char text[32];
    snprintf(text, sizeof text, "%s", out_of(run("{\"name\":\"background\",\"args\":[]}"), "stdout"));
    text[strcspn(text, "\n")] = 0;
    assert_true(fl_parse_i64(text, 2, INT32_MAX, &pid));
    assert_true(fl_mono() - from < 5 * FL_USEC_PER_SEC);
    wait_gone((int)pid);
}

static void bad_rules_are_refused_at_the_start(void **state)
{
    (void)state;
    struct fl_err err = {.status = FL_OK};
    struct fl_runner *r = NULL;
    const struct fl_command_allow relative[] = {{"x", "bin/x", none, none}};
    const struct fl_command_allow pattern[] = {{"x", "/bin/x", none, (const char *const[]){"(", NULL}}};
    struct fl_runner_options o = fake_core_options(core);
    o.n_commands = 1;
    o.commands = relative;
    assert_int_equal(fl_runner_new(&o, &r, &err), FL_E_USAGE);
    err = (struct fl_err){.status = FL_OK};
    o.commands = pattern;
    assert_int_not_equal(fl_runner_new(&o, &r, &err), FL_OK);
    assert_non_null(strstr(err.where, "command x"));
}

struct second_sender {
    pthread_barrier_t start;
    int rounds;
};

static void order_refused(const char *id)
{
    order_act(core, id, 1, "command", "{\"name\":\"nothing\",\"args\":[]}", 20 * FL_USEC_PER_SEC);
}

static void *send_too(void *arg)
{
    struct second_sender *s = arg;
    for (int i = 0; i < s->rounds; i++) {
        pthread_barrier_wait(&s->start);
        for (volatile int spin = 0; spin < i % 64 * 40; spin++)
            ;
        order_refused("RUN-b");
    }
    return NULL;
}

/* An order that comes while the runner is just awake for another one must not wait for the next wake-up: the
 * eventfd was once read after the orders had been taken. */
static void no_order_is_slept_over(void **state)
{
    (void)state;
    struct second_sender s = {.rounds = 1000};
    pthread_t t;
    pthread_barrier_init(&s.start, NULL, 2);
    assert_int_equal(pthread_create(&t, NULL, send_too, &s), 0);
    for (int i = 0; i < s.rounds; i++) {
        pthread_barrier_wait(&s.start);
        order_refused("RUN-a");
        next_event(core);
        next_event(core);
    }
    pthread_join(t, NULL);
    pthread_barrier_destroy(&s.start);
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(arguments_are_checked),
        T(a_program_that_is_not_there_did_nothing),
        T(code_and_streams_come_back),
        T(nothing_of_ours_is_inherited),
        T(output_of_any_bytes_is_text),
        T(output_is_cut_with_a_mark),
        T(the_group_is_gone_a_second_after_the_deadline),
        T(what_left_the_group_is_found),
        T(background_jobs_end_with_their_command),
        T(bad_rules_are_refused_at_the_start),
        T(no_order_is_slept_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
