/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/report.c -- a postmortem draft of one incident, as Markdown or as a page to print (layer 5). Names, labels and
 * comments come from strangers: all text passes through `put`, which leaves no markup of theirs alive. */
#include "http_priv.h"

#include <faultline/audit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 3, COMPONENTS = 50, TIMELINE_ROWS = 1000, RUNS = 50, TEXT_MAX_BYTES = 2000 };

const char TYPE_HTML[] = "text/html; charset=utf-8";
static const char TYPE_MARKDOWN[] = "text/markdown; charset=utf-8";

struct out {
    struct fl_buf b;
    bool html;
};

/* ---- text of strangers ---- */

static void put_char(struct out *o, unsigned char c, char next)
{
    if (c < 0x20 || c == 0x7f)
        c = ' '; /* a line break would end a table row or begin a list */
    if (o->html && strchr("&<>\"'", c))
        fl_buf_printf(&o->b, "&#%d;", c);
    else if (!o->html &&
             (strchr("\\`*_[]<>#|~&", c) || (c == ':' && next == '/'))) /* never at the start of a line */
        fl_buf_printf(&o->b, "\\%c", c);
    else
        fl_buf_chr(&o->b, (char)c);
}

/* Marks that turn the direction of what follows round: U+202A to U+202E, U+2066 to U+2069. */
static bool turns_text(const char *s)
{
    const unsigned char *u = (const unsigned char *)s;
    return u[0] == 0xe2 &&
           ((u[1] == 0x80 && u[2] >= 0xaa && u[2] <= 0xae) || (u[1] == 0x81 && u[2] >= 0xa6 && u[2] <= 0xa9));
}

static void put(struct out *o, const char *s)
{
    size_t n = 0;
    for (; s && *s && n < TEXT_MAX_BYTES; s++, n++)
        if (turns_text(s))
            s += 2;
        else
            put_char(o, (unsigned char)*s, s[1]);
    while (s && (*s & 0xc0) == 0x80)
        fl_buf_chr(&o->b, *s++); /* not in the middle of a character */
    if (s && *s)
        fl_buf_str(&o->b, "…");
}

/* ---- elements; their own text is ours ---- */

static void raw(struct out *o, const char *html, const char *markdown)
{
    fl_buf_str(&o->b, o->html ? html : markdown);
}

static void heading(struct out *o, const char *text)
{
    fl_buf_printf(&o->b, o->html ? "<h2>%s</h2>\n" : "\n## %s\n\n", text);
}

static void note(struct out *o, const char *text)
{
    fl_buf_printf(&o->b, o->html ? "<p>%s</p>\n" : "%s\n\n", text);
}

static void table(struct out *o, const char *const *titles, size_t n)
{
    raw(o, "<table><tr>", "|");
    for (size_t i = 0; i < n; i++)
        fl_buf_printf(&o->b, o->html ? "<th>%s</th>" : " %s |", titles[i]);
    raw(o, "</tr>\n", "\n|");
    for (size_t i = 0; i < n && !o->html; i++)
        fl_buf_str(&o->b, " --- |");
    raw(o, "", "\n");
}

static void row(struct out *o, const char *const *cells, size_t n)
{
    raw(o, "<tr>", "|");
    for (size_t i = 0; i < n; i++) {
        raw(o, "<td>", " ");
        put(o, cells[i] && *cells[i] ? cells[i] : "–");
        raw(o, "</td>", " |");
    }
    raw(o, "</tr>\n", "\n");
}

static void table_end(struct out *o)
{
    raw(o, "</table>\n", "\n");
}

static void fact(struct out *o, const char *what, const char *value)
{
    if (!value || !*value)
        return;
    fl_buf_printf(&o->b, o->html ? "<li><b>%s:</b> " : "- **%s:** ", what);
    put(o, value);
    raw(o, "</li>\n", "\n");
}

static void list(struct out *o, bool begin)
{
    raw(o, begin ? "<ul>\n" : "</ul>\n", begin ? "" : "\n");
}

/* ---- parts ---- */

static const char *str(const struct fl_json *v, const char *key)
{
    return v ? fl_json_str(v, key, NULL) : NULL;
}

/* 2026-11-23 09:41:07 UTC, from RFC 3339. */
static const char *moment(const char *at, char *buf, size_t cap)
{
    if (!at || strlen(at) < 19)
        return NULL;
    snprintf(buf, cap, "%.10s %.8s UTC", at, at + 11);
    return buf;
}

static void number(char *buf, size_t cap, const struct fl_json *v, const char *key)
{
    snprintf(buf, cap, "%lld", (long long)fl_json_int(v, key, 0));
}

static void lasted(const struct fl_json *inc, char *buf, size_t cap)
{
    const char *from = str(inc, "opened_at"), *to = str(inc, "resolved_at");
    fl_usec a, b;
    char text[24];
    buf[0] = 0;
    if (from && to && fl_time_parse(from, strlen(from), &a) && fl_time_parse(to, strlen(to), &b) && b >= a)
        snprintf(buf, cap, "%s", fl_format_duration((b - a) / FL_USEC_PER_SEC * FL_USEC_PER_SEC, text));
}

static void summary(struct out *o, const struct fl_json *inc)
{
    char when[64], text[64];
    heading(o, "Summary");
    list(o, true);
    fact(o, "State", str(inc, "state"));
    fact(o, "Because", str(inc, "reason"));
    fact(o, "Severity", str(inc, "severity"));
    fact(o, "Opened", moment(str(inc, "opened_at"), when, sizeof when));
    fact(o, "Resolved", moment(str(inc, "resolved_at"), when, sizeof when));
    lasted(inc, text, sizeof text);
    fact(o, "Lasted", text);
    fact(o, "Acknowledged by", str(inc, "acked_by"));
    fact(o, "Assigned to", str(inc, "assignee"));
    fact(o, "Merged into", str(inc, "merged_into"));
    list(o, false);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void impact(struct out *o, const struct fl_json *inc)
{
    const struct fl_json *alerts = fl_json_get(inc, "alerts");
    size_t n = fl_json_len(alerts), k = 0;
    char text[32];
    const char **nodes = calloc(n + 1, sizeof *nodes);
    heading(o, "Impact");
    list(o, true);
    number(text, sizeof text, inc, "alerts_total");
    fact(o, "Alerts", text);
    number(text, sizeof text, inc, "components");
    fact(o, "Components with alerts", text);
    list(o, false);
    for (size_t i = 0; nodes && i < n; i++)
        if (str(fl_json_at(alerts, i), "node"))
            nodes[k++] = str(fl_json_at(alerts, i), "node");
    static const char *const titles[] = {"Component", "Alerts"};
    if (k) {
        qsort(nodes, k, sizeof *nodes, by_name);
        table(o, titles, 2);
    }
    size_t shown = 0;
    for (size_t i = 0, j; i < k; i = j, shown++) {
        for (j = i; j < k && !strcmp(nodes[i], nodes[j]); j++)
            continue;
        snprintf(text, sizeof text, "%zu", j - i);
        if (shown < COMPONENTS)
            row(o, (const char *const[]){nodes[i], text}, 2);
    }
    if (k)
        table_end(o);
    if (shown > COMPONENTS) {
        snprintf(text, sizeof text, "%zu more", shown - COMPONENTS);
        note(o, text);
    }
    free(nodes);
    note(o, "What users noticed: to be written by a person.");
}

/* The sentence, and the way from the cause to what it hurts. */
static void evidence(struct out *o, const struct fl_json *term, const char *weight)
{
    const struct fl_json *path = fl_json_get(term, "path");
    FL_AUTO_BUF b = fl_buf_init(1 << 20);
    fl_buf_str(&b, str(term, "text") ? str(term, "text") : "");
    for (size_t i = 0; fl_json_len(path) > 1 && i < fl_json_len(path); i++) {
        const char *node = fl_json_string(fl_json_at(path, i));
        fl_buf_printf(&b, "%s%s", i ? " → " : "; how it spreads: ", node ? node : "?");
    }
    row(o, (const char *const[]){b.p, weight}, 2);
}

static void candidate(struct out *o, const struct fl_json *c)
{
    static const char *const titles[] = {"Evidence", "For (+) or against (−)"};
    const struct fl_json *terms = fl_json_get(c, "contributions");
    char text[64];
    raw(o, "<h3>", "### ");
    put(o, str(c, "node"));
    snprintf(text, sizeof text, ", %.0f %%", 100 * fl_json_real(c, "confidence", 0));
    fl_buf_str(&o->b, text);
    raw(o, "</h3>\n", "\n\n");
    table(o, titles, 2);
    for (size_t i = 0; i < fl_json_len(terms) && i < 8; i++) {
        const struct fl_json *t = fl_json_at(terms, i);
        snprintf(text, sizeof text, "%+.2f", fl_json_real(t, "value", 0));
        evidence(o, t, text);
    }
    table_end(o);
    list(o, true);
    fact(o, "What would change the order", str(c, "counterfactual"));
    list(o, false);
}

static void cause(struct out *o, const struct fl_json *inc)
{
    const struct fl_json *ranking = fl_json_get(inc, "ranking");
    const struct fl_json *list_ = ranking ? fl_json_get(ranking, "candidates") : NULL;
    heading(o, "Cause");
    if (!fl_json_len(list_)) {
        note(o, "Nothing was ranked.");
        return;
    }
    if (!fl_json_bool(ranking, "convincing", false))
        note(o, "No convincing cause: the evidence is weak. The likeliest candidates:");
    list(o, true);
    fact(o, "Change behind it", str(ranking, "culprit_text"));
    fact(o, "Model", str(ranking, "model"));
    list(o, false);
    for (size_t i = 0; i < fl_json_len(list_) && i < CANDIDATES; i++)
        candidate(o, fl_json_at(list_, i));
}

/* In the page itself, so that it prints and travels; Markdown only says where it is. */
static void picture(struct request *r, struct out *o, const struct fl_json *inc)
{
    struct fl_err err = {0};
    FL_AUTO_BUF svg = fl_buf_init(8 << 20);
    heading(o, "Picture");
    if (!o->html) {
        list(o, true);
        fact(o, "Cause, candidates, alerts and path in the graph",
             "GET …/graph.svg beside this report, or faultline incident show --svg FILE");
        list(o, false);
        return;
    }
    if (picture_draw(r, inc, &svg, &err) == FL_OK && svg.p)
        fl_buf_add(&o->b, svg.p, svg.n);
    else
        note(o, "It could not be drawn just now; GET …/graph.svg draws it.");
}

static bool held_back(const char *kind)
{
    static const char *const words[] = {"silenc",  "inhibit", "suppress",    "held",
                                        "refused", "denied",  "maintenance", "flapping"};
    for (size_t i = 0; kind && i < FL_ARRAY_LEN(words); i++)
        if (strstr(kind, words[i]))
            return true;
    return false;
}

static void timeline(struct out *o, const char *id, const struct fl_json *rows, bool suppressed)
{
    static const char *const titles[] = {"Time", "Who", "What", ""};
    size_t n = 0, left = 0;
    char when[64], text[64];
    heading(o, suppressed ? "What was held back" : "Timeline");
    for (size_t i = 0; i < fl_json_len(rows); i++) {
        const struct fl_json *t = fl_json_at(rows, i);
        if (suppressed && !held_back(str(t, "kind")))
            continue;
        if (n == TIMELINE_ROWS) {
            left++;
            continue;
        }
        if (!n++)
            table(o, titles, 4);
        const char *where = str(t, "incident");
        FL_AUTO_BUF what = fl_buf_init(1 << 20);
        fl_buf_str(&what, str(t, "text") ? str(t, "text") : "");
        if (where && strcmp(where, id) != 0)
            fl_buf_printf(&what, " (written in %s)", where);
        row(o,
            (const char *const[]){moment(str(t, "at"), when, sizeof when), str(t, "actor"), what.p,
                                  str(t, "kind")},
            4);
    }
    if (n)
        table_end(o);
    else
        note(o, suppressed ? "Nothing was silenced, inhibited, held or refused." : "Nothing happened.");
    if (left) {
        snprintf(text, sizeof text, "%zu more; faultline incident show lists all", left);
        note(o, text);
    }
}

static void calls(struct out *o, const struct fl_json *run)
{
    static const char *const titles[] = {"#", "Step", "Intent", "Decided", "Outcome", "Reason"};
    const struct fl_json *list_ = fl_json_get(run, "calls");
    if (fl_json_len(list_))
        table(o, titles, 6);
    for (size_t i = 0; i < fl_json_len(list_) && i < TIMELINE_ROWS; i++) {
        const struct fl_json *c = fl_json_at(list_, i), *args = fl_json_get(c, "args");
        char n[16], when[64];
        FL_AUTO_FREE char *text = args ? fl_json_text(args, false) : NULL;
        FL_AUTO_BUF intent = fl_buf_init(1 << 20);
        fl_buf_printf(&intent, "%s %.300s", str(c, "fn") ? str(c, "fn") : "?", text ? text : "");
        if (intent.p && !fl_utf8_valid(intent.p, intent.n))
            fl_utf8_repair(intent.p, intent.n); /* the cut may fall inside a character */
        snprintf(n, sizeof n, "%lld", (long long)fl_json_int(c, "n", 0));
        row(o,
            (const char *const[]){n, str(c, "step"), intent.p, moment(str(c, "intent_at"), when, sizeof when),
                                  str(c, "state"), str(c, "reason")},
            6);
    }
    if (fl_json_len(list_))
        table_end(o);
}

static fl_status actions(struct request *r, struct fl_reader *db, struct out *o, const struct fl_json *inc,
                         struct fl_err *err)
{
    const struct fl_json *runs = fl_json_get(inc, "runs");
    heading(o, "Actions");
    if (!fl_json_len(runs))
        note(o, "No playbook was asked for.");
    for (size_t i = 0; i < fl_json_len(runs) && i < RUNS; i++) {
        const struct fl_json *run = fl_json_at(runs, i);
        FL_AUTO_BUF b = fl_buf_init(REPLY_MAX);
        struct fl_read_args a = {.realm = r->http->o.config->realm, .id = str(run, "id")};
        if (fl_read_json(db, FL_READ_RUN, &a, &b, err) != FL_OK)
            return err->status;
        FL_AUTO_JSON whole = fl_json_parse(b.p, b.n, err);
        if (!whole)
            return FL_E_CORRUPT;
        raw(o, "<h3>", "### ");
        put(o, str(run, "id"));
        fl_buf_str(&o->b, ", ");
        put(o, str(run, "playbook"));
        raw(o, "</h3>\n", "\n\n");
        list(o, true);
        fact(o, "Outcome", str(run, "state"));
        fact(o, "Because", str(run, "reason"));
        fact(o, "Asked for by", str(run, "requested_by"));
        fact(o, "Approved by", str(run, "approved_by"));
        list(o, false);
        calls(o, whole);
    }
    return FL_OK;
}

static void proof(struct request *r, struct out *o, const char *id, const struct audit_span *s)
{
    char text[160];
    struct fl_err err = {0};
    FL_AUTO_JSON head = audit_signed(r, &err);
    const struct fl_json *sealed = head ? fl_json_get(head, "signed") : NULL;
    heading(o, "Proof");
    list(o, true);
    snprintf(text, sizeof text, "%zu about this incident, from %llu to %llu", s->n,
             (unsigned long long)s->first, (unsigned long long)s->last);
    fact(o, "Entries of the audit trail", text);
    if (sealed) {
        uint64_t seq = (uint64_t)fl_json_int(sealed, "seq", 0);
        snprintf(text, sizeof text, "entry %llu, %.64s, signed %.32s%s", (unsigned long long)seq,
                 fl_json_str(sealed, "hash", ""), fl_json_str(sealed, "at", ""),
                 seq >= s->last ? "" : " (the last entries are not sealed yet)");
        fact(o, "Signed head", text);
    }
    snprintf(text, sizeof text, "faultline audit bundle --incident %.64s --out FILE", id);
    fact(o, "To take along", text);
    list(o, false);
}

static void begin(struct out *o, const struct fl_json *inc)
{
    raw(o,
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Incident report</title>\n<style>"
        "body{font:15px/1.45 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#222}"
        "table{border-collapse:collapse;width:100%;margin:.6em 0}th,td{border:1px solid #bbb;padding:.25em .5em;text-align:left;"
        "vertical-align:top;overflow-wrap:anywhere}th{background:#f3f3f3}h2{border-bottom:1px solid #bbb;margin-top:1.6em}"
        "@media print{body{max-width:none;margin:0;font-size:10pt}h2,h3{break-after:avoid}tr{break-inside:avoid}}"
        "</style></head><body>\n<h1>",
        "# ");
    put(o, str(inc, "id"));
    fl_buf_str(&o->b, ": ");
    put(o, str(inc, "title"));
    raw(o, "</h1>\n", "\n\n");
    note(o, "Draft, written by the engine from its record; what people know has to be added.");
}

/* route->arg: 1 = HTML. */
void read_report(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_read_args a = {.realm = r->http->o.config->realm, .id = r->params[0]};
    struct out o = {.b = fl_buf_init(REPLY_MAX), .html = r->route->arg == 1};
    FL_AUTO_BUF doc = fl_buf_init(REPLY_MAX), rows = fl_buf_init(REPLY_MAX);
    struct audit_span span = {0};
    FL_AUTO_JSON inc = fl_read_json(db, FL_READ_INCIDENT, &a, &doc, &err) == FL_OK
                           ? fl_json_parse(doc.p, doc.n, &err)
                           : NULL;
    FL_AUTO_JSON times = inc && fl_read_json(db, FL_READ_TIMELINE, &a, &rows, &err) == FL_OK
                             ? fl_json_parse(rows.p, rows.n, &err)
                             : NULL;
    fl_status st = times        ? audit_measure(r, db, r->params[0], &span, &err)
                   : err.status ? err.status
                                : FL_E_CORRUPT;
    if (st == FL_OK) {
        begin(&o, inc);
        summary(&o, inc);
        impact(&o, inc);
        cause(&o, inc);
        picture(r, &o, inc);
        timeline(&o, r->params[0], times, false);
        st = actions(r, db, &o, inc, &err);
    }
    if (st != FL_OK) {
        fl_buf_done(&o.b);
        read_failed(r, &err);
        return;
    }
    timeline(&o, r->params[0], times, true);
    proof(r, &o, r->params[0], &span);
    raw(&o, "</body></html>\n", "");
    reply_buf(r, 200, o.html ? TYPE_HTML : TYPE_MARKDOWN, &o.b);
}
