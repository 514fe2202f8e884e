/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/silence.c -- silences as Alertmanager has them: their life, and which alerts they hide. */
#include "correlate_priv.h"

#include <faultline/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum silence_state { SIL_PENDING, SIL_ACTIVE, SIL_EXPIRED };

struct silence {
    struct fl_arena *arena; /* owns what pub points to; matchers are compiled */
    struct fl_silence pub;
    char id[FL_SILENCE_ID_LEN];
    enum silence_state state;
    struct remind remind;
    UT_hash_handle hh;
};

static void silence_free(struct silence *x)
{
    fl_silence_done(&x->pub);
    fl_arena_free(x->arena);
    remind_done(&x->remind);
    free(x);
}

void silences_free(struct fl_corr *c)
{
    struct silence *x, *tmp;
    HASH_ITER (hh, c->silences, x, tmp) {
        HASH_DEL(c->silences, x);
        silence_free(x);
    }
}

static void set_due(struct fl_corr *c)
{
    c->silence_due = 0;
    for (const struct silence *x = c->silences; x; x = x->hh.next) {
        fl_usec due = x->state == SIL_PENDING  ? x->pub.starts_at
                      : x->state == SIL_ACTIVE ? x->pub.ends_at
                                               : 0;
        if (due && (!c->silence_due || due < c->silence_due))
            c->silence_due = due;
    }
}

static void silence_row(struct fl_step *s, const struct silence *x)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_silence_matchers_json(&w, NULL, &x->pub);
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_SILENCE);
    fx->silence = (struct fl_silence_row){.id = fl_fx_str(s->fx, x->id),
                                          .created_by = fl_fx_str(s->fx, x->pub.created_by),
                                          .comment = fl_fx_str(s->fx, x->pub.comment),
                                          .matchers = fl_fx_str(s->fx, b.p),
                                          .starts_at = x->pub.starts_at,
                                          .ends_at = x->pub.ends_at,
                                          .updated_at = x->pub.updated_at,
                                          .reminders = x->remind.times,
                                          .reminded_at = x->remind.told_at,
                                          .reminder = fl_fx_str(s->fx, x->remind.text)};
}

/* ---- which episodes a silence is about ---- */

static bool lists(const char *ids, const char *id)
{
    return ids && strstr(ids, id) != NULL;
}

/* By the step's time, not by the state: an alert may come in the same step in which a silence begins or ends. */
static bool hides(const struct silence *x, const struct fl_step *s, const struct episode *e)
{
    return x->pub.starts_at <= s->at && s->at < x->pub.ends_at &&
           fl_match_all(x->pub.m, x->pub.n, &e->alert->labels);
}

/* After a change of x; edited: what people read of it, too. @return how many alerts it hides now. */
static size_t look_again(struct fl_corr *c, const struct fl_step *s, const struct silence *x, bool edited)
{
    size_t n = 0;
    for (struct episode *e = order_first(c); e; e = order_later(e)) {
        if (!is_live(e))
            continue;
        bool now = hides(x, s, e);
        n += now;
        if (now != lists(e->silenced_by, x->id) || (now && edited))
            settle_later(c, e);
    }
    return n;
}

/* ---- what hides one episode ---- */

char *silence_ids(struct fl_corr *c, struct fl_step *s, const struct episode *e, const char **ret_text)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    char until[FL_TIME_LEN];
    size_t n = 0;
    for (const struct silence *x = c->silences; x && n < SILENCES_SHOWN; x = x->hh.next)
        if (x->state != SIL_EXPIRED && hides(x, s, e)) {
            if (!n++)
                *ret_text = fl_fx_printf(s->fx, "silenced by %s (\"%.200s\", %.100s) until %s", x->id,
                                         x->pub.comment, x->pub.created_by,
                                         fl_time_format_ms(x->pub.ends_at, until));
            else
                fl_buf_chr(&b, ',');
            fl_buf_str(&b, x->id);
        }
    return n ? fl_buf_take(&b, NULL) : NULL;
}

/* ---- time ---- */

static void forget_old(struct fl_corr *c, const struct fl_step *s)
{
    for (struct silence *x = c->silences, *next; x; x = next) {
        next = x->hh.next;
        if (x->state == SIL_EXPIRED &&
            (x->pub.ends_at + SILENCE_KEEP_HOURS * 3600 * FL_USEC_PER_SEC <= s->at ||
             HASH_COUNT(c->silences) > 2 * SILENCES_MAX)) {
            HASH_DEL(c->silences, x);
            silence_free(x);
        }
    }
}

static void audit(struct fl_step *s, const struct silence *x, const char *action, const char *actor,
                  const char *text)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    struct fl_jw w = fl_jw_init(&b);
    fl_jw_obj(&w, NULL);
    fl_silence_matchers_json(&w, "matchers", &x->pub);
    fl_jw_time(&w, "startsAt", x->pub.starts_at);
    fl_jw_time(&w, "endsAt", x->pub.ends_at);
    fl_jw_str(&w, "createdBy", x->pub.created_by);
    fl_jw_str(&w, "comment", x->pub.comment);
    fl_jw_obj_end(&w);
    s->note(s, &(struct fl_note){.to = FL_NOTE_AUDIT,
                                 .action = action,
                                 .incident = "",
                                 .subject = x->id,
                                 .actor = actor,
                                 .text = text,
                                 .detail = b.p});
}

void silences_on_time(struct fl_corr *c, struct fl_step *s)
{
    if (!c->silence_due || c->silence_due > s->at)
        return;
    for (struct silence *x = c->silences; x; x = x->hh.next) {
        if (x->state == SIL_PENDING && x->pub.starts_at <= s->at) {
            x->state = SIL_ACTIVE;
            size_t n = look_again(c, s, x, false);
            audit(s, x, "silence.started", NULL,
                  fl_fx_printf(s->fx, "its time has come: it hides %zu alert%s", n, n == 1 ? "" : "s"));
        }
        if (x->state == SIL_ACTIVE && x->pub.ends_at <= s->at) {
            x->state = SIL_EXPIRED;
            look_again(c, s, x, false);
            audit(s, x, "silence.ended", NULL, "its time is over");
        }
    }
    forget_old(c, s);
    set_due(c);
}

/* ---- reminders ---- */

struct remind *silence_remind(const struct fl_corr *c, const char *id, size_t n)
{
    struct silence *x = NULL;
    if (c->silences)
        HASH_FIND(hh, c->silences, id, n, x);
    return x ? &x->remind : NULL;
}

static bool listed(const char *id, const struct episode *e)
{
    return lists(e->silenced_by, id);
}

void silences_remind(struct fl_corr *c, struct fl_step *s)
{
    for (struct silence *x = c->silences; x; x = x->hh.next) {
        const struct remind_about v = {.kind = REMIND_SILENCE,
                                       .what = "silence",
                                       .action = "silence.reminder",
                                       .id = x->id,
                                       .by = x->pub.created_by,
                                       .comment = x->pub.comment,
                                       .starts_at = x->pub.starts_at,
                                       .ends_at = x->pub.ends_at,
                                       .in_force = x->state == SIL_ACTIVE,
                                       .hides = listed};
        if (remind_look(c, s, &x->remind, &v))
            silence_row(s, x);
    }
}

void silences_remind_again(struct fl_corr *c)
{
    for (struct silence *x = c->silences; x; x = x->hh.next)
        remind_again(c, &x->remind);
}

/* ---- what people ask ---- */

/* The same event always makes the same id, so that a replay names the silences of the record. */
static void make_id(const struct fl_step *s, char *out)
{
    FL_AUTO_BUF b = fl_buf_init(0);
    fl_buf_printf(&b, "silence\n%s\n%llu", s->fx->realm ? s->fx->realm : "", (unsigned long long)s->seq);
    struct fl_sha256 h;
    char hex[33];
    fl_sha256(b.p, b.n, &h);
    h.b[6] = (uint8_t)((h.b[6] & 0x0f) | 0x40);
    h.b[8] = (uint8_t)((h.b[8] & 0x3f) | 0x80);
    fl_hex(h.b, 16, hex);
    snprintf(out, FL_SILENCE_ID_LEN, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static struct silence *find(struct fl_corr *c, const char *id)
{
    struct silence *x = NULL;
    if (id && *id)
        HASH_FIND_STR(c->silences, id, x);
    return x;
}

static fl_status unknown(struct fl_err *err)
{
    return fl_fail(err, FL_E_NOTFOUND, "id", "silence not found");
}

static void expire(struct fl_corr *c, struct fl_step *s, struct silence *x, const char *why)
{
    if (x->pub.starts_at > s->at)
        x->pub.starts_at = s->at;
    x->pub.ends_at = x->pub.updated_at = s->at;
    x->state = SIL_EXPIRED;
    look_again(c, s, x, false);
    silence_row(s, x);
    audit(s, x, "silence.expired", s->actor, why);
    set_due(c);
}

/* May x become `want` and stay the same silence? Alertmanager's rule. */
static bool can_update(const struct silence *x, const struct fl_silence *want, const struct fl_step *s)
{
    if (x->state == SIL_EXPIRED || !fl_silence_same_matchers(&x->pub, want))
        return false;
    if (x->state == SIL_ACTIVE)
        return x->pub.starts_at / FL_USEC_PER_SEC == want->starts_at / FL_USEC_PER_SEC;
    return want->starts_at >= s->at;
}

/* Takes the arena; the strings of `want` live in it. */
static void take(struct fl_corr *c, struct fl_step *s, struct silence *x, struct fl_arena *arena,
                 const struct fl_silence *want)
{
    fl_usec starts = x->arena && x->state == SIL_ACTIVE ? x->pub.starts_at : want->starts_at;
    if (x->arena) {
        fl_silence_done(&x->pub);
        fl_arena_free(x->arena);
    }
    x->arena = arena;
    x->pub = *want;
    x->pub.id = x->id;
    x->pub.starts_at = starts;
    x->pub.updated_at = s->at;
    x->state = starts <= s->at ? SIL_ACTIVE : SIL_PENDING;
    remind_again(c, &x->remind);
    silence_row(s, x);
    set_due(c);
}

static size_t count_current(const struct fl_corr *c)
{
    size_t n = 0;
    for (const struct silence *x = c->silences; x; x = x->hh.next)
        n += x->state != SIL_EXPIRED;
    return n;
}

static void said(struct fl_corr *c, struct fl_step *s, struct silence *x, const char *action)
{
    size_t n = look_again(c, s, x, true);
    FL_AUTO_BUF m = fl_buf_init(2000);
    fl_silence_text(&x->pub, &m);
    audit(s, x, action, s->actor,
          fl_fx_printf(s->fx, "%.1000s by %.100s: \"%.300s\"; it hides %zu alert%s now", m.p ? m.p : "",
                       x->pub.created_by, x->pub.comment, n, n == 1 ? "" : "s"));
}

fl_status fl_corr_silence_set(struct fl_corr *c, struct fl_step *s, const struct fl_json *v,
                              char ret[FL_SILENCE_ID_LEN], struct fl_err *err)
{
    struct fl_silence want;
    struct fl_arena *arena = fl_arena_new(0);
    FL_REQUIRE(arena != NULL);
    fl_status st = fl_silence_parse(arena, v, s->at, &want, NULL, err);
    struct silence *x = st == FL_OK ? find(c, want.id) : NULL;
    if (st == FL_OK && *want.id && !x)
        st = unknown(err);
    bool update = x && can_update(x, &want, s);
    if (st == FL_OK && !update && count_current(c) >= SILENCES_MAX)
        st = fl_fail(err, FL_E_LIMIT, NULL,
                     "silence invalid: there are %d silences already, which is the limit", SILENCES_MAX);
    if (st != FL_OK) {
        fl_silence_done(&want);
        fl_arena_free(arena);
        return st;
    }
    if (!update) {
        if (x && x->state != SIL_EXPIRED)
            expire(c, s, x, "replaced by a new one: matchers or start of a silence cannot change");
        if (want.starts_at < s->at)
            want.starts_at = s->at;
        x = fl_core_alloc(1, sizeof *x);
        make_id(s, x->id);
        HASH_ADD_STR(c->silences, id, x);
    }
    take(c, s, x, arena, &want);
    said(c, s, x, update ? "silence.updated" : "silence.created");
    memcpy(ret, x->id, FL_SILENCE_ID_LEN);
    return FL_OK;
}

fl_status fl_corr_silence_expire(struct fl_corr *c, struct fl_step *s, const char *id, struct fl_err *err)
{
    struct silence *x = find(c, id);
    if (!x)
        return unknown(err);
    if (x->state != SIL_EXPIRED)
        expire(c, s, x, fl_fx_printf(s->fx, "expired by %.200s", s->actor));
    return FL_OK;
}

/* ---- snapshot ---- */

void silences_write(const struct fl_corr *c, struct fl_jw *w)
{
    fl_jw_arr(w, "silences");
    for (const struct silence *x = c->silences; x; x = x->hh.next) {
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "id", x->id);
        fl_jw_int(w, "state", x->state);
        fl_jw_int(w, "updated", x->pub.updated_at);
        fl_jw_time(w, "startsAt", x->pub.starts_at);
        fl_jw_time(w, "endsAt", x->pub.ends_at);
        fl_jw_str(w, "createdBy", x->pub.created_by);
        fl_jw_str(w, "comment", x->pub.comment);
        fl_silence_matchers_json(w, "matchers", &x->pub);
        remind_write(w, &x->remind);
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
}

fl_status silences_read(struct fl_corr *c, const struct fl_json *list, struct fl_err *err)
{
    for (size_t k = 0; k < fl_json_len(list); k++) {
        const struct fl_json *v = fl_json_at(list, k);
        struct silence *x = fl_core_alloc(1, sizeof *x);
        x->arena = fl_arena_new(0);
        FL_REQUIRE(x->arena != NULL);
        fl_status st = fl_silence_parse(x->arena, v, 0, &x->pub, NULL, err);
        int64_t state = fl_json_int(v, "state", -1);
        if (st != FL_OK || !fl_silence_id_valid(x->pub.id) || state < SIL_PENDING || state > SIL_EXPIRED) {
            silence_free(x);
            fl_err_clear(err);
            return fl_fail(err, FL_E_CORRUPT, "silences", "the snapshot's silence %zu does not hold", k);
        }
        memcpy(x->id, x->pub.id, FL_SILENCE_ID_LEN);
        x->pub.id = x->id;
        x->state = (enum silence_state)state;
        x->pub.updated_at = fl_json_int(v, "updated", 0);
        remind_read(&x->remind, fl_json_get(v, "remind"));
        HASH_ADD_STR(c->silences, id, x);
    }
    set_due(c);
    return FL_OK;
}
