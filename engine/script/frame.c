/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/script/frame.c -- frames between engine and worker; contract in <faultline/script.h>. */
#include <faultline/json.h>
#include <faultline/script.h>

#include <stdlib.h>
#include <string.h>

void fl_frame_put(struct fl_buf *out, const char *json, size_t n)
{
    FL_REQUIRE(n <= UINT32_MAX);
    unsigned char head[4] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
                             (unsigned char)n};
    fl_buf_add(out, head, sizeof head);
    fl_buf_add(out, json, n);
}

fl_status fl_frame_get(struct fl_buf *in, size_t max, char **ret_json, size_t *ret_n)
{
    if (in->n < 4)
        return FL_E_NOTFOUND;
    const unsigned char *h = (const unsigned char *)in->p;
    size_t n = (size_t)h[0] << 24 | (size_t)h[1] << 16 | (size_t)h[2] << 8 | h[3];
    if (n > max)
        return FL_E_LIMIT;
    if (in->n - 4 < n)
        return FL_E_NOTFOUND;
    char *json = malloc(n + 1);
    if (!json)
        return FL_E_NOMEM;
    memcpy(json, in->p + 4, n);
    json[n] = 0;
    memmove(in->p, in->p + 4 + n, in->n - 4 - n);
    in->n -= 4 + n;
    in->p[in->n] = 0;
    *ret_json = json;
    *ret_n = n;
    return FL_OK;
}

static void put(struct fl_buf *out, struct fl_buf *json)
{
    if (json->failed)
        out->failed = true;
    else
        fl_frame_put(out, json->p, json->n);
    fl_buf_done(json);
}

void fl_frame_put_done(struct fl_buf *out, unsigned n, const char *result)
{
    struct fl_buf json = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&json);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "t", "reply");
    fl_jw_int(&w, "n", n);
    fl_jw_str(&w, "state", "done");
    fl_jw_raw(&w, "result", result && *result ? result : NULL);
    fl_jw_obj_end(&w);
    put(out, &json);
}

void fl_frame_put_failed(struct fl_buf *out, unsigned n, const char *state, const char *error)
{
    struct fl_buf json = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&json);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "t", "reply");
    fl_jw_int(&w, "n", n);
    fl_jw_str(&w, "state", state);
    fl_jw_str(&w, "error", error ? error : "");
    fl_jw_obj_end(&w);
    put(out, &json);
}

void fl_frame_put_start(struct fl_buf *out, const char *kind, const char *name, const char *source, size_t n,
                        const char *ctx)
{
    struct fl_buf json = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&json);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "t", "start");
    fl_jw_str(&w, "kind", kind);
    fl_jw_str(&w, "name", name);
    fl_jw_strn(&w, "source", source, n);
    fl_jw_raw(&w, "ctx", ctx && *ctx ? ctx : "{}");
    fl_jw_obj_end(&w);
    put(out, &json);
}
