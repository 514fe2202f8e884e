/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_incident_show.c -- one incident for a person at 3 a.m.: what, since when, why, what is being
 * done, what to type next (layer 6). */
#include "incident_data.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
    CANDIDATES_SHOWN = 3,
    REASONS_SHOWN = 4,
    REASONS_OF_OTHERS = 2,
    ALERTS_SHOWN = 12,
    TIMELINE_SHOWN = 15
};

struct page {
    struct args *a;
    const struct fl_json *incident, *alerts, *ranking, *runs, *timeline;
    const char *id;
    bool all, colour;
};

static void paint(const struct page *p, const char *code, const char *text)
{
    if (p->colour)
        printf("\033[%sm", code);
    put_text(stdout, text, 0);
    if (p->colour)
        fputs("\033[0m", stdout);
}

static void heading(const struct page *p, const char *text)
{
    putchar('\n');
    paint(p, "1", text);
    putchar('\n');
}

static const char *text_of(const struct fl_json *o, const char *key)
{
    const char *s = fl_json_str(o, key, "");
    return s ? s : "";
}

/* ---- head ---- */

static void print_head(const struct page *p)
{
    const struct fl_json *i = p->incident;
    char age[64], clock[64];
    const char *state = text_of(i, "state");
    paint(p, "1", p->id);
    fputs("  ", stdout);
    paint(p, !strcmp(state, "open") ? "1;31" : !strcmp(state, "resolved") ? "32" : "33", state);
    printf("  %s\n", text_of(i, "severity"));
    put_text(stdout, text_of(i, "title"), 0);
    printf("\n  opened %s ago (%s)", format_age(text_of(i, "opened_at"), age, sizeof age),
           format_clock(text_of(i, "opened_at"), clock, sizeof clock));
    long long alerts = (long long)fl_json_int(i, "alerts_total", 0);
    long long components = (long long)fl_json_int(i, "components", 0);
    printf(", %lld alert%s on ", alerts, alerts == 1 ? "" : "s");
    if (components)
        printf("%lld component%s", components, components == 1 ? "" : "s");
    else
        printf("no known component");
    printf(", %lld firing", (long long)fl_json_int(i, "alerts_firing", 0));
    if (fl_json_int(i, "alerts_stale", 0))
        printf(", %lld silent (stale)", (long long)fl_json_int(i, "alerts_stale", 0));
    printf("\n  %s", *text_of(i, "acked_by") ? "acknowledged by " : "nobody has acknowledged it");
    put_text(stdout, text_of(i, "acked_by"), 0);
    if (*text_of(i, "assignee")) {
        fputs(", assigned to ", stdout);
        put_text(stdout, text_of(i, "assignee"), 0);
    }
    if (*text_of(i, "merged_into"))
        printf(", merged into %s", text_of(i, "merged_into"));
    fputs("\n  ", stdout);
    put_text(stdout, text_of(i, "reason"), 0);
    putchar('\n');
}

/* ---- cause ---- */

static void print_path(const struct fl_json *path)
{
    size_t n = path ? fl_json_len(path) : 0;
    if (n < 2)
        return;
    fputs("            how it spreads: ", stdout);
    for (size_t k = 0; k < n; k++) {
        const char *s = fl_json_string(fl_json_at(path, k));
        if (k)
            fputs(" → ", stdout);
        put_text(stdout, s ? s : "?", 0);
    }
    putchar('\n');
}

/* Fingerprints, for `faultline why`. */
static void print_behind(const struct fl_json *alerts)
{
    size_t n = fl_json_len(alerts);
    if (!n)
        return;
    fputs("            alerts:", stdout);
    for (size_t k = 0; k < n; k++) {
        const char *s = fl_json_string(fl_json_at(alerts, k));
        putchar(' ');
        put_text(stdout, s ? s : "?", 16);
    }
    putchar('\n');
}

static void print_reasons(const struct page *p, const struct fl_json *c, size_t most)
{
    const struct fl_json *list = fl_json_get(c, "contributions");
    size_t n = list ? fl_json_len(list) : 0, shown = 0;
    bool path_shown = false;
    for (size_t k = 0; k < n && (p->all || shown < most); k++) {
        const struct fl_json *r = fl_json_at(list, k);
        const char *text = text_of(r, "text");
        if (!*text)
            continue;
        printf("     %+5.2f  ", fl_json_real(r, "value", 0)); /* points: log-odds before the model's scale */
        put_text(stdout, text, 0);
        putchar('\n');
        shown++;
        if (p->all)
            print_behind(fl_json_get(r, "alerts"));
        if (!path_shown && fl_json_get(r, "path") && fl_json_len(fl_json_get(r, "path")) > 1) {
            print_path(fl_json_get(r, "path"));
            path_shown = true;
        }
    }
    if (*text_of(c, "counterfactual")) {
        fputs("            ", stdout);
        put_text(stdout, text_of(c, "counterfactual"), 0);
        putchar('\n');
    }
}

static void print_cause(const struct page *p)
{
    const struct fl_json *r = p->ranking, *list = r ? fl_json_get(r, "candidates") : NULL;
    size_t n = list ? fl_json_len(list) : 0;
    heading(p, "LIKELY CAUSE");
    if (!n) {
        printf(r ? "  no convincing cause: none of its alerts is on a component that the graph knows\n"
                 : "  not ranked yet\n");
        return;
    }
    if (!fl_json_bool(r, "convincing", true))
        printf("  no convincing cause: the evidence is weak; these are the best guesses\n");
    printf(
        "  %% sure: how likely among these candidates, given that it is one of them\n"
        "  points: + speaks for one, - against it, beside an average candidate; each point multiplies its odds by the same factor\n");
    for (size_t k = 0; k < n && k < (p->all ? n : CANDIDATES_SHOWN); k++) {
        const struct fl_json *c = fl_json_at(list, k);
        printf("  %zu. ", k + 1);
        paint(p, k ? "0" : "1", text_of(c, "node"));
        printf("  %.0f %% sure", 100 * fl_json_real(c, "confidence", 0));
        if (*text_of(c, "type")) {
            fputs(" (", stdout);
            put_text(stdout, text_of(c, "type"), 0);
            putchar(')');
        }
        putchar('\n');
        print_reasons(p, c, k ? REASONS_OF_OTHERS : REASONS_SHOWN);
    }
    if (*text_of(r, "culprit_text")) {
        fputs("  change: ", stdout);
        put_text(stdout, text_of(r, "culprit_text"), 0);
        putchar('\n');
    }
}

/* ---- alerts, runs, timeline ---- */

static void print_alerts(const struct page *p)
{
    size_t n = p->alerts ? fl_json_len(p->alerts) : 0, most = p->all ? n : ALERTS_SHOWN;
    char age[64];
    heading(p, "ALERTS");
    for (size_t k = 0; k < n && k < most; k++) {
        const struct fl_json *e = fl_json_at(p->alerts, k), *l = fl_json_get(e, "labels");
        printf("  %-8s %6s  ", text_of(e, "status"), format_age(text_of(e, "starts_at"), age, sizeof age));
        put_padded(stdout, l ? text_of(l, "alertname") : "", 32);
        fputs("  ", stdout);
        put_padded(stdout, *text_of(e, "node") ? text_of(e, "node") : "(no component)", 32);
        printf("  %s\n", text_of(e, "fingerprint"));
    }
    if (n > most)
        printf("  … %zu more: faultline alert list --incident %s\n", n - most, p->id);
}

static void print_runs(const struct page *p)
{
    size_t n = p->runs ? fl_json_len(p->runs) : 0;
    if (!n)
        return;
    heading(p, "PLAYBOOKS");
    for (size_t k = 0; k < n; k++) {
        const struct fl_json *r = fl_json_at(p->runs, k);
        printf("  %s  ", text_of(r, "id"));
        put_padded(stdout, text_of(r, "playbook"), 24);
        fputs("  ", stdout);
        paint(p, "33", text_of(r, "state"));
        fputs("  ", stdout);
        put_text(stdout, text_of(r, "reason"), 0);
        putchar('\n');
    }
}

static void print_timeline(const struct page *p)
{
    size_t n = p->timeline ? fl_json_len(p->timeline) : 0, most = p->all ? n : TIMELINE_SHOWN;
    char clock[64];
    heading(p, "TIMELINE");
    if (n > most)
        printf("  … %zu earlier lines: --all\n", n - most);
    for (size_t k = n > most ? n - most : 0; k < n; k++) {
        const struct fl_json *t = fl_json_at(p->timeline, k);
        printf("  %s  ", format_clock(text_of(t, "at"), clock, sizeof clock));
        put_padded(stdout, text_of(t, "kind"), 20);
        fputs("  ", stdout);
        put_text(stdout, text_of(t, "text"), 0);
        if (*text_of(t, "incident") && strcmp(text_of(t, "incident"), p->id) != 0) {
            fputs(" (written in ", stdout);
            put_text(stdout, text_of(t, "incident"), 0);
            putchar(')');
        }
        putchar('\n');
    }
}

/* ---- what to type next ---- */

static void FL_PRINTF(2, 3) next(const char *why, const char *fmt, ...)
{
    char command[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    printf("  %-62s # %s\n", command, why);
}

static void next_for_run(const struct fl_json *r)
{
    const char *id = text_of(r, "id"), *state = text_of(r, "state");
    if (!strcmp(state, "proposed")) {
        next("see exactly what would run", "faultline playbook show %s", id);
        next("let it run", "faultline playbook approve %s", id);
        next("do not", "faultline playbook deny %s --reason '…'", id);
    } else if (!strcmp(state, "in_doubt")) {
        next("which call is in doubt", "faultline playbook show %s", id);
        next("it did happen", "faultline playbook settle %s done", id);
        next("it did not: do it again", "faultline playbook settle %s retry", id);
    } else if (!strcmp(state, "running") || !strcmp(state, "verifying")) {
        next("follow it", "faultline playbook show %s", id);
        next("stop it", "faultline playbook abort %s --reason '…'", id);
    }
}

static void print_next(const struct page *p)
{
    const char *state = text_of(p->incident, "state");
    heading(p, "NEXT");
    for (size_t k = 0; p->runs && k < fl_json_len(p->runs); k++)
        next_for_run(fl_json_at(p->runs, k));
    if (!strcmp(state, "merged")) {
        next("where it went", "faultline incident show %s", text_of(p->incident, "merged_into"));
        return;
    }
    if (!*text_of(p->incident, "acked_by") && strcmp(state, "resolved") != 0)
        next("say that you are on it", "faultline incident ack %s", p->id);
    if (*text_of(p->incident, "cause")) {
        next("the cause is right", "faultline incident confirm %s", p->id);
        next("it is not", "faultline incident reject %s --reason '…'", p->id);
        next("who else needs it", "faultline topology impact '%s'", text_of(p->incident, "cause"));
    }
    if (p->alerts && fl_json_len(p->alerts))
        next("why one alert is here", "faultline why %s", text_of(fl_json_at(p->alerts, 0), "fingerprint"));
    next("everything that was decided", "faultline audit search --incident %s", p->id);
}

/* ---- gathering ---- */

int cmd_incident_show(struct args *a)
{
    AUTO_REPLY r = {0};
    AUTO_REPLY t = {0};
    int code = incident_fetch(a, a->pos[0], "", &r);
    if (code)
        return code;
    const bool shown = fl_streq(a->command->path, "incident show"); /* `why` comes here too */
    if (r.json && shown && arg(a, "svg"))
        return incident_picture(a, a->pos[0], r.json, arg(a, "svg"));
    if (a->json || !r.json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    code = incident_fetch(a, a->pos[0], "/timeline", &t);
    if (code)
        return code;
    const struct fl_json *inner = fl_json_get(r.json, "incident");
    const struct fl_json *ranking = fl_json_get(r.json, "ranking");
    const struct fl_json *deeper = ranking && fl_json_is_object(ranking) ? fl_json_get(ranking, "ranking")
                                                                         : NULL;
    struct page p = {.a = a,
                     .incident = inner && fl_json_is_object(inner) ? inner : r.json,
                     .alerts = fl_json_get(r.json, "alerts"),
                     .ranking = deeper ? deeper : ranking,
                     .runs = fl_json_get(r.json, "runs"),
                     .timeline = list_of(t.json, "timeline"),
                     .all = shown && arg_set(a, "all"),
                     .colour = use_colour()};
    p.id = *text_of(p.incident, "id") ? text_of(p.incident, "id") : a->pos[0];
    print_head(&p);
    print_cause(&p);
    print_runs(&p);
    print_alerts(&p);
    print_timeline(&p);
    print_next(&p);
    return EXIT_FINE;
}
