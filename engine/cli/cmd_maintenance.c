/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_maintenance.c -- maintenance add, list, end (layer 6). */
#include "quiet.h"

#include <string.h>

/* ---- add ---- */

static int moment(struct args *a, const char *name, fl_usec *ret)
{
    const char *text = arg(a, name);
    if (!text || fl_time_parse(text, strlen(text), ret))
        return 0;
    return usage_error("--%s: \"%.40s\": write 2026-11-23T09:00:00Z", name, text);
}

static void comma_list(struct fl_jw *w, const char *key, const char *text, size_t n)
{
    fl_jw_arr(w, key);
    while (n) {
        const char *comma = memchr(text, ',', n);
        size_t len = comma ? (size_t)(comma - text) : n;
        if (len)
            fl_jw_strn(w, NULL, text, len);
        n -= len + (comma != NULL);
        text += len + (comma != NULL);
    }
    fl_jw_arr_end(w);
}

/* --weekly "sat,sun 02:00" */
static int add_weekly(struct args *a, struct fl_jw *w, const char *text, const char *duration)
{
    const char *space = strchr(text, ' ');
    if (!space)
        return usage_error("--weekly: \"%.40s\": write \"sat,sun 02:00\"", text);
    if (!duration)
        return usage_error("--weekly: say how long each time with --duration");
    fl_jw_obj(w, "weekly");
    comma_list(w, "days", text, (size_t)(space - text));
    fl_jw_str(w, "at", space + 1);
    fl_jw_str(w, "duration", duration);
    fl_jw_str(w, "utc_offset", arg(a, "utc-offset") ? arg(a, "utc-offset") : "UTC");
    fl_jw_obj_end(w);
    return 0;
}

static int add_times(struct args *a, struct fl_jw *w)
{
    fl_usec starts = 0, ends = 0, lasts = 0;
    const char *duration = arg(a, "duration"), *weekly = arg(a, "weekly");
    int code = moment(a, "start", &starts);
    if (!code)
        code = moment(a, "end", &ends);
    if (code)
        return code;
    if (duration && (!fl_parse_duration(duration, &lasts) || lasts <= 0))
        return usage_error("--duration: \"%.40s\": write 30m, 2h or 1d", duration);
    if (!weekly && !duration == !ends)
        return usage_error(
            "say how long: --duration 2h, or --end TIME; or --weekly \"sat,sun 02:00\" with --duration");
    if (!weekly && duration)
        ends = (starts ? starts : fl_now()) + lasts;
    if (starts)
        fl_jw_time(w, "starts_at", starts);
    if (ends)
        fl_jw_time(w, "ends_at", ends);
    return weekly ? add_weekly(a, w, weekly, duration) : 0;
}

int cmd_maintenance_add(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&b);
    const char *components = arg(a, "component");
    if (!arg(a, "comment"))
        return usage_error("--comment is required: whoever meets the window wants to know why");
    if (!components && !a->n_pos)
        return usage_error("say what it is about: matchers, or --component ID");
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "comment", arg(a, "comment"));
    fl_jw_arr(&w, "match");
    for (size_t i = 0; i < a->n_pos; i++)
        fl_jw_str(&w, NULL, a->pos[i]);
    fl_jw_arr_end(&w);
    if (components)
        comma_list(&w, "components", components, strlen(components));
    fl_jw_bool(&w, "dependants", arg_set(a, "dependants"));
    int code = add_times(a, &w);
    fl_jw_obj_end(&w);
    if (!code)
        code = call_server(a, "POST", "/api/v1/maintenance", b.p, b.n, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        printf("%s\n", fl_json_str(r.json, "id", ""));
    return EXIT_FINE;
}

/* ---- list ---- */

static void add_words(struct fl_buf *b, const struct fl_json *list, const char *before)
{
    for (size_t i = 0; i < fl_json_len(list); i++)
        fl_buf_printf(b, "%s%s%s", b->n ? " " : "", before, fl_json_string(fl_json_at(list, i)));
}

static void flat_row(struct fl_jw *w, const struct fl_json *v, const struct fl_json *hidden)
{
    const struct fl_json *def = fl_json_get(v, "window"), *weekly = fl_json_get(def, "weekly");
    FL_AUTO_BUF about = fl_buf_init(1 << 20), every = fl_buf_init(1 << 20);
    add_words(&about, fl_json_get(def, "match"), "");
    add_words(&about, fl_json_get(def, "components"), fl_json_bool(def, "dependants", false) ? "@+" : "@");
    if (weekly) {
        add_words(&every, fl_json_get(weekly, "days"), "");
        char d[24];
        fl_buf_printf(&every, " %s%s %s", fl_json_str(weekly, "at", ""),
                      fl_json_str(weekly, "utc_offset", ""),
                      fl_format_duration(fl_json_int(weekly, "duration", 0) * FL_USEC_PER_SEC, d));
    }
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", fl_json_str(v, "id", ""));
    fl_jw_str(w, "state", fl_json_str(v, "state", ""));
    fl_jw_str(w, "next_at", fl_json_str(v, "next_at", ""));
    fl_jw_str(w, "every", every.p ? every.p : "once");
    fl_jw_str(w, "created_by", fl_json_str(v, "created_by", ""));
    fl_jw_str(w, "comment", fl_json_str(def, "comment", ""));
    fl_jw_str(w, "about", about.p ? about.p : "");
    hidden_cell(w, hidden);
    fl_jw_obj_end(w);
}

int cmd_maintenance_list(struct args *a)
{
    static const struct column columns[] = {
        {"WINDOW", "id", 0, 's'},   {"STATE", "state", 0, 's'},    {"NEXT", "next_at", 0, 't'},
        {"EVERY", "every", 0, 's'}, {"BY", "created_by", 16, 's'}, {"COMMENT", "comment", 40, 's'},
        {"HIDES", "hides", 0, 's'}, {"ABOUT", "about", 0, 's'},
    };
    AUTO_REPLY r = {0};
    AUTO_REPLY hidden = {0};
    FL_AUTO_BUF flat = fl_buf_init(64 << 20);
    struct fl_jw w = fl_jw_init(&flat);
    struct fl_err err = {0};
    int code = call_server(a, "GET",
                           arg_set(a, "ended") ? "/api/v1/maintenance?state=all&limit=10000"
                                               : "/api/v1/maintenance?limit=10000",
                           NULL, 0, &r);
    if (code)
        return code;
    if (a->json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *all = fl_json_get(r.json, "maintenance");
    hidden_load(a, &hidden);
    fl_jw_arr(&w, NULL);
    for (size_t i = 0; i < fl_json_len(all); i++)
        flat_row(&w, fl_json_at(all, i), hidden_find(&hidden, fl_json_str(fl_json_at(all, i), "id", "")));
    fl_jw_arr_end(&w);
    FL_AUTO_JSON list = fl_json_parse(flat.p ? flat.p : "[]", flat.n, &err);
    if (fl_json_len(list))
        print_table(list, columns, FL_ARRAY_LEN(columns));
    else
        fprintf(stderr, "no maintenance%s\n", arg_set(a, "ended") ? "" : "; --ended shows what is over");
    hidden_legend(list);
    return EXIT_FINE;
}

/* ---- end ---- */

int cmd_maintenance_end(struct args *a)
{
    for (size_t i = 0; i < a->n_pos; i++) {
        FL_AUTO_BUF path = fl_buf_init(4096);
        fl_buf_str(&path, "/api/v1/maintenance/");
        url_add(&path, a->pos[i]);
        fl_buf_str(&path, "/end");
        AUTO_REPLY r = {0};
        int code = call_server(a, "POST", path.p, "{}", 2, &r);
        if (code)
            return code;
        fprintf(stderr, "%s: ended\n", a->pos[i]);
    }
    return EXIT_FINE;
}
