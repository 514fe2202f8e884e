/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/maintenance.c -- maintenance windows, asked for by people or written in the rules: when they are
 * open, and which alerts and components they cover. */
#include "correlate_priv.h"

#include <faultline/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    WINDOW_ID_LEN = 80,
    WINDOW_KEEP_HOURS = 120, /* those that are over are listed this long */
    DEPENDANT_HOPS = 16,
};

struct window {
    struct fl_arena *arena; /* of what a person asked for; NULL: def points into the rules */
    struct fl_window def;
    char id[WINDOW_ID_LEN];
    char *created_by;
    fl_usec over_at; /* ended by a person, or for good; 0 = not */
    bool open;       /* as was said last */
    bool told;       /* its row was written */
    bool gone;       /* the rules do not have it any more */
    struct remind remind;
    bool *covers; /* by vertex: components and what needs them; NULL until asked */
    UT_hash_handle hh;
};

static void window_free(struct window *x)
{
    if (x->arena)
        fl_window_done(&x->def);
    fl_arena_free(x->arena);
    free(x->created_by);
    free(x->covers);
    remind_done(&x->remind);
    free(x);
}

void windows_free(struct fl_corr *c)
{
    struct window *x, *tmp;
    HASH_ITER (hh, c->windows, x, tmp) {
        HASH_DEL(c->windows, x);
        window_free(x);
    }
}

static bool is_open(const struct window *x, fl_usec at, fl_usec *ret_until)
{
    return !x->over_at && fl_window_open(&x->def, at, ret_until);
}

static void set_due(struct fl_corr *c, fl_usec at)
{
    c->window_due = 0;
    for (const struct window *x = c->windows; x; x = x->hh.next) {
        fl_usec due = x->over_at ? 0 : fl_window_next(&x->def, at);
        if (!x->over_at && !due)
            due = at + 1; /* over for good: said at the next tick */
        if (due && (!c->window_due || due < c->window_due))
            c->window_due = due;
    }
}

static void window_row(struct fl_step *s, const struct window *x)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_usec until = 0;
    bool open = is_open(x, s->at, &until);
    fl_window_json(&w, NULL, &x->def);
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_MAINTENANCE);
    fx->maintenance = (struct fl_maintenance_row){
        .id = fl_fx_str(s->fx, x->id),
        .created_by = fl_fx_str(s->fx, x->created_by),
        .window = fl_fx_str(s->fx, b.p),
        .state = x->over_at ? "ended"
                 : open     ? "open"
                            : "scheduled",
        .next_at = x->over_at ? 0
                   : open     ? until
                              : fl_window_next(&x->def, s->at),
        .updated_at = s->at,
        .reminders = x->remind.times,
        .reminded_at = x->remind.told_at,
        .reminder = fl_fx_str(s->fx, x->remind.text),
    };
}

static void say(struct fl_step *s, const struct window *x, const char *action, const char *actor,
                const char *text)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_window_json(&w, NULL, &x->def);
    s->note(s, &(struct fl_note){.to = FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = "",
                                 .subject = x->id,
                                 .actor = actor,
                                 .text = text,
                                 .detail = b.p});
    window_row(s, x);
}

/* ---- what a window covers ---- */

static bool mark(void *ctx, fl_vertex v, unsigned hops)
{
    (void)hops;
    ((bool *)ctx)[v] = true;
    return false;
}

static bool listed(const struct window *x, const char *id)
{
    for (size_t k = 0; k < x->def.n_components; k++)
        if (fl_streq(x->def.components[k], id))
            return true;
    return false;
}

static void find_dependants(struct window *x, struct fl_topo *topo)
{
    size_t n = fl_topo_n_nodes(topo);
    x->covers = fl_core_alloc(n, sizeof *x->covers);
    for (size_t k = 0; k < x->def.n_components; k++) {
        fl_vertex v = fl_topo_find(topo, x->def.components[k]);
        struct fl_err err = {0};
        /* A graph error costs the window its dependants, never an alert. */
        if (v >= 0 &&
            fl_topo_walk(topo, v, FL_DIR_NEEDED_BY, DEPENDANT_HOPS, NULL, 0, mark, x->covers, &err) != FL_OK)
            break;
    }
}

/* A component itself, what counts as it (an instance of a service), and with `dependants` what needs it. */
static bool covers_node(struct window *x, struct fl_topo *topo, const char *id)
{
    fl_vertex v = id && topo ? fl_topo_find(topo, id) : -1;
    if (id && listed(x, id))
        return true;
    if (v < 0)
        return false;
    fl_vertex service = fl_topo_service_of(topo, v);
    if (service >= 0 && listed(x, fl_topo_node(topo, service)->id))
        return true;
    if (!x->def.dependants)
        return false;
    if (!x->covers)
        find_dependants(x, topo);
    return x->covers[v];
}

static bool covers(struct window *x, struct fl_topo *topo, const struct episode *e)
{
    return fl_match_all(x->def.match, x->def.n_match, &e->alert->labels) &&
           (!x->def.n_components || covers_node(x, topo, e->node_id));
}

static struct window *window_of(struct fl_corr *c, fl_usec at, struct fl_topo *topo, const struct episode *e,
                                fl_usec *ret_until)
{
    for (struct window *x = c->windows; x; x = x->hh.next)
        if (is_open(x, at, ret_until) && covers(x, topo, e))
            return x;
    return NULL;
}

static const char *words(struct fl_step *s, const struct window *x, fl_usec until)
{
    char t[FL_TIME_LEN];
    return fl_fx_printf(s->fx, "in maintenance %s%s%.200s%s until %s", x->id, *x->def.comment ? " (\"" : "",
                        x->def.comment, *x->def.comment ? "\")" : "",
                        until ? fl_time_format_ms(until, t) : "it is ended");
}

const char *window_hides(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const struct episode *e,
                         const char **ret_text)
{
    fl_usec until = 0;
    const struct window *x = window_of(c, s->at, topo, e, &until);
    if (x)
        *ret_text = words(s, x, until);
    return x ? x->id : NULL;
}

const char *fl_corr_in_maintenance(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo,
                                   const char *node)
{
    fl_usec until = 0;
    for (struct window *x = c->windows; x; x = x->hh.next)
        if (x->def.n_components && is_open(x, s->at, &until) && covers_node(x, topo, node))
            return fl_fx_printf(s->fx, "%.300s is %s", node, words(s, x, until));
    return NULL;
}

/* ---- time ---- */

/* Who is covered may have changed. @return how many live alerts are covered by `x`. */
static size_t look_again(struct fl_corr *c, fl_usec at, struct fl_topo *topo, const struct window *x)
{
    size_t n = 0;
    fl_usec until;
    for (struct episode *e = order_first(c); e; e = order_later(e)) {
        if (!is_live(e))
            continue;
        const struct window *now = window_of(c, at, topo, e, &until);
        n += now && now == x;
        if (!fl_streq(now ? now->id : NULL, e->hold ? e->hold->window : NULL))
            settle_later(c, e);
    }
    return n;
}

void windows_topology(struct fl_corr *c)
{
    for (struct window *x = c->windows; x; x = x->hh.next) {
        free(x->covers);
        x->covers = NULL;
    }
    c->windows_moved = c->windows != NULL;
}

void windows_on_time(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo)
{
    if (!c->windows_moved && (!c->window_due || c->window_due > s->at))
        return;
    c->windows_moved = false;
    for (struct window *x = c->windows, *next; x; x = next) {
        next = x->hh.next;
        fl_usec until = 0;
        bool open = is_open(x, s->at, &until), was = x->open;
        x->open = open;
        c->reminders_moved |= open != was; /* what was said of this time is not said of the next */
        if (x->gone) {
            x->over_at = s->at;
            set_text(&x->remind.text, NULL);
            say(s, x, "maintenance.ended", NULL, "the rules do not have it any more");
            HASH_DEL(c->windows, x);
            window_free(x);
            continue;
        }
        if (!x->over_at && !open && !fl_window_next(&x->def, s->at))
            x->over_at = s->at;
        if (open != was || (x->over_at == s->at && !was))
            say(s, x, open ? "maintenance.started" : "maintenance.ended", NULL,
                open         ? words(s, x, until)
                : x->over_at ? "its time is over"
                             : "over for this time");
        else if (!x->told)
            window_row(s, x);
        x->told = true;
        if (x->over_at && x->over_at + WINDOW_KEEP_HOURS * 3600 * FL_USEC_PER_SEC <= s->at) {
            HASH_DEL(c->windows, x);
            window_free(x);
        }
    }
    look_again(c, s->at, topo, NULL);
    set_due(c, s->at);
}

/* ---- reminders ---- */

struct remind *window_remind(const struct fl_corr *c, const char *id)
{
    struct window *x = NULL;
    if (c->windows)
        HASH_FIND_STR(c->windows, id, x);
    return x ? &x->remind : NULL;
}

static bool hidden_by(const char *id, const struct episode *e)
{
    return e->hold && fl_streq(e->hold->window, id);
}

void windows_remind(struct fl_corr *c, struct fl_step *s)
{
    for (struct window *x = c->windows; x; x = x->hh.next) {
        fl_usec until = 0;
        bool open = is_open(x, s->at, &until);
        const struct remind_about v = {.kind = REMIND_WINDOW,
                                       .what = "maintenance window",
                                       .action = "maintenance.reminder",
                                       .id = x->id,
                                       .by = x->created_by,
                                       .comment = x->def.comment,
                                       .starts_at = x->def.weekly ? until - x->def.lasts : x->def.starts_at,
                                       .ends_at = open ? until : 0,
                                       .in_force = open,
                                       .hides = hidden_by};
        if (remind_look(c, s, &x->remind, &v))
            window_row(s, x);
    }
}

void windows_remind_again(struct fl_corr *c)
{
    for (struct window *x = c->windows; x; x = x->hh.next)
        remind_again(c, &x->remind);
}

/* ---- the rules' own ---- */

void windows_rules(struct fl_corr *c, const struct fl_rules *rules)
{
    struct window *x, *tmp;
    HASH_ITER (hh, c->windows, x, tmp) {
        if (x->arena)
            continue;
        /* The matchers are the old rules': only what is ours is looked at. */
        bool open = x->open, kept = false;
        for (size_t k = 0; k < rules->n_windows; k++)
            if (strcmp(x->id + strlen("rule:"), rules->windows[k].name) == 0) {
                free(x->covers);
                x->covers = NULL;
                x->def = rules->windows[k];
                x->open = open;
                x->over_at = 0;
                kept = true;
            }
        if (!kept) {
            x->def = (struct fl_window){.name = "", .comment = ""};
            x->gone = true;
        }
    }
    for (size_t k = 0; k < rules->n_windows; k++) {
        char id[WINDOW_ID_LEN];
        snprintf(id, sizeof id, "rule:%s", rules->windows[k].name);
        HASH_FIND_STR(c->windows, id, x);
        if (x)
            continue;
        x = fl_core_alloc(1, sizeof *x);
        memcpy(x->id, id, sizeof id);
        x->def = rules->windows[k];
        x->created_by = fl_core_strdup("rules");
        HASH_ADD_STR(c->windows, id, x);
    }
    c->windows_moved = c->windows != NULL || c->window_due;
}

/* ---- what people ask ---- */

static size_t count_current(const struct fl_corr *c)
{
    size_t n = 0;
    for (const struct window *x = c->windows; x; x = x->hh.next)
        n += !x->over_at;
    return n;
}

static fl_status check_components(const struct fl_window *w, struct fl_topo *topo, struct fl_err *err)
{
    for (size_t k = 0; k < w->n_components; k++)
        if (fl_topo_find(topo, w->components[k]) < 0) {
            fl_fail(err, FL_E_SHAPE, "components", "the topology has no component \"%.200s\"",
                    w->components[k]);
            fl_hint(err, "faultline topology export lists them");
            return FL_E_SHAPE;
        }
    return FL_OK;
}

fl_status fl_corr_maintenance_add(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo,
                                  const struct fl_json *v, char ret[FL_ID_LEN], struct fl_err *err)
{
    struct fl_arena *arena = fl_arena_new(0);
    FL_REQUIRE(arena != NULL);
    struct fl_window w;
    fl_status st = fl_window_parse(arena, v, s->at, &w, err);
    if (st == FL_OK && (st = check_components(&w, topo, err)) == FL_OK && count_current(c) >= FL_WINDOWS_MAX)
        st = fl_fail(err, FL_E_LIMIT, "window", "there are %u windows already, which is the limit",
                     FL_WINDOWS_MAX);
    if (st != FL_OK) {
        fl_arena_free(arena);
        return st;
    }
    struct window *x = fl_core_alloc(1, sizeof *x);
    x->arena = arena;
    x->def = w;
    x->created_by = fl_core_strdup(s->actor);
    snprintf(x->id, sizeof x->id, "MNT-%06llu", (unsigned long long)++c->window_number);
    HASH_ADD_STR(c->windows, id, x);
    fl_usec until = 0;
    x->open = is_open(x, s->at, &until);
    size_t n = look_again(c, s->at, topo, x);
    char t[FL_TIME_LEN];
    fl_usec next = fl_window_next(&w, s->at);
    x->told = true;
    say(s, x, "maintenance.added", s->actor,
        fl_fx_printf(s->fx, "%s %s: it hides %zu alert%s now", x->open ? "open until" : "first opens at",
                     next ? fl_time_format_ms(next, t) : "it is ended", n, n == 1 ? "" : "s"));
    set_due(c, s->at);
    snprintf(ret, FL_ID_LEN, "%.*s", FL_ID_LEN - 1, x->id);
    return FL_OK;
}

fl_status fl_corr_maintenance_end(struct fl_corr *c, struct fl_step *s, struct fl_topo *topo, const char *id,
                                  struct fl_err *err)
{
    struct window *x = NULL;
    if (id && *id)
        HASH_FIND_STR(c->windows, id, x);
    if (!x) {
        fl_fail(err, FL_E_NOTFOUND, "id", "there is no maintenance window \"%.60s\"", id ? id : "");
        fl_hint(err, "faultline maintenance list");
        return FL_E_NOTFOUND;
    }
    if (!x->arena)
        return fl_fail(err, FL_E_CONFLICT, "id", "%s comes from the rules: take it out there and reload",
                       x->id);
    if (x->over_at)
        return FL_OK;
    x->over_at = s->at;
    x->open = false;
    look_again(c, s->at, topo, NULL);
    say(s, x, "maintenance.ended", s->actor, fl_fx_printf(s->fx, "ended by %.200s", s->actor));
    set_due(c, s->at);
    return FL_OK;
}

/* ---- snapshot ---- */

void windows_write(const struct fl_corr *c, struct fl_jw *w)
{
    fl_jw_int(w, "window_number", (int64_t)c->window_number);
    fl_jw_int(w, "window_due", c->window_due);
    fl_jw_arr(w, "windows");
    for (const struct window *x = c->windows; x; x = x->hh.next) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "id", x->id);
        fl_jw_str(w, "by", x->created_by);
        fl_jw_int(w, "over", x->over_at);
        fl_jw_bool(w, "open", x->open);
        if (x->arena)
            fl_window_json(w, "window", &x->def);
        remind_write(w, &x->remind);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

fl_status windows_read(struct fl_corr *c, const struct fl_json *v, const struct fl_rules *rules,
                       struct fl_err *err)
{
    const struct fl_json *list = fl_json_get(v, "windows");
    c->window_number = (uint64_t)fl_json_int(v, "window_number", 0);
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *item = fl_json_at(list, k), *def = fl_json_get(item, "window");
        struct window *x = fl_core_alloc(1, sizeof *x);
        snprintf(x->id, sizeof x->id, "%s", fl_json_str(item, "id", ""));
        fl_status st = FL_OK;
        if (def) {
            x->arena = fl_arena_new(0);
            FL_REQUIRE(x->arena != NULL);
            st = fl_window_parse(x->arena, def, 0, &x->def, err);
        }
        if (st != FL_OK || (!def && strncmp(x->id, "rule:", 5) != 0)) {
            window_free(x);
            fl_err_clear(err);
            return fl_fail(err, FL_E_CORRUPT, "windows", "the snapshot's window %zu does not hold", k);
        }
        x->created_by = fl_core_strdup(fl_json_str(item, "by", ""));
        x->over_at = fl_json_int(item, "over", 0);
        x->open = fl_json_bool(item, "open", false);
        x->told = true;
        remind_read(&x->remind, fl_json_get(item, "remind"));
        HASH_ADD_STR(c->windows, id, x);
    }
    for (struct window *x = c->windows; x; x = x->hh.next)
        for (size_t i = 0; !x->arena && i < rules->n_windows; i++)
            if (strcmp(x->id + strlen("rule:"), rules->windows[i].name) == 0)
                x->def = rules->windows[i];
    c->window_due = fl_json_int(v, "window_due", 0);
    /* A snapshot of before does not say: the next event finds out when the first of them is due. */
    c->windows_moved = c->windows != NULL && !fl_json_get(v, "window_due");
    return FL_OK;
}
