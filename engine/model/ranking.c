/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/model/ranking.c -- the one JSON form of a ranking; contract in <faultline/model.h>. */
#include <faultline/json.h>
#include <faultline/model.h>

/* Enough to see every difference a person could use; few enough that the bytes stay stable. */
enum { DECIMALS = 6 };

static void contribution(struct fl_jw *w, const struct fl_contribution *c)
{
    fl_jw_obj(w, NULL);
    fl_jw_str(w, "term", c->term);
    fl_jw_fixed(w, "value", c->value, DECIMALS);
    fl_jw_str(w, "text", c->text);
    fl_jw_arr(w, "alerts");
    for (size_t i = 0; i < c->n_alerts; i++) {
        char hex[17];
        fl_jw_str(w, NULL, fl_fingerprint_hex(c->alerts[i], hex));
    }
    fl_jw_arr_end(w);
    fl_jw_arr(w, "path");
    for (size_t i = 0; i < c->n_path; i++)
        fl_jw_str(w, NULL, c->path[i]);
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}

static void candidate(struct fl_jw *w, size_t rank, const struct fl_candidate *c)
{
    fl_jw_obj(w, NULL);
    fl_jw_int(w, "rank", (int64_t)rank);
    fl_jw_str(w, "node", c->node);
    fl_jw_str(w, "service", c->service);
    fl_jw_str(w, "type", c->type);
    fl_jw_fixed(w, "score", c->score, DECIMALS);
    fl_jw_fixed(w, "confidence", c->confidence, DECIMALS);
    fl_jw_arr(w, "contributions");
    for (size_t i = 0; i < c->n_contributions; i++)
        contribution(w, &c->contributions[i]);
    fl_jw_arr_end(w);
    fl_jw_str(w, "counterfactual", c->counterfactual);
    fl_jw_obj_end(w);
}

void fl_ranking_json(struct fl_jw *w, const char *key, const struct fl_ranking *r)
{
    fl_jw_obj(w, key);
    fl_jw_bool(w, "convincing", r->convincing);
    fl_jw_fixed(w, "confidence", r->confidence, DECIMALS);
    fl_jw_str(w, "model", r->model);
    fl_jw_str(w, "culprit_change", r->culprit_change);
    fl_jw_str(w, "culprit_text", r->culprit_text);
    fl_jw_arr(w, "candidates");
    for (size_t i = 0; i < r->n_candidates; i++)
        candidate(w, i + 1, &r->candidates[i]);
    fl_jw_arr_end(w);
    fl_jw_obj_end(w);
}
