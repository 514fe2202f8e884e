/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Workers under the runner: calls, replay, divergence, stops, deadlines, a journal that is full. */
#include "fake_core.h"
#include "tiny_server.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static int set_up(void **state)
{
    struct fake_core *c = malloc(sizeof *c);
    fake_core_init(c);
    *state = c;
    return 0;
}

static int tear_down(void **state)
{
    fake_core_done(*state);
    free(*state);
    return 0;
}

static void open_plain(struct fake_core *c)
{
    struct fl_runner_options o = fake_core_options(c);
    fake_core_open(c, &o);
}

static struct fl_recorded_call recorded(unsigned n, const char *fn, const char *args, fl_call_state st,
                                        const char *result)
{
    struct fl_recorded_call c = {.n = n, .fn = fn, .args = args, .step = "", .state = st, .result = result};
    fl_sha256(args, strlen(args), &c.args_hash);
    return c;
}

static void a_run_acts_through_the_core(void **state)
{
    struct fake_core *c = *state;
    struct tiny_server *s = tiny_server_start();
    const struct fl_http_allow allow[] = {{"127.0.0.1", tiny_server_port(s), "GET,POST"}};
    struct fl_runner_options o = fake_core_options(c);
    o.http = allow;
    o.n_http = 1;
    o.allow_private = true;
    fake_core_open(c, &o);
    char body[512];
    snprintf(body, sizeof body,
             "local r = step('ask', function() return http{url='http://127.0.0.1:%d/json'} end) log('got') "
             "return {r.status, r.json.a[2]}",
             tiny_server_port(s));
    order_start(c, "RUN-1", body, NULL, 0);
    serve_run(c, "RUN-1");
    assert_string_equal(c->transcript.p,
                        "call 1 step_begin\ncall 2 http\noutcome 2 ok\ncall 3 step_end\ncall 4 log\n"
                        "ended ok\n");
    assert_string_equal(c->ended, "{\"run\":\"RUN-1\",\"ending\":\"ok\",\"result\":[200,2]}");
    struct fl_runner_stats st;
    fl_runner_stats(c->runner, &st);
    assert_int_equal(st.runs_started, 1);
    assert_int_equal(st.calls, 4);
    assert_int_equal(st.acts, 1);
    assert_int_equal(st.workers, 0);
    tiny_server_stop(s);
}

static void a_call_event_carries_hash_and_step(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    order_start(c, "RUN-1", "step('s', function() log('x') end)", NULL, 0);
    next_event(c);
    order_reply(c, "RUN-1", 1, FL_CALL_DONE, "null");
    const struct fake_event *e = next_event(c);
    assert_int_equal(e->kind, FL_EV_RUN_CALL);
    struct fl_sha256 h;
    char hex[65];
    fl_sha256("{\"text\":\"x\"}", 12, &h);
    assert_string_equal(fl_json_str(e->json, "args_sha256", ""), fl_sha256_hex(&h, hex));
    assert_string_equal(fl_json_str(e->json, "step", ""), "s");
    assert_int_equal(fl_json_int(e->json, "n", 0), 2);
}

static void a_record_is_replayed_without_events(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    const struct fl_recorded_call calls[] = {
        recorded(1, "log", "{\"text\":\"a\"}", FL_CALL_DONE, "null"),
        recorded(2, "command", "{\"args\":[],\"idempotent\":false,\"name\":\"x\"}", FL_CALL_FAILED,
                 "{\"error\":\"it broke\"}"),
        recorded(3, "log", "{\"text\":\"b\"}", FL_CALL_INTENT, ""),
    };
    order_start(c, "RUN-1", "log('a') local ok, e = pcall(command, 'x') log('b') log('c') return e.message",
                calls, 3);
    /* 3 was asked before the restart: the core knows, the runner waits */
    assert_true(no_event(c, 200 * 1000));
    order_reply(c, "RUN-1", 3, FL_CALL_DONE, "null");
    const struct fake_event *e = next_event(c);
    assert_int_equal(fl_json_int(e->json, "n", 0), 4);
    order_reply(c, "RUN-1", 4, FL_CALL_DONE, "null");
    e = next_event(c);
    assert_string_equal(fl_json_str(e->json, "result", ""), "command: it broke");
}

static void a_reply_may_come_before_the_question(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    const struct fl_recorded_call calls[] = {recorded(1, "log", "{\"text\":\"a\"}", FL_CALL_INTENT, "")};
    order_start(c, "RUN-1", "local t = {} for i = 1, 300000 do t[i] = i end log('a') return 1", calls, 1);
    order_reply(c, "RUN-1", 1, FL_CALL_DONE, "null");
    const struct fake_event *e = next_event(c);
    assert_int_equal(e->kind, FL_EV_RUN_ENDED);
    assert_string_equal(fl_json_str(e->json, "ending", ""), "ok");
}

static void another_call_than_recorded_diverges(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    const struct fl_recorded_call calls[] = {recorded(1, "log", "{\"text\":\"a\"}", FL_CALL_DONE, "null")};
    order_start(c, "RUN-1", "log('changed')", calls, 1);
    const struct fake_event *e = next_event(c);
    assert_int_equal(e->kind, FL_EV_RUN_ENDED);
    assert_string_equal(fl_json_str(e->json, "ending", ""), "diverged");
    assert_string_equal(fl_json_str(e->json, "error", ""),
                        "call 1 was log and is now log with other arguments");
    order_start(c, "RUN-2", "sleep(1)", calls, 1);
    e = next_event(c);
    assert_string_equal(fl_json_str(e->json, "error", ""), "call 1 was log and is now sleep");
}

static void endings_have_their_words(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    static const struct {
        const char *body, *ending, *error;
    } cases[] = {
        {"error('no')", "error", "playbooks/p.lua:2: no"},
        {"return print", "bad_value", NULL},
        {"local t = {} while true do t[#t + 1] = ('x'):rep(1000000) end", "memory", "not enough memory"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        order_start(c, "RUN-1", cases[i].body, NULL, 0);
        const struct fake_event *e = next_event(c);
        assert_string_equal(fl_json_str(e->json, "ending", ""), cases[i].ending);
        if (cases[i].error)
            assert_string_equal(fl_json_str(e->json, "error", ""), cases[i].error);
    }
}

static void a_stop_kills_and_says_nothing(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    order_start(c, "RUN-1", "while true do end", NULL, 0);
    struct fl_runner_stats st = {0};
    while (!st.workers)
        fl_runner_stats(c->runner, &st);
    order_stop(c, "RUN-1");
    while (st.workers)
        fl_runner_stats(c->runner, &st);
    assert_int_equal(st.workers_killed, 1);
    assert_true(no_event(c, 100 * 1000));
}

static void the_net_below_the_deadline(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    fl_usec from = fl_mono();
    order_start_until(c, "RUN-1", "(('a'):rep(100000)):find(('.-'):rep(6) .. 'b')", NULL, 0,
                      fl_now() + 300 * 1000);
    const struct fake_event *e = next_event(c);
    assert_string_equal(fl_json_str(e->json, "ending", ""), "killed");
    assert_string_equal(fl_json_str(e->json, "error", ""), "over its deadline");
    assert_in_range((uintmax_t)(fl_mono() - from), 1300 * 1000, 1550 * 1000 + 1500 * 1000);
}

static void waiting_for_the_core_is_not_computing(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    order_start_until(c, "RUN-1", "sleep(5) return 'slept'", NULL, 0, fl_now() + 3 * FL_USEC_PER_SEC);
    assert_string_equal(fl_json_str(next_event(c)->json, "fn", ""), "sleep");
    order_reply(c, "RUN-1", 1, FL_CALL_DONE, "null");
    assert_string_equal(fl_json_str(next_event(c)->json, "result", ""), "slept");
}

static void a_full_journal_is_asked_again_in_order(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    c->refusals = 5;
    order_start(c, "RUN-1", "log('1') log('2') return 3", NULL, 0);
    serve_run(c, "RUN-1");
    assert_int_equal(c->unavailable_posts, 5);
    assert_string_equal(c->transcript.p, "call 1 log\ncall 2 log\nended ok\n");
}

static void more_runs_than_places_wait_their_turn(void **state)
{
    struct fake_core *c = *state;
    struct fl_runner_options o = fake_core_options(c);
    o.max_workers = 2;
    fake_core_open(c, &o);
    static const char *const ids[] = {"R1", "R2", "R3", "R4"};
    for (size_t i = 0; i < 4; i++)
        order_start(c, ids[i], "log(ctx.now) return 1", NULL, 0);
    const struct fake_event *a = next_event(c), *b = next_event(c);
    assert_true(no_event(c, 200 * 1000));
    struct fl_runner_stats st;
    fl_runner_stats(c->runner, &st);
    assert_int_equal(st.workers, 2);
    order_stop(c, "R3"); /* one that waits can be stopped too */
    order_reply(c, fl_json_str(a->json, "run", ""), 1, FL_CALL_DONE, "null");
    order_reply(c, fl_json_str(b->json, "run", ""), 1, FL_CALL_DONE, "null");
    int ended = 0;
    while (ended < 3) {
        const struct fake_event *e = next_event(c);
        assert_string_not_equal(fl_json_str(e->json, "run", ""), "R3");
        if (e->kind == FL_EV_RUN_ENDED)
            ended++;
        else
            order_reply(c, fl_json_str(e->json, "run", ""), 1, FL_CALL_DONE, "null");
    }
}

static void doubt_goes_to_a_person(void **state)
{
    struct fake_core *c = *state;
    struct tiny_server *s = tiny_server_start();
    const struct fl_http_allow allow[] = {{"127.0.0.1", tiny_server_port(s), "POST"}};
    struct fl_runner_options o = fake_core_options(c);
    o.http = allow;
    o.n_http = 1;
    o.allow_private = true;
    fake_core_open(c, &o);
    char body[256];
    snprintf(body, sizeof body, "return http{method='POST', url='http://127.0.0.1:%d/close'}",
             tiny_server_port(s));
    order_start(c, "RUN-1", body, NULL, 0);
    serve_run(c, "RUN-1");
    assert_string_equal(c->transcript.p, "call 1 http\noutcome 1 not ok\ncall 2 settle\nended ok\n");
    assert_non_null(strstr(c->ended, "a person"));
    tiny_server_stop(s);
}

/* Who waits for a person or for long holds no place: a single place serves the next run meanwhile. */
static void waiting_runs_hold_no_place(void **state)
{
    struct fake_core *c = *state;
    struct fl_runner_options o = fake_core_options(c);
    o.max_workers = 1;
    fake_core_open(c, &o);
    static const char *const body[] = {
        "log('before') http{method='POST', url='http://127.0.0.1:1/'} log('after') return 7",
        "log('before') sleep('1h') log('after') return 7",
    };
    for (unsigned k = 0; k < 2; k++) {
        char run[8];
        snprintf(run, sizeof run, "R%u", k);
        order_start(c, run, body[k], NULL, 0);
        assert_string_equal(fl_json_str(next_event(c)->json, "fn", ""), "log");
        order_reply(c, run, 1, FL_CALL_DONE, "null");
        const struct fake_event *e = next_event(c);
        assert_int_equal(fl_json_int(e->json, "n", 0), 2);
        unsigned last = 2;
        if (k == 0) {
            order_reply(c, run, 2, FL_CALL_IN_DOUBT, "{\"error\":\"unknown\"}");
            e = next_event(c);
            assert_string_equal(fl_json_str(e->json, "fn", ""), "settle");
            last = 3;
        }
        order_start(c, "NEXT", "log('mine')", NULL, 0);
        serve_run(c, "NEXT");
        struct fl_runner_stats st;
        fl_runner_stats(c->runner, &st);
        assert_int_equal(st.workers, 0);
        order_reply(c, run, last, FL_CALL_DONE, k == 0 ? "{\"verdict\":\"done\",\"result\":1}" : "null");
        e = next_event(c); /* not the calls before: they are on record */
        assert_string_equal(fl_json_str(e->json, "fn", ""), "log");
        assert_int_equal(fl_json_int(e->json, "n", 0), last + 1);
        order_reply(c, run, last + 1, FL_CALL_DONE, "null");
        e = next_event(c);
        assert_int_equal(e->kind, FL_EV_RUN_ENDED);
        assert_string_equal(fl_json_str(e->json, "ending", ""), "ok");
        assert_int_equal(fl_json_int(e->json, "result", 0), 7);
    }
}

static void a_parked_run_can_be_stopped(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    order_start(c, "RUN-1", "sleep('1h')", NULL, 0);
    next_event(c);
    order_stop(c, "RUN-1");
    order_reply(c, "RUN-1", 1, FL_CALL_DONE, "null");
    assert_true(no_event(c, 50 * 1000));
}

static void the_halt_file_stops_acts_only(void **state)
{
    struct fake_core *c = *state;
    char path[] = "/tmp/fl-halt-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct fl_runner_options o = fake_core_options(c);
    o.halt_file = path;
    fake_core_open(c, &o);
    const struct fl_json *out = act_and_wait(c, "http", "{\"url\":\"http://127.0.0.1/\"}");
    assert_true(fl_json_bool(out, "denied", false));
    assert_non_null(strstr(fl_json_str(out, "error", ""), "halted"));
    order_start(c, "RUN-1", "log('still heard')", NULL, 0);
    serve_run(c, "RUN-1");
    unlink(path);
    out = act_and_wait(c, "http", "{\"url\":\"http://127.0.0.1/\"}");
    assert_non_null(strstr(fl_json_str(out, "error", ""), "allow-list"));
}

static void free_leaves_no_process(void **state)
{
    struct fake_core *c = *state;
    open_plain(c);
    order_start(c, "RUN-1", "log('x') while true do end", NULL, 0);
    next_event(c);
    fl_runner_stop(c->runner);
    order_reply(c, "RUN-1", 1, FL_CALL_DONE, "null"); /* dropped */
    c->runner = fl_runner_free(c->runner);
    assert_true(no_event(c, 50 * 1000));
}

static void a_worker_that_cannot_start_is_an_ending(void **state)
{
    struct fake_core *c = *state;
    struct fl_runner_options o = fake_core_options(c);
    o.worker_program = "/nonexistent/worker";
    fake_core_open(c, &o);
    order_start(c, "RUN-1", "return 1", NULL, 0);
    const struct fake_event *e = next_event(c);
    assert_string_equal(fl_json_str(e->json, "ending", ""), "killed");
    assert_non_null(strstr(fl_json_str(e->json, "error", ""), "could not start"));
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_run_acts_through_the_core),
        T(a_call_event_carries_hash_and_step),
        T(a_record_is_replayed_without_events),
        T(a_reply_may_come_before_the_question),
        T(another_call_than_recorded_diverges),
        T(endings_have_their_words),
        T(a_stop_kills_and_says_nothing),
        T(the_net_below_the_deadline),
        T(waiting_for_the_core_is_not_computing),
        T(a_full_journal_is_asked_again_in_order),
        T(more_runs_than_places_wait_their_turn),
        T(doubt_goes_to_a_person),
        T(waiting_runs_hold_no_place),
        T(a_parked_run_can_be_stopped),
        T(the_halt_file_stops_acts_only),
        T(free_leaves_no_process),
        T(a_worker_that_cannot_start_is_an_ending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
