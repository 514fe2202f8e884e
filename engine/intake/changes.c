/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/intake/changes.c -- change events: deploys, flag flips, configuration; contract in <faultline/intake.h>. */
#include <faultline/intake.h>
#include <faultline/json.h>

#include <stdlib.h>
#include <string.h>

enum { CHANGES_MAX = 10000, TEXT_MAX = 4096, DETAIL_MAX = 65536 };
#define YEAR (366 * 86400 * FL_USEC_PER_SEC)

struct reader {
    struct fl_arena *arena;
    struct fl_err *err;
    fl_status st;
};

static const char *member(struct reader *rd, const struct fl_json *obj, const char *key, bool required)
{
    const struct fl_json *v = fl_json_get(obj, key);
    const char *s = fl_json_string(v);
    if (rd->st)
        return NULL;
    if (v && !s)
        rd->st = fl_fail(rd->err, FL_E_SHAPE, key, "expected a string");
    else if (required && (!s || !*s))
        rd->st = fl_fail(rd->err, FL_E_SHAPE, key, "is required");
    else if (s && strlen(s) > TEXT_MAX)
        rd->st = fl_fail(rd->err, FL_E_LIMIT, key, "longer than %d bytes", TEXT_MAX);
    if (rd->st || !s)
        return NULL;
    const char *copy = fl_arena_strdup(rd->arena, s);
    if (!copy)
        rd->st = fl_fail(rd->err, FL_E_NOMEM, key, "out of memory");
    return copy;
}

/* Free text, or anything: kept as canonical JSON so that nothing a deploy tool knows is lost. */
static const char *detail(struct reader *rd, const struct fl_json *obj)
{
    const struct fl_json *v = fl_json_get(obj, "detail");
    if (rd->st || !v)
        return NULL;
    FL_AUTO_FREE char *text = fl_json_is_string(v) ? strdup(fl_json_string(v)) : fl_json_text(v, true);
    const char *copy = text ? fl_arena_strdup(rd->arena, text) : NULL;
    if (text && strlen(text) > DETAIL_MAX)
        rd->st = fl_fail(rd->err, FL_E_LIMIT, "detail", "longer than %d bytes", DETAIL_MAX);
    else if (!copy)
        rd->st = fl_fail(rd->err, FL_E_NOMEM, "detail", "out of memory");
    return copy;
}

static fl_usec when(struct reader *rd, const struct fl_json *obj, fl_usec now)
{
    const char *s = member(rd, obj, "time", false);
    fl_usec t = 0;
    if (rd->st || !s)
        return now;
    if (!fl_time_parse(s, strlen(s), &t))
        rd->st = fl_fail(rd->err, FL_E_SHAPE, "time", "could not parse time \"%.100s\"", s);
    else if (t < 0 || t > now + YEAR)
        rd->st = fl_fail(rd->err, FL_E_LIMIT, "time", "is before 1970 or more than a year ahead");
    return t ? t : now;
}

static void read_change(struct reader *rd, const struct fl_json *v, fl_usec now, struct fl_change *c)
{
    if (!fl_json_is_object(v)) {
        rd->st = fl_fail(rd->err, FL_E_SHAPE, NULL, "expected an object");
        return;
    }
    c->time = when(rd, v, now);
    c->component = member(rd, v, "component", true);
    c->kind = member(rd, v, "kind", true);
    c->id = member(rd, v, "id", true);
    c->author = member(rd, v, "author", false);
    c->title = member(rd, v, "title", false);
    c->link = member(rd, v, "link", false);
    c->detail = detail(rd, v);
}

fl_status fl_intake_changes(struct fl_arena *arena, const char *body, size_t len, fl_usec now,
                            struct fl_change **ret, size_t *ret_n, struct fl_err *err)
{
    struct fl_err local = {.status = FL_OK};
    err = err ? err : &local;
    FL_AUTO_JSON root = fl_json_parse(body, len, err);
    if (!root)
        return err->status;
    bool is_list = fl_json_is_array(root);
    size_t n = is_list ? fl_json_len(root) : 1;
    if (n > CHANGES_MAX)
        return fl_fail(err, FL_E_LIMIT, NULL, "more than %d changes in one body", CHANGES_MAX);
    struct fl_change *out = fl_arena_calloc(arena, n, sizeof *out);
    if (!out)
        return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
    struct reader rd = {.arena = arena, .err = err};
    for (size_t i = 0; i < n && !rd.st; i++) {
        read_change(&rd, is_list ? fl_json_at(root, i) : root, now, &out[i]);
        if (rd.st && is_list)
            fl_err_within(err, "[%zu]", i);
    }
    if (rd.st)
        return rd.st;
    *ret = out;
    *ret_n = n;
    return FL_OK;
}
