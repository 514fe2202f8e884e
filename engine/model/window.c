/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/window.c -- maintenance windows: their form, and when one is open; contract in <faultline/model.h>. */
#include "rules_read.h"

#include "regex_priv.h"

#include <stdio.h>
#include <string.h>

#define DAY (86400 * FL_USEC_PER_SEC)
#define MINUTE (60 * FL_USEC_PER_SEC)

static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

static bool two_digits(const char *s, int most, int *ret)
{
    if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
        return false;
    *ret = (s[0] - '0') * 10 + s[1] - '0';
    return *ret <= most;
}

static bool clock_time(const char *s, int *ret_minutes)
{
    int h, m;
    if (strlen(s) != 5 || s[2] != ':' || !two_digits(s, 23, &h) || !two_digits(s + 3, 59, &m))
        return false;
    *ret_minutes = h * 60 + m;
    return true;
}

static void read_offset(struct reader *rd, const struct fl_json *v, struct fl_window *w)
{
    const char *s = rd_opt_text(rd, v, "utc_offset", "+00:00");
    int minutes = 0;
    if (rd->st || strcmp(s, "UTC") == 0)
        return;
    if ((s[0] != '+' && s[0] != '-') || !clock_time(s + 1, &minutes) || minutes > 14 * 60) {
        rd_fail(
            rd, FL_E_SHAPE, "utc_offset",
            "expected UTC or a fixed offset such as \"+01:00\"; zones with daylight saving are not supported");
        return;
    }
    w->utc_offset = s[0] == '-' ? -minutes : minutes;
}

static void read_weekly(struct reader *rd, const struct fl_json *v, struct fl_window *w)
{
    RD_ONLY(rd, v, "days", "at", "duration", "utc_offset");
    const char *const *list = NULL;
    size_t n = 0;
    int minutes = 0;
    rd_words(rd, v, "days", &list, &n);
    if (!n)
        rd_fail(rd, FL_E_SHAPE, "days", "needs at least one of mon tue wed thu fri sat sun");
    for (size_t i = 0; i < n && !rd->st; i++) {
        size_t d = 0;
        while (d < FL_ARRAY_LEN(days) && strcmp(days[d], list[i]) != 0)
            d++;
        if (d == FL_ARRAY_LEN(days))
            rd_fail(rd, FL_E_SHAPE, "days", "expected mon tue wed thu fri sat sun");
        else
            w->days |= 1u << d;
    }
    const char *at = rd_need_text(rd, v, "at");
    if (!rd->st && !clock_time(at, &minutes))
        rd_fail(rd, FL_E_SHAPE, "at", "expected a time of day such as \"02:30\"");
    w->at = minutes * MINUTE;
    rd_duration(rd, v, "duration", &w->lasts);
    if (!rd->st && (w->lasts < MINUTE || w->lasts > 7 * DAY))
        rd_fail(rd, FL_E_SHAPE, "duration", "expected 1m to 7d");
    read_offset(rd, v, w);
    w->weekly = true;
}

static void read_time(struct reader *rd, const struct fl_json *v, const char *key, fl_usec *ret)
{
    const char *s = rd_opt_text(rd, v, key, NULL);
    if (!rd->st && s && !fl_time_parse(s, strlen(s), ret))
        rd_fail(rd, FL_E_SHAPE, key, "expected a time such as 2026-11-23T09:00:00Z");
}

static void read_parts(struct reader *rd, const struct fl_json *v, struct fl_window *w)
{
    w->comment = rd_opt_text(rd, v, "comment", "");
    rd_matchers(rd, v, &w->match, &w->n_match);
    rd_words(rd, v, "components", &w->components, &w->n_components);
    for (size_t i = 0; i < w->n_components && !rd->st; i++)
        if (!*w->components[i] || strlen(w->components[i]) > FL_NODE_ID_MAX)
            rd_fail(rd, FL_E_SHAPE, "components", "expected ids of components");
    const struct fl_json *dep = fl_json_get(v, "dependants");
    if (dep && !fl_json_is_bool(dep))
        rd_fail(rd, FL_E_SHAPE, "dependants", "expected true or false");
    w->dependants = fl_json_bool(v, "dependants", false);
    if (!rd->st && !w->n_match && !w->n_components)
        rd_fail(rd, FL_E_SHAPE, "match", "say what it is about: matchers in \"match\", or \"components\"");
    if (!rd->st && w->dependants && !w->n_components)
        rd_fail(rd, FL_E_SHAPE, "dependants", "of which components: \"components\" is empty");
    read_time(rd, v, "starts_at", &w->starts_at);
    read_time(rd, v, "ends_at", &w->ends_at);
    const struct fl_json *weekly = fl_json_get(v, "weekly");
    if (weekly && !rd->st) {
        read_weekly(rd, weekly, w);
        if (rd->st)
            fl_err_within(rd->err, "weekly");
    }
    if (!rd->st && !w->weekly && !w->ends_at)
        rd_fail(rd, FL_E_SHAPE, "ends_at", "is required, or \"weekly\"");
    if (!rd->st && w->ends_at && w->ends_at <= w->starts_at)
        rd_fail(rd, FL_E_SHAPE, "ends_at", "must be after starts_at");
    if (!rd->st && !w->weekly && w->starts_at && w->ends_at - w->starts_at > FL_RULES_DURATION_MAX)
        rd_fail(rd, FL_E_SHAPE, "ends_at", "a window lasts at most 366 days");
}

fl_status fl_window_parse(struct fl_arena *arena, const struct fl_json *v, fl_usec now, struct fl_window *ret,
                          struct fl_err *err)
{
    struct reader rd = {.arena = arena, .err = err};
    *ret = (struct fl_window){.name = "", .starts_at = now};
    if (!fl_json_is_object(v)) /* an empty list is an empty table of Lua only */
        rd_fail(&rd, FL_E_SHAPE, NULL, "expected an object");
    RD_ONLY(&rd, v, "comment", "match", "components", "dependants", "starts_at", "ends_at", "weekly");
    read_parts(&rd, v, ret);
    if (!rd.st && now && !*ret->comment)
        rd_fail(&rd, FL_E_SHAPE, "comment", "is required: whoever meets the window wants to know why");
    if (!rd.st && now && ret->ends_at && ret->ends_at <= now)
        rd_fail(&rd, FL_E_SHAPE, "ends_at", "is in the past");
    if (rd.st)
        fl_window_done(ret);
    return rd.st;
}

/* Part of an id and of paths. */
static bool plain(const char *s)
{
    size_t n = strlen(s);
    return n && n <= 64 && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == n;
}

static void window_rule(struct reader *rd, const struct fl_json *v, void *slot)
{
    struct fl_window *w = slot;
    RD_ONLY(rd, v, "name", "comment", "match", "components", "dependants", "starts_at", "ends_at", "weekly");
    w->name = rd_need_text(rd, v, "name");
    if (!rd->st && !plain(w->name))
        rd_fail(rd, FL_E_SHAPE, "name", "expected 1 to 64 letters, digits, \"-\" and \"_\"");
    read_parts(rd, v, w);
}

void rules_maintenance(struct reader *rd, const struct fl_json *v)
{
    void *p = NULL;
    rd_list(rd, v, "maintenance", FL_WINDOWS_MAX, sizeof(struct fl_window), &p, &rd->rules->n_windows,
            window_rule);
    rd->rules->windows = p;
    const struct fl_window *w = p;
    for (size_t i = 0; i < rd->rules->n_windows && !rd->st; i++)
        for (size_t k = 0; k < i && !rd->st; k++)
            if (strcmp(w[i].name, w[k].name) == 0)
                rd->st = fl_fail(rd->err, FL_E_SHAPE, "maintenance", "two windows are named \"%.64s\"",
                                 w[i].name);
}

void fl_window_done(struct fl_window *w)
{
    for (size_t i = 0; i < w->n_match; i++)
        fl_regex_free(w->match[i].compiled);
    w->n_match = 0;
}

/* ---- when it is open ---- */

/* Monday 1970-01-05 is day 4 of the epoch. */
static unsigned weekday(int64_t day)
{
    return (unsigned)(((day - 4) % 7 + 7) % 7);
}

static int64_t local_day(const struct fl_window *w, fl_usec at)
{
    fl_usec local = at + w->utc_offset * MINUTE;
    return local >= 0 ? local / DAY : -((-local + DAY - 1) / DAY);
}

static fl_usec opens(const struct fl_window *w, int64_t day)
{
    return day * DAY + w->at - w->utc_offset * MINUTE;
}

static fl_usec cut(const struct fl_window *w, fl_usec end)
{
    return w->ends_at && end > w->ends_at ? w->ends_at : end;
}

bool fl_window_open(const struct fl_window *w, fl_usec at, fl_usec *ret_until)
{
    if (at < w->starts_at || (w->ends_at && at >= w->ends_at))
        return false;
    *ret_until = w->ends_at;
    if (!w->weekly)
        return true;
    *ret_until = 0;
    int64_t today = local_day(w, at);
    for (int64_t day = today - 7; day <= today; day++) {
        fl_usec from = opens(w, day), to = cut(w, from + w->lasts);
        if ((w->days & 1u << weekday(day)) && from <= at && at < to && to > *ret_until)
            *ret_until = to;
    }
    return *ret_until != 0;
}

fl_usec fl_window_next(const struct fl_window *w, fl_usec at)
{
    fl_usec until;
    if (w->ends_at && at >= w->ends_at)
        return 0;
    if (fl_window_open(w, at, &until))
        return until;
    if (!w->weekly)
        return w->starts_at;
    int64_t day = local_day(w, at > w->starts_at ? at : w->starts_at);
    fl_usec best = at < w->starts_at && fl_window_open(w, w->starts_at, &until) ? w->starts_at : 0;
    for (int64_t k = day; k <= day + 7 && !best; k++) {
        fl_usec from = opens(w, k);
        if ((w->days & 1u << weekday(k)) && from > at && from >= w->starts_at)
            best = from;
    }
    return best && (!w->ends_at || best < w->ends_at) ? best : 0;
}

/* ---- text ---- */

static void clock_text(char *out, size_t cap, const char *sign, int minutes)
{
    snprintf(out, cap, "%s%02d:%02d", sign, minutes / 60, minutes % 60);
}

void fl_window_json(struct fl_jw *jw, const char *key, const struct fl_window *w)
{
    char t[16];
    fl_jw_obj(jw, key);
    fl_jw_str(jw, "comment", w->comment);
    fl_jw_arr(jw, "match");
    for (size_t i = 0; i < w->n_match; i++) {
        FL_AUTO_BUF b = fl_buf_init(0);
        fl_matcher_text(&w->match[i], &b);
        fl_jw_str(jw, NULL, b.p);
    }
    fl_jw_arr_end(jw);
    fl_jw_arr(jw, "components");
    for (size_t i = 0; i < w->n_components; i++)
        fl_jw_str(jw, NULL, w->components[i]);
    fl_jw_arr_end(jw);
    fl_jw_bool(jw, "dependants", w->dependants);
    if (w->starts_at)
        fl_jw_time(jw, "starts_at", w->starts_at);
    if (w->ends_at)
        fl_jw_time(jw, "ends_at", w->ends_at);
    if (w->weekly) {
        fl_jw_obj(jw, "weekly");
        fl_jw_arr(jw, "days");
        for (size_t d = 0; d < FL_ARRAY_LEN(days); d++)
            if (w->days & 1u << d)
                fl_jw_str(jw, NULL, days[d]);
        fl_jw_arr_end(jw);
        clock_text(t, sizeof t, "", (int)(w->at / MINUTE));
        fl_jw_str(jw, "at", t);
        fl_jw_int(jw, "duration", w->lasts / FL_USEC_PER_SEC);
        clock_text(t, sizeof t, w->utc_offset < 0 ? "-" : "+",
                   w->utc_offset < 0 ? -w->utc_offset : w->utc_offset);
        fl_jw_str(jw, "utc_offset", t);
        fl_jw_obj_end(jw);
    }
    fl_jw_obj_end(jw);
}
