/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/flow/models.c -- the ranking models of a realm: which there are, which one ranks, which ranks beside it, and
 * what to go back to. A model comes in by an event and leaves by no other way, so the journal says what ranked what;
 * the shipped one is the program's own. */
#include "flow_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MODELS_MAX = 32,             /* kept at hand; the oldest that nothing refers to makes room */
    MODEL_TEXT_MAX = 256 * 1024, /* bytes of one */
    BACK_MAX = 8,                /* steps that rollback can take */
};

struct item {
    const struct fl_model *m;
    struct fl_model *own; /* NULL: the program's or the caller's */
    const char *origin;   /* static */
    char *text, *by;      /* text: canonical */
    fl_usec at;
    bool told; /* its row is written */
};
/* A step of the way back. The document of one that came with a snapshot may be of an older program: then only its name is left. */
struct step_back {
    struct item *i; /* NULL: it cannot rank any more */
    char id[MODEL_ID_LEN];
};
struct flow_models {
    struct item *v[MODELS_MAX + 2]; /* in order of arrival */
    size_t n;
    struct item *live, *shadow;
    struct step_back back[BACK_MAX]; /* what was live before, last one last */
    size_t n_back;
    char configured[MODEL_ID_LEN]; /* what the last configuration named */
    bool pinned, changed;          /* changed: what is in force has to be told */
    char *why;                     /* of the change; NULL: the start */
};

static const char SHIPPED[] = "shipped", FIRST_DAY[] = "first day", CONFIGURED[] = "configuration",
                  UPLOADED[] = "uploaded";
static const char *const origins[] = {SHIPPED, FIRST_DAY, CONFIGURED, UPLOADED};

static struct item *add(struct flow_models *k, const struct fl_model *m, struct fl_model *own,
                        const char *origin, const char *by, fl_usec at)
{
    FL_REQUIRE(k->n < FL_ARRAY_LEN(k->v));
    struct item *i = fl_core_alloc(1, sizeof *i);
    FL_AUTO_JSON root = fl_json_parse(fl_model_json(m), strlen(fl_model_json(m)), NULL);
    *i = (struct item){.m = m,
                       .own = own,
                       .origin = origin,
                       .text = root ? fl_json_text(root, true) : NULL,
                       .by = fl_core_strdup(by),
                       .at = at};
    FL_REQUIRE(i->text != NULL);
    return k->v[k->n++] = i;
}

static void item_free(struct item *i)
{
    fl_model_free(i->own);
    free(i->text);
    free(i->by);
    free(i);
}

static struct item *find(const struct flow_models *k, const char *id)
{
    for (size_t i = 0; id && i < k->n; i++)
        if (fl_streq(fl_model_id(k->v[i]->m), id))
            return k->v[i];
    return NULL;
}

static bool in_use(const struct flow_models *k, const struct item *i)
{
    for (size_t b = 0; b < k->n_back; b++)
        if (k->back[b].i == i)
            return true;
    return i == k->live || i == k->shadow || !i->own;
}

/* At least one goes: in use are at most the live one, the shadow and BACK_MAX others. */
static void make_room(struct flow_models *k)
{
    for (size_t i = 0; i < k->n && k->n >= MODELS_MAX; i++)
        if (!in_use(k, k->v[i])) {
            item_free(k->v[i]);
            memmove(&k->v[i], &k->v[i + 1], (k->n - i - 1) * sizeof *k->v);
            k->n--;
            i--;
        }
}

static void set_in_force(struct fl_flow *f, const char *why)
{
    struct flow_models *k = f->models;
    if (!k->pinned)
        f->model = k->live->m;
    f->shadow = k->shadow ? k->shadow->m : NULL;
    k->changed = true;
    free(k->why);
    k->why = fl_core_strdup(why);
}

void flow_models_new(struct fl_flow *f, const struct fl_model *given, bool pinned)
{
    struct flow_models *k = f->models = fl_core_alloc(1, sizeof *k);
    k->live = add(k, fl_model_default(), NULL, SHIPPED, "", 0);
    add(k, fl_model_first_day(), NULL, FIRST_DAY, "", 0);
    if (given && given != fl_model_default() && !pinned)
        k->live = add(k, given, NULL, CONFIGURED, "", 0);
    k->pinned = pinned && given;
    set_in_force(f, NULL);
    if (k->pinned)
        f->model = given;
}

void flow_models_free(struct fl_flow *f)
{
    struct flow_models *k = f->models;
    if (!k)
        return;
    for (size_t i = 0; i < k->n; i++)
        item_free(k->v[i]);
    free(k->why);
    free(k);
    f->models = NULL;
}

/* ---- what changes ---- */

static void push_back(struct flow_models *k, struct item *i)
{
    if (k->n_back == BACK_MAX)
        memmove(k->back, k->back + 1, --k->n_back * sizeof *k->back);
    k->back[k->n_back].i = i;
    snprintf(k->back[k->n_back++].id, MODEL_ID_LEN, "%s", fl_model_id(i->m));
}

/* What is open is ranked anew under it; s is NULL while a snapshot is read, whose rankings are its own. */
static void go_live(struct fl_flow *f, struct fl_step *s, struct item *i, const char *why)
{
    struct flow_models *k = f->models;
    const struct fl_model *was = f->model;
    k->live = i;
    if (k->shadow == i)
        k->shadow = NULL; /* a model is no trial of itself */
    set_in_force(f, why);
    if (s && f->model != was)
        flow_rank_open(f, s);
}

static void say(struct fl_step *s, const char *action, const struct item *i, const char *before,
                const char *text)
{
    const char *id = fl_model_id(i->m);
    flow_audit(s, action, id, s->actor, text,
               before ? fl_fx_printf(s->fx, "{\"model\":\"%s\",\"before\":\"%s\"}", id, before)
                      : fl_fx_printf(s->fx, "{\"model\":\"%s\"}", id));
}

void flow_models_config(struct fl_flow *f, struct fl_step *s, struct fl_model *m)
{
    struct flow_models *k = f->models;
    bool same = fl_streq(k->configured, fl_model_id(m));
    struct item *i = find(k, fl_model_id(m));
    snprintf(k->configured, sizeof k->configured, "%s", fl_model_id(m));
    if (same || (i && i == k->live)) { /* what a person put in force since then stays */
        fl_model_free(m);
        return;
    }
    if (!i) {
        make_room(k);
        i = add(k, m, m, CONFIGURED, s ? s->actor : "", s ? s->at : 0);
    } else {
        fl_model_free(m);
    }
    const char *before = fl_model_id(k->live->m);
    push_back(k, k->live);
    go_live(f, s, i, "the configuration names it");
    if (s)
        say(s, "model.activated", i, before,
            fl_fx_printf(s->fx, "the configuration names model %s: it ranks from now on, instead of %s",
                         fl_model_id(i->m), before));
}

fl_status flow_model_add(struct fl_flow *f, struct fl_step *s, const struct fl_json *model,
                         char ret[MODEL_ID_LEN], struct fl_err *err)
{
    struct flow_models *k = f->models;
    struct fl_model *m = NULL;
    if (!fl_json_is_object(model))
        return fl_fail(err, FL_E_SHAPE, "model",
                       "a model is a JSON object, as `faultline model train` writes it");
    FL_AUTO_FREE char *text = fl_json_text(model, true);
    FL_REQUIRE(text != NULL);
    if (strlen(text) > MODEL_TEXT_MAX)
        return fl_fail(err, FL_E_LIMIT, "model", "it has %zu bytes, at most %d are allowed", strlen(text),
                       MODEL_TEXT_MAX);
    fl_status st = fl_model_parse(text, strlen(text), &m, err);
    if (st != FL_OK)
        return st;
    snprintf(ret, MODEL_ID_LEN, "%s", fl_model_id(m));
    if (find(k, ret)) { /* known already: nothing to do, and that is what was asked for */
        fl_model_free(m);
        return FL_OK;
    }
    make_room(k);
    struct item *i = add(k, m, m, UPLOADED, s->actor, s->at);
    say(s, "model.added", i, NULL, fl_fx_printf(s->fx, "model %s added; it ranks nothing yet", ret));
    return FL_OK;
}

static fl_status usable(struct flow_models *k, const char *id, struct item **ret, struct fl_err *err)
{
    struct item *i = find(k, id);
    if (!i) {
        fl_fail(err, FL_E_NOTFOUND, "model", "there is no model \"%.40s\" at hand", id);
        fl_hint(
            err,
            "faultline model list; one that is too old: faultline model show ID --text >FILE, then add it");
        return FL_E_NOTFOUND;
    }
    if (i->origin == FIRST_DAY)
        return fl_fail(err, FL_E_CONFLICT, "model",
                       "first-day stands in for the shipped model by itself, until there is a history");
    *ret = i;
    return FL_OK;
}

static const char *because(struct fl_step *s, const char *why)
{
    return why && *why ? fl_fx_printf(s->fx, ": %.500s", why) : "";
}

fl_status flow_model_activate(struct fl_flow *f, struct fl_step *s, const char *id, const char *why,
                              struct fl_err *err)
{
    struct flow_models *k = f->models;
    struct item *i = NULL;
    fl_status st = usable(k, id, &i, err);
    if (st != FL_OK)
        return st;
    if (i == k->live)
        return fl_fail(err, FL_E_CONFLICT, "model", "%s ranks already", fl_model_id(i->m));
    const char *before = fl_model_id(k->live->m);
    push_back(k, k->live);
    go_live(f, s, i, fl_fx_printf(s->fx, "activated%s", because(s, why)));
    say(s, "model.activated", i, before,
        fl_fx_printf(s->fx, "model %s ranks from now on, instead of %s%s", id, before, because(s, why)));
    return FL_OK;
}

fl_status flow_model_shadow(struct fl_flow *f, struct fl_step *s, const char *id, bool off, const char *why,
                            struct fl_err *err)
{
    struct flow_models *k = f->models;
    struct item *i = NULL;
    fl_status st = usable(k, id, &i, err);
    if (st != FL_OK)
        return st;
    if (off ? k->shadow != i : k->shadow == i || k->live == i)
        return fl_fail(err, FL_E_CONFLICT, "model", "%s %s", fl_model_id(i->m),
                       off            ? "does not rank beside the live model"
                       : k->live == i ? "is the live model: nothing to compare"
                                      : "does so already");
    k->shadow = off ? NULL : i;
    set_in_force(f, fl_fx_printf(s->fx, "%s%s", off ? "shadow ended" : "shadow", because(s, why)));
    say(s, off ? "model.shadow_ended" : "model.shadow", i, NULL,
        fl_fx_printf(s->fx, "model %s %s%s", id,
                     off ? "no longer ranks beside the live one"
                         : "ranks beside the live one from now on; it decides nothing",
                     because(s, why)));
    return FL_OK;
}

fl_status flow_model_rollback(struct fl_flow *f, struct fl_step *s, const char *why, struct fl_err *err)
{
    struct flow_models *k = f->models;
    if (!k->n_back) {
        fl_fail(err, FL_E_CONFLICT, "model", "no model was live before %s: there is nothing to go back to",
                fl_model_id(k->live->m));
        fl_hint(err, "faultline model activate ID");
        return FL_E_CONFLICT;
    }
    const char *before = fl_model_id(k->live->m);
    const struct step_back *to = &k->back[k->n_back - 1];
    if (!to->i) {
        fl_fail(
            err, FL_E_CONFLICT, "model",
            "model %s was live before %s, but this program cannot rank with it: its document is missing or of "
            "another version",
            to->id, before);
        for (size_t b = k->n_back - 1; b--;)
            if (k->back[b].i && k->back[b].i != k->live)
                fl_hint(err, "the one before it: faultline model activate %s", k->back[b].id);
        fl_hint(err, "faultline model list, then faultline model activate ID");
        return FL_E_CONFLICT;
    }
    struct item *i = k->back[--k->n_back].i;
    go_live(f, s, i, fl_fx_printf(s->fx, "rolled back%s", because(s, why)));
    say(s, "model.rolled_back", i, before,
        fl_fx_printf(s->fx, "back to model %s, from %s%s", fl_model_id(i->m), before, because(s, why)));
    return FL_OK;
}

/* ---- rows ---- */

void flow_models_started(struct fl_flow *f)
{
    f->models->changed = true;
}

static void model_row(struct fl_step *s, const struct item *i)
{
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_MODEL);
    FL_AUTO_JSON root = fl_json_parse(i->text, strlen(i->text), NULL);
    fx->model = (struct fl_model_row){.id = fl_fx_str(s->fx, fl_model_id(i->m)),
                                      .origin = i->origin,
                                      .note = fl_fx_printf(s->fx, "%.2000s", fl_json_str(root, "note", "")),
                                      .text = fl_fx_str(s->fx, i->text),
                                      .added_at = i->at ? i->at : s->at,
                                      .added_by = fl_fx_str(s->fx, i->by)};
    fl_sha256(i->text, strlen(i->text), &fx->model.hash);
}

void flow_models_flush(struct fl_flow *f, struct fl_step *s)
{
    struct flow_models *k = f->models;
    for (size_t i = 0; i < k->n; i++)
        if (!k->v[i]->told) {
            model_row(s, k->v[i]);
            k->v[i]->told = true;
        }
    if (!k->changed)
        return;
    struct fl_fx *fx = fl_fx_add(s->fx, FL_FX_MODEL_USE);
    fx->model_use = (struct fl_model_use_row){
        .event_seq = s->seq,
        .at = s->at,
        .live = fl_fx_str(s->fx, fl_model_id(f->model)),
        .shadow = fl_fx_str(s->fx, f->shadow ? fl_model_id(f->shadow) : ""),
        .actor = fl_fx_str(s->fx, k->why && s->actor && *s->actor ? s->actor : "engine"),
        .reason = fl_fx_str(s->fx, k->why ? k->why : "in force at the start")};
    k->changed = false;
    free(k->why);
    k->why = NULL;
}

/* ---- snapshot ---- */

void flow_models_write(const struct fl_flow *f, struct fl_jw *w, const char *key)
{
    const struct flow_models *k = f->models;
    fl_jw_obj(w, key);
    fl_jw_arr(w, "known");
    for (size_t i = 0; i < k->n; i++) {
        const struct item *m = k->v[i];
        fl_jw_obj(w, NULL);
        fl_jw_str(w, "id", fl_model_id(m->m));
        fl_jw_str(w, "origin", m->origin);
        fl_jw_bool(w, "told", m->told);
        if (m->own) {
            fl_jw_str(w, "by", m->by);
            fl_jw_int(w, "at", m->at);
            fl_jw_str(w, "text", m->text);
        }
        fl_jw_obj_end(w);
    }
    fl_jw_arr_end(w);
    fl_jw_str(w, "live", fl_model_id(k->live->m));
    fl_jw_str(w, "shadow", k->shadow ? fl_model_id(k->shadow->m) : NULL);
    fl_jw_arr(w, "back");
    for (size_t i = 0; i < k->n_back; i++)
        fl_jw_str(w, NULL, k->back[i].id);
    fl_jw_arr_end(w);
    fl_jw_str(w, "configured", k->configured);
    fl_jw_obj_end(w);
}

/* The one that was the shipped model, under whatever id, is the one that is now. */
static struct item *named(const struct flow_models *k, const char *id, const char *was_shipped)
{
    return id && was_shipped && fl_streq(id, was_shipped) ? k->v[0] : find(k, id);
}

static fl_status read_item(struct flow_models *k, const struct fl_json *v, struct fl_err *err)
{
    const char *text = fl_json_str(v, "text", ""), *origin = fl_json_str(v, "origin", "");
    struct fl_model *m = NULL;
    struct item *i = find(k, fl_json_str(v, "id", ""));
    if (!i && *text) {
        fl_status st = k->n < FL_ARRAY_LEN(k->v)
                           ? fl_model_parse(text, strlen(text), &m, err)
                           : fl_fail(err, FL_E_CORRUPT, "models", "more than %zu models", FL_ARRAY_LEN(k->v));
        if (st == FL_E_SHAPE) /* an older program knew features that are gone: it cannot rank any more */
            return FL_OK;
        if (st != FL_OK)
            return st;
        size_t o = 0;
        while (o + 1 < FL_ARRAY_LEN(origins) && strcmp(origins[o], origin) != 0)
            o++;
        i = add(k, m, m, origins[o], fl_json_str(v, "by", ""), fl_json_int(v, "at", 0));
    }
    if (i)
        i->told = fl_json_bool(v, "told", false);
    return FL_OK;
}

fl_status flow_models_read(struct fl_flow *f, const struct fl_json *v, struct fl_err *err)
{
    struct flow_models *k = f->models;
    const struct fl_json *known = fl_json_get(v, "known"), *back = fl_json_get(v, "back");
    const char *was_shipped = NULL;
    while (k->n > 2) /* what the configuration of the snapshot brought: it comes again, in its place */
        item_free(k->v[--k->n]);
    k->live = k->v[0];
    k->n_back = 0;
    for (size_t i = 0; i < fl_json_len(known); i++) {
        const struct fl_json *m = fl_json_at(known, i);
        if (fl_streq(fl_json_str(m, "origin", ""), SHIPPED))
            was_shipped = fl_json_str(m, "id", NULL);
        fl_status st = read_item(k, m, err);
        if (st != FL_OK)
            return st;
    }
    const char *live_id = fl_json_str(v, "live", NULL);
    struct item *live = named(k, live_id, was_shipped);
    k->live = live ? live : k->v[0];
    k->shadow = named(k, fl_json_str(v, "shadow", NULL), was_shipped);
    for (size_t i = 0; i < fl_json_len(back) && k->n_back < BACK_MAX; i++) {
        const char *id = fl_json_string(fl_json_at(back, i));
        struct step_back *to = &k->back[k->n_back++];
        to->i = named(k, id, was_shipped);
        snprintf(to->id, sizeof to->id, "%s", to->i ? fl_model_id(to->i->m) : id ? id : "?");
    }
    snprintf(k->configured, sizeof k->configured, "%s", fl_json_str(v, "configured", ""));
    if (live || !live_id) {
        set_in_force(f, NULL);
    } else { /* told with the row that engine.started writes */
        char why[200];
        snprintf(why, sizeof why,
                 "model %.40s was live, but this program cannot rank with it: the shipped one ranks",
                 live_id);
        set_in_force(f, why);
    }
    k->changed = false; /* told before the snapshot; engine.started says it again */
    return FL_OK;
}
