/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/bench/client.h -- the least HTTP client that can keep a server busy: blocking, keep-alive, no chunks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_ANSWER_MAX (1u << 20)

double client_now(void);        /* monotonic seconds */
void *client_must(void *p);     /* ends the program on NULL */
int client_dial(const char *host, const char *port); /* -1: no connection; 30 s of patience afterwards */
bool client_send(int fd, const char *p, size_t n);
/** Read one answer whole, NUL terminated, its headers' end turned into a NUL.
 *  @return its status; 0 when the connection broke or the answer is too long. *ret_close: it will be closed. */
int client_answer(int fd, char *buf, size_t cap, bool *ret_close);
/** First line of a file; ends the program when there is none. */
void client_token(const char *file, char *ret, size_t cap);
