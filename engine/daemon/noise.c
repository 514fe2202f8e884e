/* SPDX-License-Identifier: GPL-3.0-or-later */
/* engine/daemon/noise.c -- how much comes of whom: sums of reports into the database once a minute, and the figures
 * by team on /metrics (layer 6). */
#include "daemon_priv.h"

#include <string.h>

static const fl_usec WRITE_EVERY = 60 * FL_USEC_PER_SEC;

void noise_turn(struct engine *e, struct fl_reader *db, bool now)
{
    struct fl_err err = {0};
    struct fl_noise_count *v = NULL;
    if (!now && fl_mono() - e->noise_written_at < WRITE_EVERY)
        return;
    e->noise_written_at = fl_mono();
    FL_AUTO_ARENA arena = fl_arena_new(0);
    size_t n = arena ? fl_noise_take(e->noise, arena, &v) : 0;
    if (!n || fl_reports_add(db, e->config->realm, v, n, &err) == FL_OK)
        return;
    fl_noise_put_back(e->noise, v, n);
    fl_log_err(FL_LOG_WARN, "daemon", "the sums of reports were not written; they wait", &err);
}

/* ---- /metrics ---- */

static void escaped(struct fl_buf *b, const char *s)
{
    for (; *s; s++)
        if (*s == '\n')
            fl_buf_str(b, "\\n");
        else
            fl_buf_printf(b, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
}

static void family(struct fl_buf *b, const char *name, const char *help)
{
    fl_buf_printf(b, "# HELP %s %s\n# TYPE %s counter\n", name, help, name);
}

static void line(struct fl_buf *b, const char *name, const char *team, uint64_t n)
{
    fl_buf_printf(b, "%s{team=\"", name);
    escaped(b, team);
    fl_buf_printf(b, "\"} %llu\n", (unsigned long long)n);
}

/* At most 64 teams and "other"; figures by alert rule are in the API only. */
void noise_metrics(struct engine *e, const struct fl_flow_stats *f, struct fl_buf *b)
{
    static const struct {
        const char *name, *help;
        size_t at;
    } v[] = {
        {"faultline_team_alerts_total", "Alerts by team: label team, owner, or the owner of the component.",
         offsetof(struct fl_team_figures, alerts)},
        {"faultline_team_silenced_total", "Of them kept out of incidents by a silence when they came.",
         offsetof(struct fl_team_figures, silenced)},
        {"faultline_team_inhibited_total", "Of them kept out by an inhibition.",
         offsetof(struct fl_team_figures, inhibited)},
        {"faultline_team_held_total", "Of them held for any other reason.",
         offsetof(struct fl_team_figures, held)},
        {"faultline_team_incidents_total", "Incidents opened by an alert of the team.",
         offsetof(struct fl_team_figures, incidents)},
    };
    struct fl_team_reports reports[FL_TEAMS_MAX + 1];
    size_t n = fl_noise_teams(e->noise, reports);
    family(b, "faultline_team_reports_total",
           "Firing reports since the start, repeats included, by team (its labels alone).");
    for (size_t i = 0; i < n; i++)
        line(b, "faultline_team_reports_total", reports[i].name, reports[i].reports);
    for (size_t k = 0; k < FL_ARRAY_LEN(v); k++) {
        family(b, v[k].name, v[k].help);
        for (size_t i = 0; i < f->n_teams; i++) {
            uint64_t figure;
            memcpy(&figure, (const char *)&f->teams[i] + v[k].at, sizeof figure);
            line(b, v[k].name, f->teams[i].name, figure);
        }
    }
}
