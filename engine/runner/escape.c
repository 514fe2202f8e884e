/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/runner/escape.c -- output of programs and servers as text that JSON and PostgreSQL take. */
#include "runner_priv.h"

bool text_escape(struct fl_buf *out, const char *p, size_t n)
{
    bool escaped = false;
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)p[i];
        size_t len = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
        bool text = c == '\n' || c == '\t' || c == '\r' || (c >= 0x20 && c != 0x7f);
        if (text && n - i >= len && (c < 0x80 || fl_utf8_valid(p + i, len))) {
            fl_buf_add(out, p + i, len);
            i += len;
            continue;
        }
        fl_buf_printf(out, "\\x%02x", c);
        escaped = true;
        i++;
    }
    return escaped;
}

size_t text_whole(const char *p, size_t n)
{
    size_t tail = 0;
    while (tail < 3 && tail < n && ((unsigned char)p[n - 1 - tail] & 0xc0) == 0x80)
        tail++;
    if (tail == n)
        return n;
    unsigned char lead = (unsigned char)p[n - 1 - tail];
    size_t need = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;
    return need > tail ? n - 1 - tail : n;
}
