/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/tokens.c -- tokens over HTTP: list, create, revoke (layer 5). The audit trail learns of them as
 * of those made straight in the database: the daemon looks for rows that no entry tells of. */
#include "http_priv.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static void token_json(struct fl_jw *w, const struct fl_token *t)
{
    fl_jw_str(w, "id", t->id);
    fl_jw_str(w, "name", t->name);
    fl_jw_str(w, "role", fl_role_name(t->role));
    fl_jw_time(w, "created_at", t->created_at);
    fl_jw_time(w, "expires_at", t->expires_at);
    fl_jw_time(w, "revoked_at", t->revoked_at);
    fl_jw_str(w, "created_by", t->created_by);
}

static void add_token(void *ctx, const struct fl_token *t)
{
    struct fl_jw *w = ctx;
    fl_jw_obj(w, NULL);
    token_json(w, t);
    fl_jw_obj_end(w);
}

void read_tokens(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    struct fl_buf b = fl_buf_init(REPLY_MAX);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_arr(&w, "tokens");
    if (fl_token_list(db, r->http->o.config->realm, add_token, &w, &err) != FL_OK) {
        fl_buf_done(&b);
        r->db_lost = true;
        reply_status(r, &err);
        return;
    }
    fl_jw_arr_end(&w);
    fl_jw_obj_end(&w);
    reply_buf(r, 200, TYPE_JSON, &b);
}

void read_token_create(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    FL_AUTO_JSON body = fl_json_parse(r->body, r->body_n, &err);
    if (!body) {
        reply_status(r, &err);
        return;
    }
    const char *name = fl_json_str(body, "name", ""), *role_text = fl_json_str(body, "role", "");
    const char *life = fl_json_str(body, "expires_in", NULL);
    fl_role role;
    fl_usec expires = 0;
    if (!*name || strlen(name) >= sizeof((struct fl_token *)0)->name) {
        reply_error(r, 400, "shape", "name", NULL, "name must be a text of 1 to 127 bytes");
    } else if (!fl_role_parse(role_text, &role)) {
        reply_error(r, 400, "shape", "role", "roles: ingest, viewer, operator, approver, admin",
                    "\"%.64s\" is no role", role_text);
    } else if (life && (!fl_parse_duration(life, &expires) || expires <= 0)) {
        reply_error(r, 400, "shape", "expires_in", "write 30d or 12h", "\"%.64s\" is no duration", life);
    } else {
        char secret[64];
        struct fl_token t;
        if (fl_token_create(db, r->http->o.config->realm, name, role, expires ? fl_now() + expires : 0,
                            r->caller.name, secret, &t, &err) != FL_OK) {
            reply_status(r, &err);
            return;
        }
        struct fl_buf b = fl_buf_init(1 << 16);
        struct fl_jw w = fl_jw_init(&b);
        fl_jw_obj(&w, NULL);
        token_json(&w, &t);
        fl_jw_str(&w, "token", secret);
        fl_jw_obj_end(&w);
        sodium_memzero(secret, sizeof secret);
        tokens_reload(r->http->tokens);
        reply_buf(r, 201, TYPE_JSON, &b);
    }
}

void read_token_revoke(struct request *r, struct fl_reader *db)
{
    struct fl_err err = {0};
    if (fl_token_revoke(db, r->http->o.config->realm, r->params[0], r->caller.name, &err) != FL_OK) {
        reply_status(r, &err);
        return;
    }
    tokens_reload(r->http->tokens);
    reply_empty(r, 204);
}
