/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_json.c -- the JSON helper: canonical text is a fixed point; quoting always gives JSON. */
#include "fuzz.h"

#include <faultline/json.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fl_err err = {.status = FL_OK};
    struct fl_json *v = fl_json_parse((const char *)data, size, &err);
    HOLDS((v == NULL) == (err.status != FL_OK));
    if (v) {
        char *once = fl_json_text(v, true);
        struct fl_json *back = fl_json_parse(once, strlen(once), NULL);
        HOLDS(back);
        char *twice = fl_json_text(back, true);
        HOLDS(strcmp(once, twice) == 0);
        free(once);
        free(twice);
        fl_json_free(back);
    }
    fl_json_free(v);
    if (memchr(data, 0, size))
        return 0;
    struct fl_buf quoted = fl_buf_init(0);
    fl_json_quote(&quoted, (const char *)data, size);
    v = fl_json_parse(quoted.p, quoted.n, NULL);
    HOLDS(v && fl_json_is_string(v));
    if (fl_utf8_valid((const char *)data, size))
        HOLDS(strlen(fl_json_string(v)) == size && memcmp(fl_json_string(v), data, size) == 0);
    fl_json_free(v);
    fl_buf_done(&quoted);
    return 0;
}
