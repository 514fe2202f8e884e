/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_why.c -- prints what GET /api/v1/why/{what} answers: what became of an alert, or of an incident, and why;
 * also what did not happen (layer 6). It decides nothing: -o json is that answer, and the text has no more than it. */
#include "cli.h"

#include <faultline/model.h>

#include <stdlib.h>
#include <string.h>

static void lines(FILE *f, const char *before, const struct fl_json *texts)
{
    for (size_t i = 0; texts && i < fl_json_len(texts); i++) {
        const char *text = fl_json_string(fl_json_at(texts, i));
        fputs(before, f);
        put_text(f, text ? text : "", 0);
        fputc('\n', f);
    }
}

/* ---- an incident ---- */

static void print_incident(const struct fl_json *doc)
{
    const struct fl_json *inc = fl_json_get(doc, "incident"), *why = fl_json_get(doc, "why");
    printf("%s is %s: ", fl_json_str(inc, "id", "?"), fl_json_str(inc, "state", "?"));
    put_text(stdout, fl_json_str(inc, "title", ""), 0);
    putchar('\n');
    for (size_t i = 0; why && i < fl_json_len(why); i++) {
        const struct fl_json *q = fl_json_at(why, i);
        put_text(stdout, fl_json_str(q, "question", ""), 0);
        putchar('\n');
        lines(stdout, "  - ", fl_json_get(q, "answers"));
    }
}

/* ---- an alert ---- */

static void print_episode(const struct fl_json *e)
{
    char buf[64];
    FL_AUTO_BUF labels = fl_buf_init(1 << 20);
    const struct fl_json *l = fl_json_get(e, "labels"), *why = fl_json_get(e, "why"),
                         *response = fl_json_get(e, "response");
    const char *incident = fl_json_str(e, "incident", "");
    for (void *it = l ? fl_json_first(l) : NULL; it; it = fl_json_next(l, it)) {
        const char *v = fl_json_string(fl_json_value(it));
        fl_buf_printf(&labels, "%s%s=\"%s\"", labels.n ? ", " : "", fl_json_key(it), v ? v : "");
    }
    put_text(stdout, labels.p ? labels.p : "", 0);
    printf("\n  %s since %s", fl_json_str(e, "status", "?"),
           format_clock(fl_json_str(e, "starts_at", NULL), buf, sizeof buf));
    if (*fl_json_str(e, "ends_at", ""))
        printf(", until %s", format_clock(fl_json_str(e, "ends_at", ""), buf, sizeof buf));
    if (*incident)
        printf(", incident %s", incident);
    putchar('\n');
    for (size_t i = 0; why && i < fl_json_len(why); i++) {
        const char *text = fl_json_string(fl_json_at(why, i));
        printf("  %zu. ", i + 1);
        put_text(stdout, text ? text : "", 0);
        putchar('\n');
    }
    if (!response || !fl_json_len(response))
        return;
    printf("  what was done about %s\n", incident);
    lines(stdout, "  - ", response);
}

/* ---- neither ---- */

/* The error, and who or when may have been meant. */
static int print_missing(const struct reply *r)
{
    char from[64], to[64];
    const struct fl_json *e = r->json && fl_json_is_object(r->json) ? fl_json_get(r->json, "error") : NULL;
    const struct fl_json *near = e ? fl_json_get(e, "near") : NULL,
                         *fired = e ? fl_json_get(e, "fired") : NULL;
    fputs("faultline: why: ", stderr);
    put_text(stderr, e ? fl_json_str(e, "message", "there is no such thing") : "there is no such thing", 0);
    fputc('\n', stderr);
    for (size_t i = 0; near && i < fl_json_len(near); i++) {
        const struct fl_json *x = fl_json_at(near, i);
        fprintf(stderr, "  did you mean %s (", fl_json_str(x, "fingerprint", "?"));
        put_text(stderr, fl_json_str(x, "alertname", ""), 0);
        fputs(")?\n", stderr);
    }
    for (size_t i = 0; fired && i < fl_json_len(fired); i++) {
        const struct fl_json *x = fl_json_at(fired, i);
        const char *end = fl_json_str(x, "ends_at", "");
        fprintf(stderr, "  it fired from %s to %s\n",
                format_clock(fl_json_str(x, "starts_at", NULL), from, sizeof from),
                *end ? format_clock(end, to, sizeof to) : "now");
    }
    if (e && *fl_json_str(e, "hint", "")) {
        fputs("  ", stderr);
        put_text(stderr, fl_json_str(e, "hint", ""), 0);
        fputc('\n', stderr);
    }
    return EXIT_FINDING;
}

int cmd_why(struct args *a)
{
    fl_usec at = 0;
    const char *text = arg(a, "at");
    if (text && !fl_time_parse(text, strlen(text), &at))
        return usage_error("--at: \"%.40s\": write 2026-11-23T09:00:00Z", text);
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/why/");
    url_add(&path, a->pos[0]);
    url_query(&path, (const char *const[]){"at", text, NULL});
    int code = try_server(a, "GET", path.p, NULL, 0, &r);
    if (code && r.code == 404) {
        if (a->json)
            print_json(&r.body);
        return print_missing(&r);
    }
    if (code) /* once more, with words */
        return call_server(a, "GET", path.p, NULL, 0, NULL);
    if (a->json || !r.json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *list = fl_json_get(r.json, "episodes");
    if (!list)
        print_incident(r.json);
    for (size_t i = 0; list && i < fl_json_len(list); i++)
        print_episode(fl_json_at(list, i));
    return EXIT_FINE;
}
