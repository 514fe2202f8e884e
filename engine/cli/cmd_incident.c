/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_incident.c -- incident list and the commands on one (layer 6). */
#include "cli.h"

#include <string.h>

int cmd_incident_list(struct args *a)
{
    static const struct column columns[] = {
        {"INCIDENT", "id", 0, 's'},          {"STATE", "state", 0, 's'},
        {"SEVERITY", "severity", 0, 's'},    {"OPENED", "opened_at", 0, 'a'},
        {"FIRING", "alerts_firing", 0, 'n'}, {"CAUSE", "cause", 32, 's'},
        {"SURE", "confidence", 0, 'p'},      {"OWNER", "assignee|acked_by", 16, 's'},
        {"TITLE", "title", 70, 's'},
    };
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *state = arg(a, "state");
    if (!state)
        state = "open";
    const char *const pairs[] = {"state", strcmp(state, "all") ? state : NULL,
                                 "since", arg(a, "since"),
                                 "until", arg(a, "until"),
                                 "limit", arg(a, "limit"),
                                 NULL};
    fl_buf_str(&path, "/api/v1/incidents");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    const struct fl_json *list = list_of(r.json, "incidents");
    if (a->json)
        print_json(&r.body);
    else if (!fl_json_len(list))
        fprintf(stderr, "no incident%s\n", strcmp(state, "all") ? "; --state all shows past ones" : "");
    else
        print_table(list, columns, FL_ARRAY_LEN(columns));
    return EXIT_FINE;
}

/* Body of each verb from its arguments. */
static void body_of(const struct args *a, const char *verb, struct fl_jw *w)
{
    fl_jw_obj(w, NULL);
    if (!strcmp(verb, "assign"))
        fl_jw_str(w, "to", a->pos[1]);
    else if (!strcmp(verb, "comment"))
        fl_jw_str(w, "text", a->pos[1]);
    else if (!strcmp(verb, "merge"))
        fl_jw_str(w, "into", a->pos[1]);
    else if (!strcmp(verb, "confirm") && a->n_pos > 1)
        fl_jw_str(w, "node", a->pos[1]);
    if (!strcmp(verb, "split")) {
        fl_jw_arr(w, "alerts");
        for (size_t i = 1; i < a->n_pos; i++)
            fl_jw_str(w, NULL, a->pos[i]);
        fl_jw_arr_end(w);
    }
    if (arg(a, "reason"))
        fl_jw_str(w, "reason", arg(a, "reason"));
    fl_jw_obj_end(w);
}

int cmd_incident_do(struct args *a)
{
    const char *verb = strchr(a->command->path, ' ') + 1;
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096), body = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&body);
    fl_buf_str(&path, "/api/v1/incidents/");
    url_add(&path, a->pos[0]);
    fl_buf_printf(&path, "/%s", verb);
    body_of(a, verb, &w);
    int code = call_server(a, "POST", path.p, body.p, body.n, &r);
    if (code)
        return code;
    const char *made = r.json && fl_json_is_object(r.json) ? fl_json_str(r.json, "incident", NULL) : NULL;
    if (a->json)
        print_json(&r.body);
    else
        fprintf(stderr, "%s: %s done%s%s\n", a->pos[0], verb, made ? "; new incident " : "",
                made ? made : "");
    return EXIT_FINE;
}

int cmd_incident_report(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    const char *out = arg(a, "out");
    fl_buf_str(&path, "/api/v1/incidents/");
    url_add(&path, a->pos[0]);
    fl_buf_str(&path, arg_set(a, "html") ? "/report.html" : "/report.md");
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    FILE *f = out ? fopen(out, "we") : stdout;
    bool ok = f && fwrite(r.body.p, 1, r.body.n, f) == r.body.n && fflush(f) == 0;
    if (out && f && fclose(f) != 0)
        ok = false;
    return ok ? EXIT_FINE : usage_error("--out: %s: could not be written", out ? out : "standard output");
}
