/* SPDX-License-Identifier: GPL-3.0-or-later */
/* model.c -- weights: the built-in ones, reading, writing. A model names each feature; one that this build
 * does not know is refused, one that the model does not name weighs 0. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <faultline/json.h>

#include "rank_internal.h"

extern const char fl_model_default_json[];
extern const size_t fl_model_default_size;

static fl_status read_weights(struct fl_model *m, const struct fl_json *weights, struct fl_err *err)
{
    for (void *it = fl_json_first(weights); it; it = fl_json_next(weights, it)) {
        size_t j = 0;
        const char *names[FL_FEATURES_MAX];
        while (j < fl_feature_count() && strcmp(fl_feature_name(j), fl_json_key(it)) != 0) {
            names[j] = fl_feature_name(j);
            j++;
        }
        if (j == fl_feature_count()) {
            fl_status st = fl_fail(err, FL_E_SHAPE, "weights", "\"%.60s\" is no feature of this version",
                                   fl_json_key(it));
            const char *near = fl_nearest_word(fl_json_key(it), names, j);
            if (near)
                fl_hint(err, "did you mean \"%s\"?", near);
            return st;
        }
        m->weight[j] = fl_json_number(fl_json_value(it), NAN);
        if (!isfinite(m->weight[j]))
            return fl_fail(err, FL_E_SHAPE, "weights", "\"%.60s\" is not a number", fl_json_key(it));
    }
    return FL_OK;
}

static struct fl_model *model_new(void)
{
    struct fl_model *m = calloc(1, sizeof *m);
    if (m)
        m->weight = calloc(fl_feature_count(), sizeof *m->weight);
    if (!m || !m->weight) {
        free(m);
        return NULL;
    }
    m->scale = 1;
    return m;
}

fl_status fl_model_parse(const char *json, size_t n, struct fl_model **ret, struct fl_err *err)
{
    FL_AUTO_JSON root = fl_json_parse(json, n, err);
    FL_AUTO_FREE char *canonical = NULL;
    struct fl_sha256 hash;
    char hex[65];
    if (!root)
        return err && err->status ? err->status : FL_E_SYNTAX;
    const struct fl_json *weights = fl_json_get(root, "weights");
    if (!weights || !fl_json_is_object(weights))
        return fl_fail(err, FL_E_SHAPE, "weights", "a model needs an object of weights");
    struct fl_model *m = model_new();
    if (!m || !(m->json = strndup(json, n)))
        goto no_memory;
    canonical = fl_json_text(root, true); /* the same model is the same id, however it is laid out */
    if (!canonical)
        goto no_memory;
    fl_sha256(canonical, strlen(canonical), &hash);
    fl_sha256_hex(&hash, hex);
    if (asprintf(&m->id, "%.12s", hex) < 0)
        goto no_memory;
    m->scale = fl_json_real(root, "scale", 1);
    m->threshold = fl_json_real(root, "threshold", 0);
    fl_status st = FL_OK;
    if (!(m->scale > 0) || !isfinite(m->scale) || !isfinite(m->threshold))
        st = fl_fail(err, FL_E_SHAPE, "scale", "scale must be above 0 and threshold a number");
    if (!st)
        st = read_weights(m, weights, err);
    if (!st)
        st = fl_training_read(m, fl_json_get(root, "training"), err);
    if (st) {
        fl_model_free(m);
        return st;
    }
    *ret = m;
    return FL_OK;
no_memory:
    fl_model_free(m);
    return fl_fail(err, FL_E_NOMEM, NULL, "out of memory");
}

struct fl_model *fl_model_free(struct fl_model *m)
{
    if (!m || m->builtin)
        return NULL;
    free(m->id);
    free(m->weight);
    free(m->json);
    free(m->training);
    free(m);
    return NULL;
}

const struct fl_model *fl_model_default(void)
{
    static struct fl_model *builtin; /* made once, by the first caller on the core thread */
    struct fl_err err = {.status = FL_OK};
    if (!builtin) {
        fl_status st = fl_model_parse(fl_model_default_json, fl_model_default_size, &builtin, &err);
        FL_REQUIRE(st == FL_OK);
        builtin->builtin = true;
    }
    return builtin;
}

const char *fl_model_id(const struct fl_model *m)
{
    return m->id;
}

const char *fl_model_json(const struct fl_model *m)
{
    return m->json;
}

void fl_model_write(const struct fl_train_result *r, const char *note, double threshold, struct fl_buf *out)
{
    struct fl_jw w = fl_jw_init(out);
    fl_jw_obj(&w, NULL);
    fl_jw_str(&w, "note", note);
    fl_jw_fixed(&w, "scale", r->scale, 6);
    fl_jw_fixed(&w, "threshold", threshold, 6);
    fl_jw_obj(&w, "weights");
    for (size_t j = 0; j < fl_feature_count(); j++) {
        fl_buf_chr(out, '\n');
        fl_jw_fixed(&w, fl_feature_name(j), r->weight[j], 9);
    }
    fl_jw_obj_end(&w);
    fl_training_write(r, &w);
    fl_jw_obj_end(&w);
    fl_buf_chr(out, '\n');
}

struct fl_model *fl_model_from(const struct fl_train_result *r)
{
    struct fl_model *m = model_new();
    if (!m)
        return NULL;
    memcpy(m->weight, r->weight, fl_feature_count() * sizeof *m->weight);
    m->scale = r->scale;
    m->id = strdup("trained");
    return m;
}
