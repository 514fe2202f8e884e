/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_v2.c -- bodies of the format in FL_FORMAT_ALERTMANAGER_V2. */
#include "intake_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return check_parse(FL_FORMAT_ALERTMANAGER_V2, data, size);
}
