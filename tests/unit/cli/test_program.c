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

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(help_of_everything), cmocka_unit_test(usage_errors),
                                       cmocka_unit_test(unreachable), cmocka_unit_test(offline_verify)};
    if (argc < 2 || fl_base_init() != FL_OK)
        return 1;
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
