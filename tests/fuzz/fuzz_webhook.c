/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz_webhook.c -- bodies of the format in FL_FORMAT_ALERTMANAGER. */
#include "intake_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return check_parse(FL_FORMAT_ALERTMANAGER, data, size);
}
