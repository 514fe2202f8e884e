/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_why.c -- what became of an alert, or of an incident, and why; also what did not happen (layer 6). */
#include "cli.h"

#include <faultline/model.h>

#include <stdlib.h>
#include <string.h>

static void sentence(int n, const char *text)
{
    printf("  %d. ", n);
    put_text(stdout, text ? text : "", 0);
    putchar('\n');
}

/* ---- what the timeline says about these kinds of things ---- */

static bool one_of(const char *kind, const char *const *kinds)
{
    for (; *kinds; kinds++) {
        size_t n = strlen(*kinds);
        if ((*kinds)[n - 1] == '.' ? !strncmp(kind, *kinds, n) : !strcmp(kind, *kinds))
            return true; /* "ranking.": all of that family */
    }
    return false;
}

/* Lines of these kinds, in order; only the last one when `last`. @return how many there were. */
static size_t tell(const struct fl_json *timeline, const char *const *kinds, bool last)
{
    const char *newest = NULL;
    size_t n = 0;
    for (size_t i = 0; i < fl_json_len(timeline); i++) {
        const struct fl_json *t = fl_json_at(timeline, i);
        if (!one_of(fl_json_str(t, "kind", ""), kinds))
            continue;
        n++;
        newest = fl_json_str(t, "text", "");
        if (last)
            continue;
        fputs("  - ", stdout);
        put_text(stdout, newest, 0);
        putchar('\n');
    }
    if (last && newest) {
        fputs("  - ", stdout);
        put_text(stdout, newest, 0);
        putchar('\n');
    }
    return n;
}

static void tell_response(const struct fl_json *timeline)
{
    static const char *const runs[] = {"run.", "guard.refused", NULL};
    static const char *const none[] = {"playbook.none", NULL};
    if (!tell(timeline, runs, false) && !tell(timeline, none, true))
        puts("  - no binding was tried yet");
}

static const struct fl_json *timeline_of(const struct args *a, const char *id, struct reply *r)
{
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/incidents/");
    url_add(&path, id);
    fl_buf_str(&path, "/timeline");
    return try_server(a, "GET", path.p, NULL, 0, r) == 0 ? list_of(r->json, "timeline") : NULL;
}

/* ---- an incident ---- */

static void tell_unresolved(const struct fl_json *inc)
{
    enum { SHOWN = 5 };
    const struct fl_json *alerts = fl_json_get(inc, "alerts");
    int64_t firing = fl_json_int(inc, "alerts_firing", 0), stale = fl_json_int(inc, "alerts_stale", 0);
    const char *state = fl_json_str(inc, "state", "");
    size_t shown = 0;
    if (!strcmp(state, "resolved") || !strcmp(state, "merged"))
        return;
    puts("why it is not resolved");
    if (!firing && !stale)
        puts("  - all its alerts are resolved; it waits for them to stay so");
    else
        printf("  - %lld firing, %lld stale (their senders fell silent: not known to be over)\n",
               (long long)firing, (long long)stale);
    for (size_t i = 0; i < fl_json_len(alerts) && shown < SHOWN; i++) {
        const struct fl_json *e = fl_json_at(alerts, i);
        if (!strcmp(fl_json_str(e, "status", ""), "resolved"))
            continue;
        shown++;
        printf("    %s %s ", fl_json_str(e, "fingerprint", ""), fl_json_str(e, "status", ""));
        put_text(stdout, fl_json_str(e, "alertname", ""), 0);
        fputs(" on ", stdout);
        put_text(stdout, fl_json_str(e, "node", "no component"), 0);
        putchar('\n');
    }
}

static int why_incident(struct args *a)
{
    static const char *const opened[] = {"incident.opened", NULL};
    static const char *const merged[] = {"incident.absorbed", "incident.merged", "incident.split", NULL};
    static const char *const cause[] = {"ranking.", NULL};
    static const char *const states[] = {"incident.open", "incident.quiet", "incident.recovering",
                                         "incident.resolved", NULL};
    AUTO_REPLY r = {0};
    AUTO_REPLY t = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/incidents/");
    url_add(&path, a->pos[0]);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    const struct fl_json *timeline = timeline_of(a, a->pos[0], &t);
    if (a->json) {
        FL_AUTO_FREE char *lines = timeline ? fl_json_text(timeline, false) : NULL;
        printf("{\"incident\":%.*s,\"timeline\":%s}\n", (int)r.body.n, r.body.p ? r.body.p : "null",
               lines ? lines : "[]");
        return EXIT_FINE;
    }
    printf("%s is %s: ", fl_json_str(r.json, "id", a->pos[0]), fl_json_str(r.json, "state", "?"));
    put_text(stdout, fl_json_str(r.json, "title", ""), 0);
    puts("\nwhy it was opened");
    tell(timeline, opened, false);
    puts("what was merged or split, and why");
    if (!tell(timeline, merged, false))
        puts("  - nothing");
    puts("which cause, and why");
    if (!tell(timeline, cause, true))
        puts("  - not ranked yet");
    puts("why this state");
    if (!tell(timeline, states, false))
        puts("  - it has had no other");
    tell_unresolved(r.json);
    puts("which playbooks, or why none");
    tell_response(timeline);
    return EXIT_FINE;
}

/* ---- an alert ---- */

static void print_episode(const struct args *a, const struct fl_json *e)
{
    char buf[64];
    FL_AUTO_BUF labels = fl_buf_init(1 << 20);
    const struct fl_json *l = fl_json_get(e, "labels"), *why = fl_json_get(e, "why");
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
    int n = 0;
    for (size_t i = 0; why && i < fl_json_len(why); i++)
        sentence(++n, fl_json_string(fl_json_at(why, i)));
    if (!*incident)
        return;
    AUTO_REPLY t = {0};
    const struct fl_json *timeline = timeline_of(a, incident, &t);
    if (!timeline)
        return;
    printf("  what was done about %s\n", incident);
    tell_response(timeline);
}

static size_t apart(const char *x, const char *y)
{
    size_t n = 0;
    for (; *x && *y; x++, y++)
        n += *x != *y;
    return n + strlen(x) + strlen(y);
}

/* Never seen, or mistyped, or it arrived as something that could not be read. */
static int never_seen(const struct args *a)
{
    enum { NEAR = 3 };
    AUTO_REPLY alerts = {0};
    AUTO_REPLY letters = {0};
    fprintf(stderr, "faultline: why: no alert with the fingerprint %s was ever accepted in this realm\n",
            a->pos[0]);
    if (try_server(a, "GET", "/api/v1/alerts?limit=10000", NULL, 0, &alerts) == 0) {
        const struct fl_json *list = list_of(alerts.json, "alerts");
        const char *last = "";
        for (size_t i = 0; i < fl_json_len(list); i++) {
            const char *fp = fl_json_str(fl_json_at(list, i), "fingerprint", "");
            if (apart(fp, a->pos[0]) > NEAR || !strcmp(fp, last))
                continue;
            fprintf(stderr, "  did you mean %s (", fp);
            put_text(stderr, fl_json_str(fl_json_at(list, i), "alertname", ""), 0);
            fputs(")?\n", stderr);
            last = fp;
        }
    }
    if (try_server(a, "GET", "/api/v1/deadletters?limit=1000", NULL, 0, &letters) == 0) {
        size_t n = fl_json_len(list_of(letters.json, "deadletters"));
        if (n)
            fprintf(stderr,
                    "  %zu%s of what arrived could not be read as alerts: faultline deadletter list\n", n,
                    n == 1000 ? " or more" : "");
        else
            fputs("  everything that arrived could be read: there is no dead letter\n", stderr);
    }
    return EXIT_FINDING;
}

/* Was the episode going on at that time? */
static bool is_of(const struct fl_json *e, fl_usec at)
{
    const char *from = fl_json_str(e, "starts_at", ""), *to = fl_json_str(e, "ends_at", "");
    fl_usec starts = 0, ends = 0;
    if (!fl_time_parse(from, strlen(from), &starts) || starts > at)
        return false;
    return !*to || !fl_time_parse(to, strlen(to), &ends) || ends >= at;
}

int cmd_why(struct args *a)
{
    uint64_t fp;
    fl_usec at = 0;
    const char *text = arg(a, "at");
    if (text && !fl_time_parse(text, strlen(text), &at))
        return usage_error("--at: \"%.40s\": write 2026-11-23T09:00:00Z", text);
    if (!fl_fingerprint_parse(a->pos[0], &fp))
        return why_incident(a);
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/why/");
    url_add(&path, a->pos[0]);
    int code = try_server(a, "GET", path.p, NULL, 0, &r);
    if (code && r.code == 404)
        return never_seen(a);
    if (code) /* once more, with words */
        return call_server(a, "GET", path.p, NULL, 0, NULL);
    if (a->json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *list = list_of(r.json, "episodes");
    size_t shown = 0;
    for (size_t i = 0; i < fl_json_len(list); i++) {
        if (at && !is_of(fl_json_at(list, i), at))
            continue;
        print_episode(a, fl_json_at(list, i));
        shown++;
    }
    if (shown)
        return EXIT_FINE;
    fprintf(stderr, "faultline: why: %s did not fire at %s; without --at: all %zu episodes of it\n",
            a->pos[0], text, fl_json_len(list));
    return EXIT_FINDING;
}
