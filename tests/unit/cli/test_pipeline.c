/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `check --test` says of a config that its heartbeat rules cannot be read from. */
#include "pipeline.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

const struct command commands[] = {{"none", NULL, 0, 0, 0, NULL, NULL, NULL, "none"}};
const size_t n_commands = 1;

static void refuses(char *config, fl_status want, const char *text)
{
    struct world w = {0};
    struct fl_err err = {0};
    fl_status st = beats_begin(&w, &(struct fl_sources){.config = config, .config_n = strlen(config)}, &err);
    assert_int_equal(st, want);
    assert_int_equal(err.status, want);
    assert_non_null(strstr(err.text, text));
    beats_end(&w);
}

static void a_bad_config_says_what_is_bad(void **state)
{
    (void)state;
    refuses((char[]){"{\"rules\":"}, FL_E_SYNTAX, "could not parse JSON");
    refuses((char[]){"{\"rules\":{\"heartbeats\":5}}"}, FL_E_SHAPE, "list");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bad_config_says_what_is_bad)};
    if (fl_base_init() != FL_OK)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
