/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_silence.c -- silence add, list, expire: over the same API as amtool (layer 6). */
#include "quiet.h"

#include <faultline/model.h>

#include <pwd.h>
#include <string.h>
#include <unistd.h>

/* ---- add ---- */

static int time_option(struct args *a, const char *name, fl_usec *ret)
{
    const char *text = arg(a, name);
    if (!text || fl_time_parse(text, strlen(text), ret))
        return 0;
    return usage_error("--%s: \"%.40s\": write 2026-11-23T09:00:00Z", name, text);
}

static int add_matchers(struct args *a, struct fl_jw *w)
{
    FL_AUTO_ARENA arena = fl_arena_new(0);
    struct fl_matcher m[POSITIONALS_MAX];
    struct fl_silence s = {.m = m};
    for (size_t i = 0; arena && i < a->n_pos; i++) {
        struct fl_err err = {0};
        if (fl_matcher_parse(arena, a->pos[i], strlen(a->pos[i]), &m[s.n], &err) != FL_OK)
            return usage_error("\"%.64s\": write label=value, label!=value, label=~regex or label!~regex",
                               a->pos[i]);
        s.n++;
    }
    fl_silence_matchers_json(w, "matchers", &s);
    return 0;
}

static const char *author(const struct args *a)
{
    const struct passwd *p = arg(a, "author") ? NULL : getpwuid(getuid());
    return arg(a, "author") ? arg(a, "author") : p ? p->pw_name : "faultline";
}

int cmd_silence_add(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_usec starts = fl_now(), ends = 0, lasts = 0;
    int code = time_option(a, "start", &starts);
    if (!code)
        code = time_option(a, "end", &ends);
    if (code)
        return code;
    const char *duration = arg(a, "duration");
    if (!arg(a, "comment"))
        return usage_error("--comment is required: whoever meets the silence wants to know why");
    if (!duration == !ends)
        return usage_error("say how long: --duration 2h, or --end TIME");
    if (duration && (!fl_parse_duration(duration, &lasts) || lasts <= 0))
        return usage_error("--duration: \"%.40s\": write 30m, 2h or 1d", duration);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "comment", arg(a, "comment"));
    fl_jw_str(&w, "createdBy", author(a));
    fl_jw_time(&w, "startsAt", starts);
    fl_jw_time(&w, "endsAt", ends ? ends : starts + lasts);
    code = add_matchers(a, &w);
    fl_jw_obj_end(&w);
    if (!code)
        code = call_server(a, "POST", "/api/v2/silences", b.p, b.n, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        printf("%s\n", fl_json_str(r.json, "silenceID", ""));
    return EXIT_FINE;
}

/* ---- list ---- */

/* Elements as the table wants them: matchers as people write them. */
static void flat_row(struct fl_jw *w, const struct fl_json *v, const struct fl_json *hidden)
{
    FL_AUTO_BUF text = fl_buf_init(1 << 20);
    matchers_text(&text, fl_json_get(v, "matchers"));
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", fl_json_str(v, "id", ""));
    fl_jw_str(w, "state", fl_json_str(fl_json_get(v, "status"), "state", ""));
    fl_jw_str(w, "startsAt", fl_json_str(v, "startsAt", ""));
    fl_jw_str(w, "endsAt", fl_json_str(v, "endsAt", ""));
    fl_jw_str(w, "createdBy", fl_json_str(v, "createdBy", ""));
    fl_jw_str(w, "comment", fl_json_str(v, "comment", ""));
    fl_jw_str(w, "matchers", text.p ? text.p : "");
    hidden_cell(w, hidden);
    fl_jw_obj_end(w);
}

/* As Alertmanager's API has it, and how much it hides. */
static void whole_row(struct fl_jw *w, const struct fl_json *v, const struct fl_json *hidden)
{
    fl_jw_obj(w, NULL);
    for (void *it = fl_json_first(v); it; it = fl_json_next(v, it)) {
        FL_AUTO_FREE char *text = fl_json_text(fl_json_value(it), false);
        fl_jw_raw(w, fl_json_key(it), text ? text : "null");
    }
    hidden_members(w, hidden);
    fl_jw_obj_end(w);
}

static void print_silences(const struct args *a, const struct fl_buf *rows)
{
    static const struct column columns[] = {
        {"SILENCE", "id", 0, 's'},   {"STATE", "state", 0, 's'},       {"FROM", "startsAt", 0, 't'},
        {"UNTIL", "endsAt", 0, 't'}, {"BY", "createdBy", 16, 's'},     {"COMMENT", "comment", 40, 's'},
        {"HIDES", "hides", 0, 's'},  {"MATCHERS", "matchers", 0, 's'},
    };
    struct fl_err err = {0};
    FL_AUTO_JSON list = fl_json_parse(rows->p ? rows->p : "[]", rows->n, &err);
    if (fl_json_len(list))
        print_table(list, columns, FL_ARRAY_LEN(columns));
    else
        fprintf(stderr, "no silence%s\n",
                arg_set(a, "expired") ? "" : "; --expired shows those of the last 5 days");
    hidden_legend(list);
}

int cmd_silence_list(struct args *a)
{
    AUTO_REPLY r = {0};
    AUTO_REPLY hidden = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16), rows = fl_buf_init(64 << 20);
    struct fl_jw w = fl_jw_init(&rows);
    fl_buf_str(&path, "/api/v2/silences");
    for (size_t i = 0; i < a->n_pos; i++) {
        fl_buf_str(&path, i ? "&filter=" : "?filter=");
        url_add(&path, a->pos[i]);
    }
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    hidden_load(a, &hidden);
    fl_jw_arr(&w, NULL);
    for (size_t i = 0; i < fl_json_len(r.json); i++) {
        const struct fl_json *v = fl_json_at(r.json, i), *h = hidden_find(&hidden, fl_json_str(v, "id", ""));
        if (a->json)
            whole_row(&w, v, h);
        else if (arg_set(a, "expired") ||
                 strcmp(fl_json_str(fl_json_get(v, "status"), "state", ""), "expired") != 0)
            flat_row(&w, v, h);
    }
    fl_jw_arr_end(&w);
    if (a->json)
        print_json(&rows);
    else
        print_silences(a, &rows);
    return EXIT_FINE;
}

/* ---- expire ---- */

int cmd_silence_expire(struct args *a)
{
    for (size_t i = 0; i < a->n_pos; i++) {
        FL_AUTO_BUF path = fl_buf_init(4096);
        fl_buf_str(&path, "/api/v2/silence/");
        url_add(&path, a->pos[i]);
        AUTO_REPLY r = {0};
        int code = call_server(a, "DELETE", path.p, NULL, 0, &r);
        if (code) /* an unknown one is a 500 there, as Alertmanager has it; the server is well */
            return r.code == 500 ? EXIT_FINDING : code;
        fprintf(stderr, "%s: expired\n", a->pos[i]);
    }
    return EXIT_FINE;
}
