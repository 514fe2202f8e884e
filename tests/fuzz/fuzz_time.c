/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_time.c -- a time that is read is written in a form that reads back the same. */
#include "fuzz.h"

#include <faultline/base.h>

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fl_usec t, again;
    char s[FL_TIME_LEN];
    if (!fl_time_parse((const char *)data, size, &t))
        return 0;
    fl_time_format(t, s);
    /* An offset may carry a time just outside the years 1 to 9999. */
    if (t > INT64_C(-62135000000000000) && t < INT64_C(253402300800000000))
        HOLDS(fl_time_parse(s, strlen(s), &again) && again == t);
    return 0;
}
