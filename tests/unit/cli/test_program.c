/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The program from outside: exit codes, help for every command, errors that say what to do. */
#include <faultline/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const char *program;
static char out[1 << 16];

static int run(const char *arguments)
{
    char command[2048];
    snprintf(
        command, sizeof command,
        "env -u FAULTLINE_TOKEN -u FAULTLINE_URL -u FAULTLINE_DATA -u FAULTLINE_DATABASE -u FAULTLINE_CONFIG HOME=/nonexistent "
        "'%s' %s 2>&1 </dev/null",
        program, arguments);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, sizeof out - 1, p);
    out[n] = 0;
    int status = pclose(p);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void expect(const char *arguments, int code, const char *text)
{
    int got = run(arguments);
    if (got != code || !strstr(out, text))
        fail_msg("faultline %s: exit %d, not %d, or without \"%s\":\n%s", arguments, got, code, text, out);
}

static void help_of_everything(void **state)
{
    (void)state;
    static char overview[1 << 16];
    assert_int_equal(run("--help"), 0);
    memcpy(overview, out, sizeof overview);
    size_t seen = 0;
    for (char *line = strtok(overview, "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "  ", 2) != 0)
            continue;
        char arguments[128];
        size_t n = strstr(line + 2, "  ") ? (size_t)(strstr(line + 2, "  ") - line - 2)
                                          : strcspn(line + 2, " ");
        if (strlen(line) > 20 && n > 18)
            n = 18;
        snprintf(arguments, sizeof arguments, "%.*s --help", (int)n, line + 2);
        int code = run(arguments);
        if (code != 0 || !strstr(out, "faultline "))
            fail_msg("faultline %s: exit %d\n%s", arguments, code, out);
        seen++;
    }
    assert_true(seen > 40);
}

static void usage_errors(void **state)
{
    (void)state;
    expect("", 2, "faultline COMMAND --help");
    expect("incidnet list", 2, "did you mean \"incident\"?");
    expect("incident", 2, "incident show");
    expect("incident lst", 2, "there is no such command");
    expect("incident list --stat open", 2, "did you mean --state?");
    expect("incident show", 2, "needs ID");
    expect("incident show a b", 2, "takes only ID");
    expect("incident list -o xml", 2, "write json or table");
    expect("incident list --state", 2, "needs a value");
    expect("audit verify --head nonsense", 2, "SEQ:HASH");
    expect("token create --name x --role king", 2, "one of ingest, viewer, operator, approver, admin");
    expect("serve --lisen x", 2, "did you mean --listen?");
    expect("serve --auth off --listen 0.0.0.0:1", 2, "loopback");
    expect("version", 0, FL_VERSION);
}

static void unreachable(void **state)
{
    (void)state;
    expect("incident list --server http://127.0.0.1:1", 3, "is `faultline serve` running?");
    expect("token list --data /nonexistent", 3, "database");
    expect("incident list --server http://127.0.0.1:1 --token-file /nonexistent", 2, "cannot be read");
}

static void offline_verify(void **state)
{
    (void)state;
    char path[] = "/tmp/fl-cli-XXXXXX", arguments[128];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    static const char bad[] = "{\"seq\":1}\n";
    assert_int_equal(write(fd, bad, strlen(bad)), (ssize_t)strlen(bad));
    close(fd);
    snprintf(arguments, sizeof arguments, "audit verify %s", path);
    expect(arguments, 1, "line 1 is no audit entry");
    unlink(path);
    expect("audit verify /nonexistent", 2, "/nonexistent");
}

/* A pipeline test of this text: exit code, and what is printed ("FILE" stands for its path). */
static void pipeline(const char *text, const char *options, int code, const char *want)
{
    char path[] = "/tmp/fl-cli-XXXXXX", arguments[128], expected[2048];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    snprintf(arguments, sizeof arguments, "check --test %s %s", path, options);
    const char *name = strstr(want, "FILE");
    snprintf(expected, sizeof expected, "%.*s%s%s", name ? (int)(name - want) : (int)strlen(want), want,
             name ? path : "", name ? name + 4 : "");
    expect(arguments, code, expected);
    unlink(path);
}

#define DB "test \"t\"\ntopology { nodes = { { id = \"db\", type = \"store\" } } }\n"
#define FIRE DB "fire { alertname = \"X\", service = \"db\" }\nat \"1m\"\n"

static void pipeline_tests_pass_and_fail(void **state)
{
    (void)state;
    pipeline(FIRE "expect { incidents = 1 }\nexpect { alert = { alertname = \"X\" }, node = \"db\" }\n", "",
             0, "1 tests, 2 expectations, 0 failed");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, node = false }\n", "", 1,
             "FILE:5: t: expected component none, it is db\n"
             "  {alertname=\"X\", service=\"db\"} is firing\n"
             "    why: accepted from alertmanager-v2\n"
             "    why: mapped to component db by rule \"service\"\n"
             "    why: opened INC-2026-000001: no incident of the last 10 min alerts within 2 hops of it\n");
    pipeline(FIRE "expect { incidents = 2 }\n", "-o json", 1,
             "\"passed\":false,\"expectations\":1,\"failures\":[{\"line\":5,");
    pipeline(FIRE "expect { incidents = 2 }\n", "-o junit", 1,
             "<failure message=\"line 5\">expected incidents = 2, it is 1");
    pipeline(FIRE "expect { incident_of = { service = \"db\" }, guard = \"x\" }\n", "", 1,
             "expected guard.refused with \"x\"");
    pipeline(FIRE "expect { incident_of = { service = \"db\" }, playbook = \"p\" }\n", "", 1,
             "expected playbook p, there is none");
    pipeline(FIRE "expect { alert = { alertname = \"Y\" }, state = \"firing\" }\n", "", 1,
             "no alert has the labels");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, held = true }\n", "", 1,
             "expected it to be held, it is in INC-");
    pipeline(FIRE "expect { apart = { { alertname = \"X\" }, { service = \"db\" } } }\n", "", 1,
             "both are in INC-");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, maintenance = true }\n", "", 1,
             "FILE:5: t: expected it to be in maintenance");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, flapping = true }\n", "", 1,
             "FILE:5: t: expected it to be flapping");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, kept_by = \"threshold\" }\n", "", 1,
             "FILE:5: t: expected it to be kept quiet by \"threshold\", it is by none");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, inhibited_by = { alertname = \"Y\" } }\n", "", 1,
             "no alert has the labels {\"alertname\":\"Y\"}");
    pipeline(FIRE "expect { alert = { alertname = \"X\" }, inhibited_by = { alertname = \"X\" } }\n", "", 1,
             "expected it to be inhibited by {\"alertname\":\"X\"}");
    pipeline(FIRE "expect { incident_of = { service = \"db\" }, ranking = { \"db\" } }\n", "", 0, "0 failed");
    pipeline(FIRE "expect { incident_of = { service = \"db\" }, ranking = { \"web\" } }\n", "", 1,
             "FILE:5: t: expected web as cause number 1, it is db; the ranking: [\"db\"]");
    /* That it is over says nothing new of its way. */
    pipeline(
        FIRE
        "resolve { alertname = \"X\", service = \"db\" }\nat \"2m\"\n"
        "expect { alert = { alertname = \"X\" }, state = \"resolved\", why = \"mapped to component db\" }\n",
        "", 0, "0 failed");
    pipeline(FIRE "expect { reminders = 1 }\n", "", 1, "expected reminders = 1, it is 0");
    pipeline(FIRE, "", 1, "the test expects nothing");
    pipeline("-- nothing\n", "", 1, "0 tests");
}

static void pipeline_files_that_mean_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *line, *want;
    } bad[] = {
        {"expect { incident = 1 }",
         "FILE:2: expect: unknown field \"incident\"; did you mean \"incidents\"?"},
        {"expect { incidents = \"1\" }", "FILE:2: expect: incidents: a value of another type"},
        {"expect { state = \"x\" }", "FILE:2: expect: state: of which?"},
        {"expect { }", "FILE:2: expect: give it fields"},
        {"at \"soon\"", "FILE:2: at: expected seconds"},
        {"at(5) at(3)", "FILE:2: at: time does not go back"},
        {"fire \"x\"", "FILE:2: fire: expected a table"},
        {"fire { alertname = 5 }", "FILE:2: [0].labels: "},
        {"fire({ a = \"b\" }, { anotations = {} })",
         "FILE:2: fire: unknown field \"anotations\"; did you mean"},
        {"sends \"nobody\"", "FILE:2: there is no heartbeat rule \"nobody\"; the rules in force have none"},
        {"silent \"nobody\"", "FILE:2: there is no heartbeat rule \"nobody\""},
        {"sends { alertname = \"X\" }", "FILE:2: sends: expected the name of a heartbeat rule"},
        {"resolve { a = \"b\" }", "FILE:2: resolve: nothing was fired with exactly the labels"},
        {"silence { }", "FILE:2: silence: match is required"},
        {"silence { match = { { label = \"a\", op = \"~\" } } }", "FILE:2: silence: op \"~\": write"},
        {"silence { match = { { label = \"a\", op = \"=~\", value = \"(\" } } }",
         "FILE:2: refused: silence invalid"},
        {"maintenance { component = \"db\" }",
         "FILE:2: maintenance: unknown field \"component\"; did you mean \"components\"?"},
        {"maintenance { components = { \"nobody\" } }",
         "FILE:2: refused: the topology has no component \"nobody\""},
        {"maintenance { }", "FILE:2: refused: "},
        {"change { kind = \"deploy\" }", "FILE:2: component: is required"},
        {"command { op = \"incident.ack\", incident = \"INC-1\" }", "FILE:2: refused: there is no incident"},
        {"topology \"nowhere.json\"", "could not read /tmp/nowhere.json"},
        {"topology { nodes = 5 }", "FILE:2: nodes: must be a list"},
        {"foo { }", "FILE:2: there is no \"foo\" here"},
        {"fire({}, {}, {})", "FILE:2: fire: takes one value, or two"},
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(bad); i++) {
        char text[256];
        snprintf(text, sizeof text, "test \"t\"\n%s\nexpect { incidents = 0 }\n", bad[i].line);
        pipeline(text, "", 2, bad[i].want);
    }
    pipeline("fire { a = \"b\" }\n", "", 2, "FILE:1: fire: there is no test yet");
    /* In whatever form the report is asked for, it carries what is wrong with the file. */
    pipeline(FIRE "expect { incidents = 1 }\nat \"soon\"\n", "-o json 2>/dev/null", 2,
             "\"passed\":0,\"failed\":1,\"expectations\":1,\"errors\":[{\"file\":\"FILE");
    pipeline(FIRE "expect { incidents = 1 }\nat \"soon\"\n", "-o json 2>/dev/null", 2,
             "\",\"line\":6,\"test\":\"t\",\"text\":\"at: expected seconds, or text such as");
    pipeline("test \"t\"\nfoo { }\n", "-o json 2>/dev/null", 2,
             "\",\"line\":2,\"text\":\"there is no \\\"foo\\\" here");
    pipeline("test \"t\"\nfire {\n", "-o json 2>/dev/null", 2,
             "{\"tests\":[],\"passed\":0,\"failed\":0,\"expectations\":0,\"errors\":[{\"file\":\"FILE");
    pipeline("test \"t\"\nfoo { }\n", "-o junit 2>/dev/null", 2, "errors=\"1\" time=\"");
    pipeline("test \"t\"\nfoo { }\n", "-o junit 2>/dev/null", 2,
             "name=\"the file itself\"><error message=\"line 2\">there is no &quot;foo&quot; here");
    pipeline(FIRE "expect { incidents = 1 }\n", "-o json --rules /nonexistent 2>/dev/null", 2,
             "{\"tests\":[],\"passed\":0,\"failed\":0,\"expectations\":0,\"errors\":[{\"file\":\"");
    expect("check --test /nowhere.lua -o json 2>/dev/null", 2,
           "\"errors\":[{\"file\":\"/nowhere.lua\",\"text\":\"could not read /nowhere.lua");
    expect("check --test /nowhere.lua", 2, "could not read /nowhere.lua");
    expect("check nowhere.lua", 2, "files are given with --test");
    expect("check -o xml --test x", 2, "-o: \"xml\"");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(help_of_everything),
                                       cmocka_unit_test(usage_errors),
                                       cmocka_unit_test(unreachable),
                                       cmocka_unit_test(offline_verify),
                                       cmocka_unit_test(pipeline_tests_pass_and_fail),
                                       cmocka_unit_test(pipeline_files_that_mean_nothing)};
    if (argc < 2 || fl_base_init() != FL_OK)
        return 1;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
