/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_playbook.c -- playbooks and runs on a running engine (layer 6). */
#include "cli.h"

#include <faultline/daemon.h>

#include <string.h>

static void ignore(void *ctx, const struct fl_err *err)
{
    (void)ctx;
    put_text(stderr, err->where, 0);
    fputs(": ", stderr);
    put_text(stderr, err->text, 0);
    fputc('\n', stderr);
}

int cmd_playbook_list(struct args *a)
{
    struct fl_config *c = NULL;
    struct fl_sources s;
    struct fl_err err = {0};
    int code = load_config(a, &c);
    if (code >= 0)
        return code;
    if (fl_sources_load(c, &s, ignore, NULL) != FL_OK) {
        fl_config_free(c);
        return EXIT_FINDING;
    }
    FL_AUTO_JSON doc = fl_json_parse(s.config, s.config_n, &err);
    const struct fl_json *list = doc ? fl_json_get(doc, "playbooks") : NULL;
    if (!fl_json_len(list))
        fprintf(stderr, "no playbooks; --playbooks DIR says where they are\n");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *m = fl_json_get(fl_json_at(list, i), "meta");
        FL_AUTO_FREE char *text = a->json && m ? fl_json_text(m, true) : NULL;
        if (text) {
            printf("%s\n", text);
            continue;
        }
        put_padded(stdout, fl_json_str(m, "name", ""), 28);
        printf("  %-8s  approval %-8s  ", fl_json_str(m, "version", ""),
               fl_json_str(m, "approval", "required"));
        put_text(stdout, fl_json_str(m, "doc", ""), 0);
        putchar('\n');
    }
    fl_sources_done(&s);
    fl_config_free(c);
    return EXIT_FINE;
}

int cmd_playbook_runs(struct args *a)
{
    static const struct column columns[] = {
        {"RUN", "id", 0, 's'},
        {"STATE", "state", 0, 's'},
        {"PLAYBOOK", "playbook", 28, 's'},
        {"INCIDENT", "incident", 0, 's'},
        {"CREATED", "created_at", 0, 'a'},
        {"BY", "requested_by", 20, 's'},
        {"REASON", "reason", 0, 's'},
    };
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"state", arg(a, "state"), "incident", arg(a, "incident"),
                                 "limit", arg(a, "limit"), NULL};
    fl_buf_str(&path, "/api/v1/runs");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        print_table(list_of(r.json, "runs"), columns, FL_ARRAY_LEN(columns));
    return EXIT_FINE;
}

/* ---- one run ---- */

static void print_member(const struct fl_json *o, const char *key, const char *title)
{
    const struct fl_json *v = fl_json_get(o, key);
    FL_AUTO_FREE char *raw = v ? fl_json_text(v, true) : NULL;
    const char *s = v ? fl_json_string(v) : NULL;
    if (!v || (s && !*s))
        return;
    printf("  %-12s ", title);
    put_text(stdout, s ? s : raw ? raw : "", 0);
    putchar('\n');
}

static void print_calls(const struct fl_json *calls)
{
    char clock[64];
    if (fl_json_len(calls))
        printf("\nCALLS\n");
    for (size_t i = 0; i < fl_json_len(calls); i++) {
        const struct fl_json *c = fl_json_at(calls, i), *args = fl_json_get(c, "args"),
                             *res = fl_json_get(c, "result");
        FL_AUTO_FREE char *at = args ? fl_json_text(args, true) : NULL;
        FL_AUTO_FREE char *rt = res ? fl_json_text(res, true) : NULL;
        printf("  %3lld  %s  %-8s  ", (long long)fl_json_int(c, "n", 0),
               format_clock(fl_json_str(c, "intent_at", NULL), clock, sizeof clock),
               fl_json_str(c, "state", ""));
        if (*fl_json_str(c, "step", "")) {
            putchar('[');
            put_text(stdout, fl_json_str(c, "step", ""), 40);
            fputs("] ", stdout);
        }
        printf("%s ", fl_json_str(c, "fn", ""));
        put_text(stdout, at ? at : "", 160);
        putchar('\n');
        if (rt && strcmp(rt, "\"\"") != 0 && strcmp(rt, "null") != 0) {
            fputs("                            → ", stdout);
            put_text(stdout, rt, 160);
            putchar('\n');
        }
        if (*fl_json_str(c, "reason", "")) {
            fputs("                            ", stdout);
            put_text(stdout, fl_json_str(c, "reason", ""), 0);
            putchar('\n');
        }
    }
}

int cmd_playbook_show(struct args *a)
{
    static const char *const members[][2] = {
        {"playbook", "playbook"},     {"version", "version"},         {"incident", "incident"},
        {"state", "state"},           {"reason", "reason"},           {"approval", "approval"},
        {"requested_by", "asked by"}, {"approved_by", "approved by"}, {"params", "parameters"},
        {"created_at", "created"},    {"started_at", "started"},      {"ended_at", "ended"},
        {"approve_by", "approve by"}, {"deadline", "deadline"},       {"result", "result"},
    };
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    fl_buf_str(&path, "/api/v1/runs/");
    url_add(&path, a->pos[0]);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json || !r.json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *inner = fl_json_get(r.json, "run"),
                         *run = inner && fl_json_is_object(inner) ? inner : r.json;
    printf("%s\n", fl_json_str(run, "id", a->pos[0]));
    for (size_t i = 0; i < FL_ARRAY_LEN(members); i++)
        print_member(run, members[i][0], members[i][1]);
    print_calls(fl_json_get(r.json, "calls"));
    return EXIT_FINE;
}

/* ---- commands ---- */

static int send_command(struct args *a, const char *path, struct fl_buf *body, const char *done)
{
    AUTO_REPLY r = {0};
    int code = call_server(a, "POST", path, body->p, body->n, &r);
    if (code)
        return code;
    const char *run = r.json && fl_json_is_object(r.json) ? fl_json_str(r.json, "run", NULL) : NULL;
    if (a->json)
        print_json(&r.body);
    else if (run && a->command->run == cmd_playbook_run)
        fprintf(stderr, "%s waits for an approval: faultline playbook approve %s\n", run, run);
    else
        fprintf(stderr, "%s\n", done);
    return EXIT_FINE;
}

int cmd_playbook_run(struct args *a)
{
    FL_AUTO_BUF body = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&body);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "playbook", a->pos[0]);
    fl_jw_str(&w, "incident", a->pos[1]);
    fl_jw_obj(&w, "params");
    for (size_t i = 2; i < a->n_pos; i++) {
        const char *eq = strchr(a->pos[i], '=');
        if (!eq || eq == a->pos[i])
            return usage_error("\"%.64s\": write parameter=value", a->pos[i]);
        char name[256];
        snprintf(name, sizeof name, "%.*s", (int)(eq - a->pos[i]), a->pos[i]);
        fl_jw_str(&w, name, eq + 1);
    }
    fl_jw_obj_end(&w);
    fl_jw_obj_end(&w);
    return send_command(a, "/api/v1/runs", &body, "asked for");
}

int cmd_playbook_do(struct args *a)
{
    const char *verb = strchr(a->command->path, ' ') + 1;
    FL_AUTO_BUF path = fl_buf_init(4096), body = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&body);
    char done[128];
    fl_jw_obj(&w, NULL);
    if (!strcmp(verb, "settle")) {
        struct fl_err err = {0};
        const char *result = arg(a, "result");
        fl_jw_str(&w, "verdict", a->pos[1]);
        if (result) {
            FL_AUTO_BUF list = fl_buf_init(1 << 20); /* a bare value is fine: parse it inside a list */
            fl_buf_printf(&list, "[%s]", result);
            FL_AUTO_JSON v = list.failed ? NULL : fl_json_parse(list.p, list.n, &err);
            if (!v || fl_json_len(v) != 1)
                return usage_error("--result: it is no JSON value: %.64s", result);
            fl_jw_raw(&w, "result", result);
        }
    }
    if (!strcmp(verb, "approve") && arg_set(a, "override"))
        fl_jw_bool(&w, "override", true);
    if (arg(a, "reason"))
        fl_jw_str(&w, "reason", arg(a, "reason"));
    fl_jw_obj_end(&w);
    fl_buf_str(&path, "/api/v1/runs/");
    url_add(&path, a->pos[0]);
    fl_buf_printf(&path, "/%s", verb);
    snprintf(done, sizeof done, "%.40s: %s done", a->pos[0], verb);
    return send_command(a, path.p, &body, done);
}

int cmd_automation(struct args *a)
{
    const char *verb = strchr(a->command->path, ' ') + 1;
    FL_AUTO_BUF body = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&body);
    char path[64];
    fl_jw_obj(&w, NULL);
    if (a->n_pos)
        fl_jw_str(&w, "playbook", a->pos[0]);
    if (arg(a, "reason"))
        fl_jw_str(&w, "reason", arg(a, "reason"));
    fl_jw_obj_end(&w);
    snprintf(path, sizeof path, "/api/v1/automation/%s", verb);
    return send_command(a, path, &body,
                        !strcmp(verb, "halt") ? "automation is halted" : "automation may act again");
}
