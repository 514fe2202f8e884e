/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Rule and playbook folders → one configuration event; every problem is told with its file. */
#include <faultline/daemon.h>
#include <faultline/json.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static char dir[64];
struct problems {
    size_t n;
    char text[4096];
};

static void note(void *ctx, const struct fl_err *err)
{
    struct problems *p = ctx;
    p->n++;
    size_t at = strlen(p->text);
    snprintf(p->text + at, sizeof p->text - at, "%s: %s\n", err->where, err->text);
}

static void put(const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/fl-sources-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static void nothing_configured(void **state)
{
    (void)state;
    struct fl_config c = {.rules_dir = "", .playbooks_dir = "", .topology = "", .model = ""};
    struct fl_sources s, again;
    struct problems p = {0};
    assert_int_equal(fl_sources_load(&c, &s, note, &p), FL_OK);
    assert_int_equal(fl_sources_load(&c, &again, note, &p), FL_OK);
    assert_memory_equal(&s.hash, &again.hash, sizeof s.hash); /* the same files, the same version */
    assert_null(s.topology);
    struct fl_err err = {0};
    FL_AUTO_JSON doc = fl_json_parse(s.config, s.config_n, &err);
    assert_non_null(fl_json_get(fl_json_get(doc, "rules"), "mapping"));
    /* No folder named: the shipped ones, here those of the sources this test was built from. */
    assert_string_equal(s.rules_dir, FL_SOURCE_DIR "/rules");
    assert_string_equal(s.playbooks_dir, FL_SOURCE_DIR "/playbooks");
    bool restart = false;
    const struct fl_json *playbooks = fl_json_get(doc, "playbooks");
    for (size_t i = 0; i < fl_json_len(playbooks); i++)
        restart |= fl_streq(fl_json_str(fl_json_get(fl_json_at(playbooks, i), "meta"), "name", ""),
                            "restart-service");
    assert_true(restart);
    fl_sources_done(&s);
    fl_sources_done(&again);
}

static void shipped_folders(void **state)
{
    (void)state;
    char path[1024] = "x", small[4] = "x";
    assert_true(fl_shipped_dir("rules", path, sizeof path));
    assert_string_equal(path, FL_SOURCE_DIR "/rules");
    assert_false(fl_shipped_dir("no-such-folder", path, sizeof path));
    assert_string_equal(path, "");
    assert_false(fl_shipped_dir("rules", small, sizeof small)); /* a path cut short is no path */
    assert_string_equal(small, "");
}

static void every_problem_is_told(void **state)
{
    (void)state;
    char missing[100];
    struct problems p = {0};
    struct fl_sources s;
    put("a.lua", "this is no Lua");
    put("b.lua", "return { nosuchkey = 1 }");
    put("d.lua", "heartbeat { name = 'x', source = 'grafena', interval = '1m' }");
    put("c_spec.lua", "neither is this, but it is a test");
    put(".hidden.lua", "nor this");
    put("topology.json", "{\"nodes\":[{\"id\":7}]}");
    snprintf(missing, sizeof missing, "%s/topology.json", dir);
    struct fl_config c = {.rules_dir = dir,
                          .playbooks_dir = "/nonexistent",
                          .topology = missing,
                          .model = "/nonexistent/model"};
    assert_int_equal(fl_sources_load(&c, &s, note, &p), FL_E_USAGE);
    assert_null(s.config);
    assert_non_null(strstr(p.text, "a.lua"));
    assert_non_null(strstr(p.text, "b.lua"));
    assert_non_null(strstr(p.text, "d.lua.heartbeats[0].source: there is no format"));
    assert_null(strstr(p.text, "c_spec.lua"));
    assert_null(strstr(p.text, "hidden"));
    assert_non_null(strstr(p.text, "topology.json"));
    assert_non_null(strstr(p.text, "/nonexistent/model"));
    assert_true(p.n >= 5);
}

static void reading_files(void **state)
{
    (void)state;
    char path[100], *text = NULL;
    size_t n = 7;
    put("empty", "");
    snprintf(path, sizeof path, "%s/empty", dir);
    assert_int_equal(fl_read_file(path, 10, &text, &n, NULL), FL_OK);
    assert_int_equal(n, 0);
    assert_string_equal(text, "");
    free(text);
    put("full", "0123456789");
    snprintf(path, sizeof path, "%s/full", dir);
    assert_int_equal(fl_read_file(path, 10, &text, &n, NULL), FL_OK);
    assert_int_equal(n, 10);
    assert_string_equal(text, "0123456789");
    free(text);
    assert_int_equal(fl_read_file(path, 9, &text, &n, NULL), FL_E_LIMIT);
    assert_int_equal(fl_read_file(dir, 9, &text, &n, NULL), FL_E_IO);
    assert_int_equal(fl_read_file("/nonexistent", 9, &text, &n, NULL), FL_E_NOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_configured),
        cmocka_unit_test(shipped_folders),
        cmocka_unit_test_setup_teardown(every_problem_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_files, setup, teardown),
    };
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
