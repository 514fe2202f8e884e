/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_model_live.c -- the models of a running engine: list, show, add, activate, shadow, rollback, and how
 * they did (layer 6). */
#include "model_page.h"

#include <faultline/daemon.h>
#include <faultline/rank.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MODEL_FILE_MAX = 64 << 20 };

/* ---- list ---- */

/* How the one on trial does against those that were live beside it. */
static void list_pairs(const struct fl_json *shadow)
{
    const struct fl_json *pairs = fl_json_get(shadow, "pairs");
    char text[160];
    for (size_t i = 0; i < fl_json_len(pairs); i++) {
        const struct fl_json *p = fl_json_at(pairs, i);
        if (!strcmp(fl_json_str(p, "shadow", ""), fl_json_str(shadow, "id", "")))
            printf("%s against %s: %s\n", fl_json_str(p, "shadow", ""), fl_json_str(p, "live", ""),
                   model_difference(p, text, sizeof text));
    }
}

int cmd_model_list(struct args *a)
{
    AUTO_REPLY r = {0};
    int code = call_server(a, "GET", "/api/v1/models?limit=1000", NULL, 0, &r);
    if (code)
        return code;
    if (a->json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const struct fl_json *list = list_of(r.json, "models");
    char age[64], live[64], shadow[64];
    printf("MODEL         STATE   ORIGIN         ADDED    RIGHT AS LIVE     RIGHT AS SHADOW   MADE FROM\n");
    for (size_t i = 0; i < fl_json_len(list); i++) {
        const struct fl_json *m = fl_json_at(list, i);
        put_padded(stdout, fl_json_str(m, "id", ""), 12);
        printf("  %-6s  %-13s  %-7s  %-16s  %-16s  ", fl_json_str(m, "state", ""),
               fl_json_str(m, "origin", ""), format_age(fl_json_str(m, "added_at", NULL), age, sizeof age),
               model_share(fl_json_get(m, "as_live"), "right1", "verdicts", live, sizeof live),
               model_share(fl_json_get(m, "as_shadow"), "right1", "verdicts", shadow, sizeof shadow));
        put_text(stdout, fl_json_str(m, "note", ""), 60);
        putchar('\n');
    }
    for (size_t i = 0; i < fl_json_len(list); i++)
        if (!strcmp(fl_json_str(fl_json_at(list, i), "state", ""), "shadow"))
            list_pairs(fl_json_at(list, i));
    fprintf(
        stderr,
        "RIGHT: its first candidate was the cause, by people's verdicts; faultline model evaluate says more\n");
    return EXIT_FINE;
}

/* ---- files ---- */

static bool is_id(const char *s)
{
    return strcmp(s, "first-day") == 0 || (strlen(s) == 12 && strspn(s, "0123456789abcdef") == 12);
}

/* A name that is a file's and looks like an id means the file: ./ in front says so, too. */
static bool is_file(const char *s)
{
    return !is_id(s) || access(s, R_OK) == 0;
}

static int read_model(const char *path, char **ret, size_t *ret_n)
{
    struct fl_err err = {0};
    struct fl_model *m = NULL;
    fl_status st = fl_read_file(path, MODEL_FILE_MAX, ret, ret_n, &err);
    if (st == FL_OK)
        st = fl_model_parse(*ret, *ret_n, &m, &err);
    fl_model_free(m);
    if (st == FL_OK)
        return 0;
    free(*ret);
    *ret = NULL;
    fl_err_in_file(&err, path, 0);
    return fail_with("model", &err);
}

/* @return 0 and the id, else the exit code. */
static int upload(struct args *a, const char *path, char id[16])
{
    AUTO_REPLY r = {0};
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    int code = read_model(path, &text, &n);
    if (!code)
        code = call_server(a, "POST", "/api/v1/models", text, n, &r);
    if (code)
        return code;
    snprintf(id, 16, "%s", fl_json_str(r.json, "model", ""));
    return 0;
}

int cmd_model_add(struct args *a)
{
    char id[16] = "";
    int code = upload(a, a->pos[0], id);
    if (code)
        return code;
    if (a->json)
        printf("{\"model\":\"%s\"}\n", id);
    else
        printf("%s\n", id);
    fprintf(stderr, "it ranks nothing yet; next: faultline model shadow %s, or faultline model activate %s\n",
            id, id);
    return EXIT_FINE;
}

/* ---- show ---- */

static int show_text(const char *text, size_t n, const char *id, bool only_text, bool all)
{
    struct fl_err err = {0};
    if (only_text) {
        fwrite(text, 1, n, stdout);
        if (!n || text[n - 1] != '\n')
            putchar('\n');
        return EXIT_FINE;
    }
    FL_AUTO_JSON root = fl_json_parse(text, n, &err);
    if (!root)
        return fail_with("model", &err);
    printf("model      %s\n", id);
    model_page(root, all);
    return EXIT_FINE;
}

static int show_file(struct args *a, const char *path)
{
    struct fl_err err = {0};
    struct fl_model *m = NULL;
    FL_AUTO_FREE char *text = NULL;
    size_t n = 0;
    int code = read_model(path, &text, &n);
    if (code || fl_model_parse(text, n, &m, &err) != FL_OK)
        return code ? code : fail_with("model", &err);
    code = show_text(text, n, fl_model_id(m), a->json || arg_set(a, "text"), arg_set(a, "all"));
    fl_model_free(m);
    return code;
}

static void print_uses(const struct fl_json *uses)
{
    char clock[64];
    if (fl_json_len(uses))
        printf("\nin force\n");
    for (size_t i = 0; i < fl_json_len(uses); i++) {
        const struct fl_json *u = fl_json_at(uses, i);
        printf("  %s  as %s, by ", format_clock(fl_json_str(u, "at", NULL), clock, sizeof clock),
               fl_json_str(u, "as", ""));
        put_text(stdout, fl_json_str(u, "actor", ""), 0);
        fputs(": ", stdout);
        put_text(stdout, fl_json_str(u, "reason", ""), 0);
        putchar('\n');
    }
}

static int show_id(struct args *a, const char *id)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(4096);
    char clock[64], one[64], three[64];
    fl_buf_str(&path, "/api/v1/models/");
    url_add(&path, id);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    const struct fl_json *model = fl_json_get(r.json, "model"), *live = fl_json_get(r.json, "as_live");
    FL_AUTO_FREE char *text = model ? fl_json_text(model, false) : NULL;
    if (arg_set(a, "text") && text)
        return show_text(text, strlen(text), id, true, false);
    if (a->json || !model) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    printf("model      %s (%s, %s)\n", id, fl_json_str(r.json, "state", ""),
           fl_json_str(r.json, "origin", ""));
    printf("added      %s", format_clock(fl_json_str(r.json, "added_at", NULL), clock, sizeof clock));
    if (*fl_json_str(r.json, "added_by", "")) {
        fputs(" by ", stdout);
        put_text(stdout, fl_json_str(r.json, "added_by", ""), 0);
    }
    printf("\nverdicts   first was right %s, cause among first 3 %s\n",
           model_share(live, "right1", "verdicts", one, sizeof one),
           model_share(live, "right3", "known3", three, sizeof three));
    model_pairs(fl_json_get(r.json, "pairs"));
    model_page(model, arg_set(a, "all"));
    print_uses(fl_json_get(r.json, "uses"));
    return EXIT_FINE;
}

int cmd_model_show(struct args *a)
{
    if (!a->n_pos) {
        const char *text = fl_model_json(fl_model_default());
        return show_text(text, strlen(text), fl_model_id(fl_model_default()), a->json || arg_set(a, "text"),
                         arg_set(a, "all"));
    }
    return is_file(a->pos[0]) ? show_file(a, a->pos[0]) : show_id(a, a->pos[0]);
}

/* ---- activate, shadow, rollback ---- */

static int command(struct args *a, const char *path, bool off)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF body = fl_buf_init(1 << 20);
    struct fl_jw w = fl_jw_init(&body);
    fl_jw_obj(&w, NULL);
    if (off)
        fl_jw_bool(&w, "off", true);
    if (arg(a, "reason"))
        fl_jw_str(&w, "reason", arg(a, "reason"));
    fl_jw_obj_end(&w);
    int code = call_server(a, "POST", path, body.p, body.n, &r);
    if (code)
        return code;
    if (a->json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    const char *shadow = fl_json_str(r.json, "shadow", NULL);
    fprintf(stderr, "live: %s%s%s; what is open is ranked anew\n", fl_json_str(r.json, "live", "?"),
            shadow ? ", beside it: " : "", shadow ? shadow : "");
    return EXIT_FINE;
}

int cmd_model_use(struct args *a)
{
    const char *verb = strchr(a->command->path, ' ') + 1;
    bool off = strcmp(verb, "shadow") == 0 && arg_set(a, "off");
    FL_AUTO_BUF path = fl_buf_init(4096);
    char id[16] = "";
    int code = 0;
    if (!off && is_file(a->pos[0]))
        code = upload(a, a->pos[0], id);
    if (code)
        return code;
    fl_buf_str(&path, "/api/v1/models/");
    url_add(&path, *id ? id : a->pos[0]);
    fl_buf_printf(&path, "/%s", verb);
    return command(a, path.p, off);
}

int cmd_model_rollback(struct args *a)
{
    return command(a, "/api/v1/models/rollback", false);
}

/* ---- evaluate ---- */

static int evaluate_live(struct args *a)
{
    AUTO_REPLY r = {0};
    FL_AUTO_BUF path = fl_buf_init(1 << 16);
    const char *const pairs[] = {"since", arg(a, "since"), "until", arg(a, "until"), NULL};
    fl_buf_str(&path, "/api/v1/models/evaluation");
    url_query(&path, pairs);
    int code = call_server(a, "GET", path.p, NULL, 0, &r);
    if (code)
        return code;
    if (a->json || !r.json) {
        print_json(&r.body);
        return EXIT_FINE;
    }
    model_evaluation_page(r.json);
    if (!fl_json_int(r.json, "verdicts", 0)) {
        fprintf(stderr, "no verdicts yet: faultline incident confirm|reject\n");
        return EXIT_FINDING;
    }
    return EXIT_FINE;
}

/* With a folder it is `evaluate`; without one the engine is asked. */
int fl_cmd_model_evaluate(int argc, char **argv)
{
    const struct command *self = NULL;
    struct args a;
    for (size_t i = 0; i < n_commands; i++)
        if (strcmp(commands[i].path, "model evaluate") == 0)
            self = &commands[i];
    FL_REQUIRE(self != NULL);
    struct stat st;
    for (int i = 1; i < argc; i++)
        if (argv[i][0] != '-' && stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode))
            return fl_cmd_evaluate(argc, argv);
    int code = args_parse(self, argc, argv, &a);
    return code >= 0 ? code : evaluate_live(&a);
}
