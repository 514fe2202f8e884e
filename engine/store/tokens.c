/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/store/tokens.c -- API tokens; contract in <faultline/store.h>. */
#include "reader_priv.h"

#include <stdio.h>
#include <string.h>

static const struct {
    fl_role role;
    const char *name;
} roles[] = {{FL_ROLE_INGEST, "ingest"},
             {FL_ROLE_VIEWER, "viewer"},
             {FL_ROLE_OPERATOR, "operator"},
             {FL_ROLE_APPROVER, "approver"},
             {FL_ROLE_ADMIN, "admin"}};

const char *fl_role_name(fl_role r)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(roles); i++)
        if (roles[i].role == r)
            return roles[i].name;
    return "none";
}

bool fl_role_parse(const char *s, fl_role *ret)
{
    for (size_t i = 0; i < FL_ARRAY_LEN(roles); i++)
        if (fl_streq(roles[i].name, s)) {
            *ret = roles[i].role;
            return true;
        }
    return false;
}

/* base64url of n bytes, the first `want` characters of it. */
static void base64url(const uint8_t *b, size_t n, char *out, size_t want)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t k = 0;
    for (size_t i = 0; k < want; i++) {
        acc = acc << 8 | (i < n ? b[i] : 0);
        for (bits += 8; bits >= 6 && k < want; bits -= 6)
            out[k++] = digits[acc >> (bits - 6) & 63];
    }
    out[k] = '\0';
}

/* "flt_", 256 random bits, and six characters that tell a mistyped one (and let secret scanners be sure). */
static void make_secret(char *out)
{
    uint8_t bits[32];
    struct fl_sha256 sum;
    fl_random(bits, sizeof bits);
    memcpy(out, "flt_", 4);
    base64url(bits, sizeof bits, out + 4, 43);
    fl_sha256(out, 47, &sum);
    base64url(sum.b, sizeof sum.b, out + 47, 6);
    explicit_bzero(bits, sizeof bits);
}

static fl_status insert(PGconn *c, const struct fl_token *t, fl_usec *ret_at, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *r = NULL;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, t->realm);
    fl_pq_text(&p, t->id);
    fl_pq_text(&p, t->name);
    fl_pq_text(&p, fl_role_name(t->role));
    fl_pq_bytes(&p, t->hash.b, sizeof t->hash.b);
    fl_pq_text(&p, t->created_by);
    fl_pq_time(&p, t->expires_at);
    /* An expired token of that name gives it free. */
    FL_AUTO_PARAMS q;
    fl_pq_params_init(&q, a);
    fl_pq_text(&q, t->realm);
    fl_pq_text(&q, t->name);
    fl_pq_fault f = fl_pq_exec(
        c,
        "UPDATE token SET revoked_at = now(), revoked_by = 'engine' WHERE realm = $1 AND name = $2"
        " AND revoked_at IS NULL AND expires_at < now()",
        &q, NULL, NULL, err);
    if (!f)
        f = fl_pq_exec(c,
                       "INSERT INTO token (realm, id, name, role, hash, created_by, expires_at)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING created_at",
                       &p, NULL, &r, err);
    if (f)
        return fl_pq_status(f);
    if (PQntuples(r) == 0) {
        fl_fail(err, FL_E_CONFLICT, t->name, "a token named \"%s\" exists already", t->name);
        fl_hint(err, "revoke it first, or choose another name");
        return FL_E_CONFLICT;
    }
    *ret_at = fl_pq_get_time(r, 0, 0);
    return FL_OK;
}

fl_status fl_token_create(struct fl_reader *r, const char *realm, const char *name, fl_role role,
                          fl_usec expires_at, const char *by, char *secret, struct fl_token *ret,
                          struct fl_err *err)
{
    struct fl_token t = {.role = role, .expires_at = expires_at};
    size_t n = strlen(name);
    if (n < 1 || n >= sizeof t.name || !fl_utf8_valid(name, n) || strlen(realm) >= sizeof t.realm)
        return fl_fail(err, FL_E_SHAPE, "name", "a token's name has 1 to %zu bytes of text",
                       sizeof t.name - 1);
    char made[64];
    make_secret(made);
    fl_sha256(made, strlen(made), &t.hash);
    fl_uuid7(t.id);
    snprintf(t.name, sizeof t.name, "%s", name);
    snprintf(t.realm, sizeof t.realm, "%s", realm);
    snprintf(t.created_by, sizeof t.created_by, "%s", by ? by : "");
    PGconn *c;
    fl_status st = fl_reader_tokens(r, &c, err);
    if (!st) {
        st = insert(c, &t, &t.created_at, err);
        fl_reader_tokens_done(r);
    }
    if (!st) {
        memcpy(secret, made, sizeof made);
        *ret = t;
    }
    explicit_bzero(made, sizeof made);
    return st;
}

fl_status fl_token_revoke(struct fl_reader *r, const char *realm, const char *id_or_name, const char *by,
                          struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    PGconn *c;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    fl_pq_text(&p, id_or_name);
    fl_pq_text(&p, by ? by : "");
    fl_status st = fl_reader_tokens(r, &c, err);
    if (st)
        return st;
    fl_pq_fault f = fl_pq_exec(
        c,
        "UPDATE token SET revoked_at = now(), revoked_by = $3 WHERE realm = $1 AND (id = $2 OR name = $2)"
        " AND revoked_at IS NULL RETURNING id",
        &p, NULL, &res, err);
    fl_reader_tokens_done(r);
    if (f)
        return fl_pq_status(f);
    return PQntuples(res)
               ? FL_OK
               : fl_fail(err, FL_E_NOTFOUND, id_or_name, "no such token, or it is revoked already");
}

fl_status fl_token_list(struct fl_reader *r, const char *realm,
                        void (*visit)(void *ctx, const struct fl_token *t), void *ctx, struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    PGconn *c;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    fl_status st = fl_reader_tokens(r, &c, err);
    if (st)
        return st;
    fl_pq_fault f = fl_pq_exec(
        c,
        "SELECT id, name, role, hash, created_at, expires_at, revoked_at, created_by FROM token"
        " WHERE realm = $1 ORDER BY created_at, id LIMIT 10000",
        &p, NULL, &res, err);
    fl_reader_tokens_done(r);
    if (f)
        return fl_pq_status(f);
    for (int i = 0; i < PQntuples(res); i++) {
        struct fl_token t = {.created_at = fl_pq_get_time(res, i, 4),
                             .expires_at = fl_pq_get_time(res, i, 5),
                             .revoked_at = fl_pq_get_time(res, i, 6)};
        snprintf(t.id, sizeof t.id, "%s", fl_pq_get_text(res, i, 0));
        snprintf(t.name, sizeof t.name, "%s", fl_pq_get_text(res, i, 1));
        snprintf(t.realm, sizeof t.realm, "%s", realm);
        snprintf(t.created_by, sizeof t.created_by, "%s", fl_pq_get_text(res, i, 7));
        fl_pq_get_hash(res, i, 3, &t.hash);
        if (!fl_role_parse(fl_pq_get_text(res, i, 2), &t.role))
            continue; /* a role of a newer version opens nothing here */
        visit(ctx, &t);
    }
    return FL_OK;
}

/* ---- tokens and the audit trail ---- */

/* An entry is known by the id in its detail; the time (with room for two clocks) is what the index goes by. */
#define HAS_ENTRY(since, action)                                                                      \
    "EXISTS (SELECT 1 FROM audit a WHERE a.realm = t.realm AND a.at >= " since " - interval '1 hour'" \
    " AND a.action = '" action "' AND a.detail = '{\"id\":\"' || t.id || '\"}')"

static fl_status mark(PGconn *c, const char *realm, struct fl_err *err)
{
    static const char *const sql[] = {
        "UPDATE token t SET audited = 'created' WHERE t.realm = $1 AND t.audited = '' AND " HAS_ENTRY(
            "t.created_at", "token.created"),
        "UPDATE token t SET audited = 'revoked' WHERE t.realm = $1 AND t.audited = 'created'"
        " AND t.revoked_at IS NOT NULL AND " HAS_ENTRY("t.revoked_at", "token.revoked"),
    };
    for (size_t i = 0; i < FL_ARRAY_LEN(sql); i++) {
        FL_AUTO_ARENA a = fl_arena_new(0);
        FL_AUTO_PARAMS p;
        fl_pq_params_init(&p, a);
        fl_pq_text(&p, realm);
        fl_pq_fault f = fl_pq_exec(c, sql[i], &p, NULL, NULL, err);
        if (f)
            return fl_pq_status(f);
    }
    return FL_OK;
}

fl_status fl_token_unaudited(struct fl_reader *r, const char *realm,
                             void (*visit)(void *ctx, const struct fl_token_act *act), void *ctx,
                             struct fl_err *err)
{
    FL_AUTO_ARENA a = fl_arena_new(0);
    FL_AUTO_PARAMS p;
    FL_AUTO_PGRESULT *res = NULL;
    PGconn *c;
    fl_pq_params_init(&p, a);
    fl_pq_text(&p, realm);
    fl_status st = fl_reader_tokens(r, &c, err);
    if (st)
        return st;
    st = mark(c, realm, err);
    fl_pq_fault f =
        st ? FL_PQ_NONE
           : fl_pq_exec(
                 c,
                 "SELECT t.id, t.name, t.role, (t.audited = '')::int::bigint, coalesce(nullif(CASE t.audited"
                 " WHEN '' THEN t.created_by ELSE t.revoked_by END, ''), 'engine') FROM token t"
                 " WHERE t.realm = $1 AND (t.audited = '' OR (t.audited = 'created' AND t.revoked_at"
                 " IS NOT NULL)) ORDER BY t.created_at, t.id LIMIT 100",
                 &p, NULL, &res, err);
    fl_reader_tokens_done(r);
    if (st || f)
        return st ? st : fl_pq_status(f);
    for (int i = 0; i < PQntuples(res); i++) {
        struct fl_token_act act = {.id = fl_pq_get_text(res, i, 0),
                                   .name = fl_pq_get_text(res, i, 1),
                                   .role = fl_pq_get_text(res, i, 2),
                                   .action = fl_pq_get_i64(res, i, 3) ? "created" : "revoked",
                                   .actor = fl_pq_get_text(res, i, 4)};
        visit(ctx, &act);
    }
    return FL_OK;
}
