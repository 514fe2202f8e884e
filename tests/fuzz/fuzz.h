/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/fuzz/fuzz.h -- the entry libFuzzer knows, and a check that stops it. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOLDS(cond)                                                                                           \
    do {                                                                                                      \
        if (!(cond)) {                                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #cond);                         \
            abort();                                                                                          \
        }                                                                                                     \
    } while (0)
