/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What a playbook can say and what comes of it: calls, steps, doubt, endings, determinism. */
#include <faultline/json.h>
#include <faultline/script.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* Answers in turn: "+JSON" done, "-text" failed, "!text" denied, "?" in doubt; when none is left: done null. */
struct script {
    const char *const *answers;
    struct fl_buf transcript; /* "fn args [step]\n" */
};

static void answer(void *arg, unsigned n, const char *fn, const char *args, const char *step,
                   struct fl_buf *reply)
{
    struct script *s = arg;
    fl_buf_printf(&s->transcript, "%u %s %s%s%s\n", n, fn, args, *step ? " in " : "", step);
    const char *a = s->answers && *s->answers ? *s->answers++ : "+null";
    if (a[0] == '+')
        fl_frame_put_done(reply, n, a + 1);
    else
        fl_frame_put_failed(reply, n, a[0] == '-' ? "failed" : a[0] == '!' ? "denied" : "in_doubt", a + 1);
}

struct outcome {
    char ending[16], result[4096], error[1024];
    char transcript[16384];
};

static struct outcome run_text(const char *text, const char *const *answers)
{
    struct outcome o = {.ending = ""};
    struct script s = {.answers = answers, .transcript = fl_buf_init(0)};
    struct fl_rehearsal r;
    struct fl_err err = {.status = FL_OK};
    const struct fl_worker_limits l = FL_WORKER_LIMITS;
    fl_status st = fl_script_rehearse(FL_WORKER, &l, "pb.lua", text, strlen(text),
                                      "{\"run\":\"RUN-1\",\"now\":1,\"incident\":{\"id\":\"INC-1\"},"
                                      "\"params\":{\"list\":[],\"map\":{},\"n\":1,\"x\":1.5}}",
                                      20 * FL_USEC_PER_SEC, answer, &s, &r, &err);
    if (st)
        fail_msg("could not run: %s (%s)", err.text, err.where);
    snprintf(o.ending, sizeof o.ending, "%s", r.ending);
    snprintf(o.result, sizeof o.result, "%s", r.result ? r.result : "");
    snprintf(o.error, sizeof o.error, "%s", r.error ? r.error : "");
    snprintf(o.transcript, sizeof o.transcript, "%s", s.transcript.p ? s.transcript.p : "");
    fl_rehearsal_done(&r);
    fl_buf_done(&s.transcript);
    return o;
}

static struct outcome run_body(const char *body, const char *const *answers)
{
    FL_AUTO_BUF text = fl_buf_init(0);
    fl_buf_printf(&text, "playbook { name = 'p', version = '1', doc = 'd', run = function(ctx)\n%s\nend }\n",
                  body);
    return run_text(text.p, answers);
}

#define ANSWERS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void expect(struct outcome o, const char *ending, const char *result)
{
    if (strcmp(o.ending, ending) != 0)
        fail_msg("ended %s (%s), not %s\n%s", o.ending, o.error, ending, o.transcript);
    if (result)
        assert_string_equal(o.result, result);
}

static void values_survive_both_ways(void **state)
{
    (void)state;
    expect(run_body("return ctx.params", NULL), "ok", "{\"list\":[],\"map\":{},\"n\":1,\"x\":1.5}");
    expect(run_body("return {3, 2.0, 'a\\n\"', true, null, {}, array{}, {b=1,a={c=2}}}", NULL), "ok",
           "[3,2.0,\"a\\n\\\"\",true,null,{},[],{\"a\":{\"c\":2},\"b\":1}]");
    expect(run_body("return math.maxinteger", NULL), "ok", "9223372036854775807");
    expect(
        run_body("return json.decode('{\"a\":[1,null,\"\\\\u00e9\\\\ud83d\\\\ude00\"],\"b\":null}')", NULL),
        "ok", "{\"a\":[1,null,\"\xc3\xa9\xf0\x9f\x98\x80\"]}");
    static const char *const bad[] = {
        "return function() end",
        "return {[1]=1,[3]=3}",
        "return {1, a=2}",
        "return 0/0",
        "return 1/0",
        "local t = {} t.t = t return t",
        "return '\\xff'",
        "return 'a\\0b'",
        "return {[true]=1}",
        "return {[1.5]=1}",
        "local t = {} for i = 1, 40 do t = {t} end return t",
        "return ('x'):rep(300000)",
        "local t = {} for i = 1, 200000 do t[i] = i end return t",
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++)
        expect(run_body(bad[i], NULL), "bad_value", NULL);
}

static void calls_are_numbered_and_carry_their_step(void **state)
{
    (void)state;
    struct outcome o = run_body(
        "log('hello', 1)\n"
        "local res = step('restart', function() return http{method='POST', url='http://h/x', json={b=1,a=2},"
        " timeout='5s', headers={['x-y']='z'}} end)\n"
        "sleep(2 * sec)\n"
        "local r = command('ls', 'a', 3, {timeout=1.5, idempotent=true})\n"
        "return {res.status, res.json.ok, r.code, now()}",
        ANSWERS(
            "+null", "+null",
            "+{\"status\":200,\"headers\":{\"content-type\":\"application/json\"},\"body\":\"{\\\"ok\\\":true}\","
            "\"elapsed_us\":500000}",
            "+null", "+null", "+{\"code\":0,\"stdout\":\"\",\"stderr\":\"\"}"));
    expect(o, "ok", "[200,true,0,3.5]");
    assert_string_equal(
        o.transcript,
        "1 log {\"text\":\"hello\\t1\"}\n"
        "2 step_begin {\"check\":false,\"idempotent\":false,\"name\":\"restart\"}\n"
        "3 http {\"body\":\"{\\\"a\\\":2,\\\"b\\\":1}\",\"headers\":{\"content-type\":\"application/json\",\"x-y\":\"z\"},"
        "\"idempotent\":false,\"method\":\"POST\",\"timeout_us\":5000000,\"url\":\"http://h/x\"} in restart\n"
        "4 step_end {\"name\":\"restart\",\"ok\":true}\n"
        "5 sleep {\"seconds\":2}\n"
        "6 command {\"args\":[\"a\",\"3\"],\"idempotent\":true,\"name\":\"ls\",\"timeout_us\":1500000}\n");
}

static void failures_reach_the_script(void **state)
{
    (void)state;
    expect(run_body("local r, e = http{url='http://h/'} return {tostring(r), e}", ANSWERS("-refused")), "ok",
           "[\"nil\",\"refused\"]");
    expect(run_body("local ok, e = pcall(http, {url='http://h/'}) return {ok, e.kind, e.message}",
                    ANSWERS("!no")),
           "ok", "[false,\"denied\",\"http: no\"]");
    struct outcome o = run_body("command('x')", ANSWERS("-it broke"));
    expect(o, "error", NULL);
    assert_string_equal(o.error, "pb.lua:2: command: it broke");
    o = run_body("http{url='http://h/', expect={200,'3xx'}}",
                 ANSWERS("+{\"status\":404,\"headers\":{},\"body\":\"\"}"));
    assert_string_equal(o.error, "pb.lua:2: http: the answer's status is 404");
    o = run_body("fail('enough')", NULL);
    assert_string_equal(o.error, "pb.lua:2: enough");
    o = run_body("http{url='x', timout=3}", NULL);
    assert_non_null(strstr(o.error, "did you mean \"timeout\"?"));
    o = run_body("step('s', function() error('inside') end)", NULL);
    assert_string_equal(o.transcript,
                        "1 step_begin {\"check\":false,\"idempotent\":false,\"name\":\"s\"}\n"
                        "2 step_end {\"error\":\"pb.lua:2: inside\",\"name\":\"s\",\"ok\":false}\n");
    o = run_text("http{url='http://h/'}", NULL);
    assert_non_null(strstr(o.error, "only be called inside run"));
}

static void doubt_is_settled_by_the_check(void **state)
{
    (void)state;
    static const char body[] =
        "local tries = 0\n"
        "return step('s', function() tries = tries + 1\n"
        "  local ok = pcall(function() xpcall(http, function() end, {method='POST', url='http://h/'}) end)\n"
        "  log('swallowed', ok) return 'ran ' .. tries\n"
        "end, {check = function(c) local r = http{url='http://h/state'} return json.decode(r.body) end})";
    /* done: the check's own value is the step's result */
    struct outcome o = run_body(
        body, ANSWERS("+null", "?", "+{\"status\":200,\"headers\":{},\"body\":\"\\\"yes\\\"\"}"));
    expect(o, "ok", "\"yes\"");
    assert_non_null(strstr(o.transcript, "4 settle {\"call\":2,\"result\":\"yes\",\"verdict\":\"done\"}"));
    assert_null(strstr(o.transcript, "swallowed"));
    /* retry */
    o = run_body(body, ANSWERS("+null", "?", "+{\"status\":200,\"headers\":{},\"body\":\"false\"}", "+null",
                               "+{\"status\":200,\"headers\":{},\"body\":\"\"}"));
    expect(o, "ok", "\"ran 2\"");
    assert_non_null(strstr(o.transcript, "\"verdict\":\"retry\""));
    /* the check does not know: a person says done */
    o = run_body(body,
                 ANSWERS("+null", "?", "-unreachable", "+{\"verdict\":\"done\",\"result\":\"person\"}"));
    expect(o, "ok", "\"person\"");
    assert_non_null(strstr(o.transcript, "4 settle {\"call\":2,\"verdict\":\"ask\"} in s"));
}

static void doubt_without_a_check_asks(void **state)
{
    (void)state;
    static const char body[] = "local ok, r = pcall(http, {method='POST', url='http://h/'}) return {ok, r}";
    struct outcome o = run_body(body, ANSWERS("?", "+{\"verdict\":\"done\",\"result\":{\"status\":204}}"));
    expect(o, "ok", "[true,{\"status\":204}]");
    o = run_body(body,
                 ANSWERS("?", "+{\"verdict\":\"retry\"}", "+{\"status\":200,\"headers\":{},\"body\":\"\"}"));
    expect(o, "ok", "[true,{\"body\":\"\",\"headers\":{},\"status\":200}]");
    assert_non_null(strstr(o.transcript, "3 http "));
    /* an outer step's check settles what an inner step without one leaves */
    o = run_body("return step('outer', function() return step('inner', function()"
                 " return command('c') end) end, {check=function() return 'outer' end})",
                 ANSWERS("+null", "+null", "?"));
    expect(o, "ok", "\"outer\"");
    assert_null(strstr(o.transcript, "\"name\":\"inner\",\"ok\""));
    /* nothing acts while the doubt is on its way out */
    o = run_body("return step('s', function() local x <close> = setmetatable({}, {__close = function()"
                 " http{url='http://never/'} end}) command('c') end, {check=function() return true end})",
                 ANSWERS("+null", "?"));
    expect(o, "ok", "true");
    assert_null(strstr(o.transcript, "never"));
}

static void two_runs_say_the_same(void **state)
{
    (void)state;
    static const char body[] = "local t, out = {}, {}\n"
                               "for i = 1, 200 do t['k' .. (i * 7919 % 1000)] = i end\n"
                               "for k in pairs(t) do out[#out + 1] = k end\n"
                               "local objs = {} for i = 1, 300 do objs[i] = {k = i % 7, i = i} end\n"
                               "table.sort(objs, function(a, b) return a.k < b.k end)\n"
                               "for i = 1, 300 do out[#out + 1] = objs[i].i end\n"
                               "for i = 1, 5 do out[#out + 1] = math.random(1000000) end\n"
                               "out[#out + 1] = tostring({}) .. tostring(print) .. string.format('%s', {})\n"
                               "out[#out + 1] = next({b=1, a=2})\n"
                               "out[#out + 1] = now()\n"
                               "return out";
    struct outcome first = run_body(body, NULL);
    expect(first, "ok", NULL);
    assert_non_null(strstr(first.result, "\"tablefunctiontable\",\"a\",1.0]"));
    for (int i = 0; i < 5; i++)
        expect(run_body(body, NULL), "ok", first.result);
}

static void pairs_walks_in_order_and_allows_removal(void **state)
{
    (void)state;
    expect(run_body("local t, o = {z=1, a=2, [3]=3, [1]=4, [2.5]=5, m=6, [true]=7}, {}\n"
                    "for k, v in pairs(t) do o[#o+1] = tostring(k) t[k] = nil t.m = nil end return o",
                    NULL),
           "ok", "[\"1\",\"2.5\",\"3\",\"a\",\"z\",\"true\"]");
    struct outcome o = run_body("for k in pairs({[{}]=1}) do end", NULL);
    assert_non_null(strstr(o.error, "have no order"));
    expect(
        run_body("local o = {} local k, v = next({a=1,b=2}) while k do o[#o+1]=k k = next({a=1,b=2}, k) end "
                 "return o",
                 NULL),
        "ok", "[\"a\",\"b\"]");
}

static void sort_is_right(void **state)
{
    (void)state;
    expect(run_body("local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 1009 end table.sort(t)\n"
                    "for i = 2, #t do if t[i] < t[i-1] then fail('order') end end\n"
                    "local d = {3,1,2} table.sort(d, function(a,b) return a > b end) return d",
                    NULL),
           "ok", "[3,2,1]");
    expect(run_body("local t = {} table.sort(t) t = {1} table.sort(t) return {#t, select('#')}", NULL), "ok",
           "[1,0]");
}

static void unknown_names_are_named(void **state)
{
    (void)state;
    struct outcome o = run_body("htpp{}", NULL);
    assert_string_equal(o.error, "pb.lua:2: there is no \"htpp\" here; did you mean \"http\"?");
    o = run_body("x = 1", NULL);
    assert_string_equal(o.error, "pb.lua:2: assignment to the global \"x\": write \"local x\"");
    o = run_body("string.format = nil", NULL);
    assert_string_equal(o.error, "pb.lua:2: string is read-only");
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_survive_both_ways),
        cmocka_unit_test(calls_are_numbered_and_carry_their_step),
        cmocka_unit_test(failures_reach_the_script),
        cmocka_unit_test(doubt_is_settled_by_the_check),
        cmocka_unit_test(doubt_without_a_check_asks),
        cmocka_unit_test(two_runs_say_the_same),
        cmocka_unit_test(pairs_walks_in_order_and_allows_removal),
        cmocka_unit_test(sort_is_right),
        cmocka_unit_test(unknown_names_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
