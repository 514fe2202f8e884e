/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/http/raw.h -- a client that sends exactly the bytes it is told. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

int raw_open(int port);
void raw_send(int fd, const char *bytes, size_t n);
/* Everything until the server closes, or `ms` without a byte. @return the status code, 0 = none; text in raw_text. */
int raw_read(int fd, int ms, bool *ret_closed);
extern char raw_text[4 << 20];
/* One connection, one text, the answer's status code. */
int raw_ask(int port, const char *request);
/* METHOD path with a token (NULL: none) and a JSON body (NULL: none). */
int raw_request(int port, const char *method, const char *path, const char *token, const char *body);
const char *raw_body(void);
const char *raw_header(const char *name); /* value of the first one, or NULL */
