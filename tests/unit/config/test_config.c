/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/config/test_config.c -- defaults, file, environment, flags, combinations, dump. */
#include <faultline/config.h>
#include <faultline/json.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct fl_config *fresh(void)
{
    struct fl_config *c = NULL;
    struct fl_err err = {0};
    assert_int_equal(fl_config_new(&c, &err), FL_OK);
    return c;
}

static fl_status apply(struct fl_config *c, const char *json, const char *source, struct fl_err *err)
{
    *err = (struct fl_err){0};
    return fl_config_apply_json(c, json, strlen(json), "faultline.lua", source, err);
}

static void defaults_pass_their_own_check(void **state)
{
    (void)state;
    struct fl_config *c = fresh();
    struct fl_err err = {0};
    assert_string_equal(c->listen, "127.0.0.1:9195");
    assert_string_equal(c->realm, "default");
    assert_int_equal(c->max_body_bytes, 32 << 20);
    assert_true(c->lease_default == 9 * 3600 * FL_USEC_PER_SEC);
    assert_int_equal(c->n_commands, 0);
    assert_int_equal(fl_config_check(c, &err), FL_OK);
    fl_config_free(c);
}

static void every_option_has_help_and_its_default_can_be_set(void **state)
{
    (void)state;
    size_t n;
    const struct fl_option *o = fl_config_options(&n);
    struct fl_config *c = fresh();
    assert_true(n >= 20);
    for (size_t i = 0; i < n; i++) {
        struct fl_err err = {0};
        assert_true(strlen(o[i].help) > 10);
        assert_int_equal(fl_config_set(c, o[i].name, o[i].dflt, &err), FL_OK);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(o[i].name, o[k].name);
    }
    fl_config_free(c);
}

static void the_file_sets_every_kind(void **state)
{
    (void)state;
    struct fl_config *c = fresh();
    struct fl_err err;
    const char *json =
        "{\"listen\":\"[::1]:80\",\"max_body\":2048,\"lease_default\":\"2h\",\"lease_grace\":90,"
        "\"allow_private_targets\":true,"
        "\"http_allow\":[{\"host\":\"api.example\",\"methods\":[\"GET\",\"POST\"]},{\"host\":\"b\",\"port\":8080}],"
        "\"commands\":[{\"name\":\"restart\",\"path\":\"/usr/bin/systemctl\",\"args\":[\"restart\"],"
        "\"patterns\":[\"[a-z]+\"]},{\"name\":\"sync\",\"path\":\"/bin/sync\",\"args\":{}}]}";
    assert_int_equal(apply(c, json, NULL, &err), FL_OK);
    assert_string_equal(c->listen, "[::1]:80");
    assert_int_equal(c->max_body_bytes, 2048);
    assert_true(c->lease_default == 7200 * FL_USEC_PER_SEC && c->lease_grace == 90 * FL_USEC_PER_SEC);
    assert_true(c->allow_private_targets);
    assert_int_equal(c->n_http_allow, 2);
    assert_string_equal(c->http_allow[0].methods, "GET,POST");
    assert_int_equal(c->http_allow[0].port, 443);
    assert_int_equal(c->http_allow[1].port, 8080);
    assert_int_equal(c->n_commands, 2);
    assert_string_equal(c->commands[0].args[0], "restart");
    assert_null(c->commands[0].args[1]);
    assert_null(c->commands[1].args[0]);
    fl_config_free(c);
}

static void an_unknown_key_names_its_line_and_the_nearest(void **state)
{
    (void)state;
    struct fl_config *c = fresh();
    struct fl_err err;
    const char *source = "-- lisen = \"no\"\nreturn {\n  realm = \"lisen\",\n  lisen = \"x\",\n}\n";
    assert_int_equal(apply(c, "{\"realm\":\"lisen\",\"lisen\":\"x\"}", source, &err), FL_E_USAGE);
    assert_string_equal(err.where, "faultline.lua:4");
    assert_string_equal(err.text, "unrecognized option \"lisen\"");
    assert_string_equal(err.hint, "did you mean \"listen\"?");
    assert_int_equal(apply(c, "{\"\":1}", source, &err), FL_E_USAGE); /* no word to look for */
    assert_string_equal(err.where, "faultline.lua");
    fl_config_free(c);
}

static void bad_values_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *json, *text;
    } cases[] = {
        {"{\"max_body\":5}", "max_body: expected a number from 1024 to 1073741824, got 5"},
        {"{\"max_body\":\"5000\"}", "max_body: expected a whole number"},
        {"{\"max_body\":5000.5}", "max_body: expected a whole number"},
        {"{\"lease_grace\":\"soon\"}", "lease_grace: expected a duration such as \"5m\", got \"soon\""},
        {"{\"lease_grace\":\"2d\"}", "lease_grace: expected a duration from 1s to 1d"},
        {"{\"auth\":\"maybe\"}", "auth: expected on|off, got \"maybe\""},
        {"{\"auth\":\"on|off\"}", "auth: expected on|off, got \"on|off\""},
        {"{\"allow_private_targets\":1}", "allow_private_targets: expected true or false"},
        {"{\"listen\":7}", "listen: expected a string"},
        {"{\"commands\":[{\"name\":\"a\",\"path\":\"sh\"}]}",
         "commands: entry 1: path: expected an absolute path, no shell and no PATH is used"},
        {"{\"commands\":[{\"name\":\"a\",\"path\":\"/a\"},{\"name\":\"a\",\"path\":\"/a\"}]}",
         "commands: entry 2: a second command named \"a\""},
        {"{\"http_allow\":[{\"host\":\"a\",\"prot\":1}]}", "http_allow: entry 1: unrecognized key \"prot\""},
        {"{\"http_allow\":[{\"host\":\"a\",\"port\":70000}]}",
         "http_allow: entry 1: port: expected a number from 1 to 65535"},
        {"{\"http_allow\":[{\"port\":80}]}", "http_allow: entry 1: host is required"},
        {"{\"http_allow\":\"x\"}", "http_allow: expected a list"},
        {"[]", "expected a table of options"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_config *c = fresh();
        struct fl_err err;
        assert_int_not_equal(apply(c, cases[i].json, NULL, &err), FL_OK);
        assert_string_equal(err.text, cases[i].text);
        assert_string_equal(err.where, "faultline.lua");
        fl_config_free(c);
    }
}

static void the_environment_overrides(void **state)
{
    (void)state;
    struct fl_config *c = fresh();
    struct fl_err err = {0};
    char *env[] = {"PATH=/bin",
                   "FAULTLINE_LISTEN=127.0.0.1:1",
                   "FAULTLINE_URL=http://x",
                   "FAULTLINE_LOG_LEVEL=debug",
                   "FAULTLINE_PORT=tcp://10.0.0.1:9195",
                   "FAULTLINE_SERVICE_HOST=10.0.0.1",
                   NULL};
    assert_int_equal(fl_config_apply_env(c, env, &err), FL_OK);
    assert_string_equal(c->listen, "127.0.0.1:1");
    assert_string_equal(c->log_level, "debug");
    char *slip[] = {"FAULTLINE_LISTN=127.0.0.1:1", NULL};
    assert_int_equal(fl_config_apply_env(c, slip, &err), FL_E_USAGE);
    assert_string_equal(err.where, "environment: FAULTLINE_LISTN");
    assert_string_equal(err.hint, "did you mean \"listen\"?");
    fl_config_free(c);
}

static void flags_may_be_written_with_dashes(void **state)
{
    (void)state;
    struct fl_config *c = fresh();
    struct fl_err err = {0};
    assert_int_equal(fl_config_set(c, "log-level", "warn", &err), FL_OK);
    assert_string_equal(c->log_level, "warn");
    assert_int_equal(fl_config_set(c, "http-allow", "[{\"host\":\"h\"}]", &err), FL_OK);
    assert_int_equal(c->n_http_allow, 1);
    assert_int_equal(fl_config_set(c, "listen", "\xff", &err), FL_E_USAGE);
    fl_config_free(c);
}

static void combinations_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *where; /* NULL: passes */
    } cases[] = {
        {"{\"auth\":\"off\"}", NULL},
        {"{\"auth\":\"off\",\"listen\":\"127.9.9.9:1\"}", NULL},
        {"{\"auth\":\"off\",\"listen\":\"[::1]:1\"}", NULL},
        {"{\"auth\":\"off\",\"listen\":\"localhost:1\"}", NULL},
        {"{\"auth\":\"off\",\"listen\":\"0.0.0.0:9195\"}", "auth"},
        {"{\"auth\":\"off\",\"listen\":\":9195\"}", "auth"},
        {"{\"auth\":\"off\",\"listen\":\"[::]:9195\"}", "auth"},
        {"{\"auth\":\"off\",\"listen\":\"127.example.com:9195\"}", "auth"},
        {"{\"listen\":\"9195\"}", "listen"},
        {"{\"listen\":\"::1:9195\"}", "listen"},
        {"{\"listen\":\"[::1]9195\"}", "listen"},
        {"{\"listen\":\"a:70000\"}", "listen"},
        {"{\"realm\":\"\"}", "realm"},
        {"{\"realm\":\"a b\"}", "realm"},
        {"{\"queue\":1048576}", "queue"},
        {"{\"max_connections\":10}", "max_connections_per_address"},
        {"{\"lease_default\":\"2m\"}", "lease_grace"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(cases); i++) {
        struct fl_config *c = fresh();
        struct fl_err err;
        assert_int_equal(apply(c, cases[i].json, NULL, &err), FL_OK);
        fl_status st = fl_config_check(c, &err);
        assert_int_equal(st, cases[i].where ? FL_E_USAGE : FL_OK);
        assert_string_equal(err.where, cases[i].where ? cases[i].where : "");
        fl_config_free(c);
    }
}

static void a_dump_can_be_read_back_and_hides_passwords(void **state)
{
    (void)state;
    struct fl_config *c = fresh(), *again = fresh();
    struct fl_err err;
    FL_AUTO_BUF first = fl_buf_init(0);
    FL_AUTO_BUF second = fl_buf_init(0);
    assert_int_equal(
        apply(c, "{\"lease_grace\":\"90s\",\"commands\":[{\"name\":\"a\",\"path\":\"/a\",\"args\":[\"b\"]}]}",
              NULL, &err),
        FL_OK);
    fl_config_dump(c, &first);
    assert_non_null(strstr(first.p, "\"lease_grace\":\"90s\""));
    assert_int_equal(apply(again, first.p, NULL, &err), FL_OK);
    fl_config_dump(again, &second);
    assert_string_equal(first.p, second.p);
    assert_int_equal(apply(c, "{\"database\":\"postgresql://u:geheim@h/db\"}", NULL, &err), FL_OK);
    fl_buf_reset(&first);
    fl_config_dump(c, &first);
    assert_null(strstr(first.p, "geheim"));
    fl_config_free(c);
    fl_config_free(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_pass_their_own_check),
        cmocka_unit_test(every_option_has_help_and_its_default_can_be_set),
        cmocka_unit_test(the_file_sets_every_kind),
        cmocka_unit_test(an_unknown_key_names_its_line_and_the_nearest),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(the_environment_overrides),
        cmocka_unit_test(flags_may_be_written_with_dashes),
        cmocka_unit_test(combinations_are_checked),
        cmocka_unit_test(a_dump_can_be_read_back_and_hides_passwords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
