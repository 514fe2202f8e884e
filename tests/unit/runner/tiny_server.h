/* SPDX-License-Identifier: GPL-3.0-or-later */
/* tests/unit/runner/tiny_server.h -- an HTTP server that behaves as badly as its path says. One connection at a
 * time. /ok 200 with the request as body · /json · /status/NNN · /redirect to /witness · /close after the request ·
 * /slow headers, then nothing · /endless · /binary bytes 0-255 · /witness counts. */
#pragma once

#include <stddef.h>

struct tiny_server;
struct tiny_server *tiny_server_start(void);
void tiny_server_stop(struct tiny_server *s);
int tiny_server_port(const struct tiny_server *s);
unsigned tiny_server_connections(struct tiny_server *s);
unsigned tiny_server_witness(struct tiny_server *s); /* requests for /witness */
/** The last request's head and body, copied. */
void tiny_server_last(struct tiny_server *s, char *out, size_t cap);
