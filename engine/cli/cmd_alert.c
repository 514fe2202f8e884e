/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_alert.c -- alert list and send (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>
#include <faultline/model.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct column columns[] = {
    {"FINGERPRINT", "fingerprint", 0, 's'}, {"STATE", "status", 0, 's'},
    {"SEVERITY", "severity", 0, 's'},       {"SINCE", "starts_at", 0, 'a'},
    {"ALERT", "labels.alertname", 40, 's'}, {"COMPONENT", "node", 40, 's'},
    {"INCIDENT", "incident", 0, 's'},
};

/* The server reads them in the same way; here the mistake is told before anybody is asked. */
static int add_filters(const struct args *a, struct fl_buf *path, bool first)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    for (size_t i = 0; arena && i < a->n_pos; i++) {
        struct fl_err err = {0};
        struct fl_matcher m;
        const char *text = a->pos[i];
        if (fl_matcher_parse(arena, text, strlen(text), &m, &err) != FL_OK)
            return usage_error("\"%.64s\": write label=value, label!=value, label=~regex or label!~regex",
                               text);
        fl_buf_str(path, first ? "?filter=" : "&filter=");
        url_add(path, text);
        first = false;
    }
    return 0;
}

int cmd_alert_list(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"state", arg(a, "state"), "incident", arg(a, "incident"),
                                 "after", arg(a, "after"), "limit",    arg(a, "limit"),
                                 NULL};
    fl_buf_str(&path, "/api/v1/alerts");
    size_t before = path.n;
    url_query(&path, pairs);
    int code = add_filters(a, &path, path.n == before);
    if (!code)
        code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        print_table(list_of(r.json, "alerts"), columns, FL_ARRAY_LEN(columns));
    const char *after = fl_json_str(r.json, "next_after", NULL);
    if (after && !a->json) {
        fputs("there may be more: --after ", stderr);
        put_text(stderr, after, 0);
        fputc('\n', stderr);
    }
    return EXIT_FINE;
}

/* ---- send ---- */

static int one_alert(struct args *a, struct fl_buf *b)
{
    struct fl_jw w = fl_jw_init(b);
    fl_usec now = fl_now(), starts = now;
    const char *text = arg(a, "starts");
    if (text && !fl_time_parse(text, strlen(text), &starts))
        return usage_error("--starts: \"%.40s\": write 2026-11-23T09:00:00Z", text);
    bool over = arg_set(a, "resolved");
    if (over && !text)
        starts = now - 60 * FL_USEC_PER_SEC;
    fl_jw_arr(&w, NULL);
    fl_jw_obj(&w, NULL);
    fl_jw_obj(&w, "labels");
    fl_jw_str(&w, "alertname", a->pos[0]);
    for (size_t i = 1; i < a->n_pos; i++) {
        const char *eq = strchr(a->pos[i], '=');
        if (!eq || eq == a->pos[i])
            return usage_error("\"%.64s\": write label=value", a->pos[i]);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(eq - a->pos[i]), a->pos[i]);
        fl_jw_str(&w, name, eq + 1);
    }
    fl_jw_obj_end(&w);
    if (arg(a, "summary")) {
        fl_jw_obj(&w, "annotations");
        fl_jw_str(&w, "summary", arg(a, "summary"));
        fl_jw_obj_end(&w);
    }
    if (text || over)
        fl_jw_time(&w, "startsAt", starts);
    if (over)
        fl_jw_time(&w, "endsAt", now);
    fl_jw_obj_end(&w);
    fl_jw_arr_end(&w);
    return 0;
}

int cmd_alert_send(struct args *a)
{
    FL_AUTO_BUF b = fl_buf_init(1 << 22);
    struct fl_err err = {0};
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    if (arg(a, "file")) {
        if (fl_read_file(arg(a, "file"), 32 << 20, &text, &n, &err) != FL_OK)
            return fail_with("alert send", &err);
    } else {
        int code = one_alert(a, &b);
        if (code)
            return code;
    }
    int code = call_server(a, "POST", "/api/v2/alerts", text ? text : b.p, text ? n : b.n, NULL);
    if (!code)
        fprintf(stderr, "committed\n");
    return code;
}
