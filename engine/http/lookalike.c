/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/lookalike.c -- what amtool, Grafana and Karma ask an Alertmanager for: status, receivers, what is gone, and
 * what lists of alerts and of silences share (layer 5). Alerts come in through alerts.c. */
#include "lookalike.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const v2_group_by[] = {"alertname", "cluster", "namespace"};
const size_t n_v2_group_by = FL_ARRAY_LEN(v2_group_by);

/* ---- answers ---- */

void v2_string(struct request *r, unsigned code, const char *text)
{
    struct fl_buf b = fl_buf_init(1 << 20);
    fl_json_quote(&b, text, strlen(text));
    fl_buf_chr(&b, '\n');
    reply_buf(r, code, TYPE_JSON, &b);
}

void v2_object(struct request *r, unsigned http, unsigned code, const char *text)
{
    struct fl_buf b = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_int(&w, "code", code);
    fl_jw_str(&w, "message", text);
    fl_jw_obj_end(&w);
    reply_buf(r, http, TYPE_JSON, &b);
}

void run_v2_status(struct request *r)
{
    static fl_usec started; /* of the first question: nobody computes with it */
    if (!started)
        started = fl_now();
    char t[FL_TIME_LEN];
    FL_AUTO_BUF yaml = fl_buf_init(4096);
    struct fl_buf b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    /* amtool parses this as Alertmanager's configuration. */
    fl_buf_str(&yaml, "route:\n  receiver: " V2_RECEIVER "\n  group_by:\n");
    for (size_t i = 0; i < n_v2_group_by; i++)
        fl_buf_printf(&yaml, "  - %s\n", v2_group_by[i]);
    fl_buf_str(&yaml, "receivers:\n- name: " V2_RECEIVER "\n");
    fl_jw_obj(&w, NULL);
    fl_jw_raw(&w, "cluster", "{\"peers\":[],\"status\":\"disabled\"}");
    fl_jw_obj(&w, "config");
    fl_jw_str(&w, "original", yaml.p);
    fl_jw_obj_end(&w);
    fl_jw_str(&w, "uptime", fl_time_format_ms(started, t));
    fl_jw_obj(&w, "versionInfo");
    fl_jw_str(&w, "branch", "faultline");
    fl_jw_str(&w, "buildDate", "");
    fl_jw_str(&w, "buildUser", "");
    fl_jw_str(&w, "goVersion", "");
    fl_jw_str(&w, "revision", FL_VERSION);
    fl_jw_str(&w, "version", V2_VERSION);
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
    fl_buf_chr(&b, '\n');
    reply_buf(r, 200, TYPE_JSON, &b);
}

void run_v2_receivers(struct request *r)
{
    struct fl_buf b = fl_buf_init(1 << 16);
    fl_buf_str(&b, "[{\"name\":\"" V2_RECEIVER "\"}]\n");
    reply_buf(r, 200, TYPE_JSON, &b);
}

void run_v1_gone(struct request *r)
{
    struct fl_buf b = fl_buf_init(1 << 16);
    fl_buf_str(
        &b,
        "{\"status\":\"deprecated\",\"error\":\"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of "
        "version 0.27.0 - please use the equivalent route in the v2 API\"}");
    reply_buf(r, 410, TYPE_JSON, &b);
}

/* ---- arguments ---- */

bool v2_flag(const struct request *r, const char *name)
{
    static const char *const words[] = {"true", "1",        "yes",     "ok", "y",
                                        "on",   "selected", "checked", "t",  "enabled"};
    const char *v = request_arg(r, name);
    if (!v)
        return true;
    for (size_t i = 0; i < FL_ARRAY_LEN(words); i++)
        if (!strcasecmp(v, words[i]))
            return true;
    return false;
}

static const char *reason(const struct fl_err *err)
{
    const char *go = strstr(err->text, "error parsing regexp: ");
    return go ? go : err->text;
}

bool v2_filters_parse(struct request *r, struct filters *f)
{
    struct fl_err err = {0};
    const char *text;
    if (filters_read(r, FILTERS_MAX, true, f, &text, &err) == FL_OK)
        return true;
    filters_done(f);
    v2_string(r, 400, reason(&err));
    return false;
}

bool v2_receiver(struct request *r, bool *ret)
{
    const char *pattern = request_arg(r, "receiver");
    *ret = true;
    if (!pattern || !*pattern)
        return true;
    struct fl_err err = {0};
    struct fl_label l = {"receiver", V2_RECEIVER};
    const char *anchored = fl_arena_printf(r->arena, "^(?:%s)$", pattern);
    struct fl_matcher m = {.name = "receiver", .value = anchored ? anchored : "", .op = '~'};
    if (fl_matcher_compile(&m, &err) != FL_OK) {
        const char *text = fl_arena_printf(r->arena, "failed to parse receiver param: %s", reason(&err));
        v2_string(r, 400, text ? text : "failed to parse receiver param");
        return false;
    }
    *ret = fl_match_all(&m, 1, &(struct fl_labels){&l, 1});
    fl_matcher_done(&m);
    return true;
}

void v2_time(struct fl_jw *w, const char *key, const char *text, fl_usec dflt)
{
    char out[FL_TIME_LEN];
    fl_usec t = 0;
    if (!text || !fl_time_parse(text, strlen(text), &t) || !t)
        t = dflt;
    fl_jw_str(w, key, fl_time_format_ms(t, out));
}

bool v2_id(struct request *r)
{
    if (fl_silence_id_valid(r->params[0]))
        return true;
    FL_AUTO_BUF b = fl_buf_init(4096);
    fl_buf_printf(&b, "silenceID in path must be of type uuid: \"%.512s\"", r->params[0]);
    v2_object(r, 422, 601, b.p ? b.p : "silenceID in path must be of type uuid");
    return false;
}
