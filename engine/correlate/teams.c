/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/teams.c -- what came of whose alerts, for the noise figures. Counted when it happens, never taken back. */
#include "correlate_priv.h"

#include <faultline/json.h>
#include <stdio.h>
#include <string.h>

/* Team of the labels, else the owner of the component. */
static const char *team_of(const struct fl_corr *c, const struct episode *e)
{
    const char *team = fl_team_of_labels(&e->alert->labels);
    const struct fl_node *n = c->topo && e->node >= 0 ? fl_topo_node(c->topo, e->node) : NULL;
    return *team ? team : n && n->owner ? n->owner : "";
}

static struct fl_team_figures *named(struct fl_corr *c, const char *name)
{
    char cut[FL_TEAM_MAX + 1];
    snprintf(cut, sizeof cut, "%s", name);
    fl_utf8_repair(cut, strlen(cut)); /* the cut may have halved a character */
    for (size_t i = 0; i < c->n_teams; i++)
        if (!strcmp(c->teams[i].name, cut))
            return &c->teams[i];
    if (c->n_teams == FL_TEAMS_MAX || !strcmp(cut, FL_TEAM_OTHER)) {
        struct fl_team_figures *rest = &c->teams[FL_TEAMS_MAX];
        snprintf(rest->name, sizeof rest->name, FL_TEAM_OTHER);
        return rest;
    }
    memcpy(c->teams[c->n_teams].name, cut, sizeof cut);
    return &c->teams[c->n_teams++];
}

void team_alert(struct fl_corr *c, const struct episode *e)
{
    struct fl_team_figures *t = named(c, team_of(c, e));
    t->alerts++;
    if (e->incident)
        return;
    if (e->silenced_by)
        t->silenced++;
    else if (e->inhibited_by)
        t->inhibited++;
    else
        t->held++;
}

void team_incident(struct fl_corr *c, const struct episode *first)
{
    named(c, team_of(c, first))->incidents++;
}

size_t fl_corr_teams(const struct fl_corr *c, struct fl_team_figures ret[FL_TEAMS_MAX + 1])
{
    size_t n = c->n_teams;
    memcpy(ret, c->teams, n * sizeof *ret);
    if (c->teams[FL_TEAMS_MAX].name[0])
        ret[n++] = c->teams[FL_TEAMS_MAX];
    return n;
}

/* ---- snapshot ---- */

void teams_write(const struct fl_corr *c, struct fl_jw *w)
{
    fl_jw_arr(w, "teams");
    for (size_t i = 0; i <= FL_TEAMS_MAX; i++) {
        const struct fl_team_figures *t = &c->teams[i];
        if (i >= c->n_teams && !t->name[0])
            continue;
        fl_jw_arr(w, NULL);
        fl_jw_str(w, NULL, t->name);
        fl_jw_int(w, NULL, (int64_t)t->alerts);
        fl_jw_int(w, NULL, (int64_t)t->silenced);
        fl_jw_int(w, NULL, (int64_t)t->inhibited);
        fl_jw_int(w, NULL, (int64_t)t->held);
        fl_jw_int(w, NULL, (int64_t)t->incidents);
        fl_jw_arr_end(w);
    }
    fl_jw_arr_end(w);
}

void teams_read(struct fl_corr *c, const struct fl_json *list)
{
    for (size_t i = 0; i < fl_json_len(list) && i <= FL_TEAMS_MAX; i++) {
        const struct fl_json *v = fl_json_at(list, i);
        const char *name = fl_json_string(fl_json_at(v, 0));
        bool rest = i == FL_TEAMS_MAX || fl_streq(name, FL_TEAM_OTHER);
        struct fl_team_figures *t = &c->teams[rest ? FL_TEAMS_MAX : c->n_teams++];
        uint64_t *const counts[] = {&t->alerts, &t->silenced, &t->inhibited, &t->held, &t->incidents};
        snprintf(t->name, sizeof t->name, "%s", name ? name : "");
        for (size_t k = 0; k < FL_ARRAY_LEN(counts); k++)
            *counts[k] = (uint64_t)fl_json_number(fl_json_at(v, k + 1), 0);
    }
}
