/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_quiet.c -- how much silences and maintenance windows hide: silence show, maintenance show, and what the
 * lists of both say of it (layer 6). */
#include "quiet.h"

#include <faultline/model.h>

#include <string.h>

void hidden_load(const struct args *a, struct reply *ret)
{
    /* A list without these figures is better than none. */
    (void)try_server(a, "GET", "/api/v1/quiet?state=all&limit=10000", NULL, 0, ret);
}

const struct fl_json *hidden_find(const struct reply *r, const char *id)
{
    const struct fl_json *list = r->json ? fl_json_get(r->json, "quiet") : NULL;
    for (size_t i = 0; i < fl_json_len(list); i++)
        if (!strcmp(fl_json_str(fl_json_at(list, i), "id", ""), id))
            return fl_json_at(list, i);
    return NULL;
}

void hidden_cell(struct fl_jw *w, const struct fl_json *of)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    int64_t n = fl_json_int(of, "hidden", 0), bad = fl_json_int(of, "critical", 0);
    if (of && n) {
        fl_buf_printf(&b, "%lld", (long long)n);
        if (bad)
            fl_buf_printf(&b, " (%lld critical)", (long long)bad);
        if (*fl_json_str(of, "reminder", ""))
            fl_buf_chr(&b, '!');
    }
    fl_jw_str(w, "hides", b.p ? b.p : "");
}

void hidden_members(struct fl_jw *w, const struct fl_json *of)
{
    static const char *const names[] = {"hidden", "critical", "reminders", "reminded_at", "reminder"};
    for (size_t i = 0; of && i < FL_ARRAY_LEN(names); i++) {
        FL_AUTO_FREE char *text = fl_json_text(fl_json_get(of, names[i]), true);
        fl_jw_raw(w, names[i], text ? text : "null");
    }
}

void hidden_legend(const struct fl_json *list)
{
    for (size_t i = 0; i < fl_json_len(list); i++)
        if (strchr(fl_json_str(fl_json_at(list, i), "hides", ""), '!')) {
            fprintf(stderr, "! hides much for long, or ends while it hides something: `show ID` says more\n");
            return;
        }
}

void matchers_text(struct fl_buf *out, const struct fl_json *list)
{
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *m = fl_json_at(list, i);
        bool equal = fl_json_bool(m, "isEqual", true), regex = fl_json_bool(m, "isRegex", false);
        struct fl_matcher one = {.name = fl_json_str(m, "name", ""),
                                 .value = fl_json_str(m, "value", ""),
                                 .op = regex ? (equal ? '~' : 'n') : (equal ? '=' : '!')};
        if (i)
            fl_buf_chr(out, ' ');
        fl_matcher_text(&one, out);
    }
}

/* ---- show ---- */

static void line(const char *what, const char *text)
{
    if (!text || !*text)
        return;
    printf("  %-10s ", what);
    put_text(stdout, text, 0);
    putchar('\n');
}

static void show_times(const struct fl_json *v)
{
    char from[64], to[64];
    FL_AUTO_BUF b = fl_buf_init(0);
    if (*fl_json_str(v, "starts_at", ""))
        fl_buf_printf(&b, "from %s ", format_clock(fl_json_str(v, "starts_at", ""), from, sizeof from));
    if (*fl_json_str(v, "ends_at", ""))
        fl_buf_printf(&b, "until %s", format_clock(fl_json_str(v, "ends_at", ""), to, sizeof to));
    line("time", b.p);
}

static void show(const struct fl_json *v)
{
    static const struct column columns[] = {
        {"FINGERPRINT", "fingerprint", 0, 's'}, {"SEVERITY", "severity", 0, 's'},
        {"SINCE", "starts_at", 0, 't'},         {"INCIDENT", "incident", 0, 's'},
        {"COMPONENT", "node", 24, 's'},         {"ALERT", "alertname", 0, 's'},
    };
    const struct fl_json *alerts = fl_json_get(v, "alerts");
    bool silence = !strcmp(fl_json_str(v, "kind", ""), "silence");
    long long n = (long long)fl_json_int(v, "hidden", 0), bad = (long long)fl_json_int(v, "critical", 0);
    FL_AUTO_BUF about = fl_buf_init(1 << 20), hides = fl_buf_init(0), said = fl_buf_init(1 << 20);
    char when[64];
    printf("%s %s, %s\n", silence ? "silence" : "maintenance window", fl_json_str(v, "id", ""),
           fl_json_str(v, "state", ""));
    if (silence)
        matchers_text(&about, fl_json_get(v, "definition"));
    line("matchers", about.p);
    line("comment", fl_json_str(v, "comment", ""));
    line("by", fl_json_str(v, "created_by", ""));
    show_times(v);
    fl_buf_printf(&hides, "%lld firing alert%s", n, n == 1 ? "" : "s");
    if (bad)
        fl_buf_printf(&hides, ", %lld of them critical", bad);
    line("hides", hides.p);
    if (*fl_json_str(v, "reminder", ""))
        fl_buf_printf(&said, "%s: %s", format_clock(fl_json_str(v, "reminded_at", ""), when, sizeof when),
                      fl_json_str(v, "reminder", ""));
    line("reminder", said.p);
    if (!fl_json_len(alerts))
        return;
    putchar('\n');
    print_table(alerts, columns, FL_ARRAY_LEN(columns));
    if ((size_t)n > fl_json_len(alerts))
        printf("… and %lld more\n", n - (long long)fl_json_len(alerts));
    printf("\nfaultline why FINGERPRINT tells of one of them\n");
}

int cmd_quiet_show(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/quiet/");
    url_add(&path, a->pos[0]);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        show(r.json);
    return EXIT_FINE;
}
