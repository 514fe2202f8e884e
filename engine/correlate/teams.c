/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/correlate/teams.c -- what came of the alerts of which team and alert rule, for the noise figures. Counted when it
 * happens, never taken back; names are bounded, because strangers choose them. */
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

/* Figures by one kind of name: the first `max` names that came, and after them one place for all others. */
struct tally {
    struct fl_team_figures *v;
    size_t *n, max;
};

static struct tally by_team(struct fl_corr *c)
{
    return (struct tally){c->teams, &c->n_teams, FL_TEAMS_MAX};
}

static struct tally by_rule(struct fl_corr *c)
{
    return (struct tally){c->alert_rules, &c->n_alert_rules, FL_ALERT_RULES_MAX};
}

static struct fl_team_figures *named(struct tally t, const char *name)
{
    char cut[FL_TEAM_MAX + 1];
    snprintf(cut, sizeof cut, "%s", name);
    fl_utf8_repair(cut, strlen(cut)); /* the cut may have halved a character */
    for (size_t i = 0; i < *t.n; i++)
        if (!strcmp(t.v[i].name, cut))
            return &t.v[i];
    if (*t.n == t.max || !strcmp(cut, FL_TEAM_OTHER)) {
        struct fl_team_figures *rest = &t.v[t.max];
        snprintf(rest->name, sizeof rest->name, FL_TEAM_OTHER);
        return rest;
    }
    memcpy(t.v[*t.n].name, cut, sizeof cut);
    return &t.v[(*t.n)++];
}

static const char *rule_of(const struct episode *e)
{
    return fl_label_get(&e->alert->labels, "alertname");
}

static void came(struct fl_team_figures *t, const struct episode *e)
{
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

void team_alert(struct fl_corr *c, const struct episode *e)
{
    came(named(by_team(c), team_of(c, e)), e);
    came(named(by_rule(c), rule_of(e)), e);
}

void team_incident(struct fl_corr *c, const struct episode *first)
{
    named(by_team(c), team_of(c, first))->incidents++;
    named(by_rule(c), rule_of(first))->incidents++;
}

static size_t all(const struct fl_team_figures *v, size_t n, size_t max, struct fl_team_figures *ret)
{
    memcpy(ret, v, n * sizeof *ret);
    if (v[max].name[0])
        ret[n++] = v[max];
    return n;
}

size_t fl_corr_teams(const struct fl_corr *c, struct fl_team_figures ret[FL_TEAMS_MAX + 1])
{
    return all(c->teams, c->n_teams, FL_TEAMS_MAX, ret);
}

size_t fl_corr_alert_rules(const struct fl_corr *c, struct fl_team_figures ret[FL_ALERT_RULES_MAX + 1])
{
    return all(c->alert_rules, c->n_alert_rules, FL_ALERT_RULES_MAX, ret);
}

/* ---- snapshot ---- */

static void write_figures(struct fl_jw *w, const char *key, const struct fl_team_figures *v, size_t n,
                          size_t max)
{
    fl_jw_arr(w, key);
    for (size_t i = 0; i <= max; i++) {
        const struct fl_team_figures *t = &v[i];
        if (i >= n && !t->name[0])
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

void teams_write(const struct fl_corr *c, struct fl_jw *w)
{
    write_figures(w, "teams", c->teams, c->n_teams, FL_TEAMS_MAX);
    write_figures(w, "alert_rules", c->alert_rules, c->n_alert_rules, FL_ALERT_RULES_MAX);
}

static void read_figures(struct tally to, const struct fl_json *list)
{
    for (size_t i = 0; i < fl_json_len(list) && i <= to.max; i++) {
        const struct fl_json *v = fl_json_at(list, i);
        const char *name = fl_json_string(fl_json_at(v, 0));
        bool rest = i == to.max || fl_streq(name, FL_TEAM_OTHER);
        struct fl_team_figures *t = &to.v[rest ? to.max : (*to.n)++];
        uint64_t *const counts[] = {&t->alerts, &t->silenced, &t->inhibited, &t->held, &t->incidents};
        snprintf(t->name, sizeof t->name, "%s", name ? name : "");
        for (size_t k = 0; k < FL_ARRAY_LEN(counts); k++)
            *counts[k] = (uint64_t)fl_json_number(fl_json_at(v, k + 1), 0);
    }
}

/* A snapshot of before figures by alert rule has none: they begin with it. */
void teams_read(struct fl_corr *c, const struct fl_json *v)
{
    read_figures(by_team(c), fl_json_get(v, "teams"));
    read_figures(by_rule(c), fl_json_get(v, "alert_rules"));
}
