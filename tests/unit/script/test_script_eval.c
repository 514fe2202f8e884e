/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files that are data: playbook metadata, rules, configuration; errors name file and line. */
#include <faultline/json.h>
#include <faultline/model.h>
#include <faultline/script.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char *eval(fl_script_kind kind, const char *text, struct fl_err *err)
{
    char *json = NULL;
    *err = (struct fl_err){.status = FL_OK};
    fl_status st = fl_script_eval(kind, "dir/f.lua", text, strlen(text), 60 * FL_USEC_PER_SEC, &json, err);
    return st ? NULL : json;
}

static void gives(fl_script_kind kind, const char *text, const char *json)
{
    struct fl_err err;
    FL_AUTO_FREE char *got = eval(kind, text, &err);
    if (!got)
        fail_msg("%s: %s: %s", text, err.where, err.text);
    assert_string_equal(got, json);
}

static void refuses(fl_script_kind kind, const char *text, const char *where, const char *words)
{
    struct fl_err err;
    FL_AUTO_FREE char *got = eval(kind, text, &err);
    if (got)
        fail_msg("%s gave %s", text, got);
    assert_string_equal(err.where, where);
    if (!strstr(err.text, words))
        fail_msg("\"%s\" says nothing of \"%s\"", err.text, words);
}

static void a_playbook_declares_itself(void **state)
{
    (void)state;
    gives(
        FL_SCRIPT_PLAYBOOK, "playbook { name='a', version='1.0', doc='d', run=function() end }",
        "{\"approval\":\"required\",\"disruptive\":true,\"doc\":\"d\",\"name\":\"a\",\"timeout_us\":60000000,"
        "\"undo\":false,\"version\":\"1.0\"}");
    gives(
        FL_SCRIPT_PLAYBOOK,
        "playbook { name='a', version='1', doc='d', approval='none', disruptive=false, timeout='2m',\n"
        "params={url={type='string'}}, verify={alerts_clear=true, within='30s'}, undo=function() end,\n"
        "run=function() end }",
        "{\"approval\":\"none\",\"disruptive\":false,\"doc\":\"d\",\"name\":\"a\",\"params\":{\"url\":{\"type\":"
        "\"string\"}},\"timeout_us\":120000000,\"undo\":true,\"verify\":{\"alerts_clear\":true,\"within_us\":"
        "30000000},\"version\":\"1\"}");
}

static void a_bad_playbook_is_named_by_line(void **state)
{
    (void)state;
    static const char head[] = "\nplaybook { name='a', version='1', doc='d', run=function() end, ";
    static const struct {
        const char *rest, *words;
    } bad[] = {
        {"aproval='none' }", "did you mean \"approval\"?"},
        {"approval='maybe' }", "must be \"required\" or"},
        {"disruptive='no' }", "must be a boolean"},
        {"params='x' }", "must be a table"},
        {"undo=1 }", "must be a function"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        FL_AUTO_BUF b = fl_buf_init(0);
        fl_buf_str(&b, head);
        fl_buf_str(&b, bad[i].rest);
        refuses(FL_SCRIPT_PLAYBOOK, b.p, "dir/f.lua:2", bad[i].words);
    }
    refuses(FL_SCRIPT_PLAYBOOK, "playbook { name='A b', version='1', doc='d', run=function() end }",
            "dir/f.lua:1", "must be 1 to 64");
    refuses(FL_SCRIPT_PLAYBOOK, "playbook { version='1', doc='d', run=function() end }", "dir/f.lua:1",
            "\"name\" is required");
    refuses(FL_SCRIPT_PLAYBOOK, "local x = 1", "dir/f.lua", "declares no playbook");
    refuses(FL_SCRIPT_PLAYBOOK, "local x = ", "dir/f.lua:1", "unexpected symbol");
    refuses(FL_SCRIPT_PLAYBOOK, "\x1bLua", "dir/f.lua", "attempt to load a binary chunk");
    refuses(FL_SCRIPT_PLAYBOOK, "-- \xff", "dir/f.lua", "not UTF-8");
    refuses(FL_SCRIPT_PLAYBOOK, "while true do end", "dir/f.lua:1", "processor time");
}

static void rules_are_gathered(void **state)
{
    (void)state;
    gives(
        FL_SCRIPT_RULES,
        "mapping { name='a', node='{x}' } mapping { {name='b', node='{y}'}, {name='c', node='{z}'} }\n"
        "guards { cooldown='1h' } guards { breaker_failures=3 } for i = 1, 2 do class { name='c' .. i } end",
        "{\"classes\":[{\"name\":\"c1\"},{\"name\":\"c2\"}],\"guards\":{\"breaker_failures\":3,\"cooldown\":\"1h\"},"
        "\"mapping\":[{\"name\":\"a\",\"node\":\"{x}\"},{\"name\":\"b\",\"node\":\"{y}\"},{\"name\":\"c\",\"node\":\"{z}\"}]}");
    gives(FL_SCRIPT_RULES, "return { mapping = array{} }", "{\"mapping\":[]}");
    gives(FL_SCRIPT_RULES, "", "{}");
    refuses(FL_SCRIPT_RULES, "\n\nmaping{}", "dir/f.lua:3", "did you mean \"mapping\"?");
    refuses(FL_SCRIPT_RULES, "mapping{name='x'} return {}", "dir/f.lua", "not both");
}

static void configuration_is_a_table(void **state)
{
    (void)state;
    gives(FL_SCRIPT_CONFIG, "return { listen = '127.0.0.1:1', n = 2 * minute }",
          "{\"listen\":\"127.0.0.1:1\",\"n\":120}");
    gives(FL_SCRIPT_CONFIG, "local base = 9000\nlisten = '127.0.0.1:' .. base\nnested = { a = array{} }",
          "{\"listen\":\"127.0.0.1:9000\",\"nested\":{\"a\":[]}}");
    refuses(FL_SCRIPT_CONFIG, "x = os.getenv('HOME')", "dir/f.lua:1", "os");
    refuses(FL_SCRIPT_CONFIG, "return 3", "dir/f.lua", "must return a table");
}

/* The shipped rule files say what the engine does without any. */
static void shipped_rules_are_the_built_in_ones(void **state)
{
    (void)state;
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_FREE char *json = NULL;
    if (fl_script_rules_dir(FL_SOURCE_DIR "/rules", 10 * FL_USEC_PER_SEC, &json, &err) != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    const char *builtin = fl_rules_default_json();
    FL_AUTO_JSON a = fl_json_parse(json, strlen(json), &err);
    FL_AUTO_JSON b = fl_json_parse(builtin, strlen(builtin), &err);
    assert_non_null(a);
    assert_non_null(b);
    FL_AUTO_FREE char *ours = fl_json_text(a, true), *theirs = fl_json_text(b, true);
    assert_string_equal(ours, theirs);
    struct fl_rules *r = NULL;
    assert_int_equal(fl_rules_from_json(json, strlen(json), &r, &err), FL_OK);
    fl_rules_free(r);
}

/* Lua has one empty table: a file may say that there are none of a kind, whatever the kind. */
static void an_empty_section_is_a_section(void **state)
{
    (void)state;
    struct fl_err err = {.status = FL_OK};
    FL_AUTO_FREE char *json = NULL;
    char dir[] = "/tmp/fl-rules-XXXXXX", path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/a.lua", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("return { maintenance = {}, guards = {}, bindings = {} }\n", f);
    assert_int_equal(fclose(f), 0);
    fl_status st = fl_script_rules_dir(dir, 10 * FL_USEC_PER_SEC, &json, &err);
    unlink(path);
    rmdir(dir);
    if (st != FL_OK)
        fail_msg("%s: %s", err.where, err.text);
    FL_AUTO_JSON v = fl_json_parse(json, strlen(json), &err);
    FL_AUTO_FREE char *text = fl_json_text(v, true);
    assert_string_equal(text, "{\"bindings\":[],\"guards\":{},\"maintenance\":[]}");
}

int main(void)
{
    if (fl_base_init() != FL_OK)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_playbook_declares_itself),
        cmocka_unit_test(a_bad_playbook_is_named_by_line),
        cmocka_unit_test(rules_are_gathered),
        cmocka_unit_test(configuration_is_a_table),
        cmocka_unit_test(shipped_rules_are_the_built_in_ones),
        cmocka_unit_test(an_empty_section_is_a_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
