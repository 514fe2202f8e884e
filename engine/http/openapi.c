/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/http/openapi.c -- the route table as an OpenAPI 3.1 document (layer 5). */
#include "http_priv.h"

#include <ctype.h>
#include <string.h>

static void parameter(struct fl_jw *w, const char *name, size_t n, const char *in)
{
    fl_jw_obj(w, NULL);
    fl_jw_strn(w, "name", name, n);
    fl_jw_str(w, "in", in);
    fl_jw_bool(w, "required", in[0] == 'p');
    fl_jw_raw(w, "schema", "{\"type\":\"string\"}");
    fl_jw_obj_end(w);
}

static void parameters(struct fl_jw *w, const struct route *t)
{
    fl_jw_arr(w, "parameters");
    for (const char *p = strchr(t->path, '{'); p; p = strchr(p + 1, '{'))
        parameter(w, p + 1, strcspn(p + 1, "}"), "path");
    for (const char *q = t->query; q && *q; q += strcspn(q, ",")) {
        q += *q == ',';
        parameter(w, q, strcspn(q, ","), "query");
    }
    fl_jw_arr_end(w);
}

static void response(struct fl_jw *w, const char *code, const char *text)
{
    fl_jw_obj(w, code);
    fl_jw_str(w, "description", text);
    fl_jw_obj_end(w);
}

static void operation(struct fl_jw *w, const struct route *t)
{
    char method[8] = "";
    for (size_t i = 0; t->method[i] && i < sizeof method - 1; i++)
        method[i] = (char)tolower((unsigned char)t->method[i]);
    fl_jw_obj(w, method);
    fl_jw_str(w, "summary", t->summary);
    parameters(w, t);
    if (t->flags & (ROUTE_BODY | ROUTE_BODY_MAY)) {
        fl_jw_obj(w, "requestBody");
        fl_jw_bool(w, "required", (t->flags & ROUTE_BODY) != 0);
        fl_jw_raw(w, "content", "{\"application/json\":{\"schema\":{}}}");
        fl_jw_obj_end(w);
    }
    fl_jw_obj(w, "responses");
    response(w, "2XX", "done");
    if (t->roles != ROLE_PUBLIC) {
        response(w, "401", "no token, or one that is unknown, revoked or expired");
        response(w, "403", "the token's role does not allow it");
    }
    if (t->flags & ROUTE_BODY)
        response(w, "400", "the body cannot be used: error.field says where, error.message why");
    response(w, "503", "not now: try again");
    fl_jw_obj_end(w);
    fl_jw_raw(w, "security", t->roles == ROLE_PUBLIC ? "[]" : "[{\"token\":[]}]");
    fl_jw_arr(w, "x-roles");
    for (unsigned bit = FL_ROLE_INGEST; bit <= FL_ROLE_ADMIN; bit <<= 1)
        if (t->roles & bit)
            fl_jw_str(w, NULL, fl_role_name((fl_role)bit));
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

static bool is_first_of_path(size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (!strcmp(routes[j].path, routes[i].path))
            return false;
    return true;
}

void run_openapi(struct request *r)
{
    struct fl_buf b = fl_buf_init(4 << 20);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "openapi", "3.1.0");
    fl_jw_obj(&w, "info");
    fl_jw_str(&w, "title", "Faultline");
    fl_jw_str(&w, "version", FL_VERSION);
    fl_jw_obj_end(&w);
    fl_jw_obj(&w, "paths");
    for (size_t i = 0; i < n_routes; i++) {
        if (!is_first_of_path(i))
            continue;
        fl_jw_obj(&w, routes[i].path);
        for (size_t j = i; j < n_routes; j++)
            if (!strcmp(routes[j].path, routes[i].path))
                operation(&w, &routes[j]);
        fl_jw_obj_end(&w);
    }
    fl_jw_obj_end(&w);
    fl_jw_raw(&w, "components",
              "{\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
              "\"Also HTTP Basic with the token as password\"}}}");
    fl_jw_obj_end(&w);
    reply_buf(r, 200, TYPE_JSON, &b);
}
