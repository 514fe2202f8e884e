/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_config.c -- configuration JSON; the input is its own "source" for the line look-up. What is
 * taken can be dumped and read back. */
#include "fuzz.h"

#include <faultline/config.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fl_config *c = NULL, *again = NULL;
    struct fl_err err = {.status = FL_OK};
    char *source = calloc(1, size + 1);
    memcpy(source, data, size);
    HOLDS(fl_config_new(&c, NULL) == FL_OK && fl_config_new(&again, NULL) == FL_OK);
    fl_status st = fl_config_apply_json(c, (const char *)data, size, "f", source, &err);
    HOLDS(st == err.status);
    if (st == FL_OK && !strstr(c->database, "password") && !strchr(c->database, '@')) {
        struct fl_buf dump = fl_buf_init(0);
        fl_config_dump(c, &dump);
        HOLDS(fl_config_apply_json(again, dump.p, dump.n, NULL, NULL, NULL) == FL_OK);
        struct fl_err why = {.status = FL_OK};
        HOLDS(fl_config_check(c, &why) == why.status);
        fl_buf_done(&dump);
    }
    fl_config_free(c);
    fl_config_free(again);
    free(source);
    return 0;
}
