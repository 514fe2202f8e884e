/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/cli/cmd_token.c -- token create, list, revoke: over HTTP, or straight in the database (layer 6).
 * The first token can only be made in the database: whoever may open it owns the engine anyway. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --server was not given, but --data or --database was (or their variables): no engine is asked. */
static bool straight(const struct args *a)
{
    if (arg(a, "server") || (getenv("FAULTLINE_URL") && !arg(a, "data") && !arg(a, "database")))
        return false;
    return arg(a, "data") || arg(a, "database") || getenv("FAULTLINE_DATA") || getenv("FAULTLINE_DATABASE");
}

static int open_reader(const struct args *a, struct fl_config **config, struct fl_reader **ret)
{
    struct fl_err err = {0};
    char conninfo[1024];
    int code = find_database(a, config, conninfo, sizeof conninfo);
    if (code)
        return code;
    if (fl_reader_open(conninfo, ret, &err) == FL_OK)
        return 0;
    *config = fl_config_free(*config);
    fail_with("database", &err);
    return EXIT_UNREACHABLE;
}

/* The actor of what is done straight in the database. @param by 128 bytes. */
static void who(char *by)
{
    const char *user = getenv("SUDO_USER") ? getenv("SUDO_USER") : getenv("USER");
    snprintf(by, 128, "cli:%.100s", user && fl_utf8_valid(user, strlen(user)) ? user : "unknown");
}

/* ---- create ---- */

static int write_secret(const char *path, const char *secret)
{
    FL_AUTO_FD fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t n = strlen(secret);
    if (fd < 0 || fchmod(fd, 0600) != 0 || write(fd, secret, n) != (ssize_t)n || write(fd, "\n", 1) != 1) {
        fprintf(stderr, "faultline: %s: the token could not be written: %s\n", path, strerror(errno));
        return EXIT_FINDING;
    }
    return EXIT_FINE;
}

static int show_secret(const struct args *a, const char *name, const char *role, const char *id,
                       const char *secret)
{
    const char *out = arg(a, "out");
    if (out) {
        int code = write_secret(out, secret);
        if (!code)
            fprintf(stderr, "token \"%s\" (%s) written to %s\n", name, role, out);
        return code;
    }
    if (a->json) {
        FL_AUTO_BUF b = fl_buf_init(1 << 16);
        struct fl_jw w = fl_jw_init(&b);
        fl_jw_obj(&w, NULL);
        fl_jw_str(&w, "id", id);
        fl_jw_str(&w, "name", name);
        fl_jw_str(&w, "role", role);
        fl_jw_str(&w, "token", secret);
        fl_jw_obj_end(&w);
        print_json(&b);
    } else {
        printf("%s\n", secret);
        fprintf(stderr, "token \"%s\" (%s): it is shown this once; use it as \"Authorization: Bearer …\"\n",
                name, role);
    }
    return EXIT_FINE;
}

static int create_straight(struct args *a, const char *name, fl_role role, fl_usec life)
{
    struct fl_config *c = NULL;
    struct fl_reader *r = NULL;
    struct fl_err err = {0};
    struct fl_token t;
    char secret[64];
    int code = open_reader(a, &c, &r);
    if (code)
        return code;
    char by[128];
    who(by);
    if (fl_token_create(r, c->realm, name, role, life ? fl_now() + life : 0, by, secret, &t, &err) == FL_OK)
        code = show_secret(a, name, fl_role_name(role), t.id, secret);
    else
        code = fail_with("token create", &err);
    explicit_bzero(secret, sizeof secret);
    fl_reader_close(r);
    fl_config_free(c);
    return code;
}

static int create_over_http(struct args *a, const char *name, const char *role)
{
    FL_AUTO_BUF b = fl_buf_init(1 << 16);
    struct fl_jw w = fl_jw_init(&b);
    AUTO_REPLY r = {0};
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "name", name);
    fl_jw_str(&w, "role", role);
    if (arg(a, "expires"))
        fl_jw_str(&w, "expires_in", arg(a, "expires"));
    fl_jw_obj_end(&w);
    int code = call_server(a, "POST", "/api/v1/tokens", b.p, b.n, &r);
    return code ? code
                : show_secret(a, name, role, fl_json_str(r.json, "id", ""), fl_json_str(r.json, "token", ""));
}

int cmd_token_create(struct args *a)
{
    const char *name = arg(a, "name"), *role_text = arg(a, "role"), *life_text = arg(a, "expires");
    fl_role role;
    fl_usec life = 0;
    if (!name || !*name || strlen(name) > 127)
        return usage_error("--name: needed: who will use the token");
    if (!role_text || !fl_role_parse(role_text, &role))
        return usage_error("--role: \"%.32s\": one of ingest, viewer, operator, approver, admin",
                           role_text ? role_text : "");
    if (life_text && (!fl_parse_duration(life_text, &life) || life <= 0))
        return usage_error("--expires: \"%.32s\": write 30d or 12h", life_text);
    return straight(a) ? create_straight(a, name, role, life) : create_over_http(a, name, role_text);
}

/* ---- list, revoke ---- */

static void add_token(void *ctx, const struct fl_token *t)
{
    struct fl_jw *w = ctx;
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "id", t->id);
    fl_jw_str(w, "name", t->name);
    fl_jw_str(w, "role", fl_role_name(t->role));
    fl_jw_time(w, "created_at", t->created_at);
    fl_jw_time(w, "expires_at", t->expires_at);
    fl_jw_time(w, "revoked_at", t->revoked_at);
    fl_jw_str(w, "created_by", t->created_by);
    fl_jw_obj_end(w);
}

static int list_straight(struct args *a, struct reply *ret)
{
    struct fl_config *c = NULL;
    struct fl_reader *r = NULL;
    struct fl_err err = {0};
    int code = open_reader(a, &c, &r);
    if (code)
        return code;
    ret->body = fl_buf_init(64 << 20);
    struct fl_jw w = fl_jw_init(&ret->body);
    fl_jw_arr(&w, NULL);
    if (fl_token_list(r, c->realm, add_token, &w, &err) != FL_OK)
        code = fail_with("token list", &err);
    fl_jw_arr_end(&w);
    ret->json = code ? NULL : fl_json_parse(ret->body.p, ret->body.n, &err);
    fl_reader_close(r);
    fl_config_free(c);
    return code;
}

int cmd_token_list(struct args *a)
{
    static const struct column columns[] = {
        {"NAME", "name", 40, 's'},     {"ROLE", "role", 0, 's'},          {"CREATED", "created_at", 0, 't'},
        {"BY", "created_by", 30, 's'}, {"EXPIRES", "expires_at", 0, 't'}, {"REVOKED", "revoked_at", 0, 't'},
        {"ID", "id", 0, 's'},
    };
    AUTO_REPLY r = {0};
    int code = straight(a) ? list_straight(a, &r) : call_server(a, "GET", "/api/v1/tokens", NULL, 0, &r);
    if (code)
        return code;
    if (a->json)
        print_json(&r.body);
    else
        print_table(list_of(r.json, "tokens"), columns, FL_ARRAY_LEN(columns));
    return EXIT_FINE;
}

int cmd_token_revoke(struct args *a)
{
    int code;
    if (straight(a)) {
        struct fl_config *c = NULL;
        struct fl_reader *r = NULL;
        struct fl_err err = {0};
        code = open_reader(a, &c, &r);
        if (code)
            return code;
        char by[128];
        who(by);
        if (fl_token_revoke(r, c->realm, a->pos[0], by, &err) != FL_OK)
            code = fail_with("token revoke", &err);
        fl_reader_close(r);
        fl_config_free(c);
    } else {
        FL_AUTO_BUF path = fl_buf_init(4096);
        fl_buf_str(&path, "/api/v1/tokens/");
        url_add(&path, a->pos[0]);
        code = call_server(a, "DELETE", path.p, NULL, 0, NULL);
    }
    if (!code)
        fprintf(stderr, "token \"%s\" revoked: it stops working within 5 s\n", a->pos[0]);
    return code;
}
